"""Bring a mask to the rows, columns and cells of a grid by the coordinates of the mask."""

from collections.abc import Hashable
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._input.cf import KINDS, LONGITUDE, CoordinateKind, find_pair
from skgeo._input.cf_cells import drop_single
from skgeo._input.cf_values import in_degrees
from skgeo._input.chunks import computed, is_lazy
from skgeo._input.coordinates import SINGLE_ROUNDING
from skgeo._input.numbers import format_number
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateError

# Positions in a mask for the positions of the grid; None if the order is the same.
Order = npt.NDArray[np.intp] | None
# Shares of a step. Coordinates of a mask may be off by the first share or their rounding, but not by the second share.
_NEAR, _FAR = 0.05, 0.25


def align_mask(mask: Any, obj: Any, latitude: Any, longitude: Any) -> Any:
    """A mask as an array along the dimensions of a grid; refused if it lies elsewhere. A lazy mask stays lazy."""
    dims = tuple(dict.fromkeys(latitude.dims + longitude.dims))
    ndim = 1 if latitude.dims != longitude.dims else 2
    own: Any = find_pair(mask, ndim)
    # The mask has its own latitude and longitude for each cell.
    placed = all(axis is not None and axis.ndim == len(dims) for axis in own)
    # Pairs of a dimension of the mask and its order: by latitudes and longitudes of axes, else by labels of dimensions.
    if ndim == 1 and not placed:
        pairs = zip(own, (latitude, longitude), KINDS, strict=True)
        found = [_align_axis(mask, obj, theirs, axis, kind) for theirs, axis, kind in pairs]
    else:
        own_dims = dims if set(dims) <= set(mask.dims) or not placed else own[0].dims
        found = [
            (theirs, _align_labels(mask, obj, dim) if theirs == dim else None)
            for theirs, dim in zip(own_dims, dims, strict=True)
        ]
    own_dims = tuple(dim for dim, _ in found)
    if not set(own_dims) <= set(mask.dims) or len(set(own_dims)) < len(dims):
        raise CoordinateError(
            f"mask has the dimensions {mask.dims}, the grid {dims}: give it these, and coordinates if they differ."
        )
    mask = drop_single(mask, own_dims)
    more = [dim for dim in mask.dims if dim not in own_dims]
    if more:
        raise CoordinateError(
            f"mask has the dimensions {more} beside those of the grid: take one mask, mask.isel({more[0]}=0), or bring "
            f"them together, mask.all({more})."
        )
    order = {dim: index for dim, index in found if index is not None}
    # Labels put both in one order; the places of the cells then show whether the mask runs the other way.
    if placed and all(set(axis.dims) == set(own_dims) for axis in own):
        theirs = tuple(axis.isel(order).transpose(*own_dims) for axis in own)
        mask = mask.isel(order).isel(_turns(theirs, (latitude, longitude)))
        order = {}
    return mask.isel(order).transpose(*own_dims).data


def _align_axis(mask: Any, obj: Any, own: Any, axis: Any, kind: CoordinateKind) -> tuple[Hashable, Order]:
    """The dimension of a mask along an axis of the grid, and the order that brings its values to those of the grid."""
    # Without an axis of its own, or in one dimension, the mask is matched by the labels of its dimension.
    if own is None or own.ndim != 1 or mask.ndim < 2:
        return axis.dims[0], _align_labels(mask, obj, axis.dims[0])
    values, wanted = (np.asarray(in_degrees(each), dtype=np.float64) for each in (own, axis))
    order = match_axis(values, wanted, 360.0 if kind is LONGITUDE else np.inf) if values.size == wanted.size else None
    if order is not None:
        return own.dims[0], _unless_in_order(order)
    theirs, ours = (say_axis(each) for each in (values, wanted))
    raise CoordinateError(
        f"mask has other {kind.name}s than the grid, {theirs} and {ours}: bring the mask to the "
        "grid, for instance with mask.interp_like(obj) or mask.reindex_like(obj, method='nearest')."
    )


def match_axis(values: FloatArray, wanted: FloatArray, turn: float) -> npt.NDArray[np.intp] | None:
    """The position in ``values`` of each wanted number, up to whole turns; None unless both are the same set."""
    rounding = _rounding(np.concatenate([values, wanted]))
    order = _match_as_they_stand(values, wanted, rounding)
    if order is not None or not np.isfinite(turn):
        return order
    # The sets may be whole turns apart. Cut the circle midway between two wanted numbers, so that rounding at the cut
    # separates none of them from its partner.
    around = np.sort(wanted % turn)
    cut = around[-1] + ((around[0] - around[-1]) % turn or turn) / 2.0
    return _match_as_they_stand((values - cut) % turn, (wanted - cut) % turn, rounding)


def _match_as_they_stand(values: FloatArray, wanted: FloatArray, rounding: float) -> npt.NDArray[np.intp] | None:
    """The position in ``values`` of each wanted number; None unless both are the same set of distinct numbers."""
    ours, theirs = np.argsort(wanted, kind="stable"), np.argsort(values, kind="stable")
    step = float(np.diff(wanted[ours]).min(initial=np.inf))
    if not step > 0.0 or not np.allclose(values[theirs], wanted[ours], rtol=0.0, atol=_tolerance(step, rounding)):
        return None
    order = np.empty(ours.size, dtype=np.intp)
    order[ours] = theirs
    return order


