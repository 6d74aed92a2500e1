"""Gaussian process regression by the method "harmonics" beside scikit-learn's exact one with the same kernel."""

import math
import re
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize
from scipy.special import eval_legendre
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel, NormalizedKernelMixin, WhiteKernel
from sklearn.model_selection import cross_val_predict

import reference
import skgeo
from skgeo import CellGrid, LatLonGrid, SphericalGaussianProcessRegressor, matern_spectrum
from skgeo._gaussian_process import _harmonics
from skgeo._kernels.harmonic_gp import Matern
from skgeo.encoders import SphericalHarmonics
from skgeo.exceptions import ResolutionWarning

DEGREE = 8
DEGREE_KM = 6371.0088 * math.pi / 180  # kilometres of a degree of arc
HYPERPARAMETERS = {"variance": 1.7, "length_scale_km": 35.0 * DEGREE_KM, "smoothness": 1.3, "noise": 0.2}
GIVEN = {"method": "harmonics", "max_degree": DEGREE} | HYPERPARAMETERS
X = reference.uniform_points(60, seed=0)
NEW = reference.uniform_points(25, seed=1)
Y = np.sin(np.radians(3 * X[:, 0])) + np.cos(np.radians(X[:, 1])) + np.random.default_rng(2).normal(0, 0.4, 60)
Y2 = np.column_stack([Y, 40.0 - 3.0 * np.cos(np.radians(X[:, 0]))])
WEIGHT = np.random.default_rng(3).uniform(0.2, 4.0, 60)


class LegendreMatern(Kernel):
    """The truncated Matern kernel as a Legendre series; its gradient by complex steps. Nothing here calls skgeo."""

    def __init__(self, variance=1.0, length_scale=1.0, smoothness=1.0, degree=DEGREE):
        self.variance = variance
        self.length_scale = length_scale
        self.smoothness = smoothness
        self.degree = degree

    hyperparameter_variance = property(lambda self: Hyperparameter("variance", "numeric", (1e-5, 1e5)))
    hyperparameter_length_scale = property(lambda self: Hyperparameter("length_scale", "numeric", (0.5, 360.0)))
    hyperparameter_smoothness = property(lambda self: Hyperparameter("smoothness", "numeric", (0.25, 10.0)))

    def __call__(self, A, B=None, eval_gradient=False):
        a, b = (reference.vectors(points) for points in (A, A if B is None else B))
        cosines = np.clip(a @ b.T, -1, 1)
        legendre = np.stack([eval_legendre(n, cosines) for n in range(self.degree + 1)], axis=-1)
        value = legendre @ self.weights(self.theta).real
        if not eval_gradient:
            return value
        steps = self.theta + 1e-30j * np.eye(3)
        return value, np.stack([legendre @ self.weights(step).imag / 1e-30 for step in steps], axis=-1)

    def weights(self, theta):
        length_scale, smoothness, variance = np.exp(theta.astype(complex))  # scikit-learn sorts them by name
        n = np.arange(self.degree + 1)
        density = (2 * smoothness / (length_scale * np.pi / 180) ** 2 + n * (n + 1)) ** -(smoothness + 1)
        return variance * density * (2 * n + 1) / np.sum(density * (2 * n + 1))

    def diag(self, A):
        return np.full(len(A), self.variance)

    def is_stationary(self):
        return True


assert not issubclass(LegendreMatern, NormalizedKernelMixin)


def exact(alpha=GIVEN["noise"], **options):
    kernel = LegendreMatern(GIVEN["variance"], 35.0, GIVEN["smoothness"])
    return GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None, **options)


def ours(**options):
    return SphericalGaussianProcessRegressor(**GIVEN | {"normalize_y": False} | options)


def learned(max_degree=DEGREE, **options):
    return SphericalGaussianProcessRegressor(method="harmonics", max_degree=max_degree, **options)


