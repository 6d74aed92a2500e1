"""Models that train networks: against closed forms, and what early stopping, seeds, weights and files promise."""

import subprocess
import sys
import threading
from decimal import Decimal
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline, make_union

import skgeo
from paths import ROOT, SHARED_DATA, needs_shared_data
from processes import run_python
from reference import vectors
from sample_networks import WithoutNaN
from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import GridEncoder, SphericalHarmonics, WrapEncoder
from skgeo.exceptions import CoordinateError
from skgeo.nn import (
    ContrastiveLocationEncoder,
    LocationClassifier,
    LocationRegressor,
    PatchProjectionHead,
    ProjectionHeadClassifier,
    ProjectionHeadRegressor,
)
from skgeo.nn._base_estimator import NeuralEstimator
from skgeo.nn._encoder_and_network import ENCODERS
from skgeo.nn._training import _Data, train

PLACES = fibonacci_lattice(120)
NORTH = PLACES[:, 0] > 0
ZONE = np.array(["cold", "hot", "mild"])[np.digitize(-abs(PLACES[:, 0]), [-60, -30])]
WARMTH = 30.0 * np.cos(np.radians(PLACES[:, 0]))
NOISY = WARMTH + np.random.default_rng(0).normal(size=120)
GRID = LatLonGrid(np.arange(-85, 90, 10.0), np.arange(5, 360, 10.0))
PATCHES = LatLonGrid(np.arange(-88, 90, 4.0), np.arange(2, 360, 4.0)).patches((5, 5))
FEATURES = make_union(PatchPositionEncoder(SphericalHarmonicPCA(2)), PatchScaleFeaturizer()).fit_transform(PATCHES)
LATITUDE = PATCHES[:, :2].mean(axis=1)

#: All samples in every step, without anything random but the first weights.
EXACTLY = {"batch_size": None, "patience": None, "dtype": "float64", "random_state": 0}
QUICK = {"max_epochs": 5, "random_state": 0, "verbose": False}


def assert_same_weights(model, other):
    assert model.weights_.keys() == other.weights_.keys()
    for name, values in model.weights_.items():
        assert_array_equal(values, other.weights_[name], strict=True)


# What is learned


def test_linear_classifier_is_logistic_regression():
    # Adam adds decay * w to the gradient of the mean loss: the minimum of that loss + decay / 2 |w|^2, bias included.
    decay, y = 0.01, np.where(NORTH, 1.0, -1.0)
    y[::7] *= -1.0
    inputs = np.column_stack([vectors(PLACES), np.ones(len(PLACES))])
    expected = minimize(lambda w: np.logaddexp(0.0, -y * (inputs @ w)).mean() + decay / 2.0 * w @ w, np.zeros(4)).x
    model = LocationClassifier(
        "cartesian3d", "linear", learning_rate=0.05, weight_decay=decay, max_epochs=800, **EXACTLY
    ).fit(PLACES, y)
    assert_allclose([*model.weights_["weight"][0], *model.weights_["bias"]], expected, atol=1e-4)
    logits = inputs @ expected
    assert_allclose(model.predict_proba(PLACES)[:, 1], 1.0 / (1.0 + np.exp(-logits)), atol=1e-4)
    assert_array_equal(model.predict(PLACES), np.where(logits > 0.0, 1.0, -1.0))


def test_three_classes_are_softmax_regression():
    decay = 0.02
    inputs = np.column_stack([vectors(PLACES) ** 2, np.ones(len(PLACES))])
    target = (ZONE[:, np.newaxis] == np.unique(ZONE)).astype(float)

    def loss(w):
        logits = inputs @ w.reshape(3, 4).T
        each = np.log(np.exp(logits).sum(axis=1)) - (logits * target).sum(axis=1)
        return each.mean() + decay / 2.0 * w @ w

    expected = minimize(loss, np.zeros(12)).x.reshape(3, 4)
    settings = {"learning_rate": 0.05, "weight_decay": decay, "max_epochs": 800}
    model = LocationClassifier("cartesian3d", partial(OnSquares, 3), **settings, **EXACTLY).fit(PLACES, ZONE)
    weights = np.column_stack([model.weights_["linear.weight"], model.weights_["linear.bias"]])
    assert_allclose(weights, expected, atol=2e-4)
    probabilities = model.predict_proba(PLACES)
    assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert_array_equal(model.predict(PLACES), model.classes_[probabilities.argmax(axis=1)])
    assert model.classes_.tolist() == ["cold", "hot", "mild"]


class OnSquares(torch.nn.Module):
    def __init__(self, n_inputs, same, n_outputs):
        super().__init__()
        assert n_inputs == same
        self.linear = torch.nn.Linear(n_inputs, n_outputs)

    def forward(self, embedding):
        return self.linear(embedding**2)


def test_a_linear_regressor_is_least_squares_with_weights():
    weight = np.linspace(0.0, 2.0, len(PLACES))
    inputs = np.column_stack([vectors(PLACES), np.ones(len(PLACES))])
    root = np.sqrt(weight)[:, np.newaxis]
    target = np.column_stack([NOISY, 1000.0 + PLACES[:, 0]])
    expected = inputs @ np.linalg.lstsq(root * inputs, root * target, rcond=None)[0]
    model = LocationRegressor("cartesian3d", "linear", learning_rate=0.1, max_epochs=600, **EXACTLY)
    found = model.fit(PLACES, target, sample_weight=weight).predict(PLACES)
    assert found.dtype == np.float64
    assert_allclose(found, expected, atol=1e-3)
    one = clone(model).fit(PLACES, NOISY, sample_weight=weight).predict(PLACES)
    assert one.shape == (len(PLACES),)
    assert_allclose(one, expected[:, 0], atol=1e-3)


