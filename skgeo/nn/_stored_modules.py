"""Torch modules of skgeo.nn as plain values and arrays, for files of estimators that hold modules."""

from typing import Any, Self

import torch
from torch import nn

from skgeo._output.model_tree import TreeReader, TreeWriter
from skgeo.nn._module_files import _MODULE_CLASSES, _NAMES_IN_FILES
from skgeo.nn._torch_state import arrays_of, load_arrays

__all__ = ["StoredModule"]


class StoredModule:
    """The parts of a module: how to build it, and its arrays. ``parts`` is a dict of plain values."""

    def __init__(self, parts: dict[str, Any]) -> None:
        self.parts = parts

    @classmethod
    def of(cls, module: nn.Module) -> Self | None:
        """The parts of a module; None if it is not made of modules of skgeo.nn alone."""
        tree = TreeWriter(_MODULE_CLASSES.get, _NAMES_IN_FILES.get, "")
        try:
            tree.write(module)
            arrays = arrays_of(module)
        except TypeError:  # the module, a part of it or a number type has no place in files
            return None
        # All numbers must be in the state_dict, because the constructors get no arrays.
        return None if tree.arrays else cls({"objects": tree.objects, "arrays": arrays, "training": module.training})

    def build(self) -> nn.Module:
        """The module. Only classes of skgeo.nn are built."""
        try:
            # On the meta device the constructor takes no memory and draws no random numbers.
            with torch.device("meta"):
                module: Any = TreeReader(_MODULE_CLASSES.get, {}).read(self.parts["objects"])
            load_arrays(module, self.parts["arrays"])
        except RuntimeError as error:  # of load_state_dict: names or shapes of the arrays do not fit
            raise ValueError(str(error)) from error
        return module.train(self.parts["training"])
