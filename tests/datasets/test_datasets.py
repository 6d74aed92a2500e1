import io
import pickle
from importlib import resources

import mpmath
import numpy as np
import pytest
import scipy.stats

from paths import SHARED_DATA, needs_shared_data
from reference import vectors
from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo._kernels.sphere import fibonacci_lattice as lattice_kernel
from skgeo.datasets import fibonacci_lattice, load_land_mask, make_checkerboard, make_land_ocean

LAND = load_land_mask()


def cell(latitude, longitude):
    """Row and column of the cell that holds a point."""
    rows, columns = (np.asarray(latitude) + 90) // 0.5, (np.asarray(longitude) + 180) // 0.5
    return rows.astype(int), columns.astype(int)


def mean_over_sphere(values):
    """Mean over 360 rows of half a degree, weighted by the exact areas of the rows."""
    return np.diff(np.sin(np.radians(np.linspace(-90, 90, 361)))) / 2 @ values.mean(axis=1)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        pytest.param(38.5, -98.3, id="Kansas"),
        pytest.param(48.86, 2.35, id="Paris"),
        pytest.param(23.1, 12.3, id="Sahara"),
        pytest.param(46.9, 103.8, id="Mongolia"),
        pytest.param(-23.7, 133.9, id="Alice Springs"),
        pytest.param(-3.1, -60.0, id="Manaus"),
        pytest.param(-80.3, 77.1, id="Antarctica"),
        pytest.param(-89.9, 0.0, id="South Pole"),
        pytest.param(66.6, -178.3, id="Chukotka, beyond the antimeridian"),
        pytest.param(42.0, 51.0, id="Caspian Sea, inland"),
        pytest.param(47.7, -87.5, id="Lake Superior, inland"),
    ],
)
def test_known_places_are_land(latitude, longitude):
    assert LAND.mask[cell(latitude, longitude)]


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        pytest.param(30.1, -40.2, id="Atlantic"),
        pytest.param(0.1, -140.3, id="Pacific"),
        pytest.param(0.1, 179.9, id="Pacific, west of the antimeridian"),
        pytest.param(-35.2, 75.3, id="Indian Ocean"),
        pytest.param(34.8, 19.2, id="Mediterranean"),
        pytest.param(43.2, 34.1, id="Black Sea"),
        pytest.param(59.4, -85.3, id="Hudson Bay"),
        pytest.param(20.2, 38.3, id="Red Sea"),
        pytest.param(89.9, 0.0, id="North Pole"),
        pytest.param(-81.0, -175.0, id="Ross Ice Shelf"),
    ],
)
def test_known_places_are_sea(latitude, longitude):
    assert not LAND.mask[cell(latitude, longitude)]


def test_axes_are_cell_centres_ascending():
    np.testing.assert_array_equal(LAND.latitude, np.linspace(-89.75, 89.75, 360))
    np.testing.assert_array_equal(LAND.longitude, np.linspace(-179.75, 179.75, 720))


def test_land_covers_29_percent_of_the_earth():
    assert abs(mean_over_sphere(LAND.fraction) - 0.29) < 0.005
    assert abs(mean_over_sphere(LAND.mask) - 0.29) < 0.005


@pytest.mark.parametrize(
    ("south", "north", "west", "east", "area"),
    # boxes that hold one country alone; its area in 10^6 km^2 from the CIA World Factbook
    [
        pytest.param(-44, -10.5, 112, 154, 7.69, id="Australia"),
        pytest.param(-26, -11.5, 43, 51, 0.587, id="Madagascar"),
        pytest.param(63, 67, -25, -13, 0.103, id="Iceland"),
        pytest.param(5.5, 10, 79.5, 82, 0.0656, id="Sri Lanka"),
    ],
)
def test_islands_have_their_areas(south, north, west, east, area):
    rows, columns = cell([south, north], [west, east])
    cell_areas = LatLonGrid(LAND.latitude, LAND.longitude).cell_areas() / 1e12
    box = slice(*rows), slice(*columns)
    assert np.sum((LAND.fraction * cell_areas)[box]) == pytest.approx(area, rel=0.03)


