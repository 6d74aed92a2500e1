"""The torch side: twins against SciPy, mpmath and their transformers; the projection head as it is trained."""

import copy
from functools import cache

import mpmath
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer
from torch.nn import functional

import reference
from processes import run_python
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo._patch_scale import DESCRIPTORS
from skgeo.encoders import GridEncoder, SphericalHarmonics
from skgeo.exceptions import ResolutionWarning
from skgeo.nn import (
    ContrastiveLocationEncoder,
    EncoderModule,
    HarmonicPCA,
    Harmonics,
    LocationEncoder,
    LocationRegressor,
    PatchPosition,
    PatchProjectionHead,
    PatchScale,
)

EDGES = [[90, 0], [-90, 33], [90, 190], [0, 0], [0, 180], [0, -180], [0, 360], [45, 179.999], [89.999, 20], [-45.5, 90]]
PLACES = np.vstack([EDGES, reference.uniform_points(500, seed=3)])
PLACES = np.vstack([PLACES, np.add(PLACES, [0, 720]), np.subtract(PLACES, [0, 360])])
DOMAINS = {"globe": (-90, 90, -180, 180), "ocean": (-60, 60, 120, 290), "box": (30, 60, -10, 40)}

BOXES = np.array(
    [
        [0, 90, 0, 90, 45, 45],
        [-90, 90, -180, 180, 180, 360],
        [-90, -89.75, 0, 360, 1, 1440],
        [89.999999, 90, 10, 10.5, 1, 2],
        [-30, 30, 170, -170, 60, 20],
        [-30, 30, 890, 10, 60, 20],
        [12.5, 13.75, -1.25, 1.25, 5, 10],
        [60, 60.000001, 359.9999, 0.0001, 3, 4],
    ]
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads cost more than they give at this size, the more so with several test workers."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def basis(domain, max_degree, n_components=None, clip=3.0):
    south, north, west, east = DOMAINS[domain]
    grid = LatLonGrid(np.arange(south + 0.5, north), np.arange(west + 0.5, east))
    return SphericalHarmonicPCA(max_degree, n_components, clip=clip).fit(grid)


def inside(domain):
    """Places of the domain; outside, an unclipped basis is large and so is its rounding."""
    south, north, west, east = DOMAINS[domain]
    turned = west + np.mod(PLACES[:, 1] - west, 360)
    return PLACES[(PLACES[:, 0] >= south) & (PLACES[:, 0] <= north) & (turned <= east)]


@pytest.mark.parametrize("max_degree", [0, 1, 2, 10, 40])
def test_twin_of_the_identity_is_the_harmonics(max_degree):
    twin = HarmonicPCA(np.eye((max_degree + 1) ** 2))
    assert_allclose(twin(torch.from_numpy(PLACES)), reference.harmonics(*PLACES.T, max_degree), atol=1e-12, rtol=0)


def test_twin_at_degree_100_agrees_with_mpmath():
    degree, order = 100, 37
    affine = np.zeros((1, 101**2))
    affine[0, degree * degree + degree + order] = 1.0
    expected = [[reference.harmonic_mpmath(*place, degree, order)] for place in EDGES]
    assert_allclose(HarmonicPCA(affine)(torch.tensor(EDGES, dtype=torch.float64)), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize(
    ("domain", "max_degree", "n_components", "bound"),
    [
        ("globe", 10, None, 1e-12),
        ("globe", 20, None, 1e-12),
        ("ocean", 20, "shannon", 1e-12),
        # Components of little variance have coefficients in the thousands, which multiply the rounding of
        # harmonics: transform itself is off by 4e-12 in the box, against a sum in long double.
        ("ocean", 20, None, 5e-11),
        ("box", 10, None, 1e-11),
    ],
)
def test_harmonic_twin_agrees_with_transform(domain, max_degree, n_components, bound, clip):
    pca, places = basis(domain, max_degree, n_components, clip), inside(domain)
    got = pca.to_torch()(torch.from_numpy(places))
    assert got.dtype == torch.float64
    assert_allclose(got, pca.transform(places), atol=bound, rtol=0)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("max_degree", [10, 20])
def test_float32_points_are_embedded_to_float32_rounding(domain, max_degree):
    pca, places = basis(domain, max_degree), inside(domain).astype(np.float32)
    got = pca.to_torch()(torch.from_numpy(places))
    assert got.dtype == torch.float32
    assert_allclose(got, pca.transform(places.astype(np.float64)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize("max_degree", [10, 20])
def test_float_twin_agrees_to_1e_5(max_degree, clip):
    pca, places = basis("globe", max_degree, clip=clip), PLACES.astype(np.float32)
    twin = pca.to_torch().float()
    assert twin.coefficients.dtype == torch.float32
    assert_allclose(twin(torch.from_numpy(places)), pca.transform(places.astype(np.float64)), atol=1e-5, rtol=0)
    wide = twin(torch.from_numpy(PLACES))
    assert wide.dtype == torch.float64
    assert_allclose(wide, pca.transform(PLACES), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_whole_turns_change_nothing_at_all(dtype):
    twin = basis("globe", 20).to_torch().to(dtype)
    # Multiples of 1/64 degree, so that the turned longitudes are exact in float32.
    here = torch.tensor([[12.25, 33.015625], [-71.0, -179.984375], [90.0, 5.5]], dtype=dtype)
    for turn in (-720.0, -360.0, 360.0, 720.0, 36000.0):
        assert_array_equal(twin(here + torch.tensor([0.0, turn])), twin(here))


def test_latitudes_beyond_a_pole_go_down_the_other_side():
    twin = basis("ocean", 10).to_torch()
    beyond = torch.tensor([[91.5, 10.0], [-100.0, -20.0]], dtype=torch.float64)
    other_side = torch.tensor([[88.5, 190.0], [-80.0, 160.0]], dtype=torch.float64)
    assert_allclose(twin(beyond), twin(other_side), atol=1e-12)


def test_any_batch_shape_and_integers():
    twin = basis("globe", 3).to_torch()
    points = torch.arange(24).reshape(3, 4, 2)
    assert twin(points).shape == (3, 4, 15)
    assert twin(points).dtype == torch.float64
    assert_allclose(twin(points)[1, 2], twin(points[1, 2].double()), atol=1e-12)
    assert twin(torch.zeros(0, 2)).shape == (0, 15)


def test_unsupported_components_are_exactly_zero():
    with pytest.warns(ResolutionWarning):
        pca = basis("box", 10, 96)
    zero = pca.explained_variance_ == 0
    embedding = pca.to_torch()(torch.from_numpy(PLACES)).numpy()
    assert zero.any()
    assert not embedding[:, zero].any()
    assert embedding[:, ~zero].any(axis=0).all()


SPECIAL = torch.tensor(
    [[90.0, 20.0], [-90.0, 0.0], [0.0, 0.0], [0.0, 180.0], [45.0, -180.0], [-33.5, 18.5], [89.999, 400.0]],
    dtype=torch.float64,
)


@pytest.mark.parametrize("clip", [None, 3.0])
def test_gradients_of_the_harmonic_twin(clip):
    twin, points = basis("ocean", 4, clip=clip).to_torch(), SPECIAL.clone().requires_grad_()
    assert torch.autograd.gradcheck(twin, points)
    assert torch.autograd.gradgradcheck(twin, points)


def test_gradients_of_harmonics_at_poles_and_equator():
    # Rows of the map: the first degree, sqrt(3 / 4 pi) times y, z, x.
    twin = HarmonicPCA(np.eye(4)[1:] * np.sqrt(4 * np.pi / 3))
    jacobian = torch.func.vmap(torch.func.jacrev(twin))(SPECIAL)
    latitude, longitude = np.radians(SPECIAL.numpy()).T
    zero = np.zeros_like(latitude)
    north = [-np.sin(latitude) * np.sin(longitude), np.cos(latitude), -np.sin(latitude) * np.cos(longitude)]
    east = [np.cos(latitude) * np.cos(longitude), zero, -np.cos(latitude) * np.sin(longitude)]
    assert_allclose(jacobian, np.radians(np.stack([np.stack(north, 1), np.stack(east, 1)], axis=2)), atol=1e-15)


def test_float32_gradients_are_finite_everywhere():
    points = torch.tensor(EDGES, dtype=torch.float32, requires_grad=True)
    basis("box", 20).to_torch()(points).square().sum().backward()
    assert torch.isfinite(points.grad).all()


def test_state_dict_carries_the_fitted_constants():
    pca = basis("ocean", 5, clip=None)
    other = HarmonicPCA(np.zeros((pca.n_components_, 36)))
    other.load_state_dict(pca.to_torch().state_dict())
    assert_array_equal(other(torch.from_numpy(PLACES)), pca.to_torch()(torch.from_numpy(PLACES)))
    scale = PatchScale(1.0)
    scale.load_state_dict(PatchScaleFeaturizer().fit(BOXES).to_torch().state_dict())
    assert_array_equal(scale(torch.from_numpy(BOXES)), PatchScale()(torch.from_numpy(BOXES)))


def test_twins_are_one_graph_without_numpy():
    for twin, given in ((basis("globe", 4).to_torch(), PLACES), (PatchScale(), BOXES)):
        given = torch.from_numpy(given)
        expected = twin(given)
        assert_array_equal(torch.compile(twin, backend="eager", fullgraph=True)(given), expected)


def test_autocast_leaves_the_twin_alone():
    twin, points = basis("globe", 10).to_torch(), torch.from_numpy(PLACES).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = twin(points)
    assert_array_equal(got, twin(points))


@pytest.mark.parametrize("log", [True, False])
def test_scale_twin_agrees_with_transform(log):
    scale = PatchScaleFeaturizer(log=log).fit(BOXES)
    got = scale.to_torch()(torch.from_numpy(BOXES))
    assert got.dtype == torch.float64
    assert_allclose(got, scale.transform(BOXES), rtol=1e-12, atol=1e-13)
    assert_array_equal(scale.to_torch()(torch.from_numpy(BOXES).reshape(2, 4, 6)).reshape(8, 10), got)


@pytest.mark.parametrize("log", [True, False])
def test_scale_twin_in_float32(log):
    scale, boxes = PatchScaleFeaturizer(log=log).fit(BOXES), BOXES[[0, 1, 2, 4, 5, 6]].astype(np.float32)
    for twin in (scale.to_torch(), scale.to_torch().float()):
        got = twin(torch.from_numpy(boxes))
        assert got.dtype == torch.float32
        assert_allclose(got, scale.transform(boxes), rtol=1e-5, atol=1e-5)


def test_scale_twin_uses_its_radius():
    scale = PatchScaleFeaturizer(earth_radius=2.0, log=False).fit(BOXES)
    assert_allclose(scale.to_torch()(torch.from_numpy(BOXES)), scale.transform(BOXES), rtol=1e-12)
    assert_allclose(scale.to_torch()(torch.from_numpy(BOXES[1])).numpy()[2], 16 * np.pi, rtol=1e-15)


@pytest.mark.parametrize(("south", "north"), [(89.999, 90), (-90, -89.9999999), (45, 45.0000001), (-1e-7, 1e-7)])
def test_area_of_slivers_agrees_with_mpmath(south, north):
    with mpmath.workdps(40):
        sines = [mpmath.sin(mpmath.radians(mpmath.mpf(edge))) for edge in (south, north)]
        expected = float((sines[1] - sines[0]) * mpmath.pi / 180)
    patch = torch.tensor([south, north, 7.0, 8.0, 1.0, 1.0], dtype=torch.float64)
    assert_allclose(PatchScale(1.0, log=False)(patch)[2], expected, rtol=1e-14)


@pytest.mark.parametrize("log", [True, False])
def test_gradients_of_the_scale_twin(log):
    twin = PatchScale(1.0, log=log)
    counts = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    for box in ([10.0, 30.0, 20.0, 60.0], [-20.0, 20.0, 170.0, -150.0], [-80.0, -60.0, 0.0, 360.0]):
        edges = torch.tensor([box], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda moved: twin(torch.cat([moved, counts], dim=-1)), edges)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HarmonicPCA(np.eye(5)), r"affine has shape \(5, 5\): expected \(k, \(L \+ 1\)\^2\)"),
        (lambda: HarmonicPCA(np.ones(4)), r"affine has shape \(4,\)"),
        (lambda: HarmonicPCA(np.eye(4), clip=0.0), "clip=0.0: expected None or a number from 1e-06"),
        (lambda: HarmonicPCA(np.eye(4))(torch.zeros(3)), r"points has shape \(3,\).*latitude, longitude"),
        (lambda: HarmonicPCA(np.eye(4))(torch.tensor(1.0)), r"points has shape \(\)"),
        (lambda: PatchScale(-1.0), "earth_radius=-1.0: expected a positive number of metres"),
        (lambda: PatchScale()(torch.zeros(2, 5)), r"patches has shape \(2, 5\).*south, north, west, east, n_lat"),
    ],
)
def test_twins_refuse_what_has_no_meaning(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_twins_show_what_they_are():
    assert repr(basis("globe", 2).to_torch()) == "HarmonicPCA(max_degree=2, n_components=8, clip=3.0)"
    assert repr(PatchScale(2.0)) == "PatchScale(earth_radius=2.0, log=True)"


# The head

PATCHES = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5)).patches((4, 4))


@pytest.fixture(scope="module")
def union():
    position = PatchPositionEncoder(FrozenEstimator(basis("globe", 3)))
    return make_union(position, PatchScaleFeaturizer()).fit(PATCHES)


def squares(size, latitude, longitude=0.0):
    half = size / 2
    edges = [latitude - half, latitude + half, longitude - half + 0 * latitude, longitude + half + 0 * latitude]
    return np.column_stack([*edges, np.full((latitude.size, 2), 16)])


def test_head_from_widths():
    head = PatchProjectionHead(96)
    norm, first, activation, last = head.layers
    assert isinstance(norm, torch.nn.LayerNorm)
    assert isinstance(activation, torch.nn.GELU)
    assert norm.normalized_shape == (106,)
    assert (first.in_features, first.out_features) == (106, 1536)
    assert (last.in_features, last.out_features) == (1536, 768)
    assert_array_equal(head.position_gain.detach(), np.ones(96))
    assert_array_equal(head.scale_gain.detach(), np.ones(10))
    assert head(torch.zeros(2, 3, 106)).shape == (2, 3, 768)
    assert PatchProjectionHead(96, embed_dim=8).layers[1].out_features == 212
    assert PatchProjectionHead(96, 4, embed_dim=8, hidden_dim=5)(torch.zeros(100)).shape == (8,)


def test_head_is_the_formula(union):
    features = union.transform(PATCHES)
    torch.manual_seed(1)
    head = PatchProjectionHead.from_features(features, embed_dim=6).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    norm, first, _, last = (
        {name: value.detach().numpy() for name, value in layer.named_parameters()} for layer in head.layers
    )
    # Statistics by hand; the constants of equal patches (extent_lat, pixel_lat, cutoff_degree_lat) count as 1.
    scale, position = features[:, -10:], features[:, :-10]
    std = scale.std(axis=0)
    assert_array_equal(np.flatnonzero(std < 1e-6), [1, 5, 9])
    std[[1, 5, 9]] = 1.0
    scale = (scale - scale.mean(axis=0)) / std * head.scale_gain.detach().numpy()
    x = np.hstack([position * head.position_gain.detach().numpy(), scale])
    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    x = (x * norm["weight"] + norm["bias"]) @ first["weight"].T + first["bias"]
    x = x * (1 + np.vectorize(mpmath.erf, otypes=[float])(x / np.sqrt(2))) / 2
    # The buffers were rounded to float32 when the head was made.
    assert_allclose(head(torch.from_numpy(features)).detach(), x @ last["weight"].T + last["bias"], atol=1e-5)


def test_statistics_of_constant_descriptors_count_as_one():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 6)) * [1, 1, 1, 0, 1e-2, 1e4] + [0, 0, 0, 3, 20, 1e6]
    head = PatchProjectionHead.from_features(features, n_scale=4, embed_dim=3)
    assert_allclose(head.scale_mean, features[:, 2:].mean(axis=0), rtol=1e-6)
    assert_allclose(head.scale_std, [features[:, 2].std(), 1, 1, features[:, 5].std()], rtol=1e-6)
    plain = PatchProjectionHead.from_features(features, n_scale=4, log=False, embed_dim=3)
    # What is no logarithm is measured in units of itself, where it varies by less than a tenth.
    assert_allclose(plain.scale_std, [features[:, 2].std(), 3, *features[:, 4:].mean(axis=0)], rtol=1e-6)
    one = PatchProjectionHead.from_features(features[:1], n_scale=4, embed_dim=3)
    assert_array_equal(one.scale_std, np.ones(4))


