"""Kernel: a domain on the sphere as the harmonic coefficients of its weight function.

A product of two harmonics of degree <= L has degrees <= 2 L only, so total weight, mean and covariance of the
harmonics over a domain all follow from the coefficients of its weight function to degree 2 L. They are plain
arrays of (2 L + 1) ** 2 numbers, index ``l * l + l + m``, and they add: parts of a domain merge by ``+``.
"""

import math

import numpy as np
import numpy.typing as npt

from skgeo._harmonics import (
    FloatArray,
    blocks,
    degree_of,
    legendre,
    legendre_by_order,
    longitude_radians,
    sin_cos_latitude,
    trigonometric,
)

# Terms that are summed one after the other before sums of sums are formed.
_RUNNING_SUM = 32


def point_coefficients(latitude: FloatArray, longitude: FloatArray, weight: FloatArray, degree: int) -> FloatArray:
    """Coefficients ``sum_i weight_i Y_lm(point_i)`` to ``degree``; points in degrees, any number of them."""
    coefficients = np.zeros((degree + 1) ** 2)
    for block in blocks(latitude.size, 8 * (degree + 1)):
        factors = trigonometric(longitude_radians(longitude[block]), degree)
        factors *= weight[block]
        coefficients += _sum_over_points(*sin_cos_latitude(latitude[block]), factors)
    return coefficients


def cell_coefficients(
    latitude_edges: FloatArray, longitude_edges: FloatArray, weight: npt.NDArray[np.generic], degree: int
) -> FloatArray:
    """Coefficients of a weight function that is constant on each cell of a grid, integrated exactly.

    ``latitude_edges`` (n_lat, 2) and ``longitude_edges`` (n_lon, 2) in degrees hold both edges of each row and
    column, south or west first; ``weight`` (n_lat, n_lon) is a density per steradian.
    """
    coefficients = np.zeros((degree + 1) ** 2)
    factors = cell_factors(longitude_edges, degree)
    nodes, node_weights = row_nodes(latitude_edges, degree)
    for block in blocks(latitude_edges.shape[0], weight.shape[1] + 8 * (degree + 1) * nodes.shape[1]):
        by_row = _pairwise_product(factors, np.asarray(weight[block], dtype=np.float64).T)
        by_node = by_row[:, :, np.newaxis] * node_weights[block]
        by_node = by_node.reshape(by_row.shape[0], -1)
        coefficients += _sum_over_points(*sin_cos_latitude(nodes[block].ravel()), by_node)
    return coefficients


def _pairwise_product(left: FloatArray, right: FloatArray) -> FloatArray:
    """``left @ right`` by halves: a running sum over thousands of equal cells would round one way throughout."""
    half = left.shape[1] // 2
    if half < _RUNNING_SUM:
        return left @ right
    return _pairwise_product(left[:, :half], right[:half]) + _pairwise_product(left[:, half:], right[half:])


def _sum_over_points(sin_lat: FloatArray, cos_lat: FloatArray, factors: FloatArray) -> FloatArray:
    """Sum the Legendre functions times weighted longitude factors (2 degree + 1, n) over the points."""
    degree = factors.shape[0] // 2
    coefficients = np.empty((degree + 1) ** 2)
    cosines, sines = factors[degree:], factors[degree::-1]
    for n, block in enumerate(legendre(sin_lat, cos_lat, degree)):
        centre = n * n + n
        coefficients[centre : centre + n + 1] = np.vecdot(block, cosines[: n + 1])
        coefficients[centre - n : centre] = np.vecdot(block[1:], sines[1 : n + 1])[::-1]
    return coefficients


def cell_factors(longitude_edges: FloatArray, degree: int) -> FloatArray:
    """The longitude factors integrated over each column: shape (2 degree + 1, n_lon), radians."""
    west, east = longitude_edges.T
    half_width = np.radians(east - west) / 2.0
    order = np.abs(np.arange(-degree, degree + 1))[:, np.newaxis]
    factors = trigonometric(longitude_radians(west + (east - west) / 2.0), degree)
    factors *= 2.0 * half_width * np.sinc(order * half_width / np.pi)
    return factors


