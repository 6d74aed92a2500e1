"""Cut a grid into windows of pixels, the patches: which rows and columns, and how many pixels each has."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import computed
from skgeo._input.patch_table import axis_windows, outer_edges, share_left_out, warn_left_out, window_shares, windows
from skgeo._kernels.axis_gaps import contiguous_blocks
from skgeo._kernels.cell_places import inside_shares
from skgeo._kernels.sphere import band_heights
from skgeo._typing import Integers
from skgeo._validation import check_flag, check_pair, check_parameter, is_real
from skgeo.exceptions import CoordinateError

# Numbers along rows and along columns.
Pair = tuple[int, int]


class Cut(NamedTuple):
    """Patches of a grid: row and column of the first pixels (n, 2), pixel counts (n, 2), and the pixels asked for."""

    first: Integers
    counts: Integers
    size: tuple[int, int]

    def take(self, chosen: Any) -> "Cut":
        """Some of the patches."""
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

    With ``quiet`` no warning says what they leave out.
    """
    sizes = check_pair(patch_size, "patch_size")
    strides = sizes if stride is None else check_pair(stride, "stride")
    valid = is_real(min_fraction) and 0.0 <= min_fraction <= 1.0
    check_parameter("min_fraction", min_fraction, valid, "a number in [0, 1]")
    # Only a CellGrid has solid angles.
    cut = _cut_cells if hasattr(grid, "solid_angles") else _cut_grid
    found = cut(grid, sizes, strides, partial, min_fraction, quiet)
    if found.first.size == 0:
        raise ValueError(f"min_fraction={min_fraction!r}: no patch has that much of its area in the mask; lower it.")
    return found


def _cut_grid(grid: Any, sizes: Pair, strides: Pair, partial: bool | None, min_fraction: float, quiet: bool) -> Cut:
    """The patches of a LatLonGrid; none crosses a gap of an axis."""
    check_flag("partial", False if partial is None else partial)
    # Windows are cut from each part of an axis on its own, so that no patch crosses a gap.
    blocks = contiguous_blocks(grid.latitude_edges), contiguous_blocks(grid.longitude_edges)
    rows = axis_windows("latitude", blocks[0], sizes[0], strides[0], bool(partial), closed=False)
    columns = axis_windows("longitude", blocks[1], sizes[1], strides[1], bool(partial), closed=grid.closed)
    # The area of a cell is a factor of its row times a factor of its column.
    heights = band_heights(*grid.latitude_edges.T)
    widths = np.radians(np.diff(grid.longitude_edges, axis=1))[:, 0]
    if partial is not False and not quiet:
        # A chunked mask is not read for a warning: the share is then one of all cells.
        share = share_left_out(None if grid.chunked else grid.mask, heights, widths, rows, columns)
        cure = "partial=True keeps smaller patches at the ends, stride=None leaves nothing between"
        warn_left_out(rows, columns, ("rows", "columns"), share, cure)
    cut = Cut(*windows(rows, columns), sizes)
    if min_fraction > 0.0 and grid.mask is not None:
        # Shares of patches need the values of the mask, chunked or not.
        (mask,) = computed(grid.mask)
        shares = window_shares(mask, heights, widths, rows, columns)
        cut = cut.take(shares >= min_fraction - 1e-9)  # sums of areas are known to rounding only
    return cut


def _cut_cells(cells: Any, sizes: Pair, strides: Pair, partial: bool | None, min_fraction: float, quiet: bool) -> Cut:
    """The patches of a CellGrid with a pixel that has a place."""
    if len(cells.shape) != 2:
        raise CoordinateError(f"The {cells.shape[0]} cells have no rows and columns to cut patches from.")
    dropped = partial is None or partial is False
    check_parameter("partial", partial, dropped, "None or False: all patches of a stack have one shape")
    names = ("rows", "columns")
    rows, columns = (
        axis_windows(name, [(0, length)], size, step, False, closed=False)
        for name, length, size, step in zip(names, cells.shape, sizes, strides, strict=True)
    )
    cut = Cut(*windows(rows, columns), sizes)
    # Present cells of unknown areas all count the same.
    present = np.isfinite(cells.latitude)
    areas = present if cells.solid_angles is None else cells.solid_angles
    present, areas, inside = computed(present, areas, areas if cells.mask is None else areas * cells.mask)
    # One warning names the rows and columns that no patch reaches, at the ends or between strides.
    if partial is None and not quiet and (rows.left_out.any() or columns.left_out.any()):
        covered = float(inside[np.ix_(~rows.left_out, ~columns.left_out)].sum())
        share = 1.0 - covered / max(float(inside.sum()), covered) if inside.any() else 0.0
        warn_left_out(rows, columns, names, share, "other sizes and strides leave less")
    # The tolerance is for rounding. A patch without any present pixel has no place.
    kept = inside_shares(_cell_windows(areas, cut), _cell_windows(inside, cut)) >= min_fraction - 1e-9
    return cut.take(kept & _cell_windows(present, cut).any(axis=(1, 2)))


def describe_patches(grid: Any, cut: Cut) -> npt.NDArray[Any]:
    """The patch table (n, 6) of a LatLonGrid, or the pixel centres (n, h, w, 2) of a CellGrid."""
    if not hasattr(grid, "solid_angles"):
        return outer_edges(grid.latitude_edges, grid.longitude_edges, cut.first, cut.counts)
    centres = [_cell_windows(values, cut) for values in computed(grid.latitude, grid.longitude)]
    return np.stack(centres, axis=-1).astype(grid.dtype, copy=False)


def _cell_windows(values: npt.NDArray[Any], cut: Cut) -> npt.NDArray[Any]:
    """The values (n, h, w) of whole patches, of values of cells."""
    return np.lib.stride_tricks.sliding_window_view(values, cut.size)[tuple(cut.first.T)]
