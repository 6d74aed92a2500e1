"""Predictions of a model as a map, and their errors."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from skgeo._input.coordinates import warn_radians
from skgeo._places import as_grid
from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_parameter
from skgeo.inspection._arguments import check_grid
from skgeo.inspection._folds import dot_size
from skgeo.inspection._maps import (
    CATEGORIES,
    MASKED,
    Map,
    colour_bar,
    colours,
    legend,
    one_map,
    plotting,
    values_inside_mask,
    with_unit,
)
from skgeo.inspection._models import (
    are_names,
    at_places,
    at_rows,
    class_numbers,
    column_of,
    deviation_of,
    points_of_samples,
    response_of,
)
from skgeo.inspection._projections import extent_of, padded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PredictionMapDisplay"]

# Colours of residuals end at this quantile of the absolute residuals: a few outliers would make all others pale.
_RESIDUAL_QUANTILE = 0.98


class PredictionMapDisplay:
    """A map of predictions, of their standard deviations or of residuals, on a grid or at points.

    Parameters
    ----------
    values : array-like of the shape of the grid, or of shape (n_samples,)
        Predictions, probabilities or residuals; numbers of classes if there are ``classes``. NaN is drawn grey.
    places : LatLonGrid, CellGrid, xarray object, or array-like or DataFrame of shape (n_samples, 2)
        A grid, or latitudes and longitudes in degrees. Cells of a grid outside of its mask are drawn grey.
    label : str, default="prediction"
        Quantity and unit of the values.
    signed : bool, default=False
        Make the colours symmetric about zero, which is white. Use it for residuals.
    classes : list of str, default=None
        Names of classes, if values are their numbers.

    Attributes
    ----------
    values, places, label, signed, classes
        The parameters.
    ax_, figure_ : matplotlib Axes and Figure
        The axes and the figure of the picture.
    mappable_ : matplotlib artist
        The cells or dots.
    colorbar_ : matplotlib Colorbar or None
        The colour bar, if the values are numbers.
    legend_ : matplotlib Legend or None
        The legend, if the values are classes.

    Raises
    ------
    CoordinateError
        If places are not latitude and longitude in degrees.
    ValueError
        If shapes do not fit, residuals lack the true values, X and ``grid`` are both grids, or a parameter is invalid.
    NotFittedError
        From ``from_estimator``, if the estimator is not fitted.
    ImportError
        From ``plot``, without matplotlib.

    Warns
    -----
    CoordinateWarning
        If places look like radians.

    See Also
    --------
    skgeo.inspection.ResponseDisplay : Adds the power of each degree to the map.

    Examples
    --------
    A model that predicts where land is, evaluated on the whole Earth:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skgeo.datasets import make_land_ocean
    >>> from skgeo.encoders import SphericalHarmonics
    >>> from skgeo.inspection import PredictionMapDisplay
    >>> X, land = make_land_ocean(500, random_state=0)
    >>> model = make_pipeline(SphericalHarmonics(8), LogisticRegression()).fit(X, land)
    >>> display = PredictionMapDisplay.from_estimator(model)
    >>> display.values.shape, display.label
    ((180, 360), 'probability of True')

    Residuals, from predictions that were made elsewhere:

    >>> places = [[48, 2], [52, 13]]
    >>> display = PredictionMapDisplay.from_predictions([1.0, 2.0], [1.5, 1.0], places)
    >>> display.values, display.label
    (array([-0.5,  1. ]), 'residual: true - predicted')
    """

    ax_: "Axes"
    figure_: "Figure"
    mappable_: Any
    colorbar_: Any
    legend_: Any

    def __init__(
        self,
        values: "npt.ArrayLike",
        places: Any,
        *,
        label: str = "prediction",
        signed: bool = False,
        classes: list[str] | None = None,
    ) -> None:
        self.values = np.asarray(values)
        self.places = places
        self.label = label
        self.signed = signed
        self.classes = classes

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        grid: Any = None,
        coordinates: Any = None,
        kind: str = "prediction",
        response_method: str = "auto",
        target_name: str = "",
        unit: str = "",
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Predict with a fitted model, and draw the predictions.

        Parameters
        ----------
        estimator : classifier or regressor
            A model that was fitted on places, such as a Pipeline of an encoder and a model. If it was fitted on further
            columns, give X.
        X : array-like or DataFrame of shape (n_samples, n_features), default=None
            The samples to predict, drawn as dots; a grid is used as ``grid``. With ``grid``, X has one row for each
            cell in C order, for instance with the covariates of the map. Rows outside of the mask may be incomplete.
        y : array-like of shape (n_samples,), default=None
            The true values, for residuals.
        grid : LatLonGrid, CellGrid or xarray object, default=None
            The places to evaluate. Cells outside of its mask are grey. None, without X, is the whole Earth at one
            degree.
        coordinates : (str, str), array-like, DataFrame or GeoSeries with n_samples rows, default=None
            Names of the columns of X, or of those that the estimator was fitted on; or latitude and longitude in
            degrees, where X does not have them.
        kind : {"prediction", "std", "residual"}, default="prediction"
            "std" is the standard deviation, from ``predict(X, return_std=True)``. A residual is the true minus the
            predicted value. For classes it is "right" or "wrong".
        response_method : {"auto", "predict", "predict_proba", "decision_function"}, default="auto"
            "auto" is the probability of the second of two classes if there is ``predict_proba``, else the prediction.
        target_name : str, default=""
            Name of the target, for the label.
        unit : str, default=""
            Unit of the target, for the label.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        PredictionMapDisplay
        """
        check_is_fitted(estimator)
        _check_kind(kind)
        found_grid = as_grid(X)
        if found_grid is not None and grid is not None:
            raise ValueError("X and grid are two grids: expected one of them, or X with one row for each cell of grid.")
        grid, rows = (grid, X) if found_grid is None else (found_grid, None)
        gridded = X is None or grid is not None
        # coordinates= are the names of columns of X, or places beside X.
        names, beside = (coordinates, None) if are_names(coordinates) else (None, coordinates)
        if gridded and beside is not None:
            raise ValueError("coordinates are given without samples: expected X beside them, or grid= alone.")
        places: Any = None
        if not gridded:
            places = points_of_samples(X if beside is None else beside, names, allow_missing=True)
        if kind == "residual":
            if gridded or y is None:
                raise ValueError("kind='residual': expected X and y, the samples and their true values.")
            predicted = estimator.predict(X)
            if is_classifier(estimator):
                return cls._of_errors(y, predicted, places, target_name).plot(ax, **plot_options)
            options = {"kind": kind, "target_name": target_name, "unit": unit, "ax": ax, **plot_options}
            return cls.from_predictions(y, predicted, places, **options)
        function, method = response_of(estimator, response_method)
        if kind == "std":
            function, method = deviation_of(estimator), "predict"
        classes = np.asarray(estimator.classes_) if method == "predict" and is_classifier(estimator) else None

        def select(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
            """The column of the output that the map shows."""
            # Classes become numbers: numbers can be NaN at missing places, names cannot.
            column = column_of(block, method)
            return column if classes is None else class_numbers(column, classes)

        if gridded:
            places = check_grid(grid, 1.0)
            if rows is None:
                found = at_places(function, estimator, places, select, names)
            else:
                found = at_rows(function, rows, places, select, names)
        else:
            found = select(np.asarray(function(X)))
        if classes is not None:
            return cls._of_classes(found, places, classes, target_name).plot(ax, **plot_options)
        label = with_unit(_name_of(kind, target_name), unit)
        # Only classifiers have these methods; the second class is the one that counts as positive.
        if method != "predict":
            which = target_name or estimator.classes_[1]
            label = f"probability of {which}" if method == "predict_proba" else f"decision function of {which}"
        display = cls(found, places, label=label, signed=method == "decision_function")
        if method == "predict_proba":
            plot_options = {"vmin": 0.0, "vmax": 1.0, **plot_options}
        return display.plot(ax, **plot_options)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        coordinates: Any = None,
        *,
        grid: Any = None,
        kind: str = "residual",
        target_name: str = "",
        unit: str = "",
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw predictions, or their residuals, that were made elsewhere.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or None
            The true values; None for ``kind="prediction"`` and ``kind="std"``.
        y_pred : array-like of shape (n_samples,)
            The predictions, in the order of the coordinates, or of the cells of a grid.
        coordinates : array-like or DataFrame of shape (n_samples, 2), default=None
            Latitude and longitude in degrees; a grid is taken as ``grid``.
        grid : LatLonGrid, CellGrid or xarray object, default=None
            The cells that are predicted, in place of coordinates.
        kind : {"residual", "prediction", "std"}, default="residual"
            Residuals are true minus predicted values. For texts and truth values they are "right" or "wrong". "std"
            says that ``y_pred`` are standard deviations.
        target_name : str, default=""
            Name of the target, for the label.
        unit : str, default=""
            Unit of the target, for the label.
        ax : matplotlib Axes, default=None
            None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        PredictionMapDisplay
        """
        _check_kind(kind)
        if (coordinates is None) == (grid is None):
            raise ValueError("coordinates and grid: expected one of them, the places of y_pred or the cells.")
        grid = as_grid(coordinates) if grid is None else check_grid(grid, 1.0)
        coordinates = coordinates if grid is None else grid
        shape = (len(coordinates),) if grid is None else grid.shape
        predicted = _of_shape(y_pred, shape, "y_pred")
        # Booleans are classes, not numbers.
        numeric = predicted.dtype.kind in "fiu"
        if kind != "residual":
            if numeric:
                label = with_unit(_name_of(kind, target_name), unit)
                return cls(predicted, coordinates, label=label).plot(ax, **plot_options)
            classes = np.unique(predicted)
            values = class_numbers(predicted, classes)
            return cls._of_classes(values, coordinates, classes, target_name).plot(ax, **plot_options)
        check_parameter("y_true", y_true, y_true is not None, "the true values, for kind='residual'")
        # Numbers have differences; classes are right or wrong.
        true = _of_shape(y_true, shape, "y_true")
        if numeric and true.dtype.kind in "fiub":
            name = f"residual of {target_name}: true - predicted" if target_name else "residual: true - predicted"
            residual = true.astype(np.float64) - predicted.astype(np.float64)
            return cls(residual, coordinates, label=with_unit(name, unit), signed=True).plot(ax, **plot_options)
        return cls._of_errors(true, predicted, coordinates, target_name).plot(ax, **plot_options)

    @classmethod
    def _of_errors(cls, true: Any, predicted: npt.NDArray[Any], places: Any, target_name: str) -> Self:
        """A display of the samples whose class is right or wrong."""
        wrong = _of_shape(true, predicted.shape, "y") != predicted
        return cls._of_classes(wrong.astype(np.float64), places, ["right", "wrong"], target_name)

    @classmethod
    def _of_classes(cls, numbers: FloatArray, places: Any, classes: Any, target_name: str) -> Self:
        """A display of the numbers of classes, with the names of the classes."""
        return cls(numbers, places, label=target_name or "class", classes=[str(name) for name in classes])

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        projection: str = "auto",
        center: tuple[float, float] | None = None,
        coastlines: bool = True,
        cmap: Any = None,
        vmin: float | None = None,
        vmax: float | None = None,
        s: float | None = None,
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
            None is "viridis", or a diverging colour map, white at zero, for signed values.
        vmin, vmax : float, default=None
            Ends of the colours. None is the range of the values. For signed values None is the 98th percentile of their
            absolute values on both sides of zero, and an arrow shows that values go beyond.
        s : float, default=None
            Area of a dot in square points. None makes dots smaller if there are many.
        colorbar : bool, default=True
            Draw the colour bar, or the legend of classes.

        Returns
        -------
        PredictionMapDisplay
        """
        check_flag("colorbar", colorbar)
        places: Any = as_grid(self.places)
        if places is None:
            places = points_of_samples(self.places, allow_missing=True)
            warn_radians(*places.T)
        # From here on, places are a grid or an array of points.
        gridded = not isinstance(places, np.ndarray)
        shape = places.shape if gridded else (len(places),)
        values = _of_shape(self.values, shape, "values").astype(np.float64)
        inside = values_inside_mask(places, values) if gridded else values
        extent = extent_of(places) if gridded else padded(extent_of(places))
        self.figure_, drawn = one_map(ax, extent, projection=projection, center=center, coastlines=coastlines)
        self.ax_, self.colorbar_, self.legend_ = drawn.ax, None, None
        style = self._style(inside, cmap, vmin, vmax)
        self.mappable_ = _draw(drawn, places, values, s, style)
        if colorbar and self.classes is not None:
            self.legend_ = _class_legend(self.ax_, self.label, self.classes, style["cmap"])
        elif colorbar:
            self.colorbar_ = colour_bar(self.figure_, self.mappable_, self.ax_, self.label, inside)
        return self

    def _style(self, values: FloatArray, cmap: Any, vmin: float | None, vmax: float | None) -> dict[str, Any]:
        """Colour map and limits for numbers or classes."""
        if self.classes is not None:
            return _class_colours(len(self.classes), cmap)
        finite = np.abs(values[np.isfinite(values)])
        if self.signed and vmax is None and vmin is None and finite.size:
            # The quantile is zero if most residuals are: take the largest residual, or no limit if all are zero.
            vmax = float(np.quantile(finite, _RESIDUAL_QUANTILE)) or float(finite.max()) or None
        return colours(values, signed=self.signed, cmap=cmap, vmin=vmin, vmax=vmax)


def _draw(drawn: Map, places: Any, values: FloatArray, s: float | None, style: Any) -> Any:
    """Draw cells, or dots for points."""
    if not isinstance(places, np.ndarray):
        return drawn.cells(places, values, **style)
    # A thin grey edge makes pale dots visible; tiny dots would be all edge.
    size = dot_size(len(places)) if s is None else s
    rim = {"edgecolors": "0.45", "linewidths": 0.3 if size > 3.0 else 0.0}
    return drawn.points(places[:, 0], places[:, 1], values, **{"s": size, "plotnonfinite": True, **rim, **style})


def _check_kind(kind: Any) -> None:
    """Raise ValueError unless the value is a kind of map."""
    known = isinstance(kind, str) and kind in ("prediction", "std", "residual")
    check_parameter("kind", kind, known, "'prediction', 'std' or 'residual'")


def _name_of(kind: str, target_name: str) -> str:
    """The name of predictions, or of their standard deviations."""
    if kind != "std":
        return target_name or "prediction"
    return f"standard deviation of {target_name}" if target_name else "standard deviation"


def _of_shape(values: Any, shape: tuple[int, ...], name: str) -> npt.NDArray[Any]:
    """Values in the shape of the places; flat values are reshaped. Raises ValueError if their number is wrong."""
    array = np.asarray(values)
    if array.shape != shape and array.shape != (int(np.prod(shape)),):
        raise ValueError(f"{name} has shape {array.shape}: expected {shape}, one value for each place.")
    return array.reshape(shape)


def _class_colours(number: int, cmap: Any) -> dict[str, Any]:
    """A colour map with one colour for each class, and its limits."""
    matplotlib = plotting()
    # Distinct colours while there are enough, else evenly spaced ones of a colour map.
    shades = list(CATEGORIES[:number])
    if cmap is not None or number > len(CATEGORIES):
        whole = matplotlib.colormaps[cmap or "viridis"] if cmap is None or isinstance(cmap, str) else cmap
        shades = list(whole(np.linspace(0.0, 1.0, number)))
    chosen = matplotlib.colors.ListedColormap(shades).with_extremes(bad=MASKED)
    # Class i is in the middle of its interval.
    return {"cmap": chosen, "vmin": -0.5, "vmax": number - 0.5}


def _class_legend(ax: Any, title: str, classes: list[str], cmap: Any) -> Any:
    """A legend with one entry for each class, also for classes without a place."""
    patches = plotting("patches")
    handles = [patches.Patch(color=cmap(i), label=name) for i, name in enumerate(classes)]
    return legend(ax, len(classes), handles=handles, title=title, title_fontsize="small")
