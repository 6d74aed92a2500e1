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


class Eigenbasis(NamedTuple):
    """Components in rows (r, D), their variances (r,), and the sizes that split no group of equal eigenvalues."""

    components: FloatArray
    variance: FloatArray
    whole_sizes: npt.NDArray[np.int_]


def canonical_eigenbasis(covariance: FloatArray, mean_square: float) -> Eigenbasis:
    """All resolvable eigenvectors of a covariance (D - 1, D - 1), largest first, the same on every machine.

    The constant harmonic, which has no variance, is left out: column j belongs to harmonic j + 1.
    ``mean_square`` is the squared norm of the mean that was subtracted: it sets the rounding of the covariance.
    """
    values, vectors = linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    floor = _RESOLUTION * degree_of(values.size + 1) * (values[0] + mean_square)
    groups = [slice(0, 0)] + [group for group in _groups(values, floor) if values[group.stop - 1] > floor]
    rank = groups[-1].stop
    components = np.vstack([_canonical_rows(vectors[:, group]) for group in groups])
    variance = np.einsum("rd,dr->r", components, covariance @ components.T)
    return Eigenbasis(components, variance, _whole_sizes(components, groups[1:], rank))


def _groups(values: FloatArray, floor: float) -> list[slice]:
    """Runs of descending eigenvalues in which each is indistinguishable from the one before."""
    gaps = values[:-1] - values[1:]
    breaks = np.flatnonzero(gaps > np.maximum(_EQUAL * np.abs(values[:-1]), floor)) + 1
    bounds = [0, *breaks.tolist(), values.size]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _canonical_rows(span: FloatArray) -> FloatArray:
    """An orthonormal basis of the span of some columns (D, g), as rows, chosen without regard to their rotation.

    Again and again take the direction of the harmonic of which the remaining span holds most, and deflate.
    """
    n_harmonics, size = span.shape
    if size == n_harmonics:  # the span is the whole space: the rule ends at the harmonics themselves
        return np.eye(size)
    rows = np.empty((size, n_harmonics))
    for i in range(size):
        held = np.einsum("dg,dg->d", span, span)
        harmonic = int(np.argmax(held >= held.max(initial=0.0) * (1.0 - _TIE)))
        if i < size - 1:
            span, direction = _deflate(span, span[harmonic])
        else:
            direction = span[:, 0] * np.sign(span[harmonic, 0])
        rows[i] = _positive(direction)
    return rows


def _deflate(span: FloatArray, inside: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split an orthonormal span into the direction ``span @ inside`` and its complement, by one reflection."""
    unit = inside / np.linalg.norm(inside)
    mirror = unit.copy()
    mirror[0] += np.copysign(1.0, unit[0])
    mirror /= np.linalg.norm(mirror)
    reflected = span - 2.0 * np.outer(span @ mirror, mirror)
    return reflected[:, 1:], span @ unit


def _positive(row: FloatArray) -> FloatArray:
    """Flip the row so that the first of its entries that ties for the largest is positive."""
    size = np.abs(row)
    return row * np.copysign(1.0, row[np.argmax(size >= size.max() * (1.0 - _TIE))])


def _whole_sizes(components: FloatArray, groups: list[slice], rank: int) -> npt.NDArray[np.int_]:
    """Numbers of components that cut through no group; pure harmonics may also be cut between degrees."""
    pure = np.abs(components).max(axis=1, initial=0.0) >= 1.0 - _EQUAL
    degree = np.sqrt(1 + np.argmax(np.abs(components), axis=1)).astype(int)
    between = 1 + np.flatnonzero(pure[:-1] & pure[1:] & (degree[:-1] < degree[1:]))
    sizes = {group.stop for group in groups}
    for group in groups:
        inside = between[(between > group.start) & (between < group.stop)]
        if pure[group].all():
            sizes.update(inside.tolist())
    return np.array(sorted(sizes | {rank}), dtype=int)
