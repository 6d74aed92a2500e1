import itertools
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import reference
from skgeo import (
    LatLonGrid,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalGaussianProcessRegressor,
    SphericalHarmonicPCA,
)
from skgeo._input.names import match_coordinate_names
from skgeo.encoders import WrapEncoder
from skgeo.exceptions import CoordinateError, CoordinateWarning
from skgeo.inspection._models import at_places

POINTS = reference.uniform_points(60)
NEW_POINTS = reference.uniform_points(7, seed=1)
GRID = LatLonGrid(np.arange(-55.0, 60, 10), np.arange(5.0, 200, 10))
PATCHES = GRID.patches((3, 4))
PATCH_COLUMNS = ["south", "north", "west", "east", "n_lat", "n_lon"]
COORDINATE_NAMES = list(itertools.product(["lat", "latitude"], ["lon", "lng", "long", "longitude"]))


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def frame(request):
    library = pytest.importorskip(request.param)
    make = library.table if request.param == "pyarrow" else library.DataFrame
    return lambda table, columns: make({name: np.array(table)[:, i] for i, name in enumerate(columns)})


@pytest.fixture(params=["pandas", "polars"])
def library(request):
    return pytest.importorskip(request.param)


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


@pytest.fixture
def polars():
    return pytest.importorskip("polars")


def small_pca(**parameters):
    return SphericalHarmonicPCA(max_degree=3, **parameters)


EXPECTED = small_pca().fit(POINTS).transform(NEW_POINTS)


@pytest.mark.parametrize("names", COORDINATE_NAMES)
@pytest.mark.parametrize("spell", [str, str.upper, str.title])
def test_coordinates_are_found_by_name_in_any_order_and_case(frame, names, spell):
    latitude, longitude = map(spell, names)
    pca = small_pca().fit(frame(POINTS[:, ::-1], [longitude, latitude]))
    assert_array_equal(pca.transform(frame(NEW_POINTS, [latitude, longitude])), EXPECTED)
    assert_array_equal(pca.transform(frame(NEW_POINTS[:, ::-1], [longitude, latitude])), EXPECTED)


@pytest.mark.parametrize("names", [("breite", "laenge"), ("x", "y"), ("lat", "lng")])
def test_named_coordinates_override_the_usual_names(frame, names):
    pca = small_pca(coordinates=names).fit(frame(POINTS[:, ::-1], names[::-1]))
    assert_array_equal(pca.transform(frame(NEW_POINTS, names)), EXPECTED)


@pytest.mark.parametrize("names", [("longitude", "latitude"), ("lng", "lat"), ("Lon", "Latitude")])
def test_usual_names_in_the_wrong_order_are_warned_of(frame, names):
    with pytest.warns(CoordinateWarning, match=rf"'{names[0]}' is read as the .*give coordinates=\('{names[1]}', '"):
        pca = small_pca(coordinates=names).fit(frame(POINTS[:, ::-1], names[::-1]))
    with pytest.warns(CoordinateWarning):
        assert_array_equal(pca.transform(frame(NEW_POINTS, names)), EXPECTED)


def test_named_coordinates_are_all_there_is(frame):
    with pytest.raises(CoordinateError, match=r"columns \['lat', 'lon'\]: expected the columns 'breite' and 'laenge'"):
        small_pca(coordinates=("breite", "laenge")).fit(frame(POINTS, ["lat", "lon"]))
    with pytest.raises(CoordinateError, match=r"columns \['breite', 'laenge', 'id'\]: expected the columns 'breite'"):
        small_pca(coordinates=("breite", "laenge")).fit(
            frame(np.column_stack([POINTS, POINTS[:, 0]]), ["breite", "laenge", "id"])
        )


@pytest.mark.parametrize("names", ["ab", ("lat",), ("lat", 1), 5])
def test_named_coordinates_are_two_names(names):
    with pytest.raises(
        ValueError, match="coordinates=.*: expected None or the names of the latitude and the longitude"
    ):
        small_pca(coordinates=names).fit(POINTS)


GP = SphericalGaussianProcessRegressor(method="harmonics", max_degree=8, length_scale_km=6671.0, smoothness=1.5)
WITHOUT_NAMES = "X does not have valid feature names, but .* was fitted with feature names"
AS_IN_FIT = pytest.mark.filterwarnings(f"ignore:{WITHOUT_NAMES}")


@pytest.mark.parametrize("order", [1, -1])
def test_arrays_after_a_frame_are_read_in_the_order_of_the_frame(frame, order):
    names = ["lat", "lon"][::order]
    pca = small_pca(missing="nan").fit(frame(POINTS[:, ::order], names))
    array = NEW_POINTS[:, ::order]
    for X in (array, array.tolist(), np.ma.masked_array(array), array.astype(object)):
        with pytest.warns(CoordinateWarning, match=rf"{WITHOUT_NAMES}: its columns are taken to be \['{names[0]}'"):
            assert_array_equal(pca.transform(X), EXPECTED)
    assert_array_equal(pca.transform(frame(NEW_POINTS, ["Lat", "LONG"])), EXPECTED)


def test_frames_after_an_array_are_read_by_name(frame):
    points, new_points = frame(POINTS[:, ::-1], ["lon", "lat"]), frame(NEW_POINTS[:, ::-1], ["lon", "lat"])
    assert_array_equal(small_pca().fit(POINTS).transform(new_points), EXPECTED)
    assert_array_equal(small_pca().fit_transform(points), small_pca().fit_transform(POINTS))


