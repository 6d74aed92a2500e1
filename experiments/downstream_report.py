"""Tables and picture of downstream.py: ``python -m experiments.downstream_report`` makes them from the kept scores."""

import json
from pathlib import Path
from textwrap import indent

import numpy as np

from benchmarks.pictures import BLUE, GREY, ORANGE, drawing
from benchmarks.tables import list_table, mean_and_deviation, write_table
from experiments.downstream_models import models

FOLDS = ("random folds", "small blocks", "large blocks")
MARKERS = ("o", "s", "D")
# The rows and columns of the table of encoders in print, with their names there.
ENCODERS = {
    "Gaussian process, skgeo": "Gaussian process",
    "Gaussians around anchors (``RadialBasisEncoder``)": "anchors + ridge",
    "Matern harmonics": "harmonics, Matern + ridge",
    "random Fourier features of a Gaussian kernel": "random Fourier + ridge",
    "random Fourier features of a Matern kernel (3/2)": "random Fourier, Matern + ridge",
    "one column for each cell of equal area": "cells + ridge",
    "double Fourier series of Sphere2Vec": "double Fourier + ridge",
    "sines of x, y and z in octaves (NeRF)": "NeRF + ridge",
}
FIELDS = {
    "smooth field": "smooth field",
    "rough field": "rough field",
    "rough field, Europe": "rough field, Europe",
    "wind, Europe": "ERA-Interim u, Europe",
}
LARGEST = 1.0  # the end of the axis: how far a model is behind the best


def report(rows, folder):
    """Write the tables and the picture."""
    scores = summarise(rows)
    names = [name for name, *_ in models(20, dict.fromkeys(("components", "components, Matern")))]
    (folder / "downstream.rst").write_text(tabs(scores, names), encoding="utf-8")
    write_table(encoder_table(scores), folder / "downstream_encoders.rst")
    draw(scores, names, folder / "downstream.png")


def summarise(rows):
    """Scores by seed, by number of places, folds, data and model. A run that was stopped lacks some seeds."""
    scores = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        sizes = sorted(
            {other["block_km"] for other in rows if other["data"] == row["data"]}, key=lambda size: size or 0
        )
        key = row["n"], FOLDS[sizes.index(row["block_km"])], row["data"], row["model"]
        scores.setdefault(key, {})[row["seed"]] = row["score"]
    return scores


def tabs(scores, models):
    """A tab for each number of places and kind of folds. Scores level with the best score are bold."""
    lines = [".. tab-set::", ""]
    for n, folds in sorted({key[:2] for key in scores}, key=lambda key: (-key[0], FOLDS.index(key[1]))):
        lines += [f"   .. tab-item:: {n:,} places, {folds}", ""]
        lines += [indent(list_table(table(scores, models, n, folds)), "      ")]
    return "\n".join(lines)


def table(scores, models, n, folds):
    data, models = data_of(scores), tried(scores, models, n)
    yield "model", *data
    best = {
        name: max((scores.get((n, folds, name, model), {0: -np.inf}) for model in models), key=mean) for name in data
    }
    for model in models:
        yield model, *(cell(scores.get((n, folds, name, model)), best[name]) for name in data)


def encoder_table(scores):
    """Means of 500 places in the three kinds of folds, for encoders that other packages have."""
    fields = {name: data for name, data in FIELDS.items() if data in data_of(scores)}  # files may be missing
    yield "features", *fields
    for features, model in ENCODERS.items():
        means = [[mean(scores[500, folds, data, model]) for folds in FOLDS] for data in fields.values()]
        yield features, *(", ".join(mean_and_deviation(value, None, 2) for value in row) for row in means)


def cell(values, best, digits=2):
    """Mean and standard deviation, bold if the best is ahead by at most the deviation of the difference.

    A cell with one seed has no deviation, and is bold if it is not behind.
    """
    if values is None:
        return ""
    text = mean_and_deviation(mean(values), deviation(list(values.values())), digits)
    behind = [best[seed] - values[seed] for seed in best.keys() & values.keys()]
    return f"**{text}**" if behind and np.mean(behind) <= (deviation(behind) or 0.0) else text


def mean(scores):
    return float(np.mean(list(scores.values())))


def deviation(values):
    """Standard deviation, or None for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def data_of(scores):
    return list(dict.fromkeys(data for _, _, data, _ in scores))


def tried(scores, models, n):
    """The models that have scores with this number of places."""
    return [model for model in models if any(key[0] == n and key[3] == model for key in scores)]


@drawing
def draw(scores, models, path):
    """A panel for the globe and one for the region: how far each model is behind the best, in three kinds of folds."""
    import matplotlib.pyplot as plt

    n = max(key[0] for key in scores)
    regional = [name for name in data_of(scores) if "Europe" in name]
    panels = {
        "Fields of the globe": [name for name in data_of(scores) if name not in regional],
        "Fields of a region": regional,
    }
    panels = {title: data for title, data in panels.items() if data}
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 5.4), squeeze=False, layout="constrained")
    for ax, (title, data) in zip(axes.flat, panels.items(), strict=True):
        draw_shortfalls(shortfalls(scores, models, n, data), ax)
        ax.set_title(f"{title} ({len(data)})")
    what = "score below the best model (R², or share of right classes), mean over fields"
    figure.supxlabel(f"{what}; {n:,} places; an arrow is beyond {LARGEST:g}", fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.savefig(path)


def shortfalls(scores, models, n, data):
    """For each model: how far it is behind the best in each kind of folds, and in how many cells it is level.

    These are means over the fields that the model can predict. The model with the smallest mean comes first.
    """
    behind, level = {}, {}
    for model in models:
        for folds in FOLDS:
            for name in data:
                others = {other: scores.get((n, folds, name, other)) for other in models}
                own = others[model]
                if own is None:
                    continue
                best = max(filter(None, others.values()), key=mean)
                behind.setdefault(model, {}).setdefault(folds, []).append(mean(best) - mean(own))
                level.setdefault(model, []).append(cell(own, best).startswith("**"))
    means = {
        model: {folds: float(np.mean(values)) for folds, values in found.items()} for model, found in behind.items()
    }
    order = sorted(means, key=lambda model: np.mean(list(means[model].values())))
    return {model: (means[model], sum(level[model]), len(level[model])) for model in order}


def draw_shortfalls(rows, ax):
    """A row for each model: three marks, and at the right the number of cells in which it is level with the best."""
    for folds, colour, marker in zip(FOLDS, (GREY, BLUE, ORANGE), MARKERS, strict=True):
        values = np.array([means[folds] for means, _, _ in rows.values()])
        # A model that is farther behind than the end of the axis gets an arrow at the end.
        shown, places = values <= LARGEST, np.arange(len(rows))
        ax.plot(values[shown], places[shown], marker, color=colour, label=folds)
        ax.plot(np.full(np.sum(~shown), LARGEST), places[~shown], ">", color=colour)
    for place, (_, level, cells) in enumerate(rows.values()):
        ax.text(1.02, place, f"{level} of {cells}", transform=ax.get_yaxis_transform(), fontsize=8, va="center")
    ax.text(1.02, -1.1, "level with\nthe best", transform=ax.get_yaxis_transform(), fontsize=8, va="center")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlim=(-0.02, LARGEST + 0.02), ylim=(len(rows) - 0.5, -0.5))


if __name__ == "__main__":
    results = Path(__file__).parent / "results"
    report(json.loads((results / "downstream.json").read_text()), results)
