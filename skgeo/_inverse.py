"""From embeddings of harmonics back to places."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationTransformer, detached_copy
from skgeo._input.coordinates import Coordinates, masked_to_nan
from skgeo._kernels.sphere import degrees_of_vectors, unit_vectors
from skgeo._spectrum import degree_wavelength_km
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_magnitude, warn_caller
from skgeo.datasets._made import fibonacci_lattice
from skgeo.exceptions import ResolutionWarning

Embed = Callable[[FloatArray], FloatArray]

# The nearest place is looked for in so many cells of a lattice, times the square of the degree: a seventh of the
# shortest wave wide. No place is farther from the next centre than this, over the root of their number, in radians.
_CELLS_PER_SQUARED_DEGREE, _CELL_RADIUS_FACTOR = 60, 2.75
# Values of a block, and rows of embeddings at a time.
_BLOCK_VALUES, _BLOCK_ROWS = 2**21, 1024
# So many cells of a row are searched: more hold an embedding as near only where a whole line of places does.
_MAX_CELLS_PER_ROW = 64
# Half the step of central differences, in radians.
_DIFFERENCE_RADIANS = 1e-5
_MAX_STEPS = 40
# Damping of steps, in shares of the squared slope, and that itself: with less, rounding may make the normal equations
# singular where the embedding varies along a line only, or where the clip leaves nothing of it.
_MIN_RELATIVE_DAMPING, _MIN_DAMPING = 1e-12, 1e-150
# Steps shorter than this, in radians, are rounding.
_MIN_STEP_RADIANS = 1e-13
# Places are told apart if the embedding differs by more than so much of its size, and if they are this far from each
# other, in radians.
_SAME_EMBEDDING_RELATIVE, _SAME_PLACE_RADIANS = 1e-9, 1e-6
# Slopes of the embedding of less than this share of its size leave a direction open.
_MIN_RELATIVE_SLOPE = 1e-6
# Values that the clip made so many times smaller have lost digits: others may tell the place better.
_MAX_CLIP_SHRINKAGE = 5.0
# Rows with fewer values than this below the bound of the clip may be of many places.
_MIN_UNCLIPPED_VALUES = 3


class DegreeOne(NamedTuple):
    """The vector of a place from its linear embedding, ``matrix @ z + offset`` for matrix (3, k): x, y and z."""

    matrix: FloatArray
    offset: FloatArray


class InverseTransformer(LocationTransformer):
    """A transformer of places that can tell the place from the embedding."""

    max_degree: int

    @property
    def wavelength_km_(self) -> npt.NDArray[np.float64]:
        """Wavelength on the ground, in km, of harmonics of degree 0 to ``max_degree``."""
        check_is_fitted(self)
        return degree_wavelength_km(np.arange(int(self.max_degree) + 1))

    def inverse_transform(self, X: Any) -> npt.NDArray[np.floating]:
        """The places that have given embeddings.

        Where the columns span the harmonics of degree 1, which are the coordinates x, y and z of a place, it follows
        from these; else it is the place of the nearest embedding, by least squares: Gauss-Newton steps from every cell
        of a lattice on the whole sphere that may hold it, in some ten milliseconds a row.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_outputs)
            Embeddings, in the order of the columns of ``transform``, whatever their names. Rows of missing places may
            be NaN or masked unless ``missing="error"``.

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
        table = check_array(masked_to_nan(X), dtype=(np.float64, np.float32), ensure_all_finite=finite, input_name="X")
        names = self._feature_names()
        if table.shape[1] != len(names):
            raise ValueError(
                f"X has {table.shape[1]} columns: expected {len(names)}, those of transform, {names[0]} to {names[-1]}."
            )
        values = table.astype(np.float64)
        check_magnitude("X", values[~np.isnan(values)])
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
            blunt = saturated | (np.abs(linear) > _MAX_CLIP_SHRINKAGE * np.abs(values))
            direct = np.asarray(~blunt[:, used].any(axis=1))
        places = np.empty((len(values), 2))
        uncertain = saturated.any(axis=1) & (np.count_nonzero(~saturated, axis=1) < _MIN_UNCLIPPED_VALUES)
        if degree_one is not None and direct.any():
            vectors = linear[direct] @ degree_one.matrix.T + degree_one.offset
            length = np.linalg.norm(vectors, axis=1)
            uncertain[direct] |= length < _SAME_PLACE_RADIANS
            vectors[length < _SAME_PLACE_RADIANS] = np.nan
            places[direct] = degrees_of_vectors(vectors)
        if not direct.all():
            embed = detached_copy(self)._embed_points  # without a progress bar for every step
            places[~direct], undetermined = nearest_places(embed, values[~direct], int(self.max_degree))
            uncertain[~direct] |= undetermined
        return places, uncertain

    def _embed_points(self, points: FloatArray) -> FloatArray:
        """The embedding (n, k) of points (n, 2), without indicator."""
        latitude, longitude = points.T
        return self._embed_places(Coordinates(latitude, longitude, points.dtype, None)).astype(np.float64, copy=False)

    def _unclipped(self, values: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """The linear embedding, and which values are at the bound of the clip."""
        return values, np.zeros(values.shape, dtype=bool)

    @abstractmethod
    def _degree_one(self) -> DegreeOne | None:
        """How the linear embedding tells the harmonics of degree 1, or None if it does not."""


def nearest_places(embed: Embed, targets: FloatArray, max_degree: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Places (n, 2) whose embeddings are nearest to targets (n, k), and which of them are not determined."""
    vectors = unit_vectors(*fibonacci_lattice(max(200, _CELLS_PER_SQUARED_DEGREE * max_degree**2)).T)
    places, uncertain = np.empty((len(targets), 2)), np.empty(len(targets), dtype=bool)
    for start in range(0, len(targets), _BLOCK_ROWS):
        part = targets[start : start + _BLOCK_ROWS]
        row, cell = _candidates(embed, part, vectors)
        length = max(1, _BLOCK_VALUES // (8 * part.shape[1]))
        blocks = [slice(first, first + length) for first in range(0, row.size, length)]
        ends = [_refined(embed, part[row[block]], vectors[cell[block]]) for block in blocks]
        found = [np.concatenate(values) for values in zip(*ends, strict=True)]
        places[start : start + len(part)], uncertain[start : start + len(part)] = _best(embed, row, *found)
    return places, uncertain


def _candidates(embed: Embed, targets: FloatArray, vectors: FloatArray) -> tuple[Integers, Integers]:
    """Pairs of a row, ascending, and a cell of a lattice that may hold the place nearest to it; some for every row.

    In each cell the embedding is linear but for a rest that second differences tell: where it comes nearest to the
    target is a bound from below for all places in the cell, and from above for the nearest place of all.
    """
    reach = float(np.tan(_CELL_RADIUS_FACTOR / np.sqrt(len(vectors))))
    length = max(1, _BLOCK_VALUES // max(8 * targets.shape[1], len(targets)))
    nearest, kept = np.full(len(targets), np.inf), []
    for start in range(0, len(vectors), length):
        distance, bend = _distances_to_cells(embed, targets, vectors[start : start + length], reach)
        nearest = np.minimum(nearest, (distance + bend).min(axis=1))
        row, cell = np.nonzero(distance - bend / 2.0 <= nearest[:, np.newaxis])
        kept.append((row, cell + start, distance[row, cell], bend[cell]))
    row, cell, distances, bends = (np.concatenate(values) for values in zip(*kept, strict=True))
    order = np.lexsort((distances, row))
    order = order[(distances - bends / 2.0 <= nearest[row])[order]]
    rank = np.arange(order.size) - np.searchsorted(row[order], row[order])
    order = order[rank < _MAX_CELLS_PER_ROW]
    return row[order], cell[order]


def _distances_to_cells(
    embed: Embed, targets: FloatArray, centres: FloatArray, reach: float
) -> tuple[FloatArray, FloatArray]:
    """Least distances (n, c) from targets to linear embeddings of cells, and how far (c,) these may be off."""
    values = embed(degrees_of_vectors(centres))
    _, ahead, behind = _steps(embed, centres, reach)
    bend = np.linalg.norm(ahead + behind - 2.0 * values[:, np.newaxis], axis=2).sum(axis=1)
    slopes = (ahead - behind) / 2.0  # for a step of reach
    strength, turn = np.linalg.eigh(slopes @ slopes.transpose(0, 2, 1))
    square = np.square(values).sum(axis=1) - 2.0 * targets @ values.T + np.square(targets).sum(axis=1)[:, np.newaxis]
    for axis in range(2):
        along = np.einsum("ci,cik->ck", turn[:, :, axis], slopes)
        right = targets @ along.T - np.einsum("ck,ck->c", values, along)
        power = np.maximum(strength[:, axis], np.finfo(np.float64).tiny)
        with np.errstate(over="ignore"):  # a cell that the embedding hardly changes over: to its edge
            step = np.clip(right / power, -1.0, 1.0)
        square -= step * (2.0 * right - power * step)
    return np.sqrt(np.maximum(square, 0.0)), bend


def _refined(embed: Embed, targets: FloatArray, vectors: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unit vectors of the least distance, that distance squared, and the least slope of the embedding there.

    Levenberg-Marquardt steps in the tangent plane, all rows at once, with slopes by central differences.
    """
    vectors = vectors.copy()
    residual = targets - embed(degrees_of_vectors(vectors))
    error = np.square(residual).sum(axis=1)
    damping = np.full(len(targets), 1e-3)
    active = np.arange(len(targets))
    for _ in range(_MAX_STEPS):
        if not active.size:
            break
        here = vectors[active]
        frame, slopes = _slopes(embed, here)
        normal = slopes @ slopes.transpose(0, 2, 1)
        scale = np.trace(normal, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
        normal += (damping[active, np.newaxis, np.newaxis] * scale + _MIN_DAMPING) * np.eye(2)
        right = np.einsum("nik,nk->ni", slopes, residual[active])
        step = np.linalg.solve(normal, right[:, :, np.newaxis])[:, :, 0]
        moved = _moved(here, frame, step)
        left = targets[active] - embed(degrees_of_vectors(moved))
        after = np.square(left).sum(axis=1)
        better = after < error[active]
        rows = active[better]
        vectors[rows], residual[rows], error[rows] = moved[better], left[better], after[better]
        damping[active] = np.clip(
            np.where(better, damping[active] / 10.0, damping[active] * 10.0), _MIN_RELATIVE_DAMPING, 1e8
        )
        active = active[(np.linalg.norm(step, axis=1) > _MIN_STEP_RADIANS) & (damping[active] < 1e8)]
    _, slopes = _slopes(embed, vectors)
    least: FloatArray = np.linalg.svd(slopes, compute_uv=False)[:, -1].astype(np.float64)
    return vectors, error, least


def _best(
    embed: Embed, row: Integers, vectors: FloatArray, errors: FloatArray, slopes: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The nearest place of each row, and whether another one is as near, or it may slide along."""
    order = np.lexsort((errors, row))
    best = order[np.diff(row[order], prepend=-1) > 0]
    chosen, distances = vectors[best], np.sqrt(errors)
    size = np.linalg.norm(embed(degrees_of_vectors(chosen)), axis=1)
    uncertain = slopes[best] <= _MIN_RELATIVE_SLOPE * size
    margin = _SAME_EMBEDDING_RELATIVE * (distances[best] + size)
    tie = distances <= (distances[best] + margin)[row]
    # Around the nearest place distances rise with the square of the way unless they are zero: so far it is the same.
    blur = 10.0 * np.sqrt(margin * distances[best]) / np.maximum(slopes[best], _MIN_RELATIVE_SLOPE * size)
    elsewhere = np.linalg.norm(vectors - chosen[row], axis=1) > (_SAME_PLACE_RADIANS + blur)[row]
    uncertain[row[tie & elsewhere]] = True
    return degrees_of_vectors(chosen), uncertain


def _slopes(embed: Embed, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two tangents (n, 2, 3) at unit vectors, and the derivatives (n, 2, k) of the embedding along them."""
    frame, ahead, behind = _steps(embed, vectors, _DIFFERENCE_RADIANS)
    return frame, (ahead - behind) / (2.0 * np.arctan(_DIFFERENCE_RADIANS))


def _steps(embed: Embed, vectors: FloatArray, step: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Two tangents (n, 2, 3) at unit vectors, and the embeddings (n, 2, k) a step ahead and behind along them."""
    axis = np.eye(3)[np.abs(vectors).argmin(axis=1)]
    first = np.cross(vectors, axis)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    frame = np.stack([first, np.cross(vectors, first)], axis=1)
    places = vectors[:, np.newaxis, np.newaxis] + step * np.stack([frame, -frame], axis=1)
    values = embed(degrees_of_vectors(places.reshape(-1, 3)))
    ahead, behind = values.reshape(*places.shape[:3], -1).swapaxes(0, 1)
    return frame, ahead, behind


def _moved(vectors: FloatArray, frame: FloatArray, step: FloatArray) -> FloatArray:
    """Along a great circle, by at most a tenth of a radian."""
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step = step * np.minimum(1.0, 0.1 / np.maximum(length, np.finfo(np.float64).tiny))
    moved = vectors + np.einsum("ni,nij->nj", step, frame)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def _warn(rows: npt.NDArray[np.intp]) -> None:
    if rows.size:
        warn_caller(
            f"{rows.size} rows of X, the first row {rows[0]}, do not determine their place: another one has the same "
            "embedding, or it may slide along a line. More components, or a clip that is wider, tell places apart.",
            ResolutionWarning,
        )
