"""Bad input gets one clear error that names what was wrong, what was given and the cure; state stays as it was."""

import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import reference
from skgeo import (
    LatLonGrid,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalGaussianProcessRegressor,
    SphericalHarmonicPCA,
    matern_spectrum,
)
from skgeo.encoders import WrapEncoder
from skgeo.exceptions import CoordinateError, CoordinateWarning
from skgeo.model_selection import BufferedKFold, LeaveOneBlockOut, SphericalBlockKFold

PLACES = reference.uniform_points(50)
PATCH = [0.0, 10.0, 0.0, 10.0, 2, 2]


def with_value(row, column, value, table=PLACES):
    table = np.array(table, dtype=float)
    table[row, column] = value
    return table


masked = np.ma.masked_array(PLACES, mask=np.zeros_like(PLACES, dtype=bool))
masked.mask[3, 1] = masked.mask[9, 0] = True

BAD_POINTS = {
    "swapped": (
        [[10, 50], [120, 45], [151, -33]],
        r"outside \[-90, 90\] degrees in 2 rows, first row 1: 120\..*swapped\?",
    ),
    "beyond the pole": (with_value(7, 0, 90.5), r"1 row, first row 7: 90\.5\."),
    "a fill value": (with_value(7, 0, -9999), r"^(?!.*projected).*first row 7: -9999"),
    "projected": ([[6_200_000.0, 420_000.0], [6_210_000.0, 430_000.0]], "look like projected.*EPSG:4326.*to_crs"),
    "NaN": (with_value(4, 1, np.nan), "NaN or infinity in 1 row, first row 4"),
    "infinite": (with_value([2, 5], 0, np.inf), "NaN or infinity in 2 rows, first row 2"),
    "empty": (np.empty((0, 2)), r"empty: 0 sample\(s\).*minimum of 1"),
    "no column": (np.empty((3, 0)), r"0 feature\(s\)"),
    "one column": (PLACES[:, :1], "1 features, but 2 are expected"),
    "three columns": (np.hstack([PLACES, PLACES[:, :1]]), "3 features, but 2 are expected"),
    "one point as 1-D": ([10.0, 20.0], r"1 dimensions.*X\.reshape\(1, -1\)"),
    "a number": (10.0, r"^X is 10\.0: expected an array of \(latitude, longitude\) rows, or a DataFrame\.$"),
    "a numpy number": (np.float64(10.0), "^X is np.float64.10.0.: expected an array"),
    "a table of no dimensions": (np.array(10.0), "^X is 10.0, with 0 dimensions: expected an array"),
    "three dimensions": (PLACES[np.newaxis], "3 dimensions"),
    "ragged": ([[1.0, 2.0], [3.0]], "is not a table of .latitude, longitude. rows"),
    "text": ([["10", "20"], ["N41", "E12"]], "holds <U3 values in 1 row, first row 1, .*'N41'.*: expected numbers"),
    "a decimal comma": ([["48,1", "11,6"]], "first row 0, .*'48,1'.*decimal=','.*replace"),
    "objects": (np.array([[1.0, 2.0], [[], 4.0]], dtype=object), "object values in 1 row, first row 1, \\[\\].*astype"),
    "dates as objects": (np.array([[1.0, date(2020, 1, 1)]], dtype=object), "first row 0, datetime.date"),
    "bools as objects": (np.array([[1.0, 2.0], [3, True]], dtype=object), "in 1 row, first row 1, True"),
    "durations as objects": (np.array([[np.timedelta64(1, "s"), 2]], dtype=object), "first row 0, np.timedelta64"),
    "complex objects": (np.array([[np.complex128(1j), 2]], dtype=object), "first row 0, np.complex128"),
    "huge objects": (np.array([[10**400, 2]], dtype=object), r"first row 0, 10{20,30}\.\.\.0{20,30}: expected numbers"),
    "missing objects": (np.array([[1.0, 2.0], [None, 4.0]], dtype=object), "NaN or infinity in 1 row, first row 1"),
    "a longitude of 1e20": (with_value(3, 1, 1e20), r"longitudes beyond 1e\+08 degrees in 1 row, first row 3: 1e\+20"),
    "NetCDF's fill value": (with_value(3, 1, -9.96921e36), r"first row 3: -9\.96921e\+36.*fill value"),
    "bools": ([[True, False]], "bool values"),
    "dates": (np.array([["2020-01-01", "2020-01-02"]], dtype="M8[D]"), "datetime64"),
    "dates in nanoseconds": (np.zeros((3, 2), dtype="M8[ns]"), "datetime64.* in 3 rows, first row 0, .*1970"),
    "durations": (np.zeros((3, 2), dtype="m8[s]"), "timedelta64.* in 3 rows, first row 0"),
    "complex": (PLACES.astype(complex), "complex in 50 rows, first row 0: Complex data not supported"),
    "masked": (masked, "masked values in 2 rows, first row 3"),
    "nothing": (None, r"^X is None: expected an array of \(latitude, longitude\) rows, or a DataFrame\.$"),
    "a file": ("houses.csv", r"^X is 'houses\.csv': expected .*pandas\.read_csv\(X\)\.$"),
    "a path": (Path("houses.csv"), r"^X is PosixPath\('houses\.csv'\): expected .*pandas\.read_csv\(X\)\.$"),
    "a dict": ({"lat": [48.1], "lon": [11.6]}, r"^X is a dict: expected .*Pass pandas\.DataFrame\(X\)\.$"),
    "dicts": ([{"lat": 48.1, "lon": 11.6}], r"^X is a list of dicts: expected .*Pass pandas\.DataFrame\(X\)\.$"),
    "records": (
        np.array([(48.1, 11.6)], dtype=[("lat", float), ("lon", float)]),
        r"^X is a structured ndarray: expected .*Pass pandas\.DataFrame\(X\)\.$",
    ),
    "a set": ({(48.1, 11.6)}, "^X is a set, which has no order: expected .*Pass a list.$"),
    "a generator": (iter(PLACES.tolist()), r"^X is a list_iterator: expected .*Pass list\(X\)\.$"),
    "an object": (object(), "^X is a object: expected an array of .latitude, longitude. rows, or a DataFrame.$"),
}


