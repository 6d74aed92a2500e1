"""Conversion of a model to a tree of JSON values and arrays, and back. Only known classes are built."""

import math
import reprlib
from collections import UserList
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import is_lazy
from skgeo._input.numbers import shortened

__all__ = ["PLAIN_KINDS", "SavedClass", "TreeReader", "TreeWriter"]

# Kinds of dtype that are plain bytes: booleans, integers, floats, complex, dates and durations, str, bytes.
PLAIN_KINDS = "biufcMmUS"
# Largest number of objects in a file, and in one object with all repetitions. Pipelines hold tens.
MAX_OBJECTS = 10_000


def _accept(value: object) -> None:
    """Accept a value: the default of ``SavedClass.check``."""


class SavedClass(NamedTuple):
    """A class that files may hold.

    ``state`` gives the parts of an object, and ``build`` makes an object of parts. ``check`` raises ValueError if
    ``build`` would refuse the parts of an object.
    """

    cls: type
    state: Callable[[Any], Mapping[str, Any]]
    build: Callable[[Any], object]
    check: Callable[[Any], object] = _accept


FindClass = Callable[[str], SavedClass | None]
"""Finds the class with a name in files; None if files may not hold it."""


class TreeWriter:
    """Takes a model apart into JSON values and arrays.

    A value that JSON knows stands for itself. Any other value becomes a JSON object, and its first key says how to read
    the value. ``objects`` lists each object once and after its parts. ``arrays`` holds the arrays by their
    names in the file.

    ``name_in_files`` gives the name of a class, or None if files may not hold it. ``instead`` is the last sentence of
    the error for a value that cannot be saved: it says which values can, and what to do.
    """

    def __init__(self, find_class: FindClass, name_in_files: Callable[[type], str | None], instead: str) -> None:
        self._find_class, self._name_in_files, self._instead = find_class, name_in_files, instead
        self.objects: list[dict[str, object]] = []
        self.arrays: dict[str, npt.NDArray[Any]] = {}
        # Positions in ``objects`` by id: a part that two objects share is written once and stays shared.
        self._positions: dict[int, int] = {}

    def write(self, model: object) -> None:
        """Take a model apart. The model becomes the last of the objects."""
        # The first error names the class; later errors name the attribute, such as "Pipeline.steps[0]".
        name = type(model).__name__
        if self._name_in_files(type(model)) is None:
            self._refuse(model, "model")
        try:
            self._value(model, name)
        except RecursionError:
            raise TypeError(f"{name} contains itself, or is nested too deeply to be saved.") from None

    def _value(self, value: Any, where: str) -> object:
        """The JSON value for ``value``. ``where`` is its place in the model, for errors."""
        if isinstance(value, np.generic) or type(value) in (np.ndarray, np.memmap):
            return self._array(value, where)
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        # RidgeClassifierCV and others hold a UserList that warns when it is read: take the list inside.
        if type(value) is list or isinstance(value, UserList):
            return [self._value(part, f"{where}[{i}]") for i, part in enumerate(getattr(value, "data", value))]
        if type(value) is tuple:
            return {"tuple": self._value(list(value), where)}
        if type(value) is slice:
            return {"slice": self._value([value.start, value.stop, value.step], where)}
        if isinstance(value, np.dtype) and value.kind in PLAIN_KINDS:
            return {"dtype": value.str}
        if isinstance(value, type) and issubclass(value, np.generic) and _is_scalar_type(value):
            return {"scalar_type": np.dtype(value).str}
        if type(value) is dict:
            return self._dict(value, where)
        name = self._name_in_files(type(value))
        return self._refuse(value, where) if name is None else self._object(value, name, where)

    def _object(self, value: Any, name: str, where: str) -> dict[str, int]:
        """A reference to an object by its position in ``objects``; appends the object if it is new."""
        position = self._positions.get(id(value))
        if position is None:
            saved_class = self._find_class(name)
            assert saved_class is not None
            state = saved_class.state(value)
            # The parts append themselves before the object: a reader has built them when it comes to the object.
            written = {key: self._value(part, f"{where}.{key}") for key, part in state.items()}
            # This check follows the parts: the error about a part that cannot be saved says more.
            saved_class.check(value)
            self.objects.append({"class": name, "state": written})
            position = self._positions[id(value)] = len(self.objects) - 1
        return {"object": position}

    def _dict(self, value: dict[Any, Any], where: str) -> object:
        """The JSON value of a dict. JSON has text keys only: a dict with other keys becomes a list of pairs."""
        parts = {key: self._value(part, f"{where}[{key!r}]") for key, part in value.items()}
        if all(type(key) is str for key in parts):
            return {"dict": parts}
        return {"items": [[self._value(key, f"{where} key"), part] for key, part in parts.items()]}

    def _array(self, value: Any, where: str) -> object:
        """A reference to an array. Arrays of Python objects have no plain bytes and become lists."""
        if value.dtype == object and all(type(part) is str for part in value.flat):
            return {"strings": value.ravel().tolist(), "shape": list(value.shape)}
        if value.dtype == object:
            parts = [self._value(part, f"{where}.flat[{i}]") for i, part in enumerate(value.flat)]
            return {"parts": parts, "shape": list(value.shape)}
        # Structured and void types may hide Python objects.
        if value.dtype.kind not in PLAIN_KINDS:
            self._refuse(value, where)
        # Arrays are numbered in the order of the tree, so that the same model gives the same file.
        name = f"array_{len(self.arrays)}"
        self.arrays[name] = np.asarray(value)
        return {"scalar" if isinstance(value, np.generic) else "array": name}

    def _refuse(self, value: object, where: str) -> object:
        """Raise TypeError: the value cannot be saved."""
        if is_lazy(value):
            raise TypeError(
                f"{where} is chunked: compute it first, {where.split('.')[-1]}.compute(); a file holds numbers."
            )
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        kind += f" of dtype {value.dtype}" if isinstance(value, np.ndarray | np.generic) else ""
        name, cure = where.split(".")[-1], ""
        # Files hold no names of columns: only the user knows whether an array gives the same model.
        if hasattr(value, "to_numpy"):
            cure = f" Give an array, set_params({name}={name}.to_numpy())."
        elif hasattr(value, "best_estimator_"):
            cure = f" Save {where}.best_estimator_."
        raise TypeError(
            f"{shortened(where, 80)}={shortened(repr(value), 24)} cannot be saved: it is a {shortened(kind, 60)}."
            f"{cure} {self._instead}"
        )


