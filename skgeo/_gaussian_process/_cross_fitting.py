"""A regressor as mean of a Gaussian process: fitted on folds, it predicts each observation from the others."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skgeo._gaussian_process._observations import TrainingData
from skgeo._input.columns import listed
from skgeo._input.covariates import ENCODE, columns_without_numbers
from skgeo._typing import FloatArray
from skgeo._validation import is_integer, warn_caller

# Folds in which a regressor predicts the observations, if ``cv`` is None.
_N_FOLDS = 5

# Training and test rows of a fold.
Split = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def cross_fitted(
    mean: Any, weight_name: str | None, splits: list[Split], covariates: Any, data: TrainingData
) -> FloatArray:
    """Predictions (n, 1) for each observation from models that were fitted without it, on other folds.

    Predictions of a model for its own training data are too good: a random forest predicts nearly y itself. The
    residuals would be too small, and so would the variance of the field and the intervals.
    """
    n = len(data.targets)
    total, count = np.zeros((n, 1)), np.zeros((n, 1))
    for train, test in splits:
        model = fit_mean(mean, weight_name, covariates, data, train)
        total[test] += predicted_trend(model, _safe_indexing(covariates, test))
        count[test] += 1.0
    if not count.all():
        raise ValueError(
            f"cv tests {np.count_nonzero(count)} of {n} observations: expected folds that test each of them."
        )
    return np.asarray(total / count)


def predicted_trend(model: Any, covariates: Any) -> FloatArray:
    """Predictions (n, 1) of a fitted regressor; raises ValueError if some are no numbers."""
    found = np.asarray(model.predict(covariates), dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"mean={type(model).__name__}(...) predicts NaN or infinity for some of the rows.")
    return found.reshape(len(found), 1)


def splits_of(cv: Any, data: TrainingData, n_rows: int) -> list[Split]:
    """Numbers of the observations that each fold trains on and tests; X has ``n_rows`` rows."""
    n = len(data.targets)
    if n < 2:
        raise ValueError("A regressor as mean needs folds, and there is 1 sample: expected two or more.")
    if cv is None or is_integer(cv):
        # Rows of a table are often sorted by place or time: shuffle.
        cv = KFold(min(n, _N_FOLDS if cv is None else int(cv)), shuffle=True, random_state=0)
    if hasattr(cv, "split"):
        return list(cv.split(data.points, data.targets[:, 0]))
    # An iterable of splits has numbers of rows of X. Rows of weight zero are no observations.
    number = np.full(n_rows, -1, dtype=np.intp)
    number[data.rows] = np.arange(n)
    splits = [tuple(rows[rows >= 0] for rows in (number[train], number[test])) for train, test in cv]
    return [(train, test) for train, test in splits if test.size]


def fit_mean(
    mean: Any, weight_name: str | None, covariates: Any, data: TrainingData, rows: npt.NDArray[np.intp]
) -> Any:
    """A clone of the regressor, fitted on some of the observations; ``weight_name`` is a parameter of its ``fit``."""
    model, table = clone(mean), _safe_indexing(covariates, rows)
    options = {} if weight_name is None else {weight_name: data.weight[rows]}
    try:
        return model.fit(table, data.targets[rows, 0], **options)
    except (TypeError, ValueError) as error:
        texts = columns_without_numbers(table)
        if not texts:
            raise
        raise ValueError(
            f"mean={type(mean).__name__}(...) cannot be fitted: {error}. The covariates {listed(texts)} hold no "
            f"numbers. {ENCODE}"
        ) from error


def weight_parameter(model: Any, weight: FloatArray) -> str | None:
    """The parameter of ``fit`` for the weights of a regressor, or of the last step of a Pipeline.

    None if all weights are equal. None with a warning if there is no such parameter.
    """
    if (weight == weight[0]).all():
        return None
    last = model.steps[-1] if isinstance(model, Pipeline) else None
    if get_config()["enable_metadata_routing"] and last is not None:
        if get_routing_for_object(model).consumes("fit", ["sample_weight"]):
            return "sample_weight"
    elif has_fit_parameter(model if last is None else last[1], "sample_weight"):
        return "sample_weight" if last is None else f"{last[0]}__sample_weight"
    warn_caller(
        f"mean={type(model).__name__}(...) takes no sample_weight: it is fitted without weights.",
        UserWarning,
    )
    return None
