"""The models whose files hostile_files.py changes, and all that a loaded model should be able to do."""

import copy
import re
import tempfile
from pathlib import Path

import numpy as np
import torch
from hostile_checkpoints import geoclip_state
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, PolynomialFeatures, QuantileTransformer, StandardScaler

import skgeo
from skgeo import (
    CellGrid,
    LatLonGrid,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalGaussianProcessClassifier,
    SphericalGaussianProcessRegressor,
    SphericalHarmonicPCA,
    nn,
)
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import GridEncoder, RadialBasisEncoder, RandomFourierEncoder, SphericalHarmonics
from skgeo.exceptions import ModelFileError
from skgeo.nn._checkpoint_file import TrainingState

PLACES = fibonacci_lattice(24)
VALUES = PLACES[:, 0] / 90
LABELS = np.where(PLACES[:, 0] > 0, "north", "south")
GRID = LatLonGrid(np.arange(-75, 90, 30.0), np.arange(15, 360, 30.0), mask=np.arange(72).reshape(6, 12) % 3 / 2)
CELLS = CellGrid(*np.meshgrid(np.arange(3.0), np.arange(4.0), indexing="ij"), mask=np.ones((3, 4)))
PATCHES = GRID.patches((2, 3))
TABLE = np.random.default_rng(0).normal(size=(24, 3))
FEATURES = np.random.default_rng(1).normal(size=(24, 5))
SHORT = {"max_epochs": 1, "patience": None, "random_state": 0}
IMAGES = np.random.default_rng(2).dirichlet(np.ones(2), 24)


def satclip():
    rng = np.random.default_rng(0)
    shapes = {"layers.0.weight": (8, 9), "layers.0.bias": 8, "last_layer.weight": (4, 8), "last_layer.bias": 4}
    weights = nn.SatCLIPWeights({name: rng.normal(size=shape) for name, shape in shapes.items()})
    return nn.PretrainedEncoder(weights).fit(PLACES)


def network(**options):
    return nn.LocationRegressor("wrap", "mlp", hidden_dim=4, **SHORT, **options)


def presence_with_covariates():
    table, species = np.column_stack([PLACES, VALUES]), np.column_stack([LABELS == "north", VALUES > -0.5]).astype(int)
    settings = {"background": table, "covariates": True, "loss": "maxent", "hidden_dim": 4} | SHORT
    return nn.PresenceOnlyClassifier("wrap", "siren", **settings).fit(table, species)


def location_prior():
    prior = nn.PresenceOnlyClassifier("wrap", "linear", n_background=9, **SHORT)
    return skgeo.LocationPriorClassifier(prior, cv=2, prior_weight="fit").fit(np.column_stack([PLACES, IMAGES]), LABELS)


