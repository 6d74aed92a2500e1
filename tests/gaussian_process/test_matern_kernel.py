"""The kernels of Gaussian processes of chords: beside scikit-learn, dense algebra, mpmath and finite differences."""

import math

import mpmath
import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.spatial.distance import cdist
from sklearn.gaussian_process.kernels import Matern

import reference
from skgeo._kernels.exact_gp import ExactGP
from skgeo._kernels.gp_likelihood import likelihood, merge_places
from skgeo._kernels.gp_search import Given, find_hyperparameters
from skgeo._kernels.grouped_places import _errors, _halve, group_observations
from skgeo._kernels.matern import matern, matern_with_slope
from skgeo._kernels.neighbour_gp import (
    Conditional,
    NeighbourGP,
    condition_on_nearest,
    covariance_given_nearest,
    draw_prior,
    earlier_neighbours,
)

PLACES = reference.vectors(reference.uniform_points(60, seed=0))
RNG = np.random.default_rng(1)
# Ten places have two observations; the mean has two coefficients.
VECTORS = np.vstack([PLACES, PLACES[:10]])
TARGETS = RNG.normal(size=(70, 2))
DESIGN = np.column_stack([np.ones(70), RNG.normal(size=70)])
WEIGHT = RNG.uniform(0.3, 3.0, 70)


@pytest.mark.parametrize("smoothness", [0.1, 0.5, 0.8, 1.5, 2.5, 3.5, 4.0, 4.5, 10.0])
def test_correlations_are_those_of_scikit_learn(smoothness):
    points = PLACES[:20]
    chords = cdist(points, points)
    expected = Matern(0.4, nu=smoothness)(points)
    np.testing.assert_allclose(matern(chords, 0.4, smoothness), expected, rtol=1e-11, atol=1e-14)
    value, slope = matern_with_slope(chords, 0.4, smoothness)
    np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-14)
    step = [matern(chords, 0.4 * math.exp(sign * 1e-5), smoothness) for sign in (1, -1)]
    np.testing.assert_allclose(slope, (step[0] - step[1]) / 2e-5, atol=1e-8)


@pytest.mark.parametrize("smoothness", [0.1, 0.5, 0.8, 4.5, 10.0])
@pytest.mark.parametrize("chord", [0.0, 1e-30, 1e-14, 1e-6, 2.0])
def test_correlations_of_near_and_far_places(smoothness, chord):
    with mpmath.workdps(60):
        r = mpmath.sqrt(2 * mpmath.mpf(smoothness)) * mpmath.mpf(chord) / mpmath.mpf(0.002)
        expected = 1.0
        if chord:
            expected = 2 ** (1 - mpmath.mpf(smoothness)) / mpmath.gamma(smoothness)
            expected *= r**smoothness * mpmath.besselk(smoothness, r)
    value, slope = matern_with_slope(np.array([chord]), 0.002, smoothness)
    # The smallest smoothness varies by 1e-5 within the distance below which the correlation is set to 1.
    assert value[0] == pytest.approx(float(expected), rel=1e-4 if smoothness == 0.1 else 1e-10, abs=1e-300)
    assert np.isfinite(slope).all()


def process(kind, data):
    if kind == "exact":
        return ExactGP(data.vectors, data.weight)
    return NeighbourGP(data.vectors, data.weight, {"all neighbours": 99, "neighbours": 7}[kind])


def at(kind, data, theta, smoothness=1.5):
    variance, length, ratio = np.exp(theta).tolist()
    gram = process(kind, data).gram(data.columns, length, smoothness, ratio)
    return likelihood(gram, data, 2, ratio, variance)


def observations(design=DESIGN):
    return merge_places(VECTORS, np.hstack([TARGETS, design]), WEIGHT)


@pytest.mark.parametrize("kind", ["exact", "all neighbours"])
@pytest.mark.parametrize("n_design", [0, 2])
def test_likelihood_is_that_of_the_dense_normal_distribution(kind, n_design):
    """Merged places, weights and a mean: restricted likelihood by dense matrices of all 70 observations."""
    variance, length, ratio = 1.7, 0.6, 0.2
    covariance = variance * (Matern(length, nu=1.5)(VECTORS) + np.diag(ratio / WEIGHT))
    design, inverse = DESIGN[:, :n_design], np.linalg.inv(covariance)
    precision = design.T @ inverse @ design
    projected = inverse - inverse @ design @ np.linalg.solve(precision, design.T @ inverse) if n_design else inverse
    determinants = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(precision)[1]
    expected = -0.5 * ((70 - n_design) * math.log(2 * math.pi) * 2 + 2 * determinants)
    expected -= 0.5 * np.einsum("it,ij,jt->", TARGETS, projected, TARGETS)
    found = at(kind, observations(design), np.log([variance, length, ratio]))
    assert found.value == pytest.approx(expected, rel=1e-12)
    if n_design:
        np.testing.assert_allclose(found.precision, variance * precision, rtol=1e-10)
        expected = np.linalg.solve(precision, design.T @ inverse @ TARGETS)
        np.testing.assert_allclose(found.coefficients, expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["exact", "neighbours"])
