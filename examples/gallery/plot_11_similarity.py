"""
Which places look alike to an embedding?
========================================

Contrastive training makes the embeddings of two places similar if their images are similar, even if the places are far
apart. In this example, three numbers replace the image of a place: the share of land within two distances from the
place, and the warmth of the place. SatCLIP was trained in this way with satellite images. :func:`skgeo.nn.load_satclip`
reads its published weights.
"""

import numpy as np

from skgeo import LatLonGrid
from skgeo.datasets import load_land_mask
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import SimilarityDisplay
from skgeo.nn import ContrastiveLocationEncoder

# %%
# The data are 4,000 places and the features of their images. For real images, a frozen image model would compute the
# features.

land = load_land_mask()
rng = np.random.default_rng(0)
X = np.column_stack(
    [np.degrees(np.arcsin(rng.uniform(-1, 1, 4000))), rng.uniform(-180, 180, 4000)]
)
row, column = ((X[:, 0] + 90) * 2).astype(int), ((X[:, 1] + 180) * 2).astype(int)


def land_around(reach):
    """Share of land within some cells of half a degree."""
    offset = range(-reach, reach + 1, 2)
    cells = [
        land.fraction[np.clip(row + i, 0, 359), (column + j) % 720]
        for i in offset
        for j in offset
    ]
    return np.mean(cells, axis=0)


warmth = np.cos(2 * np.radians(X[:, 0])) + 0.1 * rng.standard_normal(4000)
seen = np.column_stack([land_around(2), land_around(6), warmth])

# %%
# The training takes some seconds. The encoder holds out a tenth of the places for a test. ``retrieval_`` contains the
# share of images that find their own place among the held-out places. This share is small, because many places have
# almost the same image. The initial temperature of the loss is higher than the default, because a higher temperature
# gives less weight to small differences between images.

encoder = ContrastiveLocationEncoder(
    SphericalHarmonics(12),
    embed_dim=32,
    hidden_dim=128,
    temperature=0.2,
    max_epochs=30,
    random_state=0,
).fit(X, seen)
print(encoder.retrieval_)

# %%
# The map shows the similarity of each place to the middle of the Sahara. The similarity is high for warm land on all
# continents, lower for cold land, and lowest for the sea near the Sahara.

globe = LatLonGrid(np.arange(-89, 90, 2), np.arange(-179, 180, 2))
SimilarityDisplay.from_estimator(encoder, (23.0, 10.0), grid=globe)

# %%
# For comparison, the last map shows the similarity of harmonics without training. This similarity depends only on the
# distance.

SimilarityDisplay.from_estimator(
    SphericalHarmonics(12).fit(X), (23.0, 10.0), grid=globe
)
