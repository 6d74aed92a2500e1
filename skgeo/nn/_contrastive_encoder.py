"""A transformer that learns embeddings of places by matching them with features of images."""

import os
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import Tags, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from skgeo._base import restore_on_error
from skgeo._places import points_in_degrees, points_with_weights
from skgeo._validation import check_parameter, is_integer
from skgeo.nn._base_transformer import EncoderAndNetwork, NetworkTransformer
from skgeo.nn._checkpoint_file import CheckpointFile, fingerprint
from skgeo.nn._contrastive_modules import MIN_TEMPERATURE, Matcher, check_fitted_matcher, check_matching
from skgeo.nn._encoder_and_network import build_encoder_and_network, fit_encoder, network_recipe
from skgeo.nn._feature_rows import FeatureRows
from skgeo.nn._fit_steps import draw_seed, has_validation, keep_weighted, read_settings, split_samples, store_result
from skgeo.nn._image_features import read_features
from skgeo.nn._retrieval import hit_rates, most_similar, retrieval_report, unit_images, unit_place_blocks
from skgeo.nn._torch_state import load_arrays, preserve_rng
from skgeo.nn._training import FrozenAndTrained, Samples, train

__all__ = ["ContrastiveLocationEncoder"]


class ContrastiveLocationEncoder(NetworkTransformer):
    """Learn embeddings of places by matching them with images of these places, as SatCLIP [1]_ does.

    An encoder with a network embeds places. A linear projection embeds features of images, which a frozen model of your
    choice has computed. Training makes each place of a batch most similar to its own image, and each image to its own
    place. The loss is that of CLIP [2]_: the symmetric cross-entropy of the cosine similarities divided by a
    temperature. ``transform`` needs places only.

    Parameters
    ----------
    encoder : str or transformer, default="spherical_harmonics"
        The encoder of places before the network: a name that :class:`~skgeo.nn.LocationClassifier` takes, an encoder
        with parameters of your own, or :class:`~skgeo.SphericalHarmonicPCA`. The encoder is cloned and fitted on the
        training places. ``FrozenEstimator(encoder)`` keeps a fitted encoder as it is.
    network : str, Module or callable, default="siren"
        Network to train on the encoded places: "linear", "fcnet", "siren" or "mlp"; a function of ``n_inputs`` and
        ``n_outputs`` that returns a torch module; or a torch module, whose copy is trained from its weights.
    embed_dim : int, default=256
        Width of the embedding.
    hidden_dim : int or None, default=None
        Width of the layers of a network given by name. None is the default of the network.
    n_layers : int or None, default=None
        Number of layers of a network given by name. None is the default of the network.
    dropout : float or None, default=None
        Dropout of a network given by name. None is the default of the network.
    temperature : float, default=0.07
        Temperature at the start of training, at least 0.01. Training changes the temperature, but not below 0.01.
    learning_rate : float, default=0.001
        Step size of Adam.
    weight_decay : float, default=0
        L2 penalty: Adam adds ``weight_decay`` times the weights to their gradient. The temperature has no penalty.
    batch_size : int or None, default=2048
        Largest number of pairs in a step. None takes all. The loss compares each place with all others of its batch, so
        large batches teach finer differences. Batches differ by one pair at most: the loss depends on their size.
    max_epochs : int, default=500
        Largest number of passes over the pairs.
    patience : int or None, default=30
        Stop after this number of epochs without a new minimum of the loss of the held-out pairs. None trains for
        ``max_epochs`` and holds nothing out.
    validation_fraction : float, default=0.1
        Share of the pairs that is held out at random for validation, at least two pairs. It has no effect if ``fit``
        gets validation data, or if patience is None.
    keep : "best" or "last", default="best"
        "best" keeps the weights of the epoch with the smallest held-out loss, "last" those of the last epoch.
    dtype : "float32" or "float64", default="float32"
        Precision of the network. The encoder works in float64 in any case.
    device : str, default="cpu"
        Device on which torch computes, such as "cuda".
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    missing : "error" or "nan", default="error"
        What to do with points that lack a coordinate: refuse them, or leave them out of ``fit`` and embed
        them as NaN.
    add_indicator : bool, default=False
        Add a column ``missing_location``, 1 where a coordinate is missing.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the held-out pairs, the order of pairs and dropout. An integer gives the same
        result in every run, bit for bit, on a CPU with the same version of torch and the same number of threads.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm. None shows it in interactive sessions, when work takes longer than two seconds.

    Attributes
    ----------
    retrieval_ : dict of str and ndarray of shape (3,)
        Retrieval of held-out pairs, if any were held out. ``k`` is 1, 5 and 10. ``image_to_place`` is the share of
        images whose own place is among the k most similar held-out places, ``place_to_image`` is the reverse, and
        ``chance`` is the share by guessing. Equal similarities count as if their order were random.
    temperature_ : float
        The learned temperature.
    encoder_ : transformer
        The fitted encoder.
    weights_ : dict of str and ndarray
        The ``state_dict`` of network and projection, as arrays. A file of :func:`skgeo.save` holds no code.
    feature_mean_, feature_scale_ : ndarray of shape (n_image_features,)
        Mean and standard deviation of each training feature. The projection reads standardised features.
    loss_curve_ : ndarray of shape (n_epochs,)
        Mean training loss of each epoch.
    validation_loss_curve_ : ndarray of shape (n_epochs,)
        Mean held-out loss after each epoch; empty if nothing was held out.
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
        From ``fit``, if a parameter is invalid, or the numbers of places and features differ.
    NotFittedError
        From all other methods before ``fit``.

    See Also
    --------
    skgeo.nn.load_satclip : Embeddings that were learned from images of the whole world.
    skgeo.nn.compute_features : Features of images from a frozen model.
    skgeo.encoders.SphericalHarmonics : Embeddings that need no training.

    Notes
    -----
    ``transform`` does not divide an embedding by its length. Models that read embeddings need no such division.

    Images of neighbouring places are similar. Random held-out pairs therefore measure how well the embedding separates
    places *between* known places. If the embedding has to work in other regions, give ``fit`` pairs of these regions as
    ``X_val`` and ``y_val``.

    A batch of n pairs needs about six matrices of n x n numbers: 1.6 GB for 8,192 pairs in float32.

    References
    ----------
    .. [1] Klemmer, K., Rolf, E., Robinson, C., Mackey, L. & Russwurm, M. (2025). SatCLIP: global, general-purpose
       location embeddings with satellite imagery. Proceedings of the AAAI Conference on Artificial Intelligence 39(4),
       4347-4355.
    .. [2] Radford, A., Kim, J. W., Hallacy, C., Ramesh, A., Goh, G., Agarwal, S., Sastry, G., Askell, A., Mishkin, P.,
       Clark, J., Krueger, G. & Sutskever, I. (2021). Learning transferable visual models from natural language
       supervision. International Conference on Machine Learning.

    Examples
    --------
    "Images" of six numbers, which change smoothly over the globe.

    >>> import numpy as np
    >>> from skgeo.datasets import fibonacci_lattice
    >>> from skgeo.encoders import Cartesian3DEncoder
    >>> from skgeo.nn import ContrastiveLocationEncoder
    >>> places = fibonacci_lattice(400)
    >>> directions = np.random.default_rng(0).normal(size=(3, 6))
    >>> images = np.sin(3 * Cartesian3DEncoder().fit_transform(places) @ directions)
    >>> model = ContrastiveLocationEncoder(
    ...     "cartesian3d", "mlp", embed_dim=16, learning_rate=0.01, max_epochs=60,
    ...     random_state=0,
    ... )
    >>> model.fit(places, images).transform([[47.4, 8.5]]).shape
    (1, 16)

    More than half of the 40 held-out images have their own place among the first five. Guessing gives an eighth.

    >>> bool(model.retrieval_["image_to_place"][1] > 0.5)
    True
    >>> nearest, similarity = model.locate(images[:2], places, k=3)
    >>> nearest.shape
    (2, 3)
    """

    def __init__(
        self,
        encoder: Any = "spherical_harmonics",
        network: Any = "siren",
        *,
        embed_dim: int = 256,
        hidden_dim: int | None = None,
        n_layers: int | None = None,
        dropout: float | None = None,
        temperature: float = 0.07,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        batch_size: int | None = 2048,
        max_epochs: int = 500,
        patience: int | None = 30,
        validation_fraction: float = 0.1,
        keep: str = "best",
        dtype: str = "float32",
        device: str = "cpu",
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
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
        self.embed_dim = embed_dim
        self.temperature = temperature
        self.missing = missing
        self.add_indicator = add_indicator

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        image_encoder: Any = None,
        folder: str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train from new random weights, or continue from a checkpoint.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Places as (latitude, longitude) in degrees. Cells of a grid that are masked are left out.
        y : array-like of shape (n_samples, n_image_features), or iterable
            Features of the images of these places, in the same order; the shape (n_samples,) is one feature. y may be
            an array, a memory-mapped array (it is read batch by batch), or an iterable of arrays or tensors with some
            rows each (it is read once). With ``image_encoder``, y holds the images, in a form that
            :func:`skgeo.nn.compute_features` accepts.
        X_val, y_val : array-like, default=None
            Held-out pairs, in the form of X and y. Without them, a share of X and y is held out.
        image_encoder : Module, default=None
            Frozen model that makes features of images.
        folder : str or path-like, default=None
            Folder for a temporary file with the features that come from an iterable or an image encoder. None keeps
            them in memory.
        checkpoint : str or path-like, default=None
            File for the state of the training after every epoch. If the file exists, training continues from it, and
            gives the same bits as a run without interruption. With a larger ``max_epochs`` a finished training
            continues. The file cannot run code.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X or y is invalid, the checkpoint is of another training, or the loss is not
            finite; the estimator is then as it was before.
        ModelFileError
            If the checkpoint is damaged, or the file is no checkpoint.
        """
        settings = read_settings(self, y)
        check_matching(self.embed_dim, self.temperature)
        with restore_on_error(self):
            # Both attributes describe an earlier fit. This fit sets retrieval_ only if pairs are held out.
            for name in {"weights_", "retrieval_"} & vars(self).keys():
                delattr(self, name)
            # The parameters may change after the fit: the model keeps those of the fit.
            self._embed_dim = int(self.embed_dim)
            self._first_temperature = float(self.temperature)
            file = None if checkpoint is None else CheckpointFile(checkpoint)
            self._seed = draw_seed(self.random_state, check_random_state(self.random_state))
            # Without a seed of the caller, a resumed training takes the seed that it began with.
            if file is not None and file.seed is not None and self.random_state is None:
                self._seed = file.seed
            training = self._read_pairs(X, y, image_encoder, folder, reset=True)
            validation = None
            if has_validation(X_val, y_val):
                validation = self._read_pairs(X_val, y_val, image_encoder, folder, reset=False)
            elif settings.patience is not None:
                rng = np.random.RandomState(self._seed)
                training, validation = split_samples(training, self.validation_fraction, rng, min_held_out=2)
            # The loss compares each place with the images of other places: one pair teaches nothing.
            if len(training.inputs) < 2:
                raise ValueError(
                    f"X has {len(training.inputs)} sample (n_samples={len(training.inputs)}) to learn from: expected "
                    "at least two places, because the loss compares places."
                )
            self.feature_mean_, self.feature_scale_ = training.target.mean_and_scale("y")
            if validation is not None:
                validation.target.check(len(self.feature_mean_), "y_val", "y" if y_val is None else "y_val")
                if len(validation.inputs) < 2:
                    raise ValueError("X_val has 1 sample: expected at least two, because the loss compares places.")
            self._network = network_recipe(self)
            self.encoder_ = fit_encoder(self.encoder, training.inputs, training.weight)
            if file is not None:
                # The hash covers the features as they came, so it is taken before they are standardised.
                hashed = fingerprint(self._build, self._seed, training, validation, settings)
                file.begin(self._seed, hashed, settings.max_epochs)
            # From here on the features are standardised: nothing is copied, FeatureRows computes on reading.
            training = self._standardise(training)
            validation = None if validation is None else self._standardise(validation)
            result = train(self._build, "contrastive", training, validation, settings, self._seed, checkpointer=file)
            store_result(self, result)
            del self._moments  # no method goes on from the moments of Adam
            # The last step may have gone below the limit, which Matcher applies at the next step only.
            self.temperature_ = max(MIN_TEMPERATURE, float(np.exp(-self.weights_["logit_scale"])))
            if validation is not None:
                self.retrieval_ = retrieval_report(*self._unit_pairs(validation))
        return self

    def score(self, X: Any, y: Any) -> float:
        """Compute the share of images whose own place is the most similar of all places.

        Parameters
        ----------
        X : array-like of shape (n_samples, 2)
            Places, as for ``fit``.
        y : array-like of shape (n_samples, n_image_features)
            Features of their images, in their order.

        Returns
        -------
        float
            Share from 0 to 1. Guessing gives 1 / n_samples, so the share depends on the number of places. Equal
            similarities count as if their order were random.
        """
        check_is_fitted(self)
        pairs = self._read_pairs(X, y, None, None, reset=False)
        pairs.target.check(len(self.feature_mean_), "y", "y")
        places, images = self._unit_pairs(self._standardise(pairs))
        return float(hit_rates(images, places, (1,))[0])

    def similarity(self, X: Any, image_features: Any) -> npt.NDArray[np.floating]:
        """Compute the cosine similarity of places and images.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Places.
        image_features : array-like of shape (n_images, n_image_features)
            Features of images, from the same model as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_images)
            Similarities from -1 to 1, NaN where a place is missing; float32 for float32 places, else float64.
        """
        check_is_fitted(self)
        images, places = self._read_images(image_features), self._read(X, reset=False)
        points = points_in_degrees(places)
        # Block by block, because the table may be much larger than the embeddings.
        table = np.empty((len(points), len(images)), dtype=places.dtype)
        for rows, values in unit_place_blocks(*self._encoder_and_network(), points, len(images), self.device):
            table[rows] = values @ images.T
        return table

    def locate(
        self, image_features: Any, candidates: Any, k: int = 10
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.floating]]:
        """Find the candidate places that are most similar to images.

        Parameters
        ----------
        image_features : array-like of shape (n_images, n_image_features)
            Features of images, from the same model as in ``fit``.
        candidates : array-like, DataFrame or GeoSeries of shape (n_candidates, 2), or grid
            Places to choose from. For a grid these are all cells, in C order.
        k : int, default=10
            Number of places for each image.

        Returns
        -------
        indices : ndarray of shape (n_images, k)
            Rows of ``candidates``, the most similar first. Ties keep their order. Missing places are last.
        similarity : ndarray of shape (n_images, k)
            Cosine similarities of these places, from -1 to 1; ``-inf`` for missing places.

        Raises
        ------
        ValueError
            If k is no integer from 1 to n_candidates.
        """
        check_is_fitted(self)
        images, places = self._read_images(image_features), self._read(candidates, reset=False)
        points = points_in_degrees(places)
        valid = is_integer(k) and 1 <= k <= len(points)
        check_parameter("k", k, valid, f"an integer from 1 to the number of candidates, {len(points)}")
        blocks = unit_place_blocks(*self._encoder_and_network(), points, len(images), self.device)
        indices, similarity = most_similar(images, blocks, k)
        return indices, similarity.astype(places.dtype, copy=False)

    def _check_loaded(self) -> None:
        super()._check_loaded()
        check_fitted_matcher(self)

    def __sklearn_tags__(self) -> Tags:
        """Targets are needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _read_pairs(self, X: Any, y: Any, image_encoder: Any, folder: Any, *, reset: bool) -> Samples:
        """Read the places and features of the pairs. Pairs whose place the mask of X hides are left out."""
        points, kept, weight = keep_weighted(*points_with_weights(self._read(X, reset=reset), None))
        features = read_features(y, image_encoder, None if folder is None else os.fsdecode(folder))
        # Features have rows for hidden places, too: compare the lengths before hidden rows are left out.
        check_consistent_length(kept, features)
        return Samples(points, FeatureRows(features, np.flatnonzero(kept)), weight)

    def _read_images(self, image_features: Any) -> npt.NDArray[np.floating]:
        """Normalised embeddings of images, from features that the caller gave."""
        features = FeatureRows(read_features(image_features, None, None))
        features.check(len(self.feature_mean_), "image_features", "image_features")
        features = features.standardised(self.feature_mean_, self.feature_scale_)
        return unit_images(self.weights_, features, self.device)

    def _unit_pairs(self, pairs: Samples) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Normalised embeddings of places, and of their images with standardised features."""
        places = [values for _, values in unit_place_blocks(*self._encoder_and_network(), pairs.inputs, 1, self.device)]
        return np.concatenate(places), unit_images(self.weights_, pairs.target, self.device)

    def _standardise(self, pairs: Samples) -> Samples:
        """The same pairs with standardised features."""
        return pairs._replace(target=pairs.target.standardised(self.feature_mean_, self.feature_scale_))

    def _build(self) -> FrozenAndTrained:
        """The model with new random weights."""
        encoder, network = build_encoder_and_network(self.encoder_, self._network, self._embed_dim)
        matcher = Matcher(network, len(self.feature_mean_), self._embed_dim, self._first_temperature)
        return FrozenAndTrained(encoder, matcher)

    def _encoder_and_network(self) -> EncoderAndNetwork:
        with preserve_rng():
            encoder, built = self._build()
        # Places need the network of the matcher only, not the projection of images.
        matcher: Any = load_arrays(built, self.weights_)
        return EncoderAndNetwork(encoder, matcher.network)

    def _embedding_names(self) -> list[str]:
        return [f"contrastive{i}" for i in range(self._embed_dim)]
