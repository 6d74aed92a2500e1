"""The weights of the location encoder of GeoCLIP."""

import re
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from skgeo.nn._base_transformer import EncoderAndNetwork
from skgeo.nn._geoclip_modules import EqualEarthFourier, SumOfNetworks
from skgeo.nn._networks import MLP
from skgeo.nn._pretrained_weights import PretrainedWeights, check_shapes
from skgeo.nn._torch_state import load_arrays

__all__ = ["GeoCLIPWeights"]

# Weight decay left subnormal numbers in the published weights. Processors multiply them slowly: in float32 the network
# took four times as long. Smaller numbers than this one become zero. The rounding of any output is far larger.
_NEGLIGIBLE = 1e-30
# The layers of a capsule in the published code, and in MLP.
_LAYERS = {"capsule.1": "layers.0", "capsule.3": "layers.1", "capsule.5": "layers.2", "head.0": "output"}


class GeoCLIPWeights(PretrainedWeights):
    """Weights of the location encoder of GeoCLIP [1]_: arrays that never change, and that all copies share.

    Places are projected to the Equal Earth map. A random matrix B turns the two projected coordinates v into the
    cosines and sines of 2 pi B v. A network of three layers with ReLU and a linear output turns these numbers into an
    embedding. Such a matrix with its network is a capsule. The embedding of a place is the sum over all capsules. The
    published files have three capsules, and the numbers of their matrices have standard deviations of 1, 16 and 256.

    Parameters
    ----------
    arrays : mapping of str and array-like
        ``LocEnc0.capsule.0.b`` of shape (n_frequencies, 2); ``weight`` and ``bias`` of ``LocEnc0.capsule.1``,
        ``LocEnc0.capsule.3``, ``LocEnc0.capsule.5`` and ``LocEnc0.head.0``; the same for ``LocEnc1`` and so on. Names
        and shapes are those of the published code. Arrays of float32 are kept in float32, others in float64.

    Attributes
    ----------
    n_capsules, n_frequencies, hidden_dim, n_outputs : int
        Number of capsules, rows of each matrix B, width of the layers, and width of the embedding.

    Raises
    ------
    ValueError
        If arrays are missing, do not belong to the network, have shapes that do not fit, or hold numbers that are not
        finite.

    See Also
    --------
    skgeo.nn.load_geoclip : Reads the weights from a published file.
    skgeo.nn.PretrainedEncoder : The transformer that uses the weights.

    References
    ----------
    .. [1] Vivanco Cepeda, V., Nayak, G. K. & Shah, M. (2023). GeoCLIP: Clip-inspired alignment between locations and
       images for effective worldwide geo-localization. Advances in Neural Information Processing Systems 36.

    Examples
    --------
    One capsule with random weights.

    >>> import numpy as np
    >>> from skgeo.nn import GeoCLIPWeights
    >>> rng = np.random.default_rng(0)
    >>> widths = {"capsule.1": (8, 6), "capsule.3": (8, 8), "capsule.5": (8, 8)}
    >>> widths["head.0"] = (4, 8)
    >>> arrays = {"LocEnc0.capsule.0.b": rng.normal(size=(3, 2))}
    >>> for layer, shape in widths.items():
    ...     arrays[f"LocEnc0.{layer}.weight"] = rng.normal(size=shape)
    ...     arrays[f"LocEnc0.{layer}.bias"] = rng.normal(size=shape[0])
    >>> GeoCLIPWeights(arrays)
    GeoCLIPWeights(n_capsules=1, n_frequencies=3, hidden_dim=8, n_outputs=4)
    """

    column_prefix: ClassVar[str] = "geoclip"
    _shown = ("n_capsules", "n_frequencies", "hidden_dim", "n_outputs")
    n_capsules: int
    n_frequencies: int
    hidden_dim: int

    def __init__(self, arrays: "Mapping[str, npt.ArrayLike]") -> None:
        self._freeze({"arrays": arrays})

    def build(self) -> EncoderAndNetwork:
        """The torch modules of the Fourier features and of the capsules.

        Returns
        -------
        (encoder, network) : Modules
            The network has the precision of the arrays; the encoder computes in float64.
        """
        capsules = range(self.n_capsules)
        # On the meta device the networks take no memory and draw no random numbers. The arrays come afterwards.
        with torch.device("meta"):
            networks = [MLP(2 * self.n_frequencies, self.n_outputs, self.hidden_dim, 3) for _ in capsules]
        arrays = {
            f"networks.{i}.{ours}.{part}": _without_subnormal(self.arrays[f"LocEnc{i}.{theirs}.{part}"])
            for i in capsules
            for theirs, ours in _LAYERS.items()
            for part in ("weight", "bias")
        }
        frequencies = np.stack([self.arrays[f"LocEnc{i}.capsule.0.b"] for i in capsules])
        return EncoderAndNetwork(EqualEarthFourier(frequencies), load_arrays(SumOfNetworks(networks), arrays))

    @staticmethod
    def _sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        parts = ["capsule.0.b", *(f"{layer}.{part}" for layer in _LAYERS for part in ("weight", "bias"))]
        n_capsules = len(shapes) // len(parts)
        if not n_capsules or set(shapes) != {f"LocEnc{i}.{part}" for i in range(n_capsules) for part in parts}:
            names = sorted({re.sub(r"^(LocEnc\d+).*", r"\1", name) for name in shapes})
            raise ValueError(
                f"the arrays are those of {', '.join(names) or 'none'}: expected {', '.join(parts)} of LocEnc0, "
                "LocEnc1 and so on"
            )
        # The shapes of the first capsule are those of all. Shapes that are too short count as width 0.
        frequencies, hidden, output = (
            (*shapes[f"LocEnc0.{name}"], 0)[0] for name in ("capsule.0.b", "capsule.1.bias", "head.0.bias")
        )
        inputs = dict.fromkeys(_LAYERS, hidden) | {"capsule.1": 2 * frequencies}
        outputs = dict.fromkeys(_LAYERS, hidden) | {"head.0": output}
        for i in range(n_capsules):
            expected: dict[str, tuple[int, ...]] = {f"LocEnc{i}.capsule.0.b": (frequencies, 2)}
            for layer in _LAYERS:
                expected[f"LocEnc{i}.{layer}.weight"] = outputs[layer], inputs[layer]
                expected[f"LocEnc{i}.{layer}.bias"] = (outputs[layer],)
            check_shapes(shapes, expected)
        return {"n_capsules": n_capsules, "n_frequencies": frequencies, "hidden_dim": hidden, "n_outputs": output}


def _without_subnormal(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The values with zero in place of negligible numbers."""
    return np.where(np.abs(values) < _NEGLIGIBLE, values.dtype.type(0), values)
