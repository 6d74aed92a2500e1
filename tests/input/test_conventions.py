"""Files as models and observations write them, in small: the right area, or one clear error."""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgeo import CellGrid, LatLonGrid, SphericalHarmonicPCA
from skgeo._input.from_xarray import read_cells, read_grid
from skgeo.exceptions import CoordinateError, CoordinateWarning
from skgeo.model_selection import SphericalBlockKFold

xr = pytest.importorskip("xarray")
da = pytest.importorskip("dask.array")

import skgeo.xarray  # noqa: E402, F401 - needs xarray

R2 = 6_371_008.8**2
LAT, LON = np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10)
EDGES = np.arange(-90.0, 91, 10), np.arange(0.0, 361, 10)
# Areas of the cells of a grid of 10 degrees on the unit sphere, by the formula in sines.
BAND = np.diff(np.sin(np.radians(EDGES[0]))) * np.radians(10)
AREA = np.repeat(BAND[:, np.newaxis], LON.size, axis=1)
ROW, COLUMN = np.meshgrid(LAT, LON, indexing="ij")
N = ROW.size
FOUR = 5.0 * np.array([-1, -1, 1, 1]), 5.0 * np.array([-1, 1, 1, -1])
DEGREES = {"degrees": 1.0, "radians": np.pi / 180}


def pairs(edges):
    return np.column_stack([edges[:-1], edges[1:]])


def polygons(rows, columns):
    """Areas (...) on the unit sphere of quadrilaterals (..., 4), by l'Huilier's formula for two triangles."""
    latitude, longitude = np.radians(rows), np.radians(columns)

    def side(i, j):
        half = np.sin((latitude[..., i] - latitude[..., j]) / 2) ** 2
        half += (
            np.cos(latitude[..., i])
            * np.cos(latitude[..., j])
            * np.sin((longitude[..., i] - longitude[..., j]) / 2) ** 2
        )
        return 2 * np.arcsin(np.sqrt(half.clip(0, 1)))

    total = 0.0
    for i, j, k in ((0, 1, 2), (0, 2, 3)):
        a, b, c = side(i, j), side(j, k), side(k, i)
        s = (a + b + c) / 2
        product = np.tan(s / 2) * np.tan((s - a) / 2) * np.tan((s - b) / 2) * np.tan((s - c) / 2)
        total = total + 4 * np.arctan(np.sqrt(product.clip(0)))
    return total


QUADS = polygons(ROW[..., None] + FOUR[0], COLUMN[..., None] + FOUR[1]).ravel()


def unstructured(unit="degrees", bounds_unit="degrees", units=True, names=("clat", "clon"), bounds="{}_bnds"):
    """All cells of 10 degrees along one dimension, with corners, in units of their own."""
    obj = xr.Dataset({"t": ("cell", np.ones(N))})
    for name, kind, values, corners in zip(names, ("latitude", "longitude"), (ROW, COLUMN), FOUR, strict=True):
        corner = bounds.format(name)
        own = {"units": unit} if units else {}
        centres = values.ravel() * DEGREES[unit]
        obj[corner] = (("cell", "nv"), (values.ravel()[:, None] + corners) * DEGREES[bounds_unit])
        if bounds_unit != unit:
            obj[corner].attrs["units"] = bounds_unit
        obj = obj.assign_coords({name: ("cell", centres, {**own, "standard_name": kind, "bounds": corner})})
    return obj


# Units


@pytest.mark.parametrize("unit", DEGREES)
@pytest.mark.parametrize("bounds_unit", DEGREES)
def test_centres_and_corners_are_read_by_their_own_units(unit, bounds_unit):
    obj = unstructured(unit, bounds_unit)
    for given in (obj, obj.chunk(cell=100)):
        cells = CellGrid.from_xarray(given)
        assert_allclose(np.asarray(cells.latitude), ROW.ravel(), rtol=1e-14)
        assert_allclose(np.asarray(cells.solid_angles), QUADS, rtol=1e-9)
        assert cells.chunked == (given is not obj)


@pytest.mark.parametrize("said", [{}, {"units": "degrees"}])
@pytest.mark.parametrize("wrong", ["bounds", "centres"])
def test_radians_beside_degrees_are_refused_and_the_cure_works(said, wrong):
    obj = unstructured()
    names = ("clat_bnds", "clon_bnds") if wrong == "bounds" else ("clat", "clon")
    for name in names:
        obj[name] = np.radians(obj[name]).assign_attrs(obj[name].attrs | said)
    if wrong == "centres":
        for name in names:
            obj[name].attrs.pop("units") if not said else None
            obj[f"{name}_bnds"].attrs["units"] = "degrees"
    other = "clat" if wrong == "bounds" else "clat_bnds"
    message = f"'{names[0]}' is in radians, '{other}' in degrees. Say so of each"
    for read in (CellGrid.from_xarray, SphericalHarmonicPCA(2).fit):
        with pytest.raises(CoordinateError, match=message) as error:
            read(obj)
    cure = re.search(r"obj\[.*'radians'", str(error.value))[0]
    for name in names:
        exec(cure.replace(names[0], name), {"obj": obj})
    assert_fills_the_globe(obj)
    axes = cmip(LAT, LON)
    axes["lat_bnds"] = np.radians(axes.lat_bnds)
    with pytest.raises(CoordinateError, match="'lat_bnds' is in radians, 'lat' in degrees"):
        LatLonGrid.from_xarray(axes)


def test_radians_in_single_precision_reach_the_pole():
    # pi / 2 in single precision is 90.0000025 degrees
    obj = unstructured("radians", "radians").astype(np.float32)
    for name in ("clat", "clon"):
        obj[name] = obj[name].astype(np.float32)
    cells = CellGrid.from_xarray(obj)
    assert cells.dtype == np.float32
    assert_allclose(cells.solid_angles, QUADS, rtol=1e-4)
    axis = np.radians(np.linspace(-90, 90, 19)).astype(np.float32)
    grid = xr.Dataset(
        coords={"lat": ("lat", axis, {"units": "radian"}), "lon": ("lon", np.radians(LON), {"units": "rad"})}
    )
    assert_allclose(LatLonGrid.from_xarray(grid).cell_areas(1).sum(), 4 * np.pi, rtol=1e-12)


def test_bounds_of_axes_are_read_by_their_own_units():
    obj = xr.Dataset(coords={"lat": ("lat", LAT, {"bounds": "lat_bnds"}), "lon": ("lon", LON)})
    obj["lat_bnds"] = (("lat", "bnds"), np.radians(pairs(EDGES[0])), {"units": "radians"})
    assert_allclose(LatLonGrid.from_xarray(obj).cell_areas(1), AREA, rtol=1e-12)
    in_radians = obj.drop_vars("lat_bnds").assign_coords(lat=("lat", np.radians(LAT), {"units": "radians"}))
    in_radians["lat_bnds"] = (("lat", "bnds"), np.radians(pairs(EDGES[0])))  # those of the coordinate, says CF
    assert_allclose(LatLonGrid.from_xarray(in_radians).cell_areas(1), AREA, rtol=1e-12)


