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


def grid(areas, chosen=slice(None), **options):
    return CellGrid(LATITUDE[chosen], LONGITUDE[chosen], areas=areas[chosen], **options)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (1.0, "3000 cells fill the sphere, .* They seem to be those of a unit sphere: .* the units 'sr'"),
        (6.37e6**2 / 1e6, "They seem to be square kilometres: give areas [*] 1e6"),
        (np.degrees(1.0) ** 2, "They seem to be square degrees"),
        (1 / (4 * np.pi), "They seem to be shares of the sphere"),
    ],
)
def test_sums_in_another_unit_are_warned_of(factor, message):
    with pytest.warns(CoordinateWarning, match=message) as caught:
        cells = grid(AREA * factor)
    assert len(caught) == 1
    total = cells.check().problems[0]
    assert total.name == "total_area"
    assert re.search("% of the sphere: cells fill the sphere, and their areas sum to", total.note)
    cure = re.search(r"areas \*[^:,]*\*\*2|areas \* 1e6", str(caught[0].message))[0]
    mended = grid(eval(cure, {"areas": AREA * factor, "numpy": np}))
    assert_allclose(mended.domain_area(), 4 * np.pi * R**2, rtol=3e-3)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (6_378_137.0**2, "1.00224 times as large .* sphere with a radius of 6378137 m. Give .* areas / 1.00223"),
        (R**2 * 1e3, "1000 times as large as the Earth together"),
        (R**2 * 1e6, "areas of 3000 cells are larger than the Earth, .* Are they in another unit?"),
    ],
)
def test_sums_that_are_too_large_are_refused_with_the_cure(factor, message):
    with pytest.raises(CoordinateError, match=message) as error:
        grid(AREA * factor)
    cure = re.search(r"areas / [0-9.]+", str(error.value))
    if cure:
        assert grid(eval(cure[0], {"areas": AREA * factor})).check().ok


def test_square_metres_in_the_unit_of_square_kilometres():
    xr = pytest.importorskip("xarray")
    small = AREA[::30] * R**2 / 1e9  # of fields far apart
    coords = {"lat": ("cell", LATITUDE[::30]), "lon": ("cell", LONGITUDE[::30])}
    obj = xr.Dataset({"area": ("cell", small, {"units": "km2"}), "t": ("cell", np.ones(100))}, coords)
    assert_allclose(CellGrid.from_xarray(obj).cell_areas(), small * 1e6)
    obj["area"] = ("cell", AREA[::30] * 30 * R**2, {"units": "km2"})
    with pytest.raises(CoordinateError, match="areas of 100 cells are larger .* correct the units of an xarray variab"):
        CellGrid.from_xarray(obj)


def test_other_sums_are_right():
    half = LATITUDE > 0
    rng = np.random.default_rng(0)
    for given in (
        lambda: grid(AREA * R**2, half),
        lambda: grid(AREA * R**2, np.abs(LATITUDE) > 12),
        lambda: grid(AREA * R**2, mask=np.full(N, 0.5)),
        lambda: grid(AREA * R**2 * half, mask=half),
        lambda: grid(AREA * 6_367_470.0**2),  # the sphere of GRIB 1
        lambda: grid(AREA * 3_389_500.0**2),  # Mars
        lambda: grid(AREA * R**2 * rng.random(N)),  # the lakes in the cells
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert given().check().ok
    with pytest.warns(CoordinateWarning, match="squared distance to the nearest centre.* those of a unit sphere"):
        grid(AREA, half)


def test_chunked_cells_are_compared_in_the_report():
    da = pytest.importorskip("dask.array")
    for factor, words in ((6_378_137.0**2, "radius of 6378137 m"), (1.0, "those of a unit sphere")):
        lazy = [da.from_array(each, chunks=1000) for each in (LATITUDE, LONGITUDE, AREA * factor)]
        report = CellGrid(lazy[0], lazy[1], areas=lazy[2]).check()
        assert words in report.problems[0].note
