"""Extras: files and tests that need an optional package are marked with its extra, and skipped where it is absent."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

#: The packages of each extra of pyproject.toml, by the marker of its tests.
EXTRAS = {
    "geo": ("geopandas",),
    "pandas": ("pandas",),
    "plot": ("matplotlib", "PIL"),
    "progress": ("tqdm",),
    "torch": ("torch", "safetensors"),
    "xarray": ("xarray", "dask", "netCDF4"),
}
#: The extras that whole folders and files need; all their tests have these markers.
NEEDS = {
    "estimators.py": ("torch",),
    "experiments": ("torch", "xarray", "plot"),
    "fuzz/test_findings.py": ("torch", "pandas", "xarray"),
    "gaussian_process/test_mean.py": ("pandas", "plot"),
    "input/test_chunks.py": ("xarray",),
    "input/test_conventions.py": ("xarray",),
    "input/test_from_xarray.py": ("xarray",),
    "input/test_native_grids.py": ("xarray",),
    "inspection": ("plot", "pandas"),
    "model_selection": ("pandas",),
    "sample_networks.py": ("torch",),
    "test_html_repr.py": ("torch",),
    "test_sklearn_checks.py": ("torch",),
    "nn": ("torch", "pandas", "progress", "xarray"),
    "test_examples.py": ("pandas", "plot", "xarray"),
    "test_progress.py": ("progress",),
}


@cache
def absent(extra):
    """The packages of an extra that are not installed."""
    return [package for package in EXTRAS[extra] if find_spec(package) is None]


def extras_of(path):
    """The extras that all tests of a file need."""
    place = path.relative_to(Path(__file__).parent).as_posix()
    return next((extras for prefix, extras in NEEDS.items() if place.startswith(prefix)), ())


def reason(extras):
    """Why tests of these extras are skipped, or an empty string."""
    return "; ".join(f"the extra {extra} is absent: no {', '.join(absent(extra))}" for extra in extras if absent(extra))


class SkippedFile(pytest.File):
    """A file that cannot be imported without an extra."""

    def collect(self):
        pytest.skip(reason(extras_of(self.path)), allow_module_level=True)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    collectors = yield
    if collectors and reason(extras_of(file_path)):
        return [SkippedFile.from_parent(parent, path=file_path)]
    return collectors


def pytest_itemcollected(item):
    for extra in extras_of(item.path):
        item.add_marker(extra)


def pytest_runtest_setup(item):
    why = reason([marker.name for marker in item.iter_markers() if marker.name in EXTRAS])
    if why:
        pytest.skip(why)
