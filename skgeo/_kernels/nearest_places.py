"""Kernel: the place whose embedding is nearest to a given one, searched over the whole sphere."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from skgeo._kernels.sphere import degrees_of_vectors, fibonacci_lattice, unit_vectors
from skgeo._kernels.threads import row_blocks
from skgeo._typing import FloatArray, Integers

#: A function from places (n, 2) in degrees to their embeddings (n, k).
Embed = Callable[[FloatArray], FloatArray]

# The search uses a lattice of 60 cells times the square of the degree: a cell is a seventh of the shortest wave wide.
# The distance in radians from any place to the next centre is at most 2.75 over the square root of their number.
_CELLS_PER_SQUARED_DEGREE, _CELL_RADIUS_FACTOR = 60, 2.75
# Number of values in a block, and number of rows of embeddings that are searched together.
_SEARCH_VALUES, _SEARCH_ROWS = 2**21, 1024
# Largest number of cells that are searched for a row. More cells are equally near only if a whole line of places has
# the same embedding.
_MAX_CELLS_PER_ROW = 64
# Half the step of central differences, in radians.
_DIFFERENCE_RADIANS = 1e-5
_MAX_STEPS = 40
# Levenberg-Marquardt damping relative to the trace of J J^T, and an absolute floor. They keep the normal equations
# regular where the embedding varies along one line only, or where the clip makes it constant.
_MIN_RELATIVE_DAMPING, _MIN_DAMPING = 1e-12, 1e-150
# Shorter steps, in radians, are rounding: the search of the row ends.
_MIN_STEP_RADIANS = 1e-13
# Two places are different if their distance in radians exceeds the second number, and their embeddings are different
# if the distance of these exceeds the first number times their size.
_SAME_EMBEDDING_RELATIVE, SAME_PLACE_RADIANS = 1e-9, 1e-6
# If a slope of the embedding is a smaller share of its size, the place is undetermined in that direction.
_MIN_RELATIVE_SLOPE = 1e-6


def nearest_places(embed: Embed, targets: FloatArray, max_degree: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Places (n, 2) whose embeddings are nearest to targets (n, k), and whether others are equally near."""
    vectors = unit_vectors(*fibonacci_lattice(max(200, _CELLS_PER_SQUARED_DEGREE * max_degree**2)).T)
    places, uncertain = np.empty((len(targets), 2)), np.empty(len(targets), dtype=bool)
    for rows in row_blocks(len(targets), budget=_SEARCH_ROWS):
        part = targets[rows]
        row, cell = _candidates(embed, part, vectors)
        blocks = row_blocks(row.size, 8 * part.shape[1], _SEARCH_VALUES)
        ends = [_refined(embed, part[row[block]], vectors[cell[block]]) for block in blocks]
        found = [np.concatenate(values) for values in zip(*ends, strict=True)]
        places[rows], uncertain[rows] = _best(embed, row, *found)
    return places, uncertain


def _candidates(embed: Embed, targets: FloatArray, vectors: FloatArray) -> tuple[Integers, Integers]:
    """Pairs of a row and a lattice cell that may contain the nearest place; rows ascend, and every row has a cell.

    In each cell the embedding is linear up to a remainder, which second differences estimate. The smallest distance of
    the linear part bounds the distance of all places in the cell from below. With the remainder added, it bounds the
    distance of the nearest place from above.
    """
    reach = float(np.tan(_CELL_RADIUS_FACTOR / np.sqrt(len(vectors))))
    nearest, kept = np.full(len(targets), np.inf), []
    for block in row_blocks(len(vectors), max(8 * targets.shape[1], len(targets)), _SEARCH_VALUES):
        distance, bend = _distances_to_cells(embed, targets, vectors[block], reach)
        nearest = np.minimum(nearest, (distance + bend).min(axis=1))
        row, cell = np.nonzero(distance - bend / 2.0 <= nearest[:, np.newaxis])
        kept.append((row, cell + block.start, distance[row, cell], bend[cell]))
    # The upper bounds of later blocks may exclude cells of earlier blocks: select once more, the nearest cells first.
    row, cell, distances, bends = (np.concatenate(values) for values in zip(*kept, strict=True))
    order = np.lexsort((distances, row))
    order = order[(distances - bends / 2.0 <= nearest[row])[order]]
    rank = np.arange(order.size) - np.searchsorted(row[order], row[order])
    order = order[rank < _MAX_CELLS_PER_ROW]
    return row[order], cell[order]


