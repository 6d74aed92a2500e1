"""Cells and waves: location encoders of other packages for downstream.py. The package skgeo does not have them."""

import numpy as np
from scipy.spatial import KDTree
from sklearn.base import BaseEstimator, TransformerMixin

from skgeo.encoders import Cartesian3DEncoder, RadialBasisEncoder


def unit_vectors(X):
    return Cartesian3DEncoder().fit_transform(np.asarray(X, dtype=float))


class CellEncoder(TransformerMixin, BaseEstimator):
    """One column for each cell: 1 in the cell of the place, else 0. Like tiles of TorchSpatial, but of equal area.

    The centres of the cells are the anchors of RadialBasisEncoder.
    """

    def __init__(self, spacing_km=1000.0):
        self.spacing_km = spacing_km

    def fit(self, X, y=None):
        self.anchors_ = RadialBasisEncoder(self.spacing_km).fit(X).anchors_
        return self

    def transform(self, X):
        columns = np.zeros((len(X), len(self.anchors_)))
        columns[np.arange(len(X)), KDTree(self.anchors_).query(unit_vectors(X))[1]] = 1.0
        return columns


class NeRFEncoder(TransformerMixin, BaseEstimator):
    """Sine and cosine of pi 2^i times x, y and z, for i = 0 .. n_octaves - 1: the encoder NeRF of TorchSpatial."""

    def __init__(self, n_octaves=4):
        self.n_octaves = n_octaves

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        angles = np.pi * unit_vectors(X)[:, :, None] * 2.0 ** np.arange(self.n_octaves)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(X), -1)


class DoubleFourierEncoder(TransformerMixin, BaseEstimator):
    """Waves of latitude and longitude and their products at many scales: the double Fourier series of Sphere2Vec."""

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
