"""How much of a score is the memory of neighbours: random folds beside blocked ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, cross_validate
from sklearn.utils import check_random_state

from skgeo._blocks import own_frame
from skgeo._harmonics import FloatArray
from skgeo._parallel import one_blas_thread
from skgeo._parameters import check_parameter, import_optional, is_real
from skgeo._progress import check_verbose, progress
from skgeo._sphere import unit_vectors
from skgeo.model_selection._base import Index, check_n_splits, nearest_km, read_samples_or_names, tree
from skgeo.model_selection._blocks import RandomState, SphericalBlockKFold, size_of_blocks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LeakageReport", "leakage_report"]

# Distances of so many test samples in each fold stand for those of all.
_MEASURED = 1000
# Numbers of blocks, for each fold, of the first and the last size where sizes are not given, and how many these are.
_MOST_BLOCKS, _FEWEST_BLOCKS, _N_SIZES = 64, 2, 5


@dataclass(frozen=True, eq=False)
class LeakageReport:
    """Scores of a model in random and in blocked folds, from :func:`~skgeo.model_selection.leakage_report`.

    Parameters
    ----------
    block_size_km : ndarray of shape (n_sizes,)
        Widths of the blocks, rising.
    scores : ndarray of shape (n_sizes, n_splits)
        Score of each blocked fold.
    random_scores : ndarray of shape (n_splits,)
        Score of each random fold.
    n_blocks : ndarray of shape (n_sizes,)
        Number of blocks that hold samples.
    distance_km : ndarray of shape (n_sizes,)
        Median distance, over folds and samples, from a test sample to the nearest training sample.
    random_distance_km : float
        The same for random folds.

    Attributes
    ----------
    mean, std : ndarray of shape (n_sizes,)
        Mean and standard deviation of the scores over folds.
    random_mean, random_std : float
        The same for random folds.
    """

    block_size_km: FloatArray
    scores: FloatArray
    random_scores: FloatArray
    n_blocks: npt.NDArray[np.intp]
    distance_km: FloatArray
    random_distance_km: float

    @property
    def mean(self) -> FloatArray:
        """Mean score over folds for each block size."""
        return np.asarray(self.scores.mean(axis=1))

    @property
    def std(self) -> FloatArray:
        """Standard deviation of the score over folds for each block size."""
        return np.asarray(self.scores.std(axis=1))

    @property
    def random_mean(self) -> float:
        """Mean score over random folds."""
        return float(self.random_scores.mean())

    @property
    def random_std(self) -> float:
        """Standard deviation of the score over random folds."""
        return float(self.random_scores.std())

    def to_frame(self) -> "pd.DataFrame":
        """The table as a DataFrame.

        Returns
        -------
        pandas.DataFrame
            A row for random folds, of block size 0, and one for each block size, with the columns ``block_size_km``,
            ``n_blocks`` (0 for random folds), ``distance_km``, ``mean`` and ``std``.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = import_optional("pandas", "LeakageReport.to_frame", "pandas")
        return pandas.DataFrame(
            {
                "block_size_km": np.concatenate([[0.0], self.block_size_km]),
                "n_blocks": np.concatenate([[0], self.n_blocks]),
                "distance_km": np.concatenate([[self.random_distance_km], self.distance_km]),
                "mean": np.concatenate([[self.random_mean], self.mean]),
                "std": np.concatenate([[self.random_std], self.std]),
            }
        )

    def __str__(self) -> str:
        """The table as text."""
        lines = [
            f"{'folds':>10}  {'blocks':>6}  {'nearest km':>10}  {'score':>7}  {'std':>6}",
            f"{'random':>10}  {'':>6}  {_short(self.random_distance_km):>10}  {self.random_mean:7.3f}  "
            f"{self.random_std:6.3f}",
        ]
        rows = zip(self.block_size_km, self.n_blocks, self.distance_km, self.mean, self.std, strict=True)
        for size, number, distance, mean, std in rows:
            lines.append(f"{_short(size) + ' km':>10}  {number:6}  {_short(distance):>10}  {mean:7.3f}  {std:6.3f}")
        return "\n".join(lines)


def _short(value: float) -> str:
    """A length in three digits, without exponent."""
    return f"{value:.0f}" if value >= 100.0 else f"{value:.3g}"


