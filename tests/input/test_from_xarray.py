"""Grids from xarray objects, labelled values back to them, and the accessor."""

import json
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion

import skgeo
from paths import SHARED_DATA, needs_shared_data
from processes import run_python
from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo._input.from_xarray import read_cells
from skgeo.exceptions import CoordinateError, CoordinateWarning

xr = pytest.importorskip("xarray")
da = pytest.importorskip("dask.array")

from skgeo.xarray import patches_to_xarray  # noqa: E402 - needs xarray

LAT, LON = np.arange(-55.0, 60, 10), np.arange(5.0, 200, 10)
SHAPE = LAT.size, LON.size
FIELD = np.random.default_rng(0).normal(size=SHAPE)
MASK = FIELD > 0
NORTH = ["degrees_north", "degree_north", "degree_N", "degrees_N", "degreeN", "degreesN"]
EAST = ["degrees_east", "degree_east", "degree_E", "degrees_E", "degreeE", "degreesE"]


def explode(block):
    raise AssertionError("a variable was computed")


def untouchable(shape=SHAPE):
    """A dask array that must not be computed."""
    return da.zeros(shape).map_blocks(explode, dtype=float, meta=np.empty((0,) * len(shape)))


def dataset(lat="lat", lon="lon", dims=("j", "i"), lat_attrs=(), lon_attrs=(), **variables):
    """A field on the grid that cannot be read, and coordinates on dimensions of other names."""
    coordinates = {lat: (dims[0], LAT, dict(lat_attrs)), lon: (dims[1], LON, dict(lon_attrs))}
    return xr.Dataset({"t": (dims, untouchable()), **variables}, coordinates)


def field(values=FIELD, **coordinates):
    return xr.DataArray(values, coordinates or {"lat": LAT, "lon": LON}, ("lat", "lon"))


def assert_same_grid(one, other):
    for name in ("latitude", "longitude", "latitude_edges", "longitude_edges"):
        assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.closed, one.dtype, one.shape, one.mask is None) == (
        *(other.closed, other.dtype, other.shape, other.mask is None),
    )
    if one.mask is not None:
        assert_array_equal(one.mask, other.mask)


PLAIN = LatLonGrid(LAT, LON)

# Recognition


@pytest.mark.parametrize(
    ("lat_attrs", "lon_attrs"),
    [
        ({"standard_name": "latitude"}, {"standard_name": "longitude"}),
        *(({"units": north}, {"units": east}) for north, east in zip(NORTH, EAST, strict=True)),
        ({"axis": "Y"}, {"axis": "X", "units": "degrees"}),
        ({"standard_name": "latitude", "units": "degrees"}, {"units": "degrees_east", "axis": "X"}),
    ],
)
@pytest.mark.parametrize("as_variables", [False, True])
def test_coordinates_are_found_by_what_cf_says(lat_attrs, lon_attrs, as_variables):
    obj = dataset("phi", "lam", lat_attrs=lat_attrs, lon_attrs=lon_attrs)
    assert_same_grid(LatLonGrid.from_xarray(obj.reset_coords() if as_variables else obj), PLAIN)
    assert_same_grid(LatLonGrid.from_xarray(obj["t"]), PLAIN)


@pytest.mark.parametrize("names", [("lat", "lon"), ("Latitude", "LONGITUDE"), ("LAT", "lng"), ("latitude", "long")])
def test_coordinates_are_found_by_name(names):
    assert_same_grid(LatLonGrid.from_xarray(dataset(*names)), PLAIN)
    assert_same_grid(LatLonGrid.from_xarray(dataset(*names, dims=names)), PLAIN)


def test_the_standard_name_counts_more_than_units_axis_and_name():
    other = {"lat": ("j", LAT + 1), "yy": ("j", LAT + 2, {"units": "degrees_north"}), "ax": ("j", LAT, {"axis": "Y"})}
    obj = dataset("phi", lat_attrs={"standard_name": "latitude"}).assign_coords(other)
    assert_array_equal(LatLonGrid.from_xarray(obj).latitude, LAT)
    assert_array_equal(LatLonGrid.from_xarray(obj.drop_vars("phi")).latitude, LAT + 2)
    assert_array_equal(LatLonGrid.from_xarray(obj.drop_vars(["phi", "yy"])).latitude, LAT)
    assert_array_equal(LatLonGrid.from_xarray(obj.drop_vars(["phi", "yy", "ax"])).latitude, LAT + 1)


def test_coordinates_count_more_than_variables():
    obj = dataset(station_lat=("station", [1.0, 2.0], {"standard_name": "latitude"}))
    assert_same_grid(LatLonGrid.from_xarray(obj), PLAIN)


def test_two_latitudes_are_refused_with_both_names():
    obj = dataset().assign_coords(latitude=("j", LAT + 1))
    with pytest.raises(CoordinateError, match=re.escape("More than one latitude: ['lat', 'latitude']. Keep one")):
        LatLonGrid.from_xarray(obj)


@pytest.mark.parametrize("units", ["degrees_east", "m", "hPa"])
def test_names_and_axes_whose_units_say_otherwise_do_not_count(units):
    for name in ("lat", "phi"):
        expected = "No latitude among"
        if name == "lat" and units == "degrees_east":
            expected = r"'lat' is a longitude by its units, but not by its name.*\.attrs\['units'\] = 'degrees_north'"
        with pytest.raises(CoordinateError, match=expected):
            LatLonGrid.from_xarray(dataset(name, lat_attrs={"units": units, "axis": "Z"}))


def test_absent_coordinates_are_refused_with_what_there_is():
    with pytest.raises(
        CoordinateError, match=r"No latitude among \['phi', 'lon', 't'\]. Add it with obj.assign_coords"
    ):
        LatLonGrid.from_xarray(dataset("phi"))
    with pytest.raises(CoordinateError, match=r"No longitude among \['lat', 'lam'\].*standard_name'\] = 'longitude'"):
        LatLonGrid.from_xarray(dataset(lon="lam")["t"])


@pytest.mark.parametrize("obj", [np.ones((2, 2)), None, "file.nc", {"lat": [1, 2]}])
def test_what_is_no_xarray_object_is_refused(obj):
    expected = f"obj is a {type(obj).__name__}: expected an xarray Dataset or DataArray"
    with pytest.raises(CoordinateError, match=expected):
        LatLonGrid.from_xarray(obj)


