"""Splitters of equal-area blocks, with and without a gap between training and test samples."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from skgeo._blocks import balanced_folds, band_counts, block_of, own_frame, random_turn
from skgeo._harmonics import FloatArray
from skgeo._parallel import one_blas_thread
from skgeo._parameters import check_flag, check_parameter, is_integer, is_real
from skgeo.model_selection._base import (
    FARTHEST,
    RADIUS,
    FoldSplitter,
    Index,
    LocationSplitter,
    check_n_splits,
    chord,
    distinct_places,
    tree,
)

__all__ = ["BufferedKFold", "LeaveOneBlockOut", "SphericalBlockKFold"]

RandomState = int | np.random.RandomState | None

#: Width in km of the smallest blocks, of which there are five million million.
SMALLEST = 0.01
# The blocks of a fold, and all blocks that are left out, where neither their size nor their number is given.
_PER_FOLD, _LEAVE_OUT = 10, 50
# Towards a number of blocks, their area is searched for to this factor.
_CLOSE = 1.01
# With fewer samples for each block it may be that they are at fewer places than there should be blocks.
_CROWD = 100
# A tree finds neighbours at the radius itself, to rounding.
_ROUNDING = 1e-12


class _BlockSplitter(LocationSplitter):
    """A splitter that keeps blocks together."""

    block_size_km: float | None
    n_blocks: int | None
    shuffle: bool
    random_state: RandomState

    def block_labels(self, X: Any, coordinates: Any = None) -> npt.NDArray[np.intp]:
        """The block of each sample.

        Parameters
        ----------
        X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid with n_samples rows
            The samples, as ``split`` takes them.
        coordinates : array-like, DataFrame, GeoSeries or grid with n_samples rows, default=None
            Latitude and longitude in degrees, where they are not in X.

        Returns
        -------
        ndarray of shape (n_samples,)
            0 to the number of blocks that hold samples, less one. With ``shuffle`` and no integer ``random_state``
            another call makes other blocks.
        """
        return self._labels(self._vectors(X, None, None, coordinates))

    def _labels(self, vectors: FloatArray) -> npt.NDArray[np.intp]:
        with one_blas_thread():
            frame = own_frame(vectors)
            if self.shuffle:
                frame = random_turn(check_random_state(self.random_state)) @ frame
            turned, size = vectors @ frame.T, self.block_size_km
        size = size_of_blocks(turned, self._number_wanted()) if size is None else size
        return labels_of_blocks(turned, number_of_blocks(size))

    def _number_wanted(self) -> int:
        """About how many blocks hold samples, where their size is not given."""
        raise NotImplementedError

    def _blocks_given(self) -> str:
        """The parameter that the blocks follow from, for messages."""
        return f"n_blocks={self.n_blocks!r}" if self.block_size_km is None else f"block_size_km={self.block_size_km!r}"

    def _check_parameters(self) -> None:
        size, number = self.block_size_km, self.n_blocks
        valid = size is None or (is_real(size) and size >= SMALLEST)
        check_parameter("block_size_km", size, valid, f"None or a number of at least {SMALLEST:g}")
        valid = number is None or (is_integer(number) and number >= 2)
        check_parameter("n_blocks", number, valid, "None or an integer, at least 2")
        if size is not None and number is not None:
            raise ValueError(f"block_size_km={size!r} and n_blocks={number!r}: give one of them, the other follows.")
        check_flag("shuffle", self.shuffle)


def number_of_blocks(width_km: float) -> int:
    """How many blocks of a width the whole sphere has."""
    return max(1, round(4.0 * math.pi * (RADIUS / width_km) ** 2))


def labels_of_blocks(vectors: FloatArray, n_blocks: int) -> npt.NDArray[np.intp]:
    """Labels of those blocks that hold samples, of a partition of the whole sphere."""
    return np.unique(block_of(vectors, band_counts(n_blocks)), return_inverse=True)[1]


def size_of_blocks(turned: FloatArray, wanted: int) -> float:
    """The width in km of blocks of which about so many hold samples, given unit vectors in the frame of the blocks.

    Smaller and smaller ones until there are enough, then what lies between.
    """

    def number_of(n_blocks: float) -> int:
        return int(labels_of_blocks(turned, round(n_blocks)).max()) + 1

    if len(turned) < _CROWD * wanted:  # no more blocks than places hold samples, however small they are
        wanted = min(wanted, int(distinct_places(turned).max()) + 1)
    low = high = float(wanted)
    tried = {high: number_of(high)}
    while tried[high] < wanted and high < number_of_blocks(SMALLEST):
        low, high = high, 4.0 * high
        tried[high] = number_of(high)
    while tried[high] != wanted and high > _CLOSE * low:
        middle = math.sqrt(low * high)
        tried[middle] = number_of(middle)
        low, high = (middle, high) if tried[middle] < wanted else (low, middle)
    best = min(tried, key=lambda n_blocks: (abs(tried[n_blocks] - wanted), n_blocks))
    return RADIUS * math.sqrt(4.0 * math.pi / round(best))


class SphericalBlockKFold(FoldSplitter, _BlockSplitter):
    """K folds of equal-area blocks on the sphere.

    Neighbours are alike. In random folds a model that has learned nothing but to look them up scores well, because
    every test sample has some among the training samples. Here whole blocks are tested, and samples inside them have no
    training samples near: the median distance is about a fifth of the width of a block. Blocks go to folds by their
    number of samples, the fullest first, each to the fold with the fewest so far.

    The blocks are laid out along the data: in a frame whose first axis points to where samples are, and whose equator
    follows their larger spread. Turning all the data about the globe turns the blocks with them, and leaves the folds
    as they are. There is no seam at the antimeridian and nothing is stretched at the poles.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    block_size_km : float, default=None
        Width of the blocks: the side, in km, of a square of the area of each. It should be several times the distance
        over which the target is correlated, or the distance from data at which the model will be used.
    n_blocks : int, default=None
        How many blocks hold samples, about: as near as the search for their size comes, within a few percent; symmetric
        data may go farther off. None, without ``block_size_km``, is ten for each fold.
    shuffle : bool, default=False
        Turn the blocks at random, for other folds of the same kind; by default they are always the same.
    random_state : int, RandomState instance or None, default=None
        For ``shuffle``; give an int for the same folds every time.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any case, whatever other columns there are.

    Raises
    ------
    CoordinateError
        From ``split``, if there are no coordinates, or some are missing or out of range.
    ValueError
        From ``split``, if a parameter is not what it accepts, or samples lie in fewer blocks than there are folds.

    See Also
    --------
    skgeo.model_selection.BufferedKFold : Leaves out training samples close to the test samples as well.
    skgeo.model_selection.NearestNeighbourDistanceKFold : Folds as far apart as the places to predict are.
    skgeo.model_selection.leakage_report : Scores over block sizes.

    Notes
    -----
    Blocks are those of the zonal equal-area partition of Leopardi [1]_, in which none is long or thin: a cap at either
    end of the third axis, and bands between them. All have the same area to rounding.

    The axes are those of the second moment of the samples on the unit sphere, with signs of the third moment. Data that
    are symmetric, such as all cells of a global grid, have no axes of their own; those of the Earth stand in.

    A million samples take about a second, and memory that grows with their number.

    References
    ----------
    .. [1] Leopardi, P. (2006). A partition of the unit sphere into regions of equal area and small diameter. Electronic
       Transactions on Numerical Analysis 25, 309-327.

    Examples
    --------
    Classes that alternate over 700 km, and a model that looks up the nearest sample. It is given coordinates in
    radians, the splitter in degrees:

    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skgeo.datasets import make_checkerboard
    >>> from skgeo.model_selection import SphericalBlockKFold
    >>> X, y = make_checkerboard(5000, n_support=1000, random_state=0)
    >>> model = KNeighborsClassifier(1, metric="haversine")
    >>> print(cross_val_score(model, np.radians(X), y, cv=5).mean().round(2))
    0.7
    >>> cv = SphericalBlockKFold(5, block_size_km=3500)
    >>> print(cross_val_score(model, np.radians(X), y, cv=cv, groups=X).mean().round(2))
    0.16

    Coordinates among the columns of a frame are found by name:

    >>> import pandas as pd
    >>> houses = pd.DataFrame({"rooms": [3, 4, 2], "lon": [2.35, 2.36, 5.37], "lat": [48.9, 48.8, 43.3]})
    >>> SphericalBlockKFold(2, block_size_km=100).fold_labels(houses)
    array([0, 0, 1])
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        block_size_km: float | None = None,
        n_blocks: int | None = None,
        shuffle: bool = False,
        random_state: RandomState = None,
        coordinates: tuple[str, str] | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.block_size_km = block_size_km
        self.n_blocks = n_blocks
        self.shuffle = shuffle
        self.random_state = random_state
        self.coordinates = coordinates

    def fold_labels(self, X: Any, coordinates: Any = None) -> npt.NDArray[np.intp]:
        """The fold in which each sample is tested.

        Parameters
        ----------
        X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid with n_samples rows
            The samples, as ``split`` takes them.
        coordinates : array-like, DataFrame, GeoSeries or grid with n_samples rows, default=None
            Latitude and longitude in degrees, where they are not in X.

        Returns
        -------
        ndarray of shape (n_samples,)
            0 to ``n_splits - 1``.
        """
        return self._folds(self._vectors(X, None, None, coordinates))

    def _folds(self, vectors: FloatArray) -> npt.NDArray[np.intp]:
        blocks = self._labels(vectors)
        sizes = np.bincount(blocks)
        n_splits = int(self.n_splits)
        if sizes.size < n_splits:
            raise ValueError(
                f"n_splits={n_splits}: the samples lie in {sizes.size} blocks of {self._blocks_given()}, and each fold "
                "needs one. Make the blocks smaller, or the folds fewer."
            )
        return balanced_folds(sizes, n_splits)[blocks]

    def _number_wanted(self) -> int:
        return int(self.n_blocks or _PER_FOLD * self.n_splits)

    def _check_parameters(self) -> None:
        check_n_splits(self.n_splits)
        super()._check_parameters()


