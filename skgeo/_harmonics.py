"""Kernel: real spherical harmonics by a stable three-term recurrence.

Real, orthonormal on the unit sphere, no Condon-Shortley phase:
``Y_lm = P_l|m|(sin latitude) * trig_m(longitude)`` with ``trig_m`` equal to ``sqrt(2) cos(m lon)`` for
m > 0, 1 for m = 0 and ``sqrt(2) sin(|m| lon)`` for m < 0. Degree l and order m sit at index
``l * l + l + m``. Harmonics are the leading axis here, so that every operation runs along contiguous points.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# A block of harmonics should stay in the second-level cache, and no block needs to be longer than this.
_BLOCK_VALUES = 2**19
_LONGEST_BLOCK = 4096


def sin_cos_latitude(latitude: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Sine and cosine of latitudes in degrees; the cosine is exactly zero at the poles."""
    latitude = np.asarray(latitude, dtype=np.float64)
    return np.sin(np.radians(latitude)), np.sin(np.radians(90.0 - np.abs(latitude)))


def longitude_radians(longitude: npt.ArrayLike) -> FloatArray:
    """Longitudes in degrees as radians in (-2 pi, 2 pi); whole turns are taken off without rounding."""
    return np.radians(np.fmod(np.asarray(longitude, dtype=np.float64), 360.0))


def legendre(sin_lat: FloatArray, cos_lat: FloatArray, max_degree: int) -> Iterator[FloatArray]:
    """Yield, for l = 0 .. max_degree, the normalised associated Legendre functions of degree l.

    Each block has shape (l + 1, n), order m = 0 .. l, and is overwritten two steps later: use it at once.
    The factor is that of the orthonormal harmonics, so ``P_00 = 1 / sqrt(4 pi)``. The recurrence in l at fixed
    m is the forward-column method of Holmes & Featherstone (2002), free of cancellation; its seeds underflow to
    zero only where the function itself is negligible.
    """
    buffers = np.zeros((3, max_degree + 1, sin_lat.size))
    scratch = np.empty((max_degree + 1, sin_lat.size))
    before, last, block = buffers
    block[0] = np.sqrt(0.25 / np.pi)
    yield block[:1]
    for degree in range(1, max_degree + 1):
        before, last, block = last, block, before
        order = np.arange(degree - 1, dtype=np.float64)[:, np.newaxis]
        rise = np.sqrt((4.0 * degree**2 - 1.0) / (degree**2 - order**2))
        fall = rise * np.sqrt(((degree - 1.0) ** 2 - order**2) / (4.0 * (degree - 1.0) ** 2 - 1.0))
        inner, temporary = block[: degree - 1], scratch[: degree - 1]
        np.multiply(before[: degree - 1], -fall, out=inner)
        np.multiply(last[: degree - 1], sin_lat, out=temporary)
        temporary *= rise
        inner += temporary
        np.multiply(last[degree - 1], np.sqrt(2.0 * degree + 1.0) * sin_lat, out=block[degree - 1])
        np.multiply(last[degree - 1], np.sqrt((2.0 * degree + 1.0) / (2.0 * degree)) * cos_lat, out=block[degree])
        yield block[: degree + 1]


def trigonometric(radians: FloatArray, max_order: int) -> FloatArray:
    """The longitude factors ``trig_m`` for m = -max_order .. max_order, shape (2 max_order + 1, n).

    Powers of exp(i lon) are built by doubling, whose rounding grows with log(m) only.
    """
    powers = np.empty((max_order + 2, radians.size), dtype=np.complex128)
    powers[0] = 1.0
    np.exp(1j * radians, out=powers[1])
    known = 2
    while known <= max_order:
        stop = min(2 * known - 1, max_order + 1)
        np.multiply(powers[1 : stop - known + 1], powers[known - 1], out=powers[known:stop])
        known = stop
    table = np.empty((2 * max_order + 1, radians.size))
    table[max_order] = 1.0
    np.multiply(powers.real[1 : max_order + 1], np.sqrt(2.0), out=table[max_order + 1 :])
    np.multiply(powers.imag[max_order:0:-1], np.sqrt(2.0), out=table[:max_order])
    return table


def harmonics(latitude: FloatArray, longitude: FloatArray, max_degree: int) -> FloatArray:
    """All harmonics at points, shape ((max_degree + 1) ** 2, n), row ``l * l + l + m``."""
    table = np.empty(((max_degree + 1) ** 2, latitude.size))
    factors = trigonometric(longitude_radians(longitude), max_degree)
    for degree, block in enumerate(legendre(*sin_cos_latitude(latitude), max_degree)):
        row = degree * degree + degree
        np.multiply(block, factors[max_degree : max_degree + degree + 1], out=table[row : row + degree + 1])
        np.multiply(block[:0:-1], factors[max_degree - degree : max_degree], out=table[row - degree : row])
    return table


def blocks(n_points: int, values_per_point: int) -> Iterator[slice]:
    """Consecutive slices of ``range(n_points)``, short enough that a block of values stays in cache."""
    length = min(_LONGEST_BLOCK, max(64, _BLOCK_VALUES // values_per_point))
    for start in range(0, n_points, length):
        yield slice(start, min(start + length, n_points))


def project_points(
    latitude: FloatArray, longitude: FloatArray, coefficients: FloatArray
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield blocks of points and their projections ``coefficients @ harmonics``, transposed: (n, k).

    ``coefficients`` (k, (L + 1) ** 2) is a linear map of the harmonics; a constant rides on ``Y_00``.
    """
    max_degree = degree_of(coefficients.shape[1])
    for block in blocks(latitude.size, coefficients.shape[1]):
        yield block, harmonics(latitude[block], longitude[block], max_degree).T @ coefficients.T


def project_rows(
    latitude: FloatArray, longitude: FloatArray, coefficients: FloatArray
) -> Iterator[tuple[int, FloatArray]]:
    """Yield, for each latitude, its position and the projections at all longitudes: (n_lon, k).

    The harmonics separate, so the sum over degrees is done once per row: (n_lat, 2 L + 1, k) numbers.
    """
    n_components, max_degree = coefficients.shape[0], degree_of(coefficients.shape[1])
    factors = trigonometric(longitude_radians(longitude), max_degree).T
    orders = np.arange(-max_degree, max_degree + 1)
    for block in blocks(latitude.size, orders.size * n_components):
        table = legendre_by_order(*sin_cos_latitude(latitude[block]), max_degree)
        rows = np.empty((latitude[block].size, orders.size, n_components))
        for order in orders:
            degrees = np.arange(abs(order), max_degree + 1)
            of_order = coefficients[:, degrees * degrees + degrees + order]
            rows[:, max_degree + order] = table[abs(order)].T @ of_order.T
        for position, row in enumerate(rows, start=block.start):
            yield position, factors @ row


def legendre_by_order(sin_lat: FloatArray, cos_lat: FloatArray, max_degree: int) -> list[FloatArray]:
    """The Legendre functions gathered by order: entry m has shape (max_degree + 1 - m, n)."""
    table = [np.empty((max_degree + 1 - order, sin_lat.size)) for order in range(max_degree + 1)]
    for degree, block in enumerate(legendre(sin_lat, cos_lat, max_degree)):
        for order in range(degree + 1):
            table[order][degree - order] = block[order]
    return table


def degree_of(n_harmonics: int) -> int:
    """The maximum degree L whose (L + 1) ** 2 harmonics are ``n_harmonics``."""
    return math.isqrt(n_harmonics) - 1
