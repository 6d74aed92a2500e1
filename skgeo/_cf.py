"""Bridge to xarray: latitude and longitude of an object, found as the CF conventions say (chapters 4 and 5).

https://cfconventions.org. Values of other variables are never touched.
"""

import re
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from skgeo._coordinates import LATITUDE_NAMES, LONGITUDE_NAMES
from skgeo._parameters import import_optional
from skgeo.exceptions import CoordinateError

if TYPE_CHECKING:
    import xarray as xr


class Kind(NamedTuple):
    """How a coordinate is told: standard name, units, axis and usual names, all in lower case."""

    name: str
    units: tuple[str, ...]
    axis: str
    names: tuple[str, ...]


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
_BOUNDS_NAME = re.compile(r"(_|^)(bnds|bounds|vertices)(_|$)", re.IGNORECASE)
# Two-dimensional latitudes that differ by more degrees from the one-dimensional ones are those of a curvilinear grid.
_NOMINAL = 1e-3


def check_object(obj: Any, instead: str) -> Any:
    """Refuse what is no Dataset or DataArray."""
    xarray = import_optional("xarray", "from_xarray", "xarray")
    if not isinstance(obj, xarray.Dataset | xarray.DataArray):
        hint = "select one of its groups with .to_dataset()" if hasattr(obj, "to_dataset") else f"use {instead}"
        raise CoordinateError(
            f"obj is a {type(obj).__name__}: expected an xarray Dataset or DataArray; for anything else {hint}."
        )
    return obj


def is_xarray(X: object) -> bool:
    """Whether X is an xarray object; xarray is not imported to see that."""
    return any(kind.__module__.partition(".")[0] == "xarray" for kind in type(X).__mro__)


def layout(obj: Any) -> str:
    """How the places of an object lie: "grid", "cells" in two dimensions, or "points" along one."""
    latitude, longitude = find_both(check_object(obj, "an array of (latitude, longitude) rows"), 1)
    if latitude.ndim == longitude.ndim == 1 and latitude.dims == longitude.dims:
        return "points"
    return "cells" if latitude.ndim > 1 and set(latitude.dims) == set(longitude.dims) else "grid"


def find_both(obj: Any, ndim: int) -> tuple["xr.DataArray", "xr.DataArray"]:
    """Latitude and longitude in degrees, of so many dimensions where there is a choice."""
    latitude, longitude = find(obj, LATITUDE, ndim), find(obj, LONGITUDE, ndim)
    if latitude is None or longitude is None:
        _refuse_absent(obj, LATITUDE if latitude is None else LONGITUDE)
    for axis, kind in ((latitude, LATITUDE), (longitude, LONGITUDE)):
        if attribute(axis, "units") in _RADIANS:
            raise CoordinateError(
                f"{kind.name} {axis.name!r} is in radians. Degrees are expected: obj.assign_coords({axis.name}="
                f"np.degrees(obj[{axis.name!r}]).assign_attrs(units={kind.units[0]!r}))."
            )
    return latitude, longitude


def find(obj: Any, kind: Kind, ndim: int) -> "xr.DataArray | None":
    """The coordinate of a kind: among coordinates, then variables, by what the CF conventions say, then by name."""
    candidates = [[_squeeze(axis, ndim) for axis in pool] for pool in pools(obj)]
    if ndim > 1 and any(told_how(axis, kind) is not None and axis.ndim == ndim for pool in candidates for axis in pool):
        candidates = [[axis for axis in pool if axis.ndim == ndim] for pool in candidates]
    for pool in candidates:
        told = [(told_how(axis, kind), axis) for axis in pool]
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


def pools(obj: Any) -> Iterator[list[Any]]:
    """Coordinates, and the variables of a Dataset; without bounds, which have the units of their coordinate."""
    bounds = {declared(axis, "bounds") for axis in variables_of(obj).values()}
    for pool in (obj.coords, getattr(obj, "data_vars", {})):
        yield [axis for name, axis in pool.items() if name not in bounds and not _BOUNDS_NAME.search(str(name))]


def told_how(axis: Any, kind: Kind) -> int | None:
    """How a variable is known to be of a kind: 0 by standard name, 1 units, 2 axis, 3 name; None if it is not."""
    standard_name, units, name = attribute(axis, "standard_name"), attribute(axis, "units"), str(axis.name).lower()
    if standard_name == kind.name:
        return 0
    if standard_name in (LATITUDE.name, LONGITUDE.name, *_ROTATED, *_PROJECTED) or name in _ROTATED:
        return None
    if units in kind.units:
        return 1
    if units not in (*_PLAIN_DEGREES, *_RADIANS):
        return None
    if attribute(axis, "axis") == kind.axis and name not in _PROJECTED:
        return 2
    return 3 if name in kind.names else None


def attribute(axis: Any, name: str) -> str:
    """An attribute in lower case; empty if it is not there."""
    return str(axis.attrs.get(name, "")).strip().lower()


