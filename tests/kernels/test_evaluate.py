"""The fast kernels of transform against the full table of harmonics, over awkward points, grids and patches."""

import pickle
import tracemalloc
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator

import reference
from skgeo import LatLonGrid, PatchPositionEncoder, SphericalHarmonicPCA
from skgeo._kernels import evaluate, patch_means, threads
from skgeo._kernels.evaluate import map_grid, map_points
from skgeo._kernels.patch_means import map_pixel_means
from skgeo._kernels.sphere import Boxes
from skgeo._patches import pixels as patch_pixels
from skgeo.datasets import load_land_mask

PLACES = np.vstack([[[90, 0], [-90, 33], [0, 180], [0, -180], [45, 539.999]], reference.uniform_points(5000)])
BOUND = {np.float32: 1e-5, np.float64: 1e-11}


def random_map(n_components, max_degree, seed=0):
    rng = np.random.default_rng(seed)
    # Rows from small to large: in float32 the large ones need double precision.
    return rng.normal(size=(n_components, (max_degree + 1) ** 2)) * np.geomspace(0.1, 100, n_components)[:, np.newaxis]


def expected(points, coefficients, clip):
    max_degree = int(np.sqrt(coefficients.shape[1])) - 1
    return clipped(reference.harmonics(points[:, 0], points[:, 1], max_degree) @ coefficients.T, clip)


def clipped(values, clip):
    return values if clip is None else clip * np.tanh(values / clip)


@cache
def harmonics_of_the_places(max_degree):
    return reference.harmonics(*PLACES.T, max_degree)


@pytest.mark.parametrize("max_degree", [1, 2, 10, 31])
@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_points(max_degree, dtype, n_jobs):
    coefficients = random_map(7, max_degree)
    out = np.empty((len(PLACES), 7), dtype=dtype)
    map_points(*np.ascontiguousarray(PLACES.T), coefficients, 3.0, out, n_jobs)
    assert_allclose(out, clipped(harmonics_of_the_places(max_degree) @ coefficients.T, 3.0), atol=BOUND[dtype])


def test_without_clip():
    coefficients = random_map(4, 6)
    out = np.empty((len(PLACES), 4))
    map_points(*np.ascontiguousarray(PLACES.T), coefficients, None, out)
    assert_allclose(out, expected(PLACES, coefficients, None), atol=1e-11)


AXES = {
    "descending": (np.linspace(90, -90, 19), np.arange(0, 360, 24.0)),
    "wrapped": (np.linspace(-60, 60, 7), np.array([350.0, 355, 0, 5, 10])),
    "Gaussian": (reference.gaussian_latitudes(16), np.arange(-180, 180, 30.0)),
    "one row": (np.array([12.5]), np.arange(0, 360, 7.5)),
    "one column": (np.linspace(-80, 80, 33), np.array([-77.0])),
    "two pixels": (np.array([0.5, 1.5]), np.array([3.0])),
}


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grids(axes, dtype, n_jobs):
    latitude, longitude = AXES[axes]
    coefficients = random_map(7, 9)
    points = np.stack(np.meshgrid(latitude, longitude, indexing="ij"), axis=-1).reshape(-1, 2)
    out = np.empty((latitude.size, longitude.size, 7), dtype=dtype)
    map_grid(latitude, longitude, coefficients, 3.0, out, n_jobs)
    assert_allclose(out.reshape(-1, 7), expected(points, coefficients, 3.0), atol=BOUND[dtype])


def boxes(table):
    south, north, west, east, n_lat, n_lon = np.array(table, dtype=float).T
    return Boxes(south, north, west, east, n_lat.astype(int), n_lon.astype(int))


