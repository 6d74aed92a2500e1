"""The canonical basis: a proper eigenbasis, untouched by rotations inside equal eigenvalues, never noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skgeo._kernels import eigenbasis as _eigenbasis
from skgeo._kernels.eigenbasis import canonical_eigenbasis, canonical_solution, solve_blocks


def random_rotation(rng, size):
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def covariance(values, vectors):
    return (vectors * values) @ vectors.T


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_equal_eigenvalues_give_one_basis_if_rotated(seed, multiplicities):
    rng = np.random.default_rng(seed)
    values = np.repeat(np.cumsum(rng.uniform(0.2, 1, len(multiplicities)))[::-1], multiplicities)
    vectors = random_rotation(rng, values.size)
    start, bases = 0, []
    for turned in (False, True):
        frame = vectors.copy()
        if turned:
            for size in multiplicities:
                frame[:, start : start + size] @= random_rotation(rng, size)
                start += size
        bases.append(canonical_eigenbasis(covariance(values, frame), 0.0))
    assert_allclose(bases[0].components, bases[1].components, atol=1e-9)
    assert_allclose(bases[0].variance, values, rtol=1e-12)
    assert_allclose(bases[0].components @ bases[0].components.T, np.eye(values.size), atol=1e-12)
    assert set(np.cumsum(multiplicities)) <= set(bases[0].whole_sizes)


def test_groups_take_the_harmonics_they_hold_most_of():
    # The span of e1 and (e0 + e2) / sqrt 2 holds all of harmonic 1, and half of harmonics 0 and 2.
    span = np.array([[0.0, 1.0, 0.0], [np.sqrt(0.5), 0.0, np.sqrt(0.5)]])
    basis = canonical_eigenbasis(span.T @ span + 0.1 * np.eye(3), 0.0)
    assert_allclose(basis.components[:2], span, atol=1e-12)


def test_signs_make_the_first_of_the_largest_entries_positive():
    basis = canonical_eigenbasis(covariance(np.array([3.0, 2.0]), np.array([[-0.6, 0.8], [-0.8, -0.6]])), 0.0)
    assert_allclose(basis.components, [[0.6, 0.8], [0.8, -0.6]], atol=1e-12)


@pytest.mark.parametrize("ratio", [1e-11, 1e-13, 1e-17])
def test_directions_below_resolution_are_left_out(ratio):
    values = np.array([1.0, 0.5, 1e-3, ratio, ratio / 3])
    basis = canonical_eigenbasis(covariance(values, random_rotation(np.random.default_rng(5), 5)), 0.0)
    assert_allclose(basis.variance, values[:3], rtol=1e-10)


def test_a_large_mean_raises_the_floor():
    values = np.array([1.0, 1e-6, 1e-7])
    assert canonical_eigenbasis(np.diag(values), 0.0).variance.size == 3
    assert canonical_eigenbasis(np.diag(values), 1e2).variance.size == 2
    assert canonical_eigenbasis(np.diag(values), 1e12).variance.size == 0


def test_pure_harmonics_may_be_cut_between_degrees():
    basis = canonical_eigenbasis(np.eye(15) / (4 * np.pi), 0.0)
    assert_array_equal(basis.components, np.eye(15))
    assert_array_equal(basis.whole_sizes, [3, 8, 15])


@pytest.mark.parametrize("n_wanted", [1, 5, 6, 9, 12])
@pytest.mark.parametrize("multiplicity", [1, 2, 7, 60])
def test_a_few_components_are_the_first_of_all(n_wanted, multiplicity):
    # With 60 equal eigenvalues the first look does not reach the end of the group that is cut.
    rng = np.random.default_rng(6)
    values = np.repeat(np.geomspace(1, 1e-4, 240 // multiplicity), multiplicity)
    matrix = covariance(values, random_rotation(rng, values.size))
    every, few = canonical_eigenbasis(matrix, 0.0), canonical_eigenbasis(matrix, 0.0, n_wanted=n_wanted)
    assert n_wanted <= few.variance.size <= n_wanted + 1
    assert_allclose(few.components, every.components[: few.variance.size], atol=1e-9)
    assert_allclose(few.variance, every.variance[: few.variance.size], rtol=1e-12)
    assert few.n_supported == every.n_supported == values.size
    assert_array_equal(few.whole_sizes, every.whole_sizes)


def test_blocks_are_solved_one_by_one_to_the_same_basis():
    rng = np.random.default_rng(7)
    lists = [[np.array([4, 0, 7])], [np.array([2]), np.array([8])], [np.array([1, 3, 5, 6])]]
    matrix, blocks = np.zeros((9, 9)), []
    for columns in lists:
        part = rng.normal(size=(columns[0].size, columns[0].size))
        blocks.append((columns, part @ part.T))
        for rows in columns:
            matrix[np.ix_(rows, rows)] = part @ part.T
    whole, apart = canonical_eigenbasis(matrix, 0.0), canonical_solution(solve_blocks(blocks), 9, 0.0)
    assert_allclose(apart.variance, whole.variance, rtol=1e-12)
    assert_allclose(apart.components, whole.components, atol=1e-12)


@pytest.mark.parametrize("n_wanted", [20, 36, 100, 300])
def test_domain_of_low_rank_gives_fewer_components(n_wanted):
    values = np.concatenate([np.geomspace(1, 1e-3, 35), np.zeros(325)])
    matrix = covariance(values, random_rotation(np.random.default_rng(10), values.size))
    basis = canonical_eigenbasis(matrix, 0.0, n_wanted=n_wanted)
    assert basis.n_supported == basis.whole_sizes[-1] == 35
    assert basis.variance.size >= min(35, n_wanted)
    assert_allclose(basis.variance, values[: basis.variance.size], rtol=1e-10)


def test_a_large_group_is_not_worked_out_beyond_what_is_wanted(monkeypatch):
    asked = []
    canonical_rows = _eigenbasis._canonical_rows
    monkeypatch.setattr(_eigenbasis, "_canonical_rows", lambda *given: asked.append(given[1]) or canonical_rows(*given))
    values = np.concatenate([[3.0, 2.0], np.ones(200), np.full(38, 1e-3)])
    canonical_eigenbasis(covariance(values, random_rotation(np.random.default_rng(12), 240)), 0.0, n_wanted=10)
    assert asked == [1, 1, 9]


@pytest.mark.parametrize(("distance", "together"), [(5e-7, True), (2e-6, False)])
def test_eigenvalues_within_a_millionth_are_one_group(distance, together):
    values = np.array([3.0, 1.0, 1.0 - distance, 0.2])
    basis = canonical_eigenbasis(covariance(values, random_rotation(np.random.default_rng(11), 4)), 0.0)
    assert (2 not in basis.whole_sizes) == together


@pytest.mark.parametrize(("tilt", "first"), [(5e-5, 0), (-5e-5, 0), (2e-3, 1), (-2e-3, 0)])
def test_ties_within_1e_4_go_to_the_first_harmonic(tilt, first):
    # A plane in three dimensions that holds 1/2 + tilt of harmonic 1, and 1/2 of harmonics 0 and 2, all but the tilt.
    share = np.array([0.75, 0.75 * (1 + tilt), 0.5 - 0.75 * tilt])
    normal = np.sqrt(1.0 - share)
    plane = np.linalg.svd(normal[np.newaxis])[2][1:]
    rows = canonical_eigenbasis(plane.T @ plane + 0.1 * np.eye(3), 0.0).components
    assert np.argmax(np.abs(rows[0])) == first


@pytest.mark.parametrize(("distance", "together"), [(4e-9, True), (7e-9, False)])
def test_eigenvalues_equal_to_rounding_are_one_group(distance, together):
    # The floor is 1e-9 here; what lies above it counts, and is a component of its own only five times as far apart.
    values = np.array([1.0, 0.5, 5e-8, 5e-8 - distance])
    basis = canonical_eigenbasis(covariance(values, random_rotation(np.random.default_rng(13), 4)), 0.0)
    assert basis.n_supported == 4
    assert (3 not in basis.whole_sizes) == together
    assert_allclose(basis.variance.sum(), values.sum(), rtol=1e-12)
