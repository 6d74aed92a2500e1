"""Latitudes beyond a pole: rounding of single precision is clipped, anything more is refused."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skgeo import CellGrid, LatLonGrid, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.exceptions import CoordinateError

ROUNDING = 2.0**-14  # degrees: two spacings of single precision between 256 and 512
SIGNS = pytest.mark.parametrize("sign", [1, -1], ids=["north", "south"])


def axis(latitude):
    return LatLonGrid([0.0, latitude], [0.0, 10.0]).latitude


def bounds(latitude):
    edges = np.sort([[-10 * np.sign(latitude), 10 * np.sign(latitude)], [10 * np.sign(latitude), latitude]], axis=1)
    return LatLonGrid([0.0, 50 * np.sign(latitude)], [0.0, 10.0], latitude_bounds=edges).latitude_edges


def patches(latitude):
    south, north = sorted([0.0, latitude])
    return PatchScaleFeaturizer().fit_transform([[south, north, 0.0, 10.0, 1, 1]])


def vertices(latitude):
    corners = np.array([[[0.0, latitude, 0.0]], [[0.0, 5.0, 10.0]]])
    return CellGrid([30 * np.sign(latitude)], [5.0], vertices=tuple(corners)).solid_angles


def points(latitude):
    return (
        SphericalHarmonicPCA(1, missing="error")
        .fit([[0, 0], [10, 90], [50, 200], [-40, 300]])
        .transform([[latitude, 0.0]])
    )


READERS = [axis, bounds, patches, vertices, points]


@SIGNS
@pytest.mark.parametrize("read", READERS)
def test_single_precision_beyond_a_pole_is_the_pole(read, sign):
    assert_array_equal(read(sign * (90 + 0.99 * ROUNDING)), read(sign * 90.0))


@SIGNS
@pytest.mark.parametrize("excess", [1.01 * ROUNDING, 1e-3, 1.0])
@pytest.mark.parametrize("read", READERS)
def test_latitudes_beyond_a_pole_are_refused(read, excess, sign):
    with pytest.raises(CoordinateError):
        read(sign * (90 + excess))
