"""Bridge to xarray: find latitude and longitude in an object and read them; label values of cells and patches.

Coordinates are found as the CF conventions say (https://cfconventions.org, chapters 4, 5 and 7). Values of variables
other than coordinates and the mask are never touched, and what is chunked stays chunked.
"""

import json
import re
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from skgeo._coordinates import LATITUDE_NAMES, LONGITUDE_NAMES, number
from skgeo._parameters import check_parameter, import_optional
from skgeo._patch_table import read_patches
from skgeo._version import __version__
from skgeo.exceptions import CoordinateError

if TYPE_CHECKING:
    import xarray as xr

    from skgeo.grid import LatLonGrid


class Kind(NamedTuple):
    """How a coordinate is told: standard name, units, axis and usual names, all in lower case."""

    name: str
    units: tuple[str, ...]
    axis: str
    names: tuple[str, ...]


class Axis(NamedTuple):
    """A coordinate of a grid to be written: name, dimension, values and attributes."""

    name: Hashable
    dim: Hashable
    values: npt.NDArray[Any]
    attributes: dict[Any, Any]


# All spellings of the units that the CF conventions allow, sections 4.1 and 4.2.
LATITUDE = Kind(
    "latitude",
    ("degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"),
    "y",
    (*LATITUDE_NAMES, "nav_lat"),
)
LONGITUDE = Kind(
    "longitude",
    ("degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"),
    "x",
    (*LONGITUDE_NAMES, "nav_lon"),
)

_PLAIN_DEGREES = ("", "1", "degrees", "degree", "deg", "°")
_RADIANS = ("radians", "radian", "rad")
_LENGTHS = ("m", "meter", "meters", "metre", "metres", "km", "kilometer", "kilometers", "kilometre", "kilometres")
_ROTATED = ("grid_latitude", "grid_longitude", "rlat", "rlon")
_PROJECTED = ("projection_y_coordinate", "projection_x_coordinate", "x", "y", "easting", "northing")
# Square metres in a unit of area.
_AREA_UNITS = {"m2": 1.0, "m^2": 1.0, "m**2": 1.0, "m 2": 1.0, "km2": 1e6, "km^2": 1e6, "km**2": 1e6}
_BOUNDS_NAME = re.compile(r"(_|^)(bnds|bounds|vertices)(_|$)", re.IGNORECASE)
# Two-dimensional latitudes that differ by more degrees from the one-dimensional ones are those of a curvilinear grid.
_NOMINAL = 1e-3
# Coordinates of a mask may be off by the rounding of single precision, in degrees.
_SAME_PLACE = 1e-4

# Units of the descriptors of PatchScaleFeaturizer; everything else is a pure number.
_UNITS = dict.fromkeys(("extent_lon", "extent_lat", "pixel_lon", "pixel_lat", "pixel_scale"), "m") | {"area": "m2"}
_EDGES = {"south": "degrees_north", "north": "degrees_north", "west": "degrees_east", "east": "degrees_east"}


# --- reading ---


def read_grid(obj: Any, mask: Any) -> dict[str, Any]:
    """The arguments of LatLonGrid: both axes, their bounds and the mask, lazy if it was."""
    latitude, longitude = _find_both(check_object(obj, "LatLonGrid(latitude, longitude, mask)"), 1)
    _check_axes(obj, latitude, longitude)
    return {
        "latitude": latitude.to_numpy(),
        "longitude": longitude.to_numpy(),
        "mask": _read_mask(obj, mask, latitude, longitude),
        "latitude_bounds": _find_bounds(obj, latitude, LATITUDE, 2, 2),
        "longitude_bounds": _find_bounds(obj, longitude, LONGITUDE, 2, 2),
    }


def read_cells(obj: Any, mask: Any = None) -> dict[str, Any]:
    """Curvilinear or unstructured cells: all arrays as they are stored, NumPy or dask.

    ``latitude``, ``longitude`` and ``mask`` (or None) have the dimensions ``dims``, ``areas`` (m2, or None) too;
    ``vertices`` is None or latitudes and longitudes with one more dimension, the vertices of a cell.
    """
    latitude, longitude = _find_both(check_object(obj, "CellGrid(latitude, longitude)"), 2)
    if 0 in (latitude.ndim, longitude.ndim):
        _refuse_scalar(latitude, longitude)
    if set(latitude.dims) != set(longitude.dims):
        raise CoordinateError(
            f"{_say(latitude, longitude)} have the dimensions {latitude.dims} and {longitude.dims}: those of cells are "
            "on the same ones. Of a regular grid, use LatLonGrid.from_xarray(obj)."
        )
    if latitude.ndim > 2:
        raise CoordinateError(
            f"{_say(latitude, longitude)} have the dimensions {latitude.dims}: expected one or two. "
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
        "dims": dims,
    }


