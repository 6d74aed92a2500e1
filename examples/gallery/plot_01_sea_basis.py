"""
What does the basis of the sea look like?
=========================================

:class:`~skgeo.SphericalHarmonicPCA` finds the patterns that vary most over a domain. Over the sea the first ones are
broad and live in the open Pacific; later ones are finer and reach along the coasts. Each is standardised over the
sea, and says nothing of the land.
"""

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.inspection import BasisDisplay, EmbeddingMapDisplay, SpectrumDisplay

land = load_land_mask()
sea = LatLonGrid(land.latitude, land.longitude, mask=1 - land.fraction)
basis = SphericalHarmonicPCA(max_degree=10, n_components=96).fit(sea)
BasisDisplay.from_estimator(basis, [0, 1, 5, 10, 40, 80], grid=sea)

# %%
# The same on the globe, seen from above the Pacific.

BasisDisplay.from_estimator(basis, [0, 1, 40], grid=sea, projection="orthographic", center=(0, -150))

# %%
# Three components at once, as red, green and blue: places of like colour are alike to a model that sees these three.

EmbeddingMapDisplay.from_estimator(basis, grid=sea)

# %%
# How much each component varies, and how many there are: the Shannon number counts those that live inside the sea.
# Beyond it the variance falls, because the rest of each pattern lies on land.

SpectrumDisplay.from_estimator(basis)
