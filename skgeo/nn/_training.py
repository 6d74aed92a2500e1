"""The training loop of all estimators, from arrays to arrays."""

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from skgeo._progress import progress

Arrays = dict[str, npt.NDArray[Any]]
Loss = Literal["log_loss", "squared_error", "contrastive"]

# Held while torch's generator is borrowed.
_GENERATOR = threading.RLock()  # an encoder may be a model itself
# Values of an embedding that are kept through the epochs; a larger one is worked out batch by batch.
_KEPT_VALUES = 2**27
# Values of an embedding that are worked out at a time.
_BLOCK_VALUES = 2**20


class FrozenAndTrained(NamedTuple):
    """A model as a fixed first part, which may be absent, and the part that is trained."""

    fixed: nn.Module | None
    trained: nn.Module


class Samples(NamedTuple):
    """Inputs (n, k), targets (n,) or (n, n_outputs) and weights (n,)."""

    inputs: npt.NDArray[Any]
    target: Any  # an array, or FeatureRows
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


class Checkpointer(Protocol):
    """Keeps what a run needs to go on after an interruption."""

    def read(self) -> dict[str, Any] | None:
        """What was kept last, if anything was."""

    def write(self, state: dict[str, Any]) -> None:
        """Keep the state after an epoch."""


class TrainingResult(NamedTuple):
    """What training made: weights, moments of Adam, losses by epoch, and the number of the epoch of the weights."""

    weights: Arrays
    moments: Arrays
    losses: list[float]
    validation_losses: list[float]
    epoch: int


def train(
    build: Callable[[], FrozenAndTrained],
    loss: Loss,
    training: Samples,
    validation: Samples | None,
    settings: Settings,
    seed: int,
    start: tuple[Arrays, Arrays] | None = None,
    keeper: Checkpointer | None = None,
) -> TrainingResult:
    """Train with Adam, its weight decay added to the gradient; ``start`` are weights and moments to go on from.

    All random numbers, of the initialisation, of the order of samples and of dropout, follow from the seed; torch's own
    generator is left as it was. With a keeper the run goes on where the one that it kept was interrupted, with the same
    numbers as one without interruption.
    """
    if validation is not None and not validation.weight.any():
        raise ValueError("The validation data have no weight: sample_weight_val or class_weight leaves none of them.")
    device, dtype = find_device(settings.device), getattr(torch, settings.dtype)
    numbers = _RandomNumbers(seed, device)
    with numbers.drawn():
        fixed, module = build()
    if start is not None:
        load(module, start[0])
    module = module.to(device, dtype)
    optimizer = _optimizer(module, settings)
    if start is not None:
        _set_moments(optimizer, module, start[1])
    kind = _Pairs if loss == "contrastive" else _Data
    data = kind(fixed, training, loss, device, dtype)
    held_out = None if validation is None else kind(fixed, validation, loss, device, dtype)
    losses: list[float] = []
    validation_losses: list[float] = []
    best: tuple[float, int, Arrays] = np.inf, 0, {}
    state = None if keeper is None else keeper.read()
    if state is not None:
        losses, validation_losses, best = state["losses"], state["validation_losses"], state["best"]
        _set_state(module, optimizer, numbers, state)
    with progress(settings.max_epochs, "epoch", shown=settings.verbose) as advance:
        advance(len(losses))
        while len(losses) < settings.max_epochs:
            waited = len(losses) - best[1]
            if held_out is not None and settings.patience is not None and waited >= settings.patience:
                break
            losses.append(_train_epoch(module, optimizer, numbers, data, settings))
            if held_out is not None:
                validation_losses.append(_validate(module, numbers, held_out, settings))
                if validation_losses[-1] < best[0]:
                    kept = arrays_of(module) if settings.keep == "best" else {}
                    best = validation_losses[-1], len(losses), kept
            if keeper is not None:
                course = {"losses": losses, "validation_losses": validation_losses, "best": best}
                keeper.write(course | _state(module, optimizer, numbers))
            advance(1)
    if held_out is None or settings.keep == "last":
        best = losses[-1], len(losses), arrays_of(module)
    return TrainingResult(best[2], _moments(optimizer, module), losses, validation_losses, best[1])


