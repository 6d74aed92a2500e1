"""Bridge to xarray: read grids, cells and points with bounds, areas and mask. Chunked arrays stay chunked."""

import re
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from skgeo._input.area_check import check_areas_of_corners
from skgeo._input.cell_areas import UNUSED
from skgeo._input.cf import (
    KINDS,
    LONGITUDE,
    CoordinateKind,
    check_axes,
    check_object,
    fields_of,
    find_both,
    is_time,
    quoted_names,
    refuse_scalar,
    say_how,
    truer,
    variables_of,
    with_geometry,
)
from skgeo._input.cf_cells import Found, areas_of, bounds_of, vertices_of, warn_lost
from skgeo._input.cf_values import in_degrees
from skgeo._input.chunks import map_cells
from skgeo._input.conventions.recognise import convention, lost_grid, read_native
from skgeo._input.coordinates import SINGLE_ROUNDING
from skgeo._input.mask_alignment import align_mask
from skgeo._input.numbers import format_number
from skgeo._kernels.sphere import EARTH_RADIUS, band_heights, cell_areas
from skgeo._validation import import_optional
from skgeo.exceptions import CoordinateError

# Largest distance of a centre outside its box, as a share of the height or width of the box.
_BESIDE_BOX = 0.25
# Names of dimensions that count the faces of a cube or the tiles of a globe.
_FACES = re.compile(r"n?(cube_?)?(faces?|tiles?|panels?|f)|ncube|grid_?tiles?", re.IGNORECASE)


def layout(obj: Any) -> str:
    """The kind of the places of an object: "grid", "cells" or "points".

    Cells have two dimensions, or one dimension and areas or corners, or a convention of their own. Points have one
    dimension and none of these.
    """
    if convention(check_object(obj, "an array of (latitude, longitude) rows")) is not None:
        return "cells"
    latitude, longitude = _find_places(obj, 1)
    # An axis beside a coordinate of more dimensions only numbers the rows or columns of cells.
    if latitude.ndim != longitude.ndim:
        latitude, longitude = _find_places(obj, 2)
    if latitude.ndim == longitude.ndim == 1 and latitude.dims == longitude.dims:
        return "cells" if _have_sizes(obj, latitude, longitude) else "points"
    if latitude.ndim > 1 and set(latitude.dims) == set(longitude.dims):
        return "cells"
    # Two axes are a grid, unless coordinates of more dimensions show that the axes only number rows and columns.
    axes = latitude.ndim == longitude.ndim == 1
    return "cells" if axes and truer(obj, latitude, longitude) is not None else "grid"


def _find_places(obj: Any, ndim: int) -> tuple[Any, Any]:
    """Latitude and longitude; an error about absent ones also names the grid that the object may have lost."""
    try:
        return find_both(obj, ndim)
    except CoordinateError as error:
        lost = lost_grid(obj)
        if not lost:
            raise
        raise CoordinateError(f"{error}{lost}") from None


def _have_sizes(obj: Any, latitude: Any, longitude: Any) -> bool:
    """Whether cells along one dimension have areas or corners."""
    if areas_of(obj, latitude.dims).values is not None:
        return True
    return all(found.values is not None for found in vertices_of(obj, latitude, longitude))


def read_grid(obj: Any, mask: Any, *, centres: bool = False) -> dict[str, Any]:
    """The arguments of LatLonGrid: both axes, their bounds, the mask, and the sources of all. A lazy mask stays lazy.

    With ``centres``, only the centres matter: lost bounds give no warning, and the sources are left out.
    """
    axes = _find_places(check_object(obj, "LatLonGrid(latitude, longitude, mask)"), 1)
    check_axes(obj, *axes)
    bounds = [bounds_of(obj, axis, kind, 2, 2) for axis, kind in zip(axes, KINDS, strict=True)]
    arguments = {
        "latitude": in_degrees(axes[0]).to_numpy(),
        "longitude": in_degrees(axes[1]).to_numpy(),
        "mask": _read_mask(obj, mask, *axes),
        "latitude_bounds": None if bounds[0].values is None else bounds[0].values.to_numpy(),
        "longitude_bounds": None if bounds[1].values is None else bounds[1].values.to_numpy(),
    }
    if centres:
        return arguments
    # Where the centres determine the edges, lost bounds change nothing.
    matter = [found.lost and not _fills(axis, kind) for found, axis, kind in zip(bounds, axes, KINDS, strict=True)]
    lost = [(axis, found) for axis, found, does in zip(axes, bounds, matter, strict=True) if does]
    warn_lost(obj, lost, "edges are midway between the centres")
    edges = "none: edges are midway between the centres"
    return arguments | {"sources": _say_sources(obj, axes, mask, bounds, edges)}