def test_a_tree_is_refused_with_the_cure():
    with pytest.raises(CoordinateError, match=r"obj is a DataTree.*select one of its groups with \.to_dataset"):
        LatLonGrid.from_xarray(xr.DataTree(dataset()))


@pytest.mark.parametrize("units", ["radians", "radian", "rad"])
def test_radians_that_say_so_are_read(units):
    obj = dataset("clat", lat_attrs={"standard_name": "latitude", "units": units})
    obj = obj.assign_coords(clat=np.radians(obj.clat).assign_attrs(obj.clat.attrs))
    assert_allclose(LatLonGrid.from_xarray(obj).latitude, LAT, rtol=1e-15)


@pytest.mark.parametrize("units", ["gon", "arcmin", "m", "degrees_south", "degC"])
def test_units_of_no_angle_are_refused(units):
    obj = dataset(lat_attrs={"standard_name": "latitude", "units": units})
    with pytest.raises(CoordinateError, match=f"'lat' has the units '{units.lower()}': expected degrees or radians"):
        LatLonGrid.from_xarray(obj)
    obj = dataset(lat_bnds=(("j", "nv"), bounds(LAT_EDGES), {"units": units}))
    with pytest.raises(CoordinateError, match="'lat_bnds' has the units .*obj\\['lat_bnds'\\].attrs"):
        LatLonGrid.from_xarray(obj)


def curvilinear(**coordinates):
    x, y = np.meshgrid(LON, LAT)
    places = {"nav_lat": (("y", "x"), y + x / 100), "nav_lon": (("y", "x"), x + y / 50)}
    return xr.Dataset({"t": (("y", "x"), untouchable())}, {**places, **coordinates})


ROTATED = {
    "rlat": ("y", LAT, {"standard_name": "grid_latitude", "units": "degrees", "axis": "Y"}),
    "rlon": ("x", LON, {"standard_name": "grid_longitude", "units": "degrees", "axis": "X"}),
}
PROJECTED = {
    "yc": ("y", LAT * 1e5, {"units": "m", "axis": "Y"}),
    "xc": ("x", LON * 1e5, {"units": "m", "axis": "X"}),
}
BARE = {"y": LAT, "x": LON}


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        (ROTATED, "The coordinates ['rlat', 'rlon'] are those of a rotated pole"),
        (
            {name: (axis[0], axis[1]) for name, axis in ROTATED.items()},
            "The coordinates ['rlat', 'rlon'] are those of a rotated pole",
        ),
        (PROJECTED, "The coordinates ['yc', 'xc'] may be projected"),
        (
            {"Y1": ("y", LAT, {"standard_name": "projection_y_coordinate", "units": "km"})},
            "The coordinates ['Y1'] may be projected",
        ),
        (BARE, "The coordinates ['y', 'x'] may be projected, or in either order"),
    ],
)
@pytest.mark.parametrize("select", [False, True])
def test_grids_that_are_not_regular_are_refused_with_the_cure(axes, reason, select):
    obj = curvilinear(**axes)
    with pytest.raises(CoordinateError, match=re.escape(reason)) as error:
        LatLonGrid.from_xarray(obj["t"] if select else obj)
    assert "Use the two-dimensional 'nav_lat' and 'nav_lon' with CellGrid.from_xarray(obj)." in str(error.value)
    obj = obj.drop_vars(["nav_lat", "nav_lon"]).assign_coords(crs=((), 0, {"grid_mapping_name": "mercator"}))
    with pytest.raises(CoordinateError, match=re.escape(reason)) as error:
        LatLonGrid.from_xarray(obj["t"] if select else obj)
    assert "with pyproj from the grid mapping 'crs', add them with obj.assign_coords" in str(error.value)


def test_the_cure_of_bare_x_and_y_works():
    obj = curvilinear(**BARE).drop_vars(["nav_lat", "nav_lon"])
    with pytest.raises(CoordinateError, match=r"obj\.rename\(y='latitude', x='longitude'\)"):
        LatLonGrid.from_xarray(obj)
    assert_same_grid(LatLonGrid.from_xarray(obj.rename(y="latitude", x="longitude")), PLAIN)
    for name, units in (("y", "degrees_north"), ("x", "degrees_east")):
        obj[name].attrs["units"] = units
    assert_same_grid(LatLonGrid.from_xarray(obj), PLAIN)


def test_2d_coordinates_alone_refused_with_cure():
    with pytest.raises(CoordinateError, match="'nav_lat' and longitude 'nav_lon' have the dimensions.*CellGrid"):
        LatLonGrid.from_xarray(curvilinear())


def test_nominal_axes_of_a_curvilinear_grid_are_refused():
    # as MOM6 writes them: axes that look right, and the truth in another variable
    obj = curvilinear().rename(nav_lat="geolat", nav_lon="geolon").reset_coords()
    obj.geolat.attrs["units"] = "degrees_north"
    obj = obj.assign_coords(
        y=("y", LAT, {"units": "degrees_north", "axis": "Y"}), x=("x", LON, {"units": "degrees_east"})
    )
    with pytest.raises(CoordinateError, match="latitude 'y' and longitude 'x' are nominal: 'geolat' has other"):
        LatLonGrid.from_xarray(obj)
    row, column = np.meshgrid(LAT, LON, indexing="ij")
    same = obj.assign(geolat=(("y", "x"), row, obj.geolat.attrs))
    with pytest.raises(CoordinateError, match="are nominal: 'geolon' has other longitudes"):
        LatLonGrid.from_xarray(same)
    same = same.assign(geolon=(("y", "x"), column - 360))
    assert_same_grid(LatLonGrid.from_xarray(same), PLAIN)


def test_coordinates_on_one_dimension_are_refused_with_the_cure():
    stations = xr.Dataset({"t": ("station", untouchable((12,)))}, {"lat": ("station", LAT), "lon": ("station", LAT)})
    with pytest.raises(CoordinateError, match="share the dimension 'station'.*to the encoder.*CellGrid.from_xarray"):
        LatLonGrid.from_xarray(stations)
    stacked = field().stack(cell=("lat", "lon"))
    with pytest.raises(CoordinateError, match=r"Unstack it, obj\.unstack\('cell'\)\."):
        LatLonGrid.from_xarray(stacked)
    assert_same_grid(LatLonGrid.from_xarray(stacked.unstack("cell")), PLAIN)


