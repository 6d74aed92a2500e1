"""The one recogniser of conventions: attributes first, names second, places last."""

from collections.abc import Hashable
from types import ModuleType
from typing import Any

from skgeo._input.cf import attribute_or_encoding, variables_of
from skgeo._input.conventions import fesom, healpix, icon, mpas, oasis, reduced, ugrid
from skgeo._input.conventions.native import Native

# Conventions by attributes come before those by names, and these before rings, whose places must be read.
_CONVENTIONS: tuple[ModuleType, ...] = (healpix, ugrid, mpas, icon, fesom, oasis, reduced)


def convention(obj: Any) -> ModuleType | None:
    """The convention of an object by attributes, names or rings of places; None if CF coordinates are enough."""
    return next((each for each in _CONVENTIONS if each.applies(obj)), None)


def read_native(obj: Any) -> Native:
    """The object with CF coordinates of its cells, and the areas and vertices that its convention gives.

    An object without a convention of its own is returned as it is.
    """
    found = convention(obj)
    if found is None:
        return Native(obj, "CF: coordinates of cells")
    native = found.read(obj)
    assert isinstance(native, Native)
    return native


def lost_grid(obj: Any) -> str:
    """The sentence on a grid description that the object lacks, by its names and sizes; empty if nothing is lost."""
    names = variables_of(obj)
    fields: list[tuple[Hashable, Any]] = list(
        getattr(obj, "data_vars", {obj.name: obj} if hasattr(obj, "name") else {}).items()
    )
    for name, field in fields:
        mapping = attribute_or_encoding(field, "grid_mapping").partition(":")[0].strip()
        if mapping and mapping not in names:
            return (
                f" {name!r} has the grid mapping {mapping!r}, which the object does not have: select a Dataset, "
                f"dataset[{[name, mapping]}]."
            )
        unstructured = attribute_or_encoding(field, "CDI_grid_type") == "unstructured"
        if unstructured or set(field.dims) & {"nCells", "nVertices", "ncells", "nod2"}:
            dim = next((dim for dim in field.dims if str(dim) in ("ncells", "nCells", "nVertices", "nod2")), "ncells")
            return (
                f" {name!r} lies on an unstructured mesh (dimension {dim!r}), whose places are in the grid file of the "
                "model: merge it, xr.merge([obj, grid]), with the same name for the dimension of the cells."
            )
    return healpix.perhaps_healpix(obj)
