"""Kernel: real spherical harmonics by a stable three-term recurrence.

The harmonics are real and orthonormal on the unit sphere, and have no Condon-Shortley phase:
``Y_lm = P_l|m|(sin latitude) * trig_m(longitude)`` with ``trig_m`` equal to ``sqrt(2) cos(m lon)`` for
m > 0, 1 for m = 0 and ``sqrt(2) sin(|m| lon)`` for m < 0. Degree l and order m sit at index
``l * l + l + m``. Harmonics are the leading axis here, so that every operation runs along contiguous points.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from skgeo._typing import FloatArray, Floats, Integers


def sin_cos_latitude(latitude: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Sine and cosine of latitudes in degrees; the cosine is exactly zero at the poles."""
    latitude = np.asarray(latitude, dtype=np.float64)
    # The sine of the distance to the pole keeps full relative accuracy there, where cos(radians(90)) is 6e-17.
    return np.sin(np.radians(latitude)), np.sin(np.radians(90.0 - np.abs(latitude)))


def longitude_radians(longitude: npt.ArrayLike) -> FloatArray:
    """Longitudes in degrees as radians in (-2 pi, 2 pi); removing whole turns in degrees causes no rounding."""
    return np.radians(np.fmod(np.asarray(longitude, dtype=np.float64), 360.0))


def legendre(sin_lat: FloatArray, cos_lat: FloatArray, max_degree: int) -> Iterator[FloatArray]:
    """Yield, for l = 0 .. max_degree, the normalised associated Legendre functions of degree l.

    Each block has shape (l + 1, n), order m = 0 .. l, and is overwritten three steps later: use it at once.
    The factor is that of the orthonormal harmonics, so ``P_00 = 1 / sqrt(4 pi)``. The recurrence in l at fixed
    m is the forward-column method of Holmes & Featherstone (2002), free of cancellation; its seeds underflow to
    zero only where the function itself is negligible.
    """
    # Degree l needs degrees l - 1 and l - 2 only: three buffers take turns.
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
        # Orders below l - 1: P_l = rise * sin(lat) * P_(l-1) - fall * P_(l-2).
        inner, temporary = block[: degree - 1], scratch[: degree - 1]
        np.multiply(before[: degree - 1], -fall, out=inner)
        np.multiply(last[: degree - 1], sin_lat, out=temporary)
        temporary *= rise
        inner += temporary
        # Orders l - 1 and l follow from order l - 1 of the degree before.
        np.multiply(last[degree - 1], np.sqrt(2.0 * degree + 1.0) * sin_lat, out=block[degree - 1])
        np.multiply(last[degree - 1], np.sqrt((2.0 * degree + 1.0) / (2.0 * degree)) * cos_lat, out=block[degree])
        yield block[: degree + 1]


def waves(
    cosine: FloatArray, sine: FloatArray, max_order: int, dtype: npt.DTypeLike = np.float64
) -> tuple[Floats, Floats]:
    """Cosines and sines of 0 .. max_order times an angle given by its cosine and sine: two of (max_order + 1, n).

    The multiples known so far are rotated by their number, and their number doubles. The rotations are computed in
    double precision. An entry in single precision then has the error of a few roundings, and an entry in double
    precision that of ``max_order`` roundings.
    """
    cosines = np.empty((max_order + 1, cosine.size), dtype=dtype)
    sines, scratch = np.empty_like(cosines), np.empty_like(cosines)
    cosines[0], sines[0] = 1.0, 0.0
    known = 1
    while known <= max_order:
        stop = min(2 * known, max_order + 1)
        low, high, part = slice(stop - known), slice(known, stop), scratch[: stop - known]
        # Angle addition: the multiples from ``known`` on are the first ones plus ``known`` times the angle.
        turn_cosine, turn_sine = cosine.astype(dtype, copy=False), sine.astype(dtype, copy=False)
        np.multiply(cosines[low], turn_cosine, out=cosines[high])
        cosines[high] -= np.multiply(sines[low], turn_sine, out=part)
        np.multiply(sines[low], turn_cosine, out=sines[high])
        sines[high] += np.multiply(cosines[low], turn_sine, out=part)
        cosine, sine = cosine * cosine - sine * sine, 2.0 * sine * cosine  # of twice the angle, in double precision
        known = stop
    return cosines, sines


def trigonometric(radians: FloatArray, max_order: int) -> FloatArray:
    """The longitude factors ``trig_m`` for m = -max_order .. max_order, shape (2 max_order + 1, n)."""
    cosines, sines = waves(np.cos(radians), np.sin(radians), max_order)
    cosines[1:] *= np.sqrt(2.0)
    sines *= np.sqrt(2.0)
    return np.concatenate([sines[:0:-1], cosines])


def harmonics(latitude: FloatArray, longitude: FloatArray, max_degree: int) -> FloatArray:
    """All harmonics at points, shape ((max_degree + 1) ** 2, n), row ``l * l + l + m``."""
    table = np.empty(((max_degree + 1) ** 2, latitude.size))
    factors = trigonometric(longitude_radians(longitude), max_degree)
    for degree, block in enumerate(legendre(*sin_cos_latitude(latitude), max_degree)):
        row = degree * degree + degree  # of order 0
        np.multiply(block, factors[max_degree : max_degree + degree + 1], out=table[row : row + degree + 1])
        np.multiply(block[:0:-1], factors[max_degree - degree : max_degree], out=table[row - degree : row])
    return table


