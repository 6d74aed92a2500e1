"""Kernel: a Gaussian process behind the labels of two classes, by expectation propagation.

The log odds of class 1 are a constant and a Matern field of the chord. Their posterior is approximated by a normal
distribution: each label becomes a normal factor (a "site"), and the mean and variance of the log odds at its place with
the site are those with the label itself (Minka 2001; Rasmussen & Williams 2006, Gaussian Processes for Machine
Learning, section 3.6; equations are theirs). A label of weight w is w labels: its site counts w times.

The exact process has the covariance ``K = variance * R + CONSTANT_VARIANCE`` of all places. The process of neighbours
has a sparse precision of the field instead, and the constant as one more unknown. With all neighbours both are equal.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator, cg, splu
from scipy.spatial.distance import cdist

from skgeo._kernels.logistic_moments import label_moments, moments
from skgeo._kernels.matern import matern, matern_with_slope
from skgeo._kernels.neighbour_gp import JITTER, Conditional, condition_on_nearest, earlier_neighbours, prior_factor
from skgeo._kernels.threads import Advance, blas_threads_for, no_progress, row_blocks
from skgeo._typing import FloatArray, Integers

#: Prior variance of the constant: log odds of -10 and of 10 are two deviations from zero.
CONSTANT_VARIANCE = 25.0
# Sites move by this share of the way in each step. With full steps they may oscillate.
_DAMPING, _MAX_STEPS = 0.65, 60
# The steps end when the logarithm of the likelihood, or the means in deviations, change by less than this.
_VALUE_TOLERANCE, _MEAN_TOLERANCE = 1e-7, 0.02
# Weights of at least this value count as whole labels. Sums of weights miss 1 by rounding, and the moments of powers by
# 1e-9.
_WHOLE_LABEL = 1.0 - 1e-9
# The precision of the sites of a place stays above this: labels that are certain in any case add no information.
_MIN_PRECISION = 1e-10
# Tolerances of conjugate gradients relative to the right side: in the steps, for the constant, and at the end.
_STEP_TOLERANCE, _RESPONSE_TOLERANCE, _END_TOLERANCE, _MAX_CG_STEPS = 1e-3, 1e-2, 1e-8, 1000
# Variances take this multiple of the number of neighbours of the prior: labels are noisy, so that many of them count.
_VARIANCE_FACTOR = 2


class Labels(NamedTuple):
    """Labels at n different places; those of one class at one place are one entry."""

    vectors: FloatArray  # unit vectors (n, 3)
    place: Integers  # (e,): the number of the place of each entry
    sign: FloatArray  # (e,): 1 for class 1, -1 for class 0
    weight: FloatArray  # (e,): the number of labels, positive; it may be a fraction

    @classmethod
    def from_weights(cls, vectors: FloatArray, negative: FloatArray, positive: FloatArray) -> "Labels":
        """Labels from the weights (n,) of both classes at each place."""
        places = [np.flatnonzero(weight > 0.0) for weight in (negative, positive)]
        sign = np.repeat([-1.0, 1.0], [part.size for part in places])
        return cls(vectors, np.concatenate(places), sign, np.concatenate([negative[places[0]], positive[places[1]]]))

    def per_place(self, values: FloatArray) -> FloatArray:
        """Weighted sums (n,) of values (e,) at each place."""
        return np.bincount(self.place, self.weight * values, len(self.vectors)).astype(np.float64)

    def take(self, rows: Integers) -> "Labels":
        """The labels at some of the places."""
        number = np.full(len(self.vectors), -1, dtype=np.intp)
        number[rows] = np.arange(len(rows))
        kept = number[self.place] >= 0
        return Labels(self.vectors[rows], number[self.place[kept]], self.sign[kept], self.weight[kept])


class Kernel(NamedTuple):
    """Hyperparameters of the field. The length is a chord of the unit sphere."""

    variance: float
    length: float
    smoothness: float


class Posterior(NamedTuple):
    """The normal approximation of the log odds at the places of the labels."""

    mean: FloatArray  # (n,)
    pull: FloatArray  # (n,): the precision of the prior times the mean
    precision: FloatArray  # (n,): what the sites add to the precision of the prior
    constant: float
    constant_variance: float  # given the labels


class Sites(NamedTuple):
    """Normal factors ``exp(shift * x - precision * x^2 / 2)`` of the log odds x, one for each entry (e,)."""

    precision: FloatArray
    shift: FloatArray

    def moved_to(self, other: "Sites", share: float) -> "Sites":
        """Sites on the way to others."""
        return Sites(*(one + share * (two - one) for one, two in zip(self, other, strict=True)))


class Matched(NamedTuple):
    """Sites that match the moments of their labels, and the logarithms (e,) of their factors."""

    sites: Sites
    log_factor: FloatArray


def match_moments(labels: Labels, sites: Sites, mean: FloatArray, variance: FloatArray) -> Matched:
    """Sites that match moments, from the posterior mean and variance (n,) at the places (equations 3.56 to 3.59)."""
    variance, mean = variance[labels.place], mean[labels.place]
    # One label of the entry is left out. An entry of less than one label, the power w of a factor, is left out whole.
    share = np.where(labels.weight < _WHOLE_LABEL, labels.weight, 1.0)
    precision, shift = share * sites.precision, share * sites.shift
    cavity = 1.0 / (1.0 / variance - precision)
    centre = cavity * (mean / variance - shift)
    log_mass, slope, curvature = label_moments(labels.sign, share, centre, cavity)
    rest = share * (1.0 + cavity * curvature)
    found = Sites(-curvature / rest, (slope - centre * curvature) / rest)
    # The factor with which a site has the mass of its label, for the current sites.
    spread = 1.0 + precision * cavity
    product = precision * centre**2 - 2.0 * centre * shift - shift**2 * cavity
    return Matched(found, (log_mass + 0.5 * np.log(spread) + 0.5 * product / spread) / share)


def averaged_log_odds(mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Log odds of the mean probability of class 1, over log odds with a normal distribution."""
    one = np.ones_like(mean)
    return np.asarray(moments(one, mean, variance)[0] - moments(-one, mean, variance)[0])


