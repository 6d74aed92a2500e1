"""Ways to tell a transformer where its patches are, and the small transformer that fills hidden patches.

A ``Position`` has an absolute part, an index part, or both. The absolute part computes features of the patch table and
passes them through a network. The index part depends on the place of a patch in the window. Features are fitted on the
training patches only.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from torch import nn

from experiments.patch_fields import centres
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.encoders import SphericalHarmonics
from skgeo.exceptions import ResolutionWarning
from skgeo.nn import GreatCircleBias, PatchPosition, PatchProjectionHead, SirenNet

WIDTH, DEPTH, HEADS = 96, 2, 4
GLOBE = LatLonGrid(np.arange(-88.5, 90, 3), np.arange(0, 360, 3))


@dataclass(frozen=True)
class Position:
    """What a variant adds to the tokens: the kind of absolute features and its options, and the kind of index.

    ``bias`` adds a :class:`~skgeo.nn.GreatCircleBias` to the attention; ``turned`` turns windows about the axis of the
    Earth during training. Each window has its own angle.
    """

    absolute: str | None = None
    index: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    bias: bool = False
    turned: bool = False

    def but(self, **options):
        """The same with other options."""
        return replace(self, options=self.options | options)


GLOBE_EXACT = {"domain": "globe", "average": "exact"}
NO_SCALE = GLOBE_EXACT | {"scale": "none"}
VARIANTS = {
    "none": Position(),
    "learned": Position(index="learned"),
    "index waves": Position(index="waves"),
    "lat-lon waves": Position("waves"),
    "siren": Position("siren"),
    "skgeo, region": Position("skgeo"),
    "skgeo, globe": Position("skgeo", options={"domain": "globe"}),
    "lat-lon waves + index": Position("waves", "waves"),
    "siren + index": Position("siren", "waves"),
    "skgeo, region + index": Position("skgeo", "waves"),
    "skgeo, globe + index": Position("skgeo", "waves", {"domain": "globe"}),
    "skgeo, globe + index, turned": Position("skgeo", "waves", GLOBE_EXACT, turned=True),
    "bias": Position(bias=True),
    "bias + lat-lon waves, turned": Position("waves", bias=True, turned=True),
    "bias + siren, turned": Position("siren", bias=True, turned=True),
    "bias + skgeo, region": Position("skgeo", None, {"average": "exact"}, bias=True),
    "bias + skgeo, region, turned": Position("skgeo", None, {"average": "exact"}, bias=True, turned=True),
    "bias + skgeo, globe": Position("skgeo", None, GLOBE_EXACT, bias=True),
    "bias + skgeo, globe, no scale, turned": Position("skgeo", None, NO_SCALE, bias=True, turned=True),
    "bias + skgeo, globe, turned": Position("skgeo", None, GLOBE_EXACT, bias=True, turned=True),
}


class Filler(nn.Module):
    """A transformer that fills hidden patches. Its tokens hold values and their validity, plus the position."""

    def __init__(self, n_values, position, depth=DEPTH, heads=HEADS):
        super().__init__()
        self.read = nn.Linear(2 * n_values, WIDTH)
        self.hidden = nn.Parameter(0.02 * torch.randn(WIDTH))
        self.position = position
        layer = nn.TransformerEncoderLayer(
            WIDTH, heads, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.write = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, n_values))

    def forward(self, values, valid, hidden, features, patches):
        """Predict the values (n, tokens, n_values) of all patches. The ``hidden`` patches (n, tokens) are not read."""
        tokens = self.read(torch.cat([values, valid.to(values.dtype)], dim=-1))
        tokens = torch.where(hidden[..., None], self.hidden, tokens)
        tokens, masks = self.position(features, tokens), self.position.masks(patches, len(self.layers.layers))
        for layer, mask in zip(self.layers.layers, masks, strict=True):
            tokens = layer(tokens, src_mask=mask)
        return self.write(tokens)


class Positions(nn.Module):
    """The module of a Position: adds its parts to tokens, and gives the attention of each layer its bias."""

    def __init__(self, absolute, index, bias=None):
        super().__init__()
        self.absolute, self.index, self.bias = absolute, index, bias

    def forward(self, features, tokens):
        """Tokens (n, patches, WIDTH) of patches with features (n, patches, n_features)."""
        if self.absolute is not None:
            tokens = tokens + self.absolute(features)
        return tokens if self.index is None else tokens + self.index

    def masks(self, patches, n_layers):
        """The bias that each layer adds to the logits of its attention between patches (n, tokens, 6)."""
        if self.bias is None:
            return [None] * n_layers
        return [each.flatten(0, 1) for each in self.bias(patches).chunk(n_layers, dim=1)]


ALONE, BOTH = Position("skgeo"), Position("skgeo", "waves")
SHANNON = {"n_components": "shannon", "hidden_dim": 2 * WIDTH}
ABLATIONS = {
    "index waves": Position(index="waves"),
    "skgeo, region": ALONE,
    "degree 40, shannon": ALONE.but(max_degree=40, **SHANNON),
    "skgeo, region + index": BOTH,
    "shannon + index": BOTH.but(**SHANNON),
    "degree 40, shannon + index": BOTH.but(max_degree=40, **SHANNON),
    "no clip + index": BOTH.but(clip=None),
    "matern + index": BOTH.but(spectrum="matern"),
    "centres + index": BOTH.but(average="centre"),
    "no scale + index": BOTH.but(scale="none"),
    "scale as waves + index": BOTH.but(scale="waves"),
    "linear head + index": BOTH.but(hidden_dim=0),
}
SIZES = {
    "index waves": Position(index="waves"),
    "no scale": BOTH.but(scale="none"),
    "ten descriptors": BOTH,
    "scale as waves": BOTH.but(scale="waves"),
}


MADE = {
    name: VARIANTS[name]
    for name in ("index waves", "skgeo, globe + index", "bias", "bias + siren, turned", "bias + skgeo, globe, turned")
}


class Standardise(nn.Module):
    """Subtract and divide, in float64, and round to float32."""

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = nn.Buffer(torch.from_numpy(mean)), nn.Buffer(torch.from_numpy(std))

    def forward(self, features):
        """Features of patches, standardised."""
        return ((features - self.mean) / self.std).float()


def features_of(position, patches):
    """A function from patch tables to features, fitted on training patches, and a function that makes the network."""
    if position.absolute is None:
        return (lambda table: np.zeros((len(table), 0))), lambda: None
    if position.absolute == "waves":
        return waves_of_place, lambda: nn.Linear(4 * WIDTH, WIDTH)
    if position.absolute == "siren":
        harmonics = SphericalHarmonics(**{"max_degree": 10} | position.options).fit([[0.0, 0.0]])
        n_harmonics = harmonics.transform([[0.0, 0.0]]).shape[1]
        features = lambda table: harmonics.transform(centres(table).astype(np.float32))  # noqa: E731
        return features, lambda: SirenNet(n_harmonics, WIDTH, 128)
    return _skgeo(patches, **position.options)


def make_positions(position, head, window, n_biases=DEPTH * HEADS):
    """The trainable module of a Position for windows with these numbers of rows and columns."""
    shape = (window[0] * window[1], WIDTH)
    index = nn.Parameter(0.02 * torch.randn(shape)) if position.index == "learned" else None
    if position.index == "waves":
        index = nn.Buffer(torch.from_numpy(waves_of_index(window)))
    head = head()  # before the bias: variants with and without bias draw the same numbers
    return Positions(head, index, GreatCircleBias(n_biases) if position.bias else None)


def geometric_waves(values, lower, upper, width):
    """Sines and cosines of values at wavelengths from ``lower`` to ``upper``; ``width`` columns."""
    angle = 2 * np.pi * np.asarray(values)[:, np.newaxis] / np.geomspace(lower, upper, width // 2)
    return np.hstack([np.sin(angle), np.cos(angle)])


def waves_of_place(table):
    """Waves of latitude, longitude and the root of the area in km, with the wavelengths of Bodnar et al. (2025)."""
    latitude, longitude = centres(table).T
    area = np.exp(PatchScaleFeaturizer().fit_transform(table)[:, 2]) / 1e6
    return np.hstack(
        [
            geometric_waves(latitude, 0.01, 720, WIDTH),
            geometric_waves(np.mod(longitude, 360), 0.01, 720, WIDTH),
            geometric_waves(np.sqrt(area), 1.08e-4, 5.1e8, 2 * WIDTH),
        ]
    ).astype(np.float32)


def waves_of_index(window):
    """Sines and cosines of row and column: wavelengths 2 pi to 2 pi 10^4 patches, as in Vaswani et al. (2017)."""
    row, column = np.indices(window).reshape(2, -1)
    parts = [geometric_waves(each, 2 * np.pi, 2e4 * np.pi, WIDTH // 2) for each in (row, column)]
    return np.hstack(parts).astype(np.float32)


def _skgeo(patches, domain="region", average="pixels", scale="ten", hidden_dim=None, **basis):
    """Position by harmonic components, and scale, through the projection head."""
    pca = SphericalHarmonicPCA(**basis)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)
        if domain == "globe":
            pca.fit(GLOBE)
        else:
            pca = PatchPositionEncoder(pca).fit(patches).encoder_
    encoder = PatchPositionEncoder(FrozenEstimator(pca)).fit(patches)
    averages: dict[str, Callable] = {
        "pixels": encoder.transform,
        "centre": lambda table: pca.transform(centres(table)),
        "exact": lambda table: exact(torch.from_numpy(table)).numpy(),
    }
    exact, position = PatchPosition(*pca.harmonic_map()), averages[average]
    describe = SCALES[scale]

    def features(table):
        return np.hstack([position(table), describe(table)])

    return features, lambda: _head(features(patches), describe(patches).shape[1], scale, hidden_dim)


def _head(features, n_scale, scale, hidden_dim):
    """The projection head, or a linear layer if ``hidden_dim`` is 0. The head standardises descriptors, not waves."""
    if hidden_dim == 0:
        mean, std = features.mean(axis=0), features.std(axis=0)
        return nn.Sequential(Standardise(mean, np.where(std > 0.1, std, 1)), nn.Linear(features.shape[1], WIDTH))
    if scale == "ten":
        return PatchProjectionHead.from_features(features, embed_dim=WIDTH, hidden_dim=hidden_dim)
    n_scale = max(n_scale, 1)
    return PatchProjectionHead(features.shape[1] - n_scale, n_scale, embed_dim=WIDTH, hidden_dim=hidden_dim)


def ten_descriptors(table):
    """The ten descriptors of scale."""
    return PatchScaleFeaturizer().fit_transform(table)


def waves_of_scale(table, n_waves=6):
    """Log sqrt(area), log anisotropy and log pixel scale as sines and cosines of wavelengths 1 to 32."""
    log_area, log_anisotropy, log_pixel = ten_descriptors(table).T[[2, 3, 6]]
    return np.hstack([geometric_waves(each, 1, 32, 2 * n_waves) for each in (log_area / 2, log_anisotropy, log_pixel)])


SCALES = {"ten": ten_descriptors, "waves": waves_of_scale, "none": lambda table: np.zeros((len(table), 0))}