@pytest.mark.parametrize(
    ("units", "metres"),
    [
        *dict.fromkeys(("m2", "m^2", "m**2", "m 2", "square meters", "meter2", "m²"), 1.0).items(),
        *dict.fromkeys(("km2", "km^2", "km**2", "square kilometres", "sq km"), 1e6).items(),
        *dict.fromkeys(("radian^2", "radians^2", "radians2", "radian2", "rad2", "square radians"), R2).items(),
        *dict.fromkeys(("sr", "steradian", "steradians"), R2).items(),
        ("centimeter^2", 1e-4),
    ],
)
def test_areas_are_read_by_their_units(units, metres):
    obj = unstructured().drop_vars(["clat_bnds", "clon_bnds"])
    obj["clat"].attrs.pop("bounds"), obj["clon"].attrs.pop("bounds")
    obj["cell_area"] = ("cell", AREA.ravel() * R2 / metres, {"standard_name": "cell_area", "units": units})
    assert_allclose(CellGrid.from_xarray(obj).solid_angles, AREA.ravel(), rtol=1e-12)


@pytest.mark.parametrize("units", ["", "1", "%", "m", "K", "m3", "degrees2", None])
def test_areas_in_wrong_units_refused_and_cure_works(units):
    obj = unstructured()
    attrs = {"standard_name": "cell_area"} | ({} if units is None else {"units": units})
    obj["areacello"] = ("cell", AREA.ravel() * R2, attrs)
    for read in (CellGrid.from_xarray, SphericalHarmonicPCA(2).fit):
        with pytest.raises(CoordinateError, match=re.escape(f"The areas 'areacello' have the units {units or ''!r}")):
            read(obj)
    obj["areacello"].attrs["units"] = "m2"
    assert_allclose(CellGrid.from_xarray(obj).solid_angles, AREA.ravel(), rtol=1e-12)
    # a name alone is no promise
    named = unstructured().assign(area=("cell", np.full(N, 3.0), {"units": "1"}))
    assert_allclose(CellGrid.from_xarray(named).solid_angles, QUADS, rtol=1e-9)


def test_undecoded_fill_values_are_missing():
    obj = unstructured()
    centres, corners = obj.clat.to_numpy().copy(), obj.clat_bnds.to_numpy().copy()
    centres[:3], corners[:3] = -999.0, 1e20
    for dtype in (np.float32, np.float64):
        marked = obj.assign_coords(clat=("cell", centres.astype(dtype), obj.clat.attrs | {"_FillValue": dtype(-999)}))
        marked["clat_bnds"] = (("cell", "nv"), corners.astype(dtype), {"missing_value": 1e20})
        areas = np.where(np.arange(N) < 3, 9.96921e36, AREA.ravel() * R2)
        attrs = {"standard_name": "cell_area", "units": "m2", "_FillValue": np.float32(9.96921e36)}
        with_areas = marked.assign(areacello=("cell", areas.astype(np.float32), attrs))
        for given in (marked, with_areas, marked.chunk(cell=100)):
            cells = CellGrid.from_xarray(given)
            angles = np.asarray(cells.solid_angles)
            assert_array_equal(np.isnan(np.asarray(cells.latitude)), np.arange(N) < 3)
            assert_array_equal(angles[:3], 0.0)
            assert_allclose(angles[3:].sum(), (QUADS if given is not with_areas else AREA.ravel())[3:].sum(), rtol=1e-5)


def test_undecoded_packed_coordinates_are_unpacked():
    packed = xr.Dataset(coords={"lat": ("lat", (LAT * 100).astype(np.int16), {"scale_factor": 0.01}), "lon": LON})
    assert_allclose(LatLonGrid.from_xarray(packed).latitude, LAT, rtol=1e-12)


# Cells and points


def areas_of_cells(how):
    obj = unstructured()
    if how == "vertices":
        return obj
    obj = obj.drop_vars(["clat_bnds", "clon_bnds"])
    obj["clat"].attrs.pop("bounds"), obj["clon"].attrs.pop("bounds")
    attrs = {"units": "km2"} | ({"standard_name": "cell_area"} if how == "standard_name" else {})
    obj["a" if how == "cell_measures" else "cell_area"] = ("cell", AREA.ravel() * R2 / 1e6, attrs)
    if how == "cell_measures":
        obj["t"].attrs["cell_measures"] = "area: a"
    if how == "boxes":
        obj = obj.drop_vars("cell_area").assign_coords(clat=obj.clat, clon=obj.clon)
        obj["clat_bnds"] = (("cell", "bnds"), ROW.ravel()[:, None] + [-5.0, 5])
        obj["clon_bnds"] = (("cell", "bnds"), (COLUMN.ravel()[:, None] + [-5.0, 5]) % 360)
    return obj


@pytest.mark.parametrize("how", ["vertices", "standard_name", "cell_measures", "name", "boxes"])
@pytest.mark.parametrize("chunks", [None, 100])
@pytest.mark.parametrize("part", [slice(None), slice(0, 200)])
def test_a_fit_takes_cells_with_their_areas(how, chunks, part):
    obj = areas_of_cells(how).isel(cell=part)
    obj = obj.chunk(cell=chunks) if chunks else obj
    fitted, by_grid = SphericalHarmonicPCA(3).fit(obj), SphericalHarmonicPCA(3).fit(obj.skgeo.grid())
    areas = QUADS if how == "vertices" else AREA.ravel()
    assert_allclose(fitted.shannon_number_, 16 * areas[part].sum() / (4 * np.pi), rtol=1e-6)
    assert_allclose(fitted.mean_, by_grid.mean_, atol=1e-14)
    assert_allclose(fitted.explained_variance_, by_grid.explained_variance_, atol=1e-14)
    embedded = fitted.transform(obj)
    assert isinstance(embedded, da.Array) == bool(chunks)
    points = np.column_stack([ROW.ravel()[part], COLUMN.ravel()[part]])
    assert_allclose(np.asarray(embedded), fitted.transform(points), atol=1e-12)
    if not chunks and part == slice(None):
        split = next(SphericalBlockKFold(2, block_size_km=3000).split(obj))
        assert_array_equal(split[0], next(SphericalBlockKFold(2, block_size_km=3000).split(points))[0])


def test_points_stay_points():
    stations = xr.Dataset(
        {"t": ("station", np.ones(N))}, {"lat": ("station", ROW.ravel()), "lon": ("station", COLUMN.ravel())}
    )
    points = np.column_stack([ROW.ravel(), COLUMN.ravel()])
    assert_allclose(SphericalHarmonicPCA(3).fit(stations).mean_, SphericalHarmonicPCA(3).fit(points).mean_, atol=1e-14)


