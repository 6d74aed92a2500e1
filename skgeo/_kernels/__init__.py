"""Numerical kernels. They import numpy and scipy only, and work on arrays: they know no estimator and no frame."""
