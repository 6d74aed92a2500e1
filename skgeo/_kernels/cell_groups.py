"""Kernel: groups of cells as rows of positions, and middles and extents of groups from the areas of their cells."""

import numpy as np

from skgeo._kernels.sphere import degrees_of_vectors, unit_vectors
from skgeo._typing import FloatArray, Integers

# Number of groups in a block: the vectors of their cells take some megabytes.
_GROUP_CELLS = 2**17


def members_of(labels: Integers) -> tuple[Integers, Integers]:
    """Positions (n, k) of the cells of each label in ascending order, -1 where a label has fewer; and the labels (n,).

    Negative labels are no groups.
    """
    order = np.argsort(labels, kind="stable")
    order = order[np.searchsorted(labels[order], 0) :]
    known, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    members = np.full((known.size, int(counts.max(initial=0))), -1, dtype=np.intp)
    slot = np.arange(order.size) - np.repeat(starts, counts)
    members[np.repeat(np.arange(known.size), counts), slot] = order
    return members, known


def members_in_slots(groups: Integers, slots: Integers, n_slots: int) -> tuple[Integers, Integers] | None:
    """As :func:`members_of`, with the slot (n_cells,) of each cell in its group; None if two cells share a slot."""
    known, row = np.unique(groups[groups >= 0], return_inverse=True)
    cells = np.flatnonzero(groups >= 0)
    members = np.full((known.size, n_slots), -1, dtype=np.intp)
    members[row, slots[cells]] = cells
    return (members, known) if np.count_nonzero(members >= 0) == cells.size else None


def row_major(children: Integers, n_bits: int) -> Integers:
    """Slots of the children of a HEALPix pixel, in rows and columns of a square, from their numbers in nested order.

    The number of a child has the bits of its column and of its row in turn.
    """
    row, column = np.zeros_like(children), np.zeros_like(children)
    for bit in range(n_bits):
        column |= ((children >> (2 * bit)) & 1) << bit
        row |= ((children >> (2 * bit + 1)) & 1) << bit
    return (row << n_bits) + column


def group_middles(latitude: FloatArray, longitude: FloatArray, areas: FloatArray) -> FloatArray:
    """Latitude and longitude (n, 2) in degrees of the centroids of groups (n, k), weighted by areas; NaN is missing."""
    middles = np.empty((len(areas), 2))
    for start in range(0, len(areas), max(1, _GROUP_CELLS // areas.shape[1])):
        part = slice(start, start + max(1, _GROUP_CELLS // areas.shape[1]))
        vectors = np.nan_to_num(unit_vectors(latitude[part], longitude[part]))
        middles[part] = degrees_of_vectors(np.einsum("nk,nki->ni", np.nan_to_num(areas[part]), vectors))
    return middles


def group_extents(
    latitude: FloatArray, longitude: FloatArray, areas: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Extents eastward and northward at the middle, and area, on the unit sphere, of groups of cells (n, k).

    ``areas`` are those of the cells on the unit sphere. An extent is that of the rectangle with the same variance: the
    variance of the azimuthal equidistant coordinates of the centres about the middle, plus the variance within a square
    cell, a twelfth of its area. For a rectangle of square cells the extent is its side.
    """
    found = [np.empty(len(areas)) for _ in range(3)]
    middles = group_middles(latitude, longitude, areas)
    for start in range(0, len(areas), max(1, _GROUP_CELLS // areas.shape[1])):
        part = slice(start, start + max(1, _GROUP_CELLS // areas.shape[1]))
        weight = np.where(np.isfinite(latitude[part]), np.nan_to_num(areas[part]), 0.0)
        total = weight.sum(axis=1)
        share = weight / np.where(total > 0.0, total, 1.0)[:, np.newaxis]
        within = np.sum(share * weight, axis=1) / 12.0
        for out, along in zip(found, equidistant(latitude[part], longitude[part], middles[part]), strict=False):
            along = np.nan_to_num(along)
            mean = np.sum(share * along, axis=1)
            variance = np.sum(share * (along - mean[:, np.newaxis]) ** 2, axis=1)
            out[part] = np.sqrt(12.0 * (variance + within))
        found[2][part] = total
    return found[0], found[1], found[2]


def equidistant(latitude: FloatArray, longitude: FloatArray, middles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eastward and northward azimuthal equidistant coordinates (n, k) of places about middles (n, 2), in radians."""
    places = unit_vectors(latitude, longitude)
    centre = unit_vectors(middles[:, 0], middles[:, 1])
    turn, up = np.radians(middles[:, 1]), np.radians(middles[:, 0])
    east = np.stack([-np.sin(turn), np.cos(turn), np.zeros_like(turn)], axis=-1)
    north = np.stack([-np.sin(up) * np.cos(turn), -np.sin(up) * np.sin(turn), np.cos(up)], axis=-1)
    x, y, z = (np.einsum("nki,ni->nk", places, axis) for axis in (east, north, centre))
    flat = np.hypot(x, y)
    angle = np.arctan2(flat, z)
    scale = np.divide(angle, flat, out=np.ones_like(flat), where=flat > 0.0)
    return x * scale, y * scale
