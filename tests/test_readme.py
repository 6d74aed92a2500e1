"""The README's code runs as it is written; the reference lists every public name."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import skgeo

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
    np.testing.assert_array_equal(skgeo.load(folder / "features.npz").transform(patches), Z)


def test_main_job_is_a_dozen_lines():
    assert len([line for line in blocks("python")[0].splitlines() if line]) == 12


def test_links_of_the_readme_lead_to_files():
    """Links are absolute, because a package index shows the README without the files beside it."""
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 10
    assert [link for link in links if not source_of(link).exists()] == []


def source_of(link):
    """The file of the repository from which the target of an absolute link is made."""
    repository = ("https://github.com/skgeo/skgeo/blob/main/", "https://raw.githubusercontent.com/skgeo/skgeo/main/")
    for address in repository:
        if link.startswith(address):
            return ROOT / link.removeprefix(address)
    page = link.removeprefix("https://skgeo.github.io/skgeo/stable/")
    assert page != link, f"{link} is no address of the project"
    return ROOT / "examples" / "gallery" if page == "gallery/index.html" else ROOT / "docs" / f"{page[:-5]}.rst"


def test_commands_are_one_line_each_and_take_the_constraints():
    commands = blocks("bash")
    assert len(commands) == 2
    for command in commands:
        assert command.count("\n") == 1
        assert "install -c constraints.txt" in command


MODULES = [
    "skgeo",
    "skgeo.encoders",
    "skgeo.model_selection",
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