def test_statistics_are_taken_in_float64():
    # float32 holds no third of these steps, neither in the mean nor in the deviations from it.
    features = np.column_stack([np.zeros(30_000), 1e5 + np.tile([0.0, 0.0, 1.0], 10_000)])
    for given in (features.astype(np.float32), torch.from_numpy(features).float().reshape(100, 300, 2)):
        head = PatchProjectionHead.from_features(given, n_scale=1, embed_dim=1)
        assert_allclose(head.scale_mean, [1e5 + 1 / 3], rtol=1e-7)
        assert_allclose(head.scale_std, [np.sqrt(2) / 3], rtol=1e-6)


@pytest.mark.parametrize("log", [True, False])
def test_patches_of_a_finer_grid_stay_moderate_and_apart(log):
    def features(step):
        grid = LatLonGrid(np.linspace(-90, 90, int(180 / step) + 1), np.arange(0, 360, step))  # pole rows
        patches = grid.patches(16, partial=False)
        return union.transform(patches), patches

    union = make_union(PatchPositionEncoder(FrozenEstimator(basis("globe", 4))), PatchScaleFeaturizer(log=log))
    union.fit(np.array([[0.0, 1, 0, 1, 2, 2]]))
    _, training = features(1.5)
    head = PatchProjectionHead.from_transformers(union, training, embed_dim=32)
    other = torch.from_numpy(features(0.5)[0])
    # What hardly varies on the coarse grid is a matter of its pole rows.
    latitudinal = [DESCRIPTORS.index(name) for name in ("extent_lat", "pixel_lat", "cutoff_degree_lat")]
    standardised = (other[:, head.scale_columns] - head.scale_mean) / head.scale_std
    assert standardised[:, latitudinal].abs().max() < 3
    parallel = np.abs(np.corrcoef(head(other).detach().numpy()))
    assert parallel.mean() < 0.9  # 0.999 with deviations of 0.01


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_leaves_the_statistics_what_they_are(union, dtype):
    features = torch.from_numpy(union.transform(PATCHES))
    head = PatchProjectionHead.from_features(features, embed_dim=8)
    mean, std, expected = head.scale_mean.clone(), head.scale_std.clone(), head(features)
    half = copy.deepcopy(head).to(dtype)
    assert half.position_gain.dtype == half(features).dtype == dtype
    assert_array_equal(half.scale_mean, mean)
    assert_array_equal(half.scale_std, std)
    assert_allclose(half(features).float().detach(), expected.detach(), atol=0.02)


