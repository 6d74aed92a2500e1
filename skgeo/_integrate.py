"""Integrals over a domain, at once or block by block: the harmonic coefficients of its weight function, and its area.

Every function returns one array. It has the coefficients up to a degree, and as its last element the area of the domain
in steradians, or NaN if the area is unknown. The arrays of the parts of a domain add up to the array of the whole.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.chunks import cell_blocks, fold, grid_blocks, table_blocks
from skgeo._input.coordinates import Points
from skgeo._kernels import domain as _domain
from skgeo._kernels.harmonics import sin_cos_latitude
from skgeo._kernels.sphere import band_heights, masked_area
from skgeo._kernels.threads import Advance, no_progress, row_blocks
from skgeo._places import ChunkedRows
from skgeo._typing import FloatArray
from skgeo._validation import check_sample_weight, progress

# Number of points in a block: an array of float64 has 2 MB.
_BLOCK_POINTS = 2**18


class Weighting(NamedTuple):
    """The settings of a sum: degree of the coefficients, area weighting, and whether all weights may be zero."""

    degree: int
    area_weighted: bool
    allow_all_zero: bool


def weight_coefficients(
    places: Points | LatLonGrid | CellGrid | ChunkedRows,
    sample_weight: npt.ArrayLike | None,
    degree: int,
    *,
    area_weighted: bool,
    allow_all_zero: bool,
    read_block: Callable[[Any], Points],
    verbose: bool | None,
) -> FloatArray:
    """The coefficients up to a degree of the weight function of places, and the area of their domain.

    ``read_block`` reads the points of one block of chunked rows.
    """
    weighting = Weighting(degree, area_weighted, allow_all_zero)
    # All weights of a single block may be zero, even if those of the whole domain may not.
    of_block = weighting._replace(allow_all_zero=True)
    if isinstance(places, Points):
        with progress(places.latitude.size, "point", shown=verbose) as advance:
            return _sum_points(weighting, places, sample_weight, advance)
    if isinstance(places, ChunkedRows):
        work = partial(_sum_rows, of_block, read_block=read_block)
        return fold(work, table_blocks(places.rows, sample_weight), verbose=verbose)
    if isinstance(places, LatLonGrid):
        edges = places.latitude_edges, places.longitude_edges, places.closed, places.mask
        if not places.chunked:
            return _sum_grid(weighting, *edges, sample_weight)
        return fold(partial(_sum_grid, of_block), grid_blocks(*edges, sample_weight), verbose=verbose)
    cells = places.latitude, places.longitude, places.solid_angles, places.mask
    if not places.chunked:
        return _sum_cells(weighting, *cells, sample_weight)
    return fold(partial(_sum_cells, of_block), cell_blocks(*cells, weight=sample_weight), verbose=verbose)


def _sum_rows(
    weighting: Weighting, rows: Any, sample_weight: npt.ArrayLike | None, read_block: Callable[[Any], Points]
) -> FloatArray:
    """The sum over a block of rows, which may be empty."""
    # Readers refuse tables without rows.
    if not len(rows):
        return np.append(np.zeros((weighting.degree + 1) ** 2), np.nan)
    return _sum_points(weighting, read_block(rows), sample_weight)


def _sum_points(
    weighting: Weighting, points: Points, sample_weight: npt.ArrayLike | None, advance: Advance = no_progress
) -> FloatArray:
    """The sum over points. With area weighting, points weigh cos(latitude), as the cells of a regular grid do."""
    weight = _checked_weight(weighting, sample_weight, points.latitude.shape)
    coefficients = np.zeros((weighting.degree + 1) ** 2)
    # Block by block: weights and selections of all points at once would take more memory than the points.
    for block in row_blocks(points.latitude.size, 1, _BLOCK_POINTS):
        latitude, longitude = points.latitude[block], points.longitude[block]
        measure = sin_cos_latitude(latitude)[1] if weighting.area_weighted else np.ones(latitude.shape)
        measure = measure * (weight if sample_weight is None else weight[block])
        # Harmonics of points without weight or place are not needed: leave these points out.
        kept = (measure > 0.0) & np.isfinite(latitude)
        if not kept.all():
            latitude, longitude, measure = latitude[kept], longitude[kept], measure[kept]
        coefficients += _domain.point_coefficients(latitude, longitude, measure, weighting.degree, advance)
    return np.append(coefficients, np.nan)


def _sum_cells(
    weighting: Weighting,
    latitude: FloatArray,
    longitude: FloatArray,
    solid_angles: FloatArray | None,
    mask: npt.NDArray[Any] | None,
    sample_weight: npt.ArrayLike | None,
) -> FloatArray:
    """The sum over cells, each at its centre."""
    # Shares of cells in the domain: the mask, and zero where the centre is missing.
    inside = np.isfinite(latitude) * (1.0 if mask is None else mask)
    weight = inside * _checked_weight(weighting, sample_weight, latitude.shape)
    area = np.nan if solid_angles is None else float(np.sum(solid_angles * inside * (weight > 0.0)))
    if weighting.area_weighted and solid_angles is not None:
        weight = weight * solid_angles
    kept = weight > 0.0
    coefficients = _domain.point_coefficients(latitude[kept], longitude[kept], weight[kept], weighting.degree)
    return np.append(coefficients, area)


def _sum_grid(
    weighting: Weighting,
    latitude_edges: FloatArray,
    longitude_edges: FloatArray,
    closed: bool,
    mask: npt.NDArray[Any] | None,
    sample_weight: npt.ArrayLike | None,
) -> FloatArray:
    """The sum over the cells of a grid, each integrated exactly."""
    # Heights are differences of the sine of latitude, widths are radians: their products are solid angles.
    heights, widths = band_heights(*latitude_edges.T), np.radians(np.diff(longitude_edges, axis=1))[:, 0]
    shape = heights.size, widths.size
    density = np.broadcast_to(1.0, shape) if mask is None else mask
    weight = None if sample_weight is None else _checked_weight(weighting, sample_weight, shape)
    # The area counts the share of a cell in the mask if its weight is positive; the size of the weight is ignored.
    area = masked_area(heights, widths, _Density(density, None if weight is None else weight > 0.0))
    # Without area weighting all cells weigh the same: divide by the area that the integral multiplies by.
    scales = None if weighting.area_weighted else (heights, widths)
    edges, values = (latitude_edges, longitude_edges), _Density(density, weight, scales)
    return np.append(_domain.cell_coefficients(*edges, values, weighting.degree, closed=closed), area)


class _Density:
    """A weight for each cell of a grid, computed for the block of rows that a kernel asks for."""

    def __init__(self, mask: Any, weight: Any, scales: tuple[FloatArray, FloatArray] | None = None) -> None:
        self.shape = mask.shape
        self._mask, self._weight, self._scales = mask, weight, scales

    def __getitem__(self, rows: slice) -> npt.NDArray[Any]:
        values = self._mask[rows]
        if self._weight is not None:
            values = values * self._weight[rows]
        if self._scales is not None:
            values = values / np.outer(self._scales[0][rows], self._scales[1])
        return values


def _checked_weight(weighting: Weighting, sample_weight: npt.ArrayLike | None, shape: tuple[int, ...]) -> Any:
    """Sample weights of the given shape, or 1 without them."""
    if sample_weight is None:
        return 1.0
    return check_sample_weight(sample_weight, shape, allow_all_zero=weighting.allow_all_zero)
