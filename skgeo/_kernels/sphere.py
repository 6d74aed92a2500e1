"""Kernel: cell edges in degrees, areas and extents on the unit sphere, descriptors of patches."""

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._kernels.axis_gaps import find_gaps, outer_steps, uneven_by
from skgeo._kernels.harmonics import longitude_radians, sin_cos_latitude
from skgeo._kernels.threads import row_blocks
from skgeo._typing import FloatArray, Integers

#: Mean radius of the Earth in metres (2 a + b) / 3, International Union of Geodesy and Geophysics (Moritz 2000).
EARTH_RADIUS = 6_371_008.8

# If less than a third of a cell is left to the pole (Gaussian grids), the last cell is extended to the pole.
_POLE_GAP = 1.0 / 3.0
# A step to a neighbour of more than 5 times the opposite step is a jump of the data; a step of less than 1e-4 of the
# opposite step leads to the same place again.
_JUMP, _REPEATED = 5.0, 1e-4
# Number of cells in a block for distances to neighbours: 20 MB.
_BLOCK_CELLS = 2**16
# Longitudes close the circle when the gap from last to first is at most this multiple of the spacing.
_CLOSED = 1.01


class Boxes(NamedTuple):
    """Edges in degrees (n,), east beyond west, and pixel counts (n,)."""

    south: FloatArray
    north: FloatArray
    west: FloatArray
    east: FloatArray
    n_lat: Integers
    n_lon: Integers

    def take(self, index: slice | Integers) -> "Boxes":
        """The boxes with these indices, in this order."""
        south, north, west, east = (edge[index] for edge in (self.south, self.north, self.west, self.east))
        return Boxes(south, north, west, east, self.n_lat[index], self.n_lon[index])


def latitude_edges(centres: FloatArray, spacing: float, precision: float) -> FloatArray:
    """Both edges (n, 2) of each row, south first: midpoints, ends half a spacing beyond, clipped at the poles.

    Gaussian grids leave a sliver between their outermost edge and the pole; it belongs to the outermost row. Beside a
    gap rows end as they would at an end. ``spacing`` is the height of a single row. ``precision`` is the spacing of
    floating point numbers in which the centres were given.
    """
    edges = np.clip(_midpoint_edges(centres, spacing, precision)[0], -90.0, 90.0)
    for end, outer in ((0, 0), (-1, 1)):
        outer = outer if centres[0] <= centres[-1] else 1 - outer
        gap = 90.0 - abs(edges[end, outer])
        if gap < _POLE_GAP * (edges[end, 1] - edges[end, 0]):
            edges[end, outer] = np.copysign(90.0, edges[end, outer])
    return edges


def longitude_edges(centres: FloatArray, spacing: float = 0.0, precision: float = 0.0) -> tuple[FloatArray, bool]:
    """Both edges (n, 2) of each column, west first, and whether they close the circle: then the outermost meet exactly.

    ``centres`` are unwrapped, ascending or descending; ``spacing`` and ``precision`` as for latitudes. Beside a gap
    columns end as they would at an end, and with a gap the circle is not closed.
    """
    edges, gaps = _midpoint_edges(centres, spacing, precision)
    if centres.size == 1:
        return edges, False
    west, east = (0, -1) if centres[0] < centres[-1] else (-1, 0)
    left = 360.0 - (centres[east] - centres[west])
    width = 2.0 * max(centres[west] - edges[west, 0], edges[east, 1] - centres[east])
    rounding = 0.0 if gaps.any() else 2.0 * uneven_by(centres, precision)
    meet = bool(left <= _CLOSED * width + rounding + 2.0 * precision)
    if meet:
        edges[west, 0] = centres[west] - left / 2.0
        edges[east, 1] = edges[west, 0] + 360.0
    return edges, meet and not gaps.any()


