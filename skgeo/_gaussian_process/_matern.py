"""The methods "exact" and "neighbours" of Gaussian process regression, with a Matern kernel of the chord."""

import math
from typing import Any

import numpy as np
from scipy import linalg

from skgeo._gaussian_process._observations import EARTH_RADIUS_KM, Given, TrainingData
from skgeo._kernels.exact_gp import ExactGP, condition_on_all, joint_covariance
from skgeo._kernels.gp_likelihood import Likelihood, Observations, likelihood, merge_places
from skgeo._kernels.gp_search import Given as Fixed
from skgeo._kernels.gp_search import Hyperparameters, find_hyperparameters
from skgeo._kernels.grouped_places import group_observations
from skgeo._kernels.neighbour_gp import (
    JITTER,
    Conditional,
    NeighbourGP,
    condition_on_nearest,
    covariance_given_nearest,
    draw_prior,
)
from skgeo._kernels.sphere import unit_vectors
from skgeo._places import points_in_degrees
from skgeo._typing import FloatArray
from skgeo._validation import progress
from skgeo._values_at_places import Places

#: Up to this number of places "auto" takes the exact process, which is then as fast as the process of neighbours.
MAX_AUTO_EXACT = 1000
# The exact process keeps matrices of n x n numbers: 3.2 GB each at this number.
_MAX_EXACT = 20_000
# Up to this number of places fields are drawn from the joint covariance of the predictions.
_MAX_JOINT_DRAWS = 1000
# A prediction takes this multiple of n_neighbors. The additional neighbours cost little time and reduce the error.
_PREDICTION_FACTOR = 2


