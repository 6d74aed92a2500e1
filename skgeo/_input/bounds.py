"""Read the edges of the cells of an axis from the bounds that files have (CF conventions, section 7.1)."""

from typing import NoReturn

import numpy as np
import numpy.typing as npt

from skgeo._input.coordinates import POLE, SINGLE_ROUNDING, THINNEST
from skgeo._input.numbers import check_numbers, format_number
from skgeo._kernels.axis_gaps import contiguous_blocks, first_step, value_spacing
from skgeo._kernels.sphere import latitude_edges, longitude_edges
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateError

# Two cells have a gap between them, where rows or columns were left out, if they are further apart than this share of
# the narrower cell. If they are closer and do not touch, the bounds are wrong. A gap between centres, a step over 1.5
# times the steps beside it, has the same size.
_GAP = 0.5
# Degrees that bring longitudes back to the convention in which they were rounded.
_SHIFTS = (180.0, -180.0, 360.0, -360.0)


def cell_edges(
    latitude: npt.NDArray[np.float64],
    longitude: npt.NDArray[np.float64],
    given_longitude: npt.NDArray[np.float64],
    latitude_bounds: npt.ArrayLike | None,
    longitude_bounds: npt.ArrayLike | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], bool]:
    """Return the edges of rows and of columns in degrees, and whether the columns close the circle.

    Edges are the bounds where bounds are given, else midpoints. ``longitude`` is unwrapped, ``given_longitude`` is not.
    """
    # Unwrapping adds turns, which hide the precision of the longitudes: the given longitudes show the precision.
    precision = [value_spacing(latitude), value_spacing(given_longitude)]
    axes = zip((latitude, longitude), precision, strict=True)
    spacings = [first_step(axis, spacing) for axis, spacing in axes if axis.size > 1]
    if not spacings and (latitude_bounds is None or longitude_bounds is None):
        raise CoordinateError(
            "latitude and longitude hold one value each: the size of a single cell is unknown. "
            "Give at least two values on one axis, or latitude_bounds and longitude_bounds."
        )
    # A single row is as high as the columns are wide, and a single column as wide as the rows are high.
    rows = latitude_edges(latitude, spacings[-1] if spacings else 0.0, precision[0])
    columns, closed = longitude_edges(longitude, spacings[0] if spacings else 0.0, precision[1])
    if latitude_bounds is not None:
        rows = true_edges(check_bounds(latitude_bounds, latitude, "latitude"), rows, value_rounding(latitude_bounds))
    if longitude_bounds is not None:
        given = check_bounds(longitude_bounds, longitude, "longitude")
        columns = true_edges(given, columns, value_rounding(longitude_bounds))
        # Bounds close the circle if the outermost edges are a turn apart and no column between them is missing.
        closed = bool(np.ptp(columns) > 360.0 - 1e-9) and len(contiguous_blocks(columns)) == 1
    _check_extent("latitude", rows)
    _check_extent("longitude", columns)
    return rows, columns, closed


def _check_extent(name: str, edges: npt.NDArray[np.float64]) -> None:
    """Refuse an axis with cells no wider than rounding."""
    thin = np.flatnonzero(np.diff(edges, axis=1)[:, 0] <= THINNEST)
    if thin.size:
        low, high = map(format_number, edges[thin[0]])
        raise CoordinateError(
            f"{name} has {thin.size} cells without extent, the first at position {thin[0]}: its edges are {low} and "
            f"{high}, the same to rounding. Drop the values that repeat."
        )


def check_bounds(bounds: npt.ArrayLike, centres: FloatArray, name: str) -> FloatArray:
    """Return the edges (n, 2) of the cells of an axis from CF bounds, the lower edge first.

    ``centres`` are checked, and longitudes unwrapped. Neighbours share one edge, except beside a gap. Longitude edges
    are moved to their centres by whole turns. Outermost edges that meet are exactly 360 degrees apart.
    """
    edges = _bring_near(_read_bounds(bounds, centres.size, name), centres, name)
    rounding = edge_rounding(edges)
    # From here on the cells rise; the last line turns them back.
    low, high = edges[:: _direction(centres)].T
    apart, widths = low[1:] - high[:-1], high - low
    gaps = apart > np.maximum(_GAP * np.minimum(widths[:-1], widths[1:]), rounding)
    # If no two cells touch, the bounds are those of a finer axis, and the cells are refused below.
    if gaps.size > 1 and gaps.all():
        gaps[:] = False
    i = _first((np.abs(apart) > rounding) & ~gaps)
    if i is not None:
        word = "overlap" if apart[i] < 0.0 else "leave a gap"
        _refuse_bounds(
            name, f"{word} between {format_number(high[i])} and {format_number(low[i + 1])}: cells must touch"
        )
    i = _first((centres < edges[:, 0] - rounding) | (centres > edges[:, 1] + rounding))
    if i is not None:
        cell = f"{format_number(edges[i, 0])}..{format_number(edges[i, 1])}"
        _refuse_bounds(name, f"put the centre {format_number(centres[i])} at position {i} outside its cell {cell}")
    # Shared edges that differ by rounding become their mean.
    low[1:] = np.where(gaps, low[1:], (high[:-1] + low[1:]) / 2.0)
    high[:-1] = np.where(gaps, high[:-1], low[1:])
    if name == "longitude" and abs(high[-1] - low[0] - 360.0) <= rounding:
        high[-1] = low[0] + 360.0
    elif high[-1] - low[0] > 360.0:
        _refuse_bounds(name, f"go around more than once, from {format_number(low[0])} to {format_number(high[-1])}")
    return np.column_stack([low, high])[:: _direction(centres)]


