"""The README's code runs as it is written; the reference lists every public name."""

import re
from importlib import import_module
from pathlib import Path

import joblib
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def main_job(tmp_path_factory):
    """The names that the main job leaves behind, and the folder that it ran in."""
    folder = tmp_path_factory.mktemp("readme")
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(blocks("python")[0], "README.md", "exec"), names)
    return names, folder


def test_main_job_runs_as_written(main_job):
    names, folder = main_job
    patches, Z = names["patches"], names["Z"]
    assert patches.shape == (22 * 45, 6)  # 360 x 720 cells hold so many whole patches of 16 x 16
    assert Z.shape == (len(patches), 106)
    assert np.isfinite(Z).all()
    np.testing.assert_array_equal(joblib.load(folder / "features.joblib").transform(patches), Z)


def test_main_job_is_a_dozen_lines():
    assert len([line for line in blocks("python")[0].splitlines() if line]) == 12


def test_head_runs_as_written(main_job):
    pytest.importorskip("torch")
    names = dict(main_job[0])
    exec(compile(blocks("python")[1], "README.md", "exec"), names)
    assert names["tokens"].shape == (1, 22 * 45, 768)
    assert len(names["tokens"][0].unique(dim=0)) == 22 * 45  # every patch gets an embedding of its own


def test_commands_are_one_line_each_and_take_the_constraints():
    commands = blocks("bash")
    assert len(commands) == 2
    for command in commands:
        assert command.count("\n") == 1
        assert "install -c constraints.txt" in command


MODULES = [
    "skgeo",
    "skgeo.encoders",
    "skgeo.nn",
    "skgeo.xarray",
    "skgeo.datasets",
    "skgeo.exceptions",
    "skgeo.inspection",
]


@pytest.mark.parametrize("module", MODULES)
def test_reference_lists_every_public_name(module):
    if module in {"skgeo.nn", "skgeo.xarray"}:
        pytest.importorskip({"skgeo.nn": "torch", "skgeo.xarray": "xarray"}[module])
    listed = set(re.findall(r"^   ([\w.]+)$", (ROOT / "docs" / "api.rst").read_text(encoding="utf-8"), re.MULTILINE))
    prefix = module.removeprefix("skgeo").removeprefix(".")
    public = {name for name in import_module(module).__all__ if name not in {"__version__", "exceptions"}}
    assert {f"{prefix}.{name}".lstrip(".") for name in public} <= listed
