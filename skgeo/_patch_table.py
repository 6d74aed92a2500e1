"""The patch table, six columns a patch: outer edges in degrees and pixel counts. Cut, read and check it."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._coordinates import (
    POLE,
    THINNEST,
    check_array,
    check_centres,
    check_length,
    check_longitude,
    fill_radians,
    frame_columns,
    number,
    read_columns,
    read_table,
    say_radians,
)
from skgeo._harmonics import FloatArray
from skgeo._parameters import check_parameter, import_optional
from skgeo._sphere import Boxes, Integers
from skgeo.exceptions import CoordinateError

if TYPE_CHECKING:
    import pandas as pd

PATCH_COLUMNS = ("south", "north", "west", "east", "n_lat", "n_lon")


def window_starts(
    axis: str, length: int, size: int, stride: int, partial: bool, *, closed: bool
) -> tuple[Integers, Integers]:
    """First pixel and pixel count of the windows along an axis of ``length`` pixels.

    On a closed axis windows run on across the seam as long as they do not reach past the next round's first.
    """
    check_parameter("patch_size", size, size <= length, f"at most the {length} pixels of the grid's {axis}")
    starts = np.arange(0, length, stride)
    whole = starts + (min(stride, size) if closed else size) <= length
    counts = np.where(whole, size, length - starts)
    covered = np.concatenate([[0], np.maximum.accumulate(starts + counts)[:-1]])
    kept = whole | (covered < length) if partial else whole
    return starts[kept], counts[kept]


def windows(rows: tuple[Integers, Integers], columns: tuple[Integers, Integers]) -> tuple[Integers, Integers]:
    """First pixels (n, 2) and pixel counts (n, 2) of all pairs of windows, rows first."""
    index, count = (
        np.stack(np.meshgrid(along_lat, along_lon, indexing="ij"), axis=-1).reshape(-1, 2)
        for along_lat, along_lon in zip(rows, columns, strict=True)
    )
    return index, count


def window_shares(
    mask: npt.NDArray[np.generic],
    heights: FloatArray,
    widths: FloatArray,
    rows: tuple[Integers, Integers],
    columns: tuple[Integers, Integers],
) -> FloatArray:
    """Share of the area of each window, as paired by :func:`windows`, that is inside a mask.

    Areas are ``heights * widths``. Sums run along one strip of windows at a time: differences of sums over the
    whole grid would leave nothing but rounding for a small patch at a pole.
    """
    west, east = columns[0], columns[0] + columns[1]
    shares = np.empty((rows[0].size, columns[0].size))
    for i, (start, count) in enumerate(zip(*rows, strict=True)):
        strip = slice(start, start + count)
        inside = _running_sum(heights[strip] @ np.asarray(mask[strip], dtype=np.float64) * widths)
        whole = _running_sum(heights[strip].sum() * widths)
        shares[i] = (inside[east] - inside[west]) / (whole[east] - whole[west])
    return shares.ravel()


def _running_sum(values: FloatArray) -> FloatArray:
    """Cumulative sums from zero over two rounds of a circle."""
    return np.concatenate([[0.0], np.cumsum(np.tile(values, 2))])


def outer_edges(
    latitude_edges: FloatArray, longitude_edges: FloatArray, index: Integers, count: Integers
) -> FloatArray:
    """The patch table (n, 6) of windows of pixels, which may run on across the seam."""
    n_rows, n_columns = latitude_edges.shape[0], longitude_edges.shape[0]
    first, last = index, (index + count - 1) % (n_rows, n_columns)
    rows = latitude_edges[[first[:, 0], last[:, 0]]]
    columns = longitude_edges[[first[:, 1], last[:, 1]]]
    if longitude_edges[0, 0] > longitude_edges[-1, 0]:  # columns run westward
        columns = columns[::-1]
    west, span = columns[0, :, 0], columns[1, :, 1] - columns[0, :, 0]
    span = np.where(span <= 1e-9, span + 360.0, span)  # across the seam, or all around
    return np.column_stack([rows[:, :, 0].min(axis=0), rows[:, :, 1].max(axis=0), west, west + span, count])


def patch_frame(table: FloatArray, index: Integers) -> "pd.DataFrame":
    """The patch table as a pandas DataFrame indexed by the first pixel's row and column."""
    pandas = import_optional("pandas", "as_frame=True", "pandas")
    labels = pandas.MultiIndex.from_arrays(index.T, names=["row", "column"])
    frame = pandas.DataFrame(table, index=labels, columns=list(PATCH_COLUMNS))
    return frame.astype({"n_lat": np.int64, "n_lon": np.int64})


