"""Kernel: a domain on the sphere as the harmonic coefficients of its weight function.

A product of two harmonics of degree <= L has degrees <= 2 L only, so total weight, mean and covariance of the
harmonics over a domain all follow from the coefficients of its weight function to degree 2 L. Coefficients are plain
arrays of (2 L + 1) ** 2 numbers, index ``l * l + l + m``. Coefficients of the parts of a domain add up to those of the
whole domain.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._kernels.harmonics import (
    circle_analysis,
    columns_of_order,
    degree_of,
    degrees_and_orders,
    legendre,
    legendre_by_order,
    longitude_radians,
    sin_cos_latitude,
    sum_over_degrees,
    trigonometric,
    waves,
)
from skgeo._kernels.threads import Advance, no_progress, one_blas_thread, row_blocks
from skgeo._typing import FloatArray, Floats

# Points, or rows times nodes, per block: enough to hide the interpreter's overhead, few enough to stay in the cache.
_BLOCK_POINTS = 4096
# Number of cells of the weight function in a block that is converted to float64: 8 MB.
_BLOCK_CELLS = 2**20
# Boxes whose edges cut the sphere into more cells than this are divided into two parts first.
_MAX_UNION_CELLS = _BLOCK_CELLS // 16
# Longer sums are divided into two halves, recursively, down to this number of terms.
_RUNNING_SUM_TERMS = 128
# Quadrature over a row is exact to this share of the row's length: below the rounding of float64.
_QUADRATURE_ERROR = 1e-17


def point_coefficients(
    latitude: FloatArray, longitude: FloatArray, weight: FloatArray, degree: int, advance: Advance = no_progress
) -> FloatArray:
    """Coefficients ``sum_i weight_i Y_lm(point_i)`` to ``degree``, of points in degrees.

    The function calls ``advance(n)`` after each block of n points.
    """
    sums = np.zeros((degree + 1, 2 * degree + 1))
    with one_blas_thread():
        for block in row_blocks(latitude.size, 1, _BLOCK_POINTS):
            factors = trigonometric(longitude_radians(longitude[block]), degree)
            factors *= weight[block]
            sums += _wave_sums(*sin_cos_latitude(latitude[block]), factors)
            advance(factors.shape[1])
    return _coefficients(sums)


def cell_coefficients(
    latitude_edges: FloatArray,
    longitude_edges: FloatArray,
    weight: Any,
    degree: int,
    *,
    closed: bool = False,
) -> FloatArray:
    """Coefficients of a weight function that is constant on each cell of a grid, integrated exactly.

    ``latitude_edges`` (n_lat, 2) and ``longitude_edges`` (n_lon, 2) in degrees hold both edges of each row and column,
    south or west first; ``weight`` (n_lat, n_lon) is a density per steradian, an array or an object that gives some of
    its rows. If the columns close the circle and no row varies along it, all coefficients of other orders than 0 are
    exactly zero.
    """
    # A zonal weight needs one wide column only: waves of order 1 and more integrate to zero around the circle.
    zonal = _zonal_weight(weight) if closed else None
    if zonal is not None:
        weight, factors = zonal, np.zeros((2 * degree + 1, 1))
        factors[degree] = 2.0 * np.pi
    else:
        factors = cell_factors(longitude_edges, degree)
    return _coefficients(_cell_sums(latitude_edges, factors, weight))


def _zonal_weight(weight: Any) -> npt.NDArray[Any] | None:
    """The first column (n_lat, 1) of a weight that does not vary along its rows; None if a row varies."""
    columns = []
    for block in row_blocks(weight.shape[0], weight.shape[1]):
        rows = weight[block]
        if not np.array_equal(rows, np.broadcast_to(rows[:, :1], rows.shape)):
            return None
        columns.append(rows[:, :1].copy())
    return np.concatenate(columns)


def _cell_sums(latitude_edges: FloatArray, factors: FloatArray, weight: Any) -> FloatArray:
    """Sums over cells in the form of :func:`_wave_sums`, from the longitude factors integrated over each column."""
    degree = factors.shape[0] // 2
    sums = np.zeros((degree + 1, 2 * degree + 1))
    nodes, node_weights = row_nodes(latitude_edges, degree)
    n_rows = min(_BLOCK_POINTS // nodes.shape[1], _BLOCK_CELLS // weight.shape[1])
    with one_blas_thread():
        for block in row_blocks(weight.shape[0], 1, n_rows):
            # First the sums along longitude, once per row; then the quadrature over latitude at the nodes of the row.
            by_row = _pairwise_product(factors, np.asarray(weight[block], dtype=np.float64).T)
            by_node = (by_row[:, :, np.newaxis] * node_weights[block]).reshape(by_row.shape[0], -1)
            sums += _wave_sums(*sin_cos_latitude(nodes[block].ravel()), by_node)
    return sums


def union_coefficients(
    south: FloatArray, north: FloatArray, west: FloatArray, east: FloatArray, degree: int
) -> FloatArray:
    """Coefficients of the union of boxes with edges (n,) in degrees, east beyond west, integrated exactly.

    The edges of all boxes cut the sphere into cells, and each cell is wholly inside or wholly outside the union. If
    there are too many cells, a parallel or meridian divides the boxes into two parts first.
    """
    west, east = np.mod(west, 360.0), np.mod(west, 360.0) + (east - west)
    # A box that crosses the meridian of 360 degrees becomes two boxes, one on either side.
    around = east > 360.0
    boxes = np.concatenate(
        [
            np.column_stack([south, north, west, np.minimum(east, 360.0)]),
            np.column_stack([south, north, np.zeros_like(west), east - 360.0])[around],
        ]
    )
    sums = np.zeros((degree + 1, 2 * degree + 1))
    parts = [np.unique(boxes, axis=0)]
    while parts:
        part = parts.pop()
        edges = [np.unique(part[:, :2]), np.unique(part[:, 2:])]
        if edges[0].size * edges[1].size <= _MAX_UNION_CELLS:
            rows, columns = (np.column_stack([along[:-1], along[1:]]) for along in edges)
            sums += _cell_sums(rows, cell_factors(columns, degree), _covered(part, *edges))
        else:
            # Divide the axis with more edges at its middle edge. Boxes that cross it are in both parts, cut off.
            axis = int(edges[1].size > edges[0].size)
            cut = edges[axis][edges[axis].size // 2]
            low, high = part[part[:, 2 * axis] < cut], part[part[:, 2 * axis + 1] > cut]
            low[:, 2 * axis + 1] = np.minimum(low[:, 2 * axis + 1], cut)
            high[:, 2 * axis] = np.maximum(high[:, 2 * axis], cut)
            parts += [low, high]
    return _coefficients(sums)


def _covered(boxes: FloatArray, rows: FloatArray, columns: FloatArray) -> npt.NDArray[np.bool_]:
    """True for each cell between the given edges that lies in a box (n, 4); the edges contain those of all boxes."""
    south, north = np.searchsorted(rows, boxes[:, :2]).T
    west, east = np.searchsorted(columns, boxes[:, 2:]).T
    # Each box adds 1 at its south-west corner and cancels it beyond its edges; running sums then count the boxes.
    count = np.zeros((rows.size, columns.size), dtype=np.intp)
    for row, column, step in ((south, west, 1), (north, west, -1), (south, east, -1), (north, east, 1)):
        np.add.at(count, (row, column), step)
    return count.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0


def _wave_sums(sin_lat: FloatArray, cos_lat: FloatArray, factors: FloatArray) -> FloatArray:
    """Sums (degree + 1, 2 degree + 1) over places of waves in colatitude times weighted longitude factors.

    ``factors`` has shape (2 degree + 1, n). Legendre functions of even order are cosine series in colatitude, and
    Legendre functions of odd order are sine series.
    """
    degree = factors.shape[0] // 2
    sums = np.empty((degree + 1, 2 * degree + 1))
    for parity, table in enumerate(waves(sin_lat, cos_lat, degree)):
        orders = slice((degree + parity) % 2, None, 2)
        sums[:, orders] = _pairwise_product(table, factors[orders].T)
    return sums


def _coefficients(sums: FloatArray) -> FloatArray:
    """Harmonic coefficients from sums over waves in colatitude (degree + 1, 2 degree + 1).

    On a whole meridian Legendre functions are sums of the same waves, so that a sum over equally spaced places turns
    the sums over waves into coefficients, one degree at a time. The place at angle x and that at 360 degrees - x give
    the same products: half of the circle counts twice.
    """
    max_degree = sums.shape[0] - 1
    circle, analysis = circle_analysis(max_degree)
    at_places = np.empty((2 * max_degree + 1, max_degree + 1))
    for parity in (0, 1):
        orders = slice((max_degree + parity) % 2, None, 2)
        at_places[orders] = (analysis[parity].T @ sums[:, orders]).T
    coefficients = np.empty((max_degree + 1) ** 2)
    for degree, block in enumerate(legendre(np.cos(circle), np.sin(circle), max_degree)):
        first = degree * degree + degree
        coefficients[first : first + degree + 1] = np.einsum("mp,mp->m", block, at_places[max_degree:][: degree + 1])
        negative = at_places[max_degree - degree : max_degree][::-1]
        coefficients[first - degree : first] = np.einsum("mp,mp->m", block[1:], negative)[::-1]
    return coefficients


def _pairwise_product(left: Floats, right: Floats) -> FloatArray:
    """``left @ right``, summed by halves: a running sum of thousands of equal terms accumulates its rounding errors."""
    half = left.shape[1] // 2
    if half < _RUNNING_SUM_TERMS:
        return left @ right
    return _pairwise_product(left[:, :half], right[:half]) + _pairwise_product(left[:, half:], right[half:])


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
    nodes, weights = _gauss(_nodes_needed(degree + 1, float(np.radians(half_width.max()))))
    latitude = (south + half_width)[:, np.newaxis] + half_width[:, np.newaxis] * nodes
    return latitude, np.radians(half_width)[:, np.newaxis] * weights * sin_cos_latitude(latitude)[1]


@lru_cache(maxsize=64)
def _gauss(n_nodes: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [-1, 1]; the cache serves blocks of rows, which all need the same ones."""
    return np.polynomial.legendre.leggauss(n_nodes)


