"""Classes that share a parameter describe it in the same words, and examples fit on a page of the reference."""

import inspect

import pytest

import skgeo
import skgeo.encoders
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
