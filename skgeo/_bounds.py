"""The true edges of the cells of an axis, from the bounds that files have (CF conventions, section 7.1)."""

from typing import NoReturn

import numpy as np
import numpy.typing as npt

from skgeo._coordinates import POLE, SINGLE_ROUNDING, check_numbers, number
from skgeo._harmonics import FloatArray
from skgeo.exceptions import CoordinateError


def check_bounds(bounds: npt.ArrayLike, centres: FloatArray, name: str) -> FloatArray:
    """The true edges (n, 2) of the cells of an axis, lower first, from CF bounds; neighbours share one value.

    ``centres`` are checked, longitudes unwrapped. Longitude edges are brought to their centres by whole turns, and the
    outermost are exactly a turn apart where they meet.
    """
    edges = _bring_near(_read_bounds(bounds, centres.size, name), centres, name)
    rounding = edge_rounding(edges)
    low, high = edges[:: _direction(centres)].T
    i = _first(np.abs(high[:-1] - low[1:]) > rounding)
    if i is not None:
        word = "overlap" if high[i] > low[i + 1] else "leave a gap"
        _refuse_bounds(name, f"{word} between {number(high[i])} and {number(low[i + 1])}: cells must touch")
    i = _first((centres < edges[:, 0] - rounding) | (centres > edges[:, 1] + rounding))
    if i is not None:
        cell = f"{number(edges[i, 0])}..{number(edges[i, 1])}"
        _refuse_bounds(name, f"put the centre {number(centres[i])} at position {i} outside its cell {cell}")
    shared = np.concatenate([low[:1], (high[:-1] + low[1:]) / 2.0, high[-1:]])
    if name == "longitude" and abs(shared[-1] - shared[0] - 360.0) <= rounding:
        shared[-1] = shared[0] + 360.0
    elif shared[-1] - shared[0] > 360.0:
        _refuse_bounds(name, f"go around more than once, from {number(shared[0])} to {number(shared[-1])}")
    return np.column_stack([shared[:-1], shared[1:]])[:: _direction(centres)]


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
            cell = " and ".join(map(number, edges[outside]))
            _refuse_bounds(name, f"reach beyond a pole at position {outside}, {cell}: clip them to [-90, 90]")
        edges = np.sort(edges.clip(-90.0, 90.0), axis=1)
    else:
        edges = _arcs(edges, centres)
    empty = _first(edges[:, 0] >= edges[:, 1])
    if empty is not None:
        _refuse_bounds(name, f"give the cell at position {empty} no width: both edges are {number(edges[empty, 0])}")
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
