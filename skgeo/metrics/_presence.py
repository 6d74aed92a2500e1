"""Scores of each species, and their means over species."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from skgeo._input.columns import frame_columns
from skgeo._input.covariates import select_columns
from skgeo._validation import check_parameter, check_sample_weight, warn_caller

__all__ = ["in_order_of", "is_matrix", "mean_presence_auc", "mean_species_score", "presence_matrix"]


def mean_species_score(
    occurrence: "npt.ArrayLike",
    scores: "npt.ArrayLike",
    metric: Callable[..., float] = roc_auc_score,
    *,
    return_all: bool = False,
) -> Any:
    """Compute the mean of a score over species, from presences and absences at surveyed sites.

    Parameters
    ----------
    occurrence : array-like of shape (n_sites, n_species)
        1 where a species was found, 0 where it was looked for and not found. Any other number, such as -1 or NaN, says
        that nobody looked for the species at the site.
    scores : array-like of shape (n_sites, n_species)
        Scores of a model, such as ``predict_proba(sites)``.
    metric : callable, default=sklearn.metrics.roc_auc_score
        A function of presences and scores of one species, such as ``sklearn.metrics.average_precision_score``.
    return_all : bool, default=False
        Return the scores of all species instead of their mean.

    Returns
    -------
    float, or ndarray of shape (n_species,)
        A species that was found at all surveyed sites, or at none, has the score NaN and is not in the mean.

    Raises
    ------
    ValueError
        If the shapes differ, or no species was found at one surveyed site and not found at another.

    Examples
    --------
    Nobody looked for the second species at the second site. The third species was found at all sites.

    >>> import numpy as np
    >>> from skgeo.metrics import mean_species_score
    >>> occurrence = np.array([[1, 0, 1], [0, -1, 1], [1, 1, 1], [0, 0, 1]])
    >>> scores = np.array(
    ...     [[0.9, 0.2, 0.5], [0.1, 0.9, 0.5], [0.8, 0.7, 0.5], [0.85, 0.1, 0.5]]
    ... )
    >>> mean_species_score(occurrence, scores, return_all=True)
    array([0.75, 1.  ,  nan])
    >>> round(mean_species_score(occurrence, scores), 3)
    0.875
    """
    found, values = np.asarray(occurrence, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if found.ndim != 2 or found.shape != values.shape:
        raise ValueError(
            f"occurrence has shape {found.shape} and scores have shape {values.shape}: expected (n_sites, n_species) "
            "for both."
        )
    each = np.full(found.shape[1], np.nan)
    for i in range(found.shape[1]):
        surveyed = np.isin(found[:, i], (0.0, 1.0))
        present = found[surveyed, i] == 1.0
        if present.any() and not present.all():
            each[i] = metric(present, values[surveyed, i])
    if np.isnan(each).all():
        raise ValueError("occurrence has no species that is 1 at one site and 0 at another: there is no score.")
    return each if return_all else float(np.nanmean(each))


def mean_presence_auc(
    present: "npt.ArrayLike",
    scores: "npt.ArrayLike",
    background_scores: "npt.ArrayLike",
    *,
    sample_weight: "npt.ArrayLike | None" = None,
    background_weight: "npt.ArrayLike | None" = None,
) -> float:
    """Compute the mean over species of the AUC of records against background places.

    The AUC is the probability that a record has a larger score than a place of the background [1]_. Ties count half.

    Parameters
    ----------
    present : array-like of bool, shape (n_records, n_species)
        Which species each record has.
    scores : array-like of shape (n_records, n_species)
        Scores at the records.
    background_scores : array-like of shape (n_background, n_species)
        Scores at places of the whole region.
    sample_weight : array-like of shape (n_records,) or None, default=None
        Weights of the records.
    background_weight : array-like of shape (n_background,) or None, default=None
        Areas that the places of the background stand for. None gives all places the same area.

    Returns
    -------
    float
        Species without a record are not in the mean.

    Raises
    ------
    ValueError
        If shapes do not fit, or there is no record.

    Notes
    -----
    The range of a species belongs to the background. If the range has the share a of the area, the AUC is at most
    1 - a / 2. Species with small ranges therefore have larger AUCs. Compare models on the same species only.

    References
    ----------
    .. [1] Phillips, S. J., Anderson, R. P. & Schapire, R. E. (2006). Maximum entropy modeling of species geographic
       distributions. Ecological Modelling 190, 231-259.

    Examples
    --------
    The record with 0.9 has a larger score than three of four places. The record with 0.5 has a larger score than two
    places, and a tie: (3 + 2.5) / 8.

    >>> from skgeo.metrics import mean_presence_auc
    >>> mean_presence_auc([[True], [True]], [[0.9], [0.5]], [[0.1], [0.5], [0.2], [0.95]])
    0.6875
    """
    shown = np.asarray(present, dtype=bool)
    values, background = np.asarray(scores, dtype=np.float64), np.asarray(background_scores, dtype=np.float64)
    fits = shown.ndim == 2 and shown.shape == values.shape and background.ndim == 2
    if not fits or background.shape[1] != shown.shape[1]:
        raise ValueError(
            f"present has shape {shown.shape}, scores {values.shape}, and background_scores {background.shape}: "
            "expected (n_records, n_species) twice, and (n_background, n_species)."
        )
    weight = np.ones(len(values)) if sample_weight is None else check_sample_weight(sample_weight, (len(values),))
    area = np.ones(len(background))
    if background_weight is not None:
        area = check_sample_weight(background_weight, area.shape)
    each = []
    for i in np.flatnonzero((shown & (weight > 0.0)[:, np.newaxis]).any(axis=0)):
        rows = shown[:, i]
        labels = np.repeat([True, False], [rows.sum(), len(background)])
        # Each side has the weight one, so that large and small weights do not round each other away.
        weights = np.concatenate([weight[rows] / weight[rows].sum(), area / area.sum()])
        each.append(roc_auc_score(labels, np.concatenate([values[rows, i], background[:, i]]), sample_weight=weights))
    if not each:
        raise ValueError("present has no record: there is no score.")
    return float(np.mean(each))


def is_matrix(values: npt.NDArray[Any]) -> bool:
    """Whether a target is a matrix of indicators. A single column of other numbers than zeros and ones holds labels."""
    if values.ndim != 2 or values.shape[1] > 1:
        return values.ndim == 2
    return values.dtype.kind in "biuf" and bool(np.isin(values, (0, 1)).all())


def in_order_of(y: Any, species: list[Any], name: str = "y") -> Any:
    """A frame of indicators with its columns in the order of the species of the fit; any other y as it is.

    ValueError if the columns are other species. If the model learned from an array, its species have numbers
    as names, and the columns stay in place.
    """
    columns = frame_columns(y)
    if columns is None or len(columns) < 2 or columns == species or not any(isinstance(each, str) for each in species):
        return y
    if sorted(columns, key=str) != sorted(species, key=str):
        others = [each for each in columns if each not in species] or [each for each in species if each not in columns]
        raise ValueError(
            f"{name} has {len(columns)} columns, and the fit had {len(species)} species: expected the same names, "
            f"but only one of the two has {others[:5]}."
        )
    return select_columns(y, species)


def presence_matrix(y: Any, classes: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which species (n_records, n_species) each record has, from labels (n,) or indicators (n, n_species).

    Records of species that are not in ``classes`` have rows without True. A warning says how many there are.
    """
    y = in_order_of(y, classes.tolist())
    target = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if is_matrix(target) and (target.shape[1] > 1 or len(classes) == 1):
        check_parameter("y", target.shape, target.shape[1] == len(classes), f"a matrix with {len(classes)} columns")
        return target.astype(bool)
    labels = target.ravel().tolist()
    numbers = {name: number for number, name in enumerate(classes.tolist())}
    present = np.zeros((len(labels), len(classes)), dtype=bool)
    known = [row for row, label in enumerate(labels) if label in numbers]
    present[known, [numbers[labels[row]] for row in known]] = True
    if len(known) < len(labels):
        warn_caller(
            f"y has {len(labels) - len(known)} of {len(labels)} records of species that the model has not learned: "
            "they are left out of the score.",
            UserWarning,
        )
    return present