@pytest.mark.parametrize("name", BAD_POINTS)
def test_bad_points(name):
    bad, message = BAD_POINTS[name]
    fitted = SphericalHarmonicPCA(2).fit(PLACES)
    before = dict(vars(fitted))
    for method in (SphericalHarmonicPCA(2).fit, fitted.fit, fitted.partial_fit, fitted.transform):
        with pytest.raises(CoordinateError, match=message):
            method(bad)
    assert vars(fitted) == before or all(vars(fitted)[key] is before[key] for key in before)
    assert set(vars(fitted)) == set(before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "fill", [-888, -999, -999.9, -999.99, -9999, -9999.9, -9999.99, -99999, -999999, -32767, -32768, 65535, 9999]
)
def test_usual_fill_values_among_longitudes_are_warned_of(fill, dtype):
    table = with_value(7, 1, fill).astype(dtype)
    with pytest.warns(CoordinateWarning, match="in 1 row, first row 7, .*is it a fill value.*NaN, or drop it"):
        WrapEncoder().fit(table)


def test_other_large_longitudes_are_taken_without_warning():
    WrapEncoder().fit(with_value(7, 1, -1499.85))


def test_a_sparse_matrix_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(CoordinateError, match="sparse.*toarray"):
        SphericalHarmonicPCA(2).fit(sparse.csr_array(PLACES))


def test_unmasked_masked_arrays_are_arrays():
    plain = SphericalHarmonicPCA(2).fit(PLACES)
    assert np.array_equal(SphericalHarmonicPCA(2).fit(np.ma.masked_array(PLACES)).components_, plain.components_)


def test_swapped_is_only_suggested_when_it_would_help():
    with pytest.raises(CoordinateError, match=r"^(?!.*swapped).*outside") as caught:
        SphericalHarmonicPCA(2).fit([[95.0, 120.0], [10.0, 20.0]])
    assert "(latitude, longitude)" in str(caught.value)


@pytest.mark.parametrize("spread", [np.radians(PLACES), [[-1.5, 0], [1.5, 3.0]], [[0.1, -3], [0.2, 3.1]]])
def test_radians_are_a_warning(spread):
    with pytest.warns(CoordinateWarning, match="radians.*np.degrees") as caught:
        SphericalHarmonicPCA(2).fit(spread)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("model", [SphericalHarmonicPCA(2), SphericalGaussianProcessRegressor(length_scale_km=6671.0)])
