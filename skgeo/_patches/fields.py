"""A mixin of grids: the values of a field in patches, and back. The result has labels if the field has labels."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from skgeo._input.cf import fields_of, find_both
from skgeo._input.chunks import computed
from skgeo._input.field_alignment import align_field
from skgeo._input.from_xarray import find_cells
from skgeo._output.to_xarray import _labels_of, _patch_coordinates, dataset_of_patches
from skgeo._patches.cell_fields import cell_values, joined_cells
from skgeo._patches.cell_members import is_members
from skgeo._patches.cut import Cut, cut_patches, describe_patches
from skgeo._patches.values import (
    as_field,
    check_field,
    check_fill,
    check_free_names,
    cut_field,
    name_of,
    pixels_of,
    put_back,
)
from skgeo._validation import check_flag, check_parameter, import_optional
from skgeo.exceptions import CoordinateError

# Dimensions of values in patches: number of the patch, row and column of the pixel in it.
DIMS: tuple[Hashable, ...] = ("patch", "y", "x")
# In degrees, the rounding of single precision: edges of a file and of the grid with a smaller distance are the same.
_SAME_EDGE = 1e-4


class PatchFields:
    """A mixin of grids: ``patch_values`` cuts a field as ``patches`` cuts the grid, and ``from_patches`` joins it."""

    shape: tuple[int, ...]

    def patch_values(
        self,
        field: Any,
        patch_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        *,
        partial: bool | None = None,
        min_fraction: float = 0.0,
        fill_value: Any = None,
        return_valid: bool = False,
    ) -> Any:
        """Cut a field into the patches that ``patches`` cuts with the same options, in the same order.

        Parameters
        ----------
        field : array-like, dask array, torch.Tensor or xarray.DataArray
            Values of the cells, of shape (..., n_rows, n_columns), with any dimensions in front, such as time and
            channel, in the rows and columns of the grid. A DataArray has latitudes and longitudes. They bring it to
            the order of the grid, and its dimensions may be in any order.
        patch_size : int, (int, int) or array of shape (n_patches, n_cells)
            Numbers of pixels along rows and columns. A CellGrid also accepts the cells of each patch, from
            ``patch_members``.
        stride : int or (int, int), default=None
            Pixels from one patch to the next. None means ``patch_size``: patches do not overlap.
        partial : bool, default=None
            Keep the smaller patches at the ends, filled with ``fill_value``, for a LatLonGrid only. None drops them
            with a warning, and False drops them without a warning.
        min_fraction : float, default=0
            Keep patches with at least this share of their area inside the mask.
        fill_value : number, default=None
            Value of the pixels beyond a smaller patch (``partial=True``). None means NaN, for times NaT, and for
            booleans False. A field of integers needs a number.
        return_valid : bool, default=False
            Also return which pixels belong to their patch and to the mask.

        Returns
        -------
        values : array of shape (..., n_patches, h, w), or (..., n_patches, n_cells) with the cells of each patch
            Values with the type and the dtype of the field. A dask array gives lazy values: a patch needs only the
            chunks that its row of patches touches. A tensor gives a differentiable tensor. An array may give a
            read-only view of the field. A DataArray has the edges, or the pixel centres, of the patches as coordinates.
        valid : ndarray of shape (n_patches, h, w) or DataArray
            True where a pixel belongs to the patch and the mask of the grid is above zero. Only with
            ``return_valid=True``. The values of the field do not matter: a pixel with NaN is valid.

        Raises
        ------
        CoordinateError
            If a DataArray has other latitudes or longitudes than the grid, or none; and as from :meth:`patches`.
        ValueError
            If the field has another shape than the grid, or cannot hold ``fill_value``; and as from :meth:`patches`.

        Warns
        -----
        CoordinateWarning
            As from :meth:`patches`.

        See Also
        --------
        skgeo.xarray.SkgeoAccessor.patches : Values, validity, edges and index together, in a Dataset.

        Examples
        --------
        Patches of 90 x 120 degrees in steps of 90 degrees. The fourth patch continues across the seam at 360 degrees.

        >>> import numpy as np
        >>> from skgeo import LatLonGrid
        >>> grid = LatLonGrid(np.arange(-75, 90, 30), np.arange(15, 360, 30))
        >>> longitude = np.broadcast_to(grid.longitude, grid.shape)
        >>> values = grid.patch_values(longitude, (3, 4), (3, 3))
        >>> values.shape
        (8, 3, 4)
        >>> values[3, 0]
        array([285., 315., 345.,  15.])
        >>> bool((grid.from_patches(values, (3, 4), (3, 3)) == longitude).all())
        True
        """
        check_flag("return_valid", return_valid)
        if is_members(patch_size) and hasattr(self, "solid_angles"):
            return cell_values(self, field, patch_size, fill_value, return_valid)
        cut = cut_patches(self, patch_size, stride, partial=partial, min_fraction=min_fraction)
        labels = cut_coordinates(self, cut) if _is_labelled(field, "field") else None
        values = (
            cut_labelled(self, field, cut, fill_value, labels) if labels else _cut_plain(self, field, cut, fill_value)
        )
        if not return_valid:
            return values
        valid = valid_pixels(self, cut)
        return values, _as_data_array(valid, DIMS, labels, "valid") if labels else valid

    def from_patches(
        self,
        values: Any,
        patch_size: int | tuple[int, int] | None = None,
        stride: int | tuple[int, int] | None = None,
        *,
        partial: bool | None = None,
        min_fraction: float = 0.0,
        weights: Any = None,
    ) -> Any:
        """Put values of patches back on the grid. A pixel that is in several patches gets the mean of their values.

        Parameters
        ----------
        values : array-like, dask array, torch.Tensor or xarray.DataArray
            Values of shape (..., n_patches, h, w), as from :meth:`patch_values`. NaN counts as no value. A labelled
            DataArray has the rows and columns of its patches as coordinates. It may therefore hold some of the patches,
            in any order.
        patch_size : int, (int, int) or array of shape (n_patches, n_cells), default=None
            As for :meth:`patch_values`. A labelled DataArray needs none of ``patch_size``, ``stride``, ``partial`` and
            ``min_fraction``.
        stride : int or (int, int), default=None
            As for :meth:`patch_values`.
        partial : bool, default=None
            As for :meth:`patch_values`.
        min_fraction : float, default=0
            As for :meth:`patch_values`.
        weights : array-like that broadcasts to (n_patches, h, w), default=None
            Weight of each pixel in the mean, not negative. None gives all pixels the same weight.

        Returns
        -------
        array of shape (..., n_rows, n_columns)
            The field, with the type and the dtype of the values; float64 for integers and booleans. NaN where no patch
            has a value with a positive weight. Lazy for a dask array.

        Raises
        ------
        CoordinateError
            If labels say that the patches are those of another grid.
        ValueError
            If ``values`` or ``weights`` do not fit the patches, or values have no mean, such as times; and as from
            :meth:`patches`.

        Examples
        --------
        Two patches of 2 x 2 pixels share the second column. This column gets the means of both patches.

        >>> import numpy as np
        >>> from skgeo import LatLonGrid
        >>> grid = LatLonGrid([10, 20], [0, 10, 20])
        >>> grid.from_patches([[[1, 2], [3, 4]], [[6, 7], [8, 9]]], 2, 1, partial=False)
        array([[1., 4., 7.],
               [3., 6., 9.]])
        """
        if is_members(patch_size) and hasattr(self, "solid_angles"):
            return joined_cells(self, values, patch_size)
        # The user was warned of the cells in no patch when the patches were cut.
        options = {"partial": partial, "min_fraction": min_fraction, "quiet": True}
        labelled = _is_labelled(values, "values")
        if labelled:
            lacking = [dim for dim in DIMS if dim not in values.dims]
            check_parameter("values.dims", values.dims, not lacking, f"the dimensions {', '.join(map(str, DIMS))}")
            values = values.transpose(..., *DIMS)
        cut = _cut_of_values(self, values, patch_size, stride, options)
        array = as_field(values.data if labelled else values, "values")
        wanted = (len(cut.first), *cut.size)
        fits = tuple(array.shape)[-3:] == wanted
        check_parameter("values.shape", tuple(array.shape), fits, f"(..., {', '.join(map(str, wanted))})")
        numeric = str(array.dtype).startswith("torch.") or array.dtype.kind in "biufc"
        check_parameter("values.dtype", array.dtype, numeric, "numbers, which have a mean")
        joined = put_back(array, cut, self.shape, _check_weights(weights, wanted))
        if not labelled:
            return joined
        place = _labels_of(self, None)
        # Bounds of cells have a dimension of their own, which the field does not have.
        ours = {name: each for name, each in place.coordinates.items() if set(each[0]) <= set(place.dims)}
        coordinates = _kept_coordinates(values, DIMS) | ours
        return _as_data_array(joined, (*values.dims[:-3], *place.dims), coordinates, values.name, values.attrs)


def valid_pixels(grid: Any, cut: Cut) -> Any:
    """Which pixels (n, h, w) belong to their patch, have a place, and are inside the mask of the grid."""
    rows, columns, inside = pixels_of(cut, grid.shape)
    (mask,) = computed(grid.mask)
    kept = np.ones(grid.shape, dtype=bool) if mask is None else np.asarray(mask) > 0
    if hasattr(grid, "solid_angles"):
        (latitude,) = computed(grid.latitude)
        kept = kept & np.isfinite(latitude)
    valid = kept[rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
    return valid if inside is None else valid & inside


def cut_coordinates(grid: Any, cut: Cut) -> dict[Hashable, Any]:
    """Coordinates along patches: edges and pixel counts, or pixel centres of cells; row and column of first pixels."""
    coordinates = _patch_coordinates(describe_patches(grid, cut))
    for name, along in zip(("row", "column"), cut.first.T, strict=True):
        coordinates[name] = ("patch", along, {"long_name": f"{name} of the first pixel in the grid"})
    return coordinates


def cut_dataset(grid: Any, obj: Any, cut: Cut, fill_value: Any) -> Any:
    """A Dataset of all variables of an xarray object on the grid, in patches; see the accessor's ``patches``."""
    axes = find_cells(obj) if hasattr(grid, "solid_angles") else find_both(obj, 1)
    dims = {dim for axis in axes for dim in axis.dims}
    names = [axis.name for axis in axes]
    if hasattr(obj, "data_vars"):
        # Variables bring their coordinates with them only if these are coordinates of the Dataset.
        obj = obj.set_coords(names)
    # Variables without the dimensions of the grid are left out, and so are latitude and longitude.
    fields = [field for field in fields_of(obj) if dims <= set(field.dims) and field.name not in names]
    if not fields:
        raise CoordinateError(f"No variable has the dimensions {tuple(dims)} of the grid: there is nothing to cut.")
    labels = cut_coordinates(grid, cut)
    meaning = {"long_name": "pixel of the patch, inside the mask of the grid"}
    labels["valid"] = (DIMS, valid_pixels(grid, cut), meaning)
    return dataset_of_patches([cut_labelled(grid, field, cut, fill_value, labels) for field in fields], obj)


