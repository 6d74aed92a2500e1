"""The checkerboard of Russwurm et al. 2024: which encoders and networks stay accurate toward the poles.

The script trains each encoder with each network, with the published hyperparameters. The networks learn the labels of
200 cells on the sphere from 10,000 points. The script measures the accuracy at new points in bands of ten degrees of
latitude. It writes each result at once, and a run that was stopped continues where it stopped. It needs the recipes, as
land_ocean.py does.

    python -m experiments.checkerboard            # 30 cells, one seed: a quarter of an hour on one core
    python -m experiments.checkerboard --quick    # two cells; fails if harmonics are bad at the poles or Direct is good
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.pictures import BLUE, GREEN, ORANGE, drawing
from benchmarks.tables import replace_text, write_table
from experiments import land_ocean
from skgeo.datasets import make_checkerboard

BANDS = np.arange(-90, 91, 10)
QUICK = ("direct-linear", "spherical_harmonics-linear")
LINES = {"linear": (ORANGE, "o"), "fcnet": (GREEN, "s"), "siren": (BLUE, "^")}  # colour and marker of a network
POLAR = 70  # degrees of latitude from which the poles are counted


def run(cell, recipe, training, n_test=50_000):
    """Train one cell of the table, and measure its accuracy overall, by band of latitude and at the poles."""
    torch.set_num_threads(1)
    recipe = {name: int(value) if name in ("n_scales", "n_layers") else value for name, value in recipe.items()}
    (X, y), (X_val, y_val), (X_test, y_test) = (
        make_checkerboard(n, random_state=seed) for seed, n in enumerate((10_000, 10_000, n_test))
    )
    start = time.perf_counter()
    model = land_ocean.model_of(cell, recipe, training, seed=0).fit(X, y, X_val=X_val, y_val=y_val)
    right = model.predict(X_test) == y_test
    band = np.digitize(X_test[:, 0], BANDS[1:-1])
    return {
        "cell": cell,
        "accuracy": round(100 * right.mean(), 2),
        "poles": round(100 * right[np.abs(X_test[:, 0]) >= POLAR].mean(), 2),
        "bands": [round(100 * right[band == i].mean(), 2) for i in range(BANDS.size - 1)],
        "epochs": model.n_epochs_,
        "seconds": round(time.perf_counter() - start, 1),
    }


@drawing
def draw(rows, path):
    """Accuracy by latitude: a panel for each encoder, a line for each network."""
    import matplotlib.pyplot as plt

    by_cell = {row["cell"]: row["bands"] for row in rows}
    figure, axes = plt.subplots(2, 5, figsize=(9, 4.4), sharex=True, sharey=True, layout="constrained")
    for encoder, ax in zip(land_ocean.ENCODERS, axes.flat, strict=True):
        for network, (colour, marker) in LINES.items():
            bands = by_cell.get(f"{encoder}-{network}")
            if bands:
                middles = (BANDS[1:] + BANDS[:-1]) / 2
                style = {"color": colour, "marker": marker, "markersize": 2.5, "linewidth": 1.2}
                ax.plot(middles, bands, label=land_ocean.TITLES[network], **style)
        ax.set_title(land_ocean.TITLES[encoder], fontsize=8.5)
        ax.set(xticks=range(-90, 91, 45), xlim=(-90, 90), ylim=(0, 100))
    figure.supxlabel("latitude (°N)", fontsize=9)
    figure.supylabel("accuracy at new places (%)", fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.savefig(path)


def table(rows):
    """Accuracy of each cell of the table, followed by its accuracy at the poles."""
    by_cell = {row["cell"]: row for row in rows}
    yield (
        "encoder",
        *(f"{land_ocean.TITLES[network]}{kind}" for network in land_ocean.NETWORKS for kind in ("", ", poles")),
    )
    for encoder in land_ocean.ENCODERS:
        found = [by_cell.get(f"{encoder}-{network}") for network in land_ocean.NETWORKS]
        cells = [f"{row[name]:.1f}" if row else "" for row in found for name in ("accuracy", "poles")]
        yield land_ocean.TITLES[encoder], *cells


def main():
    """Run the cells without a result, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two cells; nothing is written")
    parser.add_argument("--data", type=Path, default=land_ocean.DATA, help="folder of the recipes")
    parser.add_argument("--out", type=Path, default=land_ocean.HERE / "results")
    options = parser.parse_args()
    published = json.loads((options.data / "location_encoder_recipes.json").read_text())["checkerboard"]
    path = options.out / "checkerboard.json"
    options.out.mkdir(parents=True, exist_ok=True)
    rows = json.loads(path.read_text()) if path.exists() and not options.quick else []
    cells = sorted(published["cells"], key=lambda cell: cell.endswith("-fcnet"))  # these take longest
    for cell in QUICK if options.quick else cells:
        if cell in {row["cell"] for row in rows}:
            continue
        rows.append(run(cell, published["cells"][cell], published["training"]))
        print(
            "{cell:28} {accuracy:5.1f} %, poles {poles:5.1f} %, {epochs} epochs, {seconds} s".format(**rows[-1]),
            flush=True,
        )
        if not options.quick:
            replace_text(json.dumps(rows, indent=1) + "\n", path)
    if not options.quick:
        draw(rows, options.out / "checkerboard.png")
        write_table(table(rows), options.out / "checkerboard.rst")
    by_cell = {row["cell"]: row for row in rows}
    harmonics, direct = (by_cell[f"{name}-linear"] for name in ("spherical_harmonics", "direct"))
    holds = harmonics["poles"] > harmonics["accuracy"] - 5 and direct["poles"] < harmonics["poles"] - 20
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
