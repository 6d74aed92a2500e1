"""SphericalGaussianProcessRegressor with the methods "exact" and "neighbours": beside scikit-learn, and properties."""

import pickle
import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import cross_val_predict

import reference
import skgeo
from skgeo import CellGrid, LatLonGrid, SphericalGaussianProcessRegressor
from skgeo._gaussian_process import _matern
from skgeo.exceptions import ResolutionWarning

RADIUS_KM = 6371.0088
GIVEN = {"variance": 1.7, "length_scale_km": 0.6 * RADIUS_KM, "smoothness": 1.5, "noise": 0.2}
X = reference.uniform_points(60, seed=0)
NEW = reference.uniform_points(25, seed=1)
Y = np.sin(np.radians(3 * X[:, 0])) + np.cos(np.radians(X[:, 1])) + np.random.default_rng(2).normal(0, 0.4, 60)
Y2 = np.column_stack([Y, 40.0 - 3.0 * np.cos(np.radians(X[:, 0]))])
WEIGHT = np.random.default_rng(3).uniform(0.2, 4.0, 60)
#: The exact process, and that of neighbours with all neighbours, which is the same.
WAYS = {"exact": {"method": "exact"}, "neighbours": {"method": "neighbours", "n_neighbors": 59}}
both_ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def given(**options):
    return SphericalGaussianProcessRegressor(**GIVEN | options)


def peer(alpha=GIVEN["noise"], kernel=None, **options):
    kernel = ConstantKernel(1.7) * Matern(0.6, nu=1.5) if kernel is None else kernel
    return GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None, **options)