@pytest.mark.parametrize("y", [Y, Y2, Y2[:, :1] + 300.0], ids=["one", "two", "column"])
@pytest.mark.parametrize("normalize", [False, True])
def test_predictions_are_those_of_scikit_learn(y, normalize):
    model, peer = ours(normalize_y=normalize).fit(X, y), exact(normalize_y=normalize).fit(X, y)
    flat = y.shape[1:] == (1,)  # where scikit-learn drops the axis, and we keep that of y
    mean, std = model.predict(NEW, return_std=True)
    peer_mean, peer_std = peer.predict(NEW, return_std=True)
    size = np.abs(peer_mean).max()
    assert mean.shape == std.shape == (len(NEW), *y.shape[1:])
    np.testing.assert_allclose(mean[:, 0] if flat else mean, peer_mean, rtol=0, atol=1e-10 * size)
    np.testing.assert_allclose(std[:, 0] if flat else std, peer_std, rtol=1e-9)
    again, covariance = model.predict(NEW, return_cov=True)
    np.testing.assert_array_equal(again, mean)
    peer_covariance = peer.predict(NEW, return_cov=True)[1]
    assert covariance.shape == (len(NEW), len(NEW), *y.shape[1:])
    covariance = covariance[..., 0] if flat else covariance
    np.testing.assert_allclose(covariance, peer_covariance, rtol=0, atol=1e-10 * peer_covariance.max())
    assert model.log_marginal_likelihood() == pytest.approx(peer.log_marginal_likelihood(), rel=1e-10)


def test_a_weight_divides_the_noise():
    model, peer = ours().fit(X, Y, WEIGHT), exact(GIVEN["noise"] / WEIGHT).fit(X, Y)
    for got, expected in zip(model.predict(NEW, return_std=True), peer.predict(NEW, return_std=True), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)
    assert model.log_marginal_likelihood() == pytest.approx(peer.log_marginal_likelihood(), rel=1e-10)


def in_km(theta):
    """The logarithms, with the length scale in kilometres in place of degrees."""
    return np.asarray(theta) + np.array([0.0, math.log(DEGREE_KM), 0.0, 0.0])


@pytest.mark.parametrize("y", [Y, Y2], ids=["one", "two"])
def test_likelihood_and_gradient_are_those_of_scikit_learn(y):
    model = ours(normalize_y=True).fit(X, y)
    peer = GaussianProcessRegressor(LegendreMatern() + WhiteKernel(), alpha=0, optimizer=None, normalize_y=True)
    peer.fit(X, y)
    rng = np.random.default_rng(0)
    for theta in np.log([1.7, 35.0, 1.3, 0.2]) + rng.normal(0, 0.7, (10, 4)):
        value, gradient = model.log_marginal_likelihood(in_km(theta), eval_gradient=True)
        by_name = [1, 2, 0, 3]  # length scale, smoothness, variance, noise
        peer_value, peer_gradient = peer.log_marginal_likelihood(theta[by_name], eval_gradient=True)
        assert value == pytest.approx(peer_value, rel=1e-9)
        np.testing.assert_allclose(gradient[by_name], peer_gradient, rtol=1e-8, atol=1e-8 * np.abs(gradient).max())


@settings(max_examples=25, deadline=None)
@given(theta=st.tuples(st.floats(-3, 3), st.floats(math.log(2), math.log(200)), st.floats(-1.3, 2.3), st.floats(-5, 2)))
def test_gradient_is_the_slope_of_the_likelihood_with_weights(theta):
    model = ours().fit(X, Y2, WEIGHT)
    theta = in_km(theta)
    gradient = model.log_marginal_likelihood(theta, eval_gradient=True)[1]
    slope = approx_fprime(theta, model.log_marginal_likelihood, 1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(slope).max()))


