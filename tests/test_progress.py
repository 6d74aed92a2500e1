import sys

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import reference
from skgeo import LatLonGrid, PatchPositionEncoder, SphericalHarmonicPCA
from skgeo.encoders import SphericalHarmonics
from skgeo.model_selection import leakage_report, select_max_degree

tqdm = pytest.importorskip("tqdm")

GRID = LatLonGrid(np.arange(-55.0, 60, 10), np.arange(5.0, 200, 10))
POINTS = reference.uniform_points(5000)
MODEL = make_pipeline(SphericalHarmonics(1), Ridge())
SAMPLES = POINTS[:300], POINTS[:300, 0] ** 2


@pytest.fixture
def bars(monkeypatch):
    """The bars that are made: their options, and how far they got."""
    made = []

    class Bar(tqdm.tqdm):
        def __init__(self, *arguments, **options):
            made.append((options, self))
            super().__init__(*arguments, **options)

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    return made


def basis(**parameters):
    return SphericalHarmonicPCA(3, **parameters)


def long_work(verbose):
    """All that has a bar, with how many units it works through."""
    patches = GRID.patches((3, 4))
    encoder = PatchPositionEncoder(FrozenEstimator(basis().fit(GRID)), verbose=verbose).fit(patches)
    other = PatchPositionEncoder(FrozenEstimator(basis(add_indicator=True).fit(GRID)), verbose=verbose).fit(patches)
    return [
        (lambda: basis(verbose=verbose).fit(POINTS), 5000),
        (lambda: basis().fit(GRID).set_params(verbose=verbose).transform(POINTS), 5000),
        (lambda: basis().fit(GRID).set_params(verbose=verbose).transform(GRID), 240),
        (lambda: encoder.transform(patches), 240),
        (lambda: other.transform(patches), 240),
        # Two candidates in three folds, and the last fit; and two kinds of folds, three of each.
        (lambda: select_max_degree(MODEL, *SAMPLES, degrees=[1, 2], cv=3, verbose=verbose), 7),
        (lambda: leakage_report(MODEL, *SAMPLES, block_sizes_km=[2000], n_splits=3, verbose=verbose), 6),
    ]


@pytest.mark.parametrize("number", range(7))
def test_a_bar_shows_when_asked_and_gets_to_its_end(bars, number):
    work, total = long_work(True)[number]
    work()
    ((options, bar),) = bars
    assert options["total"] == bar.n == total
    assert options["delay"] == 0


@pytest.mark.parametrize("number", range(7))
def test_no_bar_shows_unasked(bars, number):
    for verbose in (False, None):
        long_work(verbose)[number][0]()
    assert bars == []


def test_bar_in_interactive_session_if_work_takes_long(bars, monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    basis().fit(POINTS)
    ((options, _),) = bars
    assert options["delay"] == 2.0
    basis(verbose=False).fit(POINTS)
    assert len(bars) == 1


def test_without_tqdm_only_verbose_true_asks_to_install_it(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr("skgeo._validation.find_spec", lambda name: None)
    basis().fit(POINTS)
    with pytest.raises(ImportError, match=r"verbose=True needs tqdm: pip install 'skgeo\[progress\]'"):
        basis(verbose=True).fit(POINTS)
