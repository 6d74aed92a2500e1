"""FESOM without UGRID attributes: triangles between nodes, by the names of its files."""

from typing import Any

from skgeo._input.cf import LATITUDE, LONGITUDE, find, variables_of
from skgeo._input.conventions import ugrid
from skgeo._input.conventions.native import Native
from skgeo.exceptions import CoordinateError

# The dimension of nodes, and names of the variables with the three nodes of each triangle.
_NODES = ("nod2", "nod2d", "nodes_2d")
_TRIANGLES = ("elements", "elem", "elem2d", "face_nodes")


def applies(obj: Any) -> bool:
    """Whether an object has the triangles of FESOM and its dimension of nodes."""
    return _triangles(obj) is not None and any(name in obj.dims for name in _NODES)


def read(obj: Any) -> Native:
    """The dual cells around the nodes of FESOM, or its triangles, read as those of a UGRID mesh."""
    triangles = _triangles(obj)
    dim = next(name for name in _NODES if name in obj.dims)
    on_nodes = [name for name, variable in variables_of(obj).items() if variable.dims != (dim,)]
    axes = [find(obj.drop_vars(on_nodes), kind, 1) for kind in (LONGITUDE, LATITUDE)]
    if axes[0] is None or axes[1] is None:
        raise CoordinateError(
            f"The mesh of FESOM has no latitude and longitude along {dim!r}: add lat and lon from fesom.mesh.diag.nc, "
            "xr.merge([obj, mesh])."
        )
    faces = next(along for along in triangles.dims if triangles.sizes[along] != 3)
    topology = {
        "cf_role": "mesh_topology",
        "topology_dimension": 2,
        "node_coordinates": " ".join(str(axis.name) for axis in axes if axis is not None),
        "face_node_connectivity": str(triangles.name),
        "face_dimension": faces,
    }
    native = ugrid.read(obj.assign(fesom_mesh=((), 0, topology)))
    cells = native.obj.drop_vars("fesom_mesh", errors="ignore")
    return native._replace(obj=cells, words=native.words.replace("UGRID: ", "FESOM: ", 1))


def _triangles(obj: Any) -> Any:
    """The variable with the nodes of triangles; None if there is none. A single variable has none."""
    known = getattr(obj, "data_vars", {})
    for name in _TRIANGLES:
        if name in known and known[name].ndim == 2 and 3 in known[name].shape:
            return known[name]
    return None
