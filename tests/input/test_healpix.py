"""HEALPix as files have it: nested and ring, whole and regional, with exact areas; and files that are wrong."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgeo import CellGrid, LatLonGrid, SphericalHarmonicPCA
from skgeo.exceptions import CoordinateError, CoordinateWarning

xr = pytest.importorskip("xarray")
healpix = pytest.importorskip("healpix")

import skgeo.xarray  # noqa: E402, F401 - needs xarray

NSIDE = 4
N = 12 * NSIDE**2
AREA = 4 * np.pi / N


def centres(nested, numbers=None, nside=NSIDE):
    longitude, latitude = healpix.pix2ang(nside, np.arange(12 * nside**2) if numbers is None else numbers,
                                          nest=nested, lonlat=True)  # fmt: skip
    return latitude, longitude


# The attributes that say the same in different files: CF, easygems, DestinE, and an attribute of the Dataset.
SAID = {
    "cf": {"grid_mapping_name": "healpix", "refinement_level": 2, "indexing_scheme": "nested"},
    "easygems": {"grid_mapping_name": "healpix", "healpix_nside": 4, "healpix_order": "nest"},
    "destine": {"healpix_nside": np.int64(4), "healpix_order": "nested"},
}


def healpix_file(attributes, numbers=None, name="cell", mapping="crs"):
    numbers_of = np.arange(N) if numbers is None else numbers
    obj = xr.Dataset({"t": (("time", name), np.ones((2, len(numbers_of))), {"grid_mapping": mapping})})
    obj = obj.assign_coords({mapping: ((), 0, attributes)})
    return obj if numbers is None else obj.assign_coords({name: (name, numbers)})


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("who", SAID)
def test_whole_sphere(who, nested):
    attributes = {k: (v if nested or "nest" not in str(v) else "ring") for k, v in SAID[who].items()}
    obj = healpix_file(attributes)
    latitude, longitude = centres(nested)
    # a DataArray keeps the grid mapping where this is a coordinate
    for given in (obj, obj["t"], obj.chunk(cell=50), obj.reset_coords("crs")):
        cells = given.skgeo.grid()
        assert_allclose(np.asarray(cells.latitude), latitude, atol=1e-12)
        assert_allclose(np.asarray(cells.longitude), longitude, atol=1e-12)
        assert_allclose(np.asarray(cells.solid_angles), AREA, rtol=1e-14)
        assert cells.chunked == bool(given.chunks)
    assert cells.check()["convention"] == f"HEALPix: nside 4, {'nested' if nested else 'ring'}, by 'crs'"
    assert cells.check()["areas"] == "equal areas of HEALPix"
    basis = SphericalHarmonicPCA(2).fit(obj)
    assert_allclose(basis.shannon_number_, 9, rtol=1e-12)
    embedded = obj.skgeo.transform(basis)
    assert embedded.embedding.dims == ("cell", "feature")
    assert_allclose(CellGrid.from_xarray(embedded).solid_angles, AREA, rtol=1e-12)
    xr.merge([obj, embedded], join="exact", compat="equals")


@pytest.mark.parametrize("name", ["cell", "cell_ids", "healpix_index", "place"])
def test_regional_files_have_the_numbers_of_their_cells(name):
    numbers = np.array([100, 3, 7, 191, 50])
    obj = healpix_file(SAID["cf"], numbers, name)
    if name == "place":
        obj[name].attrs["standard_name"] = "healpix_index"
    latitude, longitude = centres(True, numbers)
    cells = obj.skgeo.grid()
    assert_allclose(cells.latitude, latitude, atol=1e-12)
    assert_allclose(cells.longitude, longitude, atol=1e-12)
    assert_allclose(cells.domain_area(1), 5 * AREA)
    masked = CellGrid.from_xarray(obj.assign(t=obj.t.where(obj[name] != 7)), "valid")
    assert_array_equal(masked.mask, numbers != 7)


def test_xdggs_and_grib():
    numbers = np.array([5, 6])
    attributes = {"grid_name": "healpix", "level": 2, "indexing_scheme": "nested"}
    obj = xr.Dataset({"t": ("cells", np.ones(2))}, {"cell_ids": ("cells", numbers, attributes)})
    assert_allclose(obj.skgeo.grid().latitude, centres(True, numbers)[0], atol=1e-12)
    for order, nested in (("nested", True), ("ring", False)):
        latitude, longitude = centres(nested)
        grib = {"GRIB_gridType": "healpix", "GRIB_Nside": 4, "GRIB_orderingConvention": order}
        coords = {"latitude": ("values", latitude), "longitude": ("values", longitude)}
        obj = xr.Dataset({"t": ("values", np.ones(N), grib)}, coords)
        for given in (obj, obj["t"]):
            assert_allclose(given.skgeo.grid().solid_angles, AREA, rtol=1e-14)
        obj = obj.assign(t=obj.t.assign_attrs(GRIB_orderingConvention="ring" if nested else "nested"))
        with pytest.raises(CoordinateError, match=f"not the centres .* They are those of the order '{order}': say so"):
            obj.skgeo.grid()


def test_attributes_of_the_dataset_say_it():
    obj = xr.Dataset({"t": ("cell", np.ones(N))}, attrs={"healpix_nside": 4, "healpix_order": "nested"})
    cells = obj.skgeo.grid()
    assert_allclose(cells.latitude, centres(True)[0], atol=1e-12)
    assert cells.check()["convention"].endswith("by the attributes of the object")
    with pytest.raises(CoordinateError, match=re.escape("'nested_unique'. Say which, obj.attrs['indexing")):
        obj.assign_attrs(healpix_order="?").skgeo.grid()


def test_areas_of_the_file_do_not_replace_equal_areas():
    obj = healpix_file(SAID["cf"])
    obj["cell_area"] = ("cell", np.ones(N), {"units": "m2", "standard_name": "cell_area"})
    assert_allclose(obj.skgeo.grid().solid_angles, AREA, rtol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indexing_scheme": "peano"}, "the order 'peano': expected 'nested', 'ring' or 'nested_unique'"),
        ({"indexing_scheme": None}, "the order 'none'"),
        ({"refinement_level": None}, "nside=None and refinement_level=None: expected a whole number"),
        ({"refinement_level": "many"}, "refinement_level='many'"),
        ({"healpix_nside": 8}, "nside=8 and refinement_level=2, which is nside 4: correct one"),
        ({"healpix_nside": 3, "refinement_level": None}, "nested order needs a power of two"),
        ({"refinement_level": 3}, "has 768 cells, and the object has the dimensions"),
    ],
)
def test_grid_mappings_that_are_wrong(change, message):
    attributes = {k: v for k, v in {**SAID["cf"], **change}.items() if k != "refinement_level" or v is not None}
    with pytest.raises(CoordinateError, match=message):
        healpix_file(attributes).skgeo.grid()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1, 192], "has numbers from 1 to 192: the cells of HEALPix with nside=4 have whole numbers from 0 to 191"),
        ([-1, 3], "from -1 to 3"),
        ([1.5, 2.0], "whole numbers"),
        ([7, 3, 7], "has cell 7 more than once"),
    ],
)
def test_numbers_that_are_wrong(numbers, message):
    with pytest.raises(CoordinateError, match=message):
        healpix_file(SAID["cf"], np.array(numbers)).skgeo.grid()


def test_chunked_numbers_that_are_wrong():
    pytest.importorskip("dask.array")
    numbers = xr.DataArray(np.array([1, 500]), dims="place").chunk(place=1)
    obj = healpix_file(SAID["cf"], np.array([0, 1]), "place").drop_vars("place").assign(healpix_index=numbers)
    with pytest.raises(CoordinateError, match="numbers of HEALPix cells are 500 to 500: expected 0 to 191"):
        obj.skgeo.grid().latitude.compute()


def test_regular_grids_that_keep_the_grid_mapping_of_their_source():
    axes = {"lat": np.arange(-85.0, 90, 10), "lon": np.arange(5.0, 360, 10)}
    obj = xr.Dataset({"t": (("lat", "lon"), np.ones((18, 36)), {"grid_mapping": "crs"})}, axes)
    assert repr(obj.assign(crs=((), 0, SAID["cf"])).skgeo.grid()).startswith("LatLonGrid(18 x 36")


def test_lost_grid_mapping_is_named():
    obj = healpix_file(SAID["cf"]).reset_coords("crs")["t"]
    with pytest.raises(CoordinateError, match=re.escape("'t' has the grid mapping 'crs', which the object does not")):
        obj.skgeo.grid()


def test_a_missing_order_is_asked_for_with_both_values():
    said = {name: value for name, value in SAID["cf"].items() if name != "indexing_scheme"}
    with pytest.raises(CoordinateError, match="without an order of its cells.*= 'nested' or = 'ring'.*ring order by"):
        healpix_file(said).skgeo.grid()


@pytest.mark.parametrize("lone", [False, True])
def test_a_dimension_of_a_healpix_grid_without_places_is_named_and_the_cure_works(lone):
    obj = xr.Dataset({"t": (("time", "cell"), np.ones((48, N)))})
    obj = obj.t if lone else obj
    with pytest.raises(CoordinateError, match=f"the {N} values along 'cell' cells of a HEALPix grid, nside 4") as error:
        CellGrid.from_xarray(obj)
    names = {"obj": obj}
    for line in str(error.value).split("Then say so, ")[1].partition("; for ring order")[0].split(", and "):
        exec(line, names)
    assert_allclose(CellGrid.from_xarray(names["obj"]).solid_angles, AREA, rtol=1e-14)


def test_a_regular_grid_asked_of_a_healpix_field_gets_the_same_cure():
    obj = xr.Dataset({"t": (("time", "cell"), np.ones((48, N)))})
    with pytest.raises(CoordinateError, match=f"the {N} values along 'cell' cells of a HEALPix grid, nside 4"):
        LatLonGrid.from_xarray(obj)


def test_other_dimensions_are_not_taken_for_healpix():
    with pytest.raises(CoordinateError, match=r"^(?!.*HEALPix).*No latitude"):
        CellGrid.from_xarray(xr.Dataset({"t": (("time", "y", "x"), np.ones((48, 5, 6)))}))


@pytest.mark.parametrize("first", ["latitude", "colatitude"])
@pytest.mark.parametrize("nside", [4, 16])
def test_centres_in_radians_are_a_warning(nside, first):
    ring = np.arange(12 * nside**2)
    longitude, latitude = np.radians(healpix.pix2ang(nside, ring, lonlat=True))
    pole, message = (0.0, "is it in radians") if first == "latitude" else (np.pi / 2, "colatitudes first")
    for east in (longitude, longitude % (2.0 * np.pi)):
        with pytest.warns(CoordinateWarning, match=message) as caught:
            CellGrid(np.abs(pole - latitude) if pole else latitude, east, areas=np.ones(ring.size))
        assert len(caught) == 1


def levels_file(numbers, attributes=None):
    mapping = {"grid_mapping_name": "healpix", "indexing_scheme": "nested_unique"} | (attributes or {})
    obj = xr.Dataset({"t": ("cell", np.ones(len(numbers)), {"grid_mapping": "crs"}), "crs": ((), 0, mapping)})
    return obj.assign_coords(number=("cell", numbers, {"standard_name": "healpix_index"}))


def test_cells_of_several_levels():
    # The first 5 base pixels, the children of the next 4, and the grandchildren of the last 3, in any order.
    parts = [(0, np.arange(5)), (1, np.arange(20, 36)), (2, np.arange(144, 192))]
    order = np.random.default_rng(0).permutation(69)
    numbers = np.concatenate([4 * 4**level + number for level, number in parts])[order]
    areas = np.concatenate([np.full(number.size, 4 * np.pi / 12 / 4**level) for level, number in parts])[order]
    assert_allclose(areas.sum(), 4 * np.pi)
    places = np.concatenate([np.stack(centres(True, number, 2**level)) for level, number in parts], axis=1)[:, order]
    obj = levels_file(numbers)
    for given in (obj, obj.chunk(cell=20)):
        cells = given.skgeo.grid()
        assert_allclose(np.stack([cells.latitude, cells.longitude]), places, atol=1e-12)
        assert_allclose(np.asarray(cells.solid_angles), areas, rtol=1e-14)
    assert cells.check()["convention"] == "HEALPix: cells of several levels, nested_unique, by 'crs'"
    own = obj.assign_coords(lat=("cell", places[0]), lon=("cell", places[1]))
    assert_allclose(own.skgeo.grid().solid_angles, areas, rtol=1e-14)
    with pytest.raises(CoordinateError, match="are not the centres of the HEALPix cells with several levels in"):
        own.assign_coords(lat=("cell", -places[0])).skgeo.grid()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([4, 5, 16], r"has the cells 4 and 16 of two levels at one place, and 1 such pairs"),
        ([4 * 4**29 + 7, 4 + 0], "of two levels at one place"),
        (
            [3, 5],
            "from 3 to 5: the cells of HEALPix with several levels have whole numbers from 4 to 4611686018427387903",
        ),
        ([9, 9], "has cell 9 more than once"),
    ],
)
def test_cells_of_several_levels_that_overlap(numbers, message):
    with pytest.raises(CoordinateError, match=message):
        levels_file(np.array(numbers)).skgeo.grid()


def test_cells_of_several_levels_need_their_numbers():
    with pytest.raises(CoordinateError, match=re.escape("several levels ('crs') needs the number of each cell")):
        levels_file(np.array([4, 5])).drop_vars("number").skgeo.grid()
    with pytest.raises(CoordinateError, match=re.escape("expected 'nested', 'ring' or 'nested_unique'")):
        levels_file(np.array([4, 5]), {"indexing_scheme": "zuniq", "refinement_level": 1}).skgeo.grid()
