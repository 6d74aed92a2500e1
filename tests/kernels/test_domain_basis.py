"""Three ways to the components of a domain: products with vectors, blocks of orders, and the covariance itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import reference
from skgeo import LatLonGrid, SphericalHarmonicPCA, matern_spectrum
from skgeo._kernels import domain as _domain
from skgeo._kernels import domain_basis, eigenbasis
from skgeo._kernels.domain_products import CovarianceProducts
from skgeo._kernels.leading_vectors import solve_by_products


def covariance_of(points, weights, root, max_degree):
    """The covariance of scaled harmonics by a sum over points, without the constant."""
    return (reference.moments(points, weights, max_degree)[2] * np.outer(root, root))[1:, 1:]


@pytest.mark.parametrize("most", [256, 0], ids=["matrices", "Fourier transforms"])
@pytest.mark.parametrize("max_degree", [1, 2, 5, 8])
def test_products_are_those_of_the_covariance(monkeypatch, max_degree, most):
    monkeypatch.setattr("skgeo._kernels.domain_products._MAX_MATRIX_DEGREE", most)
    random = np.random.default_rng(max_degree)
    points, weights = reference.uniform_points(50, seed=3), random.uniform(0.1, 1.0, 50)
    root = random.uniform(0.5, 2.0, (max_degree + 1) ** 2)
    coefficients = _domain.point_coefficients(*np.ascontiguousarray(points.T), weights, 2 * max_degree)
    products = CovarianceProducts(coefficients, root)
    vectors = random.standard_normal((root.size - 1, 7))
    expected = covariance_of(points, weights, root, max_degree)[products.columns][:, products.columns] @ vectors
    assert_allclose(products(vectors), expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_products_in_blocks_without_kept_matrices(monkeypatch):
    points = reference.uniform_points(50, seed=3)
    coefficients = _domain.point_coefficients(*np.ascontiguousarray(points.T), np.ones(50), 8)
    vectors = np.random.default_rng(0).standard_normal((24, 300))
    expected = CovarianceProducts(coefficients, np.ones(25))(vectors)
    monkeypatch.setattr("skgeo._kernels.domain_products._MAX_KEPT_VALUES", 0)
    monkeypatch.setattr("skgeo._kernels.domain_products._BLOCK_WAVES", 0)
    products = CovarianceProducts(coefficients, np.ones(25))
    assert products.block == 256
    assert_allclose(products(vectors), expected, rtol=0, atol=1e-14)


class Matrix:
    """Products with a symmetric matrix, whose rows are in another order than the columns."""

    block = 48

    def __init__(self, values, seed):
        vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((values.size, values.size)))[0]
        self.matrix = (vectors * values) @ vectors.T
        self.columns = np.arange(values.size)[::-1]

    def __call__(self, vectors):
        return self.matrix @ vectors


@pytest.mark.parametrize("n_values", [5, 63, 150])
def test_eigenvectors_above_rounding_are_found(n_values):
    values = np.zeros(400)
    values[:n_values] = np.geomspace(1.0, 1e-12, n_values)
    matrix = Matrix(values, seed=1)
    found, leading = solve_by_products(matrix, 0.0, 400)
    assert_allclose(found[:n_values], values[:n_values], rtol=0, atol=2e-15)
    vectors = leading(n_values)
    expected = matrix.matrix[::-1, ::-1]
    assert_allclose(expected @ vectors, vectors * values[:n_values], rtol=0, atol=3e-15)
    assert_allclose(vectors.T @ vectors, np.eye(n_values), atol=1e-13)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    points = reference.uniform_points(300, seed=3) * [0.2, 0.2]
    coefficients = _domain.point_coefficients(*np.ascontiguousarray(points.T), np.ones(300), 2 * 24)
    found = []
    for n_threads in (1, 3):
        for module in ("leading_vectors", "domain_products"):
            monkeypatch.setattr(f"skgeo._kernels.{module}.n_blas_threads", lambda n_threads=n_threads: n_threads)
        values, leading = solve_by_products(CovarianceProducts(coefficients, np.ones(625)), 0.0, 625)
        found.append((values, leading(50)))
    assert_array_equal(found[0][0], found[1][0])
    assert_array_equal(found[0][1], found[1][1])


def test_too_many_eigenvectors_are_left_to_another_way():
    assert solve_by_products(Matrix(np.ones(300), seed=2), 0.0, 200) is None


def grid(south, north, west, east, mask=None):
    latitude, longitude = np.linspace(south, north, 13), np.linspace(west, east, 17)
    return LatLonGrid((latitude[:-1] + latitude[1:]) / 2, (longitude[:-1] + longitude[1:]) / 2, mask)


def shape(condition):
    """A mask of 12 x 16 cells from a condition on row and column."""
    return np.fromfunction(condition, (12, 16)).astype(float)


REGIONS = {
    "box": grid(30, 60, -10, 40),
    "small box": grid(45, 50, 5, 15),
    "across 180 degrees": grid(-20, 5, 165, 200),
    "beside the pole": grid(70, 90, 20, 130),
    "cap": grid(20, 60, 0, 60, shape(lambda i, j: np.hypot(i - 5.5, (j - 7.5) * 0.7) < 5)),
    "coast": grid(30, 60, -10, 40, shape(lambda i, j: j < 5 + 3 * np.sin(i) + i / 3)),
    "islands": grid(-30, 30, 100, 180, shape(lambda i, j: (i % 5 < 1) & (j % 4 < 1))),
    "fractions": grid(30, 60, -10, 40, shape(lambda i, j: 0.5 + 0.5 * np.sin(i + 2 * j))),
    "band of half a circle": grid(30, 40, 0, 180),
    "points": np.random.default_rng(0).uniform([40, 5], [50, 15], (150, 2)),
}


def fits(monkeypatch, region, max_degree, **parameters):
    """A fit by products with vectors, and a fit by the covariance."""
    ways = []
    for least in (0, 10**9):
        monkeypatch.setattr(domain_basis, "_MIN_HARMONICS", least)
        monkeypatch.setattr(domain_basis, "_MAX_VECTOR_SHARE", 1.0)
        monkeypatch.setattr(domain_basis, "_vectors_needed", lambda shannon_number: 1.0)
        ways.append(SphericalHarmonicPCA(max_degree, **parameters).fit(region))
    return ways


@pytest.mark.parametrize("name", REGIONS)
def test_both_ways_give_one_basis(monkeypatch, name):
    used = []
    solve = domain_basis.solve_by_products
    monkeypatch.setattr(domain_basis, "solve_by_products", lambda *given: used.append(solve(*given)) or used[-1])
    region = REGIONS[name]
    by_products, by_covariance = fits(monkeypatch, region, 24)
    assert len(used) == 1
    assert used[0] is not None
    inside = region
    if isinstance(region, LatLonGrid):
        inside = region.points() if region.mask is None else region.points()[region.mask.ravel() > 0.0]
    assert by_products.n_components_ == by_covariance.n_components_
    assert_allclose(by_products.transform(inside), by_covariance.transform(inside), rtol=0, atol=1e-7)
    assert_allclose(by_products.explained_variance_, by_covariance.explained_variance_, rtol=1e-6)
    assert_allclose(by_products.explained_variance_ratio_, by_covariance.explained_variance_ratio_, rtol=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [{"spectrum": "matern"}, {"n_components": "shannon"}, {"n_components": 0.9}, {"n_components": 7}],
    ids=str,
)
def test_both_ways_for_all_parameters(monkeypatch, parameters):
    by_products, by_covariance = fits(monkeypatch, REGIONS["box"], 20, **parameters)
    points = REGIONS["box"].points()
    assert by_products.n_components_ == by_covariance.n_components_
    assert_allclose(by_products.transform(points), by_covariance.transform(points), rtol=0, atol=1e-7)


@pytest.mark.parametrize("spectrum", [None, "matern"])
@pytest.mark.parametrize("south", [-90.0, 20.0])
def test_orders_of_a_zonal_domain_are_those_of_its_covariance(south, spectrum):
    latitude = np.linspace(south, 50, 9)
    band = LatLonGrid((latitude[:-1] + latitude[1:]) / 2, np.arange(5, 360, 10.0))
    by_orders = SphericalHarmonicPCA(6, spectrum=spectrum, clip=None).fit(band)
    points, weights = reference.gauss_box(south, 50, 0, 360, n=30)
    prior = np.ones(7) if spectrum is None else matern_spectrum(6)
    root = np.sqrt(prior)[np.sqrt(np.arange(49)).astype(int)]
    expected = np.linalg.eigvalsh(covariance_of(points, weights, root, 6))[::-1]
    assert_allclose(by_orders.explained_variance_, expected[: by_orders.n_components_], rtol=1e-6, atol=1e-8)


def test_few_components_of_a_large_span_are_those_of_all(monkeypatch):
    # The choice of harmonics within a group looks at those only that may be chosen.
    span = np.linalg.qr(np.random.default_rng(3).standard_normal((300, 90)))[0]
    few = eigenbasis._canonical_rows(span, 90)[0]
    monkeypatch.setattr(eigenbasis, "_fullest", lambda *given: None)
    every = eigenbasis._canonical_rows(span, 90)[0]
    assert_allclose(few, every, atol=1e-11)
    assert_array_equal(np.argmax(np.abs(few), axis=1), np.argmax(np.abs(every), axis=1))
