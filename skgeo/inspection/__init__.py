"""Pictures of bases, embeddings, spectra, patches, models and folds: Displays in scikit-learn's form.

They need matplotlib, ``pip install 'skgeo[plot]'``, when something is drawn and not before.
"""

from skgeo.inspection.basis import BasisDisplay
from skgeo.inspection.embedding_map import EmbeddingMapDisplay
from skgeo.inspection.folds import FoldDisplay
from skgeo.inspection.leakage import LeakageDisplay
from skgeo.inspection.patches import PatchDisplay
from skgeo.inspection.predictions import PredictionMapDisplay
from skgeo.inspection.response import ResponseDisplay
from skgeo.inspection.similarity import SimilarityDisplay
from skgeo.inspection.spectrum import SpectrumDisplay

__all__ = [
    "BasisDisplay",
    "EmbeddingMapDisplay",
    "FoldDisplay",
    "LeakageDisplay",
    "PatchDisplay",
    "PredictionMapDisplay",
    "ResponseDisplay",
    "SimilarityDisplay",
    "SpectrumDisplay",
]
