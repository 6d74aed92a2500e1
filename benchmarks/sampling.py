"""Random places."""

import numpy as np


def uniform(rng, n, south=-90, north=90, west=-180, east=180):
    """Places (n, 2) in a box in degrees, as many on each square kilometre."""
    sines = rng.uniform(*np.sin(np.radians([south, north])), n)
    return np.column_stack([np.degrees(np.arcsin(sines)), rng.uniform(west, east, n)])
