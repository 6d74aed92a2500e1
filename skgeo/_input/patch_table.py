"""Cut, read and check patch tables: six columns a patch, its outer edges in degrees and its pixel counts."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._input.columns import frame_columns, listed
from skgeo._input.coordinates import (
    POLE,
    THINNEST,
    as_numbers_with_nan,
    check_cell_centres,
    check_length,
    check_longitude,
    fill_radians,
    read_columns,
    read_table,
    say_radians,
)
from skgeo._input.numbers import format_number
from skgeo._kernels.sphere import Boxes, masked_area
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_parameter, import_optional, warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

if TYPE_CHECKING:
    import pandas as pd

# Share of the domain that patches may leave out without a warning. A row at a pole is less.
_LEFT_OUT = 0.005

PATCH_COLUMNS = ("south", "north", "west", "east", "n_lat", "n_lon")


class Windows(NamedTuple):
    """Windows along an axis: their first pixels, their pixel counts, and which pixels of the axis are in no window."""

    starts: Integers
    counts: Integers
    left_out: npt.NDArray[np.bool_]


def axis_windows(
    axis: str, blocks: Sequence[tuple[int, int]], size: int, stride: int, partial: bool, *, closed: bool
) -> Windows:
    """Return the windows along an axis whose parts without gaps are ``blocks`` of (first pixel, length).

    No window crosses a gap. On a closed axis windows run on across the seam, but not past the first window of the
    next round.
    """
    longest = max(length for _, length in blocks)
    whole = f"the {longest} pixels of the grid's {axis}"
    longest_block = f"the {longest} pixels of the longest part of the grid's {axis} without a gap"
    check_parameter("patch_size", size, size <= longest, f"at most {whole if len(blocks) == 1 else longest_block}")
    parts = [_block_windows(first, length, size, stride, partial, closed) for first, length in blocks]
    starts, counts = (np.concatenate(along) for along in zip(*parts, strict=True))
    # Count the windows over each pixel: +1 at the first pixel of a window, -1 after its last, then sums.
    n_pixels = sum(length for _, length in blocks)
    changes = np.zeros(2 * n_pixels + 1, dtype=np.intp)
    np.add.at(changes, starts, 1)
    np.add.at(changes, starts + counts, -1)
    # The second round holds the pixels beyond the seam.
    count = np.cumsum(changes)[:-1].reshape(2, n_pixels).sum(axis=0)
    return Windows(starts, counts, count == 0)


def _block_windows(
    first: int, length: int, size: int, stride: int, partial: bool, closed: bool
) -> tuple[Integers, Integers]:
    """Return first pixels and pixel counts of the windows in a part of an axis without gaps."""
    starts = np.arange(0, length, stride)
    whole = starts + (min(stride, size) if closed else size) <= length
    counts = np.where(whole, size, length - starts)
    # A smaller window at the end is kept only if the windows before it leave pixels uncovered.
    covered = np.concatenate([[0], np.maximum.accumulate(starts + counts)[:-1]])
    kept = whole | (covered < length) if partial else whole
    return first + starts[kept], counts[kept]


def warn_left_out(rows: Windows, columns: Windows, names: tuple[str, str], share: float, cure: str) -> None:
    """Warn of rows and columns that are in no patch, if they are more than 0.5 % of the area of the domain."""
    if share < _LEFT_OUT:
        return
    parts = [
        f"{np.count_nonzero(axis.left_out)} of {axis.left_out.size} {name}"
        for axis, name in zip((rows, columns), names, strict=True)
        if axis.left_out.any()
    ]
    warn_caller(
        f"The patches leave out {' and '.join(parts)}, {share:.1%} of the domain, at ends where patch_size does not "
        f"divide the grid or between patches where stride is larger: {cure}; partial=False says that you mean it.",
        CoordinateWarning,
    )


def share_left_out(
    mask: npt.NDArray[Any] | None, heights: FloatArray, widths: FloatArray, rows: Windows, columns: Windows
) -> float:
    """Share of the area of the domain that is in no window. Areas of cells are ``heights * widths``."""
    if not (rows.left_out.any() or columns.left_out.any()):
        return 0.0
    inside = heights * ~rows.left_out, widths * ~columns.left_out
    if mask is None:
        return 1.0 - float(inside[0].sum() * inside[1].sum() / (heights.sum() * widths.sum()))
    return 1.0 - masked_area(*inside, mask) / masked_area(heights, widths, mask)


def windows(rows: Windows, columns: Windows) -> tuple[Integers, Integers]:
    """Return first pixels (n, 2) and pixel counts (n, 2) of all pairs of windows; longitude varies fastest."""
    index, count = (
        np.stack(np.meshgrid(along_lat, along_lon, indexing="ij"), axis=-1).reshape(-1, 2)
        for along_lat, along_lon in ((rows.starts, columns.starts), (rows.counts, columns.counts))
    )
    return index, count


def window_shares(
    mask: npt.NDArray[np.generic],
    heights: FloatArray,
    widths: FloatArray,
    rows: Windows,
    columns: Windows,
) -> FloatArray:
    """Return the share of the area of each window that is inside a mask, in the order of :func:`windows`.

    Areas of cells are ``heights * widths``.
    """
    west, east = columns.starts, columns.starts + columns.counts
    # Sums run along one strip of windows at a time. Differences of sums over the whole grid would leave only rounding
    # for a small patch at a pole.
    shares = np.empty((rows.starts.size, columns.starts.size))
    for i, (start, count) in enumerate(zip(rows.starts, rows.counts, strict=True)):
        strip = slice(start, start + count)
        inside = _running_sum(heights[strip] @ np.asarray(mask[strip], dtype=np.float64) * widths)
        whole = _running_sum(heights[strip].sum() * widths)
        shares[i] = (inside[east] - inside[west]) / (whole[east] - whole[west])
    return shares.ravel()


def _running_sum(values: FloatArray) -> FloatArray:
    """Return cumulative sums from zero over two rounds of a circle, for windows across the seam."""
    return np.concatenate([[0.0], np.cumsum(np.tile(values, 2))])


def outer_edges(
    latitude_edges: FloatArray, longitude_edges: FloatArray, index: Integers, count: Integers
) -> FloatArray:
    """Return the patch table (n, 6) of windows of pixels, which may run on across the seam."""
    n_rows, n_columns = latitude_edges.shape[0], longitude_edges.shape[0]
    first, last = index, (index + count - 1) % (n_rows, n_columns)
    rows = latitude_edges[[first[:, 0], last[:, 0]]]
    columns = longitude_edges[[first[:, 1], last[:, 1]]]
    # Where columns run westward, the last pixel of a window is its western one.
    if longitude_edges[0, 0] > longitude_edges[-1, 0]:
        columns = columns[::-1]
    west, span = columns[0, :, 0], columns[1, :, 1] - columns[0, :, 0]
    # A window across the seam, or all around, ends a turn further east than its edges say.
    span = np.where(span <= 1e-9, span + 360.0, span)
    return np.column_stack([rows[:, :, 0].min(axis=0), rows[:, :, 1].max(axis=0), west, west + span, count])


def patch_frame(table: FloatArray, index: Integers) -> "pd.DataFrame":
    """Return the patch table as a pandas DataFrame, indexed by row and column of the first pixel."""
    pandas = import_optional("pandas", "as_frame=True", "pandas")
    labels = pandas.MultiIndex.from_arrays(index.T, names=["row", "column"])
    frame = pandas.DataFrame(table, index=labels, columns=list(PATCH_COLUMNS))
    return frame.astype({"n_lat": np.int64, "n_lon": np.int64})


class Patches(NamedTuple):
    """The patches of a table, the dtype of the table, and its columns if it was a frame."""

    boxes: Boxes
    dtype: np.dtype[np.floating]
    columns: list[str] | None


class PixelStack(NamedTuple):
    """The pixel centres (n, h, w) of patches in degrees, NaN where missing, and the dtype of the values given."""

    latitude: FloatArray
    longitude: FloatArray
    dtype: np.dtype[np.floating]


def _read_stack(X: npt.ArrayLike) -> PixelStack:
    """Read a stack (n, h, w, 2) of pixel centres, and check it."""
    table = as_numbers_with_nan(X, "X")
    if table.shape[-1] != 2 or table.size == 0:
        raise CoordinateError(
            f"X has shape {table.shape}: expected (n_patches, n_rows, n_columns, 2), the latitudes and longitudes of "
            "pixel centres."
        )
    latitude = check_cell_centres(table[..., 0], table[..., 1], name="latitude")
    longitude = check_cell_centres(table[..., 1], table[..., 0], name="longitude")
    empty = np.flatnonzero(np.isnan(latitude).all(axis=(1, 2)))
    if empty.size:
        raise CoordinateError(
            f"X has {empty.size} patches without any pixel that has coordinates, first row {empty[0]}: drop them."
        )
    return PixelStack(latitude, longitude, table.dtype)


def read_table_or_stack(X: Any, columns_of_array: Sequence[str] = ()) -> Patches | PixelStack:
    """Read a stack of pixel centres if X has four dimensions, else a patch table."""
    if isinstance(X, list | tuple):
        # A ragged list is no array: read_table refuses it with a cure.
        with suppress(ValueError):
            X = np.asarray(X) if np.ndim(X) == 4 else X
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
    east = np.where(east < west, east + 360.0 * np.ceil((west - east) / 360.0), east)
    # Edges of a patch all around are 360 degrees apart to the rounding of the dtype.
    rounding = 4.0 * 360.0 * float(np.finfo(table.dtype).eps)
    check_longitude(west, "X")
    check_longitude(east, "X")
    _check_patches(south, north, west, east, np.stack([n_lat, n_lon]), rounding)
    if fill_radians(np.concatenate([south, north]), np.concatenate([west, east])):
        say_radians("X lies", "np.degrees(X[:, :4])")
    east = np.minimum(east, west + 360.0)
    south, north = np.clip([south, north], -90.0, 90.0)
    boxes = Boxes(south, north, west, east, n_lat.astype(np.intp), n_lon.astype(np.intp))
    return Patches(boxes, table.dtype, columns)


def _check_patches(
    south: FloatArray, north: FloatArray, west: FloatArray, east: FloatArray, counts: FloatArray, rounding: float
) -> None:
    """Refuse patches beyond the poles, without extent or over a turn wide, and counts that are no whole numbers."""
    _refuse((south < -POLE) | (north > POLE), "south and north must lie in [-90, 90] degrees", south, north)
    thin = np.minimum(north, 90.0) - np.maximum(south, -90.0) <= THINNEST
    _refuse(thin, "south must be less than north, by more than rounding", south, north)
    empty = east - west <= rounding
    _refuse(empty, "east must differ from west by more than whole turns; all around is east = west + 360", west, east)
    _refuse(east - west > 360.0 + rounding, "a patch is at most 360 degrees wide", west, east)
    whole = (counts >= 1) & (counts == np.round(counts)) & (counts < 2**31)
    _refuse(~whole.all(axis=0), "n_lat and n_lon must be whole numbers of pixels, from 1 to 2147483647", *counts)


def _refuse(bad: npt.NDArray[np.bool_], rule: str, *values: FloatArray) -> None:
    """Raise the error about patches that break a rule, with their number and the values of the first."""
    rows = np.flatnonzero(bad)
    if rows.size:
        given = ", ".join(format_number(value[rows[0]]) for value in values)
        raise CoordinateError(f"X: {rule}; broken in {rows.size} of {bad.size} patches, first row {rows[0]}: {given}.")
