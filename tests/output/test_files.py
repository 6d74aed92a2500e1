"""Safe model files: read and forged with zipfile, json, hashlib and numpy alone, as the docstring describes them."""

import copy
import hashlib
import importlib
import io
import json
import math
import os
import pickle
import random
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from collections import Counter, UserList
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import skgeo
from processes import run_python
from samples import GRID, PATCHES
from skgeo import (
    CellGrid,
    LatLonGrid,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalHarmonicPCA,
    __version__,
    encoders,
)
from skgeo._patch_scale import DESCRIPTORS
from skgeo.encoders import SphereMEncoder, SphericalHarmonics
from skgeo.exceptions import ModelFileError, VersionWarning

POINTS = [[-80.0, 0.0], [80.0, 170.0], [0.0, 90.0], [-20.0, -100.0]]


@pytest.fixture(scope="module")
def basis():
    return SphericalHarmonicPCA(max_degree=10, n_components=96).fit(GRID)


@pytest.fixture(scope="module")
def features(basis):
    return make_union(PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer()).fit(PATCHES)


@pytest.fixture
def small(tmp_path):
    """A small file with arrays, a text array and every part of the format, and its model."""
    model = SphericalHarmonicPCA(1, spectrum=np.array([1.0, 0.5])).fit(POINTS)
    model.feature_names_in_ = np.array(["lat", "lon"], dtype=object)
    skgeo.save(model, tmp_path / "small.npz")
    return tmp_path / "small.npz", model


def around(value, tmp_path):
    """A value after a round trip, as a parameter; no estimator looks at it before fit."""
    skgeo.save(SphericalHarmonicPCA(spectrum=value), tmp_path / "value.npz")
    return skgeo.load(tmp_path / "value.npz").spectrum


def assert_same(got, expected):
    """The same types and the same bits, all the way down."""
    if isinstance(expected, UserList):  # scikit-learn 1.6 holds columns in one that warns when it is read
        got, expected = list(getattr(got, "data", got)), expected.data
    assert type(got) is type(expected)
    if isinstance(expected, np.ndarray | np.generic):
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        if expected.dtype == object:
            assert_same(got.tolist(), expected.tolist())
        else:
            assert got.tobytes("A") == expected.tobytes("A")
    elif isinstance(expected, list | tuple):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert_same(list(got.items()), list(expected.items()))
    elif isinstance(expected, float):
        assert repr(got) == repr(expected)
    elif isinstance(expected, BaseEstimator | LatLonGrid | CellGrid):
        assert_same(vars(got), vars(expected))
    elif isinstance(expected, np.random.RandomState):
        assert_same(got.get_state(legacy=False), expected.get_state(legacy=False))
    else:
        assert got == expected


def models():
    frame = pytest.importorskip("pandas").DataFrame(POINTS, columns=["lat", "lon"]).assign(height=range(4), river=1)
    place = SphericalHarmonicPCA(3, 2, area_weighted=False)
    patches = LatLonGrid([-45, 45], [0, 90, 180, 270]).patches((1, 2), as_frame=True)
    yield SphericalHarmonics(2, min_degree=1, spectrum=[1, 0.5, np.float32(0.25)]).fit(GRID), GRID
    yield SphereMEncoder(np.int64(3), 1.0, 90, plus=True).fit(frame[["lon", "lat"]]), frame[["lat", "lon"]]
    yield SphericalHarmonicPCA(), GRID
    yield SphericalHarmonicPCA(2, 0.9, spectrum="matern", clip=None).fit(frame[["lon", "lat"]]), frame[["lat", "lon"]]
    yield SphericalHarmonicPCA(2, spectrum=[1, 0.5, np.float32(0.25)]).fit(GRID), GRID
    yield PatchPositionEncoder(SphericalHarmonicPCA(1)), patches
    yield PatchPositionEncoder(SphericalHarmonicPCA(1)).fit(patches), patches
    yield PatchPositionEncoder(make_pipeline(SphericalHarmonicPCA(1))).fit(patches), patches
    yield PatchScaleFeaturizer(earth_radius=np.float64(1.0), log=False).fit(patches), patches
    yield FrozenEstimator(place).set_output(transform="default"), patches
    yield make_union(PatchScaleFeaturizer(), "passthrough", "drop").set_output(transform="pandas").fit(patches), patches
    yield FeatureUnion([("a", PatchScaleFeaturizer())], transformer_weights={"a": 2.0}).fit(patches), patches
    yield make_column_transformer((place, ["lat", "lon"]), remainder="passthrough").fit(frame), frame
    yield make_column_transformer((place, [0, 1]), ("drop", slice(2, 3)), ("passthrough", [3])).fit(frame), frame
    columns = make_column_transformer((make_pipeline(place), ["lat", "lon"])).set_output(transform="pandas")
    yield make_pipeline(make_union(columns), "passthrough", verbose=False).fit(frame), frame
    yield make_pipeline("passthrough").fit(frame), frame


@pytest.mark.parametrize("which", range(16))
def test_models_come_back_bit_for_bit(which, tmp_path):
    listed = list(models())
    assert len(listed) == 16
    model, X = listed[which]
    before = copy.deepcopy(model)
    skgeo.save(model, tmp_path / "model.npz")
    loaded = skgeo.load(tmp_path / "model.npz")
    assert_same(model, before)
    assert_same(loaded, model)
    if hasattr(model, "n_features_in_"):
        assert_same(np.asarray(loaded.transform(X)), np.asarray(model.transform(X)))
        assert type(loaded.transform(X)) is type(model.transform(X))


def trained():
    nn = pytest.importorskip("skgeo.nn", exc_type=ImportError)
    frame = pytest.importorskip("pandas").DataFrame(POINTS, columns=["lat", "lon"])
    settings = {"max_epochs": 2, "patience": None, "random_state": np.int64(0)}
    features = np.random.default_rng(0).normal(size=(4, 5))
    targets = np.arange(8.0).reshape(4, 2)
    yield (
        nn.LocationClassifier(SphericalHarmonics(2), class_weight="balanced", **settings).fit(frame, list("abba")),
        frame,
    )
    yield nn.LocationRegressor("wrap", "fcnet", hidden_dim=3).partial_fit(POINTS, targets), POINTS
    yield nn.ProjectionHeadClassifier(2, embed_dim=3, **settings).fit(features, [2, 1, 3, 1]), features
    yield nn.ProjectionHeadRegressor(2, embed_dim=3, **settings).fit(features, targets), features
    for weights, y in (({0: 1.0, 1: 2.0}, [0, 1, 1, 0]), ({True: 3, False: 0.5}, [True, False, False, True])):
        model = nn.LocationClassifier("wrap", "linear", class_weight=weights, **settings)
        yield model.set_params(random_state=legacy()).fit(POINTS, y), POINTS


@pytest.mark.parametrize("which", range(6))
def test_trained_models_come_back_bit_for_bit(which, tmp_path):
    model, X = list(trained())[which]
    skgeo.save(model, tmp_path / "model.npz")
    loaded = skgeo.load(tmp_path / "model.npz")
    assert_same(loaded, model)
    assert_same(loaded.predict(X), model.predict(X))


def test_a_network_that_is_an_object_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    model = pytest.importorskip("skgeo.nn", exc_type=ImportError).LocationRegressor("wrap", torch.nn.Linear(4, 1))
    with pytest.raises(TypeError, match=r"LocationRegressor.network=Linear\(.* cannot be saved: it is a torch.nn"):
        skgeo.save(model, tmp_path / "model.npz")


