"""Bridge to xarray: latitude and longitude of an object, found as the CF conventions say (chapters 4 and 5).

https://cfconventions.org. Values of other variables are never touched.
"""

import re
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from skgeo._input.cf_values import angle_unit, attribute, in_degrees, same_along
from skgeo._input.names import LATITUDE_NAMES, LONGITUDE_NAMES, match_coordinate_names
from skgeo._validation import import_optional
from skgeo.exceptions import CoordinateError

if TYPE_CHECKING:
    import xarray as xr


class CoordinateKind(NamedTuple):
    """How a coordinate is told: standard name, units, axis and usual names, all in lower case."""

    name: str
    units: tuple[str, ...]
    axis: str
    names: tuple[str, ...]
    icon: str


# All spellings of the units that the CF conventions allow, sections 4.1 and 4.2.
LATITUDE = CoordinateKind(
    "latitude",
    ("degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"),
    "y",
    (*LATITUDE_NAMES, "nav_lat", "geolat", "xlat", "xlat_m", "latcell", "grid_center_lat"),
    "clat",
)
LONGITUDE = CoordinateKind(
    "longitude",
    ("degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"),
    "x",
    (*LONGITUDE_NAMES, "nav_lon", "geolon", "xlong", "xlong_m", "loncell", "grid_center_lon"),
    "clon",
)

KINDS = (LATITUDE, LONGITUDE)

_LENGTHS = ("m", "meter", "meters", "metre", "metres", "km", "kilometer", "kilometers", "kilometre", "kilometres")
_ROTATED = ("grid_latitude", "grid_longitude", "rlat", "rlon")
_PROJECTED = ("projection_y_coordinate", "projection_x_coordinate", "x", "y", "easting", "northing")
_BOUNDS_NAME = re.compile(r"(_|^)(bnds|bounds|vertices|corners?)(_|$)", re.IGNORECASE)
# Dimensions of the edges or corners of cells; what has one beside others is no centre.
_CORNERS = re.compile(
    r"n_?v\d*|(n|axis_n|grid_)?_?(bnds?|bounds?|vert|vertex|vertices|corners?|crn)(_.*|\d*)?", re.IGNORECASE
)
# The areas of cells in an attribute such as "area: areacello volume: volcello".
_MEASURE = re.compile(r"area:\s*(\S+)")
# What axes say of themselves that only number the rows and columns of another grid.
_NO_PLACE = re.compile(r"\b(nominal|fake|fictitious|dummy|index|indices)\b", re.IGNORECASE)
# Latitudes of more dimensions that differ by more degrees from the one-dimensional ones are the true ones.
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


def find_both(obj: Any, ndim: int) -> tuple["xr.DataArray", "xr.DataArray"]:
    """Latitude and longitude as they are stored, of ``ndim`` dimensions (2: or more) where there is a choice."""
    latitude, longitude = find_pair(obj, ndim)
    if latitude is None or longitude is None:
        _refuse_absent(obj, LATITUDE if latitude is None else LONGITUDE)
    return latitude, longitude


def find_pair(obj: Any, ndim: int) -> tuple["xr.DataArray | None", "xr.DataArray | None"]:
    """As :func:`find_both`, None where there is none."""
    pair = find(obj, LATITUDE, ndim), find(obj, LONGITUDE, ndim)
    if any(axis is None for axis in pair):
        pair = _by_names(obj, *pair)
    for axis, kind, other in zip(pair, KINDS, KINDS[::-1], strict=True):
        if axis is not None and str(axis.name).strip().lower() in other.names:
            raise CoordinateError(
                f"{axis.name!r} is a {kind.name} {say_how(axis, kind)}, but not by its name. Correct the one or the "
                f"other, for instance obj[{axis.name!r}].attrs['units'] = {other.units[0]!r}."
            )
    latitude, longitude = (None if axis is None else at_rest(axis) for axis in pair)
    return latitude, longitude


def _by_names(obj: Any, latitude: Any, longitude: Any) -> tuple[Any, Any]:
    """The one pair of names such as decimalLatitude and decimalLongitude, where units and the like do not tell both."""
    axes = {axis.name: axis for pool in candidate_variables(obj) for axis in pool if not says_nominal(axis)}
    pairs = [
        names
        for names in match_coordinate_names(axes)
        if all(_may_be(axes[name], kind) for name, kind in zip(names, KINDS, strict=True))
        and all(axis is None or axis.name == name for axis, name in zip((latitude, longitude), names, strict=True))
    ]
    if len(pairs) > 1:
        raise CoordinateError(
            f"More than one pair of latitude and longitude: {pairs}. Keep one, obj.drop_vars({list(pairs[1])})."
        )
    return (axes[pairs[0][0]], axes[pairs[0][1]]) if pairs else (latitude, longitude)


