import copy
import itertools
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
from skgeo._kernels.cell_corners import cell_polygons
from skgeo._kernels.sphere import degrees_of_vectors, unit_vectors
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
    assert_allclose(angles.sum(), 4 * np.pi, rtol=1e-12)  # great circles between the same corners leave no gaps
    assert_allclose(angles, area, rtol=1.3e-3 * (5 / 2.5) ** 2)  # but they are not the parallels of the exact cells
    finer = tripolar(72)
    assert_allclose(CellGrid(*finer[:2], vertices=finer[2]).cell_areas(radius=1.0), finer[3], rtol=1.3e-3)


def test_areas_from_neighbours_converge_at_fold_and_poles():
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


def test_repeated_and_missing_vertices_make_smaller_polygon():
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
    assert_allclose(pca.total_weight_, total, rtol=1e-12)
    assert_allclose(pca.mean_, mean, atol=1e-12)
    got = (pca.components_.T * pca.explained_variance_) @ pca.components_
    assert_allclose(got, covariance, atol=1e-12)
    assert_allclose(pca.shannon_number_, 25 * area[used].sum() / (4 * np.pi), rtol=1e-12)
    assert_allclose(cells.domain_area(radius=1.0), area[used].sum(), rtol=1e-12)


def test_sample_weight_and_unit_weights_of_cells(pole_to_pole):
    latitude, longitude, _, area = pole_to_pole
    weight = np.random.default_rng(0).uniform(size=latitude.shape)
    points = np.column_stack([latitude.ravel(), longitude.ravel()])
    for options, weights in (({}, (weight * area).ravel()), ({"area_weighted": False}, weight.ravel())):
        pca = SphericalHarmonicPCA(3, **options)
        pca.fit(CellGrid(latitude, longitude, areas=area * EARTH_RADIUS**2), sample_weight=weight)
        assert_allclose(pca.mean_, reference.moments(points, weights, 3)[1], atol=1e-12)


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


def test_cells_embed_as_their_centres_nan_where_missing(pole_to_pole):
    latitude, longitude, _, _ = pole_to_pole
    cells = CellGrid(np.where(latitude > 60, np.nan, latitude), longitude)
    pca = SphericalHarmonicPCA(3).fit(cells)
    got = pca.transform(cells)
    present = np.isfinite(cells.latitude).ravel()
    points = np.column_stack([latitude.ravel(), longitude.ravel()])
    assert_allclose(got[present], pca.transform(points[present]), rtol=0, atol=1e-12)
    assert np.isnan(got[~present]).all()
    assert_array_equal(pca.set_params(missing="mean").transform(cells)[~present], 0.0)
    indicated = pca.set_params(add_indicator=True).transform(cells)
    assert_array_equal(indicated[:, -1], ~present)


def test_float32_centres_give_float32(pole_to_pole):
    latitude, longitude = (axis.astype(np.float32) for axis in pole_to_pole[:2])
    cells = CellGrid(latitude, longitude)
    assert cells.dtype == np.float32
    assert cells.points().dtype == np.float32
    assert cells.patches((3, 4), partial=False).dtype == np.float32
    assert SphericalHarmonicPCA(3).fit(cells).transform(cells).dtype == np.float32
    assert CellGrid(latitude, longitude.astype(np.float64)).dtype == np.float64


def test_unstructured_cells_without_areas_warn_of_equal_weight():
    points = reference.uniform_points(50)
    with pytest.warns(CoordinateWarning, match="areas of 50 cells are unknown, all weigh the same: give areas= or ver"):
        cells = CellGrid(*points.T)
    assert_allclose(SphericalHarmonicPCA(2).fit(cells).mean_, reference.moments(points, np.ones(50), 2)[1], atol=1e-12)
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
    (([[np.inf, 0.0]], [[0.0, -np.inf]]), {}, "latitude and longitude are missing in all cells"),
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


# What a grid checker finds.


def boxes(step, poles=False):
    """Centres and corners of the cells of a regular grid, (n, m) and (n, m, 4); or with half rows at the poles."""
    rows = np.arange(-90.0, 90.1, step) if poles else np.arange(-90 + step / 2, 90, step)
    latitude, longitude = np.meshgrid(rows, np.arange(step / 2, 360, step), indexing="ij")
    half = step / 2
    north_south = np.clip(latitude[..., np.newaxis] + [-half, -half, half, half], -90, 90)
    return latitude, longitude, north_south, longitude[..., np.newaxis] + [-half, half, half, -half]


