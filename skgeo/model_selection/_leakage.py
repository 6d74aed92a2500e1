"""Scores in random folds beside scores in blocked folds: the difference comes from close neighbours."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.utils import check_random_state

from skgeo._kernels.equal_area import own_frame
from skgeo._kernels.sphere import unit_vectors
from skgeo._kernels.threads import one_blas_thread
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_flag, check_parameter, check_verbose, import_optional, is_real, progress
from skgeo.model_selection._base import check_n_splits, kd_tree, nearest_km, read_samples, splits_of
from skgeo.model_selection._blocks import RandomState, SphericalBlockKFold, size_of_blocks
from skgeo.model_selection._scores import (
    Caught,
    GatheredWarnings,
    last_line,
    mean_and_std,
    quieten_processes,
    reason_in,
    refuse_unscored,
    warn_missing,
)
from skgeo.model_selection._strata import strata_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LeakageReport", "leakage_report"]

# The median distance to training samples is that of at most this number of test samples in each fold.
_MAX_MEASURED_SAMPLES = 1000
# Default block sizes: the smallest has about the first number of blocks in each fold, the largest the second.
_SMALLEST_SIZE_BLOCKS_PER_FOLD, _LARGEST_SIZE_BLOCKS_PER_FOLD = 64, 2
_N_BLOCK_SIZES = 5
# Blocks of the smallest default size hold at least this number of samples on average.
_MIN_SAMPLES_PER_BLOCK = 4


@dataclass(frozen=True, eq=False)
class LeakageReport:
    """Scores of a model in random and in blocked folds, from :func:`~skgeo.model_selection.leakage_report`.

    With several scorers, scores, means and deviations have a last axis with one entry for each of ``metrics``;
    ``report["roc_auc"]`` is the report of one scorer.

    Parameters
    ----------
    block_size_km : ndarray of shape (n_sizes,)
        Widths of the blocks, rising.
    scores : ndarray of shape (n_sizes, n_splits) or (n_sizes, n_splits, n_metrics)
        Score of each fold of blocks. It is NaN if the fold has no score, for instance the area under the curve if
        all samples of the fold have one class.
    random_scores : ndarray of shape (n_splits,) or (n_splits, n_metrics)
        Score of each random fold.
    n_blocks : ndarray of shape (n_sizes,)
        Number of blocks that hold samples.
    distance_km : ndarray of shape (n_sizes,)
        Median distance, over folds and samples, from a test sample to the nearest training sample.
    random_distance_km : float
        Median distance for random folds.
    metrics : tuple of str, default=("score",)
        Names of the scorers.

    Attributes
    ----------
    mean, std : ndarray of shape (n_sizes,) or (n_sizes, n_metrics)
        Mean and standard deviation of the scores over folds that have one.
    random_mean, random_std : float or ndarray of shape (n_metrics,)
        The same for random folds.
    n_scored : ndarray of shape (n_sizes,) or (n_sizes, n_metrics)
        Number of folds that have a score.
    random_n_scored : int or ndarray of shape (n_metrics,)
        The same for random folds.
    """

    block_size_km: FloatArray
    scores: FloatArray
    random_scores: FloatArray
    n_blocks: npt.NDArray[np.intp]
    distance_km: FloatArray
    random_distance_km: float
    metrics: tuple[str, ...] = ("score",)

    @property
    def mean(self) -> FloatArray:
        """Mean score over folds for each block size."""
        return mean_and_std(self.scores, axis=1)[0]

    @property
    def std(self) -> FloatArray:
        """Standard deviation of the score over folds for each block size."""
        return mean_and_std(self.scores, axis=1)[1]

    @property
    def random_mean(self) -> Any:
        """Mean score over random folds."""
        return mean_and_std(self.random_scores, axis=0)[0][()]

    @property
    def random_std(self) -> Any:
        """Standard deviation of the score over random folds."""
        return mean_and_std(self.random_scores, axis=0)[1][()]

    @property
    def n_scored(self) -> npt.NDArray[np.intp]:
        """Number of folds that have a score, for each block size."""
        return np.count_nonzero(~np.isnan(self.scores), axis=1)

    @property
    def random_n_scored(self) -> Any:
        """Number of random folds that have a score."""
        return np.count_nonzero(~np.isnan(self.random_scores), axis=0)

    def __getitem__(self, metric: str) -> "LeakageReport":
        """The report of one scorer.

        Parameters
        ----------
        metric : str
            One of ``metrics``.

        Returns
        -------
        LeakageReport
        """
        check_parameter("metric", metric, metric in self.metrics, f"one of {', '.join(self.metrics)}")
        # Scores of a single metric have no axis for metrics.
        if self.scores.ndim == 2:
            return self
        number = self.metrics.index(metric)
        scores, random_scores = self.scores[..., number], self.random_scores[..., number]
        return replace(self, scores=scores, random_scores=random_scores, metrics=(metric,))

    def to_frame(self) -> "pd.DataFrame":
        """The table as a DataFrame.

        Returns
        -------
        pandas.DataFrame
            A row for random folds, of block size 0, and one for each block size, with the columns ``block_size_km``,
            ``n_blocks`` (0 for random folds), ``distance_km``, ``mean``, ``std`` and ``n_scored``; with several
            scorers, the last three have names such as ``mean_roc_auc`` for each scorer.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = import_optional("pandas", "LeakageReport.to_frame", "pandas")
        table = {
            "block_size_km": np.concatenate([[0.0], self.block_size_km]),
            "n_blocks": np.concatenate([[0], self.n_blocks]),
            "distance_km": np.concatenate([[self.random_distance_km], self.distance_km]),
        }
        for metric in self.metrics:
            one, suffix = self[metric], f"_{metric}" if self.scores.ndim == 3 else ""
            table["mean" + suffix] = np.concatenate([[one.random_mean], one.mean])
            table["std" + suffix] = np.concatenate([[one.random_std], one.std])
            table["n_scored" + suffix] = np.concatenate([[one.random_n_scored], one.n_scored])
        return pandas.DataFrame(table)

    def __str__(self) -> str:
        """The table as text."""
        sizes = ["random", *(f"{_short(size)} km" for size in self.block_size_km)]
        distances = map(_short, [self.random_distance_km, *self.distance_km])
        columns = [
            _column("folds", sizes, 10),
            _column("blocks", ["", *map(str, self.n_blocks)], 6),
            _column("nearest km", distances, 10),
        ]
        for metric in self.metrics:
            one = self[metric]
            columns.append(_column(metric, (f"{value:.3f}" for value in (one.random_mean, *one.mean)), 7))
            columns.append(_column("std", (f"{value:.3f}" for value in (one.random_std, *one.std)), 6))
            # The column appears only if a fold lacks a score.
            scored, n_splits = [one.random_n_scored, *one.n_scored], one.scores.shape[1]
            if min(scored) < n_splits:
                columns.append(_column("scored", (f"{number} of {n_splits}" for number in scored), 6))
        return "\n".join("  ".join(row) for row in zip(*columns, strict=True))


