"""Bridge to xarray: grids, cells and points from an object, with bounds, areas and mask; what is chunked stays so."""

import re
from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._cf import (
    LATITUDE,
    LONGITUDE,
    Kind,
    attribute,
    check_axes,
    check_object,
    declared,
    find,
    find_both,
    pools,
    refuse_scalar,
    say,
    told_how,
    variables_of,
)
from skgeo._coordinates import number
from skgeo._parameters import import_optional
from skgeo.exceptions import CoordinateError

# Square metres in a unit of area.
_AREA_UNITS = {"m2": 1.0, "m^2": 1.0, "m**2": 1.0, "m 2": 1.0, "km2": 1e6, "km^2": 1e6, "km**2": 1e6}
# Coordinates of a mask may be off by the rounding of single precision, in degrees.
_SAME_PLACE = 1e-4


def read_grid(obj: Any, mask: Any) -> dict[str, Any]:
    """The arguments of LatLonGrid: both axes, their bounds and the mask, lazy if it was."""
    latitude, longitude = find_both(check_object(obj, "LatLonGrid(latitude, longitude, mask)"), 1)
    check_axes(obj, latitude, longitude)
    return {
        "latitude": latitude.to_numpy(),
        "longitude": longitude.to_numpy(),
        "mask": _read_mask(obj, mask, latitude, longitude),
        "latitude_bounds": _find_bounds(obj, latitude, LATITUDE, 2, 2),
        "longitude_bounds": _find_bounds(obj, longitude, LONGITUDE, 2, 2),
    }


def everywhere(obj: Any) -> Any:
    """A mask that keeps all cells, in the chunks of the object, so that their embedding is chunked; else None."""
    latitude, longitude = find_both(obj, 1)
    dims = tuple(dict.fromkeys(latitude.dims + longitude.dims))
    chunks = _chunks(obj, dims)
    if chunks is None:
        return None
    shape = [sum(along) for along in chunks]
    return import_optional("dask.array", "chunked data", "xarray").ones(shape, chunks=chunks, dtype=bool)


def _chunks(obj: Any, dims: tuple[Hashable, ...]) -> tuple[tuple[int, ...], ...] | None:
    """Chunks along the given dimensions, those of the first variable that has any; None if none has."""
    sizes: dict[Hashable, tuple[int, ...]] = {}
    for variable in (*variables_of(obj).values(), *([] if hasattr(obj, "data_vars") else [obj])):
        sizes = {**variable.chunksizes, **sizes}
    return tuple(sizes.get(dim, (obj.sizes[dim],)) for dim in dims) if set(dims) & set(sizes) else None


def read_cells(obj: Any, mask: Any = None) -> dict[str, Any]:
    """The arguments of CellGrid, of one or two dimensions: all arrays as they are stored, NumPy or dask."""
    latitude, longitude = find_both(check_object(obj, "CellGrid(latitude, longitude)"), 2)
    if 0 in (latitude.ndim, longitude.ndim):
        refuse_scalar(latitude, longitude)
    if set(latitude.dims) != set(longitude.dims):
        raise CoordinateError(
            f"{say(latitude, longitude)} have the dimensions {latitude.dims} and {longitude.dims}: those of cells are "
            "on the same ones. Of a regular grid, use LatLonGrid.from_xarray(obj)."
        )
    if latitude.ndim > 2:
        raise CoordinateError(
            f"{say(latitude, longitude)} have the dimensions {latitude.dims}: expected one or two. "
            f"Select one grid, obj.isel({latitude.dims[0]}=0)."
        )
    dims = latitude.dims
    longitude = longitude.transpose(*dims)
    corners = [
        _find_bounds(obj, axis, kind, 3, np.inf) for axis, kind in ((latitude, LATITUDE), (longitude, LONGITUDE))
    ]
    return {
        "latitude": latitude.data,
        "longitude": longitude.data,
        "mask": _read_mask(obj, mask, latitude, longitude),
        "areas": _read_areas(obj, dims),
        "vertices": None if any(corner is None for corner in corners) else tuple(corners),
    }