def _nodes_needed(order: int, half_width: float) -> int:
    """Smallest number of nodes whose remainder for exp(i order x) over [-half_width, half_width] is below rounding.

    The remainder of the n-point rule on [-h, h] is (2 h)^{2n + 1} (n!)^4 f^{(2n)} / ((2n + 1) ((2n)!)^3) (Abramowitz
    & Stegun 25.4.30). The function compares the remainder with the length 2 h.
    """
    nodes = 1
    while True:
        log_remainder = (
            2 * nodes * math.log(2.0 * order * half_width)
            + 4.0 * math.lgamma(nodes + 1)
            - math.log(2 * nodes + 1)
            - 3.0 * math.lgamma(2 * nodes + 1)
        )
        if log_remainder < math.log(_QUADRATURE_ERROR):
            return nodes
        nodes += 1


def moments(coefficients: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Total weight, mean (D,) and centred covariance (D, D) of the harmonics of degree <= L over a domain.

    ``coefficients`` describe the domain to degree 2 L. The covariance is divided by the total weight.
    """
    total, mean = total_and_mean(coefficients)
    covariance = second_moment(coefficients / total)
    covariance -= np.outer(mean, mean)
    return total, mean, covariance


def total_and_mean(coefficients: FloatArray) -> tuple[float, FloatArray]:
    """Total weight and mean (D,) of the harmonics of degree <= L over a domain described to degree 2 L."""
    n_harmonics = (degree_of(coefficients.size) // 2 + 1) ** 2
    # The harmonic of degree 0 is 1 / sqrt(4 pi).
    total = float(coefficients[0] * np.sqrt(4.0 * np.pi))
    return total, coefficients[:n_harmonics] / total


def second_moment(coefficients: FloatArray) -> FloatArray:
    """Integrals of the products of all pairs of harmonics of degree <= L, weighted by a domain: (D, D).

    The weight function is band-limited to degree 2 L, the product of all three to 4 L: 2 L + 1 Gauss-Legendre
    latitudes times 4 L + 1 longitudes integrate it exactly.
    """
    max_degree = degree_of(coefficients.size) // 2
    # Harmonics of different order do not covary over a zonal domain: one small integral for each order is enough.
    if is_zonal(coefficients):
        result = np.zeros(((max_degree + 1) ** 2,) * 2)
        for order, block in enumerate(zonal_second_moments(coefficients)):
            for columns in (columns_of_order(sign * order, max_degree) for sign in (1, -1)):
                result[np.ix_(columns, columns)] = block
        return result
    sines, weights = np.polynomial.legendre.leggauss(2 * max_degree + 1)
    table = legendre_by_order(sines, np.sqrt(1.0 - sines**2), 2 * max_degree)
    n_lon = 4 * max_degree + 1
    factors = trigonometric(2.0 * np.pi / n_lon * np.arange(n_lon, dtype=np.float64), 2 * max_degree)
    values = sum_over_degrees(table, coefficients[np.newaxis])[:, :, 0].T @ factors
    values *= (2.0 * np.pi / n_lon * weights)[:, np.newaxis]
    # The matrix of latitudes and pairs of orders of degree <= L: integrals along each parallel.
    inner = factors[max_degree : 3 * max_degree + 1]
    return _product_integrals(table, np.matmul(inner * values[:, np.newaxis, :], inner.T))


def is_zonal(coefficients: FloatArray) -> bool:
    """Whether the weight function is the same at all longitudes. Then harmonics of different order do not covary."""
    return not coefficients[degrees_and_orders(degree_of(coefficients.size))[1] != 0].any()


def zonal_second_moments(coefficients: FloatArray) -> Iterator[FloatArray]:
    """Yield the blocks of the second moment of a zonal domain, of order 0 to L: (L + 1 - m, L + 1 - m)."""
    max_degree = degree_of(coefficients.size) // 2
    sines, weights = np.polynomial.legendre.leggauss(2 * max_degree + 1)
    cosines = np.sqrt(1.0 - sines**2)
    of_order_0 = coefficients[columns_of_order(0, 2 * max_degree)]
    by_latitude = sum(
        c * block[0] for c, block in zip(of_order_0, legendre(sines, cosines, 2 * max_degree), strict=True)
    )
    weights *= 2.0 * np.pi * by_latitude
    for table in legendre_by_order(sines, cosines, max_degree):
        yield (table * weights) @ table.T


def _product_integrals(table: list[FloatArray], by_latitude: FloatArray) -> FloatArray:
    """Sums over latitudes of pairs of Legendre functions times ``by_latitude`` (n_lat, 2 L + 1, 2 L + 1).

    ``by_latitude`` holds the integrals along longitude of the products of two ``trig_m``, for all pairs of orders.
    """
    max_degree = by_latitude.shape[1] // 2
    degree, order = degrees_and_orders(max_degree)
    # One row for each harmonic: its Legendre function at all latitudes.
    legendre_rows = np.stack([table[abs(m)][n - abs(m)] for n, m in zip(degree, order, strict=True)])
    result = np.empty((degree.size, degree.size))
    for m in range(-max_degree, max_degree + 1):
        rows = order == m
        pairs = legendre_rows * by_latitude[:, max_degree + m, max_degree + order].T
        result[rows] = legendre_rows[rows] @ pairs.T
    return result