def test_a_stacked_grid_is_its_cells():
    obj = cmip(np.arange(-85.0, 90, 10), LON).stack(cell=("lat", "lon"))
    assert_allclose(CellGrid.from_xarray(obj).solid_angles, AREA.ravel(), rtol=1e-12)


def test_values_of_variables_are_never_touched():
    def explode(block):
        raise AssertionError("a variable was computed")

    untouchable = da.zeros(N, chunks=100).map_blocks(explode, dtype=float, meta=np.empty(0))
    obj = unstructured().assign(t=("cell", untouchable))
    encoder = SphericalHarmonicPCA(2).fit(obj)
    got = encoder.transform(obj).compute()
    assert got.shape == (N, 8)
    assert_array_equal(obj.skgeo.transform(encoder).embedding.compute(), got)


# Bounds


def cmip(latitude, longitude, edges=EDGES):
    """As CMIP has it: bounds as variables, named by the axes."""
    return xr.Dataset(
        {
            "t": (("lat", "lon"), np.ones((latitude.size, longitude.size))),
            "lat_bnds": (("lat", "bnds"), pairs(edges[0])),
            "lon_bnds": (("lon", "bnds"), pairs(edges[1])),
        },
        {
            "lat": ("lat", latitude, {"units": "degrees_north", "axis": "Y", "bounds": "lat_bnds"}),
            "lon": ("lon", longitude, {"units": "degrees_east", "axis": "X", "bounds": "lon_bnds"}),
        },
    )


# GEOS-Chem's grid of 4 degrees, with rows of half the height at the poles.
HALF_POLAR = np.r_[-89.0, np.arange(-86.0, 87, 4), 89]
HALF_EDGES = np.r_[-90.0, np.arange(-88.0, 89, 4), 90]


def test_lost_bounds_are_missed():
    whole = cmip(HALF_POLAR, LON, (HALF_EDGES, EDGES[1]))
    row = np.sin(np.radians(90)) - np.sin(np.radians(88))
    assert_allclose(LatLonGrid.from_xarray(whole).cell_areas(1)[0], row * np.radians(10), rtol=1e-12)
    message = "'lat' names the bounds 'lat_bnds', which the object does not have: edges are midway"
    for read in (LatLonGrid.from_xarray, lambda t: t.skgeo.grid(), SphericalHarmonicPCA(2).fit):
        with pytest.warns(CoordinateWarning, match=message) as caught:
            read(whole["t"])
        assert len(caught) == 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grid = LatLonGrid.from_xarray(whole["t"])
    assert_allclose(grid.cell_areas(1)[0] / (row * np.radians(10)), 1.5625, rtol=1e-3)
    cure = re.search(r"dataset(\[\[.*?\]\])", str(caught[0].message))[1]
    assert_allclose(
        LatLonGrid.from_xarray(eval(f"whole{cure}", {"whole": whole})).cell_areas(1)[0], row * np.radians(10)
    )
    obj = whole["t"]
    exec(str(caught[0].message).partition("or forget them, ")[2].removesuffix("."), {"obj": obj})
    LatLonGrid.from_xarray(obj)  # in silence


def test_lost_bounds_are_not_missed_where_they_do_not_matter():
    whole = cmip(HALF_POLAR, LON, (HALF_EDGES, EDGES[1]))
    encoder = SphericalHarmonicPCA(2).fit(whole)
    assert_allclose(encoder.transform(whole["t"]), encoder.transform(whole))
    whole["t"].skgeo.transform(encoder)
    next(SphericalBlockKFold(2, block_size_km=3000).split(whole["t"]))
    # equal steps from pole to pole and around: edges are midway, whatever the bounds were
    for latitude, edges in ((LAT, EDGES[0]), (np.arange(-90.0, 91, 10), np.r_[-90.0, np.arange(-85.0, 90, 10), 90])):
        even = cmip(latitude, LON, (edges, EDGES[1]))
        assert_array_equal(
            LatLonGrid.from_xarray(even["t"]).latitude_edges, LatLonGrid.from_xarray(even).latitude_edges
        )


def test_lost_vertices_of_cells_are_missed():
    obj = tripolar()
    with pytest.warns(
        CoordinateWarning, match="'vertices_latitude' and 'vertices_longitude', which the object does not"
    ):
        CellGrid.from_xarray(obj["tos"])
    with pytest.warns(CoordinateWarning, match="'clat_bnds' and 'clon_bnds', .* are read as points"):
        SphericalHarmonicPCA(2).fit(unstructured()["t"])
    # with areas there is nothing to miss
    obj = unstructured().assign_coords(a=("cell", AREA.ravel() * R2, {"units": "m2", "standard_name": "cell_area"}))
    assert_allclose(SphericalHarmonicPCA(2).fit(obj["t"]).shannon_number_, 9, rtol=1e-6)


# Merging


@pytest.mark.parametrize("as_coordinates", [False, True])
@pytest.mark.parametrize("edge", ["bnds", "nv", "nbnd"])
@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("single", [False, True])
def test_embeddings_merge_with_bounds_of_all_sorts(as_coordinates, edge, wrap, single):
    obj = cmip(LAT, LON - 5, (EDGES[0], EDGES[1] - 5)).rename(bnds=edge)
    if wrap:
        obj["lon_bnds"] = obj.lon_bnds % 360
    if single:
        obj["lat_bnds"], obj["lon_bnds"] = obj.lat_bnds.astype(np.float32), obj.lon_bnds.astype(np.float32)
    obj = obj.set_coords(["lat_bnds", "lon_bnds"]) if as_coordinates else obj
    encoder = SphericalHarmonicPCA(2).fit(obj)
    embedded = obj.skgeo.transform(encoder)
    merged = xr.merge([obj, embedded], join="exact", compat="equals")
    assert dict(merged.sizes) == {"lat": 18, "lon": 36, edge: 2, "feature": 8}
    for again in (merged, embedded, xr.merge([embedded, obj], join="exact", compat="equals")):
        assert_array_equal(LatLonGrid.from_xarray(again).longitude_edges, LatLonGrid.from_xarray(obj).longitude_edges)
    lost = xr.merge([obj, obj["t"].skgeo.transform(encoder)], join="exact", compat="equals")
    assert_allclose(lost.embedding, merged.embedding, atol=1e-14)


