"""Cells in any order as a picture: a raster of latitudes and longitudes, each pixel with the nearest cell."""

import math
import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.chunks import computed
from skgeo._kernels.sphere import unit_vectors
from skgeo.exceptions import CoordinateWarning
from skgeo.inspection._projections import Extent, extent_of

#: Fewer cells are drawn as dots: their shapes are too coarse for a picture of nearest cells.
FEWEST_CELLS = 50
# Pixels along the width and height of the picture. More than these are finer than a page.
_MOST_PIXELS = 1200, 600
# Pixels along the side of a cell, where the picture has room for these.
_PIXELS_PER_CELL = 3.0
# A pixel farther from the nearest centre than this multiple of the side of the cell is outside of all cells.
_REACH = 1.1
# Share of the sphere from which on cells fill it.
_WHOLE = 0.99


class CellRaster(NamedTuple):
    """A grid of pixels, the nearest cell of each (n_lat, n_lon), and whether the pixel lies in this cell."""

    pixels: LatLonGrid
    nearest: npt.NDArray[np.intp]
    inside: npt.NDArray[np.bool_]


def has_raster(grid: object) -> bool:
    """Whether a grid is one of cells in any order that are drawn as a raster: their areas say how far they reach."""
    if not isinstance(grid, CellGrid) or len(grid.shape) != 1 or grid.solid_angles is None:
        return False
    return grid.shape[0] >= FEWEST_CELLS


def cell_raster(grid: CellGrid) -> CellRaster:
    """The nearest cells of pixels that cover all cells of a grid in one dimension."""
    latitude, longitude, angles = computed(grid.latitude, grid.longitude, grid.solid_angles)
    present = np.flatnonzero(np.isfinite(latitude) & (angles > 0.0))
    side = np.sqrt(angles[present])
    pixels = _pixels(extent_of(grid), math.degrees(float(np.median(side))))
    tree = cKDTree(unit_vectors(latitude[present], longitude[present]))
    places = unit_vectors(*np.meshgrid(pixels.latitude, pixels.longitude, indexing="ij"))
    # Chords are as long as arcs for the small distances that matter here.
    distance, found = tree.query(places.reshape(-1, 3), workers=1)
    # Cells that fill the sphere leave no pixel outside. Long cells at poles reach farther than their area says.
    whole = angles.sum() > _WHOLE * 4.0 * np.pi
    inside = (whole | (distance <= _REACH * side[found])).reshape(pixels.shape)
    return CellRaster(pixels, present[found].reshape(pixels.shape), inside)


def _pixels(extent: Extent, side: float) -> LatLonGrid:
    """Pixels over an extent and half a cell around it; all around the Earth where little is missing."""
    south, north = max(-90.0, extent.south - side / 2.0), min(90.0, extent.north + side / 2.0)
    narrow = max(math.cos(math.radians(max(abs(south), abs(north)))), 0.02)
    west, east = extent.west - side / 2.0 / narrow, extent.east + side / 2.0 / narrow
    if east - west > 355.0:
        west, east = -180.0, 180.0
    number = [
        int(np.clip(math.ceil(length * _PIXELS_PER_CELL / side), 2, most))
        for length, most in ((east - west, _MOST_PIXELS[0]), (north - south, _MOST_PIXELS[1]))
    ]
    edges = np.linspace(south, north, number[1] + 1), np.linspace(west, east, number[0] + 1)
    # Small regions around latitude and longitude zero look like radians; these are degrees.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoordinateWarning)
        return LatLonGrid(
            *((each[1:] + each[:-1]) / 2.0 for each in edges),
            latitude_bounds=np.column_stack([edges[0][:-1], edges[0][1:]]),
            longitude_bounds=np.column_stack([edges[1][:-1], edges[1][1:]]),
        )
