"""
Does a transformer need to know where its patches are?
======================================================

A small transformer predicts hidden patches of a field. The field is the share of land in cells of half a degree. The
values of a patch depend on the place of the patch and on its neighbours. The tokens of the patches do not contain this
information. A projection head adds position and scale features to the tokens. An attention bias gives the model the
distances and directions between patches. The head, the bias and the transformer are trained together.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

from skgeo import (
    LatLonGrid,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalHarmonicPCA,
)
from skgeo.datasets import load_land_mask
from skgeo.nn import GreatCircleBias, PatchProjectionHead

land = load_land_mask()
grid = LatLonGrid(land.latitude, land.longitude)
patches = grid.patches((12, 12))
field = torch.from_numpy(land.fraction.astype(np.float32))
pixels = grid.patch_values(field, (12, 12)).flatten(1)

# %%
# The features of all patches are computed once. The head and the bias are trained with the transformer.

basis = SphericalHarmonicPCA(max_degree=15, n_components=120).fit(grid)
position = PatchPositionEncoder(FrozenEstimator(basis))
features = make_union(position, PatchScaleFeaturizer()).fit(patches)
Z = torch.from_numpy(features.transform(patches)).float()
table = torch.from_numpy(patches)


class Filler(torch.nn.Module):
    """Fill hidden patches from the other patches."""

    def __init__(self, head=None, bias=None, width=64):
        super().__init__()
        self.embed, self.head, self.bias = torch.nn.Linear(144, width), head, bias
        layer = torch.nn.TransformerEncoderLayer(
            width, 4, 128, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = torch.nn.Linear(width, 144)

    def forward(self, pixels, features, tables, hidden):
        tokens = self.embed(pixels * ~hidden[..., None])
        if self.head is not None:
            tokens = tokens + self.head(features)
        mask = None if self.bias is None else self.bias(tables).flatten(0, 1)
        return self.out(self.layers(tokens, mask=mask))


def train(model, n_steps=150):
    """Mean squared error over hidden patches, smoothed over 20 steps."""
    optimizer = torch.optim.AdamW(model.parameters(), 4e-3)
    generator, losses = torch.Generator().manual_seed(0), []
    for _ in range(n_steps):
        chosen = torch.randint(len(pixels), (8, 64), generator=generator)
        hidden = torch.rand(8, 64, generator=generator) < 0.5
        filled = model(pixels[chosen], Z[chosen], table[chosen], hidden)
        loss = ((filled - pixels[chosen])[hidden] ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.convolve(losses, np.ones(20) / 20, mode="valid")


def head():
    return PatchProjectionHead.from_transformers(features, patches, embed_dim=64)


cases = {
    "tokens alone": lambda: Filler(),
    "with position and scale": lambda: Filler(head()),
    "with position, scale and bias": lambda: Filler(head(), GreatCircleBias(n_heads=4)),
}
losses = {}
for name, make in cases.items():
    torch.manual_seed(0)
    losses[name] = train(make())

# %%
# Without positions, the best guess for a hidden patch is the mean of the other patches. With positions, the transformer
# memorises the values at each place, because the field is always the same. The bias therefore adds little in this
# example. For fields that the model has not seen, the bias helps (:doc:`/experiments`).

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for (name, values), style in zip(losses.items(), ("-", "-", "--"), strict=True):
    ax.plot(values / pixels.var().item(), style, label=name)
ax.set(
    xlabel="training step",
    ylabel="squared error of hidden patches\n/ variance of the field",
    ylim=(0, None),
)
ax.legend(frameon=False)
plt.show()
