"""Tables and picture of patch_transfer.py."""

import numpy as np

from benchmarks.tables import mean_and_deviation, write_table
from experiments.patch_baselines import BASELINES
from experiments.patch_fields import TESTS
from experiments.patch_positions import ABLATIONS, MADE, SIZES, VARIANTS

TITLES_OF_TESTS = {"learned": "fields learned from", **TESTS, "between": "1.5 times the size"}
TITLES = {"winds": "ERA-Interim, 6 degree patches", "sea": "OSTIA, 2.2 x 3.3 degree patches"}


def report(rows, folder):
    """All tables and the picture."""
    for data in TITLES:
        tests = [test for test in TESTS if data == "winds" or test != "south"]
        main = table(rows, data, "main", [*VARIANTS, *BASELINES], tests)
        write_table(main, folder / f"patch_transfer_{data}.rst")
    made = table(rows, "made", "made", [*MADE, *BASELINES], list(TESTS))
    write_table(made, folder / "patch_transfer_made.rst")
    tests = ["learned", *(test for test in TESTS if test != "south")]
    write_table(table(rows, "sea", "ablation", ABLATIONS, tests), folder / "patch_transfer_ablation.rst")
    tests = ["learned", "same", "half", "between", "double"]
    write_table(table(rows, "winds", "sizes", SIZES, tests), folder / "patch_transfer_sizes.rst")
    draw(rows, folder / "patch_transfer.png")


def summarise(rows, data, group, variant, test):
    """Mean and deviation over seeds of the skill in percent, at the chosen learning rate; None without rows."""
    groups = ("baseline", group) if group in ("main", "made") else (group,)
    chosen = [row for row in rows if row["data"] == data and row["group"] in groups and row["variant"] == variant]
    first = [row for row in chosen if not row["seed"]]
    rate = max(first, key=lambda row: row["skill"]["validation"])["learning_rate"] if first else None
    values = [100 * row["skill"][test][0] for row in chosen if row["learning_rate"] == rate and test in row["skill"]]
    return (np.mean(values), np.std(values, ddof=1) if len(values) > 1 else None) if values else None


def table(rows, data, group, variants, tests):
    """Skill of variants in tests."""
    yield "position", *(TITLES_OF_TESTS[test] for test in tests)
    for name in variants:
        found = [summarise(rows, data, group, name, test) for test in tests]
        yield name, *("" if summary is None else mean_and_deviation(*summary) for summary in found)


def draw(rows, path):
    """A panel for each test: the share of variance that variants leave, with deviations, and kriging as a line."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(TESTS), figsize=(13, 9), sharey=True, layout="constrained")
    for panels, data in zip(axes, TITLES, strict=True):
        for ax, test in zip(panels, TESTS, strict=True):
            _panel(ax, rows, data, test)
        panels[0].set_ylabel(TITLES[data])
    for ax, test in zip(axes[0], TESTS, strict=True):
        ax.set_title(TESTS[test], fontsize=10)
    figure.supxlabel("variance of hidden pixels that is not explained, %; left is better", fontsize=10)
    label = "index of the window told or learned"
    axes[0][0].plot([], [], "s", color="0.3", label=label)
    axes[0][0].plot([], [], "o", color="0.3", label="no index")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", frameon=False, ncols=3)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _panel(ax, rows, data, test):
    """What all variants leave in one test."""
    reference = summarise(rows, data, "main", "kriging of the visible", test)
    if reference is None:
        ax.set_axis_off()
        return
    names = list(VARIANTS)[::-1]
    for place, name in enumerate(names):
        mean, deviation = summarise(rows, data, "main", name, test) or (np.nan, None)
        colour = "tab:blue" if "skgeo" in name else "0.3"
        marker = "s" if "index" in name or name == "learned" else "o"
        ax.errorbar(100 - mean, place, xerr=deviation, fmt=marker, color=colour, capsize=2)
    ax.axvline(100 - reference[0], color="tab:red", linewidth=1, label="kriging of the visible pixels")
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_xscale("log")
    ax.set_xlim(0.8, 130)
    ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    ax.minorticks_off()
    ax.grid(linewidth=0.3)
