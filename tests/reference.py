"""Independent references: SciPy's harmonics, mpmath, brute-force sums. Nothing here calls skgeo."""

import mpmath
import numpy as np
from scipy.special import sph_harm_y


def harmonics(latitude, longitude, max_degree):
    """Real harmonics (n, D) from SciPy's complex ones; the Condon-Shortley phase taken off."""
    colatitude, azimuth = np.radians(90.0 - np.asarray(latitude)), np.radians(longitude)
    columns = []
    for degree in range(max_degree + 1):
        values = [(-1) ** order * sph_harm_y(degree, order, colatitude, azimuth) for order in range(degree + 1)]
        columns += [np.sqrt(2.0) * value.imag for value in values[:0:-1]]
        columns += [values[0].real, *(np.sqrt(2.0) * value.real for value in values[1:])]
    return np.stack(columns, axis=-1)


def harmonic_mpmath(latitude, longitude, degree, order):
    """One real harmonic in 80 digits: the associated Legendre function as a sum, the angles in exact degrees."""
    with mpmath.workdps(200):
        colatitude, azimuth = mpmath.radians(90 - mpmath.mpf(latitude)), mpmath.radians(mpmath.mpf(longitude))
        m = abs(order)
        z, s = mpmath.cos(colatitude), mpmath.sin(colatitude)
        # P_l^m = s^m d^m P_l / dz^m, term by term from the power series of the Legendre polynomial.
        value = mpmath.mpf(0)
        for k in range((degree - m) // 2 + 1):
            power = degree - m - 2 * k
            coefficient = (
                mpmath.mpf((-1) ** k)
                * mpmath.factorial(2 * degree - 2 * k)
                / (mpmath.factorial(k) * mpmath.factorial(degree - k) * mpmath.factorial(power))
            )
            value += coefficient * (z**power if power else 1)
        value *= s**m / mpmath.mpf(2) ** degree
        norm = mpmath.sqrt(
            (2 * degree + 1) / (4 * mpmath.pi) * mpmath.factorial(degree - m) / mpmath.factorial(degree + m)
        )
        if order == 0:
            return float(norm * value)
        angle = mpmath.cos(m * azimuth) if order > 0 else mpmath.sin(m * azimuth)
        return float(mpmath.sqrt(2) * norm * value * angle)


def gauss_box(south, north, west, east, n=64, pieces=1):
    """Gauss-Legendre nodes (n_points, 2) and weights in steradians over a box of the sphere."""
    node, weight = np.polynomial.legendre.leggauss(n)

    def stretch(low, high):
        edges = np.linspace(low, high, pieces + 1)
        half = np.diff(edges)[:, np.newaxis] / 2.0
        return (edges[:-1, np.newaxis] + half * (1.0 + node)).ravel(), (half * weight).ravel()

    latitude, dlat = stretch(south, north)
    longitude, dlon = stretch(west, east)
    points = np.stack(np.meshgrid(latitude, longitude, indexing="ij"), axis=-1).reshape(-1, 2)
    weights = np.outer(np.radians(dlat) * np.cos(np.radians(latitude)), np.radians(dlon)).ravel()
    return points, weights


def moments(points, weights, max_degree):
    """Total, mean and centred covariance of the harmonics by the direct weighted sum."""
    table = harmonics(points[:, 0], points[:, 1], max_degree)
    mean = weights @ table / weights.sum()
    table = table - mean
    return weights.sum(), mean, (table * weights[:, np.newaxis]).T @ table / weights.sum()


def gaussian_latitudes(n):
    """Latitudes of a Gaussian grid, north first."""
    return np.degrees(np.arcsin(np.polynomial.legendre.leggauss(n)[0]))[::-1]


def uniform_points(n, seed=0):
    """Points spread evenly over the sphere, degrees."""
    rng = np.random.default_rng(seed)
    return np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)])


def vectors(points):
    """Unit vectors (n, 3) of points in degrees."""
    latitude, longitude = np.radians(np.asarray(points, dtype=float)).T
    return np.column_stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )
