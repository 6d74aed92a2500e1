"""A mixin of cells: patches of cells without rows and columns, with their places, areas and values."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._input.cf import KINDS, fields_of, find_pair
from skgeo._input.chunks import computed
from skgeo._input.conventions.recognise import read_native
from skgeo._input.field_alignment import field_order
from skgeo._input.from_xarray import find_cells
from skgeo._kernels.cell_groups import group_middles
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._output.to_xarray import dataset_of_patches
from skgeo._patches.cell_members import check_members, find_members, put_members, take_members
from skgeo._patches.values import check_free_names, name_of
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_flag, import_optional
from skgeo.exceptions import CoordinateError

# Dimensions of values in patches: number of the patch, and of the cell in it.
_DIMS = ("patch", "pixel")


class CellPatches:
    """A mixin of cells: ``patch_members`` says which cells belong to each patch of cells in any order."""

    def patch_members(
        self,
        *,
        healpix_level: int | None = None,
        block_size_km: float | None = None,
        labels: "npt.ArrayLike | None" = None,
        min_fraction: float = 0.0,
        return_labels: bool = False,
    ) -> Any:
        """Find the cells of each patch, for cells in any order: by HEALPix pixels, by equal-area blocks, or by labels.

        Give the result as ``patch_size`` to :meth:`patches`, :meth:`patch_values` and :meth:`from_patches`. Exactly one
        of ``healpix_level``, ``block_size_km`` and ``labels`` is needed.

        Parameters
        ----------
        healpix_level : int, default=None
            A patch is a HEALPix pixel of this level: 12 * 4**level pixels cover the sphere. It holds the cells whose
            centres lie in the pixel. If the cells are HEALPix cells, too, they are sorted by rows and columns of a
            square: with 16 x 16 cells in a patch, ``values.reshape(..., 16, 16)`` is an image.
        block_size_km : float, default=None
            A patch is a block with about this side in km. All blocks have the same area. They lie in bands along
            parallels, and are numbered from north to south.
        labels : array-like of the shape of the grid, default=None
            The patch of each cell: numbers or names. None, NaN and negative numbers are no patch.
        min_fraction : float, default=0
            Keep patches with at least this fraction of their area inside the mask.
        return_labels : bool, default=False
            Also return the label of each patch: the number of the HEALPix pixel in nested order, the number of the
            block, or the label.

        Returns
        -------
        members : ndarray of shape (n_patches, n_cells)
            Positions of the cells in C order, -1 where a patch has fewer cells. Patches are in the order of their
            labels.
        labels : ndarray of shape (n_patches,)
            Only with ``return_labels=True``.

        Raises
        ------
        ValueError
            If none or several of the three parameters are given, or a parameter is invalid; if ``min_fraction``
            keeps no patch.
        ImportError
            With ``healpix_level``, without the package healpix.

        Examples
        --------
        Six cells around the equator, in patches by their continents:

        >>> from skgeo import CellGrid
        >>> cells = CellGrid([0, 0, 0, 0, 0, 0], [0, 10, 20, 100, 110, 120], areas=[1e12] * 6)
        >>> members = cells.patch_members(labels=["Africa"] * 3 + ["Asia"] * 2 + [None])
        >>> members
        array([[ 0,  1,  2],
               [ 3,  4, -1]])
        >>> cells.patch_values([[1.0, 2, 3, 4, 5, 6]], members)
        array([[[ 1.,  2.,  3.],
                [ 4.,  5., nan]]])
        >>> cells.patches(members).shape
        (2, 3, 3)
        """
        check_flag("return_labels", return_labels)
        members, names = find_members(self, healpix_level, block_size_km, labels, min_fraction)
        return (members, names) if return_labels else members

    def patch_middles(self, members: "npt.ArrayLike") -> tuple[FloatArray, FloatArray]:
        """Compute middles and sizes of patches, in the form that :class:`skgeo.nn.GreatCircleBias` takes.

        Parameters
        ----------
        members : array-like of shape (n_patches, n_cells)
            The cells of each patch, from :meth:`patch_members`.

        Returns
        -------
        middles : ndarray of shape (n_patches, 2)
            Latitude and longitude in degrees of the centroid of each patch, weighted by the areas of cells.
        sizes : ndarray of shape (n_patches,)
            The square root of the area of each patch, in km.

        Raises
        ------
        CoordinateError
            If the areas of the cells are unknown.
        ValueError
            If ``members`` are no cells of the grid.

        Examples
        --------
        >>> from skgeo import CellGrid
        >>> cells = CellGrid([0, 0, 0, 0], [0, 10, 100, 120], areas=[1e12, 1e12, 3e12, 1e12])
        >>> middles, sizes = cells.patch_middles([[0, 1], [2, 3]])
        >>> (middles + 0.0).round(2)
        array([[  0.  ,   5.  ],
               [  0.  , 104.96]])
        >>> sizes.round()
        array([1414., 2000.])
        """
        stack = cell_stacks(self, members)
        middles = group_middles(stack[..., 0], stack[..., 1], stack[..., 2])
        return middles, np.sqrt(np.nansum(stack[..., 2], axis=1)) / 1e3


def cell_stacks(cells: Any, members: Any) -> FloatArray:
    """Latitude and longitude in degrees, and area in square metres (n, k, 3), of the cells of patches; NaN for none."""
    areas = cells._require_solid_angles() * EARTH_RADIUS**2
    return _in_patches(check_members(members, int(np.prod(cells.shape))), cells.latitude, cells.longitude, areas)


def _in_patches(table: Integers, latitude: Any, *others: Any) -> FloatArray:
    """Numbers of the cells of patches (n, k, columns), NaN for slots without a cell and for cells without a place."""
    absent = table < 0
    values = [each.ravel()[np.where(absent, 0, table)] for each in computed(latitude, *others)]
    stack = np.stack(values, axis=-1)
    stack[absent | ~np.isfinite(stack[..., 0])] = np.nan
    return stack


def cell_values(cells: Any, field: Any, members: Any, fill_value: Any, return_valid: bool) -> Any:
    """The values (..., n, k) of a field in patches, labelled if the field is; see ``patch_values``."""
    table = check_members(members, int(np.prod(cells.shape)))
    valid = valid_members(cells, table)
    if not (hasattr(field, "dims") and hasattr(field, "coords")):
        values = take_members(field, table, cells.shape, fill_value)
        return (values, valid) if return_valid else values
    xarray = import_optional("xarray", "labelled fields", "xarray")
    found = _cut_labelled(cells, field, table, fill_value, _place_coordinates(cells, table))
    return (found, xarray.DataArray(valid, dims=_DIMS, name="valid")) if return_valid else found


def _place_coordinates(cells: Any, table: Integers) -> dict[Hashable, Any]:
    """Latitude and longitude of the cells of patches, as coordinates."""
    places = _in_patches(table, cells.latitude, cells.longitude)
    attributes = [{"standard_name": kind.name, "units": kind.units[0]} for kind in KINDS]
    return {kind.name: (_DIMS, places[..., i], attributes[i]) for i, kind in enumerate(KINDS)}


def _cut_labelled(cells: Any, field: Any, table: Integers, fill_value: Any, labels: dict[Hashable, Any]) -> Any:
    """The values of a DataArray in patches, with its coordinates off the cells and the labels of the patches."""
    plain, dims = _by_position(field, cells)
    kept = {name: each.variable for name, each in field.coords.items() if not set(each.dims) - set(dims)}
    check_free_names(field, {*dims, *kept, field.name}, {*_DIMS, "valid", *labels})
    values = take_members(plain, table, cells.shape, fill_value, name_of(field))
    xarray = import_optional("xarray", "labelled fields", "xarray")
    return xarray.DataArray(values, kept | labels, (*dims, *_DIMS), name=field.name, attrs=field.attrs)


def cell_dataset(cells: Any, obj: Any, members: Any, fill_value: Any) -> Any:
    """A Dataset of all variables of an xarray object on the cells, in patches, with ``valid`` as a coordinate."""
    native = read_native(obj).obj
    axes = find_cells(native)
    names = [axis.name for axis in axes]
    native = native.set_coords(names) if hasattr(native, "data_vars") else native
    dims = set(axes[0].dims)
    fields = [field for field in fields_of(native) if dims <= set(field.dims) and field.name not in names]
    if not fields:
        raise CoordinateError(f"No variable has the dimensions {tuple(dims)} of the cells: there is nothing to cut.")
    table = check_members(members, int(np.prod(cells.shape)))
    labels = _place_coordinates(cells, table)
    meaning = {"long_name": "cell of the patch, inside the mask of the grid"}
    labels["valid"] = (_DIMS, valid_members(cells, table), meaning)
    return dataset_of_patches([_cut_labelled(cells, field, table, fill_value, labels) for field in fields], obj)


def valid_members(cells: Any, table: Integers) -> npt.NDArray[np.bool_]:
    """Which slots (n, k) of patches hold a cell that has a place and is inside the mask."""
    latitude, mask = computed(cells.latitude, cells.mask)
    kept = np.isfinite(latitude).ravel()
    if mask is not None:
        kept &= np.asarray(mask).ravel() > 0
    return (table >= 0) & kept[np.where(table < 0, 0, table)]


def joined_cells(cells: Any, values: Any, members: Any) -> Any:
    """The field (..., *shape) of values (..., n, k) in patches; see ``from_patches``."""
    table = check_members(members, int(np.prod(cells.shape)))
    return put_members(getattr(values, "data", values) if hasattr(values, "coords") else values, table, cells.shape)


def fields_on_cells(obj: Any, cells: Any) -> tuple[list[Any], dict[Hashable, Any]]:
    """The variables of an xarray object on cells, their dimensions in space, and the slices that put them in order."""
    native, names, order = _in_order(obj, cells)
    return [each for each in fields_of(native) if set(order) <= set(each.dims) and each.name not in names], order


def _in_order(obj: Any, cells: Any) -> tuple[Any, list[Hashable], dict[Hashable, Any]]:
    """An object with CF coordinates, the names of these, and slices that bring its dimensions to the order of cells.

    The order of a field in one dimension without coordinates, such as a field on a mesh, is the order of the cells.
    """
    flat = len(cells.shape) == 1
    native = read_native(obj).obj if flat and _is_recognised(obj) else obj
    if flat and all(axis is None for axis in find_pair(native, 2)):
        dims = [dim for dim, size in native.sizes.items() if size == cells.shape[0]]
        if len(dims) != 1:
            raise CoordinateError(
                f"field has the dimensions {dict(native.sizes)}: expected one of the {cells.shape[0]} cells."
            )
        return native, [], {dims[0]: slice(None)}
    names = [axis.name for axis in find_cells(native)]
    native = native.set_coords(names) if hasattr(native, "data_vars") else native
    return native, names, field_order(native, cells)


def _by_position(field: Any, cells: Any) -> tuple[Any, tuple[Any, ...]]:
    """The values of a DataArray with its cells last, and its other dimensions; its coordinates are compared."""
    native, _, order = _in_order(field, cells)
    aligned = native.isel(order).transpose(..., *order)
    leading = aligned.dims[: aligned.ndim - len(order)]
    # Cells on faces of a cube have three dimensions in the file, and one in the grid.
    values = aligned.data.reshape((*aligned.shape[: len(leading)], *cells.shape))
    return values, leading


def _is_recognised(field: Any) -> bool:
    """Whether a field describes its grid itself. A field of a mesh file does not: the file has the mesh."""
    return not ("mesh" in field.attrs and "location" in field.attrs)
