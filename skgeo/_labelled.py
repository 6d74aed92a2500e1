"""Points that skgeo makes itself, for estimators that may have been fitted on frames."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skgeo._base import GeoEstimator
from skgeo._coordinates import LabelledPoints
from skgeo._names import match_coordinate_names
from skgeo._parameters import import_optional


def steps_of(estimator: Any) -> list[Any]:
    """The steps of a Pipeline, those of Pipelines inside it and what is frozen; else the estimator alone."""
    if isinstance(estimator, FrozenEstimator):
        return steps_of(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return [inner for _, step in estimator.steps for inner in steps_of(step)]
    return [estimator]


def table_for(estimator: Any, points: npt.NDArray[np.floating]) -> Any:
    """Points (n, 2) as the estimator wants them: with its own names if it was fitted on a DataFrame."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return points
    if isinstance(steps_of(estimator)[0], GeoEstimator):
        return LabelledPoints(points)
    pairs = match_coordinate_names(names)
    latitude, longitude = pairs[0] if len(pairs) == 1 else ("", "")
    if len(names) != 2 or not latitude:
        others = [str(name) for name in names if name not in (latitude, longitude)]
        raise ValueError(
            f"The estimator was fitted on the columns {others} beside coordinates, which a map does not have: predict "
            "yourself, and give the predictions to from_predictions."
        )
    pandas = import_optional("pandas", "an estimator that was fitted on a DataFrame", "pandas")
    return pandas.DataFrame({latitude: points[:, 0], longitude: points[:, 1]})[list(names)]
