"""Areas of cells from their corners, and error messages that name the probable reason of wrong corners."""

import math
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from skgeo._input.coordinates import POLE, as_numbers_with_nan, check_longitude, within_usual
from skgeo._input.numbers import format_number
from skgeo._kernels.cell_corners import CROSSED, FAR, FLAT, OUTSIDE, SORTED, States, cell_polygons
from skgeo._kernels.sphere import unit_vectors
from skgeo._kernels.threads import row_blocks
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateError

#: The share in [0, 1] of each cell that belongs to the domain, or None for whole cells.
Mask = npt.NDArray[Any] | None

# Number of corners in a block: 2 MB for latitudes and 2 MB for longitudes.
_BLOCK_VALUES = 2**18
# Largest number of wrong cells that are examined to find the reason.
_SAMPLE = 200
# A change of units or order is the reason if it makes more than this share of the examined cells good. The change must
# also make the cells smaller than this share of their size: a wrong unit makes cells larger.
_NEARLY_ALL = 0.9
# The fault of the corners in each state of the kernel, and its cure.
_FAULTS = {
    FAR: (
        "one is far from the others",
        "Is it a fill value that is not marked as missing? Give NaN, or the last corner again, where a cell has fewer",
    ),
    CROSSED: (
        "they are not in order around a cell that is not convex",
        "Give them in order around the cell",
    ),
    FLAT: ("they enclose no area", "Mask these cells, mask=, or correct their corners"),
    OUTSIDE: ("they do not enclose the centre", "Do they belong to other cells, or are they in another unit"),
}


def cells_inside(latitude: FloatArray, mask: Mask) -> npt.NDArray[np.bool_]:
    """Whether each cell has a centre and a part in the domain."""
    present = ~np.isnan(latitude)
    return present if mask is None else present & (mask > 0)


def format_cell(positions: npt.NDArray[np.intp], shape: tuple[int, ...]) -> str:
    """The first of the positions, which are in C order, as the text of an index."""
    index = [int(i) for i in np.unravel_index(positions[0], shape)]
    return str(tuple(index)) if len(index) > 1 else str(index[0])


def format_place(latitude: FloatArray, longitude: FloatArray, position: int) -> str:
    """The latitude and longitude at a position in C order, in words."""
    return f"latitude {format_number(latitude.flat[position])}, longitude {format_number(longitude.flat[position])}"


def angles_of_blocks(latitude: FloatArray, longitude: FloatArray, *arrays: npt.NDArray[Any]) -> FloatArray:
    """Solid angles of a block of cells; ``arrays`` are the latitudes and longitudes of corners, and the mask if any."""
    return checked_polygons(latitude, longitude, arrays[0], arrays[1], *arrays[2:])[0]


def checked_polygons(
    latitude: FloatArray, longitude: FloatArray, corner_latitude: Any, corner_longitude: Any, mask: Mask = None
) -> tuple[FloatArray, States]:
    """Solid angles of cells with these vertices, and their states; refused if a cell in the domain has wrong vertices.

    Corners (..., k) are arrays, or anything that has a shape and gives arrays for slices and positions of cells. Cells
    outside the domain with wrong vertices have the area zero.
    """
    corners = (corner_latitude, corner_longitude)
    areas, states = np.empty(latitude.shape), np.empty(latitude.shape, dtype=np.uint8)
    # Blocks of rows are converted and checked one after the other: a copy of all corners would take 64 bytes a cell.
    blocks = row_blocks(latitude.shape[0], math.prod(corner_latitude.shape[1:]), _BLOCK_VALUES)
    n_beyond, example, unusual = 0, 0.0, False
    for rows in blocks:
        north, east = (_numbers(axis, rows) for axis in corners)
        beyond = np.flatnonzero(np.abs(north) > POLE)
        example = float(north.flat[beyond[0]]) if beyond.size and not n_beyond else example
        n_beyond += beyond.size
        unusual |= not within_usual(east)
        if not n_beyond:
            areas[rows], states[rows] = cell_polygons(latitude[rows], longitude[rows], north.clip(-90.0, 90.0), east)
    if n_beyond:
        raise CoordinateError(
            f"vertices have latitudes outside [-90, 90] degrees, {n_beyond} of them: {format_number(example)}. "
            "Latitudes come first. Swapped, projected, or a fill value that is not marked as missing?"
        )
    if unusual:
        check_longitude(_numbers(corner_longitude, slice(None)), "vertices=")
    # The numbers of the states from FAR on are errors.
    wrong = states >= FAR
    if not wrong.any():
        return areas, states
    faulty = np.flatnonzero(wrong & cells_inside(latitude, mask))
    if faulty.size:
        _refuse_vertices(states, faulty, latitude, longitude, *corners)
    return np.where(wrong, 0.0, areas), states


