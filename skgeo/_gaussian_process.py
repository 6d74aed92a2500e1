"""Gaussian process regression on the sphere, in time that grows linearly with the number of observations."""

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError
from scipy.optimize import minimize
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, assert_all_finite, check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationEstimator, restore_on_error
from skgeo._callers import warn_once_a_search
from skgeo._input.coordinates import masked_to_nan
from skgeo._kernels.evaluate import map_points
from skgeo._kernels.harmonic_gp import Evidence, Matern, ObservationSums, Posterior, draw_weights
from skgeo._kernels.threads import blas_threads_for
from skgeo._places import Places, in_memory, map_at_places, points_in_degrees, points_with_weights
from skgeo._typing import FloatArray
from skgeo._validation import (
    MAX_SQUARABLE,
    MIN_SQUARABLE,
    check_degree,
    check_flag,
    check_magnitude,
    check_n_jobs,
    check_parameter,
    is_integer,
    is_real,
    warn_caller,
)
from skgeo.exceptions import ResolutionWarning

__all__ = ["SphericalGaussianProcessRegressor"]

Bounds = tuple[float, float] | str
Objective = Callable[[FloatArray], tuple[float, FloatArray]]

_HYPERPARAMETERS = ("variance", "length_scale", "smoothness", "noise")
# Within these nothing overflows; lengths are in degrees.
_RANGES = dict.fromkeys(_HYPERPARAMETERS, (MIN_SQUARABLE, MAX_SQUARABLE)) | {
    "length_scale": (1e-6, 1e6),
    "smoothness": (1e-3, 1e3),
}
# A kernel that misses more than this share of its variance beyond max_degree is another kernel.
_MAX_TRUNCATION_SHARE = 0.1
# Precision of the search: shares of the likelihood, and slopes of it.
_SEARCH: Any = {"ftol": 1e-11, "gtol": 1e-6}
# At an end of its bounds is what is this factor or less from it; weights of a smaller mean may be why at the lower one.
_AT_END, _SMALL_WEIGHT = 1.000001, 0.1
# Values of the factor of a covariance at places that are held at a time.
_BLOCK_VALUES = 2**22


