"""Folds by place: their invariants, against brute force and closed forms, and their life inside scikit-learn."""

import pickle
from inspect import signature
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import StackingRegressor
from sklearn.feature_selection import RFECV, SequentialFeatureSelector
from sklearn.linear_model import LassoCV, LogisticRegression, LogisticRegressionCV, MultiTaskLassoCV, Ridge
from sklearn.metrics.pairwise import haversine_distances
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.discovery import all_estimators

from reference import uniform_points as scattered  # no two are the same distance apart
from reference import vectors
from skgeo import CellGrid, LatLonGrid
from skgeo._kernels.clusters import nested_clusters
from skgeo._kernels.equal_area import balanced_folds, band_counts, band_edges, block_of, own_frame, stratified_folds
from skgeo.datasets import fibonacci_lattice, make_land_ocean
from skgeo.exceptions import CoordinateError, CoordinateWarning
from skgeo.model_selection import BufferedKFold, LeaveOneBlockOut, NearestNeighbourDistanceKFold, SphericalBlockKFold

RADIUS = 6371.0088
LOCATIONS = fibonacci_lattice(50)
SPLITTERS = [
    SphericalBlockKFold(4, block_size_km=1500),
    SphericalBlockKFold(3, n_blocks=20, shuffle=True, random_state=1),
    BufferedKFold(3, radius_km=800, n_blocks=12),
    LeaveOneBlockOut(radius_km=500, n_blocks=6),
    NearestNeighbourDistanceKFold(LOCATIONS, 4),
]
every_splitter = pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)


def around(latitude, longitude, n=400, spread=3.0, seed=0):
    """Random places around one."""
    rng = np.random.default_rng(seed)
    return [latitude, longitude] + rng.normal(0, spread, (n, 2)) * [1, 0.5]


def distances(X, Y=None):
    """All great-circle distances in km, by the haversine formula."""
    return RADIUS * haversine_distances(np.radians(X), None if Y is None else np.radians(Y))


def turned(X, turn):
    """Places after a turn of the globe."""
    x, y, z = turn.apply(vectors(X)).T
    return np.degrees(np.column_stack([np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)]))


def splits(cv, *args, **kwargs):
    return [(train.tolist(), test.tolist()) for train, test in cv.split(*args, **kwargs)]


def sets(cv, X):
    """The splits without their order."""
    return {(frozenset(train), frozenset(test)) for train, test in splits(cv, X)}


# Blocks


@given(st.integers(1, 200_000))
@settings(max_examples=100, deadline=None)
def test_blocks_have_equal_areas(n_blocks):
    counts = band_counts(n_blocks)
    assert counts.sum() == n_blocks
    assert (counts > 0).all()
    edges = band_edges(counts)
    assert edges[0] == 1.0
    assert edges[-1] == -1.0
    areas = 2 * np.pi * -np.diff(edges) / counts  # the area of a band of the unit sphere is 2 pi times its height
    np.testing.assert_allclose(areas, 4 * np.pi / n_blocks, rtol=1e-9)


@pytest.mark.parametrize("n_blocks", [1, 2, 3, 7, 60, 1001])
def test_places_are_in_the_blocks_that_edges_bound(n_blocks):
    # an equal-area lattice counts areas: each block of the partition holds its share, to the points along its edge
    n = 400_000
    counts = band_counts(n_blocks)
    found = np.bincount(block_of(vectors(fibonacci_lattice(n)), counts), minlength=n_blocks)
    assert found.size == n_blocks
    np.testing.assert_allclose(found, n / n_blocks, atol=4 * np.sqrt(n / n_blocks) ** 0.5 + 2)


