"""An embedding as a map: three components as colours, or one of them."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._typing import FloatArray
from skgeo._validation import check_flag, is_integer
from skgeo.inspection._arguments import Grid, check_embedding, check_grid
from skgeo.inspection._maps import MASKED, colour_bar, colours, one_map, values_inside_mask
from skgeo.inspection._models import at_places, chosen_columns, column_title, output_names
from skgeo.inspection._projections import extent_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["EmbeddingMapDisplay"]

# Colours change between these quantiles of the values only: a few extreme values would make all others alike.
_STRETCH_QUANTILES = (0.02, 0.98)
# Range of lightness in OKLab, and largest absolute value of both axes of hue: nearly all such colours exist in sRGB.
_LIGHTNESS_RANGE, _MAX_HUE = (0.35, 0.95), 0.13
# Pixels of a colour ramp of the key, and between two ramps.
_RAMP_PIXELS, _GAP_PIXELS = 60, 24


class EmbeddingMapDisplay:
    """The columns of an embedding of places as a map: three columns as colours, or one column.

    Three columns are drawn on the axes of the OKLab colour space [1]_: the first column is lightness, the second goes
    from blue to yellow, and the third from green to pink. The eye sees lightness best. Readers who cannot distinguish
    green from red still see the first two columns. Places of similar colours have nearly the same three numbers.

    Parameters
    ----------
    values : array-like of shape (n_lat, n_lon, 3) or (n_lat, n_lon, 1), or that of a CellGrid and 3 or 1
        The columns.
    grid : LatLonGrid or CellGrid
        The grid of the values. Cells outside of its mask are grey.
    names : list of str
        Names of the columns.

    Attributes
    ----------
    values, grid, names
        The parameters.
    colors_ : ndarray of shape (n_lat, n_lon, 3) or None
        The sRGB colours of three columns, in [0, 1].
    ax_, figure_ : matplotlib Axes and Figure
        The axes and the figure of the picture.
    mappable_ : matplotlib artist
        The cells.
    colorbar_ : matplotlib Colorbar or None
        The colour bar of one column.
    key_ax_ : matplotlib Axes or None
        The key to the colours of three columns.

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
    skgeo.inspection.BasisDisplay : Several columns, a map for each.
    skgeo.inspection.SimilarityDisplay : All columns, seen from one place.

    References
    ----------
    .. [1] Ottosson, B. (2020). A perceptual color space for image processing. https://bottosson.github.io/posts/oklab

    Examples
    --------
    >>> from skgeo.encoders import SphericalHarmonics
    >>> from skgeo.inspection import EmbeddingMapDisplay
    >>> harmonics = SphericalHarmonics(2).fit([[0.0, 0.0]])
    >>> columns = ["sh_l1_m0", "sh_l2_m1", "sh_l2_m-2"]
    >>> display = EmbeddingMapDisplay.from_estimator(harmonics, columns)
    >>> display.names
    ['$Y_{1,0}$', '$Y_{2,1}$', '$Y_{2,-2}$']
    >>> display.colors_.shape
    (180, 360, 3)
    """

    colors_: npt.NDArray[np.float64] | None
    ax_: "Axes"
    figure_: "Figure"
    mappable_: Any
    colorbar_: Any
    key_ax_: Any

    def __init__(self, values: "npt.ArrayLike", grid: Grid, names: list[str]) -> None:
        self.values = np.asarray(values)
        self.grid = check_grid(grid, 1.0)
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        components: Any = (0, 1, 2),
        *,
        grid: Any = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Evaluate columns of a fitted encoder on a grid, and draw them.

        Parameters
        ----------
        estimator : transformer of places
            A fitted encoder, or a fitted Pipeline with one.
        components : int, str or three of them, default=(0, 1, 2)
            Number or name of one column, or numbers or names of three columns.
        grid : LatLonGrid, CellGrid or xarray object, default=None
            The places to evaluate. Cells outside of its mask are grey. None is the whole Earth at one degree.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        EmbeddingMapDisplay
        """
        check_is_fitted(estimator)
        grid = check_grid(grid, 1.0)
        names = output_names(estimator)
        wanted = [components] if isinstance(components, str) or is_integer(components) else list(components)
        columns = chosen_columns("components", wanted, names)
        values = at_places(estimator.transform, estimator, grid, lambda block: block[:, columns])
        return cls(values, grid, [column_title(names[column]) for column in columns]).plot(ax, **plot_options)

    @classmethod
    def from_embedding(
        cls, embedding: "npt.ArrayLike", grid: Any, components: Any = (0, 1, 2), *, ax: Any = None, **plot_options: Any
    ) -> Self:
        """Draw columns of an embedding that was computed elsewhere.

        Parameters
        ----------
        embedding : array-like of shape (n_cells, n_columns)
            A row for each cell of the grid, in C order.
        grid : LatLonGrid, CellGrid or xarray object
            The cells of the rows. Cells outside of its mask are grey.
        components : int or three of them, default=(0, 1, 2)
            Number of one column, or numbers of three columns.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        EmbeddingMapDisplay
        """
        grid = check_grid(grid, 1.0)
        table = check_embedding(embedding, grid)
        names = [str(i) for i in range(table.shape[1])]
        wanted = [components] if is_integer(components) else list(components)
        columns = chosen_columns("components", wanted, names)
        values = table[:, columns].reshape(*grid.shape, len(columns))
        return cls(values, grid, [f"column {column}" for column in columns]).plot(ax, **plot_options)

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        projection: str = "auto",
        center: tuple[float, float] | None = None,
        coastlines: bool = True,
        cmap: Any = None,
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
            For one column. None is a diverging colour map, white at zero.
        colorbar : bool, default=True
            Draw the colour bar, or the key to the colours of three columns.

        Returns
        -------
        EmbeddingMapDisplay
        """
        number = len(self.names)
        expected = (*self.grid.shape, number)
        if self.values.shape != expected or number not in (1, 3):
            raise ValueError(
                f"values has shape {self.values.shape}, for {number} names: expected one or three columns on the grid, "
                f"{(*self.grid.shape, 1)} or {(*self.grid.shape, 3)}."
            )
        check_flag("colorbar", colorbar)
        inside = values_inside_mask(self.grid, self.values)
        # A place with one missing column has no colour.
        inside = inside[np.isfinite(inside).all(axis=-1)]
        extent = extent_of(self.grid)
        self.figure_, drawn = one_map(ax, extent, projection=projection, center=center, coastlines=coastlines)
        self.ax_, self.colors_, self.colorbar_, self.key_ax_ = drawn.ax, None, None, None
        if number == 1:
            self.mappable_ = drawn.cells(self.grid, self.values[..., 0], **colours(inside, signed=True, cmap=cmap))
        else:
            self.colors_ = _as_colours(self.values, inside)
            self.mappable_ = drawn.cells(self.grid, self.colors_)
        if colorbar and number == 1:
            self.colorbar_ = colour_bar(self.figure_, self.mappable_, self.ax_, self.names[0], inside)
        elif colorbar:
            self.key_ax_ = _key(self.ax_, self.names)
        return self


def _as_colours(values: npt.NDArray[Any], inside: npt.NDArray[Any]) -> FloatArray:
    """Three columns (..., 3) as sRGB, each stretched between quantiles of the values inside; grey if missing."""
    low, high = np.quantile(inside.astype(np.float64), _STRETCH_QUANTILES, axis=0)
    # A constant column gets the lowest level everywhere.
    level = np.clip((values - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    colours = oklab_to_srgb(*_oklab_axes(level))
    return np.where(np.isfinite(values).all(axis=-1, keepdims=True), colours, float(MASKED))


def _oklab_axes(level: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The axes of OKLab for levels (..., 3) in [0, 1]: lightness, green to red (a), blue to yellow (b)."""
    darkest, lightest = _LIGHTNESS_RANGE
    lightness = darkest + (lightest - darkest) * level[..., 0]
    # The second column is on the axis from blue to yellow, which readers with red-green blindness see.
    return lightness, _MAX_HUE * (2.0 * level[..., 2] - 1.0), _MAX_HUE * (2.0 * level[..., 1] - 1.0)


