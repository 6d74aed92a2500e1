"""Kernel: harmonics averaged over boxes of the sphere, and softly clipped linear maps of these averages.

Over a box the harmonics separate, ``P_lm(latitude)`` times ``trig_m(longitude)``: the mean along longitude is
``trig_m`` at the middle times sin(x) / x, and that along latitude an integral that takes a few nodes. Boxes between the
same parallels, of which a table of patches has many, share the latter. The cost does not know of pixels.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from skgeo._kernels.domain import cell_factors, row_nodes
from skgeo._kernels.evaluate import new_bands, soft_clip
from skgeo._kernels.harmonics import columns_of_order, degree_of, legendre_by_order, sin_cos_latitude, sum_over_degrees
from skgeo._kernels.sphere import Boxes
from skgeo._kernels.threads import Advance, no_progress, run_in_threads
from skgeo._typing import FloatArray, Floats, Integers

# Values that a block may hold: a few megabytes, the size of the caches.
_BLOCK_VALUES = 2**19

# Sums over degrees of a band pay where so many boxes share it.
_MIN_BOXES_PER_BAND = 3

Means = Callable[[Integers, list[int]], FloatArray]
"""Of the boxes with given numbers: those from ``bounds[i]`` to ``bounds[i + 1]`` lie between the same parallels."""


def map_box_means(
    boxes: Boxes,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write ``clip * tanh(coefficients @ mean / clip)`` with the means of the harmonics over boxes into ``out`` (n, k).

    ``advance`` is told how many more boxes are done.
    """
    max_degree = degree_of(coefficients.shape[1])
    scaled = coefficients / (clip or 1.0)

    def means(part: Integers, bounds: list[int]) -> FloatArray:
        table, factors = _factors(boxes.take(part), bounds, max_degree)
        if part.size < _MIN_BOXES_PER_BAND * (len(bounds) - 1):
            values = _products(table, factors, bounds) @ scaled.T
        else:
            rows = sum_over_degrees(table, scaled)
            values = np.empty((part.size, len(scaled)))
            for band, (start, stop) in enumerate(pairwise(bounds)):
                np.matmul(factors[:, start:stop].T, rows[:, band], out=values[start:stop])
        soft_clip(values, clip)
        return values

    _write(boxes, means, max_degree, out, n_jobs, advance)


def write_box_means(
    boxes: Boxes,
    factors: FloatArray,
    max_degree: int,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write means over boxes of the last k harmonics up to a degree, times ``factors`` (k,), into ``out`` (n, k)."""
    first = (max_degree + 1) ** 2 - factors.size

    def means(part: Integers, bounds: list[int]) -> FloatArray:
        return _products(*_factors(boxes.take(part), bounds, max_degree), bounds)[:, first:] * factors

    _write(boxes, means, max_degree, out, n_jobs, advance)


def _write(boxes: Boxes, means: Means, max_degree: int, out: Floats, n_jobs: int | None, advance: Advance) -> None:
    """Write ``means`` of boxes that are sorted by their band, some bands at a time, of like heights."""
    order = np.lexsort((boxes.west, boxes.south, boxes.north - boxes.south))
    south, north = boxes.south[order], boxes.north[order]
    band = np.cumsum(new_bands(south, north)) - 1
    band_values = 8 * (max_degree + 1) ** 2  # Legendre functions at the nodes of a band
    parts = _blocks(band, max(1, _BLOCK_VALUES // band_values), max(1, _BLOCK_VALUES // max(1, out.shape[1])))

    def work(part: slice) -> FloatArray:
        return means(order[part], [*np.flatnonzero(np.diff(band[part], prepend=-1)).tolist(), part.stop - part.start])

    def write(part: slice, values: FloatArray) -> None:
        out[order[part]] = values
        advance(part.stop - part.start)

    run_in_threads(work, parts, n_jobs, write)


def _factors(boxes: Boxes, bounds: list[int], max_degree: int) -> tuple[list[FloatArray], FloatArray]:
    """Means along latitude of the Legendre functions of each band, by order, and along longitude (2 L + 1, n)."""
    first = bounds[:-1]
    bands = np.column_stack([boxes.south[first], boxes.north[first]])
    latitude, weight = row_nodes(bands, max_degree)
    weight /= weight.sum(axis=1, keepdims=True)  # the height of the band, with the rounding of its nodes
    at_nodes = legendre_by_order(*sin_cos_latitude(latitude.ravel()), max_degree)
    table = [np.einsum("lbq,bq->lb", values.reshape(-1, *latitude.shape), weight) for values in at_nodes]
    along = cell_factors(np.column_stack([boxes.west, boxes.east]), max_degree)
    return table, along / np.radians(boxes.east - boxes.west)


def _products(table: list[FloatArray], factors: FloatArray, bounds: list[int]) -> FloatArray:
    """Means of the harmonics (n, D) from those along latitude and along longitude."""
    max_degree = len(table) - 1
    band = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    values = np.empty(((max_degree + 1) ** 2, band.size))
    for order, legendre in enumerate(table):
        of_boxes = legendre[:, band]
        for sign in (-1, 1)[: 1 + (order > 0)]:
            columns = columns_of_order(sign * order, max_degree)
            values[columns] = of_boxes * factors[max_degree + sign * order]
    return values.T


def _blocks(band: Integers, n_bands: int, n_boxes: int) -> list[slice]:
    """Consecutive boxes, of so many bands and so many boxes at most; ``band`` (n,) is ascending."""
    blocks, start = [], 0
    while start < band.size:
        stop = min(start + n_boxes, int(np.searchsorted(band, band[start] + n_bands)))
        blocks.append(slice(start, stop))
        start = stop
    return blocks