@both_ways
@pytest.mark.parametrize("y", [Y, Y2], ids=["one", "two"])
def test_predictions_and_likelihood_are_those_of_scikit_learn(way, y):
    model = given(normalize_y=False, **way).fit(X, y, WEIGHT)
    other = peer(GIVEN["noise"] / WEIGHT).fit(reference.vectors(X), y)
    places = reference.vectors(NEW)
    for got, expected in zip(model.predict(NEW, return_std=True), other.predict(places, return_std=True), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(
        model.predict(NEW, return_cov=True)[1], other.predict(places, return_cov=True)[1], atol=1e-10
    )
    assert model.log_marginal_likelihood_value_ == pytest.approx(other.log_marginal_likelihood(), rel=1e-10)


@both_ways
def test_an_unknown_mean_is_a_constant_kernel_of_large_variance(way):
    model = given(**way).fit(X, Y)
    y = (Y - model.target_mean_) / model.target_scale_
    other = peer(kernel=ConstantKernel(1.7) * Matern(0.6, nu=1.5) + ConstantKernel(1e6))
    mean, std = other.fit(reference.vectors(X), y).predict(reference.vectors(NEW), return_std=True)
    got_mean, got_std = model.predict(NEW, return_std=True)
    np.testing.assert_allclose(got_mean, model.target_mean_ + model.target_scale_ * mean, atol=1e-5)
    np.testing.assert_allclose(got_std, model.target_scale_ * std, rtol=1e-5)
    # Far from all data of a short field the prediction is the mean.
    far = given(length_scale_km=20.0, **way).fit(X, Y)
    assert far.predict(NEW[:1])[0] == pytest.approx(far.mean_[0])


def test_the_maximum_is_that_of_a_search_with_scikit_learn():
    model = SphericalGaussianProcessRegressor(smoothness=1.5, normalize_y=False).fit(X, Y)
    kernel = ConstantKernel() * Matern(0.5, (0.01, 10.0), nu=1.5) + WhiteKernel(0.1)
    other = GaussianProcessRegressor(kernel, alpha=0).fit(reference.vectors(X), Y)
    variance, length, noise = np.exp(other.kernel_.theta)
    found = model.variance_, model.length_scale_km_ / RADIUS_KM, model.noise_
    np.testing.assert_allclose(found, (variance, length, noise), rtol=2e-2)
    assert model.log_marginal_likelihood_value_ == pytest.approx(other.log_marginal_likelihood_value_, abs=1e-4)
    np.testing.assert_allclose(np.exp(model.theta_), [model.variance_, model.length_scale_km_, model.noise_])


@both_ways
def test_the_smoothness_is_the_likeliest(way):
    model = SphericalGaussianProcessRegressor(**way).fit(X, Y)
    values = {nu: clone(model).set_params(smoothness=nu).fit(X, Y) for nu in (0.5, 1.5, 2.5, 4.5)}
    best = max(other.log_marginal_likelihood_value_ for other in values.values())
    assert model.log_marginal_likelihood_value_ == best
    assert values[model.smoothness_].log_marginal_likelihood_value_ == best


@both_ways
@pytest.mark.parametrize("fixed", [{}, {"variance": 2.0}, {"noise": 0.05}, {"variance": 2.0, "length_scale_km": 900.0}])
def test_the_gradient_is_zero_at_the_maximum_but_for_what_is_given(way, fixed):
    model = SphericalGaussianProcessRegressor(smoothness=1.5, **fixed, **way).fit(X, Y)
    value, gradient = model.log_marginal_likelihood(model.theta_, eval_gradient=True)
    assert value == pytest.approx(model.log_marginal_likelihood_value_, rel=1e-9)
    names = ("variance", "length_scale_km", "noise")
    free = [name not in fixed for name in names]
    np.testing.assert_allclose(gradient[free], 0.0, atol=2e-2)
    assert {name: getattr(model, f"{name}_") for name in fixed} == pytest.approx(fixed)


def test_auto_is_exact_for_few_places_and_neighbours_for_many(monkeypatch):
    assert given().fit(X, Y).method_ == "exact"
    many = reference.uniform_points(1001, seed=4)
    assert given().fit(many, many[:, 0]).method_ == "neighbours"
    assert given().fit(np.vstack([many[:1000], many[:500]]), np.arange(1500.0)).method_ == "exact"
    monkeypatch.setattr(_matern, "_MAX_EXACT", 59)
    with pytest.raises(
        ValueError, match="method='exact' with 60 places: expected at most 59, because it needs matrices"
    ):
        given(method="exact").fit(X, Y)


def test_neighbours_are_nearly_exact():
    places = reference.uniform_points(500, seed=5)
    covariance = Matern(0.4, nu=1.5)(reference.vectors(places)) + 1e-10 * np.eye(500)
    field = np.linalg.cholesky(covariance) @ np.random.default_rng(6).normal(size=500)
    y = field + np.random.default_rng(7).normal(0, 0.3, 500)
    found = {}
    for method in ("exact", "neighbours"):
        model = given(method=method, length_scale_km=0.4 * RADIUS_KM, noise=0.09).fit(places[:350], y[:350])
        found[method] = model.predict(places[350:], return_std=True)
    (mean, std), (near_mean, near_std) = found["exact"], found["neighbours"]
    assert np.sqrt(np.mean(((near_mean - mean) / std) ** 2)) < 0.1
    np.testing.assert_allclose(near_std, std, rtol=0.05)


@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_intervals_cover_what_they_promise(method):
    """A field of the prior at clustered places: variance, length and noise are found, 3 points are allowed."""
    rng = np.random.default_rng(8)
    centres = reference.uniform_points(60, seed=9)
    places = np.vstack([centres * 0.9, np.repeat(centres * 0.9, 12, axis=0) + rng.normal(0, 2.0, (720, 2))])
    train = np.sort(rng.permutation(len(places))[:300])
    test = np.setdiff1d(np.arange(len(places)), train)
    covariance = Matern(0.25, nu=0.5)(reference.vectors(places))
    y = np.linalg.cholesky(covariance) @ rng.normal(size=(len(places), 3)) + rng.normal(0, 0.3, (len(places), 3))
    model = SphericalGaussianProcessRegressor(method=method, smoothness=0.5).fit(places[train], y[train])
    mean, std = model.predict(places[test], return_std=True)
    z = np.abs(y[test] - mean) / np.hypot(std, model.noise_std_)
    for quantile, level in ((0.6744898, 0.5), (1.6448536, 0.9), (1.959964, 0.95)):
        assert np.mean(z < quantile) == pytest.approx(level, abs=0.03)


@pytest.mark.parametrize("joint", [True, False], ids=["joint", "simulated"])
@pytest.mark.parametrize("way", [{"method": "exact"}, {"method": "neighbours", "n_neighbors": 8}])
def test_samples_have_mean_and_covariance_of_prediction(way, joint, monkeypatch):
    monkeypatch.setattr(_matern, "_MAX_JOINT_DRAWS", 1000 * joint)
    model = given(**way).fit(X, Y2)
    places = NEW[:5]
    mean, covariance = model.predict(places, return_cov=True)
    std = model.predict(places, return_std=True)[1]
    samples = model.sample_y(places, 10_000, random_state=1)
    assert samples.shape == (5, 2, 10_000)
    for target in range(2):
        np.testing.assert_allclose(np.sqrt(np.diagonal(covariance[..., target])), std[:, target], rtol=1e-9)
        spread = std[:, target]
        error = np.abs(samples[:, target].mean(axis=1) - mean[:, target])
        assert (error < 5 * spread / 100).all()
        off = np.abs(np.cov(samples[:, target]) - covariance[..., target]) / np.outer(spread, spread)
        assert off.max() < 0.06
    assert abs(np.corrcoef(samples[0])[0, 1]) < 0.05
    np.testing.assert_array_equal(model.sample_y(places, 2), model.sample_y(places, 2))


@both_ways
def test_parts_in_any_order_are_a_fit_on_the_whole(way):
    whole = SphericalGaussianProcessRegressor(smoothness=1.5, **way).fit(X, Y2 + 270.0, WEIGHT)
    parts = clone(whole)
    for part in (slice(40, 60), slice(0, 7), slice(7, 40)):
        parts.partial_fit(X[part], Y2[part] + 270.0, WEIGHT[part])
    assert parts.n_observations_ == whole.n_observations_ == 60
    np.testing.assert_allclose(parts.theta_, whole.theta_, atol=1e-6)
    np.testing.assert_allclose(parts.predict(NEW, return_std=True), whole.predict(NEW, return_std=True), rtol=1e-6)
    with pytest.raises(ValueError, match="y has 1 outputs: expected 2, as in the earlier parts"):
        parts.partial_fit(X, Y)
    with pytest.raises(ValueError, match="method='harmonics' differs from that of the earlier parts, '"):
        parts.set_params(method="harmonics").partial_fit(X, Y2)
    assert parts.n_observations_ == 60


@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_order_of_rows_and_repetitions_change_nothing(method):
    order = np.random.default_rng(9).permutation(60)
    model = given(method=method).fit(X, Y)
    np.testing.assert_array_equal(given(method=method).fit(X[order], Y[order]).predict(NEW), model.predict(NEW))
    # An observation of weight 2 is the mean of two.
    twice = given(method=method).fit(np.vstack([X, X]), np.concatenate([Y - 0.3, Y + 0.3]))
    np.testing.assert_allclose(
        twice.predict(NEW) - given(method=method).fit(X, Y, np.full(60, 2)).predict(NEW), 0, atol=0.02
    )
    assert twice.n_observations_ == 120


@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_observations_of_weight_zero_are_left_out(method):
    weight = (np.arange(60) % 3 > 0).astype(float)
    y = np.where(weight > 0, Y, np.nan)
    model, part = given(method=method).fit(X, y, weight), given(method=method).fit(X[weight > 0], Y[weight > 0])
    np.testing.assert_array_equal(model.predict(NEW), part.predict(NEW))


@pytest.mark.parametrize("method", ["exact", "neighbours"])
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_of_targets_and_of_weights_change_nothing(method, factor):
    model = SphericalGaussianProcessRegressor(method=method, smoothness=1.5).fit(X, Y)
    scaled = clone(model).fit(X, Y * factor, np.full(60, factor))
    expected = np.array(model.predict(NEW, return_std=True)) * factor
    np.testing.assert_allclose(scaled.predict(NEW, return_std=True), expected, rtol=1e-3, atol=1e-4 * factor)
    assert scaled.noise_std_ == pytest.approx(model.noise_std_ * factor**1.5, rel=1e-2)


@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_a_rotation_of_all_places_changes_nothing(method):
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]

    def turned(points):
        x, y, z = turn @ reference.vectors(points).T
        return np.column_stack([np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))])

    # With all neighbours the random order of places, which a rotation changes, has no effect.
    options = {"method": method, "n_neighbors": 59}
    model, other = given(**options).fit(X, Y), given(**options).fit(turned(X), Y)
    np.testing.assert_allclose(other.predict(turned(NEW), True), model.predict(NEW, True), atol=1e-11)


