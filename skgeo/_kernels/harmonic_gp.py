"""Kernel: Gaussian process regression by its weights, ``y = sum_j w_j Y_j + noise`` with ``w_j ~ N(0, variance_j)``.

A product of two harmonics of degree <= L has degrees <= 2 L only, so that the D x D sums of products that a regression
needs follow from the (2 L + 1) ** 2 coefficients of the weights of its observations, as the moments of a domain do.
These coefficients, the D coefficients of the weighted targets and the sum of squared targets replace the data. They
add up over parts of the data. The likelihood of hyperparameters takes one Cholesky factor of size D, whatever the
number of observations.
"""

import math
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.linalg import lapack

from skgeo._kernels.domain import point_coefficients, second_moment
from skgeo._kernels.evaluate import map_grid, map_points
from skgeo._kernels.harmonics import degree_of, degrees_and_orders
from skgeo._kernels.threads import row_blocks
from skgeo._typing import FloatArray

#: One over the harmonic of degree 0: this factor turns coefficients of degree 0 into sums.
_SQRT_4_PI = math.sqrt(4.0 * math.pi)
# This many degrees beyond the largest are summed one by one; an integral replaces the sum over all further degrees.
_N_SUMMED_DEGREES = 1000
# The search for a sufficient degree ends here.
_MAX_SEARCHED_DEGREE = 10_000
# Targets whose standard deviation is a smaller share of their mean are constant to rounding.
_MIN_RELATIVE_DEVIATION = 10.0 * float(np.finfo(np.float64).eps)
# A covariance is summed over blocks with at most this number of values of the factor at the places: 32 MB.
_COVARIANCE_BLOCK_VALUES = 2**22


class ObservationSums(NamedTuple):
    """The sums over weighted observations of T targets, after subtracting ``shift`` (T,) from the targets."""

    weight: FloatArray  # coefficients ((2 L + 1)^2,) of the weights
    target: FloatArray  # coefficients (T, (L + 1)^2) of weights times targets
    square: FloatArray  # sums (T,) of weights times squared targets
    shift: FloatArray
    log_weight: float
    n_observations: int

    @classmethod
    def from_observations(
        cls,
        places: tuple[FloatArray, FloatArray],
        targets: FloatArray,
        weight: FloatArray,
        max_degree: int,
        shift: FloatArray | None = None,
    ) -> Self:
        """Sums of targets (n, T) at (latitude, longitude) in degrees with positive weights (n,).

        The default of ``shift`` is the weighted mean of the targets.
        """
        shift = np.average(targets, axis=0, weights=weight) if shift is None else shift
        columns = [column - level for column, level in zip(targets.T, shift, strict=True)]
        return cls(
            point_coefficients(*places, weight, 2 * max_degree),
            np.stack([point_coefficients(*places, weight * column, max_degree) for column in columns]),
            np.array([weight @ np.square(column) for column in columns]),
            shift,
            float(np.log(weight).sum()),
            weight.size,
        )

    def merged_with(self, other: "ObservationSums") -> "ObservationSums":
        """The sums of two parts of the observations, which have the same shift."""
        added = {name: getattr(self, name) + getattr(other, name) for name in self._fields if name != "shift"}
        return ObservationSums(**added, shift=self.shift)

    def mean_weight(self) -> float:
        """The mean weight of an observation."""
        return float(self.weight[0]) * _SQRT_4_PI / self.n_observations

    def mean_and_scale(self) -> tuple[FloatArray, FloatArray]:
        """Weighted mean and standard deviation (T,) of the targets; 1 where these do not vary."""
        total = self.weight[0] * _SQRT_4_PI
        offset = self.target[:, 0] * _SQRT_4_PI / total
        scale = np.sqrt(np.maximum(self.square / total - offset**2, 0.0))
        mean = self.shift + offset
        return mean, np.where(scale > _MIN_RELATIVE_DEVIATION * np.abs(mean), scale, 1.0)


