"""Values of CF variables in degrees and square metres, with NaN for missing ones; chunked values stay chunked.

The attributes of each variable decide how to read it: some files hold vertices in radians beside centres in degrees.
"""

import re
from typing import Any

import numpy as np

from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo.exceptions import CoordinateError

# Spellings of units in lower case. Files without units have an empty text, "1" or "none".
_RADIANS = re.compile(r"rad(ian)?s?")
_DEGREES = re.compile(
    r"(?:(?:decimal|arc)[ _]?)?(?:deg(?:ree)?s?|°)(?:[ _]?(?:n|e|north|east|lat|lon|latitude|longitude))?"
)
_UNSAID = ("", "1", "none")
# Units of area as square lengths or square angles, in the spellings of UDUNITS: m2, m^2, m**2, m 2, square metres.
_SQUARE = re.compile(r"(?:(?:square|sq\.?)[ _](?P<word>[a-z]+)|(?P<base>[a-z]+) ?(?:\^|\*\*)? ?2)")
# Metres in a unit of length. A radian is the radius of the Earth, so that its square gives areas on the Earth.
_LENGTHS = {
    **dict.fromkeys(("m", "meter", "metre", "meters", "metres"), 1.0),
    **dict.fromkeys(("km", "kilometer", "kilometre", "kilometers", "kilometres"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre", "centimeters", "centimetres"), 1e-2),
    **dict.fromkeys(("rad", "rads", "radian", "radians"), EARTH_RADIUS),
}
_AREAS = {"ha": 1e4, "hectare": 1e4, **dict.fromkeys(("sr", "steradian", "steradians"), EARTH_RADIUS**2)}


def attribute(axis: Any, name: str) -> str:
    """An attribute in lower case; empty if the variable lacks it."""
    return str(axis.attrs.get(name, "")).strip().lower()


def angle_unit(units: str) -> str | None:
    """The unit of an angle from an attribute in lower case: "degrees", "radians", "" if there is none, else None."""
    if units in _UNSAID:
        return ""
    if _RADIANS.fullmatch(units):
        return "radians"
    return "degrees" if _DEGREES.fullmatch(units) else None


def area_unit(units: str) -> float | None:
    """Square metres on the Earth in a unit of area; None for any other unit."""
    units = units.replace("²", "2")
    if units in _AREAS:
        return _AREAS[units]
    match = _SQUARE.fullmatch(units)
    length = _LENGTHS.get(match["word"] or match["base"]) if match else None
    return None if length is None else length**2


def in_degrees(axis: Any, of: Any = None) -> Any:
    """A coordinate in degrees, by its own units. Bounds without units have those of the coordinate ``of``."""
    axis = decoded(axis)
    units = attribute(axis, "units")
    unit = angle_unit(units)
    if unit is None:
        raise CoordinateError(
            f"{axis.name!r} has the units {units!r}: expected degrees or radians. Convert it, or correct "
            f"obj[{axis.name!r}].attrs['units']."
        )
    if unit == "" and of is not None:
        unit = angle_unit(attribute(of, "units"))
    if unit != "radians":
        return axis
    # Convert in double precision: pi / 2 in single precision is more than 90 degrees.
    single = axis.dtype == np.float32
    return axis.copy(data=np.degrees(axis.data.astype(np.float64)).astype(np.float32 if single else np.float64))


def in_square_metres(areas: Any) -> Any:
    """Areas in square metres by their units. Areas on the unit sphere become areas on the Earth."""
    factor = area_unit(attribute(areas, "units"))
    if factor is None:
        raise CoordinateError(
            f"The areas {areas.name!r} have the units {areas.attrs.get('units', '')!r}: expected those of an area, m2, "
            f"km2 or radian^2. Say which, obj[{areas.name!r}].attrs['units'] = 'm2', or leave them out, "
            f"obj.drop_vars({areas.name!r})."
        )
    areas = decoded(areas)
    return areas if factor == 1.0 else areas.copy(data=areas.data.astype(np.float64) * factor)


def decoded(variable: Any) -> Any:
    """The variable as xarray decodes it with ``mask_and_scale``; a decoded variable is returned unchanged."""
    # Decoding moves these attributes to the encoding. If they are still attributes, the values are those of the file.
    marks = [mark for name in ("_FillValue", "missing_value") for mark in np.ravel(variable.attrs.get(name, []))]
    factor, offset = (variable.attrs.get(name) for name in ("scale_factor", "add_offset"))
    if not marks and factor is None and offset is None:
        return variable
    values = variable.data
    # Marks of missing values are stored values: find them before the values are scaled.
    missing = [values == _as_stored(mark, values.dtype) for mark in marks if np.ndim(mark) == 0]
    if values.dtype.kind != "f" or factor is not None or offset is not None:
        values = values.astype(np.float32 if values.dtype == np.float32 else np.float64)
        values = values * values.dtype.type(1.0 if factor is None else factor)
        values = values + values.dtype.type(0.0 if offset is None else offset)
    for gone in missing:
        # np.where of a dask array gives a dask array.
        values = np.where(gone, values.dtype.type(np.nan), values)
    return variable.copy(data=values)


def _as_stored(mark: Any, dtype: np.dtype[Any]) -> Any:
    """A mark of missing values in the dtype of the file: 1e20 in single precision is another number."""
    return dtype.type(mark) if dtype.kind == "f" and isinstance(mark, np.number | float | int) else mark


def same_along(variable: Any, dim: Any) -> bool:
    """Whether a variable does not change along a dimension; missing values equal each other."""
    first, values = variable.isel({dim: [0]}).data, variable.data
    return bool(((values == first) | ((values != values) & (first != first))).all())