def test_class_weights_are_sample_weights():
    settings = {"learning_rate": 0.05, "max_epochs": 30} | EXACTLY
    few = np.zeros(len(PLACES), dtype=bool)
    few[:20] = True
    plain = LocationClassifier("wrap", "linear", **settings)
    weighted = clone(plain).fit(PLACES, few, sample_weight=np.where(few, 5.0, 1.0))
    by_class = clone(plain).set_params(class_weight={False: 1.0, True: 5.0}).fit(PLACES, few)
    balanced = clone(plain).set_params(class_weight="balanced").fit(PLACES, few)
    assert_same_weights(by_class, weighted)
    assert_allclose(balanced.weights_["weight"], weighted.weights_["weight"], rtol=1e-12)  # 100 and 20 of 120


@pytest.mark.parametrize("classifier", ["location", "head"])
@pytest.mark.parametrize("classes", [NORTH, ZONE], ids=["two", "three"])
def test_balanced_counts_a_weight_of_nine_as_nine_samples(classifier, classes):
    weight = np.where(classes == classes[0], 9, 1) * np.where(PLACES[:, 1] > 90, 2, 1)
    copies = np.repeat(np.arange(len(PLACES)), weight)
    settings = {"learning_rate": 0.05, "max_epochs": 40, "class_weight": "balanced"} | EXACTLY
    if classifier == "location":
        X, model = PLACES, LocationClassifier("cartesian3d", "linear", **settings)
    else:
        X, model = FEATURES[: len(PLACES)], ProjectionHeadClassifier(embed_dim=4, **settings)
    weighted = clone(model).fit(X, classes, sample_weight=weight)
    assert_allclose(weighted._class_weights, clone(model).fit(X[copies], classes[copies])._class_weights, rtol=1e-12)
    assert_allclose(weighted.predict_proba(X), clone(model).fit(X[copies], classes[copies]).predict_proba(X), atol=1e-9)
    # LogisticRegression, whose balanced weights are n / (classes * count), counts copies too
    total = np.array([weight[classes == each].sum() for each in np.unique(classes)])
    expected = weight.sum() / (len(total) * total)
    ratio = weighted._class_weights / expected
    assert_allclose(ratio, ratio[0], rtol=1e-12)


def test_balanced_leaves_samples_without_weight_out():
    settings = {"learning_rate": 0.05, "max_epochs": 5, "class_weight": "balanced"} | EXACTLY
    weight = np.where(PLACES[:, 1] > 0, 2.0, 0.0)
    model = LocationClassifier("wrap", "linear", **settings)
    weighted = clone(model).fit(PLACES, ZONE, sample_weight=weight)
    assert_same_weights(weighted, clone(model).fit(PLACES[weight > 0], ZONE[weight > 0]))
    with pytest.raises(ValueError, match=r"y has one class only, True: .* needed, in samples of positive weight"):
        model.fit(PLACES, NORTH, sample_weight=NORTH)


# Batches


def with_batch_norm(n_inputs, n_outputs):
    return torch.nn.Sequential(
        torch.nn.Linear(n_inputs, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, n_outputs)
    )  # fmt: skip


def lengths_of_batches(monkeypatch, n_samples, **settings):
    """The numbers of samples in the steps of an epoch, and the samples of all of them."""
    rows = []
    total = _Data.total

    def note(self, module, chosen):
        if module.training:
            rows.append(np.asarray(chosen))
        return total(self, module, chosen)

    with monkeypatch.context() as patched:
        patched.setattr(_Data, "total", note)
        LocationRegressor("wrap", "linear", max_epochs=1, patience=None, random_state=0, **settings).fit(
            PLACES[:n_samples], WARMTH[:n_samples]
        )
    return [len(each) for each in rows], np.concatenate(rows)


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "lengths"),
    [
        (40, 20, [20, 20]),
        (41, 20, [20, 21]),
        (42, 20, [20, 20, 2]),
        (21, 20, [21]),
        (3, 2, [3]),
        (5, 2, [2, 3]),
        (3, 1, [1, 1, 1]),
        (1, 20, [1]),
        (41, None, [41]),
        (20, 100, [20]),
    ],
)
def test_no_sample_is_left_over_alone(n_samples, batch_size, lengths, monkeypatch):
    got, rows = lengths_of_batches(monkeypatch, n_samples, batch_size=batch_size)
    assert got == lengths
    assert sorted(rows) == list(range(n_samples))
    # the same order, and else the same batches, as torch makes
    generator = torch.Generator().manual_seed(0)
    state = torch.random.get_rng_state()
    torch.random.set_rng_state(generator.get_state())
    torch.nn.Linear(4, 1)  # the first weights
    assert_array_equal(rows, torch.randperm(n_samples))
    torch.random.set_rng_state(state)


@pytest.mark.parametrize("n_samples", [40, 41, 42, 21])
@pytest.mark.parametrize("early", [True, False])
def test_batch_norm_trains_on_any_number_of_samples(n_samples, early):
    model = LocationClassifier("wrap", with_batch_norm, batch_size=20, max_epochs=2, random_state=0)
    model.set_params(patience=3 if early else None).fit(PLACES[:n_samples], ZONE[:n_samples] == ZONE[0])
    assert model.predict(PLACES[:1]) == model.predict(PLACES)[:1]  # one place at a time
    model.partial_fit(PLACES[:n_samples], ZONE[:n_samples] == ZONE[0])


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "fit"), [(40, 1, "fit"), (1, 20, "fit"), (1, None, "fit"), (1, 20, "partial_fit")]
)
def test_batches_of_one_sample_are_the_trouble_of_batch_norm(n_samples, batch_size, fit):
    model = LocationRegressor("wrap", with_batch_norm, batch_size=batch_size, max_epochs=2, patience=None)
    message = (
        r"cannot be trained on a batch of 1 sample, perhaps because of BatchNorm \(.*\): expected at least 2 samples "
        rf"to train on, here {n_samples}, and batch_size=None or at least 2"
    )
    with pytest.raises(ValueError, match=message):
        getattr(model, fit)(PLACES[:n_samples], WARMTH[:n_samples])
    assert not hasattr(model, "weights_")
    LocationRegressor("wrap", "mlp", batch_size=1, max_epochs=1).fit(PLACES[:3], WARMTH[:3])


