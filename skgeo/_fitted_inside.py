"""What can be known, inside a fit, of the tool that calls it: scikit-learn's searches and ensembles."""

import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from skgeo._names import match_coordinate_names
from skgeo._parameters import warn_caller
from skgeo.exceptions import CoordinateWarning

# Steps of these may well have turned the columns around themselves.
_COMPOSED = ("sklearn.pipeline", "sklearn.compose")
_IN_FOLDS, _SEARCH = "sklearn.model_selection._validation", "sklearn.model_selection._search"


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


def warn_once_a_search(message: str, in_folds: str, category: type[Warning]) -> None:
    """Warn of a fit; of the fits of a search only of the last, on all samples.

    Fits in folds warn with a text without numbers, which Python shows once; not at all in a search that fits again on
    all samples, and says it then.
    """
    modules = [(frame.f_globals["__name__"], frame) for frame in _callers()]
    if not any(module == _IN_FOLDS for module, _ in modules):
        warn_caller(message, category)
    elif not any(module.startswith(_SEARCH) and _refits(frame) for module, frame in modules):
        warn_caller(in_folds, category)


def _refits(frame: FrameType) -> bool:
    return bool(getattr(frame.f_locals.get("self"), "refit", False))


def _callers() -> Iterator[FrameType]:
    """The frames of scikit-learn's code on the stack, the nearest first."""
    frame = sys._getframe().f_back
    while frame:
        if frame.f_globals.get("__name__", "").startswith("sklearn."):
            yield frame
        frame = frame.f_back
