"""PatchPositionEncoder(average="exact") against quadrature of SciPy's harmonics and averages over small pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import reference
import skgeo
from samples import AWKWARD, GLOBE
from skgeo import LatLonGrid, PatchPositionEncoder, SphericalHarmonicPCA
from skgeo.encoders import GridEncoder, SphericalHarmonics

LINEAR = SphericalHarmonicPCA(8, clip=None).fit(GLOBE)
MATERN = SphericalHarmonicPCA(7, 23, spectrum="matern").fit(GLOBE)
POINT = [[0.0, 0.0]]


def exact(encoder):
    return PatchPositionEncoder(FrozenEstimator(encoder), average="exact")


def mean_harmonics(patch, max_degree):
    """By Gauss-Legendre nodes over the box, of SciPy's harmonics."""
    south, north, west, east = patch[:4]
    east = east + 360 if east <= west else east
    points, weights = reference.gauss_box(south, north, west, east, n=64)
    return weights @ reference.harmonics(points[:, 0], points[:, 1], max_degree) / weights.sum()


def standardised(basis, mean):
    return (mean - basis.mean_) @ basis.components_.T / basis.scale_


def test_the_mean_is_the_integral_over_the_area():
    means = np.array([mean_harmonics(patch, 8) for patch in AWKWARD])
    assert_allclose(exact(LINEAR).fit_transform(AWKWARD), standardised(LINEAR, means), atol=1e-11)
    clipped = exact(MATERN).fit_transform(AWKWARD)
    assert_allclose(clipped, 3 * np.tanh(standardised(MATERN, means[:, :64]) / 3), atol=1e-11)
    table = SphericalHarmonics(8).fit(POINT)
    assert_allclose(exact(table).fit_transform(AWKWARD), means, atol=1e-12)
    weighed = SphericalHarmonics(8, min_degree=2, spectrum="matern").fit(POINT)
    factor = np.repeat(np.sqrt(skgeo.matern_spectrum(8)), 2 * np.arange(9) + 1)
    assert_allclose(exact(weighed).fit_transform(AWKWARD), (means * factor)[:, 4:], atol=1e-12)
    other = SphericalHarmonics(8, convention="satclip").fit(POINT)
    factor = [(-1) ** l * (np.pi if m == 0 else 1) for l in range(9) for m in range(-l, l + 1)]  # noqa: E741
    assert_allclose(exact(other).fit_transform(AWKWARD), means * factor, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    south=st.floats(-90, 89),
    height=st.floats(1e-3, 180),
    west=st.floats(-720, 720),
    width=st.floats(1e-3, 360),
    degree=st.integers(1, 12),
)
def test_the_mean_of_any_box(south, height, west, width, degree):
    patch = [south, min(south + height, 90.0), west, west + width, 1, 1]
    got = exact(SphericalHarmonics(degree).fit(POINT)).fit_transform([patch])
    assert_allclose(got[0], mean_harmonics(patch, degree), atol=1e-11)


@pytest.mark.parametrize(("degree", "order"), [(40, 0), (40, 7), (40, 40), (39, 20)])
@pytest.mark.parametrize("band", [(-90.0, 90.0), (10.0, 35.0), (89.9, 90.0), (-3.0, 88.0)])
def test_high_degrees_over_tall_and_low_bands(degree, order, band):
    south, north = band
    encoder = SphericalHarmonics(40).fit(POINT)
    got = exact(encoder).fit_transform([[south, north, 20.0, 50.0, 1, 1]])[0, degree * (degree + 1) + order]

    points, weights = reference.gauss_box(south, north, 0.0, 1.0, n=120)
    points, weights = points[::120], weights[::120]  # one node of longitude
    legendre = reference.harmonics(points[:, 0], np.zeros(120), degree)[:, degree * (degree + 1) + order]
    along = 1.0 if order == 0 else np.diff(np.sin(order * np.radians([20.0, 50.0])))[0] / (order * np.radians(30.0))
    assert got == pytest.approx(weights @ legendre / weights.sum() * along, abs=1e-12)


def test_a_tiny_patch_is_its_centre():
    patch = [60.0, 60.0000001, 33.0, 33.0000001, 4, 4]
    harmonics = SphericalHarmonics(20).fit(POINT)
    centre = harmonics.transform([[60.00000005, 33.00000005]])
    assert_allclose(exact(harmonics).fit_transform([patch]), centre, atol=1e-12)


def test_the_constant_is_a_constant():
    encoder = exact(SphericalHarmonics(3).fit(POINT))
    assert_allclose(encoder.fit_transform(AWKWARD)[:, 0], np.sqrt(0.25 / np.pi), rtol=1e-12)
    whole = encoder.transform([[-90, 90, 0, 360, 1, 1]])[0]
    assert_allclose(whole[1:], 0, atol=1e-12)


def test_patches_of_a_tiling_average_to_the_whole():
    grid = LatLonGrid(np.arange(-88.0, 90, 4), np.arange(2.0, 360, 4))
    patches = grid.patches((5, 6))
    south, north, west, east = patches[:, :4].T
    area = (np.sin(np.radians(north)) - np.sin(np.radians(south))) * (east - west)
    means = exact(LINEAR).fit_transform(patches)
    whole = exact(LINEAR).fit_transform([[-90, 90, 0, 360, 1, 1]])
    assert_allclose(area @ means / area.sum(), whole[0], atol=1e-11)


