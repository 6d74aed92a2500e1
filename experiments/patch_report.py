"""Tables and picture of patch_transfer.py."""

import numpy as np

from benchmarks.pictures import BLUE, GREY, ORANGE, drawing
from benchmarks.tables import mean_and_deviation, write_table
from experiments.patch_baselines import BASELINES
from experiments.patch_fields import TESTS
from experiments.patch_positions import ABLATIONS, MADE, SIZES, VARIANTS

TITLES_OF_TESTS = {"learned": "fields learned from", **TESTS, "between": "1.5 times the size"}
TITLES = {"winds": "ERA-Interim, 6 degree patches", "sea": "OSTIA, 2.2 x 3.3 degree patches"}


def report(rows, folder):
    """Write all tables and the picture."""
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
    """Mean and deviation of the skill over seeds, in percent, at the chosen learning rate. None without rows."""
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


@drawing
def draw(rows, path):
    """A panel for each test: the share of variance that variants do not explain, with kriging as a line."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(TESTS), figsize=(11, 8), sharey=True, layout="constrained")
    for panels, data in zip(axes, TITLES, strict=True):
        for ax, test in zip(panels, TESTS, strict=True):
            _panel(ax, rows, data, test)
            if ax.axison:
                ax.set_title(TESTS[test].replace(" by ", "\nby "), fontsize=9, fontweight="normal")
        panels[0].set_ylabel(TITLES[data], fontweight="bold")
    figure.supxlabel("variance of hidden pixels that is not explained (%); less is better", fontsize=9)
    handles = [
        plt.Line2D([], [], color=BLUE, marker="o", linestyle="", label="with features of skgeo"),
        plt.Line2D([], [], color=GREY, marker="o", linestyle="", label="without"),
        plt.Line2D([], [], color=GREY, marker="s", linestyle="", label="with the index of the patch in its window"),
        plt.Line2D([], [], color=ORANGE, label="kriging of the visible pixels"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    figure.savefig(path)


def _panel(ax, rows, data, test):
    """Draw the share of variance that each variant does not explain in one test."""
    reference = summarise(rows, data, "main", "kriging of the visible", test)
    if reference is None:
        ax.set_axis_off()
        return
    names = list(VARIANTS)[::-1]
    for place, name in enumerate(names):
        mean, deviation = summarise(rows, data, "main", name, test) or (np.nan, None)
        colour = BLUE if "skgeo" in name else GREY
        marker = "s" if "index" in name or name == "learned" else "o"
        # A deviation as large as the mean would reach to minus infinity.
        left, reach = 100 - mean, deviation or 0.0
        spread = [[min(reach, 0.9 * left)], [reach]]
        ax.errorbar(left, place, xerr=spread, fmt=marker, color=colour, linewidth=1, markersize=4)
        # Variants with a bias stand apart from those without, and those with an index too.
        if place and ("bias" in name) + 2 * ("+ index" in name) != ("bias" in names[place - 1]) + 2 * (
            "+ index" in names[place - 1]
        ):
            ax.axhline(place - 0.5, color="0.7", linewidth=0.8)
    ax.axvline(100 - reference[0], color=ORANGE, linewidth=1.2)
    ax.set_yticks(range(len(names)), names)
    ax.set_xscale("log")
    ax.set_xlim(0.6, 130)
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.minorticks_off()
