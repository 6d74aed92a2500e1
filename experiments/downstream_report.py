"""Tables and picture of downstream.py."""

from textwrap import indent

import numpy as np

from benchmarks.tables import list_table, mean_and_deviation

FOLDS = ("random folds", "small blocks", "large blocks")
COLOURS = ("0.6", "tab:blue", "tab:red")
MARKERS = ("o", "s", "D")
LOWEST = -0.2  # what is drawn


def report(rows, models, folder):
    """Models in the order given."""
    scores = summarise(rows)
    (folder / "downstream.rst").write_text(tabs(scores, models), encoding="utf-8")
    draw(scores, models, folder / "downstream.png")


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
    """A tab for each number of places and kind of folds; what is level with the best over seeds is bold."""
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


def cell(values, best, digits=2):
    """Mean and deviation, bold if the best is ahead by less than the deviation of the difference.

    One seed has no deviation, and is bold if it is not behind.
    """
    if values is None:
        return ""
    text = mean_and_deviation(mean(values), deviation(list(values.values())), digits)
    behind = [best[seed] - values[seed] for seed in best.keys() & values.keys()]
    return f"**{text}**" if behind and np.mean(behind) <= (deviation(behind) or 0.0) else text


def mean(scores):
    return float(np.mean(list(scores.values())))


def deviation(values):
    """None for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def data_of(scores):
    return list(dict.fromkeys(data for _, _, data, _ in scores))


def tried(scores, models, n):
    """The models that have scores with so many places."""
    return [model for model in models if any(key[0] == n and key[3] == model for key in scores)]


def draw(scores, models, path):
    """A panel for each data set with the larger number of places: all models in three kinds of folds."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    n, data = max(key[0] for key in scores), data_of(scores)
    models = tried(scores, models, n)
    figure, axes = plt.subplots(2, -(-len(data) // 2), figsize=(10, 9.5), sharey=True, layout="constrained")
    for ax, name in zip(axes.ravel(), data, strict=False):
        _panel(ax, {key[1:4:2]: values for key, values in scores.items() if key[::2] == (n, name)}, models)
        ax.set_title(name.replace(", ", ",\n", 1), fontsize=10)
    for ax in axes.ravel()[len(data) :]:
        ax.set_axis_off()
    axes[0, 0].set_ylim(len(models) - 0.5, -0.5)
    note = f"R2, or accuracy of land and ocean, {n:,} places; right is better, and a triangle is below {LOWEST}"
    figure.supxlabel(note, fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _panel(ax, scores, models):
    """Scores by folds and model, each kind of folds in its colour."""
    for folds, colour, marker in zip(FOLDS, COLOURS, MARKERS, strict=True):
        places = np.array([place for place, model in enumerate(models) if (folds, model) in scores])
        values = [scores[folds, models[place]] for place in places]
        means = np.array([mean(value) for value in values])
        spread = np.array([deviation(list(value.values())) or 0.0 for value in values])
        shown, style = means >= LOWEST, {"color": colour, "ms": 4}
        ax.errorbar(means[shown], places[shown], xerr=spread[shown], fmt=marker, lw=1, label=folds, **style)
        ax.plot(np.full(np.sum(~shown), LOWEST), places[~shown], "<", **style)
    ax.set_yticks(range(len(models)), models, fontsize=8)
    ax.grid(linewidth=0.3)