@pytest.mark.parametrize("n_blocks", [5, 50, 500, 5000])
def test_blocks_are_nowhere_long(n_blocks):
    X = scattered(5_000)
    labels = block_of(vectors(X), band_counts(n_blocks))
    side = RADIUS * np.sqrt(4 * np.pi / n_blocks)
    for block in np.unique(labels)[:: max(1, n_blocks // 50)]:
        assert distances(X[labels == block]).max() < 2.2 * side  # the diagonal of a square is 1.41 of it


def test_blocks_invariant_to_longitude_convention():
    X = np.concatenate([LatLonGrid(np.arange(-90, 91, 10), np.arange(-180, 180, 10)).points(), scattered(300)])
    cv = SphericalBlockKFold(5, block_size_km=1200)
    labels = cv.block_labels(X)
    for turns in (360, -360, 720):
        np.testing.assert_array_equal(cv.block_labels(X + np.array([0, turns])), labels)
    np.testing.assert_array_equal(cv.block_labels(np.column_stack([X[:, 0], X[:, 1] % 360])), labels)
    assert len(np.unique(labels[np.abs(X[:, 0]) == 90])) == 2  # a pole is one place, whatever its longitude


@every_splitter
@pytest.mark.parametrize("X", [scattered(300), around(37, -120)], ids=["globe", "region"])
def test_turning_the_globe_changes_nothing(cv, X):
    turn = Rotation.from_euler("zyx", [-100, 35, 70], degrees=True)
    there = turned(X, turn)
    if isinstance(cv, NearestNeighbourDistanceKFold):
        other = clone(cv).set_params(prediction_locations=turned(LOCATIONS, turn))
    else:
        other = cv = clone(cv).set_params(block_size_km=None, n_blocks=20)
    if isinstance(cv, BufferedKFold | LeaveOneBlockOut):
        other.set_params(radius_km=30)
        cv = clone(other)
    expected = sets(cv, X)
    assert len(expected) > 2
    assert sets(other, there) == expected


def test_symmetric_data_are_laid_out_along_the_axes_of_the_earth():
    octahedron = np.array([[0, 0], [0, 90], [0, 180], [0, 270], [90, 0], [-90, 0]])
    np.testing.assert_allclose(own_frame(vectors(octahedron)), np.eye(3), atol=1e-12)
    # a cap around the pole: the first axis is its own, the others are those of the Earth
    ring = vectors(np.column_stack([np.full(8, 80.0), np.arange(0, 360, 45)]))
    np.testing.assert_allclose(own_frame(ring), [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-9)


@pytest.mark.parametrize(
    "X", [np.full((6, 2), 33.0), np.column_stack([np.zeros(9), np.arange(9)])], ids=["point", "line"]
)
def test_a_frame_is_orthonormal_for_the_simplest_data(X):
    frame = own_frame(vectors(X))
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("wanted", [2, 10, 64, 300])
@pytest.mark.parametrize("X", [scattered(20_000), around(60, 179, 20_000)], ids=["globe", "region"])
def test_about_so_many_blocks_hold_samples(X, wanted):
    found = len(np.unique(SphericalBlockKFold(2, n_blocks=wanted).block_labels(X)))
    assert abs(found - wanted) <= max(1, 0.1 * wanted)


def test_block_size_is_the_side_of_a_square_of_the_same_area():
    number = len(np.unique(SphericalBlockKFold(2, block_size_km=1000).block_labels(scattered(50_000))))
    assert number == round(4 * np.pi * RADIUS**2 / 1000**2)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=50), st.integers(2, 6))
def test_folds_are_balanced(sizes, n_folds):
    filled = np.bincount(balanced_folds(np.array(sizes), n_folds), weights=sizes, minlength=n_folds)
    assert filled.sum() == sum(sizes)
    assert np.ptp(filled) <= max(sizes)  # else the last block of the fullest fold would have gone to the emptiest


@pytest.mark.parametrize("cv", SPLITTERS[:3], ids=lambda cv: type(cv).__name__)
def test_blocks_stay_together_and_every_sample_is_tested_once(cv):
    X = np.repeat(scattered(200), 2, axis=0)  # each place twice
    blocks, folds = cv.block_labels(X), cv.fold_labels(X)
    assert pd.Series(folds).groupby(blocks).nunique().max() == 1
    tested = [test for _, test in splits(cv, X)]
    np.testing.assert_array_equal(np.sort(np.concatenate(tested)), np.arange(400))
    for fold, test in enumerate(tested):
        np.testing.assert_array_equal(test, np.flatnonzero(folds == fold))
    np.testing.assert_array_equal(folds[::2], folds[1::2])


def test_leave_one_block_out_tests_each_block():
    X, cv = scattered(300), LeaveOneBlockOut(n_blocks=9)
    blocks = cv.block_labels(X)
    assert cv.get_n_splits(X) == len(splits(cv, X)) == blocks.max() + 1
    for block, (train, test) in enumerate(splits(cv, X)):
        np.testing.assert_array_equal(test, np.flatnonzero(blocks == block))
        np.testing.assert_array_equal(train, np.flatnonzero(blocks != block))


def test_shuffle_turns_the_blocks():
    X = scattered(500)
    one, two, again = (SphericalBlockKFold(shuffle=True, random_state=seed).block_labels(X) for seed in (1, 2, 1))
    np.testing.assert_array_equal(one, again)
    assert pd.Series(one).groupby(two).nunique().max() > 1
    np.testing.assert_array_equal(*(SphericalBlockKFold().block_labels(X) for _ in range(2)))


# Buffers

POLAR = turned(around(0, 0), Rotation.from_euler("y", -90, degrees=True))


@pytest.mark.parametrize("radius", [1.0, 300.0, 1500.0])
@pytest.mark.parametrize("X", [scattered(600), POLAR, around(0, 180)], ids=["globe", "pole", "seam"])
@pytest.mark.parametrize("kind", [BufferedKFold, LeaveOneBlockOut])
def test_radius_drops_training_samples_within_only(kind, X, radius):
    radius = radius if len(X) == 600 else radius / 20
    cv = kind(radius_km=radius, n_blocks=12)
    nearest = distances(X)
    blocked = splits(clone(cv).set_params(radius_km=0.0), X)
    for (train, test), (_, same) in zip(splits(cv, X), blocked, strict=True):
        assert test == same
        gap = nearest[:, test].min(axis=1)
        np.testing.assert_array_equal(train, np.flatnonzero(gap > radius))


def test_a_sample_at_the_radius_is_left_out():
    X = np.array([[0.0, 0.0], [0.0, 40.0]])
    degree = np.pi * RADIUS / 180
    for radius, kept in ((40 * degree, 0), (39.999999 * degree, 1)):
        cv = BufferedKFold(2, radius_km=radius, block_size_km=1000)
        if kept:
            assert sorted(splits(cv, X)) == [([0], [1]), ([1], [0])]
        else:
            with pytest.raises(ValueError, match="leaves nothing to train on"):
                splits(cv, X)


# Distances matched


def clustered(seed=0):
    rng = np.random.default_rng(seed)
    towns = rng.uniform([40, -10], [60, 30], (15, 2))
    return np.concatenate([town + 0.2 * rng.standard_normal((20, 2)) for town in towns])


def wasserstein(one, other):
    """Area between two distribution functions, summed step by step."""
    edges = np.sort(np.concatenate([one, other]))
    below = [np.searchsorted(np.sort(values), edges[:-1], side="right") / len(values) for values in (one, other)]
    return np.sum(np.abs(below[0] - below[1]) * np.diff(edges))


def between(X, folds):
    """Distance of each sample to the nearest in another fold, from all distances."""
    return np.where(folds[:, np.newaxis] == folds, np.inf, distances(X)).min(axis=1)


def test_distances_of_a_match_are_those_of_brute_force():
    X = clustered()
    country = scattered(4000)
    country = country[(np.abs(country[:, 0] - 50) < 10) & (np.abs(country[:, 1] - 10) < 20)]
    match = NearestNeighbourDistanceKFold(country, 5).match(X)
    everything = distances(X) + np.diag(np.full(len(X), np.inf))
    np.testing.assert_allclose(match.prediction_km, distances(country, X).min(axis=1), rtol=1e-6)
    np.testing.assert_allclose(match.sample_km, everything.min(axis=1), rtol=1e-6)
    np.testing.assert_allclose(match.fold_km, between(X, match.folds), rtol=1e-6)
    assert match.wasserstein_km == pytest.approx(wasserstein(match.fold_km, match.prediction_km), rel=1e-9)
    assert match.wasserstein_km == np.nanmin(match.candidate_wasserstein_km)
    assert match.candidate_n_clusters[np.nanargmin(match.candidate_wasserstein_km)] == match.n_clusters
    # far better than random folds, whose distances are those of samples in the same town
    random = match.candidate_wasserstein_km[-1]
    assert match.candidate_n_clusters[-1] == len(X)
    assert match.wasserstein_km < 0.4 * random


def test_predictions_among_the_samples_ask_for_random_folds():
    X = scattered(1000)
    match = NearestNeighbourDistanceKFold(scattered(1000, seed=1), 5).match(X)
    assert match.wasserstein_km < 0.1 * np.median(match.prediction_km)
    assert match.n_clusters > 200


def test_predictions_far_away_ask_for_the_largest_clusters():
    match = NearestNeighbourDistanceKFold([[-40, -170]], 5).match(clustered())
    assert match.n_clusters == 5


def test_cells_of_a_grid_count_by_their_area_inside_the_mask():
    mask = np.zeros((18, 36))
    mask[9:12] = 1.0
    mask[17, 0] = 0.5
    grid = LatLonGrid(np.arange(-85, 90, 10), np.arange(5, 360, 10), mask)
    match = NearestNeighbourDistanceKFold(grid, 4).match(scattered(300))
    inside = mask.ravel() > 0
    np.testing.assert_allclose(match.prediction_weight, (mask * grid.cell_areas(1.0)).ravel()[inside])
    np.testing.assert_allclose(
        match.prediction_km, distances(grid.points()[inside], scattered(300)).min(axis=1), rtol=1e-6
    )


def test_a_sample_of_distances_stands_for_all(monkeypatch):
    X, cv = scattered(2000), NearestNeighbourDistanceKFold(scattered(500, seed=2), 4)
    full = cv.match(X)
    monkeypatch.setattr("skgeo.model_selection._nearest._MAX_MEASURED_SAMPLES", 500)
    some = cv.match(X)
    assert some.fold_km.size == some.sample_km.size == 500
    assert np.isin(some.sample_km, full.sample_km).all()
    # of folds that both have, the sample's distances are those of brute force
    assert np.isin(some.fold_km.round(5), between(X, some.folds).round(5)).all()


def test_no_fold_is_larger_than_its_share():
    X = np.concatenate([around(50, 10, 300, spread=0.1), scattered(100)])
    cv = NearestNeighbourDistanceKFold([[0, -100]], 5, max_share=0.3)
    assert np.bincount(cv.match(X).folds).max() <= 0.3 * 400
    assert np.isnan(cv.match(X).candidate_wasserstein_km).any()


def test_clusters_are_nested_and_copies_stay_together():
    points = np.repeat(vectors(scattered(40)), 3, axis=0)
    found = list(nested_clusters(points, [2, 5, 17, 40, 41]))
    assert [labels.max() + 1 for labels in found] == [2, 5, 17, 40]  # there are no 41 places
    for coarse, fine in pairwise(found):
        assert pd.Series(coarse).groupby(fine).nunique().max() == 1
    np.testing.assert_array_equal(found[-1][::3], found[-1][1::3])


def test_a_cut_is_where_the_inertia_of_both_parts_is_least():
    points = np.random.default_rng(0).standard_normal((60, 3)) * [9, 1, 1] + np.array([50, 0, 0])
    (labels,) = nested_clusters(points, [2])
    centred = points - points.mean(axis=0)
    order = np.argsort(centred @ np.linalg.svd(centred)[2][0])
    inertia = [sum(part.var(axis=0).sum() * len(part) for part in np.split(points[order], [i])) for i in range(1, 60)]
    along = np.sort(centred @ np.linalg.svd(centred)[2][0])
    on_line = [sum(part.var() * len(part) for part in np.split(along, [i])) for i in range(1, 60)]
    cut = int(np.argmin(on_line)) + 1
    assert set(np.flatnonzero(labels == labels[order[0]])) == set(order[:cut])
    assert inertia[cut - 1] < 1.01 * min(inertia)


# In scikit-learn


@every_splitter
def test_what_scikit_learn_asks_of_a_splitter(cv):
    X = scattered(120)
    y = X[:, 0]
    for other in (clone(cv), pickle.loads(pickle.dumps(cv))):
        assert repr(other) == repr(cv)
        assert type(other) is type(cv)
        assert other is not cv
    found = list(cv.split(X, y))
    assert len(found) == cv.get_n_splits(X, y)
    assert splits(cv, X) == splits(cv, X, y) == splits(cv, X, y, None)
    for train, test in found:
        assert train.dtype.kind == test.dtype.kind == "i"
        assert not np.intersect1d(train, test).size
        assert train.size
        assert test.size
        assert train.max() < 120
    assert "coordinates" in cv.get_metadata_routing().split.requests


@every_splitter
@pytest.mark.parametrize("routing", [False, True])
def test_coordinates_beside_x_in_every_tool(cv, routing):
    places = scattered(120)
    y = places[:, 0]
    X = np.random.default_rng(1).standard_normal((120, 7))
    cv = cv if not isinstance(cv, BufferedKFold | LeaveOneBlockOut) else clone(cv).set_params(radius_km=100)
    expected = splits(cv, places)
    with sklearn.config_context(enable_metadata_routing=routing):
        beside = {"params": {"coordinates": places}} if routing else {"groups": places}
        result = cross_validate(Ridge(), X, y, cv=cv, return_indices=True, **beside)
        assert [(a.tolist(), b.tolist()) for a, b in zip(*result["indices"].values(), strict=True)] == expected
        predicted = cross_val_predict(DummyRegressor(), X, y, cv=cv, **beside)
        for train, test in expected:
            np.testing.assert_allclose(predicted[test], y[train].mean())
        beside = {"coordinates": places} if routing else {"groups": places}
        search = GridSearchCV(Ridge(), {"alpha": [1.0, 10.0]}, cv=cv).fit(X, y, **beside)
        assert search.n_splits_ == len(expected)
        first = expected[0]
        score = Ridge(1.0).fit(X[first[0]], y[first[0]]).score(X[first[1]], y[first[1]])
        assert search.cv_results_["split0_test_score"][0] == pytest.approx(score)


def test_nested_search_routes_the_coordinates_of_each_part():
    places, X = scattered(200), np.random.default_rng(0).standard_normal((200, 3))
    search = GridSearchCV(Ridge(), {"alpha": [1, 10]}, cv=SphericalBlockKFold(3, n_blocks=12))
    with sklearn.config_context(enable_metadata_routing=True):
        cv = SphericalBlockKFold(4, n_blocks=20)
        result = cross_validate(search, X, places[:, 0], cv=cv, params={"coordinates": places}, return_estimator=True)
    assert [each.n_splits_ for each in result["estimator"]] == [3] * 4


@every_splitter
def test_coordinates_are_found_among_other_columns(cv):
    places = scattered(150)
    expected = splits(cv, places)
    frame = pd.DataFrame({"rooms": 3, "Longitude": places[:, 1], "town": "x", "lat": places[:, 0]})
    before = frame.copy()
    assert splits(cv, frame) == expected
    assert splits(cv, np.zeros((150, 9)), coordinates=frame) == expected
    assert splits(cv, np.zeros((150, 9)), coordinates=places) == expected
    assert splits(cv, np.zeros((150, 9)), None, places) == expected
    pd.testing.assert_frame_equal(frame, before)
    named = frame.rename(columns={"lat": "phi", "Longitude": "lambda"})
    assert splits(clone(cv).set_params(coordinates=("phi", "lambda")), named) == expected
    assert splits(cv, list(range(150)), coordinates=places.tolist()) == expected


def test_frames_of_other_libraries_and_grids():
    polars, geopandas = pytest.importorskip("polars"), pytest.importorskip("geopandas")
    xarray, dask = pytest.importorskip("xarray"), pytest.importorskip("dask.array")
    places, cv = scattered(100), SphericalBlockKFold(4, block_size_km=2000)
    expected = splits(cv, places)
    assert splits(cv, polars.DataFrame({"a": range(100), "lat": places[:, 0], "lon": places[:, 1]})) == expected
    points = geopandas.points_from_xy(places[:, 1], places[:, 0])
    assert splits(cv, geopandas.GeoDataFrame({"a": range(100)}, geometry=points, crs=4326)) == expected
    assert splits(cv, dask.from_array(places, chunks=30)) == expected
    grid = LatLonGrid(np.arange(-80, 90, 20), np.arange(0, 360, 20))
    expected = splits(cv, grid.points())
    cells = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    assert splits(cv, grid) == splits(cv, CellGrid(*cells, areas=np.full(grid.shape, 1e10))) == expected
    assert splits(cv, np.zeros((len(grid.points()), 4)), coordinates=grid) == expected
    data = xarray.Dataset(coords={"lat": grid.latitude, "lon": grid.longitude})
    assert splits(cv, data) == expected


def test_blocks_are_honest_where_neighbours_leak():
    rng = np.random.default_rng(0)
    X = scattered(3000)
    centres = vectors(fibonacci_lattice(3000))
    y = rng.standard_normal(3000)[np.argmax(vectors(X) @ centres.T, axis=1)]  # each cell has a value of its own
    X, y = np.repeat(X, 2, axis=0), np.repeat(y, 2)  # and each place is there twice
    model, radians = KNeighborsRegressor(1, metric="haversine"), np.radians(X)
    assert cross_validate(model, radians, y, cv=KFold(5, shuffle=True, random_state=0))["test_score"].mean() > 0.7
    blocked = cross_validate(model, radians, y, cv=SphericalBlockKFold(5, block_size_km=2000), groups=X)["test_score"]
    assert blocked.mean() < 0.0


# What is refused


@every_splitter
@pytest.mark.parametrize(
    ("X", "kwargs", "message"),
    [
        pytest.param(np.zeros((9, 5)), {}, r"X has shape \(9, 5\) and no names: expected two columns", id="columns"),
        pytest.param(list("abc"), {}, r"X has shape \(3,\) and no names.*as coordinates=", id="list"),
        pytest.param(np.zeros((9, 5)), {"groups": np.zeros(9)}, r"groups has shape \(9,\) and no names", id="groups"),
        pytest.param([[1, 2], [np.nan, 3]], {}, "X contains NaN or infinity in 1 row, first row 1: drop", id="nan"),
        pytest.param(
            np.zeros((2, 5)), {"coordinates": [[1, 2], [np.nan, 3]]}, "In coordinates=, X contains NaN", id="nan beside"
        ),
        pytest.param([[95, 0], [0, 120]], {}, "latitudes outside", id="range"),
        pytest.param(
            pd.DataFrame({"a": [1], "b": [2]}), {}, "no latitude and longitude among them.*as groups=", id="names"
        ),
        pytest.param(
            pd.DataFrame({"lat": [1], "lon": [2], "lng": [2]}), {}, "more than one looks like a longitude", id="two"
        ),
        pytest.param(np.zeros((0, 2)), {}, "X is empty", id="empty"),
    ],
)
def test_coordinates_that_are_refused(cv, X, kwargs, message):
    with pytest.raises(CoordinateError, match=message):
        next(cv.split(X, **kwargs))


def test_an_array_whose_second_column_is_no_longitude_is_warned_of():
    houses = np.column_stack([np.arange(60) % 7, np.linspace(0, 1400, 60)])  # rooms and days
    cv = SphericalBlockKFold(2)
    with pytest.warns(CoordinateWarning, match=r"second column lies in 0\.\.1400: is it a longitude.*as coordinates="):
        next(cv.split(houses))
    # The longitudes of a frame have a name, and those of usual conventions span at most two turns.
    next(cv.split(pd.DataFrame(houses, columns=["lat", "lon"])))
    for west in (-540, -180, 0, 180):
        next(cv.split(np.column_stack([houses[:, 0], np.linspace(west, west + 720, 60)])))


def test_locations_that_are_refused_are_called_by_their_name():
    with pytest.raises(CoordinateError, match="In prediction_locations=, X contains NaN"):
        next(NearestNeighbourDistanceKFold([[1, 2], [np.nan, 3]]).split(scattered(60)))


@every_splitter
def test_lengths_that_differ_are_refused(cv):
    X = scattered(60)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(cv.split(X[:-1], coordinates=X))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(cv.split(X, np.zeros(59)))


NEAR = NearestNeighbourDistanceKFold


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (SphericalBlockKFold(1), "n_splits=1: expected an integer, at least 2"),
        (SphericalBlockKFold(2.0), "n_splits=2.0: expected an integer"),
        (SphericalBlockKFold(block_size_km=0), "block_size_km=0: expected None or a number of at least 0.01"),
        (SphericalBlockKFold(n_blocks=1), "n_blocks=1: expected None or an integer, at least 2"),
        (SphericalBlockKFold(n_blocks=9, block_size_km=9), "block_size_km=9 and n_blocks=9: give one of them"),
        (SphericalBlockKFold(shuffle="yes"), "shuffle='yes': expected True or False"),
        (SphericalBlockKFold(coordinates="lat"), "coordinates='lat': expected None or the names"),
        (
            SphericalBlockKFold(4, block_size_km=14_000),
            "n_splits=4: the samples lie in 3 blocks of block_size_km=14000",
        ),
        (
            SphericalBlockKFold(50),
            "n_splits=50: the samples are at 40 different places, and each fold needs one. Give fewer splits",
        ),
        (BufferedKFold(radius_km=-1), r"radius_km=-1: expected a number in \[0, 20015\)"),
        (BufferedKFold(radius_km=20_000), "radius_km=20000 leaves nothing to train on"),
        (LeaveOneBlockOut(radius_km=None), "radius_km=None: expected a number"),
        (LeaveOneBlockOut(block_size_km=30_000), "block_size_km=30000: all samples lie in one block"),
        (LeaveOneBlockOut(shuffle=True), "random_state=None: expected an integer, as shuffle=True needs it here"),
        (NEAR(), "prediction_locations=None: expected the places to predict"),
        (NEAR(LOCATIONS, 1), "n_splits=1: expected"),
        (NEAR(LOCATIONS, 5, max_share=0.1), r"max_share=0.1: expected a number in \[1 / n_splits, 1\), from 0.2 on"),
        (NEAR(LOCATIONS, 50), "n_splits=50: the samples are at 40 different places, and each fold needs one"),
    ],
)
def test_parameters_that_are_refused(cv, message):
    with pytest.raises(ValueError, match=message):
        next(cv.split(scattered(40)))