def test_sizes_stay_apart_where_layer_norm_makes_them_parallel():
    latitude = np.linspace(-60, 60, 25)
    table = np.vstack([squares(0.01, latitude), squares(1.0, latitude)])
    for log, parallel in ((False, 0.99), (True, 0.6)):
        descriptors = torch.from_numpy(PatchScaleFeaturizer(log=log).fit_transform(table))
        plain = functional.layer_norm(descriptors, (10,))
        assert functional.cosine_similarity(plain[:25], plain[25:]).min() > parallel
        features = torch.cat([torch.zeros(50, 1), descriptors], dim=1)
        head = PatchProjectionHead.from_features(features)
        seen = []
        head.layers[1].register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        head(features)
        assert functional.cosine_similarity(seen[0][:25], seen[0][25:]).max() < 0.2
        assert functional.cosine_similarity(seen[0][:25], seen[0][25:]).mean() < -0.6


def test_head_from_transformers_equals_head_from_their_output(union):
    head = PatchProjectionHead.from_transformers(union, PATCHES, embed_dim=5, hidden_dim=7)
    other = PatchProjectionHead.from_features(union.transform(PATCHES), embed_dim=5, hidden_dim=7)
    for name in ("scale_mean", "scale_std", "position_columns", "scale_columns"):
        assert_array_equal(getattr(head, name), getattr(other, name))
    assert head.layers[1].in_features == 25


