"""Compute features of the position and the size of patches of the sea, and save the transformers for another process.

    python examples/quickstart.py [features.npz]

The script needs no network, and no packages except skgeo and the packages that skgeo always installs.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

import skgeo
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA, __version__
from skgeo.datasets import load_land_mask

SECOND_PROCESS = """
import sys, numpy, skgeo
model, patches, out = sys.argv[1:]
numpy.save(out, skgeo.load(model).transform(numpy.load(patches)))
"""


def main():
    parser = argparse.ArgumentParser(description="Position and scale features of patches of the sea.")
    parser.add_argument("out", nargs="?", type=Path, default=Path("features.npz"), help="default: %(default)s")
    out = parser.parse_args().out

    # The mask is the fraction of each cell that is sea. mask=~land.mask also works, but takes whole cells as land or
    # sea. The last components of the basis then depend on the size of the cells.
    land = load_land_mask()
    grid = LatLonGrid(land.latitude, land.longitude, mask=1 - land.fraction)

    start = time.perf_counter()
    basis = SphericalHarmonicPCA(max_degree=10, n_components=96).fit(grid)
    fit_seconds = time.perf_counter() - start

    # Leave out patches that are mostly land, because the basis was not fitted on land.
    patches = grid.patches((16, 16), min_fraction=0.5)
    features = make_union(PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer())
    start = time.perf_counter()
    Z = features.fit_transform(patches)
    transform_seconds = time.perf_counter() - start
    skgeo.save(features, out)  # a file that cannot run code

    print(f"skgeo {__version__}")
    show_domain(grid)
    show_basis(basis, fit_seconds)
    show_patches(patches)
    show_features(features, Z, transform_seconds)
    again = transform_in_second_process(out, patches)
    print(f"\nSaved {out} ({out.stat().st_size / 1000:.0f} kB)")
    if not np.array_equal(again, Z):
        raise SystemExit("A second process loaded the file and computed other features.")
    print("  a second process loaded the file and computed the same features, bit for bit")


def show_domain(grid):
    print("\nDomain: the sea of the bundled land mask")
    print(f"  {grid.shape[0]} x {grid.shape[1]} cells")
    share = grid.domain_area() / grid.cell_areas().sum()
    print(f"  {grid.domain_area() / 1e6:,.0f} km^2, {share:.1%} of the Earth")


def show_basis(basis, seconds):
    print("\nBasis: SphericalHarmonicPCA")
    print(f"  {basis.components_.shape[1]} harmonics up to degree {basis.max_degree}")
    print(f"  Shannon number {basis.shannon_number_:.1f}")
    kept = np.count_nonzero(basis.explained_variance_)
    print(f"  {kept} components kept, {basis.explained_variance_ratio_.sum():.2%} of the variance")
    print(f"  fitted in {seconds:.3f} s")


def show_patches(patches):
    print(f"\nPatches: {len(patches)} of 16 x 16 cells, at least half of them sea")
    print("   south   north    west    east  n_lat  n_lon")
    for south, north, west, east, n_lat, n_lon in patches[:4]:
        print(f"  {south:6.1f}  {north:6.1f}  {west:6.1f}  {east:6.1f}  {n_lat:5.0f}  {n_lon:5.0f}")
    print("     ...")


def show_features(features, Z, seconds):
    names = [name.split("__")[1] for name in features.get_feature_names_out()]
    print(f"\nFeatures: {Z.shape[0]} x {Z.shape[1]}")
    print(f"  position {names[0]} ... {names[-11]}, scale {names[-10]} ... {names[-1]}")
    print(f"  first patch: {names[0]} {Z[0, 0]:.3f}, {names[1]} {Z[0, 1]:.3f}, {names[-8]} {Z[0, -8]:.3f}")
    print(f"  computed in {seconds:.3f} s")


def transform_in_second_process(model, patches):
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "patches.npy", Path(folder) / "features.npy"
        np.save(given, patches)
        subprocess.run([sys.executable, "-c", SECOND_PROCESS, model, given, made], check=True)
        return np.load(made)


if __name__ == "__main__":
    main()
