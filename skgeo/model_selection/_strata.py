"""The strata that stratified folds spread evenly: classes, and tenths of the samples by the size of a number."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import type_of_target

from skgeo._typing import Integers
from skgeo._validation import warn_caller

# Up to this number of distinct values, numbers are classes.
_MAX_CLASSES = 20
# Strata of numbers with more distinct values: each has a tenth of the samples.
_N_QUANTILES = 10


def strata_of(y: Any) -> Integers:
    """Strata (n, k) of samples, numbered from zero. No stratum occurs in two of the k columns.

    A column of y gives a column of classes, a column of quantiles, or both: whole numbers with many distinct values may
    be classes or quantities.
    """
    if y is None:
        raise ValueError("stratify=True spreads classes over folds, and y is None: pass y, as in split(X, y).")
    table = np.asarray(y)
    missing = np.isnan(table).any() if table.dtype.kind == "f" else False
    try:
        kind = "unknown" if missing else type_of_target(y)
    except TypeError:  # values of several types cannot be sorted
        kind = "unknown"
    if kind == "unknown":
        what = "missing values" if missing else f"{table.dtype} values of several or unknown types"
        raise ValueError(f"stratify=True: y has {what}: expected classes or numbers, none missing.")
    columns: list[Integers] = []
    for values in table.reshape(len(table), -1).T:
        found, numbers = np.unique(values, return_inverse=True)
        many = found.size > _MAX_CLASSES and values.dtype.kind in "fiu"
        if not many or not kind.startswith("continuous"):
            columns.append(numbers)
        if many:
            edges = np.quantile(values, np.arange(1, _N_QUANTILES) / _N_QUANTILES)
            columns.append(np.searchsorted(edges, values, side="right"))
    # Shift the numbers of each column beyond those of the columns before it.
    starts = np.cumsum([0, *(int(column.max()) + 1 for column in columns[:-1])])
    return np.column_stack([column + start for column, start in zip(columns, starts, strict=True)])


def warn_missing_classes(y: Any, folds: npt.NDArray[np.intp], n_splits: int) -> None:
    """Warn if a fold has no sample of a class: the samples of this class lie in too few blocks."""
    # Columns of several targets and numbers with many values have no classes.
    values = np.asarray(y)
    if values.ndim != 1 or (values.dtype.kind in "fiu" and np.unique(values).size > _MAX_CLASSES):
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
