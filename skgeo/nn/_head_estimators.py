"""A classifier and a regressor that train the projection head of patches on a target."""

from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted, validate_data

from skgeo._input.numbers import detached
from skgeo._validation import check_flag, check_parameter, check_scaled_weight, is_integer
from skgeo.nn._base_estimator import NeuralEstimator
from skgeo.nn._base_targets import NeuralClassifier, NeuralRegressor
from skgeo.nn._head import PatchProjectionHead, check_columns, scale_statistics
from skgeo.nn._training import FrozenAndTrained

__all__ = ["ProjectionHeadClassifier", "ProjectionHeadRegressor"]


class HeadModel(NeuralEstimator):
    """Trains a projection head with a linear output on features of patches."""

    def __init__(
        self,
        n_scale: int = 10,
        *,
        log: bool = True,
        embed_dim: int = 64,
        head_dim: int | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        batch_size: int | None = 2000,
        max_epochs: int = 500,
        patience: int | None = 30,
        validation_fraction: float = 0.1,
        keep: str = "best",
        dtype: str = "float32",
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.n_scale = n_scale
        self.log = log
        self.embed_dim = embed_dim
        self.head_dim = head_dim
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.keep = keep
        self.dtype = dtype
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def to_torch(self) -> PatchProjectionHead:
        """Return the trained head as a torch module without the output layer, to add its output to tokens.

        Returns
        -------
        skgeo.nn.PatchProjectionHead
            Maps (..., n_features) to (..., embed_dim). The module is in evaluation mode, on the CPU. Training it does
            not change this estimator.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        """
        check_is_fitted(self)
        # The output layer serves the target only and is left out.
        model: Any = self._trained_model().trained
        return model.head.eval()

    def _read(self, X: object, *, reset: bool) -> npt.NDArray[Any]:
        if X is None:
            raise ValueError("X is None: expected an array or DataFrame of shape (n_samples, n_features).")
        # Features in float32 stay float32. All others become float64.
        return validate_data(self, detached(X), reset=reset, dtype=(np.float64, np.float32))

    def _inputs(
        self, places: npt.NDArray[Any], sample_weight: npt.ArrayLike | None = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        # Features of patches have neither areas nor a mask: every sample has the weight one.
        weight = np.ones(len(places))
        return places, weight if sample_weight is None else check_scaled_weight(sample_weight, weight.shape)

    def _prepare(self, inputs: npt.NDArray[Any], weight: npt.NDArray[np.float64]) -> None:
        n_features, n_scale = inputs.shape[1], self.n_scale
        check_parameter("n_scale", n_scale, is_integer(n_scale) and n_scale >= 1, "a positive integer")
        check_flag("log", self.log)
        valid = self.head_dim is None or (is_integer(self.head_dim) and self.head_dim >= 1)
        check_parameter("head_dim", self.head_dim, valid, "a positive integer, or None")
        if n_features <= n_scale:
            raise ValueError(
                f"X has {n_features} features (n_features = {n_features}), and the last n_scale={n_scale} are "
                "descriptors of scale: expected features of position before them, as "
                "make_union(PatchPositionEncoder(), PatchScaleFeaturizer()) gives."
            )
        self.n_position_ = n_features - int(n_scale)
        # PatchScaleFeaturizer returns logarithms of all descriptors or of none: one flag is enough.
        log = np.full(n_scale, self.log)
        # The parameters may change after the fit: the model keeps those of the fit.
        self._widths = self.embed_dim, self.head_dim
        self.scale_mean_, self.scale_std_ = scale_statistics(inputs[:, self.n_position_ :], log, weight)

    def _skeleton(self) -> torch.nn.Module:
        fits = self.n_features_in_ == self.n_position_ + len(self.scale_mean_)
        check_parameter("n_position_", self.n_position_, fits, "the number of columns without the descriptors")
        check_columns(self.weights_, "head.")
        return self._build().trained

    def _build(self) -> FrozenAndTrained:
        # The buffers take the statistics of the fit. The gains begin at one, and the layers at random.
        embed_dim, head_dim = self._widths
        head = PatchProjectionHead(self.n_position_, len(self.scale_mean_), embed_dim, head_dim)
        # Replace the buffers and do not copy into them: the statistics stay in float64.
        head.scale_mean, head.scale_std = torch.tensor(self.scale_mean_), torch.tensor(self.scale_std_)
        # The output layer turns the embedding of the head into logits or values.
        output = torch.nn.Linear(embed_dim, self._n_network_outputs)
        return FrozenAndTrained(None, torch.nn.Sequential(OrderedDict(head=head, output=output)))


class ProjectionHeadClassifier(NeuralClassifier, HeadModel):
    """Train the projection head of patches on classes, as the last step of a Pipeline.

    The model is :class:`~skgeo.nn.PatchProjectionHead` with a linear output. The head learns an embedding of position
    and scale that predicts the target. ``to_torch`` returns the head for the tokens of a transformer.

    Parameters
    ----------
    n_scale : int, default=10
        Number of descriptors of scale, which are the last columns of X; ``make_union(PatchPositionEncoder(),
        PatchScaleFeaturizer())`` gives ten.
    log : bool, default=True
        Whether the descriptors are logarithms.
    embed_dim : int, default=64
        Width of the embedding that the head gives.
    head_dim : int or None, default=None
        Width between the two linear layers of the head; None is ``2 * max(n_features, embed_dim)``.
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
        Precision of the network.
    device : str, default="cpu"
        Device on which torch computes, such as "cuda".
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
    n_position_ : int
        Number of features before the descriptors.
    scale_mean_, scale_std_ : ndarray of shape (n_scale,)
        Weighted mean and standard deviation of each descriptor. The head standardises descriptors with these numbers.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    ValueError
        From ``fit``, if a parameter is invalid, or if X has ``n_scale`` features or fewer.

    See Also
    --------
    skgeo.nn.PatchProjectionHead : The head alone.
    skgeo.nn.ProjectionHeadRegressor : For numbers.

    Examples
    --------
    The head learns to tell patches in the tropics from patches beyond. Its output has the width of the tokens.

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline, make_union
    >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
    >>> from skgeo import PatchPositionEncoder, PatchScaleFeaturizer
    >>> from skgeo.nn import ProjectionHeadClassifier
    >>> grid = LatLonGrid(np.arange(-88, 90, 4.0), np.arange(2, 360, 4.0))
    >>> patches = grid.patches((5, 5))
    >>> position = PatchPositionEncoder(SphericalHarmonicPCA(3))
    >>> features = make_union(position, PatchScaleFeaturizer())
    >>> head = ProjectionHeadClassifier(embed_dim=32, max_epochs=100, random_state=0)
    >>> model = make_pipeline(features, head)
    >>> zone = np.where(abs(patches[:, :2].mean(axis=1)) < 23.4, "tropics", "beyond")
    >>> bool(model.fit(patches, zone).score(patches, zone) > 0.9)
    True
    >>> head = model[-1].to_torch()
    >>> head.layers[-1].out_features
    32
    """

    def __init__(
        self,
        n_scale: int = 10,
        *,
        log: bool = True,
        embed_dim: int = 64,
        head_dim: int | None = None,
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
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | None = None,
    ) -> None:
        super().__init__(
            n_scale,
            log=log,
            embed_dim=embed_dim,
            head_dim=head_dim,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=patience,
            validation_fraction=validation_fraction,
            keep=keep,
            dtype=dtype,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight


class ProjectionHeadRegressor(NeuralRegressor, HeadModel):
    """Train the projection head of patches on numbers, as the last step of a Pipeline.

    The model is :class:`~skgeo.nn.PatchProjectionHead` with a linear output. The head learns an embedding of position
    and scale that predicts the target. ``to_torch`` returns the head for the tokens of a transformer.

    Parameters
    ----------
    n_scale : int, default=10
        Number of descriptors of scale, which are the last columns of X; ``make_union(PatchPositionEncoder(),
        PatchScaleFeaturizer())`` gives ten.
    log : bool, default=True
        Whether the descriptors are logarithms.
    embed_dim : int, default=64
        Width of the embedding that the head gives.
    head_dim : int or None, default=None
        Width between the two linear layers of the head; None is ``2 * max(n_features, embed_dim)``.
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
        Precision of the network.
    device : str, default="cpu"
        Device on which torch computes, such as "cuda".
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
    n_position_ : int
        Number of features before the descriptors.
    scale_mean_, scale_std_ : ndarray of shape (n_scale,)
        Weighted mean and standard deviation of each descriptor. The head standardises descriptors with these numbers.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    ValueError
        From ``fit``, if a parameter is invalid, or if X has ``n_scale`` features or fewer.

    See Also
    --------
    skgeo.nn.PatchProjectionHead : The head alone.
    skgeo.nn.ProjectionHeadClassifier : For classes.

    Examples
    --------
    The head learns a quantity that falls from the equator to the poles. Its output has the width of the tokens.

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline, make_union
    >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
    >>> from skgeo import PatchPositionEncoder, PatchScaleFeaturizer
    >>> from skgeo.nn import ProjectionHeadRegressor
    >>> grid = LatLonGrid(np.arange(-88, 90, 4.0), np.arange(2, 360, 4.0))
    >>> patches = grid.patches((5, 5))
    >>> position = PatchPositionEncoder(SphericalHarmonicPCA(3))
    >>> features = make_union(position, PatchScaleFeaturizer())
    >>> head = ProjectionHeadRegressor(embed_dim=32, max_epochs=100, random_state=0)
    >>> model = make_pipeline(features, head)
    >>> warmth = np.cos(np.radians(patches[:, :2].mean(axis=1)))
    >>> bool(model.fit(patches, warmth).score(patches, warmth) > 0.9)
    True
    >>> head = model[-1].to_torch()
    >>> head.layers[-1].out_features
    32
    """