def _column(title: str, values: Iterable[str], width: int) -> list[str]:
    """A column of the table as text: the title and the values, aligned to the right."""
    cells = [title, *values]
    width = max(width, *map(len, cells))
    return [cell.rjust(width) for cell in cells]


def _short(value: float) -> str:
    """A length with three digits, without an exponent."""
    return f"{value:.0f}" if value >= 100.0 else f"{value:.3g}"


def leakage_report(
    model: Any,
    X: Any,
    y: Any,
    *,
    block_sizes_km: "Sequence[float] | npt.ArrayLike | None" = None,
    n_splits: int = 5,
    coordinates: Any = None,
    scoring: str | Callable[..., Any] | Sequence[str] | Mapping[str, Any] | None = None,
    stratify: bool = False,
    params: Mapping[str, Any] | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    verbose: bool | None = None,
) -> LeakageReport:
    """Compare the scores of a model in random folds and in folds of blocks of several sizes.

    If the score falls as the blocks grow, the score in random folds is too high: it comes from neighbours of the test
    samples among the training samples. Report the score of the blocks that are as far from the training samples as the
    places to predict are. The model is fitted ``n_splits`` times for random folds and for each size of blocks.

    Parameters
    ----------
    model : estimator
        An estimator or Pipeline of scikit-learn. It is cloned for each fold.
    X : array-like, DataFrame, GeoDataFrame with n_samples rows
        The samples that the model is fitted on. A frame may have latitude and longitude among its columns, as
        :class:`SphericalBlockKFold` finds them; else give ``coordinates``.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target.
    block_sizes_km : array-like of float, default=None
        Widths of blocks in km. None is five sizes. The smallest size has 64 blocks for each fold, or fewer so that a
        block has four samples. The largest size has two blocks for each fold.
    n_splits : int, default=5
        Number of folds.
    coordinates : (str, str), array-like, DataFrame or GeoSeries with n_samples rows, default=None
        Names of the columns of X, or latitude and longitude in degrees, where X does not have them.
    scoring : str, callable, or list, tuple or dict of several, default=None
        As in ``sklearn.model_selection.cross_validate``. None is the ``score`` of the model.
    stratify : bool, default=False
        Spread classes over folds of blocks, as :class:`SphericalBlockKFold` does, and over random folds.
    params : dict, default=None
        Passed on to ``cross_validate``, such as ``{"sample_weight": weight}``; for a Pipeline with the name of the
        step, ``{"ridge__sample_weight": weight}``.
    random_state : int, RandomState instance or None, default=0
        Source of randomness for the random folds, and for the samples whose distances are measured.
    n_jobs : int or None, default=None
        Processes for the folds, as in ``cross_validate``. Processes print warnings about resolution for random folds
        only.
    verbose : bool or None, default=None
        Show a progress bar that counts fits; needs tqdm. None shows it in interactive sessions, when work takes longer
        than two seconds.

    Returns
    -------
    LeakageReport
        The scores. ``print`` shows a table, and ``to_frame()`` makes a DataFrame.

    Raises
    ------
    CoordinateError
        If there are no coordinates, or some are missing or out of range.
    ValueError
        If a parameter is invalid, samples lie in fewer blocks of a size than there are folds, or no random
        fold has a score.

    Warns
    -----
    UndefinedMetricWarning
        If some folds have no score, because a class is missing or the model cannot be fitted. They are left out of the
        means, and ``n_scored`` counts the other folds.
    ResolutionWarning
        If fits give this warning: one warning for all fits.
    CoordinateWarning
        If coordinates look like radians.

    Examples
    --------
    The model copies the nearest sample. The classes change over about a thousand km:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skgeo.datasets import make_checkerboard
    >>> from skgeo.model_selection import leakage_report
    >>> X, y = make_checkerboard(5000, n_support=500, random_state=0)
    >>> model = KNeighborsClassifier(1, metric="haversine")
    >>> report = leakage_report(
    ...     model, np.radians(X), y, coordinates=X, block_sizes_km=[300, 1000, 3000]
    ... )
    >>> print(report)
         folds  blocks  nearest km    score     std
        random                 170    0.796   0.008
        300 km    3339         224    0.742   0.020
       1000 km     510         359    0.596   0.024
       3000 km      57         687    0.311   0.033
    """
    check_n_splits(n_splits)
    check_verbose(verbose)
    check_flag("stratify", stratify)
    fit = {"scoring": scoring, "params": dict(params or {}), "n_jobs": n_jobs}
    with GatheredWarnings() as caught:
        latitude, longitude = read_samples(X, y, coordinates)
        vectors, random = unit_vectors(latitude, longitude), check_random_state(random_state)
        sizes = _sizes(block_sizes_km, vectors, n_splits)
        splitters = [SphericalBlockKFold(n_splits, block_size_km=size, stratify=stratify) for size in sizes.tolist()]
        folds = [_random_folds(len(vectors), y if stratify else None, n_splits, random)]
        # All folds exist before the first fit: too large blocks are refused at once.
        folds += [splits_of(splitter, vectors, y) for splitter in splitters]
        scores: list[dict[str, FloatArray]] = []
        distances = []
        with progress(len(folds) * n_splits, "fit", shown=verbose) as advance:
            for splits in folds:
                scores.append(_scores(model, X, y, splits, fit, caught, first=not scores))
                # The fits in random folds have warned about resolution: those in blocked folds need not repeat it.
                quieten_processes(n_jobs)
                distances.append(_median_distance(vectors, splits, random))
                advance(n_splits)
        # The random folds have all metrics, or there is no report; other folds may lack some.
        metrics = tuple(scores[0])
        table = np.stack([np.column_stack([each.get(m, scores[0][m] * np.nan) for m in metrics]) for each in scores])
        _warn_missing_scores(table, sizes, caught, model)
    # A single scorer needs no axis for metrics.
    table = table[..., 0] if metrics == ("score",) else table
    return LeakageReport(
        block_size_km=sizes,
        scores=table[1:],
        random_scores=table[0],
        n_blocks=np.array([splitter._labels(vectors).max() + 1 for splitter in splitters]),
        distance_km=np.array(distances[1:]),
        random_distance_km=distances[0],
        metrics=metrics,
    )


