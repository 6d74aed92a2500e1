"""The result of reading a convention, and what all conventions need: fields along dimensions, and coordinates."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skgeo._input.cf import KINDS, attribute_or_encoding, is_area, is_place, variables_of
from skgeo._input.cf_cells import Found
from skgeo._input.cf_values import angle_unit, area_unit, attribute
from skgeo._input.chunks import computed
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateWarning

#: The CF attributes of latitude and longitude in degrees.
IN_DEGREES = tuple({"standard_name": kind.name, "units": kind.units[0]} for kind in KINDS)


class Native(NamedTuple):
    """An object with one latitude and longitude along its cells, and the convention in words for ``check``.

    ``areas`` and ``vertices`` are those that the convention gives; None leaves them to the CF conventions.
    """

    obj: Any
    words: str
    areas: Found | None = None
    vertices: tuple[Found, Found] | None = None


def fields_along(obj: Any, dim: Hashable, skip: Iterable[Hashable] = ()) -> list[Hashable]:
    """The names of data along a dimension: no coordinates, no areas, and none of the names to skip."""
    variables = obj.data_vars if hasattr(obj, "data_vars") else {obj.name: obj}
    left_out = set(skip)
    return [
        name
        for name, variable in variables.items()
        if dim in variable.dims and name not in left_out and not is_place(variable) and not _is_size(name, variable)
    ]


def _is_size(name: Hashable, variable: Any) -> bool:
    """Whether a variable holds areas of parts of a mesh, under any name with the word and in a unit of area."""
    named = "area" in str(name).lower() and area_unit(attribute(variable, "units")) is not None
    return is_area(variable) or named


def only_cells(obj: Any, dim: Hashable, others: Iterable[Hashable], drop: Iterable[Hashable] = ()) -> Any:
    """The object without variables on other parts of a mesh (``others`` are their dimensions) and without ``drop``.

    Other latitudes and longitudes along ``dim`` stay only if the caller does not drop them.
    """
    away, gone = set(others) - {dim}, set(drop)
    names = [name for name, variable in variables_of(obj).items() if away & set(variable.dims) or name in gone]
    return obj.drop_vars([name for name in names if name in variables_of(obj)]) if names else obj


def with_places(obj: Any, dim: Hashable, names: Sequence[Hashable], degrees: Sequence[Any]) -> Any:
    """The object with latitude and longitude in degrees along a dimension; a data variable stays a data variable."""
    places = {
        name: (dim, values, attributes) for name, values, attributes in zip(names, degrees, IN_DEGREES, strict=True)
    }
    known = getattr(obj, "data_vars", {})
    stay = {name: place for name, place in places.items() if name in known}
    moved = {name: place for name, place in places.items() if name not in known}
    obj = obj.assign(stay) if stay else obj
    return obj.assign_coords(moved)


def free_names(obj: Any, names: Sequence[str]) -> list[str]:
    """The given names, with an ending where the object has a variable or dimension of the name."""
    taken = {*variables_of(obj), *obj.dims}
    return [f"{name}_of_cells" if name in taken else name for name in names]


def with_units(axes: Sequence[Any], model: str) -> list[Any]:
    """Latitude and longitude of a model whose files are in radians, with units and standard names; values stay.

    Values without a unit are radians if they are within one turn. A warning says so where they may be degrees: where
    latitudes spread over less than a quarter of a turn.
    """
    unsaid = [axis for axis in axes if angle_unit(attribute(axis, "units")) == ""]
    unit = "degrees"
    if unsaid:
        values = [np.asarray(each, dtype=np.float64) for each in computed(*(axis.data for axis in unsaid))]
        finite = [each[np.isfinite(each)] for each in values]
        largest = max((float(np.abs(each).max(initial=0.0)) for each in finite), default=0.0)
        if largest <= 2.0 * np.pi * (1.0 + 1e-6):
            unit = "radians"
            latitude = finite[0] if unsaid[0] is axes[0] else np.array([0.0, np.pi])
            if np.ptp(latitude) <= np.pi / 2.0 if latitude.size else True:
                names = " and ".join(repr(axis.name) for axis in unsaid)
                warn_caller(
                    f"{names} have no units, and are read as radians, as {model} writes them. Say so, "
                    f"obj[{str(unsaid[0].name)!r}].attrs['units'] = 'radians', or 'degrees'.",
                    CoordinateWarning,
                )
    return [
        axis.assign_attrs(
            {"standard_name": said["standard_name"]} | ({"units": unit} if any(axis is each for each in unsaid) else {})
        )
        for axis, said in zip(axes, IN_DEGREES, strict=True)
    ]


def replaced(obj: Any, axes: Iterable[Any]) -> Any:
    """The object with other variables in the place of those with their names; coordinates stay coordinates."""
    for axis in axes:
        kept = axis.variable
        stays = axis.name in getattr(obj, "data_vars", {})
        obj = obj.assign({axis.name: kept}) if stays else obj.assign_coords({axis.name: kept})
    return obj


def named_by(variable: Any, attribute_name: str) -> list[str]:
    """The names in an attribute that lists variables."""
    return attribute_or_encoding(variable, attribute_name).split()