def unfitted(cls):
    """An estimator with its default parameters; the prior of a LocationPriorClassifier has no default."""
    return cls(Ridge()) if cls is skgeo.LocationPriorClassifier else cls()


def test_every_public_estimator_is_saved(tmp_path):
    modules = (skgeo, encoders, pytest.importorskip("skgeo.nn", exc_type=ImportError))
    public = [getattr(module, name) for module in modules for name in module.__all__]
    estimators = [cls for cls in public if isinstance(cls, type) and issubclass(cls, BaseEstimator)]
    assert len(estimators) >= 15
    for cls in estimators:
        skgeo.save(unfitted(cls), tmp_path / "model.npz")
        assert type(skgeo.load(tmp_path / "model.npz")) is cls


@pytest.mark.parametrize(
    "grid",
    [
        GRID,
        LatLonGrid([-90, 0, 90], [350, 355, 0, 5]),
        LatLonGrid([0.0], [0.0], latitude_bounds=[[-1, 2]], longitude_bounds=[[-3, 4]]),
        CellGrid([[0.0, np.nan], [1.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]], mask=[[1, 1], [0.5, 0]]),
        LatLonGrid(*np.float32([[-45, 45], [0.1, 0.2]]), [[0, 0.5]] * 2),
    ],
    ids=["masked", "wrapped", "bounds", "cells", "float32"],
)
def test_grids_come_back_immutable(grid, tmp_path):
    skgeo.save(grid, tmp_path / "grid.npz")
    loaded = skgeo.load(tmp_path / "grid.npz")
    assert_same(loaded, grid)
    assert not any(value.flags.writeable for value in vars(loaded).values() if isinstance(value, np.ndarray))
    with pytest.raises(AttributeError, match="immutable"):
        loaded.mask = None


def test_a_chunked_grid_is_asked_to_be_computed(tmp_path):
    da = pytest.importorskip("dask.array")
    with pytest.raises(TypeError, match=r"LatLonGrid\.mask is chunked: compute it first, mask\.compute\(\)"):
        skgeo.save(LatLonGrid([-45, 45], [0, 90, 180, 270], da.ones((2, 4), chunks=1)), tmp_path / "grid.npz")


LOAD_AND_TRANSFORM = """
import sys, pickle
import numpy as np
import skgeo
def refuse(*args, **kwargs):
    raise AssertionError("unpickled")
pickle.load = pickle.loads = pickle.Unpickler = refuse
model, X, output = sys.argv[1:]
np.save(output, skgeo.load(model).transform(np.load(X)))
"""


def test_the_main_job_in_a_fresh_process(features, tmp_path):
    skgeo.save(features, tmp_path / "features.npz")
    np.save(tmp_path / "X.npy", PATCHES)
    run_python(LOAD_AND_TRANSFORM, tmp_path / "features.npz", tmp_path / "X.npy", tmp_path / "out.npy")
    got = np.load(tmp_path / "out.npy")
    assert got.shape == (len(PATCHES), 106)
    assert got.tobytes() == features.transform(PATCHES).tobytes()


def test_a_fit_goes_on_in_a_fresh_process(basis, tmp_path):
    points = GRID.points()[::7]
    expected = copy.deepcopy(basis).partial_fit(points).transform(points)
    skgeo.save(basis, tmp_path / "basis.npz")
    np.save(tmp_path / "X.npy", points)
    code = LOAD_AND_TRANSFORM.replace(".transform(", ".partial_fit(np.load(X)).transform(")
    run_python(code, tmp_path / "basis.npz", tmp_path / "X.npy", tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").tobytes() == expected.tobytes()


def test_what_was_shared_is_shared_again(features, tmp_path):
    skgeo.save(features, tmp_path / "features.npz")
    encoder = skgeo.load(tmp_path / "features.npz").transformer_list[0][1]
    assert encoder.encoder is encoder.encoder_
    assert (tmp_path / "features.npz").stat().st_size < 200_000


VALUES = [
    None,
    True,
    0,
    -(10**40),
    0.1,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    math.nan,
    math.inf,
    -math.inf,
    "",
    'Ozean, \u00e4\u00f6\u00fc, \u6d77, \U0001f30d, \x00, \ud800, "quoted"\\',
    [],
    [1, [2.0, ["three"]], None],
    (),
    ((1,), [(2, 3)]),
    {},
    {"b": 1, "a": {"tuple": (1,)}, "array": np.arange(3), "": math.nan},
    slice(None, -1, 2),
    np.dtype(">f4"),
    np.float32(0.1),
    np.float64(math.nan),
    np.int8(-5),
    np.uint64(2**64 - 1),
    np.bool_(True),
    np.complex128(1j),
    np.str_("sea"),
    np.bytes_(b"sea"),
    np.datetime64("2024-02-29T12", "h"),
    np.timedelta64("NaT", "s"),
    np.array(3.5),
    np.zeros((0, 3)),
    np.array([], dtype="<U0"),
    np.array([[1, 2], [3, 4]], dtype=">i2"),
    np.arange(6, dtype=np.float16).reshape(2, 3),
    np.array([np.nan, np.inf, -0.0]),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(["a", "\u00e4bc"]),
    np.array([b"a", b"bc"]),
    np.array(["2024-02-29", "NaT"], dtype="datetime64[D]"),
    np.array([True, False]),
    np.array([1 + 2j], dtype=np.complex64),
    np.array(["lat", "lon"], dtype=object),
    np.array([["a"], ["longer"]], dtype=object),
    np.array([], dtype=object),
    np.array(["lat", None], dtype=object),
    {0: 1.0, 1: 2.0},
    {False: 0.5, True: 9},
    {"a": 1, 2: "b", None: [3], 0.5: math.inf, -math.inf: ()},
    {(1, "a"): {2: {(): 0}}, np.int64(3): np.arange(2)},
    {"items": [[1, 2]]},
    np.float64,
    np.str_,
    SphericalHarmonicPCA(spectrum=[1.0]),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_keep_type_and_bits(value, tmp_path):
    assert_same(around(value, tmp_path), value)


def test_arrays_of_objects_keep_what_they_hold(tmp_path):
    values = np.empty((2, 2), dtype=object)
    values[:] = [[None, "a"], [None, (math.nan, np.int8(1))]]
    values[0, 0] = values[1, 0] = np.arange(3.0)  # arrays of one length, which are no table here
    got = around(values, tmp_path)
    assert_same(got, values)
    assert_same(around(values[:, 0], tmp_path), values[:, 0])


def test_arrays_keep_the_order_of_their_memory(tmp_path):
    columns = around(np.asfortranarray(np.arange(6.0).reshape(2, 3)), tmp_path)
    assert columns.flags.f_contiguous
    assert not columns.flags.c_contiguous
    every_other = np.arange(24.0).reshape(4, 6)[::2, ::-3]
    got = around(every_other, tmp_path)
    assert got.flags.c_contiguous
    assert got.flags.writeable
    np.testing.assert_array_equal(got, every_other)


def test_a_model_that_is_mapped_from_a_file_is_saved(basis, tmp_path):
    joblib.dump(basis, tmp_path / "basis.joblib")
    mapped = joblib.load(tmp_path / "basis.joblib", mmap_mode="r")
    assert isinstance(mapped.components_, np.memmap)
    skgeo.save(mapped, tmp_path / "basis.npz")
    assert_same(skgeo.load(tmp_path / "basis.npz"), basis)


class MyPCA(SphericalHarmonicPCA):
    pass


class Text(str):
    __slots__ = ()


class Level(np.floating):
    """A type of scalars that no array has."""


UNSAVED = {
    "function": (np.sin, "numpy.ufunc"),
    "class": (int, "type"),
    "abstract type": (np.floating, "type"),
    "type of nothing": (Level, "type"),
    "counter": (Counter("ab"), "collections.Counter"),
    "set": ({1}, "set"),
    "complex": (1j, "complex"),
    "bytes": (b"a", "bytes"),
    "str subclass": (Text("a"), "test_files.Text"),
    "dict of sets": ({frozenset("a"): 2}, "frozenset"),
    "objects": (np.array(["lat", {1}], dtype=object), "set"),
    "records": (np.zeros(2, dtype=[("a", float)]), r"numpy.ndarray of dtype \[\('a', '<f8'\)\]"),
    "masked": (np.ma.masked_array([1.0]), "numpy.ma.*MaskedArray of dtype float64"),
    "subclass": (MyPCA(), "test_files.MyPCA"),
    "other": (KNeighborsClassifier(), "sklearn.neighbors._classification.KNeighborsClassifier"),
}


@pytest.mark.parametrize("what", UNSAVED)
def test_other_values_are_refused_by_name_and_type(what, small):
    path, _ = small
    before = path.read_bytes()
    value, kind = UNSAVED[what]
    model = make_union(PatchPositionEncoder(SphericalHarmonicPCA(spectrum=[1, {"a": value}])))
    where = r"FeatureUnion.transformer_list\[0\]\[1\].encoder.spectrum\[1\]\['a'\]"
    with pytest.raises(
        TypeError, match=rf"^{where}.*=.* cannot be saved: it is a {kind}. .*use skops or joblib"
    ) as caught:
        skgeo.save(model, path)
    assert len(str(caught.value)) <= 300
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["small.npz"]


@pytest.mark.parametrize(
    "model", [KNeighborsClassifier(), MyPCA(), POINTS, None], ids=lambda model: type(model).__name__
)
def test_other_models_are_refused(model, tmp_path):
    with pytest.raises(TypeError, match=rf"^model=.* cannot be saved: it is a .*{type(model).__name__}"):
        skgeo.save(model, tmp_path / "model.npz")
    assert os.listdir(tmp_path) == []


def test_a_search_names_its_best_model(tmp_path):
    search = GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}).fit(np.eye(10), np.arange(10.0))
    with pytest.raises(TypeError, match=r"cannot be saved.*GridSearchCV\. Save model\.best_estimator_\. Files"):
        skgeo.save(search, tmp_path / "model.npz")