def test_radians_are_a_warning_in_every_part(model):
    target = np.cos(np.radians(PLACES[:, 0]))
    model = clone(model).partial_fit(PLACES, target)
    with pytest.warns(CoordinateWarning, match="radians"):
        model.partial_fit(np.radians(PLACES), target)


@pytest.mark.parametrize("turn", [0.0, np.pi])
@pytest.mark.parametrize("splitter", [SphericalBlockKFold(3), LeaveOneBlockOut(), BufferedKFold(3, radius_km=10)])
def test_radians_are_a_warning_in_a_splitter(splitter, turn):
    z = np.linspace(-0.999, 0.999, 200)
    degrees = np.column_stack([np.degrees(np.arcsin(z)), 137.5 * np.arange(200) % 360])  # a spiral over the globe
    with pytest.warns(CoordinateWarning, match=r"0\.\.2 pi.*np\.degrees\(X\)"):
        next(splitter.split(np.radians(degrees) - [0, turn]))
    with warnings.catch_warnings():
        warnings.simplefilter("error", CoordinateWarning)
        next(splitter.split(degrees))


def test_radians_are_no_warning_where_nothing_is_learned():
    with warnings.catch_warnings(record=True) as caught:
        for transformer in (SphericalHarmonicPCA(2), WrapEncoder(), PatchScaleFeaturizer()):
            X = [PATCH] if isinstance(transformer, PatchScaleFeaturizer) else PLACES
            transformer.fit(X).transform(STACK if isinstance(transformer, PatchScaleFeaturizer) else np.radians(PLACES))
    assert not caught


STACK = np.radians(np.stack(np.meshgrid(np.arange(-60.0, 61, 40), np.arange(-150.0, 151, 60), indexing="ij"), axis=-1))[
    np.newaxis
]


@pytest.mark.parametrize("transformer", [PatchPositionEncoder(SphericalHarmonicPCA(1)), PatchScaleFeaturizer()])
def test_pixels_of_patches_in_radians_are_a_warning(transformer):
    with pytest.warns(CoordinateWarning, match="radians") as caught:
        transformer.fit(STACK)
    assert len(caught) == 1
    transformer.fit(np.degrees(STACK))


def patch_table(south, north, west, east, step):
    """A table of square patches over a box."""
    axes = np.arange(south, north - 1e-9, step), np.arange(west, east - 1e-9, step)
    row, column = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    return np.column_stack([row, row + step, column, column + step, np.full((row.size, 2), 4)])


def in_radians(table):
    """A patch table with its edges in radians."""
    return np.column_stack([np.radians(table[:, :4]), table[:, 4:]])


GLOBE = patch_table(-90, 90, 0, 360, 30.0)


@pytest.mark.parametrize("transformer", [PatchPositionEncoder(SphericalHarmonicPCA(1)), PatchScaleFeaturizer()])
@pytest.mark.parametrize(
    "table",
    [
        GLOBE,
        np.add(GLOBE, [0, 0, 0, 15, 0, 0]),  # the east edges of the last column lie past 2 pi
        GLOBE - [0, 0, 180, 180, 0, 0],
        np.column_stack([GLOBE[:, :2], (GLOBE[:, 2:4] + 195) % 360 - 180, GLOBE[:, 4:]]),  # east < west at the seam
        patch_table(-20, 20, 0, 360, 10.0),
        patch_table(-60, 60, -80, 20, 20.0),
        [[-90, 90, 0, 360, 4, 4]],
    ],
)
def test_edges_of_patches_in_radians_are_a_warning(transformer, table):
    with pytest.warns(CoordinateWarning, match=r"radians.*np\.degrees\(X\[:, :4\]\)") as caught:
        transformer.fit(in_radians(np.asarray(table, dtype=float)))
    assert len(caught) == 1


@pytest.mark.parametrize(
    "box",
    [(0, 1.5, 0, 3, 0.5), (0, 1.5, 0, 6.25, 0.25), (-0.5, 0.5, -1, 1, 0.25), (0, 3, 0, 6, 0.5), (-3, 3, -3, 3, 6)],
)
def test_patches_of_a_small_region_near_zero_are_not_taken_for_radians(box):
    for table in (patch_table(*box), [[-1.5, 1.5, -3.0, 3.0, 4, 4]]):
        with warnings.catch_warnings():
            warnings.simplefilter("error", CoordinateWarning)
            PatchScaleFeaturizer().fit(table)


