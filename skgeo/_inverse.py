"""From embeddings of harmonics back to places."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationTransformer, as_fitted
from skgeo._coordinates import Coordinates
from skgeo._harmonics import FloatArray
from skgeo._parameters import warn_caller
from skgeo.datasets._made import fibonacci_lattice
from skgeo.exceptions import ResolutionWarning

Embed = Callable[[FloatArray], FloatArray]

# Candidates for the nearest place are so many times the square of the degree: a seventh of the shortest wave apart.
_DENSITY = 60
# Distances of rows to candidates that are held at a time.
_BLOCK_VALUES = 2**22
# Starts of the search for the nearest place, and half the shortest wave that lies between any two of them.
_STARTS = 4
# Half the step of central differences, in radians.
_STEP = 1e-5
_MOST_STEPS = 40
# Steps shorter than this, in radians, are rounding.
_RESOLVED = 1e-13
# Places are told apart if the embedding differs by more than so much of its size, and if they are this far from each
# other, in radians.
_SAME_EMBEDDING, _SAME_PLACE = 1e-9, 1e-6
# Slopes of the embedding of less than this share of its size leave a direction open.
_FLAT = 1e-6
# Rows with fewer values than this below the bound of the clip may be of many places.
_ENOUGH = 3


class DegreeOne(NamedTuple):
    """The vector of a place from its linear embedding, ``matrix @ z + offset`` for matrix (3, k): x, y and z."""

    matrix: FloatArray
    offset: FloatArray


class InverseTransformer(LocationTransformer):
    """A transformer of places that can tell the place from the embedding."""

    max_degree: int

    def inverse_transform(self, X: Any) -> npt.NDArray[np.floating]:
        """The places that have given embeddings.

        Where the columns span the harmonics of degree 1, which are the coordinates x, y and z of a place, it follows
        from these; else it is the place of the nearest embedding, by least squares: the best of a lattice on the whole
        sphere, and Gauss-Newton steps from there, in some ten milliseconds a row.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_outputs)
            Embeddings, in the order of the columns of ``transform``, whatever their names. Rows of missing places may
            be NaN unless ``missing="error"``.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Latitude and longitude in degrees, longitudes in [-180, 180]; float32 for float32 embeddings, else float64.
            Exact to 1e-9 degrees on the sphere for embeddings in float64 that are not clipped. NaN for rows that are
            NaN, that the indicator says are missing, or that have no nearest place.

        Raises
        ------
        ValueError
            If X has another number of columns, or values that are infinite, or NaN with ``missing="error"``.
        NotFittedError
            Before ``fit``.

        Warns
        -----
        ResolutionWarning
            If rows do not determine their place: another one was found that is as near, or a direction is left open,
            because there are too few columns, or because all values but two are at the bound of the soft clip. The
            message counts them and names the first.

        Examples
        --------
        >>> from skgeo.encoders import SphericalHarmonics
        >>> harmonics = SphericalHarmonics(4).fit([[0.0, 0.0]])
        >>> harmonics.inverse_transform(harmonics.transform([[47.4, 8.5], [-33.9, -161.6]])).round(9)
        array([[  47.4,    8.5],
               [ -33.9, -161.6]])
        """
        check_is_fitted(self)
        finite: Any = self.missing == "error" or "allow-nan"
        table = check_array(X, dtype=(np.float64, np.float32), ensure_all_finite=finite, input_name="X")
        names = self._feature_names()
        if table.shape[1] != len(names):
            raise ValueError(
                f"X has {table.shape[1]} columns: expected {len(names)}, those of transform, {names[0]} to {names[-1]}."
            )
        values = table.astype(np.float64)
        absent = np.isnan(values).any(axis=1)
        if self.add_indicator:
            absent |= values[:, -1] > 0.5
            values = values[:, :-1]
        elif self.missing == "mean":
            absent |= ~values.any(axis=1)
        places = np.full((len(values), 2), np.nan)
        rows = np.flatnonzero(~absent)
        if rows.size:
            places[rows], uncertain = self._places(values[rows])
            _warn(rows[uncertain])
        return places.astype(table.dtype, copy=False)

    def _places(self, values: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Places (n, 2) of embeddings (n, k), and which of them are not determined."""
        degree_one = self._degree_one()
        linear, saturated = self._unclipped(values)
        if degree_one is None:
            direct = np.zeros(len(values), dtype=bool)
        else:
            used = (np.abs(degree_one.matrix) > 0.0).any(axis=0)
            direct = np.asarray(~saturated[:, used].any(axis=1))
        places = np.empty((len(values), 2))
        uncertain = saturated.any(axis=1) & (np.count_nonzero(~saturated, axis=1) < _ENOUGH)
        if degree_one is not None and direct.any():
            vectors = linear[direct] @ degree_one.matrix.T + degree_one.offset
            length = np.linalg.norm(vectors, axis=1)
            uncertain[direct] |= length < _SAME_PLACE
            vectors[length < _SAME_PLACE] = np.nan
            places[direct] = _degrees(vectors)
        if not direct.all():
            embed = as_fitted(self)._embed_points  # without a progress bar for every step
            places[~direct], undetermined = nearest_places(embed, values[~direct], int(self.max_degree))
            uncertain[~direct] |= undetermined
        return places, uncertain

    def _embed_points(self, points: FloatArray) -> FloatArray:
        """The embedding (n, k) of points (n, 2), without indicator."""
        latitude, longitude = points.T
        return self._embed(Coordinates(latitude, longitude, points.dtype, None)).astype(np.float64, copy=False)

    def _unclipped(self, values: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """The linear embedding, and which values are at the bound of the clip."""
        return values, np.zeros(values.shape, dtype=bool)

    @abstractmethod
    def _degree_one(self) -> DegreeOne | None:
        """How the linear embedding tells the harmonics of degree 1, or None if it does not."""


def nearest_places(embed: Embed, targets: FloatArray, max_degree: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Places (n, 2) whose embeddings are nearest to targets (n, k), and which of them are not determined."""
    lattice = fibonacci_lattice(max(200, _DENSITY * max_degree**2))
    vectors = _vectors(lattice)
    places, uncertain = np.empty((len(targets), 2)), np.empty(len(targets), dtype=bool)
    length = max(1, _BLOCK_VALUES // len(lattice))
    for start in range(0, len(targets), length):
        part = slice(start, start + length)
        starts = _candidates(embed, targets[part], lattice, vectors, np.cos(0.5 * np.pi / max_degree))
        ends = [_refined(embed, targets[part], vectors[chosen]) for chosen in starts]
        places[part], uncertain[part] = _best(embed, targets[part], ends)
    return places, uncertain


def _candidates(
    embed: Embed, targets: FloatArray, lattice: FloatArray, vectors: FloatArray, apart: float
) -> list[npt.NDArray[np.intp]]:
    """Numbers (n,) of the nearest places of a lattice, and of the nearest that are not next to those before."""
    distances = np.empty((len(targets), len(lattice)))
    length = max(1, _BLOCK_VALUES // (8 * max(1, targets.shape[1])))
    for start in range(0, len(lattice), length):
        part = slice(start, start + length)
        embedded = embed(lattice[part])
        distances[:, part] = np.square(embedded).sum(axis=1) - 2.0 * targets @ embedded.T
    chosen = []
    for _ in range(_STARTS):
        nearest = distances.argmin(axis=1)
        chosen.append(nearest)
        distances[vectors[nearest] @ vectors.T > apart] = np.inf
    return chosen


def _refined(embed: Embed, targets: FloatArray, vectors: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unit vectors of the least distance, that distance squared, and the least slope of the embedding there.

    Levenberg-Marquardt steps in the tangent plane, all rows at once, with slopes by central differences.
    """
    vectors = vectors.copy()
    error = _errors(embed, targets, vectors)
    damping = np.full(len(targets), 1e-3)
    active = np.arange(len(targets))
    for _ in range(_MOST_STEPS):
        if not active.size:
            break
        here = vectors[active]
        frame, slopes = _slopes(embed, here)
        residual = targets[active] - embed(_degrees(here))
        normal = slopes @ slopes.transpose(0, 2, 1)
        scale = np.trace(normal, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
        normal += (damping[active, np.newaxis, np.newaxis] * scale + np.finfo(np.float64).tiny) * np.eye(2)
        right = np.einsum("nik,nk->ni", slopes, residual)
        step = np.linalg.solve(normal, right[:, :, np.newaxis])[:, :, 0]
        moved = _moved(here, frame, step)
        after = _errors(embed, targets[active], moved)
        better = after < error[active]
        rows = active[better]
        vectors[rows], error[rows] = moved[better], after[better]
        damping[active] = np.clip(np.where(better, damping[active] / 10.0, damping[active] * 10.0), 1e-16, 1e8)
        active = active[(np.linalg.norm(step, axis=1) > _RESOLVED) & (damping[active] < 1e8)]
    _, slopes = _slopes(embed, vectors)
    least: FloatArray = np.linalg.svd(slopes, compute_uv=False)[:, -1].astype(np.float64)
    return vectors, error, least


def _best(
    embed: Embed, targets: FloatArray, ends: list[tuple[FloatArray, FloatArray, FloatArray]]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The nearest of several places, and whether another one is as near, or it may slide along."""
    vectors, errors, slopes = (np.stack(values) for values in zip(*ends, strict=True))
    best, row = errors.argmin(axis=0), np.arange(len(targets))
    chosen = vectors[best, row]
    size = np.linalg.norm(embed(_degrees(chosen)), axis=1)
    distances = np.sqrt(errors)
    tie = distances <= distances[best, row] * (1.0 + _SAME_EMBEDDING) + _SAME_EMBEDDING * size
    elsewhere = np.linalg.norm(vectors - chosen, axis=2) > _SAME_PLACE
    return _degrees(chosen), (tie & elsewhere).any(axis=0) | (slopes[best, row] <= _FLAT * size)


def _errors(embed: Embed, targets: FloatArray, vectors: FloatArray) -> FloatArray:
    return np.square(embed(_degrees(vectors)) - targets).sum(axis=1)


def _slopes(embed: Embed, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two tangents (n, 2, 3) at unit vectors, and the derivatives (n, 2, k) of the embedding along them."""
    axis = np.eye(3)[np.abs(vectors).argmin(axis=1)]
    first = np.cross(vectors, axis)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    frame = np.stack([first, np.cross(vectors, first)], axis=1)
    ahead, behind = (
        np.stack([embed(_degrees(vectors + step * frame[:, i])) for i in range(2)], axis=1) for step in (_STEP, -_STEP)
    )
    return frame, (ahead - behind) / (2.0 * np.arctan(_STEP))


def _moved(vectors: FloatArray, frame: FloatArray, step: FloatArray) -> FloatArray:
    """Along a great circle, by at most a tenth of a radian."""
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step = step * np.minimum(1.0, 0.1 / np.maximum(length, np.finfo(np.float64).tiny))
    moved = vectors + np.einsum("ni,nij->nj", step, frame)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def _vectors(points: FloatArray) -> FloatArray:
    latitude, longitude = np.radians(points).T
    return np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], -1)


def _degrees(vectors: FloatArray) -> FloatArray:
    """Latitude and longitude (n, 2) of vectors of any length."""
    x, y, z = vectors.T
    return np.degrees(np.column_stack([np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)]))


def _warn(rows: npt.NDArray[np.intp]) -> None:
    if rows.size:
        warn_caller(
            f"{rows.size} rows of X, the first row {rows[0]}, do not determine their place: another one has the same "
            "embedding, or it may slide along a line. More components, or a clip that is wider, tell places apart.",
            ResolutionWarning,
        )
