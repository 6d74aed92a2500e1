"""Read and check the centres and areas of cells; chunked arrays are read block by block."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from skgeo._input.area_check import GIVEN, LARGEST_SHARE, NEIGHBOURS, NOTHING, VERTICES, check_sum
from skgeo._input.cell_vertices import Mask, angles_of_blocks, cells_inside, checked_polygons, format_cell, format_place
from skgeo._input.chunks import aligned, is_lazy, map_cells
from skgeo._input.coordinates import as_numbers_with_nan, checked_latitudes, checked_longitudes
from skgeo._input.numbers import format_number
from skgeo._kernels.cell_corners import EMPTY, SORTED
from skgeo._kernels.cell_places import (
    MOST_COPIES,
    Shared,
    copies,
    elsewhere,
    piled,
    polar_piles,
    shared_places,
)
from skgeo._kernels.sphere import EARTH_RADIUS, cell_areas
from skgeo._typing import FloatArray
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

#: Takes the place of areas where only the centres of cells matter: areas are then not checked, and none are needed.
UNUSED = "none: only the centres matter"

# Largest share of cells at the place of another cell. With more of them, the coordinates are no centres of cells.
_MANY_COPIES = 0.25


class Areas(NamedTuple):
    """Areas of cells on the unit sphere, None if they are unknown, and their source.

    ``in_order`` has the positions of cells whose corners were sorted, or None if the positions are unknown. ``shared``
    are the cells at one place, if the areas needed them.
    """

    angles: Any
    source: str
    in_order: npt.NDArray[np.intp] | None = None
    shared: Shared | None = None


def read_centres(latitude: Any, longitude: Any) -> tuple[Any, Any, np.dtype[np.floating]]:
    """Centres of cells in float64, NaN where either coordinate is missing, and the dtype of embeddings of the cells."""
    axes = [_read(latitude, "latitude"), _read(longitude, "longitude")]
    if axes[0].shape != axes[1].shape or axes[0].ndim not in (1, 2) or 0 in axes[0].shape:
        raise CoordinateError(
            f"latitude has shape {axes[0].shape} and longitude {axes[1].shape}: expected the same, (n_rows, n_columns) "
            "or (n_cells,). LatLonGrid takes a latitude for each row and a longitude for each column."
        )
    # Each coordinate is checked beside the other one, because a cell that lacks one of them has no place.
    single = all(axis.dtype == np.float32 for axis in axes)
    one, other = aligned(*axes)
    latitude = _map_numbers(checked_latitudes, {"latitude": one, "longitude": other})
    longitude = _map_numbers(checked_longitudes, {"longitude": other, "latitude": one})
    if not is_lazy(latitude) and np.isnan(latitude).all():
        raise CoordinateError("latitude and longitude are missing in all cells.")
    return latitude, longitude, np.dtype(np.float32 if single else np.float64)


def _map_numbers(function: Callable[..., Any], arrays: dict[str, Any]) -> Any:
    """``function`` of named arrays, cell by cell; the numbers of chunked arrays are checked block by block.

    Arrays in memory were checked before. A second check would copy them.
    """
    if any(map(is_lazy, arrays.values())):
        function = partial(_of_numbers, function, tuple(arrays))
    return map_cells(function, *arrays.values())


def _of_numbers(function: Callable[..., Any], names: tuple[str, ...], *blocks: npt.NDArray[Any]) -> Any:
    """``function`` of blocks whose numbers are checked first."""
    return function(*(as_numbers_with_nan(block, name) for name, block in zip(names, blocks, strict=True)))


def read_areas(centres: tuple[Any, Any], mask: Any, areas: Any, vertices: Any) -> Areas:
    """Areas of cells, zero where missing: from ``areas``, else ``vertices``, else the distances between neighbours."""
    latitude, shape = centres[0], centres[0].shape
    if areas is UNUSED:
        return Areas(None, UNUSED)
    if areas is not None:
        areas = _read(areas, "areas")
        if areas.shape != shape:
            raise CoordinateError(f"areas has shape {areas.shape}, the cells have {shape}.")
        angles = _map_numbers(_given_angles, {"latitude": latitude, "areas": areas})
        if not is_lazy(angles) and not angles.any():
            raise CoordinateError(
                "areas are zero or missing in all cells: no cell weighs anything. Infinity and NaN are missing. Give "
                "square metres, or leave areas out."
            )
        return Areas(angles, GIVEN)
    if vertices is not None:
        return _areas_of_vertices(centres, mask, vertices)
    # Cells in one dimension have no known neighbours, and a single cell has none.
    if len(shape) == 1 or math.prod(shape) == 1:
        return Areas(None, NOTHING)
    # Blocks see one row and column of cells beyond their own: the neighbours.
    if is_lazy(latitude):
        return Areas(map_cells(_neighbour_angles, *centres, *_known(mask), halo=1), NEIGHBOURS)
    shared = shared_places(*centres)
    angles = _neighbour_angles(centres[0], centres[1], None if is_lazy(mask) else mask, shared=shared)
    return Areas(angles, NEIGHBOURS, shared=shared) if angles.any() else Areas(None, NOTHING, shared=shared)


def _areas_of_vertices(centres: tuple[Any, Any], mask: Any, vertices: Any) -> Areas:
    """Areas of cells from their vertices, a pair of latitudes and longitudes."""
    (latitude, longitude), shape = centres, centres[0].shape
    pair = isinstance(vertices, tuple | list) and len(vertices) == 2
    # Arrays of corners stay as they are: blocks of them are converted to numbers later, one after the other.
    corners = [axis if hasattr(axis, "shape") else _read(axis, "vertices") for axis in vertices] if pair else []
    if len(corners) != 2 or any(axis.shape[:-1] != shape or axis.shape[-1] < 3 for axis in corners):
        raise CoordinateError(
            f"vertices have the shapes {[axis.shape for axis in corners]}: expected a pair, latitudes and "
            f"longitudes, of {(*shape, 'n_vertices')} with at least 3 vertices."
        )
    if any(map(is_lazy, (latitude, *corners))):
        return Areas(map_cells(angles_of_blocks, latitude, longitude, *corners, *_known(mask)), VERTICES)
    # A chunked mask over centres in memory is not computed here: all cells then count as inside.
    known = None if is_lazy(mask) else mask
    angles, states = checked_polygons(latitude, longitude, corners[0], corners[1], known)
    inside = cells_inside(latitude, known)
    empty = np.flatnonzero((states == EMPTY) & inside)
    if empty.size and empty.size == np.count_nonzero(inside):
        raise CoordinateError("vertices are missing in all cells: give the corners of cells, or leave vertices out.")
    if empty.size:
        warn_caller(
            f"{empty.size} cells have no corners, the first at {format_cell(empty, shape)}: they weigh nothing. Mask "
            "them, mask=, or give their corners.",
            CoordinateWarning,
        )
    return Areas(angles, VERTICES, np.flatnonzero(states == SORTED))


def _known(mask: Any) -> list[Any]:
    """A list of the mask alone; an empty list without a mask."""
    return [] if mask is None else [mask]


def _read(values: Any, name: str) -> Any:
    """An array of numbers, NaN where masked; a chunked array is returned unchanged."""
    return values if is_lazy(values) else as_numbers_with_nan(values, name)


def _given_angles(latitude: FloatArray, areas: FloatArray) -> FloatArray:
    """Solid angles from areas in square metres; refused if one is negative or larger than the sphere."""
    areas = areas.astype(np.float64)
    if np.any(areas < 0.0):
        raise CoordinateError(f"areas must not be negative: {format_number(np.nanmin(areas))}.")
    angles = np.nan_to_num(np.where(np.isnan(latitude), 0.0, areas)) / EARTH_RADIUS**2
    large = np.flatnonzero(angles > LARGEST_SHARE * 4.0 * np.pi)
    if large.size:
        # A few large areas are fill values. If most areas are large, they are in another unit.
        most = 2 * large.size > np.count_nonzero(angles)
        reason = "Is it a fill value that is not marked as missing? Make it NaN."
        raise CoordinateError(
            f"areas of {large.size} cells are larger than the Earth, the first at {format_cell(large, areas.shape)}: "
            f"{areas.flat[large[0]]:g} m2. {'Are they in another unit?' if most else reason} Areas are in square "
            "metres; correct the units of an xarray variable."
        )
    return angles


def _neighbour_angles(
    latitude: FloatArray, longitude: FloatArray, mask: Mask = None, shared: Shared | None = None
) -> FloatArray:
    """Solid angles of cells, or of a block of them, from the distances to their neighbours.

    Fill values of coordinates are refused inside the mask. Outside, they become NaN, so that no cell has them as
    neighbours.
    """
    inside = cells_inside(latitude, mask)
    shared = shared_places(latitude, longitude) if shared is None else shared
    # Look first for fill values that many cells share, then for single cells far from all their neighbours.
    fill, outside = piled(shared, latitude, longitude, inside)
    if fill.size:
        _refuse_fill(fill, latitude, longitude, "at one place")
    latitude = _without(outside, latitude)
    angles = cell_areas(latitude, longitude)
    lost = elsewhere(latitude, longitude, angles)
    if not lost.size:
        return angles
    fill = lost[inside.flat[lost]]
    if fill.size:
        _refuse_fill(fill, latitude, longitude, "far from all neighbours")
    return cell_areas(_without(lost, latitude), longitude)


def _without(cells: npt.NDArray[np.intp], latitude: FloatArray) -> FloatArray:
    """Latitudes with NaN in these cells; the input is not changed."""
    if not cells.size:
        return latitude
    latitude = latitude.copy()
    latitude.flat[cells] = np.nan
    return latitude


def _refuse_fill(cells: npt.NDArray[np.intp], latitude: FloatArray, longitude: FloatArray, where: str) -> NoReturn:
    """Refuse cells whose places are fill values; ``where`` says what is strange about the places."""
    count = f"{cells.size} cells are" if cells.size > 1 else "1 cell is"
    raise CoordinateError(
        f"{count} {where}, the first at {format_cell(cells, latitude.shape)}: "
        f"{format_place(latitude, longitude, int(cells[0]))}. Is it a fill value that is not marked as missing? Make "
        "the coordinates of these cells NaN, or mask them, mask=."
    )


def check_cells(centres: tuple[FloatArray, FloatArray], mask: Mask, areas: Areas) -> None:
    """Refuse cells that together are larger than the Earth, and fill values; warn of copies and cells without area.

    Only cells of positive weight count.
    """
    latitude, longitude = centres
    inside = cells_inside(latitude, mask)
    shared = shared_places(latitude, longitude) if areas.shared is None else areas.shared
    # Without areas, the cells may be observations that share a place. Many at (0, 0) are fill values nevertheless.
    if areas.angles is None:
        zero = np.flatnonzero(inside & (latitude == 0.0) & (longitude == 0.0))
        if zero.size > MOST_COPIES:
            _refuse_fill(zero, latitude, longitude, "at one place")
        return
    # _neighbour_angles has refused fill values at one place already. Areas are zero where the centre is missing.
    weight = areas.angles if mask is None else np.where(inside, areas.angles, 0.0)
    if areas.source != NEIGHBOURS:
        pile = piled(shared, latitude, longitude, weight > 0.0)[0]
        if pile.size:
            _refuse_fill(pile, latitude, longitude, "at one place")
    again = copies(shared, weight, beside=areas.source == NEIGHBOURS)
    share = float((weight if mask is None else weight * mask).sum()) / (4.0 * np.pi)
    check_sum(latitude, longitude, weight, share, again, areas.source)
    if again.size:
        _report_copies(again, weight, areas.source)
    if areas.source == NEIGHBOURS:
        _warn_without_area(np.flatnonzero(inside & (areas.angles == 0.0)), latitude, longitude)
    if areas.source == GIVEN:
        for pole, cells in polar_piles(latitude, weight):
            warn_caller(
                f"{cells.size} cells are at latitude {pole:g}, the first at {format_cell(cells, latitude.shape)}, and "
                "larger than the cap up to the nearest other cell: they overlap. Correct their centres, or mask them, "
                "mask=.",
                CoordinateWarning,
            )


def _report_copies(again: npt.NDArray[np.intp], weight: FloatArray, source: str) -> None:
    """Warn of cells at the place of another cell; refuse many of them if areas come from the neighbours."""
    where = f"{again.size} cells are at the place of another one, the first at {format_cell(again, weight.shape)}"
    if source == NEIGHBOURS and again.size > _MANY_COPIES * np.count_nonzero(weight):
        raise CoordinateError(
            f"{where}, of {weight.size}: these are no centres of cells. If they are corners, give them as vertices= "
            "beside the centres; if a dimension repeats the cells, select one index of it."
        )
    warn_caller(
        f"{where}, and count twice: mask them, mask=, for instance the halo of a global grid.", CoordinateWarning
    )


def _warn_without_area(cells: npt.NDArray[np.intp], latitude: FloatArray, longitude: FloatArray) -> None:
    """Warn of cells without area, if there are any."""
    if cells.size:
        warn_caller(
            f"{cells.size} cells have no area, the first at {format_cell(cells, latitude.shape)}, "
            f"{format_place(latitude, longitude, int(cells[0]))}: they are at the place of their neighbours. Give "
            "areas= or vertices=, or mask them, mask=.",
            CoordinateWarning,
        )
