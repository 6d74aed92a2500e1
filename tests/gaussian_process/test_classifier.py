"""Gaussian process classification beside sequential expectation propagation, quadrature and scikit-learn."""

import math
import pickle
import re

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial.distance import cdist
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

import reference
import skgeo
from skgeo import CellGrid, LatLonGrid, SphericalGaussianProcessClassifier
from skgeo._kernels.gp_class_search import _balanced_places, find_kernel
from skgeo._kernels.gp_classification import (
    CONSTANT_VARIANCE,
    Kernel,
    Labels,
    averaged_log_odds,
    exact_likelihood,
    neighbour_posterior,
    predict_exact,
    predict_nearest,
)
from skgeo._kernels.logistic_moments import power_moments
from skgeo.inspection import PredictionMapDisplay

KERNEL = Kernel(30.0, 0.5, 1.5)
GIVEN = {"variance": 30.0, "length_scale_km": 0.5 * 6371.0088, "smoothness": 1.5}
X = reference.uniform_points(60, seed=0)
NEW = reference.uniform_points(25, seed=1)
VECTORS = reference.vectors(X)
Y = np.sin(np.radians(3 * X[:, 0])) + np.cos(np.radians(X[:, 1])) + np.random.default_rng(2).normal(0, 0.4, 60) > 0.2
COUNT = np.random.default_rng(3).integers(1, 4, 60).astype(float)


def labels_of(y, weight=1.0, vectors=VECTORS):
    y = np.asarray(y[: len(vectors)], dtype=float)
    return Labels.from_weights(vectors, weight * (1.0 - y), weight * y)


def model_of(**options):
    return SphericalGaussianProcessClassifier(**GIVEN | options)


def covariance_of(vectors, others):
    kernel = ConstantKernel(KERNEL.variance) * Matern(KERNEL.length, nu=KERNEL.smoothness)
    return kernel(vectors, others) + CONSTANT_VARIANCE


def sequential_propagation(covariance, y, sweeps=15):
    """Algorithm 3.5 of Rasmussen & Williams as printed, with moments by quadrature; nothing here calls skgeo."""
    n = len(y)
    sign = np.where(y, 1.0, -1.0)
    precision, shift = np.zeros(n), np.zeros(n)
    sigma, mean = covariance.copy(), np.zeros(n)
    mass = np.zeros(n)
    # The rule of rectangles has no error to speak of for smooth densities.
    node = np.linspace(-12, 12, 4001)
    density = norm.pdf(node) * (node[1] - node[0])
    for _ in range(sweeps):
        for i in range(n):
            cavity = 1 / (1 / sigma[i, i] - precision[i])
            centre = cavity * (mean[i] / sigma[i, i] - shift[i])
            x = centre + math.sqrt(cavity) * node
            tilted = density * expit(sign[i] * x)
            mass[i] = tilted.sum()
            first = (tilted * x).sum() / mass[i]
            second = (tilted * (x - first) ** 2).sum() / mass[i]
            precision[i], shift[i] = 1 / second - 1 / cavity, first / second - centre / cavity
            sigma = np.linalg.inv(np.linalg.inv(covariance) + np.diag(precision))
            mean = sigma @ shift
    cavity = 1 / (1 / np.diag(sigma) - precision)
    centre = cavity * (mean / np.diag(sigma) - shift)
    # Equation 3.65 from the normal distributions of the sites N(x | shift / precision, 1 / precision).
    total = cavity + 1 / precision
    location = shift / precision
    value = np.log(mass) + 0.5 * np.log(2 * np.pi * total) + 0.5 * (centre - location) ** 2 / total
    marginal = covariance + np.diag(1 / precision)
    value = value.sum() - 0.5 * location @ np.linalg.solve(marginal, location)
    return mean, sigma, value - 0.5 * np.linalg.slogdet(2 * np.pi * marginal)[1]


