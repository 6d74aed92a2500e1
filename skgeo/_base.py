"""The bases of all estimators: the method through which every X passes, column names, dtype and version."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skgeo._callers import warn_swapped_on_the_way
from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.chunks import chunked_rows, lazy_cells, lazy_rows
from skgeo._input.columns import coordinate_columns, listed
from skgeo._input.coordinates import Points, warn_radians
from skgeo._input.covariates import CovariateTable, check_n_covariates, split_covariates
from skgeo._input.patch_table import Patches, PixelStack
from skgeo._places import ChunkedRows, read_patches, read_places
from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_names, check_parameter, check_verbose, import_optional, warn_caller
from skgeo._values_at_places import GridAxes, Places
from skgeo._version import __version__
from skgeo.exceptions import CoordinateError, CoordinateWarning, VersionWarning


class VersionedEstimator(BaseEstimator):
    """An estimator whose files say which version wrote them, and whose diagram links to our reference."""

    # The module that users import the class from. The address of its page in the reference contains it.
    _public_module = "skgeo"
    _doc_link_module = "skgeo"
    _doc_link_template = "https://skgeo.github.io/skgeo/stable/api/{module}.{name}.html"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        """The parts of the link to our reference in scikit-learn's HTML representation."""
        return {"module": self._public_module, "name": type(self).__name__}

    def __getstate__(self) -> dict[str, Any]:
        """The state with the version that wrote it."""
        return {**super().__getstate__(), "_skgeo_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state; warn when another version wrote it."""
        state = dict(state)
        warn_other_version(state.pop("_skgeo_version", "unknown"))
        super().__setstate__(state)

    def _check_loaded(self) -> None:
        """Raise ValueError if ``fit`` would refuse a parameter of this fitted model; for :func:`skgeo.load`."""
        for name in ("_check_input_parameters", "_check_parameters"):
            getattr(self, name, lambda: None)()


class GeoEstimator(ABC):
    """A mixin of estimators of places or patches: :meth:`_read` is the one method through which every X passes.

    A subclass that overrides ``_read`` decides alone what X may be.
    """

    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]
    _n_columns: int
    # Number and names of the covariates in the fit, for estimators that take covariates; None if X had no names.
    _n_covariates: int = 0
    _covariate_names: list[str] | None = None

    @abstractmethod
    def _read(self, X: Any, *, reset: bool, chunked: bool = False) -> Any:
        """Turn any X into checked numbers; ``fit`` passes ``reset=True`` to remember the columns of X.

        With ``chunked``, rows of dask are not computed.
        """

    def _columns_in_fit(self) -> list[str]:
        """The columns of the frame that the estimator was fitted on; an empty list if it was no frame."""
        # A single column held geometries, which arrays do not have. With covariates, _read_table finds the coordinates.
        names = list(getattr(self, "feature_names_in_", ()))
        return names if len(names) == self._n_columns and not self._n_covariates else []

    def _remember_names(self, columns: list[str] | None) -> None:
        """Set ``feature_names_in_`` to the columns of X; None removes the names of an earlier fit."""
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        if columns is not None:
            self.feature_names_in_ = np.asarray(columns, dtype=object)

    def _settle_names(self, columns: list[str] | None, named: bool, *, reset: bool) -> None:
        """With ``reset`` remember the columns of X; else warn if X lacks the column names that the X of the fit had."""
        if reset:
            self.n_features_in_ = self._n_columns if columns is None else len(columns)
            self._remember_names(columns)
        # An array is read in the order of the columns of the fit. The user may have another order in mind: warn.
        elif not named and self._columns_in_fit():
            warn_caller(
                f"X does not have valid feature names, but {type(self).__name__} was fitted with feature names: its "
                f"columns are taken to be {self.feature_names_in_.tolist()}, as in fit. Pass a DataFrame.",
                CoordinateWarning,
            )

    def _transform_rows(self, rows: Any) -> Any:
        """The lazy transform of chunked rows."""
        model = detached_copy(self)
        # Blocks have their columns in documented order: forget the order of the frame of the fit.
        vars(model).pop("feature_names_in_", None)
        return lazy_rows(model, rows)


