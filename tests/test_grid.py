"""LatLonGrid: edges, areas, and the cutting of patches."""

import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import reference
from skgeo import LatLonGrid, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.exceptions import CoordinateError, CoordinateWarning

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


def test_patches_not_dividing_closed_circle_leave_a_rest():
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
def test_circle_closes_if_gap_is_a_spacing_to_one_percent(last, closed):
    longitude = np.append(np.arange(0, 350, 10.0), last)
    assert LatLonGrid([0, 10], longitude).closed == closed


@pytest.mark.parametrize(("last", "edge"), [(87.6, 90), (86.0, 90), (84.0, 87.0), (82.5, 85)])
def test_rows_reach_pole_within_a_third_of_a_cell(last, edge):
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
def test_even_axes_survive_float32_in_any_convention(spacing, direction):
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


# Gaps


def test_where_drop_leaves_cells_as_they_were():
    xarray = pytest.importorskip("xarray")
    axes = {"lat": np.arange(-89.5, 90), "lon": np.arange(0.5, 360)}
    field = xarray.DataArray(np.ones((180, 360)), axes, ("lat", "lon"), name="t")
    islands = (abs(field.lat - 20) < 5) & ((abs(field.lon - 20) < 5) | (abs(field.lon - 120) < 5))
    whole = LatLonGrid.from_xarray(field, mask=islands)
    cut = LatLonGrid.from_xarray(field.where(islands, drop=True), mask="valid")
    assert_allclose(cut.domain_area(), whole.domain_area(), rtol=1e-12)
    one, other = (SphericalHarmonicPCA(10).fit(grid) for grid in (cut, whole))
    assert_allclose(one.shannon_number_, other.shannon_number_, rtol=1e-12)
    assert_allclose(one.explained_variance_, other.explained_variance_, rtol=0, atol=1e-14)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(
    "kept",
    [
        [0, 1, 2, 48, 49, 50],
        [0, 1, 2, 48, 85, 86, 87],  # a single column between two gaps
        [0, 1, 2, 4, 5, 6],  # one column left out
        [0, 1, 2, 48, 85, 91],  # single columns at the end
        [0, 19, 30, 31, 32, 33],
        [0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 43, 87],
        [0, 1, 2, 10, 20, 30, 31, 32],
        [0, 1, 47],
        [*range(30), *range(340, 360)],
    ],
)
def test_cells_beside_a_gap_are_as_wide_as_the_others(kept, direction):
    columns = (np.array(kept) + 0.5)[::direction]
    grid = LatLonGrid([10.0, 11.0], columns)
    assert not grid.closed
    assert_allclose(np.sort(grid.longitude_edges, axis=1), columns[:, np.newaxis] + [[-0.5, 0.5]], atol=1e-12)
    if max(kept) < 90:
        rows = LatLonGrid(columns - 20, [0.5, 1.5])
        assert_allclose(rows.latitude_edges, columns[:, np.newaxis] - 20 + [[-0.5, 0.5]], atol=1e-12)


def test_random_holes_leave_cells_as_they_were():
    rng = np.random.default_rng(3)
    for _ in range(300):
        step, n = rng.choice([0.05, 0.25, 2.5]), int(rng.integers(30, 140))
        kept = np.zeros(n, dtype=bool)
        for start, length in zip(rng.integers(0, n, 4), rng.integers(2, 12, 4), strict=True):
            kept[start : start + length] = True
        widths = np.diff(LatLonGrid([0, 1], step * np.arange(n)[kept]).longitude_edges)
        assert_allclose(widths, step, rtol=1e-9)


def zoomed(n):
    """Columns around the Earth that are nearer to each other about Greenwich."""
    around = np.linspace(-1, 1, n, endpoint=False)
    return 180 * (around - 0.25 * np.sin(np.pi * around))


FINE = -20 + 0.125 + 0.25 * np.arange(160)
STRETCHED = {
    "zoomed": zoomed(360),
    "a quarter inside one": np.r_[np.arange(-179.5, -20), FINE, np.arange(20.5, 180)],
    "one between quarters": np.r_[FINE[80:], np.arange(20.5, 340), FINE[:80] + 360],
    "points, a quarter inside one": np.r_[np.arange(-180, -20), np.arange(-20, 20, 0.25), np.arange(20, 180)],
    "coarse columns at the ends": np.r_[np.arange(0, 357, 0.25), 357.375, 358.375, 359.375],
}