def test_descriptors_may_stand_anywhere(union):
    position, scale = (transformer for _, transformer in union.transformer_list)
    plain = PatchScaleFeaturizer(log=False).fit(PATCHES)
    columns = list(range(6))
    arrangements = [
        (union, range(15, 25)),
        ([scale, position], range(10)),
        (make_union(plain, position), range(10)),
        (make_pipeline(make_union(position, scale), "passthrough"), range(15, 25)),
        (make_union(FunctionTransformer(feature_names_out="one-to-one").fit(PATCHES), scale, position), range(6, 16)),
        (
            ColumnTransformer([("s", scale, columns), ("p", position, columns)], verbose_feature_names_out=False),
            range(10),
        ),
    ]
    for transformers, expected in arrangements:
        if isinstance(transformers, ColumnTransformer):
            transformers.fit(PATCHES)
        head = PatchProjectionHead.from_transformers(transformers, PATCHES, embed_dim=2)
        assert_array_equal(head.scale_columns, expected)
        together = torch.cat([head.position_columns, head.scale_columns])
        assert_array_equal(torch.sort(together).values, np.arange(together.numel()))


def test_order_of_the_parts_does_not_matter(union):
    position, scale = (transformer for _, transformer in union.transformer_list)
    first = PatchProjectionHead.from_transformers([position, scale], PATCHES, embed_dim=4)
    second = PatchProjectionHead.from_transformers([scale, position], PATCHES, embed_dim=4)
    second.layers.load_state_dict(first.layers.state_dict())
    features = torch.from_numpy(union.transform(PATCHES))
    turned = torch.cat([features[:, 15:], features[:, :15]], dim=1)
    assert not torch.equal(features, turned)
    assert_array_equal(second(turned).detach(), first(features).detach())


