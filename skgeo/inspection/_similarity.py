"""The similarity of one place to all others, as a map."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_parameter, is_integer
from skgeo.inspection._arguments import Grid, check_cell_values, check_embedding, check_grid, check_place
from skgeo.inspection._maps import LINE, colour_bar, colours, one_map, values_inside_mask
from skgeo.inspection._models import at_places
from skgeo.inspection._projections import degree_label, extent_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SimilarityDisplay"]


class SimilarityDisplay:
    """The similarity of one place to all others: the cosine of the angle between their embeddings.

    Parameters
    ----------
    values : array-like of the shape of the grid
        Cosine similarities, from -1 to 1.
    grid : LatLonGrid or CellGrid
        The grid of the values. Cells outside of its mask are grey.
    place : (float, float)
        Latitude and longitude of the place, in degrees.

    Attributes
    ----------
    values, grid, place
        The parameters.
    ax_, figure_ : matplotlib Axes and Figure
        The axes and the figure of the picture.
    mappable_ : matplotlib artist
        The cells.
    marker_ : matplotlib artist
        The place.
    colorbar_ : matplotlib Colorbar or None
        The colour bar.

    Raises
    ------
    CoordinateError
        If the place has a latitude outside of [-90, 90] degrees, or a longitude that is not finite.
    ValueError
        If a shape or a parameter of the map is invalid.
    NotFittedError
        From ``from_estimator``, if the estimator is not fitted.
    ImportError
        From ``plot``, without matplotlib.

    See Also
    --------
    skgeo.inspection.EmbeddingMapDisplay : The embedding itself.

    Examples
    --------
    On the unit sphere the similarity is the cosine of the distance: 1 at the place, -1 at its antipode.

    >>> from skgeo.encoders import Cartesian3DEncoder
    >>> from skgeo.inspection import SimilarityDisplay
    >>> sphere = Cartesian3DEncoder().fit([[0.0, 0.0]])
    >>> display = SimilarityDisplay.from_estimator(sphere, (0.5, 90.5))
    >>> display.values[90, 270].round(6), display.values[89, 90].round(6)
    (np.float64(1.0), np.float64(-1.0))
    """

    ax_: "Axes"
    figure_: "Figure"
    mappable_: Any
    marker_: Any
    colorbar_: Any

    def __init__(self, values: "npt.ArrayLike", grid: Grid, place: tuple[float, float]) -> None:
        self.values = np.asarray(values)
        self.grid = check_grid(grid, 1.0)
        self.place = place

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        place: tuple[float, float],
        *,
        grid: Any = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Compare a place with the cells of a grid, by a fitted encoder.

        Parameters
        ----------
        estimator : transformer of places
            A fitted encoder, or a fitted Pipeline with one.
        place : (float, float)
            Latitude and longitude in degrees.
        grid : LatLonGrid, CellGrid or xarray object, default=None
            The places that are compared. Cells outside of its mask are grey. None is the whole Earth at one degree.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        SimilarityDisplay
        """
        check_is_fitted(estimator)
        grid, place = check_grid(grid, 1.0), check_place(place)
        here = at_places(estimator.transform, estimator, np.array([place]))[0].astype(np.float64)
        # Only similarities are kept: the embedding of a whole grid may not fit into memory.
        values = at_places(estimator.transform, estimator, grid, lambda block: _cosine(block, here))
        return cls(values, grid, place).plot(ax, **plot_options)

    @classmethod
    def from_embedding(
        cls, embedding: "npt.ArrayLike", grid: Any, row: int, *, ax: Any = None, **plot_options: Any
    ) -> Self:
        """Compare one row of an embedding that was computed elsewhere with all others.

        Parameters
        ----------
        embedding : array-like of shape (n_cells, n_columns)
            A row for each cell of the grid, in C order.
        grid : LatLonGrid, CellGrid or xarray object
            The cells of the rows. Cells outside of its mask are grey.
        row : int
            Number of the row of the place.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        SimilarityDisplay
        """
        grid = check_grid(grid, 1.0)
        table = check_embedding(embedding, grid).astype(np.float64, copy=False)
        # Negative numbers count from the end, as in numpy.
        valid = is_integer(row) and bool(-len(table) <= row < len(table))
        check_parameter("row", row, valid, f"the number of a row, from 0 to {len(table) - 1}")
        values = _cosine(table, table[row]).reshape(grid.shape)
        return cls(values, grid, check_place(grid.points()[row])).plot(ax, **plot_options)

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        projection: str = "auto",
        center: tuple[float, float] | None = None,
        coastlines: bool = True,
        cmap: Any = None,
        vmin: float | None = -1.0,
        vmax: float | None = 1.0,
        colorbar: bool = True,
    ) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure. Axes of cartopy keep their projection.
        projection : {"auto", "equal_earth", "orthographic", "plate_carree"}, default="auto"
            "auto" shows the world as Equal Earth, regions in degrees, and caps around a pole from above.
        center : (float, float), default=None
            Latitude and longitude of the centre of the map; only the longitude counts for Equal Earth.
        coastlines : bool, default=True
            Draw the coasts of the bundled land mask.
        cmap : str or Colormap, default=None
            None is a diverging colour map, white at zero.
        vmin, vmax : float, default=-1 and 1
            Ends of the colours.
        colorbar : bool, default=True
            Draw the colour bar.

        Returns
        -------
        SimilarityDisplay
        """
        check_cell_values(self.values, self.grid)
        check_flag("colorbar", colorbar)
        inside = values_inside_mask(self.grid, self.values)
        style = colours(inside, signed=True, cmap=cmap, vmin=vmin, vmax=vmax)
        self.figure_, drawn = one_map(
            ax, extent_of(self.grid), projection=projection, center=center, coastlines=coastlines
        )
        self.ax_, self.colorbar_ = drawn.ax, None
        self.mappable_ = drawn.cells(self.grid, self.values, **style)
        # Yellow, which neither end of the colour map has, with a dark edge.
        mark = {"marker": "*", "s": 110.0, "color": "#F0E442", "edgecolors": LINE, "linewidths": 0.8}
        self.marker_ = drawn.points([self.place[0]], [self.place[1]], **mark)
        if colorbar:
            where = f"{degree_label(self.place[0], 'NS')}, {degree_label(self.place[1], 'EW')}"
            label = f"cosine similarity to {where} (star)"
            self.colorbar_ = colour_bar(self.figure_, self.mappable_, self.ax_, label, inside)
        return self


def _cosine(embedding: npt.NDArray[Any], here: FloatArray) -> FloatArray:
    """Cosine similarity of each row to ``here``; NaN if one of them is zero or missing."""
    rows = np.asarray(embedding, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(here)
    # Comparisons with NaN are false: missing rows stay NaN.
    return np.divide(rows @ here, lengths, out=np.full(len(rows), np.nan), where=lengths > 0.0)