def _midpoint_edges(centres: FloatArray, spacing: float, precision: float) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Both edges (n, 2) of n centres, the lower first, and which of their steps are gaps.

    Edges are midpoints. At the ends and beside gaps, an edge is half a step beyond the centre, with the step on the
    other side.
    """
    if centres.size == 1:
        return centres[:, np.newaxis] + spacing / 2.0 * np.array([[-1.0, 1.0]]), np.zeros(0, dtype=bool)
    steps = np.abs(np.diff(centres))
    gaps = find_gaps(steps, precision)
    before, after = outer_steps(steps, gaps)
    sign = np.sign(centres[-1] - centres[0])
    edges = np.column_stack([centres - sign * before / 2.0, centres + sign * after / 2.0])
    edges[1:, 0] = np.where(gaps, edges[1:, 0], edges[:-1, 1])  # neighbours share one value
    return np.sort(edges, axis=1), gaps


def band_heights(south: npt.ArrayLike, north: npt.ArrayLike) -> FloatArray:
    """``sin(north) - sin(south)``, the area of a band per radian of longitude, without cancellation."""
    south, north = np.asarray(south, dtype=np.float64), np.asarray(north, dtype=np.float64)
    # cos((s + n) / 2) as a sine of the distance to the pole: accurate for slivers at the poles.
    colatitude = np.radians(90.0 - np.abs(south + north) / 2.0)
    return 2.0 * np.sin(np.radians(north - south) / 2.0) * np.sin(colatitude)


def masked_area(heights: FloatArray, widths: FloatArray, inside: Any) -> float:
    """The sum over cells of height times width times the share that is inside, ``inside`` of shape (n_lat, n_lon).

    Blocks of rows are converted to float64 one after the other: a mask of booleans has an eighth of that size.
    """
    blocks = row_blocks(heights.size, widths.size)
    return float(sum(heights[rows] @ (np.asarray(inside[rows], dtype=np.float64) @ widths) for rows in blocks))


def extents(
    south: FloatArray, north: FloatArray, west: FloatArray, east: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Length of the central parallel, length of a meridian and area of boxes, on the unit sphere."""
    width = np.radians(east - west)
    colatitude = np.radians(90.0 - np.abs(south + north) / 2.0)
    return width * np.sin(colatitude), np.radians(north - south), width * band_heights(south, north)


def descriptors(lon: Any, lat: Any, area: Any, n_lon: Any, n_lat: Any, radius: Any) -> list[Any]:
    """The ten descriptors of patches, from extents and area on a sphere of ``radius`` and from pixel counts.

    The function uses arithmetic only, so that it takes arrays and tensors.
    """
    pixel_lon, pixel_lat = lon / n_lon, lat / n_lat
    pixels = [pixel_lon, pixel_lat, (pixel_lon * pixel_lat) ** 0.5, pixel_lon / pixel_lat]
    return [lon, lat, area, lon / lat, *pixels, np.pi * radius / lon, np.pi * radius / lat]


def wrap_longitude(longitude: Any, xp: Any) -> Any:
    """Longitudes in degrees, moved to [-180, 180) without rounding: 180 becomes -180. ``xp`` is numpy or torch."""
    turned = xp.fmod(longitude, 360.0)
    return turned - 360.0 * xp.where(turned >= 180.0, 1.0, xp.where(turned < -180.0, -1.0, 0.0))


