"""The training loop of all estimators, from arrays to arrays."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from skgeo._kernels.threads import row_blocks
from skgeo._validation import progress
from skgeo.nn._presence_losses import PresenceOnlyLoss
from skgeo.nn._torch_state import (
    Arrays,
    RandomNumbers,
    arrays_of,
    find_device,
    load_arrays,
    load_moments,
    moments_of,
)

Loss = Literal["log_loss", "squared_error", "contrastive"]

# Largest number of values of an embedding that stay in memory between epochs: 0.5 GB of float32. A larger embedding is
# computed again for every batch.
_MAX_KEPT_VALUES = 2**27
# Largest number of values of an embedding that one call of the frozen module computes.
_VALUES_PER_BLOCK = 2**20


class FrozenAndTrained(NamedTuple):
    """A model in two parts: a frozen module, or None, and a module that is trained on its output."""

    frozen: nn.Module | None
    trained: nn.Module


class Samples(NamedTuple):
    """Inputs (n, k), targets (n,) or (n, n_outputs) and weights (n,)."""

    inputs: npt.NDArray[Any]
    target: Any  # an array or FeatureRows
    weight: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """The checked parameters of a training. Checkpoints hash the values in this order."""

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
    """Keeps the state of a training, so that the training can go on after an interruption."""

    def read(self, module: nn.Module) -> dict[str, Any] | None:
        """The state of the module after the last finished epoch, or None if the training is new."""

    def write(self, state: dict[str, Any]) -> None:
        """Keep the state after an epoch."""


class TrainingResult(NamedTuple):
    """The kept weights and their epoch (from 1), the last moments of Adam, and the losses of each epoch."""

    weights: Arrays
    moments: Arrays
    losses: list[float]
    validation_losses: list[float]
    epoch: int


def train(
    build: Callable[[], FrozenAndTrained],
    loss: Loss | PresenceOnlyLoss,
    training: Samples,
    validation: Samples | None,
    settings: Settings,
    seed: int,
    start: tuple[Arrays, Arrays] | None = None,
    checkpointer: Checkpointer | None = None,
) -> TrainingResult:
    """Train the model of ``build`` with Adam, whose weight decay is added to the gradient.

    ``start`` holds weights and moments of Adam to begin with. All random numbers follow from the seed: those of the
    initialisation, of the order of samples and of dropout. torch's own generator is left as it was. With a checkpointer
    an interrupted training continues, and the result is that of a training without interruption.
    """
    if validation is not None and not validation.weight.any():
        raise ValueError(
            "The validation data have no weight: sample_weight_val or class_weight gives all samples the weight zero."
        )
    # 1. The model: new random weights, or those of ``start``.
    device, dtype = find_device(settings.device), getattr(torch, settings.dtype)
    numbers = RandomNumbers(seed, device)
    with numbers.use():
        frozen, module = build()
    if start is not None:
        load_arrays(module, start[0])
    module = module.to(device, dtype)
    optimizer = _make_optimizer(module, settings)
    if start is not None:
        load_moments(optimizer, module, start[1])
    # 2. The data, on the device.
    data = _make_data(frozen, training, loss, device, dtype)
    held_out = None if validation is None else _make_data(frozen, validation, loss, device, dtype)
    losses: list[float] = []
    validation_losses: list[float] = []
    # The smallest validation loss, its epoch (from 1), and the weights after this epoch.
    best: tuple[float, int, Arrays] = np.inf, 0, {}
    # 3. The state of an interrupted training, if there is one.
    state = None if checkpointer is None else checkpointer.read(module)
    if state is not None:
        losses, validation_losses, best = state["losses"], state["validation_losses"], state["best"]
        _restore_state(module, optimizer, numbers, state)
    # 4. The epochs.
    with progress(settings.max_epochs, "epoch", shown=settings.verbose) as advance:
        advance(len(losses))
        while len(losses) < settings.max_epochs:
            # Test before the epoch, because a resumed training may have been finished already.
            epochs_since_best = len(losses) - best[1]
            if held_out is not None and settings.patience is not None and epochs_since_best >= settings.patience:
                break
            losses.append(_train_epoch(module, optimizer, numbers, data, settings))
            if held_out is not None:
                validation_losses.append(_validate(module, numbers, held_out, settings))
                if validation_losses[-1] < best[0]:
                    kept = arrays_of(module) if settings.keep == "best" else {}
                    best = validation_losses[-1], len(losses), kept
            if checkpointer is not None:
                history = {"losses": losses, "validation_losses": validation_losses, "best": best}
                checkpointer.write(history | _state_of(module, optimizer, numbers))
            advance(1)
    # Without validation, or if the caller asks for the last weights, those of the last epoch are kept.
    if held_out is None or settings.keep == "last":
        best = losses[-1], len(losses), arrays_of(module)
    return TrainingResult(best[2], moments_of(optimizer, module), losses, validation_losses, best[1])


def predict(frozen: nn.Module | None, trained: nn.Module, inputs: npt.NDArray[Any], device: str) -> npt.NDArray[Any]:
    """The outputs (n, n_outputs) in the dtype of the parameters; NaN where an input is missing."""
    return np.concatenate([values for _, values in predict_blocks(frozen, trained, inputs, device)])


def predict_blocks(
    frozen: nn.Module | None, trained: nn.Module, inputs: npt.NDArray[Any], device: str
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """The outputs (k, n_outputs) for blocks of rows, in the dtype of the parameters; NaN where an input is missing."""
    place = find_device(device)
    trained = trained.to(place).eval()
    dtype = next((parameter.dtype for parameter in trained.parameters()), torch.float64)
    data = _Inputs(frozen, inputs, place, dtype, keep=False)
    for rows in data.blocks():
        with torch.no_grad():
            values = trained(data[rows]).cpu().numpy()
        # A network can turn NaN into a number, for instance by a comparison: set NaN again.
        values[np.isnan(inputs[rows]).any(axis=1)] = np.nan
        yield rows, values


def width_of(encoder: nn.Module) -> int:
    """Number of columns that an encoder of places gives."""
    return encoder(torch.zeros(1, 2, dtype=torch.float64)).shape[-1]


class _Inputs:
    """Inputs of the trained module. The frozen module computes them once, unless they are too large to keep."""

    def __init__(
        self,
        frozen: nn.Module | None,
        inputs: npt.NDArray[Any],
        device: torch.device,
        dtype: torch.dtype,
        *,
        keep: bool = True,
    ) -> None:
        self._frozen = None if frozen is None else frozen.to(device).eval()
        self._inputs, self._dtype = torch.tensor(inputs, device=device), dtype
        # The first row shows the width of the embedding.
        self._width = self[slice(0, 1)].shape[-1]
        if keep and self._frozen is not None and len(inputs) * self._width <= _MAX_KEPT_VALUES:
            self._inputs = torch.cat([self[rows] for rows in self.blocks()])
            self._frozen = None

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        if self._frozen is None:
            return self._inputs[rows]
        with torch.no_grad():
            return self._frozen(self._inputs[rows]).to(self._dtype)

    def blocks(self) -> list[slice]:
        """Consecutive rows that one call of the frozen module takes."""
        return row_blocks(len(self), self._width, _VALUES_PER_BLOCK)


class _Data:
    """Samples as tensors. The weights have mean one, or the mean of the class weights, to keep gradients in scale."""

    def __init__(
        self, frozen: nn.Module | None, samples: Samples, loss: Loss, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.inputs = _Inputs(frozen, samples.inputs, device, dtype)
        # Integer targets are codes of three or more classes; two classes are 0.0 and 1.0.
        self.classes = loss == "log_loss" and samples.target.dtype.kind == "i"
        self.loss = loss
        self.target = torch.tensor(samples.target, dtype=torch.long if self.classes else dtype, device=device)
        self.weight = torch.tensor(samples.weight, dtype=dtype, device=device)

    def total(self, module: nn.Module, rows: slice | Tensor) -> Tensor:
        """The sum of the weighted losses of some samples."""
        outputs, target = module(self.inputs[rows]), self.target[rows]
        if self.classes:
            sample_losses = F.cross_entropy(outputs, target, reduction="none")
        elif self.loss == "log_loss":
            sample_losses = F.binary_cross_entropy_with_logits(outputs[:, 0], target, reduction="none")
        else:
            sample_losses = (outputs - target).square().mean(dim=1)
        return self.weight[rows] @ sample_losses

    def batches(self, size: int | None) -> Iterable[Tensor]:
        """Batches of all samples in random order.

        If the last batch has one sample only, it joins the batch before: BatchNorm cannot learn from one sample.
        """
        order = torch.randperm(len(self.inputs)).to(self.weight.device)
        *others, last = torch.split(order, size or len(order))
        if others and len(last) == 1 and size != 1:
            last = torch.cat([others.pop(), last])
        return [*others, last]

    def blocks(self, size: int | None) -> Iterable[slice]:
        """Blocks of all samples in their order. The sum of losses does not depend on ``size``, which is unused."""
        return self.inputs.blocks()


class _Pairs(_Data):
    """Places and features of images. The features stay where they are, maybe on a disk, until a batch needs them."""

    def __init__(
        self, frozen: nn.Module | None, samples: Samples, loss: Loss, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.inputs = _Inputs(frozen, samples.inputs, device, dtype)
        self.features, self.device, self.dtype = samples.target, device, dtype

    def total(self, module: nn.Module, rows: slice | Tensor) -> Tensor:
        """The mean loss of a batch times its number of pairs."""
        chosen = rows if isinstance(rows, slice) else rows.cpu().numpy()
        features = torch.as_tensor(np.asarray(self.features[chosen])).to(self.device, self.dtype)
        return module(self.inputs[rows], features) * len(features)

    def batches(self, size: int | None) -> Iterable[Tensor]:
        """Batches in random order. Sizes differ by one pair at most, because the loss depends on the size."""
        order = torch.randperm(len(self.inputs)).to(self.device)
        return torch.tensor_split(order, _batch_count(len(order), size))

    def blocks(self, size: int | None) -> Iterable[slice]:
        """Blocks of the sizes of batches, in the order of the pairs."""
        n_pairs = len(self.inputs)
        bounds = np.linspace(0, n_pairs, _batch_count(n_pairs, size) + 1).astype(int).tolist()
        return (slice(*pair) for pair in pairwise(bounds))


class _Presences(_Data):
    """Presence-only records, and the background with which their loss compares them."""

    def __init__(
        self,
        frozen: nn.Module | None,
        samples: Samples,
        loss: PresenceOnlyLoss,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.inputs = _Inputs(frozen, samples.inputs, device, dtype)
        self.background = _Inputs(frozen, loss.background, device, dtype)
        self.presence_loss = loss
        self.target = torch.tensor(samples.target, device=device)
        self.weight = torch.tensor(samples.weight, dtype=dtype, device=device)

    def total(self, module: nn.Module, rows: slice | Tensor) -> Tensor:
        """The sum of the weighted losses of some records.

        Training draws background places for each step. Validation takes the whole background.
        """
        loss, present = self.presence_loss, self.presence_loss.indicators(self.target[rows])
        if module.training:
            drawn, log_share = loss.draw()
            # One pass through the network, so that layers such as BatchNorm see records and background together.
            inputs = torch.cat([self.inputs[rows], self.background[drawn.to(self.weight.device)]])
            logits, background = module(inputs).split([len(present), len(drawn)])
            statistic = loss.statistic(background, log_share)
        else:
            logits, log_share = module(self.inputs[rows]), torch.from_numpy(np.log(loss.background_weight))
            blocks = self.background.blocks()
            statistic = loss.merge([loss.statistic(module(self.background[each]), log_share[each]) for each in blocks])
        return loss.total(logits, present, self.weight[rows], statistic)


def _make_data(
    frozen: nn.Module | None,
    samples: Samples,
    loss: Loss | PresenceOnlyLoss,
    device: torch.device,
    dtype: torch.dtype,
) -> _Data:
    """Samples on the device, with their loss."""
    if isinstance(loss, PresenceOnlyLoss):
        return _Presences(frozen, samples, loss, device, dtype)
    return (_Pairs if loss == "contrastive" else _Data)(frozen, samples, loss, device, dtype)


def _batch_count(n_samples: int, size: int | None) -> int:
    """Number of batches of at most ``size`` samples. From two samples on, no batch has only one sample."""
    return max(1, min(math.ceil(n_samples / (size or n_samples)), n_samples // 2))


def _train_epoch(
    module: nn.Module, optimizer: torch.optim.Optimizer, numbers: RandomNumbers, data: _Data, settings: Settings
) -> float:
    """Train on all samples once, in random order. Returns the mean loss."""
    module.train()
    n_samples, total = len(data.inputs), 0.0
    with numbers.use():
        batches = data.batches(settings.batch_size)
    for rows in batches:
        optimizer.zero_grad()
        # Dropout draws in the forward pass. Networks that recompute their layers draw in the backward pass, too.
        with numbers.use():
            loss = _batch_loss(module, data, rows)
            torch.autograd.backward(loss / len(rows))
        optimizer.step()
        total += float(loss.detach())
    if not np.isfinite(total):
        raise ValueError(
            f"learning_rate={settings.learning_rate!r}: the loss became {total}; expected a smaller learning_rate, or "
            "inputs and targets of a smaller range."
        )
    return total / n_samples


def _batch_loss(module: nn.Module, data: _Data, rows: Tensor) -> Tensor:
    """The loss of a batch. The error for a single sample, which BatchNorm refuses, says what to do."""
    try:
        return data.total(module, rows)
    except ValueError as error:
        if len(rows) > 1:
            raise
        raise ValueError(
            f"The network cannot be trained on a batch of 1 sample, perhaps because of BatchNorm "
            f"({str(error).rstrip('.')}): expected at least 2 samples to train on, here {len(data.inputs)}, and "
            "batch_size=None or at least 2."
        ) from error


def _validate(module: nn.Module, numbers: RandomNumbers, data: _Data, settings: Settings) -> float:
    """The mean loss on held-out samples, without dropout."""
    module.eval()
    total = 0.0
    for rows in data.blocks(settings.batch_size):
        # A network of the user may draw random numbers in evaluation mode, too.
        with torch.no_grad(), numbers.use():
            total += float(data.total(module, rows))
    if not np.isfinite(total):
        raise ValueError(
            f"learning_rate={settings.learning_rate!r}: the loss became {total} on the validation data; expected a "
            "smaller learning_rate, or validation targets of the range of the training targets."
        )
    return total / len(data.inputs)


def _make_optimizer(module: nn.Module, settings: Settings) -> torch.optim.Adam:
    """Adam. Weight decay does not act on parameters that are single numbers, such as the temperature."""
    parameters = list(module.parameters())
    groups: list[dict[str, Any]] = [{"params": [parameter for parameter in parameters if parameter.ndim]}]
    numbers = [parameter for parameter in parameters if parameter.ndim == 0]
    if numbers:
        groups.append({"params": numbers, "weight_decay": 0.0})
    return torch.optim.Adam(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _state_of(module: nn.Module, optimizer: torch.optim.Optimizer, numbers: RandomNumbers) -> dict[str, Any]:
    """Everything that the next epoch depends on."""
    generators = {name: state.numpy() for name, state in numbers.states.items()}
    return {"weights": arrays_of(module), "moments": moments_of(optimizer, module), "generators": generators}


def _restore_state(
    module: nn.Module, optimizer: torch.optim.Optimizer, numbers: RandomNumbers, state: dict[str, Any]
) -> None:
    """Put a training back to a state of ``_state_of``."""
    # The optimizer holds the parameters of the module: copy the numbers into them, and do not assign new ones.
    module.load_state_dict({name: torch.tensor(values) for name, values in state["weights"].items()})
    load_moments(optimizer, module, state["moments"])
    numbers.states = {name: torch.tensor(values) for name, values in state["generators"].items()}
