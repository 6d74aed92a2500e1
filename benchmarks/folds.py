"""Folds of a million points: seconds and memory; and how much of a score random folds owe to neighbours.

    python benchmarks/folds.py            # about three minutes on an idle core
    python benchmarks/folds.py --quick    # 50,000 points, half a minute; fails if folds are wrong

Each splitter runs in a process of its own, beside scikit-learn's GroupKFold with groups from cells of a degree and from
KMeans. The scores are of a random forest on places and on harmonics: on the houses of California if scikit-learn has
them in its cache, and on a field of known spectrum at places that crowd around towns. Writes folds.json and folds.rst.
"""

import argparse
import json
import multiprocessing
import time
from collections import deque
from pathlib import Path

import numpy as np
from run import forget_peak, resident
from sampling import uniform
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import fetch_california_housing
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold
from tables import write_table

from skgeo import matern_spectrum
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics
from skgeo.model_selection import (
    BufferedKFold,
    LeaveOneBlockOut,
    NearestNeighbourDistanceKFold,
    SphericalBlockKFold,
    leakage_report,
)

RADIUS_KM = 100.0
LIMIT = 60.0  # seconds that a million points may take
SPLITTERS = {
    "SphericalBlockKFold(block_size_km=500)": lambda: SphericalBlockKFold(block_size_km=500),
    "BufferedKFold(radius_km=100)": lambda: BufferedKFold(radius_km=RADIUS_KM, n_blocks=50),
    "LeaveOneBlockOut(radius_km=100)": lambda: LeaveOneBlockOut(radius_km=RADIUS_KM, n_blocks=50),
    "NearestNeighbourDistanceKFold": lambda: NearestNeighbourDistanceKFold(fibonacci_lattice(100_000)),
    "GroupKFold, cells of a degree": None,
    "GroupKFold, MiniBatchKMeans of 50": None,
}
SAMPLES = {"uniform": 0, "towns": 200}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer points; nothing is written")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    n = 50_000 if options.quick else 1_000_000
    rows = []
    for samples in SAMPLES:
        for name in SPLITTERS:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append({"splitter": name, "samples": samples, **pool.apply(measure, (name, samples, n))})
            print(f"{samples:8} {name:40} {rows[-1]['seconds']:6.2f} s {rows[-1]['megabytes']:6.0f} MB")
    slow = [row["splitter"] for row in rows if row["seconds"] > LIMIT]
    reports = leaks(n_places=1000 if options.quick else 5000, n_trees=10 if options.quick else 50)
    for title, report in reports.items():
        print(f"\n{title}\n{report}")
    if not options.quick:
        write(options.out, rows, reports)
    if slow:
        raise SystemExit(f"{slow} took more than {LIMIT:g} seconds")
    if any(report.mean[-1] > report.random_mean - 0.1 for report in reports.values()):
        raise SystemExit("random folds do not leak where they should")


def places(samples, n, seed=0):
    """Places that are uniform on the sphere, or crowd within some hundred kilometres of towns."""
    rng = np.random.default_rng(seed)
    n_towns = SAMPLES[samples]
    centre = uniform(rng, n_towns)[rng.integers(n_towns, size=n)] if n_towns else uniform(rng, n)
    spread = 2.0 * rng.standard_normal((n, 2)) if n_towns else np.zeros((n, 2))
    return np.column_stack([np.clip(centre[:, 0] + spread[:, 0], -90, 90), centre[:, 1] + spread[:, 1]])


def measure(name, samples, n):
    """Seconds of the processor for all splits of a splitter, and by how much they raised the peak of memory."""
    X = places(samples, n)
    forget_peak()  # of making the places
    before, start = resident("VmHWM"), time.process_time()
    last = deque(splits(name, X), maxlen=1)[0]
    seconds, megabytes = time.process_time() - start, resident("VmHWM") - before
    check(name, X, *last)
    return {"seconds": seconds, "megabytes": megabytes}


def splits(name, X):
    if SPLITTERS[name] is not None:
        return SPLITTERS[name]().split(X)
    cells = np.floor(X[:, 0]) * 1000 + np.floor(X[:, 1])
    groups = cells if "degree" in name else MiniBatchKMeans(50, random_state=0, n_init=1).fit_predict(X)
    return GroupKFold(5).split(X, groups=groups)


def check(name, X, train, test):
    """That no sample of the last split is on both sides, and a hundred test samples are beyond the radius."""
    assert len(train)
    assert len(test)
    assert not np.isin(test[:1000], train).any()
    if "radius" in name:
        tested, trained = (Cartesian3DEncoder().fit_transform(X[rows]) for rows in (test[:100], train))
        gap = 6371.0088 * np.arccos((tested @ trained.T).max())
        assert gap > RADIUS_KM * (1 - 1e-6), gap


def leaks(*, n_places, n_trees):
    """Random and blocked scores of random forests."""
    forest = RandomForestRegressor(n_trees, min_samples_leaf=2, random_state=0, n_jobs=2)
    X, y = field(n_places)
    reports = {
        "A field of degree 40 on places around towns: random forest on latitude and longitude": leakage_report(
            forest, X, y, block_sizes_km=[100, 300, 1000, 3000]
        )
    }
    try:
        houses = fetch_california_housing(as_frame=True, download_if_missing=False)
    except OSError:
        return reports
    where = houses.data[["Latitude", "Longitude"]]
    title = "Prices of houses in California: random forest on latitude and longitude"
    reports[title] = leakage_report(forest, where, houses.target, block_sizes_km=[5, 20, 50, 100, 200])
    return reports


def field(n):
    """A random field with a Matern spectrum to degree 40, at places around towns, with noise of a tenth of it."""
    X = places("towns", n, seed=1)
    rng = np.random.default_rng(2)
    harmonics = SphericalHarmonics(40, min_degree=1, spectrum=matern_spectrum(40, nu=0.5, kappa=20.0))
    y = harmonics.fit_transform(X) @ rng.standard_normal(41**2 - 1)
    return X, y + 0.1 * y.std() * rng.standard_normal(n)


def write(out, rows, reports):
    out.mkdir(parents=True, exist_ok=True)
    scores = {title: report.to_frame().to_dict("records") for title, report in reports.items()}
    (out / "folds.json").write_text(json.dumps({"splitters": rows, "scores": scores}, indent=1) + "\n")
    head = ["splitter", *(f"{samples}: {what}" for samples in SAMPLES for what in ("seconds", "MB"))]
    body = [
        [name, *(f"{row[key]:.{digits}f}" for row in rows if row["splitter"] == name for key, digits in FIGURES)]
        for name in SPLITTERS
    ]
    write_table([head, *body], out / "folds.rst")
    texts = []
    for title, report in reports.items():
        texts += [f"{title}::", "", *(f"   {line}" for line in str(report).splitlines()), ""]
    (out / "folds_scores.rst").write_text("\n".join(texts))


FIGURES = (("seconds", 1), ("megabytes", 0))


if __name__ == "__main__":
    main()