def _rounding(values: FloatArray) -> float:
    """The spacing of single precision at the largest value: the error of a change of the longitude convention."""
    return float(np.spacing(np.float32(np.nanmax(np.abs(values), initial=0.0))))


def _tolerance(step: float, rounding: float) -> float:
    """The largest difference in degrees between the coordinates of one cell in the mask and in the grid."""
    return min(max(_NEAR * step, rounding), _FAR * step) if np.isfinite(step) else SINGLE_ROUNDING


def _align_labels(mask: Any, obj: Any, dim: Hashable) -> Order:
    """The order that brings the labels of a mask along a dimension to those of the grid; refused if they differ."""
    if not (dim in mask.dims and dim in mask.indexes and dim in obj.indexes):
        return None
    own, wanted = mask.indexes[dim], obj.indexes[dim]
    if own.equals(wanted):
        return None
    order = None
    if own.size == wanted.size and own.is_unique and own.nlevels == 1:
        # Labels that are floats agree up to a share of a step. All others have to be equal.
        if own.dtype.kind == wanted.dtype.kind == "f":
            order = match_axis(own.to_numpy().astype(np.float64), wanted.to_numpy().astype(np.float64), np.inf)
        else:
            order = own.get_indexer(wanted)
    if order is None or (order < 0).any():
        raise CoordinateError(f"mask has other labels along {dim!r} than the grid: mask.reindex_like(obj).")
    return _unless_in_order(order)


def say_axis(values: FloatArray) -> str:
    """Number, first and last of the values of an axis, for errors."""
    return f"{values.size} from {format_number(values[0])} to {format_number(values[-1])}" if values.size else "none"


def _unless_in_order(order: npt.NDArray[np.intp]) -> Order:
    """The order, or None if it changes nothing."""
    return None if np.array_equal(order, np.arange(order.size)) else order


def _turns(theirs: tuple[Any, Any], ours: tuple[Any, Any]) -> dict[Hashable, slice]:
    """The slices that reverse a mask along dimensions where it runs against the cells; refused if none makes it fit."""
    # Coordinates that share their array need no comparison of values, and chunked ones no computation.
    if all(_is_same(one, other) for one, other in zip(theirs, ours, strict=True)):
        return {}
    dims = tuple(dict.fromkeys(ours[0].dims + ours[1].dims))
    values = [array.astype(np.float64) for array in computed(*(in_degrees(axis).data for axis in (*theirs, *ours)))]
    own, wanted = values[:2], values[2:] if len(dims) == ours[0].ndim else np.meshgrid(*values[2:], indexing="ij")
    if own[0].shape == wanted[0].shape:
        tolerance = cell_tolerance(own[1], *wanted)
        # Try all combinations of directions, as they stand first.
        for turns in product((slice(None), slice(None, None, -1)), repeat=len(dims)):
            if places_meet(own[0][turns], own[1][turns], wanted[0], wanted[1], tolerance):
                return {dim: turn for dim, turn in zip(theirs[0].dims, turns, strict=True) if turn.step}
    raise CoordinateError(
        f"mask has other latitudes or longitudes than the cells, {theirs[0].name!r} and {theirs[1].name!r}: bring the "
        "mask to the cells, or, if it belongs to them as it stands, "
        f"mask.drop_vars([{theirs[0].name!r}, {theirs[1].name!r}])."
    )


def _is_same(one: Any, other: Any) -> bool:
    """Whether two coordinates are one array in memory, or one dask array by its name."""
    one, other = one.data, other.data
    return one is other or (is_lazy(one) and is_lazy(other) and one.name == other.name)


def cell_tolerance(longitude: FloatArray, other_latitude: FloatArray, other_longitude: FloatArray) -> float:
    """The largest distance in degrees between the places of one cell in two objects, by the step of the second one."""
    rounding = _rounding(np.stack([longitude.ravel(), other_longitude.ravel()]))
    return _tolerance(_typical_step(other_latitude, other_longitude), rounding)


def _typical_step(latitude: FloatArray, longitude: FloatArray) -> float:
    """The median distance in degrees to the next cell, along the shorter dimension; infinite in one dimension."""
    if latitude.ndim == 1:
        return np.inf
    steps = [
        np.hypot(np.diff(latitude, axis=i), _turn_apart(np.diff(longitude, axis=i)) * _narrow(latitude, i))
        for i in range(latitude.ndim - 2, latitude.ndim)
        if latitude.shape[i] > 1
    ]
    return min((float(np.nanmedian(step)) for step in steps if np.isfinite(step).any()), default=np.inf)


def _narrow(latitude: FloatArray, axis: int) -> FloatArray:
    """The length of a degree of longitude at the start of each step, in degrees of latitude."""
    return np.cos(np.radians(np.take(latitude, range(latitude.shape[axis] - 1), axis=axis)))


def _turn_apart(longitude: FloatArray) -> FloatArray:
    """Differences of longitude in [0, 180]."""
    return np.abs((longitude + 180.0) % 360.0 - 180.0)


def places_meet(
    latitude: FloatArray, longitude: FloatArray, other_latitude: FloatArray, other_longitude: FloatArray, near: float
) -> bool:
    """Whether all cells that have a place in both are within ``near`` degrees; False if there is none."""
    north = np.abs(latitude - other_latitude)
    east = _turn_apart(longitude - other_longitude) * np.cos(np.radians(latitude))
    known = np.isfinite(north) & np.isfinite(east)
    return bool(known.any()) and bool((north[known] <= near).all() and (east[known] <= near).all())