def test_fractions_are_fractions_and_the_coast_is_fractional():
    fraction = LAND.fraction
    assert fraction.shape == (360, 720)
    assert fraction.dtype == np.float64
    assert fraction.min() == 0.0
    assert fraction.max() == 1.0
    partial = (fraction > 0) & (fraction < 1)
    assert 0.05 < partial.mean() < 0.08
    inner = LAND.mask[1:-1, 1:-1]
    coast = (inner != LAND.mask[1:-1, 2:]) | (inner != LAND.mask[2:, 1:-1])
    beside = partial[1:-1, 1:-1] | partial[1:-1, 2:] | partial[2:, 1:-1]
    assert beside[coast].mean() > 0.99


def test_mask_is_at_least_half_land():
    assert LAND.mask.dtype == bool
    np.testing.assert_array_equal(LAND.mask, LAND.fraction >= 0.5)


def test_file_is_small_and_free_of_pickles():
    content = resources.files("skgeo.datasets").joinpath("data", "land_mask.npz").read_bytes()
    assert len(content) < 100_000
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        assert {name: archive[name].dtype for name in archive} == {"fraction": np.dtype(np.uint8)}


def test_loads_without_network_and_without_pickles(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("called")

    monkeypatch.setattr("socket.socket", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    again = load_land_mask()
    np.testing.assert_array_equal(again.fraction, LAND.fraction)
    assert "GLOBE" in again.DESCR


def test_each_call_gives_arrays_of_its_own():
    load_land_mask().fraction[:] = 7.0
    assert load_land_mask().fraction.max() == 1.0


def coarsened(values, weights):
    """Weighted means of blocks of 2 x 2 cells."""
    total, weight = (part.reshape(180, 2, 360, 2).sum(axis=(1, 3)) for part in (values * weights, weights))
    return total / weight


@pytest.mark.parametrize(
    ("domain", "as_boolean", "in_common"),
    [("sea", False, 96), ("sea", True, 20), ("land", False, 94), ("land", True, 39)],
)
def test_bases_of_two_resolutions_agree_as_documented(domain, as_boolean, in_common):
    fine = LAND.fraction if domain == "land" else 1.0 - LAND.fraction
    coarse = coarsened(fine, LatLonGrid(LAND.latitude, LAND.longitude).cell_areas())
    rows = []
    for mask, spacing in ((fine, 0.5), (coarse, 1.0)):
        axes = (np.arange(start + spacing / 2, -start, spacing) for start in (-90, -180))
        grid = LatLonGrid(*axes, mask=mask >= 0.5 if as_boolean else mask)
        rows.append(SphericalHarmonicPCA(max_degree=10, n_components=96).fit(grid).components_)
    cosine = np.sum(rows[0] * rows[1], axis=1)  # rows have length 1
    assert abs(int(np.sum(cosine > 0.99)) - in_common) <= 1
    assert f"{in_common} of 96" in load_land_mask.__doc__


@needs_shared_data
@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_agrees_with_natural_earth_and_best_without_a_shift(name):
    points = np.load(SHARED_DATA / f"land_ocean_{name}.npz")
    north = points["latitude"] > -60  # Natural Earth counts ice shelves as land
    rows, columns = cell(points["latitude"][north], points["longitude"][north])
    agreement = {
        (dlat, dlon): np.mean(LAND.mask[(rows + dlat) % 360, (columns + dlon) % 720] == points["land"][north])
        for dlat in (-1, 0, 1)
        for dlon in (-1, 0, 1)
    }
    best = agreement.pop((0, 0))
    assert best > 0.99
    assert max(agreement.values()) < best - 0.005


@pytest.mark.parametrize("n", [1, 2, 7, 200, 1001])
def test_fibonacci_lattice_is_even(n):
    X = fibonacci_lattice(n)
    assert X.shape == (n, 2)
    assert ((X[:, 1] >= -180) & (X[:, 1] < 180)).all()
    # each point stands for a band of the same area
    np.testing.assert_allclose(np.sin(np.radians(X[:, 0])), (np.arange(n) + 0.5) * 2 / n - 1, atol=1e-12)
    np.testing.assert_allclose(np.diff(X[:, 1]) % 360, 360 * 2 / (1 + 5**0.5), atol=1e-12)  # the golden angle
    if n >= 200:  # neighbours are about as far apart everywhere, as points of so many equal cells are
        cosine = vectors(X) @ vectors(X).T
        np.fill_diagonal(cosine, -1.0)
        nearest = np.degrees(np.arccos(cosine.max(axis=1)))
        assert nearest.min() / np.sqrt(41253 / n) > 0.7
        assert nearest.max() / np.sqrt(41253 / n) < 1.1


def test_longitudes_of_a_large_lattice_are_exact():
    n, first = 5 * 10**12, 4 * 10**12 + 7
    index = np.arange(first, first + 5)
    with mpmath.workdps(40):
        turns = [int(i) * (mpmath.sqrt(5) - 1) / 2 for i in index]
        expected = [float(360 * (turn - mpmath.nint(turn))) for turn in turns]
    latitude, longitude = lattice_kernel(n, first, first + 5).T
    np.testing.assert_allclose(longitude, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.sin(np.radians(latitude)), (2.0 * index + 1.0 - n) / n, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(lattice_kernel(100, 20, 30), fibonacci_lattice(100)[20:30])


def test_land_ocean_is_the_mask_at_uniform_places():
    X, y = make_land_ocean(20_000, random_state=3)
    assert y.dtype == bool
    # the nearest centre of a cell, by brute force along each axis
    row = abs(X[:500, :1] - LAND.latitude).argmin(axis=1)
    column = abs(X[:500, 1:] - LAND.longitude).argmin(axis=1)
    np.testing.assert_array_equal(y[:500], LAND.mask[row, column])
    uniform = np.sin(np.radians(X[:, 0])), X[:, 1] / 180.0
    for values in uniform:
        assert scipy.stats.kstest(values, "uniform", args=(-1, 2)).pvalue > 0.01
    assert make_land_ocean(10, random_state=3)[0].shape == (10, 2)
    np.testing.assert_array_equal(make_land_ocean(10, random_state=3)[0], make_land_ocean(10, random_state=3)[0])


def test_known_places_of_the_samples():
    X, y = make_land_ocean(50_000, random_state=0)
    latitude, longitude = X.T
    sahara = (abs(latitude - 22) < 5) & (abs(longitude - 10) < 10)
    pacific = (abs(latitude) < 5) & (abs(longitude + 130) < 15)
    assert sahara.sum() > 50 < pacific.sum()
    assert y[sahara].all()
    assert not y[pacific].any()
    assert y[latitude < -80].mean() > 0.7


@pytest.mark.parametrize(("n_support", "n_classes"), [(200, 16), (7, 3), (1, 1)])
def test_checkerboard_is_the_class_of_the_nearest_point(n_support, n_classes):
    X, y = make_checkerboard(500, n_support, n_classes, random_state=0)
    nearest = (vectors(X) @ vectors(fibonacci_lattice(n_support)).T).argmax(axis=1)
    np.testing.assert_array_equal(y, nearest % n_classes)


def test_checkerboard_has_equal_cells():
    _, y = make_checkerboard(random_state=1)
    assert y.shape == (10_000,)
    assert np.bincount(y, minlength=16).min() / (10_000 / 16) > 0.8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fibonacci_lattice(0), "n=0: expected an integer, at least 1"),
        (lambda: fibonacci_lattice(2.0), "n=2.0: expected an integer, at least 1"),
        (lambda: make_land_ocean(-1), "n_samples=-1: expected an integer, at least 1"),
        (lambda: make_checkerboard("many"), "n_samples='many': expected an integer, at least 1"),
        (lambda: make_checkerboard(n_support=0), "n_support=0: expected an integer, at least 1"),
        (lambda: make_checkerboard(n_classes=0), "n_classes=0: expected an integer, at least 1"),
    ],
)
def test_numbers_of_samples_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()
