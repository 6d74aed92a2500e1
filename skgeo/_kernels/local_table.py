"""Kernel: linear maps of harmonics at points of a region, by interpolation in a table of the region.

A sum of harmonics of degree L is a sum of waves of at most L periods along meridians and parallels. A table with four
places per shortest wave and a smooth kernel of 14 places in each direction (Barnett, Magland & af Klinteberg 2019)
interpolate such a sum to 1e-12 of its largest value. Interpolation multiplies each wave by a factor: the waves in the
table are divided by these factors first. A point takes 196 multiply-adds per component; the sum over all harmonics
takes (L + 1) ** 2.

The table covers the rectangle of parallels and meridians around the domain. Points elsewhere take the sum itself.
"""

import hashlib
import os
import threading
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from skgeo._kernels.domain_products import weight_waves
from skgeo._kernels.evaluate import map_points, soft_clip
from skgeo._kernels.harmonics import (
    circle_analysis,
    degree_of,
    legendre_by_order,
    sum_over_degrees,
    trigonometric,
)
from skgeo._kernels.threads import Advance, fill_in_threads, no_progress, one_blas_thread, row_blocks
from skgeo._typing import FloatArray, Floats

# Places that the kernel covers in one direction, and the exponent that fits this width for a table with two places per
# half wave: the interpolation then is exact to about 10 ** (1 - _WIDTH).
_WIDTH = 14
_EXPONENT = 2.3 * _WIDTH
# Maps of fewer harmonics are fast enough at each point.
_MIN_HARMONICS = 1500
# The largest table, as a share of the coefficients of the map.
_MAX_TABLE_SHARE = 0.5
# The weight function of a domain is cut off at degree 2 L, and ripples around the domain. The domain is where it
# exceeds this share of its maximum.
_MIN_WEIGHT_SHARE = 0.05
# Number of points in a block that is sorted by cell of the table.
_BLOCK_POINTS = 2**14
# Number of tables that are kept for later calls.
_MAX_TABLES = 4


def map_points_of_domain(
    latitude: FloatArray,
    longitude: FloatArray,
    coefficients: FloatArray,
    clip: float | None,
    out: Floats,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
    *,
    domain: FloatArray,
) -> None:
    """As :func:`map_points`, to 1e-9 of the values in the domain; ``domain`` are the coefficients of its weight."""
    table = _table_of(coefficients, domain) if coefficients.shape[1] >= _MIN_HARMONICS and latitude.size else None
    if table is None:
        map_points(latitude, longitude, coefficients, clip, out, n_jobs, advance)
        return
    covered = table.covers(latitude, longitude)
    inside, outside = np.flatnonzero(covered), np.flatnonzero(~covered)

    def fill(part: slice) -> None:
        """Write the points of one block that the table covers."""
        chosen = inside[part]
        values = table.at(latitude[chosen], longitude[chosen])
        if clip is not None:
            values /= clip
        out[chosen] = soft_clip(values, clip)

    if inside.size:
        fill_in_threads(fill, row_blocks(inside.size, budget=_BLOCK_POINTS), n_jobs, advance)
    if outside.size:
        values = np.empty((outside.size, out.shape[1]), dtype=out.dtype)
        map_points(latitude[outside], longitude[outside], coefficients, clip, values, n_jobs, advance)
        out[outside] = values


