"""Kernel: correlations of Matern fields in the chord between places, and their derivatives by the length scale.

A Matern kernel of Euclidean distance is positive definite in space. Its restriction to the sphere, a function of the
chord between two places, is therefore positive definite as well, for every smoothness (Gneiting 2013, Strictly and
non-strictly positive definite functions on spheres, Bernoulli 19(4)).
"""

import math

import numpy as np
from scipy import special

from skgeo._typing import FloatArray

#: The range of smoothness in which the Bessel functions neither overflow nor lose more than a few digits.
SMOOTHNESS_RANGE = (0.1, 10.0)
# For half-integers the kernel is exp(-r) times a polynomial: its coefficients in ascending powers of r.
_POLYNOMIALS = {
    0.5: (1.0,),
    1.5: (1.0, 1.0),
    2.5: (1.0, 1.0, 1.0 / 3.0),
    3.5: (1.0, 1.0, 2.0 / 5.0, 1.0 / 15.0),
    4.5: (1.0, 1.0, 3.0 / 7.0, 2.0 / 21.0, 1.0 / 105.0),
}
# Below this scaled distance the Bessel function may overflow.
_SMALLEST_DISTANCE = 1e-25


def matern(chord: FloatArray, length: float, smoothness: float) -> FloatArray:
    """Correlations at chords (any shape), for a length scale in the units of the chords.

    Rasmussen & Williams (2006), equation 4.14, the parametrisation of scikit-learn's ``Matern``.
    """
    r = chord * (math.sqrt(2.0 * smoothness) / length)
    if smoothness in _POLYNOMIALS:
        return _polynomial(r, smoothness) * np.exp(-r)
    return np.where(r < _SMALLEST_DISTANCE, 1.0, _bessel(r, smoothness, smoothness))


def matern_with_slope(chord: FloatArray, length: float, smoothness: float) -> tuple[FloatArray, FloatArray]:
    """Correlations, and their derivatives by the logarithm of the length scale.

    The derivative of ``r^nu K_nu(r)`` is ``-r^nu K_{nu - 1}(r)``. For half-integers this makes the derivative by the
    logarithm of the length ``r^2 / (2 nu - 2)`` times the correlation of smoothness nu - 1.
    """
    r = chord * (math.sqrt(2.0 * smoothness) / length)
    if smoothness not in _POLYNOMIALS:
        value = np.where(r < _SMALLEST_DISTANCE, 1.0, _bessel(r, smoothness, smoothness))
        return value, r * _bessel(r, smoothness, smoothness - 1.0)
    decay = np.exp(-r)
    if smoothness == 0.5:
        return decay, r * decay
    slope = _polynomial(r, smoothness - 1.0) * (r * r) * decay
    slope *= 1.0 / (2.0 * smoothness - 2.0)
    return _polynomial(r, smoothness) * decay, slope


def _polynomial(r: FloatArray, smoothness: float) -> FloatArray:
    """The polynomial factor of the kernel of a half-integer smoothness."""
    coefficients = _POLYNOMIALS[smoothness]
    total = np.full_like(r, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total *= r
        total += coefficient
    return total


def _bessel(r: FloatArray, smoothness: float, order: float) -> FloatArray:
    """``r^nu K_order(r)``, scaled so that the correlation is 1 at distance 0."""
    r = np.maximum(r, _SMALLEST_DISTANCE)
    constant = 2.0 ** (1.0 - smoothness) / special.gamma(smoothness)
    return np.asarray(constant * r**smoothness * special.kv(order, r))
