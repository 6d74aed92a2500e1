import re
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import BaggingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

import reference
from skgeo import (
    LatLonGrid,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalGaussianProcessRegressor,
    SphericalHarmonicPCA,
)
from skgeo.encoders import WrapEncoder
from skgeo.exceptions import CoordinateWarning, ResolutionWarning

POINTS = reference.uniform_points(150)
# A smooth field that harmonics of degree 2 hold and those of degree 1 do not: z^2 + x y of the unit sphere.
COLATITUDE, LONGITUDE = np.radians(90.0 - POINTS[:, 0]), np.radians(POINTS[:, 1])
FIELD = np.cos(COLATITUDE) ** 2 + np.sin(COLATITUDE) ** 2 * np.sin(2.0 * LONGITUDE) / 2.0
GRID = LatLonGrid(np.arange(-55.0, 60, 10), np.arange(5.0, 200, 10))
PATCHES = GRID.patches((2, 2))
BASIS = SphericalHarmonicPCA(max_degree=3, n_components=5).fit(POINTS)


def embed(**parameters):
    return SphericalHarmonicPCA(clip=None, **parameters)


def test_pipeline_learns_a_field_that_its_degree_holds():
    model = make_pipeline(embed(max_degree=2), LinearRegression()).fit(POINTS[:100], FIELD[:100])
    assert_allclose(model.predict(POINTS[100:]), FIELD[100:], atol=1e-9)
    assert model[:-1].get_feature_names_out().tolist() == [f"shpca{i}" for i in range(8)]


def test_union_puts_position_and_scale_side_by_side():
    union = make_union(PatchPositionEncoder(FrozenEstimator(BASIS)), PatchScaleFeaturizer())
    got = union.fit_transform(PATCHES)
    assert_array_equal(got[:, :5], PatchPositionEncoder(FrozenEstimator(BASIS)).fit_transform(PATCHES))
    assert_array_equal(got[:, 5:], PatchScaleFeaturizer().fit_transform(PATCHES))
    names = union.get_feature_names_out().tolist()
    assert names[4:6] == ["patchpositionencoder__shpca4", "patchscalefeaturizer__log_extent_lon"]
    assert len(names) == got.shape[1] == 15


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("columns", [["lat", "lon"], ["lon", "lat"]])
def test_column_transformer_embeds_places_beside_other_columns(library, columns):
    frames = pytest.importorskip(library)
    pytest.importorskip("pyarrow")
    rooms = np.arange(len(POINTS)) % 7.0
    houses = frames.DataFrame({"rooms": rooms, "lon": POINTS[:, 1], "lat": POINTS[:, 0]})
    mixed = make_column_transformer((embed(max_degree=2), columns), remainder="passthrough").fit(houses)
    got = mixed.transform(houses)
    assert_array_equal(got[:, :-1], embed(max_degree=2).fit_transform(POINTS))
    assert_array_equal(got[:, -1], rooms)
    assert mixed.get_feature_names_out()[[0, -1]].tolist() == ["sphericalharmonicpca__shpca0", "remainder__rooms"]
    framed = mixed.set_output(transform=library).transform(houses)
    assert_array_equal(framed.to_numpy(), got)


def test_column_transformer_takes_columns_of_arrays_by_position():
    table = np.column_stack([np.arange(150.0), POINTS[:, ::-1]])
    mixed = ColumnTransformer([("place", embed(max_degree=2), [2, 1])])
    assert_array_equal(mixed.fit_transform(table), embed(max_degree=2).fit_transform(POINTS))


def test_grid_search_finds_the_degree_of_the_field():
    search = GridSearchCV(make_pipeline(embed(), Ridge(1e-6)), {"sphericalharmonicpca__max_degree": [1, 2, 9]}, cv=3)
    search.fit(POINTS, FIELD)
    assert search.best_params_ == {"sphericalharmonicpca__max_degree": 2}
    assert search.best_score_ > 1 - 1e-6


