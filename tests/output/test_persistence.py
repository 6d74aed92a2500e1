import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

from processes import run_python
from samples import GRID, PATCHES, coast
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA, __version__
from skgeo.exceptions import VersionWarning

OPTIONAL = ("torch", "pandas", "polars", "pyarrow", "xarray", "netCDF4", "tqdm", "matplotlib", "dask", "geopandas")


@pytest.fixture(scope="module")
def basis():
    return SphericalHarmonicPCA(max_degree=10, n_components=96).fit(GRID)


@pytest.fixture(scope="module")
def features(basis):
    return make_union(PatchPositionEncoder(FrozenEstimator(basis)), PatchScaleFeaturizer()).fit(PATCHES)


LOAD_AND_TRANSFORM = """
import sys
import joblib, numpy as np
X, output, *models = sys.argv[1:]
modes = dict(zip(models[::2], models[1::2]))
np.save(output, [joblib.load(model, mmap_mode=mode or None).transform(np.load(X)) for model, mode in modes.items()])
"""


def test_a_fresh_process_gets_the_same_bits(features, tmp_path):
    expected = features.transform(PATCHES)
    models = []
    for name, compress, mmap_mode in (("plain", 0, ""), ("compressed", 3, ""), ("mapped", 0, "r")):
        joblib.dump(features, tmp_path / name, compress=compress)
        models += [tmp_path / name, mmap_mode]
    np.save(tmp_path / "patches.npy", PATCHES)
    run_python(LOAD_AND_TRANSFORM, tmp_path / "patches.npy", tmp_path / "out.npy", *models)
    got = np.load(tmp_path / "out.npy")
    assert got.shape == (3, len(PATCHES), 106)
    for out in got:
        assert out.tobytes() == expected.tobytes()


def test_a_basis_fitted_on_goes_on_in_a_fresh_process(basis, tmp_path):
    points = GRID.points()[::7]
    expected = copy.deepcopy(basis).partial_fit(points).transform(points)
    joblib.dump(basis, tmp_path / "basis.joblib")
    np.save(tmp_path / "points.npy", points)
    code = LOAD_AND_TRANSFORM.replace(".transform(np.load(X))", ".partial_fit(np.load(X)).transform(np.load(X))")
    run_python(code, tmp_path / "points.npy", tmp_path / "out.npy", tmp_path / "basis.joblib", "")
    assert np.load(tmp_path / "out.npy").tobytes() == expected.tobytes()


def test_a_fitted_basis_is_small_and_holds_no_pixels(basis, tmp_path):
    fine = SphericalHarmonicPCA(max_degree=10, n_components=96).fit(coast(1.0))
    sizes = []
    for model in (basis, fine):
        joblib.dump(model, tmp_path / "basis.joblib")
        sizes.append((tmp_path / "basis.joblib").stat().st_size)
    assert max(sizes) < 200_000
    assert abs(sizes[0] - sizes[1]) < 100


def pickled(model):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_copies_are_alike_and_do_not_warn(basis, duplicate):
    encoder = PatchPositionEncoder(FrozenEstimator(basis)).fit(PATCHES)
    for model, X in ((basis, GRID), (encoder, PATCHES), (PatchScaleFeaturizer().fit(PATCHES), PATCHES)):
        duplicated = duplicate(model)
        assert duplicated is not model
        assert vars(duplicated).keys() == vars(model).keys()
        assert_array_equal(duplicated.transform(X), model.transform(X))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickle_will_do(basis, protocol):
    assert_array_equal(pickle.loads(pickle.dumps(basis, protocol)).transform(GRID), basis.transform(GRID))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("grid", [GRID, LatLonGrid([-90, 0, 90], [350, 355, 0, 5])], ids=["masked", "wrapped"])
def test_copies_of_a_grid_are_alike_and_immutable(grid, duplicate):
    duplicated = duplicate(grid)
    assert repr(duplicated) == repr(grid)
    assert vars(duplicated).keys() == vars(grid).keys()
    for name, value in vars(grid).items():
        assert_array_equal(getattr(duplicated, name), value)
        if isinstance(value, np.ndarray):
            assert not getattr(duplicated, name).flags.writeable
    with pytest.raises(AttributeError, match="immutable"):
        duplicated.mask = None


@pytest.fixture
def saved_by_another_version(features, basis, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("skgeo._base.__version__", "0.0.1")
        joblib.dump(features, tmp_path / "features.joblib")
        joblib.dump(basis, tmp_path / "basis.joblib")
    return tmp_path


def test_a_file_of_another_version_warns(saved_by_another_version, basis):
    with pytest.warns(VersionWarning, match=f"saved by skgeo 0.0.1 and is loaded by skgeo {__version__}") as record:
        loaded = joblib.load(saved_by_another_version / "basis.joblib")
    assert len(record) == 1
    assert_array_equal(loaded.transform(GRID), basis.transform(GRID))


def test_file_of_another_version_warns_once(saved_by_another_version):
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("default")
        joblib.load(saved_by_another_version / "features.joblib")
    assert [warning.category for warning in record] == [VersionWarning]


def test_a_model_saved_anew_is_of_this_version(saved_by_another_version):
    with pytest.warns(VersionWarning):
        loaded = joblib.load(saved_by_another_version / "basis.joblib")
    pickled(loaded)  # warns no more: warnings are errors here


def test_a_file_without_a_version_warns(basis):
    state = basis.__getstate__()
    del state["_skgeo_version"]
    with pytest.warns(VersionWarning, match="saved by skgeo unknown"):
        SphericalHarmonicPCA().__setstate__(state)


def test_importing_skgeo_imports_no_optional_package():
    # scikit-learn itself imports pandas where it is installed, and pandas pyarrow: what counts is what skgeo adds.
    code = (
        "import sys, sklearn.base, sklearn.frozen\n"
        "before = set(sys.modules)\n"
        "import skgeo\n"
        f"print(set({OPTIONAL}) & (set(sys.modules) - before))\n"
        "print({'torch', 'polars', 'xarray', 'matplotlib', 'dask'} & set(sys.modules))\n"
    )
    assert run_python(code).split() == ["set()", "set()"]


WITHOUT_OPTIONAL = f"""
import sys
class Absent:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL}:
            raise ModuleNotFoundError(f"no {{name}} here", name=name)
sys.meta_path.insert(0, Absent)
import numpy as np
from sklearn.pipeline import make_union
from processes import run_python
from samples import GRID, PATCHES, coast
from skgeo import LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
grid = LatLonGrid(np.arange(-55, 60, 10), np.arange(0, 200, 10))
features = make_union(PatchPositionEncoder(SphericalHarmonicPCA(3)), PatchScaleFeaturizer())
print(features.fit_transform(grid.patches((3, 4))).shape)
patches = grid.patches((3, 4))
verbose = features.set_params(patchpositionencoder__verbose=True)
for ask in (lambda: grid.patches((3, 4), as_frame=True), lambda: verbose.transform(patches)):
    try:
        ask()
    except ImportError as error:
        print(error)
"""


def test_the_core_works_without_any_optional_package():
    assert run_python(WITHOUT_OPTIONAL).splitlines() == [
        "(20, 25)",
        "as_frame=True needs pandas: pip install 'skgeo[pandas]'.",
        "verbose=True needs tqdm: pip install 'skgeo[progress]'.",
    ]
