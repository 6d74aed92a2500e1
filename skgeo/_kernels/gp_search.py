"""Kernel: the hyperparameters of a Gaussian process with the largest likelihood.

A grid of length scales and noise ratios on few places finds the start of a search with gradients, for each smoothness.
The end of a search is no good start for the next smoothness: a rough kernel may take noise for the field, and without
noise the likelihood is flat in the noise. No search has more than a fixed number of steps. Large data are represented
by some thousand places.
"""

import math
from itertools import product
from typing import Any, NamedTuple, cast

import numpy as np
from scipy import linalg
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from skgeo._kernels.exact_gp import ExactGP
from skgeo._kernels.gp_likelihood import Likelihood, Observations, likelihood
from skgeo._kernels.neighbour_gp import NeighbourGP
from skgeo._typing import FloatArray, Integers

#: Smoothness that a search tries, from rough to smooth; all have closed forms.
SMOOTHNESS = (0.5, 1.5, 2.5, 4.5)
#: Largest number of places for which the search computes exact likelihoods.
MAX_EXACT_PLACES = 500
# The search looks at this number of places at most, and its grid of starts at this number.
_SEARCH_PLACES, _START_PLACES = 5000, 300
# Half of the places of a subset are spread, the others lie in clusters of this size: without near places the data could
# not tell a short length scale from noise.
_CLUSTER_SIZE = 50
#: Bounds of the variance of the noise over that of the field. Below, rounding decides.
RATIO_BOUNDS = (1e-8, 1e4)
# The starts: noise ratios, number of length scales from the spacing of the places to their extent.
_START_RATIOS, _N_START_LENGTHS = (0.3, 0.03, 3.0, 1e-3), 7
# Length scales are looked for from this share of the spacing to this multiple of the extent.
_LENGTH_MARGINS = (0.5, 4.0)
# Chord of the length scale if the data tell nothing about it: about 20 degrees.
_DEFAULT_LENGTH, _DEFAULT_RATIO, _DEFAULT_SMOOTHNESS = 0.35, 0.1, 1.5
# Tolerances of the logarithm of the likelihood and of its gradient, for each observation.
_OPTIONS: Any = {"maxiter": 60, "maxfun": 90, "ftol": 1e-8, "gtol": 1e-6}


class Given(NamedTuple):
    """Hyperparameters that the caller fixes; None is searched for. Lengths are chords of the unit sphere."""

    variance: float | None = None
    length: float | None = None
    smoothness: float | None = None
    noise: float | None = None


class Hyperparameters(NamedTuple):
    """The hyperparameters of a process. ``ratio`` is the variance of the noise over that of the field."""

    variance: float
    length: float
    smoothness: float
    ratio: float


class _Problem(NamedTuple):
    """A likelihood to maximise over the logarithms (length, ratio), and the range of each."""

    process: ExactGP | NeighbourGP
    data: Observations
    n_targets: int
    given: Given

    def at(self, smoothness: float, log_length: float, log_ratio: float) -> tuple[Likelihood, FloatArray]:
        """The likelihood with the best variance, or the given one, and its gradient (2,)."""
        length, ratio = math.exp(log_length), math.exp(log_ratio)
        gram = self.process.gram(self.data.columns, length, smoothness, ratio)
        variance, noise = self.given.variance, self.given.noise
        follows = variance is None and noise is not None and noise > 0.0
        if follows:
            variance = noise / ratio  # type: ignore[operator]
        found = likelihood(gram, self.data, self.n_targets, ratio, variance)
        gradient = found.gradient[1:].copy()
        # Where the noise is given, the variance is noise / ratio.
        gradient[1] -= found.gradient[0] if follows else 0.0
        return found, gradient


def find_hyperparameters(
    data: Observations, n_targets: int, given: Given, n_neighbors: int, n_jobs: int | None = None
) -> Hyperparameters:
    """The hyperparameters with the largest likelihood of standardised targets, the first columns of ``data``."""
    n_design = data.columns.shape[1] - n_targets
    # As many coefficients as observations leave nothing to learn from.
    if data.multiplicity.sum() <= n_design:
        smoothness, length = given.smoothness or _DEFAULT_SMOOTHNESS, given.length or _DEFAULT_LENGTH
        variance = 1.0 if given.variance is None else given.variance
        ratio = _DEFAULT_RATIO if given.noise is None else given.noise / variance
        return Hyperparameters(variance, length, smoothness, max(ratio, RATIO_BOUNDS[0]))
    bounds = _bounds(data, given)
    small = _part(data, n_targets, _START_PLACES)
    coarse = _Problem(ExactGP(small.vectors, small.weight), small, n_targets, given)
    problem = coarse
    if len(data.vectors) > len(small.vectors):
        part = _part(data, n_targets, _SEARCH_PLACES)
        few = len(part.vectors) <= MAX_EXACT_PLACES
        process = (
            ExactGP(part.vectors, part.weight) if few else NeighbourGP(part.vectors, part.weight, n_neighbors, n_jobs)
        )
        problem = _Problem(process, part, n_targets, given)

    if given.smoothness is not None:
        return _climb(problem, coarse, float(given.smoothness), bounds).at
    # The likelihood has one maximum in the smoothness: walk while it rises, to smoother kernels or to rougher ones.
    first = SMOOTHNESS[1]
    best = _climb(problem, coarse, first, bounds)
    for others in (SMOOTHNESS[2:], SMOOTHNESS[:1]):
        for nu in others:
            found = _climb(problem, coarse, nu, bounds)
            if found.value <= best.value:
                break
            best = found
        if best.at.smoothness > first:
            break
    return best.at


