"""Descriptors of the size of patches and of their pixels."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._base import PatchTransformer, restore_on_error
from skgeo._input.patch_table import Patches, PixelStack
from skgeo._kernels.cell_groups import group_extents
from skgeo._kernels.sphere import EARTH_RADIUS, descriptors, extents, stack_extents
from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_radius
from skgeo.exceptions import CoordinateError

if TYPE_CHECKING:
    from skgeo.nn._transformer_modules import PatchScale

__all__ = ["DESCRIPTORS", "PatchScaleFeaturizer"]

#: Names of the descriptors, in output order.
DESCRIPTORS = (
    "extent_lon",
    "extent_lat",
    "area",
    "anisotropy",
    "pixel_lon",
    "pixel_lat",
    "pixel_scale",
    "pixel_anisotropy",
    "cutoff_degree_lon",
    "cutoff_degree_lat",
)


class PatchScaleFeaturizer(PatchTransformer):
    """Compute ten descriptors of the size of a patch and of its pixels.

    ========================  ====================================================  ======
    descriptor                meaning                                               unit
    ========================  ====================================================  ======
    ``extent_lon``            length of the central parallel inside the patch       m
    ``extent_lat``            length of a meridian inside the patch                 m
    ``area``                  R^2 (sin north - sin south) (east - west)             m^2
    ``anisotropy``            ``extent_lon / extent_lat``                           1
    ``pixel_lon``             ``extent_lon / n_lon``                                m
    ``pixel_lat``             ``extent_lat / n_lat``                                m
    ``pixel_scale``           ``sqrt(pixel_lon * pixel_lat)``                       m
    ``pixel_anisotropy``      ``pixel_lon / pixel_lat``                             1
    ``cutoff_degree_lon``     pi R / extent_lon: the degree of harmonics whose      1
                              half wavelength is as long as the patch
    ``cutoff_degree_lat``     pi R / extent_lat                                     1
    ========================  ====================================================  ======

    Patches of a curvilinear grid or a swath are given as the centres of their pixels. Their extents are measured along
    rows (``lon``) and columns (``lat``): the mean great-circle distance between neighbouring pixels, times their
    number. The area of a patch of cells in any order is the sum of the areas of its cells. Its extents are measured
    eastward (``lon``) and northward (``lat``) at its middle: they are the sides of the rectangle whose places have the
    same variance as the cells. The cells count as squares.

    Parameters
    ----------
    earth_radius : float, default=6371008.8
        Radius R of the sphere in metres; the IUGG mean radius of the Earth.
    log : bool, default=True
        Return natural logarithms, so that ratios become differences. Names then start with ``log_``.

    Attributes
    ----------
    n_features_in_ : int
        6, the columns of a patch table.
    feature_names_in_ : ndarray of shape (6,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        If X is no patch table: a value that is not finite, latitudes out of range, south >= north to rounding,
        east == west, wider than 360 degrees, or pixel counts that are no whole numbers.
    ValueError
        From ``fit``, if a parameter is invalid.
    NotFittedError
        From ``transform`` before ``fit``.
    ImportError
        From ``to_torch`` without torch.

    See Also
    --------
    skgeo.LatLonGrid.patches : Makes the patch table.
    skgeo.PatchPositionEncoder : Describes where the patch is.

    Examples
    --------
    >>> from skgeo import PatchScaleFeaturizer
    >>> quadrant = [[0.0, 90.0, 0.0, 90.0, 45, 45]]
    >>> scale = PatchScaleFeaturizer(log=False).fit(quadrant)
    >>> for name, value in zip(scale.get_feature_names_out(), scale.transform(quadrant)[0]):
    ...     print(f"{name:18}{value:.6g}")
    extent_lon        7.07641e+06
    extent_lat        1.00076e+07
    area              6.37582e+13
    anisotropy        0.707107
    pixel_lon         157254
    pixel_lat         222390
    pixel_scale       187007
    pixel_anisotropy  0.707107
    cutoff_degree_lon 2.82843
    cutoff_degree_lat 2
    """

    def __init__(self, earth_radius: float = EARTH_RADIUS, log: bool = True) -> None:
        self.earth_radius = earth_radius
        self.log = log

    def fit(self, X: Any, y: object = None) -> Self:
        """Check the patches and the parameters. Nothing is learned.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_patches, 6), or array-like of shape (n_patches, n_rows, n_columns, 2)
            A patch table: south, north, west, east (edges in degrees), n_lat, n_lon (pixels); or the (latitude,
            longitude) of the pixels of patches; or the (latitude, longitude, area in square metres) of cells, of shape
            (n_patches, n_cells, 3), from :meth:`skgeo.CellGrid.patches`.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._check_parameters()
        with restore_on_error(self):
            self._read(X, reset=True)
        return self

    def _check_parameters(self) -> None:
        check_radius("earth_radius", self.earth_radius)
        check_flag("log", self.log)

    def _patch_features(self, patches: Patches | PixelStack) -> npt.NDArray[np.floating]:
        radius = float(self.earth_radius)
        # All branches give sizes on the unit sphere. A stack has the same number of pixels in every patch.
        n_lat: Any
        n_lon: Any
        if isinstance(patches, PixelStack) and patches.areas is not None:
            (lon, lat, area), (n_lat, n_lon) = _cell_extents(patches, patches.areas)
        elif isinstance(patches, PixelStack):
            (lon, lat, area), (n_lat, n_lon) = _stack_extents(patches), patches.latitude.shape[1:]
        else:
            (lon, lat, area), (n_lat, n_lon) = extents(*patches.boxes[:4]), patches.boxes[4:]
        table = np.column_stack(descriptors(lon * radius, lat * radius, area * radius**2, n_lon, n_lat, radius))
        # The logarithm is computed in float64, and the result is rounded once.
        return (np.log(table) if self.log else table).astype(patches.dtype, copy=False)

    def to_torch(self) -> "PatchScale":
        """Make a differentiable torch module that computes ``transform``.

        Returns
        -------
        skgeo.nn.PatchScale
            Maps patch tables (..., 6), or stacks of cells (..., n_cells, 3), to descriptors (..., 10).
        """
        check_is_fitted(self)
        from skgeo.nn._transformer_modules import PatchScale  # needs torch

        return PatchScale(self.earth_radius, log=self.log)

    def _feature_names(self) -> list[str]:
        return [f"log_{name}" if self.log else name for name in DESCRIPTORS]


def _cell_extents(
    patches: PixelStack, areas: FloatArray
) -> tuple[tuple[FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Extents on the unit sphere of patches of cells in any order, and numbers of square cells along both of them."""
    lon, lat, area = group_extents(patches.latitude[:, 0], patches.longitude[:, 0], areas[:, 0] / EARTH_RADIUS**2)
    count = np.isfinite(patches.latitude[:, 0]).sum(axis=1)
    n_lat = np.sqrt(count * lat / lon)
    return (lon, lat, area), (n_lat, count / n_lat)


def _stack_extents(patches: PixelStack) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Extents on the unit sphere of patches given as pixel centres. Refuses patches whose pixels have no size."""
    sizes = stack_extents(patches.latitude, patches.longitude)
    # NaN is not above zero: the negated comparison finds it, too.
    unknown = np.flatnonzero(~(np.min(sizes, axis=0) > 0.0))
    if unknown.size:
        raise CoordinateError(
            f"X has {unknown.size} patches without neighbouring pixels at different places, first row {unknown[0]}: "
            "their pixels have no size. Take patches of at least 2 pixels."
        )
    return sizes