def test_a_single_latitude_is_refused_and_the_cure_works():
    with pytest.raises(CoordinateError, match=r"'lat' is a single value.*obj\.sel\(lat=\[\.\.\.\]\)"):
        LatLonGrid.from_xarray(field().sel(lat=5))
    assert_same_grid(LatLonGrid.from_xarray(field().sel(lat=[5])), LatLonGrid([5], LON))


@pytest.mark.parametrize("n", [(1, 1), (0, 3)])
def test_degenerate_sizes_are_refused_as_by_the_constructor(n):
    obj = field().isel(lat=slice(n[0]), lon=slice(n[1]))
    expected = "size of a single cell is unknown" if n[0] else "at least one value"
    with pytest.raises(CoordinateError, match=expected):
        LatLonGrid.from_xarray(obj)


def test_integer_and_chunked_and_single_precision_coordinates():
    obj = xr.Dataset(coords={"lat": ("j", da.from_array(LAT)), "lon": ("i", LON.astype(int))})
    assert_same_grid(LatLonGrid.from_xarray(obj), PLAIN)
    single = field(lat=LAT.astype(np.float32), lon=LON.astype(np.float32))
    assert LatLonGrid.from_xarray(single).dtype == np.float32


# Bounds


LAT_EDGES = np.concatenate([[-62.0], LAT[:-1] + 4, [61]])
LON_EDGES = np.concatenate([[-1.0], LON[:-1] + 6, [204]])


def bounds(edges, dtype=np.float64):
    return np.column_stack([edges[:-1], edges[1:]]).astype(dtype)


TRUE = LatLonGrid(LAT, LON, latitude_bounds=bounds(LAT_EDGES), longitude_bounds=bounds(LON_EDGES))


@pytest.mark.parametrize("names", [("lat_bnds", "lon_bnds"), ("latitude_bounds", "longitude_bounds"), ("a", "b")])
@pytest.mark.parametrize("where", ["attrs", "encoding"])
def test_bounds_are_the_edges(names, where):
    obj = dataset("lat", "lon", **{names[0]: (("j", "nv"), bounds(LAT_EDGES), {"units": "degrees_north"})})
    obj[names[1]] = (("nv", "i"), bounds(LON_EDGES).T)
    if names[0] == "a":
        getattr(obj["lat"], where)["bounds"], getattr(obj["lon"], where)["bounds"] = names
    assert_same_grid(LatLonGrid.from_xarray(obj), TRUE)
    assert_same_grid(LatLonGrid.from_xarray(obj.set_coords(names)), TRUE)
    # selecting a variable leaves its bounds behind
    if names[0] == "a":
        with pytest.warns(CoordinateWarning, match="'lat' and 'lon' name the bounds 'a' and 'b', which the object"):
            assert_same_grid(LatLonGrid.from_xarray(obj["t"]), PLAIN)
    else:
        assert_same_grid(LatLonGrid.from_xarray(obj["t"]), PLAIN)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decode_coords", ["all", True])
def test_bounds_of_a_file_are_read_in_any_convention(tmp_path, dtype, decode_coords):
    north_first = slice(None, None, -1)
    obj = xr.Dataset(
        {
            "t": (("lat", "lon"), FIELD[north_first]),
            "lat_bnds": (("lat", "bnds"), bounds(LAT_EDGES, dtype)[north_first]),
            "lon_bnds": (("lon", "bnds"), (bounds(LON_EDGES, dtype) + dtype(180)) % dtype(360)),
        },
        {
            "lat": ("lat", LAT[north_first].astype(dtype), {"units": "degrees_north", "bounds": "lat_bnds"}),
            "lon": ("lon", (LON.astype(dtype) + 180) % 360, {"units": "degrees_east", "bounds": "lon_bnds"}),
        },
    )
    obj.to_netcdf(tmp_path / "in.nc", engine="netcdf4")
    with xr.open_dataset(tmp_path / "in.nc", decode_coords=decode_coords) as read:
        grid = LatLonGrid.from_xarray(read)
    assert_allclose(grid.latitude_edges, bounds(LAT_EDGES)[north_first], atol=1e-4)
    assert_allclose(grid.longitude_edges - 180, bounds(LON_EDGES), atol=1e-4)
    assert grid.dtype == dtype


@pytest.mark.parametrize("attrs", [{}, {"bounds": "lat_bnds"}])
@pytest.mark.parametrize("order", [("time", "j", "nv"), ("j", "time", "nv"), ("j", "nv", "time")])
@pytest.mark.parametrize("n_times", [1, 2, 5])
def test_bounds_that_do_not_change_in_time_are_the_edges(attrs, order, n_times):
    still = np.stack([bounds(LAT_EDGES)] * n_times)
    obj = dataset(lat_attrs=attrs, lat_bnds=(("time", "j", "nv"), still))
    obj["lat_bnds"] = obj.lat_bnds.transpose(*order)
    assert_array_equal(LatLonGrid.from_xarray(obj).latitude_edges, bounds(LAT_EDGES))
    assert_array_equal(LatLonGrid.from_xarray(obj.chunk(time=1)).latitude_edges, bounds(LAT_EDGES))
    if n_times > 1:
        obj["lat_bnds"] = obj.lat_bnds + xr.DataArray(np.arange(n_times) / 10, dims="time")
        with pytest.raises(CoordinateError, match=r"'lat_bnds' changes along 'time', .*obj\.isel\(time=0\)"):
            LatLonGrid.from_xarray(obj)
        assert_array_equal(LatLonGrid.from_xarray(obj.isel(time=0)).latitude_edges, bounds(LAT_EDGES))


def test_declared_bounds_of_wrong_shape_are_refused():
    obj = dataset(lat_bnds=(("j", "nv"), np.ones((LAT.size, 4))))
    assert_same_grid(LatLonGrid.from_xarray(obj), PLAIN)
    obj["lat"].attrs["bounds"] = "lat_bnds"
    with pytest.raises(CoordinateError, match=r"The bounds 'lat_bnds' of 'lat' have the dimensions.*drop_vars"):
        LatLonGrid.from_xarray(obj)


def test_every_second_row_leaves_gaps_between_bounds_and_says_so():
    obj = dataset(lat_bnds=(("j", "nv"), bounds(LAT_EDGES)))
    with pytest.raises(CoordinateError, match="latitude_bounds leave a gap between.*from xarray: drop_vars"):
        LatLonGrid.from_xarray(obj.isel(j=slice(None, None, 2)))


