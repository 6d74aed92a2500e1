"""Where the folds of a cross-validation are."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_consistent_length

from skgeo._input.coordinates import warn_radians
from skgeo._input.numbers import shortened
from skgeo._kernels.sphere import unit_vectors
from skgeo._validation import check_flag, check_parameter, is_integer
from skgeo.inspection._maps import CATEGORIES, colour_bar, colours, legend, one_map, plotting
from skgeo.inspection._models import are_names, points_of_samples
from skgeo.inspection._projections import extent_of, padded
from skgeo.model_selection._base import LocationSplitter, names_in, splits_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FoldDisplay"]

#: The role of a sample in a fold, as in the array ``roles``.
ROLE_EXCLUDED, ROLE_TRAINING, ROLE_TEST = 0, 1, 2
# Range of the size of dots in square points, and the area that all dots share.
_MIN_DOT_POINTS, _MAX_DOT_POINTS, _ALL_DOTS_POINTS = 2.0, 24.0, 12_000.0


class FoldDisplay:
    """Samples on a map, coloured by the fold that tests them, or by their role in one fold.

    Parameters
    ----------
    coordinates : array-like or DataFrame of shape (n_samples, 2)
        Latitude and longitude in degrees.
    roles : array-like of shape (n_folds, n_samples)
        What each fold does with each sample: 0 leaves it out, 1 trains on it, 2 tests it. Splitters with a buffer leave
        out the samples close to the test samples.

    Attributes
    ----------
    coordinates, roles
        The parameters.
    test_fold_ : ndarray of shape (n_samples,)
        The first fold that tests the sample; -1 if no fold does.
    ax_, figure_ : matplotlib Axes and Figure
        The axes and the figure of the picture.
    points_ : dict of str to matplotlib artist
        The dots of each entry of the legend; with a colour bar, all dots under the name "fold".
    legend_ : matplotlib Legend or None
        The legend.

    Raises
    ------
    CoordinateError
        If coordinates are not latitude and longitude in degrees.
    ValueError
        If roles do not fit, there is no such fold, or a parameter of the map is invalid.
    ImportError
        From ``plot``, without matplotlib.

    Warns
    -----
    CoordinateWarning
        If coordinates look like radians.

    See Also
    --------
    skgeo.inspection.LeakageDisplay : What the folds do to the score.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.inspection import FoldDisplay
    >>> display = FoldDisplay.from_splitter(KFold(3), fibonacci_lattice(30))
    >>> display.test_fold_
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
           2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    >>> display.plot(fold=0).points_["trained on"].get_offsets().shape
    (20, 2)
    """

    test_fold_: npt.NDArray[np.intp]
    ax_: "Axes"
    figure_: "Figure"
    points_: dict[str, Any]
    legend_: Any

    def __init__(self, coordinates: Any, roles: "npt.ArrayLike") -> None:
        self.coordinates = coordinates
        self.roles = np.asarray(roles)

    @classmethod
    def from_splitter(
        cls,
        splitter: Any,
        X: Any,
        y: Any = None,
        groups: Any = None,
        *,
        coordinates: Any = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Split samples, and draw where the folds are.

        Parameters
        ----------
        splitter : cross-validation splitter or iterable
            Anything with scikit-learn's ``split(X, y, groups)``, or (train, test) pairs of row numbers.
        X : array-like or DataFrame of shape (n_samples, n_features)
            The samples that are split. Their latitudes and longitudes are in X, or in ``coordinates``. Splitters of
            ``skgeo.model_selection`` take grids, too.
        y : array-like of shape (n_samples,), default=None
            The target, for splitters that use it.
        groups : array-like of shape (n_samples,), default=None
            Groups, for splitters that look at them.
        coordinates : (str, str), array-like, DataFrame or GeoSeries with n_samples rows, default=None
            Names of the columns of X, or latitude and longitude in degrees. Splitters of ``skgeo.model_selection`` get
            these, too. None takes X, with the names that the splitter has.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        FoldDisplay
        """
        by_place = isinstance(splitter, LocationSplitter)
        # LocationSplitter.split reads groups as coordinates, too.
        coordinates = groups if by_place and coordinates is None else coordinates
        names, beside = (coordinates, None) if are_names(coordinates) else (None, coordinates)
        names = splitter.coordinates if by_place and names is None else names
        points = points_of_samples(X, names) if beside is None else points_of_samples(beside, names_in(beside, names))
        if by_place:
            check_consistent_length(y, points)
            splits = splits_of(splitter, unit_vectors(*points.T), y)
        else:
            splits = _splits(splitter, X, y, groups)
        return cls(points, _roles(splits, len(points))).plot(ax, **plot_options)

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        fold: int | None = None,
        projection: str = "auto",
        center: tuple[float, float] | None = None,
        coastlines: bool = True,
        s: float | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure. Axes of cartopy keep their projection.
        fold : int, default=None
            Show what this fold does with each sample: test it, train on it or leave it out. None colours all samples by
            the fold that tests them.
        projection : {"auto", "equal_earth", "orthographic", "plate_carree"}, default="auto"
            "auto" shows the world as Equal Earth, regions in degrees, and caps around a pole from above.
        center : (float, float), default=None
            Latitude and longitude of the centre of the map; only the longitude counts for Equal Earth.
        coastlines : bool, default=True
            Draw the coasts of the bundled land mask.
        s : float, default=None
            Area of a dot in square points. None makes dots smaller if there are many.
        colorbar : bool, default=True
            Draw the legend, or the colour bar of more than seven folds.

        Returns
        -------
        FoldDisplay
        """
        check_flag("colorbar", colorbar)
        points = points_of_samples(self.coordinates)
        warn_radians(*points.T)
        self._check(len(points), fold)
        # The first fold that tests a sample; -1 for samples that no fold tests.
        in_test = self.roles == ROLE_TEST
        self.test_fold_ = np.where(in_test.any(axis=0), in_test.argmax(axis=0), -1)
        extent = padded(extent_of(points))
        self.figure_, drawn = one_map(
            ax, extent, projection=projection, center=center, coastlines=coastlines, below=0.6
        )
        self.ax_, self.legend_ = drawn.ax, None
        size = dot_size(len(points)) if s is None else s
        if fold is None and len(self.roles) > len(CATEGORIES):
            self._plot_many(drawn, points, size, colorbar=colorbar)
            return self
        self.points_ = {}
        for name, chosen, style in self._groups(fold, size):
            if chosen.any():
                self.points_[name] = drawn.points(*points[chosen].T, label=name, **style)
        if colorbar:
            # Small dots are enlarged in the legend, so that readers can see their colours.
            factor = max(1.0, (_MAX_DOT_POINTS / size) ** 0.5)
            self.legend_ = legend(self.ax_, len(self.points_), markerscale=factor)
        return self

    def _groups(self, fold: int | None, size: float) -> list[tuple[str, npt.NDArray[np.bool_], dict[str, Any]]]:
        """For each entry of the legend: its text, its samples (n,) and their style.

        Test samples lie on top of training samples (zorder 3), excluded samples below both.
        """
        excluded = {"s": size, "facecolors": "none", "edgecolors": "0.45", "linewidths": 0.6, "zorder": 2.9}
        filled = {"s": size, "linewidths": 0.0}
        if fold is not None:
            role = self.roles[fold]
            return [
                ("tested", role == ROLE_TEST, {**filled, "color": CATEGORIES[5], "zorder": 3.1}),
                ("trained on", role == ROLE_TRAINING, {**filled, "color": CATEGORIES[4]}),
                ("left out", role == ROLE_EXCLUDED, excluded),
            ]
        groups = [
            (f"fold {number}", self.test_fold_ == number, {**filled, "color": CATEGORIES[number]})
            for number in range(len(self.roles))
        ]
        return [*groups, ("never tested", self.test_fold_ < 0, excluded)]

    def _plot_many(self, drawn: Any, points: npt.NDArray[np.float64], size: float, *, colorbar: bool) -> None:
        """Draw more folds than there are distinct colours: with a colour map and a colour bar."""
        values = np.where(self.test_fold_ < 0, np.nan, self.test_fold_)
        style = colours(values, signed=False, cmap="viridis")
        cells = drawn.points(*points.T, values, s=size, linewidths=0.0, plotnonfinite=True, **style)
        self.points_ = {"fold": cells}
        if colorbar:
            bar = colour_bar(self.figure_, cells, self.ax_, "fold that tests the sample", values)
            bar.locator = plotting("ticker").MaxNLocator(8, integer=True)
            bar.update_ticks()

    def _check(self, number: int, fold: int | None) -> None:
        """Raise ValueError unless there is a role for each fold and sample, and the fold exists."""
        if self.roles.ndim != 2 or self.roles.shape[1] != number or not np.isin(self.roles, (0, 1, 2)).all():
            raise ValueError(
                f"roles has shape {self.roles.shape}: expected (n_folds, {number}), of 0 (left out), 1 (trained on) "
                "and 2 (tested)."
            )
        valid = fold is None or (is_integer(fold) and 0 <= fold < len(self.roles))
        check_parameter("fold", fold, valid, f"None or the number of a fold, from 0 to {len(self.roles) - 1}")


def _splits(splitter: Any, X: Any, y: Any, groups: Any) -> list[Any]:
    """The splits of a splitter, or of an iterable of (train, test) pairs."""
    accepted = "an object with split(X, y, groups), or an iterable of (train, test) pairs"
    if hasattr(splitter, "split") and not isinstance(splitter, str):
        return list(splitter.split(X, y, groups))
    check_parameter("splitter", splitter, isinstance(splitter, Iterable), accepted)
    splits = list(splitter)
    pairs = not isinstance(splitter, str) and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in splits)
    check_parameter("splitter", splits, pairs and len(splits) > 0, accepted)
    return splits


def _roles(splits: list[Any], number: int) -> npt.NDArray[np.int8]:
    """The role (n_splits, number) of each sample in each split, whose rows are numbers or a boolean mask."""
    roles = np.full((len(splits), number), ROLE_EXCLUDED, dtype=np.int8)
    for fold, (fold_roles, split) in enumerate(zip(roles, splits, strict=True)):
        for rows, role in zip(map(np.asarray, split), (ROLE_TRAINING, ROLE_TEST), strict=True):
            # Masks must have one value for each sample; row numbers must exist.
            masks = rows.dtype.kind == "b" and rows.shape == (number,)
            numbers = rows.ndim == 1 and rows.dtype.kind in "iu" and bool(((rows >= 0) & (rows < number)).all())
            if rows.size and not masks and not numbers:
                raise ValueError(
                    f"splitter: split {fold} has rows {shortened(repr(rows))}: expected row numbers from 0 to "
                    f"{number - 1}, because X has {number} samples. Is X the data that was split?"
                )
            # An empty list of rows becomes an array of floats, which is no index.
            fold_roles[rows if rows.size else []] = role
    return roles


def dot_size(number: int) -> float:
    """Size of a dot in square points: the more dots, the smaller, so that they do not merge."""
    return float(np.clip(_ALL_DOTS_POINTS / max(number, 1), _MIN_DOT_POINTS, _MAX_DOT_POINTS))
