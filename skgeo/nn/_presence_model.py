"""The base of the classifier of presence-only records: reading, targets, background and training."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.special import expit

from skgeo._callers import warn_once_a_search
from skgeo._input.covariates import covariate_numbers, covariates_in_order, split_covariates
from skgeo._places import as_grid
from skgeo._targets import check_known, read_classes
from skgeo._validation import check_flag, check_parameter, is_integer, is_real
from skgeo._values_at_places import Places
from skgeo.exceptions import CoordinateWarning
from skgeo.metrics._presence import is_matrix
from skgeo.nn._backgrounds import (
    Background,
    read_background,
    uniform_background,
    warn_of_records_outside,
    warn_of_small_region,
)
from skgeo.nn._encoder_and_network import build_encoder_and_network, fit_encoder, network_recipe, network_skeleton
from skgeo.nn._location_estimators import LocationModel
from skgeo.nn._presence_losses import PRESENCE_LOSSES, PresenceOnlyLoss, log_mean_exp
from skgeo.nn._training import FrozenAndTrained, Samples, Settings, predict

__all__ = ["PresenceOnlyModel"]

_EXPECTED = "a DataFrame with the coordinates and the covariates, or an array (latitude, longitude, covariates)"


class _PlacesAndCovariates(NamedTuple):
    """Places, and their covariates (n, n_covariates)."""

    places: Places
    covariates: npt.NDArray[np.float64]


class PresenceOnlyModel(LocationModel):
    """Trains a network on records of presence against a background."""

    loss: str
    positive_weight: float | None
    background: Any
    n_background: int
    background_weight: npt.ArrayLike | None
    class_weight: dict[Any, float] | str | None
    covariates: bool
    classes_: npt.NDArray[Any]
    # The names of the columns of an indicator matrix. Only fit sets them, and deletes them at its end.
    _species_columns: list[str] | None = None

    # Reading

    def _read(self, X: Any, *, reset: bool, **options: Any) -> Any:
        """Places and covariates; ``options`` are those of LocationEstimator."""
        if reset:
            check_flag("covariates", self.covariates)
        # After the fit the covariates of the fit count, even if the parameter has been changed.
        if not (self.covariates if reset else self._n_covariates):
            if reset:
                self._n_covariates, self._covariate_names = 0, None
            return super()._read(X, reset=reset, **options)
        lacking = (
            f"covariates=True: X, a {type(X).__name__}, has no covariates beside latitude and longitude: expected "
            f"{_EXPECTED}."
        )
        places, split = self._read_table(X, lacking, reset=reset, **options)
        return _PlacesAndCovariates(places, self._numbers(split.covariates))

    def _numbers(self, covariates: Any, parameter: str = "X") -> npt.NDArray[np.float64]:
        """Covariates (n, n_covariates) as numbers, in the order of the fit; ``parameter`` holds them."""
        names = self._covariate_names
        ordered = covariates_in_order(covariates, names, self._n_covariates, type(self).__name__, parameter)
        return covariate_numbers(ordered, names, "covariates=True" if parameter == "X" else parameter)

    def _inputs(
        self, places: Any, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        if not isinstance(places, _PlacesAndCovariates):
            return super()._inputs(places, sample_weight)
        points, weight = super()._inputs(places.places, sample_weight)
        return np.column_stack([points, places.covariates]), weight

    # Targets

    def _check_target(self, y: Any, name: str) -> npt.NDArray[Any]:
        matrix: Any = y
        values = matrix.toarray() if sparse.issparse(y) else np.asarray(y)
        if not is_matrix(values):
            return read_classes(y, name)
        valid = values.dtype.kind in "biuf" and bool(np.isin(values, (0, 1)).all())
        if not valid:
            if values.dtype.kind in "if" and bool(np.isin(values, (-1, 0, 1)).all()):
                raise ValueError(
                    f"{name} holds -1, 0 and 1: Unknown label type: expected a matrix of zeros and ones. If -1 says "
                    "that a species was not surveyed, use the matrix in skgeo.metrics.mean_species_score only."
                )
            raise ValueError(
                f"{name} has shape {values.shape}: Unknown label type: expected one label a record, or a matrix "
                "(n_samples, n_species) of zeros and ones. Numbers of individuals are no presences: use y > 0."
            )
        return values.astype(np.uint8)

    def _set_target(self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], classes: Any = None) -> None:
        self._multilabel = target.ndim == 2
        if self._multilabel:
            names = self._species_columns
            self.classes_ = np.arange(target.shape[1]) if names is None else _as_classes(names)
            counts = weight @ target
        else:
            if target.dtype.kind == "b":
                raise ValueError(
                    "y holds True and False: expected the species of each record. If True says that the species was "
                    "seen, give a matrix of one column, y[:, None], or the records alone, X[y], with a label."
                )
            self.classes_, codes = np.unique(target, return_inverse=True)
            if self.classes_.dtype.kind in "iuf" and self.classes_.tolist() == [0, 1]:
                warn_once_a_search(
                    "y holds the numbers 0 and 1, which are taken for two species. If 1 says that the species was "
                    "seen, give a matrix of one column, y[:, None], or the records alone, X[y == 1], with a label.",
                    CoordinateWarning,
                )
            counts = np.bincount(codes, weights=weight)
        if not (counts > 0.0).all():
            missing = self.classes_[counts == 0.0].tolist()
            raise ValueError(
                f"y has no record of the species {missing[:5]}, {len(missing)} in all: drop their columns. If a "
                "fold of a cross-validation lacks a rare species, give one label a record instead of a matrix."
            )
        if len(set(self.classes_.tolist())) < len(self.classes_):
            raise ValueError("y has columns with the same name: expected each species once.")
        self._check_parameters()
        self.n_records_ = counts
        self._class_weights = self._weights_of_species(counts)

    def _check_parameters(self) -> None:
        known = isinstance(self.loss, str) and self.loss in PRESENCE_LOSSES
        check_parameter("loss", self.loss, known, ", ".join(map(repr, PRESENCE_LOSSES)))
        weight = self.positive_weight
        check_parameter(
            "positive_weight", weight, weight is None or (is_real(weight) and weight > 0), "a positive number or None"
        )
        n = self.n_background
        check_parameter("n_background", n, is_integer(n) and n >= 1, "a positive integer")
        if self.loss == "slds" and len(self.classes_) < 2:
            raise ValueError(
                "loss='slds' compares species with each other, and y has one class only: expected two species or "
                "more, or another loss."
            )

    def _weights_of_species(self, counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Weights (n_species,) of presences, whose mean over the records is one."""
        value = self.class_weight
        valid = value is None or isinstance(value, dict) or (isinstance(value, str) and value == "balanced")
        check_parameter("class_weight", value, valid, "None, 'balanced' or a dict of species and weights")
        weights = np.ones(len(counts))
        if isinstance(value, str):
            weights = 1.0 / counts
        elif value is not None:
            names = self.classes_.tolist()
            known = set(value) <= set(names) and all(is_real(number) and number >= 0 for number in value.values())
            check_parameter("class_weight", value, known, "species of y, each with a number that is not negative")
            weights = np.array([float(value.get(name, 1.0)) for name in names])
        mean = float(np.average(weights, weights=counts))
        check_parameter("class_weight", value, mean > 0.0, "weights that are not all zero")
        return weights / mean

    def _encode_target(
        self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], name: str
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        if (target.ndim == 2) != self._multilabel or (self._multilabel and target.shape[1] != len(self.classes_)):
            expected = f"(n_samples, {len(self.classes_)})" if self._multilabel else "(n_samples,)"
            raise ValueError(f"{name} has shape {target.shape}: expected {expected}, as in fit.")
        weight = weight / weight.mean()
        if self._multilabel:
            return target, weight
        check_known(target, self.classes_, name)
        return np.searchsorted(self.classes_, target).astype(np.int64), weight

    @property
    def _n_network_outputs(self) -> int:
        return len(self.classes_)

    # Training

    def _split(self, training: Samples, rng: np.random.RandomState) -> tuple[Samples, Samples]:
        """Records to learn from, and held-out records. A random record of each species is not held out."""
        order = rng.permutation(len(training.inputs))
        target = training.target[order]
        first = target.argmax(axis=0) if self._multilabel else np.unique(target, return_index=True)[1]
        candidates = np.delete(order, first)
        if not candidates.size:
            raise ValueError(
                f"X has {len(order)} samples (n_samples={len(order)}), one of each species: none is left to validate "
                "on. Give X_val and y_val, or train without early stopping, patience=None."
            )
        held_out = candidates[: max(1, int(np.ceil(self.validation_fraction * len(order))))]
        learned = np.setdiff1d(order, held_out)
        return tuple(Samples(*(values[rows] for values in training)) for rows in (learned, held_out))  # type: ignore[return-value]

    def _prepare(self, inputs: npt.NDArray[Any], weight: npt.NDArray[np.float64]) -> None:
        self._network = network_recipe(self)
        found = self._find_background(inputs, weight)
        self.background_weight_ = found.share
        rate = self.n_records_ / found.area if self.loss == "poisson" else np.ones(len(self.classes_))
        self._log_rate = np.log(rate)
        # The background is the domain of the model: the encoder and the scales of covariates are those of the domain.
        points, covariates = self.background_[:, :2], self.background_[:, 2:]
        self.encoder_ = fit_encoder(self.encoder, points, found.share)
        self._covariate_mean = found.share @ covariates
        scale = np.sqrt(found.share @ (covariates - self._covariate_mean) ** 2)
        self._covariate_scale = np.where(scale > 0.0, scale, 1.0)

    def _find_background(self, inputs: npt.NDArray[Any], weight: npt.NDArray[np.float64]) -> Background:
        """The background places, with covariates in ``background_``."""
        value = self.background
        if isinstance(value, str) and value in ("uniform", "records"):
            check_parameter(
                "background_weight",
                self.background_weight,
                self.background_weight is None,
                f"None with background={value!r}",
            )
        if isinstance(value, str) and value == "records":
            self.background_ = inputs.astype(np.float64)
            return Background(self.background_, weight / weight.sum(), 1.0, np.arange(len(inputs)))
        covariates = None
        if self._n_covariates and not isinstance(value, str):
            split = split_covariates(value, self.coordinates, [])
            if split is None:
                raise ValueError(f"background has no covariates: expected {_EXPECTED}, as X has.")
            value, covariates = split.coordinates, self._numbers(split.covariates, "background")
        elif self._n_covariates:
            raise ValueError(
                f"background={value!r} has no covariates, and covariates=True: expected 'records', or {_EXPECTED}."
            )
        if isinstance(value, str) and value == "uniform":
            found = uniform_background(int(self.n_background), np.random.RandomState(self._seed % 2**32))
            warn_of_small_region(inputs)
        else:
            found = read_background(value, self.coordinates, self.background_weight)
            if as_grid(value) is not None:
                warn_of_records_outside(inputs, found)
        parts = [found.points] if covariates is None else [found.points, covariates[found.rows]]
        self.background_ = np.column_stack(parts)
        return found

    def _objective(self, settings: Settings) -> PresenceOnlyLoss:
        weight = len(self.classes_) if self.positive_weight is None else float(self.positive_weight)
        return PresenceOnlyLoss(
            self.loss, weight, self._class_weights, self.background_, self.background_weight_, settings.batch_size
        )

    def _after_training(self) -> None:
        """The constants that turn logits into densities and probabilities."""
        self._loss_name = self.loss
        self.intercept_, self._cloglog_intercept = self._log_rate, np.zeros(len(self.classes_))
        if self.loss in ("maxent", "poisson"):
            log_mean, divergence = log_mean_exp(self._logits(self.background_), self.background_weight_)
            self._cloglog_intercept = -log_mean - divergence
            if self.loss == "maxent":
                self.intercept_ = -log_mean

    def _logits(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The outputs (n, n_species) of the network for inputs that were read before."""
        model = self._trained_model()
        return predict(model.frozen, model.trained, inputs, self.device).astype(np.float64)

    def _probabilities(self, logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probabilities of presence, by the formula of the loss."""
        if self._loss_name in ("maxent", "poisson"):
            # The exponential of a large number is infinite. Its probability is 1, without a warning.
            with np.errstate(over="ignore"):
                return -np.expm1(-np.exp(logits + self._cloglog_intercept))
        return expit(logits)

    def _covariate_scaling(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
        """Means and deviations of the covariates; None if there are none."""
        return (self._covariate_mean, self._covariate_scale) if self._n_covariates else None

    def _skeleton(self) -> torch.nn.Module:
        return network_skeleton(
            self.encoder_, self._network, self._n_network_outputs, len(self.weights_), self._n_covariates
        )

    def _build(self) -> FrozenAndTrained:
        return FrozenAndTrained(
            *build_encoder_and_network(self.encoder_, self._network, self._n_network_outputs, self._covariate_scaling())
        )

    # Maps

    def _map_covariates(self, covariates: Any, kept: npt.NDArray[np.bool_]) -> list[npt.NDArray[Any]]:
        """The covariates of the cells inside of the mask of a map; an empty list if the model has no covariates."""
        given = covariates is not None
        if given != bool(self._n_covariates):
            expected = "the covariates of all cells" if self._n_covariates else "None: the model has no covariates"
            check_parameter("covariates", covariates, False, expected)
        if not given:
            return []
        if len(covariates) != len(kept):
            raise ValueError(f"covariates has {len(covariates)} rows: expected {len(kept)}, one for each cell.")
        rows = covariates.iloc[kept] if hasattr(covariates, "iloc") else np.asarray(covariates)[kept]
        return [self._numbers(rows, "covariates")]

    def _columns_of(self, species: Any) -> npt.NDArray[np.intp]:
        """Numbers of the columns of some species."""
        names = self.classes_.tolist()
        if species is None:
            return np.arange(len(names))
        asked = [species] if isinstance(species, str) or np.ndim(species) == 0 else list(species)
        unknown = [name for name in asked if name not in names]
        if unknown:
            raise ValueError(
                f"species={species!r}: no record of {unknown[:5]} was in the fit. Expected species of classes_, such "
                f"as {names[0]!r}."
            )
        check_parameter("species", species, len(asked) > 0, f"species of the fit, such as {names[0]!r}")
        return np.array([names.index(name) for name in asked], dtype=np.intp)


def _as_classes(names: list[Any]) -> npt.NDArray[Any]:
    """Names of columns as an array of texts, or of numbers if all names are numbers."""
    return np.asarray(names, dtype=object) if any(isinstance(name, str) for name in names) else np.asarray(names)