def cut_labelled(grid: Any, field: Any, cut: Cut, fill_value: Any, labels: dict[Hashable, Any]) -> Any:
    """The values of a DataArray in patches, with its coordinates off the grid and the labels of the patches."""
    aligned, dims = align_field(field, grid)
    kept = _kept_coordinates(aligned, dims)
    check_free_names(field, {*aligned.dims[:-2], *kept, field.name}, {*DIMS, *labels})
    values = _cut_plain(grid, aligned.data, cut, fill_value, name_of(field))
    return _as_data_array(values, (*aligned.dims[:-2], *DIMS), kept | labels, field.name, field.attrs)


def _cut_plain(grid: Any, field: Any, cut: Cut, fill_value: Any, name: str = "field") -> Any:
    """The values of an array or a tensor in patches."""
    field = as_field(field, name)
    check_field(field, grid.shape, name)
    return cut_field(field, cut, check_fill(field, fill_value, bool((cut.counts != cut.size).any()), name))


def _is_labelled(values: Any, name: str) -> bool:
    """Whether values are a DataArray; other objects of xarray are refused."""
    if not any(kind.__module__.partition(".")[0] == "xarray" for kind in type(values).__mro__):
        return False
    if hasattr(values, "data_vars"):
        names = list(map(str, values.data_vars))
        cure = ", or cut all of them, obj.skgeo.patches(...)" if name == "field" else ""
        raise ValueError(f"{name} is a Dataset: select one of its variables {names}{cure}.")
    check_parameter(name, type(values).__name__, hasattr(values, "coords"), "an array, a tensor or a DataArray")
    return True