@pytest.mark.parametrize("smoothness", [0.5, 0.8, 1.5, 2.5, 4.5])
@pytest.mark.parametrize("n_design", [0, 2])
def test_gradient_is_the_slope_of_the_likelihood(kind, smoothness, n_design):
    data, theta = observations(DESIGN[:, :n_design]), np.log([1.3, 0.5, 0.15])
    gradient = at(kind, data, theta, smoothness).gradient
    slope = approx_fprime(theta, lambda point: at(kind, data, point, smoothness).value, 1e-7)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-4)


def test_the_variance_that_is_left_out_is_the_likeliest():
    data = observations()
    gram = process("exact", data).gram(data.columns, 0.5, 1.5, 0.2)
    best = likelihood(gram, data, 2, 0.2)
    assert best.gradient[0] == pytest.approx(0.0, abs=1e-9)
    assert best.value > max(likelihood(gram, data, 2, 0.2, best.variance * factor).value for factor in (0.99, 1.01))


def test_merging_depends_neither_on_order_nor_on_parts():
    columns, order = np.hstack([TARGETS, DESIGN]), RNG.permutation(70)
    whole = merge_places(VECTORS, columns, WEIGHT)
    assert (len(whole.vectors), whole.multiplicity.sum(), len(whole.deviations)) == (60, 70, 20)
    shuffled = merge_places(VECTORS[order], columns[order], WEIGHT[order])
    for one, other in zip(whole, shuffled, strict=True):
        np.testing.assert_array_equal(one, other)
    parts = None
    for rows in np.split(order, [5, 31]):
        parts = merge_places(VECTORS[rows], columns[rows], WEIGHT[rows], parts)
    theta = np.log([1.3, 0.5, 0.15])
    assert at("exact", parts, theta).value == pytest.approx(at("exact", whole, theta).value, rel=1e-12)
    # Rounding does not part a place.
    near = merge_places(np.vstack([VECTORS, VECTORS[:5] + 1e-15]), np.vstack([columns, columns[:5]]), np.ones(75))
    assert len(near.vectors) == 60


@pytest.mark.parametrize("clustered", [False, True])
def test_earlier_neighbours_are_the_nearest(clustered):
    vectors = np.random.default_rng(2).normal(size=(700, 3))
    vectors[: 350 * clustered] = vectors[: 350 * clustered] * 1e-3 + [1, 0, 0]
    vectors = vectors[np.random.default_rng(3).permutation(700)]
    found = earlier_neighbours(vectors, 9, n_jobs=2)
    for i in range(700):
        expected = np.argsort(np.linalg.norm(vectors[:i] - vectors[i], axis=1))[:9]
        np.testing.assert_array_equal(found[i, : min(i, 9)], expected)
        assert (found[i, min(i, 9) :] == -1).all()


def test_predictions_from_nearest_are_dense_kriging_of_them():
    data = Conditional(PLACES, TARGETS[:60], 0.2 / WEIGHT[:60])
    new = reference.vectors(reference.uniform_points(7, seed=5))
    means, variance = condition_on_nearest(data, (0.5, 1.5), new, 12)
    kernel = Matern(0.5, nu=1.5)
    for i, place in enumerate(new):
        near = np.argsort(np.linalg.norm(PLACES - place, axis=1))[:12]
        weights = np.linalg.solve(kernel(PLACES[near]) + np.diag(data.noise[near]), kernel(PLACES[near], [place]))[:, 0]
        np.testing.assert_allclose(means[i], weights @ data.columns[near], atol=1e-12)
        assert variance[i] == pytest.approx(1 - weights @ kernel(PLACES[near], [place])[:, 0], rel=1e-10)
    covariance = covariance_given_nearest(data, (0.5, 1.5), new, 12)
    np.testing.assert_allclose(np.diagonal(covariance), variance, rtol=1e-10)
    full = kernel(PLACES) + np.diag(data.noise)
    expected = kernel(new) - kernel(new, PLACES) @ np.linalg.solve(full, kernel(PLACES, new))
    np.testing.assert_allclose(covariance_given_nearest(data, (0.5, 1.5), new, 60), expected, atol=1e-12)