def icosahedron(divisions):
    """Centres (n, 2) and corners (n, 3, 2) of the triangles that four-part divisions of an icosahedron make."""
    golden = (1 + 5**0.5) / 2
    signs = [(a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    corners = np.array([np.roll([0, a, b], turn) for turn in range(3) for a, b in signs])
    near = np.isclose(np.linalg.norm(corners[:, np.newaxis] - corners, axis=-1), 2)
    faces = [face for face in itertools.combinations(range(12), 3) if near[np.ix_(face, face)].sum() == 6]
    triangles = corners[np.array(faces)] / np.linalg.norm(corners[0])
    for _ in range(divisions):
        middle = triangles + np.roll(triangles, -1, axis=1)
        middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
        a, b, c = np.moveaxis(triangles, 1, 0)
        ab, bc, ca = np.moveaxis(middle, 1, 0)
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(part, axis=1) for part in parts])
    return degrees_of_vectors(triangles.sum(axis=1)), degrees_of_vectors(triangles)


def hexagons(divisions):
    """Nodes (n, 2) of an icosahedron divided, and the triangles around each as their centres (n, 6, 2); NaN where 5."""
    centres, corners = icosahedron(divisions)
    points = unit_vectors(corners[..., 0], corners[..., 1])
    nodes, node = np.unique(np.round(points.reshape(-1, 3), 9), axis=0, return_inverse=True)
    around = np.full((len(nodes), 6, 2), np.nan)
    for cell in range(len(nodes)):
        found = np.flatnonzero((node.reshape(-1, 3) == cell).any(axis=1))
        around[cell, : len(found)] = centres[found]  # in no order
    return degrees_of_vectors(nodes), around


def excess(corners):
    """Area of a spherical triangle by L'Huilier's theorem, from corners (3, 2) in degrees."""
    points = unit_vectors(*np.asarray(corners, dtype=float).T)
    sides = [2 * np.arcsin(np.linalg.norm(points[i] - points[i - 1]) / 2) for i in range(3)]
    half = sum(sides) / 2
    return 4 * np.arctan(np.sqrt(np.tan(half / 2) * np.prod([np.tan((half - side) / 2) for side in sides])))


ORDERS = [[0, 1, 3, 2], [0, 2, 1, 3], [3, 1, 2, 0], [2, 0, 3, 1], [1, 0, 2, 3]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("poles", [False, True])
def test_corners_in_the_order_of_rows_are_put_around_the_cell(order, poles):
    # ESCOMP/CTSM#353: corners of CESM domain files run along two rows
    latitude, longitude, *corners = boxes(5.0, poles)
    right = CellGrid(latitude, longitude, vertices=corners)
    assert_allclose(right.cell_areas(1.0).sum(), 4 * np.pi, rtol=1e-13)
    got = CellGrid(latitude, longitude, vertices=[axis[..., order] for axis in corners])
    assert_allclose(got.cell_areas(), right.cell_areas(), rtol=1e-9)
    assert got.check()["corners_out_of_order"] >= latitude.size - 2 * 72
    assert right.check()["corners_out_of_order"] == 0


def test_a_box_in_any_order_is_two_triangles():
    box = np.array([[35.85, 275.6167], [35.85, 275.7167], [35.95, 275.7167], [35.95, 275.6167]])
    exact = excess(box[:3]) + excess(box[[2, 3, 0]])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], *ORDERS):
        latitudes, longitudes = box[order].T
        for west in (0.0, -360.0, [0, -360, 0, 360]):  # and in any convention
            got = CellGrid([35.9], [275.6667], vertices=([latitudes], [longitudes + west]))
            assert_allclose(got.cell_areas(1.0), exact, rtol=1e-8)


def test_corners_of_hexagons_in_no_order_tile_the_sphere():
    centres, around = hexagons(2)
    assert np.isnan(around).any(axis=(1, 2)).sum() == 12
    cells = CellGrid(*centres.T, vertices=(around[..., 0], around[..., 1]))
    assert_allclose(cells.cell_areas(1.0).sum(), 4 * np.pi, rtol=1e-12)
    padded = np.where(np.isnan(around), around[:, :1], around)  # a corner again, at neither end of its run
    again = CellGrid(*centres.T, vertices=(padded[:, [0, 5, 1, 2, 3, 4], 0], padded[:, [0, 5, 1, 2, 3, 4], 1]))
    assert_allclose(again.cell_areas(), cells.cell_areas(), rtol=1e-12)