def legendre_by_order(sin_lat: FloatArray, cos_lat: FloatArray, max_degree: int) -> list[FloatArray]:
    """The Legendre functions sorted by order: entry m has shape (max_degree + 1 - m, n), degree m first."""
    table = [np.empty((max_degree + 1 - order, sin_lat.size)) for order in range(max_degree + 1)]
    for degree, block in enumerate(legendre(sin_lat, cos_lat, max_degree)):
        for order in range(degree + 1):
            table[order][degree - order] = block[order]
    return table


def columns_of_order(order: int, max_degree: int) -> npt.NDArray[np.int_]:
    """Columns of the harmonics of one order, by degree."""
    degree = np.arange(abs(order), max_degree + 1)
    return degree * degree + degree + order


def columns_by_order(max_degree: int) -> Integers:
    """Columns of all harmonics, sorted by order 0, 1, -1, 2, -2, ..., and within an order by degree."""
    orders = [sign * order for order in range(max_degree + 1) for sign in (1, -1)[: 1 + (order > 0)]]
    return np.concatenate([columns_of_order(order, max_degree) for order in orders])


def sum_over_degrees(table: list[FloatArray], coefficients: FloatArray) -> FloatArray:
    """Sums over degrees of ``coefficients`` (k, D) times Legendre functions: the factors (2 L + 1, n, k) of ``trig_m``.

    ``table`` holds the Legendre functions at n latitudes, sorted by order.
    """
    max_degree = len(table) - 1
    sums = np.empty((2 * max_degree + 1, table[0].shape[1], coefficients.shape[0]))
    for order in range(-max_degree, max_degree + 1):
        columns = columns_of_order(order, max_degree)
        np.matmul(table[abs(order)].T, coefficients[:, columns].T, out=sums[max_degree + order])
    return sums


def degree_of(n_harmonics: int) -> int:
    """The maximum degree L whose (L + 1) ** 2 harmonics are ``n_harmonics``."""
    return math.isqrt(n_harmonics) - 1


def degrees_and_orders(max_degree: int) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Degree l and order m of every harmonic, in column order."""
    degree = np.repeat(np.arange(max_degree + 1), 2 * np.arange(max_degree + 1) + 1)
    return degree, np.arange(degree.size) - degree * (degree + 1)


def convention_factors(degree: npt.NDArray[np.int_], order: npt.NDArray[np.int_], convention: str) -> FloatArray:
    """Factors that give orthonormal harmonics the signs and the scale of a convention."""
    if convention == "orthonormal":
        return np.ones(np.broadcast(degree, order).shape)
    # Both conventions of SatCLIP turn the sphere by half a turn about two axes, and keep the Condon-Shortley phase in
    # the Legendre functions. Only the "closed-form" does not cancel this phase, (-1)^m.
    if convention == "satclip_closed_form":
        return np.where((degree + order) % 2, -1.0, 1.0)
    return np.where(degree % 2, -1.0, 1.0) * np.where(order == 0, np.pi, 1.0)


def legendre_series(max_degree: int) -> FloatArray:
    """The Legendre functions as Fourier series in colatitude, shape (L + 1, L + 1, L + 1): order, degree, wave.

    ``P_lm = sum_n series[m, l, n] * cos(n colatitude)`` for even m, and the same with sines for odd m. Around a whole
    meridian the functions are trigonometric polynomials of degree l: their values at 2 L + 1 equally spaced places
    determine them. With the series, sums over many places are matrix products.
    """
    n_places = 2 * max_degree + 1
    wave = np.arange(max_degree + 1)
    # Reducing the product modulo n_places first keeps the angles exact to rounding.
    angles = 2.0 * np.pi / n_places * (np.outer(np.arange(n_places), wave) % n_places)
    analysis = np.where(wave == 0, 1.0, 2.0) / n_places * np.stack([np.cos(angles), np.sin(angles)])
    circle = angles[:, 1] if max_degree else angles[:, 0]
    series = np.zeros((max_degree + 1,) * 3)
    for degree, block in enumerate(legendre(np.cos(circle), np.sin(circle), max_degree)):
        for parity in (0, 1):
            series[parity : degree + 1 : 2, degree] = block[parity::2] @ analysis[parity]
    return series


def circle_analysis(max_degree: int) -> tuple[FloatArray, FloatArray]:
    """Colatitudes (L + 1,) on half of a circle of longitude; matrices from values to waves (2, L + 1, L + 1).

    The first matrix gives the cosines of 0 to L times colatitude in even functions on the circle, the second the sines
    in odd functions. The colatitudes are half of 2 L + 1 equally spaced places: each but the pole stands for two.
    """
    n_places = 2 * max_degree + 1
    wave = np.arange(max_degree + 1)
    # Reducing the product modulo the number of places first keeps the angles exact to rounding.
    angles = 2.0 * np.pi / n_places * (np.outer(wave, wave) % n_places)
    share = np.where(wave == 0, 1.0, 2.0)
    analysis = share[:, np.newaxis] * share / n_places * np.stack([np.cos(angles), np.sin(angles)])
    return angles[min(1, max_degree)], analysis


def point_waves(
    latitude: FloatArray, longitude: FloatArray, max_degree: int, dtype: npt.DTypeLike
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Cosines and sines (L + 1, n) of the multiples of colatitude, and those of the multiples of longitude."""
    radians = longitude_radians(longitude)
    in_colatitude = waves(*sin_cos_latitude(latitude), max_degree, dtype)
    return in_colatitude, waves(np.cos(radians), np.sin(radians), max_degree, dtype)


def series_by_order(max_degree: int) -> tuple[list[FloatArray], Integers]:
    """The Fourier series of the Legendre functions of each order, and the columns of the harmonics by order."""
    return [table[order:] for order, table in enumerate(legendre_series(max_degree))], columns_by_order(max_degree)
