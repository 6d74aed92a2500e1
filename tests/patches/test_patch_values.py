"""Fields in patches, and back: against plain loops over patches and pixels with explicit index arithmetic."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from processes import run_python
from skgeo import CellGrid, LatLonGrid
from skgeo.exceptions import CoordinateError, CoordinateWarning

RNG = np.random.default_rng(0)
RING = LatLonGrid(np.arange(-80, 90, 20), np.arange(0, 360, 15), mask=RNG.random((9, 24)) > 0.3)
DESCENDING = LatLonGrid(np.arange(50, 10, -4.0), np.arange(200, 130, -5.0), mask=RNG.random((10, 14)))
GAPS = LatLonGrid([0, 1, 2, 3, 10, 11, 12, 13, 14], [*range(10), *range(40, 47)])
ROW = LatLonGrid([10.0], np.arange(0, 360, 5.0), latitude_bounds=[[8, 12]])
COLUMN = LatLonGrid(np.arange(-60, 60, 5.0), [7.0], longitude_bounds=[[5, 9]])
Y, X = np.meshgrid(np.arange(9.0), np.arange(11.0), indexing="ij")
SWATH_LATITUDE = np.where((Y < 3) & (X > 6), np.nan, 50 + Y - X / 5)
SWATH = CellGrid(SWATH_LATITUDE, 10 + X + Y / 3, mask=RNG.random((9, 11)))

CUTS = [
    (RING, {"patch_size": 3}),
    (RING, {"patch_size": (4, 7), "stride": (3, 5), "partial": True}),
    (RING, {"patch_size": (2, 10), "stride": (2, 4), "partial": False, "min_fraction": 0.6}),
    (RING, {"patch_size": (3, 24), "stride": (3, 6)}),
    (RING, {"patch_size": (2, 3), "stride": (4, 7), "partial": False}),
    (RING, {"patch_size": (1, 24)}),
    (DESCENDING, {"patch_size": (3, 4), "stride": (2, 3), "partial": True}),
    (DESCENDING, {"patch_size": (3, 4), "partial": False, "min_fraction": 0.45}),
    (GAPS, {"patch_size": (3, 4), "partial": True}),
    (GAPS, {"patch_size": (3, 4), "stride": (2, 1), "partial": False}),
    (ROW, {"patch_size": (1, 7), "stride": (1, 5), "partial": False}),
    (COLUMN, {"patch_size": (5, 1), "stride": (7, 2), "partial": True}),
    (SWATH, {"patch_size": (3, 4), "partial": False}),
    (SWATH, {"patch_size": (4, 3), "stride": (2, 5), "partial": False, "min_fraction": 0.4}),
]
cuts = pytest.mark.parametrize(("grid", "options"), CUTS)
some_cuts = pytest.mark.parametrize(("grid", "options"), [CUTS[i] for i in (1, 2, 6, 8, 13)])


def quiet(function, *arguments, **options):
    """What a function returns, without the warning that patches leave a rest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoordinateWarning)
        return function(*arguments, **options)


def pixels(grid, options):
    """Row and column of the pixels that each patch has, by their place in it; counts are those of the table."""
    patches, index = quiet(grid.patches, **options, return_index=True)
    size = np.broadcast_to(options["patch_size"], 2)
    for k, (row, column) in enumerate(index):
        n_rows, n_columns = patches[k, 4:].astype(int) if patches.ndim == 2 else size
        yield {
            (i, j): (row + i, (column + j) % grid.shape[1])
            for i in range(size[0])
            for j in range(size[1])
            if i < n_rows and j < n_columns
        }


def by_loops(grid, options, field, fill_value=np.nan):
    """Values (n, h, w) and validity of one layer."""
    size = np.broadcast_to(options["patch_size"], 2)
    places = list(pixels(grid, options))
    values, valid = np.full((len(places), *size), fill_value, field.dtype), np.zeros((len(places), *size), dtype=bool)
    for k, place in enumerate(places):
        for (i, j), (row, column) in place.items():
            values[k, i, j] = field[row, column]
            inside = grid.mask is None or grid.mask[row, column] > 0
            valid[k, i, j] = inside and (isinstance(grid, LatLonGrid) or np.isfinite(grid.latitude[row, column]))
    return values, valid