class GeoTransformer(TransformerMixin, ABC):
    """A mixin of transformers. It names the output columns, and declares float32 output for float32 input."""

    n_features_in_: int

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> npt.NDArray[np.object_]:
        """Names of the output columns.

        Parameters
        ----------
        input_features : sequence of str, default=None
            Names of the input columns. They are only checked, because the output has names of its own.

        Returns
        -------
        ndarray of str objects

        Raises
        ------
        ValueError
            If ``input_features`` has another length than ``n_features_in_`` or differs from ``feature_names_in_``.
        """
        check_is_fitted(self)
        if input_features is not None:
            # These two messages are those of scikit-learn, whose checks look for them.
            given = list(input_features)
            if len(given) != self.n_features_in_:
                raise ValueError(
                    f"input_features should have length equal to number of features ({self.n_features_in_}), "
                    f"got {len(given)}."
                )
            if given != list(getattr(self, "feature_names_in_", given)):
                raise ValueError(f"input_features is not equal to feature_names_in_: {given}.")
        return np.asarray(self._feature_names(), dtype=object)

    def __sklearn_tags__(self) -> Tags:
        """Output in float32 for float32 input."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @abstractmethod
    def _feature_names(self) -> list[str]:
        """Names of the output columns."""


class LocationEstimator(GeoEstimator, VersionedEstimator):
    """An estimator of points (latitude, longitude) and of grids, which are accepted wherever points are."""

    _n_columns = 2
    _missing_policies: tuple[str, ...] = ("error", "nan", "mean")
    coordinates: tuple[str, str] | None = None
    missing: str = "error"
    add_indicator: bool = False
    verbose: bool | None = None

    def _read(self, X: Any, *, reset: bool, chunked: bool = False, centres: bool = True) -> Any:
        """Turn X into points, a grid or cells; with ``chunked``, rows of dask stay chunked.

        With ``centres``, only the centres of cells matter: lost areas of an xarray object give no warning.
        """
        # Parameters are checked in fit only, as transform may be called for every block.
        if reset:
            self._check_input_parameters()
        places = read_places(
            X,
            self.coordinates,
            allow_missing=self.missing != "error",
            cure=self._missing_cure(),
            columns_of_array=() if reset else self._columns_in_fit(),
            centres=centres,
            chunked=chunked,
        )
        if isinstance(places, Points | ChunkedRows):
            self._settle_names(places.columns, places.named, reset=reset)
        else:
            self._settle_names(None, True, reset=reset)
        # A fit also warns of radians, and of a frame that became an array on the way. Every method refuses latitudes
        # beyond the poles.
        if reset and isinstance(places, Points):
            self._warn_radians(places)
            if not places.named:
                warn_swapped_on_the_way(self, self.coordinates)
        return places

    def _read_table(self, X: Any, lacking: str, *, reset: bool, **options: Any) -> tuple[Any, CovariateTable]:
        """The places of a table and its other columns; ValueError with the text ``lacking`` if there are no others.

        ``options`` are those of :meth:`_read` for the places.
        """
        split = split_covariates(X, self.coordinates, [] if reset else list(getattr(self, "feature_names_in_", ())))
        if split is None:
            # An error in the coordinates comes first.
            LocationEstimator._read(self, X, reset=False)
            raise ValueError(lacking)
        # An array of another width has its coordinates at other positions: refuse it before they are read.
        if not reset and split.columns is None:
            check_n_covariates(split.covariates, self._n_covariates, type(self).__name__)
        places = LocationEstimator._read(self, split.coordinates, reset=reset, **options)
        if reset:
            self._n_covariates, self._covariate_names = split.covariates.shape[1], split.names
            self.n_features_in_ = 2 + self._n_covariates if split.columns is None else len(split.columns)
            self._remember_names(split.columns)
        return places, split

    def _check_input_parameters(self) -> None:
        """Raise ValueError if a parameter for the reading of X is invalid."""
        check_names(self.coordinates)
        *others, last = policies = self._missing_policies
        known = isinstance(self.missing, str) and self.missing in policies
        # Only a basis of a domain knows a mean. After other encoders an imputer computes means.
        cure = "; take 'nan', and a SimpleImputer after it" if "nan" in policies and str(self.missing) == "mean" else ""
        check_parameter("missing", self.missing, known, f"{', '.join(map(repr, others))} or {last!r}{cure}")
        check_flag("add_indicator", self.add_indicator)
        check_verbose(self.verbose)

    def _missing_cure(self) -> str:
        """The end of the error about missing coordinates: the values of ``missing`` that allow them."""
        policies = [f"missing={policy!r}" for policy in self._missing_policies[1:]]
        return f", or let {' or '.join(policies)} take them" if policies else ""

    def _warn_radians(self, places: Any) -> None:
        """Warn if the points from which a model learns are in radians. Grids warn when they are made."""
        if isinstance(places, Points):
            warn_radians(places.latitude, places.longitude)

    def __sklearn_tags__(self) -> Tags:
        """The tags: NaN is allowed unless ``missing="error"``."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "error"
        return tags


