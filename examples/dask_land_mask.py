"""Fit the basis of the land at 0.05 degrees (3600 x 7200 cells), from a Zarr store, on a cluster of two workers.

    python examples/dask_land_mask.py
    python examples/dask_land_mask.py --finer 5     # 0.1 degrees, 1800 x 3600 cells

The mask may have any size: each worker holds a few blocks at a time, and returns 1,682 numbers for each block. To use
another cluster, give the address of the cluster to Client. Needs: pip install 'skgeo[xarray]' distributed
"""

import argparse
import resource
import tempfile
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr
from distributed import Client, LocalCluster

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--finer", type=int, default=10, help="cut each cell of half a degree into N x N (default: 10)")
    finer = parser.parse_args().finer
    options = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "1GiB", "dashboard_address": None}
    with tempfile.TemporaryDirectory() as folder, LocalCluster(**options) as cluster, Client(cluster) as client:
        make_store(Path(folder) / "land.zarr", finer)
        dataset = xr.open_zarr(Path(folder) / "land.zarr", consolidated=False)
        before = worker_memory(client)

        grid = LatLonGrid.from_xarray(dataset, mask="land")  # reads the coordinates; the mask stays in the store
        basis = SphericalHarmonicPCA(max_degree=20, n_components=100, verbose=True).fit(grid)  # dask's progress bar
        print(f"\n{grid}")
        print(f"worker memory {before:.0f} MB before the fit, {worker_memory(client):.0f} MB at its peak")

        in_memory = LatLonGrid(dataset.lat, dataset.lon, mask=dataset.land.to_numpy())
        expected = SphericalHarmonicPCA(max_degree=20, n_components=100).fit(in_memory)
        print(f"largest difference from the fit in memory: {difference(basis, expected):.0e}")

        europe = dataset.sel(lat=slice(35, 60), lon=slice(-10, 30))
        embedding = write_embedding(basis, europe, Path(folder) / "europe.zarr")
        print(f"embedding of Europe, written block by block: {embedding}")


def make_store(path, finer):
    """Write a fine mask of the land to a Zarr store in blocks. The whole mask is never in memory."""
    land = load_land_mask()
    coarse = da.from_array(land.mask, chunks=(60, 120))
    mask = da.repeat(da.repeat(coarse, finer, axis=0), finer, axis=1).rechunk((600, 1200))
    axes = {
        name: (name, centres(axis, finer), {"units": f"degrees_{direction}"})
        for name, axis, direction in (("lat", land.latitude, "north"), ("lon", land.longitude, "east"))
    }
    xr.Dataset({"land": (("lat", "lon"), mask)}, axes).to_zarr(path, consolidated=False)


def centres(axis, finer):
    """The centres of the smaller cells that divide the cells of an evenly spaced axis."""
    step = axis[1] - axis[0]
    return (axis[0] - step / 2) + (np.arange(axis.size * finer) + 0.5) * step / finer


def worker_memory(client):
    """The largest memory that a worker has had so far, in MB."""
    return max(client.run(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss).values()) / 1024


def difference(basis, expected):
    """The largest difference between the fitted numbers of two bases."""
    return max(np.abs(getattr(basis, name) - getattr(expected, name)).max() for name in ("mean_", "components_"))


def write_embedding(basis, region, path):
    """Write the embedding of all cells of a region to a Zarr store. Each block is computed when it is written."""
    grid = LatLonGrid.from_xarray(region, mask="land")
    labelled = grid.to_xarray(basis.transform(grid).astype(np.float32), estimator=basis)
    labelled.to_zarr(path, consolidated=False)
    return dict(xr.open_zarr(path, consolidated=False).embedding.sizes)


if __name__ == "__main__":
    main()
