"""Whether the intervals of Gaussian process regression on harmonics are right, and what they cost.

    python benchmarks/gaussian_process.py            # some minutes; writes results
    python benchmarks/gaussian_process.py --quick    # half a minute; fails if coverage, time or memory are off

Coverage: how many held-out observations lie within the 50, 90 and 95 % intervals, of a made-up Matern field and, where
the published file lies beside the repository, of the ERA-Interim reanalysis observed with noise; and without noise,
where the model takes for noise what its degree does not resolve, which is not normal: that is told, not checked.

Cost: seconds and peak memory of a fit at L = 20 for more and more points, beside scikit-learn's exact Gaussian process
with a Matern kernel as far as it can go; and exact patch averages beside averages over 16 x 16 pixels.

Writes gaussian_process.json and gaussian_process.rst.
"""

import argparse
import json
import multiprocessing
import time
import warnings
from pathlib import Path

import numpy as np
from run import resident
from sampling import uniform
from scipy.special import ndtri
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.pipeline import make_pipeline
from tables import list_table

from skgeo import (
    LatLonGrid,
    PatchPositionEncoder,
    SphericalGaussianProcessRegressor,
    SphericalHarmonicPCA,
    matern_spectrum,
)
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics

LEVELS = (0.5, 0.9, 0.95)
WITHIN = 0.03
UNCHECKED = "no noise"
REANALYSIS = Path(__file__).parents[2] / "shared" / "data" / "eraint_uvz.nc"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer points and fields; writes nothing")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    coverages = [coverage(name, *data) for name, data in fields(options.quick)]
    for row in coverages:
        print(f"{row['field']:34} " + "  ".join(f"{share:.1%}" for share in row["coverage"]))
    sizes = (500_000,) if options.quick else (1000, 10_000, 100_000, 500_000, 2_000_000)
    costs = [cost("skgeo", n) for n in sizes]
    costs += [cost("scikit-learn", n) for n in ((500,) if options.quick else (250, 500, 1000, 2000))]
    for row in costs:
        print(f"{row['model']:12} {row['n']:>9,} points: {row['seconds']:8.2f} s, {row['megabytes']:6.0f} MB")
    averages = [patch_averages(degree, k) for degree, k in ((10, 96), (20, 300))[: 1 if options.quick else 2]]
    for row in averages:
        print(f"patches, L={row['degree']}, k={row['k']}: exact is {row['ratio']:.0f} times as fast as 16 x 16 pixels")
    if not options.quick:
        options.out.mkdir(parents=True, exist_ok=True)
        results = {"coverage": coverages, "cost": costs, "patches": averages}
        (options.out / "gaussian_process.json").write_text(json.dumps(results, indent=1) + "\n")
        (options.out / "gaussian_process.rst").write_text(tables(coverages, costs))
    check(coverages, costs, averages)


def check(coverages, costs, averages):
    for row in coverages:
        if UNCHECKED not in row["field"] and np.abs(np.subtract(row["coverage"], LEVELS)).max() > WITHIN:
            raise SystemExit(f"{row['field']}: intervals of {LEVELS} cover {row['coverage']}")
    for row in costs:
        if (row["model"], row["n"]) == ("skgeo", 500_000) and (row["seconds"] > 60 or row["megabytes"] > 2000):
            raise SystemExit(f"500,000 points take {row['seconds']:.0f} s and {row['megabytes']:.0f} MB")
    if any(row["ratio"] < 20 for row in averages):
        raise SystemExit(f"exact averages are less than 20 times as fast as pixels: {averages}")


def fields(quick):
    """Places, values and the degree of the model for each test of coverage."""
    for seed in (0,) if quick else (0, 1, 2):
        yield f"Matern field {seed + 1}, noise 20 %", matern_field(seed)
    if not REANALYSIS.exists():
        print("skipped: the reanalysis is not beside the repository")
        return
    observed = [("z", 20, 0.1), ("z", 20, 0.0), ("u", 30, 0.3), ("v", 30, 0.3), ("u", 30, 0.0)]
    for variable, degree, noise in observed[:1] if quick else observed:
        name = f"ERA-Interim {variable}, " + (f"noise {noise:.0%}" if noise else UNCHECKED)
        yield name, reanalysis(variable, degree, noise)


