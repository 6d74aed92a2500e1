"""Scores of presence-only models: against formulas of their papers written down anew, and against scikit-learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgeo.metrics import PresenceOnlyScorer, continuous_boyce_index, mean_presence_auc, mean_species_score
from skgeo.metrics._presence import presence_matrix


def ecospat_boyce(fit, obs, res=100):
    """ecospat.boyce of the R package ecospat with its defaults, line by line, but for the shift of the last window."""
    lowest, highest = min(fit.min(), obs.min()), max(fit.max(), obs.max())
    width = (fit.max() - fit.min()) / 10
    step = (highest - lowest - width) / res
    ratios, starts = [], []
    for i in range(res + 1):
        start = lowest + i * step
        observed = np.mean((obs >= start) & (obs <= start + width + 1e-12))
        expected = np.mean((fit >= start) & (fit <= start + width + 1e-12))
        if expected > 0:
            ratios.append(round(observed / expected, 10))
            starts.append(start)
    kept = [i for i in range(len(ratios)) if i == len(ratios) - 1 or ratios[i] != ratios[i + 1]]
    return spearmanr(np.array(ratios)[kept], np.array(starts)[kept]).statistic


@pytest.mark.parametrize("seed", range(6))
def test_boyce_is_that_of_ecospat(seed):
    rng = np.random.default_rng(seed)
    background, records = rng.beta(1, 3, 700), rng.beta(1 + seed / 3, 2.5, 40)
    assert continuous_boyce_index(records, background) == pytest.approx(ecospat_boyce(background, records), abs=1e-9)


def test_boyce_weights_are_copies_and_scales_do_not_matter():
    rng = np.random.default_rng(0)
    background, records = rng.normal(size=200), rng.normal(0.5, 1.0, 50)
    times, areas = rng.integers(1, 4, 50), rng.integers(1, 4, 200)
    found = continuous_boyce_index(records, background, sample_weight=times, background_weight=areas)
    copies = continuous_boyce_index(np.repeat(records, times), np.repeat(background, areas))
    assert found == pytest.approx(copies, abs=1e-9)
    assert continuous_boyce_index(8 * records + 1, 8 * background + 1) == pytest.approx(
        continuous_boyce_index(records, background), abs=1e-9
    )
    wide = continuous_boyce_index(records, background, n_windows=20, window_width=2.0)
    assert -1.0 <= wide <= 1.0


def test_boyce_by_area_is_that_of_shares_of_the_area():
    rng = np.random.default_rng(3)
    records, background, area = rng.normal(0.5, 1, 80).round(1), rng.normal(size=900).round(1), rng.uniform(size=900)
    lower = [area[background < score].sum() + area[background == score].sum() / 2 for score in records]
    shares = [area[background < score].sum() + area[background == score].sum() / 2 for score in background]
    expected = continuous_boyce_index(lower / area.sum(), shares / area.sum(), background_weight=area)
    options = {"by_area": True, "background_weight": area}
    assert continuous_boyce_index(records, background, **options) == pytest.approx(expected, abs=1e-6)
    other_scale = continuous_boyce_index(np.exp(5 * records), np.exp(5 * background), **options)
    assert other_scale == pytest.approx(expected, abs=1e-6)
    assert continuous_boyce_index(np.exp(5 * records), np.exp(5 * background)) != pytest.approx(expected, abs=0.1)


def test_boyce_without_an_answer_is_nan():
    assert np.isnan(continuous_boyce_index([0.5, 0.5], np.full(10, 0.5)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_windows": 1}, "n_windows=1: expected an integer, at least 2"),
        ({"window_width": -1.0}, "window_width=-1.0"),
        ({"window_width": 0}, "window_width=0: expected a positive number or None"),
        ({"presence_scores": []}, r"presence_scores has shape \(0,\)"),
        ({"presence_scores": [[1.0]]}, r"presence_scores has shape \(1, 1\)"),
        ({"background_scores": [1.0, np.nan]}, "background_scores has 1 values that are NaN"),
        ({"sample_weight": [-1.0, 1.0]}, "must not be negative"),
    ],
)
def test_boyce_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        continuous_boyce_index(**({"presence_scores": [0.1, 0.2], "background_scores": [0.0, 1.0]} | options))


def test_means_over_species_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    occurrence, scores = rng.integers(-1, 2, (60, 5)).astype(float), rng.normal(size=(60, 5))
    occurrence[:, 2] = np.where(occurrence[:, 2] == 0, 1, occurrence[:, 2])  # never missed
    occurrence[occurrence[:, 3] == -1, 3] = np.nan
    for metric in (roc_auc_score, average_precision_score):
        each = mean_species_score(occurrence, scores, metric, return_all=True)
        for i in (0, 1, 3, 4):
            rows = (occurrence[:, i] == 0) | (occurrence[:, i] == 1)
            assert each[i] == metric(occurrence[rows, i], scores[rows, i])
        assert np.isnan(each[2])
        assert mean_species_score(occurrence, scores, metric) == pytest.approx(np.mean(each[[0, 1, 3, 4]]))
    with pytest.raises(ValueError, match="no species that is 1 at one site and 0 at another"):
        mean_species_score(np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"expected \(n_sites, n_species\) for both"):
        mean_species_score(occurrence, scores[:, :2])


def test_auc_against_the_background_counts_pairs():
    rng = np.random.default_rng(0)
    present = rng.random((30, 4)) < 0.3
    present[:, 3] = False
    scores, background = rng.integers(0, 8, (30, 4)), rng.integers(0, 6, (50, 4))
    weight, area = rng.uniform(0.5, 2, 30), rng.uniform(0.5, 2, 50)
    expected = []
    for i in range(3):
        own, own_weight = scores[present[:, i], i], weight[present[:, i]]
        larger = (own[:, np.newaxis] > background[:, i]) + 0.5 * (own[:, np.newaxis] == background[:, i])
        pairs = np.outer(own_weight, area)
        expected.append(np.sum(larger * pairs) / pairs.sum())
    found = mean_presence_auc(present, scores, background, sample_weight=weight, background_weight=area)
    assert found == pytest.approx(np.mean(expected), rel=1e-12)
    # A range of a quarter of the area, which the model knows, has 1 - 1 / 8.
    known = (np.arange(100) < 25).astype(float)[:, np.newaxis]
    assert mean_presence_auc(np.ones((10, 1), bool), np.ones((10, 1)), known) == pytest.approx(0.875)
    with pytest.raises(ValueError, match="present has no record"):
        mean_presence_auc(np.zeros((3, 1), bool), np.ones((3, 1)), known)
    with pytest.raises(ValueError, match="expected \\(n_records, n_species\\) twice"):
        mean_presence_auc(present, scores, background[:, :2])


class Fixed(ClassifierMixin, BaseEstimator):
    """Scores that are columns of X."""

    classes_ = np.array(["a", "b", "c"])

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.asarray(X)[:, :3]


def test_the_scorer_scores_any_classifier():
    rng = np.random.default_rng(0)
    X, y, background = rng.random((40, 3)), rng.choice(["a", "b", "c"], 40), rng.random((90, 3))
    present = y[:, np.newaxis] == Fixed.classes_
    area = rng.random(90)
    found = PresenceOnlyScorer(background, background_weight=area)(Fixed(), X, y)
    assert found == pytest.approx(mean_presence_auc(present, X, background, background_weight=area))
    assert PresenceOnlyScorer(background)(Fixed(), X, present) == pytest.approx(
        mean_presence_auc(present, X, background)
    )
    boyce = PresenceOnlyScorer(background, metric="boyce")(Fixed(), X, y)
    each = [continuous_boyce_index(X[present[:, i], i], background[:, i], by_area=True) for i in range(3)]
    assert boyce == pytest.approx(np.mean(each))
    # Two classes have one column in scikit-learn.
    two = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0.5)
    assert PresenceOnlyScorer(background)(two, X, X[:, 0] > 0.5) > 0.7
    with pytest.raises(ValueError, match="metric='kappa': expected 'auc' or 'boyce'"):
        PresenceOnlyScorer(background, metric="kappa")(Fixed(), X, y)


def test_unknown_species_are_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="2 of 3 records of species that the model has not learned"):
        assert_allclose(presence_matrix(["a", "x", "y"], Fixed.classes_), [[1, 0, 0], [0, 0, 0], [0, 0, 0]])
    with (
        pytest.warns(UserWarning, match="1 of 1 records"),
        pytest.raises(ValueError, match="y has no record of a species that the model has learned"),
    ):
        PresenceOnlyScorer(np.ones((2, 3)))(Fixed(), np.ones((1, 3)), ["x"])
    with pytest.raises(ValueError, match="expected a matrix with 3 columns"):
        presence_matrix(np.ones((2, 4)), Fixed.classes_)
