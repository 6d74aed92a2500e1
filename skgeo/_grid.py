"""A regular grid of latitude-longitude cells, and the table of patches cut from it."""

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from skgeo._input.axes import check_axis, check_mask, even_axis, unwrap_longitude, warn_radian_axes
from skgeo._input.bounds import cell_edges
from skgeo._input.chunks import is_lazy
from skgeo._input.from_xarray import read_grid
from skgeo._kernels.axis_gaps import contiguous_blocks
from skgeo._kernels.sphere import EARTH_RADIUS, band_heights, masked_area
from skgeo._output.grid_report import GridReport, lat_lon_checks
from skgeo._output.to_xarray import Labelled
from skgeo._patches.cut import cut_patches, describe_patches, patch_frame
from skgeo._patches.fields import PatchFields
from skgeo._typing import Immutable
from skgeo._validation import check_flag, check_radius

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["LatLonGrid"]


class LatLonGrid(Labelled, PatchFields, Immutable):
    """An immutable regular grid of cells, given by the latitudes and longitudes of their centres.

    The edges of the cells are the midpoints between centres. The outermost edges lie half a spacing beyond the
    outermost centres, but not beyond the poles. If less than a third of a spacing would be left before the pole, as in
    Gaussian grids, the edge is the pole. The grid closes the circle if the step from the last longitude to the first is
    at most a spacing. If bounds are given, they are the edges, and the grid closes the circle if the outermost edges
    meet.

    If rows or columns were left out, the axis has a gap: a step over 1.5 times the steps on both sides. A cell beside a
    gap is as wide as the step on its other side. A grid with a gap in its columns does not close the circle. A coarser
    part of an axis is no gap. See Notes.

    Parameters
    ----------
    latitude : array-like of shape (n_lat,)
        Latitudes of the rows in degrees, rising or falling, evenly spaced or not. The poles may be centres.
    longitude : array-like of shape (n_lon,)
        Longitudes of the columns in degrees, in either direction, from any start. They may wrap inside the array
        (350, 355, 0, 5). If they rise as numbers but not around the Earth (0, 5, 350, 355), there is a gap.
    mask : array-like of shape (n_lat, n_lon), default=None
        The part of each cell that belongs to the domain: True or False, or a fraction in [0, 1]. None means the whole
        cell.
    latitude_bounds : array-like of shape (n_lat, 2), default=None
        Both edges of each row in degrees, in either order, as the bounds of the CF conventions. A cell must contain its
        centre. Neighbouring cells must touch, except at gaps of more than half a cell, where rows were left out. None
        means the midpoints. If bounds differ from the midpoints by the rounding of float32 only, the midpoints are
        used. A grid of a single cell, 1 x 1, needs both bounds.
    longitude_bounds : array-like of shape (n_lon, 2), default=None
        Both edges of each column in degrees, under the same rules, in any longitude convention.

    Attributes
    ----------
    latitude, longitude : ndarray of shape (n_lat,), (n_lon,)
        The centres as given, in degrees. Evenly spaced float32 axes are restored to their values before rounding.
    latitude_edges, longitude_edges : ndarray of shape (n_lat, 2), (n_lon, 2)
        South and north edge of each row, west and east edge of each column, in degrees. Longitudes of edges continue
        past 180 or 360 and do not wrap.
    mask : ndarray of shape (n_lat, n_lon) or None
        The mask as given: bool, or float64 fractions.
    shape : tuple of int
        ``(n_lat, n_lon)``.
    closed : bool
        Whether the columns close the circle.
    dtype : dtype
        Type of embeddings of the cells: float32 if both axes were given as float32, else float64. All geometry is
        computed in float64.

    Raises
    ------
    CoordinateError
        If an axis is empty, not finite, out of range, not monotone or repeats a value; if the mask has another shape,
        values outside [0, 1], or no cell inside; if bounds leave small gaps, overlap, or do not contain their centres.

    Warns
    -----
    CoordinateWarning
        If the axes look like radians.

    Notes
    -----
    Gaps come from ``where(..., drop=True)``, ``dropna`` and regions cut from 0..360. A few large steps one after the
    other, with single rows or columns between them, are gaps, too. Such steps are a coarser part of the axis, and no
    gaps, if they are similar, if there are at least three, and if their number is at least the ratio of their length to
    the steps beside them. At an end of the axis a gap has steps on one side only. Between two gaps a cell is as wide as
    the smaller of the nearest steps that are no gaps. If steps differ because the file rounds an even axis (1/60 degree
    becomes 0.02, 0.03, 0.05), there is no gap.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeo import LatLonGrid
    >>> grid = LatLonGrid(np.arange(-89.5, 90), np.arange(0.5, 360))
    >>> grid
    LatLonGrid(180 x 360, latitude -90..90, longitude 0..360, closed)
    >>> bool(np.isclose(grid.cell_areas().sum(), 4 * np.pi * 6_371_008.8**2, rtol=1e-12))
    True
    """

    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    latitude_edges: npt.NDArray[np.float64]
    longitude_edges: npt.NDArray[np.float64]
    mask: npt.NDArray[np.bool_] | npt.NDArray[np.float64] | None
    shape: tuple[int, int]
    closed: bool
    dtype: np.dtype[np.floating]
    _sources: dict[str, str]

    def __init__(
        self,
        latitude: "npt.ArrayLike",
        longitude: "npt.ArrayLike",
        mask: "npt.ArrayLike | None" = None,
        *,
        latitude_bounds: "npt.ArrayLike | None" = None,
        longitude_bounds: "npt.ArrayLike | None" = None,
    ) -> None:
        (latitude, dtype), (longitude, other) = check_axis(latitude, "latitude"), check_axis(longitude, "longitude")
        warn_radian_axes(latitude, longitude)
        # Longitudes are unwrapped to find steps and edges; the attribute keeps the convention of the caller.
        unwrapped = unwrap_longitude(longitude, bounded=longitude_bounds is not None)
        # An encoder reads a grid as float32 only if both axes are float32. In this case the axes may have been rounded.
        if dtype == other == np.float32:
            latitude, even = even_axis(latitude, latitude), even_axis(unwrapped, longitude)
            longitude, unwrapped = longitude + (even - unwrapped), even
        rows, columns, closed = cell_edges(latitude, unwrapped, longitude, latitude_bounds, longitude_bounds)
        shape = (latitude.size, longitude.size)
        arrays = {
            "latitude": latitude,
            "longitude": longitude,
            "latitude_edges": rows,
            "longitude_edges": columns,
            "mask": None if mask is None else check_mask(mask, shape),
        }
        self._freeze({**arrays, "shape": shape, "closed": closed, "dtype": np.result_type(dtype, other)})
        given = {"latitude_bounds": latitude_bounds, "longitude_bounds": longitude_bounds}
        taken = [name for name, bounds in given.items() if bounds is not None]
        # check() prints where each part of the grid came from; from_xarray replaces these texts.
        sources = {
            "coordinates": "latitude and longitude as given",
            "bounds": f"{' and '.join(taken)} as given" if taken else "none: edges are midway between the centres",
            "areas": "computed from the edges",
            "mask": "none" if mask is None else "as given",
        }
        self._freeze({"_sources": sources})

    @classmethod
    def from_xarray(cls, obj: "xr.Dataset | xr.DataArray", mask: Any = None) -> Self:
        """Read the grid of an xarray object: its coordinates, their bounds and a mask, never other variables.

        Latitude and longitude are recognised by ``standard_name``, by ``units`` (degrees_north and degrees_east, in all
        spellings of the CF conventions), by ``axis`` (Y and X), or by name (lat, latitude, lon, lng, long, longitude),
        in this order. The coordinates are searched before the variables. A pair of names such as decimalLatitude and
        decimalLongitude comes last. Bounds are those that the attribute ``bounds`` names, or ``lat_bnds``,
        ``lat_bounds`` and the like. Without bounds, edges are midpoints. Each variable is read by its own ``units``,
        degrees or radians; bounds without units have those of their axis.

        Parameters
        ----------
        obj : xarray.Dataset or xarray.DataArray
            An object with one-dimensional latitude and longitude, each on its own dimension.
        mask : None, str, xarray.DataArray or array-like, default=None
            The part of each cell that belongs to the domain. A DataArray has the dimensions or the coordinates of the
            grid, in any order. ``"valid"`` keeps the cells in which the variable is never missing, at any time, level
            or position along other dimensions: the values of a DataArray, or the only variable of a Dataset on the
            grid. Any other string is the name of the variable that holds the mask. For an array, see the constructor.

        Returns
        -------
        LatLonGrid

        Raises
        ------
        CoordinateError
            If latitude or longitude are absent, ambiguous, rotated, projected, two-dimensional, both on one dimension,
            or nominal (the object has true coordinates of more dimensions); if units are no units of angles; if bounds
            change in time; if the mask has other coordinates than the grid; and for the reasons of the constructor.
        ImportError
            Without xarray.

        Warns
        -----
        CoordinateWarning
            If an axis names bounds that the object does not have. ``dataset["sst"]``, for instance, drops the bounds.
            There is no warning if equal steps reach from pole to pole, or around the Earth: the midpoints are then the
            only possible edges.

        Examples
        --------
        >>> import numpy as np
        >>> import xarray as xr
        >>> from skgeo import LatLonGrid
        >>> axes = {"lat": [-45, 45], "lon": [0, 180]}
        >>> sst = xr.DataArray([[np.nan, 1.0], [2.0, 3.0]], axes, name="sst")
        >>> LatLonGrid.from_xarray(sst, mask="valid")
        LatLonGrid(2 x 2, latitude -90..90, longitude -90..270, closed,
        mask keeps 75.0% of the area)
        """
        arguments = read_grid(obj, mask)
        # Arguments are those of the constructor, and texts that say which variables were taken.
        sources = arguments.pop("sources", {})
        grid = cls(**arguments)
        grid._freeze({"_sources": vars(grid).get("_sources", {}) | sources})
        return grid

    def __repr__(self) -> str:
        """One line: shape, bounds, whether the circle is closed, and the share of the area inside the mask."""
        axes = self.latitude_edges, self.longitude_edges
        south, north, west, east = (bound(edges) for edges in axes for bound in (np.min, np.max))
        # The share of a chunked mask is not known without reading the data.
        masked = ", chunked mask" if self.chunked else ""
        if self.mask is not None and not self.chunked:
            whole = math.prod(map(np.sum, self._heights_and_widths()))
            masked = f", mask keeps {self.domain_area(1.0) / whole:.1%} of the area"
        bounds = f"latitude {south:g}..{north:g}, longitude {west:g}..{east:g}"
        count = sum(len(contiguous_blocks(edges)) - 1 for edges in axes)
        gaps = f", {count} gap{'s' * (count > 1)}" if count else ""
        return f"LatLonGrid({self.shape[0]} x {self.shape[1]}, {bounds}{', closed' * self.closed}{gaps}{masked})"

    @property
    def chunked(self) -> bool:
        """Whether the mask is a dask array."""
        return is_lazy(self.mask)

    def cell_areas(self, radius: float = EARTH_RADIUS) -> npt.NDArray[np.float64]:
        """Exact areas of the cells on a sphere, as if there were no mask.

        Parameters
        ----------
        radius : float, default=6371008.8
            Radius of the sphere in metres.

        Returns
        -------
        ndarray of shape (n_lat, n_lon)
            Areas in square metres: R^2 (sin north - sin south) (east - west).

        Raises
        ------
        ValueError
            If the radius is not positive.

        Examples
        --------
        >>> from skgeo import LatLonGrid
        >>> LatLonGrid([-45, 45], [0, 90, 180, 270]).cell_areas(radius=1).round(3)
        array([[1.571, 1.571, 1.571, 1.571],
               [1.571, 1.571, 1.571, 1.571]])
        """
        check_radius("radius", radius)
        return float(radius) ** 2 * np.outer(*self._heights_and_widths())

    def domain_area(self, radius: float = EARTH_RADIUS) -> float:
        """Area of the domain: the sum over all cells of the area times the mask.

        Parameters
        ----------
        radius : float, default=6371008.8
            Radius of the sphere in metres.

        Returns
        -------
        float
            Area in square metres.

        Raises
        ------
        ValueError
            If the radius is not positive.

        Examples
        --------
        >>> from skgeo import LatLonGrid
        >>> grid = LatLonGrid([-45, 45], [0, 180], mask=[[1, 1], [0.5, 0]])
        >>> grid.domain_area(radius=1) / 3.14159265
        2.5000...
        """
        check_radius("radius", radius)
        # The area of a cell is a factor of its row times a factor of its column: no array of areas is needed.
        heights, widths = self._heights_and_widths()
        mask: Any = self.mask
        if self.chunked:
            return float(radius) ** 2 * float(heights @ (mask @ widths))
        area = heights.sum() * widths.sum() if mask is None else masked_area(heights, widths, mask)
        return float(radius) ** 2 * float(area)

    def check(self) -> GridReport:
        """Report areas, cells that overlap, gaps, and the sources of coordinates and bounds.

        Returns
        -------
        GridReport
            A mapping from names to values that prints as a small table.

        Examples
        --------
        >>> import numpy as np
        >>> from skgeo import LatLonGrid
        >>> LatLonGrid(np.arange(-89.5, 90), np.arange(0.5, 360)).check()
        LatLonGrid(180 x 360, latitude -90..90, longitude 0..360, closed)
          total_area            5.100659e+14 m2  (100.000000% of the sphere)
          domain_area           5.100659e+14 m2  (100.000000% of the cells)
          cells_without_area    0 cells
          corners_out_of_order  0 cells
          overlapping_cells     0 cells
          coincident_cells      0 cells
          latitude_gaps         0
          longitude_gaps        0
          closed                True
          coordinates           latitude and longitude as given
          bounds                none: edges are midway between the centres
          areas                 computed from the edges
          mask                  none
        """
        return GridReport(repr(self), tuple(lat_lon_checks(self)))

    def points(self) -> npt.NDArray[np.float64]:
        """Centres of all cells as rows of (latitude, longitude) in degrees, in C order, also masked cells.

        Returns
        -------
        ndarray of shape (n_lat * n_lon, 2)
            float32 if both axes were given as float32, else float64.

        Examples
        --------
        >>> from skgeo import LatLonGrid
        >>> LatLonGrid([0, 10], [170, 180, 190]).points()[:3]
        array([[  0., 170.],
               [  0., 180.],
               [  0., 190.]])
        """
        axes = self.latitude.astype(self.dtype), self.longitude.astype(self.dtype)
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)

    def patches(
        self,
        patch_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        *,
        partial: bool | None = None,
        min_fraction: float = 0.0,
        as_frame: bool = False,
        return_index: bool = False,
    ) -> Any:
        """Cut the grid into patches of pixels, rows first.

        If the grid closes the circle, overlapping patches continue across the seam. Patches that do not overlap may
        leave columns before the seam, as at any other end. No patch crosses a gap of an axis.

        Parameters
        ----------
        patch_size : int or (int, int)
            Numbers of pixels along latitude and longitude, not degrees.
        stride : int or (int, int), default=None
            Pixels from one patch to the next. None means ``patch_size``: patches do not overlap.
        partial : bool, default=None
            Keep the smaller patches at the ends, if the size of patches does not divide the size of the grid. None
            drops them, and a warning gives their share of the area. False drops them without a warning.
        min_fraction : float, default=0
            Keep patches with at least this share of their area inside the mask.
        as_frame : bool, default=False
            Return the table as a pandas DataFrame indexed by (row, column).
        return_index : bool, default=False
            Also return the row and column of the first pixel of each patch.

        Returns
        -------
        patches : ndarray of shape (n_patches, 6) or DataFrame
            Columns south, north, west, east (outer edges in degrees; across the seam east is past 180 or 360), n_lat
            and n_lon (numbers of pixels).
        index : ndarray of shape (n_patches, 2)
            Row and column of each first pixel. Only with ``return_index=True``.

        Raises
        ------
        ValueError
            If sizes or strides are not positive integers, a patch is larger than the grid, or ``min_fraction``
            is outside [0, 1] or keeps nothing.
        ImportError
            From ``as_frame=True`` without pandas.

        Warns
        -----
        CoordinateWarning
            If 0.5 % or more of the area of the domain is in no patch, at the ends or between patches, and ``partial``
            is not False.

        Examples
        --------
        >>> import numpy as np
        >>> from skgeo import LatLonGrid
        >>> grid = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
        >>> grid.patches((18, 36))
        array([[-90.,   0.,   0., 180.,  18.,  36.],
               [-90.,   0., 180., 360.,  18.,  36.],
               [  0.,  90.,   0., 180.,  18.,  36.],
               [  0.,  90., 180., 360.,  18.,  36.]])
        """
        check_flag("as_frame", as_frame)
        check_flag("return_index", return_index)
        cut = cut_patches(self, patch_size, stride, partial=partial, min_fraction=min_fraction)
        table = describe_patches(self, cut)
        patches = patch_frame(table, cut.first) if as_frame else table
        return (patches, cut.first) if return_index else patches

    def _heights_and_widths(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The factors of the cell areas on the unit sphere: sin north - sin south of rows, radians of columns."""
        return band_heights(*self.latitude_edges.T), np.radians(np.diff(self.longitude_edges, axis=1))[:, 0]
