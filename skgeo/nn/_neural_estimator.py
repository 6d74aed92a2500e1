"""The bases of estimators that train a torch network: parameters, targets, weights, and the course of fit and predict.

Torch itself is met in :mod:`skgeo.nn` only, where training begins: a fitted model holds arrays, and loads without it.
"""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skgeo._base import VersionedEstimator, restore_on_error
from skgeo._progress import check_verbose
from skgeo._validation import check_parameter, import_optional, is_integer, is_real
from skgeo.nn._targets import check_known, read_classes, read_values, weights_of_classes

if TYPE_CHECKING:
    from skgeo.nn._training import Arrays, Checkpointer, FrozenAndTrained, Loss, Samples, Settings, TrainingResult


class NeuralEstimator(VersionedEstimator):
    """What all estimators that train a network share."""

    _public_module = "skgeo.nn"
    _loss: "Loss"
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
    weights_: "Arrays"
    loss_curve_: npt.NDArray[np.float64]
    _moments: "Arrays"

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: npt.ArrayLike | None = None,
    ) -> Self:
        """Train from new random weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As the class says; places of LocationClassifier and LocationRegressor may be anything that transformers of
            places take, and of a grid its cells count as its mask says.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes or values.
        sample_weight : array-like of shape (n_samples,) or that of the grid, default=None
            Weights in the loss. Samples of weight zero are left out.
        X_val, y_val, sample_weight_val : array-like, default=None
            Data to validate on, which nothing is learned from; instead of a share of X. In a Pipeline,
            ``transform_input=["X_val"]`` has the steps before transform them as they do X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X, y or a weight is not what is accepted, or the loss is not finite; the estimator is then
            as it was before.
        ImportError
            Without torch.
        """
        settings = self._settings(y)
        with restore_on_error(self):
            for name in {"weights_", "_moments"} & vars(self).keys():
                delattr(self, name)
            rng = check_random_state(self.random_state)
            self._seed = self._draw_seed(rng)
            inputs, kept, weight = self._read_inputs(X, sample_weight, reset=True)
            target = self._read_target(y, kept)
            self._set_target(target, weight)
            training = self._samples(inputs, target, weight)
            given = self._is_given(X_val, y_val, sample_weight_val)
            validation = self._read_validation(X_val, y_val, sample_weight_val) if given else None
            if validation is None and settings.patience is not None:
                training, validation = self._split(training, rng)
            self._prepare(training.inputs, training.weight)
            self._store_result(self._train(training, validation, settings))
            del self._moments  # twice as large as the weights
        return self

    def _continue(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None, classes: Any = None) -> Self:
        """One more epoch, or the first."""
        settings = self._settings(y)._replace(max_epochs=1, patience=None, keep="last")
        first = not hasattr(self, "weights_")
        with restore_on_error(self):
            if first:
                self._seed = self._draw_seed(check_random_state(self.random_state))
            inputs, kept, weight = self._read_inputs(X, sample_weight, reset=first)
            if not first:
                self._warn_of_later(inputs)
            target = self._read_target(y, kept)
            if first:
                self._set_target(target, weight, classes)
            samples = self._samples(inputs, target, weight)
            if first:
                self._prepare(samples.inputs, samples.weight)
            self._store_result(self._train(samples, None, settings))
        return self

    def _train(
        self,
        training: "Samples",
        validation: "Samples | None",
        settings: "Settings",
        keeper: "Checkpointer | None" = None,
    ) -> "TrainingResult":
        """Train, from where the weights are if there are any."""
        from skgeo.nn._training import train

        start, seed = None, self._seed
        if hasattr(self, "weights_"):
            start = self.weights_, getattr(self, "_moments", {})
            seed = int(np.random.SeedSequence([seed, self.n_epochs_]).generate_state(1)[0])
        return train(self._build, self._loss, training, validation, settings, seed, start, keeper)

    def _draw_seed(self, rng: np.random.RandomState) -> int:
        """An integer itself, so that it means what it means to torch; else the next one of the generator."""
        return int(self.random_state) if is_integer(self.random_state) else int(rng.randint(2**31 - 1))

    def _store_result(self, course: "TrainingResult") -> None:
        """Set what training made; losses follow those of earlier epochs when it went on."""
        before = self.loss_curve_ if hasattr(self, "weights_") else np.empty(0)
        self.weights_, self._moments = course.weights, course.moments
        self.loss_curve_ = np.concatenate([before, course.losses])
        self.validation_loss_curve_ = np.asarray(course.validation_losses)
        self.n_epochs_ = len(self.loss_curve_)
        self.best_epoch_ = len(before) + course.epoch

    def _outputs(self, X: Any) -> npt.NDArray[np.float64]:
        """The outputs (n, n_outputs) of the network."""
        check_is_fitted(self)
        inputs, _ = self._inputs(self._read(X, reset=False))
        from skgeo.nn._training import apply, load

        fixed, trained = self._rebuild()
        return apply(fixed, load(trained, self.weights_), inputs, self.device).astype(np.float64)

    def _rebuild(self) -> "FrozenAndTrained":
        """The model with any weights; torch's own generator is left as it was."""
        from skgeo.nn._training import preserve_rng

        with preserve_rng():
            return self._build()

    def _read_inputs(
        self, X: Any, sample_weight: npt.ArrayLike | None, *, reset: bool
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """Inputs and weights of the samples that count, and which these are."""
        inputs, weight = self._inputs(self._read(X, reset=reset), sample_weight)
        kept = weight > 0.0
        if not kept.any():
            raise ValueError("sample_weight and the mask of X leave no sample: nothing can be learned.")
        return inputs[kept], kept, weight[kept]

    def _read_target(self, y: Any, kept: npt.NDArray[np.bool_], name: str = "y") -> npt.NDArray[Any]:
        """Checked targets of the samples that count."""
        if np.ma.is_masked(y):  # else they would be read through their mask
            raise ValueError(f"{name} has masked values: leave these samples out.")
        target = self._check_target(y, name)
        check_consistent_length(kept, target)
        return target[kept]

    @staticmethod
    def _is_given(X_val: Any, y_val: Any, sample_weight_val: Any = None) -> bool:
        """Whether there are data to validate on; refuses one without the other."""
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"{missing} is None: expected both X_val and y_val, or neither.")
        if X_val is None and sample_weight_val is not None:
            raise ValueError("sample_weight_val is given without X_val and y_val, to which it belongs.")
        return X_val is not None

    def _read_validation(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None) -> "Samples":
        """The data to validate on, as given."""
        try:
            inputs, kept, weight = self._read_inputs(X, sample_weight, reset=False)
        except ValueError as error:
            raise type(error)(f"X_val and sample_weight_val: {error}") from error
        return self._samples(inputs, self._read_target(y, kept, "y_val"), weight, "y_val")

    def _samples(
        self, inputs: npt.NDArray[Any], target: npt.NDArray[Any], weight: npt.NDArray[Any], name: str = "y"
    ) -> "Samples":
        from skgeo.nn._training import Samples

        return Samples(inputs, *self._encode_target(target, weight, name))

    def _split(self, samples: "Samples", rng: np.random.RandomState, least: int = 1) -> "tuple[Samples, Samples]":
        """Samples to learn from, and a random share to validate on."""
        n_samples = len(samples.inputs)
        if n_samples < 2:
            raise ValueError(
                f"X has {n_samples} sample (n_samples={n_samples}): none is left to validate on. Give X_val and y_val, "
                "or train without early stopping, patience=None."
            )
        order = rng.permutation(n_samples)
        count = min(n_samples - 1, max(least, math.ceil(self.validation_fraction * n_samples)))
        learned, held_out = (
            type(samples)(*(values[rows] for values in samples)) for rows in (order[count:], order[:count])
        )
        return learned, held_out

    def _settings(self, y: Any) -> "Settings":
        """The parameters of the training, checked; first that there is something to learn."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: y should be a 1d array."
            )
        import_optional("torch", type(self).__name__, "torch")
        from skgeo.nn._training import Settings, find_device

        rate, decay, size = self.learning_rate, self.weight_decay, self.batch_size
        check_parameter("learning_rate", rate, is_real(rate) and rate > 0, "a positive number")
        check_parameter("weight_decay", decay, is_real(decay) and decay >= 0, "a number, not negative")
        valid = size is None or (is_integer(size) and size >= 1)
        check_parameter("batch_size", size, valid, "a positive integer, or None for all samples at once")
        valid = is_integer(self.max_epochs) and self.max_epochs >= 1
        check_parameter("max_epochs", self.max_epochs, valid, "a positive integer")
        valid = self.patience is None or (is_integer(self.patience) and self.patience >= 1)
        check_parameter("patience", self.patience, valid, "a positive integer, or None for no early stopping")
        share = self.validation_fraction
        check_parameter("validation_fraction", share, is_real(share) and 0 < share < 1, "a number between 0 and 1")
        for name, choices in {"keep": ("best", "last"), "dtype": ("float32", "float64")}.items():
            value = getattr(self, name)
            known = isinstance(value, str) and value in choices
            check_parameter(name, value, known, " or ".join(map(repr, choices)))
        check_verbose(self.verbose)
        find_device(self.device)
        return Settings(
            float(rate), float(decay), size and int(size), int(self.max_epochs), self.patience, self.keep, self.dtype,
            self.device, self.verbose,
        )  # fmt: skip

    def _warn_of_later(self, inputs: npt.NDArray[Any]) -> None:
        """Warn of doubtful inputs of a later part."""

    @property
    def _n_network_outputs(self) -> int:
        """Number of columns that the network gives."""
        raise NotImplementedError

    @abstractmethod
    def _read(self, X: object, *, reset: bool) -> Any:
        """Turn any X into checked numbers; with ``reset`` remember its columns."""

    @abstractmethod
    def _inputs(
        self, places: Any, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        """What the network is given (n, k), and how much each row counts (n,)."""

    @abstractmethod
    def _prepare(self, inputs: npt.NDArray[Any], weight: npt.NDArray[np.float64]) -> None:
        """Learn from the training inputs what is not trained by gradients."""

    @abstractmethod
    def _build(self) -> "FrozenAndTrained":
        """The model with new random weights."""

    @abstractmethod
    def _check_target(self, y: Any, name: str) -> npt.NDArray[Any]:
        """Targets as an array."""

    @abstractmethod
    def _set_target(self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], classes: Any = None) -> None:
        """Learn from the training targets what is not trained by gradients."""

    @abstractmethod
    def _encode_target(
        self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], name: str
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        """Targets as the loss wants them, and their weights."""


class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """Classes, from one logit if there are two, else from one each."""

    _loss = "log_loss"
    class_weight: dict[Any, float] | str | None

    def partial_fit(
        self, X: Any, y: Any, classes: npt.ArrayLike | None = None, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on these samples, from the weights as they are.

        The first call fits the encoder and fixes the classes; a call after ``fit`` goes on from its weights.

        Parameters
        ----------
        X : array-like
            As for ``fit``.
        y : array-like of shape (n_samples,)
            Classes.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come, in the first call. None takes those of its y.
        sample_weight : array-like of shape (n_samples,) or that of the grid, default=None
            Weights in the loss, relative to each other.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As from ``fit``; if y has a class that was not there at first; with ``class_weight="balanced"``, since how
            many samples of each class there will be is not known.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r}: expected None or a dict in partial_fit, which sees the classes "
                "piece by piece."
            )
        return self._continue(X, y, sample_weight, classes)

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like
            As for ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; NaN for cells of a grid that have no place.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return expit(np.column_stack([-outputs, outputs]))
        return softmax(outputs, axis=1)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Classes of the largest probability.

        Parameters
        ----------
        X : array-like
            As for ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If X is a grid with cells that have no place.
        NotFittedError
            Before ``fit``.
        """
        outputs = self._outputs(X)
        absent = np.flatnonzero(np.isnan(outputs).any(axis=1))
        if absent.size:
            raise ValueError(
                f"X has {absent.size} cells without a place, the first at {absent[0]}, which have no class: "
                "predict_proba gives NaN there."
            )
        chosen = outputs[:, 0] > 0.0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
        return self.classes_[chosen.astype(np.intp)]

    def _check_target(self, y: Any, name: str) -> npt.NDArray[Any]:
        return read_classes(y, name)

    def _set_target(self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], classes: Any = None) -> None:
        self.classes_ = np.unique(target if classes is None else column_or_1d(classes))
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_.tolist()[0]!r}: at least two classes are needed, in samples of "
                "positive weight."
            )
        check_known(target, self.classes_, "y")
        self._class_weights = weights_of_classes(self.class_weight, self.classes_, target, weight)

    def _encode_target(
        self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], name: str
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        check_known(target, self.classes_, name)
        codes = np.searchsorted(self.classes_, target)
        encoded = codes.astype(np.float64) if len(self.classes_) == 2 else codes.astype(np.int64)
        return encoded, weight / weight.mean() * self._class_weights[codes]

    @property
    def _n_network_outputs(self) -> int:
        return 1 if len(self.classes_) == 2 else len(self.classes_)