def _distances_to_cells(
    embed: Embed, targets: FloatArray, centres: FloatArray, reach: float
) -> tuple[FloatArray, FloatArray]:
    """Smallest distances (n, c) from targets to the linear embeddings of cells, and the remainders (c,)."""
    values = embed(degrees_of_vectors(centres))
    _, ahead, behind = _steps(embed, centres, reach)
    bend = np.linalg.norm(ahead + behind - 2.0 * values[:, np.newaxis], axis=2).sum(axis=1)
    slopes = (ahead - behind) / 2.0  # change of the embedding along a step of ``reach``
    # Along the principal axes of the slopes the two steps are independent: each is the least-squares step, cut at the
    # edge of the cell.
    strength, turn = np.linalg.eigh(slopes @ slopes.transpose(0, 2, 1))
    square = np.square(values).sum(axis=1) - 2.0 * targets @ values.T + np.square(targets).sum(axis=1)[:, np.newaxis]
    for axis in range(2):
        along = np.einsum("ci,cik->ck", turn[:, :, axis], slopes)
        right = targets @ along.T - np.einsum("ck,ck->c", values, along)
        power = np.maximum(strength[:, axis], np.finfo(np.float64).tiny)
        with np.errstate(over="ignore"):  # where the embedding hardly changes, the step overflows to the edge
            step = np.clip(right / power, -1.0, 1.0)
        square -= step * (2.0 * right - power * step)
    return np.sqrt(np.maximum(square, 0.0)), bend


def _refined(embed: Embed, targets: FloatArray, vectors: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unit vectors of the smallest distance, its square, and the smallest slope of the embedding there.

    The function takes Levenberg-Marquardt steps in the tangent plane for all rows at once. Slopes are central
    differences.
    """
    vectors = vectors.copy()
    residual = targets - embed(degrees_of_vectors(vectors))
    error = np.square(residual).sum(axis=1)
    damping = np.full(len(targets), 1e-3)
    active = np.arange(len(targets))
    for _ in range(_MAX_STEPS):
        if not active.size:
            break
        here = vectors[active]
        frame, slopes = _slopes(embed, here)
        normal = slopes @ slopes.transpose(0, 2, 1)
        trace = np.trace(normal, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
        normal += (damping[active, np.newaxis, np.newaxis] * trace + _MIN_DAMPING) * np.eye(2)
        right = np.einsum("nik,nk->ni", slopes, residual[active])
        step = np.linalg.solve(normal, right[:, :, np.newaxis])[:, :, 0]
        moved = _moved(here, frame, step)
        left = targets[active] - embed(degrees_of_vectors(moved))
        after = np.square(left).sum(axis=1)
        better = after < error[active]
        rows = active[better]
        vectors[rows], residual[rows], error[rows] = moved[better], left[better], after[better]
        damping[active] = np.clip(
            np.where(better, damping[active] / 10.0, damping[active] * 10.0), _MIN_RELATIVE_DAMPING, 1e8
        )
        active = active[(np.linalg.norm(step, axis=1) > _MIN_STEP_RADIANS) & (damping[active] < 1e8)]
    _, slopes = _slopes(embed, vectors)
    least: FloatArray = np.linalg.svd(slopes, compute_uv=False)[:, -1].astype(np.float64)
    return vectors, error, least


def _best(
    embed: Embed, row: Integers, vectors: FloatArray, errors: FloatArray, slopes: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The nearest place of each row, and whether another is equally near or the embedding is flat in a direction."""
    order = np.lexsort((errors, row))
    best = order[np.diff(row[order], prepend=-1) > 0]
    chosen, distances = vectors[best], np.sqrt(errors)
    size = np.linalg.norm(embed(degrees_of_vectors(chosen)), axis=1)
    uncertain = slopes[best] <= _MIN_RELATIVE_SLOPE * size
    margin = _SAME_EMBEDDING_RELATIVE * (distances[best] + size)
    tie = distances <= (distances[best] + margin)[row]
    # Near the nearest place a nonzero distance grows with the square of the step: within ``blur`` it is the same place.
    blur = 10.0 * np.sqrt(margin * distances[best]) / np.maximum(slopes[best], _MIN_RELATIVE_SLOPE * size)
    elsewhere = np.linalg.norm(vectors - chosen[row], axis=1) > (SAME_PLACE_RADIANS + blur)[row]
    uncertain[row[tie & elsewhere]] = True
    return degrees_of_vectors(chosen), uncertain


def _slopes(embed: Embed, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two tangents (n, 2, 3) at unit vectors, and the derivatives (n, 2, k) of the embedding along them."""
    frame, ahead, behind = _steps(embed, vectors, _DIFFERENCE_RADIANS)
    return frame, (ahead - behind) / (2.0 * np.arctan(_DIFFERENCE_RADIANS))


def _steps(embed: Embed, vectors: FloatArray, step: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Two tangents (n, 2, 3) at unit vectors, and the embeddings (n, 2, k) a step ahead and behind along them."""
    axis = np.eye(3)[np.abs(vectors).argmin(axis=1)]
    first = np.cross(vectors, axis)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    frame = np.stack([first, np.cross(vectors, first)], axis=1)
    places = vectors[:, np.newaxis, np.newaxis] + step * np.stack([frame, -frame], axis=1)
    values = embed(degrees_of_vectors(places.reshape(-1, 3)))
    ahead, behind = values.reshape(*places.shape[:3], -1).swapaxes(0, 1)
    return frame, ahead, behind


def _moved(vectors: FloatArray, frame: FloatArray, step: FloatArray) -> FloatArray:
    """Unit vectors after a step along a great circle, of at most a tenth of a radian."""
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step = step * np.minimum(1.0, 0.1 / np.maximum(length, np.finfo(np.float64).tiny))
    moved = vectors + np.einsum("ni,nij->nj", step, frame)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
