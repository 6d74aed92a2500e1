"""Presence-only records: losses against the formulas of their papers and closed forms, backgrounds, maps and files."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skgeo
from estimators import geoclip_arrays
from reference import vectors
from skgeo import CellGrid, LatLonGrid
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics
from skgeo.exceptions import CoordinateError, CoordinateWarning
from skgeo.metrics import PresenceOnlyScorer
from skgeo.nn import (
    ContrastiveLocationEncoder,
    GeoCLIPWeights,
    PresenceOnlyClassifier,
    PretrainedEncoder,
    SatCLIPWeights,
)
from skgeo.nn._presence_losses import PRESENCE_LOSSES, PresenceOnlyLoss
from skgeo.nn._training import FrozenAndTrained, Samples, _Presences

RNG = np.random.default_rng(0)
#: Records of three species, each around a place of its own, and 30, 20 and 10 of them.
SPECIES = np.repeat(["a", "b", "c"], [30, 20, 10])
PLACES = np.column_stack([RNG.normal([50.0] * 30 + [0.0] * 20 + [-40.0] * 10, 8.0), RNG.normal(20.0, 15.0, 60)])
LATTICE = fibonacci_lattice(400)
GRID = LatLonGrid(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10), mask=np.arange(18 * 36).reshape(18, 36) % 3 > 0)
#: All records and all of the background in every step: nothing is random but the first weights.
EXACTLY = {"batch_size": None, "patience": None, "dtype": "float64", "random_state": 0}
QUICK = {"max_epochs": 3, "random_state": 0, "n_background": 50, "hidden_dim": 8}


class Constant(torch.nn.Module):
    """The same logits everywhere."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(n_outputs))

    def forward(self, embedding):
        return self.logits.expand(len(embedding), -1)


def formula(name, x, g, share, z, c, positive):
    """The mean loss of records, term by term as the papers write it; x are the logits of records, g of background."""
    n, n_species = x.shape
    p, q = expit(x), expit(g)
    total = 0.0
    for i in range(n):
        own = [j for j in range(n_species) if z[i, j]]
        others = [j for j in range(n_species) if not z[i, j]]
        if name == "full":
            for j in range(n_species):
                seen = positive * c[j] * np.log(p[i, j]) if z[i, j] else np.log(1 - p[i, j])
                total -= (seen + np.sum(share * np.log(1 - q[:, j]))) / n_species
        for j in own:
            if name == "slds":
                against = np.mean([np.log(1 - p[i, k]) for k in others])
                total -= c[j] * (np.log(p[i, j]) + against) / len(own)
            if name == "ssdl":
                total -= c[j] * (np.log(p[i, j]) + np.sum(share * np.log(1 - q[:, j]))) / len(own)
            if name == "maxent":
                total += c[j] * (np.log(np.sum(share * np.exp(g[:, j]))) - x[i, j])
            if name == "poisson":
                total += c[j] * (np.sum(share * np.exp(g[:, j])) - x[i, j])
    return total / n


# Losses


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
@pytest.mark.parametrize("name", PRESENCE_LOSSES)
def test_losses_are_the_formulas_of_the_papers(name, several, training):
    rng = np.random.default_rng(1)
    inputs, background = rng.normal(size=(7, 3)), rng.normal(size=(11, 3))
    share = rng.uniform(0.5, 2.0, 11)
    share /= share.sum()
    codes = rng.integers(0, 4, 7)
    z = np.eye(4, dtype=np.uint8)[codes]
    if several:
        z[:, 1] |= rng.integers(0, 2, 7, dtype=np.uint8)
    c = rng.uniform(0.5, 2.0, 4)
    module = torch.nn.Linear(3, 4).double().train(training)
    loss = PresenceOnlyLoss(name, 5.0, c, background, share, batch_size=20)
    samples = Samples(inputs, z if several else codes, np.ones(7))
    data = _Presences(None, samples, loss, torch.device("cpu"), torch.float64)
    found = float(data.total(module, slice(None)).detach()) / 7
    weight, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
    expected = formula(name, inputs @ weight.T + bias, background @ weight.T + bias, share, z, c, 5.0)
    assert found == pytest.approx(expected, rel=1e-12)


def test_records_without_species_and_records_with_all_have_finite_losses():
    z = np.array([[0, 0], [1, 1]], dtype=np.uint8)
    for name in PRESENCE_LOSSES:
        loss = PresenceOnlyLoss(name, 2.0, np.ones(2), np.zeros((3, 2)), np.full(3, 1 / 3), None)
        data = _Presences(None, Samples(np.ones((2, 2)), z, np.ones(2)), loss, torch.device("cpu"), torch.float64)
        module = torch.nn.Linear(2, 2).double()
        total = data.total(module, slice(None))
        total.backward()
        assert torch.isfinite(module.weight.grad).all()
        if name != "full":
            assert_allclose(total.detach(), data.total(module, slice(1, 2)).detach(), rtol=1e-12)


