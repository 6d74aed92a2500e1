"""Random places."""

import numpy as np


def uniform(rng, n):
    """Places (n, 2) in degrees, evenly spread over the sphere."""
    return np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)])
