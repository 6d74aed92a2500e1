"""The process of a method: made by a fit, or from the attributes of a fitted estimator."""

from typing import Any

from skgeo._gaussian_process._harmonics import HarmonicProcess
from skgeo._gaussian_process._matern import MaternProcess
from skgeo._gaussian_process._observations import HYPERPARAMETERS, TrainingData

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