@pytest.mark.parametrize("name", STRETCHED)
def test_stretched_axes_have_no_gaps(name):
    grid = LatLonGrid(reference.gaussian_latitudes(32), STRETCHED[name])
    assert grid.check()["longitude_gaps"] == 0
    assert grid.closed
    assert_allclose(grid.cell_areas(1.0).sum(), 4 * np.pi, rtol=1e-12)


def test_a_mercator_axis_has_no_gaps():
    latitude = np.degrees(np.arcsin(np.tanh(np.radians(np.arange(-150, 150, 2)))))
    assert LatLonGrid(latitude, [0, 1]).check()["latitude_gaps"] == 0


def test_a_hole_does_not_close_the_circle():
    grid = LatLonGrid(np.arange(30.5, 60), np.r_[np.arange(0.5, 150), np.arange(210.5, 360)])
    assert not grid.closed
    assert_allclose(np.diff(grid.longitude_edges), 1, atol=1e-12)
    report = grid.check()
    assert (report["longitude_gaps"], report["closed"], report.ok) == (1, False, True)
    assert "between 150 and 210, position 149 and 150" in repr(report)


def test_a_region_around_greenwich_cut_from_0_to_360():
    latitude = np.arange(30.5, 60)
    cut = LatLonGrid(latitude, np.r_[np.arange(0.5, 30), np.arange(340.5, 360)])
    joined = LatLonGrid(latitude, np.r_[np.arange(340.5, 360), np.arange(0.5, 30)])
    assert_array_equal(cut.longitude, np.r_[np.arange(0.5, 30), np.arange(340.5, 360)])
    assert_allclose(cut.domain_area(), joined.domain_area(), rtol=1e-13)
    one, other = (SphericalHarmonicPCA(4, 6).fit(grid) for grid in (cut, joined))
    assert_allclose(one.explained_variance_, other.explained_variance_, rtol=1e-10)
    table, index = cut.patches((30, 10), return_index=True)
    assert_array_equal(index[:, 1], [0, 10, 20, 30, 40])
    assert_allclose(table[:, 2:4], [[0, 10], [10, 20], [20, 30], [340, 350], [350, 360]], atol=1e-12)
    with pytest.raises(CoordinateError, match="goes from 10 to 350, 20 degrees west, at position 2: sort the axis"):
        LatLonGrid(latitude, [340, 345, 10, 350])


@pytest.mark.parametrize("stride", [None, 2])
@pytest.mark.parametrize("partial", [True, False])
def test_patches_do_not_cross_gaps(stride, partial):
    grid = LatLonGrid(np.r_[0.5:7, 20.5:26], np.r_[0.5:150, 210.5:360])
    table = grid.patches((3, 4), stride, partial=partial)
    assert_allclose(table[:, 1] - table[:, 0], table[:, 4], atol=1e-12)  # pixels of one degree, and no others
    assert_allclose(table[:, 3] - table[:, 2], table[:, 5], atol=1e-12)
    if partial and stride is None:
        heights = np.diff(np.sin(np.radians(table[:, :2])), axis=1)[:, 0]
        assert_allclose(heights @ np.radians(table[:, 3] - table[:, 2]), grid.domain_area(1.0), rtol=1e-12)
    with pytest.raises(ValueError, match="at most the 7 pixels of the longest part of the grid's latitude without"):
        grid.patches((8, 4))


def test_patches_across_the_seam_and_a_gap():
    grid = LatLonGrid([0, 1], np.r_[100:180, -180:-99, 0:50], np.ones((2, 211)))
    table = grid.patches((2, 10), (2, 5), partial=False, min_fraction=1.0)
    assert_allclose(table[:, 3] - table[:, 2], 10, atol=1e-9)
    assert not ((table[:, 2] < 261 - 1e-6) & (table[:, 3] > 261 + 1e-6)).any()


# What the patches leave out


