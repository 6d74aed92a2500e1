"""Kernel: equal-area blocks on the sphere, the frame in which they are laid out, and balanced folds of them."""

import heapq
import math

import numpy as np
import numpy.typing as npt

from skgeo._typing import FloatArray

Integers = npt.NDArray[np.int64]

# Eigenvalues of a second moment with trace 1, and skewnesses, that differ by less are equal to rounding.
_EQUAL_MOMENTS = 1e-9
# Folds whose sums of squares grow by amounts this close, relative to the smallest, are equally good.
_EQUAL_GROWTH = 1e-9
# Points within this fraction of a block before an edge lie on it: rounding must not decide about symmetric data.
_EDGE_TOLERANCE = 1e-9


def band_counts(n_blocks: int) -> Integers:
    """Numbers of blocks in the bands of latitude, north to south, of a partition of the sphere into equal areas.

    The recursive zonal partition of Leopardi (2006), Electronic Transactions on Numerical Analysis 25, 309-327: a cap
    of one block at either pole and bands of blocks about as wide as high. The number of bands is odd, so that the
    equator is the middle of a band.
    """
    if n_blocks < 3:
        return np.ones(n_blocks, dtype=np.int64)
    cap = 2.0 * math.asin(math.sqrt(1.0 / n_blocks))
    height = math.sqrt(4.0 * math.pi / n_blocks)
    between = math.pi - 2.0 * cap
    n_bands = 2 * math.floor(between / height / 2.0) + 1
    colatitude = cap + between * np.arange(n_bands + 1) / n_bands
    # Whole numbers of blocks whose running sum stays within half a block of the ideal one.
    ideal = n_blocks * np.sin(colatitude / 2.0) ** 2
    counts = np.diff(np.floor(ideal + 0.5).astype(np.int64))
    return np.concatenate([[1], counts, [1]])


def band_edges(counts: Integers) -> FloatArray:
    """Sines of latitude of the edges of bands, from 1 to -1: with these all blocks have the same area."""
    return 1.0 - 2.0 * np.concatenate([[0], np.cumsum(counts)]) / counts.sum()


def block_of(vectors: FloatArray, counts: Integers) -> Integers:
    """The block (n,) in which each unit vector (n, 3) lies, of a partition given by the counts of its bands.

    Blocks are numbered from north to south and in each band from west to east; longitude zero is the middle of one.
    """
    stop = np.cumsum(counts)
    above = (1.0 - vectors[:, 2]) / 2.0 * stop[-1]  # the area to the north, in blocks
    band = np.minimum(np.searchsorted(stop, above + _EDGE_TOLERANCE, side="right"), counts.size - 1)
    count = counts[band]
    turns = np.arctan2(vectors[:, 1], vectors[:, 0]) / (2.0 * np.pi)
    around = np.floor(turns * count + 0.5 + _EDGE_TOLERANCE).astype(np.int64) % count
    return (stop - counts)[band] + around


def own_frame(vectors: FloatArray) -> FloatArray:
    """The axes (3, 3), in rows, of a frame that rotates with the unit vectors (n, 3) when these are rotated.

    The first axis points to the middle of the data, the second along their larger spread. The axes are eigenvectors of
    the second moment, and third moments determine their signs. Where symmetry leaves an axis or a sign undetermined,
    the axes of the Earth determine it.
    """
    variance, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    variance, axes = variance[::-1], axes.T[::-1]
    frame = np.empty((3, 3))
    start = 0
    # Axes start:stop have equal eigenvalues: any rotation among them is an eigenbasis, and the Earth decides.
    for stop in (1, 2, 3):
        if stop == 3 or variance[stop - 1] - variance[stop] > _EQUAL_MOMENTS:
            frame[start:stop] = _nearest_to_earth(axes[start:stop])
            start = stop
    for axis in frame:
        skewness = float(np.mean((vectors @ axis) ** 3))
        axis *= np.sign(skewness if abs(skewness) > _EQUAL_MOMENTS else axis[_first_largest(np.abs(axis))])
    return frame