@AS_IN_FIT
def test_array_out_of_range_after_frame_names_frame_order(frame):
    pca = small_pca().fit(frame(POINTS[:, ::-1], ["lon", "lat"]))
    with pytest.raises(CoordinateError, match=r"outside \[-90, 90\].*: 120\. .*columns are \(longitude, latitude\)"):
        pca.transform([[50.0, 10.0], [45.0, 120.0]])


@pytest.mark.parametrize(
    "model",
    [SphericalHarmonicPCA(3), WrapEncoder(), GP],
    ids=lambda model: type(model).__name__,
)
def test_arrays_after_frame_of_own_names_keep_its_order(pandas, model):
    target = np.sin(np.radians(POINTS[:, 0]))
    model = clone(model).set_params(coordinates=("breite", "laenge"))
    model.fit(pandas.DataFrame(POINTS[:, ::-1], columns=["laenge", "breite"]), target)
    out = model.transform if hasattr(model, "transform") else model.predict
    named = out(pandas.DataFrame(NEW_POINTS, columns=["breite", "laenge"]))
    with pytest.warns(CoordinateWarning, match=f"{WITHOUT_NAMES}.*'laenge', 'breite'"):
        assert_array_equal(out(NEW_POINTS[:, ::-1]), named)


@pytest.mark.parametrize(
    "model",
    [
        SphericalHarmonicPCA(3),
        SphericalGaussianProcessRegressor(method="harmonics", max_degree=8, length_scale_km=6671.0, smoothness=1.5),
    ],
)
def test_parts_as_arrays_keep_order_of_first_frame(frame, model):
    target = np.sin(np.radians(POINTS[:, 0])) + np.cos(np.radians(POINTS[:, 1]))
    whole = clone(model).fit(POINTS, target)
    parts = clone(model).partial_fit(frame(POINTS[:30, ::-1], ["lon", "lat"]), target[:30])
    with pytest.warns(CoordinateWarning, match=WITHOUT_NAMES):
        parts.partial_fit(POINTS[30:, ::-1], target[30:])
    new_points = frame(NEW_POINTS, ["lat", "lon"])
    for method in {"transform", "predict"} & set(dir(model)):
        expected = getattr(whole, method)(NEW_POINTS)
        assert_allclose(getattr(parts, method)(new_points), expected, atol=1e-6)


@pytest.mark.parametrize("named", [True, False])
def test_a_frozen_basis_in_patches_is_given_its_own_order(pandas, named):
    columns = ["lon", "lat"]
    frames = pandas.DataFrame(POINTS[:, ::-1], columns=columns)
    basis = make_pipeline(small_pca()) if named else make_pipeline(small_pca(), StandardScaler())
    foreign = make_pipeline(make_column_transformer((FunctionTransformer(), columns)))
    expected = PatchPositionEncoder(FrozenEstimator(clone(basis).fit(POINTS))).fit_transform(PATCHES)
    got = PatchPositionEncoder(FrozenEstimator(basis.fit(frames))).fit_transform(PATCHES)
    assert_array_equal(got, expected)
    centres = PatchPositionEncoder(FrozenEstimator(foreign.fit(frames))).fit_transform(PATCHES)
    assert_allclose(centres[:, 0], PATCHES[:, 2:4].mean(axis=1))


def test_grids_and_xarray_after_frame_have_own_names(pandas):
    xarray = pytest.importorskip("xarray")
    pca = small_pca().fit(pandas.DataFrame(POINTS[:, ::-1], columns=["lon", "lat"]))
    expected = small_pca().fit(POINTS)
    assert_array_equal(pca.transform(GRID), expected.transform(GRID))
    stations = xarray.Dataset(coords={"lat": ("station", NEW_POINTS[:, 0]), "lon": ("station", NEW_POINTS[:, 1])})
    assert_array_equal(pca.transform(stations), EXPECTED)
    assert_allclose(pca.transform(stations.chunk(station=3)).compute(), EXPECTED, atol=1e-12)


@pytest.mark.parametrize("order", [1, -1])
def test_dask_arrays_after_frame_keep_its_order(pandas, order):
    da = pytest.importorskip("dask.array")
    frames = pandas.DataFrame(POINTS[:, ::order], columns=["lat", "lon"][::order])
    pca, chunks = small_pca().fit(frames), da.from_array(NEW_POINTS[:, ::order], chunks=(3, 1))
    with pytest.warns(CoordinateWarning, match=WITHOUT_NAMES) as caught:
        assert_allclose(pca.transform(chunks).compute(), EXPECTED, atol=1e-12)
    assert len(caught) == 1
    parts = small_pca().partial_fit(frames[:30])
    with pytest.warns(CoordinateWarning, match=WITHOUT_NAMES):
        parts.partial_fit(da.from_array(POINTS[30:, ::order], chunks=(7, 2)))
    assert_allclose(parts.transform(frames), pca.transform(frames), atol=1e-6)


def test_a_geometry_says_nothing_of_the_order_of_an_array():
    geopandas = pytest.importorskip("geopandas")
    points = geopandas.GeoSeries(geopandas.points_from_xy(*POINTS[:, ::-1].T), crs=4326)
    assert_array_equal(small_pca().fit(points.to_frame("geometry")).transform(NEW_POINTS), EXPECTED)
    assert_array_equal(small_pca().fit(points).transform(NEW_POINTS), EXPECTED)


def test_lists_and_tuples_are_arrays():
    assert_array_equal(small_pca().fit(POINTS.tolist()).transform(tuple(map(tuple, NEW_POINTS))), EXPECTED)
    assert_array_equal(
        PatchScaleFeaturizer().fit_transform(PATCHES.tolist()), PatchScaleFeaturizer().fit_transform(PATCHES)
    )


