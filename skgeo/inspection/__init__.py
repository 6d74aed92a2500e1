"""Pictures of bases, embeddings, spectra, patches, models and folds: Displays in scikit-learn's form.

Drawing needs matplotlib, ``pip install 'skgeo[plot]'``; the import of this package does not.
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
