"""Checks of the targets that models learn, and weights of classes."""

from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from skgeo._validation import check_parameter, check_squarable

__all__ = ["check_known", "class_weights", "read_classes", "read_values"]


def read_classes(y: Any, name: str) -> npt.NDArray[Any]:
    """Classes (n,) of one type, none of them missing."""
    target = column_or_1d(y, warn=True)
    if target.dtype == object:
        target = _of_one_type(target, name)
    assert_all_finite(target, input_name=name)
    check_classification_targets(target)
    return target


def read_values(y: Any, name: str) -> npt.NDArray[np.float64]:
    """Finite numbers (n,) or (n, n_outputs)."""
    values = np.asarray(y)
    if values.ndim == 0:
        raise ValueError(f"{name}={y!r}: expected an array of shape (n_samples,) or (n_samples, n_outputs).")
    if values.ndim > 2:
        raise ValueError(f"{name} has shape {values.shape}: expected (n_samples,) or (n_samples, n_outputs).")
    # numpy would convert text and dates to numbers, and drop the imaginary part: refuse them by their kind.
    refused = values.ravel()[:1].tolist() if values.dtype.kind in "SUmMc" else []
    if values.dtype == object:
        refused = [value for value in values.flat if isinstance(value, str | bytes | complex)][:1]
    if refused:
        complex_ = "Complex data not supported, " if isinstance(refused[0], complex) else ""
        raise ValueError(
            f"{name} holds {refused[0]!r}: {complex_}expected numbers. Classes are for a classifier; convert dates and "
            "numbers that are text first."
        )
    target: npt.NDArray[np.float64] = check_array(y, ensure_2d=False, dtype=np.float64, input_name=name)
    check_squarable(name, target)
    return target


def check_known(target: npt.NDArray[Any], classes: npt.NDArray[Any], name: str) -> None:
    """Refuse targets that are not among the classes, such as the text "1" if the classes are integers."""
    # Python compares values of different types as unequal, where numpy would convert one of them.
    known = set(classes.tolist())
    unknown = [value for value in np.unique(target).tolist() if value not in known]
    if unknown:
        raise ValueError(f"{name} has the class {unknown[0]!r}, which is none of {_listed(classes)}.")


def class_weights(
    value: Any, classes: npt.NDArray[Any], target: npt.NDArray[Any], weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Weights (n_classes,) whose weighted mean over the samples is one.

    "balanced" counts samples by their weights: a sample of weight 2 counts as two samples of weight 1.
    """
    valid = value is None or isinstance(value, dict) or (isinstance(value, str) and value == "balanced")
    check_parameter("class_weight", value, valid, "None, 'balanced' or a dict of classes and weights")
    # Codes of the classes, which are sorted.
    codes = np.searchsorted(classes, target)
    if isinstance(value, str):
        # compute_class_weight takes sample weights from scikit-learn 1.7 on: older versions need this.
        total = np.bincount(codes, weights=weight, minlength=len(classes))
        weights = total.sum() / (len(classes) * total)
    else:
        weights = compute_class_weight(value, classes=classes, y=target).astype(np.float64)
    valid = bool(np.all(np.isfinite(weights) & (weights >= 0.0)))
    mean = np.average(weights[codes], weights=weight) if valid else 0.0
    check_parameter("class_weight", value, mean > 0.0, "weights that are finite, not negative, and not all zero")
    return weights / mean


def _of_one_type(target: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Classes from an array of Python objects. Text stays as it is; numbers become an array of numbers."""
    missing = np.flatnonzero([_is_missing(value) for value in target])
    if missing.size:
        raise ValueError(
            f"{name} has no class in {missing.size} samples, the first at {missing[0]}: {target[missing[0]]!r}. Input "
            f"{name} contains NaN or None: leave these samples out, or give them a class of their own."
        )
    if all(isinstance(value, str) for value in target):
        return target
    if not all(isinstance(value, Number) for value in target):
        kinds = sorted({type(value).__name__ for value in target})
        raise ValueError(f"{name} holds classes of type {' and '.join(kinds)}: expected text only, or numbers only.")
    return np.array(target.tolist())


def _is_missing(value: Any) -> bool:
    """Whether the value is None, NaN, or one of the missing values of pandas."""
    # The names of types recognise the missing values of pandas without an import. NaN is unequal to itself.
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _listed(classes: npt.NDArray[Any]) -> str:
    """Classes as text that fits on one line."""
    listed = classes.tolist()
    return repr(listed) if len(listed) <= 20 else f"the {len(listed)} classes {listed[0]!r} to {listed[-1]!r}"
