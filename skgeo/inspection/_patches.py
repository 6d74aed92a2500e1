"""Patches on a map."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from sklearn.utils.validation import check_is_fitted

from skgeo._input.patch_table import Patches, PixelStack
from skgeo._kernels.cell_groups import equidistant, group_middles
from skgeo._kernels.sphere import Boxes
from skgeo._patch_scale import DESCRIPTORS, PatchScaleFeaturizer
from skgeo._places import ChunkedRows, read_patches
from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_parameter
from skgeo.inspection._map_shapes import box_rings
from skgeo.inspection._maps import LINE, colour_bar, colours, one_map, plotting, with_unit
from skgeo.inspection._models import chosen_columns
from skgeo.inspection._projections import Extent, extent_of, padded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PatchDisplay"]

# For each descriptor: its label, its unit, and the factor that converts metres or square metres to this unit.
_LABELS = {
    "extent_lon": ("extent along the parallel", "km", 1e-3),
    "extent_lat": ("extent along the meridian", "km", 1e-3),
    "area": ("area", "km²", 1e-6),
    "anisotropy": ("extent along the parallel / along the meridian", "", 1.0),
    "pixel_lon": ("pixel along the parallel", "km", 1e-3),
    "pixel_lat": ("pixel along the meridian", "km", 1e-3),
    "pixel_scale": ("pixel scale", "km", 1e-3),
    "pixel_anisotropy": ("pixel along the parallel / along the meridian", "", 1.0),
    "cutoff_degree_lon": ("cutoff degree along the parallel", "", 1.0),
    "cutoff_degree_lat": ("cutoff degree along the meridian", "", 1.0),
}
# Positive values that span more than this factor are drawn on a logarithmic scale.
_MIN_LOG_RANGE_FACTOR = 30.0
# Values from this one on are labelled in thousands of the unit.
_MIN_THOUSANDS_VALUE = 1e5
# Outlines of more patches than this are thinner.
_MAX_WIDE_OUTLINES = 300


class PatchDisplay:
    """Patches as outlines on a map, coloured by their size or by any other value.

    The sides follow parallels and meridians. Patches across the antimeridian are drawn on both sides of the map.

    Parameters
    ----------
    patches : array-like or DataFrame of shape (n_patches, 6), or array-like of shape (n_patches, n_rows, n_columns, 2)
        A patch table, or the pixels of patches of a CellGrid. The outline of a patch of a CellGrid runs through the
        centres of its outermost pixels.
    values : array-like of shape (n_patches,), default=None
        Values that the colours show. None draws outlines only.
    label : str, default=""
        Quantity and unit of the values.

    Attributes
    ----------
    patches, values, label
        The parameters.
    ax_, figure_ : matplotlib Axes and Figure
        The axes and the figure of the picture.
    patches_ : matplotlib PolyCollection
        The patches. A patch across the seam of the map has two polygons, a patch on the far side of the globe has none.
    colorbar_ : matplotlib Colorbar or None
        The colour bar.

    Raises
    ------
    CoordinateError
        If the patches are no patch table.
    ValueError
        If values do not fit the patches, or a descriptor or a parameter of the map is invalid.
    ImportError
        From ``plot``, without matplotlib.

    See Also
    --------
    skgeo.LatLonGrid.patches : Makes the patch table.
    skgeo.PatchScaleFeaturizer : The descriptors.

    Examples
    --------
    Patches with equal numbers of pixels are narrower near the poles:

    >>> import numpy as np
    >>> from skgeo import LatLonGrid
    >>> from skgeo.inspection import PatchDisplay
    >>> grid = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
    >>> display = PatchDisplay.from_patches(grid.patches((6, 12)), "extent_lon")
    >>> display.label
    'extent along the parallel (km)'
    >>> display.values[::6].round()
    array([1727., 4718., 6444., 6444., 4718., 1727.])
    """

    ax_: "Axes"
    figure_: "Figure"
    patches_: Any
    colorbar_: Any

    def __init__(self, patches: Any, values: "npt.ArrayLike | None" = None, *, label: str = "") -> None:
        self.patches = patches
        self.values = None if values is None else np.asarray(values)
        self.label = label

    @classmethod
    def from_patches(
        cls, patches: Any, descriptor: str | None = "area", *, ax: Any = None, **plot_options: Any
    ) -> Self:
        """Draw patches coloured by one of the descriptors of :class:`~skgeo.PatchScaleFeaturizer`.

        Parameters
        ----------
        patches : array-like or DataFrame of shape (n_patches, 6), or of shape (n_patches, n_rows, n_columns, 2)
            A patch table, or the pixels of patches of a CellGrid.
        descriptor : str or None, default="area"
            One of "extent_lon", "extent_lat", "area", "anisotropy", "pixel_lon", "pixel_lat", "pixel_scale",
            "pixel_anisotropy", "cutoff_degree_lon" and "cutoff_degree_lat"; None draws outlines only. For other
            values use the constructor.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        PatchDisplay
        """
        if descriptor is None:
            return cls(patches).plot(ax, **plot_options)
        known = isinstance(descriptor, str) and descriptor in DESCRIPTORS
        check_parameter("descriptor", descriptor, known, f"None or one of {', '.join(DESCRIPTORS)}")
        table = PatchScaleFeaturizer(log=False).fit_transform(patches)
        name, unit, factor = _LABELS[descriptor]
        values = factor * table[:, DESCRIPTORS.index(descriptor)].astype(np.float64)
        if unit and values.max() >= _MIN_THOUSANDS_VALUE:
            values, unit = values / 1000.0, f"1000 {unit}"
        return cls(patches, values, label=with_unit(name, unit)).plot(ax, **plot_options)

    @classmethod
    def from_estimator(
        cls, estimator: Any, patches: Any, column: int | str = 0, *, ax: Any = None, **plot_options: Any
    ) -> Self:
        """Draw patches coloured by one column of the output of a fitted transformer of patches.

        Parameters
        ----------
        estimator : transformer of patches
            A fitted PatchPositionEncoder or PatchScaleFeaturizer, or a fitted FeatureUnion or Pipeline of these.
        patches : array-like or DataFrame of shape (n_patches, 6), or of shape (n_patches, n_rows, n_columns, 2)
            A patch table, or the pixels of patches of a CellGrid.
        column : int or str, default=0
            Number or name of the column.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        PatchDisplay
        """
        check_is_fitted(estimator)
        names = [str(name) for name in estimator.get_feature_names_out()]
        (number,) = chosen_columns("column", [column], names)
        values = np.asarray(estimator.transform(patches), dtype=np.float64)[:, number]
        return cls(patches, values, label=names[number]).plot(ax, **plot_options)

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        projection: str = "auto",
        center: tuple[float, float] | None = None,
        coastlines: bool = True,
        cmap: Any = None,
        vmin: float | None = None,
        vmax: float | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure. Axes of cartopy keep their projection.
        projection : {"auto", "equal_earth", "orthographic", "plate_carree"}, default="auto"
            "auto" shows the world as Equal Earth, regions in degrees, and caps around a pole from above.
        center : (float, float), default=None
            Latitude and longitude of the centre of the map; only the longitude counts for Equal Earth.
        coastlines : bool, default=True
            Draw the coasts of the bundled land mask.
        cmap : str or Colormap, default=None
            None is "viridis". For values on both sides of zero, None is a diverging colour map that is white at zero.
        vmin, vmax : float, default=None
            Ends of the colours; None is the range of the values. Positive values that differ by more than a factor of
            30 are on a logarithmic scale.
        colorbar : bool, default=True
            Draw the colour bar.

        Returns
        -------
        PatchDisplay
        """
        check_flag("colorbar", colorbar)
        rings, extent = _outlines(read_patches(self.patches))
        values = self.values
        if values is not None and (values.shape != (len(rings),) or values.dtype.kind not in "fiub"):
            raise ValueError(
                f"values has shape {values.shape} and dtype {values.dtype}: expected {(len(rings),)}, one number for "
                "each patch."
            )
        # Inches below the map: for a colour bar, or for the labels of the axis only.
        below = 0.75 if values is not None and colorbar else 0.3
        self.figure_, drawn = one_map(
            ax, extent, projection=projection, center=center, coastlines=coastlines, below=below
        )
        self.ax_, self.colorbar_ = drawn.ax, None
        width = 0.6 if len(rings) <= _MAX_WIDE_OUTLINES else 0.3
        if values is None:
            self.patches_ = drawn.outlines(rings, None, facecolors="none", edgecolors="#0072B2", linewidths=2 * width)
            return self
        values = values.astype(np.float64)
        style = _colour_style(values, cmap, vmin, vmax)
        self.patches_ = drawn.outlines(rings, values, edgecolors=LINE, linewidths=width, alpha=0.9, **style)
        if colorbar:
            self.colorbar_ = colour_bar(self.figure_, self.patches_, self.ax_, self.label, values)
        return self