def apply(fixed: nn.Module | None, trained: nn.Module, inputs: npt.NDArray[Any], device: str) -> npt.NDArray[Any]:
    """The outputs (n, n_outputs) in the dtype of the parameters."""
    return np.concatenate([values for _, values in outputs(fixed, trained, inputs, device)])


def outputs(
    fixed: nn.Module | None, trained: nn.Module, inputs: npt.NDArray[Any], device: str
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """The outputs (k, n_outputs) of blocks of rows, in the dtype of the parameters; NaN where an input is missing."""
    place = find_device(device)
    trained = trained.to(place).eval()
    dtype = next((parameter.dtype for parameter in trained.parameters()), torch.float64)
    data = _Inputs(fixed, inputs, place, dtype, keep=False)
    for rows in data.blocks():
        with torch.no_grad():
            values = trained(data[rows]).cpu().numpy()
        values[np.isnan(inputs[rows]).any(axis=1)] = np.nan  # a network can make a number of NaN
        yield rows, values


@contextmanager
def preserve_rng() -> Iterator[None]:
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


def describe(build: Callable[[], FrozenAndTrained], seed: int) -> Iterator[bytes]:
    """What a model is before it is trained: its layers, and its numbers."""
    with _RandomNumbers(seed, torch.device("cpu")).drawn():
        modules = [module for module in build() if module is not None]
    for module in modules:
        yield repr(module).encode()
        for name, values in arrays_of(module).items():
            yield repr((name, values.dtype, values.shape)).encode()
            yield values.tobytes()


class _RandomNumbers:
    """The random numbers of a run, from its seed: torch's generators, lent to one thread at a time."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._gpus = [device] if device.type == "cuda" else []
        devices = [torch.device("cpu"), *self._gpus]
        self.states = {each.type: torch.Generator(each).manual_seed(seed).get_state() for each in devices}

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw from where the last drawing ended; afterwards torch's generators are as they were.

        Held for one batch, not for a training, which would keep the predictions of other threads waiting to its end.
        """
        with _GENERATOR, torch.random.fork_rng(devices=self._gpus):
            torch.default_generator.set_state(self.states["cpu"])
            for gpu in self._gpus:
                torch.cuda.set_rng_state(self.states["cuda"], gpu)
            yield
            self.states["cpu"] = torch.default_generator.get_state()
            for gpu in self._gpus:
                self.states["cuda"] = torch.cuda.get_rng_state(gpu)


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

    def batches(self, size: int | None) -> Iterable[Tensor]:
        """All samples in random order, some at a time.

        One that would be left over alone joins the batch before: of one sample BatchNorm learns nothing.
        """
        order = torch.randperm(len(self.inputs)).to(self.weight.device)
        *others, last = torch.split(order, size or len(order))
        if others and len(last) == 1 and size != 1:
            last = torch.cat([others.pop(), last])
        return [*others, last]

    def blocks(self, size: int | None) -> Iterable[slice]:
        """All samples in their order, some at a time."""
        return self.inputs.blocks()


class _Pairs(_Data):
    """Places and features of images, which are left where they are until a batch needs them."""

    def __init__(
        self, fixed: nn.Module | None, samples: Samples, loss: Loss, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.inputs = _Inputs(fixed, samples.inputs, device, dtype)
        self.features, self.device, self.dtype = samples.target, device, dtype

    def total(self, module: nn.Module, rows: slice | Tensor) -> Tensor:
        """The loss of a batch, times its pairs."""
        chosen = rows if isinstance(rows, slice) else rows.cpu().numpy()
        features = torch.as_tensor(np.asarray(self.features[chosen])).to(self.device, self.dtype)
        return module(self.inputs[rows], features) * len(features)

    def batches(self, size: int | None) -> Iterable[Tensor]:
        """Batches of the same size, but for one pair: a loss on a few pairs is another one."""
        order = torch.randperm(len(self.inputs)).to(self.device)
        return torch.tensor_split(order, _count(len(order), size))

    def blocks(self, size: int | None) -> Iterable[slice]:
        """As batches, in their order."""
        bounds = np.linspace(0, len(self.inputs), _count(len(self.inputs), size) + 1).astype(int).tolist()
        return (slice(*pair) for pair in pairwise(bounds))


def _count(n_samples: int, size: int | None) -> int:
    """Number of batches of that size or just below it; none is of one sample if two can be made."""
    return max(1, min(math.ceil(n_samples / (size or n_samples)), n_samples // 2))


def _train_epoch(
    module: nn.Module, optimizer: torch.optim.Optimizer, numbers: _RandomNumbers, data: _Data, settings: Settings
) -> float:
    """One pass over the samples in random order; returns the mean loss."""
    module.train()
    n_samples, total = len(data.inputs), 0.0
    with numbers.drawn():
        batches = data.batches(settings.batch_size)
    for rows in batches:
        optimizer.zero_grad()
        with numbers.drawn():
            loss = _total(module, data, rows)
            torch.autograd.backward(loss / len(rows))
        optimizer.step()
        total += float(loss.detach())
    if not np.isfinite(total):
        raise ValueError(
            f"learning_rate={settings.learning_rate!r}: the loss became {total}; expected a smaller learning_rate, or "
            "inputs and targets of a smaller range."
        )
    return total / n_samples


def _total(module: nn.Module, data: _Data, rows: Tensor) -> Tensor:
    """The loss of a batch; says what to do where a network cannot be trained on a single sample."""
    try:
        return data.total(module, rows)
    except ValueError as error:
        if len(rows) > 1:
            raise
        raise ValueError(
            f"The network cannot be trained on a batch of 1 sample ({str(error).rstrip('.')}), as with BatchNorm: "
            f"expected at least 2 samples to train on, here {len(data.inputs)}, and batch_size=None or 2 and more."
        ) from error


def _validate(module: nn.Module, numbers: _RandomNumbers, data: _Data, settings: Settings) -> float:
    """The mean loss, without dropout."""
    module.eval()
    total = 0.0
    for rows in data.blocks(settings.batch_size):
        with torch.no_grad(), numbers.drawn():
            total += float(data.total(module, rows))
    if not np.isfinite(total):
        raise ValueError(
            f"learning_rate={settings.learning_rate!r}: the loss became {total} on the validation data; expected a "
            "smaller learning_rate, or targets to validate on like those to train on."
        )
    return total / len(data.inputs)


def _optimizer(module: nn.Module, settings: Settings) -> torch.optim.Adam:
    """Adam; single numbers, such as a temperature, are not drawn toward zero."""
    parameters = list(module.parameters())
    groups = [{"params": [each for each in parameters if each.ndim]}]
    if any(each.ndim == 0 for each in parameters):
        groups.append({"params": [each for each in parameters if each.ndim == 0], "weight_decay": 0.0})  # type: ignore[dict-item]
    return torch.optim.Adam(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _state(module: nn.Module, optimizer: torch.optim.Optimizer, numbers: _RandomNumbers) -> dict[str, Any]:
    """All that the next epoch depends on."""
    generators = {name: state.numpy() for name, state in numbers.states.items()}
    return {"weights": arrays_of(module), "moments": _moments(optimizer, module), "generators": generators}


def _set_state(
    module: nn.Module, optimizer: torch.optim.Optimizer, numbers: _RandomNumbers, state: dict[str, Any]
) -> None:
    """Be where a run was when ``_state`` was called."""
    module.load_state_dict({name: torch.tensor(values) for name, values in state["weights"].items()})
    _set_moments(optimizer, module, state["moments"])
    numbers.states = {name: torch.tensor(values) for name, values in state["generators"].items()}


def _moments(optimizer: torch.optim.Optimizer, module: nn.Module) -> Arrays:
    """The state of Adam, by the names of the parameters."""
    names = _names(optimizer, module)
    state = optimizer.state_dict()["state"]
    return {f"{names[i]}:{key}": value.cpu().numpy() for i, of in state.items() for key, value in of.items()}


def _set_moments(optimizer: torch.optim.Optimizer, module: nn.Module, moments: Arrays) -> None:
    """Give Adam its state back."""
    state = optimizer.state_dict()
    for i, name in enumerate(_names(optimizer, module)):
        of = {key.rpartition(":")[2]: value for key, value in moments.items() if key.rpartition(":")[0] == name}
        if of:
            state["state"][i] = {key: torch.tensor(value) for key, value in of.items()}
    optimizer.load_state_dict(state)


def _names(optimizer: torch.optim.Optimizer, module: nn.Module) -> list[str]:
    """Names of the parameters in the order of the optimizer."""
    by_id = {id(parameter): name for name, parameter in module.named_parameters()}
    return [by_id[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
