"""Kernel: the harmonics themselves as columns, for encoders that return them without a linear map.

The values are written block by block into the output, so that no other array is as large. ``factors`` (k,) multiply
the last k of the (L + 1) ** 2 harmonics; without the constant k is (L + 1) ** 2 - 1.
"""

import numpy as np

from skgeo._kernels.harmonics import (
    degrees_and_orders,
    harmonics,
    legendre_by_order,
    longitude_radians,
    sin_cos_latitude,
    trigonometric,
)
from skgeo._kernels.threads import BLOCK_VALUES, Advance, fill_in_threads, no_progress, row_blocks
from skgeo._typing import FloatArray, Floats

# A block has at least this many places, so that the work per block outweighs the call.
_MIN_BLOCK_PLACES = 32


def write_points(
    latitude: FloatArray,
    longitude: FloatArray,
    factors: FloatArray,
    max_degree: int,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write harmonics at points times factors into ``out`` (n, k).

    The function calls ``advance(n)`` after each block of n points.
    """
    n_harmonics = (max_degree + 1) ** 2

    def fill(part: slice) -> None:
        """Write the points of one block."""
        table = harmonics(latitude[part], longitude[part], max_degree)[n_harmonics - factors.size :]
        np.multiply(table.T, factors, out=out[part], casting="same_kind")
        # Degree 0 ignores its arguments: a missing place needs NaN.
        out[part][np.isnan(latitude[part])] = np.nan

    blocks = row_blocks(latitude.size, budget=max(_MIN_BLOCK_PLACES, BLOCK_VALUES // n_harmonics))
    fill_in_threads(fill, blocks, n_jobs, advance)


def write_grid(
    latitude: FloatArray,
    longitude: FloatArray,
    factors: FloatArray,
    max_degree: int,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write harmonics on the product of two axes times factors into ``out`` (n_lat, n_lon, k).

    The harmonics separate: each value takes one product. The function calls ``advance(n)`` after each block of n cells.
    """
    degree, order = (index[-factors.size :] for index in degrees_and_orders(max_degree))
    legendre = legendre_by_order(*sin_cos_latitude(latitude), max_degree)
    rows = np.empty((latitude.size, factors.size))
    for column, (l, m) in enumerate(zip(degree, abs(order), strict=True)):  # noqa: E741
        np.multiply(legendre[m][l - m], factors[column], out=rows[:, column])

    def fill(part: slice) -> None:
        """Write some columns of the grid."""
        waves = trigonometric(longitude_radians(longitude[part]), max_degree)[max_degree + order].T
        waves = np.ascontiguousarray(waves)
        for row, values in zip(rows, out, strict=True):
            np.multiply(waves, row, out=values[part], casting="same_kind")

    n_lat = latitude.size
    blocks = row_blocks(longitude.size, budget=max(_MIN_BLOCK_PLACES, BLOCK_VALUES // factors.size))
    fill_in_threads(fill, blocks, n_jobs, advance, n_lat)
