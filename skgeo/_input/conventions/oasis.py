"""OASIS: grids of coupled models, several in a file, as grid.lat, grid.lon, grid.cla, grid.clo, grid.srf, grid.msk."""

import re
from collections.abc import Hashable
from typing import Any

from skgeo._input.cf import variables_of
from skgeo._input.cf_cells import Found
from skgeo._input.cf_values import area_unit, attribute, in_degrees, in_square_metres
from skgeo._input.conventions.native import Native
from skgeo.exceptions import CoordinateError

# A variable of a grid: its prefix, and latitude, longitude, corners, area or mask.
_NAME = re.compile(r"(?P<grid>\w+)\.(?P<part>lat|lon|cla|clo|srf|msk|frc)")


def applies(obj: Any) -> bool:
    """Whether an object has both coordinates of a grid under the names of OASIS."""
    return bool(_grids(variables_of(obj)))


def read(obj: Any) -> Native:
    """The cells of one grid; refused if there are several."""
    variables = variables_of(obj)
    grids = _grids(variables)
    if len(grids) > 1:
        names = [str(name) for name in variables if str(name).startswith(f"{grids[0]}.")]
        raise CoordinateError(f"{len(grids)} grids of OASIS, {grids}: select the variables of one, obj[{names}].")
    (grid,) = grids
    latitude = variables[f"{grid}.lat"]
    # Unstructured grids have a dimension of size one beside that of the cells.
    single = {dim: 0 for dim in latitude.dims if latitude.sizes[dim] == 1 and latitude.ndim > 1}
    obj = obj.isel(single, drop=True)
    variables = variables_of(obj)
    latitude = variables[f"{grid}.lat"]
    vertices = _corners(variables, grid, latitude.dims)
    areas = _areas(variables, grid, latitude.dims, vertices is not None)
    kinds = {"lat": "latitude", "lon": "longitude"}
    places = {
        f"{grid}.{part}": in_degrees(variables[f"{grid}.{part}"]).assign_attrs(
            units=f"degrees_{'north' if part == 'lat' else 'east'}", standard_name=kind
        )
        for part, kind in kinds.items()
    }
    drop = [name for part in ("cla", "clo") if (name := f"{grid}.{part}") in variables]
    if areas is not None:
        drop.append(f"{grid}.srf")
    obj = obj.assign(places) if hasattr(obj, "data_vars") else obj.assign_coords(places)
    return Native(obj.drop_vars(drop), f"OASIS: grid {grid!r}", areas, vertices)


def _grids(variables: Any) -> list[str]:
    """The prefixes of grids with both coordinates."""
    found = [match for name in variables if (match := _NAME.fullmatch(str(name)))]
    parts = {(match["grid"], match["part"]) for match in found}
    return sorted({grid for grid, _ in parts if (grid, "lat") in parts and (grid, "lon") in parts})


def _corners(variables: Any, grid: str, dims: tuple[Hashable, ...]) -> tuple[Found, Found] | None:
    """The corners (..., k) of cells in degrees; None if they are absent. In the files the k corners come first."""
    found = []
    for part, centres in (("cla", "lat"), ("clo", "lon")):
        name = f"{grid}.{part}"
        if name not in variables or set(dims) >= set(variables[name].dims):
            return None
        around = in_degrees(variables[name].transpose(*dims, ...), of=variables[f"{grid}.{centres}"])
        found.append(Found(name, around, "by its name"))
    return found[0], found[1]


def _areas(variables: Any, grid: str, dims: tuple[Hashable, ...], has_corners: bool) -> Found | None:
    """The areas of cells in square metres. Areas without a unit are left out where corners give them."""
    name = f"{grid}.srf"
    if name not in variables or set(variables[name].dims) != set(dims):
        return None
    areas = variables[name].transpose(*dims)
    if area_unit(attribute(areas, "units")) is None and has_corners:
        return None
    return Found(name, in_square_metres(areas), "by its name")