class Patches(NamedTuple):
    """The patches of a table, and the dtype and columns they came in."""

    boxes: Boxes
    dtype: np.dtype[np.floating]
    columns: list[str] | None


class PixelStack(NamedTuple):
    """The pixel centres (n, h, w) of patches in degrees, NaN where missing, and the dtype they came in."""

    latitude: FloatArray
    longitude: FloatArray
    dtype: np.dtype[np.floating]


def read_stack(X: npt.ArrayLike) -> PixelStack:
    """Read stacks (n, h, w, 2) of pixel centres, and check them."""
    table = check_array(X, "X")
    if table.shape[-1] != 2 or table.size == 0:
        raise CoordinateError(
            f"X has shape {table.shape}: expected (n_patches, n_rows, n_columns, 2), the latitudes and longitudes of "
            "pixel centres."
        )
    latitude = check_centres(table[..., 0], table[..., 1], name="latitude")
    longitude = check_centres(table[..., 1], table[..., 0], name="longitude")
    empty = np.flatnonzero(np.isnan(latitude).all(axis=(1, 2)))
    if empty.size:
        raise CoordinateError(
            f"X has {empty.size} patches without any pixel that has coordinates, first row {empty[0]}: drop them."
        )
    return PixelStack(latitude, longitude, table.dtype)


def read_patches(X: object) -> Patches:
    """Read a patch table from an array or from a frame with its six columns in any order, and check it."""
    columns = frame_columns(X)
    if columns is None:
        table = read_table(X, len(PATCH_COLUMNS), ", ".join(PATCH_COLUMNS))
    elif sorted(map(str, columns)) == sorted(PATCH_COLUMNS):
        check_length(X, len(PATCH_COLUMNS))
        edges, counts = read_columns(X, PATCH_COLUMNS[:4]), read_columns(X, PATCH_COLUMNS[4:])
        table = np.hstack([edges, counts.astype(edges.dtype)])  # integer counts leave float32 edges what they are
    else:
        raise CoordinateError(
            f"X has the columns {columns}: a patch table has {list(PATCH_COLUMNS)}, in any order; select these."
        )
    south, north, west, east, n_lat, n_lon = table.astype(np.float64).T
    east = np.where(east < west, east + 360.0 * np.ceil((west - east) / 360.0), east)
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
    """Refuse patches that are no piece of the sphere or have no whole number of pixels."""
    _refuse((south < -POLE) | (north > POLE), "south and north must lie in [-90, 90] degrees", south, north)
    thin = np.minimum(north, 90.0) - np.maximum(south, -90.0) <= THINNEST
    _refuse(thin, "south must be less than north, by more than rounding", south, north)
    empty = east - west <= rounding
    _refuse(empty, "east must differ from west by more than whole turns; all around is east = west + 360", west, east)
    _refuse(east - west > 360.0 + rounding, "a patch is at most 360 degrees wide", west, east)
    whole = (counts >= 1) & (counts == np.round(counts)) & (counts < 2**31)
    _refuse(~whole.all(axis=0), "n_lat and n_lon must be whole numbers of pixels, from 1 to 2147483647", *counts)


def _refuse(bad: npt.NDArray[np.bool_], rule: str, *values: FloatArray) -> None:
    """Raise for the first row that breaks a rule."""
    rows = np.flatnonzero(bad)
    if rows.size:
        given = ", ".join(number(value[rows[0]]) for value in values)
        raise CoordinateError(f"X: {rule}; broken in {rows.size} of {bad.size} patches, first row {rows[0]}: {given}.")