def test_one_place_cannot_be_divided():
    X = np.full((20, 2), 10.0)
    for cv in (SphericalBlockKFold(2), BufferedKFold(2), NEAR(LOCATIONS, 2)):
        with pytest.raises(ValueError, match=r"n_splits=2: all samples are at one place.*are they the right columns\?"):
            next(cv.split(X))
    with pytest.raises(ValueError, match="all samples lie in one block.*Check the columns: all have the same coordina"):
        next(LeaveOneBlockOut().split(X))
    X = np.concatenate([X, [[50, 50], [-50, 50]]])
    with pytest.raises(ValueError, match=r"max_share=0.5: too many samples are at the same place"):
        next(NEAR(LOCATIONS, 3).split(X))


def test_leave_one_block_out_counts_blocks_of_samples():
    with pytest.raises(ValueError, match="X is None: the number of blocks is that of the samples"):
        LeaveOneBlockOut().get_n_splits()


# In every estimator of scikit-learn that has cv=

REGION = around(47, 8, 150)


def with_cv(kind, cv):
    """An estimator of a kind of scikit-learn's with ``cv``, and what else it wants."""
    wanted = signature(kind).parameters
    classifies = "Classif" in kind.__name__
    inner = LogisticRegression() if classifies else Ridge()
    options = {
        "estimator": inner,
        "base_estimator": inner,
        "estimators": [("inner", inner)],
        "param_grid": {"alpha": [0.1, 10.0]},
        "param_distributions": {"alpha": [0.1, 10.0]},
        "n_iter": 2,
        "l1_ratios": (0.0,),
        "use_legacy_attributes": False,
        "scoring": "neg_log_loss" if kind is LogisticRegressionCV else None,
        "random_state": 0,
        "n_candidates": 2,
        "tol": None if kind is SequentialFeatureSelector else 1e-4,
        "n_features_to_select": 1,
    }
    if kind is TunedThresholdClassifierCV or kind is RFECV:
        options = {"estimator": inner}
    return kind(**{name: value for name, value in options.items() if name in wanted}, cv=cv)


