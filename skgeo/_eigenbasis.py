"""Kernel: mean and covariance -> canonical, rank-checked eigenbasis.

Equal eigenvalues leave eigenvectors undefined up to rotation, and eigenvalues below rounding leave them to noise.
Here equal eigenvalues form groups whose basis is chosen by a rule that rounding cannot sway, and directions
that rounding decides are left out.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg

from skgeo._harmonics import FloatArray, degree_of

# An eigenvector is known to (rounding of the covariance) / (distance to the next eigenvalue). The rounding was measured
# at 1e-16 to 2e-16 times the degree, relative to the mean square of the harmonics along their largest direction; to
# reproduce a component to 1e-6, eigenvalues closer than this times the degree (or as close to zero) count as equal.
_RESOLUTION = 2e-10
_EQUAL = 1e-6
_TIE = 1e-4
# Eigenvalues to look at beyond those wanted, to see where their last group ends.
_MARGIN = 32


class Eigenbasis(NamedTuple):
    """Components in rows (r, D), their variances (r,), and the sizes that split no group of equal eigenvalues."""

    components: FloatArray
    variance: FloatArray
    whole_sizes: npt.NDArray[np.int_]


def canonical_eigenbasis(
    covariance: FloatArray,
    mean_square: float,
    *,
    n_wanted: int | None = None,
    blocks: list[npt.NDArray[np.int_]] | None = None,
) -> Eigenbasis:
    """Resolvable eigenvectors of a covariance (D - 1, D - 1), largest first, the same on every machine.

    The constant harmonic, which has no variance, is left out: column j belongs to harmonic j + 1. ``mean_square`` is
    the squared norm of the mean that was subtracted: it sets the rounding of the covariance. ``n_wanted`` is how many
    components are needed; at least these are found, None finds all. ``blocks`` are the columns of the diagonal blocks
    into which the covariance falls apart, if it does.
    """
    n_harmonics = covariance.shape[0]
    wanted = n_harmonics if n_wanted is None else n_wanted
    count = wanted + _MARGIN if blocks is None and 4 * wanted + _MARGIN < n_harmonics else n_harmonics
    while True:
        values, vectors = _leading(covariance, count, blocks)
        floor = _RESOLUTION * degree_of(n_harmonics + 1) * (values[0] + mean_square)
        groups = _groups(values, floor)
        if count < n_harmonics:
            groups.pop()  # its end is not in sight
        if count == n_harmonics or values[-1] <= floor or (groups and groups[-1].stop >= wanted):
            break
        count = min(2 * count, n_harmonics)
    groups = [group for group in groups if values[group.stop - 1] > floor]
    rows = [_canonical_rows(vectors[:, group]) for group in groups]
    components = np.vstack([np.empty((0, n_harmonics)), *rows])
    spread = [np.square(row @ vectors[:, group]) @ values[group] for row, group in zip(rows, groups, strict=True)]
    return Eigenbasis(components, np.concatenate([np.empty(0), *spread]), _whole_sizes(components, groups))


def _leading(
    covariance: FloatArray, count: int, blocks: list[npt.NDArray[np.int_]] | None
) -> tuple[FloatArray, FloatArray]:
    """The ``count`` largest eigenvalues, descending, and their eigenvectors in columns."""
    size = covariance.shape[0]
    if blocks is None:
        subset = None if count == size else (size - count, size - 1)
        values, vectors = linalg.eigh(covariance, subset_by_index=subset, driver="evd" if subset is None else "evr")
        return values[::-1], vectors[:, ::-1]
    values, vectors = np.empty(size), np.zeros((size, size))
    start = 0
    for block in blocks:
        columns = slice(start, start + block.size)
        values[columns], vectors[block, columns] = linalg.eigh(covariance[np.ix_(block, block)])
        start += block.size
    order = np.argsort(values, kind="stable")[::-1]
    return values[order], vectors[:, order]


def _groups(values: FloatArray, floor: float) -> list[slice]:
    """Runs of descending eigenvalues in which each is indistinguishable from the one before."""
    gaps = values[:-1] - values[1:]
    breaks = np.flatnonzero(gaps > np.maximum(_EQUAL * np.abs(values[:-1]), floor)) + 1
    bounds = [0, *breaks.tolist(), values.size]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _canonical_rows(span: FloatArray) -> FloatArray:
    """An orthonormal basis of the span of some columns (D, g), as rows, chosen without regard to their rotation.

    Again and again take the direction of the harmonic of which the remaining span holds most, and deflate. The entry of
    that harmonic, the largest up to ties, comes out positive.
    """
    n_harmonics, size = span.shape
    if size == n_harmonics:  # the span is the whole space: the rule ends at the harmonics themselves
        return np.eye(size)
    rows = np.empty((size, n_harmonics))
    for i in range(size):
        held = np.einsum("dg,dg->d", span, span)
        harmonic = int(np.argmax(held >= held.max() * (1.0 - _TIE)))
        span, rows[i] = _deflate(span, span[harmonic])
    return rows


def _deflate(span: FloatArray, inside: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split an orthonormal span into the direction ``span @ inside`` and its complement, by one reflection."""
    unit = inside / np.linalg.norm(inside)
    mirror = unit.copy()
    mirror[0] += np.copysign(1.0, unit[0])
    mirror /= np.linalg.norm(mirror)
    reflected = span - 2.0 * np.outer(span @ mirror, mirror)
    return reflected[:, 1:], span @ unit


def _whole_sizes(components: FloatArray, groups: list[slice]) -> npt.NDArray[np.int_]:
    """Numbers of components that cut through no group; pure harmonics may also be cut between degrees."""
    pure = np.abs(components).max(axis=1, initial=0.0) >= 1.0 - _EQUAL
    degree = np.sqrt(1 + np.argmax(np.abs(components), axis=1)).astype(int)
    between = 1 + np.flatnonzero(pure[:-1] & pure[1:] & (degree[:-1] < degree[1:]))
    sizes = {group.stop for group in groups}
    for group in groups:
        inside = between[(between > group.start) & (between < group.stop)]
        if pure[group].all():
            sizes.update(inside.tolist())
    return np.array(sorted(sizes | {components.shape[0]}), dtype=int)
