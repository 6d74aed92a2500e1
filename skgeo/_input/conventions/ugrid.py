"""UGRID: meshes of polygons, with data on their faces or nodes (https://ugrid-conventions.github.io)."""

from collections.abc import Hashable
from typing import Any, NamedTuple

from skgeo._input.cf import KINDS, find, identification_rank, is_area, is_place, variables_of
from skgeo._input.cf_cells import Found
from skgeo._input.cf_values import attribute, in_square_metres
from skgeo._input.conventions.mesh import Connectivity, centres, corners, dual_cells, read_connectivity
from skgeo._input.conventions.native import Native, fields_along, free_names, named_by, only_cells, with_places
from skgeo._validation import import_optional
from skgeo.exceptions import CoordinateError

# Attributes of a mesh that name other variables.
_PARTS = (
    "node_coordinates",
    "face_coordinates",
    "edge_coordinates",
    "face_node_connectivity",
    "edge_node_connectivity",
    "face_edge_connectivity",
    "face_face_connectivity",
    "edge_face_connectivity",
    "boundary_node_connectivity",
)
# Areas of the cells around nodes in files of FESOM, one for each level; those at the surface come first.
_NODE_AREAS = ("nod_area", "cell_area")


class Mesh(NamedTuple):
    """A mesh: its variable, the dimensions of faces, nodes and edges, and the names of its parts."""

    variable: Any
    faces: Hashable
    nodes: Hashable
    edges: Hashable | None
    parts: frozenset[str]


def applies(obj: Any) -> bool:
    """Whether a variable describes a mesh, or the data say that they lie on one."""
    if _topologies(obj):
        return True
    if hasattr(obj, "data_vars") or not {"mesh", "location"} <= set(obj.attrs):
        return False
    # A variable may have brought the places of its faces with it: these are coordinates like any others.
    try:
        return all(find(obj, kind, 1) is None for kind in KINDS)
    except CoordinateError:
        return False


def read(obj: Any) -> Native:
    """The faces of a mesh as polygons; for data on nodes alone, the dual cells around nodes."""
    mesh = _mesh(obj)
    variables = variables_of(obj)
    node_latitude, node_longitude = _coordinates(variables, mesh.variable, "node")
    wanted = (mesh.nodes,)
    if node_latitude.dims != wanted or node_longitude.dims != wanted:
        raise CoordinateError(
            f"Nodes of the mesh {mesh.variable.name!r} have the dimensions {node_latitude.dims} and "
            f"{node_longitude.dims}: expected one and the same."
        )
    on_faces = fields_along(obj, mesh.faces, mesh.parts)
    on_nodes = fields_along(obj, mesh.nodes, mesh.parts)
    on_edges = [] if mesh.edges is None else fields_along(obj, mesh.edges, mesh.parts)
    if on_edges and not on_faces and not on_nodes:
        raise CoordinateError(
            f"{on_edges} lie on the edges of the mesh {mesh.variable.name!r}: an edge has no area. Bring them to faces "
            "or nodes first, for instance as the mean over the edges of a face (face_edge_connectivity)."
        )
    links = variables[str(mesh.variable.attrs["face_node_connectivity"]).strip()]
    polygons, said = read_connectivity(links.transpose(mesh.faces, ...), node_latitude.size, _start_index(links))
    of = f"mesh {mesh.variable.name!r}, {polygons.name!r} with {said}"
    if on_nodes and not on_faces:
        return _dual(obj, mesh, polygons, (node_latitude, node_longitude), of)
    return _faces(obj, mesh, polygons, (node_latitude, node_longitude), of)


def _start_index(links: Any) -> int | None:
    """The number of the first node by the attribute of a connectivity; None without the attribute."""
    start = links.attrs.get("start_index")
    try:
        return None if start is None else int(getattr(start, "flat", [start])[0])
    except (TypeError, ValueError):
        assignment = f"obj[{str(links.name)!r}].attrs['start_index'] = 0"
        raise CoordinateError(f"{links.name!r} has start_index {start!r}: expected 0 or 1, {assignment}.") from None


def _faces(obj: Any, mesh: Mesh, polygons: Connectivity, nodes: tuple[Any, Any], of: str) -> Native:
    """The faces of a mesh; centres are those of the file, else centroids."""
    others = {*_dims_of(mesh), *nodes[0].dims} - {mesh.faces}
    own = _coordinates(variables_of(obj), mesh.variable, "face", absent_ok=True)
    given = own[0] is not None and own[1] is not None and own[0].dims == own[1].dims == (mesh.faces,)
    names = {axis.name for axis in own} if given else set()
    drop = _other_places(obj, mesh, names)
    around = corners(polygons, *nodes)
    cells = only_cells(obj, mesh.faces, others, drop)
    if not given:
        latitude, longitude = centres(polygons, *nodes)
        cells = with_places(cells, mesh.faces, free_names(cells, ("latitude", "longitude")), (latitude, longitude))
    where = "centres of the file" if given else "centroids as centres"
    return Native(cells, f"UGRID: faces of {of}, {where}", vertices=around)


