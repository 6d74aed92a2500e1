"""Maps of harmonics at points of a region, by a table: as the sum over harmonics, wherever the points lie."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgeo import LatLonGrid
from skgeo._kernels import domain as _domain
from skgeo._kernels import local_table
from skgeo._kernels.evaluate import map_points
from skgeo._kernels.harmonics import degrees_and_orders
from skgeo._kernels.local_table import map_points_of_domain

DEGREE = 40


def edges(low, high, n):
    along = np.linspace(low, high, n + 1)
    return np.column_stack([along[:-1], along[1:]])


def domain_of(south, north, west, east):
    return _domain.cell_coefficients(edges(south, north, 4), edges(west, east, 4), np.ones((4, 4)), 2 * DEGREE)


def random_map(seed, n=5):
    """Coefficients that give every degree the same variance: the largest values are about 4."""
    degree, _ = degrees_and_orders(DEGREE)
    coefficients = np.random.default_rng(seed).standard_normal((n, degree.size))
    return coefficients * np.sqrt(4.0 * np.pi / degree.size)


def places(south, north, west, east, n=400):
    """Places in a box, on its edges and in its corners."""
    share = np.random.default_rng(1).uniform(size=(2, n))
    share[0, :40], share[1, 20:60] = np.arange(40) % 2, np.arange(40) // 2 % 2
    return south + share[0] * (north - south), west + share[1] * (east - west)


@pytest.fixture
def no_limits(monkeypatch):
    monkeypatch.setattr(local_table, "_MAX_TABLE_SHARE", np.inf)
    monkeypatch.setattr(local_table._Tables, "by_hash", {})


BOXES = [
    (45, 55, 5, 20),
    (-8, 7, 170, 195),
    (70, 90, 20, 130),
    (-90, -75, 0, 360),
    (10, 20, -180, 180),
    (80, 90, 0, 360),
]


@pytest.mark.usefixtures("no_limits")
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("turn", [0.0, 360.0, -720.0])
def test_values_are_those_of_the_sum(monkeypatch, box, turn):
    coefficients, (latitude, longitude) = random_map(0), places(*box)
    expected, got = np.empty((latitude.size, 5)), np.empty((latitude.size, 5))
    map_points(latitude, longitude, coefficients, 3.0, expected)
    # No point of the box is left to the sum.
    monkeypatch.setattr(local_table, "map_points", None)
    map_points_of_domain(latitude, longitude + turn, coefficients, 3.0, got, domain=domain_of(*box))
    assert_allclose(got, expected, rtol=0, atol=1e-10)


@pytest.mark.usefixtures("no_limits")
def test_points_elsewhere_take_the_sum_itself():
    box, coefficients = BOXES[0], random_map(2)
    random = np.random.default_rng(0)
    latitude = np.concatenate([[np.nan, 90.0, -90.0], random.uniform(-90, 90, 500)])
    longitude = np.concatenate([[np.nan, 0.0, 77.0], random.uniform(-180, 180, 500)])
    outside = ~((latitude > 40) & (latitude < 60) & (longitude > 0) & (longitude < 25))
    expected, got = np.empty((latitude.size, 5)), np.empty((latitude.size, 5))
    map_points(latitude, longitude, coefficients, None, expected)
    map_points_of_domain(latitude, longitude, coefficients, None, got, domain=domain_of(*box))
    assert_allclose(got[outside], expected[outside], rtol=0, atol=1e-13)
    assert_allclose(got, expected, rtol=0, atol=1e-10)
    assert np.isnan(got[0]).all()


@pytest.mark.usefixtures("no_limits")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_blocks_and_threads_change_rounding_only(monkeypatch, n_jobs):
    domain, coefficients, (latitude, longitude) = domain_of(*BOXES[0]), random_map(3), places(*BOXES[0])
    whole, parts = np.empty((latitude.size, 5)), np.empty((latitude.size, 5))
    map_points_of_domain(latitude, longitude, coefficients, 3.0, whole, domain=domain)
    monkeypatch.setattr(local_table, "_BLOCK_POINTS", 7)
    advanced = []
    map_points_of_domain(latitude, longitude, coefficients, 3.0, parts, n_jobs, advanced.append, domain=domain)
    assert sum(advanced) == latitude.size
    assert_allclose(parts, whole, rtol=0, atol=1e-12)
    for i in range(3):
        map_points_of_domain(
            latitude[i : i + 1], longitude[i : i + 1], coefficients, 3.0, parts[i : i + 1], domain=domain
        )
    assert_allclose(parts, whole, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("no_limits")
def test_single_precision_is_rounded_double_precision():
    domain, coefficients, (latitude, longitude) = domain_of(*BOXES[0]), random_map(4), places(*BOXES[0])
    double, single = np.empty((latitude.size, 5)), np.empty((latitude.size, 5), dtype=np.float32)
    for out in (double, single):
        map_points_of_domain(latitude, longitude, coefficients, 3.0, out, domain=domain)
    assert_array_equal(single, double.astype(np.float32))


def test_large_domains_and_few_harmonics_take_the_sum(monkeypatch):
    made = []
    monkeypatch.setattr(local_table._Tables, "by_hash", {})
    monkeypatch.setattr(local_table, "LocalTable", lambda *given: made.append(given))
    latitude, longitude = places(*BOXES[0])
    out = np.empty((latitude.size, 5))
    map_points_of_domain(latitude, longitude, random_map(5), 3.0, out, domain=domain_of(-60, 60, -90, 90))
    few = random_map(5)[:, :100]
    map_points_of_domain(latitude, longitude, few, 3.0, out, domain=domain_of(*BOXES[0])[: 19 * 19])
    map_points_of_domain(latitude, longitude, random_map(5), 3.0, out, domain=np.zeros(81 * 81))
    assert not made


@pytest.mark.usefixtures("no_limits")
def test_a_table_is_made_once_and_few_are_kept(monkeypatch):
    made, table = [], local_table.LocalTable
    monkeypatch.setattr(local_table, "LocalTable", lambda *given: made.append(given) or table(*given))
    domain, (latitude, longitude) = domain_of(*BOXES[0]), places(*BOXES[0], n=60)
    out = np.empty((latitude.size, 2))
    for seed in (0, 0, 1, 2, 3, 4, 4, 0):
        map_points_of_domain(latitude, longitude, random_map(seed, n=2), 3.0, out, domain=domain)
    assert len(made) == 6
    assert len(local_table._Tables.by_hash) == 4


def test_the_domain_lies_in_its_box():
    grid = LatLonGrid(np.arange(40.25, 50, 0.5), np.arange(350.25, 380, 0.5))
    south, north = grid.latitude_edges.min(), grid.latitude_edges.max()
    box = local_table._box_of(domain_of(south, north, 350, 380))
    row, column = box.position(*places(south, north, -10, 20))
    assert ((row >= 0) & (row <= box.n_rows) & (column <= box.n_columns)).all()
    assert box.n_rows * box.n_columns < 30 * 60
