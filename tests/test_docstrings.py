"""Classes that share a parameter describe it in the same words, and examples fit on a page of the reference."""

import ast
import inspect

import pytest

import skgeo
import skgeo.encoders
import skgeo.inspection
import skgeo.metrics
import skgeo.model_selection
from paths import ROOT
from skgeo.model_selection import BufferedKFold, SphericalBlockKFold

docscrape = pytest.importorskip("numpydoc.docscrape")


def descriptions(obj):
    """The type and the text of each parameter in the docstring of an object."""
    parameters = docscrape.NumpyDocString(inspect.cleandoc(obj.__doc__))["Parameters"]
    return {each.name: (each.type, " ".join(" ".join(each.desc).split())) for each in parameters}


def differing(objects):
    """The names of parameters that two of the objects describe in different words."""
    found = {}
    for obj in objects:
        for name, described in descriptions(obj).items():
            found.setdefault(name, set()).add(described)
    return {name for name, texts in found.items() if len(texts) > 1}


# The expected names are the parameters that do not mean the same in all classes.
def test_encoders_share_descriptions():
    encoders = [getattr(skgeo.encoders, name) for name in skgeo.encoders.__all__]
    assert differing(encoders) == {"plus", "units"}


def test_splitters_share_descriptions():
    assert differing([SphericalBlockKFold, BufferedKFold]) == {"block_size_km", "n_blocks", "stratify"}


@pytest.mark.torch
def test_networks_share_descriptions():
    from skgeo import nn

    targets = [nn.LocationClassifier, nn.LocationRegressor, nn.ProjectionHeadClassifier, nn.ProjectionHeadRegressor]
    assert differing(targets) == {"dtype"}
    assert differing([skgeo.load, nn.load]) == set()
    assert differing([nn.EncoderModule, nn.Harmonics]) == set()


def test_a_changed_word_is_found():
    def one(width):
        """Make one.

        Parameters
        ----------
        width : int
            Width of the layers.
        """

    def other(width):
        """Make another.

        Parameters
        ----------
        width : int
            Width of layers.
        """

    assert differing([one, other]) == {"width"}


FOLDERS = [ROOT / "docs", ROOT / "docs" / "guide", ROOT / "docs" / "tutorials"]
PAGES = [ROOT / "README.md", *(page for folder in FOLDERS for page in sorted(folder.glob("*.rst")))]
MODULES = sorted((ROOT / "skgeo").rglob("*.py"))
#: Columns that a page of 1280 pixels shows of a block of code.
WIDEST = 88


def code_lines(text):
    """Lines of examples and of blocks of code, without their indentation."""
    indent, language, block = None, None, None
    for line in text.splitlines():
        content = line.lstrip()
        depth = len(line) - len(content)
        if block is not None and content and depth <= block:
            block = None
        if content.startswith("```"):
            language = content.strip("`") if language is None else None
        elif language is not None:
            # Commands of a shell are one line each, to be copied as a whole.
            if language != "bash":
                yield line
        elif block is not None:
            yield line[block + 3 :]
        elif content.startswith((".. code-block::", ".. code::")):
            block = depth
        elif not content:
            indent = None
        else:
            if content.startswith(">>>"):
                indent = depth
            # Output follows its example without an empty line between.
            if indent is not None:
                yield line[indent:]


def docstrings(path):
    """The docstrings of a file, as they stand there."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def too_wide(texts):
    """The first line of code that is too wide in each of these texts, by the names of the texts."""
    lines = {name: [line for line in code_lines(text) if len(line) > WIDEST] for name, text in texts.items()}
    return {name: wide[0] for name, wide in lines.items() if wide}


def test_code_of_pages_is_not_cut_off():
    assert too_wide({page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}) == {}


def test_examples_of_docstrings_are_not_cut_off():
    texts = {path.relative_to(ROOT).as_posix(): "\n\n".join(docstrings(path)) for path in MODULES}
    assert too_wide(texts) == {}


def functions(path):
    """All functions and classes of a file, each with whether it is a method."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = [parent.body for parent in ast.walk(tree) if isinstance(parent, ast.ClassDef)]
    # Signatures for type checkers stand in "if TYPE_CHECKING:".
    bodies += [node.body for body in bodies for node in body if isinstance(node, ast.If)]
    methods = {id(node) for body in bodies for node in body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node, id(node) in methods


def test_every_function_has_a_docstring_or_overrides_one_that_has():
    found = [(path, *each) for path in sorted((ROOT / "skgeo").rglob("*.py")) for each in functions(path)]
    assert len(found) > 1000
    documented = {node.name for _, node, is_method in found if is_method and ast.get_docstring(node)}
    lacking = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path, node, is_method in found
        if not ast.get_docstring(node) and not (is_method and (node.name.startswith("__") or node.name in documented))
    ]
    assert lacking == []


def test_signatures_of_the_reference_are_short():
    """The help shows array-like as such: the union of types behind it takes 300 characters."""
    modules = [skgeo, skgeo.encoders, skgeo.inspection, skgeo.metrics, skgeo.model_selection]
    for module in modules:
        for name in module.__all__:
            if callable(found := getattr(module, name)):
                assert "Buffer" not in str(inspect.signature(found)), name