def _say_sources(obj: Any, axes: Sequence[Any], mask: Any, bounds: Sequence[Found], none: str) -> dict[str, str]:
    """The sources of coordinates, bounds and mask in words; ``none`` is the text for absent bounds."""
    pairs = list(zip(axes, KINDS, strict=True))
    sources = {"coordinates": "; ".join(f"{axis.name} {say_how(axis, kind)}" for axis, kind in pairs)}
    parts = []
    for axis, found in zip(axes, bounds, strict=True):
        if found.values is not None:
            parts.append(f"{found.name} {found.how}")
        else:
            parts.append(f"{found.name} named by {axis.name} is lost, {none}" if found.lost else none)
    # Both coordinates often have the same text: write it once.
    sources["bounds"] = "; ".join(dict.fromkeys(parts))
    if isinstance(mask, str):
        sources["mask"] = "where the variable is never missing" if mask == "valid" else f"{mask} by its name"
    elif hasattr(mask, "dims"):
        sources["mask"] = f"{mask.name or 'a DataArray'} by its own coordinates"
    return sources


def _fills(axis: Any, kind: CoordinateKind) -> bool:
    """Whether equal steps of an axis reach from pole to pole, or once around the circle.

    Edges can then only be midway between the centres.
    """
    values = np.asarray(in_degrees(axis), dtype=np.float64)
    steps = np.abs(np.diff(values))
    if not steps.size or not np.isfinite(steps).all() or np.ptp(steps) > 1e-3 * steps.mean():
        return False
    # The tolerance is a share of the step, plus the rounding of axes in files, 1e-4 degrees.
    step, near = steps.mean(), 1e-3 * steps.mean() + 1e-4
    if kind is LONGITUDE:
        return bool(abs(step * values.size - 360.0) <= near)
    # The outermost centres are on the poles, or half a step away.
    ends = 90.0 - np.abs(values[[0, -1]])
    return bool((np.minimum(np.abs(ends), np.abs(ends - step / 2.0)) <= near).all())


def all_true_mask_like(obj: Any, ndim: int = 1) -> Any:
    """A mask that keeps all cells, in the chunks of the object; None if the object has none.

    With such a mask, the embedding of the cells is chunked, too.
    """
    # A convention may compute centres: ask for chunks first, which most objects do not have.
    if not any(variable.chunks for variable in (*variables_of(obj).values(), *_itself(obj))):
        return None
    if ndim > 1:
        obj = read_native(obj).obj
    latitude, longitude = find_both(obj, ndim)
    dims = tuple(dict.fromkeys(latitude.dims + longitude.dims))
    chunks = _chunks(obj, dims)
    if chunks is None:
        return None
    shape = [sum(along) for along in chunks]
    return import_optional("dask.array", "chunked data", "xarray").ones(shape, chunks=chunks, dtype=bool)


def _itself(obj: Any) -> list[Any]:
    """A DataArray in a list, as its coordinates do not contain it; an empty list for a Dataset."""
    return [] if hasattr(obj, "data_vars") else [obj]


def _chunks(obj: Any, dims: tuple[Hashable, ...]) -> tuple[tuple[int, ...], ...] | None:
    """Chunks along the given dimensions, from the first variable with chunks; None if no variable has any."""
    # Variables that come later do not replace the chunks of earlier ones.
    sizes: dict[Hashable, tuple[int, ...]] = {}
    for variable in (*variables_of(obj).values(), *_itself(obj)):
        sizes = {**variable.chunksizes, **sizes}
    return tuple(sizes.get(dim, (obj.sizes[dim],)) for dim in dims) if set(dims) & set(sizes) else None


def read_cells(obj: Any, mask: Any = None, *, centres: bool = False) -> dict[str, Any]:
    """The arguments of CellGrid in one or two dimensions, and the sources of these; arrays are NumPy or dask as stored.

    Cells on faces have three dimensions or more: they are put into one. With ``centres``, areas are not read.
    """
    given = check_object(obj, "CellGrid(latitude, longitude)")
    native = read_native(given)
    obj = native.obj
    latitude, longitude = axes = find_cells(obj)
    arrays: dict[str, Any] = {
        "latitude": in_degrees(latitude).data,
        "longitude": in_degrees(longitude).data,
        "mask": _read_mask(obj, mask, latitude, longitude, native=convention(given) is not None),
    }
    if centres:
        arrays |= {"areas": UNUSED, "vertices": None}
    else:
        around = native.vertices or vertices_of(obj, latitude, longitude)
        areas = native.areas or areas_of(obj, latitude.dims)
        arrays |= _read_sizes(obj, axes, (arrays["latitude"], arrays["longitude"]), around, areas)
        said = {"convention": native.words}
        arrays["sources"] = said | _say_sources(obj, axes, mask, around, "none") | arrays["sources"]
    return {name: _in_a_row(array, latitude.ndim) for name, array in arrays.items()} if latitude.ndim > 2 else arrays