def _may_be(axis: Any, kind: CoordinateKind) -> bool:
    """Whether the units of a variable are those of a kind, or of any angle; WRF has degrees latitude."""
    units = attribute(axis, "units").replace(" ", "_")
    others = [other for other in KINDS if other is not kind]
    elsewhere = any(units in other.units or other.name in units for other in others)
    return units in kind.units or (angle_unit(units) is not None and not elsewhere)


def find(obj: Any, kind: CoordinateKind, ndim: int) -> "xr.DataArray | None":
    """The coordinate of a kind: among coordinates, then variables, by what the CF conventions say, then by name."""
    candidates = [
        [axis for axis in pool if identification_rank(axis, kind) is not None] for pool in candidate_variables(obj)
    ]
    if ndim > 1 and any(_rank(axis) > 1 for pool in candidates for axis in pool):
        candidates = [[axis for axis in pool if _rank(axis) > 1] for pool in candidates]
    for pool in candidates:
        best = min((identification_rank(axis, kind) or 0 for axis in pool), default=None)
        found = [axis for axis in pool if identification_rank(axis, kind) == best]
        found = [axis for axis in found if _rank(axis) == ndim] or found
        found = _of_the_fields(obj, found) if len(found) > 1 else found
        if len(found) > 1:
            names = [axis.name for axis in found]
            apart = len({frozenset(axis.dims) for axis in found}) > 1
            cure = _select_one(obj, [axis for axis in found if apart])
            raise CoordinateError(f"More than one {kind.name}: {names}. Keep one, obj.drop_vars({names[1]!r}){cure}.")
        if found:
            return found[0]
    return None


def _of_the_fields(obj: Any, found: list[Any]) -> list[Any]:
    """Of several coordinates that of the variables: which these name, else which is on their dimensions."""
    fields = fields_of(obj)
    named = {name for field in fields for name in attribute_or_encoding(field, "coordinates").split()}
    found = [axis for axis in found if axis.name in named] or found
    return [axis for axis in found if any(set(axis.dims) <= set(field.dims) for field in fields)] or found


def _select_one(obj: Any, found: list[Any]) -> str:
    """How to choose a grid by a variable that is on it, without the loss of its bounds and areas; empty if not."""
    for axis in found:
        for field in fields_of(obj):
            if hasattr(obj, "data_vars") and set(axis.dims) <= set(field.dims):
                return f", or select the variable whose grid you mean, {with_geometry(obj, field.name)}"
    return ""


def with_geometry(obj: Any, name: Hashable) -> str:
    """The code that selects a variable of a Dataset together with its coordinates, bounds and areas."""
    field, variables, measured = obj[name], variables_of(obj), measured_areas(obj)
    axes = [axis.name for axis in variables.values() if is_place(axis) and set(axis.dims) <= set(field.dims)]
    more = [each for each in axes if each not in obj.coords]
    more += [bounds for each in axes if (bounds := attribute_or_encoding(variables[each], "bounds")) in variables]
    areas = [area for area in variables.values() if is_area(area) or area.name in measured]
    more += [area.name for area in areas if set(area.dims) <= set(field.dims)]
    return f"obj[{[name, *more]}]" if more else f"obj[{name!r}]"


def fields_of(obj: Any) -> list[Any]:
    """What the object is about: the variables of a Dataset that say nothing of where cells are; a DataArray itself."""
    if not hasattr(obj, "data_vars"):
        return [obj]
    areas = measured_areas(obj)
    return [
        field
        for field in list(candidate_variables(obj))[1]
        if field.name not in areas and not is_place(field) and not is_area(field)
    ]


def measured_areas(obj: Any) -> list[str]:
    """Names of the areas of cells, where attributes ``cell_measures`` have them."""
    variables = variables_of(obj).values() if hasattr(obj, "data_vars") else [obj]
    found = [_MEASURE.search(attribute_or_encoding(variable, "cell_measures")) for variable in variables]
    return list(dict.fromkeys(match[1] for match in found if match))


