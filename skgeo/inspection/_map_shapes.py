"""Grids, patches and coasts as meshes, polygons and lines on a map, cut at its seam and its horizon."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._kernels.sphere import Boxes, unit_vectors
from skgeo._typing import FloatArray
from skgeo._validation import import_optional
from skgeo.datasets import load_land_mask
from skgeo.inspection._projections import ROUNDING_DEGREES, Projection

# Parallels and meridians are drawn as straight lines over at most this many degrees: the eye sees a curve.
_MAX_STRAIGHT_DEGREES = 2.0


class Mesh(NamedTuple):
    """Corners (n + 1, m + 1) of cells on the map.

    ``rows`` (n,) and ``columns`` (m,) are the indices of the data that the cells show; ``shown`` (n, m) says which
    cells are on the map.
    """

    x: FloatArray
    y: FloatArray
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    shown: npt.NDArray[np.bool_]


def grid_meshes(grid: LatLonGrid, projection: Projection) -> list[Mesh]:
    """Corners of the cells of a grid on a map: one mesh, or two if the seam cuts a grid that is no full circle."""
    rows, latitude = _ascending_edges(grid.latitude_edges)
    columns, longitude = _ascending_edges(grid.longitude_edges)
    start = float(projection.relative(longitude[0]))
    relative = start + (longitude - longitude[0])
    parts = [(relative, columns)]
    if projection.seam and relative[-1] > 180.0 + ROUNDING_DEGREES:
        parts = _cut(relative, columns, closed=grid.closed)
    step = _MAX_STRAIGHT_DEGREES if projection.curved else math.inf
    fine_latitude, fine_rows = _refined(latitude, rows, step)
    meshes = []
    for edges, numbers in parts:
        fine, fine_columns = _refined(edges, numbers, step)
        corners = fine_latitude[:, np.newaxis], fine[np.newaxis, :]
        x, y = projection.forward(*corners)
        shown = any_of_four(projection.visible(*corners)) & np.logical_and.outer(fine_rows >= 0, fine_columns >= 0)
        meshes.append(Mesh(x, y, fine_rows.clip(0), fine_columns.clip(0), shown))
    return meshes


def _ascending_edges(pairs: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Indices of cells in ascending order of place, and their edges (n + 1,). A gap is a cell with the index -1."""
    order = np.argsort(pairs[:, 0], kind="stable")
    low, high = pairs[order].T
    gaps = np.flatnonzero(low[1:] - high[:-1] > ROUNDING_DEGREES) + 1
    return np.insert(order, gaps, -1), np.append(np.insert(low, gaps, high[gaps - 1]), high[-1])


def _cut(
    edges: FloatArray, numbers: npt.NDArray[np.intp], *, closed: bool
) -> list[tuple[FloatArray, npt.NDArray[np.intp]]]:
    """Columns cut at 180 degrees. The part beyond moves to the west of the map, in one piece if the grid is closed."""
    # The first edge at the seam or beyond.
    at = int(np.searchsorted(edges, 180.0 - ROUNDING_DEGREES))
    before = np.append(edges[:at], 180.0), numbers[:at]
    # If the seam is inside a column, the column is on both sides.
    inside = edges[at] > 180.0 + ROUNDING_DEGREES
    beyond = np.append(-180.0, edges[at if inside else at + 1 :] - 360.0), numbers[at - 1 if inside else at :]
    if not closed:
        return [before, beyond]
    return [(np.concatenate([beyond[0][:-1], before[0]]), np.concatenate([beyond[1], before[1]]))]


def _refined(edges: FloatArray, numbers: npt.NDArray[np.intp], step: float) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Edges and indices of cells after dividing cells wider than a step into equal parts."""
    parts = np.maximum(np.ceil(np.diff(edges) / step - ROUNDING_DEGREES), 1.0).astype(np.intp)
    position = (
        np.concatenate([np.arange(count) / count for count in parts]) if parts.max() > 1 else np.zeros(parts.size)
    )
    cell = np.repeat(np.arange(parts.size), parts)
    return np.append(edges[cell] + position * np.diff(edges)[cell], edges[-1]), numbers[cell]


def any_of_four(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether one of the four corners of each cell is True; for flags of cells, of the four cells around a corner."""
    return flags[:-1, :-1] | flags[1:, :-1] | flags[:-1, 1:] | flags[1:, 1:]


def cell_corners(grid: CellGrid) -> tuple[FloatArray, FloatArray]:
    """Latitude and longitude (n_rows + 1, n_columns + 1) of the corners of cells: the middle of four centres.

    Beyond the border, centres are extrapolated linearly. The corners around a missing centre are NaN.
    """
    vectors = unit_vectors(np.asarray(grid.latitude), np.asarray(grid.longitude))
    # Along each axis: add a centre at both ends, then take the middle of neighbours.
    for axis in (0, 1):
        ends = [
            np.take(vectors, [i], axis) for i in (0, min(1, vectors.shape[axis] - 1), -1, -min(2, vectors.shape[axis]))
        ]
        first, last = 2.0 * ends[0] - ends[1], 2.0 * ends[2] - ends[3]
        vectors = np.concatenate([first, vectors, last], axis=axis)
        low, high = np.delete(vectors, -1, axis), np.delete(vectors, 0, axis)
        vectors = (low + high) / 2.0
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def box_rings(boxes: Boxes) -> list[FloatArray]:
    """Outlines (n, 2) of patches as (latitude, longitude), along parallels and meridians."""
    rings = []
    for south, north, west, east in zip(*boxes[:4], strict=True):
        up = np.linspace(south, north, 1 + max(1, math.ceil((north - south) / _MAX_STRAIGHT_DEGREES)))
        along = np.linspace(west, east, 1 + max(1, math.ceil((east - west) / _MAX_STRAIGHT_DEGREES)))
        latitude = [np.full(along.size, south), up, np.full(along.size, north), up[::-1]]
        longitude = [along, np.full(up.size, east), along[::-1], np.full(up.size, west)]
        rings.append(np.column_stack([np.concatenate(latitude), np.concatenate(longitude)]))
    return rings