def test_patches_say_once_what_they_leave_out():
    grid = LatLonGrid(np.arange(0.5, 10), np.arange(0.5, 7))
    with pytest.warns(
        CoordinateWarning, match=r"leave out 2 of 10 rows and 1 of 7 columns, 31\.\d% of the domain"
    ) as seen:
        grid.patches((4, 3))
    assert len(seen) == 1
    assert seen[0].filename == __file__
    with pytest.warns(CoordinateWarning, match=r"leave out 4 of 10 rows, .*stride=None leaves no gaps"):
        grid.patches((2, 1), (3, 1))
    for quiet in (False, True):
        grid.patches((4, 3), partial=quiet)
    rest = np.zeros((10, 7))
    rest[8:] = rest[:, 6:] = 1
    grid = LatLonGrid(grid.latitude, grid.longitude, 1 - rest)
    assert len(grid.patches((4, 3))) == 4  # nothing of the domain is left out


def test_a_row_at_a_pole_is_not_worth_a_warning():
    grid = LatLonGrid(np.linspace(90, -90, 721), np.arange(0, 360, 0.25))
    assert len(grid.patches(16)) == 45 * 90
    with pytest.warns(CoordinateWarning, match=r"1 of 721 rows and 8 of 1440 columns, 0\.6%"):
        grid.patches((16, 1432))


# Rounded axes


@pytest.mark.parametrize(("per_degree", "decimals"), [(12, 3), (3, 2), (120, 4), (8, 2), (60, 3)])
@pytest.mark.parametrize("start", [-180, 0, 20])
@pytest.mark.parametrize("direction", [1, -1])
def test_axes_rounded_to_decimals_close_the_circle(per_degree, decimals, start, direction):
    n = 360 * per_degree
    longitude = np.round(start + (np.arange(n) + 0.5) / per_degree, decimals)[::direction]
    grid = LatLonGrid([-45, 45], longitude)
    assert grid.closed
    assert_allclose(grid.cell_areas(1.0).sum(), 4 * np.pi, rtol=1e-12)
    assert len(grid.patches((2, 4), (2, 2))) == n // 2
    assert not LatLonGrid([-45, 45], longitude[1:]).closed