def test_triangles_of_an_icosahedron_tile_the_sphere():
    centres, corners = icosahedron(3)
    cells = CellGrid(*centres.T, vertices=(corners[..., 0], corners[..., 1]))
    assert_allclose(cells.cell_areas(1.0).sum(), 4 * np.pi, rtol=1e-12)
    assert_allclose(cells.cell_areas(1.0)[::97], [excess(triangle) for triangle in corners[::97]], rtol=1e-9)
    assert cells.check().ok


L_SHAPE = np.array([[0, 0], [0, 4], [2, 4], [2, 2], [4, 2], [4, 0]], dtype=float)


def test_cells_that_are_not_convex_keep_their_order():
    # median-dual cells of FESOM, with centres that see all corners and ones that do not
    whole = excess([[0, 0], [0, 4], [2, 4]]) + excess([[0, 0], [2, 4], [2, 2]])
    whole += excess([[0, 0], [2, 2], [4, 2]]) + excess([[0, 0], [4, 2], [4, 0]])
    for centre in ([1.0, 1.0], [0.5, 3.5], [2.0, 2.0], [0.0, 0.0]):
        cells = CellGrid(*np.transpose([centre]), vertices=(L_SHAPE[:, 0][np.newaxis], L_SHAPE[:, 1][np.newaxis]))
        assert_allclose(cells.cell_areas(1.0), whole, rtol=1e-12)


CENTRES_AT_THE_RIM = [
    ([89.5], [60.0], [[89, 89, 90]], [[0, 120, 0]]),  # a third of a polar cap: the side is a chord
    ([0.5], [0.0], [[0, 0, 1, 1]], [[0, 1, 1, 0]]),  # on a side, as at the fold of a tripolar grid
    ([0.0], [0.0], [[0, 0, 1, 1]], [[0, 1, 1, 0]]),  # a corner
    ([-90.0], [7.0], [[-90, -90, -89, -89]], [[0, 14, 14, 0]]),  # rows at a pole
    ([90.0], [0.0], [[80, 80, 80, 80]], [[0, 90, 180, 270]]),  # around a pole
    ([85.0], [200.0], [[80, 80, 80, 80]], [[0, 90, 180, 270]]),
]


@pytest.mark.parametrize(("latitude", "longitude", "latitudes", "longitudes"), CENTRES_AT_THE_RIM)
def test_centres_at_the_rim_of_their_cell(latitude, longitude, latitudes, longitudes):
    corners = np.array([latitudes[0], longitudes[0]]).T
    exact = excess(corners[:3]) + (excess(corners[[2, 3, 0]]) if len(corners) > 3 else 0.0)
    assert_allclose(CellGrid(latitude, longitude, vertices=(latitudes, longitudes)).cell_areas(1.0), exact, rtol=1e-8)


def box_cells(change, **options):
    """The cells of a regular grid of 10 degrees with changed centres or corners."""
    latitude, longitude, *corners = (axis.copy() for axis in boxes(10.0))
    latitude, longitude, corners = change(latitude, longitude, corners) or (latitude, longitude, corners)
    return CellGrid(latitude, longitude, vertices=corners, **options)


def unused(fill):
    return lambda lat, lon, corners: (lat, lon, [np.insert(a, 4, f, -1) for a, f in zip(corners, fill, strict=True)])


