"""Kernel: correlations of Matern fields in the chord between places, and their derivatives by the length scale.

A Matern kernel of Euclidean distance is positive definite in space. Its restriction to the sphere, a function of the
chord between two places, is therefore positive definite as well, for every smoothness (Gneiting 2013, Strictly and
non-strictly positive definite functions on spheres, Bernoulli 19(4)).
"""

import math

import numpy as np
from scipy import special

from skgeo._typing import FloatArray

#: Smoothness for which the kernel has a closed form without Bessel functions.
CLOSED_FORMS = (0.5, 1.5, 2.5)
#: The range of smoothness in which the Bessel functions neither overflow nor lose more than a few digits.
SMOOTHNESS_RANGE = (0.1, 10.0)
# Below this scaled distance the Bessel function may overflow; the correlation differs from 1 by less than rounding for
# smoothness 1/2 and above, and by less than a hundredth of a percent for the smallest smoothness.
_SMALLEST_DISTANCE = 1e-20


def matern(chord: FloatArray, length: float, smoothness: float) -> FloatArray:
    """Correlations at chords (any shape), for a length scale in the units of the chords.

    Rasmussen & Williams (2006), equation 4.14, the parametrisation of scikit-learn's ``Matern``.
    """
    r = chord * (math.sqrt(2.0 * smoothness) / length)
    if smoothness == 0.5:
        return np.exp(-r)
    if smoothness == 1.5:
        return (1.0 + r) * np.exp(-r)
    if smoothness == 2.5:
        return (1.0 + r * (1.0 + r / 3.0)) * np.exp(-r)
    r = np.maximum(r, _SMALLEST_DISTANCE)
    return np.minimum(_constant(smoothness) * r**smoothness * special.kv(smoothness, r), 1.0)


def matern_with_slope(chord: FloatArray, length: float, smoothness: float) -> tuple[FloatArray, FloatArray]:
    """Correlations, and their derivatives by the logarithm of the length scale."""
    r = chord * (math.sqrt(2.0 * smoothness) / length)
    if smoothness not in CLOSED_FORMS:
        # d/dr r^nu K_nu(r) = -r^nu K_{nu-1}(r), and d/dlog(length) = -r d/dr.
        r = np.maximum(r, _SMALLEST_DISTANCE)
        power = _constant(smoothness) * r**smoothness
        value = np.minimum(power * special.kv(smoothness, r), 1.0)
        return value, power * r * special.kv(smoothness - 1.0, r)
    decay = np.exp(-r)
    if smoothness == 0.5:
        return decay, r * decay
    # For 3/2 the derivative is r^2 exp(-r), for 5/2 it is r^2 (1 + r) / 3 exp(-r).
    square = r * r * decay
    if smoothness == 1.5:
        return decay + r * decay, square
    return decay + r * decay + square / 3.0, (1.0 + r) * square / 3.0


def _constant(smoothness: float) -> float:
    """The factor that makes the correlation 1 at distance 0."""
    return float(2.0 ** (1.0 - smoothness) / special.gamma(smoothness))


def pair_chords(vectors: FloatArray) -> FloatArray:
    """Chords (b, q, q) between all pairs of each group of places, from vectors (b, q, 3).

    Differences of vectors keep the digits of near places; 2 - 2 cos would lose half of them.
    """
    square = np.zeros((*vectors.shape[:2], vectors.shape[1]))
    # One axis at a time: an array (b, q, q, 3) would take three times the memory.
    for axis in range(3):
        column = vectors[:, :, axis]
        difference = column[:, :, np.newaxis] - column[:, np.newaxis, :]
        square += np.square(difference, out=difference)
    return np.sqrt(square, out=square)