class NeuralRegressor(RegressorMixin, NeuralEstimator):
    """Numbers, standardised for the network."""

    _loss = "squared_error"

    def partial_fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train for one epoch on these samples, from the weights as they are.

        The first call fits the encoder and fixes how targets are standardised; a call after ``fit`` goes on from its
        weights.

        Parameters
        ----------
        X : array-like
            As for ``fit``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Values.
        sample_weight : array-like of shape (n_samples,) or that of the grid, default=None
            Weights in the loss, relative to each other.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As from ``fit``; if y has another number of outputs than at first.
        """
        return self._continue(X, y, sample_weight)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Values, in the units of y.

        Parameters
        ----------
        X : array-like
            As for ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As y was; NaN for cells of a grid that have no place.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        values = self._outputs(X) * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._flat else values

    def _check_target(self, y: Any, name: str) -> npt.NDArray[Any]:
        return read_values(y, name)

    def _set_target(self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], classes: Any = None) -> None:
        self._flat = target.ndim == 1
        columns = target.reshape(len(target), -1)
        self.target_mean_ = np.average(columns, axis=0, weights=weight)
        scale = np.sqrt(np.average((columns - self.target_mean_) ** 2, axis=0, weights=weight))
        self.target_scale_ = np.where(scale > 0.0, scale, 1.0)

    def _encode_target(
        self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], name: str
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        columns = target.reshape(len(target), -1)
        if columns.shape[1] != len(self.target_mean_):
            raise ValueError(f"{name} has {columns.shape[1]} outputs: expected {len(self.target_mean_)}, as at first.")
        return (columns - self.target_mean_) / self.target_scale_, weight / weight.mean()

    @property
    def _n_network_outputs(self) -> int:
        return len(self.target_mean_)

    def __sklearn_tags__(self) -> Tags:
        """Targets may have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