def test_functions_in_a_function_transformer_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"^Pipeline.steps\[0\]\[1\].func=<ufunc 'sin'> cannot be saved"):
        skgeo.save(make_pipeline(FunctionTransformer(np.sin)), tmp_path / "model.npz")


def test_what_contains_itself_is_refused(tmp_path):
    endless = []
    endless.append(endless)
    own = PatchPositionEncoder()
    own.encoder = own
    for model in (SphericalHarmonicPCA(spectrum=endless), own):
        with pytest.raises(TypeError, match=f"{type(model).__name__} contains itself, or is nested too deeply"):
            skgeo.save(model, tmp_path / "model.npz")
    assert os.listdir(tmp_path) == []


def test_the_cache_of_a_pipeline_is_refused(tmp_path):
    model = Pipeline([("scale", PatchScaleFeaturizer())], memory=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"memory='.*cache': the cache of a Pipeline holds pickles.*set it after"):
        skgeo.save(model, tmp_path / "model.npz")
    skgeo.save(model.set_params(memory=None), tmp_path / "model.npz")
    forge(tmp_path / "model.npz", lambda metadata, _: metadata["objects"][-1]["state"].update(memory="/cache"))
    with pytest.raises(ModelFileError, match="memory='/cache': the cache of a Pipeline holds pickles"):
        skgeo.load(tmp_path / "model.npz")


# Random numbers


def legacy():
    random_state = np.random.RandomState(3)
    random_state.standard_normal()  # draws two and keeps one
    return random_state


RANDOM = {
    "RandomState": legacy(),
    "RandomState of PCG64": np.random.RandomState(np.random.PCG64(1)),
    **{
        name: np.random.Generator(getattr(np.random, name)(np.random.SeedSequence([5, 6]).spawn(2)[1]))
        for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
    },
}


@pytest.mark.parametrize("what", RANDOM)
def test_random_numbers_go_on(what, tmp_path):
    given = copy.deepcopy(RANDOM[what])
    given.random(3)
    given.bytes(3)  # half of a word is kept
    loaded = around(given, tmp_path)
    assert type(loaded) is type(given)
    assert_same(loaded.standard_normal(1000), given.standard_normal(1000))
    assert loaded.bytes(9) == given.bytes(9)
    if isinstance(given, np.random.Generator):
        for _ in range(2):
            (one,), (other,) = loaded.spawn(1), given.spawn(1)
            assert_same(one.random(5), other.random(5))


def test_a_random_state_that_was_shared_is_shared_again(tmp_path):
    given = np.random.RandomState(0)
    first, second = around([given, given], tmp_path)
    assert first is second


def test_a_generator_without_a_seed_is_refused(tmp_path):
    given = np.random.Generator(np.random.RandomState(0)._bit_generator)
    with pytest.raises(TypeError, match=r"Generator\(MT19937\).* cannot be saved: .*Use default_rng\(seed\)"):
        around(given, tmp_path)


FORGED = {
    "beyond the end": ("RandomState", lambda state: state["state"]["dict"].update(pos=625)),
    "before the start": ("RandomState", lambda state: state["state"]["dict"].update(pos=-1)),
    "no position": ("RandomState", lambda state: state["state"]["dict"].update(pos=True)),
    "short": ("RandomState", lambda state: state["state"]["dict"].update(key={"array": "array_1"})),
    "no kind": ("RandomState", lambda state: state.update(bit_generator="Generator")),
    "no text": ("RandomState", lambda state: state.update(bit_generator=[])),
    "beyond the buffer": ("Philox", lambda state: state["state"]["dict"].update(buffer_pos=5)),
}


@pytest.mark.parametrize("what", FORGED)
def test_random_numbers_do_not_come_from_beyond_their_table(what, tmp_path):
    # numpy does not look where a table ends
    name, edit = FORGED[what]
    path = tmp_path / "model.npz"
    skgeo.save(SphericalHarmonicPCA(spectrum=[RANDOM[name], np.zeros(3, dtype=np.uint32)]), path)
    assert outcome(path) is not None

    def forged(metadata, _):
        (written,) = (each for each in metadata["objects"] if each["class"].endswith(("RandomState", ".Generator")))
        edit(written["state"])

    forge(path, forged)
    assert outcome(path) is None


def test_a_seed_takes_no_more_memory_than_its_file(tmp_path):
    path = tmp_path / "model.npz"
    skgeo.save(SphericalHarmonicPCA(spectrum=np.random.SeedSequence(1)), path)
    forge(path, lambda metadata, _: metadata["objects"][0]["state"].update(pool_size=2**31))
    with little_memory(), pytest.raises(ModelFileError, match="pool_size=2147483648 of a SeedSequence: expected at"):
        skgeo.load(path)


