"""The bases for classes and for numbers as targets of a network."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, column_or_1d

from skgeo._targets import check_known, class_weights, read_classes, read_values
from skgeo.nn._base_estimator import NeuralEstimator


class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """Learns classes. Two classes have one logit, that of the second class. More classes have one logit each."""

    _loss = "log_loss"
    class_weight: dict[Any, float] | str | None

    def partial_fit(
        self, X: Any, y: Any, classes: "npt.ArrayLike | None" = None, sample_weight: "npt.ArrayLike | None" = None
    ) -> Self:
        """Train for one epoch on these samples, starting from the present weights.

        The first call fits the encoder and fixes the classes. A call after ``fit`` continues from the fitted weights.

        Parameters
        ----------
        X : array-like
            As for ``fit``.
        y : array-like of shape (n_samples,)
            Classes.
        classes : array-like of shape (n_classes,), default=None
            All classes that this call and later calls have. Only the first call reads this parameter. None takes the
            classes in the y of the first call.
        sample_weight : array-like of shape (n_samples,) or of the shape of the grid, default=None
            Weights in the loss, relative to each other.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As from ``fit``; if y has a class that the first call did not have; if ``class_weight`` is "balanced",
            because no call knows the numbers of samples of all calls.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r}: expected None or a dict in partial_fit, because one call does "
                "not know the number of samples of each class in all calls."
            )
        return self._continue(X, y, sample_weight, classes)

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Predict the probabilities of the classes.

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
        # The sigmoid of both signs is more accurate than 1 - p near 0.
        if outputs.shape[1] == 1:
            return expit(np.column_stack([-outputs, outputs]))
        return softmax(outputs, axis=1)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the class with the largest probability.

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
                f"X has {absent.size} cells without a place, the first at {absent[0]}: these cells have no class. "
                "predict_proba gives NaN for them."
            )
        # With two classes a positive logit stands for the second class.
        chosen = outputs[:, 0] > 0.0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
        return self.classes_[chosen.astype(np.intp)]

    def _check_target(self, y: Any, name: str) -> npt.NDArray[Any]:
        return read_classes(y, name)

    def _set_target(self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], classes: Any = None) -> None:
        # partial_fit may see classes later that its first samples do not have.
        self.classes_ = np.unique(target if classes is None else column_or_1d(classes))
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_.tolist()[0]!r}: at least two classes are needed, in samples of "
                "positive weight."
            )
        check_known(target, self.classes_, "y")
        self._class_weights = class_weights(self.class_weight, self.classes_, target, weight)

    def _encode_target(
        self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], name: str
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        check_known(target, self.classes_, name)
        # classes_ is sorted: the position of a class is its code.
        codes = np.searchsorted(self.classes_, target)
        encoded = codes.astype(np.float64) if len(self.classes_) == 2 else codes.astype(np.int64)
        return encoded, weight / weight.mean() * self._class_weights[codes]

    @property
    def _n_network_outputs(self) -> int:
        return 1 if len(self.classes_) == 2 else len(self.classes_)


class NeuralRegressor(RegressorMixin, NeuralEstimator):
    """Learns numbers. The network learns standardised numbers, so that the learning rate does not depend on units."""

    _loss = "squared_error"

    def partial_fit(self, X: Any, y: Any, sample_weight: "npt.ArrayLike | None" = None) -> Self:
        """Train for one epoch on these samples, starting from the present weights.

        The first call fits the encoder and fixes how targets are standardised. A call after ``fit`` continues from the
        weights of ``fit``.

        Parameters
        ----------
        X : array-like
            As for ``fit``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Values.
        sample_weight : array-like of shape (n_samples,) or of the shape of the grid, default=None
            Weights in the loss, relative to each other.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As from ``fit``; if y has another number of outputs than in the first call.
        """
        return self._continue(X, y, sample_weight)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Predict values in the units of y.

        Parameters
        ----------
        X : array-like
            As for ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the shape of y; NaN for cells of a grid that have no place.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        # The network gives standardised values: bring them back to the units of y.
        values = self._outputs(X) * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._flat else values

    def _check_target(self, y: Any, name: str) -> npt.NDArray[Any]:
        return read_values(y, name)

    def _set_target(self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], classes: Any = None) -> None:
        # predict returns values of the shape that y had here.
        self._flat = target.ndim == 1
        columns = target.reshape(len(target), -1)
        self.target_mean_ = np.average(columns, axis=0, weights=weight)
        scale = np.sqrt(np.average((columns - self.target_mean_) ** 2, axis=0, weights=weight))
        # A column without variation is divided by 1.
        self.target_scale_ = np.where(scale > 0.0, scale, 1.0)

    def _encode_target(
        self, target: npt.NDArray[Any], weight: npt.NDArray[np.float64], name: str
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        columns = target.reshape(len(target), -1)
        if columns.shape[1] != len(self.target_mean_):
            raise ValueError(
                f"{name} has {columns.shape[1]} outputs: expected {len(self.target_mean_)}, as in the first y."
            )
        return (columns - self.target_mean_) / self.target_scale_, weight / weight.mean()

    @property
    def _n_network_outputs(self) -> int:
        return len(self.target_mean_)

    def __sklearn_tags__(self) -> Tags:
        """Targets may have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
