"""Kernel: mean and covariance -> canonical, rank-checked eigenbasis.

Equal eigenvalues leave eigenvectors undefined up to rotation, and eigenvalues below rounding leave them to noise.
Here equal eigenvalues form groups whose basis is chosen by a rule that rounding cannot sway, and directions
that rounding decides are left out.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.linalg import lapack

from skgeo._kernels.harmonics import degree_of
from skgeo._typing import FloatArray

# An eigenvector is known to (rounding of the covariance) / (distance to the next eigenvalue). The rounding was measured
# at 1e-16 to 2e-16 times the degree, relative to the mean square of the harmonics along their largest direction.
# Eigenvalues that are no further from zero than this times the degree, or from one so close to zero, are rounding.
_RESOLUTION = 1e-9
# To reproduce a component to 1e-7 everywhere in the domain, corners included, eigenvalues closer than so many times
# the above count as equal: a margin of ten to the 1e-6 that is promised, see benchmarks/reproducibility.py.
_APART = 5.0
_EQUAL_RELATIVE = 1e-6
_TIE_RELATIVE = 1e-4
# Up to this share of all eigenvectors it is faster to find them one by one than all together.
_RECOMPUTE_BELOW_SHARE = 1.0 / 3.0


class Eigenbasis(NamedTuple):
    """Leading components in rows (r, D) and their variances (r,); how many there are; sizes that split no group."""

    components: FloatArray
    variance: FloatArray
    n_supported: int
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
    the squared norm of the mean that was subtracted: it sets the rounding of the covariance. At least ``n_wanted``
    components are found, if the domain supports so many; None finds all. ``blocks`` are the columns of the diagonal
    blocks into which the covariance falls apart, if it does.
    """
    n_harmonics = covariance.shape[0]
    wanted = n_harmonics if n_wanted is None else n_wanted
    if blocks is not None:
        values, leading = _solve_blocks(covariance, blocks)
    elif wanted <= _RECOMPUTE_BELOW_SHARE * n_harmonics:
        values, leading = _solve_few(covariance)
    else:
        values, leading = _solve_all(covariance)
    floor = _RESOLUTION * degree_of(n_harmonics + 1) * (values[0] + mean_square)
    n_supported = max((group.stop for group in _groups(values, floor) if values[group.stop - 1] > floor), default=0)
    groups = _groups(values[:n_supported], _APART * floor)
    vectors = leading(max((group.stop for group in groups if group.start < wanted), default=0))
    components, variance = [np.empty((0, n_harmonics))], [np.empty(0)]
    for group in groups:
        if group.start < wanted:
            # One more than wanted tells whether the cut is between degrees.
            rows, inside = _canonical_rows(vectors[:, group], min(group.stop, wanted + 1) - group.start)
            components.append(rows)
            variance.append(np.square(inside) @ values[group])
    found = np.vstack(components)
    return Eigenbasis(found, np.concatenate(variance), n_supported, _whole_sizes(found, groups))


Solution = tuple[FloatArray, Callable[[int], FloatArray]]
"""All eigenvalues, descending, and a function that gives so many leading eigenvectors in columns."""


def _solve_all(covariance: FloatArray) -> Solution:
    """By divide and conquer."""
    values, vectors = linalg.eigh(covariance, driver="evd")
    return values[::-1], lambda count: vectors[:, ::-1][:, :count]


def _solve_few(covariance: FloatArray) -> Solution:
    """By way of a tridiagonal matrix, of which any number of leading eigenvectors can be found."""
    size = covariance.shape[0]
    work = int(lapack.dsytrd_lwork(size, lower=1)[0])
    reflectors, diagonal, beside, factors, _ = lapack.dsytrd(covariance, lower=1, lwork=work)

    def leading(count: int) -> FloatArray:
        if count > _RECOMPUTE_BELOW_SHARE * size:
            return _solve_all(covariance)[1](count)
        if count == 0:
            return np.empty((size, 0))
        chosen = (size - count, size - 1)
        vectors = linalg.eigh_tridiagonal(diagonal, beside, select="i", select_range=chosen)[1][:, ::-1]
        inner, below = np.asfortranarray(vectors[1:]), reflectors[1:, :-1]
        work = int(lapack.dormqr("L", "N", below, factors, inner, -1)[1][0])
        return np.vstack([vectors[:1], lapack.dormqr("L", "N", below, factors, inner, work)[0]])

    values = np.asarray(linalg.eigvalsh_tridiagonal(diagonal, beside), dtype=np.float64)
    return values[::-1], leading


def _solve_blocks(covariance: FloatArray, blocks: list[npt.NDArray[np.int_]]) -> Solution:
    """Block by block."""
    size = covariance.shape[0]
    values, vectors = np.empty(size), np.zeros((size, size))
    start = 0
    for block in blocks:
        columns = slice(start, start + block.size)
        values[columns], vectors[block, columns] = linalg.eigh(covariance[np.ix_(block, block)])
        start += block.size
    order = np.argsort(values, kind="stable")[::-1]
    return values[order], lambda count: vectors[:, order[:count]]


def _groups(values: FloatArray, floor: float) -> list[slice]:
    """Runs of descending eigenvalues in which each is indistinguishable from the one before."""
    gaps = values[:-1] - values[1:]
    breaks = np.flatnonzero(gaps > np.maximum(_EQUAL_RELATIVE * np.abs(values[:-1]), floor)) + 1
    bounds = [0, *breaks.tolist(), values.size]
    return [slice(start, stop) for start, stop in pairwise(bounds) if stop > start]


def _canonical_rows(span: FloatArray, n_rows: int) -> tuple[FloatArray, FloatArray]:
    """The first rows of an orthonormal basis of the span of some columns (D, g), whatever the rotation of these.

    Also the rows in terms of the columns (n_rows, g).
    Again and again take the direction of the harmonic of which the remaining span holds most. The entry of that
    harmonic, the largest up to ties, comes out positive.
    """
    n_harmonics, size = span.shape
    if size == n_harmonics:  # the span is the whole space: the rule ends at the harmonics themselves
        return np.eye(n_rows, size), span[:n_rows]
    rows = np.empty((n_rows, n_harmonics))
    held = np.einsum("dg,dg->d", span, span)
    for i in range(n_rows):
        harmonic = int(np.argmax(held >= held.max() * (1.0 - _TIE_RELATIVE)))
        taken = rows[:i]
        row = span @ span[harmonic] - taken[:, harmonic] @ taken
        row -= (taken @ row) @ taken
        rows[i] = row / np.linalg.norm(row)
        held -= np.square(rows[i])
    return rows, rows @ span


def _whole_sizes(components: FloatArray, groups: list[slice]) -> npt.NDArray[np.int_]:
    """Numbers of components that cut through no group; pure harmonics may also be cut between degrees."""
    pure = np.abs(components).max(axis=1, initial=0.0) >= 1.0 - _EQUAL_RELATIVE
    degree = np.sqrt(1 + np.argmax(np.abs(components), axis=1)).astype(int)
    between = 1 + np.flatnonzero(pure[:-1] & pure[1:] & (degree[:-1] < degree[1:]))
    sizes = {group.stop for group in groups}
    n_harmonics = components.shape[1]
    if sizes == {n_harmonics}:  # all harmonics alike, whole degrees of them
        return np.union1d(np.arange(2, degree_of(n_harmonics + 1) + 2) ** 2 - 1, [n_harmonics])
    for group in groups:
        inside = between[(between > group.start) & (between < group.stop)]
        if pure[group].all():
            sizes.update(inside.tolist())
    return np.array(sorted(sizes), dtype=int)
