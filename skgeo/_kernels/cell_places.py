"""Kernel: cells at one place and cells far from their neighbours, to find fill values and cells that repeat."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from skgeo._kernels.equal_area import band_counts, block_of
from skgeo._kernels.sphere import band_heights, unit_vectors
from skgeo._typing import Bools, FloatArray, Integers

# Degrees: places closer than this, a tenth of a millimetre, are the same place.
_SAME_PLACE = 1e-9
# Degrees: cells closer to a pole than this lie at the pole.
AT_POLE = 1e-6
# A place with 8 times as many cells as other places have is a fill value.
_PILE = 8.0
#: A file holds a cell at most 4 times: at the corner of two halos.
MOST_COPIES = 4
# A cell that is 20 times as far from its neighbours as the neighbours are from theirs lies elsewhere.
_ELSEWHERE = 20.0
# Only cells with 50 times the usual area are examined: the comparison of areas is quick.
_LARGE = 50.0
# Areas of a cell and of its copy agree to this share.
_SAME_AREA = 1e-6
# Number of cells whose neighbours are searched for, to compare areas with distances.
_SAMPLE_CELLS = 500
# An odd number: products with it fill 64 bits.
_MIX = np.int64(-7046029254386353131)
# Fewest and most equal-area blocks that show whether cells fill the sphere, and mean number of cells in a block.
_FEWEST_BLOCKS, _MOST_BLOCKS, _CELLS_PER_BLOCK = 50, 3000, 8
# Number of cells in a block, whose arrays stay in the cache.
_CELLS = 2**16


class Shared(NamedTuple):
    """Cells at the place of another cell: their positions (k,), ascending, and the numbers (k,) of their places."""

    cell: Integers
    place: Integers
    usual: float  # cells at a place, on average over all places


def shared_places(latitude: FloatArray, longitude: FloatArray) -> Shared:
    """Cells, by their position in C order, that are at the place of another one; none that are missing or at a pole."""
    keys, present = _keys(latitude.ravel(), longitude.ravel())
    ordered = np.sort(keys)
    again = ordered[1:] == ordered[:-1]
    if not again.any():
        return Shared(np.empty(0, np.intp), np.empty(0, np.intp), 1.0)
    n_distinct = ordered.size - int(np.count_nonzero(again))
    places = np.unique(ordered[1:][again])
    found = np.minimum(np.searchsorted(places, keys), places.size - 1)
    shared = places[found] == keys
    return Shared(present[shared], found[shared], ordered.size / n_distinct)


def _keys(latitude: FloatArray, longitude: FloatArray) -> tuple[npt.NDArray[np.int64], Integers]:
    """A number of each place that is neither missing nor a pole, the same for the same place, and its position."""
    keys, present = np.empty(latitude.size, dtype=np.int64), np.empty(latitude.size, dtype=bool)
    turn = np.int64(round(360.0 / _SAME_PLACE))
    for start in range(0, latitude.size, _CELLS):
        part = slice(start, start + _CELLS)
        present[part] = np.abs(latitude[part]) < 90.0 - AT_POLE  # False for NaN
        row, column = (
            np.rint(np.where(present[part], axis[part], 0.0) / _SAME_PLACE).astype(np.int64)
            for axis in (latitude, longitude)
        )
        if column.min() < 0 or column.max() >= turn:
            column %= turn
        row *= _MIX
        np.add(row, column, out=keys[part])
    if present.all():
        return keys, np.arange(keys.size)
    return keys[present], np.flatnonzero(present)


def piled(shared: Shared, latitude: FloatArray, longitude: FloatArray, counted: Bools) -> tuple[Integers, Integers]:
    """Positions of cells at the place of a fill value, which has many more cells than other places have.

    The first array has the counted cells that share the place with another counted cell, the second array has the
    cells that are not counted.
    """
    if not shared.cell.size:
        return shared.cell, shared.cell
    counts = np.bincount(shared.place)
    zero = (latitude.flat[shared.cell] == 0.0) & (longitude.flat[shared.cell] == 0.0)
    many = counts[shared.place] > _PILE * shared.usual
    many |= zero & ((counts.size == 1) | (counts[shared.place] > MOST_COPIES))
    inside = counted.flat[shared.cell]
    together = np.bincount(shared.place[inside], minlength=counts.size)[shared.place] > 1
    return shared.cell[many & inside & together], shared.cell[many & ~inside]


def copies(shared: Shared, weight: FloatArray, *, beside: bool) -> Integers:
    """Positions of cells of positive weight at the place of an earlier cell.

    With ``beside``, cells next to the earlier cell in its row or column are left out: they share its area from
    neighbours. Without ``beside``, only cells of the same area count: cells of other areas are parts of a cell, such as
    the tiles of a land model.
    """
    weights = weight.ravel()[shared.cell]
    kept = weights > 0.0
    cell, place, weights = shared.cell[kept], shared.place[kept], weights[kept]
    order = np.lexsort((cell, place)) if beside else np.lexsort((cell, weights, place))
    cell, place, weights = cell[order], place[order], weights[order]
    again = place[1:] == place[:-1]
    if beside:
        step = np.diff(cell)
        again &= (step != 1) & (step != weight.shape[-1])
    else:
        again &= np.diff(weights) <= _SAME_AREA * weights[1:]
    return np.sort(cell[1:][again])


def elsewhere(latitude: FloatArray, longitude: FloatArray, area: FloatArray) -> Integers:
    """Positions of cells that are far from all their neighbours, while these are close to their own neighbours.

    The cells have rows and columns; ``area`` holds their areas from neighbours.
    """
    known = area[area > 0.0]
    if known.size == 0 or not (area > _LARGE * np.median(known)).any():
        return np.empty(0, np.intp)
    nearest = _nearest_neighbours(latitude, longitude)
    padded = np.pad(nearest, 1, constant_values=np.nan)
    around = np.stack([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    farthest = np.fmax.reduce(around, axis=0)
    return np.flatnonzero((area > _LARGE * np.median(known)) & (nearest > _ELSEWHERE * farthest))


def _nearest_neighbours(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    """Chord to the nearest of the four neighbours of each cell; NaN where there is none."""
    points = unit_vectors(latitude, longitude)
    nearest = np.full(latitude.shape, np.nan)
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        distance = np.linalg.norm(points[one] - points[other], axis=-1)
        for side in (one, other):
            nearest[side] = np.fmin(nearest[side], distance)
    return nearest


def polar_piles(latitude: FloatArray, weight: FloatArray) -> list[tuple[float, Integers]]:
    """Latitudes of poles whose cells are larger than the cap up to the nearest other cell, and their positions."""
    found = []
    polar = np.flatnonzero(np.abs(latitude) >= 90.0 - AT_POLE)
    polar = polar[weight.flat[polar] > 0.0]
    for pole in (90.0, -90.0):
        cells = polar[latitude.flat[polar] * pole > 0.0]
        if cells.size < 2:
            continue
        distance = np.abs(pole - latitude)
        nearest = np.radians(distance.min(initial=180.0, where=(distance > AT_POLE) & (weight > 0.0)))
        if weight.flat[cells].sum() > 4.0 * np.pi * np.sin(nearest / 2.0) ** 2:
            found.append((pole, cells))
    return found


def area_shares(
    latitude: FloatArray, longitude: FloatArray, area: FloatArray, usual: tuple[float, float]
) -> FloatArray | None:
    """Areas of a sample of cells (k,) with an area, as shares of the squared chord to the nearest other centre.

    None if the sum of all areas is a ``usual`` share, between two numbers, of the box around these cells: this test
    takes no search. None also if no cell has another cell beside it.
    """
    counted = np.flatnonzero(area.ravel() > 0.0)
    present = np.flatnonzero(~np.isnan(latitude.ravel()))
    if not counted.size or present.size < 2:
        return None
    north, east = latitude.flat[counted], longitude.flat[counted]
    box = float(band_heights(north.min(), north.max())) * np.radians(min(float(np.ptp(east)), 360.0))
    if usual[0] * box < area.sum() < usual[1] * box:
        return None
    sample = counted[:: -(-counted.size // _SAMPLE_CELLS)]
    tree = cKDTree(unit_vectors(latitude.flat[present], longitude.flat[present]))
    # Cells may share a place: of several neighbours the nearest one at another place counts.
    neighbours = min(MOST_COPIES + 1, present.size)
    distances = tree.query(unit_vectors(latitude.flat[sample], longitude.flat[sample]), k=neighbours)[0]
    nearest = np.where(distances > np.radians(_SAME_PLACE), distances, np.inf).min(axis=1)
    known = np.isfinite(nearest)
    return area.flat[sample[known]] / nearest[known] ** 2 if known.any() else None


def blocks_filled(latitude: FloatArray, longitude: FloatArray, counted: Bools) -> int:
    """The number of blocks of equal area that cover the sphere, if each has the centre of a counted cell; else zero.

    The number grows with that of the cells, and a block holds 8 cells in the mean: a gap as large as a few blocks is
    therefore found. Fewer than 400 cells cannot show whether they fill the sphere.
    """
    n_blocks = min(_MOST_BLOCKS, latitude.size // _CELLS_PER_BLOCK)
    if n_blocks < _FEWEST_BLOCKS:
        return 0
    # The first and last blocks are caps at the poles, which cells of a region or of the sea alone do not reach.
    cap = 2.0 * np.degrees(np.arcsin(np.sqrt(1.0 / n_blocks)))
    reach = [extreme(latitude, initial=0.0, where=counted) for extreme in (np.min, np.max)]
    if reach[0] > cap - 90.0 or reach[1] < 90.0 - cap:
        return 0
    counts = band_counts(n_blocks)
    filled = np.zeros(n_blocks, dtype=bool)
    north, east, chosen = latitude.ravel(), longitude.ravel(), counted.ravel()
    for start in range(0, north.size, _CELLS):
        part = slice(start, start + _CELLS)
        filled[block_of(unit_vectors(north[part][chosen[part]], east[part][chosen[part]]), counts)] = True
    return n_blocks if filled.all() else 0


def inside_shares(areas: npt.NDArray[Any], inside: npt.NDArray[Any]) -> FloatArray:
    """Shares of the area of windows (n, h, w) that are inside; missing pixels count as outside, with the mean area."""
    count = areas.shape[1] * areas.shape[2]
    present = np.count_nonzero(areas, axis=(1, 2))
    whole = areas.sum(axis=(1, 2)) * count / np.maximum(present, 1)
    return np.divide(inside.sum(axis=(1, 2)), whole, out=np.zeros(len(areas)), where=whole > 0.0)
