"""The base of transformers that return the output of a torch network."""

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationTransformer
from skgeo._places import points_in_degrees
from skgeo._validation import check_parameter, progress
from skgeo._values_at_places import Places
from skgeo.nn._networks import LocationEncoder
from skgeo.nn._training import predict_blocks
from skgeo.nn._wrapped_transformer import check_differentiable

__all__ = ["EncoderAndNetwork", "NetworkTransformer"]


class EncoderAndNetwork(NamedTuple):
    """Torch modules: from degrees to an embedding, and from the embedding to outputs."""

    encoder: Any
    network: Any


class NetworkTransformer(LocationTransformer):
    """Sends places through an encoder and a network, block by block."""

    _public_module = "skgeo.nn"
    _missing_policies: tuple[str, ...] = ("error", "nan")
    device: str

    def _embed_places(self, places: Places) -> npt.NDArray[np.floating]:
        points = points_in_degrees(places)
        encoder, network = self._encoder_and_network()
        # Fill the output block by block: the network needs much more memory for each place than its output.
        embedding = np.empty((len(points), len(self._embedding_names())), dtype=places.dtype)
        with progress(len(points), "place", shown=self.verbose) as advance:
            for rows, values in predict_blocks(encoder, network, points, self.device):
                embedding[rows] = values
                advance(len(values))
        return embedding

    def _check_loaded(self) -> None:
        super()._check_loaded()
        check_parameter("device", self.device, isinstance(self.device, str), "the name of a device of torch")

    def to_torch(self) -> LocationEncoder:
        """Return the encoder and the network as one torch module, from degrees to the embedding.

        Returns
        -------
        skgeo.nn.LocationEncoder
            Maps (latitude, longitude) in degrees (..., 2) to (..., n_outputs), in the precision of the network.
            Latitude is always the first column. The module is in evaluation mode, on the CPU. Training it does not
            change this estimator.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If the encoder is a transformer without ``to_torch``.
        """
        check_is_fitted(self)
        self._check_to_torch()
        encoder, network = self._encoder_and_network()
        check_differentiable(encoder)
        # Evaluation mode turns dropout off.
        return LocationEncoder(encoder, network).eval()

    @abstractmethod
    def _encoder_and_network(self) -> EncoderAndNetwork:
        """The torch modules of the encoder, and of the network with its weights."""