def test_the_maximum_is_that_of_a_search_with_scikit_learn():
    model = learned(smoothness=1.5).fit(X, Y)
    assert model.smoothness_ == 1.5
    peer = GaussianProcessRegressor(LegendreMatern() + WhiteKernel(), alpha=0, optimizer=None, normalize_y=True)
    peer.fit(X, Y)

    def loss(theta):
        return -peer.log_marginal_likelihood(np.array([theta[1], math.log(1.5), theta[0], theta[2]]))

    best = minimize(loss, np.log([1.0, 20.0, 0.1]), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    found = np.array([model.variance_, model.length_scale_km_ / DEGREE_KM, model.noise_])
    np.testing.assert_allclose(np.log(found), best.x, atol=1e-3)
    assert model.log_marginal_likelihood_value_ == pytest.approx(-best.fun, abs=1e-7)
    names = ("variance", "length_scale_km", "smoothness", "noise")
    np.testing.assert_allclose(np.exp(model.theta_), [getattr(model, f"{name}_") for name in names])


def test_a_search_that_is_cut_short_warns(monkeypatch):
    monkeypatch.setattr("skgeo._gaussian_process._harmonics._SEARCH_OPTIONS", {"maxiter": 1})
    with pytest.warns(ConvergenceWarning, match="stopped after 1 steps: .* Give some of them"):
        learned().fit(X, Y)


def test_hyperparameters_that_are_given_are_kept():
    model = ours().fit(X, Y)
    assert {name: getattr(model, f"{name}_") for name in HYPERPARAMETERS} == HYPERPARAMETERS
    np.testing.assert_allclose(model.theta_, np.log(list(HYPERPARAMETERS.values())))
    one = ours(noise=None).fit(X, Y)
    assert one.noise_ != 0.2
    assert one.variance_ == 1.7
    assert one.log_marginal_likelihood_value_ > model.log_marginal_likelihood_value_


def test_spectrum_and_harmonics_give_the_kernel():
    model = ours().fit(X, Y)
    table = SphericalHarmonics(DEGREE, spectrum=model.spectrum_).fit_transform(X)
    kernel = LegendreMatern(GIVEN["variance"], 35.0, GIVEN["smoothness"])
    np.testing.assert_allclose(table @ table.T, kernel(X), atol=1e-12)


@pytest.mark.parametrize(("length_scale", "smoothness"), [(10.0, 0.5), (40.0, 1.5), (3.0, 2.5), (200.0, 8.0)])
def test_truncation_error_is_the_rest_of_the_series(length_scale, smoothness):
    square = 2 * smoothness / math.radians(length_scale) ** 2

    def term(n):
        return (2 * n + 1) * (square + n * (n + 1)) ** (-smoothness - 1)

    beyond = mpmath.nsum(term, [DEGREE + 1, mpmath.inf], method="euler-maclaurin")
    expected = float(beyond / (beyond + sum(term(mpmath.mpf(n)) for n in range(DEGREE + 1))))
    matern = Matern(1.0, math.radians(length_scale), smoothness)
    assert matern.truncation(DEGREE) == pytest.approx(expected, rel=1e-9)
    needed = matern.degree_needed(0.1)
    assert matern.truncation(needed) <= 0.1
    assert needed == 1 or matern.truncation(needed - 1) > 0.1


def test_short_length_scale_names_degree_it_needs():
    short = ours(length_scale_km=10.0 * DEGREE_KM)
    with pytest.warns(ResolutionWarning, match="length_scale_km=1112, with smoothness=1.3, is short for") as caught:
        short.fit(X, Y)
    assert short.truncation_error_ > 0.1
    degree = int(re.search(r"max_degree=(\d+) leaves 10%", str(caught[0].message))[1])
    with pytest.warns(ResolutionWarning):
        clone(short).set_params(max_degree=degree - 1).fit(X, Y)
    enough = clone(short).set_params(max_degree=degree).fit(X, Y)
    assert 0.09 < enough.truncation_error_ <= 0.1


@pytest.mark.parametrize("y", [Y, Y2], ids=["one", "two"])
def test_samples_have_mean_and_covariance_of_prediction(y):
    model = ours(normalize_y=True).fit(X, y)
    places = NEW[:5]
    mean, covariance = model.predict(places, return_cov=True)
    samples = model.sample_y(places, 20_000, random_state=1)
    assert samples.shape == (5, *y.shape[1:], 20_000)
    samples, mean = samples.reshape(5, -1, 20_000), mean.reshape(5, -1)
    covariance = covariance.reshape(5, 5, -1)
    for target in range(mean.shape[1]):
        spread = np.sqrt(np.diagonal(covariance[..., target]))
        np.testing.assert_allclose(samples[:, target].mean(axis=1), mean[:, target], atol=5 * spread.max() / 141)
        off = np.abs(np.cov(samples[:, target]) - covariance[..., target]) / np.outer(spread, spread)
        assert off.max() < 0.05
    if y.ndim == 2:  # targets are independent given the hyperparameters
        assert abs(np.corrcoef(samples[0])[0, 1]) < 0.05


def test_a_sample_is_one_function_wherever_it_is_looked_at():
    model = ours().fit(X, Y)
    whole, part = model.sample_y(NEW, 3), model.sample_y(NEW[10:12], 3)
    np.testing.assert_allclose(part, whole[10:12], atol=1e-12)
    assert np.abs(model.sample_y(NEW, 3, random_state=1) - whole).max() > 0.1


@pytest.mark.parametrize("normalize", [False, True])
def test_parts_in_any_order_are_a_fit_on_the_whole(normalize):
    whole = learned(normalize_y=normalize).fit(X, Y2 + 270.0, WEIGHT)
    parts = clone(whole)
    for part in (slice(40, 60), slice(0, 7), slice(7, 40)):
        parts.partial_fit(X[part], Y2[part] + 270.0, WEIGHT[part])
    assert parts.n_observations_ == whole.n_observations_ == 60
    np.testing.assert_allclose(parts.target_mean_, whole.target_mean_, rtol=1e-12)
    np.testing.assert_allclose(parts.theta_, whole.theta_, atol=1e-3)
    for got, expected in zip(parts.predict(NEW, return_std=True), whole.predict(NEW, return_std=True), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-3)
    kept = ours(normalize_y=normalize).fit(X, Y2 + 270.0, WEIGHT)
    again = (
        clone(kept).partial_fit(X[30:], Y2[30:] + 270.0, WEIGHT[30:]).partial_fit(X[:30], Y2[:30] + 270.0, WEIGHT[:30])
    )
    np.testing.assert_allclose(again.predict(NEW), kept.predict(NEW), rtol=1e-10)
    kept.partial_fit(X, Y2, WEIGHT)  # goes on from a fit, too
    assert kept.n_observations_ == 120


def test_parts_that_do_not_fit_are_refused_and_change_nothing():
    model = ours().fit(X, Y)
    before = model.predict(NEW)
    with pytest.raises(ValueError, match="max_degree=9 differs from that of the earlier parts: use fit to start anew"):
        model.set_params(max_degree=9).partial_fit(X, Y)
    model.set_params(max_degree=DEGREE)
    with pytest.raises(ValueError, match="y has 2 outputs: expected 1, as in the earlier parts"):
        model.partial_fit(X, Y2)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        model.partial_fit(X, np.full(60, np.nan))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, Y[:-1])
    np.testing.assert_array_equal(model.predict(NEW), before)
    assert model.n_observations_ == 60