def test_the_prediction_of_a_place_does_not_depend_on_the_others():
    layer = torch.nn.BatchNorm1d(1, track_running_stats=False)
    network = torch.nn.Sequential(torch.nn.Linear(4, 1), layer)
    with pytest.raises(
        ValueError, match=r"network has BatchNorm1d\(.*would depend on the places .*track_running_stats"
    ):
        LocationRegressor("wrap", network, **QUICK).fit(PLACES, WARMTH)


def test_targets_are_standardised():
    model = LocationRegressor(WrapEncoder(), max_epochs=20, hidden_dim=8, **EXACTLY)
    one = clone(model).fit(PLACES, NOISY)
    other = clone(model).fit(PLACES, 1e6 * NOISY - 4e9)
    assert_allclose(other.predict(PLACES), 1e6 * one.predict(PLACES) - 4e9, rtol=1e-9)
    assert_allclose(one.target_mean_, NOISY.mean())
    assert_allclose(one.target_scale_, NOISY.std())
    constant = clone(model).set_params(max_epochs=300, learning_rate=0.01).fit(PLACES, np.full(len(PLACES), 7.0))
    assert_allclose(constant.predict(PLACES), 7.0, atol=0.1)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoders_go_by_name(encoder):
    model = LocationClassifier(encoder, "linear", learning_rate=0.1, max_epochs=100, patience=None, random_state=0)
    assert model.fit(PLACES, NORTH).score(PLACES, NORTH) > 0.8
    assert type(model.encoder_) is type(ENCODERS[encoder])


@pytest.mark.parametrize("network", ["linear", "fcnet", "siren", "mlp"])
def test_networks_go_by_name(network):
    settings = {"learning_rate": 0.03, "max_epochs": 200, "patience": None, "random_state": 0}
    model = LocationRegressor(SphericalHarmonics(4), network, hidden_dim=32, **settings)
    assert model.fit(PLACES, WARMTH).score(PLACES, WARMTH) > 0.8


def test_learning_encoders_are_fitted_frozen_ones_are_not():
    basis = SphericalHarmonicPCA(3, 8)
    model = LocationRegressor(basis, "linear", max_epochs=2, random_state=0, patience=None)
    model.fit(PLACES, WARMTH)
    assert not hasattr(basis, "mean_")
    assert_array_equal(model.encoder_.mean_, clone(basis).fit(PLACES).mean_)
    fitted = clone(basis).fit(GRID)
    model.set_params(encoder=FrozenEstimator(fitted)).fit(PLACES, WARMTH)
    assert_array_equal(model.encoder_.mean_, fitted.mean_)


def test_a_module_is_trained_as_a_copy_from_its_weights():
    torch.manual_seed(1)
    network = torch.nn.Linear(3, 1)
    before = network.weight.detach().clone()
    model = LocationClassifier("cartesian3d", network, learning_rate=1e-6, max_epochs=1, patience=None)
    model.fit(PLACES, NORTH)
    assert_allclose(model.weights_["weight"], before, atol=2e-6)
    assert (model.weights_["weight"] != before.numpy()).any()
    assert network.weight.equal(before)


# How it is trained


def test_same_seed_same_bits_and_torch_rng_untouched():
    model = LocationClassifier("wrap", "fcnet", hidden_dim=16, max_epochs=5, batch_size=32, random_state=3)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one = clone(model).fit(PLACES, ZONE)
    assert torch.get_rng_state().equal(state)
    torch.manual_seed(1)
    torch.rand(10)
    other = clone(model).fit(PLACES, ZONE)
    assert_same_weights(one, other)
    assert_array_equal(one.loss_curve_, other.loss_curve_)
    third = clone(model).set_params(random_state=4).fit(PLACES, ZONE)
    assert (third.weights_["output.weight"] != one.weights_["output.weight"]).any()


def test_an_integer_is_the_seed_that_torch_is_given():
    model = LocationClassifier("wrap", "linear", learning_rate=1e-30, max_epochs=1, patience=None, random_state=5)
    model.fit(PLACES, NORTH)
    torch.manual_seed(5)
    expected = torch.nn.Linear(4, 1)
    assert_array_equal(model.weights_["weight"], expected.weight.detach())
    assert_array_equal(model.weights_["bias"], expected.bias.detach())


def test_training_stops_after_so_many_epochs_without_improvement():
    # Validation says the opposite of what is learned: its loss rises from the first epoch on.
    settings = {"network": "linear", "encoder": "cartesian3d", "learning_rate": 0.1, "random_state": 0}
    first = LocationClassifier(max_epochs=1, **settings).fit(PLACES, NORTH, X_val=PLACES, y_val=~NORTH)
    best = LocationClassifier(patience=4, **settings).fit(PLACES, NORTH, X_val=PLACES, y_val=~NORTH)
    last = LocationClassifier(patience=4, keep="last", **settings).fit(PLACES, NORTH, X_val=PLACES, y_val=~NORTH)
    assert (np.diff(best.validation_loss_curve_) > 0).all()
    assert (best.n_epochs_, best.best_epoch_) == (5, 1)
    assert (last.n_epochs_, last.best_epoch_) == (5, 5)
    assert_same_weights(best, first)
    assert_array_equal(last.validation_loss_curve_, best.validation_loss_curve_)
    odds = np.log(last.predict_proba(PLACES)[:, 1] / last.predict_proba(PLACES)[:, 0])
    expected = np.where(NORTH, np.logaddexp(0.0, odds), np.logaddexp(0.0, -odds)).mean()
    assert last.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-5)


def test_patience_starts_anew_with_every_improvement():
    model = LocationRegressor("cartesian3d", "linear", learning_rate=0.3, patience=3, random_state=0, max_epochs=400)
    curve = model.fit(PLACES, NOISY, X_val=PLACES, y_val=NOISY).validation_loss_curve_
    lowest = np.minimum.accumulate(curve)
    since = np.arange(len(curve)) - np.maximum.accumulate(np.where(curve == lowest, np.arange(len(curve)), 0))
    assert len(curve) < 400
    assert since[-1] == 3
    assert since[:-1].max() == 2
    assert model.best_epoch_ == 1 + curve.argmin() == model.n_epochs_ - 3


