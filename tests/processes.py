"""Code in a process of its own, where nothing is imported yet."""

import os
import subprocess
import sys


def run_python(code, *arguments):
    """What the code prints; it imports what the tests can import, and any warning is an error."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
