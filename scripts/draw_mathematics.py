"""Draw the figures of docs/mathematics.rst: python scripts/draw_mathematics.py [--out docs/_static]

Needs matplotlib: pip install 'skgeo[plot]'
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.special import eval_legendre

mpl.use("agg")
import matplotlib.pyplot as plt

from skgeo import LatLonGrid, SphericalHarmonicPCA, matern_spectrum
from skgeo.encoders import SphericalHarmonics

FIGURES = Path(__file__).parents[1] / "docs" / "_static"
plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def main():
    parser = argparse.ArgumentParser(description="Draw the figures of the mathematics.")
    parser.add_argument("--out", type=Path, default=FIGURES, help="default: %(default)s")
    out = parser.parse_args().out
    for name, draw in {"cells": draw_cells, "spectra": draw_spectra}.items():
        figure = draw()
        figure.savefig(out / f"mathematics_{name}.png", dpi=150)


def draw_cells():
    """What a grid of samples gets wrong, and the concentration in a box around the Shannon number."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.9), layout="constrained")
    sizes = np.array([1.0, 2.0, 3.0, 5.0, 7.5, 9.0])
    left.loglog(
        sizes, [error_of_samples(size) for size in sizes], "o-", color="#d55e00", label="cells sampled at centres"
    )
    left.loglog(sizes, [error_of_cells(size) for size in sizes], "s-", color="#0072b2", label="cells integrated")
    left.set(xlabel="cell size (degrees)", ylabel="error of the covariance of the globe", ylim=(1e-17, 1))
    left.legend(frameon=False, loc="center right")
    box = LatLonGrid(np.arange(30.5, 60), np.arange(-9.5, 40))
    for degree, colour in ((10, "#0072b2"), (20, "#d55e00"), (40, "#009e73")):
        basis = SphericalHarmonicPCA(degree).fit(box)
        right.plot(basis.explained_variance_ * basis.total_weight_, color=colour, label=f"L = {degree}")
        right.axvline(basis.shannon_number_, color=colour, linestyle=":", linewidth=1)
    right.set(xlabel="component, in a box of 30 x 50 degrees", ylabel="share of the energy inside", xlim=(0, 80))
    right.legend(frameon=False)
    return figure


def draw_spectra():
    """Matern spectra, the covariances that they stand for, and the soft clip."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.5, 2.7), layout="constrained")
    degrees, angle = np.arange(61), np.linspace(0, 90, 200)
    legendre = eval_legendre(degrees, np.cos(np.radians(angle))[:, np.newaxis])
    for nu, kappa, colour in ((1, 5, "#0072b2"), (0.5, 12, "#d55e00"), (2.5, 12, "#009e73")):
        spectrum = matern_spectrum(60, nu=nu, kappa=kappa)
        covariance = legendre @ (spectrum * (2 * degrees + 1))
        left.semilogy(degrees, spectrum, color=colour)
        label = f"nu = {nu}, kappa = {kappa}"
        middle.plot(angle, covariance / covariance[0], color=colour, label=label)
    left.set(xlabel="degree l", ylabel="prior variance")
    middle.set(xlabel="great-circle distance (degrees)", ylabel="correlation", ylim=(-0.1, 1))
    middle.legend(frameon=False, fontsize=7)
    z = np.linspace(-9, 9, 200)
    right.plot(z, z, color="0.7", linewidth=1)
    right.plot(z, 3 * np.tanh(z / 3), color="#0072b2")
    right.set(xlabel="standardised projection", ylabel="output, clip = 3", ylim=(-4, 4), xticks=range(-9, 10, 3))
    return figure


def error_of_samples(size, max_degree=10):
    """Of the covariance of the globe, if cells count as their centres times their area."""
    latitude, longitude = np.arange(-90 + size / 2, 90, size), np.arange(size / 2, 360, size)
    edges = np.radians(np.append(latitude - size / 2, 90))
    weight = np.repeat(np.diff(np.sin(edges)), len(longitude)) * np.radians(size)
    latitude, longitude = (angle.ravel() for angle in np.meshgrid(latitude, longitude, indexing="ij"))
    Y = SphericalHarmonics(max_degree).fit_transform(np.column_stack([latitude, longitude]))
    return float(np.abs((Y.T * weight) @ Y - np.eye(Y.shape[1])).max())


def error_of_cells(size, max_degree=10):
    grid = LatLonGrid(np.arange(-90 + size / 2, 90, size), np.arange(size / 2, 360, size))
    return float(np.abs(SphericalHarmonicPCA(max_degree).fit(grid).explained_variance_ * 4 * np.pi - 1).max())


if __name__ == "__main__":
    main()