@pytest.mark.parametrize("how", ["vertices", "standard_name", "cell_measures", "name", "boxes"])
@pytest.mark.parametrize("as_coordinates", [False, True])
def test_embeddings_merge_with_areas(how, as_coordinates):
    obj = areas_of_cells(how)
    obj = obj.set_coords([name for name in obj.data_vars if name != "t"]) if as_coordinates else obj
    encoder = SphericalHarmonicPCA(2).fit(obj)
    embedded = obj.skgeo.transform(encoder)
    merged = xr.merge([obj, embedded], join="exact", compat="equals")
    assert merged.embedding.dims == ("cell", "feature")
    for again in (embedded, merged):
        assert_allclose(CellGrid.from_xarray(again).solid_angles, CellGrid.from_xarray(obj).solid_angles, rtol=1e-12)


def test_an_embedding_of_radians_has_radians():
    obj = unstructured("radians", "radians")
    embedded = obj.skgeo.transform(SphericalHarmonicPCA(2).fit(obj))
    assert embedded.clat.attrs["units"] == "radians"
    assert_array_equal(xr.merge([obj, embedded], join="exact", compat="equals").clat, obj.clat)
    assert_allclose(CellGrid.from_xarray(embedded).latitude, ROW.ravel(), rtol=1e-14)


# Files


def bent(n_rows=18, n_columns=36):
    """Latitudes and longitudes (y, x) of a pole turned by 30 degrees, with those of the corners, and the true areas."""

    def turned(latitude, longitude):
        phi, lam, tilt = np.radians(latitude), np.radians(longitude), np.radians(30)
        x, y, z = np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)
        x, z = x * np.cos(tilt) + z * np.sin(tilt), z * np.cos(tilt) - x * np.sin(tilt)
        return np.degrees(np.arcsin(z.clip(-1, 1))), np.degrees(np.arctan2(y, x))

    corners = turned(ROW[..., None] + FOUR[0], COLUMN[..., None] + FOUR[1])
    return *turned(ROW, COLUMN), *corners


def tripolar():
    """CMIP6 of an ocean model, with areas in a file of their own."""
    latitude, longitude, north, east = bent()
    obj = xr.Dataset({"tos": (("j", "i"), np.ones(ROW.shape), {"cell_measures": "area: areacello"})})
    for name, centres, corners in (("latitude", latitude, north), ("longitude", longitude, east)):
        attrs = {"standard_name": name, "units": f"degrees_{'north' if name == 'latitude' else 'east'}"}
        obj = obj.assign_coords({name: (("j", "i"), centres, attrs | {"bounds": f"vertices_{name}"})})
        obj[f"vertices_{name}"] = (("j", "i", "vertices"), corners, {"units": attrs["units"]})
    return obj.assign_coords(i=("i", np.arange(36), {"long_name": "cell index along first dimension", "units": "1"}))


def assert_fills_the_globe(obj, expected=QUADS, rtol=1e-9):
    """The area of each cell, and a fit that knows it."""
    cells = obj.skgeo.grid()
    assert_allclose(np.asarray(cells.cell_areas(1)).ravel(), expected.ravel(), rtol=rtol)
    share = expected.sum() / (4 * np.pi)
    assert_allclose(SphericalHarmonicPCA(2).fit(obj).shannon_number_, 9 * share, rtol=1e-6)
    return cells


def test_cmip_regular():
    assert_fills_the_globe(cmip(LAT, LON), AREA)


def test_cmip_tripolar():
    assert_fills_the_globe(tripolar())
    with_areas = tripolar().assign(areacello=(("j", "i"), AREA * R2, {"standard_name": "cell_area", "units": "m2"}))
    assert_fills_the_globe(with_areas, AREA)


def test_icon():
    assert_fills_the_globe(unstructured("radians", "radians"))
    grid_file = unstructured("radians", "radians", bounds="{}_vertices")
    for name, standard_name in (("clat", "grid_latitude"), ("clon", "grid_longitude")):  # as ICON's grid files say
        grid_file[name].attrs |= {"standard_name": standard_name, "units": "radian"}
        grid_file[f"{name}_vertices"].attrs["units"] = "radian"
        grid_file = grid_file.assign_coords({f"v{name[1:]}": ("vertex", np.zeros(9), grid_file[name].attrs)})
    assert_fills_the_globe(grid_file)
    grid_file["cell_area"] = ("cell", AREA.ravel() * R2, {"units": "m2", "standard_name": "area"})
    assert_fills_the_globe(grid_file, AREA)


@pytest.mark.parametrize("units", ["rad", None])
def test_mpas(units):
    attrs = {} if units is None else {"units": units}
    obj = xr.Dataset({"t": ("nCells", np.ones(N))})
    obj["latCell"] = ("nCells", np.radians(ROW.ravel()), attrs | {"long_name": "Latitude location of cell centers"})
    obj["lonCell"] = ("nCells", np.radians(COLUMN.ravel()), attrs)
    obj["latVertex"] = ("nVertices", np.radians(ROW.ravel()[:9]), attrs)
    obj["lonVertex"] = ("nVertices", np.radians(COLUMN.ravel()[:9]), attrs)
    obj["areaCell"] = ("nCells", AREA.ravel() * R2, {"units": "m^2"})
    if units:
        assert_fills_the_globe(obj, AREA)
        return
    obj = obj.drop_vars("areaCell").assign(lonCell=obj.lonCell - np.pi)
    with pytest.warns(CoordinateWarning, match="areas of 648 cells are unknown"):
        cells = obj.skgeo.grid()
    assert_allclose(cells.latitude, ROW.ravel(), rtol=1e-12)  # radians, as MPAS always has them


@pytest.mark.parametrize("unit", DEGREES)
@pytest.mark.parametrize("with_areas", [False, True])
def test_scrip(unit, with_areas):
    factor, size = DEGREES[unit], "grid_size"
    obj = xr.Dataset({"grid_imask": (size, (ROW.ravel() > 0).astype(np.int32)), "grid_dims": ("grid_rank", [36, 18])})
    obj["grid_center_lat"] = (size, ROW.ravel() * factor, {"units": unit})
    obj["grid_center_lon"] = (size, COLUMN.ravel() * factor, {"units": unit})
    obj["grid_corner_lat"] = ((size, "grid_corners"), (ROW.ravel()[:, None] + FOUR[0]) * factor, {"units": unit})
    obj["grid_corner_lon"] = ((size, "grid_corners"), (COLUMN.ravel()[:, None] + FOUR[1]) * factor, {"units": unit})
    if with_areas:
        obj["grid_area"] = (size, AREA.ravel(), {"units": "radian^2"})
    expected = AREA.ravel() if with_areas else QUADS
    assert_fills_the_globe(obj, expected)
    masked = CellGrid.from_xarray(obj, "grid_imask")
    assert_allclose(masked.domain_area(1), expected[ROW.ravel() > 0].sum(), rtol=1e-9)


