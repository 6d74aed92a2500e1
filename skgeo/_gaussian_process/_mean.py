"""The mean of a Gaussian process by covariates: linear and joint with the field, or any regressor by cross-fitting."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skgeo._base import LocationEstimator
from skgeo._gaussian_process._matern import MaternProcess
from skgeo._gaussian_process._observations import TrainingData
from skgeo._gaussian_process._process import Process, fit_process
from skgeo._input.columns import column_values, coordinate_columns, frame_columns, is_geometric, listed
from skgeo._input.coordinates import Points
from skgeo._input.numbers import as_numbers, format_rows
from skgeo._places import is_table
from skgeo._typing import FloatArray
from skgeo._validation import check_magnitude, check_parameter, is_integer, warn_caller
from skgeo._values_at_places import Places
from skgeo.exceptions import CoordinateError, CoordinateWarning

# Folds in which a regressor predicts the observations, if ``cv`` is None.
_N_FOLDS = 5
_EXPECTED = "a DataFrame with the coordinates and the covariates, or an array (latitude, longitude, covariates)"
_ENCODE = (
    "Turn them into numbers first, for instance with OneHotEncoder in a ColumnTransformer, or let mean= be a Pipeline "
    "that begins with such a ColumnTransformer."
)

# Training and test rows of a fold.
Split = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


class _Table(NamedTuple):
    """X without its covariates, and the covariates: a frame of the library of X, or an array.

    ``names`` are those of the covariates and ``columns`` those of X; None if X has no names.
    """

    coordinates: Any
    covariates: Any
    names: list[str] | None
    columns: list[str] | None


class CovariateEstimator(LocationEstimator):
    """An estimator whose X may have covariates beside the coordinates, for the mean of a field.

    ``mean`` is "constant" (there are no covariates), "linear" or a regressor; ``cv`` makes the folds of a regressor.
    """

    mean: Any
    cv: Any
    # Number of covariates in the fit, and their names if X had names.
    _n_covariates: int
    _covariate_names: list[str] | None

    def _read_with_covariates(self, X: Any, *, reset: bool) -> tuple[Places, Any]:
        """The places of X, and its covariates; None if the mean is a constant. ``reset`` remembers the columns."""
        if reset:
            self._n_covariates = 0
        # After the fit its covariates count, even if the parameter has been changed.
        if self._mean_kind() == "constant" if reset else self._n_covariates == 0:
            try:
                return self._read(X, reset=reset), None
            except CoordinateError:
                _refuse_covariates(X, self.coordinates)
                raise
        split = split_covariates(X, self.coordinates, [] if reset else list(getattr(self, "feature_names_in_", ())))
        if split is None:
            # What is wrong in the coordinates is said first.
            self._read(X, reset=False)
            raise ValueError(
                f"X, a {type(X).__name__}, has no covariates for the mean: expected {_EXPECTED}; for a map, "
                "one row for each of its cells. Only mean='constant' needs no covariates."
            )
        if not reset:
            covariates = self._in_order_of_fit(split)
            return self._read(split.coordinates, reset=False), covariates
        places: Places = self._read(split.coordinates, reset=True)
        self._n_covariates, self._covariate_names = split.covariates.shape[1], split.names
        self.n_features_in_ = 2 + self._n_covariates if split.columns is None else len(split.columns)
        # ``_read`` has remembered the columns of the coordinates.
        _forget(self, "feature_names_in_")
        if split.columns is not None:
            self.feature_names_in_ = np.asarray(split.columns, dtype=object)
        return places, split.covariates

    def _mean_kind(self) -> str:
        """What the parameter ``mean`` is: "constant", "linear" or "regressor"."""
        return self.mean if isinstance(self.mean, str) else "regressor"

    def _columns_in_fit(self) -> list[str]:
        # Where there are covariates, arrays reach ``_read`` as (latitude, longitude).
        return [] if getattr(self, "_n_covariates", 0) else super()._columns_in_fit()

    def _in_order_of_fit(self, split: _Table) -> Any:
        """The covariates in the order of the fit; raises ValueError if there are others."""
        known, given = self._covariate_names, split.names
        if known is not None and given is not None:
            lacking, unknown = ([name for name in a if name not in b] for a, b in ((known, given), (given, known)))
            if lacking or unknown:
                raise ValueError(
                    f"X has other covariates than in fit: it lacks {listed(lacking)}, and {listed(unknown)} are new. "
                    f"Expected {listed(known)} beside the coordinates."
                )
            return _columns(split.covariates, known)
        if split.covariates.shape[1] != self._n_covariates:
            # These words are those of scikit-learn, whose checks look for them.
            raise ValueError(
                f"X has {split.covariates.shape[1] + 2} features, but {type(self).__name__} is expecting "
                f"{self._n_covariates + 2} features as input: two coordinates, and the covariates of the fit."
            )
        if given is not None:
            warn_caller(
                f"X has feature names, but {type(self).__name__} was fitted without feature names: its covariates are "
                f"taken to be {listed(given)}, in this order. Fit on a DataFrame.",
                CoordinateWarning,
            )
        if known is not None:
            warn_caller(
                f"X does not have valid feature names, but {type(self).__name__} was fitted with feature names: its "
                f"columns are taken to be {listed(self.feature_names_in_.tolist())}, as in fit. Pass a DataFrame.",
                CoordinateWarning,
            )
        return split.covariates

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
                f"y has {n_outputs} outputs, and mean={type(self.mean).__name__}(...) takes one: expected one model "
                "for each output, or mean='linear'."
            )
        if not data.flat:
            # These words are those of scikit-learn.
            warn_caller(
                "A column-vector y was passed when a 1d array was expected: predictions have shape (n_samples,).",
                DataConversionWarning,
            )
            data = data._replace(flat=True)
        weight_name = _weight_name(self.mean, data.weight)
        splits = _splits(self.cv, data, len(covariates))
        trend = cross_fitted(self.mean, weight_name, splits, table, data)
        self.mean_model_ = fit_mean(self.mean, weight_name, table, data, np.arange(len(data.rows)))
        return data._replace(covariates=trend)

    def _fit_process(self, data: TrainingData, before: dict[str, Any] | None) -> Process:
        """The process, fitted on these observations and earlier ones, without a trend that says nothing."""
        process = fit_process(self, data, before)
        if not hasattr(self, "mean_model_") or not isinstance(process, MaternProcess):
            return process
        # A model that knows nothing predicts the mean of the other folds, which is high where the own fold is low.
        if process.coefficients()[0] > 0.0:
            return process
        warn_caller(
            f"Predictions of mean={type(self.mean).__name__}(...) for observations of other folds do not rise with y: "
            "they are left out. Use mean='constant', other covariates or another regressor.",
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
        return places, _trend(self.mean_model_, covariates)

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


def cross_fitted(
    mean: Any, weight_name: str | None, splits: list[Split], covariates: Any, data: TrainingData
) -> FloatArray:
    """Predictions (n, 1) for each observation from models that were fitted without it, on other folds.

    Predictions of a model for its own training data are too good, those of a forest nearly y itself: what is left for
    the field, and the intervals, would be too small.
    """
    n = len(data.targets)
    total, count = np.zeros((n, 1)), np.zeros((n, 1))
    for train, test in splits:
        model = fit_mean(mean, weight_name, covariates, data, train)
        total[test] += _trend(model, _safe_indexing(covariates, test))
        count[test] += 1.0
    if not count.all():
        raise ValueError(
            f"cv tests {np.count_nonzero(count)} of {n} observations: expected folds that test each of them."
        )
    return np.asarray(total / count)


def _trend(model: Any, covariates: Any) -> FloatArray:
    """Predictions (n, 1) of a fitted regressor; raises ValueError if some are no numbers."""
    found = np.asarray(model.predict(covariates), dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"mean={type(model).__name__}(...) predicts NaN or infinity for some of the rows.")
    return found.reshape(len(found), 1)


def _splits(cv: Any, data: TrainingData, n_rows: int) -> list[Split]:
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
        texts = _without_numbers(table)
        if not texts:
            raise
        raise ValueError(
            f"mean={type(mean).__name__}(...) cannot be fitted: {error}. The covariates {listed(texts)} hold no "
            f"numbers. {_ENCODE}"
        ) from error


def _weight_name(model: Any, weight: FloatArray) -> str | None:
    """The parameter of ``fit`` that takes the weights to a regressor, or to the last step of a Pipeline.

    None if all weights are equal; and, with a warning, if there is no such parameter.
    """
    if (weight == weight[0]).all():
        return None
    last = model.steps[-1] if isinstance(model, Pipeline) else None
    if get_config()["enable_metadata_routing"] and last is not None:
        if get_routing_for_object(model).consumes("fit", ["sample_weight"]):
            return "sample_weight"
    elif has_fit_parameter(model if last is None else last[1], "sample_weight"):
        return "sample_weight" if last is None else f"{last[0]}__sample_weight"
    warn_caller(f"mean={type(model).__name__}(...) takes no sample_weight: it is fitted without weights.", UserWarning)
    return None


def covariate_numbers(covariates: Any, names: list[str] | None, parameter: str = "mean='linear'") -> FloatArray:
    """The covariates (n, p) as numbers; raises ValueError if some are none. ``parameter`` says who asks for them."""
    texts = _without_numbers(covariates)
    if texts:
        raise ValueError(f"{parameter}: the covariates {listed(texts)} hold no numbers. {_ENCODE}")
    values = np.column_stack([as_numbers(column, str(name)).astype(np.float64) for name, column in _items(covariates)])
    bad = ~np.isfinite(values)
    if bad.any():
        named = listed(names_of(np.flatnonzero(bad.any(axis=0)), names))
        regressor = ", or give a regressor that takes NaN, for instance make_pipeline(SimpleImputer(), Ridge())"
        cure = regressor if parameter.startswith("mean") else ""
        raise ValueError(
            f"{parameter}: the covariates {named} contain NaN or infinity in "
            f"{format_rows(np.flatnonzero(bad.any(axis=1)))}: drop or impute these rows first{cure}."
        )
    check_magnitude("The table of covariates", values)
    return values


def _without_numbers(covariates: Any) -> list[str]:
    """Names, or numbers, of the covariates that are neither numbers nor truth values."""
    found = []
    for name, column in _items(covariates):
        if column.dtype.kind == "c":
            found.append(name)
            continue
        try:
            as_numbers(column, "X")
        except CoordinateError:
            found.append(name)
    return found


def _items(covariates: Any) -> list[tuple[Any, npt.NDArray[Any]]]:
    """Names and values of the covariates; those of an array have numbers. Truth values become 0 and 1."""
    columns = frame_columns(covariates)
    items = (
        list(enumerate(np.asarray(covariates).T))
        if columns is None
        else [(name, column_values(covariates, name)) for name in columns]
    )
    return [(name, values.astype(np.float64) if values.dtype.kind == "b" else values) for name, values in items]


def names_of(numbers: npt.NDArray[np.intp], names: list[str] | None) -> list[Any]:
    """The names of covariates, or their numbers if they have no names."""
    return [int(number) if names is None else names[number] for number in numbers]


def split_covariates(X: Any, names: tuple[str, str] | None, columns_of_array: list[str]) -> _Table | None:
    """X in two parts; None if it has no covariates.

    An array has its columns in the order of ``columns_of_array``; without these the coordinates come first.
    """
    if not is_table(X) or isinstance(X, Points) or issparse(X):
        return None
    X = X.compute() if hasattr(X, "compute") else X
    columns = frame_columns(X)
    if columns is None:
        return None if is_geometric(X) else _split_array(X, names, columns_of_array)
    if is_geometric(X):
        found: tuple[str, ...] = (X.geometry.name,)
        coordinates = X.geometry
    else:
        found = coordinate_columns(columns, names, others=True)
        coordinates = _columns(X, list(found))
    others = [name for name in columns if name not in found]
    twice = sorted({name for name in others if others.count(name) > 1})
    if twice:
        raise ValueError(f"X has the covariates {listed(twice)} more than once: expected each name once.")
    return _Table(coordinates, _columns(X, others), others, columns) if others else None


def _split_array(X: Any, names: tuple[str, str] | None, columns_of_array: list[str]) -> _Table | None:
    """The two parts of an array or a list of rows."""
    try:
        table = np.asarray(X)
    except ValueError:  # rows of different lengths
        return None
    if table.ndim != 2 or table.shape[1] < 3:
        return None
    first = [0, 1]
    if len(columns_of_array) == table.shape[1]:
        first = [columns_of_array.index(name) for name in coordinate_columns(columns_of_array, names, others=True)]
    return _Table(table[:, first], np.delete(table, first, axis=1), None, None)


def _refuse_covariates(X: Any, names: tuple[str, str] | None) -> None:
    """Raise CoordinateError if a frame has columns beside the coordinates, for a mean that does not take them."""
    columns = frame_columns(X) if is_table(X) and not is_geometric(X) else None
    if columns is None or len(columns) <= 2:
        return
    others = [name for name in columns if name not in coordinate_columns(columns, names, others=True)]
    raise CoordinateError(
        f"X has the columns {listed(columns)}: mean='constant' expects latitude and longitude only; surplus: "
        f"{listed(others)}. Drop them, or take them as covariates with mean='linear' or a regressor as mean."
    ) from None


def _columns(X: Any, names: list[str]) -> Any:
    """Columns of a frame of any library, or of a pyarrow Table."""
    return X.select(names) if hasattr(X, "column_names") else X[names]
