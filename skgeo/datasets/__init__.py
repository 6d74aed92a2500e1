"""Data that come with skgeo, and synthetic data: without network and without pickles."""

from skgeo.datasets._land_mask import load_land_mask
from skgeo.datasets._made import fibonacci_lattice, make_checkerboard, make_land_ocean

__all__ = ["fibonacci_lattice", "load_land_mask", "make_checkerboard", "make_land_ocean"]
