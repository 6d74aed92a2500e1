"""Largest difference between embeddings of the same places and patches by other processes: loaded, and fitted anew.

    python benchmarks/reproducibility.py                                # a minute: threads and BLAS kernels
    python benchmarks/reproducibility.py --python /another/venv/bin/python --python ...
    python benchmarks/reproducibility.py --quick                        # one domain, two processes; fails beyond 1e-6

A first process fits bases of three domains, saves them, and embeds 10,000 places of each and patches of its grid.
Others, with more threads, with the BLAS kernels of older processors (OPENBLAS_CORETYPE) and, with ``--python``, with
other versions of numpy and scipy, load the same files and embed again, and fit anew and embed. The interpreters given
need numpy, scipy and scikit-learn only. Writes reproducibility.json and reproducibility.rst.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tables import write_table

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-6
KERNELS = ("Nehalem", "Haswell", "Zen", "SkylakeX")  # without AVX, with AVX2 twice, with AVX-512
DOMAINS = {
    "sea, L=10, 96 components": {"max_degree": 10, "n_components": 96},
    "land, L=20, Shannon number": {"max_degree": 20, "n_components": "shannon"},
    "a box of 30 x 50 degrees, L=20, all components": {"max_degree": 20},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one domain, two processes")
    parser.add_argument("--python", action="append", default=[], help="an interpreter with other versions")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    parser.add_argument("--work", choices=["fit", "load"], help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    domains = list(DOMAINS)[:1] if options.quick else list(DOMAINS)
    if options.work:
        embed(options.folder, domains, load=options.work == "load")
        return
    rows = compare(environments(options), domains, ["--quick"] * options.quick)
    for row in rows:
        print(
            f"{row['process']:45} loaded {row['loaded']:.1e}, fitted anew {row['fitted anew']:.1e}: {row['versions']}"
        )
    if not options.quick:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "reproducibility.json").write_text(json.dumps(rows, indent=1) + "\n")
        write_table(table(rows), options.out / "reproducibility.rst")
    if max(max(row["loaded"], row["fitted anew"]) for row in rows) > TOLERANCE:
        raise SystemExit(f"embeddings differ by more than {TOLERANCE}")


def environments(options):
    """Label, interpreter and environment variables of every process; the first is what the others are compared with."""
    one, two = {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}
    yield "the first", sys.executable, one
    yield "two threads", sys.executable, two
    if not options.quick:
        for kernel in KERNELS:
            yield f"OpenBLAS kernels for {kernel}", sys.executable, two | {"OPENBLAS_CORETYPE": kernel}
    for python in options.python:
        yield "other versions", python, two


def compare(processes, domains, flags):
    """A row for every process but the first: its largest differences from it, loaded and fitted anew."""
    rows, first = [], None
    with tempfile.TemporaryDirectory() as folder:
        for number, (label, python, variables) in enumerate(processes):
            own = Path(folder, str(number))
            own.mkdir()
            fitted, versions = run(python, "fit", own, flags, variables)
            if first is None:
                first = own, fitted
                continue
            loaded, _ = run(python, "load", first[0], flags, variables)
            rows.append(
                {
                    "process": label,
                    "versions": versions,
                    "loaded": difference(loaded, first[1]),
                    "fitted anew": difference(fitted, first[1]),
                }
            )
    return rows


def run(python, work, folder, flags, variables):
    """The embeddings that another process makes, and what it ran on."""
    command = [python, __file__, "--work", work, *flags, folder]
    environment = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    with np.load(folder / "embeddings.npz") as arrays:
        return dict(arrays), done.stdout.strip()


def difference(embeddings, others):
    assert embeddings.keys() == others.keys()
    assert all(np.isfinite(values).all() for values in embeddings.values())
    return max(float(np.abs(embeddings[name] - others[name]).max()) for name in others)


def embed(folder, domains, load):
    """Fit and save a model of every domain, or load it; write what it makes of places and patches."""
    import scipy

    import skgeo

    embeddings = {}
    for number, name in enumerate(domains):
        grid, path = domain(name), folder / f"{number}.npz"
        if not load:
            skgeo.save(fit(grid, DOMAINS[name]), path)
        features = skgeo.load(path)
        basis = features.transformer_list[0][1].encoder.estimator
        embeddings[f"places {name}"] = basis.transform(places(grid))
        embeddings[f"patches {name}"] = features.transform(grid.patches((16, 16)))
    np.savez(folder / "embeddings.npz", **embeddings)
    print(f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}")


def fit(grid, parameters):
    from sklearn.frozen import FrozenEstimator
    from sklearn.pipeline import make_union

    from skgeo import PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA

    basis = SphericalHarmonicPCA(**parameters).fit(grid)
    union = make_union(PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer())
    return union.fit(grid.patches((16, 16)))


def domain(name):
    from skgeo import LatLonGrid
    from skgeo.datasets import load_land_mask

    land = load_land_mask()
    if name.startswith("a box"):
        return LatLonGrid(np.arange(30.125, 60, 0.25), np.arange(-9.875, 40, 0.25))
    return LatLonGrid(land.latitude, land.longitude, land.fraction if name.startswith("land") else 1 - land.fraction)


def places(grid, n_places=10_000):
    """Places inside the domain, the same in every process."""
    cells = grid.points()
    if grid.mask is not None:
        cells = cells[np.asarray(grid.mask).ravel() > 0]
    rng = np.random.default_rng(0)
    spread = rng.uniform(-0.1, 0.1, (n_places, 2))
    return np.clip(cells[rng.integers(len(cells), size=n_places)] + spread, -90, [90, 360])


def table(rows):
    yield "process", "versions", "loaded", "fitted anew"
    for row in rows:
        differences = (row[kind] for kind in ("loaded", "fitted anew"))
        yield row["process"], row["versions"], *(f"{value:.0e}" if value else "0" for value in differences)


if __name__ == "__main__":
    main()
