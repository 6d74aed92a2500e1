"""The weights of a location network of SatCLIP."""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy.typing as npt
import torch

from skgeo._validation import check_parameter
from skgeo.nn._base_transformer import EncoderAndNetwork
from skgeo.nn._encoder_modules import Harmonics
from skgeo.nn._networks import SirenNet
from skgeo.nn._pretrained_weights import PretrainedWeights, check_shapes
from skgeo.nn._torch_state import load_arrays

__all__ = ["CONVENTIONS", "SatCLIPWeights"]

# The conventions of harmonics by the names in hyperparameters of SatCLIP.
CONVENTIONS = {"analytic": "satclip", "closed-form": "satclip_closed_form"}


class SatCLIPWeights(PretrainedWeights):
    """Weights of a location network of SatCLIP: arrays that never change, and that all copies share.

    The network is ``sin(30 (W x + b))``, then ``sin(W x + b)`` for each further layer, and a linear output. x are the
    ``legendre_polys ** 2`` harmonics of degree 0 to ``legendre_polys - 1``, in the convention of SatCLIP.

    Parameters
    ----------
    arrays : mapping of str and array-like
        ``layers.0.weight`` of shape (hidden_dim, n_inputs) and ``layers.0.bias`` (hidden_dim,), ``layers.1.weight``
        (hidden_dim, hidden_dim) and so on, and ``last_layer.weight`` (n_outputs, hidden_dim) and ``last_layer.bias``
        (n_outputs,): the names and shapes of the published code. Arrays of float32 are kept in float32, others in
        float64.
    harmonics_calculation : "analytic" or "closed-form", default="analytic"
        Which of the two published functions made the harmonics in training. The signs and scales of the harmonics
        differ: "analytic" is ``SphericalHarmonics(convention="satclip")``, and the published files have it.
        "closed-form" is ``SphericalHarmonics(convention="satclip_closed_form")``.

    Attributes
    ----------
    legendre_polys : int
        Number of degrees of the harmonics. The largest degree is ``legendre_polys - 1``.
    n_inputs, hidden_dim, n_layers, n_outputs : int
        Width of the harmonics and of the layers, number of layers with a sine, and width of the embedding.

    Raises
    ------
    ValueError
        If arrays are missing, do not belong to the network, have shapes that do not fit, or hold numbers that are not
        finite; or if ``harmonics_calculation`` is invalid.

    See Also
    --------
    skgeo.nn.load_satclip : Reads the weights from a published file.
    skgeo.nn.PretrainedEncoder : The transformer that uses the weights.

    Examples
    --------
    A network with one layer and random weights.

    >>> import numpy as np
    >>> from skgeo.nn import SatCLIPWeights
    >>> rng = np.random.default_rng(0)
    >>> shapes = {
    ...     "layers.0.weight": (8, 9), "layers.0.bias": 8,
    ...     "last_layer.weight": (4, 8), "last_layer.bias": 4
    ... }
    >>> SatCLIPWeights({name: rng.normal(size=shape) for name, shape in shapes.items()})
    SatCLIPWeights(legendre_polys=3, hidden_dim=8, n_layers=1, n_outputs=4)
    """

    column_prefix: ClassVar[str] = "satclip"
    _shown = ("legendre_polys", "hidden_dim", "n_layers", "n_outputs")
    _settings = ("harmonics_calculation",)
    harmonics_calculation: str
    legendre_polys: int
    n_inputs: int
    hidden_dim: int
    n_layers: int

    def __init__(self, arrays: "Mapping[str, npt.ArrayLike]", harmonics_calculation: str = "analytic") -> None:
        valid = isinstance(harmonics_calculation, str) and harmonics_calculation in CONVENTIONS
        check_parameter("harmonics_calculation", harmonics_calculation, valid, "'analytic' or 'closed-form'")
        self._freeze({"arrays": arrays, "harmonics_calculation": harmonics_calculation})

    def build(self) -> EncoderAndNetwork:
        """The torch modules of the harmonics and of the network.

        Returns
        -------
        (encoder, network) : skgeo.nn.Harmonics and skgeo.nn.SirenNet
            The network has the precision of the arrays.
        """
        # On the meta device the network takes no memory and draws no random numbers. The arrays come afterwards.
        with torch.device("meta"):
            network = SirenNet(self.n_inputs, self.n_outputs, self.hidden_dim, self.n_layers)
        # The published code calls the last layer "last_layer"; SirenNet calls it "output".
        arrays = {name.replace("last_layer", "output"): values for name, values in self.arrays.items()}
        # legendre_polys counts the degrees from 0 on: the largest degree is one less.
        harmonics = Harmonics(self.legendre_polys - 1, convention=CONVENTIONS[self.harmonics_calculation])
        return EncoderAndNetwork(harmonics, load_arrays(network, arrays))

    @staticmethod
    def _sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        # Each layer has a weight and a bias. The last layer does not count: it has no sine.
        n_layers = len(shapes) // 2 - 1
        layers = [*(f"layers.{i}" for i in range(n_layers)), "last_layer"]
        expected = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
        if n_layers < 1 or set(shapes) != expected:
            raise ValueError(
                f"the arrays are {', '.join(shapes) or 'none'}: expected weight and bias of layers.0, layers.1 and so "
                "on, and of last_layer"
            )
        # Arrays may have any number of axes here. Shapes that are too short count as width 0, and are refused below.
        weights = [shapes[f"{layer}.weight"] for layer in layers]
        width = weights[0][0] if len(weights[0]) == 2 else 0
        inputs = [weights[0][-1] if weights[0] else 0, *[width] * n_layers]
        outputs = [*[width] * n_layers, weights[-1][0] if weights[-1] else 0]
        for layer, n_inputs, n_outputs in zip(layers, inputs, outputs, strict=True):
            check_shapes(shapes, {f"{layer}.weight": (n_outputs, n_inputs), f"{layer}.bias": (n_outputs,)})
        # The harmonics of degrees 0 to L - 1 are L squared.
        legendre_polys = math.isqrt(inputs[0])
        if legendre_polys**2 != inputs[0] or legendre_polys < 2:
            raise ValueError(
                f"layers.0.weight has {inputs[0]} columns: expected a square of 2 or more, one column for each harmonic"
            )
        sizes = {"hidden_dim": width, "n_layers": n_layers, "n_outputs": outputs[-1]}
        return {"legendre_polys": legendre_polys, "n_inputs": inputs[0], **sizes}
