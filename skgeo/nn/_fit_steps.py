"""The steps of ``fit`` that all estimators of networks share, as functions."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._validation import check_parameter, check_verbose, is_integer, is_real
from skgeo.nn._torch_state import find_device
from skgeo.nn._training import Samples, Settings, TrainingResult

__all__ = [
    "check_settings",
    "draw_seed",
    "has_validation",
    "keep_weighted",
    "read_settings",
    "split_samples",
    "store_result",
]


def check_settings(estimator: Any) -> None:
    """Check the parameters of the training. The device is not looked for, because another machine may lack it."""
    rate, decay, size = estimator.learning_rate, estimator.weight_decay, estimator.batch_size
    max_epochs, patience = estimator.max_epochs, estimator.patience
    check_parameter("learning_rate", rate, is_real(rate) and rate > 0, "a positive number")
    check_parameter("weight_decay", decay, is_real(decay) and decay >= 0, "a number, not negative")
    valid = size is None or (is_integer(size) and size >= 1)
    check_parameter("batch_size", size, valid, "a positive integer, or None for all samples at once")
    check_parameter("max_epochs", max_epochs, is_integer(max_epochs) and max_epochs >= 1, "a positive integer")
    valid = patience is None or (is_integer(patience) and patience >= 1)
    check_parameter("patience", patience, valid, "a positive integer, or None for no early stopping")
    share = estimator.validation_fraction
    check_parameter("validation_fraction", share, is_real(share) and 0 < share < 1, "a number between 0 and 1")
    for name, choices in {"keep": ("best", "last"), "dtype": ("float32", "float64")}.items():
        value = getattr(estimator, name)
        # The type is checked first: the comparison of an array with a text has no truth value.
        known = isinstance(value, str) and value in choices
        check_parameter(name, value, known, " or ".join(map(repr, choices)))
    check_verbose(estimator.verbose)
    check_parameter("device", estimator.device, isinstance(estimator.device, str), "the name of a device of torch")


def read_settings(estimator: Any, y: Any) -> Settings:
    """Check that y is given, and check the parameters of the training."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None: y should be a 1d array."
        )
    check_settings(estimator)
    # Raises ValueError if torch does not have the device.
    find_device(estimator.device)
    # Integers of numpy become int, because short integers would overflow in sums.
    return Settings(
        learning_rate=float(estimator.learning_rate),
        weight_decay=float(estimator.weight_decay),
        batch_size=estimator.batch_size and int(estimator.batch_size),
        max_epochs=int(estimator.max_epochs),
        patience=estimator.patience,
        keep=estimator.keep,
        dtype=estimator.dtype,
        device=estimator.device,
        verbose=estimator.verbose,
    )


def draw_seed(random_state: Any, rng: np.random.RandomState) -> int:
    """``random_state`` if it is an integer, else a seed drawn from the generator."""
    return int(random_state) if is_integer(random_state) else int(rng.randint(2**31 - 1))


def keep_weighted(
    inputs: npt.NDArray[Any], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Inputs and weights of the samples with a positive weight, and a mask (n,) that is True for these samples."""
    # A sample of weight zero is left out and not multiplied by zero, because its values may be NaN.
    kept = weight > 0.0
    if not kept.any():
        raise ValueError("sample_weight and the mask of X leave no sample: nothing can be learned.")
    return inputs[kept], kept, weight[kept]


def has_validation(X_val: Any, y_val: Any, sample_weight_val: Any = None) -> bool:
    """Whether the caller gave data to validate on. Refuses X_val without y_val, and the reverse."""
    if (X_val is None) != (y_val is None):
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"{missing} is None: expected both X_val and y_val, or neither.")
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val is given without X_val and y_val: expected all three, or none of them.")
    return X_val is not None


def split_samples(
    samples: Samples, fraction: float, rng: np.random.RandomState, min_held_out: int = 1
) -> tuple[Samples, Samples]:
    """Samples to learn from, and a random share of the samples to validate on."""
    n_samples = len(samples.inputs)
    if n_samples < 2:
        raise ValueError(
            f"X has {n_samples} sample (n_samples={n_samples}): none is left to validate on. Give X_val and y_val, "
            "or train without early stopping, patience=None."
        )
    # The first samples of the permutation are held out.
    order = rng.permutation(n_samples)
    # At least one sample is left to learn from.
    count = min(n_samples - 1, max(min_held_out, math.ceil(fraction * n_samples)))
    learned, held_out = (Samples(*(values[rows] for values in samples)) for rows in (order[count:], order[:count]))
    return learned, held_out


def store_result(estimator: Any, result: TrainingResult) -> None:
    """Set the fitted attributes. The losses follow the losses of earlier epochs if the training went on."""
    # fit has deleted weights_, so its curves begin anew. partial_fit has not, so its curves grow.
    before = estimator.loss_curve_ if hasattr(estimator, "weights_") else np.empty(0)
    # partial_fit continues with the moments of Adam.
    estimator.weights_, estimator._moments = result.weights, result.moments
    estimator.loss_curve_ = np.concatenate([before, result.losses])
    estimator.validation_loss_curve_ = np.asarray(result.validation_losses)
    estimator.n_epochs_ = len(estimator.loss_curve_)
    estimator.best_epoch_ = len(before) + result.epoch
