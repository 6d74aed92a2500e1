"""The mean of a Gaussian process by covariates: beside dense generalised least squares, and a plain loop over folds."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_regression
from sklearn.dummy import DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process.kernels import Matern
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

import reference
import skgeo
from skgeo import LatLonGrid, SphericalGaussianProcessRegressor
from skgeo.exceptions import CoordinateError, CoordinateWarning
from skgeo.inspection import PredictionMapDisplay
from skgeo.model_selection import SphericalBlockKFold

RNG = np.random.default_rng(0)
GIVEN = {"variance": 0.9, "length_scale_km": 2500.0, "smoothness": 1.5, "noise": 0.1}


def stations(n, seed):
    """Places with an elevation in metres and a truth value as covariates; the coordinates stand between them."""
    rng, places = np.random.default_rng(seed), reference.uniform_points(n, seed=seed)
    elevation, wet = rng.gamma(2.0, 500.0, n), rng.random(n) < 0.4
    return pd.DataFrame({"elevation": elevation, "lat": places[:, 0], "lon": places[:, 1], "wet": wet})


X, NEW = stations(60, 0), stations(9, 1)
FIELD = 3.0 * np.sin(np.radians(2.0 * X.lat))
Y = (20.0 - 0.0065 * X.elevation + 2.0 * X.wet + FIELD + RNG.normal(0.0, 0.3, 60)).to_numpy()
WEIGHT = RNG.uniform(0.3, 3.0, 60)


def gp(mean="linear", **options):
    return SphericalGaussianProcessRegressor(mean=mean, **(GIVEN | options))


def dense_universal_kriging(model, X, y, weight, new, constant=True):
    """Prediction, covariance, coefficients and their covariance by dense matrices, in the units of y."""
    kernel = Matern(model.length_scale_km_ / 6371.0088, nu=model.smoothness_)
    at, places = (reference.vectors(frame[["lat", "lon"]].to_numpy()) for frame in (X, new))
    variance = model.variance_ * model.target_scale_[0] ** 2
    ones = [1.0] * int(constant)
    H, h = (np.array([[*ones, row.elevation, row.wet] for row in frame.itertuples()], float) for frame in (X, new))
    C = variance * (kernel(at) + np.diag(model.noise_ / model.variance_ / weight))
    precision = H.T @ np.linalg.solve(C, H)
    coefficients = np.linalg.solve(precision, H.T @ np.linalg.solve(C, y))
    cross = variance * kernel(places, at)
    rest = h - cross @ np.linalg.solve(C, H)
    covariance = variance * kernel(places) - cross @ np.linalg.solve(C, cross.T)
    covariance += rest @ np.linalg.solve(precision, rest.T)
    mean = h @ coefficients + cross @ np.linalg.solve(C, y - H @ coefficients)
    return mean, covariance, coefficients, np.linalg.inv(precision)


@pytest.mark.parametrize("options", [{}, {"method": "neighbours", "n_neighbors": 70}, {"length_scale_km": None}])
def test_linear_mean_is_dense_universal_kriging(options):
    model = gp(**options).fit(X, Y, WEIGHT)
    mean, covariance, coefficients, spread = dense_universal_kriging(model, X, Y, WEIGHT, NEW)
    found, std = model.predict(NEW, return_std=True)
    assert_allclose(found, mean, rtol=1e-8)
    assert_allclose(std, np.sqrt(np.diagonal(covariance)), rtol=1e-8)
    assert_allclose(model.predict(NEW, return_cov=True)[1], covariance, rtol=1e-8, atol=1e-8)
    assert_allclose([model.intercept_, *model.coef_], coefficients, rtol=1e-8)
    assert_allclose(model.coef_std_, np.sqrt(np.diagonal(spread))[1:], rtol=1e-8)
    assert_allclose(model.mean_, coefficients @ [1.0, *(WEIGHT @ X[["elevation", "wet"]] / WEIGHT.sum())])


def test_linear_mean_without_a_constant():
    model = gp(normalize_y=False).fit(X, Y, WEIGHT)
    mean, covariance, coefficients, _ = dense_universal_kriging(model, X, Y, WEIGHT, NEW, constant=False)
    found, std = model.predict(NEW, return_std=True)
    assert_allclose(found, mean, rtol=1e-8)
    assert_allclose(std, np.sqrt(np.diagonal(covariance)), rtol=1e-8)
    assert_allclose(model.coef_, coefficients, rtol=1e-8)
    assert_allclose([model.intercept_, *model.mean_], 0.0, atol=1e-12)


def test_draws_have_the_mean_and_the_covariance():
    model = gp().fit(X, Y)
    # 1,001 places are drawn by neighbours, in linear time.
    many = pd.concat([NEW, stations(992, 3)], ignore_index=True)
    mean, std = model.predict(NEW, return_std=True)
    for frame in (NEW, many):
        draws = model.sample_y(frame, 500, random_state=0)[: len(NEW)]
        assert_allclose(draws.mean(axis=1), mean, atol=0.2 * std.max())
        assert_allclose(draws.std(axis=1), std, rtol=0.15)


def test_likelihood_does_not_depend_on_the_units_of_covariates():
    model = gp(length_scale_km=None, noise=None, variance=None).fit(X, Y)
    other = clone(model).fit(X.assign(elevation=X.elevation / 1000.0 - 3.0), Y)
    assert_allclose(other.predict(NEW.assign(elevation=NEW.elevation / 1000.0 - 3.0)), model.predict(NEW))
    assert_allclose(other.log_marginal_likelihood_value_, model.log_marginal_likelihood_value_)
    value, slope = model.log_marginal_likelihood(eval_gradient=True)
    assert_allclose(value, model.log_marginal_likelihood_value_)
    assert_allclose(slope, 0.0, atol=0.05)


def test_repeated_visits_with_covariates_of_their_own():
    """Observations at one place are merged, and their covariates differ: the result is that of all rows."""
    visits = pd.concat([X, X.assign(elevation=X.elevation + 300.0), X[:20]], ignore_index=True)
    y = np.concatenate([Y, Y - 2.5, Y[:20] + 0.2])
    model = gp().fit(visits, y)
    mean, covariance, coefficients, _ = dense_universal_kriging(model, visits, y, np.ones(len(y)), NEW)
    found, std = model.predict(NEW, return_std=True)
    assert_allclose(found, mean, rtol=1e-7)
    assert_allclose(std, np.sqrt(np.diagonal(covariance)), rtol=1e-7)
    assert_allclose(model.coef_, coefficients[1:], rtol=1e-7)


def test_parts_of_a_linear_mean():
    whole = gp().fit(X, Y, WEIGHT)
    parts = gp().partial_fit(X[:25], Y[:25], WEIGHT[:25]).partial_fit(X[25:], Y[25:], WEIGHT[25:])
    assert_allclose(parts.predict(NEW), whole.predict(NEW), rtol=1e-10)
    assert_allclose(parts.coef_std_, whole.coef_std_, rtol=1e-10)
    assert_allclose(parts.log_marginal_likelihood_value_, whole.log_marginal_likelihood_value_, rtol=1e-10)
    with pytest.raises(ValueError, match="mean='constant' differs from that of the earlier parts"):
        parts.set_params(mean="constant").partial_fit(X[["lat", "lon"]], Y)
    with pytest.raises(AttributeError) as failure:
        gp(Ridge()).partial_fit(X, Y)
    assert "partial_fit with a regressor as mean: expected 'constant' or 'linear'" in str(failure.value.__cause__)


def test_several_targets_share_the_covariates():
    both = np.column_stack([Y, 3.0 * Y - X.elevation / 100.0])
    model = gp().fit(X, both)
    assert model.coef_.shape == model.coef_std_.shape == (2, 2)
    first = gp().fit(X, Y)
    assert_allclose(model.predict(NEW)[:, 0], first.predict(NEW))
    assert_allclose(model.coef_[0], first.coef_)
    assert_allclose(model.predict(NEW, return_std=True)[1][:, 0], first.predict(NEW, return_std=True)[1])
    with pytest.raises(
        ValueError, match="y has 2 outputs, and mean=Ridge.* takes one: expected one estimator for each"
    ):
        gp(Ridge()).fit(X, both)
    assert clone(model).__sklearn_tags__().target_tags.multi_output
    assert not gp(Ridge()).__sklearn_tags__().target_tags.multi_output


def test_covariates_that_say_nothing_are_left_out():
    surplus = X.assign(copy=X.elevation * 2.0 + 5.0, one=7.0)
    with pytest.warns(UserWarning, match=r"covariates \['copy', 'one'\] are constant, or linear combinations"):
        model = gp().fit(surplus, Y)
    assert_allclose(model.coef_[2:], 0.0)
    assert np.isnan(model.coef_std_[2:]).all()
    expected = gp().fit(X, Y)
    assert_allclose(model.predict(NEW.assign(copy=0.0, one=0.0)), expected.predict(NEW))
    # A category that the subsets of the search do not see.
    rare = X.assign(rare=np.arange(len(X)) == 5)
    assert np.isfinite(gp(noise=None).fit(pd.concat([rare] * 2), np.append(Y, Y)).coef_).all()
    # More covariates than observations.
    with pytest.warns(UserWarning, match="are left out"):
        few = gp().fit(X[:2], Y[:2])
    assert np.isfinite(few.predict(NEW)).all()


# Regressors.


ALL = [(np.arange(60), np.arange(60))]


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("cv", [None, 4, KFold(3), SphericalBlockKFold(3, n_blocks=12)])
def test_regressor_is_cross_fitted(cv, weight):
    """It is a linear mean whose covariate is predicted by models of other folds, here in a plain loop."""
    tree, table, places = DecisionTreeRegressor(max_depth=3), X[["elevation", "wet"]], X[["lat", "lon"]].to_numpy()
    splitter = cv if hasattr(cv, "split") else KFold(5 if cv is None else cv, shuffle=True, random_state=0)
    trend = np.empty_like(Y)
    for train, test in splitter.split(places):
        part = None if weight is None else weight[train]
        trend[test] = clone(tree).fit(table.iloc[train], Y[train], sample_weight=part).predict(table.iloc[test])
    linear = gp("linear").fit(np.column_stack([places, trend]), Y, weight)
    whole = clone(tree).fit(table, Y, sample_weight=weight)
    new = np.column_stack([NEW[["lat", "lon"]], whole.predict(NEW[["elevation", "wet"]])])
    model = gp(tree, cv=cv).fit(X, Y, weight)
    assert_allclose(model.predict(NEW, return_std=True), linear.predict(new, return_std=True))
    assert_allclose(model.predict(NEW, return_cov=True)[1], linear.predict(new, return_cov=True)[1])
    assert_allclose(model.sample_y(NEW, 3), linear.sample_y(new, 3))
    assert_allclose([model.coef_, model.coef_std_], [linear.coef_, linear.coef_std_])
    assert not hasattr(tree, "tree_")  # it is cloned
    assert list(model.mean_model_.feature_names_in_) == ["elevation", "wet"]


def test_repeated_folds_are_averaged():
    tree = DecisionTreeRegressor(max_depth=3)
    twice = [split for seed in (0, 1) for split in KFold(5, shuffle=True, random_state=seed).split(X)]
    table = X[["elevation", "wet"]]
    trends = [cross_val_predict(tree, table, Y, cv=twice[i : i + 5]) for i in (0, 5)]
    linear = gp().fit(np.column_stack([X[["lat", "lon"]], np.mean(trends, axis=0)]), Y)
    assert_allclose(gp(tree, cv=twice).fit(X, Y).coef_, linear.coef_)


def test_a_trained_model_as_mean_is_kept():
    trained = Ridge().fit(X[["elevation", "wet"]], Y / 2.0 - 5.0)
    model = gp(FrozenEstimator(trained)).fit(X, Y)
    tables = [
        np.column_stack([frame[["lat", "lon"]], trained.predict(frame[["elevation", "wet"]])]) for frame in (X, NEW)
    ]
    assert_allclose(model.predict(NEW), gp().fit(tables[0], Y).predict(tables[1]))
    assert 1.8 < model.coef_[0] < 2.2


def test_a_regressor_that_knows_nothing_is_left_out():
    """Leaving one out, the mean of the others is an exact linear function of y, which falls."""
    expected = gp("constant").fit(X[["lat", "lon"]], Y).predict(NEW[["lat", "lon"]], return_std=True)
    for cv in (None, 60, SphericalBlockKFold(3, n_blocks=12)):
        with pytest.warns(
            UserWarning,
            match=r"mean=DummyRegressor\(...\) .* do not rise with y: the mean of the field leaves them out",
        ):
            model = gp(DummyRegressor(), cv=cv).fit(X, Y)
        assert_allclose(model.predict(NEW, return_std=True), expected)
        assert_allclose(model.coef_, 0.0)


def test_pipeline_takes_the_columns_as_they_are():
    soil = np.where(X.wet, "peat", "sand")
    encode = make_column_transformer((OneHotEncoder(drop="first"), ["soil"]), remainder="passthrough")
    model = gp(make_pipeline(encode, SimpleImputer(), LinearRegression()), cv=ALL)
    table = X.drop(columns="wet").assign(soil=soil, elevation=X.elevation.where(X.elevation > 100.0))
    new = NEW.drop(columns="wet").assign(soil=np.where(NEW.wet, "peat", "sand"))
    numbers = X.assign(elevation=table.elevation.fillna(table.elevation.mean()))
    expected = gp(LinearRegression(), cv=ALL).fit(numbers, Y).predict(NEW)
    assert_allclose(model.fit(table, Y).predict(new), expected, rtol=1e-6)


def test_weights_reach_the_last_step_of_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), Ridge())
    model = gp(pipeline, cv=ALL).fit(X, Y, WEIGHT)
    expected = clone(pipeline).fit(X[["elevation", "wet"]], Y, ridge__sample_weight=WEIGHT)
    assert_allclose(model.mean_model_[-1].coef_, expected[-1].coef_)
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), Ridge().set_fit_request(sample_weight=True)
        )
        assert_allclose(gp(routed, cv=ALL).fit(X, Y, WEIGHT).mean_model_[-1].coef_, expected[-1].coef_)
        with pytest.warns(UserWarning, match="takes no sample_weight: it is fitted without weights"):
            gp(pipeline, cv=ALL).fit(X, Y, WEIGHT)
    with pytest.warns(UserWarning, match=r"mean=KNeighborsRegressor\(...\) takes no sample_weight"):
        gp(KNeighborsRegressor(3)).fit(X, Y, WEIGHT)
    # Equal weights do not matter to a trend.
    gp(KNeighborsRegressor(3)).fit(X, Y, np.full(60, 2.0))


def test_search_over_the_mean():
    search = GridSearchCV(gp(Ridge()), {"mean__alpha": [1e-3, 1e3]}, cv=SphericalBlockKFold(3, n_blocks=20))
    search.fit(X, Y)
    assert search.best_params_ == {"mean__alpha": 1e-3}
    assert search.best_estimator_.mean_model_.alpha == 1e-3
    assert cross_val_score(gp(), X, Y, cv=3).mean() > cross_val_score(gp("constant"), X[["lat", "lon"]], Y, cv=3).mean()


def test_observations_of_weight_zero_may_lack_covariates():
    weight = WEIGHT.copy()
    weight[::7] = 0.0
    lacking = X.assign(elevation=X.elevation.where(weight > 0.0))
    y = np.where(weight > 0.0, Y, np.nan)
    for mean in ("linear", Ridge()):
        model = gp(mean).fit(lacking, y, weight)
        kept = weight > 0.0
        assert_allclose(model.predict(NEW), gp(mean).fit(X[kept], Y[kept], weight[kept]).predict(NEW))
    # An iterable of splits numbers all rows of X.
    splits = list(KFold(3).split(X))
    parts = [tuple(np.flatnonzero(np.isin(np.flatnonzero(kept), rows)) for rows in split) for split in splits]
    found = gp(Ridge(), cv=splits).fit(lacking, y, weight).predict(NEW)
    assert_allclose(found, gp(Ridge(), cv=parts).fit(X[kept], Y[kept], weight[kept]).predict(NEW))


# Input of all kinds.


def test_frames_arrays_and_geometries_are_alike():
    order = ["lat", "lon", "elevation", "wet"]
    expected = gp().fit(X, Y).predict(NEW)
    arrays = [frame[order].to_numpy(dtype=float) for frame in (X, NEW)]
    model = gp().fit(arrays[0], Y)
    assert model.n_features_in_ == 4
    assert_allclose(model.predict(arrays[1]), expected)
    assert_allclose(gp().fit(arrays[0].tolist(), Y).predict(arrays[1].tolist()), expected)
    fitted = gp().fit(X, Y)
    assert_allclose(fitted.predict(NEW[["wet", "lon", "lat", "elevation"]]), expected)  # by name, in any order
    with pytest.warns(CoordinateWarning, match="X does not have valid feature names"):
        found = fitted.predict(NEW.to_numpy(dtype=float))
    assert_allclose(found, expected)
    with pytest.warns(
        CoordinateWarning, match=r"fitted without feature names: .* \['elevation', 'wet'\], in this order"
    ):
        assert_allclose(model.predict(NEW), expected)
    renamed = X.rename(columns={"lat": "phi", "lon": "lambda"})
    named = gp(coordinates=("phi", "lambda")).fit(renamed, Y)
    assert_allclose(named.predict(NEW.rename(columns={"lat": "phi", "lon": "lambda"})), expected)


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "geopandas", "dask.dataframe"])
@pytest.mark.parametrize("mean", ["linear", DecisionTreeRegressor(max_depth=3)])
def test_frames_of_other_libraries(kind, mean):
    library = pytest.importorskip(kind)
    make = {
        "polars": lambda frame: library.DataFrame(frame.to_dict("list")),
        "pyarrow": lambda frame: library.table(frame.to_dict("list")),
        "geopandas": lambda frame: library.GeoDataFrame(
            frame[["elevation", "wet"]], geometry=library.points_from_xy(frame.lon, frame.lat), crs=4326
        ),
        "dask.dataframe": lambda frame: library.from_pandas(frame, npartitions=2),
    }[kind]
    model = gp(mean).fit(make(X), Y)
    assert_allclose(model.predict(make(NEW)), gp(mean).fit(X, Y).predict(NEW))
    assert model.n_features_in_ == (3 if kind == "geopandas" else 4)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (NEW[["lat", "lon"]], "has no covariates for the mean: expected a DataFrame with the coordinates and"),
        (NEW[["lat", "lon"]].to_numpy(), "has no covariates for the mean"),
        (LatLonGrid([0.0, 10.0], [0.0, 10.0]), "X, a LatLonGrid, has no covariates .* one row for each of its cells"),
        (NEW.drop(columns="wet"), r"it lacks \['wet'\], and \[\] are new"),
        (NEW.assign(slope=1.0), r"it lacks \[\], and \['slope'\] are new"),
        (NEW.to_numpy(float)[:, :3], "X has 3 features, but SphericalGaussianProcessRegressor is expecting 4 features"),
        (NEW.assign(elevation=np.nan), r"covariates \['elevation'\] contain NaN or infinity in 9 rows"),
        (NEW.assign(wet="no"), r"covariates \['wet'\] hold no numbers"),
        (NEW.assign(lat=95.0), "X has latitudes outside"),
        (NEW.to_numpy(float)[0], "X has 1 dimensions"),
    ],
)
def test_places_without_the_covariates_of_the_fit(table, message):
    model = gp().fit(X, Y)
    for method in (model.predict, model.sample_y):
        with pytest.raises(ValueError, match=message):
            method(table)


@pytest.mark.parametrize(
    ("table", "mean", "message"),
    [
        (X, "constant", r"mean='constant' expects latitude and longitude only; surplus: \['elevation', 'wet'\]"),
        (X[["lat", "lon"]], "linear", "has no covariates for the mean"),
        (X[["lat", "lon"]], Ridge(), "has no covariates for the mean"),
        (X.assign(soil="sand", day=pd.Timestamp(0)), "linear", r"\['soil', 'day'\] hold no numbers. .*OneHotEncoder"),
        (X.assign(soil="sand"), Ridge(), r"mean=Ridge\(...\) cannot be fitted: .*\['soil'\] hold no numbers"),
        (X.assign(wet=1j), "linear", r"\['wet'\] hold no numbers"),
        (X.assign(elevation=np.inf), "linear", r"\['elevation'\] contain NaN or infinity in 60 rows, first row 0"),
        (pd.concat([X, X.wet], axis=1), "linear", r"covariates \['wet'\] more than once"),
        (X, "quadratic", "mean='quadratic': expected 'constant', 'linear' or a regressor"),
        (X, Ridge, "expected 'constant', 'linear' or a regressor"),
        (X, LogisticRegression(), "expected 'constant', 'linear' or a regressor"),
        (X, StandardScaler(), "expected 'constant', 'linear' or a regressor"),
        (X, None, "mean=None: expected 'constant', 'linear' or a regressor"),
    ],
)
def test_bad_covariates_and_means(table, mean, message):
    with pytest.raises(ValueError, match=message):
        gp(mean).fit(table, Y)


class Infinite(DummyRegressor):
    def predict(self, X):
        return np.full(len(X), np.inf)


def test_other_bad_parameters():
    for cv in (1, "five", 2.5):
        with pytest.raises(ValueError, match=f"cv={cv!r}: expected None, an integer, at least 2"):
            gp(Ridge(), cv=cv).fit(X, Y)
    with pytest.raises(ValueError, match="tests 3 of 60 observations: expected folds that test each of them"):
        gp(Ridge(), cv=[(np.arange(3, 60), np.arange(3))]).fit(X, Y)
    with pytest.raises(ValueError, match="method='harmonics' takes mean='constant' only: expected another method"):
        gp(method="harmonics").fit(X, Y)
    with pytest.raises(ValueError, match="needs folds, and there is 1 sample"):
        gp(Ridge()).fit(X[:1], Y[:1])
    with pytest.raises(ValueError, match=r"Infinite\(...\) predicts NaN or infinity for some of the rows"):
        gp(Infinite()).fit(X, Y)
    with pytest.raises(CoordinateError, match="more than one pair looks like"):
        gp().fit(X.assign(start_lat=1.0, lng=2.0, latitude=3.0), Y)


def test_a_failed_fit_and_another_mean_leave_no_traces():
    model = gp().fit(X, Y)
    before = model.predict(NEW)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X.assign(elevation=np.nan), Y)
    assert_allclose(model.predict(NEW), before)
    # A parameter that was changed counts from the next fit on.
    assert_allclose(model.set_params(mean="constant").predict(NEW), before)
    model.fit(X[["lat", "lon"]], Y)
    assert not hasattr(model, "coef_")
    assert model.n_features_in_ == 2
    model.set_params(mean=Ridge()).fit(X, Y)
    assert model.coef_.shape == (1,)
    assert hasattr(model, "mean_model_")
    assert not hasattr(model.set_params(mean="linear").fit(X, Y), "mean_model_")


# Files and maps.


def test_files(tmp_path):
    for mean in ("linear", make_pipeline(StandardScaler(), Ridge())):
        model = gp(mean).fit(X, Y)
        skgeo.save(model, tmp_path / "model.npz")
        loaded = skgeo.load(tmp_path / "model.npz")
        assert (loaded.predict(NEW) == model.predict(NEW)).all()
    with pytest.raises(TypeError, match=r"SphericalGaussianProcessRegressor.mean=.* cannot be saved: .*skops"):
        skgeo.save(gp(DecisionTreeRegressor()).fit(X, Y), tmp_path / "tree.npz")


def test_files_of_neighbours_without_a_column_that_says_nothing(tmp_path):
    table = X.assign(constant=1.0)
    with pytest.warns(UserWarning, match="are left out"):
        model = gp(method="neighbours", n_neighbors=10).fit(table, Y)
    skgeo.save(model, tmp_path / "model.npz")
    new = NEW.assign(constant=1.0)
    assert (skgeo.load(tmp_path / "model.npz").predict(new) == model.predict(new)).all()


GRID = LatLonGrid(np.arange(-20.0, 21.0, 10.0), np.arange(0.0, 50.0, 10.0), mask=np.arange(25).reshape(5, 5) > 2)


def covariates_of_map():
    points = GRID.points()
    return pd.DataFrame({"lat": points[:, 0], "lon": points[:, 1], "elevation": np.arange(25.0), "wet": False})


def test_maps_from_a_frame_of_the_covariates():
    model, frame = gp().fit(X, Y), covariates_of_map()
    mean, std = model.predict(frame, return_std=True)
    inside = GRID.mask.ravel()
    # At masked cells covariates may be missing.
    lacking = frame.assign(elevation=frame.elevation.where(inside))
    display = PredictionMapDisplay.from_estimator(model, lacking, grid=GRID, kind="std", target_name="T", unit="K")
    assert display.label == "standard deviation of T (K)"
    assert_allclose(np.ravel(display.values)[inside], std[inside])
    assert np.isnan(np.ravel(display.values)[~inside]).all()
    found = PredictionMapDisplay.from_estimator(model, lacking, grid=GRID)
    assert_allclose(np.ravel(found.values)[inside], mean[inside])
    # Dots at the samples.
    assert_allclose(PredictionMapDisplay.from_estimator(model, frame, kind="std").values, std)
    given = PredictionMapDisplay.from_predictions(None, std, grid=GRID, kind="std")
    assert given.label == "standard deviation"
    with pytest.raises(ValueError, match="has no covariates for the mean: .* for a map, one row for each of its cells"):
        PredictionMapDisplay.from_estimator(model, grid=GRID)
    with pytest.raises(ValueError, match="X has 24 rows and grid 25 cells"):
        PredictionMapDisplay.from_estimator(model, frame[1:], grid=GRID)
    with pytest.raises(ValueError, match=r"X has 24 rows that do not lie at their cells .* rows in the C order"):
        PredictionMapDisplay.from_estimator(model, frame[::-1], grid=GRID)
    with pytest.raises(ValueError, match="kind='std': Ridge predicts no standard deviation"):
        PredictionMapDisplay.from_estimator(Ridge().fit(frame, frame.lat), frame, kind="std")


def test_maps_of_deviations_without_covariates():
    model = gp("constant").fit(X[["lat", "lon"]], Y)
    display = PredictionMapDisplay.from_estimator(model, grid=GRID, kind="std")
    assert_allclose(np.ravel(display.values), model.predict(GRID, return_std=True)[1])


def test_tables_of_any_width_in_a_pipeline():
    """Numbers without names, as scikit-learn's own data: two coordinates, and what follows them."""
    table, y = make_regression(50, 6, n_informative=5, noise=1.0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoordinateWarning)  # they fill the range of radians
        assert cross_val_score(SphericalGaussianProcessRegressor(mean="linear"), table, y, cv=3).min() > 0.5