@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_threads_and_blocks_change_nothing(method):
    places = reference.uniform_points(3000, seed=4)
    y = np.sin(np.radians(4 * places[:, 0]))
    one, two = (
        SphericalGaussianProcessRegressor(method=method, smoothness=0.5, n_neighbors=5, n_jobs=n).fit(
            places[:200], y[:200]
        )
        for n in (1, 2)
    )
    np.testing.assert_array_equal(two.theta_, one.theta_)
    whole = one.predict(places, True)
    np.testing.assert_array_equal(two.predict(places, True), whole)
    np.testing.assert_allclose(one.predict(places[1000:1100], True), np.array(whole)[:, 1000:1100], rtol=1e-10)


@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_grids_cells_and_files(method, tmp_path):
    mask = np.random.default_rng(0).choice([0.0, 0.5, 1.0], (6, 9))
    grid = LatLonGrid(np.linspace(-50, 60, 6), np.arange(9) * 40.0, mask=mask)
    field = np.where(mask > 0, np.random.default_rng(1).normal(size=mask.shape), np.nan)
    model = given(method=method).fit(grid, field)
    points = given(method=method).fit(grid.points(), np.nan_to_num(field.ravel()), mask.ravel())
    np.testing.assert_allclose(model.predict(grid, True), points.predict(grid.points(), True), atol=1e-12)
    cells = CellGrid([[0.0, np.nan], [1.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]])
    for values in (*model.predict(cells, return_std=True), model.sample_y(cells)[:, 0]):
        np.testing.assert_array_equal(np.isnan(values), [False, True, False, False])
    covariance = model.predict(cells, return_cov=True)[1]
    assert np.isnan(covariance[1]).all()
    assert np.isfinite(covariance[np.ix_([0, 2, 3], [0, 2, 3])]).all()
    skgeo.save(model, tmp_path / "model.npz")
    for loaded in (skgeo.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(loaded.predict(NEW, True), model.predict(NEW, True))
        np.testing.assert_array_equal(loaded.sample_y(NEW), model.sample_y(NEW))
        np.testing.assert_array_equal(
            loaded.partial_fit(X, Y).predict(NEW), pickle.loads(pickle.dumps(model)).partial_fit(X, Y).predict(NEW)
        )


@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_frames_and_chunks_are_read_as_elsewhere(method):
    pd, da = pytest.importorskip("pandas"), pytest.importorskip("dask.array")
    model = given(method=method).fit(X, Y)
    frame = pd.DataFrame({"lng": X[:, 1], "lat": X[:, 0]})
    named = given(method=method).fit(frame, pd.Series(Y))
    np.testing.assert_array_equal(named.predict(frame), model.predict(X))
    lazy = da.from_array(X, chunks=(20, 2))
    np.testing.assert_array_equal(given(method=method).fit(lazy, Y).predict(lazy), model.predict(X))


CITY = np.array([52.5, 13.4]) + np.random.default_rng(10).normal(0, 0.03, (30, 2))
HARD = {
    "a city of 10 km": (CITY, CITY[:, 0] + np.random.default_rng(11).normal(0, 0.01, 30)),
    "one place": (np.repeat([[10.0, 20.0]], 9, axis=0), np.arange(9.0)),
    "one observation": ([[10.0, 20.0]], [3.0]),
    "two observations": ([[10.0, 20.0], [11.0, 20.0]], [3.0, 4.0]),
    "poles and antipodes": (
        [[90.0, 5.0], [90.0, 99.0], [-90.0, 0.0], [0.0, 0.0], [0.0, 180.0]],
        [1.0, 2.0, 3.0, 4.0, 5.0],
    ),
    "a constant": (X, np.full(60, 7.3)),
    "zeros": (X, np.zeros(60)),
    "large values": (X, 1e9 + Y),
    "small values": (X, 1e-9 * Y),
    "clusters of a millimetre": (np.repeat(X[:6], 10, axis=0) + np.random.default_rng(12).normal(0, 1e-8, (60, 2)), Y),
    "a track": (np.column_stack([np.linspace(-60, 60, 90), np.linspace(0, 1, 90)]), np.sin(np.linspace(0, 30, 90))),
}


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_awkward_data_give_finite_and_sane_predictions(name, method):
    points, y = HARD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SphericalGaussianProcessRegressor(method=method, n_neighbors=6).fit(points, y)
        mean, std = model.predict(points, return_std=True)
        far_mean, far_std = model.predict([[-30.0, -120.0]], return_std=True)
        assert np.isfinite(model.sample_y(points, 2)).all()
    size = np.abs(y).max()
    assert np.isfinite([*mean, *std, *far_mean, *far_std]).all()
    assert np.abs(mean - y).max() <= 6.0 * (np.ptp(y) + 1e-12 * size)
    assert far_std[0] >= std.min() - 1e-12 * size


def test_intervals_of_a_single_observation_are_as_wide_as_its_size():
    mean, std = SphericalGaussianProcessRegressor().fit([[10.0, 20.0]], [-3.0]).predict([[0.0, 0.0]], return_std=True)
    assert mean == pytest.approx([-3.0])
    assert 1.0 < std[0] < 9.0


def test_a_field_without_noise_is_interpolated():
    y = np.sin(np.radians(2 * X[:, 0]))
    model = SphericalGaussianProcessRegressor(noise=0).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-3)
    assert 0 < model.noise_ <= 1e-7 * model.variance_
    same = SphericalGaussianProcessRegressor(noise=0).fit(np.vstack([X, X]), np.append(y, y))
    np.testing.assert_allclose(same.predict(X), y, atol=1e-3)
    with pytest.raises(ValueError, match="noise=0, but y has different values at one place: without noise"):
        SphericalGaussianProcessRegressor(noise=0).fit(np.vstack([X, X]), np.append(y, y + 1))


