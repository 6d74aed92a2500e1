"""Areas that a file gives, compared with those of the corners that it gives: a wrong unit changes all alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skgeo._input.chunks import is_lazy
from skgeo._kernels.cell_corners import SORTED, cell_polygons
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateWarning

# Cells that are compared, spread over the grid.
_SAMPLE = 300
# Areas of all cells that are larger or smaller by one factor beyond this are in another unit, or on another sphere.
_SAME = 0.01
# Share by which the factors of most cells agree, if one unit is the reason.
_ALIKE = 0.02


def check_areas_of_corners(areas: Any, name: Any, degrees: Sequence[Any], corners: Sequence[Any]) -> None:
    """Warn of areas (...) in square metres that are one factor away from those of the corners (..., k) in degrees.

    Single cells may differ, as those that hold the area of the land alone do. Chunked values are not compared.
    """
    if any(map(is_lazy, (areas, *degrees, *corners))) or corners[0].shape[-1] < 3 or not np.size(areas):
        return
    shape = areas.shape
    sample = np.unique(np.linspace(0, areas.size - 1, min(areas.size, _SAMPLE)).astype(np.intp))
    at = np.unravel_index(sample, shape)
    index = at if len(at) > 1 else at[0]
    latitude, longitude = (np.asarray(axis[index], dtype=np.float64) for axis in degrees)
    around = [np.asarray(axis[index], dtype=np.float64) for axis in corners]
    if np.nanmax(np.abs(around[0]), initial=0.0) > 90.0:
        return
    polygons, states = cell_polygons(latitude, longitude, *around)
    given = np.asarray(areas[index], dtype=np.float64)
    good = (states <= SORTED) & (polygons > 0.0) & (given > 0.0)
    if np.count_nonzero(good) < 3:
        return
    factors = given[good] / (polygons[good] * EARTH_RADIUS**2)
    low, middle, high = np.quantile(factors, (0.1, 0.5, 0.9))
    if abs(middle - 1.0) > _SAME and high - low <= _ALIKE * middle:
        warn_caller(
            f"The areas {name!r} are {middle:.6g} times those of the polygons of their corners, in all cells alike: "
            "are they in another unit, or on another sphere? Correct their attribute units, or leave them out, "
            f"obj.drop_vars({name!r}).",
            CoordinateWarning,
        )
