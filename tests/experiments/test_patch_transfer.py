"""The data and the baselines of experiments/patch_transfer.py: what is trained on must be where it says it is."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from experiments.patch_baselines import _pixels
from experiments.patch_fields import Fields, Problem
from experiments.patch_positions import VARIANTS, features_of, make_positions
from experiments.patch_transfer import Sample, run

NORTHWARD = np.arange(-39.0, 40.0, 2.0)
EASTWARD = np.arange(0.0, 360.0, 2.0)


def places(latitude):
    """Two channels: the latitude and the unwrapped longitude of every cell."""
    eastward = np.where(EASTWARD < 100, EASTWARD + 360, EASTWARD)
    return Fields(np.stack(np.meshgrid(latitude, eastward, indexing="ij"))[np.newaxis], latitude, EASTWARD)


@pytest.mark.parametrize("latitude", [NORTHWARD, NORTHWARD[::-1]], ids=["north", "south"])
@pytest.mark.parametrize("size", [1, 2])
def test_values_stand_where_the_patch_table_says(latitude, size):
    cut = places(latitude).cut(((4, 36), (172, 196)), size, 4)  # across 360
    pixels = _pixels(cut)
    values = cut.values.reshape(len(cut.patches), 2, 16)
    assert_allclose(values[:, 1], pixels[:, :, 1], atol=1e-4)
    # means weighted by the cosine of latitude lie a little toward the equator
    assert_allclose(values[:, 0], pixels[:, :, 0], atol=0.02 if size == 2 else 1e-4)


def test_coarse_pixels_are_means_of_what_is_there():
    values = places(NORTHWARD)
    values.values[:, :, 0, 0] = np.nan
    values.values[:, :, 4:6, 4:6] = np.nan
    cut = values.cut(((0, 8), (0, 8)), 2, 4)
    assert cut.values.shape == (1, 1, 1, 32)
    missing = np.flatnonzero(~cut.valid[0, 0, 0])
    assert_array_equal(missing, [10, 26])
    weight = np.cos(np.radians([-39.0, -37.0, -37.0]))
    assert cut.values[0, 0, 0, 0] == pytest.approx(np.average([-39.0, -37.0, -37.0], weights=weight), rel=1e-6)


def test_windows_are_neighbours_and_hide_the_share():
    cut = places(NORTHWARD).cut(((0, 40), (0, 80)), 1, 4)
    _, patch, hidden = cut.draw((3, 4), 50, 0, 0.75)
    assert_array_equal(hidden.sum(axis=1), 9)
    south, west = cut.patches[patch][:, :, [0, 2]].transpose(2, 0, 1).reshape(2, 50, 3, 4)
    assert_allclose(np.diff(south, axis=1), 8)
    assert_allclose(np.diff(west, axis=2), 8)


def test_turned_windows_have_other_features_and_the_same_bias():
    cut = places(NORTHWARD).cut(((0, 40), (0, 80)), 1, 4)
    position = VARIANTS["bias + skgeo, globe, turned"].but(max_degree=3)
    features, head = features_of(position, cut.patches)
    sample = Sample(cut, torch.from_numpy(features(cut.patches)), (3, 4), 5, seed=0)
    before, patches = sample.features, sample.patches.clone()
    sample.turn(features, torch.Generator().manual_seed(0))
    assert sample.features.shape == before.shape
    assert_allclose(sample.features[..., -10:], before[..., -10:], atol=1e-9)  # the descriptors of scale
    assert (sample.features - before).abs().amax(dim=(1, 2)).min() > 0.01
    assert_array_equal(sample.patches, patches)
    masks = make_positions(position, head, (3, 4)).masks(patches, 2)
    assert [mask.shape for mask in masks] == [(5 * 4, 12, 12)] * 2


def test_a_turned_training_runs():
    cut = places(NORTHWARD).cut(((0, 40), (0, 80)), 1, 4)
    problem = Problem((3, 4), (cut,), cut, {"same": cut})
    task = {"data": "made", "group": "main", "variant": "bias + lat-lon waves, turned", "seed": 0}
    row = run(task | {"learning_rate": 1e-3}, None, steps=2, n_test=4, problem=problem)
    assert np.isfinite(row["skill"]["same"]).all()
