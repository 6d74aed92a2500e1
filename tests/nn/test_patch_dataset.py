"""PatchDataset: samples against slices of the field with explicit index arithmetic, workers, and files."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union
from torch.utils.data import DataLoader

from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo.exceptions import CoordinateError, CoordinateWarning
from skgeo.nn import PatchDataset

RNG = np.random.default_rng(0)
GRID = LatLonGrid(np.arange(-80, 90, 20), np.arange(0, 360, 15), mask=RNG.random((9, 24)) > 0.3)
FIELD = RNG.normal(size=(4, 2, 9, 24)).astype(np.float32)
FIELD[RNG.random(FIELD.shape) < 0.1] = np.nan
Y, X = np.meshgrid(np.arange(9.0), np.arange(12.0), indexing="ij")
SWATH = CellGrid(np.where((Y < 2) & (X > 6), np.nan, 50 + Y - X / 5), 10 + X + Y / 3)


def labelled(field=FIELD):
    times = pd.date_range("2020-01-01", periods=len(field))
    axes = {"time": times, "level": [850, 500], "lat": GRID.latitude, "lon": GRID.longitude}
    return xr.DataArray(field, axes, tuple(axes), name="t")


def expected_sample(field, grid, patch, index, size, mask=None):
    """Values and validity (channel, h, w) of a patch at one time, with loops over pixels."""
    values, valid = np.zeros((len(field), *size), np.float32), np.zeros((len(field), *size), dtype=bool)
    counts = patch[4:].astype(int) if patch.ndim == 1 else size
    for channel in range(len(field)):
        for i in range(counts[0]):
            for j in range(counts[1]):
                row, column = index[0] + i, (index[1] + j) % grid.shape[1]
                value = field[channel, row, column]
                if np.isfinite(value) and (mask is None or mask[row, column] > 0):
                    values[channel, i, j], valid[channel, i, j] = value, True
    return values, valid


@pytest.mark.parametrize(
    "options",
    [
        {"patch_size": 3},
        {"patch_size": (4, 7), "stride": (3, 5), "partial": True},
        {"patch_size": (2, 10), "stride": (2, 4), "partial": False, "min_fraction": 0.6},
    ],
)
def test_samples_without_windows_are_the_patches_at_all_times(options):
    patches, index = GRID.patches(**options, return_index=True)
    dataset = PatchDataset(FIELD, grid=GRID, **options)
    assert len(dataset) == 4 * len(patches)
    assert_array_equal(dataset.patches, patches)
    size = np.broadcast_to(options["patch_size"], 2)
    for k in range(0, len(dataset), 5):
        sample = dataset[k]
        time, number = divmod(k, len(patches))
        values, valid = expected_sample(FIELD[time], GRID, patches[number], index[number], size, GRID.mask)
        assert (sample["time"], sample["number"]) == (time, number)
        assert_array_equal(sample["values"], values)
        assert_array_equal(sample["valid"], valid)
        assert_array_equal(sample["patches"], patches[number])
        assert "features" not in sample
    assert_array_equal(dataset[-1]["values"], dataset[len(dataset) - 1]["values"])
    with pytest.raises(IndexError, match="expected an integer"):
        dataset[len(dataset)]


def test_windows_are_neighbouring_patches():
    """Patches of 3 x 4 make 3 x 6 patches around the globe; windows of 2 x 4 in steps of 1 x 2 cross the seam."""
    dataset = PatchDataset(FIELD, (3, 4), grid=GRID, window=(2, 4), window_stride=(1, 2))
    expected = [[(i + a) * 6 + (j + b) % 6 for a in range(2) for b in range(4)] for i in (0, 1) for j in (0, 2, 4)]
    assert dataset.windows.tolist() == expected
    patches, index = GRID.patches((3, 4), return_index=True)
    for k in (0, 5, 13, 23):
        sample = dataset[k]
        time, window = divmod(k, 6)
        assert sample["values"].shape == (8, 2, 3, 4)
        assert sample["number"].tolist() == expected[window]
        for token, number in enumerate(expected[window]):
            values, valid = expected_sample(FIELD[time], GRID, patches[number], index[number], (3, 4), GRID.mask)
            assert_array_equal(sample["values"][token], values)
            assert_array_equal(sample["valid"][token], valid)
    # Without overlap a rest is left, as patches leave it.
    assert len(PatchDataset(FIELD, (3, 4), grid=GRID, window=(1, 4)).windows) == 3


def test_windows_as_wide_as_the_globe_keep_the_order_of_their_tokens():
    dataset, single = (
        PatchDataset(FIELD, (3, 4), grid=GRID, window=window, window_stride=1) for window in ((2, 6), (1, 1))
    )
    assert len(dataset.windows) == 12
    for k in (0, 1, 4, 5, 12 + 11):
        sample = dataset[k]
        tokens = [single[sample["time"] * 18 + int(number)] for number in sample["number"]]
        for name in ("values", "valid", "patches"):
            assert_array_equal(sample[name], torch.cat([token[name] for token in tokens]))


def test_windows_hold_whole_neighbourhoods_only():
    mask = np.ones((9, 24))
    mask[3:6, 8:12] = 0
    grid = LatLonGrid(GRID.latitude, GRID.longitude, mask)
    dataset = PatchDataset(FIELD, (3, 4), grid=grid, min_fraction=0.5, window=(2, 1), window_stride=1)
    found = [[tuple(dataset.index[number] // (3, 4)) for number in window] for window in dataset.windows]
    assert found == [[(i, j), (i + 1, j)] for i in (0, 1) for j in (0, 1, 3, 4, 5)]
    with pytest.raises(ValueError, match=r"window=\(3, 6\), of 3 x 6 patches: no window has all of its patches"):
        PatchDataset(FIELD, (3, 4), grid=grid, min_fraction=0.5, window=(3, 6))
    # Patches on both sides of a gap are no neighbours.
    gap = LatLonGrid([0, 1, 2, 3], [*range(4), *range(20, 26)])
    windows = PatchDataset(np.zeros((4, 10)), 2, grid=gap, window=(1, 2), window_stride=1)
    assert windows.index[windows.windows][:3, :, 1].tolist() == [[0, 2], [4, 6], [6, 8]]


def test_tokens_of_an_epoch_put_the_field_together():
    dataset = PatchDataset(FIELD, (3, 4), grid=LatLonGrid(GRID.latitude, GRID.longitude), window=(3, 2))
    values = np.full((4, 18, 2, 3, 4), np.nan)
    for batch in DataLoader(dataset, batch_size=5, shuffle=True):
        known = torch.where(batch["valid"], batch["values"], torch.nan)
        values[batch["time"][:, None], batch["number"]] = known
    back = dataset.grid.from_patches(np.moveaxis(values, 2, 1), (3, 4))
    assert_array_equal(back, FIELD)


@pytest.mark.parametrize("window", [None, (1, 2)])
def test_features_are_computed_once(window, monkeypatch):
    basis = SphericalHarmonicPCA(3).fit(GRID)
    union = make_union(PatchPositionEncoder(FrozenEstimator(basis), grid=GRID), PatchScaleFeaturizer())
    union.fit(GRID.patches(3, as_frame=True))
    transformed = []
    monkeypatch.setattr(
        type(union),
        "transform",
        lambda self, X: transformed.append(X) or np.hstack([t.transform(X) for _, t in self.transformer_list]),
    )
    dataset = PatchDataset(FIELD, 3, grid=GRID, window=window, features=union)
    expected = union.transform(GRID.patches(3, as_frame=True))
    for k in (0, 7):
        sample = dataset[k]
        assert sample["features"].dtype == torch.float32
        assert_allclose(sample["features"], expected[sample["number"]], rtol=1e-6)
    assert len(transformed) == 2  # of the dataset, and of what is expected
    table = PatchDataset(FIELD, 3, grid=GRID, features=expected, dtype=torch.float64)
    assert_array_equal(table.features, expected)
    assert table[0]["values"].dtype == torch.float64
    with pytest.raises(ValueError, match=r"features\.shape=\(23, 25\): expected numbers of shape \(24, n_features\)"):
        PatchDataset(FIELD, 3, grid=GRID, features=expected[1:])


# Kinds of fields


def test_arrays_with_fewer_dimensions():
    whole = PatchDataset(FIELD, 3, grid=GRID, fill_value=-9.0)
    one, single = PatchDataset(FIELD[:, 1], 3, grid=GRID, fill_value=-9), PatchDataset(FIELD[2, 1], 3, grid=GRID)
    assert (len(one), len(single), len(PatchDataset(FIELD[:0], 3, grid=GRID))) == (96, 24, 0)
    assert_array_equal(one[60]["values"][0], whole[60]["values"][1])
    assert_array_equal(single[5]["valid"][0], whole[2 * 24 + 5]["valid"][1])
    assert (one[60]["values"] == -9).any()
    masked = np.ma.masked_invalid(FIELD)
    integers = (np.nan_to_num(FIELD) * 10).astype(np.int16)
    for same, field in (
        (masked, FIELD),
        (torch.from_numpy(FIELD), FIELD),
        (FIELD.tolist(), FIELD),
        (integers, integers),
    ):
        got = PatchDataset(same, (3, 5), (3, 4), grid=GRID)[11]
        expected = PatchDataset(field.astype(np.float64), (3, 5), (3, 4), grid=GRID)[11]
        assert_array_equal(got["values"], expected["values"])
        assert_array_equal(got["valid"], expected["valid"])


def test_labelled_fields_are_aligned_and_name_their_times():
    expected = PatchDataset(FIELD, (3, 5), (3, 4), grid=GRID)
    array = labelled()
    turned = (
        array.transpose("lon", "level", "lat", "time").isel(lat=slice(None, None, -1)).roll(lon=5, roll_coords=True)
    )
    variables = xr.Dataset({"a": array.sel(level=850, drop=True), "b": array.sel(level=500, drop=True).T, "n": 3})
    for same in (array, turned, turned.chunk(time=2, lon=7)):
        dataset = PatchDataset(same, (3, 5), (3, 4), grid=GRID, channel_dim="level")
        for k in (0, 5, 23, 71):  # 5 lies across the seam
            for name, values in expected[k].items():
                assert_array_equal(dataset[k][name], values)
        assert [str(time)[:10] for time in dataset.times] == ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"]
    assert_array_equal(PatchDataset(variables, (3, 5), (3, 4), grid=GRID)[23]["values"], expected[23]["values"])
    # Without a channel dimension, levels are samples like times.
    product = PatchDataset(array, (3, 5), (3, 4), grid=GRID)
    assert [label[1] for label in product.times[:4]] == [850, 500, 850, 500]
    assert_array_equal(product[18 + 3]["values"][0], expected[3]["values"][1])
    own = PatchDataset(array.isel(time=0, level=0, drop=True), 3)
    assert own.times == [0]
    assert own.grid.shape == GRID.shape
    with pytest.raises(CoordinateError, match="field has other longitudes than the grid"):
        PatchDataset(array.isel(lon=slice(12)), 3, grid=GRID)


def test_cells_have_pixel_centres():
    field = RNG.normal(size=(2, 9, 12))
    axes = {"lat": (("y", "x"), SWATH.latitude), "lon": (("y", "x"), SWATH.longitude)}
    array = xr.DataArray(field, axes, ("time", "y", "x"))
    stack, index = SWATH.patches(3, return_index=True)
    for dataset in (PatchDataset(field, 3, grid=SWATH), PatchDataset(array, 3), PatchDataset(array.T, 3, grid=SWATH)):
        for k in range(0, len(dataset), 3):
            sample = dataset[k]
            time, number = divmod(k, len(stack))
            present = np.isfinite(SWATH.latitude)
            values, valid = expected_sample(field[time][None], SWATH, stack[number], index[number], (3, 3), present)
            assert_allclose(sample["values"], values, rtol=1e-6)
            assert_array_equal(sample["valid"], valid)
            assert_array_equal(sample["patches"], stack[number])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((FIELD, 3), {}, "grid=None: expected the LatLonGrid or CellGrid of the field"),
        ((FIELD, 3), {"grid": GRID.patches(3)}, "grid=.*expected the LatLonGrid or CellGrid"),
        ((FIELD[..., :5], 3), {"grid": GRID}, r"field has shape \(4, 2, 9, 5\): expected \(\.\.\., 9, 24\)"),
        ((FIELD[None], 3), {"grid": GRID}, r"field\.shape=\(1, 4, 2, 9, 24\): expected \(time, channel"),
        ((FIELD.astype(complex), 3), {"grid": GRID}, "field.dtype=.*expected real numbers"),
        ((FIELD, 3), {"grid": GRID, "fill_value": np.nan}, "fill_value=nan: expected a finite number"),
        ((FIELD, 3), {"grid": GRID, "dtype": torch.int64}, "dtype=torch.int64: expected a floating dtype"),
        ((pd.DataFrame(FIELD[0, 0]), 3), {"grid": GRID}, "field='DataFrame': expected an array"),
        ((FIELD, 3), {"grid": GRID, "window_stride": 1}, "window_stride=1: expected None, because window= is"),
        ((FIELD, 3), {"grid": GRID, "window": 0}, "window=0: expected a positive integer"),
        ((FIELD, 3), {"grid": GRID, "channel_dim": "level"}, "channel_dim='level': expected None for an array"),
        ((labelled(), 3), {"channel_dim": "channel"}, "channel_dim='channel': expected None or one of"),
        ((xr.Dataset({"a": labelled(), "b": labelled()[0]}), 3), {}, "field has variables of different dimensions"),
    ],
)
def test_bad_arguments_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        PatchDataset(*arguments, **options)


def test_the_warning_of_what_is_left_out_comes_once():
    with pytest.warns(CoordinateWarning, match="leave out 1 of 9 rows") as caught:
        PatchDataset(FIELD, 4, grid=GRID)
    assert len(caught) == 1


# Files and workers


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("zarr") / "field.zarr"
    labelled().to_dataset().chunk(time=1, lat=3, lon=8).to_zarr(path, consolidated=False)
    return path


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("chunks", [None, {}])
def test_workers_read_zarr(store, chunks):
    """Workers that are spawned get the dataset as a pickle; to start them takes longer than all other tests here."""
    opened = xr.open_zarr(store, chunks=chunks, consolidated=False)
    dataset = PatchDataset(opened, 3, grid=GRID, window=(1, 8), channel_dim="level")
    dataset = pickle.loads(pickle.dumps(dataset))
    assert dataset[5]["values"].shape == (8, 2, 3, 3)  # threads of the readers exist before the fork
    expected = PatchDataset(FIELD, 3, grid=GRID, window=(1, 8))
    batches = list(DataLoader(dataset, 3, num_workers=2, multiprocessing_context="fork", timeout=60))
    assert_array_equal(np.concatenate([batch["values"] for batch in batches]), [each["values"] for each in expected])
    assert_array_equal(np.concatenate([batch["time"] for batch in batches]), np.repeat(range(4), 3))


def test_zarr_arrays_are_read_by_the_chunks_of_a_sample(store, monkeypatch):
    zarr = pytest.importorskip("zarr")
    array = zarr.open_array(store / "t", mode="r")
    dataset = pickle.loads(pickle.dumps(PatchDataset(array, (3, 4), grid=GRID)))
    read = []
    get = type(dataset._source.array).__getitem__
    monkeypatch.setattr(zarr.Array, "__getitem__", lambda self, place: read.append(place) or get(self, place))
    assert_array_equal(dataset[20]["values"], PatchDataset(FIELD, (3, 4), grid=GRID)[20]["values"])
    assert read == [(1, slice(None), slice(0, 3), slice(8, 12))]


# Cells in any order


@pytest.fixture(scope="module")
def cells():
    """Cells of a grid of 10 degrees in random order, a mask, and the cells of 18 patches. One patch is smaller."""
    grid = LatLonGrid(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))
    order = np.random.default_rng(0).permutation(grid.points().shape[0])
    row, column = np.divmod(order, 36)
    labels = np.where(order == 0, -1, row // 6 * 6 + column // 6)
    areas = grid.cell_areas().ravel()[order]
    mask = row > 1
    found = CellGrid(*grid.points()[order].T, mask, areas=areas)
    return found, found.patch_members(labels=labels)


def test_samples_of_cells_are_the_values_of_their_cells(cells):
    da = pytest.importorskip("dask.array")
    grid, members = cells
    field = np.random.default_rng(1).normal(size=(3, 2, grid.shape[0])).astype(np.float32)
    field[1, 0, members[4, 2]] = np.nan
    array = xr.DataArray(field, {"lat": ("cell", grid.latitude), "lon": ("cell", grid.longitude)},
                         ("time", "level", "cell"))  # fmt: skip
    wanted, inside = grid.patch_values(field, members, return_valid=True)
    union = make_union(PatchPositionEncoder(SphericalHarmonicPCA(2)), PatchScaleFeaturizer()).fit(grid.patches(members))
    windows = np.array([[0, 5, 17, 2], [3, 4, 1, 0]])
    for given, options in (
        (field, {}),
        (torch.from_numpy(field), {}),
        (da.from_array(field, chunks=(1, 1, 100)), {}),
        (array, {"channel_dim": "level"}),
        (array[..., ::-1], {"channel_dim": "level"}),
    ):
        single = PatchDataset(given, members, grid=grid, **options)
        assert len(single) == 3 * 18
        for time, number in ((0, 0), (1, 4), (2, 17)):
            sample = single[18 * time + number]
            valid = inside[number] & ~np.isnan(wanted[time, :, number])
            assert_array_equal(sample["valid"], valid)
            assert_array_equal(sample["values"], np.where(valid, wanted[time, :, number], 0))
            assert_array_equal(sample["patches"], grid.patches(members)[number])
        dataset = PatchDataset(given, members, grid=grid, window=windows, features=union, **options)
        assert len(dataset) == 6
        sample = dataset[3]
        assert sample["values"].shape == (4, 2, 36)
        assert_array_equal(sample["number"], windows[1])
        assert_array_equal(sample["values"][2], single[18 + 1]["values"])
        assert_allclose(sample["features"], union.transform(grid.patches(members))[windows[1]], rtol=1e-5)


def test_healpix_files_are_read_without_places():
    pytest.importorskip("healpix")
    field = np.arange(2.0 * 768).reshape(2, 768)
    mapping = {"grid_mapping_name": "healpix", "refinement_level": 3, "indexing_scheme": "nested"}
    obj = xr.Dataset({"t": (("time", "cell"), field), "s": (("time", "cell"), -field), "crs": ((), 0, mapping)})
    members = CellGrid.from_xarray(obj).patch_members(healpix_level=1)
    dataset = PatchDataset(obj, members, window=np.arange(48)[np.newaxis])
    assert len(dataset) == 2
    values = dataset[1]["values"]
    assert values.shape == (48, 2, 16)
    assert_array_equal(values[:, 0], field[1][members])
    assert_array_equal(values[:, 1], -field[1][members])
    assert_array_equal(members // 16, np.arange(48)[:, np.newaxis].repeat(16, 1))


def test_only_the_cells_of_a_sample_are_read(cells):
    class Counted:
        def __init__(self, values):
            self.values, self.shape, self.dtype, self.n_read = values, values.shape, values.dtype, 0

        def __getitem__(self, index):
            part = self.values[index]
            self.n_read += part.size
            return part

    n = 48 * 4096
    healpix = CellGrid(np.linspace(-89, 89, n), np.zeros(n), areas=np.full(n, 1e9))
    field = Counted(np.arange(n, dtype=np.float64)[np.newaxis])
    dataset = PatchDataset(field, np.arange(n).reshape(48, 4096)[:, ::-1], grid=healpix, window=[[3, 40]])
    assert_array_equal(dataset[0]["values"][1, 0], np.arange(41 * 4096 - 1, 40 * 4096 - 1, -1))
    assert field.n_read == 2 * 4096


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": (2, 2)}, r"the numbers of the patches of each window, \(n_windows, n_tokens\)"),
        ({"window": [[0, 18]]}, "window='0 to 18': expected numbers from 0 to 17"),
        ({"window": [[0, 1]], "window_stride": 2}, "window_stride=2: expected None: window has all patches"),
        ({"min_fraction": 0.5}, "stride, partial, min_fraction=.* none of them with the cells of each patch"),
        ({"features": np.ones((3, 2))}, r"features.shape=\(3, 2\): expected numbers of shape \(18, n_features\)"),
    ],
)
def test_options_of_cells_that_are_wrong(cells, options, message):
    grid, members = cells
    with pytest.raises(ValueError, match=message):
        PatchDataset(np.zeros(grid.shape), members, grid=grid, **options)


def test_fields_of_cells_that_are_wrong(cells):
    grid, members = cells
    with pytest.raises(ValueError, match=r"field has shape \(648, 2\): .*np.moveaxis\(field, 0, -1\)"):
        PatchDataset(np.zeros((648, 2)), members, grid=grid)
    with pytest.raises(ValueError, match=r"expected \(time, channel, n_cells\), \(time, n_cells\) or \(n_cells,\)"):
        PatchDataset(np.zeros((1, 2, 3, 648)), members, grid=grid)
