"""The labels of a Gaussian process classifier, checked."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_consistent_length, column_or_1d

from skgeo._typing import FloatArray
from skgeo._validation import warn_caller

# Weights with a mean outside of these numbers are probably no numbers of observations.
_ORDINARY_MEAN_WEIGHT = (0.01, 100.0)
# Outside of these numbers, rounding errors decide the result.
_MEAN_WEIGHT_RANGE = (1e-6, 1e6)


def flat_labels(y: Any, shape: tuple[int, ...] | None, kept: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """The labels (n,) of positive weight. If X is a grid, y may have the ``shape`` of the grid."""
    masked = np.ma.getmaskarray(y).ravel() if isinstance(y, np.ma.MaskedArray) else None
    labels = np.asarray(y)
    labels = labels.ravel() if shape is not None and labels.shape == shape else column_or_1d(labels, warn=True)
    check_consistent_length(kept, labels)
    if masked is not None and masked[kept].any():
        raise ValueError("y is masked where weights are positive: give these samples the weight 0, or a class.")
    return np.asarray(labels[kept])


def check_mean_weight(weight: FloatArray) -> None:
    """Warn of weights that are hardly numbers of observations, such as areas; raise ValueError for extreme ones."""
    low, high = _MEAN_WEIGHT_RANGE
    mean = float(weight.mean())
    if not low <= mean <= high:
        raise ValueError(
            f"sample_weight has a mean of {mean:.3g}: expected from {low:g} to {high:g}, because a label of weight w "
            "counts as w labels. Divide the weights by their mean."
        )
    low, high = _ORDINARY_MEAN_WEIGHT
    if not low <= mean <= high:
        warn_caller(
            f"sample_weight has a mean of {mean:.3g}: a label of weight w counts as w labels. Divide the weights by "
            "their mean if they are meant relative to each other.",
            UserWarning,
        )