@cuts
@pytest.mark.parametrize("leading", [(), (0,), (2, 3)])
def test_a_field_is_cut_as_the_table_is(grid, options, leading):
    field = RNG.normal(size=(*leading, *grid.shape)).astype(np.float32)
    values, valid = quiet(grid.patch_values, field, **options, return_valid=True)
    expected = [by_loops(grid, options, layer) for layer in field.reshape(-1, *grid.shape)]
    assert values.dtype == np.float32
    assert values.shape[: len(leading)] == leading
    for got, (layer, expected_valid) in zip(values.reshape(-1, *values.shape[-3:]), expected, strict=True):
        assert_array_equal(got, layer)
        assert_array_equal(valid, expected_valid)
    assert len(valid) == len(quiet(grid.patches, **options))


@cuts
def test_pixels_of_a_patch_lie_between_its_edges(grid, options):
    """The table gives edges in degrees, the field rows and columns: both say the same place."""
    table = quiet(grid.patches, **options)
    if table.ndim == 4:
        for axis, centres in enumerate((grid.latitude, grid.longitude)):
            assert_allclose(quiet(grid.patch_values, centres, **options), table[..., axis], rtol=1e-12)
        return
    centres = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    latitude, longitude = quiet(grid.patch_values, np.stack(centres), **options)
    for row, north, east in zip(table, latitude, longitude, strict=True):
        known = np.isfinite(north)
        assert np.count_nonzero(known) == row[4] * row[5]
        assert ((north[known] > row[0]) & (north[known] < row[1])).all()
        assert ((east[known] - row[2]) % 360 < row[3] - row[2]).all()


@cuts
def test_back_on_the_grid(grid, options):
    field = RNG.normal(size=(2, *grid.shape))
    values = quiet(grid.patch_values, field, **options)
    covered = np.zeros(grid.shape, dtype=bool)
    for place in pixels(grid, options):
        for row, column in place.values():
            covered[row, column] = True
    back = grid.from_patches(values, **options)
    assert_allclose(back[:, covered], field[:, covered], rtol=1e-15)
    assert np.isnan(back[:, ~covered]).all()


@cuts
def test_overlaps_are_averaged_by_weight(grid, options):
    places = list(pixels(grid, options))
    size = np.broadcast_to(options["patch_size"], 2)
    values, weights = RNG.normal(size=(len(places), *size)), RNG.random((len(places), *size)).round()
    values[RNG.random(values.shape) < 0.2] = np.nan
    sums = np.zeros((2, *grid.shape))
    for k, place in enumerate(places):
        for (i, j), (row, column) in place.items():
            if np.isfinite(values[k, i, j]):
                sums[:, row, column] += weights[k, i, j] * values[k, i, j], weights[k, i, j]
    expected = np.divide(*sums, out=np.full(grid.shape, np.nan), where=sums[1] > 0)
    assert_allclose(grid.from_patches(values, **options, weights=weights), expected, rtol=1e-12, atol=1e-15)


def test_infinities_pass_and_opposite_ones_are_unknown():
    values = np.ones((36, 3, 4)) * np.where(np.arange(36) % 2, np.inf, -np.inf)[:, np.newaxis, np.newaxis]
    assert np.isnan(RING.from_patches(values, (3, 4), (3, 2))).all()
    assert np.isposinf(RING.from_patches(np.abs(values), (3, 4), (3, 2))).all()
    # A weight of zero leaves a value out, whatever it is.
    values[0], weights = np.inf, np.ones((36, 3, 4))
    values[1:], weights[0] = 7.0, 0.0
    assert (RING.from_patches(values, (3, 4), (3, 2), weights=weights) == 7.0).all()


def test_rounding_does_not_change_what_overlaps():
    field = RNG.normal(size=RING.shape).astype(np.float32)
    values = RING.patch_values(field, (3, 6), (1, 1))
    assert_array_equal(RING.from_patches(values, (3, 6), (1, 1)), field)


