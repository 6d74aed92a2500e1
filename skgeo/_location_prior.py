"""Probabilities of an image classifier, multiplied by the probabilities of the classes at the place of the image."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationEstimator, restore_on_error, table_for
from skgeo._input.columns import column_values, frame_columns
from skgeo._input.numbers import as_numbers
from skgeo._places import points_in_degrees
from skgeo._targets import check_known, read_classes
from skgeo._typing import FloatArray
from skgeo._validation import check_parameter, check_sample_weight, is_integer, is_real

__all__ = ["LocationPriorClassifier", "combine_with_image_scores"]

# Smaller probabilities are raised to this value: the logarithm of zero would exclude a class whatever the image shows.
_SMALLEST = 1e-12
# Bounds of the inverse temperature and of the weight of the prior in the search.
_INVERSE_TEMPERATURES, _WEIGHTS = (1e-2, 1e2), (0.0, 1e2)


def combine_with_image_scores(
    image_probabilities: "npt.ArrayLike",
    prior: "npt.ArrayLike",
    *,
    class_prior: "npt.ArrayLike | None" = None,
    temperature: float = 1.0,
    prior_weight: float = 1.0,
) -> npt.NDArray[np.float64]:
    """Probabilities of classes given an image and its place, by Bayes' rule.

    If image and place are independent given the class, ``P(y | image, place)`` is proportional to
    ``P(y | image) P(y | place) / P(y)`` [1]_.

    Parameters
    ----------
    image_probabilities : array-like of shape (n_samples, n_classes)
        ``P(y | image)``, the probabilities of an image classifier.
    prior : array-like of shape (n_samples, n_classes)
        ``P(y | place)``, such as ``predict_proba`` of :class:`~skgeo.nn.PresenceOnlyClassifier`. Rows need not sum to
        one.
    class_prior : array-like of shape (n_classes,) or None, default=None
        ``P(y)``, the shares of the classes in the training of the two models. None gives all classes the same share.
    temperature : float, default=1
        Divisor of the logarithms of the image probabilities. Above 1 the image has less influence.
    prior_weight : float, default=1
        Factor of the logarithms of ``prior`` and ``class_prior``. With 0 the place has no influence.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Rows sum to one.

    Raises
    ------
    ValueError
        If shapes differ, probabilities are negative or not finite, a row has none above zero, ``temperature`` is not
        positive, or ``prior_weight`` is negative.

    See Also
    --------
    skgeo.LocationPriorClassifier : Finds the temperature.

    Notes
    -----
    scikit-learn's ``CalibratedClassifierCV(method="temperature")`` finds a temperature without places.

    Probabilities below 1e-12 count as 1e-12.

    References
    ----------
    .. [1] Mac Aodha, O., Cole, E. & Perona, P. (2019). Presence-only geographical priors for fine-grained image
       classification. International Conference on Computer Vision.

    Examples
    --------
    The image may show the first or the second species. Of these two, only the second lives at the place:

    >>> from skgeo import combine_with_image_scores
    >>> combine_with_image_scores([[0.5, 0.4, 0.1]], [[0.05, 0.9, 0.9]]).round(2)
    array([[0.05, 0.76, 0.19]])
    """
    image, place = _probabilities("image_probabilities", image_probabilities), _probabilities("prior", prior)
    if image.shape != place.shape:
        raise ValueError(f"prior has shape {place.shape}: expected {image.shape}, that of image_probabilities.")
    check_parameter("temperature", temperature, is_real(temperature) and temperature > 0, "a positive number")
    check_parameter("prior_weight", prior_weight, is_real(prior_weight) and prior_weight >= 0, "a number, not negative")
    shares = _class_shares(class_prior, image.shape[1])
    logits = _log(image) / temperature + prior_weight * (_log(place) - np.log(shares))
    return np.exp(log_softmax(logits, axis=1))


class LocationPriorClassifier(ClassifierMixin, LocationEstimator, BaseEstimator):
    """Improve the probabilities of an image classifier by the places where the images were taken.

    By Bayes' rule the model multiplies the probabilities of the image by those of a prior of places
    (:func:`~skgeo.combine_with_image_scores`). Probabilities of image classifiers are often too close to 0 and 1.
    ``fit`` finds a temperature that corrects this. Give it images that the image classifier was not trained on.

    Parameters
    ----------
    prior : classifier of places
        A classifier with ``predict_proba``, such as :class:`~skgeo.nn.PresenceOnlyClassifier`. It is cloned, and fitted
        on the places and classes of ``fit``. ``FrozenEstimator(prior)`` keeps a prior that was fitted on other records.
    class_prior : "flat", "empirical" or array-like of shape (n_classes,), default="flat"
        ``P(y)``, the shares of the classes in the training of both models, by which the product is divided. "flat"
        are equal shares, and "empirical" are the shares of the classes in ``fit``.
    temperature : "fit" or float, default="fit"
        Divisor of the logarithms of image probabilities. "fit" minimises the log loss of the product.
    prior_weight : "fit" or float, default=1
        Factor of the logarithms of the prior. "fit" finds it together with the temperature.
    cv : int, splitter, iterable of splits or None, default=None
        Folds in which a prior that is not frozen predicts the places of ``fit``, to choose the temperature. None is
        five folds.
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds the usual names.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes: those of a frozen prior, else those of y.
    prior_ : classifier
        The fitted prior.
    class_prior_ : ndarray of shape (n_classes,)
        ``P(y)``; its sum is one.
    temperature_, prior_weight_ : float
        As given or found.
    n_features_in_ : int
        ``2 + n_classes``: latitude, longitude and the image probabilities.
    feature_names_in_ : ndarray of shape (n_features,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it has no latitude and longitude in degrees.
    ValueError
        If X does not have one column of image probabilities for each class, or if a parameter is invalid.

    See Also
    --------
    skgeo.combine_with_image_scores : The formula alone.

    Notes
    -----
    The log loss is convex in the inverse temperature and the weight of the prior, so ``fit`` finds its minimum.

    References
    ----------
    .. [1] Mac Aodha, O., Cole, E. & Perona, P. (2019). Presence-only geographical priors for fine-grained image
       classification. International Conference on Computer Vision.
    .. [2] Guo, C., Pleiss, G., Sun, Y. & Weinberger, K. Q. (2017). On calibration of modern neural networks.
       International Conference on Machine Learning.

    Examples
    --------
    A northern and a southern species that look alike to the image classifier:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skgeo import LocationPriorClassifier
    >>> rng = np.random.default_rng(0)
    >>> species = rng.choice(["northern", "southern"], 400)
    >>> latitude = rng.normal(np.where(species == "northern", 20, -20), 15)
    >>> places = np.column_stack([latitude, rng.uniform(0, 90, 400)])
    >>> mean = np.where(species == "northern", 0.6, 0.4)
    >>> share = np.clip(rng.normal(mean, 0.2), 0.01, 0.99)
    >>> X = np.column_stack([places, share, 1 - share])
    >>> model = LocationPriorClassifier(LogisticRegression()).fit(X[:200], species[:200])
    >>> image_alone = np.where(share > 0.5, "northern", "southern")
    >>> alone = np.mean(image_alone[200:] == species[200:])
    >>> round(float(alone), 2), round(model.score(X[200:], species[200:]), 2)
    (0.64, 0.94)
    """

    _missing_policies = ("error",)

    def __init__(
        self,
        prior: Any,
        *,
        class_prior: "str | npt.ArrayLike" = "flat",
        temperature: str | float = "fit",
        prior_weight: str | float = 1.0,
        cv: Any = None,
        coordinates: tuple[str, str] | None = None,
    ) -> None:
        self.prior = prior
        self.class_prior = class_prior
        self.temperature = temperature
        self.prior_weight = prior_weight
        self.cv = cv
        self.coordinates = coordinates

    def fit(self, X: Any, y: Any, sample_weight: "npt.ArrayLike | None" = None) -> Self:
        """Fit the prior unless it is frozen, and choose the temperature.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, 2 + n_classes)
            Latitude, longitude, and the image probabilities of the classes in the order of ``classes_``, which is
            sorted for a prior that is not frozen. In a frame, the columns of image probabilities have the names of the
            classes, in any order.
        y : array-like of shape (n_samples,)
            The true classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights in the log loss; a prior that is not frozen gets them, too.

        Returns
        -------
        self
        """
        self._check_parameters()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: y should be a 1d array."
            )
        with restore_on_error(self):
            target = read_classes(y, "y")
            frozen = isinstance(self.prior, FrozenEstimator)
            weight = np.ones(len(target))
            if sample_weight is not None:
                weight = check_sample_weight(sample_weight, weight.shape)
            self.classes_ = np.asarray(self.prior.classes_) if frozen else np.unique(target[weight > 0.0])
            if len(self.classes_) < 2:
                raise ValueError(
                    f"y has one class only, {self.classes_.tolist()}: at least two classes are needed, in samples of "
                    "positive weight."
                )
            points, image = self._read(X, reset=True)
            check_consistent_length(points, target)
            check_known(target[weight > 0.0], self.classes_, "y")
            codes = np.argmax(target[:, np.newaxis] == self.classes_, axis=1)
            counts = np.bincount(codes, weights=weight, minlength=len(self.classes_))
            empirical = isinstance(self.class_prior, str) and self.class_prior == "empirical"
            flat = isinstance(self.class_prior, str) and not empirical
            given = counts if empirical else self.class_prior
            self.class_prior_ = _class_shares(None if flat else given, len(self.classes_))
            place = self._fit_prior(points, target, weight, weighted=sample_weight is not None)
            self._fit_temperature(image, place, codes, weight)
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Predict the probabilities of the classes, given the image and its place.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, 2 + n_classes)
            As for ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        points, image = self._read(X, reset=False)
        place = self.prior_.predict_proba(table_for(self.prior_, points))
        options = {"temperature": self.temperature_, "prior_weight": self.prior_weight_}
        return combine_with_image_scores(image, place, class_prior=self.class_prior_, **options)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the class with the largest probability.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, 2 + n_classes)
            As for ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            The classes.
        """
        chosen = self.predict_proba(X).argmax(axis=1)
        return self.classes_[chosen]

    def _read(self, X: Any, *, reset: bool, **options: Any) -> Any:
        """Places (n, 2) in degrees and image probabilities (n, n_classes); ``options`` are those of the base."""
        names = [str(name) for name in self.classes_]
        lacking = (
            f"X, a {type(X).__name__}, has no image probabilities: expected {2 + len(names)} columns, latitude, "
            "longitude and one for each class."
        )
        places, split = self._read_table(X, lacking, reset=reset, **options)
        return points_in_degrees(places), _image_columns(split.covariates, names)

    def _fit_prior(
        self, points: FloatArray, target: npt.NDArray[Any], weight: FloatArray, *, weighted: bool
    ) -> FloatArray:
        """The probabilities (n, n_classes) of a prior that has not learned from the same places."""
        if isinstance(self.prior, FrozenEstimator):
            self.prior_ = self.prior
            return np.asarray(self.prior_.predict_proba(table_for(self.prior_, points)))

        def fitted(rows: npt.NDArray[np.intp]) -> Any:
            """A clone of the prior, fitted on these rows without those of weight zero."""
            rows = rows[weight[rows] > 0.0]
            return _fit_clone(self.prior, points[rows], target[rows], weight[rows] if weighted else None)

        place = np.ones((len(points), len(self.classes_)))
        if "fit" in (self.temperature, self.prior_weight):
            for train, test in check_cv(self.cv, target, classifier=True).split(points, target):
                model = fitted(train)
                # A fold may lack a class. The model of the fold has no probability of this class.
                columns = np.searchsorted(self.classes_, model.classes_)
                place[test] = _SMALLEST
                place[np.ix_(test, columns)] = model.predict_proba(points[test])
        self.prior_ = fitted(np.arange(len(points)))
        return place

    def _fit_temperature(
        self, image: FloatArray, place: FloatArray, codes: npt.NDArray[np.intp], weight: FloatArray
    ) -> None:
        """Minimise the log loss over the inverse temperature and the weight of the prior, as far as they are free."""
        terms = np.stack(
            [_log(_probabilities("X", image)), _log(_probabilities("prior", place)) - np.log(self.class_prior_)]
        )
        share, rows = weight / weight.sum(), np.arange(len(codes))

        def loss(factors: FloatArray) -> tuple[float, FloatArray]:
            """The log loss at the inverse temperature and the weight of the prior, and its gradient (2,)."""
            logits = np.tensordot(factors, terms, axes=1)
            each = logsumexp(logits, axis=1) - logits[rows, codes]
            expected = np.sum(np.exp(log_softmax(logits, axis=1)) * terms, axis=2)
            return float(share @ each), (expected - terms[:, rows, codes]) @ share

        fixed = [None if value == "fit" else float(value) for value in (self.temperature, self.prior_weight)]
        inverse = None if fixed[0] is None else 1.0 / fixed[0]
        start = [1.0 if value is None else value for value in (inverse, fixed[1])]
        bounds = [
            limits if value is None else (value, value)
            for limits, value in ((_INVERSE_TEMPERATURES, inverse), (_WEIGHTS, fixed[1]))
        ]
        found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", tol=1e-12).x
        self.temperature_, self.prior_weight_ = float(1.0 / found[0]), float(found[1])

    def _check_parameters(self) -> None:
        able = hasattr(self.prior, "predict_proba") and not isinstance(self.prior, type)
        check_parameter("prior", self.prior, able, "a classifier of places with predict_proba")
        values = {"temperature": self.temperature, "prior_weight": self.prior_weight}
        for name, value in values.items():
            least, accepted = 0.0, "'fit' or a number, not negative"
            if name == "temperature":
                least, accepted = np.nextafter(0.0, 1.0), "'fit' or a positive number"
            valid = value == "fit" if isinstance(value, str) else is_real(value) and value >= least
            check_parameter(name, value, valid, accepted)
        known = not isinstance(self.class_prior, str) or self.class_prior in ("flat", "empirical")
        check_parameter("class_prior", self.class_prior, known, "'flat', 'empirical' or an array of numbers")
        cv = self.cv
        splits = not isinstance(cv, str) and (hasattr(cv, "split") or hasattr(cv, "__iter__"))
        valid = cv is None or splits or (is_integer(cv) and cv >= 2)
        check_parameter("cv", cv, valid, "None, an integer, at least 2, a splitter, or an iterable of splits")