WRONG_VERTICES = [
    (
        lambda lat, lon, v: (lat, lon, tuple(np.radians(v))),
        "vertices of 648 cells .*first at.*vertices are in rad",
    ),
    (lambda lat, lon, v: (lat, lon, [np.radians(v[0]), v[1]]), "latitudes of the vertices are in radians"),
    (lambda lat, lon, v: (lat, lon, [v[0], np.radians(v[1])]), "longitudes of the vertices are in radians"),
    (lambda lat, lon, v: (lat[:, :8], lon[:, :8], [v[1][:, :8], v[0][:, :8]]), "vertices are swapped: latitudes come"),
    (lambda lat, lon, v: (lat, np.roll(lon, 1, 1), v), "vertices of 648 cells.*do not enclose the centre.*other cells"),
    (lambda lat, lon, v: (np.roll(lat, 1, 0), lon, v), "do not enclose the centre"),
    (unused((0, 0)), "vertices of 504 cells.*one is far from the others.*latitude 0, longitude 0. Is it a fill value"),
    (unused((-999, -999)), r"vertices have latitudes outside \[-90, 90\] degrees, 648 of them: -999.*fill value"),
    (unused((1e20, 1e20)), r"vertices have latitudes outside \[-90, 90\] degrees, 648 of them: 1e\+20.*fill value"),
    (unused((0, 9.97e36)), r"vertices= has longitudes beyond 1e\+08.*9.97e\+36.*fill value"),
    (lambda lat, lon, v: (lat, lon, [v[0] * 0 + lat[..., None], v[1]]), "cells are wrong.*they enclose no area"),
    (lambda lat, lon, v: (lat, lon, [v[0] * 0 + 45, v[1] * 0]), "vertices of 648 cells.*they enclose no area"),
]


@pytest.mark.parametrize(("change", "message"), WRONG_VERTICES)
def test_vertices_that_are_no_cell_around_the_centre(change, message):
    with pytest.raises(CoordinateError, match=message):
        box_cells(change)


def test_one_wrong_vertex_is_named_and_may_be_masked():
    def spoil(latitude, longitude, corners):
        corners[0][4, 7, 2] = corners[1][4, 7, 2] = 0.0

    with pytest.raises(CoordinateError, match=r"vertices of 1 cell are wrong, the first at \(4, 7\): one is far"):
        box_cells(spoil)
    mask = np.ones((18, 36), dtype=bool)
    mask[4, 7] = False
    cells, right = box_cells(spoil, mask=mask), box_cells(lambda *arrays: None, mask=mask)
    assert cells.cell_areas()[4, 7] == 0.0
    assert cells.domain_area() == right.domain_area()


def test_crossing_sides_of_a_cell_that_is_not_convex():
    latitudes, longitudes = L_SHAPE[[0, 3, 1, 4, 2, 5]].T
    with pytest.raises(CoordinateError, match="vertices of 1 cell.*not in order around a cell.*is not convex"):
        CellGrid([1.0], [1.0], vertices=([latitudes], [longitudes]))


def test_cells_without_corners_weigh_nothing_with_a_warning():
    def spoil(latitude, longitude, corners):
        corners[0][4:6, 7] = np.nan

    with pytest.warns(CoordinateWarning, match=r"2 cells have no corners, the first at \(4, 7\): they weigh nothing"):
        cells = box_cells(spoil)
    assert cells.check()["cells_without_area"] == 2
    mask = np.ones((18, 36))
    mask[4:6, 7] = 0
    assert box_cells(spoil, mask=mask).check()["cells_without_area"] == 0


@pytest.mark.parametrize("fill", [1e20, 9.969209968386869e36, 1e16])
def test_areas_larger_than_the_earth(fill):
    latitude, longitude, *_ = boxes(10.0)
    areas = np.full(latitude.shape, 1e11)
    areas[3, 5:8] = fill
    with pytest.raises(CoordinateError, match=r"areas of 3 cells are larger than the Earth, the first at \(3, 5\)"):
        CellGrid(latitude, longitude, areas=areas, mask=areas < 1e12)
    missing = CellGrid(latitude, longitude, areas=np.where(areas > 1e12, np.inf, areas))
    assert_array_equal(missing.cell_areas(), np.where(areas > 1e12, 0.0, areas))


def test_cells_together_larger_than_the_earth():
    latitude, longitude = np.meshgrid(np.arange(-89.0, 90, 2), np.arange(0.0, 361, 2), indexing="ij")
    message = r"cells are 1\.0055\d* times as large as the Earth together.*90 are at the place of another one"
    for turn in (0.0, -180.0):
        with pytest.raises(CoordinateError, match=message):
            CellGrid(latitude, longitude + turn)
    once = CellGrid(latitude, longitude, mask=longitude < 360)
    assert_allclose(once.domain_area(1.0), 4 * np.pi, rtol=1e-4)
    with pytest.raises(CoordinateError, match=r"cells are 2 times as large as the Earth.*the largest, at \(0, 0\)"):
        CellGrid(latitude, longitude, areas=np.full(latitude.shape, 8 * np.pi * EARTH_RADIUS**2 / latitude.size))


