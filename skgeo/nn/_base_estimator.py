"""The base of classifiers and regressors that train a torch network."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from skgeo._base import VersionedEstimator, restore_on_error
from skgeo._input.numbers import detached
from skgeo.nn._fit_steps import (
    check_settings,
    draw_seed,
    has_validation,
    keep_weighted,
    read_settings,
    split_samples,
    store_result,
)
from skgeo.nn._presence_losses import PresenceOnlyLoss
from skgeo.nn._torch_state import Arrays, check_arrays_fit, load_arrays, preserve_rng
from skgeo.nn._training import FrozenAndTrained, Loss, Samples, Settings, TrainingResult, predict, train


class NeuralEstimator(ABC, VersionedEstimator):
    """Trains a network on samples with targets.

    A subclass for a type of input defines ``_read``, ``_inputs``, ``_prepare`` and ``_build``. A subclass for a type of
    target defines ``_check_target``, ``_set_target``, ``_encode_target`` and ``_n_network_outputs``.
    """

    _public_module = "skgeo.nn"
    _loss: Loss
    learning_rate: float
    weight_decay: float
    batch_size: int | None
    max_epochs: int
    patience: int | None
    validation_fraction: float
    keep: str
    dtype: str
    device: str
    random_state: Any
    verbose: bool | None
    weights_: Arrays
    loss_curve_: npt.NDArray[np.float64]
    n_epochs_: int
    _moments: Arrays

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: "npt.ArrayLike | None" = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: "npt.ArrayLike | None" = None,
    ) -> Self:
        """Train from new random weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples, as the class describes them. LocationClassifier and LocationRegressor take every form of
            places that transformers take. The mask of a grid gives the weights of its cells.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes or values.
        sample_weight : array-like of shape (n_samples,) or of the shape of the grid, default=None
            Weights in the loss. Samples of weight zero are left out.
        X_val, y_val, sample_weight_val : array-like, default=None
            Data to validate on, instead of a share of X. Nothing is learned from them. In a Pipeline with
            ``transform_input=["X_val"]``, the earlier steps transform X_val as they transform X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X, y or a weight is invalid, or the loss is not finite; the estimator is then
            as it was before.
        """
        settings = read_settings(self, y)
        with restore_on_error(self):
            # _train goes on from weights_ if the estimator has them: a fit begins anew.
            for name in {"weights_", "_moments"} & vars(self).keys():
                delattr(self, name)
            rng = check_random_state(self.random_state)
            self._seed = draw_seed(self.random_state, rng)
            inputs, kept, weight = self._read_inputs(X, sample_weight, reset=True)
            target = self._read_target(y, kept)
            self._set_target(target, weight)
            training = self._samples(inputs, target, weight)
            # Validation data of the caller replace the held-out share of X.
            given = has_validation(X_val, y_val, sample_weight_val)
            validation = self._read_validation(X_val, y_val, sample_weight_val) if given else None
            if validation is None and settings.patience is not None:
                training, validation = self._split(training, rng)
            # The encoder learns from the training samples only, not from the held-out ones.
            self._prepare(training.inputs, training.weight)
            store_result(self, self._train(training, validation, settings))
            self._after_training()
            # Only partial_fit goes on with the moments of Adam, which take twice the memory of the weights.
            del self._moments
        return self

    def _continue(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None, classes: Any = None) -> Self:
        """Train for one epoch, from the present weights or from new ones. ``partial_fit`` calls this."""
        settings = replace(read_settings(self, y), max_epochs=1, patience=None, keep="last")
        first = not hasattr(self, "weights_")
        with restore_on_error(self):
            if first:
                self._seed = draw_seed(self.random_state, check_random_state(self.random_state))
            inputs, kept, weight = self._read_inputs(X, sample_weight, reset=first)
            if not first:
                self._warn_of_later(inputs)
            target = self._read_target(y, kept)
            # The first call fixes the classes or the scale of targets, and the encoder.
            if first:
                self._set_target(target, weight, classes)
            # Later calls encode targets with the classes, or with the mean and scale, of the first call.
            samples = self._samples(inputs, target, weight)
            if first:
                self._prepare(samples.inputs, samples.weight)
            store_result(self, self._train(samples, None, settings))
        return self

    def _train(self, training: Samples, validation: Samples | None, settings: Settings) -> TrainingResult:
        """Train from the weights as they are, or from new random weights if there are none."""
        start, seed = None, self._seed
        if hasattr(self, "weights_"):
            start = self.weights_, getattr(self, "_moments", {})
            # Every epoch of partial_fit has a seed of its own, or all epochs would have the same order of samples.
            seed = int(np.random.SeedSequence([seed, self.n_epochs_]).generate_state(1)[0])
        return train(self._build, self._objective(settings), training, validation, settings, seed, start)

    def _objective(self, settings: Settings) -> Loss | PresenceOnlyLoss:
        """The loss that the training minimises."""
        return self._loss

    def _split(self, training: Samples, rng: np.random.RandomState) -> tuple[Samples, Samples]:
        """Samples to learn from, and the held-out samples."""
        return split_samples(training, self.validation_fraction, rng)

    def _after_training(self) -> None:
        """Compute the numbers that predictions need in addition to the trained weights."""

    def _outputs(self, X: Any) -> npt.NDArray[np.float64]:
        """The outputs (n, n_outputs) of the network."""
        # The weights of samples do not matter here: all rows get outputs.
        check_is_fitted(self)
        inputs, _ = self._inputs(self._read(X, reset=False))
        model = self._trained_model()
        # Probabilities and units are computed in float64, also for a network in float32.
        return predict(model.frozen, model.trained, inputs, self.device).astype(np.float64)

    def _check_loaded(self) -> None:
        """Raise ValueError if a parameter is invalid, or the weights are not those of the network."""
        super()._check_loaded()
        check_settings(self)
        # On the meta device a network takes no memory, so a file with huge widths does no harm.
        with torch.device("meta"):
            module = self._skeleton()
        check_arrays_fit(module, self.weights_, getattr(self, "_moments", {}))

    def _trained_model(self) -> FrozenAndTrained:
        """The model with the fitted weights; torch's own generator is left as it was."""
        with preserve_rng():
            model = self._build()
        return model._replace(trained=load_arrays(model.trained, self.weights_))

    def _read_inputs(
        self, X: Any, sample_weight: npt.ArrayLike | None, *, reset: bool
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """Inputs and weights of the samples with a positive weight, and a mask (n,) of these samples."""
        return keep_weighted(*self._inputs(self._read(X, reset=reset), sample_weight))

    def _read_target(self, y: Any, kept: npt.NDArray[np.bool_], name: str = "y") -> npt.NDArray[Any]:
        """Checked targets of the samples with a positive weight."""
        # numpy would ignore the mask and read the hidden values.
        if np.ma.is_masked(y):
            raise ValueError(f"{name} has masked values: leave these samples out.")
        target = self._check_target(detached(y), name)
        check_consistent_length(kept, target)
        return target[kept]

    def _read_validation(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None) -> Samples:
        """The validation data that the caller gave."""
        # The errors of _read_inputs name X and sample_weight: say which X and which weights are meant.
        try:
            inputs, kept, weight = self._read_inputs(X, sample_weight, reset=False)
        except ValueError as error:
            raise type(error)(f"X_val and sample_weight_val: {error}") from error
        return self._samples(inputs, self._read_target(y, kept, "y_val"), weight, "y_val")

    def _samples(
        self, inputs: npt.NDArray[Any], target: npt.NDArray[Any], weight: npt.NDArray[Any], name: str = "y"
    ) -> Samples:
        """The samples of the training: inputs, encoded targets and weights."""
        return Samples(inputs, *self._encode_target(target, weight, name))

    def _warn_of_later(self, inputs: npt.NDArray[Any]) -> None:
        """Warn of doubtful inputs in a later call of ``partial_fit``. ``_read`` warns in the first call only."""

    @property
    @abstractmethod
    def _n_network_outputs(self) -> int:
        """Number of columns that the network gives."""

    @abstractmethod
    def _read(self, X: object, *, reset: bool) -> Any:
        """Turn any X into checked numbers. With ``reset`` the estimator remembers the columns of X."""

    @abstractmethod
    def _inputs(
        self, places: Any, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        """The inputs (n, k) of the network and the weights (n,) of the samples, from the result of ``_read``."""

    @abstractmethod
    def _prepare(self, inputs: npt.NDArray[Any], weight: npt.NDArray[np.float64]) -> None:
        """Learn from the training inputs everything that gradients do not train."""

    @abstractmethod
    def _build(self) -> FrozenAndTrained:
        """The model with new random weights."""

    @abstractmethod
    def _skeleton(self) -> torch.nn.Module:
        """A module with the shapes of the fitted attributes and with any weights; ValueError if they fit no module."""

    @abstractmethod
    def _check_target(self, y: Any, name: str) -> npt.NDArray[Any]:
        """The checked targets as an array."""

    @abstractmethod
    def _set_target(self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], classes: Any = None) -> None:
        """Learn the classes, or the mean and scale, from the training targets."""

    @abstractmethod
    def _encode_target(
        self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], name: str
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        """The targets and weights in the form that the loss needs."""
