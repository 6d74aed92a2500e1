"""Kernel: softly clipped linear maps of harmonics, ``clip * tanh(coefficients @ Y / clip)``.

At points, on the cells of a grid, and averaged over the pixels of patches; block by block, so that harmonics, product
and clipping stay in cache and nothing of size places x harmonics is ever kept. A map is ``coefficients`` of shape
(k, (L + 1) ** 2); a constant rides on ``Y_00``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from skgeo._kernels.harmonics import (
    columns_of_order,
    degree_of,
    legendre_by_order,
    legendre_series,
    longitude_radians,
    sin_cos_latitude,
    sum_over_degrees,
    trigonometric,
    waves,
)
from skgeo._kernels.sphere import Boxes, extents
from skgeo._kernels.threads import Advance, no_progress, run_in_threads
from skgeo._typing import FloatArray, Floats, Integers

Columns = slice | Integers

# Values that a block may hold, harmonics or results: a few megabytes, the size of the caches.
_BLOCK_VALUES = 2**19
# In single precision clipped maps of fitted bases were seen to err by up to 6e-8 times (degree + 2) times the norm of
# their row of coefficients. Rows where that may exceed 1e-5, of components of little variance, take double precision.
_SINGLE_PRECISION = 160.0
# Larger patches are averaged in pieces of at most so many pixels a side.
_PIECE = 64
# With no more pixels than these to a row, sums over degrees of the row do not pay.
_FEW_PIXELS = 8


def map_points(
    latitude: FloatArray,
    longitude: FloatArray,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write the map at points into ``out`` (n, k), in the precision of ``out``; ``advance`` is told how many more are."""
    maps = [(c, _PointMap(coefficients[c], clip, dtype)) for c, dtype in _precisions(coefficients, out.dtype)]

    def fill(part: slice) -> None:
        for columns, point_map in maps:
            with _output_columns(out[part], columns, point_map.dtype) as target:
                point_map.fill(latitude[part], longitude[part], target)

    blocks = _blocks(latitude.size, min(point_map.block for _, point_map in maps))
    run_in_threads(fill, blocks, n_jobs, lambda part, _: advance(part.stop - part.start))


