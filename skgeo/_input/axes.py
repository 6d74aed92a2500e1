"""Axes of regular grids and masks of all grids: read, check, and the texts about those that are wrong."""

import numbers
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._input.chunks import is_lazy, map_cells
from skgeo._input.coordinates import (
    POLE,
    SINGLE_ROUNDING,
    check_longitude,
    fill_radians,
    fill_values,
    radian_span,
    say_radians,
)
from skgeo._input.numbers import check_numbers, format_number, format_rows
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateError

# Fractions come out of regridding with rounding errors of so much.
_FRACTION = 1e-6
# Shares of a step of an axis that may agree with its values by chance: the axis is then left as it is.
_DOUBT = 0.01
# The same where 180 or 360 may have been added: an axis of any step may have larger errors by chance.
_SHIFT_DOUBT = 1e-4
# Steps that differ by less than this share are the same.
_SAME_STEP = 0.02
# A gap between the last and the first column of less than this share of a step is the first column once more.
_REPEATED = 1e-3


def check_axis(values: npt.ArrayLike, name: str) -> tuple[FloatArray, np.dtype[Any]]:
    """One axis of a grid as a new float64 array, and the floating dtype it came in.

    Finite and strictly monotone, latitudes within the poles; longitudes are unwrapped before they can be monotone.
    """
    if np.ma.is_masked(values):
        raise CoordinateError(f"{name} has masked values: an axis of a grid has no gaps.")
    try:
        axis = np.array(values)
    except (TypeError, ValueError) as error:
        raise CoordinateError(f"{name} is not an array: {error}") from error
    if axis.ndim != 1 or axis.size == 0:
        raise CoordinateError(f"{name} has shape {axis.shape}: expected one dimension with at least one value.")
    axis = check_numbers(axis, name)
    dtype, axis = axis.dtype, axis.astype(np.float64)
    if name == "longitude":
        fill = fill_values(axis)
        if fill.size:
            raise CoordinateError(
                f"longitude holds {format_number(axis[fill[0]])} at position {fill[0]}, a usual fill value, where an axis has "
                "none: drop that column, with the data along it."
            )
        check_longitude(axis, name)
        return axis, dtype
    outside = np.flatnonzero(np.abs(axis) > POLE)
    if outside.size:
        raise CoordinateError(
            f"{name} is outside [-90, 90] degrees in {format_rows(outside)}: {format_number(axis[outside[0]])}. "
            "Swapped with longitude, or projected?"
        )
    axis = axis.clip(-90.0, 90.0)
    _check_monotone(np.diff(axis), axis, name)
    return axis, dtype


def unwrap_longitude(longitude: FloatArray, *, bounded: bool = False) -> FloatArray:
    """Longitudes of grid columns continued across the seam, so that they rise or fall throughout.

    Columns of a region around Greenwich cut from 0..360 rise as numbers, 0..30 and then 340..360, though not around
    the Earth: they stay as they are. With bounds (``bounded``) first and last column may be two halves of a cell.
    """
    steps = 180.0 - (180.0 - np.diff(longitude)) % 360.0
    if _turns(steps).any() and not _turns(np.diff(longitude)).any() and np.ptp(longitude) < 360.0:
        return longitude.copy()
    _check_monotone(steps, longitude, "longitude")
    left, step = 360.0 - abs(steps.sum()), np.abs(steps).min(initial=360.0)
    if left < _REPEATED * step and not (bounded and left > -_REPEATED * step):
        raise CoordinateError(
            f"longitude goes around more than once, from {format_number(longitude[0])} to {format_number(longitude[-1])}: "
            "drop the columns that repeat."
        )
    along = longitude[0] + np.concatenate([[0.0], np.cumsum(steps)])
    return longitude + 360.0 * np.round((along - longitude) / 360.0)


def even_axis(axis: FloatArray, given: FloatArray) -> FloatArray:
    """The evenly spaced axis of which single precision made this one, if that is beyond doubt; else the axis as it is.

    Files hold axes in single precision, where columns of a twentieth of a degree have widths that differ in the third
    digit. Step and first value are taken to be the simplest fractions that agree with all values to their rounding:
    to half the spacing of single precision at the values ``given``, before longitudes were unwrapped, or to that of
    angles to which 180 or 360 was added. An axis of fewer values, or a finer one, may agree with many fractions: then
    the values themselves are better.
    """
    if axis.size < 3:
        return axis
    own = 0.5 * np.spacing(np.abs(given).astype(np.float32)).astype(np.float64)
    even = _even_within(axis, own, _DOUBT)
    return _even_within(axis, np.full(axis.shape, SINGLE_ROUNDING), _SHIFT_DOUBT) if even is axis else even


def _even_within(axis: FloatArray, tolerance: FloatArray, doubt: float) -> FloatArray:
    """The even axis of simple step that agrees with each value to a tolerance if it is beyond doubt; else the axis."""
    count = np.arange(axis.size, dtype=np.float64)
    centred, unit = count - count.mean(), 2.0 * float(tolerance.max())
    slope = float(centred @ (axis - axis.mean())) / float(centred @ centred)
    step, denominator = _simplest_fraction(slope, 1.5 * unit / axis.size)  # by which errors may turn a fitted line
    # Of all steps, those that agree with n rounded values to a unit fill an interval of about unit / n^2; fractions
    # with this denominator are 1 / denominator^2 apart.
    if step == 0.0 or denominator**2 * unit > doubt * axis.size**2:
        return axis
    offsets = axis - step * count
    least, most = float((offsets - tolerance).max()), float((offsets + tolerance).min())
    if least > most + 1e-12:
        return axis
    middle, half = (least + most) / 2.0 / step, abs((most - least) / 2.0 / step) + 1e-12
    simplest, denominator = _simplest_fraction(middle, half)
    offset = simplest if denominator**2 * 2.0 * half < _DOUBT else middle
    return np.asarray((offset + count) * step, dtype=np.float64)