class BufferedKFold(SphericalBlockKFold):
    """K folds of equal-area blocks, without the training samples that are close to a test sample.

    Blocks alone leave neighbours on either side of their edges. Here no training sample is within ``radius_km`` of any
    test sample: a score at that distance from data. All training samples farther away are kept.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    radius_km : float, default=100.0
        Training samples so close to a test sample, or closer, are left out; great-circle distance in km.
    block_size_km : float, default=None
        Width of the blocks: the side, in km, of a square of the area of each. Blocks much smaller than the radius lose
        most of the training samples.
    n_blocks : int, default=None
        How many blocks hold samples, about. None, without ``block_size_km``, is ten for each fold.
    shuffle : bool, default=False
        Turn the blocks at random, for other folds of the same kind; by default they are always the same.
    random_state : int, RandomState instance or None, default=None
        For ``shuffle``; give an int for the same folds every time.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any case, whatever other columns there are.

    Raises
    ------
    CoordinateError
        From ``split``, if there are no coordinates, or some are missing or out of range.
    ValueError
        From ``split``, if a parameter is not what it accepts, samples lie in fewer blocks than there are folds, or the
        radius leaves nothing to train on.

    See Also
    --------
    skgeo.model_selection.LeaveOneBlockOut : Tests one block at a time.

    Notes
    -----
    Distances are looked up in a tree of the test samples in space, where the radius is a chord. No matrix of distances
    is formed, and memory grows with the number of samples. Every sample is tested once; the training samples are those
    of a block splitter with the same parameters, less those in the gap.

    Examples
    --------
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.model_selection import BufferedKFold
    >>> X = fibonacci_lattice(2000)
    >>> for train, test in BufferedKFold(4, radius_km=500, n_blocks=8).split(X):
    ...     print(len(train), len(test))
    1424 500
    1424 500
    1452 500
    1452 500
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        radius_km: float = 100.0,
        block_size_km: float | None = None,
        n_blocks: int | None = None,
        shuffle: bool = False,
        random_state: RandomState = None,
        coordinates: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(
            n_splits,
            block_size_km=block_size_km,
            n_blocks=n_blocks,
            shuffle=shuffle,
            random_state=random_state,
            coordinates=coordinates,
        )
        self.radius_km = radius_km

    def _split(self, vectors: FloatArray) -> Iterator[tuple[Index, Index]]:
        for train, test in super()._split(vectors):
            yield _beyond(vectors, train, test, self.radius_km), test

    def _check_parameters(self) -> None:
        _check_radius(self.radius_km)
        super()._check_parameters()


class LeaveOneBlockOut(_BlockSplitter):
    """Each equal-area block in turn for testing, without the training samples that are close to it.

    Parameters
    ----------
    radius_km : float, default=0.0
        Training samples so close to a test sample, or closer, are left out; great-circle distance in km. With zero it
        is all samples of other blocks that are trained on.
    block_size_km : float, default=None
        Width of the blocks: the side, in km, of a square of the area of each.
    n_blocks : int, default=None
        How many blocks hold samples, about. None, without ``block_size_km``, is 50.
    shuffle : bool, default=False
        Turn the blocks at random; by default they are always the same.
    random_state : int or None, default=None
        For ``shuffle``, which needs it here: to count the blocks and to make the splits is to make the blocks twice.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any case, whatever other columns there are.

    Raises
    ------
    CoordinateError
        From ``split``, if there are no coordinates, or some are missing or out of range.
    ValueError
        From ``split``, if a parameter is not what it accepts, samples lie in one block only, or the radius leaves
        nothing to train on.

    See Also
    --------
    skgeo.model_selection.BufferedKFold : Tests several blocks at a time.

    Notes
    -----
    Blocks and distances are those of :class:`~skgeo.model_selection.BufferedKFold`. Blocks hold different numbers of
    samples, so that their scores weigh differently; ``sklearn.model_selection.cross_val_predict`` pools them.

    Examples
    --------
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.model_selection import LeaveOneBlockOut
    >>> X = fibonacci_lattice(2000)
    >>> cv = LeaveOneBlockOut(radius_km=500, block_size_km=6000)
    >>> cv.get_n_splits(X)
    14
    >>> [(len(train), len(test)) for train, test in cv.split(X)][:3]
    [(1833, 143), (1832, 143), (1828, 143)]
    """

    def __init__(
        self,
        *,
        radius_km: float = 0.0,
        block_size_km: float | None = None,
        n_blocks: int | None = None,
        shuffle: bool = False,
        random_state: RandomState = None,
        coordinates: tuple[str, str] | None = None,
    ) -> None:
        self.radius_km = radius_km
        self.block_size_km = block_size_km
        self.n_blocks = n_blocks
        self.shuffle = shuffle
        self.random_state = random_state
        self.coordinates = coordinates

    def get_n_splits(self, X: Any = None, y: object = None, groups: Any = None, coordinates: Any = None) -> int:
        """Number of splits: of blocks that hold samples.

        Parameters
        ----------
        X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid with n_samples rows
            The samples, as ``split`` takes them.
        y : array-like of shape (n_samples,), default=None
            Not looked at.
        groups : array-like of shape (n_samples, 2), default=None
            The same as ``coordinates``.
        coordinates : array-like, DataFrame, GeoSeries or grid with n_samples rows, default=None
            Latitude and longitude in degrees, where they are not in X.

        Returns
        -------
        int
            Number of blocks.

        Raises
        ------
        ValueError
            Without X: the blocks are those of the samples.
        """
        if X is None and coordinates is None and groups is None:
            raise ValueError("X is None: the number of blocks is that of the samples, pass X or coordinates=.")
        X = X if X is not None else coordinates if coordinates is not None else groups
        return int(self._labels(self._vectors(X, None, groups, coordinates)).max()) + 1

    def _split(self, vectors: FloatArray) -> Iterator[tuple[Index, Index]]:
        blocks = self._labels(vectors)
        sizes = np.bincount(blocks)
        if sizes.size < 2:
            raise ValueError(
                f"{self._blocks_given()}: all samples lie in one block, which leaves nothing to train on. "
                "Make the blocks smaller."
            )
        samples = np.split(np.argsort(blocks, kind="stable"), np.cumsum(sizes)[:-1])
        for block, test in enumerate(samples):
            yield _beyond(vectors, np.flatnonzero(blocks != block), test, self.radius_km), test

    def _number_wanted(self) -> int:
        return int(self.n_blocks or _LEAVE_OUT)

    def _check_parameters(self) -> None:
        _check_radius(self.radius_km)
        super()._check_parameters()
        if self.shuffle:
            state = self.random_state
            check_parameter("random_state", state, is_integer(state), "an integer, as shuffle=True needs it here")


def _check_radius(radius: Any) -> None:
    valid = is_real(radius) and 0.0 <= radius < FARTHEST
    check_parameter("radius_km", radius, valid, f"a number in [0, {FARTHEST:.0f}), half the way around the Earth")


def _beyond(vectors: FloatArray, train: Index, test: Index, radius_km: float) -> Index:
    """Training samples that are farther than the radius from all test samples."""
    if radius_km == 0.0:  # what is at the same place is in the same block
        return train
    radius = float(chord(radius_km)) + _ROUNDING
    centre = vectors[test].mean(axis=0)
    reach = float(np.linalg.norm(vectors[test] - centre, axis=1).max()) + radius
    near = np.flatnonzero(np.linalg.norm(vectors[train] - centre, axis=1) <= reach)
    found = tree(vectors[test]).query(vectors[train[near]], distance_upper_bound=np.nextafter(radius, 3.0))[0]
    kept = np.delete(train, near[found <= radius])
    if kept.size == 0:
        raise ValueError(
            f"radius_km={radius_km!r} leaves nothing to train on: all samples are that close to a test sample of one "
            "split. Make the radius smaller, or give fewer blocks."
        )
    return kept
