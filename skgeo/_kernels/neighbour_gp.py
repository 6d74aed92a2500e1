"""Kernel: a Gaussian process of nearest neighbours: each observation depends on a few earlier ones nearby only.

The joint density of n observations is a product of conditional densities, each given all earlier observations. Given
the m nearest of these instead, n systems of size m replace one of size n (Vecchia 1988, Journal of the Royal
Statistical Society B 50(2); Datta et al. 2016, Journal of the American Statistical Association 111). In random order
early observations have far neighbours and late ones near neighbours, so that all distances count.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from skgeo._kernels.gp_likelihood import Gram
from skgeo._kernels.matern import matern, matern_with_slope
from skgeo._kernels.threads import Advance, fill_in_threads, no_progress, row_blocks, run_in_threads
from skgeo._typing import FloatArray, Integers

# Chords between neighbours are kept for up to this number of values (128 MB), and computed anew beyond it.
_CACHED_VALUES = 2**24
# Values of the matrices of a block: half a megabyte.
_BLOCK_VALUES = 2**16
# The smallest share of its variance that a conditional distribution keeps; rounding could make it negative.
_MIN_SHARE = 1e-13
# Values of the field at places to predict have no noise: this share of the variance keeps their systems regular.
JITTER = 1e-10


def earlier_neighbours(vectors: FloatArray, n_neighbors: int, n_jobs: int | None = None) -> Integers:
    """Row numbers (n, m) of the nearest among the earlier rows, nearest first; -1 where there are fewer.

    Blocks of rows double in length: at least half of the rows of the tree of a block are earlier than the block.
    """
    n = len(vectors)
    m = max(1, min(n_neighbors, n - 1))
    neighbours = np.full((n, m), -1, dtype=np.intp)
    first = min(n, 2 * m)
    for i in range(1, first):
        square = np.square(vectors[:i] - vectors[i]).sum(axis=1)
        nearest = np.argsort(square, kind="stable")[:m]
        neighbours[i, : nearest.size] = nearest
    while first < n:
        last = min(n, 2 * first)
        tree = cKDTree(vectors[:last])
        _fill_from_tree(tree, vectors, np.arange(first, last), neighbours, n_jobs)
        first = last
    return neighbours


def _fill_from_tree(
    tree: cKDTree, vectors: FloatArray, rows: Integers, neighbours: Integers, n_jobs: int | None
) -> None:
    """Fill in the neighbours of rows: ask for more and more near places, until enough of them are earlier."""
    m, count = neighbours.shape[1], min(tree.n, 2 * neighbours.shape[1] + 8)

    def fill(part: slice) -> Integers:
        """Fill in the neighbours of some rows, and return the rows that have too few near earlier places."""
        index = rows[part]
        near = tree.query(vectors[index], k=count)[1].reshape(len(index), -1)
        earlier = near < index[:, np.newaxis]
        enough = earlier.sum(axis=1) >= m
        # A stable sort of "not earlier" moves the earlier places to the front, nearest first.
        order = np.argsort(~earlier[enough], axis=1, kind="stable")[:, :m]
        neighbours[index[enough]] = np.take_along_axis(near[enough], order, axis=1)
        return index[~enough]

    while rows.size:
        rest: list[Integers] = []
        run_in_threads(fill, row_blocks(rows.size, count), n_jobs, partial(_append, rest))
        rows, count = np.concatenate(rest), min(tree.n, 2 * count)


def _append(results: list[Any], part: slice, result: Any) -> None:
    """Collect the result of a block."""
    results.append(result)


class NeighbourGP:
    """The product of conditional densities of observations at ordered places (n, 3) with weights (n,)."""

    def __init__(self, vectors: FloatArray, weight: FloatArray, n_neighbors: int, n_jobs: int | None = None) -> None:
        self.vectors, self.weight, self.n_jobs = vectors, weight, n_jobs
        self.neighbours = earlier_neighbours(vectors, n_neighbors, n_jobs)
        self._pairs = place_pairs(self.neighbours.shape[1] + 1)
        n_values = len(vectors) * self._pairs.first.size
        self._blocks = _blocks(len(vectors), self.neighbours.shape[1])
        self._chords: dict[int, FloatArray] | None = {} if n_values <= _CACHED_VALUES else None

    def gram(self, columns: FloatArray, length: float, smoothness: float, ratio: float) -> Gram:
        """Inner products of columns (n, k), with derivatives."""
        n_columns = columns.shape[1]
        parts: list[Gram] = []

        def block(rows: slice) -> Gram:
            """The inner products of a block of rows."""
            return self._block_gram(rows, columns, (length, smoothness), ratio)

        run_in_threads(block, self._blocks, self.n_jobs, partial(_append, parts))
        # The parts are added in the order of the blocks: the sum does not depend on the threads.
        return Gram(
            sum((part.products for part in parts), np.zeros((n_columns, n_columns))),
            sum(part.log_determinant for part in parts),
            sum((part.products_slopes for part in parts), np.zeros((2, n_columns, n_columns))),
            sum((part.log_determinant_slopes for part in parts), np.zeros(2)),
        )

    def _block_gram(self, rows: slice, columns: FloatArray, kernel: tuple[float, float], ratio: float) -> Gram:
        """The part of some observations in the products of all columns, and its derivatives."""
        near, pairs = self.neighbours[rows], self._pairs
        value, slope = matern_with_slope(self._block_chords(rows), *kernel)
        absent = near < 0
        noise = np.where(absent, 0.0, ratio / self.weight[near])
        own_noise = ratio / self.weight[rows]
        system, cross = _system(pairs, value, noise, absent)
        slope_system, slope_cross = pairs.matrices(slope)
        given = np.where(absent[:, :, np.newaxis], 0.0, columns[near])
        solved = np.linalg.solve(system, np.concatenate([cross[:, :, np.newaxis], given], axis=2))
        weights, solved = solved[:, :, 0], solved[:, :, 1:]
        share = np.maximum(1.0 + own_noise - np.einsum("ij,ij->i", cross, weights), _MIN_SHARE)
        residual = columns[rows] - np.einsum("ij,ijk->ik", weights, given)
        # Derivatives of C^-1 follow from those of C. ``change`` is d(cross) - d(system) @ weights. Absent neighbours
        # have weights of zero.
        by_length = np.where(absent, 0.0, slope_cross - np.einsum("ijk,ik->ij", slope_system, weights))
        by_ratio = -noise * weights
        share_slopes = (
            -np.einsum("ij,ij->i", np.where(absent, 0.0, slope_cross) + by_length, weights),
            own_noise - np.einsum("ij,ij->i", by_ratio, weights),
        )
        scaled = residual / share[:, np.newaxis]
        slopes = []
        for change, share_slope in zip((by_length, by_ratio), share_slopes, strict=True):
            half = -np.einsum("ij,ijk->ik", change, solved).T @ scaled
            slopes.append(half + half.T - (scaled * share_slope[:, np.newaxis]).T @ scaled)
        determinant_slopes = np.array([(slope / share).sum() for slope in share_slopes])
        return Gram(residual.T @ scaled, float(np.log(share).sum()), np.stack(slopes), determinant_slopes)

    def _block_chords(self, rows: slice) -> FloatArray:
        """Chords (b, pairs) between the neighbours of rows and the row itself, which is the last of its group."""
        if self._chords is not None and rows.start in self._chords:
            return self._chords[rows.start]
        near = self.vectors[self.neighbours[rows]]
        chords = self._pairs.chords(np.concatenate([near, self.vectors[rows][:, np.newaxis]], axis=1))
        if self._chords is not None:
            self._chords[rows.start] = chords
        return chords


class PlacePairs(NamedTuple):
    """The pairs of q places: functions of their distance are computed once for each pair.

    The last place is the one that depends on the others. ``table`` (q - 1, q - 1) has the number of each pair of the
    others; its diagonal has no meaning.
    """

    first: Integers
    second: Integers
    table: Integers
    last: Integers  # numbers (q - 1,) of the pairs with the last place

    def chords(self, vectors: FloatArray) -> FloatArray:
        """Chords (b, pairs) of groups of places (b, q, 3).

        Differences of vectors keep the digits of near places; 2 - 2 cos would lose half of them.
        """
        square = np.zeros((len(vectors), self.first.size))
        # One axis at a time: an array (b, pairs, 3) would take three times the memory.
        for axis in range(3):
            column = vectors[:, :, axis]
            difference = column[:, self.first] - column[:, self.second]
            square += np.square(difference, out=difference)
        return np.sqrt(square, out=square)

    def matrices(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Symmetric matrices (b, q - 1, q - 1) of values (b, pairs), with zeros on the diagonal; values of the last."""
        full = values[:, self.table.ravel()].reshape(len(values), *self.table.shape)
        diagonal = np.arange(len(self.table))
        full[:, diagonal, diagonal] = 0.0
        return full, values[:, self.last]