def test_corners_alone_are_refused():
    obj = unstructured().drop_vars(["clat", "clon"])
    for name, units in (("clat_bnds", "degrees_north"), ("clon_bnds", "degrees_east")):
        obj[name].attrs["units"] = units
    obj = obj.rename(clat_bnds="ocn.cla", clon_bnds="ocn.clo")
    with pytest.raises(CoordinateError, match=r"No latitude of centres: \['ocn.cla'\] are corners of cells. Add the"):
        CellGrid.from_xarray(obj)


def test_fesom():
    obj = unstructured(names=("lat", "lon")).rename(cell="ncells")
    corners = obj.lat_bnds.pad(nv=(0, 12), mode="edge"), obj.lon_bnds.pad(nv=(0, 12), mode="edge")
    obj = obj.drop_vars(["lat_bnds", "lon_bnds"]).assign(lat_bnds=corners[0], lon_bnds=corners[1])
    assert_fills_the_globe(obj)
    obj["cell_area"] = ("ncells", AREA.ravel() * R2, {"units": "m2", "standard_name": "cell_area"})
    assert_fills_the_globe(obj, AREA)


def region():
    """Centres of a curved grid of 1 degree at 50 north, and the areas that their distances tell."""
    row, column = np.meshgrid(np.arange(20.0), np.arange(30.0), indexing="ij")
    latitude, longitude = 40 + row - column / 10, -10 + column + row / 5
    return latitude, longitude, CellGrid(latitude, longitude).solid_angles


def wrf(times=3, **more):
    latitude, longitude, _ = region()
    dims = ("Time", "south_north", "west_east")
    coords = {
        "XLAT": (dims, np.stack([latitude] * times).astype(np.float32), {"units": "degree_north", "FieldType": 104}),
        "XLONG": (dims, np.stack([longitude] * times).astype(np.float32), {"units": "degree_east"}),
    }
    return xr.Dataset({"T2": (dims, np.ones((times, *latitude.shape)))}, {**coords, **more})


def test_wrf():
    *_, areas = region()
    for obj in (wrf(), wrf(1), wrf()["T2"], wrf().chunk(Time=1), wrf().isel(Time=0)):
        assert_fills_the_globe(obj, areas, rtol=1e-4)
    encoder = SphericalHarmonicPCA(2).fit(wrf())
    merged = xr.merge([wrf(), wrf().skgeo.transform(encoder)], join="exact", compat="equals")
    assert merged.embedding.dims == ("south_north", "west_east", "feature")
    nest = wrf()
    nest["XLAT"] = nest.XLAT + xr.DataArray([0.0, 0.1, 0.2], dims="Time")
    with pytest.raises(CoordinateError, match=r"'XLAT' changes along 'Time': select one grid, obj\.isel\(Time=0\)"):
        nest.skgeo.grid()
    static = wrf(1).rename(XLAT="XLAT_M", XLONG="XLONG_M").reset_coords()
    static["XLAT_M"].attrs, static["XLONG_M"].attrs = {"units": "degrees latitude"}, {"units": "degrees longitude"}
    static["CLAT"], static["CLONG"] = static.XLAT_M + 1, static.XLONG_M + 1
    assert_fills_the_globe(static, areas, rtol=1e-4)
    assert_array_equal(static.skgeo.grid().latitude, wrf().skgeo.grid().latitude)


def roms(named=True):
    """Four grids in a Dataset."""
    latitude, longitude, _ = region()
    obj = xr.Dataset()
    for point, shift in (("rho", (0, 0)), ("u", (0, 1)), ("v", (1, 0)), ("psi", (1, 1))):
        rows, columns = (slice(None, size - by) for size, by in zip(latitude.shape, shift, strict=True))
        dims = (f"eta_{point}", f"xi_{point}")
        for name, values, units in (("lat", latitude, "degree_north"), ("lon", longitude, "degree_east")):
            attrs = {"long_name": f"{name} of {point}-points", "units": units}
            obj = obj.assign_coords({f"{name}_{point}": (dims, values[rows, columns] + shift[0] / 2, attrs)})
    obj["temp"] = (("ocean_time", "eta_rho", "xi_rho"), np.ones((2, *latitude.shape)))
    obj["mask_rho"] = (("eta_rho", "xi_rho"), (latitude > 50).astype(float))
    return obj


def test_roms():
    *_, areas = region()
    obj = roms()
    assert_fills_the_globe(obj["temp"], areas)
    assert_fills_the_globe(obj, areas)  # there are variables on the grid of rho only
    masked = CellGrid.from_xarray(obj[["temp", "mask_rho"]], "mask_rho")
    assert_array_equal(masked.mask, obj.lat_rho > 50)
    obj["u"] = (("ocean_time", "eta_u", "xi_u"), np.ones((2, 20, 29)))
    with pytest.raises(
        CoordinateError, match=r"More than one latitude: \['lat_rho', 'lat_u'\]. Keep one.*obj\['temp'\]"
    ):
        obj.skgeo.grid()
    assert_fills_the_globe(obj["temp"], areas)
    assert obj["u"].skgeo.grid().shape == (20, 29)
    # what the error says keeps the bounds
    latitude = obj.lat_rho.assign_attrs(obj.lat_rho.attrs | {"bounds": "rho_vertices"})
    obj = obj.assign_coords(lat_rho=latitude).assign(rho_vertices=obj.lat_rho.expand_dims(nv=4))
    with pytest.raises(CoordinateError, match=r"whose grid you mean, obj\[\['temp', 'rho_vertices'\]\]"):
        obj.skgeo.grid()


def test_nemo():
    latitude, longitude, north, east = bent()
    obj = xr.Dataset({"thetao": (("time_counter", "y", "x"), np.ones((2, *ROW.shape)))})
    for name, kind, centres, corners in (("nav_lat", "lat", latitude, north), ("nav_lon", "lon", longitude, east)):
        obj = obj.assign_coords({name: (("y", "x"), centres, {"bounds": f"bounds_{kind}"})})
        obj[f"bounds_{kind}"] = (("y", "x", "nvertex"), corners)
    assert_fills_the_globe(obj)
    obj["area"] = (("y", "x"), AREA * R2, {"standard_name": "cell_area", "units": "m2"})
    assert_fills_the_globe(obj, AREA)


def test_pop_chooses_by_the_coordinates_attribute():
    latitude, longitude, areas = region()
    coords = {
        f"{point}{name}": (("nlat", "nlon"), values + shift, {"units": units})
        for point, shift in (("T", 0), ("U", 0.5))
        for name, values, units in (("LAT", latitude, "degrees_north"), ("LONG", longitude, "degrees_east"))
    }
    obj = xr.Dataset({"SST": (("nlat", "nlon"), np.ones(latitude.shape))}, coords)
    with pytest.raises(CoordinateError, match=r"More than one latitude: \['TLAT', 'ULAT'\]. Keep one, obj.drop_vars\("):
        obj.skgeo.grid()
    obj["SST"].encoding["coordinates"] = "TLONG TLAT time"
    for given in (obj, obj["SST"]):
        assert_fills_the_globe(given, areas)
        assert_array_equal(given.skgeo.grid().latitude, latitude)


