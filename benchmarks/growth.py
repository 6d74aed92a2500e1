"""How the time grows with the number of points and pixels, and the picture of all results."""

import statistics
import time

import baselines
import numpy as np

from skgeo import SphericalHarmonicPCA

DEGREE, COMPONENTS = 10, 96
LARGEST_OUTPUT = 2_000_000  # points whose embedding is kept at a time


def _grid(n):
    return baselines.sea(max(2, round((n / 2) ** 0.5)), 2 * max(2, round((n / 2) ** 0.5)))


def _tasks(pca):
    """What grows: a title, and a function from a size to a function that does the work."""
    from workloads import SIZE, patch_features

    def transform(n):
        points = baselines.scattered(n)
        parts = [points[start : start + LARGEST_OUTPUT] for start in range(0, n, LARGEST_OUTPUT)]
        return lambda: [pca.transform(part)[0] for part in parts]

    def fit_points(n):
        points = baselines.scattered(n)
        return lambda: SphericalHarmonicPCA(DEGREE, COMPONENTS).fit(points)

    def fit_grid(n):
        grid = _grid(n)
        return lambda: SphericalHarmonicPCA(DEGREE, COMPONENTS).fit(grid)

    def patches(n):
        return patch_features(lambda: baselines.archive(max(1, n // SIZE**2)), pca)

    return {
        "transform, points": transform,
        "fit, points": fit_points,
        "fit, pixels of a grid": fit_grid,
        "patch features, pixels of scattered patches": patches,
    }


def growth(*, quick):
    """Median seconds at each size, and the exponent of a power of the size fitted to the last two decades."""
    import warnings

    sizes = [1_000, 10_000] if quick else [10_000, 100_000, 1_000_000, 10_000_000]
    curves = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pca = SphericalHarmonicPCA(DEGREE, COMPONENTS).fit(baselines.sea(180, 360))
        for title, task in _tasks(pca).items():
            seconds = []
            for size in sizes:
                work = task(size)
                seconds.append(statistics.median(_timed(work) for _ in range(1 if quick else 3)))
            last = slice(-3, None)
            exponent = float(np.polyfit(np.log(sizes[last]), np.log(seconds[last]), 1)[0])
            curves.append({"title": title, "sizes": sizes, "seconds": seconds, "exponent": exponent})
            print(f"growth: {title}: {seconds} s at {sizes}, exponent {exponent:.2f}", flush=True)
    return curves


def _timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


KINDS = {"straightforward": "tab:red", "scikit-learn": "tab:orange", "sphericart": "tab:purple", "skgeo": "tab:blue"}


def draw(result, path):
    """One line a workload, with the times of all contenders beside skgeo; below, the curves of growth."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    threads = max((row["threads"] for row in result["rows"]), default=1)
    rows = [row for row in result["rows"] if row["threads"] == threads]
    titles = list(dict.fromkeys(row["workload"] for row in rows))[::-1]
    height = 0.35 * len(titles) + 1
    figure, (ratios, curves) = plt.subplots(
        2, 1, figsize=(9, height + 3.5), height_ratios=[height, 3.5], layout="constrained"
    )
    for kind, colour in (KINDS | {"limit": "0.5"}).items():
        chosen = [row for row in rows if row["contender"].startswith(kind)]
        places = [titles.index(row["workload"]) for row in chosen]
        values = [row["ratio"] for row in chosen]
        ratios.scatter(values, places, 60, colour, "|" if kind == "limit" else "o", label=kind)
        for value, place in zip(values, places, strict=True):
            if kind != "skgeo":
                ratios.annotate(f"{value:.3g}", (value, place), (5, 4), textcoords="offset points", fontsize=7)
    ratios.set(xscale="log", xlabel=f"time / time of skgeo, {threads} thread(s)", yticks=range(len(titles)))
    ratios.set_yticklabels(titles, fontsize=8)
    ratios.axvline(1, color="tab:blue", linewidth=0.8, zorder=0)
    ratios.grid(axis="y", linewidth=0.3)
    ratios.legend(fontsize=8, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    for curve in result["growth"]:
        label = f"{curve['title']}: exponent {curve['exponent']:.2f}"
        curves.loglog(curve["sizes"], curve["seconds"], marker="o", label=label)
    curves.set(xlabel="points or pixels", ylabel=f"seconds, 1 thread, L={DEGREE}, k={COMPONENTS}")
    if result["growth"]:
        curves.legend(fontsize=8)
    figure.savefig(path, dpi=150)