# Types of fields


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        ("f2", np.nan),
        ("f8", np.nan),
        ("c8", np.nan),
        ("?", False),
        ("M8[ns]", "NaT"),
        ("m8[D]", "NaT"),
        (">f4", np.nan),
    ],
)
def test_each_dtype_has_its_missing_value(dtype, fill):
    field = RNG.integers(0, 2, DESCENDING.shape).astype(dtype)
    values = DESCENDING.patch_values(field, 4, partial=True)
    expected, _ = by_loops(DESCENDING, {"patch_size": 4, "partial": True}, field, np.array(fill, dtype=dtype))
    assert values.dtype == field.dtype
    assert_array_equal(values, expected)


def test_integers_need_a_fill_value():
    field = RNG.integers(0, 9, DESCENDING.shape).astype(np.int16)
    with pytest.raises(ValueError, match=r"field is int16, which has no NaN for the pixels .* give fill_value="):
        DESCENDING.patch_values(field, 4, partial=True)
    for fill_value in (np.nan, 70_000, 0.5, "a", [1, 2]):
        with pytest.raises(ValueError, match=r"fill_value=.*: expected a number that int16 holds"):
            DESCENDING.patch_values(field, 4, partial=True, fill_value=fill_value)
    values = DESCENDING.patch_values(field, 4, partial=True, fill_value=-1)
    assert_array_equal(values, by_loops(DESCENDING, {"patch_size": 4, "partial": True}, field, -1)[0])
    assert DESCENDING.patch_values(field, (5, 7)).dtype == np.int16
    assert_array_equal(DESCENDING.from_patches(DESCENDING.patch_values(field, (5, 7)), (5, 7)), field)
    with pytest.raises(ValueError, match=r"values\.dtype=dtype\('<M8.*expected numbers, which have a mean"):
        DESCENDING.from_patches(np.zeros((4, 5, 7), "M8[s]"), (5, 7))


def test_memory_order_and_views():
    field = RNG.normal(size=(3, *RING.shape))
    expected = RING.patch_values(field, (3, 4), (3, 2))
    frozen = field.copy()
    frozen.flags.writeable = False
    for same in (np.asfortranarray(field), frozen, field[::-1][::-1], field.tolist()):
        assert_array_equal(RING.patch_values(same, (3, 4), (3, 2)), expected)
    # One row of patches lies evenly in memory. A copy can be changed without a change of the field.
    strip = RING.patch_values(field, (9, 4))
    assert np.shares_memory(strip, field)
    assert not strip.flags.writeable
    copied = RING.patch_values(field, 3)
    assert not np.shares_memory(copied, field)
    assert copied.flags.writeable


def test_masked_arrays_are_missing_and_never_numbers():
    field = np.ma.masked_greater(RNG.normal(size=RING.shape), 1.0)
    assert_array_equal(RING.patch_values(field, 3), RING.patch_values(field.filled(np.nan), 3))
    whole = np.ma.masked_array(np.ones(RING.shape, int), mask=field.mask)
    with pytest.raises(ValueError, match=r"field has masked values of int64, which has no NaN: fill them"):
        RING.patch_values(whole, 3)


@pytest.mark.parametrize(
    ("shape", "cure"),
    [
        ((24, 9), "np.swapaxes"),
        ((9, 24, 2), "np.moveaxis"),
        ((2, 216), "reshape"),
        ((8, 24), ""),
        ((24,), ""),
        ((), ""),
    ],
)
def test_a_field_of_another_shape_is_refused(shape, cure):
    with pytest.raises(
        ValueError, match=r"field has shape \(.*\): expected \(\.\.\., 9, 24\), the grid's shape.*" + cure
    ):
        RING.patch_values(np.zeros(shape), 3)


def test_bad_values_and_weights_are_refused():
    values = RING.patch_values(np.zeros(RING.shape), 3)
    with pytest.raises(ValueError, match=r"values\.shape=\(23, 3, 3\): expected \(\.\.\., 24, 3, 3\)"):
        RING.from_patches(values[1:], 3)
    with pytest.raises(ValueError, match="patch_size=None: expected the size of the patches"):
        RING.from_patches(values)
    for weights, message in ((np.ones(4), "broadcast"), (-np.ones(3), "negative"), (np.full(3, np.nan), "negative")):
        with pytest.raises(ValueError, match=message):
            RING.from_patches(values, 3, weights=weights)
    with pytest.raises(CoordinateError, match="2 cells have no rows and columns to cut patches from"):
        CellGrid([0.0, 1.0], [0.0, 1.0], areas=[1e10, 1e10]).patch_values([1.0, 2.0], 1)
    with pytest.raises(ValueError, match="return_valid='yes': expected True or False"):
        RING.patch_values(np.zeros(RING.shape), 3, return_valid="yes")


