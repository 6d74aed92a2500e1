"""Kernel: centres of the polygons of a mesh, and areas of the dual cells around its nodes."""

import numpy as np

from skgeo._kernels.cell_corners import EMPTY, cell_polygons
from skgeo._kernels.sphere import degrees_of_vectors, unit_vectors
from skgeo._typing import FloatArray, Integers

# Number of polygons in a block: the vectors of their corners take some megabytes.
_POLYGONS = 2**15


def corners_of(nodes: FloatArray, connectivity: Integers) -> FloatArray:
    """Values (n, k) at the corners of polygons, from values at nodes; NaN where the connectivity is negative."""
    corners = np.take(nodes, np.maximum(connectivity, 0))
    corners[connectivity < 0] = np.nan
    return corners


def polygon_centres(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Latitude and longitude (n, 2) of the centroids of polygons with corners (n, k) in degrees; NaN if there are none.

    A polygon is a fan of triangles. Each triangle counts at the mean of its corners, with its area.
    """
    vectors = unit_vectors(latitude, longitude)
    first = vectors[:, :1]
    second, third = vectors[:, 1:-1], vectors[:, 2:]
    # The cross product is a normal of the triangle, twice as long as the area: its sign keeps hollow polygons right.
    normal = np.cross(second - first, third - first)
    middle = first + second + third
    known = np.isfinite(normal).all(axis=-1)
    weight = np.where(known, np.einsum("nki,nki->nk", normal, np.nan_to_num(middle)), 0.0)
    total = np.einsum("nk,nki->ni", weight, np.nan_to_num(middle))
    # Corners in clockwise order give negative areas: the centroid is on the side of the corners.
    total *= np.sign(np.sum(total * np.nan_to_num(vectors).sum(axis=1), axis=1, keepdims=True))
    absent = ~(np.linalg.norm(total, axis=1) > 0.0)
    total[absent] = np.nan
    return degrees_of_vectors(total)


def dual_areas(latitude: FloatArray, longitude: FloatArray, connectivity: Integers) -> FloatArray:
    """Areas (n_nodes,) on the unit sphere of the dual cells of a mesh with nodes in degrees.

    The dual cell of a node is bounded by the centroids of the polygons around it and the middles of their sides, as in
    finite-volume models. The dual cells of all nodes fill the same area as the polygons.
    """
    areas = np.zeros(latitude.size)
    for start in range(0, len(connectivity), _POLYGONS):
        _add_dual_areas(areas, latitude, longitude, connectivity[start : start + _POLYGONS])
    return areas


def _add_dual_areas(areas: FloatArray, latitude: FloatArray, longitude: FloatArray, connectivity: Integers) -> None:
    """Add the parts of a block of polygons to the areas of their nodes."""
    corners = [corners_of(axis, connectivity) for axis in (latitude, longitude)]
    centre = unit_vectors(*polygon_centres(*corners).T)
    vectors = unit_vectors(*corners)
    counts = np.count_nonzero(connectivity >= 0, axis=1)
    for i in range(connectivity.shape[1]):
        here = np.flatnonzero(i < counts)
        own = vectors[here, i]
        after, before = vectors[here, (i + 1) % counts[here]], vectors[here, (i - 1) % counts[here]]
        # The part of a polygon that belongs to a corner: corner, middle of the next side, centroid, middle of the last.
        around = np.stack([own, own + after, centre[here], own + before], axis=1)
        places = degrees_of_vectors(around)
        inside = degrees_of_vectors(around.mean(axis=1))
        part, states = cell_polygons(inside[:, 0], inside[:, 1], places[..., 0], places[..., 1])
        part[states == EMPTY] = 0.0
        np.add.at(areas, connectivity[here, i], part)
