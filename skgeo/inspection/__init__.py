"""Pictures of bases, embeddings, spectra, patches, models and folds: Displays in scikit-learn's form.

They need matplotlib, ``pip install 'skgeo[plot]'``, when something is drawn and not before.
"""

from skgeo.inspection._basis import BasisDisplay
from skgeo.inspection._embedding_map import EmbeddingMapDisplay
from skgeo.inspection._folds import FoldDisplay
from skgeo.inspection._leakage import LeakageDisplay
from skgeo.inspection._patches import PatchDisplay
from skgeo.inspection._predictions import PredictionMapDisplay
from skgeo.inspection._response import ResponseDisplay
from skgeo.inspection._similarity import SimilarityDisplay
from skgeo.inspection._spectrum import SpectrumDisplay

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
