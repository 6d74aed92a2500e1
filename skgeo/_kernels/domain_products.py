"""Kernel: products of the covariance of harmonics over a domain with vectors; the covariance is never formed.

A product has three steps. Legendre functions turn the coefficients of each vector into waves in longitude on
Gauss-Legendre parallels. On each parallel, a matrix of pairs of orders multiplies the waves by the weight function of
the domain; at high degrees, two Fourier transforms replace the matrix. Legendre functions then integrate the waves over
latitude. All three steps are exact, as in ``domain.second_moment``. A product takes some 2 (2 L + 1) ** 3 multiply-adds
with the matrices, and half as many with the transforms. The covariance itself, which is not formed, has (L + 1) ** 4
entries.

Vectors are columns (D - 1, n). Their rows are the harmonics of ``columns_by_order`` but for the constant.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from skgeo._kernels.harmonics import columns_by_order, degree_of, legendre, legendre_by_order
from skgeo._kernels.threads import n_blas_threads, run_in_threads
from skgeo._typing import FloatArray

# The matrices of all parallels are kept if they take at most this many values (128 MB), or else made for each product.
_MAX_KEPT_VALUES = 2**24
# Above this degree Fourier transforms are faster: twice as fast at degree 400, and a tenth slower at degree 200.
_MAX_MATRIX_DEGREE = 256
# The waves of all parallels for one block of vectors have about the first number of values (64 MB), and at high degrees
# at most the second one (512 MB).
_BLOCK_WAVES, _MAX_BLOCK_WAVES = 2**23, 2**26
# Vectors of a block: usually, and at the highest degrees.
_USUAL_BLOCK_VECTORS, _MIN_BLOCK_VECTORS = 256, 128
# The orders and the parallels are cut into this many parts a thread: threads that others keep waiting do fewer parts.
_SLICES_PER_THREAD = 4


class CovarianceProducts:
    """The covariance of harmonics over a domain, scaled by a prior, as a function of blocks of vectors.

    ``coefficients`` describe the domain to degree 2 L; ``root`` (D,) is the prior standard deviation of each harmonic,
    in the order of columns ``l * l + l + m``. The constant harmonic is left out.
    """

    def __init__(self, coefficients: FloatArray, root: FloatArray) -> None:
        self.max_degree = degree_of(coefficients.size) // 2
        columns = columns_by_order(self.max_degree)
        self.columns = columns[1:] - 1
        self._n_threads = n_blas_threads()
        # Half of the parallels: those of the north mirror them. Both halves have the equator, with half its weight.
        sines, weights = np.polynomial.legendre.leggauss(2 * self.max_degree + 1)
        sines, weights = sines[self.max_degree :], weights[self.max_degree :]
        sines[0], weights[0] = 0.0, weights[0] / 2.0
        self._orders = _rows_of_orders(legendre_by_order(sines, np.sqrt(1.0 - sines**2), self.max_degree))
        total = float(coefficients[0] * np.sqrt(4.0 * np.pi))
        self._mean = coefficients[columns] / total
        self._root = root[columns[1:], np.newaxis]
        self._waves = weight_waves(coefficients / total, sines) * np.concatenate([weights, weights])
        n_values = self._waves.shape[1] * (2 * self.max_degree + 1) ** 2
        kept, by_matrices = n_values <= _MAX_KEPT_VALUES, self.max_degree <= _MAX_MATRIX_DEGREE
        self._kept = [_wave_products(waves) for waves in self._waves.T] if kept and by_matrices else None
        self._weights = None if by_matrices else _on_meridians(self._waves.T)
        # A product works on this many vectors at a time.
        per_vector = self._waves.shape[1] * (2 * self.max_degree + 1)
        usual = min(_USUAL_BLOCK_VECTORS, _MAX_BLOCK_WAVES // per_vector)
        self.block = max(_MIN_BLOCK_VECTORS, usual, _BLOCK_WAVES // per_vector)

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """The covariance times vectors (D - 1, n)."""
        product = np.empty_like(vectors)
        for start in range(0, vectors.shape[1], self.block):
            part = slice(start, start + self.block)
            scaled = np.zeros((self._mean.size, vectors[:, part].shape[1]))
            np.multiply(vectors[:, part], self._root, out=scaled[1:])
            waves = self._synthesis(scaled)
            self._multiply(waves)
            centring = np.outer(self._mean, self._mean @ scaled)
            self._analysis(waves, scaled)
            scaled -= centring
            np.multiply(scaled[1:], self._root, out=product[:, part])
        return product

    def _synthesis(self, vectors: FloatArray) -> FloatArray:
        """Waves (2 L + 1, n_parallels, n) of vectors (D, n): cosines of order 0 to L, then sines of order 1 to L."""
        half = self.max_degree + 1
        waves = np.empty((2 * self.max_degree + 1, 2 * half, vectors.shape[1]))

        def work(part: slice) -> None:
            """The waves of some orders."""
            for wave, rows, table in self._orders[part]:
                # Legendre functions whose degree has the parity of the order are even in latitude, all others are odd.
                even, odd = (table[parity::2].T @ vectors[rows][parity::2] for parity in (0, 1))
                np.add(even, odd, out=waves[wave, :half])
                np.subtract(even, odd, out=waves[wave, half:])

        self._in_threads(work)
        return waves

    def _multiply(self, waves: FloatArray) -> None:
        """Multiply waves by the weight function, on each parallel."""

        def work(part: slice) -> None:
            """The waves on some parallels."""
            for parallel in range(waves.shape[1])[part]:
                if self._weights is not None:
                    waves[:, parallel] = _weighted_waves(waves[:, parallel], self._weights[parallel])
                    continue
                kept = self._kept
                products = _wave_products(self._waves[:, parallel]) if kept is None else kept[parallel]
                waves[:, parallel] = products @ waves[:, parallel]

        self._in_threads(work)

    def _analysis(self, waves: FloatArray, out: FloatArray) -> None:
        """Write the integrals of waves times Legendre functions into ``out`` (D, n)."""
        half = self.max_degree + 1

        def work(part: slice) -> None:
            """The integrals of some orders."""
            for wave, rows, table in self._orders[part]:
                north, south = waves[wave, :half], waves[wave, half:]
                out[rows][0::2] = table[0::2] @ (north + south)
                out[rows][1::2] = table[1::2] @ (north - south)

        self._in_threads(work)

    def _in_threads(self, work: Callable[[slice], None]) -> None:
        """Call ``work`` with slices that together take every order, or every parallel, once."""
        # Orders have unequal work: a slice takes every n-th of them.
        n_slices = 1 if self._n_threads == 1 else _SLICES_PER_THREAD * self._n_threads
        run_in_threads(work, [slice(start, None, n_slices) for start in range(n_slices)], self._n_threads)


def _rows_of_orders(legendre: list[FloatArray]) -> list[tuple[int, slice, FloatArray]]:
    """For each order: the row of its wave, the rows of its harmonics, and its Legendre functions (n, n_half)."""
    orders, start, max_degree = [], 0, len(legendre) - 1
    for order, table in enumerate(legendre):
        for wave in (order, max_degree + order)[: 1 + (order > 0)]:
            orders.append((wave, slice(start, start + len(table)), table))
            start += len(table)
    return orders


def weight_waves(coefficients: FloatArray, sines: FloatArray) -> FloatArray:
    """The weight function on the parallels of sines, then on those of -sines: factors (4 L + 1, n) of ``trig_m``."""
    degree = degree_of(coefficients.size)
    sums = np.zeros((2, 2 * degree + 1, sines.size))
    for n, block in enumerate(legendre(sines, np.sqrt(1.0 - sines**2), degree)):
        of_degree = coefficients[n * n : (n + 1) ** 2, np.newaxis]
        # Sums over degrees of the parity of the order, and over the others, which change sign in the south.
        parity = (n + np.arange(n + 1)) % 2
        for odd in (0, 1):
            chosen = np.flatnonzero(parity == odd)
            sums[odd, degree + chosen] += of_degree[n + chosen] * block[chosen]
            chosen = chosen[chosen > 0]
            sums[odd, degree - chosen] += of_degree[n - chosen] * block[chosen]
    return np.concatenate([sums[0] + sums[1], sums[0] - sums[1]], axis=1)


def _on_meridians(waves: FloatArray) -> FloatArray:
    """Functions with factors (n_parallels, 4 L + 1) of ``trig_m``, on even meridians (n_parallels, n_meridians).

    A product with waves of order L has orders up to 3 L. On 4 L + 1 meridians no wave of an order above L
    looks like a wave of an order up to L.
    """
    order = waves.shape[1] // 2
    n_meridians = fft.next_fast_len(waves.shape[1], real=True)
    spectrum = np.zeros((len(waves), n_meridians // 2 + 1), dtype=np.complex128)
    spectrum[:, : order + 1] = waves[:, order:]
    spectrum[:, 1 : order + 1] -= 1j * waves[:, order - 1 :: -1]
    spectrum[:, 1 : order + 1] *= np.sqrt(0.5)
    return np.asarray(fft.irfft(spectrum, n_meridians, norm="forward"))


def _weighted_waves(waves: FloatArray, weight: FloatArray) -> FloatArray:
    """The integrals (2 L + 1, n) of sums of waves (2 L + 1, n) times a weight (n_meridians,) times each wave."""
    order = len(waves) // 2
    spectrum = np.zeros((waves.shape[1], weight.size // 2 + 1), dtype=np.complex128)
    spectrum[:, : order + 1] = waves[: order + 1].T
    spectrum[:, 1 : order + 1] -= 1j * waves[order + 1 :].T
    spectrum[:, 1 : order + 1] *= np.sqrt(0.5)
    values = fft.irfft(spectrum, weight.size, norm="forward")
    values *= weight
    found = fft.rfft(values, norm="forward")[:, : order + 1] * (2.0 * np.pi)
    found[:, 1:] *= np.sqrt(2.0)
    return np.concatenate([found.real, -found.imag[:, 1:]], axis=1).T


def _wave_products(waves: FloatArray) -> FloatArray:
    """Integrals along a parallel of a weight times all pairs of waves (2 L + 1, 2 L + 1), of order 0 to L.

    ``waves`` (4 L + 1,) are the factors of ``trig_m`` in the weight. Products of cosines and sines are sums of
    cosines and sines of the sum and of the difference of their orders.
    """
    degree = waves.size // 2
    order = degree // 2
    cosine = np.sqrt(2.0) * np.pi * waves[degree:]
    cosine[0] *= np.sqrt(2.0)
    sine = np.concatenate([[0.0], np.sqrt(2.0) * np.pi * waves[degree - 1 :: -1]])
    sums, differences = _windows(cosine, order), _windows(_mirrored(cosine, 1.0, order), order)[::-1]
    products = np.empty((2 * order + 1, 2 * order + 1))
    np.add(differences, sums, out=products[: order + 1, : order + 1])
    np.subtract(differences[1:, 1:], sums[1:, 1:], out=products[order + 1 :, order + 1 :])
    sums, differences = _windows(sine, order), _windows(_mirrored(sine, -1.0, order), order)[::-1]
    np.add(differences[:, 1:], sums[:, 1:], out=products[: order + 1, order + 1 :])
    # The wave of order 0 is 1, and not the square root of 2.
    products[0] /= np.sqrt(2.0)
    products[: order + 1, 0] /= np.sqrt(2.0)
    products[order + 1 :, : order + 1] = products[: order + 1, order + 1 :].T
    return products


def _mirrored(values: FloatArray, sign: float, order: int) -> FloatArray:
    """Values at -order .. order, from those at 0 .. order."""
    return np.concatenate([sign * values[order:0:-1], values[: order + 1]])


def _windows(values: FloatArray, order: int) -> npt.NDArray[np.float64]:
    """The matrix ``values[i + j]`` for i and j from 0 to ``order``, a view."""
    return sliding_window_view(values[: 2 * order + 1], order + 1)
