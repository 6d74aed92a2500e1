"""The training loop of all estimators, from arrays to arrays."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from skgeo._progress import progress

Arrays = dict[str, npt.NDArray[Any]]
Loss = Literal["log_loss", "squared_error"]

# Held while torch's generator is borrowed.
_GENERATOR = threading.Lock()
# Values of an embedding that are kept through the epochs; a larger one is worked out batch by batch.
_KEPT_VALUES = 2**27
# Values of an embedding that are worked out at a time.
_BLOCK_VALUES = 2**20


class Parts(NamedTuple):
    """A model as a fixed first part, which may be absent, and the part that is trained."""

    fixed: nn.Module | None
    trained: nn.Module


class Samples(NamedTuple):
    """Inputs (n, k), targets (n,) or (n, n_outputs) and weights (n,)."""

    inputs: npt.NDArray[Any]
    target: npt.NDArray[Any]
    weight: npt.NDArray[np.float64]


class Settings(NamedTuple):
    """How to train: the parameters of the estimators, checked."""

    learning_rate: float
    weight_decay: float
    batch_size: int | None
    max_epochs: int
    patience: int | None
    keep: str
    dtype: str
    device: str
    verbose: bool | None


class Course(NamedTuple):
    """What training made: weights, moments of Adam, losses by epoch, and the number of the epoch of the weights."""

    weights: Arrays
    moments: Arrays
    losses: list[float]
    validation_losses: list[float]
    epoch: int


def train(
    build: Callable[[], Parts],
    loss: Loss,
    training: Samples,
    validation: Samples | None,
    settings: Settings,
    seed: int,
    start: tuple[Arrays, Arrays] | None = None,
) -> Course:
    """Train with Adam, its weight decay added to the gradient; ``start`` are weights and moments to go on from.

    All random numbers, of the initialisation, of the order of samples and of dropout, follow from the seed; torch's own
    generator is left as it was.
    """
    device, dtype = find_device(settings.device), getattr(torch, settings.dtype)
    with _seeded(seed, device):
        fixed, module = build()
        if start is not None:
            load(module, start[0])
        module = module.to(device, dtype)
        parameters = list(module.parameters())
        optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        if start is not None:
            _set_moments(optimizer, module, start[1])
        data = _Data(fixed, training, loss, device, dtype)
        held_out = None if validation is None else _Data(fixed, validation, loss, device, dtype)
        if validation is not None and not validation.weight.any():
            raise ValueError(
                "The validation data have no weight: sample_weight_val or class_weight leaves none of them."
            )
        with progress(settings.max_epochs, "epoch", shown=settings.verbose) as done:
            losses, validation_losses, best = [], [], (np.inf, 0, arrays_of(module))
            for epoch in range(1, settings.max_epochs + 1):
                losses.append(_train_epoch(module, optimizer, data, settings))
                done(1)
                if held_out is None:
                    continue
                validation_losses.append(_validate(module, held_out, settings))
                if validation_losses[-1] < best[0]:
                    best = validation_losses[-1], epoch, arrays_of(module) if settings.keep == "best" else {}
                elif settings.patience is not None and epoch - best[1] >= settings.patience:
                    break
        if held_out is None or settings.keep == "last":
            best = losses[-1], len(losses), arrays_of(module)
        return Course(best[2], _moments(optimizer, module), losses, validation_losses, best[1])


def apply(fixed: nn.Module | None, trained: nn.Module, inputs: npt.NDArray[Any], device: str) -> npt.NDArray[Any]:
    """The outputs (n, n_outputs) in the dtype of the parameters."""
    return np.concatenate([values for _, values in outputs(fixed, trained, inputs, device)])


def outputs(
    fixed: nn.Module | None, trained: nn.Module, inputs: npt.NDArray[Any], device: str
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """The outputs (k, n_outputs) of blocks of rows, in the dtype of the parameters."""
    place = find_device(device)
    trained = trained.to(place).eval()
    dtype = next((parameter.dtype for parameter in trained.parameters()), torch.float64)
    data = _Inputs(fixed, inputs, place, dtype, keep=False)
    for rows in data.blocks():
        with torch.no_grad():
            values = trained(data[rows]).cpu().numpy()
        yield rows, values


@contextmanager
def undisturbed() -> Iterator[None]:
    """Puts torch's generator back as it was, whatever number of threads build models at a time."""
    with _GENERATOR, torch.random.fork_rng(devices=[]):
        yield


