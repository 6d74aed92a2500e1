"""Kernel: mean logistic functions, and mean powers of them, under normal distributions, with two derivatives."""

import math

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx, log_ndtr, logsumexp

from skgeo._typing import FloatArray

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

# The logistic function as a mixture of normal distribution functions, right to 2e-9: its moments under a normal
# distribution are then sums (Monahan & Stefanski 1992, Handbook of the Logistic Distribution, section 22.3).
_LOG_SHARES = np.log(
    [
        0.003246343272134, 0.051517477033972, 0.195077912673858, 0.315569823632818,
        0.274149576158423, 0.131076880695470, 0.027912418727972, 0.001449567805354,
    ]
)  # fmt: skip
_SCALES = np.array(
    [
        1.365340806296348, 1.059523971016916, 0.830791313765644, 0.650732166639391,
        0.508135425366489, 0.396313345166341, 0.308904252267995, 0.238212616409306,
    ]
)  # fmt: skip

# Degree of the polynomials of u for powers of 1 + u, and the coefficients (13, 13) of Chebyshev polynomials on [0, 1].
_POWER_DEGREE = 12
_CHEBYSHEV = np.zeros((_POWER_DEGREE + 1, _POWER_DEGREE + 1))
for _degree in range(_POWER_DEGREE + 1):
    _CHEBYSHEV[_degree, : _degree + 1] = Chebyshev.basis(_degree, [0.0, 1.0]).convert(kind=Polynomial).coef
# For u = (1 + cos(x)) / 2, 1 + u is |1 + q exp(ix)|^2 / (4 q) with this q.
_RATIO = 3.0 - 2.0 * math.sqrt(2.0)
_SERIES_TERMS = _POWER_DEGREE + 12


def label_moments(
    sign: FloatArray, share: FloatArray, mean: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """As :func:`moments`, of the logistic function to the powers ``share``, which are at most 1."""
    found = np.array(moments(sign, mean, variance))
    part = share < 1.0
    if part.any():
        found[:, part] = power_moments(sign[part], share[part], mean[part], variance[part])
    return found[0], found[1], found[2]


def power_moments(sign: FloatArray, power: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """As :func:`moments`, (3, e), of the logistic function to powers (e,) between 0 and 1.

    For z = ``sign * x`` the function is ``(1 + exp(-z))^-power``, and for negative z ``exp(power * z)`` times
    ``(1 + exp(z))^-power``. With u = exp(-abs(z)), a polynomial in u is ``(1 + u)^-power`` to 1e-9. So the function is
    a sum of exponentials on each side of zero, whose means over half of a normal distribution are known.
    """
    degrees = np.arange(_POWER_DEGREE + 1)
    coefficients = np.tile(power_coefficients(power), 2)
    rates = np.hstack([np.tile(-degrees, (power.size, 1)), power[:, np.newaxis] + degrees])
    side = np.repeat([1.0, -1.0], degrees.size)
    centre, square = (sign * mean)[:, np.newaxis], variance[:, np.newaxis]
    bound = side * (centre + rates * square) / np.sqrt(square)
    # For a negative bound, the distribution function is exp(-bound^2 / 2) times a scaled function. All exponents
    # together are -centre^2 / (2 square): a sum of large exponents would lose the digits that the polynomial needs.
    beyond = -0.5 * centre * centre / square + np.log(0.5 * erfcx(np.sqrt(0.5) * np.abs(bound)))
    log_terms = np.where(bound < 0.0, beyond, rates * centre + 0.5 * rates * rates * square + log_ndtr(bound))
    log_mass = logsumexp(log_terms, axis=1, b=coefficients)
    terms = coefficients * np.exp(log_terms - log_mass[:, np.newaxis])
    # The function and its slope are continuous at zero: derivatives have no terms from there.
    slope, second = (terms * rates).sum(axis=1), (terms * rates * rates).sum(axis=1)
    return np.array([log_mass, sign * slope, second - slope**2])


def power_coefficients(power: FloatArray) -> FloatArray:
    """Coefficients (e, 13) of polynomials of u that are ``(1 + u)^-power`` from 0 to 1, to 1e-9.

    The power is a product of two binomial series in ``exp(ix)`` and ``exp(-ix)``. Sums of their products are the
    coefficients of Chebyshev polynomials, with all digits. Interpolation would lose half of the digits.
    """
    term = np.arange(1, _SERIES_TERMS)
    factors = -_RATIO * (power[:, np.newaxis] + term - 1.0) / term
    series = np.cumprod(np.hstack([np.ones((power.size, 1)), factors]), axis=1)
    of_degree = [(series[:, : _SERIES_TERMS - j] * series[:, j:]).sum(axis=1) for j in range(_POWER_DEGREE + 1)]
    chebyshev = 2.0 * np.stack(of_degree, axis=1) * ((4.0 * _RATIO) ** power)[:, np.newaxis]
    chebyshev[:, 0] /= 2.0
    return np.asarray(chebyshev @ _CHEBYSHEV)


def moments(sign: FloatArray, mean: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The logarithm of the mean logistic function of ``sign * x`` for normal x, and two derivatives by the mean."""
    scale = _SCALES / np.sqrt(1.0 + np.square(_SCALES) * variance[..., np.newaxis])
    z = scale * (sign * mean)[..., np.newaxis]
    log_distribution = log_ndtr(z)
    log_terms = _LOG_SHARES + log_distribution
    log_mass = logsumexp(log_terms, axis=-1)
    share = np.exp(log_terms - log_mass[..., np.newaxis])
    # The density over the distribution function.
    ratio = np.exp(-0.5 * z * z - _HALF_LOG_2PI - log_distribution)
    slope = np.einsum("...k,...k->...", share, ratio * scale)
    curvature = -np.einsum("...k,...k->...", share, z * ratio * scale * scale) - slope**2
    return log_mass, sign * slope, curvature