TABLE = [
    [10, 11, 20, 21, 1, 1],
    [80, 90, 0, 30, 4, 6],
    [80, 90, 30, 60, 4, 6],
    [-90, -89, -180, 180, 2, 36],
    [-10, 10, 170, 190, 5, 5],
    [10, 11, 20, 21, 2, 1],
    [80, 90, 330, 360, 4, 6],
    [-90, 90, 0, 360, 70, 150],
    [-90, 90, 5, 5.5, 130, 1],
    [3, 3.5, 100, 460, 1, 65],
    [2, 4.5, 100, 460, 1, 65],  # the same centre
    [-20, 20, 0, 20, 4, 16],
    [-10, 10, 0, 20, 4, 16],
    [-5, 5, 0, 20, 4, 16],
]


def mean_over_pixels(patch, coefficients):
    south, north, west, east, n_lat, n_lon = patch
    rows, columns = np.linspace(south, north, n_lat + 1), np.linspace(west, east, n_lon + 1)
    centres = np.meshgrid((rows[:-1] + rows[1:]) / 2, (columns[:-1] + columns[1:]) / 2, indexing="ij")
    weight = np.repeat(np.diff(np.sin(np.radians(rows))), n_lon)
    return weight @ expected(np.stack(centres, axis=-1).reshape(-1, 2), coefficients, 3.0) / weight.sum()


@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("block", [None, 64])
def test_patches(dtype, n_jobs, block, monkeypatch):
    if block:
        for module in (evaluate, patch_means, threads):
            monkeypatch.setattr(module, "BLOCK_VALUES", block)
    coefficients = random_map(7, 9)
    out = np.full((len(TABLE), 7), np.nan, dtype=dtype)
    map_pixel_means(boxes(TABLE), coefficients, 3.0, out, n_jobs)
    assert_allclose(out, [mean_over_pixels(patch, coefficients) for patch in TABLE], atol=BOUND[dtype])


def test_patch_means_same_by_fast_and_long_way(monkeypatch):
    class Plain(SphericalHarmonicPCA):
        """Not exactly a SphericalHarmonicPCA, so its pixels are transformed one by one."""

    globe = LatLonGrid(np.arange(-88.0, 90, 4), np.arange(2.0, 360, 4), np.arange(45 * 90).reshape(45, 90) % 7 > 2)
    table = np.vstack([globe.patches((5, 9), (3, 5), partial=True), TABLE])
    frozen = [FrozenEstimator(kind(8).fit(globe)) for kind in (SphericalHarmonicPCA, Plain)]
    fast, plain = (PatchPositionEncoder(encoder).fit(table) for encoder in frozen)
    expected = plain.transform(table)
    assert_allclose(fast.transform(table), expected, atol=1e-12)
    for chunk in (1, 7, 100):
        monkeypatch.setattr(patch_pixels, "PIXELS_AT_A_TIME", chunk)
        assert_allclose(plain.transform(table[-12:]), expected[-12:], atol=1e-12)


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_output_does_not_depend_on_the_number_of_threads(n_jobs):
    points = reference.uniform_points(20_000)
    one, many = (SphericalHarmonicPCA(6, n_jobs=n).fit(points[:2000]) for n in (1, n_jobs))
    assert_array_equal(one.components_, many.components_)
    assert_allclose(one.transform(points), many.transform(points), atol=1e-12)


@pytest.mark.parametrize("max_degree", [10, 40])
def test_single_precision_is_within_1e_5_at_every_component(max_degree):
    land = load_land_mask()
    pca = SphericalHarmonicPCA(max_degree).fit(LatLonGrid(land.latitude, land.longitude, land.fraction))
    points = PLACES.astype(np.float32)
    single = pca.transform(points)
    assert single.dtype == np.float32
    assert_allclose(single, pca.transform(points.astype(np.float64)), atol=1e-5)