class TreeReader:
    """Builds a model from the objects and arrays of TreeWriter. Any other content raises one of ``errors``."""

    errors = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)

    def __init__(self, find_class: FindClass, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._find_class, self._arrays = find_class, dict(arrays)
        self._objects: list[object] = []
        # Number of objects in each object, itself and repetitions included.
        self._counts: list[int] = []
        self._count = 0

    def read(self, objects: list[dict[str, Any]]) -> object:
        """Build all objects and return the last."""
        if not isinstance(objects, list) or len(objects) > MAX_OBJECTS:
            raise ValueError(f"it holds no list of at most {MAX_OBJECTS} objects")
        for written in objects:
            self._count = 1
            name = str(written["class"])
            saved_class = self._find_class(name)
            if saved_class is None:
                raise ValueError(f"it holds a {shortened(name, 60)}, which is no class that files may hold")
            state = {key: self._value(part) for key, part in written["state"].items()}
            self._objects.append(saved_class.build(state))
            self._counts.append(self._count)
        return self._objects[-1]

    def _value(self, written: Any) -> object:
        """The value that a JSON value stands for."""
        if isinstance(written, list):
            return [self._value(part) for part in written]
        if not isinstance(written, dict):
            return written
        # Each pattern has the exact keys and types that TreeWriter writes: a file cannot mix or extend the forms.
        match tuple(written.items()):
            case (("float", str(text)),):
                return float(text)
            case (("tuple", list(parts)),):
                return tuple(self._value(part) for part in parts)
            case (("slice", [start, stop, step]),):
                return slice(self._value(start), self._value(stop), self._value(step))
            case (("dtype", str(text)),):
                return _plain_dtype(text)
            case (("scalar_type", str(text)),):
                return _plain_dtype(text).type
            case (("dict", dict(parts)),):
                return {key: self._value(part) for key, part in parts.items()}
            case (("items", list(pairs)),):
                items = {self._value(key): self._value(part) for key, part in pairs}
                if len(items) == len(pairs):  # every key stands there once
                    return items
            case (("strings", list(parts)), ("shape", list(shape))):
                return np.array(parts, dtype=object).reshape(shape)
            case (("parts", list(parts)), ("shape", list(shape))):
                objects = np.empty(len(parts), dtype=object)
                # Assign one by one: numpy would turn arrays of equal length into a table.
                for i, part in enumerate(parts):
                    objects[i] = self._value(part)
                return objects.reshape(shape)
            case (("array", str(name)),):
                # The writer gives every array a name of its own. Repetitions would take more memory than the file.
                return self._arrays.pop(name)
            case (("scalar", str(name)),):
                return self._arrays.pop(name)[()]
            case (("object", int(number)),) if type(number) is int and number >= 0:
                # Each object may hold the one before it twice: the last of 60 would have 2^60 parts, too many to print.
                self._count += self._counts[number]
                if self._count > MAX_OBJECTS:
                    raise ValueError(f"an object holds more than {MAX_OBJECTS} others")
                return self._objects[number]
        raise ValueError(f"it holds a value of an unknown kind, {reprlib.repr(written)}")


def _plain_dtype(text: str) -> np.dtype[Any]:
    """The dtype with this name, if its values are plain bytes."""
    dtype = np.dtype(text)
    if dtype.kind not in PLAIN_KINDS:
        raise ValueError(f"it holds the dtype {shortened(text, 40)}, which is not one of plain bytes")
    return dtype


def _is_scalar_type(value: type[np.generic]) -> bool:
    """Whether arrays can hold this type: numpy.float64 is such a type, the abstract numpy.floating is not."""
    return value in np.sctypeDict.values() and np.dtype(value).kind in PLAIN_KINDS
