"""Find areas that are wrong in all cells alike: by their sum, by the distances of centres, and by the corners.

A wrong unit multiplies all areas by one factor. The sum of cells that fill the sphere shows the factor.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._input.cell_vertices import format_cell
from skgeo._input.chunks import is_lazy
from skgeo._kernels.cell_corners import SORTED, cell_polygons
from skgeo._kernels.cell_places import area_shares, blocks_filled
from skgeo._kernels.sphere import EARTH_RADIUS
from skgeo._typing import FloatArray
from skgeo._validation import warn_caller
from skgeo.exceptions import CoordinateError, CoordinateWarning

#: The sources of areas, in the words of reports and messages.
GIVEN, VERTICES = "as given", "computed from the vertices"
NEIGHBOURS, NOTHING = "computed from the distances to neighbouring centres", "none: all cells weigh the same"

#: Largest sum of all areas, in areas of the sphere. Rounding and coarse polygons explain the excess over 1.
LARGEST_SHARE = 1.001
# A unit explains a wrong sum if its factor brings the sum to the area of the sphere within this share. The share is
# not zero, because models have radii of the Earth from 6367 km to 6378 km.
_ONE_UNIT = 0.01
# Cells that are compared with their corners, spread over the grid.
_SAMPLE = 300
# If all areas are one factor times those of the polygons, and the factor differs from 1 by more than this, the areas
# are in another unit or on another sphere.
_SAME = 0.01
# Largest spread of the factors of most cells, as a share of their median, if one unit is the reason.
_ALIKE = 0.02
# Usual sums of the areas, as shares of the box around all cells. Only areas outside this range are examined closely.
_SHARES_OF_BOX = (1e-4, 1e2)
# Smallest and largest area as a share of the squared distance to the nearest centre. If most areas are outside this
# range, they are no areas of cells, not even of fields or lakes far apart.
_SMALLEST_SHARE, _LARGEST_SHARE = 1e-9, 1e5
# Usual areas as shares of the squared distance to the nearest centre. A unit that brings most cells into this range is
# the true unit. Cells of a mesh are near 1, and cells between meridians and parallels have shares up to 10. Scattered
# cells have a wider spread.
_USUAL_SHARES = (1.0 / 4.0, 16.0)
# Smallest number of cells that can show a wrong unit: a few islands may have any size.
_FEWEST_CELLS = 10
# Square metres in the units that areas are often in by mistake, and the words for these units.
_MISTAKEN_UNITS = {
    EARTH_RADIUS**2: "those of a unit sphere: give areas * 6371008.8**2, or give an xarray variable the units 'sr'",
    1e6: "square kilometres: give areas * 1e6, or give an xarray variable the units 'km2'",
    1e-6: "square metres in the unit km2: give areas / 1e6, or give an xarray variable the units 'm2'",
}
# The same for the sum of cells that fill the sphere, with units that only such cells show.
_SUMS = _MISTAKEN_UNITS | {
    np.radians(EARTH_RADIUS) ** 2: "square degrees: give areas * numpy.radians(6371008.8)**2",
    4.0 * np.pi * EARTH_RADIUS**2: "shares of the sphere: give areas * 4 * numpy.pi * 6371008.8**2",
}


def largest_share(shape: tuple[int, ...], source: str) -> float:
    """Largest sum of the areas of cells, in areas of the sphere.

    Areas from neighbours lie on tangent planes, and are larger than those on the sphere. The difference grows with the
    height of the rows.
    """
    half = np.pi / min(shape) / 2.0
    return LARGEST_SHARE * (half / math.sin(half) if source == NEIGHBOURS else 1.0)


def wrong_sum(latitude: FloatArray, longitude: FloatArray, weight: FloatArray, source: str) -> str:
    """The words for a wrong sum of the areas of cells that fill the sphere; empty if the sum is right.

    ``weight`` are the areas on the unit sphere, zero for cells that do not count. Cells fill the sphere if each of up
    to 3000 blocks of equal area has a centre. A sum that is too small proves an error only if the sum is that of a
    usual mistake, such as another unit. Other small sums may be right: those of the lakes or the fields in the cells.
    """
    share = float(weight.sum()) / (4.0 * np.pi)
    found = [words for factor, words in _SUMS.items() if abs(share * factor - 1.0) <= _ONE_UNIT]
    computed = source == VERTICES or source.startswith(NEIGHBOURS)
    if computed or not (found or share > LARGEST_SHARE) or not blocks_filled(latitude, longitude, weight > 0.0):
        return ""
    words = f"cells fill the sphere, and their areas sum to {share:.6g} times its area"
    if found:
        return f"{words}. They seem to be {found[0]}"
    return (
        f"{words}, which is that of a sphere with a radius of {EARTH_RADIUS * math.sqrt(share):.7g} m. Give the areas "
        f"on a sphere of {EARTH_RADIUS:.8g} m, areas / {share:.8g}, or correct the units of the variable"
    )


def check_sum(
    latitude: FloatArray,
    longitude: FloatArray,
    weight: FloatArray,
    share: float,
    again: npt.NDArray[np.intp],
    source: str,
) -> None:
    """Refuse cells that together are larger than the sphere; warn of areas in another unit.

    ``weight`` are the areas of cells in the domain, ``share`` is the sum of their parts inside the mask over the area
    of the sphere, and ``again`` has the cells that repeat another cell.
    """
    reason = "" if again.size else wrong_sum(latitude, longitude, weight, source)
    if share > largest_share(weight.shape, source):
        largest = np.atleast_1d(np.argmax(weight))
        found = [f"the largest, at {format_cell(largest, weight.shape)}, has {weight.max() * EARTH_RADIUS**2:.4g} m2"]
        if again.size:
            found.append(
                f"{again.size} are at the place of another one, the first at {format_cell(again, weight.shape)}"
            )
        cure = (
            "Mask the cells that are there twice or overlap, mask=, such as a second column at 0 and 360 or a halo; "
            "give areas in square metres; pass the corners of cells as vertices="
        )
        raise CoordinateError(
            f"The cells are {share:.6g} times as large as the Earth together; {', and '.join(found)}. Their areas are "
            f"{source}. {f'The {reason}' if reason else cure}."
        )
    if reason:
        warn_caller(f"The {weight.size} {reason}.", CoordinateWarning)
    elif source == GIVEN:
        _check_distances(latitude, longitude, weight)


def _check_distances(latitude: FloatArray, longitude: FloatArray, weight: FloatArray) -> None:
    """Warn of areas that differ by orders of magnitude from the squared distances of the centres.

    A single cell may have any area, for instance that of the land in it. Only most cells together show the unit.
    """
    shares = area_shares(latitude, longitude, weight, _SHARES_OF_BOX)
    if shares is None:
        return
    # The middle 80 % of the cells decide.
    low, high = np.quantile(shares, (0.1, 0.9))
    least, most = _USUAL_SHARES
    units = _MISTAKEN_UNITS.items() if shares.size >= _FEWEST_CELLS else ()
    found = [words for unit, words in units if least < low * unit and high * unit < most]
    if found or high < _SMALLEST_SHARE or low > _LARGEST_SHARE:
        reason = f"They seem to be {found[0]}." if found else "Are they in another unit, or weights?"
        warn_caller(
            f"areas are {np.median(shares):.2g} times the squared distance to the nearest centre, in the median, and "
            f"{weight.sum() * EARTH_RADIUS**2:.4g} m2 together. areas must be in square metres. {reason}",
            CoordinateWarning,
        )


def check_areas_of_corners(areas: Any, name: Any, degrees: Sequence[Any], corners: Sequence[Any]) -> None:
    """Warn of areas (...) in square metres that are one factor times those of the corners (..., k) in degrees.

    Single cells may differ, because their area may be that of the land alone. Chunked values are not compared.
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
