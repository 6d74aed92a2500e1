"""Convert arrays of objects and of text to numbers, as scikit-learn does, and refuse other values."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from skgeo.exceptions import CoordinateError

# Types that float() or NumPy convert to numbers, though they are no coordinates.
_REFUSED = (bool, np.bool_, np.timedelta64, np.datetime64, complex, np.complexfloating, np.ndarray)

# A number as people write it in many countries, such as 48,1.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def detached(values: Any) -> Any:
    """Return the numbers of a tensor of torch, without its gradient, as an array; other values unchanged.

    NumPy has no bfloat16: float32 holds its numbers without rounding.
    """
    # Tensors are known by their methods: torch is not imported here.
    if not (hasattr(values, "requires_grad") and hasattr(values, "detach")):
        return values
    values = values.detach().cpu()
    return (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()


def as_numbers(values: npt.NDArray[Any], name: str, *, text: bool = False) -> npt.NDArray[Any]:
    """Return objects as float64 numbers, with NaN for None and NA; return numbers of any dtype unchanged.

    An object may be anything that float() takes, such as Decimal and Fraction, except a boolean. With ``text`` it may
    also be a text such as "48.1".

    >>> from decimal import Decimal
    >>> as_numbers(np.array([Decimal("48.1"), None, 7], dtype=object), "X")
    array([48.1,  nan,  7. ])
    """
    if values.dtype.kind in "fiuc":
        return values
    accepted = values.dtype.kind in ("OUS" if text else "O")
    if accepted and values.dtype.kind == "O":
        kinds = set(map(type, values.ravel().tolist()))
        # float() does not take the NA of pandas.
        if any(kind.__name__ == "NAType" for kind in kinds):
            values = values.copy()
            values[np.vectorize(_is_na, otypes=[bool])(values)] = None
        refused = _REFUSED if text else (*_REFUSED, str, bytes)
        accepted = not any(issubclass(kind, refused) for kind in kinds)
    if accepted:
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            pass
    return _refuse(values, name, text)


def check_numbers(
    values: npt.NDArray[Any], name: str, *, allow_missing: bool = False, cure: str = ""
) -> npt.NDArray[Any]:
    """Refuse values that are no finite real numbers, with the number of the first row; integers become float64.

    ``allow_missing`` allows NaN. Otherwise the error ends with ``cure``, for instance ", or let missing='nan' take
    them".
    """
    if values.ndim == 0 and not (values.dtype.kind in "fiu" and np.isfinite(values)):
        raise CoordinateError(f"{name} is {values.item()!r}: expected an array of numbers.")
    if values.dtype.kind == "c":
        raise CoordinateError(
            f"{name} is complex in {format_rows(np.arange(len(values)))}: Complex data not supported, take {name}.real."
        )
    values = as_numbers(values, name)
    single = values.dtype.kind == "f" and values.dtype.itemsize == 4
    values = values.astype(np.float32 if single else np.float64, copy=False)  # and in native byte order
    bad = np.isinf(values) if allow_missing else ~np.isfinite(values)
    if bad.any():
        rows = np.flatnonzero(bad.reshape(len(values), -1).any(axis=1))
        what, cure = ("infinity", "") if allow_missing else ("NaN or infinity", cure)
        raise CoordinateError(f"{name} contains {what} in {format_rows(rows)}: drop or impute these rows first{cure}.")
    return values


def format_number(value: float) -> str:
    """A number as people write it, in full where a shorter form would be another number."""
    short = f"{value:.15g}"
    return short if float(short) == value else repr(float(value))


def format_rows(rows: npt.NDArray[np.intp]) -> str:
    """How many rows, and the first."""
    return f"{rows.size} row{'s' if rows.size != 1 else ''}, first row {rows[0]}"


def shortened(text: str, length: int = 160) -> str:
    """A text on one line; if it is longer than ``length``, with dots in place of its middle."""
    text = " ".join(text.split())
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]}...{text[-half:]}"


def _is_na(value: object) -> bool:
    """Whether a value is the NA of pandas, which need not be installed for the answer."""
    return type(value).__name__ == "NAType"


def _refuse(values: npt.NDArray[Any], name: str, text: bool) -> npt.NDArray[Any]:
    """Raise the error that counts the rows without numbers and shows the first such value."""
    table = values.reshape(len(values), -1)
    # In arrays of booleans, dates and durations all values are wrong, in arrays of objects and text only some.
    bad = np.ones(table.shape, dtype=bool)
    if values.dtype.kind in "OUS":
        bad = np.array([[not _is_number(value, text) for value in row.tolist()] for row in table])
    rows = np.flatnonzero(bad.any(axis=1))
    first = table[rows[0], np.argmax(bad[rows[0]])]
    count = f"{rows.size} row{'s' if rows.size != 1 else ''}"
    cure = "Convert them first, for instance with astype(float); text such as 41°24'N needs parsing."
    if isinstance(first, str) and _DECIMAL_COMMA.fullmatch(first.strip()):
        cure = (
            "These have a decimal comma: read the file with pandas.read_csv(..., decimal=','), or convert the column, "
            "column.str.replace(',', '.').astype(float)."
        )
    raise CoordinateError(
        f"{name} holds {values.dtype} values in {count}, first row {rows[0]}, {shortened(repr(first), 60)}: expected "
        f"numbers. {cure}"
    )


def _is_number(value: Any, text: bool) -> bool:
    """Whether a value is a number or None."""
    if isinstance(value, _REFUSED) or (isinstance(value, str | bytes) and not text):
        return False
    try:
        float(np.nan if value is None else value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
