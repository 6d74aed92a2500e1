"""
Which functions lie inside a box?
=================================

On a small region most harmonics look alike. The principal components of the harmonics are the few functions that differ
in the region. Apart from the subtraction of the mean, these are the Slepian functions of the region: among all
functions up to a given degree, they have the largest share of their energy (the integral of the square) inside the
region. The Shannon number, which follows from the degree and the area of the region, is about the number of functions
whose energy is mostly inside.
"""

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.inspection import BasisDisplay

box = LatLonGrid(np.arange(30.25, 60, 0.5), np.arange(-9.75, 40, 0.5))
basis = SphericalHarmonicPCA(max_degree=40).fit(box)
shannon = basis.shannon_number_
print(f"{basis.n_components_} components, {shannon:.0f} of them inside the box")
BasisDisplay.from_estimator(basis, [0, 1, 2, 10, 30, 50], grid=box)

# %%
# The concentration of a component is the share of its energy inside the box. The code computes the concentration as the
# variance of the component times the area of the box. Around the Shannon number the concentration falls steeply from
# one to zero. Almost every component is therefore either inside or outside the box.

area = basis.total_weight_
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for degree in (10, 20, 40):
    basis = SphericalHarmonicPCA(max_degree=degree).fit(box)
    concentration = basis.explained_variance_ * area
    (line,) = ax.plot(concentration)
    ax.axvline(basis.shannon_number_, color=line.get_color(), linestyle=":")
    label = {"color": line.get_color(), "ha": "center"}
    ax.text(basis.shannon_number_, 1.07, f"L = {degree}", **label)
ax.set(
    xlabel="component (dotted: Shannon number)",
    ylabel="share of the energy inside",
    xlim=(0, 90),
)
plt.show()