def _random_folds(
    n_samples: int, stratified: Any, n_splits: int, random: np.random.RandomState
) -> list[tuple[Integers, Integers]]:
    """Random folds; stratified ones for a target ``stratified`` whose strata form one column."""
    # KFold looks at the number of samples only.
    samples = np.zeros((n_samples, 1))
    strata = None if stratified is None else strata_of(stratified)
    if strata is None or strata.shape[1] > 1:
        return list(KFold(n_splits, shuffle=True, random_state=random).split(samples))
    return list(StratifiedKFold(n_splits, shuffle=True, random_state=random).split(samples, strata[:, 0]))


def _scores(
    model: Any,
    X: Any,
    y: Any,
    splits: list[tuple[Integers, Integers]],
    fit: dict[str, Any],
    caught: Caught,
    *,
    first: bool,
) -> dict[str, FloatArray]:
    """Scores of each metric in each fold, NaN if a fold has none; an empty dict if all fits failed.

    ``first`` folds are the random ones. Without any score in these, the function raises ValueError.
    """
    try:
        result = cross_validate(model, X, y, cv=splits, error_score=np.nan, **fit)
    except ValueError as error:
        if "fits failed" not in str(error):
            raise
        if first:
            refuse_unscored(model, last_line(str(error)), error)
        # GatheredWarnings collects this one with the warnings of the fits.
        warnings.warn(str(error), FitFailedWarning, stacklevel=2)
        return {}
    scores = {name.removeprefix("test_"): values for name, values in result.items() if name.startswith("test_")}
    if first and all(np.isnan(values).all() for values in scores.values()):
        refuse_unscored(model, reason_in(caught))
    return scores