def test_observations_of_weight_zero_are_left_out():
    weight = (np.arange(60) % 3 > 0).astype(float)
    y = np.where(weight > 0, Y, np.nan)
    model, part = ours().fit(X, y, weight), ours().fit(X[weight > 0], Y[weight > 0])
    np.testing.assert_array_equal(model.predict(NEW), part.predict(NEW))
    masked = np.ma.masked_array(np.where(weight > 0, Y, 1e20), mask=weight == 0)
    np.testing.assert_array_equal(ours().fit(X, masked, weight).predict(NEW), part.predict(NEW))
    with pytest.raises(ValueError, match="Input y contains NaN"):
        ours().fit(X, masked)
    assert model.log_marginal_likelihood_value_ == part.log_marginal_likelihood_value_
    with pytest.raises(ValueError, match="leave no observation"):
        ours().fit(LatLonGrid([0, 10], [0, 10], mask=[[0, 0], [1, 0]]), np.ones(4), [1, 1, 0, 1])


def test_grids_are_their_cell_centres_weighed_by_the_mask():
    mask = np.random.default_rng(0).choice([0.0, 0.5, 1.0], (6, 9))
    grid = LatLonGrid(np.linspace(-50, 60, 6), np.arange(9) * 40.0, mask=mask)
    field = np.where(mask > 0, np.random.default_rng(1).normal(size=mask.shape), np.nan)
    model = ours().fit(grid, field)
    points = ours().fit(grid.points(), np.nan_to_num(field.ravel()), mask.ravel())
    np.testing.assert_allclose(model.predict(NEW), points.predict(NEW), atol=1e-12)
    for kind in ({"return_std": True}, {"return_cov": True}):
        for got, expected in zip(model.predict(grid, **kind), points.predict(grid.points(), **kind), strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-10)
    single = LatLonGrid(np.linspace(-50.1, 60.3, 6, dtype=np.float32), np.linspace(0.1, 300.7, 9, dtype=np.float32))
    std, covariance = (model.predict(single, **{kind: True})[1] for kind in ("return_std", "return_cov"))
    np.testing.assert_allclose(np.diagonal(covariance), std**2, rtol=1e-12)
    weighed = ours().fit(grid, field, np.full(mask.shape, 2.0))
    assert weighed.predict(NEW, return_std=True)[1].max() < model.predict(NEW, return_std=True)[1].max()
    cells = CellGrid([[0.0, np.nan], [1.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]])
    mean, std = model.predict(cells, return_std=True)
    np.testing.assert_array_equal(np.isnan(mean), [False, True, False, False])
    np.testing.assert_array_equal(np.isnan(std), [False, True, False, False])
    with_gap = ours().fit(cells, [1.0, np.nan, 2.0, 3.0])
    assert with_gap.n_observations_ == 3


