"""Cells anywhere on the sphere: curvilinear grids, swaths and unstructured meshes."""

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from skgeo._input.area_check import NOTHING
from skgeo._input.axes import check_mask
from skgeo._input.cell_areas import UNUSED, check_cells, read_areas, read_centres
from skgeo._input.chunks import aligned, is_lazy
from skgeo._input.coordinates import warn_radians
from skgeo._input.from_xarray import read_cells
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._output.cell_report import cell_checks
from skgeo._output.grid_report import GridReport
from skgeo._output.to_xarray import Labelled
from skgeo._patches.cell_fields import CellPatches, cell_stacks
from skgeo._patches.cell_members import is_members
from skgeo._patches.cut import cut_patches, describe_patches
from skgeo._patches.fields import PatchFields
from skgeo._typing import Immutable
from skgeo._validation import check_flag, check_radius, import_optional, warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["CellGrid"]


class CellGrid(Labelled, CellPatches, PatchFields, Immutable):
    """An immutable set of cells, given by their centres: a curvilinear grid, a swath, or cells without order.

    Use this class for two-dimensional latitudes and longitudes, as those of ocean models (tripolar grids), regional
    models (rotated or projected) and satellite swaths, and for the cells of unstructured meshes. If each row has one
    latitude and each column one longitude, use :class:`skgeo.LatLonGrid`, which has more methods.

    A fit uses the centres of the cells, and their areas as weights. The areas are ``areas`` if these are given, or
    computed from ``vertices``. Without both, the areas of cells in rows and columns are computed from the distances
    between neighbouring centres. Cells in one dimension then have equal weights, and a warning says so.

    Parameters
    ----------
    latitude, longitude : array-like of shape (n_rows, n_columns) or (n_cells,)
        Centres in degrees. NaN, infinite or masked centres are missing: these cells have the weight zero, and their
        embedding is NaN. If a file holds cells twice, such as the halo of a tripolar grid, mask one of the two.
    mask : array-like of the same shape, default=None
        The part of each cell that belongs to the domain: True or False, or a fraction in [0, 1]. None means the whole
        cell.
    areas : array-like of the same shape, default=None
        Areas of the cells in square metres on a sphere of 6 371 008.8 m.
    vertices : pair of array-like of shape (..., n_vertices), default=None
        Latitudes and longitudes of the corners of each cell in degrees, in order around the cell, in either direction.
        Great circles join the corners. If a cell has fewer corners, the rest are NaN or repeat a corner. If the corners
        of a convex cell are not in order, they are sorted.

    Attributes
    ----------
    latitude, longitude : ndarray
        The centres, float64 degrees, NaN where missing.
    solid_angles : ndarray or None
        Areas of the cells on the unit sphere, zero where missing; None if they are unknown.
    mask : ndarray or None
        The mask as given: bool, or float64 fractions.
    shape : tuple of int
        ``(n_rows, n_columns)`` or ``(n_cells,)``.
    dtype : dtype
        Type of embeddings of the cells: float32 if both coordinates were given as float32, else float64.

    Raises
    ------
    CoordinateError
        If coordinates, mask, areas or vertices have the wrong shape, are out of range or are empty; if vertices enclose
        no area, or do not enclose the centre; if sides of a cell that is not convex cross; if a cell, or all cells
        together, are larger than the Earth; if many cells have the same centre; if a cell is far from all others. Cells
        outside the mask are not checked.

    Warns
    -----
    CoordinateWarning
        If the areas of cells are unknown, or in another unit: if they differ by orders of magnitude from the squares of
        the distances between centres, or if the cells fill the sphere and their areas sum to the sphere in another
        unit; if cells are duplicates, or have no area or no corners; if the centres look like radians.

    See Also
    --------
    skgeo.LatLonGrid : Grid whose cells lie between parallels and meridians.

    Notes
    -----
    All arrays may be dask arrays. They are computed and checked block by block, when they are needed. For dask arrays
    only :meth:`check` finds that the sum of the areas is larger than the Earth, or that cells are duplicates.

    A centre may lie on a side of its cell, or outside: of a square cell, by an eighth of its width. If a cell has no
    area, or its sides cross, its corners are sorted around their mean, which must give a convex polygon. All cells
    together may be 1.001 times as large as the sphere. Two cells have the same centre if both coordinates agree to 1e-9
    degrees. They are duplicates if their areas agree too, except at a pole, where several cells may meet.

    Areas from neighbours: the width of a cell is the mean great-circle distance to the neighbours before and after. The
    area is the product of the two widths and the sine of the angle between them. The error falls with the square of the
    spacing, and is 4e-5 of the area at 1 degree. Cells without neighbours get the mean area of the others (of their
    chunk, if there are chunks). If a neighbour is more than five times as far as the opposite one, it is not used: the
    data then jump from one granule to the next. If several cells have their centre at a pole, give vertices.

    Examples
    --------
    A swath of 3 x 4 pixels, 10 km apart, that crosses the pole:

    >>> import numpy as np
    >>> from skgeo import CellGrid
    >>> lines, pixels = [-0.09, 0, 0.09], [-0.045, 0.045, 0.135, 0.225]
    >>> along, across = np.meshgrid(lines, pixels, indexing="ij")
    >>> longitude = np.degrees(np.arctan2(along, across))
    >>> swath = CellGrid(90 - np.hypot(along, across), longitude)
    >>> swath
    CellGrid(3 x 4, latitude 89.7577..89.955, 1,201.81 km^2)
    """

    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    solid_angles: npt.NDArray[np.float64] | None
    mask: npt.NDArray[np.bool_] | npt.NDArray[np.float64] | None
    shape: tuple[int, ...]
    dtype: np.dtype[np.floating]
    _sources: dict[str, str]
    _put_in_order: npt.NDArray[np.intp] | None

    def __init__(
        self,
        latitude: "npt.ArrayLike",
        longitude: "npt.ArrayLike",
        mask: "npt.ArrayLike | None" = None,
        *,
        areas: "npt.ArrayLike | None" = None,
        vertices: "tuple[npt.ArrayLike, npt.ArrayLike] | None" = None,
    ) -> None:
        north, east, dtype = read_centres(latitude, longitude)
        centres, shape = (north, east), north.shape
        mask = None if mask is None else check_mask(mask, shape)
        # The numbers of chunked centres are not known yet.
        if not is_lazy(north):
            warn_radians(*(axis.ravel() for axis in centres))
        found = read_areas(centres, mask, areas, vertices)
        solid_angles = found.angles
        # These checks need all cells at once. A chunked grid is checked block by block when it is computed.
        if found.source != UNUSED and not any(map(is_lazy, (*centres, mask, solid_angles))):
            check_cells(centres, mask, found)
        if found.source == NOTHING:
            warn_caller(
                f"The areas of {math.prod(shape)} cells are unknown, all weigh the same: give areas= or vertices=.",
                CoordinateWarning,
            )
        # If any of the arrays is chunked, all become chunked alike.
        names = ("latitude", "longitude", "mask", "solid_angles")
        arrays = dict(zip(names, aligned(*centres, mask, solid_angles), strict=True))
        sources = {
            "coordinates": "latitude and longitude as given",
            "bounds": "none" if vertices is None else "vertices as given",
            "areas": found.source,
            "mask": "none" if mask is None else "as given",
        }
        self._freeze({**arrays, "shape": shape, "dtype": dtype, "_sources": sources, "_put_in_order": found.in_order})

    @classmethod
    def _of_places(cls, latitude: Any, longitude: Any, areas: Any) -> Self:
        """Unchecked cells: places in float64, and areas in square metres, which may overlap, or None."""
        cells = object.__new__(cls)
        arrays = {"latitude": latitude, "longitude": longitude, "mask": None}
        arrays["solid_angles"] = None if areas is None else areas / EARTH_RADIUS**2
        facts = {"shape": latitude.shape, "dtype": latitude.dtype, "_sources": {}, "_put_in_order": None}
        cells._freeze(arrays | facts)
        return cells

    @classmethod
    def from_xarray(cls, obj: "xr.Dataset | xr.DataArray", mask: Any = None) -> Self:
        """Read the cells of an xarray object: its coordinates, their bounds, cell areas and a mask, nothing else.

        The method recognises HEALPix, UGRID, ICON, MPAS, FESOM, SCRIP, OASIS, cubed spheres and reduced Gaussian grids;
        :meth:`check` names the convention, and the guide of grids says what is exact in each. All other objects are
        read by the CF conventions. Latitude and longitude are found as by :meth:`skgeo.LatLonGrid.from_xarray`;
        coordinates of two dimensions come first. Vertices are the bounds of the coordinates, read by their own units,
        or an array of corners that neighbours share, with one row and one column more. If the bounds of each cell are
        two edges, ``(cell, 2)``, the cells are boxes between parallels and meridians. Areas are those of
        ``cell_measures``, of the standard name ``cell_area`` or of a name such as ``grid_area``, in any unit of area,
        on the Earth (m2, km2) or the unit sphere (sr, radian^2). Cells on the faces of a cube come one after the other,
        in one dimension. The order of the cells is that of the file. If coordinates have a dimension of time and do not
        change along it, the dimension is left out.

        Parameters
        ----------
        obj : xarray.Dataset or xarray.DataArray
            An object whose latitude and longitude have the same one or two dimensions, and for a cubed sphere also
            that of the faces; or an object of one of the conventions above.
        mask : None, str, xarray.DataArray or array-like, default=None
            The domain, as for :meth:`skgeo.LatLonGrid.from_xarray`: ``"valid"`` is where no value is ever missing.

        Returns
        -------
        CellGrid
            Chunked if the coordinates or the mask are.

        Raises
        ------
        CoordinateError
            If latitude or longitude are absent, ambiguous, on different dimensions or change in time; if units are
            not those of an angle or an area; if the mask lies elsewhere; and as from the constructor.
        ImportError
            Without xarray; for HEALPix, without the package healpix.

        Warns
        -----
        CoordinateWarning
            If coordinates name vertices that the object lacks, and it has no areas; if the areas in the file
            differ from the areas of the corners by one common factor; and as from the constructor.

        Examples
        --------
        >>> import numpy as np
        >>> import xarray as xr
        >>> from skgeo import CellGrid
        >>> rows, columns = np.meshgrid(np.arange(3.0), np.arange(4.0), indexing="ij")
        >>> lat = ("y", "x"), 60 + rows - columns / 5
        >>> lon = ("y", "x"), 10 + columns + rows / 2
        >>> values = np.where(rows > 0, 1.0, np.nan)
        >>> ice = xr.DataArray(values, {"lat": lat, "lon": lon}, ("y", "x"), name="ice")
        >>> CellGrid.from_xarray(ice, mask="valid")
        CellGrid(3 x 4, latitude 59.4..62, 52,466.9 km^2)
        """
        # The reader knows the names of the variables, which the constructor does not.
        arguments = read_cells(obj, mask)
        sources = arguments.pop("sources", {})
        cells = cls(**arguments)
        cells._freeze({"_sources": cells._sources | sources})
        return cells

    def __repr__(self) -> str:
        """One line: shape, latitudes and area of the domain; for chunked cells only the shape."""
        shape = " x ".join(map(str, self.shape))
        if self.chunked:
            return f"CellGrid({shape}, chunked)"
        south, north = np.nanmin(self.latitude), np.nanmax(self.latitude)
        area = ", areas unknown" if self.solid_angles is None else f", {self.domain_area() / 1e6:,.6g} km^2"
        return f"CellGrid({shape}, latitude {south:.6g}..{north:.6g}{area})"

    def cell_areas(self, radius: float = EARTH_RADIUS) -> npt.NDArray[np.float64]:
        """Areas of the cells on a sphere, as if there were no mask.

        Parameters
        ----------
        radius : float, default=6371008.8
            Radius of the sphere in metres.

        Returns
        -------
        ndarray of the shape of the grid
            Areas in square metres; zero where coordinates are missing.

        Raises
        ------
        CoordinateError
            If the areas are unknown.
        ValueError
            If the radius is not positive.

        Examples
        --------
        An octant, given by its corners:

        >>> from skgeo import CellGrid
        >>> octant = CellGrid([35.0], [45.0], vertices=([[0, 0, 90]], [[0, 90, 0]]))
        >>> octant.cell_areas(radius=1) / 3.14159265
        array([0.5])
        """
        check_radius("radius", radius)
        return float(radius) ** 2 * self._require_solid_angles()

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
        CoordinateError
            If the areas of cells are unknown.
        ValueError
            If the radius is not positive.

        Examples
        --------
        >>> from skgeo import CellGrid
        >>> CellGrid([0.0, 1.0], [0.0, 1.0], mask=[1, 0.5], areas=[4e6, 2e6]).domain_area()
        5000000.0...
        """
        check_radius("radius", radius)
        angles = self._require_solid_angles()
        return float(radius) ** 2 * float((angles if self.mask is None else angles * self.mask).sum())

    def check(self) -> GridReport:
        """Report areas, overlaps, duplicate cells and the sources of the data; all chunked arrays are computed.

        Returns
        -------
        GridReport
            A mapping from names to values that prints as a small table.

        Examples
        --------
        Corners in the order of two rows, not around the cell:

        >>> from skgeo import CellGrid
        >>> CellGrid([0.5], [0.5], vertices=([[0, 0, 1, 1]], [[0, 1, 0, 1]])).check()
        CellGrid(1, latitude 0.5..0.5, 12,364 km^2)
          total_area            1.236403e+10 m2  (0.002424% of the sphere)
          domain_area           1.236403e+10 m2  (100.000000% of the cells)
          cells_without_area    0 cells
        ! corners_out_of_order  1 cells  (first at (0); they were put in order)
          overlapping_cells     0 cells
          coincident_cells      0 cells
          missing_cells         0 cells
          coordinates           latitude and longitude as given
          bounds                vertices as given
          areas                 computed from the vertices
          mask                  none
        """
        return GridReport(repr(self), cell_checks(self))

    @property
    def chunked(self) -> bool:
        """Whether the arrays are dask arrays."""
        return is_lazy(self.latitude)

    def points(self) -> npt.NDArray[np.floating]:
        """Centres of all cells as rows of (latitude, longitude) in degrees, in C order, also masked and missing cells.

        Returns
        -------
        ndarray of shape (n_cells, 2)
            float32 if both coordinates were given as float32, else float64; a dask array if the cells are chunked.

        Examples
        --------
        >>> from skgeo import CellGrid
        >>> CellGrid([[50.0, 50.1], [51.0, 51.1]], [[8.0, 9.0], [8.1, 9.1]]).points()[1]
        array([50.1,  9. ])
        """
        stack = import_optional("dask.array", "chunked data", "xarray").stack if self.chunked else np.stack
        return stack([self.latitude.ravel(), self.longitude.ravel()], axis=-1).astype(self.dtype)

    def patches(
        self,
        patch_size: Any,
        stride: int | tuple[int, int] | None = None,
        *,
        partial: bool | None = None,
        min_fraction: float = 0.0,
        return_index: bool = False,
    ) -> Any:
        """Cut the cells into patches: stacks of pixel centres, which the patch transformers accept.

        Parameters
        ----------
        patch_size : int, (int, int) or array of shape (n_patches, n_cells)
            Numbers of pixels along rows and columns; or the cells of each patch, from :meth:`patch_members`, for cells
            in any order. With cells, ``stride``, ``partial`` and ``min_fraction`` have no effect.
        stride : int or (int, int), default=None
            Pixels from one patch to the next. None means ``patch_size``: patches do not overlap.
        partial : False, default=None
            None drops pixels at the ends that fill no patch, and warns if these are many. False drops them silently.
        min_fraction : float, default=0
            Keep patches with at least this share of their area inside the mask and not missing. Patches whose pixels
            are all missing are always dropped.
        return_index : bool, default=False
            Also return the row and column of the first pixel of each patch.

        Returns
        -------
        patches : ndarray of shape (n_patches, n_rows, n_columns, 2), or (n_patches, n_cells, 3)
            (latitude, longitude) of each pixel in degrees, NaN where missing. If ``patch_size`` holds the cells of each
            patch, also their areas in square metres.
        index : ndarray of shape (n_patches, 2)
            Row and column of each first pixel, or ``patch_size`` itself if it holds the cells of each patch. Only with
            ``return_index=True``.

        Raises
        ------
        CoordinateError
            If the cells have no rows and columns.
        ValueError
            If sizes or strides are not positive integers, a patch is larger than the grid, ``partial`` is True, or
            ``min_fraction`` is outside [0, 1] or keeps nothing.

        Warns
        -----
        CoordinateWarning
            If 0.5 % or more of the area of the domain is in no patch and ``partial`` is not False.

        Examples
        --------
        >>> import numpy as np
        >>> from skgeo import CellGrid, PatchScaleFeaturizer
        >>> rows, columns = np.meshgrid(np.arange(6.0), np.arange(8.0), indexing="ij")
        >>> sheared = CellGrid(50 + rows / 10, 8 + columns / 10 + rows / 20)
        >>> patches = sheared.patches((3, 4))
        >>> patches.shape
        (4, 3, 4, 2)
        >>> descriptors = PatchScaleFeaturizer(log=False).fit_transform(patches)
        >>> extent_lon, extent_lat = descriptors[0, :2] / 1000
        >>> print(f"{extent_lon:.1f} km along rows, {extent_lat:.1f} km along columns")
        28.5 km along rows, 35.0 km along columns
        """
        check_flag("return_index", return_index)
        if is_members(patch_size):
            stacks = cell_stacks(self, patch_size)
            return (stacks, np.asarray(patch_size)) if return_index else stacks
        cut = cut_patches(self, patch_size, stride, partial=partial, min_fraction=min_fraction)
        patches = describe_patches(self, cut)
        return (patches, cut.first) if return_index else patches

    def _require_solid_angles(self) -> npt.NDArray[np.float64]:
        """The areas of the cells on the unit sphere; refused if they are unknown."""
        if self.solid_angles is None:
            raise CoordinateError("The areas of the cells are unknown: give areas= or vertices=.")
        return self.solid_angles
