"""Splitters of equal-area blocks with a gap between training and test samples."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut

from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_parameter, is_integer, is_real, warn_caller
from skgeo.model_selection._base import HALF_CIRCUMFERENCE_KM, kd_tree, km_to_chord
from skgeo.model_selection._blocks import BlockSplitter, RandomState, SphericalBlockKFold

__all__ = ["BufferedKFold", "LeaveOneBlockOut"]

# Default number of blocks of LeaveOneBlockOut.
_DEFAULT_BLOCKS = 50
# Chords of the unit sphere that differ by less are equal to rounding: neighbours at the radius itself are within it.
_CHORD_ROUNDING = 1e-12
# If the gap leaves less than this share of the training samples, it is probably wider than the user meant.
_MIN_TRAINING_SHARE = 0.1


class BufferedKFold(SphericalBlockKFold):
    """K folds of equal-area blocks, without the training samples that are close to a test sample.

    Blocks alone leave neighbours on both sides of their edges. With this splitter, no training sample is within
    ``radius_km`` of a test sample. All training samples farther away are kept. The radius is the smallest distance from
    a test sample to training data. The median distance is larger, and fewer training samples are left, so the score is
    pessimistic for places at the distance ``radius_km`` from data.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    radius_km : float, default=100.0
        Training samples within this great-circle distance in km of a test sample are left out.
    block_size_km : float, default=None
        Width of the blocks in km: the side of a square with the area of a block. Blocks much smaller than the radius
        lose most of the training samples.
    n_blocks : int, default=None
        Approximate number of blocks that hold samples. If ``block_size_km`` is None too, None means ten blocks for each
        fold.
    shuffle : bool, default=False
        Turn the blocks at random, for other folds of the same kind; by default they are always the same.
    random_state : int, RandomState instance or None, default=None
        For ``shuffle``; give an int for the same folds every time.
    stratify : bool, default=False
        Spread classes over the folds as evenly as blocks allow. For a numeric target, the classes are ten groups of
        samples from the smallest to the largest values. Pass y to ``split``. The gap may still remove all training
        samples of a class.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any case, whatever other columns there are.

    Raises
    ------
    CoordinateError
        From ``split``, if there are no coordinates, or some are missing or out of range.
    ValueError
        From ``split``, if a parameter is invalid, samples lie in fewer blocks than there are folds, or the
        radius leaves nothing to train on.

    Warns
    -----
    UserWarning
        From ``split``, if the radius leaves less than a tenth of the samples that are not tested.

    See Also
    --------
    skgeo.model_selection.LeaveOneBlockOut : Tests one block at a time.

    Notes
    -----
    Distances are found with a tree of the test samples in space, where the radius is a chord. There is no matrix of
    distances, and memory grows in proportion to the number of samples. Every sample is tested once. The training
    samples are those of a block splitter with the same parameters, without those in the gap.

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
        stratify: bool = False,
        coordinates: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(
            n_splits,
            block_size_km=block_size_km,
            n_blocks=n_blocks,
            shuffle=shuffle,
            random_state=random_state,
            stratify=stratify,
            coordinates=coordinates,
        )
        self.radius_km = radius_km

    def _split(self, vectors: FloatArray, y: Any) -> Iterator[tuple[Integers, Integers]]:
        yield from _with_gap(vectors, super()._split(vectors, y), self.radius_km)

    def _check_parameters(self) -> None:
        _check_radius(self.radius_km)
        super()._check_parameters()


