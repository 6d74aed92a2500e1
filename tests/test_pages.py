"""The check of built pages finds each kind of fault, and pictures of results are drawn from what is kept."""

import os
import shutil
import subprocess
import sys

import pytest

from paths import ROOT
from processes import run_script

PAGE = """<!doctype html><html><head><meta charset="utf-8"></head><body style="margin: 0">
<header><a class="navbar-brand">skgeo</a></header><main>{}</main></body></html>"""
FAULTS = {
    "<div style='width: 500px'>a wide table</div>": "400 px: the page is 500 px wide",
    f"<pre style='overflow: auto'>{'x' * 300}</pre>": "1280 px: code is cut off",
    "<p>See [R880299bbd220-1].</p>": "raw hash of a reference",
    "<pre>&lt;skgeo.Display object at 0x7f&gt;</pre>": "address of an object",
    r"<p>The sum \(x^2\)</p>": "raw TeX",
    "<p>A :class:`Grid` of cells</p>": "raw reStructuredText",
    "<span class='math'>x</span>": "formula: x",
    "<img src='nowhere.png'>": "picture: nowhere.png",
    "<script src='https://example.org/a.js'></script>": "file of another site",
    "<a class='reference'>a link</a>": "link without a target",
    "<code class='xref download'>a file</code>": "link without a target: a file",
    "</main><header><div class='nav-item'>a</div><div class='nav-item'>b</div></header><main>": "several rows",
}
GOOD = """<h1>Good</h1><p>A short text with a <a href="#x">link</a>.</p><pre style="overflow: auto">x = 1</pre>
<span class="math"><math><mi>x</mi></math></span><code>:class:`Grid` and ``code``</code>"""


def check(folder, **environment):
    command = [sys.executable, ROOT / "scripts" / "check_pages.py", folder]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_faults_of_pages_are_found(tmp_path):
    for number, body in enumerate([GOOD, *FAULTS]):
        (tmp_path / f"{number}.html").write_text(PAGE.format(body), encoding="utf-8")
    done = check(tmp_path)
    lines = done.stdout.splitlines()
    assert done.returncode == 1, done.stderr
    for number, fault in enumerate(FAULTS.values(), start=1):
        assert any(line.startswith(f"{number}.html, ") and fault in line for line in lines), (fault, lines)
    assert not any(line.startswith("0.html") for line in lines), lines


def test_pages_are_not_checked_without_a_browser(tmp_path):
    done = check(tmp_path, PATH="")
    assert done.returncode == 0
    assert done.stdout.startswith("skipped: none of chromium")


def test_pictures_are_drawn_from_kept_results(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("torch")
    run_script(ROOT / "scripts" / "draw_results.py", "--out", tmp_path, folder=tmp_path)
    kept = {path.name for path in ROOT.glob("*/results/*.png")} - {"land_ocean_coast.png"}  # needs the model
    assert {path.name for path in tmp_path.iterdir()} == kept