@pytest.mark.xarray
def test_a_variable_without_coordinates_is_refused():
    import xarray as xr

    with pytest.raises(ValueError, match="field='Variable': expected an array, a tensor or a DataArray"):
        RING.patch_values(xr.Variable(("lat", "lon"), np.zeros(RING.shape)), 3)


@pytest.mark.pandas
def test_a_frame_is_refused():
    import pandas as pd

    with pytest.raises(ValueError, match=r"field='DataFrame': expected an array.*give \.to_numpy"):
        RING.patch_values(pd.DataFrame(np.zeros(RING.shape)), 3)


def test_a_warning_comes_once_and_at_the_users_line():
    with pytest.warns(CoordinateWarning, match="leave out 1 of 10 rows and 2 of 14 columns") as caught:
        values = DESCENDING.patch_values(np.zeros(DESCENDING.shape), (3, 4))
    assert [Path(each.filename).name for each in caught] == ["test_patch_values.py"]
    assert np.isnan(DESCENDING.from_patches(values, (3, 4))).any()


# torch


@pytest.mark.torch
@some_cuts
def test_tensors_stay_tensors(grid, options):
    import torch

    field = RNG.normal(size=(2, *grid.shape)).astype(np.float32)
    tensor = torch.from_numpy(field).requires_grad_()
    values = quiet(grid.patch_values, tensor, **options)
    expected = quiet(grid.patch_values, field, **options)
    assert isinstance(values, torch.Tensor)
    assert_array_equal(values.detach(), expected)
    back = grid.from_patches(values, **options)
    assert back.dtype == torch.float32
    assert_allclose(back.detach(), grid.from_patches(expected, **options), rtol=2e-6)
    # Each pixel of the field counts as often as patches hold it.
    values.nansum().backward()
    counts = np.zeros(grid.shape)
    for place in pixels(grid, options):
        for row, column in place.values():
            counts[row, column] += 1
    assert_array_equal(tensor.grad[1], counts)


@pytest.mark.torch
def test_tensors_of_other_dtypes():
    import torch

    numbers = torch.arange(140).reshape(10, 14)
    for dtype in (torch.float16, torch.bfloat16, torch.bool):
        values = DESCENDING.patch_values(numbers.to(dtype), 4, partial=True)
        assert values.dtype == dtype
        back = DESCENDING.from_patches(values, 4, partial=True)
        assert_array_equal(back.to(torch.float64), numbers.to(dtype).to(torch.float64))
    with pytest.raises(ValueError, match=r"field is torch\.int64, which has no NaN"):
        DESCENDING.patch_values(numbers, 4, partial=True)
    assert DESCENDING.patch_values(numbers, 4, partial=True, fill_value=-5).min() == -5
    with pytest.raises(ValueError, match=r"field has shape \(14, 10\)"):
        DESCENDING.patch_values(numbers.T, (5, 7))


def test_torch_is_not_imported():
    code = (
        "import sys, numpy as np, skgeo\n"
        "grid = skgeo.LatLonGrid(np.arange(-80, 90, 20), np.arange(0, 360, 30))\n"
        "grid.from_patches(grid.patch_values(np.zeros((9, 12)), 3), 3)\n"
        "print({'torch', 'xarray', 'dask'} & set(sys.modules))"
    )
    assert run_python(code).strip() == "set()"


# dask


@pytest.mark.xarray
@some_cuts
def test_chunks_stay_chunks(grid, options):
    import dask.array as da

    field = RNG.normal(size=(4, *grid.shape)).astype(np.float32)
    lazy = da.from_array(field, chunks=(3, 4, 5))
    values = quiet(grid.patch_values, lazy, **options)
    expected = quiet(grid.patch_values, field, **options)
    assert values.dtype == np.float32
    assert values.shape == expected.shape
    assert values.chunks[0] == (3, 1)
    assert_array_equal(values.compute(scheduler="synchronous"), expected)
    back = grid.from_patches(values, **options)
    assert back.dtype == np.float32
    assert back.chunks[0] == (3, 1)
    assert_array_equal(back.compute(scheduler="synchronous"), grid.from_patches(expected, **options))


