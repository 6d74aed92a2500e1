"""A plugin of pytest that measures which lines of skgeo the tests reach: ``pytest -p line_coverage``, as .ci/run does.

slipcover marks the lines of each module when the module is imported. A mark becomes a jump when its line is reached, so
tests take a twentieth more time. (The plugin of slipcover itself lets marks stay, which takes a fifth more time.) Each
process of pytest-xdist writes a JSON file into the folder LINE_COVERAGE. ``slipcover --merge`` joins the files.
"""

import json
import os
from pathlib import Path

FOLDER, WORKER = os.environ.get("LINE_COVERAGE"), os.environ.get("PYTEST_XDIST_WORKER")

if FOLDER and WORKER:
    import slipcover

    lines = slipcover.Slipcover(immediate=True, source=["skgeo"])
    # The plugin is imported before any test, and so before skgeo.
    slipcover.ImportManager(lines, slipcover.FileMatcher(sources=["skgeo"])).__enter__()

    def pytest_sessionfinish():
        Path(FOLDER, f"{WORKER}.json").write_text(json.dumps(lines.get_coverage()))