def test_prior_draws_have_the_covariance_of_the_kernel():
    # White noise of one entry each makes the columns of a root of the covariance.
    root = draw_prior(PLACES, (0.6, 2.5), 59, np.eye(60))
    np.testing.assert_allclose(root @ root.T, Matern(0.6, nu=2.5)(PLACES), atol=1e-8)
    few = draw_prior(PLACES, (0.6, 2.5), 15, np.eye(60))
    np.testing.assert_allclose(few @ few.T, Matern(0.6, nu=2.5)(PLACES), atol=0.06)


@pytest.mark.parametrize("smoothness", [1.5])
def test_the_search_finds_the_parameters_of_drawn_fields(smoothness):
    vectors = reference.vectors(reference.uniform_points(400, seed=6))
    covariance = Matern(0.3, nu=smoothness)(vectors) + 0.05 * np.eye(400)
    fields = np.linalg.cholesky(covariance) @ np.random.default_rng(7).normal(size=(400, 6))
    data = merge_places(vectors, fields, np.ones(400))
    found = find_hyperparameters(data, 6, Given(), 15)
    assert found.smoothness == smoothness
    assert found.length == pytest.approx(0.3, rel=0.35)
    assert found.variance == pytest.approx(1.0, rel=0.3)
    assert found.ratio == pytest.approx(0.05, rel=0.3)


@pytest.mark.parametrize("n", [1, 2, 5, 64, 700])
def test_a_tree_of_places_halves_them(n):
    vectors = np.random.default_rng(3).normal(size=(n, 3))
    part, order = _halve(vectors)
    assert sorted(order) == list(range(n))
    assert len(np.unique(part)) == n
    for level in range(1, 4):
        sizes = np.unique(part >> level, return_counts=True)[1]
        assert sizes.max() <= 2**level
    # The two halves of all places do not overlap along the widest axis.
    if n > 2:
        axis = np.argmax(np.ptp(vectors, axis=0))
        last = part >> ((n - 1).bit_length() - 1) == 1
        assert vectors[order[last], axis].min() >= vectors[order[~last], axis].max()


def test_the_error_of_a_group_is_that_of_its_mean_field():
    vectors, weight = PLACES[:12].reshape(3, 4, 3), WEIGHT[:12].reshape(3, 4)
    for group, weights, found in zip(vectors, weight, _errors(vectors, weight, (0.9, 1.5)), strict=True):
        shares = weights / weights.sum()
        centre = shares @ group / np.linalg.norm(shares @ group)
        contrast = np.append(shares, -1.0)
        expected = contrast @ Matern(0.9, nu=1.5)(np.vstack([group, centre])) @ contrast
        assert found == pytest.approx(expected, rel=1e-10)


def test_groups_keep_what_dense_noisy_observations_say():
    """Exact predictions from groups are those from all observations, where the noise is large."""
    vectors = reference.vectors(reference.uniform_points(900, seed=11))
    rng, weight, kernel, ratio = (
        np.random.default_rng(12),
        np.random.default_rng(13).uniform(0.5, 2, 900),
        (0.8, 2.5),
        2.0,
    )
    covariance = Matern(0.8, nu=2.5)
    field = np.linalg.cholesky(covariance(vectors) + 1e-9 * np.eye(900)) @ rng.normal(size=900)
    data = merge_places(vectors, (field + rng.normal(0, np.sqrt(ratio / weight)))[:, np.newaxis], weight)
    groups = group_observations(data, kernel, ratio)
    assert len(groups.vectors) < 300
    new = reference.vectors(reference.uniform_points(200, seed=14))
    mean, variance = dense_kriging(covariance, data.vectors, data.columns, ratio / data.weight, new)
    group_mean, group_variance = dense_kriging(covariance, *groups, new)
    near_mean, _ = condition_on_nearest(Conditional(data.vectors, data.columns, ratio / data.weight), kernel, new, 40)
    group_error, near_error = (
        np.sqrt(np.mean((found - mean)[:, 0] ** 2 / variance)) for found in (group_mean, near_mean)
    )
    assert group_error < 0.25
    assert near_error > 1.5 * group_error
    np.testing.assert_allclose(group_variance, variance, rtol=0.1)


def dense_kriging(covariance, vectors, columns, noise, new):
    cross = covariance(vectors, new)
    weights = np.linalg.solve(covariance(vectors) + np.diag(noise), cross)
    return weights.T @ columns, 1.0 - np.sum(weights * cross, axis=0)


def test_observations_with_little_noise_are_not_grouped():
    data = merge_places(PLACES, TARGETS[:60], WEIGHT[:60])
    far = merge_places(reference.vectors(reference.uniform_points(200, seed=3)), np.ones((200, 1)), np.ones(200))
    for observations in (data, far):
        groups = group_observations(observations, (0.3, 0.5), 0.01)
        np.testing.assert_array_equal(groups.vectors, observations.vectors)
        np.testing.assert_array_equal(groups.noise, 0.01 / observations.weight)
