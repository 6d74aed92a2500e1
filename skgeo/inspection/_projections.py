"""Projections of the sphere onto a plane, cuts at the seam of a map, and the region that a map shows.

This module does not use matplotlib. Longitudes relative to the central meridian lie in [-180, 180]; the meridian at
both ends is the seam. cartopy has these projections, too, but with pyproj and shapely it is twice as large as
matplotlib, downloads its coasts, and draws a map of the world at one degree in 1.5 to 8 times the time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._kernels.sphere import Boxes, unit_vectors
from skgeo._typing import FloatArray
from skgeo._validation import import_optional
from skgeo.datasets import load_land_mask

PROJECTIONS = ("auto", "equal_earth", "orthographic", "plate_carree")

# Parallels and meridians are drawn as straight lines over at most this many degrees: the eye sees a curve.
_MAX_STRAIGHT_DEGREES = 2.0
# Regions wider or higher than this are shown on a map of the world.
_WORLD_WIDTH_DEGREES, _WORLD_HEIGHT_DEGREES = 180.0, 120.0
# Regions that come closer to a pole than this are caps, and seen from above the pole.
_POLAR_DEGREES = 10.0
# Regions at least this wide go all around the Earth, to rounding.
_WHOLE_TURN_DEGREES = 359.0
# Angles in degrees that differ by less are equal to rounding.
_ROUNDING_DEGREES = 1e-9
# Points this close to the seam stay on their side of it in projections of cartopy.
_SEAM_DEGREES = 1e-6


class Extent(NamedTuple):
    """Edges of a region in degrees; east lies in (west, west + 360]."""

    south: float
    north: float
    west: float
    east: float

    @property
    def middle(self) -> tuple[float, float]:
        """Latitude and longitude of the centre."""
        return (self.south + self.north) / 2.0, (self.west + self.east) / 2.0


@dataclass(frozen=True)
class Projection:
    """A map in the plane, with the (latitude, longitude) of its centre."""

    center: tuple[float, float]
    #: Whether parallels or meridians are curves on the map.
    curved: ClassVar[bool] = True
    #: Whether the map is cut along the meridian opposite to its centre.
    seam: ClassVar[bool] = True

    def relative(self, longitude: npt.ArrayLike) -> FloatArray:
        """Degrees east of the central meridian, in [-180, 180)."""
        return np.mod(np.asarray(longitude, dtype=np.float64) - self.center[1] + 180.0, 360.0) - 180.0

    def forward(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The x and y of places."""
        raise NotImplementedError

    def visible(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether places are on the map."""
        return np.ones(np.broadcast_shapes(np.shape(latitude), np.shape(relative)), dtype=bool)

    def rim(self) -> FloatArray | None:
        """The outline (n, 2) of the map; None if the frame of the axes is the outline."""
        return None


class PlateCarree(Projection):
    """Degrees against degrees, in true proportion at the central latitude."""

    curved = False

    def forward(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Longitude and latitude in degrees."""
        y, x = np.broadcast_arrays(np.asarray(latitude, float), self.center[1] + np.asarray(relative, float))
        return x, y


class EqualEarth(Projection):
    """The Equal Earth projection: equal areas, poles as lines.

    Savric, Patterson & Jenny (2019). The Equal Earth map projection. International Journal of Geographical Information
    Science 33(3), 454-465, equations 1 to 3.
    """

    _POWERS: ClassVar[dict[int, float]] = {1: 1.340264, 3: -0.081106, 7: 0.000893, 9: 0.003796}

    def forward(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The x and y on a sphere of radius one."""
        half_root_3 = math.sqrt(3.0) / 2.0
        angle = np.arcsin(half_root_3 * np.sin(np.radians(np.asarray(latitude, dtype=np.float64))))
        y = sum(factor * angle**power for power, factor in self._POWERS.items())
        slope = sum(factor * power * angle ** (power - 1) for power, factor in self._POWERS.items())
        x = np.radians(np.asarray(relative, dtype=np.float64)) * np.cos(angle) / (half_root_3 * slope)
        x, y = np.broadcast_arrays(x, y)
        return x, y

    def rim(self) -> FloatArray:
        """The seam on either side, and both pole lines."""
        up = np.linspace(-90.0, 90.0, 181)
        latitude = np.concatenate([up, up[::-1]])
        return np.column_stack(self.forward(latitude, np.repeat([180.0, -180.0], up.size)))


class Orthographic(Projection):
    """The sphere as seen from far above a place.

    Snyder (1987). Map Projections: A Working Manual. U.S. Geological Survey Professional Paper 1395, equations 20-3 to
    20-5. Places beyond the horizon are moved onto it: cells that are visible in part reach as far as the horizon.
    """

    seam = False

    def _above(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The x and y, and the height above the plane of the horizon."""
        vectors = unit_vectors(*np.broadcast_arrays(np.asarray(latitude, float), np.asarray(relative, float)))
        front, x, up = np.moveaxis(vectors, -1, 0)
        tilt = np.radians(self.center[0])
        return x, up * np.cos(tilt) - front * np.sin(tilt), up * np.sin(tilt) + front * np.cos(tilt)

    def forward(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The x and y on a sphere of radius one."""
        x, y, height = self._above(latitude, relative)
        # The antipode of the centre is on no side of the horizon: the minimum avoids a division by zero.
        stretch = np.where(height < 0.0, 1.0 / np.maximum(np.hypot(x, y), 1e-12), 1.0)
        return x * stretch, y * stretch

    def visible(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether places are on this side of the horizon."""
        return self._above(latitude, relative)[2] >= 0.0

    def rim(self) -> FloatArray:
        """The horizon."""
        angle = np.linspace(0.0, 2.0 * np.pi, 361)
        return np.column_stack([np.cos(angle), np.sin(angle)])


class GivenProjection(Projection):
    """The projection of axes of cartopy."""

    def __init__(self, crs: Any) -> None:
        super().__init__((0.0, float(crs.proj4_params.get("lon_0", 0.0))))
        object.__setattr__(self, "crs", crs)

    def forward(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The x and y in the units of the projection; not finite beyond its ends."""
        latitude, relative = np.broadcast_arrays(np.asarray(latitude, float), np.asarray(relative, float))
        # At exactly 180 degrees, cartopy would move points to the other side of the map.
        inside = np.clip(relative, -180.0 + _SEAM_DEGREES, 180.0 - _SEAM_DEGREES)
        points = self.crs.transform_points(plate_carree(), self.center[1] + inside, latitude)  # type: ignore[attr-defined]
        finite = np.isfinite(points[..., :2]).all(axis=-1)
        return np.where(finite, points[..., 0], np.nan), np.where(finite, points[..., 1], np.nan)

    def visible(self, latitude: npt.ArrayLike, relative: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether the projection has finite coordinates for the places."""
        return np.isfinite(self.forward(latitude, relative)[0])


def plate_carree() -> Any:
    """The coordinate system of cartopy for degrees."""
    return import_optional("cartopy.crs", "axes with a projection", "plot").PlateCarree()


def choose_projection(name: str, center: tuple[float, float] | None, extent: Extent) -> Projection:
    """The projection of this name; "auto" chooses one that suits the extent."""
    width, polar = extent.east - extent.west, max(extent.north, -extent.south) > 90.0 - _POLAR_DEGREES
    if name == "auto":
        # A cap: it reaches a pole, goes around it, and does not cross the equator.
        if polar and width > _WORLD_WIDTH_DEGREES and extent.south * extent.north >= 0.0:
            pole = math.copysign(90.0, extent.middle[0])
            return Orthographic(center or (pole, 0.0))
        world = width > _WORLD_WIDTH_DEGREES or extent.north - extent.south > _WORLD_HEIGHT_DEGREES
        name = "equal_earth" if world else "plate_carree"
    if name == "equal_earth":
        return EqualEarth((0.0, 0.0) if center is None else center)
    whole = width > _WHOLE_TURN_DEGREES
    default = (0.0 if whole else extent.middle[0], 0.0 if whole else extent.middle[1])
    return (Orthographic if name == "orthographic" else PlateCarree)(default if center is None else center)


def extent_of(places: "LatLonGrid | CellGrid | FloatArray | Boxes") -> Extent:
    """The smallest region with all cells of a grid, points (n, 2) or patches."""
    if isinstance(places, LatLonGrid):
        rows, columns = places.latitude_edges, places.longitude_edges
        return Extent(float(rows.min()), float(rows.max()), float(columns.min()), float(columns.max()))
    if isinstance(places, Boxes):
        # Nine meridians stand for each patch: gaps wider than their distance are outside of all patches.
        steps = np.linspace(0.0, 1.0, 9)
        longitude = (places.west[:, np.newaxis] + steps * (places.east - places.west)[:, np.newaxis]).ravel()
        latitude = np.concatenate([places.south, places.north])
        step = 1.01 * float(np.max(places.east - places.west)) / 8.0
    else:
        points = places.points() if isinstance(places, CellGrid) else places
        latitude, longitude = np.asarray(points, dtype=np.float64)[np.isfinite(points).all(axis=1)].T
        step = 0.0
    west, east = _arc(longitude, step)
    return Extent(float(latitude.min()), float(latitude.max()), west, east)


def _arc(longitude: FloatArray, step: float) -> tuple[float, float]:
    """West and east of the shortest arc with all longitudes; the whole circle if no gap is wider than a step."""
    # The arc is the rest of the circle beside the widest gap.
    sorted_longitude = np.unique(np.mod(longitude, 360.0))
    gaps = np.diff(sorted_longitude, append=sorted_longitude[0] + 360.0)
    widest = int(np.argmax(gaps))
    if gaps[widest] <= step:
        return -180.0, 180.0
    west = float(sorted_longitude[(widest + 1) % gaps.size])
    west = west - 360.0 if west >= 180.0 else west
    return west, west + 360.0 - float(gaps[widest])


def padded(extent: Extent, share: float = 0.04, least: float = 0.25) -> Extent:
    """The region with a margin, so that nothing touches the frame."""
    height = max(share * (extent.north - extent.south), least)
    width = max(share * (extent.east - extent.west), least)
    south, north = max(extent.south - height, -90.0), min(extent.north + height, 90.0)
    return Extent(south, north, extent.west - width, extent.east + width)


def on_turn_of(middle: float, extent: Extent) -> Extent:
    """The region with longitudes within 180 degrees of a central meridian; the whole circle if it crosses the seam."""
    turn = 360.0 * round((middle - extent.middle[1]) / 360.0)
    west, east = extent.west + turn, extent.east + turn
    if west < middle - 180.0 or east > middle + 180.0:
        west, east = middle - 180.0, middle + 180.0
    return Extent(extent.south, extent.north, west, east)


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
    if projection.seam and relative[-1] > 180.0 + _ROUNDING_DEGREES:
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
    gaps = np.flatnonzero(low[1:] - high[:-1] > _ROUNDING_DEGREES) + 1
    return np.insert(order, gaps, -1), np.append(np.insert(low, gaps, high[gaps - 1]), high[-1])


def _cut(
    edges: FloatArray, numbers: npt.NDArray[np.intp], *, closed: bool
) -> list[tuple[FloatArray, npt.NDArray[np.intp]]]:
    """Columns cut at 180 degrees. The part beyond moves to the west of the map, in one piece if the grid is closed."""
    # The first edge at the seam or beyond.
    at = int(np.searchsorted(edges, 180.0 - _ROUNDING_DEGREES))
    before = np.append(edges[:at], 180.0), numbers[:at]
    # If the seam is inside a column, the column is on both sides.
    inside = edges[at] > 180.0 + _ROUNDING_DEGREES
    beyond = np.append(-180.0, edges[at if inside else at + 1 :] - 360.0), numbers[at - 1 if inside else at :]
    if not closed:
        return [before, beyond]
    return [(np.concatenate([beyond[0][:-1], before[0]]), np.concatenate([beyond[1], before[1]]))]


def _refined(edges: FloatArray, numbers: npt.NDArray[np.intp], step: float) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Edges and indices of cells after dividing cells wider than a step into equal parts."""
    parts = np.maximum(np.ceil(np.diff(edges) / step - _ROUNDING_DEGREES), 1.0).astype(np.intp)
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
    parts = np.maximum(np.ceil(np.abs(sides).max(axis=1) / _MAX_STRAIGHT_DEGREES - _ROUNDING_DEGREES), 1.0).astype(
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
        math.floor((longitude.min() + 180.0 + _ROUNDING_DEGREES) / 360.0),
        math.ceil((longitude.max() - 180.0 - _ROUNDING_DEGREES) / 360.0),
    )
    for turn in range(first, max(first, last) + 1):
        ring = _clipped(np.column_stack([latitude, longitude - 360.0 * turn]), -180.0, 1.0)
        ring = _clipped(ring, 180.0, -1.0)
        if len(ring) > 2 and np.ptp(ring[:, 1]) > _ROUNDING_DEGREES:
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


def degree_label(value: float, signs: str) -> str:
    """Degrees as on maps, such as 60°N. ``signs`` is "NS" or "EW"."""
    if signs == "EW":
        value = (value + 180.0) % 360.0 - 180.0
        if abs(abs(value) - 180.0) < _ROUNDING_DEGREES:
            return "180°"
    return "0°" if abs(value) < _ROUNDING_DEGREES else f"{abs(value):.6g}°{signs[int(value < 0)]}"
