"""Sphinx configuration: build with ``sphinx-build -W --keep-going docs docs/_build/html``; needs no network."""

from skgeo import __version__

project = "skgeo"
author = "The skgeo developers"
project_copyright = author
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "numpydoc"]
templates_path = ["_templates"]
exclude_patterns = ["_build"]

html_theme = "pydata_sphinx_theme"
html_title = f"skgeo {release}"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {"secondary_sidebar_items": ["page-toc"], "show_prev_next": False}

# A class is one page with our own methods; those inherited from scikit-learn and torch are documented there.
autosummary_generate = True
autodoc_typehints = "none"
autodoc_default_options = {
    "members": True,
    "inherited-members": (
        "BaseEstimator, TransformerMixin, ClassifierMixin, RegressorMixin, _SetOutputMixin, _MetadataRequester, "
        "Module, Linear, BaseException"
    ),
    "exclude-members": "extra_repr, set_fit_request, set_partial_fit_request, set_predict_request, set_score_request",
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
