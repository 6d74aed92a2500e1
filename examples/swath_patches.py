"""Compute features of the patches of a satellite swath: the mean embedding, and the sizes along rows and columns.

    python examples/swath_patches.py --out swath_features.nc

The script makes the pixels that a scanning radiometer on a polar orbiter measures: 1200 lines of 256 pixels over the
North Pole. Some lines are lost. Latitude and longitude are two-dimensional arrays. They are NaN in the lost lines.
Needs: pip install 'skgeo[xarray]'
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

import skgeo.xarray  # noqa: F401 - gives Datasets the accessor .skgeo
from skgeo import PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA


def main():
    parser = argparse.ArgumentParser(description="Patch features of a satellite swath.")
    parser.add_argument("--out", type=Path, default=Path("swath_features.nc"), help="file to write")
    options = parser.parse_args()

    swath = make_swath()
    cells = swath.skgeo.grid("valid")  # computes areas of pixels from distances to their neighbours
    print(cells)
    basis = SphericalHarmonicPCA(max_degree=20, n_components=0.999).fit(cells)
    features = make_union(PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer())
    features.fit(cells.patches(32, partial=False))  # leaves out the last lines, which do not fill a patch
    table = swath.skgeo.patch_features(features, 32, mask="valid", partial=False, min_fraction=0.5)
    table.to_netcdf(options.out)
    report(table)


def make_swath(n_lines=1200, n_pixels=256):
    """Brightness along an orbit with an inclination of 98 degrees. The scan reaches 55 degrees to each side."""
    along = np.radians(np.linspace(30, 150, n_lines))[:, np.newaxis]  # angle from the equator, northward
    look = np.radians(np.linspace(-55, 55, n_pixels))
    # The angle at the centre of the Earth. The satellite is 700 km high, 0.11 Earth radii.
    across = np.arcsin((1 + 0.11) * np.sin(look)) - look
    tilt = np.radians(98)
    # So far, the track is the equator. Turn all points about the x axis by the inclination of the orbit.
    x, y, z = np.cos(across) * np.cos(along), np.cos(across) * np.sin(along), np.sin(across) * np.ones_like(along)
    y, z = y * np.cos(tilt) - z * np.sin(tilt), y * np.sin(tilt) + z * np.cos(tilt)
    latitude, longitude = np.degrees(np.arcsin(z)), np.degrees(np.arctan2(y, x)) + 15.0
    lost = (np.arange(n_lines) % 97 < 3)[:, np.newaxis] & np.ones(n_pixels, dtype=bool)
    latitude, longitude = (np.where(lost, np.nan, axis) for axis in (latitude, longitude))
    brightness = np.where(lost, np.nan, 250 + 30 * np.cos(np.radians(latitude)))
    coordinates = {
        "lat": (("line", "pixel"), latitude.astype(np.float32), {"units": "degrees_north"}),
        "lon": (("line", "pixel"), longitude.astype(np.float32), {"units": "degrees_east"}),
    }
    return xr.Dataset({"brightness": (("line", "pixel"), brightness, {"units": "K"})}, coordinates)


def report(table):
    print(f"{table.sizes['patch']} patches of {table.sizes['y']} x {table.sizes['x']} pixels")
    for name, meaning in (("log_extent_lon", "across the track"), ("log_extent_lat", "along the track")):
        column = [label for label in table.feature.values if label.endswith(name)]
        km = np.exp(table.features.sel(feature=column)) / 1000
        print(f"  {meaning}: {km.min():.0f} to {km.max():.0f} km")


if __name__ == "__main__":
    main()
