"""Data that comes with skgeo: no network, no pickles."""

from skgeo.datasets._land_mask import load_land_mask

__all__ = ["load_land_mask"]