# --- exact


class ExactLikelihood(NamedTuple):
    """The likelihood of an exact process, with the sites where it was found."""

    value: float
    gradient: FloatArray  # (2,): by the logarithms of variance and length
    sites: Sites
    posterior: Posterior
    converged: bool


def exact_likelihood(
    labels: Labels, kernel: Kernel, chords: FloatArray | None = None, start: Sites | None = None
) -> ExactLikelihood:
    """The logarithm of the marginal likelihood; ``chords`` (n, n) are of the places, ``start`` are sites to go on from.

    At the end of the steps the likelihood does not change with the sites, so that its gradient is the explicit one
    (section 5.5.2).
    """
    if chords is None:
        chords = cdist(labels.vectors, labels.vectors)
    with blas_threads_for(len(chords)):
        covariance = _covariance(chords, kernel)
        sites, value, factor, converged = _exact_sites(labels, covariance, start)
        precision, root, mean = _exact_mean(labels, covariance, sites, factor)
        pull = labels.per_place(sites.shift) - precision * mean
        half = linalg.solve_triangular(factor, root * CONSTANT_VARIANCE, lower=True, check_finite=False)
        constant = CONSTANT_VARIANCE * float(pull.sum()), CONSTANT_VARIANCE - float(half @ half)
        # The inverse of K + 1 / precision. LAPACK fills its lower triangle only.
        inverse = np.tril(lapack.dpotri(factor, lower=1, overwrite_c=1)[0])
        inverse += np.tril(inverse, -1).T
        inverse *= root[:, np.newaxis] * root
        slopes = covariance - CONSTANT_VARIANCE, kernel.variance * matern_with_slope(chords, *kernel[1:])[1]
        gradient = [0.5 * float(pull @ slope @ pull - np.einsum("ij,ij->", inverse, slope)) for slope in slopes]
    return ExactLikelihood(value, np.array(gradient), sites, Posterior(mean, pull, precision, *constant), converged)


def _covariance(chords: FloatArray, kernel: Kernel) -> FloatArray:
    """Covariance (n, n) of the log odds at places, from their chords."""
    covariance = kernel.variance * matern(chords, *kernel[1:])
    covariance[np.diag_indices_from(covariance)] += kernel.variance * JITTER
    covariance += CONSTANT_VARIANCE
    return covariance


