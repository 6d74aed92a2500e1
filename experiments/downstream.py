"""Which features of a place help which model on which data, in random and blocked folds.

    python -m experiments.downstream            # two hours on two cores; a stopped run can continue
    python -m experiments.downstream --quick    # one field, few models, seconds; fails if features do not help

The script samples fields at random places. The models see latitude and longitude only. Folds of the same kind inside
the training folds choose penalties, degrees, scales, spacings and leaves, and the results contain the choices. The
score is the score of all held-out predictions together: R² for numbers, accuracy for land and ocean. Harmonics have the
largest degree that the spacing of the places supports, but at most 40. The basis of a region has degree 60, and the
script fits it once, on a grid of the region. The script skips ERA-Interim and California housing if their files are
missing. It writes downstream.json, .rst and .png, and downstream_encoders.rst. It does not compute scores again that
are in downstream.json.
"""

import argparse
import itertools
import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline

from benchmarks.tables import write_rows
from experiments.downstream_models import EXACT, bases_of, data_sets, models
from experiments.downstream_report import report
from skgeo.encoders import SphericalHarmonics
from skgeo.exceptions import ResolutionWarning
from skgeo.model_selection import SphericalBlockKFold, suggest_max_degree

SIZES = (500, 2000)
SEEDS = (0, 1, 2)


def folds(kind, size_km, seed, n_splits):
    if kind == "random":
        return KFold(n_splits, shuffle=True, random_state=seed)
    return SphericalBlockKFold(n_splits, block_size_km=size_km, shuffle=True, random_state=seed)


def result(model, choices, X, y, kind, size_km, seed):
    """Score of the predictions of five outer folds, and the choices of three inner folds in each outer fold."""
    predicted, chosen = np.empty_like(y), {name: [] for name in choices}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)  # the search also tries degrees that are too low or too high
        warnings.simplefilter("ignore", ConvergenceWarning)  # scikit-learn warns at the bounds of its search
        for train, test in folds(kind, size_km, seed, 5).split(X, y):
            inner = folds(kind, size_km, seed + 1, 3)
            search = GridSearchCV(model, choices, cv=inner, error_score="raise") if choices else clone(model)
            predicted[test] = search.fit(X[train], y[train]).predict(X[test])
            for name, values in chosen.items():
                values.append(search.best_params_[name])
    score = accuracy_score if y.dtype == bool else r2_score
    return {"score": float(score(y, predicted)), "chosen": chosen}


def cells(options):
    """All combinations of seed, data, size, folds and model. The seed varies slowest: a stopped run has whole seeds."""
    data = data_sets()
    names = ["smooth field"] if options.quick else data
    seeds, sizes = ((0,), (500,)) if options.quick else (SEEDS, SIZES)
    for seed, name, n in itertools.product(seeds, names, sizes):
        sample, blocks = data[name]
        X, y = sample(n, seed)
        degree = suggest_max_degree(X, largest=40).max_degree
        low, high = np.floor(X.min(axis=0)), np.ceil(X.max(axis=0))
        bases = bases_of(low[0], high[0], low[1], high[1]) if high[0] - low[0] < 90.0 else None
        for kind, size_km in (("random", None), ("blocks", blocks[0]), ("blocks", blocks[1])):
            for model, steps, classifier, choices in models(degree, bases, blocks[0]):
                if y.dtype == bool:
                    steps = (*steps[:-1], classifier)
                wanted = not options.quick or model in ("raw + ridge", "harmonics, Matern + ridge")
                wanted &= model != EXACT or n == SIZES[0]  # its time grows with the cube of the number of places
                if steps[-1] is not None and wanted:
                    yield (name, n, kind, size_km, model, seed), (sample, steps, choices)


def work(key, parts):
    name, n, kind, size_km, model, seed = key
    sample, steps, choices = parts
    names = ("encoder", "then")[: len(steps) - 1]
    row = {"data": name, "n": n, "folds": kind, "block_km": size_km, "model": model, "seed": seed}
    with TemporaryDirectory() as folder:
        dear = isinstance(steps[0], SphericalHarmonics | FrozenEstimator)  # all penalties share these features
        pipeline = Pipeline(list(zip((*names, "model"), steps, strict=True)), memory=folder if dear else None)
        return row | result(pipeline, choices, *sample(n, seed), kind, size_km, seed)


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
        rows.append(row)
        if number % 20 == 19 or number == len(todo) - 1:
            write_rows(rows, path)
            print(f"{number + 1} of {len(todo)}", flush=True)
    report(rows, options.out)


if __name__ == "__main__":
    main()