# Masks


def test_masks_are_aligned_by_their_own_coordinates():
    expected = LatLonGrid(LAT, LON, MASK)
    obj = dataset(dims=("lat", "lon"))
    mask = field(MASK)
    shuffled = np.random.default_rng(0).permutation(LON.size)
    for same in (
        mask,
        MASK,
        mask.T,
        mask[::-1],
        mask[:, shuffled].T,
        mask.expand_dims("time"),
        mask.drop_vars(["lat", "lon"]),
        mask.rename(lat="latitude", lon="x").rename(x="longitude"),
        mask.assign_coords(lon=LON - 360),
        mask.assign_coords(lon=(LON + 180) % 360 - 180).sortby("lon"),
        mask.assign_coords(lat=LAT.astype(np.float32) + np.float32(1e-6)),
        mask.chunk(lat=5),
    ):
        assert_same_grid(LatLonGrid.from_xarray(obj, same), expected)
    by_name = obj.assign(land=mask[::-1].T)
    assert_same_grid(LatLonGrid.from_xarray(by_name, "land"), expected)
    assert_same_grid(LatLonGrid.from_xarray(by_name.set_coords("land")["t"], "land"), expected)


def test_fractions_stay_fractions():
    fraction = field(np.linspace(0, 1, FIELD.size).reshape(SHAPE)).astype(np.float32)
    assert_allclose(LatLonGrid.from_xarray(field(), fraction[::-1]).mask, fraction)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (field(MASK)[1:], "mask has other latitudes than the grid, 11 from -45 to 55 and 12 from -55 to 55"),
        (field(MASK, lat=LAT, lon=LON + 1), "mask has other longitudes than the grid.*interp_like"),
        (field(MASK).isel(lon=0), r"mask has the dimensions \('lat',\), the grid \('lat', 'lon'\)"),
        (xr.DataArray(MASK, dims=("a", "b")), r"mask has the dimensions \('a', 'b'\), the grid \('lat', 'lon'\)"),
        (field(MASK).stack(cell=("lat", "lon")), r"mask has the dimensions \('cell',\)"),
        (field(MASK).expand_dims(time=3), r"mask has the dimensions \['time'\].*mask\.all\(\['time'\]\)"),
        (xr.Dataset({"land": field(MASK)}), r"mask is a Dataset: select one of its variables \['land'\]"),
        ("land", r"mask='land': no such variable; there are \['lat', 'lon', 't'\], and 'valid'"),
        (MASK.T, r"mask has shape \(20, 12\), the grid has \(12, 20\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, message):
    with pytest.raises(CoordinateError, match=message):
        LatLonGrid.from_xarray(dataset(dims=("lat", "lon")), mask)


def test_valid_is_where_a_variable_is_never_missing():
    values = np.random.default_rng(1).normal(size=(3, LON.size, 2, LAT.size))
    values[values > 1.5] = np.nan
    sst = xr.DataArray(values, {"lat": LAT, "lon": LON}, ("time", "lon", "level", "lat"), "sst")
    expected = LatLonGrid(LAT, LON, ~np.isnan(values).any(axis=(0, 2)).T)
    assert 0 < expected.mask.mean() < 1
    for obj in (sst, sst.rename(None), sst.to_dataset(), sst.chunk(), sst.to_dataset().assign(depth=("level", [1, 2]))):
        assert_same_grid(LatLonGrid.from_xarray(obj, "valid"), expected)
    assert LatLonGrid.from_xarray(sst.fillna(0).astype(int), "valid").mask.all()


def test_valid_of_several_variables_names_them():
    obj = dataset(u=(("j", "i"), FIELD), time_bnds=("j", LAT))
    with pytest.raises(CoordinateError, match=re.escape("2 variables have the dimensions ('j', 'i'), ['t', 'u']: ")):
        LatLonGrid.from_xarray(obj, "valid")
    with pytest.raises(CoordinateError, match=r"0 variables .* \[\]: give a mask"):
        LatLonGrid.from_xarray(obj.drop_vars(["t", "u"]), "valid")
    with pytest.raises(CoordinateError, match="mask='valid' is a variable too"):
        LatLonGrid.from_xarray(obj.rename(u="valid"), "valid")
    assert LatLonGrid.from_xarray(obj["u"], "valid").mask.all()


def test_masks_stay_lazy_up_to_the_constructor(monkeypatch):
    seen = []
    monkeypatch.setattr(LatLonGrid, "__init__", lambda self, **arguments: seen.append(arguments["mask"]))
    lazy = field(untouchable())
    LatLonGrid.from_xarray(lazy, "valid")
    LatLonGrid.from_xarray(lazy.expand_dims(time=1), lazy[::-1].T)
    LatLonGrid.from_xarray(lazy.to_dataset(name="t"), "t")
    assert [type(mask) for mask in seen] == [da.Array] * 3
    assert [mask.shape for mask in seen] == [SHAPE] * 3


# Cells and points, as other grids read them


def ocean():
    """Curvilinear, with vertices, areas, and coordinates missing on land."""
    obj = curvilinear(time=[0, 1])
    for name, units in (("nav_lat", "degrees_north"), ("nav_lon", "degrees_east")):
        obj[name].attrs |= {"units": units, "bounds": f"{name}_vertices"}
        corners = obj[name] + xr.DataArray([-1.0, 1, 1, -1], dims="nvertex")
        obj[f"{name}_vertices"] = corners.transpose("nvertex", "x", "y")
        obj[name] = obj[name].where(MASK)
    obj["areacello"] = (("x", "y"), np.full(SHAPE[::-1], 2e10), {"standard_name": "cell_area", "units": "m2"})
    return obj


def test_cells_of_a_curvilinear_grid():
    obj = ocean()
    cells = read_cells(obj, xr.DataArray(MASK.T, dims=("x", "y")))
    assert_array_equal(cells["latitude"], obj.nav_lat)
    assert_array_equal(cells["longitude"], obj.nav_lon)
    assert np.isnan(cells["latitude"]).sum() == (~MASK).sum()
    assert_array_equal(cells["mask"], MASK)
    assert_array_equal(cells["areas"], np.full(SHAPE, 2e10))
    assert cells["vertices"] is None  # areas that are there need none
    cells = read_cells(obj.drop_vars("areacello"))
    for vertices, name in zip(cells["vertices"], ("nav_lat", "nav_lon"), strict=True):
        assert vertices.shape == (*SHAPE, 4)
        assert_allclose(vertices[..., 1], (obj[name] + 1).where(MASK, vertices[..., 1]))
        assert_array_equal(vertices[..., 0], vertices[..., 3])


def test_cells_prefer_places_to_nominal_axes_and_squeeze_time():
    obj = curvilinear(
        y=("y", LAT, {"standard_name": "latitude"}), x=("x", LON, {"standard_name": "longitude"})
    ).reset_coords(["nav_lat", "nav_lon"])
    cells = read_cells(obj.expand_dims(time=1))
    assert_array_equal(cells["latitude"], obj.nav_lat)
    assert cells["mask"] is cells["areas"] is cells["vertices"] is None


def test_areas_found_by_cell_measures_in_square_metres():
    obj = ocean()
    obj["t"].attrs["cell_measures"] = "volume: thick area: other"
    obj["other"] = (("y", "x"), np.full(SHAPE, 3.0), {"units": "km2"})
    assert_array_equal(read_cells(obj)["areas"], np.full(SHAPE, 3e6))
    assert_array_equal(read_cells(obj.set_coords("other")["t"])["areas"], np.full(SHAPE, 3e6))
    obj["other"].attrs["units"] = "steradian"
    assert_array_equal(read_cells(obj)["areas"], np.full(SHAPE, 3 * 6_371_008.8**2))
    obj["other"].attrs["units"] = "K"
    with pytest.raises(CoordinateError, match="The areas 'other' have the units 'K': expected those of an area, m2"):
        read_cells(obj)
    assert_array_equal(read_cells(obj.drop_vars("other"))["areas"], np.full(SHAPE, 2e10))
    assert read_cells(obj.drop_vars(["other", "areacello"]))["areas"] is None


def test_cells_of_an_unstructured_grid():
    n = 7
    obj = xr.Dataset(
        {"t": (("time", "cell"), da.from_array(np.where(np.arange(n) == [[3], [5]], np.nan, 1.0)))},
        {
            "clat": ("cell", np.arange(n), {"standard_name": "latitude", "bounds": "clat_bnds"}),
            "clon": ("cell", np.arange(n), {"standard_name": "longitude", "bounds": "clon_bnds"}),
        },
    )
    for name in ("clat", "clon"):
        obj[f"{name}_bnds"] = (("cell", "nv"), np.arange(n)[:, None] + [0.0, 1, 1])
    cells = read_cells(obj, "valid")
    assert isinstance(cells["mask"], da.Array)
    assert_array_equal(cells["mask"], [True, True, True, False, True, False, True])
    assert [vertices.shape for vertices in cells["vertices"]] == [(n, 3)] * 2
    with pytest.raises(CoordinateError, match="mask has other labels along 'cell'"):
        read_cells(obj.assign_coords(cell=range(n)), xr.DataArray(np.ones(n), {"cell": range(1, n + 1)}))


def test_cells_stay_lazy():
    lazy = (("y", "x"), untouchable())
    corners = (("y", "x", "v"), untouchable((*SHAPE, 4)))
    obj = xr.Dataset(
        {"lat": lazy, "lon": lazy, "lat_bnds": corners, "lon_bnds": corners, "area": (*lazy, {"units": "m2"})}
    )
    obj["area"].attrs["standard_name"] = "cell_area"
    cells = read_cells(obj, obj["lat"])
    arrays = [cells[name] for name in ("latitude", "longitude", "mask", "areas")]
    arrays += read_cells(obj.drop_vars("area"))["vertices"]
    assert all(isinstance(array, da.Array) for array in arrays)


def test_cells_of_a_regular_grid_are_refused_with_the_cure():
    with pytest.raises(CoordinateError, match=r"For a regular grid, use LatLonGrid.from_xarray\(obj\)"):
        read_cells(dataset())
    with pytest.raises(CoordinateError, match="is a single value"):
        read_cells(field().isel(lat=0, lon=0))
    moving = xr.Dataset(coords={name: (("t", "y", "x"), np.arange(24.0).reshape(2, 3, 4)) for name in ("lat", "lon")})
    with pytest.raises(CoordinateError, match=r"'lat' changes along 't': select one grid, obj\.isel\(t=0\)"):
        read_cells(moving)
    with pytest.raises(CoordinateError, match=r"expected one or two, and faces. Select one grid, obj\.isel\(m=0\)"):
        read_cells(moving.rename(t="m"))
    for still in (moving.isel(t=0), moving.isel(t=[0]), moving.isel(t=[0, 0]), moving.isel(t=[0, 0]).rename(t="m")):
        assert read_cells(still)["latitude"].shape == (3, 4)


def test_an_object_of_points_is_points_to_an_encoder():
    stations = xr.Dataset(
        {"t": ("station", untouchable((12,)))},
        {"Lon": ("station", LON[:12]), "Lat": ("station", da.from_array(LAT)), "station": list("abcdefghijkl")},
    )
    points = np.column_stack([LAT, LON[:12]])
    encoder = SphericalHarmonicPCA(3).fit(points)
    for obj in (stations, stations["t"]):  # chunked, so lazy
        lazy = SphericalHarmonicPCA(3).fit(obj).transform(obj)
        assert isinstance(lazy, da.Array)
        assert_allclose(lazy.compute(), encoder.transform(points), atol=1e-12)
    loaded = stations.drop_vars("t").load()
    assert_array_equal(SphericalHarmonicPCA(3).fit(loaded).transform(loaded), encoder.transform(points))
    lazy = loaded.assign(t=("station", da.ones(12, chunks=5))).skgeo.transform(encoder).embedding.data
    assert lazy.chunks[0] == (5, 5, 2)
    holes = loaded.assign_coords(Lat=("station", np.where(LAT > 0, LAT, np.nan)))
    with pytest.raises(CoordinateError, match="NaN or infinity in .*missing='nan'"):
        encoder.transform(holes)
    assert np.isnan(encoder.set_params(missing="nan").transform(holes)).any(axis=1).sum() == (LAT <= 0).sum()
    stacked = field().stack(cell=("lat", "lon"))
    assert_array_equal(encoder.transform(stacked), encoder.transform(PLAIN.points()))


def test_an_object_on_a_grid_is_its_grid_to_an_encoder():
    encoder = SphericalHarmonicPCA(3).fit(dataset())
    plain = SphericalHarmonicPCA(3).fit(PLAIN)  # the object is in chunks: the same sums in another order
    assert_allclose(encoder.mean_, plain.mean_, rtol=0, atol=1e-12)
    assert_allclose(encoder.transform(PLAIN), plain.transform(PLAIN), rtol=0, atol=1e-6)
    assert_array_equal(encoder.transform(field().compute()), encoder.transform(PLAIN))
    ocean_cells = CellGrid.from_xarray(ocean())
    assert_allclose(encoder.fit(ocean()).mean_, SphericalHarmonicPCA(3).fit(ocean_cells).mean_, rtol=0, atol=1e-12)
    assert_array_equal(encoder.transform(ocean()), encoder.transform(ocean_cells))
    with pytest.raises(CoordinateError, match="'lat' is a single value"):
        encoder.transform(field().isel(lat=0, lon=0))


def test_the_embedding_of_an_object_in_chunks_is_in_chunks():
    encoder = SphericalHarmonicPCA(3, n_components=5, spectrum=np.ones(4)).fit(PLAIN)
    chunked = xr.DataArray(da.ones(SHAPE, chunks=(5, 20)), {"lat": LAT, "lon": LON}, ("lat", "lon"))
    for lazy in (encoder.transform(chunked), chunked.skgeo.transform(encoder).embedding.data.reshape(-1, 5)):
        assert isinstance(lazy, da.Array)
        assert lazy.chunks[0] == (100, 100, 40)
        assert_allclose(lazy.compute(), encoder.transform(PLAIN), atol=1e-12)
    assert LatLonGrid.from_xarray(chunked).mask is None
    otherwise = xr.DataArray(da.ones(SHAPE, chunks=(4, 10)), {"lat": LAT, "lon": LON}, ("lat", "lon"))
    both = xr.Dataset({"a": chunked, "b": otherwise})  # which have different chunks
    assert encoder.transform(both).chunks[0] == (100, 100, 40)
    bent = curvilinear().drop_vars("t").load().assign(more=(("y", "x"), da.ones(SHAPE, chunks=(5, 20))))
    assert isinstance(encoder.transform(bent), da.Array)


# Writing


def write_and_read(obj, path, how):
    if how == "netcdf":
        obj.to_netcdf(path / "out.nc", engine="netcdf4")
        with xr.open_dataset(path / "out.nc") as read:
            return read.load()
    obj.to_zarr(path / "out.zarr", consolidated=False)  # metadata in one place are no part of Zarr 3
    return xr.open_zarr(path / "out.zarr", consolidated=False).load()


@pytest.fixture(scope="module")
def basis():
    return SphericalHarmonicPCA(max_degree=3, n_components=5, spectrum=np.ones(4)).fit(PLAIN)


@pytest.mark.parametrize("how", ["netcdf", "zarr"])
@pytest.mark.parametrize(
    "grid",
    [
        PLAIN,
        TRUE,
        LatLonGrid(LAT.astype(np.float32) / 3, (np.arange(432) / 1.2).astype(np.float32)),
        LatLonGrid([90, 0, -90], [350, 10, 30]),
        LatLonGrid([40], [0], latitude_bounds=[[30, 60]], longitude_bounds=[[0, 360]]),
    ],
    ids=["midpoints", "bounds", "float32", "north first", "one cell"],
)
def test_a_written_grid_comes_back_equal(grid, how, basis, tmp_path):
    table = grid.to_xarray(basis.transform(grid), estimator=basis)
    read = write_and_read(table, tmp_path, how)
    assert_same_grid(LatLonGrid.from_xarray(read), grid)
    assert_same_grid(LatLonGrid.from_xarray(table), grid)
    xr.testing.assert_identical(read.astype({"embedding": table.embedding.dtype}), table)
    assert read.embedding.dtype == table.embedding.dtype == grid.dtype
    assert set(read.coords) == {"latitude", "longitude", "latitude_bnds", "longitude_bnds", "feature"}


def test_labels_say_what_the_values_are(basis):
    values = basis.transform(PLAIN)
    table = PLAIN.to_xarray(values, estimator=basis)
    assert table.embedding.dims == ("latitude", "longitude", "feature")
    place = table.embedding.sel(latitude=LAT[3], longitude=LON[7])
    assert_allclose(place, basis.transform([[LAT[3], LON[7]]])[0], rtol=1e-12)
    assert table.feature.values.tolist() == [f"shpca{i}" for i in range(5)]
    known = {"standard_name": "latitude", "units": "degrees_north", "axis": "Y", "bounds": "latitude_bnds"}
    assert table.latitude.attrs == known
    assert_array_equal(table.longitude_bnds, PLAIN.longitude_edges)
    assert table.attrs["skgeo_version"] == skgeo.__version__
    assert table.attrs["estimator"] == "SphericalHarmonicPCA"
    parameters = json.loads(table.attrs["estimator_parameters"])
    assert (parameters["max_degree"], parameters["spectrum"]) == (3, [1, 1, 1, 1])


def test_values_of_every_shape_and_lazy_ones():
    flat = np.arange(PLAIN.shape[0] * PLAIN.shape[1] * 3.0).reshape(-1, 3)
    expected = flat.reshape(*PLAIN.shape, 3)
    for values in (flat, expected, flat.tolist()):
        assert_array_equal(PLAIN.to_xarray(values, list("abc"), name="z").z, expected)
    for values in (flat[:, 0], expected[..., 0]):
        field = PLAIN.to_xarray(values).embedding
        assert_array_equal(field, expected[..., 0])
        assert field.dims == ("latitude", "longitude")
    lazy = PLAIN.to_xarray(untouchable(flat.shape), list("abc"))
    assert isinstance(lazy.embedding.data, da.Array)
    assert "feature" not in PLAIN.to_xarray(flat).coords
    column = LatLonGrid(LAT, [0])
    assert column.to_xarray(np.ones((12, 1))).embedding.dims == ("latitude", "longitude")
    assert column.to_xarray(np.ones((12, 1, 2))).embedding.shape == (12, 1, 2)
    assert column.to_xarray(np.ones((12, 1)), ["a"]).embedding.dims == ("latitude", "longitude", "feature")


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        (
            np.ones((5, 3)),
            None,
            r"values.shape=\(5, 3\): expected shape \(240,\), \(240, k\) or \(12, 20\), \(12, 20, k\)",
        ),
        (np.ones((20, 12)), None, r"values.shape=\(20, 12\): expected shape"),
        (np.ones((12, 20, 2, 2)), None, r"values.shape=\(12, 20, 2, 2\)"),
        (np.ones((240, 3)), ["a"], r"names=\['a'\]: expected one name for each of the 3 features"),
        (np.ones(240), ["a"], r"names=\['a'\]: expected no names, as the values have no features"),
    ],
)
def test_values_that_do_not_fit_the_grid_are_refused(values, names, message):
    with pytest.raises(ValueError, match=message):
        PLAIN.to_xarray(values, names)