def _warn_missing_scores(scores: FloatArray, sizes: FloatArray, caught: Caught, model: Any) -> None:
    """Warn if folds lack a score of a metric, given scores (1 + n_sizes, n_splits, n_metrics), random folds first."""
    missing = np.isnan(scores).any(axis=2).sum(axis=1)
    if missing.any():
        names = np.array(["random", *(f"{_short(size)} km" for size in sizes)])[missing > 0]
        number = f"{missing.sum()} of {scores[..., 0].size} folds have no score"
        where = ", ".join(names[:3].tolist()) + ", ..." * (names.size > 3)
        warn_missing(caught, f"{number} ({where}): means leave them out, n_scored counts the others", model)


def _sizes(given: Any, vectors: FloatArray, n_splits: int) -> FloatArray:
    """Block sizes in km, ascending: the given ones, or a geometric series that suits the samples."""
    if given is not None:
        sizes = np.atleast_1d(np.asarray(given))
        valid = sizes.ndim == 1 and sizes.size > 0 and all(is_real(size) and size > 0 for size in sizes.tolist())
        check_parameter("block_sizes_km", given, valid, "None or positive numbers")
        return np.unique(sizes.astype(np.float64))
    fewest = _LARGEST_SIZE_BLOCKS_PER_FOLD * n_splits
    most = min(_SMALLEST_SIZE_BLOCKS_PER_FOLD * n_splits, max(fewest, len(vectors) // _MIN_SAMPLES_PER_BLOCK))
    with one_blas_thread():
        turned = vectors @ own_frame(vectors).T
    first, last = (size_of_blocks(turned, number) for number in (most, fewest))
    return np.unique(np.geomspace(first, last, _N_BLOCK_SIZES if last > first else 1))


def _median_distance(
    vectors: FloatArray, splits: list[tuple[Integers, Integers]], random: np.random.RandomState
) -> float:
    """Median distance in km from test samples to the nearest training sample."""
    found = []
    for train, test in splits:
        measured = random.permutation(test)[:_MAX_MEASURED_SAMPLES]
        found.append(nearest_km(kd_tree(vectors[train]), vectors[measured]))
    return float(np.median(np.concatenate(found)))