def _fit_clone(prior: Any, points: FloatArray, target: npt.NDArray[Any], weight: FloatArray | None) -> Any:
    """A clone of a prior, fitted with weights, which the last step of a Pipeline takes."""
    model, name = clone(prior), "sample_weight"
    if isinstance(model, Pipeline):
        name = f"{model.steps[-1][0]}__sample_weight"
    return model.fit(points, target) if weight is None else model.fit(points, target, **{name: weight})


def _image_columns(table: Any, names: list[str]) -> FloatArray:
    """The image probabilities (n, n_classes), by name from a frame, else by position."""
    columns = frame_columns(table)
    if columns is None:
        values = as_numbers(np.asarray(table), "X").astype(np.float64)
        if values.shape[1] != len(names):
            raise ValueError(
                f"X has {values.shape[1] + 2} features, but {2 + len(names)} are expected: latitude, longitude, and "
                f"the image probabilities of {len(names)} classes."
            )
        return values
    by_name = {str(name): name for name in columns}
    lacking = [name for name in names if name not in by_name]
    if lacking:
        raise ValueError(
            f"X has no column for the classes {lacking[:5]}, {len(lacking)} in all: expected a column of image "
            "probabilities with the name of each class."
        )
    return np.column_stack([as_numbers(column_values(table, by_name[name]), str(name)) for name in names]).astype(float)