@pytest.mark.xarray
def test_a_patch_computes_the_chunks_that_its_row_touches(monkeypatch):
    import dask.array as da

    grid, loaded = LatLonGrid(np.arange(-44.5, 45), np.arange(0.5, 180)), []

    def load(block, block_info=None):
        loaded.append(tuple(block_info[None]["chunk-location"]))
        return block

    lazy = da.zeros((20, 90, 180), chunks=(1, 30, 60), dtype=np.float32).map_blocks(load, dtype=np.float32)
    loaded.clear()
    values = grid.patch_values(lazy, 10)
    assert not loaded
    values[7, 20].compute(scheduler="synchronous")
    assert sorted(loaded) == [(7, 0, 0), (7, 0, 1), (7, 0, 2)]
    # Where a chunk of patches would be large, it holds fewer patches, and needs fewer columns.
    monkeypatch.setattr("skgeo._patches.values._CHUNK_BYTES", 3 * 4 * 100)
    values = grid.patch_values(lazy, 10)
    assert max(values.chunks[1]) == 3
    loaded.clear()
    values[7, 20].compute(scheduler="synchronous")
    assert sorted(loaded) == [(7, 0, 0)]


# Labels


def labelled(grid, field, **more):
    xr = pytest.importorskip("xarray")
    axes = {"lat": grid.latitude, "lon": grid.longitude}
    if isinstance(grid, CellGrid):
        axes = {name: (("line", "pixel"), axis) for name, axis in zip(axes, axes.values(), strict=True)}
    dims = ("lat", "lon") if isinstance(grid, LatLonGrid) else ("line", "pixel")
    return xr.DataArray(field, axes | {"time": [5, 6]} | more, ("time", *dims), name="t", attrs={"units": "K"})


@pytest.mark.xarray
@some_cuts
def test_labelled_fields_follow_their_coordinates(grid, options):
    field = RNG.normal(size=(2, *grid.shape)).astype(np.float32)
    array = labelled(grid, field)
    expected, valid = quiet(grid.patch_values, field, **options, return_valid=True)
    row, column = array.dims[1:]
    for same in (array, array.transpose(column, "time", row), array.isel({row: slice(None, None, -1)}), array.chunk()):
        values, there = quiet(grid.patch_values, same, **options, return_valid=True)
        assert values.dims == ("time", "patch", "y", "x")
        assert_array_equal(values, expected)
        assert_array_equal(there, valid)
    index = quiet(grid.patches, **options, return_index=True)[1]
    assert_array_equal(np.column_stack([values.row, values.column]), index)
    assert (values.name, values.attrs, values.time.to_numpy().tolist()) == ("t", {"units": "K"}, [5, 6])
    assert values.chunks is not None
    back = grid.from_patches(values)
    assert_array_equal(back, grid.from_patches(expected, **options))
    assert (back.name, back.attrs, back.time.to_numpy().tolist()) == ("t", {"units": "K"}, [5, 6])
    assert_allclose(back.latitude, grid.latitude, rtol=1e-12)
    # Some of the patches, in another order and with turned dimensions, still know where they belong.
    some = values.isel(patch=slice(None, None, -2)).transpose("x", "patch", "time", "y")
    numbers = np.arange(len(index))[::-2]
    kept = np.full_like(expected, np.nan)
    kept[:, numbers] = expected[:, numbers]
    assert_allclose(grid.from_patches(some), grid.from_patches(kept, **options), rtol=1e-6)