def test_frames_from_set_output_are_read(union):
    expected = PatchProjectionHead.from_transformers(union, PATCHES, embed_dim=2)
    for container in ("pandas", "polars"):
        framed = make_union(*(transformer for _, transformer in union.transformer_list)).set_output(transform=container)
        head = PatchProjectionHead.from_transformers(framed, PATCHES, embed_dim=2)
        assert_array_equal(head.scale_mean, expected.scale_mean)


def test_every_gradient_of_a_training_step_is_non_zero(union):
    torch.manual_seed(0)
    features = torch.from_numpy(union.transform(PATCHES))
    head = PatchProjectionHead.from_transformers(union, PATCHES, embed_dim=16)
    tokens = torch.randn(4, len(features), 16)
    before = {name: parameter.detach().clone() for name, parameter in head.named_parameters()}
    optimizer = torch.optim.AdamW(head.parameters())
    (tokens + head(features)).square().mean().backward()
    optimizer.step()
    assert len(before) == 8
    for name, parameter in head.named_parameters():
        # A constant descriptor is zero after standardising, and so is the gradient of its gain.
        constant = [1, 5, 9] if name == "scale_gain" else []
        gradient = np.delete(parameter.grad.abs().numpy(), constant, axis=0)
        assert (gradient > 1e-12).all(), name
        assert not torch.equal(before[name], parameter)