@pytest.mark.parametrize("near", [np.radians(PLACES) / 4, np.add(np.radians(PLACES), [0, 1]), [[0.1, 0.2], [0.3, 0.1]]])
def test_a_small_region_near_zero_is_not_taken_for_radians(near):
    with warnings.catch_warnings(record=True) as caught:
        SphericalHarmonicPCA(1).fit(near)
    assert not caught


class Relation:
    """A table of a data base, such as DuckDB's: columns and types, but values only after a query."""

    columns, dtypes = ("lat", "lon"), ("DOUBLE", "DOUBLE")

    def __len__(self):
        return 1

    def __getitem__(self, name):
        return self

    def df(self):
        return pytest.importorskip("pandas").DataFrame({"lat": [48.1], "lon": [11.6]})


class Rows(Relation):
    """A data set whose columns are lists, such as Hugging Face's."""

    column_names = ("lat", "lon")
    to_pandas = Relation.df


def test_tables_of_other_libraries_are_asked_for_a_frame():
    for table, cure in ((Relation(), "df"), (Rows(), "df")):
        with pytest.raises(CoordinateError, match=rf"^X is a Rel|^X is a Row.*Pass X\.{cure}\(\)\.$") as caught:
            WrapEncoder().fit(table)
        assert len(str(caught.value)) < 120
    assert WrapEncoder().fit_transform(Relation().df()).shape == (1, 4)


@pytest.mark.parametrize("columns", [[f"band_{i}" for i in range(500)], ["lat", "lon", *map(str, range(500))]])
def test_errors_stay_short_however_many_columns_there_are(columns):
    frame = pytest.importorskip("pandas").DataFrame(np.zeros((2, len(columns))), columns=columns)
    for transformer in (WrapEncoder(), PatchScaleFeaturizer()):
        with pytest.raises(CoordinateError, match=r", \.\.\.\] \(50\d in all\)") as caught:
            transformer.fit(frame)
        assert len(str(caught.value)) < 700


def test_usual_longitudes_are_any_number_of_turns():
    for turns in (-720.0, -360.0, 360.0, 720.0, 3600.0):
        turned = WrapEncoder().fit_transform(np.add(PLACES, [0.0, turns]))
        np.testing.assert_allclose(turned, WrapEncoder().fit_transform(PLACES), atol=1e-12)


@pytest.mark.parametrize("stack", [[[[[48.1, 11.6], [48.1]]]], [[1.0, 2.0], [3.0]]])
def test_ragged_patches_are_refused(stack):
    with pytest.raises(CoordinateError, match="X, a list, is not a table of south, north"):
        PatchScaleFeaturizer().fit(stack)


