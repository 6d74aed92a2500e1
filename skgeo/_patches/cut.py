"""Cut a grid into patches, which are windows of pixels: their rows and columns, and their numbers of pixels."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import computed
from skgeo._input.patch_table import PATCH_COLUMNS
from skgeo._kernels.axis_gaps import contiguous_blocks
from skgeo._kernels.cell_places import inside_shares
from skgeo._kernels.sphere import masked_area
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_flag, check_pair, check_parameter, import_optional, is_real, warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

if TYPE_CHECKING:
    import pandas as pd

# Share of the domain that patches may leave out without a warning. The row of cells at a pole has a smaller share.
_LEFT_OUT = 0.005
# Numbers along rows and along columns.
Pair = tuple[int, int]


class Cut(NamedTuple):
    """Patches of a grid: row and column of the first pixels (n, 2), pixel counts (n, 2), and the pixels asked for."""

    first: Integers
    counts: Integers
    size: tuple[int, int]

    def take(self, chosen: Any) -> "Cut":
        """The patches with these indices: a slice, a mask or an array of indices."""
        return self._replace(first=self.first[chosen], counts=self.counts[chosen])


def cut_patches(
    grid: Any,
    patch_size: Any,
    stride: Any = None,
    *,
    partial: bool | None = None,
    min_fraction: float = 0.0,
    quiet: bool = False,
) -> Cut:
    """The patches of a LatLonGrid or a CellGrid, with the options of their methods ``patches``.

    With ``quiet`` the function does not warn of cells that are in no patch.
    """
    sizes = _numbers_of_pixels(grid, patch_size, "patch_size")
    strides = sizes if stride is None else _numbers_of_pixels(grid, stride, "stride")
    valid = is_real(min_fraction) and 0.0 <= min_fraction <= 1.0
    check_parameter("min_fraction", min_fraction, valid, "a number in [0, 1]")
    # Only a CellGrid has solid angles.
    cut = _cut_cells if hasattr(grid, "solid_angles") else _cut_grid
    found = cut(grid, sizes, strides, partial, min_fraction, quiet)
    if found.first.size == 0:
        raise ValueError(
            f"min_fraction={min_fraction!r}: no patch has this share of its area in the mask. "
            "Give a smaller min_fraction."
        )
    return found


def _numbers_of_pixels(grid: Any, value: Any, name: str) -> Pair:
    """Numbers of pixels along rows and columns; whole floats are valid. Errors name the size of a pixel in degrees."""
    with suppress(TypeError, ValueError):
        numbers = np.asarray(value)
        if numbers.dtype.kind == "f" and (numbers == np.round(numbers)).all() and (np.abs(numbers) < 2**31).all():
            value = numbers.astype(np.int64).tolist()
    try:
        return check_pair(value, name)
    except ValueError as error:
        size = ""
        if not hasattr(grid, "solid_angles"):
            # The median: rows at the poles may be half as high as all others.
            edges = grid.latitude_edges, grid.longitude_edges
            height, width = (float(np.median(np.abs(np.diff(axis, axis=1)))) for axis in edges)
            size = (
                f" A pixel is {height:.4g} x {width:.4g} degrees: 10 degrees are {10 / height:.4g} x {10 / width:.4g} "
                "pixels."
            )
        raise ValueError(f"{error} It is a number of pixels, not of degrees.{size}") from None


def _cut_grid(grid: Any, sizes: Pair, strides: Pair, partial: bool | None, min_fraction: float, quiet: bool) -> Cut:
    """The patches of a LatLonGrid; none crosses a gap of an axis."""
    check_flag("partial", False if partial is None else partial)
    # Windows are cut from each part of an axis on its own, so that no patch crosses a gap.
    blocks = contiguous_blocks(grid.latitude_edges), contiguous_blocks(grid.longitude_edges)
    _check_fit(sizes, blocks, ("latitude", "longitude"))
    rows = _axis_windows(blocks[0], sizes[0], strides[0], bool(partial), closed=False)
    columns = _axis_windows(blocks[1], sizes[1], strides[1], bool(partial), closed=grid.closed)
    heights, widths = grid._heights_and_widths()
    if partial is not False and not quiet:
        # A chunked mask is not read for a warning. The share then counts all cells as inside.
        share = _share_left_out(None if grid.chunked else grid.mask, heights, widths, rows, columns)
        cure = "partial=True keeps smaller patches at the ends, and stride=None leaves no gaps"
        _warn_left_out(rows, columns, ("rows", "columns"), share, cure)
    cut = Cut(*_all_windows(rows, columns), sizes)
    if min_fraction > 0.0 and grid.mask is not None:
        # Shares of patches need the values of the mask, chunked or not.
        (mask,) = computed(grid.mask)
        shares = _window_shares(mask, heights, widths, rows, columns)
        cut = cut.take(shares >= min_fraction - 1e-9)  # sums of areas are known to rounding only
    return cut


def _cut_cells(cells: Any, sizes: Pair, strides: Pair, partial: bool | None, min_fraction: float, quiet: bool) -> Cut:
    """The patches of a CellGrid with a pixel that has a place."""
    if len(cells.shape) != 2:
        raise CoordinateError(
            f"The {cells.shape[0]} cells have no rows and columns to cut patches from: give the cells of each patch, "
            "cells.patch_members(block_size_km=500)."
        )
    dropped = partial is None or partial is False
    check_parameter("partial", partial, dropped, "None or False: all patches of a stack have one shape")
    names = ("rows", "columns")
    _check_fit(sizes, [[(0, length)] for length in cells.shape], names)
    rows, columns = (
        _axis_windows([(0, length)], size, step, False, closed=False)
        for length, size, step in zip(cells.shape, sizes, strides, strict=True)
    )
    cut = Cut(*_all_windows(rows, columns), sizes)
    # Present cells of unknown areas count equally.
    present = np.isfinite(cells.latitude)
    areas = present if cells.solid_angles is None else cells.solid_angles
    present, areas, inside = computed(present, areas, areas if cells.mask is None else areas * cells.mask)
    # One warning names the rows and columns that no patch reaches, at the ends or between strides.
    if partial is None and not quiet and (rows.left_out.any() or columns.left_out.any()):
        covered = float(inside[np.ix_(~rows.left_out, ~columns.left_out)].sum())
        share = 1.0 - covered / max(float(inside.sum()), covered) if inside.any() else 0.0
        _warn_left_out(rows, columns, names, share, "other sizes and strides may leave out less")
    # The tolerance is for rounding. A patch without any present pixel has no place.
    kept = inside_shares(_cell_windows(areas, cut), _cell_windows(inside, cut)) >= min_fraction - 1e-9
    return cut.take(kept & _cell_windows(present, cut).any(axis=(1, 2)))


def describe_patches(grid: Any, cut: Cut) -> npt.NDArray[Any]:
    """The patch table (n, 6) of a LatLonGrid, or the pixel centres (n, h, w, 2) of a CellGrid."""
    if not hasattr(grid, "solid_angles"):
        return _outer_edges(grid.latitude_edges, grid.longitude_edges, cut.first, cut.counts)
    centres = [_cell_windows(values, cut) for values in computed(grid.latitude, grid.longitude)]
    return np.stack(centres, axis=-1).astype(grid.dtype, copy=False)


def _cell_windows(values: npt.NDArray[Any], cut: Cut) -> npt.NDArray[Any]:
    """The values (n, h, w) of whole patches, of values of cells."""
    return np.lib.stride_tricks.sliding_window_view(values, cut.size)[tuple(cut.first.T)]


class Windows(NamedTuple):
    """Windows along an axis: their first pixels, their pixel counts, and which pixels of the axis are in no window."""

    starts: Integers
    counts: Integers
    left_out: npt.NDArray[np.bool_]


def _check_fit(sizes: Pair, blocks: Sequence[Sequence[Pair]], names: tuple[str, str]) -> None:
    """Refuse patches larger than the longest part of an axis without gaps, and name the largest patch that fits."""
    longest = tuple(max(length for _, length in parts) for parts in blocks)
    fit = tuple(min(pair) for pair in zip(sizes, longest, strict=True))
    for size, length, parts, axis in zip(sizes, longest, blocks, names, strict=True):
        whole = f"the {length} pixels of the grid's {axis}"
        longest_part = f"the {length} pixels of the longest part of the grid's {axis} without a gap"
        allowed = (
            f"at most {whole if len(parts) == 1 else longest_part}; patch_size={fit} fits, the largest is {longest}"
        )
        check_parameter("patch_size", size, size <= length, allowed)


def _axis_windows(blocks: Sequence[tuple[int, int]], size: int, stride: int, partial: bool, *, closed: bool) -> Windows:
    """Return the windows along an axis whose parts without gaps are ``blocks`` of (first pixel, length).

    No window crosses a gap. On a closed axis windows run on across the seam, but not past the first window of the
    next round.
    """
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


def _warn_left_out(rows: Windows, columns: Windows, names: tuple[str, str], share: float, cure: str) -> None:
    """Warn of rows and columns that are in no patch, if they have 0.5 % or more of the area of the domain."""
    if share < _LEFT_OUT:
        return
    parts = [
        f"{np.count_nonzero(axis.left_out)} of {axis.left_out.size} {name}"
        for axis, name in zip((rows, columns), names, strict=True)
        if axis.left_out.any()
    ]
    warn_caller(
        f"The patches leave out {' and '.join(parts)}, {share:.1%} of the domain, because patch_size does not divide "
        f"the grid, or stride is larger than patch_size: {cure}. partial=False leaves them out without this warning.",
        CoordinateWarning,
    )


def _share_left_out(
    mask: npt.NDArray[Any] | None, heights: FloatArray, widths: FloatArray, rows: Windows, columns: Windows
) -> float:
    """Share of the area of the domain that is in no window. Areas of cells are ``heights * widths``."""
    if not (rows.left_out.any() or columns.left_out.any()):
        return 0.0
    inside = heights * ~rows.left_out, widths * ~columns.left_out
    if mask is None:
        return 1.0 - float(inside[0].sum() * inside[1].sum() / (heights.sum() * widths.sum()))
    return 1.0 - masked_area(*inside, mask) / masked_area(heights, widths, mask)


def _all_windows(rows: Windows, columns: Windows) -> tuple[Integers, Integers]:
    """Return first pixels (n, 2) and pixel counts (n, 2) of all pairs of windows; longitude varies fastest."""
    index, count = (
        np.stack(np.meshgrid(along_lat, along_lon, indexing="ij"), axis=-1).reshape(-1, 2)
        for along_lat, along_lon in ((rows.starts, columns.starts), (rows.counts, columns.counts))
    )
    return index, count


def _window_shares(
    mask: npt.NDArray[np.generic],
    heights: FloatArray,
    widths: FloatArray,
    rows: Windows,
    columns: Windows,
) -> FloatArray:
    """Return the share of the area of each window that is inside a mask, in the order of :func:`_all_windows`.

    Areas of cells are ``heights * widths``.
    """
    west, east = columns.starts, columns.starts + columns.counts
    # Sums run along one strip of windows at a time. With sums over the whole grid, the share of a small patch at a pole
    # would be a difference of rounding errors.
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


def _outer_edges(
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
    # The edges of a window across the seam, or around the globe, lack a whole turn: add 360 degrees.
    span = np.where(span <= 1e-9, span + 360.0, span)
    return np.column_stack([rows[:, :, 0].min(axis=0), rows[:, :, 1].max(axis=0), west, west + span, count])


def patch_frame(table: FloatArray, index: Integers) -> "pd.DataFrame":
    """Return the patch table as a pandas DataFrame, indexed by row and column of the first pixel."""
    pandas = import_optional("pandas", "as_frame=True", "pandas")
    labels = pandas.MultiIndex.from_arrays(index.T, names=["row", "column"])
    frame = pandas.DataFrame(table, index=labels, columns=list(PATCH_COLUMNS))
    return frame.astype({"n_lat": np.int64, "n_lon": np.int64})
