"""Largest difference between embeddings of the same places and patches by other processes: loaded, and fitted anew.

    python benchmarks/reproducibility.py                                # a minute: threads and BLAS kernels
    python benchmarks/reproducibility.py --python /another/venv/bin/python --python ...
    python benchmarks/reproducibility.py --domains 2000                 # random domains, two hours of computing
    python benchmarks/reproducibility.py --domains 2000 --minutes 40    # as many of them as fit
    python benchmarks/reproducibility.py --quick                        # one domain, two processes; fails beyond 1e-6

A first process fits bases of three domains, saves them, and embeds 10,000 places of each and patches of its grid.
Others, with more threads, with the BLAS kernels of older processors (OPENBLAS_CORETYPE) and, with ``--python``, with
other versions of numpy and scipy, load the same files and embed again, and fit anew and embed. The interpreters given
need numpy, scipy and scikit-learn only. Writes reproducibility.json and reproducibility.rst.

With ``--domains`` processes with different kernels fit bases of random domains. The first process fits each domain as
it is and in all its other descriptions (longitudes + 360, rows reversed, chunks, ...). Each of the others fits the
domain as it is and, up to degree 20, in one other description. All fits are compared with the first one: in the domain,
edges and corners included, and anywhere on Earth. Writes random_domains.json and random_domains.rst.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tables import write_table

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-6
# Without SSE4.1, without AVX, with AVX, with AVX2, with AVX-512.
KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "SkylakeX")
FIGURES = {"inside": 1e-6, "leading, anywhere": 1e-6, "anywhere": 1e-3}  # what docs/mathematics.rst promises
DOMAINS = {
    "sea, L=10, 96 components": {"max_degree": 10, "n_components": 96},
    "land, L=20, Shannon number": {"max_degree": 20, "n_components": "shannon"},
    "a box of 30 x 50 degrees, L=20, all components": {"max_degree": 20},
    "a box of 30 x 50 degrees, L=60, all components": {"max_degree": 60},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one domain, two processes")
    parser.add_argument("--python", action="append", default=[], help="an interpreter with other versions")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    parser.add_argument("--domains", type=int, help="so many random domains instead")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop the random domains after this time")
    parser.add_argument("--work", choices=["fit", "load", "domains"], help=argparse.SUPPRESS)
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work == "domains":
        fit_random(options.folder, options.domains)
        return
    if options.domains:
        compare_random(options.domains, options.minutes, options.out)
        return
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


def fit_random(folder, stop):
    """Fit random domains one after the other; file by file, to be taken away by another process."""
    from random_domains import Domain

    process = int(folder.name)
    for seed in range(stop):
        domain = Domain(seed)
        names = list(domain.descriptions)
        if process > 0:
            # Different processes fit different descriptions of a domain, and other ones of the next domain.
            others = names[1:] if domain.max_degree <= 20 else []
            names = names[:1] + others[(seed + process) % len(names[1:]) :][:1]
        arrays = {}
        for name in names:
            arrays[f"affine {name}"], arrays[f"shannon {name}"] = domain.fit(name)
        while seed - int((folder / "taken").read_text() or 0) > 50:  # the folder does not fill up
            time.sleep(1.0)
        np.savez(folder / f"{seed}.part.npz", **arrays)
        (folder / f"{seed}.part.npz").replace(folder / f"{seed}.npz")


def compare_random(n_domains, minutes, out):
    """Worst differences over random domains between descriptions and kernels, by kind of domain."""
    rows, end = [], time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folders = [Path(name, str(number)) for number in range(len(KERNELS))]
        processes = []
        for number, (kernel, folder) in enumerate(zip(KERNELS[::-1], folders, strict=True)):
            folder.mkdir()
            (folder / "taken").write_text("0")
            # Every other process has two threads.
            variables = {"OMP_NUM_THREADS": str(1 + number % 2), "OPENBLAS_CORETYPE": kernel, "PYTHONPATH": str(ROOT)}
            environment = {**os.environ, **variables}
            command = [sys.executable, __file__, "--work", "domains", "--domains", str(n_domains), folder]
            processes.append(subprocess.Popen(command, env=environment))
            stack.callback(processes[-1].kill)
        for seed in range(n_domains):
            rows.append(compare_one(seed, [take(*each, seed) for each in zip(folders, processes, strict=True)]))
            print(rows[-1], flush=True)
            if time.monotonic() > end:
                break
    out.mkdir(parents=True, exist_ok=True)
    (out / "random_domains.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    write_table(random_table(rows), out / "random_domains.rst")
    for figure, bound in FIGURES.items():
        if max(row[figure] for row in rows) > bound:
            raise SystemExit(f"{figure}: embeddings differ by more than {bound}")


def take(folder, process, seed):
    """What a process fitted for one domain; the file is removed."""
    path = folder / f"{seed}.npz"
    while not path.exists():
        if process.poll() not in (None, 0):
            raise SystemExit(f"process {folder.name} ended with {process.returncode} before domain {seed}")
        time.sleep(0.02)
    with np.load(path) as arrays:
        fits = dict(arrays)
    path.unlink()
    (folder / "taken").write_text(str(seed))
    return fits


def compare_one(seed, fits):
    """Largest differences of all fits of one domain from the first."""
    from random_domains import Domain, anywhere

    from skgeo.encoders import SphericalHarmonics

    domain = Domain(seed)
    harmonics = SphericalHarmonics(domain.max_degree).fit([[0, 0]])
    row = {"seed": seed, "kind": domain.kind, "degree": domain.max_degree}
    affines = [values for by_kernel in fits for name, values in by_kernel.items() if name.startswith("affine")]
    row |= {"components": len(affines[0]), "fits": len(affines), "same number": len({len(a) for a in affines}) == 1}
    row |= dict.fromkeys(FIGURES, 0.0 if row["same number"] else float("inf"))
    if not row["same number"] or not len(affines[0]):
        return row
    leading = max(1, round(float(fits[0]["shannon as it is"])))
    for figure, places in (("inside", domain.inside), ("anywhere", anywhere())):
        table = harmonics.transform(places).T
        first = 3 * np.tanh(affines[0] @ table / 3)
        for affine in affines[1:]:
            differences = np.abs(3 * np.tanh(affine @ table / 3) - first).max(axis=1)
            row[figure] = max(row[figure], float(differences.max()))
            if figure == "anywhere":
                row["leading, anywhere"] = max(row["leading, anywhere"], float(differences[:leading].max()))
    return row


def random_table(rows):
    yield "domains", "number", "degrees", "in the domain", "leading columns, anywhere", "all columns, anywhere"
    for kind in [*dict.fromkeys(row["kind"] for row in rows), "all"]:
        chosen = [row for row in rows if kind in (row["kind"], "all")]
        degrees = f"{min(row['degree'] for row in chosen)} to {max(row['degree'] for row in chosen)}"
        yield kind, len(chosen), degrees, *(f"{max(row[figure] for row in chosen):.0e}" for figure in FIGURES)


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