def _probabilities(name: str, values: npt.ArrayLike) -> FloatArray:
    """Numbers (n, n_classes) that are finite and not negative, with one above zero in each row."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2:
        raise ValueError(f"{name} has shape {found.shape}: expected (n_samples, n_classes).")
    bad = ~np.isfinite(found) | (found < 0.0)
    if bad.any():
        row = int(np.flatnonzero(bad.any(axis=1))[0])
        raise ValueError(
            f"{name} has values that are negative, NaN or infinite, the first in row {row}: expected probabilities. "
            "Logits become probabilities by scipy.special.softmax(logits, axis=1)."
        )
    empty = np.flatnonzero(~(found > 0.0).any(axis=1))
    if empty.size:
        raise ValueError(f"{name} has no probability above zero in {empty.size} rows, the first is row {empty[0]}.")
    return found


def _class_shares(class_prior: npt.ArrayLike | None, n_classes: int) -> FloatArray:
    """``P(y)`` (n_classes,), whose sum is one."""
    if class_prior is None:
        return np.full(n_classes, 1.0 / n_classes)
    shares = np.asarray(class_prior, dtype=np.float64)
    valid = shares.shape == (n_classes,) and bool((np.isfinite(shares) & (shares > 0.0)).all())
    check_parameter("class_prior", class_prior, valid, f"{n_classes} positive numbers, one for each class")
    return shares / shares.sum()


def _log(probabilities: FloatArray) -> FloatArray:
    """Logarithms, bounded from below."""
    return np.log(np.maximum(probabilities, _SMALLEST))