def read_points(obj: Any) -> tuple[Any, Any, tuple[Hashable, ...]]:
    """Latitudes and longitudes of points, NumPy or dask, and the dimensions they share: one, or those of a swath."""
    latitude, longitude = _find_both(check_object(obj, "an array of (latitude, longitude) rows"), 1)
    if 0 in (latitude.ndim, longitude.ndim):
        _refuse_scalar(latitude, longitude)
    if set(latitude.dims) != set(longitude.dims):
        raise CoordinateError(
            f"{_say(latitude, longitude)} are the axes of a grid, no points: use LatLonGrid.from_xarray(obj), "
            "or stack them, obj.stack(point=" + repr((*latitude.dims, *longitude.dims)) + ")."
        )
    return latitude.data, longitude.transpose(*latitude.dims).data, latitude.dims


def check_object(obj: Any, instead: str) -> Any:
    """Refuse what is no Dataset or DataArray."""
    xarray = import_optional("xarray", "from_xarray", "xarray")
    if not isinstance(obj, xarray.Dataset | xarray.DataArray):
        hint = "select one of its groups with .to_dataset()" if hasattr(obj, "to_dataset") else f"use {instead}"
        raise CoordinateError(
            f"obj is a {type(obj).__name__}: expected an xarray Dataset or DataArray; for anything else {hint}."
        )
    return obj


def _find_both(obj: Any, ndim: int) -> tuple["xr.DataArray", "xr.DataArray"]:
    """Latitude and longitude in degrees, of so many dimensions where there is a choice."""
    latitude, longitude = _find(obj, LATITUDE, ndim), _find(obj, LONGITUDE, ndim)
    if latitude is None or longitude is None:
        _refuse_absent(obj, LATITUDE if latitude is None else LONGITUDE)
    for axis, kind in ((latitude, LATITUDE), (longitude, LONGITUDE)):
        if _attribute(axis, "units") in _RADIANS:
            raise CoordinateError(
                f"{kind.name} {axis.name!r} is in radians. Degrees are expected: obj.assign_coords({axis.name}="
                f"np.degrees(obj[{axis.name!r}]).assign_attrs(units={kind.units[0]!r}))."
            )
    return latitude, longitude


def _find(obj: Any, kind: Kind, ndim: int) -> "xr.DataArray | None":
    """The coordinate of a kind: among coordinates, then variables, by what the CF conventions say, then by name."""
    pools = [[_squeeze(axis, ndim) for axis in pool] for pool in _pools(obj)]
    if ndim > 1 and any(_told(axis, kind) is not None and axis.ndim == ndim for pool in pools for axis in pool):
        pools = [[axis for axis in pool if axis.ndim == ndim] for pool in pools]
    for pool in pools:
        told = [(_told(axis, kind), axis) for axis in pool]
        best = min((how for how, _ in told if how is not None), default=None)
        found = [axis for how, axis in told if how is not None and how == best]
        found = [axis for axis in found if axis.ndim == ndim] or found
        if len(found) > 1:
            raise CoordinateError(
                f"More than one {kind.name}: {[axis.name for axis in found]}. Keep one, obj.drop_vars(...), or select "
                "the variable whose grid you mean, obj['sst']."
            )
        if found:
            return found[0]
    return None


def _pools(obj: Any) -> Iterator[list[Any]]:
    """Coordinates, and the variables of a Dataset; without bounds, which have the units of their coordinate."""
    bounds = {_declared(axis, "bounds") for axis in _variables(obj).values()}
    for pool in (obj.coords, getattr(obj, "data_vars", {})):
        yield [axis for name, axis in pool.items() if name not in bounds and not _BOUNDS_NAME.search(str(name))]