def test_exact_process_is_sequential_expectation_propagation():
    n = 9
    covariance = covariance_of(VECTORS[:n], VECTORS[:n])
    mean, sigma, value = sequential_propagation(covariance, Y[:n])
    labels = labels_of(Y, vectors=VECTORS[:n])
    found = exact_likelihood(labels, KERNEL)
    assert found.value == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(found.posterior.mean, mean, atol=1e-3)
    new = reference.vectors(NEW)
    cross = np.linalg.solve(covariance, covariance_of(VECTORS[:n], new))
    got_mean, got_variance = predict_exact(labels.vectors, found.posterior, KERNEL, new)
    np.testing.assert_allclose(got_mean, cross.T @ mean, atol=1e-3)
    expected = KERNEL.variance + CONSTANT_VARIANCE - np.einsum("ij,ij->j", cross, (covariance - sigma) @ cross)
    np.testing.assert_allclose(got_variance, expected, rtol=1e-3)


def test_two_labels_beside_quadrature():
    covariance = covariance_of(VECTORS[:2], VECTORS[:2])
    root = np.linalg.cholesky(covariance)

    node = np.linspace(-10, 10, 801)
    density = norm.pdf(node) * (node[1] - node[0])
    first, second = np.einsum("ij,jab->iab", root, np.stack(np.meshgrid(node, node, indexing="ij")))
    mass = density @ (expit(first) * expit(-second)) @ density
    found = exact_likelihood(labels_of(np.array([True, False]), vectors=VECTORS[:2]), KERNEL)
    assert found.value == pytest.approx(math.log(mass), abs=0.01)


def test_probabilities_are_averages_over_the_log_odds():
    for mean, variance in ((0.7, 0.1), (-2.0, 9.0), (5.0, 100.0), (-9.0, 0.01)):
        expected = quad(lambda t, m=mean, v=variance: expit(m + math.sqrt(v) * t) * norm.pdf(t), -10, 10, epsabs=1e-12)[
            0
        ]
        got = expit(averaged_log_odds(np.array([mean]), np.array([variance])))
        np.testing.assert_allclose(got, expected, atol=1e-8)


def power_log_mass(power, mean, variance):
    """The logarithm of the mean of a power of the logistic function, by quadrature."""
    width = math.sqrt(variance)

    def value(x):
        # The logarithm of the logistic function that does not overflow.
        log_logistic = min(x, 0.0) - math.log1p(math.exp(-abs(x)))
        return math.exp(power * log_logistic - 0.5 * ((x - mean) / width) ** 2) / (width * math.sqrt(2.0 * math.pi))

    ends = mean - 12 * width, mean + 12 * width
    points = [point for point in (-30.0, -5.0, 0.0, 5.0, 30.0, mean) if ends[0] < point < ends[1]]
    return math.log(quad(value, *ends, points=points, limit=500, epsabs=0.0, epsrel=1e-13)[0])


@pytest.mark.parametrize("power", [0.001, 0.3, 0.95])
@pytest.mark.parametrize(("mean", "variance"), [(0.7, 0.1), (-2.0, 9.0), (5.0, 1e4), (-30.0, 0.01)])
def test_moments_of_powers_beside_quadrature(power, mean, variance):
    one, step = np.array([1.0]), 0.01 * max(math.sqrt(variance), 0.3)
    low, middle, high = (power_log_mass(power, mean + shift, variance) / power for shift in (-step, 0.0, step))
    for sign in (1.0, -1.0):
        log_mass, slope, curvature = (
            power_moments(sign * one, power * one, sign * mean * one, variance * one)[:, 0] / power
        )
        assert log_mass == pytest.approx(middle, rel=1e-7)
        assert sign * slope == pytest.approx((high - low) / (2 * step), rel=1e-3, abs=1e-6)
        assert curvature == pytest.approx((high - 2 * middle + low) / step**2, rel=1e-3, abs=1e-5)


def test_moments_of_powers_do_not_amplify_rounding():
    power, one = 0.9 * (1.0 + np.arange(12) * 2.3e-16), np.ones(12)
    for moments in power_moments(one, power, 0.5 * one, 125.0 * one):
        assert np.ptp(moments) <= 1e-11 * np.abs(moments[0])