def is_place(variable: Any) -> bool:
    """Whether a variable is a latitude or longitude."""
    return any(identification_rank(variable, kind) is not None for kind in KINDS)


def is_area(variable: Any) -> bool:
    """Whether a variable has the areas of cells."""
    return attribute(variable, "standard_name") == "cell_area" or str(variable.name).lower() in AREA_NAMES


# Areas without a standard name: those of ICON, CAM, MPAS and of tools that regrid; they count in units of an area only.
AREA_NAMES = ("cell_area", "areacello", "areacella", "area", "grid_area", "areacell")


def candidate_variables(obj: Any) -> Iterator[list[Any]]:
    """Coordinates, and the variables of a Dataset; without bounds, which have the units of their coordinate."""
    bounds = {attribute_or_encoding(axis, "bounds") for axis in variables_of(obj).values()}
    for pool in (obj.coords, getattr(obj, "data_vars", {})):
        yield [axis for name, axis in pool.items() if name not in bounds and not _are_corners(axis)]


def _are_corners(axis: Any) -> bool:
    """Whether a variable has edges or corners of cells, by its name or a dimension."""
    return bool(
        _BOUNDS_NAME.search(str(axis.name))
        or (axis.ndim > 1 and any(_CORNERS.fullmatch(str(dim)) for dim in axis.dims))
    )


def identification_rank(axis: Any, kind: CoordinateKind) -> int | None:
    """How a variable is known to be of a kind: 0 by standard name, 1 units, 2 axis, 3 name; None if it is not."""
    return None if says_nominal(axis) else _told(axis, kind)


def _told(axis: Any, kind: CoordinateKind) -> int | None:
    standard_name, name = attribute(axis, "standard_name"), str(axis.name).strip().lower()
    units = attribute(axis, "units").replace(" ", "_")
    if standard_name == kind.name:
        return 0
    if name == kind.icon and angle_unit(units) == "radians":  # whose grid files call it grid_latitude
        return 3
    if standard_name in (LATITUDE.name, LONGITUDE.name, *_ROTATED, *_PROJECTED) or name in _ROTATED:
        return None
    if units in kind.units:
        return 1
    if not _may_be(axis, kind):
        return None
    if attribute(axis, "axis") == kind.axis and name not in _PROJECTED and not standard_name:
        return 2
    return 3 if name in kind.names else None


def say_how(axis: Any, kind: CoordinateKind) -> str:
    """How a variable is known to be of a kind, in words."""
    told = identification_rank(axis, kind)
    how = ("standard_name", "units", "axis", "name")[3 if told is None else told]
    return f"by its {how}" + (", in radians" if angle_unit(attribute(axis, "units")) == "radians" else "")


def says_nominal(axis: Any) -> bool:
    """Whether an axis says of itself that it is no place, as those of MOM6 and GEOS do."""
    return _NO_PLACE.search(str(axis.attrs.get("long_name", ""))) is not None


def _rank(axis: Any) -> int:
    """Dimensions in space: without time, and without those of size one where there are more than two."""
    dims = [dim for dim in axis.dims if not is_time(axis, dim)] or list(axis.dims)
    longer = sum(axis.sizes[dim] > 1 for dim in dims)
    return max(longer, min(len(dims), 2))


def at_rest(axis: Any) -> Any:
    """Without the times, members and the like of a model's output, along which a coordinate does not change."""
    for dim in axis.dims:
        if axis.ndim > 2 and axis.sizes[dim] == 1:
            axis = axis.isel({dim: 0})
    for dim in axis.dims[:-2] + tuple(dim for dim in axis.dims[-2:] if is_time(axis, dim)):
        if axis.ndim > 1 and same_along(axis, dim):
            axis = axis.isel({dim: 0})
        elif axis.ndim > 2 and is_time(axis, dim):
            raise CoordinateError(f"{axis.name!r} changes along {dim!r}: select one grid, obj.isel({dim}=0).")
    return axis


def is_time(variable: Any, dim: Hashable) -> bool:
    """Whether a dimension is time, by its name or its coordinate."""
    if "time" in str(dim).lower() or str(dim).lower() in ("t", "date"):
        return True
    labels = variable.coords.get(dim)
    if labels is None:
        return False
    return labels.dtype.kind == "M" or attribute(labels, "axis") == "t" or attribute(labels, "standard_name") == "time"