def _told(axis: Any, kind: Kind) -> int | None:
    """How a variable is known to be of a kind: 0 by standard name, 1 units, 2 axis, 3 name; None if it is not."""
    standard_name, units, name = _attribute(axis, "standard_name"), _attribute(axis, "units"), str(axis.name).lower()
    if standard_name == kind.name:
        return 0
    if standard_name in (LATITUDE.name, LONGITUDE.name, *_ROTATED, *_PROJECTED) or name in _ROTATED:
        return None
    if units in kind.units:
        return 1
    if units not in (*_PLAIN_DEGREES, *_RADIANS):
        return None
    if _attribute(axis, "axis") == kind.axis and name not in _PROJECTED:
        return 2
    return 3 if name in kind.names else None


def _attribute(axis: Any, name: str) -> str:
    """An attribute in lower case; empty if it is not there."""
    return str(axis.attrs.get(name, "")).strip().lower()


def _squeeze(axis: Any, ndim: int) -> Any:
    """Without dimensions of size one as long as it has too many, such as the time of a model's output."""
    single = [dim for dim, size in axis.sizes.items() if size == 1]
    return axis.isel(dict.fromkeys(single[: max(axis.ndim - max(ndim, 2), 0)], 0))


def _check_axes(obj: Any, latitude: "xr.DataArray", longitude: "xr.DataArray") -> None:
    """Two axes with a dimension each, and no curvilinear grid behind them."""
    if 0 in (latitude.ndim, longitude.ndim):
        _refuse_scalar(latitude, longitude)
    if latitude.ndim > 1 or longitude.ndim > 1:
        reason = f"{_say(latitude, longitude)} have the dimensions {latitude.dims} and {longitude.dims}: "
        reason += "LatLonGrid takes axes of one dimension each."
        _refuse_grid(obj, _strange_axes(obj) or reason)
    (row,), (column,) = latitude.dims, longitude.dims
    if row == column:
        import pandas as pd  # comes with xarray

        if isinstance(obj.indexes.get(row), pd.MultiIndex):
            cure = f"Unstack it, obj.unstack({row!r})"
        else:
            cure = "If these are points, pass the object to the encoder; if cells, use CellGrid.from_xarray(obj)"
        raise CoordinateError(f"{_say(latitude, longitude)} share the dimension {row!r}: no regular grid. {cure}.")
    for axis in (axis for pool in _pools(obj) for axis in pool):
        if set(axis.dims) == {row, column} and _told(axis, LATITUDE) is not None:
            away = abs(axis - latitude.drop_vars(latitude.coords)).max()
            if float(away) > _NOMINAL:
                reason = f"{_say(latitude, longitude)} are nominal: {axis.name!r} has other latitudes."
                _refuse_grid(obj, reason)


def _refuse_scalar(latitude: Any, longitude: Any) -> NoReturn:
    name = (latitude if latitude.ndim == 0 else longitude).name
    raise CoordinateError(f"{name!r} is a single value without a dimension: select a list, obj.sel({name}=[...]).")


def _refuse_absent(obj: Any, kind: Kind) -> NoReturn:
    """Nothing that is known to be of a kind: a grid that has none, or names that say nothing."""
    strange = _strange_axes(obj)
    if strange:
        _refuse_grid(obj, strange)
    raise CoordinateError(
        f"No {kind.name} among {list(map(str, _variables(obj)))}. Add it with obj.assign_coords, name it {kind.name!r} "
        f"with obj.rename, or say which it is: obj['name'].attrs['standard_name'] = {kind.name!r}."
    )


def _strange_axes(obj: Any) -> str:
    """What axes there are that are no latitude and longitude; empty if none are known."""
    axes = [axis for axis in obj.coords.values() if axis.ndim == 1]
    rotated = [axis.name for axis in axes if {str(axis.name).lower(), _attribute(axis, "standard_name")} & {*_ROTATED}]
    if rotated:
        return f"The coordinates {rotated} are those of a rotated pole: no latitude and longitude."
    projected = [axis.name for axis in axes if _is_projected(axis)]
    if projected:
        return f"The coordinates {projected} may be projected, or in either order: no latitude and longitude."
    return ""


def _is_projected(axis: Any) -> bool:
    """Whether an axis says that it is a distance, or is called as those are."""
    distance = _attribute(axis, "units") in _LENGTHS and _attribute(axis, "axis") in ("x", "y")
    return distance or bool({str(axis.name).lower(), _attribute(axis, "standard_name")} & {*_PROJECTED})


