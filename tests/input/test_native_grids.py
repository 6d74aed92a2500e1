"""Grids in the conventions of models, in small: areas known from symmetry or a formula, and files that are wrong."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgeo import CellGrid, SphericalHarmonicPCA
from skgeo._kernels.mesh import dual_areas, polygon_centres
from skgeo.exceptions import CoordinateError, CoordinateWarning

xr = pytest.importorskip("xarray")
da = pytest.importorskip("dask.array")

import skgeo.xarray  # noqa: E402, F401 - needs xarray

R2 = 6_371_008.8**2
ALL = 4 * np.pi


# Meshes with true areas


def degrees(vectors):
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=float), -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def vectors(latitude, longitude):
    b, a = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)], axis=-1)


def excess(corners):
    """Areas of convex polygons of unit vectors (n, k, 3): the sum of their angles, by Girard's theorem; NaN is none."""
    total = np.empty(len(corners))
    for i, polygon in enumerate(corners):
        polygon = polygon[np.isfinite(polygon).all(axis=-1)]
        angles = 0.0
        for at in range(len(polygon)):
            here, after, before = polygon[at], polygon[(at + 1) % len(polygon)], polygon[at - 1]
            one, other = np.cross(here, after), np.cross(here, before)
            angles += np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)
        total[i] = angles - (len(polygon) - 2) * np.pi
    return total


def icosahedron(parts=0):
    """Nodes (n, 3) and triangles (m, 3) of an icosahedron; ``parts`` times each triangle is cut into four."""
    golden = (1 + 5**0.5) / 2
    nodes = [p for a in (-1, 1) for b in (-golden, golden) for p in ((0, a, b), (a, b, 0), (b, 0, a))]
    nodes = np.array(nodes) / np.hypot(1, golden)
    near = np.linalg.norm(nodes[:, None] - nodes, axis=-1) < 1.1
    faces = [
        (i, j, k) for i in range(12) for j in range(i) for k in range(j) if near[i, j] and near[j, k] and near[i, k]
    ]
    faces = [f if np.linalg.det(nodes[list(f)]) > 0 else f[::-1] for f in faces]
    for _ in range(parts):
        sides = sorted({(min(i, j), max(i, j)) for f in faces for i, j in zip(f, np.roll(f, 1), strict=True)})
        number = {side: len(nodes) + k for k, side in enumerate(sides)}
        middles = nodes[np.array(sides)].sum(axis=1)
        nodes = np.concatenate([nodes, middles / np.linalg.norm(middles, axis=1, keepdims=True)])
        finer = []
        for i, j, k in faces:
            a, b, c = (number[min(side), max(side)] for side in ((i, j), (j, k), (k, i)))
            finer += [(i, a, c), (a, j, b), (c, b, k), (a, b, c)]
        faces = finer
    return nodes, np.array(faces)


CUBE = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 3**0.5
SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def prisms():
    """Nodes, polygons of 3, 4 and 5 corners (-1 for none) and their areas: both poles are inside of pentagons."""
    around = np.arange(5) * 72.0 + 20
    nodes = np.concatenate([vectors(np.full(5, b), around + turn) for b, turn in ((60, 0), (10, 0), (-50, 36))])
    faces = [[0, 1, 2, 3, 4]]
    faces += [[i, 5 + i, 5 + (i + 1) % 5, (i + 1) % 5, -1] for i in range(5)]
    for i in range(5):
        j = (i + 1) % 5
        faces += [[5 + i, 10 + i, 5 + j, -1, -1], [10 + i, 10 + j, 5 + j, -1, -1]]
    faces += [[14, 13, 12, 11, 10]]
    faces = np.array(faces)
    return nodes, faces, excess(np.where(faces[..., None] >= 0, nodes[faces], np.nan))


