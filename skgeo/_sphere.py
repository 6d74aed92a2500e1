"""Kernel: cell edges, areas and extents on the sphere. Degrees in, metres out."""

import numpy as np
import numpy.typing as npt

from skgeo._harmonics import FloatArray

#: Mean radius of the Earth in metres (2 a + b) / 3, International Union of Geodesy and Geophysics (Moritz 2000).
EARTH_RADIUS = 6_371_008.8

# A gap to the pole below this share of the last spacing is the rounding-off of a Gaussian grid, not missing land.
_POLE_GAP = 1.0 / 3.0


def latitude_edges(centres: FloatArray, spacing: float | None = None) -> FloatArray:
    """Both edges (n, 2) of each row, south first: midpoints between centres, ends extrapolated to the poles.

    Gaussian grids leave a sliver between their outermost edge and the pole; it belongs to the outermost row.
    ``spacing`` stands in where there is a single row.
    """
    edges = _midpoint_edges(centres, spacing)
    edges = np.clip(edges, -90.0, 90.0)
    for end, inner in ((0, 1), (-1, -2)):
        gap = 90.0 - abs(edges[end])
        if gap < _POLE_GAP * abs(edges[end] - edges[inner]):
            edges[end] = np.copysign(90.0, edges[end])
    return np.sort(np.column_stack([edges[:-1], edges[1:]]), axis=1)


def longitude_edges(centres: FloatArray, spacing: float | None = None) -> FloatArray:
    """Both edges (n, 2) of each column, west first; ``centres`` are unwrapped, ascending or descending."""
    edges = _midpoint_edges(centres, spacing)
    return np.sort(np.column_stack([edges[:-1], edges[1:]]), axis=1)


def _midpoint_edges(centres: FloatArray, spacing: float | None) -> FloatArray:
    """The n + 1 edges of n centres: midpoints, and half a spacing beyond the ends."""
    if centres.size == 1:
        half = (spacing or 0.0) / 2.0
        return np.array([centres[0] - half, centres[0] + half])
    inner = centres[:-1] + np.diff(centres) / 2.0
    return np.concatenate([[2.0 * centres[0] - inner[0]], inner, [2.0 * centres[-1] - inner[-1]]])


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
