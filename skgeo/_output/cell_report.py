"""The lines of the report on cells anywhere on the sphere."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._input.area_check import NEIGHBOURS, NOTHING, largest_share, wrong_sum
from skgeo._input.chunks import computed
from skgeo._kernels.cell_places import copies, polar_piles, shared_places
from skgeo._kernels.sphere import cell_areas
from skgeo._output.grid_report import Check, area_checks, count_check, source_checks
from skgeo._typing import FloatArray

# Largest ratio of the area of a cell to the room up to its neighbours. A cell with a larger ratio overlaps with them.
_OVERLAPPING = 2.0
# Share of all cells. More overlapping cells than this are a problem, fewer are exceptions.
_MANY = 0.01


def cell_checks(cells: Any) -> tuple[Check, ...]:
    """The lines of the report on a CellGrid; chunked arrays are computed."""
    latitude, longitude, mask, angles = computed(cells.latitude, cells.longitude, cells.mask, cells.solid_angles)
    source, in_order = cells._sources["areas"], cells._put_in_order
    inside = np.isfinite(latitude) if mask is None else np.isfinite(latitude) & (mask > 0)
    weight = inside.astype(np.float64) if angles is None else np.where(inside, angles, 0.0)
    checks = []
    if angles is None:
        checks.append(Check("total_area", "unknown", problem=True, note="give areas= or vertices="))
    else:
        domain = float((weight if mask is None else weight * mask).sum())
        allowed = largest_share(latitude.shape, source) - 1.0
        total, part = area_checks(float(angles.sum()), domain, tolerance=allowed)
        reason = wrong_sum(latitude, longitude, angles, source)
        checks += [total._replace(problem=True, note=f"{total.note}: {reason}") if reason else total, part]
        checks.append(count_check("cells_without_area", inside & (angles == 0.0)))
    if in_order is not None:
        sorted_cells = _flags(in_order, latitude.shape)
        checks.append(count_check("corners_out_of_order", sorted_cells, note="they were put in order"))
    if angles is not None:
        checks.append(_overlapping(latitude, longitude, weight, source))
    # Copies overlap with their whole area. They have a line of their own: the cure is a mask.
    again = copies(shared_places(latitude, longitude), weight, beside=source in (NEIGHBOURS, NOTHING))
    checks.append(count_check("coincident_cells", _flags(again, latitude.shape), note="they count twice"))
    checks.append(count_check("missing_cells", np.isnan(latitude), problem=False))
    return (*checks, *source_checks(cells._sources))


def _flags(positions: npt.NDArray[np.intp], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """A mask of the cells at these positions in C order."""
    flags = np.zeros(shape, dtype=bool)
    flags.flat[positions] = True
    return flags


def _overlapping(latitude: FloatArray, longitude: FloatArray, weight: FloatArray, source: str) -> Check:
    """The line on cells larger than the room up to their neighbours, and on cells at a pole larger than its cap.

    The room around single cells is uncertain, for instance next to the poles of a tripolar grid: a few such cells are
    no problem.
    """
    flags = np.zeros(latitude.shape, dtype=bool)
    for _, cells in polar_piles(latitude, weight):
        flags.flat[cells] = True
    problem = bool(flags.any())
    # Areas from neighbours are the room itself, and cells in one dimension have no known neighbours.
    if latitude.ndim == 2 and source != NEIGHBOURS:
        room = cell_areas(latitude, longitude)
        large = (room > 0.0) & (weight > _OVERLAPPING * room)
        problem |= bool(np.count_nonzero(large) > _MANY * np.count_nonzero(weight))
        flags |= large
    note = f"larger than {_OVERLAPPING:g} times the room up to their neighbours, or than the cap at a pole"
    return count_check("overlapping_cells", flags, problem=problem, note=note)