def ugrid(nodes, faces, *, start=0, fill=None, said=True, data="face", centres=False):
    """A Dataset by the UGRID conventions."""
    latitude, longitude = degrees(nodes)
    links = np.where(faces < 0, -1 if fill is None else fill, faces + start)
    attributes = ({"start_index": start} if said else {}) | ({} if fill is None else {"_FillValue": fill})
    obj = xr.Dataset({"mesh": ((), 0, {
        "cf_role": "mesh_topology",
        "topology_dimension": 2,
        "node_coordinates": "mesh_node_x mesh_node_y",
        "face_node_connectivity": "mesh_face_nodes",
    })})  # fmt: skip
    obj["mesh_face_nodes"] = (("nface", "nmax"), links, attributes)
    obj["mesh_node_x"] = ("nnode", longitude, {"standard_name": "longitude", "units": "degrees_east"})
    obj["mesh_node_y"] = ("nnode", latitude, {"standard_name": "latitude", "units": "degrees_north"})
    if centres:
        middle = polygon_centres(*(np.where(faces < 0, np.nan, each[faces]) for each in (latitude, longitude)))
        obj.mesh.attrs["face_coordinates"] = "mesh_face_x mesh_face_y"
        obj["mesh_face_x"] = ("nface", middle[:, 1], {"standard_name": "longitude", "units": "degrees_east"})
        obj["mesh_face_y"] = ("nface", middle[:, 0], {"standard_name": "latitude", "units": "degrees_north"})
    if data:
        size = {"face": len(faces), "node": len(nodes), "edge": 7}[data]
        obj["t"] = (("time", f"n{data}"), np.ones((2, size)), {"mesh": "mesh", "location": data})
    return obj


def check(obj, areas, rtol=1e-12):
    """The cells of an object with these true areas, and a fit on the object that knows them."""
    cells = obj.skgeo.grid()
    assert_allclose(np.asarray(cells.cell_areas(1)).ravel(), np.ravel(areas), rtol=rtol)
    share = np.sum(areas) / ALL
    assert_allclose(SphericalHarmonicPCA(2).fit(obj).shannon_number_, 9 * share, rtol=1e-6)
    return cells


# UGRID


@pytest.mark.parametrize(
    ("start", "fill", "said", "centres"),
    [(0, None, True, False), (1, -999, True, True), (1, 99, True, False), (1, None, False, True)],
)
def test_ugrid_polygons(start, fill, said, centres):
    nodes, faces, areas = prisms()
    assert_allclose(areas.sum(), ALL)
    obj = ugrid(nodes, faces, start=start, fill=fill, said=said, centres=centres)
    cells = check(obj, areas)
    assert abs(cells.latitude[[0, -1]]).min() > 89.9  # the poles, inside of pentagons
    assert re.match("UGRID: faces of mesh 'mesh', 'mesh_face_nodes' with node numbers", cells.check()["convention"])
    assert cells.check().ok
    lazy = check(obj.chunk(nface=4), areas)
    assert lazy.chunked
    assert_allclose(lazy.latitude.compute(), cells.latitude, atol=1e-12)
    decoded = xr.decode_cf(obj)  # numbers with a fill value become floats with NaN
    check(decoded, areas)
    backwards = obj.copy(deep=True)
    if fill is not None:  # clockwise corners, the missing ones first
        backwards["mesh_face_nodes"] = backwards.mesh_face_nodes[:, ::-1].assign_attrs(obj.mesh_face_nodes.attrs)
        check(backwards, areas)
    listed = obj.copy(deep=True)
    listed.mesh.attrs["node_coordinates"] = ["mesh_node_x", "mesh_node_y"]  # an attribute of several strings
    listed.mesh_face_nodes.attrs |= {"start_index": np.array([start])} if said else {}
    check(listed, areas)
    fortran = obj.assign(mesh_face_nodes=obj.mesh_face_nodes.T)
    fortran.mesh.attrs["face_dimension"] = "nface"
    check(fortran, areas)


