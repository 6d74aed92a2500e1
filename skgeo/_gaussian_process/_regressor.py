"""Gaussian process regression on the sphere: exact, of nearest neighbours, or by harmonics."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skgeo._base import restore_on_error
from skgeo._gaussian_process._mean import CovariateEstimator
from skgeo._gaussian_process._observations import (
    read_observations,
    read_theta,
)
from skgeo._gaussian_process._process import Process, check_options, check_resumed, fitted_process
from skgeo._places import in_memory
from skgeo._typing import FloatArray
from skgeo._validation import check_parameter, is_integer

__all__ = ["SphericalGaussianProcessRegressor"]


class SphericalGaussianProcessRegressor(RegressorMixin, CovariateEstimator):
    """Gaussian process regression on the sphere with a Matern kernel, for any length scale and number of data.

    Kriging, as geostatistics calls it: a random field is observed with noise, and predicted with its standard
    deviation. The kernel is a Matern kernel of the chord between two places. Its variance, length scale and smoothness
    and the variance of the noise are those of the largest likelihood. The mean of the field is an unknown constant, or
    depends on covariates (``mean``). The defaults serve thirty places of a city as well as a million of the globe.

    Parameters
    ----------
    method : {"auto", "exact", "neighbours", "harmonics"}, default="auto"
        How the process is computed:

        * "exact" solves one system of all observations, in n^3 time and n^2 memory.
        * "neighbours" lets each observation depend on its nearest earlier observations, and each prediction on the
          nearest observations [1]_ [2]_. Time and memory grow linearly.
        * "harmonics" sums the observations into the harmonics up to ``max_degree``, with the spectrum of a Matern
          field on the sphere [3]_. Its model does not grow with the data, and parts merge (``partial_fit``); detail
          finer than ``max_degree`` is taken for noise. It suits smooth fields of the globe.
        * "auto" is "exact" for at most 1,000 different places, and "neighbours" for more.
    length_scale_km : float or None, default=None
        Range of the correlations, in kilometres. None finds the value with the largest likelihood, here and below.
    smoothness : float or None, default=None
        The nu of Matern kernels, from 0.1 to 10: the field has mean-square derivatives of all orders below nu. None
        takes the likeliest of 1/2, 3/2, 5/2 and 9/2; "harmonics" looks at all values from 0.25 to 10. Other values
        than these four and 7/2 take ten times the time, for Bessel functions.
    variance : float or None, default=None
        Variance of the field; of the standardised targets with ``normalize_y``.
    noise : float or None, default=None
        Variance of the noise of an observation of weight 1; of the standardised targets with ``normalize_y``. Zero
        makes the field interpolate, but for a noise of 1e-8 of the variance, which keeps the systems regular; it is not
        accepted by "harmonics".
    n_neighbors : int, default=20
        For "neighbours": how many earlier observations each observation depends on. A prediction takes twice as many.
    max_degree : int, default=20
        For "harmonics": largest degree L, at least 1. The finest detail is half a wavelength in 180 / L degrees.
    normalize_y : bool, default=True
        Standardise the targets by their weighted mean and standard deviation, and let the field have an unknown
        constant mean. False takes the mean of the field to be zero, or linear in the covariates without a constant.
    mean : {"constant", "linear"} or regressor, default="constant"
        Mean of the field. With other values than "constant", X has covariates beside latitude and longitude:

        * "linear" is a constant and a linear function of the covariates, whose coefficients are estimated jointly with
          the field by generalised least squares (universal kriging).
        * A regressor is a trend of any form (regression kriging): the mean is a constant and a multiple of its
          predictions, estimated jointly with the field from predictions of models that were fitted without the
          observation; y has one output. A Pipeline takes the other columns of a frame as they are.

        "harmonics" takes "constant" only.
    cv : int, splitter, iterable of splits or None, default=None
        Folds in which a regressor predicts the observations. An integer is a number of random folds, and None is five.
        A splitter sees latitude and longitude, such as :class:`~skgeo.model_selection.SphericalBlockKFold`.
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
    method_ : {"exact", "neighbours", "harmonics"}
        The method that was used.
    variance_, length_scale_km_, smoothness_, noise_ : float
        The hyperparameters, in the units of the parameters.
    noise_std_ : float or ndarray of shape (n_outputs,)
        Standard deviation of the noise of an observation of weight 1, in the units of y. An observation at a new place
        has the variance ``std**2 + noise_std_**2``.
    theta_ : ndarray
        Natural logarithms of variance, length scale and noise; for "harmonics" of variance, length scale, smoothness
        and noise.
    log_marginal_likelihood_value_ : float
        The likelihood of ``theta_``.
    target_mean_, target_scale_ : ndarray of shape (n_outputs,)
        Mean and scale that standardise the targets; zeros and ones without ``normalize_y``.
    mean_ : ndarray of shape (n_outputs,)
        Mean of the field, in the units of y: predictions far from all observations. With covariates it is that where
        these, or the predictions of a regressor, have their means.
    coef_, coef_std_ : ndarray of shape (n_covariates,) or (n_outputs, n_covariates)
        Only with covariates: their coefficients, and the standard deviations of these. With a regressor they are those
        of its predictions.
    intercept_ : float or ndarray of shape (n_outputs,)
        Only with covariates: the mean where all of these are zero.
    mean_model_ : regressor
        Only for a regressor as mean: a clone that was fitted on all observations.
    n_observations_ : int
        Number of observations so far, without those of weight zero.
    spectrum_ : ndarray of shape (L + 1,)
        Only for "harmonics": prior variance of the harmonics of each degree, as for
        ``skgeo.encoders.SphericalHarmonics(spectrum=...)``.
    truncation_error_ : float
        Only for "harmonics": share of the variance of the Matern field that is in degrees beyond L.
    n_features_in_ : int
        2, latitude and longitude; and the number of covariates.
    feature_names_in_ : ndarray of shape (n_features,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter, y or ``sample_weight`` is not accepted; if there are more than 20,000 places for
        "exact"; if noise is 0 and y has two values at one place. From any method, if X lacks covariates of the mean.
    NotFittedError
        From all other methods before ``fit``.

    Warns
    -----
    ResolutionWarning
        From ``fit`` with "harmonics", if more than a tenth of the variance of the Matern field lies beyond
        ``max_degree``: the message names the degree that the length scale needs.
    ConvergenceWarning
        From ``fit`` with "harmonics", if the search for the maximum was cut short; or if the noise is at an end of its
        bounds, because weights are far from one or the variance of the targets is large.

    See Also
    --------
    skgeo.encoders.SphericalHarmonics : With Ridge, the mean of "harmonics" for given hyperparameters.

    Notes
    -----
    "exact" with given hyperparameters is scikit-learn's ``GaussianProcessRegressor`` on
    :class:`~skgeo.encoders.Cartesian3DEncoder` with ``alpha=noise`` and the kernel ``variance * Matern(l, nu=nu)``,
    where l is ``length_scale_km / 6371.0088``, but for the mean: the mean has a flat prior and is integrated out of
    the likelihood (restricted maximum likelihood), and its uncertainty is a part of the deviation.

    Observations at one place (to half a millimetre) are merged into their weighted mean without loss: their deviations
    from it tell of the noise. The search for the hyperparameters looks at 5,000 places at most: one half of these are
    spread, and the other half are clusters of neighbours. Its likelihood is exact up to 500 places, and that of
    neighbours beyond. For each smoothness it starts from the best point of a grid of noises and of length scales, which
    reach from the spacing of the places to their extent.

    The nearest observations of a prediction are groups of up to 64 observations, where the noise is so large, and the
    observations so dense, that the field varies within a group by next to nothing beside the noise of its mean.

    ``predict`` gives the standard deviation of the field, without the noise of an observation, as scikit-learn does for
    noise that is given as ``alpha``. Several targets share their hyperparameters, as there.

    References
    ----------
    .. [1] Vecchia, A. V. (1988). Estimation and model identification for continuous spatial processes. Journal of the
       Royal Statistical Society B 50(2), 297-312.
    .. [2] Datta, A., Banerjee, S., Finley, A. O. & Gelfand, A. E. (2016). Hierarchical nearest-neighbor Gaussian
       process models for large geostatistical datasets. Journal of the American Statistical Association 111, 800-812.
    .. [3] Lindgren, F., Rue, H. & Lindstrom, J. (2011). An explicit link between Gaussian fields and Gaussian
       Markov random fields. Journal of the Royal Statistical Society B 73(4), 423-498.

    Examples
    --------
    Temperatures of the northern half of the Earth predict the north, and the deviation of the south is large.

    >>> import numpy as np
    >>> from skgeo import SphericalGaussianProcessRegressor
    >>> from skgeo.datasets import fibonacci_lattice
    >>> stations = fibonacci_lattice(600)
    >>> stations = stations[stations[:, 0] > 0]
    >>> noise = np.random.default_rng(0).normal(0, 0.5, len(stations))
    >>> temperature = 30 * np.cos(np.radians(stations[:, 0])) ** 2 + noise
    >>> model = SphericalGaussianProcessRegressor().fit(stations, temperature)
    >>> mean, std = model.predict([[45.0, 20.0], [-45.0, 20.0]], return_std=True)
    >>> mean[0].round(0), bool(std[1] > 4 * std[0])
    (np.float64(15.0), True)
    >>> model.method_, round(model.noise_std_, 1)
    ('exact', 0.5)
    """

    # Missing points are refused: an observation without a place says nothing.
    _missing_policies = ("error",)
    _state: dict[str, Any]
    _flat: bool

    def __init__(
        self,
        *,
        method: str = "auto",
        length_scale_km: float | None = None,
        smoothness: float | None = None,
        variance: float | None = None,
        noise: float | None = None,
        n_neighbors: int = 20,
        max_degree: int = 20,
        normalize_y: bool = True,
        mean: Any = "constant",
        cv: Any = None,
        coordinates: tuple[str, str] | None = None,
        n_jobs: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.method = method
        self.length_scale_km = length_scale_km
        self.smoothness = smoothness
        self.variance = variance
        self.noise = noise
        self.n_neighbors = n_neighbors
        self.max_degree = max_degree
        self.normalize_y = normalize_y
        self.mean = mean
        self.cv = cv
        self.coordinates = coordinates
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: "npt.ArrayLike | None" = None) -> Self:
        """Find the hyperparameters with the largest likelihood, and the mean of the field.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Points as (latitude, longitude) in degrees, with the covariates of ``mean`` behind them or in any columns of
            a frame; or a grid, whose observations are at its cell centres and weigh as its mask says. Chunked input
            (dask) is computed.
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

    @available_if(CovariateEstimator._learns_in_parts)  # type: ignore[untyped-decorator]
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
            As ``fit``; or if ``method`` or the number of outputs has changed, or ``max_degree`` with "harmonics".

        Notes
        -----
        Each call finds the hyperparameters that are None anew. For "harmonics" its time does not depend on the number
        of earlier observations. The other methods keep all observations, and each call takes as long as a fit on all.
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
        (places, covariates), process = self._read_new(X), fitted_process(self)
        places = in_memory(places)
        mean, variance = process.predict(places, covariates, return_std)
        if return_cov:
            # All outputs share the covariance of standardised targets.
            covariance = process.covariance(places, covariates)[:, :, np.newaxis] * self.target_scale_**2
            return self._shaped(mean), self._shaped(covariance)
        if not return_std:
            return self._shaped(mean)
        # Rounding may make a variance negative.
        deviation = np.sqrt(np.maximum(np.asarray(variance), 0.0))
        return self._shaped(mean), self._shaped(deviation * self.target_scale_)

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
            Draws them. The same integer gives the same functions at the same places, and with "harmonics" at any
            places.

        Returns
        -------
        ndarray of shape (n_samples_X, n_samples) or (n_samples_X, n_outputs, n_samples)
            Values of the field, without the noise of an observation.

        Notes
        -----
        Values at all places are drawn jointly, in linear time: "harmonics" draws the weights of the harmonics, the
        other methods draw each place given its nearest observations and its nearest places drawn before. "exact" draws
        from the exact joint distribution of up to 2,000 places.
        """
        check_is_fitted(self)
        valid = is_integer(n_samples) and n_samples >= 1
        check_parameter("n_samples", n_samples, valid, "a positive integer")
        places, covariates = self._read_new(X)
        rng = check_random_state(random_state)
        values = fitted_process(self).sample(in_memory(places), covariates, int(n_samples), rng)
        return values[:, 0] if self._flat else values

    def log_marginal_likelihood(self, theta: "npt.ArrayLike | None" = None, eval_gradient: bool = False) -> Any:
        """Logarithm of the marginal likelihood of hyperparameters, of the standardised targets with ``normalize_y``.

        Parameters
        ----------
        theta : array-like, default=None
            Natural logarithms of the hyperparameters, as in ``theta_``. None takes these.
        eval_gradient : bool, default=False
            Also return the gradient with respect to ``theta``.

        Returns
        -------
        value : float
            Summed over the outputs. With "neighbours" it is the likelihood of the process of neighbours.
        gradient : ndarray of the shape of ``theta``
            Only with ``eval_gradient``.
        """
        check_is_fitted(self)
        process = fitted_process(self)
        point = read_theta(self.theta_ if theta is None else theta, process.names)
        # The fit has stored this value.
        if theta is None and not eval_gradient:
            return self.log_marginal_likelihood_value_
        value, gradient = process.likelihood(point)
        return (value, gradient) if eval_gradient else value

    def _fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None, *, partial: bool) -> Self:
        """Fit on these observations; with ``partial`` on these and all earlier ones."""
        self._check_parameters()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: y should be a 1d array."
            )
        resume = partial and hasattr(self, "_state")
        if resume:
            self._check_resumed_mean()
        # A part that fails leaves the earlier parts unchanged.
        with restore_on_error(self):
            places, covariates = self._read_with_covariates(X, reset=not resume)
            # The first part has passed this check when it was read.
            if resume:
                self._warn_radians(places)
            data = self._with_covariates(read_observations(places, y, sample_weight), covariates)
            if resume:
                check_resumed(self, data)
            process = self._fit_process(data, self._state if resume else None)
            self._flat = self._flat if resume else data.flat
            self._store(process)
        return self

    def _store(self, process: Process) -> None:
        """Set the fitted attributes."""
        # The state is a plain dict of arrays, so that files of fitted models hold no class of the kernels.
        self._state, self.method_ = process.state, process.method
        values = {f"{name}_": value for name, value in process.values.items()}
        for name in ("spectrum_", "truncation_error_"):
            if hasattr(self, name):
                delattr(self, name)
        for name, value in (process.attributes() | values).items():
            setattr(self, name, value)
        self.theta_ = np.log([process.values[name] for name in process.names])
        self.log_marginal_likelihood_value_ = process.value
        self.target_mean_, self.target_scale_ = process.state["mean"], process.state["scale"]
        self.mean_ = process.mean()
        self._store_coefficients(process, flat=self._flat)
        noise_std = np.sqrt(self.noise_) * self.target_scale_
        self.noise_std_ = float(noise_std[0]) if self._flat else noise_std
        self.n_observations_ = process.n_observations

    def _shaped(self, values: FloatArray) -> FloatArray:
        """The values without the last axis, that of outputs, if y has no such axis."""
        return values[..., 0] if self._flat else values

    def _check_parameters(self) -> None:
        self._check_input_parameters()
        check_options(self)
        self._check_mean(self.method)

    def __sklearn_tags__(self) -> Tags:
        """Targets may have several columns, unless the mean is a regressor."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self._mean_kind() != "regressor"
        return tags
