"""SphericalHarmonicPCA: what the basis is, that it belongs to the region, and that it is always the same."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

import reference
from skgeo import LatLonGrid, SphericalHarmonicPCA, matern_spectrum
from skgeo._kernels import domain as _domain
from skgeo._kernels import domain_basis
from skgeo.exceptions import ResolutionWarning

BOX = (30.0, 60.0, -10.0, 40.0)
PLACES = reference.uniform_points(1000, seed=7)


def box_grid(step, box=BOX):
    south, north, west, east = box
    return LatLonGrid(np.arange(south + step / 2, north, step), np.arange(west + step / 2, east, step))


def random_land(shape=(90, 180), seed=0):
    """A smooth random domain: fractions between 0 and 1, with coasts."""
    rng = np.random.default_rng(seed)
    step = 180.0 / shape[0]
    latitude, longitude = np.arange(-90 + step / 2, 90, step), np.arange(-180 + step / 2, 180, step)
    points = np.stack(np.meshgrid(latitude, longitude, indexing="ij"), axis=-1).reshape(-1, 2)
    field = reference.harmonics(*points.T, 6) @ rng.normal(size=49)
    return LatLonGrid(latitude, longitude, np.clip(0.5 + 2 * field, 0, 1).reshape(shape))


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        (np.arange(-89.5, 90), np.arange(0.5, 360)),
        (np.arange(87.5, -90, -5), np.arange(-177.5, 180, 5)),
        (reference.gaussian_latitudes(64), np.arange(0, 360, 2.8125)),
        (np.linspace(90, -90, 73), np.arange(0, 360, 5.0)),
    ],
    ids=["1 degree", "5 degrees", "Gaussian", "pole rows"],
)
def test_components_of_the_globe_are_the_harmonics(latitude, longitude):
    pca = SphericalHarmonicPCA(10).fit(LatLonGrid(latitude, longitude))
    assert_allclose(pca.components_, np.eye(121)[1:], atol=1e-12)
    assert_allclose(pca.explained_variance_, 1 / (4 * np.pi), rtol=1e-11)
    assert_allclose(pca.explained_variance_ratio_.sum(), 1, rtol=1e-12)
    assert_allclose(pca.shannon_number_, 121, rtol=1e-12)
    assert_allclose(pca.total_weight_, 4 * np.pi, rtol=1e-12)


def points_inside(south, north, west, east, n=1000):
    rng = np.random.default_rng(9)
    latitude = np.degrees(np.arcsin(rng.uniform(*np.sin(np.radians([south, north])), n)))
    return np.column_stack([latitude, rng.uniform(west, east, n)])


@pytest.mark.parametrize("max_degree", [5, 10, 20])
@pytest.mark.parametrize(
    ("box", "bound"),
    # In a large region some eigenvalues lie so close together that rounding turns their components by 1e-7.
    [(BOX, 1e-8), ((70, 90, 0, 360), 1e-8), ((-10, 10, -10, 10), 1e-8), ((-60, 76, 100, 300), 5e-7)],
    ids=["30x50", "polar cap", "square", "large"],
)
def test_basis_belongs_to_the_region_not_to_the_pixels(box, bound, max_degree):
    first, *others = [SphericalHarmonicPCA(max_degree).fit(box_grid(step, box)) for step in (2, 1, 0.25)]
    points = points_inside(*box)
    above = first.explained_variance_ > 1e-6 * first.explained_variance_[0]
    for other in others:
        assert first.n_components_ == other.n_components_
        difference = np.abs(first.transform(points) - other.transform(points)).max(axis=0)
        assert difference[above].max() < bound
        assert difference.max() < 1e-6


def test_grid_agrees_with_quadrature_of_the_same_region():
    points, weights = reference.gauss_box(*BOX, n=40)
    total, mean, covariance = reference.moments(points, weights, 10)
    pca = SphericalHarmonicPCA(10).fit(box_grid(1))
    assert_allclose(pca.total_weight_, total, rtol=1e-12)
    assert_allclose(pca.mean_, mean, atol=1e-12)
    largest = pca.explained_variance_[0]
    residual = covariance @ pca.components_.T - pca.components_.T * pca.explained_variance_
    # Components are eigenvectors to the resolution within which eigenvalues count as equal, 5e-9 times the degree.
    resolution = 5e-9 * 10 * (largest + np.square(mean[1:]).sum())
    assert np.abs(residual).max() < resolution
    distinct = pca.explained_variance_ > 1e-4 * largest
    assert np.abs(residual[:, distinct]).max() < 1e-12 * np.square(mean).sum()
    values = np.linalg.eigvalsh(covariance)[::-1][: pca.n_components_]
    assert_allclose(pca.explained_variance_, values, atol=resolution)
    assert_allclose(pca.explained_variance_[20:].sum(), values[20:].sum(), rtol=1e-6)  # groups share out their own


def test_points_agree_with_covariance_and_scikit_learn():
    points = reference.uniform_points(3000, seed=1)
    weights = np.cos(np.radians(points[:, 0])) * np.linspace(0.5, 2, len(points))
    _, mean, covariance = reference.moments(points, weights, 4)
    pca = SphericalHarmonicPCA(4).fit(points, sample_weight=np.linspace(0.5, 2, len(points)))
    assert_allclose(pca.mean_, mean, atol=1e-12)
    assert_allclose(pca.components_ @ covariance @ pca.components_.T, np.diag(pca.explained_variance_), atol=1e-12)

    from sklearn.decomposition import PCA

    table = reference.harmonics(*points.T, 4)[:, 1:]
    peer = PCA().fit(table)
    pca = SphericalHarmonicPCA(4, area_weighted=False, clip=None).fit(points)
    assert_allclose(pca.explained_variance_, peer.explained_variance_ * (1 - 1 / len(points)), rtol=1e-10)
    overlap = np.abs(np.sum(pca.components_[:, 1:] * peer.components_, axis=1))
    assert_allclose(overlap, 1, atol=1e-9)
    scores = np.abs(peer.transform(table) / np.sqrt(pca.explained_variance_))
    assert_allclose(np.abs(pca.transform(points)), scores, atol=1e-7)


def test_sample_weight_counts_repetitions():
    points = reference.uniform_points(200, seed=2)
    counts = np.random.default_rng(2).integers(0, 4, len(points))
    weighted = SphericalHarmonicPCA(4).fit(points, sample_weight=counts)
    repeated = SphericalHarmonicPCA(4).fit(np.repeat(points, counts, axis=0))
    assert_allclose(weighted.components_, repeated.components_, atol=1e-9)
    assert_allclose(weighted.scale_, repeated.scale_, rtol=1e-11)


def test_sample_weight_of_a_grid_multiplies_its_mask():
    grid = random_land((30, 60))
    weight = np.random.default_rng(0).uniform(size=grid.shape)
    product = SphericalHarmonicPCA(5).fit(LatLonGrid(grid.latitude, grid.longitude, grid.mask * weight))
    for given in (weight, weight.ravel()):
        assert_allclose(
            SphericalHarmonicPCA(5).fit(grid, sample_weight=given).components_, product.components_, atol=1e-9
        )


def test_unweighted_grid_counts_every_cell_alike():
    grid = LatLonGrid(np.arange(-85, 90, 10), np.arange(5, 360, 10), mask=np.arange(18 * 36).reshape(18, 36) % 3 == 0)
    cells = SphericalHarmonicPCA(3, area_weighted=False).fit(grid)
    assert_allclose(cells.total_weight_, grid.mask.sum(), rtol=1e-12)
    expected = SphericalHarmonicPCA(3).fit(grid, sample_weight=1 / grid.cell_areas(radius=1.0))
    assert_allclose(cells.components_, expected.components_, atol=1e-9)


@pytest.mark.parametrize("fitted", ["land", "box"])
def test_grid_and_points_transform_alike(fitted):
    grid = random_land() if fitted == "land" else box_grid(1)
    pca = SphericalHarmonicPCA(10).fit(grid)
    poles = LatLonGrid(np.linspace(90, -90, 13), np.arange(0, 360, 30))
    for target in (grid, poles):
        assert_allclose(pca.transform(target), pca.transform(target.points()), atol=1e-12)


def test_embedding_is_standardised_over_the_domain_and_clipped():
    pca = SphericalHarmonicPCA(10, clip=None).fit(box_grid(2))
    points, weights = reference.gauss_box(*BOX, n=60)
    embedding = pca.transform(points)
    mean, variance = weights @ embedding / weights.sum(), weights @ embedding**2 / weights.sum()
    assert np.abs(mean).max() < 1e-9
    well = pca.explained_variance_ > 1e-6 * pca.explained_variance_[0]
    assert np.abs(variance - 1)[well].max() < 1e-9
    assert np.abs(variance - 1).max() < 1e-6
    table = reference.harmonics(*PLACES.T, 10)
    z = (table - pca.mean_) @ pca.components_.T / pca.scale_
    assert_allclose(pca.transform(PLACES), z, rtol=1e-7, atol=1e-7)
    clipped = SphericalHarmonicPCA(10, clip=2.5).fit(box_grid(2)).transform(PLACES)
    assert_allclose(clipped, 2.5 * np.tanh(z / 2.5), atol=1e-7)
    assert np.abs(clipped).max() <= 2.5


def variants(grid):
    """The same domain, described in other ways."""
    latitude, longitude, mask = grid.latitude, grid.longitude, grid.mask
    yield "shifted by 360", LatLonGrid(latitude, longitude + 360, mask)
    yield "relabelled 0..360", LatLonGrid(latitude, longitude % 360, mask)
    yield "rolled", LatLonGrid(latitude, np.roll(longitude, 50), np.roll(mask, 50, axis=1))
    yield "rows reversed", LatLonGrid(latitude[::-1], longitude, mask[::-1])
    yield "columns reversed", LatLonGrid(latitude, longitude[::-1], mask[:, ::-1])


def cell_centres(grid, n=2000):
    """Places in the domain: the centres of some of its cells."""
    places = grid.points()[np.ones(grid.shape).ravel() > 0 if grid.mask is None else np.ravel(grid.mask) > 0]
    return places[np.linspace(0, len(places) - 1, n).astype(int)]


def assert_same_embedding(got, expected, grid, name=""):
    """The promise to who fits again: 1e-6 in the domain; 1e-3 anywhere, and 1e-6 for as many as the Shannon number."""
    assert got.n_components_ == expected.n_components_, name
    inside = cell_centres(grid)
    assert_allclose(got.transform(inside), expected.transform(inside), rtol=0, atol=1e-6, err_msg=name)
    anywhere = got.transform(PLACES), expected.transform(PLACES)
    assert_allclose(*anywhere, rtol=0, atol=1e-3, err_msg=name)
    leading = slice(max(1, round(expected.shannon_number_)))
    assert_allclose(anywhere[0][:, leading], anywhere[1][:, leading], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("max_degree", [5, 10, 20])
@pytest.mark.parametrize("seed", [0, 1])
def test_same_domain_same_output(max_degree, seed):
    grid = random_land(seed=seed)
    expected = SphericalHarmonicPCA(max_degree).fit(grid)
    for name, other in variants(grid):
        assert_same_embedding(SphericalHarmonicPCA(max_degree).fit(other), expected, grid, name)
    for threads in (1, 2):
        with threadpool_limits(threads):
            again = SphericalHarmonicPCA(max_degree).fit(grid)
        assert_same_embedding(again, expected, grid, f"{threads} threads")
    turned = expected.transform(np.add(PLACES, [0, 360]))
    assert_allclose(turned, expected.transform(PLACES), rtol=0, atol=1e-9)


@pytest.mark.parametrize("max_degree", [5, 10, 20])
@pytest.mark.parametrize("box", [BOX, (24, 50, -125, -66), (-10, 10, -10, 10), (60, 90, 0, 360), (-60, 76, 100, 300)])
def test_same_region_same_output(max_degree, box):
    grid = box_grid(1, box)
    latitude, longitude = grid.latitude, grid.longitude
    expected = SphericalHarmonicPCA(max_degree).fit(grid)
    others = {
        "shifted by 360": LatLonGrid(latitude, longitude + 360),
        "rows reversed": LatLonGrid(latitude[::-1], longitude),
        "finer": box_grid(0.5, box),
    }
    for name, other in others.items():
        assert_same_embedding(SphericalHarmonicPCA(max_degree).fit(other), expected, grid, name)


def test_same_region_same_output_at_a_degree_whose_covariance_is_not_formed(monkeypatch):
    monkeypatch.setattr(domain_basis, "solve_matrix", None)
    expected = SphericalHarmonicPCA(30).fit(box_grid(1))
    grid = box_grid(0.5)
    halves = SphericalHarmonicPCA(30)
    for columns in (slice(None, 50), slice(50, None)):
        halves.partial_fit(LatLonGrid(grid.latitude, grid.longitude[columns]))
    turned = SphericalHarmonicPCA(30).fit(LatLonGrid(grid.latitude[::-1], grid.longitude + 360))
    for got in (halves, turned):
        assert_same_embedding(got, expected, grid)


@pytest.mark.filterwarnings("ignore::skgeo.exceptions.ResolutionWarning")
@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_chunks_in_any_order_give_the_same_output(order):
    grid = random_land((60, 120))
    whole = SphericalHarmonicPCA(8).fit(grid)
    rows = np.array_split(np.arange(60), 7)
    parts = [
        # Edges are midpoints: a part's edges match the whole's because the rows are equally spaced.
        LatLonGrid(grid.latitude[r], grid.longitude, grid.mask[r])
        for r in rows
        if grid.mask[r].any()
    ]
    points = reference.uniform_points(5000, seed=3)
    all_points = SphericalHarmonicPCA(8).fit(points)
    chunks = np.array_split(points, 9)
    if order == "backward":
        parts, chunks = parts[::-1], chunks[::-1]
    elif order == "shuffled":
        parts, chunks = parts[3:] + parts[:3], chunks[4:] + chunks[:4]
    by_rows, by_chunk = SphericalHarmonicPCA(8), SphericalHarmonicPCA(8)
    for part in parts:
        by_rows.partial_fit(part)
    for chunk in chunks:
        by_chunk.partial_fit(chunk)
    assert_allclose(by_rows.transform(PLACES), whole.transform(PLACES), atol=1e-6)
    assert_allclose(by_rows.total_weight_, whole.total_weight_, rtol=1e-12)
    assert_allclose(by_rows.shannon_number_, whole.shannon_number_, rtol=1e-12)
    assert_allclose(by_chunk.transform(PLACES), all_points.transform(PLACES), atol=1e-6)
    assert_allclose(by_chunk.shannon_number_, all_points.shannon_number_, rtol=1e-9)


def test_fit_starts_anew_and_partial_fit_goes_on():
    first, second = np.array_split(reference.uniform_points(600), 2)
    pca = SphericalHarmonicPCA(3).fit(first)
    fitted = pca.components_
    pca.partial_fit(second)
    assert_allclose(pca.components_, SphericalHarmonicPCA(3).fit(np.vstack([first, second])).components_, atol=1e-9)
    assert_array_equal(pca.fit(first).components_, fitted)


def test_regional_box_supports_fewer_components_than_asked_for():
    with pytest.warns(ResolutionWarning, match=r"n_components=96: this domain supports 33 components") as caught:
        pca = SphericalHarmonicPCA(10, 96).fit(box_grid(1))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    supported = int(np.count_nonzero(pca.explained_variance_))
    assert supported == SphericalHarmonicPCA(10).fit(box_grid(1)).n_components_ == 33
    inside = reference.gauss_box(*BOX, n=20)[0]
    for places in (inside, box_grid(2)):
        assert_array_equal(pca.transform(places)[:, supported:], 0.0)
    single = inside.astype(np.float32)
    embedding = pca.transform(single)
    assert embedding.dtype == np.float32
    assert_allclose(embedding, pca.transform(single.astype(np.float64)), atol=1e-5)


def test_components_that_hold_less_than_the_coordinates_of_a_region_warn():
    points = np.random.default_rng(0).uniform([40, 5], [50, 15], (200, 2))
    with pytest.warns(ResolutionWarning, match=r"'shannon' keeps 3 of the 28 components .* hold 89% of .* coordinates"):
        few = SphericalHarmonicPCA(40, "shannon", clip=None).fit(points)
    # The share is that of a linear regression of x, y and z on the components.
    radians = np.radians(points)
    cosine = np.cos(radians[:, 0])
    xyz = np.column_stack([cosine * np.cos(radians[:, 1]), cosine * np.sin(radians[:, 1]), np.sin(radians[:, 0])])
    weight = cosine[:, np.newaxis] / cosine.sum()
    centred, table = xyz - (weight * xyz).sum(axis=0), few.transform(points)
    left = centred - table @ np.linalg.lstsq(np.sqrt(weight) * table, np.sqrt(weight) * centred)[0]
    share = 1.0 - (weight * left**2).sum() / (weight * centred**2).sum()
    assert_allclose(
        domain_basis.coordinate_share(few.components_, few.explained_variance_, few.mean_), share, rtol=1e-9
    )
    # Enough components, few places, a grid, and places all over the Earth give no warning.
    SphericalHarmonicPCA(40, 0.99).fit(points)
    SphericalHarmonicPCA(40, "shannon").fit(points[:4])
    SphericalHarmonicPCA(10, "shannon").fit(box_grid(5))
    SphericalHarmonicPCA(4, 5).fit(reference.uniform_points(100))


def test_cut_through_equal_variances_warns_with_other_sizes():
    globe = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
    with pytest.warns(ResolutionWarning, match=r"n_components=96 cuts .* 80 or 99 keeps them whole") as caught:
        SphericalHarmonicPCA(10, 96).fit(globe)
    assert len(caught) == 1
    with pytest.warns(ResolutionWarning, match=r"n_components=2 cuts .*: 3 keeps them whole"):
        SphericalHarmonicPCA(10, 2).fit(globe)
    for whole in (80, 99, 120, 3, None, "shannon"):
        SphericalHarmonicPCA(10, whole).fit(globe)


def test_number_of_components():
    grid = box_grid(1)
    everything = SphericalHarmonicPCA(10).fit(grid)
    ratio = np.cumsum(everything.explained_variance_ratio_)
    for fraction in (0.5, 0.9, 0.999):
        kept = SphericalHarmonicPCA(10, fraction).fit(grid).n_components_
        assert ratio[kept - 1] >= fraction > (ratio[kept - 2] if kept > 1 else 0)
    weights = reference.gauss_box(*BOX, n=8)[1]
    shannon = SphericalHarmonicPCA(10, "shannon").fit(grid)
    assert_allclose(shannon.shannon_number_, 121 * weights.sum() / (4 * np.pi), rtol=1e-9)
    assert shannon.n_components_ == round(shannon.shannon_number_) == 3
    assert_allclose(shannon.components_, everything.components_[:3], atol=1e-9)


def test_shannon_number_of_points_is_that_of_the_area_they_cover():
    points = reference.uniform_points(200_000, seed=4)
    even = SphericalHarmonicPCA(5, area_weighted=False)
    assert_allclose(even.fit(points).shannon_number_, 36, rtol=0.01)
    assert_allclose(even.fit(points[points[:, 0] > 0]).shannon_number_, 18, rtol=0.05)


def test_matern_spectrum_is_the_formula():
    nu, kappa = 1.5, 3.0
    degree = np.arange(8)
    expected = (kappa**2 + degree * (degree + 1)) ** -(nu + 1.0)
    got = matern_spectrum(7, nu=nu, kappa=kappa)
    assert_allclose(got / got[0], expected / expected[0], rtol=1e-13)
    assert_allclose((2 * degree + 1) @ got, 64, rtol=1e-13)


def test_matern_components_are_the_karhunen_loeve_basis():
    """The integral operator of the field's covariance function, discretised, has these eigenfunctions."""
    points, weights = reference.gauss_box(*BOX, n=24)
    spectrum = matern_spectrum(10)
    pca = SphericalHarmonicPCA(10, 6, spectrum="matern", clip=None).fit(box_grid(1))
    assert_allclose(SphericalHarmonicPCA(10, 6, spectrum=spectrum).fit(box_grid(1)).components_, pca.components_)
    radians = np.radians(points)
    xyz = np.stack(
        [
            np.cos(radians[:, 0]) * np.cos(radians[:, 1]),
            np.cos(radians[:, 0]) * np.sin(radians[:, 1]),
            np.sin(radians[:, 0]),
        ]
    )
    series = spectrum * (2 * np.arange(11) + 1) / (4 * np.pi)
    kernel = np.polynomial.legendre.legval(np.clip(xyz.T @ xyz, -1, 1), series)
    share = weights / weights.sum()
    centring = np.eye(len(points)) - share
    kernel = centring @ kernel @ centring.T
    values, vectors = np.linalg.eigh(np.sqrt(np.outer(share, share)) * kernel)
    values, vectors = values[::-1][:6], vectors[:, ::-1][:, :6] / np.sqrt(share)[:, np.newaxis]
    assert_allclose(pca.explained_variance_, values, rtol=1e-9)
    embedding = pca.transform(points)
    assert_allclose(np.abs(share @ (embedding * vectors)), 1, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_output_precision_follows_the_input(dtype):
    pca = SphericalHarmonicPCA(10).fit(random_land())
    points = np.round(PLACES).astype(dtype)
    embedding = pca.transform(points)
    assert embedding.dtype == (np.float32 if dtype is np.float32 else np.float64)
    assert_allclose(embedding, pca.transform(points.astype(np.float64)), atol=1e-5 if dtype is np.float32 else 0)
    assert pca.components_.dtype == np.float64


def test_float32_coordinates_fit_like_float64():
    points = reference.uniform_points(500).astype(np.float32)
    single, double = SphericalHarmonicPCA(4).fit(points), SphericalHarmonicPCA(4).fit(points.astype(np.float64))
    assert_array_equal(single.components_, double.components_)


@pytest.mark.parametrize("extent", [0.05, 0.1, 1.0])
def test_small_domains_keep_what_can_be_told_apart(extent):
    grid = LatLonGrid(48.0 + extent * np.linspace(0, 1, 5), 2.0 + extent * np.linspace(0, 1, 5))
    pca = SphericalHarmonicPCA(10).fit(grid)
    shifted = SphericalHarmonicPCA(10).fit(LatLonGrid(grid.latitude[::-1], grid.longitude + 360, None))
    assert pca.n_components_ == shifted.n_components_ >= 2
    assert_allclose(pca.transform(grid), shifted.transform(grid), atol=1e-6)


def test_a_domain_without_extent_is_an_error():
    for places in ([[48, 2]], [[48, 2]] * 5, LatLonGrid([48, 48.0001], [2, 2.0001])):
        with pytest.raises(ValueError, match=r"no extent that max_degree=10 could resolve.*n_samples=1"):
            SphericalHarmonicPCA().fit(places)


def test_processes_with_other_threads_and_blas_kernels_agree(tmp_path):
    code = """
import sys
import warnings
import numpy as np
from skgeo import LatLonGrid, SphericalHarmonicPCA
mask = np.arange(45 * 90).reshape(45, 90) % 7 > 2
grid = LatLonGrid(np.arange(-88.0, 90, 4), np.arange(2.0, 360, 4), mask)
np.save(sys.argv[1], SphericalHarmonicPCA(10).fit(grid).components_)
"""
    results = []
    kernel = {"OPENBLAS_CORETYPE": "Nehalem"}  # of a processor of 2008, which every newer one can stand in for
    for number, (threads, more) in enumerate([("1", {}), ("2", {}), ("2", kernel)]):
        path = tmp_path / f"{number}.npy"
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **more}
        subprocess.run([sys.executable, "-c", code, str(path)], check=True, env=environment)
        results.append(np.load(path))
    for other in results[1:]:
        assert_allclose(other, results[0], rtol=0, atol=1e-6)