def test_ugrid_data_on_nodes_are_on_dual_cells():
    for nodes, faces, count in ((*icosahedron(), 12), (CUBE, SIDES, 8)):
        cells = check(ugrid(nodes, faces, data="node"), np.full(count, ALL / count))
        assert "dual cells around nodes" in cells.check()["convention"]
    # the dual cells of any mesh fill what its faces fill, and a node of a triangle has about a third of it
    nodes, faces = icosahedron(2)
    part = faces[: len(faces) // 2]
    areas = excess(nodes[part])
    duals = dual_areas(*degrees(nodes), part)
    assert_allclose(duals.sum(), areas.sum(), rtol=1e-12)
    thirds = np.bincount(part.ravel(), np.repeat(areas / 3, 3), minlength=len(nodes))
    assert_allclose(duals, thirds, atol=0.02 * thirds.max())
    mixed, polygons, whole = prisms()
    assert_allclose(dual_areas(*degrees(mixed), polygons).sum(), whole.sum(), rtol=1e-12)


def test_ugrid_of_fesom_has_areas_at_nodes_by_level():
    nodes, faces = icosahedron(1)
    obj = ugrid(nodes, faces, data="node")
    areas = np.linspace(1, 2, len(nodes))
    areas *= ALL / areas.sum()
    obj["nod_area"] = (("nz", "nnode"), np.stack([areas, areas / 2]) * R2, {"units": "m2"})
    obj["elem_area"] = ("nface", np.ones(len(faces)), {"units": "m2"})
    cells = check(obj, areas)
    assert cells.check()["areas"] == "nod_area by its name"


def test_fesom_by_names():
    nodes, faces = icosahedron(1)
    latitude, longitude = degrees(nodes)
    obj = xr.Dataset({"elements": (("n3", "elem"), faces.T + 1), "sst": (("time", "nod2"), np.ones((1, len(nodes))))})
    obj["lon"], obj["lat"] = ("nod2", longitude), ("nod2", latitude)
    duals = dual_areas(latitude, longitude, faces)
    assert check(obj, duals).check()["convention"].startswith("FESOM: dual cells around nodes")
    triangles = obj.assign(u=("elem", np.ones(len(faces)))).drop_vars("sst")
    check(triangles, excess(nodes[faces]))
    with pytest.raises(
        CoordinateError, match="no latitude and longitude along 'nod2': add lat and lon from fesom.mesh"
    ):
        obj.drop_vars(["lon", "lat"]).skgeo.grid()


def test_ugrid_that_is_wrong_is_refused_with_a_cure():
    nodes, faces, areas = prisms()
    obj = ugrid(nodes, faces, data="edge")
    obj.mesh.attrs["edge_dimension"] = "nedge"
    with pytest.raises(CoordinateError, match=r"\['t'\] lie on the edges of the mesh 'mesh': an edge has no area"):
        obj.skgeo.grid()
    for start, wrong in ((0, 1), (1, 0)):
        obj = ugrid(nodes, faces, start=start)
        obj.mesh_face_nodes.attrs["start_index"] = wrong
        with pytest.raises(CoordinateError, match=f"They fit start_index {start}") as error:
            obj.skgeo.grid()
        exec(re.search(r"obj\[.*$", str(error.value))[0].rstrip("."), {"obj": obj})
        check(obj, areas)
    obj = ugrid(nodes, faces, fill=999)
    del obj.mesh_face_nodes.attrs["_FillValue"]
    with pytest.raises(CoordinateError, match="If 999 marks a missing corner, say so") as error:
        obj.skgeo.grid()
    exec(re.search(r"obj\[.*$", str(error.value))[0].rstrip("."), {"obj": obj})
    check(obj, areas)
    whole = ugrid(nodes, faces)
    with pytest.raises(CoordinateError, match="'t' lies on the mesh 'mesh', which the object does not have"):
        whole["t"].skgeo.grid()
    alone = ugrid(nodes, faces, centres=True).set_coords(["mesh_face_x", "mesh_face_y"])["t"]
    with pytest.warns(CoordinateWarning, match="areas of 17 cells are unknown"):
        assert CellGrid.from_xarray(alone).shape == (17,)
    two = whole.merge(whole[["mesh"]].rename(mesh="other"))
    del two.t.attrs["mesh"]
    with pytest.raises(CoordinateError, match=r"More than one mesh: \['mesh', 'other'\]"):
        two.skgeo.grid()
    two.t.attrs["mesh"] = "mesh"
    check(two, areas)
    projected = whole.copy()
    for name in ("mesh_node_x", "mesh_node_y"):
        projected[name] = projected[name].assign_attrs(units="m", standard_name="projection_x_coordinate")
    with pytest.raises(CoordinateError, match=r"expected a latitude and a longitude .* reproject"):
        projected.skgeo.grid()
    lost = whole.copy(deep=True)
    lost.mesh_node_y[2] = np.nan
    for given in (lost, lost.chunk(nface=5), lost.rename(t="s").drop_vars("s").assign(t=("nnode", np.ones(15)))):
        with pytest.raises(
            CoordinateError, match="Node 2, counted from zero, is a corner of a polygon and has no coor"
        ):
            given.skgeo.grid().domain_area()
    whole.mesh_face_nodes.attrs["start_index"] = "one"
    with pytest.raises(CoordinateError, match="start_index 'one': expected 0 or 1"):
        whole.skgeo.grid()
    # centres of other faces
    shifted = ugrid(nodes, faces, centres=True)
    shifted["mesh_face_x"] = shifted.mesh_face_x.copy(data=shifted.mesh_face_x.values + 180)
    with pytest.raises(CoordinateError, match="they do not enclose the centre"):
        shifted.skgeo.grid()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda obj: obj.mesh.attrs.update(topology_dimension=1), "has no faces, its topology_dimension is 1: expect"),
        (lambda obj: obj.mesh.attrs.update(face_node_connectivity="f"), "has no faces, 'f' is absent: expected"),
        (lambda obj: obj.mesh.attrs.update(face_dimension="faces"), "expected the faces, 'faces', and their corners"),
        (
            lambda obj: obj.update({"mesh_node_x": obj.mesh_node_x.rename(nnode="other")}),
            r"have the dimensions \('nnode',\) and \('other',\): expected one and the same",
        ),
    ],
)
def test_ugrid_with_a_wrong_description_is_refused(change, message):
    nodes, faces, _ = prisms()
    obj = ugrid(nodes, faces)
    change(obj)
    with pytest.raises(CoordinateError, match=message):
        obj.skgeo.grid()