class SphericalGaussianProcessRegressor(RegressorMixin, LocationEstimator):
    """Gaussian process regression on the sphere with a Matern kernel, linear in the number of observations.

    Kriging, as geostatistics calls it: a smooth random field is observed with noise, and predicted with its standard
    deviation. The field is a sum of harmonics up to ``max_degree`` with independent random weights, whose variances
    are those of a Matern field [1]_. That is scikit-learn's ``GaussianProcessRegressor`` with the kernel

    ``variance * sum_l s_l (2 l + 1) P_l(cos distance) / sum_l s_l (2 l + 1)``,

    with ``s_l = (kappa^2 + l (l + 1))^-(smoothness + 1)`` and ``kappa = sqrt(2 smoothness) / length_scale``, to
    rounding, but what is kept of the data are (2 L + 1)^2 sums instead of an n x n matrix. The four hyperparameters
    maximise the marginal likelihood.

    Parameters
    ----------
    max_degree : int, default=20
        Largest degree L of the harmonics, at least 1. The finest detail is half a wave in 180 / L degrees; what the
        data hold beyond is taken for noise.
    variance : float, default=1.0
        Variance of the field; of the standardised targets with ``normalize_y``.
    length_scale : float, default=20.0
        Range of the correlations, in degrees of arc.
    smoothness : float, default=1.5
        The nu of Matern kernels: the field has the derivatives of order less than it, in the mean square.
    noise : float, default=0.1
        Variance of the noise of an observation; of the standardised targets with ``normalize_y``.
    variance_bounds : (float, float), "fixed" or None, default=None
        Where to look for the maximum of the likelihood; "fixed" keeps the value given. None is (1e-5, 10) for
        standardised targets and (1e-5, 1e5) without ``normalize_y``. In a region with detail finer than ``max_degree``,
        a field that may vary a thousand times as much outside of it follows the detail inside, and overshoots where
        there are no data.
    length_scale_bounds : (float, float) or "fixed", default=(0.5, 360)
        Likewise.
    smoothness_bounds : (float, float) or "fixed", default=(0.25, 10)
        Likewise.
    noise_bounds : (float, float) or "fixed", default=(1e-6, 1e3)
        Likewise.
    optimizer : "fmin_l_bfgs_b", callable or None, default="fmin_l_bfgs_b"
        How to look for it. None keeps all values given. A callable gets ``objective``, which maps the logarithms of the
        free hyperparameters to the negative logarithm of the likelihood and its gradient, ``initial_theta`` and
        ``bounds=``, and returns the best logarithms and their objective, as in scikit-learn.
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
        Prior variance of the harmonics of each degree, as of ``skgeo.encoders.SphericalHarmonics(spectrum=...)``.
    truncation_error_ : float
        Share of the variance of the Matern field that is in degrees beyond L, which the kernel leaves out.
    target_mean_, target_scale_ : ndarray of shape (n_outputs,)
        What standardises the targets; zeros and ones without ``normalize_y``.
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
        From ``fit``, if a parameter, y or ``sample_weight`` is not what is accepted, or the noise is so small that
        rounding decides.
    NotFittedError
        From all other methods before ``fit``.

    Warns
    -----
    ResolutionWarning
        From ``fit``, if more than a tenth of the variance of the Matern field lies beyond ``max_degree``: the message
        names the degree that the length scale needs.
    ConvergenceWarning
        From ``fit``, if the search for the maximum was cut short; or if the noise is at an end of its bounds, which
        weights far from one or targets of large variance bring about.

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

    The likelihood cancels sums of squares over the noise: with a noise of less than 1e-8 of the variance it loses
    digits.

    References
    ----------
    .. [1] Lindgren, F., Rue, H. & Lindstrom, J. (2011). An explicit link between Gaussian fields and Gaussian
       Markov random fields. Journal of the Royal Statistical Society B 73(4), 423-498.
    .. [2] Rasmussen, C. E. & Williams, C. K. I. (2006). Gaussian Processes for Machine Learning. MIT Press. Chapters 2
       and 5.

    Examples
    --------
    Temperatures of the northern half of the Earth say what it is there, and that they say little of the south.

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

    _missing_policies = ("error",)
    _sums: dict[str, Any]

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
            as its mask says. What is chunked (dask) is computed, two numbers a point.
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
        """Mean of the field at places, and how uncertain it is.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``fit``; of a grid all cells, in C order, whatever its mask.
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
        coefficients = posterior.mean * self.target_scale_[:, np.newaxis]
        coefficients[:, 0] += self.target_mean_ * math.sqrt(4.0 * math.pi)
        mean = self._shaped(self._map(places, coefficients))
        if return_cov:
            covariance = self._covariance(places)[:, :, np.newaxis] * self.target_scale_**2
            return mean, self._shaped(covariance)
        if not return_std:
            return mean
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
        weights *= self.target_scale_[:, np.newaxis]
        weights[:, :, 0] += self.target_mean_ * math.sqrt(4.0 * math.pi)
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
        free = self._free()
        point = self.theta_ if theta is None else np.asarray(theta, dtype=np.float64)
        if point.shape != (len(free),):
            names = ", ".join(free) or "none is free"
            raise ValueError(f"theta has shape {point.shape}: expected ({len(free)},), the logarithms of {names}.")
        within = bool(np.all(np.abs(point) <= math.log(MAX_SQUARABLE)))
        check_parameter("theta", theta, within, f"logarithms of numbers from {MIN_SQUARABLE:g} to {MAX_SQUARABLE:g}")
        if theta is None and not eval_gradient:
            return self.log_marginal_likelihood_value_
        fitted = {name: getattr(self, f"{name}_") for name in _HYPERPARAMETERS}
        with blas_threads_for(len(self._factor)):
            evidence = Evidence(ObservationSums(**self._sums), self.target_mean_, self.target_scale_)
            value, gradient = _evaluate(evidence, fitted | _hyperparameters_at(free, point), free)
        return (value, gradient) if eval_gradient else value

    @property
    def _posterior(self) -> Posterior:
        return Posterior(self._weights, self._factor, self._spread)

    def _fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None, *, partial: bool) -> Self:
        self._check_parameters()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: y should be a 1d array."
            )
        resume = partial and hasattr(self, "_sums")
        with restore_on_error(self), blas_threads_for((int(self.max_degree) + 1) ** 2):
            before = ObservationSums(**self._sums) if resume else None
            sums = self._sum(X, y, sample_weight, before)
            self._sums = (sums if before is None else before.merged_with(sums))._asdict()
            self._solve(ObservationSums(**self._sums))
        self._warn_truncation()
        self._warn_noise()
        return self

    def _sum(
        self, X: Any, y: Any, sample_weight: npt.ArrayLike | None, before: ObservationSums | None
    ) -> ObservationSums:
        """What is kept of observations."""
        places = self._read(X, reset=before is None)
        if before is not None:
            self._warn_radians(places)
        points, weight = points_with_weights(places, sample_weight)
        kept = weight > 0.0
        if not kept.any():
            raise ValueError("sample_weight and the mask of X leave no observation: nothing can be learned.")
        target, flat = _read_target(y, getattr(places, "shape", None), kept)
        if before is None:
            self._flat = flat
        elif before.shift.size != target.shape[1]:
            raise ValueError(f"y has {target.shape[1]} outputs: expected {before.shift.size}, as at first.")
        max_degree = int(self.max_degree)
        if before is not None and before.target.shape[1] != (max_degree + 1) ** 2:
            raise ValueError(
                f"max_degree={self.max_degree!r} differs from that of the earlier parts: use fit to start anew."
            )
        latitude, longitude = points[kept].T
        shift = None if before is None else before.shift
        return ObservationSums.from_observations((latitude, longitude), target, weight[kept], max_degree, shift)

    def _solve(self, sums: ObservationSums) -> None:
        """Set the hyperparameters and the posterior."""
        mean, scale = sums.mean_and_scale()
        if not self.normalize_y:
            mean, scale = np.zeros_like(mean), np.ones_like(scale)
        self.target_mean_, self.target_scale_ = mean, scale
        evidence, free = Evidence(sums, mean, scale), self._free()
        given = {name: float(getattr(self, name)) for name in _HYPERPARAMETERS}
        start = np.log([given[name] for name in free])
        self.theta_ = start if self.optimizer is None or not free else self._maximise(evidence, given, start)
        found = given if self.optimizer is None else given | _hyperparameters_at(free, self.theta_)
        self.variance_, self.length_scale_, self.smoothness_, self.noise_ = found.values()
        self.log_marginal_likelihood_value_ = _evaluate(evidence, found, free)[0]
        kernel = _kernel(found)
        try:
            self._weights, self._factor, self._spread = evidence.posterior(kernel, self.noise_)
        except LinAlgError as error:
            raise ValueError(
                f"noise={self.noise_:.3g} is so small beside variance={self.variance_:.3g} and {sums.n_observations} "
                "observations that rounding decides: give a larger noise, or a larger lower end of noise_bounds."
            ) from error
        noise_std = math.sqrt(self.noise_) * scale
        self.noise_std_ = float(noise_std[0]) if self._flat else noise_std
        self.spectrum_ = kernel.degrees(evidence.max_degree)[0]
        self.truncation_error_ = kernel.truncation(evidence.max_degree)
        self.n_observations_ = sums.n_observations

    def _maximise(self, evidence: Evidence, given: dict[str, float], start: FloatArray) -> FloatArray:
        """The logarithms of the free hyperparameters of the largest likelihood that was found."""
        free = self._free()
        bounds = np.log([self._bounds(name) for name in free])

        def objective(theta: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = _evaluate(evidence, given | _hyperparameters_at(free, theta), free)
            return -value, -gradient

        rng = check_random_state(self.random_state)
        starts = [start, *(rng.uniform(*bounds.T) for _ in range(int(self.n_restarts_optimizer)))]
        optima = [self._search(objective, each, bounds) for each in starts]
        return np.asarray(min(optima, key=lambda optimum: optimum[1])[0], dtype=np.float64)

    def _search(self, objective: Objective, start: FloatArray, bounds: Any) -> tuple[FloatArray, float]:
        """The minimum of the objective, from one start."""
        if callable(self.optimizer):
            theta, value = self.optimizer(objective, start, bounds=bounds)
            return np.asarray(theta, dtype=np.float64), float(value)
        result = minimize(objective, start, (), "L-BFGS-B", True, bounds=bounds, options=_SEARCH)
        if result.status == 1:  # others end where rounding lets the likelihood rise no more
            warn_caller(
                f"The search for hyperparameters stopped after {result.nit} steps: {result.message}. Give starting "
                "values or narrower bounds.",
                ConvergenceWarning,
            )
        return np.asarray(result.x, dtype=np.float64), float(result.fun)

    def _warn_truncation(self) -> None:
        if self.truncation_error_ <= _MAX_TRUNCATION_SHARE:
            return
        needed = Matern(1.0, math.radians(self.length_scale_), self.smoothness_).degree_needed(_MAX_TRUNCATION_SHARE)
        cure = (
            f"max_degree={needed} leaves {_MAX_TRUNCATION_SHARE:.0%}; else"
            if needed
            else "No degree that is feasible is enough:"
        )
        warn_once_a_search(
            f"length_scale={self.length_scale_:.3g} degrees, with smoothness={self.smoothness_:.3g}, is short for "
            f"max_degree={self.max_degree}: {self.truncation_error_:.0%} of the variance of the Matern field lies "
            f"beyond. {cure} detail that is finer is taken for noise.",
            ResolutionWarning,
        )

    def _warn_noise(self) -> None:
        """Large weights, such as areas, ask for a noise beyond the bounds, which then decide about the intervals."""
        if self.optimizer is None or "noise" not in self._free():
            return
        low, high = np.array(self.noise_bounds, dtype=np.float64).tolist()
        weight = ObservationSums(**self._sums).mean_weight()
        small = weight < _SMALL_WEIGHT and self.noise_ <= low * _AT_END  # with ordinary ones there may be no noise
        if small or self.noise_ * _AT_END >= high:
            warn_caller(
                f"noise_={self.noise_:.3g} is at the end of noise_bounds={self.noise_bounds!r}, and the mean weight is "
                f"{weight:.3g}: noise is the variance of an observation of weight 1. Divide sample_weight by its mean, "
                "standardise y, or widen the bounds.",
                ConvergenceWarning,
            )

    def _map(self, places: Places, coefficients: FloatArray) -> FloatArray:
        """Sums of harmonics with coefficients (k, D) at places (n, k)."""
        return map_at_places(places, coefficients, None, np.float64, n_jobs=self.n_jobs, verbose=self.verbose)

    def _covariance(self, places: Places) -> FloatArray:
        """Covariance (n, n) of the field at places, summed over blocks of the rows of its factor."""
        latitude, longitude = points_in_degrees(places).T
        covariance = np.zeros((latitude.size,) * 2)
        length = max(1, _BLOCK_VALUES // latitude.size)
        for start in range(0, len(self._factor), length):
            rows = self._factor[start : start + length]
            values = np.empty((latitude.size, len(rows)))
            map_points(latitude, longitude, rows, None, values, self.n_jobs)
            covariance += values @ values.T
        return covariance

    def _shaped(self, values: FloatArray) -> FloatArray:
        """Without the last axis, of targets, if there was none in y."""
        return values[..., 0] if self._flat else values

    def _free(self) -> list[str]:
        """The hyperparameters that are looked for."""
        return [name for name in _HYPERPARAMETERS if not isinstance(self._bounds(name), str)]

    def _bounds(self, name: str) -> Any:
        bounds = getattr(self, f"{name}_bounds")
        if bounds is None and name == "variance":
            return (1e-5, 10.0 if self.normalize_y else 1e5)
        return bounds

    def _check_parameters(self) -> None:
        check_degree(self.max_degree)
        check_flag("normalize_y", self.normalize_y)
        for name in _HYPERPARAMETERS:
            _check_hyperparameter(name, getattr(self, name), self._bounds(name))
        known = self.optimizer is None or callable(self.optimizer)
        known = known or (isinstance(self.optimizer, str) and self.optimizer == "fmin_l_bfgs_b")
        check_parameter("optimizer", self.optimizer, known, "'fmin_l_bfgs_b', a callable or None")
        count = self.n_restarts_optimizer
        check_parameter("n_restarts_optimizer", count, is_integer(count) and count >= 0, "an integer, not negative")
        check_n_jobs(self.n_jobs)

    def __sklearn_tags__(self) -> Tags:
        """Targets may have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _check_hyperparameter(name: str, value: Any, bounds: Any) -> None:
    check_parameter(name, value, is_real(value) and value > 0, "a positive number")
    low, high = _RANGES[name]
    check_parameter(name, value, low <= float(value) <= high, f"a number from {low:g} to {high:g}")
    if isinstance(bounds, str):
        check_parameter(f"{name}_bounds", bounds, bounds == "fixed", "'fixed' or a pair of positive numbers")
        return
    pair = isinstance(bounds, tuple | list | np.ndarray) and len(bounds) == 2 and all(is_real(end) for end in bounds)
    valid = pair and 0 < bounds[0] <= value <= bounds[1]
    check_parameter(f"{name}_bounds", bounds, valid, f"'fixed' or positive (low, high) around {name}={value!r}")
    within = low <= float(bounds[0]) and float(bounds[1]) <= high
    check_parameter(f"{name}_bounds", bounds, within, f"numbers from {low:g} to {high:g}")


def _read_target(
    y: Any, shape: tuple[int, ...] | None, kept: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], bool]:
    """Targets (n, T) of the observations that count, and whether y has no axis for outputs."""
    y = masked_to_nan(y)  # else it would be read through its mask
    target = check_array(y, ensure_2d=False, allow_nd=True, dtype=np.float64, ensure_all_finite=False, input_name="y")
    if shape is not None and target.shape == shape:
        target = target.ravel()
    if target.ndim > 2:
        raise ValueError(f"y has shape {target.shape}: expected (n_samples,) or (n_samples, n_outputs).")
    check_consistent_length(kept, target)
    assert_all_finite(target[kept], input_name="y")
    check_magnitude("y", target[kept])
    return target[kept].reshape(np.count_nonzero(kept), -1), target.ndim == 1


def _hyperparameters_at(names: list[str], theta: FloatArray) -> dict[str, float]:
    """Hyperparameters from their logarithms."""
    return dict(zip(names, np.exp(theta).tolist(), strict=True))


def _kernel(values: dict[str, float]) -> Matern:
    return Matern(values["variance"], math.radians(values["length_scale"]), values["smoothness"])


def _evaluate(evidence: Evidence, values: dict[str, float], free: list[str]) -> tuple[float, FloatArray]:
    """The likelihood, and its gradient with respect to the logarithms of the free hyperparameters."""
    value, gradient = evidence(_kernel(values), values["noise"])
    return value, gradient[[_HYPERPARAMETERS.index(name) for name in free]]
