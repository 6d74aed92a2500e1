"""Which features of a place help which model on which data, in random and blocked folds, all chosen inside the folds.

    python benchmarks/downstream.py            # hours on two cores; may be stopped and started again
    python benchmarks/downstream.py --quick    # one field, few models, seconds; fails if features do not help

Fields are sampled at random places; the models see latitude and longitude only. Hyperparameters, degrees and scales
among them, are chosen by folds of the same kind within the training folds. R2 for numbers, accuracy for land and ocean.
ERA-Interim and California housing are left out where they are not there. Writes downstream.json; what it holds already
is not computed again.
"""

import argparse
import json
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgeo import SphericalGaussianProcessRegressor, SphericalHarmonicPCA, matern_spectrum
from skgeo.datasets import make_land_ocean
from skgeo.encoders import (
    Cartesian3DEncoder,
    DirectEncoder,
    GridEncoder,
    SphereCEncoder,
    SphereMEncoder,
    SphericalHarmonics,
    TheoryEncoder,
    WrapEncoder,
)
from skgeo.exceptions import ResolutionWarning
from skgeo.model_selection import SphericalBlockKFold

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SIZES = (500, 4000)
SEEDS = (0, 1, 2)
PENALTIES = (1e-4, 1e-2, 1.0, 100.0)

# ---- data: name -> function of (n, seed) that gives places and targets, and the two sizes of blocks in km


def synthetic(nu, kappa, box=None):
    """Samples of a Gaussian field with a Matern spectrum to degree 90, and a tenth of its deviation as noise."""

    def sample(n, seed):
        rng = np.random.default_rng(seed)
        south, north, west, east = (-90, 90, -180, 180) if box is None else box
        sines = rng.uniform(*np.sin(np.radians([south, north])), n)
        X = np.column_stack([np.degrees(np.arcsin(sines)), rng.uniform(west, east, n)])
        y = SphericalHarmonics(90).fit_transform(X) @ coefficients(nu, kappa)
        return X, y + 0.1 * y.std() * rng.standard_normal(n)

    return sample


@cache
def coefficients(nu, kappa):
    """Random ones; the field is the same for all samples of it."""
    spectrum = matern_spectrum(90, nu=nu, kappa=kappa)
    spread = np.repeat(np.sqrt(spectrum), 2 * np.arange(91) + 1)
    return spread * np.random.default_rng(7).standard_normal(len(spread))


def era_interim(variable, month, level):
    def sample(n, seed):
        import xarray as xr

        rng = np.random.default_rng(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the file has a fill value of NaN
            field = xr.open_dataset(SHARED / "eraint_uvz.nc")[variable].sel(month=month, level=level).load()
        X = np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 179.2, n)])
        places = {name: ("place", column) for name, column in zip(("latitude", "longitude"), X.T, strict=True)}
        return X, field.interp(
            {name: xr.DataArray(column, dims="place") for name, (_, column) in places.items()}
        ).values

    return sample


def land_ocean(n, seed):
    return make_land_ocean(n, random_state=seed)


def california(n, seed):
    from sklearn.datasets import fetch_california_housing

    houses = fetch_california_housing(download_if_missing=False)
    chosen = np.random.default_rng(seed).permutation(len(houses.target))[:n]
    return houses.data[chosen, 6:8], houses.target[chosen]


def data_sets():
    """Those that are there."""
    found = {
        "smooth field": (synthetic(2.5, 6.0), (1000, 4000)),
        "rough field": (synthetic(0.5, 12.0), (1000, 4000)),
        "rough field in a box of 30 x 50 degrees": (synthetic(0.5, 12.0, (30, 60, -10, 40)), (250, 1000)),
        "land and ocean": (land_ocean, (1000, 4000)),
    }
    if (SHARED / "eraint_uvz.nc").exists():
        found["ERA-Interim z, July, 500 hPa"] = era_interim("z", 7, 500), (1000, 4000)
        found["ERA-Interim u, January, 200 hPa"] = era_interim("u", 1, 200), (1000, 4000)
        found["ERA-Interim v, July, 850 hPa"] = era_interim("v", 7, 850), (1000, 4000)
    try:
        california(1, 0)
        found["California housing"] = california, (50, 200)
    except OSError:
        print("California housing is not in scikit-learn's cache: left out")
    return found


# ---- models: name -> (pipeline for numbers, pipeline for classes, what to choose among)