def test_two_halves_of_the_globe_make_the_harmonics():
    halves = [LatLonGrid(np.arange(-89, 90, 2), np.arange(west + 1, west + 180, 2)) for west in (0, 180)]
    pca = SphericalHarmonicPCA(12)
    for half in halves:
        pca.partial_fit(half)
    assert not _domain.is_zonal(pca._coefficients)
    assert_allclose(pca.components_, np.eye(169)[1:], atol=1e-6)
    assert_allclose(pca.explained_variance_, 1 / (4 * np.pi), rtol=1e-12)


def test_cells_without_weight_are_no_area():
    grid = LatLonGrid(np.arange(-85, 90, 10.0), np.arange(5, 360, 10.0))
    weight = np.repeat(np.linspace(0.1, 2, 18), 36).reshape(18, 36)
    weight[:9] = 0
    assert_allclose(SphericalHarmonicPCA(4).fit(grid, sample_weight=weight).shannon_number_, 25 / 2)


def test_the_floor_of_rounding_knows_the_prior():
    # A prior that is all in the lowest degrees leaves the others far above their own rounding.
    grid = LatLonGrid(np.arange(31, 60, 2.0), np.arange(1, 40, 2.0))
    prior = np.geomspace(1, 1e-12, 9)
    supported = SphericalHarmonicPCA(8, spectrum=prior).fit(grid)
    assert_allclose(SphericalHarmonicPCA(8, spectrum=1e6 * prior).fit(grid).n_components_, supported.n_components_)


