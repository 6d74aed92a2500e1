"""
Where does a species live?
==========================

Records tell where people saw a species, but not where the species is absent. An ordinary classifier of species assigns
every place to one of the species, even a place in the ocean. A presence-only model compares the records with background
places instead, and can predict that none of the species lives at a place.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeo import LatLonGrid
from skgeo.datasets import load_land_mask, make_land_ocean
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics
from skgeo.nn import LocationClassifier, PresenceOnlyClassifier

# %%
# The data are random draws. Three species have round ranges on land, and most observers are in two regions. The records
# of a species are dense where there are both animals and observers.

centres = {"Lynx": (60, 20), "Okapi": (5, 20), "Puma": (40, -105)}
rng = np.random.default_rng(0)
places, land = make_land_ocean(30_000, random_state=0)
places = places[land]


def closeness(places, centre, km):
    """1 at the centre, and less with distance."""
    xyz = Cartesian3DEncoder().fit_transform(np.vstack([places, [centre]]))
    return np.exp(-0.5 * (6371 / km) ** 2 * ((xyz[:-1] - xyz[-1]) ** 2).sum(axis=1))


effort = 0.1 + closeness(places, (48, 5), 1000) + closeness(places, (35, -100), 1000)
expected = np.column_stack(
    [closeness(places, centre, 2000) * effort for centre in centres.values()]
)
rows = np.concatenate(
    [rng.choice(len(places), 150, p=share / share.sum()) for share in expected.T]
)
X, species = places[rows] + rng.normal(0, 0.05, (450, 2)), np.repeat(list(centres), 150)

# %%
# The first map shows the largest probability of an ordinary classifier with a softmax. This probability is near 1 in
# oceans far from all records. The second map shows the largest probability of the three ranges in a presence-only model
# with background places on the whole globe. The third map shows the lynx, with background places on land. The fourth
# map shows the standard deviation of the probability of the lynx between models of resampled records. The standard
# deviation is large where the records do not determine the range.

mask = load_land_mask()
on_land = LatLonGrid(
    mask.latitude[2::4], mask.longitude[2::4], mask=mask.mask[2::4, 2::4]
)
globe = LatLonGrid(on_land.latitude, on_land.longitude)
settings = {"encoder": SphericalHarmonics(8), "max_epochs": 60, "random_state": 0}
softmax = LocationClassifier(**settings).fit(X, species).predict_proba(globe)
softmax = softmax.max(axis=1).reshape(globe.shape)
ranges = PresenceOnlyClassifier(**settings).fit(X, species).predict_map(globe)
ranges = ranges.max(axis=-1)
model = PresenceOnlyClassifier(background=on_land, **settings)
lynx = model.fit(X, species).predict_map(on_land, species="Lynx")[..., 0]
resampled = []
for seed in range(4):
    chosen = np.random.default_rng(seed).choice(450, 450)
    model.fit(X[chosen], species[chosen])
    resampled.append(model.predict_map(on_land, species="Lynx")[..., 0])

maps = {
    "softmax: largest probability": (softmax, 1),
    "presence-only: largest probability": (ranges, 1),
    "lynx, land as background": (lynx, 1),
    "lynx: deviation of resampled models": (np.std(resampled, axis=0), 0.3),
}
figure, axes = plt.subplots(
    2, 2, figsize=(9, 5), sharex=True, sharey=True, layout="constrained"
)
for ax, (title, (values, largest)) in zip(axes.flat, maps.items(), strict=True):
    image = ax.pcolormesh(
        globe.longitude, globe.latitude, values, vmin=0, vmax=largest, cmap="viridis"
    )
    coast = {"levels": [0.5], "colors": "white", "linewidths": 0.4}
    ax.contour(mask.longitude, mask.latitude, mask.fraction, **coast)
    shown = X if "largest" in title else X[species == "Lynx"]
    ax.plot(shown[:, 1], shown[:, 0], ".", color="tab:red", markersize=1)
    ax.set(title=title, aspect="equal", facecolor="0.8")
    label = "standard deviation" if "deviation" in title else "probability"
    figure.colorbar(image, ax=ax, shrink=0.8, label=label)
    ax.set(xticks=range(-120, 121, 60), yticks=range(-60, 61, 30))
figure.supxlabel("longitude (°E)", fontsize=10)
figure.supylabel("latitude (°N)", fontsize=10)
plt.show()