class Matern(NamedTuple):
    """Variance of each degree of a Matern field cut off at a degree, scaled to a variance at every point."""

    variance: float
    length_scale: float  # in radians; the inverse range is kappa = sqrt(2 smoothness) / length_scale
    smoothness: float

    def degrees(self, max_degree: int) -> tuple[FloatArray, FloatArray]:
        """Variance (L + 1,) of each harmonic, and the derivatives (3, L + 1) of its logarithm.

        The derivatives are with respect to the logarithms of variance, length scale and smoothness.
        """
        degree = np.arange(max_degree + 1.0)
        square = self._kappa_square()
        shifted = square + degree * (degree + 1.0)
        log_density = -(self.smoothness + 1.0) * np.log(shifted)
        by_scale = 2.0 * (self.smoothness + 1.0) * square / shifted
        by_smoothness = -self.smoothness * np.log(shifted) - (self.smoothness + 1.0) * square / shifted
        density = np.exp(log_density - log_density.max())
        share = (2.0 * degree + 1.0) * density
        total = share.sum()
        slopes = np.stack([by_scale, by_smoothness])
        slopes -= (slopes @ share / total)[:, np.newaxis]  # the variance at a point stays the same
        return 4.0 * np.pi * self.variance * density / total, np.vstack([np.ones_like(degree), slopes])

    def truncation(self, max_degree: int) -> float:
        """Share of the variance of the Matern field that degrees above ``max_degree`` hold."""
        square, power = self._kappa_square(), self.smoothness + 1.0
        degree = np.arange(max_degree + _N_SUMMED_DEGREES + 1.0)
        # Relative to the density of degree 0, so that nothing overflows.
        share = (2.0 * degree + 1.0) * np.exp(-power * np.log1p(degree * (degree + 1.0) / square))
        # The midpoint rule in u = l + 1/2 with its first correction: 2 u (kappa^2 - 1/4 + u^2)^-power integrates to
        # (...)^-smoothness / smoothness; the next correction is a millionth of a millionth of it.
        start = degree[-1] + 1.0
        inner = (square - 0.25 + start**2) / square
        slope = 2.0 * inner**-power - 4.0 * power * start**2 / square * inner ** -(power + 1.0)
        rest = square * inner**-self.smoothness / self.smoothness + slope / 24.0
        beyond = share[max_degree + 1 :].sum() + rest
        return float(beyond / (share[: max_degree + 1].sum() + beyond))

    def degree_needed(self, share: float) -> int | None:
        """Smallest degree with at most this share of the variance above it; None beyond _MAX_SEARCHED_DEGREE."""
        high = 1
        # Double the degree until it suffices, then bisect.
        while self.truncation(high) > share:
            high *= 2
            if high > _MAX_SEARCHED_DEGREE:
                return None
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.truncation(middle) > share else (low, middle)
        return high

    def _kappa_square(self) -> float:
        """The square of the rate, per radian, at which the Matern covariance falls."""
        return 2.0 * self.smoothness / self.length_scale**2


class Posterior(NamedTuple):
    """Weights given the data: mean (T, D), a factor F (D, D) of their covariance F^T F, and the variance at places.

    The variance of the field at a place x is Y(x)^T F^T F Y(x), a function of degree 2 L. ``spread`` ((2 L + 1)^2,) are
    its coefficients.
    """

    mean: FloatArray
    factor: FloatArray
    spread: FloatArray


