"""Kernel: areas of points on full circles of latitude: reduced Gaussian grids, HEALPix, rows in one dimension."""

from functools import lru_cache

import numpy as np
from scipy.special import roots_legendre

from skgeo._kernels.sphere import band_heights, latitude_edges
from skgeo._typing import FloatArray, Integers

# Degrees. Points of one ring have the same latitude to this precision.
_SAME_LATITUDE = 1e-6
# Longitudes of a ring are evenly spaced to this share of the step. GRIB rounds degrees to a thousandth.
_UNEVEN, _ROUNDED = 1e-2, 2e-3
# The first zero of the Bessel function J0: Gaussian latitudes near the pole follow from it.
_BESSEL_ZERO = 2.404825557695773
# Rounding of the area of all rings, in areas of half the sphere.
_FILLED = 1e-9
# A ring of fewer points is none: two stations may share a latitude by chance.
_FEWEST = 3


def find_rings(latitude: FloatArray, longitude: FloatArray) -> Integers | None:
    """Numbers of points (n_rings,) of rings in the order of the points; None unless all points are on full circles.

    The latitudes of the rings rise or fall. The points of a ring follow each other, evenly spaced around the Earth.
    """
    n = latitude.size
    if n < 2 * _FEWEST or abs(latitude[1] - latitude[0]) > _SAME_LATITUDE or not np.isfinite(latitude).all():
        return None
    starts = np.flatnonzero(np.abs(np.diff(latitude, prepend=np.inf)) > _SAME_LATITUDE)
    counts = np.diff(starts, append=n)
    steps = np.diff(latitude[starts])
    if counts.size < 2 or counts.min() < _FEWEST or not ((steps > 0.0).all() or (steps < 0.0).all()):
        return None
    ring = np.repeat(np.arange(counts.size), counts)
    within = np.arange(n) - starts[ring]
    # Longitudes of ring and first point differ by whole steps, in either direction.
    turned = longitude - longitude[starts][ring]
    step = (360.0 / counts)[ring]
    sense = np.where((turned[np.minimum(starts + 1, n - 1)] % 360.0) > 180.0, -1.0, 1.0)[ring]
    away = np.abs((turned - sense * within * step + 180.0) % 360.0 - 180.0)
    return counts if bool((away <= np.maximum(_UNEVEN * step, _ROUNDED)).all()) else None


def ring_areas(latitude: FloatArray, counts: Integers) -> tuple[FloatArray, str] | None:
    """Areas (n_rings,) on the unit sphere of one point of each ring, and their source; None if rings leave a gap.

    Gaussian latitudes have the Gauss-Legendre weights, HEALPix has equal areas. Other rings end midway between their
    latitudes, and at the poles.
    """
    rings = latitude[np.cumsum(counts) - 1]
    equal = healpix_latitudes(int(counts.sum()))
    if equal is not None and equal.size == rings.size and np.abs(np.sort(rings) - equal).max() <= _ROUNDED:
        return np.full(rings.size, 4.0 * np.pi / counts.sum()), "equal areas of HEALPix"
    # The first Gaussian latitude is near the first zero of a Bessel function: a quick test before all are computed.
    near_pole = 90.0 - np.degrees(_BESSEL_ZERO / (rings.size + 0.5))
    if rings.size > 3 and abs(np.abs(rings[0]) - near_pole) <= _ROUNDED + 1.0 / rings.size**2:
        gaussian, weights = gauss_legendre(rings.size)
        if np.abs(np.sort(rings) - gaussian).max() <= _ROUNDED:
            return 2.0 * np.pi * weights / counts, "Gauss-Legendre weights of the rings"
    heights = band_heights(*latitude_edges(rings, 0.0, 0.0).T)
    # Rings that do not fill the sphere are a part of a grid, or have gaps: nothing tells where their cells end.
    if abs(heights.sum() - 2.0) > _FILLED:
        return None
    return 2.0 * np.pi * heights / counts, "edges midway between the rings"


@lru_cache(maxsize=4)
def gauss_legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """Gaussian latitudes (n,) in degrees, ascending, and their weights, with sum 2."""
    nodes, weights = roots_legendre(n)
    return np.degrees(np.arcsin(nodes)), weights


def healpix_latitudes(n_cells: int) -> FloatArray | None:
    """Latitudes (4 nside - 1,) in degrees of the rings of HEALPix, ascending; None if no grid has ``n_cells`` cells."""
    nside = round((n_cells / 12.0) ** 0.5)
    if nside < 1 or 12 * nside**2 != n_cells:
        return None
    ring = np.arange(1, 2 * nside + 1)
    polar = 1.0 - ring**2 / (3.0 * nside**2)
    northern = np.where(ring < nside, polar, 4.0 / 3.0 - 2.0 * ring / (3.0 * nside))
    northern = np.degrees(np.arcsin(northern.clip(-1.0, 1.0)))
    return np.sort(np.concatenate([northern, -northern[:-1]]))
