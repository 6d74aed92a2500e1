"""Read and check the axes of regular grids and the masks of all grids, and refuse wrong ones with a cure."""

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
from skgeo._input.numbers import check_numbers, detached, format_number, format_rows
from skgeo._typing import FloatArray
from skgeo.exceptions import CoordinateError

# Regridding leaves errors of up to this much in fractions: values beyond [0, 1] by less are clipped.
_FRACTION = 1e-6
# Smallest positive share of a cell in the domain.
_LEAST_FRACTION = 1e-100
# Largest probability that a simple fraction agrees with the values of an axis by chance. Above it the axis is kept.
_DOUBT = 0.01
# The same probability where 180 or 360 may have been added. Such axes have larger errors, and more fractions agree.
_SHIFT_DOUBT = 1e-4
# Largest denominator of the step that an axis may have had before rounding, 1/3600 of a degree for instance.
_MAX_DENOMINATOR = 10_000
# Steps that differ by less than this share of their mean are equal.
_SAME_STEP = 0.02
# Degrees: neighbouring columns are less than ten turns apart, even if single values have turns of 360 added.
_FILL_JUMP = 3600.0
# If the last column is less than this share of a step away from the first, it is the first column once more.
_REPEATED = 1e-3


def check_axis(values: npt.ArrayLike, name: str) -> tuple[FloatArray, np.dtype[Any]]:
    """Return one axis of a grid as a new float64 array, and the floating dtype of the values given.

    Values are finite, and latitudes lie within the poles and rise or fall throughout. Longitudes may still wrap:
    :func:`unwrap_longitude` checks their order.
    """
    if np.ma.is_masked(values):
        raise CoordinateError(f"{name} has masked values: an axis of a grid has no missing values.")
    try:
        axis = np.array(detached(values))
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
                f"longitude holds {format_number(axis[fill[0]])} at position {fill[0]}, a usual fill value. An axis "
                "has no missing values: drop that column, with the data along it."
            )
        check_longitude(axis, name)
        _check_raw_steps(axis)
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


def _check_raw_steps(longitude: FloatArray) -> None:
    """Refuse a jump of ten turns or more between neighbours: such a value is a fill value, not a longitude."""
    jump = np.flatnonzero(np.abs(np.diff(longitude)) >= _FILL_JUMP)
    if jump.size:
        low, high = (format_number(longitude[jump[0] + i]) for i in (0, 1))
        raise CoordinateError(
            f"longitude goes from {low} to {high} at position {jump[0]}: is one of them a fill value? "
            "Drop that column, with the data along it."
        )


def unwrap_longitude(longitude: FloatArray, *, bounded: bool = False) -> FloatArray:
    """Return the longitudes of columns continued across the seam, so that they rise or fall throughout.

    If a region around Greenwich is cut from 0..360, its columns rise as numbers (0..30, then 340..360), but not around
    the Earth. They are returned unchanged. With bounds (``bounded``) the first and the last column may be the two
    halves of one cell.
    """
    # The shorter way around from one column to the next, between -180 and 180 degrees.
    steps = 180.0 - (180.0 - np.diff(longitude)) % 360.0
    if _turns(steps).any() and not _turns(np.diff(longitude)).any() and np.ptp(longitude) < 360.0:
        return longitude.copy()
    _check_monotone(steps, longitude, "longitude")
    left, step = 360.0 - abs(steps.sum()), np.abs(steps).min(initial=360.0)
    if left < _REPEATED * step and not (bounded and left > -_REPEATED * step):
        raise CoordinateError(
            f"longitude goes around more than once, from {format_number(longitude[0])} to "
            f"{format_number(longitude[-1])}: drop the columns that repeat."
        )
    # Whole turns are added to the given numbers, so that columns that need none keep their bits.
    along = longitude[0] + np.concatenate([[0.0], np.cumsum(steps)])
    return longitude + 360.0 * np.round((along - longitude) / 360.0)


def even_axis(axis: FloatArray, given: FloatArray) -> FloatArray:
    """Undo the rounding of an evenly spaced axis to single precision; return the axis unchanged if in doubt.

    Files hold axes in single precision, where columns of a twentieth of a degree have widths that differ in the third
    digit. Step and first value are taken to be the simplest fractions that agree with all values to their rounding.
    The rounding is half the spacing of single precision at the values ``given``, the longitudes before they were
    unwrapped. If the axis is not even within this rounding, the larger rounding of angles to which 180 or 360 was added
    is tried. A short or fine axis may agree with many fractions by chance; then its own values are better.
    """
    if axis.size < 3:
        return axis
    own = 0.5 * np.spacing(np.abs(given).astype(np.float32)).astype(np.float64)
    even = _even_within(axis, own, _DOUBT)
    return _even_within(axis, np.full(axis.shape, SINGLE_ROUNDING), _SHIFT_DOUBT) if even is axis else even