BAD_FRAMES = {
    "unknown names": (["a", "b"], r"columns \['a', 'b'\].*no latitude and longitude.*coordinates="),
    "two latitudes": (["lat", "latitude", "lon"], "more than one looks like a latitude.*'lat', 'latitude'"),
    "two longitudes": (["lat", "lng", "LON"], "more than one looks like a longitude"),
    "x and y": (["x", "y"], "x and y may be projected, or in either order.*coordinates="),
    "X, Y and more": (["X", "Y", "z"], "x and y may be projected"),
    "latitude only": (["lat", "depth"], "no latitude and longitude"),
    "more columns": (
        ["lat", "lon", "depth"],
        r"expected latitude and longitude only; surplus: \['depth'\]. Select them, X\[\['lat', 'lon'\]\]",
    ),
    "two pairs": (
        ["pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon"],
        r"more than one pair .*: \[\('pickup_lat', 'pickup_lon'\), \('dropoff_lat', 'dropoff_lon'\)\]\. .*coordinates=",
    ),
    "Latitude and GBIF's": (["lat", "decimalLatitude", "decimalLongitude"], "more than one looks like a latitude"),
    "x and y with blanks": ([" x", "y "], "x and y may be projected"),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_bad_frames(name, library):
    frames = pytest.importorskip(library)
    columns, message = BAD_FRAMES[name]
    frame = frames.DataFrame({column: [1.0, 2.0] for column in columns})
    with pytest.raises(CoordinateError, match=message):
        SphericalHarmonicPCA(2).fit(frame)


GRID_LAT, GRID_LON = np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10)
SHAPE = (GRID_LAT.size, GRID_LON.size)
BAD_GRIDS = {
    "empty latitude": (([], GRID_LON), r"latitude has shape \(0,\)"),
    "empty longitude": ((GRID_LAT, []), r"longitude has shape \(0,\)"),
    "two dimensions": ((np.ones((2, 2)), GRID_LON), r"latitude has shape \(2, 2\)"),
    "latitude turns": (([0, 10, 5], GRID_LON), "latitude must rise or fall.*from 10 to 5 at position 1"),
    "latitude repeats": (([0, 10, 10], GRID_LON), "latitude must rise or fall.*from 10 to 10"),
    "latitude out of range": (([60, 80, 100], GRID_LON), r"latitude is outside \[-90, 90\].*first row 2: 100.*Swapped"),
    "longitude turns": ((GRID_LAT, [0, 10, 5]), "longitude must rise or fall.*from 10 to 5"),
    "longitude repeats": ((GRID_LAT, [0, 10, 10]), "longitude must rise or fall"),
    "first meridian twice": ((GRID_LAT, np.linspace(0, 360, 37)), "around more than once, from 0 to 360"),
    "longitude twice around": ((GRID_LAT, np.arange(0, 720, 10)), "around more than once"),
    "NaN": ((with_value(1, 0, np.nan, GRID_LAT[:, np.newaxis])[:, 0], GRID_LON), "latitude contains NaN"),
    "strings": ((["a", "b"], GRID_LON), "latitude holds"),
    "single cell": (([0.0], [0.0]), "hold one value each"),
    "mask of another shape": (
        (GRID_LAT, GRID_LON, np.ones(SHAPE[::-1])),
        r"mask has shape \(36, 18\).*\(18, 36\).*transpose",
    ),
    "mask all False": ((GRID_LAT, GRID_LON, np.zeros(SHAPE, bool)), "mask keeps nothing"),
    "mask all zero": ((GRID_LAT, GRID_LON, np.zeros(SHAPE)), "mask keeps nothing"),
    "mask in percent": ((GRID_LAT, GRID_LON, with_value(2, 3, 55, np.ones(SHAPE))), r"\(2, 3\): 55.*mask / 100"),
    "mask negative": ((GRID_LAT, GRID_LON, with_value(2, 3, -0.1, np.ones(SHAPE))), r"outside \[0, 1\] in 1 cells"),
    "mask NaN": ((GRID_LAT, GRID_LON, with_value(2, 3, np.nan, np.ones(SHAPE))), "mask contains NaN"),
    "masked mask": ((GRID_LAT, GRID_LON, np.ma.masked_less(np.eye(*SHAPE), 0.5)), "masked values: fill them"),
}


@pytest.mark.parametrize("name", BAD_GRIDS)
def test_bad_grids(name):
    arguments, message = BAD_GRIDS[name]
    with pytest.raises(CoordinateError, match=message):
        LatLonGrid(*arguments)