def test_a_share_is_held_out_unless_early_stopping_is_off(monkeypatch):
    seen = []

    def spy(build, loss, training, validation, *others):
        seen.append((training, validation))
        return train(build, loss, training, validation, *others)

    monkeypatch.setattr("skgeo.nn._base_estimator.train", spy)
    model = LocationRegressor("wrap", "linear", max_epochs=2, validation_fraction=0.3, random_state=0)
    model.fit(PLACES[:31], NOISY[:31])
    rows = np.arange(31)
    learned, held_out = (np.flatnonzero((PLACES[rows, 0] == part.inputs[:, :1]).any(axis=0)) for part in seen[0])
    assert len(held_out) == 10  # 9.3, rounded up
    assert sorted([*learned, *held_out]) == list(rows)
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == 2
    open_ended = model.set_params(patience=None).fit(PLACES[:31], NOISY[:31])
    training, validation = seen[1]
    assert len(training.inputs) == 31
    assert validation is None
    assert len(open_ended.validation_loss_curve_) == 0
    assert open_ended.best_epoch_ == open_ended.n_epochs_ == 2


def test_partial_fits_go_on_where_the_last_one_stopped():
    settings = {"encoder": "wrap", "network": "siren", "hidden_dim": 8, "learning_rate": 0.01} | EXACTLY
    whole = LocationRegressor(max_epochs=5, **settings).fit(PLACES, NOISY)
    parts = LocationRegressor(**settings)
    for _ in range(5):
        parts.partial_fit(PLACES, NOISY)
    assert_allclose(parts.predict(PLACES), whole.predict(PLACES), rtol=1e-9)  # moments of Adam included
    assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-9)
    assert parts.n_epochs_ == parts.best_epoch_ == 5
    after = whole.partial_fit(PLACES, NOISY)
    assert after.n_epochs_ == 6
    assert after.loss_curve_[5] == pytest.approx(parts.partial_fit(PLACES, NOISY).loss_curve_[5], rel=1e-9)


