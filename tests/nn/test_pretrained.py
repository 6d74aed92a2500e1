"""Frozen networks of every kind as encoders: modules, own contrastive models, and transformers without torch."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import reference
import skgeo
from skgeo import LatLonGrid, PatchPositionEncoder
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics
from skgeo.exceptions import ModelFileError
from skgeo.nn import (
    MLP,
    ContrastiveLocationEncoder,
    LocationClassifier,
    LocationEncoder,
    LocationRegressor,
    PretrainedEncoder,
    SirenNet,
    load,
    save,
)

PLACES = reference.uniform_points(60, seed=3)
TARGET = np.cos(np.radians(PLACES[:, 0]))


class Waves(torch.nn.Module):
    """A module of a user: float32 weights, dropout, and no part of skgeo."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Dropout(0.5), torch.nn.Tanh())

    def forward(self, points):
        return self.layers(points / 90.0)


class Halves(TransformerMixin, BaseEstimator):
    """A transformer of a user, with ``transform`` and no ``to_torch``."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        if np.isnan(np.asarray(X)).any():
            raise ValueError("NaN")
        return np.asarray(X) / 180.0

    def get_feature_names_out(self, input_features=None):
        return np.array(["a", "b"], dtype=object)


@pytest.fixture
def module():
    torch.manual_seed(0)
    return Waves()


@pytest.fixture(scope="module")
def contrastive():
    images = np.sin(Cartesian3DEncoder().fit_transform(PLACES) @ np.random.default_rng(0).normal(size=(3, 5)))
    model = ContrastiveLocationEncoder("cartesian3d", "mlp", hidden_dim=8, embed_dim=4, max_epochs=2, random_state=0)
    return model.fit(PLACES, images)


# ---- a module of a user


def test_module_of_a_user_is_a_transformer(module):
    encoder = PretrainedEncoder(module).fit(PLACES)
    with torch.no_grad():
        expected = module.eval()(torch.tensor(PLACES, dtype=torch.float32)).numpy()
    module.train()
    assert_array_equal(encoder.transform(PLACES), expected)
    assert module.training
    assert encoder.get_feature_names_out().tolist() == [f"embedding{i}" for i in range(4)]
    grid = LatLonGrid([-45.0, 30.0], [0.0, 90.0])
    assert_array_equal(encoder.transform(grid), encoder.transform(grid.points()))
    patch = np.array([[0.0, 10.0, 20.0, 30.0, 1, 2]])
    mean = encoder.transform([[5.0, 22.5], [5.0, 27.5]]).mean(axis=0, keepdims=True)
    assert_allclose(PatchPositionEncoder(encoder).fit_transform(patch), mean, rtol=0, atol=1e-7)
    model = make_pipeline(encoder, Ridge()).fit(PLACES, TARGET)
    assert_array_equal(clone(model).fit(PLACES, TARGET).predict(PLACES), model.predict(PLACES))


def test_double_precision_of_a_module_is_an_option(module):
    double = PretrainedEncoder(module, dtype="float64").fit_transform(PLACES)
    single = PretrainedEncoder(module).fit_transform(PLACES)
    assert 0 < abs(double - single).max() < 1e-5
    assert next(module.parameters()).dtype == torch.float32


def test_missing_places_become_nan(module):
    gaps = PLACES.copy()
    gaps[[0, 3], 1] = np.nan
    values = PretrainedEncoder(module, missing="nan", add_indicator=True).fit_transform(gaps)
    assert np.isnan(values[[0, 3], :4]).all()
    assert values[:, 4].sum() == 2
    assert np.isfinite(np.delete(values, [0, 3], axis=0)).all()


def test_modules_of_another_shape_are_refused():
    class Flat(torch.nn.Module):
        def forward(self, points):
            return points[:, 0]

    with pytest.raises(ValueError, match=r"model gives torch.float64 of shape \(2,\) for 2 places \(2, 2\): expected"):
        PretrainedEncoder(Flat()).fit(PLACES)
    with pytest.raises(ValueError, match=r"model does not take 2 places \(2, 2\): .* Expected a module of \(latitude"):
        PretrainedEncoder(torch.nn.Linear(3, 2)).fit(PLACES)
    with pytest.raises(ValueError, match="model gives torch.bfloat16 of shape"):
        PretrainedEncoder(torch.nn.Linear(2, 2).bfloat16()).fit(PLACES)
    with pytest.raises(ValueError, match="model=.*expected weights, as load_satclip"):
        PretrainedEncoder(torch.nn.Linear).fit(PLACES)


def test_module_of_a_user_is_pickled_and_not_saved(module, tmp_path):
    encoder = PretrainedEncoder(module).fit(PLACES)
    joblib.dump(encoder, tmp_path / "encoder.joblib")
    assert_array_equal(joblib.load(tmp_path / "encoder.joblib").transform(PLACES), encoder.transform(PLACES))
    with pytest.raises(TypeError, match=r"PretrainedEncoder.model=.* cannot be saved: it is a .*Waves"):
        skgeo.save(encoder, tmp_path / "encoder.npz")


# ---- an own contrastive model, and modules of skgeo


def test_contrastive_model_is_frozen_and_saved(contrastive, tmp_path):
    encoder = PretrainedEncoder(contrastive.to_torch()).fit(PLACES)
    assert_array_equal(encoder.transform(PLACES), contrastive.transform(PLACES))
    assert_array_equal(clone(encoder).fit(PLACES[:2]).transform(PLACES), contrastive.transform(PLACES))
    skgeo.save(make_pipeline(encoder, StandardScaler().fit(encoder.transform(PLACES))), tmp_path / "model.npz")
    loaded = skgeo.load(tmp_path / "model.npz")
    assert_array_equal(loaded[0].transform(PLACES), encoder.transform(PLACES))
    assert_array_equal(pickle.loads(pickle.dumps(encoder)).transform(PLACES), encoder.transform(PLACES))
    save(loaded[0].to_torch(), tmp_path / "twin.safetensors")
    twin = load(tmp_path / "twin.safetensors")
    assert_allclose(twin(torch.tensor(PLACES)).detach().numpy(), encoder.transform(PLACES), rtol=0, atol=1e-7)


def test_module_with_units_keeps_them(tmp_path):
    torch.manual_seed(0)
    harmonics = SphericalHarmonics(2).fit(PLACES).to_torch()
    module = LocationEncoder(harmonics, SirenNet(9, 2, hidden_dim=4), mean=[1.0, 2.0], scale=[3.0, 4.0]).eval()
    encoder = PretrainedEncoder(module).fit(PLACES)
    expected = module(torch.tensor(PLACES)).detach().numpy()
    assert_allclose(encoder.transform(PLACES), expected, rtol=1e-6)
    assert_allclose(encoder.to_torch()(torch.tensor(PLACES)).detach().numpy(), expected, rtol=1e-6)
    skgeo.save(encoder, tmp_path / "encoder.npz")
    assert_array_equal(skgeo.load(tmp_path / "encoder.npz").transform(PLACES), encoder.transform(PLACES))
    # A module of skgeo that is an encoder alone has no network.
    alone = PretrainedEncoder(harmonics).fit(PLACES)
    assert_allclose(alone.transform(PLACES), SphericalHarmonics(2).fit_transform(PLACES), rtol=0, atol=1e-12)


def test_stored_module_of_another_class_is_refused():
    state = PretrainedEncoder(MLP(2, 3)).__getstate__()
    state["model"]["objects"][0]["class"] = "os.system"
    with pytest.raises(ValueError, match=r"it holds a os.system, which is no class that files may hold"):
        PretrainedEncoder().__setstate__(state)
    state = PretrainedEncoder(MLP(2, 3)).__getstate__()
    del state["model"]["arrays"]["output.bias"]
    with pytest.raises(ValueError, match="Missing key"):
        PretrainedEncoder().__setstate__(state)
    assert issubclass(ModelFileError, ValueError)


# ---- encoders of models


@pytest.mark.parametrize("kind", [LocationRegressor, LocationClassifier])
def test_models_take_modules_and_transformers(kind, module, contrastive, tmp_path):
    y = TARGET if kind is LocationRegressor else TARGET > 0.5
    options = {"network": "linear", "max_epochs": 3, "random_state": 0}
    pipeline = make_pipeline(Cartesian3DEncoder(), StandardScaler())
    for encoder in (module, PretrainedEncoder(module), Halves(), FrozenEstimator(contrastive), pipeline):
        model = clone(kind(encoder, **options)).fit(PLACES, y)
        assert np.isfinite(model.score(PLACES, y))
    # The same numbers come from a transformer without torch and from an encoder that has to_torch.
    plain = kind("cartesian3d", **options).fit(PLACES, y)
    through = kind(make_pipeline(Cartesian3DEncoder()), **options).fit(PLACES, y)
    assert_array_equal(through.predict(PLACES), plain.predict(PLACES))
    with pytest.raises(ValueError, match="Pipeline has no to_torch, so this model has no to_torch"):
        through.to_torch()
    skgeo.save(through, tmp_path / "model.npz")
    assert_array_equal(skgeo.load(tmp_path / "model.npz").predict(PLACES), plain.predict(PLACES))


def test_transformers_fitted_on_frames_get_frames():
    frame = pd.DataFrame(PLACES[:, ::-1], columns=["lon", "lat"])
    union = make_union(Cartesian3DEncoder(), SphericalHarmonics(2)).fit(frame)
    model = LocationRegressor(FrozenEstimator(union), "linear", max_epochs=2, random_state=0).fit(frame, TARGET)
    expected = LocationRegressor(clone(union), "linear", max_epochs=2, random_state=0).fit(PLACES, TARGET)
    assert_allclose(model.predict(frame), expected.predict(PLACES), rtol=1e-6)


def test_transformer_with_wrong_rows_is_refused():
    class Sum(Halves):
        def transform(self, X):
            return np.asarray(X).sum(axis=0)

    with pytest.raises(ValueError, match=r"encoder=Sum\(\) gives shape \(2,\) for 1 places: expected a row for each"):
        LocationRegressor(Sum(), "linear").fit(PLACES, TARGET)


def test_missing_places_do_not_reach_a_transformer():
    images = np.random.default_rng(0).normal(size=(60, 3))
    model = ContrastiveLocationEncoder(Halves(), "linear", embed_dim=2, max_epochs=1, missing="nan", random_state=0)
    gaps = PLACES.copy()
    gaps[0] = np.nan
    values = model.fit(gaps, images).transform(gaps)
    assert np.isnan(values[0]).all()
    assert np.isfinite(values[1:]).all()
    with pytest.raises(ValueError, match="Halves has no to_torch"):
        model.to_torch()
