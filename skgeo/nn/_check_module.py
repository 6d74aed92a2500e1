"""Checks of torch modules from files: the sizes in the file before a module is built, and its output afterwards."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from skgeo._validation import check_flag, check_radius
from skgeo.nn._great_circle_bias import GreatCircleBias
from skgeo.nn._head import PatchProjectionHead, check_columns
from skgeo.nn._networks import MLP, FcNet, Linear, SirenNet
from skgeo.nn._transformer_modules import PatchPosition, PatchScale

__all__ = ["check_sizes", "check_tensors", "check_works"]

# Arguments that are sizes of tensors. None is larger than the widest tensor of the file.
_SIZES = frozenset(
    ("n_inputs", "n_outputs", "hidden_dim", "n_layers", "embed_dim", "n_position", "n_scale", "max_degree")
) | {"min_degree", "n_components", "n_scales"}
# Floating-point types with which torch computes on every device.
_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
# Products of larger numbers are soon infinite.
_LARGEST = 1e30
_NETWORKS = (MLP, FcNet, SirenNet, Linear)


def check_sizes(objects: Any, tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError if the declared widths and numbers of layers are larger than the tensors of the file."""
    widest = max((size for tensor in tensors.values() for size in tensor.shape), default=1)
    # Every module has tensors, or consists of two modules that have tensors.
    if not isinstance(objects, list) or len(objects) > 2 * len(tensors) + 2:
        raise ValueError(f"it has {len(tensors)} tensors, and more objects than these tensors can have")
    for written in objects:
        state = dict(written["state"])
        for value in written["state"].values():
            # The parameters of an encoder are a dict inside the state.
            if isinstance(value, dict) and isinstance(value.get("dict"), dict):
                state.update(value["dict"])
        for name, value in state.items():
            limit = len(tensors) if name == "n_layers" else widest
            if name in _SIZES and not (type(value) is int and 0 <= value <= limit):
                raise ValueError(f"it has {name}={str(value)[:20]}, and its tensors are smaller than that")


def check_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError if tensors are of other kinds than those of the module, or hold numbers that are not finite."""
    expected = module.state_dict()
    for name, tensor in tensors.items():
        # load_state_dict compares names and shapes.
        real = name in expected and expected[name].is_floating_point()
        if tensor.dtype not in (_FLOATS if real else (torch.int64,)):
            raise ValueError(f"{name[:60]} has dtype {tensor.dtype}")
        # Comparisons with NaN are false.
        if real and not bool((tensor.abs() <= _LARGEST).all()):
            raise ValueError(f"{name[:60]} has numbers that are not finite, or above {_LARGEST:g}")
    # A matrix product takes operands of one dtype.
    for prefix, part in module.named_modules():
        if isinstance(part, (*_NETWORKS, PatchProjectionHead)):
            names = [f"{prefix}.{name}".removeprefix(".") for name, _ in part.named_parameters()]
            dtypes = sorted({str(tensors[name].dtype) for name in names if name in tensors})
            if len(dtypes) > 1:
                raise ValueError(f"the parameters of {type(part).__name__} have the dtypes {', '.join(dtypes)}")


def check_works(module: nn.Module) -> None:
    """Raise ValueError if the module cannot use its buffers, or if the output for a valid input is not finite."""
    for part in module.modules():
        if isinstance(part, PatchProjectionHead):
            check_columns(dict(part.named_buffers(recurse=False)))
            if not bool((part.scale_std > 0.0).all()):
                raise ValueError("scale_std is not positive")
        if isinstance(part, PatchScale):
            check_radius("earth_radius", float(part.earth_radius))
            check_flag("log", part.log)
    inputs = _example(module)
    with torch.no_grad():
        values = module.eval()(inputs)
    if not torch.isfinite(values).all():
        raise ValueError(f"its outputs for {inputs.tolist()[0][:6]} are not finite")


def _example(module: nn.Module) -> Tensor:
    """A valid input of one row."""
    if isinstance(module, PatchPosition) and module.average == "pixels":
        return torch.tensor([[[10.0, 20.0, 1e12]]], dtype=torch.float64)
    if isinstance(module, PatchScale | PatchPosition | GreatCircleBias):
        return torch.tensor([[0.0, 10.0, 0.0, 10.0, 2.0, 2.0]], dtype=torch.float64)
    if isinstance(module, PatchProjectionHead):
        return torch.zeros(1, module.position_gain.numel() + module.scale_gain.numel())
    if isinstance(module, _NETWORKS):
        first = next(module.parameters())
        return torch.zeros(1, first.shape[-1], dtype=first.dtype)
    return torch.tensor([[10.0, 20.0]], dtype=torch.float64)