@pytest.mark.torch
def test_every_public_estimator_has_its_public_name_in_files(tmp_path):
    from skgeo import nn

    public = {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in (skgeo, encoders, nn)
        for name in module.__all__
    }
    estimators = {name: cls for name, cls in public.items() if isinstance(cls, type) and issubclass(cls, BaseEstimator)}
    assert len(estimators) == 6 + len(encoders.__all__) + 7
    for name, cls in estimators.items():
        skgeo.save(unfitted(cls), tmp_path / "model.npz")
        with np.load(tmp_path / "model.npz") as file:
            assert json.loads(file["skgeo.json"])["objects"][-1]["class"] == name
        assert type(skgeo.load(tmp_path / "model.npz")) is cls


def test_files_of_other_models_do_not_import_torch(tmp_path):
    skgeo.save(make_pipeline(SphericalHarmonics(), StandardScaler()), tmp_path / "model.npz")
    code = "import sys, skgeo; print(skgeo.load(sys.argv[1])); assert 'torch' not in sys.modules"
    assert "SphericalHarmonics" in run_python(code, tmp_path / "model.npz")


# Estimators of scikit-learn


def of_scikit_learn():
    from skgeo._output.files import _SCIKIT_LEARN_CLASSES

    for module, names in _SCIKIT_LEARN_CLASSES.items():
        if module in ("sklearn.pipeline", "sklearn.frozen", "sklearn.compose"):
            continue
        room = importlib.import_module(module)
        yield from (getattr(room, name) for name in names)


def outputs(model, X, y):
    """All that a model makes of data."""
    for name in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(model, name):
            values = getattr(model, name)(y if "Label" in type(model).__name__ else X)
            yield values.toarray() if scipy.sparse.issparse(values) else values