class _Maximum(NamedTuple):
    """Hyperparameters, and the likelihood there."""

    value: float
    at: Hyperparameters


class _Loss:
    """The negative likelihood of one smoothness at (log length, log ratio), with its gradient.

    It is divided by the number of observations, so that the first step of a search, along the gradient, is neither long
    nor short. ``best`` is the largest likelihood that it has seen.
    """

    def __init__(self, problem: _Problem, smoothness: float) -> None:
        self.problem, self.smoothness = problem, smoothness
        self.best: _Maximum | None = None
        self.scale = 1.0 / int(problem.data.multiplicity.sum())

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        try:
            found, gradient = self.problem.at(self.smoothness, *theta.tolist())
        # Rounding may make the matrix of an exact process indefinite: the search then takes a shorter step.
        except linalg.LinAlgError:
            return 1e30, np.zeros(2)
        if self.best is None or found.value > self.best.value:
            length, ratio = np.exp(theta).tolist()
            self.best = _Maximum(found.value, Hyperparameters(found.variance, length, self.smoothness, ratio))
        return -self.scale * found.value, -self.scale * gradient


def _climb(problem: _Problem, coarse: _Problem, smoothness: float, bounds: FloatArray) -> _Maximum:
    """The end of a search that starts from the best point of a grid, where the likelihood is that of few places."""
    loss, limits = _Loss(problem, smoothness), cast("Any", bounds)
    start = _best_start(coarse, smoothness, bounds)
    minimize(loss, start, (), "L-BFGS-B", True, bounds=limits, options=_OPTIONS)
    if loss.best is None:
        raise linalg.LinAlgError("The likelihood has no value at any of the hyperparameters.")
    return loss.best


def _best_start(problem: _Problem, smoothness: float, bounds: FloatArray) -> FloatArray:
    """The best (log length, log ratio) of a grid."""
    lengths = np.unique(np.linspace(*_start_range(bounds[0]), _N_START_LENGTHS))
    scale = math.log(float(problem.data.weight.mean()))
    ratios = dict.fromkeys((np.log(_START_RATIOS) + scale).clip(*bounds[1]).tolist())
    # Among equal likelihoods the first wins: begin in the middle of the lengths, and with moderate noise.
    lengths = lengths[np.argsort(np.abs(lengths - lengths.mean()), kind="stable")]
    best, found = -math.inf, np.array([lengths[0], next(iter(ratios))])
    for length, ratio in product(lengths.tolist(), ratios):
        try:
            value = problem.at(smoothness, length, ratio)[0].value
        except linalg.LinAlgError:
            continue
        if value > best + 1e-9 * abs(best if math.isfinite(best) else 0.0):
            best, found = value, np.array([length, ratio])
    return found


def _start_range(bounds: FloatArray) -> tuple[float, float]:
    """Logarithms of the shortest and the longest length of the starts: the spacing and the extent of the places."""
    low, high = bounds.tolist()
    if low == high:
        return low, high
    return low - math.log(_LENGTH_MARGINS[0]), high - math.log(_LENGTH_MARGINS[1])


def _bounds(data: Observations, given: Given) -> FloatArray:
    """Bounds (2, 2) of the logarithms of length and ratio; both ends are equal for a given value.

    The noise of an observation is ``noise / weight``: the bounds of the ratio are those for the mean weight.
    """
    vectors, scale = data.vectors, float(data.weight.mean())
    if given.length is not None:
        lengths = (given.length, given.length)
    else:
        spacing, extent = spacing_and_extent(vectors)
        lengths = _LENGTH_MARGINS[0] * spacing, _LENGTH_MARGINS[1] * extent
    low, high = (bound * scale for bound in RATIO_BOUNDS)
    ratios = low, high
    if given.noise == 0.0:
        ratios = low, low
    elif given.noise is not None and given.variance is not None:
        ratios = (max(given.noise / given.variance, low),) * 2
    return np.log([lengths, ratios])


def spacing_and_extent(vectors: FloatArray) -> tuple[float, float]:
    """A short distance between neighbours, and the diameter of a ball around all places."""
    if len(vectors) == 1:
        return _DEFAULT_LENGTH, _DEFAULT_LENGTH
    nearest = np.asarray(cKDTree(vectors).query(vectors[:_SEARCH_PLACES], k=2)[0])[:, 1]
    extent = min(2.0 * float(np.linalg.norm(vectors - vectors.mean(axis=0), axis=1).max()), 2.0)
    # Some places may be copies but for rounding: the tenth percentile is the spacing of the others.
    return min(max(float(np.quantile(nearest, 0.1)), 1e-4 * extent), extent), extent


def _part(data: Observations, n_targets: int, n_places: int) -> Observations:
    """The observations at representative places; covariates that say nothing there are left out."""
    part = data.take(representatives(data.vectors, n_places))
    return part.select(part.independent_columns(n_targets))


def representatives(vectors: FloatArray, n_places: int) -> Integers:
    """Numbers of at most ``n_places`` of the places, which are in random order: half are spread, half in clusters."""
    n = len(vectors)
    if n <= n_places:
        return np.arange(n)
    spread = n_places // 2
    size = min(_CLUSTER_SIZE, spread)
    centres = vectors[spread : spread + spread // size]
    near = cKDTree(vectors).query(centres, k=size)[1]
    return np.unique(np.concatenate([np.arange(spread), near.ravel()]))
