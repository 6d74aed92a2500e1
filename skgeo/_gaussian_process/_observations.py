"""The observations and the hyperparameters that a user gives, checked."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import assert_all_finite, check_array, check_consistent_length

from skgeo._input.coordinates import masked_to_nan
from skgeo._input.numbers import detached
from skgeo._kernels.matern import SMOOTHNESS_RANGE
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._places import points_with_weights
from skgeo._typing import FloatArray, Integers
from skgeo._validation import (
    MAX_SQUARABLE,
    MIN_SQUARABLE,
    check_parameter,
    check_squarable,
    is_real,
)
from skgeo._values_at_places import Places

EARTH_RADIUS_KM = EARTH_RADIUS / 1000.0

#: The hyperparameters, in the order of ``theta``.
HYPERPARAMETERS = ("variance", "length_scale_km", "smoothness", "noise")
# Ranges of values for which nothing overflows.
_RANGES = dict.fromkeys(HYPERPARAMETERS, (MIN_SQUARABLE, MAX_SQUARABLE)) | {
    "length_scale_km": (1e-4, 1e8),
    "smoothness": SMOOTHNESS_RANGE,
}

# Hyperparameters by name. None stands for a value that the fit has to find.
Given = dict[str, float | None]


class TrainingData(NamedTuple):
    """Observations of positive weight: places (n, 2) in degrees, targets (n, T) and weights (n,).

    ``flat`` is True if y has no axis for targets. ``rows`` (n,) are the rows of the observations in X. ``covariates``
    (n, p) are the columns of the mean.
    """

    points: FloatArray
    targets: FloatArray
    weight: FloatArray
    flat: bool
    rows: Integers
    covariates: FloatArray | None = None


def read_observations(places: Places, y: Any, sample_weight: npt.ArrayLike | None) -> TrainingData:
    """The observations that count, from places, targets and weights; raises ValueError if there are none."""
    points, weight = points_with_weights(places, sample_weight)
    kept = weight > 0.0
    if not kept.any():
        raise ValueError("sample_weight and the mask of X leave no observation: nothing can be learned.")
    targets, flat = _read_target(y, getattr(places, "shape", None), kept)
    return TrainingData(points[kept], targets, weight[kept], flat, np.flatnonzero(kept))


def _read_target(
    y: Any, shape: tuple[int, ...] | None, kept: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], bool]:
    """Targets (n, T) of the observations that count, and whether y has no axis for targets.

    ``shape`` is the shape of the grid, if X is one: y may have it, too.
    """
    # check_array reads the values under a mask, too: make them NaN first.
    y = masked_to_nan(detached(y))
    target = check_array(y, ensure_2d=False, allow_nd=True, dtype=np.float64, ensure_all_finite=False, input_name="y")
    if shape is not None and target.shape == shape:
        target = target.ravel()
    if target.ndim > 2:
        raise ValueError(f"y has shape {target.shape}: expected (n_samples,) or (n_samples, n_outputs).")
    check_consistent_length(kept, target)
    # Observations of weight zero may be missing.
    assert_all_finite(target[kept], input_name="y")
    check_squarable("y", target[kept])
    return target[kept].reshape(np.count_nonzero(kept), -1), target.ndim == 1


def check_hyperparameters(given: dict[str, Any], *, zero_noise: bool) -> None:
    """Raise ValueError unless each hyperparameter is None or in its range; ``zero_noise`` allows a noise of 0."""
    for name, value in given.items():
        low, high = _RANGES[name]
        if value is None or (zero_noise and name == "noise" and is_real(value) and value == 0):
            continue
        kind = "a number, not negative" if zero_noise and name == "noise" else "a positive number"
        check_parameter(name, value, is_real(value) and value > 0, f"None or {kind}")
        check_parameter(name, value, low <= float(value) <= high, f"None or a number from {low:g} to {high:g}")


def read_theta(theta: npt.ArrayLike, names: tuple[str, ...]) -> FloatArray:
    """Logarithms of the named hyperparameters as floats; raises ValueError unless all of them are usable."""
    point = np.asarray(theta, dtype=np.float64)
    if point.shape != (len(names),):
        raise ValueError(
            f"theta has shape {point.shape}: expected ({len(names)},), the logarithms of {', '.join(names)}."
        )
    for name, value in zip(names, point.tolist(), strict=True):
        low, high = np.log(_RANGES[name]).tolist()
        text = f"logarithms of numbers from {_RANGES[name][0]:g} to {_RANGES[name][1]:g} for {name}"
        check_parameter("theta", theta, low <= value <= high, text)
    return point
