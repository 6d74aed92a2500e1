"""The smallest checkerboard that harmonics of degree L resolve with a linear layer, beside 180 / (2 L) degrees.

    python -m experiments.resolution            # about five minutes
    python -m experiments.resolution --quick    # two degrees, ten seconds; fails if a result is a third off 180 / (2 L)

The script makes boards with more and more cells. Each cell has a random one of 16 classes and 40 training points. A
degree resolves a board if logistic regression on harmonics up to this degree predicts at least three quarters of new
points correctly. The script writes resolution.json and resolution.png.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.pictures import BLUE, GREY, drawing
from benchmarks.sampling import uniform
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics

RESOLVED = 0.75


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two degrees only")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    curves = [curve(degree) for degree in ((5, 10) if options.quick else (5, 7, 10, 14, 20, 28))]
    for row in curves:
        print(f"L = {row['degree']:2}: {row['resolved']:5.2f} degrees; 180 / (2 L) = {90 / row['degree']:5.2f}")
    if not options.quick:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "resolution.json").write_text(json.dumps(curves, indent=1) + "\n")
        draw(curves, options.out / "resolution.png")
    off = [row["degree"] for row in curves if not 2 / 3 < row["resolved"] * row["degree"] / 90 < 4 / 3]
    if off:
        raise SystemExit(f"degrees {off} do not resolve what 180 / (2 L) says")


def curve(degree):
    """Accuracy on boards with more and more cells, and the smallest distance of cells that the degree resolves."""
    spacings, accuracies = [], []
    for ratio in np.geomspace(2.0, 0.5, 13):
        n_cells = round(50 * (26.99 / (ratio * 90 / degree)) ** 2)  # 50 cells are 27 degrees apart
        spacings.append(spacing(n_cells))
        accuracies.append(accuracy(degree, n_cells))
        if accuracies[-1] < RESOLVED:
            break
    (above, below), (fine, coarse) = accuracies[-2:], (spacings[-1], spacings[-2])
    share = (RESOLVED - below) / (above - below)
    resolved = float(np.exp(np.log(fine) + share * (np.log(coarse) - np.log(fine))))
    return {"degree": degree, "spacing": spacings, "accuracy": accuracies, "resolved": resolved}


def spacing(n_cells):
    """Mean distance in degrees from the centre of a cell to the centre of the nearest other cell."""
    vectors = Cartesian3DEncoder().fit_transform(fibonacci_lattice(n_cells))
    chord = cKDTree(vectors).query(vectors, k=2)[0][:, 1]
    return float(np.degrees(2 * np.arcsin(chord / 2)).mean())


def accuracy(degree, n_cells):
    model = make_pipeline(SphericalHarmonics(degree, min_degree=1), LogisticRegression(C=1e3, max_iter=500, tol=1e-3))
    model.fit(*board(n_cells, max(5000, 40 * n_cells), seed=0))
    return float(model.score(*board(n_cells, 5000, seed=1)))


def board(n_cells, n_points, seed):
    """Points uniform on the sphere, and the classes of their cells."""
    rng = np.random.default_rng(seed)
    points = uniform(rng, n_points)
    encoder = Cartesian3DEncoder().fit(points)
    nearest = cKDTree(encoder.transform(fibonacci_lattice(n_cells))).query(encoder.transform(points))[1]
    return points, np.random.default_rng(2).integers(16, size=n_cells)[nearest]


@drawing
def draw(curves, path):
    """Accuracy against the distance of cells, and the smallest distance that each degree resolves."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[3, 2], layout="constrained")
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(curves)))
    for row, colour in zip(curves, colours, strict=True):
        left.semilogx(row["spacing"], row["accuracy"], "o-", color=colour, markersize=3)
        left.axvline(90 / row["degree"], color=colour, linestyle=":", linewidth=1)
        # The label of a curve stands below its left end.
        place = (row["spacing"][-1], row["accuracy"][-1])
        style = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 8, "color": colour}
        left.annotate(f"L = {row['degree']}", place, (0, -5), **style)
    left.axhline(RESOLVED, color=GREY, linewidth=1)
    left.text(36, RESOLVED, "resolved above this line", fontsize=8, color=GREY, ha="right", va="bottom")
    left.set(xlabel="distance between cells (degrees); dotted: 90 / L", ylabel="accuracy of a linear layer")
    left.set(title="Finer and finer checkerboards", ylim=(0.55, 1))
    ticks = [3, 4, 6, 9, 13, 18, 27, 36]
    left.set_xticks(ticks, [str(each) for each in ticks])
    left.minorticks_off()
    degree = np.array([row["degree"] for row in curves])
    right.loglog(degree, 90 / degree, color=GREY)
    right.loglog(degree, [row["resolved"] for row in curves], "o", color=BLUE)
    right.annotate("90 / L", (7, 90 / 7), (8, 4), textcoords="offset points", fontsize=8, color=GREY)
    measured = (7, curves[1]["resolved"])
    right.annotate(
        "measured", measured, (-4, -8), textcoords="offset points", fontsize=8, color=BLUE, ha="right", va="top"
    )
    right.set(xlabel="degree L", ylabel="distance (degrees)", title="Finest board that is resolved")
    right.set_xticks(degree, [str(each) for each in degree])
    right.set_yticks([3, 5, 8, 12, 18], ["3", "5", "8", "12", "18"])
    right.minorticks_off()
    figure.savefig(path)


if __name__ == "__main__":
    main()
