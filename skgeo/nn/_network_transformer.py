"""The base of transformers whose output is that of a torch network."""

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationTransformer, Places, points_in_degrees
from skgeo._progress import progress

if TYPE_CHECKING:
    from skgeo.nn import LocationEncoder
    from skgeo.nn._training import FrozenAndTrained


class NetworkTransformer(LocationTransformer):
    """An encoder and a network, of which blocks of places go through both."""

    _public_module = "skgeo.nn"
    _missing_policies: tuple[str, ...] = ("error", "nan")
    device: str

    def _embed_places(self, places: Places) -> npt.NDArray[np.floating]:
        from skgeo.nn._training import outputs

        points, parts = points_in_degrees(places), self._parts()
        embedding = np.empty((len(points), len(self._embedding_names())), dtype=places.dtype)
        with progress(len(points), "place", shown=self.verbose) as advance:
            for rows, values in outputs(parts.fixed, parts.trained, points, self.device):
                embedding[rows] = values
                advance(len(values))
        return embedding

    def to_torch(self) -> "LocationEncoder":
        """The encoder and the network as one torch module, from degrees to the embedding.

        Returns
        -------
        skgeo.nn.LocationEncoder
            Maps (latitude, longitude) in degrees (..., 2), in this order of columns always, to (..., n_outputs), in the
            precision of the network. In evaluation mode, on the CPU; training it does not change this estimator.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        check_is_fitted(self)
        self._check_twin()
        from skgeo.nn import LocationEncoder  # needs torch

        encoder, network = self._parts()
        assert encoder is not None
        return LocationEncoder(encoder, network).eval()

    @abstractmethod
    def _parts(self) -> "FrozenAndTrained":
        """The encoder and the network with its weights."""
