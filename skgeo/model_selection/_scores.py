"""Scores of many fits: searches, statistics without the missing ones, and one warning for all fits."""

import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import is_classifier
from sklearn.exceptions import FitFailedWarning, UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV, ParameterGrid

from skgeo._kernels.threads import no_progress
from skgeo._typing import FloatArray
from skgeo._validation import progress, warn_caller
from skgeo.exceptions import CoordinateWarning, ResolutionWarning

Caught = list[warnings.WarningMessage]

# Texts of other libraries are cut off after this number of characters in messages.
_MAX_QUOTED_CHARACTERS = 300
# Parts of scikit-learn's warnings about missing scores.
_FAILED, _NON_FINITE = "Scoring failed", "scores are non-finite"
# The advice for classifiers, whose folds may lack a class.
_CLASS_ADVICE = (
    " stratify=True (of SphericalBlockKFold, leakage_report) spreads classes over folds; smaller blocks help, too."
)


class GatheredWarnings:
    """A context that collects the warnings of many fits, and gives each once at its end.

    All warnings about resolution become one. Warnings in other processes do not arrive here:
    :func:`quieten_processes` keeps these processes from repeating the same warning.
    """

    def __enter__(self) -> Caught:
        self._holding = warnings.catch_warnings(record=True)
        caught = self._holding.__enter__()
        self._caught: Caught = [] if caught is None else caught
        for category in (ResolutionWarning, CoordinateWarning, FitFailedWarning, UndefinedMetricWarning):
            # "always", whatever the user's filters: with "error", the warning would make the fit fail.
            warnings.simplefilter("always", category)
        warnings.filterwarnings("always", f"{_FAILED}|.*{_NON_FINITE}", UserWarning)
        return self._caught

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holding.__exit__(kind, error, trace)
        # An error says what is wrong; warnings of fits before it would distract.
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
    """Ignore warnings about resolution, if fits run in other processes: each of them would print the warning.

    joblib gives the other processes the filters of this process.
    """
    if effective_n_jobs(n_jobs) > 1:
        warnings.simplefilter("ignore", ResolutionWarning)


def mean_and_std(scores: FloatArray, axis: int) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation over folds that have a score; NaN if no fold has one.

    Unlike numpy's nanmean and nanstd, the function does not warn if there is no score.
    """
    scored = ~np.isnan(scores)
    number = scored.sum(axis=axis, keepdims=True)

    def mean(values: FloatArray) -> FloatArray:
        """Mean over the folds that have a score."""
        total = np.where(scored, values, 0.0).sum(axis=axis, keepdims=True)
        return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)

    centre = mean(scores)
    return centre.squeeze(axis), np.sqrt(mean((scores - centre) ** 2)).squeeze(axis)


def best_candidate(results: dict[str, Any]) -> int:
    """Index of the best candidate of a search. Means and ranks in ``results`` become those of the folds that count.

    A fold in which no candidate has a score does not count. A candidate without a score in a fold that counts has the
    last rank.
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
    """The reason of a missing score: the last line of the first warning about one, empty if there is none."""
    texts = [str(w.message) for w in caught if _tells_of_missing_score(w) and _NON_FINITE not in str(w.message)]
    return last_line(texts[0]) if texts else ""


def last_line(text: str) -> str:
    """The last line of a traceback, in brackets. A long line is cut after its beginning, which names the error."""
    line = text.strip().splitlines()[-1]
    if len(line) <= _MAX_QUOTED_CHARACTERS:
        return f" ({line.rstrip('.')})"
    return f" ({line[:_MAX_QUOTED_CHARACTERS].rstrip()}...)"


def warn_missing(caught: Caught, message: str, model: Any) -> None:
    """Warn of missing scores with the reason, instead of scikit-learn's long warnings in ``caught``."""
    reason = reason_in(caught)
    caught[:] = [warning for warning in caught if not _tells_of_missing_score(warning)]
    warn_caller(f"{message}{reason}.{_advice(model, reason)}", UndefinedMetricWarning)


def _advice(model: Any, reason: str) -> str:
    """The advice for classifiers, unless the reason has nothing to do with classes."""
    return _CLASS_ADVICE if is_classifier(model) and (not reason or "class" in reason or "label" in reason) else ""


def _tells_of_missing_score(warning: warnings.WarningMessage) -> bool:
    """Whether a warning says that a fit or a score failed."""
    text = str(warning.message)
    # "being set to 0.0" is a warning about a score that exists.
    undefined = issubclass(warning.category, UndefinedMetricWarning) and "being set to" not in text
    failed = issubclass(warning.category, FitFailedWarning) or text.startswith(_FAILED)
    return undefined or failed or _NON_FINITE in text


def refuse_unscored(model: Any, reason: str, error: Exception | None = None) -> NoReturn:
    """Raise ValueError: there is nothing to compare."""
    raise ValueError(f"No fold has a score{reason}.{_advice(model, reason)}") from error


def fit_search(search: GridSearchCV, X: Any, y: Any, params: dict[str, Any], verbose: bool | None) -> None:
    """Fit a search with ``refit=choose``, and set the attributes that it has with ``refit=True``.

    Its ``cv`` is a list of splits. With ``verbose`` a bar counts the fits.
    """
    candidates, n_splits = list(ParameterGrid(search.param_grid)), len(search.cv)

    def run(evaluate: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Evaluate the candidates one after the other, as ``GridSearchCV`` asks, and move the bar."""
        for candidate in candidates:
            evaluate([candidate])
            advance(n_splits)

    try:
        with progress(len(candidates) * n_splits + 1, "fit", shown=verbose) as advance:
            # Without a bar, processes may work on all candidates at once.
            if advance is not no_progress:
                search._run_search = run
            search.fit(X, y, **params)
            advance(1)
    except ValueError as error:
        if "fits failed" not in str(error):
            raise
        refuse_unscored(search.estimator, last_line(str(error)), error)
    finally:
        vars(search).pop("_run_search", None)
    search.refit = True
    search.best_score_ = search.cv_results_["mean_test_score"][search.best_index_]


def choose(results: dict[str, Any]) -> int:
    """Index of the best candidate."""
    # The search refits next, in this process: its ResolutionWarning reaches GatheredWarnings.
    warnings.simplefilter("always", ResolutionWarning)
    return best_candidate(results)


def check_scores(search: GridSearchCV, caught: Caught) -> None:
    """Warn if folds or candidates lack a score; raise ValueError if all do."""
    missing = np.isnan(split_scores(search.cv_results_))
    if not missing.any():
        return
    if np.isnan(search.best_score_):
        refuse_unscored(search.estimator, reason_in(caught))
    # A fold without any score does not count; other missing scores disqualify their candidate.
    folds = missing.all(axis=0)
    candidates = int(missing[:, ~folds].any(axis=1).sum())
    parts = [f"{folds.sum()} of {folds.size} folds have no score, means leave them out"] * bool(folds.any())
    parts += [f"{candidates} of {len(missing)} candidates lack a score and are not chosen"] * bool(candidates)
    warn_missing(caught, " and ".join(parts), search.estimator)
