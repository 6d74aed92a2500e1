"""The base classes of all splitters, the coordinates of samples, and distances on the sphere."""

import copy
import inspect
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length

from skgeo._input.chunks import computed
from skgeo._input.columns import coordinate_columns
from skgeo._input.coordinates import Points, fill_values, warn_radians
from skgeo._kernels.sphere import EARTH_RADIUS, unit_vectors
from skgeo._places import as_grid, as_points, column_names, has_names, is_table, read_places
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_names, check_parameter, is_integer, warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

#: Radius of the Earth in km.
EARTH_RADIUS_KM = EARTH_RADIUS / 1000.0
#: Half the circumference of the Earth in km: the largest distance of two places.
HALF_CIRCUMFERENCE_KM = math.pi * EARTH_RADIUS_KM

# Unit vectors that agree to this number of decimals are the same place, to a hundredth of a millimetre.
_PLACE_DECIMALS = 12
# Longitudes of any convention span one turn, and tracks across the antimeridian hardly more than two: 720 degrees.
_WIDEST_SPAN = 720.0
# The end of errors about samples without coordinates.
_BESIDE = (
    "Pass latitude and longitude beside X as coordinates=, of shape (n_samples, 2) (as groups= of scikit-learn's "
    "functions without metadata routing)"
)