def test_ugrid_edges_are_known_by_their_nodes():
    nodes, faces, _ = prisms()
    obj = ugrid(nodes, faces, data="edge")
    obj["mesh_edge_nodes"] = (("nedge", "two"), np.zeros((7, 2), dtype=int))
    obj.mesh.attrs["edge_node_connectivity"] = "mesh_edge_nodes"
    with pytest.raises(CoordinateError, match="an edge has no area"):
        obj.skgeo.grid()


def test_valid_of_a_mesh_with_several_variables():
    nodes, faces, areas = prisms()
    obj = ugrid(nodes, faces)
    obj["s"] = obj.t.where(np.arange(17) > 3)
    with pytest.raises(
        CoordinateError, match=r"2 variables .* \['t', 's'\]: give a mask, mask=obj\['t'\].notnull"
    ) as error:
        CellGrid.from_xarray(obj, "valid")
    cure = re.search(r"mask=(obj.*)\.$", str(error.value))[1].replace("'t'", "'s'")
    mask = eval(cure, {"obj": obj})
    assert_array_equal(CellGrid.from_xarray(obj, mask).mask, np.arange(17) > 3)
    assert_allclose(CellGrid.from_xarray(obj.drop_vars("t"), "valid").domain_area(1), areas[4:].sum())


def test_ugrid_with_duplicated_nodes_and_radians():
    nodes, faces, areas = prisms()
    apart = np.arange(faces.size).reshape(faces.shape)
    used = np.where(faces.ravel() < 0, 0, faces.ravel())
    obj = ugrid(nodes[used], np.where(faces < 0, -1, apart))
    check(obj, areas)
    for name in ("mesh_node_x", "mesh_node_y"):
        obj[name] = np.radians(obj[name]).assign_attrs(obj[name].attrs | {"units": "radians"})
    check(obj, areas)
    embedded = obj.skgeo.transform(SphericalHarmonicPCA(2).fit(obj))
    assert embedded.embedding.dims == ("nface", "feature")
    assert_allclose(CellGrid.from_xarray(embedded).cell_areas(1), areas, rtol=1e-12)
    assert set(xr.merge([obj, embedded], join="exact", compat="equals").variables) >= {"t", "embedding", "mesh"}


# ICON and MPAS


def mpas(n=1, *, radius=6_371_229.0, units="rad", data="nCells"):
    """The dual of an icosahedron: 12 pentagons and hexagons; corners are the centres of triangles."""
    nodes, faces = icosahedron(n)
    middles = nodes[faces].mean(axis=1)
    middles /= np.linalg.norm(middles, axis=-1, keepdims=True)
    corners, counts = np.zeros((len(nodes), 8), dtype=np.int32), np.zeros(len(nodes), dtype=np.int32)
    for cell, node in enumerate(nodes):
        own = np.flatnonzero((faces == cell).any(axis=1))
        east = np.cross([0.1, 0.2, 1.0], node)
        angle = np.arctan2(middles[own] @ np.cross(node, east) / np.linalg.norm(east) ** 0, middles[own] @ east)
        corners[cell, : own.size], counts[cell] = own[np.argsort(angle)] + 1, own.size
        corners[cell, own.size :] = 3  # MPAS leaves anything beyond nEdgesOnCell
    areas = excess(np.where(np.arange(8)[:, None] < counts[:, None, None], middles[corners - 1], np.nan))
    attrs = {"units": units} if units else {}
    obj = xr.Dataset(attrs={"on_a_sphere": "YES", "sphere_radius": radius})
    for name, dim, places in (("Cell", "nCells", nodes), ("Vertex", "nVertices", middles)):
        latitude, longitude = degrees(places)
        obj[f"lat{name}"] = (dim, np.radians(latitude), attrs)
        obj[f"lon{name}"] = (dim, np.radians(longitude % 360), attrs)
    obj["verticesOnCell"] = (("nCells", "maxEdges"), corners)
    obj["nEdgesOnCell"] = ("nCells", counts)
    obj["cellsOnVertex"] = (("nVertices", "vertexDegree"), faces.astype(np.int32) + 1)
    obj["areaCell"] = ("nCells", areas * radius**2, {"units": "m^2"})
    obj["t"] = (("Time", data), np.ones((1, obj.sizes.get(data, 9))))
    return obj, areas, excess(nodes[faces])


