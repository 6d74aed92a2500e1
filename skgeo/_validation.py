"""Checks of parameters and weights, optional imports, warnings at the line of the caller, and progress bars.

The checks of parameters have one form of message: name, value given, accepted values.
"""

import importlib
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from numbers import Integral, Real
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo._input.numbers import check_numbers, detached, format_number, shortened
from skgeo._kernels.threads import no_progress

# Range of positive numbers whose squares, and sums of squares, neither overflow nor become zero.
MIN_SQUARABLE, MAX_SQUARABLE = 1e-100, 1e100
# Smallest accepted value of the largest sample weight: products of smaller weights with areas lose digits.
_MIN_LARGEST_WEIGHT = 1e-280
# With verbose=None, a bar appears after this number of seconds of work.
DELAY = 2.0


def check_parameter(name: str, value: object, valid: bool, accepted: str) -> None:
    """Raise ValueError with the name, the value and the accepted values, unless ``valid``."""
    if not valid:
        raise ValueError(f"{name}={shortened(repr(value))}: expected {accepted}.")


def check_flag(name: str, value: object) -> None:
    """Raise ValueError unless the value is a bool."""
    check_parameter(name, value, isinstance(value, bool | np.bool_), "True or False")


def check_radius(name: str, value: object) -> None:
    """Raise ValueError unless the value is a radius whose square is a number."""
    valid = is_real(value) and MIN_SQUARABLE <= float(value) <= MAX_SQUARABLE  # type: ignore[arg-type]
    check_parameter(name, value, valid, f"a positive number of metres, from {MIN_SQUARABLE:g} to {MAX_SQUARABLE:g}")