def oklab_to_srgb(lightness: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Colours (..., 3) in [0, 1], clipped to the range of sRGB; the matrices are those of Ottosson (2020)."""
    # OKLab to the cube roots of the responses of the three kinds of cones.
    roots = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ],
        axis=-1,
    )
    # Responses of cones to linear light.
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(np.nan_to_num(roots) ** 3 @ to_linear.T, 0.0, 1.0)
    # The transfer function of sRGB (IEC 61966-2-1).
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1.0 / 2.4) - 0.055)


def _key(ax: Any, names: list[str]) -> Any:
    """Three colour ramps below the map, one for each column, with the other two columns in the middle."""
    key = ax.inset_axes((0.12, -0.16, 0.76, 0.045))
    ramp = np.linspace(0.0, 1.0, _RAMP_PIXELS)
    # The space between ramps is white.
    picture = np.ones((1, 3 * _RAMP_PIXELS + 2 * _GAP_PIXELS, 3))
    starts = [i * (_RAMP_PIXELS + _GAP_PIXELS) for i in range(3)]
    for i, start in enumerate(starts):
        level = np.full((ramp.size, 3), 0.5)
        level[:, i] = ramp
        picture[0, start : start + ramp.size] = oklab_to_srgb(*_oklab_axes(level))
        key.text(start + ramp.size / 2.0, 0.75, names[i], ha="center", va="top", fontsize="small")
        for at, sign, side in ((start - 2, "\N{MINUS SIGN}", "right"), (start + ramp.size + 1, "+", "left")):
            key.text(at, 0.0, sign, ha=side, va="center", fontsize="small")
    key.imshow(picture, aspect="auto")
    key.set_axis_off()
    return key