def test_frames_and_chunks_are_read_as_elsewhere():
    pd, da = pytest.importorskip("pandas"), pytest.importorskip("dask.array")
    model = ours().fit(X, Y)
    frame = pd.DataFrame({"lng": X[:, 1], "lat": X[:, 0]})
    named = ours().fit(frame, pd.Series(Y))
    np.testing.assert_array_equal(named.predict(frame), model.predict(X))
    assert named.feature_names_in_.tolist() == ["lng", "lat"]
    lazy = da.from_array(X, chunks=(20, 2))
    np.testing.assert_array_equal(ours().fit(lazy, Y).predict(lazy), model.predict(X))
    mask = np.ones((3, 4))
    chunked = LatLonGrid([0, 10, 20], [0, 10, 20, 30], mask=da.from_array(mask, chunks=2))
    whole = LatLonGrid([0, 10, 20], [0, 10, 20, 30], mask=mask)
    field = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(ours().fit(chunked, field).predict(NEW), ours().fit(whole, field).predict(NEW))


def test_threads_change_nothing():
    places = reference.uniform_points(20_000, seed=4)
    one, two = ours(n_jobs=1).fit(X, Y), ours(n_jobs=2).fit(X, Y)
    for first, second in zip(one.predict(places, True), two.predict(places, True), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_rotation_of_all_places_changes_nothing():
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]

    def turned(points):
        x, y, z = turn @ reference.vectors(points).T
        return np.column_stack([np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))])

    model, other = ours().fit(X, Y), ours().fit(turned(X), Y)
    for first, second in zip(model.predict(NEW, True), other.predict(turned(NEW), True), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-11)


def test_intervals_cover_what_they_promise():
    rng = np.random.default_rng(7)
    places = reference.uniform_points(40_000, seed=8)
    coefficients = rng.normal(size=81) * np.sqrt(np.repeat(1.0 / (4.0 + np.arange(9) ** 2) ** 2, 2 * np.arange(9) + 1))
    field = SphericalHarmonics(8).fit_transform(places) @ coefficients
    y = field + rng.normal(0, 0.3 * field.std(), len(field))
    model = learned(12).fit(places[:300], y[:300])
    mean, std = model.predict(places[300:], return_std=True)
    z = np.abs(y[300:] - mean) / np.hypot(std, model.noise_std_)
    for quantile, level in ((0.6744898, 0.5), (1.6448536, 0.9), (1.959964, 0.95)):
        assert np.mean(z < quantile) == pytest.approx(level, abs=0.03)