@pytest.fixture(scope="module")
def features(basis):
    steps = [("position", PatchPositionEncoder(FrozenEstimator(basis))), ("scale", PatchScaleFeaturizer())]
    return FeatureUnion(steps).fit(PLAIN.patches(4))


@pytest.mark.parametrize("how", ["netcdf", "zarr"])
def test_patch_features_are_labelled_and_written(features, how, tmp_path):
    patches, index = PLAIN.patches((3, 4), return_index=True)
    values = features.transform(patches)
    table = patches_to_xarray(values, patches, estimator=features, index=index)
    xr.testing.assert_identical(write_and_read(table, tmp_path, how), table)
    assert table.features.dims == ("patch", "feature")
    assert_array_equal(table.features, values)
    names = ["south", "north", "west", "east", "n_lat", "n_lon"]
    assert_array_equal(np.column_stack([table[name] for name in names]), patches)
    assert_array_equal(np.column_stack([table.row, table.column]), index)
    assert table.east.attrs["units"] == "degrees_east"
    units = dict(zip(table.feature.values.tolist(), table.unit.values.tolist(), strict=True))
    assert units["position__shpca0"] == units["scale__log_anisotropy"] == units["scale__log_cutoff_degree_lat"] == "1"
    assert (units["scale__log_extent_lon"], units["scale__log_area"]) == ("ln(re 1 m)", "ln(re 1 m2)")
    frame = PLAIN.patches((3, 4), as_frame=True)
    xr.testing.assert_identical(patches_to_xarray(values, frame, estimator=features), table)