def test_feature_names_in_are_those_of_the_last_fit(frame):
    pca = small_pca().fit(frame(POINTS[:, ::-1], ["Lon", "Lat"]))
    assert pca.n_features_in_ == 2
    assert pca.feature_names_in_.dtype == object
    assert pca.feature_names_in_.tolist() == ["Lon", "Lat"]
    with pytest.warns(CoordinateWarning, match=WITHOUT_NAMES):
        pca.partial_fit(POINTS[:, ::-1])
    pca.transform(frame(POINTS, ["lat", "long"]))
    assert pca.feature_names_in_.tolist() == ["Lon", "Lat"]
    assert not hasattr(pca.fit(POINTS), "feature_names_in_")
    assert not hasattr(pca.fit(GRID), "feature_names_in_")
    scale = PatchScaleFeaturizer().fit(frame(PATCHES[:, ::-1], PATCH_COLUMNS[::-1]))
    assert scale.feature_names_in_.tolist() == PATCH_COLUMNS[::-1]
    assert not hasattr(scale.fit(PATCHES), "feature_names_in_")


def test_input_features_are_checked_against_the_columns_of_fit(frame):
    pca = small_pca(n_components=2).fit(frame(POINTS, ["lat", "lon"]))
    assert pca.get_feature_names_out(["lat", "lon"]).tolist() == ["shpca0", "shpca1"]
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        pca.get_feature_names_out(["lon", "lat"])
    with pytest.raises(ValueError, match=r"length equal to number of features \(2\), got 3"):
        pca.get_feature_names_out(["lat", "lon", "depth"])


def test_float32_frames_give_float32(frame):
    single = NEW_POINTS.astype(np.float32)
    pca = small_pca().fit(frame(POINTS.astype(np.float32), ["lat", "lon"]))
    assert pca.components_.dtype == np.float64
    assert pca.transform(frame(single, ["lat", "lon"])).dtype == np.float32
    assert pca.transform(frame(NEW_POINTS, ["lat", "lon"])).dtype == np.float64
    assert_allclose(pca.transform(frame(single, ["lat", "lon"])), EXPECTED, atol=1e-5)
    patches = frame(PATCHES.astype(np.float32), PATCH_COLUMNS)
    for transformer in (PatchScaleFeaturizer(), PatchPositionEncoder(small_pca())):
        assert transformer.fit(patches).transform(patches).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint8])
def test_integer_columns_are_degrees(frame, dtype):
    whole = np.abs(NEW_POINTS).astype(dtype)
    got = small_pca().fit(POINTS).transform(frame(whole, ["lat", "lon"]))
    assert got.dtype == np.float64
    assert_array_equal(got, small_pca().fit(POINTS).transform(whole.astype(float)))


def test_columns_of_different_types_are_read_one_by_one(library):
    points = library.DataFrame({"lon": NEW_POINTS[:, 1].astype(np.float32), "lat": np.arange(7)})
    expected = np.column_stack([np.arange(7), NEW_POINTS[:, 1].astype(np.float32).astype(float)])
    got = small_pca().fit(POINTS).transform(points)
    assert got.dtype == np.float64
    assert_array_equal(got, small_pca().fit(POINTS).transform(expected))


@pytest.mark.parametrize("dtype", ["Float64", "Float32", "double[pyarrow]", "float[pyarrow]"])
def test_nullable_and_arrow_columns_of_pandas(pandas, dtype):
    pytest.importorskip("pyarrow")
    points = pandas.DataFrame(NEW_POINTS, columns=["lat", "lon"]).astype(dtype)
    got = small_pca().fit(POINTS).transform(points)
    assert got.dtype == (np.float32 if dtype in ("Float32", "float[pyarrow]") else np.float64)
    assert_allclose(got, EXPECTED, atol=1e-5 if got.dtype == np.float32 else 0)


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "double[pyarrow]", "int32[pyarrow]"])
def test_missing_values_of_pandas_are_refused(pandas, dtype):
    pytest.importorskip("pyarrow")
    points = pandas.DataFrame(NEW_POINTS.round(), columns=["lat", "lon"]).astype(dtype)
    points.iloc[[3, 5], 1] = pandas.NA
    with pytest.raises(CoordinateError, match="X column 'lon' contains NaN or infinity in 2 rows, first row 3"):
        small_pca().fit(points)


@pytest.mark.parametrize("dtype", ["Float64", "Int32"])
def test_nulls_of_polars_are_refused(polars, dtype):
    points = polars.DataFrame({"lat": [1.0, None, 3.0], "lon": [4.0, 5.0, 6.0]}).cast(getattr(polars, dtype))
    with pytest.raises(CoordinateError, match="X column 'lat' contains NaN or infinity in 1 row, first row 1"):
        small_pca().fit(points)


def test_nulls_of_pyarrow_are_refused():
    table = pytest.importorskip("pyarrow").table({"lat": [1.0, 2.0, 3.0], "lon": [4, None, 6]})
    with pytest.raises(CoordinateError, match="X column 'lon' contains NaN or infinity in 1 row, first row 1"):
        small_pca().fit(table)


@pytest.mark.parametrize("columns", [[0, 1], ["lat", 1], [("lat", "a"), ("lon", "a")]])
def test_names_that_are_no_strings_are_refused(pandas, columns):
    with pytest.raises(CoordinateError, match=r"X has the columns \[.*no latitude and longitude among them"):
        small_pca().fit(pandas.DataFrame(dict(zip(columns, POINTS.T, strict=True))))