def test_a_new_fit_of_another_method_leaves_no_attribute_behind():
    model = SphericalGaussianProcessRegressor(method="harmonics", max_degree=2)
    with pytest.warns(ResolutionWarning):
        model.set_params(length_scale_km=500.0).fit(X, Y)
    assert hasattr(model, "truncation_error_")
    assert not hasattr(model.set_params(method="auto").fit(X, Y), "truncation_error_")


def test_it_works_in_cross_validation():
    predicted = cross_val_predict(SphericalGaussianProcessRegressor(smoothness=2.5), X, Y, cv=5)
    assert np.corrcoef(predicted, Y)[0, 1] > 0.6


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "kriging"}, "method='kriging': expected 'auto', 'exact', 'neighbours' or 'harmonics'."),
        ({"method": None}, "method=None: expected 'auto', 'exact', 'neighbours' or 'harmonics'."),
        ({"max_degree": 0}, "max_degree=0: expected an integer, at least 1."),
        ({"n_neighbors": 0}, "n_neighbors=0: expected an integer, at least 1."),
        ({"noise": -0.1}, "noise=-0.1: expected None or a number, not negative."),
        ({"noise": True}, "noise=True: expected None or a number, not negative."),
        ({"variance": 0}, "variance=0: expected None or a positive number."),
        ({"length_scale_km": "20"}, "length_scale_km='20': expected None or a positive number."),
        ({"smoothness": 11}, "smoothness=11: expected None or a number from 0.1 to 10."),
        ({"normalize_y": 1}, "normalize_y=1: expected True or False."),
        ({"n_jobs": 0}, "n_jobs=0: expected None or an integer other than 0."),
    ],
)
def test_bad_parameters_say_what_is_accepted(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        SphericalGaussianProcessRegressor(**parameters).fit(X, Y)


def test_bad_requests_say_what_is_accepted():
    model = given().fit(X, Y)
    with pytest.raises(RuntimeError, match="At most one of return_std or return_cov can be requested"):
        model.predict(X, return_std=True, return_cov=True)
    with pytest.raises(
        ValueError, match=r"theta has shape \(4,\): expected \(3,\), the logarithms of variance, length"
    ):
        model.log_marginal_likelihood(np.zeros(4))
    with pytest.raises(ValueError, match=r"theta=.*: expected logarithms of numbers from 0.0001 to 1e\+08 for length"):
        model.log_marginal_likelihood([0.0, 99.0, 0.0])
    with pytest.raises(ValueError, match="n_samples=0: expected a positive integer"):
        model.sample_y(X, 0)
    with pytest.raises(ValueError, match=r"y has shape \(60, 1, 1\): expected \(n_samples,\) or"):
        model.fit(X, Y[:, np.newaxis, np.newaxis])
    with pytest.raises(ValueError, match="leave no observation"):
        given().fit(LatLonGrid([0, 10], [0, 10], mask=[[0, 0], [1, 0]]), np.ones(4), [1, 1, 0, 1])