def test_places_are_drawn_in_proportion_to_their_areas():
    share = np.array([0.7, 0.2, 0.1])
    loss = PresenceOnlyLoss("ssdl", 1.0, np.ones(1), np.zeros((3, 2)), share, batch_size=2)
    torch.manual_seed(0)
    rows = torch.cat([loss.draw()[0] for _ in range(5000)])
    assert_allclose(np.bincount(rows.numpy()) / 10_000, share, atol=0.02)
    assert_allclose(loss.draw()[1].exp().sum(), 1.0)


@pytest.mark.parametrize("loss", PRESENCE_LOSSES)
def test_a_constant_model_has_the_optimum_in_closed_form(loss):
    model = PresenceOnlyClassifier(
        "direct",
        Constant,
        loss=loss,
        background=GRID,
        learning_rate=0.1,
        max_epochs=400,
        positive_weight=6.0,
        **EXACTLY,
    ).fit(PLACES, SPECIES)
    frequency = np.array([30, 20, 10]) / 60
    odds = {
        "full": 6.0 * frequency / (2.0 - frequency),
        "slds": 2.0 * frequency / (1.0 - frequency),
        "ssdl": np.ones(3),
    }
    if loss in odds:
        expected = odds[loss] / (1.0 + odds[loss])
        assert_allclose(model.decision_function(PLACES[:1])[0], np.log(odds[loss]), atol=1e-3)
    else:
        # The density is flat: every place is typical.
        expected = np.full(3, 1.0 - np.exp(-1.0))
        area = GRID.domain_area() / 1e6
        rate = np.zeros(3) if loss == "maxent" else np.log(np.array([30, 20, 10]) / area)
        assert_allclose(model.decision_function(PLACES[:1])[0], rate, atol=1e-3)
    assert_allclose(model.predict_proba(PLACES[:1])[0], expected, atol=1e-3)


def test_linear_maxent_is_the_gibbs_distribution_of_scipy():
    decay, features, background = 0.01, vectors(PLACES), vectors(LATTICE)

    def loss(w):
        w = w.reshape(3, 3)
        log_mean = np.log(np.exp(background @ w.T).mean(axis=0))
        each = (log_mean - features @ w.T)[np.arange(60), np.repeat([0, 1, 2], [30, 20, 10])]
        return each.mean() + decay / 2.0 * np.sum(w**2)

    expected = minimize(loss, np.zeros(9), tol=1e-10).x.reshape(3, 3)
    settings = {"learning_rate": 0.05, "weight_decay": decay, "max_epochs": 1500}
    model = PresenceOnlyClassifier(
        "cartesian3d", "linear", loss="maxent", background=LATTICE, **settings, **EXACTLY
    ).fit(PLACES, SPECIES)
    assert_allclose(model.weights_["weight"], expected, atol=2e-3)
    # decision_function is the log of a density whose mean over the background is one, and predict_proba the
    # complementary log-log of Phillips et al. (2017): 1 - exp(-exp(entropy) raw), where raw sums to one.
    raw = np.exp(model.decision_function(LATTICE)) / len(LATTICE)
    assert_allclose(raw.sum(axis=0), 1.0, rtol=1e-9)
    entropy = -np.sum(raw * np.log(raw), axis=0)
    assert_allclose(model.predict_proba(LATTICE), 1.0 - np.exp(-np.exp(entropy) * raw), rtol=1e-9)


def test_a_poisson_process_recovers_a_known_intensity():
    rng = np.random.default_rng(3)
    sphere = 4.0 * np.pi * 6371.0088**2
    slope, rate = np.array([0.8, -0.5, 1.2]), 3000.0 / sphere

    def intensity(places):
        return rate * np.exp(vectors(places) @ slope)

    many = np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 20_000))), rng.uniform(-180, 180, 20_000)])
    highest = rate * np.exp(np.linalg.norm(slope))
    # Thinning of a homogeneous process of 20,000 places.
    records = many[rng.random(20_000) < intensity(many) / highest]
    scale = 20_000 / (highest * sphere)
    globe = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
    model = PresenceOnlyClassifier(
        "cartesian3d", "linear", loss="poisson", background=globe, learning_rate=0.03, max_epochs=400, **EXACTLY
    ).fit(records, np.zeros(len(records), dtype=int))
    # The errors of the coefficients are about 1 / sqrt(number of records) = 0.01.
    assert_allclose(model.weights_["weight"][0], slope, atol=0.06)
    difference = model.decision_function(LATTICE)[:, 0] - np.log(scale * intensity(LATTICE))
    assert np.abs(difference).max() < 0.1
    # The integral of the intensity is the number of records.
    cells = np.exp(model.predict_map(globe, response_method="decision_function")[..., 0])
    assert np.sum(cells * globe.cell_areas() / 1e6) == pytest.approx(len(records), rel=1e-3)


