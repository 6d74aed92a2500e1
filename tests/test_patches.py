"""PatchPositionEncoder and PatchScaleFeaturizer against brute force and hand-computed values."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import reference
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA, patches

R = 6_371_008.8
GLOBE = LatLonGrid(np.arange(-88.0, 90, 4), np.arange(2.0, 360, 4), mask=np.arange(45 * 90).reshape(45, 90) % 7 > 2)
BASIS = SphericalHarmonicPCA(8).fit(GLOBE)

AWKWARD = np.array(
    [
        [10, 11, 20, 21, 1, 1],  # one pixel
        [80, 90, 0, 30, 4, 6],  # touches the pole
        [-90, -89, -180, 180, 2, 36],  # a ring around the pole
        [-10, 10, 170, 190, 5, 5],  # east past 180
        [-10, 10, 170, -170, 5, 5],  # the same, east < west
        [-10, 10, -190, -170, 5, 5],  # the same again
        [-10, 10, 350, 370, 2, 3],  # past 360
        [-90, 90, 0, 360, 12, 24],  # everything
        [-90, 90, 5, 5.5, 180, 1],  # pole to pole
        [0, 90, 100, 460, 1, 1],  # a hemisphere as one pixel
    ],
    dtype=float,
)


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


def test_chunks_do_not_matter(monkeypatch):
    table = np.vstack([GLOBE.patches((5, 10)), AWKWARD])
    encoder = PatchPositionEncoder(FrozenEstimator(BASIS)).fit(table)
    expected = encoder.transform(table)
    for chunk in (1, 7, 100, 10**6):
        monkeypatch.setattr(patches, "_PIXELS_AT_A_TIME", chunk)
        assert_allclose(encoder.transform(table[-12:]), expected[-12:], atol=1e-12)


def test_encoder_is_fitted_on_the_union_of_the_pixels():
    grid = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
    direct = SphericalHarmonicPCA(4).fit(grid.points())
    for stride in (None, 2):
        encoder = PatchPositionEncoder(SphericalHarmonicPCA(4)).fit(grid.patches((4, 8), stride))
        assert_allclose(encoder.encoder_.components_, direct.components_, atol=1e-9)
        assert_allclose(encoder.encoder_.total_weight_, direct.total_weight_, rtol=1e-12)


def test_pixels_of_different_sizes_count_by_their_area():
    fine, coarse = [0, 10, 0, 10, 20, 20], [10, 20, 0, 10, 4, 4]
    encoder = PatchPositionEncoder(SphericalHarmonicPCA(2)).fit([fine, coarse])
    centres, areas = (np.concatenate(values) for values in zip(pixels(fine), pixels(coarse), strict=True))
    _, mean, covariance = reference.moments(centres, areas, 2)
    assert_allclose(encoder.encoder_.mean_, mean, atol=1e-12)
    components = encoder.encoder_.components_
    assert_allclose(components @ covariance @ components.T, np.diag(encoder.encoder_.explained_variance_), atol=1e-10)


@pytest.mark.parametrize("encoder", [StandardScaler(), FunctionTransformer(feature_names_out="one-to-one")])
def test_any_transformer_of_points_will_do(encoder):
    table = GLOBE.patches((5, 10))
    got = PatchPositionEncoder(encoder).fit(table).transform(table)
    centres = np.column_stack([table[:, :2].mean(axis=1), table[:, 2:4].mean(axis=1)])
    assert got.shape == centres.shape
    assert np.corrcoef(got[:, 1], centres[:, 1])[0, 1] > 1 - 1e-9


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
    quiet = PatchPositionEncoder(encoder).fit(AWKWARD)
    expected = quiet.transform(AWKWARD)
    assert capsys.readouterr().err == ""
    assert_array_equal(quiet.set_params(verbose=True).transform(AWKWARD), expected)
    assert "100%" in capsys.readouterr().err.splitlines()[-1]
    quiet.transform(AWKWARD[:1])
    assert "1.00/1.00" in capsys.readouterr().err  # one pixel
