"""The output of estimators at places, computed block by block, for displays."""

import inspect
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.utils import _safe_indexing

from skgeo._base import LocationEstimator, steps_of, table_for
from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._kernels.sphere import unit_vectors
from skgeo._places import as_points, points_in_degrees, points_with_weights, read_places
from skgeo._typing import FloatArray
from skgeo._validation import check_names, check_parameter, is_integer
from skgeo.exceptions import CoordinateError

# Number of places in one call of an estimator: their embedding has some tens of megabytes.
_PLACES_AT_A_TIME = 2**15
# Chord on the unit sphere between a row of X and its cell, above which they are two places: 130 metres.
_SAME_PLACE = 2e-5


def at_places(
    function: Callable[[Any], Any],
    estimator: Any,
    places: LatLonGrid | CellGrid | npt.NDArray[np.floating],
    select: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] = np.asarray,
    coordinates: tuple[str, str] | None = None,
) -> npt.NDArray[Any]:
    """The output at places, in their shape. Only the part of each block that ``select`` returns stays in memory.

    Missing centres of a CellGrid come out as NaN. ``coordinates`` are the names of the columns that the estimator was
    fitted on, where they are not the usual ones.
    """
    if isinstance(places, LatLonGrid):
        parts = [select(_dense(function(X))) for X in _blocks_of_rows(places, estimator, coordinates)]
        values = np.concatenate(parts)
        return values.reshape(*places.shape, *values.shape[1:])
    # np.asarray computes chunked points.
    points = np.asarray(places.points() if isinstance(places, CellGrid) else places)
    shape = places.shape if isinstance(places, CellGrid) else (len(points),)
    present = np.isfinite(points).all(axis=1)
    known = points[present]
    blocks = [known[start : start + _PLACES_AT_A_TIME] for start in range(0, len(known), _PLACES_AT_A_TIME)]
    found = np.concatenate([select(_dense(function(table_for(estimator, block, coordinates)))) for block in blocks])
    if present.all():
        return found.reshape(*shape, *found.shape[1:])
    values = np.full((present.size, *found.shape[1:]), np.nan)
    values[present] = found
    return values.reshape(*shape, *found.shape[1:])


