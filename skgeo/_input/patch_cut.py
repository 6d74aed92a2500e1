"""Cut a grid into windows of pixels, the patches: which rows and columns, and how many pixels each has."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import computed
from skgeo._input.patch_table import axis_windows, share_left_out, warn_left_out, window_shares, windows
from skgeo._kernels.axis_gaps import contiguous_blocks
from skgeo._kernels.cell_places import inside_shares
from skgeo._kernels.sphere import band_heights
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_pair, check_parameter, is_real
from skgeo.exceptions import CoordinateError


class Cut(NamedTuple):
    """Patches of a grid: row and column of the first pixels (n, 2), pixel counts (n, 2), and the pixels asked for."""

    index: Integers
    count: Integers
    size: tuple[int, int]

    def take(self, chosen: Any) -> "Cut":
        """Some of the patches."""
        return self._replace(index=self.index[chosen], count=self.count[chosen])


def cut_patches(
    grid: Any, patch_size: Any, stride: Any = None, *, partial: bool | None = None, min_fraction: float = 0.0
) -> Cut:
    """The patches of a LatLonGrid or a CellGrid, with the options of their methods ``patches``."""
    # Only a CellGrid has solid angles.
    if hasattr(grid, "solid_angles"):
        return cut_cells(grid, patch_size, stride, partial, min_fraction)[0]
    return cut_grid(grid, patch_size, stride, partial, min_fraction)


def cut_grid(grid: Any, patch_size: Any, stride: Any, partial: bool | None, min_fraction: float) -> Cut:
    """The patches of a LatLonGrid; none crosses a gap of an axis."""
    sizes, strides = _check_cut(patch_size, stride, min_fraction)
    known = partial is None or isinstance(partial, bool | np.bool_)
    check_parameter("partial", partial, known, "True, False or None")
    # Windows are cut from each part of an axis on its own, so that no patch crosses a gap.
    blocks = contiguous_blocks(grid.latitude_edges), contiguous_blocks(grid.longitude_edges)
    rows = axis_windows("latitude", blocks[0], sizes[0], strides[0], bool(partial), closed=False)
    columns = axis_windows("longitude", blocks[1], sizes[1], strides[1], bool(partial), closed=grid.closed)
    # The area of a cell is a factor of its row times a factor of its column.
    heights = band_heights(*grid.latitude_edges.T)
    widths = np.radians(np.diff(grid.longitude_edges, axis=1))[:, 0]
    if partial is None or partial:
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
    if cut.index.size == 0:
        raise ValueError(f"min_fraction={min_fraction!r}: no patch has that much of its area in the mask; lower it.")
    return cut


def cut_cells(
    cells: Any, patch_size: Any, stride: Any, partial: bool | None, min_fraction: float
) -> tuple[Cut, FloatArray, FloatArray]:
    """The patches of a CellGrid with a pixel that has a place, and the latitudes and longitudes of its cells."""
    if len(cells.shape) != 2:
        raise CoordinateError(f"The {cells.shape[0]} cells have no rows and columns to cut patches from.")
    sizes, strides = _check_cut(patch_size, stride, min_fraction)
    dropped = partial is None or partial is False
    check_parameter("partial", partial, dropped, "None or False: all patches of a stack have one shape")
    names = ("rows", "columns")
    rows, columns = (
        axis_windows(name, [(0, length)], size, step, False, closed=False)
        for name, length, size, step in zip(names, cells.shape, sizes, strides, strict=True)
    )
    cut = Cut(*windows(rows, columns), sizes)
    # Present cells of unknown areas all count the same.
    areas = np.isfinite(cells.latitude) if cells.solid_angles is None else cells.solid_angles
    latitude, longitude, areas, inside = computed(
        cells.latitude, cells.longitude, areas, areas if cells.mask is None else areas * cells.mask
    )
    # One warning names the rows and columns that no patch reaches, at the ends or between strides.
    if partial is None and (rows.left_out.any() or columns.left_out.any()):
        covered = float(inside[np.ix_(~rows.left_out, ~columns.left_out)].sum())
        share = 1.0 - covered / max(float(inside.sum()), covered) if inside.any() else 0.0
        warn_left_out(rows, columns, names, share, "other sizes and strides leave less")
    of_windows = (cell_windows(values, cut) for values in (areas, inside))
    # The tolerance is for rounding. A patch without any present pixel has no place.
    kept = inside_shares(*of_windows) >= min_fraction - 1e-9
    kept &= cell_windows(np.isfinite(latitude), cut).any(axis=(1, 2))
    if not kept.any():
        raise ValueError(f"min_fraction={min_fraction!r}: no patch has that much of its area in the mask; lower it.")
    return cut.take(kept), latitude, longitude


def cell_windows(values: npt.NDArray[Any], cut: Cut) -> npt.NDArray[Any]:
    """The values (n, h, w) of whole patches, of values of cells."""
    return np.lib.stride_tricks.sliding_window_view(values, cut.size)[tuple(cut.index.T)]


def _check_cut(patch_size: Any, stride: Any, min_fraction: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels of a patch, and pixels from one patch to the next, along rows and columns."""
    sizes = check_pair(patch_size, "patch_size")
    valid = is_real(min_fraction) and 0.0 <= min_fraction <= 1.0
    check_parameter("min_fraction", min_fraction, valid, "a number in [0, 1]")
    return sizes, sizes if stride is None else check_pair(stride, "stride")
