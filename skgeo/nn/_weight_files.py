"""Tensors from files of other programs: torch's own format and safetensors. No code of the files runs."""

import io
import json
import os
import pickle
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from skgeo._output.integrity import check_file_hash
from skgeo._validation import import_optional
from skgeo.exceptions import ModelFileError
from skgeo.nn._torch_pickle import check_torch_file

__all__ = ["WeightFile"]

# torch keeps one list of allowed names for the whole process: one thread at a time extends it.
_ALLOWED_NAMES_LOCK = threading.RLock()


class WeightFile:
    """Reads a file of weights that another program wrote.

    ``caller`` is the function that the user called. ``kind`` says in errors what the file should be, and ``example``
    names such a file. ``name_of_tensor`` matches the names of the tensors that are read from safetensors. A file whose
    SHA-256 is not ``sha256`` is refused, unless ``sha256`` is None.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        caller: str,
        kind: str,
        example: str,
        name_of_tensor: re.Pattern[str],
        sha256: str | None = None,
    ) -> None:
        self.path = Path(os.fsdecode(path))
        self.name = os.fsdecode(path)
        self._caller, self._kind, self._example, self._name_of_tensor = caller, kind, example, name_of_tensor
        self._hash_known = check_file_hash(self.path, sha256)

    def foreign(self, reason: str) -> ModelFileError:
        """The error for a file with another content."""
        return ModelFileError(
            f"{self.name} is no {self._kind} that this skgeo can read: {reason}. Expected a complete file such as "
            f"{self._example}. Read files of skgeo.save with skgeo.load, and of skgeo.nn.save with skgeo.nn.load."
        )

    def read(self, content: bytes | None = None) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
        """The tensors by their names, and the hyperparameters, from the file or from ``content`` in its place."""
        if content is not None:
            return self._read_torch(io.BytesIO(content))
        with open(self.path, "rb") as stream:
            # A safetensors file begins with 8 bytes, the length of the header, and "{". No file of torch has "{" there.
            if stream.read(9)[8:] == b"{":
                return self._read_safetensors()
            stream.seek(0)
            return self._read_torch(stream)

    def find_network(self, state: Mapping[Any, Any], required: str) -> dict[str, npt.NDArray[np.floating]]:
        """The arrays of the one network in a state_dict, by their names behind its prefix.

        Each network has the tensor ``required``. Arrays have float32, or float64 if the tensor has this precision.
        """
        networks: dict[str, dict[str, Tensor]] = {}
        for key, value in state.items():
            part = self._name_of_tensor.fullmatch(key) if isinstance(key, str) else None
            if part is not None and isinstance(value, Tensor):
                networks.setdefault(part["prefix"], {})[part["name"]] = value
        # Other parts of a model can have tensors with such names, but they lack the required tensor.
        networks = {prefix: parts for prefix, parts in networks.items() if required in parts}
        if not networks:
            raise self.foreign(f"none of its tensors is named ...{required}, which a location network has")
        for parts in networks.values():
            self._check_tensors(parts)
        # Files may hold the same network twice, under two prefixes, as those of SatCLIP do.
        (_, first), *others = networks.items()
        if not all(_same(first, other) for _, other in others):
            raise self.foreign(f"it holds different networks: {', '.join(map(repr, networks))}")
        # NumPy has no bfloat16. float32 holds the numbers of all shorter types without rounding.
        return {
            name: value.detach().to(torch.promote_types(value.dtype, torch.float32)).numpy()
            for name, value in first.items()
        }

    def _check_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Refuse tensors that are no plain arrays of floats, and tensors that claim more numbers than they hold."""
        for name, value in tensors.items():
            if not value.is_floating_point():
                raise self.foreign(f"{name} has dtype {value.dtype}")
            if value.is_meta or value.layout != torch.strided:
                raise self.foreign(f"{name} is a tensor with layout {value.layout} on device {value.device.type}")
            # A tensor with strides of zero can claim more numbers than it stores.
            if value.numel() * value.element_size() > value.untyped_storage().nbytes():
                raise self.foreign(f"{name} has shape {tuple(value.shape)} and holds fewer numbers than this shape")

    def _read_safetensors(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The tensors with names of the network, and hyperparameters from the metadata."""
        safetensors = import_optional("safetensors", f"{self._caller}({self.name!r})", "torch")
        try:
            with safetensors.safe_open(self.name, "pt") as stream:
                metadata = stream.metadata() or {}
                names = [name for name in stream.keys() if self._name_of_tensor.fullmatch(name)]  # noqa: SIM118
                state = {name: stream.get_tensor(name).clone() for name in names}
        except safetensors.SafetensorError as error:
            raise self.foreign("it is cut short, damaged or of another kind") from error
        # Hyperparameters are entries of the metadata, or one entry holds all of them as JSON.
        values = {name: _plain(text) for name, text in metadata.items()}
        nested = [value for value in values.values() if isinstance(value, dict) and "legendre_polys" in value]
        return state, {name: value for each in [*nested, values] for name, value in each.items()}

    def _read_torch(self, stream: BinaryIO) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
        """The state_dict and the hyperparameters of a checkpoint, or a plain state_dict."""
        try:
            check_torch_file(stream, self.name, hash_known=self._hash_known)
        except ValueError as error:
            raise self.foreign(str(error)) from error
        content = self._unpickle(stream)
        if not isinstance(content, Mapping):
            raise self.foreign(f"it holds a {type(content).__name__}, not a dictionary")
        state, parameters = content.get("state_dict", content), content.get("hyper_parameters", {})
        if not isinstance(state, Mapping) or not isinstance(parameters, Mapping):
            raise self.foreign("its state_dict or its hyper_parameters are no dictionary")
        return state, parameters

    def _unpickle(self, stream: BinaryIO) -> Any:
        """Read a file of torch.save. Only tensors and plain values are built: no code of the file runs."""
        try:
            with _plain_values_allowed():
                return torch.load(stream, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            # torch names the first function or class that it refuses to load.
            wanted = re.search(r"GLOBAL (\S+)", str(error))
            if wanted is None:
                raise self.foreign("it is cut short, damaged or of another kind") from error
            raise ModelFileError(
                f"{self.name} wants {wanted[1]} to be called or built when it is read, which can run code: only "
                "tensors and plain values are read. If you trust who made it, load it with torch.load(path, "
                "weights_only=False) where its packages are installed, and save its state_dict and plain "
                "hyper_parameters again."
            ) from error
        except Exception as error:  # torch raises a dozen types of errors on damaged files
            raise self.foreign("it is cut short, damaged or of another kind") from error


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether two networks have the same tensors."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _plain(text: str) -> Any:
    """Parse an entry of metadata as JSON. Text that is not JSON stays text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _path_text(*parts: str) -> str:
    """Stands for the classes of pathlib: a path in a file becomes text."""
    return "/".join(map(str, parts))


class _NumpyType:
    """Stands for numpy.dtype, because a file could change a dtype of numpy for the whole process."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.big_endian = code, sys.byteorder == "big"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order, the second part of the state of a dtype."""
        if state[1] in ("<", ">"):
            self.big_endian = state[1] == ">"


def _scalar(dtype: _NumpyType, content: bytes) -> Any:
    """Stands for the function of numpy that makes scalars: a scalar in a file becomes a number or text of Python."""
    plain = np.dtype(dtype.code)
    # Bytes of numbers without a byte order, such as those of one byte, do not change.
    plain = plain.newbyteorder(">" if dtype.big_endian else "<")
    # No hyperparameter that is read is a date, a complex number or an object: their values do not matter.
    if plain.kind not in "biufU":
        return f"a scalar of type {plain}"
    return np.frombuffer(content, plain, 1)[0].item()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stands for the function that makes the bytes of scalars in old pickles. torch 2.4 does not know its name."""
    return text.encode("latin1")


def _dictionary(cls: type, *args: Any) -> dict[Any, Any]:
    """Stands for the ``__new__`` of a subclass of dict: torch fills plain dicts only."""
    return dict(*args)


def _named(function: Callable[..., Any], full_name: str) -> Callable[..., Any]:
    """A function that torch finds by this name. Its output is that of ``function``."""

    def stand_in(*args: Any) -> Any:
        """Call the function."""
        return function(*args)

    stand_in.__module__, _, stand_in.__qualname__ = full_name.rpartition(".")
    stand_in.__name__ = stand_in.__qualname__
    return stand_in


# Values that hyperparameters of checkpoints hold beside plain Python. Each name in a file is read as a stand-in, which
# makes a plain value: the classes of the file are not imported.
_PATHS = [
    f"pathlib{module}.{pure}{system}Path"
    for module in ("", "._local")
    for pure in ("", "Pure")
    for system in ("Posix", "Windows")
]
_SCALARS = [f"numpy.{core}.multiarray.scalar" for core in ("core", "_core")]
_DICTIONARIES = (
    "lightning.fabric.utilities.data",
    "lightning_fabric.utilities.data",
    "pytorch_lightning.utilities.parsing",
    "lightning.pytorch.utilities.parsing",
)
_STAND_INS: list[Any] = [
    *(_named(_path_text, name) for name in _PATHS),
    *(_named(_scalar, name) for name in _SCALARS),
    _named(_encode, "_codecs.encode"),
    # Lightning keeps hyperparameters in a dict whose keys are attributes, too.
    *(type("AttributeDict", (), {"__new__": _dictionary, "__module__": module}) for module in _DICTIONARIES),
    type("dtype", (_NumpyType,), {"__module__": "numpy"}),
]


@contextmanager
def _plain_values_allowed() -> Iterator[None]:
    """Let torch.load read the stand-ins, too. Names that the user allowed stay allowed."""
    with _ALLOWED_NAMES_LOCK:
        # Copy the list: torch 2.4 returns its own list, and the next line extends that.
        before = list(torch.serialization.get_safe_globals())
        torch.serialization.add_safe_globals(_STAND_INS)
        try:
            yield
        finally:
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(before)
