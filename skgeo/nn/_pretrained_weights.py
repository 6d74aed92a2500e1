"""The base of published weights: arrays that never change, and the torch modules of these arrays."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from skgeo._typing import Immutable
from skgeo.nn._base_transformer import EncoderAndNetwork

__all__ = ["PretrainedWeights", "check_shapes"]


class PretrainedWeights(Immutable, ABC):
    """Arrays of a published network. All copies of an estimator share them."""

    arrays: Mapping[str, npt.NDArray[np.floating]]
    n_outputs: int
    # The beginning of the names of the columns.
    column_prefix: ClassVar[str]
    # The sizes that the representation shows.
    _shown: ClassVar[tuple[str, ...]]
    # The settings that do not follow from the arrays.
    _settings: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def build(self) -> EncoderAndNetwork:
        """The torch modules with these arrays, in the precision of the arrays."""

    @staticmethod
    @abstractmethod
    def _sizes(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """The sizes of a network with arrays of these names and shapes; ValueError if they are not a network."""

    def _freeze(self, attributes: dict[str, Any]) -> None:
        """Check the arrays, and set them and the settings. The arrays are read-only copies."""
        if not isinstance(attributes["arrays"], Mapping):
            given = attributes["arrays"]
            raise TypeError(f"arrays={given!r}: expected a dict of the arrays of a network; a load function makes it.")
        arrays = {name: _as_floats(values) for name, values in attributes["arrays"].items()}
        sizes = self._sizes({name: values.shape for name, values in arrays.items()})
        for name, values in arrays.items():
            if not np.isfinite(values).all():
                raise ValueError(f"{name} has numbers that are not finite")
            # Clones share the arrays: nobody may write to them.
            values.flags.writeable = False
        super()._freeze({**attributes, "arrays": MappingProxyType(arrays), **sizes})

    def __getstate__(self) -> dict[str, Any]:
        """The arrays and settings. The sizes follow from them."""
        # pickle cannot write a MappingProxyType: return a dict.
        return {"arrays": dict(self.arrays)} | {name: getattr(self, name) for name in self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore and check the arrays and settings."""
        self.__init__(**state)  # type: ignore[misc]

    def __repr__(self) -> str:
        """The sizes and settings."""
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._shown)})"


def _as_floats(values: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """A copy in float32, or in float64 if float32 would round the values."""
    array = np.asarray(values)
    return np.array(array, dtype=np.float32 if array.dtype in (np.float16, np.float32) else np.float64, order="C")


def check_shapes(given: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError if arrays have other shapes than these."""
    for name, shape in expected.items():
        if given[name] != shape or 0 in shape:
            raise ValueError(f"{name} has shape {given[name]}: expected {shape}")
