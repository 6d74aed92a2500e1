"""Location encoders against values worked out by hand, symmetries, SciPy and what their page claims."""

import pickle
import re
import tracemalloc
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist, pdist
from scipy.special import eval_legendre
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union

import reference
from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder, SphericalHarmonicPCA, encoders, matern_spectrum
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import (
    Cartesian3DEncoder,
    DirectEncoder,
    GridEncoder,
    RadialBasisEncoder,
    RandomFourierEncoder,
    SphereCEncoder,
    SphereMEncoder,
    SphericalHarmonics,
    TheoryEncoder,
    WrapEncoder,
)
from skgeo.exceptions import CoordinateError

EDGES = [[90, 0], [-90, 33], [90, 190], [0, 0], [0, 180], [0, -180], [0, 360], [45, 179.999], [89.999, 20], [-45.5, 90]]
PLACES = np.vstack([EDGES, reference.uniform_points(300, seed=5)])
GRID = LatLonGrid(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 15))

SCALED = {
    "grid": GridEncoder,
    "theory": TheoryEncoder,
    "spherec": SphereCEncoder,
    "spherec plus": lambda *scales, **units: SphereCEncoder(*scales, plus=True, **units),
    "spherem": SphereMEncoder,
    "spherem plus": lambda *scales, **units: SphereMEncoder(*scales, plus=True, **units),
}
PLAIN = {
    "direct": DirectEncoder,
    "cartesian": Cartesian3DEncoder,
    "wrap": WrapEncoder,
    "anchors": lambda: RadialBasisEncoder(8000.0),
    "random fourier": lambda: RandomFourierEncoder(8, 2000.0, random_state=0),
}
ALL = {
    **{name: make() for name, make in PLAIN.items()},
    **{name: make(3, 2.0, 100.0) for name, make in SCALED.items()},
    **{f"{name} in radians": make(3, 0.05, 1.0, units="radians") for name, make in SCALED.items()},
    **{f"{name} periodic": make(3, 2.0, 100.0, periodic=True) for name, make in SCALED.items()},
    "harmonics": SphericalHarmonics(6),
    "weighted harmonics": SphericalHarmonics(7, min_degree=2, spectrum="matern"),
}

S, C = np.sin, np.cos  # of plain numbers: what the experiments of the paper do with degrees
HALF, ROOT = 0.5, np.sqrt(0.75)  # sine and cosine of 30 degrees
DIAGONAL = np.sqrt(0.5)  # both of 45 degrees


@pytest.fixture(params=ALL)
def encoder(request):
    return clone(ALL[request.param])


def columns(encoder, place):
    """The embedding of one place by column name."""
    names = encoder.fit([place]).get_feature_names_out()
    return dict(zip(names, encoder.transform([place])[0], strict=True))


# ---- formulas, by hand: with the scales 1/2 and 1, in radians, 30 is 60 and 30, and 45 is 90 and 45


def test_direct_is_radians():
    assert columns(DirectEncoder(), [45, -90]) == {"direct_lat": np.pi / 4, "direct_lon": -np.pi / 2}


def test_cartesian_by_hand():
    expected = {"cartesian_x": ROOT * HALF, "cartesian_y": 0.75, "cartesian_z": HALF}
    assert columns(Cartesian3DEncoder(), [30, 60]) == pytest.approx(expected, abs=1e-15)


def test_wrap_by_hand():
    expected = {"wrap_lat_sin": HALF, "wrap_lat_cos": ROOT, "wrap_lon_sin": ROOT, "wrap_lon_cos": HALF}
    assert columns(WrapEncoder(), [30, 60]) == pytest.approx(expected, abs=1e-15)


def test_grid_by_hand():
    expected = {
        "grid_lat_sin_s0": ROOT,
        "grid_lat_sin_s1": HALF,
        "grid_lat_cos_s0": HALF,
        "grid_lat_cos_s1": ROOT,
        "grid_lon_sin_s0": 1.0,
        "grid_lon_sin_s1": DIAGONAL,
        "grid_lon_cos_s0": 0.0,
        "grid_lon_cos_s1": DIAGONAL,
    }
    got = columns(GridEncoder(2, 0.5, 1.0, units="radians"), [30, 45])
    assert got == pytest.approx(expected, abs=1e-15)
    assert list(got) == list(expected)


def test_grid_in_degrees_takes_sines_of_degrees_over_scales():
    expected = {"lat_sin": S([6, 3, 1.5]), "lat_cos": C([6, 3, 1.5]), "lon_sin": S([14, 7, 3.5])}
    got = columns(GridEncoder(3, 5.0, 20.0), [30, 70])
    for term, values in expected.items():
        assert_allclose([got[f"grid_{term}_s{scale}"] for scale in range(3)], values, atol=1e-14)


