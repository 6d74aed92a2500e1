"""
Do random folds tell the truth?
===============================

Neighbours are alike. When test places lie between training places, a model that only remembers its neighbours looks
good; asked for a region that it has not seen it has nothing to say. Folds made of blocks ask that question.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold

from skgeo import matern_spectrum
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import FoldDisplay, LeakageDisplay
from skgeo.model_selection import BufferedKFold, SphericalBlockKFold, leakage_report

# %%
# A rough field, sampled at 1,500 places between Lisbon and Kyiv: a Gaussian random field, correlated over some 300
# km.

rng = np.random.default_rng(0)
X = np.column_stack([np.degrees(np.arcsin(rng.uniform(0.5, 0.87, 1500))), rng.uniform(-10, 40, 1500)])
spectrum = matern_spectrum(80, nu=0.5, kappa=19.0)
y = SphericalHarmonics(80, spectrum=spectrum).fit_transform(X) @ rng.standard_normal(81**2)

# %%
# Random folds, blocks, and blocks with a moat of 200 km around the test places, in which nothing is trained on.

figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), layout="constrained")
for ax, cv in zip(
    axes,
    [
        KFold(5, shuffle=True, random_state=0),
        SphericalBlockKFold(5, block_size_km=600),
        BufferedKFold(5, block_size_km=600, radius_km=200),
    ],
    strict=True,
):
    FoldDisplay.from_splitter(cv, X, ax=ax, fold=0)
    ax.set_title(type(cv).__name__, fontsize=9)
plt.show()

# %%
# The same forest, the same data, and a score that depends on the distance to what it has seen.

forest = RandomForestRegressor(50, min_samples_leaf=2, random_state=0)
report = leakage_report(forest, X, y, block_sizes_km=[100, 200, 400, 800, 1600])
print(report)
LeakageDisplay.from_report(report, score_name="R2")
