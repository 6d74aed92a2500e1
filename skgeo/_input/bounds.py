"""The true edges of the cells of an axis, from the bounds that files have (CF conventions, section 7.1)."""

from typing import NoReturn

import numpy as np
import numpy.typing as npt

from skgeo._input.coordinates import POLE, SINGLE_ROUNDING, THINNEST
from skgeo._input.numbers import check_numbers, format_number
from skgeo._kernels.axis_gaps import contiguous_blocks, first_step, value_spacing
from skgeo._kernels.sphere import latitude_edges, longitude_edges
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateError

# What lies between two cells is a gap, of rows or columns left out, if it is wider than this share of the narrower one;
# bounds with less between them are wrong. As for centres: a step over 1.5 times as long.
_GAP = 0.5


def cell_edges(
    latitude: npt.NDArray[np.float64],
    longitude: npt.NDArray[np.float64],
    given_longitude: npt.NDArray[np.float64],
    latitude_bounds: npt.ArrayLike | None,
    longitude_bounds: npt.ArrayLike | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], bool]:
    """Edges of rows and columns, from bounds where these are given, and whether the columns close the circle.

    ``longitude`` is unwrapped.
    """
    precision = [value_spacing(latitude), value_spacing(given_longitude)]
    axes = zip((latitude, longitude), precision, strict=True)
    spacings = [first_step(axis, spacing) for axis, spacing in axes if axis.size > 1]
    if not spacings and (latitude_bounds is None or longitude_bounds is None):
        raise CoordinateError(
            "latitude and longitude hold one value each: the size of a single cell is unknown. "
            "Give at least two values on one axis, or latitude_bounds and longitude_bounds."
        )
    rows = latitude_edges(latitude, spacings[-1] if spacings else 0.0, precision[0])
    columns, closed = longitude_edges(longitude, spacings[0] if spacings else 0.0, precision[1])
    if latitude_bounds is not None:
        rows = true_edges(check_bounds(latitude_bounds, latitude, "latitude"), rows)
    if longitude_bounds is not None:
        columns = true_edges(check_bounds(longitude_bounds, longitude, "longitude"), columns)
        closed = bool(np.ptp(columns) > 360.0 - 1e-9) and len(contiguous_blocks(columns)) == 1  # ends a turn apart
    _check_extent("latitude", rows)
    _check_extent("longitude", columns)
    return rows, columns, closed


def _check_extent(name: str, edges: npt.NDArray[np.float64]) -> None:
    """Refuse cells that are no larger than rounding."""
    thin = np.flatnonzero(np.diff(edges, axis=1)[:, 0] <= THINNEST)
    if thin.size:
        low, high = map(format_number, edges[thin[0]])
        raise CoordinateError(
            f"{name} has {thin.size} cells without extent, the first at position {thin[0]}: its edges are {low} and "
            f"{high}, the same to rounding. Drop the values that repeat."
        )


def check_bounds(bounds: npt.ArrayLike, centres: FloatArray, name: str) -> FloatArray:
    """The true edges (n, 2) of the cells of an axis, lower first, from CF bounds; neighbours share one value.

    ``centres`` are checked, longitudes unwrapped. Longitude edges are brought to their centres by whole turns, and the
    outermost are exactly a turn apart where they meet. Where rows or columns were left out the cells beside do not
    touch: such a gap is wider than half of the narrower one.
    """
    edges = _bring_near(_read_bounds(bounds, centres.size, name), centres, name)
    rounding = edge_rounding(edges)
    low, high = edges[:: _direction(centres)].T
    apart, widths = low[1:] - high[:-1], high - low
    gaps = apart > np.maximum(_GAP * np.minimum(widths[:-1], widths[1:]), rounding)
    if gaps.size > 1 and gaps.all():  # no two cells touch: every second one of a finer axis
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
    low[1:] = np.where(gaps, low[1:], (high[:-1] + low[1:]) / 2.0)
    high[:-1] = np.where(gaps, high[:-1], low[1:])
    if name == "longitude" and abs(high[-1] - low[0] - 360.0) <= rounding:
        high[-1] = low[0] + 360.0
    elif high[-1] - low[0] > 360.0:
        _refuse_bounds(name, f"go around more than once, from {format_number(low[0])} to {format_number(high[-1])}")
    return np.column_stack([low, high])[:: _direction(centres)]


def edge_rounding(edges: FloatArray) -> float:
    """How far edges of single precision may be off, and never as much as matters to the narrowest cell."""
    return min(SINGLE_ROUNDING, 0.1 * float(np.diff(edges, axis=1).min()))


def true_edges(given: FloatArray, default: FloatArray) -> FloatArray:
    """Edges from bounds, or the default ones where both are the same to the rounding of single precision."""
    same = np.abs(given - default).max() <= edge_rounding(given)
    return default if same else given


def _read_bounds(bounds: npt.ArrayLike, count: int, name: str) -> FloatArray:
    """Bounds as an array of finite numbers (count, 2)."""
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
    """Both edges of each cell, the lower first: latitudes inside the poles, longitudes around their centres."""
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
    """Of the two arcs between the longitudes of each pair that which holds the centre; the narrower if both do."""
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
    """Where a condition first holds."""
    return int(np.argmax(bad)) if bad.any() else None


def _refuse_bounds(name: str, reason: str) -> NoReturn:
    raise CoordinateError(
        f"{name}_bounds {reason}. Correct them, or leave them out for edges midway between the centres "
        "(from xarray: drop_vars the variable of the bounds)."
    )