@pytest.mark.parametrize("units", ["rad", None])
def test_mpas_cells_and_vertices(units):
    obj, areas, triangles = mpas(units=units)
    assert_allclose([areas.sum(), triangles.sum()], ALL)
    for given in (obj, obj.chunk(nCells=10), obj.drop_vars("areaCell"), mpas(radius=1.0, units=units)[0]):
        cells = check(given, areas, rtol=1e-9)
        assert cells.shape == areas.shape
    angles = obj.assign(areaCell=("nCells", areas, {"units": "radian2"}))
    check(angles, areas, rtol=1e-9)
    assert obj.skgeo.grid().check()["convention"] == "MPAS: cells"
    embedded = obj.skgeo.transform(SphericalHarmonicPCA(2).fit(obj))
    merged = xr.merge([obj, embedded], join="exact", compat="equals")
    assert_array_equal(merged.latCell, obj.latCell)
    assert check(mpas(units=units, data="nVertices")[0], triangles).shape == triangles.shape
    with pytest.raises(CoordinateError, match=r"\['t'\] lie on the edges of a mesh of MPAS"):
        mpas(data="nEdges")[0].skgeo.grid()
    with pytest.raises(CoordinateError, match="'t' lies on an unstructured mesh .*merge it, xr.merge"):
        obj["t"].skgeo.grid()
    part = mpas(2, units=None)[0].isel(nCells=slice(0, 2)).drop_vars("areaCell")
    with pytest.warns(
        CoordinateWarning, match="'latCell' and 'lonCell' have no units, and are read as radians, as MPAS"
    ):
        CellGrid.from_xarray(part)
    lacks = obj.drop_vars("areaCell")
    lacks["verticesOnCell"] = lacks.verticesOnCell.where((lacks.nCells != 3) | (lacks.maxEdges != 1), 0)
    with pytest.warns(CoordinateWarning, match="1 cells have no corners, the first at 3: they weigh nothing"):
        assert_allclose(CellGrid.from_xarray(lacks).cell_areas(1), np.where(np.arange(areas.size) == 3, 0, areas))
    with pytest.raises(CoordinateError, match="is a plane"):
        obj.assign_attrs(on_a_sphere="NO").skgeo.grid()


def icon(n=1, data="cell", fields=True):
    """A grid file of ICON: triangles, and corners of the cells around vertices and edges."""
    nodes, faces = icosahedron(n)
    dual, areas, triangles = mpas(n)
    obj = xr.Dataset()
    middles = vectors(np.degrees(dual.latVertex.values), np.degrees(dual.lonVertex.values))
    edges = sorted({(min(i, j), max(i, j)) for f in faces for i, j in zip(f, np.roll(f, 1), strict=True)})
    between = nodes[edges].mean(axis=1)
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    quads = np.empty((len(edges), 4, 3))
    for number, (i, j) in enumerate(edges):
        one, other = np.flatnonzero([(i in f) and (j in f) for f in faces])
        quads[number] = nodes[i], middles[one], nodes[j], middles[other]
    around, counts = dual.verticesOnCell.values[:, :6] - 1, dual.nEdgesOnCell.values[:, None]
    corners = np.where(np.arange(6) < counts, around, around[:, :1])
    places = {
        "c": ("cell", middles, nodes[faces]),
        "v": ("vertex", nodes, middles[corners]),
        "e": ("edge", between, quads),
    }
    for letter, (dim, centres, around) in places.items():
        for axis, values, bounds in zip(("lat", "lon"), degrees(centres), degrees(around), strict=True):
            attrs = {"units": "radian", "bounds": f"{letter}{axis}_vertices"}
            attrs["standard_name"] = "grid_latitude" if axis == "lat" else "grid_longitude"
            obj[f"{letter}{axis}"] = (dim, np.radians(values), attrs)
            obj[f"{letter}{axis}_vertices"] = ((dim, f"n{letter}"), np.radians(bounds), {"units": "radian"})
    obj["vertex_of_cell"] = (("nc", "cell"), faces.T.astype(np.int32) + 1)
    obj["edge_of_cell"] = (("nc", "cell"), faces.T.astype(np.int32) + 1)
    obj["cell_area"] = ("cell", triangles * R2, {"units": "m2", "standard_name": "area"})
    obj["dual_area"] = ("vertex", areas * R2, {"units": "m2", "standard_name": "area"})
    if fields:
        obj["t"] = (("time", data), np.ones((2, obj.sizes[data])))
    return obj, {"cell": triangles, "vertex": areas, "edge": excess(quads)}


