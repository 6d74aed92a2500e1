"""HEALPix: cells of equal area, recognised by their grid mapping; centres come from the package ``healpix``."""

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from skgeo._input.cf import LATITUDE, LONGITUDE, attribute_or_encoding, find, is_area, is_place, variables_of
from skgeo._input.cf_cells import Found
from skgeo._input.cf_values import attribute, in_degrees
from skgeo._input.chunks import is_lazy
from skgeo._input.conventions.native import Native, fields_along, only_cells, with_places
from skgeo._kernels.sphere import EARTH_RADIUS, unit_vectors
from skgeo._validation import import_optional
from skgeo.exceptions import CoordinateError

# Attributes that hold the number of cells along the side of a base pixel, or its binary logarithm.
_SIDES = ("healpix_nside", "nside", "grib_nside")
_LEVELS = ("refinement_level", "healpix_level", "healpix_zoom", "level", "zoom")
_ORDERS = ("indexing_scheme", "healpix_order", "healpix_ordering", "grib_orderingconvention", "ordering", "order")
_NESTED, _RING = ("nested", "nest", "nested_scheme"), ("ring", "ring_scheme")
# Cells of several levels: the number of a cell is 4 * 4**level plus its number in nested order.
_UNIQUE = ("nested_unique", "nuniq", "nuniq_scheme", "unique", "uniq")
# Names of variables with the numbers of the cells of a regional file.
_INDICES = ("healpix_index", "cell", "cell_ids", "cell_id", "cell_index", "pix", "ipix", "pixel", "healpix")
# Latitudes and longitudes that a file has beside the numbers of cells are compared for this many cells.
_COMPARED = 1000
# Largest level whose cells can be numbered by 64 bits.
_LARGEST_LEVEL = 29
# The words for attributes of the object itself, in place of the name of a variable.
_OBJECT = "the attributes of the object"


class Pixels(NamedTuple):
    """The number of cells along the side of a base pixel, their order, and the variable that says so.

    Cells of several levels have the number zero along the side: their own numbers tell the level.
    """

    nside: int
    nested: bool
    source: str

    @property
    def numbers(self) -> tuple[int, int]:
        """The smallest and the largest number of a cell."""
        return (0, 12 * self.nside**2 - 1) if self.nside else (4, 4 ** (_LARGEST_LEVEL + 2) - 1)

    def __str__(self) -> str:
        """The grid in words."""
        scheme = "nested" if self.nested else "ring"
        return f"nside {self.nside}, {scheme}" if self.nside else "cells of several levels, nested_unique"


def applies(obj: Any) -> bool:
    """Whether a grid mapping, or an attribute of the data, says HEALPix.

    Data that were brought to a regular grid often keep the grid mapping of their source: axes are more certain.
    """
    if _mapping(obj) is None:
        return False
    try:
        latitude, longitude = (find(obj, kind, 1) for kind in (LATITUDE, LONGITUDE))
    except CoordinateError:
        return True
    return latitude is None or longitude is None or latitude.dims == longitude.dims


def read(obj: Any) -> Native:
    """The cells of a HEALPix grid, all of the sphere or a part of it, with exact areas."""
    mapping = _mapping(obj)
    assert mapping is not None
    pixels = _pixels(mapping)
    dim, numbers = _numbers(obj, pixels, mapping)
    own = [find(_along(obj, dim), kind, 1) for kind in (LATITUDE, LONGITUDE)]
    areas = [name for name, variable in variables_of(obj).items() if dim in variable.dims and is_area(variable)]
    words = f"HEALPix: {pixels}, by {pixels.source}"
    if all(axis is not None for axis in own):
        _compare(own, numbers, pixels)
        places = own
    else:
        latitude, longitude = _centres(numbers, pixels)
        places = None
    obj = only_cells(obj, dim, (), areas)
    if places is None:
        others = [name for name, variable in variables_of(obj).items() if is_place(variable)]
        obj = with_places(only_cells(obj, dim, (), others), dim, ("latitude", "longitude"), (latitude, longitude))
    xarray = import_optional("xarray", "from_xarray", "xarray")
    areas_of_cells = xarray.DataArray(_areas(numbers, pixels), dims=(dim,))
    found = Found("equal areas" if pixels.nside else "areas of levels", areas_of_cells, "of HEALPix")
    return Native(obj, words, found)