def read_points(obj: Any) -> Any:
    """Points (n, 2) along a dimension, latitude first; a dask array if the object is chunked along it."""
    latitude, longitude = find_both(obj, 1)
    chunks = _chunks(obj, latitude.dims)
    if chunks is None:
        return np.column_stack([latitude.to_numpy(), longitude.to_numpy()])
    da = import_optional("dask.array", "chunked data", "xarray")
    return da.stack([da.asarray(axis.data).rechunk(chunks) for axis in (latitude, longitude)], axis=1)


def _find_bounds(obj: Any, axis: Any, kind: Kind, least: float, most: float) -> Any:
    """Bounds of a coordinate, or None: of the variable that it names, else of one with the usual name."""
    variables, named = variables_of(obj), declared(axis, "bounds")
    names = dict.fromkeys([str(axis.name).lower(), kind.name, *kind.names])
    usual = [f"{name}_{end}" for name in names for end in ("bnds", "bounds", "vertices")]
    usual += [f"{start}_{name}" for name in names for start in ("bnds", "bounds", "vertices")]
    by_name = {str(name).lower(): name for name in variables}
    for name in (named, *(by_name.get(each) for each in usual)):
        if name is None or name not in variables:
            continue
        bounds = _drop_single(variables[name], axis.dims)
        corners = [dim for dim in bounds.dims if dim not in axis.dims]
        if len(corners) == 1 and set(axis.dims) < set(bounds.dims) and least <= bounds.sizes[corners[0]] <= most:
            return bounds.transpose(*axis.dims, *corners).data
        if name == named:
            raise CoordinateError(
                f"The bounds {name!r} of {axis.name!r} have the dimensions {dict(bounds.sizes)}: expected {axis.dims} "
                f"and one of the edges. Correct them, or obj.drop_vars({name!r}) for edges midway between the centres."
            )
    return None


def _drop_single(variable: Any, keep: tuple[Hashable, ...]) -> Any:
    """Without dimensions of size one other than those to keep."""
    single = [dim for dim, size in variable.sizes.items() if size == 1 and dim not in keep]
    return variable.isel(dict.fromkeys(single, 0))


def _read_areas(obj: Any, dims: tuple[Hashable, ...]) -> Any:
    """Areas of cells in square metres, from ``cell_measures`` or by standard name, or None."""
    variables = variables_of(obj)
    of = variables.values() if hasattr(obj, "data_vars") else [obj]
    measures = [re.search(r"area:\s*(\S+)", declared(variable, "cell_measures")) for variable in of]
    names = [match[1] for match in measures if match]
    names += [name for name, variable in variables.items() if attribute(variable, "standard_name") == "cell_area"]
    for name in names:
        areas = _drop_single(variables[name], dims) if name in variables else None
        if areas is not None and set(areas.dims) == set(dims) and attribute(areas, "units") in _AREA_UNITS:
            factor = _AREA_UNITS[attribute(areas, "units")]
            return areas.transpose(*dims).data * factor
    return None


def _read_mask(obj: Any, mask: Any, latitude: Any, longitude: Any) -> Any:
    """The mask as an array along the grid's dimensions, lazy if it was."""
    xarray = import_optional("xarray", "from_xarray", "xarray")
    dims = tuple(dict.fromkeys(latitude.dims + longitude.dims))
    if isinstance(mask, str):
        mask = _named_mask(obj, mask, dims)
    if isinstance(mask, xarray.Dataset):
        raise CoordinateError(f"mask is a Dataset: select one of its variables {list(map(str, mask.data_vars))}.")
    if not isinstance(mask, xarray.DataArray):
        return mask
    if latitude.ndim == 1 and latitude.dims != longitude.dims:
        own = [_align_axis(mask, axis, kind) for axis, kind in ((latitude, LATITUDE), (longitude, LONGITUDE))]
        order = {dim: index for dim, index in own if index is not None}
        own_dims = tuple(dim for dim, _ in own)
    else:
        own_dims, order = dims, {}
        for dim in dims:
            _check_index(mask, obj, dim)
    if not set(own_dims) <= set(mask.dims) or len(set(own_dims)) < len(dims):
        raise CoordinateError(
            f"mask has the dimensions {mask.dims}, the grid {dims}: give it these, and coordinates if they differ."
        )
    mask = _drop_single(mask, own_dims)
    more = [dim for dim in mask.dims if dim not in own_dims]
    if more:
        raise CoordinateError(
            f"mask has the dimensions {more} beside those of the grid: take one mask, mask.isel({more[0]}=0), or bring "
            f"them together, mask.all({more})."
        )
    return mask.isel(order).transpose(*own_dims).data


