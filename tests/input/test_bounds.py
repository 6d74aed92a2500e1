"""LatLonGrid with true cell edges."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import reference
from skgeo import LatLonGrid, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.exceptions import CoordinateError

R = 6_371_008.8


def pairs(edges):
    return np.column_stack([edges[:-1], edges[1:]])


# Cells whose centres are not in the middle.
LAT_EDGES, LON_EDGES = np.array([-60.0, -50, -20, 10, 15]), np.array([340.0, 350, 365, 400])
LAT, LON = np.array([-56.0, -30, -5, 12]), np.array([341.0, 351, 390])


def assert_same_grid(one, other):
    for name in ("latitude", "longitude", "latitude_edges", "longitude_edges"):
        assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.closed, one.dtype, one.shape) == (other.closed, other.dtype, other.shape)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    st.booleans(),
    st.booleans(),
    st.sampled_from([-720, -360, 0, 360]),
    st.sampled_from(["as they are", "0..360", "-180..180"]),
    st.sampled_from([np.float64, np.float32]),
    st.integers(0, 2**7 - 1),
)
def test_bounds_are_edges_in_any_order_and_convention(north_first, westward, turns, wrap, dtype, swaps):
    def wrapped(longitude):
        cut = {"as they are": None, "0..360": 0.0, "-180..180": -180.0}[wrap]
        return longitude if cut is None else (longitude - cut) % 360.0 + cut

    lat, lat_bounds, lon, lon_bounds = LAT, pairs(LAT_EDGES), wrapped(LON + turns), wrapped(pairs(LON_EDGES))
    if north_first:
        lat, lat_bounds = lat[::-1], lat_bounds[::-1]
    if westward:
        lon, lon_bounds = lon[::-1], lon_bounds[::-1]
    lat_bounds, lon_bounds = (
        np.where(((swaps >> (shift + np.arange(len(b)))) & 1)[:, None] == 1, b[:, ::-1], b).astype(dtype)
        for b, shift in ((lat_bounds, 0), (lon_bounds, 4))
    )
    grid = LatLonGrid(lat, lon, latitude_bounds=lat_bounds, longitude_bounds=lon_bounds)
    assert_allclose(grid.latitude_edges[:: -1 if north_first else 1], pairs(LAT_EDGES), atol=4e-5)
    columns = grid.longitude_edges[:: -1 if westward else 1]
    assert_allclose(columns - columns[0, 0], pairs(LON_EDGES) - LON_EDGES[0], atol=7e-5)
    assert not grid.closed
    inside = (grid.latitude_edges - lat[:, np.newaxis]) * [-1, 1]
    assert (inside > 0).all()
    areas = R**2 * np.outer(np.diff(np.sin(np.radians(LAT_EDGES))), np.radians(np.diff(LON_EDGES)))
    assert_allclose(grid.cell_areas()[:: -1 if north_first else 1, :: -1 if westward else 1], areas, rtol=2e-5)
    assert_array_equal(grid.latitude_edges[:-1, 0 if north_first else 1], grid.latitude_edges[1:, int(north_first)])
    assert_same_grid(pickle.loads(pickle.dumps(grid)), grid)


def test_one_axis_may_have_bounds_and_the_other_none():
    grid = LatLonGrid(LAT, LON, latitude_bounds=pairs(LAT_EDGES))
    assert_array_equal(grid.latitude_edges, pairs(LAT_EDGES))
    assert_array_equal(grid.longitude_edges, LatLonGrid(LAT, LON).longitude_edges)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("start", [-180, 0, 20])
def test_single_precision_bounds_of_midpoints_change_nothing(direction, start):
    step = 0.05
    latitude = (np.arange(400) * step + 30 + step / 2)[::direction]
    longitude = (start + step * (np.arange(7200) + 0.5))[::direction]
    lat_bounds = np.stack([latitude - step / 2, latitude + step / 2], axis=1).astype(np.float32)
    lon_bounds = np.stack([longitude - step / 2, longitude + step / 2], axis=1).astype(np.float32) % np.float32(360)
    for dtype in (np.float32, np.float64):
        axes = latitude.astype(dtype), longitude.astype(dtype)
        plain = LatLonGrid(*axes)
        assert_same_grid(LatLonGrid(*axes, latitude_bounds=lat_bounds, longitude_bounds=lon_bounds), plain)
    assert_allclose(plain.cell_areas().sum(), 2 * np.pi * R**2 * (np.sin(np.radians(50)) - 0.5), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("start", [47.3, -11.2, 0.1])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_bounds_of_fine_uneven_cells_are_kept(dtype, start, scale):
    edges = start + scale * np.r_[0, np.cumsum(np.tile([7e-4, 9e-4], 8))]
    bounds = pairs(edges).astype(dtype)
    centres = bounds.mean(axis=1)
    grid = LatLonGrid(centres, centres, latitude_bounds=bounds, longitude_bounds=bounds)
    for edges_read in (grid.latitude_edges, grid.longitude_edges):
        assert_allclose(edges_read, bounds, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shifted_single_precision_bounds_change_nothing(dtype):
    longitude = 0.05 * (np.arange(7200) + 0.5)
    edges = pairs(0.05 * np.arange(7201)).astype(np.float32).astype(dtype) - dtype(180)
    axes = np.array([1, 2], dtype=np.float32), longitude.astype(np.float32) - np.float32(180)
    grid = LatLonGrid(*axes, longitude_bounds=edges)
    assert_allclose(np.diff(grid.longitude_edges, axis=1), 0.05, rtol=1e-9)
    assert grid.closed


def test_bounds_close_circle_if_outermost_meet():
    edges = np.array([0.0, 100, 130, 360]) + 0.1
    bounds = pairs(edges).astype(np.float32)
    grid = LatLonGrid([-10, 10], [20, 120, 180], longitude_bounds=bounds % np.float32(360))
    assert grid.closed
    assert grid.longitude_edges[-1, 1] - grid.longitude_edges[0, 0] == 360
    assert_allclose(grid.cell_areas(1.0).sum(), 4 * np.pi * np.sin(np.radians(20)), rtol=1e-12)
    assert len(grid.patches((2, 2), (2, 1))) == 3
    assert not LatLonGrid([-10, 10], [20, 120, 180], longitude_bounds=pairs(edges - [0, 0, 0, 1])).closed
    # midpoints would close this one
    assert LatLonGrid([-10, 10], [60, 180, 300]).closed
    regional = LatLonGrid([-10, 10], [60, 180, 300], longitude_bounds=pairs([10, 120, 240, 350]))
    assert not regional.closed
    assert_allclose(np.ptp(regional.longitude_edges), 340)


@pytest.mark.parametrize(("longitude", "bounds"), [(180, (0, 360)), (0, (-180, 180)), (0, (0, 360)), (90, (360, 0))])
def test_zonal_means_are_one_column_all_around(longitude, bounds):
    grid = LatLonGrid(np.arange(-85, 90, 10), [longitude], longitude_bounds=[bounds])
    assert grid.closed
    assert grid.shape == (18, 1)
    assert_allclose(grid.cell_areas(1.0).sum(), 4 * np.pi, rtol=1e-12)
    assert_array_equal(grid.patches((18, 1))[0, :2], [-90, 90])
    assert grid.patches((18, 1))[0, 3] - grid.patches((18, 1))[0, 2] == 360
    assert_same_grid(pickle.loads(pickle.dumps(grid)), grid)


def test_a_single_cell_needs_bounds():
    cell = LatLonGrid([45], [10], latitude_bounds=[[40, 50]], longitude_bounds=[[370, 365]])
    assert repr(cell) == "LatLonGrid(1 x 1, latitude 40..50, longitude 5..10)"
    assert_array_equal(cell.patches(1), [[40, 50, 5, 10, 1, 1]])
    assert_allclose(cell.domain_area(1.0), np.radians(5) * np.diff(np.sin(np.radians([40, 50])))[0])
    assert_allclose(SphericalHarmonicPCA(2, 1).fit(cell).total_weight_ / cell.domain_area(1.0), 1.0, rtol=1e-12)
    for bounds in ({}, {"latitude_bounds": [[40, 50]]}, {"longitude_bounds": [[5, 15]]}):
        with pytest.raises(CoordinateError, match="or latitude_bounds and longitude_bounds"):
            LatLonGrid([45], [10], **bounds)


def test_true_bounds_win_over_the_reach_to_the_pole():
    latitude = reference.gaussian_latitudes(16)
    default = LatLonGrid(latitude, [0, 90, 180, 270])
    edges = default.latitude_edges.copy()
    assert np.abs(edges).max() == 90
    edges[np.abs(edges) == 90] *= 0.995
    grid = LatLonGrid(latitude, [0, 90, 180, 270], latitude_bounds=edges)
    assert_array_equal(grid.latitude_edges, edges)
    assert np.abs(grid.latitude_edges).max() == 90 * 0.995


def test_rounding_beyond_the_poles_is_clipped():
    bounds = np.array([[-90 - 2e-5, 0], [0, 90.00001]])
    grid = LatLonGrid([-60, 30], [0, 10], latitude_bounds=bounds)
    assert_array_equal(grid.latitude_edges, [[-90, 0], [0, 90]])


def test_the_basis_of_a_region_does_not_depend_on_its_cells():
    fine = LatLonGrid(np.arange(-58.75, 15, 2.5), np.arange(341.25, 400, 2.5))
    coarse = LatLonGrid(LAT, LON, latitude_bounds=pairs(LAT_EDGES), longitude_bounds=pairs(LON_EDGES))
    one, other = (SphericalHarmonicPCA(4, 6).fit(grid) for grid in (fine, coarse))
    assert_allclose(one.components_, other.components_, atol=1e-9)


def test_scale_of_patches_is_that_of_the_true_cells():
    grid = LatLonGrid(LAT, LON, latitude_bounds=pairs(LAT_EDGES), longitude_bounds=pairs(LON_EDGES))
    patches = grid.patches((4, 3))
    assert_array_equal(patches, [[-60, 15, -20 + 360, 40 + 360, 4, 3]])
    scale = PatchScaleFeaturizer(log=False).fit(patches)
    assert_allclose(scale.transform(patches)[0, 1], R * np.radians(75))


def test_copies_keep_the_edges_and_the_mask():
    mask = np.linspace(0, 1, 12).reshape(4, 3)
    grid = LatLonGrid(LAT, LON, mask, latitude_bounds=pairs(LAT_EDGES), longitude_bounds=pairs(LON_EDGES))
    for twin in (copy.copy(grid), copy.deepcopy(grid), pickle.loads(pickle.dumps(grid, protocol=2))):
        assert_same_grid(twin, grid)
        assert_array_equal(twin.mask, mask)
        with pytest.raises(ValueError, match="read-only"):
            twin.latitude_edges[0] = 0


def test_bounds_are_copied():
    bounds = pairs(LAT_EDGES)
    grid = LatLonGrid(LAT, LON, latitude_bounds=bounds)
    bounds[0, 0] = -80
    assert grid.latitude_edges[0, 0] == -60


@pytest.mark.parametrize(
    ("name", "bounds", "message"),
    [
        ("latitude", LAT_EDGES, r"latitude_bounds have shape \(5,\): expected \(4, 2\), both edges of each cell"),
        ("latitude", pairs(LAT_EDGES).T, r"have shape \(2, 4\): expected \(4, 2\)"),
        ("latitude", np.ma.masked_less(pairs(LAT_EDGES), -55), "latitude_bounds have masked values"),
        ("latitude", pairs([-60, np.nan, -20, 10, 15]), "latitude_bounds contains NaN or infinity in 2 rows"),
        ("latitude", pairs([-60, -50, -20, 10, 91]), "reach beyond a pole at position 3, 10 and 91: clip them"),
        ("latitude", pairs([-60, -50, -20, 10, 11]), r"centre 12 at position 3 outside its cell 10\.\.11"),
        ("latitude", np.add(pairs(LAT_EDGES), [[0, -1]]), "leave a gap between -51 and -50: cells must touch"),
        ("latitude", np.add(pairs(LAT_EDGES), [[0, 1]]), "overlap between -49 and -50: cells must touch"),
        ("latitude", pairs(LAT_EDGES)[:, :1] * [1, 1], "give the cell at position 0 no width: both edges are -60"),
        ("latitude", pairs(LAT_EDGES)[::-1], "latitude_bounds"),
        ("longitude", np.add(pairs(LON_EDGES), [[0, -0.001]]), r"leave a gap between 349\.999 and 350"),
        ("longitude", pairs([340, 350, 365, 710]), "go around more than once, from 340 to 710"),
        ("longitude", np.add(pairs(LON_EDGES), 180), "longitude_bounds overlap between 520 and 185: cells must touch"),
        ("longitude", np.zeros((3, 2)), "give the cell at position 0 no width: both edges are 360"),
        ("longitude", [["a", "b"]] * 3, "longitude_bounds holds"),
        ("longitude", [[1, 2], [3]], "longitude_bounds are not an array"),
    ],
)
def test_bounds_that_are_no_cells_are_refused(name, bounds, message):
    with pytest.raises(CoordinateError, match=message):
        LatLonGrid(LAT, LON, **{f"{name}_bounds": bounds})


@pytest.mark.parametrize("direction", [1, -1])
def test_bounds_of_rows_and_columns_that_were_left_out(direction):
    whole_lat, whole_lon = np.arange(-89.5, 90), np.arange(0.5, 360)
    rows, columns = np.r_[20:30, 50, 70:75][::direction], np.r_[0:30, 100, 340:360][::direction]
    mask = np.zeros((180, 360), dtype=bool)
    mask[np.ix_(rows, columns)] = True
    bounds = {
        "latitude_bounds": pairs(np.arange(-90.0, 91))[rows],
        "longitude_bounds": pairs(np.arange(0.0, 361))[columns],
    }
    grid = LatLonGrid(whole_lat[rows], whole_lon[columns], **bounds)
    assert not grid.closed
    assert_allclose(grid.domain_area(), LatLonGrid(whole_lat, whole_lon, mask).domain_area(), rtol=1e-12)
    assert_array_equal(grid.longitude_edges, bounds["longitude_bounds"])
    assert [grid.check()[f"{axis}_gaps"] for axis in ("latitude", "longitude")] == [2, 2]
    table = grid.patches((5, 10), partial=False)
    assert_allclose(table[:, 3] - table[:, 2], 10)


def test_bounds_may_leave_a_gap_that_centres_do_not_show():
    grid = LatLonGrid([0, 10], [0, 20, 40], longitude_bounds=[[-10, 10], [10, 25], [35, 50]])
    assert_array_equal(grid.longitude_edges, [[-10, 10], [10, 25], [35, 50]])
    with pytest.raises(CoordinateError, match="leave a gap between 25 and 32: cells must touch"):
        LatLonGrid([0, 10], [0, 20, 40], longitude_bounds=[[-10, 10], [10, 25], [32, 50]])