def test_theory_by_hand():
    # the latitude is chosen to make 30 with sqrt(3)/2: the angles are 60, 0 and -60 on the scale 1
    expected = {
        "theory_0_sin_s0": ROOT,
        "theory_0_cos_s0": HALF,
        "theory_120_sin_s0": 0.0,
        "theory_120_cos_s0": 1.0,
        "theory_240_sin_s0": -ROOT,
        "theory_240_cos_s0": HALF,
    }
    got = columns(TheoryEncoder(1, 1.0, 1.0, units="radians"), [30 / ROOT, 60])
    assert got == pytest.approx(expected, abs=1e-15)


def test_theory_in_degrees():
    got = columns(TheoryEncoder(1, 10.0, 10.0), [20, 40])
    assert got["theory_0_sin_s0"] == pytest.approx(S(4.0))
    assert got["theory_120_cos_s0"] == pytest.approx(C(-2.0 + 2.0 * ROOT))
    assert got["theory_240_sin_s0"] == pytest.approx(S(-2.0 - 2.0 * ROOT))


SPHERE_C = {
    "spherec_lat_sin_s0": ROOT,
    "spherec_lat_sin_s1": HALF,
    "spherec_lat_cos_lon_cos_s0": 0.0,
    "spherec_lat_cos_lon_cos_s1": ROOT * DIAGONAL,
    "spherec_lat_cos_lon_sin_s0": HALF,
    "spherec_lat_cos_lon_sin_s1": ROOT * DIAGONAL,
}
SPHERE_M = {
    "spherem_lat_sin_s0": ROOT,
    "spherem_lat_sin_s1": HALF,
    "spherem_lat_cos_s0_lon_cos": HALF * DIAGONAL,
    "spherem_lat_cos_s1_lon_cos": ROOT * DIAGONAL,
    "spherem_lat_cos_lon_cos_s0": 0.0,
    "spherem_lat_cos_lon_cos_s1": ROOT * DIAGONAL,
    "spherem_lat_cos_s0_lon_sin": HALF * DIAGONAL,
    "spherem_lat_cos_s1_lon_sin": ROOT * DIAGONAL,
    "spherem_lat_cos_lon_sin_s0": ROOT,
    "spherem_lat_cos_lon_sin_s1": ROOT * DIAGONAL,
}
ADDED = {
    "lat_cos_s0": HALF,
    "lat_cos_s1": ROOT,
    "lon_sin_s0": 1.0,
    "lon_sin_s1": DIAGONAL,
    "lon_cos_s0": 0.0,
    "lon_cos_s1": DIAGONAL,
}


@pytest.mark.parametrize(("cls", "expected"), [(SphereCEncoder, SPHERE_C), (SphereMEncoder, SPHERE_M)])
@pytest.mark.parametrize("plus", [False, True])
def test_sphere_encoders_by_hand(cls, expected, plus):
    got = columns(cls(2, 0.5, 1.0, plus=plus, units="radians"), [30, 45])
    prefix = next(iter(expected)).partition("_")[0]
    expected = expected | {f"{prefix}_{name}": value for name, value in ADDED.items() if plus}
    assert got == pytest.approx(expected, abs=1e-15)
    assert list(got) == list(expected)


def test_sphere_m_unscaled_terms_in_plain_degrees():
    got = columns(SphereMEncoder(1, 10.0, 10.0), [30, 70])
    assert got["spherem_lat_cos_s0_lon_cos"] == pytest.approx(C(3.0) * C(70.0), abs=1e-13)
    assert got["spherem_lat_cos_s0_lon_sin"] == pytest.approx(C(3.0) * S(70.0), abs=1e-13)
    assert got["spherem_lat_cos_lon_cos_s0"] == pytest.approx(C(30.0) * C(7.0), abs=1e-13)
    assert got["spherem_lat_cos_lon_sin_s0"] == pytest.approx(C(30.0) * S(7.0), abs=1e-13)


def test_scales_are_a_geometric_progression():
    angles = np.arcsin(GridEncoder(4, 1.0, 1000.0).fit_transform([[1e-3, 0.0]])[0, :4])
    assert_allclose(angles, [1e-3, 1e-4, 1e-5, 1e-6], rtol=1e-12)


@pytest.mark.parametrize(("scale", "waves"), [(1.0, 57), (10.0, 6), (25.0, 2), (40.0, 1), (360.0, 1), (1e9, 1)])
def test_periodic_rounds_to_whole_waves_along_longitude_only(scale, waves):
    got = columns(GridEncoder(1, scale, scale, periodic=True), [17.0, 31.0])
    assert got["grid_lon_sin_s0"] == pytest.approx(S(np.radians(31.0 * waves)), abs=1e-13)
    assert got["grid_lat_sin_s0"] == pytest.approx(S(17.0 / scale), abs=1e-13)


def test_periodic_theory_rounds_each_direction():
    got = columns(TheoryEncoder(1, 10.0, 10.0, periodic=True), [0.0, 50.0])  # 5.73 waves, and 2.86
    assert got["theory_0_sin_s0"] == pytest.approx(S(np.radians(300.0)))
    assert got["theory_120_sin_s0"] == pytest.approx(S(np.radians(-150.0)))


