"""
How sure is the map?
====================

A map without error bars looks as sure where there are no data as where there are many. A Gaussian process says both
what it expects and how far off it may be.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeo import LatLonGrid, SphericalGaussianProcessRegressor, matern_spectrum
from skgeo.datasets import make_land_ocean
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import PredictionMapDisplay

# %%
# Stations stand on land only, and report a field with noise.

X, is_land = make_land_ocean(2000, random_state=0)
stations, rng = X[is_land], np.random.default_rng(0)
harmonics = SphericalHarmonics(20, spectrum=matern_spectrum(20, nu=1.5, kappa=4.0)).fit(stations)
weights = rng.standard_normal(21**2)
reports = harmonics.transform(stations) @ weights + 0.2 * rng.standard_normal(len(stations))

# %%
# The mean is detailed over land and smooth over the sea, and the deviation says why.

model = SphericalGaussianProcessRegressor().fit(stations, reports)
globe = LatLonGrid(np.arange(-89, 90, 2), np.arange(-179, 180, 2))
mean, std = model.predict(globe, return_std=True)
figure, axes = plt.subplots(2, 1, figsize=(6.5, 6.4), layout="constrained")
for ax, values, name in zip(axes, (mean, std), ("mean", "standard deviation"), strict=True):
    PredictionMapDisplay(values, globe, label=name).plot(ax)
plt.show()

# %%
# Is it right to be so sure? Of places all over the globe, land or sea, nine in ten should lie within the interval of
# 90 %.

truth = harmonics.transform(X) @ weights
mean, std = model.predict(X, return_std=True)
for share, width in ((0.5, 0.674), (0.9, 1.645), (0.95, 1.960)):
    print(f"{share:.0%} intervals hold {np.mean(np.abs(truth - mean) < width * std):.1%}")
