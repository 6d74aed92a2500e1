"""A model projected back to a map, with its power by degree."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from skgeo._grid import LatLonGrid
from skgeo._kernels.domain import point_coefficients
from skgeo._kernels.harmonics import degrees_and_orders
from skgeo._typing import FloatArray
from skgeo._validation import check_degree, check_flag
from skgeo.inspection._arguments import Grid, check_cell_values, check_grid
from skgeo.inspection._maps import (
    CATEGORIES,
    WIDTH,
    Map,
    colour_bar,
    colours,
    new_figure,
    refuse_axes,
    several_axes,
    values_inside_mask,
    with_unit,
)
from skgeo.inspection._models import at_places, max_degree_of, response_of
from skgeo.inspection._projections import extent_of
from skgeo.inspection._spectrum import half_wave_axis, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ResponseDisplay"]

# Largest degree of the spectrum for models without a parameter max_degree.
_DEFAULT_MAX_DEGREE = 40
# Up to this number of degrees, each has a marker on the line.
_MAX_MARKERS = 60
# From this number of degrees on, the axis of degrees is logarithmic.
_MIN_LOG_DEGREES = 13
# Power below this share of the largest is rounding, and not drawn.
_POWER_ROUNDING = 1e-12


class ResponseDisplay:
    """The response of a model to places, as a map, and below it the power of each degree of harmonics.

    A linear model on an embedding is a function on the sphere, and a map of it is easier to understand than its
    coefficients. The power shows the scales at which the function varies. If the power is still large at the last
    degree, the degree is too low or the regularisation too weak.

    Parameters
    ----------
    values : array-like of the shape of the grid
        The response.
    grid : LatLonGrid or CellGrid
        The grid of the values. Cells outside of its mask are grey.
    power : array-like of shape (max_degree + 1,)
        Mean square over the sphere of the part of the response in each degree.
    label : str, default="response"
        Quantity of the response.
    unit : str, default=""
        Unit of the response.
    signed : bool, default=False
        The colours are symmetric about zero, which is white.

    Attributes
    ----------
    values, grid, power, label, unit, signed
        The parameters.
    ax_, figure_ : matplotlib Axes and Figure
        The map.
    power_ax_ : matplotlib Axes or None
        The axes of the power, below the map.
    mappable_ : matplotlib artist
        The cells.
    line_ : matplotlib artist or None
        The power.
    colorbar_ : matplotlib Colorbar or None
        The colour bar.

    Raises
    ------
    ValueError
        If shapes do not fit, the model has several outputs, or a parameter is invalid.
    NotFittedError
        From ``from_estimator``, if the estimator is not fitted.
    ImportError
        From ``plot``, without matplotlib.

    See Also
    --------
    skgeo.inspection.PredictionMapDisplay : The map alone, and residuals.

    Notes
    -----
    The coefficients follow from the response f at nodes, which are Gauss-Legendre latitudes and evenly spaced
    longitudes: c_lm = sum over nodes of weight f Y_lm. The sum is exact if f has degrees up to ``max_degree`` only. A
    linear model on SphericalHarmonics or on an unclipped SphericalHarmonicPCA is such an f. For a smooth f the sum is
    nearly exact. The power of degree l is the sum over m of c_lm^2 / 4 pi; all degrees together are the mean square of
    the response (Parseval). The power is that of the whole sphere, even if the model was fitted in a region.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.encoders import SphericalHarmonics
    >>> from skgeo.inspection import ResponseDisplay
    >>> X = fibonacci_lattice(500)
    >>> y = 30 * np.sin(np.radians(X[:, 0]))
    >>> model = make_pipeline(SphericalHarmonics(4), Ridge(1e-6)).fit(X, y)
    >>> display = ResponseDisplay.from_estimator(model, unit="°C")
    >>> (display.power + 0.0).round(2)  # 30^2 times the mean of sin^2, a third, in degree 1
    array([  0., 300.,   0.,   0.,   0.])
    """

    ax_: "Axes"
    figure_: "Figure"
    power_ax_: Any
    mappable_: Any
    line_: Any
    colorbar_: Any

    def __init__(
        self,
        values: "npt.ArrayLike",
        grid: Grid,
        power: "npt.ArrayLike",
        *,
        label: str = "response",
        unit: str = "",
        signed: bool = False,
    ) -> None:
        self.values = np.asarray(values)
        self.grid = check_grid(grid, 1.0)
        self.power = np.asarray(power)
        self.label = label
        self.unit = unit
        self.signed = signed

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        grid: Any = None,
        max_degree: int | None = None,
        label: str = "response",
        unit: str = "",
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Evaluate a fitted model on a grid and on the sphere, and draw both.

        Parameters
        ----------
        estimator : regressor or classifier of two classes
            A model that was fitted on places, such as ``make_pipeline(SphericalHarmonics(20), Ridge())``. For a
            classifier, the decision function is drawn.
        grid : LatLonGrid, CellGrid or xarray object, default=None
            The cells of the map. Cells outside of its mask are grey. None is the whole Earth at one degree.
        max_degree : int, default=None
            The last degree whose power is shown. None is the ``max_degree`` of the encoder, or 40 if the encoder has
            none.
        label : str, default="response"
            Quantity of the response.
        unit : str, default=""
            Unit of the response.
        ax : matplotlib Axes or two of them, default=None
            For the map, or for the map and the power; None makes a figure of both.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        ResponseDisplay
        """
        check_is_fitted(estimator)
        grid = check_grid(grid, 1.0)
        known = max_degree_of(estimator)
        degree = check_degree((_DEFAULT_MAX_DEGREE if known is None else known) if max_degree is None else max_degree)
        # A decision function is signed and, unlike probabilities, not cut off at 0 and 1.
        signed = is_classifier(estimator)
        function, _ = response_of(estimator, "decision_function" if signed else "predict")
        values = at_places(function, estimator, grid, _single)
        power = power_by_degree(function, estimator, degree)
        display = cls(values, grid, power, label=label, unit=unit, signed=signed)
        return display.plot(ax, **plot_options)

    def plot(
        self,
        ax: "Axes | Any" = None,
        *,
        projection: str = "auto",
        center: tuple[float, float] | None = None,
        coastlines: bool = True,
        cmap: Any = None,
        vmin: float | None = None,
        vmax: float | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the map and the power.

        Parameters
        ----------
        ax : matplotlib Axes or two of them, default=None
            For the map, or for the map and the power; None makes a figure of both.
        projection : {"auto", "equal_earth", "orthographic", "plate_carree"}, default="auto"
            "auto" shows the world as Equal Earth, regions in degrees, and caps around a pole from above.
        center : (float, float), default=None
            Latitude and longitude of the centre of the map; only the longitude counts for Equal Earth.
        coastlines : bool, default=True
            Draw the coasts of the bundled land mask.
        cmap : str or Colormap, default=None
            None is "viridis", or a diverging colour map, white at zero, for a decision function.
        vmin, vmax : float, default=None
            Ends of the colours; None is the range of the values.
        colorbar : bool, default=True
            Draw the colour bar.

        Returns
        -------
        ResponseDisplay
        """
        check_cell_values(self.values, self.grid)
        check_flag("colorbar", colorbar)
        inside = values_inside_mask(self.grid, self.values)
        style = colours(inside, signed=self.signed, cmap=cmap, vmin=vmin, vmax=vmax)
        # With one given axes, there is no place for the power.
        axes = self._axes(ax)
        self.ax_, self.figure_, self.power_ax_ = axes[0], axes[0].figure, None
        self.line_, self.colorbar_ = None, None
        drawn = Map(self.ax_, extent_of(self.grid), projection=projection, center=center, coastlines=coastlines)
        self.mappable_ = drawn.cells(self.grid, self.values, **style)
        if colorbar:
            label = with_unit(self.label, self.unit)
            self.colorbar_ = colour_bar(self.figure_, self.mappable_, self.ax_, label, inside)
        if len(axes) == 2:
            self._plot_power(axes[1])
        return self

    def _axes(self, ax: Any) -> list[Any]:
        """Axes of the map and of the power, or of the map only if the user gives one."""
        if ax is None:
            return list(new_figure(6.2, WIDTH, nrows=2, height_ratios=(2.6, 1.0))[1])
        if np.size(np.asarray(ax, dtype=object)) not in (1, 2):
            refuse_axes(ax, "None, one matplotlib Axes for the map, or two for the map and the power")
        return several_axes(ax, np.size(np.asarray(ax, dtype=object)))

    def _plot_power(self, ax: Any) -> None:
        """Draw the power of each degree from 1 on, on a logarithmic axis."""
        self.power_ax_ = ax
        degree = np.arange(1, self.power.size)
        shown = np.where(
            self.power[1:] > _POWER_ROUNDING * max(float(self.power[1:].max()), 1e-300), self.power[1:], np.nan
        )
        marker = {"marker": "o", "markersize": 3.5} if degree.size <= _MAX_MARKERS else {}
        (self.line_,) = ax.plot(degree, shown, color=CATEGORIES[0], linewidth=1.4, **marker)
        ax.set_yscale("log")
        if degree.size >= _MIN_LOG_DEGREES:
            ax.set_xscale("log")
            # A logarithmic axis would label powers of ten only.
            ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500) if tick <= degree[-1]]
            ax.set_xticks(ticks, [str(tick) for tick in ticks])
            ax.minorticks_off()
            ax.set_xlim(0.9, 1.1 * degree[-1])
        else:
            ax.set_xticks(degree)
            ax.set_xlim(0.7, degree[-1] + 0.3)
        unit = f" ({self.unit})²" if self.unit else ""
        ax.set(xlabel="degree", ylabel=f"mean square{unit}")
        plain_axes(ax)
        half_wave_axis(ax)


def _single(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The output (n,) of a model with one output; raises ValueError if it has several."""
    if values.ndim > 1 and values.shape[1] > 1:
        raise ValueError(f"The model has {values.shape[1]} outputs: expected one. Draw them one by one.")
    return values.reshape(len(values))


def power_by_degree(function: Any, estimator: Any, max_degree: int) -> FloatArray:
    """Mean square over the sphere of the response of a model, in each degree to ``max_degree``.

    The nodes are exact for responses up to three times this degree: power in higher degrees hardly changes the result.
    """
    sine, weight = np.polynomial.legendre.leggauss(2 * max_degree + 1)
    nodes = LatLonGrid(np.degrees(np.arcsin(sine)), np.linspace(0.0, 360.0, 4 * max_degree + 1, endpoint=False))
    # Quadrature weights of the nodes: their sum is the area of the sphere.
    weight *= 2.0 * np.pi / nodes.shape[1]
    values = weight[:, np.newaxis] * at_places(function, estimator, nodes, _single)
    latitude, longitude = nodes.points().T
    coefficients = point_coefficients(latitude, longitude, values.ravel(), max_degree)
    return np.bincount(degrees_and_orders(max_degree)[0], weights=np.square(coefficients)) / (4.0 * np.pi)