@pytest.mark.parametrize("columns", [[0, 1, 2, 3, 4, 5], [*PATCH_COLUMNS[:5], 5]])
def test_names_of_patch_columns_that_are_no_strings_are_refused(pandas, columns):
    with pytest.raises(CoordinateError, match=r"X has the columns \[.*: a patch table has"):
        PatchScaleFeaturizer().fit(pandas.DataFrame(PATCHES, columns=columns))


def test_text_that_needs_parsing_is_refused(frame):
    text = NEW_POINTS.astype(str)
    text[[2, 4], 0] = ["41\N{DEGREE SIGN}24'N", ""]
    with pytest.raises(CoordinateError, match="X column 'lat' holds .* values in 2 rows, first row 2.*24'N.*parsing"):
        small_pca().fit(frame(text, ["lat", "lon"]))


def as_decimals(table):
    return np.array([[Decimal(repr(value)) for value in row] for row in np.asarray(table).tolist()], dtype=object)


NUMBERS = {
    "floats": lambda table: table.astype(object),
    "Decimal": as_decimals,
    "Fraction": lambda table: np.array([[Fraction(value) for value in row] for row in table.tolist()], dtype=object),
    "mixed": lambda table: np.array([[Decimal(repr(lat)), np.float64(lon)] for lat, lon in table.tolist()], object),
    "text": lambda table: table.astype(str),
    "text objects": lambda table: table.astype(str).astype(object),
    "bytes": lambda table: table.astype(str).astype(bytes),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_in_objects_as_standard_scaler_reads_them(kind):
    table = NUMBERS[kind](NEW_POINTS)
    assert_array_equal(StandardScaler(with_mean=False, with_std=False).fit_transform(table), NEW_POINTS)
    assert_array_equal(small_pca().fit(POINTS).transform(table), EXPECTED)
    assert_array_equal(small_pca().fit(POINTS).transform(table.tolist()), EXPECTED)


@pytest.mark.parametrize("kind", ["Decimal", "text"])
def test_numbers_in_columns_of_objects(frame, kind):
    table = NUMBERS[kind](NEW_POINTS)
    assert_array_equal(small_pca().fit(POINTS).transform(frame(table, ["lat", "lon"])), EXPECTED)


def test_decimals_of_data_bases():
    pyarrow = pytest.importorskip("pyarrow")
    exact = NEW_POINTS.round(4)
    columns = [pyarrow.array(as_decimals(column[:, None])[:, 0], pyarrow.decimal128(9, 4)) for column in exact.T]
    table = pyarrow.table(columns, names=["lat", "lon"])
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    expected = small_pca().fit(POINTS).transform(exact)
    for X in (table, table.to_pandas(), table.to_pandas(types_mapper=pandas.ArrowDtype), polars.from_arrow(table)):
        assert_array_equal(small_pca().fit(POINTS).transform(X), expected)


def test_a_frame_rebuilt_from_a_mixed_array(pandas):
    mixed = pandas.DataFrame({"lat": NEW_POINTS[:, 0], "lon": NEW_POINTS[:, 1], "city": list("abcdefg")})
    again = pandas.DataFrame(mixed.to_numpy(), columns=mixed.columns)
    assert_array_equal(small_pca().fit(POINTS).transform(again[["lat", "lon"]]), EXPECTED)


@pytest.mark.parametrize("absent", [None, float("nan"), Decimal("NaN"), "NA"])
def test_what_is_missing_in_objects_is_missing(absent):
    if absent == "NA":
        absent = pytest.importorskip("pandas").NA
    table = as_decimals(NEW_POINTS)
    table[2, 1] = absent
    with pytest.raises(CoordinateError, match="NaN or infinity in 1 row, first row 2: .*missing='nan'"):
        small_pca().fit(POINTS).transform(table)
    got = small_pca(missing="nan").fit(POINTS).transform(table)
    assert np.isnan(got[2]).all()
    assert_array_equal(np.delete(got, 2, axis=0), np.delete(EXPECTED, 2, axis=0))


def test_decimals_with_nulls_are_missing():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"lat": [Decimal("1.5"), None, Decimal("3")], "lon": [1.0, 2.0, 3.0]})
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for X in (table, table.to_pandas(), table.to_pandas(types_mapper=pandas.ArrowDtype), polars.from_arrow(table)):
        assert np.flatnonzero(np.isnan(WrapEncoder(missing="nan").fit_transform(X)[:, 0])).tolist() == [1]


def test_decimal_weights_are_weights():
    weights = np.arange(1.0, 61.0)
    got = small_pca().fit(POINTS, sample_weight=as_decimals(weights[:, None])[:, 0])
    assert_array_equal(got.mean_, small_pca().fit(POINTS, sample_weight=weights).mean_)