def test_periodic_sphere_m_rounds_the_unscaled_longitude():
    got = columns(SphereMEncoder(1, 10.0, 10.0, periodic=True), [0.0, 50.0])  # 57.3 waves
    assert got["spherem_lat_cos_s0_lon_cos"] == pytest.approx(C(np.radians(57 * 50.0)))


@pytest.mark.parametrize("max_degree", [1, 2, 9, 30])
def test_harmonics_are_those_of_scipy(max_degree):
    expected = reference.harmonics(*PLACES.T, max_degree)
    assert_allclose(SphericalHarmonics(max_degree).fit_transform(PLACES), expected, atol=1e-12)
    assert_allclose(SphericalHarmonics(max_degree, min_degree=1).fit_transform(PLACES), expected[:, 1:], atol=1e-12)


def test_names_of_harmonics():
    names = SphericalHarmonics(2).fit(PLACES).get_feature_names_out()
    assert names.tolist()[:6] == ["sh_l0_m0", "sh_l1_m-1", "sh_l1_m0", "sh_l1_m1", "sh_l2_m-2", "sh_l2_m-1"]
    assert SphericalHarmonics(2, min_degree=2).fit(PLACES).get_feature_names_out()[1] == "sh_l2_m-1"


@pytest.mark.parametrize("spectrum", ["matern", [2.0, 0.0, 1.0, 0.5]])
@pytest.mark.parametrize("min_degree", [0, 1])
def test_weighted_harmonics_have_covariance_of_field(spectrum, min_degree):
    Z = SphericalHarmonics(3, min_degree=min_degree, spectrum=spectrum).fit_transform(PLACES)
    x, y, z = (reference.harmonics(*PLACES.T, 1)[:, 1:] / np.sqrt(3 / (4 * np.pi))).T[[2, 0, 1]]
    cosine = np.outer(x, x) + np.outer(y, y) + np.outer(z, z)
    variance = matern_spectrum(3) if spectrum == "matern" else np.array(spectrum)
    legendre = [(2 * n + 1) / (4 * np.pi) * eval_legendre(n, cosine) for n in range(4)]
    expected = sum(s * p for s, p in list(zip(variance, legendre, strict=True))[min_degree:])
    assert_allclose(Z @ Z.T, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("smoothness", "kernel"),
    [(0.5, Matern(0.2, nu=0.5)), (1.5, Matern(0.2, nu=1.5)), (4.0, Matern(0.2, nu=4.0)), (np.inf, RBF(0.2))],
)
def test_products_of_random_waves_approximate_the_kernel(smoothness, kernel):
    encoder = RandomFourierEncoder(40_000, 0.2 * 6371.0088, smoothness, random_state=1)
    near = PLACES[:12].repeat(4, axis=0) + np.random.default_rng(0).normal(0, 5, (48, 2))
    near[:, 0] = near[:, 0].clip(-90, 90)
    Z, expected = encoder.fit_transform(near), kernel(Cartesian3DEncoder().fit_transform(near))
    # The deviation of a product is at most 1 / sqrt(n_components): five of them, for a thousand products.
    assert_allclose(Z @ Z.T, expected, rtol=0, atol=5 / np.sqrt(40_000))
    assert_allclose((Z**2).sum(axis=1), 1.0, rtol=1e-12)
    assert np.count_nonzero((expected > 0.2) & (expected < 0.8)) > 50


def test_random_waves_by_hand():
    encoder = RandomFourierEncoder(2, random_state=0).fit(PLACES)
    encoder.frequencies_ = np.array([[np.pi / 3, np.pi / 2, np.pi]])
    angle = np.pi / 3 * 0.75 + np.pi / 2 * ROOT / 2 + np.pi / 2  # of x = 3/4, y = sqrt(3)/4, z = 1/2
    assert_allclose(encoder.transform([[30.0, 30.0]]), [[np.cos(angle), np.sin(angle)]], rtol=0, atol=1e-15)
    odd = RandomFourierEncoder(3, random_state=0).fit(PLACES)
    assert odd.frequencies_.shape == (2, 3)
    four = RandomFourierEncoder(4, random_state=0).fit(PLACES)
    assert_allclose(odd.transform(PLACES), np.sqrt(4 / 3) * four.transform(PLACES)[:, :3], rtol=1e-12)