def test_pixels_converge_to_it_with_the_square_of_their_size():
    box = [20.0, 60.0, -30.0, 25.0]
    truth = exact(LINEAR).fit_transform([[*box, 1, 1]])
    errors = []
    for n in (16, 64, 256, 1024):
        pixels = PatchPositionEncoder(FrozenEstimator(LINEAR)).fit_transform([[*box, n, n]])
        errors.append(np.abs(pixels - truth).max())
    assert_allclose(np.divide(errors[:-1], errors[1:]), 16, rtol=0.05)
    extrapolated = PatchPositionEncoder(FrozenEstimator(LINEAR)).fit_transform([[*box, n, n], [*box, n // 2, n // 2]])
    assert_allclose((4 * extrapolated[0] - extrapolated[1]) / 3, truth[0], atol=1e-8)


def test_pixel_counts_change_nothing():
    more = AWKWARD.copy()
    more[:, 4:] *= 3
    assert_array_equal(exact(MATERN).fit_transform(AWKWARD), exact(MATERN).fit_transform(more))


@pytest.mark.parametrize("encoder", [MATERN, SphericalHarmonics(6).fit(POINT)], ids=["pca", "harmonics"])
def test_neither_order_nor_company_nor_threads_matter(encoder, monkeypatch):
    rng = np.random.default_rng(0)
    south, height = rng.choice([-90.0, -20.0, 35.0], 300), rng.choice([1.0, 7.0, 30.0], 300)
    west = rng.uniform(-180, 180, 300)
    patches = np.column_stack([south, south + height, west, west + rng.uniform(1, 40, 300), np.ones((300, 2))])
    whole = exact(encoder).fit_transform(patches)
    order = rng.permutation(300)
    assert_allclose(exact(encoder).fit_transform(patches[order]), whole[order], atol=1e-12)
    monkeypatch.setattr("skgeo._kernels.patch_means.BLOCK_VALUES", 4000)
    for n_jobs in (1, 2):
        encoder = type(encoder)(**encoder.get_params() | {"n_jobs": n_jobs}).fit(GLOBE)
        assert_allclose(exact(encoder).fit_transform(patches), whole, atol=1e-12)


def test_precision_indicator_and_names():
    table = SphericalHarmonicPCA(3, missing="nan", add_indicator=True).fit(GLOBE)
    encoder = exact(table).fit(AWKWARD)
    single = encoder.transform(AWKWARD.astype(np.float32))
    assert single.dtype == np.float32
    assert single.shape[1] == len(encoder.get_feature_names_out()) == 16
    assert_array_equal(single[:, -1], 0)
    assert_allclose(single, encoder.transform(AWKWARD), atol=1e-5)


def test_the_encoder_is_fitted_on_the_union_as_with_pixels():
    patches = LatLonGrid(np.arange(30.5, 60), np.arange(-9.5, 40)).patches((5, 5))
    pixels, area = (
        PatchPositionEncoder(SphericalHarmonicPCA(5), average=name).fit(patches) for name in ("pixels", "exact")
    )
    assert_array_equal(area.encoder_.components_, pixels.encoder_.components_)
    assert PatchPositionEncoder(average="exact").fit(patches).transform(patches).shape[0] == len(patches)


def test_files_keep_it(tmp_path):
    encoder = exact(MATERN).fit(AWKWARD)
    skgeo.save(encoder, tmp_path / "encoder.npz")
    assert_array_equal(skgeo.load(tmp_path / "encoder.npz").transform(AWKWARD), encoder.transform(AWKWARD))


@pytest.mark.parametrize("encoder", [GridEncoder(), make_pipeline(SphericalHarmonicPCA(3), StandardScaler())])
def test_other_encoders_are_refused(encoder):
    message = f"encoder is {type(encoder).__name__}: average='pixels' takes any"
    with pytest.raises(ValueError, match=message):
        PatchPositionEncoder(encoder, average="exact").fit(AWKWARD[:2])
    with pytest.raises(ValueError, match=message):
        exact(encoder.fit([[0.0, 0.0], [1.0, 20.0], [50.0, 90.0], [-40.0, -100.0]])).fit(AWKWARD)
    changed = PatchPositionEncoder(GridEncoder()).fit(AWKWARD[:2]).set_params(average="exact")
    with pytest.raises(ValueError, match="encoder is GridEncoder"):
        changed.transform(AWKWARD)


def test_stacks_have_no_edges():
    stack = np.stack(np.meshgrid(np.arange(4.0), np.arange(5.0), indexing="ij"), axis=-1)[np.newaxis]
    with pytest.raises(ValueError, match="X is a stack of pixel centres, which has no edges: give average='pixels'"):
        exact(MATERN).fit(stack)
    with pytest.raises(ValueError, match="X is a stack of pixel centres"):
        exact(MATERN).fit(AWKWARD).transform(stack)


def test_a_progress_bar_counts_patches(capsys):
    pytest.importorskip("tqdm")
    PatchPositionEncoder(FrozenEstimator(MATERN), average="exact", verbose=True).fit_transform(AWKWARD)
    assert "10.0/10.0" in capsys.readouterr().err


def test_average_is_one_of_two():
    with pytest.raises(ValueError, match="average='area': expected 'pixels' or 'exact'"):
        PatchPositionEncoder(average="area").fit(AWKWARD)
