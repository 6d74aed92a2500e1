"""The continuous Boyce index."""

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from skgeo._validation import check_flag, check_parameter, check_sample_weight, is_integer, is_real

__all__ = ["continuous_boyce_index"]


def continuous_boyce_index(
    presence_scores: "npt.ArrayLike",
    background_scores: "npt.ArrayLike",
    *,
    n_windows: int = 101,
    window_width: float | None = None,
    by_area: bool = False,
    sample_weight: "npt.ArrayLike | None" = None,
    background_weight: "npt.ArrayLike | None" = None,
) -> float:
    """Measure whether records become denser as the score rises: the continuous Boyce index [1]_.

    A window moves over the range of scores. In each window P is the share of the records and E the share of the area
    of the background. The index is Spearman's correlation of P / E with the position of the window.

    Parameters
    ----------
    presence_scores : array-like of shape (n_records,)
        Scores of a model at held-out records of one species.
    background_scores : array-like of shape (n_background,)
        Scores at places of the whole region.
    n_windows : int, default=101
        Number of positions of the window.
    window_width : float or None, default=None
        Width of the window in units of the scores, or with ``by_area=True`` as a share of the area. None is a tenth of
        the range of ``background_scores``.
    by_area : bool, default=False
        Replace each score by the share of the area of the background with lower scores, before the window moves. Each
        window then holds a tenth of the area. Use True to compare models whose scores have different scales.
    sample_weight : array-like of shape (n_records,) or None, default=None
        Weights of the records.
    background_weight : array-like of shape (n_background,) or None, default=None
        Areas that the places of the background stand for. None gives all places the same area.

    Returns
    -------
    float
        From -1 to 1. It is 1 if P / E rises from each window to the next, about 0 for a model without skill, and
        negative for a model that prefers places without records. It is NaN if P / E is known in one window only, or is
        the same in all windows.

    Raises
    ------
    ValueError
        If scores are not finite arrays of one dimension, if ``n_windows`` or ``window_width`` is not positive, or if
        weights are invalid.

    See Also
    --------
    skgeo.metrics.mean_presence_auc : The AUC of records against the background.

    Notes
    -----
    Windows include both ends. Windows without background are left out. If successive windows have the same P / E, only
    the last window counts. The function ``ecospat.boyce`` of the R package ecospat does the same with its default
    ``rm.duplicate=TRUE``. But this function moves the last window by 1, out of the range of probabilities, so it uses
    one window less.

    With ``by_area=True`` the index depends on the order of the scores only. With the default, the logarithm of the
    scores has another index than the scores. The index does not test whether probabilities are right.

    References
    ----------
    .. [1] Hirzel, A. H., Le Lay, G., Helfer, V., Randin, C. & Guisan, A. (2006). Evaluating the ability of habitat
       suitability models to predict species presences. Ecological Modelling 199(2), 142-152.

    Examples
    --------
    The records become denser as the score rises. With reversed scores they become sparser:

    >>> import numpy as np
    >>> from skgeo.metrics import continuous_boyce_index
    >>> background = np.linspace(0, 1, 2001)
    >>> records = np.sqrt(np.linspace(0, 1, 500))  # their density rises with the score
    >>> round(continuous_boyce_index(records, background), 2)
    1.0
    >>> round(continuous_boyce_index(1 - records, background), 2)
    -1.0

    The scale of the scores changes the default index, and not the index by area:

    >>> records = np.random.default_rng(0).beta(2, 1.3, 60)
    >>> for by_area in (False, True):
    ...     index = continuous_boyce_index(records, background, by_area=by_area)
    ...     other = continuous_boyce_index(records**6, background**6, by_area=by_area)
    ...     print(f"by_area={by_area}: {index:.2f}, other scale: {other:.2f}")
    by_area=False: 0.65, other scale: 0.36
    by_area=True: 0.54, other scale: 0.54
    """
    check_parameter("n_windows", n_windows, is_integer(n_windows) and n_windows >= 2, "an integer, at least 2")
    presences, presence_weight = _scores_and_weights("presence_scores", presence_scores, sample_weight)
    background, area = _scores_and_weights("background_scores", background_scores, background_weight)
    check_flag("by_area", by_area)
    if by_area:
        presences, background = (_area_below(scores, background, area) for scores in (presences, background))
    width = np.ptp(background) / 10.0 if window_width is None else window_width
    positive = window_width is None or (is_real(width) and width > 0)
    check_parameter("window_width", window_width, positive, "a positive number or None")
    low, high = min(presences.min(), background.min()), max(presences.max(), background.max())
    starts = np.linspace(low, max(low, high - width), n_windows)
    ends = starts + width
    # Rounding must not leave the largest score out of the last window.
    ends[-1] = max(ends[-1], high)
    found = _share_between(presences, presence_weight, starts, ends)
    expected = _share_between(background, area, starts, ends)
    known = expected > 0.0
    # Round as ecospat does, so that ratios that differ by rounding errors only become equal.
    ratio = np.round(found[known] / expected[known], 10)
    starts = starts[known]
    # Of successive windows with one ratio the last one counts.
    kept = np.append(ratio[1:] != ratio[:-1], True) if len(ratio) else np.empty(0, dtype=bool)
    if kept.sum() < 2:
        return float("nan")
    return float(spearmanr(ratio[kept], starts[kept]).statistic)


def _scores_and_weights(
    name: str, scores: npt.ArrayLike, weight: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sorted scores, and their weights, which sum to one."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{name} has shape {values.shape}: expected one dimension, with at least one score.")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has {np.count_nonzero(~np.isfinite(values))} values that are NaN or infinite.")
    weights = np.ones(len(values)) if weight is None else check_sample_weight(weight, values.shape)
    order = np.argsort(values)
    return values[order], weights[order] / weights.sum()


def _area_below(
    scores: npt.NDArray[np.float64], background: npt.NDArray[np.float64], area: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The share of the area of sorted background scores that lies below each score, and half of the area at it."""
    total = np.concatenate([[0.0], np.cumsum(area)])
    below = total[np.searchsorted(background, scores, "left")]
    return 0.5 * (below + total[np.searchsorted(background, scores, "right")])


def _share_between(
    values: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """The shares of the weight of sorted values in windows, ends included."""
    total = np.concatenate([[0.0], np.cumsum(weight)])
    first, last = np.searchsorted(values, low, "left"), np.searchsorted(values, high, "right")
    # A window without values has no weight at all, rounding errors of the sums included.
    return np.where(last > first, total[last] - total[first], 0.0)
