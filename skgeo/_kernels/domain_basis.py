"""Kernel: the principal components of harmonics over a domain, by the fastest of three ways to the same basis.

* A zonal domain, whose weight function is the same at all longitudes: each order is an eigenproblem of its own.
* A small domain: few eigenvalues are above rounding, and products of the covariance with vectors find them all.
* Any other domain: the covariance is formed, and its eigenproblem solved.
"""

import math

import numpy as np

from skgeo._kernels.domain import is_zonal, moments, total_and_mean, zonal_second_moments
from skgeo._kernels.domain_products import CovarianceProducts
from skgeo._kernels.eigenbasis import Eigenbasis, Solution, canonical_solution, solve_blocks, solve_matrix
from skgeo._kernels.harmonics import columns_of_order, degree_of
from skgeo._kernels.leading_vectors import solve_by_products
from skgeo._typing import FloatArray

# Measured on one core, products were faster than the eigenproblem of the covariance from 600 harmonics on, for up to
# half as many vectors as harmonics.
_MIN_HARMONICS = 600
_MAX_VECTOR_SHARE = 0.5
# Covariances with more rows are not formed: their eigenproblem would take 8 GB.
_MAX_SQUARE_ROWS = 16_000


def domain_eigenbasis(
    coefficients: FloatArray, root: FloatArray, shannon_number: float, n_wanted: int | None = None
) -> tuple[Eigenbasis, float]:
    """The unique basis of the harmonics over a domain, each times ``root`` (D,), and their total variance.

    ``coefficients`` describe the domain to degree 2 L, and have a positive total weight. At least ``n_wanted``
    components are found, or all that the domain supports. The Shannon number tells how many there may be.
    """
    _, mean = total_and_mean(coefficients)
    mean_square = float(np.square(root * mean)[1:].sum())
    # The squared harmonics of a degree l add up to (2 l + 1) / 4 pi everywhere: the mean of root^2 is enough.
    variance = float(np.square(root[1:]).sum()) / (4.0 * math.pi) - mean_square
    solution = None
    if is_zonal(coefficients):
        solution = _solve_zonal(coefficients, root)
    else:
        most = _most_vectors(root.size)
        if _vectors_needed(shannon_number) <= most:
            products = CovarianceProducts(coefficients, root)
            solution = solve_by_products(products, mean_square, most, _vectors_needed(shannon_number))
    if solution is None:
        covariance = moments(coefficients)[2][1:, 1:]
        covariance *= np.outer(root[1:], root[1:])
        solution = solve_matrix(covariance, n_wanted)
    return canonical_solution(solution, root.size - 1, mean_square, n_wanted=n_wanted), variance


def coordinate_share(components: FloatArray, variance: FloatArray, mean: FloatArray) -> float:
    """The share of the variance of x, y and z of the unit sphere over a domain that components (k, D) hold.

    ``components`` are divided by the prior variance of degree 1; ``mean`` (D,) is that of the harmonics.
    """
    # The harmonics of degree 1 are x, y and z; their squares add up to 3 / 4 pi everywhere.
    whole = 3.0 / (4.0 * math.pi) - float(np.square(mean[1:4]).sum())
    return float((variance @ np.square(components[:, 1:4])).sum()) / whole


def _solve_zonal(coefficients: FloatArray, root: FloatArray) -> Solution:
    """Solve the eigenproblem of each order; those of orders m and -m are the same."""
    max_degree = degree_of(root.size)
    total, mean = total_and_mean(coefficients)
    blocks = []
    for order, block in enumerate(zonal_second_moments(coefficients / total)):
        first = int(order == 0)  # the constant is left out
        lists = [columns_of_order(sign * order, max_degree)[first:] for sign in (-1, 1)[first:]]
        block = block[first:, first:]
        # The mean over a zonal domain is that of harmonics of order 0.
        if order == 0:
            block = block - np.outer(mean[lists[0]], mean[lists[0]])
        scale = root[lists[0]]
        if scale.size:
            blocks.append(([columns - 1 for columns in lists], block * np.outer(scale, scale)))
    return solve_blocks(blocks)


def _vectors_needed(shannon_number: float) -> float:
    """About how many eigenvalues of a compact domain of this Shannon number are above rounding."""
    return shannon_number + 32.0 * math.sqrt(shannon_number) + 100.0


def _most_vectors(n_harmonics: int) -> int:
    """The number of vectors from which on the eigenproblem of the covariance is faster than products."""
    if n_harmonics < _MIN_HARMONICS:
        return 0
    return n_harmonics if n_harmonics > _MAX_SQUARE_ROWS else int(_MAX_VECTOR_SHARE * n_harmonics)
