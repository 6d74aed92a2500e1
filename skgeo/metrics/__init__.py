"""Scores of models that learn from presence-only records, as far as scikit-learn lacks them."""

from skgeo.metrics._boyce import continuous_boyce_index
from skgeo.metrics._presence import mean_presence_auc, mean_species_score
from skgeo.metrics._scorer import PresenceOnlyScorer

__all__ = ["PresenceOnlyScorer", "continuous_boyce_index", "mean_presence_auc", "mean_species_score"]