def _mapping(obj: Any) -> Any:
    """The variable whose attributes describe a HEALPix grid; None if there is none."""
    variables = [*variables_of(obj).values(), *([] if hasattr(obj, "data_vars") else [obj])]
    for variable in variables:
        said = {str(name).lower(): str(value).strip().lower() for name, value in variable.attrs.items()}
        if (
            said.get("grid_mapping_name") == "healpix"
            or said.get("grid_name") == "healpix"
            or said.get("grib_gridtype") == "healpix"
            or "healpix_nside" in said
        ):
            return variable
    known = {str(name).lower() for name in obj.attrs}
    return obj if hasattr(obj, "data_vars") and {"healpix_nside", "healpix_level"} & known else None


def _pixels(mapping: Any) -> Pixels:
    """Number and order of cells from the attributes of a grid mapping; refused if they are absent or unknown."""
    # Some readers give an attribute as an array with one element.
    attributes = {str(name).lower(): getattr(value, "flat", [value])[0] for name, value in mapping.attrs.items()}
    name = _name_of(mapping)
    nside = next((attributes[key] for key in _SIDES if key in attributes), None)
    level = next((attributes[key] for key in _LEVELS if key in attributes), None)
    order = next((str(attributes[key]).strip().lower() for key in _ORDERS if key in attributes), "")
    assign = "obj.attrs" if name == _OBJECT else f"obj[{name!r}].attrs"
    source = name if name == _OBJECT else f"{name!r}"
    if order in _UNIQUE:
        return Pixels(0, True, source)
    try:
        if nside is None and level is not None and 0 <= int(level) <= _LARGEST_LEVEL:
            nside = 2 ** int(level)
        side = int(nside)  # type: ignore[arg-type]
        known = side == float(nside) and 1 <= side <= 2**_LARGEST_LEVEL  # type: ignore[arg-type]
    except (TypeError, ValueError):
        known, side = False, 0
    if not known:
        raise CoordinateError(
            f"{name!r} is a HEALPix grid with nside={nside!r} and refinement_level={level!r}: expected a whole number, "
            f"{assign}['healpix_nside'] = 64, or {assign}['refinement_level'] = 6."
        )
    if level is not None and str(level).strip().isdigit() and 2 ** min(int(level), 60) != side:
        raise CoordinateError(
            f"{name!r} is a HEALPix grid with nside={side} and refinement_level={level}, which is nside "
            f"{2 ** min(int(level), 60)}: correct one of the two, {assign}."
        )
    if order not in (*_NESTED, *_RING):
        raise CoordinateError(
            f"{name!r} is a HEALPix grid {f'with the order {order!r}' if order else 'without an order of its cells'}: "
            f"expected 'nested', 'ring' or 'nested_unique'. Say which, {assign}['indexing_scheme'] = 'nested' or "
            "= 'ring'. pix2ang of the packages healpix and healpy has ring order by default."
        )
    nested = order in _NESTED
    if nested and side & (side - 1):
        raise CoordinateError(
            f"{name!r} is a nested HEALPix grid with nside={side}: the nested order needs a power of two. Is it 'ring'?"
        )
    return Pixels(side, nested, source)


def perhaps_healpix(obj: Any) -> str:
    """The sentence on a dimension with as many values as a HEALPix grid of the sphere has cells; empty without one."""
    grids = {12 * 4**level: level for level in range(1, _LARGEST_LEVEL + 1)}
    for dim, size in obj.sizes.items():
        if size in grids and dim not in ("time", "valid_time", "step"):
            # A grid mapping is a variable of a Dataset.
            new = "obj['crs'] = 0" if hasattr(obj, "data_vars") else "obj = obj.to_dataset(name='t').assign(crs=0)"
            return (
                f" Are the {size} values along {dim!r} cells of a HEALPix grid, nside {2 ** grids[size]}? Then say so, "
                f"{new}, and obj['crs'].attrs = {{'grid_mapping_name': 'healpix', 'refinement_level': "
                f"{grids[size]}, 'indexing_scheme': 'nested'}}; for ring order, 'ring' in place of 'nested'."
            )
    return ""


def _name_of(mapping: Any) -> str:
    """The name of a variable that describes the grid; the attributes of a Dataset have none."""
    return _OBJECT if hasattr(mapping, "data_vars") or mapping.name is None else str(mapping.name)