def map_grid(
    latitude: FloatArray,
    longitude: FloatArray,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write the map on the product of two axes into ``out`` (n_lat, n_lon, k).

    The harmonics separate, so the sum over degrees is done once per row: (2 L + 1, k) numbers. ``advance`` is told how
    many more cells are done.
    """
    if longitude.size <= _FEW_PIXELS:
        places = np.repeat(latitude, longitude.size), np.tile(longitude, latitude.size)
        map_points(*places, coefficients, clip, out.reshape(-1, *out.shape[2:]), n_jobs, advance)
        return
    scaled = coefficients / (clip or 1.0)
    trig = trigonometric(longitude_radians(longitude), degree_of(scaled.shape[1])).T
    maps = [(scaled[c], trig.astype(dtype), c) for c, dtype in _precisions(coefficients, out.dtype)]

    def fill(part: slice) -> None:
        for matrix, factors, columns in maps:
            rows = _row_coefficients(latitude[part], matrix).astype(factors.dtype)
            for i, values in enumerate(out[part]):
                with _output_columns(values, columns, factors.dtype) as target:
                    soft_clip(np.matmul(factors, rows[:, i], out=target), clip)

    length = max(1, _BLOCK_VALUES // max(1, trig.shape[1] * scaled.shape[0]))
    cells = longitude.size
    run_in_threads(
        fill, _blocks(latitude.size, length), n_jobs, lambda part, _: advance(cells * (part.stop - part.start))
    )


def map_patches(
    patches: Boxes,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write the mean of the map over the pixels of each patch, by area, into ``out`` (n, k).

    Pixels divide a patch evenly. Patches that share their rows of pixels share the sums over degrees of these rows.
    ``advance`` is told how many more pixels are done.
    """
    pieces, parent = _sorted_pieces(patches)
    share = extents(*pieces[:4])[2] / extents(*patches[:4])[2][parent]
    maps = [(c, _PatchMap(coefficients[c], clip, dtype)) for c, dtype in _precisions(coefficients, out.dtype)]
    out[...] = 0.0

    def means(batch: slice) -> Floats:
        boxes = pieces.take(batch)
        values = np.empty((boxes.south.size, out.shape[1]), dtype=out.dtype)
        for columns, patch_map in maps:
            values[:, columns] = patch_map.means(boxes)
        return values * share[batch, np.newaxis]

    def add(batch: slice, values: Floats) -> None:
        np.add.at(out, parent[batch], values)
        advance(int(pieces.n_lat[batch] @ pieces.n_lon[batch]))

    run_in_threads(means, _batches(pieces, coefficients), n_jobs, add)


class _PointMap:
    """A map for one block of points after another: harmonics in order of their order m, not of their degree."""

    def __init__(self, coefficients: FloatArray, clip: float | None, dtype: npt.DTypeLike) -> None:
        max_degree = degree_of(coefficients.shape[1])
        self.clip, self.dtype = clip, dtype
        self.series = [table[m:].astype(dtype) for m, table in enumerate(legendre_series(max_degree))]
        signed = [sign * m for m in range(max_degree + 1) for sign in (1, -1)[: 1 + (m > 0)]]
        columns = np.concatenate([columns_of_order(order, max_degree) for order in signed])
        scale = np.sqrt(np.where(np.arange(columns.size) <= max_degree, 1.0, 2.0)) / (clip or 1.0)
        self.matrix = np.ascontiguousarray((coefficients[:, columns] * scale).T, dtype=dtype)
        self.block = int(np.clip(2 * _BLOCK_VALUES // coefficients.shape[1], 256, 4096))

    def fill(self, latitude: FloatArray, longitude: FloatArray, out: Floats) -> None:
        """Write the map at one block of points."""
        np.matmul(self.harmonics(latitude, longitude).T, self.matrix, out=out)
        soft_clip(out, self.clip)

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


class _PatchMap:
    """The mean of a map over the pixels of one batch of pieces after another."""

    def __init__(self, coefficients: FloatArray, clip: float | None, dtype: npt.DTypeLike) -> None:
        self.scaled, self.clip, self.dtype = coefficients / (clip or 1.0), clip, dtype
        self.point_map = _PointMap(coefficients, clip, dtype)

    def means(self, pieces: Boxes) -> Floats:
        """Means (n, k) over the pixels of pieces that are equal in their pixel counts and sorted by their rows."""
        n_lat, n_lon = int(pieces.n_lat[0]), int(pieces.n_lon[0])
        longitude = _pixel_centres(pieces.west, pieces.east, n_lon)
        new = new_bands(pieces.south, pieces.north)
        first = np.flatnonzero(new)
        south, north = pieces.south[first], pieces.north[first]
        latitude = _pixel_centres(south, north, n_lat)
        weight = sin_cos_latitude(latitude)[1]  # pixels of a patch are equally high: their areas go by the cosine
        weight /= n_lon * weight.sum(axis=1, keepdims=True)
        if longitude.size <= _FEW_PIXELS * first.size:
            rows = np.cumsum(new) - 1
            return self._by_points(latitude[rows], longitude, weight[rows].astype(self.dtype))
        return self._by_rows(latitude, longitude, weight.astype(self.dtype), [*first.tolist(), longitude.shape[0]])

    def _by_points(self, latitude: FloatArray, longitude: FloatArray, weight: Floats) -> Floats:
        """Means over pixels at latitudes (n, n_lat) and longitudes (n, n_lon) without anything in common."""
        shape = (latitude.shape[0], latitude.shape[1], longitude.shape[1])
        lat = np.broadcast_to(latitude[:, :, np.newaxis], shape).ravel()
        lon = np.broadcast_to(longitude[:, np.newaxis, :], shape).ravel()
        values = np.empty((lat.size, self.scaled.shape[0]), dtype=self.dtype)
        for block in _blocks(lat.size, self.point_map.block):
            self.point_map.fill(lat[block], lon[block], values[block])
        return np.einsum("pr,prck->pk", weight, values.reshape(*shape, -1))

    def _by_rows(self, latitude: FloatArray, longitude: FloatArray, weight: Floats, bounds: list[int]) -> Floats:
        """Means over pixels; pieces ``bounds[i]`` to ``bounds[i + 1]`` share row i of the latitudes and weights."""
        (n_pieces, n_lon), (n_groups, n_lat), n_components = longitude.shape, latitude.shape, self.scaled.shape[0]
        factors = trigonometric(longitude_radians(longitude.ravel()), degree_of(self.scaled.shape[1])).T
        factors = factors.astype(self.dtype).reshape(n_pieces, n_lon, -1)
        rows = _row_coefficients(latitude.ravel(), self.scaled).astype(self.dtype)
        rows = rows.reshape(-1, n_groups, n_lat * n_components)
        means = np.empty((n_pieces, n_components), dtype=self.dtype)
        length = max(1, _BLOCK_VALUES // 2 // (n_lon * n_lat * n_components))
        for group, (start, stop) in enumerate(pairwise(bounds)):
            for block in _blocks(stop - start, length):
                part = slice(start + block.start, start + block.stop)
                values = soft_clip(factors[part].reshape(-1, factors.shape[2]) @ rows[:, group], self.clip)
                by_row = values.reshape(-1, n_lon, n_lat, n_components).sum(axis=1)
                means[part] = np.einsum("r,prk->pk", weight[group], by_row)
        return means


def _precisions(coefficients: FloatArray, dtype: npt.DTypeLike) -> list[tuple[Columns, npt.DTypeLike]]:
    """Rows, and the precision in which they have to be worked out for an output of this dtype."""
    if dtype != np.float32:
        return [(slice(None), np.float64)]
    hard = np.linalg.norm(coefficients, axis=1) * (degree_of(coefficients.shape[1]) + 2) > _SINGLE_PRECISION
    if hard.all():
        return [(slice(None), np.float64)]
    if not hard.any():
        return [(slice(None), np.float32)]
    return [(np.flatnonzero(~hard), np.float32), (np.flatnonzero(hard), np.float64)]


@contextmanager
def _output_columns(out: Floats, columns: Columns, dtype: npt.DTypeLike) -> Iterator[Floats]:
    """Columns of ``out`` to write into: in place where they are all of them and in that precision."""
    if isinstance(columns, slice) and out.dtype == dtype:
        yield out
    else:
        values = np.empty((out.shape[0], out[:1, columns].shape[1]), dtype=dtype)
        yield values
        out[:, columns] = values


def _blocks(n_items: int, length: int) -> list[slice]:
    """Consecutive blocks of items; they do not depend on the number of threads, so neither does the output."""
    return [slice(start, min(start + length, n_items)) for start in range(0, n_items, length)]


def soft_clip(values: Floats, clip: float | None) -> Floats:
    """``clip * tanh`` of values that are divided by ``clip`` already, in place."""
    if clip is not None:
        np.tanh(values, out=values)
        values *= clip
    return values


def _row_coefficients(latitude: FloatArray, coefficients: FloatArray) -> FloatArray:
    """The map summed over degrees at given latitudes: factors (2 L + 1, n_lat, k) of ``trig_m``."""
    table = legendre_by_order(*sin_cos_latitude(latitude), degree_of(coefficients.shape[1]))
    return sum_over_degrees(table, coefficients)


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


def _batches(pieces: Boxes, coefficients: FloatArray) -> list[slice]:
    """Runs of pieces with equal pixel counts, each with some _BLOCK_VALUES row coefficients and not too many pixels."""
    n_components, n_factors = max(1, coefficients.shape[0]), 2 * degree_of(coefficients.shape[1]) + 1
    change = np.flatnonzero(np.diff(pieces.n_lat) | np.diff(pieces.n_lon)) + 1
    new = new_bands(pieces.south, pieces.north)
    batches = []
    for start, stop in pairwise([0, *change.tolist(), pieces.south.size]):
        n_groups = max(1, np.count_nonzero(new[start:stop]))
        n_lat, n_lon = int(pieces.n_lat[start]), int(pieces.n_lon[start])
        row_values = n_lat * n_factors * n_components * n_groups // (stop - start)
        length = max(1, 2 * _BLOCK_VALUES // max(1, row_values, n_lat * n_lon * n_components // 8))
        batches += [slice(start + part.start, start + part.stop) for part in _blocks(stop - start, length)]
    return batches


def new_bands(south: FloatArray, north: FloatArray) -> npt.NDArray[np.bool_]:
    """Which boxes lie between other latitudes than the one before."""
    return (np.diff(south, prepend=np.nan) != 0.0) | (np.diff(north, prepend=np.nan) != 0.0)


def _pixel_centres(low: FloatArray, high: FloatArray, count: int) -> FloatArray:
    """Centres (n, count) of the pixels that divide intervals evenly."""
    return low[:, np.newaxis] + ((high - low) / count)[:, np.newaxis] * (np.arange(count) + 0.5)
