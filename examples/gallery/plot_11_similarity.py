"""
Which places look alike to an embedding?
========================================

An encoder that was trained to match places with what is there calls places alike that look alike, not those that are
near. Here what is there is a little field around each place; with satellite images in its stead this is SatCLIP,
whose published weights :func:`skgeo.nn.load_satclip` reads.
"""

import numpy as np

from skgeo import LatLonGrid
from skgeo.datasets import load_land_mask
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import SimilarityDisplay
from skgeo.nn import ContrastiveLocationEncoder

# %%
# Places, and what each sees: land or sea around it, and how warm it is. A frozen image model would give such
# features.

land = load_land_mask()
rng = np.random.default_rng(0)
X = np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 4000))), rng.uniform(-180, 180, 4000)])
row, column = ((X[:, 0] + 90) * 2).astype(int), ((X[:, 1] + 180) * 2).astype(int)
around = [(np.clip(row + i, 0, 359), (column + j) % 720) for i in range(-12, 13, 4) for j in range(-12, 13, 4)]
warmth = np.cos(2 * np.radians(X[:, :1])) + 0.1 * rng.standard_normal((4000, 1))
seen = np.column_stack([np.column_stack([land.fraction[place] for place in around]), 3 * warmth])

# %%
# Matching takes a minute on two cores; a fifth of the places is held out to see how well it does.

encoder = ContrastiveLocationEncoder(SphericalHarmonics(12), embed_dim=64, max_epochs=30, random_state=0).fit(X, seen)
print(encoder.retrieval_)

# %%
# Everything that the encoder takes for the middle of the Sahara.

globe = LatLonGrid(np.arange(-89, 90, 2), np.arange(-179, 180, 2))
SimilarityDisplay.from_estimator(encoder, (23.0, 10.0), grid=globe)

# %%
# Harmonics alone only know what is near.

SimilarityDisplay.from_estimator(SphericalHarmonics(12).fit(X), (23.0, 10.0), grid=globe)
