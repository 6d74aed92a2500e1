"""Torch modules, and estimators that train them: location networks, the projection head, twins of transformers."""

from importlib.util import find_spec

from skgeo._parameters import import_optional

if find_spec("torch") is None:  # say what to install before an import below says less
    import_optional("torch", "skgeo.nn", "torch")

from skgeo._contrastive import ContrastiveLocationEncoder
from skgeo._head_models import ProjectionHeadClassifier, ProjectionHeadRegressor
from skgeo._location_models import LocationClassifier, LocationRegressor
from skgeo._satclip import SatCLIPEncoder, SatCLIPWeights
from skgeo.nn._contrastive import compute_features
from skgeo.nn._encoders import EncoderTwin, Harmonics
from skgeo.nn._files import load, save
from skgeo.nn._head import PatchProjectionHead
from skgeo.nn._networks import MLP, FcNet, Linear, LocationEncoder, SirenNet
from skgeo.nn._satclip import load_satclip
from skgeo.nn._twins import HarmonicPCA, PatchScale

__all__ = [
    "MLP",
    "ContrastiveLocationEncoder",
    "EncoderTwin",
    "FcNet",
    "HarmonicPCA",
    "Harmonics",
    "Linear",
    "LocationClassifier",
    "LocationEncoder",
    "LocationRegressor",
    "PatchProjectionHead",
    "PatchScale",
    "ProjectionHeadClassifier",
    "ProjectionHeadRegressor",
    "SatCLIPEncoder",
    "SatCLIPWeights",
    "SirenNet",
    "compute_features",
    "load",
    "load_satclip",
    "save",
]