def test_random_waves_follow_the_seed():
    first, again, other = (RandomFourierEncoder(4, random_state=seed).fit_transform(PLACES) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert abs(first - other).max() > 0.1
    shared = np.random.RandomState(0)
    drawn = [RandomFourierEncoder(4, random_state=shared).fit_transform(PLACES) for _ in range(2)]
    assert_array_equal(drawn[0], first)
    assert abs(drawn[1] - first).max() > 0.1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components=0: expected an integer, at least 1"),
        ({"n_components": 4.0}, "n_components=4.0: expected an integer, at least 1"),
        ({"length_scale_km": 0}, "length_scale_km=0: expected a positive number"),
        ({"smoothness": -np.inf}, "smoothness=-inf: expected a positive number, or math.inf"),
        ({"smoothness": np.nan}, "smoothness=nan: expected a positive number, or math.inf"),
        ({"random_state": "a"}, "'a' cannot be used to seed"),
    ],
)
def test_parameters_of_random_waves_are_checked(parameters, message):
    encoder = RandomFourierEncoder(**parameters)
    with pytest.raises(ValueError, match=re.escape(message)):
        encoder.fit(PLACES)
    assert not hasattr(encoder, "n_features_in_")


REGION = np.random.default_rng(3).uniform([45.0, 170.0], [55.0, 195.0], (40, 2))


def cartesian(places):
    """Unit vectors by the formula of textbooks."""
    latitude, longitude = np.radians(places).T
    return np.column_stack([C(latitude) * C(longitude), C(latitude) * S(longitude), S(latitude)])


@pytest.mark.parametrize(("spacing", "places"), [(300.0, REGION), (700.0, PLACES), (2000.0, EDGES), (50.0, [[-90, 7]])])
def test_anchors_are_the_lattice_near_the_places(spacing, places):
    encoder = RadialBasisEncoder(spacing).fit(places)
    width = spacing / 6371.0088
    lattice = cartesian(fibonacci_lattice(round(4 * np.pi / width**2)))
    distance = cdist(lattice, cartesian(places)).min(axis=1)
    assert_allclose(encoder.anchors_, lattice[distance <= 2 * width], rtol=0, atol=1e-9)
    expected = np.exp(-(cdist(cartesian(PLACES), encoder.anchors_) ** 2) / (2 * width**2))
    assert_allclose(encoder.transform(PLACES), expected, rtol=0, atol=1e-12)


def test_anchors_do_not_depend_on_the_order_of_places():
    expected = RadialBasisEncoder(300.0).fit(REGION).anchors_
    # Backwards, three places twice, and longitudes of another convention.
    again = np.concatenate((REGION[::-1], REGION[:3]))
    again[:, 1] += 360.0
    assert_array_equal(RadialBasisEncoder(300.0).fit(again).anchors_, expected)
    missing = RadialBasisEncoder(300.0, missing="nan").fit(np.vstack([REGION, [[np.nan, 1.0]]]))
    assert_array_equal(missing.anchors_, expected)


@pytest.mark.parametrize(("spacing", "latitude"), [(0.1, -90.0), (0.1, 89.999), (1.0, 48.0), (500.0, 0.0)])
def test_anchors_are_as_far_apart_as_the_spacing_says(spacing, latitude):
    encoder = RadialBasisEncoder(spacing).fit([[latitude, 20.0]])
    gaps = pdist(encoder.anchors_) * 6371.0088 / spacing
    assert 0.7 < gaps.min() < 1.1


@pytest.mark.parametrize("spacing", [1e6, 6000.0, 3000.0, 1234.0, 500.0])
def test_every_place_has_an_anchor_within_the_spacing(spacing):
    places = np.vstack([EDGES, reference.uniform_points(2000, seed=4)])
    nearest = RadialBasisEncoder(spacing).fit(places).transform(places).max(axis=1)
    assert (nearest > np.exp(-0.5)).all()
    alone = RadialBasisEncoder(spacing).fit(places[:1]).transform(places[:1])
    assert alone.max() == pytest.approx(nearest[0], rel=1e-9)


def test_anchors_stand_near_the_cells_inside_the_mask():
    mask = np.zeros(GRID.shape)
    mask[12:14, 3] = 0.5, 1.0
    inside = GRID.points()[np.flatnonzero(mask)]
    expected = RadialBasisEncoder(400.0).fit(inside).anchors_
    assert_array_equal(
        RadialBasisEncoder(400.0).fit(LatLonGrid(GRID.latitude, GRID.longitude, mask)).anchors_, expected
    )
    latitude, longitude = GRID.points().T.reshape(2, *GRID.shape).copy()
    latitude[0, 0] = longitude[0, 0] = np.nan
    cells = CellGrid(latitude, longitude, mask=mask)
    assert_array_equal(RadialBasisEncoder(400.0, missing="nan").fit(cells).anchors_, expected)


def test_patches_have_anchors_near_their_pixels():
    patches = GRID.patches((2, 2))[:2]
    encoder = PatchPositionEncoder(RadialBasisEncoder(500.0)).fit(patches).encoder_
    assert (encoder.anchors_[:, 2] < -0.8).all()


