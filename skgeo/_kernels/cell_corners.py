"""Kernel: areas of cells from their corners, and the cells whose corners make no polygon around the centre."""

import numpy as np
import numpy.typing as npt

from skgeo._kernels.sphere import unit_components
from skgeo._typing import FloatArray

States = npt.NDArray[np.uint8]

#: States without a fault: the corners are in order around the centre; they were put in order; the cell has no corners.
ORDERED, SORTED, EMPTY = np.uint8(0), np.uint8(1), np.uint8(2)
#: States with a fault: a corner is far from the others; sides cross; they enclose no area; the centre is outside.
FAR, CROSSED, FLAT, OUTSIDE = np.uint8(3), np.uint8(4), np.uint8(5), np.uint8(6)

# Cells per block, so that their corners stay in the cache.
_CELLS = 2**13
# Triangles whose doubled area is a smaller share of the squared size of the cell are lines, to rounding.
_LINE = 1e-9
# A corner 10 times as far from the centre as three others, with no corner between, is a fill value.
_FAR = 10.0
# Corners count as convex up to this share of the squared size of the cell, because parallels bend between corners.
_CONVEX = 1e-2
# Edges that cross by rounding change the area by less than this share.
_SAME_AREA = 1e-2
# A centre may be outside by this share of the width of the cell: great circles cut off corners of boxes at the poles.
_BESIDE = 0.25


def cell_polygons(
    latitude: FloatArray, longitude: FloatArray, corner_latitude: FloatArray, corner_longitude: FloatArray
) -> tuple[FloatArray, States]:
    """Areas (...) on the unit sphere of cells with corners (..., n) around centres (...), in degrees; and their states.

    Sides are great circles. Corners go around in either sense; missing ones are left out. Where the sides cross and the
    corners are those of a convex polygon, they are sorted around it. A polygon is a fan of triangles, whose areas have
    a sign: van Oosterom & Strackee (1983), IEEE Transactions on Biomedical Engineering 30, 125-126. Cells without a
    centre are ``EMPTY``.
    """
    n_corners = corner_latitude.shape[-1]
    centres = latitude.ravel(), longitude.ravel()
    corners = [degrees.reshape(-1, n_corners) for degrees in (corner_latitude, corner_longitude)]
    areas, states = np.empty(latitude.size), np.empty(latitude.size, dtype=np.uint8)
    for start in range(0, latitude.size, _CELLS):
        part = slice(start, start + _CELLS)
        areas[part], states[part] = _polygons(*(axis[part] for axis in (*centres, *corners)))
    return areas.reshape(latitude.shape), states.reshape(latitude.shape)


def _polygons(
    latitude: FloatArray, longitude: FloatArray, corner_latitude: FloatArray, corner_longitude: FloatArray
) -> tuple[FloatArray, States]:
    """Areas and states (m,) of a part of the cells."""
    centre = np.stack(unit_components(latitude, longitude))
    corners = _corner_vectors(corner_latitude, corner_longitude)
    states = np.where(np.isnan(latitude) | np.isnan(corners[0, 0]), EMPTY, ORDERED)
    doubtful = np.flatnonzero(~_around(centre, corners) & (states == ORDERED))
    if doubtful.size:
        corners[..., doubtful], states[doubtful] = _examined(centre[:, doubtful], corners[..., doubtful])
    return np.where(states == EMPTY, 0.0, _areas(corners)), states


