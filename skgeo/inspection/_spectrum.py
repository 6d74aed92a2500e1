"""The variance of components and of degrees."""

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skgeo._kernels.harmonics import degree_of, degrees_and_orders
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._pca import SphericalHarmonicPCA
from skgeo._validation import check_parameter
from skgeo.inspection._maps import CATEGORIES, LINE, new_figure, plotting, refuse_axes, several_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SpectrumDisplay"]

KINDS = ("both", "component", "degree")
# Room for a label of an axis, such as 20 000.
_LABEL_INCHES = 0.55
# Lengths of half a wavelength in km that may be labelled.
_ROUND_LENGTHS_KM = (20000, 10000, 5000, 2000, 1000, 500, 200, 100, 50, 20, 10)


class SpectrumDisplay:
    """The variance of each component, and of each degree, of a basis.

    Parameters
    ----------
    explained_variance : array-like of shape (n_components,)
        Eigenvalues.
    explained_variance_ratio : array-like of shape (n_components,)
        Shares of the eigenvalues in the total variance.
    shannon_number : float
        Number of components that lie inside the domain.
    power : array-like of shape (max_degree + 1,)
        The share of the total variance that the kept components have in each degree.
    whole_globe : bool, default=False
        Whether the domain is the whole Earth, so that each component has a single degree.

    Attributes
    ----------
    explained_variance, explained_variance_ratio, shannon_number, power, whole_globe
        The parameters.
    axes_ : ndarray of matplotlib Axes
        One for each panel.
    figure_ : matplotlib Figure
        The figure of all panels.
    eigenvalues_, cumulative_, shannon_line_ : matplotlib artists
        The artists of the panel of components; None without this panel.
    bars_ : matplotlib artist
        The bars of the panel of degrees; None without this panel.

    Raises
    ------
    ValueError
        If the estimator is no SphericalHarmonicPCA, ``kind`` is none of the three, or ``ax`` has another number of Axes
        than there are panels.
    NotFittedError
        From ``from_estimator``, if the estimator is not fitted.
    ImportError
        From ``plot``, without matplotlib.

    See Also
    --------
    skgeo.inspection.BasisDisplay : What the components look like.

    Notes
    -----
    The variance of component i in degree l is lambda_i times the sum over m of c_ilm^2, for unit components c_i. A
    degree l has the half wavelength pi R / l, which is 20,015 km / l.

    Examples
    --------
    On the whole globe all harmonics have the same variance, and degree l has 2 l + 1 of them:

    >>> import numpy as np
    >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
    >>> from skgeo.inspection import SpectrumDisplay
    >>> globe = LatLonGrid(np.arange(-85, 90, 10), np.arange(5, 360, 10))
    >>> basis = SphericalHarmonicPCA(max_degree=3).fit(globe)
    >>> display = SpectrumDisplay.from_estimator(basis)
    >>> (display.power * 15).round(6)
    array([0., 3., 5., 7.])
    >>> display.whole_globe
    True
    """

    axes_: npt.NDArray[Any]
    figure_: "Figure"
    eigenvalues_: Any
    cumulative_: Any
    shannon_line_: Any
    bars_: Any

    def __init__(
        self,
        explained_variance: "npt.ArrayLike",
        explained_variance_ratio: "npt.ArrayLike",
        shannon_number: float,
        power: "npt.ArrayLike",
        *,
        whole_globe: bool = False,
    ) -> None:
        self.explained_variance = np.asarray(explained_variance)
        self.explained_variance_ratio = np.asarray(explained_variance_ratio)
        self.shannon_number = shannon_number
        self.power = np.asarray(power)
        self.whole_globe = whole_globe

    @classmethod
    def from_estimator(cls, estimator: SphericalHarmonicPCA, *, ax: Any = None, **plot_options: Any) -> Self:
        """Draw the spectrum of a fitted basis.

        Parameters
        ----------
        estimator : SphericalHarmonicPCA
            A fitted SphericalHarmonicPCA, also inside a FrozenEstimator.
        ax : matplotlib Axes or sequence of them, default=None
            One for each panel; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        SpectrumDisplay
        """
        basis = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
        check_parameter("estimator", basis, isinstance(basis, SphericalHarmonicPCA), "a SphericalHarmonicPCA")
        check_is_fitted(basis)
        degree, _ = degrees_and_orders(degree_of(basis.components_.shape[1]))
        # The share of each harmonic in each component. With a spectrum, rows are not of length 1.
        energy = np.square(basis.components_)
        energy /= np.maximum(energy.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        power = np.bincount(degree, weights=basis.explained_variance_ratio_ @ energy)
        # The Shannon number is the number of all harmonics on the whole globe only.
        whole = math.isclose(basis.shannon_number_, degree.size, rel_tol=1e-6)
        display = cls(
            basis.explained_variance_, basis.explained_variance_ratio_, basis.shannon_number_, power, whole_globe=whole
        )
        return display.plot(ax, **plot_options)

    def plot(self, ax: "Axes | Any" = None, *, kind: str | None = None) -> Self:
        """Draw the spectrum.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            One for each panel; None makes a figure.
        kind : {"both", "component", "degree"}, default=None
            The panel of components, with their cumulative variance and the Shannon number; the panel of degrees, with
            the length of half a wavelength; or both panels. None is both, but "component" for a single given Axes.

        Returns
        -------
        SpectrumDisplay
        """
        if kind is None:
            kind = "component" if hasattr(ax, "transData") else "both"
        check_parameter("kind", kind, kind in KINDS, "'both', 'component', 'degree' or None")
        kinds = KINDS[1:] if kind == "both" else (kind,)
        if ax is None:
            figure, panels = new_figure(2.9, 7.0 if kind == "both" else 4.5, ncols=len(kinds))
            engine: Any = figure.get_layout_engine()
            engine.set(wspace=0.08)
            axes = list(np.ravel(panels))
        elif np.size(np.asarray(ax, dtype=object)) == len(kinds):
            axes = several_axes(ax, len(kinds))
        else:
            refuse_axes(ax, f"None or {len(kinds)} matplotlib Axes for kind={kind!r}")
        self.axes_, self.figure_ = np.array(axes, dtype=object), axes[0].figure
        self.eigenvalues_ = self.cumulative_ = self.shannon_line_ = self.bars_ = None
        for panel, name in zip(axes, kinds, strict=True):
            (self._plot_components if name == "component" else self._plot_degrees)(panel)
        return self

    def _plot_components(self, ax: Any) -> None:
        """Draw eigenvalues relative to the largest, cumulative variance (right axis), and the Shannon number."""
        number = np.arange(1, self.explained_variance.size + 1)
        relative = self.explained_variance / max(float(self.explained_variance.max()), np.finfo(float).tiny)
        share = ax.twinx()
        (self.eigenvalues_,) = ax.plot(number, relative, color=CATEGORIES[0], linewidth=1.4)
        cumulative = 100.0 * np.cumsum(self.explained_variance_ratio)
        (self.cumulative_,) = share.plot(number, cumulative, color=CATEGORIES[5], linewidth=1.4, linestyle="--")
        right = max(number[-1], 2)
        ax.set(xlim=(1, right), ylim=(0.0, 1.05), xlabel="number of components")
        ax.set_ylabel("eigenvalue / largest", color=CATEGORIES[0])
        share.set(ylim=(0.0, 105.0))
        share.set_ylabel("cumulative variance (%)", color=CATEGORIES[5])
        if 1.0 <= self.shannon_number <= right:
            self.shannon_line_ = ax.axvline(self.shannon_number, color=LINE, linewidth=0.9, linestyle=":")
            # The text is on the side of the line with more room.
            side = "right" if self.shannon_number > 0.5 * right else "left"
            where = {"xytext": (-4 if side == "right" else 4, 4), "textcoords": "offset points", "ha": side}
            text = f"Shannon number\n{self.shannon_number:.1f}"
            note = ax.annotate(text, (self.shannon_number, 0.0), **where, va="bottom", fontsize="small", color=LINE)
            note.set_zorder(5)
        plain_axes(ax)
        plain_axes(share, right=True)

    def _plot_degrees(self, ax: Any) -> None:
        """Draw the share of variance of each degree from 1 on, with the lengths of half a wavelength above."""
        degree = np.arange(1, self.power.size)
        self.bars_ = ax.bar(degree, 100.0 * self.power[1:], width=0.8, color=CATEGORIES[0])
        ax.set(xlim=(0.4, self.power.size - 0.4), xlabel="degree", ylabel="variance (%)")
        locator = plotting("ticker").MaxNLocator
        ax.xaxis.set_major_locator(locator(nbins=6, integer=True))
        plain_axes(ax)
        half_wave_axis(ax)


def half_wave_axis(ax: Any) -> Any:
    """A second axis above one of degrees, with the length of half a wavelength, pi R / degree."""
    kilometres = math.pi * EARTH_RADIUS / 1000.0

    def convert(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Degree to length, and length to degree. matplotlib calls the function with 0, too."""
        return kilometres / np.maximum(np.asarray(value, dtype=np.float64), 1e-3)

    low, high = (max(limit, 0.5) for limit in ax.get_xlim())
    above = ax.secondary_xaxis("top", functions=(convert, convert))
    lengths = [length for length in _ROUND_LENGTHS_KM if low <= kilometres / length <= high]
    kept: list[float] = []
    apart = _LABEL_INCHES / (ax.get_position().width * ax.figure.get_figwidth())
    # Skip lengths whose labels would overlap with one that is there.
    for length in lengths:
        position = _position(ax, kilometres / length)
        if all(abs(position - _position(ax, kilometres / other)) > apart for other in kept):
            kept.append(length)
    above.set_xticks(kept, [f"{length:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}") for length in kept])
    above.minorticks_off()
    above.set_xlabel("half a wavelength (km)", fontsize="small")
    above.tick_params(labelsize="small", length=3.0, color=LINE)
    above.spines[:].set(color=LINE, linewidth=0.7)
    return above


def _position(ax: Any, value: float) -> float:
    """The position of a value along the x axis, 0 at its left end and 1 at its right end."""
    low, high = ax.get_xlim()
    if ax.get_xscale() == "log":
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def plain_axes(ax: Any, *, right: bool = False) -> None:
    """Make labels small and lines thin, and remove the frame except for the sides with labels."""
    ax.xaxis.label.set_fontsize("small")
    ax.yaxis.label.set_fontsize("small")
    ax.tick_params(labelsize="small", length=3.0, color=LINE)
    ax.spines[:].set(color=LINE, linewidth=0.7)
    ax.spines["top"].set_visible(False)
    ax.spines["right"].set_visible(right)
    if right:
        ax.spines["left"].set_visible(False)
