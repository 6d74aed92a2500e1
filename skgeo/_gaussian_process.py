"""Gaussian process regression on the sphere, in time that grows linearly with the number of observations."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationEstimator, restore_on_error
from skgeo._gp_search import (
    HYPERPARAMETERS,
    Bounds,
    HyperparameterSearch,
    hyperparameters_at,
    log_likelihood,
    matern_kernel,
    posterior_at,
    read_theta,
    sum_observations,
    warn_truncated_kernel,
)
from skgeo._kernels.harmonic_gp import Evidence, ObservationSums, Posterior, covariance_at, draw_weights, in_units_of_y
from skgeo._kernels.threads import blas_threads_for
from skgeo._places import Places, in_memory, map_at_places, points_in_degrees, points_with_weights
from skgeo._typing import FloatArray
from skgeo._validation import check_degree, check_n_jobs, check_parameter, is_integer

__all__ = ["SphericalGaussianProcessRegressor"]


class SphericalGaussianProcessRegressor(RegressorMixin, LocationEstimator):
    """Gaussian process regression on the sphere with a Matern kernel, linear in the number of observations.

    Kriging, as geostatistics calls it: a smooth random field is observed with noise, and predicted with its standard
    deviation. The field is a sum of harmonics up to ``max_degree`` with independent random weights, whose variances
    are those of a Matern field [1]_. This model is scikit-learn's ``GaussianProcessRegressor`` with the kernel

    ``variance * sum_l s_l (2 l + 1) P_l(cos distance) / sum_l s_l (2 l + 1)``,

    with ``s_l = (kappa^2 + l (l + 1))^-(smoothness + 1)`` and ``kappa = sqrt(2 smoothness) / length_scale``, to
    rounding, but keeps (2 L + 1)^2 sums, no n x n matrix. The four hyperparameters maximise the marginal likelihood.

    Parameters
    ----------
    max_degree : int, default=20
        Largest degree L of the harmonics, at least 1. The finest detail is half a wave in 180 / L degrees. Finer detail
        of the data is taken for noise.
    variance : float, default=1.0
        Variance of the field; of the standardised targets with ``normalize_y``.
    length_scale : float, default=20.0
        Range of the correlations, in degrees of arc.
    smoothness : float, default=1.5
        The nu of Matern kernels: the field has mean-square derivatives of all orders below nu.
    noise : float, default=0.1
        Variance of the noise of an observation; of the standardised targets with ``normalize_y``.
    variance_bounds : (float, float), "fixed" or None, default=None
        Where to look for the maximum of the likelihood; "fixed" keeps the value given. None is (1e-5, 10) for
        standardised targets and (1e-5, 1e5) without ``normalize_y``. In a region with detail finer than ``max_degree``,
        a field that may vary a thousand times as much outside of it follows the detail inside, and overshoots where
        there are no data.
    length_scale_bounds : (float, float) or "fixed", default=(0.5, 360)
        Where to look for the length scale.
    smoothness_bounds : (float, float) or "fixed", default=(0.25, 10)
        Where to look for the smoothness.
    noise_bounds : (float, float) or "fixed", default=(1e-6, 1e3)
        Where to look for the noise.
    optimizer : "fmin_l_bfgs_b", callable or None, default="fmin_l_bfgs_b"
        The search for the maximum. None keeps all values given. As in scikit-learn, a callable gets ``objective``,
        ``initial_theta`` and ``bounds=``, and returns the best logarithms and their objective. ``objective`` maps the
        logarithms of the free hyperparameters to the negative log-likelihood and its gradient.
    n_restarts_optimizer : int, default=0
        Further starts, drawn log-uniformly within the bounds; the best of all is taken.
    normalize_y : bool, default=True
        Standardise the targets by their weighted mean and standard deviation, for which hyperparameters and bounds have
        their defaults. False takes the prior mean of the field to be zero: the level of the targets is then only as
        likely as the kernel's constant harmonic says.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    random_state : int, RandomState or None, default=None
        Draws the starts of restarts.
    n_jobs : int or None, default=None
        Threads for predictions; None is 1 unless in a ``joblib.parallel_config``. The output does not depend on it.
    verbose : bool or None, default=None
        Show a progress bar of predictions; needs tqdm. None shows it in interactive sessions, when work takes longer
        than two seconds.

    Attributes
    ----------
    variance_, length_scale_, smoothness_, noise_ : float
        The hyperparameters, in the units of the parameters.
    noise_std_ : float or ndarray of shape (n_outputs,)
        Standard deviation of the noise of an observation of weight 1, in the units of y. An observation at a new place
        has the variance ``std**2 + noise_std_**2``.
    theta_ : ndarray of shape (n_free,)
        Natural logarithms of the hyperparameters that are not fixed, in the order above.
    log_marginal_likelihood_value_ : float
        The likelihood of ``theta_``.
    spectrum_ : ndarray of shape (L + 1,)
        Prior variance of the harmonics of each degree, as for ``skgeo.encoders.SphericalHarmonics(spectrum=...)``.
    truncation_error_ : float
        Share of the variance of the Matern field that is in degrees beyond L, which the kernel leaves out.
    target_mean_, target_scale_ : ndarray of shape (n_outputs,)
        Mean and scale that standardise the targets; zeros and ones without ``normalize_y``.
    n_observations_ : int
        Number of observations so far, without those of weight zero.
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter, y or ``sample_weight`` is not accepted, or the noise is so small that rounding
        decides.
    NotFittedError
        From all other methods before ``fit``.

    Warns
    -----
    ResolutionWarning
        From ``fit``, if more than a tenth of the variance of the Matern field lies beyond ``max_degree``: the message
        names the degree that the length scale needs.
    ConvergenceWarning
        From ``fit``, if the search for the maximum was cut short; or if the noise is at an end of its bounds, because
        weights are far from one or the variance of the targets is large.

    See Also
    --------
    skgeo.encoders.SphericalHarmonics : With Ridge, the same mean for given hyperparameters, without the uncertainty.
    skgeo.matern_spectrum : The spectrum, scaled to a mean of one.

    Notes
    -----
    A product of two harmonics has degrees up to 2 L, so that the sums of products over all observations follow from
    the (2 L + 1)^2 harmonic coefficients of their weights, which cost as many multiplications for each observation:
    1,681 at L = 20, where the products themselves are 194,481. They do not depend on the hyperparameters: each value of
    the likelihood is a Cholesky factor of size (L + 1)^2, and its gradient in closed form [2]_. The variance of the
    prediction is a function of degree 2 L as well, and costs as much for each place.

    ``predict`` gives the standard deviation of the field, without the noise of an observation, as scikit-learn does for
    noise that is given as ``alpha``. Several targets share their hyperparameters, as there.

    The likelihood cancels sums of squares over the noise: it loses digits if noise is below 1e-8 of the variance.

    References
    ----------
    .. [1] Lindgren, F., Rue, H. & Lindstrom, J. (2011). An explicit link between Gaussian fields and Gaussian
       Markov random fields. Journal of the Royal Statistical Society B 73(4), 423-498.
    .. [2] Rasmussen, C. E. & Williams, C. K. I. (2006). Gaussian Processes for Machine Learning. MIT Press. Chapters 2
       and 5.

    Examples
    --------
    Temperatures of the northern half of the Earth predict the north, and the deviation of the south is large.

    >>> import numpy as np
    >>> from skgeo import SphericalGaussianProcessRegressor
    >>> from skgeo.datasets import fibonacci_lattice
    >>> stations = fibonacci_lattice(2000)
    >>> stations = stations[stations[:, 0] > 0]
    >>> noise = np.random.default_rng(0).normal(0, 0.5, len(stations))
    >>> temperature = 30 * np.cos(np.radians(stations[:, 0])) ** 2 + noise
    >>> model = SphericalGaussianProcessRegressor(max_degree=10).fit(stations, temperature)
    >>> mean, std = model.predict([[45.0, 20.0], [-45.0, 20.0]], return_std=True)
    >>> mean[0].round(0), bool(std[1] > 20 * std[0])
    (np.float64(15.0), True)
    >>> round(model.noise_std_, 1)
    0.5
    """

    # Missing points are refused: an observation without a place says nothing.
    _missing_policies = ("error",)
    _sums: dict[str, Any]
    truncation_error_: float

    def __init__(
        self,
        max_degree: int = 20,
        *,
        variance: float = 1.0,
        length_scale: float = 20.0,
        smoothness: float = 1.5,
        noise: float = 0.1,
        variance_bounds: Bounds | None = None,
        length_scale_bounds: Bounds = (0.5, 360.0),
        smoothness_bounds: Bounds = (0.25, 10.0),
        noise_bounds: Bounds = (1e-6, 1e3),
        optimizer: str | Callable[..., Any] | None = "fmin_l_bfgs_b",
        n_restarts_optimizer: int = 0,
        normalize_y: bool = True,
        coordinates: tuple[str, str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.max_degree = max_degree
        self.variance = variance
        self.length_scale = length_scale
        self.smoothness = smoothness
        self.noise = noise
        self.variance_bounds = variance_bounds
        self.length_scale_bounds = length_scale_bounds
        self.smoothness_bounds = smoothness_bounds
        self.noise_bounds = noise_bounds
        self.optimizer = optimizer
        self.n_restarts_optimizer = n_restarts_optimizer
        self.normalize_y = normalize_y
        self.coordinates = coordinates
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Maximise the likelihood of the hyperparameters, and find the weights of the harmonics.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Points as (latitude, longitude) in degrees; or a grid, whose observations are at its cell centres and weigh
            as its mask says. Chunked input (dask) is computed, two numbers a point.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or that of the grid
            Observed values. Those of weight zero may be NaN or masked.
        sample_weight : array-like of shape (n_samples,) or that of the grid, default=None
            An observation of weight w has the noise variance ``noise / w``: that of a mean over w observations. Those
            of weight zero are left out.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, partial=False)

    def partial_fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Add observations to those so far: the result is that of a fit on all of them, in any order, to rounding.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``fit``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or that of the grid
            Observed values; as many outputs as before.
        sample_weight : array-like of shape (n_samples,) or that of the grid, default=None
            As for ``fit``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As ``fit``; or if ``max_degree`` or the number of outputs has changed.

        Notes
        -----
        Each call maximises the likelihood anew, from the hyperparameters given to the class, in time that does not
        depend on the number of observations. ``set_params(optimizer=None)`` spares that until the last part.
        """
        return self._fit(X, y, sample_weight, partial=True)

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Predict the mean of the field at places, and on request its standard deviation or covariance.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``fit``. All cells of a grid are predicted, in C order; its mask is ignored.
        return_std : bool, default=False
            Also return the standard deviation.
        return_cov : bool, default=False
            Also return the covariance of all pairs of places.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As y was, in float64; NaN for cells of a grid that have no place.
        std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Only with ``return_std``: standard deviation of the field, without the noise of an observation.
        cov : ndarray of shape (n_samples, n_samples) or (n_samples, n_samples, n_outputs)
            Only with ``return_cov``.

        Raises
        ------
        RuntimeError
            If both are asked for.
        """
        if return_std and return_cov:
            raise RuntimeError("At most one of return_std or return_cov can be requested.")
        check_is_fitted(self)
        places = in_memory(self._read(X, reset=False))
        posterior = self._posterior
        coefficients = in_units_of_y(posterior.mean, self.target_mean_, self.target_scale_)
        mean = self._shaped(self._map(places, coefficients))
        if return_cov:
            latitude, longitude = points_in_degrees(places).T
            covariance = covariance_at(posterior, latitude, longitude, self.n_jobs)
            # All outputs share the covariance of standardised targets.
            covariance = covariance[:, :, np.newaxis] * self.target_scale_**2
            return mean, self._shaped(covariance)
        if not return_std:
            return mean
        # The variance is a map of harmonics, too. Rounding may make it negative.
        variance = self._map(places, posterior.spread[np.newaxis])
        return mean, self._shaped(np.sqrt(np.maximum(variance, 0.0)) * self.target_scale_)

    def sample_y(
        self, X: Any, n_samples: int = 1, random_state: int | np.random.RandomState | None = 0
    ) -> npt.NDArray[np.float64]:
        """Draw functions from the field given the data, and evaluate them at places.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples_X, 2), LatLonGrid, CellGrid or xarray object
            As for ``predict``.
        n_samples : int, default=1
            Number of functions.
        random_state : int, RandomState or None, default=0
            Draws them. The same integer gives the same functions at any places.

        Returns
        -------
        ndarray of shape (n_samples_X, n_samples) or (n_samples_X, n_outputs, n_samples)
            Values of the field, without the noise of an observation.

        Notes
        -----
        The weights of the harmonics are drawn, not the values: any number of places takes linear time.
        """
        check_is_fitted(self)
        valid = is_integer(n_samples) and n_samples >= 1
        check_parameter("n_samples", n_samples, valid, "a positive integer")
        places = in_memory(self._read(X, reset=False))
        with blas_threads_for(len(self._factor)):
            weights = draw_weights(self._posterior, int(n_samples), check_random_state(random_state))
        weights = in_units_of_y(weights, self.target_mean_, self.target_scale_)
        # Rows of coefficients are ordered by output, then by sample, as the axes of the result are.
        values = self._map(places, weights.transpose(1, 0, 2).reshape(-1, weights.shape[2]))
        values = values.reshape(len(values), -1, int(n_samples))
        return values[:, 0] if self._flat else values

    def log_marginal_likelihood(self, theta: npt.ArrayLike | None = None, eval_gradient: bool = False) -> Any:
        """Logarithm of the marginal likelihood of hyperparameters, of the standardised targets with ``normalize_y``.

        Parameters
        ----------
        theta : array-like of shape (n_free,), default=None
            Natural logarithms of the hyperparameters that are not fixed, as in ``theta_``. None takes these.
        eval_gradient : bool, default=False
            Also return the gradient with respect to ``theta``.

        Returns
        -------
        value : float
            Summed over the outputs.
        gradient : ndarray of shape (n_free,)
            Only with ``eval_gradient``.
        """
        check_is_fitted(self)
        free = HyperparameterSearch(self).free
        point = read_theta(self.theta_ if theta is None else theta, free)
        # The fit has stored this value: spare the Cholesky factor.
        if theta is None and not eval_gradient:
            return self.log_marginal_likelihood_value_
        with blas_threads_for(len(self._factor)):
            evidence = Evidence(ObservationSums(**self._sums), self.target_mean_, self.target_scale_)
            value, gradient = log_likelihood(evidence, self._fitted() | hyperparameters_at(free, point), free)
        return (value, gradient) if eval_gradient else value

    @property
    def _posterior(self) -> Posterior:
        return Posterior(self._weights, self._factor, self._spread)

    def _fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None, *, partial: bool) -> Self:
        """Fit on these observations; with ``partial`` on these and all earlier ones."""
        self._check_parameters()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: y should be a 1d array."
            )
        resume = partial and hasattr(self, "_sums")
        # A part that fails leaves the sums of the earlier parts unchanged.
        with restore_on_error(self), blas_threads_for((int(self.max_degree) + 1) ** 2):
            before = ObservationSums(**self._sums) if resume else None
            places = self._read(X, reset=before is None)
            # The first part has passed this check when it was read.
            if before is not None:
                self._warn_radians(places)
            points, weight = points_with_weights(places, sample_weight)
            shape = getattr(places, "shape", None)
            sums, flat = sum_observations(points, weight, y, shape, self.max_degree, before)
            if before is None:
                self._flat = flat
            sums = sums if before is None else before.merged_with(sums)
            # Keep a plain dict of arrays, so that files of fitted models hold no class of the kernels.
            self._sums = sums._asdict()
            self._set_hyperparameters(sums)
        warn_truncated_kernel(self._fitted(), self.max_degree, self.truncation_error_)
        HyperparameterSearch(self).warn_noise_at_bound(self.noise_, sums.mean_weight())
        return self

    def _set_hyperparameters(self, sums: ObservationSums) -> None:
        """Find the hyperparameters, and set the attributes of the hyperparameters and of the posterior."""
        # Without normalize_y, the prior mean is zero in the units of y.
        mean, scale = sums.mean_and_scale()
        if not self.normalize_y:
            mean, scale = np.zeros_like(mean), np.ones_like(scale)
        self.target_mean_, self.target_scale_ = mean, scale
        evidence, search = Evidence(sums, mean, scale), HyperparameterSearch(self)
        values, self.theta_ = search.run(evidence)
        self.variance_, self.length_scale_, self.smoothness_, self.noise_ = values.values()
        self.log_marginal_likelihood_value_ = log_likelihood(evidence, values, search.free)[0]
        self._weights, self._factor, self._spread = posterior_at(evidence, values)
        noise_std = np.sqrt(self.noise_) * scale
        self.noise_std_ = float(noise_std[0]) if self._flat else noise_std
        # The kernel is cut at max_degree: tell how much of its variance lies beyond.
        kernel = matern_kernel(values)
        self.spectrum_ = kernel.degrees(evidence.max_degree)[0]
        self.truncation_error_ = kernel.truncation(evidence.max_degree)
        self.n_observations_ = sums.n_observations

    def _fitted(self) -> dict[str, float]:
        """The fitted hyperparameters by name."""
        return {name: getattr(self, f"{name}_") for name in HYPERPARAMETERS}

    def _map(self, places: Places, coefficients: FloatArray) -> FloatArray:
        """The values (n, k) of sums of harmonics with coefficients (k, D) at places."""
        return map_at_places(places, coefficients, None, np.float64, n_jobs=self.n_jobs, verbose=self.verbose)

    def _shaped(self, values: FloatArray) -> FloatArray:
        """The values without the last axis, that of outputs, if y has no such axis."""
        return values[..., 0] if self._flat else values

    def _check_parameters(self) -> None:
        self._check_input_parameters()
        check_degree(self.max_degree)
        HyperparameterSearch(self).check()
        check_n_jobs(self.n_jobs)

    def __sklearn_tags__(self) -> Tags:
        """Targets may have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