def project_rings(rings: Sequence[FloatArray], projection: Projection) -> tuple[list[FloatArray], npt.NDArray[np.intp]]:
    """Polygons on the map, and for each polygon the index of its ring."""
    pieces, numbers = [], []
    for number, ring in enumerate(rings):
        latitude, relative = _closed_over_pole(ring[:, 0], ring[:, 1] - projection.center[1])
        parts = _seam_pieces(latitude, relative) if projection.seam else [(latitude, relative)]
        for part in map(_refined_ring, parts):
            if projection.visible(*part).any():
                corners = np.column_stack(projection.forward(*part))
                pieces.append(corners[np.isfinite(corners).all(axis=1)])
                numbers.append(number)
    return pieces, np.asarray(numbers, dtype=np.intp)


def _refined_ring(ring: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """A ring with more corners, so that no side is long: the seam and the lines of the poles are curves on a map."""
    corners = np.column_stack(ring)
    sides = np.roll(corners, -1, axis=0) - corners
    parts = np.maximum(np.ceil(np.abs(sides).max(axis=1) / _MAX_STRAIGHT_DEGREES - ROUNDING_DEGREES), 1.0).astype(
        np.intp
    )
    corner = np.repeat(np.arange(len(parts)), parts)
    share = (np.arange(corner.size) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[corner]
    latitude, longitude = (corners[corner] + share[:, np.newaxis] * sides[corner]).T
    return latitude, longitude


def _closed_over_pole(latitude: FloatArray, longitude: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A ring without jumps of longitude. A ring around a pole goes back to its start along the line of the pole."""
    longitude = np.unwrap(np.append(longitude, longitude[0]), period=360.0)
    # A ring around a pole ends a whole turn from its start, another ring at its start.
    if abs(longitude[-1] - longitude[0]) < 180.0:
        return latitude, longitude[:-1]
    pole = math.copysign(90.0, float(latitude.mean()))
    latitude = np.concatenate([latitude, latitude[:1], [pole, pole]])
    return latitude, np.concatenate([longitude, longitude[[-1, 0]]])


def _seam_pieces(latitude: FloatArray, longitude: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """The pieces of a ring in [-180, 180], each moved there by whole turns."""
    pieces = []
    first, last = (
        math.floor((longitude.min() + 180.0 + ROUNDING_DEGREES) / 360.0),
        math.ceil((longitude.max() - 180.0 - ROUNDING_DEGREES) / 360.0),
    )
    for turn in range(first, max(first, last) + 1):
        ring = _clipped(np.column_stack([latitude, longitude - 360.0 * turn]), -180.0, 1.0)
        ring = _clipped(ring, 180.0, -1.0)
        if len(ring) > 2 and np.ptp(ring[:, 1]) > ROUNDING_DEGREES:
            pieces.append((ring[:, 0], ring[:, 1]))
    return pieces


def _clipped(ring: FloatArray, at: float, side: float) -> FloatArray:
    """The part of a polygon on one side of a meridian (Sutherland & Hodgman 1974, for one edge)."""
    distance = side * (ring[:, 1] - at) if len(ring) else np.empty(0)
    if (distance >= 0.0).all():
        return ring
    after = np.roll(np.arange(len(ring)), -1)
    points = []
    for i, j in enumerate(after):
        if distance[i] >= 0.0:
            points.append(ring[i])
        if (distance[i] >= 0.0) != (distance[j] >= 0.0):
            share = distance[i] / (distance[i] - distance[j])
            latitude = ring[i, 0] + share * (ring[j, 0] - ring[i, 0])
            points.append(np.array([latitude, at]))
    return np.array(points).reshape(-1, 2)


def project_lines(lines: Sequence[FloatArray], projection: Projection) -> list[FloatArray]:
    """Lines of (latitude, longitude) on the map, cut at the seam and at the horizon."""
    pieces = []
    for line in lines:
        latitude, relative = line[:, 0], projection.relative(line[:, 1])
        seen = projection.visible(latitude, relative)
        whole = seen[1:] & seen[:-1]
        # A step of half a turn or more crosses the seam.
        if projection.seam:
            whole &= np.abs(np.diff(relative)) < 180.0
        points = np.column_stack(projection.forward(latitude, relative))
        pieces += [part for part in np.split(points, np.flatnonzero(~whole) + 1) if len(part) > 1]
    return pieces


@lru_cache(maxsize=1)
def coast_lines() -> tuple[FloatArray, ...]:
    """Coasts (n, 2) as (latitude, longitude): the contour of one half of the share of land in the bundled mask."""
    contourpy = import_optional("contourpy", "skgeo.inspection", "plot")
    land = load_land_mask()
    # Repeat the first column at the end: contours then close around the Earth.
    longitude = np.append(land.longitude, land.longitude[0] + 360.0)
    fraction = np.column_stack([land.fraction, land.fraction[:, 0]])
    lines = contourpy.contour_generator(longitude, land.latitude, fraction).lines(0.5)
    return tuple(line[:, ::-1] for line in lines)
