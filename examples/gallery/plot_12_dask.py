"""
Can a mask be larger than memory?
=================================

The example is a mask of the sea with 1,800 x 3,600 cells in chunks. dask makes each chunk when ``fit`` needs it, and
then removes it from memory. ``fit`` keeps 1,682 sums over all chunks. The embedding is lazy: dask computes only the
requested part.
"""

import dask.array as da
import numpy as np

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.inspection import BasisDisplay, EmbeddingMapDisplay

land = load_land_mask()
coarse = LatLonGrid(land.latitude, land.longitude)
fine = LatLonGrid(np.linspace(-89.95, 89.95, 1800), np.linspace(-179.95, 179.95, 3600))


def read(block_info):
    """One block of the fine mask, as if it were read from a file."""
    (south, north), (west, east) = block_info[None]["array-location"]
    rows = np.clip(np.searchsorted(land.latitude, fine.latitude[south:north]), 0, 359)
    columns = np.clip(
        np.searchsorted(land.longitude, fine.longitude[west:east]), 0, 719
    )
    return 1.0 - land.fraction[np.ix_(rows, columns)]


mask = da.map_blocks(read, chunks=((300,) * 6, (600,) * 6), dtype=float)
sea = LatLonGrid(fine.latitude, fine.longitude, mask=mask)
basis = SphericalHarmonicPCA(max_degree=20, n_components=100).fit(sea)
BasisDisplay.from_estimator(basis, [0, 20, 99])

# %%
# The embedding has 6.5 million rows and a hundred columns. In memory it would take 5 GB. So far, dask has not computed
# any part of it.

embedding = basis.transform(sea)
print(embedding)

# %%
# For a map of three components at a tenth of the rows and columns, dask computes only these values.

thin = embedding.reshape(1800, 3600, 100)[5::10, 5::10, :3].compute()
grid = LatLonGrid(fine.latitude[5::10], fine.longitude[5::10])
EmbeddingMapDisplay(thin, grid, [f"component {i}" for i in range(3)]).plot()
