"""Compare three methods of kriging on the sphere: time, memory and error for growing numbers of places.

    python examples/kriging.py --out kriging.png            # some seconds, up to 1,600 points
    python examples/kriging.py --out kriging.png --large    # up to 64,000 points: some minutes

The script makes a smooth and a rough random field on the sphere, and adds noise to the observations. Each method finds
its hyperparameters by the marginal likelihood:

* GaussianProcessRegressor of scikit-learn, with a Matern kernel of the straight distance through the Earth. Each step
  of the search solves a linear system with one row for each place.
* SphericalGaussianProcessRegressor with its defaults. Up to 1,000 places it solves the same system. For more places it
  conditions each observation on its nearest neighbours, and the time grows in proportion to the number of places.
* SphericalGaussianProcessRegressor with method="harmonics", which sums the observations into harmonics up to a given
  degree. The time grows in proportion to the number of places.

The second method is good for both fields. The third method is good for a field that its degree resolves.
Needs: pip install 'skgeo[plot]'
"""

import argparse
import time
import tracemalloc
import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.pipeline import make_pipeline

from skgeo import SphericalGaussianProcessRegressor
from skgeo.encoders import Cartesian3DEncoder
from skgeo.exceptions import ResolutionWarning

NOISE = 0.1
FIELDS = {"smooth": 3.0, "rough": 20.0}  # standard deviations of the wave numbers, in radians for each Earth radius
MODELS = {
    "kriging, scikit-learn": {"color": "tab:blue", "marker": "o"},
    "default, skgeo": {"color": "tab:orange", "marker": "s"},
    "harmonics of degree 20, skgeo": {"color": "tab:red", "marker": "^"},
}


def main():
    parser = argparse.ArgumentParser(description="Compare three methods of kriging on the sphere.")
    parser.add_argument("--out", default="kriging.png", help="picture to draw (default: %(default)s)")
    parser.add_argument("--large", action="store_true", help="up to 64,000 points")
    options = parser.parse_args()
    smallest, limits = (250, (4000, 64_000, 64_000)) if options.large else (100, (400, 1600, 1600))
    rows = []
    print(f"{'model':30} {'points':>8} {'fit s':>8} {'peak MB':>8}   error of the fields: {', '.join(FIELDS)}")
    for name, limit in zip(MODELS, limits, strict=True):
        for n in (size for size in smallest * 4 ** np.arange(7) if size <= limit):
            # Tracing memory makes a fit slower. Measure time on the smooth field, and memory on the rough field.
            seconds, _, smooth = fit_and_predict(name, n, "smooth")
            _, peak, rough = fit_and_predict(name, n, "rough", watched=True)
            rows.append((name, n, seconds, peak, smooth, rough))
            print("{:30} {:8} {:8.2f} {:8.0f}   {:.4f} {:.4f}".format(*rows[-1]))
    draw(rows, options.out)


def make_model(name):
    if name.startswith("kriging"):
        # Length scales in Earth radii: the search starts at 0.3, between the bounds 0.01 and 10.
        kernel = ConstantKernel(1.0) * Matern(0.3, (0.01, 10.0), nu=2.5) + WhiteKernel(NOISE**2, (1e-6, 1.0))
        return make_pipeline(Cartesian3DEncoder(), GaussianProcessRegressor(kernel, alpha=0.0, normalize_y=True))
    method = "harmonics" if name.startswith("harmonics") else "auto"
    return SphericalGaussianProcessRegressor(method=method, smoothness=2.5, max_degree=20)


def fit_and_predict(name, n, field, *, watched=False):
    """The time of a fit in seconds, its peak memory in MB (if watched), and the error at new places."""
    value, train, test = make_field(FIELDS[field]), uniform_points(n, seed=2), uniform_points(2000, seed=1)
    y = value(train) + np.random.default_rng(3).normal(0, NOISE, n)
    if watched:
        tracemalloc.start()
    start = time.perf_counter()
    with warnings.catch_warnings():
        # Degree 20 does not resolve the rough field. With few places, scikit-learn's noise ends at its lower bound.
        for category in (ResolutionWarning, ConvergenceWarning):
            warnings.simplefilter("ignore", category)
        model = make_model(name).fit(train, y)
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return seconds, peak, np.sqrt(np.mean((model.predict(test) - value(test)) ** 2))


def make_field(wave_number):
    """A random field of unit variance: forty waves in random directions."""
    rng = np.random.default_rng(0)
    waves, phases = rng.normal(0, wave_number, (40, 3)), rng.uniform(0, 2 * np.pi, 40)
    encoder = Cartesian3DEncoder().fit([[0.0, 0.0]])
    return lambda points: np.sqrt(2 / 40) * np.cos(encoder.transform(points) @ waves.T + phases).sum(axis=1)


def uniform_points(n, seed):
    rng = np.random.default_rng(seed)
    return np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)])


def draw(rows, path):
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.6), layout="constrained")
    titles = ["seconds to fit", "peak MB", *(f"error, {field} field" for field in FIELDS)]
    for column, (axis, title) in enumerate(zip(axes, titles, strict=True), start=2):
        for name, style in MODELS.items():
            points = [(row[1], row[column]) for row in rows if row[0] == name]
            axis.loglog(*zip(*points, strict=True), label=name, markersize=4, **style)
        axis.set(xlabel="points", title=title)
        sizes = sorted({row[1] for row in rows})
        axis.set_xticks(sizes, [f"{n:,}" for n in sizes])
        # Label two values in each decade as plain numbers.
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