FOUND = {
    ("decimalLatitude", "decimalLongitude"): ["gbifID", "coordinateUncertaintyInMeters", "coordinatePrecision"],
    (" lat", "lon "): [],
    ("pickup_lat", "pickup_lon"): ["fare"],
    ("start_station_latitude", "start_station_longitude"): ["end_station_name"],
    ("start.lat", "start.lng"): ["longest"],
    ("Start Lat", "Start Long"): ["flat", "lateral", "plate_long", "translation"],
    ("startLat", "startLng"): ["cell_long_description", "correlation", "along", "platform", "latency"],
    ("GPSLatitude", "GPSLongitude"): ["GPSAltitude"],
    ("location-lat", "location-long"): ["ground-speed"],
    ("LAT_DD", "LONG_DD"): ["n_lat", "n_lon", "lat_rad", "lon_rad", "err_lat", "err_lon", "sin_lat", "sin_lon"],
    ("latitude (degrees_north)", "longitude (degrees_east)"): ["acc_lat", "acc_long", "v_lat", "v_lon"],
    ("Latitude (\N{DEGREE SIGN}N)", "Longitude (\N{DEGREE SIGN}E)"): ["rotated_lat", "rotated_lon"],
    ("lat", "lon"): ["pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon", "decimalLatitude", "decimalLongitude"],
    ("latitude_dd", "decimalLongitude"): ["verbatimLatitude", "verbatimLongitude"],
    ("decimallatitude", "decimallongitude"): ["verbatimlatitude", "verbatimlongitude", "coordinateprecision"],
    ("DECIMALLATITUDE", "DECIMALLONGITUDE"): ["GEOMAGNETICLATITUDE", "GEOMAGNETICLONGITUDE"],
    ("latdd", "longdd"): ["flat", "flon", "colatitude", "colongitude"],
    ("latitudewgs84", "longitudewgs84"): ["salon", "latency", "latitudeerr", "longitudeerr"],
    ("gpslatitude", "gpslongitude"): ["deltalatitude", "deltalongitude", "sinlatitude", "sinlongitude"],
}


@pytest.mark.parametrize("pair", FOUND)
def test_names_of_coordinates_that_are_found(pair):
    others = FOUND[pair]
    assert match_coordinate_names([*others, *pair[::-1]]) == [pair]


@pytest.mark.parametrize(
    "names",
    [
        ["lateral", "longest"], ["flat", "plate_long"], ["n_lat", "n_lon"], ["extent_lat", "extent_lon"],
        ["lat_rad", "lon_rad"], ["lat_max", "lon_min"], ["pickup_lat", "dropoff_lon"], ["lat1", "lon1"],
        ["Latitude (N)", "Longitude (W)"], ["lat", "depth"], ["latlon", "lonlat"], [("lat", "a"), ("lon", "a")], [0, 1],
        ["rotated_lat", "rotated_lon"], ["delta_lat", "delta_lon"], ["acc_lat", "acc_long"], [None, float("nan")],
    ],
)  # fmt: skip
def test_names_of_coordinates_that_are_not_found(names):
    assert match_coordinate_names(names) == []


@pytest.mark.parametrize("spell", [str, str.lower, str.upper])
def test_gbif_columns_need_no_names(frame, spell):
    columns = [spell("decimalLongitude"), spell("decimalLatitude")]
    assert_array_equal(small_pca().fit(POINTS).transform(frame(NEW_POINTS[:, ::-1], columns)), EXPECTED)


def test_the_same_name_twice_is_refused(pandas):
    twice = pandas.DataFrame(np.column_stack([POINTS, POINTS[:, 0]]), columns=["lat", "lon", "lat"])
    with pytest.raises(CoordinateError, match="'lat' is there more than once"):
        small_pca().fit(twice)
    with pytest.raises(CoordinateError, match="'lat' is there more than once"):
        small_pca(coordinates=("lat", "lon")).fit(twice)


def test_more_columns_than_needed_are_refused(frame):
    more = frame(np.column_stack([POINTS, POINTS[:, 0]]), ["lat", "lon", "depth"])
    with pytest.raises(CoordinateError, match=r"\['lat', 'lon', 'depth'\]: expected latitude and longitude only"):
        small_pca().fit(more)
    with pytest.raises(CoordinateError, match="expected latitude and longitude only"):
        small_pca().fit(POINTS).transform(more)
    with pytest.raises(CoordinateError, match="'id'.*: a patch table has .*select these"):
        PatchScaleFeaturizer().fit(frame(np.column_stack([PATCHES, PATCHES[:, 0]]), [*PATCH_COLUMNS, "id"]))


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 5, 0, 4, 2, 1]])
@pytest.mark.parametrize("transformer", [PatchScaleFeaturizer(), PatchPositionEncoder(SphericalHarmonicPCA(2))])
def test_patch_columns_are_found_by_name_in_any_order(frame, transformer, order):
    patches = frame(PATCHES[:, order], [PATCH_COLUMNS[i] for i in order])
    expected = transformer.fit(PATCHES).transform(PATCHES)
    assert_array_equal(transformer.transform(patches), expected)
    transformer.fit(patches)
    with pytest.warns(CoordinateWarning, match=f"{WITHOUT_NAMES}: .*'{PATCH_COLUMNS[order[0]]}'"):
        assert_array_equal(transformer.transform(PATCHES[:, order]), expected)
    assert_array_equal(transformer.transform(patches), expected)
    stacks = np.stack(np.meshgrid([1.0, 2.0, 3.0], [4.0, 5.0], indexing="ij"), axis=-1)[np.newaxis]
    assert transformer.transform(stacks).shape == (1, expected.shape[1])  # which have their order in their last axis


def test_patches_of_a_grid_as_frame_keep_their_index(pandas):
    patches = GRID.patches((3, 4), as_frame=True)
    assert_array_equal(patches, PATCHES)
    got = PatchScaleFeaturizer().set_output(transform="pandas").fit_transform(patches)
    pandas.testing.assert_index_equal(got.index, patches.index)
    assert_array_equal(got, PatchScaleFeaturizer().fit_transform(PATCHES))


@pytest.mark.parametrize("output", ["pandas", "polars"])
@pytest.mark.parametrize("order", [1, -1])
def test_output_frames_have_the_names_and_values_of_the_array(library, output, order):
    frames = pytest.importorskip(output)
    points = library.DataFrame(dict(zip(["lat", "lon"][::order], NEW_POINTS.T[::order], strict=True)))
    got = small_pca().fit(POINTS).set_output(transform=output).transform(points)
    assert isinstance(got, frames.DataFrame)
    assert list(got.columns) == [f"shpca{i}" for i in range(15)]
    assert_array_equal(got.to_numpy(), EXPECTED)