def test_grid_search_finds_the_number_of_components():
    model = make_pipeline(embed(max_degree=2), Ridge(1e-6))
    search = GridSearchCV(model, {"sphericalharmonicpca__n_components": [1, 4, 0.5, "shannon", None]}, cv=3)
    search.fit(POINTS, FIELD)
    assert search.best_score_ > 1 - 1e-6
    assert search.best_estimator_[0].n_components_ == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_grid_search_reaches_the_encoder_of_patches():
    latitude = np.radians(PATCHES[:, :2].mean(axis=1))
    target = np.sin(latitude) ** 2
    model = make_pipeline(PatchPositionEncoder(embed()), Ridge(1e-6))
    shuffled = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"patchpositionencoder__encoder__max_degree": [1, 2]}, cv=shuffled)
    search.fit(PATCHES, target)
    assert search.best_params_ == {"patchpositionencoder__encoder__max_degree": 2}
    assert search.best_score_ > 0.99
    assert search.best_estimator_[0].encoder_.max_degree == 2


def test_clone_keeps_parameters_and_drops_what_was_learned():
    for transformer in (BASIS, PatchPositionEncoder(BASIS).fit(PATCHES), PatchScaleFeaturizer(log=False).fit(PATCHES)):
        copy = clone(transformer)
        with pytest.raises(NotFittedError):
            check_is_fitted(copy)
        assert repr(copy) == repr(transformer)
        assert type(copy) is type(transformer)


def test_set_params_takes_effect_at_the_next_fit():
    pca = SphericalHarmonicPCA(max_degree=2).fit(POINTS)
    pca.set_params(max_degree=3, n_components=4)
    assert pca.transform(POINTS).shape == (150, 8)
    assert_array_equal(pca.fit_transform(POINTS), SphericalHarmonicPCA(3, 4).fit_transform(POINTS))


def test_parameters_reach_the_encoder():
    encoder = PatchPositionEncoder(SphericalHarmonicPCA())
    encoder.set_params(encoder__max_degree=2)
    assert encoder.get_params()["encoder__max_degree"] == encoder.encoder.max_degree == 2
    assert encoder.get_params(deep=False).keys() == {"encoder", "average", "grid", "verbose"}
    assert SphericalHarmonicPCA().get_params() == {
        "max_degree": 10,
        "n_components": None,
        "spectrum": None,
        "clip": 3.0,
        "area_weighted": True,
        "coordinates": None,
        "missing": "error",
        "add_indicator": False,
        "n_jobs": None,
        "verbose": None,
    }
    assert PatchScaleFeaturizer().get_params() == {"earth_radius": 6_371_008.8, "log": True}


def test_repr_names_the_parameters_that_differ_from_the_default():
    assert repr(SphericalHarmonicPCA(max_degree=5, clip=None)) == "SphericalHarmonicPCA(clip=None, max_degree=5)"
    assert repr(PatchPositionEncoder()) == "PatchPositionEncoder()"
    assert repr(PatchPositionEncoder(SphericalHarmonicPCA(3))) == (
        "PatchPositionEncoder(encoder=SphericalHarmonicPCA(max_degree=3))"
    )
    assert repr(PatchScaleFeaturizer(log=False)) == "PatchScaleFeaturizer(log=False)"


@pytest.mark.parametrize("fitted", [False, True])
def test_notebooks_show_the_whole_of_a_pipeline(fitted):
    model = make_pipeline(make_union(PatchPositionEncoder(SphericalHarmonicPCA(2)), PatchScaleFeaturizer()), Ridge())
    html = estimator_html_repr(model.fit(PATCHES, PATCHES[:, 0]) if fitted else model)
    for name in ("PatchPositionEncoder", "SphericalHarmonicPCA", "PatchScaleFeaturizer", "Ridge"):
        assert name in html
    assert ("Not fitted" in html) is not fitted


def test_frozen_encoder_is_used_as_it_is():
    elsewhere = GRID.patches((4, 4))[:3]
    encoder = PatchPositionEncoder(FrozenEstimator(BASIS)).fit(elsewhere)
    assert encoder.encoder_.estimator is BASIS
    assert_array_equal(
        clone(encoder).fit(PATCHES[:5]).transform(PATCHES), encoder.transform(PATCHES)
    )  # whatever the patches
    assert encoder.get_feature_names_out().tolist() == [f"shpca{i}" for i in range(5)]
    refitted = PatchPositionEncoder(BASIS).fit(elsewhere)
    assert refitted.encoder_ is not BASIS
    assert not np.allclose(refitted.encoder_.mean_, BASIS.mean_)