def test_descriptors_without_logarithm_are_in_metres():
    patches = PLAIN.patches(4)
    scale = PatchScaleFeaturizer(log=False).fit(patches)
    table = patches_to_xarray(scale.transform(patches), patches, estimator=scale)
    metres = ["extent_lon", "extent_lat", "pixel_lon", "pixel_lat", "pixel_scale"]
    assert set(table.unit.sel(feature=metres).values) == {"m"}
    assert table.unit.sel(feature=["area", "anisotropy", "cutoff_degree_lon"]).values.tolist() == ["m2", "1", "1"]


def test_stacks_of_pixel_centres_have_places(tmp_path):
    stacks = np.random.default_rng(0).uniform(-80, 80, size=(6, 3, 4, 2))
    table = patches_to_xarray(untouchable((6, 2)), stacks, ["a", "b"])
    assert isinstance(table.features.data, da.Array)
    assert table.latitude.dims == table.longitude.dims == ("patch", "y", "x")
    assert_array_equal(np.stack([table.latitude, table.longitude], axis=-1), stacks)
    table = write_and_read(table.assign(features=(("patch", "feature"), np.ones((6, 2)))), tmp_path, "netcdf")
    assert set(table.coords) == {"latitude", "longitude", "feature", "unit"}


@pytest.mark.parametrize(
    ("values", "patches", "options", "message"),
    [
        (
            np.ones((3, 2)),
            PLAIN.patches(6, partial=False)[:2],
            {},
            r"values.shape=\(3, 2\): expected \(2, k\), one row per patch",
        ),
        (
            np.ones((2, 2)),
            PLAIN.patches(6, partial=False)[:2],
            {"index": [[0, 1]]},
            r"index.shape=\(1, 2\): expected \(2, 2\)",
        ),
        (np.ones((2, 2)), PLAIN.patches(6, partial=False)[:2], {"names": ["a"]}, r"names=\['a'\]: expected one name"),
        (np.ones((2, 2)), np.ones((2, 5, 5, 3)), {}, r"patches.shape=\(2, 5, 5, 3\): expected \(n_patches, 6\) or"),
    ],
)
def test_features_that_do_not_fit_the_patches_are_refused(values, patches, options, message):
    with pytest.raises(ValueError, match=message):
        patches_to_xarray(values, patches, **options)