def test_output_frames_of_patches_name_descriptors(library):
    patches = library.DataFrame(dict(zip(PATCH_COLUMNS, PATCHES.T, strict=True)))
    scale = PatchScaleFeaturizer(log=False).set_output(transform=library.__name__).fit(patches)
    got = scale.transform(patches)
    assert isinstance(got, library.DataFrame)
    assert list(got.columns)[:3] == ["extent_lon", "extent_lat", "area"]
    assert got.shape == (len(PATCHES), 10)
    position = PatchPositionEncoder(small_pca(n_components=2)).set_output(transform=library.__name__)
    assert list(position.fit_transform(patches).columns) == ["shpca0", "shpca1"]


def test_output_frame_keeps_the_index_of_the_input(pandas):
    index = pandas.Index(list("abcdefg"), name="station")
    points = pandas.DataFrame(NEW_POINTS, columns=["lat", "lon"], index=index)
    got = small_pca().fit(POINTS).set_output(transform="pandas").transform(points)
    pandas.testing.assert_index_equal(got.index, index)


def test_output_frame_of_a_grid_has_a_row_a_cell(library):
    pca = small_pca().fit(GRID)
    got = pca.set_output(transform=library.__name__).transform(GRID)
    assert isinstance(got, library.DataFrame)
    assert list(got.columns) == pca.get_feature_names_out().tolist()
    assert_array_equal(got.to_numpy(), pca.set_output(transform="default").transform(GRID))


def test_an_encoder_may_return_frames(library):
    encoder = small_pca().set_output(transform=library.__name__)
    got = PatchPositionEncoder(encoder).fit(PATCHES).transform(PATCHES)
    assert_array_equal(got, PatchPositionEncoder(small_pca()).fit(PATCHES).transform(PATCHES))


def test_input_is_left_as_it_is(frame):
    points = frame(POINTS, ["lat", "lon"])
    before = np.array(POINTS)
    small_pca().fit(points).transform(points)
    assert_array_equal(np.column_stack([points["lat"].to_numpy(), points["lon"].to_numpy()]), before)
    patches = PATCHES.copy()
    patches.flags.writeable = False
    PatchPositionEncoder(small_pca()).fit(patches).transform(patches)
    assert_array_equal(patches, PATCHES)


def test_integer_counts_leave_float32_edges_what_they_are(library):
    columns = {name: PATCHES[:, i].astype(np.float32) for i, name in enumerate(PATCH_COLUMNS[:4])}
    counts = {name: PATCHES[:, i].astype(np.int64) for i, name in enumerate(PATCH_COLUMNS[4:], start=4)}
    got = PatchScaleFeaturizer().fit_transform(library.DataFrame(columns | counts))
    assert got.dtype == np.float32
    assert_allclose(got, PatchScaleFeaturizer().fit_transform(PATCHES), rtol=1e-6)


def test_frames_of_narwhals_are_read_by_name(frame):
    narwhals = pytest.importorskip("narwhals")
    points = narwhals.from_native(frame(NEW_POINTS[:, ::-1], ["lon", "lat"]))
    assert_array_equal(small_pca().fit(POINTS).transform(points), EXPECTED)
    with pytest.raises(CoordinateError, match=r"LazyFrame, which has no values yet: pass X\.collect\(\)"):
        small_pca().fit(points.lazy())


def test_lazy_frames_are_asked_to_collect(polars):
    lazy = polars.DataFrame({"lat": [1.0, 2.0], "lon": [3.0, 4.0]}).lazy()
    with pytest.raises(CoordinateError, match=r"LazyFrame, which has no values yet: pass X\.collect\(\)"):
        small_pca().fit(lazy)


# Missing coordinates.

HOLES = NEW_POINTS.copy()
HOLES[[1, 4], [0, 1]] = np.nan
ABSENT = np.isnan(HOLES).any(axis=1)


def test_missing_coordinates_refused_without_policy(frame):
    message = "contains NaN or infinity in 1 row, .*or let missing='nan' or missing='mean' take them"
    for X in (HOLES, HOLES.tolist(), frame(HOLES, ["lat", "lon"])):
        with pytest.raises(CoordinateError, match=message.replace("1 row", "(1 row|2 rows)")):
            small_pca().fit(POINTS).transform(X)


@pytest.mark.parametrize(("missing", "value"), [("nan", np.nan), ("mean", 0.0)])
@pytest.mark.parametrize("indicator", [False, True])
def test_missing_coordinates_by_policy(frame, missing, value, indicator):
    pca = small_pca(missing=missing, add_indicator=indicator).fit(POINTS)
    for X in (HOLES, HOLES.tolist(), frame(HOLES, ["lat", "lon"]), frame(HOLES[:, ::-1], ["lon", "lat"])):
        got = pca.transform(X)
        assert_array_equal(got[~ABSENT, :15], EXPECTED[~ABSENT])
        assert_array_equal(got[ABSENT, :15], np.full((2, 15), value))
        assert got.shape[1] == 15 + indicator
        if indicator:
            assert_array_equal(got[:, 15], ABSENT)
    names = pca.get_feature_names_out().tolist()
    assert names == [f"shpca{i}" for i in range(15)] + ["missing_location"] * indicator


