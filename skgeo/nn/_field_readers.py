"""Readers of fields for ``PatchDataset``: the values of windows of pixels, or of cells, at one time."""

from collections.abc import Hashable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.cf import fields_of, find_both
from skgeo._input.chunks import is_lazy
from skgeo._input.field_alignment import field_order
from skgeo._patches.cell_fields import fields_on_cells
from skgeo._patches.cell_members import check_flat
from skgeo._patches.values import as_field, check_field
from skgeo._typing import Integers
from skgeo._validation import check_parameter

# Cells of one dimension are read together if at most this number of cells lies between them: files have chunks.
_BETWEEN = 1024
# The dimensions of arrays, for each number of dimensions of the grid.
_SHAPES = {
    1: "(time, channel, n_cells), (time, n_cells) or (n_cells,)",
    2: "(time, channel, n_rows, n_columns), (time, n_rows, n_columns) or (n_rows, n_columns)",
}


class FieldReader:
    """A field at its times. ``shape`` has the sizes of its dimensions in space, ``times`` a label for each time."""

    shape: tuple[int, ...]
    times: list[Any]

    def _part(self, time: int, along: tuple[slice, ...]) -> Any:
        """Values (channel, ...) of a part of the dimensions in space, in memory and in floating point."""
        raise NotImplementedError

    def read(self, time: int, rows: slice, columns: list[slice]) -> Any:
        """Values (channel, row, column) of a box, whose columns may come in several parts."""
        parts = [self._part(time, (rows, part)) for part in columns]
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts, dim=-1) if isinstance(parts[0], Tensor) else np.concatenate(parts, axis=-1)

    def read_cells(self, time: int, cells: Integers) -> Any:
        """Values (channel, n) of cells at positions in C order. Only boxes around the cells are read."""
        parts, order = [], []
        for along, chosen, inside in _boxes(cells, self.shape):
            parts.append(self._part(time, along)[(slice(None), *inside)])
            order.append(chosen)
        back = np.argsort(np.concatenate(order))
        joined = torch.cat(parts, dim=-1) if isinstance(parts[0], Tensor) else np.concatenate(parts, axis=-1)
        return joined[:, back]


def _boxes(
    cells: Integers, shape: tuple[int, ...]
) -> Iterator[tuple[tuple[slice, ...], Integers, tuple[Integers, ...]]]:
    """Yield boxes of an array of this shape: slices, positions in ``cells``, and indices of these cells in the box.

    Cells of one dimension have a box for each run without long gaps. Cells on faces have a box for each face.
    """
    at = np.unravel_index(cells, shape)
    if len(shape) == 1:
        order = np.argsort(cells, kind="stable")
        group = np.empty(cells.size, dtype=np.intp)
        group[order] = np.cumsum(np.diff(cells[order], prepend=cells[order[0]]) > _BETWEEN)
    else:
        group = np.zeros(cells.size, dtype=np.intp)
        for axis, size in zip(at[:-2], shape[:-2], strict=True):
            group = group * size + axis
    order = np.argsort(group, kind="stable")
    for _, same in groupby(order.tolist(), key=group.__getitem__):
        chosen = np.fromiter(same, dtype=np.intp)
        first = [int(axis[chosen].min()) for axis in at]
        along = tuple(slice(low, int(axis[chosen].max()) + 1) for low, axis in zip(first, at, strict=True))
        yield along, chosen, tuple(axis[chosen] - low for low, axis in zip(first, at, strict=True))


class PlainField(FieldReader):
    """An array (time, channel, *space), or with fewer dimensions, that is read by slices."""

    def __init__(self, field: Any, grid: LatLonGrid | CellGrid, channel_dim: str | None) -> None:
        check_parameter("channel_dim", channel_dim, channel_dim is None, "None for an array: its channels are second")
        # Arrays of Zarr and HDF5 have a shape and slices, but are no NumPy arrays. They are read when a sample is read.
        sliced = hasattr(field, "shape") and hasattr(field, "dtype") and not hasattr(field, "columns")
        self.array, self.shape = (field if sliced else as_field(field, "field")), grid.shape
        if len(grid.shape) == 1:
            check_flat(self.array, grid.shape)
        else:
            check_field(self.array, grid.shape)
        n_before = len(self.array.shape) - len(grid.shape)
        check_parameter("field.shape", tuple(self.array.shape), n_before <= 2, _SHAPES[len(grid.shape)])
        _check_numbers(self.array.dtype)
        self.times = list(range(self.array.shape[0] if n_before else 1))

    def _part(self, time: int, along: tuple[slice, ...]) -> Any:
        place: tuple[Any, ...] = (time, slice(None))[: len(self.array.shape) - len(along)]
        box = _loaded(self.array[(*place, *along)])
        return box.reshape(-1, *box.shape[-len(along) :])


