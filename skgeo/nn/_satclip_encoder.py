"""The location network of SatCLIP as a transformer, from a published checkpoint."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from skgeo._typing import Immutable
from skgeo._validation import check_parameter
from skgeo.encoders._base import FixedEncoder
from skgeo.nn._base_transformer import NetworkTransformer
from skgeo.nn._encoder_and_network import EncoderAndNetwork
from skgeo.nn._encoder_modules import Harmonics
from skgeo.nn._networks import SirenNet
from skgeo.nn._torch_state import load_arrays

__all__ = ["SatCLIPEncoder", "SatCLIPWeights"]


class SatCLIPWeights(Immutable):
    """Weights of a location network of SatCLIP: arrays that stay as they are, and that all copies share.

    The network is ``sin(30 (W x + b))``, then ``sin(W x + b)`` for each further layer, and a linear output. x are the
    ``legendre_polys ** 2`` harmonics of degree 0 to ``legendre_polys - 1``, in the convention of SatCLIP.

    Parameters
    ----------
    arrays : mapping of str and array-like
        ``layers.0.weight`` of shape (hidden_dim, n_inputs) and ``layers.0.bias`` (hidden_dim,), ``layers.1.weight``
        (hidden_dim, hidden_dim) and so on, and ``last_layer.weight`` (n_outputs, hidden_dim) and ``last_layer.bias``
        (n_outputs,): the names and shapes of the published code. They are kept in float64.

    Attributes
    ----------
    legendre_polys : int
        Number of degrees of the harmonics; the largest is one less.
    n_inputs, hidden_dim, n_layers, n_outputs : int
        Width of the harmonics and of the layers, number of layers with a sine, and width of the embedding.

    Raises
    ------
    ValueError
        If arrays are missing or there that do not belong, have shapes that do not fit, or numbers that are not finite.

    See Also
    --------
    skgeo.nn.load_satclip : Reads them from a published file.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeo.nn import SatCLIPWeights
    >>> rng = np.random.default_rng(0)
    >>> shapes = {
    ...     "layers.0.weight": (8, 9), "layers.0.bias": 8, "last_layer.weight": (4, 8), "last_layer.bias": 4
    ... }
    >>> SatCLIPWeights({name: rng.normal(size=shape) for name, shape in shapes.items()})
    SatCLIPWeights(legendre_polys=3, hidden_dim=8, n_layers=1, n_outputs=4)
    """

    arrays: Mapping[str, npt.NDArray[np.float64]]
    legendre_polys: int
    n_inputs: int
    hidden_dim: int
    n_layers: int
    n_outputs: int

    def __init__(self, arrays: Mapping[str, npt.ArrayLike]) -> None:
        if not isinstance(arrays, Mapping):
            raise TypeError(f"arrays={arrays!r}: expected a dict of the arrays of a network; load_satclip makes it.")
        self._freeze({"arrays": {name: np.array(values, dtype=np.float64) for name, values in arrays.items()}})

    def _freeze(self, attributes: dict[str, Any]) -> None:
        arrays = dict(attributes["arrays"])
        sizes = _check_network({name: values.shape for name, values in arrays.items()})
        for name, values in arrays.items():
            if not np.isfinite(values).all():
                raise ValueError(f"{name} has numbers that are not finite")
            # Clones share the arrays: nobody may write to them.
            values.flags.writeable = False
        super()._freeze({"arrays": MappingProxyType(arrays), **sizes})

    def __getstate__(self) -> dict[str, Any]:
        """The arrays. The sizes follow from them."""
        # pickle cannot write a MappingProxyType: return a dict.
        return {"arrays": dict(self.arrays)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore and check the arrays."""
        self._freeze({"arrays": {name: np.array(values) for name, values in state["arrays"].items()}})

    def __repr__(self) -> str:
        """The sizes."""
        names = ("legendre_polys", "hidden_dim", "n_layers", "n_outputs")
        return f"SatCLIPWeights({', '.join(f'{name}={getattr(self, name)}' for name in names)})"


