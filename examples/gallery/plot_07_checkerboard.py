"""
Do encoders work at the poles?
==============================

The task is to predict the class of a place on a checkerboard of 400 cells of about equal area, with 16 classes. A
classifier of nearest neighbours measures distances between the features of an encoder. Near a pole, two places that are
close on the ground can differ by 180 degrees of longitude. Distances in latitude and longitude are therefore wrong near
a pole. Distances between harmonics depend only on the distance on the ground, so they are the same at all latitudes.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skgeo.datasets import make_checkerboard
from skgeo.encoders import DirectEncoder, SphericalHarmonics, WrapEncoder

X, label = make_checkerboard(8000, n_support=400, random_state=0)
X_new, label_new = make_checkerboard(40_000, n_support=400, random_state=1)
models = {
    "latitude, longitude; neighbours": (DirectEncoder(), KNeighborsClassifier(3)),
    "sines and cosines; neighbours": (WrapEncoder(), KNeighborsClassifier(3)),
    "harmonics, L = 10; neighbours": (SphericalHarmonics(10), KNeighborsClassifier(3)),
    "harmonics, L = 20; linear": (
        SphericalHarmonics(20),
        LogisticRegression(C=100, max_iter=300),
    ),
}
edges = np.array([0, 15, 30, 45, 60, 70, 80, 90])
band = np.digitize(np.abs(X_new[:, 0]), edges) - 1
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
styles = ("o-", "s--", "^-", "D-")
for (name, steps), style in zip(models.items(), styles, strict=True):
    right = make_pipeline(*steps).fit(X, label).predict(X_new) == label_new
    accuracy = [right[band == number].mean() for number in range(len(edges) - 1)]
    middles = (edges[:-1] + edges[1:]) / 2
    ax.plot(middles, accuracy, style, label=f"{name}: {right.mean():.1%}")
ax.set(xlabel="latitude, north or south (degrees)", ylabel="accuracy")
ax.set(xticks=edges, ylim=(0.5, 1))
ax.legend(frameon=False)
plt.show()