# Accessor


def test_only_skgeo_xarray_registers_the_accessor():
    code = (
        "import numpy as np, xarray as xr, skgeo\n"
        "obj = xr.DataArray(np.ones((2, 3)), {'lat': [0, 1], 'lon': [0, 1, 2]}, ('lat', 'lon'))\n"
        "skgeo.LatLonGrid.from_xarray(obj).to_xarray(obj.values)\n"
        "print(hasattr(obj, 'skgeo'), hasattr(xr.Dataset(), 'skgeo'))\n"
        "import skgeo.xarray\n"
        "print(hasattr(obj, 'skgeo'), hasattr(xr.Dataset(), 'skgeo'), obj.skgeo.grid().shape)\n"
    )
    assert run_python(code).splitlines() == ["False False", "True True (2, 3)"]


def test_without_xarray_the_message_says_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['xarray'] = None\n"
        "import skgeo\n"
        "from importlib import import_module\n"
        "grid = skgeo.LatLonGrid([0, 10], [0, 10])\n"
        "asks = (lambda: skgeo.LatLonGrid.from_xarray(1), lambda: grid.to_xarray([[1, 2], [3, 4]]),\n"
        "        lambda: import_module('skgeo.xarray'))\n"
        "for ask in asks:\n"
        "    try:\n"
        "        ask()\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    assert run_python(code).splitlines() == [
        f"{what} needs xarray: pip install 'skgeo[xarray]'." for what in ("from_xarray", "to_xarray", "skgeo.xarray")
    ]