def _exact_sites(labels: Labels, covariance: FloatArray, start: Sites | None) -> tuple[Sites, float, FloatArray, bool]:
    """The sites, the logarithm of the likelihood, and their factor, and whether the steps ended (algorithm 3.5)."""
    n = len(covariance)
    if start is None:
        empty = Sites(np.zeros(labels.place.size), np.zeros(labels.place.size))
        start = match_moments(labels, empty, np.zeros(n), np.diagonal(covariance)).sites
    sites, before = start, -math.inf
    # Rounding errors grow with the weights.
    tolerance = _VALUE_TOLERANCE * max(1.0, float(labels.weight.max()))
    for _ in range(_MAX_STEPS):
        factor = _site_factor(labels, covariance, sites)
        _, root, mean = _exact_mean(labels, covariance, sites, factor)
        half = linalg.solve_triangular(factor, root[:, np.newaxis] * covariance, lower=True, check_finite=False)
        variance = np.diagonal(covariance) - np.einsum("ij,ij->j", half, half)
        matched = match_moments(labels, sites, mean, variance)
        value = float(labels.weight @ matched.log_factor) - float(np.log(np.diagonal(factor)).sum())
        value += 0.5 * float(labels.per_place(sites.shift) @ mean)
        if abs(value - before) < tolerance:
            break
        sites, before = sites.moved_to(matched.sites, _DAMPING), value
    else:
        return sites, value, factor, False
    return sites, value, factor, True


def _site_precision(labels: Labels, sites: Sites) -> FloatArray:
    """The precision (n,) of all sites at each place."""
    return np.maximum(labels.per_place(sites.precision), _MIN_PRECISION)


def _site_factor(labels: Labels, covariance: FloatArray, sites: Sites) -> FloatArray:
    """The lower Cholesky factor of ``I + sqrt(S) K sqrt(S)``, S the precision of the sites."""
    root = np.sqrt(_site_precision(labels, sites))
    system = root[:, np.newaxis] * covariance * root
    system[np.diag_indices_from(system)] += 1.0
    return linalg.cholesky(system, lower=True, overwrite_a=True, check_finite=False)