def test_radial_basis_refuses_what_it_cannot_do():
    for spacing in (0, 0.09, -1.0, np.nan, np.inf, "1", True):
        message = re.escape(f"spacing_km={spacing!r}: expected a number of km, at least 0.1")
        with pytest.raises(ValueError, match=message):
            RadialBasisEncoder(spacing).fit(PLACES)
    with pytest.raises(
        ValueError, match=r"spacing_km=0.5 gives .* lattice points to search: expected at most 10,000,000"
    ):
        RadialBasisEncoder(0.5).fit(REGION)
    with pytest.raises(ValueError, match=r"spacing_km=100.0 gives more than 20,000 anchors near the places of X: exp"):
        RadialBasisEncoder(100.0).fit(reference.uniform_points(20_000, seed=2))
    encoder = RadialBasisEncoder(missing="nan")
    with pytest.raises(CoordinateError, match="X has no place: all are missing or outside the mask"):
        encoder.fit(np.full((3, 2), np.nan))
    assert not hasattr(encoder, "n_features_in_")


# ---- symmetries and conventions

#: Encoders whose columns mix the two sides of the equator, or of a meridian.
UNMIRRORED = {"theory", "harmonics", "weighted", "anchors", "random"}
COORDINATES = st.integers(-90 * 1024, 90 * 1024), st.integers(-180 * 1024, 180 * 1024 - 1), st.integers(-3, 3)


@pytest.mark.parametrize("name", ALL)
@given(*COORDINATES)
def test_every_longitude_convention_gives_the_same(name, latitude, longitude, turns):
    place = np.array([[latitude, longitude]]) / 1024.0  # so that adding turns does not round
    encoder = ALL[name].fit(place)
    got, expected = encoder.transform(place + np.array([0, 360 * turns])), encoder.transform(place)
    if isinstance(encoder, SphericalHarmonics):
        assert_allclose(got, expected, atol=1e-12)
    else:
        assert_array_equal(got, expected)


@pytest.mark.parametrize("longitude", [180.0, 540.0, -540.0])
def test_the_seam_belongs_to_the_west(encoder, longitude):
    got, expected = encoder.fit_transform([[12.0, longitude]]), encoder.transform([[12.0, -180.0]])
    assert_allclose(got, expected, atol=1e-12)
    just_below = np.nextafter(longitude, -np.inf) % 360.0
    assert_allclose(encoder.transform([[12.0, just_below]]), encoder.transform([[12.0, 180.0 - 1e-13]]), atol=1e-10)


@pytest.mark.parametrize("name", [name for name in ALL if name.split()[0] not in UNMIRRORED])
@given(st.floats(-90, 90), st.floats(-179.9, 179.9))
def test_mirroring_a_place_changes_signs_only(name, latitude, longitude):
    mirrored = [[latitude, longitude], [-latitude, longitude], [latitude, -longitude]]
    here, south, west = ALL[name].fit(PLACES).transform(mirrored)
    assert_allclose(abs(south), abs(here), atol=1e-13)
    assert_allclose(abs(west), abs(here), atol=1e-13)


def page_rows():
    text = (Path(__file__).parents[2] / "docs" / "encoders.rst").read_text(encoding="utf-8")
    table = re.split(r"\n\n(?=\S)", text.partition("Formulas\n---")[2].partition(".. list-table::")[2])[0]
    rows = [re.split(r"\n     - ", row) for row in table.split("\n   * - ")[1:]]
    assert rows[0][4:6] == ["Continuous over the antimeridian", "Continuous at the poles"]
    return {re.sub(r".*\.|[`\n]", "", row[0]): [" ".join(cell.split()) for cell in row[1:]] for row in rows[1:]}


ON_PAGE = {
    "DirectEncoder": "direct",
    "Cartesian3DEncoder": "cartesian",
    "WrapEncoder": "wrap",
    "GridEncoder": "grid",
    "TheoryEncoder": "theory",
    "SphereCEncoder": "spherec",
    "SphereCEncoder(plus=True)": "spherec plus",
    "SphereMEncoder": "spherem",
    "SphereMEncoder(plus=True)": "spherem plus",
    "SphericalHarmonics": "harmonics",
    "RadialBasisEncoder": "anchors",
    "RandomFourierEncoder": "random fourier",
}


def jump(encoder, one, other):
    """The largest difference of the embeddings of places that are the same, or as good as."""
    latitude, longitude = np.broadcast_arrays(*one)
    encoder.fit([[0.0, 0.0]])
    first = encoder.transform(np.column_stack([latitude, longitude]))
    return abs(first - encoder.transform(np.column_stack(np.broadcast_arrays(*other)))).max()


def test_page_has_every_encoder():
    assert set(page_rows()) == set(ON_PAGE)
    assert {name.partition("(")[0] for name in ON_PAGE} == set(encoders.__all__)


KINDS = [
    (row, kind) for row, name in ON_PAGE.items() for kind in ("", " in radians", " periodic") if name + kind in ALL
]


