"""Location encoders of other packages that skgeo does not have, for downstream.py: cells, anchors and waves."""

import numpy as np
from scipy.spatial import KDTree
from sklearn.base import BaseEstimator, TransformerMixin

from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import Cartesian3DEncoder

EARTH_RADIUS_KM = 6371.0088


def unit_vectors(X):
    return Cartesian3DEncoder().fit_transform(np.asarray(X, dtype=float))


class Lattice(TransformerMixin, BaseEstimator):
    """A base: the points of a Fibonacci lattice with this spacing that lie near the training places."""

    def __init__(self, spacing_km=1000.0):
        self.spacing_km = spacing_km

    def fit(self, X, y=None):
        spacing = self.spacing_km / EARTH_RADIUS_KM
        points = unit_vectors(fibonacci_lattice(max(12, round(4 * np.pi / spacing**2))))
        distance, _ = KDTree(unit_vectors(X)).query(points)
        self.anchors_ = points[distance <= max(2.0 * spacing, distance.min())]
        return self


class CellEncoder(Lattice):
    """One column for each cell, 1 in the cell of the place, as the tiles of TorchSpatial, with cells of equal area."""

    def transform(self, X):
        columns = np.zeros((len(X), len(self.anchors_)))
        columns[np.arange(len(X)), KDTree(self.anchors_).query(unit_vectors(X))[1]] = 1.0
        return columns


class AnchorEncoder(Lattice):
    """One column for each anchor, a Gaussian of the distance from it: the radial basis functions of TorchSpatial."""

    def transform(self, X):
        square = ((unit_vectors(X)[:, None] - self.anchors_) ** 2).sum(axis=-1)
        return np.exp(-0.5 * square / (self.spacing_km / EARTH_RADIUS_KM) ** 2)


class NeRFEncoder(TransformerMixin, BaseEstimator):
    """Sine and cosine of pi 2^i times x, y and z, i = 0 .. n_octaves - 1: the NeRF of TorchSpatial."""

    def __init__(self, n_octaves=4):
        self.n_octaves = n_octaves

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        angles = np.pi * unit_vectors(X)[:, :, None] * 2.0 ** np.arange(self.n_octaves)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(X), -1)


class DoubleFourierEncoder(TransformerMixin, BaseEstimator):
    """Waves of latitude, of longitude and all their products on many scales: the double Fourier of Sphere2Vec."""

    def __init__(self, n_scales=8, min_scale=10.0):
        self.n_scales, self.min_scale = n_scales, min_scale

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        scales = np.geomspace(self.min_scale, 360.0, self.n_scales)
        latitude, longitude = (
            np.concatenate([np.sin(column[:, None] / scales), np.cos(column[:, None] / scales)], axis=1)
            for column in np.asarray(X, dtype=float).T
        )
        products = (latitude[:, :, None] * longitude[:, None]).reshape(len(X), -1)
        return np.column_stack([latitude, longitude, products])
