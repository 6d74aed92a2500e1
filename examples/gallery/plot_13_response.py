"""
What has a linear model learned?
================================

A linear model on harmonics is a map: its coefficients times the harmonics. Drawn, it shows what the model believes of
every place, and by degree, at which scales it found anything.
"""

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline

from skgeo.datasets import make_land_ocean
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import PredictionMapDisplay, ResponseDisplay

X, is_land = make_land_ocean(3000, random_state=0)
warmth = 30 * np.cos(np.radians(X[:, 0])) - 5 * is_land * np.abs(X[:, 0]) / 45  # colder on land, far from the equator
model = make_pipeline(SphericalHarmonics(15, spectrum="matern"), RidgeCV(np.logspace(-4, 2, 13))).fit(X, warmth)
ResponseDisplay.from_estimator(model)

# %%
# Residuals at new places: where the degree is too low to follow the coast, signs change along it.

X_new, is_land_new = make_land_ocean(3000, random_state=1)
warmth_new = 30 * np.cos(np.radians(X_new[:, 0])) - 5 * is_land_new * np.abs(X_new[:, 0]) / 45
PredictionMapDisplay.from_estimator(model, X_new, warmth_new, kind="residual", target_name="warmth", unit="K")