class LocalTable:
    """A map of harmonics with coefficients (k, D), interpolated in a rectangle of the axes ``south`` to ``east``."""

    def __init__(self, coefficients: FloatArray, box: "Box") -> None:
        max_degree = degree_of(coefficients.shape[1])
        self._box = box
        share = _wave_shares(max_degree, box.step)
        circle, analysis = circle_analysis(max_degree)
        # Along a whole meridian: from values at some places to waves, divided by their share, to values in the table.
        angle = np.outer(box.colatitudes, np.arange(max_degree + 1))
        along = [(waves / share) @ analysis[odd] for odd, waves in enumerate((np.cos(angle), np.sin(angle)))]
        legendre = legendre_by_order(np.cos(circle), np.sin(circle), max_degree)
        rows = sum_over_degrees(
            [of_order @ along[order % 2].T for order, of_order in enumerate(legendre)], coefficients
        )
        trig = trigonometric(box.longitudes, max_degree).T / share[abs(np.arange(-max_degree, max_degree + 1))]
        self._values = np.matmul(trig, rows.transpose(1, 0, 2))

    def covers(self, latitude: FloatArray, longitude: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether points lie in the rectangle; missing points do not."""
        row, column = self._box.position(latitude, longitude)
        return (row >= 0.0) & (row <= self._box.n_rows) & (column <= self._box.n_columns)

    def at(self, latitude: FloatArray, longitude: FloatArray) -> FloatArray:
        """Values (n, k) at points in the rectangle."""
        row, column = self._box.position(latitude, longitude)
        # The last place of the rectangle belongs to the cell before it.
        first_row = np.minimum(row.astype(np.intp), self._box.n_rows - 1)
        first_column = np.minimum(column.astype(np.intp), self._box.n_columns - 1)
        along, across = _kernel(row - first_row), _kernel(column - first_column)
        cell = first_row * self._box.n_columns + first_column
        order = np.argsort(cell, kind="stable")
        bounds = np.flatnonzero(np.diff(cell[order], prepend=-1, append=-1))
        values = np.empty((latitude.size, self._values.shape[2]))
        for start, stop in pairwise(bounds):
            points = order[start:stop]
            i, j = first_row[points[0]], first_column[points[0]]
            near = self._values[i : i + _WIDTH, j : j + _WIDTH].reshape(_WIDTH**2, -1)
            weights = along[points, :, np.newaxis] * across[points, np.newaxis, :]
            values[points] = weights.reshape(points.size, -1) @ near
        return values


class Box:
    """Parallels and meridians of a table around a domain, each ``step`` radians apart.

    The domain lies in ``n_rows`` times ``n_columns`` cells; the table goes on beyond them for half of the kernel.
    """

    def __init__(self, south: float, north: float, west: float, east: float, max_degree: int) -> None:
        n_circle = 2 * (2 * max_degree + 1)
        self.step = 2.0 * np.pi / n_circle
        degrees = 360.0 / n_circle
        margin = np.arange(1 - _WIDTH // 2, 1 + _WIDTH // 2)
        first = np.floor((90.0 - north) / degrees)
        self.n_rows = int(np.ceil((90.0 - south) / degrees) - first) or 1
        self.n_columns = min(n_circle, int(np.ceil((east - west) / degrees)) or 1)
        self._north, self._west, self._degrees = 90.0 - first * degrees, west, degrees
        self.colatitudes = self.step * (first + np.arange(margin[0], self.n_rows + margin[-1]))
        self.longitudes = np.radians(west) + self.step * np.arange(margin[0], self.n_columns + margin[-1])

    @property
    def n_places(self) -> int:
        """Places in the table."""
        return self.colatitudes.size * self.longitudes.size

    def position(self, latitude: FloatArray, longitude: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Rows and columns of points, as real numbers from the north-western corner; columns are not negative."""
        return (self._north - latitude) / self._degrees, np.mod(longitude - self._west, 360.0) / self._degrees


def _kernel(offset: FloatArray) -> FloatArray:
    """The kernel (n, _WIDTH) at the places around points that lie ``offset`` (n,) beyond the middle place."""
    distance = offset[:, np.newaxis] - np.arange(1 - _WIDTH // 2, 1 + _WIDTH // 2)
    return _kernel_at(distance * (2.0 / _WIDTH))


def _kernel_at(share: FloatArray) -> FloatArray:
    """The exponential of a semicircle, at shares in [-1, 1] of half the width of the kernel."""
    return np.exp(_EXPONENT * (np.sqrt(np.maximum(1.0 - np.square(share), 0.0)) - 1.0))


def _wave_shares(max_degree: int, step: float) -> FloatArray:
    """The factors by which interpolation multiplies waves of 0 to L periods: the Fourier transform of the kernel."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    waves = np.cos(np.outer(np.arange(max_degree + 1), nodes * (step * _WIDTH / 2.0)))
    return np.asarray(_WIDTH / 2.0 * waves @ (weights * _kernel_at(nodes)))


def _box_of(domain: FloatArray) -> Box | None:
    """The rectangle around a domain with these coefficients to degree 2 L; None if its weight is zero."""
    max_degree = degree_of(domain.size) // 2
    if not domain[0] > 0.0:
        return None
    sines = np.polynomial.legendre.leggauss(2 * max_degree + 1)[0][max_degree:]
    waves = weight_waves(domain, sines)
    n_lon = 4 * max_degree + 1
    longitude = 360.0 / n_lon * np.arange(n_lon)
    weight = waves.T @ trigonometric(np.radians(longitude), 2 * max_degree)
    inside = weight >= _MIN_WEIGHT_SHARE * weight.max()
    half_step = 90.0 / max_degree / 2.0  # half the distance of the parallels
    latitude = np.degrees(np.arcsin(np.concatenate([sines, -sines])))[inside.any(axis=1)]
    south, north = max(latitude.min() - half_step, -90.0), min(latitude.max() + half_step, 90.0)
    # The widest run of meridians without weight is outside of the rectangle.
    held = longitude[inside.any(axis=0)]
    gaps = np.diff(held, append=held[0] + 360.0)
    widest = int(np.argmax(gaps))
    if gaps[widest] <= 4.0 * half_step:
        return Box(south, north, 0.0, 360.0, max_degree)
    west, east = held[(widest + 1) % held.size] - half_step, held[widest] + half_step
    return Box(south, north, west, west + (east - west) % 360.0, max_degree)


class _Tables:
    """The tables of the last maps, by the hash of a map."""

    lock = threading.Lock()
    by_hash: dict[bytes, LocalTable | None] = {}  # noqa: RUF012


def _table_of(coefficients: FloatArray, domain: FloatArray) -> LocalTable | None:
    """The table of a map around a domain, or None if it would be too large; made in the first call, then kept."""
    key = hashlib.sha1(np.ascontiguousarray(coefficients).data, usedforsecurity=False)
    key.update(np.ascontiguousarray(domain).data)
    with _Tables.lock:
        if key.digest() not in _Tables.by_hash:
            box = _box_of(domain)
            small = box is not None and box.n_places <= _MAX_TABLE_SHARE * coefficients.shape[1]
            with one_blas_thread():
                table = LocalTable(coefficients, box) if small and box is not None else None
            while len(_Tables.by_hash) >= _MAX_TABLES:
                _Tables.by_hash.pop(next(iter(_Tables.by_hash)))
            _Tables.by_hash[key.digest()] = table
        return _Tables.by_hash[key.digest()]


def _forget_lock() -> None:
    """A new lock in the child of a fork: another thread may have held the old one."""
    _Tables.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)