def test_partial_fit_knows_the_classes_from_the_first_call():
    model = LocationClassifier("wrap", "linear", random_state=0)
    model.partial_fit(PLACES[:10], np.full(10, "b"), classes=["b", "a", "c"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.partial_fit(PLACES[:1], ["c"]).n_epochs_ == 2
    before = model.weights_
    with pytest.raises(ValueError, match=r"y has the class 'd', which is none of \['a', 'b', 'c'\]"):
        model.partial_fit(PLACES[:1], ["d"])
    assert model.weights_ is before
    with pytest.raises(ValueError, match="class_weight='balanced': expected None or a dict in partial_fit"):
        model.set_params(class_weight="balanced").partial_fit(PLACES, ZONE)
    regressor = LocationRegressor("wrap", "linear").partial_fit(PLACES, NOISY)
    with pytest.raises(ValueError, match="y has 2 outputs: expected 1, as in the first y"):
        regressor.partial_fit(PLACES, np.column_stack([NOISY, NOISY]))


def test_embedding_too_large_to_keep_is_recomputed(monkeypatch):
    model = LocationRegressor("spherical_harmonics", hidden_dim=8, max_epochs=3, batch_size=32, random_state=0)
    kept = clone(model).fit(PLACES, NOISY)
    monkeypatch.setattr("skgeo.nn._training._MAX_KEPT_VALUES", 100)
    monkeypatch.setattr("skgeo.nn._training._VALUES_PER_BLOCK", 1000)
    again = clone(model).fit(PLACES, NOISY)
    assert_allclose(again.predict(PLACES), kept.predict(PLACES), rtol=1e-4)
    assert_allclose(again.validation_loss_curve_, kept.validation_loss_curve_, rtol=1e-4)


def test_progress_is_shown_when_asked(capsys):
    pytest.importorskip("tqdm")
    LocationClassifier("wrap", "linear", max_epochs=7, patience=None, verbose=True).fit(PLACES, NORTH)
    assert "7.00/7.00" in capsys.readouterr().err
    LocationClassifier("wrap", "linear", max_epochs=7, patience=None).fit(PLACES, NORTH)
    assert capsys.readouterr().err == ""


# What goes in and comes out


def test_places_come_in_every_form():
    pandas = pytest.importorskip("pandas")
    model = LocationRegressor("wrap", "linear", max_epochs=3, patience=None, random_state=0)
    plain = clone(model).fit(PLACES, NOISY)
    frame = pandas.DataFrame({"lon": PLACES[:, 1] + 360.0, "lat": PLACES[:, 0]})
    named = clone(model).fit(frame, NOISY)
    assert named.feature_names_in_.tolist() == ["lon", "lat"]
    assert_allclose(named.predict(frame), plain.predict(PLACES), rtol=1e-5)
    own = frame.set_axis(["x", "y"], axis=1)
    assert_allclose(
        model.set_params(coordinates=("y", "x")).fit(own, NOISY).predict(own), plain.predict(PLACES), rtol=1e-5
    )
    assert_array_equal(plain.predict(GRID), plain.predict(GRID.points()))
    chunked = pytest.importorskip("dask.array").from_array(PLACES, chunks=(50, 2))
    assert_array_equal(plain.predict(chunked), plain.predict(PLACES))


def test_cells_of_a_grid_count_as_its_mask_says():
    mask = np.zeros(GRID.shape)
    mask[3:9, 5:20] = 1.0
    mask[9, 5:20] = 0.5
    grid = LatLonGrid(np.arange(-85, 90, 10.0), np.arange(5, 360, 10.0), mask=mask)
    kept = mask.ravel() > 0
    target = np.where(kept, np.arange(mask.size) % 17, 1e30)
    model = LocationRegressor("wrap", "linear", max_epochs=10, **EXACTLY)
    on_grid = clone(model).fit(grid, target)
    on_points = clone(model).fit(grid.points()[kept], target[kept], sample_weight=mask.ravel()[kept])
    assert_same_weights(on_grid, on_points)
    by_area = clone(model).fit(grid, target, sample_weight=grid.cell_areas())
    assert_same_weights(by_area, clone(model).fit(grid, target, sample_weight=grid.cell_areas().ravel()))


@pytest.mark.parametrize("network", ["linear", WithoutNaN])
def test_cells_without_a_place_are_nan_and_have_no_class(network):
    cells = CellGrid([[0.0, np.nan], [10.0, 10.0]], [[0.0, 1.0], [0.0, 1.0]])
    regressor = LocationRegressor("wrap", network, max_epochs=3, patience=None).fit(PLACES, NOISY)
    assert np.isnan(regressor.predict(cells)).tolist() == [False, True, False, False]
    assert regressor.fit(cells, [1.0, np.pi, 2.0, 3.0]).target_mean_ == pytest.approx(2.0)
    classifier = LocationClassifier("wrap", network, max_epochs=3).fit(PLACES, NORTH)
    assert np.isnan(classifier.predict_proba(cells)).all(axis=1).tolist() == [False, True, False, False]
    with pytest.raises(ValueError, match="X has 1 cells without a place, the first at 1: these cells have no class"):
        classifier.predict(cells)


def test_trained_module_gives_logits_and_values_in_units():
    settings = {"max_epochs": 20, "random_state": 0, "hidden_dim": 8}
    points = torch.from_numpy(PLACES)
    two, three = (LocationClassifier(**settings).fit(PLACES, y) for y in (NORTH, ZONE))
    logits = two.to_torch()(points).detach().numpy()
    assert_allclose(two.predict_proba(PLACES)[:, 1], 1.0 / (1.0 + np.exp(-logits[:, 0])), rtol=1e-5)
    exponentials = np.exp(three.to_torch()(points).detach().numpy())
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert_allclose(three.predict_proba(PLACES), expected, rtol=1e-5)
    target = np.column_stack([NOISY, 280.0 + 1e-3 * PLACES[:, 0]])
    regressor = LocationRegressor(**settings).fit(PLACES, target)
    module = regressor.to_torch()
    assert not module.training
    assert_allclose(module(points).detach(), regressor.predict(PLACES), rtol=1e-5)


def test_models_work_in_pipelines_searches_and_cross_validation():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(PLACES, columns=["lat", "lon"]).assign(height=1.0)
    model = LocationRegressor(GridEncoder(4), "linear", learning_rate=0.1, max_epochs=60, random_state=0)
    place = make_column_transformer(("passthrough", ["lat", "lon"]))
    pipeline = make_pipeline(place, model)
    scores = cross_validate(pipeline, frame, WARMTH, cv=3, return_train_score=True)
    assert scores["train_score"].min() > 0.5
    choices = {"encoder": ["wrap", "cartesian3d"], "learning_rate": [1e-9, 0.1]}
    search = GridSearchCV(clone(model).set_params(patience=None), choices, cv=KFold(2, shuffle=True))
    search.fit(PLACES, np.sin(np.radians(PLACES[:, 0])))
    assert search.best_params_["learning_rate"] == 0.1
    nested = clone(model).set_params(encoder__n_scales=2).fit(PLACES, WARMTH)
    assert nested.weights_["weight"].shape == (1, 8)


@pytest.mark.parametrize("name", sorted(NeuralEstimator.__abstractmethods__))
def test_a_subclass_without_one_abstract_method_cannot_be_made(name):
    complete = dict.fromkeys(NeuralEstimator.__abstractmethods__, lambda *arguments, **options: None)
    assert len(complete) == 9
    type("Complete", (NeuralEstimator,), complete)()
    del complete[name]
    with pytest.raises(TypeError, match=f"abstract method '?{name}"):
        type("Incomplete", (NeuralEstimator,), complete)()


def test_files_say_what_to_install_without_torch(tmp_path):
    model = LocationClassifier(max_epochs=2, hidden_dim=4, random_state=0).fit(PLACES, ZONE)
    head = ProjectionHeadRegressor(max_epochs=2).fit(FEATURES, LATITUDE)
    joblib.dump([model, head], tmp_path / "models.joblib")
    skgeo.save(model, tmp_path / "model.npz")
    code = (
        "import sys, joblib, skgeo, sklearn.utils; sys.modules['torch'] = None\n"
        "for load, path in zip((joblib.load, skgeo.load), sys.argv[1:]):\n"
        "    try:\n        load(path)\n"
        "    except ImportError as error:\n        print(error)\n"
    )
    lines = run_python(code, tmp_path / "models.joblib", tmp_path / "model.npz").splitlines()
    assert lines == ["skgeo.nn needs torch: pip install 'skgeo[torch]'."] * 2
    again, _ = joblib.load(tmp_path / "models.joblib")
    assert_array_equal(again.predict_proba(PLACES), model.predict_proba(PLACES))


# What is refused

BAD = {
    "encoder": ("spherical", "expected 'cartesian3d', 'direct', "),
    "network": ("resnet", "expected 'fcnet', 'linear', 'mlp', 'siren', a torch module, or a function"),
    "learning_rate": (0.0, "expected a positive number"),
    "weight_decay": (-1.0, "expected a number, not negative"),
    "batch_size": (0, "expected a positive integer, or None for all samples at once"),
    "max_epochs": (0, "expected a positive integer"),
    "patience": (0, "expected a positive integer, or None for no early stopping"),
    "validation_fraction": (1.0, "expected a number between 0 and 1"),
    "keep": ("first", "expected 'best' or 'last'"),
    "dtype": ("float16", "expected 'float32' or 'float64'"),
    "device": ("toaster", "expected a device that torch has here, such as 'cpu'"),
    "class_weight": ("even", "expected None, 'balanced' or a dict of classes and weights"),
    "verbose": ("yes", "expected True, False or None"),
    "hidden_dim": (0, "expected a positive integer"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameters_are_refused_and_nothing_is_lost(name):
    value, accepted = BAD[name]
    model = LocationClassifier(network="mlp", max_epochs=2, random_state=0).fit(PLACES, ZONE)
    before = vars(model).copy()
    with pytest.raises(ValueError, match=f"^{name}={value!r}: {accepted}"):
        model.set_params(**{name: value}).fit(PLACES, NORTH)
    assert vars(model) == before | {name: value}


def test_bad_data_is_refused_and_nothing_is_lost():
    model = LocationClassifier("wrap", "linear", max_epochs=2).fit(PLACES, ZONE)
    before = vars(model).copy()
    refused = [
        ("y has one class only, 'north': at least two classes are needed", (PLACES, ["north"] * 120), {}),
        ("inconsistent numbers of samples", (PLACES, ZONE[:-1]), {}),
        ("sample_weight must not be negative", (PLACES, ZONE, -np.ones(120)), {}),
        ("y_val is None: expected both X_val and y_val, or neither", (PLACES, ZONE), {"X_val": PLACES}),
        ("X_val is None: expected both X_val and y_val, or neither", (PLACES, ZONE), {"y_val": ZONE}),
        ("y_val has the class 'wet', which is none of", (PLACES, ZONE), {"X_val": PLACES[:1], "y_val": ["wet"]}),
        ("sample_weight_val is given without X_val and y_val", (PLACES, ZONE), {"sample_weight_val": np.ones(120)}),
        (
            "X_val and sample_weight_val: X has latitudes outside",
            (PLACES, ZONE),
            {"X_val": [[99, 0]], "y_val": ["hot"]},
        ),
        (
            r"X_val and sample_weight_val: sample_weight has shape \(2,\): expected \(1,\)",
            (PLACES, ZONE),
            {"X_val": PLACES[:1], "y_val": ["hot"], "sample_weight_val": [1, 1]},
        ),
        ("y_val has masked values", (PLACES, ZONE), {"X_val": PLACES, "y_val": np.ma.masked_equal(ZONE, "mild")}),
        (r"y has no class in 1 samples, the first at 3: None\. Input y contains NaN", (PLACES, gaps(None)), {}),
        ("y has no class in 1 samples, the first at 3: nan", (PLACES, gaps(np.nan)), {}),
        ("y has no class in 1 samples, the first at 3: <NA>", (PLACES, gaps(pd.NA)), {}),
        ("y holds classes of type int and str: expected text only, or numbers only", (PLACES, gaps(1)), {}),
        ("requires y to be passed, but the target y is None", (PLACES, None), {}),
        ("Unknown label type", (PLACES, NOISY), {}),
        ("y has masked values: leave these samples out", (PLACES, np.ma.masked_equal(ZONE, "mild")), {}),
    ]
    for message, arguments, more in refused:
        with pytest.raises(ValueError, match=message):
            model.fit(*arguments, **more)
        assert vars(model) == before
    with pytest.raises(CoordinateError, match=r"X contains NaN or infinity in 1 row, first row 3: drop or impute"):
        model.fit(np.where(np.arange(120)[:, np.newaxis] == 3, np.nan, PLACES), ZONE)
    assert vars(model) == before


def gaps(value):
    """Zones as objects, with a value in place of the fourth."""
    objects = ZONE.astype(object)
    objects[3] = value
    return objects


def test_classes_of_another_type_are_other_classes():
    codes = np.arange(120) % 12
    model = LocationClassifier("wrap", "linear", max_epochs=1)
    with pytest.raises(ValueError, match=r"y_val has the class '0', which is none of \[0, 1, .*, 11\]"):
        model.fit(PLACES, codes, X_val=PLACES, y_val=codes.astype(str))
    with pytest.raises(ValueError, match="y has the class '0', which is none of the 30 classes 0 to 29"):
        model.partial_fit(PLACES, codes.astype(str), classes=range(30))
    assert model.fit(PLACES, codes.astype(object)).classes_.dtype == np.int64
    assert model.fit(PLACES, codes, X_val=PLACES, y_val=codes.astype(float)).n_epochs_ == 1


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (ZONE, "y holds 'cold': expected numbers. Classes are for a classifier"),
        (gaps("1.5"), "y holds 'cold': expected numbers"),
        (WARMTH.astype(str), "y holds '.*': expected numbers"),
        (
            np.arange(120).astype("datetime64[D]"),
            r"y holds datetime.date\(1970, 1, 1\): expected numbers.*convert dates",
        ),
        (WARMTH + 1j, "y holds .*: Complex data not supported, expected numbers"),
        (np.where(NORTH, np.nan, WARMTH), "Input y contains NaN"),
        ([None] * 120, "Input y contains NaN"),
        (3.0, r"y=3.0: expected an array of shape \(n_samples,\) or \(n_samples, n_outputs\)"),
        (np.zeros((120, 2, 2)), r"y has shape \(120, 2, 2\): expected \(n_samples,\) or"),
    ],
)
def test_targets_of_regressors_are_numbers(y, message):
    model = LocationRegressor("wrap", "linear", **QUICK)
    with pytest.raises(ValueError, match=message):
        model.fit(PLACES, y)
    with pytest.raises(ValueError, match=message.replace("y", "y_val", 1)):
        model.fit(PLACES, WARMTH, X_val=PLACES, y_val=y)


def test_numbers_in_objects_are_targets():
    decimals = np.array([Decimal(f"{value:.3f}") for value in WARMTH])
    model = LocationRegressor("wrap", "linear", **QUICK)
    expected = clone(model).fit(PLACES, decimals.astype(float))
    assert_same_weights(clone(model).fit(PLACES, decimals), expected)


def test_validation_has_as_many_outputs_as_training():
    with pytest.raises(ValueError, match="y_val has 2 outputs: expected 1, as in the first y"):
        LocationRegressor("wrap", "linear").fit(PLACES, WARMTH, X_val=PLACES, y_val=np.column_stack([WARMTH, WARMTH]))


@pytest.mark.parametrize(
    "use", [lambda m: m.fit(None, NORTH), lambda m: m.predict(None), lambda m: m.partial_fit(None, [1])]
)
def test_no_features_are_no_scalar(use):
    model = ProjectionHeadRegressor(embed_dim=4, **QUICK).fit(FEATURES, LATITUDE)
    with pytest.raises(
        ValueError, match=r"X is None: expected an array or DataFrame of shape \(n_samples, n_features\)"
    ):
        use(model)


@pytest.mark.parametrize("n_samples", [2, 3])
def test_early_stopping_works_with_next_to_nothing(n_samples):
    model = LocationRegressor("wrap", "linear", **QUICK).fit(PLACES[:n_samples], WARMTH[:n_samples])
    assert len(model.validation_loss_curve_) == 5


def test_a_single_sample_leaves_none_to_validate_on():
    with pytest.raises(ValueError, match=r"X has 1 sample \(n_samples=1\): none is left to validate on. Give X_val"):
        LocationRegressor("wrap", "linear").fit(PLACES[:1], [0.0])


def test_a_learning_rate_that_is_too_large_is_named():
    model = LocationRegressor("wrap", "mlp", learning_rate=1e30, max_epochs=50)
    with pytest.raises(
        ValueError,
        match=r"learning_rate=1e\+30: the loss became (nan|inf)( on the validation data)?; expected a smaller",
    ):
        model.fit(PLACES, NOISY)
    assert not hasattr(model, "weights_")


def test_networks_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"network gives \(2, 2\) for 2 embeddings of width 3: expected \(2, 1\)"):
        LocationClassifier("cartesian3d", torch.nn.Linear(3, 2)).fit(PLACES, NORTH)
    with pytest.raises(ValueError, match="network=.*: expected a function that returns a torch module"):
        LocationClassifier("cartesian3d", lambda n_inputs, n_outputs: None).fit(PLACES, NORTH)
    with pytest.raises(ValueError, match=r"encoder=Ridge\(\): expected 'cartesian3d'"):
        LocationClassifier(Ridge()).fit(PLACES, NORTH)


# The projection head


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
def test_the_head_is_trained_as_the_last_step_of_a_pipeline(dtype, n_outputs):
    target = LATITUDE if n_outputs is None else np.column_stack([LATITUDE, LATITUDE**2, 5.0 + LATITUDE])[:, :n_outputs]
    features = make_union(PatchPositionEncoder(SphericalHarmonicPCA(3)), PatchScaleFeaturizer())
    head = ProjectionHeadRegressor(embed_dim=16, max_epochs=60, learning_rate=0.01, random_state=0)
    model = make_pipeline(features, head).fit(PATCHES.astype(dtype), target.astype(dtype))
    assert model.predict(PATCHES).shape == target.shape
    assert model.score(PATCHES, target) > 0.9
    assert {values.dtype for name, values in head.weights_.items() if "columns" not in name} == {np.dtype("float32")}


def test_the_trained_head_and_the_output_layer_are_the_model():
    target = np.column_stack([LATITUDE, 1e3 + LATITUDE**2])
    model = ProjectionHeadRegressor(embed_dim=8, max_epochs=20, **EXACTLY).fit(FEATURES, target)
    head = model.to_torch()
    assert isinstance(head, PatchProjectionHead)
    assert not head.training
    embedding = head(torch.from_numpy(FEATURES)).detach().numpy()
    outputs = embedding @ model.weights_["output.weight"].T + model.weights_["output.bias"]
    assert_allclose(model.predict(FEATURES), outputs * target.std(axis=0) + target.mean(axis=0), rtol=1e-12)


def test_descriptors_standardised_with_weights():
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2.0, size=50)
    features = np.column_stack([rng.normal(size=(50, 3)), rng.normal(3.0, 2.0, size=50), np.full(50, 4.0)])
    settings = {"n_scale": 2, "embed_dim": 4, "max_epochs": 1, "patience": None}
    model = ProjectionHeadRegressor(**settings).fit(features, features[:, 0], sample_weight=weight)
    mean = (weight * features[:, 3]).sum() / weight.sum()
    deviation = np.sqrt((weight * (features[:, 3] - mean) ** 2).sum() / weight.sum())
    assert_allclose(model.scale_mean_, [mean, 4.0])
    assert_allclose(model.scale_std_, [deviation, 1.0])  # of a logarithm; else the value itself
    plain = ProjectionHeadRegressor(log=False, **settings).fit(features, features[:, 0])
    assert_allclose(plain.scale_std_, [features[:, 3].std(), 4.0])
    head = PatchProjectionHead.from_features(features, n_scale=2, embed_dim=4)
    assert_allclose(head.scale_std, [features[:, 3].std(), 1.0], rtol=1e-6)


