"""PatchPositionEncoder and PatchScaleFeaturizer against brute force and hand-computed values."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from samples import AWKWARD, GLOBE
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo._patches import pixels as patch_pixels

R = 6_371_008.8
BASIS = SphericalHarmonicPCA(8).fit(GLOBE)


def pixels(patch):
    """Centres and exact areas of the pixels of one patch, with Python loops."""
    south, north, west, east, n_lat, n_lon = patch
    east = east + 360 if east <= west else east
    rows, columns = np.linspace(south, north, int(n_lat) + 1), np.linspace(west, east, int(n_lon) + 1)
    centres, areas = [], []
    for low, high in pairwise(rows):
        for left, right in pairwise(columns):
            centres.append([(low + high) / 2, (left + right) / 2])
            areas.append((np.sin(np.radians(high)) - np.sin(np.radians(low))) * np.radians(right - left))
    return np.array(centres), np.array(areas)


def test_mean_over_pixels_is_the_brute_force_mean():
    got = PatchPositionEncoder(FrozenEstimator(BASIS)).fit_transform(AWKWARD)
    for patch, row in zip(AWKWARD, got, strict=True):
        centres, areas = pixels(patch)
        assert_allclose(row, areas @ BASIS.transform(centres) / areas.sum(), atol=1e-12)
    assert_allclose(got[3], got[4], atol=1e-12)
    assert_allclose(got[3], got[5], atol=1e-12)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    st.floats(-90, 89),
    st.floats(0.01, 60),
    st.floats(-400, 400),
    st.floats(0.01, 360),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_mean_over_pixels_of_any_patch(south, height, west, width, n_lat, n_lon):
    patch = [south, min(south + height, 90.0), west, west + width, n_lat, n_lon]
    centres, areas = pixels(patch)
    got = PatchPositionEncoder(FrozenEstimator(BASIS)).fit_transform([patch])
    assert_allclose(got[0], areas @ BASIS.transform(centres) / areas.sum(), atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_harmonics_are_fitted_on_the_area_that_the_patches_cover(dtype):
    fine, coarse = (LatLonGrid(np.arange(20 + h, 60, 2 * h), np.arange(160 + h, 210, 2 * h)) for h in (0.5, 2.5))
    expected = SphericalHarmonicPCA(6, 12).fit(fine)
    for table in (fine.patches(10), fine.patches((8, 12), (4, 2)), coarse.patches(2), coarse.patches((8, 10), (1, 3))):
        got = PatchPositionEncoder(SphericalHarmonicPCA(6, 12)).fit(table.astype(dtype)).encoder_
        assert_allclose(got.transform(fine), expected.transform(fine), atol=1e-6)
        assert_allclose(got.total_weight_, expected.total_weight_, rtol=1e-9)
        assert_allclose(got.shannon_number_, expected.shannon_number_, rtol=1e-9)


def test_the_union_of_patches_counts_each_place_once():
    rng = np.random.default_rng(8)
    corner, size = rng.integers([-90, -180], [80, 180], (200, 2)), rng.integers(1, [11, 40], (200, 2))
    mask = np.zeros((180, 360), dtype=bool)
    for (row, column), (height, width) in zip(np.add(corner, [90, 180]), size, strict=True):
        mask[np.ix_(row + np.arange(height), (column + np.arange(width)) % 360)] = True
    (south, west), (n_lat, n_lon) = corner.T, size.T
    table = np.column_stack([south, south + n_lat, west, west + n_lon, size])
    expected = SphericalHarmonicPCA(8).fit(LatLonGrid(np.arange(-89.5, 90), np.arange(-179.5, 180), mask))
    got = PatchPositionEncoder(SphericalHarmonicPCA(8)).fit(table).encoder_
    assert_allclose(got.explained_variance_, expected.explained_variance_, atol=1e-12)
    assert_allclose(got.components_, expected.components_, atol=1e-7)


class Recorder(TransformerMixin, BaseEstimator):
    """Keeps what it is fitted on."""

    def fit(self, X, y=None, sample_weight=None):
        """Remember."""
        self.points_, self.weight_ = X, sample_weight
        return self

    def transform(self, X):
        """Longitude, as a sparse column."""
        return sparse.csr_matrix(X[:, 1:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spacing", [3, 0.75, 1 / 128])
def test_other_encoders_are_fitted_on_each_pixel_once(dtype, spacing, monkeypatch):
    grid = LatLonGrid(3.3 + spacing * np.arange(24), 353.1 + spacing * np.arange(70))
    monkeypatch.setattr(patch_pixels, "PIXELS_AT_A_TIME", 50)
    encoder = PatchPositionEncoder(Recorder()).fit(grid.patches((4, 10), (2, 3)).astype(dtype)).encoder_
    order = np.lexsort(encoder.points_.T[::-1])
    expected = grid.points()
    assert_allclose(encoder.points_[order], expected[np.lexsort(expected.T[::-1])], atol=1e-4 * (dtype is np.float32))
    heights = 2 * np.sin(np.radians(spacing / 2)) * np.cos(np.radians(encoder.points_[:, 0]))
    assert_allclose(encoder.weight_, heights * np.radians(spacing), rtol=1e-2)


@pytest.mark.parametrize(("shift", "n_places"), [(0.003, 100), (0.1, 200)])
@pytest.mark.parametrize("axis", [0, 1])
def test_shifted_pixels_are_the_same_within_one_percent(axis, shift, n_places):
    patch = np.array([0.0, 20.0, 30.0, 50.0, 10, 10])  # pixels of two degrees
    shifted = patch.copy()
    shifted[2 * axis : 2 * axis + 2] += 2 * shift
    encoder = PatchPositionEncoder(Recorder()).fit([patch, shifted]).encoder_
    assert len(encoder.points_) == n_places


def test_pixels_of_different_sizes_count_by_their_area():
    tiny = PatchPositionEncoder(Recorder()).fit([[0, 0.05, 0, 0.05, 100, 100], [0, 0.05, 0.05, 0.1, 25, 25]]).encoder_
    assert_allclose(np.average(tiny.points_[:, 1], weights=tiny.weight_), 0.05, atol=1e-9)


def test_sparse_output_becomes_dense():
    got = PatchPositionEncoder(Recorder()).fit(AWKWARD).transform(AWKWARD[:2])
    assert_allclose(got, [[20.5], [15]])


def test_pixels_of_any_size_are_told_apart():
    table = [[lat, lat + 16e-6, 5, 5 + 16e-6, 16, 16] for lat in (-60, 0, 60)]
    assert len(PatchPositionEncoder(Recorder()).fit(table).encoder_.points_) == 768


@pytest.mark.parametrize("encoder", [StandardScaler(), FunctionTransformer(feature_names_out="one-to-one")])
def test_any_transformer_of_points_will_do(encoder):
    encoder = PatchPositionEncoder(encoder).fit(AWKWARD)
    for patch, got in zip(AWKWARD, encoder.transform(AWKWARD), strict=True):
        centres, areas = pixels(patch)
        assert_allclose(got, areas @ encoder.encoder_.transform(centres) / areas.sum(), atol=1e-9)


def test_names_are_those_of_the_encoder():
    encoder = PatchPositionEncoder(SphericalHarmonicPCA(2)).fit(GLOBE.patches((5, 10)))
    assert list(encoder.get_feature_names_out()) == [f"shpca{i}" for i in range(8)]
    assert PatchPositionEncoder().fit(GLOBE.patches((5, 10))).transform(GLOBE.patches((15, 30))).shape == (9, 120)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_output_precision_follows_the_input(dtype):
    table = GLOBE.patches((5, 10)).astype(dtype)
    for transformer in (PatchPositionEncoder(FrozenEstimator(BASIS)), PatchScaleFeaturizer()):
        got = transformer.fit_transform(table)
        assert got.dtype == dtype
        assert_allclose(got, transformer.transform(table.astype(np.float64)), rtol=1e-6, atol=1e-6)


def descriptors(patch):
    """The ten descriptors by hand."""
    south, north, west, east, n_lat, n_lon = patch
    east = east + 360 if east <= west else east
    lon = np.radians(east - west) * R * np.cos(np.radians((south + north) / 2))
    lat = np.radians(north - south) * R
    area = R**2 * (np.sin(np.radians(north)) - np.sin(np.radians(south))) * np.radians(east - west)
    pixel_lon, pixel_lat = lon / n_lon, lat / n_lat
    cutoffs = np.pi * R / lon, np.pi * R / lat
    pixel = pixel_lon, pixel_lat, np.sqrt(pixel_lon * pixel_lat), pixel_lon / pixel_lat
    return np.array([lon, lat, area, lon / lat, *pixel, *cutoffs])


def test_descriptors_are_the_hand_computed_ones():
    got = PatchScaleFeaturizer(log=False).fit_transform(AWKWARD)
    assert np.isfinite(got).all()
    assert_allclose(got, [descriptors(patch) for patch in AWKWARD], rtol=1e-12)
    assert_allclose(PatchScaleFeaturizer().fit_transform(AWKWARD), np.log(got), rtol=1e-14)
    half = PatchScaleFeaturizer(earth_radius=R / 2, log=False).fit_transform(AWKWARD)
    assert_allclose(half / got, [[0.5, 0.5, 0.25, 1, 0.5, 0.5, 0.5, 1, 1, 1]] * len(AWKWARD))


def test_one_degree_at_the_equator_in_kilometres():
    names = PatchScaleFeaturizer(log=False).fit(AWKWARD).get_feature_names_out()
    row = PatchScaleFeaturizer(log=False).fit_transform([[-0.5, 0.5, 0, 1, 10, 10]])[0]
    one_degree = dict(zip(names, row, strict=True))
    assert_allclose(one_degree["extent_lon"], 111_195.08, atol=0.01)  # 2 pi R / 360
    assert_allclose(one_degree["pixel_scale"], 11_119.508, atol=0.001)
    assert_allclose(one_degree["cutoff_degree_lat"], 180)
    assert PatchScaleFeaturizer().fit(AWKWARD).get_feature_names_out()[0] == "log_extent_lon"


@pytest.mark.parametrize("size", [1, (9, 10), (45, 90), (1, 90)])
def test_areas_of_a_tiling_sum_to_the_sphere(size):
    areas = PatchScaleFeaturizer(log=False).fit_transform(GLOBE.patches(size))[:, 2]
    assert_allclose(areas.sum(), 4 * np.pi * R**2, rtol=1e-12)


def test_halving_the_pixels_leaves_the_patch_as_large():
    finer = AWKWARD * [1, 1, 1, 1, 2, 2]
    coarse, fine = (PatchScaleFeaturizer(log=False).fit_transform(table) for table in (AWKWARD, finer))
    assert_array_equal(fine[:, [0, 1, 2, 3, 8, 9]], coarse[:, [0, 1, 2, 3, 8, 9]])
    assert_allclose(fine[:, [4, 5, 6]], coarse[:, [4, 5, 6]] / 2)
    assert_allclose(fine[:, 7], coarse[:, 7])


@pytest.mark.parametrize("encoder", [SphericalHarmonicPCA(2), make_pipeline(SphericalHarmonicPCA(2))])
def test_a_progress_bar_counts_all_pixels(encoder, capsys):
    pytest.importorskip("tqdm")
    quiet = PatchPositionEncoder(encoder).fit(AWKWARD)
    expected = quiet.transform(AWKWARD)
    assert capsys.readouterr().err == ""
    assert_array_equal(quiet.set_params(verbose=True).transform(AWKWARD), expected)
    assert "100%" in capsys.readouterr().err.splitlines()[-1]
    quiet.transform(AWKWARD[:1])
    assert "1.00/1.00" in capsys.readouterr().err  # one pixel


class ShiftedPCA(BaseEstimator, TransformerMixin):
    """An encoder of a user that is a linear map of harmonics, and says so."""

    def fit(self, X, y=None):
        self.pca_ = SphericalHarmonicPCA(3, clip=2.0).fit(LatLonGrid(np.arange(-80, 90, 20), np.arange(5, 360, 10)))
        return self

    def transform(self, X):
        return self.pca_.transform(X)

    def harmonic_map(self):
        return self.pca_.harmonic_map()


@pytest.mark.parametrize("average", ["pixels", "exact"])
def test_encoders_of_users_may_be_maps_of_harmonics(average):
    table = LatLonGrid(np.arange(-88, 90, 4), np.arange(2, 360, 4)).patches((9, 9))
    own = PatchPositionEncoder(ShiftedPCA(), average=average).fit(table)
    expected = PatchPositionEncoder(FrozenEstimator(own.encoder_.pca_), average=average).fit(table)
    assert_array_equal(own.transform(table), expected.transform(table))


def test_exact_averages_refuse_an_encoder_whose_map_is_unknown():
    class Changed(SphericalHarmonicPCA):
        def harmonic_map(self):
            return None

    table = LatLonGrid(np.arange(-88, 90, 4), np.arange(2, 360, 4)).patches((9, 9))
    encoder = Changed(2).fit([[10.0, 20.0], [-50.0, 100.0], [30.0, -90.0], [0.0, 160.0]])
    with pytest.raises(ValueError, match="average='exact' integrates harmonics"):
        PatchPositionEncoder(FrozenEstimator(encoder), average="exact").fit(table)


def test_subclass_with_its_own_transform_is_not_the_map_it_inherits():
    class Halved(SphericalHarmonicPCA):
        def transform(self, X):
            return super().transform(X) / 2.0

    grid = LatLonGrid(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))
    table = grid.patches((6, 9))
    whole, halved = (
        PatchPositionEncoder(FrozenEstimator(kind(3).fit(grid))) for kind in (SphericalHarmonicPCA, Halved)
    )
    assert_allclose(halved.fit_transform(table), whole.fit_transform(table) / 2.0, atol=1e-12)
    with pytest.raises(ValueError, match="average='exact' integrates harmonics"):
        PatchPositionEncoder(FrozenEstimator(Halved(3).fit(grid)), average="exact").fit(table)
