"""MPAS: Voronoi cells and the triangles between them, in radians on a sphere whose radius the file gives."""

import re
from collections.abc import Hashable
from typing import Any

from skgeo._input.cf import variables_of
from skgeo._input.cf_cells import Found
from skgeo._input.cf_values import area_unit, attribute, decoded
from skgeo._input.conventions.mesh import corners, read_connectivity
from skgeo._input.conventions.native import Native, fields_along, only_cells, replaced, with_units
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo.exceptions import CoordinateError

# Names of the centres, corners and areas of cells, and of the triangles around vertices.
_CELLS = ("latCell", "lonCell", "verticesOnCell", "latVertex", "lonVertex", "areaCell")
_VERTICES = ("latVertex", "lonVertex", "cellsOnVertex", "latCell", "lonCell", "areaTriangle")
# Dimensions of the parts of a mesh.
_DIMS = ("nCells", "nVertices", "nEdges")
# Further dimensions. A variable with one of these describes the mesh, and is no data.
_LINKS = ("maxEdges", "maxEdges2", "TWO", "FIFTEEN", "TWENTYONE", "vertexDegree", "R3")
# Names of variables that describe the parts of a mesh.
_DESCRIBES = re.compile(
    r"(lat|lon|x|y|z|f|area|angle|dc|dv|meshDensity|nEdgesOn|kiteAreasOn|bdyMask)(Cell|Vertex|Edge|Triangle)?"
    r"|indexTo\w+ID"
)


def applies(obj: Any) -> bool:
    """Whether an object has the centres of cells, or the corners, under the names of MPAS."""
    names = variables_of(obj)
    return any({pair[0], pair[1]} <= set(names) and names[pair[0]].ndim == 1 for pair in (_CELLS, _VERTICES))


def read(obj: Any) -> Native:
    """The cells of MPAS; for data on vertices alone, the triangles around these."""
    if attribute(obj, "on_a_sphere") == "no":
        raise CoordinateError("The mesh of MPAS is a plane (on_a_sphere='NO'): expected a mesh on the sphere.")
    variables = variables_of(obj)
    links = [name for name, variable in variables.items() if set(_LINKS) & set(variable.dims)]
    data = {dim: _data_along(obj, dim, links) for dim in _DIMS}
    if data["nEdges"] and not data["nCells"] and not data["nVertices"]:
        raise CoordinateError(
            f"{data['nEdges']} lie on the edges of a mesh of MPAS: an edge has no area. Bring them to cells first, for "
            "instance as the mean over edgesOnCell."
        )
    on_vertices = bool(data["nVertices"]) and not data["nCells"]
    names = _VERTICES if on_vertices or "latCell" not in variables else _CELLS
    where = "triangles around vertices" if names is _VERTICES else "cells"
    axes = with_units([variables[name] for name in names[:2]], "MPAS")
    dim = axes[0].dims[0]
    vertices = _vertices(variables, names, dim)
    areas = _areas(obj, variables, names[5], dim)
    drop = [name for name in (*_CELLS[:2], *_VERTICES[:2], *links) if name not in names[:2]]
    given = [name for name in (_CELLS[5], _VERTICES[5]) if name in variables]
    cells = only_cells(obj, dim, set(_DIMS) - {dim}, [*drop, *given])
    return Native(replaced(cells, axes), f"MPAS: {where}", areas, vertices)


def _data_along(obj: Any, dim: Hashable, links: list[Hashable]) -> list[Hashable]:
    """Names of data along a dimension of the mesh. Variables that describe the mesh itself are no data."""
    return [name for name in fields_along(obj, dim, links) if not _DESCRIBES.fullmatch(str(name))]


def _vertices(variables: Any, names: tuple[str, ...], dim: Hashable) -> tuple[Found, Found] | None:
    """The corners of cells by their connectivity; None if the file leaves it out."""
    connectivity, latitude, longitude = names[2:5]
    if not {connectivity, latitude, longitude} <= set(variables):
        return None
    counts = variables.get("nEdgesOnCell") if connectivity == "verticesOnCell" else None
    nodes = with_units([variables[name] for name in (latitude, longitude)], "MPAS")
    # MPAS counts from one. A zero marks a missing corner or a cell beyond the rim of a region.
    links = variables[connectivity].transpose(dim, ...)
    links = links.assign_attrs(_FillValue=0)
    polygons, _ = read_connectivity(links, nodes[0].size, 1, None if counts is None else counts.data)
    return corners(polygons, *nodes)


def _areas(obj: Any, variables: Any, name: str, dim: Hashable) -> Found | None:
    """Areas in square metres of the Earth; the radius of the file tells how areas there compare with the Earth."""
    if name not in variables or variables[name].dims != (dim,):
        return None
    areas = decoded(variables[name])
    factor = area_unit(attribute(areas, "units"))
    radius = _radius(obj)
    if factor is not None and factor >= EARTH_RADIUS:
        scale, said = factor, f"in {areas.attrs['units']}"  # a square angle: an area on the unit sphere
    elif radius is not None:
        # Square metres are those of the file's own sphere.
        scale, said = (EARTH_RADIUS / radius) ** 2 * (factor or 1.0), f"on a sphere of {radius:g} m"
    elif factor is not None:
        scale, said = factor, f"in {areas.attrs['units']}"
    else:
        return None
    return Found(name, areas.copy(data=areas.data * scale), said)


def _radius(obj: Any) -> float | None:
    """The radius of the sphere of a file in metres; None if it has none, or no positive number."""
    try:
        radius = float(obj.attrs.get("sphere_radius", "nan"))
    except (TypeError, ValueError):
        return None
    return radius if 0.0 < radius < float("inf") else None
