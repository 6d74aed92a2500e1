"""When do pretrained embeddings help? A Gaussian process, harmonics, GeoCLIP, and harmonics with GeoCLIP, in all folds.

    python -m experiments.pretrained --geoclip geoclip-1.3.0-py3-none-any.whl              # minutes
    python -m experiments.pretrained --geoclip geoclip-1.3.0-py3-none-any.whl --quick      # one field, one seed

``pip download --no-deps geoclip==1.3.0`` fetches the wheel, whose weights are under the MIT licence. The environment
variable GEOCLIP_WHEEL may name the wheel in place of ``--geoclip``. ``--table FILE`` adds measurements: a CSV file with
the columns latitude, longitude and targets.

One model is an exact Gaussian process with skgeo's defaults. The other models are ridge regressions on fixed features,
computed with their Gram matrices: harmonics with a Matern spectrum up to degree 30, the 512 columns of GeoCLIP, both
together, and harmonics with the columns of GeoCLIP's network before training, as a control. The columns of GeoCLIP are
standardised, and each set of features has a mean square of one. Three folds of the same kind within the training folds
choose the penalty, and the weight of the embedding beside the harmonics. The score is that of all held-out predictions
together: R2 for numbers, accuracy for land and ocean, where models predict 1 and -1. The script writes pretrained.json
and .rst. It does not compute scores again that are in pretrained.json.
"""

import argparse
import itertools
import json
import os
import warnings
from pathlib import Path

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import StandardScaler

from benchmarks.tables import list_table, write_rows
from experiments.downstream import folds
from experiments.downstream_models import SHARED, data_sets
from experiments.downstream_report import cell, mean
from skgeo import SphericalGaussianProcessRegressor
from skgeo.encoders import SphericalHarmonics
from skgeo.nn import GeoCLIPWeights, PretrainedEncoder, load_geoclip

SEEDS = (0, 1, 2)
N_PLACES = 1000
PENALTIES = np.logspace(-5, 0, 6)
WEIGHTS = (0.1, 1.0, 10.0)
FOLDS = ("random folds", "small blocks", "large blocks")
PROCESS = "Gaussian process"
MODELS = (PROCESS, "harmonics", "GeoCLIP", "harmonics and GeoCLIP", "harmonics and untrained network")


def untrained(seed=0):
    """The network of GeoCLIP with random weights, as before its training."""
    rng, arrays = np.random.default_rng(seed), {}
    shapes = {"capsule.1": (1024, 512), "capsule.3": (1024, 1024), "capsule.5": (1024, 1024), "head.0": (512, 1024)}
    for i, sigma in enumerate((1.0, 16.0, 256.0)):
        arrays[f"LocEnc{i}.capsule.0.b"] = rng.normal(0, sigma, (256, 2))
        for layer, shape in shapes.items():
            # torch draws weights and biases of a linear layer from this interval.
            bound = shape[1] ** -0.5
            arrays[f"LocEnc{i}.{layer}.weight"] = rng.uniform(-bound, bound, shape)
            arrays[f"LocEnc{i}.{layer}.bias"] = rng.uniform(-bound, bound, shape[0])
    return PretrainedEncoder(GeoCLIPWeights(arrays), dtype="float32")


def gram(features):
    """Products of the rows of features, with a mean of one on the diagonal."""
    products = features @ features.T
    return products / products.diagonal().mean()


def predict(products, train, test, y, penalty):
    """Kernel ridge regression: the predictions at test samples, from the products of all samples."""
    mean = y[train].mean()
    factor = cho_factor(products[np.ix_(train, train)] + penalty * np.eye(len(train)), overwrite_a=True)
    return mean + products[np.ix_(test, train)] @ cho_solve(factor, y[train] - mean)


def scores_of(models, grams, X, y, kind, size_km, seed):
    """Score of each model: the predictions of five outer folds, with the choices of three inner folds."""
    target = np.where(y, 1.0, -1.0) if y.dtype == bool else y
    predicted = {model: np.empty(len(y)) for model in models}
    for train, test in folds(kind, size_km, seed, 5).split(X, y):
        inner = [(train[a], train[b]) for a, b in folds(kind, size_km, seed + 1, 3).split(X[train], y[train])]
        for model in models:
            if model == PROCESS:
                process = SphericalGaussianProcessRegressor(method="exact").fit(X[train], target[train])
                predicted[model][test] = process.predict(X[test])
                continue
            best = np.inf
            for products, penalty in itertools.product(candidates(grams, model), PENALTIES):
                error = sum(np.sum((target[b] - predict(products, a, b, target, penalty)) ** 2) for a, b in inner)
                if error < best:
                    best, choice = error, (products, penalty)
            predicted[model][test] = predict(choice[0], train, test, target, choice[1])
    if y.dtype == bool:
        return {model: float(accuracy_score(y, values > 0)) for model, values in predicted.items()}
    return {model: float(r2_score(y, values)) for model, values in predicted.items()}