def test_icon_cells_vertices_and_edges():
    obj, areas = icon()
    check(obj, areas["cell"])
    check(icon(fields=False)[0], areas["cell"])
    without = obj.drop_vars(["cell_area", "clat_vertices", "clon_vertices"])
    assert check(without, areas["cell"]).check()["bounds"].startswith("vlat by vertex_of_cell")
    check(obj.drop_vars("cell_area").chunk(cell=30), areas["cell"])
    for data in ("vertex", "edge"):
        given = icon(data=data)[0]
        cells = check(given, areas[data])
        assert cells.check()["convention"] == {
            "vertex": "ICON: cells around vertices", "edge": "ICON: cells around edges"
        }[data]  # fmt: skip
        check(given.drop_vars("dual_area"), areas[data])
    whole = icon(data="vertex")[0].assign(cell_sea_land_mask=("cell", np.ones(80, dtype=np.int32)))
    check(whole, areas["vertex"])  # numbers of the grid file are no data
    assert CellGrid.from_xarray(
        obj.assign(cell_sea_land_mask=whole.cell_sea_land_mask), "cell_sea_land_mask"
    ).mask.all()
    data = obj[["t"]].rename(cell="ncells")
    with pytest.raises(CoordinateError, match=r"'t' lies on an unstructured mesh \(dimension 'ncells'\)"):
        data.skgeo.grid()


# OASIS


def test_oasis_grids_have_prefixes():
    from test_conventions import AREA, COLUMN, FOUR, QUADS, ROW

    def grid(name, squeeze=False):
        dims = (f"y_{name}", f"x_{name}")
        shape = (1, ROW.size) if squeeze else ROW.shape
        obj = xr.Dataset()
        for part, kind, values, corner in (("lat", "cla", ROW, FOUR[0]), ("lon", "clo", COLUMN, FOUR[1])):
            obj[f"{name}.{part}"] = (dims, values.reshape(shape), {"units": "degrees"})
            obj[f"{name}.{kind}"] = ((f"crn_{name}", *dims), (values + corner[:, None, None]).reshape(4, *shape))
        obj[f"{name}.srf"] = (dims, AREA.reshape(shape) * R2, {"units": "m2"})
        obj[f"{name}.msk"] = (dims, (ROW < 0).astype(np.int32).reshape(shape))
        return obj

    for squeeze in (False, True):
        obj = grid("torc", squeeze)
        cells = check(obj, AREA)
        assert cells.shape == ((648,) if squeeze else (18, 36))
        check(obj.drop_vars("torc.srf"), QUADS, rtol=1e-9)
        unsaid = obj.assign({"torc.srf": obj["torc.srf"].assign_attrs(units="")})
        check(unsaid, QUADS, rtol=1e-9)
    both = grid("torc").merge(grid("atmo"))
    with pytest.raises(CoordinateError, match=r"2 grids of OASIS, \['atmo', 'torc'\]: select .*obj\[\['atmo.lat'"):
        both.skgeo.grid()


# Rings


def reduced(n=16, octahedral=True):
    """A reduced Gaussian grid of 2 n rings: latitude, longitude and true areas of the points."""
    nodes, weights = np.polynomial.legendre.leggauss(2 * n)
    ring = np.minimum(np.arange(2 * n), np.arange(2 * n)[::-1])
    counts = 20 + 4 * ring if octahedral else 4 * (ring + 1)
    latitude = np.repeat(np.degrees(np.arcsin(nodes))[::-1], counts)
    longitude = np.concatenate([np.arange(count) * 360 / count for count in counts])
    return latitude, longitude, np.repeat(2 * np.pi * weights[::-1] / counts, counts)


