"""
How large is a patch?
=====================

On a grid of half a degree, patches of 16 x 16 pixels are 8 degrees wide everywhere. Eight degrees of longitude are 890
km at the equator, and 60 km in the patches nearest to the pole. :class:`~skgeo.PatchScaleFeaturizer` computes ten
descriptors of these sizes for a model.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeo import (
    LatLonGrid,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalHarmonicPCA,
)
from skgeo.datasets import load_land_mask
from skgeo.inspection import PatchDisplay

land = load_land_mask()
grid = LatLonGrid(land.latitude, land.longitude, mask=land.fraction)
patches = grid.patches((16, 16), min_fraction=0.3)
PatchDisplay.from_patches(patches, "area")

# %%
# The anisotropy is the width divided by the height. Patches near the poles are tall and narrow.

PatchDisplay.from_patches(patches, "anisotropy")

# %%
# The upper map shows the share of land in the same patches. The lower map shows the first feature of the position: the
# mean of the first component of a basis of the land over the pixels of a patch. The weights of the mean are the areas
# of the pixels.

basis = SphericalHarmonicPCA(max_degree=10, n_components=64).fit(grid)
position = PatchPositionEncoder(basis).fit(patches)
figure, (upper, lower) = plt.subplots(2, 1, figsize=(6.5, 7), layout="constrained")
share = grid.patch_values(land.fraction, (16, 16), min_fraction=0.3).mean(axis=(1, 2))
PatchDisplay(patches, share, label="share of land").plot(upper)
display = PatchDisplay.from_estimator(position, patches, 0, ax=lower)
display.colorbar_.set_label("first feature of the position", fontsize="small")

# %%
# The last picture shows all ten descriptors from pole to pole. The descriptors are natural logarithms of lengths in
# metres, of areas in square metres, of ratios, and of degrees of harmonics.

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
figure.supylabel("natural logarithm", fontsize=9)
plt.show()
