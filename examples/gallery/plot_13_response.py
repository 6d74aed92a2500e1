"""
What has a linear model learned?
================================

A linear model of harmonics is a field on the globe: the sum of its coefficients times the harmonics. The map of the
field shows the prediction of the model at every place. Its power in each degree shows the scales at which the model
varies.
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
# The last map shows the residuals at new places. Where the degree is too low to follow the coast, the residuals change
# their sign at the coast.

X_new, is_land_new = make_land_ocean(3000, random_state=1)
warmth_new = 30 * np.cos(np.radians(X_new[:, 0])) - 5 * is_land_new * np.abs(X_new[:, 0]) / 45
PredictionMapDisplay.from_estimator(model, X_new, warmth_new, kind="residual", target_name="warmth", unit="K")
