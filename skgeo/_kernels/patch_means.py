"""Kernel: means of harmonics, and of softly clipped linear maps of harmonics, over patches.

``map_pixel_means`` averages the clipped map over the pixels of each patch. ``map_area_means`` and ``area_means``
integrate the harmonics over the area of each patch exactly: over a box between parallels and meridians the harmonics
separate, ``P_lm(latitude)`` times ``trig_m(longitude)``. The mean along longitude is ``trig_m`` at the middle times
sin(x) / x, and the mean along latitude takes a few quadrature nodes. Patches between the same parallels share the work
along latitude. The cost of exact means does not depend on the number of pixels.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from skgeo._kernels.domain import cell_factors, row_nodes
from skgeo._kernels.evaluate import (
    FEW_PIXELS,
    PointMap,
    row_coefficients,
    soft_clip,
    split_by_precision,
)
from skgeo._kernels.harmonics import (
    columns_of_order,
    degree_of,
    legendre_by_order,
    longitude_radians,
    sin_cos_latitude,
    sum_over_degrees,
    trigonometric,
)
from skgeo._kernels.sphere import Boxes, extents
from skgeo._kernels.threads import BLOCK_VALUES, Advance, no_progress, row_blocks, run_in_threads
from skgeo._typing import FloatArray, Floats, Integers

# Larger patches are averaged in pieces of at most this many pixels a side.
_PIECE_PIXELS = 64
# From this many boxes per latitude band on, summing over degrees first is faster.
_MIN_BOXES_PER_BAND = 3

#: ``means(index, bounds)`` are the means of the boxes ``index``; boxes bounds[i]:bounds[i+1] share the same latitudes.
Means = Callable[[Integers, list[int]], FloatArray]


def map_pixel_means(
    patches: Boxes,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write the area-weighted mean of the map over the pixels of each patch into ``out`` (n, k).

    Pixels divide a patch evenly. Patches that share their rows of pixels share the sums over degrees of these rows.
    The function calls ``advance(n)`` after each batch of n pixels.
    """
    pieces, parent = _sorted_pieces(patches)
    share = extents(*pieces[:4])[2] / extents(*patches[:4])[2][parent]
    maps = [(c, _PixelMeans(coefficients[c], clip, dtype)) for c, dtype in split_by_precision(coefficients, out.dtype)]
    out[...] = 0.0

    def means(batch: slice) -> Floats:
        """Means over the pixels of one batch of pieces, times the share of each piece in its patch."""
        boxes = pieces.take(batch)
        values = np.empty((boxes.south.size, out.shape[1]), dtype=out.dtype)
        for columns, patch_map in maps:
            values[:, columns] = patch_map.means(boxes)
        return values * share[batch, np.newaxis]

    def add(batch: slice, values: Floats) -> None:
        """Add the means of pieces to their patches."""
        np.add.at(out, parent[batch], values)
        advance(int(pieces.n_lat[batch] @ pieces.n_lon[batch]))

    run_in_threads(means, _batches(pieces, coefficients), n_jobs, add)