def test_a_matrix_of_indicators_is_as_good_as_labels():
    settings = {"network": "siren", "hidden_dim": 8, "max_epochs": 5, "background": LATTICE} | EXACTLY
    matrix = (SPECIES[:, np.newaxis] == np.unique(SPECIES)).astype(int)
    frame = pd.DataFrame(matrix, columns=["x", "b", "a"])
    for loss in PRESENCE_LOSSES:
        labels = PresenceOnlyClassifier("wrap", loss=loss, class_weight="balanced", **settings).fit(PLACES, SPECIES)
        for y in (matrix, frame, sparse.csr_matrix(matrix), matrix.tolist()):
            model = clone(labels).fit(PLACES, y)
            assert_array_equal(model.predict_proba(PLACES), labels.predict_proba(PLACES))
            assert model.classes_.tolist() == (["x", "b", "a"] if y is frame else [0, 1, 2])
    assert_array_equal(labels.n_records_, [30, 20, 10])


def test_a_matrix_of_one_column_is_one_species():
    seen = SPECIES == "a"
    settings = QUICK | {"loss": "maxent", "patience": None, "dtype": "float64"}
    labels = PresenceOnlyClassifier("wrap", **settings).fit(PLACES[seen], SPECIES[seen])
    for y in (seen[:, np.newaxis], pd.DataFrame({"a": seen})):
        # Rows without the species have no loss.
        model = PresenceOnlyClassifier("wrap", **settings, batch_size=None).fit(PLACES, y)
        again = clone(model).fit(PLACES[seen], y[seen])
        assert_allclose(model.predict_proba(PLACES), again.predict_proba(PLACES), rtol=0.02)
        assert model.predict_proba(PLACES).shape == labels.predict_proba(PLACES).shape == (60, 1)
        assert model.classes_.tolist() == [0 if isinstance(y, np.ndarray) else "a"]
        assert_array_equal(model.n_records_, [30])
        assert 0.0 < model.score(PLACES, y) <= 1.0
    with pytest.raises(ValueError, match="y holds True and False: expected the species of each record"):
        model.fit(PLACES, seen)


def test_columns_of_indicators_go_by_name():
    frame = pd.DataFrame(SPECIES[:, np.newaxis] == np.unique(SPECIES), columns=["x", "b", "a"])
    other = frame[["a", "x", "b"]]
    model = PresenceOnlyClassifier("wrap", **QUICK).fit(PLACES, frame, X_val=PLACES, y_val=frame)
    assert model.score(PLACES, other) == model.score(PLACES, frame)
    scorer = PresenceOnlyScorer(LATTICE)
    assert scorer(model, PLACES, other) == scorer(model, PLACES, frame)
    again = clone(model).fit(PLACES, frame, X_val=PLACES, y_val=other)
    assert_array_equal(again.validation_loss_curve_, model.validation_loss_curve_)
    for wrong in (other.rename(columns={"b": "q"}), other[["a", "b"]]):
        with pytest.raises(ValueError, match=r"y has \d columns, and the fit had 3 species: expected the same names"):
            model.score(PLACES, wrong)


def test_a_weight_of_two_counts_as_two_records():
    weight = np.where(PLACES[:, 1] > 20, 2, 1) * np.where(SPECIES == "c", 3, 1)
    weight[:4] = 0
    copies = np.repeat(np.arange(60), weight)
    for loss in PRESENCE_LOSSES:
        model = PresenceOnlyClassifier(
            "cartesian3d", "linear", loss=loss, background=LATTICE, class_weight="balanced", max_epochs=20, **EXACTLY
        )
        weighted = clone(model).fit(PLACES, SPECIES, sample_weight=weight)
        repeated = model.fit(PLACES[copies], SPECIES[copies])
        assert_allclose(weighted.predict_proba(PLACES), repeated.predict_proba(PLACES), rtol=1e-9)
        assert_array_equal(weighted.n_records_, repeated.n_records_)


def test_class_weights():
    model = PresenceOnlyClassifier(class_weight="balanced", **QUICK).fit(PLACES, SPECIES)
    assert_allclose(model._class_weights, [60 / 90, 60 / 60, 60 / 30])
    model.set_params(class_weight={"a": 2.0, "c": 0.0}).fit(PLACES, SPECIES)
    assert_allclose(model._class_weights, np.array([2.0, 1.0, 0.0]) * 60 / 80)
    for wrong in ({"d": 1.0}, {"a": -1.0}, {"a": 0, "b": 0, "c": 0}, "even", 3):
        with pytest.raises(ValueError, match="class_weight="):
            clone(model).set_params(class_weight=wrong).fit(PLACES, SPECIES)


# Training


