"""
How sure is the map?
====================

A map of predictions looks equally certain where there are data and where there are none. A Gaussian process predicts a
mean and a standard deviation for each place. The map of the standard deviation shows where the predictions are
uncertain.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeo import LatLonGrid, SphericalGaussianProcessRegressor, matern_spectrum
from skgeo.datasets import make_land_ocean
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import PredictionMapDisplay

# %%
# Stations on land measure a temperature with noise. There are no stations at sea.

X, is_land = make_land_ocean(2000, random_state=0)
stations, rng = X[is_land], np.random.default_rng(0)
spectrum = matern_spectrum(20, nu=1.5, kappa=4.0)
harmonics = SphericalHarmonics(20, spectrum=spectrum).fit(stations)
weights = rng.standard_normal(21**2)
noise = 0.2 * rng.standard_normal(len(stations))
reports = harmonics.transform(stations) @ weights + noise

# %%
# The mean has detail over land and is smooth over the sea. The standard deviation is small near the stations (white
# dots), and large at sea.

model = SphericalGaussianProcessRegressor().fit(stations, reports)
globe = LatLonGrid(np.arange(-89, 90, 2), np.arange(-179, 180, 2))
mean, std = model.predict(globe, return_std=True)
figure, axes = plt.subplots(2, 1, figsize=(6.5, 8), layout="constrained")
names = ("mean (K)", "standard deviation (K)")
for ax, values, name in zip(axes, (mean, std), names, strict=True):
    PredictionMapDisplay(values, globe, label=name).plot(ax, projection="plate_carree")
axes[1].plot(stations[:, 1], stations[:, 0], ".", color="white", markersize=2)
plt.show()

# %%
# Are the intervals right? The 90 % intervals should contain the true value at nine of ten places. The places are on
# land and at sea:

truth = harmonics.transform(X) @ weights
mean, std = model.predict(X, return_std=True)
for share, width in ((0.5, 0.674), (0.9, 1.645), (0.95, 1.960)):
    inside = np.abs(truth - mean) < width * std
    print(f"{share:.0%} intervals hold {inside.mean():.1%}")
