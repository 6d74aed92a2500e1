"""A classifier and a regressor of places: an encoder and a network that is trained on top of it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from skgeo._base import LocationEstimator
from skgeo._input.coordinates import warn_radians
from skgeo._places import points_with_weights
from skgeo._values_at_places import Places
from skgeo.nn._base_estimator import NeuralEstimator
from skgeo.nn._base_targets import NeuralClassifier, NeuralRegressor
from skgeo.nn._encoder_and_network import build_encoder_and_network, fit_encoder, network_recipe, network_skeleton
from skgeo.nn._networks import LocationEncoder
from skgeo.nn._training import FrozenAndTrained
from skgeo.nn._wrapped_transformer import check_differentiable

__all__ = ["LocationClassifier", "LocationRegressor"]


class LocationModel(LocationEstimator, NeuralEstimator):
    """Trains a network on the embedding of places."""

    # Missing points are refused: they have neither a class nor a number.
    _missing_policies: tuple[str, ...] = ("error",)

    def __init__(
        self,
        encoder: Any = "spherical_harmonics",
        network: Any = "siren",
        *,
        hidden_dim: int | None = None,
        n_layers: int | None = None,
        dropout: float | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        batch_size: int | None = 2000,
        max_epochs: int = 500,
        patience: int | None = 30,
        validation_fraction: float = 0.1,
        keep: str = "best",
        dtype: str = "float32",
        device: str = "cpu",
        coordinates: tuple[str, str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.encoder = encoder
        self.network = network
        self.hidden_dim = hidden_dim
        self.n_layers = n_layers
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.keep = keep
        self.dtype = dtype
        self.device = device
        self.coordinates = coordinates
        self.random_state = random_state
        self.verbose = verbose

    def to_torch(self) -> LocationEncoder:
        """Return the trained model as a torch module, from degrees to logits or to values in the units of y.

        Returns
        -------
        skgeo.nn.LocationEncoder
            Maps (latitude, longitude) in degrees (..., 2) to (..., n_outputs). Latitude is always the first column. Two
            classes have one logit, that of the second class; more classes have one logit each. The module is in
            evaluation mode, on the CPU. Training it does not change this estimator.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If the encoder is a transformer without ``to_torch``.
        """
        check_is_fitted(self)
        model = self._trained_model()
        # The frozen part is the encoder. Only models of the projection head have none.
        assert model.frozen is not None
        check_differentiable(model.frozen)
        return LocationEncoder(model.frozen, model.trained, *self._units()).eval()

    def _units(self) -> tuple[Any, ...]:
        """Mean and scale of the targets, if the network learned standardised targets."""
        return ()

    def _inputs(
        self, places: Places, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        # The weights hold the mask of a grid, but not the areas of its cells.
        return points_with_weights(places, sample_weight)

    def _warn_of_later(self, inputs: npt.NDArray[Any]) -> None:
        # _read warns of radians in the first call only. A later part may hold radians, too.
        warn_radians(*inputs.T)

    def _prepare(self, inputs: npt.NDArray[Any], weight: npt.NDArray[np.float64]) -> None:
        # The parameters may change after the fit: the model keeps those of the fit.
        self._network = network_recipe(self)
        # The encoder learns from the training places and their weights.
        self.encoder_ = fit_encoder(self.encoder, inputs, weight)

    def _skeleton(self) -> Any:
        return network_skeleton(self.encoder_, self._network, self._n_network_outputs, len(self.weights_))

    def _build(self) -> FrozenAndTrained:
        # The encoder is the frozen part. Only the network is trained.
        return FrozenAndTrained(*build_encoder_and_network(self.encoder_, self._network, self._n_network_outputs))


class LocationClassifier(NeuralClassifier, LocationModel):
    """Classify places with an encoder and a network, as the location encoders of [1]_ do.

    Parameters
    ----------
    encoder : str or transformer, default="spherical_harmonics"
        The encoder of places before the network: "cartesian3d", "direct", "grid", "sphere_c", "sphere_c_plus",
        "sphere_m", "sphere_m_plus", "spherical_harmonics", "theory" or "wrap", with the defaults of its class in
        ``skgeo.encoders``; an encoder with parameters of your own, or :class:`~skgeo.SphericalHarmonicPCA`; any
        transformer of places, or a torch module from degrees to numbers (see :class:`~skgeo.nn.PretrainedEncoder`). A
        transformer is cloned and fitted on the training places. ``FrozenEstimator(encoder)`` keeps a fitted transformer
        as it is. A module is not trained.
    network : str, Module or callable, default="siren"
        Network to train on the embedding: "linear", "fcnet", "siren" or "mlp"; a function of ``n_inputs`` and
        ``n_outputs`` that returns a torch module; or a torch module, whose copy is trained from its weights.
    hidden_dim : int or None, default=None
        Width of the layers of a network given by name. None is the default of the network. "linear" has none.
    n_layers : int or None, default=None
        Number of layers of a network given by name. None is the default of the network.
    dropout : float or None, default=None
        Dropout of a network given by name. None is the default of the network: 0.5 for "fcnet", 0 for others.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss. "balanced" weights are inversely proportional to the total
        ``sample_weight`` of the samples of each class.
    learning_rate : float, default=0.001
        Step size of Adam.
    weight_decay : float, default=0
        L2 penalty: Adam adds ``weight_decay`` times the weights to their gradient.
    batch_size : int or None, default=2000
        Number of samples in a step. None takes all samples.
    max_epochs : int, default=500
        Largest number of passes over the samples.
    patience : int or None, default=30
        Stop after this number of epochs without a new minimum of the validation loss. None trains for ``max_epochs``
        and holds nothing out.
    validation_fraction : float, default=0.1
        Share of the samples that is held out at random for validation. It has no effect if ``fit`` gets validation
        data, or if patience is None.
    keep : "best" or "last", default="best"
        "best" keeps the weights of the epoch with the smallest validation loss, "last" those of the last epoch. Without
        validation, the last weights are kept.
    dtype : "float32" or "float64", default="float32"
        Precision of the network. The encoder works in float64 in any case.
    device : str, default="cpu"
        Device on which torch computes, such as "cuda".
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the held-out samples, the order of samples and dropout. An integer gives the
        same result in every run, bit for bit, on a CPU with the same version of torch and the same number of threads.
        The global generator of torch does not change.
    verbose : bool or None, default=None
        Show a progress bar of the epochs; needs tqdm. None shows it in interactive sessions, when training takes longer
        than two seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    encoder_ : transformer
        The fitted encoder.
    weights_ : dict of str and ndarray
        The ``state_dict`` of the network, as arrays. A file of :func:`skgeo.save` holds these arrays, and no code.
    loss_curve_ : ndarray of shape (n_epochs,)
        Mean training loss of each epoch, with dropout.
    validation_loss_curve_ : ndarray of shape (n_epochs,)
        Mean validation loss after each epoch; empty if nothing was held out.
    n_epochs_ : int
        Number of epochs of training.
    best_epoch_ : int
        Number of the epoch whose weights are kept, from 1.
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter is invalid, or y has one class only.

    See Also
    --------
    skgeo.nn.LocationRegressor : For numbers instead of classes.
    skgeo.encoders.SphericalHarmonics : With LogisticRegression, a model without torch and with similar scores.

    Notes
    -----
    The embedding of the training places is computed once in float64, rounded to the precision of the network, and kept
    in memory. An embedding of more than 2^27 numbers is computed batch by batch in each epoch.

    If the model should work in other regions, give ``fit`` validation data of these regions. Random validation samples
    are similar to their neighbours in the training data, so their loss is smaller than the loss in other regions. Cells
    of a grid are weighted by the mask and not by their areas: give ``sample_weight=grid.cell_areas()`` to weight them
    by area, too.

    References
    ----------
    .. [1] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    A model that tells the hemisphere of a place.

    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.nn import LocationClassifier
    >>> places = fibonacci_lattice(200)
    >>> hemisphere = ["north" if latitude > 0 else "south" for latitude in places[:, 0]]
    >>> model = LocationClassifier(
    ...     "cartesian3d", "linear", learning_rate=0.1, random_state=0
    ... )
    >>> model.fit(places, hemisphere).predict([[47.4, 8.5], [-33.9, 18.4]])
    array(['north', 'south'], dtype='<U5')
    """

    def __init__(
        self,
        encoder: Any = "spherical_harmonics",
        network: Any = "siren",
        *,
        hidden_dim: int | None = None,
        n_layers: int | None = None,
        dropout: float | None = None,
        class_weight: dict[Any, float] | str | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        batch_size: int | None = 2000,
        max_epochs: int = 500,
        patience: int | None = 30,
        validation_fraction: float = 0.1,
        keep: str = "best",
        dtype: str = "float32",
        device: str = "cpu",
        coordinates: tuple[str, str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | None = None,
    ) -> None:
        super().__init__(
            encoder,
            network,
            hidden_dim=hidden_dim,
            n_layers=n_layers,
            dropout=dropout,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=patience,
            validation_fraction=validation_fraction,
            keep=keep,
            dtype=dtype,
            device=device,
            coordinates=coordinates,
            random_state=random_state,
            verbose=verbose,
        )
        # LocationModel does not have this parameter: a regressor has no classes.
        self.class_weight = class_weight


class LocationRegressor(NeuralRegressor, LocationModel):
    """Predict numbers at places with an encoder and a network, as the location encoders of [1]_ do.

    Parameters
    ----------
    encoder : str or transformer, default="spherical_harmonics"
        The encoder of places before the network: "cartesian3d", "direct", "grid", "sphere_c", "sphere_c_plus",
        "sphere_m", "sphere_m_plus", "spherical_harmonics", "theory" or "wrap", with the defaults of its class in
        ``skgeo.encoders``; an encoder with parameters of your own, or :class:`~skgeo.SphericalHarmonicPCA`; any
        transformer of places, or a torch module from degrees to numbers (see :class:`~skgeo.nn.PretrainedEncoder`). A
        transformer is cloned and fitted on the training places. ``FrozenEstimator(encoder)`` keeps a fitted transformer
        as it is. A module is not trained.
    network : str, Module or callable, default="siren"
        Network to train on the embedding: "linear", "fcnet", "siren" or "mlp"; a function of ``n_inputs`` and
        ``n_outputs`` that returns a torch module; or a torch module, whose copy is trained from its weights.
    hidden_dim : int or None, default=None
        Width of the layers of a network given by name. None is the default of the network. "linear" has none.
    n_layers : int or None, default=None
        Number of layers of a network given by name. None is the default of the network.
    dropout : float or None, default=None
        Dropout of a network given by name. None is the default of the network: 0.5 for "fcnet", 0 for others.
    learning_rate : float, default=0.001
        Step size of Adam.
    weight_decay : float, default=0
        L2 penalty: Adam adds ``weight_decay`` times the weights to their gradient.
    batch_size : int or None, default=2000
        Number of samples in a step. None takes all samples.
    max_epochs : int, default=500
        Largest number of passes over the samples.
    patience : int or None, default=30
        Stop after this number of epochs without a new minimum of the validation loss. None trains for ``max_epochs``
        and holds nothing out.
    validation_fraction : float, default=0.1
        Share of the samples that is held out at random for validation. It has no effect if ``fit`` gets validation
        data, or if patience is None.
    keep : "best" or "last", default="best"
        "best" keeps the weights of the epoch with the smallest validation loss, "last" those of the last epoch. Without
        validation, the last weights are kept.
    dtype : "float32" or "float64", default="float32"
        Precision of the network. The encoder works in float64 in any case.
    device : str, default="cpu"
        Device on which torch computes, such as "cuda".
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the held-out samples, the order of samples and dropout. An integer gives the
        same result in every run, bit for bit, on a CPU with the same version of torch and the same number of threads.
        The global generator of torch does not change.
    verbose : bool or None, default=None
        Show a progress bar of the epochs; needs tqdm. None shows it in interactive sessions, when training takes longer
        than two seconds.

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of shape (n_outputs,)
        Weighted mean and standard deviation of the training targets. The network learns standardised targets, so that
        the learning rate does not depend on the units of y.
    encoder_ : transformer
        The fitted encoder.
    weights_ : dict of str and ndarray
        The ``state_dict`` of the network, as arrays. A file of :func:`skgeo.save` holds these arrays, and no code.
    loss_curve_ : ndarray of shape (n_epochs,)
        Mean training loss of each epoch, with dropout.
    validation_loss_curve_ : ndarray of shape (n_epochs,)
        Mean validation loss after each epoch; empty if nothing was held out.
    n_epochs_ : int
        Number of epochs of training.
    best_epoch_ : int
        Number of the epoch whose weights are kept, from 1.
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter is invalid.

    See Also
    --------
    skgeo.nn.LocationClassifier : For classes, with further notes.
    skgeo.encoders.SphericalHarmonics : With Ridge, a Gaussian process in linear time.

    References
    ----------
    .. [1] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    A temperature that falls from 30 degrees at the equator to 0 at the poles.

    >>> import numpy as np
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.nn import LocationRegressor
    >>> places = fibonacci_lattice(300)
    >>> temperature = 30 * np.cos(np.radians(places[:, 0])) ** 2
    >>> model = LocationRegressor(network="linear", learning_rate=0.1, random_state=0)
    >>> model.fit(places, temperature).predict([[0.0, 20.0], [60.0, 20.0]]).round(1)
    array([30. ,  7.5])
    """

    def _units(self) -> tuple[Any, ...]:
        # The module multiplies its outputs by the scale and adds the mean, as predict does.
        return self.target_mean_.tolist(), self.target_scale_.tolist()