class _PixelMeans:
    """The mean of a map over the pixels of patches, one batch at a time."""

    def __init__(self, coefficients: FloatArray, clip: float | None, dtype: npt.DTypeLike) -> None:
        self.over_clip, self.clip, self.dtype = coefficients / (clip or 1.0), clip, dtype
        self.point_map = PointMap(coefficients, clip, dtype)

    def means(self, pieces: Boxes) -> Floats:
        """Means (n, k) over the pixels of pieces of the same pixel counts; pieces of equal latitudes are neighbours."""
        n_lat, n_lon = int(pieces.n_lat[0]), int(pieces.n_lon[0])
        longitude = _pixel_centres(pieces.west, pieces.east, n_lon)
        new = _new_bands(pieces.south, pieces.north)
        first = np.flatnonzero(new)
        south, north = pieces.south[first], pieces.north[first]
        latitude = _pixel_centres(south, north, n_lat)
        # The pixels of a patch have one height: their areas are proportional to the cosine of latitude.
        weight = sin_cos_latitude(latitude)[1]
        weight /= n_lon * weight.sum(axis=1, keepdims=True)
        if longitude.size <= FEW_PIXELS * first.size:
            rows = np.cumsum(new) - 1
            return self._by_points(latitude[rows], longitude, weight[rows].astype(self.dtype))
        return self._by_rows(latitude, longitude, weight.astype(self.dtype), [*first.tolist(), longitude.shape[0]])

    def _by_points(self, latitude: FloatArray, longitude: FloatArray, weight: Floats) -> Floats:
        """Means over pixels at latitudes (n, n_lat) and longitudes (n, n_lon), each piece by itself."""
        shape = (latitude.shape[0], latitude.shape[1], longitude.shape[1])
        lat = np.broadcast_to(latitude[:, :, np.newaxis], shape).ravel()
        lon = np.broadcast_to(longitude[:, np.newaxis, :], shape).ravel()
        values = np.empty((lat.size, self.over_clip.shape[0]), dtype=self.dtype)
        for block in row_blocks(lat.size, budget=self.point_map.block):
            self.point_map.fill(lat[block], lon[block], values[block])
        # Patch p, row r of pixels, column c of pixels, component k.
        return np.einsum("pr,prck->pk", weight, values.reshape(*shape, -1))

    def _by_rows(self, latitude: FloatArray, longitude: FloatArray, weight: Floats, bounds: list[int]) -> Floats:
        """Means over pixels; pieces ``bounds[i]`` to ``bounds[i + 1]`` share row i of the latitudes and weights."""
        (n_pieces, n_lon), (n_groups, n_lat), n_components = longitude.shape, latitude.shape, self.over_clip.shape[0]
        factors = trigonometric(longitude_radians(longitude.ravel()), degree_of(self.over_clip.shape[1])).T
        factors = factors.astype(self.dtype).reshape(n_pieces, n_lon, -1)
        rows = row_coefficients(latitude.ravel(), self.over_clip).astype(self.dtype)
        rows = rows.reshape(-1, n_groups, n_lat * n_components)
        means = np.empty((n_pieces, n_components), dtype=self.dtype)
        for group, (start, stop) in enumerate(pairwise(bounds)):
            for block in row_blocks(stop - start, n_lon * n_lat * n_components, BLOCK_VALUES // 2):
                part = slice(start + block.start, start + block.stop)
                # One matrix product gives the map at all pixels of the block: the factors of longitude of its pieces
                # and columns, times the coefficients of the rows that the pieces share.
                values = soft_clip(factors[part].reshape(-1, factors.shape[2]) @ rows[:, group], self.clip)
                by_row = values.reshape(-1, n_lon, n_lat, n_components).sum(axis=1)
                means[part] = np.einsum("r,prk->pk", weight[group], by_row)
        return means


def _sorted_pieces(patches: Boxes) -> tuple[Boxes, Integers]:
    """Pieces of at most _PIECE_PIXELS pixels a side, and the patch of each; similar pieces are neighbours."""
    parent = np.arange(patches.south.size)
    south, north, west, east, n_lat, n_lon = patches
    # Cut along latitude, then cut the pieces along longitude.
    parent, n_lat, south, north = _cut(parent, n_lat, south, north)
    west, east, n_lon = west[parent], east[parent], n_lon[parent]
    index, n_lon, west, east = _cut(np.arange(parent.size), n_lon, west, east)
    pieces = Boxes(south[index], north[index], west, east, n_lat[index], n_lon)
    # The last key counts first: pixel counts, then latitudes. Pieces with the same rows of pixels become neighbours.
    order = np.lexsort((pieces.west, pieces.north, pieces.south, pieces.n_lon, pieces.n_lat))
    return pieces.take(order), parent[index][order]


def _cut(
    index: Integers, count: Integers, low: FloatArray, high: FloatArray
) -> tuple[Integers, Integers, FloatArray, FloatArray]:
    """Cut intervals of ``count`` pixels into intervals of at most _PIECE_PIXELS; each keeps its ``index``."""
    n_pieces = -(-count // _PIECE_PIXELS)  # rounded up
    whole = np.repeat(np.arange(count.size), n_pieces)
    first = _PIECE_PIXELS * (np.arange(whole.size) - (np.cumsum(n_pieces) - n_pieces)[whole])
    last = np.minimum(first + _PIECE_PIXELS, count[whole])
    step = ((high - low) / count)[whole]
    return index[whole], last - first, low[whole] + first * step, low[whole] + last * step


def _batches(pieces: Boxes, coefficients: FloatArray) -> list[slice]:
    """Runs of pieces with equal pixel counts; row coefficients and pixels of a run hold about BLOCK_VALUES numbers."""
    n_components, n_factors = max(1, coefficients.shape[0]), 2 * degree_of(coefficients.shape[1]) + 1
    change = np.flatnonzero(np.diff(pieces.n_lat) | np.diff(pieces.n_lon)) + 1
    new = _new_bands(pieces.south, pieces.north)
    batches = []
    for start, stop in pairwise([0, *change.tolist(), pieces.south.size]):
        n_groups = max(1, np.count_nonzero(new[start:stop]))
        n_lat, n_lon = int(pieces.n_lat[start]), int(pieces.n_lon[start])
        # Numbers that one piece needs: its part of the coefficients of rows, which pieces of one group share, or an
        # eighth of its pixels, which are computed in smaller blocks.
        row_values = n_lat * n_factors * n_components * n_groups // (stop - start)
        values = max(row_values, n_lat * n_lon * n_components // 8)
        parts = row_blocks(stop - start, values, 2 * BLOCK_VALUES)
        batches += [slice(start + part.start, start + part.stop) for part in parts]
    return batches


def _new_bands(south: FloatArray, north: FloatArray) -> npt.NDArray[np.bool_]:
    """True for each box whose south or north edge differs from those of the box before."""
    return (np.diff(south, prepend=np.nan) != 0.0) | (np.diff(north, prepend=np.nan) != 0.0)


def _pixel_centres(low: FloatArray, high: FloatArray, count: int) -> FloatArray:
    """Centres (n, count) of the pixels that divide intervals evenly."""
    return low[:, np.newaxis] + ((high - low) / count)[:, np.newaxis] * (np.arange(count) + 0.5)


def map_area_means(
    boxes: Boxes,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write ``clip * tanh(coefficients @ mean / clip)`` into ``out`` (n, k), with the exact means of the harmonics.

    The function calls ``advance(n)`` after each block of n boxes.
    """
    max_degree = degree_of(coefficients.shape[1])
    over_clip = coefficients / (clip or 1.0)

    def means(part: Integers, bounds: list[int]) -> FloatArray:
        """The clipped map of the means of the harmonics over one block of boxes."""
        table, factors = _factors(boxes.take(part), bounds, max_degree)
        if part.size < _MIN_BOXES_PER_BAND * (len(bounds) - 1):
            values = _products(table, factors, bounds) @ over_clip.T
        else:
            rows = sum_over_degrees(table, over_clip)
            values = np.empty((part.size, len(over_clip)))
            for band, (start, stop) in enumerate(pairwise(bounds)):
                np.matmul(factors[:, start:stop].T, rows[:, band], out=values[start:stop])
        soft_clip(values, clip)
        return values

    _write(boxes, means, max_degree, out, n_jobs, advance)


def area_means(
    boxes: Boxes,
    factors: FloatArray,
    max_degree: int,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write the exact means of the last k harmonics, times ``factors`` (k,), into ``out`` (n, k)."""
    first = (max_degree + 1) ** 2 - factors.size

    def means(part: Integers, bounds: list[int]) -> FloatArray:
        """The means of the last harmonics over one block of boxes, times their factors."""
        return _products(*_factors(boxes.take(part), bounds, max_degree), bounds)[:, first:] * factors

    _write(boxes, means, max_degree, out, n_jobs, advance)


def _write(boxes: Boxes, means: Means, max_degree: int, out: Floats, n_jobs: int | None, advance: Advance) -> None:
    """Write ``means`` of the boxes, block by block; boxes of one latitude band and of similar height are neighbours."""
    order = np.lexsort((boxes.west, boxes.south, boxes.north - boxes.south))
    south, north = boxes.south[order], boxes.north[order]
    band = np.cumsum(_new_bands(south, north)) - 1
    band_values = 8 * (max_degree + 1) ** 2  # Legendre functions at about 8 nodes per band
    parts = _band_blocks(band, max(1, BLOCK_VALUES // band_values), max(1, BLOCK_VALUES // max(1, out.shape[1])))

    def work(part: slice) -> FloatArray:
        """The means of one block of the boxes in this order."""
        return means(order[part], [*np.flatnonzero(np.diff(band[part], prepend=-1)).tolist(), part.stop - part.start])

    def write(part: slice, values: FloatArray) -> None:
        """Write the means of one block."""
        out[order[part]] = values
        advance(part.stop - part.start)

    run_in_threads(work, parts, n_jobs, write)


def _factors(boxes: Boxes, bounds: list[int], max_degree: int) -> tuple[list[FloatArray], FloatArray]:
    """Means of the Legendre functions over each band, by order, and of ``trig_m`` over each box (2 L + 1, n)."""
    first = bounds[:-1]
    bands = np.column_stack([boxes.south[first], boxes.north[first]])
    latitude, weight = row_nodes(bands, max_degree)
    # The sum is the height of the band, with the same rounding as the sum over nodes.
    weight /= weight.sum(axis=1, keepdims=True)
    at_nodes = legendre_by_order(*sin_cos_latitude(latitude.ravel()), max_degree)
    table = [np.einsum("lbq,bq->lb", values.reshape(-1, *latitude.shape), weight) for values in at_nodes]
    along = cell_factors(np.column_stack([boxes.west, boxes.east]), max_degree)
    return table, along / np.radians(boxes.east - boxes.west)


def _products(table: list[FloatArray], factors: FloatArray, bounds: list[int]) -> FloatArray:
    """Means of the harmonics (n, D) from the means along latitude and along longitude."""
    max_degree = len(table) - 1
    band = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    values = np.empty(((max_degree + 1) ** 2, band.size))
    for order, legendre in enumerate(table):
        of_boxes = legendre[:, band]
        for sign in (-1, 1)[: 1 + (order > 0)]:
            columns = columns_of_order(sign * order, max_degree)
            values[columns] = of_boxes * factors[max_degree + sign * order]
    return values.T


def _band_blocks(band: Integers, n_bands: int, n_boxes: int) -> list[slice]:
    """Blocks of at most ``n_bands`` bands and ``n_boxes`` consecutive boxes; ``band`` (n,) ascends."""
    blocks, start = [], 0
    while start < band.size:
        stop = min(start + n_boxes, int(np.searchsorted(band, band[start] + n_bands)))
        blocks.append(slice(start, stop))
        start = stop
    return blocks
