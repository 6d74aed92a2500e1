"""Warnings of a fit that depend on its callers: searches and ensembles of scikit-learn on the call stack."""

import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any
from weakref import WeakSet

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from skgeo._input.names import match_coordinate_names
from skgeo._typing import FloatArray
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateWarning, ResolutionWarning

# Modules of estimators whose steps may have exchanged the columns on purpose.
_COMPOSED = ("sklearn.pipeline", "sklearn.compose")
# The module in which scikit-learn fits in folds.
_IN_FOLDS = "sklearn.model_selection._validation"
# A region covers at most this share of the sphere: models of latitude and longitude alone make sense there.
MAX_REGION_SHARE = 0.25
# A fit warns if its components hold less than the first share of the variance of the coordinates, and if there are
# more places for each component than the second number. Places are counted among the first points only.
_MIN_COORDINATE_SHARE = 0.95
_MIN_PLACES_PER_COMPONENT = 4
_MAX_COUNTED_POINTS = 10_000
# Loops over folds that have already warned.
_WARNED: WeakSet[joblib.Parallel] = WeakSet()


def warn_swapped_on_the_way(estimator: Any, coordinates: Sequence[str] | None) -> None:
    """Warn if an outer estimator has made an array of a frame with the columns (longitude, latitude).

    Ensembles such as BaggingRegressor hand arrays to their estimators. An array does not show the order of its columns.
    """
    for frame in _callers():
        if frame.f_globals["__name__"].startswith(_COMPOSED):
            continue
        for name in ("self", "ensemble"):  # functions that joblib calls have no self
            around = frame.f_locals.get(name)
            columns = [] if around is estimator else list(getattr(around, "feature_names_in_", []))
            pairs = [tuple(coordinates)] if coordinates else match_coordinate_names(columns)
            if len(pairs) == 1 and tuple(columns) == pairs[0][::-1]:
                return warn_caller(
                    f"X is an array that {type(around).__name__} made of a frame with the columns {columns}: the "
                    "first is read as latitude, the second as longitude. "
                    f"Give {type(around).__name__} the columns in this order.",
                    CoordinateWarning,
                )
    return None


def warn_once_a_search(message: str, category: type[Warning]) -> None:
    """Warn of a fit. All fits in the folds of one search or cross-validation warn once.

    A search that fits again on all samples warns of this last fit only. Other loops over folds warn of the first fit.
    Python's own filter of warnings cannot do this, because the numbers in the texts differ and scikit-learn resets the
    filter for every fit. In other threads and processes the search is not on the stack: there every fit warns.
    """
    callers = list(_callers())
    if any(frame.f_globals["__name__"] == _IN_FOLDS for frame in callers):
        owners = [frame.f_locals.get("self") for frame in callers]
        # A search with refit fits once more on all samples, and that fit warns.
        if any(isinstance(owner, BaseEstimator) and getattr(owner, "refit", False) for owner in owners):
            return
        # The outermost loop of joblib stands for the whole search. Inner loops belong to single fits.
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


def warn_few_components(
    latitude: FloatArray, longitude: FloatArray, asked: object, kept: int, supported: int, share: float
) -> None:
    """Warn if ``kept`` components hold a small ``share`` of the variance of the coordinates of points in a region."""
    places = np.column_stack([latitude[:_MAX_COUNTED_POINTS], longitude[:_MAX_COUNTED_POINTS]])
    if share < _MIN_COORDINATE_SHARE and len(np.unique(places, axis=0)) > _MIN_PLACES_PER_COMPONENT * kept:
        warn_once_a_search(
            f"n_components={asked!r} keeps {kept} of the {supported} components that this region supports. They hold "
            f"{share:.0%} of the variance of the coordinates: a model of latitude and longitude alone may be better. "
            "n_components=None keeps all components.",
            ResolutionWarning,
        )
