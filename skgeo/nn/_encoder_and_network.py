"""An encoder of places with a network on top: their names in parameters, their fit, and their torch modules."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter
from torch import Tensor, nn

from skgeo._base import LocationTransformer
from skgeo._validation import check_parameter, is_integer
from skgeo.encoders import (
    Cartesian3DEncoder,
    DirectEncoder,
    GridEncoder,
    SphereCEncoder,
    SphereMEncoder,
    SphericalHarmonics,
    TheoryEncoder,
    WrapEncoder,
)
from skgeo.exceptions import CoordinateWarning
from skgeo.nn._base_transformer import EncoderAndNetwork
from skgeo.nn._networks import NETWORKS, make_network
from skgeo.nn._pretrained_encoder import PretrainedEncoder
from skgeo.nn._training import width_of
from skgeo.nn._wrapped_transformer import TransformerModule

__all__ = [
    "ENCODERS",
    "EncoderAndNetwork",
    "build_encoder_and_network",
    "fit_encoder",
    "network_recipe",
    "network_skeleton",
]

#: Encoders with default parameters, by their names in the parameter ``encoder`` of estimators.
ENCODERS: dict[str, LocationTransformer] = {
    "cartesian3d": Cartesian3DEncoder(),
    "direct": DirectEncoder(),
    "grid": GridEncoder(),
    "sphere_c": SphereCEncoder(),
    "sphere_c_plus": SphereCEncoder(plus=True),
    "sphere_m": SphereMEncoder(),
    "sphere_m_plus": SphereMEncoder(plus=True),
    "spherical_harmonics": SphericalHarmonics(),
    "theory": TheoryEncoder(),
    "wrap": WrapEncoder(),
}


def network_recipe(estimator: Any) -> tuple[Any, dict[str, Any]]:
    """Check the parameters ``encoder`` and ``network``. Returns the network and the options that are not None."""
    encoder, network = estimator.encoder, estimator.network
    by_name = isinstance(encoder, str) and encoder in ENCODERS
    accepted = f"{', '.join(map(repr, ENCODERS))}, a transformer of places, or a torch module"
    usable = hasattr(encoder, "transform") or hasattr(encoder, "to_torch") or isinstance(encoder, nn.Module)
    usable &= not isinstance(encoder, type)
    check_parameter("encoder", encoder, by_name or usable, accepted)
    # A torch module is callable, so this check accepts modules, too.
    valid = network in NETWORKS if isinstance(network, str) else callable(network)
    accepted = f"{', '.join(map(repr, sorted(NETWORKS)))}, a torch module, or a function of n_inputs and n_outputs"
    check_parameter("network", network, valid, accepted)
    options = {name: getattr(estimator, name) for name in ("hidden_dim", "n_layers", "dropout")}
    return network, {name: value for name, value in options.items() if value is not None}


def fit_encoder(encoder: Any, points: npt.NDArray[Any], weight: npt.NDArray[np.float64]) -> Any:
    """Clone an encoder, or the encoder with this name, and fit the clone on the training places."""
    if isinstance(encoder, nn.Module):
        encoder = PretrainedEncoder(encoder)
    fitted = clone(ENCODERS[encoder] if isinstance(encoder, str) else encoder)
    learns_alone = isinstance(fitted, FrozenEstimator) or not get_tags(fitted).target_tags.required
    accepted = "a transformer that learns from places alone, or FrozenEstimator(encoder) of a fitted one"
    check_parameter("encoder", encoder, learns_alone, accepted)
    with warnings.catch_warnings():
        # The model has read the same places and has warned already.
        warnings.simplefilter("ignore", CoordinateWarning)
        if has_fit_parameter(fitted, "sample_weight"):
            fitted.fit(points, None, sample_weight=weight)
        else:
            fitted.fit(points, None)  # the fit of FrozenEstimator has no default for y
    return fitted


class EncoderAndCovariates(nn.Module):
    """Turns rows (latitude, longitude, covariates) into the embedding of the place and the standardised covariates."""

    mean: Tensor
    scale: Tensor

    def __init__(self, encoder: nn.Module, mean: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, rows: Tensor) -> Tensor:
        """Embed rows (n, 2 + n_covariates)."""
        return torch.cat([self.encoder(rows[:, :2]), (rows[:, 2:] - self.mean) / self.scale], dim=1)


def network_skeleton(
    encoder: Any, recipe: tuple[Any, dict[str, Any]], n_outputs: int, n_tensors: int, n_covariates: int = 0
) -> Any:
    """The network of a fitted encoder without its weights, from fitted attributes that a file gave.

    ``n_tensors`` is the number of arrays of weights: a network has no more layers than arrays.
    """
    network, options = recipe
    known = network in NETWORKS and set(options) <= {"hidden_dim", "n_layers", "dropout"}
    check_parameter("_network", recipe, known, f"the name of a network and its options: {', '.join(sorted(NETWORKS))}")
    layers = options.get("n_layers", 1)
    check_parameter("n_layers", layers, is_integer(layers) and layers <= n_tensors, "the number of layers of weights_")
    return make_network(network, len(encoder.get_feature_names_out()) + n_covariates, n_outputs, **options)


def build_encoder_and_network(
    encoder: Any,
    recipe: tuple[Any, dict[str, Any]],
    n_outputs: int,
    covariates: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None,
) -> EncoderAndNetwork:
    """The torch module of a fitted encoder, and a network with new random weights on top of it.

    ``covariates`` are the means and the scales of covariates, if the network has such inputs beside the embedding.
    """
    network, options = recipe
    module = encoder.to_torch() if hasattr(encoder, "to_torch") else TransformerModule(encoder)
    width = width_of(module)
    if covariates is not None:
        module, width = EncoderAndCovariates(module, *covariates), width + len(covariates[0])
    return EncoderAndNetwork(module, make_network(network, width, n_outputs, **options))