def test_float32_axes_give_float32_and_lose_no_more_than_that():
    latitude, longitude = np.arange(-88.75, 90, 2.5), np.arange(0, 360, 5 / 3)
    single = LatLonGrid(latitude.astype(np.float32), longitude.astype(np.float32))
    double = LatLonGrid(single.latitude, single.longitude)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert pickle.loads(pickle.dumps(single)).dtype == np.float32
    pca = SphericalHarmonicPCA(10, 80).fit(single)
    assert_array_equal(pca.components_, SphericalHarmonicPCA(10, 80).fit(double).components_)
    embedding = pca.transform(single)
    assert embedding.dtype == single.points().dtype == np.float32
    assert_allclose(embedding, pca.transform(double), atol=1e-5)
    assert_allclose(embedding, pca.transform(single.points()), atol=1e-5)
    assert LatLonGrid(single.latitude, longitude.astype(np.float32)).dtype == np.float64


@pytest.mark.parametrize("max_degree", [10, 40])
def test_float32_harmonics_within_1e_6_of_float64(max_degree):
    latitude, longitude = np.ascontiguousarray(PLACES.T)
    unit = np.eye((max_degree + 1) ** 2)
    single, double = (evaluate.PointMap(unit, None, dtype).harmonics(latitude, longitude) for dtype in BOUND)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert np.all(np.abs(single - double).max(axis=1) <= 1e-6 * np.abs(double).max(axis=1))


def test_components_needing_float64_may_stand_anywhere():
    land = load_land_mask()
    pca = SphericalHarmonicPCA(20, spectrum="matern").fit(LatLonGrid(land.latitude, land.longitude, land.fraction))
    (easy, _), (hard, _) = evaluate.split_by_precision(pca._affine(), np.float32)
    assert hard.min() < easy.max()
    assert_array_equal(np.sort(np.concatenate([easy, hard])), np.arange(pca.n_components_))
    points = PLACES.astype(np.float32)
    assert_allclose(pca.transform(points), pca.transform(points.astype(np.float64)), atol=1e-5)


def grown(work):
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


@pytest.mark.parametrize(
    ("n_lat", "n_lon", "n"), [(1, 1, 5000), (64, 1, 100), (1, 64, 100), (2000, 3, 1), (300, 300, 1)]
)
def test_patches_of_any_shape_take_little_memory(n_lat, n_lon, n):
    rng = np.random.default_rng(9)
    south, west = rng.uniform(-80, 60, n), rng.uniform(-180, 180, n)
    counts = np.full(n, n_lat), np.full(n, n_lon)
    table = Boxes(south, south + 0.01 * n_lat, west, west + 0.01 * n_lon, *counts)
    coefficients, out = random_map(64, 30) * 1e-2, np.empty((n, 64))
    assert grown(lambda: map_pixel_means(table, coefficients, 3.0, out)) < 60


def test_points_and_grids_take_little_memory_beyond_their_output():
    points = reference.uniform_points(100_000)
    coefficients, out = random_map(16, 20), np.empty((100_000, 16))
    latitude, longitude = np.ascontiguousarray(points.T)
    assert grown(lambda: map_points(latitude, longitude, coefficients, 3.0, out)) < 30
    axes = np.linspace(-90, 90, 250), np.linspace(0, 359, 400)
    assert grown(lambda: map_grid(*axes, coefficients, 3.0, out.reshape(250, 400, 16))) < 30
    assert grown(lambda: SphericalHarmonicPCA(20, 16).fit(points)) < 60


def test_maps_with_large_coefficients_are_evaluated_in_double_precision():
    ordinary, large = np.ones((1, 441)), np.full((1, 441), 1e6)
    latitude, longitude = reference.uniform_points(200).T
    for coefficients in (ordinary, large, np.vstack([ordinary, large])):
        out = {dtype: np.empty((200, len(coefficients)), dtype) for dtype in (np.float32, np.float64)}
        for dtype in out:
            map_points(latitude, longitude, coefficients, None, out[dtype])
        scale = np.abs(out[np.float64]).max(axis=0)
        assert (np.abs(out[np.float32] - out[np.float64]).max(axis=0) <= 1e-5 * scale).all()