def unit_components(latitude: FloatArray, longitude: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The three components of points in degrees as vectors of length one; NaN stays NaN."""
    sine, cosine = sin_cos_latitude(latitude)
    radians = longitude_radians(longitude)
    return cosine * np.cos(radians), cosine * np.sin(radians), sine


def unit_vectors(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Points in degrees as vectors (..., 3) of length one; NaN stays NaN."""
    return np.stack(unit_components(latitude, longitude), axis=-1)


def degrees_of_vectors(vectors: FloatArray) -> FloatArray:
    """Latitude and longitude (..., 2) in degrees of vectors (..., 3) of any length."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.stack([np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)], axis=-1))


def fibonacci_lattice(n: int, first: int = 0, stop: int | None = None) -> FloatArray:
    """Latitude, ascending, and longitude in degrees of n points on a spiral, or of its points first to stop - 1.

    Each point stands for the same area.
    """
    index = np.arange(first, n if stop is None else stop)
    latitude = np.degrees(np.arcsin((2.0 * index + 1.0 - n) / n))
    # A turn is 2^64 units, and a step is 2^64 / golden ratio of them. Products of uint64 drop whole turns and do not
    # round. The globe has 5e10 points that are 0.1 km apart. Products of float64 would move them by up to 0.1 km.
    turns = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C16) / 2.0**64
    return np.column_stack([latitude, 360.0 * turns - 360.0 * (turns >= 0.5)])


def cell_sizes(latitude: FloatArray, longitude: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Width along rows, width along columns and area, on the unit sphere, of cells with centres (..., h, w) in degrees.

    A width is the mean great-circle distance to the neighbours before and after. The area is the sum of four
    parallelograms, between the halves of the ways to a neighbour in the row and to one in the column, so that rows
    may bend. Where one neighbour is missing the cell is symmetric; with neighbours in one direction only it is a
    square. A neighbour much farther than the opposite one does not count: there the data jump. Sizes are NaN where
    a centre is missing or has no neighbours.
    """
    centres = unit_vectors(latitude, longitude)
    in_row, in_column = _steps(centres, axis=-2), _steps(centres, axis=-3)
    along_row, along_column = (np.linalg.norm(steps, axis=-1).mean(axis=0) for steps in (in_row, in_column))
    area = np.zeros(along_row.shape)
    for step, other in product(in_row, in_column):
        area += np.abs(np.sum(centres * np.cross(step, other), axis=-1)) / 4.0
    along_row, along_column = (
        np.where(np.isnan(one), other, one) for one, other in ((along_row, along_column), (along_column, along_row))
    )
    return along_row, along_column, np.where(np.isnan(area), along_row * along_column, area)


def _steps(centres: FloatArray, axis: int) -> FloatArray:
    """Vectors (2, ..., 3) to the neighbours before and after: tangents with the length of the great-circle arc.

    A missing neighbour is replaced by the mirror image of the opposite one; the vectors are NaN if both are missing.
    """
    length = centres.shape[axis]
    pad = [(0, 0)] * centres.ndim
    pad[axis] = (1, 1)
    padded = np.pad(centres, pad, constant_values=np.nan)
    chord = np.stack([padded.take(range(start, start + length), axis=axis) for start in (0, 2)]) - centres
    tangent = chord - centres * np.sum(centres * chord, axis=-1, keepdims=True)
    distance = 2.0 * np.arcsin(np.minimum(np.linalg.norm(chord, axis=-1, keepdims=True) / 2.0, 1.0))
    norm = np.linalg.norm(tangent, axis=-1, keepdims=True)
    steps = tangent * np.divide(distance, norm, out=np.ones_like(norm), where=norm > 0.0)
    opposite = distance[::-1]
    jumps = (distance > _JUMP * opposite) & (opposite > _REPEATED * distance)
    return np.where(np.isnan(steps) | jumps, -steps[::-1], steps)


def cell_areas(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Areas from :func:`cell_sizes`, zero where a centre is missing. Cells without neighbours have the mean area.

    All areas are zero if no cell has a neighbour.
    """
    area = _areas_by_blocks(latitude, longitude) if latitude.ndim == 2 else cell_sizes(latitude, longitude)[2]
    known = np.isfinite(area)
    count = known.sum(axis=(-2, -1), keepdims=True)
    mean = np.sum(area, axis=(-2, -1), where=known, keepdims=True) / np.maximum(count, 1)
    return np.where(known, area, np.where(np.isfinite(latitude), mean, 0.0))


def _areas_by_blocks(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """The areas of :func:`cell_sizes` in blocks of rows: unit vectors and distances take 300 bytes a cell."""
    areas = np.empty(latitude.shape)
    for rows in row_blocks(latitude.shape[0], latitude.shape[1], _BLOCK_CELLS):
        # One more row on both sides holds the neighbours of the first and of the last row.
        wide = slice(max(0, rows.start - 1), rows.stop + 1)
        within = slice(rows.start - wide.start, rows.stop - wide.start)
        areas[rows] = cell_sizes(latitude[wide], longitude[wide])[2][within]
    return areas


def stack_extents(latitude: FloatArray, longitude: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Extents along rows and along columns, and area, of patches with pixel centres (n, h, w), on the unit sphere.

    An extent is the mean extent of a pixel times the number of pixels. NaN where no pixel has a neighbour.
    """
    along_row, along_column, area = cell_sizes(latitude, longitude)
    known = np.isfinite(area)
    count = np.where(known.any(axis=(1, 2)), known.sum(axis=(1, 2)), np.nan)
    total = [np.sum(size, axis=(1, 2), where=known) for size in (along_row, along_column, area)]
    n_lat, n_lon = latitude.shape[1:]
    return n_lon * total[0] / count, n_lat * total[1] / count, total[2]
