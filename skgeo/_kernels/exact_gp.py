"""Kernel: a Gaussian process by the dense Cholesky factor of its covariance, for up to some thousand observations."""

import numpy as np
from scipy import linalg
from scipy.linalg import lapack
from scipy.spatial.distance import cdist

from skgeo._kernels.gp_likelihood import Gram
from skgeo._kernels.matern import matern, matern_with_slope
from skgeo._kernels.threads import blas_threads_for, row_blocks
from skgeo._typing import FloatArray


class ExactGP:
    """The correlations of observations at places (n, 3), whose noise is divided by the weights (n,)."""

    def __init__(self, vectors: FloatArray, weight: FloatArray) -> None:
        self.vectors, self.weight = vectors, weight
        self._chords = cdist(vectors, vectors)

    def gram(self, columns: FloatArray, length: float, smoothness: float, ratio: float) -> Gram:
        """Inner products of columns (n, k), with derivatives; raises LinAlgError if rounding makes C indefinite."""
        with blas_threads_for(len(columns)):
            correlation, slope = matern_with_slope(self._chords, length, smoothness)
            noise = ratio / self.weight
            correlation[np.diag_indices_from(correlation)] += noise
            factor = linalg.cholesky(correlation, lower=True, overwrite_a=True, check_finite=False)
            solved = linalg.cho_solve((factor, True), columns, check_finite=False)
            log_determinant = 2.0 * float(np.log(np.diagonal(factor)).sum())
            # LAPACK fills the lower triangle of the inverse only; slope is symmetric.
            inverse = lapack.dpotri(factor, lower=1, overwrite_c=1)[0]
            diagonal = np.diagonal(inverse)
            by_length = 2.0 * float(np.einsum("ij,ij->", np.tril(inverse, -1), slope))
            slopes = -np.stack([solved.T @ slope @ solved, solved.T @ (noise[:, np.newaxis] * solved)])
        return Gram(columns.T @ solved, log_determinant, slopes, np.array([by_length, diagonal @ noise]))

    def factor(self, length: float, smoothness: float, ratio: float) -> FloatArray:
        """The lower Cholesky factor (n, n) of C."""
        with blas_threads_for(len(self.vectors)):
            correlation = matern(self._chords, length, smoothness)
            correlation[np.diag_indices_from(correlation)] += ratio / self.weight
            return linalg.cholesky(correlation, lower=True, overwrite_a=True, check_finite=False)


def condition_on_all(
    factor: FloatArray, near: FloatArray, columns: FloatArray, kernel: tuple[float, float], places: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Means (b, k) of columns (n, k) at places (b, 3) given the data at ``near`` (n, 3), and the variances (b,) left.

    ``kernel`` is (length, smoothness). Variances are over the variance of the field.
    """
    means, variance = np.empty((len(places), columns.shape[1])), np.empty(len(places))
    with blas_threads_for(len(factor)):
        solved = linalg.cho_solve((factor, True), columns, check_finite=False)
        for rows in row_blocks(len(places), len(factor)):
            cross = matern(cdist(places[rows], near), *kernel)
            means[rows] = cross @ solved
            half = linalg.solve_triangular(factor, cross.T, lower=True, check_finite=False, overwrite_b=True)
            variance[rows] = 1.0 - np.einsum("ij,ij->j", half, half)
    return means, variance


def joint_covariance(
    factor: FloatArray, near: FloatArray, kernel: tuple[float, float], places: FloatArray
) -> FloatArray:
    """Covariance (b, b) of the field at places given the data, over the variance of the field."""
    with blas_threads_for(len(factor)):
        cross = matern(cdist(near, places), *kernel)
        half = linalg.solve_triangular(factor, cross, lower=True, check_finite=False)
        return matern(cdist(places, places), *kernel) - half.T @ half