def _outlines(patches: Patches | PixelStack | ChunkedRows) -> tuple[list[FloatArray], Extent]:
    """Outlines (n, 2) as (latitude, longitude) of patches, and the region that they cover."""
    if isinstance(patches, Patches):
        boxes: Boxes = patches.boxes
        return box_rings(boxes), padded(extent_of(boxes))
    assert isinstance(patches, PixelStack)  # nothing stays chunked here
    border = _border if patches.areas is None else _hull
    rings = [border(latitude, longitude) for latitude, longitude in zip(*patches[:2], strict=True)]
    return rings, padded(extent_of(np.concatenate(rings)))


def _border(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """The outermost pixel centres (n, 2) of a patch, in order around it, without missing ones."""
    pixels = np.stack([latitude, longitude], axis=-1)
    # First row forwards, last column, last row backwards, first column.
    ring = np.concatenate([pixels[0], pixels[1:, -1], pixels[-1, -2::-1], pixels[-2:0:-1, 0]])
    return ring[np.isfinite(ring).all(axis=1)]


def _hull(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """The centres (n, 2) of the outermost cells of a patch of cells in any order, around it."""
    centres = np.column_stack([latitude.ravel(), longitude.ravel()])
    centres = centres[np.isfinite(centres).all(axis=1)]
    one = centres[np.newaxis]
    middle = group_middles(one[..., 0], one[..., 1], np.ones(one.shape[:2]))
    flat = np.column_stack([along[0] for along in equidistant(one[..., 0], one[..., 1], middle)])
    # Fewer than three cells, or cells on one line, have no hull: they are their own outline.
    if len(flat) < 3 or np.linalg.matrix_rank(flat - flat.mean(axis=0), tol=1e-9) < 2:
        return centres
    return np.asarray(centres[ConvexHull(flat).vertices])


def _colour_style(values: FloatArray, cmap: Any, vmin: float | None, vmax: float | None) -> dict[str, Any]:
    """Colour map and norm. The norm is logarithmic if values are positive and span a large factor."""
    finite = values[np.isfinite(values)]
    signed = bool(finite.size and finite.min() < 0.0 < finite.max())
    style = colours(values, signed=signed, cmap=cmap, vmin=vmin, vmax=vmax)
    low, high = style.pop("vmin"), style.pop("vmax")
    norms = plotting("colors")
    logarithmic = low > 0.0 and high > _MIN_LOG_RANGE_FACTOR * low
    return {"cmap": style["cmap"], "norm": (norms.LogNorm if logarithmic else norms.Normalize)(low, high)}