@pytest.mark.parametrize("cls", list(of_scikit_learn()), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", "b", "c"]])
def test_simple_estimators_of_scikit_learn_come_back_bit_for_bit(cls, labels, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.integers(1, 5, size=(60, 3)) + 0.5
    values, classes = X[:, 0] + 0.1 * rng.normal(size=60), np.array(labels)[rng.integers(0, 3, 60)]
    model = cls()
    y = classes if isinstance(model, ClassifierMixin) or "Label" in cls.__name__ else values
    y = np.column_stack([y, y]) if "MultiTask" in cls.__name__ else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that do not converge, or parameters that will change
        model = model.fit(y) if "Label" in cls.__name__ else model.fit(X, y)
        skgeo.save(model, tmp_path / "model.npz")
        loaded = skgeo.load(tmp_path / "model.npz")
        assert_same(loaded, model)
        pairs = list(zip(outputs(loaded, X, y), outputs(model, X, y), strict=True))
    assert pairs
    for got, expected in pairs:
        assert_same(got, expected)


def test_a_table_through_a_pipeline_comes_back(tmp_path):
    frame = pytest.importorskip("pandas").DataFrame(POINTS, columns=["lat", "lon"])
    frame = frame.assign(height=[1.0, np.nan, 3.0, 4.0], river=["no", "yes", "no", "no"])
    columns = make_column_transformer(
        (SphericalHarmonics(2), ["lat", "lon"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["height"]),
        (OneHotEncoder(handle_unknown="ignore"), ["river"]),
    )
    target = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    model = make_pipeline(columns, FrozenEstimator(StandardScaler().fit(columns.fit_transform(frame))), target)
    model.fit(frame, [1.0, 2.0, 3.0, 5.0])
    skgeo.save(model, tmp_path / "model.npz")
    assert_same(skgeo.load(tmp_path / "model.npz").predict(frame), model.predict(frame))


def test_the_step_that_cannot_be_saved_is_named_in_one_line(tmp_path):
    deep = make_pipeline("passthrough", make_union(make_pipeline(SphericalHarmonics(1), KMeans(2))))
    for model, step in (
        (make_pipeline(SphericalHarmonics(), KNeighborsClassifier()), r"Pipeline.steps\[1\]\[1\]=KNeighborsClassifier"),
        (deep, r"Pipeline.steps\[1\]\[1\].transformer_list\[0\]\[1\].steps\[1\]\[1\]=KMeans"),
        (SphericalHarmonicPCA(spectrum={"k" * 999: {1}}), "SphericalHarmonicPCA.spectrum"),
    ):
        with pytest.raises(TypeError, match=rf"^{step}.* cannot be saved: it is a .*use skops or joblib") as caught:
            skgeo.save(model, tmp_path / "model.npz")
        assert len(str(caught.value)) <= 300
        assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


# The format, by hand


def test_the_file_is_what_the_docstring_says(small):
    path, model = small
    described = skgeo.save.__doc__
    with np.load(path, allow_pickle=False) as archive:
        metadata = json.loads(archive["skgeo.json"])
        arrays = {name: archive[name] for name in archive.files if name != "skgeo.json"}
    assert list(metadata) == ["format", "format_version", "skgeo_version", "objects", "arrays", "sha256"]
    assert metadata["format"] == "skgeo model"
    assert metadata["format_version"] == 1
    assert metadata["skgeo_version"] == __version__
    keys = ("tuple", "dict", "items", "slice", "float", "dtype", "scalar_type", "scalar", "strings", "parts", "object")
    for key in (*metadata, "skgeo.json", "array_0", *keys):
        assert key in described
    assert arrays.keys() == metadata["arrays"].keys()
    for name, array in arrays.items():
        assert metadata["arrays"][name] == {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "order": "C",
            "sha256": hashlib.sha256(array.tobytes("A")).hexdigest(),
        }
    seal = metadata.pop("sha256")
    assert seal == hashlib.sha256(json.dumps(metadata, separators=(",", ":")).encode()).hexdigest()
    (written,) = metadata["objects"]
    assert written["class"] == "skgeo.SphericalHarmonicPCA"
    state = written["state"]
    assert state.keys() == vars(model).keys() | {"_skgeo_version"}
    assert state["max_degree"] == 1
    np.testing.assert_array_equal(arrays[state["components_"]["array"]], model.components_)
    assert state["feature_names_in_"] == {"strings": ["lat", "lon"], "shape": [2]}


def write_by_hand(path, metadata, entries, compression=zipfile.ZIP_STORED):
    """A file as the docstring describes it; the hashes of the arrays are the caller's."""
    metadata = {key: value for key, value in metadata.items() if key != "sha256"}
    seal = hashlib.sha256(json.dumps(metadata, separators=(",", ":")).encode()).hexdigest()
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("skgeo.json", json.dumps(metadata | {"sha256": seal}))
        for name, content in entries.items():
            archive.writestr(f"{name}.npy", content)


def forge(path, edit, **how):
    """Edit the metadata and the entries of a file, and seal it anew."""
    with zipfile.ZipFile(path) as archive:
        entries = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
    metadata = json.loads(entries.pop("skgeo.json"))
    edit(metadata, entries)
    write_by_hand(path, metadata, entries, **how)


def npy(array, **how):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **how)
    return stream.getvalue()


def test_a_file_made_by_hand_is_read(tmp_path):
    radius = np.array(1.0)
    digest = hashlib.sha256(radius.tobytes()).hexdigest()
    state = {"earth_radius": {"scalar": "r"}, "log": False, "n_features_in_": 6, "_skgeo_version": __version__}
    metadata = {
        "format": "skgeo model",
        "format_version": 1,
        "skgeo_version": __version__,
        "objects": [{"class": "skgeo.PatchScaleFeaturizer", "state": state}],
        "arrays": {"r": {"dtype": "<f8", "shape": [], "order": "C", "sha256": digest}},
    }
    write_by_hand(tmp_path / "hand.npz", metadata, {"r": npy(radius)})
    quadrant = [[0.0, 90.0, 0.0, 90.0, 45, 45]]
    described = dict(zip(DESCRIPTORS, skgeo.load(tmp_path / "hand.npz").transform(quadrant)[0], strict=True))
    assert described["extent_lat"] == pytest.approx(np.pi / 2)
    assert described["area"] == pytest.approx(np.pi / 2)


def test_the_same_model_gives_the_same_bytes(features, tmp_path):
    for name in ("one.npz", "two.npz"):
        skgeo.save(copy.deepcopy(features), tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


# Files that are not what they should be


def outcome(path):
    """The model of a file, or None where it is refused as it should be: naming the file, in one line."""
    try:
        return skgeo.load(path)
    except ModelFileError as error:
        message = str(error)
    assert message.startswith(f"{path} ")
    assert "\n" not in message
    return None


@contextmanager
def little_memory():
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def assert_refused_or_same(content, path, model):
    path.write_bytes(content)
    loaded = outcome(path)
    if loaded is not None:
        assert_same(loaded, model)
    return loaded is None


def test_no_changed_byte_gives_another_model(small):
    path, model = small
    content = path.read_bytes()
    refused = np.zeros(len(content), dtype=bool)
    for position in range(len(content)):
        changed = bytearray(content)
        # Every byte is changed once: its last bit, its first bit or all of its bits.
        changed[position] ^= (0x01, 0x80, 0xFF)[position % 3]
        refused[position] = assert_refused_or_same(changed, path, model)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(entry.header_offset + 30 + len(entry.filename), entry.file_size) for entry in archive.infolist()]
    for start, size in entries:  # all content is covered
        assert refused[start : start + size].all()
    assert 0.85 < refused.mean() < 1.0  # the times and rights of zip entries are no content


def test_no_shortened_or_lengthened_file_gives_another_model(small):
    path, model = small
    content = path.read_bytes()
    for length in (*range(0, len(content), 5), *range(len(content) - 100, len(content))):
        assert assert_refused_or_same(content[:length], path, model)
    rng = random.Random(0)
    for _ in range(300):
        start, stop = sorted(rng.sample(range(len(content) + 1), 2))
        assert_refused_or_same(content[:start] + content[stop:], path, model)  # a part is lost
        assert_refused_or_same(content[:stop] + content[start:], path, model)  # a part is there twice
        assert_refused_or_same(content[:start] + rng.randbytes(stop - start) + content[stop:], path, model)


def test_no_changed_word_of_the_metadata_gives_another_model(small):
    # With the checksum of the archive put right, so that only the hash stands in between.
    path, model = small
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    rng = random.Random(1)
    for _ in range(500):
        name = rng.choice(sorted(entries))
        changed = bytearray(entries[name])
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        with zipfile.ZipFile(path, "w") as archive:
            for each, content in entries.items():
                archive.writestr(each, bytes(changed) if each == name else content)
        assert_refused_or_same(path.read_bytes(), path, model)


def write_npz(path):
    np.savez(path, components=np.eye(3))


def write_text(path):
    path.write_text("lat,lon\n1,2\n")


def write_word(path):
    path.write_bytes(b"hi")


def write_joblib(path):
    joblib.dump(PatchScaleFeaturizer(), path)


def write_safetensors(path):
    pytest.importorskip("safetensors.numpy").save_file({"a": np.zeros(3)}, path)


@pytest.mark.parametrize("write", [write_npz, write_text, write_word, write_joblib, write_safetensors])
def test_files_of_others_are_refused(write, tmp_path):
    write(tmp_path / "model.npz")
    with pytest.raises(
        ModelFileError, match=r"model.npz is no file of a skgeo model. skgeo.nn.load reads.*joblib.load"
    ):
        skgeo.load(tmp_path / "model.npz")


def test_a_foreign_file_is_not_read_to_its_end(tmp_path):
    with open(tmp_path / "large.npz", "wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(2**33)  # a hole: takes no space
    with little_memory(), pytest.raises(ModelFileError, match="no file of a skgeo model"):
        skgeo.load(tmp_path / "large.npz")


def test_empty_files_and_folders(tmp_path):
    (tmp_path / "model.npz").touch()
    with pytest.raises(ModelFileError, match=r"model.npz is empty. Copy it again"):
        skgeo.load(tmp_path / "model.npz")
    (tmp_path / "model.folder").mkdir()
    with pytest.raises(OSError, match="model.folder"):
        skgeo.load(tmp_path / "model.folder")
    with pytest.raises(FileNotFoundError):
        skgeo.load(tmp_path / "nowhere.npz")


def test_a_truncated_file_says_so(small):
    path, _ = small
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match=r"small.npz is cut short or damaged: .*Copy it again from where it came"):
        skgeo.load(path)


def test_a_newer_format_says_what_to_update(small):
    path, _ = small
    forge(path, lambda metadata, _: metadata.update(format_version=2, skgeo_version="9.0"))
    message = rf"format version 2, written by skgeo 9.0; this is skgeo {__version__}, which reads version 1. Update"
    with pytest.raises(ModelFileError, match=message):
        skgeo.load(path)


def rewrite(path, edit):
    """Change the entries of a file without sealing it anew."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    edit(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


ALTERED = {
    "values": (
        lambda entries: entries.update({"array_0.npy": npy(np.array([1.0, 0.25]))}),
        "array_0 is not what its SHA-256 says",
    ),
    "dtype": (
        lambda entries: entries.update({"array_0.npy": npy(np.array([1.0, 0.5]).view(np.int64))}),
        "array_0 is not what its SHA-256 says",
    ),
    "shape": (
        lambda entries: entries.update({"array_0.npy": npy(np.array([[1.0], [0.5]]))}),
        "array_0 is not what its SHA-256 says",
    ),
    "missing": (lambda entries: entries.pop("array_1.npy"), "array_1 is missing"),
    "extra": (lambda entries: entries.update({"array_9.npy": npy(np.zeros(2))}), "array_9 was added"),
    "exchanged": (
        lambda entries: entries.update({"array_1.npy": entries["array_2.npy"], "array_2.npy": entries["array_1.npy"]}),
        "array_1 is not what its SHA-256 says",
    ),
    "parameter": (
        lambda entries: entries.update({"skgeo.json": entries["skgeo.json"].replace(b'"clip":3.0', b'"clip":4.0')}),
        "its metadata is not what its SHA-256 says",
    ),
}


@pytest.mark.parametrize("what", ALTERED)
def test_altered_files_are_refused(what, small):
    path, _ = small
    edit, message = ALTERED[what]
    rewrite(path, edit)
    with pytest.raises(ModelFileError, match=f"small.npz was altered after it was saved: {message}. Copy it again"):
        skgeo.load(path)


# Files made to do harm: sealed by their author, so that the hash is right


@pytest.mark.parametrize(
    "name",
    [
        *(
            "os.system",
            "builtins.eval",
            "skgeo.MyPCA",
            "skgeo._base.GeoTransformer",
            "sklearn.svm.SVC",
            "",
            None,
            3,
            [],
        ),
        # Public names that are no estimators: functions, modules, exceptions, reports, torch modules.
        *("skgeo.save", "skgeo.exceptions", "skgeo.GridReport", "skgeo.exceptions.ModelFileError"),
        *("sklearn.linear_model.ridge_regression", "sklearn.base.clone"),
        *(
            pytest.param(f"skgeo.nn.{name}", marks=pytest.mark.torch)
            for name in ("MLP", "load", "compute_features", "__loader__")
        ),
        # Estimators by private paths, and attributes of modules and classes.
        *("skgeo._pca.SphericalHarmonicPCA", "skgeo.encoders._wrap.WrapEncoder", "skgeo.encoders.FormulaEncoder"),
        *("skgeo.nn._checkpoint_file.TrainingState", "skgeo.WrapEncoder", "skgeo.__doc__"),
        *("skgeo.PatchScaleFeaturizer.fit", "skgeo.encoders", "numpy.random.default_rng", "numpy.random.MT19937"),
    ],
)
def test_only_public_estimators_and_listed_classes_are_built(name, small):
    path, _ = small
    forge(path, lambda metadata, _: metadata["objects"][0].update({"class": name}))
    message = (
        "holds no model that this skgeo can build: .*If a newer skgeo wrote it, update: pip install --upgrade skgeo"
    )
    with pytest.raises(ModelFileError, match=message):
        skgeo.load(path)
    if isinstance(name, str):
        with pytest.raises(ModelFileError, match=f"it holds a {name}, which is no class that files may hold"):
            skgeo.load(path)


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"call": "os.system"},
        {"object": 0},
        {"object": -1},
        {"object": 10**30},
        {"object": "0"},
        {"array": "nothing"},
        {"float": "one"},
        {"dtype": "no type"},
        {"strings": ["a"], "shape": [10**12]},
        {"tuple": 1},
        {"slice": [1]},
        {"items": {}},
        {"items": [[1]]},
        {"items": [[[], 1]]},
        {"items": [[1, 2], [True, 3]]},
        {"scalar_type": "no type"},
        {"parts": [1, 2], "shape": [3]},
        {"dict": {}, "tuple": []},
        {},
        nested(400),
    ],
    ids=str,
)
def test_values_of_no_meaning_are_refused(value, small):
    path, _ = small
    skgeo.save(SphericalHarmonicPCA(), path)  # not fitted: fit checks the spectrum
    forge(path, lambda metadata, _: metadata["objects"][0]["state"].update(spectrum=value))
    if value == nested(400):
        assert_same(skgeo.load(path).spectrum, value)
    else:
        assert outcome(path) is None


@pytest.mark.parametrize("objects", [[], {}, None, 1, [1], [{}], [{"class": "skgeo.LatLonGrid", "state": []}]], ids=str)
@pytest.mark.parametrize("key", ["objects", "arrays"])
def test_trees_of_no_meaning_are_refused(key, objects, small):
    path, _ = small
    forge(path, lambda metadata, _: metadata.update({key: objects}))
    assert outcome(path) is None
    forge(path, lambda metadata, _: metadata.pop(key))
    assert outcome(path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "[" * 100_000, b"\xff\xfe\x00\xd8", "9" * 10_000])
def test_metadata_of_no_meaning_is_refused(text, small):
    path, _ = small
    rewrite(path, lambda entries: entries.update({"skgeo.json": text}))
    assert outcome(path) is None


class Harmful:
    def __reduce__(self):
        return os.abort, ()


def claims(**claimed):
    """An npy file of 16 bytes that claims to be something else."""
    header = repr({"descr": "<f8", "fortran_order": False, "shape": (2**40,)} | claimed).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16)


HARMFUL_ARRAYS = {
    "pickle": npy(np.array([Harmful()], dtype=object), allow_pickle=True),
    "bare pickle": pickle.dumps(Harmful()),
    "pointers": claims(descr="|O", shape=(2,)),
    "records of pointers": claims(descr=[("a", "|O")], shape=(2,)),
    "huge": claims(),
    "overflow": claims(shape=(2**62, 2**62)),
    "negative": claims(shape=(-2,)),
    "no shape": claims(shape=None),
    "of nothing": claims(descr="|V0"),
    "another version": npy(np.zeros(2), version=(3, 0)),
    "no dict": b"\x93NUMPY\x01\x00\x05\x00(1,)\n",
    "no Python": b"\x93NUMPY\x01\x00\x05\x00{(((\n",
    "nothing": b"",
}


@pytest.mark.parametrize("what", HARMFUL_ARRAYS)
def test_harmful_arrays_are_refused_before_they_are_made(what, small):
    path, _ = small
    forge(path, lambda _, entries: entries.update(array_0=HARMFUL_ARRAYS[what]))
    with little_memory():
        assert outcome(path) is None


def test_a_zip_bomb_is_refused_before_it_is_unpacked(small):
    path, _ = small
    forge(path, lambda _, entries: entries.update(array_0=npy(np.zeros(2**23))), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    with little_memory(), pytest.raises(ModelFileError, match="entries are compressed"):
        skgeo.load(path)


def test_entries_that_overlap_are_refused(small):
    path, model = small
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        offsets = [entry.header_offset for entry in archive.infolist()]
    # In the central directory, point the second array at the first.
    directory = content.index(b"PK\x01\x02")
    second = content.index(offsets[2].to_bytes(4, "little"), directory)
    doubled = content[:second] + offsets[1].to_bytes(4, "little") + content[second + 4 :]
    assert assert_refused_or_same(doubled, path, model)


def test_an_entry_that_is_there_twice_is_refused(small):
    path, _ = small
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("array_0.npy", npy(np.array([1.0, 0.5])))
    with pytest.raises(ModelFileError, match="entries are missing or there twice"):
        skgeo.load(path)


# Versions


@pytest.fixture
def saved_by_another_version(features, basis, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("skgeo._base.__version__", "0.0.1")
        skgeo.save(features, tmp_path / "features.npz")
        skgeo.save(basis, tmp_path / "basis.npz")
    return tmp_path


def test_a_file_of_another_version_warns(saved_by_another_version, basis):
    with pytest.warns(VersionWarning, match=f"saved by skgeo 0.0.1 and is loaded by skgeo {__version__}") as record:
        loaded = skgeo.load(saved_by_another_version / "basis.npz")
    assert [Path(warning.filename) for warning in record] == [Path(__file__)]
    assert_same(loaded, basis)
    skgeo.save(loaded, saved_by_another_version / "anew.npz")
    skgeo.load(saved_by_another_version / "anew.npz")  # warns no more: warnings are errors here


def test_file_of_another_version_warns_once(saved_by_another_version):
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("default")
        skgeo.load(saved_by_another_version / "features.npz")
    assert [warning.category for warning in record] == [VersionWarning]


# Writing


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file(function, small, monkeypatch):
    path, model = small

    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, function, full)
    with pytest.raises(OSError, match="no space left"):
        skgeo.save(SphericalHarmonicPCA(5), path)
    assert os.listdir(path.parent) == ["small.npz"]
    assert_same(skgeo.load(path), model)


def test_the_name_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["model", "model.npz", "model.skgeo", "m\u00f6del"]
    for path in ("model", Path("model.npz"), str(tmp_path / "model.skgeo"), os.fsencode("m\u00f6del")):
        skgeo.save(PatchScaleFeaturizer(log=False), path)
        assert not skgeo.load(path).log
    assert sorted(os.listdir()) == sorted(names)
    with pytest.raises(FileNotFoundError):
        skgeo.save(PatchScaleFeaturizer(), tmp_path / "nowhere" / "model.npz")


@pytest.mark.skipif(sys.platform == "win32", reason="links and rights are POSIX")
def test_links_are_followed_and_rights_are_usual(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "link.npz").symlink_to(tmp_path / "store" / "model.npz")
    skgeo.save(PatchScaleFeaturizer(), tmp_path / "link.npz")
    (tmp_path / "plain").touch()
    assert (tmp_path / "link.npz").is_symlink()
    assert (tmp_path / "store" / "model.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode
    unpacked = subprocess.run(
        [sys.executable, "-m", "zipfile", "-t", tmp_path / "link.npz"], capture_output=True, text=True, check=True
    )
    assert "Done testing" in unpacked.stdout


# skops


def test_skops_asks_to_trust_our_own_classes_and_nothing_else(features, basis, tmp_path):
    skops = pytest.importorskip("skops.io")
    encoder = "skgeo._patch_position.PatchPositionEncoder"
    pca, scale = "skgeo._pca.SphericalHarmonicPCA", "skgeo._patch_scale.PatchScaleFeaturizer"
    parts = [model for _, model in features.transformer_list]
    for model, X, types in (
        (features, PATCHES, [encoder, scale, pca]),
        (basis, GRID, [pca]),
        (parts[0], PATCHES, [encoder, pca]),
        (parts[1], PATCHES, [scale]),
    ):
        content = skops.dumps(model)
        assert sorted(skops.get_untrusted_types(data=content)) == types
        loaded = skops.loads(content, trusted=types)
        assert loaded.transform(X).tobytes() == model.transform(X).tobytes()


# Files made to do harm: attributes that no fit gives


def test_attributes_of_no_fit_are_refused_and_not_saved(small):
    path, _ = small
    for edit, message in [
        (lambda state: state.pop("scale_"), "has no scale_, which a fitted SphericalHarmonicPCA has"),
        (
            lambda state: state.update(max_degree=10**30),
            "max_degree is 1000.*: expected the degree",
        ),
        (lambda state: state.update(n_components_=5), "n_components_ is 5: expected|components_ is array"),
        (lambda state: state.update(total_weight_={"float": "nan"}), "total_weight_ is nan: expected a number"),
        (lambda state: state.update(transform=1), "has transform, which is no attribute that files may hold"),
        (lambda state: state.update({"\ud800": 1}), "expected the name of an attribute"),
        (lambda state: state.update(missing="never"), "missing='never': expected 'error'"),
        (lambda state: state.pop("clip"), "has no parameter clip"),
        (lambda state: state.update(_sklearn_output_config=[1]), "expected one of default, pandas, polars"),
    ]:
        content = path.read_bytes()
        forge(path, lambda metadata, _, edit=edit: edit(metadata["objects"][0]["state"]))
        with pytest.raises(ModelFileError, match=message):
            skgeo.load(path)
        path.write_bytes(content)
    model = skgeo.load(path).set_params(max_degree=2)
    with pytest.raises(ValueError, match=r"cannot be saved, because the file could not be loaded.*max_degree is 2"):
        skgeo.save(model, path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["<f4", "<i8", ">f8", "<c16", "<U8", "|b1", "<M8[s]"])
def test_arrays_of_another_dtype_are_refused(kind, small):
    path, model = small

    def edit(metadata, entries):
        name = metadata["objects"][0]["state"]["mean_"]["array"]
        values = model.mean_.astype(kind) if "M8" not in kind else model.mean_.view(kind)
        digest = hashlib.sha256(values.tobytes()).hexdigest()
        metadata["arrays"][name] = {"dtype": values.dtype.str, "shape": [4], "order": "C", "sha256": digest}
        entries[name] = npy(values)

    forge(path, edit)
    with pytest.raises(ModelFileError, match=r"SphericalHarmonicPCA\.mean_ is array of dtype"):
        skgeo.load(path)


def test_texts_and_booleans_of_no_meaning_are_refused(tmp_path):
    texts = np.array(["sea", "ice"])
    for values in (np.full(3, 0x110000, np.uint32).view("<U3"), np.array([0, 7], np.uint8).view(bool)):
        skgeo.save(SphericalHarmonicPCA(spectrum=texts), tmp_path / "model.npz")

        def edit(metadata, entries, values=values):
            digest = hashlib.sha256(values.tobytes()).hexdigest()
            described = {"dtype": values.dtype.str, "shape": list(values.shape), "order": "C", "sha256": digest}
            metadata["arrays"]["array_0"] = described
            entries["array_0"] = npy(values)

        forge(tmp_path / "model.npz", edit)
        with pytest.raises(ModelFileError, match="a text has characters that do not exist|booleans has other values"):
            skgeo.load(tmp_path / "model.npz")


def test_objects_that_unfold_to_very_many_are_refused(tmp_path):
    # Each union holds the one before twice: the last has 2^60 parts.
    skgeo.save(make_union(PatchScaleFeaturizer()), tmp_path / "model.npz")

    def edit(metadata, _):
        union = metadata["objects"][-1]
        for i in range(1, 61):
            twice = copy.deepcopy(union)
            pairs = [{"tuple": [name, {"object": i}]} for name in "ab"]
            twice["state"]["transformer_list"] = pairs
            metadata["objects"].append(twice)

    forge(tmp_path / "model.npz", edit)
    with little_memory(), pytest.raises(ModelFileError, match="an object holds more than 10000 others"):
        skgeo.load(tmp_path / "model.npz")


def test_very_many_tiny_things_are_refused(small, monkeypatch):
    path, _ = small
    content = path.read_bytes()
    monkeypatch.setattr("skgeo._output.archive._MAX_ENTRIES", 100)
    monkeypatch.setattr("skgeo._output.integrity.MAX_VALUES", 3000)
    monkeypatch.setattr("skgeo._output.model_tree.MAX_OBJECTS", 50)
    # Numbers in metadata, objects, and entries of the archive.
    forge(path, lambda metadata, _: metadata["objects"][0]["state"].update(spectrum=[0] * 3001))
    with pytest.raises(ModelFileError, match="its metadata has more than 3,000 values"):
        skgeo.load(path)
    path.write_bytes(content)
    forge(path, lambda metadata, _: metadata["objects"].extend([{"class": "skgeo.X", "state": {}}] * 50))
    with pytest.raises(ModelFileError, match="it holds no list of at most 50 objects"):
        skgeo.load(path)
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(101):
            archive.writestr(f"x{i}", b"")
    with little_memory(), pytest.raises(ModelFileError, match="lists more than 100 entries"):
        skgeo.load(path)
    with pytest.raises(ValueError, match="its metadata has more than 3,000 values"):
        skgeo.save(SphericalHarmonicPCA(spectrum=[0] * 3001), path)


def test_an_array_belongs_to_one_attribute(small):
    path, _ = small
    forge(path, lambda metadata, _: metadata["objects"][0]["state"].update(mean_={"array": "array_1"}))
    assert outcome(path) is None


def test_grids_of_no_constructor_are_refused(tmp_path):
    path, cells = tmp_path / "grid.npz", CellGrid([0.0, 1.0], [0.0, 1.0], areas=[1e10, 2e10])
    for grid, name, value in [
        (GRID, "shape", {"tuple": [3, 4]}),
        (GRID, "dtype", {"dtype": "<i8"}),
        (GRID, "closed", None),
        (GRID, "_sources", {"dict": {"mask": 1}}),
        (cells, "solid_angles", 3),
        (cells, "shape", {"tuple": [7]}),
    ]:
        skgeo.save(grid, path)
        forge(path, lambda metadata, _, change=(name, value): metadata["objects"][0]["state"].update([change]))
        with pytest.raises(ModelFileError, match=rf"{type(grid).__name__}\.{name}.* is "):
            skgeo.load(path)


def test_cells_without_a_place_have_no_area(tmp_path):
    cells = CellGrid([0.0, np.nan], [0.0, np.nan], areas=[1e10, 1e10])
    skgeo.save(cells, tmp_path / "grid.npz")
    assert skgeo.load(tmp_path / "grid.npz").domain_area() == pytest.approx(1e10)
    vars(cells)["solid_angles"] = np.array([1e-4, 1.0])
    with pytest.raises(ValueError, match=r"CellGrid\.solid_angles is .* expected zero where latitude is NaN"):
        skgeo.save(cells, tmp_path / "grid.npz")


def of_many_forms():
    """Fitted models of scikit-learn of all shapes that coefficients, classes and columns have."""
    from sklearn import linear_model, preprocessing
    from sklearn.impute import SimpleImputer

    rng = np.random.default_rng(0)
    X, one = rng.normal(size=(30, 3)), rng.normal(size=30)
    two, labels = np.column_stack([one, -one]), np.array(["a", "b"])[(one > 0).astype(int)]
    for cls in (linear_model.Ridge, linear_model.LinearRegression, linear_model.RidgeCV, linear_model.Lasso):
        for y in (one, one[:, np.newaxis], two):
            yield cls().fit(X, y)
            yield cls(fit_intercept=False).fit(X, y)
    for y in (labels, (one > 0), np.arange(30) % 3, (np.arange(30) % 3).astype(float)):
        yield linear_model.LogisticRegression().fit(X, y)
        yield linear_model.RidgeClassifier(fit_intercept=False).fit(X, y)
        yield linear_model.RidgeClassifierCV().fit(X, y)
    yield linear_model.RidgeClassifier().fit(X, np.column_stack([one > 0, one > 1]).astype(int))
    missing = X.copy()
    missing[:, 1] = np.nan
    missing[0, 0] = np.nan
    for scaler in (preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.RobustScaler()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield scaler.fit(missing)
    yield preprocessing.StandardScaler(with_mean=False).fit(scipy.sparse.csr_matrix(X))
    yield preprocessing.StandardScaler(with_std=False).fit(X)
    yield preprocessing.RobustScaler(with_centering=False).fit(X)
    yield preprocessing.PowerTransformer(standardize=False).fit(X)
    for options in ({"interaction_only": True}, {"include_bias": False}, {"degree": (2, 3)}):
        yield preprocessing.PolynomialFeatures(**options).fit(X)
    table = np.array([["a", 1], ["b", 2], ["a", None]], dtype=object)
    for options in ({"drop": "first"}, {"min_frequency": 2, "handle_unknown": "infrequent_if_exist"}, {}):
        yield preprocessing.OneHotEncoder(**options).fit(table[:2] if options else table)
    yield preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(table[:, :1])
    for encode in ("onehot", "onehot-dense", "ordinal"):
        yield preprocessing.KBinsDiscretizer(3, encode=encode, strategy="uniform").fit(X)
    for options in (
        {"add_indicator": True},
        {"strategy": "constant", "fill_value": 1.0, "keep_empty_features": True},
        {"keep_empty_features": True},
    ):
        yield SimpleImputer(**options).fit(missing)


def test_schemas_accept_what_fits_of_scikit_learn_give(tmp_path):
    models = list(of_many_forms())
    assert len(models) > 50
    for model in models:
        skgeo.save(model, tmp_path / "model.npz")
        assert_same(skgeo.load(tmp_path / "model.npz"), model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_name_combiner": {"scalar_type": "<f4"}}, "feature_name_combiner is a type, which only dtype may be"),
        ({"_infrequent_enabled": True}, "_infrequent_indices is None: expected a list of 1"),
    ],
)
def test_forged_encoders_of_categories_are_refused(change, message, tmp_path):
    skgeo.save(OneHotEncoder().fit([["a"], ["b"]]), tmp_path / "model.npz")
    forge(tmp_path / "model.npz", lambda metadata, _: metadata["objects"][-1]["state"].update(change))
    with pytest.raises(ModelFileError, match=message):
        skgeo.load(tmp_path / "model.npz")


def test_threads_do_not_travel(tmp_path):
    skgeo.save(SphericalHarmonicPCA(1, n_jobs=7).fit(POINTS), tmp_path / "model.npz")
    assert skgeo.load(tmp_path / "model.npz").n_jobs is None


# The hash that a user knows


def test_a_file_with_another_hash_is_refused(small):
    path, model = small
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    assert_same(skgeo.load(path, sha256=known.upper()), model)
    with pytest.raises(ModelFileError, match=f"small.npz has the SHA-256 {known}: expected {'0' * 64}"):
        skgeo.load(path, sha256="0" * 64)
    for wrong in ("abc", 3, known + "0", b"0" * 64):
        with pytest.raises(ValueError, match="sha256=.*: expected None or 64 hexadecimal digits"):
            skgeo.load(path, sha256=wrong)


# What is written over


posix = pytest.mark.skipif(sys.platform == "win32", reason="rights, devices and bytes in names are POSIX")


@posix
def test_the_rights_of_a_file_stay(small):
    path, _ = small
    for rights in (0o600, 0o640, 0o664):
        path.chmod(rights)
        skgeo.save(PatchScaleFeaturizer(), path)
        assert path.stat().st_mode & 0o777 == rights
    assert os.listdir(path.parent) == ["small.npz"]


@posix
def test_only_regular_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    before = sorted(os.listdir(tmp_path))
    for name, reason in [("pipe", "no regular file"), ("link", "no regular file"), ("folder", "folder"), ("loop", "")]:
        with pytest.raises(OSError, match=rf"{reason}.*{name}"):
            skgeo.save(PatchScaleFeaturizer(), tmp_path / name)
    with pytest.raises(OSError, match=r"no regular file.*/dev/null"):
        skgeo.save(PatchScaleFeaturizer(), "/dev/null")
    assert sorted(os.listdir(tmp_path)) == before
    assert os.stat("/dev/null").st_mode & 0o170000 == 0o020000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_only_regular_files_are_read(sha256, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match=f"Models are in regular files, and this is a pipe or a device: '{path}'"):
            skgeo.load(path, sha256=sha256)


def test_an_error_of_the_system_names_the_file_that_the_user_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        skgeo.save(PatchScaleFeaturizer(), tmp_path / "absent" / "model.npz")
    assert caught.value.filename == str(tmp_path / "absent" / "model.npz")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have names in UTF-8 only")
def test_names_that_are_not_utf8_work(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.npz"
    skgeo.save(PatchScaleFeaturizer(log=False), path)
    assert not skgeo.load(path).log
    with pytest.raises(ModelFileError, match="SHA-256"):
        skgeo.load(path, sha256="0" * 64)