class LeaveOneBlockOut(BlockSplitter):
    """Test one equal-area block after the other, without the training samples that are close to the block.

    Parameters
    ----------
    radius_km : float, default=0.0
        Training samples within this great-circle distance in km of a test sample are left out. With zero, all samples
        of other blocks are trained on.
    block_size_km : float, default=None
        Width of the blocks in km: the side of a square with the area of a block.
    n_blocks : int, default=None
        Approximate number of blocks that hold samples. If ``block_size_km`` is None too, None means 50 blocks.
    shuffle : bool, default=False
        Turn the blocks at random; by default they are always the same.
    random_state : int or None, default=None
        For ``shuffle``, which needs an integer: the blocks are made twice, to count them and to make the splits.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any case, whatever other columns there are.

    Raises
    ------
    CoordinateError
        From ``split``, if there are no coordinates, or some are missing or out of range.
    ValueError
        From ``split``, if a parameter is invalid, samples lie in one block only, or the radius leaves
        nothing to train on.

    Warns
    -----
    UserWarning
        From ``split``, if the radius leaves less than a tenth of the samples that are not tested.

    See Also
    --------
    skgeo.model_selection.BufferedKFold : Tests several blocks at a time.

    Notes
    -----
    Blocks and distances are those of :class:`~skgeo.model_selection.BufferedKFold`. Blocks hold different numbers of
    samples. A mean of their scores therefore weighs samples unequally: collect the predictions of all blocks with
    ``sklearn.model_selection.cross_val_predict``, and score them together.

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
        """Number of splits, which is the number of blocks that hold samples.

        Parameters
        ----------
        X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid with n_samples rows
            The samples, as for ``split``.
        y : array-like of shape (n_samples,), default=None
            Ignored.
        groups : array-like of shape (n_samples, 2), default=None
            The same as ``coordinates``.
        coordinates : array-like, DataFrame, GeoSeries or grid with n_samples rows, or (str, str), default=None
            Latitude and longitude in degrees, where they are not in X; or the names of their columns in X.

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

    def _split(self, vectors: FloatArray, y: Any) -> Iterator[tuple[Integers, Integers]]:
        blocks = self._labels(vectors)
        if blocks.max() == 0:
            one = not np.any(np.ptp(vectors, axis=0) > _CHORD_ROUNDING)
            cure = "Check the columns: all have the same coordinates" if one else "Make the blocks smaller"
            raise ValueError(
                f"{self._block_parameter()}: all samples lie in one block, which leaves nothing to train on. {cure}."
            )
        splits = LeaveOneGroupOut().split(vectors, groups=blocks)
        yield from _with_gap(vectors, splits, self.radius_km)

    def _number_wanted(self) -> int:
        return int(self.n_blocks or _DEFAULT_BLOCKS)

    def _check_parameters(self) -> None:
        _check_radius(self.radius_km)
        super()._check_parameters()
        # get_n_splits and split have to draw the same rotation.
        if self.shuffle:
            state = self.random_state
            check_parameter("random_state", state, is_integer(state), "an integer, as shuffle=True needs it here")


def _check_radius(radius: Any) -> None:
    """Raise ValueError unless the value is a distance in km between two places."""
    valid = is_real(radius) and 0.0 <= radius < HALF_CIRCUMFERENCE_KM
    check_parameter(
        "radius_km", radius, valid, f"a number in [0, {HALF_CIRCUMFERENCE_KM:.0f}), half the way around the Earth"
    )


def _with_gap(
    vectors: FloatArray, splits: Iterator[tuple[Integers, Integers]], radius_km: float
) -> Iterator[tuple[Integers, Integers]]:
    """Splits without the training samples within the radius; warns of the first split with few samples left."""
    warned = False
    for number, (train, test) in enumerate(splits):
        kept = _drop_within_radius(vectors, train, test, radius_km)
        if not warned and kept.size < _MIN_TRAINING_SHARE * train.size:
            warned = True
            warn_caller(
                f"radius_km={radius_km!r} leaves {kept.size} of {train.size} samples to train on in split {number}: "
                "less than a tenth. Make the radius smaller, or the blocks larger than it.",
                UserWarning,
            )
        yield kept, test


def _drop_within_radius(vectors: FloatArray, train: Integers, test: Integers, radius_km: float) -> Integers:
    """Training samples that are farther than the radius from all test samples."""
    # Samples at the same place are in the same block: a radius of zero drops none.
    if radius_km == 0.0:
        return train
    radius = float(km_to_chord(radius_km)) + _CHORD_ROUNDING
    # Only training samples in a ball around all test samples can be within the radius of one of them.
    centre = vectors[test].mean(axis=0)
    reach = float(np.linalg.norm(vectors[test] - centre, axis=1).max()) + radius
    near = np.flatnonzero(np.linalg.norm(vectors[train] - centre, axis=1) <= reach)
    # The tree finds distances below its bound, not at it: the bound is the next larger number.
    found = kd_tree(vectors[test]).query(vectors[train[near]], distance_upper_bound=np.nextafter(radius, 3.0))[0]
    kept = np.delete(train, near[found <= radius])
    if kept.size == 0:
        raise ValueError(
            f"radius_km={radius_km!r} leaves nothing to train on: all samples are that close to a test sample of one "
            "split. Make the radius smaller, or give fewer blocks."
        )
    return kept