BAD_PARAMETERS = [
    ({"max_degree": 0}, "max_degree=0: expected an integer, at least 1"),
    ({"max_degree": 2.0}, "max_degree=2.0"),
    ({"max_degree": "10"}, "max_degree='10'"),
    ({"max_degree": True}, "max_degree=True"),
    ({"n_components": 9}, r"n_components=9: expected an integer from 1 to .* = 8"),
    ({"n_components": 0}, "n_components=0"),
    ({"n_components": -1}, "n_components=-1"),
    ({"n_components": 1.5}, r"n_components=1.5: .*fraction in \(0, 1\)"),
    ({"n_components": np.nan}, "n_components=nan"),
    ({"n_components": "all"}, "n_components='all': .*'shannon'"),
    ({"clip": 0}, "clip=0: expected None or a number from 1e-06"),
    ({"clip": -1.0}, "clip=-1.0"),
    ({"clip": np.nan}, "clip=nan"),
    ({"clip": "3"}, "clip='3'"),
    ({"spectrum": "white"}, "spectrum='white': expected None, 'matern' or max_degree \\+ 1 = 3 weights"),
    ({"spectrum": [1.0, 2.0]}, "spectrum="),
    ({"spectrum": [1.0, -2.0, 1.0]}, "not negative"),
    ({"spectrum": [1.0, 0.0, 0.0]}, "not all zero"),
    ({"area_weighted": "yes"}, "area_weighted='yes'"),
    ({"coordinates": "lat"}, "coordinates='lat'"),
    ({"coordinates": ("lat",)}, "coordinates="),
    ({"coordinates": ("lat", "lat")}, "coordinates="),
    ({"coordinates": 5}, "coordinates=5"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS)
def test_bad_parameters(parameters, message):
    fitted = SphericalHarmonicPCA(2).fit(PLACES)
    before = fitted.components_
    with pytest.raises(ValueError, match=message):
        fitted.set_params(**parameters).fit(PLACES)
    assert fitted.components_ is before


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ma.masked_less(np.arange(50.0), 5), "masked values: fill them"),
        (np.nan, "sample_weight is nan: expected an array of numbers"),
        (np.inf, "sample_weight is inf: expected an array of numbers"),
        (np.ones(50, dtype=complex), "sample_weight is complex"),
        (np.full(50, "1"), "sample_weight holds"),
        (np.r_[-1.0, np.ones(49)], r"not be negative; 1 are, the first at 0: -1"),
        (np.r_[np.ones(49), np.nan], "sample_weight contains NaN or infinity in 1 row, first row 49"),
        (np.ones(49), r"shape \(49,\): expected \(50,\)"),
        (np.ones((50, 1)), "shape"),
    ],
)
def test_bad_weights(weight, message):
    fitted = SphericalHarmonicPCA(2).fit(PLACES)
    before = fitted.components_
    for method in (fitted.fit, fitted.partial_fit):
        with pytest.raises(ValueError, match=message):
            method(PLACES, sample_weight=weight)
    assert fitted.components_ is before
    with pytest.raises(ValueError, match="sample_weight is all zero"):
        fitted.fit(PLACES, sample_weight=np.zeros(50))
    assert fitted.components_ is before
    grid = LatLonGrid(GRID_LAT, GRID_LON)
    with pytest.raises(ValueError, match=r"shape \(3,\): expected \(18, 36\)"):
        fitted.fit(grid, sample_weight=np.ones(3))


def test_points_at_the_poles_weigh_nothing():
    with pytest.raises(ValueError, match="total weight of X is zero.*area_weighted=False"):
        SphericalHarmonicPCA(2).fit([[90.0, 0.0], [-90.0, 0.0]])
    assert SphericalHarmonicPCA(2, area_weighted=False).fit([[90.0, 0.0], [-90.0, 0.0]]).n_components_ == 1


def test_partial_fit_keeps_its_degree():
    fitted = SphericalHarmonicPCA(2).fit(PLACES)
    with pytest.raises(ValueError, match="max_degree=3 differs"):
        fitted.set_params(max_degree=3).partial_fit(PLACES)


@pytest.mark.parametrize("transformer", [SphericalHarmonicPCA(), PatchPositionEncoder(), PatchScaleFeaturizer()])
def test_transform_before_fit(transformer):
    from sklearn.exceptions import NotFittedError

    for call in (lambda: transformer.transform([PATCH]), transformer.get_feature_names_out, *to_torch(transformer)):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call()


def to_torch(transformer):
    return [transformer.to_torch] if hasattr(transformer, "to_torch") and pytest.importorskip("torch") else []


BAD_PATCHES = {
    "south above north": ([10, 0, 0, 10, 2, 2], "south must be less than north.*first row 1: 10, 0"),
    "no height": ([10, 10, 0, 10, 2, 2], "south must be less than north"),
    "no width across the antimeridian": ([-10, 10, 180, -180, 2, 2], "east must differ from west by more than whole"),
    "huge count": ([0, 10, 0, 10, 1e300, 2], "whole numbers of pixels"),
    "no width": ([0, 10, 5, 5, 2, 2], r"east must differ from west.*west \+ 360"),
    "too wide": ([0, 10, 0, 400, 2, 2], "at most 360 degrees"),
    "beyond the pole": ([80, 95, 0, 10, 2, 2], r"south and north must lie in \[-90, 90\] .*first row 1: 80, 95"),
    "half a pixel": ([0, 10, 0, 10, 2.5, 2], "whole numbers of pixels.*first row 1: 2.5, 2"),
    "no pixel": ([0, 10, 0, 10, 2, 0], "whole numbers of pixels"),
    "NaN": ([0, np.nan, 0, 10, 2, 2], "NaN or infinity in 1 row, first row 1"),
}


