"""Gaussian process classification on the sphere: exact, or of nearest neighbours."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationEstimator, restore_on_error
from skgeo._gaussian_process._labels import check_mean_weight, flat_labels
from skgeo._gaussian_process._observations import EARTH_RADIUS_KM, check_hyperparameters
from skgeo._kernels.gp_class_search import find_kernel
from skgeo._kernels.gp_classification import (
    Kernel,
    Labels,
    Posterior,
    averaged_log_odds,
    exact_likelihood,
    neighbour_posterior,
    predict_exact,
    predict_nearest,
)
from skgeo._kernels.gp_likelihood import merge_places
from skgeo._kernels.sphere import unit_vectors
from skgeo._places import in_memory, points_in_degrees, points_with_weights
from skgeo._targets import class_weights, read_classes
from skgeo._typing import FloatArray
from skgeo._validation import check_n_jobs, check_parameter, is_integer, progress, warn_caller
from skgeo._values_at_places import Places

__all__ = ["SphericalGaussianProcessClassifier"]

_METHODS = ("auto", "exact", "neighbours")
# Up to this number of places "auto" takes the exact process, which is then as fast as the process of neighbours.
_MAX_AUTO_EXACT = 1000
# The exact process keeps some matrices of n x n numbers: 0.8 GB each at this number.
_MAX_EXACT = 10_000


class SphericalGaussianProcessClassifier(ClassifierMixin, LocationEstimator):
    """Gaussian process classification on the sphere with a Matern kernel: probabilities of classes at any place.

    The log odds of a class are the sum of a constant and a random field. The field has a Matern kernel of the chord
    between two places. ``fit`` finds the variance, the length scale and the smoothness with the largest likelihood. A
    probability is the average over all fields that agree with the labels. Far from all labels the probability is close
    to the share of the class.

    Parameters
    ----------
    method : {"auto", "exact", "neighbours"}, default="auto"
        How the process is computed:

        * "exact" uses the covariance of all places, in n^3 time and n^2 memory.
        * "neighbours" makes the field at each place depend on its nearest earlier places only [1]_. Time and memory
          grow linearly.
        * "auto" is "exact" for at most 1,000 different places, and "neighbours" for more.
    length_scale_km : float or None, default=None
        Range of the correlations in km. None finds the value with the largest likelihood.
    smoothness : float or None, default=None
        The nu of Matern kernels, from 0.1 to 10. None takes the value of 1/2, 3/2 and 5/2 with the largest likelihood.
    variance : float or None, default=None
        Variance of the log odds. With a large variance the probabilities are close to 0 and 1, except along the border
        between the classes. None finds the value with the largest likelihood.
    n_neighbors : int, default=20
        For "neighbours": number of earlier places that the field at a place depends on.
    class_weight : dict, "balanced" or None, default=None
        Factors by which the weights of the classes are multiplied. The total weight stays the same. "balanced" gives
        all classes the same total weight. The probabilities are then those of a population with these weights.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    n_jobs : int or None, default=None
        Threads; None is 1 unless in a ``joblib.parallel_config``. The output does not depend on it.
    verbose : bool or None, default=None
        Show a progress bar of predictions; needs tqdm. None shows it in interactive sessions, when work takes longer
        than two seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    method_ : {"exact", "neighbours"}
        The method that was used.
    variance_, length_scale_km_, smoothness_ : ndarray of shape (n_models,)
        The hyperparameters. Two classes have one model, that of the second class; more classes have one model each.
    constant_ : ndarray of shape (n_models,)
        The constant of the log odds, which is their mean far from all labels.
    n_features_in_ : int
        Number of columns of X, which is 2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter, y or ``sample_weight`` is invalid; if y has only one class; if "exact" gets more
        than 10,000 places. From ``predict``, for cells of a grid that have no place.
    NotFittedError
        From all other methods before ``fit``.

    Warns
    -----
    ConvergenceWarning
        From ``fit``, if expectation propagation did not converge.
    UserWarning
        From ``fit``, if the mean weight is below 0.01 or above 100, because weights count as numbers of observations.

    See Also
    --------
    SphericalGaussianProcessRegressor : For numbers instead of classes.
    skgeo.encoders.SphericalHarmonics : With LogisticRegression, a faster model with similar probabilities.

    Notes
    -----
    Expectation propagation computes the posterior [2]_. The ``GaussianProcessClassifier`` of scikit-learn uses the
    approximation of Laplace. At sharp borders between classes its probabilities are too close to one half [3]_. For
    5,000 places of land and ocean the log loss was 0.15 with Laplace, and 0.10 with expectation propagation.

    The constant has a prior variance of 25. With "exact" the model has the kernel
    ``variance * Matern(length_scale_km / 6371.0088, nu) + 25`` of scikit-learn on
    :class:`~skgeo.encoders.Cartesian3DEncoder`.

    With more than two classes there is one model for each class against all others, and the probabilities are divided
    by their sum, as in scikit-learn. Each class may have another length scale.

    The search for the hyperparameters uses at most 500 places: some are spread out, some are in clusters, and at least
    a quarter have the rarer class.

    References
    ----------
    .. [1] Datta, A., Banerjee, S., Finley, A. O. & Gelfand, A. E. (2016). Hierarchical nearest-neighbor Gaussian
       process models for large geostatistical datasets. Journal of the American Statistical Association 111, 800-812.
    .. [2] Rasmussen, C. E. & Williams, C. K. I. (2006). Gaussian Processes for Machine Learning, section 3.6.
    .. [3] Nickisch, H. & Rasmussen, C. E. (2008). Approximations for binary Gaussian process classification. Journal of
       Machine Learning Research 9, 2035-2078.

    Examples
    --------
    The model learns from 300 places whether a place is land. Its probabilities are uncertain at the coast.

    >>> from skgeo import SphericalGaussianProcessClassifier
    >>> from skgeo.datasets import make_land_ocean
    >>> X, is_land = make_land_ocean(300, random_state=0)
    >>> model = SphericalGaussianProcessClassifier(smoothness=1.5).fit(X, is_land)
    >>> places = [[23.0, 10.0], [30.0, -10.0], [0.0, -150.0]]
    >>> sahara, coast, pacific = model.predict_proba(places)[:, 1]
    >>> bool(sahara > 0.9), bool(0.1 < coast < 0.9), bool(pacific < 0.1)
    (True, True, True)
    """

    # Missing points are refused: a label without a place says nothing.
    _missing_policies = ("error",)
    _state: dict[str, Any]

    def __init__(
        self,
        *,
        method: str = "auto",
        length_scale_km: float | None = None,
        smoothness: float | None = None,
        variance: float | None = None,
        n_neighbors: int = 20,
        class_weight: dict[Any, float] | str | None = None,
        coordinates: tuple[str, str] | None = None,
        n_jobs: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.method = method
        self.length_scale_km = length_scale_km
        self.smoothness = smoothness
        self.variance = variance
        self.n_neighbors = n_neighbors
        self.class_weight = class_weight
        self.coordinates = coordinates
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: "npt.ArrayLike | None" = None) -> Self:
        """Find the hyperparameters with the largest likelihood, and the log odds at the places of the labels.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Points as (latitude, longitude) in degrees. A grid has its labels at the centres of the cells, with the mask
            as weights. Chunked input (dask) is computed, which takes memory for two numbers a point.
        y : array-like of shape (n_samples,) or of the shape of the grid
            Classes: text, integers or booleans. Labels of weight zero are not read.
        sample_weight : array-like of shape (n_samples,) or of the shape of the grid, default=None
            A label of weight w counts as w labels at its place: its probability enters the likelihood to the power w.
            Labels of weight zero are left out.

        Returns
        -------
        self
        """
        self._check_parameters()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: y should be a 1d array."
            )
        # A fit that fails leaves the estimator as it was.
        with restore_on_error(self):
            places = self._read(X, reset=True)
            vectors, weights = self._read_labels(places, y, sample_weight)
            exact = self.method == "exact" or (self.method == "auto" and len(vectors) <= _MAX_AUTO_EXACT)
            if exact and len(vectors) > _MAX_EXACT:
                raise ValueError(
                    f"method='exact' with {len(vectors)} places: expected at most {_MAX_EXACT}, because it needs "
                    "matrices of n x n numbers. method='neighbours' takes any number."
                )
            self.method_ = "exact" if exact else "neighbours"
            # Two classes have one model, that of the second class.
            columns = weights.T[1:] if len(self.classes_) == 2 else weights.T
            total = weights.sum(axis=1)
            self._store(vectors, [self._fit_model(vectors, total - column, column) for column in columns])
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``fit``. All cells of a grid are predicted, in C order. The mask has no effect.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``; NaN for cells of a grid that have no place.
        """
        log_odds = self._log_odds(X)
        # The logistic function of both signs is more accurate than 1 - p near 0.
        if log_odds.shape[1] == 1:
            return np.asarray(expit(np.hstack([-log_odds, log_odds])))
        share = expit(log_odds)
        return np.asarray(share / share.sum(axis=1, keepdims=True))

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Compute the log odds of the probability of each model.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log odds of the second class if there are two classes, and of each class against all others if there are
            more. NaN for cells of a grid that have no place.
        """
        log_odds = self._log_odds(X)
        return log_odds[:, 0] if log_odds.shape[1] == 1 else log_odds

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the class with the largest probability.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        log_odds = self._log_odds(X)
        absent = np.flatnonzero(np.isnan(log_odds).any(axis=1))
        if absent.size:
            raise ValueError(
                f"X has {absent.size} cells without a place, the first at {absent[0]}: these cells have no class. "
                "predict_proba gives NaN for them."
            )
        chosen = log_odds[:, 0] > 0.0 if log_odds.shape[1] == 1 else log_odds.argmax(axis=1)
        return self.classes_[chosen.astype(np.intp)]

    def latent_mean_and_variance(self, X: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Compute the mean and the variance of the log odds given the labels. ``predict_proba`` uses both numbers.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``predict_proba``.

        Returns
        -------
        mean, variance : ndarray of shape (n_samples,) or (n_samples, n_classes)
            As for ``decision_function``.
        """
        mean, variance = self._latent(X)
        return (mean[:, 0], variance[:, 0]) if mean.shape[1] == 1 else (mean, variance)

    def _read_labels(
        self, places: Places, y: Any, sample_weight: npt.ArrayLike | None
    ) -> tuple[FloatArray, FloatArray]:
        """Unit vectors (n, 3) of different places in random order, and the weights (n, n_classes) of their labels."""
        points, weight = points_with_weights(places, sample_weight)
        kept = weight > 0.0
        if not kept.any():
            raise ValueError("sample_weight and the mask of X leave no label: nothing can be learned.")
        target = read_classes(flat_labels(y, getattr(places, "shape", None), kept), "y")
        weight = weight[kept]
        self.classes_, codes = np.unique(target, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_.tolist()[0]!r}: at least two classes are needed, in samples of "
                "positive weight."
            )
        check_mean_weight(weight)
        weight = weight * class_weights(self.class_weight, self.classes_, target, weight)[codes]
        counted = weight > 0.0
        indicator = np.eye(len(self.classes_))[codes[counted]]
        merged = merge_places(unit_vectors(*points[kept][counted].T), indicator, weight[counted])
        return merged.vectors, merged.weight[:, np.newaxis] * merged.columns

    def _fit_model(self, vectors: FloatArray, negative: FloatArray, positive: FloatArray) -> tuple[Kernel, Posterior]:
        """The hyperparameters and the posterior of one class (weights ``positive``) against the others."""
        # The difference of sums may leave a rounding error where all labels are of one class.
        negative = np.where(negative > 1e-9 * (negative + positive), negative, 0.0)
        labels = Labels.from_weights(vectors, negative, positive)
        length = None if self.length_scale_km is None else float(self.length_scale_km) / EARTH_RADIUS_KM
        kernel = find_kernel(labels, self.variance, length, self.smoothness)
        if self.method_ == "exact":
            found = exact_likelihood(labels, kernel)
            posterior, converged = found.posterior, found.converged
        else:
            posterior, converged = neighbour_posterior(labels, kernel, int(self.n_neighbors), self.n_jobs)
        if not converged:
            warn_caller(
                f"Expectation propagation did not converge, with variance={kernel.variance:.3g}: probabilities may "
                "be wrong. Give a smaller variance, or more n_neighbors.",
                ConvergenceWarning,
            )
        return kernel, posterior

    def _store(self, vectors: FloatArray, models: list[tuple[Kernel, Posterior]]) -> None:
        """Set the fitted attributes."""
        kernels, posteriors = zip(*models, strict=True)
        # A plain dict of arrays, so that files of fitted models hold no class of the kernels.
        self._state = {"vectors": vectors} | {
            name: np.array([getattr(posterior, name) for posterior in posteriors]) for name in Posterior._fields
        }
        self.variance_, length, self.smoothness_ = np.array(kernels, dtype=np.float64).T.copy()
        self.length_scale_km_ = length * EARTH_RADIUS_KM
        self.constant_ = self._state["constant"]

    def _log_odds(self, X: Any) -> FloatArray:
        """Log odds (n, n_models) of averaged probabilities."""
        return averaged_log_odds(*self._latent(X))

    def _latent(self, X: Any) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (n, n_models) of the log odds at places."""
        check_is_fitted(self)
        vectors = unit_vectors(*points_in_degrees(in_memory(self._read(X, reset=False))).T)
        known = np.isfinite(vectors).all(axis=1)
        n_models, data = len(self.variance_), self._state["vectors"]
        found = np.full((2, len(vectors), n_models), np.nan)
        with progress(n_models * len(vectors), "place", shown=self.verbose) as advance:
            for i in range(n_models):
                kernel = Kernel(self.variance_[i], self.length_scale_km_[i] / EARTH_RADIUS_KM, self.smoothness_[i])
                model = Posterior(*(self._state[name][i] for name in Posterior._fields))
                if self.method_ == "exact":
                    found[:, known, i] = predict_exact(data, model, kernel, vectors[known])
                else:
                    options = int(self.n_neighbors), self.n_jobs, advance
                    found[:, known, i] = predict_nearest(data, model, kernel, vectors[known], *options)
        return found[0], found[1]

    def _check_parameters(self) -> None:
        self._check_input_parameters()
        known = isinstance(self.method, str) and self.method in _METHODS
        check_parameter("method", self.method, known, "'auto', 'exact' or 'neighbours'")
        names = ("variance", "length_scale_km", "smoothness")
        check_hyperparameters({name: getattr(self, name) for name in names}, zero_noise=False)
        valid = is_integer(self.n_neighbors) and self.n_neighbors >= 1
        check_parameter("n_neighbors", self.n_neighbors, valid, "an integer, at least 1")
        check_n_jobs(self.n_jobs)
