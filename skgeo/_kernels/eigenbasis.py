"""Kernel: from a mean and a covariance to a unique eigenbasis of checked rank.

Equal eigenvalues leave eigenvectors undefined up to rotation, and eigenvalues below rounding leave them to noise.
Here equal eigenvalues form groups whose basis is chosen by a rule that rounding cannot sway, and directions
that rounding decides are left out.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from numbers import Integral
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.linalg import lapack

from skgeo._kernels.harmonics import degree_of
from skgeo._typing import FloatArray

# An eigenvector is known to (rounding of the covariance) / (distance to the next eigenvalue). The rounding was measured
# at 1e-16 to 2e-16 times the degree, relative to the mean square of the harmonics along their largest direction.
# Eigenvalues closer to zero than this times the degree are rounding, and so are eigenvalues as close to one of them.
_RESOLUTION = 1e-9
# Eigenvalues closer than this multiple of the resolution count as equal. A component is then reproduced to 1e-7
# everywhere in the domain, corners included: ten times better than the promised 1e-6 (benchmarks/reproducibility.py).
_MIN_GAP_RESOLUTIONS = 5.0
# Eigenvalues closer than this share of the larger count as equal, however large they are.
_EQUAL_RELATIVE = 1e-6
# Harmonics whose squared parts in a span are this close, relative to the largest, are tied: the first is chosen.
_TIE_RELATIVE = 1e-4
# The lengths of the projections onto the remaining span are updated for all harmonics after at most this number of
# rows.
_MAX_RECENT_ROWS = 32
# Up to this share of all eigenvectors, finding them one by one is faster than finding all together.
_RECOMPUTE_BELOW_SHARE = 1.0 / 3.0
# Tolerance when the cumulative variance is compared with the fraction that n_components asks for.
_ROUNDING = 1e-9


class Eigenbasis(NamedTuple):
    """Leading components in rows (r, D) and their variances (r,).

    ``n_supported`` is the number of components that the domain determines, found or not. ``whole_sizes`` are the
    numbers of components that separate no components with equal eigenvalues.
    """

    components: FloatArray
    variance: FloatArray
    n_supported: int
    whole_sizes: npt.NDArray[np.int_]


def canonical_eigenbasis(
    covariance: FloatArray,
    mean_square: float,
    *,
    n_wanted: int | None = None,
) -> Eigenbasis:
    """Resolvable eigenvectors of a covariance (D - 1, D - 1), largest first, the same on every machine.

    The constant harmonic, which has no variance, is left out: column j belongs to harmonic j + 1. ``mean_square`` and
    ``n_wanted`` are those of :func:`canonical_solution`.
    """
    solution = solve_matrix(covariance, n_wanted)
    return canonical_solution(solution, len(covariance), mean_square, n_wanted=n_wanted)


def canonical_solution(
    solution: "Solution", n_harmonics: int, mean_square: float, *, n_wanted: int | None = None
) -> Eigenbasis:
    """The unique basis of an eigenproblem of ``n_harmonics`` harmonics that has been solved.

    ``mean_square`` is the squared norm of the mean that was subtracted: it sets the rounding of the covariance. At
    least ``n_wanted`` components are found, or all that the domain supports if these are fewer; None finds all. The
    solution may lack eigenvalues that are rounding.
    """
    values, leading = solution
    wanted = n_harmonics if n_wanted is None else n_wanted
    # Eigenvalues below the floor are rounding: no component is made of them.
    floor = _RESOLUTION * degree_of(n_harmonics + 1) * (values[0] + mean_square)
    n_supported = max((group.stop for group in _groups(values, floor) if values[group.stop - 1] > floor), default=0)
    groups = _groups(values[:n_supported], _MIN_GAP_RESOLUTIONS * floor)
    groups_wanted = [group for group in groups if group.start < wanted]
    vectors = leading(max((group.stop for group in groups_wanted), default=0))
    # One component more than wanted tells whether the last wanted one ends a degree.
    n_found = min(vectors.shape[1], wanted + 1)
    components, variance = np.empty((n_found, n_harmonics)), np.empty(n_found)
    for group in groups_wanted:
        rows = slice(group.start, min(group.stop, n_found))
        components[rows], inside = _canonical_rows(vectors[:, group], rows.stop - rows.start)
        variance[rows] = np.square(inside) @ values[group]
    return Eigenbasis(components, variance, n_supported, _whole_sizes(components, groups))


def no_eigenbasis(n_harmonics: int) -> Eigenbasis:
    """The basis of a domain without weight."""
    return Eigenbasis(np.empty((0, n_harmonics - 1)), np.empty(0), 0, np.empty(0, dtype=int))


def number_wanted(n_components: int | float | str | None, shannon_number: float) -> int | None:
    """The number of components that ``n_components`` asks for, or None if it depends on their variances."""
    # The only text is "shannon": the nearest integer, and at least 1.
    if isinstance(n_components, str):
        return max(1, math.floor(shannon_number + 0.5 + _ROUNDING))
    return int(n_components) if isinstance(n_components, Integral) else None


def number_to_keep(
    n_components: int | float | str | None, shannon_number: float, shares: FloatArray, n_supported: int
) -> int:
    """The number of components that ``n_components`` keeps, given their shares of the variance.

    An integer may be larger than the number that the domain supports.
    """
    wanted = number_wanted(n_components, shannon_number)
    if wanted is not None:
        return min(wanted, n_supported) if isinstance(n_components, str) else wanted
    asked = math.inf if n_components is None else float(n_components) - _ROUNDING
    return min(1 + int(np.searchsorted(np.cumsum(shares), asked)), n_supported)


Solution = tuple[FloatArray, Callable[[int], FloatArray]]
"""All eigenvalues, descending, and a function that returns a given number of leading eigenvectors in columns."""


def solve_matrix(covariance: FloatArray, n_wanted: int | None = None) -> Solution:
    """Solve the eigenproblem of a covariance (D - 1, D - 1), with eigenvectors one by one if few are wanted."""
    few = n_wanted is not None and n_wanted <= _RECOMPUTE_BELOW_SHARE * covariance.shape[0]
    return _solve_few(covariance) if few else _solve_all(covariance)


def _solve_all(covariance: FloatArray) -> Solution:
    """All eigenvectors at once, by divide and conquer."""
    values, vectors = linalg.eigh(covariance, driver="evd")
    return values[::-1], lambda count: vectors[:, ::-1][:, :count]


def _solve_few(covariance: FloatArray) -> Solution:
    """All eigenvalues from a tridiagonal matrix, and from it as many leading eigenvectors as are needed."""
    size = covariance.shape[0]
    work = int(lapack.dsytrd_lwork(size, lower=1)[0])
    reflectors, diagonal, beside, factors, _ = lapack.dsytrd(covariance, lower=1, lwork=work)

    def leading(count: int) -> FloatArray:
        """The first ``count`` eigenvectors."""
        if count > _RECOMPUTE_BELOW_SHARE * size:
            return _solve_all(covariance)[1](count)
        if count == 0:
            return np.empty((size, 0))
        chosen = (size - count, size - 1)
        vectors = linalg.eigh_tridiagonal(diagonal, beside, select="i", select_range=chosen)[1][:, ::-1]
        # Apply the reflectors that made the matrix tridiagonal. They leave the first row as it is.
        inner, below = np.asfortranarray(vectors[1:]), reflectors[1:, :-1]
        work = int(lapack.dormqr("L", "N", below, factors, inner, -1)[1][0])
        return np.vstack([vectors[:1], lapack.dormqr("L", "N", below, factors, inner, work)[0]])

    values = np.asarray(linalg.eigvalsh_tridiagonal(diagonal, beside), dtype=np.float64)
    return values[::-1], leading


def solve_blocks(blocks: list[tuple[list[npt.NDArray[np.int_]], FloatArray]]) -> Solution:
    """Solve the eigenproblem of a covariance that is zero outside of diagonal blocks.

    Each block is a square matrix and the lists of columns (one or more) where the covariance has this matrix.
    """
    values, places, parts = [], [], []
    for number, (lists, block) in enumerate(blocks):
        of_block, vectors = linalg.eigh(block)
        for columns in lists:
            values.append(of_block)
            places += [(number, columns, i) for i in range(of_block.size)]
        parts.append(vectors)
    every = np.concatenate(values)
    order = np.argsort(every, kind="stable")[::-1]

    def leading(count: int) -> FloatArray:
        """The first ``count`` eigenvectors."""
        found = np.zeros((every.size, count))
        for column, place in enumerate(order[:count]):
            number, rows, i = places[place]
            found[rows, column] = parts[number][:, i]
        return found

    return every[order], leading


def _groups(values: FloatArray, floor: float) -> list[slice]:
    """Runs of descending eigenvalues in which each is indistinguishable from the one before."""
    gaps = values[:-1] - values[1:]
    breaks = np.flatnonzero(gaps > np.maximum(_EQUAL_RELATIVE * np.abs(values[:-1]), floor)) + 1
    bounds = [0, *breaks.tolist(), values.size]
    return [slice(start, stop) for start, stop in pairwise(bounds) if stop > start]


def _canonical_rows(span: FloatArray, n_rows: int) -> tuple[FloatArray, FloatArray]:
    """The first rows of an orthonormal basis of the span of columns (D, g), and their coefficients for these columns.

    The basis does not depend on a rotation of the columns. Each row is the projection onto the remaining span of the
    harmonic with the longest projection; its entry for this harmonic, the largest up to ties, is positive.
    """
    n_harmonics, size = span.shape
    # If the span is the whole space, the rows are the harmonics themselves.
    if size == n_harmonics:
        return np.eye(n_rows, size), span[:n_rows]
    mixing = np.empty((n_rows, size))
    held, n_removed = np.einsum("dg,dg->d", span, span), 0
    for i in range(n_rows):
        harmonic = _fullest(held, span, mixing[n_removed:i])
        # None: rows since the last update may decide between many harmonics.
        if harmonic is None:
            held -= np.square(span @ mixing[n_removed:i].T).sum(axis=1)
            n_removed = i
            harmonic = int(np.argmax(held >= held.max() * (1.0 - _TIE_RELATIVE)))
        taken = mixing[:i]
        row = span[harmonic] - (taken @ span[harmonic]) @ taken
        row -= (taken @ row) @ taken  # a second time, against rounding
        mixing[i] = row / np.linalg.norm(row)
    return mixing @ span.T, mixing


def _fullest(held: FloatArray, span: FloatArray, recent: FloatArray) -> int | None:
    """The harmonic that a span holds most of, without its part in some recent rows; the first of equal ones.

    ``held`` (D,) is how much of each harmonic the span held before these rows: an upper bound. Only harmonics whose
    bound reaches the most that remains are worked out. Returns None if there are many of them, or many recent rows.
    """
    if len(recent) > _MAX_RECENT_ROWS:
        return None
    n_first = min(_MAX_RECENT_ROWS, held.size)
    first = np.argpartition(held, -n_first)[-n_first:]
    least = float((held[first] - np.square(span[first] @ recent.T).sum(axis=1)).max())
    candidates = np.flatnonzero(held >= least * (1.0 - _TIE_RELATIVE))
    if candidates.size > max(_MAX_RECENT_ROWS, held.size // _MAX_RECENT_ROWS):
        return None
    remains = held[candidates] - np.square(span[candidates] @ recent.T).sum(axis=1)
    return int(candidates[np.argmax(remains >= remains.max() * (1.0 - _TIE_RELATIVE))])


def _whole_sizes(components: FloatArray, groups: list[slice]) -> npt.NDArray[np.int_]:
    """Numbers of components that separate no group; a group of pure harmonics may also end after each degree."""
    pure = np.abs(components).max(axis=1, initial=0.0) >= 1.0 - _EQUAL_RELATIVE
    degree = np.sqrt(1 + np.argmax(np.abs(components), axis=1)).astype(int)
    between = 1 + np.flatnonzero(pure[:-1] & pure[1:] & (degree[:-1] < degree[1:]))
    sizes = {group.stop for group in groups}
    n_harmonics = components.shape[1]
    # One group of all harmonics, as on the whole globe: whole degrees are the harmonics of degree 1, 1 to 2, and so on.
    if sizes == {n_harmonics}:
        return np.union1d(np.arange(2, degree_of(n_harmonics + 1) + 2) ** 2 - 1, [n_harmonics])
    for group in groups:
        inside = between[(between > group.start) & (between < group.stop)]
        if pure[group].all():
            sizes.update(inside.tolist())
    return np.array(sorted(sizes), dtype=int)
