"""Numerical kernels: numpy and scipy only; they know arrays, no estimator and no frame."""