class Evidence:
    """The likelihood of hyperparameters given sums of observations, ``(y - mean) / scale``."""

    def __init__(self, sums: ObservationSums, mean: FloatArray, scale: FloatArray) -> None:
        self.max_degree = degree_of(sums.target.shape[1])
        self.gram = second_moment(sums.weight)
        shift, n_harmonics = sums.shift - mean, sums.target.shape[1]
        constant = sums.weight[:n_harmonics]  # coefficients of a target that is 1 everywhere
        self.projection = ((sums.target + shift[:, np.newaxis] * constant) / scale[:, np.newaxis]).T
        linear, total = sums.target[:, 0] * _SQRT_4_PI, sums.weight[0] * _SQRT_4_PI
        self.square = (sums.square + 2.0 * shift * linear + shift**2 * total) / scale**2
        self.log_weight, self.n_observations = sums.log_weight, sums.n_observations

    def __call__(self, kernel: Matern, noise: float) -> tuple[float, FloatArray]:
        """Logarithm of the marginal likelihood, summed over targets, and its gradient (4,).

        The gradient is with respect to the logarithms of the kernel's parameters and of the noise. If rounding makes
        the matrix indefinite, the value is minus infinity and the gradient zero. Rasmussen & Williams (2006), equations
        2.30 and 5.9, with the matrix inversion and determinant lemmas.
        """
        by_degree, slopes = kernel.degrees(self.max_degree)
        try:
            factor, scaled, root = self._solve(by_degree, noise)
        except linalg.LinAlgError:
            return -math.inf, np.zeros(4)
        explained = np.square(scaled).sum(axis=1)
        inverse, _ = lapack.dtrtri(factor, lower=1)
        freedom = 1.0 - np.square(inverse).sum(axis=0)  # share of each weight that the data determine, 0 to 1
        n_targets = self.square.size
        explained_square = np.einsum("dt,d,dt->t", self.projection, root, scaled)
        misfit = float(np.sum(self.square - explained_square) / noise)
        log_determinant = 2.0 * float(np.log(np.diagonal(factor)).sum()) - self.log_weight
        constant = self.n_observations * math.log(2.0 * math.pi * noise)
        value = -0.5 * (misfit + n_targets * (constant + log_determinant))
        degree, _ = degrees_and_orders(self.max_degree)
        by_weight = np.bincount(degree, weights=explained - n_targets * freedom)
        by_noise = misfit - explained.sum() - n_targets * (self.n_observations - freedom.sum())
        return value, 0.5 * np.append(slopes @ by_weight, by_noise)

    def posterior(self, kernel: Matern, noise: float) -> Posterior:
        """The weights given the data; raises LinAlgError if rounding makes the matrix indefinite."""
        factor, scaled, root = self._solve(kernel.degrees(self.max_degree)[0], noise)
        spread = linalg.solve_triangular(factor, np.diag(root), lower=True, check_finite=False)
        return Posterior((root[:, np.newaxis] * scaled).T, spread, _squared_norm(spread, self.max_degree))

    def _solve(self, by_degree: FloatArray, noise: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Cholesky factor of I + S G S / noise, the mean weights divided by S (D, T), and S (D,)."""
        degree, _ = degrees_and_orders(self.max_degree)
        root = np.sqrt(by_degree)[degree]
        matrix = self.gram * (root[:, np.newaxis] * root / noise)
        matrix[np.diag_indices_from(matrix)] += 1.0
        factor = linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
        right = self.projection * (root[:, np.newaxis] / noise)
        return factor, linalg.cho_solve((factor, True), right, check_finite=False), root


def _squared_norm(factor: FloatArray, max_degree: int) -> FloatArray:
    """Coefficients to degree 2 L of ``|factor @ Y|^2``, a function of degree 2 L, by exact quadrature."""
    sines, weights = np.polynomial.legendre.leggauss(2 * max_degree + 1)
    n_lon = 4 * max_degree + 1
    longitude = np.linspace(0.0, 360.0, n_lon, endpoint=False)
    latitude = np.degrees(np.arcsin(sines))
    squares = np.empty((latitude.size, n_lon))
    # A block has about as many places as the factor has rows: its values take as much memory as the factor.
    for rows in row_blocks(latitude.size, n_lon, len(factor)):
        values = np.empty((latitude[rows].size, n_lon, len(factor)))
        map_grid(latitude[rows], longitude, factor, None, values)
        np.einsum("ijk,ijk->ij", values, values, out=squares[rows])
    squares *= 2.0 * np.pi / n_lon * weights[:, np.newaxis]
    places = np.repeat(latitude, n_lon), np.tile(longitude, latitude.size)
    return point_coefficients(*places, squares.ravel(), 2 * max_degree)


def covariance_at(
    posterior: Posterior, latitude: FloatArray, longitude: FloatArray, n_jobs: int | None = None
) -> FloatArray:
    """Covariance (n, n) of the field given the data, at places in degrees."""
    covariance = np.zeros((latitude.size,) * 2)
    # The covariance is (F Y)^T (F Y). A block has some rows of F Y: all D rows at once would need D values a place.
    for block in row_blocks(len(posterior.factor), latitude.size, _COVARIANCE_BLOCK_VALUES):
        rows = posterior.factor[block]
        values = np.empty((latitude.size, len(rows)))
        map_points(latitude, longitude, rows, None, values, n_jobs)
        covariance += values @ values.T
    return covariance


def in_units_of_y(weights: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """Weights (..., T, D) of standardised targets as weights of the targets, given their mean and scale (T,)."""
    weights = weights * scale[:, np.newaxis]
    # A constant is a multiple of the harmonic of degree 0.
    weights[..., 0] += mean * _SQRT_4_PI
    return weights


def draw_weights(posterior: Posterior, n_samples: int, rng: np.random.RandomState) -> npt.NDArray[np.float64]:
    """Weights (n_samples, T, D) drawn given the data."""
    n_targets, n_harmonics = posterior.mean.shape
    return posterior.mean + rng.standard_normal((n_samples, n_targets, n_harmonics)) @ posterior.factor
