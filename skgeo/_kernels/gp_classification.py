"""Kernel: a Gaussian process behind the labels of two classes, by Laplace's approximation.

The log odds of class 1 are a constant and a Matern field of the chord. The observations at a place are ``total`` trials
with ``positive`` successes; both may be fractions. Laplace's approximation replaces the posterior of the log odds by
the normal distribution with the same mode and the same curvature there (Rasmussen & Williams 2006, Gaussian Processes
for Machine Learning, chapter 3; equations are theirs).

The exact process has the covariance ``K = variance * R + CONSTANT_VARIANCE`` of all places. The process of neighbours
has a sparse precision of the field instead, and the constant as one more unknown. With all neighbours both are equal.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator, SuperLU, cg, splu
from scipy.spatial.distance import cdist
from scipy.special import expit, log_ndtr, logsumexp

from skgeo._kernels.exact_gp import condition_on_all
from skgeo._kernels.matern import matern, matern_with_slope
from skgeo._kernels.neighbour_gp import JITTER, Conditional, condition_on_nearest, earlier_neighbours, prior_factor
from skgeo._kernels.threads import Advance, blas_threads_for, no_progress, row_blocks
from skgeo._typing import FloatArray, Integers

#: Prior variance of the constant: log odds of -10 and of 10 are two deviations from zero.
CONSTANT_VARIANCE = 25.0
# Newton's method ends when a step promises to raise the log posterior by less than this.
_TOLERANCE, _MAX_STEPS = 1e-10, 100
# Places whose labels are certain have a curvature of zero to rounding; it stays above this.
_MIN_CURVATURE = 1e-12
_CG_TOLERANCE, _MAX_CG_STEPS = 1e-3, 1000

# The logistic function as a mixture of normal distribution functions, right to 2e-9: its average over a normal
# distribution is then a sum (Monahan & Stefanski 1992, Handbook of the Logistic Distribution, section 22.3).
_MIXTURE_WEIGHTS = np.array(
    [
        0.003246343272134, 0.051517477033972, 0.195077912673858, 0.315569823632818,
        0.274149576158423, 0.131076880695470, 0.027912418727972, 0.001449567805354,
    ]
)  # fmt: skip
_MIXTURE_SCALES = np.array(
    [
        1.365340806296348, 1.059523971016916, 0.830791313765644, 0.650732166639391,
        0.508135425366489, 0.396313345166341, 0.308904252267995, 0.238212616409306,
    ]
)  # fmt: skip


class Trials(NamedTuple):
    """Trials at n different places."""

    vectors: FloatArray  # unit vectors (n, 3)
    positive: FloatArray  # (n,): the weight of the observations of class 1
    total: FloatArray  # (n,): the weight of all observations, positive

    def log_likelihood(self, log_odds: FloatArray) -> float:
        """The logarithm of the probability of the labels."""
        return float(self.positive @ log_odds - self.total @ np.logaddexp(0.0, log_odds))

    def slope(self, log_odds: FloatArray) -> FloatArray:
        """Derivatives (n,) of the log likelihood by the log odds."""
        return self.positive - self.total * expit(log_odds)

    def curvature(self, log_odds: FloatArray) -> FloatArray:
        """Second derivatives (n,) of the log likelihood, with their sign changed."""
        return np.maximum(self.total * expit(log_odds) * expit(-log_odds), _MIN_CURVATURE)

    def start(self) -> float:
        """The log odds of all observations together."""
        positive, total = float(self.positive.sum()), float(self.total.sum())
        return math.log((positive + 0.5) / (total - positive + 0.5))


class Mode(NamedTuple):
    """The mode of the posterior. ``slope`` (n,) of the log likelihood there is the precision of K times the mode."""

    log_odds: FloatArray  # (n,)
    slope: FloatArray
    constant: float
    constant_variance: float  # given the data


class Kernel(NamedTuple):
    """Hyperparameters of the field. The length is a chord of the unit sphere."""

    variance: float
    length: float
    smoothness: float


# --- exact


def exact_covariance(chords: FloatArray, kernel: Kernel) -> FloatArray:
    """Covariance (n, n) of the log odds at places, from their chords."""
    covariance = kernel.variance * matern(chords, *kernel[1:])
    covariance[np.diag_indices_from(covariance)] += kernel.variance * JITTER
    covariance += CONSTANT_VARIANCE
    return covariance


def exact_mode(
    data: Trials, covariance: FloatArray, start: FloatArray | None = None
) -> tuple[Mode, float, FloatArray]:
    """The mode, the log marginal likelihood, and the Cholesky factor of ``I + sqrt(W) K sqrt(W)`` (algorithm 3.1).

    ``start`` is a slope (n,) from which Newton's method starts.
    """

    def objective(log_odds: FloatArray, slope: FloatArray) -> float:
        return data.log_likelihood(log_odds) - 0.5 * float(slope @ log_odds)

    slope = np.zeros(len(data.total)) if start is None else start
    log_odds = covariance @ slope
    value = objective(log_odds, slope)
    for _ in range(_MAX_STEPS):
        root, factor = _curvature_factor(data, covariance, log_odds)
        target = np.square(root) * log_odds + data.slope(log_odds)
        right = root * (covariance @ target)
        step = target - root * linalg.cho_solve((factor, True), right, check_finite=False) - slope
        log_odds_step = covariance @ step
        # Newton's step points uphill. It is halved until it raises the objective.
        size, before = 1.0, value
        while True:
            value = objective(log_odds + size * log_odds_step, slope + size * step)
            if value >= before - _TOLERANCE or size < 1e-6:
                break
            size *= 0.5
        slope, log_odds = slope + size * step, log_odds + size * log_odds_step
        if value - before < _TOLERANCE:
            break
    root, factor = _curvature_factor(data, covariance, log_odds)
    marginal = value - float(np.log(np.diagonal(factor)).sum())
    # At the mode the precision times the mode is the slope of the log likelihood.
    half = linalg.solve_triangular(factor, root * CONSTANT_VARIANCE, lower=True, check_finite=False)
    constant = CONSTANT_VARIANCE * float(slope.sum())
    return Mode(log_odds, slope, constant, CONSTANT_VARIANCE - float(half @ half)), marginal, factor


def _curvature_factor(data: Trials, covariance: FloatArray, log_odds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The root (n,) of the curvature W, and the lower Cholesky factor of ``I + sqrt(W) K sqrt(W)``."""
    root = np.sqrt(data.curvature(log_odds))
    system = root[:, np.newaxis] * covariance * root
    system[np.diag_indices_from(system)] += 1.0
    return root, linalg.cholesky(system, lower=True, overwrite_a=True, check_finite=False)


