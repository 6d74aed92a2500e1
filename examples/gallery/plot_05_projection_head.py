"""
Does a transformer need to know where its patches are?
======================================================

A small transformer fills in hidden patches of a field. What a patch looks like depends on where it lies, and how
large it is; the tokens alone do not say. Position and scale features go through a projection head and are added to
the tokens, and everything trains together.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.nn import PatchProjectionHead

land = load_land_mask()
grid = LatLonGrid(land.latitude, land.longitude)
patches = grid.patches((12, 12))
pixels = grid.patch_values(torch.from_numpy(land.fraction.astype(np.float32)), (12, 12)).flatten(1)

# %%
# The features are computed once for all patches; the head is the only part of them that trains.

basis = SphericalHarmonicPCA(max_degree=15, n_components=120).fit(grid)
features = make_union(PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer()).fit(patches)
Z = torch.from_numpy(features.transform(patches)).float()


class Filler(torch.nn.Module):
    """Hidden patches from those around them."""

    def __init__(self, head=None, width=64):
        super().__init__()
        self.embed, self.head = torch.nn.Linear(144, width), head
        layer = torch.nn.TransformerEncoderLayer(width, 4, 128, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = torch.nn.Linear(width, 144)

    def forward(self, pixels, features, hidden):
        tokens = self.embed(pixels * ~hidden[..., None])
        if self.head is not None:
            tokens = tokens + self.head(features)
        return self.out(self.layers(tokens))


def train(model, n_steps=300):
    """Mean squared error over hidden patches, step by step."""
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    generator, losses = torch.Generator().manual_seed(0), []
    for _ in range(n_steps):
        chosen = torch.randint(len(pixels), (8, 64), generator=generator)
        hidden = torch.rand(8, 64, generator=generator) < 0.5
        filled = model(pixels[chosen], Z[chosen], hidden)
        loss = ((filled - pixels[chosen])[hidden] ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.convolve(losses, np.ones(20) / 20, mode="valid")


torch.manual_seed(0)
without = train(Filler())
torch.manual_seed(0)
with_head = train(Filler(PatchProjectionHead.from_transformers(features, patches, embed_dim=64)))

# %%
# Without positions the best guess for a hidden patch is the mean of the others.

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
variance = pixels.var().item()
ax.plot(without / variance, label="tokens alone")
ax.plot(with_head / variance, label="with position and scale")
ax.set(xlabel="training step", ylabel="error of hidden patches / variance", ylim=(0, 1.2))
ax.legend()
plt.show()