@cache
def place_pairs(size: int) -> PlacePairs:
    """The pairs of groups of ``size`` places."""
    first, second = np.tril_indices(size, -1)
    table = np.zeros((size, size), dtype=np.intp)
    table[first, second] = table[second, first] = np.arange(first.size)
    return PlacePairs(first, second, table[:-1, :-1], table[-1, :-1])


def _blocks(n_rows: int, n_neighbors: int) -> list[slice]:
    """Blocks of rows whose matrices stay in the cache of a core."""
    return row_blocks(n_rows, (n_neighbors + 1) ** 2, _BLOCK_VALUES)


def _system(
    pairs: PlacePairs, value: FloatArray, noise: FloatArray, absent: npt.NDArray[np.bool_] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Covariance (b, m, m) of the neighbours with their noise, and correlations (b, m) with the row, the last place.

    An absent neighbour has no correlation with anything.
    """
    system, cross = pairs.matrices(value)
    if absent is not None and absent.any():
        system *= ~(absent[:, :, np.newaxis] | absent[:, np.newaxis, :])
        cross = np.where(absent, 0.0, cross)
    diagonal = np.arange(system.shape[1])
    system[:, diagonal, diagonal] = 1.0 + noise
    return system, cross


class Conditional(NamedTuple):
    """Data that predictions are conditioned on: places (n, 3), columns (n, k), noise (n,) over the variance."""

    vectors: FloatArray
    columns: FloatArray
    noise: FloatArray


def condition_on_nearest(
    data: Conditional,
    kernel: tuple[float, float],
    places: FloatArray,
    n_neighbors: int,
    n_jobs: int | None = None,
    advance: Advance = no_progress,
) -> tuple[FloatArray, FloatArray]:
    """Means (b, k) of the columns at places (b, 3) given their nearest data, and the variances (b,) that are left.

    ``kernel`` is (length, smoothness). Variances are over the variance of the field.
    """
    tree, m = cKDTree(data.vectors), min(n_neighbors, len(data.vectors))
    means, variance = np.empty((len(places), data.columns.shape[1])), np.empty(len(places))

    def fill(rows: slice) -> None:
        """Means and variances of a block of places."""
        near, weights, variance[rows] = _nearest_weights(tree, data, kernel, places[rows], m)
        means[rows] = np.einsum("ij,ijk->ik", weights, data.columns[near])

    fill_in_threads(fill, _blocks(len(places), m), n_jobs, advance)
    return means, variance


def _nearest_weights(
    tree: cKDTree, data: Conditional, kernel: tuple[float, float], places: FloatArray, n_neighbors: int
) -> tuple[Integers, FloatArray, FloatArray]:
    """Numbers (b, m) of the nearest data of places (b, 3), their weights (b, m) in the mean, and the variances left."""
    near: Integers = np.asarray(tree.query(places, k=n_neighbors)[1]).reshape(-1, n_neighbors)
    group = np.concatenate([data.vectors[near], places[:, np.newaxis]], axis=1)
    pairs = place_pairs(n_neighbors + 1)
    system, cross = _system(pairs, matern(pairs.chords(group), *kernel), data.noise[near])
    weights: Any = np.linalg.solve(system, cross[:, :, np.newaxis])[:, :, 0]
    return near, weights, np.asarray(1.0 - np.einsum("ij,ij->i", weights, cross))


def covariance_given_nearest(
    data: Conditional, kernel: tuple[float, float], places: FloatArray, n_neighbors: int, n_jobs: int | None = None
) -> FloatArray:
    """Covariance (p, p) of the errors of :func:`condition_on_nearest` at places (p, 3), over the variance of the field.

    The error at a place is ``field - weights @ data``: a linear function of the field and of the noise, whose
    covariance is known. It is positive semi-definite, and its diagonal has the variances of the predictions.
    """
    tree, m = cKDTree(data.vectors), min(n_neighbors, len(data.vectors))
    near, weights = np.empty((len(places), m), dtype=np.intp), np.empty((len(places), m))

    def fill(rows: slice) -> None:
        """The nearest data of a block of places, and their weights."""
        near[rows], weights[rows], _ = _nearest_weights(tree, data, kernel, places[rows], m)

    fill_in_threads(fill, _blocks(len(places), m), n_jobs)
    used, number = np.unique(near, return_inverse=True)
    vectors, noise = data.vectors[used], data.noise[used]
    entries = (weights.ravel(), (np.repeat(np.arange(len(places)), m), number.ravel()))
    table: Any = sparse.csc_array(entries, shape=(len(places), len(used)))
    covariance = matern(cdist(places, places), *kernel)
    # A block of the data that are used: its covariance with all of them is never in memory as a whole.
    for rows in row_blocks(len(used), len(used) + len(places)):
        part = table[:, rows]
        cross = part @ matern(cdist(vectors[rows], places), *kernel)
        explained = (table @ matern(cdist(vectors, vectors[rows]), *kernel)).T
        covariance += part @ (explained + (part * noise[rows]).T.toarray()) - cross - cross.T
    return covariance


def draw_prior(
    vectors: FloatArray, kernel: tuple[float, float], n_neighbors: int, noise: FloatArray, n_jobs: int | None = None
) -> FloatArray:
    """Fields (p, k) of variance 1 at places (p, 3) without data, from white noise (p, k).

    Each place is drawn given its nearest earlier places in random order: ``(I - weights) field = sqrt(share) * noise``.
    """
    p = len(vectors)
    order = np.random.RandomState(1).permutation(p)
    factor, share = prior_factor(
        vectors[order], kernel, earlier_neighbours(vectors[order], n_neighbors, n_jobs), n_jobs
    )
    # The matrix is triangular: without pivots and reordering its factor is the matrix itself.
    solver = splu(factor, permc_spec="NATURAL", diag_pivot_thresh=0.0)
    fields = np.empty_like(noise)
    fields[order] = solver.solve(np.sqrt(share)[:, np.newaxis] * noise[order])
    return fields


def prior_factor(
    vectors: FloatArray, kernel: tuple[float, float], earlier: Integers, n_jobs: int | None = None
) -> tuple[sparse.csc_array, FloatArray]:
    """The lower triangular matrix ``I - weights`` (p, p) of a field at places (p, 3), and the shares (p,).

    Each place depends on its earlier neighbours (p, m): ``(I - weights) field`` is white noise with the variances
    ``share``, over the variance of the field.
    """
    p = len(vectors)
    weights, share, pairs = np.empty(earlier.shape), np.empty(p), place_pairs(earlier.shape[1] + 1)

    def fill(rows: slice) -> None:
        """The weights and shares of a block of places."""
        near = earlier[rows]
        group = np.concatenate([vectors[near], vectors[rows][:, np.newaxis]], axis=1)
        jitter = np.where(near < 0, 0.0, JITTER)
        system, cross = _system(pairs, matern(pairs.chords(group), *kernel), jitter, near < 0)
        weights[rows] = np.linalg.solve(system, cross[:, :, np.newaxis])[:, :, 0]
        # The field has the jitter at the place itself, too.
        share[rows] = np.maximum(1.0 + JITTER - np.einsum("ij,ij->i", weights[rows], cross), JITTER)

    fill_in_threads(fill, _blocks(p, earlier.shape[1]), n_jobs)
    row, neighbour = np.nonzero(earlier >= 0)
    entries = (weights[row, neighbour], (row, earlier[row, neighbour]))
    return sparse.csc_array(sparse.eye_array(p) - sparse.csc_array(entries, shape=(p, p))), share
