"""Find patches in a grid: the rows and columns of the cells that are their pixels, and the weights of the pixels."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skgeo._input.chunks import computed
from skgeo._input.patch_table import Patches, PixelStack
from skgeo._kernels.sphere import Boxes
from skgeo._kernels.threads import row_blocks
from skgeo._patches.cut import Cut
from skgeo._patches.values import pixels_of
from skgeo._typing import Bools, FloatArray, Integers
from skgeo.exceptions import CoordinateError

# Share of the width of a cell: edges of a patch and of a cell with a smaller distance are the same edge.
_SAME_EDGE = 0.1


def find_patches(grid: Any, patches: Patches | PixelStack) -> Cut:
    """The cut that describes patches of a LatLonGrid or CellGrid. Refuses patches that are not in the grid."""
    # Only a CellGrid has solid angles.
    if isinstance(patches, PixelStack) != hasattr(grid, "solid_angles"):
        given = "a stack of pixel centres" if isinstance(patches, PixelStack) else "a patch table"
        raise CoordinateError(f"X is {given}, and grid is a {type(grid).__name__}: give the grid that X was cut from.")
    if isinstance(patches, PixelStack):
        cut, found = _find_stacks(grid, patches)
    else:
        cut, found = _find_boxes(grid, patches.boxes)
    _refuse_lost(found)
    return cut


def _refuse_lost(found: Bools) -> None:
    """Refuse patches that are not in the grid."""
    lost = np.flatnonzero(~found)
    if lost.size:
        raise CoordinateError(
            f"X has {lost.size} patches whose pixels are no cells of the grid, first row {lost[0]}: give the grid that "
            "they were cut from, set_params(grid=...)."
        )


def mask_stack(grid: Any, stack: PixelStack, *, keep_outside: bool = False) -> PixelStack:
    """A stack of cells in any order, with the areas of the cells inside the mask of the grid of the stack.

    The cells of the grid are found by their centres. A patch without a cell inside has no area in the result;
    with ``keep_outside`` it has the areas of all of its cells.
    """
    if not hasattr(grid, "solid_angles"):
        raise CoordinateError(f"X is a stack of cells, and grid is a {type(grid).__name__}: give the grid of X.")
    assert stack.areas is not None
    grid = in_memory(grid)
    centres = [axis.astype(stack.dtype).astype(np.float64).ravel() for axis in (grid.latitude, grid.longitude)]
    places, wanted = centres[0] + 1j * centres[1], stack.latitude + 1j * stack.longitude
    # Cells at one place have one mask.
    order = np.argsort(places, kind="stable")
    at = order[np.minimum(np.searchsorted(places[order], wanted), places.size - 1)]
    present = np.isfinite(stack.latitude)
    _refuse_lost(((places[at] == wanted) | ~present).all(axis=(1, 2)))
    inside = 1.0 if grid.mask is None else np.asarray(grid.mask, dtype=np.float64).ravel()[at]
    areas = stack.areas * inside
    if keep_outside:
        outside = ~(np.nan_to_num(areas) > 0.0).any(axis=(1, 2), keepdims=True)
        areas = np.where(outside, stack.areas, areas)
    return stack._replace(areas=areas)


def _find_boxes(grid: Any, boxes: Boxes) -> tuple[Cut, Any]:
    """The pixels of boxes, and which of the boxes have their edges and pixel counts in the grid."""
    shape = grid.shape
    south, at_south = _nearest_edge(grid.latitude_edges[:, 0], boxes.south, np.inf, grid.latitude_edges)
    north, at_north = _nearest_edge(grid.latitude_edges[:, 1], boxes.north, np.inf, grid.latitude_edges)
    west, at_west = _nearest_edge(grid.longitude_edges[:, 0], boxes.west, 360.0, grid.longitude_edges)
    east, at_east = _nearest_edge(grid.longitude_edges[:, 1], boxes.east, 360.0, grid.longitude_edges)
    # Rows may run southward, and columns westward: the first pixel is then the northern, or the eastern one.
    first_row, last_row = np.minimum(south, north), np.maximum(south, north)
    westward = grid.longitude_edges[0, 0] > grid.longitude_edges[-1, 0]
    first_column, last_column = (east, west) if westward else (west, east)
    # Columns may continue across the seam.
    count = np.column_stack([last_row - first_row, (last_column - first_column) % shape[1]]) + 1
    found = at_south & at_north & at_west & at_east
    found &= (count[:, 0] == boxes.n_lat) & (count[:, 1] == boxes.n_lon)
    found &= grid.closed | (first_column <= last_column)
    size = (int(boxes.n_lat.max()), int(boxes.n_lon.max()))
    return Cut(np.column_stack([first_row, first_column]), count, size), found


def _nearest_edge(edges: FloatArray, wanted: FloatArray, turn: float, cells: FloatArray) -> tuple[Integers, Any]:
    """The position of the edge nearest to each wanted edge, up to whole turns, and whether both are the same edge."""
    order = np.argsort(edges, kind="stable")
    ordered = edges[order]
    if np.isfinite(turn):
        # Repeat the edges at both ends one turn further, and move the wanted edges into the first turn.
        ordered = np.concatenate([ordered[-1:] - turn, ordered, ordered[:1] + turn])
        order = np.concatenate([order[-1:], order, order[:1]])
        wanted = (wanted - edges.min()) % turn + edges.min()
    right = np.clip(np.searchsorted(ordered, wanted), 1, max(1, len(ordered) - 1))
    left = right - 1
    right = np.minimum(right, len(ordered) - 1)
    nearest = np.where(np.abs(ordered[left] - wanted) <= np.abs(ordered[right] - wanted), left, right)
    height = np.diff(cells, axis=1)[order[nearest], 0]
    return order[nearest], np.abs(ordered[nearest] - wanted) <= _SAME_EDGE * height


def _find_stacks(cells: Any, stack: PixelStack) -> tuple[Cut, Any]:
    """The pixels of stacks, and which of the stacks have the centres of a window of the cells."""
    centres = [axis.astype(stack.dtype) for axis in computed(cells.latitude, cells.longitude)]
    n, height, width = stack.latitude.shape
    places = centres[0].astype(np.float64).ravel() + 1j * centres[1].astype(np.float64).ravel()
    order = np.argsort(places, kind="stable")
    # Look up the first pixel of each stack that is not missing. Several cells may have its place.
    anchor = np.isfinite(stack.latitude).reshape(n, -1).argmax(axis=1)
    offset = np.column_stack(np.divmod(anchor, width))
    of_anchor = [axis.reshape(n, -1)[np.arange(n), anchor] for axis in (stack.latitude, stack.longitude)]
    wanted = of_anchor[0] + 1j * of_anchor[1]
    low, high = (np.searchsorted(places[order], wanted, side=side) for side in ("left", "right"))
    index, found = np.zeros((n, 2), dtype=np.intp), np.zeros(n, dtype=bool)
    size = np.broadcast_to(np.array([height, width]), (n, 2))
    for step in range(int((high - low).max(initial=0))):
        # Try the next cell at the place, for the stacks that are still to be found.
        tried = np.flatnonzero(~found & (low + step < high))
        first = np.column_stack(np.divmod(order[low[tried] + step], cells.shape[1])) - offset[tried]
        inside = ((first >= 0) & (first + size[tried] <= cells.shape)).all(axis=1)
        tried, first = tried[inside], first[inside]
        rows, columns, _ = pixels_of(Cut(first, size[tried], (height, width)), cells.shape)
        same = np.ones(len(tried), dtype=bool)
        for own, axis in zip(centres, (stack.latitude, stack.longitude), strict=True):
            window = own[rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
            same &= ((window == axis[tried]) | (np.isnan(window) & np.isnan(axis[tried]))).all(axis=(1, 2))
        index[tried[same]], found[tried[same]] = first[same], True
    return Cut(index, size, (height, width)), found


def in_memory(grid: Any) -> Any:
    """The grid with its chunked arrays computed."""
    if not grid.chunked:
        return grid
    names = [name for name in ("latitude", "longitude", "mask", "solid_angles") if hasattr(grid, name)]
    arrays = computed(*(getattr(grid, name) for name in names))
    return grid._replace(dict(zip(names, arrays, strict=True)))


def cells_of(grid: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Latitudes, longitudes and areas on the unit sphere of the cells of a grid in memory, of its shape."""
    if not hasattr(grid, "solid_angles"):
        latitude, longitude = grid.latitude[:, np.newaxis], grid.longitude
        return np.broadcast_to(latitude, grid.shape), np.broadcast_to(longitude, grid.shape), grid.cell_areas(1.0)
    # Present cells of unknown areas count equally.
    areas = np.isfinite(grid.latitude) * 1.0 if grid.solid_angles is None else grid.solid_angles
    return grid.latitude, grid.longitude, areas


