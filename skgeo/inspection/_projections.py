"""Projections of the sphere onto a plane, and the region that a map shows.

This module does not use matplotlib. Longitudes relative to the central meridian lie in [-180, 180]; the meridian at
both ends is the seam. cartopy has these projections, too, but with pyproj and shapely it is twice as large as
matplotlib, downloads its coasts, and draws a map of the world at one degree in 1.5 to 8 times the time.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._kernels.sphere import Boxes, unit_vectors
from skgeo._typing import FloatArray
from skgeo._validation import import_optional

PROJECTIONS = ("auto", "equal_earth", "orthographic", "plate_carree")

# Regions wider or higher than this are shown on a map of the world.
_WORLD_WIDTH_DEGREES, _WORLD_HEIGHT_DEGREES = 180.0, 120.0
# Regions that come closer to a pole than this are caps, and seen from above the pole.
_POLAR_DEGREES = 10.0
# Regions at least this wide go all around the Earth, to rounding.
_WHOLE_TURN_DEGREES = 359.0
# Angles in degrees that differ by less are equal to rounding.
ROUNDING_DEGREES = 1e-9
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


def degree_label(value: float, signs: str) -> str:
    """Degrees as on maps, such as 60°N. ``signs`` is "NS" or "EW"."""
    if signs == "EW":
        value = (value + 180.0) % 360.0 - 180.0
        if abs(abs(value) - 180.0) < ROUNDING_DEGREES:
            return "180°"
    return "0°" if abs(value) < ROUNDING_DEGREES else f"{abs(value):.6g}°{signs[int(value < 0)]}"
