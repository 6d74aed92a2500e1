"""Folds of equal-area blocks on the sphere."""

import math
from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from skgeo._kernels.equal_area import (
    balanced_folds,
    band_counts,
    block_of,
    own_frame,
    random_rotation,
    stratified_folds,
)
from skgeo._kernels.threads import one_blas_thread
from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_parameter, is_integer, is_real
from skgeo.model_selection._base import (
    EARTH_RADIUS_KM,
    FoldSplitter,
    LocationSplitter,
    check_enough_places,
    check_n_splits,
    distinct_places,
)
from skgeo.model_selection._strata import strata_of, warn_missing_classes

__all__ = ["SphericalBlockKFold"]

RandomState = int | np.random.RandomState | None

#: Smallest width of blocks in km. The sphere has 5e12 blocks of this width.
MIN_BLOCK_KM = 0.01
# Default number of blocks of a fold.
_BLOCKS_PER_FOLD = 10
# The bisection on the number of blocks of the sphere stops when its ends differ by this factor at most.
_BISECTION_FACTOR = 1.01
# If blocks hold at least this number of samples on average, the places are not counted: they are enough.
_AMPLE_SAMPLES_PER_BLOCK = 100


class BlockSplitter(LocationSplitter):
    """A splitter that never divides the samples of an equal-area block."""

    block_size_km: float | None
    n_blocks: int | None
    shuffle: bool
    random_state: RandomState

    def block_labels(self, X: Any, coordinates: Any = None) -> npt.NDArray[np.intp]:
        """The block of each sample.

        Parameters
        ----------
        X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid with n_samples rows
            The samples, as for ``split``.
        coordinates : array-like, DataFrame, GeoSeries or grid with n_samples rows, or (str, str), default=None
            Latitude and longitude in degrees, where they are not in X; or the names of their columns in X.

        Returns
        -------
        ndarray of shape (n_samples,)
            Numbers from 0 to n - 1 for the n blocks that hold samples. With ``shuffle`` and no integer ``random_state``
            another call makes other blocks.
        """
        return self._labels(self._vectors(X, None, None, coordinates))

    def _labels(self, vectors: FloatArray) -> npt.NDArray[np.intp]:
        """The number (n,) of the block of each sample."""
        # Blocks are laid out in a frame that follows the data: turning all samples changes no fold.
        with one_blas_thread():
            frame = own_frame(vectors)
            if self.shuffle:
                frame = random_rotation(check_random_state(self.random_state)) @ frame
            turned, size = vectors @ frame.T, self.block_size_km
        size = size_of_blocks(turned, self._number_wanted()) if size is None else size
        return labels_of_blocks(turned, number_of_blocks(size))

    @abstractmethod
    def _number_wanted(self) -> int:
        """The number of blocks that should hold samples, if ``block_size_km`` is None."""

    def _block_parameter(self) -> str:
        """The parameter that determines the blocks, for error messages."""
        return f"n_blocks={self.n_blocks!r}" if self.block_size_km is None else f"block_size_km={self.block_size_km!r}"

    def _check_parameters(self) -> None:
        size, number = self.block_size_km, self.n_blocks
        valid = size is None or (is_real(size) and size >= MIN_BLOCK_KM)
        check_parameter("block_size_km", size, valid, f"None or a number of at least {MIN_BLOCK_KM:g}")
        valid = number is None or (is_integer(number) and number >= 2)
        check_parameter("n_blocks", number, valid, "None or an integer, at least 2")
        if size is not None and number is not None:
            raise ValueError(f"block_size_km={size!r} and n_blocks={number!r}: give one of them, the other follows.")
        check_flag("shuffle", self.shuffle)


def number_of_blocks(width_km: float) -> int:
    """The number of blocks of this width on the whole sphere."""
    return max(1, round(4.0 * math.pi * (EARTH_RADIUS_KM / width_km) ** 2))


def labels_of_blocks(vectors: FloatArray, n_blocks: int) -> npt.NDArray[np.intp]:
    """The block of each sample, for a partition of the sphere into ``n_blocks``. Only blocks with samples count."""
    return np.unique(block_of(vectors, band_counts(n_blocks)), return_inverse=True)[1]


def size_of_blocks(turned: FloatArray, wanted: int) -> float:
    """The width in km of blocks such that about ``wanted`` of them hold samples.

    ``turned`` (n, 3) are unit vectors in the frame of the blocks. The function makes blocks smaller until enough of
    them hold samples, and then bisects.
    """

    def number_of(n_blocks: float) -> int:
        """The number of blocks with samples, if the whole sphere has ``n_blocks``."""
        return int(labels_of_blocks(turned, round(n_blocks)).max()) + 1

    # At most as many blocks as places hold samples, however small the blocks are.
    if len(turned) < _AMPLE_SAMPLES_PER_BLOCK * wanted:
        wanted = min(wanted, int(distinct_places(turned).max()) + 1)
    low = high = float(wanted)
    # Maps a number of blocks of the whole sphere to the number of those that hold samples.
    tried = {high: number_of(high)}
    # Most of the sphere may be empty: divide blocks into four until enough of them hold samples.
    while tried[high] < wanted and high < number_of_blocks(MIN_BLOCK_KM):
        low, high = high, 4.0 * high
        tried[high] = number_of(high)
    while tried[high] != wanted and high > _BISECTION_FACTOR * low:
        middle = math.sqrt(low * high)
        tried[middle] = number_of(middle)
        low, high = (middle, high) if tried[middle] < wanted else (low, middle)
    # The closest number of all that were tried; on a tie, the largest blocks.
    best = min(tried, key=lambda n_blocks: (abs(tried[n_blocks] - wanted), n_blocks))
    return EARTH_RADIUS_KM * math.sqrt(4.0 * math.pi / round(best))