@pytest.mark.parametrize(("row", "kind"), KINDS)
def test_page_is_right_about_continuity(row, kind):
    encoder = ALL[ON_PAGE[row] + kind]
    _, _, _, over_antimeridian, at_poles, _ = page_rows()[row]
    latitudes, longitudes = np.linspace(-89.0, 89.0, 41), np.linspace(-180.0, 179.0, 41)
    close = 1e-9  # degrees
    jumps = jump(encoder, (latitudes, -180.0), (latitudes, 180.0 - close))
    continuous = over_antimeridian == "yes" or (over_antimeridian == "if periodic" and kind == " periodic")
    assert over_antimeridian in ("yes", "no", "if periodic")
    assert jumps < 1e-8 if continuous else jumps > 0.01
    jumps = max(jump(encoder, (pole, longitudes), (pole, 0.0)) for pole in (-90.0, 90.0))
    approach = max(jump(encoder, (side * (90.0 - close), longitudes), (side * 90.0, 0.0)) for side in (-1, 1))
    assert at_poles in ("yes", "no")
    assert max(jumps, approach) < 1e-8 if at_poles == "yes" else jumps > 0.01


@pytest.mark.parametrize("row", ON_PAGE)
def test_page_is_right_about_the_number_of_columns(row):
    encoder = ALL[ON_PAGE[row]]
    formula = (
        page_rows()[row][0]
        .replace("(L + 1)\\ :sup:`2`", "7 ** 2")
        .replace(" S", " * 3")
        .replace("A", "12")
        .replace("n", "8")
    )
    Z = encoder.fit_transform(PLACES)
    assert Z.shape[1] == eval(formula) == len(set(encoder.get_feature_names_out()))


def half_wave(row, kind):
    """What the page says is the finest detail in degrees, for the encoders of this module."""
    scaled, whole = (180.0 * 0.05, 180.0) if kind == " in radians" else (np.pi * 2.0, np.pi)
    claims = {"a": scaled, "b": min(scaled, whole), "180 / L": 180.0 / 6, "180": 180.0}
    return claims[page_rows()[row][5]]


@pytest.mark.parametrize(("row", "kind"), [(row, kind) for row, kind in KINDS if page_rows()[row][5] != "none"])
def test_page_is_right_about_the_finest_detail(row, kind):
    encoder = ALL[ON_PAGE[row] + kind]
    longitude = np.arange(-180.0, 180.0, 0.01) + 0.005
    Z = encoder.fit_transform(np.column_stack([np.full(longitude.size, 11.0), longitude]))
    changes = np.count_nonzero(np.diff(np.sign(Z), axis=0), axis=0).max()
    assert abs(changes - 360.0 / half_wave(row, kind)) <= 1.0


# ---- as everywhere in skgeo


def test_single_precision(encoder):
    X = PLACES.astype(np.float32)
    single = encoder.fit(X).transform(X)
    assert single.dtype == np.float32
    assert_allclose(single, encoder.transform(X.astype(np.float64)), atol=2e-7)


def test_grids_are_their_points(encoder):
    encoder.fit(GRID)
    expected = encoder.transform(GRID.points())
    assert_allclose(encoder.transform(GRID), expected, atol=1e-12)
    cells = CellGrid(*(axis.reshape(GRID.shape) for axis in GRID.points().T))
    assert_array_equal(encoder.transform(cells), expected)
    single = LatLonGrid(GRID.latitude.astype(np.float32), GRID.longitude.astype(np.float32))
    assert encoder.transform(single).dtype == np.float32


def test_blocks_leave_no_seams(encoder):
    X = reference.uniform_points(20_000, seed=1)
    Z = encoder.fit_transform(X)
    some = np.random.default_rng(0).permutation(len(X))[:50]
    assert_allclose(Z[some], np.vstack([encoder.transform(X[[i]]) for i in some]), atol=1e-12)


@pytest.mark.parametrize("make", [lambda: GridEncoder(8), lambda: TheoryEncoder(8), lambda: SphericalHarmonics(10)])
@pytest.mark.parametrize("on_grid", [False, True])
def test_memory_is_the_output(make, on_grid):
    grid = LatLonGrid(np.linspace(-89, 89, 300), np.linspace(0, 359, 600))
    X = grid if on_grid else grid.points()
    encoder = make().fit(X)
    encoder.transform([[0.0, 0.0]])
    tracemalloc.start()
    Z = encoder.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < Z.nbytes + 24e6


def test_missing_places(encoder):
    X = PLACES.copy()
    X[3, 0] = X[5, 1] = np.nan
    with pytest.raises(CoordinateError, match=r"or let missing='nan' take them"):
        encoder.fit(X)
    Z = encoder.set_params(missing="nan", add_indicator=True).fit_transform(X)
    assert encoder.get_feature_names_out()[-1] == "missing_location"
    absent = np.isin(np.arange(len(X)), [3, 5])
    assert_array_equal(Z[:, -1], absent)
    assert np.isnan(Z[absent, :-1]).all()
    assert np.isfinite(Z[~absent]).all()


