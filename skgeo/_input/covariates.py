"""A table of places with covariates: its two parts, and the covariates as numbers."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from skgeo._input.columns import column_values, coordinate_columns, frame_columns, is_geometric, listed
from skgeo._input.coordinates import Points
from skgeo._input.numbers import as_numbers, format_rows
from skgeo._typing import FloatArray
from skgeo._validation import check_magnitude, libraries_of, warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

#: What to do with covariates that hold no numbers.
ENCODE = (
    "Turn them into numbers first, for instance with OneHotEncoder in a ColumnTransformer, or let mean= be a Pipeline "
    "that begins with such a ColumnTransformer."
)
# The cure of models without the parameter mean.
_ENCODE_OR_DROP = "Turn them into numbers first, for instance with OneHotEncoder in a ColumnTransformer, or drop them."


class CovariateTable(NamedTuple):
    """X without its covariates, and the covariates: a frame of the library of X, or an array.

    ``names`` are the names of the covariates, and ``columns`` are the columns of X. Both are None if X has no names.
    """

    coordinates: Any
    covariates: Any
    names: list[str] | None
    columns: list[str] | None


def split_covariates(X: Any, names: tuple[str, str] | None, columns_of_array: list[str]) -> CovariateTable | None:
    """X in two parts; None if it has no covariates.

    An array has its columns in the order of ``columns_of_array``; without these the coordinates come first.
    """
    if isinstance(X, Points) or issparse(X) or "xarray" in libraries_of(type(X)):
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
        coordinates = select_columns(X, list(found))
    others = [name for name in columns if name not in found]
    twice = sorted({name for name in others if others.count(name) > 1})
    if twice:
        raise ValueError(f"X has the covariates {listed(twice)} more than once: expected each name once.")
    return CovariateTable(coordinates, select_columns(X, others), others, columns) if others else None


def _split_array(X: Any, names: tuple[str, str] | None, columns_of_array: list[str]) -> CovariateTable | None:
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
    return CovariateTable(table[:, first], np.delete(table, first, axis=1), None, None)


def refuse_covariates(X: Any, names: tuple[str, str] | None) -> None:
    """Raise CoordinateError if a frame has columns beside the coordinates, for a mean that does not take them."""
    columns = None if is_geometric(X) else frame_columns(X)
    if columns is None or len(columns) <= 2:
        return
    others = [name for name in columns if name not in coordinate_columns(columns, names, others=True)]
    raise CoordinateError(
        f"X has the columns {listed(columns)}: mean='constant' expects latitude and longitude only; surplus: "
        f"{listed(others)}. Drop them, or take them as covariates with mean='linear' or a regressor as mean."
    ) from None


def covariates_in_order(
    covariates: Any, names: list[str] | None, n_covariates: int, model: str, parameter: str = "X"
) -> Any:
    """Covariates in the order of a fit: ``names`` are the names in the fit, None if X had no names there.

    ``model`` is the class of the estimator, and ``parameter`` holds the covariates. Raises ValueError if the covariates
    are others than in the fit.
    """
    given = frame_columns(covariates)
    if names is not None and given is not None:
        lacking, unknown = ([name for name in a if name not in b] for a, b in ((names, given), (given, names)))
        if lacking or unknown:
            raise ValueError(
                f"{parameter} has other covariates than in fit: it lacks {listed(lacking)}, and {listed(unknown)} are "
                f"new. Expected {listed(names)} beside the coordinates."
            )
        return select_columns(covariates, names)
    check_n_covariates(covariates, n_covariates, model, parameter)
    if given is not None:
        warn_caller(
            f"{parameter} has feature names, but {model} was fitted without feature names: its covariates are taken to "
            f"be {listed(given)}, in this order. Fit on a DataFrame.",
            CoordinateWarning,
        )
    if names is not None:
        warn_caller(
            f"{parameter} does not have valid feature names, but {model} was fitted with feature names: its covariates "
            f"are taken to be {listed(names)}, as in fit. Pass a DataFrame.",
            CoordinateWarning,
        )
    return covariates


def check_n_covariates(covariates: Any, n_covariates: int, model: str, parameter: str = "X") -> None:
    """Raise ValueError if there are more or fewer covariates than in the fit."""
    shape = np.shape(covariates)
    if len(shape) != 2:
        raise ValueError(f"{parameter} has covariates of shape {shape}: expected (n, {n_covariates}).")
    if shape[1] != n_covariates:
        # These words are those of scikit-learn, whose checks look for them.
        raise ValueError(
            f"{parameter} has {shape[1] + 2} features, but {model} is expecting {n_covariates + 2} features as input: "
            "two coordinates, and the other columns of the fit."
        )


def select_columns(X: Any, names: list[str]) -> Any:
    """Columns of a frame of any library, or of a pyarrow Table."""
    return X.select(names) if hasattr(X, "column_names") else X[names]


def covariate_numbers(covariates: Any, names: list[str] | None, parameter: str = "mean='linear'") -> FloatArray:
    """The covariates (n, p) as numbers; raises ValueError if some are not. ``parameter`` says who asks for them."""
    texts = columns_without_numbers(covariates)
    if texts:
        cure = ENCODE if parameter.startswith("mean") else _ENCODE_OR_DROP
        raise ValueError(f"{parameter}: the covariates {listed(texts)} hold no numbers. {cure}")
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


def columns_without_numbers(covariates: Any) -> list[str]:
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
