"""Kernel: cell edges in degrees, areas and extents on the unit sphere, descriptors of patches."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._harmonics import FloatArray

Integers = npt.NDArray[np.intp]

#: Mean radius of the Earth in metres (2 a + b) / 3, International Union of Geodesy and Geophysics (Moritz 2000).
EARTH_RADIUS = 6_371_008.8

# A gap to the pole of less than this share of the last cell's height is how a Gaussian grid ends, and no missing land.
_POLE_GAP = 1.0 / 3.0
# Longitudes close the circle when the gap from last to first is a spacing, to this share.
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
        """Some of the boxes, in the order given."""
        south, north, west, east = (edge[index] for edge in (self.south, self.north, self.west, self.east))
        return Boxes(south, north, west, east, self.n_lat[index], self.n_lon[index])


def latitude_edges(centres: FloatArray, spacing: float | None = None) -> FloatArray:
    """Both edges (n, 2) of each row, south first: midpoints, ends half a spacing beyond, clipped at the poles.

    Gaussian grids leave a sliver between their outermost edge and the pole; it belongs to the outermost row.
    ``spacing`` stands in where there is a single row.
    """
    edges = np.clip(_midpoint_edges(centres, spacing), -90.0, 90.0)
    for end, inner in ((0, 1), (-1, -2)):
        gap = 90.0 - abs(edges[end])
        if gap < _POLE_GAP * abs(edges[end] - edges[inner]):
            edges[end] = np.copysign(90.0, edges[end])
    return _edge_pairs(edges)


def longitude_edges(centres: FloatArray, spacing: float | None = None) -> tuple[FloatArray, bool]:
    """Both edges (n, 2) of each column, west first, and whether they close the circle: then the outermost meet exactly.

    ``centres`` are unwrapped, ascending or descending; ``spacing`` stands in where there is a single column.
    """
    edges = _edge_pairs(_midpoint_edges(centres, spacing))
    if centres.size == 1:
        return edges, False
    gap = 360.0 - abs(centres[-1] - centres[0])
    closed = bool(gap <= _CLOSED * max(abs(centres[1] - centres[0]), abs(centres[-1] - centres[-2])))
    if closed:
        west, east = int(np.argmin(centres)), int(np.argmax(centres))
        edges[west, 0] = centres[west] - gap / 2.0
        edges[east, 1] = edges[west, 0] + 360.0
    return edges, closed


def _midpoint_edges(centres: FloatArray, spacing: float | None) -> FloatArray:
    """The n + 1 edges of n centres: midpoints, and half a spacing beyond the ends."""
    if centres.size == 1:
        half = (spacing or 0.0) / 2.0
        return np.array([centres[0] - half, centres[0] + half])
    inner = centres[:-1] + np.diff(centres) / 2.0
    return np.concatenate([[2.0 * centres[0] - inner[0]], inner, [2.0 * centres[-1] - inner[-1]]])


def _edge_pairs(edges: FloatArray) -> FloatArray:
    """Both edges of each cell, the lower first."""
    return np.sort(np.column_stack([edges[:-1], edges[1:]]), axis=1)


def band_heights(south: npt.ArrayLike, north: npt.ArrayLike) -> FloatArray:
    """``sin(north) - sin(south)``, the area of a band per radian of longitude, without cancellation."""
    south, north = np.asarray(south, dtype=np.float64), np.asarray(north, dtype=np.float64)
    # cos((s + n) / 2) as a sine of the distance to the pole: accurate for slivers at the poles.
    colatitude = np.radians(90.0 - np.abs(south + north) / 2.0)
    return 2.0 * np.sin(np.radians(north - south) / 2.0) * np.sin(colatitude)


def extents(
    south: FloatArray, north: FloatArray, west: FloatArray, east: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Length of the central parallel, length of a meridian and area of boxes, on the unit sphere."""
    width = np.radians(east - west)
    colatitude = np.radians(90.0 - np.abs(south + north) / 2.0)
    return width * np.sin(colatitude), np.radians(north - south), width * band_heights(south, north)


def descriptors(lon: Any, lat: Any, area: Any, n_lon: Any, n_lat: Any, radius: Any) -> list[Any]:
    """The ten descriptors of patches, from extents and area on a sphere of that radius and pixel counts.

    Arithmetic only, so that arrays and tensors do.
    """
    pixel_lon, pixel_lat = lon / n_lon, lat / n_lat
    pixels = [pixel_lon, pixel_lat, (pixel_lon * pixel_lat) ** 0.5, pixel_lon / pixel_lat]
    return [lon, lat, area, lon / lat, *pixels, np.pi * radius / lon, np.pi * radius / lat]
