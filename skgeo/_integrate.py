"""From places to a domain: the harmonic coefficients of its weight function, and its area; whole or block by block."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._base import check_sample_weight
from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.chunks import cell_blocks, fold, grid_blocks, row_blocks
from skgeo._input.coordinates import Coordinates
from skgeo._kernels import domain as _domain
from skgeo._kernels.harmonics import sin_cos_latitude
from skgeo._kernels.sphere import band_heights
from skgeo._kernels.threads import Advance, no_progress
from skgeo._progress import progress
from skgeo._typing import FloatArray


@dataclass(frozen=True)
class Integration:
    """Sums over places: the coefficients of their weight function to a degree, and behind them the area of the domain.

    The area is NaN where it is not known. Sums of parts add up to those of the whole.
    """

    degree: int
    area_weighted: bool
    some: bool  # sample weights must be positive
    verbose: bool | None

    def of_places(self, places: Coordinates | LatLonGrid | CellGrid, sample_weight: npt.ArrayLike | None) -> FloatArray:
        """Over points or cells, chunked or not."""
        if isinstance(places, LatLonGrid):
            return self._of_lat_lon_grid(places, sample_weight)
        if isinstance(places, CellGrid):
            arrays = (places.latitude, places.longitude, places.solid_angles, places.mask)
            if places.chunked:
                return self._fold(Integration.of_cells, cell_blocks(*arrays, weight=sample_weight))
            return self.of_cells(*arrays, sample_weight)
        with progress(places.latitude.size, "point", shown=self.verbose) as advance:
            return self.of_points(places, sample_weight, advance)

    def of_rows(self, X: Any, sample_weight: Any, parse: Callable[[Any], Coordinates]) -> FloatArray:
        """Over the points of a dask array or DataFrame, whose blocks ``parse`` reads."""
        return self._fold(partial(Integration.of_block, parse=parse), row_blocks(X, sample_weight))

    def of_block(self, X: Any, sample_weight: npt.ArrayLike | None, parse: Callable[[Any], Coordinates]) -> FloatArray:
        """Over a block of points, which may be empty."""
        return (
            self.of_points(parse(X), sample_weight) if len(X) else np.append(np.zeros((self.degree + 1) ** 2), np.nan)
        )

    def of_points(
        self, points: Coordinates, sample_weight: npt.ArrayLike | None, advance: Advance = no_progress
    ) -> FloatArray:
        """Over points, which weigh as the cells of a regular grid do."""
        measure = sin_cos_latitude(points.latitude)[1] if self.area_weighted else np.ones(points.latitude.shape)
        weight = measure * self._weight(sample_weight, measure.shape)
        kept = (weight > 0.0) & np.isfinite(points.latitude)
        if not kept.all():
            points, weight = (
                points._replace(latitude=points.latitude[kept], longitude=points.longitude[kept]),
                weight[kept],
            )
        coefficients = _domain.point_coefficients(points.latitude, points.longitude, weight, self.degree, advance)
        return np.append(coefficients, np.nan)

    def of_cells(
        self,
        latitude: FloatArray,
        longitude: FloatArray,
        solid_angles: FloatArray | None,
        mask: npt.NDArray[Any] | None,
        sample_weight: npt.ArrayLike | None,
    ) -> FloatArray:
        """Over cells at their centres."""
        inside = np.isfinite(latitude) * (1.0 if mask is None else mask)
        weight = inside * self._weight(sample_weight, latitude.shape)
        area = np.nan if solid_angles is None else float(np.sum(solid_angles * inside * (weight > 0.0)))
        if self.area_weighted and solid_angles is not None:
            weight = weight * solid_angles
        kept = weight > 0.0
        coefficients = _domain.point_coefficients(latitude[kept], longitude[kept], weight[kept], self.degree)
        return np.append(coefficients, area)

    def of_grid(
        self,
        latitude_edges: FloatArray,
        longitude_edges: FloatArray,
        closed: bool,
        mask: npt.NDArray[Any] | None,
        sample_weight: npt.ArrayLike | None,
    ) -> FloatArray:
        """Over the cells of a grid, each integrated exactly."""
        heights, widths = band_heights(*latitude_edges.T), np.radians(np.diff(longitude_edges, axis=1))[:, 0]
        shape = heights.size, widths.size
        density = np.broadcast_to(1.0, shape) if mask is None else mask
        inside = density
        if sample_weight is not None:
            weight = self._weight(sample_weight, shape)
            inside, density = density * (weight > 0.0), density * weight
        area = float(heights @ (inside @ widths))
        if not self.area_weighted:
            density = density / np.outer(heights, widths)
        edges = latitude_edges, longitude_edges
        return np.append(_domain.cell_coefficients(*edges, density, self.degree, closed=closed), area)

    def _of_lat_lon_grid(self, grid: LatLonGrid, sample_weight: npt.ArrayLike | None) -> FloatArray:
        edges = grid.latitude_edges, grid.longitude_edges
        if not grid.chunked:
            return self.of_grid(*edges, grid.closed, grid.mask, sample_weight)
        return self._fold(Integration.of_grid, grid_blocks(*edges, grid.closed, grid.mask, sample_weight))

    def _fold(self, work: Callable[..., FloatArray], blocks: list[tuple[Any, ...]]) -> FloatArray:
        return fold(partial(work, replace(self, some=False, verbose=False)), blocks, verbose=self.verbose)

    def _weight(self, sample_weight: npt.ArrayLike | None, shape: tuple[int, ...]) -> Any:
        return 1.0 if sample_weight is None else check_sample_weight(sample_weight, shape, some=self.some)