def test_a_frozen_encoder_has_to_be_fitted():
    with pytest.raises(NotFittedError, match="not fitted"):
        PatchPositionEncoder(FrozenEstimator(SphericalHarmonicPCA())).fit(PATCHES)


def test_sample_weight_passes_through_a_pipeline():
    weight = np.linspace(0.0, 1.0, len(POINTS))
    expected = embed(max_degree=2).fit(POINTS, sample_weight=weight).transform(POINTS)
    assert np.abs(expected - embed(max_degree=2).fit_transform(POINTS)).max() > 0.1
    by_name = make_pipeline(embed(max_degree=2), StandardScaler(with_mean=False, with_std=False))
    assert_array_equal(by_name.fit(POINTS, sphericalharmonicpca__sample_weight=weight).transform(POINTS), expected)
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(embed(max_degree=2).set_fit_request(sample_weight=True), PolynomialFeatures(1))
        assert_array_equal(routed.fit(POINTS, sample_weight=weight).transform(POINTS)[:, 1:], expected)


@pytest.mark.parametrize(
    "encoder",
    [PolynomialFeatures(2), FunctionTransformer(np.cos, feature_names_out="one-to-one"), make_pipeline(embed())],
)
def test_encoders_of_patches_need_no_sample_weight(encoder):
    # Pixels of two sizes, whose weights these encoders cannot take.
    patches = np.array([[0.0, 10, 0, 10, 2, 1], [20.0, 40, 0, 60, 2, 3]])
    centres = [[2.5, 5], [7.5, 5], *([latitude, longitude] for latitude in (25, 35) for longitude in (10, 30, 50))]
    areas = np.repeat(
        np.diff(np.sin(np.radians([[0, 5], [5, 10], [20, 30], [30, 40]]))).ravel() * [10, 10, 20, 20], [1, 1, 3, 3]
    )
    if hasattr(encoder, "steps"):
        encoder.set_params(sphericalharmonicpca__max_degree=1)
    values = clone(encoder).fit_transform(np.array(centres, dtype=float))
    expected = [np.average(values[:2], axis=0, weights=areas[:2]), np.average(values[2:], axis=0, weights=areas[2:])]
    assert_allclose(PatchPositionEncoder(encoder).fit(patches).transform(patches), expected, atol=1e-9)


BAD_PARTS = {
    "latitude out of range": ({}, [[95.0, 0.0]], None, "outside"),
    "not a number": ({}, [[np.nan, 0.0], [1.0, 1.0]], None, "NaN"),
    "three columns": ({}, np.ones((4, 3)), None, "3 features"),
    "max_degree": ({"max_degree": 0}, POINTS, None, "max_degree=0"),
    "n_components": ({"n_components": 16}, POINTS, None, "n_components=16"),
    "clip": ({"clip": -1}, POINTS, None, "clip=-1"),
    "spectrum": ({"spectrum": [1.0]}, POINTS, None, "spectrum"),
    "coordinates": ({"coordinates": "lat"}, POINTS, None, "coordinates='lat'"),
    "negative weight": ({}, POINTS, -np.ones(150), "not be negative"),
    "shape of weights": ({}, POINTS, np.ones(3), "shape"),
    "weights of a grid": ({}, GRID, np.ones(3), "shape"),
}
# As a part beside others these would do.
BAD_WHOLES = {
    "all weights zero": ({}, POINTS, np.zeros(150), "all zero"),
    "one place": ({}, [[5.0, 5.0]], None, "no extent"),
    "pole only": ({}, [[90.0, 0.0], [90.0, 10.0]], None, "total weight of X is zero"),
}
FAILURES = [(method, bad) for method in ("fit", "partial_fit") for bad in BAD_PARTS.items()]
FAILURES += [("fit", bad) for bad in BAD_WHOLES.items()]