def cube(n):
    """Centres (6, n, n), corners (6, n + 1, n + 1) and areas of an equiangular cubed sphere."""

    def places(angle):
        a, b = np.meshgrid(np.tan(angle), np.tan(angle), indexing="ij")
        one = np.ones_like(a)
        faces = [(one, b, a), (-b, one, a), (-one, -b, a), (b, -one, a), (-a, b, one), (a, b, -one)]
        x, y, z = np.array(faces).swapaxes(0, 1)
        return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x)) % 360

    edges = np.linspace(-np.pi / 4, np.pi / 4, n + 1)
    # the solid angle of the pyramid over a rectangle from the centre of a face to (x, y)
    x, y = np.meshgrid(np.tan(edges), np.tan(edges), indexing="ij")
    whole = np.arctan(x * y / np.sqrt(1 + x**2 + y**2))
    areas = np.diff(np.diff(whole, axis=0), axis=1)
    return places((edges[:-1] + edges[1:]) / 2), places(edges), np.stack([areas] * 6)


def geos(n=12):
    centres, corners, _ = cube(n)
    obj = xr.Dataset({"T": (("time", "nf", "Ydim", "Xdim"), np.ones((1, 6, n, n)))})
    for i, (name, kind, axis, units) in enumerate(
        (("lats", "Latitude", "Ydim", "degrees_north"), ("lons", "Longitude", "Xdim", "degrees_east"))
    ):
        fake = {"long_name": f"Fake {kind} for GrADS Compatibility", "units": units}
        obj = obj.assign_coords({axis: (axis, np.linspace(-45, 45, n), fake)})
        obj[name] = (("nf", "Ydim", "Xdim"), centres[i], {"long_name": kind.lower(), "units": units})
        obj[f"corner_{name}"] = (("nf", "YCdim", "XCdim"), corners[i], {"units": units})
    return obj


def test_geos_cubed_sphere():
    areas = cube(12)[2]
    obj = geos()
    cells = assert_fills_the_globe(obj, areas)
    assert_allclose(cells.cell_areas(1).sum(), 4 * np.pi, rtol=1e-12)
    # without corners, from neighbours on the same face: those at its rim are symmetric
    without = obj.drop_vars(["corner_lats", "corner_lons"])
    found = without.skgeo.grid().cell_areas(1).reshape(6, 12, 12)
    assert_allclose(found[:, 1:-1, 1:-1], areas[:, 1:-1, 1:-1], rtol=0.02)
    assert_allclose(found, areas, rtol=0.1)
    assert_allclose(np.asarray(without.chunk(nf=1).skgeo.grid().cell_areas(1)).reshape(6, 12, 12), found, rtol=1e-12)
    with_areas = without.assign(area=(("nf", "Ydim", "Xdim"), areas * R2, {"units": "m2"}))
    assert_fills_the_globe(with_areas, areas)
    encoder = SphericalHarmonicPCA(2).fit(obj)
    merged = xr.merge([obj, obj.skgeo.transform(encoder)], join="exact", compat="equals")
    assert merged.embedding.dims == ("nf", "Ydim", "Xdim", "feature")
    assert_allclose(merged.embedding.values.reshape(-1, 8), encoder.transform(cells))


def test_axes_that_say_they_are_none_are_refused():
    obj = geos().drop_vars(["lats", "lons", "corner_lats", "corner_lons"]).isel(nf=0)
    with pytest.raises(CoordinateError, match=r"\['Ydim'\] are no places, 'Ydim' says 'Fake Latitude for GrADS"):
        obj.skgeo.grid()
    with pytest.raises(CoordinateError, match=r"\['Ydim'\] are no places"):
        LatLonGrid.from_xarray(geos().isel(nf=0).drop_vars(["lats", "lons", "corner_lats", "corner_lons"]))


@pytest.mark.parametrize("said", ["h point nominal latitude", "Fake latitude", "latitude index", "latitude"])
def test_true_coordinates_win_over_nominal_axes(said):
    latitude, longitude, areas = region()
    axes = {
        "yh": ("yh", latitude[:, 0], {"units": "degrees_north", "axis": "Y", "long_name": said}),
        "xh": ("xh", longitude[0], {"units": "degrees_east", "axis": "X", "long_name": said}),
    }
    obj = xr.Dataset({"thetao": (("time", "yh", "xh"), np.ones((2, *latitude.shape)))}, axes)
    obj["geolat"] = (("yh", "xh"), latitude, {"units": "degrees_north"})
    obj["geolon"] = (("yh", "xh"), longitude, {"units": "degrees_east"})
    for given in (obj, obj.set_coords(["geolat", "geolon"])["thetao"], obj.chunk(yh=7)):
        assert isinstance(given.skgeo.grid(), CellGrid)
        assert_fills_the_globe(given, areas)
        with pytest.raises(CoordinateError, match=r"with CellGrid\.from_xarray\(obj\)|CellGrid"):
            LatLonGrid.from_xarray(given)


def test_healpix_and_reduced_gaussian():
    # equal areas: without their size these are points, with it they are cells
    i = np.arange(N) + 0.5
    coords = {"lat": ("cell", np.degrees(np.arcsin(1 - 2 * i / N))), "lon": ("cell", np.degrees(i * 10.1664) % 360)}
    obj = xr.Dataset({"t": ("cell", np.ones(N))}, coords)
    with pytest.warns(CoordinateWarning, match="areas of 648 cells are unknown"):
        assert obj.skgeo.grid().solid_angles is None
    area = ("cell", np.full(N, 4 * np.pi / N), {"standard_name": "cell_area", "units": "sr"})
    assert_fills_the_globe(obj.assign(cell_area=area), np.full(N, 4 * np.pi / N))
    # rows of fewer and fewer cells towards the poles
    counts = np.array([4, 12, 20, 24, 28, 32, 36, 36, 36, 36, 36, 36, 32, 28, 24, 20, 12, 4])
    lat, lon = np.repeat(LAT, counts), np.concatenate([(np.arange(n) + 0.5) * 360 / n for n in counts])
    half = np.repeat(180 / counts, counts)
    obj = xr.Dataset({"t": ("rgrid", np.ones(lat.size))}, {"lat": ("rgrid", lat), "lon": ("rgrid", lon)})
    obj["lat_bnds"] = (("rgrid", "bnds"), lat[:, None] + [-5.0, 5])
    obj["lon_bnds"] = (("rgrid", "bnds"), (lon[:, None] + half[:, None] * [-1, 1]) % 360)
    assert_fills_the_globe(obj, np.repeat(BAND / np.radians(10) * 2 * np.pi / counts, counts))


