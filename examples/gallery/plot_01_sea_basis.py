"""
What does the basis of the sea look like?
=========================================

:class:`~skgeo.SphericalHarmonicPCA` finds the patterns that vary most over a domain. Over the sea the first patterns
are broad and lie in the open Pacific. Later patterns are finer and follow the coasts. Each pattern is standardised over
the sea. The values of a pattern on land have no meaning.
"""

# sphinx_gallery_thumbnail_number = 2
from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.inspection import BasisDisplay, EmbeddingMapDisplay, SpectrumDisplay

land = load_land_mask()
sea = LatLonGrid(land.latitude, land.longitude, mask=1 - land.fraction)
basis = SphericalHarmonicPCA(max_degree=10, n_components=96).fit(sea)
BasisDisplay.from_estimator(basis, [0, 1, 5, 10, 40, 80], grid=sea)

# %%
# The same components on the globe, seen from above the Pacific:

BasisDisplay.from_estimator(
    basis, [0, 1, 40], grid=sea, projection="orthographic", center=(0, -150)
)

# %%
# The next map shows three components as the red, green and blue of one colour. Places with similar colours have similar
# values of all three components.

EmbeddingMapDisplay.from_estimator(basis, grid=sea)

# %%
# The next picture shows the variance of each component. The Shannon number is about the number of components that are
# concentrated on the sea. Beyond this number the variance falls, because the later patterns are mostly on land.

SpectrumDisplay.from_estimator(basis)
