"""What run.py holds calls to: valid input gives the right numbers, invalid input a clear error and nothing else."""

import itertools
import linecache
import pickle
import signal
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager

import numpy as np
from sklearn.exceptions import ConvergenceWarning, InconsistentVersionWarning, NotFittedError

from skgeo.exceptions import CoordinateError, CoordinateWarning, ModelFileError, ResolutionWarning, VersionWarning

#: The errors that invalid input may raise: these very classes, not whatever derives from them.
REFUSALS = (ValueError, TypeError, CoordinateError, ModelFileError, NotFittedError, ImportError)
#: The warnings that the reference names.
INTERFACE = (CoordinateWarning, ResolutionWarning, VersionWarning, ConvergenceWarning, InconsistentVersionWarning)
#: Seconds of computing that no call may take; and of waiting, three times over, as a process may be stopped for long.
COMPUTING, WAITING = 8, 40

#: Errors that nobody wrote for the reader, by the line that raised them.
accidents: Counter = Counter()


class Defect(Exception):  # noqa: N818 - what it is called
    """The contract is broken."""


class Refused:
    """What a call gives that refused its input."""


@contextmanager
def strict_warnings():
    """Any warning is an error, but for those that are part of the interface."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in INTERFACE:
            warnings.simplefilter("ignore", category)
        yield


@contextmanager
def quiet():
    """No warning of the interface, where it is not asked for."""
    with warnings.catch_warnings():
        for category in INTERFACE:
            warnings.simplefilter("ignore", category)
        yield


def _late(number, frame):
    raise Defect(f"a call took more than {COMPUTING} s of computing, or {3 * WAITING} s of waiting: a hang")


@contextmanager
def limited():
    """Raise Defect in what hangs."""
    signal.signal(signal.SIGPROF, _late)
    alarms = itertools.count(1)
    signal.signal(signal.SIGALRM, lambda *which: _late(*which) if next(alarms) == 3 else None)
    signal.setitimer(signal.ITIMER_PROF, COMPUTING)
    signal.setitimer(signal.ITIMER_REAL, WAITING, WAITING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def attempt(function, valid, *, owner=None, refusals=REFUSALS):
    """The value of a call, or Refused; raises Defect where it does not do what the truth of its input asks.

    ``owner`` is an estimator that has to be as it was if the call is refused.
    """
    before = None if owner is None else (dict(vars(owner)), pickle.dumps(vars(owner)))
    try:
        with strict_warnings(), limited():
            value = function()
    except Defect:
        raise
    except Exception as error:
        if type(error) not in refusals:
            raise Defect(f"{type(error).__name__} at {_where(error)}: {error}") from error
        if len(str(error)) < 8:
            raise Defect(f"no message at {_where(error)}: {error!r}") from error
        if valid is True:
            raise Defect(f"valid input is refused at {_where(error)}: {error!r}") from error
        if before is not None:
            _unchanged(owner, before)
        _note_accident(error)
        return Refused
    if valid is False:
        raise Defect(f"invalid input is accepted; the call gives {str(value)[:200]}")
    return value


def _unchanged(owner, before):
    now, (attributes, content) = vars(owner), before
    if now.keys() != attributes.keys() or any(now[key] is not value for key, value in attributes.items()):
        raise Defect(f"a refused call changed the attributes of {type(owner).__name__}")
    if pickle.dumps(now) != content:
        raise Defect(f"a refused call changed the content of {type(owner).__name__}")


def _where(error):
    """The innermost line of skgeo that an error passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/skgeo/" in frame.filename]
    return f"{frames[-1].filename.rpartition('/skgeo/')[2]}:{frames[-1].lineno}" if frames else "no line of skgeo"


def _note_accident(error):
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(frame.filename, frame.lineno).strip()
    deliberate = ("/skgeo/" in frame.filename or "/sklearn/" in frame.filename) and line.startswith("raise")
    if not deliberate:
        accidents[f"{_where(error)} {type(error).__name__}: {str(error)[:100]}"] += 1


def right(condition, what, *values):
    """Raise Defect unless a condition holds."""
    if not condition:
        raise Defect(" ".join([what, *(np.array_str(np.asarray(value))[:300] for value in values)]))


def check_output(values, *, rows, columns, single, missing=None):
    """An embedding: its type, shape and dtype, and finite but for rows that are missing."""
    right(isinstance(values, np.ndarray), f"the output is a {type(values)}")
    right(values.shape == (rows, columns), f"the output has shape {values.shape}, expected {(rows, columns)}")
    right(values.dtype == (np.float32 if single else np.float64), f"the output is {values.dtype}, single={single}")
    gone = np.zeros(rows, bool) if missing is None else missing
    right(np.isfinite(values[~gone]).all(), "the output is not finite:", values)


def check_close(values, expected, *, tolerance):
    """Equal to what plain float64 gives, to a share of the largest value; NaN at the same places."""
    values, expected = np.asarray(values, np.float64), np.asarray(expected, np.float64)
    right(values.shape == expected.shape, f"shapes differ: {values.shape}, {expected.shape}")
    right((np.isnan(values) == np.isnan(expected)).all(), "other values are missing:", values, expected)
    scale = max(1.0, float(np.nanmax(np.abs(expected), initial=0.0)))
    off = float(np.nanmax(np.abs(values - expected), initial=0.0)) / scale
    right(off <= tolerance, f"the output is off by {off:.2g} of its size:", values, expected)