def test_the_head_classifies():
    zone = np.where(abs(LATITUDE) < 23.4, "tropics", np.where(LATITUDE > 0, "north", "south"))
    model = ProjectionHeadClassifier(embed_dim=8, max_epochs=60, learning_rate=0.02, random_state=0).fit(FEATURES, zone)
    assert model.score(FEATURES, zone) > 0.9
    assert_allclose(model.predict_proba(FEATURES).sum(axis=1), 1.0, rtol=1e-12)


def test_the_head_needs_position_before_scale():
    with pytest.raises(ValueError, match=r"X has 10 features \(n_features = 10\), and the last n_scale=10 are desc"):
        ProjectionHeadRegressor().fit(FEATURES[:, -10:], LATITUDE)
    with pytest.raises(ValueError, match="n_scale=0: expected a positive integer"):
        ProjectionHeadRegressor(0).fit(FEATURES, LATITUDE)
    with pytest.raises(ValueError, match="embed_dim=0: expected a positive integer"):
        ProjectionHeadRegressor(embed_dim=0).fit(FEATURES, LATITUDE)
    with pytest.raises(ValueError, match="head_dim=0: expected a positive integer, or None"):
        ProjectionHeadRegressor(head_dim=0).fit(FEATURES, LATITUDE)


def test_validation_data_goes_through_the_pipeline():
    features = make_union(PatchPositionEncoder(SphericalHarmonicPCA(2)), PatchScaleFeaturizer())
    with sklearn.config_context(enable_metadata_routing=True):
        head = ProjectionHeadRegressor(max_epochs=3, random_state=0).set_fit_request(X_val=True, y_val=True)
        model = Pipeline([("features", features), ("head", head)], transform_input=["X_val"])
        model.fit(PATCHES, LATITUDE, X_val=PATCHES[:9], y_val=LATITUDE[:9])
    alone = clone(head).fit(FEATURES, LATITUDE, X_val=FEATURES[:9], y_val=LATITUDE[:9])
    assert_array_equal(model[-1].validation_loss_curve_, alone.validation_loss_curve_)