def find_cells(obj: Any) -> tuple[Any, Any]:
    """Latitude and longitude of cells, on the same dimensions in the same order, those of faces first."""
    latitude, longitude = _find_places(check_object(obj, "CellGrid(latitude, longitude)"), 2)
    if 0 in (latitude.ndim, longitude.ndim):
        refuse_scalar(latitude, longitude)
    if set(latitude.dims) != set(longitude.dims):
        raise CoordinateError(
            f"{quoted_names(latitude, longitude)} have the dimensions {latitude.dims} and {longitude.dims}: "
            "expected the same for both. For a regular grid, use LatLonGrid.from_xarray(obj)."
        )
    if latitude.ndim > 2:
        # Put the dimensions of faces first, so that the last two are rows and columns.
        faces = [dim for dim in latitude.dims if _FACES.fullmatch(str(dim)) and not is_time(latitude, dim)]
        latitude = latitude.transpose(*faces, ...)
        if len(faces) < latitude.ndim - 2:
            extra = next(dim for dim in latitude.dims if dim not in faces)
            raise CoordinateError(
                f"{quoted_names(latitude, longitude)} have the dimensions {latitude.dims}: expected one or two, and "
                f"faces. Select one grid, obj.isel({extra}=0), or, if {extra!r} numbers parts of one grid, "
                f"obj.rename({extra}='face')."
            )
    return latitude, longitude.transpose(*latitude.dims)


def _read_sizes(
    obj: Any, axes: Sequence[Any], degrees: Sequence[Any], around: Sequence[Found], areas: Found
) -> dict[str, Any]:
    """The areas of cells and their source. Without areas, the vertices. Without both, areas on faces from neighbours.

    ``axes`` are latitude and longitude as stored, ``degrees`` their values in degrees, ``around`` their bounds.
    """
    latitude = axes[0]
    # Areas in the file come first: they are those of the model that made the data.
    if areas.values is not None:
        if all(found.values is not None for found in around):
            check_areas_of_corners(areas.values.data, areas.name, degrees, [found.values.data for found in around])
        return {"areas": areas.values.data, "vertices": None, "sources": {"areas": f"{areas.name} {areas.how}"}}
    corners: list[Any] = [None if found.values is None else found.values.data for found in around]
    if any(corner is None for corner in corners):
        lost = [(axis, found) for axis, found in zip(axes, around, strict=True) if found.lost]
        instead = "cells have unknown areas" if latitude.ndim == 1 else "areas come from the distances of the centres"
        warn_lost(obj, lost, instead)
        # CellGrid computes areas from neighbours itself, but it sees faces in one dimension, without neighbours.
        if latitude.ndim < 3:
            return {"areas": None, "vertices": None, "sources": {}}
        source = "computed from the distances to neighbouring centres of the same face"
        return {"areas": _areas_on_faces(*degrees), "vertices": None, "sources": {"areas": source}}
    # Two edges in each direction bound a box between parallels and meridians. More corners bound a polygon.
    if corners[0].shape[-1] == corners[1].shape[-1] == 2:
        boxes = map_cells(_box_areas, *degrees, *corners)
        return {"areas": boxes, "vertices": None, "sources": {"areas": "computed from the bounds"}}
    return {"areas": None, "vertices": tuple(corners), "sources": {}}


def _box_areas(latitude: Any, longitude: Any, rows: Any, columns: Any) -> Any:
    """Areas (n,) in square metres of boxes between parallels and meridians, from centres (n,) and both edges (n, 2)."""
    latitude, longitude = np.asarray(latitude), np.asarray(longitude)
    south, north = np.sort(rows.astype(np.float64), axis=-1).T
    # Longitudes of both edges are relative to the centre, so that a box may cross the seam.
    west, east = np.sort((columns.astype(np.float64) - longitude[:, np.newaxis] + 180.0) % 360.0 - 180.0, axis=-1).T
    # Edges at different numbers but one meridian go around the whole circle.
    around = (west == east) & (columns[:, 0] != columns[:, 1])
    # A centre may lie beside its box by a quarter of the size of the box, as it may lie beside a polygon.
    beside = [_BESIDE_BOX * (high - low) + SINGLE_ROUNDING for low, high in ((south, north), (west, east))]
    outside = (latitude < south - beside[0]) | (latitude > north + beside[0])
    outside |= ~around & ((west > beside[1]) | (east < -beside[1]))
    if outside.any():
        first = np.flatnonzero(outside)[0]
        raise CoordinateError(
            f"The bounds of {np.count_nonzero(outside)} cells do not enclose the centre, the first at {first}: "
            f"latitude {format_number(latitude[first])} has {rows[first].tolist()}, longitude "
            f"{format_number(longitude[first])} has {columns[first].tolist()}. Do they belong to other cells, or are "
            "they in another unit?"
        )
    return EARTH_RADIUS**2 * band_heights(south, north) * np.radians(np.where(around, 360.0, east - west))