def _blocks_of_rows(grid: LatLonGrid, estimator: Any, coordinates: tuple[str, str] | None) -> Iterator[Any]:
    """Rows of a grid, as a grid where the estimator takes grids, which is faster; else as points."""
    whole = isinstance(steps_of(estimator)[0], LocationEstimator) and grid.shape[1] > 1
    length = max(1, _PLACES_AT_A_TIME // grid.shape[1])
    for start in range(0, grid.shape[0], length):
        latitude = grid.latitude[start : start + length]
        if whole:
            yield LatLonGrid(latitude, grid.longitude)
        else:
            points = np.stack(np.meshgrid(latitude, grid.longitude, indexing="ij"), axis=-1).reshape(-1, 2)
            yield table_for(estimator, points, coordinates)


def at_rows(
    function: Callable[[Any], Any],
    X: Any,
    grid: LatLonGrid | CellGrid,
    select: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    names: Any = None,
) -> npt.NDArray[np.float64]:
    """The output at the cells of a grid, of its shape, from samples X: one row for each cell, in C order.

    Rows of cells that the mask leaves out are not looked at, so that their covariates may be missing.
    """
    n_cells = math.prod(grid.shape)
    if len(X) != n_cells:
        raise ValueError(f"X has {len(X)} rows and grid {n_cells} cells: expected one row for each cell, in C order.")
    _check_order(X, grid, names)
    rows = np.flatnonzero(points_with_weights(grid)[1] > 0.0)
    values = np.full(n_cells, np.nan)
    for start in range(0, len(rows), _PLACES_AT_A_TIME):
        block = rows[start : start + _PLACES_AT_A_TIME]
        values[block] = select(_dense(function(_safe_indexing(X, block))))
    return values.reshape(grid.shape)


def _check_order(X: Any, grid: LatLonGrid | CellGrid, names: Any) -> None:
    """Raise ValueError if rows of X lie elsewhere than the cells; X may have no coordinates."""
    try:
        given = points_of_samples(X, names, allow_missing=True)
    except CoordinateError:
        return
    cells = points_in_degrees(grid)
    # A missing centre is no other place.
    far = np.linalg.norm(unit_vectors(*given.T) - unit_vectors(*cells.T), axis=1) > _SAME_PLACE
    if far.any():
        row = int(np.argmax(far))
        raise ValueError(
            f"X has {np.count_nonzero(far)} rows that do not lie at their cells of the grid. Row {row} is at "
            f"{given[row].tolist()} and cell {row} at {cells[row].tolist()}: expected rows in the C order of the cells."
        )


def deviation_of(estimator: Any) -> Callable[[Any], Any]:
    """The function that predicts standard deviations; raises ValueError if the model has none."""
    last = steps_of(estimator)[-1]
    if not hasattr(last, "predict") or "return_std" not in inspect.signature(last.predict).parameters:
        raise ValueError(
            f"kind='std': {type(last).__name__} predicts no standard deviation, predict(X, return_std=True). Expected "
            "for instance SphericalGaussianProcessRegressor, alone or as the last step of a Pipeline."
        )
    return lambda X: estimator.predict(X, return_std=True)[1]


def are_names(coordinates: Any) -> bool:
    """Whether ``coordinates`` are the names of columns, and no coordinates."""
    return isinstance(coordinates, tuple | list) and all(isinstance(name, str) for name in coordinates)


def points_of_samples(X: Any, names: Any = None, *, allow_missing: bool = False) -> npt.NDArray[np.float64]:
    """Latitude and longitude (n, 2) of samples: these columns of a frame, or the cells of a grid."""
    check_names(names)
    places = read_places(X, names, allow_missing=allow_missing, others=True)
    points = as_points(places, allow_missing=allow_missing)
    return np.column_stack([points.latitude, points.longitude])


def _dense(values: Any) -> npt.NDArray[Any]:
    """The output of an estimator as a dense array."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def output_names(estimator: Any) -> list[str]:
    """Names of the output columns, or their numbers."""
    try:
        return [str(name) for name in estimator.get_feature_names_out()]
    # A Pipeline raises this error if one of its steps has no names.
    except AttributeError:
        row = _dense(estimator.transform(table_for(estimator, np.zeros((1, 2)))))
        return [str(i) for i in range(row.shape[1])]


def column_title(name: str) -> str:
    """Components by number, harmonics as mathematics writes them, other columns by name."""
    if component := re.fullmatch(r"shpca(\d+)", name):
        return f"component {component[1]}"
    harmonic = re.fullmatch(r"sh_l(\d+)_m(-?\d+)", name)
    return f"$Y_{{{harmonic[1]},{harmonic[2]}}}$" if harmonic else name


def chosen_columns(parameter: str, asked: Any, names: list[str]) -> list[int]:
    """Numbers of the columns asked for by number or name."""
    columns = []
    for item in asked:
        number = names.index(item) if isinstance(item, str) and item in names else item
        valid = is_integer(number) and bool(0 <= number < len(names))
        accepted = f"numbers from 0 to {len(names) - 1}, or names such as {names[0]!r}"
        check_parameter(parameter, item, valid, accepted)
        columns.append(int(number))
    check_parameter(parameter, asked, len(columns) > 0, "at least one column")
    return columns


def response_of(estimator: Any, method: str) -> tuple[Callable[[Any], Any], str]:
    """The method of a model that a map shows, and its name.

    "auto" is the probability of the second of two classes if there is ``predict_proba``, else the prediction.
    """
    methods = ("auto", "predict", "predict_proba", "decision_function")
    known = isinstance(method, str) and method in methods
    check_parameter("response_method", method, known, ", ".join(map(repr, methods[:-1])) + f" or {methods[-1]!r}")
    if method == "auto":
        binary = is_classifier(estimator) and len(estimator.classes_) == 2
        method = "predict_proba" if binary and hasattr(estimator, "predict_proba") else "predict"
    accepted = f"a method that {type(estimator).__name__} has"
    check_parameter("response_method", method, hasattr(estimator, method), accepted)
    return getattr(estimator, method), method


def column_of(values: npt.NDArray[Any], method: str) -> npt.NDArray[Any]:
    """The column (n,) that a map shows; raises ValueError if the model has several."""
    if values.ndim == 1 or values.shape[1] == 1:
        return values.reshape(len(values))
    # With two classes, the probability of the second determines that of the first.
    if method == "predict_proba" and values.shape[1] == 2:
        return values[:, 1]
    raise ValueError(
        f"{method} has {values.shape[1]} columns: a map shows one. Use response_method='predict', or give one column "
        "to from_predictions(None, column, coordinates, kind='prediction')."
    )


def class_numbers(labels: npt.NDArray[Any], classes: npt.NDArray[Any]) -> FloatArray:
    """The number of the class of each label; NaN for labels of no class."""
    numbers = np.full(labels.shape, np.nan)
    for number, name in enumerate(classes):
        numbers[labels == name] = number
    return numbers


def max_degree_of(estimator: Any) -> int | None:
    """The largest degree of harmonics in a model; None if the model does not say it."""
    for step in steps_of(estimator):
        for told in (step, getattr(step, "encoder_", None)):
            degree = getattr(told, "max_degree", None)
            if degree is not None and math.isfinite(degree):
                return int(degree)
    return None