def test_the_failure_of_a_softmax_far_from_records_is_avoided():
    from skgeo.nn import LocationClassifier

    settings = {"encoder": SphericalHarmonics(8), "hidden_dim": 32, "max_epochs": 60, "random_state": 0}
    far = LATTICE[np.max(vectors(LATTICE) @ vectors(PLACES).T, axis=1) < np.cos(np.radians(60.0))]
    softmax = LocationClassifier(**settings).fit(PLACES, SPECIES)
    assert softmax.predict_proba(far).max(axis=1).mean() > 0.6
    model = PresenceOnlyClassifier(**settings, n_background=2000).fit(PLACES, SPECIES)
    assert model.predict_proba(far).max(axis=1).mean() < 0.25
    assert model.score(PLACES, SPECIES) > 0.9


def test_validation_keeps_a_record_of_each_species(monkeypatch):
    split = {}

    def spy(build, loss, training, validation, *others):
        split.update(training=training, validation=validation)
        return train(build, loss, training, validation, *others)

    from skgeo.nn._training import train

    monkeypatch.setattr("skgeo.nn._base_estimator.train", spy)
    rare = np.array([*["a"] * 40, *"bcdefghij"])
    for y in (rare, rare[:, np.newaxis] == np.unique(rare)):
        model = PresenceOnlyClassifier(validation_fraction=0.5, **QUICK).fit(PLACES[:49], y)
        target = split["training"].target
        assert set(target if target.ndim == 1 else np.argmax(target, axis=1)) == set(range(10))
        assert len(split["training"].inputs) + len(split["validation"].inputs) == 49
        assert len(split["validation"].inputs) == 25
        assert len(model.validation_loss_curve_) == 3
    with pytest.raises(ValueError, match=r"9 samples .*, one of each species: none is left to validate"):
        PresenceOnlyClassifier(**QUICK).fit(PLACES[:9], rare[-9:])
    assert PresenceOnlyClassifier(patience=None, **QUICK).fit(PLACES[:9], rare[-9:]).classes_.tolist() == [*"bcdefghij"]


def test_the_same_seed_gives_the_same_bits_and_leaves_torch_alone():
    model = PresenceOnlyClassifier("wrap", "fcnet", batch_size=16, **QUICK)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one = clone(model).fit(PLACES, SPECIES)
    assert torch.get_rng_state().equal(state)
    torch.rand(3)
    other = clone(model).fit(PLACES, SPECIES)
    assert_array_equal(one.predict_proba(LATTICE), other.predict_proba(LATTICE))
    assert_array_equal(one.background_, other.background_)
    third = clone(model).set_params(random_state=1).fit(PLACES, SPECIES)
    assert (third.background_ != one.background_).all()


def test_transformers_and_frozen_embeddings():
    own = make_pipeline(Cartesian3DEncoder(), StandardScaler())
    model = PresenceOnlyClassifier(own, "linear", background=GRID, **EXACTLY, max_epochs=5).fit(PLACES, SPECIES)
    # The encoder is fitted on the background, which is the domain.
    assert_allclose(model.encoder_[-1].mean_, vectors(model.background_).mean(axis=0), atol=1e-12)
    fitted = clone(own).fit(PLACES)
    frozen = PresenceOnlyClassifier(FrozenEstimator(fitted), "linear", background=GRID, **EXACTLY, max_epochs=5)
    frozen.fit(PLACES, SPECIES)
    assert_array_equal(frozen.encoder_.transform(PLACES), fitted.transform(PLACES))
    own = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh()).double()
    module = PresenceOnlyClassifier(own, "linear", background=GRID, **EXACTLY, max_epochs=5)
    assert module.fit(PLACES, SPECIES).predict(PLACES).shape == (60,)


def test_pretrained_embeddings(tmp_path):
    rng = np.random.default_rng(0)
    contrastive = ContrastiveLocationEncoder("wrap", "linear", embed_dim=4, max_epochs=1, patience=None, random_state=0)
    contrastive.fit(PLACES, rng.normal(size=(60, 5)))
    shapes = {"layers.0.weight": (8, 9), "layers.0.bias": 8, "last_layer.weight": (4, 8), "last_layer.bias": 4}
    encoders = [
        PretrainedEncoder(GeoCLIPWeights(geoclip_arrays(3, 6, 10, 8))),
        PretrainedEncoder(SatCLIPWeights({name: rng.normal(size=shape) for name, shape in shapes.items()})),
        PretrainedEncoder(contrastive.to_torch()),
        FrozenEstimator(contrastive),
    ]
    for encoder in encoders:
        model = PresenceOnlyClassifier(encoder, "linear", background=GRID, **EXACTLY, max_epochs=2).fit(PLACES, SPECIES)
        # A linear network on the columns of the embedding.
        logits = clone(encoder).fit(PLACES, None).transform(PLACES) @ model.weights_["weight"].T
        assert_allclose(model.decision_function(PLACES), logits + model.weights_.get("bias", 0.0), rtol=1e-5, atol=1e-6)
        skgeo.save(model, tmp_path / "model.npz")
        assert_array_equal(skgeo.load(tmp_path / "model.npz").predict_proba(PLACES), model.predict_proba(PLACES))
    with pytest.raises(ValueError, match=r"encoder=Contrast.*expected .* FrozenEstimator\(encoder\) of a fitted one"):
        PresenceOnlyClassifier(contrastive, **QUICK).fit(PLACES, SPECIES)


