"""Scores against the size of the blocks that are held out, beside the score in random folds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from skgeo._typing import FloatArray
from skgeo._validation import check_parameter
from skgeo.inspection._maps import CATEGORIES, new_figure, one_axes, several_axes
from skgeo.inspection._spectrum import plain_axes
from skgeo.model_selection._scores import mean_and_std

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LeakageDisplay"]


# Block sizes that span at least this factor are on a logarithmic axis.
_MIN_LOG_RANGE_FACTOR = 5.0


class LeakageDisplay:
    """Scores of a model in random folds and in blocks of growing size.

    If neighbours have similar values, a random fold tests samples whose neighbours are in the training data. The gap
    between the two lines shows by how much the score of random folds is too good for places farther away.

    Parameters
    ----------
    block_size_km : array-like of shape (n_sizes,)
        Sizes of the blocks in kilometres, positive, rising.
    scores : array-like of shape (n_sizes, n_splits) or (n_sizes, n_splits, n_metrics)
        Scores with blocks of each size; NaN where a split could not be scored. Several metrics have a panel each.
    random_scores : array-like of shape (n_splits,) or (n_splits, n_metrics)
        Scores with random folds.
    score_name : str or sequence of str, default="score"
        Name and unit of the scores; for several metrics, a sequence with one name for each.

    Attributes
    ----------
    block_size_km, scores, random_scores, score_name
        The parameters.
    ax_, figure_ : matplotlib Axes and Figure
        The axes and the figure of the picture; for several metrics, a list of Axes.
    line_, random_line_ : matplotlib artists
        The lines of the mean scores; for several metrics, lists of lines.
    points_ : matplotlib artist
        The dots of the scores of all splits; for several metrics, a list.

    Raises
    ------
    ValueError
        If shapes do not fit or sizes are not positive and rising.
    AttributeError
        From ``from_report``, if the report lacks one of the three arrays.
    ImportError
        From ``plot``, without matplotlib.

    See Also
    --------
    skgeo.inspection.FoldDisplay : Where the folds are.

    Examples
    --------
    >>> from skgeo.inspection import LeakageDisplay
    >>> scores, random_scores = [[0.9, 0.8], [0.7, 0.6], [0.5, 0.5]], [0.95, 0.93]
    >>> display = LeakageDisplay([100, 500, 1000], scores, random_scores, score_name="R²")
    >>> display.plot().ax_.get_xlabel(), display.ax_.get_ylabel()
    ('size of the blocks (km)', 'R²')
    """

    ax_: Any
    figure_: "Figure"
    line_: Any
    random_line_: Any
    points_: Any

    def __init__(
        self,
        block_size_km: "npt.ArrayLike",
        scores: "npt.ArrayLike",
        random_scores: "npt.ArrayLike",
        *,
        score_name: str | Sequence[str] = "score",
    ) -> None:
        self.block_size_km = np.asarray(block_size_km, dtype=np.float64)
        self.scores = np.asarray(scores, dtype=np.float64)
        self.random_scores = np.asarray(random_scores, dtype=np.float64)
        self.score_name = score_name

    @classmethod
    def from_report(
        cls, report: Any, *, score_name: str | Sequence[str] | None = None, ax: Any = None, **plot_options: Any
    ) -> Self:
        """Draw a report.

        Parameters
        ----------
        report : object
            Has the attributes ``block_size_km``, ``scores`` and ``random_scores``. ``report["roc_auc"]`` is the report
            of one of several metrics.
        score_name : str or sequence of str, default=None
            Name and unit of the scores. None takes the names of the metrics, as the report has them.
        ax : matplotlib Axes or sequence of them, default=None
            One for each metric; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        LeakageDisplay
        """
        # Any object with these attributes is a report: users may compute the scores in their own way.
        missing = [name for name in ("block_size_km", "scores", "random_scores") if not hasattr(report, name)]
        if missing:
            raise AttributeError(
                f"report, a {type(report).__name__}, has no {', '.join(missing)}: give the arrays to LeakageDisplay."
            )
        if score_name is None:
            metrics = getattr(report, "metrics", ("score",))
            score_name = list(metrics) if np.ndim(report.scores) == 3 else metrics[0]
        display = cls(report.block_size_km, report.scores, report.random_scores, score_name=score_name)
        return display.plot(ax, **plot_options)

    def plot(self, ax: Any = None) -> Self:
        """Draw the scores: means as lines, every split as a dot.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            One for each metric; None makes a figure.

        Returns
        -------
        LeakageDisplay
        """
        names = self._check()
        if self.scores.ndim == 2:
            self.figure_, self.ax_ = one_axes(ax, 3.0, 5.0)
            self.line_, self.random_line_, self.points_ = self._draw(
                self.ax_, self.scores, self.random_scores, names[0]
            )
            return self
        number = len(names)
        axes = new_figure(3.0 * number, 5.0, nrows=number, squeeze=False)[1] if ax is None else ax
        self.ax_ = several_axes(axes, number)
        self.figure_ = self.ax_[0].figure
        scores, random = np.moveaxis(self.scores, 2, 0), self.random_scores.T
        artists = [self._draw(*panel) for panel in zip(self.ax_, scores, random, names, strict=True)]
        self.line_, self.random_line_, self.points_ = (list(kind) for kind in zip(*artists, strict=True))
        return self

    def _draw(self, drawn: "Axes", scores: FloatArray, random: FloatArray, name: str) -> tuple[Any, Any, Any]:
        """Draw one metric. Returns the line of the means over blocks, the line of the random folds, and the dots."""
        size = self.block_size_km
        style: dict[str, Any] = {"linewidth": 1.6, "marker": "o", "markersize": 5.0}
        mean = mean_and_std(scores, axis=1)[0]
        (line,) = drawn.plot(size, mean, color=CATEGORIES[0], label="blocks held out", zorder=3.0, **style)
        # One dot for each fold, around the line of the means.
        every = np.broadcast_to(size[:, np.newaxis], scores.shape)
        points = drawn.scatter(every, scores, s=9.0, color=CATEGORIES[0], alpha=0.4, linewidths=0.0)
        style = {"color": CATEGORIES[5], "linewidth": 1.6, "linestyle": "--", "label": "random folds"}
        random_line = drawn.axhline(float(np.nanmean(random)), **style)
        # The band holds the scores of all random folds.
        ends = float(np.nanmin(random)), float(np.nanmax(random))
        drawn.axhspan(*ends, color=CATEGORIES[5], alpha=0.15, linewidth=0.0)
        if size.size > 1 and size[-1] >= _MIN_LOG_RANGE_FACTOR * size[0]:
            drawn.set_xscale("log")
            drawn.set_xticks(size, [f"{value:g}" for value in size])
            drawn.minorticks_off()
        drawn.set(xlabel="size of the blocks (km)", ylabel=name)
        drawn.legend(frameon=False, fontsize="small", loc="best")
        plain_axes(drawn)
        return line, random_line, points

    def _check(self) -> list[str]:
        """Raise ValueError unless shapes agree and sizes are positive and ascending; return a name for each metric."""
        size, scores, random = self.block_size_km, self.scores, self.random_scores
        rising = size.ndim == 1 and size.size > 0 and bool((np.diff(size, prepend=0.0) > 0.0).all())
        check_parameter(
            "block_size_km", size.tolist(), rising and bool(np.isfinite(size).all()), "positive, rising sizes"
        )
        if scores.ndim not in (2, 3) or len(scores) != size.size or 0 in scores.shape:
            raise ValueError(f"scores has shape {scores.shape}: expected ({size.size}, n_splits), a row for each size.")
        # Scores have a third axis if there are several metrics.
        metrics = scores.shape[2:]
        if random.ndim != scores.ndim - 1 or random.shape[1:] != metrics or np.isnan(random).all(axis=0).any():
            expected = ", ".join(["n_splits", *map(str, metrics)]) + "," * (not metrics)
            raise ValueError(f"random_scores has shape {random.shape}: expected ({expected}), some of them finite.")
        names = [self.score_name] if isinstance(self.score_name, str) else list(self.score_name)
        number = metrics[0] if metrics else 1
        check_parameter("score_name", self.score_name, len(names) == number, f"{number} names, one for each metric")
        return names
