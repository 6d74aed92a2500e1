"""
Is this land? Five encoders, one linear model
=============================================

The data are 5,000 places all over the globe. The label of each place is land or ocean. Five encoders compute the
features for the same logistic regression. The last encoder has two settings, degree 20 and degree 40. The titles of the
maps give the accuracy at 5,000 new places. With raw coordinates, the border between land and ocean on the map is one
straight line. With harmonics, the map shows continents.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skgeo.datasets import make_land_ocean
from skgeo.encoders import (
    Cartesian3DEncoder,
    DirectEncoder,
    GridEncoder,
    SphereMEncoder,
    SphericalHarmonics,
)
from skgeo.inspection import PredictionMapDisplay

X, is_land = make_land_ocean(5000, random_state=0)
X_new, is_land_new = make_land_ocean(5000, random_state=1)
encoders = [
    DirectEncoder(),
    Cartesian3DEncoder(),
    GridEncoder(16, min_scale=5),
    SphereMEncoder(16, min_scale=5, plus=True),
    SphericalHarmonics(20, spectrum="matern"),
    SphericalHarmonics(40, spectrum="matern"),
]
figure, axes = plt.subplots(3, 2, figsize=(8, 7.4), layout="constrained")
for ax, encoder in zip(axes.flat, encoders, strict=True):
    model = make_pipeline(encoder, LogisticRegression(C=10, max_iter=1000))
    model.fit(X, is_land)
    display = PredictionMapDisplay.from_estimator(model, ax=ax, colorbar=False)
    display.mappable_.set_clim(0, 1)
    name = type(encoder).__name__
    if hasattr(encoder, "max_degree"):
        name += f", L = {encoder.max_degree}"
    ax.set_title(f"{name}: {model.score(X_new, is_land_new):.1%}", fontsize=9)
bar = figure.colorbar(display.mappable_, ax=axes, shrink=0.5, location="bottom")
bar.set_label("probability of land")
plt.show()
