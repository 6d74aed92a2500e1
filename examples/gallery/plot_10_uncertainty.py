"""
How sure is the map?
====================

A map of predictions looks equally certain with and without data. A Gaussian process predicts a mean and a standard
deviation for each place, and a map of the deviation shows where the predictions are uncertain.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeo import LatLonGrid, SphericalGaussianProcessRegressor, matern_spectrum
from skgeo.datasets import make_land_ocean
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import PredictionMapDisplay

# %%
# Stations on land measure a field with noise. There are no stations at sea.

X, is_land = make_land_ocean(2000, random_state=0)
stations, rng = X[is_land], np.random.default_rng(0)
harmonics = SphericalHarmonics(20, spectrum=matern_spectrum(20, nu=1.5, kappa=4.0)).fit(stations)
weights = rng.standard_normal(21**2)
reports = harmonics.transform(stations) @ weights + 0.2 * rng.standard_normal(len(stations))

# %%
# The mean has detail over land and is smooth over the sea. The standard deviation is small near stations and large at
# sea.

model = SphericalGaussianProcessRegressor().fit(stations, reports)
globe = LatLonGrid(np.arange(-89, 90, 2), np.arange(-179, 180, 2))
mean, std = model.predict(globe, return_std=True)
figure, axes = plt.subplots(2, 1, figsize=(6.5, 6.4), layout="constrained")
for ax, values, name in zip(axes, (mean, std), ("mean", "standard deviation"), strict=True):
    PredictionMapDisplay(values, globe, label=name).plot(ax)
plt.show()

# %%
# Are the intervals right? The 90 % intervals should contain the truth at nine of ten places, on land and at sea.

truth = harmonics.transform(X) @ weights
mean, std = model.predict(X, return_std=True)
for share, width in ((0.5, 0.674), (0.9, 1.645), (0.95, 1.960)):
    print(f"{share:.0%} intervals hold {np.mean(np.abs(truth - mean) < width * std):.1%}")