def row_nodes(latitude_edges: FloatArray, degree: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes (degrees latitude) and weights (n_lat, q) for integrals over each row of cells.

    The integrand, a Legendre function times the cosine of latitude, is a trigonometric polynomial of order
    ``degree + 1`` in colatitude: with q nodes the remainder of the rule falls like a 2q-th derivative.
    """
    south, north = latitude_edges.T
    half_width = (north - south) / 2.0
    nodes, weights = np.polynomial.legendre.leggauss(_nodes_needed(degree + 1, float(np.radians(half_width.max()))))
    latitude = (south + half_width)[:, np.newaxis] + half_width[:, np.newaxis] * nodes
    return latitude, np.radians(half_width)[:, np.newaxis] * weights * sin_cos_latitude(latitude)[1]


def _nodes_needed(order: int, half_width: float) -> int:
    """Fewest nodes whose remainder term is below rounding for exp(i order x) over 2 half_width.

    The remainder of the n-point rule on [-h, h] is h (2 h)^{2n} (n!)^4 f^{(2n)} / ((2n + 1) ((2n)!)^3), times
    two (Abramowitz & Stegun 25.4.30).
    """
    nodes = 1
    while True:
        log_remainder = (
            2 * nodes * math.log(2.0 * order * half_width)
            + 4.0 * math.lgamma(nodes + 1)
            - math.log(2 * nodes + 1)
            - 3.0 * math.lgamma(2 * nodes + 1)
        )
        if log_remainder < math.log(1e-17):
            return nodes
        nodes += 1


def moments(coefficients: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Total weight, mean (D,) and centred covariance (D, D) of the harmonics of degree <= L over a domain.

    ``coefficients`` are those of the domain to degree 2 L; the covariance is divided by the total weight.
    """
    max_degree = degree_of(coefficients.size) // 2
    total = float(coefficients[0] * np.sqrt(4.0 * np.pi))
    mean = coefficients[: (max_degree + 1) ** 2] / total
    covariance = second_moment(coefficients / total)
    covariance -= np.outer(mean, mean)
    return total, mean, covariance


def second_moment(coefficients: FloatArray) -> FloatArray:
    """Integrals of the products of all pairs of harmonics of degree <= L, weighted by a domain: (D, D).

    The weight function is band-limited to degree 2 L, the product of all three to 4 L: 2 L + 1 Gauss-Legendre
    latitudes times 4 L + 1 longitudes integrate it exactly, one latitude at a time.
    """
    max_degree = degree_of(coefficients.size) // 2
    n_lon = 4 * max_degree + 1
    sines, weights = np.polynomial.legendre.leggauss(2 * max_degree + 1)
    longitude = 2.0 * np.pi / n_lon * np.arange(n_lon, dtype=np.float64)
    table = legendre_by_order(sines, np.sqrt(1.0 - sines**2), 2 * max_degree)
    factors = trigonometric(longitude, 2 * max_degree)
    rows = _weight_by_order(table, coefficients)
    values = rows.T @ factors
    values *= (2.0 * np.pi / n_lon * weights)[:, np.newaxis]
    inner = factors[max_degree : 3 * max_degree + 1]
    by_latitude = np.matmul(inner * values[:, np.newaxis, :], inner.T)
    return _product_integrals(table, by_latitude)


def _weight_by_order(table: list[FloatArray], coefficients: FloatArray) -> FloatArray:
    """Sum the coefficients over degrees: the longitude Fourier coefficients (2 degree + 1, n_lat) of each row."""
    degree = len(table) - 1
    orders = np.arange(-degree, degree + 1)
    degrees = [np.arange(abs(order), degree + 1) for order in orders]
    return np.stack([coefficients[n * n + n + m] @ table[abs(m)] for m, n in zip(orders, degrees, strict=True)])


def _product_integrals(table: list[FloatArray], by_latitude: FloatArray) -> FloatArray:
    """Sum Legendre pairs over latitudes; ``by_latitude`` (n_lat, 2 L + 1, 2 L + 1) holds the pairs of orders."""
    max_degree = by_latitude.shape[1] // 2
    degree, order = degrees_and_orders(max_degree)
    legendre_rows = np.stack([table[abs(m)][n - abs(m)] for n, m in zip(degree, order, strict=True)])
    result = np.empty((degree.size, degree.size))
    for m in range(-max_degree, max_degree + 1):
        rows = order == m
        pairs = legendre_rows * by_latitude[:, max_degree + m, max_degree + order].T
        result[rows] = legendre_rows[rows] @ pairs.T
    return (result + result.T) / 2.0


def degrees_and_orders(max_degree: int) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Degree l and order m of every harmonic, in column order."""
    degree = np.repeat(np.arange(max_degree + 1), 2 * np.arange(max_degree + 1) + 1)
    return degree, np.arange(degree.size) - degree * (degree + 1)