def test_the_accessor_makes_grids():
    obj = dataset(land=(("j", "i"), MASK))
    assert_same_grid(obj.skgeo.grid(), PLAIN)
    assert_same_grid(obj["t"].skgeo.grid(), PLAIN)
    assert_same_grid(obj.skgeo.grid("land"), LatLonGrid(LAT, LON, MASK))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_embedding_merges_with_its_object(basis, dtype, tmp_path):
    # in single precision these are not what the grid takes them for
    longitude = (LON + 0.1).astype(dtype)[::-1]
    obj = xr.Dataset(
        {"t": (("j", "i"), FIELD)},
        {"phi": ("j", LAT, {"units": "degreeN", "long_name": "breadth"}), "i": ("i", longitude, {"axis": "X"})},
    )
    table = obj.skgeo.transform(basis)
    assert_array_equal(table.embedding, basis.transform(obj.skgeo.grid()).reshape(12, 20, 5))
    merged = xr.merge([obj, table], join="exact", compat="equals")
    assert dict(merged.sizes) == {"j": 12, "i": 20, "feature": 5, "bnds": 2}
    assert merged.i.dtype == dtype
    assert table.phi.attrs["long_name"] == "breadth"
    assert_same_grid(LatLonGrid.from_xarray(write_and_read(merged, tmp_path, "netcdf")), obj.skgeo.grid())


def test_the_accessor_makes_patch_features(features):
    sea = field(np.where(MASK, FIELD, np.nan))
    table = sea.skgeo.patch_features(features, (3, 4), 2, mask="valid", partial=False, min_fraction=0.5)
    grid = LatLonGrid(LAT, LON, MASK)
    patches, index = grid.patches((3, 4), 2, partial=False, min_fraction=0.5, return_index=True)
    assert 0 < len(patches) < len(grid.patches((3, 4), 2, partial=False))
    assert_array_equal(table.features, features.transform(patches))
    assert_array_equal(np.column_stack([table.row, table.column]), index)
    ends = sea.skgeo.patch_features(features, (5, 6), partial=True)
    assert ends.sizes["patch"] == len(grid.patches((5, 6), partial=True))


# Real files


@needs_shared_data
@pytest.mark.filterwarnings("ignore:variable '.' has non-conforming '_FillValue'")
def test_a_reanalysis_with_pole_rows():
    with xr.open_dataset(SHARED_DATA / "eraint_uvz.nc", chunks={}) as obj:
        grid = LatLonGrid.from_xarray(obj)
        assert LatLonGrid.from_xarray(obj["u"], "valid").mask.all()
    assert grid.closed
    assert grid.dtype == np.float32
    assert_array_equal(grid.latitude, np.linspace(90, -90, 241))
    assert_allclose(grid.cell_areas(1.0).sum(), 4 * np.pi, rtol=1e-12)


@needs_shared_data
@pytest.mark.parametrize("decode_coords", ["all", True])
def test_a_sea_surface_temperature(decode_coords):
    with xr.open_dataset(SHARED_DATA / "ostia_monthly.nc", decode_times=False, decode_coords=decode_coords) as obj:
        grid = LatLonGrid.from_xarray(obj, "valid")
        missing = np.isnan(obj.surface_temperature.to_numpy()).any(axis=0)
        # bounds as a file would have them
        for name in ("latitude", "longitude"):
            edges = getattr(grid, f"{name}_edges").astype(np.float32)
            obj[f"{name}_bnds"] = ((name, "bnds"), edges)
            obj[name].attrs["bounds"] = f"{name}_bnds"
        assert_same_grid(LatLonGrid.from_xarray(obj, "valid"), grid)
    assert grid.closed
    assert_array_equal(grid.mask, ~missing)
    assert_allclose(np.diff(grid.longitude_edges), 1 / 1.2, rtol=1e-9)


# Cells that bend


@pytest.mark.parametrize("how", ["netcdf", "zarr"])
@pytest.mark.parametrize("single", [False, True])
def test_written_cells_come_back_equal(how, single, tmp_path):
    dtype = np.float32 if single else np.float64
    latitude, longitude = np.meshgrid(LAT, LON, indexing="ij")
    latitude, longitude = (latitude + longitude / 10).astype(dtype), (longitude - latitude / 7).astype(dtype)
    latitude[3, 4] = np.nan
    cells = CellGrid(latitude, longitude)
    encoder = SphericalHarmonicPCA(3, n_components=5, spectrum=np.ones(4)).fit(cells)
    labelled = cells.to_xarray(encoder.transform(cells), estimator=encoder)
    assert labelled.embedding.dims == ("y", "x", "feature")
    assert labelled.attrs["skgeo_version"] == skgeo.__version__
    read = write_and_read(labelled, tmp_path, how)
    xr.testing.assert_identical(read.drop_attrs(), labelled.drop_attrs())
    again = CellGrid.from_xarray(read)
    assert again.dtype == dtype
    for name in ("latitude", "longitude"):
        assert_array_equal(getattr(again, name), getattr(cells, name))
    assert_allclose(again.solid_angles, cells.solid_angles, rtol=1e-12)
    got = read.embedding.sel(feature="shpca2")
    assert_array_equal(got.values.ravel(), encoder.transform(cells)[:, 2])


def test_accessor_keeps_names_and_coordinates():
    encoder = SphericalHarmonicPCA(3, n_components=5, spectrum=np.ones(4)).fit(PLAIN)
    obj = ocean()
    assert isinstance(obj.skgeo.grid("valid"), CellGrid)
    merged = xr.merge([obj, obj.skgeo.transform(encoder)], join="exact", compat="equals")
    assert merged.embedding.dims == ("y", "x", "feature")
    assert_array_equal(merged.embedding.values.reshape(-1, 5), encoder.transform(CellGrid.from_xarray(obj)))
    stations = xr.Dataset({"t": ("station", np.ones(12))}, {"lon": ("station", LON[:12]), "lat": ("station", LAT)})
    embedding = stations.skgeo.transform(encoder).embedding
    assert embedding.dims == ("station", "feature")
    assert_array_equal(embedding, encoder.transform(np.column_stack([LAT, LON[:12]])))


def test_patch_features_of_cells_are_labelled_by_their_pixels():
    obj = curvilinear()
    table = obj.skgeo.patch_features(PatchScaleFeaturizer().fit(PLAIN.patches(4)), (3, 4))
    stack = CellGrid.from_xarray(obj).patches((3, 4))
    assert table.latitude.dims == ("patch", "y", "x")
    assert_array_equal(table.latitude, stack[..., 0])
    assert_array_equal(table.features, PatchScaleFeaturizer().fit_transform(stack))
    assert table.unit.values.tolist()[:3] == ["ln(re 1 m)", "ln(re 1 m)", "ln(re 1 m2)"]
