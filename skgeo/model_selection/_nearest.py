"""Folds whose nearest-neighbour distances match those of the places to predict."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import wasserstein_distance
from sklearn.utils import check_random_state

from skgeo._kernels.clusters import nested_clusters
from skgeo._kernels.equal_area import balanced_folds
from skgeo._typing import FloatArray, Integers
from skgeo._validation import check_parameter, is_real
from skgeo.model_selection._base import (
    FoldSplitter,
    check_enough_places,
    check_n_splits,
    distinct_places,
    kd_tree,
    nearest_km,
    read_domain,
)
from skgeo.model_selection._blocks import RandomState

__all__ = ["DistanceMatch", "NearestNeighbourDistanceKFold"]

# Distances are measured from at most this number of samples: the standard error of their distribution is 0.5 %.
_MAX_MEASURED_SAMPLES = 10_000
# Folds are made for 16 numbers of clusters up to the largest number, and for one cluster at each place.
_N_CANDIDATES, _MAX_CLUSTERS = 16, 16_384
# From this number of clusters on, searching a tree of each fold is faster than a tree of all other folds.
_MIN_CLUSTERS_FOR_FOLD_TREES = 200


@dataclass(frozen=True, eq=False)
class DistanceMatch:
    """The result of ``match`` of :class:`~skgeo.model_selection.NearestNeighbourDistanceKFold`: folds and distances.

    Parameters
    ----------
    folds : ndarray of shape (n_samples,)
        The fold in which each sample is tested.
    n_clusters : int
        The number of clusters that the folds are made of.
    wasserstein_km : float
        The distance between the distributions of ``fold_km`` and ``prediction_km``, the smallest of all candidates.
    candidate_n_clusters : ndarray of shape (n_candidates,)
        The numbers of clusters that were tried. With the last number every place is a cluster, so the folds are random.
    candidate_wasserstein_km : ndarray of shape (n_candidates,)
        The distance between the distributions for each number of clusters; NaN if a fold was too large.
    prediction_km : ndarray of shape (n_locations,)
        Great-circle distance from each prediction location to the nearest sample, in km.
    prediction_weight : ndarray of shape (n_locations,)
        The weight of each location: the area of its cell, or 1.
    fold_km : ndarray of shape (n_measured,)
        Great-circle distance from samples, at most 10,000, to the nearest sample in another fold.
    sample_km : ndarray of shape (n_measured,)
        Great-circle distance from the same samples to the nearest other sample. Leave-one-out tests at this distance.

    Examples
    --------
    >>> from skgeo.model_selection import NearestNeighbourDistanceKFold
    >>> X = [[50, 0], [50, 1], [51, 1], [10, 20], [10, 21], [11, 20]]
    >>> match = NearestNeighbourDistanceKFold([[-20, 40]], n_splits=2).match(X)
    >>> match.n_clusters, match.prediction_km.round().tolist()
    (2, [3931.0])
    """

    folds: Integers
    n_clusters: int
    wasserstein_km: float
    candidate_n_clusters: Integers
    candidate_wasserstein_km: FloatArray
    prediction_km: FloatArray
    prediction_weight: FloatArray
    fold_km: FloatArray
    sample_km: FloatArray


class NearestNeighbourDistanceKFold(FoldSplitter):
    """K folds in which test samples are as far from training samples as the places to predict are from all samples.

    The meaning of a score depends on the distance between the predicted places and the data. Random folds test places
    close to samples, and blocks test places far from samples. A map has both kinds of places, in proportions that
    depend on the samples. This splitter clusters the samples and merges clusters into folds. It chooses the number of
    clusters for which two distributions are closest: the nearest-neighbour distances between folds, and those from the
    prediction locations to the samples. The method is k-fold nearest neighbour distance matching (kNNDM) [1]_.

    Parameters
    ----------
    prediction_locations : array-like, DataFrame, GeoSeries, xarray object, LatLonGrid or CellGrid
        The places to predict: (latitude, longitude) in degrees with equal weights; or a grid, whose cells inside the
        mask have their areas as weights.
    n_splits : int, default=5
        Number of folds, at least 2.
    max_share : float, default=0.5
        No fold holds more than this share of the samples.
    random_state : int or RandomState instance, default=0
        Decides to which fold clusters of the same size go, and which samples are measured if there are more than
        10,000. None makes other folds every time.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame, also in ``prediction_locations`` if it has
        them. None finds lat, latitude, lon, lng, long, longitude, in any case, whatever other columns there are.

    Raises
    ------
    CoordinateError
        From ``split``, if there are no coordinates, or some are missing or out of range.
    ValueError
        From ``split``, if a parameter is invalid, or there are fewer places than folds.

    See Also
    --------
    skgeo.model_selection.SphericalBlockKFold : Use it if you know how far apart training and test should be.

    Notes
    -----
    The distance between distributions is Wasserstein's: the area between the distribution functions, in km. The
    splitter tries 16 numbers of clusters from ``n_splits`` to 16,384, and random folds, where every place is a cluster.
    Clusters are nested: the cluster with the largest inertia is cut across its principal axis. The largest cluster is
    assigned first, each cluster to the fold with the fewest samples so far. The authors [1]_ cluster by Ward's method,
    merge along a principal axis, and test first whether random folds are enough. Ward's method needs the matrix of all
    distances, which this splitter does not compute. Samples at the same place are never separated.

    Folds differ in size. Therefore compute one score from the predictions of all folds (``cross_val_predict``).

    References
    ----------
    .. [1] Linnenbrink, J., Mila, C., Ludwig, M. & Meyer, H. (2024). kNNDM CV: k-fold nearest-neighbour distance
       matching cross-validation for map accuracy estimation. Geoscientific Model Development 17, 5897-5912.

    Examples
    --------
    Samples crowd around a dozen towns, and the map is of the whole country. The list at the end has three median
    distances in km: from a place on the map to the nearest sample, from a sample to the nearest other sample, and from
    a sample to the nearest sample in another fold:

    >>> import numpy as np
    >>> from skgeo import LatLonGrid
    >>> from skgeo.model_selection import NearestNeighbourDistanceKFold
    >>> rng = np.random.default_rng(0)
    >>> towns = rng.uniform([45, 0], [55, 15], (12, 2))
    >>> X = np.concatenate([town + 0.1 * rng.standard_normal((40, 2)) for town in towns])
    >>> country = LatLonGrid(np.arange(45.05, 55, 0.1), np.arange(0.05, 15, 0.1))
    >>> cv = NearestNeighbourDistanceKFold(country, n_splits=4)
    >>> match = cv.match(X)
    >>> distances = match.prediction_km, match.sample_km, match.fold_km
    >>> [round(float(np.median(km))) for km in distances]
    [140, 3, 119]
    >>> [len(test) for _, test in cv.split(X)]
    [120, 120, 120, 120]
    """

    def __init__(
        self,
        prediction_locations: Any = None,
        n_splits: int = 5,
        *,
        max_share: float = 0.5,
        random_state: RandomState = 0,
        coordinates: tuple[str, str] | None = None,
    ) -> None:
        self.prediction_locations = prediction_locations
        self.n_splits = n_splits
        self.max_share = max_share
        self.random_state = random_state
        self.coordinates = coordinates

    def match(self, X: Any, coordinates: Any = None) -> DistanceMatch:
        """Make the folds, and return how well the distances match.

        Parameters
        ----------
        X : array-like, DataFrame, GeoDataFrame, xarray object, LatLonGrid or CellGrid with n_samples rows
            The samples, as for ``split``.
        coordinates : array-like, DataFrame, GeoSeries or grid with n_samples rows, or (str, str), default=None
            Latitude and longitude in degrees, where they are not in X; or the names of their columns in X.

        Returns
        -------
        DistanceMatch
            The folds, the distances between them and from the prediction locations, and the candidates.
        """
        return self._match(self._vectors(X, None, None, coordinates))

    def _match(self, vectors: FloatArray) -> DistanceMatch:
        """The folds of the candidate whose distances are closest to those of the places to predict."""
        n_samples, n_splits = len(vectors), int(self.n_splits)
        random = check_random_state(self.random_state)
        places = distinct_places(vectors)
        check_enough_places(int(places.max()) + 1, n_splits)
        targets, weight = read_domain(self.prediction_locations, self.coordinates, "prediction_locations")
        lookup = kd_tree(vectors)
        # The distribution that the folds should have: from the places to predict to all samples.
        prediction_km = nearest_km(lookup, targets)
        measured = np.arange(n_samples)
        if n_samples > _MAX_MEASURED_SAMPLES:
            measured = np.sort(random.permutation(n_samples)[:_MAX_MEASURED_SAMPLES])

        # A fold of 1 / n_splits of the samples is always allowed, also when the number of samples is no multiple.
        largest = max(self.max_share * n_samples, -(-n_samples // n_splits))
        numbers, distances, best = [], [], None
        for clusters in _candidates(vectors, places, n_splits):
            sizes = np.bincount(clusters)
            # The random order decides among clusters of equal size only: larger clusters always go first.
            folds = balanced_folds(sizes, n_splits, random.permutation(sizes.size))[clusters]
            fold_km = _distance_to_other_folds(vectors, folds, measured, n_clusters=sizes.size)
            distance = float(wasserstein_distance(fold_km, prediction_km, None, weight))
            fits = np.bincount(folds).max() <= largest
            numbers.append(sizes.size)
            distances.append(distance if fits else np.nan)
            if fits and (best is None or distance < best[0]):
                best = distance, sizes.size, folds, fold_km
        # Even with one cluster for each place, a fold may be too large: many samples can share one place.
        if best is None:
            raise ValueError(
                f"max_share={self.max_share!r}: too many samples are at the same place for all folds to be smaller. "
                "Raise max_share, or give fewer splits."
            )
        distance, n_clusters, folds, fold_km = best
        return DistanceMatch(
            folds=folds,
            n_clusters=n_clusters,
            wasserstein_km=distance,
            candidate_n_clusters=np.array(numbers),
            candidate_wasserstein_km=np.array(distances),
            prediction_km=prediction_km,
            prediction_weight=weight,
            fold_km=fold_km,
            sample_km=nearest_km(lookup, vectors[measured], rank=2),
        )

    def _folds(self, vectors: FloatArray, y: Any) -> Integers:
        """The folds of the best match; the target does not matter."""
        return self._match(vectors).folds

    def _check_parameters(self) -> None:
        check_n_splits(self.n_splits)
        least, share = 1.0 / self.n_splits, self.max_share
        valid = is_real(share) and least <= share < 1.0
        check_parameter("max_share", share, valid, f"a number in [1 / n_splits, 1), from {least:g} on")
        given = self.prediction_locations is not None
        accepted = "the places to predict, (latitude, longitude) or a grid; without these, use SphericalBlockKFold"
        check_parameter("prediction_locations", self.prediction_locations, given, accepted)


def _candidates(vectors: FloatArray, places: Integers, n_splits: int) -> Iterator[Integers]:
    """Yield the cluster of each sample: first for few clusters, then for more, at last one cluster for each place."""
    n_places = int(places.max()) + 1
    first = np.unique(places, return_index=True)[1]
    # Samples at one place stay together: clusters are those of places.
    most = min(n_places - 1, _MAX_CLUSTERS)
    if most >= n_splits:
        numbers = np.unique(np.geomspace(n_splits, most, _N_CANDIDATES).round().astype(int))
        for clusters in nested_clusters(vectors[first], numbers.tolist()):
            yield clusters[places]
    yield places


def _distance_to_other_folds(
    vectors: FloatArray, folds: Integers, measured: Integers, *, n_clusters: int
) -> FloatArray:
    """Distances in km from the ``measured`` samples to the nearest sample in another fold.

    There are two ways. Small clusters: search a tree of each fold from all samples of other folds. Large clusters: a
    single fold is far from most samples, and trees are slow to find far points; search a tree of all other folds.
    """
    whole_rest = n_clusters < _MIN_CLUSTERS_FOR_FOLD_TREES
    nearest = np.full(measured.size, np.inf)
    for fold in range(int(folds.max()) + 1):
        in_fold = folds == fold
        rows = np.flatnonzero(in_fold[measured] == whole_rest)
        distance = nearest_km(kd_tree(vectors[in_fold != whole_rest]), vectors[measured[rows]])
        nearest[rows] = np.minimum(nearest[rows], distance)
    return nearest