@pytest.mark.xarray
def test_longitudes_may_start_anywhere_and_never_differ_in_silence():
    field = RNG.normal(size=(2, *RING.shape)).astype(np.float32)
    array = labelled(RING, field)
    rolled = array.roll(lon=7, roll_coords=True)
    rolled = rolled.assign_coords(lon=(rolled.lon + 180) % 360 - 180)
    assert_array_equal(RING.patch_values(rolled, 3), RING.patch_values(field, 3))
    for other in (
        array.assign_coords(lon=array.lon + 7),
        array.isel(lon=slice(20)),
        array.assign_coords(lat=array.lat / 2),
    ):
        with pytest.raises(
            CoordinateError,
            match=r"field has other (latitude|longitude)s than the grid, .* bring the field to the grid",
        ):
            RING.patch_values(other, 3)
    with pytest.raises(CoordinateError, match="No latitude"):
        RING.patch_values(array.drop_vars(["lat", "lon"]).rename(lat="a", lon="b"), 3)
    with pytest.raises(ValueError, match=r"field is a Dataset: select one of its variables \['t'\]"):
        RING.patch_values(array.to_dataset(), 3)
    swath = labelled(SWATH, RNG.normal(size=(2, *SWATH.shape)))
    with pytest.raises(CoordinateError, match="field has other latitudes or longitudes than the cells"):
        SWATH.patch_values(swath.assign_coords(lat=swath.lat + 1), 3, partial=False)
    with pytest.raises(ValueError, match=r"field 't' has the names \['patch'\], which patches have: rename"):
        RING.patch_values(array.rename(time="patch"), 3)


@pytest.mark.xarray
def test_labels_of_another_grid_are_refused():
    values = RING.patch_values(labelled(RING, np.zeros((2, *RING.shape))), 3)
    shifted = LatLonGrid(RING.latitude, RING.longitude + 15)
    smaller = LatLonGrid(RING.latitude[3:], RING.longitude)
    for grid, labels in ((shifted, values), (smaller, values), (RING, values.isel(patch=[0, 1, 1]))):
        with pytest.raises(CoordinateError, match="values has patches of another grid, or has a patch twice"):
            grid.from_patches(labels)
    with pytest.raises(ValueError, match="rows and columns other than those of patch_size and stride"):
        RING.from_patches(values.isel(patch=slice(5)), 3)
    with pytest.raises(ValueError, match="expected the dimensions patch, y, x"):
        RING.from_patches(values.rename(x="z"))


@pytest.mark.xarray
def test_the_accessor_gives_everything_together(tmp_path):
    import xarray as xr

    import skgeo.xarray  # noqa: F401

    field = RNG.normal(size=(2, *RING.shape)).astype(np.float32)
    array = labelled(RING, field)
    obj = xr.Dataset({"t": array, "u": array.isel(time=0, drop=True).T, "n": ("time", [1, 2])}, attrs={"title": "sea"})
    cut = obj.chunk(time=1).skgeo.patches((2, 10), (2, 4), mask=RING.mask, min_fraction=0.6, partial=False)
    options = {"patch_size": (2, 10), "stride": (2, 4), "partial": False, "min_fraction": 0.6}
    table, index = RING.patches(**options, return_index=True)
    expected, valid = RING.patch_values(field, **options, return_valid=True)
    assert set(cut.data_vars) == {"t", "u"}
    assert cut.attrs["title"] == "sea"
    assert cut.t.chunks[0] == (1, 1)
    names = ("south", "north", "west", "east", "n_lat", "n_lon")
    assert_allclose(np.column_stack([cut[name] for name in names]), table, rtol=1e-12)
    assert_array_equal(np.column_stack([cut.row, cut.column]), index)
    cut.to_netcdf(tmp_path / "cut.nc")
    with xr.open_dataset(tmp_path / "cut.nc") as read:
        for got in (cut, read):
            assert_array_equal(got.t, expected)
            assert_array_equal(got.u, expected[0])
            assert_array_equal(got.valid, valid)
        assert_array_equal(RING.from_patches(read.t), RING.from_patches(expected, **options))
    assert list(array.rename(None).skgeo.patches(3).data_vars) == ["values"]
    swath = labelled(SWATH, RNG.normal(size=(2, *SWATH.shape)))
    got = swath.to_dataset().reset_coords(["lat", "lon"]).skgeo.patches(3, mask=SWATH.mask, partial=False)
    assert set(got.data_vars) == {"t"}
    assert_array_equal(got.valid, SWATH.patch_values(swath.values, 3, partial=False, return_valid=True)[1])
    with pytest.raises(CoordinateError, match="No variable has the dimensions"):
        obj[["n"]].assign_coords(obj.coords).skgeo.patches(3)
