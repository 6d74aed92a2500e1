"""A small vision transformer that predicts hidden patches of a field from the visible patches and their positions.

    python examples/field_transformer.py                                        # random fields over the real continents
    python examples/field_transformer.py --file eraint_uvz.nc --variable z      # a field of your own

The script trains the model on patches between 0 and 180 degrees east. Each step turns the positions of the patches to
random longitudes, so that the model does not learn longitudes. The script tests the model on new fields, in this region
and between 180 and 360 degrees east.
Needs: pip install 'skgeo[torch]', and the extra xarray for a file.
"""

import argparse

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

import skgeo
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.encoders import SphericalHarmonics
from skgeo.nn import GreatCircleBias, PatchProjectionHead, turn_patches

SIDE, WINDOW, HIDDEN = 4, 6, 0.75  # pixels along a patch, patches along a window, share of hidden patches


class Block(nn.Module):
    """Attention with a bias for each pair of tokens, and a network for each token."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.norms = heads, nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.network = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens, bias):
        query, key, value = (
            self.project(self.norms[0](tokens)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )
        heads = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.out(heads.transpose(1, 2).flatten(2))
        return tokens + self.network(self.norms[1](tokens))


class FieldTransformer(nn.Module):
    """Predict hidden patches from visible patches. ``head`` and ``bias`` tell the model where all patches lie."""

    def __init__(self, n_values, head, width=64, depth=2, heads=4):
        super().__init__()
        self.read, self.hidden = nn.Linear(2 * n_values, width), nn.Parameter(torch.zeros(width))
        self.head, self.bias = head, GreatCircleBias(depth * heads)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.write = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_values))

    def forward(self, values, valid, hidden, features, patches):
        tokens = self.read(torch.cat([values * valid, valid.to(values.dtype)], dim=-1))
        tokens = torch.where(hidden[..., None], self.hidden, tokens) + self.head(features)
        for block, bias in zip(self.blocks, self.bias(patches).chunk(len(self.blocks), dim=-3), strict=True):
            tokens = block(tokens, bias)
        return self.write(tokens)


def made_fields(n=48):
    """Grid and random fields (n, n_lat, n_lon). Like anomalies of temperature, the fields are stronger over land."""
    land = load_land_mask()
    fraction = land.fraction.reshape(90, 4, 180, 4).mean(axis=(1, 3))
    grid = LatLonGrid(land.latitude.reshape(90, 4).mean(axis=1), land.longitude.reshape(180, 4).mean(axis=1))
    harmonics = SphericalHarmonics(24, min_degree=1, spectrum=(np.arange(25) + 3.0) ** -3)
    waves = harmonics.fit_transform(grid) @ np.random.default_rng(0).standard_normal((624, n))
    return grid, waves.T.reshape(n, *grid.shape) / waves.std() * (1 + fraction)


def read_fields(file, variable):
    """Grid and fields of a variable of a NetCDF file: one field for each index of the other dimensions."""
    import xarray as xr

    with xr.open_dataset(file) as data:
        grid, values = LatLonGrid.from_xarray(data[variable]), data[variable].to_numpy()
    return grid, values.reshape(-1, *grid.shape)


def cut(fields, grid):
    """Values (fields, patches, pixels), the patch table, and the row and column of each patch among the patches."""
    patches, start = grid.patches((SIDE, SIDE), return_index=True, partial=False)
    values = grid.patch_values(torch.from_numpy(fields).float(), (SIDE, SIDE), partial=False)
    return values.flatten(2), torch.from_numpy(patches), start // SIDE


def windows(index, west, east, patches):
    """Indices of the patches in each window between two meridians. A window has WINDOW x WINDOW patches."""
    middle = np.mod(patches[:, 2:4].mean(dim=1).numpy(), 360)
    inside = {tuple(place): number for number, place in enumerate(index) if west <= middle[number] < east}
    steps = np.stack(np.indices((WINDOW, WINDOW)), axis=-1).reshape(-1, 2)
    found = [[inside.get((row + i, column + j)) for i, j in steps] for row, column in inside]
    return torch.tensor([window for window in found if None not in window])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--file", help="NetCDF file (default: random fields)")
    parser.add_argument("--variable", help="variable of the file")
    parser.add_argument("--steps", type=int, default=400, help="training steps (default: %(default)s)")
    options = parser.parse_args()
    torch.manual_seed(0)
    grid, fields = read_fields(options.file, options.variable) if options.file else made_fields()
    values, patches, index = cut(fields, grid)
    valid = values.isfinite()
    values = torch.nan_to_num((values - values[valid].mean()) / values[valid].std())
    here, elsewhere = (windows(index, west, west + 180, patches) for west in (0, 180))
    n_train = len(values) * 3 // 4
    print(f"{grid}: {len(values)} fields of {len(patches)} patches of {values.shape[-1]} pixels")

    # Torch modules compute the position (means of harmonics over patches) and the scale (ten descriptors).
    position = PatchPositionEncoder(FrozenEstimator(SphericalHarmonicPCA(10).fit(grid)), average="exact")
    features = make_union(position, PatchScaleFeaturizer()).fit(patches.numpy())
    head = PatchProjectionHead.from_transformers(features, patches.numpy(), embed_dim=64)
    parts = [transformer.to_torch() for _, transformer in features.transformer_list]
    model = FieldTransformer(values.shape[-1], head)

    def errors(number, region, turned):
        """Squared errors and squared values of the hidden pixels, in one random window for each field in ``number``."""
        window = region[torch.randint(len(region), number.shape)]
        sample, known = values[number[:, None], window], valid[number[:, None], window]
        hidden = torch.rand(window.shape).argsort(dim=1) < HIDDEN * window.shape[1]
        tables = turn_patches(patches[window]) if turned else patches[window]
        filled = model(sample, known, hidden, torch.cat([part(tables) for part in parts], dim=-1), tables)
        scored = known & hidden[..., None]
        return ((filled - sample) ** 2)[scored], sample[scored] ** 2

    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, options.steps, pct_start=0.1)
    for _ in range(options.steps):
        loss = errors(torch.randint(n_train, (8,)), here, turned=True)[0].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        for name, region in (("0 to 180 E, as in training", here), ("180 to 360 E", elsewhere)):
            error, square = errors(torch.randint(n_train, len(values), (256,)), region, turned=False)
            share = 1 - error.mean() / square.mean()
            print(f"new fields, {name}: the model explains {share:.1%} of the hidden variance")
    skgeo.nn.save(model.bias, "bias.safetensors")
    skgeo.nn.save(model.head, "head.safetensors")


if __name__ == "__main__":
    main()
