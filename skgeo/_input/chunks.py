"""Bridge to dask: work on chunked arrays and DataFrames block by block. dask is imported only for such input."""

import math
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._validation import DELAY, import_optional, is_interactive, libraries_of

#: The libraries of dask arrays and DataFrames.
DASK = frozenset({"dask", "dask_expr"})
# Largest number of bytes in a block of an embedding.
_BLOCK_BYTES = 2**26
# Number of partial sums that one task adds: a tree keeps the memory of each task small.
_BRANCHES = 8


def is_lazy(X: object) -> bool:
    """Whether X is a dask array or DataFrame."""
    return not DASK.isdisjoint(libraries_of(type(X)))


def aligned(*arrays: Any) -> tuple[Any, ...]:
    """Arrays of one shape, all in the chunks of the first chunked one if there is any; None stays None."""
    chunked = [array for array in arrays if is_lazy(array)]
    if not chunked:
        return arrays
    da = _dask_array()
    chunks = chunked[0].chunks
    return tuple(None if array is None else da.asarray(array).rechunk(chunks) for array in arrays)


def chunked_rows(values: npt.NDArray[Any], like: Any) -> Any:
    """An array in chunks along its first axis; ``like`` has the sizes of these chunks."""
    return _dask_array().from_array(values, chunks=(like.chunks[0], *values.shape[1:]))


def map_cells(function: Callable[..., Any], *arrays: Any, halo: int = 0, dtype: npt.DTypeLike = np.float64) -> Any:
    """``function(*arrays)``, block by block if any array is chunked; each block has ``halo`` cells of its neighbours.

    The result has the dimensions that all arrays share: those of the cells. Further dimensions, such as corners, come
    last and are in one chunk.
    """
    if not any(map(is_lazy, arrays)):
        return function(*arrays)
    da = _dask_array()
    n_cells = min(array.ndim for array in arrays)
    chunks = next(array.chunks for array in arrays if is_lazy(array))[:n_cells]
    blocks = [da.asarray(array).rechunk((*chunks, *array.shape[n_cells:])) for array in arrays]
    # The meta array tells dask the dtype, so that it does not call the function on empty arrays.
    meta = np.empty((0,) * n_cells, dtype=dtype)
    if halo:
        return da.map_overlap(function, *blocks, depth=halo, boundary="none", meta=meta)
    indexed = [part for block in blocks for part in (block, tuple(range(block.ndim)))]
    return da.blockwise(function, tuple(range(n_cells)), *indexed, concatenate=True, meta=meta)


def compute(lazy: Any, *, verbose: bool | None = False) -> Any:
    """The value of a lazy object from the active scheduler of dask, with a progress bar if ``verbose`` asks for it."""
    if not (verbose or (verbose is None and is_interactive())):
        return lazy.compute()
    # A cluster has a progress bar of its own: that of dask only follows the schedulers of this machine.
    client = getattr(import_optional("dask.base", "chunked data", "xarray").get_scheduler(), "__self__", None)
    if client is None:
        diagnostics = import_optional("dask.diagnostics", "chunked data", "xarray")
        with diagnostics.ProgressBar(minimum=0.0 if verbose else DELAY):
            return lazy.compute()
    future = client.compute(lazy)
    import_optional("distributed", "a cluster", "xarray").progress(future, notebook=False)
    return future.result()


def fold(work: Callable[..., Any], blocks: list[tuple[Any, ...]], *, verbose: bool | None) -> npt.NDArray[np.float64]:
    """The sum of ``work(*block)`` over blocks of delayed values, summed as a tree."""
    dask = import_optional("dask", "chunked data", "xarray")
    sums = [dask.delayed(work)(*block) for block in blocks]
    while len(sums) > 1:
        sums = [dask.delayed(sum)(sums[i : i + _BRANCHES]) for i in range(0, len(sums), _BRANCHES)]
    return np.asarray(compute(sums[0], verbose=verbose))


def cell_blocks(*arrays: Any, weight: Any = None) -> list[tuple[Any, ...]]:
    """Delayed blocks, in C order, of chunked arrays of one shape and of the weights; None stays None."""
    shape = next(array.shape for array in arrays if array is not None)
    together = aligned(*arrays, None if weight is None else _weights(weight, shape))
    n_blocks = next(array.npartitions for array in together if array is not None)
    delayed = [[None] * n_blocks if array is None else array.to_delayed().ravel() for array in together]
    return list(zip(*delayed, strict=True))


def grid_blocks(rows: Any, columns: Any, closed: bool, mask: Any, weight: Any) -> list[tuple[Any, ...]]:
    """Blocks of a grid: edges of rows and columns, whether the columns close the circle, delayed mask and weight."""
    starts = [np.cumsum((0, *counts)) for counts in mask.chunks]
    parts = [
        [edges[start:stop] for start, stop in pairwise(bounds.tolist())]
        for edges, bounds in zip((rows, columns), starts, strict=True)
    ]
    # Only a block with all columns closes the circle.
    closed = closed and len(parts[1]) == 1
    return [
        (*edges, closed, *values)
        for edges, values in zip(product(*parts), cell_blocks(mask, weight=weight), strict=True)
    ]


