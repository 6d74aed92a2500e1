"""Turned patches and their features: against rotated harmonics and the transformer of numpy."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator

from samples import PATCHES
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.encoders import SphericalHarmonics
from skgeo.nn import PatchPosition, turn_patches

TABLES = torch.from_numpy(PATCHES).expand(4, -1, -1)
# A cap, its ring, a strip across the antimeridian, everything, a patch of 100 m beside a pole.
BOXES = np.array(
    [
        [80, 90, -180, 180, 10, 360],
        [70, 80, 0, 360, 10, 360],
        [-30, -20, 170, -160, 10, 30],
        [-90, 90, 0, 360, 1, 1],
        [89.998, 89.999, 10, 10.5, 3, 3],
        [0, 1e-4, 5, 5.0001, 2, 2],
    ],
    dtype=float,
)


def test_angles_are_uniform_and_one_for_each_sample():
    tables = torch.from_numpy(PATCHES[:2]).expand(2000, -1, -1)
    turned = turn_patches(tables, torch.Generator().manual_seed(0))
    angles = (turned - tables)[..., 2] % 360
    assert_allclose(angles[:, 0], angles[:, 1], atol=1e-9)
    ordered = np.sort(angles[:, 0]) / 360
    # the Kolmogorov-Smirnov distance to the uniform distribution; 0.045 at a probability of 1e-3
    assert abs(ordered - np.arange(1, 2001) / 2000).max() < 0.045


def test_only_longitudes_change():
    tables = torch.cat([TABLES, torch.arange(4.0 * len(PATCHES)).reshape(4, -1, 1).double()], dim=-1)
    before = tables.clone()
    turned = turn_patches(tables, torch.Generator().manual_seed(0))
    assert_array_equal(turned[..., [0, 1, 4, 5, 6]], tables[..., [0, 1, 4, 5, 6]])
    assert_array_equal(tables, before)
    assert_allclose(turned[..., 3] - turned[..., 2], tables[..., 3] - tables[..., 2], atol=1e-12)
    assert turned[..., 2].abs().max() <= 180
    PatchScaleFeaturizer().fit(turned[0, :, :6].numpy())


def test_the_generator_decides():
    first, again, other = (turn_patches(TABLES, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert_array_equal(first, again)
    assert (first != other).any()
    torch.manual_seed(1)
    assert_allclose(turn_patches(TABLES), first)
    single = turn_patches(TABLES.float(), torch.Generator().manual_seed(1))
    assert single.dtype == torch.float32
    assert_allclose(single, first, atol=1e-4)


def test_shapes_and_gradients():
    assert turn_patches(TABLES[0]).shape == TABLES[0].shape
    assert turn_patches(TABLES[:0]).shape == (0, *TABLES.shape[1:])
    assert turn_patches(TABLES[None]).shape == (1, *TABLES.shape)
    assert turn_patches(torch.zeros(2, 3, 6, device="meta")).device.type == "meta"
    assert turn_patches(torch.zeros(3, 6, dtype=torch.int64)).dtype == torch.float64
    tables = TABLES.clone().requires_grad_()
    turn_patches(tables).sum().backward()
    assert_array_equal(tables.grad, torch.ones_like(tables))


@pytest.mark.parametrize(
    ("patches", "generator", "error", "message"),
    [
        (PATCHES, None, TypeError, "patches is a ndarray: expected a tensor"),
        (torch.zeros(6), None, ValueError, r"patches has shape \(6,\): expected \(..., n, 6 or more\)"),
        (torch.zeros(3, 5), None, ValueError, r"patches has shape \(3, 5\)"),
        (torch.zeros(3, 6).bfloat16(), None, ValueError, "dtype torch.bfloat16, which rounds places"),
        (torch.zeros(3, 6), 0, TypeError, "generator=0: expected a torch.Generator"),
    ],
)
def test_bad_input_is_refused(patches, generator, error, message):
    with pytest.raises(error, match=message):
        turn_patches(patches, generator)


@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize("box", [(-90, 90, 0, 360), (-30, 40, 100, 200)])
def test_module_agrees_with_the_transformer(box, clip):
    south, north, west, east = box
    grid = LatLonGrid(np.arange(south + 1.0, north, 2), np.arange(west + 1.0, east, 2))
    pca = SphericalHarmonicPCA(12, 35, clip=clip).fit(grid)
    encoder = PatchPositionEncoder(FrozenEstimator(pca), average="exact").fit(PATCHES)
    patches = np.vstack([PATCHES, BOXES] if box[0] == -90 else [grid.patches((5, 5))])
    twin = encoder.to_torch()
    assert_allclose(twin(torch.from_numpy(patches)), encoder.transform(patches), atol=1e-10)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_allclose(twin(torch.from_numpy(patches)), encoder.transform(patches), atol=1e-10)


def test_module_of_plain_harmonics():
    harmonics = SphericalHarmonics(40, min_degree=1, spectrum="matern")
    encoder = PatchPositionEncoder(harmonics, average="exact").fit(BOXES)
    twin = encoder.to_torch()
    assert type(twin) is PatchPosition
    assert_allclose(twin(torch.from_numpy(BOXES)), encoder.transform(BOXES), atol=1e-11)
    assert twin(torch.from_numpy(BOXES).float()).dtype == torch.float32


def test_features_of_turned_patches_are_rotated_pairs_of_harmonics():
    degree = 6
    means = PatchPositionEncoder(SphericalHarmonics(degree), average="exact").fit(PATCHES)
    before, twin = torch.from_numpy(means.transform(PATCHES)), means.to_torch()
    turned = turn_patches(TABLES, torch.Generator().manual_seed(0))
    angle = torch.deg2rad(turned[:, :1, 2] - TABLES[:, :1, 2])
    after = twin(turned)
    for zonal in (n * n + n for n in range(degree + 1)):  # the columns of order 0
        for m in range(int(zonal**0.5) + 1):
            cosine, sine = before[:, zonal + m], before[:, zonal - m] * (m > 0)
            c, s = torch.cos(m * angle), torch.sin(m * angle)
            assert_allclose(after[..., zonal + m], c * cosine - s * sine, atol=1e-12)
            if m:
                assert_allclose(after[..., zonal - m], s * cosine + c * sine, atol=1e-12)


def test_gradients_of_the_module():
    twin = PatchPosition(np.eye(16), clip=2.0)
    boxes = torch.from_numpy(np.vstack([PATCHES[:2], BOXES[:3]])).requires_grad_()
    moved = boxes[:, :4]
    assert torch.autograd.gradcheck(lambda edges: twin(torch.cat([edges, boxes[:, 4:].detach()], 1)), moved, atol=1e-5)


def test_pixel_means_of_tables_have_no_module():
    encoder = PatchPositionEncoder().fit(PATCHES)
    with pytest.raises(ValueError, match="takes stacks of cells.* Patch tables need average='exact'"):
        encoder.to_torch()(TABLES)
    masked = PatchPositionEncoder(grid=LatLonGrid([-45.0, 45], [0.0, 90, 180, 270])).fit([[0, 90, -45, 45, 1, 1]])
    with pytest.raises(ValueError, match="grid= has no torch module: expected an encoder of harmonics, and grid=None"):
        masked.to_torch()