def find_device(name: str) -> torch.device:
    """The device of that name, if torch has it."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        raise ValueError(f"device={name!r}: expected a device that torch has here, such as 'cpu'; {error}") from error
    return device


def width_of(encoder: nn.Module) -> int:
    """Width of the embedding of places."""
    return encoder(torch.zeros(1, 2, dtype=torch.float64)).shape[-1]


def arrays_of(module: nn.Module) -> Arrays:
    """The state of a module as arrays of their own."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def load(module: nn.Module, weights: Arrays) -> nn.Module:
    """Put arrays into a module, which takes their dtype."""
    module.load_state_dict({name: torch.tensor(values) for name, values in weights.items()}, assign=True)
    return module


class _Inputs:
    """Inputs behind the fixed part of the model, which is worked out once unless it is too large for that."""

    def __init__(
        self,
        fixed: nn.Module | None,
        inputs: npt.NDArray[Any],
        device: torch.device,
        dtype: torch.dtype,
        *,
        keep: bool = True,
    ) -> None:
        self._fixed = None if fixed is None else fixed.to(device).eval()
        self._inputs, self._dtype = torch.tensor(inputs, device=device), dtype
        width = self[slice(0, 1)].shape[-1]
        self._length = max(1, _BLOCK_VALUES // width)
        if keep and self._fixed is not None and len(inputs) * width <= _KEPT_VALUES:
            self._inputs = torch.cat([self[rows] for rows in self.blocks()])
            self._fixed = None

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        if self._fixed is None:
            return self._inputs[rows]
        with torch.no_grad():
            return self._fixed(self._inputs[rows]).to(self._dtype)

    def blocks(self) -> Iterator[slice]:
        """Consecutive rows."""
        return (slice(start, start + self._length) for start in range(0, len(self), self._length))


class _Data:
    """Samples as tensors; weights have mean one, or that of the classes, so that gradients keep their scale."""

    def __init__(
        self, fixed: nn.Module | None, samples: Samples, loss: Loss, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.inputs = _Inputs(fixed, samples.inputs, device, dtype)
        self.classes = loss == "log_loss" and samples.target.dtype.kind == "i"
        self.loss = loss
        self.target = torch.tensor(samples.target, dtype=torch.long if self.classes else dtype, device=device)
        self.weight = torch.tensor(samples.weight, dtype=dtype, device=device)

    def total(self, module: nn.Module, rows: slice | Tensor) -> Tensor:
        """The sum of the weighted losses of some samples."""
        outputs, target = module(self.inputs[rows]), self.target[rows]
        if self.classes:
            each = F.cross_entropy(outputs, target, reduction="none")
        elif self.loss == "log_loss":
            each = F.binary_cross_entropy_with_logits(outputs[:, 0], target, reduction="none")
        else:
            each = (outputs - target).square().mean(dim=1)
        return self.weight[rows] @ each


def _train_epoch(module: nn.Module, optimizer: torch.optim.Optimizer, data: _Data, settings: Settings) -> float:
    """One pass over the samples in random order; returns the mean loss."""
    module.train()
    n_samples, total = len(data.inputs), 0.0
    order = torch.randperm(n_samples).to(data.weight.device)
    for rows in torch.split(order, settings.batch_size or n_samples):
        optimizer.zero_grad()
        loss = data.total(module, rows)
        torch.autograd.backward(loss / len(rows))
        optimizer.step()
        total += float(loss.detach())
    if not np.isfinite(total):
        raise ValueError(
            f"learning_rate={settings.learning_rate!r}: the loss became {total}; expected a smaller learning_rate, or "
            "inputs and targets of a smaller range."
        )
    return total / n_samples


def _validate(module: nn.Module, data: _Data, settings: Settings) -> float:
    """The mean loss, without dropout."""
    module.eval()
    with torch.no_grad():
        total = sum(float(data.total(module, rows)) for rows in data.inputs.blocks())
    if not np.isfinite(total):
        raise ValueError(
            f"learning_rate={settings.learning_rate!r}: the loss became {total} on the validation data; expected a "
            "smaller learning_rate, or targets to validate on like those to train on."
        )
    return total / len(data.inputs)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators of the CPU and the device, and put them back as they were."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def _moments(optimizer: torch.optim.Optimizer, module: nn.Module) -> Arrays:
    """The state of Adam, by the names of the parameters."""
    names = [name for name, _ in module.named_parameters()]
    state = optimizer.state_dict()["state"]
    return {f"{names[i]}:{key}": value.cpu().numpy() for i, of in state.items() for key, value in of.items()}


def _set_moments(optimizer: torch.optim.Optimizer, module: nn.Module, moments: Arrays) -> None:
    """Give Adam its state back."""
    state = optimizer.state_dict()
    for i, (name, _) in enumerate(module.named_parameters()):
        of = {key.rpartition(":")[2]: value for key, value in moments.items() if key.rpartition(":")[0] == name}
        if of:
            state["state"][i] = {key: torch.tensor(value) for key, value in of.items()}
    optimizer.load_state_dict(state)
