import copy
import pickle

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

import reference
from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo._cell_corners import cell_polygons
from skgeo._sphere import degrees_of_vectors, unit_vectors
from skgeo.exceptions import CoordinateError, CoordinateWarning

EARTH_RADIUS = 6_371_008.8


def rotated(latitude, longitude, pole_longitude=90.0):
    """Coordinates in a frame whose north pole lies on the equator, at ``pole_longitude`` -> true coordinates."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    # The rotated pole is x; rotated longitude 0 points to -y (so that it grows northward), 90 to z.
    x, y, z = np.sin(phi), -np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x)) + pole_longitude


def tripolar(n):
    """Centres, corners and exact areas (unit sphere) of a tripolar grid of 3 n / 2 rows and 2 n columns.

    The n rows south of the equator are parallels. North of it the grid is one of latitudes and longitudes in a frame
    turned by a quarter, so that columns run on, bent, to a fold between two poles that lie on the equator: there the
    first half of the columns ends opposite to the second half, turned around.
    """
    step = 180.0 / n
    southern_edges = np.linspace(-90.0, 0.0, n + 1)
    column_edges = np.linspace(-90.0, 270.0, 2 * n + 1)
    centre = lambda edges: (edges[1:] + edges[:-1]) / 2.0  # noqa: E731
    lat, lon = np.meshgrid(centre(southern_edges), centre(column_edges), indexing="ij")
    corners = [
        [np.meshgrid(southern_edges[i : n + i], column_edges[j : 2 * n + j], indexing="ij")[axis] for i, j in AROUND]
        for axis in (0, 1)
    ]
    area = np.diff(np.sin(np.radians(southern_edges)))[:, None] * np.full(2 * n, np.radians(step))

    # North: rotated longitude grows along columns (0 at the equator, 90 at the fold), rotated latitude along rows.
    turns = np.linspace(0.0, 90.0, n // 2 + 1)
    bands = np.linspace(-90.0, 90.0, n + 1)
    parts = []
    for front in (True, False):
        along = turns if front else 180.0 - turns
        across = bands if front else -bands
        edges = np.meshgrid(along, across, indexing="ij")
        centres = np.meshgrid(centre(along), centre(across), indexing="ij")
        rows, columns = n // 2, n
        around = [[edge[i : rows + i, j : columns + j] for edge in edges] for i, j in AROUND]
        cell = np.abs(np.radians(np.diff(along)))[:, None] * np.abs(np.diff(np.sin(np.radians(across))))
        parts.append((rotated(centres[1], centres[0]), [rotated(b, a) for a, b in around], cell))
    north_lat, north_lon = (np.hstack([part[0][axis] for part in parts]) for axis in (0, 1))
    north_corners = [[np.hstack([part[1][corner][axis] for part in parts]) for corner in range(4)] for axis in (0, 1)]
    return (
        np.vstack([lat, north_lat]),
        np.vstack([lon, north_lon]),
        tuple(
            np.stack([np.vstack([corners[axis][c], north_corners[axis][c]]) for c in range(4)], axis=-1)
            for axis in (0, 1)
        ),
        np.vstack([area, np.hstack([part[2] for part in parts])]),
    )


BESIDE = [(np.s_[1:-1], np.s_[:-2]), (np.s_[1:-1], np.s_[2:]), (np.s_[:-2], np.s_[1:-1]), (np.s_[2:], np.s_[1:-1])]
AROUND = [(0, 0), (0, 1), (1, 1), (1, 0)]


@pytest.fixture(scope="module")
def pole_to_pole():
    """A tripolar grid of 5 degrees with vertices, its exact areas, and a mask of what has no symmetry."""
    latitude, longitude, vertices, area = tripolar(36)
    return latitude, longitude, vertices, area


def test_vertices_tile_the_sphere_and_agree_with_the_exact_areas(pole_to_pole):
    latitude, longitude, vertices, area = pole_to_pole
    angles = CellGrid(latitude, longitude, vertices=vertices).cell_areas(radius=1.0)
    assert_allclose(angles.sum(), 4 * np.pi, rtol=1e-13)  # great circles between the same corners leave no gaps
    assert_allclose(angles, area, rtol=1.3e-3 * (5 / 2.5) ** 2)  # but they are not the parallels of the exact cells
    finer = tripolar(72)
    assert_allclose(CellGrid(*finer[:2], vertices=finer[2]).cell_areas(radius=1.0), finer[3], rtol=1.3e-3)


def test_areas_from_neighbours_converge_on_a_grid_with_a_fold_and_two_poles():
    errors = []
    for n in (36, 72, 144):
        latitude, longitude, _, area = (part[n:] if isinstance(part, np.ndarray) else part for part in tripolar(n))
        angles = CellGrid(latitude, longitude).cell_areas(radius=1.0)
        # Rows turn around the poles of the grid: nothing but corners tells the areas of the four cells next to them.
        regular = np.ones(area.shape, dtype=bool)
        regular[-1, [0, n - 1, n, -1]] = False
        errors.append(np.abs(angles / area - 1)[:, 2 : n - 2].max())
        assert_allclose(angles[regular].sum(), area[regular].sum(), rtol=2e-2 * (36 / n))
    assert errors[1] < errors[0] / 3.5
    assert errors[2] < errors[1] / 3.5
    assert errors[2] < 1e-4


@given(st.lists(st.tuples(st.floats(-80, 80), st.floats(-80, 80)), min_size=3, max_size=3, unique=True))
def test_areas_of_triangles_are_their_angular_excess(corners):
    latitude, longitude = np.array(corners).T
    centre = degrees_of_vectors(unit_vectors(latitude, longitude).mean(axis=0, keepdims=True))[0]
    got = cell_polygons(centre[:1], centre[1:], latitude[np.newaxis], longitude[np.newaxis])[0][0]
    with mpmath.workdps(60):  # L'Huilier's theorem, from the three sides
        angles = [(mpmath.radians(mpmath.mpf(b)), mpmath.radians(mpmath.mpf(a))) for b, a in corners]
        x = [mpmath.cos(b) * mpmath.cos(a) for b, a in angles]
        y = [mpmath.cos(b) * mpmath.sin(a) for b, a in angles]
        z = [mpmath.sin(b) for b, a in angles]
        pairs = (0, 1), (1, 2), (2, 0)
        sides = [mpmath.acos(max(-1, min(1, x[i] * x[j] + y[i] * y[j] + z[i] * z[j]))) for i, j in pairs]
        half = sum(sides) / 2
        tangents = mpmath.tan(half / 2) * mpmath.fprod(mpmath.tan((half - side) / 2) for side in sides)
        excess = float(4 * mpmath.atan(mpmath.sqrt(max(tangents, 0))))
    assert_allclose(got, excess, atol=1e-14)
    if excess > 1e-6:  # the others may be taken for lines
        cell = CellGrid(centre[:1], centre[1:], vertices=([latitude], [longitude]))
        assert cell.cell_areas(radius=1.0)[0] == got


def test_small_polygons_are_accurate():
    side = 1e-5  # a metre: its square is flat
    got = CellGrid(
        [60.0], [10.0], vertices=([[60.0, 60.0, 60.0 + side, 60.0 + side]], [[10, 10 + side, 10 + side, 10]])
    )
    exact = np.radians(side) * (2 * np.sin(np.radians(side / 2)) * np.cos(np.radians(60 + side / 2)))
    assert_allclose(got.cell_areas(radius=1.0), exact, rtol=1e-7)


@pytest.mark.parametrize("step", [5.0, 1.0])
def test_neighbours_give_the_areas_of_a_regular_grid(step):
    latitude, longitude = np.arange(-90 + step / 2, 90, step), np.arange(step / 2, 360, step)
    exact = np.radians(step) * np.diff(np.sin(np.radians(np.arange(-90, 90.1, step))))
    cells = CellGrid(*np.meshgrid(latitude, longitude, indexing="ij"))
    assert_allclose(
        cells.cell_areas(radius=1.0), np.repeat(exact[:, np.newaxis], longitude.size, 1), rtol=4e-5 * step**2
    )
    assert_allclose(cells.domain_area(), 4 * np.pi * EARTH_RADIUS**2, rtol=5e-6 * step**2)


def test_missing_centres_leave_their_neighbours_what_they_are():
    latitude, longitude = np.meshgrid(np.arange(30.5, 40), np.arange(10.5, 24), indexing="ij")
    whole = CellGrid(latitude, longitude).cell_areas()
    holes = np.random.default_rng(0).random(latitude.shape) < 0.2
    got = CellGrid(np.where(holes, np.nan, latitude), longitude).cell_areas()
    assert_array_equal(got[holes], 0.0)
    beside = [np.pad(~holes, 1)[rows, columns] for rows, columns in BESIDE]
    in_row, in_column = beside[0] | beside[1], beside[2] | beside[3]
    assert_allclose(got[~holes & in_row & in_column], whole[~holes & in_row & in_column], rtol=1e-3)
    assert_allclose(got[~holes & ~in_row & in_column], (EARTH_RADIUS * np.radians(1.0)) ** 2)  # squares
    masked = CellGrid(np.ma.array(latitude, mask=holes), np.ma.array(longitude, mask=holes)).cell_areas()
    assert_array_equal(masked, got)


def test_where_the_data_jump_cells_have_no_neighbours():
    granules = [np.meshgrid(south + 0.05 * np.arange(100), west + 0.05 * np.arange(60), indexing="ij")
                for south, west in ((10.0, 20.0), (-55.0, 170.0))]  # fmt: skip
    apart = sum(CellGrid(*granule).domain_area() for granule in granules)
    for stack in (np.vstack, np.hstack):
        together = CellGrid(*(stack(axis) for axis in zip(*granules, strict=True)))
        assert_allclose(together.domain_area(), apart, rtol=1e-12)
        assert together.cell_areas().max() < 1.1 * together.cell_areas().min() * 2


def test_repeated_columns_share_their_area():
    latitude, longitude = np.meshgrid(np.arange(10.5, 20), np.arange(0.5, 360, 10), indexing="ij")
    halo = CellGrid(*(np.insert(axis, 7, axis[:, 7], axis=1) for axis in (latitude, longitude)))
    assert_allclose(halo.domain_area(), CellGrid(latitude, longitude).domain_area(), rtol=1e-12)


def test_pixels_without_neighbours_have_the_area_of_the_others():
    latitude, longitude = np.meshgrid(np.arange(30.5, 40), np.arange(10.5, 24), indexing="ij")
    alone = latitude.copy()
    alone[3:6, 3:6] = np.nan
    alone[4, 4] = latitude[4, 4]
    areas = CellGrid(alone, longitude).cell_areas()
    assert_allclose(areas[4, 4], np.delete(areas.ravel(), 4 * 14 + 4)[np.delete(np.isfinite(alone).ravel(), 60)].mean())
    everyone = np.where(
        (np.indices(latitude.shape).sum(axis=0) % 2 == 0) & (np.indices(latitude.shape)[0] % 2 == 0), latitude, np.nan
    )
    with pytest.warns(CoordinateWarning, match="areas of 140 cells are unknown"):
        CellGrid(everyone, longitude)


def test_repeated_and_missing_vertices_are_those_of_a_polygon_with_fewer():
    triangle = [[0.0, 0.0, 90.0]], [[0.0, 90.0, 0.0]]
    repeated = [[0.0, 0.0, 90.0, 90.0, 90.0]], [[0.0, 90.0, 0.0, 30.0, 77.0]]
    missing = [[0.0, np.nan, 0.0, 90.0, np.nan]], [[0.0, 12.0, 90.0, 0.0, np.nan]]
    for vertices in (triangle, repeated, missing):
        assert_allclose(CellGrid([30.0], [45.0], vertices=vertices).cell_areas(radius=1.0), np.pi / 2, rtol=1e-14)


def test_a_fit_on_cells_is_the_weighted_sum_over_their_centres(pole_to_pole):
    latitude, longitude, _, area = pole_to_pole
    mask = reference.uniform_points(latitude.size, seed=3)[:, 0].reshape(latitude.shape) > -20
    latitude = np.where(longitude < 0, np.nan, latitude)
    cells = CellGrid(latitude, longitude, mask, areas=area * EARTH_RADIUS**2)
    pca = SphericalHarmonicPCA(4).fit(cells)
    used = mask & np.isfinite(latitude)
    points = np.column_stack([latitude[used], longitude[used]])
    total, mean, covariance = reference.moments(points, area[used], 4)
    assert_allclose(pca.total_weight_, total, rtol=1e-13)
    assert_allclose(pca.mean_, mean, atol=1e-14)
    got = (pca.components_.T * pca.explained_variance_) @ pca.components_
    assert_allclose(got, covariance, atol=1e-14)
    assert_allclose(pca.shannon_number_, 25 * area[used].sum() / (4 * np.pi), rtol=1e-12)
    assert_allclose(cells.domain_area(radius=1.0), area[used].sum(), rtol=1e-12)


def test_sample_weight_and_unit_weights_of_cells(pole_to_pole):
    latitude, longitude, _, area = pole_to_pole
    weight = np.random.default_rng(0).uniform(size=latitude.shape)
    points = np.column_stack([latitude.ravel(), longitude.ravel()])
    for options, weights in (({}, (weight * area).ravel()), ({"area_weighted": False}, weight.ravel())):
        pca = SphericalHarmonicPCA(3, **options)
        pca.fit(CellGrid(latitude, longitude, areas=area * EARTH_RADIUS**2), sample_weight=weight)
        assert_allclose(pca.mean_, reference.moments(points, weights, 3)[1], atol=1e-14)


def test_the_tripolar_sea_is_the_sea_of_the_regular_grid():
    # The same domain on both: where x + 2 y > 0.3 z, as the fraction of 5 x 5 subcells would have it, at 2.5 degrees.
    def inside(latitude, longitude):
        b, a = np.radians(latitude), np.radians(longitude)
        return np.cos(b) * np.cos(a) + 2 * np.cos(b) * np.sin(a) > 0.3 * np.sin(b)

    latitude, longitude, vertices, _ = tripolar(180)
    cells = CellGrid(latitude, longitude, inside(latitude, longitude), vertices=vertices)
    axes = np.arange(-89.5, 90), np.arange(0.5, 360)
    grid = LatLonGrid(*axes, inside(*np.meshgrid(*axes, indexing="ij")))
    spectra = [SphericalHarmonicPCA(6).fit(X).explained_variance_[:20] for X in (cells, grid)]
    assert_allclose(spectra[0], spectra[1], atol=2e-4 * spectra[1][0] * 10)


def test_embedding_of_cells_is_that_of_their_centres_and_nan_where_missing(pole_to_pole):
    latitude, longitude, _, _ = pole_to_pole
    cells = CellGrid(np.where(latitude > 60, np.nan, latitude), longitude)
    pca = SphericalHarmonicPCA(3).fit(cells)
    got = pca.transform(cells)
    present = np.isfinite(cells.latitude).ravel()
    points = np.column_stack([latitude.ravel(), longitude.ravel()])
    assert_array_equal(got[present], pca.transform(points[present]))
    assert np.isnan(got[~present]).all()
    assert_array_equal(pca.set_params(missing="mean").transform(cells)[~present], 0.0)
    indicated = pca.set_params(add_indicator=True).transform(cells)
    assert_array_equal(indicated[:, -1], ~present)


def test_float32_centres_give_float32(pole_to_pole):
    latitude, longitude = (axis.astype(np.float32) for axis in pole_to_pole[:2])
    cells = CellGrid(latitude, longitude)
    assert cells.dtype == np.float32
    assert cells.points().dtype == np.float32
    assert cells.patches((3, 4)).dtype == np.float32
    assert SphericalHarmonicPCA(3).fit(cells).transform(cells).dtype == np.float32
    assert CellGrid(latitude, longitude.astype(np.float64)).dtype == np.float64


def test_unstructured_cells_without_areas_weigh_the_same_with_a_warning():
    points = reference.uniform_points(50)
    with pytest.warns(CoordinateWarning, match="areas of 50 cells are unknown, all weigh the same: give areas= or ver"):
        cells = CellGrid(*points.T)
    assert_allclose(SphericalHarmonicPCA(2).fit(cells).mean_, reference.moments(points, np.ones(50), 2)[1], atol=1e-14)
    for call in (cells.cell_areas, cells.domain_area):
        with pytest.raises(CoordinateError, match="areas of the cells are unknown: give areas= or vertices="):
            call()
    assert repr(cells).endswith("areas unknown)")


BAD = [
    (
        (np.zeros((3, 4)), np.zeros((4, 3))),
        {},
        r"latitude has shape \(3, 4\) and longitude \(4, 3\): expected the same",
    ),
    ((np.zeros(3), np.zeros(4)), {}, "LatLonGrid takes a latitude for each row and a longitude for each column"),
    ((np.zeros((2, 2, 2)), np.zeros((2, 2, 2))), {}, r"expected the same, \(n_rows, n_columns\) or \(n_cells,\)"),
    (([], []), {}, "expected the same"),
    (([[np.nan, 0.0]], [[0.0, np.nan]]), {}, "latitude and longitude are missing in all cells"),
    (([[0.0, 91.0]], [[0.0, 1.0]]), {}, r"latitude is outside \[-90, 90\] degrees in 1 cells: 91.*fill value"),
    (([[0.0, np.inf]], [[0.0, 1.0]]), {}, "latitude contains infinity"),
    (([["a", "b"]], [[0.0, 1.0]]), {}, "latitude holds .* expected numbers"),
    (([0.0, 1.0], [0.0, 1.0]), {"areas": [1.0]}, r"areas has shape \(1,\), the cells have \(2,\)"),
    (([0.0, 1.0], [0.0, 1.0]), {"areas": [1.0, -2.0]}, "areas must not be negative: -2"),
    (([0.0], [0.0]), {"vertices": ([[0.0, 1.0]], [[0.0, 1.0]])}, r"expected a pair.*at least 3 vertices"),
    (([0.0], [0.0]), {"vertices": np.zeros((4, 1, 1))}, "expected a pair, latitudes and longitudes"),
    (([0.0], [0.0]), {"vertices": 3}, "expected a pair, latitudes and longitudes"),
    (([[0.0, 1.0]], [[0.0, 1.0]]), {"mask": [[0, np.nan]]}, r"mask contains NaN in 1 cells: fill them, .*mask\.fillna"),
    (([0.0], [0.0]), {"vertices": ([[0.0, 100.0, 1.0]], [[0.0, 1.0, 2.0]])}, "outside .* 100"),
    (([[0.0, 1.0]], [[0.0, 1.0]]), {"mask": [[True], [True]]}, r"mask has shape \(2, 1\), the grid has \(1, 2\)"),
    (([[0.0, 1.0]], [[0.0, 1.0]]), {"mask": [[0, 0]]}, "mask keeps nothing"),
    (([[0.0, 1.0]], [[0.0, 1.0]]), {"mask": [[0, 50]]}, r"mask is outside \[0, 1\] in 1 cells, the first at \(0, 1\)"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), BAD)
def test_bad_cells_are_refused(arguments, options, message):
    with pytest.raises(CoordinateError, match=message):
        CellGrid(*arguments, **options)


def test_a_grid_that_keeps_nothing_at_fit_says_so(pole_to_pole):
    latitude, longitude, *_ = pole_to_pole
    cells = CellGrid(np.where(latitude > 0, np.nan, latitude), longitude, mask=latitude > 0)
    with pytest.raises(ValueError, match="total weight of X is zero"):
        SphericalHarmonicPCA(2).fit(cells)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda grid: pickle.loads(pickle.dumps(grid))])
def test_copies_of_cells_are_alike_and_immutable(pole_to_pole, duplicate):
    latitude, longitude, vertices, _ = pole_to_pole
    cells = CellGrid(latitude, longitude, mask=latitude > 0, vertices=vertices)
    duplicated = duplicate(cells)
    assert repr(duplicated) == repr(cells)
    for name, value in vars(cells).items():
        assert_array_equal(getattr(duplicated, name), value)
        if isinstance(value, np.ndarray):
            assert not getattr(duplicated, name).flags.writeable
    with pytest.raises(AttributeError, match="CellGrid is immutable: make a new one instead of setting mask"):
        duplicated.mask = None
    with pytest.raises(AttributeError, match="CellGrid is immutable: mask cannot be deleted"):
        del duplicated.mask


# Patches as stacks of pixel centres.

AXES = np.arange(-55.0, 60, 2), np.arange(5.0, 200, 2)
REGULAR = LatLonGrid(*AXES)
CELLS = CellGrid(*np.meshgrid(*AXES, indexing="ij"))


def test_patches_are_the_windows_of_the_centres():
    patches, index = CELLS.patches((3, 4), stride=(2, 5), return_index=True)
    assert patches.shape == (len(index), 3, 4, 2)
    for patch, (row, column) in zip(patches, index, strict=True):
        assert_array_equal(patch[..., 0], CELLS.latitude[row : row + 3, column : column + 4])
        assert_array_equal(patch[..., 1], CELLS.longitude[row : row + 3, column : column + 4])
    assert set(index[:, 0]) == set(range(0, 58 - 2, 2))
    assert set(index[:, 1]) == set(range(0, 98 - 3, 5))


def test_stacks_of_a_regular_grid_have_nearly_the_features_of_its_table():
    basis = SphericalHarmonicPCA(5).fit(REGULAR)
    features = make_union(PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer())
    table = features.fit_transform(REGULAR.patches((4, 6)))
    stack = features.fit_transform(CELLS.patches((4, 6)))
    assert stack.shape == table.shape
    assert_allclose(stack, table, atol=1e-3)  # great circles are shorter than parallels, areas are second order


def test_scale_of_a_stack_along_its_own_rows_and_columns():
    # 5 x 7 pixels along two great circles through (0, 30) that cross at right angles, turned by 40 degrees.
    turn, step = np.radians(40.0), np.radians(0.01)
    row, column = np.meshgrid(step * np.arange(-2, 3) * 2, step * np.arange(-3, 4), indexing="ij")
    east, north = np.cos(turn) * column - np.sin(turn) * row, np.sin(turn) * column + np.cos(turn) * row
    patch = np.stack([np.degrees(north), 30 + np.degrees(east)], axis=-1)[np.newaxis]
    names = PatchScaleFeaturizer(log=False).fit(patch).get_feature_names_out()
    got = dict(zip(names, PatchScaleFeaturizer(log=False).fit_transform(patch)[0], strict=True))
    metres = EARTH_RADIUS * step
    expected = {
        "extent_lon": 7 * metres,
        "extent_lat": 10 * metres,
        "area": 70 * metres**2,
        "anisotropy": 0.7,
        "pixel_lon": metres,
        "pixel_lat": 2 * metres,
        "pixel_scale": np.sqrt(2) * metres,
        "pixel_anisotropy": 0.5,
        "cutoff_degree_lon": np.pi / (7 * step),
        "cutoff_degree_lat": np.pi / (10 * step),
    }
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert_allclose(got[name], value, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("shift", [-360.0, 360.0, 720.0])
def test_stacks_in_any_longitude_convention_and_across_the_seam(shift):
    latitude, longitude = np.meshgrid(np.arange(60.0, 66), np.arange(176.0, 186), indexing="ij")
    patch = np.stack([latitude, longitude], axis=-1)[np.newaxis]
    wrapped = np.stack([latitude, (longitude + 180) % 360 - 180 + shift], axis=-1)[np.newaxis]
    features = make_union(PatchPositionEncoder(SphericalHarmonicPCA(3)), PatchScaleFeaturizer()).fit(patch)
    assert_allclose(features.transform(wrapped), features.transform(patch), atol=1e-9)


def test_missing_pixels_of_a_stack_weigh_nothing():
    basis = SphericalHarmonicPCA(5).fit(REGULAR)
    encoder = PatchPositionEncoder(FrozenEstimator(basis))
    patch = CELLS.patches((4, 6))[7:8].copy()
    patch[0, 2:, 1, 0] = np.nan
    present = np.isfinite(patch[0, ..., 0])
    area = CellGrid(patch[0, ..., 0], patch[0, ..., 1]).cell_areas()[present]
    expected = np.average(basis.transform(patch[0][present]), axis=0, weights=area)
    assert_allclose(encoder.fit(patch).transform(patch)[0], expected, atol=1e-12)
    assert np.isfinite(PatchScaleFeaturizer().fit_transform(patch)).all()


def test_one_pixel_patches_have_a_place_but_no_size():
    basis = SphericalHarmonicPCA(5).fit(REGULAR)
    patches = CELLS.patches(1)
    got = PatchPositionEncoder(FrozenEstimator(basis)).fit(patches).transform(patches)
    assert_allclose(got, basis.transform(CELLS), atol=1e-14)
    with pytest.raises(
        CoordinateError, match="5684 patches without neighbouring pixels at different places, first row 0"
    ):
        PatchScaleFeaturizer().fit(patches).transform(patches)


def test_stacks_may_be_lists_and_one_patch_gets_an_axis():
    patches = CELLS.patches((4, 6))[:3]
    assert_array_equal(
        PatchScaleFeaturizer().fit_transform(patches.tolist()), PatchScaleFeaturizer().fit_transform(patches)
    )
    with pytest.raises(CoordinateError, match=r"X has 3 dimensions.*Reshape your data: X\[np\.newaxis\]"):
        PatchScaleFeaturizer().fit(patches[0])


@pytest.mark.parametrize("size", [(1, 4), (4, 1)])
def test_pixels_in_a_single_line_are_squares(size):
    patch = CELLS.patches(size)[:1]
    scale = PatchScaleFeaturizer(log=False).fit_transform(patch)[0]
    assert_allclose(scale[[3, 7]], [size[1] / size[0], 1.0], rtol=1e-12)


def test_large_patches_are_averaged_in_parts():
    axes = np.linspace(0, 30, 300), np.linspace(0, 40, 400)
    cells = CellGrid(*np.meshgrid(*axes, indexing="ij"))
    basis = SphericalHarmonicPCA(4).fit(LatLonGrid(*axes))
    got = PatchPositionEncoder(FrozenEstimator(basis)).fit_transform(cells.patches((300, 400)))
    expected = np.average(basis.transform(cells), axis=0, weights=cells.cell_areas().ravel())
    assert_allclose(got[0], expected, atol=1e-12)


def test_an_encoder_is_fitted_on_the_union_of_stacks():
    cells = CellGrid(CELLS.latitude[:56], CELLS.longitude[:56])
    whole = SphericalHarmonicPCA(3).fit(cells)
    for stride in ((4, 7), (2, 7), (1, 1)):
        encoder = PatchPositionEncoder(SphericalHarmonicPCA(3)).fit(cells.patches((4, 7), stride=stride))
        assert_allclose(encoder.encoder_.mean_, whole.mean_, atol=1e-4)


def test_min_fraction_is_a_share_of_the_area_inside_the_mask_and_not_missing():
    mask = np.zeros(CELLS.shape)
    mask[:, :50] = 1.0
    latitude = CELLS.latitude.copy()
    latitude[:4] = np.nan
    cells = CellGrid(latitude, CELLS.longitude, mask)
    _, index = cells.patches((4, 4), min_fraction=0.49, return_index=True)
    assert index[:, 0].min() == 4
    assert index[:, 1].max() == 48
    _, index = cells.patches((4, 4), min_fraction=0.51, return_index=True)
    assert index[:, 1].max() == 44
    _, index = cells.patches((4, 4), return_index=True)
    assert index[:, 0].min() == 4  # nothing is left of the first row of patches
    with pytest.raises(ValueError, match=r"min_fraction=1.0: no patch has that much of its area in the mask"):
        CellGrid(latitude, CELLS.longitude, mask * 0.5).patches(4, min_fraction=1.0)


@pytest.mark.parametrize(
    ("patches", "message"),
    [
        (np.zeros((2, 3, 4, 3)), r"X has shape \(2, 3, 4, 3\): expected \(n_patches, n_rows, n_columns, 2\)"),
        (np.zeros((0, 3, 4, 2)), r"X has shape \(0, 3, 4, 2\)"),
        (
            np.full((2, 3, 4, 2), np.nan),
            "X has 2 patches without any pixel that has coordinates, first row 0: drop them",
        ),
        (np.full((2, 3, 4, 2), 95.0), r"latitude is outside \[-90, 90\] degrees in 24 cells"),
        (np.full((2, 3, 4, 2), np.inf), "X contains infinity"),
        (np.zeros((2, 3, 4, 2)), "2 patches without neighbouring pixels at different places"),
    ],
)
def test_bad_stacks_are_refused(patches, message):
    with pytest.raises(CoordinateError, match=message):
        PatchScaleFeaturizer().fit(CELLS.patches(4)).transform(patches)


def test_grids_are_no_patches_and_unstructured_cells_have_none():
    with pytest.raises(CoordinateError, match=r"X is a CellGrid: expected patches, for instance X\.patches"):
        PatchScaleFeaturizer().fit(CELLS)
    with pytest.raises(CoordinateError, match="2 cells have no rows and columns to cut patches from"):
        CellGrid([0.0, 1.0], [0.0, 1.0], areas=[1.0, 1.0]).patches(1)