def edge_rounding(edges: FloatArray) -> float:
    """Return how far edges in single precision may be off, in degrees: at most a tenth of the narrowest cell."""
    return min(SINGLE_ROUNDING, 0.1 * float(np.diff(edges, axis=1).min()))


def value_rounding(bounds: npt.ArrayLike) -> float:
    """Return how far bounds may be off by the rounding of their values, in degrees.

    The values decide, not the dtype: files in single precision are often read as float64.
    """
    values = np.array(bounds, dtype=np.float64)
    largest = float(np.abs(values).max())
    # After 180 or 360 was subtracted, values near zero are as coarse as values near 360: multiples of 2^-15, or 2^-16.
    if not (values * 2.0**16 % 1.0).any() or any(map(_is_single, (values + turn for turn in _SHIFTS))):
        return SINGLE_ROUNDING
    # Bounds and centres are each off by half a spacing; the mean of two centres is rounded once more.
    return 1.5 * float(np.spacing(np.float32(largest))) if _is_single(values) else 4.0 * float(np.spacing(largest))


def _is_single(values: FloatArray) -> bool:
    """Whether all values have single precision, 24 significant bits, or are means of two such values, 25 bits."""
    return not (np.frexp(values)[0] * 2.0**25 % 1.0).any()


def true_edges(given: FloatArray, default: FloatArray, rounding: float) -> FloatArray:
    """Return the edges from bounds, or the default edges if both differ by no more than the rounding of the bounds.

    The default edges come from an axis whose rounding was undone: within the rounding they are the better edges.
    """
    same = np.abs(given - default).max() <= min(rounding, edge_rounding(given))
    return default if same else given


def _read_bounds(bounds: npt.ArrayLike, count: int, name: str) -> FloatArray:
    """Return bounds as an array of finite numbers (count, 2)."""
    if np.ma.is_masked(bounds):
        _refuse_bounds(name, "have masked values")
    try:
        edges = np.array(bounds)
    except (TypeError, ValueError) as error:
        raise CoordinateError(f"{name}_bounds are not an array: {error}") from error
    if edges.shape != (count, 2):
        _refuse_bounds(name, f"have shape {edges.shape}: expected ({count}, 2), both edges of each cell")
    return check_numbers(edges, f"{name}_bounds").astype(np.float64)


def _bring_near(edges: FloatArray, centres: FloatArray, name: str) -> FloatArray:
    """Return both edges of each cell, the lower edge first.

    Latitudes are clipped to the poles; longitudes are moved by turns until they lie around their centres.
    """
    if name == "latitude":
        outside = _first(np.abs(edges).max(axis=1) > POLE)
        if outside is not None:
            cell = " and ".join(map(format_number, edges[outside]))
            _refuse_bounds(name, f"reach beyond a pole at position {outside}, {cell}: clip them to [-90, 90]")
        edges = np.sort(edges.clip(-90.0, 90.0), axis=1)
    else:
        edges = _arcs(edges, centres)
    empty = _first(edges[:, 0] >= edges[:, 1])
    if empty is not None:
        _refuse_bounds(
            name, f"give the cell at position {empty} no width: both edges are {format_number(edges[empty, 0])}"
        )
    return edges


def _arcs(edges: FloatArray, centres: FloatArray) -> FloatArray:
    """Return the arc between the two longitudes of each cell that holds its centre; the narrower arc if both do."""
    # Two longitudes bound two arcs: one from low to high, and one from high on across the seam to low.
    low, high = np.sort(edges, axis=1).T
    arcs = np.stack([np.stack([low, high]), np.stack([high, low + 360.0])])
    arcs += 360.0 * np.round((centres - arcs.mean(axis=1, keepdims=True)) / 360.0)
    (west, east), width = arcs.swapaxes(0, 1), arcs[:, 1] - arcs[:, 0]
    holds = (west - SINGLE_ROUNDING <= centres) & (centres <= east + SINGLE_ROUNDING) & (width > SINGLE_ROUNDING)
    other = holds[1] & (~holds[0] | (width[1] < width[0])) & (high - low > SINGLE_ROUNDING)
    return np.where(other, arcs[1], arcs[0]).T


def _direction(centres: FloatArray) -> int:
    """1 for an axis that rises, -1 for one that falls."""
    return 1 if centres[0] <= centres[-1] else -1


def _first(bad: npt.NDArray[np.bool_]) -> int | None:
    """Return the first index where a condition holds, or None."""
    return int(np.argmax(bad)) if bad.any() else None


def _refuse_bounds(name: str, reason: str) -> NoReturn:
    """Raise the error about bounds, with the reason and the cure."""
    raise CoordinateError(
        f"{name}_bounds {reason}. Correct them, or leave them out for edges midway between the centres "
        "(from xarray: drop_vars the variable of the bounds)."
    )