def test_nothing_is_learned_that_a_mean_could_be_of(encoder):
    with pytest.raises(ValueError, match="missing='mean': expected 'error' or 'nan'; take 'nan'.*SimpleImputer"):
        encoder.set_params(missing="mean").fit(PLACES)


def test_fit_learns_nothing(encoder):
    assert_array_equal(encoder.fit(PLACES[:1]).transform(PLACES), clone(encoder).fit(PLACES).transform(PLACES))


def test_frames_in_and_out(encoder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(PLACES[:, ::-1], columns=["lon", "lat"], index=range(5, 5 + len(PLACES)))
    table = encoder.set_output(transform="pandas").fit_transform(frame)
    assert_array_equal(table.to_numpy(), clone(encoder).fit_transform(PLACES))
    assert list(table.columns) == encoder.get_feature_names_out().tolist()
    assert table.index.equals(frame.index)


def test_chunked_input(encoder):
    da = pytest.importorskip("dask.array")
    X = da.from_array(PLACES, chunks=(70, 2))
    lazy = encoder.fit(X).transform(X)
    assert lazy.shape == (len(PLACES), len(encoder.get_feature_names_out()))
    assert_allclose(lazy.compute(), encoder.transform(PLACES), atol=1e-12)


def test_chunked_grids():
    da = pytest.importorskip("dask.array")
    grid = LatLonGrid(GRID.latitude, GRID.longitude, da.ones(GRID.shape, chunks=(5, -1)))
    for encoder in (GridEncoder(2), SphericalHarmonics(3)):
        lazy = encoder.fit(grid).transform(grid)
        assert_allclose(lazy.compute(), encoder.transform(GRID), atol=1e-12)


def test_joblib_and_pickle(encoder, tmp_path):
    expected = encoder.fit(PLACES).transform(PLACES)
    joblib.dump(encoder, tmp_path / "encoder.joblib")
    for again in (joblib.load(tmp_path / "encoder.joblib"), pickle.loads(pickle.dumps(encoder))):
        assert_array_equal(again.transform(PLACES), expected)


def test_patches_get_the_mean_over_their_pixels(encoder):
    patches = GRID.patches((3, 4))
    got = PatchPositionEncoder(encoder).fit_transform(patches)
    pixels = encoder.fit(GRID).transform(GRID).reshape(*GRID.shape, -1)[:3, :4]
    weight = np.cos(np.radians(GRID.latitude[:3]))
    weight = np.repeat(weight / weight.sum() / 4.0, 4)
    assert_allclose(got[0], weight @ pixels.reshape(12, -1), atol=1e-12)


def test_encoders_make_pipelines_and_unions():
    X = reference.uniform_points(2000, seed=2)
    y = 3.0 * np.sin(np.radians(X[:, 0])) + np.cos(np.radians(X[:, 0])) * np.cos(np.radians(X[:, 1]))
    features = make_union(Cartesian3DEncoder(), SphericalHarmonicPCA(2), GridEncoder(2))
    assert make_pipeline(features, Ridge(1e-6)).fit(X, y).score(X, y) > 0.999999


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_scales": 0}, "n_scales=0: expected an integer from 1 to 1000"),
        ({"n_scales": 10**9}, "n_scales=1000000000: expected an integer from 1 to 1000"),
        ({"n_scales": 2.5}, "n_scales=2.5: expected an integer from 1 to 1000"),
        ({"min_scale": 0.0}, "min_scale=0.0: expected a positive number"),
        ({"min_scale": "1"}, "min_scale='1': expected a positive number"),
        ({"max_scale": 1.0}, "max_scale=1.0: expected a number, at least min_scale=10.0"),
        ({"max_scale": np.inf}, "max_scale=inf: expected a number, at least min_scale=10.0"),
        ({"units": "grads"}, "units='grads': expected 'degrees' or 'radians'"),
        ({"periodic": 1}, "periodic=1: expected True or False"),
    ],
)
def test_scales_are_checked(parameters, message):
    for cls in (GridEncoder, TheoryEncoder, SphereCEncoder, SphereMEncoder):
        with pytest.raises(ValueError, match=re.escape(message)):
            cls(**parameters).fit(PLACES)


