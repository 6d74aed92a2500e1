"""Kernel: tables of harmonics themselves, for those who want the columns and not a map of them.

Written block by block and straight into the output, so that nothing else is as large. ``factors`` (k,) multiply the
last k harmonics up to some degree, all of which follow from the first one on.
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
from skgeo._kernels.threads import Advance, no_progress, run_in_threads
from skgeo._typing import FloatArray, Floats

# Values that a block may hold: a few megabytes, the size of the caches.
_BLOCK_VALUES = 2**19


def write_points(
    latitude: FloatArray,
    longitude: FloatArray,
    factors: FloatArray,
    max_degree: int,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> None:
    """Write harmonics at points times factors into ``out`` (n, k); ``advance`` is told how many more are."""
    n_harmonics = (max_degree + 1) ** 2

    def fill(part: slice) -> None:
        table = harmonics(latitude[part], longitude[part], max_degree)[n_harmonics - factors.size :]
        np.multiply(table.T, factors, out=out[part], casting="same_kind")
        out[part][np.isnan(latitude[part])] = np.nan  # the constant is the same nowhere, too

    run_in_threads(fill, _blocks(latitude.size, n_harmonics), n_jobs, lambda part, _: advance(part.stop - part.start))


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

    They separate: one product a value. ``advance`` is told how many more cells are done.
    """
    degree, order = (index[-factors.size :] for index in degrees_and_orders(max_degree))
    legendre = legendre_by_order(*sin_cos_latitude(latitude), max_degree)
    rows = np.empty((latitude.size, factors.size))
    for column, (l, m) in enumerate(zip(degree, abs(order), strict=True)):  # noqa: E741
        np.multiply(legendre[m][l - m], factors[column], out=rows[:, column])

    def fill(part: slice) -> None:
        waves = trigonometric(longitude_radians(longitude[part]), max_degree)[max_degree + order].T
        waves = np.ascontiguousarray(waves)
        for row, values in zip(rows, out, strict=True):
            np.multiply(waves, row, out=values[part], casting="same_kind")

    cells = latitude.size
    run_in_threads(
        fill, _blocks(longitude.size, factors.size), n_jobs, lambda part, _: advance(cells * (part.stop - part.start))
    )


def _blocks(n_items: int, n_harmonics: int) -> list[slice]:
    """Consecutive blocks of places."""
    length = max(32, _BLOCK_VALUES // n_harmonics)
    return [slice(start, min(start + length, n_items)) for start in range(0, n_items, length)]