# The published table


@needs_shared_data
def test_a_cell_of_the_published_table():
    # Three cells run at night: scripts/run_experiments.sh.
    options = ["--quick", "--cells", "spherical_harmonics-linear", "--data", SHARED_DATA]
    command = [sys.executable, "-m", "experiments.land_ocean", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 cells hold" in done.stdout


def test_parameters_set_after_a_fit_wait_for_the_next():
    model = LocationRegressor("cartesian3d", "siren", **QUICK).fit(PLACES, WARMTH)
    expected = model.predict(PLACES)
    for parameters in ({"network": "mlp"}, {"hidden_dim": 8}):
        assert_array_equal(model.set_params(**parameters).predict(PLACES), expected)
    head = ProjectionHeadRegressor(**QUICK).fit(FEATURES, FEATURES[:, 0])
    expected = head.predict(FEATURES)
    assert_array_equal(head.set_params(embed_dim=8).predict(FEATURES), expected)


def test_integers_may_be_those_of_numpy():
    plain = {"batch_size": 50, "hidden_dim": 8, "n_layers": 1, "max_epochs": 3, "patience": 2, "random_state": 0}
    own = {name: np.int64(value) for name, value in plain.items()}  # as a randomized search draws them
    models = [LocationRegressor("cartesian3d", **parameters).fit(PLACES, WARMTH) for parameters in (plain, own)]
    assert_same_weights(*models)


def test_prediction_leaves_the_random_numbers_of_torch_alone():
    model = LocationRegressor("cartesian3d", "siren", **QUICK).fit(PLACES, WARMTH)
    head = ProjectionHeadRegressor(**QUICK).fit(FEATURES, FEATURES[:, 0])
    before = torch.get_rng_state()
    for call in (lambda: model.predict(PLACES), model.to_torch, lambda: head.predict(FEATURES), head.to_torch):
        call()
        assert_array_equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("learned", [False, True])
def test_same_seed_same_bits_beside_other_threads(learned):
    embedding = ContrastiveLocationEncoder("cartesian3d", "mlp", embed_dim=3, **QUICK)
    encoder = FrozenEstimator(embedding.fit(PLACES, PLACES)) if learned else "cartesian3d"  # a model within a model
    model = LocationRegressor(encoder, "mlp", dropout=0.5, batch_size=10, patience=None, **QUICK)
    expected = clone(model).fit(PLACES, WARMTH)
    others = [clone(model) for _ in range(3)]
    work = [
        lambda: [expected.predict(PLACES) for _ in range(50)],
        *(partial(each.fit, PLACES, WARMTH) for each in others),
    ]
    threads = [threading.Thread(target=each, daemon=True) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    for other in others:
        assert_same_weights(other, expected)


def test_class_weights_count_where_batches_hold_one_class_each():
    mean = []
    for weights in (None, {"north": 1.0, "south": 100.0}):
        model = LocationClassifier("cartesian3d", "linear", learning_rate=0.01, class_weight=weights, **QUICK)
        for k in range(40):
            rows = NORTH if k % 2 else ~NORTH
            model.partial_fit(PLACES[rows], np.where(NORTH, "north", "south")[rows], classes=["north", "south"])
        mean.append(model.predict_proba(PLACES)[:, 1].mean())
    assert mean[1] > mean[0] + 0.03


def test_class_weights_in_basis_of_first_partial_fit():
    model = LocationClassifier(SphericalHarmonicPCA(3), "linear", class_weight={False: 1.0, True: 9.0}, **EXACTLY)
    bases = [fit(PLACES, NORTH).encoder_ for fit in (clone(model).set_params(max_epochs=1).fit, model.partial_fit)]
    for name in ("mean_", "components_", "explained_variance_"):
        assert_array_equal(*(getattr(basis, name) for basis in bases))


@pytest.mark.parametrize("weights", [{False: -0.2, True: 1.0}, {False: np.nan, True: 1.0}, {False: 0.0, True: 0.0}])
def test_class_weights_that_mean_nothing_are_refused(weights):
    model = LocationClassifier("cartesian3d", "linear", class_weight=weights, **QUICK)
    with pytest.raises(
        ValueError, match="class_weight=.*: expected weights that are finite, not negative, and not all"
    ):
        model.fit(PLACES, NORTH)


def test_validation_that_says_nothing_is_refused():
    with pytest.raises(
        ValueError, match="the loss became inf on the validation data; expected .* range of the training targets"
    ):
        LocationRegressor("cartesian3d", **QUICK).fit(PLACES, WARMTH, X_val=PLACES, y_val=np.full(120, 1e30))
    model = LocationClassifier("cartesian3d", class_weight={False: 1.0, True: 0.0}, **QUICK)
    with pytest.raises(ValueError, match="The validation data have no weight: sample_weight_val or class_weight"):
        model.fit(PLACES, NORTH, X_val=PLACES[NORTH], y_val=NORTH[NORTH])


def test_an_encoder_is_an_instance():
    with pytest.raises(
        ValueError, match="encoder=<class .*expected 'cartesian3d', .*a transformer of places, or a torch module"
    ):
        LocationRegressor(GridEncoder, **QUICK).fit(PLACES, WARMTH)
