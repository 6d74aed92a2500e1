import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator

import reference
from processes import SLOW_MACHINE
from skgeo import (
    CellGrid,
    LatLonGrid,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalGaussianProcessRegressor,
    SphericalHarmonicPCA,
)
from skgeo.exceptions import CoordinateError

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

LATITUDE, LONGITUDE = np.arange(-89.0, 90, 2), np.arange(1.0, 360, 2)
CENTRES = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
FRACTION = np.clip(0.5 + np.sin(np.radians(2 * CENTRES[0] + 20)) + np.cos(np.radians(3 * CENTRES[1] - 40)), 0, 1)
GRID = LatLonGrid(LATITUDE, LONGITUDE, mask=FRACTION)
POINTS = reference.uniform_points(500)
WEIGHT = np.random.default_rng(1).uniform(size=500)
CHUNKS = [(90, 180), (7, 180), (90, 11), (31, 50), ((1, 88, 1), (100, 80))]


def pca(**parameters):
    return SphericalHarmonicPCA(max_degree=6, **parameters)


def assert_same_basis(got, expected):
    assert_allclose(got.components_, expected.components_, atol=1e-9)
    for name in ("mean_", "explained_variance_", "total_weight_", "shannon_number_"):
        assert_allclose(getattr(got, name), getattr(expected, name), rtol=1e-10, atol=1e-12, err_msg=name)