@pytest.mark.parametrize(
    ("max_degree", "n_components"), [(2, 0.5), (10, 0.1), (6, 0.5), (4, 0.75), (10, "shannon"), (12, "shannon")]
)
def test_the_number_of_components_does_not_depend_on_rounding(max_degree, n_components):
    north = 0 if n_components == "shannon" else 90  # half of (L + 1)^2 ends in a half
    kept = set()
    for n_lat, n_lon in ((18, 36), (60, 90), (180, 360)):
        latitude = -90 + (north + 90) / n_lat * (np.arange(n_lat) + 0.5)
        for rows in (latitude, latitude[::-1]):
            for west in (0.0, 17.3):
                grid = LatLonGrid(rows, west + 360 / n_lon * np.arange(n_lon))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ResolutionWarning)
                    kept.add(SphericalHarmonicPCA(max_degree, n_components).fit(grid).n_components_)
    assert len(kept) == 1


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.uint64, np.int32])
def test_any_integer_is_a_degree(kind):
    grid, points = box_grid(5), reference.uniform_points(100)
    for X in (grid, points):
        expected = SphericalHarmonicPCA(13, spectrum="matern").fit(X)
        got = SphericalHarmonicPCA(kind(13), spectrum="matern").fit(X)
        assert_array_equal(got.components_, expected.components_)


