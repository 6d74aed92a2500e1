"""Values of a field in patches, and back: arrays of NumPy and dask, and tensors, whose rows and columns come last.

Tensors are used through their own methods, so that torch is not imported.
"""

import math
from collections.abc import Collection, Hashable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import is_lazy
from skgeo._patches.cut import Cut
from skgeo._typing import Bools, Integers
from skgeo._validation import check_parameter, import_optional

# Bytes of a chunk of patches that is cut from a dask array.
_CHUNK_BYTES = 2**26


def is_tensor(values: object) -> bool:
    """Whether values are a tensor of torch. The name of its module decides, so that torch is not imported."""
    return any(kind.__module__.partition(".")[0] == "torch" for kind in type(values).__mro__)


def as_field(values: Any, name: str) -> Any:
    """An array of NumPy or dask, or a tensor. Masked values become NaN; refused if the dtype has no NaN."""
    if is_tensor(values) or is_lazy(values):
        return values
    # Rows and columns of a frame have labels. These labels may belong to other places.
    unlabelled = not hasattr(values, "columns")
    check_parameter(name, type(values).__name__, unlabelled, "an array, a tensor or a DataArray: give .to_numpy()")
    if np.ma.isMaskedArray(values):
        if np.ma.is_masked(values) and values.dtype.kind not in "fc":
            raise ValueError(
                f"{name} has masked values of {values.dtype}, which has no NaN: fill them, {name}.filled(0), or "
                f"convert, {name}.astype(float)."
            )
        return values.filled(np.nan) if np.ma.is_masked(values) else values.data
    return np.asarray(values)


def check_field(field: Any, shape: tuple[int, ...], name: str = "field") -> None:
    """Refuse a field whose last two dimensions are not those of the grid."""
    given = tuple(field.shape)
    cure = f", {name}.compute_chunk_sizes()" if any(length != length for length in given) else ""
    # Channels often come last, and axes are often in another order: say what brings them to the grid.
    if len(given) > 2 and given[-3:-1] == shape:
        cure = f", np.moveaxis({name}, -1, 0)"
    elif given[-2:] == shape[::-1]:
        cure = f", np.swapaxes({name}, -1, -2)"
    elif given[-1:] == (shape[0] * shape[1],):
        cure = f", {name}.reshape({(*given[:-1], *shape)})"
    if given[-2:] != shape:
        raise ValueError(f"{name} has shape {given}: expected (..., {shape[0]}, {shape[1]}), the grid's shape{cure}.")


def name_of(field: Any) -> str:
    """What messages call a DataArray."""
    return "field" if field.name is None else f"field {field.name!r}"


def check_free_names(field: Any, names: Collection[Hashable], reserved: Collection[Hashable]) -> None:
    """Refuse a DataArray with names that the labels of patches have: the labels would replace its coordinates."""
    taken = sorted(map(str, {*names} & {*reserved}))
    if taken:
        raise ValueError(
            f"{name_of(field)} has the names {taken}, which patches have: rename, "
            f"field.rename({{{taken[0]!r}: 'my_{taken[0]}'}})."
        )


def check_fill(values: Any, fill_value: Any, needed: bool, name: str = "field") -> Any:
    """The value of pixels beyond a patch, in the dtype of the values; refused if the dtype cannot hold it."""
    if not needed:
        return None
    dtype = _dtype(values)
    if fill_value is None:
        if dtype.kind == "b":
            return False
        if dtype.kind not in "fcmM":
            raise ValueError(
                f"{name} is {values.dtype}, which has no NaN for the pixels beyond the partial patches: give "
                "fill_value=, for instance 0, or convert it with astype(float)."
            )
        return np.array("NaT", dtype=dtype)[()] if dtype.kind in "mM" else np.nan
    try:
        with np.errstate(all="ignore"):
            filled = np.array(fill_value).astype(dtype)
        # A fraction or NaN among integers, or a number out of their range, would become another number.
        same = filled.ndim == 0 and (dtype.kind in "fc" or bool(filled == np.array(fill_value)))
    except (TypeError, ValueError):
        same = False
    check_parameter("fill_value", fill_value, same, f"a number that {values.dtype} holds")
    return filled[()]


def _dtype(values: Any) -> np.dtype[Any]:
    """The NumPy dtype of values; for a tensor, a NumPy dtype of the same kind."""
    if not is_tensor(values):
        return np.dtype(values.dtype)
    if values.is_floating_point():
        return np.dtype(np.float64)
    text = str(values.dtype).removeprefix("torch.")
    return np.dtype({"complex32": "complex64"}.get(text, text))