@pytest.mark.parametrize("weight", [1e6, 1e-6])
def test_weights_that_push_the_noise_to_its_bounds_are_told(weight):
    y = reference.harmonics(*X.T, 2)[:, 5] + np.random.default_rng(0).normal(0, 0.3, len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)
        with pytest.warns(ConvergenceWarning, match=re.escape(f"the mean weight is {weight:.3g}: noise is")):
            learned(4).fit(X, y, sample_weight=np.full(len(X), weight))


def test_constant_targets_and_single_observations():
    given = {"variance": 1.0, "length_scale_km": 90.0 * DEGREE_KM, "smoothness": 1.5, "noise": 0.1}
    model = learned(3, **given).fit(X, np.full(60, 7.3))
    np.testing.assert_allclose(model.predict(NEW), 7.3, rtol=1e-12)
    single = learned(3, **given).fit(X[:1], [5.0])
    mean, std = single.predict(X[:1], return_std=True)
    assert mean == pytest.approx([5.0])
    assert std == pytest.approx([math.sqrt(1.0 * 0.1 / 1.1)])  # the conjugate normal
    assert single.noise_std_ == pytest.approx(math.sqrt(0.1))


def test_one_observation_says_nothing_of_the_antipode():
    std = learned(10).fit([[10.0, 20.0]], [5.0]).predict([[10.0, 20.0], [-10.0, -160.0]], return_std=True)[1]
    assert std == pytest.approx([math.sqrt(0.1 / 1.1), 1.0], rel=1e-3)  # the conjugate normal, and the prior


def test_files_keep_predictions_and_sums(tmp_path):
    model = learned(4).fit(X, Y2)
    skgeo.save(model, tmp_path / "model.npz")
    loaded = skgeo.load(tmp_path / "model.npz")
    for got, expected in zip(loaded.predict(NEW, True), model.predict(NEW, True), strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(loaded.sample_y(NEW), model.sample_y(NEW))
    np.testing.assert_array_equal(loaded.partial_fit(X, Y2).predict(NEW), model.partial_fit(X, Y2).predict(NEW))


def test_it_works_in_cross_validation():
    predicted = cross_val_predict(learned(), X, Y, cv=5)
    assert np.corrcoef(predicted, Y)[0, 1] > 0.6


def test_bad_requests_say_what_is_accepted():
    model = ours().fit(X, Y)
    with pytest.raises(
        ValueError, match=r"theta has shape \(2,\): expected \(4,\), the logarithms of variance, length"
    ):
        model.log_marginal_likelihood([0.0, 0.0])
    with pytest.raises(ValueError, match="noise=0: expected None or a positive number"):
        ours(noise=0).fit(X, Y)
    with pytest.raises(ValueError, match="is so small beside variance=1e\\+10 and 60 observations that"):
        ours(variance=1e10, noise=1e-12).fit(X, Y)


def test_default_data_warns_of_nothing():
    with warnings.catch_warnings(record=True) as caught:
        mean, deviation = learned().fit(X, Y).predict(NEW, return_std=True)
    assert not caught
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()


def test_detail_finer_than_degree_keeps_predictions_sane(monkeypatch):
    """Of a region, harmonics of large variance outside could follow what they do not resolve; variance has bounds."""
    rng = np.random.default_rng(0)
    box = np.column_stack([rng.uniform(30, 60, 2000), rng.uniform(-10, 40, 2000)])
    field = SphericalHarmonics(60, spectrum=matern_spectrum(60, nu=0.5, kappa=12.0))
    y = field.fit_transform(box) @ rng.standard_normal(61**2)
    far = box[:, 1] > 25.0
    errors = {}
    for name, upper in (("default", 10.0), ("wide", 1e5)):
        model = learned(20)
        monkeypatch.setitem(_harmonics._BOUNDS, "variance", (1e-5, upper))
        with pytest.warns(ResolutionWarning):
            model.fit(box[~far], y[~far])
        errors[name] = np.sqrt(np.mean((model.predict(box[far]) - y[far]) ** 2)) / y.std()
    assert model.variance_ > 100.0
    assert errors["default"] < 2.0 < errors["wide"] / 2.0