def _named_mask(obj: Any, name: str, dims: tuple[Hashable, ...]) -> Any:
    """The variable of that name, or where the variable of the grid is never missing."""
    variables = variables_of(obj)
    if name != "valid":
        if name in variables:
            return variables[name]
        raise CoordinateError(f"mask={name!r}: no such variable; there are {list(map(str, variables))}, and 'valid'.")
    if name in variables:
        raise CoordinateError("mask='valid' is a variable too: pass obj['valid'], or obj['sst'].notnull().all('time').")
    if hasattr(obj, "data_vars"):
        fields = [field for field in list(pools(obj))[1] if set(dims) <= set(field.dims) and not _is_geometry(field)]
        if len(fields) != 1:
            names = [str(field.name) for field in fields]
            cure = f"select one, obj[{names[0]!r}]" if names else "give a mask"
            raise CoordinateError(f"mask='valid': {len(fields)} variables have the dimensions {dims}, {names}: {cure}.")
        obj = fields[0]
    present = obj.notnull()
    return present.all([dim for dim in present.dims if dim not in dims])


def _is_geometry(variable: Any) -> bool:
    """Whether a variable says where cells are or how large."""
    placed = any(told_how(variable, kind) is not None for kind in (LATITUDE, LONGITUDE))
    return placed or attribute(variable, "standard_name") == "cell_area"


def _align_axis(mask: Any, axis: Any, kind: Kind) -> tuple[Hashable, npt.NDArray[np.intp] | None]:
    """The dimension of a mask that is an axis of the grid, and the order that makes its values the grid's."""
    own = find(mask, kind, 1)
    if own is None or own.ndim != 1 or mask.ndim < 2:
        return axis.dims[0], None
    values, wanted = np.asarray(own, dtype=np.float64), np.asarray(axis, dtype=np.float64)
    if values.size == wanted.size:
        order = _match(values, wanted, 360.0 if kind is LONGITUDE else np.inf)
        if order is not None:
            return own.dims[0], None if np.array_equal(order, np.arange(order.size)) else order
    theirs, ours = (f"{x.size} from {number(x[0])} to {number(x[-1])}" if x.size else "none" for x in (values, wanted))
    raise CoordinateError(
        f"mask has other {kind.name}s than the grid, {theirs} and {ours}: bring it there, for instance with "
        "mask.interp_like(obj) or mask.reindex_like(obj, method='nearest')."
    )


def _match(values: npt.NDArray[Any], wanted: npt.NDArray[Any], turn: float) -> npt.NDArray[np.intp] | None:
    """Where in ``values`` each of the wanted ones is, whole turns apart or not; None unless both are the same set."""
    if np.isfinite(turn):  # cut the circle midway between two of the wanted ones
        around = np.sort(wanted % turn)
        cut = around[-1] + ((around[0] - around[-1]) % turn or turn) / 2.0
        values, wanted = (values - cut) % turn, (wanted - cut) % turn
    ours, theirs = np.argsort(wanted, kind="stable"), np.argsort(values, kind="stable")
    if not np.allclose(values[theirs], wanted[ours], rtol=0.0, atol=_SAME_PLACE):
        return None
    order = np.empty(ours.size, dtype=np.intp)
    order[ours] = theirs
    return order


def _check_index(mask: Any, obj: Any, dim: Hashable) -> None:
    """Refuse a mask whose labels along a dimension are not those of the grid."""
    if dim in mask.indexes and dim in obj.indexes and not mask.indexes[dim].equals(obj.indexes[dim]):
        raise CoordinateError(f"mask has other labels along {dim!r} than the grid: mask.reindex_like(obj).")