def pixels_of(cut: Cut, shape: tuple[int, ...]) -> tuple[Integers, Integers, Bools | None]:
    """Row (n, h) and column (n, w) of the pixels of patches, and which belong to them (n, h, w), None if all do.

    Columns beyond the seam are the first columns of the grid. A pixel beyond a partial patch gets the row and column of
    the first pixel of the patch.
    """
    (first_row, first_column), (n_rows, n_columns) = cut.first.T[:, :, np.newaxis], cut.counts.T[:, :, np.newaxis]
    height, width = np.arange(cut.size[0]), np.arange(cut.size[1])
    rows, columns = first_row + height * (height < n_rows), first_column + width * (width < n_columns)
    whole = bool((cut.counts == cut.size).all())
    inside = None if whole else (height < n_rows)[:, :, np.newaxis] & (width < n_columns)[:, np.newaxis, :]
    return rows, columns % shape[1], inside


def cut_field(field: Any, cut: Cut, fill_value: Any) -> Any:
    """The values (..., n, h, w) in patches of a field (..., n_rows, n_columns); ``fill_value`` is checked."""
    if is_lazy(field):
        return _cut_chunks(field, cut, fill_value)
    return _cut_array(field, cut, fill_value)


def _cut_array(field: Any, cut: Cut, fill_value: Any) -> Any:
    """The values (..., n, h, w) in patches of an array or a tensor in memory: a view if patches lie evenly there."""
    steps = _even_steps(cut, field.shape)
    if steps is not None and not is_tensor(field):
        windows = np.lib.stride_tricks.sliding_window_view(field, cut.size, axis=(-2, -1))
        shape = (*field.shape[:-2], len(cut.first), *cut.size)
        # NumPy copies only if rows and columns of patches have no common step. Views are read-only.
        return windows[(..., *steps, slice(None), slice(None))].reshape(shape)
    rows, columns, inside = pixels_of(cut, tuple(field.shape)[-2:])
    values = field[..., rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
    if inside is None:
        return values
    if is_tensor(field):
        return values.masked_fill(field.new_tensor(~inside).bool(), fill_value)
    values[..., ~inside] = fill_value
    return values


def _even_steps(cut: Cut, shape: Any) -> tuple[slice, slice] | None:
    """Slices of the first rows and columns, if patches are whole, evenly spaced and before the seam; else None."""
    if (cut.counts != cut.size).any() or (cut.first + cut.size > tuple(shape)[-2:]).any():
        return None
    starts = [np.unique(along) for along in cut.first.T]
    # Slices give all pairs of rows and columns, sorted, with columns fastest.
    pairs = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
    steps = [np.diff(along) for along in starts]
    if not (np.array_equal(pairs, cut.first) and all((step == step[:1]).all() for step in steps)):
        return None
    rows, columns = (
        slice(int(along[0]), int(along[-1]) + 1, int(step[0]) if step.size else None)
        for along, step in zip(starts, steps, strict=True)
    )
    return rows, columns


def _cut_chunks(field: Any, cut: Cut, fill_value: Any) -> Any:
    """The values (..., n, h, w) in patches of a dask array. A chunk needs the chunks of the field that it touches."""
    da = import_optional("dask.array", "chunked data", "xarray")
    ndim, n_columns = field.ndim, field.shape[-1]
    patch_bytes = field.dtype.itemsize * math.prod(cut.size) * math.prod(map(max, field.chunks[:-2]))
    parts = []
    for run in _runs(cut, field.chunks[-2], max(1, _CHUNK_BYTES // max(1, patch_bytes))):
        local, rows, columns = bounding_box(cut.take(run), n_columns)
        box = da.concatenate([field[..., rows, part] for part in columns], axis=-1)
        box = box.rechunk({ndim - 2: -1, ndim - 1: -1})
        chunks = (*box.chunks[:-2], (len(local.first),), *((pixels,) for pixels in cut.size))
        meta = np.empty((0,) * (ndim + 1), dtype=field.dtype)
        parts.append(
            box.map_blocks(_cut_block, cut=local, fill_value=fill_value, new_axis=ndim, chunks=chunks, meta=meta)
        )
    return da.concatenate(parts, axis=ndim - 2)


def bounding_box(cut: Cut, n_columns: int) -> tuple[Cut, slice, list[slice]]:
    """The patches relative to the box around them, and the rows and columns of the box; two slices across the seam."""
    first, last = cut.first.min(axis=0), (cut.first + cut.counts).max(axis=0)
    west, east = int(first[1]), int(last[1])
    columns = [slice(west, min(east, n_columns))]
    if east - west >= n_columns:
        first[1], columns = 0, [slice(0, n_columns)]
    elif east > n_columns:
        columns.append(slice(0, east - n_columns))
    return cut._replace(first=cut.first - first), slice(int(first[0]), int(last[0])), columns


def _cut_block(block: npt.NDArray[Any], *, cut: Cut, fill_value: Any) -> npt.NDArray[Any]:
    """The values in patches of one block of a dask array."""
    return np.asarray(_cut_array(block, cut, fill_value))


def _runs(cut: Cut, row_chunks: tuple[int, ...], most: int) -> list[slice]:
    """Runs of at most ``most`` patches that start in the same chunk of rows."""
    band = np.searchsorted(np.cumsum(row_chunks), cut.first[:, 0], side="right")
    edges = [0, *(np.flatnonzero(np.diff(band)) + 1).tolist(), len(band)]
    return [slice(at, min(at + most, stop)) for start, stop in pairwise(edges) for at in range(start, stop, most)]


def put_back(values: Any, cut: Cut, shape: tuple[int, ...], weights: Any) -> Any:
    """The field (..., n_rows, n_columns) of values (..., n, h, w): weighted means, NaN where no patch has a value."""
    if not is_lazy(values):
        return _put_array(values, cut, shape, weights)
    ndim = values.ndim
    # A block holds all patches, because patches that overlap may be far apart in their order. The chunks of the leading
    # dimensions stay, unless such blocks are large.
    chunks = {ndim - 3: -1, ndim - 2: -1, ndim - 1: -1}
    block = math.prod(map(max, values.chunks[:-3])) * math.prod(values.shape[-3:]) * values.dtype.itemsize
    values = values.rechunk(chunks | (dict.fromkeys(range(ndim - 3), "auto") if block > 2 * _CHUNK_BYTES else {}))
    dtype = _mean_dtype(values.dtype)
    chunks = (*values.chunks[:-3], *((length,) for length in shape))  # type: ignore[assignment]
    return values.map_blocks(
        _put_array,
        cut=cut,
        shape=shape,
        weights=weights,
        drop_axis=ndim - 1,
        chunks=chunks,
        meta=np.empty((0,) * (ndim - 1), dtype=dtype),
    )


def _mean_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of means: the dtype of floating and complex values; float64 for integers and booleans."""
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


def _put_array(values: Any, cut: Cut, shape: tuple[int, ...], weights: Any = None) -> Any:
    """The field of :func:`put_back`, from values in an array in memory or in a tensor."""
    if is_tensor(values):
        exact = values.is_floating_point() or values.is_complex()
        values = values if exact else values.double()
    else:
        values = values.astype(_mean_dtype(values.dtype), copy=False)
    rows, columns, inside = pixels_of(cut, shape)
    number, i, j = np.nonzero(np.ones((len(rows), *cut.size), dtype=bool) if inside is None else inside)
    row, column = rows[number, i], columns[number, j]
    apart = np.bincount(row * shape[1] + column, minlength=1).max() <= 1
    if weights is not None or not apart:
        return _mean_of_overlaps(values, (rows, columns, inside), shape, weights)
    # If each pixel is in one patch at most, values are only moved.
    filled = (*values.shape[:-3], *shape)
    field = values.new_full(filled, float("nan")) if is_tensor(values) else np.full(filled, np.nan, values.dtype)
    if inside is None:
        field[..., rows[:, :, np.newaxis], columns[:, np.newaxis, :]] = values
    else:
        field[..., row, column] = values[..., number, i, j]
    return field


def _mean_of_overlaps(
    values: Any, pixels: tuple[Integers, Integers, Bools | None], shape: tuple[int, ...], weights: Any
) -> Any:
    """The weighted means. Arrays are summed in double precision or better, tensors in single precision or better."""
    rows, columns, inside = pixels
    tensor, dtype = is_tensor(values), values.dtype
    if tensor:
        values = values.float() if values.itemsize < 4 else values
    else:
        values = values.astype(np.result_type(dtype, np.float64), copy=False)
    zeros = values.new_zeros if tensor else np.zeros
    total: Any = zeros((*values.shape[:-3], *shape), dtype=values.dtype)
    weight: Any = zeros((*values.shape[:-3], *shape), dtype=values.real.dtype)
    for i, j in np.ndindex(*values.shape[-2:]):
        chosen = slice(None) if inside is None else np.flatnonzero(inside[:, i, j])
        # The pixels (i, j) of different patches are different pixels of the grid: none is added to twice.
        at = (..., rows[chosen, i], columns[chosen, j])
        pixel: Any = values[..., chosen, i, j]
        known = pixel == pixel  # False for NaN
        share = known * 1.0
        if weights is not None:
            weight_of_pixel = weights[chosen, i, j]
            share = known * (values.real.new_tensor(weight_of_pixel) if tensor else weight_of_pixel)
        # An infinite value without a weight would be NaN in the sum.
        filled = pixel.masked_fill(share == 0.0, 0.0) if tensor else np.where(share > 0.0, pixel, 0.0)
        # The mean of opposite infinities is NaN, without a warning of NumPy.
        with np.errstate(invalid="ignore"):
            total[at] += filled * share
        weight[at] += share
    absent = weight == 0.0
    if tensor:
        mean = (total / weight.masked_fill(absent, 1.0)).masked_fill(absent, float("nan"))
        return mean.to(dtype)
    weight[absent] = np.nan
    return (total / weight).astype(dtype, copy=False)