class LocationTransformer(GeoTransformer, LocationEstimator):
    """A transformer of points (latitude, longitude) and of grids, which are accepted wherever points are."""

    def transform(self, X: Any) -> Any:
        """Embed points, or all cells of a grid.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Points as (latitude, longitude) in degrees, or a grid, whose cell centres are embedded in C order; its mask
            is ignored.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            The embedding; float32 for float32 points or axes, else float64. For chunked input it is a lazy dask array
            or DataFrame: its places are checked when they are computed.
        """
        check_is_fitted(self)
        places = self._read(X, reset=False, chunked=True)
        if isinstance(places, ChunkedRows):
            return self._transform_rows(places.rows)
        # Cells are chunked if their mask or their centres are dask arrays.
        chunked = isinstance(places, LatLonGrid | CellGrid) and places.chunked
        return self._transform_cells(places) if chunked else self._transform_places(places)

    def _transform_places(self, places: Places) -> npt.NDArray[np.floating]:
        """The embedding: ``missing`` decides on the rows of missing places, and ``add_indicator`` adds a column."""
        values = self._embed_places(places)
        # A grid between two axes has no missing places.
        on_axes = isinstance(places, LatLonGrid | GridAxes)
        absent = np.zeros(len(values), dtype=bool) if on_axes else np.isnan(places.latitude).ravel()
        # Zero is the mean of every component over the domain.
        if self.missing == "mean" and absent.any():
            values[absent] = 0.0
        if self.add_indicator:
            values = np.column_stack([values, absent.astype(values.dtype)])
        return values

    def _transform_cells(self, places: LatLonGrid | CellGrid) -> Any:
        """The lazy embedding of chunked cells."""
        model, output = detached_copy(self), (len(self._feature_names()), places.dtype)
        # Only the mask of a regular grid is chunked: its latitudes get the chunks of the rows of the mask.
        if isinstance(places, LatLonGrid):
            latitude = chunked_rows(places.latitude, like=places.mask)
            embed = partial(_embed_rows, model, GridAxes(places.latitude, places.longitude, places.dtype))
            return lazy_cells(embed, latitude, cells_per_row=places.shape[1], output=output)
        embed = partial(_embed_centres, model, places.dtype)
        cells_per_row = math.prod(places.shape[1:])
        return lazy_cells(embed, places.latitude, places.longitude, cells_per_row=cells_per_row, output=output)

    def _check_to_torch(self) -> None:
        """Raise ValueError if a torch module cannot give the same output: modules pass NaN on and add no indicator."""
        valid = self.missing != "mean" and not self.add_indicator
        given = f"missing={self.missing!r}, add_indicator={self.add_indicator!r}"
        if not valid:
            raise ValueError(
                f"{given}: to_torch() makes a module that returns NaN for missing places and has no indicator. Call "
                "set_params(missing='nan', add_indicator=False) first."
            )

    @abstractmethod
    def _embed_places(self, places: Places) -> npt.NDArray[np.floating]:
        """The embedding (n, k) of places, a row of NaN where they are missing."""

    @abstractmethod
    def _embedding_names(self) -> list[str]:
        """Names of the columns of the embedding."""

    def _feature_names(self) -> list[str]:
        return self._embedding_names() + ["missing_location"] * bool(self.add_indicator)


def _embed_rows(model: LocationTransformer, columns: GridAxes, latitude: FloatArray) -> npt.NDArray[np.floating]:
    """The embedding of a block of rows of a grid, which have these latitudes."""
    return model._transform_places(columns._replace(latitude=latitude))


def _embed_centres(
    model: LocationTransformer, dtype: np.dtype[Any], latitude: FloatArray, longitude: FloatArray
) -> npt.NDArray[np.floating]:
    """The embedding of a block of cells."""
    return model._transform_places(Points(latitude.ravel(), longitude.ravel(), dtype))


def detached_copy(estimator: Any) -> Any:
    """A deep copy with verbose off and array output, for use in dask tasks and inside other methods."""
    model = copy.deepcopy(estimator).set_output(transform="default")
    # PatchPositionEncoder holds a fitted encoder with a progress bar of its own.
    parts = [model, getattr(model, "encoder_", model)]
    for part in (part for part in parts if hasattr(part, "verbose")):
        part.verbose = False
    return model


