"""Arrays of values at places. A grid is evaluated between its two axes, all other places one by one."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.coordinates import Points
from skgeo._kernels.evaluate import map_grid, map_points
from skgeo._kernels.local_table import map_points_of_domain
from skgeo._typing import FloatArray
from skgeo._validation import progress


class GridAxes(NamedTuple):
    """Some rows of a grid: latitudes of the rows and longitudes of the columns in degrees, and their dtype."""

    latitude: FloatArray
    longitude: FloatArray
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.latitude.size, self.longitude.size


#: Places in memory or chunked, all of which have the attributes ``latitude``, ``longitude`` and ``dtype``.
Places = Points | LatLonGrid | CellGrid | GridAxes
# A function of latitude, longitude, ``out`` and ``advance``: it fills ``out`` and calls ``advance(n)`` after n places.
Write = Callable[..., None]


def fill_at_places(
    places: Places,
    n_columns: int,
    dtype: npt.DTypeLike,
    write_points: Write,
    write_grid: Write,
    *,
    verbose: bool | None,
) -> npt.NDArray[Any]:
    """An array (n, n_columns), filled by ``write_grid`` for a grid between two axes, else by ``write_points``."""
    # On a grid between two axes, harmonics are products of functions of latitude and of longitude. To evaluate these
    # functions on the axes is faster than to evaluate the harmonics at all cells.
    on_axes = isinstance(places, LatLonGrid | GridAxes)
    latitude, longitude = places.latitude.ravel(), places.longitude.ravel()
    shape = (latitude.size, longitude.size) if on_axes else (latitude.size,)
    values = np.empty((*shape, n_columns), dtype=dtype)
    with progress(math.prod(shape), "place", shown=verbose) as advance:
        (write_grid if on_axes else write_points)(latitude, longitude, out=values, advance=advance)
    return values.reshape(math.prod(shape), n_columns)


def map_at_places(
    places: Places,
    coefficients: FloatArray,
    clip: float | None,
    dtype: npt.DTypeLike,
    *,
    n_jobs: int | None,
    verbose: bool | None,
    domain: FloatArray | None = None,
) -> npt.NDArray[Any]:
    """The values (n, k) at places of the softly clipped map of harmonics with coefficients (k, D).

    ``domain`` are the coefficients of the weight function of the domain where most points lie, if this is known.
    """
    options: dict[str, Any] = {"coefficients": coefficients, "clip": clip, "n_jobs": n_jobs}
    at_points = map_points if domain is None else partial(map_points_of_domain, domain=domain)
    writes = partial(at_points, **options), partial(map_grid, **options)
    return fill_at_places(places, len(coefficients), dtype, *writes, verbose=verbose)
