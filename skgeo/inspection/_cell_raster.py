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
from skgeo._kernels.cell_places import blocks_filled
from skgeo._kernels.sphere import unit_vectors
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateWarning
from skgeo.inspection._projections import Extent, extent_of

#: Fewer cells are drawn as dots: their shapes are too coarse for a picture of nearest cells.
FEWEST_CELLS = 50
# Pixels along the width and height of the picture. More than these are finer than a page.
_MOST_PIXELS = 1200, 600
# Pixels along the side of a cell, if the picture has room for this number.
_PIXELS_PER_CELL = 3.0
# A pixel farther from the nearest centre than this multiple of the side of the cell is outside of all cells.
_REACH = 1.1
# The width of a cell of unknown area is the distance to its third neighbour: a triangle has three neighbours.
_NEIGHBOURS = 3
# Number of cells whose spacing determines the size of pixels.
_SAMPLE_CELLS = 1000
# Cells that cover at least this share of the sphere fill the sphere.
_WHOLE = 0.99


class CellRaster(NamedTuple):
    """A grid of pixels, the nearest cell of each (n_lat, n_lon), and whether the pixel lies in this cell."""

    pixels: LatLonGrid
    nearest: npt.NDArray[np.intp]
    inside: npt.NDArray[np.bool_]


def has_raster(grid: object) -> bool:
    """Whether a grid has cells in any order, and enough of them for a raster."""
    return isinstance(grid, CellGrid) and len(grid.shape) == 1 and grid.shape[0] >= FEWEST_CELLS


def cell_raster(grid: CellGrid) -> CellRaster:
    """The nearest cells of pixels that cover all cells of a grid in one dimension."""
    latitude, longitude, angles = computed(grid.latitude, grid.longitude, grid.solid_angles)
    counted = np.isfinite(latitude) if angles is None else np.isfinite(latitude) & (angles > 0.0)
    present = np.flatnonzero(counted)
    centres = unit_vectors(latitude[present], longitude[present])
    tree = cKDTree(centres)
    # The distances to the nearest neighbours give the sides of cells of unknown area. A sample gives the usual side.
    some = np.arange(0, present.size, -(-present.size // _SAMPLE_CELLS))
    sides = _spacings(tree, centres[some]) if angles is None else np.sqrt(angles[present])
    pixels = _pixels(extent_of(grid), math.degrees(float(np.median(sides))))
    places = unit_vectors(*np.meshgrid(pixels.latitude, pixels.longitude, indexing="ij"))
    # Chords are as long as arcs for the small distances that matter here.
    distance, found = map(np.asarray, tree.query(places.reshape(-1, 3), workers=1))
    if angles is None:
        inside = blocks_filled(latitude, longitude, counted) > 0 or _reached(tree, centres, distance, found, pixels)
    else:
        # Cells that fill the sphere leave no pixel outside. Long cells at poles reach farther than their area says.
        inside = angles.sum() > _WHOLE * 4.0 * np.pi or distance <= _REACH * sides[found]
    inside = np.broadcast_to(inside, distance.shape).reshape(pixels.shape)
    return CellRaster(pixels, present[found].reshape(pixels.shape), inside)


def _spacings(tree: cKDTree, centres: FloatArray) -> FloatArray:
    """Distances (n,) from the centres of cells to their third neighbours: about the sides of cells of a mesh."""
    number = min(_NEIGHBOURS + 1, tree.n)
    return np.asarray(tree.query(centres, k=[number], workers=1)[0])[:, 0]


def _reached(
    tree: cKDTree, centres: FloatArray, distance: FloatArray, found: npt.NDArray[np.intp], pixels: LatLonGrid
) -> npt.NDArray[np.bool_]:
    """Whether pixels lie in their nearest cells, whose areas are unknown; ``distance`` and ``found`` are flat."""
    # Most pixels of dense cells are closer to the centre than to the next pixel: no neighbours need be searched.
    inside = distance <= math.radians(float(np.diff(pixels.latitude_edges[0])[0]))
    cells, number = np.unique(found[~inside], return_inverse=True)
    inside[~inside] = distance[~inside] <= _REACH * _spacings(tree, centres[cells])[number]
    return inside


def _pixels(extent: Extent, side: float) -> LatLonGrid:
    """Pixels over an extent and half a cell around it; all around the Earth if little of the circle is missing."""
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
