"""Types that many modules share: kinds of arrays, and the base of objects that do not change."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

#: Arrays of float64.
FloatArray = npt.NDArray[np.float64]
#: Arrays of float32 or float64.
Floats = npt.NDArray[np.floating]
#: Arrays of indices and counts.
Integers = npt.NDArray[np.intp]
#: Arrays of booleans: masks and flags.
Bools = npt.NDArray[np.bool_]


class Immutable:
    """Attributes are set once, by :meth:`_freeze`; arrays among them are read-only."""

    # A frozen dataclass is not enough: its arrays can be changed in place, its __eq__ fails for arrays, and its
    # __init__ takes the fields as arguments, but a grid computes fields such as edges.

    def _freeze(self, attributes: dict[str, Any]) -> None:
        """Set attributes, and make arrays among them read-only."""
        for value in attributes.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        vars(self).update(attributes)

    def _replace(self, attributes: dict[str, Any]) -> Self:
        """Return a copy with other attributes, which are not checked."""
        other = object.__new__(type(self))
        other._freeze(vars(self) | attributes)
        return other

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse to set an attribute."""
        kind = type(self).__name__
        raise AttributeError(f"{kind} is immutable: make a new one instead of setting {name}.")

    def __delattr__(self, name: str) -> None:
        """Refuse to delete an attribute."""
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted.")

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy from a pickle. Unpickled arrays are writable, so that they are frozen again."""
        self._freeze(
            {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in state.items()}
        )

    def __copy__(self) -> Self:
        """Return the object itself, because nothing in it can change."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the object itself, because nothing in it can change."""
        return self