class PatchTransformer(GeoTransformer, GeoEstimator, VersionedEstimator):
    """A transformer of patch tables and of stacks of pixel centres, which are accepted wherever tables are."""

    _n_columns = 6

    def transform(self, X: Any) -> Any:
        """Describe patches.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_patches, 6), or array-like of shape (n_patches, n_rows, n_columns, 2)
            A patch table; or the (latitude, longitude) of the pixels of patches in degrees; or the (latitude,
            longitude, area in square metres) of cells, of shape (n_patches, n_cells, 3).

        Returns
        -------
        ndarray of shape (n_patches, n_outputs)
            The features; float32 for float32 input, else float64. For chunked input they are a lazy dask array or
            DataFrame: its patches are checked when they are computed.
        """
        check_is_fitted(self)
        patches = self._read(X, reset=False, chunked=True)
        return self._transform_rows(patches.rows) if isinstance(patches, ChunkedRows) else self._patch_features(patches)

    @abstractmethod
    def _patch_features(self, patches: Patches | PixelStack) -> npt.NDArray[np.floating]:
        """The features (n, k) of patches."""

    def _read(self, X: Any, *, reset: bool, chunked: bool = False) -> Any:
        """Turn X into patches or a stack of pixels; with ``chunked``, rows of dask stay chunked."""
        patches = read_patches(X, () if reset else self._columns_in_fit(), chunked=chunked)
        if isinstance(patches, ChunkedRows):
            # A chunked stack has no columns, so none can be in another order than those of the fit.
            named = patches.named or patches.rows.ndim > 2
            self._settle_names(patches.columns, named, reset=reset)
        elif isinstance(patches, Patches):
            self._settle_names(patches.columns, patches.columns is not None, reset=reset)
        else:
            self._settle_names(None, True, reset=reset)
            if reset:
                warn_radians(patches.latitude.ravel(), patches.longitude.ravel())
        return patches


def steps_of(estimator: Any) -> list[Any]:
    """The steps of a Pipeline, of Pipelines inside it and of frozen estimators; else the estimator alone."""
    if isinstance(estimator, FrozenEstimator):
        return steps_of(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return [inner for _, step in estimator.steps for inner in steps_of(step)]
    return [estimator]


def table_for(estimator: Any, points: npt.NDArray[np.floating], coordinates: tuple[str, str] | None = None) -> Any:
    """Points (n, 2) in a form that the estimator reads: with its own column names if it was fitted on a DataFrame.

    ``coordinates`` are the names of the latitude and the longitude among its columns, where these are not usual names.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return points
    first = steps_of(estimator)[0]
    # Estimators of skgeo read Points in any case, with any column names in the fit.
    if isinstance(first, GeoEstimator):
        latitude, longitude = points.astype(np.float64).T
        return Points(latitude.clip(-90.0, 90.0), longitude, points.dtype, named=True)
    columns = list(names)
    given = getattr(first, "coordinates", None) if coordinates is None else coordinates
    try:
        found = coordinate_columns(columns, given, others=True)
    except CoordinateError as error:
        raise ValueError(
            f"The estimator was fitted on the columns {listed(columns)}: which are latitude and longitude? Name them "
            "in coordinates=, or predict yourself, and give the predictions to PredictionMapDisplay.from_predictions."
        ) from error
    others = [str(name) for name in columns if name not in found]
    if others:
        raise ValueError(
            f"The estimator was fitted on the columns {listed(others)} beside coordinates, which a map does not "
            "have: predict yourself, and give the predictions to PredictionMapDisplay.from_predictions."
        )
    pandas = import_optional("pandas", "an estimator that was fitted on a DataFrame", "pandas")
    return pandas.DataFrame(dict(zip(found, points.T, strict=True)))[columns]


def warn_other_version(written: str) -> None:
    """Warn when another version of skgeo wrote a model."""
    if written != __version__:
        warn_caller(
            f"This model was saved by skgeo {written} and is loaded by skgeo {__version__}. Fit the model again, "
            "and compare the output at a few places. Or install the version that saved the model.",
            VersionWarning,
        )


@contextmanager
def restore_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Leave an estimator as it was when fitting it fails."""
    before = vars(estimator).copy()
    try:
        yield
    # A user may stop a long fit: KeyboardInterrupt is no Exception.
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