def _nearest_to_earth(span: FloatArray) -> FloatArray:
    """An orthonormal basis of the span of orthonormal rows, as close to the axes of the Earth as possible."""
    if len(span) == 1:
        return span
    basis: list[FloatArray] = []
    rest = span.T @ span  # the projection onto the part of the span without basis vectors yet
    for _ in span:
        axis = rest[_first_largest(np.linalg.norm(rest, axis=1))]
        basis.append(axis / np.linalg.norm(axis))
        rest = rest - np.outer(basis[-1], basis[-1] @ rest)
    return np.array(basis)


def _first_largest(values: FloatArray) -> int:
    """Index of the largest value; the first such index if several values lie within 1e-4 of it."""
    return int(np.argmax(values > values.max() - 1e-4))


def random_rotation(random: np.random.RandomState) -> FloatArray:
    """A rotation matrix (3, 3), drawn uniformly from all rotations.

    scipy's ``Rotation.random`` draws other rotations: the folds of a given ``random_state`` would change.
    """
    rotation, upper = np.linalg.qr(random.standard_normal((3, 3)))
    # The signs make the factorisation unique, and so the distribution uniform; the determinant excludes reflections.
    rotation *= np.sign(np.diag(upper))
    return np.asarray(rotation * np.linalg.det(rotation))


def balanced_folds(sizes: Integers, n_folds: int, order: npt.NDArray[np.intp] | None = None) -> npt.NDArray[np.intp]:
    """The fold of each block. The largest blocks go first, each to the fold that is smallest so far.

    Blocks of equal size go in the order of ``order``. Folds then differ in size by at most the largest block.
    scikit-learn's GroupKFold follows the same rule, but its unstable sort decides about blocks of equal size: with
    10 to 200 blocks of about 20 samples it made other folds in all of 200 trials, in 13 times the time.
    """
    order = np.arange(sizes.size) if order is None else order
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold_of = np.empty(sizes.size, dtype=np.intp)
    # The first entry of the heap is the smallest fold; the number decides among folds of equal size.
    heap = [(0, fold) for fold in range(n_folds)]
    for block, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        filled, fold = heap[0]
        fold_of[block] = fold
        heapq.heapreplace(heap, (filled + size, fold))
    return fold_of


def stratified_folds(blocks: npt.NDArray[np.intp], strata: npt.NDArray[np.intp], n_folds: int) -> npt.NDArray[np.intp]:
    """The fold of each block, so that every stratum is spread over the folds as evenly as blocks allow.

    ``blocks`` (n,) and ``strata`` (n, k) count from zero. A sample is in k strata, one of each column; no stratum
    occurs in two columns. The function minimises the sum over strata and folds of the squared share of the stratum
    that the fold holds: this sum is least when all shares are equal. Blocks go one by one to the fold where the sum
    grows least, those with the largest shares first.
    """
    # All samples together are one more stratum: it keeps the sizes of the folds equal.
    table = np.column_stack([strata, np.full(len(strata), strata.max() + 1)])
    n_strata = int(table.max()) + 1
    # One row for each pair of a block and a stratum that share samples, sorted by block.
    pairs, counts = np.unique((blocks[:, np.newaxis] * n_strata + table).ravel(), return_counts=True)
    block, stratum = np.divmod(pairs, n_strata)
    share = counts / np.bincount(stratum, counts, n_strata)[stratum]
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    # In single precision, blocks with equal shares have equal sums: rounding does not decide their order.
    held = np.add.reduceat(share**2, starts).astype(np.float32)
    parts = list(zip(np.split(stratum, starts[1:]), np.split(share, starts[1:]), strict=True))
    filled = np.zeros((n_folds, n_strata))
    fold_of = np.empty(len(parts), dtype=np.intp)
    for number in np.argsort(-held, kind="stable").tolist():
        where, shares = parts[number]
        growth = np.sum(filled[:, where] * shares, axis=1)
        # Growths that are equal to rounding are a tie: the first fold wins on every machine.
        fold = int(np.argmax(growth <= growth.min() * (1.0 + _EQUAL_GROWTH)))
        filled[fold, where] += shares
        fold_of[number] = fold
    return fold_of
