"""The checkerboard of Russwurm et al. 2024: which encoders and networks hold toward the poles.

Labels of 200 cells on the sphere are learned from 10,000 points, with the published hyperparameters of every cell of
the table, and the accuracy at new points is counted in bands of ten degrees of latitude. Results are written as they
come, and a run that was stopped goes on where it was. It needs the recipes, as land_ocean.py does.

    python -m experiments.checkerboard            # 30 cells, one seed: a quarter of an hour on one core
    python -m experiments.checkerboard --quick    # two cells; fails unless harmonics hold at the poles, Direct does not
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.tables import replace_text, write_table
from experiments import land_ocean
from skgeo.datasets import make_checkerboard

BANDS = np.arange(-90, 91, 10)
QUICK = ("direct-linear", "spherical_harmonics-linear")
POLAR = 70  # degrees of latitude from which the poles are counted


def run(cell, recipe, training, n_test=50_000):
    """Train one cell, and count its accuracy overall, by band and at the poles."""
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


def draw(rows, path):
    """Accuracy by latitude, a panel for each network."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), sharey=True, layout="constrained")
    colors = dict(zip(land_ocean.ENCODERS, plt.get_cmap("tab10").colors, strict=True))
    for network, ax in zip(land_ocean.NETWORKS, axes, strict=True):
        for row in (row for row in rows if row["cell"].endswith(f"-{network}")):
            encoder = row["cell"].rpartition("-")[0]
            bold = (
                {"lw": 2.5, "color": "k"} if encoder == "spherical_harmonics" else {"lw": 1.1, "color": colors[encoder]}
            )
            ax.plot((BANDS[1:] + BANDS[:-1]) / 2, row["bands"], label=land_ocean.TITLES[encoder], **bold)
        ax.set(title=land_ocean.TITLES[network], xlabel="latitude", xticks=range(-90, 91, 30), ylim=(0, 100))
        ax.grid(linewidth=0.3)
    axes[0].set_ylabel("test accuracy, %")
    handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def table(rows):
    """Accuracy of each cell, and behind it that at the poles."""
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
    """Run what has no result yet, and report."""
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
