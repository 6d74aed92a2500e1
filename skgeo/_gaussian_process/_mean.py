"""The mean of a Gaussian process by covariates: linear and joint with the field, or any regressor by cross-fitting."""

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import _safe_indexing

from skgeo._base import LocationEstimator
from skgeo._gaussian_process._cross_fitting import (
    cross_fitted,
    fit_mean,
    predicted_trend,
    splits_of,
    weight_parameter,
)
from skgeo._gaussian_process._matern import MaternProcess
from skgeo._gaussian_process._observations import TrainingData
from skgeo._gaussian_process._process import Process, fit_process
from skgeo._input.columns import listed
from skgeo._input.covariates import (
    covariate_numbers,
    covariates_in_order,
    names_of,
    refuse_covariates,
)
from skgeo._typing import FloatArray
from skgeo._validation import check_parameter, is_integer, warn_caller
from skgeo._values_at_places import Places
from skgeo.exceptions import CoordinateError

_EXPECTED = "a DataFrame with the coordinates and the covariates, or an array (latitude, longitude, covariates)"


class CovariateEstimator(LocationEstimator):
    """An estimator whose X may have covariates beside the coordinates, for the mean of a field.

    ``mean`` is "constant" (there are no covariates), "linear" or a regressor; ``cv`` makes the folds of a regressor.
    """

    mean: Any
    cv: Any

    def _read_with_covariates(self, X: Any, *, reset: bool) -> tuple[Places, Any]:
        """The places of X, and its covariates; None if the mean is a constant. ``reset`` remembers the columns."""
        if reset:
            self._n_covariates = 0
        # After the fit the covariates of the fit count, even if the parameter has been changed.
        if self._mean_kind() == "constant" if reset else self._n_covariates == 0:
            try:
                return self._read(X, reset=reset), None
            except CoordinateError:
                refuse_covariates(X, self.coordinates)
                raise
        lacking = (
            f"X, a {type(X).__name__}, has no covariates for the mean: expected {_EXPECTED}; for a map, one row for "
            "each of its cells. Only mean='constant' needs no covariates."
        )
        places, split = self._read_table(X, lacking, reset=reset)
        args = self._covariate_names, self._n_covariates, type(self).__name__
        return places, split.covariates if reset else covariates_in_order(split.covariates, *args)

    def _mean_kind(self) -> str:
        """What the parameter ``mean`` is: "constant", "linear" or "regressor"."""
        return self.mean if isinstance(self.mean, str) else "regressor"

    def _with_covariates(self, data: TrainingData, covariates: Any) -> TrainingData:
        """The data with the covariates of their mean: those of X, or predictions of a regressor."""
        _forget(self, "mean_model_")
        if covariates is None:
            return data
        # Observations of weight zero may lack covariates.
        table = covariates if len(data.rows) == len(covariates) else _safe_indexing(covariates, data.rows)
        if self._mean_kind() == "linear":
            return data._replace(covariates=covariate_numbers(table, self._covariate_names))
        n_outputs = data.targets.shape[1]
        if n_outputs > 1:
            raise ValueError(
                f"y has {n_outputs} outputs, and mean={type(self.mean).__name__}(...) takes one: expected one "
                "estimator for each output, or mean='linear'."
            )
        if not data.flat:
            # These words are those of scikit-learn.
            warn_caller(
                "A column-vector y was passed when a 1d array was expected: predictions have shape (n_samples,).",
                DataConversionWarning,
            )
            data = data._replace(flat=True)
        weight_name = weight_parameter(self.mean, data.weight)
        splits = splits_of(self.cv, data, len(covariates))
        trend = cross_fitted(self.mean, weight_name, splits, table, data)
        self.mean_model_ = fit_mean(self.mean, weight_name, table, data, np.arange(len(data.rows)))
        return data._replace(covariates=trend)

    def _fit_process(self, data: TrainingData, before: dict[str, Any] | None) -> Process:
        """The process, fitted on these observations and earlier ones. A trend that does not rise with y is left out."""
        process = fit_process(self, data, before)
        if not hasattr(self, "mean_model_") or not isinstance(process, MaternProcess):
            return process
        # A model that knows nothing predicts the mean of the other folds. This mean is high if the tested fold is low.
        if process.coefficients()[0] > 0.0:
            return process
        warn_caller(
            f"Predictions of mean={type(self.mean).__name__}(...) for observations of other folds do not rise with y: "
            "the mean of the field leaves them out. Use mean='constant', other covariates or another regressor.",
            UserWarning,
        )
        # A column of zeros is left out of the design.
        return fit_process(self, data._replace(covariates=np.zeros_like(data.covariates)), before)

    def _read_new(self, X: Any) -> tuple[Places, FloatArray | None]:
        """Places of X, and the covariates (n, p) of the mean: those of X, predictions of a regressor, or None."""
        places, covariates = self._read_with_covariates(X, reset=False)
        if covariates is None:
            return places, None
        if not hasattr(self, "mean_model_"):
            return places, covariate_numbers(covariates, self._covariate_names)
        return places, predicted_trend(self.mean_model_, covariates)

    def _store_coefficients(self, process: Process, *, flat: bool) -> None:
        """Set the attributes of a mean with covariates; warn of covariates that were left out."""
        _forget(self, "coef_", "coef_std_", "intercept_")
        if not self._n_covariates or not isinstance(process, MaternProcess):
            return
        found = process.coefficients()
        self.coef_, self.coef_std_, self.intercept_ = (part[0] if flat else part for part in found)
        left_out = np.flatnonzero(np.isnan(found[1]).all(axis=0))
        if left_out.size and not hasattr(self, "mean_model_"):
            warn_caller(
                f"The covariates {listed(names_of(left_out, self._covariate_names))} are constant, or linear "
                "combinations of the covariates before them: they are left out, with coefficients of zero. Drop them.",
                UserWarning,
            )

    def _check_mean(self, method: str) -> None:
        """Raise ValueError unless the parameters of the mean are valid."""
        mean, cv = self.mean, self.cv
        valid = mean in ("constant", "linear") if isinstance(mean, str) else _is_regressor(mean)
        check_parameter("mean", mean, valid, "'constant', 'linear' or a regressor")
        if self._mean_kind() != "constant" and method == "harmonics":
            raise ValueError("method='harmonics' takes mean='constant' only: expected another method.")
        splits = not isinstance(cv, str | float) and (hasattr(cv, "split") or hasattr(cv, "__iter__"))
        valid = cv is None or splits or (is_integer(cv) and cv >= 2)
        check_parameter("cv", cv, valid, "None, an integer, at least 2, a splitter, or an iterable of splits")

    def _learns_in_parts(self) -> bool:
        """Whether there is ``partial_fit``: raises AttributeError for a regressor as mean."""
        if self._mean_kind() == "regressor":
            raise AttributeError("partial_fit with a regressor as mean: expected 'constant' or 'linear'. Use fit.")
        return True

    def _check_resumed_mean(self) -> None:
        """Raise ValueError if the mean is another than that of the earlier parts."""
        if (self._mean_kind() == "linear") != bool(self._n_covariates):
            raise ValueError(f"mean={self.mean!r} differs from that of the earlier parts: use fit to start anew.")


def _forget(model: Any, *names: str) -> None:
    """Remove attributes that an earlier fit may have set."""
    for name in names:
        if hasattr(model, name):
            delattr(model, name)


def _is_regressor(mean: Any) -> bool:
    """Whether the value is an estimator that predicts, and no class of estimators and no classifier."""
    predicts = not isinstance(mean, type) and hasattr(mean, "fit") and hasattr(mean, "predict")
    return predicts and not is_classifier(mean)
