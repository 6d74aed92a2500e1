"""A scorer for model selection with presence-only records."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from skgeo._validation import check_parameter
from skgeo.metrics._boyce import continuous_boyce_index
from skgeo.metrics._presence import mean_presence_auc, presence_matrix

__all__ = ["PresenceOnlyScorer"]


@dataclass(frozen=True)
class PresenceOnlyScorer:
    """Scores held-out records of presence against background places, as ``scoring`` of GridSearchCV and similar.

    Parameters
    ----------
    background : array-like or DataFrame of shape (n_background, n_features)
        Places that represent the region, with the columns of X.
    metric : "auc" or "boyce", default="auc"
        "auc" is the mean over species of the AUC of records against the background, see
        :func:`~skgeo.metrics.mean_presence_auc`. "boyce" is the mean over species of
        :func:`~skgeo.metrics.continuous_boyce_index` with ``by_area=True``.
    background_weight : array-like of shape (n_background,) or None, default=None
        Areas that the places of the background stand for. None gives all places the same area.

    Raises
    ------
    ValueError
        From a call, if ``metric`` is invalid, or no record has a species that the model knows.

    Warns
    -----
    UserWarning
        If some of the records are of species that the model has not learned.

    See Also
    --------
    skgeo.nn.PresenceOnlyClassifier : Its own ``score`` is the AUC against the background of its fit.

    Notes
    -----
    Any classifier with ``decision_function`` or ``predict_proba`` can be scored, also the last step of a Pipeline. The
    candidates of a search may differ in the background of their fit. Their scores are comparable, because the scorer
    uses one background for all of them.

    Examples
    --------
    The classes of a checkerboard stand for four species. The places of all records are the background.

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from skgeo.datasets import make_checkerboard
    >>> from skgeo.encoders import SphericalHarmonics
    >>> from skgeo.metrics import PresenceOnlyScorer
    >>> X, species = make_checkerboard(600, n_support=12, n_classes=4, random_state=0)
    >>> model = make_pipeline(SphericalHarmonics(5), LogisticRegression())
    >>> scores = cross_val_score(model, X, species, scoring=PresenceOnlyScorer(X), cv=3)
    >>> bool(scores.min() > 0.8)
    True
    """

    background: Any
    metric: str = "auc"
    background_weight: "npt.ArrayLike | None" = None

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Compute the score of a fitted estimator.

        Parameters
        ----------
        estimator : classifier
            Fitted, with ``classes_``.
        X : array-like
            Places of held-out records.
        y : array-like of shape (n_records,) or (n_records, n_species)
            Their species.

        Returns
        -------
        float
            The mean over the species that have records.
        """
        check_parameter("metric", self.metric, self.metric in ("auc", "boyce"), "'auc' or 'boyce'")
        last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
        present = presence_matrix(y, np.asarray(last.classes_))
        if not present.any():
            raise ValueError("y has no record of a species that the model has learned: there is no score.")
        records, background = self._scores(estimator, X), self._scores(estimator, self.background)
        if self.metric == "auc":
            return mean_presence_auc(present, records, background, background_weight=self.background_weight)
        each = [
            continuous_boyce_index(
                records[present[:, i], i], background[:, i], by_area=True, background_weight=self.background_weight
            )
            for i in np.flatnonzero(present.any(axis=0))
        ]
        return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")

    def _scores(self, estimator: Any, X: Any) -> npt.NDArray[np.float64]:
        """Scores (n, n_species), in the order of the classes of the estimator."""
        method = "decision_function" if hasattr(estimator, "decision_function") else "predict_proba"
        values = np.asarray(getattr(estimator, method)(X), dtype=np.float64)
        # A classifier of two classes gives one column, of the second class.
        return np.column_stack([-values, values]) if values.ndim == 1 else values