def _kept_coordinates(array: Any, dims: tuple[Hashable, ...]) -> dict[Hashable, Any]:
    """The coordinates of a DataArray that do not lie along the given dimensions."""
    return {name: each.variable for name, each in array.coords.items() if not set(each.dims) & set(dims)}


def _as_data_array(values: Any, dims: Any, coordinates: Any, name: Any = None, attributes: Any = None) -> Any:
    """A DataArray of xarray, which is imported here."""
    return import_optional("xarray", "labelled fields", "xarray").DataArray(
        values, coordinates, dims, name=name, attrs=attributes
    )


def _cut_of_values(grid: Any, values: Any, patch_size: Any, stride: Any, options: dict[str, Any]) -> Cut:
    """The cut of the patches, from the options or from the coordinates row and column of the values."""
    asked = None if patch_size is None else cut_patches(grid, patch_size, stride, **options)
    coordinates: Any = getattr(values, "coords", ())
    if not {"row", "column"} <= set(coordinates):
        what = "the size of the patches; only a DataArray with the coordinates row and column needs none"
        check_parameter("patch_size", patch_size, asked is not None, what)
        assert asked is not None
        return asked
    size = (values.sizes["y"], values.sizes["x"])
    index = np.column_stack([np.asarray(coordinates[name]) for name in ("row", "column")]).astype(np.intp)
    # The patches of a CellGrid are whole, and have no counts.
    count = np.broadcast_to(np.array(size), index.shape)
    if {"n_lat", "n_lon"} <= set(coordinates):
        count = np.column_stack([np.asarray(coordinates[name]) for name in ("n_lat", "n_lon")]).astype(np.intp)
    cut = Cut(index, count, size)
    if asked is not None and not (asked.size == size and np.array_equal(asked.first, index)):
        raise ValueError("values has rows and columns other than those of patch_size and stride: leave patch_size out.")
    if not _agrees(grid, coordinates, cut):
        raise CoordinateError(
            "values has patches of another grid, or has a patch twice: call from_patches of the grid that they were "
            "cut from."
        )
    return cut


