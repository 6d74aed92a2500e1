"""Kernel: softly clipped linear maps of harmonics, ``clip * tanh(coefficients @ Y / clip)``.

At points, on the cells of a grid, and averaged over the pixels of patches; block by block, so that harmonics, product
and clipping stay in cache and nothing of size places x harmonics is ever kept. A map is ``coefficients`` of shape
(k, (L + 1) ** 2); a constant rides on ``Y_00``.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits

from skgeo._harmonics import (
    FloatArray,
    Floats,
    degree_of,
    legendre_by_order,
    legendre_series,
    longitude_radians,
    sin_cos_latitude,
    trigonometric,
    waves,
)
from skgeo._sphere import band_heights

Integers = npt.NDArray[np.intp]
Result = TypeVar("Result")

# Values that a block may hold: a few megabytes, the size of the caches.
_BLOCK_VALUES = 2**19
# In single precision a map was seen to err by up to 4e-8 times the degree times the norm of its row of coefficients.
# Rows where that may be more than 1e-5, of components that hardly vary over their domain, take double precision.
_SINGLE_PRECISION = 240.0
# Larger patches are averaged in pieces of at most so many pixels a side.
_PIECE = 64


class Boxes(NamedTuple):
    """Edges in degrees (n,), east beyond west, and pixel counts (n,)."""

    south: FloatArray
    north: FloatArray
    west: FloatArray
    east: FloatArray
    n_lat: Integers
    n_lon: Integers

    def take(self, index: slice | Integers) -> "Boxes":
        """Some of the boxes, in the order given."""
        south, north, west, east = (edge[index] for edge in (self.south, self.north, self.west, self.east))
        return Boxes(south, north, west, east, self.n_lat[index], self.n_lon[index])


def map_points(
    latitude: FloatArray,
    longitude: FloatArray,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
) -> None:
    """Write the map at points into ``out`` (n, k), in the precision of ``out``."""
    for columns, dtype in _precisions(coefficients, out.dtype):
        point_map = _PointMap(coefficients[columns], clip, dtype)

        def fill(part: slice, point_map: "_PointMap" = point_map, target: Floats = out[:, columns]) -> None:
            point_map.fill(latitude[part], longitude[part], target[part])

        deque(_each(fill, _blocks(latitude.size, point_map.block), n_jobs), maxlen=0)


def map_grid(
    latitude: FloatArray,
    longitude: FloatArray,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
) -> None:
    """Write the map on the product of two axes into ``out`` (n_lat, n_lon, k).

    The harmonics separate, so the sum over degrees is done once per row: (2 L + 1, k) numbers.
    """
    for columns, dtype in _precisions(coefficients, out.dtype):
        scaled = coefficients[columns] / (clip or 1.0)
        factors = trigonometric(longitude_radians(longitude), degree_of(scaled.shape[1])).T.astype(dtype)

        def fill(part: slice, scaled: FloatArray = scaled, factors: Floats = factors, columns: slice = columns) -> None:
            rows = _row_coefficients(latitude[part], scaled).astype(factors.dtype)
            for row, target in zip(rows, out[part, :, columns], strict=True):
                _clip(np.matmul(factors, row, out=target), clip)

        length = max(1, _BLOCK_VALUES // (factors.shape[1] * scaled.shape[0]))
        deque(_each(fill, _blocks(latitude.size, length), n_jobs), maxlen=0)


def map_patches(
    patches: Boxes,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    done: Callable[[int], object] = lambda n_pixels: None,
) -> None:
    """Write the mean of the map over the pixels of each patch, by area, into ``out`` (n, k).

    Pixels divide a patch evenly. Patches that share their rows of pixels share the sums over degrees of these rows.
    ``done`` is told how many more pixels are done.
    """
    pieces, parent = _sorted_pieces(patches)
    share = _areas(pieces) / _areas(patches)[parent]
    scaled = coefficients / (clip or 1.0)
    precisions = list(_precisions(coefficients, out.dtype))
    out[...] = 0.0

    def means(batch: slice) -> list[Floats]:
        boxes = pieces.take(batch)
        return [_piece_means(boxes, scaled[columns], clip, dtype) for columns, dtype in precisions]

    batches = _batches(pieces, max(1, scaled.shape[0]))
    for batch, parts in zip(batches, _each(means, batches, n_jobs), strict=True):
        for (columns, _), values in zip(precisions, parts, strict=True):
            np.add.at(out[:, columns], parent[batch], values * share[batch, np.newaxis])
        done(int(pieces.n_lat[batch] @ pieces.n_lon[batch]))


class _PointMap:
    """A map for one block of points after another: harmonics in order of their order m, not of their degree."""

    def __init__(self, coefficients: FloatArray, clip: float | None, dtype: npt.DTypeLike) -> None:
        max_degree = degree_of(coefficients.shape[1])
        self.clip = clip
        self.series = [table[m:].astype(dtype) for m, table in enumerate(legendre_series(max_degree))]
        degrees = [np.arange(m, max_degree + 1) for m in range(max_degree + 1)]
        chosen = [n * n + n + sign * m for m, n in enumerate(degrees) for sign in (1, -1)[: 1 + (m > 0)]]
        scale = np.sqrt(np.where(np.arange(coefficients.shape[1]) <= max_degree, 1.0, 2.0)) / (clip or 1.0)
        self.matrix = np.ascontiguousarray((coefficients[:, np.concatenate(chosen)] * scale).T, dtype=dtype)
        self.block = int(np.clip(2 * _BLOCK_VALUES // coefficients.shape[1], 256, 4096))

    def fill(self, latitude: FloatArray, longitude: FloatArray, out: Floats) -> None:
        """Write the map at one block of points."""
        np.matmul(self.harmonics(latitude, longitude).T, self.matrix, out=out)
        _clip(out, self.clip)

    def harmonics(self, latitude: FloatArray, longitude: FloatArray) -> Floats:
        """Harmonics (D, n): by order, cosine before sine, by degree; their factor sqrt(2) is in the map."""
        max_degree, dtype = len(self.series) - 1, self.matrix.dtype
        radians = longitude_radians(longitude)
        in_colatitude = waves(*sin_cos_latitude(latitude), max_degree, dtype)
        in_longitude = waves(np.cos(radians), np.sin(radians), max_degree, dtype)
        table = np.empty((self.matrix.shape[0], latitude.size), dtype=dtype)
        rest = table
        for order, series in enumerate(self.series):
            legendre = series @ in_colatitude[order % 2]
            for wave in in_longitude[: 1 + (order > 0)]:
                np.multiply(legendre, wave[order], out=rest[: series.shape[0]])
                rest = rest[series.shape[0] :]
        return table


def _precisions(coefficients: FloatArray, dtype: npt.DTypeLike) -> Iterator[tuple[slice, npt.DTypeLike]]:
    """Runs of rows, and the precision in which they have to be worked out for an output of this dtype."""
    double = np.linalg.norm(coefficients, axis=1) * degree_of(coefficients.shape[1]) > _SINGLE_PRECISION
    if dtype != np.float32:
        double[:] = True
    bounds = [0, *(np.flatnonzero(np.diff(double)) + 1).tolist(), double.size]
    for start, stop in pairwise(sorted(set(bounds))):  # no rows, no runs
        yield slice(start, stop), np.float64 if double[start] else np.float32


def _each(work: Callable[[slice], Result], parts: list[slice], n_jobs: int | None) -> Iterator[Result]:
    """Results of ``work`` on parts, in order; threads share the parts and leave BLAS one thread each."""
    if len(parts) == 1 or effective_n_jobs(n_jobs) == 1:
        yield from map(work, parts)
        return
    with threadpool_limits(1, user_api="blas"):
        yield from Parallel(n_jobs, backend="threading", return_as="generator")(delayed(work)(part) for part in parts)


def _blocks(n_items: int, length: int) -> list[slice]:
    """Consecutive blocks of items; they do not depend on the number of threads, so neither does the output."""
    return [slice(start, min(start + length, n_items)) for start in range(0, n_items, length)]


def _clip(values: Floats, clip: float | None) -> Floats:
    """``clip * tanh`` of values that are divided by ``clip`` already, in place."""
    if clip is not None:
        np.tanh(values, out=values)
        values *= clip
    return values


def _row_coefficients(latitude: FloatArray, coefficients: FloatArray) -> FloatArray:
    """The map summed over degrees at given latitudes: coefficients (n_lat, 2 L + 1, k) of the longitude factors."""
    max_degree = degree_of(coefficients.shape[1])
    table = legendre_by_order(*sin_cos_latitude(latitude), max_degree)
    rows = np.empty((latitude.size, 2 * max_degree + 1, coefficients.shape[0]))
    for order in range(-max_degree, max_degree + 1):
        degree = np.arange(abs(order), max_degree + 1)
        rows[:, max_degree + order] = table[abs(order)].T @ coefficients[:, degree * degree + degree + order].T
    return rows


def _sorted_pieces(patches: Boxes) -> tuple[Boxes, Integers]:
    """Patches cut into pieces of at most _PIECE pixels a side, sorted so that like ones follow; and their numbers."""
    parent = np.arange(patches.south.size)
    south, north, west, east, n_lat, n_lon = patches
    parent, n_lat, south, north = _cut(parent, n_lat, south, north)
    west, east, n_lon = west[parent], east[parent], n_lon[parent]
    index, n_lon, west, east = _cut(np.arange(parent.size), n_lon, west, east)
    pieces = Boxes(south[index], north[index], west, east, n_lat[index], n_lon)
    order = np.lexsort((pieces.west, pieces.north, pieces.south, pieces.n_lon, pieces.n_lat))
    return pieces.take(order), parent[index][order]


def _cut(
    index: Integers, count: Integers, low: FloatArray, high: FloatArray
) -> tuple[Integers, Integers, FloatArray, FloatArray]:
    """Cut intervals of ``count`` pixels into intervals of at most _PIECE; ``index`` is repeated along."""
    n_pieces = -(-count // _PIECE)
    whole = np.repeat(np.arange(count.size), n_pieces)
    first = _PIECE * (np.arange(whole.size) - (np.cumsum(n_pieces) - n_pieces)[whole])
    last = np.minimum(first + _PIECE, count[whole])
    step = ((high - low) / count)[whole]
    return index[whole], last - first, low[whole] + first * step, low[whole] + last * step


def _areas(boxes: Boxes) -> FloatArray:
    """Areas of boxes on the unit sphere."""
    return np.radians(boxes.east - boxes.west) * band_heights(boxes.south, boxes.north)


def _batches(pieces: Boxes, n_components: int) -> list[slice]:
    """Runs of pieces with equal pixel counts, each with some _BLOCK_VALUES values."""
    change = np.flatnonzero(np.diff(pieces.n_lat) | np.diff(pieces.n_lon)) + 1
    batches = []
    for start, stop in pairwise([0, *change.tolist(), pieces.south.size]):
        length = max(1, 2 * _BLOCK_VALUES // int(pieces.n_lat[start] * pieces.n_lon[start] * n_components))
        batches += [slice(start + part.start, start + part.stop) for part in _blocks(stop - start, length)]
    return batches


def _piece_means(pieces: Boxes, scaled: FloatArray, clip: float | None, dtype: npt.DTypeLike) -> Floats:
    """Means (n, k) over the pixels of pieces that are equal in their pixel counts and sorted by their rows."""
    n_lat, n_lon, n_components = int(pieces.n_lat[0]), int(pieces.n_lon[0]), scaled.shape[0]
    longitude = _pixel_centres(pieces.west, pieces.east, n_lon)
    factors = trigonometric(longitude_radians(longitude.ravel()), degree_of(scaled.shape[1])).T.astype(dtype)
    factors = factors.reshape(-1, n_lon, factors.shape[1])
    first = np.flatnonzero(np.diff(pieces.south, prepend=np.nan) + np.diff(pieces.north, prepend=np.nan) != 0.0)
    south, north = pieces.south[first], pieces.north[first]
    latitude = _pixel_centres(south, north, n_lat)
    rows = _row_coefficients(latitude.ravel(), scaled).astype(dtype).reshape(first.size, n_lat, -1, n_components)
    half = (north - south)[:, np.newaxis] / (2 * n_lat)
    weight = band_heights(latitude - half, latitude + half)
    weight /= n_lon * weight.sum(axis=1, keepdims=True)
    means = np.empty((pieces.south.size, n_components), dtype=dtype)
    for row, of_row, (start, stop) in zip(rows, weight, pairwise([*first, means.shape[0]]), strict=True):
        values = factors[start:stop].reshape(-1, factors.shape[2]) @ row.transpose(1, 0, 2).reshape(row.shape[1], -1)
        by_row = _clip(values, clip).reshape(stop - start, n_lon, n_lat, n_components).sum(axis=1)
        means[start:stop] = np.einsum("r,prk->pk", of_row.astype(dtype), by_row)
    return means


def _pixel_centres(low: FloatArray, high: FloatArray, count: int) -> FloatArray:
    """Centres (n, count) of the pixels that divide intervals evenly."""
    return low[:, np.newaxis] + ((high - low) / count)[:, np.newaxis] * (np.arange(count) + 0.5)
