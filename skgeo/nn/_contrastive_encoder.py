"""A transformer that learns embeddings of places by matching them with features of images."""

import hashlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import Tags, check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from skgeo._base import points_in_degrees, restore_on_error
from skgeo._immutable import Immutable
from skgeo._validation import check_parameter, is_integer, is_real
from skgeo.nn._location_models import LocationModel
from skgeo.nn._network_transformer import NetworkTransformer

if TYPE_CHECKING:
    from skgeo.nn._training import FrozenAndTrained, Samples, Settings

__all__ = ["ContrastiveLocationEncoder", "TrainingState"]

# Similarities that are worked out at a time.
_BLOCK_VALUES = 2**22
_RANKS = (1, 5, 10)
_LEAST_TEMPERATURE = 0.01


class ContrastiveLocationEncoder(NetworkTransformer, LocationModel):
    """Learn embeddings of places by matching them with images of these places, as SatCLIP [1]_ does.

    An encoder with a network embeds places, a linear projection embeds features of images, which a model of your choice
    has made before and which stays as it is. Both are trained so that of a batch each place is most similar to its own
    image and each image to its own place: the symmetric cross-entropy of the cosine similarities divided by a
    temperature, the loss of CLIP [2]_. Afterwards ``transform`` needs places only.

    Parameters
    ----------
    encoder : str or transformer, default="spherical_harmonics"
        What turns places into numbers, before the network: a name as of :class:`~skgeo.nn.LocationClassifier`, an
        encoder with parameters of your own, or :class:`~skgeo.SphericalHarmonicPCA`. It is cloned and fitted on the
        training places; ``FrozenEstimator`` keeps one as it is.
    network : str, Module or callable, default="siren"
        What is trained on the encoded places: "linear", "fcnet", "siren" or "mlp"; a torch module, of which a copy is
        trained, from its weights; or a function of ``n_inputs`` and ``n_outputs`` that makes one.
    embed_dim : int, default=256
        Width of the embedding.
    hidden_dim : int or None, default=None
        Width of the layers of a network given by name; None is its own default.
    n_layers : int or None, default=None
        Number of its layers; likewise.
    dropout : float or None, default=None
        Dropout of a network given by name; None is its own default.
    temperature : float, default=0.07
        Temperature at first; it is learned, and stays at 0.01 or above.
    learning_rate : float, default=0.001
        Step size of Adam.
    weight_decay : float, default=0
        Factor of the weights that Adam adds to their gradient (L2); the temperature has none.
    batch_size : int or None, default=2048
        Pairs in a step, at most; None takes all. Each place is told from all others of its batch, so that large batches
        teach finer differences. They are made of the same size, as the loss depends on it.
    max_epochs : int, default=500
        Largest number of passes over the pairs.
    patience : int or None, default=30
        Stop after so many epochs in which the loss of the held-out pairs reached no new minimum. None trains for
        ``max_epochs`` and holds nothing out.
    validation_fraction : float, default=0.1
        Share of the pairs that is held out, at random and two at least, unless ``fit`` is given such data or patience
        is None.
    keep : "best" or "last", default="best"
        Which weights to keep: those of the epoch of the smallest held-out loss, or those of the last.
    dtype : "float32" or "float64", default="float32"
        Precision of the network. The encoder works in float64 in any case.
    device : str, default="cpu"
        Where torch computes, such as "cuda".
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    missing : "error" or "nan", default="error"
        What to do with points of which a coordinate is missing: refuse them, or leave them out of ``fit`` and embed
        them as NaN.
    add_indicator : bool, default=False
        Add a column ``missing_location``, 1 where a coordinate is missing.
    random_state : int, RandomState or None, default=None
        Seed of the first weights, the held-out pairs, the order of pairs and dropout. An integer makes the same bits
        every time, on a CPU with the same torch and number of threads.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm. None shows it in interactive sessions, when work takes longer than two seconds.

    Attributes
    ----------
    retrieval_ : dict of str and ndarray of shape (3,)
        How well held-out pairs find each other, if any were held out. ``k`` is 1, 5 and 10; ``image_to_place`` the
        share of images whose own place is among the k most similar of all held-out places, ``place_to_image`` the
        reverse, and ``chance`` what guessing gets. Ties count by the chance of a random order.
    temperature_ : float
        The learned temperature.
    encoder_ : transformer
        The fitted encoder.
    weights_ : dict of str and ndarray
        State of the network and the projection: a file of the model holds arrays only, and loads without torch.
    feature_mean_, feature_scale_ : ndarray of shape (n_image_features,)
        Mean and deviation of the training features, which are standardised for the projection.
    loss_curve_ : ndarray of shape (n_epochs,)
        Mean training loss of each epoch.
    validation_loss_curve_ : ndarray of shape (n_epochs,)
        Mean held-out loss after each epoch; empty if nothing was held out.
    n_epochs_ : int
        Epochs trained.
    best_epoch_ : int
        Epoch after which the weights were kept, from 1.
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter is not what it accepts, or places and features are not as many.
    NotFittedError
        From all other methods before ``fit``.
    ImportError
        From ``fit`` and ``transform`` without torch.

    See Also
    --------
    skgeo.nn.load_satclip : Embeddings that were learned from images of the whole world.
    skgeo.nn.compute_features : Features of images from a frozen model.
    skgeo.encoders.SphericalHarmonics : Embeddings that nothing has to be learned for.

    Notes
    -----
    The embedding is that before it is divided by its length, as is usual for models on top of it.

    Neighbours are alike, so that a random share of the pairs says how well places *between* known ones are told apart;
    give ``fit`` pairs of other regions as ``X_val`` and ``y_val`` where the embedding is to work there.

    A batch of n pairs takes some six matrices of n x n numbers: 1.6 GB for 8,192 in float32.

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
    >>> waves = Cartesian3DEncoder().fit_transform(places) @ np.random.default_rng(0).normal(size=(3, 6))
    >>> images = np.sin(3 * waves)
    >>> model = ContrastiveLocationEncoder("cartesian3d", "mlp", embed_dim=16, learning_rate=0.01, max_epochs=60,
    ...                                    random_state=0)
    >>> model.fit(places, images).transform([[47.4, 8.5]]).shape
    (1, 16)

    Of 40 held-out places each image finds its own among the first five, where guessing would get an eighth.

    >>> bool(model.retrieval_["image_to_place"][1] > 0.5)
    True
    >>> nearest, similarity = model.locate(images[:2], places, k=3)
    >>> nearest.shape
    (2, 3)
    """

    _loss = "contrastive"

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
        self.embed_dim = embed_dim
        self.temperature = temperature
        self.missing = missing
        self.add_indicator = add_indicator

    def fit(  # type: ignore[override]
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
        """Train from new random weights, or go on from a checkpoint.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Places as (latitude, longitude) in degrees. Cells of a grid that are masked are left out.
        y : array-like of shape (n_samples, n_image_features), or iterable
            Features of the images of these places, in their order (of shape (n_samples,), one of each): an array, in
            memory or memory-mapped, which is then read batch by batch; or an iterable of arrays or tensors of some rows
            each, which is gone through once. With ``image_encoder`` they are the images, as
            :func:`skgeo.nn.compute_features` takes them.
        X_val, y_val : array-like, default=None
            Pairs to hold out, as X and y, instead of a share of these.
        image_encoder : Module, default=None
            Frozen model that makes features of images.
        folder : str or path-like, default=None
            Folder for a temporary file with the features that come from an iterable or an image encoder. None keeps
            them in memory.
        checkpoint : str or path-like, default=None
            File that holds the state of the training after every epoch. If it is there, training goes on from it, to
            the very numbers that a run without interruption gives; with ``max_epochs`` raised, a finished one goes on.
            It cannot run code.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X or y is not what is accepted, the checkpoint is of another training, or the loss is not
            finite; the estimator is then as it was before.
        ModelFileError
            If the checkpoint is damaged or no such file.
        ImportError
            Without torch.
        """
        settings = self._settings(y)
        self._check_own_parameters()
        with restore_on_error(self):
            for name in {"weights_", "retrieval_"} & vars(self).keys():
                delattr(self, name)
            self._embed_dim = int(self.embed_dim)
            self._first_temperature = float(self.temperature)
            keeper = None if checkpoint is None else _CheckpointFile(checkpoint)
            self._seed = self._draw_seed(check_random_state(self.random_state))
            if keeper is not None and keeper.seed is not None and self.random_state is None:
                self._seed = keeper.seed
            training = self._pairs(X, y, image_encoder, folder, reset=True)
            validation = None
            if self._is_given(X_val, y_val):
                validation = self._pairs(X_val, y_val, image_encoder, folder, reset=False)
            elif settings.patience is not None:
                training, validation = self._split(training, np.random.RandomState(self._seed), least=2)
            if len(training.inputs) < 2:
                raise ValueError(
                    f"X has {len(training.inputs)} sample (n_samples={len(training.inputs)}) to learn from: at least "
                    "two places are needed, to be told apart."
                )
            self.feature_mean_, self.feature_scale_ = training.target.statistics("y")
            if validation is not None:
                self._check_width(validation.target, "y_val")
                validation.target.check_finite("y" if y_val is None else "y_val")
                if len(validation.inputs) < 2:
                    raise ValueError("X_val has 1 sample: at least two places are needed, to be told apart.")
            self._prepare(training.inputs, training.weight)
            if keeper is not None:
                keeper.begin(self._seed, self._fingerprint(training, validation, settings), settings.max_epochs)
            training = training._replace(target=self._standardised(training.target))
            if validation is not None:
                validation = validation._replace(target=self._standardised(validation.target))
            self._store_result(self._train(training, validation, settings, keeper))
            del self._moments
            # the last step may have gone below the limit
            self.temperature_ = max(_LEAST_TEMPERATURE, float(np.exp(-self.weights_["logit_scale"])))
            if validation is not None:
                places = self._unit_places(validation.inputs)
                self.retrieval_ = _retrieval(places, self._unit_images(validation.target))
        return self

    def score(self, X: Any, y: Any) -> float:
        """Share of images whose own place is the most similar of all.

        Parameters
        ----------
        X : array-like of shape (n_samples, 2)
            Places, as for ``fit``.
        y : array-like of shape (n_samples, n_image_features)
            Features of their images, in their order.

        Returns
        -------
        float
            Between 0 and 1; guessing gets 1 / n_samples, so that it depends on how many places there are to choose
            from. Equal similarities count by the chance of a random order.
        """
        check_is_fitted(self)
        pairs = self._pairs(X, y, None, None, reset=False)
        self._check_width(pairs.target, "y")
        pairs.target.check_finite("y")
        places, images = self._unit_places(pairs.inputs), self._unit_images(pairs.target)
        return float(_hits(images, places, (1,))[0])

    def similarity(self, X: Any, image_features: Any) -> npt.NDArray[np.floating]:
        """Cosine similarity of places and images.

        Parameters
        ----------
        X : array-like, DataFrame or GeoSeries of shape (n_samples, 2), LatLonGrid, CellGrid or xarray object
            Places.
        image_features : array-like of shape (n_images, n_image_features)
            Features of images, as those of ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_images)
            From -1 to 1, NaN where a place is missing; float32 for float32 places, else float64.
        """
        check_is_fitted(self)
        images, places = self._read_images(image_features), self._read(X, reset=False)
        points = points_in_degrees(places)
        table = np.empty((len(points), len(images)), dtype=places.dtype)
        for rows, values in self._unit_blocks(points, len(images)):
            table[rows] = values @ images.T
        return table

    def locate(
        self, image_features: Any, candidates: Any, k: int = 10
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.floating]]:
        """The candidate places most similar to images.

        Parameters
        ----------
        image_features : array-like of shape (n_images, n_image_features)
            Features of images, as those of ``fit``.
        candidates : array-like, DataFrame or GeoSeries of shape (n_candidates, 2), or grid
            Places to choose from; of a grid all cells, in C order.
        k : int, default=10
            Number of places for each image.

        Returns
        -------
        indices : ndarray of shape (n_images, k)
            Rows of ``candidates``, the most similar first, of equal ones the first; those that are missing come last.
        similarity : ndarray of shape (n_images, k)
            Their cosine similarities, from -1 to 1; ``-inf`` of places that are missing.

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
        indices = np.empty((len(images), 0), dtype=np.intp)
        similarity = np.empty((len(images), 0), dtype=images.dtype)
        for rows, values in self._unit_blocks(points, len(images)):
            found = np.nan_to_num(images @ values.T, nan=-np.inf)
            similarity = np.concatenate([similarity, found], axis=1)
            block = np.broadcast_to(np.arange(rows.start, rows.start + len(values)), found.shape)
            indices = np.concatenate([indices, block], axis=1)
            order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
            similarity, indices = (np.take_along_axis(table, order, axis=1) for table in (similarity, indices))
        return indices, similarity.astype(places.dtype, copy=False)

    def __sklearn_tags__(self) -> Tags:
        """Targets are needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _check_own_parameters(self) -> None:
        valid = is_integer(self.embed_dim) and self.embed_dim >= 1
        check_parameter("embed_dim", self.embed_dim, valid, "a positive integer")
        valid = is_real(self.temperature) and self.temperature >= _LEAST_TEMPERATURE
        check_parameter("temperature", self.temperature, valid, "a number, at least 0.01")

    def _pairs(self, X: Any, y: Any, image_encoder: Any, folder: Any, *, reset: bool) -> "Samples":
        """Places and features of the pairs that count."""
        from skgeo.nn._training import Samples

        points, kept, weight = self._read_inputs(X, None, reset=reset)
        features = read_features(y, image_encoder, None if folder is None else os.fsdecode(folder))
        check_consistent_length(kept, features)
        return Samples(points, FeatureRows(features, np.flatnonzero(kept)), weight)

    def _read_images(self, image_features: Any) -> npt.NDArray[np.floating]:
        """Normalised embeddings of images."""
        features = FeatureRows(read_features(image_features, None, None))
        self._check_width(features, "image_features")
        features.check_finite("image_features")
        return self._unit_images(features)

    def _check_width(self, features: "FeatureRows", name: str) -> None:
        given, expected = features.shape[1], len(self.feature_mean_)
        if given != expected:
            raise ValueError(f"{name} has {given} features of each image: expected {expected}, as in fit.")

    def _parts(self) -> "FrozenAndTrained":
        from skgeo.nn._training import FrozenAndTrained, load

        fixed, built = self._rebuild()
        matcher: Any = load(built, self.weights_)
        return FrozenAndTrained(fixed, matcher.network)

    def _unit_blocks(self, points: Any, n_images: int) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
        """Normalised embeddings of blocks of places, few enough for a table with images."""
        from skgeo.nn._contrastive_training import Normalized
        from skgeo.nn._training import outputs

        fixed, network = self._parts()
        length = max(1, _BLOCK_VALUES // max(1, n_images))
        for block, values in outputs(fixed, Normalized(network), points, self.device):
            for start in range(0, len(values), length):
                part = values[start : start + length]
                yield slice(block.start + start, block.start + start + len(part)), part

    def _unit_places(self, points: Any) -> npt.NDArray[Any]:
        return np.concatenate([values for _, values in self._unit_blocks(points, 1)])

    def _unit_images(self, features: "FeatureRows") -> npt.NDArray[Any]:
        """Normalised embeddings of images."""
        from skgeo.nn._contrastive_training import projection_of
        from skgeo.nn._training import apply

        projection, dtype = projection_of(self.weights_), self.weights_["projection.weight"].dtype
        blocks = self._standardised(features).blocks()
        with np.errstate(over="ignore"):  # in silence, as torch casts
            return np.concatenate([apply(None, projection, block.astype(dtype), self.device) for block in blocks])

    def _standardised(self, features: "FeatureRows") -> "FeatureRows":
        return features.in_units(self.feature_mean_, self.feature_scale_)

    def _build(self) -> "FrozenAndTrained":
        from skgeo.nn._contrastive_training import Matcher
        from skgeo.nn._networks import make_network
        from skgeo.nn._training import FrozenAndTrained, width_of

        network, options = self._network  # those of the fit
        twin = self.encoder_.to_torch()
        places = make_network(network, width_of(twin), self._embed_dim, **options)
        return FrozenAndTrained(
            twin, Matcher(places, len(self.feature_mean_), self._embed_dim, self._first_temperature)
        )

    def _fingerprint(self, training: "Samples", validation: "Samples | None", settings: "Settings") -> str:
        """What a checkpoint has to agree with: how is trained, the model at first, and all of the data."""
        from skgeo.nn._training import describe

        course = settings._replace(max_epochs=0, verbose=None)
        digest = hashlib.sha256(repr([np.asarray(value).tolist() for value in course]).encode())
        for part in describe(self._build, self._seed):
            digest.update(part)
        for samples in (training, validation):
            if samples is not None:
                digest.update(repr((samples.target.shape, samples.target.dtype)).encode())
                digest.update(samples.inputs.tobytes())
                for block in samples.target.blocks():
                    digest.update(block.tobytes())
        return digest.hexdigest()

    def _embedding_names(self) -> list[str]:
        return [f"contrastive{i}" for i in range(self._embed_dim)]


class FeatureRows:
    """Some rows of a table of features, which stays where it is, on a disk maybe, until they are looked at."""

    def __init__(
        self,
        table: npt.NDArray[Any],
        index: npt.NDArray[np.intp] | None = None,
        units: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None,
    ) -> None:
        self._table = table
        self._index = np.arange(len(table)) if index is None else index
        self._units = units

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        return len(self._index), self._table.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the table."""
        return self._table.dtype

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, rows: Any) -> "FeatureRows":
        return FeatureRows(self._table, self._index[rows], self._units)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """The numbers of the rows."""
        values = self._table[self._index]
        if self._units is not None:
            mean, scale = self._units
            values = (values - mean) / scale  # in float64: a mean may be large beside the deviation
        return np.asarray(values, dtype=dtype)

    def in_units(self, mean: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> "FeatureRows":
        """The same rows, from a mean and in units of a scale."""
        return FeatureRows(self._table, self._index, (mean, scale))

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """The numbers of consecutive rows, some at a time."""
        length = max(1, _BLOCK_VALUES // self.shape[1])
        return (np.asarray(self[start : start + length]) for start in range(0, len(self), length))

    def finite_blocks(self, name: str) -> Iterator[npt.NDArray[Any]]:
        """As ``blocks``; refuses numbers that are not finite."""
        start = 0
        for block in self.blocks():
            bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
            if bad.size:
                raise ValueError(
                    f"{name} has NaN or infinite numbers, first in row {self._index[start + bad[0]]}: expected finite "
                    "features of every image; leave such pairs out."
                )
            start += len(block)
            yield block

    def check_finite(self, name: str) -> None:
        """Refuse numbers that are not finite."""
        for _ in self.finite_blocks(name):
            pass

    def statistics(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Mean and deviation of the features, 1 where they are all alike; refuses numbers that are not finite."""
        origin = np.asarray(self[:1], dtype=np.float64)[0]
        sums, squares = np.zeros_like(origin), np.zeros_like(origin)
        for block in self.finite_blocks(name):
            shifted = block.astype(np.float64) - origin
            sums, squares = sums + shifted.sum(axis=0), squares + np.square(shifted).sum(axis=0)
        mean = sums / len(self)
        scale = np.sqrt(np.maximum(squares / len(self) - mean**2, 0.0))
        mean += origin
        rounding = 4 * np.finfo(np.result_type(self.dtype, np.float16)).eps * np.abs(mean)
        return mean, np.where(scale > rounding, scale, 1.0)


def read_features(given: Any, image_encoder: Any, folder: str | None) -> npt.NDArray[Any]:
    """A table (n, k) of features, from an array, batches, or images and what makes features of them."""
    from skgeo.nn._contrastive_training import as_array, compute_features, gather

    if given is None or np.isscalar(given):
        raise ValueError(f"image_features={given!r}: expected shape (n_images, n_image_features).")
    if image_encoder is not None:
        return compute_features(given, image_encoder, folder=folder)
    listed = isinstance(given, list | tuple)
    if hasattr(given, "detach"):
        given = as_array(given)
    tabular = hasattr(given, "__array__") or hasattr(given, "__array_interface__")
    if not tabular and (getattr(given[0], "ndim", 1) == 2 if listed and len(given) else not listed):
        given = gather(given, folder)
    if np.ma.is_masked(given):
        raise ValueError("image_features has masked values: leave these images out, or fill them.")
    accepted = [np.float64, np.float32, np.float16]
    table = check_array(given, dtype=accepted, ensure_2d=False, ensure_all_finite=False, input_name="image_features")
    if table.ndim == 0:
        raise ValueError(f"image_features={given!r}: expected shape (n_images, n_image_features).")
    return table[:, np.newaxis] if table.ndim == 1 else table


def _retrieval(places: npt.NDArray[Any], images: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """How well pairs find each other."""
    return {
        "k": np.array(_RANKS),
        "image_to_place": _hits(images, places, _RANKS),
        "place_to_image": _hits(places, images, _RANKS),
        "chance": np.minimum(np.array(_RANKS) / len(places), 1.0),
    }


def _hits(queries: npt.NDArray[Any], answers: npt.NDArray[Any], ranks: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Share of the queries whose own answer is among the first; equal ones in random order."""
    hits = np.zeros(len(ranks))
    length = max(1, _BLOCK_VALUES // len(answers))
    for start in range(0, len(queries), length):
        table = queries[start : start + length] @ answers.T
        own = np.take_along_axis(table, np.arange(start, start + len(table))[:, np.newaxis], axis=1)
        better, equal = (table > own).sum(axis=1), (table == own).sum(axis=1)
        hits += [np.clip((rank - better) / equal, 0.0, 1.0).sum() for rank in ranks]
    return hits / len(queries)


class TrainingState(Immutable):
    """What a checkpoint file holds."""

    seed: int
    fingerprint: str
    state: dict[str, Any]

    def __init__(self, **values: Any) -> None:
        self._freeze(values)


class _CheckpointFile:
    """Keeps the state of a training in a file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from skgeo._output.files import load

        self._path = path
        self._kept = load(path) if os.path.exists(path) else None
        if self._kept is not None and not isinstance(self._kept, TrainingState):
            kind = type(self._kept).__name__
            raise ValueError(f"checkpoint={path!r} holds a {kind}: expected a file that fit has written, or none.")

    @property
    def seed(self) -> int | None:
        """The seed of the training that is kept, if one is."""
        return None if self._kept is None else self._kept.seed

    def begin(self, seed: int, fingerprint: str, max_epochs: int) -> None:
        """Check that what is kept is of the same training."""
        self._seed, self._fingerprint = seed, fingerprint
        if self._kept is not None and (self._kept.seed, self._kept.fingerprint) != (seed, fingerprint):
            raise ValueError(
                f"checkpoint={self._path!r} is of a training with other parameters, data or random_state: expected "
                "those of the run that wrote it (max_epochs may be larger), or another file."
            )
        n_done = 0 if self._kept is None else len(self._kept.state["losses"])
        if n_done > max_epochs:
            raise ValueError(
                f"max_epochs={max_epochs}: checkpoint={self._path!r} is of {n_done} epochs already; expected as many or "
                "more, or another file."
            )

    def read(self) -> dict[str, Any] | None:
        """The state after the last epoch."""
        return None if self._kept is None else self._kept.state

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file."""
        from skgeo._output.files import save

        save(TrainingState(seed=self._seed, fingerprint=self._fingerprint, state=state), self._path)
