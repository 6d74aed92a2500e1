"""Modules that match places with images."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from skgeo._validation import check_parameter, is_integer, is_real
from skgeo.nn._encoder_and_network import network_skeleton
from skgeo.nn._fit_steps import check_settings
from skgeo.nn._torch_state import Arrays, check_arrays_fit, load_arrays

__all__ = [
    "MIN_TEMPERATURE",
    "Matcher",
    "Normalized",
    "build_projection",
    "check_fitted_matcher",
    "check_matching",
]

# The smallest temperature.
MIN_TEMPERATURE = 0.01

# CLIP limits the factor of the cosines, 1 / temperature, to 100, because training with larger factors is unstable.
_MAX_LOGIT_SCALE = 100.0


class Matcher(nn.Module):
    """The network of places, the linear projection of image features into the same space, and the temperature."""

    def __init__(self, network: nn.Module, n_features: int, embed_dim: int, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.projection = nn.Linear(n_features, embed_dim)
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(self, embedding: Tensor, features: Tensor) -> Tensor:
        """The symmetric cross-entropy of a batch: each place should find its image, and each image its place."""
        with torch.no_grad():
            self.logit_scale.clamp_(max=math.log(_MAX_LOGIT_SCALE))
        places = F.normalize(self.network(embedding), dim=-1)
        images = F.normalize(self.projection(features), dim=-1)
        logits = (self.logit_scale.exp() * places) @ images.T
        # Place i belongs to image i: column i is the right answer for row i, and row i for column i.
        own = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def check_matching(embed_dim: Any, temperature: Any) -> None:
    """Raise ValueError unless the width of the embedding and the first temperature are valid."""
    check_parameter("embed_dim", embed_dim, is_integer(embed_dim) and embed_dim >= 1, "a positive integer")
    valid = is_real(temperature) and temperature >= MIN_TEMPERATURE
    check_parameter("temperature", temperature, valid, "a number, at least 0.01")


def check_fitted_matcher(model: Any) -> None:
    """Raise ValueError unless parameters and weights of a fitted ContrastiveLocationEncoder belong together."""
    check_settings(model)
    check_matching(model.embed_dim, model.temperature)
    check_matching(model._embed_dim, model._first_temperature)
    # On the meta device a network takes no memory, so a file with huge widths does no harm.
    with torch.device("meta"):
        network = network_skeleton(model.encoder_, model._network, model._embed_dim, len(model.weights_))
        matcher = Matcher(network, len(model.feature_mean_), model._embed_dim, model._first_temperature)
    check_arrays_fit(matcher, model.weights_, {})


class Normalized(nn.Module):
    """A network whose outputs are divided by their length, so that their products are cosines."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, embedding: Tensor) -> Tensor:
        """Outputs of length one."""
        return F.normalize(self.network(embedding), dim=-1)


def build_projection(weights: Arrays) -> Normalized:
    """The normalised projection of standardised image features, from the weights of a matcher."""
    n_outputs, n_inputs = weights["projection.weight"].shape
    # On the meta device the layer takes no memory and draws no random numbers. load_arrays brings its tensors.
    with torch.device("meta"):
        projection = nn.Linear(n_inputs, n_outputs)
    return Normalized(load_arrays(projection, {name: weights[f"projection.{name}"] for name in ("weight", "bias")}))