# Backgrounds


def test_cells_count_by_area_inside_of_the_mask():
    model = PresenceOnlyClassifier("direct", background=GRID, **QUICK).fit(PLACES, SPECIES)
    inside = GRID.mask.ravel()
    assert_array_equal(model.background_, GRID.points()[inside])
    areas = GRID.cell_areas().ravel()[inside]
    assert_allclose(model.background_weight_, areas / areas.sum(), rtol=1e-12)
    latitude, longitude = np.meshgrid([50.0, np.nan], [10.0, 20.0], indexing="ij")
    cells = CellGrid(latitude, longitude, areas=np.array([[1e9, 3e9], [1e9, 1e9]]))
    with pytest.warns(CoordinateWarning, match="from all cells of background"):
        model.set_params(background=cells).fit(PLACES, SPECIES)
    assert_allclose(model.background_weight_, [0.25, 0.75])
    xarray = pytest.importorskip("xarray")
    mask = xarray.DataArray(
        GRID.mask, coords={"lat": GRID.latitude, "lon": GRID.longitude}, dims=("lat", "lon"), name="land"
    )
    assert len(model.set_params(background=mask).fit(PLACES, SPECIES).background_) == 18 * 36


def test_uniform_places_are_uniform_by_area():
    model = PresenceOnlyClassifier("direct", "linear", n_background=20_000, max_epochs=1).fit(PLACES, SPECIES)
    xyz = vectors(model.background_)
    assert_allclose(xyz.mean(axis=0), 0.0, atol=0.02)
    assert_allclose(xyz.T @ xyz / 20_000, np.eye(3) / 3.0, atol=0.01)


