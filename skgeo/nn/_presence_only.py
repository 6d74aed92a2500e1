"""A classifier of places that learns ranges of species from presence-only records."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skgeo._input.columns import frame_columns
from skgeo._places import as_grid
from skgeo._validation import check_parameter
from skgeo.metrics._presence import in_order_of, mean_presence_auc, presence_matrix
from skgeo.nn._networks import LocationEncoder
from skgeo.nn._presence_model import PresenceOnlyModel
from skgeo.nn._training import predict_blocks

__all__ = ["PresenceOnlyClassifier"]


class PresenceOnlyClassifier(ClassifierMixin, PresenceOnlyModel):
    """Learn the ranges of species from records of presence, with an encoder of places and a network.

    A record says that a species was seen at a place. No record says where a species is absent. The losses of the
    literature therefore set the records against background places, against the records of other species, or against
    both. All species share one network, so that rare species learn from frequent ones.

    Parameters
    ----------
    encoder : str or transformer, default="spherical_harmonics"
        The encoder of places before the network, as for :class:`~skgeo.nn.LocationClassifier`: a name, an encoder, any
        transformer of places, or a torch module such as a pretrained one. A transformer is cloned and fitted on the
        background. ``FrozenEstimator(encoder)`` keeps a fitted encoder.
    network : str, Module or callable, default="siren"
        Network to train on the embedding: "linear", "fcnet", "siren" or "mlp"; a function of ``n_inputs`` and
        ``n_outputs`` that returns a torch module; or a torch module, whose copy is trained from its weights.
    loss : "full", "slds", "ssdl", "maxent" or "poisson", default="full"
        The loss that training minimises, see Notes.
    positive_weight : float or None, default=None
        The weight lambda of presences in the loss "full". None is the number of species. [2]_ uses 2048 for 47,375
        species.
    background : "uniform", "records", grid or places, default="uniform"
        Places where the species may be absent.

        * "uniform": ``n_background`` random places of the sphere, uniform by area, as in [1]_.
        * A LatLonGrid, CellGrid or xarray object: its cells, weighted by their area inside of the mask.
        * An array or a DataFrame: these places. The records of a whole group of species (a target group, [5]_) have the
          same observers as the species. For :func:`skgeo.save` give an array, ``background.to_numpy()``.
        * "records": the training records of all species in X, as the target group.
    n_background : int, default=10000
        Number of places of the background "uniform".
    background_weight : array-like of shape (n_places,) or None, default=None
        Areas for which the given places stand. None gives all places the same area.
    class_weight : dict, "balanced" or None, default=None
        Weights of the presences of species. "balanced" weights are inversely proportional to the total
        ``sample_weight`` of the records of each species.
    covariates : bool, default=False
        Whether X has covariates beside the coordinates, numbers such as elevation: the other columns of a frame, or the
        columns of an array after latitude and longitude. The background needs the same columns. The network reads the
        embedding and the covariates, which are standardised over the background.
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
        Number of records in a step, and number of background places, drawn by area. None takes all records and places.
    max_epochs : int, default=500
        Largest number of passes over the records.
    patience : int or None, default=30
        Stop after this number of epochs without a new minimum of the validation loss, which is the loss of held-out
        records against the whole background. None trains for ``max_epochs`` and holds nothing out.
    validation_fraction : float, default=0.1
        Share of the records that is held out at random for validation. It has no effect if ``fit`` gets validation
        data, or if patience is None. At least one record of each species stays in the training data.
    keep : "best" or "last", default="best"
        "best" keeps the weights of the epoch with the smallest validation loss, "last" those of the last epoch. Without
        validation, the last weights are kept.
    dtype : "float32" or "float64", default="float32"
        Precision of the network. The encoder works in float64 in any case.
    device : str, default="cpu"
        Device on which torch computes, such as "cuda".
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds the usual names, such as GBIF's
        decimalLatitude and decimalLongitude.
    random_state : int, RandomState or None, default=None
        Seed of the background, the first weights, the held-out records, the order of records, and dropout. The global
        generator of torch does not change.
    verbose : bool or None, default=None
        Show a progress bar of the epochs; needs tqdm. None shows it in interactive sessions, when training takes longer
        than two seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_species,)
        The species, sorted. For an indicator matrix its columns in their order: names, or numbers if there are none.
    n_records_ : ndarray of shape (n_species,)
        Total weight of the records of each species.
    background_ : ndarray of shape (n_places, 2 + n_covariates)
        The background: latitude, longitude and covariates.
    background_weight_ : ndarray of shape (n_places,)
        Shares of the area for which these places stand.
    intercept_ : ndarray of shape (n_species,)
        Numbers that ``decision_function`` adds to the output of the network.
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
        Number of columns of X: 2 for latitude and longitude, plus the number of covariates.
    feature_names_in_ : ndarray of shape (n_features,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter is invalid, a species has no record, or X has covariates and the background does
        not.

    See Also
    --------
    skgeo.LocationPriorClassifier : Multiplies the probabilities of an image classifier by these probabilities.
    skgeo.metrics.PresenceOnlyScorer : Scores candidates of a search against one background.
    skgeo.nn.LocationClassifier : Use it if each place has exactly one label.

    Notes
    -----
    There are S species. At the place of a record the network has the output x_j for species j, and p_j is its sigmoid.
    z_j is 1 if the record has species j, else 0, and n = sum_j z_j. At a place of the background q_j is the sigmoid of
    the output. ``E`` averages over the background by area. c_j is the class weight. The loss of a record is

    * "full": ``-1/S sum_j [lambda c_j z_j log p_j + (1 - z_j) log(1 - p_j) + E log(1 - q_j)]`` (AN-full [2]_, and with
      lambda = S the loss of [1]_ without its model of photographers).
    * "slds", same location, different species: ``-1/n sum_j c_j z_j [log p_j + log(1 - p_k)]``, averaged over the
      species k that the record does not have (AN-SLDS [2]_, which draws one k).
    * "ssdl", same species, different location: ``-1/n sum_j c_j z_j [log p_j + E log(1 - q_j)]`` (AN-SSDL [2]_).
    * "maxent": ``sum_j c_j z_j [log E exp(x_j) - x_j]``, the likelihood of the density ``exp(x_j)`` relative to the
      background, which for a linear network is the distribution of maximum entropy [3]_; ``weight_decay`` is its
      regularisation.
    * "poisson": ``sum_j c_j z_j [E exp(x_j) - x_j]``, the likelihood of an inhomogeneous Poisson process of the
      intensity ``N_j / A exp(x_j)``, for N_j records on the area A, by quadrature [4]_.

    Records show how a species is distributed, and not how common it is. ``predict_proba`` therefore ranks places, and
    its level is a convention. For "full", "slds" and "ssdl" it is the sigmoid of the output. With "full" the odds are
    about lambda times the odds that a place is a record and not a background place. "maxent" and "poisson" give
    ``1 - exp(-exp(H) d)``, with the density d relative to the background and its negative divergence H, the
    complementary log-log output of [6]_. A place with the typical density of records has 0.63.

    "slds" has no background. Its predictions far from all records have no meaning.

    Records are dense where observers are. ``sample_weight`` of 1 / effort corrects for known effort, and
    ``background="records"`` for effort that is the same for all species.

    References
    ----------
    .. [1] Mac Aodha, O., Cole, E. & Perona, P. (2019). Presence-only geographical priors for fine-grained image
       classification. International Conference on Computer Vision.
    .. [2] Cole, E., Van Horn, G., Lange, C., Shepard, A., Leary, P., Perona, P., Loarie, S. & Mac Aodha, O. (2023).
       Spatial implicit neural representations for global-scale species mapping. International Conference on Machine
       Learning.
    .. [3] Phillips, S. J., Anderson, R. P. & Schapire, R. E. (2006). Maximum entropy modeling of species geographic
       distributions. Ecological Modelling 190, 231-259.
    .. [4] Renner, I. W. & Warton, D. I. (2013). Equivalence of MAXENT and Poisson point process models for species
       distribution modeling in ecology. Biometrics 69, 274-281.
    .. [5] Phillips, S. J., Dudik, M., Elith, J., Graham, C. H., Lehmann, A., Leathwick, J. & Ferrier, S. (2009). Sample
       selection bias and presence-only distribution models. Ecological Applications 19, 181-197.
    .. [6] Phillips, S. J., Anderson, R. P., Dudik, M., Schapire, R. E. & Blair, M. E. (2017). Opening the black box: an
       open-source release of Maxent. Ecography 40, 887-893.

    Examples
    --------
    Records of a northern and of a tropical species. Neither is predicted near the south pole, where no record is.

    >>> import numpy as np
    >>> from skgeo.nn import PresenceOnlyClassifier
    >>> rng = np.random.default_rng(0)
    >>> latitude = np.concatenate([rng.normal(60, 8, 100), rng.normal(0, 8, 100)])
    >>> latitude = latitude.clip(-90, 90)
    >>> records = np.column_stack([latitude, rng.uniform(-180, 180, 200)])
    >>> species = np.repeat(["northern", "tropical"], 100)
    >>> model = PresenceOnlyClassifier(
    ...     "cartesian3d", n_background=2000, max_epochs=100, random_state=0
    ... )
    >>> share = model.fit(records, species).predict_proba([[60, 10], [0, 10], [-80, 10]])
    >>> (share > 0.5).tolist()
    [[True, False], [False, True], [False, False]]
    """

    def __init__(
        self,
        encoder: Any = "spherical_harmonics",
        network: Any = "siren",
        *,
        loss: str = "full",
        positive_weight: float | None = None,
        background: Any = "uniform",
        n_background: int = 10_000,
        background_weight: "npt.ArrayLike | None" = None,
        class_weight: dict[Any, float] | str | None = None,
        covariates: bool = False,
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
        self.loss = loss
        self.positive_weight = positive_weight
        self.background = background
        self.n_background = n_background
        self.background_weight = background_weight
        self.class_weight = class_weight
        self.covariates = covariates

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
        X : array-like, DataFrame or GeoSeries of shape (n_records, 2 + n_covariates), or a grid
            Places of the records as (latitude, longitude) in degrees, with the covariates behind them or in any columns
            of a frame.
        y : array-like of shape (n_records,), or array, DataFrame or sparse matrix of shape (n_records, n_species)
            The species of each record, texts or numbers; or which species were seen at each place, zeros and ones. For
            one species give a matrix of one column: an array (n_records,) of zeros and ones holds two species, 0 and 1.
        sample_weight : array-like of shape (n_records,), default=None
            Weights of the records, such as 1 / effort. Records of weight zero are left out.
        X_val, y_val, sample_weight_val : array-like, default=None
            Records to validate on, instead of a share of X. Nothing is learned from them.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or an argument is not accepted, or the loss is not finite; the estimator stays as it was.
        """
        # The names of the species: the array of the target has no names.
        self._species_columns = frame_columns(y)
        y_val = in_order_of(y_val, self._species_columns or [], "y_val")
        try:
            return super().fit(X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val)
        finally:
            del self._species_columns

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Compute the scores of the species, which rank places.

        Parameters
        ----------
        X : array-like
            As for ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_species)
            Logits of ``predict_proba`` for "full", "slds" and "ssdl". For "maxent" the log of the density of records
            relative to the background. For "poisson" the log of the number of records per square kilometre, per unit of
            ``background_weight`` if it is given, else per whole background. NaN for cells without a place.
        """
        return self._outputs(X) + self.intercept_

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Predict the suitability of places for each species, from 0 to 1. Rows do not sum to one.

        Parameters
        ----------
        X : array-like
            As for ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_species)
            In the order of ``classes_``; NaN for cells of a grid that have no place.
        """
        return self._probabilities(self._outputs(X))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the species with the largest ``decision_function``, also if no species is likely at the place.

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
        """
        scores = self.decision_function(X)
        absent = np.flatnonzero(np.isnan(scores).any(axis=1))
        if absent.size:
            raise ValueError(
                f"X has {absent.size} cells without a place, the first at {absent[0]}: these cells have no species. "
                "predict_proba gives NaN for them."
            )
        return self.classes_[scores.argmax(axis=1)]

    def predict_map(
        self, grid: Any, *, species: Any = None, covariates: Any = None, response_method: str = "predict_proba"
    ) -> npt.NDArray[np.float64]:
        """Compute range maps over a grid.

        Parameters
        ----------
        grid : LatLonGrid, CellGrid or xarray object
            The cells. Cells outside of the mask are not computed.
        species : array-like of shape (n_chosen,) or None, default=None
            The species to map, as in ``classes_``. None maps all species, and needs memory for all maps.
        covariates : array-like or DataFrame of shape (n_cells, n_covariates) or None, default=None
            Covariates of all cells in C order, for a model with ``covariates=True``. Covariates of cells outside of the
            mask are not read.
        response_method : "predict_proba" or "decision_function", default="predict_proba"
            The method whose result is mapped.

        Returns
        -------
        ndarray of shape (n_rows, n_columns, n_chosen) or (n_cells, n_chosen)
            NaN outside of the mask and for cells without a place.
        """
        check_is_fitted(self)
        cells = as_grid(grid)
        if cells is None:
            raise ValueError(f"grid is a {type(grid).__name__}: expected a LatLonGrid, a CellGrid or an xarray object.")
        known = isinstance(response_method, str) and response_method in ("predict_proba", "decision_function")
        check_parameter("response_method", response_method, known, "'predict_proba' or 'decision_function'")
        chosen = self._columns_of(species)
        inputs, weight = super()._inputs(cells)
        kept = weight > 0.0
        inputs = np.column_stack([inputs[kept], *self._map_covariates(covariates, kept)])
        values = np.full((len(kept), len(chosen)), np.nan)
        rows, model = np.flatnonzero(kept), self._trained_model()
        for block, logits in predict_blocks(model.frozen, model.trained, inputs, self.device):
            wide = logits.astype(np.float64)
            found = self._probabilities(wide) if response_method == "predict_proba" else wide + self.intercept_
            values[rows[block]] = found[:, chosen]
        return values.reshape(*cells.shape, len(chosen))

    def score(self, X: Any, y: Any, sample_weight: "npt.ArrayLike | None" = None) -> float:
        """Compute the mean over species of the AUC of records against the background of the fit.

        Parameters
        ----------
        X : array-like
            As for ``fit``.
        y : array-like of shape (n_samples,) or (n_samples, n_species)
            As for ``fit``; columns of a frame in any order. Species without a record here are not in the mean.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the records.

        Returns
        -------
        float
            0.5 for a model that knows nothing. Even the true range has an AUC below 1, because the range belongs to the
            background. Use the AUC only to compare models.
        """
        check_is_fitted(self)
        inputs, kept, weight = self._read_inputs(X, sample_weight, reset=False)
        present = presence_matrix(self._read_target(in_order_of(y, self.classes_.tolist()), kept), self.classes_)
        return mean_presence_auc(
            present,
            self._logits(inputs),
            self._logits(self.background_),
            sample_weight=weight,
            background_weight=self.background_weight_,
        )

    def to_torch(self) -> LocationEncoder:
        """Return the trained model as a torch module, from degrees to the values of ``decision_function``.

        Returns
        -------
        skgeo.nn.LocationEncoder
            Maps (latitude, longitude) in degrees (..., 2) to (..., n_species). Latitude is always the first column. The
            module is in evaluation mode, on the CPU. Training it does not change this estimator.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If the encoder is a transformer without ``to_torch``, or the model has covariates.
        """
        check_is_fitted(self)
        if self._n_covariates:
            raise ValueError("covariates=True: to_torch needs a model without covariates. Use predict.")
        return super().to_torch()

    def _units(self) -> tuple[Any, ...]:
        return self.intercept_.tolist(), np.ones_like(self.intercept_).tolist()