@pytest.mark.parametrize(("per_degree", "decimals"), [(60, 2), (75, 2), (7, 1)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_steps_of_one_and_two_units_of_the_last_decimal_are_no_gaps(per_degree, decimals, dtype):
    longitude = np.round(np.arange(360 * per_degree) / per_degree, decimals).astype(dtype)
    grid = LatLonGrid([0, 10], longitude)
    assert grid.closed
    assert grid.check()["longitude_gaps"] == 0
    assert_allclose(grid.cell_areas(1.0).sum(), 2 * np.pi * (np.sin(np.radians(15)) - np.sin(np.radians(-5))))
    part = LatLonGrid([0, 10], longitude[100:150])
    assert np.ptp(part.longitude_edges) == pytest.approx(50 / per_degree, abs=2.01 * 10.0**-decimals)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_single_precision_does_not_hide_the_decimals_of_an_axis(dtype):
    longitude = np.round((np.arange(4320) + 0.5) / 12, 3).astype(dtype)
    assert LatLonGrid([0, 10], longitude).closed
    assert not LatLonGrid([0, 10], longitude[:-1]).closed


@pytest.mark.parametrize(("last", "closed"), [(349.92, True), (349.88, False)])
def test_the_circle_closes_to_a_hundredth_of_a_spacing(last, closed):
    longitude = np.append(np.arange(0, 350, 10.0), last)
    longitude[5] += 3  # no rounding of an even axis
    assert LatLonGrid([0, 10], longitude).closed == closed


STEPS = [0.25, 0.05, 0.01, 0.0025, 0.0005, 1 / 12, 1 / 120, 1 / 1200, 1 / 3600, 0.0137, 0.00371]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("n", [3, 8, 16, 32, 200])
def test_float32_axes_no_worse_than_same_float64(step, n):
    # each axis by itself: in an area the errors of two axes may cancel, and the better axis makes it worse
    worst = {"float32": np.zeros(2), "float64": np.zeros(2)}
    for k in range(40):
        axes = [start + 0.0137 * k + np.arange(n) * step for start in (-47.3, 11.2)]
        single = [axis.astype(np.float32) for axis in axes]
        for dtype, error in worst.items():
            grid = LatLonGrid(*(axis.astype(dtype) for axis in single))
            lengths = [np.ptp(grid.latitude_edges), np.ptp(grid.longitude_edges)]
            worst[dtype] = np.maximum(error, np.abs(np.divide(lengths, n * step) - 1))
    assert (worst["float32"] <= 1.1 * worst["float64"] + 1e-12).all()


def test_long_fine_float32_axes_are_what_they_were():
    for start, step, n in ((150, 0.00025, 4000), (49.82, 1 / 1200, 200), (-179.975, 0.05, 7200), (7, 1 / 3600, 3601)):
        axis = start + step * np.arange(n)
        grid = LatLonGrid(np.array([1, 2], dtype=np.float32), axis.astype(np.float32))
        assert_allclose(grid.longitude, axis, atol=1e-9)


# Poles, fill values, radians, halves


@pytest.mark.parametrize("end", [np.degrees(np.float64(np.float32(np.pi / 2))), 90.00006, 90.0])
def test_rounding_beyond_a_pole_is_the_pole(end):
    for grid in (
        LatLonGrid(np.r_[-end, np.arange(-89, 90), end], np.arange(360.0)),
        LatLonGrid([-60, 30], [0, 10], latitude_bounds=[[-end, 0], [0, end]]),
    ):
        assert_array_equal([grid.latitude_edges.min(), grid.latitude_edges.max()], [-90, 90])
        assert np.abs(grid.latitude).max() <= 90


def test_more_than_rounding_beyond_a_pole_is_refused():
    with pytest.raises(CoordinateError, match=r"latitude is outside \[-90, 90\].*90\.00007"):
        LatLonGrid([0, 90.00007], [0, 1])
    with pytest.raises(CoordinateError, match=r"latitude_bounds reach beyond a pole at position 1, 0 and 90\.00007"):
        LatLonGrid([-60, 30], [0, 10], latitude_bounds=[[-90, 0], [0, 90.00007]])


@pytest.mark.parametrize("value", [1e15, -1e20, 9.96921e36, 1.0001e8])
def test_longitudes_that_are_fill_values_are_refused(value):
    with pytest.raises(CoordinateError, match=r"beyond 1e\+08 degrees in 1 row, first row 2.*fill value"):
        LatLonGrid([0, 1], [0, 1, value])


@pytest.mark.parametrize("value", [-12345.6, 54321.5, 4000.5])
def test_a_jump_of_turns_along_an_axis_is_refused(value):
    with pytest.raises(CoordinateError, match=f"goes from 2 to {value:g} at position 2: is one of them a fill value"):
        LatLonGrid([0, 1], [0, 1, 2, value])


def test_an_axis_that_turns_once_says_where():
    with pytest.raises(CoordinateError, match="goes from 9 to -20, 29 degrees west, at position 9"):
        LatLonGrid([0, 1], [*range(10), *range(-20, 0)])


@pytest.mark.parametrize("value", [-999, -9999.0, 9999, -9999.9, 65535, -888])
def test_a_usual_fill_value_among_longitudes_is_refused(value):
    with pytest.raises(CoordinateError, match=f"longitude holds {value:g} at position 2, a usual fill value"):
        LatLonGrid([0, 1], [0, 1, value])
    assert LatLonGrid([0, 1], [value - 1, value, value + 1]).shape == (2, 3)  # turns of a track
    assert LatLonGrid([0, 1], [99999999.0, 1e8]).shape == (2, 2)


GLOBE = np.arange(-89.5, 90), np.arange(0.5, 360)


@pytest.mark.parametrize("west", [0, 180])
@pytest.mark.parametrize(
    "axes", [GLOBE, (reference.gaussian_latitudes(32), zoomed(360) + 180), (LAT, LON), (LAT[17:19], LON)]
)
def test_axes_in_radians_are_a_warning(west, axes):
    with pytest.warns(CoordinateWarning, match=r"radians.*np\.degrees\(latitude\)"):
        LatLonGrid(np.radians(axes[0]), np.radians(axes[1] - west))


@pytest.mark.parametrize("south", [-1.5, 0.0])
@pytest.mark.parametrize("west", [0.0, -3.0])
@pytest.mark.parametrize("step", [0.05, 0.1, 0.25, 0.5])
def test_a_grid_near_zero_is_not_taken_for_radians(south, west, step):
    assert LatLonGrid(np.arange(south, 1.51, step), np.arange(west, west + 6.01, step)).shape[1] > 1


def test_patches_in_radians_are_a_warning():
    table = LatLonGrid(*GLOBE).patches((30, 30))
    table[:, :4] = np.radians(table[:, :4])
    with pytest.warns(CoordinateWarning, match=r"X lies within the range of radians.*np\.degrees\(X\[:, :4\]\)"):
        PatchScaleFeaturizer().fit(table)


def test_a_greenwich_cell_in_two_halves():
    centres = np.r_[np.arange(0, 360, 2.0), 360]
    bounds = np.column_stack([np.r_[0, np.arange(1, 360, 2)], np.r_[np.arange(1, 360, 2), 360]])
    grid = LatLonGrid(np.arange(-89, 90, 2.0), centres, longitude_bounds=bounds)
    assert grid.closed
    assert_allclose(grid.cell_areas(1.0).sum(), 4 * np.pi, rtol=1e-12)
    assert_array_equal(grid.longitude_edges, bounds)
    assert grid.check().ok is False  # two centres at one place
    with pytest.raises(CoordinateError, match="longitude_bounds go around more than once"):
        LatLonGrid([0, 1], centres, longitude_bounds=centres[:, np.newaxis] + [[-1, 1]])


# Masks of objects


def test_masks_of_objects():
    booleans = np.array([[True, False], [np.True_, True]], dtype=object)
    assert LatLonGrid([-45, 45], [0, 180], booleans).mask.dtype == bool
    assert_array_equal(LatLonGrid([-45, 45], [0, 180], booleans).mask, [[True, False], [True, True]])
    fractions = np.array([[True, 0.5], [Fraction(1, 4), Decimal("0.125")]], dtype=object)
    assert_array_equal(LatLonGrid([-45, 45], [0, 180], fractions).mask, [[1, 0.5], [0.25, 0.125]])
    for missing in (np.nan, None):
        with pytest.raises(CoordinateError, match="mask contains NaN in 1 cells"):
            LatLonGrid([-45, 45], [0, 180], np.array([[True, missing], [True, False]], dtype=object))
    with pytest.raises(CoordinateError, match="mask holds object values"):
        LatLonGrid([-45, 45], [0, 180], np.array([[True, "land"], [True, False]], dtype=object))


def test_a_chunked_mask_of_objects():
    da = pytest.importorskip("dask.array")
    mask = np.array([[True, False], [0.5, 1]], dtype=object)
    grid = LatLonGrid([-45, 45], [0, 180], da.from_array(mask, chunks=1))
    assert grid.chunked
    assert_allclose(grid.mask.compute(), [[1, 0], [0.5, 1]])


# The report


def test_the_report_names_the_first_cell_in_a_flagged_row_or_column():
    from skgeo._output.grid_report import _axes_check, count_check

    rng = np.random.default_rng(0)
    for _ in range(100):
        rows, columns = (rng.random(size) < 0.3 for size in rng.integers(1, 5, 2))
        assert _axes_check("cells", rows, columns) == count_check("cells", rows[:, np.newaxis] | columns)


def test_the_report_is_data_and_text():
    pandas = pytest.importorskip("pandas")
    grid = LatLonGrid(LAT, LON, np.arange(LAT.size * LON.size).reshape(LAT.size, LON.size) % 2)
    report = grid.check()
    assert_allclose(report["total_area"], 4 * np.pi * R**2)
    assert_allclose(report["domain_area"], grid.domain_area())
    assert report["mask"] == "as given"
    assert dict(report)["closed"] is True
    assert (len(report), report.ok, report.problems) == (13, True, ())
    frame = report.as_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.loc["total_area", "unit"] == "m2"
    with pytest.raises(KeyError, match="the checks are total_area, domain_area"):
        report["area"]
    single = LatLonGrid([10.0], [5.0], latitude_bounds=[[5, 15]], longitude_bounds=[[0, 10]])
    assert single.check()["bounds"] == "latitude_bounds and longitude_bounds as given"
    for copied in (pickle.loads(pickle.dumps(grid)), grid):
        assert repr(copied.check()) == repr(report)