def _areas_on_faces(latitude: Any, longitude: Any) -> Any:
    """Areas (..., h, w) in square metres, from the distances to the neighbours on the same face."""
    # Infinite coordinates are missing. np.where of a dask array gives a dask array.
    latitude, longitude = (np.where(np.isfinite(axis), axis, np.nan) for axis in (latitude, longitude))
    if latitude.ndim == 2:
        return map_cells(cell_areas, latitude, longitude, halo=1) * EARTH_RADIUS**2
    return np.stack([_areas_on_faces(*face) for face in zip(latitude, longitude, strict=True)])


def _in_a_row(array: Any, ndim: int) -> Any:
    """Arrays of cells with ``ndim`` dimensions as arrays with one; the dimension of corners stays the last."""
    if isinstance(array, tuple):
        return tuple(_in_a_row(each, ndim) for each in array)
    return array.reshape((-1, *array.shape[ndim:])) if hasattr(array, "reshape") else array


def read_points(obj: Any, *, centres: bool = False) -> Any:
    """Points (n, 2) along a dimension, latitude first; a dask array if the object is chunked along this dimension.

    With ``centres``, lost bounds give no warning.
    """
    axes = find_both(obj, 1)
    # Coordinates that name lost bounds were those of cells. Points all weigh the same, so warn.
    if not centres:
        found = [bounds_of(obj, axis, kind, 2, np.inf) for axis, kind in zip(axes, KINDS, strict=True)]
        lost = [(axis, each) for axis, each in zip(axes, found, strict=True) if each.lost]
        warn_lost(obj, lost, "cells of unknown area are read as points")
    chunks = _chunks(obj, axes[0].dims)
    latitude, longitude = map(in_degrees, axes)
    if chunks is None:
        return np.column_stack([latitude.to_numpy(), longitude.to_numpy()])
    da = import_optional("dask.array", "chunked data", "xarray")
    return da.stack([da.asarray(axis.data).rechunk(chunks) for axis in (latitude, longitude)], axis=1)


def _read_mask(obj: Any, mask: Any, latitude: Any, longitude: Any, *, native: bool = False) -> Any:
    """The mask as an array along the dimensions of the grid; a lazy mask stays lazy.

    ``native`` says that the object needs its other variables: no cure may select a part of them.
    """
    xarray = import_optional("xarray", "from_xarray", "xarray")
    if isinstance(mask, str):
        mask = _named_mask(obj, mask, latitude, longitude, native)
    if isinstance(mask, xarray.Dataset):
        raise CoordinateError(f"mask is a Dataset: select one of its variables {list(map(str, mask.data_vars))}.")
    return align_mask(mask, obj, latitude, longitude) if isinstance(mask, xarray.DataArray) else mask


def _named_mask(obj: Any, name: str, latitude: Any, longitude: Any, native: bool) -> Any:
    """The variable with this name; for "valid", a mask of the cells where the variable of the grid is never missing."""
    variables, dims = variables_of(obj), tuple(dict.fromkeys(latitude.dims + longitude.dims))
    if name != "valid":
        if name in variables:
            return variables[name]
        raise CoordinateError(f"mask={name!r}: no such variable; there are {list(map(str, variables))}, and 'valid'.")
    if name in variables:
        raise CoordinateError("mask='valid' is a variable too: pass obj['valid'], or obj['sst'].notnull().all('time').")
    if hasattr(obj, "data_vars"):
        places = (latitude.name, longitude.name)
        fields = [field for field in fields_of(obj) if set(dims) <= set(field.dims) and field.name not in places]
        if len(fields) != 1:
            names = [str(field.name) for field in fields]
            cure = f"select one, {with_geometry(obj, fields[0].name)}" if names and not native else "give a mask"
            if names and native:
                more = [dim for dim in fields[0].dims if dim not in dims]
                cure += f", mask=obj[{fields[0].name!r}].notnull()" + (f".all({more})" if more else "")
            raise CoordinateError(f"mask='valid': {len(fields)} variables have the dimensions {dims}, {names}: {cure}.")
        obj = fields[0]
    # A cell is valid where no time, level or member of the variable is missing.
    present = obj.notnull()
    return present.all([dim for dim in present.dims if dim not in dims])
