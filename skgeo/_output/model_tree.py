"""A model as a tree of JSON values beside its arrays, and back, building known classes only."""

import math
import reprlib
from collections import UserList
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import is_lazy

__all__ = ["PLAIN", "SavedClass", "TreeReader", "TreeWriter"]

# Kinds of dtype that are plain bytes: booleans, integers, floats, complex, dates and durations, str, bytes.
PLAIN = "biufcMmUS"


class SavedClass(NamedTuple):
    """How objects of one class are taken apart and built again."""

    cls: type
    state: Callable[[Any], Mapping[str, Any]]
    build: Callable[[Any], object]


class TreeWriter:
    """Takes a model apart.

    JSON's own values stand for themselves; all others are an object of one key, which says how to read it. Objects are
    listed in ``objects``, each once and after its parts; arrays in ``arrays``, by their names in the file.

    ``instead`` ends the error for a value that cannot be saved: a sentence that says what can, and what to do.
    """

    def __init__(self, kinds: Mapping[str, SavedClass], instead: str) -> None:
        self._instead = instead
        self.objects: list[dict[str, object]] = []
        self.arrays: dict[str, npt.NDArray[Any]] = {}
        self._names = {kind.cls: name for name, kind in kinds.items()}
        self._kinds = kinds
        self._numbers: dict[int, int] = {}  # of the objects written so far, by id: parts that are shared stay shared

    def write(self, model: object) -> None:
        """Take a model apart; it becomes the last of the objects."""
        name = type(model).__name__
        if type(model) not in self._names:
            self._refuse(model, "model")
        try:
            self._object(model, name)
        except RecursionError:
            raise TypeError(f"{name} contains itself, or is nested too deeply to be saved.") from None

    def _object(self, value: Any, where: str) -> dict[str, int]:
        number = self._numbers.get(id(value))
        if number is None:
            name = self._names[type(value)]
            state = self._kinds[name].state(value)
            written = {key: self._value(part, f"{where}.{key}") for key, part in state.items()}
            self.objects.append({"class": name, "state": written})
            number = self._numbers[id(value)] = len(self.objects) - 1
        return {"object": number}

    def _value(self, value: Any, where: str) -> object:
        if isinstance(value, np.generic) or type(value) in (np.ndarray, np.memmap):
            return self._array(value, where)
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if type(value) is list or isinstance(value, UserList):  # scikit-learn's list that warns when it is read
            return [self._value(part, f"{where}[{i}]") for i, part in enumerate(getattr(value, "data", value))]
        if type(value) is tuple:
            return {"tuple": self._value(list(value), where)}
        if type(value) is slice:
            return {"slice": self._value([value.start, value.stop, value.step], where)}
        if isinstance(value, np.dtype) and value.kind in PLAIN:
            return {"dtype": value.str}
        if isinstance(value, type) and issubclass(value, np.generic) and _is_scalar_type(value):
            return {"scalar_type": np.dtype(value).str}
        if type(value) is dict:
            return self._dict(value, where)
        if type(value) in self._names:
            return self._object(value, where)
        return self._refuse(value, where)

    def _dict(self, value: dict[Any, Any], where: str) -> object:
        """JSON has text as keys only: with others, such as classes that are integers, a dict is a list of pairs."""
        parts = {key: self._value(part, f"{where}[{key!r}]") for key, part in value.items()}
        if all(type(key) is str for key in parts):
            return {"dict": parts}
        return {"items": [[self._value(key, f"{where} key"), part] for key, part in parts.items()]}

    def _array(self, value: Any, where: str) -> object:
        if value.dtype == object and all(type(part) is str for part in value.flat):
            return {"strings": value.ravel().tolist(), "shape": list(value.shape)}
        if value.dtype == object:
            parts = [self._value(part, f"{where}.flat[{i}]") for i, part in enumerate(value.flat)]
            return {"parts": parts, "shape": list(value.shape)}
        if value.dtype.kind not in PLAIN:
            self._refuse(value, where)
        name = f"array_{len(self.arrays)}"
        self.arrays[name] = np.asarray(value)
        return {"scalar" if isinstance(value, np.generic) else "array": name}

    def _refuse(self, value: object, where: str) -> object:
        if is_lazy(value):
            raise TypeError(
                f"{where} is chunked: compute it first, {where.split('.')[-1]}.compute(); a file holds numbers."
            )
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        kind += f" of dtype {value.dtype}" if isinstance(value, np.ndarray | np.generic) else ""
        raise TypeError(
            f"{_shortened(where, 80)}={_shortened(repr(value), 24)} cannot be saved: it is a {_shortened(kind, 60)}. "
            f"{self._instead}"
        )


class TreeReader:
    """Puts a model together from what TreeWriter wrote; anything else raises one of ``errors``."""

    errors = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)

    def __init__(self, kinds: Mapping[str, SavedClass], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._kinds, self._arrays = kinds, arrays
        self._objects: list[object] = []

    def read(self, objects: list[dict[str, Any]]) -> object:
        """Build all objects and return the last."""
        for written in objects:
            name = written["class"]
            if name not in self._kinds:
                raise ValueError(f"it holds a {_shortened(str(name), 60)}, which is no class that files may hold")
            state = {key: self._value(part) for key, part in written["state"].items()}
            self._objects.append(self._kinds[name].build(state))
        return self._objects[-1]

    def _value(self, written: Any) -> object:
        if isinstance(written, list):
            return [self._value(part) for part in written]
        if not isinstance(written, dict):
            return written
        match tuple(written.items()):
            case (("float", str(text)),):
                return float(text)
            case (("tuple", list(parts)),):
                return tuple(self._value(part) for part in parts)
            case (("slice", [start, stop, step]),):
                return slice(self._value(start), self._value(stop), self._value(step))
            case (("dtype", str(text)),):
                return np.dtype(text)
            case (("scalar_type", str(text)),):
                return np.dtype(text).type
            case (("dict", dict(parts)),):
                return {key: self._value(part) for key, part in parts.items()}
            case (("items", list(pairs)),):
                items = {self._value(key): self._value(part) for key, part in pairs}
                if len(items) == len(pairs):
                    return items
            case (("strings", list(parts)), ("shape", list(shape))):
                return np.array(parts, dtype=object).reshape(shape)
            case (("parts", list(parts)), ("shape", list(shape))):
                objects = np.empty(len(parts), dtype=object)
                for i, part in enumerate(parts):  # one by one: arrays of one length are no table here
                    objects[i] = self._value(part)
                return objects.reshape(shape)
            case (("array", str(name)),):
                return self._arrays[name]
            case (("scalar", str(name)),):
                return self._arrays[name][()]
            case (("object", int(number)),) if number >= 0:
                return self._objects[number]
        raise ValueError(f"it holds a value of an unknown kind, {reprlib.repr(written)}")


def _is_scalar_type(value: type[np.generic]) -> bool:
    """Whether the type is that of numbers in an array, and not abstract as numpy.floating is."""
    try:
        dtype = np.dtype(value)
    except TypeError:
        return False
    return dtype.kind in PLAIN and dtype.type is value


def _shortened(text: str, length: int) -> str:
    """One line of at most that length, its middle left out where it would be longer."""
    text = " ".join(text.split())
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]}...{text[-half:]}"