@pytest.mark.parametrize("step", [5.0, 10.0, 30.0, 45.0, 60.0])
def test_coarse_grids_are_no_larger_than_the_earth(step):
    for width in (5.0, 10.0, 30.0, 60.0):
        axes = np.arange(-90 + step / 2, 90, step), np.arange(0, 360, width)
        cells = CellGrid(*np.meshgrid(*axes, indexing="ij"))
        assert_allclose(cells.domain_area(1.0), 4 * np.pi, rtol=0.15)
        assert cells.check().ok


def test_cells_that_are_there_twice():
    latitude, longitude = np.meshgrid(np.arange(-59.0, 60, 2), np.arange(0.0, 360.1, 0.5), indexing="ij")
    areas = np.cos(np.radians(latitude)) * 6e9
    message = r"60 cells are at the place of another one, the first at \(0, 720\), and count twice: mask them"
    for options in ({}, {"areas": areas}):
        with pytest.warns(CoordinateWarning, match=message):
            cells = CellGrid(latitude, longitude, **options)
        assert cells.check()["coincident_cells"] == 60
    with pytest.warns(CoordinateWarning, match="60 cells are at the place of another one, the first at 720"):
        CellGrid(latitude.ravel(), longitude.ravel(), areas=areas.ravel())
    for options in ({}, {"areas": areas}):
        assert CellGrid(latitude, longitude, longitude < 360, **options).check()["coincident_cells"] == 0
    CellGrid(latitude, longitude, areas=np.where(longitude < 360, areas, 0.0))  # CMIP's areas of a halo


def test_tiles_and_cells_meeting_at_pole_are_no_copies():
    tiles = np.random.default_rng(0).uniform(1e8, 1e9, (50, 12))
    place = np.repeat(reference.uniform_points(50), 12, axis=0)
    assert CellGrid(*place.T, areas=tiles.ravel()).check()["coincident_cells"] == 0
    latitude, longitude, *corners = boxes(2.0, poles=True)
    areas = CellGrid(latitude, longitude, vertices=corners).cell_areas()
    CellGrid(latitude, longitude, areas=areas)
    points = np.array([[10.0, 20.0], [10.0, 20.0], [0.0, 0.0], [0.0, 0.0]])
    with pytest.warns(CoordinateWarning, match="areas of 4 cells are unknown"):  # and nothing else
        CellGrid(*points.T)


def test_corners_taken_for_centres():
    rows = [axis.reshape(-1, 4) for axis in boxes(30.0)[2:]]
    with pytest.raises(CoordinateError, match="cells are at the place of another one.*no centres of cells.*vertices="):
        CellGrid(rows[0][24:48], rows[1][24:48])


def bent(height, width):
    """A grid of about 12 km whose rows and columns bend."""
    row, column = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return 60 + row / 10 + column / 60, 170 + column / 5 + row / 30


@pytest.mark.parametrize("radius", [12.0, 2.5, 1.1, 0.5])
def test_holes_filled_with_zero(radius):
    latitude, longitude = bent(60, 80)
    row, column = np.indices(latitude.shape)
    hole = np.hypot(row - 30, column - 40) < radius
    filled = [np.where(hole, 0.0, axis) for axis in (latitude, longitude)]
    with pytest.raises(
        CoordinateError, match=r"the first at \(\d+, \d+\): latitude 0, longitude 0. Is it a fill value"
    ):
        CellGrid(*filled)
    right = CellGrid(np.where(hole, np.nan, latitude), longitude)
    assert_array_equal(CellGrid(*filled, mask=~hole).cell_areas(), right.cell_areas())
    if radius > 2:
        areas = np.full(latitude.shape, 1e8)
        with pytest.raises(CoordinateError, match="cells are at one place.*latitude 0, longitude 0"):
            CellGrid(*filled, areas=areas)
        CellGrid(*filled, areas=np.where(hole, np.nan, areas))
        with pytest.raises(CoordinateError, match="cells are at one place.*latitude 0, longitude 0"):
            CellGrid(*(axis.ravel() for axis in filled))