def exact_likelihood(
    data: Trials, chords: FloatArray, kernel: Kernel, start: FloatArray | None = None
) -> tuple[float, FloatArray, FloatArray]:
    """The log marginal likelihood, its gradient by the logarithms of variance and length, and the slope at the mode.

    Algorithm 5.1: the mode moves with the hyperparameters, which adds the term of the third derivatives.
    """
    with blas_threads_for(len(chords)):
        covariance = exact_covariance(chords, kernel)
        mode, value, factor = exact_mode(data, covariance, start)
        root = np.sqrt(data.curvature(mode.log_odds))
        # The inverse of K + 1 / W.
        half = linalg.solve_triangular(factor, root[:, np.newaxis] * covariance, lower=True, check_finite=False)
        posterior_variance = np.diagonal(covariance) - np.einsum("ij,ij->j", half, half)
        # LAPACK fills the lower triangle of the inverse only.
        inverse = np.tril(lapack.dpotri(factor, lower=1, overwrite_c=1)[0])
        inverse += np.tril(inverse, -1).T
        inverse *= root[:, np.newaxis] * root
        third = -data.curvature(mode.log_odds) * (1.0 - 2.0 * expit(mode.log_odds))
        by_mode = 0.5 * posterior_variance * third
        gradient = np.empty(2)
        for i, change in enumerate(
            (covariance - CONSTANT_VARIANCE, kernel.variance * matern_with_slope(chords, *kernel[1:])[1])
        ):
            moved = change @ mode.slope
            moved -= covariance @ (inverse @ moved)
            explicit = 0.5 * float(mode.slope @ change @ mode.slope) - 0.5 * float(np.einsum("ij,ij->", inverse, change))
            gradient[i] = explicit + float(by_mode @ moved)
    return value, gradient, mode.slope


