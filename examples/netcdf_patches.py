"""Compute position and scale features for the patches of a grid in a NetCDF file, and save the features as NetCDF.

    python examples/netcdf_patches.py FILE.nc --patch-size 16 --mask surface_temperature --out patch_features.nc

The script reads NetCDF 3 and 4. Without FILE.nc it makes a small file. Needs: pip install 'skgeo[xarray]'
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion

from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask
from skgeo.xarray import patches_to_xarray


def main():
    options = read_options()
    with tempfile.TemporaryDirectory() as folder:
        if options.file is None:
            options.file, options.mask = make_sea_file(Path(folder) / "sea.nc"), "sst"
        with xr.open_dataset(options.file, engine="netcdf4", decode_times=False) as dataset:
            grid = read_grid(dataset, options.mask)

    basis = SphericalHarmonicPCA(max_degree=options.max_degree, n_components=options.n_components).fit(grid)
    patches, index = grid.patches(
        options.patch_size, partial=False, min_fraction=options.min_fraction, return_index=True
    )
    features = FeatureUnion(
        [("position", PatchPositionEncoder(FrozenEstimator(basis))), ("scale", PatchScaleFeaturizer())],
        verbose_feature_names_out=False,
    )
    Z = features.fit_transform(patches)
    table = patches_to_xarray(Z, patches, estimator=features, index=index)
    table.attrs |= describe(options, grid, basis)
    table.to_netcdf(options.out, engine="netcdf4")
    report(options, grid, basis, table)


def read_options():
    parser = argparse.ArgumentParser(description="Patch features of the grid of a NetCDF file.")
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE.nc", help="file with the grid (default: makes a small file)")
    add("--out", type=Path, default=Path("patch_features.nc"), help="file to write (default: %(default)s)")
    add("--patch-size", type=int, default=16, help="pixels along each side (default: %(default)s)")
    add("--mask", metavar="VARIABLE", help="the domain is where this variable is never missing (default: everywhere)")
    add("--min-fraction", type=float, default=0.5, help="smallest share inside the domain (default: %(default)s)")
    add("--max-degree", type=int, default=10, help="largest degree of the harmonics (default: %(default)s)")
    add("--n-components", type=int, help="components to keep (default: all that the domain supports)")
    return parser.parse_args()


def make_sea_file(path):
    """Sea-surface temperature, missing on land, on a grid of 2.5 degrees with rows from pole to pole, north first."""
    land = load_land_mask()
    latitude, longitude = np.linspace(90, -90, 73), np.arange(0, 360, 2.5)
    rows = np.abs(latitude[:, np.newaxis] - land.latitude).argmin(axis=1)
    columns = np.abs((longitude[:, np.newaxis] + 180) % 360 - 180 - land.longitude).argmin(axis=1)
    sst = 28 * np.cos(np.radians(latitude[:, np.newaxis])) ** 2
    sst = np.where(land.mask[np.ix_(rows, columns)], np.nan, sst)
    coordinates = {"lat": ("lat", latitude, {"units": "degrees_north"}), "lon": ("lon", longitude)}
    xr.Dataset({"sst": (("lat", "lon"), sst, {"units": "degC"})}, coordinates).to_netcdf(path, engine="netcdf4")
    return path


def read_grid(dataset, mask_variable):
    """The grid of a dataset. Its domain is where the variable is never missing; without a variable, everywhere."""
    if mask_variable is None:
        return LatLonGrid.from_xarray(dataset)
    if mask_variable not in dataset.data_vars:
        raise SystemExit(f"--mask {mask_variable}: the file has the variables {sorted(dataset.data_vars)}.")
    return LatLonGrid.from_xarray(dataset[mask_variable], mask="valid")


def describe(options, grid, basis):
    """Attributes of the output file: the grid, the domain and the basis."""
    return {
        "title": "Position and scale features of patches of a grid",
        "source": f"grid of {options.file.name}",
        "grid": repr(grid),
        "domain": "whole grid" if options.mask is None else f"where {options.mask} is never missing",
        "domain_area_km2": grid.domain_area() / 1e6,
        "patch_size": options.patch_size,
        "min_fraction": options.min_fraction,
        "n_components": basis.n_components_,
        "n_components_supported": np.count_nonzero(basis.explained_variance_),
        "shannon_number": basis.shannon_number_,
    }


def report(options, grid, basis, table):
    print(f"{options.file.name}: {grid}")
    print(f"  domain {grid.domain_area() / 1e6:,.0f} km^2, {table.attrs['domain']}")
    kept, supported = basis.n_components_, np.count_nonzero(basis.explained_variance_)
    print(f"  basis of {kept} components, {supported} supported by the domain")
    print(f"  Shannon number {basis.shannon_number_:.1f}")
    print(f"  {table.sizes['patch']} patches, extents and pixels in km:")
    for name in ("extent_lon", "extent_lat", "pixel_scale"):
        km = np.exp(table["features"].sel(feature=f"log_{name}")) / 1000
        print(f"    {name:12} {km.min():8.1f} to {km.max():8.1f}")
    print(f"  features {table['features'].shape} in {options.out}")


if __name__ == "__main__":
    main()
