"""Kernel: noisy observations that are close to each other, taken together before predictions.

A prediction from the nearest 40 of a million noisy observations averages the noise of 40 observations only, although
the field may hardly vary among thousands. The mean of a group of observations is an observation at its centre. It has
the noise of a mean, and an error that the kernel gives: the mean of the field over the group is not the field at the
centre. Where this error is small beside the noise, the group loses next to nothing.
"""

import numpy as np
from scipy.spatial import cKDTree

from skgeo._kernels.gp_likelihood import Observations
from skgeo._kernels.matern import matern
from skgeo._kernels.neighbour_gp import Conditional, place_pairs
from skgeo._kernels.threads import row_blocks
from skgeo._typing import FloatArray, Integers

# The error of a group is at most this share of its noise. Errors of near groups have one sign where the field has a
# peak: they do not average as noise does. With 40 neighbours, a tenth was too much, and a hundredth was best.
_MAX_ERROR_SHARE = 0.01
# Largest number of observations in a group.
_MAX_GROUP = 64
# Groups are looked for if, among this number of observations, one in a hundred could be joined to its neighbour.
_N_TRIED = 1000
_MIN_SHARE_JOINED = 0.01


def group_observations(data: Observations, kernel: tuple[float, float], ratio: float) -> Conditional:
    """Groups of observations: their centres (g, 3), the means of their columns, and their noise over the variance.

    A tree halves the places again and again. Its largest parts whose error is small become groups; ``kernel`` is
    (length, smoothness).
    """
    n = len(data.vectors)
    if not _worth_while(data, kernel, ratio):
        return Conditional(data.vectors, data.columns, ratio / data.weight)
    part, order = _halve(data.vectors)
    vectors, columns, weight = data.vectors[order], data.columns[order], data.weight[order]
    # Rows are joined up to this level of the tree, from the leaves, and the group of a row has this error.
    joined, error = np.zeros(n, dtype=np.intp), np.zeros(n)
    for level in range(1, _MAX_GROUP.bit_length()):
        first = _first_rows(part >> level)
        sizes = np.diff(np.append(first, n))
        # A part can be a group if both of its halves are.
        possible = np.minimum.reduceat(joined, first) == level - 1
        for size in np.unique(sizes[possible]).tolist():
            rows = first[possible & (sizes == size)][:, np.newaxis] + np.arange(size)
            found = _errors(vectors[rows], weight[rows], kernel)
            small = found <= _MAX_ERROR_SHARE * ratio / weight[rows].sum(axis=1)
            joined[rows[small]] = level
            error[rows[small]] = found[small, np.newaxis]
    # Numbers of groups: two rows are in one group if they have the same part at the same level.
    first = _first_rows(((part >> joined) << joined) * (_MAX_GROUP.bit_length() + 1) + joined)
    total = np.add.reduceat(weight, first)
    shares = (weight / np.repeat(total, np.diff(np.append(first, n))))[:, np.newaxis]
    centres, means = np.add.reduceat(shares * vectors, first), np.add.reduceat(shares * columns, first)
    return Conditional(_on_sphere(centres), means, ratio / total + error[first])


def _worth_while(data: Observations, kernel: tuple[float, float], ratio: float) -> bool:
    """Whether some of the observations could be joined to their neighbours; places are in random order."""
    if len(data.vectors) <= _MAX_GROUP:
        return False
    tried = data.vectors[:_N_TRIED]
    near = np.asarray(cKDTree(data.vectors).query(tried, k=2)[1])
    errors = _errors(data.vectors[near], data.weight[near], kernel)
    return bool(np.mean(errors <= _MAX_ERROR_SHARE * ratio / data.weight[near].sum(axis=1)) >= _MIN_SHARE_JOINED)


def _errors(vectors: FloatArray, weight: FloatArray, kernel: tuple[float, float]) -> FloatArray:
    """Variances (g,) of the mean of the field over groups of places (g, s, 3) less the field at their centres."""
    n_groups, size = weight.shape
    pairs, errors = place_pairs(size + 1), np.empty(n_groups)
    for rows in row_blocks(n_groups, (size + 1) ** 2):
        shares = weight[rows] / weight[rows].sum(axis=1, keepdims=True)
        centres = _on_sphere(np.einsum("gs,gsi->gi", shares, vectors[rows]))
        group = np.concatenate([vectors[rows], centres[:, np.newaxis]], axis=1)
        between, to_centre = pairs.matrices(matern(pairs.chords(group), *kernel))
        within = np.square(shares).sum(axis=1) + np.einsum("gs,gst,gt->g", shares, between, shares)
        errors[rows] = within - 2.0 * np.einsum("gs,gs->g", shares, to_centre) + 1.0
    return np.maximum(errors, 0.0)


def _halve(vectors: FloatArray) -> tuple[Integers, Integers]:
    """The leaves (n,) of places in a binary tree, ascending, and the places (n,) in the order of their leaves.

    Each level halves each part across the axis along which it is widest. The part of a leaf at a level is the number of
    the leaf without its last binary digits.
    """
    n = len(vectors)
    part, order = np.zeros(n, dtype=np.intp), np.arange(n)
    for _ in range((n - 1).bit_length()):
        first = _first_rows(part)
        sizes = np.diff(np.append(first, n))
        placed = vectors[order]
        widest = np.argmax(np.maximum.reduceat(placed, first) - np.minimum.reduceat(placed, first), axis=1)
        along = placed[np.arange(n), np.repeat(widest, sizes)]
        order = order[np.lexsort((along, part))]
        rank = np.arange(n) - np.repeat(first, sizes)
        part = 2 * part + (rank >= np.repeat((sizes + 1) // 2, sizes))
    return part, order


def _first_rows(number: Integers) -> Integers:
    """The first row of each run of equal numbers."""
    return np.flatnonzero(np.append(True, np.diff(number) != 0))


def _on_sphere(vectors: FloatArray) -> FloatArray:
    """Vectors (g, 3) scaled to length one."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
