"""inverse_transform of harmonics: back to the places, or a warning that there is no telling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import reference
from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.encoders import SphericalHarmonics
from skgeo.exceptions import ResolutionWarning

POINT = [[0.0, 0.0]]
PLACES = np.vstack([reference.uniform_points(60), [[90, 0], [-90, 0], [0, 180], [0, -180], [0, 0], [89.9999999, 70]]])
MASK = np.random.default_rng(0).uniform(size=(18, 36)) < 0.6
PART = LatLonGrid(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10), mask=MASK)
BOX = LatLonGrid(np.arange(30.5, 60), np.arange(-9.5, 40))

SPANNED = [
    SphericalHarmonics(1).fit(POINT),
    SphericalHarmonics(4, min_degree=1, spectrum="matern").fit(POINT),
    SphericalHarmonics(3, spectrum=[0.0, 2.0, 0.0, 1.0]).fit(POINT),
    SphericalHarmonics(3, min_degree=1, convention="satclip").fit(POINT),
    SphericalHarmonicPCA(4).fit(PART),
    SphericalHarmonicPCA(3, spectrum="matern", clip=None).fit(PART),
    SphericalHarmonicPCA(3, 3).fit(LatLonGrid(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))),
]
NOT_SPANNED = [
    SphericalHarmonics(3, min_degree=2).fit(POINT),
    SphericalHarmonics(3, min_degree=2, convention="satclip").fit(POINT),
    SphericalHarmonics(5, spectrum=[1.0, 0.0, 1.0, 1.0, 0.5, 0.2]).fit(POINT),
    SphericalHarmonicPCA(5, 20).fit(PART),
    SphericalHarmonicPCA(6, 30, spectrum="matern").fit(PART),
]


def degrees_apart(places, others):
    """Great-circle distance by the chord, which tells small ones."""
    chord = np.linalg.norm(reference.vectors(places) - reference.vectors(others), axis=1)
    return np.degrees(2 * np.arcsin(chord / 2))


def describe(encoder):
    return type(encoder).__name__ + str(encoder.max_degree)


@pytest.mark.parametrize("encoder", SPANNED + NOT_SPANNED, ids=describe)
def test_places_come_back(encoder):
    found = encoder.inverse_transform(encoder.transform(PLACES))
    assert found.shape == PLACES.shape
    assert np.abs(found).max() <= 180
    assert degrees_apart(found, PLACES).max() < 1e-9


@settings(max_examples=50, deadline=None)
@given(which=st.integers(0, len(SPANNED) - 1), latitude=st.floats(-90, 90), longitude=st.floats(-720, 720))
def test_any_place_comes_back_where_degree_one_is_spanned(which, latitude, longitude):
    place = [[latitude, longitude]]
    assert degrees_apart(SPANNED[which].inverse_transform(SPANNED[which].transform(place)), place)[0] < 1e-9


@settings(max_examples=15, deadline=None)
@given(which=st.integers(0, len(NOT_SPANNED) - 1), latitude=st.floats(-90, 90), longitude=st.floats(-180, 180))
def test_any_place_comes_back_as_the_nearest(which, latitude, longitude):
    place = [[latitude, longitude]]
    assert degrees_apart(NOT_SPANNED[which].inverse_transform(NOT_SPANNED[which].transform(place)), place)[0] < 1e-9


def test_places_of_a_small_domain_come_back():
    basis = SphericalHarmonicPCA(10).fit(BOX)
    places = BOX.points()[::50]
    assert degrees_apart(basis.inverse_transform(basis.transform(places)), places).max() < 1e-9


@pytest.mark.parametrize(("degree", "n_components"), [(3, 3), (10, 3), (10, 8)])
def test_few_components_tell_the_place_of_many_that_look_alike(degree, n_components):
    encoder = SphericalHarmonicPCA(degree, n_components).fit(PART)
    places = reference.uniform_points(300)
    assert degrees_apart(encoder.inverse_transform(encoder.transform(places)), places).max() < 1e-9


@pytest.mark.parametrize("degree", [3, 10])
def test_two_components_tell_no_place(degree):
    encoder = SphericalHarmonicPCA(degree, 2).fit(PART)
    values = encoder.transform(reference.uniform_points(150))
    # A smooth map of the sphere into the plane takes almost all of its values an even number of times.
    with pytest.warns(ResolutionWarning, match="^150 rows of X, the first row 0, do not determine their place"):
        found = encoder.inverse_transform(values)
    assert_allclose(encoder.transform(found), values, atol=1e-9)


def test_values_that_the_clip_all_but_swallows_do_not_decide():
    world = reference.uniform_points(300)
    encoder = SphericalHarmonicPCA(2).fit(BOX)
    values = encoder.transform(world)
    assert np.count_nonzero((np.abs(values) < 3.0).all(axis=1) & (np.abs(values) > 2.999999).any(axis=1)) > 5
    assert degrees_apart(encoder.inverse_transform(values), world).max() < 1e-9


def test_a_clip_that_leaves_flat_regions_is_searched_in():
    encoder = SphericalHarmonicPCA(4, 2, clip=0.05).fit(PART)
    with pytest.warns(ResolutionWarning, match="^1 rows of X"):
        found = encoder.inverse_transform([[-0.04999999999944369, 0.05]])
    assert_allclose(encoder.transform(found), [[-0.05, 0.05]], atol=1e-9)


def test_the_nearest_place_is_that_of_a_fine_search():
    encoder = NOT_SPANNED[-1]
    noisy = encoder.transform(PLACES[:5]) + np.random.default_rng(1).normal(0, 0.2, (5, 30))
    found = encoder.inverse_transform(noisy)
    for row, place in zip(noisy, found, strict=True):
        reached = np.linalg.norm(encoder.transform([place])[0] - row)
        around = place + np.stack(np.meshgrid(*[np.linspace(-1e-3, 1e-3, 41)] * 2), axis=-1).reshape(-1, 2)
        world = np.vstack([reference.uniform_points(20_000), around])
        assert reached <= np.linalg.norm(encoder.transform(world) - row, axis=1).min() + 1e-12


def test_a_noisy_embedding_of_one_place_is_not_warned_of():
    encoder = SphericalHarmonicPCA(10, 30).fit(PART)
    noisy = encoder.transform(reference.uniform_points(60)) + np.random.default_rng(0).normal(0, 0.5, (60, 30))
    assert np.all(np.isfinite(encoder.inverse_transform(noisy.clip(-2.9, 2.9))))


def test_degree_one_is_averaged_over_by_least_squares():
    encoder = SPANNED[0]
    scaled = 3.0 * encoder.transform(PLACES)  # only the direction counts
    assert degrees_apart(encoder.inverse_transform(scaled), PLACES).max() < 1e-9


def test_antipodes_look_alike_to_even_degrees():
    even = SphericalHarmonics(2, min_degree=2).fit(POINT)
    with pytest.warns(ResolutionWarning, match="^66 rows of X, the first row 0, do not determine their place: another"):
        found = even.inverse_transform(even.transform(PLACES))
    apart = degrees_apart(found, PLACES)
    assert np.all((apart < 1e-9) | (apart > 180 - 1e-5))


def test_one_component_leaves_a_line_open():
    one = SphericalHarmonicPCA(4, 1).fit(PART)
    values = one.transform(PLACES)
    with pytest.warns(ResolutionWarning, match="or a whole line of places"):
        found = one.inverse_transform(values)
    assert_allclose(one.transform(found), values, atol=1e-8)


def test_saturated_values_say_nothing():
    tight = SphericalHarmonicPCA(4, clip=0.05).fit(PART)
    with pytest.warns(ResolutionWarning, match=r"^1 rows of X, the first row 1, .* a wider clip"):
        tight.inverse_transform(np.vstack([tight.transform(PLACES[:1]), np.full((1, 24), 0.05)]))
    wide = SphericalHarmonicPCA(4, clip=3.0).fit(PART)
    values = wide.transform(PLACES[:3])
    values[:, 7] = 3.0  # the others tell the place, nearly
    assert np.all(np.isfinite(wide.inverse_transform(values)))


def test_a_row_without_direction_has_no_place():
    with pytest.warns(ResolutionWarning, match="^1 rows of X, the first row 1"):
        found = SPANNED[0].inverse_transform(np.vstack([SPANNED[0].transform(PLACES[:1]), np.zeros((1, 4))]))
    assert_array_equal(np.isnan(found), [[False, False], [True, True]])


def test_missing_places_follow_the_policy():
    gaps = np.array([[10.0, 20.0], [np.nan, np.nan], [30.0, 40.0]])
    for encoder in (
        SphericalHarmonics(2, missing="nan").fit(POINT),
        SphericalHarmonics(2, missing="nan", add_indicator=True).fit(POINT),
        SphericalHarmonicPCA(3, missing="nan").fit(PART),
        SphericalHarmonicPCA(3, missing="mean").fit(PART),
        SphericalHarmonicPCA(3, missing="mean", add_indicator=True).fit(PART),
    ):
        assert_allclose(encoder.inverse_transform(encoder.transform(gaps)), gaps, atol=1e-9)
        masked = np.ma.masked_array(encoder.transform(np.nan_to_num(gaps)))
        masked[1] = np.ma.masked
        assert_allclose(encoder.inverse_transform(masked), gaps, atol=1e-9)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        SPANNED[0].inverse_transform(np.full((1, 4), np.nan))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        SPANNED[0].inverse_transform(np.ma.masked_array(np.ones((1, 4)), mask=[[0, 0, 0, 1]]))


def test_single_precision_and_frames():
    pd = pytest.importorskip("pandas")
    encoder = SphericalHarmonicPCA(4).fit(PART)
    single = encoder.inverse_transform(encoder.transform(PLACES.astype(np.float32)))
    assert single.dtype == np.float32
    assert degrees_apart(single, PLACES).max() < 1e-2
    encoder.set_output(transform="pandas")
    frame = encoder.transform(PLACES)
    found = encoder.inverse_transform(frame)
    assert isinstance(found, np.ndarray)
    assert isinstance(frame, pd.DataFrame)
    assert degrees_apart(found, PLACES).max() < 1e-9


def test_pipelines_go_back_all_the_way():
    model = make_pipeline(SphericalHarmonicPCA(4, clip=None), StandardScaler()).fit(PLACES[:60])
    assert degrees_apart(model.inverse_transform(model.transform(PLACES)), PLACES).max() < 1e-9


def test_no_bar_for_every_step(capsys):
    pytest.importorskip("tqdm")
    encoder = SphericalHarmonics(3, min_degree=2, verbose=True).fit(POINT)
    values = encoder.transform(PLACES[:2])
    capsys.readouterr()
    encoder.inverse_transform(values)
    assert capsys.readouterr().err == ""


def test_bad_input_says_what_is_expected():
    with pytest.raises(ValueError, match="X has 3 columns: expected 4, those of transform, sh_l0_m0 to sh_l1_m1"):
        SPANNED[0].inverse_transform(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="contains infinity"):
        SPANNED[0].inverse_transform(np.full((1, 4), np.inf))
    with pytest.raises(NotFittedError):
        SphericalHarmonicPCA().inverse_transform(np.zeros((2, 3)))


def test_the_lattice_is_searched_block_by_block(monkeypatch):
    encoder = SphericalHarmonicPCA(5, 20).fit(PART)
    targets = encoder.transform(PLACES)
    whole = encoder.inverse_transform(targets)
    monkeypatch.setattr("skgeo._kernels.nearest_places._SEARCH_VALUES", 2**13)
    assert_allclose(encoder.inverse_transform(targets), whole, rtol=0, atol=1e-9)