class Counted:
    """An array-like that says which parts of it were read."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, values.dtype, values.ndim
        self.read = []

    def __getitem__(self, index):
        self.read.append(self.values[index].size)
        return self.values[index]


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("mask", [FRACTION, FRACTION > 0.5], ids=["fraction", "bool"])
def test_a_chunked_mask_gives_the_basis_of_the_array(chunks, mask):
    chunked = LatLonGrid(LATITUDE, LONGITUDE, mask=da.from_array(mask, chunks=chunks))
    assert_same_basis(pca().fit(chunked), pca().fit(LatLonGrid(LATITUDE, LONGITUDE, mask=mask)))


@pytest.mark.parametrize("options", [{"area_weighted": False}, {"spectrum": "matern"}])
def test_options_and_weights_of_a_chunked_mask(options):
    chunked = LatLonGrid(LATITUDE, LONGITUDE, mask=da.from_array(FRACTION, chunks=(31, 50)))
    weight = np.random.default_rng(0).uniform(size=GRID.shape)
    expected = pca(**options).fit(GRID, sample_weight=weight)
    for given in (weight, weight.ravel(), da.from_array(weight, chunks=(40, 40))):
        assert_same_basis(pca(**options).fit(chunked, sample_weight=given), expected)


def test_parts_of_a_chunked_grid_add_up():
    north, south = (
        LatLonGrid(LATITUDE[rows], LONGITUDE, mask=da.from_array(FRACTION[rows], chunks=(20, 60)))
        for rows in (np.s_[45:], np.s_[:45])
    )
    assert_same_basis(pca().partial_fit(north).partial_fit(south), pca().fit(GRID))


def test_the_globe_in_bands_is_zonal():
    everywhere = LatLonGrid(LATITUDE, LONGITUDE, mask=da.ones((90, 180), chunks=(20, 180), dtype=bool))
    assert_same_basis(pca().fit(everywhere), pca().fit(LatLonGrid(LATITUDE, LONGITUDE)))


def test_blocks_are_read_one_by_one_and_only_once():
    counted = Counted(FRACTION)
    mask = da.from_array(counted, chunks=(31, 50), meta=np.empty((0, 0)))
    grid = LatLonGrid(LATITUDE, LONGITUDE, mask=mask)
    repr(grid)
    assert counted.read == []
    pca().fit(grid)
    assert sum(counted.read) == FRACTION.size
    assert max(counted.read) == 31 * 50
    pca().fit(GRID).transform(grid)
    assert sum(counted.read) == FRACTION.size  # an embedding does not look at the mask


def test_chunked_masks_serve_areas_and_patches():
    chunked = LatLonGrid(LATITUDE, LONGITUDE, mask=da.from_array(FRACTION, chunks=(31, 50)))
    assert "chunked mask" in repr(chunked)
    assert_allclose(chunked.domain_area(), GRID.domain_area(), rtol=1e-12)
    assert_array_equal(chunked.patches(10, min_fraction=0.4), GRID.patches(10, min_fraction=0.4))


def test_a_bad_value_in_a_chunk_is_refused_when_it_is_read():
    bad = FRACTION.copy()
    bad[70, 3] = 7.0
    grid = LatLonGrid(LATITUDE, LONGITUDE, mask=da.from_array(bad, chunks=(31, 50)))
    model = pca().fit(POINTS)
    before = vars(model).copy()
    with pytest.raises(CoordinateError, match=r"mask is outside \[0, 1\] in 1 cells"):
        model.fit(grid)
    assert vars(model).keys() == before.keys()
    assert model.components_ is before["components_"]
    with pytest.raises(CoordinateError, match=r"mask has shape \(90, 179\), the grid has \(90, 180\)"):
        LatLonGrid(LATITUDE, LONGITUDE, mask=da.from_array(bad[:, 1:], chunks=50))
    with pytest.raises(ValueError, match="total weight of X is zero"):
        pca().fit(LatLonGrid(LATITUDE, LONGITUDE, mask=da.zeros((90, 180), chunks=50, dtype=bool)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_embedding_of_a_chunked_grid_is_lazy_and_in_rows(dtype):
    axes = LATITUDE.astype(dtype), LONGITUDE.astype(dtype)
    chunked = LatLonGrid(*axes, mask=da.from_array(FRACTION, chunks=((40, 50), (90, 90))))
    basis = pca(n_components=5, add_indicator=True).fit(GRID)
    lazy = basis.transform(chunked)
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype, lazy.chunks) == ((90 * 180, 6), dtype, ((7200, 9000), (6,)))
    bound = 1e-12 if dtype is np.float64 else 1e-5
    assert_allclose(lazy.compute(), basis.transform(LatLonGrid(*axes)), rtol=0, atol=bound)


def test_chunks_of_an_embedding_are_of_a_size_to_store(monkeypatch):
    monkeypatch.setattr("skgeo._input.chunks._BLOCK_BYTES", 180 * 5 * 8 * 7)
    lazy = pca(n_components=5).fit(GRID).transform(LatLonGrid(LATITUDE, LONGITUDE, mask=da.ones((90, 180), chunks=-1)))
    assert max(lazy.chunks[0]) == 7 * 180
    assert_allclose(lazy.compute(), pca(n_components=5).fit(GRID).transform(GRID), rtol=0, atol=1e-12)


def test_a_lazy_embedding_stays_that_of_the_fit(tmp_path):
    basis = pca(n_components=5).fit(GRID)
    lazy = basis.transform(da.from_array(POINTS, chunks=(100, 2)))
    expected = basis.transform(POINTS)
    basis.fit(POINTS)
    basis.set_params(clip=None)
    lazy.to_zarr(str(tmp_path / "embedding.zarr"))
    assert_allclose(da.from_zarr(str(tmp_path / "embedding.zarr")).compute(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunks", [(500, 2), (77, 2), (100, 1)])
def test_points_in_chunks(chunks):
    X = da.from_array(POINTS, chunks=chunks)
    assert_same_basis(pca().fit(X), pca().fit(POINTS))
    for weight in (WEIGHT, da.from_array(WEIGHT, chunks=60)):
        assert_same_basis(pca().fit(X, sample_weight=weight), pca().fit(POINTS, sample_weight=WEIGHT))
    model = pca().fit(X)
    assert model.n_features_in_ == 2
    lazy = model.transform(X)
    assert lazy.chunks[1] == (48,)
    assert_allclose(lazy.compute(), model.transform(POINTS), atol=1e-12)
    single = pca(n_components=5).fit(X).transform(X.astype(np.float32))
    assert single.dtype == single.compute().dtype == np.float32


def test_blocks_may_be_empty():
    X = da.from_array(POINTS[np.argsort(POINTS[:, 0])], chunks=(100, 2))
    north = X[X[:, 0] > 40]  # of unknown sizes, some of them zero
    model = pca(n_components=5).fit(north)
    expected = POINTS[np.argsort(POINTS[:, 0])]
    assert_allclose(model.transform(north).compute(), model.transform(expected[expected[:, 0] > 40]), atol=1e-12)
    with pytest.raises(
        ValueError, match=r"sample_weight needs an X whose chunks have known sizes: X\.compute_chunk_sizes"
    ):
        pca().fit(north, sample_weight=np.ones(3))


def test_what_is_no_table_is_refused():
    model = pca().fit(POINTS)
    for X in (da.ones(5), da.ones((2, 3, 4)), da.ones((2, 3, 4, 2)), dask.delayed(POINTS)):
        for call in (model.transform, pca().fit):
            with pytest.raises(CoordinateError, match="X is a dask .*: expected a DataFrame or an array of rows"):
                call(X)


def test_a_model_goes_along_with_its_blocks_once():
    lazy = pca().fit(POINTS).transform(da.from_array(POINTS, chunks=(5, 2)))
    tasks = [len(pickle.dumps(task)) for task in dict(lazy.__dask_graph__()).values()]
    assert sorted(tasks)[-2] < max(tasks) / 10


def test_a_lazy_embedding_of_patches_stays_that_of_the_fit():
    basis = pca(n_components=5).fit(GRID)
    patches = GRID.patches(6)
    encoder = PatchPositionEncoder(FrozenEstimator(basis)).fit(patches)
    lazy, expected = encoder.transform(da.from_array(patches, chunks=(100, 6))), encoder.transform(patches)
    basis.fit(POINTS)
    assert_allclose(lazy.compute(), expected, atol=1e-12)


def test_a_mask_is_computed_once_to_cut_patches():
    counted = Counted(FRACTION)
    mask = da.from_array(counted, chunks=(90, 180), meta=np.empty((0, 0)))
    assert_array_equal(
        LatLonGrid(LATITUDE, LONGITUDE, mask=mask).patches(10, min_fraction=0.4), GRID.patches(10, min_fraction=0.4)
    )
    assert len(counted.read) == 1
    CellGrid(*CENTRES, mask=mask).patches(10, min_fraction=0.4)
    assert len(counted.read) == 2


def test_errors_in_chunks_of_points_reach_the_caller():
    swapped = da.from_array(np.array([[0.0, 1.0], [120.0, 2.0]]), chunks=(1, 2))
    with pytest.raises(CoordinateError, match=r"latitudes outside \[-90, 90\] degrees.*swapped"):
        pca().fit(swapped)
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\): expected \(500,\)"):
        pca().fit(da.from_array(POINTS, chunks=(100, 2)), sample_weight=[1.0, 2.0, 3.0])


def test_missing_points_in_chunks():
    holes = np.where(np.arange(1000).reshape(500, 2) % 7 == 0, np.nan, POINTS)
    X = da.from_array(holes, chunks=(90, 2))
    got, expected = (pca(missing="mean", add_indicator=True).fit(values) for values in (X, holes))
    assert_same_basis(got, expected)
    assert_allclose(got.transform(X).compute(), got.transform(holes), atol=1e-12)
    with pytest.raises(CoordinateError, match="NaN or infinity"):
        pca().fit(X)


def test_dask_dataframes():
    pandas = pytest.importorskip("pandas")
    frames = pytest.importorskip("dask.dataframe")
    table = pandas.DataFrame(POINTS[:, ::-1], columns=["Lon", "Lat"], index=np.arange(500) * 2)
    X = frames.from_pandas(table, npartitions=4)
    model = pca(n_components=5).fit(X)
    assert model.feature_names_in_.tolist() == ["Lon", "Lat"]
    assert_same_basis(model, pca(n_components=5).fit(POINTS))
    weights = WEIGHT, frames.from_pandas(pandas.Series(WEIGHT, index=table.index), npartitions=4)
    for weight in weights:
        assert_same_basis(pca().fit(X, sample_weight=weight), pca().fit(POINTS, sample_weight=WEIGHT))
    got = model.transform(X[X["Lat"] > 60])  # with partitions that may be empty
    assert list(got.columns) == [f"shpca{i}" for i in range(5)]
    kept = table[table["Lat"] > 60]
    pandas.testing.assert_frame_equal(got.compute(), model.set_output(transform="pandas").transform(kept))
    single = pca(n_components=5).fit(X).transform(X.astype(np.float32))
    assert (single.dtypes == np.float32).all()
    assert (single.compute().dtypes == np.float32).all()


@pytest.mark.parametrize("chunks", [(90, 180), (31, 50), (1, 180)])
@pytest.mark.parametrize("chunked", ["latitude", "mask", "all"])
def test_chunked_cells(chunks, chunked):
    latitude = np.where(CENTRES[1] < 20, np.nan, CENTRES[0])
    whole = CellGrid(latitude, CENTRES[1], FRACTION)
    arrays = {"latitude": latitude, "longitude": CENTRES[1], "mask": FRACTION}
    for name in arrays if chunked == "all" else [chunked]:
        arrays[name] = da.from_array(arrays[name], chunks=chunks)
    cells = CellGrid(**arrays)
    assert repr(cells) == "CellGrid(90 x 180, chunked)"
    assert_allclose(cells.cell_areas().compute(), whole.cell_areas(), rtol=1e-12)  # neighbours in other chunks count
    assert_allclose(cells.domain_area(), whole.domain_area(), rtol=1e-12)
    assert_same_basis(pca().fit(cells), pca().fit(whole))
    basis = pca(n_components=5).fit(whole)
    lazy = basis.transform(cells)
    assert isinstance(lazy, da.Array)
    assert_allclose(lazy.compute(), basis.transform(whole), atol=1e-12)
    assert_array_equal(cells.points().compute(), whole.points())
    assert_array_equal(cells.patches(9, min_fraction=0.3), whole.patches(9, min_fraction=0.3))


def test_a_gaussian_process_reads_chunked_cells_once():
    model = SphericalGaussianProcessRegressor().fit(POINTS[:100], np.sin(np.radians(POINTS[:100, 0])))
    counted = Counted(CENTRES[0])
    cells = CellGrid(da.from_array(counted, chunks=(31, 50), meta=np.empty((0, 0))), CENTRES[1])
    found = model.predict(cells, return_std=True)
    assert sum(counted.read) == CENTRES[0].size
    assert_allclose(found, model.predict(CellGrid(*CENTRES), return_std=True), rtol=1e-12)
    assert_array_equal(model.sample_y(cells), model.sample_y(CellGrid(*CENTRES)))


def test_chunked_cells_with_areas_or_vertices():
    areas = np.random.default_rng(0).uniform(1e9, 2e9, CENTRES[0].shape)
    corners = [np.stack([centre + step for step in steps], -1) for centre, steps in zip(CENTRES, CORNERS, strict=True)]
    latitude = da.from_array(CENTRES[0], chunks=(31, 50))
    for options in ({"areas": areas}, {"vertices": corners}):
        whole = CellGrid(*CENTRES, **options)
        lazy = {name: [da.from_array(v, chunks=40) for v in value] if name == "vertices" else da.from_array(value)
                for name, value in options.items()}  # fmt: skip
        for given in (options, lazy):
            assert_array_equal(CellGrid(latitude, CENTRES[1], **given).cell_areas().compute(), whole.cell_areas())


CORNERS = (-1, -1, 1, 1), (-1, 1, 1, -1)


@pytest.mark.parametrize("shape", [(90, 180), (90 * 180,)])
def test_weights_of_chunked_cells(shape):
    weight = np.random.default_rng(0).uniform(size=(90, 180))
    cells = CellGrid(da.from_array(CENTRES[0], chunks=(31, 50)), CENTRES[1], FRACTION)
    expected = pca().fit(CellGrid(*CENTRES, FRACTION), sample_weight=weight)
    assert_same_basis(pca().fit(cells, sample_weight=weight.reshape(shape)), expected)
    for grid in (cells, LatLonGrid(LATITUDE, LONGITUDE, mask=da.from_array(FRACTION, chunks=50))):
        with pytest.raises(
            ValueError, match=r"sample_weight has shape \(7,\): expected \(90, 180\), one weight per sample"
        ):
            pca().fit(grid, sample_weight=np.ones(7))


def test_unstructured_cells_in_chunks():
    areas = np.random.default_rng(0).uniform(1e9, 2e9, 500)
    whole = CellGrid(*POINTS.T, areas=areas)
    cells = CellGrid(*(da.from_array(axis, chunks=70) for axis in POINTS.T), areas=areas)
    assert_same_basis(pca().fit(cells), pca().fit(whole))
    assert_allclose(pca().fit(whole).transform(cells).compute(), pca().fit(whole).transform(whole), atol=1e-12)


def test_patches_in_chunks():
    basis = FrozenEstimator(pca(n_components=5).fit(GRID))
    table, stack = GRID.patches(6), CellGrid(*CENTRES).patches(6)
    cells = CellGrid(*POINTS.T, areas=np.full(500, 1e12)).patches(np.arange(500).reshape(125, 4))
    for transformer in (PatchScaleFeaturizer(), PatchPositionEncoder(basis)):
        for patches in (table, stack, cells):
            chunked = da.from_array(patches, chunks=(100, *[3] * (patches.ndim - 1)))
            model = transformer.fit(chunked)
            lazy = model.transform(chunked)
            assert isinstance(lazy, da.Array)
            assert_allclose(lazy.compute(), model.transform(patches), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_schedulers_agree(scheduler):
    chunked = LatLonGrid(LATITUDE, LONGITUDE, mask=da.from_array(FRACTION, chunks=(31, 50)))
    with dask.config.set(scheduler=scheduler):
        assert_same_basis(pca().fit(chunked), pca().fit(GRID))


def test_the_progress_bar_of_dask_shows_when_asked(capsys):
    chunked = LatLonGrid(LATITUDE, LONGITUDE, mask=da.from_array(FRACTION, chunks=(31, 50)))
    pca().fit(chunked)
    assert capsys.readouterr().out == ""
    pca(verbose=True).fit(chunked)
    assert "100% Completed" in capsys.readouterr().out


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": "2GiB"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


def die_once(block, flag):
    """The block, unless this is the first time that it is asked for: then the process of the worker ends."""
    try:
        Path(flag).touch(exist_ok=False)
    except FileExistsError:
        return block
    os._exit(1)


@pytest.mark.filterwarnings(SLOW_MACHINE)
def test_cluster_same_result_survives_loss_of_worker(cluster, tmp_path, capsys):
    mask = da.from_array(FRACTION, chunks=(31, 50))
    assert_same_basis(pca(verbose=True).fit(LatLonGrid(LATITUDE, LONGITUDE, mask=mask)), pca().fit(GRID))
    assert "100% Completed" in capsys.readouterr().out
    flag = str(tmp_path / "died")
    mortal = da.map_blocks(die_once, mask, flag, meta=np.empty((0, 0)))
    assert_same_basis(pca().fit(LatLonGrid(LATITUDE, LONGITUDE, mask=mortal)), pca().fit(GRID))
    assert Path(flag).exists()
    X = da.from_array(POINTS, chunks=(100, 2))
    assert_same_basis(pca().fit(X), pca().fit(POINTS))
    assert_allclose(pca().fit(POINTS).transform(X).compute(), pca().fit(POINTS).transform(POINTS), atol=1e-12)
