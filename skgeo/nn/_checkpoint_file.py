"""Files that hold the state of a training, so that the training can go on after an interruption."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from skgeo._output.files import load, save
from skgeo._output.integrity import reraise_as_model_file_error
from skgeo._typing import Immutable
from skgeo.nn._torch_state import RandomNumbers, check_arrays_fit, initial_state
from skgeo.nn._training import FrozenAndTrained, Samples, Settings

__all__ = ["CheckpointFile", "TrainingState", "fingerprint"]


class TrainingState(Immutable):
    """The content of a checkpoint file."""

    seed: int
    fingerprint: str
    state: dict[str, Any]

    def __init__(self, **values: Any) -> None:
        self._freeze(values)


class CheckpointFile:
    """Keeps the state of a training in a file. It is a Checkpointer of :func:`skgeo.nn._training.train`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        # Read the file now: fit refuses a wrong file before it reads the data.
        self._kept = load(path) if os.path.exists(path) else None
        if self._kept is not None and not isinstance(self._kept, TrainingState):
            kind = type(self._kept).__name__
            raise ValueError(f"checkpoint={path!r} holds a {kind}: expected a file that fit has written, or none.")

    @property
    def seed(self) -> int | None:
        """The seed of the training in the file, or None if there is no file."""
        return None if self._kept is None else self._kept.seed

    def begin(self, seed: int, fingerprint: str, max_epochs: int) -> None:
        """Refuse a file of another training, or of more epochs than ``max_epochs``."""
        self._seed, self._fingerprint = seed, fingerprint
        # Only fit knows the data, so this check cannot stand in the constructor.
        if self._kept is not None and (self._kept.seed, self._kept.fingerprint) != (seed, fingerprint):
            raise ValueError(
                f"checkpoint={self._path!r} belongs to a training with other parameters, data or random_state: "
                "expected those of the run that wrote the file (max_epochs may be larger), or another file."
            )
        n_done = 0 if self._kept is None else len(self._kept.state["losses"])
        if n_done > max_epochs:
            raise ValueError(
                f"max_epochs={max_epochs}: checkpoint={self._path!r} has {n_done} finished epochs: expected this "
                "number or more, or another file."
            )

    def read(self, module: nn.Module) -> dict[str, Any] | None:
        """The state after the last finished epoch, or None if there is no file.

        Raises ModelFileError if the state does not fit the module, because the file may be forged.
        """
        if self._kept is None:
            return None
        with reraise_as_model_file_error(os.fsdecode(self._path), ValueError, RuntimeError):
            _check_state(module, self._kept.state)
        return self._kept.state

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file by one with this state."""
        save(TrainingState(seed=self._seed, fingerprint=self._fingerprint, state=state), self._path)


def _check_state(module: nn.Module, state: dict[str, Any]) -> None:
    """Raise ValueError or RuntimeError unless a training of this module can be in this state."""
    check_arrays_fit(module, state["weights"], state["moments"])
    n_epochs, n_validated = len(state["losses"]), len(state["validation_losses"])
    _, best_epoch, kept = state["best"]
    if n_validated not in (0, n_epochs) or best_epoch > n_validated:
        raise ValueError(f"it has {n_epochs} losses, {n_validated} of validation, and the best epoch {best_epoch}")
    # With keep="last" the state has no weights of the best epoch.
    if kept:
        check_arrays_fit(module, kept, {})
    if "cpu" not in state["generators"]:
        raise ValueError("it has no random numbers of the CPU")
    # set_state raises RuntimeError if the state is no state of a generator.
    torch.Generator().set_state(torch.tensor(state["generators"]["cpu"]))


def fingerprint(
    build: Callable[[], FrozenAndTrained],
    seed: int,
    training: Samples,
    validation: Samples | None,
    settings: Settings,
) -> str:
    """Hash of the settings, the initial model and the data. A checkpoint with another hash is refused."""
    # max_epochs may grow and verbose may change from one run to the next.
    values = astuple(replace(settings, max_epochs=0, verbose=None))
    # tolist makes Python numbers: 1.0 and np.float64(1.0) then have the same text and the same hash.
    digest = hashlib.sha256(repr([np.asarray(value).tolist() for value in values]).encode())
    with RandomNumbers(seed, torch.device("cpu")).use():
        # The initial weights show a change of the network that its parameters do not show, such as a function.
        modules = [module for module in build() if module is not None]
    for part in initial_state(modules):
        digest.update(part)
    for samples in (training, validation):
        if samples is not None:
            digest.update(repr((samples.target.shape, samples.target.dtype)).encode())
            digest.update(samples.inputs.tobytes())
            # The features may be larger than memory: hash them block by block.
            for block in samples.target.blocks():
                digest.update(block.tobytes())
    return digest.hexdigest()
