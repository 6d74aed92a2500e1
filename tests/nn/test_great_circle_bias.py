"""The attention bias: displacements against mpmath, gradients, precisions, layers of torch that take it."""

import mpmath
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from samples import PATCHES
from skgeo import LatLonGrid
from skgeo.nn import GreatCircleBias, turn_patches
from skgeo.nn import _great_circle_bias as module

RADIUS_KM = 6371.0088
# Pairs of places: neighbours, poles, across the antimeridian, almost and exactly antipodal, coincident.
PAIRS = [
    ((48.0, 11.0), (48.009, 11.013)),
    ((0.0, 0.0), (0.0, 1e-3)),
    ((80.0, -179.9), (79.5, 179.9)),
    ((90.0, 0.0), (30.0, 70.0)),
    ((-90.0, 20.0), (90.0, 20.0)),
    ((89.999, 10.0), (89.999, -170.0)),
    ((12.0, 30.0), (-11.9, -149.5)),
    ((12.0, 30.0), (-12.0, -150.0)),
    ((45.0, 5.0), (45.0, 725.0)),
    ((-33.0, 18.0), (64.0, -22.0)),
]


def displacement_mpmath(start, end):
    """Eastward and northward part and length in km: by vectors, in 50 digits."""
    with mpmath.workdps(50):
        (a, p), (b, q) = ([mpmath.radians(mpmath.mpf(float(each))) for each in place] for place in (start, end))
        east = mpmath.cos(b) * mpmath.sin(q - p)
        north = mpmath.cos(a) * mpmath.sin(b) - mpmath.sin(a) * mpmath.cos(b) * mpmath.cos(q - p)
        level = mpmath.sin(a) * mpmath.sin(b) + mpmath.cos(a) * mpmath.cos(b) * mpmath.cos(q - p)
        angle = mpmath.atan2(mpmath.hypot(east, north), level)
        sine = mpmath.hypot(east, north)
        factor = RADIUS_KM * (angle / sine if sine > 1e-12 else 0)
        return [float(factor * east), float(factor * north), float(RADIUS_KM * angle)]


def antipodal(start, end):
    return start[0] == -end[0] and (abs(start[1] - end[1]) == 180 or abs(start[0]) == 90)


def displacement(start, end, dtype=torch.float64):
    return [float(RADIUS_KM * part) for part in module.displacements(torch.tensor(start), torch.tensor(end), dtype)]


def trained(n_heads=4, **options):
    """A bias with weights that no initialisation gives."""
    torch.manual_seed(0)
    bias = GreatCircleBias(n_heads, **options)
    for parameter in bias.layers[-1].parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return bias


@pytest.fixture
def float64_places():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("float64_places")
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_displacements_agree_with_mpmath(pair, dtype, rounding):
    for start, end in (pair, pair[::-1]):
        east, north, length = displacement_mpmath(start, end)
        got = displacement(start, end, dtype)
        # coincident places are 13 micrometres apart
        assert_allclose(got[2], length, rtol=rounding, atol=2e-8)
        if not antipodal(start, end):
            assert_allclose(got[:2], [east, north], rtol=0, atol=5 * rounding * max(length, 1e-3))


@pytest.mark.usefixtures("float64_places")
def test_parts_vanish_at_the_antipode_and_are_exact_beyond_6_km():
    assert_allclose(displacement((12.0, 30.0), (-12.0, -150.0))[:2], 0, atol=1e-8)
    beyond = (-12.0 + 0.06, -150.0)
    assert_allclose(displacement((12.0, 30.0), beyond), displacement_mpmath((12.0, 30.0), beyond), atol=1e-5)


def test_single_precision_sees_patches_of_a_kilometre():
    # 1 - cos of this distance is 1e-8: in single precision a law of cosines would give zero
    axis = 47.0 + 0.009 * np.arange(4.0)
    patches = torch.from_numpy(LatLonGrid(axis, axis - 36).patches((1, 1)))
    points, size = module._places(patches)
    assert_allclose(size[0], 0.009 * np.radians(1) * RADIUS_KM * np.sqrt(np.cos(np.radians(47.0))), rtol=1e-4)
    wide, single = (
        torch.stack(module.displacements(points[:, None], points, dtype)) for dtype in (torch.float64, torch.float32)
    )
    assert (single - wide).abs().max() < 3e-7 * wide.abs().max()
    bias = trained()
    assert_allclose(bias(patches).detach(), bias.double()(patches).detach(), atol=1e-5)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_gradients_agree_with_differences(pair):
    bias = trained(2, hidden_dim=4).double()
    points = torch.tensor(pair, dtype=torch.float64, requires_grad=True)
    gradient = torch.autograd.grad(bias(points, 500.0).square().sum(), points)[0]
    assert gradient.isfinite().all()
    if not antipodal(*pair):  # there the direction jumps
        assert torch.autograd.gradcheck(lambda places: bias(places, 500.0), points, eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_at_poles_antipodes_and_coincident_patches(dtype):
    places = [[90, 0], [90, 77], [-90, 0], [0, 0], [0, 180], [0, 0], [12, 30], [-12, -150], [-12, -149.99999]]
    points = torch.tensor(places, dtype=dtype, requires_grad=True)
    size = torch.zeros(len(places), dtype=dtype, requires_grad=True)
    bias = trained().to(dtype)
    bias(points, size).square().sum().backward()
    assert points.grad.isfinite().all()
    assert size.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in bias.parameters())