def test_one_label_of_any_weight_is_exact():
    # Expectation propagation with one factor has no error.
    for weight in (0.1, 0.5, 0.9):
        found = exact_likelihood(labels_of(np.array([True]), weight, VECTORS[:1]), KERNEL)
        expected = power_log_mass(weight, 0.0, KERNEL.variance + CONSTANT_VARIANCE)
        assert found.value == pytest.approx(expected, rel=1e-6)


def test_labels_that_say_little_give_the_probabilities_of_scikit_learn():
    # With a small variance the posterior is nearly normal: Laplace's approximation has the same mean and variance.
    kernel = ConstantKernel(0.3) * Matern(0.5, nu=1.5) + ConstantKernel(CONSTANT_VARIANCE)
    peer = GaussianProcessClassifier(kernel, optimizer=None).fit(VECTORS, Y)
    model = model_of(variance=0.3).fit(X, Y)
    expected = peer.predict_proba(reference.vectors(NEW))
    np.testing.assert_allclose(model.predict_proba(NEW), expected, atol=0.01)


@pytest.mark.parametrize("smoothness", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("weight", [1.0, COUNT, 0.3, COUNT / 2.5], ids=["one", "counts", "less than one", "fractions"])
def test_gradient_is_the_slope_of_the_likelihood(smoothness, weight):
    labels = labels_of(Y, weight)

    def value(theta):
        return exact_likelihood(labels, Kernel(*np.exp(theta), smoothness)).value

    theta = np.log([20.0, 0.4])
    gradient = exact_likelihood(labels, Kernel(20.0, 0.4, smoothness)).gradient
    for direction in np.eye(2):
        slope = (value(theta + 0.01 * direction) - value(theta - 0.01 * direction)) / 0.02
        assert gradient @ direction == pytest.approx(slope, rel=1e-3, abs=2e-3)


def test_all_neighbours_are_the_exact_process():
    labels = labels_of(Y, COUNT)
    exact = exact_likelihood(labels, KERNEL).posterior
    near, converged = neighbour_posterior(labels, KERNEL, len(X) - 1)
    assert converged
    np.testing.assert_allclose(near.mean, exact.mean, atol=0.1)
    assert near.constant == pytest.approx(exact.constant, abs=0.02)
    assert near.constant_variance == pytest.approx(exact.constant_variance, rel=0.01)
    # From the same posterior the predictions are the same.
    new = reference.vectors(NEW)
    got, expected = predict_nearest(VECTORS, exact, KERNEL, new, 60), predict_exact(VECTORS, exact, KERNEL, new)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_few_neighbours_come_close_to_the_exact_process():
    places, new = reference.uniform_points(400, seed=4), reference.uniform_points(200, seed=5)
    y = np.sin(np.radians(4 * places[:, 0])) * np.cos(np.radians(2 * places[:, 1])) > 0
    exact, near = (
        model_of(method=method).fit(places, y).predict_proba(new)[:, 1] for method in ("exact", "neighbours")
    )
    assert np.abs(near - exact).max() < 0.06
    assert np.abs(near - exact).mean() < 0.015


@pytest.mark.parametrize("method", ["exact", "neighbours"])
def test_a_weight_is_so_many_labels_in_any_order(method):
    repeated = np.repeat(np.arange(60), COUNT.astype(int))
    order = np.random.default_rng(0).permutation(repeated)
    y = Y.copy()
    # Two labels at one place may differ.
    X2, y2, count = np.vstack([X, X[:3]]), np.append(y, ~y[:3]), np.append(COUNT, [1.0, 1.0, 1.0])
    weighted = model_of(method=method).fit(X2, y2, count).predict_proba(NEW)
    again = model_of(method=method).fit(np.vstack([X[order], X[:3]]), np.append(y[order], ~y[:3])).predict_proba(NEW)
    np.testing.assert_allclose(again, weighted, atol=1e-9)


def test_output_does_not_depend_on_threads():
    one, two = (model_of(method="neighbours", n_jobs=n).fit(X, Y).predict_proba(NEW) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_search_finds_the_largest_likelihood():
    labels = labels_of(Y)
    kernel = find_kernel(labels, None, None, 1.5)
    best = exact_likelihood(labels, kernel).value
    for variance in (0.3, 3.0, 30.0, 300.0):
        for length in (0.1, 0.3, 1.0, 3.0):
            assert exact_likelihood(labels, Kernel(variance, length, 1.5)).value < best + 0.05
    assert find_kernel(labels, 3.0, None, 0.5)[::2] == pytest.approx((3.0, 0.5))


def test_search_finds_the_smoothness_of_a_smooth_field():
    # The third smoothness is tried if the second has a larger likelihood than the first.
    vectors = reference.vectors(reference.uniform_points(100, seed=5))
    labels = labels_of(vectors @ [0.6, 0.0, 0.8] + 0.3 * vectors[:, 0] * vectors[:, 1] > 0.1, vectors=vectors)
    found = find_kernel(labels, None, None, None)
    best = {nu: exact_likelihood(labels, find_kernel(labels, None, None, nu)).value for nu in (0.5, 1.5, 2.5)}
    assert max(best, key=best.get) == found.smoothness == 2.5


def test_search_sees_a_rare_class():
    vectors = reference.vectors(reference.uniform_points(3000, seed=6))
    y = np.zeros(3000)
    y[[10, 700, 2900]] = 1.0
    rows = _balanced_places(labels_of(y, vectors=vectors), 200)
    assert {10, 700, 2900} <= set(rows.tolist())
    assert len(rows) <= 200


@pytest.mark.parametrize("names", [("land", "sea"), (3, 8), (False, True), (np.float64(0.0), np.float64(1.0))])
def test_two_classes_of_any_kind(names):
    y = np.where(Y, names[1], names[0])
    model = model_of().fit(X, y)
    assert model.classes_.tolist() == sorted(names)
    share = model.predict_proba(NEW)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    log_odds = model.decision_function(NEW)
    np.testing.assert_allclose(share[:, 1], expit(log_odds))
    assert model.predict(NEW).tolist() == model.classes_[(log_odds > 0).astype(int)].tolist()
    assert model.score(X, y) > 0.9


def test_more_classes_have_a_model_each():
    zone = np.array(["cold", "warm", "hot"])[np.digitize(-np.abs(X[:, 0]), [-50, -20])]
    model = model_of().fit(X, zone)
    share = model.predict_proba(NEW)
    assert share.shape == (25, 3)
    assert model.variance_.shape == model.constant_.shape == (3,)
    single = np.column_stack([model_of().fit(X, zone == name).predict_proba(NEW)[:, 1] for name in model.classes_])
    np.testing.assert_allclose(share, single / single.sum(axis=1, keepdims=True), atol=1e-10)
    assert model.predict(NEW).tolist() == model.classes_[share.argmax(axis=1)].tolist()
    mean, variance = model.latent_mean_and_variance(NEW)
    assert mean.shape == variance.shape == (25, 3)


def test_far_from_labels_is_the_constant():
    y = X[:, 0] > 40
    model = model_of(length_scale_km=300.0).fit(X, y)
    mean, variance = model.latent_mean_and_variance([[-89.0, 0.0]])
    assert mean[0] == pytest.approx(model.constant_[0], abs=0.2)
    assert variance[0] > 29.0


def test_class_weights_move_the_odds():
    y = X[:, 0] + np.random.default_rng(0).normal(0, 40, 60) > 30
    plain, balanced, given = (
        model_of(class_weight=weight).fit(X, y).predict_proba(NEW)[:, 1].mean()
        for weight in (None, "balanced", {True: 3.0, False: 1.0})
    )
    assert plain < balanced < 0.6
    assert plain < given


def test_frames_grids_and_pictures():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"lon": X[:, 1], "lat": X[:, 0]})
    model, plain = model_of().fit(frame, Y), model_of().fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(frame), plain.predict_proba(X))
    grid = LatLonGrid(np.linspace(-60, 60, 5), np.linspace(0, 300, 6), mask=np.arange(30).reshape(5, 6) % 4 > 0)
    land = grid.points()[:, 0].reshape(5, 6) > 0
    shaped = model_of().fit(grid, land)
    inside = grid.mask.ravel()
    expected = model_of().fit(grid.points()[inside], land.ravel()[inside]).predict_proba(grid)
    np.testing.assert_allclose(shaped.predict_proba(grid), expected, atol=1e-12)
    cells = CellGrid([[10.0, np.nan]], [[20.0, np.nan]], areas=np.ones((1, 2)))
    assert np.isnan(plain.predict_proba(cells)).tolist() == [[False, False], [True, True]]
    with pytest.raises(ValueError, match="X has 1 cells without a place, the first at 1"):
        plain.predict(cells)
    pytest.importorskip("matplotlib").use("agg")
    display = PredictionMapDisplay.from_estimator(plain, grid=grid)
    assert display.label == "probability of True"