def _simplest_fraction(value: float, tolerance: float) -> tuple[float, float]:
    """The fraction of least denominator within a tolerance, and that; the value and infinity if it is no small one."""
    denominator = np.arange(1, 10_000)
    fraction = np.round(value * denominator) / denominator
    near = np.abs(fraction - value) <= tolerance
    at = int(np.argmax(near))
    return (float(fraction[at]), at + 1) if near.any() else (value, np.inf)


def _turns(steps: FloatArray) -> npt.NDArray[np.bool_]:
    """Which steps go against the axis, or stand still."""
    return steps * np.sign(steps.sum() or 1.0) <= 0.0


def _check_monotone(steps: FloatArray, axis: FloatArray, name: str) -> None:
    """Refuse an axis that turns or stands still."""
    turns = np.flatnonzero(_turns(steps))
    if turns.size:
        i = int(turns[0])
        way = (
            f", {format_number(abs(steps[i]))} degrees {'east' if steps[i] > 0.0 else 'west'},"
            if name == "longitude"
            else ""
        )
        raise CoordinateError(
            f"{name} must rise or fall throughout, but goes from {format_number(axis[i])} to {format_number(axis[i + 1])}{way} at "
            f"position {i}: sort the axis, with the data along it, and drop repeated values."
        )


def warn_radian_axes(latitude: FloatArray, longitude: FloatArray) -> None:
    """Warn when the axes of a grid are those of the globe in radians.

    Even axes go around in 2 pi, or from pole to pole in pi, to a fiftieth of their step; where one is uneven they fill
    the range of radians. So regions near latitude and longitude zero in degrees are not taken for radians.
    """
    if radian_span(latitude, np.zeros(1)) is None:
        return
    around = radian_span(latitude, longitude) is not None and _divides(longitude, 2.0 * np.pi)
    uneven = not (_is_even(latitude) and _is_even(longitude))
    if around or _divides(latitude, np.pi) or (uneven and fill_radians(latitude, longitude)):
        say_radians("The axes of the grid lie", "np.degrees(latitude), np.degrees(longitude)")


def _divides(axis: FloatArray, length: float) -> bool:
    """Whether even steps of an axis divide a length, from edge to edge or from end to end."""
    if axis.size < 3:
        return False
    span = float(np.ptp(axis))
    step = span / (axis.size - 1)
    return _is_even(axis) and min(abs(length - span - step), abs(length - span)) < _SAME_STEP * step


def _is_even(axis: FloatArray) -> bool:
    """Whether the steps of an axis are all the same, to a fiftieth."""
    steps = np.abs(np.diff(axis))
    return bool(np.ptp(steps) < _SAME_STEP * steps.mean()) if steps.size else False


def check_mask(mask: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The mask of a grid as a new array: bool, or float64 fractions in [0, 1]. A chunked one is checked later."""
    if np.shape(mask) != shape:
        raise CoordinateError(
            f"mask has shape {np.shape(mask)}, the grid has {shape} (latitude, longitude): transpose or subset it."
        )
    if is_lazy(mask):
        dtype = np.bool_ if mask.dtype == np.bool_ else np.float64
        return map_cells(partial(_mask_block, dtype=dtype), mask, dtype=dtype)
    values = check_mask_values(mask)
    if not values.any():
        raise CoordinateError("mask keeps nothing: all cells are False or 0. True or 1 means inside the domain.")
    return values


def _mask_block(mask: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A block of a mask in the dtype of the whole: objects may be all booleans in one block and not in the next."""
    return check_mask_values(mask).astype(dtype, copy=False)


def check_mask_values(mask: npt.ArrayLike) -> npt.NDArray[Any]:
    """A mask, or a block of one, as a new array."""
    if np.ma.is_masked(mask):
        raise CoordinateError("mask has masked values: fill them, mask.filled(0), to leave those cells out.")
    values = np.array(mask)
    if values.dtype == object:
        values = _plain_mask(values)
    if values.dtype.kind == "b":
        return values
    missing = np.count_nonzero(np.isnan(values)) if values.dtype.kind == "f" else 0
    if missing:
        raise CoordinateError(
            f"mask contains NaN in {missing} cells: fill them, np.nan_to_num(mask) or mask.fillna(0), to leave those "
            "cells out."
        )
    values = check_numbers(values, "mask").astype(np.float64)
    outside = np.argwhere((values < -_FRACTION) | (values > 1.0 + _FRACTION))
    if len(outside):
        cell = tuple(outside[0].tolist())
        raise CoordinateError(
            f"mask is outside [0, 1] in {len(outside)} cells, the first at {cell}: "
            f"{format_number(values[cell])}. Give booleans or the fraction of each cell; percent needs mask / 100."
        )
    return values.clip(0.0, 1.0)


def _plain_mask(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Objects, such as xarray leaves when it aligns a mask, as booleans, or as numbers, NaN where one is missing.

    What is neither stays as it is.
    """
    kinds = {type(value) for value in values.flat}
    if kinds and all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return values.astype(np.bool_)
    known = all(issubclass(kind, numbers.Real | np.bool_ | Decimal | type(None)) for kind in kinds)
    return values.astype(np.float64) if known else values