def candidates(grams, model):
    """The products of samples that a model chooses from."""
    first, second = grams["harmonics"], grams["untrained" if "untrained" in model else "GeoCLIP"]
    alone = {"harmonics": [first], "GeoCLIP": [second]}.get(model)
    return alone or [first + weight * second for weight in WEIGHTS]


def grams_of(X, encoders):
    """The products of samples for each set of features. The columns of networks are standardised first."""
    tables = {name: encoder.fit_transform(X) for name, encoder in encoders.items()}
    return {
        name: gram(table if name == "harmonics" else StandardScaler().fit_transform(table))
        for name, table in tables.items()
    }


# ---- fields


def surface_temperature(n, seed):
    """The mean over all months of OSTIA at sea, five degrees around the equator."""
    import xarray as xr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field = xr.open_dataset(SHARED / "ostia_monthly.nc")
        values = next(value for value in field.data_vars.values() if value.ndim == 3).load().mean("time", skipna=False)
    latitude, longitude = np.meshgrid(values.latitude, values.longitude, indexing="ij")
    sea = np.flatnonzero(np.isfinite(values.values.ravel()))
    chosen = np.random.default_rng(seed).choice(sea, n, replace=False)
    return np.column_stack([latitude.ravel(), longitude.ravel()])[chosen].astype(float), values.values.ravel()[chosen]


def table_targets(path):
    """Each target of a CSV file: a sampler and the sizes of blocks."""
    import pandas as pd

    table = pd.read_csv(path)

    def sampler(target):
        rows = table[["latitude", "longitude", target]].dropna().to_numpy(dtype=float)

        def sample(n, seed):
            chosen = rows[np.random.default_rng(seed).permutation(len(rows))[:n]]
            return chosen[:, :2], chosen[:, 2]

        return sample

    return {name: (sampler(name), (500, 2000)) for name in table.columns.difference(["latitude", "longitude"])}


def fields(table):
    """For each field whose data exist: its name, its sampler and the two sizes of blocks in km."""
    found = {name: part for name, part in data_sets().items() if "rough field" not in name}
    if (SHARED / "ostia_monthly.nc").exists():
        found["OSTIA mean temperature"] = surface_temperature, (1000, 4000)
    found["land and ocean"] = found["land and ocean"][0], (1000, 3000)
    return found | ({} if table is None else table_targets(table))


# ---- the table


def write_table(rows, path):
    """A row for each field and kind of folds. Scores level with the best are bold. A stopped run lacks some seeds."""
    groups = {}
    for row in rows:
        for model in MODELS:
            if model in row:
                groups.setdefault((row["data"], row["folds"]), {}).setdefault(model, {})[row["seed"]] = row[model]

    def lines():
        yield "field", "folds", *MODELS
        for names, scores in groups.items():
            best = max(scores.values(), key=mean)
            yield *names, *(cell(scores.get(model), best, 3) for model in MODELS)

    path.write_text(list_table(lines()), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--geoclip", default=os.environ.get("GEOCLIP_WHEEL"), help="wheel or weights of GeoCLIP")
    parser.add_argument("--table", type=Path, help="CSV file with latitude, longitude and targets")
    parser.add_argument("--quick", action="store_true", help="one field, one seed, 300 places")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    if not options.geoclip:
        print("skipped: neither --geoclip nor GEOCLIP_WHEEL names the weights; pip download --no-deps geoclip==1.3.0")
        return
    encoders = {
        "harmonics": SphericalHarmonics(30, min_degree=1, spectrum="matern"),
        "GeoCLIP": load_geoclip(options.geoclip).set_params(dtype="float32"),
        "untrained": untrained(),
    }
    seeds, n_places, path = SEEDS, N_PLACES, options.out / "pretrained.json"
    chosen, rows = fields(options.table), {}
    if options.quick:
        chosen, seeds, n_places = {"land and ocean": chosen["land and ocean"]}, (0,), 300
    elif path.exists():
        rows = {(row["data"], row["folds"], row["seed"]): row for row in json.loads(path.read_text())}
    for seed, (name, (sample, blocks)) in itertools.product(seeds, chosen.items()):
        X, y = sample(n_places, seed)
        grams = None
        for kind, size_km in zip(FOLDS, (None, *blocks), strict=True):
            label = kind if size_km is None else f"{size_km:,} km blocks"
            row = rows.setdefault((name, label, seed), {"data": name, "folds": label, "seed": seed, "n": len(y)})
            models = [model for model in MODELS if model not in row]
            if set(models) - {PROCESS} and grams is None:
                grams = grams_of(X, encoders)
            row |= scores_of(models, grams, X, y, "random" if size_km is None else "blocks", size_km, seed)
            print(name, label, seed, {model: round(row[model], 3) for model in MODELS}, flush=True)
            if not options.quick:
                write_rows(list(rows.values()), path)
    rows = list(rows.values())
    if options.quick:
        if rows[0]["harmonics and GeoCLIP"] < 0.7:
            raise SystemExit("the union of harmonics and GeoCLIP knows nothing of land and ocean")
        return
    write_table(rows, options.out / "pretrained.rst")


if __name__ == "__main__":
    main()
