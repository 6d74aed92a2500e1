"""Domain coefficients, mean and covariance against direct sums and quadrature."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import reference
from skgeo import LatLonGrid
from skgeo._kernels import domain as _domain
from skgeo._kernels.sphere import band_heights


def edges(low, high, n):
    bounds = np.linspace(low, high, n + 1)
    return np.column_stack([bounds[:-1], bounds[1:]])


@pytest.mark.parametrize("max_degree", [1, 4, 10])
def test_points_agree_with_the_direct_sum(max_degree):
    points = np.vstack([reference.uniform_points(300), [[90, 0], [-90, 50], [10, 180]]])
    weights = np.random.default_rng(2).uniform(0, 2, len(points))
    coefficients = _domain.point_coefficients(*np.ascontiguousarray(points.T), weights, 2 * max_degree)
    assert_allclose(coefficients, weights @ reference.harmonics(*points.T, 2 * max_degree), atol=1e-10)
    for got, expected in zip(
        _domain.moments(coefficients), reference.moments(points, weights, max_degree), strict=True
    ):
        assert_allclose(got, expected, atol=1e-12 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (15, 26)])
@pytest.mark.parametrize("box", [(-90, 90, 0, 360), (30, 60, -10, 40), (-90, -70, 170, 200), (89, 90, 0, 1)])
def test_cells_agree_with_quadrature_inside_each_cell(shape, box):
    max_degree = 5
    mask = np.random.default_rng(3).uniform(size=shape)
    latitude, longitude = edges(*box[:2], shape[0]), edges(*box[2:], shape[1])
    n = 40 if shape[0] < 3 else 8
    boxes = [reference.gauss_box(*row, *column, n=n) for row in latitude for column in longitude]
    points, weights = (np.concatenate(parts) for parts in zip(*boxes, strict=True))
    expected = (weights * np.repeat(mask.ravel(), n * n)) @ reference.harmonics(*points.T, 2 * max_degree)
    got = _domain.cell_coefficients(latitude, longitude, mask, 2 * max_degree)
    assert_allclose(got, expected, atol=1e-12 * mask.size**0.5, rtol=1e-12)


@pytest.mark.parametrize(
    "latitude",
    [np.arange(-89.5, 90), np.arange(87.5, -90, -5), np.linspace(-90, 90, 61), reference.gaussian_latitudes(64)],
    ids=["1 degree", "5 degrees descending", "pole rows", "Gaussian"],
)
@pytest.mark.parametrize("max_degree", [1, 10, 20])
def test_covariance_of_the_globe_is_the_identity(latitude, max_degree):
    grid = LatLonGrid(latitude, np.arange(0, 360, 5.0))
    coefficients = _domain.cell_coefficients(
        grid.latitude_edges, grid.longitude_edges, np.ones(grid.shape), 2 * max_degree
    )
    total, mean, covariance = _domain.moments(coefficients)
    assert_allclose(total, 4 * np.pi, rtol=1e-12)
    assert_allclose(mean, np.eye(1, mean.size)[0] / np.sqrt(4 * np.pi), atol=1e-12)
    expected = np.eye(mean.size) / (4 * np.pi)
    expected[0, 0] = 0.0
    assert_allclose(covariance, expected, atol=1e-12)


def box_and_its_cells(shape, degree):
    whole = _domain.cell_coefficients(edges(30, 60, 1), edges(-10, 40, 1), np.ones((1, 1)), degree)
    return _domain.cell_coefficients(edges(30, 60, shape[0]), edges(-10, 40, shape[1]), np.ones(shape), degree), whole


@pytest.mark.parametrize("shape", [(1, 500), (1, 20_000), (40, 1), (7, 30)])
@pytest.mark.parametrize("degree", [20, 80])
def test_a_box_is_the_same_to_rounding_whatever_its_cells(shape, degree):
    # What the basis can tell apart hangs on this: 2e-16 times the degree is what _eigenbasis counts on.
    assert_allclose(*box_and_its_cells(shape, degree), atol=1e-15, rtol=0)


def test_long_sums_do_not_round_one_way():
    # Measured with the BLAS kernels of five processors: 8e-17, and 6e-16 to 8e-16 by one running sum.
    assert_allclose(*box_and_its_cells((1, 200_000), 20), atol=3e-16, rtol=0)


def test_a_domain_of_latitude_bands_has_no_order_but_zero():
    latitude, longitude, weight = edges(-90, 90, 9), edges(0, 360, 4), np.random.default_rng(4).uniform(size=9)
    rows = np.repeat(weight[:, np.newaxis], 4, axis=1)
    coefficients = _domain.cell_coefficients(latitude, longitude, rows, 12, closed=True)
    assert _domain.is_zonal(coefficients)
    assert_allclose(coefficients, _domain.cell_coefficients(latitude, longitude, rows, 12), atol=1e-12)
    bands = [reference.gauss_box(south, north, 0, 360, n=40) for south, north in latitude]
    points = np.concatenate([band[0] for band in bands])
    weights = np.concatenate([share * band[1] for share, band in zip(weight, bands, strict=True)])
    for got, expected in zip(_domain.moments(coefficients), reference.moments(points, weights, 6), strict=True):
        assert_allclose(got, expected, atol=1e-12)


def test_parts_add_up_to_the_whole():
    points = reference.uniform_points(10_000)
    weights = np.ones(len(points))
    whole = _domain.point_coefficients(*np.ascontiguousarray(points.T), weights, 12)
    parts = [
        _domain.point_coefficients(*np.ascontiguousarray(p.T), np.ones(len(p)), 12) for p in np.array_split(points, 7)
    ]
    assert_allclose(sum(parts), whole, atol=1e-9)


@pytest.mark.parametrize(("height", "degree", "most"), [(180, 20, 40), (5, 40, 10), (0.25, 80, 6), (0.05, 20, 4)])
def test_thin_rows_need_few_nodes(height, degree, most):
    row = np.array([[-height / 2.0, height / 2.0]])
    nodes, weights = _domain.row_nodes(row, degree)
    assert_allclose(weights.sum(), 2 * np.sin(np.radians(height / 2)), rtol=1e-12)
    assert nodes.shape[1] <= most


@pytest.mark.parametrize("pole", [-90, 90])
def test_band_heights_keep_their_digits_at_a_pole(pole):
    mpmath = pytest.importorskip("mpmath")
    south, north = sorted([pole, pole - np.sign(pole) * 1e-5])
    with mpmath.workdps(50):
        exact = float(
            mpmath.sin(mpmath.radians(mpmath.mpf(float(north)))) - mpmath.sin(mpmath.radians(mpmath.mpf(float(south))))
        )
    assert_allclose(band_heights(south, north), exact, rtol=1e-9)  # the edge itself is given to 1e-14 degrees