@pytest.mark.parametrize("fill", [-999.0, 1e20, 9.969209968386869e36, 1e15])
def test_fill_values_of_centres(fill):
    latitude, longitude = bent(20, 20)
    for number in (3, 70):
        hole = (np.arange(400) < number).reshape(20, 20)
        with pytest.raises(CoordinateError, match=rf"latitude is outside .* in {number} cells: .*fill value that"):
            CellGrid(np.where(hole, fill, latitude), np.where(hole, fill, longitude))
        if fill > 0:
            with pytest.raises(CoordinateError, match=r"longitude has longitudes beyond 1e\+08.*fill value"):
                CellGrid(latitude, np.where(hole, fill, longitude))


def test_infinity_off_the_disk_is_missing():
    cells = CellGrid([[np.inf, 10], [11, 12]], [[np.inf, 10], [11, 12]])
    assert_array_equal(np.isnan(cells.latitude), [[True, False], [False, False]])
    assert_array_equal(cells.cell_areas(), CellGrid([[np.nan, 10], [11, 12]], [[0, 10], [11, 12]]).cell_areas())
    latitudes, longitudes = [[0, 0, 90, np.inf]], [[0, 90, 0, -np.inf]]
    assert_allclose(CellGrid([30], [45], vertices=(latitudes, longitudes)).cell_areas(1.0), np.pi / 2)


def test_cells_piled_up_at_a_pole():
    latitude = np.clip(np.arange(72.0, 110, 2), -90, 90)[:, np.newaxis] + np.zeros(20)
    longitude = np.arange(0.0, 360, 18) + np.zeros((19, 1))
    with pytest.warns(CoordinateWarning, match=r"200 cells have no area, the first at \(9, 0\), latitude 90.*mask"):
        cells = CellGrid(latitude, longitude)
    assert cells.check()["cells_without_area"] == 200
    with pytest.warns(CoordinateWarning, match=r"200 cells are at latitude 90, the first at \(9, 0\), and larger than"):
        cells = CellGrid(latitude, longitude, areas=np.full(latitude.shape, 1e10))
    assert cells.check()["overlapping_cells"] >= 200
    CellGrid(latitude, longitude, latitude < 90)


def test_a_pole_in_single_precision():
    pole = np.degrees(np.float64(np.float32(np.pi / 2)))  # 90.0000025
    for latitude in (90.0000001836389, pole):
        cells = CellGrid([80.0], [0.0], vertices=([[75, 75, latitude]], [[-10, 10, 0]]))
        assert_allclose(cells.cell_areas(1.0), excess([[75, -10], [75, 10], [90, 0]]), rtol=1e-9)
        assert CellGrid([-latitude], [0.0], areas=[1e6]).latitude == -90.0
    with pytest.raises(CoordinateError, match="vertices have latitudes outside"):
        CellGrid([80.0], [0.0], vertices=([[75, 75, 90.1]], [[-10, 10, 0]]))


def test_centres_in_radians_warn():
    latitude, longitude, *corners = boxes(10.0)
    axes = np.radians(latitude), np.radians(longitude)
    for west in (0.0, np.pi):
        with pytest.warns(CoordinateWarning, match="radians"):
            CellGrid(axes[0], axes[1] - west)
        with pytest.warns(CoordinateWarning, match="radians"):
            CellGrid(axes[0].ravel(), axes[1].ravel() - west, areas=np.ones(latitude.size))
    with (
        pytest.warns(CoordinateWarning, match="radians"),
        pytest.raises(CoordinateError, match=r"centres are in radians, the vertices in degrees.*np\.degrees"),
    ):
        CellGrid(*axes, vertices=corners)


def test_a_report_of_cells(pole_to_pole):
    latitude, longitude, vertices, area = pole_to_pole
    cells = CellGrid(latitude, longitude, latitude > 0, vertices=vertices)
    report = cells.check()
    assert report.ok
    assert_allclose(report["total_area"], 4 * np.pi * EARTH_RADIUS**2)
    assert_allclose(report["domain_area"], cells.domain_area())
    assert report["areas"] == "computed from the vertices"
    assert report["mask"] == "as given"
    names = ["cells_without_area", "corners_out_of_order", "overlapping_cells", "coincident_cells", "missing_cells"]
    assert [report[name] for name in names] == [0, 0, 4, 0, 0]  # room at the poles of the grid is not known well
    twice = CellGrid(latitude, longitude, latitude > 0, areas=np.where(latitude > 80, 3, 1) * area * EARTH_RADIUS**2)
    assert twice.check()["overlapping_cells"] == np.count_nonzero(latitude > 80) + 4
    holes = CellGrid(np.where(latitude > 60, np.nan, latitude), longitude)
    assert holes.check()["missing_cells"] == np.count_nonzero(latitude > 60)
    with pytest.warns(CoordinateWarning, match="unknown"):
        report = CellGrid([0.0, 1.0], [0.0, 1.0]).check()
    assert report["total_area"] == "unknown"
    assert not report.ok


