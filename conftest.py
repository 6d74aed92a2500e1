"""Tests and doctests draw without a display, close their pictures, and run torch and BLAS on one thread a process."""

import os
import sys
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parent / "docs" / "tutorials"

os.environ.setdefault("MPLBACKEND", "agg")
# pytest-xdist runs one process a core. With two threads in each process, the threads wait for each other: the tests of
# small networks took 90 s of processor time instead of 30 s. Tests that are about threads set their own number.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def _data_of_tutorials(request, monkeypatch):
    """The code of a tutorial runs in a folder of its own that holds the data, as the folder of a reader does."""
    if request.path.parent != TUTORIALS or request.path.stem == "index":
        return
    from scripts.draw_tutorials import fill_folder

    folder = request.getfixturevalue("tmp_path")
    missing = fill_folder(folder, request.path.stem)
    if missing:
        pytest.skip(missing)
    monkeypatch.chdir(folder)
