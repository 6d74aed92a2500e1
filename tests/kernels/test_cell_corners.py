"""Whether a cell holds its centre: the same answer as for polygons of the plane, by a gnomonic projection."""

import numpy as np
import pytest

from skgeo._kernels.cell_corners import _holds


def winding_number(corners):
    """How many times a polygon of the plane (n, 2) goes around the origin, by the crossings of a half line."""
    number = 0
    for (x, y), (next_x, next_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if (y > 0) != (next_y > 0) and x + (next_x - x) * y / (y - next_y) > 0:
            number += 1 if next_y > y else -1
    return number


@pytest.mark.parametrize("n_corners", [3, 4, 6])
def test_a_polygon_holds_a_centre_that_it_goes_around(n_corners):
    rng = np.random.default_rng(n_corners)
    plane = rng.uniform(-0.3, 0.3, (300, n_corners, 2))
    expected = np.array([winding_number(corners) != 0 for corners in plane])
    # Great circles are straight lines of the gnomonic projection, whose plane touches the sphere at the centre.
    centre = np.array([0.0, 0.0, 1.0])
    corners = np.concatenate([plane, np.ones((300, n_corners, 1))], axis=2)
    corners /= np.linalg.norm(corners, axis=2, keepdims=True)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    found = _holds(
        np.repeat((turn @ centre)[:, np.newaxis], 300, axis=1),
        (corners @ turn.T).transpose(2, 1, 0),
        np.full(300, 1e-30),
    )
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(found, expected)
