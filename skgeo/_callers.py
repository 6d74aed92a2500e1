"""Warnings of a fit that depend on its caller: searches and ensembles of scikit-learn, found on the stack of calls."""

import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any
from weakref import WeakSet

import joblib
from sklearn.base import BaseEstimator

from skgeo._input.names import match_coordinate_names
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateWarning

# Modules of estimators whose steps may have exchanged the columns on purpose.
_COMPOSED = ("sklearn.pipeline", "sklearn.compose")
# The module in which scikit-learn fits in folds.
_IN_FOLDS = "sklearn.model_selection._validation"
# Loops over folds that have already warned.
_WARNED: WeakSet[joblib.Parallel] = WeakSet()


def warn_swapped_on_the_way(estimator: Any, coordinates: Sequence[str] | None) -> None:
    """Warn when an estimator around this one was given a frame (longitude, latitude), and makes an array of it.

    Ensembles such as BaggingRegressor hand arrays to their estimators, which cannot know the order of the columns.
    """
    for frame in _callers():
        if frame.f_globals["__name__"].startswith(_COMPOSED):
            continue
        for name in ("self", "ensemble"):  # the second in functions that joblib calls
            around = frame.f_locals.get(name)
            columns = [] if around is estimator else list(getattr(around, "feature_names_in_", []))
            pairs = [tuple(coordinates)] if coordinates else match_coordinate_names(columns)
            if len(pairs) == 1 and tuple(columns) == pairs[0][::-1]:
                return warn_caller(
                    f"X is an array that {type(around).__name__} made of a frame with the columns {columns}: they are "
                    "read as (latitude, longitude), in this order. Give it the columns in this order.",
                    CoordinateWarning,
                )
    return None


def warn_once_a_search(message: str, category: type[Warning]) -> None:
    """Warn of a fit; of all fits in the folds of a search or of a cross-validation once.

    A search that fits again on all samples warns of that fit only. Others warn of the first: Python's own filter cannot
    know that, as texts have numbers, and as scikit-learn resets it for every fit. In other threads and processes, from
    which the search is not seen, every fit warns.
    """
    callers = list(_callers())
    if any(frame.f_globals["__name__"] == _IN_FOLDS for frame in callers):
        owners = [frame.f_locals.get("self") for frame in callers]
        if any(isinstance(owner, BaseEstimator) and getattr(owner, "refit", False) for owner in owners):
            return
        outermost = next((owner for owner in reversed(owners) if isinstance(owner, joblib.Parallel)), None)
        if outermost in _WARNED:
            return
        if outermost is not None:
            _WARNED.add(outermost)
    warn_caller(message, category)


def _callers() -> Iterator[FrameType]:
    """The frames of scikit-learn's and joblib's code on the stack, the nearest first."""
    frame = sys._getframe().f_back
    while frame:
        if frame.f_globals.get("__name__", "").startswith(("sklearn.", "joblib.")):
            yield frame
        frame = frame.f_back