def target_of(kind):
    """A target that the kind of estimator takes."""
    values = REGION[:, 0] + np.random.default_rng(0).standard_normal(150)
    classes = (values > np.median(values)).astype(int)
    if "MultiTask" in kind.__name__ or kind is RegressorChain:
        return np.column_stack([values, classes])
    if kind is ClassifierChain:
        return np.column_stack([classes, 1 - classes])
    return classes if "Classif" in kind.__name__ or kind is LogisticRegressionCV else values


def fitted_numbers(model):
    """All arrays of numbers that a fit has set."""
    found = {name: np.asarray(value) for name, value in vars(model).items() if name.endswith("_") and is_numeric(value)}
    return {name: value for name, value in found.items() if "time" not in name}


def is_numeric(value):
    return isinstance(value, float | int | np.number) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiu")


WITH_CV = [kind for _, kind in all_estimators() if "cv" in signature(kind).parameters]


def test_there_are_estimators_with_cv():
    assert len(WITH_CV) >= 22
    assert {LassoCV, MultiTaskLassoCV, GridSearchCV, StackingRegressor} <= set(WITH_CV)


@pytest.mark.parametrize("kind", WITH_CV, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore:The total space of parameters:UserWarning")
@pytest.mark.filterwarnings("ignore:l1_ratios parameter is only used:UserWarning")
def test_estimators_take_splitters_as_their_splits(kind):
    cv, y = SphericalBlockKFold(3, block_size_km=100), target_of(kind)
    if kind is TargetEncoder:
        try:
            with_cv(kind, KFold(3)).fit(REGION, y)
        except TypeError:
            pytest.skip("TargetEncoder of this scikit-learn takes numbers of folds only")
    halving = "Halving" in kind.__name__  # splits other samples in each round
    expected = with_cv(kind, 3 if halving else list(cv.split(REGION))).fit(REGION, y)
    if kind is SequentialFeatureSelector:  # hands splitters the columns it has selected so far
        with sklearn.config_context(enable_metadata_routing=True):
            found = with_cv(kind, cv).fit(REGION, y, coordinates=REGION)
    else:
        found = clone(with_cv(kind, cv)).fit(REGION, y)
    assert "SphericalBlockKFold(" in repr(found)
    numbers = fitted_numbers(found)
    for name, value in fitted_numbers(expected).items():
        if halving:
            assert name in numbers
        else:
            np.testing.assert_allclose(numbers[name], value, err_msg=name)


def test_splitter_parameters_differ_from_estimator_ones():
    assert not hasattr(SphericalBlockKFold(), "get_params")
    assert LassoCV(cv=SphericalBlockKFold()).get_params().keys() == LassoCV(cv=KFold()).get_params().keys()
    search = GridSearchCV(Ridge(), {}, cv=SphericalBlockKFold()).set_params(cv__n_splits=3)
    assert search.cv.n_splits == 3
    with pytest.raises(ValueError, match="parameter='folds': expected one of n_splits, block_size_km, n_blocks"):
        SphericalBlockKFold().set_params(folds=3)


# Doubtful coordinates


@every_splitter
def test_radians_are_warned_of_once(cv):
    radians = np.radians(scattered(200))
    cv = clone(cv)
    if not isinstance(cv, NearestNeighbourDistanceKFold):
        cv.set_params(block_size_km=None)
    if isinstance(cv, BufferedKFold | LeaveOneBlockOut):
        cv.set_params(radius_km=0)
    for kwargs in ({}, {"groups": radians}, {"coordinates": radians}):
        with pytest.warns(CoordinateWarning, match="radians") as caught:
            list(cv.split(radians if not kwargs else np.zeros((200, 3)), **kwargs))
        assert len(caught) == 1
        assert str(caught[0].message).startswith(f"In {next(iter(kwargs))}=" if kwargs else "X lies")
        assert caught[0].filename == __file__


def test_radians_of_the_places_to_predict_are_called_so():
    with pytest.warns(CoordinateWarning, match="In prediction_locations=, X lies") as caught:
        NEAR(np.radians(LOCATIONS), 3).match(scattered(100))
    assert len(caught) == 1


def test_names_of_columns_and_an_array_without_names():
    places = scattered(100)
    frame = pd.DataFrame({"lon": places[:, 1], "lat": places[:, 0]})
    cv = SphericalBlockKFold(3, coordinates=("lat", "lon"))
    expected = splits(SphericalBlockKFold(3), places)
    assert splits(cv, frame) == splits(cv, np.zeros((100, 4)), coordinates=places) == expected
    with pytest.warns(CoordinateWarning, match=r"X has no column names to find coordinates=\('lat', 'lon'\) in"):
        assert splits(cv, places) == expected
    with pytest.warns(CoordinateWarning, match="LassoCV, make an array of a frame"):
        LassoCV(cv=cv).fit(frame[["lat", "lon"]], places[:, 0])


def test_coordinates_of_split_hold_for_prediction_places():
    places = scattered(100)
    frame = pd.DataFrame({"phi": places[:, 0], "lambda": places[:, 1], "year": 2020})
    names = ("phi", "lambda")
    assert splits(SphericalBlockKFold(3), frame, coordinates=names) == splits(SphericalBlockKFold(3), places)
    expected = NEAR(LOCATIONS, 3).match(places).folds
    for locations in (
        LOCATIONS,
        pd.DataFrame(LOCATIONS, columns=names),
        pd.DataFrame(LOCATIONS, columns=["lat", "lon"]),
    ):
        np.testing.assert_array_equal(NEAR(locations, 3, coordinates=names).match(frame).folds, expected)


@pytest.mark.parametrize("kind", [BufferedKFold, LeaveOneBlockOut])
def test_a_gap_that_leaves_few_samples_is_warned_of_once(kind):
    X = around(48, 8, 300)
    for radius in (50, 100, 200, 400, 600, 700):
        kept = splits(kind(radius_km=0.0, n_blocks=25), X)
        gap = [np.flatnonzero(distances(X)[:, test].min(axis=1) > radius) for _, test in kept]
        few = [i for i, (train, _) in enumerate(kept) if gap[i].size < 0.1 * len(train)]
        cv = kind(radius_km=radius, n_blocks=25)
        if min(len(train) for train in gap) == 0:
            continue
        if not few:
            assert [train for train, _ in splits(cv, X)] == [train.tolist() for train in gap]
            continue
        text = f"radius_km={radius} leaves {gap[few[0]].size} of {len(kept[few[0]][0])} samples to train on in split"
        with pytest.warns(UserWarning, match=text) as caught:
            splits(cv, X)
        assert len(caught) == 1
        return
    pytest.fail("no radius left few samples")


@every_splitter
def test_nothing_to_split(cv):
    with pytest.raises(CoordinateError, match="X is None: expected the samples"):
        next(cv.split(None))


# Classes spread over folds


def shares(folds, y, n_splits=5):
    """The share of each class that each fold tests."""
    return np.array([np.bincount(y[folds == fold], minlength=y.max() + 1) for fold in range(n_splits)]) / np.bincount(y)


def labels_of(cv, X, y, *groups):
    folds = np.empty(len(y), dtype=int)
    for fold, (_, test) in enumerate(cv.split(X, y, *groups)):
        folds[test] = fold
    return folds


@pytest.mark.parametrize("size", [1000, 3000])
@pytest.mark.parametrize("rare", [False, True])
@pytest.mark.parametrize("kind", [SphericalBlockKFold, BufferedKFold])
def test_classes_are_spread_nearly_as_without_blocks(kind, size, rare):
    X, y = make_land_ocean(3000, random_state=1)
    y = y.astype(int)
    if rare:  # one in twenty is land
        kept = (y == 0) | (np.random.default_rng(0).random(3000) < 0.12)
        X, y = X[kept], y[kept]
    cv = kind(5, block_size_km=size, stratify=True)
    folds, blocks = cv.fold_labels(X, y=y), cv.block_labels(X)
    assert pd.Series(folds).groupby(blocks).nunique().max() == 1
    np.testing.assert_array_equal(labels_of(cv, X, y), folds)
    ideal = shares(labels_of(StratifiedKFold(5), X, y), y)
    np.testing.assert_allclose(ideal, 0.2, atol=0.01)
    np.testing.assert_allclose(shares(folds, y), ideal, atol=0.02 if size == 1000 else 0.06)
    without = kind(5, block_size_km=size).fold_labels(X)
    peer = labels_of(StratifiedGroupKFold(5), X, y, blocks)  # scikit-learn's, given the same blocks
    spread = [np.sum((shares(each, y) - 0.2) ** 2) for each in (folds, peer, without)]
    assert spread[0] <= 1.2 * spread[1] + 1e-4
    assert spread[0] < 0.5 * spread[2]
    np.testing.assert_allclose(np.bincount(folds) / len(y), 0.2, atol=0.05)


def test_tenths_of_numbers_several_targets_and_names_are_spread():
    X = scattered(2000)
    values = X[:, 0] + np.random.default_rng(0).standard_normal(2000)
    cv = SphericalBlockKFold(4, block_size_km=800, stratify=True)
    tenth = (values.argsort().argsort() // 200).astype(int)
    np.testing.assert_allclose(shares(cv.fold_labels(X, y=values), tenth, 4), 0.25, atol=0.05)
    north = X[:, 0] > 30
    names = np.where(north, "north", "south")
    found = cv.fold_labels(X, y=names)
    np.testing.assert_array_equal(cv.fold_labels(X, y=pd.Series(names)), found)
    np.testing.assert_array_equal(cv.fold_labels(X, y=north), found)
    np.testing.assert_allclose(shares(found, north.astype(int), 4), 0.25, atol=0.03)
    both = cv.fold_labels(X, y=np.column_stack([values, north]))
    np.testing.assert_allclose(shares(both, north.astype(int), 4), 0.25, atol=0.03)
    np.testing.assert_allclose(shares(both, tenth, 4), 0.25, atol=0.07)


def test_stratified_folds_invariant_to_order_and_names():
    X, y = make_land_ocean(500, random_state=3)
    cv = SphericalBlockKFold(5, n_blocks=40, stratify=True)
    folds = cv.fold_labels(X, y=y)
    np.testing.assert_array_equal(cv.fold_labels(X + np.array([0, 360]), y=y), folds)
    np.testing.assert_array_equal(cv.fold_labels(np.column_stack([X[:, 0], X[:, 1] % 360]), y=y), folds)
    np.testing.assert_array_equal(cv.fold_labels(X, y=~y), folds)
    order = np.random.default_rng(0).permutation(500)
    np.testing.assert_array_equal(cv.fold_labels(X[order], y=y[order]), folds[order])
    turn = Rotation.from_euler("zyx", [-100, 35, 70], degrees=True)
    np.testing.assert_array_equal(cv.fold_labels(turned(X, turn), y=y), folds)


def test_ties_of_stratified_blocks_go_in_order():
    blocks = np.repeat(np.arange(12), 10)
    folds = stratified_folds(blocks, np.tile([0, 1], 60)[:, np.newaxis], 4)
    np.testing.assert_array_equal(folds, [0, 1, 2, 3] * 3)  # all are alike


@given(st.lists(st.integers(1, 50), min_size=6, max_size=40), st.integers(2, 6))
def test_one_stratum_is_balanced_by_size(sizes, n_folds):
    blocks = np.repeat(np.arange(len(sizes)), sizes)
    folds = stratified_folds(blocks, np.zeros((blocks.size, 1), dtype=int), n_folds)
    np.testing.assert_array_equal(folds, balanced_folds(np.array(sizes), n_folds))


def test_a_class_in_few_blocks_is_warned_of():
    X = np.concatenate([scattered(300), [[47, 8]] * 5])
    y = np.repeat(["everywhere", "here"], [300, 5])
    with pytest.warns(UserWarning, match="1 of 2 classes are not in every fold; class 'here' is in 1 of 5") as caught:
        list(SphericalBlockKFold(5, stratify=True).split(X, y))
    assert len(caught) == 1
    list(SphericalBlockKFold(5, stratify=True).split(X, np.arange(305)))  # many whole numbers are no classes


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "stratify=True spreads classes over folds, and y is None: pass y"),
        (np.full(60, np.nan), "stratify=True: y has missing values: expected classes or numbers"),
        (np.array(["a", 1] * 30, dtype=object), "stratify=True: y has object values of several or unknown types"),
    ],
)
def test_targets_that_cannot_be_spread_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        next(SphericalBlockKFold(stratify=True).split(scattered(60), y))
    with pytest.raises(ValueError, match="stratify='y': expected True or False"):
        next(SphericalBlockKFold(stratify="y").split(scattered(60), y))
