"""Kernel: the likelihood of a Gaussian process with a linear mean, from inner products of its data.

The covariance of n observations is ``variance * C`` with ``C = R + ratio * diag(1 / weight)``. R are the correlations
of the field, and ``ratio`` is the variance of the noise over that of the field. The likelihood needs two quantities of
the data: the inner products ``Z^T C^-1 Z`` of the columns Z = (targets, design of the mean), and ``log det C``. The
exact process and the process of neighbours compute these in their own ways.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg

from skgeo._typing import FloatArray, Integers

# Targets whose standard deviation is a smaller share of their mean are constant to rounding.
_MIN_RELATIVE_DEVIATION = 10.0 * float(np.finfo(np.float64).eps)
# If earlier columns of the design explain all of a column but a smaller share, the column says nothing new: its
# coefficient would be rounding.
_MIN_OWN_SHARE = 1e-6
# Unit vectors that agree to this number of decimals, six tenths of a millimetre, are one place.
_PLACE_DECIMALS = 10
# Residuals of a standardised target that are smaller than this are rounding: the variance of the field stays above.
_MIN_VARIANCE = 1e-24


class Observations(NamedTuple):
    """Observations at n different places; those at one place are merged, without loss of information.

    The sum of squares of q observations at one place is that of their weighted mean plus that of their deviations from
    the mean. The deviations depend on the noise alone.
    """

    vectors: FloatArray  # unit vectors (n, 3)
    columns: FloatArray  # weighted means (n, k) of the targets, and of the design of the mean, at each place
    weight: FloatArray  # sums (n,) of the weights at each place: the noise of its mean is ``noise / weight``
    multiplicity: Integers  # number (n,) of observations at each place
    log_weight: FloatArray  # sum (n,) of the logarithms of the weights at each place, less that of the merged weight
    deviations: FloatArray  # deviations (e, k) from the means of their places, times the square roots of their weights
    place_of_deviation: Integers  # (e,), numbers of their places

    def take(self, rows: Integers) -> "Observations":
        """The observations at some of the places."""
        number = np.full(len(self.vectors), -1, dtype=np.intp)
        number[rows] = np.arange(len(rows))
        kept = number[self.place_of_deviation] >= 0
        return Observations(
            self.vectors[rows],
            self.columns[rows],
            self.weight[rows],
            self.multiplicity[rows],
            self.log_weight[rows],
            self.deviations[kept],
            number[self.place_of_deviation[kept]],
        )

    def select(self, numbers: Integers) -> "Observations":
        """The same observations with some of the columns."""
        return self._replace(columns=self.columns[:, numbers], deviations=self.deviations[:, numbers])

    def independent_columns(self, n_targets: int) -> Integers:
        """Numbers of the targets, and of those columns of the design that are no linear combination of earlier ones."""
        rows = np.vstack([np.sqrt(self.weight)[:, np.newaxis] * self.columns, self.deviations])
        kept, basis = list(range(n_targets)), np.empty((len(rows), 0))
        for number in range(n_targets, rows.shape[1]):
            column = rows[:, number]
            rest = column - basis @ (basis.T @ column)
            rest -= basis @ (basis.T @ rest)
            norm = float(np.linalg.norm(rest))
            if norm > _MIN_OWN_SHARE * float(np.linalg.norm(column)):
                kept.append(number)
                basis = np.column_stack([basis, rest / norm])
        return np.array(kept, dtype=np.intp)

    def mean_and_scale(self, n_targets: int) -> tuple[FloatArray, FloatArray]:
        """Weighted mean and standard deviation (T,) of the targets, the first columns.

        The scale of a target that is constant is its size, or 1 if it is zero.
        """
        share, targets = self.weight / self.weight.sum(), self.columns[:, :n_targets]
        mean = share @ targets
        within = np.square(self.deviations[:, :n_targets]).sum(axis=0) / self.weight.sum()
        scale = np.sqrt(share @ np.square(targets - mean) + within)
        size = np.where(mean != 0.0, np.abs(mean), 1.0)
        return mean, np.where(scale > _MIN_RELATIVE_DEVIATION * size, scale, size)

    def standardised(self, mean: FloatArray, scale: FloatArray) -> "Observations":
        """The same observations, but of ``(targets - mean) / scale``."""
        columns, deviations = self.columns.copy(), self.deviations.copy()
        columns[:, : mean.size] = (columns[:, : mean.size] - mean) / scale
        deviations[:, : mean.size] /= scale
        return self._replace(columns=columns, deviations=deviations)


def merge_places(
    vectors: FloatArray, columns: FloatArray, weight: FloatArray, before: Observations | None = None
) -> Observations:
    """Observations with columns (n, k) and positive weights (n,), merged by place, in a random order of places.

    The order does not depend on that of the rows. ``before`` are earlier observations to add.
    """
    count, log_weight = np.ones(len(vectors), dtype=np.intp), np.zeros(len(vectors))
    if before is not None:
        vectors, columns = np.concatenate([before.vectors, vectors]), np.concatenate([before.columns, columns])
        weight, count = np.concatenate([before.weight, weight]), np.concatenate([before.multiplicity, count])
        log_weight = np.concatenate([before.log_weight, log_weight])
    # Rounding must not split a place. The other keys break ties: no sum depends on the order of the rows.
    cells = np.round(vectors, _PLACE_DECIMALS) + 0.0
    order = np.lexsort((*columns.T, weight, *vectors.T, *cells.T))
    vectors, columns, weight = vectors[order], columns[order], weight[order]
    count, log_weight = count[order], log_weight[order]
    is_first = np.append(True, np.any(np.diff(cells[order], axis=0) != 0.0, axis=1))
    first, place = np.flatnonzero(is_first), np.cumsum(is_first) - 1
    merged = np.add.reduceat(weight, first)
    # The weighted mean of equal values may differ from them by rounding: move the origin to the first value.
    offsets = weight[:, np.newaxis] * (columns - columns[first][place])
    means = columns[first] + np.add.reduceat(offsets, first) / merged[:, np.newaxis]
    repeated = np.bincount(place)[place] > 1
    deviations = (np.sqrt(weight)[:, np.newaxis] * (columns - means[place]))[repeated]
    places = place[repeated]
    if before is not None:
        # Row i of ``before`` was sorted to the position where order is i.
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        deviations = np.concatenate([before.deviations, deviations])
        places = np.concatenate([place[position[before.place_of_deviation]], places])
    log_weight = np.add.reduceat(log_weight + np.log(weight), first) - np.log(merged)
    data = Observations(vectors[first], means, merged, np.add.reduceat(count, first), log_weight, deviations, places)
    # In a random order each conditional distribution looks at near and far places.
    return data.take(np.random.RandomState(0).permutation(len(first)))


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
    precision: FloatArray  # (p, p) of the coefficients, times the variance of the field: H^T C^-1 H


def likelihood(
    gram: Gram, data: Observations, n_targets: int, ratio: float, variance: float | None = None
) -> Likelihood:
    """Logarithm of the marginal likelihood, summed over the targets; ``gram`` has the products of ``data.columns``.

    The coefficients of the mean have a flat prior, and are integrated out: the variance of a field with few
    observations would otherwise be too small (restricted maximum likelihood; Rasmussen & Williams 2006, section 2.7).
    ``variance=None`` takes the variance with the largest likelihood, and the gradient is that at this variance.
    """
    # Further observations at a place depend on the noise alone: their deviations have the covariance ratio.
    extra = int(data.multiplicity.sum()) - len(data.vectors)
    within = data.deviations.T @ data.deviations / ratio
    products, slopes = gram.products + within, gram.products_slopes - np.stack([np.zeros_like(within), within])
    determinant = gram.log_determinant + extra * math.log(ratio) - float(data.log_weight.sum())
    determinant_slopes = gram.log_determinant_slopes + np.array([0.0, extra])

    precision, cross = products[n_targets:, n_targets:], products[n_targets:, :n_targets]
    coefficients = cross
    if len(precision):
        factor = linalg.cholesky(precision, lower=True)
        coefficients = linalg.cho_solve((factor, True), cross)
        determinant += 2.0 * float(np.log(np.diagonal(factor)).sum())
        inverse = linalg.cho_solve((factor, True), np.eye(len(precision)))
        determinant_slopes += np.einsum("ij,sji->s", inverse, slopes[:, n_targets:, n_targets:])
    # The residual of a target is (target, design) times (1, -coefficients).
    contrast = np.vstack([np.eye(n_targets), -coefficients])
    square = max(float(np.einsum("it,ij,jt->", contrast, products, contrast)), 0.0)
    square_slopes = np.einsum("it,sij,jt->s", contrast, slopes, contrast)
    count = n_targets * (int(data.multiplicity.sum()) - len(precision))
    if variance is None:
        variance = max(square / max(count, 1), _MIN_VARIANCE)
    value = -0.5 * (count * math.log(2.0 * math.pi * variance) + n_targets * determinant + square / variance)
    by_shape = n_targets * determinant_slopes + square_slopes / variance
    gradient = -0.5 * np.append(count - square / variance, by_shape)
    return Likelihood(value, gradient, variance, coefficients, precision)