def check_axes(obj: Any, latitude: "xr.DataArray", longitude: "xr.DataArray") -> None:
    """Two axes with a dimension each, and no curvilinear grid behind them."""
    if 0 in (latitude.ndim, longitude.ndim):
        refuse_scalar(latitude, longitude)
    if latitude.ndim > 1 or longitude.ndim > 1:
        reason = f"{quoted_names(latitude, longitude)} have the dimensions {latitude.dims} and {longitude.dims}: "
        reason += "LatLonGrid takes axes of one dimension each."
        _refuse_grid(obj, _strange_axes(obj) or reason)
    (row,), (column,) = latitude.dims, longitude.dims
    if row == column:
        import pandas as pd  # comes with xarray

        if isinstance(obj.indexes.get(row), pd.MultiIndex):
            cure = f"Unstack it, obj.unstack({row!r})"
        else:
            cure = "If these are points, pass the object to the encoder; if cells, use CellGrid.from_xarray(obj)"
        raise CoordinateError(
            f"{quoted_names(latitude, longitude)} share the dimension {row!r}: no regular grid. {cure}."
        )
    true = truer(obj, latitude, longitude)
    if true:
        _refuse_grid(obj, f"{quoted_names(latitude, longitude)} are nominal: {true[0]!r} has other {true[1]}s.")


def truer(obj: Any, latitude: Any, longitude: Any) -> tuple[Hashable, str] | None:
    """A coordinate of more dimensions that shows both axes to be nominal, and its kind; None if there is none."""
    row_and_column = {*latitude.dims, *longitude.dims}
    for axis in (axis for pool in candidate_variables(obj) for axis in pool if row_and_column <= set(axis.dims)):
        for kind, nominal in ((LATITUDE, latitude), (LONGITUDE, longitude)):
            if identification_rank(axis, kind) is not None:
                one, other = in_degrees(axis), in_degrees(nominal)
                away = abs((one.drop_vars(one.coords) - other.drop_vars(other.coords) + 180.0) % 360.0 - 180.0).max()
                if float(away) > _NOMINAL:
                    return axis.name, kind.name
    return None


def refuse_scalar(latitude: Any, longitude: Any) -> NoReturn:
    name = (latitude if latitude.ndim == 0 else longitude).name
    raise CoordinateError(f"{name!r} is a single value without a dimension: select a list, obj.sel({name}=[...]).")


def _refuse_absent(obj: Any, kind: CoordinateKind) -> NoReturn:
    """Nothing that is known to be of a kind: a grid that has none, or names that say nothing."""
    strange = _strange_axes(obj)
    if strange:
        _refuse_grid(obj, strange)
    corners = [name for name, axis in variables_of(obj).items() if _are_corners(axis) and _told(axis, kind) is not None]
    if corners:
        raise CoordinateError(
            f"No {kind.name} of centres: {corners} are corners of cells. Add the centres with obj.assign_coords, and "
            f"name the corners in their attributes, obj['{kind.name}'].attrs['bounds'] = {str(corners[0])!r}."
        )
    nominal = [name for name, axis in variables_of(obj).items() if says_nominal(axis) and _told(axis, kind) is not None]
    if nominal:
        said = str(obj[nominal[0]].attrs["long_name"])
        raise CoordinateError(
            f"No {kind.name}: {nominal} are no places, {nominal[0]!r} says {said!r}. Add the true ones, of two or more "
            "dimensions, with obj.assign_coords, from the grid file of the model; if these are the true ones, correct "
            "their attribute long_name."
        )
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
    flat = [axis for pool in candidate_variables(obj) for axis in pool if axis.ndim > 1]
    places = [[axis.name for axis in flat if identification_rank(axis, kind) is not None] for kind in KINDS]
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


def quoted_names(latitude: Any, longitude: Any) -> str:
    """Both coordinates by their names."""
    return f"latitude {latitude.name!r} and longitude {longitude.name!r}"


def variables_of(obj: Any) -> dict[Hashable, Any]:
    """Coordinates, and the variables of a Dataset."""
    return {**obj.coords, **getattr(obj, "data_vars", {})}


def attribute_or_encoding(variable: Any, name: str) -> str:
    """An attribute that names other variables; xarray moves some to the encoding."""
    return str(variable.attrs.get(name, variable.encoding.get(name, "")))
