"""The plan of the package: which folder may import which, read from the imports as they stand, lazy ones counted."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skgeo"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# Folders from low to high. A module imports its own folder and lower ones.
SHARED = {"skgeo._typing", "skgeo._version", "skgeo.exceptions"}
HELPERS = {"skgeo._validation"}
# The documented exceptions: ``to_torch`` of a transformer makes its torch module.
TO_TORCH = {"skgeo.nn._transformer_modules", "skgeo.nn._encoder_modules", "skgeo.nn._networks", "skgeo.nn._cell_stacks"}


def imported(path):
    """Full names of all that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


GRAPH = {name: set(imported(path)) - {name} for name, path in MODULES.items()}


def own(name):
    """The modules of skgeo that a module imports."""
    return {target for target in GRAPH[name] if target in MODULES}


def in_folder(folder):
    return [name for name in MODULES if name == f"skgeo.{folder}" or name.startswith(f"skgeo.{folder}.")]


def below(name, *folders):
    """What of skgeo a module imports besides the shared modules and the given folders."""
    allowed = SHARED | {module for folder in folders for module in in_folder(folder)}
    return own(name) - allowed


def test_no_circle_of_imports():
    def reached_from(start):
        seen, todo = set(), [start]
        while todo:
            for target in own(todo.pop()) - seen:
                seen.add(target)
                todo.append(target)
        return seen

    assert not [name for name in MODULES if name in reached_from(name)]


@pytest.mark.parametrize("name", in_folder("_kernels"))
def test_kernels_know_arrays_only(name):
    assert not below(name, "_kernels")
    outside = {target.partition(".")[0] for target in GRAPH[name]} - {"skgeo"}
    assert outside & {"sklearn", "pandas", "polars", "xarray", "dask", "torch", "matplotlib", "geopandas"} == set()


@pytest.mark.parametrize("name", in_folder("_input"))
def test_input_knows_no_estimator(name):
    assert not below(name, "_kernels", "_input") - HELPERS


@pytest.mark.parametrize("name", in_folder("_output"))
def test_output_knows_no_estimator(name):
    assert not below(name, "_kernels", "_input", "_output") - HELPERS


@pytest.mark.parametrize("name", in_folder("_patches"))
def test_patches_know_no_estimator(name):
    assert not below(name, "_kernels", "_input", "_output", "_patches") - HELPERS


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("skgeo.nn")])
def test_torch_and_its_estimators_are_in_nn_only(name):
    assert "torch" not in {target.partition(".")[0] for target in GRAPH[name]}
    assert {target for target in own(name) if target.startswith("skgeo.nn")} <= TO_TORCH


@pytest.mark.parametrize("name", sorted(TO_TORCH))
def test_modules_that_to_torch_makes_know_no_estimator(name):
    assert not below(name, "_kernels", "_input") - HELPERS - TO_TORCH - {"skgeo._spectrum"}


@pytest.mark.parametrize("name", in_folder("encoders"))
def test_encoders_know_neither_patches_nor_models(name):
    higher = {*in_folder("inspection"), *in_folder("model_selection"), *in_folder("_output"), "skgeo._patch_position"}
    assert not own(name) & higher


def test_size_of_files_and_root():
    assert len(list(PACKAGE.glob("*.py"))) <= 20
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_size_of_functions():
    long = []
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                long += [f"{name}.{node.name}: {length}"] * (length > 60)
    assert not long


def test_contributing_guide_shows_the_plan():
    """The table of the guide names each file and folder of the package, and nothing else.

    Of encoders, model_selection, inspection and datasets, whose files have the names of what they hold, it names the
    folder alone.
    """
    text = (ROOT / "docs" / "contributing.rst").read_text(encoding="utf-8")
    table = text[text.index("The plan of the code") : text.index("Imports point in one direction")]
    named = set(re.findall(r"``([\w/]+(?:\.py|/))``", table))
    files = {path.name for path in PACKAGE.glob("*.py")}
    folders = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py"))}
    listed = ("_kernels", "_input", "_output", "_patches", "nn")
    inner = {path.relative_to(PACKAGE).as_posix() for folder in listed for path in (PACKAGE / folder).rglob("*.py")}
    assert named == files | folders | {path for path in inner if not path.endswith("/__init__.py")}


@pytest.mark.parametrize(
    ("base", "method"),
    [
        ("skgeo._base.LocationTransformer", "_embed_places"),
        ("skgeo._base.PatchTransformer", "_patch_features"),
        ("skgeo._base.GeoEstimator", "_read"),
        ("skgeo._inverse.InverseTransformer", "_degree_one"),
        ("skgeo.encoders._base.FormulaEncoder", "_formula"),
    ],
)
def test_abstract_methods_are_enforced(base, method):
    module, _, name = base.rpartition(".")
    cls = getattr(import_module(module), name)
    assert method in cls.__abstractmethods__
    implemented = dict.fromkeys(cls.__abstractmethods__ - {method})
    lacking = type("Lacking", (cls,), implemented)
    with pytest.raises(TypeError, match=method):
        lacking()


@pytest.mark.xarray
def test_chains_of_own_classes_are_short():
    def depth(cls):
        return 1 + max((depth(base) for base in cls.__bases__ if base.__module__.startswith("skgeo")), default=0)

    names = [name for name in MODULES if not name.startswith("skgeo.nn")]
    classes = {item for name in names for item in vars(import_module(name)).values() if isinstance(item, type)}
    assert max(depth(cls) for cls in classes if cls.__module__.startswith("skgeo")) <= 6