def covered_cells(grid: Any, cut: Cut) -> Bools:
    """Which cells of a grid are pixels of patches."""
    rows, columns, _ = pixels_of(cut, grid.shape)
    covered = np.zeros(grid.shape, dtype=bool)
    # Pixels beyond a partial patch have the row and column of its first pixel, which is covered in any case.
    covered[rows[:, :, np.newaxis], columns[:, np.newaxis, :]] = True
    return covered


def grid_pixels(grid: Any, cut: Cut, most: int) -> Iterator[tuple[Integers, FloatArray, FloatArray]]:
    """Yield the patch number (n,), the centre (n, 2) and the weight (n,) of at most ``most`` pixels, patch after patch.

    The weight is the area of the cell times the mask. If all weights of a patch are zero, its pixels count by their
    areas. If all areas are zero too, its pixels count equally.
    """
    grid = in_memory(grid)
    latitude, longitude, areas = cells_of(grid)
    for block in row_blocks(len(cut.first), cut.size[0] * cut.size[1], most):
        rows, columns, inside = pixels_of(cut.take(block), grid.shape)
        at = rows[:, :, np.newaxis], columns[:, np.newaxis, :]
        within = 1.0 if inside is None else inside.astype(np.float64)
        choices = [areas[at] * within, np.isfinite(latitude[at]) * within]
        if grid.mask is not None:
            choices.insert(0, choices[0] * grid.mask[at])
        # The next choice counts only for patches whose weights are all zero.
        weight = choices[0]
        for other in choices[1:]:
            weight = np.where(weight.any(axis=(1, 2), keepdims=True), weight, other)
        chosen = weight > 0.0
        patch = block.start + np.nonzero(chosen)[0]
        points, weight = np.column_stack([latitude[at][chosen], longitude[at][chosen]]), weight[chosen]
        for first in range(0, patch.size, most):
            part = slice(first, first + most)
            yield patch[part], points[part], weight[part]
