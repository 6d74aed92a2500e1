"""Torch modules: the trainable projection head of patch features, and differentiable twins of the transformers."""

from importlib.util import find_spec

from skgeo._parameters import import_optional

if find_spec("torch") is None:  # say what to install before an import below says less
    import_optional("torch", "skgeo.nn", "torch")

from skgeo.nn._encoders import EncoderTwin, Harmonics
from skgeo.nn._files import load, save
from skgeo.nn._head import PatchProjectionHead
from skgeo.nn._twins import HarmonicPCA, PatchScale

__all__ = ["EncoderTwin", "HarmonicPCA", "Harmonics", "PatchProjectionHead", "PatchScale", "load", "save"]
