"""Torch modules, and estimators that train them: location networks, the projection head, modules of transformers."""

from importlib.util import find_spec

from skgeo._validation import import_optional

# Without torch the imports below would fail with a plain ModuleNotFoundError. This error says what to install.
if find_spec("torch") is None:
    import_optional("torch", "skgeo.nn", "torch")

from skgeo.nn._contrastive_encoder import ContrastiveLocationEncoder
from skgeo.nn._encoder_modules import EncoderModule, Harmonics
from skgeo.nn._geoclip_file import load_geoclip
from skgeo.nn._geoclip_weights import GeoCLIPWeights
from skgeo.nn._great_circle_bias import GreatCircleBias
from skgeo.nn._head import PatchProjectionHead
from skgeo.nn._head_estimators import ProjectionHeadClassifier, ProjectionHeadRegressor
from skgeo.nn._image_features import compute_features
from skgeo.nn._location_estimators import LocationClassifier, LocationRegressor
from skgeo.nn._module_files import load, save
from skgeo.nn._networks import MLP, FcNet, Linear, LocationEncoder, SirenNet
from skgeo.nn._patch_dataset import PatchDataset
from skgeo.nn._presence_only import PresenceOnlyClassifier
from skgeo.nn._pretrained_encoder import PretrainedEncoder
from skgeo.nn._satclip_checkpoint import load_satclip
from skgeo.nn._satclip_weights import SatCLIPWeights
from skgeo.nn._transformer_modules import HarmonicPCA, PatchPosition, PatchScale
from skgeo.nn._turning import turn_patches

# skgeo.load finds the estimators of skgeo.nn by these names. Files of older versions need the names to stay.
__all__ = [
    "MLP",
    "ContrastiveLocationEncoder",
    "EncoderModule",
    "FcNet",
    "GeoCLIPWeights",
    "GreatCircleBias",
    "HarmonicPCA",
    "Harmonics",
    "Linear",
    "LocationClassifier",
    "LocationEncoder",
    "LocationRegressor",
    "PatchDataset",
    "PatchPosition",
    "PatchProjectionHead",
    "PatchScale",
    "PresenceOnlyClassifier",
    "PretrainedEncoder",
    "ProjectionHeadClassifier",
    "ProjectionHeadRegressor",
    "SatCLIPWeights",
    "SirenNet",
    "compute_features",
    "load",
    "load_geoclip",
    "load_satclip",
    "save",
    "turn_patches",
]
