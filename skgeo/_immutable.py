"""Objects that stay as they were made."""

from typing import Any, Self

import numpy as np


class Immutable:
    """Attributes are set once, by :meth:`_freeze`; arrays among them are read-only."""

    def _freeze(self, attributes: dict[str, Any]) -> None:
        for value in attributes.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        vars(self).update(attributes)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse."""
        kind = type(self).__name__
        raise AttributeError(f"{kind} is immutable: make a new one instead of setting {name}.")

    def __delattr__(self, name: str) -> None:
        """Refuse."""
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted.")

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy; arrays restored as they come would be writable."""
        self._freeze(
            {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in state.items()}
        )

    def __copy__(self) -> Self:
        """Itself: nothing can change."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: nothing can change."""
        return self