def test_oisst():
    latitude, longitude = np.arange(-89.875, 90, 0.25, np.float32), np.arange(0.125, 360, 0.25, np.float32)
    obj = xr.Dataset(coords={"zlev": [0.0], "lat": ("lat", latitude, {"units": "degrees_north"}), "lon": longitude})
    obj["sst"] = (("zlev", "lat", "lon"), da.zeros((1, 720, 1440)))
    grid = obj.skgeo.grid()
    assert (grid.closed, grid.dtype) == (True, np.float32)
    band = np.diff(np.sin(np.radians(np.arange(-90, 90.1, 0.25))))
    assert_allclose(grid.cell_areas(1)[:, 0], band * np.radians(0.25), rtol=1e-9)


@pytest.mark.parametrize("units", ["m", "km", "metre"])
def test_ease_and_other_projections(units):
    latitude, longitude, areas = region()
    axes = {
        "x": ("x", np.arange(30.0), {"units": units, "standard_name": "projection_x_coordinate"}),
        "y": ("y", np.arange(20.0), {"units": units, "standard_name": "projection_y_coordinate"}),
    }
    obj = xr.Dataset({"ice": (("y", "x"), np.ones(latitude.shape))}, axes)
    obj = obj.assign_coords(lat=(("y", "x"), latitude), lon=(("y", "x"), longitude))
    assert_fills_the_globe(obj, areas)


def test_cordex():
    latitude, longitude, north, east = bent()
    axes = {
        "rlat": ("rlat", LAT, {"standard_name": "grid_latitude", "units": "degrees", "axis": "Y"}),
        "rlon": ("rlon", LON, {"standard_name": "grid_longitude", "units": "degrees", "axis": "X"}),
    }
    obj = xr.Dataset({"tas": (("rlat", "rlon"), np.ones(ROW.shape))}, axes)
    for name, centres, corners in (("lat", latitude, north), ("lon", longitude, east)):
        obj = obj.assign_coords({name: (("rlat", "rlon"), centres, {"bounds": f"{name}_vertices"})})
        obj[f"{name}_vertices"] = (("rlat", "rlon", "vertices"), corners)
    assert_fills_the_globe(obj)


@pytest.mark.parametrize(
    "names", [("decimalLatitude", "decimalLongitude"), (" lat ", " lon"), ("site_lat", "site_lon")]
)
def test_names_of_tables(names):
    points = np.column_stack([ROW.ravel(), COLUMN.ravel()])
    obj = xr.Dataset({name: ("obs", values) for name, values in zip(names, points.T, strict=True)})
    obj["count"] = ("obs", np.ones(N))
    assert_allclose(SphericalHarmonicPCA(2).fit(obj).mean_, SphericalHarmonicPCA(2).fit(points).mean_, atol=1e-14)
    assert_array_equal(
        read_cells(obj.assign(a=("obs", AREA.ravel(), {"standard_name": "cell_area", "units": "sr"})), "valid")["mask"],
        True,
    )


def test_two_pairs_of_names_are_refused():
    names = ["pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon"]
    obj = xr.Dataset({name: ("trip", np.arange(3.0)) for name in names})
    with pytest.raises(CoordinateError, match=r"More than one pair .*\('dropoff_lat', 'dropoff_lon'\)\]. Keep one"):
        obj.skgeo.grid()


def test_names_and_units_that_disagree_are_refused():
    obj = xr.Dataset(
        coords={
            "lat": ("lat", np.arange(-60.0, -50), {"units": "degrees_east"}),
            "lon": ("lon", np.arange(11.0, 16), {"units": "degrees_north"}),
        }
    )
    with pytest.raises(CoordinateError, match="'lon' is a latitude by its units, but not by its name. Correct the one"):
        obj.skgeo.grid()


# Masks


