"""
How wrong are the scores of random folds?
=========================================

Places that are close to each other have similar values. In random folds, test places lie between training places, so a
model that copies its neighbours gets a good score. In a region without data, the same model fails. Folds of blocks show
this, because they hold out whole regions and test the model there.
"""

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold

from skgeo import matern_spectrum
from skgeo.encoders import SphericalHarmonics
from skgeo.inspection import FoldDisplay, LeakageDisplay
from skgeo.model_selection import BufferedKFold, SphericalBlockKFold, leakage_report

# %%
# The data are a rough field at 1,500 places between Lisbon and Kyiv. The field is a Gaussian random field. Its values
# are correlated over about 300 km.

rng = np.random.default_rng(0)
X = np.column_stack(
    [np.degrees(np.arcsin(rng.uniform(0.5, 0.87, 1500))), rng.uniform(-10, 40, 1500)]
)
spectrum = matern_spectrum(80, nu=0.5, kappa=19.0)
harmonics = SphericalHarmonics(80, spectrum=spectrum).fit_transform(X)
y = harmonics @ rng.standard_normal(81**2)

# %%
# The maps show random folds, folds of blocks, and blocks with a gap of 200 km around the test places. Samples in the
# gap are not in the training data.

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
# The score of the same forest on the same data depends on the distance from the test places to the training places.

forest = RandomForestRegressor(50, min_samples_leaf=2, random_state=0)
report = leakage_report(forest, X, y, block_sizes_km=[100, 200, 400, 800, 1600])
print(report)
LeakageDisplay.from_report(report, score_name="R²")