def test_models_come_back_from_files_and_pickles(tmp_path):
    zone = np.digitize(X[:, 0], [-30, 30])
    for model in (model_of().fit(X, zone), model_of(method="neighbours", n_neighbors=5).fit(X, Y.astype(str))):
        skgeo.save(model, tmp_path / "model.npz")
        for loaded in (skgeo.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(loaded.predict_proba(NEW), model.predict_proba(NEW))
            np.testing.assert_array_equal(loaded.predict(NEW), model.predict(NEW))
        assert not hasattr(clone(model), "classes_")


@pytest.mark.parametrize(
    ("options", "y", "weight", "message"),
    [
        ({"method": "harmonics"}, Y, None, "method='harmonics': expected 'auto', 'exact' or 'neighbours'."),
        ({"variance": 0.0}, Y, None, "variance=0.0: expected None or a positive number."),
        ({"smoothness": 50.0}, Y, None, "smoothness=50.0: expected None or a number from 0.1 to 10."),
        ({"n_neighbors": 0}, Y, None, "n_neighbors=0: expected an integer, at least 1."),
        ({"n_jobs": 0}, Y, None, "n_jobs=0: expected None or an integer other than 0."),
        ({"class_weight": "even"}, Y, None, "class_weight='even': expected None, 'balanced' or a dict"),
        ({}, np.full(60, "sea"), None, "y has one class only, 'sea': at least two classes are needed"),
        ({}, np.where(Y, 1.5, 0.2), None, "Unknown label type: continuous"),
        ({}, np.where(Y, None, "a"), None, "y has no class in"),
        ({}, None, None, "requires y to be passed"),
        ({}, Y[:5], None, "Found input variables with inconsistent numbers of samples"),
        ({}, np.ma.masked_array(Y, Y), None, "y is masked where weights are positive"),
        ({}, Y, Y.astype(float), "y has one class only, True"),
        ({}, Y, np.zeros(60), "sample_weight is all zero"),
        ({}, Y, np.full(60, 1e9), "sample_weight has a mean of 1e+09: expected from 1e-06 to 1e+06"),
    ],
)
def test_bad_input_gets_one_clear_error(options, y, weight, message):
    model = model_of(**options)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, y, weight)
    assert not hasattr(model, "classes_")


def test_a_failed_fit_leaves_the_model():
    model = model_of().fit(X, Y)
    before = model.predict_proba(NEW)
    with pytest.raises(ValueError, match="one class"):
        model.fit(X, np.zeros(60))
    np.testing.assert_array_equal(model.predict_proba(NEW), before)


def test_weights_that_are_no_counts_are_warned_of():
    with pytest.warns(UserWarning, match=r"sample_weight has a mean of 1e\+06: a label of weight w counts as w labels"):
        model_of().fit(X, Y, np.full(60, 1e6))


def test_places_that_nearly_coincide():
    near = np.repeat(X[:20], 2, axis=0) + np.tile([[0.0, 0.0], [1e-9, 0.0]], (20, 1))
    y = np.tile([True, False], 20)
    for method in ("exact", "neighbours"):
        share = model_of(method=method, smoothness=2.5).fit(near, y).predict_proba(near)
        assert np.abs(share - 0.5).max() < 0.2


def test_chords_may_be_given():
    labels = labels_of(Y)
    one, two = exact_likelihood(labels, KERNEL), exact_likelihood(labels, KERNEL, cdist(VECTORS, VECTORS))
    assert one.value == two.value
