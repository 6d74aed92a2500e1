"""Kernel: softly clipped linear maps of harmonics, ``clip * tanh(coefficients @ Y / clip)``, at points and on grids.

A map is ``coefficients`` of shape (k, (L + 1) ** 2); a constant is a multiple of ``Y_00``. The maps are evaluated block
by block, so that harmonics, product and clipping stay in cache, and no array of places x harmonics exists.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from skgeo._kernels.harmonics import (
    degree_of,
    legendre_by_order,
    longitude_radians,
    point_waves,
    series_by_order,
    sin_cos_latitude,
    sum_over_degrees,
    trigonometric,
)
from skgeo._kernels.threads import BLOCK_VALUES, Advance, fill_in_threads, no_progress, row_blocks
from skgeo._typing import FloatArray, Floats, Integers

Columns = slice | Integers

# Clipped maps of fitted bases in single precision had errors of up to 6e-8 times (degree + 2) times the norm of their
# row of coefficients. Rows whose error may exceed 1e-5 belong to components of little variance: they are computed in
# double precision.
_MAX_SINGLE_PRECISION_NORM = 160.0
# On rows of at most this many cells, the sum over degrees per row costs more than the map at each point.
FEW_PIXELS = 8


def map_points(
    latitude: FloatArray,
    longitude: FloatArray,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write the map at points into ``out`` (n, k), in the precision of ``out``.

    The function calls ``advance(n)`` after each block of n points.
    """
    maps = [(c, PointMap(coefficients[c], clip, dtype)) for c, dtype in split_by_precision(coefficients, out.dtype)]

    def fill(part: slice) -> None:
        """Write the points of one block."""
        for columns, point_map in maps:
            with output_columns(out[part], columns, point_map.dtype) as target:
                point_map.fill(latitude[part], longitude[part], target)

    blocks = row_blocks(latitude.size, budget=min(point_map.block for _, point_map in maps))
    fill_in_threads(fill, blocks, n_jobs, advance)


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

    The harmonics separate, so the sum over degrees is computed once per row: (2 L + 1, k) numbers. The function calls
    ``advance(n)`` after each block of n cells.
    """
    if longitude.size <= FEW_PIXELS:
        places = np.repeat(latitude, longitude.size), np.tile(longitude, latitude.size)
        map_points(*places, coefficients, clip, out.reshape(-1, *out.shape[2:]), n_jobs, advance)
        return
    over_clip = coefficients / (clip or 1.0)
    trig = trigonometric(longitude_radians(longitude), degree_of(over_clip.shape[1])).T
    maps = [(over_clip[c], trig.astype(dtype), c) for c, dtype in split_by_precision(coefficients, out.dtype)]

    def fill(part: slice) -> None:
        """Write some rows of the grid."""
        for matrix, factors, columns in maps:
            rows = row_coefficients(latitude[part], matrix).astype(factors.dtype)
            for i, values in enumerate(out[part]):
                with output_columns(values, columns, factors.dtype) as target:
                    soft_clip(np.matmul(factors, rows[:, i], out=target), clip)

    blocks, n_lon = row_blocks(latitude.size, trig.shape[1] * over_clip.shape[0]), longitude.size
    fill_in_threads(fill, blocks, n_jobs, advance, n_lon)


class PointMap:
    """A map that is evaluated at one block of points at a time; it keeps the harmonics sorted by order."""

    def __init__(self, coefficients: FloatArray, clip: float | None, dtype: npt.DTypeLike) -> None:
        max_degree = degree_of(coefficients.shape[1])
        self.clip, self.dtype = clip, dtype
        series, columns = series_by_order(max_degree)
        self.series = [table.astype(dtype) for table in series]
        factor = np.sqrt(np.where(np.arange(columns.size) <= max_degree, 1.0, 2.0)) / (clip or 1.0)
        self.matrix = np.ascontiguousarray((coefficients[:, columns] * factor).T, dtype=dtype)
        self.block = int(np.clip(2 * BLOCK_VALUES // coefficients.shape[1], 256, 4096))

    def fill(self, latitude: FloatArray, longitude: FloatArray, out: Floats) -> None:
        """Write the map at one block of points."""
        np.matmul(self.harmonics(latitude, longitude).T, self.matrix, out=out)
        soft_clip(out, self.clip)

    def harmonics(self, latitude: FloatArray, longitude: FloatArray) -> Floats:
        """Harmonics (D, n) in the order of ``columns_by_order``; the map contains their factor sqrt(2)."""
        max_degree, dtype = len(self.series) - 1, self.matrix.dtype
        in_colatitude, in_longitude = point_waves(latitude, longitude, max_degree, dtype)
        table = np.empty((self.matrix.shape[0], latitude.size), dtype=dtype)
        rest = table
        for order, series in enumerate(self.series):
            legendre = series @ in_colatitude[order % 2]
            for wave in in_longitude[: 1 + (order > 0)]:
                np.multiply(legendre, wave[order], out=rest[: series.shape[0]])
                rest = rest[series.shape[0] :]
        return table


def split_by_precision(coefficients: FloatArray, dtype: npt.DTypeLike) -> list[tuple[Columns, npt.DTypeLike]]:
    """Rows of a map, and the precision that each needs for an output of this dtype."""
    if dtype != np.float32:
        return [(slice(None), np.float64)]
    hard = np.linalg.norm(coefficients, axis=1) * (degree_of(coefficients.shape[1]) + 2) > _MAX_SINGLE_PRECISION_NORM
    if hard.all():
        return [(slice(None), np.float64)]
    if not hard.any():
        return [(slice(None), np.float32)]
    return [(np.flatnonzero(~hard), np.float32), (np.flatnonzero(hard), np.float64)]


@contextmanager
def output_columns(out: Floats, columns: Columns, dtype: npt.DTypeLike) -> Iterator[Floats]:
    """Yield an array for some columns of ``out``: ``out`` itself if columns and precision allow, else a copy."""
    if isinstance(columns, slice) and out.dtype == dtype:
        yield out
    else:
        values = np.empty((out.shape[0], out[:1, columns].shape[1]), dtype=dtype)
        yield values
        out[:, columns] = values


def soft_clip(values: Floats, clip: float | None) -> Floats:
    """``clip * tanh(values)`` in place; the caller has divided ``values`` by ``clip``."""
    if clip is not None:
        np.tanh(values, out=values)
        values *= clip
    return values


def row_coefficients(latitude: FloatArray, coefficients: FloatArray) -> FloatArray:
    """The map summed over degrees at given latitudes: factors (2 L + 1, n_lat, k) of ``trig_m``."""
    table = legendre_by_order(*sin_cos_latitude(latitude), degree_of(coefficients.shape[1]))
    return sum_over_degrees(table, coefficients)