@pytest.mark.parametrize("by_area", [True, False])
def test_missing_coordinates_weigh_nothing_in_a_fit(frame, by_area):
    weight = np.random.default_rng(0).uniform(size=7)
    kept = small_pca(area_weighted=by_area).fit(NEW_POINTS[~ABSENT], sample_weight=weight[~ABSENT])
    for X in (HOLES, frame(HOLES, ["lat", "lon"]), np.ma.masked_invalid(HOLES)):
        pca = small_pca(missing="mean", area_weighted=by_area).fit(X, sample_weight=weight)
        assert_allclose(pca.mean_, kept.mean_, atol=1e-12)
        assert pca.n_components_ == kept.n_components_
    with pytest.raises(ValueError, match="total weight of X is zero: .*missing places have no weight"):
        small_pca(missing="nan").fit(np.full((3, 2), np.nan))


@pytest.mark.parametrize("parameters", [{"missing": "mean"}, {"add_indicator": True}])
def test_a_twin_that_would_differ_is_refused(parameters):
    pytest.importorskip("torch")
    pca = small_pca(**parameters).fit(POINTS)
    with pytest.raises(
        ValueError, match=r"returns NaN for missing places and has no indicator. Call set_params\(missing='nan'"
    ):
        pca.to_torch()
    pca.set_params(missing="nan", add_indicator=False).to_torch()


def test_masked_values_are_missing():
    masked = np.ma.array(NEW_POINTS, mask=np.isnan(HOLES))
    got = small_pca(missing="mean").fit(POINTS).transform(masked)
    assert_array_equal(got[ABSENT], 0.0)
    assert_array_equal(got[~ABSENT], EXPECTED[~ABSENT])
    whole = np.ma.array(np.arange(14).reshape(7, 2), mask=np.isnan(HOLES))
    assert np.isfinite(small_pca(missing="mean").fit(POINTS).transform(whole)).all()
    with pytest.raises(CoordinateError, match="masked values in 2 rows.*or let missing='nan'"):
        small_pca().fit(masked)


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "double[pyarrow]"])
def test_missing_values_of_pandas_by_policy(pandas, dtype):
    pytest.importorskip("pyarrow")
    points = pandas.DataFrame(NEW_POINTS.round(), columns=["lat", "lon"]).astype(dtype)
    points.iloc[[3, 5], 1] = pandas.NA
    got = small_pca(missing="nan", add_indicator=True).fit(POINTS).transform(points)
    assert_array_equal(np.flatnonzero(np.isnan(got[:, 0])), [3, 5])
    assert_array_equal(np.flatnonzero(got[:, -1]), [3, 5])


def test_nulls_of_polars_by_policy(polars):
    points = polars.DataFrame({"lat": [1.0, None, 3.0], "lon": [4, 5, None]})
    got = small_pca(missing="mean").set_output(transform="polars").fit(POINTS).transform(points)
    assert_array_equal(got.to_numpy()[1:], 0.0)
    assert got.null_count().sum_horizontal().item() == 0


def test_infinite_coordinates_are_never_missing():
    with pytest.raises(CoordinateError, match="X contains infinity in 1 row, first row 2: drop or impute"):
        small_pca(missing="nan").fit([[0.0, 1.0], [np.nan, 2.0], [3.0, np.inf]])


def test_rows_are_counted_with_those_that_are_missing():
    with pytest.raises(CoordinateError, match=r"outside \[-90, 90\] degrees in 1 row, first row 2: 91"):
        small_pca(missing="nan").fit([[0.0, 1.0], [np.nan, 2.0], [91.0, 170.0]])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"missing": "drop"}, "missing='drop': expected 'error', 'nan' or 'mean'"),
        ({"missing": None}, "missing=None: expected 'error'"),
        ({"add_indicator": 1}, "add_indicator=1: expected True or False"),
        ({"verbose": 1}, "verbose=1: expected True, False or None"),
    ],
)
def test_policies_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message):
        small_pca(**parameters).fit(POINTS)


def test_column_transformer_takes_coordinate_columns(library):
    compose = pytest.importorskip("sklearn.compose")
    columns = dict(zip(["lat", "lon"], NEW_POINTS.T, strict=True)) | {"height": np.arange(7.0), "b": np.arange(7)}
    frame = library.DataFrame({name: columns[name] for name in ("height", "lon", "b", "lat")})
    place = small_pca(n_components=2, add_indicator=True, missing="mean").fit(POINTS)
    transformer = compose.make_column_transformer((place, ["lat", "lon"]), remainder="passthrough")
    got = transformer.set_output(transform=library.__name__).fit(frame).transform(frame)
    assert list(got.columns)[-3:] == [
        "sphericalharmonicpca__missing_location",
        "remainder__height",
        "remainder__b",
    ]
    assert_array_equal(got.to_numpy()[:, 3], np.arange(7))


# Geometries.


@pytest.fixture
def geopandas():
    return pytest.importorskip("geopandas")


def as_series(geopandas, points=NEW_POINTS, crs=4326):
    return geopandas.GeoSeries(geopandas.points_from_xy(points[:, 1], points[:, 0]), crs=crs)


def test_geometries_are_places(geopandas):
    series = as_series(geopandas)
    frame = geopandas.GeoDataFrame({"height": range(7), "lat": 0.0}, geometry=series)
    pca = small_pca().fit(POINTS)
    same = (series, frame, frame[["geometry"]], frame.rename_geometry("place"), as_series(geopandas, crs="OGC:CRS84"))
    for X in same:
        assert_array_equal(pca.transform(X), EXPECTED)
    assert small_pca().fit(frame[["geometry"]]).feature_names_in_.tolist() == ["geometry"]
    assert not hasattr(small_pca().fit(series), "feature_names_in_")
    index = pytest.importorskip("pandas").Index(list("abcdefg"))
    assert pca.set_output(transform="pandas").transform(frame.set_index(index)).index.equals(index)