def _corner_vectors(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Corners (m, n) as vectors (3, n, m); the last present corner takes the place of missing ones."""
    present = np.isfinite(latitude) & np.isfinite(longitude)
    if not present.all():
        order = np.argsort(~present, axis=-1, kind="stable")
        last = np.minimum(np.arange(order.shape[-1]), present.sum(axis=-1)[..., np.newaxis] - 1)
        order = np.take_along_axis(order, last, axis=-1)
        latitude, longitude = (np.take_along_axis(degrees, order, axis=-1) for degrees in (latitude, longitude))
    return np.stack(unit_components(np.ascontiguousarray(latitude.T), np.ascontiguousarray(longitude.T)))


def _cross(one: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Components of the cross product of vectors (3, ...)."""
    (a, b, c), (d, e, f) = one, other
    return b * f - c * e, c * d - a * f, a * e - b * d


def _dot(one: FloatArray, other: FloatArray | tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
    """Dot product of vectors (3, ...)."""
    (a, b, c), (d, e, f) = one, other
    return np.asarray(a * d + b * e + c * f)


def _areas(corners: FloatArray) -> FloatArray:
    """Areas (m,) of polygons with corners (3, n, m)."""
    first, second, third = corners[:, :1], corners[:, 1:-1], corners[:, 2:]
    # Differences of corners keep the areas of small triangles accurate.
    triple = _dot(first, _cross(second - first, third - first))
    x, y, z = first * second + second * third + third * first
    return np.abs(np.sum(2.0 * np.arctan2(triple, 1.0 + (x + y + z)), axis=0))


def _turns(centre: FloatArray, away: FloatArray) -> FloatArray:
    """Doubled areas (n, m), with a sign, of the triangles of a centre (3, m), each corner and the next corner.

    ``away`` (3, n, m) are the vectors from the centre to the corners.
    """
    return _dot(centre[:, np.newaxis], _cross(away, np.roll(away, -1, axis=1)))


def _around(centre: FloatArray, corners: FloatArray) -> npt.NDArray[np.bool_]:
    """A mask (m,) of the cells whose corners go around the centre once, in one sense, with no corner far away.

    Corners go around once if they cross a half plane that ends at the centre once. All other cells are then examined.
    """
    away = corners - centre[:, np.newaxis]
    turns = _turns(centre, away)
    squares = _dot(away, away)
    largest = squares.max(axis=0)
    total = turns.sum(axis=0)
    least = np.where(total > 0.0, turns.min(axis=0), -turns.max(axis=0))
    side = away[1] * centre[0] - away[0] * centre[1] < 0.0
    passes = np.count_nonzero(side & ~np.roll(side, -1, axis=0), axis=0)
    around = (passes == 1) & (least >= -_LINE * largest) & (np.abs(total) > _LINE * largest)
    around &= largest <= _FAR**2 * squares.min(axis=0)
    radial = np.flatnonzero(around & (least <= _LINE * largest))  # or no side at all, between equal corners
    if radial.size:
        some, lines = away[..., radial], np.abs(turns[:, radial]) <= _LINE * largest[radial]
        around[radial] = ~(lines & (_dot(some, np.roll(some, -1, axis=1)) < 0.0)).any(axis=0)  # through the centre
    return np.asarray(around)


def _examined(centre: FloatArray, corners: FloatArray) -> tuple[FloatArray, States]:
    """Corners (3, n, k), sorted where that is needed and unambiguous, and states (k,)."""
    distances = np.sqrt(_sizes(centre, corners))
    size = _sizes(corners[:, 0], corners).max(axis=0)
    crossed = (size > 0.0) & (_sides_cross(corners, size) | _comes_back(corners, size))
    states = np.where(crossed, CROSSED, ORDERED)
    if crossed.any():
        some = corners[..., crossed]
        middle = some.mean(axis=1)
        middle /= np.sqrt(_dot(middle, middle))
        around = _sorted_around(middle, some)
        convex = _is_convex(around, size[crossed])
        # Rounding may exchange two corners next to each other. The area then hardly changes, and the order stays.
        kept = _areas(some), _areas(_sorted_around(centre[:, crossed], some))
        same = np.abs(kept[0] - kept[1]) <= _SAME_AREA * kept[1]
        corners[..., crossed] = np.where(convex, around, some)
        states[crossed] = np.where(convex, SORTED, np.where(same, ORDERED, CROSSED))
    area = _areas(corners)
    polygon = states <= SORTED
    states[polygon & (area <= _LINE * size)] = FLAT
    states[(states <= SORTED) & ~_holds(centre, corners, area)] = OUTSIDE
    if distances.shape[0] > 3:
        distances.sort(axis=0)
        states[(distances[3:] > _FAR * distances[2:-1]).any(axis=0) & (states != FLAT)] = FAR
    return corners, states


def _sizes(point: FloatArray, corners: FloatArray) -> FloatArray:
    """Squared distances (n, k) of corners (3, n, k) from a point (3, k)."""
    away = corners - point[:, np.newaxis]
    return _dot(away, away)


def _orientation(one: FloatArray, two: FloatArray, three: FloatArray) -> FloatArray:
    """Doubled areas of triangles of vectors (3, ...): positive where they turn left."""
    return _dot(one, _cross(two - one, three - one))


def _sides_cross(corners: FloatArray, size: FloatArray) -> npt.NDArray[np.bool_]:
    """True for each polygon (k,) with two sides that cross: the ends of each side lie on both sides of the other."""
    n_corners = corners.shape[1]
    crossed = np.zeros(corners.shape[2], dtype=bool)
    for i in range(n_corners - 2):
        for j in range(i + 2, n_corners - (i == 0)):
            a, b, c, d = (corners[:, k % n_corners] for k in (i, i + 1, j, j + 1))
            turns = [_orientation(*three) for three in ((a, c, b), (c, b, d), (b, d, a), (d, a, c))]
            crossed |= np.minimum.reduce(turns) > _LINE * size
            crossed |= np.maximum.reduce(turns) < -_LINE * size
    return crossed


def _comes_back(corners: FloatArray, size: FloatArray) -> npt.NDArray[np.bool_]:
    """A mask (k,) of polygons that return to a corner: it is there twice, with other corners between on both ways."""
    back = np.zeros(corners.shape[2], dtype=bool)
    for i in range(corners.shape[1]):
        others = _sizes(corners[:, i], corners) > _LINE**2 * size
        between = np.cumsum(others, axis=0)
        after = between - between[i]
        back |= (~others & (after > 0) & (after < between[-1])).any(axis=0)
    return back


def _sorted_around(point: FloatArray, corners: FloatArray) -> FloatArray:
    """Corners (3, n, k) in the order of their azimuths around a point (3, k)."""
    axis = np.where(np.abs(point[2]) < 0.9, np.array([[0.0], [0.0], [1.0]]), np.array([[1.0], [0.0], [0.0]]))
    east = np.stack(_cross(axis, point))
    north = np.stack(_cross(point, east))
    azimuth = np.arctan2(_dot(north[:, np.newaxis], corners), _dot(east[:, np.newaxis], corners))
    order = np.argsort(azimuth, axis=0, kind="stable")
    return np.take_along_axis(corners, order[np.newaxis], axis=1)


def _is_convex(corners: FloatArray, size: FloatArray) -> npt.NDArray[np.bool_]:
    """A mask (k,) of polygons that go left and have all their corners left of each side."""
    convex = np.ones(corners.shape[2], dtype=bool)
    following = np.roll(corners, -1, axis=1)
    for k in range(corners.shape[1]):
        turns = _orientation(corners, following, corners[:, k : k + 1])
        convex &= turns.min(axis=0) >= -_CONVEX * size
    return convex


def _holds(centre: FloatArray, corners: FloatArray, area: FloatArray) -> npt.NDArray[np.bool_]:
    """A mask (k,) of polygons with the centre inside, on a side, or beside one by a small share of their width."""
    away = corners - centre[:, np.newaxis]
    away = away - centre[:, np.newaxis] * _dot(centre[:, np.newaxis], away)
    angles = np.arctan2(_turns(centre, away), _dot(away, np.roll(away, -1, axis=1)))
    inside = np.abs(angles.sum(axis=0)) > np.pi

    side = np.roll(corners, -1, axis=1) - corners
    squares = _dot(side, side)
    along = _dot(centre[:, np.newaxis] - corners, side) / np.where(squares > 0.0, squares, 1.0)
    nearest = corners + np.clip(along, 0.0, 1.0) * side
    nearest /= np.sqrt(_dot(nearest, nearest))
    distance = np.sqrt(_sizes(centre, nearest).min(axis=0))
    width = 2.0 * area / np.maximum(np.sqrt(squares).sum(axis=0), np.finfo(np.float64).tiny)
    return np.asarray(inside | (distance <= _BESIDE * width))