def state(estimator):
    """Everything that an estimator has learned, arrays copied."""
    learned = vars(estimator).keys() - estimator.get_params(deep=False).keys()
    values = {name: getattr(estimator, name) for name in learned}
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def assert_same_state(after, before):
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names, but:UserWarning")
@pytest.mark.parametrize(("method", "bad"), FAILURES, ids=lambda value: value if isinstance(value, str) else value[0])
@pytest.mark.parametrize("fitted_on", ["nothing", "array", "frame"])
def test_a_fit_that_fails_leaves_the_basis_as_it_was(method, bad, fitted_on):
    parameters, X, sample_weight, message = bad[1]
    pca = SphericalHarmonicPCA(max_degree=3)
    if fitted_on == "array":
        pca.fit(POINTS)
    elif fitted_on == "frame":
        pca.fit(pytest.importorskip("pandas").DataFrame(POINTS, columns=["lat", "lon"]))
    before = state(pca)
    pca.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        getattr(pca, method)(X, sample_weight=sample_weight)
    assert_same_state(state(pca), before)


@pytest.mark.parametrize("order", [1, -1])
def test_parts_without_weight_may_come_at_any_time(order):
    rows = [np.column_stack([np.full(18, latitude), np.arange(0, 360, 20.0)]) for latitude in np.linspace(90, -90, 19)]
    pca, whole = SphericalHarmonicPCA(max_degree=3), SphericalHarmonicPCA(max_degree=3).fit(np.vstack(rows))
    for row in rows[::order]:
        pca.partial_fit(row)
    pca.partial_fit(rows[5], sample_weight=np.zeros(18))
    assert_allclose(pca.transform(POINTS), whole.transform(POINTS), atol=1e-6)


def test_a_first_part_without_weight_has_no_components_yet():
    pca = SphericalHarmonicPCA(max_degree=3).partial_fit([[90.0, 0.0]])
    assert (pca.total_weight_, pca.shannon_number_, pca.n_components_) == (0, 0, 0)
    assert pca.transform(POINTS).shape == (len(POINTS), 0)


def test_a_first_part_of_one_point_has_no_components_yet():
    pca = SphericalHarmonicPCA(max_degree=3).partial_fit(POINTS[:1])
    assert pca.transform(POINTS).shape == (len(POINTS), 0)
    pca.partial_fit(POINTS[1:])
    assert_allclose(pca.components_, clone(pca).fit(POINTS).components_, atol=1e-9)


def test_a_part_of_another_degree_leaves_the_basis_as_it_was():
    pca = SphericalHarmonicPCA(max_degree=2).fit(POINTS)
    before = state(pca)
    with pytest.raises(ValueError, match="max_degree=3 differs"):
        pca.set_params(max_degree=3).partial_fit(POINTS)
    assert_same_state(state(pca), before)
    assert_array_equal(
        pca.set_params(max_degree=2).partial_fit(GRID).mean_, clone(pca).partial_fit(POINTS).partial_fit(GRID).mean_
    )


class Refusing(SphericalHarmonicPCA):
    def fit(self, X, y=None, sample_weight=None):
        raise ValueError("refused")