def _exact_mean(
    labels: Labels, covariance: FloatArray, sites: Sites, factor: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The precision of the sites at each place, its root, and the posterior means, all (n,)."""
    precision = _site_precision(labels, sites)
    root, shift = np.sqrt(precision), labels.per_place(sites.shift)
    pull = shift - root * linalg.cho_solve((factor, True), root * (covariance @ shift), check_finite=False)
    return precision, root, covariance @ pull


def predict_exact(
    vectors: FloatArray, posterior: Posterior, kernel: Kernel, places: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance (b,) of the log odds at places (b, 3), given labels at vectors (n, 3) (equation 3.60)."""
    mean, variance = np.empty(len(places)), np.empty(len(places))
    root = np.sqrt(posterior.precision)
    with blas_threads_for(len(vectors)):
        system = root[:, np.newaxis] * _covariance(cdist(vectors, vectors), kernel) * root
        system[np.diag_indices_from(system)] += 1.0
        factor = linalg.cholesky(system, lower=True, overwrite_a=True, check_finite=False)
        for rows in row_blocks(len(places), len(vectors)):
            cross = CONSTANT_VARIANCE + kernel.variance * matern(cdist(places[rows], vectors), *kernel[1:])
            mean[rows] = cross @ posterior.pull
            half = linalg.solve_triangular(factor, (cross * root).T, lower=True, check_finite=False)
            variance[rows] = kernel.variance + CONSTANT_VARIANCE - np.einsum("ij,ij->j", half, half)
    return mean, np.maximum(variance, 0.0)


# --- of neighbours


def neighbour_posterior(
    labels: Labels, kernel: Kernel, n_neighbors: int, n_jobs: int | None = None
) -> tuple[Posterior, bool]:
    """The posterior of a process of neighbours, whose places are in random order, and whether the steps ended.

    The means solve a sparse system of all places. The variances are those given the sites at the nearest places.
    """
    n = len(labels.vectors)
    prior = _SparsePrior(labels.vectors, kernel, n_neighbors, n_jobs)
    sites = Sites(np.zeros(labels.place.size), np.zeros(labels.place.size))
    sites = match_moments(labels, sites, np.zeros(n), np.full(n, kernel.variance + CONSTANT_VARIANCE)).sites
    state, before = np.zeros(n + 1), np.full(n, np.inf)
    # The response of all unknowns to the constant; its last number is the variance of the constant.
    response = np.zeros(n + 1)

    def posterior(tolerance: float) -> tuple[FloatArray, FloatArray, Posterior]:
        """Field and constant given the sites, their response to the constant, and the posterior these make."""
        precision, shift = _site_precision(labels, sites), labels.per_place(sites.shift)
        found = prior.solve(precision, np.append(shift, shift.sum()), state, tolerance)
        unit = prior.solve(precision, np.append(np.zeros(n), 1.0), response, _RESPONSE_TOLERANCE)
        mean = found[:-1] + found[-1]
        return found, unit, Posterior(mean, shift - precision * mean, precision, float(found[-1]), float(unit[-1]))

    for _ in range(_MAX_STEPS):
        state, response, at = posterior(_STEP_TOLERANCE)
        variance = _nearest_variance(labels.vectors, at, kernel, labels.vectors, n_neighbors, n_jobs)
        if np.max(np.abs(at.mean - before) / np.sqrt(variance)) < _MEAN_TOLERANCE:
            break
        before = at.mean
        sites = sites.moved_to(match_moments(labels, sites, at.mean, variance).sites, _DAMPING)
    else:
        return posterior(_END_TOLERANCE)[2], False
    return posterior(_END_TOLERANCE)[2], True


class _SparsePrior:
    """The precision ``B^T diag(precision) B`` of the field at n ordered places; B is lower triangular and sparse."""

    def __init__(self, vectors: FloatArray, kernel: Kernel, n_neighbors: int, n_jobs: int | None = None) -> None:
        neighbours = earlier_neighbours(vectors, n_neighbors, n_jobs)
        factor, share = prior_factor(vectors, kernel[1:], neighbours, n_jobs)
        self.factor, self.transposed = sparse.csr_array(factor), sparse.csr_array(factor.T)
        self.precision = 1.0 / (kernel.variance * share)
        # The matrix is triangular: without pivots and reordering its factor is the matrix itself.
        self.triangular: Any = splu(factor, permc_spec="NATURAL", diag_pivot_thresh=0.0)

    def solve(self, added: FloatArray, right: FloatArray, start: FloatArray, tolerance: float) -> FloatArray:
        """Solve for field and constant (n + 1,) by conjugate gradients, where sites add a precision (n,).

        The preconditioner puts the added precision between the triangular factors (Kundig & Sigrist 2025, Iterative
        methods for Vecchia-Laplace approximations for latent Gaussian process models, Journal of the American
        Statistical Association 120).
        """
        constant_precision = 1.0 / CONSTANT_VARIANCE
        middle, corner = 1.0 / (self.precision + added), 1.0 / (float(added.sum()) + constant_precision)

        def times(state: FloatArray) -> FloatArray:
            """The system times field and constant."""
            weighted = added * (state[:-1] + state[-1])
            field = self.transposed @ (self.precision * (self.factor @ state[:-1])) + weighted
            return np.append(field, weighted.sum() + constant_precision * state[-1])

        def precondition(residual: FloatArray) -> FloatArray:
            """An approximate solution for a residual."""
            field = self.triangular.solve(middle * self.triangular.solve(residual[:-1], trans="T"))
            return np.append(field, corner * residual[-1])

        return _conjugate_gradients(times, precondition, right, start, tolerance)


def _conjugate_gradients(
    times: Callable[[FloatArray], FloatArray],
    precondition: Callable[[FloatArray], FloatArray],
    right: FloatArray,
    start: FloatArray,
    tolerance: float,
) -> FloatArray:
    """The solution of a positive definite system, to a residual of ``tolerance`` times the right side."""
    shape = (len(right), len(right))
    system, preconditioner = (LinearOperator(shape, part, dtype=np.float64) for part in (times, precondition))
    found, _ = cg(system, right, start, rtol=tolerance, maxiter=_MAX_CG_STEPS, M=preconditioner)
    return np.asarray(found)


def predict_nearest(
    vectors: FloatArray,
    posterior: Posterior,
    kernel: Kernel,
    places: FloatArray,
    n_neighbors: int,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance (b,) of the log odds at places (b, 3), given labels at vectors (n, 3)."""
    field = (posterior.mean - posterior.constant)[:, np.newaxis]
    data = Conditional(vectors, field, np.full(len(vectors), JITTER))
    means, _ = condition_on_nearest(data, kernel[1:], places, n_neighbors, n_jobs)
    variance = _nearest_variance(vectors, posterior, kernel, places, n_neighbors, n_jobs, advance)
    return posterior.constant + means[:, 0], variance


def _nearest_variance(
    vectors: FloatArray,
    posterior: Posterior,
    kernel: Kernel,
    places: FloatArray,
    n_neighbors: int,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> FloatArray:
    """Variance (b,) of the log odds at places given the sites at the nearest vectors, and the constant."""
    noise = 1.0 / (kernel.variance * posterior.precision)
    data = Conditional(vectors, np.ones((len(vectors), 1)), noise)
    found, left = condition_on_nearest(data, kernel[1:], places, _VARIANCE_FACTOR * n_neighbors, n_jobs, advance)
    rest = 1.0 - found[:, 0]
    return kernel.variance * np.maximum(left, JITTER) + np.square(rest) * posterior.constant_variance
