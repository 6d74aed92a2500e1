"""The sum of areas of cells that fill the sphere: equal areas around a Fibonacci spiral, in wrong units and spheres."""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skgeo import CellGrid
from skgeo.exceptions import CoordinateError, CoordinateWarning

R = 6_371_008.8
N = 3000
# Points of the spiral divide the sphere into equal areas.
LATITUDE = np.degrees(np.arcsin(1 - (2 * np.arange(N) + 1) / N))
LONGITUDE = np.arange(N) * 137.50776405003785 % 360
AREA = np.full(N, 4 * np.pi / N)
SEA = np.abs(LATITUDE) < 90


def grid(areas, chosen=slice(None), **options):
    return CellGrid(LATITUDE[chosen], LONGITUDE[chosen], areas=areas[chosen], **options)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (6e6**2, r"3000 cells fill the sphere, .* sum to 0.886923 times its area: that of a sphere .* 6000000 m"),
        (1.0, "They seem to be those of a unit sphere: .* the units 'sr'"),
        (R**2 / 1e6, "They seem to be square kilometres: areas [*] 1e6"),
        (0.9 * R**2, "sum to 0.9 times its area"),
    ],
)
def test_sums_that_are_too_small_are_warned_of(factor, message):
    with pytest.warns(CoordinateWarning, match=message) as caught:
        cells = grid(AREA * factor)
    assert len(caught) == 1
    total = cells.check().problems[0]
    assert total.name == "total_area"
    assert re.search("of the sphere: cells fill the sphere", total.note)
    cure = re.search(r"areas (/ [0-9.e-]+|\* 6371008.8\*\*2|\* 1e6)", str(caught[0].message))[0]
    mended = grid(eval(cure, {"areas": AREA * factor}))
    assert_allclose(mended.domain_area(), 4 * np.pi * R**2, rtol=1e-5)
    assert mended.check().ok


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (6_378_137.0**2, "1.00224 times as large .* sphere with a radius of 6378137 m. Give .* areas / 1.00224"),
        (R**2 * 1e3, "1000 times as large as the Earth together"),
        (R**2 * 1e6, "areas of 3000 cells are larger than the Earth, .* Are they in another unit?"),
    ],
)
def test_sums_that_are_too_large_are_refused_with_the_cure(factor, message):
    with pytest.raises(CoordinateError, match=message):
        grid(AREA * factor)


def test_other_sums_are_right():
    half = LATITUDE > 0
    hole = (np.abs(LATITUDE) > 12) | (np.abs(LONGITUDE - 180) > 20)  # 2.3 % of the sphere
    rounding = AREA * 6_367_470.0**2  # the sphere of GRIB 1
    for given in (
        lambda: grid(AREA * R**2, half),
        lambda: grid(AREA * R**2, hole),
        lambda: grid(AREA * R**2, mask=np.full(N, 0.5)),
        lambda: grid(AREA * R**2 * half, mask=half),
        lambda: grid(rounding),
        lambda: CellGrid(LATITUDE[::10], LONGITUDE[::10], areas=AREA[::10] * R**2),  # too few to tell
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert given().check()["total_area"] > 0


def test_corners_that_do_not_meet():
    side = np.degrees(np.sqrt(AREA)) / 4
    corners = [axis[:, None] + side[:, None] * np.array(ways) for axis, ways in (
        (LATITUDE, (-1, -1, 1, 1)), (LONGITUDE, (-1, 1, 1, -1))
    )]  # fmt: skip
    corners[1] = LONGITUDE[:, None] + (corners[1] - LONGITUDE[:, None]) / np.cos(np.radians(LATITUDE))[:, None]
    away = np.abs(LATITUDE) < 87
    with pytest.warns(CoordinateWarning, match="areas sum to 0.2[0-9]* times its area: the corners of neighbours do"):
        CellGrid(LATITUDE[away], LONGITUDE[away], vertices=tuple(axis[away] for axis in corners))


def test_chunked_cells_are_compared_in_the_report():
    da = pytest.importorskip("dask.array")
    lazy = [da.from_array(each, chunks=1000) for each in (LATITUDE, LONGITUDE, AREA * 6e6**2)]
    report = CellGrid(lazy[0], lazy[1], areas=lazy[2]).check()
    assert "radius of 6000000 m" in report.problems[0].note