class SphericalBlockKFold(FoldSplitter, BlockSplitter):
    """K folds of equal-area blocks on the sphere.

    Neighbours have similar values. In random folds almost every test sample has neighbours among the training samples,
    so a model that only copies neighbours gets a good score. This splitter tests whole blocks. The samples inside a
    block have no training samples close to them: the median distance is about a fifth of the width of a block. Blocks
    are assigned to folds by their number of samples. The block with the most samples is first, and each block goes to
    the fold with the fewest samples so far. With ``stratify``, every fold gets its share of every class.

    The orientation of the blocks follows the data: the first axis points to the middle of the samples, and the equator
    follows their larger spread. If all data are rotated on the globe, the blocks rotate with them and the folds stay
    the same. There is no seam at the antimeridian, and nothing is stretched at the poles.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    block_size_km : float, default=None
        Width of the blocks in km: the side of a square with the area of a block. The median distance from a test sample
        to the nearest training sample is about a fifth of the width, or more where samples are sparse.
        :func:`leakage_report` measures this distance for several widths.
    n_blocks : int, default=None
        Approximate number of blocks that hold samples. The number found differs by a few percent, or by more if the
        data are symmetric. If ``block_size_km`` is None too, None means ten blocks for each fold.
    shuffle : bool, default=False
        Turn the blocks at random, for other folds of the same kind; by default they are always the same.
    random_state : int, RandomState instance or None, default=None
        For ``shuffle``; give an int for the same folds every time.
    stratify : bool, default=False
        Spread classes over the folds as evenly as blocks allow. For a numeric target, the classes are ten groups of
        samples from the smallest to the largest values. Pass y to ``split``. Blocks that hold the largest shares of
        classes are assigned first.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any case, whatever other columns there are.

    Raises
    ------
    CoordinateError
        From ``split``, if there are no coordinates, or some are missing or out of range.
    ValueError
        From ``split``, if a parameter is invalid, or samples lie in fewer blocks than there are folds, or
        ``stratify`` is given no y.

    Warns
    -----
    UserWarning
        From ``split`` with ``stratify``, if a class has samples in so few blocks that some fold has none.

    See Also
    --------
    skgeo.model_selection.BufferedKFold : Leaves out training samples close to the test samples as well.
    skgeo.model_selection.NearestNeighbourDistanceKFold : Folds as far apart as the places to predict are.
    skgeo.model_selection.leakage_report : Scores over block sizes.

    Notes
    -----
    Blocks are those of the zonal equal-area partition of Leopardi [1]_: a cap at either end of the third axis, and
    bands of blocks between the caps. No block is long or thin, and all have the same area to rounding.

    The axes are those of the second moment of the samples on the unit sphere, with signs of the third moment. Symmetric
    data, such as all cells of a global grid, have no axes of their own: the axes of the Earth are used.

    With ``stratify``, each fold holds a share of each class and of all samples. A block goes to the fold where the sum
    of the squares of these shares grows least. The sum is least if all shares are equal.

    A million samples take about a second, and memory that grows with their number.

    References
    ----------
    .. [1] Leopardi, P. (2006). A partition of the unit sphere into regions of equal area and small diameter. Electronic
       Transactions on Numerical Analysis 25, 309-327.

    Examples
    --------
    The classes alternate over 700 km, and the model copies the nearest sample. The model reads coordinates in radians,
    and the splitter reads degrees:

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
    >>> houses = pd.DataFrame(
    ...     {"rooms": [3, 4, 2], "lon": [2.35, 2.36, 5.37], "lat": [48.9, 48.8, 43.3]}
    ... )
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
        stratify: bool = False,
        coordinates: tuple[str, str] | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.block_size_km = block_size_km
        self.n_blocks = n_blocks
        self.shuffle = shuffle
        self.random_state = random_state
        self.stratify = stratify
        self.coordinates = coordinates

    def fold_labels(self, X: Any, coordinates: Any = None, y: Any = None) -> npt.NDArray[np.intp]:
        """The fold in which each sample is tested.

        Parameters
        ----------
        X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid with n_samples rows
            The samples, as for ``split``.
        coordinates : array-like, DataFrame, GeoSeries or grid with n_samples rows, or (str, str), default=None
            Latitude and longitude in degrees, where they are not in X; or the names of their columns in X.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The target, for ``stratify``.

        Returns
        -------
        ndarray of shape (n_samples,)
            0 to ``n_splits - 1``.
        """
        return self._folds(self._vectors(X, y, None, coordinates), y)

    def _folds(self, vectors: FloatArray, y: Any) -> npt.NDArray[np.intp]:
        strata = strata_of(y) if self.stratify else None
        blocks = self._labels(vectors)
        sizes = np.bincount(blocks)
        n_splits = int(self.n_splits)
        if sizes.size < n_splits:
            check_enough_places(int(distinct_places(vectors).max()) + 1, n_splits)
            count = f"{sizes.size} block{'s' if sizes.size > 1 else ''}"
            raise ValueError(
                f"n_splits={n_splits}: the samples lie in {count} of {self._block_parameter()}, and each fold "
                "needs one. Make the blocks smaller, or the folds fewer."
            )
        if strata is None:
            return balanced_folds(sizes, n_splits)[blocks]
        folds = stratified_folds(blocks, strata, n_splits)[blocks]
        warn_missing_classes(y, folds, n_splits)
        return folds

    def _number_wanted(self) -> int:
        return int(self.n_blocks or _BLOCKS_PER_FOLD * self.n_splits)

    def _check_parameters(self) -> None:
        check_n_splits(self.n_splits)
        check_flag("stratify", self.stratify)
        super()._check_parameters()