def test_a_geoframe_without_geometry_is_a_frame(geopandas):
    frame = geopandas.GeoDataFrame({"lon": NEW_POINTS[:, 1], "lat": NEW_POINTS[:, 0]})
    assert_array_equal(small_pca().fit(POINTS).transform(frame), EXPECTED)


def test_geometries_in_a_pipeline_of_columns(geopandas):
    compose = pytest.importorskip("sklearn.compose")
    frame = geopandas.GeoDataFrame({"height": range(7)}, geometry=as_series(geopandas))
    columns = compose.make_column_transformer((small_pca().fit(POINTS), ["geometry"]), remainder="passthrough")
    assert_array_equal(columns.fit_transform(frame)[:, -1], np.arange(7))
    alone = small_pca().fit_transform(as_series(geopandas))
    assert_array_equal(columns.transform(frame)[:, :-1], alone)
    names = [f"sphericalharmonicpca__shpca{i}" for i in range(alone.shape[1])] + ["remainder__height"]
    assert columns.get_feature_names_out().tolist() == names
    assert list(columns.set_output(transform="pandas").fit_transform(frame).columns) == names


@pytest.mark.parametrize("crs", [3857, 6933, 4269])
def test_geometries_in_another_crs_are_reprojected_with_a_notice(geopandas, crs):
    away = as_series(geopandas).to_crs(crs)
    with pytest.warns(CoordinateWarning, match=f"X is in EPSG:{crs}: reprojected to EPSG:4326"):
        got = small_pca().fit(POINTS).transform(away)
    assert_allclose(got, EXPECTED, atol=1e-9)


def test_missing_geometries_are_missing_coordinates(geopandas):
    shapely = pytest.importorskip("shapely")
    series = as_series(geopandas)
    series[1], series[4] = None, shapely.Point()
    with pytest.raises(CoordinateError, match="NaN or infinity in 2 rows, first row 1.*missing='nan'"):
        small_pca().fit(series)
    got = small_pca(missing="mean").fit(POINTS).transform(series)
    assert_array_equal(got[[1, 4]], 0.0)
    assert_array_equal(got[~ABSENT], EXPECTED[~ABSENT])


def test_geometries_that_are_no_points_in_degrees_are_refused(geopandas):
    shapely = pytest.importorskip("shapely")
    series = as_series(geopandas)
    pca = small_pca().fit(POINTS)
    with pytest.raises(CoordinateError, match=r"X is a GeoSeries without a CRS: .*X\.set_crs\(4326\)"):
        pca.transform(as_series(geopandas, crs=None))
    box = geopandas.GeoSeries([shapely.box(0, 0, 1, 1), shapely.Point(0, 0)], crs=4326)
    with pytest.raises(CoordinateError, match=r"X holds Polygon: expected points. X\.representative_point\(\) gives"):
        pca.transform(box)
    assert pca.transform(box.representative_point()).shape == (2, 15)
    with pytest.raises(CoordinateError, match="X is empty"):
        pca.transform(series[:0])
    swapped = geopandas.GeoSeries([shapely.Point(10, 120)], crs=4326)
    with pytest.raises(CoordinateError, match=r"Are they swapped\?.*geometries are \(x, y\): longitude, latitude"):
        pca.transform(swapped)
    with pytest.raises(CoordinateError, match=r"X is a GeometryArray: pass a GeoSeries, geopandas\.GeoSeries\(X\)"):
        pca.transform(series.values)


def test_patches_of_object_read_by_name_after_frame(pandas):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("skgeo.xarray")
    field = xarray.DataArray(np.zeros(GRID.shape), {"lat": GRID.latitude, "lon": GRID.longitude}, ("lat", "lon"))
    frames = pandas.DataFrame(PATCHES, columns=PATCH_COLUMNS)[PATCH_COLUMNS[::-1]]
    got = field.skgeo.patch_features(PatchScaleFeaturizer().fit(frames), (3, 4))
    expected = field.skgeo.patch_features(PatchScaleFeaturizer().fit(PATCHES), (3, 4))
    xarray.testing.assert_identical(got, expected)


@pytest.mark.parametrize("first", [FunctionTransformer(), WrapEncoder()], ids=["any transformer", "encoder"])
def test_maps_after_fit_on_frame_are_right_way_around(pandas, first):
    frames = pandas.DataFrame(POINTS[:, ::-1], columns=["start_lon", "start_lat"])
    model = make_pipeline(clone(first), FunctionTransformer()).fit(frames)
    named = model.transform(pandas.DataFrame(NEW_POINTS[:, ::-1], columns=frames.columns))
    assert_array_equal(at_places(model.transform, model, NEW_POINTS), named)


def test_a_trained_model_reads_arrays_in_the_order_of_the_frame(pandas):
    pytest.importorskip("torch")
    from skgeo.nn import LocationRegressor

    target = np.sin(np.radians(POINTS[:, 0]))
    options = {"max_epochs": 2, "random_state": 0}
    expected = LocationRegressor("wrap", "linear", **options).fit(POINTS, target, X_val=POINTS, y_val=target)
    frames = pandas.DataFrame(POINTS[:, ::-1], columns=["lon", "lat"])
    with pytest.warns(CoordinateWarning, match=WITHOUT_NAMES):
        model = LocationRegressor("wrap", "linear", **options).fit(frames, target, X_val=POINTS[:, ::-1], y_val=target)
    with pytest.warns(CoordinateWarning, match=WITHOUT_NAMES):
        assert_array_equal(model.predict(NEW_POINTS[:, ::-1]), expected.predict(NEW_POINTS))
