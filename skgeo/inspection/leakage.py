"""What random folds hide: scores against the size of the blocks that are held out."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from skgeo._parameters import check_parameter
from skgeo.inspection._maps import CATEGORIES, one_axes
from skgeo.inspection.spectrum import plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LeakageDisplay"]


class LeakageDisplay:
    """Scores of a model in random folds and in blocks of growing size.

    Where neighbours are alike, a random fold holds out samples whose neighbours the model has seen. The gap between
    both lines is what such a score promises too much for places farther away.

    Parameters
    ----------
    block_size_km : array-like of shape (n_sizes,)
        Sizes of the blocks in kilometres, positive, rising.
    scores : array-like of shape (n_sizes, n_splits)
        Scores with blocks of each size; NaN where a split could not be scored.
    random_scores : array-like of shape (n_splits,)
        Scores with random folds.
    score_name : str, default="score"
        What the scores are, with their unit.

    Attributes
    ----------
    block_size_km, scores, random_scores, score_name
        As given.
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.
    line_, random_line_ : matplotlib artists
        The mean scores.
    points_ : matplotlib artist
        The scores of all splits.

    Raises
    ------
    ValueError
        If shapes do not fit or sizes are not positive and rising.
    AttributeError
        From ``from_report``, if the report lacks one of the three.
    ImportError
        From ``plot``, without matplotlib.

    See Also
    --------
    skgeo.inspection.FoldDisplay : Where the folds are.

    Examples
    --------
    >>> from skgeo.inspection import LeakageDisplay
    >>> display = LeakageDisplay([100, 500, 1000], [[0.9, 0.8], [0.7, 0.6], [0.5, 0.5]], [0.95, 0.93], score_name="R²")
    >>> display.plot().ax_.get_xlabel(), display.ax_.get_ylabel()
    ('size of the blocks (km)', 'R²')
    """

    ax_: "Axes"
    figure_: "Figure"
    line_: Any
    random_line_: Any
    points_: Any

    def __init__(
        self,
        block_size_km: npt.ArrayLike,
        scores: npt.ArrayLike,
        random_scores: npt.ArrayLike,
        *,
        score_name: str = "score",
    ) -> None:
        self.block_size_km = np.asarray(block_size_km, dtype=np.float64)
        self.scores = np.asarray(scores, dtype=np.float64)
        self.random_scores = np.asarray(random_scores, dtype=np.float64)
        self.score_name = score_name

    @classmethod
    def from_report(cls, report: Any, *, score_name: str = "score", ax: Any = None, **plot_options: Any) -> Self:
        """Draw what a report holds.

        Parameters
        ----------
        report : object
            Has the attributes ``block_size_km``, ``scores`` and ``random_scores``.
        score_name : str, default="score"
            What the scores are, with their unit.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        LeakageDisplay
        """
        missing = [name for name in ("block_size_km", "scores", "random_scores") if not hasattr(report, name)]
        if missing:
            raise AttributeError(
                f"report, a {type(report).__name__}, has no {', '.join(missing)}: give the arrays to LeakageDisplay."
            )
        display = cls(report.block_size_km, report.scores, report.random_scores, score_name=score_name)
        return display.plot(ax, **plot_options)

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the scores: means as lines, every split as a dot.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        LeakageDisplay
        """
        self._check()
        self.figure_, self.ax_ = one_axes(ax, 3.0, 5.0)
        size, drawn = self.block_size_km, self.ax_
        style: dict[str, Any] = {"linewidth": 1.6, "marker": "o", "markersize": 5.0}
        mean = [float(np.nanmean(row)) if np.isfinite(row).any() else np.nan for row in self.scores]
        (self.line_,) = drawn.plot(size, mean, color=CATEGORIES[0], label="blocks held out", zorder=3.0, **style)
        every = np.broadcast_to(size[:, np.newaxis], self.scores.shape)
        self.points_ = drawn.scatter(every, self.scores, s=9.0, color=CATEGORIES[0], alpha=0.4, linewidths=0.0)
        random = self.random_scores
        label = "random folds"
        self.random_line_ = drawn.axhline(
            float(np.nanmean(random)), color=CATEGORIES[5], linewidth=1.6, linestyle="--", label=label
        )
        drawn.axhspan(
            float(np.nanmin(random)), float(np.nanmax(random)), color=CATEGORIES[5], alpha=0.15, linewidth=0.0
        )
        if size.size > 1 and size[-1] >= 5.0 * size[0]:
            drawn.set_xscale("log")
            drawn.set_xticks(size, [f"{value:g}" for value in size])
            drawn.minorticks_off()
        drawn.set(xlabel="size of the blocks (km)", ylabel=self.score_name)
        drawn.legend(frameon=False, fontsize="small", loc="best")
        plain_axes(drawn)
        return self

    def _check(self) -> None:
        """Shapes that fit, sizes that a logarithmic axis can hold."""
        size, scores, random = self.block_size_km, self.scores, self.random_scores
        rising = size.ndim == 1 and size.size > 0 and bool((np.diff(size, prepend=0.0) > 0.0).all())
        check_parameter(
            "block_size_km", size.tolist(), rising and bool(np.isfinite(size).all()), "positive, rising sizes"
        )
        if scores.ndim != 2 or len(scores) != size.size or scores.shape[1] == 0:
            raise ValueError(f"scores has shape {scores.shape}: expected ({size.size}, n_splits), a row for each size.")
        if random.ndim != 1 or not np.isfinite(random).any():
            raise ValueError(f"random_scores has shape {random.shape}: expected (n_splits,), some of them finite.")