def test_training_fits_what_only_scale_can_tell():
    torch.manual_seed(0)
    latitude = np.linspace(-60, 60, 25)
    table = np.vstack([squares(0.01, latitude), squares(1.0, latitude)])
    descriptors = PatchScaleFeaturizer(log=False).fit_transform(table)
    features = torch.from_numpy(np.hstack([np.zeros((50, 2)), descriptors]))
    head = PatchProjectionHead.from_features(features, embed_dim=1, hidden_dim=16)
    target = torch.arange(50).unsqueeze(1).lt(25).float()
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (head(features) - target).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.01


def test_zero_position_columns_do_no_harm(union):
    features = union.transform(PATCHES)
    features[:, [3, 7]] = 0.0
    head = PatchProjectionHead.from_features(features, embed_dim=4)
    embedding = head(torch.from_numpy(features))
    embedding.square().sum().backward()
    assert torch.isfinite(embedding).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())
    assert_array_equal(head.position_gain.grad[[3, 7]], [0, 0])
    alone = PatchProjectionHead.from_features(np.zeros((3, 12)), embed_dim=4)
    assert torch.isfinite(alone(torch.zeros(3, 12))).all()


@pytest.mark.parametrize("module", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("given", [torch.float64, torch.float32])
def test_output_has_the_dtype_of_the_module(union, module, given):
    features = torch.from_numpy(union.transform(PATCHES))
    head = PatchProjectionHead.from_features(features, embed_dim=4)
    embedding = head.to(module)(features.to(given))
    assert embedding.dtype == module
    assert torch.isfinite(embedding).all()


def test_float64_features_keep_what_tells_patches_apart():
    # Areas in m^2 that differ by 1e-9 of their size: nothing of it would be left in float32.
    area = 1e10 + 10.0 * np.arange(5.0)
    features = torch.from_numpy(np.column_stack([np.zeros(5), area]))
    head = PatchProjectionHead(1, 1, embed_dim=2)
    head.scale_mean.fill_(1e10)
    head.scale_std.fill_(10.0)
    seen = []
    head.layers.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    head(features)
    assert_array_equal(seen[0][:, 1].detach(), np.arange(5))


def test_state_dict_of_the_head_carries_statistics_and_columns(union):
    scale, position = (transformer for _, transformer in reversed(union.transformer_list))
    trained = PatchProjectionHead.from_transformers([scale, position], PATCHES, embed_dim=4)
    loaded = PatchProjectionHead(15, embed_dim=4)
    features = torch.from_numpy(make_union(scale, position).transform(PATCHES))
    assert not torch.equal(loaded(features), trained(features))
    loaded.load_state_dict(trained.state_dict())
    assert_array_equal(loaded(features).detach(), trained(features).detach())


def test_twins_and_head_make_one_differentiable_network(union):
    position, scale = (transformer for _, transformer in union.transformer_list)
    basis_twin, scale_twin = position.encoder_.estimator.to_torch(), scale.to_torch()
    head = PatchProjectionHead.from_transformers(union, PATCHES, embed_dim=4)
    patches = torch.from_numpy(PATCHES).clone().requires_grad_()
    centres = torch.stack([patches[:, :2].mean(dim=1), patches[:, 2:4].mean(dim=1)], dim=1)
    head(torch.cat([basis_twin(centres), scale_twin(patches)], dim=1)).square().sum().backward()
    assert torch.isfinite(patches.grad).all()
    assert (patches.grad[:, :4] != 0).any(dim=0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PatchProjectionHead(0), "n_position=0: expected a positive integer"),
        (lambda: PatchProjectionHead(2.5), "n_position=2.5: expected a positive integer"),
        (lambda: PatchProjectionHead(5, -1), "n_scale=-1: expected a positive integer"),
        (lambda: PatchProjectionHead(5, embed_dim=True), "embed_dim=True: expected a positive integer"),
        (lambda: PatchProjectionHead(5, hidden_dim=0), "hidden_dim=0: expected a positive integer"),
        (
            lambda: PatchProjectionHead(5)(torch.zeros(2, 14)),
            r"features has shape \(2, 14\): expected \(..., 15\), 5 position features and 10 descriptors",
        ),
        (lambda: PatchProjectionHead(5)(torch.tensor(1.0)), r"features has shape \(\)"),
        (lambda: PatchProjectionHead.from_features(np.ones((3, 10))), "features has 10 columns, all of them"),
        (lambda: PatchProjectionHead.from_features(np.ones((0, 12))), r"features has shape \(0, 12\)"),
        (lambda: PatchProjectionHead.from_features(np.ones(12)), r"features has shape \(12,\)"),
        (lambda: PatchProjectionHead.from_features(np.ones((3, 12)), n_scale=0), "n_scale=0: expected a positive"),
        (lambda: PatchProjectionHead.from_features(np.full((3, 12), np.nan)), "features has NaN or infinity"),
    ],
)
def test_head_refuses_what_has_no_meaning(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("module", "width", "name"),
    [
        (lambda: PatchProjectionHead(5), 15, "features"),
        (lambda: HarmonicPCA(np.eye(4)), 2, "points"),
        (lambda: EncoderModule(GridEncoder()), 2, "points"),
        (lambda: Harmonics(2), 2, "points"),
        (lambda: LocationEncoder(Harmonics(2), torch.nn.Linear(9, 1)), 2, "points"),
        (lambda: PatchScale(), 6, "patches"),
        (lambda: PatchPosition(np.eye(4)), 6, "patches"),
    ],
)
def test_modules_take_tensors_of_real_numbers(module, width, name):
    module, table = module(), np.ones((3, width))
    for given, kind in (
        (table, "ndarray"),
        (table.tolist(), "list"),
        (None, "NoneType"),
        (pd.DataFrame(table), "DataFrame"),
    ):
        with pytest.raises(
            TypeError, match=rf"^{name} is a {kind}: expected a tensor, .* torch.as_tensor\(numpy.asarray"
        ):
            module(given)
    for dtype in (torch.complex64, torch.bool):
        with pytest.raises(ValueError, match=f"^{name} has dtype {dtype}: expected real numbers"):
            module(torch.ones(3, width, dtype=dtype))
    for dtype in (torch.float64, torch.float32, torch.float16, torch.int64):
        assert len(module(torch.ones(3, width, dtype=dtype))) == 3
    with pytest.raises(ValueError, match=rf"^{name} has shape \(3, {width + 1}\): expected"):
        module(torch.ones(3, width + 1))