def _numbers(obj: Any, pixels: Pixels, mapping: Any) -> tuple[Hashable, Any]:
    """The dimension of the cells, and the number of each cell; chunked data have chunked numbers."""
    n_cells, variables = 12 * pixels.nside**2, variables_of(obj)
    index = _index_variable(variables, mapping)
    if index is not None:
        return index.dims[0], _checked_numbers(index, pixels)
    if not pixels.nside:
        raise CoordinateError(
            f"A HEALPix grid of several levels ({pixels.source}) needs the number of each cell: add it, "
            "obj.assign_coords(healpix_index=('cell', numbers)) with 4 * 4**level + number in nested order."
        )
    fields = [variables.get(name, obj) for dim in obj.dims for name in fields_along(obj, dim)]
    mapped = [field for field in fields if attribute_or_encoding(field, "grid_mapping") == _name_of(mapping)]
    sizes = {dim: size for field in mapped or fields for dim, size in field.sizes.items()} or dict(obj.sizes)
    found = [dim for dim, size in sizes.items() if size == n_cells]
    if len(found) != 1:
        raise CoordinateError(
            f"A HEALPix grid with nside={pixels.nside} has {n_cells} cells, and the object has the dimensions {sizes}: "
            "where cells are missing, give the number of each cell that is there, obj.assign_coords(healpix_index="
            "('cell', numbers)); where a variable has other cells, select one grid, obj[['t', 'crs']]."
        )
    chunks = next((dict(field.chunksizes)[found[0]] for field in fields if found[0] in field.chunksizes), None)
    if chunks is None:
        return found[0], np.arange(n_cells)
    da = import_optional("dask.array", "chunked data", "xarray")
    return found[0], da.arange(n_cells, chunks=(chunks,))


def _index_variable(variables: Any, mapping: Any) -> Any:
    """The variable with the numbers of the cells; None if there is none."""
    if getattr(mapping, "ndim", 0) == 1 and mapping.dtype.kind in "iu":
        return mapping  # xdggs: the numbers themselves have the attributes of the grid
    flat = [variable for variable in variables.values() if variable.ndim == 1]
    for variable in flat:
        if attribute(variable, "standard_name") == "healpix_index":
            return variable
    whole = [variable for variable in flat if variable.dtype.kind in "iuf" and not is_place(variable)]
    named = {str(variable.name).lower(): variable for variable in whole}
    return next((named[name] for name in _INDICES if name in named), None)


def _checked_numbers(index: Any, pixels: Pixels) -> Any:
    """The numbers of cells; refused if a number is outside this grid, is not whole, or is there twice."""
    values = index.data
    if is_lazy(values):
        return values
    values = np.asarray(values)
    lowest, highest = pixels.numbers
    whole = values.astype(np.int64) if values.dtype.kind != "f" or np.isfinite(values).all() else None
    outside = whole is None or whole.min(initial=lowest) < lowest or whole.max(initial=lowest) > highest
    if whole is None or outside or (whole != values).any():
        raise CoordinateError(
            f"{index.name!r} has numbers from {values.min()} to {values.max()}: the cells of "
            f"HEALPix with {_in_words(pixels)} have whole numbers from {lowest} to {highest}. Correct nside or the "
            "numbers, or drop cells without a number."
        )
    ordered = np.sort(whole)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if twice.size:
        raise CoordinateError(
            f"{index.name!r} has cell {twice[0]} more than once, and {twice.size} such numbers in all: drop them, "
            f"obj.drop_duplicates({index.dims[0]!r})."
        )
    if not pixels.nside:
        _refuse_parents(index.name, ordered)
    return whole


def _refuse_parents(name: Hashable, numbers: Any) -> None:
    """Refuse cells of several levels if one cell lies inside another: the area inside would count twice."""
    level, number = _levels(numbers)
    # The first descendant of each cell at the largest level, and the number of descendants.
    shift = 2 * (_LARGEST_LEVEL - level)
    order = np.argsort(number << shift, kind="stable")
    first, numbers = (number << shift)[order], numbers[order]
    holds = np.flatnonzero(first[1:] < first[:-1] + (np.int64(1) << shift[order][:-1]))
    if holds.size:
        one, other = numbers[holds[0]], numbers[holds[0] + 1]
        raise CoordinateError(
            f"{name!r} has the cells {one} and {other} of two levels at one place, and {holds.size} such pairs in all: "
            "drop the coarser or the finer ones."
        )


def _levels(numbers: Any) -> tuple[Any, Any]:
    """The level and the number in nested order of cells of several levels."""
    level, number = import_optional("healpix", "a HEALPix grid", "healpix").uniq2pix(numbers, nest=True)
    return np.asarray(level, dtype=np.int64), np.asarray(number, dtype=np.int64)


