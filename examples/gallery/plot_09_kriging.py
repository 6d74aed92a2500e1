"""
What does kriging cost, and is there another way?
=================================================

Exact Gaussian process regression (kriging) solves a linear system as large as the data. For twice the data, the
solution takes eight times as long. The search for the hyperparameters of the kernel solves such a system in each step.
With ``method="neighbours"``, each observation depends on its nearest neighbours only. skgeo therefore solves many small
systems instead of the large one. The right picture shows that the errors of both methods are about the same for the
same number of observations.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from skgeo import SphericalGaussianProcessRegressor
from skgeo.encoders import Cartesian3DEncoder

# %%
# The field is a sum of forty waves in random directions. The observations have noise. Details of the field are some
# hundred kilometres wide. Both models take the length scale, the variance and the noise with the largest marginal
# likelihood.

rng = np.random.default_rng(0)
xyz = Cartesian3DEncoder().fit([[0.0, 0.0]]).transform
waves, phases = rng.normal(0, 8, (40, 3)), rng.uniform(0, 2 * np.pi, 40)


def sample(n):
    """Places all over the globe, and the field without noise."""
    X = np.column_stack(
        [np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)]
    )
    return X, np.sqrt(2 / 40) * np.cos(xyz(X) @ waves.T + phases).sum(axis=1)


X_test, truth = sample(2000)
kernel = ConstantKernel() * Matern(0.3, nu=2.5) + WhiteKernel(0.01)
exact = GaussianProcessRegressor(kernel, alpha=0, normalize_y=True)
# The default, method="auto", is exact for at most 1,000 places.
ours = SphericalGaussianProcessRegressor(method="neighbours", smoothness=2.5)
rows = {"exact, scikit-learn": [], "SphericalGaussianProcessRegressor": []}
all_sizes = ([250, 500, 1000], [250, 1000, 4000, 16_000])
for name, sizes in zip(rows, all_sizes, strict=True):
    for n in sizes:
        X, y = sample(n)
        y = y + 0.1 * rng.standard_normal(n)
        start = time.perf_counter()
        if name.startswith("exact"):
            mean = exact.fit(xyz(X), y).predict(xyz(X_test))
        else:
            mean = ours.fit(X, y).predict(X_test)
        seconds = time.perf_counter() - start
        error = np.sqrt(np.mean((mean - truth) ** 2)) / truth.std()
        rows[name].append((n, seconds, error))

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for name, row in rows.items():
    n, seconds, error = np.array(row).T
    left.loglog(n, seconds, marker="o", label=name)
    right.loglog(n, error, marker="o", label=name)
left.set(xlabel="observations", ylabel="seconds, fit and predict")
right.set(xlabel="observations", ylabel="error / deviation of the field")
for ax, ticks in ((left, [0.1, 0.3, 1, 3, 10]), (right, [0.03, 0.1, 0.3, 1])):
    ax.set_xticks([250, 1000, 4000, 16_000], ["250", "1,000", "4,000", "16,000"])
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
handles = left.get_legend_handles_labels()
figure.legend(*handles, loc="outside upper center", ncols=2, frameon=False)
plt.show()
