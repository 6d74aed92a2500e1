"""The checks, the search for hyperparameters and the warnings of a fit of a Gaussian process."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, check_random_state

from skgeo._callers import warn_once_a_search
from skgeo._input.coordinates import masked_to_nan
from skgeo._kernels.harmonic_gp import Evidence, Matern, ObservationSums, Posterior
from skgeo._typing import FloatArray
from skgeo._validation import (
    MAX_SQUARABLE,
    MIN_SQUARABLE,
    check_flag,
    check_magnitude,
    check_parameter,
    is_integer,
    is_real,
    warn_caller,
)
from skgeo.exceptions import ResolutionWarning

#: The hyperparameters, in the order of the gradient of the likelihood.
HYPERPARAMETERS = ("variance", "length_scale", "smoothness", "noise")

Bounds = tuple[float, float] | str
Objective = Callable[[FloatArray], tuple[float, FloatArray]]

# Ranges of values for which nothing overflows. Lengths are in degrees.
_RANGES = dict.fromkeys(HYPERPARAMETERS, (MIN_SQUARABLE, MAX_SQUARABLE)) | {
    "length_scale": (1e-6, 1e6),
    "smoothness": (1e-3, 1e3),
}
# Beyond this share of the variance in degrees above max_degree, the truncated kernel is no longer a Matern kernel.
_MAX_TRUNCATION_SHARE = 0.1
# L-BFGS-B stops when a step improves the likelihood by less than this share, or when the slopes are this small.
_SEARCH_OPTIONS: Any = {"ftol": 1e-11, "gtol": 1e-6}
# A noise within this factor of an end of its bounds is at this end.
_BOUND_TOLERANCE_FACTOR = 1.000001
# Ordinary weights are about 1. If their mean is below this, they may be the reason for a noise at its lower bound.
_MIN_ORDINARY_MEAN_WEIGHT = 0.1


class HyperparameterSearch:
    """The search for the hyperparameters of an estimator, with the settings that the estimator has as parameters."""

    def __init__(self, estimator: Any) -> None:
        self.given = {name: getattr(estimator, name) for name in HYPERPARAMETERS}
        self.bounds = {name: getattr(estimator, f"{name}_bounds") for name in HYPERPARAMETERS}
        # Standardised targets have a variance of 1: the field cannot vary much more where the data are.
        if self.bounds["variance"] is None:
            self.bounds["variance"] = (1e-5, 10.0 if estimator.normalize_y else 1e5)
        self.normalize_y = estimator.normalize_y
        self.optimizer = estimator.optimizer
        self.n_restarts = estimator.n_restarts_optimizer
        self.random_state = estimator.random_state

    @property
    def free(self) -> list[str]:
        """Names of the hyperparameters whose bounds are not "fixed": the search looks for these."""
        return [name for name in HYPERPARAMETERS if not isinstance(self.bounds[name], str)]

    def check(self) -> None:
        """Raise ValueError unless all settings are valid."""
        check_flag("normalize_y", self.normalize_y)
        for name in HYPERPARAMETERS:
            _check_hyperparameter(name, self.given[name], self.bounds[name])
        known = self.optimizer is None or callable(self.optimizer)
        known = known or (isinstance(self.optimizer, str) and self.optimizer == "fmin_l_bfgs_b")
        check_parameter("optimizer", self.optimizer, known, "'fmin_l_bfgs_b', a callable or None")
        valid = is_integer(self.n_restarts) and self.n_restarts >= 0
        check_parameter("n_restarts_optimizer", self.n_restarts, valid, "an integer, not negative")

    def run(self, evidence: Evidence) -> tuple[dict[str, float], FloatArray]:
        """All hyperparameters of the largest likelihood, and the logarithms of the free ones.

        Without an optimizer, these are the given values.
        """
        values = {name: float(value) for name, value in self.given.items()}
        start = np.log([values[name] for name in self.free])
        if self.optimizer is None:
            return values, start
        theta = self._maximise(evidence, values, start) if self.free else start
        return values | hyperparameters_at(self.free, theta), theta

    def _maximise(self, evidence: Evidence, values: dict[str, float], start: FloatArray) -> FloatArray:
        """The best end of several searches: one from the start, the others from random places within the bounds."""
        free = self.free
        log_bounds = np.log([self.bounds[name] for name in free])

        def objective(theta: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = log_likelihood(evidence, values | hyperparameters_at(free, theta), free)
            return -value, -gradient

        rng = check_random_state(self.random_state)
        starts = [start, *(rng.uniform(*log_bounds.T) for _ in range(int(self.n_restarts)))]
        optima = [self._minimise(objective, begin, log_bounds) for begin in starts]
        return np.asarray(min(optima, key=lambda optimum: optimum[1])[0], dtype=np.float64)

    def _minimise(self, objective: Objective, start: FloatArray, bounds: Any) -> tuple[FloatArray, float]:
        """The minimum of the objective that one start leads to, and the objective there."""
        if callable(self.optimizer):
            theta, value = self.optimizer(objective, start, bounds=bounds)
            return np.asarray(theta, dtype=np.float64), float(value)
        result = minimize(objective, start, (), "L-BFGS-B", True, bounds=bounds, options=_SEARCH_OPTIONS)
        # Status 1 is the limit of steps. Any other end is a maximum to rounding: the likelihood rises no further.
        if result.status == 1:
            warn_caller(
                f"The search for hyperparameters stopped after {result.nit} steps: {result.message}. Give starting "
                "values or narrower bounds.",
                ConvergenceWarning,
            )
        return np.asarray(result.x, dtype=np.float64), float(result.fun)

    def warn_noise_at_bound(self, noise: float, mean_weight: float) -> None:
        """Warn if the search ended at a bound of the noise: the bound then decides how wide the intervals are.

        Weights far from 1, such as areas, are the usual reason: they need a noise beyond the default bounds.
        """
        if self.optimizer is None or "noise" not in self.free:
            return
        bounds = self.bounds["noise"]
        low, high = np.array(bounds, dtype=np.float64).tolist()
        # With ordinary weights, a noise at its lower bound may be true: the data have no noise.
        at_low = mean_weight < _MIN_ORDINARY_MEAN_WEIGHT and noise <= low * _BOUND_TOLERANCE_FACTOR
        if at_low or noise * _BOUND_TOLERANCE_FACTOR >= high:
            warn_caller(
                f"noise_={noise:.3g} is at the end of noise_bounds={bounds!r}, and the mean weight is "
                f"{mean_weight:.3g}: noise is the variance of an observation of weight 1. Divide sample_weight by its "
                "mean, standardise y, or widen the bounds.",
                ConvergenceWarning,
            )


def _check_hyperparameter(name: str, value: Any, bounds: Any) -> None:
    """Raise ValueError unless a hyperparameter is in its range, and its bounds are a pair around it or "fixed"."""
    check_parameter(name, value, is_real(value) and value > 0, "a positive number")
    low, high = _RANGES[name]
    check_parameter(name, value, low <= float(value) <= high, f"a number from {low:g} to {high:g}")
    if isinstance(bounds, str):
        check_parameter(f"{name}_bounds", bounds, bounds == "fixed", "'fixed' or a pair of positive numbers")
        return
    pair = isinstance(bounds, tuple | list | np.ndarray) and len(bounds) == 2 and all(is_real(end) for end in bounds)
    valid = pair and 0 < bounds[0] <= value <= bounds[1]
    check_parameter(f"{name}_bounds", bounds, valid, f"'fixed' or positive (low, high) around {name}={value!r}")
    within = low <= float(bounds[0]) and float(bounds[1]) <= high
    check_parameter(f"{name}_bounds", bounds, within, f"numbers from {low:g} to {high:g}")


def hyperparameters_at(names: list[str], theta: npt.ArrayLike) -> dict[str, float]:
    """Hyperparameters with these names from their logarithms."""
    return dict(zip(names, np.exp(theta).tolist(), strict=True))


def matern_kernel(values: dict[str, float]) -> Matern:
    """The kernel of the hyperparameters, whose length scale is in degrees."""
    return Matern(values["variance"], math.radians(values["length_scale"]), values["smoothness"])


def log_likelihood(evidence: Evidence, values: dict[str, float], free: list[str]) -> tuple[float, FloatArray]:
    """The logarithm of the likelihood, and its gradient for the logarithms of the free hyperparameters."""
    value, gradient = evidence(matern_kernel(values), values["noise"])
    return value, gradient[[HYPERPARAMETERS.index(name) for name in free]]


def posterior_at(evidence: Evidence, values: dict[str, float]) -> Posterior:
    """The weights of the harmonics given the data; raises ValueError if the noise is too small for rounding."""
    try:
        return evidence.posterior(matern_kernel(values), values["noise"])
    except LinAlgError as error:
        raise ValueError(
            f"noise={values['noise']:.3g} is so small beside variance={values['variance']:.3g} and "
            f"{evidence.n_observations} observations that rounding decides: give a larger noise, or a larger lower end "
            "of noise_bounds."
        ) from error


def warn_truncated_kernel(values: dict[str, float], max_degree: Any, share: float) -> None:
    """Warn if the kernel has too large a ``share`` of its variance in degrees beyond ``max_degree``."""
    if share <= _MAX_TRUNCATION_SHARE:
        return
    # The needed degree does not depend on the variance.
    needed = matern_kernel(values | {"variance": 1.0}).degree_needed(_MAX_TRUNCATION_SHARE)
    cure = (
        f"max_degree={needed} leaves {_MAX_TRUNCATION_SHARE:.0%}; else"
        if needed
        else "No degree that is feasible is enough:"
    )
    warn_once_a_search(
        f"length_scale={values['length_scale']:.3g} degrees, with smoothness={values['smoothness']:.3g}, is short for "
        f"max_degree={max_degree}: {share:.0%} of the variance of the Matern field lies beyond. {cure} detail that is "
        "finer is taken for noise.",
        ResolutionWarning,
    )


def read_theta(theta: npt.ArrayLike, free: list[str]) -> FloatArray:
    """Logarithms of the free hyperparameters, as floats; raises ValueError unless all numbers of them are usable."""
    point = np.asarray(theta, dtype=np.float64)
    if point.shape != (len(free),):
        names = ", ".join(free) or "none is free"
        raise ValueError(f"theta has shape {point.shape}: expected ({len(free)},), the logarithms of {names}.")
    within = bool(np.all(np.abs(point) <= math.log(MAX_SQUARABLE)))
    check_parameter("theta", theta, within, f"logarithms of numbers from {MIN_SQUARABLE:g} to {MAX_SQUARABLE:g}")
    return point


def sum_observations(
    points: FloatArray,
    weight: FloatArray,
    y: Any,
    shape: tuple[int, ...] | None,
    max_degree: int,
    before: ObservationSums | None,
) -> tuple[ObservationSums, bool]:
    """Sums of the observations with positive weight, and whether y has no axis for outputs.

    ``shape`` is the shape of the grid, if X is one. The targets are shifted as those of the earlier parts ``before``
    are, so that the sums of all parts add up.
    """
    kept = weight > 0.0
    if not kept.any():
        raise ValueError("sample_weight and the mask of X leave no observation: nothing can be learned.")
    target, flat = _read_target(y, shape, kept)
    latitude, longitude = points[kept].T
    shift = None if before is None else before.shift
    if before is not None:
        if before.shift.size != target.shape[1]:
            raise ValueError(f"y has {target.shape[1]} outputs: expected {before.shift.size}, as at first.")
        if before.target.shape[1] != (int(max_degree) + 1) ** 2:
            raise ValueError(
                f"max_degree={max_degree!r} differs from that of the earlier parts: use fit to start anew."
            )
    return ObservationSums.from_observations((latitude, longitude), target, weight[kept], int(max_degree), shift), flat


def _read_target(
    y: Any, shape: tuple[int, ...] | None, kept: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], bool]:
    """Targets (n, T) of the observations that count, and whether y has no axis for outputs.

    ``shape`` is the shape of the grid, if X is one: y may have it, too.
    """
    # check_array reads the values under a mask, too: make them NaN first.
    y = masked_to_nan(y)
    target = check_array(y, ensure_2d=False, allow_nd=True, dtype=np.float64, ensure_all_finite=False, input_name="y")
    if shape is not None and target.shape == shape:
        target = target.ravel()
    if target.ndim > 2:
        raise ValueError(f"y has shape {target.shape}: expected (n_samples,) or (n_samples, n_outputs).")
    check_consistent_length(kept, target)
    # Observations of weight zero may be missing.
    assert_all_finite(target[kept], input_name="y")
    check_magnitude("y", target[kept])
    return target[kept].reshape(np.count_nonzero(kept), -1), target.ndim == 1
