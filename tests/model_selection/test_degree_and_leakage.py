"""Leakage reports, and which degree."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union

from reference import uniform_points as scattered
from skgeo import LatLonGrid, SphericalHarmonicPCA, degree_wavelength_km
from skgeo.datasets import fibonacci_lattice, load_land_mask
from skgeo.encoders import SphericalHarmonics
from skgeo.exceptions import CoordinateError, CoordinateWarning, ResolutionWarning
from skgeo.model_selection import (
    NearestNeighbourDistanceKFold,
    SphericalBlockKFold,
    leakage_report,
    select_max_degree,
    suggest_max_degree,
)

RADIUS = 6371.0088
LATTICE = fibonacci_lattice(2000)


def memory():
    """A model that looks up the nearest sample, and data in which it knows the answer if that is the same place."""
    X = np.repeat(scattered(400), 3, axis=0)
    y = np.repeat(np.random.default_rng(1).standard_normal(400), 3)
    return KNeighborsRegressor(1, metric="haversine"), np.radians(X), y, X


# Leakage


def test_memoriser_right_in_random_folds_wrong_in_blocks():
    model, radians, y, X = memory()
    report = leakage_report(model, radians, y, coordinates=X, block_sizes_km=[3000, 1000])
    assert report.random_mean > 0.75  # the share of samples of which a copy is trained on, and less for the others
    assert (report.mean < -0.5).all()  # of independent values the squared error is twice the variance
    assert report.random_distance_km == 0.0
    assert (np.diff([0.0, *report.distance_km]) > 0).all()


def test_scores_are_those_of_the_splitters():
    model, radians, y, X = memory()
    kwargs = {"block_sizes_km": [1500, 700], "n_splits": 4, "scoring": "neg_mean_absolute_error"}
    report = leakage_report(model, radians, y, coordinates=X, **kwargs)
    np.testing.assert_array_equal(report.block_size_km, [700, 1500])
    assert report.scores.shape == (2, 4)
    for size, scores, number in zip(report.block_size_km, report.scores, report.n_blocks, strict=True):
        cv = SphericalBlockKFold(4, block_size_km=size)
        expected = cross_val_score(model, radians, y, cv=cv, groups=X, scoring="neg_mean_absolute_error")
        np.testing.assert_allclose(scores, expected)
        assert number == len(np.unique(cv.block_labels(X)))
    np.testing.assert_allclose(report.mean, report.scores.mean(axis=1))
    np.testing.assert_allclose(report.std, report.scores.std(axis=1))
    assert report.random_mean == report.random_scores.mean()
    assert report.random_std == report.random_scores.std()


def test_the_report_is_a_table():
    model, radians, y, X = memory()
    report = leakage_report(model, radians, y, coordinates=X)
    assert report.block_size_km.size == 5
    assert (np.diff(report.n_blocks) < 0).all()
    frame = report.to_frame()
    assert frame.columns.tolist() == ["block_size_km", "n_blocks", "distance_km", "mean", "std", "n_scored"]
    np.testing.assert_array_equal(frame["mean"], [report.random_mean, *report.mean])
    lines = str(report).splitlines()
    assert len(lines) == 7
    assert lines[1].split() == ["random", "0", f"{report.random_mean:.3f}", f"{report.random_std:.3f}"]
    assert lines[-1].split()[:3] == [f"{report.block_size_km[-1]:.0f}", "km", str(report.n_blocks[-1])]


def test_few_samples_have_one_size_of_blocks():
    X = np.random.default_rng(0).uniform([-60, -180], [60, 180], (12, 2))
    assert leakage_report(KNeighborsRegressor(1), X, X[:, 0]).block_size_km.size == 1


def test_coordinates_of_a_report_may_be_columns():
    _, radians, y, X = memory()
    frame = pd.DataFrame({"lat": X[:, 0], "lon": X[:, 1], "noise": y[::-1]})
    kwargs = {"block_sizes_km": [1000]}
    expected = leakage_report(DummyRegressor(), radians, y, coordinates=X, **kwargs).scores
    np.testing.assert_array_equal(leakage_report(DummyRegressor(), frame, y, **kwargs).scores, expected)
    other = frame.rename(columns={"lat": "phi", "lon": "theta"})
    found = leakage_report(DummyRegressor(), other, y, coordinates=("phi", "theta"), **kwargs).scores
    np.testing.assert_array_equal(found, expected)


def test_a_report_counts_its_fits(capsys):
    pytest.importorskip("tqdm")
    _, radians, y, X = memory()
    leakage_report(DummyRegressor(), radians, y, coordinates=X, block_sizes_km=[900, 1000], verbose=True)
    assert "15.0/15.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"block_sizes_km": [100, -1]}, r"block_sizes_km=\[100, -1\]: expected None or positive numbers"),
        ({"block_sizes_km": []}, r"block_sizes_km=\[\]: expected None or positive"),
        ({"n_splits": 1}, "n_splits=1: expected an integer, at least 2"),
        ({"verbose": "yes"}, "verbose='yes': expected"),
        ({"block_sizes_km": [20_000]}, "the samples lie in 1 block of block_size_km=20000.0, and each fold needs one"),
        ({"coordinates": None}, "latitudes outside|no names"),
        (
            {"params": {"sample_weight": np.ones(1200)}, "block_sizes_km": [3000]},
            "No fold has a score.*__sample_weight",
        ),
    ],
)
def test_reports_that_are_refused(kwargs, message):
    _, radians, y, X = memory()
    with pytest.raises(ValueError, match=message):
        leakage_report(
            make_pipeline(DummyRegressor()), np.column_stack([radians, y]), y, **({"coordinates": X} | kwargs)
        )


# Wavelengths


def test_the_wavelength_is_the_circumference_over_the_degree():
    np.testing.assert_allclose(degree_wavelength_km([1, 4, 10]), 2 * np.pi * RADIUS / np.array([1, 4, 10]), rtol=1e-12)
    assert degree_wavelength_km(0) == np.inf
    for estimator in (SphericalHarmonicPCA(6), SphericalHarmonics(6)):
        estimator.fit(LATTICE)
        np.testing.assert_array_equal(estimator.wavelength_km_, degree_wavelength_km(np.arange(7)))
    with pytest.raises(ValueError, match="degree=-1: expected numbers that are not negative"):
        degree_wavelength_km(-1)


def test_a_wave_along_the_equator_has_that_length():
    # the sectoral harmonic of degree 6 goes up and down six times around the equator
    equator = np.column_stack([np.zeros(3600), np.arange(0, 360, 0.1)])
    values = SphericalHarmonics(6).fit_transform(equator)[:, -1]
    n_waves = np.count_nonzero(np.diff(np.sign(values))) / 2
    assert 2 * np.pi * RADIUS / round(n_waves) == pytest.approx(degree_wavelength_km(6), rel=1e-12)


# Suggestions


@pytest.mark.parametrize("n", [100, 400, 2500])
def test_half_a_wave_is_the_distance_between_places(n):
    for X in (fibonacci_lattice(n), scattered(n)):
        found = suggest_max_degree(X)
        lattice = np.sqrt(4 * np.pi * RADIUS**2 / n)  # side of the square that each place has for itself
        assert found.spacing_km == pytest.approx(lattice, rel=0.06)
        assert found.wavelength_km / 2 == pytest.approx(lattice, rel=0.12)
        assert found.n_harmonics == (found.max_degree + 1) ** 2
        assert found.rank == min(found.n_harmonics, n)
        assert found.n_places == n
        assert found.extent_km > 0.9 * np.pi * RADIUS
        assert str(found.max_degree) in str(found)
        assert found.reason in str(found)


def test_a_region_of_the_globe_as_dense_has_the_same_degree():
    X = scattered(40_000)
    box = X[(np.abs(X[:, 0] - 20) < 20) & (np.abs(X[:, 1]) < 30)]
    area = RADIUS**2 * np.radians(60) * np.sin(np.radians(40))
    found, whole = suggest_max_degree(box, largest=500), suggest_max_degree(X, largest=500)
    assert found.max_degree == pytest.approx(whole.max_degree, rel=0.1)
    assert found.area_km2 == pytest.approx(area, rel=0.15)
    assert found.shannon_number == pytest.approx(found.n_harmonics * area / (4 * np.pi * RADIUS**2), rel=0.15)
    corners = RADIUS * 2 * np.arcsin(np.sqrt(np.sin(np.radians(20)) ** 2 + np.cos(0) * np.cos(np.radians(40)) * 0.25))
    assert corners < found.extent_km < 1.3 * corners


@pytest.mark.parametrize(("size", "degree"), [(10, 40), (30, 20), (50, 12)])
def test_advice_in_a_region_names_the_components_of_its_basis(size, degree):
    grid = LatLonGrid(np.arange(size / 20, size, size / 10), np.arange(size / 20, size, size / 10))
    found = suggest_max_degree(grid, resolution_km=20015 / degree, largest=100)
    kept = SphericalHarmonicPCA(found.max_degree).fit(grid).n_components_
    assert found.n_components == pytest.approx(kept, rel=0.2)
    assert f"SphericalHarmonicPCA({found.max_degree}) keeps about {found.n_components} components" in found.reason
    assert ("a quarter of 100 places" in found.reason) == (found.n_components > 25)
    assert "region" not in suggest_max_degree(LATTICE).reason


def test_copies_of_a_place_count_once():
    assert suggest_max_degree(np.repeat(LATTICE, 5, axis=0)) == suggest_max_degree(LATTICE)


def test_stations_that_jitter_by_a_millimetre():
    stations = scattered(200)
    found = suggest_max_degree(np.concatenate([stations, stations + 1e-8]))
    assert found.median_distance_km < 2e-6
    assert (found.n_places, found.max_degree) == (400, 60)


def test_a_grid_is_its_cells_inside_the_mask():
    land = load_land_mask()
    grid = LatLonGrid(land.latitude, land.longitude, land.fraction)
    found = suggest_max_degree(grid, resolution_km=2000)
    assert found.max_degree == np.ceil(np.pi * RADIUS / 2000) == 11
    assert found.area_km2 == pytest.approx(grid.domain_area() / 1e6, rel=1e-9)
    assert found.n_places == np.count_nonzero(land.fraction)
    assert found.shannon_number == pytest.approx(SphericalHarmonicPCA(11).fit(grid).shannon_number_, rel=1e-9)
    assert found.median_distance_km < 0.5 * np.pi * RADIUS / 180 * 1.001
    assert suggest_max_degree(grid).max_degree == 60
    assert "no more than largest=60" in suggest_max_degree(grid).reason
    assert "largest=60 is suggested: give largest=134" in suggest_max_degree(grid, resolution_km=150).reason


def test_a_resolution_finer_than_the_places_can_tell():
    found = suggest_max_degree(LATTICE, resolution_km=100)
    assert found.max_degree == suggest_max_degree(LATTICE).max_degree
    assert "half a wavelength of degree 201. The places cannot resolve this" in found.reason
    assert "The places can resolve this" in suggest_max_degree(LATTICE, resolution_km=5000).reason


def test_coordinates_of_a_suggestion_may_be_columns():
    frame = pd.DataFrame({"a": 1.0, "phi": LATTICE[:, 0], "theta": LATTICE[:, 1]})
    expected = suggest_max_degree(LATTICE)
    assert suggest_max_degree(frame, coordinates=("phi", "theta")) == expected
    assert suggest_max_degree(np.zeros((2000, 4)), coordinates=LATTICE) == expected


@pytest.mark.parametrize(
    ("X", "kwargs", "message"),
    [
        (LATTICE, {"resolution_km": 0}, "resolution_km=0: expected None or a positive number"),
        (LATTICE, {"largest": 0}, "largest=0: expected an integer, at least 1"),
        ([[10, 10], [10, 10]], {}, "X is one place"),
        ([[10, np.nan], [10, 10]], {}, "X contains NaN"),
    ],
)
def test_suggestions_that_are_refused(X, kwargs, message):
    with pytest.raises(ValueError, match=message):
        suggest_max_degree(X, **kwargs)


# Selection


def field(n=800, degree=6):
    """A field of one degree with noise as large as itself, at random places."""
    X = scattered(n)
    values = SphericalHarmonics(degree, min_degree=degree).fit_transform(X).sum(axis=1)
    return X, values + values.std() * np.random.default_rng(3).standard_normal(n)


def test_the_degree_of_the_field_is_found():
    X, y = field()
    model = make_pipeline(SphericalHarmonics(), Ridge(1e-3))
    search = select_max_degree(model, X, y, degrees=[2, 4, 6, 9, 14])
    assert search.best_params_ == {"sphericalharmonics__max_degree": 6}
    cv = SphericalBlockKFold(5)
    expected = cross_val_score(model.set_params(sphericalharmonics__max_degree=9), X, y, cv=cv).mean()
    assert search.cv_results_["mean_test_score"][3] == pytest.approx(expected)
    assert search.predict(X).shape == y.shape


def test_degrees_up_to_suggestion_with_other_parameters():
    X, y = field(200, 3)
    model = make_pipeline(SphericalHarmonicPCA(), Ridge())
    search = select_max_degree(model, X, y, param_grid={"ridge__alpha": [0.1, 10.0]})
    tried = sorted({row["sphericalharmonicpca__max_degree"] for row in search.cv_results_["params"]})
    assert tried[-1] == suggest_max_degree(X).max_degree
    assert tried[0] == 2
    assert len(search.cv_results_["params"]) == 2 * len(tried)


def test_coordinates_of_a_selection_among_other_columns():
    X, y = field(300, 3)
    frame = pd.DataFrame({"noise": 0.0, "lat": X[:, 0], "lon": X[:, 1]})
    columns = make_column_transformer((SphericalHarmonics(), ["lat", "lon"]), remainder="passthrough")
    found = select_max_degree(make_pipeline(columns, Ridge()), frame, y, degrees=[1, 3, 5])
    plain = select_max_degree(make_pipeline(SphericalHarmonics(), Ridge()), X, y, degrees=[1, 3, 5])
    np.testing.assert_allclose(found.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])


@pytest.mark.parametrize("cv", [3, KFold(3), NearestNeighbourDistanceKFold(LATTICE, 3)], ids=["int", "KFold", "match"])
def test_folds_of_a_selection_may_be_given(cv):
    X, y = field(200, 3)
    model = make_pipeline(SphericalHarmonics(), Ridge())
    search = select_max_degree(model, X, y, degrees=[3], cv=cv)
    expected = cross_val_score(model.set_params(sphericalharmonics__max_degree=3), X, y, cv=cv)
    np.testing.assert_allclose([search.cv_results_[f"split{i}_test_score"][0] for i in range(3)], expected)


def test_folds_of_a_classifier_hold_every_class():
    X = scattered(200)
    y = (X[:, 0] > 40).astype(int)
    order = np.argsort(y, kind="stable")  # without strata the first folds have one class only
    model = make_pipeline(SphericalHarmonics(), LogisticRegression())
    search = select_max_degree(model, X[order], y[order], degrees=[3], cv=4)
    expected = cross_val_score(model.set_params(sphericalharmonics__max_degree=3), X[order], y[order], cv=4)
    np.testing.assert_allclose([search.cv_results_[f"split{i}_test_score"][0] for i in range(4)], expected)


def test_a_model_without_a_degree_or_with_two_is_refused():
    with pytest.raises(ValueError, match="model=Ridge has no parameter max_degree: expected one; add"):
        select_max_degree(Ridge(), LATTICE, LATTICE[:, 0])
    model = make_pipeline(make_union(SphericalHarmonics(), SphericalHarmonicPCA()), Ridge())
    with pytest.raises(ValueError, match=r"several parameters max_degree, \['featureunion__sphericalharmonics__max"):
        select_max_degree(model, LATTICE, LATTICE[:, 0])
    with pytest.raises(CoordinateError, match="In coordinates=, X contains NaN"):
        select_max_degree(SphericalHarmonics(), LATTICE, None, coordinates=LATTICE * np.nan)


# Folds without a score

CORNER = np.random.default_rng(0).uniform([[40], [-5]], [[55], [20]], (2, 300)).T
RARE = ((CORNER[:, 0] > 51.5) & (CORNER[:, 1] > 15)).astype(int)  # a class in one corner: 15 of 300
LOGISTIC = make_pipeline(SphericalHarmonics(3), LogisticRegression())
LARGE = SphericalBlockKFold(5, block_size_km=600)


def areas(size, **options):
    """Area under the curve in each blocked fold by hand, NaN where a fold has one class."""
    found = []
    for train, test in SphericalBlockKFold(5, block_size_km=size, **options).split(CORNER, RARE):
        model = clone(LOGISTIC).fit(CORNER[train], RARE[train])
        one = np.unique(RARE[test]).size == 1
        found.append(np.nan if one else roc_auc_score(RARE[test], model.predict_proba(CORNER[test])[:, 1]))
    return np.array(found)


def test_report_leaves_out_folds_without_a_class():
    with pytest.warns(
        UndefinedMetricWarning, match=r"3 of 15 folds have no score \(200 km, 600 km\): means.*\(Only one cl"
    ) as caught:
        report = leakage_report(LOGISTIC, CORNER, RARE, scoring="roc_auc", block_sizes_km=[200, 600])
    assert len(caught) == 1
    assert "stratify=True" in str(caught[0].message)
    assert len(str(caught[0].message)) <= 300
    expected = np.array([areas(200), areas(600)])
    np.testing.assert_allclose(report.scores, expected)
    np.testing.assert_allclose(report.mean, np.nanmean(expected, axis=1))
    np.testing.assert_allclose(report.std, np.nanstd(expected, axis=1))
    assert report.n_scored.tolist() == [4, 3]
    assert report.random_n_scored == 5
    assert report.to_frame()["n_scored"].tolist() == [5, 4, 3]
    lines = str(report).splitlines()
    assert lines[0].split()[-1] == "scored"
    assert [line.split()[-3:] for line in lines[1:]] == [[str(n), "of", "5"] for n in (5, 4, 3)]


def test_a_size_that_no_fold_can_be_fitted_at_loses_no_other():
    towns = np.repeat([[48.0, 2.0], [52.0, 13.0]], 60, axis=0)  # where blocks are large, each fold trains on one
    X, town = towns + np.random.default_rng(0).normal(0, 0.5, (120, 2)), np.repeat([0, 1], 60)
    with pytest.warns(
        UndefinedMetricWarning,
        match=r"2 of 6 folds have no score \(700 km\): .*\(ValueError: This solver.*only one class.*\)\. stratify",
    ):
        report = leakage_report(LOGISTIC, X, town, block_sizes_km=[20, 700], n_splits=2)
    assert report.n_scored.tolist() == [2, 0]
    assert report.random_n_scored == 2
    assert np.isfinite(report.mean).tolist() == [True, False]
    assert str(report).splitlines()[-1].split()[-5:] == ["nan", "nan", "0", "of", "2"]


def test_stratified_reports_have_all_scores():
    report = leakage_report(LOGISTIC, CORNER, RARE, scoring="roc_auc", block_sizes_km=[100, 200], stratify=True)
    assert report.n_scored.tolist() == [5, 5]
    np.testing.assert_allclose(report.scores, [areas(100, stratify=True), areas(200, stratify=True)])
    values = leakage_report(Ridge(), CORNER, CORNER, block_sizes_km=[200], stratify=True)  # two columns of numbers
    assert values.n_scored.tolist() == [5]


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (LOGISTIC, RARE * 0, r"No fold has a score \(ValueError: This solver needs samples of at least 2 classes"),
        (DummyClassifier(), RARE * 0, r"No fold has a score \(ValueError: Got predict_proba of shape.*stratify=T"),
        (
            make_pipeline(SphericalHarmonics(0), LogisticRegression()),
            RARE,
            r"score \(ValueError: max_degree=0: .*1\).$",
        ),
    ],
)
def test_one_clear_error_where_no_fold_has_a_score(model, y, message):
    with pytest.raises(ValueError, match=message) as report:
        leakage_report(model, CORNER, y, scoring="roc_auc", block_sizes_km=[300])
    assert len(str(report.value)) <= 300
    if len(getattr(model, "steps", ())) == 2:
        with pytest.raises(ValueError, match=message) as search:
            select_max_degree(model, CORNER, y, scoring="roc_auc", degrees=[0] if "degree" in message else [2, 4])
        assert len(str(search.value)) <= 300


def test_the_degree_is_that_of_folds_with_a_score():
    with pytest.warns(
        UndefinedMetricWarning, match=r"2 of 5 folds have no score, means leave them out \(Only"
    ) as caught:
        search = select_max_degree(LOGISTIC, CORNER, RARE, scoring="roc_auc", degrees=[6, 2, 1], cv=LARGE)
    assert len(caught) == 1
    scores = []
    for degree in (6, 2, 1):
        model = clone(LOGISTIC).set_params(sphericalharmonics__max_degree=degree)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            scores.append(cross_val_score(model, CORNER, RARE, scoring="roc_auc", cv=LARGE))
    expected = np.nanmean(scores, axis=1)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)
    np.testing.assert_allclose(search.cv_results_["std_test_score"], np.nanstd(scores, axis=1))
    assert search.best_index_ == np.argmax(expected)
    assert search.best_score_ == expected.max()
    np.testing.assert_array_equal(search.cv_results_["rank_test_score"], rankdata(-expected, method="min"))
    assert clone(search).refit is True
    assert pickle.loads(pickle.dumps(search)).best_params_ == search.best_params_


def test_a_candidate_that_cannot_be_fitted_is_never_chosen():
    with pytest.warns(
        UndefinedMetricWarning, match=r"1 of 3 candidates lack a score and are not chosen \(ValueError: max"
    ):
        search = select_max_degree(LOGISTIC, CORNER, RARE, degrees=[0, 2, 4])
    assert search.best_params_["sphericalharmonics__max_degree"] > 0
    assert search.cv_results_["rank_test_score"][0] == 3


def test_candidate_missing_a_fold_score_never_chosen():
    def by_latitude(model, X, y):
        known = model[0].max_degree == 2 or X[:, 0].max() < 54  # the best is unknown where it is hard
        return 10.0 - model[0].max_degree + (model[0].max_degree != 2) * 100 if known else np.nan

    with pytest.warns(UndefinedMetricWarning, match="1 of 2 candidates lack a score and are not chosen"):
        search = select_max_degree(LOGISTIC, CORNER, RARE, degrees=[4, 2], cv=LARGE, scoring=by_latitude)
    assert search.best_params_ == {"sphericalharmonics__max_degree": 2}


# Several scorers


def both(model, X, y):
    return {"roc_auc": roc_auc_score(y, model.predict_proba(X)[:, 1]), "accuracy": model.score(X, y)}


BY_NAME = {"roc_auc": "roc_auc", "accuracy": make_scorer(accuracy_score)}


@pytest.mark.parametrize("scoring", [["roc_auc", "accuracy"], ("roc_auc", "accuracy"), BY_NAME, both])
def test_a_report_of_several_scorers_is_that_of_each(scoring):
    y = (CORNER[:, 0] > 48).astype(int)
    kwargs = {"block_sizes_km": [150, 300], "stratify": True}
    report = leakage_report(LOGISTIC, CORNER, y, scoring=scoring, **kwargs)
    assert report.metrics == ("roc_auc", "accuracy")
    assert report.scores.shape == (2, 5, 2)
    frame, text = report.to_frame(), str(report).splitlines()
    assert len(text) == 4
    assert text[0].split() == ["folds", "blocks", "nearest", "km", "roc_auc", "std", "accuracy", "std"]
    for number, metric in enumerate(report.metrics):
        alone = leakage_report(LOGISTIC, CORNER, y, scoring=metric, **kwargs)
        np.testing.assert_allclose(report.scores[..., number], alone.scores)
        np.testing.assert_allclose(report.random_mean[number], alone.random_mean)
        np.testing.assert_allclose(report.mean[:, number], alone.mean)
        np.testing.assert_allclose(report[metric].std, alone.std)
        assert report[metric].n_scored.tolist() == [5, 5]
        np.testing.assert_allclose(frame[f"mean_{metric}"], [alone.random_mean, *alone.mean])
        assert f"{alone.mean[1]:.3f}" in text[-1]
    with pytest.raises(ValueError, match="metric='r2': expected one of roc_auc, accuracy"):
        report["r2"]


@pytest.mark.parametrize("scoring", [["roc_auc", "accuracy"], both])
def test_a_degree_is_chosen_by_one_scorer(scoring):
    with pytest.raises(
        ValueError, match="scoring has the metrics roc_auc, accuracy: expected one, by which the degree"
    ):
        select_max_degree(LOGISTIC, CORNER, CORNER[:, 0] > 48, degrees=[2, 3], scoring=scoring)


# Warnings, metadata


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_search_warns_of_resolution_once(n_jobs):
    model = make_pipeline(SphericalHarmonicPCA(n_components=60), Ridge())
    with pytest.warns(ResolutionWarning, match="this domain supports") as caught:
        search = select_max_degree(model, CORNER, CORNER[:, 0], degrees=[8, 9], cv=3, n_jobs=n_jobs)
    assert len(caught) == 1
    assert search.best_params_["sphericalharmonicpca__max_degree"] in (8, 9)
    assert caught[0].filename == __file__
    if n_jobs is None:
        assert "more such" not in str(caught[0].message)  # only the last fit of a search warns
        with pytest.warns(ResolutionWarning, match="2 more such") as caught:  # one of random folds, one of each size
            leakage_report(model, CORNER, CORNER[:, 0], block_sizes_km=[200, 300])
        assert len(caught) == 1


def test_reports_and_suggestions_warn_of_radians_once():
    radians = np.radians(scattered(300))
    model = make_pipeline(SphericalHarmonics(2), Ridge())
    for run in (
        lambda: leakage_report(model, radians, radians[:, 0]),
        lambda: select_max_degree(model, radians, radians[:, 0], degrees=[1, 2]),
        lambda: select_max_degree(model, radians, radians[:, 0], param_grid={"ridge__alpha": [1, 2]}),
        lambda: suggest_max_degree(radians),
    ):
        with pytest.warns(CoordinateWarning, match="is it in radians") as caught:
            run()
        assert len(caught) == 1
    leakage_report(KNeighborsRegressor(1, metric="haversine"), radians, radians[:, 0], coordinates=np.degrees(radians))


OF_16 = pytest.mark.skipif(sklearn.__version__.startswith("1.6"), reason="scikit-learn 1.6 asks for more requests")


@pytest.mark.parametrize("routing", [False, pytest.param(True, marks=OF_16)])
def test_weights_and_groups_reach_the_fits(routing):
    weight = np.random.default_rng(0).uniform(0.1, 9.0, 300)
    groups, y = np.arange(300) // 10, CORNER[:, 0] ** 2
    with sklearn.config_context(enable_metadata_routing=routing):
        ridge = (
            Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=True) if routing else Ridge()
        )
        model = make_pipeline(SphericalHarmonics(), ridge)
        name = "sample_weight" if routing else "ridge__sample_weight"
        search = select_max_degree(
            model, CORNER, y, degrees=[1, 2], cv=GroupKFold(3), groups=groups, params={name: weight}
        )
        splits = list(GroupKFold(3).split(CORNER, y, groups))
        grid = {"sphericalharmonics__max_degree": [1, 2]}
        expected = GridSearchCV(model, grid, cv=splits).fit(CORNER, y, **{name: weight})
        np.testing.assert_array_equal(search.predict(CORNER), expected.predict(CORNER))
        names = ("mean_test_score", "rank_test_score")
        assert all(np.array_equal(search.cv_results_[each], expected.cv_results_[each]) for each in names)
        report = leakage_report(model, CORNER, y, block_sizes_km=[300], params={name: weight})
        cv = list(SphericalBlockKFold(5, block_size_km=300).split(CORNER))
        np.testing.assert_allclose(report.scores[0], cross_val_score(model, CORNER, y, cv=cv, params={name: weight}))


@pytest.mark.parametrize("call", [suggest_max_degree, lambda X: leakage_report(Ridge(), X, [1, 2])])
def test_none_is_no_samples(call):
    with pytest.raises(CoordinateError, match="X is None: expected the samples, a table of"):
        call(None)


def test_a_network_wants_an_encoder_with_a_degree():
    pytest.importorskip("torch")
    from skgeo.nn import LocationRegressor

    with pytest.raises(
        ValueError, match=r"give it an encoder that has one, LocationRegressor\(encoder=SphericalHarmonics"
    ):
        select_max_degree(LocationRegressor(), CORNER, CORNER[:, 0])
