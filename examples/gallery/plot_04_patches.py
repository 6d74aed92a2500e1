"""
How large is a patch?
=====================

Patches of 16 x 16 pixels of a grid of half a degree are 8 degrees wide everywhere, and 890 km at the equator, but 60
km at the highest latitudes. :class:`~skgeo.PatchScaleFeaturizer` tells a model so, in ten descriptors.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.inspection import PatchDisplay

land = load_land_mask()
grid = LatLonGrid(land.latitude, land.longitude, mask=land.fraction)
patches = grid.patches((16, 16), min_fraction=0.3)
PatchDisplay.from_patches(patches, "area")

# %%
# Anisotropy is width over height: patches near the poles are tall and narrow.

PatchDisplay.from_patches(patches, "anisotropy")

# %%
# A real field in the same patches: the share of land. The position of a patch is the mean of a basis over its pixels,
# weighted by their areas; here the first component of the basis of the land.

basis = SphericalHarmonicPCA(max_degree=10, n_components=64).fit(grid)
position = PatchPositionEncoder(basis).fit(patches)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
share = grid.patch_values(land.fraction, (16, 16), min_fraction=0.3).mean(axis=(1, 2))
PatchDisplay(patches, share, label="share of land").plot(left)
PatchDisplay.from_estimator(position, patches, 0, ax=right)

# %%
# All ten descriptors, from pole to pole.

scale = PatchScaleFeaturizer().fit(patches)
names, values = scale.get_feature_names_out(), scale.transform(patches)
south = patches[:, 0]
order = np.argsort(south)
figure, axes = plt.subplots(2, 5, figsize=(10, 3.6), sharex=True, layout="constrained")
for ax, name, column in zip(axes.flat, names, values.T, strict=True):
    ax.plot((south + 4)[order], column[order], ".", markersize=2)
    ax.set_title(name, fontsize=8)
    ax.tick_params(labelsize=7)
figure.supxlabel("latitude of the centre of the patch (°N)", fontsize=9)
plt.show()
