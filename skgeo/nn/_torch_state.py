"""The state that torch keeps: devices, generators of random numbers, and weights as arrays."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

Arrays = dict[str, npt.NDArray[Any]]

# One thread at a time sets torch's global generators and puts them back. The lock is reentrant, because an encoder may
# hold a model of its own that takes the lock, too.
_GENERATOR_LOCK = threading.RLock()


class RandomNumbers:
    """The random numbers of one training. They follow from a seed and do not disturb torch's own generators."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._gpus = [device] if device.type == "cuda" else []
        devices = [torch.device("cpu"), *self._gpus]
        self.states = {place.type: torch.Generator(place).manual_seed(seed).get_state() for place in devices}

    @contextmanager
    def use(self) -> Iterator[None]:
        """Let torch draw from this training's generators; afterwards torch's generators are as they were.

        Hold this context for one batch and not for a whole training, because other threads wait for the lock.
        """
        with _GENERATOR_LOCK, torch.random.fork_rng(devices=self._gpus):
            torch.default_generator.set_state(self.states["cpu"])
            for gpu in self._gpus:
                torch.cuda.set_rng_state(self.states["cuda"], gpu)
            yield
            # Keep the states: the next use continues the same sequence of numbers.
            self.states["cpu"] = torch.default_generator.get_state()
            for gpu in self._gpus:
                self.states["cuda"] = torch.cuda.get_rng_state(gpu)


@contextmanager
def preserve_rng() -> Iterator[None]:
    """Restore the state of torch's generator at the end. Several threads may build models at the same time."""
    with _GENERATOR_LOCK, torch.random.fork_rng(devices=[]):
        yield


def find_device(name: str) -> torch.device:
    """The device with this name; ValueError if torch does not have it on this machine."""
    try:
        device = torch.device(name)
        # torch.device accepts devices that this machine does not have. Only an allocation fails on such a device.
        torch.empty(0, device=device)
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        raise ValueError(f"device={name!r}: expected a device that torch has here, such as 'cpu'; {error}") from error
    return device


def arrays_of(module: nn.Module) -> Arrays:
    """Copies of the parameters and buffers of a module as arrays."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def load_arrays(module: nn.Module, weights: Arrays) -> nn.Module:
    """Replace the parameters and buffers of a module by arrays. The module takes the dtype of the arrays."""
    module.load_state_dict({name: torch.tensor(values) for name, values in weights.items()}, assign=True)
    return module


def check_arrays_fit(module: nn.Module, weights: Arrays, moments: Arrays) -> None:
    """Raise ValueError unless arrays have the names, shapes and kinds of the tensors of a module on any device.

    ``moments`` may be those of Adam, with keys "parameter:quantity", or empty.
    """
    tensors = module.state_dict()
    if set(tensors) != set(weights):
        raise ValueError(f"weights_ has {sorted(weights)[:9]}: expected {sorted(tensors)[:9]}")
    floats = {weights[name].dtype for name, _ in module.named_parameters()}
    for name, tensor in tensors.items():
        values, kind = weights[name], "f" if tensor.is_floating_point() else "i"
        if values.shape != tuple(tensor.shape) or values.dtype.kind != kind:
            raise ValueError(f"weights_[{name!r}] has shape {values.shape}: expected {tuple(tensor.shape)}")
    # A matrix product takes operands of one dtype.
    if len(floats) > 1:
        raise ValueError(f"weights_ have the dtypes {sorted(map(str, floats))}: expected one for all")
    # Adam has three quantities of each parameter that it has changed.
    quantities = ("step", "exp_avg", "exp_avg_sq")
    expected = {
        f"{name}:{quantity}": () if quantity == "step" else tuple(parameter.shape)
        for name, parameter in module.named_parameters()
        for quantity in quantities
        if any(f"{name}:{other}" in moments for other in quantities)
    }
    if {key: values.shape for key, values in moments.items()} != expected:
        raise ValueError(f"_moments are not those of {len(weights)} weights: {', '.join(sorted(moments)[:3])[:80]}")
    if any((values < 0).any() for key, values in moments.items() if key.endswith((":step", ":exp_avg_sq"))):
        raise ValueError("_moments has squares or numbers of steps below zero")


def moments_of(optimizer: torch.optim.Optimizer, module: nn.Module) -> Arrays:
    """Copies of the state of Adam, with keys "parameter:quantity"."""
    names = _parameter_names(optimizer, module)
    state = optimizer.state_dict()["state"]
    return {
        f"{names[i]}:{quantity}": value.cpu().numpy()
        for i, quantities in state.items()
        for quantity, value in quantities.items()
    }


def load_moments(optimizer: torch.optim.Optimizer, module: nn.Module, moments: Arrays) -> None:
    """Replace the state of Adam by arrays of :func:`moments_of`."""
    state = optimizer.state_dict()
    for i, name in enumerate(_parameter_names(optimizer, module)):
        quantities = {key.rpartition(":")[2]: value for key, value in moments.items() if key.rpartition(":")[0] == name}
        # Adam has no state for a parameter before its first step.
        if quantities:
            state["state"][i] = {quantity: torch.tensor(value) for quantity, value in quantities.items()}
    optimizer.load_state_dict(state)


def _parameter_names(optimizer: torch.optim.Optimizer, module: nn.Module) -> list[str]:
    """Names of the parameters in the order in which the optimizer numbers them."""
    by_id = {id(parameter): name for name, parameter in module.named_parameters()}
    return [by_id[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]


def initial_state(modules: list[nn.Module]) -> Iterator[bytes]:
    """Bytes that identify modules before training: their layers, and the names, types and values of their tensors."""
    for module in modules:
        yield repr(module).encode()
        for name, values in arrays_of(module).items():
            yield repr((name, values.dtype, values.shape)).encode()
            yield values.tobytes()