def leakage_report(
    model: Any,
    X: Any,
    y: Any,
    *,
    block_sizes_km: Sequence[float] | npt.ArrayLike | None = None,
    n_splits: int = 5,
    coordinates: Any = None,
    scoring: str | Callable[..., float] | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    verbose: bool | None = None,
) -> LeakageReport:
    """Scores of a model in random folds, and in blocked folds over block sizes.

    Where scores fall as blocks grow, the score of random folds is owed to neighbours of the test samples among the
    training samples. The one to report is that of blocks about as far from data as the places to predict.

    Parameters
    ----------
    model : estimator
        Any estimator of scikit-learn, a Pipeline too; it is cloned for each fold.
    X : array-like, DataFrame, GeoDataFrame with n_samples rows
        What the model is fitted on. A frame may have latitude and longitude among its columns, as
        :class:`SphericalBlockKFold` finds them; else give ``coordinates``.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target.
    block_sizes_km : array-like of float, default=None
        Widths of blocks in km. None is five sizes, from 64 blocks for each fold (fewer if there are fewer than four
        samples to a block) to two.
    n_splits : int, default=5
        Number of folds.
    coordinates : (str, str), array-like, DataFrame or GeoSeries with n_samples rows, default=None
        Names of the columns of X, or latitude and longitude in degrees, where X does not have them.
    scoring : str or callable, default=None
        As in ``sklearn.model_selection.cross_validate``; None is the model's own score.
    random_state : int, RandomState instance or None, default=0
        Shuffles the random folds, and samples the distances.
    n_jobs : int or None, default=None
        Processes for the folds, as in ``cross_validate``.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm. None shows it in interactive sessions, when work takes longer than two seconds.

    Returns
    -------
    LeakageReport
        ``print`` shows it as a table, ``to_frame()`` makes a DataFrame.

    Raises
    ------
    CoordinateError
        If there are no coordinates, or some are missing or out of range.
    ValueError
        If a parameter is not what it accepts, or samples lie in fewer blocks of a size than there are folds.

    Examples
    --------
    A model that looks up the nearest sample, on a field that is rough over a thousand km:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skgeo.datasets import make_checkerboard
    >>> from skgeo.model_selection import leakage_report
    >>> X, y = make_checkerboard(5000, n_support=500, random_state=0)
    >>> model = KNeighborsClassifier(1, metric="haversine")
    >>> report = leakage_report(model, np.radians(X), y, coordinates=X, block_sizes_km=[300, 1000, 3000])
    >>> print(report)
         folds  blocks  nearest km    score     std
        random                 170    0.796   0.008
        300 km    3339         224    0.742   0.020
       1000 km     510         359    0.596   0.024
       3000 km      57         687    0.311   0.033
    """
    check_n_splits(n_splits)
    check_verbose(verbose)
    latitude, longitude = read_samples_or_names(X, y, coordinates)
    vectors, random = unit_vectors(latitude, longitude), check_random_state(random_state)
    places = np.column_stack([latitude, longitude])
    sizes = _sizes(block_sizes_km, vectors, n_splits)
    splitters = [SphericalBlockKFold(n_splits, block_size_km=size) for size in sizes.tolist()]
    random_folds = list(KFold(n_splits, shuffle=True, random_state=random).split(places))
    folds = [random_folds, *(list(splitter.split(places)) for splitter in splitters)]

    scores, distances = [], []
    with progress(len(folds), "splitter", shown=verbose) as done:
        for splits in folds:
            result = cross_validate(model, X, y, cv=splits, scoring=scoring, n_jobs=n_jobs, error_score="raise")
            scores.append(result["test_score"])
            distances.append(_median_distance(vectors, splits, random))
            done(1)
    return LeakageReport(
        block_size_km=sizes,
        scores=np.array(scores[1:]),
        random_scores=scores[0],
        n_blocks=np.array([splitter.block_labels(places).max() + 1 for splitter in splitters]),
        distance_km=np.array(distances[1:]),
        random_distance_km=distances[0],
    )


def _sizes(given: Any, vectors: FloatArray, n_splits: int) -> FloatArray:
    """Block sizes in km, rising."""
    if given is not None:
        sizes = np.atleast_1d(np.asarray(given))
        valid = sizes.ndim == 1 and sizes.size > 0 and all(is_real(size) and size > 0 for size in sizes.tolist())
        check_parameter("block_sizes_km", given, valid, "None or positive numbers")
        return np.unique(sizes.astype(np.float64))
    most = min(_MOST_BLOCKS * n_splits, max(_FEWEST_BLOCKS * n_splits, len(vectors) // 4))
    with one_blas_thread():
        turned = vectors @ own_frame(vectors).T
    first, last = (size_of_blocks(turned, number) for number in (most, _FEWEST_BLOCKS * n_splits))
    return np.unique(np.geomspace(first, last, _N_SIZES if last > first else 1))


def _median_distance(vectors: FloatArray, splits: list[tuple[Index, Index]], random: np.random.RandomState) -> float:
    """Median distance in km from test samples to the nearest training sample."""
    found = []
    for train, test in splits:
        measured = random.permutation(test)[:_MEASURED]
        found.append(nearest_km(tree(vectors[train]), vectors[measured]))
    return float(np.median(np.concatenate(found)))