@pytest.mark.parametrize("size", [1e-170, 1e160])
def test_weights_of_any_size(size):
    points = reference.uniform_points(100)
    got, expected = (SphericalHarmonicPCA(3, "shannon").fit(points, sample_weight=np.full(100, w)) for w in (size, 1.0))
    assert_allclose(got.shannon_number_, expected.shannon_number_)
    assert_allclose(got.components_, expected.components_, atol=1e-9)


def test_a_selection_may_be_the_weight():
    points = reference.uniform_points(100)
    chosen = points[:, 1] > 0
    got = SphericalHarmonicPCA(3).fit(points, sample_weight=chosen)
    assert_allclose(got.transform(points), SphericalHarmonicPCA(3).fit(points[chosen]).transform(points), atol=1e-9)


def test_weights_that_are_all_tiny_are_refused():
    points = reference.uniform_points(50)
    with pytest.raises(ValueError, match="sample_weight has values up to 9.9.*e-311: expected the largest to be"):
        SphericalHarmonicPCA(2).fit(points, sample_weight=np.full(50, 1e-310))
    weight = np.linspace(0.0, 1.0, 50)
    expected = SphericalHarmonicPCA(2).fit(points, sample_weight=weight)
    got = SphericalHarmonicPCA(2).fit(points, sample_weight=np.where(weight == 0.0, 5e-324, weight))
    assert_allclose(got.components_, expected.components_, atol=1e-12)