#: Functions that make a model, and what it takes: places, patches, a table of numbers.
MODELS = {
    "grids": (lambda: GRID, None),
    "cells": (lambda: CELLS, None),
    "basis": (lambda: SphericalHarmonicPCA(2).fit(GRID), PLACES),
    "matern": (lambda: SphericalHarmonicPCA(2, 4, spectrum="matern", clip=None).fit(PLACES), PLACES),
    "process": (
        lambda: SphericalGaussianProcessRegressor(method="harmonics", max_degree=2).fit(PLACES, VALUES),
        PLACES,
    ),
    "kriging": (lambda: SphericalGaussianProcessRegressor().fit(PLACES, VALUES), PLACES),
    "neighbours": (
        lambda: SphericalGaussianProcessRegressor(method="neighbours", n_neighbors=3, mean="linear").fit(
            np.column_stack([PLACES, VALUES]), VALUES
        ),
        np.column_stack([PLACES, VALUES]),
    ),
    "labels": (lambda: SphericalGaussianProcessClassifier().fit(PLACES, LABELS), PLACES),
    "anchors": (lambda: RadialBasisEncoder(8000.0).fit(PLACES), PLACES),
    "fourier": (lambda: RandomFourierEncoder(4, random_state=0).fit(PLACES), PLACES),
    "harmonics": (lambda: SphericalHarmonics(2, spectrum=[1, 0.5, 0.25]).fit(PLACES), PLACES),
    "scales": (lambda: GridEncoder(3).fit(PLACES), PLACES),
    "position": (lambda: PatchPositionEncoder(SphericalHarmonicPCA(1)).fit(PATCHES), PATCHES),
    "scale": (lambda: PatchScaleFeaturizer().fit(PATCHES), PATCHES),
    "union": (
        lambda: make_union(PatchPositionEncoder(SphericalHarmonicPCA(1)), PatchScaleFeaturizer()).fit(PATCHES),
        PATCHES,
    ),
    "regressor": (lambda: network().fit(PLACES, VALUES), PLACES),
    "partial": (lambda: network().partial_fit(PLACES, VALUES), PLACES),
    "classifier": (
        lambda: nn.LocationClassifier(SphericalHarmonicPCA(1), "siren", hidden_dim=4, **SHORT).fit(PLACES, LABELS),
        PLACES,
    ),
    "presence_only": (
        lambda: nn.PresenceOnlyClassifier("wrap", "siren", hidden_dim=4, n_background=9, **SHORT).fit(PLACES, LABELS),
        PLACES,
    ),
    "presence_covariates": (lambda: presence_with_covariates(), np.column_stack([PLACES, VALUES])),
    "location_prior": (lambda: location_prior(), np.column_stack([PLACES, IMAGES])),
    "head": (lambda: nn.ProjectionHeadRegressor(2, embed_dim=3, **SHORT).fit(FEATURES, VALUES), FEATURES),
    "contrastive": (
        lambda: nn.ContrastiveLocationEncoder("wrap", "linear", embed_dim=4, **SHORT).fit(PLACES, FEATURES),
        PLACES,
    ),
    "satclip": (satclip, PLACES),
    "geoclip": (lambda: geoclip(), PLACES),
    "training": (lambda: training(), None),
    "generators": (
        lambda: make_union(RandomFourierEncoder(4, random_state=np.random.RandomState(0)), SphericalHarmonics(1)).fit(
            PLACES
        ),
        PLACES,
    ),
    "pipeline": (lambda: make_pipeline(SphericalHarmonics(2), StandardScaler(), Ridge()).fit(PLACES, VALUES), PLACES),
    "logistic": (lambda: make_pipeline(SphericalHarmonics(2), LogisticRegression()).fit(PLACES, LABELS), PLACES),
    "columns": (
        lambda: make_column_transformer(
            (SphericalHarmonics(1), [0, 1]), (make_pipeline(SimpleImputer(), MinMaxScaler()), [2]), ("passthrough", [0])
        ).fit(np.column_stack([PLACES, VALUES])),
        np.column_stack([PLACES, VALUES]),
    ),
    "frozen": (lambda: FrozenEstimator(SphericalHarmonicPCA(1).fit(GRID)), PLACES),
    "target": (lambda: TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(TABLE, VALUES), TABLE),
    "bayes": (lambda: BayesianRidge().fit(TABLE, VALUES), TABLE),
    "ridges": (lambda: RidgeClassifier().fit(TABLE, LABELS), TABLE),
    "onehot": (lambda: OneHotEncoder(handle_unknown="ignore").fit(TABLE.round()), TABLE.round()),
    "pca": (lambda: make_union(PCA(2), TruncatedSVD(2), PolynomialFeatures(2)).fit(TABLE), TABLE),
    "quantile": (lambda: QuantileTransformer(n_quantiles=5).fit(TABLE), TABLE),
}


def use(model, X):
    """Do with a model all that it can do with valid input. An unfitted model may be asked to be fitted."""
    try:
        _use(model, X)
    except ValueError as error:
        # A device that this machine does not have: set_params(device="cpu") helps.
        if not str(error).startswith("device="):
            raise


def _use(model, X):
    repr(model)
    if isinstance(model, TrainingState):
        go_on(model)
        return
    if isinstance(model, LatLonGrid | CellGrid):
        use_grid(model)
        return
    clone(model)
    copy.deepcopy(model)
    # The last object of a file may be a part of the model, which takes fewer columns.
    width = getattr(model, "n_features_in_", None)
    if isinstance(width, int) and width < X.shape[1]:
        X = X[:, :width]
    if isinstance(model, OneHotEncoder):  # columns with categories that are texts take texts
        kinds = [str if values.dtype.kind in "UO" else float for values in model.categories_]
        X = np.array([[kind(value) for kind, value in zip(kinds, row, strict=True)] for row in X], dtype=object)
    try:
        getattr(model, "transform", getattr(model, "predict", None))(X)
    except NotFittedError:  # as a model that was saved before its fit
        return
    for name in ("transform", "predict", "predict_proba", "decision_function"):
        if hasattr(model, name):
            values = getattr(model, name)(X)
            assert values.shape[0] > 0
    if hasattr(model, "transform"):
        assert len(model.get_feature_names_out()) > 0
    if isinstance(model, SphericalGaussianProcessRegressor):
        model.predict(X, return_std=True)
        model.sample_y(X[:2])
        model.predict(X[:2], return_cov=True)
    if isinstance(model, SphericalHarmonicPCA):
        model.inverse_transform(model.transform(X))
    if isinstance(model, nn.ContrastiveLocationEncoder):
        model.similarity(X, FEATURES)
    if isinstance(model, nn.PresenceOnlyClassifier):
        covariates = np.ones((GRID.points().shape[0], X.shape[1] - 2)) if X.shape[1] > 2 else None
        assert model.predict_map(GRID, covariates=covariates).shape == (*GRID.shape, len(model.classes_))
    if hasattr(model, "partial_fit"):
        try:
            copy.deepcopy(model).partial_fit(X, LABELS if hasattr(model, "classes_") else VALUES)
        except ValueError as error:
            # Training may refuse numbers that no training has given, and labels that have changed, in clear words.
            if not re.match("learning_rate=|noise=|y has the class", str(error)):
                raise
    has_module = not getattr(model, "add_indicator", False) and getattr(model, "average", "exact") == "exact"
    has_module &= not (isinstance(model, nn.PresenceOnlyClassifier) and X.shape[1] > 2)  # no covariates
    if hasattr(model, "to_torch") and has_module:
        model.to_torch()(torch.tensor(X, dtype=torch.float32))