def _check_network(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
    """The sizes of a network with arrays of these names and shapes; ValueError if they are not a network."""
    # Each layer has a weight and a bias. The last layer does not count: it has no sine.
    n_layers = len(shapes) // 2 - 1
    layers = [*(f"layers.{i}" for i in range(n_layers)), "last_layer"]
    expected = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    if n_layers < 1 or set(shapes) != expected:
        raise ValueError(
            f"the arrays are {', '.join(shapes) or 'none'}: expected weight and bias of layers.0, layers.1 and so on, "
            "and of last_layer"
        )
    # Arrays may have any number of axes here: shapes that are too short count as width 0, which no network has.
    weights = [shapes[f"{layer}.weight"] for layer in layers]
    width = weights[0][0] if len(weights[0]) == 2 else 0
    inputs = [weights[0][-1] if weights[0] else 0, *[width] * n_layers]
    outputs = [*[width] * n_layers, weights[-1][0] if weights[-1] else 0]
    for layer, n_inputs, n_outputs in zip(layers, inputs, outputs, strict=True):
        for part, shape in {"weight": (n_outputs, n_inputs), "bias": (n_outputs,)}.items():
            given = shapes[f"{layer}.{part}"]
            if given != shape or 0 in shape:
                raise ValueError(f"{layer}.{part} has shape {given}: expected {shape}")
    # The harmonics of degrees 0 to L - 1 are L squared.
    legendre_polys = math.isqrt(inputs[0])
    if legendre_polys**2 != inputs[0] or legendre_polys < 2:
        raise ValueError(
            f"layers.0.weight has {inputs[0]} columns: expected a square of 2 or more, one column for each harmonic"
        )
    sizes = {"hidden_dim": width, "n_layers": n_layers, "n_outputs": outputs[-1]}
    return {"legendre_polys": legendre_polys, "n_inputs": inputs[0], **sizes}


class SatCLIPEncoder(NetworkTransformer, FixedEncoder):
    """Embeddings of places that SatCLIP [1]_ learned from satellite images.

    Spherical harmonics and a network of sines with published weights, which :func:`skgeo.nn.load_satclip` reads.
    Nothing is learned in ``fit``, so that it can be a step of a Pipeline as it is:
    ``make_pipeline(load_satclip(path), Ridge())``. Clones share the weights.

    Parameters
    ----------
    weights : SatCLIPWeights
        The network, from :func:`skgeo.nn.load_satclip`.
    device : str, default="cpu"
        Where torch computes, such as "cuda".
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    missing : "error" or "nan", default="error"
        What to do with points that lack a coordinate: refuse them, or embed them as NaN.
    add_indicator : bool, default=False
        Add a column ``missing_location``, 1 where a coordinate is missing.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm. None shows it in interactive sessions, when work takes longer than two seconds.

    Attributes
    ----------
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter is not what it accepts.
    NotFittedError
        From ``transform`` and ``to_torch`` before ``fit``.

    See Also
    --------
    skgeo.nn.load_satclip : Makes one from a published file.
    skgeo.nn.ContrastiveLocationEncoder : Learns such embeddings from your own images.
    skgeo.encoders.SphericalHarmonics : The harmonics, with ``convention="satclip"``.

    Notes
    -----
    All is computed in float64, as in the original; float32 input gives the same embedding rounded. The original differs
    by the rounding errors of its harmonics, which grow with the degree and toward the poles; the user guide has the
    numbers.

    References
    ----------
    .. [1] Klemmer, K., Rolf, E., Robinson, C., Mackey, L. & Russwurm, M. (2025). SatCLIP: global, general-purpose
       location embeddings with satellite imagery. Proceedings of the AAAI Conference on Artificial Intelligence 39(4),
       4347-4355.

    Examples
    --------
    Random weights in place of published ones.

    >>> import numpy as np
    >>> from skgeo.nn import SatCLIPEncoder, SatCLIPWeights
    >>> rng = np.random.default_rng(0)
    >>> shapes = {
    ...     "layers.0.weight": (8, 9), "layers.0.bias": 8, "last_layer.weight": (4, 8), "last_layer.bias": 4
    ... }
    >>> weights = SatCLIPWeights({name: rng.normal(size=shape) for name, shape in shapes.items()})
    >>> encoder = SatCLIPEncoder(weights).fit([[47.4, 8.5]])
    >>> encoder.transform([[47.4, 8.5], [-33.9, 18.4]]).shape
    (2, 4)
    >>> encoder.get_feature_names_out().tolist()
    ['satclip0', 'satclip1', 'satclip2', 'satclip3']
    """

    def __init__(
        self,
        weights: SatCLIPWeights | None = None,
        *,
        device: str = "cpu",
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
        verbose: bool | None = None,
    ) -> None:
        self.weights = weights
        self.device = device
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.verbose = verbose

    def _encoder_and_network(self) -> EncoderAndNetwork:
        weights = self._checked_weights()
        # On the meta device the network takes no memory and draws no random numbers. The arrays come afterwards.
        with torch.device("meta"):
            network = SirenNet(weights.n_inputs, weights.n_outputs, weights.hidden_dim, weights.n_layers)
        # The published code calls the last layer "last_layer"; SirenNet calls it "output".
        arrays = {name.replace("last_layer", "output"): values for name, values in weights.arrays.items()}
        # legendre_polys counts the degrees from 0 on: the largest degree is one less.
        harmonics = Harmonics(weights.legendre_polys - 1, convention="satclip")
        return EncoderAndNetwork(harmonics, load_arrays(network, arrays))

    def _checked_weights(self) -> SatCLIPWeights:
        weights = self.weights
        valid = isinstance(weights, SatCLIPWeights)
        check_parameter("weights", weights, valid, "SatCLIPWeights, as load_satclip(path) has them")
        assert weights is not None
        return weights

    def _check_parameters(self) -> None:
        self._checked_weights()

    def _embedding_names(self) -> list[str]:
        return [f"satclip{i}" for i in range(self._checked_weights().n_outputs)]
