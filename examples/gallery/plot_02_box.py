"""
Which functions live inside a box?
==================================

On a small region most harmonics look alike, and their principal components are the few functions that do not: up to
their mean the Slepian functions of the region, those of a given degree with the most energy inside. How many there
are follows from the area and the degree, and is called the Shannon number.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.inspection import BasisDisplay

box = LatLonGrid(np.arange(30.25, 60, 0.5), np.arange(-9.75, 40, 0.5))
basis = SphericalHarmonicPCA(max_degree=40).fit(box)
shannon = basis.shannon_number_
print(f"{basis.n_components_} components, of which {shannon:.0f} live inside")
BasisDisplay.from_estimator(basis, [0, 1, 2, 10, 30, 50], grid=box)

# %%
# Concentration, the share of its energy that a function has inside the box, falls from one to zero around that
# number: steeply, so that a component is either inside or outside. The variance of a component times the area of the
# box is its concentration.

area = basis.total_weight_
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for degree in (10, 20, 40):
    basis = SphericalHarmonicPCA(max_degree=degree).fit(box)
    concentration = basis.explained_variance_ * area
    (line,) = ax.plot(concentration, label=f"L = {degree}")
    ax.axvline(basis.shannon_number_, color=line.get_color(), linestyle=":")
ax.set(xlabel="component (dotted: Shannon number)", ylabel="share of the energy inside", xlim=(0, 90))
ax.legend()
plt.show()