def test_chunked_cells_are_checked_block_by_block():
    da = pytest.importorskip("dask.array")
    latitude, longitude, *corners = boxes(5.0)
    chunked = [da.from_array(axis, chunks=10) for axis in (latitude, longitude)]
    mixed = [axis[..., [0, 1, 3, 2]] for axis in corners]
    assert_array_equal(
        CellGrid(*chunked, vertices=mixed).cell_areas().compute(),
        CellGrid(latitude, longitude, vertices=mixed).cell_areas(),
    )
    wrong = CellGrid(*chunked, vertices=tuple(np.radians(corners)))
    with pytest.raises(CoordinateError, match="vertices are in radians"):
        wrong.cell_areas().compute()
    hole = latitude > 60
    filled = [da.where(hole, 0.0, axis) for axis in chunked]
    with pytest.raises(CoordinateError, match="cells are at one place.*latitude 0, longitude 0"):
        CellGrid(*filled).cell_areas().compute()
    with pytest.raises(CoordinateError, match="areas of 2 cells are larger than the Earth"):
        CellGrid(*chunked, areas=np.where((longitude < 10) & (latitude > 85), 1e20, 1e10)).check()
    cyclic = [np.concatenate([axis, axis[:, :1]], axis=1) for axis in (latitude, longitude)]
    report = CellGrid(*(da.from_array(axis, chunks=(36, 73)) for axis in cyclic)).check()
    assert report["coincident_cells"] == 36
    assert not report.ok


# Patches as stacks of pixel centres.

AXES = np.arange(-55.0, 60, 2), np.arange(5.0, 200, 2)
REGULAR = LatLonGrid(*AXES)
CELLS = CellGrid(*np.meshgrid(*AXES, indexing="ij"))


def test_patches_are_the_windows_of_the_centres():
    patches, index = CELLS.patches((3, 4), stride=(2, 5), partial=False, return_index=True)
    assert patches.shape == (len(index), 3, 4, 2)
    for patch, (row, column) in zip(patches, index, strict=True):
        assert_array_equal(patch[..., 0], CELLS.latitude[row : row + 3, column : column + 4])
        assert_array_equal(patch[..., 1], CELLS.longitude[row : row + 3, column : column + 4])
    assert set(index[:, 0]) == set(range(0, 58 - 2, 2))
    assert set(index[:, 1]) == set(range(0, 98 - 3, 5))


def test_stacks_of_regular_grid_agree_with_patch_table():
    basis = SphericalHarmonicPCA(5).fit(REGULAR)
    features = make_union(PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer())
    table = features.fit_transform(REGULAR.patches((4, 6), partial=False))
    stack = features.fit_transform(CELLS.patches((4, 6), partial=False))
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
    patch = CELLS.patches((4, 6), partial=False)[7:8].copy()
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
    assert_allclose(got, basis.transform(CELLS), atol=1e-12)
    with pytest.raises(
        CoordinateError, match="5684 patches without neighbouring pixels at different places, first row 0"
    ):
        PatchScaleFeaturizer().fit(patches).transform(patches)


def test_stacks_may_be_lists_and_one_patch_gets_an_axis():
    patches = CELLS.patches((4, 6), partial=False)[:3]
    assert_array_equal(
        PatchScaleFeaturizer().fit_transform(patches.tolist()), PatchScaleFeaturizer().fit_transform(patches)
    )
    with pytest.raises(CoordinateError, match=r"X has 3 dimensions.*Reshape your data: X\[np\.newaxis\]"):
        PatchScaleFeaturizer().fit(patches[0])


@pytest.mark.parametrize("size", [(1, 4), (4, 1)])
def test_pixels_in_a_single_line_are_squares(size):
    patch = CELLS.patches(size, partial=False)[:1]
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
        encoder = PatchPositionEncoder(SphericalHarmonicPCA(3)).fit(cells.patches((4, 7), stride=stride, partial=False))
        assert_allclose(encoder.encoder_.mean_, whole.mean_, atol=1e-4)


