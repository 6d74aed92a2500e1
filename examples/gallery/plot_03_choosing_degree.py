"""
Which degree?
=============

The degree says how fine the features are: half a wavelength of degree L is 180 / L degrees. Too low, and the detail of
the data is lost; too high, and there are more features than the data can fill. The data say which.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import PredictionMapDisplay
from skgeo.model_selection import SphericalBlockKFold, select_max_degree, suggest_max_degree

# %%
# Measurements of a field at 3,000 places, with noise.

rng = np.random.default_rng(0)
X = np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 3000))), rng.uniform(-180, 180, 3000)])
y = SphericalHarmonics(60, spectrum="matern").fit_transform(X) @ rng.standard_normal(61**2)
y += 0.2 * y.std() * rng.standard_normal(3000)

# %%
# A first suggestion comes from where the data are alone.

print(suggest_max_degree(X))

# %%
# A search in folds of blocks asks what predicts the field a few hundred kilometres from the data.

model = make_pipeline(SphericalHarmonics(), Ridge(1e-2))
degrees = [2, 4, 6, 8, 10, 14, 18, 24, 30, 40]
search = select_max_degree(model, X, y, degrees=degrees, cv=SphericalBlockKFold(5, block_size_km=500))
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
mean, spread = (search.cv_results_[f"{name}_test_score"] for name in ("mean", "std"))
ax.errorbar(degrees, mean, spread, marker="o", capsize=3)
ax.set(xlabel="max_degree", ylabel="R2 in blocks of 500 km", ylim=(0, 1))
plt.show()

# %%
# What the model of that degree predicts everywhere.

print(search.best_params_)
PredictionMapDisplay.from_estimator(search.best_estimator_)
