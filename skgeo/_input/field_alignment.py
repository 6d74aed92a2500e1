"""Bring a field to the rows and columns of a grid by the coordinates of the field."""

from collections.abc import Hashable
from itertools import permutations, product
from typing import Any

import numpy as np

from skgeo._input.cf import KINDS, LONGITUDE, CoordinateKind, check_axes, find_both
from skgeo._input.cf_values import in_degrees
from skgeo._input.chunks import computed
from skgeo._input.from_xarray import find_cells
from skgeo._input.mask_alignment import cell_tolerance, match_axis, places_meet, say_axis
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateError


def align_field(field: Any, grid: Any) -> tuple[Any, tuple[Hashable, ...]]:
    """A DataArray in the order of a grid, its rows and columns last, and the names of these two dimensions.

    Lazy values stay lazy.
    """
    order = field_order(field, grid)
    return field.isel(order).transpose(..., *order), tuple(order)


def field_order(field: Any, grid: Any) -> dict[Hashable, Any]:
    """The dimensions of rows and columns of a DataArray, and slices or positions that bring them to the grid.

    The grid is a LatLonGrid or a CellGrid; the field is refused if it lies elsewhere.
    """
    # Only a CellGrid has solid angles.
    if hasattr(grid, "solid_angles"):
        return _order_of_cells(field, grid)
    axes = find_both(field, 1)
    check_axes(field, *axes)
    wanted = (grid.latitude, grid.longitude)
    return {
        axis.dims[0]: _order_of_axis(axis, centres, kind)
        for axis, centres, kind in zip(axes, wanted, KINDS, strict=True)
    }


def _order_of_axis(axis: Any, wanted: FloatArray, kind: CoordinateKind) -> Any:
    """The slice or the positions that bring an axis of a field to an axis of the grid."""
    values = np.asarray(in_degrees(axis), dtype=np.float64)
    order = match_axis(values, wanted, 360.0 if kind is LONGITUDE else np.inf) if values.size == wanted.size else None
    if order is None:
        theirs, ours = (say_axis(each) for each in (values, wanted))
        raise CoordinateError(
            f"field has other {kind.name}s than the grid, {theirs} and {ours}: bring the field to the "
            "grid, for instance with field.sel or field.reindex, or give the grid of the field itself, "
            "LatLonGrid.from_xarray(field)."
        )
    # Slices give views of arrays in memory, and keep the chunks of lazy ones.
    for step in (slice(None), slice(None, None, -1)):
        if np.array_equal(order, np.arange(order.size)[step]):
            return step
    return order


def _order_of_cells(field: Any, cells: Any) -> dict[Hashable, slice]:
    """The dimensions of rows and columns of a field on cells, and slices that bring them to a CellGrid."""
    axes = find_cells(field)
    own = computed(*(in_degrees(axis).data for axis in axes))
    own = [np.asarray(values, dtype=np.float64) for values in own]
    wanted = computed(cells.latitude, cells.longitude)
    near = cell_tolerance(own[1], *wanted)
    # Cells on faces come one after the other in the grid.
    in_a_row = wanted[0].ndim == 1 < own[0].ndim and own[0].size == wanted[0].size
    for dims in permutations(range(own[0].ndim)):
        turned = [values.transpose(dims) for values in own]
        if in_a_row and places_meet(turned[0].ravel(), turned[1].ravel(), wanted[0], wanted[1], near):
            return {axes[0].dims[dim]: slice(None) for dim in dims}
        if turned[0].shape != wanted[0].shape:
            continue
        for turns in product((slice(None), slice(None, None, -1)), repeat=len(dims)):
            if places_meet(turned[0][turns], turned[1][turns], wanted[0], wanted[1], near):
                return {axes[0].dims[dim]: turn for dim, turn in zip(dims, turns, strict=True)}
    raise CoordinateError(
        f"field has other latitudes or longitudes than the cells, {axes[0].name!r} and {axes[1].name!r} of shape "
        f"{own[0].shape} and {cells.shape}: give the cells of the field itself, CellGrid.from_xarray(field)."
    )