def _refuse_grid(obj: Any, reason: str) -> NoReturn:
    """Refuse a grid whose rows and columns are no parallels and meridians, and say what to do with it."""
    flat = [axis for pool in _pools(obj) for axis in pool if axis.ndim > 1]
    places = [[axis.name for axis in flat if _told(axis, kind) is not None] for kind in (LATITUDE, LONGITUDE)]
    if all(places):
        cure = f"Use the two-dimensional {places[0][0]!r} and {places[1][0]!r} with CellGrid.from_xarray(obj)."
    else:
        mappings = [name for name, variable in _variables(obj).items() if "grid_mapping_name" in variable.attrs]
        mapping = "".join(f" {name!r}" for name in mappings[:1])
        cure = (
            f"Compute two-dimensional latitude and longitude with pyproj from the grid mapping{mapping}, add them with "
            "obj.assign_coords, and use CellGrid.from_xarray(obj). Only if y and x are latitude and longitude in "
            "degrees: obj.rename(y='latitude', x='longitude')."
        )
    raise CoordinateError(f"{reason} {cure}")


def _say(latitude: Any, longitude: Any) -> str:
    """Both coordinates by their names."""
    return f"latitude {latitude.name!r} and longitude {longitude.name!r}"


def _variables(obj: Any) -> dict[Hashable, Any]:
    """Coordinates, and the variables of a Dataset."""
    return {**obj.coords, **getattr(obj, "data_vars", {})}


def _declared(variable: Any, name: str) -> str:
    """An attribute that names other variables; xarray moves some to the encoding."""
    return str(variable.attrs.get(name, variable.encoding.get(name, "")))


# --- bounds, areas, masks ---


def _find_bounds(obj: Any, axis: Any, kind: Kind, least: float, most: float) -> Any:
    """Bounds of a coordinate, or None: of the variable that it names, else of one with the usual name."""
    variables, declared = _variables(obj), _declared(axis, "bounds")
    names = dict.fromkeys([str(axis.name).lower(), kind.name, *kind.names])
    usual = [f"{name}_{end}" for name in names for end in ("bnds", "bounds", "vertices")]
    usual += [f"{start}_{name}" for name in names for start in ("bnds", "bounds", "vertices")]
    by_name = {str(name).lower(): name for name in variables}
    for name in (declared, *(by_name.get(each) for each in usual)):
        if name is None or name not in variables:
            continue
        bounds = _drop_single(variables[name], axis.dims)
        corners = [dim for dim in bounds.dims if dim not in axis.dims]
        if len(corners) == 1 and set(axis.dims) < set(bounds.dims) and least <= bounds.sizes[corners[0]] <= most:
            return bounds.transpose(*axis.dims, *corners).data
        if name == declared:
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
    variables = _variables(obj)
    of = variables.values() if hasattr(obj, "data_vars") else [obj]
    measures = [re.search(r"area:\s*(\S+)", _declared(variable, "cell_measures")) for variable in of]
    names = [match[1] for match in measures if match]
    names += [name for name, variable in variables.items() if _attribute(variable, "standard_name") == "cell_area"]
    for name in names:
        areas = _drop_single(variables[name], dims) if name in variables else None
        if areas is not None and set(areas.dims) == set(dims) and _attribute(areas, "units") in _AREA_UNITS:
            factor = _AREA_UNITS[_attribute(areas, "units")]
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
    variables = _variables(obj)
    if name != "valid":
        if name in variables:
            return variables[name]
        raise CoordinateError(f"mask={name!r}: no such variable; there are {list(map(str, variables))}, and 'valid'.")
    if name in variables:
        raise CoordinateError("mask='valid' is a variable too: pass obj['valid'], or obj['sst'].notnull().all('time').")
    if hasattr(obj, "data_vars"):
        kinds = (LATITUDE, LONGITUDE)
        fields = [field for field in list(_pools(obj))[1] if not any(_told(field, kind) is not None for kind in kinds)]
        fields = [field for field in fields if set(dims) <= set(field.dims)]
        if len(fields) != 1:
            names = [str(field.name) for field in fields]
            cure = f"select one, obj[{names[0]!r}]" if names else "give a mask"
            raise CoordinateError(f"mask='valid': {len(fields)} variables have the dimensions {dims}, {names}: {cure}.")
        obj = fields[0]
    present = obj.notnull()  # noqa: PD004 - xarray has no notna
    return present.all([dim for dim in present.dims if dim not in dims])


