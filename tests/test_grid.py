"""LatLonGrid: edges, areas, and the cutting of patches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import reference
from skgeo import LatLonGrid
from skgeo.exceptions import CoordinateError

R = 6_371_008.8
LAT, LON = np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5)


@pytest.mark.parametrize(
    "latitude",
    [
        np.arange(-89.75, 90, 0.5),
        np.arange(89.5, -90, -1),
        np.linspace(90, -90, 241),
        reference.gaussian_latitudes(32),
        reference.gaussian_latitudes(320),
        np.arange(-89.75, 90, 0.5).astype(np.float32),
    ],
    ids=["ascending", "descending", "pole rows", "Gaussian N16", "Gaussian N160", "float32"],
)
@pytest.mark.parametrize(
    "longitude",
    [
        np.arange(0.25, 360, 0.5),
        np.arange(-180, 180, 1.5),
        np.arange(359, -1, -1),
        np.r_[np.arange(200, 360), np.arange(0, 200)],
        (np.arange(432) / 1.2).astype(np.float32),
        np.array([0.0, 180.0]),
        np.array([180, 0]),
    ],
    ids=["0..360", "-180..180", "descending", "wraps inside", "float32", "two columns", "two descending"],
)
def test_closed_tilings_cover_the_sphere(latitude, longitude):
    grid = LatLonGrid(latitude, longitude)
    assert grid.closed
    assert_allclose(grid.cell_areas().sum(), 4 * np.pi * R**2, rtol=1e-12)
    assert_allclose(grid.cell_areas(radius=1.0).sum(), 4 * np.pi, rtol=1e-12)
    assert (grid.cell_areas() > 0).all()
    assert_allclose(grid.domain_area(), 4 * np.pi * R**2, rtol=1e-12)


def test_areas_and_edges_by_hand():
    grid = LatLonGrid([10, 20, 40], [350, 355, 0])
    assert not grid.closed
    assert_allclose(grid.latitude_edges, [[5, 15], [15, 30], [30, 50]])
    assert_allclose(grid.longitude_edges, [[347.5, 352.5], [352.5, 357.5], [357.5, 362.5]])
    heights = np.sin(np.radians([15, 30, 50])) - np.sin(np.radians([5, 15, 30]))
    assert_allclose(grid.cell_areas(radius=2.0), 4 * heights[:, np.newaxis] * np.radians(5) * np.ones((1, 3)))


def test_pole_rows_are_half_cells():
    grid = LatLonGrid([90, 45, 0, -45, -90], np.arange(0, 360, 90))
    assert_allclose(grid.latitude_edges, [[67.5, 90], [22.5, 67.5], [-22.5, 22.5], [-67.5, -22.5], [-90, -67.5]])


def test_single_rows_and_columns_take_the_other_spacing():
    assert_allclose(LatLonGrid([10], [0, 2, 4]).latitude_edges, [[9, 11]])
    assert_allclose(LatLonGrid([10, 14], [0]).longitude_edges, [[-2, 2]])


def test_regional_grids_stay_regional():
    grid = LatLonGrid(np.arange(30.5, 60), np.arange(-9.5, 40))
    assert not grid.closed
    assert grid.latitude_edges.min() == 30
    assert grid.latitude_edges.max() == 60
    assert_allclose(grid.cell_areas(radius=1.0).sum(), (np.sin(np.radians(60)) - 0.5) * np.radians(50), rtol=1e-12)


def test_masks_and_domain_area():
    fraction = np.linspace(0, 1, LAT.size * LON.size).reshape(LAT.size, LON.size)
    grid = LatLonGrid(LAT, LON, fraction)
    assert_allclose(grid.domain_area(), np.sum(grid.cell_areas() * fraction))
    grid = LatLonGrid(LAT, LON, fraction > 0.5)
    assert grid.mask.dtype == bool
    assert_allclose(grid.domain_area(), grid.cell_areas()[fraction > 0.5].sum())
    assert LatLonGrid(LAT, LON, (fraction > 0.5).astype(int)).mask.dtype == np.float64
    assert "mask keeps 50.0% of the area" in repr(LatLonGrid(LAT, LON, np.full(fraction.shape, 0.5)))


def test_grids_are_immutable_copies():
    latitude, mask = LAT.copy(), np.ones((LAT.size, LON.size))
    grid = LatLonGrid(latitude, LON, mask)
    latitude[0], mask[0, 0] = 0, 0
    assert grid.latitude[0] == -87.5
    assert grid.mask[0, 0] == 1
    with pytest.raises(AttributeError, match="immutable"):
        grid.mask = None
    for array in (grid.latitude, grid.longitude, grid.latitude_edges, grid.longitude_edges, grid.mask):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_points_are_centres_in_c_order():
    grid = LatLonGrid(LAT, LON)
    assert_array_equal(grid.points().reshape(*grid.shape, 2)[3, 7], [LAT[3], LON[7]])


def brute_force_patches(grid, size, stride, min_fraction=0.0):
    """Whole patches of a grid that does not close, with Python loops."""
    found = []
    for row in range(0, grid.shape[0] - size[0] + 1, stride[0]):
        for column in range(0, grid.shape[1] - size[1] + 1, stride[1]):
            window = np.s_[row : row + size[0], column : column + size[1]]
            areas = grid.cell_areas()[window]
            mask = np.ones(grid.shape) if grid.mask is None else grid.mask
            if np.sum(areas * mask[window]) >= min_fraction * areas.sum() - 1e-6:
                rows, columns = grid.latitude_edges[window[0]], grid.longitude_edges[window[1]]
                found.append((rows.min(), rows.max(), columns.min(), columns.max(), *size, row, column))
    return np.array(found)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 11)),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_patches_agree_with_loops(size, stride, flip_lat, flip_lon, min_fraction):
    latitude, longitude = np.linspace(-20, 60, 9), np.linspace(100, 200, 11)
    mask = np.random.default_rng(0).uniform(size=(9, 11)) ** 0.5
    mask[:, :6] = 1.0
    grid = LatLonGrid(latitude[:: -1 if flip_lat else 1], longitude[:: -1 if flip_lon else 1], mask)
    expected = brute_force_patches(grid, size, stride, min_fraction)
    if len(expected) == 0:
        with pytest.raises(ValueError, match="no patch"):
            grid.patches(size, stride, partial=False, min_fraction=min_fraction)
        return
    table, index = grid.patches(size, stride, partial=False, min_fraction=min_fraction, return_index=True)
    assert_allclose(table, expected[:, :6], atol=1e-12)
    assert_array_equal(index, expected[:, 6:])


def test_sizes_that_do_not_divide_drop_or_keep_the_rest():
    grid = LatLonGrid(np.arange(0.5, 10), np.arange(0.5, 7))
    assert_array_equal(
        grid.patches((4, 3), partial=False)[:, :4], [[0, 4, 0, 3], [0, 4, 3, 6], [4, 8, 0, 3], [4, 8, 3, 6]]
    )
    table, index = grid.patches((4, 3), partial=True, return_index=True)
    assert_array_equal(table[2], [0, 4, 6, 7, 4, 1])
    assert_array_equal(table[-1], [8, 10, 6, 7, 2, 1])
    assert_array_equal(index[-1], [8, 6])
    areas = np.diff(np.sin(np.radians(table[:, :2])), axis=1)[:, 0] * np.radians(table[:, 3] - table[:, 2])
    assert_allclose(areas.sum(), grid.cell_areas(radius=1.0).sum())
    assert len(grid.patches(4, 2, partial=True)) == 4 * 3
    assert len(grid.patches(4, 2, partial=False)) == 4 * 2


@pytest.mark.parametrize("start", [-180, 0, 75])
@pytest.mark.parametrize("direction", [1, -1])
def test_overlapping_patches_cross_the_seam_of_a_closed_circle(start, direction):
    longitude = (start + 5 + np.arange(36) * 10)[::direction]
    grid = LatLonGrid(np.arange(-85, 90, 10), longitude)
    table, index = grid.patches((18, 4), (18, 2), return_index=True)
    assert len(table) == 18
    assert_allclose(table[:, 3] - table[:, 2], 40)
    # Each patch's centre is the mean of its pixels' longitudes on the circle.
    columns = (index[:, 1:] + np.arange(4)) % 36
    mean = np.angle(np.exp(1j * np.radians(longitude[columns])).sum(axis=1), deg=True)
    offset = (table[:, 2] + 20 - mean + 180) % 360 - 180
    assert_allclose(offset, 0, atol=1e-9)
    assert len(LatLonGrid(grid.latitude, longitude[:35]).patches((18, 4), (18, 2), partial=False)) == 16


def test_patches_of_a_closed_circle_that_do_not_divide_leave_a_rest():
    grid = LatLonGrid(np.arange(-85, 90, 10), np.arange(5, 360, 10))
    assert len(grid.patches((18, 10), partial=False)) == 3
    rest = grid.patches((18, 10), partial=True)[-1]
    assert_array_equal(rest, [-90, 90, 300, 360, 18, 6])


@pytest.mark.parametrize("stride", [None, 9])
def test_full_circle_patches(stride):
    grid = LatLonGrid(np.arange(-85, 90, 10), np.arange(5, 360, 10))
    table = grid.patches((6, 36), (6, stride or 36))
    assert_allclose(table[:, 3] - table[:, 2], 360)
    assert len(table) == 3 * (36 // (stride or 36))


def test_min_fraction_is_exact_for_small_patches_at_the_pole():
    grid = LatLonGrid(np.arange(-89.975, 90, 0.05), np.arange(0.025, 2, 0.05), np.ones((3600, 40)))
    assert len(grid.patches(1, min_fraction=1.0)) == 3600 * 40
    assert len(grid.patches((1, 3), (1, 2), partial=False, min_fraction=1.0)) == 3600 * 19


def test_patches_as_frame_are_indexed_by_first_pixel():
    pandas = pytest.importorskip("pandas")
    grid = LatLonGrid(LAT, LON)
    frame = grid.patches((9, 24), as_frame=True)
    assert list(frame.columns) == ["south", "north", "west", "east", "n_lat", "n_lon"]
    assert frame.index.names == ["row", "column"]
    assert_array_equal(frame.to_numpy(), grid.patches((9, 24)))
    assert_array_equal(frame.loc[(9, 48)], [-45, 0, 240, 360, 9, 24])
    assert pandas.api.types.is_integer_dtype(frame["n_lat"])


@pytest.mark.parametrize(("last", "closed"), [(350.05, True), (349.95, True), (349.5, False), (345, False)])
def test_the_circle_closes_where_the_gap_is_a_spacing_to_a_hundredth(last, closed):
    longitude = np.append(np.arange(0, 350, 10.0), last)
    assert LatLonGrid([0, 10], longitude).closed == closed


@pytest.mark.parametrize(("last", "edge"), [(87.6, 90), (86.0, 90), (84.0, 87.0), (82.5, 85)])
def test_rows_reach_the_pole_where_less_than_a_third_of_a_cell_is_left(last, edge):
    latitude = np.append(np.arange(-2.5, 78, 5), last)
    expected = last + (last - 77.5) / 2 if edge < 90 else 90
    assert_allclose(LatLonGrid(latitude, [0, 10]).latitude_edges[-1, 1], expected)


@pytest.mark.parametrize("extra", [360.0, 360 - 1e-9, 360.001, 365])
def test_columns_that_go_around_more_than_once_are_refused(extra):
    with pytest.raises(CoordinateError, match="goes around more than once"):
        LatLonGrid([0, 10], np.append(np.arange(0, 360, 10.0), extra))
    LatLonGrid([0, 10], np.append(np.arange(0, 360, 10.0), 359.5))


def test_fractions_may_be_off_by_rounding():
    mask = LatLonGrid([0, 10], [0, 10], [[1 + 1e-7, -1e-17], [0.5, 1]]).mask
    assert_array_equal(mask, [[1, 0], [0.5, 1]])


@pytest.mark.parametrize("spacing", [0.05, 1 / 12, 0.1, 1 / 3, 5 / 6, 0.75])
@pytest.mark.parametrize("direction", [1, -1])
def test_evenly_spaced_axes_survive_single_precision_in_any_convention(spacing, direction):
    latitude = 30 + spacing * (np.arange(60) + 0.5)
    longitude = 357 + spacing * (np.arange(90) + 0.5)
    single = longitude.astype(np.float32)
    relabelled = (single + np.float32(180)) % np.float32(360) - np.float32(180)
    for columns, turns in ((single, 0), (relabelled, 360)):
        grid = LatLonGrid(latitude[::direction].astype(np.float32), columns[::direction])
        assert_allclose(grid.latitude[::direction], latitude, atol=1e-12)
        assert_allclose(grid.longitude[::direction] + turns, longitude, atol=1e-12)
        assert_allclose(np.diff(grid.longitude_edges), spacing, rtol=1e-9)


def test_uneven_axes_in_single_precision_are_taken_as_they_are():
    latitude = reference.gaussian_latitudes(320).astype(np.float32)
    longitude = np.cumsum(np.random.default_rng(0).uniform(0.5, 1, 300)).astype(np.float32)
    grid = LatLonGrid(latitude, longitude)
    assert_array_equal(grid.latitude, latitude.astype(np.float64))
    assert_array_equal(grid.longitude, longitude.astype(np.float64))
