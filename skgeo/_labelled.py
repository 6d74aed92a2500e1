"""Points that skgeo makes itself, for estimators that may have been fitted on frames."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skgeo._base import GeoEstimator
from skgeo._input.columns import coordinate_columns, listed
from skgeo._input.coordinates import LabelledPoints
from skgeo._validation import import_optional
from skgeo.exceptions import CoordinateError


def steps_of(estimator: Any) -> list[Any]:
    """The steps of a Pipeline, those of Pipelines inside it and what is frozen; else the estimator alone."""
    if isinstance(estimator, FrozenEstimator):
        return steps_of(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return [inner for _, step in estimator.steps for inner in steps_of(step)]
    return [estimator]


def table_for(estimator: Any, points: npt.NDArray[np.floating], coordinates: tuple[str, str] | None = None) -> Any:
    """Points (n, 2) as the estimator wants them: with its own names if it was fitted on a DataFrame.

    ``coordinates`` are the names of latitude and longitude among these, if they are not found by themselves.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return points
    first = steps_of(estimator)[0]
    if isinstance(first, GeoEstimator):
        return LabelledPoints(points)
    columns = list(names)
    given = getattr(first, "coordinates", None) if coordinates is None else coordinates
    try:
        found = coordinate_columns(columns, given, others=True)
    except CoordinateError as error:
        raise ValueError(
            f"The estimator was fitted on the columns {listed(columns)}: which are latitude and longitude? Say it "
            "with coordinates=, or predict yourself, and give the predictions to PredictionMapDisplay.from_predictions."
        ) from error
    others = [str(name) for name in columns if name not in found]
    if others:
        raise ValueError(
            f"The estimator was fitted on the columns {listed(others)} beside coordinates, which a map does not "
            "have: predict yourself, and give the predictions to PredictionMapDisplay.from_predictions."
        )
    pandas = import_optional("pandas", "an estimator that was fitted on a DataFrame", "pandas")
    return pandas.DataFrame(dict(zip(found, points.T, strict=True)))[columns]
