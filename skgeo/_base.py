"""The base of every estimator: the one seam through which X passes, feature names, dtype, version of a pickle."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skgeo._coordinates import Coordinates, check_numbers, number, read_coordinates, warn_radians
from skgeo._parameters import check_parameter, warn_caller
from skgeo._patch_table import Patches, read_patches
from skgeo._version import __version__
from skgeo.exceptions import CoordinateError, VersionWarning
from skgeo.grid import LatLonGrid


class GeoTransformer(TransformerMixin, BaseEstimator, ABC):
    """A transformer of places: reads X through :meth:`_read` and nowhere else."""

    _n_columns: int

    def _read(self, X: object, *, reset: bool) -> Any:
        """Turn any X into checked numbers; with ``reset`` (in ``fit``) remember its columns."""
        places = self._parse(X)
        if reset:
            columns = getattr(places, "columns", None)
            self.n_features_in_ = self._n_columns
            if columns is not None:
                self.feature_names_in_ = np.asarray(columns, dtype=object)
            elif hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        return places

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

    def __getstate__(self) -> dict[str, Any]:
        """The state with the version that wrote it."""
        return {**super().__getstate__(), "_skgeo_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state; warn when another version wrote it."""
        state = dict(state)
        warn_other_version(state.pop("_skgeo_version", "unknown"))
        super().__setstate__(state)

    @abstractmethod
    def _parse(self, X: object) -> Any:
        """Read X and check it; changes nothing."""

    @abstractmethod
    def _feature_names(self) -> list[str]:
        """Names of the output columns."""


class LocationTransformer(GeoTransformer):
    """A transformer of points (latitude, longitude) and of grids, which are accepted wherever points are."""

    _n_columns = 2
    coordinates: tuple[str, str] | None = None

    def _parse(self, X: object) -> Coordinates | LatLonGrid:
        names = self.coordinates
        listed = isinstance(names, tuple | list) and len(names) == 2
        valid = names is None or (listed and all(isinstance(name, str) for name in names) and names[0] != names[1])
        check_parameter("coordinates", names, valid, "None or the names of the latitude and the longitude column")
        return X if isinstance(X, LatLonGrid) else read_coordinates(X, names)

    def _read(self, X: object, *, reset: bool) -> Any:
        """As every transformer; what a model is fitted on must not be in radians."""
        places = super()._read(X, reset=reset)
        if reset and not isinstance(places, LatLonGrid):
            warn_radians(places.latitude, places.longitude)
        return places


class PatchTransformer(GeoTransformer):
    """A transformer of patch tables."""

    _n_columns = 6

    def _parse(self, X: object) -> Patches:
        if isinstance(X, LatLonGrid):
            raise CoordinateError("X is a LatLonGrid: expected a patch table, for instance X.patches((16, 16)).")
        return read_patches(X)


def warn_other_version(written: str) -> None:
    """Warn when another version of skgeo wrote a model."""
    if written != __version__:
        warn_caller(
            f"This model was saved by skgeo {written} and is loaded by skgeo {__version__}: its output may differ. "
            "Fit it again, or install the version that saved it.",
            VersionWarning,
        )


@contextmanager
def all_or_nothing(estimator: BaseEstimator) -> Iterator[None]:
    """Leave an estimator as it was when fitting it fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def check_sample_weight(
    sample_weight: npt.ArrayLike, shape: tuple[int, ...], *, some: bool = True
) -> npt.NDArray[np.float64]:
    """Weights of the given shape, flat where that has as many values: finite, not negative, and some not zero."""
    if np.ma.is_masked(sample_weight):
        raise ValueError("sample_weight has masked values: fill them, sample_weight.filled(0), to leave samples out.")
    values = np.asarray(sample_weight)
    if values.dtype.kind == "b":  # a selection
        values = values.astype(np.float64)
    weight = check_numbers(values, "sample_weight").astype(np.float64)
    if weight.shape not in {shape, (int(np.prod(shape)),)}:
        raise ValueError(f"sample_weight has shape {weight.shape}: expected {shape}, one weight per sample.")
    bad = np.flatnonzero(weight < 0.0)
    if bad.size:
        raise ValueError(
            f"sample_weight must not be negative; {bad.size} are, the first at {bad[0]}: {number(weight.flat[bad[0]])}."
        )
    if some and not weight.any():
        raise ValueError("sample_weight is all zero: no sample counts. Give at least one positive weight.")
    return weight.reshape(shape)