def _even_within(axis: FloatArray, tolerance: FloatArray, doubt: float) -> FloatArray:
    """Return the even axis with a simple step that agrees with each value to a tolerance, or the axis if in doubt."""
    count = np.arange(axis.size, dtype=np.float64)
    centred, unit = count - count.mean(), 2.0 * float(tolerance.max())
    slope = float(centred @ (axis - axis.mean())) / float(centred @ centred)
    # Rounding errors change the slope of the fitted line by no more than this.
    step, denominator = _simplest_fraction(slope, 1.5 * unit / axis.size)
    # Steps that agree with n rounded values fill an interval of about unit / n^2. Fractions with denominators up to d
    # are about 1 / d^2 apart. A fraction lies in the interval by chance with the probability d^2 unit / n^2.
    if step == 0.0 or denominator**2 * unit > doubt * axis.size**2:
        return axis
    # First values that agree with all values fill an interval, which is empty if the axis is not even.
    offsets = axis - step * count
    least, most = float((offsets - tolerance).max()), float((offsets + tolerance).min())
    if least > most + 1e-12:
        return axis
    middle, half = (least + most) / 2.0 / step, abs((most - least) / 2.0 / step) + 1e-12
    simplest, denominator = _simplest_fraction(middle, half)
    offset = simplest if denominator**2 * 2.0 * half < _DOUBT else middle
    return np.asarray((offset + count) * step, dtype=np.float64)


def _simplest_fraction(value: float, tolerance: float) -> tuple[float, float]:
    """Return the fraction of least denominator within a tolerance, and its denominator.

    If there is none with a denominator under 10,000, return the value and infinity.
    """
    denominator = np.arange(1, _MAX_DENOMINATOR)
    fraction = np.round(value * denominator) / denominator
    near = np.abs(fraction - value) <= tolerance
    at = int(np.argmax(near))
    return (float(fraction[at]), at + 1) if near.any() else (value, np.inf)


def _turns(steps: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which steps go against most of the others, or are zero."""
    return steps * np.sign(np.sign(steps).sum() or 1.0) <= 0.0


def _check_monotone(steps: FloatArray, axis: FloatArray, name: str) -> None:
    """Refuse an axis that changes its direction or repeats a value."""
    turns = np.flatnonzero(_turns(steps))
    if turns.size:
        i = int(turns[0])
        way = (
            f", {format_number(abs(steps[i]))} degrees {'east' if steps[i] > 0.0 else 'west'},"
            if name == "longitude"
            else ""
        )
        raise CoordinateError(
            f"{name} must rise or fall throughout, but goes from {format_number(axis[i])} to "
            f"{format_number(axis[i + 1])}{way} at position {i}: sort the axis, with the data along it, and drop "
            "repeated values."
        )


def warn_radian_axes(latitude: FloatArray, longitude: FloatArray) -> None:
    """Warn when the axes of a grid are those of the globe in radians.

    The axes are taken for radians if even longitudes span 2 pi, or even latitudes span pi, to a fiftieth of a step.
    Uneven axes are taken for radians if they fill the ranges of radians. A region in degrees near latitude and
    longitude zero does neither.
    """
    if radian_span(latitude, np.zeros(1)) is None:
        return
    around = radian_span(latitude, longitude) is not None and _divides(longitude, 2.0 * np.pi)
    uneven = not (_is_even(latitude) and _is_even(longitude))
    if around or _divides(latitude, np.pi) or (uneven and fill_radians(latitude, longitude)):
        say_radians("The axes of the grid lie", "np.degrees(latitude), np.degrees(longitude)")


def _divides(axis: FloatArray, length: float) -> bool:
    """Whether the axis is even and spans a length, from its outer edges or from its first to its last value."""
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
    """Return the mask of a grid as a new array: booleans, or float64 fractions in [0, 1].

    A chunked mask is checked block by block when it is computed.
    """
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
    """Check a block of a mask, and give it the dtype of the whole: objects may be booleans in one block only."""
    return check_mask_values(mask).astype(dtype, copy=False)


def check_mask_values(mask: npt.ArrayLike) -> npt.NDArray[Any]:
    """Check a mask, or a block of a mask, and return it as a new array."""
    if np.ma.is_masked(mask):
        raise CoordinateError("mask has masked values: fill them, mask.filled(0), to leave those cells out.")
    values = np.array(detached(mask))
    if values.dtype == object:
        values = _plain_mask(values)
    # NaN is refused, not taken for False: it says that the mask is unknown there.
    if values.dtype.kind == "b":
        return values
    missing = np.count_nonzero(np.isnan(values)) if values.dtype.kind == "f" else 0
    if missing:
        raise CoordinateError(
            f"mask contains NaN in {missing} cells: fill them, np.nan_to_num(mask) or mask.fillna(0), to leave those "
            "cells out."
        )
    values = check_numbers(values, "mask").astype(np.float64)
    # Products of smaller fractions with areas lose their digits, or are zero.
    tiny = np.argwhere((values > 0.0) & (values < _LEAST_FRACTION))
    if len(tiny):
        cell = tuple(tiny[0].tolist())
        raise CoordinateError(
            f"mask is positive but below {_LEAST_FRACTION:g} in {len(tiny)} cells, the first at {cell}: "
            f"{format_number(values[cell])}. Give zero to leave cells out."
        )
    outside = np.argwhere((values < -_FRACTION) | (values > 1.0 + _FRACTION))
    if len(outside):
        cell = tuple(outside[0].tolist())
        raise CoordinateError(
            f"mask is outside [0, 1] in {len(outside)} cells, the first at {cell}: "
            f"{format_number(values[cell])}. Give booleans or the fraction of each cell; percent needs mask / 100."
        )
    return values.clip(0.0, 1.0)


def _plain_mask(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return objects as booleans, or as numbers with NaN for None; objects of other kinds are returned unchanged.

    xarray makes objects of a mask of booleans when it aligns the mask and cells are missing.
    """
    kinds = {type(value) for value in values.flat}
    if kinds and all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return values.astype(np.bool_)
    known = all(issubclass(kind, numbers.Real | np.bool_ | Decimal | type(None)) for kind in kinds)
    return values.astype(np.float64) if known else values
