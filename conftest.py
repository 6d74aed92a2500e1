"""Tests and doctests draw without a display, close their pictures, and run torch and BLAS on one thread a process."""

import os
import sys

import pytest

os.environ.setdefault("MPLBACKEND", "agg")
# pytest-xdist runs one process a core. With two threads in each process, the threads wait for each other: the tests of
# small networks took 90 s of processor time instead of 30 s. Tests that are about threads set their own number.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