def test_modules_take_latitude_first_whatever_fit_columns():
    frame = pd.DataFrame(PLACES[:, ::-1], columns=["lon", "lat"])
    for estimator in (
        SphericalHarmonicPCA(3), GridEncoder(), SphericalHarmonics(3),
        LocationRegressor("wrap", "linear", max_epochs=1, random_state=0, dtype="float64"),
        ContrastiveLocationEncoder("wrap", "linear", embed_dim=3, max_epochs=1, random_state=0, dtype="float64"),
    ):  # fmt: skip
        model = estimator.fit(frame, PLACES[:, 0])
        values = getattr(model, "transform", getattr(model, "predict", None))(frame)
        got = model.to_torch()(torch.from_numpy(PLACES)).detach().numpy()
        assert_allclose(got.reshape(values.shape), values, rtol=0, atol=1e-9)


def test_head_refuses_transformers_without_clear_descriptors(union):
    position, scale = (transformer for _, transformer in union.transformer_list)
    with pytest.raises(ValueError, match=r"transformers give 15 columns, shpca0 to shpca14, with the descriptors \[\]"):
        PatchProjectionHead.from_transformers(position, PATCHES)
    with pytest.raises(ValueError, match="each descriptor of PatchScaleFeaturizer at most once"):
        PatchProjectionHead.from_transformers([scale, position, scale], PATCHES)
    with pytest.raises(ValueError, match="features has 10 columns, all of them descriptors"):
        PatchProjectionHead.from_transformers(scale, PATCHES)


def test_missing_torch_says_what_to_install():
    code = (
        "import sys, skgeo; sys.modules['torch'] = None\n"
        "try:\n    import skgeo.nn\n"
        "except ImportError as error:\n    print(error)"
    )
    assert run_python(code).strip() == "skgeo.nn needs torch: pip install 'skgeo[torch]'."
