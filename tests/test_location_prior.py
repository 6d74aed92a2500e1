"""Image probabilities and a prior of places: Bayes' rule, the temperature, input and files."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, cross_val_predict

import skgeo
from skgeo import LocationPriorClassifier, combine_with_image_scores

RNG = np.random.default_rng(0)
SPECIES = RNG.choice(["a", "b", "c"], 300)
CODES = np.searchsorted(["a", "b", "c"], SPECIES)
PLACES = np.column_stack([RNG.normal(np.array([-20.0, 0.0, 20.0])[CODES], 12.0), RNG.uniform(0, 90, 300)])
LOGITS = RNG.normal(size=(300, 3)) + np.eye(3)[CODES]
IMAGE = softmax(3.0 * LOGITS, axis=1)  # too sure of itself
X = np.column_stack([PLACES, IMAGE])
PRIOR = LogisticRegression()


def test_the_product_is_the_rule_of_bayes():
    # A joint distribution of class, image and place, in which image and place are independent given the class.
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.ones(4))
    image_of, place_of = rng.dirichlet(np.ones(6), 4), rng.dirichlet(np.ones(5), 4)
    joint = np.einsum("c,ci,cp->ipc", share, image_of, place_of)
    expected = (joint / joint.sum(axis=2, keepdims=True)).reshape(30, 4)
    given_image = joint.sum(axis=1) / joint.sum(axis=(1, 2))[:, np.newaxis]
    given_place = joint.sum(axis=0) / joint.sum(axis=(0, 2))[:, np.newaxis]
    image, place = np.repeat(given_image, 5, axis=0), np.tile(given_place, (6, 1))
    assert_allclose(combine_with_image_scores(image, place, class_prior=share), expected, rtol=1e-12)
    # Rows of the prior need not sum to one, and a flat class prior is none.
    scaled = place * rng.uniform(0.1, 3.0, (30, 1))
    assert_allclose(combine_with_image_scores(image, scaled, class_prior=7 * share), expected, rtol=1e-12)
    flat = image * place / (image * place).sum(axis=1, keepdims=True)
    assert_allclose(combine_with_image_scores(image, place), flat, rtol=1e-12)
    assert_allclose(combine_with_image_scores(image, place, class_prior=np.ones(4)), flat, rtol=1e-12)
    powers = image**0.5 * place**2
    found = combine_with_image_scores(image, place, temperature=2.0, prior_weight=2.0)
    assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)
    assert_allclose(combine_with_image_scores(image, place, prior_weight=0.0), image, rtol=1e-12)


def test_probabilities_of_zero_exclude_nothing_for_certain():
    found = combine_with_image_scores([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]])
    assert_allclose(found, [[0.5, 0.5], [1.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize(
    ("image", "prior", "options", "message"),
    [
        ([[0.5, -0.5]], [[1, 1]], {}, "image_probabilities has values that are negative, .*first in row 0"),
        ([[0.5, np.nan]], [[1, 1]], {}, "image_probabilities has values that are negative, NaN"),
        ([[0.5, 0.5]], [[0, 0]], {}, "prior has no probability above zero in 1 rows, the first is row 0"),
        ([[0.5, 0.5]], [[1, 1, 1]], {}, r"prior has shape \(1, 3\): expected \(1, 2\)"),
        ([0.5, 0.5], [[1, 1]], {}, r"image_probabilities has shape \(2,\)"),
        ([[0.5, 0.5]], [[1, 1]], {"class_prior": [1.0]}, "class_prior=.*: expected 2 positive numbers"),
        ([[0.5, 0.5]], [[1, 1]], {"class_prior": [1.0, 0.0]}, "expected 2 positive numbers"),
        ([[0.5, 0.5]], [[1, 1]], {"temperature": 0}, "temperature=0: expected a positive number"),
        ([[0.5, 0.5]], [[1, 1]], {"prior_weight": -1}, "prior_weight=-1: expected"),
    ],
)
def test_wrong_probabilities_are_named(image, prior, options, message):
    with pytest.raises(ValueError, match=message):
        combine_with_image_scores(image, prior, **options)


@pytest.mark.parametrize("weight", [1.0, "fit"])
def test_the_temperature_minimises_the_log_loss_of_held_out_places(weight):
    cv = KFold(4, shuffle=True, random_state=0)
    sample_weight = np.linspace(0.5, 1.5, 300)
    model = LocationPriorClassifier(PRIOR, prior_weight=weight, cv=cv).fit(X, SPECIES, sample_weight)
    # With another optimiser, without gradients, on predictions that cross-validation makes for each place.
    params = {"sample_weight": sample_weight}
    place = cross_val_predict(PRIOR, PLACES, SPECIES, cv=cv, method="predict_proba", params=params)

    def loss(logs):
        strength = np.exp(logs[1]) if weight == "fit" else 1.0
        found = combine_with_image_scores(IMAGE, place, temperature=np.exp(logs[0]), prior_weight=strength)
        return log_loss(SPECIES, found, sample_weight=sample_weight)

    best = minimize(
        loss, np.zeros(1 + (weight == "fit")), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}
    )
    expected = np.exp(best.x)
    assert model.temperature_ == pytest.approx(expected[0], rel=1e-3)
    assert model.prior_weight_ == pytest.approx(expected[1] if weight == "fit" else 1.0, rel=1e-3)
    assert model.temperature_ > 2.0
    # The prior itself is fitted on all places.
    assert_allclose(model.prior_.coef_, clone(PRIOR).fit(PLACES, SPECIES, sample_weight).coef_)


def test_a_frozen_prior_stays_as_it_is():
    prior = clone(PRIOR).fit(PLACES[:200], SPECIES[:200])
    model = LocationPriorClassifier(FrozenEstimator(prior)).fit(X[200:], SPECIES[200:])
    found = model.predict_proba(X)
    options = {"temperature": model.temperature_, "class_prior": np.ones(3)}
    assert_allclose(found, combine_with_image_scores(IMAGE, prior.predict_proba(PLACES), **options), rtol=1e-12)
    assert_allclose(found.sum(axis=1), 1.0)
    assert_array_equal(model.predict(X), model.classes_[found.argmax(axis=1)])
    assert model.score(X, SPECIES) > np.mean(IMAGE.argmax(axis=1) == CODES) + 0.05
    # Its classes count, even if some are not among the labels.
    few = LocationPriorClassifier(FrozenEstimator(prior)).fit(X[SPECIES != "c"], SPECIES[SPECIES != "c"])
    assert few.classes_.tolist() == ["a", "b", "c"]


def test_class_priors():
    prior = FrozenEstimator(clone(PRIOR).fit(PLACES, SPECIES))
    empirical = LocationPriorClassifier(prior, class_prior="empirical", temperature=1.0).fit(X, SPECIES)
    shares = np.bincount(CODES) / 300
    assert_allclose(empirical.class_prior_, shares)
    given = LocationPriorClassifier(prior, class_prior=300 * shares, temperature=1.0).fit(X, SPECIES)
    assert_allclose(given.predict_proba(X), empirical.predict_proba(X), rtol=1e-12)
    flat = LocationPriorClassifier(prior, temperature=2.0, prior_weight=0.5).fit(X, SPECIES)
    assert_allclose(flat.class_prior_, 1 / 3)
    assert (flat.temperature_, flat.prior_weight_) == (2.0, 0.5)


def test_frames_go_by_the_names_of_classes():
    model = LocationPriorClassifier(PRIOR, temperature=1.0).fit(X, SPECIES)
    frame = pd.DataFrame(IMAGE, columns=["a", "b", "c"]).assign(longitude=PLACES[:, 1], latitude=PLACES[:, 0])
    frame = frame[["c", "longitude", "a", "latitude", "b"]]
    named = clone(model).fit(frame, SPECIES)
    assert_allclose(named.predict_proba(frame), model.predict_proba(X), rtol=1e-12)
    assert_allclose(named.predict_proba(frame.iloc[:, ::-1]), model.predict_proba(X), rtol=1e-12)
    assert (model.n_features_in_, named.feature_names_in_.tolist()) == (5, list(frame.columns))
    # Other columns, such as a date, do no harm.
    assert_allclose(named.predict_proba(frame.assign(day=3.0)), model.predict_proba(X), rtol=1e-12)
    with pytest.raises(ValueError, match=r"X has no column for the classes \['a'\], 1 in all"):
        named.predict(frame.drop(columns="a"))
    with pytest.raises(ValueError, match="X has 4 features, but LocationPriorClassifier is expecting 5"):
        model.predict(X[:, :4])
    with pytest.raises(ValueError, match="has no image probabilities: expected 5 columns"):
        model.predict(PLACES)
    with pytest.raises(ValueError, match="latitudes outside"):
        model.predict(X + 100)
    with pytest.raises(ValueError, match="image_probabilities has values that are negative"):
        model.predict(np.column_stack([PLACES, LOGITS]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "species"}, "prior='species': expected a classifier of places with predict_proba"),
        ({"prior": LogisticRegression}, "expected a classifier of places"),
        ({"temperature": "best"}, "temperature='best': expected 'fit' or a positive number"),
        ({"temperature": 0.0}, "temperature=0.0"),
        ({"prior_weight": -0.1}, "prior_weight=-0.1"),
        ({"class_prior": "uniform"}, "class_prior='uniform': expected 'flat', 'empirical' or an array"),
        ({"class_prior": [1.0, 1.0]}, "expected 3 positive numbers"),
        ({"cv": 1}, "cv=1: expected None, an integer, at least 2, a splitter, or an iterable"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    model = LocationPriorClassifier(PRIOR).set_params(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(X, SPECIES)
    assert not hasattr(model, "classes_")


def test_files_and_pickles(tmp_path):
    model = LocationPriorClassifier(FrozenEstimator(clone(PRIOR).fit(PLACES, SPECIES))).fit(X, SPECIES)
    skgeo.save(model, tmp_path / "model.npz")
    for other in (skgeo.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
        assert_array_equal(other.predict_proba(X), model.predict_proba(X))