def test_min_fraction_is_share_of_area_inside_mask():
    mask = np.zeros(CELLS.shape)
    mask[:, :50] = 1.0
    latitude = CELLS.latitude.copy()
    latitude[:4] = np.nan
    cells = CellGrid(latitude, CELLS.longitude, mask)
    _, index = cells.patches((4, 4), partial=False, min_fraction=0.49, return_index=True)
    assert index[:, 0].min() == 4
    assert index[:, 1].max() == 48
    _, index = cells.patches((4, 4), partial=False, min_fraction=0.51, return_index=True)
    assert index[:, 1].max() == 44
    _, index = cells.patches((4, 4), partial=False, return_index=True)
    assert index[:, 0].min() == 4  # nothing is left of the first row of patches
    with pytest.raises(ValueError, match=r"min_fraction=1.0: no patch has this share of its area in the mask"):
        CellGrid(latitude, CELLS.longitude, mask * 0.5).patches(4, partial=False, min_fraction=1.0)


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
        (np.full((2, 3, 4, 2), np.inf), "X has 2 patches without any pixel that has coordinates"),
        (np.zeros((2, 3, 4, 2)), "2 patches without neighbouring pixels at different places"),
    ],
)
def test_bad_stacks_are_refused(patches, message):
    with pytest.raises(CoordinateError, match=message):
        PatchScaleFeaturizer().fit(CELLS.patches(4, partial=False)).transform(patches)


def test_grids_are_no_patches_and_unstructured_cells_have_none():
    with pytest.raises(CoordinateError, match=r"X is a CellGrid: expected patches, for instance X\.patches"):
        PatchScaleFeaturizer().fit(CELLS)
    with pytest.raises(CoordinateError, match="2 cells have no rows and columns to cut patches from"):
        CellGrid([0.0, 1.0], [0.0, 1.0], areas=[1e10, 1e10]).patches(1)


# Areas in another unit


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("unit", "message"), [(EARTH_RADIUS**2, "unit sphere"), (1e6, "square kilometres")])
def test_areas_in_another_unit_warn(unit, message, flat):
    latitude, longitude = np.meshgrid(np.arange(30.5, 36), np.arange(10.5, 18), indexing="ij")
    areas = np.full(latitude.shape, 1.2e10)
    if flat:
        latitude, longitude, areas = latitude.ravel(), longitude.ravel(), areas.ravel()
    CellGrid(latitude, longitude, areas=areas)
    with pytest.warns(CoordinateWarning, match=f"areas must be in square metres. They seem to be .*{message}"):
        CellGrid(latitude, longitude, areas=areas / unit)
    with pytest.warns(CoordinateWarning, match="other unit, or weights"):
        CellGrid(latitude, longitude, areas=np.ones_like(areas))


def test_small_areas_of_parts_of_cells_and_of_fields_far_apart_do_not_warn():
    rng = np.random.default_rng(0)
    latitude, longitude, *_ = boxes(10.0)
    areas = np.full(latitude.shape, 5e11)
    CellGrid(latitude, longitude, areas=areas * rng.random(areas.shape) ** 8)
    CellGrid(latitude, longitude, areas=np.where(rng.random(areas.shape) < 0.9, 1e-9, 1.0) * areas)
    islands = np.zeros(areas.shape)
    islands[4, 5], islands[9, 20] = 1e6, 5e5
    CellGrid(latitude, longitude, areas=islands)
    CellGrid(rng.uniform(45, 55, 500), rng.uniform(0, 15, 500), areas=rng.lognormal(np.log(2e4), 1, 500))
    CellGrid(rng.uniform(-60, 70, 300), rng.uniform(-180, 180, 300), areas=rng.lognormal(np.log(1e6), 1.5, 300))


@pytest.mark.parametrize("value", [np.inf, np.nan, 0.0])
def test_no_area_at_all_is_refused(value):
    latitude, longitude, *corners = boxes(10.0)
    with pytest.raises(CoordinateError, match="areas are zero or missing in all cells"):
        CellGrid(latitude, longitude, areas=np.full(latitude.shape, value))
    with pytest.raises(CoordinateError, match="vertices are missing in all cells"):
        CellGrid(latitude, longitude, vertices=[axis * np.nan for axis in corners])