@pytest.mark.parametrize("cls", [SphereCEncoder, SphereMEncoder])
def test_plus_is_checked(cls):
    with pytest.raises(ValueError, match="plus='yes': expected True or False"):
        cls(plus="yes").fit(PLACES)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_degree": 0}, "max_degree=0: expected an integer, at least 1"),
        ({"max_degree": 10**6}, "max_degree=1000000: expected an integer from 1 to 2000"),
        ({"min_degree": 4}, "min_degree=4: expected an integer from 0 to max_degree=3"),
        ({"min_degree": -1}, "min_degree=-1: expected an integer from 0 to max_degree=3"),
        ({"spectrum": "flat"}, "spectrum='flat': expected None, 'matern' or max_degree + 1 = 4 weights"),
        ({"spectrum": [1.0, 1.0]}, "spectrum=[1.0, 1.0]: expected None, 'matern' or max_degree + 1 = 4 weights"),
        ({"spectrum": [1, 1, 1, -1]}, "spectrum=[1, 1, 1, -1]: expected None, 'matern' or"),
        ({"n_jobs": 0}, "n_jobs=0: expected None or an integer other than 0"),
    ],
)
def test_parameters_of_harmonics_are_checked(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        SphericalHarmonics(**{"max_degree": 3, **parameters}).fit(PLACES)


def test_threads_change_nothing():
    X = reference.uniform_points(20_000)
    expected = SphericalHarmonics(12).fit_transform(X)
    assert_array_equal(SphericalHarmonics(12, n_jobs=3).fit_transform(X), expected)


# ---- torch


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


def test_twins_agree(torch, encoder):
    twin = encoder.fit(PLACES).to_torch()
    assert_allclose(twin(torch.from_numpy(PLACES)), encoder.transform(PLACES), atol=2e-13)
    X = PLACES.astype(np.float32)
    single = twin(torch.from_numpy(X))
    assert single.dtype == torch.float32
    assert_allclose(single, encoder.transform(X), atol=2e-7)
    assert_allclose(twin.float()(torch.from_numpy(X)), encoder.transform(X), atol=2e-5)
    assert twin(torch.zeros(2, 3, 2)).shape == (2, 3, encoder.transform(PLACES).shape[1]) == (2, 3, twin.n_outputs)
    assert twin(torch.zeros(0, 2)).shape == (0, twin.n_outputs)
    assert twin(torch.tensor([10, 20])).is_floating_point()


def test_constants_of_twins_are_buffers(torch, encoder):
    twin = encoder.fit(PLACES).to_torch()
    assert list(twin.parameters()) == []
    assert all(buffer.dtype == torch.float64 for buffer in twin.state_dict().values() if buffer.is_floating_point())
    assert twin.state_dict()


def test_gradients_are_finite_and_right(torch, encoder):
    twin = encoder.fit(PLACES).to_torch()
    X = torch.tensor(EDGES, dtype=torch.float64, requires_grad=True)
    twin(X).square().sum().backward()
    assert torch.isfinite(X.grad).all()
    inside = torch.tensor([[12.3, 45.6], [-70.1, -100.2]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(twin, inside)
    assert torch.autograd.gradgradcheck(lambda x: twin(x)[:, :8], inside)


def test_second_derivatives_at_pole_and_equator(torch):
    twin = Cartesian3DEncoder().fit(PLACES).to_torch()
    for latitude in (-90.0, 0.0, 90.0):
        place = torch.tensor([latitude, 0.0], dtype=torch.float64)
        curvature = torch.func.jacrev(torch.func.jacrev(lambda x: twin(torch.rad2deg(x))[0]))(torch.deg2rad(place))
        cosine = np.cos(np.radians(latitude))
        assert_allclose(curvature, [[-cosine, 0.0], [0.0, -cosine]], atol=1e-15)


def test_twins_export(torch, encoder):
    twin = encoder.fit(PLACES).to_torch()
    X = torch.from_numpy(PLACES)
    program = torch.export.export(twin, (X,), dynamic_shapes=({0: torch.export.Dim("n")},))
    assert_array_equal(program.module()(X[:7]), twin(X[:7]))


def test_twins_work_under_autocast(torch):
    X = torch.from_numpy(PLACES.astype(np.float32))
    for encoder in (SphericalHarmonics(8), GridEncoder(4)):
        twin = encoder.fit(PLACES).to_torch()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert_allclose(twin(X), twin(X.double()), atol=2e-7)


def test_a_twin_does_not_follow_its_encoder(torch):
    encoder = SphereCEncoder(2).fit(PLACES)
    twin = encoder.to_torch()
    expected = twin(torch.from_numpy(PLACES))
    encoder.set_params(plus=True, n_scales=5).fit(PLACES)
    assert_array_equal(twin(torch.from_numpy(PLACES)), expected)


def test_twins_refuse_what_they_cannot_be_of(torch):
    from skgeo import nn

    with pytest.raises(
        TypeError, match="encoder=SphericalHarmonics.*: expected an encoder of skgeo.encoders; Harmonics"
    ):
        nn.EncoderModule(SphericalHarmonics())
    with pytest.raises(ValueError, match="n_scales=0: expected"):
        nn.EncoderModule(GridEncoder(0))
    with pytest.raises(NotFittedError):
        nn.EncoderModule(RadialBasisEncoder())
    with pytest.raises(ValueError, match="min_degree=3: expected an integer from 0 to max_degree=2"):
        nn.Harmonics(2, min_degree=3)
    for twin in (nn.EncoderModule(WrapEncoder()), nn.Harmonics(2)):
        with pytest.raises(ValueError, match=r"points has shape \(4, 3\): expected \(..., 2\): latitude, longitude"):
            twin(torch.zeros(4, 3))
