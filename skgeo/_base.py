"""The base of every estimator: the one seam through which X passes, feature names, dtype, version of a pickle."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skgeo._callers import warn_swapped_on_the_way
from skgeo._cells import CellGrid
from skgeo._grid import GridAxes, LatLonGrid
from skgeo._input.cf import is_xarray
from skgeo._input.chunks import chunked_rows, computed, is_lazy, lazy_cells, lazy_rows
from skgeo._input.columns import coordinate_columns, frame_columns, is_geometric
from skgeo._input.coordinates import Coordinates, LabelledPoints, read_coordinates, warn_radians
from skgeo._input.from_xarray import all_true_mask_like, layout, read_cells, read_grid, read_points
from skgeo._input.patch_table import PATCH_COLUMNS, Patches, PixelStack, read_patches_or_stack
from skgeo._kernels.evaluate import map_grid, map_points
from skgeo._progress import check_verbose, progress
from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_names, check_parameter, warn_caller
from skgeo._version import __version__
from skgeo._weights import check_sample_weight as check_sample_weight
from skgeo._weights import check_scaled_weight
from skgeo.exceptions import CoordinateError, CoordinateWarning, VersionWarning

Places = Coordinates | LatLonGrid | CellGrid | GridAxes
Write = Callable[..., None]
"""Of latitude, longitude, ``out`` and ``advance``: writes what is there into ``out``, and tells how many places are."""


class VersionedEstimator(BaseEstimator):
    """An estimator whose files say which version wrote them, and whose diagram links to our reference."""

    _public_module = "skgeo"  # where users import it from, and the reference has it
    _doc_link_module = "skgeo"
    _doc_link_template = "https://skgeo.github.io/skgeo/api/{module}.{name}.html"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        """The parts of a link of scikit-learn's HTML representation."""
        return {"module": self._public_module, "name": type(self).__name__}

    def __getstate__(self) -> dict[str, Any]:
        """The state with the version that wrote it."""
        return {**super().__getstate__(), "_skgeo_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state; warn when another version wrote it."""
        state = dict(state)
        warn_other_version(state.pop("_skgeo_version", "unknown"))
        super().__setstate__(state)


class GeoEstimator(VersionedEstimator, ABC):
    """An estimator of places: reads X through :meth:`_read` and nowhere else."""

    _n_columns: int

    def _read(self, X: object, *, reset: bool) -> Any:
        """Turn any X into checked numbers; with ``reset`` (in ``fit``) remember its columns."""
        if not reset and self._lacks_names(X):
            places = self._parse(X, as_in_fit=True)
            if not isinstance(places, PixelStack):
                self._warn_names()
            return places
        places = self._parse(X)
        if reset:
            self._remember(getattr(places, "columns", None))
        return places

    def _lacks_names(self, X: Any) -> bool:
        """Whether the columns of X have no names, but those of the fit had."""
        names = getattr(self, "feature_names_in_", ())
        return len(names) == self._n_columns and not _has_names(X)  # a single one is of a geometry

    def _warn_names(self) -> None:
        """Warn in scikit-learn's words, and say how the columns were read."""
        warn_caller(
            f"X does not have valid feature names, but {type(self).__name__} was fitted with feature names: its "
            f"columns are taken to be {self.feature_names_in_.tolist()}, as in fit. Pass a DataFrame.",
            CoordinateWarning,
        )

    def _in_order(self, X: Any) -> Any:
        """A dask array of rows with its columns in the documented order, whatever they were in ``fit``."""
        if not (hasattr(type(X), "rechunk") and X.ndim == 2 and X.shape[1] == self._n_columns and self._lacks_names(X)):
            return X
        self._warn_names()
        return X[:, self._order_in_fit()]

    def _lazy_rows(self, X: Any) -> Any:
        """The transform of a dask array or DataFrame, not computed yet."""
        model = detached_copy(self)
        vars(model).pop("feature_names_in_", None)  # the columns of blocks are in order
        return lazy_rows(model, X)

    def _remember(self, columns: list[str] | None) -> None:
        """Set what scikit-learn wants known of the columns seen in ``fit``."""
        self.n_features_in_ = self._n_columns if columns is None else len(columns)
        if columns is not None:
            self.feature_names_in_ = np.asarray(columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    @abstractmethod
    def _parse(self, X: object, *, as_in_fit: bool = False) -> Any:
        """Read X and check it; changes nothing. The columns of an array may be in the order of those of the fit."""

    @abstractmethod
    def _order_in_fit(self) -> list[int]:
        """Where the documented columns were in the frame of the fit."""


class GeoTransformer(TransformerMixin, GeoEstimator):
    """A transformer of places."""

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> npt.NDArray[np.object_]:
        """Names of the output columns.

        Parameters
        ----------
        input_features : sequence of str, default=None
            Names of the input columns; they are only checked, the output has names of its own.

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


class LocationEstimator(GeoEstimator):
    """An estimator of points (latitude, longitude) and of grids, which are accepted wherever points are."""

    _n_columns = 2
    _weighs_cells = False  # whether areas of cells matter to the fit
    _missing_policies: tuple[str, ...] = ("error", "nan", "mean")
    coordinates: tuple[str, str] | None = None
    missing: str = "error"
    add_indicator: bool = False
    verbose: bool | None = None

    def _order_in_fit(self) -> list[int]:
        columns = self.feature_names_in_.tolist()
        return [columns.index(name) for name in coordinate_columns(columns, self.coordinates)]

    def _parse(self, X: Any, *, as_in_fit: bool = False) -> Places:
        check_names(self.coordinates)
        *others, last = policies = self._missing_policies
        known = isinstance(self.missing, str) and self.missing in policies
        check_parameter("missing", self.missing, known, f"{', '.join(map(repr, others))} or {last!r}")
        cure = ", or let " + " or ".join(f"missing={policy!r}" for policy in policies[1:]) + " take them"
        missing = self.missing != "error" or (cure if others else False)
        check_flag("add_indicator", self.add_indicator)
        check_verbose(self.verbose)
        X = places_of(X, centres=not self._weighs_cells)
        if isinstance(X, LatLonGrid | CellGrid):
            return X
        X = X.compute() if is_lazy(X) else X  # whoever can do with less has branched off before
        order = self._order_in_fit() if as_in_fit else [0, 1]
        return read_coordinates(X, self.coordinates, missing=missing, order=order)

    def _fill_output(
        self, places: Places, n_columns: int, dtype: npt.DTypeLike, write_points: Write, write_grid: Write
    ) -> npt.NDArray[Any]:
        """What is written at points, or at the cells between two axes, (n, n_columns); with a progress bar."""
        on_axes = isinstance(places, LatLonGrid | GridAxes)
        latitude, longitude = places.latitude.ravel(), places.longitude.ravel()
        shape = (latitude.size, longitude.size) if on_axes else (latitude.size,)
        values = np.empty((*shape, n_columns), dtype=dtype)
        with progress(math.prod(shape), "place", shown=self.verbose) as advance:
            (write_grid if on_axes else write_points)(latitude, longitude, out=values, advance=advance)
        return values.reshape(math.prod(shape), n_columns)

    def _evaluate_map(
        self, places: Places, coefficients: FloatArray, clip: float | None, dtype: npt.DTypeLike, n_jobs: int | None
    ) -> npt.NDArray[Any]:
        """The softly clipped map of harmonics with coefficients (k, D) at places, (n, k)."""
        options: dict[str, Any] = {"coefficients": coefficients, "clip": clip, "n_jobs": n_jobs}
        writes = partial(map_points, **options), partial(map_grid, **options)
        return self._fill_output(places, len(coefficients), dtype, *writes)

    def _read(self, X: object, *, reset: bool) -> Any:
        """As every transformer; what a model is fitted on must not be in radians, nor swapped on the way here."""
        places = super()._read(X, reset=reset)
        if reset:
            self._warn_radians(places)
        if reset and isinstance(places, Coordinates) and places.columns is None and not _has_names(X):
            warn_swapped_on_the_way(self, self.coordinates)
        return places

    def _warn_radians(self, places: Any) -> None:
        """Warn if points, which a model learns from, are in radians; grids warn where they are made."""
        if isinstance(places, Coordinates):
            warn_radians(places.latitude, places.longitude)

    def __sklearn_tags__(self) -> Tags:
        """Missing coordinates are allowed by policy."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "error"
        return tags


class LocationTransformer(LocationEstimator, GeoTransformer):
    """A transformer of points (latitude, longitude) and of grids, which are accepted wherever points are."""

    def transform(self, X: Any) -> Any:
        """Embed points, or all cells of a grid.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Points as (latitude, longitude) in degrees, or a grid, taken at its cell centres in C order; its mask
            is not looked at.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            The embedding; float32 for float32 points or axes, else float64. Of chunked input it is a dask array or
            DataFrame, not computed yet.
        """
        check_is_fitted(self)
        places = places_of(X, centres=True)
        if is_lazy(places):
            return self._lazy_rows(places if places is not X else self._in_order(X))
        places = self._read(places, reset=False)
        chunked = isinstance(places, LatLonGrid | CellGrid) and places.chunked
        return self._lazily(places) if chunked else self._transform_places(places)

    def _transform_places(self, places: Places) -> npt.NDArray[np.floating]:
        """The embedding with missing places as the policy wants them."""
        values = self._embed_places(places)
        on_axes = isinstance(places, LatLonGrid | GridAxes)  # which have no gaps
        absent = np.zeros(len(values), dtype=bool) if on_axes else np.isnan(places.latitude).ravel()
        if self.missing == "mean" and absent.any():
            values[absent] = 0.0
        if self.add_indicator:
            values = np.column_stack([values, absent.astype(values.dtype)])
        return values

    def _lazily(self, places: LatLonGrid | CellGrid) -> Any:
        """The embedding of chunked cells, not computed yet."""
        model, output = detached_copy(self), (len(self._feature_names()), places.dtype)
        if isinstance(places, LatLonGrid):
            latitude = chunked_rows(places.latitude, like=places.mask)
            embed = partial(_embed_rows, model, GridAxes(places.latitude, places.longitude, places.dtype))
            return lazy_cells(embed, latitude, cells_per_row=places.shape[1], output=output)
        embed = partial(_embed_centres, model, places.dtype)
        cells_per_row = math.prod(places.shape[1:])
        return lazy_cells(embed, places.latitude, places.longitude, cells_per_row=cells_per_row, output=output)

    def _check_twin(self) -> None:
        """A twin passes NaN on and has no indicator."""
        valid = self.missing != "mean" and not self.add_indicator
        given = f"missing={self.missing!r}, add_indicator={self.add_indicator!r}"
        if not valid:
            raise ValueError(
                f"{given}: a torch twin hands NaN on. set_params(missing='nan', add_indicator=False) before to_torch()."
            )

    @abstractmethod
    def _embed_places(self, places: Places) -> npt.NDArray[np.floating]:
        """The embedding (n, k) of places, a row of NaN where they are missing."""

    @abstractmethod
    def _embedding_names(self) -> list[str]:
        """Names of the columns of the embedding."""

    def _feature_names(self) -> list[str]:
        return self._embedding_names() + ["missing_location"] * bool(self.add_indicator)


def _has_names(X: Any) -> bool:
    """Whether X says by itself what is latitude and what is longitude."""
    named = isinstance(X, LabelledPoints | LatLonGrid | CellGrid) or is_xarray(X) or is_geometric(X)
    return named or frame_columns(X) is not None


def points_of(X: Any, *, centres: bool = False) -> Any:
    """The points of an xarray object that lie along a dimension and have no areas; anything else as it is."""
    if not (is_xarray(X) and layout(X) == "points"):
        return X
    points = read_points(X, centres=centres)
    return points if is_lazy(points) else LabelledPoints(points)


def places_of(X: Any, *, centres: bool = False) -> Any:
    """The grid or the points of an xarray object; anything else as it is.

    With ``centres`` only these matter: areas are not read, nor missed where they are lost.
    """
    X = points_of(X, centres=centres)
    if not is_xarray(X):
        return X
    if layout(X) == "grid":
        mask = all_true_mask_like(X)
        return LatLonGrid(**read_grid(X, mask, centres=True)) if centres else LatLonGrid.from_xarray(X, mask)
    mask = all_true_mask_like(X, 2)
    return CellGrid(**read_cells(X, mask, centres=True)) if centres else CellGrid.from_xarray(X, mask)


def points_in_degrees(places: Places) -> FloatArray:
    """The places (n, 2) in float64, in whatever precision they came; chunked ones are computed."""
    latitude, longitude = computed(places.latitude, places.longitude)
    if isinstance(places, LatLonGrid | GridAxes):
        latitude, longitude = np.meshgrid(latitude, longitude, indexing="ij")
    return np.column_stack([latitude.ravel(), longitude.ravel()])


def in_memory(places: Places) -> Places:
    """Cells whose centres are chunked as points, computed once; anything else as it is."""
    if not (isinstance(places, CellGrid) and places.chunked):
        return places
    latitude, longitude = points_in_degrees(places).T
    return Coordinates(latitude, longitude, places.dtype, None)


def points_with_weights(places: Places, sample_weight: npt.ArrayLike | None = None) -> tuple[FloatArray, FloatArray]:
    """Places (n, 2), and what they weigh (n,): of cells what their mask says, zero where there is no place."""
    points = points_in_degrees(places)
    mask = getattr(places, "mask", None)
    weight = np.ones(len(points)) if mask is None else np.asarray(mask, dtype=np.float64).ravel()
    if sample_weight is not None:
        weight = weight * check_scaled_weight(sample_weight, getattr(places, "shape", weight.shape)).ravel()
    return points, np.where(np.isnan(points).any(axis=1), 0.0, weight)


def _embed_rows(model: LocationTransformer, columns: GridAxes, latitude: FloatArray) -> npt.NDArray[np.floating]:
    """The embedding of some rows of a grid."""
    return model._transform_places(columns._replace(latitude=latitude))


def _embed_centres(
    model: LocationTransformer, dtype: np.dtype[Any], latitude: FloatArray, longitude: FloatArray
) -> npt.NDArray[np.floating]:
    """The embedding of a block of cells."""
    return model._transform_places(Coordinates(latitude.ravel(), longitude.ravel(), dtype, None))


def detached_copy(estimator: Any) -> Any:
    """A quiet copy with arrays for output, which a later fit of the estimator or of its parts does not change."""
    model = copy.deepcopy(estimator).set_output(transform="default")
    parts = [model, getattr(model, "encoder_", model)]
    for part in (part for part in parts if hasattr(part, "verbose")):
        part.verbose = False
    return model


class PatchTransformer(GeoTransformer):
    """A transformer of patches: of patch tables, and of stacks of pixel centres, accepted wherever tables are."""

    _n_columns = 6

    def transform(self, X: Any) -> Any:
        """Describe patches.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_patches, 6), or array-like of shape (n_patches, n_rows, n_columns, 2)
            A patch table, or the (latitude, longitude) of the pixels of patches in degrees.

        Returns
        -------
        ndarray of shape (n_patches, n_outputs)
            float32 for float32 input, else float64. Of chunked input it is a dask array or DataFrame, not computed
            yet.
        """
        check_is_fitted(self)
        return self._lazy_rows(self._in_order(X)) if is_lazy(X) else self._patch_features(self._read(X, reset=False))

    @abstractmethod
    def _patch_features(self, patches: Patches | PixelStack) -> npt.NDArray[np.floating]:
        """The features (n, k) of patches."""

    def _read(self, X: object, *, reset: bool) -> Any:
        """As every transformer; pixels that a model is fitted on must not be in radians."""
        patches = super()._read(X, reset=reset)
        if reset and isinstance(patches, PixelStack):
            warn_radians(patches.latitude.ravel(), patches.longitude.ravel())
        return patches

    def _order_in_fit(self) -> list[int]:
        columns = self.feature_names_in_.tolist()
        return [columns.index(name) for name in PATCH_COLUMNS]

    def _parse(self, X: Any, *, as_in_fit: bool = False) -> Patches | PixelStack:
        if isinstance(X, LatLonGrid | CellGrid):
            kind = type(X).__name__
            raise CoordinateError(f"X is a {kind}: expected patches, for instance X.patches((16, 16)).")
        X = X.compute() if is_lazy(X) else X
        return read_patches_or_stack(X, self._order_in_fit() if as_in_fit else range(self._n_columns))


def warn_other_version(written: str) -> None:
    """Warn when another version of skgeo wrote a model."""
    if written != __version__:
        warn_caller(
            f"This model was saved by skgeo {written} and is loaded by skgeo {__version__}: its output may differ. "
            "Fit it again, or install the version that saved it.",
            VersionWarning,
        )


@contextmanager
def restore_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Leave an estimator as it was when fitting it fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
