"""The process of a method: made by a fit, or from the attributes of a fitted estimator."""

from typing import Any

from skgeo._gaussian_process._harmonics import HarmonicProcess
from skgeo._gaussian_process._matern import MaternProcess
from skgeo._gaussian_process._observations import HYPERPARAMETERS, TrainingData, check_hyperparameters
from skgeo._validation import check_degree, check_flag, check_n_jobs, check_parameter, is_integer

_METHODS = ("auto", "exact", "neighbours", "harmonics")
Process = HarmonicProcess | MaternProcess


def fit_process(model: Any, data: TrainingData, before: dict[str, Any] | None) -> Process:
    """The process of the estimator's method, fitted on these observations and those of the state ``before``."""
    given = {name: getattr(model, name) for name in HYPERPARAMETERS}
    options: dict[str, Any] = {
        "normalize_y": bool(model.normalize_y),
        "n_jobs": model.n_jobs,
        "verbose": model.verbose,
    }
    if model.method == "harmonics":
        return HarmonicProcess.fit(data, given, before, max_degree=int(model.max_degree), **options)
    return MaternProcess.fit(data, given, before, method=model.method, n_neighbors=int(model.n_neighbors), **options)


def fitted_process(model: Any) -> Process:
    """The process of a fitted estimator."""
    values = {name: getattr(model, f"{name}_") for name in HYPERPARAMETERS}
    if model.method_ == "harmonics":
        return HarmonicProcess(model._state, values, model.n_jobs, model.verbose)
    return MaternProcess(
        model._state,
        values,
        exact=model.method_ == "exact",
        n_neighbors=int(model.n_neighbors),
        n_jobs=model.n_jobs,
        verbose=model.verbose,
    )


def check_options(model: Any) -> None:
    """Raise ValueError unless the parameters of an estimator that fit its process are valid."""
    known = isinstance(model.method, str) and model.method in _METHODS
    check_parameter("method", model.method, known, "'auto', 'exact', 'neighbours' or 'harmonics'")
    given = {name: getattr(model, name) for name in HYPERPARAMETERS}
    check_hyperparameters(given, zero_noise=model.method != "harmonics")
    valid = is_integer(model.n_neighbors) and model.n_neighbors >= 1
    check_parameter("n_neighbors", model.n_neighbors, valid, "an integer, at least 1")
    check_degree(model.max_degree)
    check_flag("normalize_y", model.normalize_y)
    check_n_jobs(model.n_jobs)


def check_resumed(model: Any, data: TrainingData) -> None:
    """Raise ValueError unless a part of the data fits the earlier parts of a fitted estimator."""
    n_before = model._state["mean"].size
    if data.targets.shape[1] != n_before:
        raise ValueError(f"y has {data.targets.shape[1]} outputs: expected {n_before}, as in the earlier parts.")
    if (model.method == "harmonics") != (model.method_ == "harmonics"):
        raise ValueError(
            f"method={model.method!r} differs from that of the earlier parts, {model.method_!r}: use fit to start anew."
        )