def _align_axis(mask: Any, axis: Any, kind: Kind) -> tuple[Hashable, npt.NDArray[np.intp] | None]:
    """The dimension of a mask that is an axis of the grid, and the order that makes its values the grid's."""
    own = _find(mask, kind, 1)
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


# --- writing ---


def label_cells(
    grid: "LatLonGrid",
    values: Any,
    names: Sequence[str] | None = None,
    *,
    estimator: Any = None,
    name: str = "embedding",
    like: Any = None,
) -> "xr.Dataset":
    """A Dataset of values of the cells of a grid; ``like`` gives it the names and coordinates of another object."""
    xarray = import_optional("xarray", "to_xarray", "xarray")
    values = _as_array(values)
    labels = _feature_names(names, estimator)
    n_cells = grid.shape[0] * grid.shape[1]
    # A column of cells, (n, 1), is either; names say that it is one feature.
    table = values.ndim == 2 and (values.shape != grid.shape or labels is not None)
    flat = values.shape[:1] == (n_cells,) and (values.ndim == 1 or table)
    cells = (n_cells,) if flat else grid.shape
    rest = values.shape[len(cells) :]
    fits = values.shape[: len(cells)] == cells and len(rest) <= 1
    accepted = f"shape ({n_cells},), ({n_cells}, k), {grid.shape} or ({grid.shape[0]}, {grid.shape[1]}, k)"
    check_parameter("values.shape", values.shape, fits, accepted)
    axes = _axes_of(grid) if like is None else _axes_like(like)
    coordinates, dims = _cell_coordinates(grid, axes)
    coordinates |= _feature_coordinate(labels, rest)
    variable = (dims + ("feature",) * len(rest), values.reshape(grid.shape + rest))
    return _without_fill(xarray.Dataset({name: variable}, coordinates, _attributes(estimator)))


def label_patches(
    values: Any,
    patches: Any,
    names: Sequence[str] | None = None,
    *,
    estimator: Any = None,
    index: npt.ArrayLike | None = None,
) -> "xr.Dataset":
    """A Dataset of features of patches; see ``skgeo.xarray.patches_to_xarray``."""
    xarray = import_optional("xarray", "patches_to_xarray", "xarray")
    values = _as_array(values)
    coordinates = _patch_coordinates(patches)
    n_patches = len(next(iter(coordinates.values()))[1])
    fits = values.ndim == 2 and values.shape[0] == n_patches
    check_parameter("values.shape", values.shape, fits, f"({n_patches}, k), one row per patch")
    rows: Any = getattr(patches, "index", None)
    if index is None and list(getattr(rows, "names", [])) == ["row", "column"]:
        index = np.array(list(rows))
    if index is not None:
        index = np.asarray(index)
        check_parameter("index.shape", index.shape, index.shape == (n_patches, 2), f"({n_patches}, 2), row and column")
        for i, along in enumerate(("row", "column")):
            coordinates[along] = ("patch", index[:, i], {"long_name": f"{along} of the first pixel in the grid"})
    labels = _feature_names(names, estimator)
    coordinates |= _feature_coordinate(labels, values.shape[1:])
    if labels is not None:
        units = [_feature_unit(label) for label in labels]
        coordinates["unit"] = ("feature", np.array(units, dtype=object), {"long_name": "unit of the feature"})
    variable = (("patch", "feature"), values, {"long_name": "features of the patches"})
    return _without_fill(xarray.Dataset({"features": variable}, coordinates, _attributes(estimator)))


def _as_array(values: Any) -> Any:
    """Arrays as they are, lazy ones too, also of a DataArray; anything else as NumPy."""
    values = values.data if hasattr(values, "dims") else values
    return values if hasattr(values, "dask") or isinstance(values, np.ndarray) else np.asarray(values)


def _feature_names(names: Sequence[str] | None, estimator: Any) -> list[str] | None:
    """The names given, else those of the estimator, else None."""
    if names is None and estimator is not None:
        names = estimator.get_feature_names_out()
    return None if names is None else [str(name) for name in names]


