"""scikit-learn's diagrams of our estimators: links to our reference, and every parameter explained on hover."""

import re
from pathlib import Path

import pytest

from estimators import SKLEARN, STRICT

API = (Path(__file__).parents[1] / "docs" / "api.rst").read_text(encoding="utf-8")
PAGES = {f"skgeo.{name}" for name in re.findall(r"^   ([\w.]+)$", API, re.MULTILINE)}

estimators = pytest.mark.parametrize("estimator", STRICT, ids=lambda estimator: type(estimator).__name__)


@estimators
def test_diagram_links_to_a_page_of_our_reference(estimator):
    link = re.search(r'href="(https://skgeo[^"#]*/api/([\w.]+)\.html)"', estimator._repr_html_())
    assert link is not None
    assert link.group(2) in PAGES
    assert link.group(2).endswith(f".{type(estimator).__name__}")


@pytest.mark.skipif(SKLEARN < (1, 8), reason="scikit-learn explains parameters on hover from 1.8 on")
@estimators
def test_every_parameter_is_explained_on_hover(estimator):
    html = estimator._repr_html_()
    explained = re.findall(r'class="param-doc-link".*?>\s*(\w+)\s*<span class="param-doc-description"', html, re.DOTALL)
    assert set(explained) >= set(estimator.get_params(deep=False))
