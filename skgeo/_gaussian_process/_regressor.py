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

    Geostatistics calls this method kriging. The model predicts a random field that was observed with noise, and the
    standard deviation of the prediction. The kernel is a Matern kernel of the chord between two places. ``fit`` finds
    the variance, the length scale, the smoothness and the noise with the largest likelihood. The mean of the field is a
    constant, or depends on covariates (``mean``). The defaults work for thirty places of a city and for a million
    places of the globe.

    Parameters
    ----------
    method : {"auto", "exact", "neighbours", "harmonics"}, default="auto"
        How the process is computed:

        * "exact" solves one linear system of all observations, in n^3 time and n^2 memory.
        * "neighbours" makes each observation depend on its nearest earlier observations only, and each prediction on
          the nearest observations [1]_ [2]_. Time and memory grow linearly.
        * "harmonics" models the field as a sum of harmonics up to ``max_degree``, with the spectrum of a Matern field
          on the sphere [3]_. The size of the model does not depend on the number of observations, which may arrive in
          parts (``partial_fit``). Detail finer than ``max_degree`` counts as noise. Use it for smooth global fields.
        * "auto" is "exact" for at most 1,000 different places, and "neighbours" for more.
    length_scale_km : float or None, default=None
        Range of the correlations in km. None finds the value with the largest likelihood.
    smoothness : float or None, default=None
        The nu of Matern kernels, from 0.1 to 10: the field has mean-square derivatives of all orders below nu. None
        takes the value of 1/2, 3/2, 5/2 and 9/2 with the largest likelihood; "harmonics" searches from 0.25 to 10.
        Values other than these four and 7/2 take ten times as long, because they need Bessel functions.
    variance : float or None, default=None
        Variance of the field, in units of the standardised targets if ``normalize_y`` is True. None finds the value
        with the largest likelihood.
    noise : float or None, default=None
        Variance of the noise of an observation of weight 1, in the units of ``variance``. None finds the value with the
        largest likelihood. With 0 the field passes through the observations; a noise of 1e-8 of the variance then
        keeps the linear systems regular. "harmonics" does not accept 0.
    n_neighbors : int, default=20
        For "neighbours": number of earlier observations that an observation depends on. A prediction uses twice this
        number.
    max_degree : int, default=20
        For "harmonics": largest degree L, at least 1. Its resolution, half a wavelength, is 180 / L degrees.
    normalize_y : bool, default=True
        Standardise the targets by their weighted mean and standard deviation, and give the field an unknown constant
        mean. If False, the mean of the field is zero, or linear in the covariates without a constant.
    mean : {"constant", "linear"} or regressor, default="constant"
        Mean of the field. If it is not "constant", X has covariates beside latitude and longitude:

        * "linear" is a constant plus a linear function of the covariates. The coefficients are estimated together with
          the field by generalised least squares (universal kriging).
        * With a regressor (regression kriging) the mean is a constant plus a multiple of the predictions of the
          regressor. Each observation is predicted by a clone that was fitted without this observation. The constant and
          the multiple are estimated together with the field. y must have one output. A Pipeline gets all columns of a
          frame but the coordinates, unchanged.

        "harmonics" accepts "constant" only.
    cv : int, splitter, iterable of splits or None, default=None
        Folds in which a regressor predicts the observations. An integer is a number of random folds. None means five. A
        splitter gets latitude and longitude, so :class:`~skgeo.model_selection.SphericalBlockKFold` works.
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
        has the variance ``std**2 + noise_std_**2``, with ``std`` from ``predict``.
    theta_ : ndarray
        Natural logarithms of variance, length scale and noise; for "harmonics" of variance, length scale, smoothness
        and noise.
    log_marginal_likelihood_value_ : float
        The log marginal likelihood of ``theta_``.
    target_mean_, target_scale_ : ndarray of shape (n_outputs,)
        Mean and standard deviation that standardise the targets; zeros and ones if ``normalize_y`` is False.
    mean_ : ndarray of shape (n_outputs,)
        Mean of the field in the units of y, which is the prediction far from all observations. With covariates it is
        the mean at the average of the covariates, or of the predictions of a regressor.
    coef_, coef_std_ : ndarray of shape (n_covariates,) or (n_outputs, n_covariates)
        Only with covariates: the coefficients of the covariates, or of the predictions of a regressor, and their
        standard deviations.
    intercept_ : float or ndarray of shape (n_outputs,)
        Only with covariates: the mean of the field where all covariates are zero.
    mean_model_ : regressor
        Only with a regressor as mean: a clone that was fitted on all observations.
    n_observations_ : int
        Number of observations so far, without those of weight zero.
    spectrum_ : ndarray of shape (L + 1,)
        Only for "harmonics": prior variance of the harmonics of each degree, as for
        ``skgeo.encoders.SphericalHarmonics(spectrum=...)``.
    truncation_error_ : float
        Only for "harmonics": share of the variance of the Matern field in degrees above L.
    n_features_in_ : int
        Number of columns of X: 2 for latitude and longitude, plus the number of covariates.
    feature_names_in_ : ndarray of shape (n_features,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter, y or ``sample_weight`` is invalid; if "exact" gets more than 20,000 places; if
        noise is 0 and y has two values at one place. From any method, if X lacks covariates of the mean.
    NotFittedError
        From all other methods before ``fit``.

    Warns
    -----
    ResolutionWarning
        From ``fit`` with "harmonics", if more than a tenth of the variance of the Matern field is in degrees above
        ``max_degree``. The message names the degree that the length scale needs.
    ConvergenceWarning
        From ``fit`` with "harmonics", if the search stopped before it reached the maximum; or if the noise is at one of
        its bounds, for instance because the weights are far from one.

    See Also
    --------
    skgeo.encoders.SphericalHarmonics : With Ridge, predicts the mean of "harmonics" for given hyperparameters.

    Notes
    -----
    With given hyperparameters "exact" is the ``GaussianProcessRegressor`` of scikit-learn on
    :class:`~skgeo.encoders.Cartesian3DEncoder`, with ``alpha=noise`` and the kernel ``variance * Matern(l, nu=nu)``,
    where l is ``length_scale_km / 6371.0088``. Only the mean differs: it has a flat prior and is integrated out of the
    likelihood (restricted maximum likelihood), and the standard deviation includes its uncertainty.

    Observations at one place (to half a millimetre) are replaced by their weighted mean. This is exact: deviations from
    the mean enter the likelihood of the noise. The search for the hyperparameters uses at most 5,000 places. Half
    of them are spread out, and half are clusters of neighbours. The likelihood of the search is exact for up to 500
    places. For more places it is the likelihood of "neighbours". For each smoothness the search starts at the best
    point of a grid of noises and length scales. The length scales reach from the spacing of the places to their extent.

    If observations are dense and noisy, "neighbours" joins up to 64 of them to a group, which counts as one
    observation. Within a group the field varies by much less than the noise of the mean of the group.

    ``predict`` returns the standard deviation of the field, without the noise of an observation, as scikit-learn does
    for noise that is given as ``alpha``. Several targets share their hyperparameters, as in scikit-learn.

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
    All stations are in the north. The standard deviation in the south is large.

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
            Points as (latitude, longitude) in degrees. Covariates of ``mean`` follow in an array, and are the other
            columns of a frame. A grid has its observations at the centres of the cells, with the mask as weights.
            Chunked input (dask) is computed.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or of the shape of the grid
            Observed values. Values of weight zero may be NaN or masked.
        sample_weight : array-like of shape (n_samples,) or of the shape of the grid, default=None
            An observation of weight w has noise of the variance ``noise / w``, as the mean of w observations has.
            Observations of weight zero are left out.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, partial=False)

    @available_if(CovariateEstimator._learns_in_parts)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Add observations to the earlier ones. The result is that of one fit on all of them, within rounding errors.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``fit``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or of the shape of the grid
            Observed values, with as many outputs as before.
        sample_weight : array-like of shape (n_samples,) or of the shape of the grid, default=None
            As for ``fit``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As in ``fit``; or if ``method``, the number of outputs or, with "harmonics", ``max_degree`` has changed.

        Notes
        -----
        Each call searches again for all hyperparameters that are None. With "harmonics" the time does not depend on the
        number of earlier observations. Other methods keep all observations: each call takes as long as one fit on all.
        """
        return self._fit(X, y, sample_weight, partial=True)

    def predict(self, X: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Predict the mean of the field at places, and optionally its standard deviation or covariance.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            As for ``fit``. All cells of a grid are predicted, in C order. The mask has no effect.
        return_std : bool, default=False
            Also return the standard deviation.
        return_cov : bool, default=False
            Also return the covariance of all pairs of places.

        Returns
        -------
        mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions in the units of y, in float64; NaN for cells of a grid that have no place.
        std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Only with ``return_std``: standard deviation of the field, without the noise of an observation.
        cov : ndarray of shape (n_samples, n_samples) or (n_samples, n_samples, n_outputs)
            Only with ``return_cov``: covariance of the field, without the noise of an observation.

        Raises
        ------
        RuntimeError
            If ``return_std`` and ``return_cov`` are both True.
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
        """Draw random fields that agree with the data, and evaluate them at places.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples_X, 2), LatLonGrid, CellGrid or xarray object
            As for ``predict``.
        n_samples : int, default=1
            Number of fields.
        random_state : int, RandomState or None, default=0
            Source of randomness. The same integer gives the same fields at the same places, and with "harmonics" at any
            places.

        Returns
        -------
        ndarray of shape (n_samples_X, n_samples) or (n_samples_X, n_outputs, n_samples)
            Values of the field, without the noise of an observation.

        Notes
        -----
        Values at all places are drawn jointly. "harmonics" draws the weights of the harmonics. The other methods draw
        up to 1,000 places from the joint covariance of their predictions. For more places they draw a field at
        observations and places, by nearest neighbours, and correct it by kriging, in linear time.
        """
        check_is_fitted(self)
        valid = is_integer(n_samples) and n_samples >= 1
        check_parameter("n_samples", n_samples, valid, "a positive integer")
        places, covariates = self._read_new(X)
        rng = check_random_state(random_state)
        values = fitted_process(self).sample(in_memory(places), covariates, int(n_samples), rng)
        return values[:, 0] if self._flat else values

    def log_marginal_likelihood(self, theta: "npt.ArrayLike | None" = None, eval_gradient: bool = False) -> Any:
        """Compute the logarithm of the marginal likelihood of hyperparameters, for the targets as ``fit`` scales them.

        Parameters
        ----------
        theta : array-like, default=None
            Natural logarithms of the hyperparameters, in the order of ``theta_``. None is ``theta_``.
        eval_gradient : bool, default=False
            Also return the gradient with respect to ``theta``.

        Returns
        -------
        value : float
            Sum over the outputs. With "neighbours" it is the likelihood of the approximation.
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
        """The values without the last axis, the axis of outputs, if y has one dimension."""
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