def training():
    """The content of a checkpoint after one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        contrastive(1).fit(PLACES, FEATURES, checkpoint=Path(folder) / "state")
        return skgeo.load(Path(folder) / "state")


def contrastive(max_epochs):
    return nn.ContrastiveLocationEncoder("wrap", "linear", embed_dim=4, **SHORT | {"max_epochs": max_epochs})


def go_on(state):
    """Go on with a training. A state of another training is refused; a loss may be too large."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        skgeo.save(state, path)
        try:
            encoder = contrastive(2).fit(PLACES, FEATURES, checkpoint=path)
        except ModelFileError:
            return
        except ValueError as error:
            if not re.match("checkpoint=|max_epochs=|learning_rate=", str(error)):
                raise
            return
    assert np.isfinite(encoder.transform(PLACES)).all()


def geoclip():
    return nn.PretrainedEncoder(nn.GeoCLIPWeights({k: v.numpy() for k, v in geoclip_state().items()})).fit(PLACES)


def use_grid(grid):
    areas = grid.cell_areas()
    assert areas.shape == grid.shape
    grid.domain_area()
    grid.check()
    assert len(grid.points()) == areas.size
    if len(grid.shape) == 2 and min(grid.shape) >= 2:
        grid.patches((1, 2), partial=False)
    SphericalHarmonics(2).fit_transform(grid)
    copy.copy(grid)


#: Functions that make a torch module, and an input of it.
MODULES = {
    "mlp": (lambda: nn.MLP(4, 2, hidden_dim=3), torch.zeros(2, 4)),
    "fcnet": (lambda: nn.FcNet(4, 2, hidden_dim=3, n_layers=2), torch.zeros(2, 4)),
    "siren": (lambda: nn.SirenNet(4, 2, hidden_dim=3), torch.zeros(2, 4)),
    "linear": (lambda: nn.Linear(4, 2), torch.zeros(2, 4)),
    "head": (lambda: nn.PatchProjectionHead(3, 2, 4, 5), torch.zeros(2, 5)),
    "pca": (lambda: SphericalHarmonicPCA(2).fit(GRID).to_torch(), torch.zeros(2, 2)),
    "harmonics": (lambda: nn.Harmonics(2), torch.zeros(2, 2)),
    "encoder": (lambda: GridEncoder(3).fit(PLACES).to_torch(), torch.zeros(2, 2)),
    "patches": (
        lambda: PatchPositionEncoder(SphericalHarmonicPCA(1), average="exact").fit(PATCHES).to_torch(),
        torch.tensor([[0.0, 10.0, 0.0, 10.0, 2.0, 2.0]]),
    ),
    "bias": (lambda: nn.GreatCircleBias(2, hidden_dim=3), torch.tensor([[0.0, 10.0, 0.0, 10.0, 2.0, 2.0]] * 2)),
    "geoclip module": (lambda: geoclip().to_torch(), torch.zeros(2, 2)),
    "scale": (lambda: nn.PatchScale(), torch.tensor([[0.0, 10.0, 0.0, 10.0, 2.0, 2.0]])),
    "location": (
        lambda: nn.LocationEncoder(nn.Harmonics(1), nn.SirenNet(4, 2, hidden_dim=3), [0.0, 1.0], [1.0, 2.0]),
        torch.zeros(2, 2),
    ),
}


def use_module(module, inputs):
    """Compute, train, print and copy a module."""
    repr(module)
    copy.deepcopy(module)
    expected = {"Linear": "in_features"}.get(type(module).__name__)
    width = getattr(module, expected) if expected else None
    first = next((p for p in module.parameters()), None)
    if width is not None and width != inputs.shape[-1]:
        inputs = torch.zeros(2, width)
    values = module(inputs if first is None or type(module).__name__ in PLACE_MODULES else inputs.to(first.dtype))
    assert torch.isfinite(values).all(), "the outputs are not finite"
    if values.requires_grad:
        values.sum().backward()


#: Modules that take places or features in any dtype.
PLACE_MODULES = (
    "GreatCircleBias",
    "PatchPosition",
    "LocationEncoder",
    "PatchProjectionHead",
    "HarmonicPCA",
    "Harmonics",
    "EncoderModule",
    "PatchScale",
)