def points(latitude, longitude, **attrs):
    coords = {"latitude": ("values", latitude), "longitude": ("values", longitude)}
    return xr.Dataset({"t": (("time", "values"), np.ones((2, latitude.size)), attrs)}, coords)


@pytest.mark.parametrize("octahedral", [True, False])
def test_reduced_gaussian_points_have_their_gauss_weights(octahedral):
    latitude, longitude, areas = reduced(16, octahedral)
    for rounded in (latitude, latitude.astype(np.float32), np.round(latitude, 3)):
        cells = check(points(rounded, longitude), areas, rtol=1e-9)
        assert "32 rings of" in cells.check()["convention"]
        assert cells.check()["areas"] == "areas of rings by Gauss-Legendre weights of the rings"
    for turned in (slice(None, None, -1),):
        check(points(latitude[turned], longitude[turned]), areas[turned])
    check(points(latitude, (longitude + 180) % 360 - 180), areas)
    lazy = points(latitude, longitude, GRIB_gridType="reduced_gg").chunk(values=100)
    assert check(lazy, areas).chunked


def test_other_rings_end_midway_and_healpix_rings_are_equal():
    latitude = np.arange(-87.5, 90, 5)
    counts = np.maximum(4, np.round(72 * np.cos(np.radians(latitude))).astype(int))
    band = np.diff(np.sin(np.radians(np.arange(-90, 90.1, 5)))) * 2 * np.pi
    all_longitudes = np.concatenate([(np.arange(n) + 0.5) * 360 / n for n in counts])
    check(points(np.repeat(latitude, counts), all_longitudes), np.repeat(band / counts, counts))
    # HEALPix in the order of rings, by the formula of its latitudes and longitudes
    nside, rows = 8, []
    for i in range(1, 4 * nside):
        from_pole = min(i, 4 * nside - i)
        if from_pole < nside:
            sine, count, start = 1 - from_pole**2 / (3 * nside**2), 4 * from_pole, 0.5
        else:
            sine, count, start = 4 / 3 - 2 * from_pole / (3 * nside), 4 * nside, ((i - nside + 1) % 2) / 2
        sine = sine if i <= 2 * nside else -sine
        rows += [(np.degrees(np.arcsin(sine)), (k + start) * 360 / count) for k in range(count)]
    latitude, longitude = np.array(rows).T
    check(points(latitude, longitude), np.full(12 * nside**2, ALL / (12 * nside**2)))


def test_points_that_are_no_rings_stay_points():
    latitude, longitude, _ = reduced(8)
    north = latitude > 0
    rng = np.random.default_rng(0)
    for given in (
        points(latitude[north], longitude[north]),  # half of the sphere
        points(*rng.permutation(np.stack([latitude, longitude]), axis=1)),
        points(latitude[1:], longitude[1:]),  # a point is missing
        points(np.repeat([10.0, 20.0], 4), np.tile([0.0, 1, 2, 3], 2)),
    ):
        with pytest.warns(CoordinateWarning, match="areas of .* cells are unknown"):
            CellGrid.from_xarray(given)
    said = points(latitude[north], longitude[north], GRIB_gridType="reduced_gg")
    with pytest.raises(CoordinateError, match=r"reduced Gaussian grid \(GRIB_gridType of 't'\), but .* a region, add"):
        said.skgeo.grid()


# Edges and corners that neighbours share


def test_edges_of_regular_grids():
    edges = np.array([-90.0, -70, -30, 0, 10, 50, 90]), np.array([0.0, 50, 100, 200, 360])
    middles = [(each[1:] + each[:-1]) / 2 for each in edges]
    area = np.diff(np.sin(np.radians(edges[0])))[:, None] * np.radians(np.diff(edges[1]))
    for names in (("lat_b", "lon_b"), ("lat_edges", "lon_edges"), ("any", "other")):
        obj = xr.Dataset(coords={"lat": middles[0], "lon": middles[1]})
        obj["t"] = (("lat", "lon"), np.ones(area.shape))
        for axis, name, each in zip(("lat", "lon"), names, edges, strict=True):
            obj[name] = (f"{axis}_edge", each)
            if names[0] == "any":
                obj[axis].attrs["bounds"] = name
        assert_allclose(obj.skgeo.grid().cell_areas(1), area, rtol=1e-12)
    said = obj.assign(
        {
            name: obj[name].assign_attrs(units=f"degrees_{way}")
            for name, way in zip(names, ("north", "east"), strict=True)
        }
    )
    assert said.skgeo.grid().shape == area.shape  # edges with units do not take the place of centres without
    mixed = obj.assign({name: (obj[name].dims, np.radians(obj[name].values), {"units": "radians"}) for name in names})
    assert_allclose(mixed.skgeo.grid().cell_areas(1), area, rtol=1e-12)


