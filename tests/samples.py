"""Grids and patch tables that several test modules use."""

import numpy as np

from skgeo import LatLonGrid


def coast(step):
    """A grid whose mask has no symmetry, so that no two components have the same variance."""
    latitude, longitude = np.arange(-90 + step / 2, 90, step), np.arange(step / 2, 360, step)
    bays = np.sin(np.radians(2 * latitude + 20))[:, np.newaxis] + np.cos(np.radians(3 * longitude - 40) + latitude[0])
    return LatLonGrid(latitude, longitude, mask=bays + longitude / 360 > 0.4)


GRID = coast(10.0)
PATCHES = GRID.patches((3, 3))

GLOBE = LatLonGrid(np.arange(-88.0, 90, 4), np.arange(2.0, 360, 4), mask=np.arange(45 * 90).reshape(45, 90) % 7 > 2)

AWKWARD = np.array(
    [
        [10, 11, 20, 21, 1, 1],  # one pixel
        [80, 90, 0, 30, 4, 6],  # touches the pole
        [-90, -89, -180, 180, 2, 36],  # a ring around the pole
        [-10, 10, 170, 190, 5, 5],  # east past 180
        [-10, 10, 170, -170, 5, 5],  # the same, east < west
        [-10, 10, -190, -170, 5, 5],  # the same again
        [-10, 10, 350, 370, 2, 3],  # past 360
        [-90, 90, 0, 360, 12, 24],  # everything
        [-90, 90, 5, 5.5, 180, 1],  # pole to pole
        [0, 90, 100, 460, 1, 1],  # a hemisphere as one pixel
    ],
    dtype=float,
)
