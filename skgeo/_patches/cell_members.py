"""Patches of cells in any order: which cells belong to each, the values of a field in them, and back."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import computed, is_lazy
from skgeo._kernels.cell_groups import members_in_slots, members_of, row_major
from skgeo._kernels.equal_area import band_counts, block_of
from skgeo._kernels.sphere import EARTH_RADIUS, unit_vectors
from skgeo._patches.values import as_field, check_fill, is_tensor
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_parameter, import_optional, is_integer, is_real

# Largest level of HEALPix patches: larger ones are smaller than the cells of any model.
_LARGEST_LEVEL = 24
# Relative difference that the areas of HEALPix cells may have from each other: the rounding of single precision.
_EQUAL = 1e-6
# Largest number of slots of a square for each HEALPix cell. If it is exceeded, cells are not put into squares.
_MOST_SLOTS_A_CELL = 64
# Smallest side of a block in km.
_SMALLEST_BLOCK = 1e-3


def is_members(patch_size: Any) -> bool:
    """Whether the argument that says how to cut is a table of cells, and no size."""
    return np.ndim(patch_size) == 2


def find_members(
    cells: Any, healpix_level: Any, block_size_km: Any, labels: Any, min_fraction: float
) -> tuple[Integers, npt.NDArray[Any]]:
    """Positions (n, k) of the cells of each patch, -1 for none, and the label (n,) of each patch."""
    given = [value is not None for value in (healpix_level, block_size_km, labels)]
    check_parameter(
        "healpix_level, block_size_km, labels",
        (healpix_level, block_size_km, labels),
        sum(given) == 1,
        "one of the three, and None for the others",
    )
    fraction = is_real(min_fraction) and 0.0 <= min_fraction <= 1.0
    check_parameter("min_fraction", min_fraction, fraction, "a number in [0, 1]")
    latitude, longitude, mask, angles = computed(cells.latitude, cells.longitude, cells.mask, cells.solid_angles)
    latitude, longitude = latitude.ravel(), longitude.ravel()
    present = np.isfinite(latitude)
    areas = present.astype(np.float64) if angles is None else np.where(present, angles.ravel(), 0.0)
    square = False
    if healpix_level is not None:
        members, names, square = _healpix_members(latitude, longitude, areas, healpix_level)
    elif block_size_km is not None:
        members, names = members_of(_block_labels(latitude, longitude, block_size_km))
    else:
        members, names = _labelled_members(labels, cells.shape, present)
    inside = areas if mask is None else areas * np.asarray(mask, dtype=np.float64).ravel()
    chosen = members >= 0
    whole, part = (np.where(chosen, values[members], 0.0).sum(axis=1) for values in (areas, inside))
    # Missing cells of a square of HEALPix cells count as outside: the area of the patch is that of the square.
    if square:
        whole = whole * members.shape[1] / np.count_nonzero(chosen, axis=1)
    shares = np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0.0)
    kept = shares >= min_fraction - 1e-9
    if not kept.any():
        raise ValueError(
            f"min_fraction={min_fraction!r}: no patch has this share of its area in the mask. "
            "Give a smaller min_fraction."
        )
    return members[kept], names[kept]


def _healpix_members(
    latitude: FloatArray, longitude: FloatArray, areas: FloatArray, level: Any
) -> tuple[Integers, Integers, bool]:
    """The cells whose centres are in each HEALPix pixel of a level, the numbers of the pixels in nested order.

    The third value says whether the cells are HEALPix cells themselves: these lie in a square.
    """
    valid = is_integer(level) and 0 <= level <= _LARGEST_LEVEL
    check_parameter("healpix_level", level, valid, f"an integer from 0 to {_LARGEST_LEVEL}")
    healpix = import_optional("healpix", "healpix_level", "healpix")
    own = _own_level(areas)
    if own is not None and level <= own:
        numbers = _pixels(healpix, own, latitude, longitude)
        steps = own - level
        children = np.where(numbers >= 0, numbers & (4**steps - 1), 0)
        parents = np.where(numbers >= 0, numbers >> (2 * steps), -1)
        # A few cells in a large pixel would leave most slots of the square free.
        n_slots = np.unique(parents[parents >= 0]).size * 4**steps
        few = n_slots > _MOST_SLOTS_A_CELL * np.count_nonzero(numbers >= 0)
        found = None if few else members_in_slots(parents, row_major(children, steps), 4**steps)
        if found is not None:
            return *found, True
    return *members_of(_pixels(healpix, level, latitude, longitude)), False


def _own_level(areas: FloatArray) -> int | None:
    """The level of HEALPix cells by their areas; None if areas differ, or are those of no level."""
    known = areas[areas > 0.0]
    if not known.size or np.ptp(known) > _EQUAL * known[0]:
        return None
    level = math.log(4.0 * math.pi / 12.0 / known[0], 4.0)
    return round(level) if abs(level - round(level)) < _EQUAL and level > -0.5 else None


def _pixels(healpix: Any, level: int, latitude: FloatArray, longitude: FloatArray) -> Integers:
    """The number in nested order of the HEALPix pixel that holds each place; -1 for missing places."""
    present = np.isfinite(latitude)
    numbers = np.full(latitude.size, -1, dtype=np.int64)
    numbers[present] = healpix.ang2pix(2**level, longitude[present], latitude[present], nest=True, lonlat=True)
    return numbers


def _block_labels(latitude: FloatArray, longitude: FloatArray, size: Any) -> Integers:
    """The number of the equal-area block that holds each place, from north to south; -1 for missing places."""
    valid = is_real(size) and size >= _SMALLEST_BLOCK
    check_parameter("block_size_km", size, valid, f"a number of km, at least {_SMALLEST_BLOCK:g}")
    n_blocks = max(1, round(4.0 * math.pi * (EARTH_RADIUS / 1e3 / float(size)) ** 2))
    present = np.isfinite(latitude)
    blocks = np.full(latitude.size, -1, dtype=np.int64)
    blocks[present] = block_of(unit_vectors(latitude[present], longitude[present]), band_counts(n_blocks))
    return blocks


def _labelled_members(labels: Any, shape: tuple[int, ...], present: Any) -> tuple[Integers, npt.NDArray[Any]]:
    """The cells of each label; None, NaN and negative numbers are no labels."""
    given = np.asarray(getattr(labels, "data", labels) if hasattr(labels, "dims") else labels)
    fits = given.shape in (shape, (math.prod(shape),))
    check_parameter("labels.shape", given.shape, fits, f"{shape}, a label for each cell")
    given = given.ravel()
    if given.dtype.kind in "iuf":
        known = np.isfinite(given) & (given >= 0)
    else:
        known = np.array([label is not None and label == label for label in given.tolist()], dtype=bool)
    names, number = np.unique(given[known], return_inverse=True)
    numbers = np.full(given.size, -1, dtype=np.int64)
    numbers[known] = number
    members, used = members_of(np.where(present, numbers, -1))
    if not used.size:
        raise ValueError(
            "labels: every cell with a place has a label that is missing or negative. Give labels from 0 on, or names."
        )
    return members, names[used]


def check_members(members: Any, n_cells: int) -> Integers:
    """The cells of patches as integers; refused unless each is a cell of the grid, and in one patch only."""
    table = np.asarray(members)
    whole = table.dtype.kind in "iu" and table.size > 0
    check_parameter("patch_size", f"an array of {table.dtype}", whole, "sizes, or the integers of patch_members")
    table = table.astype(np.intp, copy=False)
    if table.min() < -1 or table.max() >= n_cells:
        raise ValueError(
            f"patch_size has the cells {table.min()} to {table.max()}: expected 0 to {n_cells - 1}, and -1 where a "
            "patch has fewer cells, as from patch_members of the same grid."
        )
    if not (table >= 0).any(axis=1).all():
        raise ValueError("patch_size has a patch without any cell: leave it out.")
    used = np.bincount(table[table >= 0], minlength=n_cells)
    if used.max() > 1:
        raise ValueError(f"patch_size has cell {np.argmax(used)} twice: expected each cell in one patch only.")
    return table


def take_members(field: Any, members: Integers, shape: tuple[int, ...], fill_value: Any, name: str = "field") -> Any:
    """The values (..., n, k) of a field (..., *shape) in patches; ``fill_value`` where a patch has fewer cells."""
    field = as_field(field, name)
    flat = _flat(field, shape, name)
    absent = members < 0
    fill = check_fill(field, fill_value, bool(absent.any()), name)
    index = np.where(absent, 0, members).ravel()
    if is_lazy(flat):
        return _take_chunks(flat, index, absent, fill)
    values = flat[..., index].reshape((*flat.shape[:-1], *members.shape))
    if not absent.any():
        return values
    if is_tensor(values):
        return values.masked_fill(values.new_tensor(absent).bool(), fill)
    values[..., absent] = fill
    return values


def _flat(field: Any, shape: tuple[int, ...], name: str) -> Any:
    """A field (..., n_cells) with its cells in one dimension."""
    given, n_cells = tuple(field.shape), math.prod(shape)
    if len(shape) > 1 and given[-len(shape) :] == shape:
        return field.reshape((*given[: -len(shape)], n_cells))
    check_flat(field, shape, name)
    return field


def check_flat(field: Any, shape: tuple[int, ...], name: str = "field") -> None:
    """Refuse a field whose last dimension is not that of the cells."""
    given, n_cells = tuple(field.shape), math.prod(shape)
    if given[-1:] == (n_cells,):
        return
    cure = f": its cells come first, np.moveaxis({name}, 0, -1)" if given[:1] == (n_cells,) else ""
    # Fields on faces of a cube have their cells in several dimensions.
    for last in range(2, len(given) + 1):
        if math.prod(given[-last:]) == n_cells:
            cure = f": {name}.reshape({(*given[:-last], n_cells)})"
    raise ValueError(f"{name} has shape {given}: expected (..., {n_cells}), the cells of the grid{cure}.")


def _take_chunks(flat: Any, index: Integers, absent: Any, fill: Any) -> Any:
    """The values of ``take_members`` from a dask array, in chunks of whole patches."""
    n_slots = absent.shape[1]
    taken = flat[..., index]
    # Chunks that end between two patches can be cut into patches without the neighbouring chunk.
    length = max(1, max(taken.chunks[-1]) // n_slots) * n_slots
    taken = taken.rechunk({taken.ndim - 1: length})
    values = taken.reshape((*taken.shape[:-1], *absent.shape))
    if not absent.any():
        return values
    da = import_optional("dask.array", "chunked data", "xarray")
    return da.where(da.from_array(absent, chunks=values.chunks[-2:]), np.asarray(fill, dtype=values.dtype), values)


def put_members(values: Any, members: Integers, shape: tuple[int, ...]) -> Any:
    """The field (..., *shape) of values (..., n, k) of patches; NaN where no patch has the cell."""
    values = as_field(values, "values")
    fits = tuple(values.shape)[-2:] == members.shape
    check_parameter("values.shape", tuple(values.shape), fits, f"(..., {members.shape[0]}, {members.shape[1]})")
    leading, n_cells = tuple(values.shape)[:-2], math.prod(shape)
    present = members >= 0
    if is_tensor(values):
        values = values if values.is_floating_point() or values.is_complex() else values.double()
        field = values.new_full((*leading, n_cells), float("nan"))
        field[..., members[present]] = values.reshape((*leading, members.size))[..., np.flatnonzero(present)]
        return field.reshape((*leading, *shape))
    source = np.zeros(n_cells, dtype=np.intp)
    source[members[present]] = np.flatnonzero(present)
    lost = np.ones(n_cells, dtype=bool)
    lost[members[present]] = False
    values = values if values.dtype.kind in "fc" else values.astype(np.float64)
    flat = values.reshape((*leading, members.size))
    field = flat[..., source]
    if lost.any():
        field = np.where(lost, values.dtype.type(np.nan), field)
    return field.reshape((*leading, *shape))