def matern_field(seed):
    """2000 observations to learn from and 20,000 to test on, of a field of degree 30 and a range of 20 degrees."""
    rng, places = np.random.default_rng(seed), uniform(np.random.default_rng(seed), 22_000)
    spectrum = matern_spectrum(30, nu=1.5, kappa=np.sqrt(3) / np.radians(20)) * 4 * np.pi / 31**2
    field = SphericalHarmonics(30, spectrum=spectrum).fit_transform(places) @ rng.normal(size=31**2)
    return places, field + rng.normal(0, 0.2, len(field)), 30, 2000


def reanalysis(variable, degree, noise):
    """Cells of the first level and month, uniform on the sphere: 4000 to learn from, the others to test on."""
    import xarray as xr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of attributes of the file
        dataset = xr.open_dataset(REANALYSIS)
    with dataset:
        field = dataset[variable]
        field = field.isel(dict.fromkeys(field.dims[:-2], 0)).load()
    latitude, longitude = np.meshgrid(field[field.dims[-2]], field[field.dims[-1]], indexing="ij")
    rng = np.random.default_rng(0)
    chance = np.cos(np.radians(latitude)).clip(0).ravel()
    chosen = rng.choice(chance.size, 24_000, replace=False, p=chance / chance.sum())
    places = np.column_stack([latitude.ravel(), longitude.ravel()])[chosen].astype(np.float64)
    y = field.to_numpy().ravel()[chosen].astype(np.float64)
    return places, y + rng.normal(0, noise * y.std(), y.size), degree, 4000


def coverage(name, places, y, degree, n_train):
    model = SphericalGaussianProcessRegressor(degree)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reanalysis is finer than the degree: that is noise here
        model.fit(places[:n_train], y[:n_train])
    mean, std = model.predict(places[n_train:], return_std=True)
    z = np.abs(y[n_train:] - mean) / np.hypot(std, model.noise_std_)
    shares = [float(np.mean(z < ndtri(0.5 + level / 2))) for level in LEVELS]
    return {"field": name, "coverage": shares, "truncation_error": model.truncation_error_}


def cost(model, n):
    """Seconds and peak megabytes of a fit, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, megabytes = pool.apply(measure, (model, n))
    return {"model": model, "n": n, "seconds": seconds, "megabytes": megabytes}


def measure(name, n):
    places = uniform(np.random.default_rng(0), n)
    y = np.sin(np.radians(3 * places[:, 0])) + np.random.default_rng(0).normal(0, 0.3, n)
    if name == "skgeo":
        model = SphericalGaussianProcessRegressor(20)
    else:
        kernel = ConstantKernel() * Matern(0.35, nu=1.5) + WhiteKernel(0.1)
        model = make_pipeline(Cartesian3DEncoder(), GaussianProcessRegressor(kernel, normalize_y=True))
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(places, y)
    return time.perf_counter() - start, resident("VmHWM")


def patch_averages(degree, k):
    """How many times as fast exact averages over the patches of a half-degree grid are as those over their pixels."""
    globe = LatLonGrid(np.arange(-89.75, 90, 0.5), np.arange(-179.75, 180, 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        basis = SphericalHarmonicPCA(degree, k).fit(globe)
    patches, seconds = np.tile(globe.patches((16, 16)), (4, 1)), {}
    for average in ("pixels", "exact"):
        encoder = PatchPositionEncoder(FrozenEstimator(basis), average=average).fit(patches)
        turns = []
        for _ in range(3):
            start = time.perf_counter()
            encoder.transform(patches)
            turns.append(time.perf_counter() - start)
        seconds[average] = min(turns)
    ratio = seconds["pixels"] / seconds["exact"]
    return {"degree": degree, "k": k, "seconds": seconds, "ratio": ratio}


def tables(coverages, costs):
    """Coverage and cost as tables for the documentation."""
    header = ("field", *(f"{level:.0%} interval" for level in LEVELS), "beyond L")
    rows = [
        (row["field"], *(f"{share:.1%}" for share in row["coverage"]), f"{row['truncation_error']:.0%}")
        for row in coverages
    ]
    spent = [(row["model"], f"{row['n']:,}", f"{row['seconds']:.2f}", f"{row['megabytes']:.0f}") for row in costs]
    return list_table([header, *rows]) + "\n" + list_table([("model", "points", "seconds", "peak MB"), *spent])


if __name__ == "__main__":
    main()
