"""skgeo: where something is, and how large a piece of the Earth it describes, as features for models."""

from skgeo import exceptions
from skgeo._cells import CellGrid
from skgeo._gaussian_process import SphericalGaussianProcessClassifier, SphericalGaussianProcessRegressor
from skgeo._grid import LatLonGrid
from skgeo._location_prior import LocationPriorClassifier, combine_with_image_scores
from skgeo._output.files import load, save
from skgeo._output.grid_report import GridReport
from skgeo._patch_position import PatchPositionEncoder
from skgeo._patch_scale import PatchScaleFeaturizer
from skgeo._pca import SphericalHarmonicPCA
from skgeo._spectrum import degree_wavelength_km, matern_spectrum
from skgeo._version import __version__

__all__ = [
    "CellGrid",
    "GridReport",
    "LatLonGrid",
    "LocationPriorClassifier",
    "PatchPositionEncoder",
    "PatchScaleFeaturizer",
    "SphericalGaussianProcessClassifier",
    "SphericalGaussianProcessRegressor",
    "SphericalHarmonicPCA",
    "__version__",
    "combine_with_image_scores",
    "degree_wavelength_km",
    "exceptions",
    "load",
    "matern_spectrum",
    "save",
]
