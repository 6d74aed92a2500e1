"""
What does kriging cost, and is there another way?
=================================================

Gaussian process regression solves a system as large as the data: twice the data, eight times the time. The same
regression on harmonics keeps (2 L + 1)² sums of the data, whatever their number.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from skgeo import SphericalGaussianProcessRegressor, matern_spectrum
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics

rng = np.random.default_rng(0)
harmonics = SphericalHarmonics(20, spectrum=matern_spectrum(20, nu=1.5, kappa=5.0))
weights = rng.standard_normal(21**2)


def sample(n):
    """Places all over the globe, and a smooth field with noise."""
    X = np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)])
    field = harmonics.fit_transform(X) @ weights
    return X, field + 0.1 * rng.standard_normal(n), field


X_test, _, truth = sample(2000)
xyz = Cartesian3DEncoder().fit(X_test).transform
exact = GaussianProcessRegressor(Matern(0.5, nu=1.5) + WhiteKernel(0.01), optimizer=None, normalize_y=True)
ours = SphericalGaussianProcessRegressor(max_degree=20)
rows = {"kriging, kernel given": [], "harmonics, kernel fitted": []}
for name, sizes in zip(rows, ([250, 500, 1000, 2000], [250, 1000, 4000, 16_000, 64_000]), strict=True):
    for n in sizes:
        X, y, _ = sample(n)
        start = time.perf_counter()
        if name.startswith("kriging"):
            mean = exact.fit(xyz(X), y).predict(xyz(X_test))
        else:
            mean = ours.fit(X, y).predict(X_test)
        rows[name].append((n, time.perf_counter() - start, np.sqrt(np.mean((mean - truth) ** 2)) / truth.std()))

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for name, row in rows.items():
    n, seconds, error = np.array(row).T
    left.loglog(n, seconds, marker="o", label=name)
    right.loglog(n, error, marker="o", label=name)
left.set(xlabel="observations", ylabel="seconds, fit and predict")
right.set(xlabel="observations", ylabel="error / deviation of the field")
left.legend()
plt.show()
