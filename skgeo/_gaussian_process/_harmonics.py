"""The method "harmonics" of Gaussian process regression: a kernel of finitely many harmonics, and sums of data."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from skgeo._callers import warn_once_a_search
from skgeo._gaussian_process._observations import (
    EARTH_RADIUS_KM,
    HYPERPARAMETERS,
    Given,
    TrainingData,
)
from skgeo._kernels.harmonic_gp import (
    Evidence,
    Matern,
    ObservationSums,
    Posterior,
    covariance_at,
    draw_weights,
    in_units_of_y,
)
from skgeo._kernels.threads import blas_threads_for
from skgeo._places import points_in_degrees
from skgeo._typing import FloatArray
from skgeo._validation import warn_caller
from skgeo._values_at_places import Places, map_at_places
from skgeo.exceptions import ResolutionWarning

# The start and the bounds of the search. Variances are those of standardised targets.
_DEGREE_KM = math.radians(1.0) * EARTH_RADIUS_KM
_START = {"variance": 1.0, "length_scale_km": 20.0 * _DEGREE_KM, "smoothness": 1.5, "noise": 0.1}
_BOUNDS = {
    # Standardised targets have a variance of 1. A much larger variance would let the field follow detail that is finer
    # than max_degree, and take extreme values where there are no data.
    "variance": (1e-5, 10.0),
    "length_scale_km": (0.5 * _DEGREE_KM, 360.0 * _DEGREE_KM),
    "smoothness": (0.25, 10.0),
    "noise": (1e-6, 1e3),
}
_MAX_VARIANCE_NOT_STANDARDISED = 1e5
# Beyond this share of the variance in degrees above max_degree, the truncated kernel is no longer a Matern kernel.
_MAX_TRUNCATION_SHARE = 0.1
# L-BFGS-B stops when a step improves the likelihood by less than this share, or when the slopes are this small.
_SEARCH_OPTIONS: Any = {"ftol": 1e-11, "gtol": 1e-6, "maxiter": 500}
# A noise counts as being at a bound if it is within this factor of the bound.
_BOUND_TOLERANCE_FACTOR = 1.000001
# Ordinary weights are about 1. If their mean is below this, they may be the reason for a noise at its lower bound.
_MIN_ORDINARY_MEAN_WEIGHT = 0.1


class HarmonicProcess:
    """A fitted process of a sum of harmonics; ``state`` holds arrays by name. It takes no covariates."""

    names = HYPERPARAMETERS
    method = "harmonics"

    def __init__(self, state: dict[str, Any], values: dict[str, float], n_jobs: int | None, verbose: bool | None):
        self.state, self.values, self.n_jobs, self.verbose = state, values, n_jobs, verbose

    @classmethod
    def fit(
        cls,
        data: TrainingData,
        given: Given,
        before: dict[str, Any] | None,
        *,
        max_degree: int,
        normalize_y: bool,
        n_jobs: int | None,
        verbose: bool | None,
    ) -> "HarmonicProcess":
        """Find the hyperparameters and the weights of the harmonics; ``before`` is the state of earlier parts."""
        with blas_threads_for((max_degree + 1) ** 2):
            sums = _sums(data, max_degree, before)
            mean, scale = sums.mean_and_scale()
            # Without normalize_y, the prior mean is zero in the units of y.
            if not normalize_y:
                mean, scale = np.zeros_like(mean), np.ones_like(scale)
            evidence = Evidence(sums, mean, scale)
            # With one observation and an unknown mean, the mean equals the observation: nothing is left to learn from.
            searched = sums.n_observations > int(normalize_y)
            values = _search(evidence, given, normalize_y) if searched else _start(given)
            posterior = _posterior_at(evidence, values)
            value = evidence(matern_kernel(values), values["noise"])[0]
        state = {"value": value, "mean": mean, "scale": scale, "sums": sums._asdict(), "posterior": posterior._asdict()}
        process = cls(state, values, n_jobs, verbose)
        _warn_truncated_kernel(values, max_degree, process.truncation())
        if given["noise"] is None:
            _warn_noise_at_bound(values["noise"], sums.mean_weight())
        return process

    @property
    def value(self) -> float:
        """The logarithm of the likelihood of the hyperparameters."""
        return float(self.state["value"])

    def mean(self) -> FloatArray:
        """The mean (T,) of the field, in units of y."""
        return np.asarray(self.state["mean"])

    @property
    def sums(self) -> ObservationSums:
        """The sums of the observations."""
        return ObservationSums(**self.state["sums"])

    @property
    def n_observations(self) -> int:
        """Number of observations so far."""
        return self.sums.n_observations

    def attributes(self) -> dict[str, Any]:
        """The fitted attributes that this method alone has."""
        return {
            "spectrum_": matern_kernel(self.values).degrees(self._max_degree)[0],
            "truncation_error_": self.truncation(),
        }

    def truncation(self) -> float:
        """Share of the variance of the Matern field beyond the largest degree."""
        return matern_kernel(self.values).truncation(self._max_degree)

    def likelihood(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The logarithm of the likelihood at logarithms of the hyperparameters, and its gradient."""
        with blas_threads_for(len(self._posterior.factor)):
            evidence = Evidence(self.sums, self.state["mean"], self.state["scale"])
            values = dict(zip(HYPERPARAMETERS, np.exp(theta).tolist(), strict=True))
            return evidence(matern_kernel(values), values["noise"])

    def predict(
        self, places: Places, covariates: FloatArray | None, with_variance: bool
    ) -> tuple[FloatArray, FloatArray | None]:
        """Mean (n, T) of the field in units of y, and its variance (n, 1) of standardised targets."""
        posterior = self._posterior
        mean = self._map(places, in_units_of_y(posterior.mean, self.state["mean"], self.state["scale"]))
        # The variance is a map of harmonics, too.
        return mean, self._map(places, posterior.spread[np.newaxis]) if with_variance else None

    def covariance(self, places: Places, covariates: FloatArray | None) -> FloatArray:
        """Covariance (n, n) of the field of standardised targets."""
        latitude, longitude = points_in_degrees(places).T
        return covariance_at(self._posterior, latitude, longitude, self.n_jobs)

    def sample(
        self, places: Places, covariates: FloatArray | None, n_samples: int, rng: np.random.RandomState
    ) -> FloatArray:
        """Fields (n, T, n_samples) drawn given the data, in units of y."""
        with blas_threads_for(len(self._posterior.factor)):
            weights = draw_weights(self._posterior, n_samples, rng)
        weights = in_units_of_y(weights, self.state["mean"], self.state["scale"])
        # Rows of coefficients are ordered by target, then by sample, as the axes of the result are.
        values = self._map(places, weights.transpose(1, 0, 2).reshape(-1, weights.shape[2]))
        return values.reshape(len(values), -1, n_samples)

    @property
    def _posterior(self) -> Posterior:
        """The distribution of the weights of the harmonics, given the data."""
        return Posterior(**self.state["posterior"])

    @property
    def _max_degree(self) -> int:
        """The degree of the harmonics, from the size of their covariance."""
        return math.isqrt(len(self._posterior.factor)) - 1

    def _map(self, places: Places, coefficients: FloatArray) -> FloatArray:
        """The values (n, k) of sums of harmonics with coefficients (k, D) at places."""
        return map_at_places(places, coefficients, None, np.float64, n_jobs=self.n_jobs, verbose=self.verbose)


