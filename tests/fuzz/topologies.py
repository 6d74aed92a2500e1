"""Meshes as UGRID and MPAS hold them, by nodes and connectivity, for the cells of meshes.py with their truth."""

import numpy as np
import xarray as xr
from conventions import Case
from meshes import _flat, any_mesh, excess, vectors

#: One thing that is wrong or odd; "as it is" and the next ones are what files ordinarily hold.
PLAIN = ("as it is", "reversed", "turned", "transposed", "as floats", "chunked", "no centres", "copies of nodes")
ODD = (
    "start index lies",
    "fill is not marked",
    "a node is missing",
    "other centres",
    "corners in degrees said radians",
)


def _nodes(mesh, merged):
    """Places of nodes (m, 2) in degrees, and the numbers (n, k) of the nodes of each cell."""
    latitude, longitude = (values.reshape(mesh.latitude.size, -1) for values in mesh.corners)
    flat = np.column_stack([latitude.ravel(), longitude.ravel()])
    if not merged:
        return flat, np.arange(flat.shape[0]).reshape(latitude.shape)
    keys = np.round(vectors(*flat.T) * 1e9).astype(np.int64)
    _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return flat[first], number.reshape(latitude.shape)


def topology(source):
    """An object with a mesh, and its truth."""
    source = source.details()
    mesh = _flat(any_mesh(source))
    while mesh.corners is None:
        mesh = _flat(any_mesh(source))
    way = source.pick((*PLAIN, *PLAIN, *ODD))
    start, mpas = source.pick((0, 1)), source.chance(30)
    start = 1 if mpas else start
    source.tell("topology:", "MPAS" if mpas else "UGRID", "way:", way, "start:", start)
    nodes, links = _nodes(mesh, way != "copies of nodes")
    if way == "reversed":
        links = links[:, ::-1]
    if way == "turned":
        links = np.roll(links, source.integer(1, 2), axis=1)
    width = links.shape[1] + source.pick((0, 0, 1, 3))
    fill = 0 if mpas else source.pick((-1, -999, len(nodes) + 7, 2**31 - 1))
    table = np.full((len(links), width), fill, dtype=np.int64)
    table[:, : links.shape[1]] = links + start
    marked = {} if way == "fill is not marked" or mpas else {"_FillValue": fill}
    said = {"start_index": 1 - start if way == "start index lies" else start}
    if way == "as floats":
        table, marked = np.where(table == fill, np.nan, table.astype(float)), {}
    nodes = nodes.copy()
    if way == "a node is missing":
        nodes[links[source.integer(0, len(links) - 1), 0]] = np.nan
    places = mesh.latitude, mesh.longitude
    if way == "other centres":
        places = tuple(np.roll(values, len(links) // 2) for values in places)
    obj = _mpas(nodes, table, places, links.shape[1]) if mpas else _ugrid(nodes, table, places, {**marked, **said}, way)
    if way == "corners in degrees said radians":
        for name in obj.variables:
            if str(name) in ("node_lat", "node_lon", "latVertex", "lonVertex"):
                obj[name].attrs["units"] = "degrees" if mpas else "radians"
    obj = obj.chunk() if way == "chunked" else obj
    polygons = excess(*(values.reshape(len(links), -1) for values in mesh.corners))
    centred = way != "no centres" or mpas
    benign = way in PLAIN and not (mpas and way in ("as floats", "transposed"))
    # Centroids stand for the centres that are absent: the mean place of the domain differs a little, its areas do not.
    tolerance = 1e-6 if centred else 5e-3
    case = Case(obj, mesh.latitude, mesh.longitude, polygons, benign, tolerance, cells=True, per_cell=1e-6)
    # An embedding is one of the centres of the file, and asks nothing about corners.
    case.transforms = centred and way != "other centres"
    return case


def _ugrid(nodes, table, places, attributes, way):
    topology = {
        "cf_role": "mesh_topology",
        "topology_dimension": 2,
        "node_coordinates": "node_lon node_lat",
        "face_node_connectivity": "links",
    }
    links = ("face", "most")
    if way == "transposed":
        table, links, topology["face_dimension"] = table.T, links[::-1], "face"
    obj = xr.Dataset({"links": (links, table, attributes), "t": ("face", np.ones(places[0].size))})
    kinds = (("lat", "degrees_north"), ("lon", "degrees_east"))
    for i, (name, units) in enumerate(kinds):
        obj[f"node_{name}"] = ("node", nodes[:, i], {"units": units})
        if way != "no centres":
            obj[f"face_{name}"] = ("face", places[i], {"units": units})
            topology["face_coordinates"] = "face_lon face_lat"
    return obj.assign(mesh=((), 0, topology))


def _mpas(nodes, table, places, n_corners):
    obj = xr.Dataset({"t": ("nCells", np.ones(places[0].size))})
    for i, name in enumerate(("lat", "lon")):
        obj[f"{name}Cell"] = ("nCells", np.radians(places[i]), {"units": "rad"})
        obj[f"{name}Vertex"] = ("nVertices", np.radians(nodes[:, i]), {"units": "rad"})
    obj["verticesOnCell"] = (("nCells", "maxEdges"), np.nan_to_num(table).astype(np.int64))
    obj["nEdgesOnCell"] = ("nCells", np.full(places[0].size, n_corners))
    return obj
