"""Find the coordinate columns of frames of any library, and refuse objects that are no tables."""

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import is_lazy
from skgeo._input.names import match_coordinate_names
from skgeo._input.numbers import shortened
from skgeo._validation import check_names, warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

# Methods that turn tables of DuckDB, Spark, Arrow and Ibis into frames. An error names the first one that X has.
_TO_FRAME = ("df", "toPandas", "to_pandas", "to_frame", "execute")
# Largest number of columns that a message names.
_NAMED = 12


def frame_columns(X: Any) -> list[str] | None:
    """Return the column names of a DataFrame of any library, or of a pyarrow Table; None for other objects."""
    if hasattr(X, "lazy") and hasattr(X, "collect"):
        raise CoordinateError(f"X is a {type(X).__name__}, which has no values yet: pass X.collect().")
    # pyarrow has its columns under another name than all other libraries.
    if hasattr(X, "column_names"):
        return list(X.column_names)
    if not (hasattr(X, "columns") and (hasattr(X, "dtypes") or hasattr(X, "schema"))):
        return None
    if not (hasattr(X, "to_numpy") or is_lazy(X)):
        _refuse_table(X)
    return list(X.columns)


def is_geometric(X: object) -> bool:
    """Whether X is a GeoDataFrame or a GeoSeries. GeoPandas need not be installed for the answer."""
    return hasattr(X, "crs") and hasattr(X, "to_crs")


def column_values(X: Any, name: str) -> npt.NDArray[Any]:
    """Return the values of a column of a frame, with NaN for missing values of nullable columns."""
    column = X[name]
    if not hasattr(column, "to_numpy"):
        _refuse_table(X)
    values = np.asarray(column.to_numpy())
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    # Nullable and Arrow columns of pandas hold numbers, but come as objects if some are missing.
    if values.dtype == object and kind in "fiu":
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return values


def coordinate_columns(columns: list[str], names: Sequence[str] | None, *, others: bool = False) -> tuple[str, str]:
    """Return the names of the latitude and the longitude column of a frame.

    ``names`` are the names that the user gave; None looks for usual names. Usual names in the wrong order are warned
    of. The frame may have other columns only if ``others`` is True.
    """
    if names is None:
        latitude, longitude = _find_columns(columns)
        expected = "expected latitude and longitude only"
    else:
        check_names(names)
        latitude, longitude = names
        expected = f"expected the columns {latitude!r} and {longitude!r} that coordinates= names"
        if not {latitude, longitude}.issubset(columns):
            _refuse_columns(columns, expected)
        if match_coordinate_names((latitude, longitude)) == [(longitude, latitude)]:
            warn_caller(
                f"coordinates=({latitude!r}, {longitude!r}): {latitude!r} is read as the latitude. If it is the "
                f"longitude, give coordinates=({longitude!r}, {latitude!r}). If its name is wrong, rename the columns.",
                CoordinateWarning,
            )
    twice = [name for name in (latitude, longitude) if columns.count(name) > 1]
    if twice:
        _refuse_columns(columns, f"{twice[0]!r} is there more than once")
    surplus = [name for name in columns if name not in (latitude, longitude)]
    if surplus and not others:
        # The columns are known: the only cure is to leave out the others.
        raise CoordinateError(
            f"X has the columns {listed(columns)}: {expected}; surplus: {listed(surplus)}. Select them, "
            f"X[[{latitude!r}, {longitude!r}]], for instance in a ColumnTransformer."
        )
    return latitude, longitude


def _find_columns(columns: list[str]) -> tuple[str, str]:
    """Return the only pair of names that are a latitude and a longitude; refuse none and several."""
    pairs = match_coordinate_names(columns)
    if len(pairs) == 1:
        return pairs[0]
    if not pairs and {"x", "y"} <= {str(name).strip().lower() for name in columns}:
        _refuse_columns(columns, "x and y may be projected, or in either order")
    # The error says as narrowly as possible what is ambiguous: one of the two columns, or the pair.
    latitudes, longitudes = (list(dict.fromkeys(pair[i] for pair in pairs)) for i in (0, 1))
    reason = f"more than one pair looks like latitude and longitude: {listed(pairs)}"
    if not pairs:
        reason = "no latitude and longitude among them"
    elif len(longitudes) == 1:
        reason = f"more than one looks like a latitude: {latitudes}"
    elif len(latitudes) == 1:
        reason = f"more than one looks like a longitude: {longitudes}"
    return _refuse_columns(columns, reason)


def listed(names: Sequence[object]) -> str:
    """Return a text that lists names: all of them, or the first twelve and the number of all."""
    if len(names) <= _NAMED:
        return str(list(names))
    return f"[{', '.join(map(repr, names[:_NAMED]))}, ...] ({len(names)} in all)"


def refuse_kind(X: Any, meaning: str, given: type | None = None) -> None:
    """Refuse an object that is no table of numbers, and say how to make it one.

    ``given`` is the type of X before it became an array. Arrays pass, except structured arrays and arrays without
    dimensions.
    """
    if isinstance(X, np.ndarray) and X.ndim and X.dtype.names is None:
        return
    kind, expected = (given or type(X)).__name__, f"expected an array of {meaning} rows, or a DataFrame"
    first = X[0] if isinstance(X, list | tuple) and len(X) else None
    if X is None or isinstance(X, bool | int | float | np.generic):
        raise CoordinateError(f"X is {X!r}: {expected}.")
    if isinstance(X, str | bytes | os.PathLike):
        raise CoordinateError(
            f"X is {shortened(repr(X), 60)}: {expected}. Read files first, for instance pandas.read_csv(X)."
        )
    if isinstance(X, Mapping) or isinstance(first, Mapping) or getattr(getattr(X, "dtype", None), "names", None):
        kind = f"{kind} of {type(first).__name__}s" if isinstance(first, Mapping) else kind
        kind = f"structured {kind}" if isinstance(X, np.ndarray) else kind
        raise CoordinateError(f"X is a {kind}: {expected}. Pass pandas.DataFrame(X).")
    if isinstance(X, Set):
        raise CoordinateError(f"X is a {kind}, which has no order: {expected}. Pass a list.")
    if isinstance(X, Iterator):
        raise CoordinateError(f"X is a {kind}: {expected}. Pass list(X).")
    # NumPy makes an array without dimensions of any object that it does not know.
    if isinstance(X, np.ndarray) and not X.ndim:
        if X.dtype == object:
            _refuse_table(X.item(), expected)
        raise CoordinateError(f"X is {shortened(repr(X.item()), 60)}, with 0 dimensions: {expected}.")


def _refuse_table(X: Any, expected: str = "expected a pandas or polars DataFrame, or an array") -> NoReturn:
    """Refuse a table of another library, and name the method that makes a DataFrame of it."""
    cure = next((f" Pass X.{method}()." for method in _TO_FRAME if hasattr(X, method)), "")
    raise CoordinateError(f"X is a {type(X).__name__}: {expected}.{cure}")


def _refuse_columns(columns: list[str], reason: str) -> NoReturn:
    """Raise the error about columns, with the reason and the ways to name the right ones."""
    raise CoordinateError(
        f"X has the columns {listed(columns)}: {reason}. Name them 'latitude' and 'longitude' (or lat, lon, lng, "
        "long), say which they are with coordinates=('my_lat', 'my_lon'), or select them, X[['lat', 'lon']], for "
        "instance in a ColumnTransformer."
    )