def _sums(data: TrainingData, max_degree: int, before: dict[str, Any] | None) -> ObservationSums:
    """Sums of the observations and of the earlier parts, with the same number subtracted from all targets."""
    places = data.points[:, 0], data.points[:, 1]
    if before is None:
        return ObservationSums.from_observations(places, data.targets, data.weight, max_degree)
    earlier = ObservationSums(**before["sums"])
    if earlier.target.shape[1] != (max_degree + 1) ** 2:
        raise ValueError(f"max_degree={max_degree!r} differs from that of the earlier parts: use fit to start anew.")
    sums = ObservationSums.from_observations(places, data.targets, data.weight, max_degree, earlier.shift)
    return earlier.merged_with(sums)


def _start(given: Given) -> dict[str, float]:
    """The hyperparameters where the search starts: ordinary values for those that are not given."""
    return {name: _START[name] if value is None else float(value) for name, value in given.items()}


def _search(evidence: Evidence, given: Given, normalize_y: bool) -> dict[str, float]:
    """The hyperparameters with the largest likelihood; those that are given keep their values."""
    values = _start(given)
    free = [name for name in HYPERPARAMETERS if given[name] is None]
    if not free:
        return values
    bounds = _BOUNDS | ({} if normalize_y else {"variance": (1e-5, _MAX_VARIANCE_NOT_STANDARDISED)})
    index = [HYPERPARAMETERS.index(name) for name in free]

    def at(theta: npt.ArrayLike) -> dict[str, float]:
        """All hyperparameters, from the logarithms of the free ones."""
        return values | dict(zip(free, np.exp(theta).tolist(), strict=True))

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        """The negative likelihood at logarithms of the free hyperparameters, and its gradient."""
        point = at(theta)
        value, gradient = evidence(matern_kernel(point), point["noise"])
        return -value, -gradient[index]

    start = np.log([values[name] for name in free])
    log_bounds: Any = np.log([bounds[name] for name in free])
    result = minimize(loss, start, (), "L-BFGS-B", True, bounds=log_bounds, options=_SEARCH_OPTIONS)
    # Status 1 is the limit of steps. After any other end, the likelihood is at its maximum within rounding errors.
    if result.status == 1:
        warn_caller(
            f"The search for hyperparameters stopped after {result.nit} steps: {result.message}. Give some of them.",
            ConvergenceWarning,
        )
    return at(result.x)