def predict_exact(data: Trials, mode: Mode, kernel: Kernel, places: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance (b,) of the log odds at places (b, 3) (algorithm 3.2)."""
    mean, variance = np.empty(len(places)), np.empty(len(places))
    with blas_threads_for(len(data.total)):
        root, factor = _curvature_factor(
            data, exact_covariance(cdist(data.vectors, data.vectors), kernel), mode.log_odds
        )
        for rows in row_blocks(len(places), len(data.total)):
            cross = CONSTANT_VARIANCE + kernel.variance * matern(cdist(places[rows], data.vectors), *kernel[1:])
            mean[rows] = cross @ mode.slope
            half = linalg.solve_triangular(factor, (cross * root).T, lower=True, check_finite=False)
            variance[rows] = kernel.variance + CONSTANT_VARIANCE - np.einsum("ij,ij->j", half, half)
    return mean, np.maximum(variance, 0.0)


# --- of neighbours


class Prior:
    """The precision ``B^T diag(1 / share) B`` of the field at n ordered places; B is lower triangular and sparse."""

    def __init__(self, vectors: FloatArray, kernel: Kernel, n_neighbors: int, n_jobs: int | None = None) -> None:
        neighbours = earlier_neighbours(vectors, n_neighbors, n_jobs)
        self.factor, share = prior_factor(vectors, kernel[1:], neighbours, n_jobs)
        self.precision = 1.0 / (kernel.variance * share)
        self.transposed = sparse.csr_array(self.factor.T)
        self.factor = sparse.csr_array(self.factor)
        self._solver: SuperLU = splu(sparse.csc_array(self.factor), permc_spec="NATURAL", diag_pivot_thresh=0.0)

    def times_precision(self, field: FloatArray) -> FloatArray:
        """The precision times a field (n,)."""
        return np.asarray(self.transposed @ (self.precision * (self.factor @ field)))

    def solve(self, curvature: FloatArray, right: FloatArray, start: FloatArray, tolerance: float) -> FloatArray:
        """Solve for the step (n + 1,) of field and constant, by conjugate gradients.

        The preconditioner adds the curvature to the precision between the triangular factors (Kundig & Sigrist 2025,
        Iterative methods for Vecchia-Laplace approximations, Journal of the American Statistical Association 120).
        """
        total = float(curvature.sum()) + 1.0 / CONSTANT_VARIANCE
        diagonal = 1.0 / (self.precision + curvature)

        def times(step: FloatArray) -> FloatArray:
            moved = curvature * (step[:-1] + step[-1])
            field = self.times_precision(step[:-1]) + moved
            return np.append(field, moved.sum() + step[-1] / CONSTANT_VARIANCE)

        def precondition(residual: FloatArray) -> FloatArray:
            field = self._solver.solve(diagonal * self._solver.solve(residual[:-1], "T"))
            return np.append(field, residual[-1] / total)

        shape = (len(right), len(right))
        found, _ = cg(
            LinearOperator(shape, times, dtype=np.float64),
            right,
            start,
            rtol=tolerance,
            maxiter=_MAX_CG_STEPS,
            M=LinearOperator(shape, precondition, dtype=np.float64),
        )
        return np.asarray(found)


def neighbour_mode(data: Trials, prior: Prior, start: FloatArray | None = None) -> Mode:
    """The mode by Newton's method, whose steps conjugate gradients find."""

    def objective(state: FloatArray, times_precision: FloatArray) -> float:
        field, constant = state[:-1], float(state[-1])
        penalty = float(field @ times_precision) + constant**2 / CONSTANT_VARIANCE
        return data.log_likelihood(field + constant) - 0.5 * penalty

    n = len(data.total)
    state = np.append(np.zeros(n), data.start()) if start is None else start
    precise = prior.times_precision(state[:-1])
    value = objective(state, precise)
    for _ in range(_MAX_STEPS):
        log_odds = state[:-1] + state[-1]
        slope = data.slope(log_odds)
        right = np.append(slope - precise, slope.sum() - state[-1] / CONSTANT_VARIANCE)
        step = prior.solve(data.curvature(log_odds), right, np.zeros(n + 1), _CG_TOLERANCE)
        precise_step = prior.times_precision(step[:-1])
        size, before = 1.0, value
        while True:
            value = objective(state + size * step, precise + size * precise_step)
            if value >= before - _TOLERANCE or size < 1e-6:
                break
            size *= 0.5
        state, precise = state + size * step, precise + size * precise_step
        if value - before < _TOLERANCE:
            break
    log_odds = state[:-1] + state[-1]
    unit = np.append(np.zeros(n), 1.0)
    variance = prior.solve(data.curvature(log_odds), unit, np.zeros(n + 1), 1e-6)[-1]
    return Mode(log_odds, data.slope(log_odds), float(state[-1]), float(variance))


def predict_nearest(
    data: Trials,
    mode: Mode,
    kernel: Kernel,
    places: FloatArray,
    n_neighbors: int,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance (b,) of the log odds at places (b, 3)."""
    field = Conditional(data.vectors, (mode.log_odds - mode.constant)[:, np.newaxis], np.full(len(data.total), JITTER))
    means, _ = condition_on_nearest(field, kernel[1:], places, n_neighbors, n_jobs, advance)
    noise = 1.0 / (kernel.variance * data.curvature(mode.log_odds))
    found, left = condition_on_nearest(
        Conditional(data.vectors, np.ones((len(data.total), 1)), noise), kernel[1:], places, 3 * n_neighbors, n_jobs
    )
    rest = 1.0 - found[:, 0]
    variance = kernel.variance * np.maximum(left, 0.0) + np.square(rest) * mode.constant_variance
    return mode.constant + means[:, 0], variance


def averaged_log_odds(mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Log odds (any shape) of the probability of class 1, averaged over normal log odds."""
    scaled = mean[..., np.newaxis] * (_MIXTURE_SCALES / np.sqrt(1.0 + np.square(_MIXTURE_SCALES) * variance[..., np.newaxis]))
    return np.asarray(
        logsumexp(log_ndtr(scaled), axis=-1, b=_MIXTURE_WEIGHTS) - logsumexp(log_ndtr(-scaled), axis=-1, b=_MIXTURE_WEIGHTS)
    )
