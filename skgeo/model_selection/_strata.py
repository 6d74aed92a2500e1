"""What stratified folds spread evenly: classes, and tenths of the range of numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import type_of_target

from skgeo._typing import Integers
from skgeo._validation import warn_caller

# Numbers that take more values than this are spread by quantiles, so many.
_MOST_VALUES, _QUANTILES = 20, 10


def strata_of(y: Any) -> Integers:
    """Strata (n, k) of samples, numbered from zero, those of each column apart.

    A column of y gives one of its classes, one of the tenth in which its numbers are, or both: whole numbers of many
    values may be either.
    """
    if y is None:
        raise ValueError("stratify=True spreads classes over folds, and y is None: pass y, as in split(X, y).")
    table = np.asarray(y)
    missing = np.isnan(table).any() if table.dtype.kind == "f" else False
    try:
        kind = "unknown" if missing else type_of_target(y)
    except TypeError:  # values that cannot be sorted
        kind = "unknown"
    if kind == "unknown":
        what = "missing values" if missing else f"{table.dtype} values that are neither or of several kinds"
        raise ValueError(f"stratify=True: y has {what}: expected classes or numbers, none missing.")
    columns: list[Integers] = []
    for values in table.reshape(len(table), -1).T:
        found, numbers = np.unique(values, return_inverse=True)
        many = found.size > _MOST_VALUES and values.dtype.kind in "fiu"
        if not many or not kind.startswith("continuous"):
            columns.append(numbers)
        if many:
            edges = np.quantile(values, np.arange(1, _QUANTILES) / _QUANTILES)
            columns.append(np.searchsorted(edges, values, side="right"))
    starts = np.cumsum([0, *(int(column.max()) + 1 for column in columns[:-1])])
    return np.column_stack([column + start for column, start in zip(columns, starts, strict=True)])


def warn_missing_classes(y: Any, folds: npt.NDArray[np.intp], n_splits: int) -> None:
    """Warn where some fold has no sample of a class, which blocks larger than the region of the class leave no way."""
    values = np.asarray(y)
    if values.ndim != 1 or (values.dtype.kind in "fiu" and np.unique(values).size > _MOST_VALUES):
        return
    classes, numbers = np.unique(values, return_inverse=True)
    present = np.zeros((classes.size, n_splits), dtype=bool)
    present[numbers, folds] = True
    missing = np.flatnonzero(~present.all(axis=1))
    if missing.size:
        first = classes[missing[0]]
        warn_caller(
            f"stratify=True: {missing.size} of {classes.size} classes are not in every fold; class {str(first)[:40]!r} "
            f"is in {int(present[missing[0]].sum())} of {n_splits}, as it has samples in few blocks. Make the blocks "
            "smaller, or the folds fewer.",
            UserWarning,
        )