def test_target_groups():
    model = PresenceOnlyClassifier("direct", background="records", **QUICK, patience=None).fit(PLACES, SPECIES)
    assert_array_equal(model.background_, PLACES)
    frame = pd.DataFrame(PLACES[:, ::-1], columns=["decimalLongitude", "decimalLatitude"])
    weight = np.arange(60.0)
    model.set_params(background=frame, background_weight=weight).fit(PLACES, SPECIES)
    assert_array_equal(model.background_, PLACES[1:])
    assert_allclose(model.background_weight_, weight[1:] / weight.sum())
    # With areas as weights, intensities are records in their unit.
    settings = {"loss": "poisson", "learning_rate": 0.1, "max_epochs": 300} | EXACTLY
    flat = PresenceOnlyClassifier(
        "direct", Constant, background=LATTICE, background_weight=np.full(400, 2.0), **settings
    )
    assert_allclose(
        flat.fit(PLACES, SPECIES).decision_function(PLACES[:1])[0], np.log([30 / 800, 20 / 800, 10 / 800]), atol=1e-3
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "sea"}, "background='sea': expected 'uniform', 'records', a LatLonGrid"),
        ({"background": None}, "background=None: expected"),
        ({"background": [[95.0, 0.0]]}, "background: X has latitudes outside"),
        ({"background": GRID, "background_weight": np.ones(648)}, "background_weight=.*expected None: cells"),
        ({"background_weight": [1.0]}, "background_weight=.*: expected None with background='uniform'"),
        ({"background": LATTICE, "background_weight": [1.0]}, "background_weight: sample_weight has shape"),
        ({"loss": "softmax"}, "loss='softmax': expected 'full'"),
        ({"loss": np.ones(2)}, "loss=array"),
        ({"positive_weight": 0}, "positive_weight=0: expected a positive number or None"),
        ({"n_background": 0}, "n_background=0"),
        ({"covariates": 1}, "covariates=1: expected True or False"),
        ({"covariates": True}, "covariates=True: X, a ndarray, has no covariates"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    model = PresenceOnlyClassifier(**(QUICK | options))
    with pytest.raises(ValueError, match=message):
        model.fit(PLACES, SPECIES)
    assert not hasattr(model, "classes_")
    assert "_species_columns" not in vars(model)


def test_doubtful_backgrounds_are_warned_of():
    sea = LatLonGrid(GRID.latitude, GRID.longitude, mask=np.broadcast_to(np.abs(GRID.longitude - 220) < 60, GRID.shape))
    with pytest.warns(CoordinateWarning, match=r"54 of 54 records are more than \d+ km from all cells of background"):
        PresenceOnlyClassifier(background=sea, **QUICK).fit(PLACES, SPECIES)
    # A quarter of the records in another region is doubtful, too; a search warns once.
    south = LatLonGrid(np.arange(-89.0, 30), GRID.longitude)
    few = PLACES[:, 0] < 25.0
    few[np.flatnonzero(~few)[:10]] = True
    search = GridSearchCV(PresenceOnlyClassifier(background=south, **QUICK), {"loss": ["full", "maxent"]}, cv=2)
    with pytest.warns(CoordinateWarning, match="Leave out records of other regions") as found:
        search.fit(PLACES[few], np.where(SPECIES[few] == "c", "c", "b"))
    assert len(found) == 1
    with pytest.warns(CoordinateWarning, match="X lies within the range of radians"):
        PresenceOnlyClassifier(background=np.radians(LATTICE), **QUICK).fit(PLACES, SPECIES)


def test_wrong_targets_are_named():
    model = PresenceOnlyClassifier(**QUICK)
    twice = pd.DataFrame(SPECIES[:, np.newaxis] == np.unique(SPECIES), columns=["a", "b", "a"])
    with pytest.raises(ValueError, match="y has columns with the same name: expected each species once"):
        model.fit(PLACES, twice)
    counts = np.tile([0, 2, 1], (60, 1))
    for y, message in [
        (counts, r"Unknown label type.*zeros and ones.*use y > 0"),
        (np.tile([0, 1, 1], (60, 1)), r"no record of the species \[0\], 1 in all: drop their columns"),
        (SPECIES[:50], "inconsistent numbers of samples"),
        (np.full(60, np.nan), "NaN"),
        (None, "requires y"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(PLACES, y)
    with pytest.raises(ValueError, match=r"loss='slds' compares species with each other, and y has one class"):
        clone(model).set_params(loss="slds").fit(PLACES, np.zeros(60))
    assert model.fit(PLACES, np.zeros(60)).predict_proba(PLACES).shape == (60, 1)
    with pytest.raises(ValueError, match=r"y_val has the class 'd', which is none of"):
        model.fit(PLACES, SPECIES, X_val=PLACES[:1], y_val=["d"])
    with pytest.raises(ValueError, match=r"y_val has shape \(60, 3\): expected \(n_samples,\)"):
        model.fit(PLACES, SPECIES, X_val=PLACES, y_val=np.eye(3)[np.zeros(60, int)])
    with pytest.raises(CoordinateError, match="latitudes outside"):
        model.fit(PLACES + 90, SPECIES)


# Covariates


def with_covariates():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(PLACES, columns=["latitude", "longitude"])
    frame["height"] = 1000.0 + 200.0 * (SPECIES == "b") + rng.normal(0, 50, 60)
    frame.insert(0, "wet", rng.integers(0, 2, 60).astype(bool))
    background = pd.DataFrame(LATTICE, columns=["lat", "lon"])
    return frame, background.assign(height=rng.uniform(800, 1400, 400), wet=rng.random(400) < 0.5)


def test_covariates_beside_coordinates():
    frame, background = with_covariates()
    settings = {"loss": "maxent", "covariates": True, "learning_rate": 0.05, "max_epochs": 400} | EXACTLY
    model = PresenceOnlyClassifier("cartesian3d", "linear", background=background, **settings).fit(frame, SPECIES)
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == ["wet", "latitude", "longitude", "height"]
    assert_allclose(model._covariate_mean, background[["wet", "height"]].mean())
    # Columns are found by name, whatever their order.
    assert_array_equal(
        model.predict_proba(frame[["height", "longitude", "wet", "latitude"]]), model.predict_proba(frame)
    )
    rows = np.column_stack([frame[name] for name in ("latitude", "longitude", "wet", "height")]).astype(float)
    places = np.column_stack([background[name] for name in ("lat", "lon", "wet", "height")]).astype(float)
    array = PresenceOnlyClassifier("cartesian3d", "linear", background=places, **settings).fit(rows, SPECIES)
    assert_allclose(array.predict_proba(rows), model.predict_proba(frame), rtol=1e-9)
    # They are beside the embedding: a linear network on standardised columns.
    weights = model.weights_["weight"]
    assert weights.shape == (3, 5)
    assert weights[1, 4] > 0.2  # "b" lives above the others
    cells = pd.DataFrame({"height": np.linspace(800, 1400, 648), "wet": True})
    cells.loc[~GRID.mask.ravel(), "height"] = np.nan
    found = model.predict_map(GRID, species=["b"], covariates=cells)
    table = cells.assign(latitude=GRID.points()[:, 0], longitude=GRID.points()[:, 1])[GRID.mask.ravel()]
    assert_allclose(found[GRID.mask][:, 0], model.predict_proba(table)[:, 1], rtol=1e-12)
    assert 0.0 < model.score(frame, SPECIES) <= 1.0


def test_missing_covariates_are_named():
    frame, background = with_covariates()
    model = PresenceOnlyClassifier(covariates=True, background=background, **QUICK)
    for options, message in [
        ({"background": "uniform"}, r"background='uniform' has no covariates, and covariates=True: expected 'records'"),
        ({"background": GRID}, "background has no covariates: expected a DataFrame"),
        ({"background": background[["lat", "lon", "wet"]]}, r"background has other covariates .* lacks \['height'\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            clone(model).set_params(**options).fit(frame, SPECIES)
    for options, table, message in [
        ({"background": background.assign(height=np.nan)}, frame, r"^background: .* \['height'\] contain NaN"),
        ({}, frame.assign(wet="yes"), r"\['wet'\] hold no numbers.* in a ColumnTransformer, or drop them\.$"),
    ]:
        with pytest.raises(ValueError, match=message):
            clone(model).set_params(**options).fit(table, SPECIES)
    with pytest.raises(ValueError, match="NaN or infinity in 1 row, first row 3: drop or impute these rows first"):
        model.fit(frame.assign(height=np.where(np.arange(60) == 3, np.nan, 1.0)), SPECIES)
    model.fit(frame, SPECIES)
    with pytest.raises(ValueError, match="covariates=None: expected the covariates of all cells"):
        model.predict_map(GRID)
    with pytest.raises(ValueError, match="covariates has 60 rows: expected 648, one for each cell"):
        model.predict_map(GRID, covariates=frame[["wet", "height"]])
    with pytest.raises(ValueError, match="to_torch needs a model without covariates"):
        model.to_torch()
    with pytest.raises(ValueError, match="has no covariates beside latitude"):
        model.predict(PLACES)
    records = clone(model).set_params(background="records", patience=None).fit(frame, SPECIES)
    assert records.background_.shape == (60, 4)


# What comes out


def test_maps_follow_the_mask_and_the_chosen_species():
    model = PresenceOnlyClassifier("wrap", **QUICK).fit(PLACES, SPECIES)
    every = model.predict_map(GRID)
    assert every.shape == (18, 36, 3)
    assert np.isnan(every[~GRID.mask]).all()
    assert_allclose(every[GRID.mask], model.predict_proba(GRID.points()[GRID.mask.ravel()]), rtol=1e-6)
    assert_array_equal(model.predict_map(GRID, species=["c", "a"]), every[..., [2, 0]])
    assert_array_equal(model.predict_map(GRID, species="b"), every[..., [1]])
    score = model.predict_map(GRID, response_method="decision_function")
    assert_allclose(expit(score[GRID.mask]), every[GRID.mask], rtol=1e-12)
    for options, message in [
        (
            {"species": "d"},
            r"species='d': no record of \['d'\] was in the fit\. .* such as 'a'",
        ),
        ({"species": []}, r"species=\[\]"),
        ({"response_method": "predict"}, "response_method='predict': expected"),
        ({"covariates": PLACES}, "expected None: the model has no covariates"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.predict_map(GRID, **options)
    with pytest.raises(ValueError, match="grid is a ndarray: expected a LatLonGrid"):
        model.predict_map(PLACES)


def test_ranges_across_the_antimeridian():
    places = np.column_stack([PLACES[:, 0], PLACES[:, 1] + 160.0])
    around = np.where(places[:, 1] > 180.0, places[:, 1] - 360.0, places[:, 1])
    frame = pd.DataFrame({"decimalLongitude": around, "decimalLatitude": places[:, 0]})
    latitude, longitude = np.arange(-55.0, 75, 10), np.arange(135.0, 226, 10)
    east = LatLonGrid(latitude, longitude)
    west = LatLonGrid(latitude, np.where(longitude > 180, longitude - 360, longitude))
    one = PresenceOnlyClassifier("cartesian3d", background=east, **QUICK).fit(places, SPECIES)
    other = PresenceOnlyClassifier("cartesian3d", background=west, **QUICK).fit(frame, SPECIES)
    assert_allclose(other.predict_map(west), one.predict_map(east), rtol=1e-4)


def test_predictions_are_the_species_of_the_largest_score():
    model = PresenceOnlyClassifier("cartesian3d", learning_rate=0.02, max_epochs=60, n_background=500, random_state=0)
    model.fit(PLACES, SPECIES)
    assert np.mean(model.predict(PLACES) == SPECIES) > 0.9
    assert not np.allclose(model.predict_proba(PLACES).sum(axis=1), 1.0, atol=0.1)
    cells = CellGrid(np.array([[10.0, np.nan]]), np.array([[10.0, 20.0]]), areas=np.ones((1, 2)))
    with pytest.raises(ValueError, match="1 cells without a place, the first at 1: these cells have no species"):
        model.predict(cells)
    assert np.isnan(model.predict_proba(cells)).any(axis=1).tolist() == [False, True]


@pytest.mark.parametrize("loss", PRESENCE_LOSSES)
def test_files_pickles_and_modules_give_the_same_bits(loss, tmp_path):
    model = PresenceOnlyClassifier("wrap", loss=loss, background=GRID, **QUICK).fit(PLACES, SPECIES)
    skgeo.save(model, tmp_path / "model.npz")
    for other in (skgeo.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
        assert_array_equal(other.predict_proba(LATTICE), model.predict_proba(LATTICE))
        assert_array_equal(other.predict_map(GRID), model.predict_map(GRID))
        assert other.score(PLACES, SPECIES) == model.score(PLACES, SPECIES)
    points = torch.tensor(LATTICE)
    assert_allclose(model.to_torch()(points).detach(), model.decision_function(LATTICE), rtol=1e-4, atol=1e-5)


def test_files_of_covariates_and_indicators(tmp_path):
    frame, background = with_covariates()
    table = np.column_stack([background[name] for name in ("lat", "lon", "wet", "height")]).astype(float)
    y = pd.DataFrame(SPECIES[:, np.newaxis] == np.unique(SPECIES), columns=["z", "y", "x"])
    model = PresenceOnlyClassifier(covariates=True, background=table, **QUICK)
    with pytest.warns(CoordinateWarning, match=r"background does not have .* taken to be \['wet', 'height'\]"):
        model.fit(frame, y)
    skgeo.save(model, tmp_path / "model.npz")
    loaded = skgeo.load(tmp_path / "model.npz")
    assert loaded.classes_.tolist() == ["z", "y", "x"]
    with pytest.warns(CoordinateWarning, match="background does not have"):
        model.fit(frame, y.set_axis([10, 5, 7], axis=1))
    skgeo.save(model, tmp_path / "model.npz")
    assert skgeo.load(tmp_path / "model.npz").classes_.tolist() == [10, 5, 7]
    assert_array_equal(loaded.predict_proba(frame), model.predict_proba(frame))


def test_the_score_is_the_mean_auc_against_the_background():
    model = PresenceOnlyClassifier("wrap", background=GRID, **QUICK).fit(PLACES, SPECIES)
    area = GRID.cell_areas()[GRID.mask]
    background, records = model.decision_function(GRID.points()[GRID.mask.ravel()]), model.decision_function(PLACES)
    each = [
        roc_auc_score(
            np.repeat([1, 0], [np.sum(name == SPECIES), len(area)]),
            np.concatenate([records[name == SPECIES, i], background[:, i]]),
            sample_weight=np.concatenate([np.ones(np.sum(name == SPECIES)), area / area.mean()]),
        )
        for i, name in enumerate("abc")
    ]
    assert model.score(PLACES, SPECIES) == pytest.approx(np.mean(each), rel=1e-6)
    assert model.score(PLACES[SPECIES == "a"], SPECIES[SPECIES == "a"]) == pytest.approx(each[0], rel=1e-6)
    with pytest.warns(UserWarning, match="1 of 2 records of species that the model has not learned"):
        assert model.score(PLACES[:2], ["a", "q"]) > 0.0


def test_a_search_with_a_presence_only_scorer():
    model = PresenceOnlyClassifier("cartesian3d", max_epochs=30, learning_rate=0.02, n_background=200, random_state=0)
    scorer = PresenceOnlyScorer(LATTICE)
    for scoring in (scorer, None, PresenceOnlyScorer(LATTICE, metric="boyce")):
        search = GridSearchCV(
            model, {"loss": ["full", "maxent"]}, scoring=scoring, cv=KFold(2, shuffle=True, random_state=0)
        )
        search.fit(PLACES, SPECIES)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.score(PLACES, SPECIES) > 0.8
    assert scorer(search.best_estimator_, PLACES, SPECIES) > 0.8


def test_metadata_of_the_fit_is_that_of_the_training():
    model = PresenceOnlyClassifier("wrap", **QUICK).fit(PLACES, SPECIES)
    assert FrozenAndTrained(*model._build()).trained is not None
    assert model.n_epochs_ == 3
    assert model.background_.shape == (50, 2)


def test_zeros_and_ones_are_doubtful_species():
    with pytest.warns(CoordinateWarning, match=r"two species\. If 1 says .* y\[:, None\], or the records alone"):
        PresenceOnlyClassifier("wrap", background=GRID, **QUICK).fit(PLACES, (SPECIES == "a").astype(int))
    with pytest.raises(ValueError, match="y holds -1, 0 and 1: .* -1 says that a species was not surveyed"):
        PresenceOnlyClassifier("wrap", background=GRID, **QUICK).fit(
            PLACES, np.where(SPECIES[:, None] == ["a", "b"], -1, 1)
        )


def test_records_of_a_country_need_a_background():
    country = np.random.default_rng(0).uniform([-37, 141], [-28, 153], (60, 2))
    with pytest.warns(CoordinateWarning, match=r"all records lie in 0\.\d\d% of its area\. .* Give background= a grid"):
        PresenceOnlyClassifier("wrap", **QUICK).fit(country, SPECIES)


def test_a_frame_as_background_cannot_be_saved(tmp_path):
    model = PresenceOnlyClassifier("wrap", background=pd.DataFrame(PLACES, columns=["lat", "lon"]), **QUICK)
    model.fit(PLACES, SPECIES)
    with pytest.raises(TypeError, match=r"Give an array, set_params\(background=background\.to_numpy\(\)\)"):
        skgeo.save(model, tmp_path / "model.npz")
    skgeo.save(model.set_params(background=PLACES), tmp_path / "model.npz")