def check_magnitude(name: str, values: npt.NDArray[Any], limit: float = MAX_SQUARABLE) -> None:
    """Raise ValueError if a value is larger than a limit. Up to the default limit sums of squares do not overflow."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest > limit:
        raise ValueError(f"{name} has values up to {largest:.3g}: expected at most {limit:g}. Change their unit.")


def check_squarable(name: str, values: npt.NDArray[Any]) -> None:
    """Raise ValueError if the squares of values overflow, or if all squares would be zero although a value is not."""
    check_magnitude(name, values)
    largest = float(np.abs(values).max(initial=0.0))
    if 0.0 < largest < MIN_SQUARABLE:
        raise ValueError(f"{name} has values up to {largest:.3g}: expected {MIN_SQUARABLE:g} and more. Scale {name}.")


def check_degree(value: Any) -> int:
    """Return a maximum degree as a Python integer."""
    # NumPy's integers of 8 and 16 bits would overflow in (max_degree + 1) ** 2.
    check_parameter("max_degree", value, is_integer(value) and value >= 1, "an integer, at least 1")
    return int(value)


def check_clip(value: Any) -> None:
    """Raise ValueError unless the value is None or a bound of the output in standard deviations."""
    # Quotients by such numbers are finite in single precision.
    valid = value is None or (is_real(value) and 1e-6 <= value <= 1e6)
    check_parameter("clip", value, valid, "None or a number from 1e-06 to 1e+06")


def check_n_jobs(value: Any) -> None:
    """Raise ValueError unless the value is a number of threads as joblib defines it: -1 is all cores."""
    check_parameter(
        "n_jobs", value, value is None or (is_integer(value) and value != 0), "None or an integer other than 0"
    )


def check_names(names: Any) -> None:
    """Raise ValueError unless the value is None or holds the names of two columns."""
    valid = isinstance(names, tuple | list) and len(names) == 2 and all(isinstance(name, str) for name in names)
    valid = names is None or (valid and names[0] != names[1])
    check_parameter("coordinates", names, valid, "None or the names of the latitude and the longitude column")


def check_convention(value: object) -> None:
    """Raise ValueError unless the value names a convention of harmonics."""
    valid = isinstance(value, str) and value in ("orthonormal", "satclip", "satclip_closed_form")
    check_parameter("convention", value, valid, "'orthonormal', 'satclip' or 'satclip_closed_form'")


def is_integer(value: object) -> bool:
    """Whether the value is an integer, and not a boolean."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: object) -> bool:
    """Whether the value is a finite real number, and not a boolean."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def check_pair(value: Any, name: str) -> tuple[int, int]:
    """Return a pair of positive integers (latitude, longitude); a single integer stands for both."""
    try:
        pair = np.asarray(value)
    except ValueError:  # ragged
        pair = np.asarray(None)
    valid = pair.dtype.kind in "iu" and pair.shape in ((), (2,)) and bool((pair >= 1).all())
    check_parameter(name, value, valid, "a positive integer or a pair of them (latitude, longitude)")
    along_latitude, along_longitude = np.broadcast_to(pair, (2,)).tolist()
    return along_latitude, along_longitude


def check_sample_weight(
    sample_weight: npt.ArrayLike, shape: tuple[int, ...], *, allow_all_zero: bool = False
) -> npt.NDArray[np.float64]:
    """Weights of the given shape, from an array of that shape or a flat one: finite, not negative, not all zero."""
    if np.ma.is_masked(sample_weight):
        raise ValueError("sample_weight has masked values: fill them, sample_weight.filled(0), to leave samples out.")
    values = np.asarray(detached(sample_weight))
    if values.dtype.kind == "b":  # a selection
        values = values.astype(np.float64)
    weight = check_numbers(values, "sample_weight").astype(np.float64)
    if weight.shape not in {shape, (int(np.prod(shape)),)}:
        raise ValueError(f"sample_weight has shape {weight.shape}: expected {shape}, one weight per sample.")
    bad = np.flatnonzero(weight < 0.0)
    if bad.size:
        raise ValueError(
            f"sample_weight must not be negative; {bad.size} are, the first at {bad[0]}: "
            f"{format_number(weight.flat[bad[0]])}."
        )
    check_magnitude("sample_weight", weight, 1e300)  # their sum is a number
    if not allow_all_zero and not weight.any():
        raise ValueError("sample_weight is all zero: no sample counts. Give at least one positive weight.")
    # Numbers below 2e-308 have few digits. Beside a larger weight their error does not matter.
    largest = float(weight.max(initial=0.0))
    if not allow_all_zero and largest < _MIN_LARGEST_WEIGHT:
        raise ValueError(
            f"sample_weight has values up to {format_number(largest)}: expected the largest to be "
            f"{_MIN_LARGEST_WEIGHT:g} or more. Multiply all weights by the same number: the result is the same."
        )
    return weight.reshape(shape)


def check_scaled_weight(sample_weight: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """As :func:`check_sample_weight`, for models that do not rescale weights: squares of weights are numbers, too."""
    weight = check_sample_weight(sample_weight, shape)
    check_magnitude("sample_weight", weight)
    tiny = np.flatnonzero((weight > 0.0) & (weight < MIN_SQUARABLE))
    if tiny.size:
        raise ValueError(
            f"sample_weight is positive but below {MIN_SQUARABLE:g} in {tiny.size} samples, the first at {tiny[0]}: "
            f"{format_number(weight.flat[tiny[0]])}. Give zero to leave samples out."
        )
    return weight


def libraries_of(kind: type) -> set[str]:
    """The libraries of a class and of its bases, read from the names of modules: no library is imported."""
    return {base.__module__.partition(".")[0] for base in kind.__mro__}


def import_optional(module: str, needed_for: str, extra: str) -> ModuleType:
    """Import an optional dependency, or raise ImportError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{needed_for} needs {module}: pip install 'skgeo[{extra}]'.") from error


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's code that called skgeo."""
    # The nearest frame outside of skgeo, scikit-learn and joblib, which call skgeo in the name of the user.
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("skgeo", "sklearn", "joblib"):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def check_verbose(value: object) -> None:
    """Raise ValueError unless the value says when to show a bar."""
    check_parameter("verbose", value, value is None or isinstance(value, bool), "True, False or None")


def progress(total: int, unit: str, *, shown: bool | None) -> AbstractContextManager[Callable[[int], object]]:
    """A context with a function ``advance(n)``, which moves a progress bar, if one is shown, by n units.

    With ``shown=None`` a bar appears in interactive sessions if tqdm is installed and the work takes long.
    """
    # A program without a console, such as pythonw, has no stderr.
    hidden = shown is False or sys.stderr is None
    if hidden or (shown is None and not (is_interactive() and find_spec("tqdm"))):
        return nullcontext(no_progress)
    return _bar(total, unit, delay=0.0 if shown else DELAY)


@contextmanager
def _bar(total: int, unit: str, *, delay: float) -> Iterator[Callable[[int], object]]:
    """A bar of tqdm that appears after a delay in seconds."""
    tqdm = import_optional("tqdm", "verbose=True", "progress")
    with tqdm.tqdm(total=total, unit=unit, unit_scale=True, delay=delay) as bar:
        yield bar.update


def is_interactive() -> bool:
    """Whether Python runs at a prompt or in a notebook."""
    return hasattr(sys, "ps1")
