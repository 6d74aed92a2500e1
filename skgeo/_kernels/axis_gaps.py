"""Find gaps in the axis of a grid, where rows or columns were left out."""

from itertools import pairwise

import numpy as np

from skgeo._typing import Bools, FloatArray

# A step over this many times the steps beside it is a gap. Steps of stretched axes without gaps differ by less from one
# to the next. If one cell of an even axis is left out, the ratio is 2; if steps grow by a fifth, it is about 1.5.
_GAP = 1.5
# At an end of the axis there may be a single step to compare with. Then a gap is over this many times as long.
_LONE_GAP = 2.0
# Steps that differ by less than this share from one to the next are alike.
_ALIKE = 0.1
# Rounding of the values changes steps: differences up to this many times the spacing of the values are ignored.
_SLACK = 2.5
# Gaps are taken for rounding only if there are at least this many steps, and more than this share of them are gaps.
_MIN_ROUNDED_STEPS = 16
_MIN_ROUNDED_SHARE = 0.2
# An axis rounded in its file may be off an even axis by less than this share of a step.
_MAX_ROUNDED = 1.0 / 3.0
# A longitude step of more than half a turn is the break of an axis that is sorted as numbers, not around the Earth.
_HALF_TURN = 180.0


def value_spacing(values: FloatArray) -> float:
    """Return the spacing of floating point numbers at the largest value: of float32 if all values are float32."""
    single = values.astype(np.float32)
    kind = np.float32 if np.array_equal(single, values) else np.float64
    return float(np.spacing(kind(np.abs(values).max())))


def first_step(axis: FloatArray, spacing: float) -> float:
    """Return the first step that is no gap, of an axis of two or more values."""
    steps = np.abs(np.diff(axis))
    return float(steps[~find_gaps(steps, spacing)][0])


def find_gaps(steps: FloatArray, spacing: float) -> Bools:
    """Return which of the steps (n - 1,) between the centres of an axis, all positive, are gaps.

    A gap is a step, or a few steps one after the other, over 1.5 times the steps before and after. The search leaves
    out gaps that it has found and looks at the rest again. Where a coarser part of an axis begins, steps stay large:
    :func:`_is_coarse` tells such a part from gaps. ``spacing`` comes from :func:`value_spacing`.
    """
    gaps = steps > _HALF_TURN + _SLACK * spacing
    # If every step is over half a turn, there is no other step to compare with.
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


def _is_rounded_even(steps: FloatArray, gaps: Bools, spacing: float) -> bool:
    """Whether the gaps of an axis come from rounding: steps of 1/60 degree become 0.02, 0.03 and 0.05.

    Then the smallest step is a single unit of the last decimal, there are many larger steps, evenly spread, and every
    value is within one unit of an even axis. If one row of many is left out, the values also stay within one unit: the
    number of larger steps then shows the gap.
    """
    if gaps.size < _MIN_ROUNDED_STEPS or gaps.mean() < _MIN_ROUNDED_SHARE:
        return False
    unit = _decimal_unit(steps, 2.0 * spacing)
    if unit in (0.0, 1.0) or float(steps.min()) > 1.5 * unit:
        return False
    along = np.concatenate([[0.0], np.cumsum(steps)])
    return float(np.abs(along - np.linspace(0.0, along[-1], along.size)).max()) <= unit + 4.0 * spacing


def _peaks(steps: FloatArray, slack: float) -> Bools:
    """Return which steps belong to gaps: runs of steps between a jump up and a jump down, or an end of the axis."""
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


def _jumps(steps: FloatArray, slack: float) -> tuple[Bools, list[int]]:
    """Return which steps precede a jump up, and the bounds of the runs of steps between jumps up or down."""
    rises, falls = steps[1:] > _GAP * steps[:-1] + slack, steps[:-1] > _GAP * steps[1:] + slack
    return rises, [0, *(np.flatnonzero(rises | falls) + 1).tolist(), steps.size]


def _end_gaps(steps: FloatArray, slack: float) -> int:
    """Return the number of steps at the end that are gaps.

    They are the steps behind the last jump up; single steps before them that also jump up belong to the same gaps.
    """
    rises, bounds = _jumps(steps, slack)
    # Run i starts at bounds[i]; this is the last run.
    i = len(bounds) - 2
    if i == 0 or not rises[bounds[i] - 1] or _is_coarse(steps[bounds[i] :], float(steps[bounds[i] - 1])):
        return 0
    while i > 1 and bounds[i] - bounds[i - 1] == 1 and rises[bounds[i - 1] - 1]:
        i -= 1
    start, beside = bounds[i], float(steps[bounds[i] - 1])
    least = _GAP if start - bounds[i - 1] > 1 else _LONE_GAP
    larger = steps[start:].min() > least * beside * (1.0 + 1e-6) + slack
    return steps.size - start if larger and not _touch(steps[start:], beside) else 0


def _is_coarse(run: FloatArray, beside: float) -> bool:
    """Whether a run of large steps is a coarser part of the axis.

    Its steps are alike, and their number is at least three and at least their ratio to the step beside them.
    """
    ratios = run[1:] / run[:-1]
    alike = bool(np.all(np.abs(np.log(ratios)) < _ALIKE))
    return alike and run.size >= max(3.0, float(run[0]) / beside * (1.0 - 1e-6))


def _touch(run: FloatArray, beside: float) -> bool:
    """Whether cells of a larger width b follow cells of width a: steps between centres are (a + b) / 2, b, b."""
    return run.size > 1 and bool(np.allclose(run[1:], 2.0 * run[0] - beside, rtol=0.01, atol=0.0))


def outer_steps(steps: FloatArray, gaps: Bools) -> tuple[FloatArray, FloatArray]:
    """Return the steps before and after each of n cells, which give the widths of the cells.

    A cell beside a gap, or at an end, is as wide as the step on its other side. A cell between two gaps is as wide as
    the smaller of the nearest steps that are no gaps.
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
    """Return the first cell and the number of cells of each part without gaps, from the edges (n, 2) of the cells."""
    touch = (edges[:-1, 1] == edges[1:, 0]) | (edges[:-1, 0] == edges[1:, 1])
    bounds = [0, *(np.flatnonzero(~touch) + 1).tolist(), len(edges)]
    return [(start, end - start) for start, end in pairwise(bounds)]


def uneven_by(axis: FloatArray, spacing: float) -> float:
    """Return how far an axis, rounded to decimals, is off an even axis, in degrees; zero if rounding is not the cause.

    Files hold 1/12 of a degree as 0.083, 0.167, 0.25: steps differ by a unit of the last decimal.
    """
    step = abs(float(axis[-1] - axis[0])) / (axis.size - 1)
    off = float(np.abs(axis - np.linspace(axis[0], axis[-1], axis.size)).max())
    unit = _decimal_unit(axis, 2.0 * spacing)
    return off if off <= unit + 4.0 * spacing and off < _MAX_ROUNDED * step else 0.0


def _decimal_unit(values: FloatArray, rounding: float) -> float:
    """Return the unit of the last decimal of the values, 0.001 for three decimals; zero if rounding hides it."""
    for decimals in range(10):
        units = 10.0**decimals
        if rounding * units > 0.1:
            break
        if np.abs(values * units - np.round(values * units)).max() <= rounding * units:
            return 1.0 / units
    return 0.0
