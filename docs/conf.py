"""Sphinx configuration: build with ``sphinx-build -W --keep-going docs docs/_build/html``; needs no network.

``SKGEO_INTERSPHINX=1`` links to the references of numpy, scikit-learn and others, which takes a network.
"""

import os
import re
import shutil
from importlib.resources import files
from pathlib import Path

from docutils import nodes

from skgeo import __version__

project = "skgeo"
author = "The skgeo developers"
project_copyright = author
version = release = __version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
nitpicky = True  # roles that lead nowhere are warnings; links of pages are checked by scripts/check_links.py

if os.environ.get("SKGEO_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        name: (f"https://{home}/", None)
        for name, home in {
            "numpy": "numpy.org/doc/stable",
            "scipy": "docs.scipy.org/doc/scipy",
            "sklearn": "scikit-learn.org/stable",
            "torch": "docs.pytorch.org/docs/stable",
            "xarray": "docs.xarray.dev/en/stable",
        }.items()
    }

html_theme = "pydata_sphinx_theme"
html_title = f"skgeo {release}"
html_static_path = ["_static"]
html_css_files = ["skgeo.css"]
mathjax_path = "mathjax/tex-mml-chtml.js"  # a copy: pages show formulas without a network
html_favicon = "_static/logo.svg"
toc_object_entries_show_parents = "hide"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skgeo", "image_light": "_static/logo.svg", "image_dark": "_static/logo.svg"},
    "icon_links": [{"name": "Source code", "url": "https://github.com/skgeo/skgeo", "icon": "fa-brands fa-github"}],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    # More do not fit in one row of a window of 1024 pixels, which scripts/check_pages.py looks at.
    "header_links_before_dropdown": 5,
}
# Pages that have no others below them leave the room of the left column to the text.
html_sidebars = {"*": [], "gallery/*": [], "tutorials/*": []}

# Every script of the gallery runs with the build, and one that fails fails it.
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "copyfile_regex": r"index[.]rst",  # ours has sections
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "doc_module": ("skgeo",),
    "backreferences_dir": "api/backreferences",
    "image_srcset": ["2x"],
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "min_reported_time": 3600,  # else pages would say how long a script took on this machine
    "write_computation_times": False,
    "ignore_repr_types": r"skgeo\.inspection",  # the picture says more than the address of the display
}
# The front page draws the picture that its code makes.
plot_formats = [("png", 150)]
plot_html_show_formats = False
plot_html_show_source_link = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# A class is one page with our own methods; those inherited from scikit-learn and torch are documented there.
autosummary_generate = True
autodoc_typehints = "none"
python_maximum_signature_line_length = 80  # longer signatures have one parameter a line
autodoc_default_options = {
    "members": True,
    "inherited-members": (
        "BaseEstimator, TransformerMixin, ClassifierMixin, RegressorMixin, _SetOutputMixin, _MetadataRequester, "
        "Module, Linear, BaseException, Mapping"
    ),
    "exclude-members": (
        "extra_repr, set_fit_request, set_partial_fit_request, set_predict_request, set_score_request, "
        "set_split_request"
    ),
}
numpydoc_show_class_members = False

# With -W a public docstring that fails one of these fails the build.
numpydoc_validation_checks = {
    "GL03",  # no double blank lines
    "GL06",  # no unknown sections
    "GL07",  # sections in order
    "GL08",  # there is a docstring
    "GL10",  # reST directives have two colons
    "PR01",  # all parameters are documented
    "PR02",  # no unknown parameters are
    "PR03",  # in the order of the signature
    "PR04",  # with a type
    "PR07",  # and a description
    "PR10",  # and a space before the colon
    "RT01",  # what is returned is documented
    "SS01",  # there is a summary
    "SS02",  # that starts with a capital
    "SS03",  # and ends with a full stop
    "SS04",  # without leading spaces
    "YD01",  # what is yielded is documented
}


def show_markdown(app, path, parent, content):
    """Turn the Markdown of the changelog into reStructuredText: headings, code and links are all that it has."""
    if path.name != "CHANGELOG.md":
        return
    text = re.sub(r"`([^`]+)`", r"``\1``", content[0])
    text = re.sub(r"\[([^]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", text)
    for marks, line in (("#", "="), ("##", "-"), ("###", "~")):
        text = re.sub(rf"^{marks} (.+)$", lambda m, line=line: f"{m[1]}\n{line * len(m[1])}", text, flags=re.MULTILINE)
    content[0] = text


def mend_texts(app, doctree, docname):
    """Show citations of the reference by their numbers, and keep a number and its deviation on one line.

    numpydoc gives citations names such as [R880299bbd220-1], which stay in the summaries of the reference.
    """
    for text in list(doctree.findall(nodes.Text)):
        mended = re.sub(r"^\[R[0-9a-f]{10,}-(\d+)\]$", r"[\1]", text)
        mended = mended.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
        if mended != text and not isinstance(text.parent, nodes.literal_block):
            text.parent.replace(text, nodes.Text(mended))


def copy_mathjax(app, error):
    """Copy the parts of MathJax that draw TeX, its fonts and its licence beside the pages."""
    if error or app.builder.format != "html":
        return
    source, target = files("mathjax") / "static" / "mathjax", Path(app.outdir) / "_static" / "mathjax"
    shutil.copytree(source / "es5" / "output" / "chtml", target / "output" / "chtml", dirs_exist_ok=True)
    for file in ("es5/tex-mml-chtml.js", "LICENSE"):
        shutil.copy(source / file, target)


def setup(app):
    app.connect("include-read", show_markdown)
    app.connect("build-finished", copy_mathjax)
    app.connect("doctree-resolved", mend_texts)