def _agrees(grid: Any, coordinates: Any, cut: Cut) -> bool:
    """Whether the labels of patches are those of their rows and columns in the grid, and no patch occurs twice."""
    inside = (cut.first >= 0) & (cut.first < grid.shape) & (cut.counts >= 1) & (cut.counts <= cut.size)
    # Only columns may continue across the seam.
    regular = not hasattr(grid, "solid_angles")
    ends = cut.first + cut.counts <= grid.shape
    ends[:, 1] |= regular and bool(grid.closed)
    if not (inside & ends).all() or len(np.unique(cut.first, axis=0)) < len(cut.first):
        return False
    own = cut_coordinates(grid, cut)
    names = [name for name in ("south", "north", "west", "east", "latitude", "longitude") if name in own]
    for name in (name for name in names if name in coordinates):
        dims = (own[name][0],) if isinstance(own[name][0], str) else own[name][0]
        apart = own[name][1] - np.asarray(coordinates[name].transpose(*dims), dtype=np.float64)
        # Longitudes may differ by whole turns, and missing pixels have no centre to compare.
        if name in ("west", "east", "longitude"):
            apart = (apart + 180.0) % 360.0 - 180.0
        if not (np.abs(apart[np.isfinite(apart)]) <= _SAME_EDGE).all():
            return False
    return True


def _check_weights(weights: Any, shape: tuple[int, ...]) -> Any:
    """Weights of the pixels of patches as an array of the given shape, or None."""
    if weights is None:
        return None
    try:
        given = np.broadcast_to(np.asarray(weights, dtype=np.float64), shape)
    except (TypeError, ValueError):
        raise ValueError(
            f"weights has shape {np.shape(weights)}: expected numbers that broadcast to {shape}."
        ) from None
    if not (np.isfinite(given).all() and (given >= 0.0).all()):
        raise ValueError("weights has negative or missing numbers: expected weights of at least zero.")
    return given
