"""Background places of presence-only models: where records could have been made, and the area of each place."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from skgeo._callers import warn_once_a_search
from skgeo._cells import CellGrid
from skgeo._grid import LatLonGrid
from skgeo._input.coordinates import warn_radians
from skgeo._kernels.sphere import EARTH_RADIUS, unit_vectors
from skgeo._places import points_in_degrees, read_places
from skgeo._validation import check_parameter, check_scaled_weight
from skgeo.exceptions import CoordinateError, CoordinateWarning

__all__ = ["Background", "read_background", "uniform_background", "warn_of_records_outside", "warn_of_small_region"]

_ACCEPTED = (
    "'uniform', 'records', a LatLonGrid, CellGrid or xarray object, or places as an array or a DataFrame; if X has "
    "covariates, the places have the same covariates"
)


# Records in a smaller share of the globe need a background of their own region: a country, an island, a city.
_SMALL_REGION = 0.01


class Background(NamedTuple):
    """Places (m, 2), the shares (m,) of the area that they stand for, and the whole area.

    The area is in square kilometres for uniform places and for grids. If the user gave ``background_weight``, the area
    is the sum of these weights. Otherwise the area is one. ``rows`` are the rows of the given places that have a
    positive weight.
    """

    points: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    area: float
    rows: npt.NDArray[np.intp]


def uniform_background(n_places: int, rng: np.random.RandomState) -> Background:
    """Random places, uniform on the sphere by area."""
    # The sine of latitude of uniform places is uniform (Archimedes).
    along_axis, around = rng.uniform(-1.0, 1.0, (2, n_places))
    points = np.column_stack([np.degrees(np.arcsin(along_axis)), 180.0 * around])
    area = 4.0 * np.pi * EARTH_RADIUS**2 / 1e6
    return Background(points, np.full(n_places, 1.0 / n_places), area, np.arange(n_places))


def read_background(value: Any, coordinates: tuple[str, str] | None, weight: npt.ArrayLike | None) -> Background:
    """The background that a user gave as a grid or as places.

    The weight of a cell of a grid is its area inside of the mask. The weight of a place is ``weight``, 1 by default.
    """
    check_parameter("background", value, value is not None and not isinstance(value, str), _ACCEPTED)
    try:
        places: Any = read_places(value, coordinates)
    except CoordinateError as error:
        raise CoordinateError(f"background: {error}") from error
    points = points_in_degrees(places)
    if isinstance(places, LatLonGrid | CellGrid):
        check_parameter("background_weight", weight, weight is None, "None: cells of a grid have areas")
        weights, known = _cell_weights(places), True
    else:
        warn_radians(*points.T)
        weights, known = np.ones(len(points)), weight is not None
        if weight is not None:
            try:
                weights = check_scaled_weight(weight, weights.shape)
            except ValueError as error:
                raise ValueError(f"background_weight: {error}") from error
    kept = (weights > 0.0) & ~np.isnan(points).any(axis=1)
    if not kept.any():
        raise ValueError(
            "background has no place with a positive weight: expected cells inside of the mask, or places with weights."
        )
    total = float(weights[kept].sum())
    return Background(points[kept], weights[kept] / total, total if known else 1.0, np.flatnonzero(kept))


def warn_of_records_outside(records: npt.NDArray[Any], background: Background) -> None:
    """Warn if more than a tenth of the records lie far from all cells of a background. A mask may be inverted.

    ``records`` are the places (n, 2). A record is far if its distance is more than three mean widths of a cell.
    """
    width = 3.0 * np.sqrt(background.area / len(background.points))
    cells = cKDTree(unit_vectors(*background.points.T))
    # This distance is the chord, which is a little shorter than the distance along the surface.
    distance = EARTH_RADIUS / 1e3 * cells.query(unit_vectors(*records[:, :2].T.astype(np.float64)))[0]
    outside = int(np.count_nonzero(distance > width))
    if outside > 0.1 * len(records):
        warn_once_a_search(
            f"{outside} of {len(records)} records are more than {width:.0f} km from all cells of background. Check "
            "that the mask of background is True inside of the region. Leave out records of other regions.",
            CoordinateWarning,
        )


def warn_of_small_region(records: npt.NDArray[Any]) -> None:
    """Warn if all records lie in a small part of the globe, and the background is the whole globe.

    ``records`` are the places (n, 2). A model then learns little about differences within this region.
    """
    vectors = unit_vectors(*records[:, :2].T.astype(np.float64))
    middle = vectors.mean(axis=0)
    # A cap of angular radius r has the share (1 - cos r) / 2 of the sphere.
    share = (1.0 - float((vectors @ middle).min() / np.linalg.norm(middle))) / 2.0
    if len(records) > 1 and 0.0 < share < _SMALL_REGION:
        warn_once_a_search(
            f"The background is the whole globe, and all records lie in {share:.2%} of its area. The model "
            "then learns little about differences within this region. Give background= a grid or places of the region.",
            CoordinateWarning,
        )


def _cell_weights(grid: LatLonGrid | CellGrid) -> npt.NDArray[np.float64]:
    """The areas (n,) of cells inside of the mask, in square kilometres."""
    areas = np.asarray(grid.cell_areas(), dtype=np.float64).ravel() / 1e6
    if grid.mask is None:
        return np.nan_to_num(areas)
    return np.nan_to_num(areas * np.asarray(grid.mask, dtype=np.float64).ravel())
