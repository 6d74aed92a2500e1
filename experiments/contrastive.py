"""Compare a location embedding learned from "images" of the atmosphere with harmonics, and measure its cost.

    python -m experiments.contrastive            # about ten minutes; one CPU thread for the fields, two for the cost
    python -m experiments.contrastive --quick    # the synthetic field, half a minute; fails if nothing is learned

An image is a patch of fields around a place. The target is another field at the place. There are two data sets.
ERA-Interim is used if ../shared/data/eraint_uvz.nc exists: its images are geopotential and eastward wind at three
levels in January and July, and its targets are the northward wind at 850 hPa and the share of land. In the synthetic
data set, the images are a random field up to degree 30, and the target is a combination of the slopes of the field. A
ContrastiveLocationEncoder learns to match places with images. Then a ridge regression on the frozen embedding predicts
the target in held-out blocks of 30 degrees. Two other ridge regressions use as many harmonics as the embedding has
columns, and the images themselves. The script writes contrastive.json and contrastive.rst.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.tables import write_table
from skgeo.datasets import load_land_mask
from skgeo.encoders import SphericalHarmonics
from skgeo.nn import ContrastiveLocationEncoder

ERA_INTERIM = Path(__file__).parents[2] / "shared" / "data" / "eraint_uvz.nc"
ALPHAS = np.logspace(0, 5, 6)
REACH = 2.25 * np.arange(-2, 3)  # degrees from the middle of a patch, along latitude


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small synthetic field only; write nothing")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    parser.add_argument("--cost", nargs=2, type=int, metavar=("PAIRS", "BATCH"), help="only measure one epoch")
    options = parser.parse_args()
    if options.cost:
        print(json.dumps(cost(*options.cost)))
        return
    torch.set_num_threads(1)
    if options.quick:
        check(experiment("synthetic", *synthetic(2000), dims=(64,)))
        return
    rows = experiment("synthetic", *synthetic(4000), dims=(64, 256))
    if ERA_INTERIM.exists():
        rows += experiment("ERA-Interim", *era_interim(5000), dims=(64, 256))
    costs = [cost_apart(100_000, 2048), cost_apart(8192, 8192)]
    options.out.mkdir(parents=True, exist_ok=True)
    results = {"fields": rows, "cost": costs}
    (options.out / "contrastive.json").write_text(json.dumps(results, indent=1) + "\n")
    write_table(table(rows), options.out / "contrastive.rst")
    check(rows)


def check(rows):
    """Fail if retrieval is less than 20 times chance, or if harmonics predict the synthetic target better."""
    for row in rows:
        if row["retrieval"][0] < 20 * row["chance"][0]:
            raise SystemExit(f"{row['field']}: retrieval is less than 20 times chance")
        if row["field"] == "synthetic" and row["r2"]["slopes"]["contrastive"] <= row["r2"]["slopes"]["harmonics"]:
            raise SystemExit("synthetic: harmonics predict the target better")


def experiment(field, places, images, targets, dims):
    """Retrieval of places, and R^2 of ridge regressions on frozen features in held-out blocks."""
    blocks = np.floor((places[:, 0] + 90) / 30) * 100 + np.floor((places[:, 1] + 180) / 30)
    rows = []
    for dim in dims:
        model = ContrastiveLocationEncoder(
            SphericalHarmonics(30 if field == "synthetic" else 20),
            embed_dim=dim, hidden_dim=256, temperature=1.0, batch_size=1024, max_epochs=40, patience=10, random_state=0,
        )  # fmt: skip
        start = time.perf_counter()
        model.fit(places, images)
        seconds = time.perf_counter() - start
        features = {
            "harmonics": SphericalHarmonics(int(np.sqrt(dim)) - 1).fit_transform(places),
            "contrastive": model.transform(places),
            "images": images,
        }
        r2 = {
            name: {kind: explained(values, target, blocks) for kind, values in features.items()}
            for name, target in targets.items()
        }
        row = {
            "field": field,
            "places": len(places),
            "dim": dim,
            "epochs": model.n_epochs_,
            "seconds": seconds,
            "r2": r2,
        }
        row |= {"retrieval": model.retrieval_["image_to_place"].tolist(), "chance": model.retrieval_["chance"].tolist()}
        print(row, flush=True)
        rows.append(row)
    return rows


def explained(features, target, blocks):
    """Mean R^2 over five folds of blocks. Folds of blocks inside the training part choose the penalty."""
    scores = []
    for train, test in GroupKFold(5, shuffle=True, random_state=0).split(features, groups=blocks):
        ridge = make_pipeline(StandardScaler(), Ridge())
        model = GridSearchCV(ridge, {"ridge__alpha": ALPHAS}, cv=GroupKFold(3))
        model.fit(features[train], target[train], groups=blocks[train])
        predicted = model.predict(features[test]).reshape(target[test].shape)  # a single target may be a vector
        error = ((predicted - target[test]) ** 2).mean(axis=0)
        scores.append(1 - (error / target[test].var(axis=0)).mean())
    return float(np.mean(scores))


def synthetic(n_places):
    """Patches of a field of harmonics up to degree 30, and a combination of the slopes of the field."""
    rng = np.random.default_rng(0)
    degree = np.sqrt(np.arange(31**2)).astype(int)
    weights = rng.normal(size=31**2) / np.sqrt(2 * degree + 1) * np.exp(-((degree / 25.0) ** 4)) * (degree > 0)
    places = uniform_places(n_places, rng)
    harmonics = SphericalHarmonics(30).fit(places)
    around = patch_points(places)
    patches = (harmonics.transform(around.reshape(-1, 2)) @ weights).reshape(n_places, REACH.size, REACH.size)
    noise = 0.05 * weights.std() * rng.normal(size=patches.shape)
    slopes = patches[:, 3, 2] - patches[:, 1, 2] + patches[:, 2, 3] - patches[:, 2, 1]
    return places, describe((patches + noise).reshape(n_places, 1, -1)), {"slopes": slopes[:, np.newaxis]}


def era_interim(n_places):
    """Patches of geopotential and eastward wind, with the northward wind at 850 hPa and the share of land."""
    import netCDF4

    with netCDF4.Dataset(ERA_INTERIM) as data:
        data.set_auto_mask(False)
        fields = {name: np.asarray(data[name][:], dtype=float).reshape(6, 241, 480) for name in "uvz"}
    places = uniform_places(n_places, np.random.default_rng(0))
    row, column = nearest(places)
    around = nearest(patch_points(places).reshape(-1, 2))
    patches = [fields[name][(slice(None), *around)].reshape(6, n_places, -1) for name in "zu"]
    land = load_land_mask()
    cell = [
        abs(axis[:, np.newaxis] - values).argmin(axis=0)
        for axis, values in ((land.latitude, places[:, 0]), (land.longitude, places[:, 1]))
    ]
    targets = {"wind": fields["v"][2::3, row, column].T, "land": land.fraction[cell[0], cell[1]][:, np.newaxis]}
    return places, describe(np.concatenate(patches).transpose(1, 0, 2)), targets


def nearest(places):
    """Rows and columns of the nearest cells of the grid of ERA-Interim."""
    return np.rint((90 - places[:, 0]) / 0.75).astype(int), np.rint((places[:, 1] + 180) / 0.75).astype(int) % 480


def describe(patches):
    """Features of patches (n, fields, pixels): means of the pixels, and differences from the means."""
    means = patches.mean(axis=2, keepdims=True)
    return np.concatenate([means[..., 0], (patches - means).reshape(len(patches), -1)], axis=1).astype(np.float32)


def patch_points(places):
    """Centres (n, 5, 5, 2) of the pixels of patches around places. All patches have the same size on the ground."""
    latitude = places[:, 0, np.newaxis, np.newaxis] + REACH[:, np.newaxis]
    eastward = REACH / np.cos(np.radians(places[:, 0, np.newaxis, np.newaxis]))
    return np.stack(np.broadcast_arrays(latitude, places[:, 1, np.newaxis, np.newaxis] + eastward), axis=-1)


def uniform_places(n_places, rng):
    """Places uniform on the sphere from 80 S to 80 N, so that no patch of 9 degrees reaches a pole."""
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, n_places) * np.sin(np.radians(80))))
    return np.column_stack([latitude, rng.uniform(-180, 180, n_places)])


def cost(n_pairs, batch_size):
    """Seconds and memory beyond the data of one epoch on random places and 512 random features, with two threads."""
    torch.set_num_threads(2)
    rng = np.random.default_rng(0)
    places, images = uniform_places(n_pairs, rng), rng.normal(size=(n_pairs, 512)).astype(np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = ContrastiveLocationEncoder(batch_size=batch_size, max_epochs=1, patience=None, random_state=0)
    start = time.perf_counter()
    model.fit(places, images)
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "pairs": n_pairs,
        "batch": batch_size,
        "seconds": seconds,
        "peak_gb": peak / 2**20,
        "before_gb": before / 2**20,
    }


def cost_apart(n_pairs, batch_size):
    """Run ``cost`` in a separate process, so that the peak of the memory belongs to this cost only."""
    command = [sys.executable, "-m", "experiments.contrastive", "--cost", str(n_pairs), str(batch_size)]
    result = json.loads(
        subprocess.run(command, cwd=Path(__file__).parents[1], check=True, capture_output=True, text=True).stdout
    )
    print(result, flush=True)
    return result


def table(rows):
    yield "field", "columns", "image finds place", "target", "harmonics", "contrastive", "images"
    yield from (cells_of(row, target) for row in rows for target in row["r2"])


def cells_of(row, target):
    share, chance = row["retrieval"][0], row["chance"][0]
    scores = [f"{row['r2'][target][kind]:.2f}" for kind in ("harmonics", "contrastive", "images")]
    return [row["field"], row["dim"], f"{share:.2f}, {share / chance:.0f} times chance", target, *scores]


if __name__ == "__main__":
    main()
