"""Cells of a mesh from its nodes: corners by connectivity, centres and dual cells; chunked meshes stay chunked."""

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._input.cf_cells import Found
from skgeo._input.cf_values import in_degrees
from skgeo._input.chunks import computed, is_lazy
from skgeo._kernels.mesh import corners_of, dual_areas, polygon_centres
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._typing import FloatArray, Integers
from skgeo._validation import import_optional
from skgeo.exceptions import CoordinateError

# Cells at a time whose corners are looked up: some megabytes.
_CELLS = 2**16


class Connectivity(NamedTuple):
    """The nodes (n, k) of polygons, counted from zero, negative where a polygon has fewer; and the variable's name."""

    nodes: Any
    name: Hashable


class IndexedCorners:
    """Values (n, k) at the corners of polygons that look like an array, and take no memory before they are sliced."""

    def __init__(self, values: FloatArray, nodes: Integers) -> None:
        self._values, self._nodes = values, nodes
        self.shape, self.ndim, self.dtype = nodes.shape, 2, np.dtype(np.float64)

    def __getitem__(self, rows: Any) -> FloatArray:
        return corners_of(self._values, self._nodes[rows])

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        return self[:].astype(np.float64 if dtype is None else dtype, copy=False)


def read_connectivity(variable: Any, n_nodes: int, start: int | None, counts: Any = None) -> tuple[Connectivity, str]:
    """The connectivity (n, k) of polygons, with nodes counted from zero, and its start index in words.

    The first dimension of ``variable`` is that of the polygons. ``start`` is the number of the first node, None if the
    file does not say. ``counts`` are the numbers of corners of polygons, None where missing corners have a fill value.
    Numbers that belong to no node are refused.
    """
    values, name = variable.data, variable.name
    fill = [variable.attrs.get(key) for key in ("_FillValue", "missing_value")]
    fill = [float(np.ravel(each)[0]) for each in fill if each is not None]
    lowest, highest = _range(values, counts, fill)
    said = "" if start is None else f" of start_index {start}"
    if start is None:
        # Numbers that reach n_nodes and leave out zero can only count from one.
        start = 1 if lowest >= 1 and highest == n_nodes else 0
        said = " from one, by their values" if start else " from zero"
    if lowest < start or highest >= n_nodes + start:
        other = 1 - start if start in (0, 1) else 0
        fits = other <= lowest and highest < n_nodes + other
        guess = (
            f"They fit start_index {other}: obj[{str(name)!r}].attrs['start_index'] = {other}."
            if fits
            else (
                f"If {lowest if lowest < start else highest:g} marks a missing corner, say so: "
                f"obj[{str(name)!r}].attrs['_FillValue'] = {lowest if lowest < start else highest:g}."
            )
        )
        raise CoordinateError(
            f"{name!r} has node numbers from {lowest:g} to {highest:g}. There are {n_nodes} nodes: with start_index "
            f"{start}, their numbers are {start} to {n_nodes + start - 1}. {guess}"
        )
    if is_lazy(values) or is_lazy(counts):
        da = import_optional("dask.array", "chunked data", "xarray")
        values = da.asarray(values).rechunk({1: -1})
        more = [] if counts is None else [da.asarray(counts).rechunk((values.chunks[0],))[:, None]]
        nodes = da.map_blocks(
            _from_zero, values, *more, start=start, fill=fill, chunks=values.chunks, meta=np.empty((0, 0), np.int64)
        )
    else:
        nodes = _from_zero(values, *([] if counts is None else [np.asarray(counts)[:, None]]), start=start, fill=fill)
    return Connectivity(nodes, name), f"node numbers{said}"


def _from_zero(values: Any, counts: Any = None, *, start: int, fill: list[float]) -> Integers:
    """Node numbers from zero, -1 for missing corners, which come last."""
    absent = _absent(values, counts, fill)
    if (absent[:, :-1] & ~absent[:, 1:]).any():
        order = np.argsort(absent, axis=1, kind="stable")
        values, absent = (np.take_along_axis(np.asarray(each), order, axis=1) for each in (values, absent))
    whole = np.where(absent, start - 1, values)
    # Numbers of 32 bits take half of the memory, and are enough for two thousand million nodes.
    return np.asarray(whole.astype(np.int32 if whole.dtype.itemsize <= 4 else np.int64) - start)


def _absent(values: Any, counts: Any, fill: list[float]) -> Any:
    """Which corners (n, k) are missing: NaN, negative or fill values, and those beyond the count of the polygon.

    A polygon that lacks a corner below its count has no corners at all: the others enclose another area.
    """
    absent = ~(values >= 0)
    for each in fill:
        absent |= values == each
    if counts is not None:
        beyond = np.arange(values.shape[-1]) >= counts
        absent |= beyond | (absent & ~beyond).any(axis=-1, keepdims=True)
    return absent


