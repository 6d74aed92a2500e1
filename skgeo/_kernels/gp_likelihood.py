"""Kernel: the likelihood of a Gaussian process with a linear mean, from inner products of its data.

The covariance of n observations is ``variance * C`` with ``C = R + ratio * diag(1 / weight)``, R the correlations of the
field and ``ratio`` the variance of the noise over that of the field. All that the likelihood needs of the data are the
inner products ``Z^T C^-1 Z`` of the columns Z = (targets, design of the mean) and ``log det C``. The exact process and
the process of neighbours compute these in their own ways; the rest is here.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg

from skgeo._typing import FloatArray, Integers

# Targets whose standard deviation is a smaller share of their mean are constant to rounding.
_MIN_RELATIVE_DEVIATION = 10.0 * float(np.finfo(np.float64).eps)


class Observations(NamedTuple):
    """Observations, of which those at one place are merged into their weighted mean: no information is lost."""

    vectors: FloatArray  # unit vectors (n, 3) of n different places
    targets: FloatArray  # weighted means (n, T) of the targets at each place
    weight: FloatArray  # sums (n,) of the weights at each place: the noise there is ``noise / weight``
    within: FloatArray  # sums (n, T) of weighted squared deviations from the mean of the place
    count: Integers  # number (n,) of observations at each place
    log_weight: FloatArray  # sum (n,) of the logarithms of the weights at each place, less that of the merged weight

    def take(self, rows: Integers | slice) -> "Observations":
        """The observations at some of the places."""
        return Observations(*(part[rows] for part in self))

    def standardised(self, mean: FloatArray, scale: FloatArray) -> "Observations":
        """The observations of ``(targets - mean) / scale``."""
        return self._replace(targets=(self.targets - mean) / scale, within=self.within / scale**2)

    def mean_and_scale(self) -> tuple[FloatArray, FloatArray]:
        """Weighted mean and standard deviation (T,) of the targets; if they are constant, their size, or 1 for zeros."""
        share = self.weight / self.weight.sum()
        mean = share @ self.targets
        square = share @ np.square(self.targets - mean) + self.within.sum(axis=0) / self.weight.sum()
        scale = np.sqrt(square)
        size = np.where(mean != 0.0, np.abs(mean), 1.0)
        return mean, np.where(scale > _MIN_RELATIVE_DEVIATION * size, scale, size)


class Gram(NamedTuple):
    """Inner products of columns in the metric C^-1, and their derivatives by the logarithms of length and ratio."""

    products: FloatArray  # (k, k), Z^T C^-1 Z
    log_determinant: float
    products_slopes: FloatArray  # (2, k, k)
    log_determinant_slopes: FloatArray  # (2,)


class Likelihood(NamedTuple):
    """A value of the likelihood and what belongs to it."""

    value: float
    gradient: FloatArray  # (3,): by the logarithms of variance, length and ratio
    variance: float
    coefficients: FloatArray  # of the mean (p, T), by generalised least squares
    precision: FloatArray  # (p, p) of the coefficients, over the variance of the field: H^T C^-1 H


def merge_places(
    vectors: FloatArray, targets: FloatArray, weight: FloatArray, before: Observations | None = None
) -> Observations:
    """Observations (n, T) with positive weights (n,), merged by place, and sorted in an order of their own.

    The order is random but does not depend on that of the rows. ``before`` are earlier observations to add.
    """
    n = len(vectors)
    data = Observations(vectors, targets, weight, np.zeros_like(targets), np.ones(n, dtype=np.intp), np.zeros(n))
    if before is not None:
        data = Observations(*(np.concatenate(pair) for pair in zip(before, data, strict=True)))
    # Targets break ties, so that sums do not depend on the order of the rows either.
    data = data.take(np.lexsort((*data.targets.T, data.weight, *data.vectors.T)))
    first = np.concatenate([[0], 1 + np.flatnonzero(np.any(np.diff(data.vectors, axis=0) != 0.0, axis=1))])
    sizes = np.diff(np.append(first, len(data.vectors)))
    merged = np.add.reduceat(data.weight, first)
    means = np.add.reduceat(data.weight[:, np.newaxis] * data.targets, first) / merged[:, np.newaxis]
    # The weighted mean of one value may differ from the value by rounding.
    means[sizes == 1] = data.targets[first[sizes == 1]]
    deviation = data.targets - np.repeat(means, sizes, axis=0)
    within = np.add.reduceat(data.within + data.weight[:, np.newaxis] * np.square(deviation), first)
    log_weight = np.add.reduceat(data.log_weight + np.log(data.weight), first) - np.log(merged)
    parts = (data.vectors[first], means, merged, within, np.add.reduceat(data.count, first), log_weight)
    # A random order makes each conditional distribution look at near and far places.
    return Observations(*parts).take(np.random.RandomState(0).permutation(len(first)))


def likelihood(gram: Gram, data: Observations, ratio: float, variance: float | None = None) -> Likelihood:
    """Logarithm of the marginal likelihood, summed over the targets, given the inner products of (targets, design).

    The coefficients of the mean have a flat prior, and are integrated out: with fewer than a hundred observations the
    variance of the field would otherwise be too small (restricted maximum likelihood). ``variance=None`` takes the
    variance of the largest likelihood. Rasmussen & Williams (2006), equation 2.45 and section 2.7.
    """
    n_places, n_targets = data.targets.shape
    n_design = len(gram.products) - n_targets
    products, cross = gram.products[n_targets:, n_targets:], gram.products[n_targets:, :n_targets]
    factor = linalg.cholesky(products, lower=True) if n_design else products
    coefficients = linalg.cho_solve((factor, True), cross) if n_design else cross
    # The residual of a target is the column (target, design) times (1, -coefficients).
    contrast = np.vstack([np.eye(n_targets), -coefficients])
    squares = np.einsum("it,ij,jt->t", contrast, gram.products, contrast).clip(min=0.0)
    total = float(squares.sum() + data.within.sum() / ratio)
    extra = int(data.count.sum()) - n_places  # observations beyond the first of each place: they know the noise only
    count = n_targets * (n_places - n_design + extra)
    if variance is None:
        variance = total / max(count, 1)
    # Rounding of a target that is constant, or explained by the mean, must not make the variance zero.
    variance = max(variance, np.finfo(np.float64).tiny ** 0.25)
    determinant = gram.log_determinant + extra * math.log(ratio) - float(data.log_weight.sum())
    slopes = gram.log_determinant_slopes.copy()
    square_slopes = np.einsum("it,sij,jt->s", contrast, gram.products_slopes, contrast)
    if n_design:
        determinant += 2.0 * float(np.log(np.diagonal(factor)).sum())
        inverse = linalg.cho_solve((factor, True), np.eye(n_design))
        slopes += np.einsum("ij,sji->s", inverse, gram.products_slopes[:, n_targets:, n_targets:])
    slopes[1] += extra
    square_slopes[1] -= data.within.sum() / ratio
    value = -0.5 * (count * math.log(2.0 * math.pi * variance) + n_targets * determinant + total / variance)
    gradient = -0.5 * np.append(count - total / variance, n_targets * slopes + square_slopes / variance)
    return Likelihood(value, gradient, variance, coefficients, products)