def test_training_starts_from_no_bias_and_leaves_it():
    torch.manual_seed(0)
    bias = GreatCircleBias(3)
    tables = torch.from_numpy(PATCHES)
    assert not bias(tables).any()
    optimizer = torch.optim.SGD(bias.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (bias(tables) - 1).square().mean().backward()
        optimizer.step()
    assert all(parameter.grad.any() for parameter in bias.parameters())
    assert sum(parameter.numel() for parameter in bias.parameters()) < 2000


def test_entry_is_from_the_row_to_the_column():
    bias, table = trained(), torch.tensor([[0.0, 10, 0, 10, 5, 5], [20, 30, 40, 50, 5, 5], [-80, -70, 0, 10, 5, 5]])
    pairs = bias(table)
    for i in range(3):
        for j in range(3):
            alone = bias(table[[i, j]])
            assert_allclose(pairs[:, i, j].detach(), alone[:, 0, 1].detach(), atol=1e-6)
    assert (pairs - pairs.mT).abs().max() > 0.01


def test_turned_patches_have_the_same_bias():
    bias = trained().double()
    tables = torch.from_numpy(PATCHES).expand(3, -1, -1)
    turned = turn_patches(tables, torch.Generator().manual_seed(1))
    assert_allclose(bias(turned).detach(), bias(tables).detach(), atol=1e-9)


def test_centres_and_sizes_are_what_the_table_says():
    bias = trained().double()
    table = torch.tensor([[0.0, 10, 0, 10, 5, 5], [20, 30, 170, -170, 5, 5], [-90, -80, 0, 360, 5, 5]]).double()
    middles = torch.tensor([[5.0, 5], [25, 180], [-85, 180]]).double()
    width = torch.deg2rad(torch.tensor([10.0, 20, 360]).double())
    heights = torch.sin(torch.deg2rad(table[:, 1])) - torch.sin(torch.deg2rad(table[:, 0]))
    size = RADIUS_KM * torch.sqrt(width * heights)
    assert_allclose(bias(middles, size).detach(), bias(table).detach(), atol=1e-9)
    assert_array_equal(bias(middles, 300.0).detach(), bias(middles, torch.full((3,), 300.0)).detach())


def test_batches_of_tables_and_sizes_without_patches():
    bias, tables = trained(), torch.from_numpy(PATCHES)
    batch = torch.stack([tables[:3], tables[3:6]])
    pairs = bias(batch)
    assert pairs.shape == (2, 4, 3, 3)
    assert_allclose(pairs[1].detach(), bias(batch[1]).detach(), atol=1e-6)
    assert bias(tables[:1]).shape == (4, 1, 1)
    assert bias(tables[:0]).shape == (4, 0, 0)
    assert bias(batch[:0]).shape == (0, 4, 3, 3)
    assert bias(batch[None]).shape == (1, 2, 4, 3, 3)


def test_blocks_change_neither_values_nor_gradients(monkeypatch):
    bias, tables = trained(), torch.from_numpy(PATCHES).expand(2, -1, -1)
    found = []
    for limit in (2**18, 2 * 2 * len(PATCHES), 1):
        monkeypatch.setattr(module, "_PAIRS_AT_A_TIME", limit)
        bias.zero_grad()
        pairs = bias(tables)
        pairs.sin().sum().backward()
        found.append((pairs.detach(), [parameter.grad.clone() for parameter in bias.parameters()]))
    for pairs, gradients in found[1:]:
        assert_allclose(pairs, found[0][0], atol=1e-6)
        for got, expected in zip(gradients, found[0][1], strict=True):
            assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_attention_of_torch_takes_it():
    torch.manual_seed(0)
    bias, tables = trained(), torch.from_numpy(PATCHES[:6]).expand(2, -1, -1).clone()
    tables[1] += torch.tensor([0, 0, 7.0, 9, 0, 0])
    pairs = bias(tables)
    query, key, value = torch.randn(3, 2, 4, 6, 5)
    logits = query @ key.mT / 5**0.5 + pairs
    expected = logits.softmax(dim=-1) @ value
    got = functional.scaled_dot_product_attention(query, key, value, attn_mask=pairs)
    assert_allclose(got.detach(), expected.detach(), atol=1e-5)

    attention = torch.nn.MultiheadAttention(20, 4, batch_first=True)
    tokens = torch.randn(2, 6, 20)
    projected = functional.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = projected.unflatten(-1, (3, 4, 5)).permute(2, 0, 3, 1, 4)
    heads = functional.scaled_dot_product_attention(query, key, value, attn_mask=pairs)
    expected = attention.out_proj(heads.transpose(1, 2).flatten(2))
    got, _ = attention(tokens, tokens, tokens, attn_mask=pairs.flatten(0, 1), need_weights=False)
    assert_allclose(got.detach(), expected.detach(), atol=1e-5)
    layer = torch.nn.TransformerEncoderLayer(20, 4, 8, dropout=0.0, batch_first=True).eval()
    expected = layer(tokens, src_mask=pairs.flatten(0, 1))
    try:  # the fast path of the layer takes all masks for masks of bool: pytorch issue 118628
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.no_grad():
            assert_allclose(layer(tokens, src_mask=pairs.flatten(0, 1)), expected.detach(), atol=1e-5)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_autocast_and_half_precision_keep_the_geometry():
    bias, patches = trained(), torch.from_numpy(LatLonGrid(47 + 0.01 * np.arange(6.0), [8.0, 8.01]).patches((1, 1)))
    exact = bias(patches)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = bias(patches)
        out = functional.scaled_dot_product_attention(*torch.randn(3, 4, 12, 5), attn_mask=mixed)
    assert mixed.dtype == out.dtype == torch.bfloat16
    assert_allclose(mixed.float().detach(), exact.detach(), atol=0.05)
    half = bias.bfloat16()(patches)
    assert half.dtype == torch.bfloat16
    assert_allclose(half.float().detach(), exact.detach(), atol=0.1)


def test_missing_patches_and_padding():
    bias, table = trained(), torch.from_numpy(PATCHES).clone()
    table[2] = torch.nan
    pairs = bias(table)
    kept = torch.arange(len(table)) != 2
    assert pairs[:, 2].isnan().all()
    assert_allclose(pairs[:, kept][:, :, kept].detach(), bias(table[kept]).detach(), atol=1e-6)
    table[2:4] = 0.0
    assert bias(table).isfinite().all()


def test_compiled_as_one_graph():
    bias, table = trained(), torch.from_numpy(PATCHES)
    expected = bias(table).detach()
    compiled = torch.compile(bias, backend="eager", fullgraph=True)
    assert_allclose(compiled(table).detach(), expected, atol=1e-6)


def test_exported_for_any_batch_and_number_of_patches():
    bias, tables = trained(), torch.from_numpy(PATCHES).expand(3, -1, -1)
    sizes = {0: torch.export.Dim("batch", min=2), 1: torch.export.Dim("n", min=2)}
    exported = torch.export.export(bias, (tables,), dynamic_shapes={"patches": sizes}).module()
    assert_allclose(exported(tables[:2, :5]).detach(), bias(tables[:2, :5]).detach(), atol=1e-6)


def test_shapes_on_the_meta_device():
    with torch.device("meta"):
        assert GreatCircleBias(12)(torch.zeros(2, 9, 6)).shape == (2, 12, 9, 9)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda b: GreatCircleBias(0), ValueError, "n_heads=0: expected a positive integer"),
        (lambda b: GreatCircleBias(2, hidden_dim=1.5), ValueError, "hidden_dim=1.5: expected a positive integer"),
        (lambda b: b(PATCHES), TypeError, "patches is a ndarray: expected a tensor"),
        (lambda b: b(torch.zeros(6)), ValueError, r"patches has shape \(6,\): expected \(..., n, 6\): south, north"),
        (lambda b: b(torch.zeros(3, 2)), ValueError, r"patches has shape \(3, 2\): expected \(..., n, 6\)"),
        (
            lambda b: b(torch.zeros(3, 6), 5.0),
            ValueError,
            r"shape \(3, 6\): expected \(..., n, 2\): latitude, longitude",
        ),
        (lambda b: b(torch.zeros(3, 2), torch.ones(2)), ValueError, r"size has shape \(2,\): expected \(3,\)"),
        (lambda b: b(torch.zeros(3, 2), -1.0), ValueError, "size=-1.0: expected a positive number of km"),
        (lambda b: b(torch.zeros(3, 2), "large"), TypeError, "size is a str: expected a tensor"),
        (lambda b: b(torch.zeros(3, 6).half()), ValueError, "patches has dtype torch.float16, which rounds places"),
        (lambda b: b(torch.zeros(3, 6).bool()), ValueError, "patches has dtype torch.bool: expected real numbers"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(GreatCircleBias(2))