def _range(values: Any, counts: Any, fill: list[float]) -> tuple[float, float]:
    """The smallest and largest node number; zero and -1 if all corners are missing."""
    if is_lazy(values) or is_lazy(counts):
        da = import_optional("dask.array", "chunked data", "xarray")
        values = da.asarray(values)
        absent = ~(values >= 0)
        for each in fill:
            absent = absent | (values == each)
        if counts is not None:
            absent = absent | (da.arange(values.shape[1]) >= da.asarray(counts)[:, None])
        low = da.where(absent, np.inf, values).min()
        high = da.where(absent, -1.0, values).max()
        lowest, highest = computed(low, high)
        return float(lowest), float(highest)
    low, high = np.inf, -1.0
    for begin in range(0, len(values), _CELLS):
        part = np.asarray(values[begin : begin + _CELLS])
        count = None if counts is None else np.asarray(counts[begin : begin + _CELLS])[:, None]
        known = part[~_absent(part, count, fill)]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return (low, high) if high >= 0 else (0.0, -1.0)


def corners(connectivity: Connectivity, latitude: Any, longitude: Any) -> tuple[Found, Found]:
    """Corners of polygons as the vertices of cells, in degrees."""
    degrees = _nodes_in_degrees(latitude, longitude)
    how = f"by {connectivity.name}"
    if not is_lazy(connectivity.nodes):
        _check_nodes(connectivity.nodes, degrees)
    found = []
    for axis, values in zip((latitude, longitude), degrees, strict=True):
        if is_lazy(connectivity.nodes):
            da = import_optional("dask.array", "chunked data", "xarray")
            shared = import_optional("dask", "chunked data", "xarray").delayed(values, pure=False)
            each = da.map_blocks(
                _gathered, connectivity.nodes, values=shared, chunks=connectivity.nodes.chunks, meta=np.empty((0, 0))
            )
        else:
            each = IndexedCorners(values, connectivity.nodes)
        found.append(Found(axis.name, _Bare(each), how))
    return found[0], found[1]


def _check_nodes(nodes: Integers, degrees: list[FloatArray]) -> None:
    """Refuse polygons with a node that has no coordinates."""
    for values in degrees:
        if not np.isfinite(values).all():
            for begin in range(0, len(nodes), _CELLS):
                _gathered(nodes[begin : begin + _CELLS], values=values)


class _Bare:
    """An array in the place of a DataArray: its values are ``data``."""

    def __init__(self, data: Any) -> None:
        self.data = data


def _gathered(nodes: Integers, *, values: FloatArray) -> FloatArray:
    """Values at the corners of a block of polygons; a node without coordinates is no missing corner, and refused."""
    around = corners_of(values, nodes)
    lost = ~np.isfinite(around) & (nodes >= 0)
    if lost.any():
        raise CoordinateError(
            f"Node {nodes[lost][0]}, counted from zero, is a corner of a polygon and has no coordinates. There are "
            f"{np.unique(nodes[lost]).size} such nodes in all: give their coordinates, or leave out the polygons."
        )
    return around


def _nodes_in_degrees(latitude: Any, longitude: Any) -> list[FloatArray]:
    """Latitudes and longitudes of nodes in memory."""
    values = computed(*(in_degrees(axis).data for axis in (latitude, longitude)))
    return [np.asarray(each, dtype=np.float64) for each in values]


def centres(connectivity: Connectivity, latitude: Any, longitude: Any) -> tuple[Any, Any]:
    """Latitudes and longitudes of the centroids of polygons, block by block if the connectivity is chunked."""
    degrees = _nodes_in_degrees(latitude, longitude)
    if is_lazy(connectivity.nodes):
        da = import_optional("dask.array", "chunked data", "xarray")
        shared = import_optional("dask", "chunked data", "xarray").delayed(degrees, pure=False)
        nodes = connectivity.nodes
        places = da.map_blocks(
            _block_centres, nodes, degrees=shared, chunks=(nodes.chunks[0], (2,)), meta=np.empty((0, 0))
        )
    else:
        places = np.empty((len(connectivity.nodes), 2))
        for begin in range(0, len(places), _CELLS):
            part = slice(begin, begin + _CELLS)
            places[part] = _block_centres(connectivity.nodes[part], degrees=degrees)
    return places[:, 0], places[:, 1]


def _block_centres(nodes: Integers, *, degrees: list[FloatArray]) -> Any:
    """The centres of a block of polygons, whose corners are numbers of nodes."""
    return polygon_centres(*(corners_of(axis, nodes) for axis in degrees))


def dual_cells(connectivity: Connectivity, latitude: Any, longitude: Any) -> FloatArray:
    """Areas (n_nodes,) in square metres of the dual cells around nodes; a chunked connectivity is computed."""
    (nodes,) = computed(connectivity.nodes)
    north, east = degrees = _nodes_in_degrees(latitude, longitude)
    _check_nodes(nodes, degrees)
    return dual_areas(north, east, nodes) * EARTH_RADIUS**2
