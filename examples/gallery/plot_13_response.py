"""
What has a linear model learned?
================================

A linear model of harmonics is a field on the globe: the sum of the harmonics times the coefficients of the model. The
map of the field shows the prediction of the model at every place. The curve below the map shows the power of the field
in each degree, and therefore the scales at which the model varies.
"""

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline

from skgeo.datasets import make_land_ocean
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import PredictionMapDisplay, ResponseDisplay


def warmth(latitude, is_land):
    """Temperature in °C: colder on land, far from the equator."""
    return 30 * np.cos(np.radians(latitude)) - 5 * is_land * np.abs(latitude) / 45


X, is_land = make_land_ocean(3000, random_state=0)
harmonics = SphericalHarmonics(15, spectrum="matern")
model = make_pipeline(harmonics, RidgeCV(np.logspace(-4, 2, 13)))
model.fit(X, warmth(X[:, 0], is_land))
ResponseDisplay.from_estimator(model, label="warmth", unit="°C")

# %%
# The last map shows the residuals at new places. Where the degree is too low to follow the coast, the residuals change
# their sign at the coast.

X_new, is_land_new = make_land_ocean(3000, random_state=1)
warmth_new = warmth(X_new[:, 0], is_land_new)
PredictionMapDisplay.from_estimator(
    model, X_new, warmth_new, kind="residual", target_name="warmth", unit="K"
)