def _in_words(pixels: Pixels) -> str:
    """The grid in the words of errors."""
    return f"nside={pixels.nside}" if pixels.nside else "several levels"


def _centres(numbers: Any, pixels: Pixels) -> tuple[Any, Any]:
    """Latitudes and longitudes of cells in degrees, block by block if the numbers are chunked."""
    if not is_lazy(numbers):
        places = _block_centres(numbers, pixels)
        return places[0], places[1]
    da = import_optional("dask.array", "chunked data", "xarray")
    meta = np.empty((0, 0))
    places = da.map_blocks(_block_centres, numbers, pixels, new_axis=0, chunks=((2,), numbers.chunks[0]), meta=meta)
    return places[0], places[1]


def _block_centres(numbers: Any, pixels: Pixels) -> Any:
    """Latitudes and longitudes (2, n) of cells; numbers of other cells are refused, as the package does not."""
    numbers, (lowest, highest) = np.asarray(numbers), pixels.numbers
    if numbers.size and not (numbers.min() >= lowest and numbers.max() <= highest):
        raise CoordinateError(
            f"The numbers of HEALPix cells are {numbers.min()} to {numbers.max()}: expected {lowest} to {highest}, for "
            f"{_in_words(pixels)}."
        )
    healpix = import_optional("healpix", "a HEALPix grid", "healpix")
    numbers = numbers.astype(np.int64)
    places = np.empty((2, numbers.size))
    # The package takes the cells of one level at a time.
    levels, numbers = (None, numbers) if pixels.nside else _levels(numbers)
    for level in [None] if levels is None else np.unique(levels):
        nside, own = (pixels.nside, slice(None)) if level is None else (2 ** int(level), levels == level)
        places[::-1, own] = healpix.pix2ang(nside, numbers[own], nest=pixels.nested, lonlat=True)
    return places


def _areas(numbers: Any, pixels: Pixels) -> Any:
    """Areas of cells in square metres, in the chunks of the numbers of cells."""
    if pixels.nside:
        value = 4.0 * np.pi * EARTH_RADIUS**2 / (12 * pixels.nside**2)
        if not is_lazy(numbers):
            return np.full(numbers.size, value)
        da = import_optional("dask.array", "chunked data", "xarray")
        return da.full(numbers.size, value, chunks=(numbers.chunks[0],))
    return numbers.map_blocks(_level_areas, dtype=np.float64) if is_lazy(numbers) else _level_areas(numbers)


def _level_areas(numbers: Any) -> Any:
    """Areas in square metres of cells of several levels."""
    level, _ = _levels(np.asarray(numbers).astype(np.int64))
    return 4.0 * np.pi * EARTH_RADIUS**2 / 12.0 / 4.0**level


def _along(obj: Any, dim: Hashable) -> Any:
    """The object with its variables along one dimension alone."""
    others = [name for name, variable in variables_of(obj).items() if variable.dims != (dim,)]
    return obj.drop_vars(others)


def _compare(own: list[Any], numbers: Any, pixels: Pixels) -> None:
    """Refuse latitudes and longitudes that are not those of the HEALPix cells, for instance in the other order."""
    if any(is_lazy(axis.data) for axis in own) or is_lazy(numbers):
        return
    sample = np.unique(np.linspace(0, numbers.size - 1, min(numbers.size, _COMPARED)).astype(np.intp))
    given = unit_vectors(*(np.asarray(in_degrees(axis).data, dtype=np.float64)[sample] for axis in own))
    width = np.sqrt(_areas(numbers[sample], pixels)) / EARTH_RADIUS

    def wrong(nested: bool) -> int:
        """The number of sampled cells whose centres in the file differ from those of this order."""
        expected = unit_vectors(*_block_centres(numbers[sample], pixels._replace(nested=nested)))
        return int(np.count_nonzero(~(np.linalg.norm(given - expected, axis=-1) < width / 4.0)))

    n_wrong = wrong(pixels.nested)
    if n_wrong:
        power = pixels.nside and not pixels.nside & (pixels.nside - 1)
        other = "ring" if pixels.nested else "nested"
        turned = power and not wrong(not pixels.nested)
        cure = (
            f"They are those of the order {other!r}: say so" if turned else "Correct nside or the order, or drop them"
        )
        raise CoordinateError(
            f"{own[0].name!r} and {own[1].name!r} are not the centres of the HEALPix cells with {_in_words(pixels)} "
            f"in {n_wrong} of {sample.size} cells. {cure} (attributes of {pixels.source})."
        )