class LocationSplitter(BaseCrossValidator, ABC):
    """A splitter of samples by their location.

    Splitters have no ``get_params``, like scikit-learn's own: estimators such as LassoCV would take the parameters of
    their splitter for parameters of their own.
    """

    # Metadata routing passes coordinates to split() by default, without set_split_request.
    __metadata_request__split = {"coordinates": True}  # noqa: RUF012 - scikit-learn's own form

    coordinates: tuple[str, str] | None

    def split(
        self, X: Any, y: Any = None, groups: Any = None, coordinates: Any = None
    ) -> Iterator[tuple[Integers, Integers]]:
        """Yield the training and the test samples of each split.

        Parameters
        ----------
        X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid with n_samples rows
            The samples. A frame has latitude and longitude in degrees among its columns. An array has only these two
            columns, in this order. The samples of a grid are its cells. With ``coordinates`` X may be anything that has
            a length.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The target, which ``stratify=True`` spreads over the folds. It has no other use.
        groups : array-like of shape (n_samples, 2), default=None
            The same as ``coordinates``. Without metadata routing scikit-learn passes only this argument to splitters.
        coordinates : array-like, DataFrame, GeoSeries or grid with n_samples rows, or (str, str), default=None
            Latitude and longitude in degrees, where they are not in X; or the names of their columns in X.

        Yields
        ------
        train : ndarray of int
            Rows to train on.
        test : ndarray of int
            Rows to test on.

        Raises
        ------
        CoordinateError
            If there are no coordinates, or some are missing or out of range.
        ValueError
            If a parameter is invalid, or the data do not allow this number of splits.

        Warns
        -----
        CoordinateWarning
            If coordinates look like radians, or the splitter has names of columns and X has none.
        """
        yield from self._split(self._vectors(X, y, groups, coordinates), y)

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name, also as ``cv__name`` of a search that has the splitter.

        Parameters
        ----------
        **parameters
            Parameters of the constructor.

        Returns
        -------
        Self
            The splitter.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        known = list(inspect.signature(type(self)).parameters)
        for name, value in parameters.items():
            check_parameter("parameter", name, name in known, f"one of {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __sklearn_clone__(self) -> Self:
        """A copy, for scikit-learn's ``clone``."""
        return copy.deepcopy(self)

    def _vectors(self, X: Any, y: Any = None, groups: Any = None, coordinates: Any = None) -> FloatArray:
        """Unit vectors (n, 3) of the samples."""
        self._check_parameters()
        name, given = "coordinates", coordinates
        if coordinates is None and groups is not None:
            name, given = "groups", groups
        return unit_vectors(*read_samples(X, y, given, name=name, names=self.coordinates))

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise ValueError if a parameter is invalid."""

    @abstractmethod
    def _split(self, vectors: FloatArray, y: Any) -> Iterator[tuple[Integers, Integers]]:
        """Yield the training and the test samples, given unit vectors."""


class FoldSplitter(LocationSplitter):
    """A splitter that assigns each sample to one fold, and tests each fold once."""

    n_splits: int

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None, coordinates: Any = None) -> int:
        """Number of splits.

        Parameters
        ----------
        X, y, groups, coordinates : object, default=None
            Ignored.

        Returns
        -------
        int
            ``n_splits``.
        """
        return int(self.n_splits)

    @abstractmethod
    def _folds(self, vectors: FloatArray, y: Any) -> Integers:
        """The fold (n,) in which each sample is tested, given unit vectors."""

    def _split(self, vectors: FloatArray, y: Any) -> Iterator[tuple[Integers, Integers]]:
        folds = self._folds(vectors, y)
        for fold in range(int(self.n_splits)):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def splits_of(splitter: LocationSplitter, vectors: FloatArray, y: Any) -> list[tuple[Integers, Integers]]:
    """The splits of samples given as unit vectors (n, 3): the caller has read and checked their coordinates."""
    splitter._check_parameters()
    return list(splitter._split(vectors, y))


def check_n_splits(n_splits: Any) -> None:
    """Raise ValueError unless there are at least two splits."""
    check_parameter("n_splits", n_splits, is_integer(n_splits) and n_splits >= 2, "an integer, at least 2")


def read_samples(
    X: Any, y: object, coordinates: Any, *, name: str = "coordinates", names: Any = None
) -> tuple[FloatArray, FloatArray]:
    """Latitude and longitude (n,) of samples, as many as X and y have.

    They come from ``coordinates`` if places are given there, else from X, from the columns ``names`` of a frame.
    ``coordinates`` may also be these names.
    """
    if name == "coordinates" and isinstance(coordinates, tuple | list) and all(isinstance(n, str) for n in coordinates):
        names, coordinates = coordinates, None
    check_names(names)
    if coordinates is None:
        _refuse_unnamed(X, "X")
        _warn_unnamed(X, names)
        try:
            latitude, longitude = _read_in_memory(X, names)
        except CoordinateError:
            _refuse_without_places(X, names)
            raise
    else:
        _refuse_unnamed(coordinates, name)
        latitude, longitude = _read_in_memory(coordinates, names_in(coordinates, names), name)
    check_consistent_length(X if is_table(X) else None, y, latitude)
    return latitude, longitude


def names_in(X: Any, names: Any) -> Any:
    """The names of two columns if X, which is given beside the samples, has them; else None."""
    columns = None if names is None else column_names(X)
    return names if columns is not None and set(names) <= set(columns) else None


@contextmanager
def errors_in(name: str) -> Iterator[None]:
    """Say of a :class:`CoordinateError` which parameter it is about, other than X."""
    try:
        yield
    except CoordinateError as error:
        if name == "X":
            raise
        raise CoordinateError(f"In {name}=, {error}") from error


def _refuse_unnamed(X: Any, name: str) -> None:
    """Refuse None, and an array of more or fewer than two columns."""
    if X is None:
        raise CoordinateError(
            f"{name} is None: expected the samples, a table of (latitude, longitude) rows or a frame."
        )
    if has_names(X):
        return
    try:
        shape: Any = np.shape(X)
    except ValueError:  # ragged
        shape = (len(X), "?")
    if len(shape) != 2 or shape[1] != 2:
        raise CoordinateError(
            f"{name} has shape {shape} and no names: expected two columns, latitude and longitude. {_BESIDE}, or X "
            "as a DataFrame that has columns 'latitude' and 'longitude' among others."
        )


def _refuse_without_places(X: Any, names: Any) -> None:
    """Refuse a frame that has no coordinates, or several: splitters and reports take them beside X, too."""
    columns = column_names(X)
    if columns is None:
        return
    try:
        coordinate_columns(columns, names, others=True)
    except CoordinateError as error:
        raise CoordinateError(f"{error} {_BESIDE}.") from None


def _warn_unnamed(X: Any, names: Any) -> None:
    """Warn that names cannot be looked up: a tool may have made an array of a frame whose columns were swapped."""
    if names is not None and not has_names(X):
        warn_caller(
            f"X has no column names to find coordinates={tuple(names)!r} in: its columns are read as (latitude, "
            "longitude). Some tools, such as LassoCV, make an array of a frame: give them the columns in this order.",
            CoordinateWarning,
        )


def check_enough_places(n_places: int, n_splits: int) -> None:
    """Raise ValueError if there are fewer places than folds."""
    if n_places == 1:
        raise ValueError(
            f"n_splits={n_splits}: all samples are at one place, and each fold needs one of its own. "
            "All coordinates are the same: are they the right columns?"
        )
    if n_places < n_splits:
        raise ValueError(
            f"n_splits={n_splits}: the samples are at {n_places} different places, and each fold needs one. "
            "Give fewer splits."
        )


def _read_in_memory(X: Any, names: Any = None, name: str = "X") -> tuple[FloatArray, FloatArray]:
    """Latitude and longitude (n,) in degrees of samples in any form; none may be missing.

    Errors and warnings name the parameter that X is.
    """
    with errors_in(name):
        places = read_places(X, names, others=True, centres=True)
        points = as_points(places)
    if isinstance(places, Points):  # a grid warned when it was made
        _warn_radians(points.latitude, points.longitude, name)
        _warn_unusual(X, points.longitude, name)
    return points.latitude, points.longitude


def _warn_unusual(X: Any, longitude: FloatArray, name: str) -> None:
    """Warn that the second column of an array may be no longitude, such as a number of days.

    The reader of coordinates has already warned of a single fill value, such as -999.
    """
    if not has_names(X) and np.ptp(longitude) > _WIDEST_SPAN and not fill_values(longitude).size:
        warn_caller(
            f"{name} is an array, so its columns are read as (latitude, longitude), but the second column lies in "
            f"{longitude.min():g}..{longitude.max():g}: is it a longitude in degrees? {_BESIDE} if it is not.",
            CoordinateWarning,
        )


def _warn_radians(latitude: FloatArray, longitude: FloatArray, name: str) -> None:
    """Warn of radians in a parameter."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_radians(latitude, longitude)
    for warning in caught:
        warn_caller(f"In {name}=, {warning.message}" if name != "X" else str(warning.message), warning.category)


def read_domain(X: Any, names: Any = None, name: str = "X") -> tuple[FloatArray, FloatArray]:
    """Unit vectors (n, 3) of the points, or of the cells inside the mask of a grid, and the weight of each.

    ``names`` are used only if X is a frame with these columns.
    """
    with errors_in(name):
        grid = as_grid(X)
    if grid is None:
        vectors = unit_vectors(*_read_in_memory(X, names_in(X, names), name))
        return vectors, np.ones(len(vectors))
    mask, areas, points = computed(
        grid.mask if grid.mask is not None else np.ones(grid.shape), grid.cell_areas(1.0), grid.points()
    )
    weight = (mask * areas).ravel()
    inside = (weight > 0.0) & np.isfinite(points).all(axis=1)
    return unit_vectors(*points[inside].astype(np.float64).T), weight[inside]


def kd_tree(vectors: FloatArray) -> cKDTree:
    """A tree that finds nearest neighbours."""
    # Splitters build many trees and use each once. This kind is fast to build and slower to search.
    return cKDTree(vectors, balanced_tree=False, compact_nodes=False)


def nearest_km(lookup: cKDTree, vectors: FloatArray, *, rank: int = 1) -> FloatArray:
    """Great-circle distance in km from each vector to the nearest point of a tree.

    With rank 2, the distance is that to the second nearest point. If the vectors are points of the tree, the nearest
    point is the vector itself.
    """
    return chord_to_km(np.asarray(lookup.query(vectors, k=[rank])[0])[:, 0])


def km_to_chord(distance: Any) -> Any:
    """Length of the chord of the unit sphere between places whose great-circle distance in km is given."""
    return 2.0 * np.sin(np.minimum(distance / EARTH_RADIUS_KM, np.pi) / 2.0)


def chord_to_km(length: npt.ArrayLike) -> FloatArray:
    """Great-circle distance in km of places whose chord of the unit sphere has a given length."""
    return 2.0 * EARTH_RADIUS_KM * np.arcsin(np.minimum(np.asarray(length) / 2.0, 1.0))


def distinct_places(vectors: FloatArray) -> Integers:
    """The number (n,) of the place of each sample. Places are numbered in the order of their first samples.

    ``np.unique(..., axis=0)`` finds the same places, but takes 2.9 s for a million samples; the sort here takes 1.4 s.
    """
    rounded = vectors.round(_PLACE_DECIMALS) + 0.0  # adding zero turns -0.0 into 0.0
    # The sort is stable: of the samples at one place, the first sample comes first.
    order = np.lexsort(rounded.T)
    # The first sample of each place in this order differs from the sample before it.
    new = np.concatenate([[True], np.any(np.diff(rounded[order], axis=0), axis=1)])
    first = order[new]
    number = np.empty(first.size, dtype=np.intp)
    number[np.argsort(first)] = np.arange(first.size)
    places = np.empty(len(vectors), dtype=np.intp)
    places[order] = number[np.cumsum(new) - 1]
    return places
