"""ICON: triangles, and the cells around their vertices and edges, in radians, under the names of its grid files."""

import re
from collections.abc import Hashable
from typing import Any

from skgeo._input.cf import attribute_or_encoding, variables_of
from skgeo._input.cf_cells import Found
from skgeo._input.cf_values import area_unit, attribute, in_degrees, in_square_metres
from skgeo._input.conventions.mesh import corners, read_connectivity
from skgeo._input.conventions.native import Native, fields_along, only_cells, replaced, with_units

# The letter of cells, vertices and edges in names such as clat, vlat and elat, and their words.
_KINDS = {"c": "triangles", "v": "cells around vertices", "e": "cells around edges"}
# Names of areas: of triangles, and of the hexagons around vertices.
_AREAS = {"c": "cell_area", "v": "dual_area", "e": ""}

# First words of the names of variables that link parts of the mesh.
_LINKS = ("edge", "edges", "vertex", "vertices", "cell", "cells", "neighbor", "adjacent", "orientation", "parent")
# Names of variables of grid files with a number for each part of the mesh: no data, but some of them are masks.
_NUMBERS = re.compile(
    r"refin_[cev]_ctrl|(cell|edge|vertex)_(index|sea_land_mask|no_of_domains)|phys_(cell|edge)_id|parent_\w+"
)
# Beginnings of the names of variables that measure edges.
_SIZES = ("edge_", "dual_edge_length", "zonal_normal", "meridional_normal")


def applies(obj: Any) -> bool:
    """Whether an object has centres under the names of ICON, in radians or with corners under a name of ICON."""
    variables = variables_of(obj)
    kinds = [kind for kind in _KINDS if _has(variables, kind)]
    return bool(kinds) and any(_shows(variables, kind) for kind in kinds)


def read(obj: Any) -> Native:
    """The triangles of ICON; for data on vertices or edges alone, the cells around these."""
    variables = variables_of(obj)
    kinds = [kind for kind in _KINDS if _has(variables, kind)]
    dims = {kind: variables[f"{kind}lat"].dims[0] for kind in kinds}
    mesh = _describes(variables, set(dims.values()))
    numbers = [name for name in variables if _NUMBERS.fullmatch(str(name))]
    data = {kind: fields_along(obj, dims[kind], [*mesh, *numbers]) for kind in kinds}
    kind = next((each for each in kinds if data[each]), kinds[0])
    dim = dims[kind]
    axes = with_units([variables[f"{kind}{name}"] for name in ("lat", "lon")], "ICON")
    vertices = _vertices(variables, kind, dim)
    # Other areas, places and corners of a grid file belong to other parts of the mesh.
    own = [f"{kind}{axis}{end}" for axis in ("lat", "lon") for end in ("", "_vertices")]
    drop = [name for name in mesh if name not in (*own, _AREAS[kind])]
    cells = replaced(only_cells(obj, dim, set(dims.values()), drop), axes)
    return Native(cells, f"ICON: {_KINDS[kind]}", _areas(variables, kind, dim), vertices)


def _areas(variables: Any, kind: str, dim: Hashable) -> Found | None:
    """The areas of the cells around vertices; None leaves those of triangles to the CF conventions."""
    name = _AREAS[kind]
    if kind == "c" or name not in variables or variables[name].dims != (dim,):
        return None
    if area_unit(attribute(variables[name], "units")) is None:
        return None
    return Found(name, in_square_metres(variables[name]), "by its name")


def _has(variables: Any, kind: str) -> bool:
    """Whether there are centres of a kind along one dimension."""
    names = [f"{kind}lat", f"{kind}lon"]
    return all(name in variables and variables[name].ndim == 1 for name in names) and (
        variables[names[0]].dims == variables[names[1]].dims
    )


def _shows(variables: Any, kind: str) -> bool:
    """Whether the centres of a kind are in radians, or have corners under a name of ICON."""
    units = attribute(variables[f"{kind}lat"], "units")
    return units.startswith("rad") or f"{kind}lat_vertices" in variables


def _describes(variables: Any, dims: set[Hashable]) -> list[Hashable]:
    """The names of variables that describe the mesh: integers, places, corners and areas of a grid file."""
    found = []
    for name, variable in variables.items():
        if not dims & set(variable.dims):
            continue
        text = str(name)
        places = [f"{kind}{axis}" for kind in _KINDS for axis in ("lat", "lon")]
        place = text in (*places, *(f"{each}_vertices" for each in places)) or text.startswith("cartesian_")
        link = variable.dtype.kind in "iu" and variable.ndim > 1 and text.split("_")[0] in _LINKS
        size = text in ("cell_area", "cell_area_p", "dual_area", "dual_area_p") or text.startswith(_SIZES)
        if place or link or size:
            found.append(name)
    return found


def _vertices(variables: Any, kind: str, dim: Hashable) -> tuple[Found, Found] | None:
    """Corners by the connectivity of triangles where the file has no corners of its own; None leaves them to CF."""
    names = [f"{kind}lat", f"{kind}lon"]
    bounds = [attribute_or_encoding(variables[name], "bounds") for name in names]
    if any(name in variables for name in (*bounds, f"{kind}lat_vertices")):
        return None if kind == "c" else _own_corners(variables, kind, dim)
    links = variables.get("vertex_of_cell")
    if kind != "c" or links is None or not _has(variables, "v") or dim not in links.dims:
        return None
    nodes = with_units([variables[name] for name in ("vlat", "vlon")], "ICON")
    polygons, _ = read_connectivity(links.transpose(dim, ...), nodes[0].size, 1)
    return corners(polygons, *nodes)


def _own_corners(variables: Any, kind: str, dim: Hashable) -> tuple[Found, Found] | None:
    """The corners of the cells around vertices or edges; None if they are absent."""
    found = []
    for axis in ("lat", "lon"):
        centres = variables[f"{kind}{axis}"]
        name = attribute_or_encoding(centres, "bounds")
        name = name if name in variables else f"{kind}{axis}_vertices"
        if name not in variables or variables[name].ndim != 2 or dim not in variables[name].dims:
            return None
        around = variables[name].transpose(dim, ...)
        units = attribute(around, "units") or attribute(centres, "units")
        found.append(Found(name, in_degrees(around.assign_attrs(units=units or "radians")), "by its name"))
    return found[0], found[1]