def _squeeze(axis: Any, ndim: int) -> Any:
    """Without dimensions of size one as long as it has too many, such as the time of a model's output."""
    single = [dim for dim, size in axis.sizes.items() if size == 1]
    return axis.isel(dict.fromkeys(single[: max(axis.ndim - max(ndim, 2), 0)], 0))


def check_axes(obj: Any, latitude: "xr.DataArray", longitude: "xr.DataArray") -> None:
    """Two axes with a dimension each, and no curvilinear grid behind them."""
    if 0 in (latitude.ndim, longitude.ndim):
        refuse_scalar(latitude, longitude)
    if latitude.ndim > 1 or longitude.ndim > 1:
        reason = f"{say(latitude, longitude)} have the dimensions {latitude.dims} and {longitude.dims}: "
        reason += "LatLonGrid takes axes of one dimension each."
        _refuse_grid(obj, _strange_axes(obj) or reason)
    (row,), (column,) = latitude.dims, longitude.dims
    if row == column:
        import pandas as pd  # comes with xarray

        if isinstance(obj.indexes.get(row), pd.MultiIndex):
            cure = f"Unstack it, obj.unstack({row!r})"
        else:
            cure = "If these are points, pass the object to the encoder; if cells, use CellGrid.from_xarray(obj)"
        raise CoordinateError(f"{say(latitude, longitude)} share the dimension {row!r}: no regular grid. {cure}.")
    for axis in (axis for pool in pools(obj) for axis in pool):
        if set(axis.dims) == {row, column} and told_how(axis, LATITUDE) is not None:
            away = abs(axis - latitude.drop_vars(latitude.coords)).max()
            if float(away) > _NOMINAL:
                reason = f"{say(latitude, longitude)} are nominal: {axis.name!r} has other latitudes."
                _refuse_grid(obj, reason)


def refuse_scalar(latitude: Any, longitude: Any) -> NoReturn:
    name = (latitude if latitude.ndim == 0 else longitude).name
    raise CoordinateError(f"{name!r} is a single value without a dimension: select a list, obj.sel({name}=[...]).")


def _refuse_absent(obj: Any, kind: Kind) -> NoReturn:
    """Nothing that is known to be of a kind: a grid that has none, or names that say nothing."""
    strange = _strange_axes(obj)
    if strange:
        _refuse_grid(obj, strange)
    raise CoordinateError(
        f"No {kind.name} among {list(map(str, variables_of(obj)))}. Add it with obj.assign_coords, name it "
        f"{kind.name!r} with obj.rename, or say which it is: obj['name'].attrs['standard_name'] = {kind.name!r}."
    )


def _strange_axes(obj: Any) -> str:
    """What axes there are that are no latitude and longitude; empty if none are known."""
    axes = [axis for axis in obj.coords.values() if axis.ndim == 1]
    rotated = [axis.name for axis in axes if {str(axis.name).lower(), attribute(axis, "standard_name")} & {*_ROTATED}]
    if rotated:
        return f"The coordinates {rotated} are those of a rotated pole: no latitude and longitude."
    projected = [axis.name for axis in axes if _is_projected(axis)]
    if projected:
        return f"The coordinates {projected} may be projected, or in either order: no latitude and longitude."
    return ""


def _is_projected(axis: Any) -> bool:
    """Whether an axis says that it is a distance, or is called as those are."""
    distance = attribute(axis, "units") in _LENGTHS and attribute(axis, "axis") in ("x", "y")
    return distance or bool({str(axis.name).lower(), attribute(axis, "standard_name")} & {*_PROJECTED})


def _refuse_grid(obj: Any, reason: str) -> NoReturn:
    """Refuse a grid whose rows and columns are no parallels and meridians, and say what to do with it."""
    flat = [axis for pool in pools(obj) for axis in pool if axis.ndim > 1]
    places = [[axis.name for axis in flat if told_how(axis, kind) is not None] for kind in (LATITUDE, LONGITUDE)]
    if all(places):
        cure = f"Use the two-dimensional {places[0][0]!r} and {places[1][0]!r} with CellGrid.from_xarray(obj)."
    else:
        mappings = [name for name, variable in variables_of(obj).items() if "grid_mapping_name" in variable.attrs]
        mapping = "".join(f" {name!r}" for name in mappings[:1])
        cure = (
            f"Compute two-dimensional latitude and longitude with pyproj from the grid mapping{mapping}, add them with "
            "obj.assign_coords, and use CellGrid.from_xarray(obj). Only if y and x are latitude and longitude in "
            "degrees: obj.rename(y='latitude', x='longitude')."
        )
    raise CoordinateError(f"{reason} {cure}")


def say(latitude: Any, longitude: Any) -> str:
    """Both coordinates by their names."""
    return f"latitude {latitude.name!r} and longitude {longitude.name!r}"


def variables_of(obj: Any) -> dict[Hashable, Any]:
    """Coordinates, and the variables of a Dataset."""
    return {**obj.coords, **getattr(obj, "data_vars", {})}


def declared(variable: Any, name: str) -> str:
    """An attribute that names other variables; xarray moves some to the encoding."""
    return str(variable.attrs.get(name, variable.encoding.get(name, "")))