class MaternProcess:
    """A fitted process with a Matern kernel of the chord, exact or of nearest neighbours.

    ``state`` holds arrays by name: the observations, and the coefficients of the mean with their precision.
    """

    names = ("variance", "length_scale_km", "noise")

    def __init__(
        self,
        state: dict[str, Any],
        values: dict[str, float],
        *,
        exact: bool,
        n_neighbors: int,
        n_jobs: int | None,
        verbose: bool | None,
    ) -> None:
        self.state, self.values, self.exact = state, values, exact
        self.n_neighbors, self.n_jobs, self.verbose = n_neighbors, n_jobs, verbose

    @classmethod
    def fit(
        cls,
        data: TrainingData,
        given: Given,
        before: dict[str, Any] | None,
        *,
        method: str,
        normalize_y: bool,
        n_neighbors: int,
        n_jobs: int | None,
        verbose: bool | None,
    ) -> "MaternProcess":
        """Find the hyperparameters and the mean. Observations of ``before``, the state of earlier parts, are added."""
        n_targets = data.targets.shape[1]
        # The columns are the targets, then the design of the mean: a constant and the covariates.
        constant = np.ones((len(data.targets), int(normalize_y)))
        covariates = constant[:, :0] if data.covariates is None else data.covariates
        columns = np.hstack([data.targets, constant, covariates])
        earlier = None if before is None else Observations(**before["observations"])
        observations = merge_places(unit_vectors(*data.points.T), columns, data.weight, earlier)
        n_places = len(observations.vectors)
        exact = method == "exact" or (method == "auto" and n_places <= MAX_AUTO_EXACT)
        _check_observations(observations, n_targets, given, exact=exact)
        mean, scale = observations.mean_and_scale(columns.shape[1])
        # The constant is not standardised. Without a constant, the mean is zero where all covariates are zero.
        if normalize_y:
            mean[n_targets], scale[n_targets] = 0.0, 1.0
        else:
            mean, scale[:n_targets] = np.zeros_like(mean), 1.0
        state = {"mean": mean[:n_targets], "scale": scale[:n_targets], "observations": observations._asdict()}
        state |= {"n_constant": constant.shape[1], "design_mean": mean[n_targets:], "design_scale": scale[n_targets:]}
        state["used"] = observations.standardised(mean, scale).independent_columns(n_targets)[n_targets:] - n_targets
        process = cls(state, {}, exact=exact, n_neighbors=n_neighbors, n_jobs=n_jobs, verbose=verbose)
        process._fit_hyperparameters(given)
        return process

    def _fit_hyperparameters(self, given: Given) -> None:
        """Find the hyperparameters that the user left open, by the largest likelihood."""
        length = given["length_scale_km"]
        fixed = Fixed(
            given["variance"], None if length is None else length / EARTH_RADIUS_KM, given["smoothness"], given["noise"]
        )
        data = self._standardised()
        found = find_hyperparameters(data, self.n_targets, fixed, self.n_neighbors, self.n_jobs)
        # The search may have used a part of the data. Compute the variance and the mean from all data.
        variance = fixed.variance
        if variance is None and (fixed.noise or data.multiplicity.sum() <= data.columns.shape[1] - self.n_targets):
            variance = found.variance
        at = self._likelihood(found._replace(variance=variance))  # type: ignore[arg-type]
        self.values = {
            "variance": at.variance,
            "length_scale_km": found.length * EARTH_RADIUS_KM,
            "smoothness": found.smoothness,
            "noise": found.ratio * at.variance,
        }
        self.state |= {"coefficients": at.coefficients, "precision": at.precision, "value": at.value}
        # Grouping takes as long as some thousand predictions, so a fit groups the observations once.
        if not self.exact:
            self.state["groups"] = group_observations(self._residuals(), self._kernel, self._ratio)._asdict()

    @property
    def method(self) -> str:
        """The name of the method."""
        return "exact" if self.exact else "neighbours"

    @property
    def value(self) -> float:
        """The logarithm of the likelihood of the hyperparameters."""
        return float(self.state["value"])

    def mean(self) -> FloatArray:
        """The mean (T,) of the field far from the observations, in units of y."""
        constant = (self._design(1, None) @ self.state["coefficients"])[0]
        return np.asarray(self.state["mean"] + self.state["scale"] * constant)

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return len(self.state["mean"])

    @property
    def n_observations(self) -> int:
        """Number of observations so far."""
        return int(self.state["observations"]["multiplicity"].sum())

    def attributes(self) -> dict[str, Any]:
        """The fitted attributes that these methods alone have: none."""
        return {}

    def coefficients(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coefficients (T, p) of the covariates, their standard deviations (T, p), and intercepts (T,), in units of y.

        A covariate that was left out has the coefficient zero, and no standard deviation.
        """
        used, scale, units = self.state["used"], self.state["scale"][:, np.newaxis], self.state["design_scale"]
        value, deviation = np.zeros((len(scale), len(units))), np.full((len(scale), len(units)), np.nan)
        value[:, used] = scale * self.state["coefficients"].T
        inverse = linalg.cho_solve((self._precision_factor(), True), np.eye(len(used)))
        deviation[:, used] = scale * np.sqrt(self.values["variance"] * np.diagonal(inverse))
        value, deviation = value / units, deviation / units
        constant, slopes = np.split(value, [self.state["n_constant"]], axis=1)
        intercept = self.state["mean"] + constant.sum(axis=1) - value @ self.state["design_mean"]
        return slopes, deviation[:, constant.shape[1] :], intercept

    def likelihood(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The logarithm of the likelihood at logarithms of the hyperparameters, and its gradient."""
        variance, length_km, noise = np.exp(theta).tolist()
        at = self._likelihood(
            Hyperparameters(variance, length_km / EARTH_RADIUS_KM, self.values["smoothness"], noise / variance)
        )
        by_variance, by_length, by_ratio = at.gradient
        # The ratio is noise / variance.
        return at.value, np.array([by_variance - by_ratio, by_length, by_ratio])

    def predict(
        self, places: Places, covariates: FloatArray | None, with_variance: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Mean (n, T) of the field in units of y, and its variance (n, 1) of standardised targets."""
        vectors = unit_vectors(*points_in_degrees(places).T)
        known = np.isfinite(vectors).all(axis=1)
        means, variance = (np.full((len(vectors), k), np.nan) for k in (self.n_targets, 1))
        design = self._design(len(vectors), covariates)[known]
        means[known], variance[known, 0] = self._predict_vectors(vectors[known], design)
        return means, variance

    def _predict_vectors(self, vectors: FloatArray, design: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Means (n, T) in units of y, and variances (n,) of standardised targets, at vectors (n, 3)."""
        found, left = self._condition(vectors, self._conditional())
        rest = self._mean_root(design - found[:, self.n_targets :])
        variance = self.values["variance"] * (np.maximum(left, 0.0) + np.square(rest).sum(axis=1))
        return self._in_units_of_y(found, design), variance

    def _condition(self, vectors: FloatArray, given: Conditional) -> tuple[FloatArray, FloatArray]:
        """Means (n, k) of the columns given the data, and the remaining shares (n,) of the variance of the field."""
        if self.exact:
            return condition_on_all(self._factor(), given.vectors, given.columns, self._kernel, vectors)
        with progress(len(vectors), "place", shown=self.verbose) as advance:
            return condition_on_nearest(given, self._kernel, vectors, self._n_near, self.n_jobs, advance)

    def _in_units_of_y(self, found: FloatArray, design: FloatArray) -> FloatArray:
        """Predictions (n, T) from the conditional means of residuals and design: the mean of the field is added."""
        means = design @ self.state["coefficients"] + found[:, : self.n_targets]
        return np.asarray(self.state["mean"] + self.state["scale"] * means)

    def covariance(self, places: Places, covariates: FloatArray | None) -> FloatArray:
        """Covariance (n, n) of the field of standardised targets."""
        vectors = unit_vectors(*points_in_degrees(places).T)
        known = np.flatnonzero(np.isfinite(vectors).all(axis=1))
        covariance = np.full((len(vectors),) * 2, np.nan)
        design = self._design(len(vectors), covariates)[known]
        covariance[np.ix_(known, known)] = self.values["variance"] * self._joint_covariance(vectors[known], design)
        return covariance

    def _joint_covariance(self, vectors: FloatArray, design: FloatArray) -> FloatArray:
        """Covariance (n, n) at vectors (n, 3), divided by the variance of the field."""
        given = self._conditional()
        if self.exact:
            covariance = joint_covariance(self._factor(), given.vectors, self._kernel, vectors)
        else:
            covariance = covariance_given_nearest(given, self._kernel, vectors, self._n_near, self.n_jobs)
        found = self._condition(vectors, given)[0]
        root = self._mean_root(design - found[:, self.n_targets :])
        return covariance + root @ root.T

    def sample(
        self, places: Places, covariates: FloatArray | None, n_samples: int, rng: np.random.RandomState
    ) -> FloatArray:
        """Fields (n, T, n_samples) drawn given the data, in units of y."""
        vectors = unit_vectors(*points_in_degrees(places).T)
        known = np.isfinite(vectors).all(axis=1)
        draw = self._draw_jointly if np.count_nonzero(known) <= _MAX_JOINT_DRAWS else self._draw_errors
        design = self._design(len(vectors), covariates)[known]
        means, errors = draw(vectors[known], design, self.n_targets * n_samples, rng)
        errors = errors.reshape(len(errors), self.n_targets, n_samples) * math.sqrt(self.values["variance"])
        values = np.full((len(vectors), self.n_targets, n_samples), np.nan)
        values[known] = means[:, :, np.newaxis] + self.state["scale"][:, np.newaxis] * errors
        return values

    def _draw_jointly(
        self, vectors: FloatArray, design: FloatArray, n_draws: int, rng: np.random.RandomState
    ) -> tuple[FloatArray, ...]:
        """Predictions (n, T), and errors (n, n_draws) drawn from their covariance."""
        covariance = self._joint_covariance(vectors, design)
        # Places that are close to each other or to data make the covariance singular.
        covariance[np.diag_indices_from(covariance)] += JITTER
        factor = linalg.cholesky(covariance, lower=True)
        return self._predict_vectors(vectors, design)[0], factor @ rng.standard_normal((len(vectors), n_draws))

    def _draw_errors(
        self, vectors: FloatArray, design: FloatArray, n_draws: int, rng: np.random.RandomState
    ) -> tuple[FloatArray, ...]:
        """Predictions (n, T), and errors (n, n_draws) of predictions of drawn fields from drawn data.

        The distribution of errors does not depend on the data. Errors for fields drawn from the prior therefore have
        the right distribution (conditioning by kriging: Chiles & Delfiner 2012, Geostatistics, section 7.3).
        """
        given = self._conditional()
        both = np.vstack([given.vectors, vectors])
        white = rng.standard_normal((len(both), n_draws))
        fields = draw_prior(both, self._kernel, self._n_near, white, self.n_jobs)
        n_data, k = len(given.vectors), given.columns.shape[1]
        observed = fields[:n_data] + np.sqrt(given.noise)[:, np.newaxis] * rng.standard_normal((n_data, n_draws))
        found, _ = self._condition(vectors, given._replace(columns=np.hstack([given.columns, observed])))
        errors = fields[n_data:] - found[:, k:]
        # All places of a field have the same error of the mean: draw the coefficients of the mean once for a field.
        root = self._mean_root(design - found[:, self.n_targets : k])
        errors = errors + root @ rng.standard_normal((root.shape[1], n_draws))
        return self._in_units_of_y(found[:, :k], design), errors

    def _mean_root(self, rest: FloatArray) -> FloatArray:
        """A root (n, p) of the covariance of the mean. ``rest`` (n, p) is the design minus its explained part."""
        if not rest.shape[1]:
            return rest
        return np.asarray(linalg.solve_triangular(self._precision_factor(), rest.T, lower=True).T)

    def _precision_factor(self) -> FloatArray:
        """The lower Cholesky factor of the precision of the coefficients of the mean."""
        return np.asarray(linalg.cholesky(self.state["precision"], lower=True))

    def _standardised(self) -> Observations:
        """The observations of standardised targets, with the standardised design of the mean."""
        data = Observations(**self.state["observations"])
        mean, scale = (np.append(self.state[name], self.state[f"design_{name}"]) for name in ("mean", "scale"))
        columns = np.append(np.arange(self.n_targets), self.n_targets + self.state["used"])
        return data.standardised(mean, scale).select(columns)

    def _design(self, n: int, covariates: FloatArray | None) -> FloatArray:
        """The standardised design (n, p) of the mean at n places: a constant, or nothing, and the covariates.

        ``covariates=None`` takes their means.
        """
        values, n_constant = np.tile(self.state["design_mean"], (n, 1)), self.state["n_constant"]
        values[:, :n_constant] = 1.0
        if covariates is not None:
            values[:, n_constant:] = covariates
        design = (values - self.state["design_mean"]) / self.state["design_scale"]
        return np.asarray(design[:, self.state["used"]])

    @property
    def _n_near(self) -> int:
        """The number of observations near a place from which its prediction comes."""
        return _PREDICTION_FACTOR * self.n_neighbors

    @property
    def _kernel(self) -> tuple[float, float]:
        """The length scale in radians, and the smoothness."""
        return self.values["length_scale_km"] / EARTH_RADIUS_KM, self.values["smoothness"]

    @property
    def _ratio(self) -> float:
        """The variance of the noise, divided by the variance of the field."""
        return self.values["noise"] / self.values["variance"]

    def _factor(self) -> FloatArray:
        """The Cholesky factor of the exact process. Every call computes it: files and pickles hold the data only."""
        data = self.state["observations"]
        return ExactGP(data["vectors"], data["weight"]).factor(*self._kernel, self._ratio)

    def _conditional(self) -> Conditional:
        """What predictions are conditioned on: the residuals and the design of the mean, in groups for neighbours."""
        if not self.exact:
            return Conditional(**self.state["groups"])
        data = self._residuals()
        return Conditional(data.vectors, data.columns, self._ratio / data.weight)

    def _residuals(self) -> Observations:
        """The observations, with residuals from the mean of the field in place of the targets."""
        data = self._standardised()
        targets, design = np.split(data.columns, [self.n_targets], axis=1)
        return data._replace(columns=np.hstack([targets - design @ self.state["coefficients"], design]))

    def _likelihood(self, at: Hyperparameters) -> Likelihood:
        """The likelihood of all data at hyperparameters; ``variance=None`` takes the best variance."""
        data = self._standardised()
        process = (
            ExactGP(data.vectors, data.weight)
            if self.exact
            else NeighbourGP(data.vectors, data.weight, self.n_neighbors, self.n_jobs)
        )
        gram = process.gram(data.columns, *at[1:])
        return likelihood(gram, data, self.n_targets, at.ratio, at.variance)


def _check_observations(data: Observations, n_targets: int, given: Given, *, exact: bool) -> None:
    """Raise ValueError if the data are too many for the exact process, or contradict a noise of zero."""
    n_places = len(data.vectors)
    if exact and n_places > _MAX_EXACT:
        raise ValueError(
            f"method='exact' with {n_places} places: expected at most {_MAX_EXACT}, because it needs matrices of "
            "n x n numbers. method='neighbours' takes any number."
        )
    if given["noise"] == 0 and data.deviations[:, :n_targets].any():
        raise ValueError(
            "noise=0, but y has different values at one place: without noise the field has one value there. Give a "
            "positive noise, or None."
        )