@pytest.mark.parametrize("transformer", [PatchPositionEncoder(SphericalHarmonicPCA(1)), PatchScaleFeaturizer()])
@pytest.mark.parametrize("name", BAD_PATCHES)
def test_bad_patches(name, transformer):
    patch, message = BAD_PATCHES[name]
    with pytest.raises(CoordinateError, match=message):
        transformer.fit([PATCH, patch])
    with pytest.raises(CoordinateError, match=message):
        transformer.fit([PATCH, [-10, 0, 50, 90, 3, 3]]).transform([PATCH, patch])
    with pytest.raises(CoordinateError, match="5 features, but 6 are expected: south, north"):
        transformer.fit([PATCH[:5]])


def test_bad_patch_frames():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(
        CoordinateError, match=r"columns \['south', 'north'\]: a patch table has \['south', 'north', 'west'"
    ):
        PatchScaleFeaturizer().fit(pandas.DataFrame({"south": [1.0], "north": [2.0]}))


def test_bad_patch_parameters():
    with pytest.raises(ValueError, match="average='mean': expected 'pixels'"):
        PatchPositionEncoder(average="mean").fit([PATCH])
    with pytest.raises(ValueError, match="earth_radius=-1: expected a positive number"):
        PatchScaleFeaturizer(earth_radius=-1).fit([PATCH])
    with pytest.raises(ValueError, match="log='yes'"):
        PatchScaleFeaturizer(log="yes").fit([PATCH])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 0}, "patch_size=0: expected a positive integer or a pair"),
        ({"patch_size": (2, 2.5)}, r"not of degrees. A pixel is 10 x 10 degrees: 10 degrees are 1 x 1 pixels."),
        ({"patch_size": {"latitude": 20}}, "patch_size=.*not of degrees"),
        ({"patch_size": np.inf}, "patch_size=inf: expected a positive integer"),
        ({"patch_size": (36, 24)}, r"patch_size=\(18, 24\) fits, the largest is \(18, 36\)"),
        ({"patch_size": (2, 2, 2)}, "patch_size="),
        ({"patch_size": 19}, "patch_size=19: expected at most the 18 pixels of the grid's latitude"),
        ({"patch_size": (2, 40)}, "patch_size=40: expected at most the 36 pixels of the grid's longitude"),
        ({"patch_size": 2, "stride": 0}, "stride=0"),
        ({"patch_size": 2, "stride": [1, [2, 3]]}, "stride="),
        ({"patch_size": 2, "min_fraction": "0.5"}, "min_fraction='0.5'"),
        ({"patch_size": 2, "min_fraction": 1.5}, r"min_fraction=1.5: expected a number in \[0, 1\]"),
    ],
)
def test_bad_patch_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        LatLonGrid(GRID_LAT, GRID_LON).patches(**arguments)


@pytest.mark.parametrize("size", [np.float64(6), (6.0, 6.0), np.array([6.0, 6.0], dtype=np.float32)])
def test_whole_numbers_of_pixels_may_be_floats(size):
    grid = LatLonGrid(GRID_LAT, GRID_LON)
    np.testing.assert_array_equal(grid.patches(size, size), grid.patches(6))


def test_no_patch_left():
    grid = LatLonGrid(GRID_LAT, GRID_LON, np.eye(*SHAPE))
    with pytest.raises(ValueError, match="min_fraction=0.9: no patch has this share"):
        grid.patches(6, min_fraction=0.9)


@pytest.mark.parametrize("arguments", [{"max_degree": 0}, {"max_degree": 3, "nu": 0}, {"max_degree": 3, "kappa": -1}])
def test_bad_spectrum_parameters(arguments):
    with pytest.raises(ValueError, match="expected"):
        matern_spectrum(**arguments)