@pytest.mark.parametrize(
    "names",
    [
        ("geolat", "geolon", "geolat_c", "geolon_c"),
        ("lat", "lon", "lat_b", "lon_b"),
        ("lat_rho", "lon_rho", "lat_vert", "lon_vert"),
    ],
)
def test_corners_of_curvilinear_grids_are_shared(names):
    row, column = np.meshgrid(np.arange(7.0), np.arange(9.0), indexing="ij")
    corners = 50 + row - column / 10, 5 + column * 1.5 + row / 5
    centres = [(each[1:, 1:] + each[:-1, :-1] + each[1:, :-1] + each[:-1, 1:]) / 4 for each in corners]
    around = [np.stack([each[:-1, :-1], each[:-1, 1:], each[1:, 1:], each[1:, :-1]], axis=-1) for each in corners]
    areas = excess(vectors(*around).reshape(-1, 4, 3)).reshape(6, 8)
    obj = xr.Dataset({"t": (("yh", "xh"), np.ones((6, 8)))})
    dims = (("yh", "xh"), ("yh", "xh"), ("yq", "xq"), ("yq", "xq"))
    for i, (name, values, along) in enumerate(zip(names, (*centres, *corners), dims, strict=True)):
        units = {"units": ("degree_north", "degree_east")[i % 2]} if "rho" in names[0] else {}
        obj[name] = (along, values, units)
    cells = check(obj.set_coords(names[:2]), areas, rtol=1e-9)
    assert cells.check()["bounds"].startswith(names[2])
    check(obj.set_coords(names).chunk(yh=3), areas, rtol=1e-9)


def test_cubed_sphere_of_fv3_is_one_grid():
    from test_conventions import cube

    centres, corners, areas = cube(6)
    obj = xr.Dataset({"t": (("time", "tile", "grid_yt", "grid_xt"), np.ones((1, 6, 6, 6)))})
    for axis, (name, units) in enumerate((("lat", "degrees_N"), ("lon", "degrees_E"))):
        obj[f"grid_{name}t"] = (("tile", "grid_yt", "grid_xt"), centres[axis], {"units": units})
        obj[f"grid_{name}"] = (("tile", "grid_y", "grid_x"), corners[axis], {"units": units})
    cells = check(obj, areas, rtol=1e-9)
    assert cells.shape == (216,)
    # Axes that only number rows and columns, in the units of places.
    numbered = obj.assign_coords(grid_yt=("grid_yt", np.arange(6.0), {"units": "degrees_N", "cartesian_axis": "Y"}))
    assert check(numbered, areas, rtol=1e-9).shape == (216,)
    # Patches of labelled fields: one for each face.
    members = cells.patch_members(labels=np.repeat(np.arange(6), 36))
    field = obj.t.copy(data=np.arange(216.0).reshape(1, 6, 6, 6))
    field = obj.assign(t=field).set_coords(["grid_latt", "grid_lont"])["t"]
    for given in (field, field.transpose("grid_xt", "time", "tile", "grid_yt")):
        assert_array_equal(cells.patch_values(given, members).values.squeeze(), np.arange(216).reshape(6, 36))


# Areas


@pytest.mark.parametrize(
    ("unit", "factor"), [("m2", 1), ("km2", 1e-6), ("cm^2", 1e4), ("steradian", 1 / R2), ("radian2", 1 / R2)]
)
def test_units_of_areas(unit, factor):
    obj, areas = icon()
    obj = obj.assign(cell_area=("cell", areas["cell"] * R2 * factor, {"units": unit, "standard_name": "cell_area"}))
    check(obj, areas["cell"])


def test_areas_one_factor_away_from_the_corners_are_noticed():
    obj = icon()[0]
    obj["cell_area"] = obj.cell_area.copy(data=obj.cell_area.values * 1.21)
    with (
        pytest.warns(CoordinateWarning, match="'cell_area' are 1.21 times those of the polygons of their corners"),
        pytest.raises(CoordinateError, match="1.21 times as large as the Earth"),
    ):
        CellGrid.from_xarray(obj)
    obj["cell_area"] = obj.cell_area.copy(data=obj.cell_area.values / 2)
    with pytest.warns(CoordinateWarning, match="'cell_area' are 0.605 times"):
        CellGrid.from_xarray(obj)
