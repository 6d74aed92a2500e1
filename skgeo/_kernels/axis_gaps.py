"""Kernel: gaps in the axis of a grid, where rows or columns were left out."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from skgeo._typing import FloatArray

Flags = npt.NDArray[np.bool_]

# A step over this many times the steps beside it is a gap. Without gaps, steps of stretched axes differ by less from
# one to the next; with one cell left out of an even axis it is 2, of one that grows by a fifth a cell 1.5.
_GAP = 1.5
# With a single step to compare with, at an end, only a step over this many times as long is a gap.
_LONE_GAP = 2.0
# Steps that differ by less than this share from one to the next are alike.
_ALIKE = 0.1
# Rounding of values may change the ratio of two steps: this many times the spacing of the values is not seen.
_SLACK = 2.5
# Gaps are taken for rounding only if there are at least this many steps, and more than this share of them are gaps.
_MIN_ROUNDED_STEPS = 16
_MIN_ROUNDED_SHARE = 0.2
# An axis rounded in its file may be off an even axis by less than this share of a step.
_MAX_ROUNDED = 1.0 / 3.0
# A longitude step of more than half a turn is the break of an axis that is sorted as numbers, not around the Earth.
_HALF_TURN = 180.0


def value_spacing(values: FloatArray) -> float:
    """Spacing of floating point numbers at the largest value: of single precision if all values have that."""
    single = values.astype(np.float32)
    kind = np.float32 if np.array_equal(single, values) else np.float64
    return float(np.spacing(kind(np.abs(values).max())))


def first_step(axis: FloatArray, spacing: float) -> float:
    """The first step of an axis of two or more values that is no gap."""
    steps = np.abs(np.diff(axis))
    return float(steps[~find_gaps(steps, spacing)][0])


def find_gaps(steps: FloatArray, spacing: float) -> Flags:
    """Which steps (n - 1,) between the centres of an axis, all positive, are gaps.

    A gap is a step, or a few in a row, over 1.5 times the steps before and after; gaps found are left out and the rest
    is looked at again. Where a coarser part of an axis begins, steps stay large: they are gaps only if they are fewer,
    or less alike, than many times larger they are. ``spacing`` is that of the values, see :func:`value_spacing`.
    """
    gaps = steps > _HALF_TURN + _SLACK * spacing
    if gaps.all():
        return np.zeros(steps.shape, dtype=bool)
    while True:
        kept = np.flatnonzero(~gaps)
        peaks = _peaks(steps[kept], _SLACK * spacing)
        if not peaks.any():
            break
        gaps[kept[peaks]] = True
    # An even axis rounded to its first digits has steps of one and of two units, by turns: none of them is a gap.
    return np.zeros(steps.shape, dtype=bool) if _is_rounded_even(steps, gaps, spacing) else gaps


def _is_rounded_even(steps: FloatArray, gaps: Flags, spacing: float) -> bool:
    """Whether the gaps of an axis come from rounding, as of 1/60 degree to 0.02, 0.03, 0.05.

    The smallest step is then a single unit of the last decimal, the larger steps are many and evenly spread, and no
    value is further than a unit from an even axis. One row left out of an axis of many is no more than a unit either.
    """
    if gaps.size < _MIN_ROUNDED_STEPS or gaps.mean() < _MIN_ROUNDED_SHARE:
        return False
    unit = _decimal_unit(steps, 2.0 * spacing)
    if unit in (0.0, 1.0) or float(steps.min()) > 1.5 * unit:
        return False
    along = np.concatenate([[0.0], np.cumsum(steps)])
    return float(np.abs(along - np.linspace(0.0, along[-1], along.size)).max()) <= unit + 4.0 * spacing


def _peaks(steps: FloatArray, slack: float) -> Flags:
    """Which steps belong to runs that are gaps: runs between a jump up and a jump down, or an end."""
    peaks = np.zeros(steps.shape, dtype=bool)
    rises, bounds = _jumps(steps, slack)
    if len(bounds) == 2:
        return peaks
    for start, end in pairwise(bounds[1:-1]):
        if rises[start - 1] and not rises[end - 1]:
            peaks[start:end] = not _is_coarse(steps[start:end], max(steps[start - 1], steps[end]))
    peaks[steps.size - _end_gaps(steps, slack) :] = True
    peaks[: _end_gaps(steps[::-1], slack)] = True
    return peaks


def _jumps(steps: FloatArray, slack: float) -> tuple[Flags, list[int]]:
    """Which steps are followed by a jump up, and the bounds of the runs of steps between jumps up or down."""
    rises, falls = steps[1:] > _GAP * steps[:-1] + slack, steps[:-1] > _GAP * steps[1:] + slack
    return rises, [0, *(np.flatnonzero(rises | falls) + 1).tolist(), steps.size]


def _end_gaps(steps: FloatArray, slack: float) -> int:
    """How many steps at the end are gaps: those behind the last jump up, or the last jumps up if these are single."""
    rises, bounds = _jumps(steps, slack)
    i = len(bounds) - 2  # the last run
    if i == 0 or not rises[bounds[i] - 1] or _is_coarse(steps[bounds[i] :], float(steps[bounds[i] - 1])):
        return 0
    while i > 1 and bounds[i] - bounds[i - 1] == 1 and rises[bounds[i - 1] - 1]:
        i -= 1
    start, beside = bounds[i], float(steps[bounds[i] - 1])
    least = _GAP if start - bounds[i - 1] > 1 else _LONE_GAP
    larger = steps[start:].min() > least * beside * (1.0 + 1e-6) + slack
    return steps.size - start if larger and not _touch(steps[start:], beside) else 0


def _is_coarse(run: FloatArray, beside: float) -> bool:
    """Whether a run of large steps is a coarser part of the axis: alike, and as many as they are times larger."""
    ratios = run[1:] / run[:-1]
    alike = bool(np.all(np.abs(np.log(ratios)) < _ALIKE))
    return alike and run.size >= max(3.0, float(run[0]) / beside * (1.0 - 1e-6))


def _touch(run: FloatArray, beside: float) -> bool:
    """Whether coarser cells of one width, centred, fill a run of at least two steps: (a + b) / 2, b, b."""
    return run.size > 1 and bool(np.allclose(run[1:], 2.0 * run[0] - beside, rtol=0.01, atol=0.0))


def outer_steps(steps: FloatArray, gaps: Flags) -> tuple[FloatArray, FloatArray]:
    """The steps before and after each of n cells, from which their widths follow; beside a gap, the finer side.

    A cell beside a gap, or at an end, is as wide as the step on its other side. One with gaps on both sides is as wide
    as the smaller of the nearest steps that are no gaps.
    """
    known = np.where(gaps, np.nan, steps)
    before, after = np.concatenate([[np.nan], known]), np.concatenate([known, [np.nan]])
    lone = np.flatnonzero(np.isnan(before) & np.isnan(after))
    if lone.size:
        real = np.flatnonzero(~gaps)
        right = np.searchsorted(real, lone)
        nearest = steps[real[np.stack([np.maximum(right - 1, 0), np.minimum(right, real.size - 1)])]]
        before[lone] = nearest.min(axis=0)
    return np.where(np.isnan(before), after, before), np.where(np.isnan(after), before, after)


def contiguous_blocks(edges: FloatArray) -> list[tuple[int, int]]:
    """First cell and number of cells of each part of an axis without gaps, from both edges (n, 2) of its cells."""
    touch = (edges[:-1, 1] == edges[1:, 0]) | (edges[:-1, 0] == edges[1:, 1])
    bounds = [0, *(np.flatnonzero(~touch) + 1).tolist(), len(edges)]
    return [(start, end - start) for start, end in pairwise(bounds)]


def uneven_by(axis: FloatArray, spacing: float) -> float:
    """How far an axis is off an even one because its values were rounded to a decimal; zero if that is not why.

    Files hold 1/12 of a degree as 0.083, 0.167, 0.25: steps differ by a unit of the last decimal.
    """
    step = abs(float(axis[-1] - axis[0])) / (axis.size - 1)
    off = float(np.abs(axis - np.linspace(axis[0], axis[-1], axis.size)).max())
    unit = _decimal_unit(axis, 2.0 * spacing)
    return off if off <= unit + 4.0 * spacing and off < _MAX_ROUNDED * step else 0.0


def _decimal_unit(values: FloatArray, rounding: float) -> float:
    """The unit of the last decimal that all values have, 0.001 for three; zero if they have too many."""
    for decimals in range(10):
        scale = 10.0**decimals
        if rounding * scale > 0.1:
            break
        if np.abs(values * scale - np.round(values * scale)).max() <= rounding * scale:
            return 1.0 / scale
    return 0.0