def _numbers(corners: Any, rows: Any) -> FloatArray:
    """The corners of some rows of cells in float64, NaN where they are missing."""
    return as_numbers_with_nan(corners[rows], "vertices").astype(np.float64, copy=False)


def _corners_at(corners: Any, cells: npt.NDArray[np.intp]) -> FloatArray:
    """The corners (m, k) of cells at positions in C order."""
    index = np.unravel_index(cells, corners.shape[:-1])
    return _numbers(corners, index if len(index) > 1 else index[0])


def _refuse_vertices(
    states: States, faulty: npt.NDArray[np.intp], latitude: FloatArray, longitude: FloatArray, *corners: Any
) -> NoReturn:
    """Raise CoordinateError with the most frequent fault of the faulty cells, and its reason if this is plain."""
    counts = np.bincount(states.flat[faulty], minlength=OUTSIDE + 1)
    state = np.argmax(counts)
    cells = faulty[states.flat[faulty] == state]
    first, shape = int(cells[0]), states.shape
    # The farthest corner of the first cell shows a fill value or a wrong unit at a glance.
    around = [_corners_at(axis, cells[:1])[0] for axis in corners]
    distances = _degrees_apart(latitude.flat[first], longitude.flat[first], *around)
    corner = int(np.nanargmax(distances))
    what, cure = _FAULTS[np.uint8(state)]
    cells_wrong = f"{cells.size} cells are wrong" if cells.size > 1 else "1 cell are wrong"
    reason = _explanation(faulty, latitude, longitude, *corners)
    raise CoordinateError(
        f"vertices of {cells_wrong}, the first at {format_cell(cells, shape)}: {what}. Its centre is "
        f"{format_place(latitude, longitude, first)}; its farthest corner, {distances[corner]:.3g} degrees from there, "
        f"is {format_place(around[0], around[1], corner)}. {reason or cure + ('?' if state == OUTSIDE else '.')}"
    )


def _degrees_apart(latitude: Any, longitude: Any, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray:
    """Great-circle distances in degrees between points."""
    chord = np.linalg.norm(unit_vectors(latitudes, longitudes) - unit_vectors(latitude, longitude), axis=-1)
    return np.degrees(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)))


def _explanation(faulty: npt.NDArray[np.intp], *arrays: Any) -> str:
    """The change of units or order, in words, that makes most of a sample of faulty cells good; empty if none does."""
    # The sample is spread evenly over the faulty cells.
    sample = faulty[:: -(-faulty.size // _SAMPLE)]
    latitude, longitude = (axis.ravel()[sample] for axis in arrays[:2])
    corners = [_corners_at(axis, sample) for axis in arrays[2:]]
    size = _sizes(latitude, longitude, *corners)
    # A change that puts latitudes beyond a pole is no explanation.
    for reason, (one, other), around in _suspicions(latitude, longitude, *corners):
        if max(np.nanmax(np.abs(one)), np.nanmax(np.abs(around[0]), initial=0.0)) <= POLE:
            states = cell_polygons(one, other, *around)[1]
            good = np.count_nonzero(states <= SORTED) > _NEARLY_ALL * sample.size
            if good and np.median(_sizes(one, other, *around)) < _NEARLY_ALL * np.median(size):
                return reason
    return ""


def _sizes(latitude: FloatArray, longitude: FloatArray, *corners: FloatArray) -> FloatArray:
    """Distance in degrees from the centre of each cell (n,) to its farthest corner."""
    return np.nanmax(_degrees_apart(latitude[:, np.newaxis], longitude[:, np.newaxis], *corners), axis=-1)


def _suspicions(
    latitude: FloatArray, longitude: FloatArray, *corners: FloatArray
) -> Iterator[tuple[str, tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]]:
    """Yield possible errors in words, with the centres and the vertices that are right if the suspicion is true."""
    centres, around = (latitude, longitude), (corners[0], corners[1])
    degrees = np.degrees(corners[0]), np.degrees(corners[1])
    cure = "Degrees are expected: vertices=(np.degrees(latitudes), np.degrees(longitudes))."
    yield f"The vertices are in radians, the centres in degrees. {cure}", centres, degrees
    yield f"The latitudes of the vertices are in radians. {cure}", centres, (degrees[0], around[1])
    yield f"The longitudes of the vertices are in radians. {cure}", centres, (around[0], degrees[1])
    turned = np.degrees(latitude), np.degrees(longitude)
    yield "The centres are in radians, the vertices in degrees. Degrees are expected: np.degrees(.).", turned, around
    yield "The vertices are swapped: latitudes come first.", centres, (around[1], around[0])
