"""Gaussian processes on the sphere; the public names are those of ``skgeo``."""

from skgeo._gaussian_process._classifier import SphericalGaussianProcessClassifier
from skgeo._gaussian_process._regressor import SphericalGaussianProcessRegressor

__all__ = ["SphericalGaussianProcessClassifier", "SphericalGaussianProcessRegressor"]
