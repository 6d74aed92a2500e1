"""Kernel: all eigenvectors of a covariance that are no rounding, from products of the covariance with vectors.

The covariance of a small domain has few eigenvalues above rounding, and the others fall towards zero faster than any
power. Products with random vectors then span the eigenvectors that count (Halko, Martinsson & Tropp 2011): the span
grows block by block until a block adds rounding only. The eigenvectors follow from the covariance within the span.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import linalg

from skgeo._typing import FloatArray

# Random vectors are taken in blocks of this share of their length, within bounds: products with large blocks are
# faster, and small blocks find fewer vectors too many.
_BLOCK_SHARE = 1.0 / 256.0
_MIN_BLOCK_VECTORS = 64
_MAX_BLOCK_VECTORS = 128
# Rounding of products with random vectors was measured at 0.2 to 4 times this: the rounding of one number, times the
# length of the vector, times the largest eigenvalue plus the squared norm of the mean.
_MAX_ROUNDING = 8.0
# Vectors of length one that are shorter than this outside of the span are not yet orthogonal to the span.
_SHORT = 0.5
_MAX_TURNS = 4
# The seed of the random vectors. They change eigenvectors by rounding only.
_SEED = 0


class Products(Protocol):
    """A symmetric matrix as a function of vectors (D, n); row i of a vector belongs to column ``columns[i]``."""

    columns: npt.NDArray[np.int_]
    block: int

    def __call__(self, vectors: FloatArray) -> FloatArray: ...


def solve_by_products(
    products: Products, mean_square: float, max_vectors: int
) -> tuple[FloatArray, Callable[[int], FloatArray]] | None:
    """Eigenvalues above rounding, descending, and a function that returns a given number of leading eigenvectors.

    The eigenvectors are columns (D, count), their rows in the order 0 to D - 1. Returns None if more than
    ``max_vectors`` vectors would be needed: the domain is too large for this way.
    """
    basis = _span(products, mean_square, max_vectors)
    if basis is None:
        return None
    n_vectors = len(basis)
    within = np.empty((n_vectors, n_vectors))
    for start in range(0, n_vectors, products.block):
        part = slice(start, start + products.block)
        within[:, part] = basis @ products(np.ascontiguousarray(basis[part].T))
    within += within.T.copy()
    within *= 0.5
    values, vectors = linalg.eigh(within, overwrite_a=True, check_finite=False, driver="evd")
    place = np.argsort(products.columns)

    def leading(count: int) -> FloatArray:
        """The first ``count`` eigenvectors."""
        return (basis.T @ vectors[:, ::-1][:, :count])[place]

    return values[::-1], leading


def _span(products: Products, mean_square: float, max_vectors: int) -> FloatArray | None:
    """Orthonormal rows (n, D) that span the eigenvectors above rounding; None if there are more than a limit."""
    size, random = products.columns.size, np.random.default_rng(_SEED)
    basis, largest = np.empty((0, size)), 0.0
    n_vectors = min(max(_MIN_BLOCK_VECTORS, int(_BLOCK_SHARE * size)), _MAX_BLOCK_VECTORS)
    while True:
        if len(basis) + n_vectors > max_vectors:
            return None
        block = np.ascontiguousarray(products(random.standard_normal((size, n_vectors))).T)
        # A vector that is a product already grows by about the largest eigenvalue in the next product.
        if not len(basis):
            first = block[0] / max(float(np.linalg.norm(block[0])), np.finfo(np.float64).tiny)
            largest = float(np.linalg.norm(block @ first)) / np.sqrt(n_vectors)
        block -= (block @ basis.T) @ basis
        rounding = np.finfo(np.float64).eps * np.sqrt(size) * (largest + mean_square)
        length = float(np.sqrt(np.mean(np.square(np.linalg.norm(block, axis=1)))))
        block = _orthonormal(block)
        # Short vectors were rounding within the span: what is left of them needs another turn.
        for _ in range(_MAX_TURNS):
            block -= (block @ basis.T) @ basis
            shortest = float(np.linalg.norm(block, axis=1).min())
            block = _orthonormal(block)
            if shortest > _SHORT:
                break
        n_found = len(basis)
        basis.resize((n_found + n_vectors, size), refcheck=False)
        basis[n_found:] = block
        if length <= _MAX_ROUNDING * rounding:
            return basis


def _orthonormal(rows: FloatArray) -> FloatArray:
    """Orthonormal rows with the span of rows (n, D), which are overwritten."""
    vectors, _ = linalg.qr(rows.T, mode="economic", overwrite_a=True, check_finite=False)
    return np.asarray(vectors.T, dtype=np.float64)
