"""Code in a process of its own, where nothing is imported yet, and scripts in the process of the tests."""

import os
import runpy
import subprocess
import sys
from warnings import catch_warnings, simplefilter

import pytest

#: The warning of dask that a cluster needs more than a second for its folders, as on a busy machine: to be ignored.
SLOW_MACHINE = "ignore:Creating scratch directories is taking"


def run_python(code, *arguments):
    """What the code prints; it imports what the tests can import, and any warning is an error."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_script(script, *options, folder, warnings="error"):
    """Run a script in this process, where the packages are imported already."""
    with pytest.MonkeyPatch.context() as patch, catch_warnings():
        simplefilter(warnings)
        patch.setattr(sys, "argv", [str(script), *map(str, options)])
        patch.setattr(sys, "path", sys.path.copy())
        patch.chdir(folder)
        runpy.run_path(str(script), run_name="__main__")
