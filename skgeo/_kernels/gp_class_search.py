"""Kernel: the hyperparameters of a Gaussian process behind labels, by the likelihood of expectation propagation.

Large data are represented by some hundred places. A grid of length scales and variances on few of them finds the start
of a search with gradients, for each smoothness. No search has more than a fixed number of steps.
"""

import math
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from skgeo._kernels.gp_classification import Kernel, Labels, Sites, exact_likelihood
from skgeo._kernels.gp_search import representatives, spacing_and_extent
from skgeo._typing import FloatArray, Integers

#: Smoothness that a search tries, from rough to smooth.
SMOOTHNESS = (0.5, 1.5, 2.5)
#: Bounds of the variance of the log odds. Beyond the bounds, all labels are certain except on a line between the
#: classes.
VARIANCE_BOUNDS = (1e-2, 1e4)
# The search looks at this number of places at most, and its grid of starts at this number.
_SEARCH_PLACES, _START_PLACES = 500, 200
# The rarer class has this share of these places, or all of its places.
_RARE_SHARE = 0.25
_START_VARIANCES, _N_START_LENGTHS, _START_SMOOTHNESS = (3.0, 30.0, 300.0), 4, 1.5
# Length scales are looked for from this share of the spacing to this multiple of the extent.
_LENGTH_MARGINS = (0.5, 4.0)
_OPTIONS: Any = {"maxiter": 20, "maxfun": 25, "ftol": 1e-6, "gtol": 1e-2}


def find_kernel(labels: Labels, variance: float | None, length: float | None, smoothness: float | None) -> Kernel:
    """The hyperparameters with the largest likelihood; those that are given keep their values.

    The places are in random order, and both classes have labels.
    """
    if variance is not None and length is not None and smoothness is not None:
        return Kernel(variance, length, smoothness)
    bounds = _bounds(labels, variance, length)
    few = labels.take(_balanced_places(labels, _START_PLACES))
    part = labels.take(_balanced_places(labels, _SEARCH_PLACES))
    start = _best_start(few, _START_SMOOTHNESS if smoothness is None else smoothness, bounds)
    chords = cdist(part.vectors, part.vectors)
    if smoothness is not None:
        return _climb(part, chords, smoothness, start, bounds)[1]
    # The likelihood has one maximum in the smoothness: go on from the first two while it rises.
    found = [_climb(part, chords, nu, start, bounds) for nu in SMOOTHNESS[:2]]
    if found[1][0] > found[0][0]:
        found.append(_climb(part, chords, SMOOTHNESS[2], start, bounds))
    return max(found, key=lambda pair: pair[0])[1]


def _climb(
    labels: Labels, chords: FloatArray, smoothness: float, start: FloatArray, bounds: FloatArray
) -> tuple[float, Kernel]:
    """The end of the search from a start (log variance, log length), and the likelihood there."""
    sites: Sites | None = None

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        """The negative likelihood at (log variance, log length), and its gradient; it keeps the sites."""
        nonlocal sites
        variance, length = np.exp(theta).tolist()
        found = exact_likelihood(labels, Kernel(variance, length, smoothness), chords, sites)
        # The next point is near: its sites differ little.
        sites = found.sites
        return -found.value, -found.gradient

    result = minimize(loss, start, (), "L-BFGS-B", True, bounds=bounds.tolist(), options=_OPTIONS)
    variance, length = np.exp(result.x).tolist()
    return -float(result.fun), Kernel(variance, length, smoothness)


def _best_start(labels: Labels, smoothness: float, bounds: FloatArray) -> FloatArray:
    """The best (log variance, log length) of a grid."""
    chords = cdist(labels.vectors, labels.vectors)
    variances = np.unique(np.log(_START_VARIANCES).clip(*bounds[0]))
    low, high = bounds[1].tolist()
    if low < high:
        low, high = low - math.log(_LENGTH_MARGINS[0]), high - math.log(_LENGTH_MARGINS[1])
    lengths = np.unique(np.linspace(low, high, _N_START_LENGTHS))
    best, found = -math.inf, np.array([variances[0], lengths[0]])
    for log_variance, log_length in product(variances.tolist(), lengths.tolist()):
        kernel = Kernel(math.exp(log_variance), math.exp(log_length), smoothness)
        value = exact_likelihood(labels, kernel, chords).value
        if value > best + 1e-6 * abs(value):
            best, found = value, np.array([log_variance, log_length])
    return found


def _bounds(labels: Labels, variance: float | None, length: float | None) -> FloatArray:
    """Bounds (2, 2) of the logarithms of variance and length; both ends are equal for a given value."""
    variances = VARIANCE_BOUNDS if variance is None else (variance, variance)
    if length is not None:
        return np.log([variances, (length, length)])
    spacing, extent = spacing_and_extent(labels.vectors)
    return np.log([variances, (_LENGTH_MARGINS[0] * spacing, _LENGTH_MARGINS[1] * extent)])


def _balanced_places(labels: Labels, n_places: int) -> Integers:
    """Numbers of at most ``n_places`` places, in which the rarer class has a larger share than in all places.

    Labels tell more about the field if the rarer class has more of them than in a random choice. The choice also moves
    the constant, and its wide prior allows this.
    """
    n = len(labels.vectors)
    if n <= n_places:
        return np.arange(n)
    classes = [np.unique(labels.place[labels.sign == sign]) for sign in (-1.0, 1.0)]
    rare = min(classes, key=len)[: int(_RARE_SHARE * n_places)]
    others = representatives(labels.vectors, n_places - len(rare))
    return np.unique(np.concatenate([rare, others]))
