"""Largest difference between bases by products with vectors and by the covariance itself, over regions of all kinds.

    python benchmarks/regional_bases.py            # five minutes on one core
    python benchmarks/regional_bases.py --quick    # one degree, seconds; fails beyond 1e-7

Both ways of ``skgeo/_kernels/domain_basis.py`` fit each region at each degree. The difference is that of the embeddings
of cells of the region. A domain that supports too many components for products at a degree has no figure. Writes
regional_bases.rst.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from tables import write_table

from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo._kernels import domain_basis
from skgeo.datasets import load_land_mask

DEGREES = (10, 20, 30, 40, 60)
TOLERANCE = 1e-7  # a tenth of what is promised


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one degree")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows, worst = [("region", "share of the sphere", *(f"L = {degree}" for degree in DEGREES))], 0.0
    for name, region in regions().items():
        cells = []
        for degree in (24,) if options.quick else DEGREES:
            difference, seconds, share = compare(region, degree)
            worst = max(worst, difference or 0.0)
            cells.append("" if difference is None else f"{difference:.0e}")
            print(f"{name}, L={degree}: {difference}, CPU seconds {seconds}", flush=True)
        rows.append((name, f"{share:.2%}", *cells))
    if not options.quick:
        options.out.mkdir(parents=True, exist_ok=True)
        write_table(rows, options.out / "regional_bases.rst")
    if worst > TOLERANCE:
        raise SystemExit(f"the bases differ by {worst:.1e}")


def compare(region, degree):
    """The largest difference in the region, the process time of both ways, and the share of the sphere."""
    fits, seconds, used = [], [], []
    solve = domain_basis.solve_by_products
    for least in (0, 10**9):
        domain_basis._MIN_HARMONICS, domain_basis._MAX_VECTOR_SHARE = least, 1.0
        domain_basis._vectors_needed = lambda shannon_number: 1.0
        domain_basis.solve_by_products = lambda *given: used.append(solve(*given)) or used[-1]
        start = time.process_time()
        fits.append(SphericalHarmonicPCA(degree).fit(region))
        seconds.append(round(time.process_time() - start, 2))
    domain_basis.solve_by_products = solve
    share = fits[0].shannon_number_ / (degree + 1) ** 2
    if used[0] is None:
        return None, seconds, share
    places = inside(region)
    if fits[0].n_components_ != fits[1].n_components_:
        return float("inf"), seconds, share
    return float(np.abs(fits[0].transform(places) - fits[1].transform(places)).max()), seconds, share


def inside(region):
    if isinstance(region, np.ndarray):
        return region
    places = region.points()
    return places if region.mask is None else places[np.asarray(region.mask).ravel() > 0]


def regions():
    """Boxes, caps, coasts, islands, parts of bands, fractions and points."""
    land = load_land_mask()
    every = slice(None, None, max(1, round(0.5 / abs(land.latitude[1] - land.latitude[0]))))
    latitude, longitude, share = land.latitude[every], land.longitude[every], np.asarray(land.fraction)[every, every]

    def part(south, north, west, east, values=None):
        rows, columns = (latitude > south) & (latitude < north), (longitude > west) & (longitude < east)
        mask = None if values is None else values[np.ix_(rows, columns)]
        return LatLonGrid(latitude[rows], longitude[columns], mask)

    places = np.stack(np.meshgrid(latitude, longitude, indexing="ij"))
    centre = np.radians([20.0, 30.0])
    cosine = np.sin(centre[0]) * np.sin(np.radians(places[0])) + np.cos(centre[0]) * np.cos(
        np.radians(places[0])
    ) * np.cos(np.radians(places[1]) - centre[1])
    return {
        "box, 30 x 50 degrees": part(30, 60, -10, 40),
        "box, 5 x 10 degrees": part(45, 50, 5, 15),
        "box beside the pole": part(75, 90, -60, 60),
        "box of 60 x 90 degrees": part(-30, 30, 0, 90),
        "cap of 15 degrees": part(-10, 50, -10, 70, (cosine > np.cos(np.radians(15.0))).astype(float)),
        "band of half a circle": part(30, 40, -90, 90),
        "land around the Mediterranean": part(28, 48, -10, 40, share),
        "sea around Indonesia": part(-12, 8, 94, 142, 1.0 - share),
        "islands of the Pacific": part(-25, 25, 150, 180, (share > 0.2).astype(float)),
        "300 points": np.random.default_rng(0).uniform([40, 5], [50, 15], (300, 2)),
        "3,000 points": np.random.default_rng(1).uniform([30, -10], [60, 40], (3000, 2)),
    }


if __name__ == "__main__":
    main()
