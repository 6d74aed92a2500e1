"""Kernel: all eigenvectors of a covariance with eigenvalues above rounding, by products of the covariance with vectors.

The covariance of a small domain has few eigenvalues above rounding, and the others fall towards zero faster than any
power. Products with random vectors then span the eigenvectors that count (Halko, Martinsson & Tropp 2011): the span
grows block by block until a block adds rounding only. The eigenvectors follow from the covariance within the span.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import linalg

from skgeo._kernels.threads import (
    blas_threads_for,
    n_blas_threads,
    one_blas_thread,
    product_in_threads,
)
from skgeo._typing import FloatArray

# Random vectors are taken in blocks of this share of the expected number, within bounds: products with large blocks are
# faster, and small blocks find fewer vectors that are not needed.
_BLOCK_SHARE = 1.0 / 6.0
_MIN_BLOCK_VECTORS = 64
_MAX_BLOCK_VECTORS = 256
# Rounding of products with random vectors was measured at 0.2 to 4 times this: the rounding of one number, times the
# length of the vector, times the largest eigenvalue plus the squared norm of the mean.
_MAX_ROUNDING = 8.0
# If a combination of length one is shorter than this outside of the span, it is not yet orthogonal to the span.
_SHORT = 0.5
_MAX_TURNS = 4
# Where the squares of lengths in a block differ by more, the block is made orthonormal by a QR factorisation.
_MIN_SQUARE_SHARE = 1e-8
# The seed of the random vectors. They change eigenvectors by rounding only.
_SEED = 0


class Products(Protocol):
    """A symmetric matrix as a function of vectors (D, n); row i of a vector belongs to column ``columns[i]``."""

    columns: npt.NDArray[np.int_]
    block: int

    def __call__(self, vectors: FloatArray) -> FloatArray: ...


def solve_by_products(
    products: Products, mean_square: float, max_vectors: int, expected_vectors: float = 0.0
) -> tuple[FloatArray, Callable[[int], FloatArray]] | None:
    """Eigenvalues above rounding, descending, and a function that returns a given number of leading eigenvectors.

    The eigenvectors are columns (D, count), their rows in the order 0 to D - 1. Returns None if more than
    ``max_vectors`` vectors would be needed: the domain is too large for this way. ``expected_vectors``, about their
    number, sets the size of blocks.
    """
    # BLAS has one thread: two threads of BLAS would wait for each other at every step of the small products here.
    n_threads = n_blas_threads()
    with one_blas_thread():
        block = min(max(_MIN_BLOCK_VECTORS, int(_BLOCK_SHARE * expected_vectors)), _MAX_BLOCK_VECTORS)
        basis = _span(products, mean_square, max_vectors, block, n_threads)
        if basis is None:
            return None
        n_vectors = len(basis)
        within = np.empty((n_vectors, n_vectors))
        for start in range(0, n_vectors, products.block):
            part = slice(start, start + products.block)
            product = products(np.ascontiguousarray(basis[part].T))
            # The eigenproblem reads the lower triangle only.
            within[start:, part] = product_in_threads(basis[start:], product, n_threads)
    with blas_threads_for(n_vectors):
        values, vectors = linalg.eigh(within, overwrite_a=True, check_finite=False, driver="evd")
    place = np.argsort(products.columns)

    def leading(count: int) -> FloatArray:
        """The first ``count`` eigenvectors."""
        return product_in_threads(basis.T, vectors[:, ::-1][:, :count], n_threads)[place]

    return values[::-1], leading


def _span(
    products: Products, mean_square: float, max_vectors: int, n_vectors: int, n_threads: int
) -> FloatArray | None:
    """Orthonormal rows (n, D) that span the eigenvectors above rounding; None if there are more than a limit.

    The span grows by ``n_vectors`` at a time.
    """
    size, random = products.columns.size, np.random.default_rng(_SEED)
    basis, largest = np.empty((0, size)), 0.0
    while True:
        if len(basis) + n_vectors > max_vectors:
            return None
        block = np.ascontiguousarray(products(random.standard_normal((size, n_vectors))).T)
        # A vector that is a product already grows by about the largest eigenvalue in the next product.
        if not len(basis):
            first = block[0] / max(float(np.linalg.norm(block[0])), np.finfo(np.float64).tiny)
            largest = float(np.linalg.norm(block @ first)) / np.sqrt(n_vectors)
        _subtract_span(block, basis, n_threads)
        rounding = np.finfo(np.float64).eps * np.sqrt(size) * (largest + mean_square)
        length = float(np.sqrt(np.mean(np.square(np.linalg.norm(block, axis=1)))))
        block, _ = _orthonormal(block, n_threads)
        # Vectors that were rounding within the span are not yet orthogonal to the span: they need another turn.
        for _ in range(_MAX_TURNS):
            _subtract_span(block, basis, n_threads)
            block, shortest = _orthonormal(block, n_threads)
            if shortest > _SHORT:
                break
        n_found = len(basis)
        basis.resize((n_found + n_vectors, size), refcheck=False)
        basis[n_found:] = block
        if length <= _MAX_ROUNDING * rounding:
            return basis


def _subtract_span(block: FloatArray, basis: FloatArray, n_threads: int) -> None:
    """Subtract from rows (n, D) what lies in the span of orthonormal rows."""
    within = product_in_threads(basis, block.T, n_threads)
    block -= product_in_threads(basis.T, within, n_threads).T


def _orthonormal(rows: FloatArray, n_threads: int) -> tuple[FloatArray, float]:
    """Orthonormal rows with the span of rows (n, D), and the length of their shortest combination of length one.

    The rows that come out are orthonormal to rounding if those that come in are far from dependent.
    """
    squares, vectors = linalg.eigh(rows @ rows.T, driver="evd", check_finite=False)
    shortest = float(np.sqrt(max(squares[0], 0.0)))
    # The eigenvectors of the Gram matrix are faster than a QR factorisation, and lose twice as many digits.
    if squares[0] > _MIN_SQUARE_SHARE * squares[-1]:
        return product_in_threads(rows.T, vectors / np.sqrt(squares), n_threads).T, shortest
    factor, _ = linalg.qr(rows.T, mode="economic", check_finite=False)
    return np.asarray(factor.T, dtype=np.float64), shortest
