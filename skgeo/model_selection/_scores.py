"""Scores of many fits: folds that have none, and one warning for all fits."""

import warnings
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import is_classifier
from sklearn.exceptions import FitFailedWarning, UndefinedMetricWarning

from skgeo._typing import FloatArray
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateWarning, ResolutionWarning

Caught = list[warnings.WarningMessage]

# What errors of others may take of a message of ours.
_LONGEST = 100
# What scikit-learn says of scores that are missing.
_FAILED, _NON_FINITE = "Scoring failed", "scores are non-finite"
# How folds come to hold every class.
_CURE = " stratify=True (of SphericalBlockKFold, leakage_report) spreads classes over folds; smaller blocks help, too."


class GatheredWarnings:
    """Holds back the warnings of many fits, and gives each once at the end; those about resolution as one.

    Of fits in other processes nothing is heard here; :func:`quieten_processes` keeps them from saying the same again.
    """

    def __enter__(self) -> Caught:
        self._holding = warnings.catch_warnings(record=True)
        caught = self._holding.__enter__()
        self._caught: Caught = [] if caught is None else caught
        for category in (ResolutionWarning, CoordinateWarning, FitFailedWarning, UndefinedMetricWarning):
            warnings.simplefilter("always", category)  # an error would be that of a fit
        warnings.filterwarnings("always", f"{_FAILED}|.*{_NON_FINITE}", UserWarning)
        return self._caught

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holding.__exit__(kind, error, trace)
        if error is not None:
            return
        resolution = [str(each.message) for each in self._caught if issubclass(each.category, ResolutionWarning)]
        if resolution:
            more = f" ({len(resolution) - 1} more such warnings came from other fits.)" if resolution[1:] else ""
            warn_caller(resolution[0] + more, ResolutionWarning)
        for category, text in dict.fromkeys((each.category, str(each.message)) for each in self._caught):
            if not issubclass(category, ResolutionWarning):
                warn_caller(text, category)


def quieten_processes(n_jobs: int | None) -> None:
    """Let fits in other processes, which have the filters of this one, not warn of resolution; each would print it."""
    if effective_n_jobs(n_jobs) > 1:
        warnings.simplefilter("ignore", ResolutionWarning)


def mean_and_std(scores: FloatArray, axis: int) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation over folds that have a score; NaN where none has."""
    scored = ~np.isnan(scores)
    number = scored.sum(axis=axis, keepdims=True)

    def mean(values: FloatArray) -> FloatArray:
        total = np.where(scored, values, 0.0).sum(axis=axis, keepdims=True)
        return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)

    centre = mean(scores)
    return centre.squeeze(axis), np.sqrt(mean((scores - centre) ** 2)).squeeze(axis)


def best_candidate(results: dict[str, Any]) -> int:
    """The best candidate of a search, for its ``refit``; means and ranks become those of the folds that count.

    A fold in which no candidate has a score does not count. A candidate without a score in one that does is the last.
    """
    if "mean_test_score" not in results:
        names = [name.removeprefix("mean_test_") for name in results if name.startswith("mean_test_")]
        raise ValueError(f"scoring has the metrics {', '.join(names)}: expected one, by which the degree is chosen.")
    scores = split_scores(results)
    if np.isnan(scores).any():
        scores = scores[:, ~np.isnan(scores).all(axis=0)]
        mean, std = (f(scores, axis=1) if scores.size else np.full(len(scores), np.nan) for f in (np.mean, np.std))
        rank = [1 + int(np.sum(mean > each)) for each in np.nan_to_num(mean, nan=-np.inf)]
        results.update(mean_test_score=mean, std_test_score=std, rank_test_score=np.array(rank, dtype=np.int32))
    return int(np.argmin(results["rank_test_score"]))


def split_scores(results: dict[str, Any]) -> FloatArray:
    """Scores (n_candidates, n_folds) in the results of a search."""
    names = (f"split{fold}_test_score" for fold in range(len(results)))
    return np.column_stack([results[name] for name in names if name in results])


def reason_in(caught: Caught) -> str:
    """Why there is no score: what a metric says, or the last line of the first error that scikit-learn warns of."""
    texts = [str(w.message) for w in caught if _tells_of_missing_score(w) and _NON_FINITE not in str(w.message)]
    return last_line(texts[0]) if texts else ""


def last_line(text: str) -> str:
    """The last line of a traceback, in brackets."""
    line = text.strip().splitlines()[-1]
    return f" ({line.rstrip('.') if len(line) <= _LONGEST else line[:_LONGEST].rstrip() + '...'})"


def warn_missing(caught: Caught, message: str, model: Any) -> None:
    """Warn of missing scores and why, in place of what scikit-learn says of them at length."""
    reason = reason_in(caught)
    caught[:] = [warning for warning in caught if not _tells_of_missing_score(warning)]
    warn_caller(f"{message}{reason}.{_cure(model, reason)}", UndefinedMetricWarning)


def _cure(model: Any, reason: str) -> str:
    """What helps where a class may be missing: of a classifier, unless something else is known to be wrong."""
    return _CURE if is_classifier(model) and (not reason or "class" in reason or "label" in reason) else ""


def _tells_of_missing_score(warning: warnings.WarningMessage) -> bool:
    text = str(warning.message)
    undefined = issubclass(warning.category, UndefinedMetricWarning) and "being set to" not in text
    failed = issubclass(warning.category, FitFailedWarning) or text.startswith(_FAILED)
    return undefined or failed or _NON_FINITE in text


def refuse_unscored(model: Any, reason: str, error: Exception | None = None) -> NoReturn:
    """Raise ValueError: there is nothing to compare."""
    raise ValueError(f"No fold has a score{reason}.{_cure(model, reason)}") from error
