"""Where a patch is: the area-weighted mean of a location encoder over its pixels."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skgeo._base import PatchTransformer, all_or_nothing
from skgeo._harmonics import sin_cos_latitude
from skgeo._parameters import check_flag, check_parameter
from skgeo._progress import progress
from skgeo._sphere import Boxes
from skgeo.exceptions import CoordinateWarning
from skgeo.pca import SphericalHarmonicPCA

__all__ = ["PatchPositionEncoder"]

# Pixels encoded at a time: enough to keep the encoder busy, little enough to be nothing in memory.
_PIXELS_AT_A_TIME = 2**16
# Pixel centres closer than this share of the smallest pixel are the same pixel of overlapping patches.
_SAME_PIXEL = 0.01


class PatchPositionEncoder(PatchTransformer):
    """The mean of a location encoder over the pixels of a patch, weighted by their exact areas.

    The pixels of a patch divide it evenly in latitude and longitude.

    Parameters
    ----------
    encoder : transformer of (latitude, longitude) points, default=None
        None means ``SphericalHarmonicPCA()``. A clone is fitted on the union of the training patches: harmonics on its
        area (with ``area_weighted=True``), other encoders on the centres of its pixels, each once, with their size
        (less the cosine of latitude) as ``sample_weight`` where the encoder takes it, which a Pipeline does not. To
        use an encoder as already fitted, wrap it in ``sklearn.frozen.FrozenEstimator``.
    average : "pixels", default="pixels"
        What the mean runs over.
    verbose : bool, default=False
        Show a progress bar while patches are transformed; needs tqdm.

    Attributes
    ----------
    encoder_ : transformer
        The fitted encoder.
    n_features_in_ : int
        6, the columns of a patch table.
    feature_names_in_ : ndarray of shape (6,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        If X is no patch table: a value that is not finite, latitudes out of range, south >= north, east == west, wider
        than 360 degrees, or pixel counts that are no whole numbers.
    ValueError
        From ``fit``, if a parameter is not what it accepts, or the encoder refuses the pixels.
    NotFittedError
        From ``transform`` before ``fit``, and from ``fit`` if the encoder in FrozenEstimator is not fitted.
    ImportError
        From ``transform`` with ``verbose=True`` and without tqdm.

    See Also
    --------
    skgeo.LatLonGrid.patches : Makes the patch table.
    skgeo.PatchScaleFeaturizer : How large the patch is.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from skgeo import LatLonGrid, PatchPositionEncoder, SphericalHarmonicPCA
    >>> globe = LatLonGrid(np.arange(-89.5, 90), np.arange(0.5, 360))
    >>> xyz = SphericalHarmonicPCA(max_degree=1, clip=None).fit(globe)
    >>> hemispheres = globe.patches((90, 360))
    >>> PatchPositionEncoder(FrozenEstimator(xyz)).fit_transform(hemispheres).round(3) + 0.0
    array([[ 0.   , -0.866,  0.   ],
           [ 0.   ,  0.866,  0.   ]])
    """

    def __init__(self, encoder: Any = None, *, average: str = "pixels", verbose: bool = False) -> None:
        self.encoder = encoder
        self.average = average
        self.verbose = verbose

    def fit(self, X: Any, y: object = None) -> Self:
        """Fit the encoder on the union of the pixels of the patches, unless it is frozen.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_patches, 6)
            A patch table: south, north, west, east (edges in degrees), n_lat, n_lon (pixels).
        y : None
            Ignored.

        Returns
        -------
        self
        """
        known = isinstance(self.average, str) and self.average == "pixels"
        check_parameter("average", self.average, known, "'pixels'")
        usable = not isinstance(self.encoder, type) and hasattr(self.encoder, "transform")
        accepted = "None or an instance of a transformer of (latitude, longitude) points"
        check_parameter("encoder", self.encoder, self.encoder is None or usable, accepted)
        check_flag("verbose", self.verbose)
        encoder = SphericalHarmonicPCA() if self.encoder is None else clone(self.encoder)
        with all_or_nothing(self):
            patches = self._read(X, reset=True)
            if isinstance(encoder, FrozenEstimator):
                check_is_fitted(encoder, msg="The encoder in FrozenEstimator is not fitted: fit it before freezing it.")
            else:
                _fit_encoder(encoder, patches.boxes)
            self.encoder_ = encoder
        return self

    def transform(self, X: Any) -> npt.NDArray[np.floating]:
        """Average the encoder over the pixels of each patch.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_patches, 6)
            A patch table.

        Returns
        -------
        ndarray of shape (n_patches, n_outputs)
            float32 for float32 input, else float64.
        """
        check_is_fitted(self)
        patches, dtype, _ = self._read(X, reset=False)
        encoder = self.encoder_.estimator if isinstance(self.encoder_, FrozenEstimator) else self.encoder_
        with progress(int(patches.n_lat @ patches.n_lon), "pixel", shown=self.verbose) as done:
            if type(encoder) is SphericalHarmonicPCA:
                return encoder._average_pixels(patches, dtype, done)
            return self._average_pixels(patches, done).astype(dtype, copy=False)

    def _average_pixels(self, patches: Boxes, done: Callable[[int], object]) -> npt.NDArray[np.float64]:
        """The mean of any encoder, a fixed number of pixels at a time."""
        area = np.zeros(patches.south.size)
        mean = np.zeros((area.size, self._encode(np.zeros((1, 2))).shape[1]))
        for patch, points in _pixels(patches):
            weight = sin_cos_latitude(points[:, 0])[1]  # pixels of a patch are equally high
            first = np.flatnonzero(np.diff(patch, prepend=-1))
            area[patch[first]] += np.add.reduceat(weight, first)
            values = self._encode(points)
            mean[patch[first]] += np.add.reduceat(values * weight[:, np.newaxis], first, axis=0)
            done(patch.size)
        return mean / area[:, np.newaxis]

    def _encode(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The output of the encoder as a dense array."""
        values = self.encoder_.transform(points)
        return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)

    def _feature_names(self) -> list[str]:
        return list(self.encoder_.get_feature_names_out())


