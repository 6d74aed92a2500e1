"""Read and check patch tables, with the outer edges in degrees and the pixel counts of patches, and pixel stacks."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from skgeo._input.columns import frame_columns, listed
from skgeo._input.coordinates import (
    POLE,
    THINNEST,
    as_numbers_with_nan,
    check_length,
    check_longitude,
    checked_latitudes,
    checked_longitudes,
    fill_radians,
    radian_span,
    read_columns,
    read_table,
    say_radians,
    spread_as_radians,
)
from skgeo._input.numbers import format_number
from skgeo._kernels.sphere import Boxes
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateError

#: The six columns of a patch table, in documented order.
PATCH_COLUMNS = ("south", "north", "west", "east", "n_lat", "n_lon")


class Patches(NamedTuple):
    """The patches of a table, the dtype of the table, and its columns if it was a frame."""

    boxes: Boxes
    dtype: np.dtype[np.floating]
    columns: list[str] | None


class PixelStack(NamedTuple):
    """The pixel centres (n, h, w) of patches in degrees, NaN where missing, and the dtype of the values given.

    ``areas`` are those of the pixels in square metres; None leaves them to the distances between neighbours.
    """

    latitude: FloatArray
    longitude: FloatArray
    dtype: np.dtype[np.floating]
    areas: FloatArray | None = None


def has_areas(patches: "Patches | PixelStack") -> TypeGuard[PixelStack]:
    """Whether patches are stacks of cells in any order, which have areas."""
    return isinstance(patches, PixelStack) and patches.areas is not None


def _read_stack(X: npt.ArrayLike) -> PixelStack:
    """Read a stack (n, h, w, 2) of pixel centres, and check it."""
    table = as_numbers_with_nan(X, "X")
    if table.shape[-1] != 2 or table.size == 0:
        raise CoordinateError(
            f"X has shape {table.shape}: expected (n_patches, n_rows, n_columns, 2), the latitudes and longitudes of "
            "pixel centres."
        )
    latitude = checked_latitudes(table[..., 0], table[..., 1])
    longitude = checked_longitudes(table[..., 1], table[..., 0])
    empty = np.flatnonzero(np.isnan(latitude).all(axis=(1, 2)))
    if empty.size:
        raise CoordinateError(
            f"X has {empty.size} patches without any pixel that has coordinates, first row {empty[0]}: drop them."
        )
    return PixelStack(latitude, longitude, table.dtype)


def _read_cell_stack(X: npt.ArrayLike) -> PixelStack:
    """Read a stack (n, k, 3) of cells in any order, with latitude, longitude and area, and check it."""
    table = as_numbers_with_nan(X, "X")
    if table.size == 0:
        raise CoordinateError(
            f"X has shape {table.shape}: expected (n_patches, n_cells, 3) with at least one patch and one cell."
        )
    stack = _read_stack(table[:, np.newaxis, :, :2])
    areas = table[:, np.newaxis, :, 2].astype(np.float64)
    present = np.isfinite(stack.latitude)
    bad = np.flatnonzero((present & ~(areas >= 0.0)).any(axis=(1, 2)) | ~(np.nan_to_num(areas) > 0.0).any(axis=(1, 2)))
    if bad.size:
        raise CoordinateError(
            f"X has {bad.size} patches whose cells have no areas, first row {bad[0]}: the third number of a cell is "
            "its area in square metres, as from CellGrid.patches(members)."
        )
    return stack._replace(dtype=table.dtype, areas=np.where(present, areas, np.nan))


def read_table_or_stack(X: Any, columns_of_array: Sequence[str] = ()) -> Patches | PixelStack:
    """Read a stack of pixel centres if X has four dimensions, of cells if it has three, else a patch table."""
    if isinstance(X, list | tuple):
        # A ragged list is no array: read_table refuses it with a cure.
        with suppress(ValueError):
            X = np.asarray(X) if np.ndim(X) in (3, 4) else X
    if getattr(X, "ndim", 0) == 3 and X.shape[-1] == 3:
        return _read_cell_stack(X)
    return _read_stack(X) if getattr(X, "ndim", 0) == 4 else read_patch_table(X, columns_of_array)


def read_patch_table(X: object, columns_of_array: Sequence[str] = ()) -> Patches:
    """Read a patch table from an array, or from a frame with the six columns in any order, and check it.

    An array has its columns in the order of ``columns_of_array``, by default that of ``PATCH_COLUMNS``.
    """
    columns = frame_columns(X)
    if columns is None:
        given = list(columns_of_array or PATCH_COLUMNS)
        order = [given.index(name) for name in PATCH_COLUMNS]
        return _check_table(read_table(X, len(PATCH_COLUMNS), ", ".join(PATCH_COLUMNS))[:, order], None)
    missing = [name for name in PATCH_COLUMNS if name not in columns]
    surplus = [name for name in columns if name not in PATCH_COLUMNS]
    if missing or len(columns) != len(PATCH_COLUMNS):
        twice = f"surplus: {listed(surplus)}" if surplus else "some are there twice"
        reason = f"missing: {missing}" if missing else twice
        raise CoordinateError(
            f"X has the columns {listed(columns)}: a patch table has {list(PATCH_COLUMNS)}, in any order; {reason}; "
            "select these."
        )
    check_length(X, len(PATCH_COLUMNS))
    edges, counts = read_columns(X, PATCH_COLUMNS[:4]), read_columns(X, PATCH_COLUMNS[4:])
    # Counts take the dtype of the edges: integer counts must not make float64 of float32 edges.
    table = np.hstack([edges, counts.astype(edges.dtype)])
    return _check_table(table, columns)


def _check_table(table: npt.NDArray[Any], columns: list[str] | None) -> Patches:
    """Check a table of numbers (n, 6), and return its patches."""
    south, north, west, east, n_lat, n_lon = table.astype(np.float64).T
    radians = _spread_as_radians(south, north, west, east)
    east = np.where(east < west, east + 360.0 * np.ceil((west - east) / 360.0), east)
    # Edges of a patch all around are 360 degrees apart to the rounding of the dtype.
    rounding = 4.0 * 360.0 * float(np.finfo(table.dtype).eps)
    check_longitude(west, "X")
    check_longitude(east, "X")
    # An array does not show the order of its columns: the error says it.
    order = "" if columns is not None else f" The columns are {', '.join(PATCH_COLUMNS)}."
    _check_patches(south, north, west, east, np.stack([n_lat, n_lon]), rounding, order)
    if radians:
        say_radians("X lies", "np.degrees(X[:, :4])")
    east = np.minimum(east, west + 360.0)
    south, north = np.clip([south, north], -90.0, 90.0)
    boxes = Boxes(south, north, west, east, n_lat.astype(np.intp), n_lon.astype(np.intp))
    return Patches(boxes, table.dtype, columns)


def _spread_as_radians(south: FloatArray, north: FloatArray, west: FloatArray, east: FloatArray) -> bool:
    """Whether patches with these edges, as given, are spread over the range of radians.

    Patches count as radians if the edges span 2 pi in longitude, if the edges of several patches fill both ranges, or
    if the middles of the patches are spread as radians of points are. A single patch at latitude and longitude zero may
    be in degrees. Patches across the antimeridian have an east edge beyond the range or west of the west edge: only
    their west edge counts.
    """
    inside = (east > west) & (east <= (np.pi if west.min(initial=0.0) < -np.pi / 4 else 2.0 * np.pi) + 1e-5)
    east = np.where(inside, east, west)
    latitude, longitude = np.concatenate([south, north]), np.concatenate([west, east])
    span = radian_span(latitude, longitude)
    around = span is not None and abs(span[1] - 2.0 * np.pi) < 1e-3 * 2.0 * np.pi
    if around or (south.size > 1 and fill_radians(latitude, longitude)):
        return True
    return spread_as_radians((south + north) / 2.0, (west + east) / 2.0)


def _check_patches(
    south: FloatArray,
    north: FloatArray,
    west: FloatArray,
    east: FloatArray,
    counts: FloatArray,
    rounding: float,
    order: str,
) -> None:
    """Refuse patches beyond the poles, without extent or over a turn wide, and counts that are no whole numbers.

    ``rounding`` is the tolerance of longitudes in degrees. Errors end with ``order``, a sentence about the columns.
    """
    refuse = partial(_refuse, order)
    refuse((south < -POLE) | (north > POLE), "south and north must lie in [-90, 90] degrees", south, north)
    thin = np.minimum(north, 90.0) - np.maximum(south, -90.0) <= THINNEST
    refuse(thin, "south must be less than north, by more than rounding", south, north)
    empty = east - west <= rounding
    refuse(empty, "east must differ from west by more than whole turns; all around is east = west + 360", west, east)
    refuse(east - west > 360.0 + rounding, "a patch is at most 360 degrees wide", west, east)
    whole = (counts >= 1) & (counts == np.round(counts)) & (counts < 2**31)
    refuse(~whole.all(axis=0), "n_lat and n_lon must be whole numbers of pixels, from 1 to 2147483647", *counts)


def _refuse(order: str, bad: npt.NDArray[np.bool_], rule: str, *values: FloatArray) -> None:
    """Refuse patches that break a rule, with their number, the values of the first and the order of the columns."""
    rows = np.flatnonzero(bad)
    if rows.size:
        given = ", ".join(format_number(value[rows[0]]) for value in values)
        raise CoordinateError(
            f"X: {rule}; broken in {rows.size} of {bad.size} patches, first row {rows[0]}: {given}.{order}"
        )
