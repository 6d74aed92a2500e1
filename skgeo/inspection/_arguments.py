"""Checks of the arguments that several displays have: grids, embeddings of their cells, places."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._places import as_grid, as_points, read_places
from skgeo._validation import check_parameter

Grid = LatLonGrid | CellGrid


def default_grid(degrees: float) -> LatLonGrid:
    """The whole Earth in cells with sides of ``degrees``."""
    half = degrees / 2.0
    return LatLonGrid(np.arange(-90.0 + half, 90.0, degrees), np.arange(-180.0 + half, 180.0, degrees))


def check_grid(grid: Any, degrees: float) -> Grid:
    """A grid unchanged, the grid of an xarray object, or for None the whole Earth in cells of ``degrees``."""
    if grid is None:
        return default_grid(degrees)
    found = as_grid(grid)
    accepted = "None, a LatLonGrid, a CellGrid or an xarray object on a grid"
    check_parameter("grid", grid, found is not None, accepted)
    assert found is not None
    return found


def check_embedding(embedding: npt.ArrayLike, grid: Grid) -> npt.NDArray[Any]:
    """An embedding of the cells of a grid, (n_cells, n_columns)."""
    table, n_cells = np.asarray(embedding), math.prod(grid.shape)
    if table.ndim != 2 or len(table) != n_cells or table.size == 0:
        raise ValueError(f"embedding has shape {table.shape}: expected ({n_cells}, n_columns), a row for each cell.")
    return table


def check_cell_values(values: npt.NDArray[Any], grid: Grid) -> None:
    """Raise ValueError unless values have the shape of a grid."""
    if values.shape != grid.shape:
        raise ValueError(f"values has shape {values.shape}: expected that of the grid, {grid.shape}.")


def check_place(place: Any) -> tuple[float, float]:
    """One (latitude, longitude)."""
    pair = np.shape(place) == (2,)
    check_parameter("place", place, pair, "one (latitude, longitude) in degrees")
    points = as_points(read_places(np.asarray([place], dtype=np.float64)))
    return float(points.latitude[0]), float(points.longitude[0])
