"""Basis functions on the globe."""

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._base import steps_of
from skgeo._pca import SphericalHarmonicPCA
from skgeo._validation import check_flag, check_parameter, is_integer
from skgeo.inspection._arguments import Grid, check_grid
from skgeo.inspection._maps import (
    WIDTH,
    Map,
    colour_bar,
    colours,
    height_of_width,
    new_figure,
    several_axes,
    values_inside_mask,
)
from skgeo.inspection._models import at_places, chosen_columns, column_title, output_names
from skgeo.inspection._projections import extent_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BasisDisplay"]

# Default number of components, from the first on.
_DEFAULT_COMPONENTS = 6
# A figure has at least this number of maps before it gets a fourth column.
_MIN_MAPS_FOR_FOUR_COLUMNS = 8
# Limits in inches and in widths of a panel, so that a figure fits on a page.
_MAX_HEIGHT_INCHES, _MAX_PANEL_HEIGHT = 9.0, 1.3


class BasisDisplay:
    """Maps of basis functions: the output columns of an encoder of places.

    Parameters
    ----------
    values : array-like of shape (n_lat, n_lon, n_components) or that of a CellGrid and n_components
        The values of the components.
    grid : LatLonGrid or CellGrid
        The grid of the values. Cells outside of its mask are grey.
    names : list of str
        A title for each map.
    label : str, default=""
        Quantity and unit of the values.
    limit : float, default=None
        The colours go from ``-limit`` to ``limit``. None is the largest absolute value inside the mask.

    Attributes
    ----------
    values, grid, names, label, limit
        The parameters.
    axes_ : ndarray of matplotlib Axes
        One for each map.
    figure_ : matplotlib Figure
        The figure of all maps.
    mappables_ : list
        The artist of each map.
    colorbar_ : matplotlib Colorbar or None
        The colour bar of all maps.

    Raises
    ------
    ValueError
        If a shape, a component or a parameter of the map is invalid.
    NotFittedError
        From ``from_estimator``, if the estimator is not fitted.
    ImportError
        From ``plot``, without matplotlib.

    See Also
    --------
    skgeo.inspection.SpectrumDisplay : How much variance each component has.
    skgeo.inspection.EmbeddingMapDisplay : Three columns at once, as colours.

    Examples
    --------
    The first two components of a hemisphere have the same variance. The second is the first, turned about the pole by a
    quarter of a circle, which is 18 columns of 5 degrees:

    >>> import numpy as np
    >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
    >>> from skgeo.inspection import BasisDisplay
    >>> north = LatLonGrid(np.arange(2.5, 90, 5), np.arange(2.5, 360, 5))
    >>> basis = SphericalHarmonicPCA(max_degree=4, n_components=10).fit(north)
    >>> display = BasisDisplay.from_estimator(basis, components=[0, 1], grid=north)
    >>> [ax.get_title() for ax in display.axes_]
    ['component 0', 'component 1']
    >>> display.values.shape, display.limit
    ((18, 72, 2), 3.0)
    >>> first, second = display.values[..., 0], display.values[..., 1]
    >>> bool(np.allclose(second, np.roll(first, -18, axis=1), atol=1e-5))
    True
    """

    axes_: npt.NDArray[Any]
    figure_: "Figure"
    mappables_: list[Any]
    colorbar_: Any

    def __init__(
        self, values: "npt.ArrayLike", grid: Grid, names: list[str], *, label: str = "", limit: float | None = None
    ) -> None:
        self.values = np.asarray(values)
        self.grid = check_grid(grid, 1.0)
        self.names = names
        self.label = label
        self.limit = limit

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        components: Any = None,
        *,
        grid: Any = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Evaluate columns of a fitted encoder on a grid, and draw them.

        Parameters
        ----------
        estimator : transformer of places
            A fitted SphericalHarmonicPCA, an encoder of ``skgeo.encoders``, or a Pipeline that ends with one.
        components : int or sequence of int or str, default=None
            The columns to draw: an int is the number of columns from the first on; a sequence has numbers or names.
            None is the first six.
        grid : LatLonGrid, CellGrid or xarray object, default=None
            The places to evaluate, for instance the domain of the fit. Cells outside of the mask are grey. None is the
            whole Earth at half a degree.
        ax : matplotlib Axes or sequence of them, default=None
            One for each map; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        BasisDisplay
        """
        check_is_fitted(estimator)
        grid = check_grid(grid, 0.5)
        names = output_names(estimator)
        components = _DEFAULT_COMPONENTS if components is None else components
        if is_integer(components):
            check_parameter("components", components, components >= 1, "at least 1 component")
            components = range(min(int(components), len(names)))
        columns = chosen_columns("components", components, names)
        values = at_places(estimator.transform, estimator, grid, lambda block: block[:, columns])
        # Components of SphericalHarmonicPCA are standardised and clipped; other encoders have no natural limit.
        last = steps_of(estimator)[-1]
        standard = isinstance(last, SphericalHarmonicPCA)
        display = cls(
            values,
            grid,
            [column_title(names[column]) for column in columns],
            label="standard deviations" if standard else "value of the basis function",
            limit=last.clip if standard else None,
        )
        return display.plot(ax, **plot_options)

    def plot(
        self,
        ax: "Axes | Any" = None,
        *,
        projection: str = "auto",
        center: tuple[float, float] | None = None,
        coastlines: bool = True,
        n_columns: int | None = None,
        cmap: Any = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the maps.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            One for each map; None makes a figure. Axes of cartopy keep their projection.
        projection : {"auto", "equal_earth", "orthographic", "plate_carree"}, default="auto"
            "auto" shows the world as Equal Earth, regions in degrees, and caps around a pole from above.
        center : (float, float), default=None
            Latitude and longitude of the centre of the map; only the longitude counts for Equal Earth.
        coastlines : bool, default=True
            Draw the coasts of the bundled land mask.
        n_columns : int, default=None
            Number of maps in a row. None is 3, or 4 for four maps and for eight or more.
        cmap : str or Colormap, default=None
            None is a diverging colour map, white at zero.
        colorbar : bool, default=True
            Draw one colour bar for all maps.

        Returns
        -------
        BasisDisplay
        """
        self._check()
        check_flag("colorbar", colorbar)
        number = len(self.names)
        if n_columns is None:
            n_columns = min(number, 4 if number >= _MIN_MAPS_FOR_FOUR_COLUMNS or number == 4 else 3)
        check_parameter("n_columns", n_columns, is_integer(n_columns) and n_columns >= 1, "an integer, at least 1")
        axes = (
            self._new_axes(n_columns, projection, center, colorbar=colorbar) if ax is None else several_axes(ax, number)
        )
        # Values outside of the mask are grey and must not determine the colours.
        inside = values_inside_mask(self.grid, self.values)
        limit = self.limit if self.limit is not None else float(np.nanmax(np.abs(inside)))
        style = colours(self.values, signed=True, cmap=cmap, vmin=-limit, vmax=limit)
        self.axes_, self.figure_ = np.array(axes, dtype=object), axes[0].figure
        self.mappables_, self.colorbar_ = [], None
        extent = extent_of(self.grid)
        for i, panel in enumerate(axes):
            drawn = Map(panel, extent, projection=projection, center=center, coastlines=coastlines, labels=number == 1)
            self.mappables_.append(drawn.cells(self.grid, self.values[..., i], **style))
            panel.set_title(self.names[i], fontsize="medium" if number == 1 else "small", pad=3.0)
            # In a table of maps, only those at the left and at the bottom show degrees.
            if ax is None and drawn.rim is None:
                panel.tick_params(labelleft=i % n_columns == 0, labelbottom=i + n_columns >= number)
        if colorbar:
            self.colorbar_ = colour_bar(self.figure_, self.mappables_[0], axes, self.label, inside)
        return self

    def _new_axes(
        self, n_columns: int, projection: str, center: tuple[float, float] | None, *, colorbar: bool
    ) -> list[Any]:
        """One axes for each map, in a new figure."""
        number = len(self.names)
        n_rows = math.ceil(number / n_columns)
        panel = (
            WIDTH / n_columns * min(height_of_width(extent_of(self.grid), projection, center), _MAX_PANEL_HEIGHT) + 0.2
        )
        height = min(n_rows * panel, _MAX_HEIGHT_INCHES) + 0.6 * colorbar
        figure, axes = new_figure(height, nrows=n_rows, ncols=n_columns, squeeze=False)
        # The last row may have fewer maps than columns: remove the empty axes.
        for spare in axes.flat[number:]:
            figure.delaxes(spare)
        return list(axes.flat[:number])

    def _check(self) -> None:
        """Raise ValueError unless there is a value for each cell and each name."""
        expected = (*self.grid.shape, len(self.names))
        if self.values.shape != expected:
            raise ValueError(
                f"values has shape {self.values.shape}: expected {expected}, that of the grid and one for each name."
            )
