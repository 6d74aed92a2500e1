"""skgeo: where something is, and how large a piece of the Earth it describes, as features for models."""

from skgeo import exceptions
from skgeo._files import load, save
from skgeo._grid_report import GridReport
from skgeo._version import __version__
from skgeo.cells import CellGrid
from skgeo.gaussian_process import SphericalGaussianProcessRegressor
from skgeo.grid import LatLonGrid
from skgeo.patches import PatchPositionEncoder
from skgeo.pca import SphericalHarmonicPCA
from skgeo.scale import PatchScaleFeaturizer
from skgeo.spectrum import degree_wavelength_km, matern_spectrum

__all__ = [
    "CellGrid",
    "GridReport",
    "LatLonGrid",
    "PatchPositionEncoder",
    "PatchScaleFeaturizer",
    "SphericalGaussianProcessRegressor",
    "SphericalHarmonicPCA",
    "__version__",
    "degree_wavelength_km",
    "exceptions",
    "load",
    "matern_spectrum",
    "save",
]
