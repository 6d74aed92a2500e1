"""
Where is this embedding?
========================

An embedding that is one-to-one can be turned around. That helps to see what a model means: which place a generated,
averaged or noisy embedding stands for.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import fibonacci_lattice

globe = LatLonGrid(np.arange(-89.5, 90), np.arange(-179.5, 180))
encoder = SphericalHarmonicPCA(max_degree=10, clip=None).fit(globe)
places = fibonacci_lattice(500)
embedding = encoder.transform(places)
print(np.abs(encoder.inverse_transform(embedding) - places).max())

# %%
# With noise on every component, the places found move away from the true ones.

rng = np.random.default_rng(0)
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for noise, colour in ((0.3, "tab:orange"), (0.1, "tab:blue")):
    found = encoder.inverse_transform(embedding + noise * rng.standard_normal(embedding.shape))
    ax.scatter(found[:, 1], found[:, 0], 6, colour, label=f"noise {noise} standard deviations")
ax.scatter(places[:, 1], places[:, 0], 3, "black", label="true")
ax.set(xlabel="longitude (°E)", ylabel="latitude (°N)", xlim=(-180, 180), ylim=(-90, 90))
ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False)
plt.show()