def models():
    scales = {"min_scale": [1.0, 5.0, 20.0]}
    degrees = {"max_degree": [5, 10, 20]}
    encoders = {
        "raw": (DirectEncoder(), {}),
        "Cartesian": (Cartesian3DEncoder(), {}),
        "Wrap": (WrapEncoder(), {}),
        "Grid": (GridEncoder(16), scales),
        "Theory": (TheoryEncoder(16), scales),
        "SphereC": (SphereCEncoder(16), scales),
        "SphereC+": (SphereCEncoder(16, plus=True), scales),
        "SphereM": (SphereMEncoder(16), scales),
        "SphereM+": (SphereMEncoder(16, plus=True), scales),
        "harmonics": (SphericalHarmonics(10, min_degree=1), degrees),
        "harmonics, Matern": (SphericalHarmonics(10, min_degree=1, spectrum="matern"), degrees),
        "components": (
            SphericalHarmonicPCA(10, area_weighted=False, clip=None),
            {"max_degree": [10, 20], "n_components": [0.9, 0.999]},
        ),
        "components, Matern": (
            SphericalHarmonicPCA(10, area_weighted=False, clip=None, spectrum="matern"),
            {"max_degree": [10, 20], "n_components": [0.9, 0.999]},
        ),
    }
    for name, (encoder, choices) in encoders.items():
        yield f"{name} + ridge", linear(encoder, name), choices_of(encoder, choices, linear=True)
        if name in ("raw", "Cartesian", "harmonics, Matern", "components, Matern"):
            yield f"{name} + boosting", boosted(encoder), choices_of(encoder, choices, linear=False)
    neighbours = {"n_neighbors": [1, 3, 10, 30]}
    yield "nearest neighbours", nearest(), {f"kneighbors__{key}": value for key, value in neighbours.items()}
    yield "Gaussian process", gaussian_process, {}


def linear(encoder, name):
    """Ridge; columns that come in units of their own are standardised."""
    scaled = [StandardScaler()] if name in ("raw", "Cartesian", "Wrap") else []

    def make(classes):
        last = RidgeClassifier() if classes else Ridge()
        return make_pipeline(encoder, *scaled, last)

    return make


def boosted(encoder):
    def make(classes):
        last = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        return make_pipeline(encoder, last(max_iter=150, random_state=0))

    return make


def nearest():
    def make(classes):
        last = KNeighborsClassifier if classes else KNeighborsRegressor
        pipeline = make_pipeline(Cartesian3DEncoder(), last(weights="distance"))
        return pipeline.set_params(steps=[("cartesian", pipeline[0]), ("kneighbors", pipeline[1])])

    return make


def gaussian_process(classes):
    return None if classes else SphericalGaussianProcessRegressor(max_degree=20)


def choices_of(encoder, choices, linear):
    """The grid of a search over a pipeline."""
    step = type(encoder).__name__.lower()
    grid = {f"{step}__{key}": values for key, values in choices.items()}
    return grid | ({"ridge__alpha": PENALTIES} if linear else {})


# ---- folds and scores


def folds(kind, size_km, seed, n_splits):
    if kind == "random":
        return KFold(n_splits, shuffle=True, random_state=seed)
    return SphericalBlockKFold(n_splits, block_size_km=size_km, shuffle=True, random_state=seed)


def scores(make, grid, X, y, kind, size_km, seed):
    """Mean score over five outer folds, with a search over three inner ones in each; seconds for all."""
    start = time.perf_counter()
    classes = y.dtype == bool
    model = make(classes)
    if model is None:
        return None
    if classes and is_classifier(model):
        grid = {key.replace("ridge__", "ridgeclassifier__"): values for key, values in grid.items()}
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)  # searches meet degrees too low and too high
        for train, test in folds(kind, size_km, seed, 5).split(X, y):
            inner = folds(kind, size_km, seed + 1, 3)
            best = GridSearchCV(clone(model), grid, cv=inner, error_score="raise") if grid else clone(model)
            values.append(best.fit(X[train], y[train]).score(X[test], y[test]))
    return {"score": float(np.mean(values)), "seconds": time.perf_counter() - start}


def cells(options):
    """Every combination: data, size, folds, model, seed."""
    for name, (sample, blocks) in data_sets().items():
        if options.quick and name != "smooth field":
            continue
        for n in (500,) if options.quick else SIZES:
            for kind, size_km in (("random", None), ("blocks", blocks[0]), ("blocks", blocks[1])):
                for model, make, grid in models():
                    if options.quick and model not in ("raw + ridge", "harmonics, Matern + ridge"):
                        continue
                    for seed in (0,) if options.quick else SEEDS:
                        yield (name, n, kind, size_km, model, seed), (sample, make, grid)


def work(key, parts):
    name, n, kind, size_km, model, seed = key
    sample, make, grid = parts
    result = scores(make, grid, *sample(n, seed), kind, size_km, seed)
    row = {"data": name, "n": n, "folds": kind, "block_km": size_km, "model": model, "seed": seed}
    return None if result is None else row | result


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one field, two models, one seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    if options.quick:
        rows = [work(key, parts) for key, parts in cells(options)]
        best = {row["model"]: row["score"] for row in rows if row["folds"] == "random"}
        print(best)
        if best["harmonics, Matern + ridge"] < best["raw + ridge"] + 0.2:
            raise SystemExit("features of places do not help a linear model")
        return
    path = options.out / "downstream.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    done = {(row["data"], row["n"], row["folds"], row["block_km"], row["model"], row["seed"]) for row in rows}
    todo = [(key, parts) for key, parts in cells(options) if key not in done]
    parallel = Parallel(n_jobs=options.jobs, return_as="generator_unordered")
    for number, row in enumerate(parallel(delayed(work)(*cell) for cell in todo)):
        rows += [] if row is None else [row]
        if number % 20 == 19 or number == len(todo) - 1:
            path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
            print(f"{number + 1} of {len(todo)}", flush=True)


if __name__ == "__main__":
    main()