ENCODER = PatchPositionEncoder(embed(max_degree=2))
UPSIDE_DOWN = PATCHES[:, [1, 0, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("transformer", "parameters", "X", "message"),
    [
        (ENCODER, {}, PATCHES[:, :5], "5 features"),
        (ENCODER, {}, UPSIDE_DOWN, "south must be less than north"),
        (ENCODER, {"average": "all"}, PATCHES, "average='all'"),
        (ENCODER, {"encoder__max_degree": 0}, PATCHES, "max_degree=0"),
        (ENCODER, {"encoder": Refusing()}, PATCHES, "refused"),
        (ENCODER, {"encoder": FrozenEstimator(embed())}, PATCHES, "not fitted"),
        (PatchScaleFeaturizer(), {}, PATCHES[:, :5], "5 features"),
        (PatchScaleFeaturizer(), {}, UPSIDE_DOWN, "south must be less than north"),
        (PatchScaleFeaturizer(), {"earth_radius": 0}, PATCHES, "earth_radius=0"),
        (PatchScaleFeaturizer(), {"log": "yes"}, PATCHES, "log='yes'"),
    ],
)
@pytest.mark.parametrize("fitted", [False, True])
def test_a_fit_that_fails_leaves_patch_transformers_as_they_were(transformer, parameters, X, message, fitted):
    columns = ["south", "north", "west", "east", "n_lat", "n_lon"]
    patches = pytest.importorskip("pandas").DataFrame(PATCHES, columns=columns)
    transformer = clone(transformer)
    expected = transformer.fit_transform(patches)
    if not fitted:
        transformer = clone(transformer)
    before, original = state(transformer), transformer.get_params()
    assert bool(before) is fitted
    with pytest.raises(ValueError, match=message):
        transformer.set_params(**parameters).fit(X)
    assert_same_state(state(transformer), before)
    if fitted:
        transformer.set_params(**{name: original[name] for name in parameters})
        assert_array_equal(transformer.transform(patches), expected)


# scikit-learn's tools around models.

GP = SphericalGaussianProcessRegressor(
    method="harmonics", max_degree=4, variance=1.0, length_scale_km=1112.0, smoothness=1.5, noise=0.1
)
TARGET = np.sin(np.radians(6 * POINTS[:, 0]))


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_ensemble_turns_swapped_frame_to_array_with_warning(order, n_jobs):
    names = ["lat", "lon"][::order]
    frame = pytest.importorskip("pandas").DataFrame(POINTS[:, ::order] / 2.0, columns=names)  # valid if swapped
    model = make_pipeline(WrapEncoder(), Ridge())
    bagging = BaggingRegressor(model, n_estimators=2, bootstrap=False, random_state=0, n_jobs=n_jobs)
    message = r"array that BaggingRegressor made of a frame with the columns \['lon', 'lat'\].*Give BaggingRegressor"
    with joblib.parallel_config("threading"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bagging.fit(frame, TARGET)
    assert [bool(re.search(message, str(warning.message))) for warning in caught] == [True] * (2 if order < 0 else 0)
    if order > 0:
        assert_allclose(bagging.predict(frame), model.fit(frame, TARGET).predict(frame), atol=1e-12)


def test_ensemble_of_documented_order_does_not_warn():
    BaggingRegressor(make_pipeline(WrapEncoder(), Ridge()), n_estimators=2).fit(POINTS, TARGET).predict(POINTS)
    frame = pytest.importorskip("pandas").DataFrame(POINTS[:, ::-1], columns=["lon", "lat"])
    turned = make_pipeline(FunctionTransformer(lambda X: X[["lat", "lon"]].to_numpy()), WrapEncoder(), Ridge())
    assert_allclose(
        turned.fit(frame, TARGET).fit(frame, TARGET).predict(frame),
        make_pipeline(WrapEncoder(), Ridge()).fit(POINTS, TARGET).predict(POINTS),
        atol=1e-12,
    )


@pytest.mark.parametrize("order", [1, -1])
def test_permutation_importance_keeps_order_of_frame(order):
    frame = pytest.importorskip("pandas").DataFrame(POINTS[:, ::order], columns=["lat", "lon"][::order])
    model = make_pipeline(WrapEncoder(), Ridge()).fit(frame, TARGET)
    named = permutation_importance(model, frame, TARGET, random_state=0).importances_mean
    with pytest.warns(CoordinateWarning, match="X does not have valid feature names"):
        array = permutation_importance(model, frame.to_numpy(), TARGET, random_state=0).importances_mean
    assert_allclose(array, named, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (GP, {"length_scale_km": [556.0, 1112.0]}),
        (embed(max_degree=3, n_components=15), {"area_weighted": [True, False]}),
    ],
    ids=["Gaussian process", "components"],
)
@pytest.mark.parametrize("action", ["always", "default"])
def test_a_search_warns_once_of_what_is_not_resolved(model, grid, action):
    def score(fitted, X, y=None):
        return 0.0

    places = POINTS * 0.01 + [40.0, 20.0]
    search = GridSearchCV(model, grid, scoring=score, cv=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        search.fit(places, TARGET)
    assert [warning.category for warning in caught] == [ResolutionWarning]
    assert caught[0].filename == __file__
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        cross_validate(model, places, TARGET, scoring=score, cv=3)
    assert [warning.category for warning in caught] == [ResolutionWarning]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        search.set_params(refit=False).fit(places, TARGET)
    assert [warning.category for warning in caught] == [ResolutionWarning]
