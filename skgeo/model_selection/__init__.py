"""Folds for data on the sphere, the choice of the degree of harmonics, and reports on the leakage of random folds."""

from skgeo.model_selection._blocks import SphericalBlockKFold
from skgeo.model_selection._buffers import BufferedKFold, LeaveOneBlockOut
from skgeo.model_selection._degree import DegreeSuggestion, select_max_degree, suggest_max_degree
from skgeo.model_selection._leakage import LeakageReport, leakage_report
from skgeo.model_selection._nearest import DistanceMatch, NearestNeighbourDistanceKFold

__all__ = [
    "BufferedKFold",
    "DegreeSuggestion",
    "DistanceMatch",
    "LeakageReport",
    "LeaveOneBlockOut",
    "NearestNeighbourDistanceKFold",
    "SphericalBlockKFold",
    "leakage_report",
    "select_max_degree",
    "suggest_max_degree",
]