def _feature_coordinate(labels: list[str] | None, rest: tuple[int, ...]) -> dict[Hashable, Any]:
    """The names of the features; objects, as Zarr has no specification for text of fixed width."""
    if labels is None:
        return {}
    check_parameter("names", labels, (len(labels),) == rest, f"one name for each of the {rest} features")
    return {"feature": ("feature", np.array(labels, dtype=object), {"long_name": "name of the feature"})}


def _axes_of(grid: "LatLonGrid") -> list[Axis]:
    """Both coordinates of a grid."""
    latitude, longitude = grid._axes()
    return [Axis("latitude", "latitude", latitude, {}), Axis("longitude", "longitude", longitude, {})]


def _axes_like(obj: Any) -> list[Axis]:
    """Both coordinates of an object."""
    named = [
        (axis, {key: axis.attrs[key] for key in ("long_name",) if key in axis.attrs}) for axis in _find_both(obj, 1)
    ]
    return [Axis(axis.name, axis.dims[0], axis.to_numpy(), attributes) for axis, attributes in named]


def _cell_coordinates(grid: "LatLonGrid", axes: list[Axis]) -> tuple[dict[Hashable, Any], tuple[Hashable, Hashable]]:
    """The coordinates of the cells with their bounds, as CF wants them, and their dimensions."""
    coordinates: dict[Hashable, Any] = {}
    edges = grid.latitude_edges, grid.longitude_edges
    for kind, bounds, (name, dim, values, attributes) in zip((LATITUDE, LONGITUDE), edges, axes, strict=True):
        known = {"standard_name": kind.name, "units": kind.units[0], "axis": kind.axis.upper()}
        coordinates[name] = (dim, values, {**attributes, **known, "bounds": f"{name}_bnds"})
        coordinates[f"{name}_bnds"] = ((dim, "bnds"), bounds)
    return coordinates, (axes[0][1], axes[1][1])


def _patch_coordinates(patches: Any) -> dict[Hashable, Any]:
    """Edges and pixel counts of a patch table, or the pixel centres of stacks of pixels."""
    if np.ndim(patches) == 4:
        stacks = np.asarray(patches)
        check_parameter("patches.shape", stacks.shape, stacks.shape[3] == 2, "(n_patches, 6) or (n_patches, h, w, 2)")
        return {
            kind.name: (("patch", "y", "x"), stacks[..., i], {"standard_name": kind.name, "units": kind.units[0]})
            for i, kind in enumerate((LATITUDE, LONGITUDE))
        }
    boxes = read_patches(patches).boxes
    coordinates: dict[Hashable, Any] = {
        name: ("patch", getattr(boxes, name), {"long_name": f"{name} edge of the patch", "units": units})
        for name, units in _EDGES.items()
    }
    coordinates["east"][2]["comment"] = "runs past 180 or 360 where the patch crosses the antimeridian"
    for name, along in (("n_lat", "latitude"), ("n_lon", "longitude")):
        coordinates[name] = ("patch", getattr(boxes, name), {"long_name": f"pixels along {along}"})
    return coordinates


def _feature_unit(name: str) -> str:
    """The unit of a feature, by its name, which may have the prefix of a FeatureUnion."""
    plain = name.rpartition("__")[2]
    unit = _UNITS.get(plain.removeprefix("log_"), "1")
    return f"ln(re 1 {unit})" if plain.startswith("log_") and unit != "1" else unit


def _attributes(estimator: Any) -> dict[str, str]:
    """What a file says of its origin."""
    attributes = {"Conventions": "CF-1.8", "skgeo_version": __version__}
    if estimator is not None:
        attributes["estimator"] = type(estimator).__name__
        attributes["estimator_parameters"] = json.dumps(estimator.get_params(deep=False), default=_as_json)
    return attributes


def _as_json(value: Any) -> Any:
    """What JSON has no form for: estimators by class and parameters, arrays as lists, functions by name."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return {type(value).__name__: value.get_params(deep=False)}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return getattr(value, "__qualname__", None) or str(value)


def _without_fill(dataset: "xr.Dataset") -> "xr.Dataset":
    """Coordinates have no missing values, and CF wants none declared."""
    for coordinate in dataset.coords.values():
        if coordinate.dtype.kind == "f":
            coordinate.encoding["_FillValue"] = None
    return dataset
