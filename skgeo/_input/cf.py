"""Bridge to xarray: find the latitude and longitude of an object by the CF conventions (chapters 4 and 5).

The conventions are at https://cfconventions.org. This module never reads the values of other variables.
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
    """The marks of a kind of coordinate: standard name, units, axis and usual names, all in lower case.

    ``icon`` is the name that the grid files of the ICON model use.
    """

    name: str
    units: tuple[str, ...]
    axis: str
    names: tuple[str, ...]
    icon: str


# The units are all spellings that the CF conventions allow (sections 4.1 and 4.2), in lower case.
LATITUDE = CoordinateKind(
    "latitude",
    ("degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"),
    "y",
    (*LATITUDE_NAMES, "nav_lat", "geolat", "xlat", "xlat_m", "latcell", "grid_center_lat", "grid_latt"),
    "clat",
)
LONGITUDE = CoordinateKind(
    "longitude",
    ("degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"),
    "x",
    (*LONGITUDE_NAMES, "nav_lon", "geolon", "xlong", "xlong_m", "loncell", "grid_center_lon", "grid_lont"),
    "clon",
)

KINDS = (LATITUDE, LONGITUDE)

# Units and names of coordinates that are not latitude and longitude: projected and rotated axes.
_LENGTHS = ("m", "meter", "meters", "metre", "metres", "km", "kilometer", "kilometers", "kilometre", "kilometres")
_ROTATED = ("grid_latitude", "grid_longitude", "rlat", "rlon")
_PROJECTED = ("projection_y_coordinate", "projection_x_coordinate", "x", "y", "easting", "northing")
# Words in the name of a variable that holds edges or corners of cells.
_BOUNDS_NAME = re.compile(r"(_|^)(bnds|bounds|vertices|corners?)(_|$)|_(b|edges?)$", re.IGNORECASE)
# Names of the dimension that counts the edges or corners of a cell. A variable that has it beside others is no centre.
_CORNERS = re.compile(
    r"n_?v\d*|(n|axis_n|grid_)?_?(bnds?|bounds?|vert|vertex|vertices|corners?|crn)(_.*|\d*)?", re.IGNORECASE
)
# The name of the variable with the areas in an attribute such as "area: areacello volume: volcello".
_MEASURE = re.compile(r"area:\s*(\S+)")
# Words in the long_name of axes that only number the rows and columns of another grid.
_NO_PLACE = re.compile(r"\b(nominal|fake|fictitious|dummy|index|indices)\b", re.IGNORECASE)
# Degrees. Two-dimensional coordinates that differ by more from the axes are the true ones, and the axes are nominal.
_NOMINAL = 1e-3


def check_object(obj: Any, instead: str) -> Any:
    """Return the object; refuse it unless it is a Dataset or DataArray."""
    xarray = import_optional("xarray", "from_xarray", "xarray")
    if not isinstance(obj, xarray.Dataset | xarray.DataArray):
        hint = "select one of its groups with .to_dataset()" if hasattr(obj, "to_dataset") else f"use {instead}"
        raise CoordinateError(
            f"obj is a {type(obj).__name__}: expected an xarray Dataset or DataArray; for anything else {hint}."
        )
    return obj


def find_both(obj: Any, ndim: int) -> tuple["xr.DataArray", "xr.DataArray"]:
    """Latitude and longitude as they are stored; refused if one is absent.

    Where there is a choice, they have ``ndim`` dimensions; ``ndim=2`` means two or more.
    """
    latitude, longitude = find_pair(obj, ndim)
    if latitude is None or longitude is None:
        _refuse_absent(obj, LATITUDE if latitude is None else LONGITUDE)
    return latitude, longitude


def find_pair(obj: Any, ndim: int) -> tuple["xr.DataArray | None", "xr.DataArray | None"]:
    """Latitude and longitude as :func:`find_both` returns them, with None in place of an absent one."""
    pair = find(obj, LATITUDE, ndim), find(obj, LONGITUDE, ndim)
    # Names such as start_lat decide last: units and standard names are more certain.
    if any(axis is None for axis in pair):
        pair = _by_names(obj, *pair)
    # A variable named longitude with the units of latitude is an error in the file: refuse to guess.
    for axis, kind, other in zip(pair, KINDS, KINDS[::-1], strict=True):
        if axis is not None and str(axis.name).strip().lower() in other.names:
            raise CoordinateError(
                f"{axis.name!r} is a {kind.name} {say_how(axis, kind)}, but not by its name. Correct the one or the "
                f"other, for instance obj[{axis.name!r}].attrs['units'] = {other.units[0]!r}."
            )
    latitude, longitude = (None if axis is None else at_rest(axis) for axis in pair)
    return latitude, longitude


def _by_names(obj: Any, latitude: Any, longitude: Any) -> tuple[Any, Any]:
    """The single pair of variables with names such as decimalLatitude and decimalLongitude; else the pair given.

    A pair is left out if its units are those of another kind, or if a coordinate found by its units is not in the pair.
    """
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
    """Whether the units of a variable are those of a kind, or those of any angle.

    WRF writes "degrees latitude": units with the name of the other kind are excluded.
    """
    units = attribute(axis, "units").replace(" ", "_")
    others = [other for other in KINDS if other is not kind]
    elsewhere = any(units in other.units or other.name in units for other in others)
    return units in kind.units or (angle_unit(units) is not None and not elsewhere)


def find(obj: Any, kind: CoordinateKind, ndim: int) -> "xr.DataArray | None":
    """The coordinate of a kind, or None; refused if several fit equally well.

    Coordinates come before variables, marks of the CF conventions before names.
    """
    candidates = [
        [axis for axis in pool if identification_rank(axis, kind) is not None] for pool in candidate_variables(obj)
    ]
    # If cells are wanted, a coordinate of more dimensions excludes the axes of one dimension.
    if ndim > 1 and any(_n_space_dims(axis) > 1 for pool in candidates for axis in pool):
        candidates = [[axis for axis in pool if _n_space_dims(axis) > 1] for pool in candidates]
    # Keep the best rank, then the wanted number of dimensions, then the coordinates of the data variables.
    for pool in candidates:
        best = min((identification_rank(axis, kind) or 0 for axis in pool), default=None)
        found = [axis for axis in pool if identification_rank(axis, kind) == best]
        found = [axis for axis in found if _n_space_dims(axis) == ndim] or found
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
    """Those of several coordinates that the data variables name, else those on the dimensions of a data variable."""
    fields = fields_of(obj)
    named = {name for field in fields for name in attribute_or_encoding(field, "coordinates").split()}
    found = [axis for axis in found if axis.name in named] or found
    return [axis for axis in found if any(set(axis.dims) <= set(field.dims) for field in fields)] or found


def _select_one(obj: Any, found: list[Any]) -> str:
    """The advice to select a variable on one of the grids together with its bounds and areas; empty if none fits."""
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
    """The data variables of a Dataset: those that are no coordinates, bounds or areas of cells; a DataArray itself."""
    if not hasattr(obj, "data_vars"):
        return [obj]
    areas = measured_areas(obj)
    return [
        field
        for field in list(candidate_variables(obj))[1]
        if field.name not in areas and not is_place(field) and not is_area(field)
    ]


def measured_areas(obj: Any) -> list[str]:
    """The names of areas of cells in the attributes ``cell_measures`` of all variables."""
    variables = variables_of(obj).values() if hasattr(obj, "data_vars") else [obj]
    found = [_MEASURE.search(attribute_or_encoding(variable, "cell_measures")) for variable in variables]
    return list(dict.fromkeys(match[1] for match in found if match))


def is_place(variable: Any) -> bool:
    """Whether a variable is a latitude or longitude."""
    return any(identification_rank(variable, kind) is not None for kind in KINDS)


def is_area(variable: Any) -> bool:
    """Whether a variable holds the areas of cells."""
    return attribute(variable, "standard_name") == "cell_area" or str(variable.name).lower() in AREA_NAMES


# Names of areas without a standard name, from ICON, CAM, MPAS and regridding tools. Their units must be an area, too.
AREA_NAMES = ("cell_area", "areacello", "areacella", "area", "grid_area", "areacell")


def candidate_variables(obj: Any) -> Iterator[list[Any]]:
    """Yield the coordinates, then the variables of a Dataset. Bounds are left out: they have units of a coordinate."""
    bounds = {attribute_or_encoding(axis, "bounds") for axis in variables_of(obj).values()}
    for pool in (obj.coords, getattr(obj, "data_vars", {})):
        yield [axis for name, axis in pool.items() if name not in bounds and not _are_corners(axis)]


def _are_corners(axis: Any) -> bool:
    """Whether a variable holds edges or corners of cells, by its name or a dimension."""
    return bool(
        _BOUNDS_NAME.search(str(axis.name))
        or (axis.ndim > 1 and any(_CORNERS.fullmatch(str(dim)) for dim in axis.dims))
    )


def identification_rank(axis: Any, kind: CoordinateKind) -> int | None:
    """The mark by which a variable is of a kind: 0 standard name, 1 units, 2 axis, 3 name; None if it is not."""
    return None if says_nominal(axis) else _rank_by_marks(axis, kind)


def _rank_by_marks(axis: Any, kind: CoordinateKind) -> int | None:
    """The rank of identification_rank, also for axes whose long_name says that they are nominal."""
    standard_name, name = attribute(axis, "standard_name"), str(axis.name).strip().lower()
    units = attribute(axis, "units").replace(" ", "_")
    if standard_name == kind.name:
        return 0
    # ICON gives its true latitude the standard name of a rotated axis, so this test comes before the next one.
    if name == kind.icon and angle_unit(units) == "radians":
        return 3
    # The standard name of another kind, or of a rotated or projected axis, excludes a variable with any units.
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
    """The words for the mark by which a variable is of a kind."""
    rank = identification_rank(axis, kind)
    how = ("standard_name", "units", "axis", "name")[3 if rank is None else rank]
    return f"by its {how}" + (", in radians" if angle_unit(attribute(axis, "units")) == "radians" else "")


def says_nominal(axis: Any) -> bool:
    """Whether the ``long_name`` of an axis says that it is nominal, as MOM6 and GEOS write it."""
    return _NO_PLACE.search(str(axis.attrs.get("long_name", ""))) is not None


def _n_space_dims(axis: Any) -> int:
    """Number of dimensions in space: without time, and without those of size one if there are more than two."""
    dims = [dim for dim in axis.dims if not is_time(axis, dim)] or list(axis.dims)
    longer = sum(axis.sizes[dim] > 1 for dim in dims)
    return max(longer, min(len(dims), 2))


def at_rest(axis: Any) -> Any:
    """A coordinate without the dimensions along which it does not change, such as times and members."""
    for dim in axis.dims:
        if axis.ndim > 2 and axis.sizes[dim] == 1:
            axis = axis.isel({dim: 0})
    # The last two dimensions are rows and columns, unless one of them is time.
    for dim in axis.dims[:-2] + tuple(dim for dim in axis.dims[-2:] if is_time(axis, dim)):
        if axis.ndim > 1 and same_along(axis, dim):
            axis = axis.isel({dim: 0})
        elif axis.ndim > 2 and is_time(axis, dim):
            raise CoordinateError(f"{axis.name!r} changes along {dim!r}: select one grid, obj.isel({dim}=0).")
    return axis


def is_time(variable: Any, dim: Hashable) -> bool:
    """Whether a dimension is time, by its name, or by the dtype or attributes of its coordinate."""
    if "time" in str(dim).lower() or str(dim).lower() in ("t", "date"):
        return True
    labels = variable.coords.get(dim)
    if labels is None:
        return False
    return labels.dtype.kind == "M" or attribute(labels, "axis") == "t" or attribute(labels, "standard_name") == "time"


def check_axes(obj: Any, latitude: "xr.DataArray", longitude: "xr.DataArray") -> None:
    """Refuse two coordinates unless each has one dimension of its own, and no curvilinear grid is behind them."""
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
    """The name and kind of a two-dimensional coordinate that differs from its axis; None if there is none.

    Both axes are nominal then: they number the rows and columns of a curvilinear grid.
    """
    row_and_column = {*latitude.dims, *longitude.dims}
    for axis in (axis for pool in candidate_variables(obj) for axis in pool if row_and_column <= set(axis.dims)):
        for kind, nominal in ((LATITUDE, latitude), (LONGITUDE, longitude)):
            if identification_rank(axis, kind) is not None:
                one, other = in_degrees(axis), in_degrees(nominal)
                # Differences go across the seam. Without coordinates, xarray aligns the two by position.
                away = abs((one.drop_vars(one.coords) - other.drop_vars(other.coords) + 180.0) % 360.0 - 180.0).max()
                if float(away) > _NOMINAL:
                    return axis.name, kind.name
    return None


def refuse_scalar(latitude: Any, longitude: Any) -> NoReturn:
    """Refuse a coordinate without dimensions."""
    name = (latitude if latitude.ndim == 0 else longitude).name
    raise CoordinateError(f"{name!r} is a single value without a dimension: select a list, obj.sel({name}=[...]).")


def _refuse_absent(obj: Any, kind: CoordinateKind) -> NoReturn:
    """Refuse an object without a latitude or longitude, with the probable reason."""
    # The most certain reasons come first: rotated or projected axes, corners without centres, nominal axes.
    strange = _strange_axes(obj)
    if strange:
        _refuse_grid(obj, strange)
    corners = [
        name
        for name, axis in variables_of(obj).items()
        if _are_corners(axis) and _rank_by_marks(axis, kind) is not None
    ]
    if corners:
        raise CoordinateError(
            f"No {kind.name} of centres: {corners} are corners of cells. Add the centres with obj.assign_coords, and "
            f"name the corners in their attributes, obj['{kind.name}'].attrs['bounds'] = {str(corners[0])!r}."
        )
    nominal = [
        name
        for name, axis in variables_of(obj).items()
        if says_nominal(axis) and _rank_by_marks(axis, kind) is not None
    ]
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
    """The sentence that names rotated or projected axes; empty if there are none."""
    axes = [axis for axis in obj.coords.values() if axis.ndim == 1]
    rotated = [axis.name for axis in axes if {str(axis.name).lower(), attribute(axis, "standard_name")} & {*_ROTATED}]
    if rotated:
        return f"The coordinates {rotated} are those of a rotated pole: no latitude and longitude."
    projected = [axis.name for axis in axes if _is_projected(axis)]
    if projected:
        return f"The coordinates {projected} may be projected, or in either order: no latitude and longitude."
    return ""


def _is_projected(axis: Any) -> bool:
    """Whether an axis is a distance by its attributes, or has a usual name of projected axes."""
    distance = attribute(axis, "units") in _LENGTHS and attribute(axis, "axis") in ("x", "y")
    return distance or bool({str(axis.name).lower(), attribute(axis, "standard_name")} & {*_PROJECTED})


def _refuse_grid(obj: Any, reason: str) -> NoReturn:
    """Refuse a grid whose rows and columns are no parallels and meridians, with the way to read it."""
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
    """The value of an attribute that names other variables. xarray moves some of these to the encoding."""
    value = variable.attrs.get(name, variable.encoding.get(name, ""))
    # Some writers store a list of strings in the place of one text with blanks.
    listed = isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 1
    return " ".join(map(str, value)) if listed else str(value)
