"""Sphinx configuration: build with ``sphinx-build -W --keep-going docs docs/_build/html``; needs no network.

``SKGEO_INTERSPHINX=1`` links to the references of numpy, scikit-learn and others, which takes a network.
"""

import os

from skgeo import __version__

project = "skgeo"
author = "The skgeo developers"
project_copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery/GALLERY_HEADER.rst"]
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
toc_object_entries_show_parents = "hide"
html_show_sourcelink = False
html_theme_options = {
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "header_links_before_dropdown": 5,
}
# Pages that have no others below them leave the room of the left column to the text.
html_sidebars = {"*": [], "gallery/*": []}

# Every script of the gallery runs with the build, and one that fails fails it.
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "doc_module": ("skgeo",),
    "backreferences_dir": "api/backreferences",
    "image_srcset": ["2x"],
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "min_reported_time": 3600,  # else pages would say how long a script took on this machine
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# A class is one page with our own methods; those inherited from scikit-learn and torch are documented there.
autosummary_generate = True
autodoc_typehints = "none"
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
