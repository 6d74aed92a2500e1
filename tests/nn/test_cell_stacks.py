"""Patches of cells in any order as tensors: features, bias and turning, against the transformers of numpy."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union

import skgeo
from skgeo import CellGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.encoders import SphericalHarmonics
from skgeo.nn import GreatCircleBias, PatchPosition, PatchProjectionHead, ProjectionHeadRegressor, turn_patches


@pytest.fixture(scope="module")
def patches():
    """Cells, and 20 patches with 8 to 24 of them: one at a pole, one across the antimeridian."""
    rng = np.random.default_rng(0)
    middles = np.column_stack([rng.uniform(-80, 80, 20), rng.uniform(-180, 180, 20)])
    middles[:2] = [[90, 0], [10, 180]]
    labels = np.repeat(np.arange(20), rng.integers(8, 25, 20))
    latitude = middles[labels, 0] + rng.uniform(-4, 4, labels.size)
    longitude = middles[labels, 1] + rng.uniform(-4, 4, labels.size) + 60.0 * (labels == 0) * np.arange(labels.size)
    latitude = np.where(latitude > 90, 180 - latitude, latitude)
    cells = CellGrid(latitude, longitude, areas=rng.uniform(1e9, 1e10, labels.size))
    return cells, cells.patch_members(labels=labels)


@pytest.mark.parametrize("log", [True, False])
def test_modules_give_the_features_of_the_transformers(patches, log):
    cells, members = patches
    stacks = cells.patches(members)
    basis = SphericalHarmonicPCA(6, n_components=10).fit(cells)
    transformers = [PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer(log=log, earth_radius=6e6)]
    transformers.append(PatchPositionEncoder(SphericalHarmonics(3)))
    for transformer in transformers:
        expected = transformer.fit_transform(stacks)
        module = transformer.to_torch()
        tensor = torch.from_numpy(stacks)
        assert_allclose(module(tensor), expected, rtol=1e-9, atol=1e-12)
        assert_allclose(module(tensor.expand(2, -1, -1, -1))[1], expected, rtol=1e-9, atol=1e-12)
        assert module(tensor.float()).dtype == torch.float32
        known = tensor[:3, :8].nan_to_num(1.0).requires_grad_()
        module(known).sum().backward()
        assert torch.isfinite(known.grad).all()
    with pytest.raises(ValueError, match="takes stacks of cells.*Patch tables need average='exact'"):
        transformers[0].to_torch()(torch.zeros(4, 6))
    with pytest.raises(ValueError, match="average='mean': expected 'exact' or 'pixels'"):
        PatchPosition(np.eye(4), average="mean")


def test_modules_of_cells_in_files(patches, tmp_path):
    cells, members = patches
    module = PatchPositionEncoder(SphericalHarmonicPCA(3)).fit(cells.patches(members)).to_torch()
    skgeo.nn.save(module, tmp_path / "position.safetensors")
    again = skgeo.nn.load(tmp_path / "position.safetensors")
    assert again.average == "pixels"
    stacks = torch.from_numpy(cells.patches(members))
    assert_array_equal(again(stacks), module(stacks))


def test_bias_of_stacks_is_that_of_their_middles(patches):
    cells, members = patches
    bias = GreatCircleBias(3).double()
    torch.nn.init.normal_(bias.layers[-1].weight, std=0.1)
    middles, sizes = (torch.from_numpy(each) for each in cells.patch_middles(members))
    stacks = torch.from_numpy(cells.patches(members))
    with torch.no_grad():
        expected = bias(middles, size=sizes)
        assert_allclose(bias(stacks), expected, atol=1e-9)
        turned = turn_patches(stacks.expand(4, -1, -1, -1), torch.Generator().manual_seed(0))
        assert_allclose(bias(turned), expected.expand(4, -1, -1, -1), atol=1e-9)
        with pytest.raises(ValueError, match=r"shape \(20, 3\): expected \(..., n, 6\)"):
            bias(torch.zeros(20, 3))
    padded = torch.cat([stacks, torch.full_like(stacks[:1], torch.nan)]).requires_grad_()
    bias(padded)[..., :20, :20].sum().backward()
    assert torch.isfinite(padded.grad.nan_to_num(0.0)).all()


def test_turning_moves_all_cells_of_a_sample_alike(patches):
    cells, members = patches
    stacks = torch.from_numpy(cells.patches(members)).expand(5, -1, -1, -1)
    turned = turn_patches(stacks, torch.Generator().manual_seed(1))
    assert_array_equal(turned[..., [0, 2]], stacks[..., [0, 2]])
    present = members >= 0
    angles = ((turned - stacks)[..., 1] % 360)[:, present]
    assert_allclose(angles, angles[:, :1].expand_as(angles), atol=1e-9)
    assert len(torch.unique(angles[:, 0])) == 5
    assert turned[..., 1][:, present].abs().max() <= 180
    assert torch.isnan(turned[:, ~present]).all()


def test_a_head_on_cells(patches, tmp_path):
    cells, members = patches
    stacks = cells.patches(members)
    union = make_union(PatchPositionEncoder(SphericalHarmonicPCA(3)), PatchScaleFeaturizer())
    target = np.sin(np.radians(cells.patch_middles(members)[0][:, 0]))
    head = ProjectionHeadRegressor(embed_dim=8, max_epochs=2, random_state=0)
    model = make_pipeline(union, head).fit(stacks, target)
    skgeo.save(model, tmp_path / "model.skgeo")
    assert_array_equal(skgeo.load(tmp_path / "model.skgeo").predict(stacks), model.predict(stacks))
    projection = PatchProjectionHead.from_transformers(union, stacks, embed_dim=4)
    assert projection(torch.from_numpy(union.transform(stacks))).shape == (20, 4)