def _dual(obj: Any, mesh: Mesh, polygons: Connectivity, nodes: tuple[Any, Any], of: str) -> Native:
    """The dual cells around the nodes of a mesh, with the areas in the file, else those of ``dual_cells``."""
    others = _dims_of(mesh) - {mesh.nodes}
    drop = _other_places(obj, mesh, {axis.name for axis in nodes})
    variables = variables_of(obj)
    given = [name for name in variables if str(name).lower() in _NODE_AREAS and mesh.nodes in variables[name].dims]
    cells = only_cells(obj, mesh.nodes, others, drop)
    if given:
        # Areas shrink with depth along the levels: the first level is the surface.
        surface = variables[given[0]].isel({dim: 0 for dim in variables[given[0]].dims if dim != mesh.nodes}, drop=True)
        found = Found(given[0], in_square_metres(surface), "by its name")
        cells = cells.drop_vars(given)
        return Native(cells, f"UGRID: dual cells around nodes of {of}", found)
    xarray = import_optional("xarray", "from_xarray", "xarray")
    areas = xarray.DataArray(dual_cells(polygons, *nodes), dims=(mesh.nodes,))
    known = any(is_area(variable) for variable in variables_of(cells).values())
    computed = Found("dual cells", areas, "between centroids and middles of sides")
    return Native(cells, f"UGRID: dual cells around nodes of {of}", None if known else computed)


def _topologies(obj: Any) -> list[Any]:
    """The variables that describe a mesh."""
    return [each for each in variables_of(obj).values() if attribute(each, "cf_role") == "mesh_topology"]


def _mesh(obj: Any) -> Mesh:
    """The mesh of an object, and the dimensions of its parts; refused if there are several, or none of faces."""
    found = _topologies(obj)
    if not found:
        name = str(obj.attrs["mesh"])
        raise CoordinateError(
            f"{obj.name!r} lies on the mesh {name!r}, which the object does not have: a single variable leaves its "
            f"mesh behind. Select a Dataset with all variables of the mesh, for instance dataset itself, or "
            f"dataset.drop_vars([...]) without the other data."
        )
    if len(found) > 1:
        data = [obj[name] for name in getattr(obj, "data_vars", {})]
        named = {str(field.attrs["mesh"]) for field in data if "mesh" in field.attrs}
        found = [each for each in found if str(each.name) in named] or found
    if len(found) > 1:
        names = [each.name for each in found]
        raise CoordinateError(
            f"More than one mesh: {names}. Keep one with its data, obj.drop_vars([{str(names[1])!r}])."
        )
    (variable,) = found
    dimension = str(variable.attrs.get("topology_dimension", 2)).strip()
    name = str(variable.attrs.get("face_node_connectivity", "")).strip()
    variables = variables_of(obj)
    if dimension != "2" or name not in variables:
        reason = f"its topology_dimension is {dimension}" if dimension != "2" else f"{name!r} is absent"
        raise CoordinateError(
            f"The mesh {variable.name!r} has no faces, {reason}: expected topology_dimension 2 and "
            "face_node_connectivity, the nodes of each face, in the same Dataset."
        )
    parts = frozenset(each for part in _PARTS for each in named_by(variable, part)) | {str(variable.name)}
    latitude, _ = _coordinates(variables, variable, "node")
    faces = variable.attrs.get("face_dimension", _face_dim(variables[name], latitude.dims[0]))
    if faces not in variables[name].dims or variables[name].ndim != 2:
        raise CoordinateError(
            f"{name!r} has the dimensions {variables[name].dims}: expected the faces, {faces!r}, and their corners."
        )
    edges = variable.attrs.get("edge_dimension")
    links = str(variable.attrs.get("edge_node_connectivity", "")).strip()
    if edges is None and links in variables:
        edges = variables[links].dims[0]
    return Mesh(variable, faces, latitude.dims[0], edges, parts)


def _face_dim(connectivity: Any, nodes: Hashable) -> Hashable:
    """The dimension of faces: the first, unless the second one is much longer, as in files of Fortran."""
    first, last = connectivity.dims[0], connectivity.dims[-1]
    swapped = connectivity.sizes[last] > 20 >= connectivity.sizes[first] or first == nodes
    return last if swapped else first


def _coordinates(variables: Any, mesh: Any, part: str, absent_ok: bool = False) -> tuple[Any, Any]:
    """Latitude and longitude of the nodes or faces of a mesh, whatever their order in the attribute."""
    names = [name for name in named_by(mesh, f"{part}_coordinates") if name in variables]
    found: list[Any] = [None, None]
    for name in names:
        for i, kind in enumerate(KINDS):
            if identification_rank(variables[name], kind) is not None:
                found[i] = variables[name]
    # Names such as mesh2d_node_x do not name a latitude. The convention lists the longitude first.
    if any(each is None for each in found) and len(names) == 2 and _are_angles(variables, names):
        found = [variables[names[1]], variables[names[0]]]
    if not absent_ok and any(each is None for each in found):
        raise CoordinateError(
            f"The mesh {mesh.name!r} has the {part}_coordinates {named_by(mesh, f'{part}_coordinates')}: expected a "
            "latitude and a longitude in degrees or radians in the same Dataset. Projected x and y: reproject them "
            "with pyproj, and say so in standard_name and units."
        )
    return found[0], found[1]


def _are_angles(variables: Any, names: list[str]) -> bool:
    """Whether the units of two variables are degrees or radians."""
    units = [attribute(variables[name], "units") for name in names]
    return all(unit.startswith(("deg", "rad")) for unit in units)


def _dims_of(mesh: Mesh) -> set[Hashable]:
    """The dimensions of the parts of a mesh."""
    return {mesh.faces, mesh.nodes, *([] if mesh.edges is None else [mesh.edges])}


def _other_places(obj: Any, mesh: Mesh, keep: set[Hashable]) -> list[Hashable]:
    """The parts of a mesh, and latitudes and longitudes, except those to keep."""
    variables = variables_of(obj)
    places = [name for name, variable in variables.items() if is_place(variable)]
    return [name for name in dict.fromkeys([*map(str, mesh.parts), *places]) if name in variables and name not in keep]