def matern_kernel(values: dict[str, float]) -> Matern:
    """The kernel of the hyperparameters."""
    return Matern(values["variance"], values["length_scale_km"] / EARTH_RADIUS_KM, values["smoothness"])


def _posterior_at(evidence: Evidence, values: dict[str, float]) -> Posterior:
    """The weights of the harmonics given the data; raises ValueError if the noise is too small for rounding."""
    try:
        return evidence.posterior(matern_kernel(values), values["noise"])
    except LinAlgError as error:
        raise ValueError(
            f"noise={values['noise']:.3g} is so small beside variance={values['variance']:.3g} and "
            f"{evidence.n_observations} observations that rounding errors decide the result: give a larger noise."
        ) from error


def _warn_truncated_kernel(values: dict[str, float], max_degree: Any, share: float) -> None:
    """Warn if the kernel has too large a ``share`` of its variance in degrees beyond ``max_degree``."""
    if share <= _MAX_TRUNCATION_SHARE:
        return
    # The needed degree does not depend on the variance.
    needed = matern_kernel(values | {"variance": 1.0}).degree_needed(_MAX_TRUNCATION_SHARE)
    cure = (
        f"max_degree={needed} leaves {_MAX_TRUNCATION_SHARE:.0%} beyond."
        if needed
        else "No feasible max_degree is enough."
    )
    warn_once_a_search(
        f"length_scale_km={values['length_scale_km']:.4g}, with smoothness={values['smoothness']:.3g}, is short for "
        f"max_degree={max_degree}: {share:.0%} of the variance of the Matern field lies beyond. {cure} Finer "
        "detail counts as noise. method='auto' has no such limit.",
        ResolutionWarning,
    )


def _warn_noise_at_bound(noise: float, mean_weight: float) -> None:
    """Warn if the search ended at a bound of the noise: the bound then decides how wide the intervals are.

    Weights far from 1, such as areas, are the usual reason: they need a noise beyond the bounds.
    """
    low, high = _BOUNDS["noise"]
    # With ordinary weights, a noise at its lower bound may be true: the data have no noise.
    at_low = mean_weight < _MIN_ORDINARY_MEAN_WEIGHT and noise <= low * _BOUND_TOLERANCE_FACTOR
    if at_low or noise * _BOUND_TOLERANCE_FACTOR >= high:
        warn_caller(
            f"noise_={noise:.3g} is at the end of its bounds {low:g} to {high:g}, and the mean weight is "
            f"{mean_weight:.3g}: noise is the variance of an observation of weight 1. Divide sample_weight by its "
            "mean, standardise y, or give the noise.",
            ConvergenceWarning,
        )