def table_blocks(X: Any, sample_weight: Any) -> list[tuple[Any, Any]]:
    """Delayed parts of a dask array or DataFrame, each with the delayed weights of its rows or with None."""
    framed = is_chunked_frame(X)
    if framed:
        parts = list(X.to_delayed())
        # The lengths of the parts of a DataFrame are unknown before they are computed, and only weights need them.
        lengths = tuple(X.map_partitions(len).compute().tolist()) if sample_weight is not None else ()
    else:
        X = _whole_rows(X)
        parts, lengths = list(X.to_delayed().ravel()), X.chunks[0]
    if sample_weight is None:
        return [(part, None) for part in parts]
    if any(map(math.isnan, lengths)):
        raise ValueError("sample_weight needs an X whose chunks have known sizes: X.compute_chunk_sizes().")
    if hasattr(sample_weight, "to_dask_array"):
        sample_weight = sample_weight.to_dask_array(lengths=True)
    weights = _weights(sample_weight, (sum(lengths),))
    return list(zip(parts, weights.rechunk((lengths,)).to_delayed().ravel(), strict=True))


def lazy_rows(model: Any, X: Any) -> Any:
    """The lazy transform of a dask array or DataFrame, in chunks of rows."""
    names = list(model.get_feature_names_out())
    # A delayed model is sent to a worker once, instead of with every block.
    shared = import_optional("dask", "chunked data", "xarray").delayed(model)
    if is_chunked_frame(X):
        pandas = import_optional("pandas", "a dask DataFrame", "pandas")
        single = all(dtype == np.float32 for dtype in X.dtypes)
        meta = pandas.DataFrame(columns=names, dtype=np.float32 if single else np.float64)
        return X.map_partitions(_transform_frame, shared, meta, meta=meta)
    X = _whole_rows(X)
    meta = np.empty((0, len(names)), dtype=np.float32 if X.dtype == np.float32 else np.float64)
    chunks, drop = (X.chunks[0], (len(names),)), list(range(2, X.ndim))
    return X.map_blocks(_transform_block, model=shared, empty=meta, drop_axis=drop, chunks=chunks, meta=meta)


def lazy_cells(embed: Callable[..., Any], *axes: Any, cells_per_row: int, output: tuple[int, np.dtype[Any]]) -> Any:
    """The lazy result (n_cells, n_outputs) of ``embed(*axes)``, in chunks of rows of cells.

    A row of the chunked arrays ``axes`` stands for ``cells_per_row`` cells. ``output`` is (``n_outputs``, dtype).
    """
    n_outputs, dtype = output
    rows = _row_chunks(axes[0].chunks[0], cells_per_row * n_outputs * np.dtype(dtype).itemsize)
    blocks = [axis.rechunk((rows, *axis.shape[1:])) for axis in axes]
    return _dask_array().map_blocks(
        _call,
        *blocks,
        function=import_optional("dask", "chunked data", "xarray").delayed(embed),  # sent once, not with every block
        new_axis=1 if blocks[0].ndim == 1 else None,
        chunks=(tuple(count * cells_per_row for count in rows), (n_outputs,)),
        meta=np.empty((0, 0), dtype=dtype),
    )


def computed(*arrays: Any) -> list[npt.NDArray[Any]]:
    """Arrays in memory; chunked arrays are computed together, so that shared tasks run once."""
    if not any(map(is_lazy, arrays)):
        return list(arrays)
    return list(import_optional("dask", "chunked data", "xarray").compute(*arrays))


def is_chunked_frame(X: Any) -> bool:
    """Whether an object of dask is a DataFrame."""
    # Ask the class: an instance of Delayed has any attribute.
    return hasattr(type(X), "map_partitions") and not is_chunked_array(X)


def is_chunked_array(X: Any) -> bool:
    """Whether an object of dask is an array."""
    return hasattr(type(X), "rechunk")


def _whole_rows(X: Any) -> Any:
    """A dask array in chunks along its first axis only."""
    return X.rechunk(dict.fromkeys(range(1, X.ndim), -1))


def _weights(sample_weight: Any, shape: tuple[int, ...]) -> Any:
    """Weights as a dask array of the given shape; flat weights with the same number of values are reshaped."""
    weights = _dask_array().asarray(sample_weight)
    if weights.shape not in {shape, (math.prod(shape),)}:
        raise ValueError(f"sample_weight has shape {weights.shape}: expected {shape}, one weight per sample.")
    return weights.reshape(shape)


def _dask_array() -> Any:
    """The module ``dask.array``."""
    return import_optional("dask.array", "chunked data", "xarray")


def _row_chunks(rows: tuple[int, ...], row_bytes: int) -> tuple[int, ...]:
    """Numbers of rows in chunks, cut so that none has more than ``_BLOCK_BYTES``."""
    most = max(1, _BLOCK_BYTES // max(1, row_bytes))
    return tuple(min(most, count - start) for count in rows for start in range(0, count, most))


def _transform_frame(part: Any, model: Any, empty: Any) -> Any:
    """The transform of one part of a DataFrame. An empty part, which estimators refuse, gives the empty output."""
    if not len(part):
        return empty
    values = model.transform(part)
    return type(empty)(values, index=part.index, columns=empty.columns).astype(empty.dtypes)


def _transform_block(block: npt.NDArray[Any], *, model: Any, empty: npt.NDArray[Any]) -> Any:
    """The transform of one block of an array. An empty block, which estimators refuse, gives the empty output."""
    return model.transform(block).astype(empty.dtype, copy=False) if len(block) else empty


def _call(*blocks: npt.NDArray[Any], function: Callable[..., Any]) -> Any:
    """``function(*blocks)``, in the form that ``map_blocks`` of dask needs."""
    return function(*blocks)