def _fit_encoder(encoder: Any, patches: Boxes) -> None:
    """Fit an encoder on the union of patches: as an area if it can, else on the pixels."""
    if type(encoder) is SphericalHarmonicPCA and encoder.area_weighted:
        encoder._fit_union(patches)
        return
    points, weight = _distinct_pixels(patches)
    weights = {"sample_weight": weight} if has_fit_parameter(encoder, "sample_weight") else {}
    with warnings.catch_warnings():  # pixels of patches are in degrees, near zero as well
        warnings.simplefilter("ignore", CoordinateWarning)
        encoder.fit(points, **weights)


def _pixel_steps(patches: Boxes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Height and width of the pixels of each patch in degrees."""
    return (patches.north - patches.south) / patches.n_lat, (patches.east - patches.west) / patches.n_lon


def _pixels(patches: Boxes) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]]:
    """Yield the patch number (n,) and the centre (n, 2) of all pixels, a fixed number at a time."""
    height, width = _pixel_steps(patches)
    ends = np.cumsum(patches.n_lat * patches.n_lon)
    for start in range(0, int(ends[-1]), _PIXELS_AT_A_TIME):
        pixel = np.arange(start, min(start + _PIXELS_AT_A_TIME, int(ends[-1])))
        patch = np.searchsorted(ends, pixel, side="right")
        row, column = np.divmod(pixel - (ends - patches.n_lat * patches.n_lon)[patch], patches.n_lon[patch])
        latitude = patches.south[patch] + (row + 0.5) * height[patch]
        longitude = patches.west[patch] + (column + 0.5) * width[patch]
        yield patch, np.column_stack([latitude, longitude])


def _distinct_pixels(patches: Boxes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Centres of the pixels of all patches, each place once, and their areas without the cosine of latitude.

    That factor is the encoder's: SphericalHarmonicPCA weighs points by it.
    """
    height, width = _pixel_steps(patches)
    size = 2.0 * np.sin(np.radians(height) / 2.0) * np.radians(width)
    bins = _SAME_PIXEL * height.min(), _SAME_PIXEL * width.min()
    turn = int(360.0 // bins[1]) + 1
    parts = []
    for patch, points in _pixels(patches):
        # Bins have the centres of the pixels of a grid in their middle, where rounding does not part them.
        origin = [patches.south[0] + height[0] / 2.0, patches.west[0] + width[0] / 2.0]
        along_lat, along_lon = (points - origin + np.divide(bins, 2.0)).T
        row, column = np.floor([along_lat / bins[0], np.mod(along_lon, 360.0) / bins[1]]).astype(np.int64)
        place, first = np.unique(row * turn + column, return_index=True)
        parts.append((place, points[first], size[patch[first]]))
    place, points, weight = (np.concatenate(values) for values in zip(*parts, strict=True))
    first = np.sort(np.unique(place, return_index=True)[1])
    return points[first], weight[first]
