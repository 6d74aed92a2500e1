"""Patches turned about the axis of the Earth at random, for training."""

import torch
from torch import Tensor

from skgeo.nn._modules import check_tensor

__all__ = ["turn_patches"]


def turn_patches(patches: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """TODO."""
    check_tensor(patches, "patches")
    device = patches.device if generator is None else generator.device
    angle = torch.rand(*patches.shape[:-2], 1, generator=generator, device=device, dtype=torch.float64)
    west = patches[..., 2].to(torch.float64)
    shift = 360.0 * angle.to(patches.device)
    shift = shift - 360.0 * torch.floor((west + shift + 180.0) / 360.0)
    turned = patches.clone()
    turned[..., 2:4] += shift[..., None].to(patches.dtype)
    return turned
