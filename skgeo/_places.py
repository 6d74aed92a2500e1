"""Recognise every X, once, and turn it into points, a grid, patches or chunked rows.

Estimators, splitters, reports and displays call :func:`read_places` or :func:`read_patches`. These functions find the
family of X by its type, and call the reader of the family in ``skgeo._input``.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.chunks import DASK, computed, is_chunked_array, is_chunked_frame
from skgeo._input.columns import coordinate_columns, frame_columns, is_geometric
from skgeo._input.coordinates import Points, read_coordinates
from skgeo._input.from_xarray import all_true_mask_like, layout, read_cells, read_grid, read_points
from skgeo._input.numbers import detached
from skgeo._input.patch_table import PATCH_COLUMNS, Patches, PixelStack, read_table_or_stack
from skgeo._typing import FloatArray
from skgeo._validation import check_scaled_weight, libraries_of
from skgeo._values_at_places import GridAxes, Places
from skgeo.exceptions import CoordinateError


class ChunkedRows(NamedTuple):
    """A lazy dask array or DataFrame of rows; the columns of an array are in documented order.

    ``columns`` and ``named`` mean the same as in :class:`Points`.
    """

    rows: Any
    columns: list[str] | None
    named: bool


def read_places(
    X: Any,
    names: Sequence[str] | None = None,
    *,
    allow_missing: bool = False,
    cure: str = "",
    others: bool = False,
    columns_of_array: Sequence[str] = (),
    centres: bool = False,
    chunked: bool = False,
) -> Points | LatLonGrid | CellGrid | ChunkedRows:
    """Recognise X and read it; points are checked here, grids and cells were checked when they were made.

    ``names``, ``allow_missing``, ``cure``, ``others`` and ``columns_of_array`` are the arguments of
    :func:`read_coordinates`. With ``centres``, only the centres of an xarray object are read: its areas may be lost
    without a warning. With ``chunked``, rows of dask are not computed.
    """
    X = detached(X)
    family = _family(X)
    read = partial(read_coordinates, names=names, allow_missing=allow_missing, cure=cure, others=others)
    # Arrays and frames come first, as they are the most frequent input.
    if family == "table":
        return read(X, columns_of_array=columns_of_array)
    if family == "places":
        return X
    named = True
    if family == "xarray":
        X = _read_xarray(X, centres=centres)
        family = _family(X)
        if family == "places":
            return X
        # Rows read from xarray are (latitude, longitude) in this order, even if the columns of the fit were not.
        columns_of_array = ()
    else:
        named = has_names(X)
    # The columns of the fit are parsed only if an array is in their order: pass a function that parses them.
    if family == "chunked" and chunked:
        return _chunked_rows(X, lambda: coordinate_columns(list(columns_of_array), names), columns_of_array, named)
    rows = X.compute() if family == "chunked" else X
    return read(rows, columns_of_array=columns_of_array)._replace(named=named)


def read_patches(
    X: Any, columns_of_array: Sequence[str] = (), *, chunked: bool = False
) -> Patches | PixelStack | ChunkedRows:
    """Recognise X and read it as a patch table or a stack of pixel centres; with ``chunked``, dask is not computed."""
    X = detached(X)
    family = _family(X)
    # A grid is no patch table, but has a method that makes one.
    if family == "places" and not isinstance(X, Points):
        kind = type(X).__name__
        raise CoordinateError(f"X is a {kind}: expected patches, for instance X.patches((16, 16)).")
    if family == "chunked" and chunked:
        # Stacks of pixels have four dimensions, and stacks of cells three.
        return _chunked_rows(X, lambda: PATCH_COLUMNS, columns_of_array, has_names(X), dimensions=(2, 3, 4))
    return read_table_or_stack(X.compute() if family == "chunked" else X, columns_of_array)


Family = Literal["table", "places", "xarray", "chunked"]


def _family(X: object) -> Family:
    """The family of input to which X belongs, by its type alone."""
    kind: Any = type(X)
    return _family_of_type(kind)


@lru_cache(maxsize=512)
def _family_of_type(kind: Hashable) -> Family:
    """The family of a type."""
    assert isinstance(kind, type)
    if issubclass(kind, Points | LatLonGrid | CellGrid):
        return "places"
    libraries = libraries_of(kind)
    if "xarray" in libraries:
        return "xarray"
    return "table" if DASK.isdisjoint(libraries) else "chunked"


def _read_xarray(X: Any, *, centres: bool) -> Any:
    """The grid or the cells of an xarray object, or its points (n, 2) as an array, of dask if they are chunked."""
    form = layout(X)
    if form == "points":
        return read_points(X, centres=centres)
    kind, read, n_dimensions = (LatLonGrid, read_grid, 1) if form == "grid" else (CellGrid, read_cells, 2)
    # A chunked object has a chunked mask, so that the embedding of its cells is computed chunk by chunk.
    mask = all_true_mask_like(X) if n_dimensions == 1 else all_true_mask_like(X, n_dimensions)
    return kind(**read(X, mask, centres=True)) if centres else kind.from_xarray(X, mask)


def _chunked_rows(
    X: Any,
    documented: Callable[[], Sequence[str]],
    columns_of_array: Sequence[str],
    named: bool,
    dimensions: Sequence[int] = (2,),
) -> ChunkedRows:
    """Rows of dask. If an array has its columns in the order of a frame, they are put into documented order."""
    if is_chunked_frame(X):
        return ChunkedRows(X, list(X.columns), named)
    if not is_chunked_array(X) or X.ndim not in dimensions:
        shape = f" of shape {X.shape}" if is_chunked_array(X) else ""
        raise CoordinateError(f"X is a dask {type(X).__name__}{shape}: expected a DataFrame or an array of rows.")
    given = list(columns_of_array)
    # Stacks have no columns.
    if given and X.ndim == 2 and X.shape[1] == len(given):
        X = X[:, [given.index(name) for name in documented()]]
    return ChunkedRows(X, None, named)


def is_table(X: Any) -> bool:
    """Whether X has one row for each sample. Grids, cells and xarray objects do not have rows."""
    return isinstance(X, Points) or _family(X) in ("table", "chunked")


def has_names(X: Any) -> bool:
    """Whether X has names for its columns, or needs none. Arrays and lists have no names."""
    if _family(X) in ("places", "xarray"):
        return True
    return is_geometric(X) or frame_columns(X) is not None


def column_names(X: Any) -> list[str] | None:
    """The columns of a frame; None for geometries, grids, xarray objects and arrays."""
    return None if _family(X) in ("places", "xarray") or is_geometric(X) else frame_columns(X)


def as_grid(X: Any) -> LatLonGrid | CellGrid | None:
    """X if it is a grid, the grid of an xarray object, or None; other input is not read."""
    if isinstance(X, LatLonGrid | CellGrid):
        return X
    if _family(X) != "xarray" or layout(X) == "points":
        return None
    found = read_places(X)
    return found if isinstance(found, LatLonGrid | CellGrid) else None


def as_points(places: Points | LatLonGrid | CellGrid | ChunkedRows, *, allow_missing: bool = False) -> Points:
    """Places as points in memory: the centres of all cells in C order; points are unchanged."""
    if isinstance(places, Points):
        return places
    assert not isinstance(places, ChunkedRows)
    # The centres pass as an array, so that missing centres of cells are refused as missing points are.
    return read_coordinates(places.points(), allow_missing=allow_missing)


def points_in_degrees(places: Places) -> FloatArray:
    """The places (n, 2) in float64; chunked places are computed."""
    latitude, longitude = computed(places.latitude, places.longitude)
    if isinstance(places, LatLonGrid | GridAxes):
        latitude, longitude = np.meshgrid(latitude, longitude, indexing="ij")
    return np.column_stack([latitude.ravel(), longitude.ravel()])


def in_memory(places: Places) -> Places:
    """Chunked cells as points in memory; other places are unchanged."""
    if not (isinstance(places, CellGrid) and places.chunked):
        return places
    latitude, longitude = points_in_degrees(places).T
    return Points(latitude, longitude, places.dtype)


def points_with_weights(places: Places, sample_weight: npt.ArrayLike | None = None) -> tuple[FloatArray, FloatArray]:
    """Places (n, 2) and their weights (n,): sample weight times mask, zero where the place is missing."""
    points = points_in_degrees(places)
    mask = getattr(places, "mask", None)
    # A mask may be boolean, a fraction of each cell, or chunked.
    weight = np.ones(len(points)) if mask is None else np.asarray(mask, dtype=np.float64).ravel()
    if sample_weight is not None:
        weight = weight * check_scaled_weight(sample_weight, getattr(places, "shape", weight.shape)).ravel()
    return points, np.where(np.isnan(points).any(axis=1), 0.0, weight)
