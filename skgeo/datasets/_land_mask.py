"""The land mask that comes with skgeo."""

from importlib import resources

import numpy as np
from sklearn.utils import Bunch

_DESCR = """\
Land mask of the Earth at half a degree
---------------------------------------
Share of land of 360 x 720 cells, counted from the 30-arc-second pixels of GLOBE version 1.0 (NOAA National Geophysical
Data Center, 1999; the open-access files, free of copyright) as packed in global-land-mask 1.0.0 (copyright (c) 2019
Todd Karin, MIT licence). Land is where GLOBE has an elevation: lakes and the Caspian Sea are land, Antarctic ice
shelves are sea.
"""


def load_land_mask() -> Bunch:
    """Load the land mask of the Earth at half a degree that comes with skgeo.

    The boolean mask is True if at least half of a cell is land. Use the fractions if you can: a boolean mask moves the
    coast by up to half a cell, which changes the later components of a basis. The table compares
    ``SphericalHarmonicPCA(max_degree=10, n_components=96)`` on this mask and on the same mask at 1 degree. It counts
    the rows of ``components_`` that agree (same index, cosine above 0.99):

    =========  =========  ========
    domain     fractions  booleans
    =========  =========  ========
    the sea    96 of 96   20 of 96
    the land   94 of 96   39 of 96
    =========  =========  ========

    Returns
    -------
    Bunch
        latitude : ndarray of shape (360,)
            Centres of the rows in degrees, -89.75 to 89.75.
        longitude : ndarray of shape (720,)
            Centres of the columns in degrees, -179.75 to 179.75.
        fraction : ndarray of shape (360, 720)
            Share of land of each cell, float64 in [0, 1]. The file stores it in steps of 1/255, so its error is less
            than 1/255. The values 0 and 1 are exact: these cells are all sea or all land.
        mask : ndarray of shape (360, 720)
            True where ``fraction >= 0.5``.
        DESCR : str
            The source of the data.

    Notes
    -----
    The data come from GLOBE, the Global Land One-kilometer Base Elevation model of NOAA [1]_. A pixel of GLOBE is 30
    arc seconds wide, and either is sea or has an elevation. The open-access files are free of copyright. The package
    ``global-land-mask`` 1.0.0 (MIT licence) holds these pixels, and ``scripts/make_land_mask.py`` counts the pixels in
    blocks of 60 x 60, which are exactly the cells of this mask. Therefore:

    * Waters that GLOBE gives an elevation are land: lakes (the Great Lakes, Victoria, Baikal) and the Caspian Sea.
    * Lagoons open to the sea (Maracaibo) and the IJsselmeer are sea.
    * Antarctic ice shelves (Ross, Filchner-Ronne, Amery) are sea, the ice sheet on the ground is land.

    Land covers 28.9 % of the Earth by fractions and 28.85 % by booleans.

    References
    ----------
    .. [1] GLOBE Task Team (1999). The Global Land One-kilometer Base Elevation (GLOBE) Digital Elevation Model,
       Version 1.0. National Oceanic and Atmospheric Administration, National Geophysical Data Center, Boulder,
       Colorado. https://www.ngdc.noaa.gov/mgg/topo/globe.html

    Examples
    --------
    A grid of the sea. Its mask is the share of sea in each cell.

    >>> from skgeo import LatLonGrid
    >>> from skgeo.datasets import load_land_mask
    >>> land = load_land_mask()
    >>> LatLonGrid(land.latitude, land.longitude, mask=1 - land.fraction)
    LatLonGrid(360 x 720, latitude -90..90, longitude -180..180, closed,
    mask keeps 71.1% of the area)
    """
    file = resources.files("skgeo.datasets").joinpath("data", "land_mask.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        # The file holds the share of land as integers from 0 to 255, which keeps it small.
        fraction = archive["fraction"] / 255.0
    # Cells have the same width and height everywhere, so the shape gives their centres.
    rows, columns = fraction.shape
    return Bunch(
        latitude=-90.0 + 180.0 / rows * (np.arange(rows) + 0.5),
        longitude=-180.0 + 360.0 / columns * (np.arange(columns) + 0.5),
        mask=fraction >= 0.5,
        fraction=fraction,
        DESCR=_DESCR,
    )