class LabelledField(FieldReader):
    """A DataArray, or the variables of a Dataset, one channel after the other."""

    def __init__(self, field: Any, grid: LatLonGrid | CellGrid, channel_dim: str | None) -> None:
        if isinstance(grid, CellGrid):
            self.arrays, order = fields_on_cells(field, grid)
        else:
            axes = find_both(field, 1)
            names = [axis.name for axis in axes]
            field = field.set_coords(names) if hasattr(field, "data_vars") else field
            dims = {dim for axis in axes for dim in axis.dims}
            self.arrays = [each for each in fields_of(field) if dims <= set(each.dims) and each.name not in names]
            # All variables of one object share their coordinates.
            order = field_order(self.arrays[0], grid) if self.arrays else dict.fromkeys(dims)
        accepted = f"an object with variables along {sorted(map(str, order))}"
        check_parameter("field", [str(each.name) for each in fields_of(field)], bool(self.arrays), accepted)
        self.dims = tuple(order)
        self.shape = tuple(self.arrays[0].sizes[dim] for dim in self.dims)
        self.positions = [np.arange(n)[order[dim]] for dim, n in zip(self.dims, self.shape, strict=True)]
        self.channel_dim = channel_dim
        leading = [tuple(dim for dim in each.dims if dim not in (*self.dims, channel_dim)) for each in self.arrays]
        if len({frozenset(each) for each in leading}) > 1:
            said = {str(each.name): each.dims for each in self.arrays}
            raise ValueError(f"field has variables of different dimensions, {said}: select variables, field[[...]].")
        has_channels = channel_dim is None or any(channel_dim in each.dims for each in self.arrays)
        check_parameter("channel_dim", channel_dim, has_channels, f"None or one of {self.arrays[0].dims}")
        for each in self.arrays:
            _check_numbers(each.dtype)
        self.leading: tuple[Hashable, ...] = leading[0]
        self.sizes = tuple(self.arrays[0].sizes[dim] for dim in self.leading)
        labels = [
            list(field.coords[dim].values) if dim in field.coords else list(range(size))
            for dim, size in zip(self.leading, self.sizes, strict=True)
        ]
        self.times = _products(labels)

    def _part(self, time: int, along: tuple[slice, ...]) -> npt.NDArray[Any]:
        at = np.unravel_index(time, self.sizes) if self.sizes else ()
        place = {dim: int(number) for dim, number in zip(self.leading, at, strict=True)}
        within = {dim: _as_slice(each[of]) for dim, each, of in zip(self.dims, self.positions, along, strict=True)}
        channels = []
        for array in self.arrays:
            box = array.isel(place | within)
            # Change the order of the dimensions after reading, because a file is read fastest in its own order.
            order = [box.dims.index(dim) for dim in (*(set(box.dims) - set(self.dims)), *self.dims)]
            values = _loaded(box.data).transpose(order)
            channels.append(values.reshape(-1, *values.shape[-len(along) :]))
        return np.concatenate(channels)


def _products(labels: list[list[Any]]) -> list[Any]:
    """All combinations of labels; the last label varies fastest. For one dimension, the labels themselves."""
    if len(labels) == 1:
        return labels[0]
    combined: list[Any] = [()]
    for along in labels:
        combined = [(*before, label) for before in combined for label in along]
    return combined if labels else [0]


def _as_slice(positions: Integers) -> Any:
    """Positions as a slice if they are consecutive, because files are read fastest by slices; else the positions."""
    if len(positions) == 1:
        return slice(int(positions[0]), int(positions[0]) + 1)
    step = int(positions[1] - positions[0])
    if abs(step) != 1 or (np.diff(positions) != step).any():
        return positions
    stop = int(positions[-1]) + step
    return slice(int(positions[0]), None if stop < 0 else stop, step)


def _loaded(values: Any) -> Any:
    """Values in memory, in floating point. dask computes in this thread: its workers could block those of a loader."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return values if values.is_floating_point() else values.double()
    values = values.compute(scheduler="synchronous") if is_lazy(values) else values
    # Variables of netCDF4 are read as masked arrays.
    return np.asarray(np.ma.filled(values.astype(np.result_type(values.dtype, np.float32), copy=False), np.nan))


def _check_numbers(dtype: Any) -> None:
    """Refuse a field of other values than real numbers and booleans."""
    real = dtype != torch.complex64 and dtype != torch.complex128 if isinstance(dtype, torch.dtype) else None
    check_parameter("field.dtype", dtype, np.dtype(dtype).kind in "fiub" if real is None else real, "real numbers")