@pytest.mark.parametrize("turn", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize("labels", [False, True])
def test_masks_of_cells_are_aligned_by_their_places(turn, labels):
    latitude, longitude, _ = region()
    inside = np.random.default_rng(0).random(latitude.shape) > 0.5
    coords = {"lat": (("y", "x"), latitude), "lon": (("y", "x"), longitude)}
    coords |= {"y": np.arange(20.0), "x": np.arange(30.0)} if labels else {}
    obj = xr.Dataset({"t": (("y", "x"), np.ones(latitude.shape))}, coords)
    mask = xr.DataArray(inside, coords, ("y", "x"))[:: turn[0], :: turn[1]]
    rounded = mask.assign_coords(lat=mask.lat.astype(np.float32), lon=(mask.lon % 360).astype(np.float32))
    renamed = mask.drop_vars(["y", "x"], errors="ignore").rename(y="rows", x="columns")
    chunked = mask.chunk(y=7)
    for given in (
        mask,
        mask.T,
        rounded,
        renamed,
        chunked,
        mask.expand_dims("time"),
        mask.assign_coords(lat=mask.lat.where(mask)),
    ):
        assert_array_equal(np.asarray(read_cells(obj, given)["mask"]), inside)
    assert isinstance(read_cells(obj, chunked)["mask"], da.Array)
    if not labels:  # the same labels, rows the other way around
        numbered = mask.assign_coords(y=np.arange(20), x=np.arange(30))
        assert_array_equal(read_cells(obj.assign_coords(y=np.arange(20), x=np.arange(30)), numbered)["mask"], inside)


@pytest.mark.parametrize("shift", [1, 0.5, 0.3])
def test_masks_of_other_cells_are_refused_and_the_cure_works(shift):
    latitude, longitude, _ = region()
    obj = xr.Dataset(coords={"lat": (("y", "x"), latitude), "lon": (("y", "x"), longitude)})
    mask = xr.DataArray(latitude > 50, {"lat": (("y", "x"), latitude + shift), "lon": obj.lon}, ("y", "x"))
    with pytest.raises(CoordinateError, match="mask has other latitudes or longitudes than the cells") as error:
        CellGrid.from_xarray(obj, mask)
    cure = re.search(r"mask\.drop_vars\(.*\)", str(error.value))[0]
    assert_array_equal(read_cells(obj, eval(cure, {"mask": mask}))["mask"], latitude > 50)


def test_masks_of_unstructured_cells_are_aligned_or_refused():
    obj, inside = unstructured(), np.random.default_rng(0).random(N) > 0.5
    mask = xr.DataArray(inside, obj.coords, ("cell",))
    for given in (mask, mask[::-1]):
        assert_array_equal(read_cells(obj, given)["mask"], inside)
    with pytest.raises(CoordinateError, match="mask has other latitudes or longitudes"):
        read_cells(obj, mask[np.random.default_rng(0).permutation(N)])
    numbered = obj.assign_coords(cell=np.arange(N))
    shuffled = xr.DataArray(inside, numbered.coords, ("cell",))[np.random.default_rng(0).permutation(N)]
    assert_array_equal(read_cells(numbered, shuffled)["mask"], inside)


@pytest.mark.parametrize("step", [1.0, 1e-2, 9e-5])
def test_masks_match_to_a_fraction_of_a_step(step):
    latitude, longitude = 48 + np.arange(8) * step, 11 + np.arange(8) * step
    obj = xr.DataArray(np.ones((8, 8)), {"lat": latitude, "lon": longitude}, ("lat", "lon"))
    first = (obj * 0 + np.arange(8)[:, None]) == 0
    for same in (
        first,
        first.assign_coords(lat=latitude.astype(np.float32), lon=longitude.astype(np.float32)),
        first.assign_coords(lat=latitude + step / 50),
        first.assign_coords(lon=(longitude - 360).astype(np.float32)) if step > 1e-3 else first,
    ):
        assert_array_equal(np.flatnonzero(read_grid(obj, same)["mask"][:, 0]), [0])
    for shift in (1, -1, 0.5, 0.3):
        with pytest.raises(CoordinateError, match="mask has other latitudes than the grid"):
            read_grid(obj, first.assign_coords(lat=latitude + shift * step))


def test_masks_of_regular_grids_by_places_and_labels():
    row, column = np.meshgrid(np.arange(0.0, 5), np.arange(0.0, 7), indexing="ij")
    inside = row + column > 4
    obj = xr.Dataset(coords={"lat": ("y", row[:, 0]), "lon": ("x", column[0]), "y": list("abcde")})
    placed = xr.DataArray(inside, {"lat": (("y", "x"), row), "lon": (("y", "x"), column)}, ("y", "x"))
    for given in (placed, placed[::-1], placed[:, ::-1], xr.DataArray(inside, {"y": list("abcde")}, ("y", "x"))[::-1]):
        assert_array_equal(read_grid(obj, given)["mask"], inside)
    with pytest.raises(CoordinateError, match="mask has other labels along 'y' than the grid"):
        read_grid(obj, xr.DataArray(inside, {"y": list("bcdef")}, ("y", "x")))


# Where all this came from


def test_sources_say_what_was_taken_and_why():
    sources = read_grid(cmip(LAT, LON), None)["sources"]
    assert sources["coordinates"] == "lat by its units; lon by its units"
    assert sources["bounds"] == "lat_bnds named by lat; lon_bnds named by lon"
    sources = read_cells(areas_of_cells("cell_measures"), None)["sources"]
    assert sources["coordinates"] == "clat by its standard_name; clon by its standard_name"
    assert (sources["areas"], sources["bounds"]) == ("a named by cell_measures", "none")
    sources = read_cells(unstructured("radians", "radians"), "valid")["sources"]
    assert sources["coordinates"].startswith("clat by its standard_name, in radians")
    assert sources["mask"] == "where the variable is never missing"
    with pytest.warns(CoordinateWarning):
        sources = read_cells(tripolar()["tos"])["sources"]
    assert "vertices_latitude named by latitude is lost" in sources["bounds"]


def test_the_accessor_checks():
    pytest.importorskip("skgeo._output.grid_report", reason="the report of grids is on another branch")
    report = cmip(HALF_POLAR, LON, (HALF_EDGES, EDGES[1])).skgeo.check("valid")
    assert report.ok
    assert_allclose(report["total_area"], 4 * np.pi * R2, rtol=1e-12)
    assert report["bounds"] == "lat_bnds named by lat; lon_bnds named by lon"
    assert "where the variable is never missing" in repr(report)
    assert (
        unstructured("radians", "radians")
        .skgeo.check()["coordinates"]
        .endswith("clon by its standard_name, in radians")
    )


def test_an_embedding_says_nothing_of_areas():
    model = SphericalHarmonicPCA(2).fit(CellGrid(ROW.ravel(), COLUMN.ravel(), areas=AREA.ravel() * R2))
    for areas in (AREA / R2, np.full(AREA.shape, np.nan), np.full(AREA.shape, 1e30)):
        obj = unstructured(bounds="{}_corners")
        obj["area"] = ("cell", areas.ravel(), {"units": "m2"})
        expected = model.transform(np.column_stack([ROW.ravel(), COLUMN.ravel()]))
        assert_allclose(model.transform(obj), expected, rtol=1e-12, atol=1e-12)
        assert_allclose(obj.skgeo.transform(model).embedding, expected, rtol=1e-12, atol=1e-12)


def test_valid_takes_no_areas_that_only_cell_measures_name():
    obj = xr.Dataset(
        {
            "zeta": (("y", "x"), np.where(ROW > 0, 1.0, np.nan), {"cell_measures": "area: rho_area"}),
            "rho_area": (("y", "x"), AREA * R2, {"units": "m2"}),
        },
        {"lat": (("y", "x"), ROW), "lon": (("y", "x"), COLUMN)},
    )
    assert_allclose(CellGrid.from_xarray(obj, "valid").domain_area(1), 2 * np.pi, rtol=1e-12)


def test_columns_at_0_and_360_of_a_mask_are_not_exchanged():
    longitude = np.arange(0.0, 361, 10)
    bounds = np.clip(np.column_stack([longitude - 5, longitude + 5]), 0, 360)
    obj = xr.Dataset(coords={"lat": LAT, "lon": ("lon", longitude, {"bounds": "lon_bnds"})})
    obj["lon_bnds"] = (("lon", "bnds"), bounds)
    part = np.broadcast_to(np.linspace(0, 1, 37), (18, 37))
    mask = xr.DataArray(part, {"lat": LAT, "lon": longitude}, ("lat", "lon"))
    for order in (slice(None), slice(None, None, -1), np.random.default_rng(0).permutation(37)):
        assert_array_equal(LatLonGrid.from_xarray(obj, mask.isel(lon=order)).mask, part)


@pytest.mark.parametrize("axis", ["clat", "clon"])
def test_boxes_around_other_cells_are_refused(axis):
    obj = unstructured().drop_vars(["clat_bnds", "clon_bnds"])
    for name, centres in (("clat", ROW.ravel()), ("clon", COLUMN.ravel())):
        obj[f"{name}_bnds"] = (("cell", "edge"), np.column_stack([centres - 5, centres + 5]))
    assert_allclose(CellGrid.from_xarray(obj).solid_angles, AREA.ravel(), rtol=1e-12)
    obj[f"{axis}_bnds"] = obj[f"{axis}_bnds"].isel(cell=slice(None, None, -1))
    with pytest.raises(
        CoordinateError, match="bounds of 6.. cells do not enclose the centre, the first at 0: latitude"
    ):
        CellGrid.from_xarray(obj)
