"""The smallest checkerboard that harmonics of degree L resolve with a linear layer, beside 180 / (2 L) degrees.

    python -m experiments.resolution            # about five minutes
    python -m experiments.resolution --quick    # two degrees, ten seconds; fails if either is off the line by a third

Boards have more and more cells, each of one of 16 classes at random, with 40 training points to a cell; a degree
resolves a board if logistic regression on its harmonics labels at least three quarters of new points rightly. Writes
resolution.json and resolution.png.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

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
    """Accuracy on boards of more and more cells, until they are not resolved, and the spacing where that begins."""
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
    """Mean distance in degrees from the centre of a cell to the nearest other."""
    vectors = Cartesian3DEncoder().fit_transform(fibonacci_lattice(n_cells))
    chord = cKDTree(vectors).query(vectors, k=2)[0][:, 1]
    return float(np.degrees(2 * np.arcsin(chord / 2)).mean())


def accuracy(degree, n_cells):
    model = make_pipeline(SphericalHarmonics(degree, min_degree=1), LogisticRegression(C=1e3, max_iter=500, tol=1e-3))
    model.fit(*board(n_cells, max(5000, 40 * n_cells), seed=0))
    return float(model.score(*board(n_cells, 5000, seed=1)))


def board(n_cells, n_points, seed):
    """Points, uniform on the sphere, and the classes of their cells."""
    rng = np.random.default_rng(seed)
    points = uniform(rng, n_points)
    encoder = Cartesian3DEncoder().fit(points)
    nearest = cKDTree(encoder.transform(fibonacci_lattice(n_cells))).query(encoder.transform(points))[1]
    return points, np.random.default_rng(2).integers(16, size=n_cells)[nearest]


def draw(curves, path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    colors = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(curves)))
    for row, color in zip(curves, colors, strict=True):
        left.semilogx(row["spacing"], row["accuracy"], "o-", color=color, markersize=3, label=f"L = {row['degree']}")
        left.axvline(90 / row["degree"], color=color, linestyle=":", linewidth=1)
    left.axhline(RESOLVED, color="0.6", linewidth=0.8)
    left.set(xlabel="distance of cells (degrees)", ylabel="accuracy", title="a linear layer; dotted: 180 / (2 L)")
    ticks = [3, 4, 6, 9, 13, 18, 27, 36]
    left.set_xticks(ticks, [str(each) for each in ticks])
    left.minorticks_off()
    left.legend(frameon=False, fontsize=8)
    degree = np.array([row["degree"] for row in curves])
    right.loglog(degree, 90 / degree, color="0.6", label="180 / (2 L)")
    right.loglog(degree, [row["resolved"] for row in curves], "o", color="tab:blue", label="measured")
    right.set(xlabel="degree L", ylabel="degrees", title="smallest checkerboard that is resolved")
    right.set_xticks(degree, [str(each) for each in degree])
    right.set_yticks([3, 5, 8, 12, 18], ["3", "5", "8", "12", "18"])
    right.minorticks_off()
    right.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()
