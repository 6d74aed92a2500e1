"""
Which degree?
=============

The degree sets the finest detail of the features: half a wavelength of degree L is 180 / L degrees. If the degree is
too low, the features cannot represent the detail of the data. If the degree is too high, there are more coefficients
than the data can determine. Folds of blocks show which degree predicts best.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import PredictionMapDisplay
from skgeo.model_selection import (
    SphericalBlockKFold,
    select_max_degree,
    suggest_max_degree,
)

# %%
# The data are measurements of a field at 3,000 places, with noise.

rng = np.random.default_rng(0)
X = np.column_stack(
    [np.degrees(np.arcsin(rng.uniform(-1, 1, 3000))), rng.uniform(-180, 180, 3000)]
)
harmonics = SphericalHarmonics(60, spectrum="matern").fit_transform(X)
y = harmonics @ rng.standard_normal(61**2)
y += 0.2 * y.std() * rng.standard_normal(3000)

# %%
# The places alone give a first suggestion.

print(suggest_max_degree(X))

# %%
# A search in folds of blocks of 500 km finds the degree that predicts best a few hundred kilometres from the data.

model = make_pipeline(SphericalHarmonics(), Ridge(1e-2))
degrees = [2, 4, 6, 8, 10, 14, 18, 24, 30, 40]
folds = SphericalBlockKFold(5, block_size_km=500)
search = select_max_degree(model, X, y, degrees=degrees, cv=folds)
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
mean, spread = (search.cv_results_[f"{name}_test_score"] for name in ("mean", "std"))
ax.errorbar(degrees, mean, spread, marker="o", capsize=3)
ax.axhline(0, color="0.6", linewidth=0.8)
ax.text(2, 0, "no better than the mean", color="0.4", va="bottom")
ax.set(xlabel="max_degree", ylabel="R² in blocks of 500 km")
plt.show()

# %%
# This map shows the prediction of the model with the best degree.

print(search.best_params_)
PredictionMapDisplay.from_estimator(search.best_estimator_)
