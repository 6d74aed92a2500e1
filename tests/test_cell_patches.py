"""Patches of cells in any order: members by HEALPix pixels, blocks and labels, their places, extents and values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo._kernels.sphere import unit_vectors
from skgeo.exceptions import CoordinateError, CoordinateWarning

R2 = 6_371_008.8**2


@pytest.fixture(scope="module")
def regular():
    """A grid of 2 degrees and its cells in one dimension, in random order, with the patch of 10 x 10 of each."""
    grid = LatLonGrid(np.arange(-89.0, 90, 2), np.arange(1.0, 360, 2))
    order = np.random.default_rng(0).permutation(grid.points().shape[0])
    row, column = np.indices(grid.shape)
    labels = (row // 10 * 18 + column // 10).ravel()[order]
    places = grid.points()[order]
    return grid, CellGrid(*places.T, areas=grid.cell_areas().ravel()[order]), labels, order


def test_features_are_those_of_the_regular_grid(regular):
    grid, cells, labels, _ = regular
    table = grid.patches((10, 10))
    members, names = cells.patch_members(labels=labels, return_labels=True)
    assert_array_equal(names, np.arange(162))
    stacks = cells.patches(members)
    assert stacks.shape == (162, 100, 3)
    basis = SphericalHarmonicPCA(4, n_components=15).fit(grid)
    position = PatchPositionEncoder(FrozenEstimator(basis))
    assert_allclose(position.fit_transform(stacks), position.fit_transform(table), atol=2e-3)
    # the mean with true areas, term for term
    weights = stacks[..., 2] / stacks[..., 2].sum(axis=1, keepdims=True)
    direct = np.einsum("nk,nkf->nf", weights, basis.transform(stacks[..., :2].reshape(-1, 2)).reshape(162, 100, -1))
    assert_allclose(position.fit_transform(stacks), direct, atol=1e-12)
    scale = PatchScaleFeaturizer(log=False)
    mine, theirs = scale.fit_transform(stacks), scale.fit_transform(table)
    assert_allclose(mine[:, 2], theirs[:, 2], rtol=1e-12)  # areas
    away = np.abs(table[:, :2]).max(axis=1) <= 70  # boxes at poles are triangles
    assert_allclose(mine[away, :2], theirs[away, :2], rtol=0.05)
    assert_allclose(mine[:, 6], np.sqrt(mine[:, 0] * mine[:, 1] / 100))
    # an encoder that is fitted on the cells themselves
    fitted = PatchPositionEncoder(SphericalHarmonicPCA(2)).fit(stacks).encoder_
    assert_allclose(fitted.shannon_number_, 9, rtol=1e-9)
    assert make_union(position, scale).fit_transform(stacks).shape == (162, 25)


def test_extents_of_squares_are_their_sides():
    side, n = 0.5, 8  # degrees
    along = (np.arange(n) + 0.5) * side / n
    for latitude in (0.0, 60.0, -85.0):
        row, column = np.meshgrid(latitude + along, along / np.cos(np.radians(latitude + side / 2)), indexing="ij")
        area = np.full(row.size, (np.radians(side / n) ** 2) * R2)
        stack = np.stack([row.ravel(), column.ravel(), area], axis=-1)[np.newaxis]
        lon, lat, *_ = PatchScaleFeaturizer(log=False).fit_transform(stack)[0]
        expected = np.radians(side) * np.sqrt(R2)
        assert_allclose([lon, lat], expected, rtol=3e-3 if latitude > -80 else 2e-2)
    one = PatchScaleFeaturizer(log=False).fit_transform([[[10.0, 20.0, 4e10], [np.nan] * 3]])[0]
    assert_allclose(one[:3], [2e5, 2e5, 4e10], rtol=1e-9)  # a square cell alone


def test_a_mask_weighs_the_cells_of_a_position(regular):
    _, cells, labels, _ = regular
    share = np.clip(cells.latitude / 20, 0, 1)
    masked = CellGrid(cells.latitude, cells.longitude, share, areas=cells.cell_areas())
    members = cells.patch_members(labels=labels)
    stacks = cells.patches(members)
    basis = SphericalHarmonicPCA(3).fit(cells)
    weights = stacks[..., 2] * share[members]
    outside = ~weights.any(axis=1)
    assert 0 < outside.sum() < 100
    weights[outside] = stacks[outside][..., 2]  # the mean over all cells of a patch
    values = basis.transform(cells)[members]
    expected = np.einsum("nk,nkf->nf", weights / weights.sum(axis=1, keepdims=True), values)
    position = PatchPositionEncoder(FrozenEstimator(basis), grid=masked)
    for given in (stacks, stacks[::-1]):
        found = position.fit_transform(given)
        assert_allclose(found if given is stacks else found[::-1], expected, atol=1e-12)
    fitted = PatchPositionEncoder(SphericalHarmonicPCA(3), grid=masked).fit(stacks).encoder_
    assert_allclose(fitted.shannon_number_, SphericalHarmonicPCA(3).fit(masked).shannon_number_, rtol=1e-12)
    with pytest.raises(CoordinateError, match="X has 162 patches whose pixels are no cells of the grid"):
        position.transform(stacks + np.array([0.001, 0, 0]))
    with pytest.raises(CoordinateError, match="X is a stack of cells, and grid is a LatLonGrid"):
        PatchPositionEncoder(grid=regular[0]).fit(stacks)
    south = CellGrid(cells.latitude, cells.longitude, cells.latitude < -80, areas=cells.cell_areas())
    with pytest.raises(CoordinateError, match="no patch has a cell inside the mask"):
        PatchPositionEncoder(SphericalHarmonicPCA(2), grid=south).fit(stacks[100:])


def test_values_and_back(regular):
    torch = pytest.importorskip("torch")
    da = pytest.importorskip("dask.array")
    xr = pytest.importorskip("xarray")
    _, cells, labels, _ = regular
    members = cells.patch_members(labels=np.where(labels % 7 == 3, -1, labels // 2))
    field = np.random.default_rng(1).normal(size=(2, labels.size))
    values, valid = cells.patch_values(field, members, return_valid=True)
    assert values.shape == (2, *members.shape)
    assert_array_equal(valid, members >= 0)
    assert_array_equal(values[:, valid], field[:, members[valid]])
    assert np.isnan(values[:, ~valid]).all()
    whole = cells.from_patches(values, members)
    lost = labels % 7 == 3
    assert_array_equal(whole[:, ~lost], field[:, ~lost])
    assert np.isnan(whole[:, lost]).all()
    lazy = cells.patch_values(da.from_array(field, chunks=(1, 1000)), members)
    assert isinstance(lazy, da.Array)
    assert_array_equal(lazy.compute(), values)
    assert_array_equal(cells.from_patches(lazy, members).compute(), whole)
    tensor = torch.tensor(field, requires_grad=True)
    cut = cells.patch_values(tensor, members)
    assert_array_equal(cut.detach().numpy(), values)
    back = cells.from_patches(cut, members)
    assert_array_equal(back.detach().numpy(), whole)
    back.nansum().backward()
    assert_array_equal(tensor.grad.numpy(), np.where(lost, 0.0, 1.0)[np.newaxis].repeat(2, 0))
    array = xr.DataArray(field, {"time": [5, 6]}, ("time", "cell"), name="t")
    labelled = cells.patch_values(array, members)
    assert labelled.dims == ("time", "patch", "pixel")
    assert_array_equal(labelled.values, values)
    assert_array_equal(labelled.time, [5, 6])
    assert_allclose(labelled.latitude.values, cells.patches(members)[..., 0])
    with pytest.raises(ValueError, match="which has no NaN for the pixels"):
        cells.patch_values(np.arange(labels.size), members)
    numbers = cells.patch_values(np.arange(labels.size), members, fill_value=-1)
    assert_array_equal(numbers, members)


def test_the_accessor_cuts_and_describes_cells_of_a_mesh(regular):
    xr = pytest.importorskip("xarray")
    pytest.importorskip("skgeo.xarray")
    grid, cells, labels, _ = regular
    members = cells.patch_members(labels=np.where(labels < 100, labels, -1))
    values = np.random.default_rng(2).normal(size=(2, labels.size))
    along = {
        "lat": ("cell", cells.latitude, {"units": "degrees_north"}),
        "lon": ("cell", cells.longitude, {"units": "degrees_east"}),
    }
    axes = {"time": [5, 6], **along}
    data = xr.Dataset({"t": (("time", "cell"), values), "height": ("time", [0.0, 2.0])}, axes)
    data["cell_area"] = ("cell", cells.cell_areas(), {"standard_name": "cell_area", "units": "m2"})
    data["t"].attrs["cell_measures"] = "area: cell_area"
    cut = data.skgeo.patches(members)
    assert_array_equal(cut.t, values[:, members])
    assert cut.t.dims == ("time", "patch", "pixel")
    assert "height" not in cut  # no variable of the cells
    assert cut.valid.values.all()
    masked = data.assign_coords(inside=("cell", labels % 2 == 0))
    assert_array_equal(masked.skgeo.patches(members, mask="inside").valid.any("pixel"), np.arange(100) % 2 == 0)

    position = PatchPositionEncoder(FrozenEstimator(SphericalHarmonicPCA(2, n_components=3).fit(grid)))
    features = make_union(position, PatchScaleFeaturizer())
    stacks = cells.patches(members)
    table = data.skgeo.patch_features(features.fit(stacks), members)
    assert_allclose(table.features, features.transform(stacks), rtol=1e-12)
    assert_allclose(table.latitude, stacks[..., 0])
    assert_allclose(table.cell_area, stacks[..., 2])

    # Without areas, places are labels all the same.
    bare = data.drop_vars("cell_area").assign(number=("cell", labels))
    with pytest.warns(CoordinateWarning, match="areas"):
        found = bare.skgeo.patches(members)
    assert_allclose(found.longitude, cells.longitude[members])
    assert found.attrs["Conventions"] == "CF-1.8"
    with pytest.warns(CoordinateWarning), pytest.raises(CoordinateError, match="No variable has the dimensions"):
        data[["height"]].assign_coords(along).skgeo.patches(members)
    few = np.where(np.arange(100) == 5, -1, members)
    with pytest.warns(CoordinateWarning), pytest.raises(ValueError, match="field 'number' is int64, which has no NaN"):
        bare.skgeo.patches(few)
    with pytest.warns(CoordinateWarning), pytest.raises(ValueError, match=r"field 't' has the names \['patch'\]"):
        bare.rename(time="patch").skgeo.patches(members)


def test_masks_leave_out_patches(regular):
    _, cells, labels, _ = regular
    north = CellGrid(cells.latitude, cells.longitude, cells.latitude > 0, areas=cells.cell_areas())
    members, names = north.patch_members(labels=labels, min_fraction=0.4, return_labels=True)
    assert_array_equal(names, np.arange(72, 162))  # nine rows of patches: the fifth lies half in the north
    assert north.patch_members(labels=labels).shape[0] == 162
    values, valid = north.patch_values(cells.latitude, members, return_valid=True)
    assert_array_equal(valid, values > 0)


def test_blocks_have_equal_areas_and_stay_where_they_are(regular):
    _, cells, _, _ = regular
    members, blocks = cells.patch_members(block_size_km=2500, return_labels=True)
    stacks = cells.patches(members)
    areas = stacks[..., 2]
    share = np.nansum(areas, axis=1) / (4 * np.pi * R2) * len(members)
    assert_allclose(share, 1, atol=0.15)  # cells of 2 degrees at the rims of blocks
    assert_allclose(np.sqrt(4 * np.pi * R2 / len(members)) / 1e3, 2500, rtol=0.01)
    some = np.flatnonzero(cells.longitude < 100)
    part = CellGrid(cells.latitude[some], cells.longitude[some], areas=cells.cell_areas()[some])
    again, numbers = part.patch_members(block_size_km=2500, return_labels=True)
    for number, own in zip(numbers, again, strict=True):
        assert set(some[own[own >= 0]]) <= set(members[np.flatnonzero(blocks == number)[0]])
    # middles and sizes for attention
    middles, sizes = cells.patch_middles(members)
    inside = np.einsum(
        "nki,ni->nk", np.nan_to_num(unit_vectors(stacks[..., 0], stacks[..., 1])), unit_vectors(*middles.T)
    )
    assert (inside[members >= 0] > np.cos(2500 * 1.2 / 6371)).all()
    assert_allclose(sizes, np.sqrt(np.nansum(areas, axis=1)) / 1e3)
    torch = pytest.importorskip("torch")
    from skgeo.nn import GreatCircleBias

    bias = GreatCircleBias(2)(torch.from_numpy(middles), size=torch.from_numpy(sizes))
    assert bias.shape == (2, len(members), len(members))


@pytest.mark.parametrize("nested", [True, False])
def test_healpix_patches_are_squares(nested):
    healpix = pytest.importorskip("healpix")
    longitude, latitude = healpix.pix2ang(16, np.arange(12 * 16**2), nest=nested, lonlat=True)
    cells = CellGrid(latitude, longitude, areas=np.full(latitude.size, 4 * np.pi * R2 / latitude.size))
    members, pixels = cells.patch_members(healpix_level=2, return_labels=True)
    assert members.shape == (192, 16)
    assert_array_equal(pixels, np.arange(192))
    assert_array_equal(np.sort(members.ravel()), np.arange(latitude.size))
    if nested:
        assert_array_equal(members // 16, pixels[:, np.newaxis].repeat(16, 1))
    # next to each other in the square, next to each other on the sphere
    square = unit_vectors(latitude, longitude)[members].reshape(192, 4, 4, 3)
    width = np.sqrt(4 * np.pi / latitude.size)
    for axis in (1, 2):
        assert np.linalg.norm(np.diff(square, axis=axis), axis=-1).max() < 1.6 * width
    scale = PatchScaleFeaturizer(log=False).fit_transform(cells.patches(members))
    assert_allclose(scale[:, 2], 4 * np.pi * R2 / 192, rtol=1e-12)
    assert_allclose(scale[:, 0] * scale[:, 1], scale[:, 2], rtol=0.25)
    # cells that are missing leave their slots free, and count as outside
    there = np.ones(latitude.size, dtype=bool)
    there[members[5, :6]] = there[members[7, :12]] = False
    regional = CellGrid(latitude[there], longitude[there], areas=np.full(there.sum(), cells.cell_areas()[0]))
    found = regional.patch_members(healpix_level=2)
    position = np.cumsum(there) - 1
    assert_array_equal(found, np.where(there[members], position[members], -1))
    kept = regional.patch_members(healpix_level=2, min_fraction=0.5, return_labels=True)[1]
    assert_array_equal(kept, np.delete(np.arange(192), 7))
    # other cells go to the pixel that holds their centre
    grid = LatLonGrid(np.arange(-88.0, 90, 4), np.arange(2.0, 360, 4))
    other = CellGrid(*grid.points().T, areas=grid.cell_areas().ravel())
    members, pixels = other.patch_members(healpix_level=1, return_labels=True)
    expected = healpix.ang2pix(2, other.longitude, other.latitude, nest=True, lonlat=True)
    assert_array_equal(expected[members[members >= 0]], np.repeat(pixels, (members >= 0).sum(axis=1)))


def test_missing_and_two_dimensional_cells():
    row, column = np.meshgrid(np.arange(6.0), np.arange(8.0), indexing="ij")
    latitude = np.where((row == 0) & (column < 2), np.nan, 50 + row + column / 10)
    cells = CellGrid(latitude, 5 + column * 1.5)
    labels = np.where(column < 4, "west", "east")
    members, names = cells.patch_members(labels=labels, return_labels=True)
    assert names.tolist() == ["east", "west"]
    assert (members >= 0).sum(axis=1).tolist() == [24, 22]
    values = cells.patch_values(row, members)
    assert_array_equal(values[0], row[:, 4:].ravel())
    whole = cells.from_patches(values, members)
    assert whole.shape == (6, 8)
    assert_array_equal(np.isnan(whole), np.isnan(latitude))
    assert_array_equal(cells.patch_values(row, (3, 4), partial=False).shape, (4, 3, 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of the three, and None for the others"),
        ({"healpix_level": 1, "block_size_km": 100}, "one of the three"),
        ({"block_size_km": 0}, "block_size_km=0: expected a number of km, at least 0.001"),
        ({"labels": [1, 2]}, r"labels.shape=\(2,\): expected \(3,\), a label for each cell"),
        ({"labels": [-1, np.nan, -5]}, "every cell with a place has a label that is missing"),
        ({"labels": [1, 1, 2], "min_fraction": 2}, r"min_fraction=2: expected a number in \[0, 1\]"),
    ],
)
def test_options_that_are_wrong(options, message):
    cells = CellGrid([0.0, 1, 2], [0.0, 1, 2], areas=[1e9] * 3)
    with pytest.raises(ValueError, match=message):
        cells.patch_members(**options)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([[0, 3]], "has the cells 0 to 3: expected 0 to 2, and -1"),
        ([[0, 1], [1, 2]], "has cell 1 twice"),
        ([[0, 1], [-1, -1]], "has a patch without any cell"),
        ([[0.5, 1.0]], "sizes, or the integers of patch_members"),
    ],
)
def test_members_that_are_wrong(members, message):
    cells = CellGrid([0.0, 1, 2], [0.0, 1, 2], areas=[1e9] * 3)
    for call in (cells.patches, lambda given: cells.patch_values(np.zeros(3), given)):
        with pytest.raises(ValueError, match=message):
            call(members)


def test_stacks_and_fields_that_are_wrong():
    cells = CellGrid([0.0, 1, 2], [0.0, 1, 2], areas=[1e9] * 3)
    members = [[0, 1], [2, -1]]
    with pytest.raises(ValueError, match=r"field has shape \(3, 4\).*np.moveaxis\(field, 0, -1\)"):
        cells.patch_values(np.zeros((3, 4)), members)
    stack = cells.patches(members)
    stack[0, 1, 2] = np.nan
    for estimator in (PatchScaleFeaturizer(), PatchPositionEncoder()):
        with pytest.raises(CoordinateError, match="X has 1 patches whose cells have no areas, first row 0"):
            estimator.fit(stack)
    with pytest.warns(match="areas of 3 cells are unknown"):
        unknown = CellGrid([0.0, 1, 2], [0.0, 1, 2])
    with pytest.raises(CoordinateError, match="areas of the cells are unknown"):
        unknown.patches(members)


@pytest.mark.plot
def test_pictures_of_patches_and_cells(regular):
    pytest.importorskip("matplotlib")
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    from skgeo.inspection import EmbeddingMapDisplay, PatchDisplay
    from skgeo.inspection._cell_raster import cell_raster

    _, cells, labels, _ = regular
    stacks = cells.patches(cells.patch_members(labels=labels))
    patches = PatchDisplay.from_patches(stacks, "area").patches_
    assert len(patches.get_paths()) >= 162
    # each pixel has the value of the nearest cell
    display = EmbeddingMapDisplay.from_embedding(
        np.column_stack([cells.latitude]), cells, 0, projection="plate_carree", coastlines=False
    )
    mesh = display.mappable_
    corners, values = mesh.get_coordinates(), mesh.get_array()
    middles = (corners[:-1, :-1, 1] + corners[1:, 1:, 1]) / 2
    assert_allclose(values, middles, atol=1.01)
    assert values.size >= 4 * labels.size
    # cells of unknown area reach as far as their neighbours
    with pytest.warns(match="are unknown"):
        unknown = CellGrid(cells.latitude, cells.longitude)
    again = EmbeddingMapDisplay.from_embedding(
        np.column_stack([cells.latitude]), unknown, 0, projection="plate_carree", coastlines=False
    )
    whole = again.mappable_.get_array()
    assert not np.ma.getmaskarray(whole).any()
    rows = again.mappable_.get_coordinates()[..., 1]
    assert_allclose(whole, (rows[:-1, :-1] + rows[1:, 1:]) / 2, atol=1.01)
    near = np.flatnonzero(np.abs(cells.latitude) + np.abs(cells.longitude - 180) < 30)  # a rhomb
    with pytest.warns(match="are unknown"):
        rhomb = CellGrid(cells.latitude[near], cells.longitude[near])
    raster = cell_raster(rhomb)
    row, column = np.meshgrid(raster.pixels.latitude, raster.pixels.longitude % 360, indexing="ij")
    away = np.abs(row) + np.abs(column - 180)
    assert raster.inside[away < 29].all()
    assert not raster.inside[away > 34].any()
    # a region without cells around it stays empty
    part = np.flatnonzero((np.abs(cells.latitude) < 20) & (np.abs(cells.longitude - 180) < 20))
    some = CellGrid(cells.latitude[part], cells.longitude[part], areas=cells.cell_areas()[part])
    extent = EmbeddingMapDisplay.from_embedding(np.ones((part.size, 1)), some, 0).ax_.get_xlim()
    assert_allclose(extent, (160, 200), atol=3)
    pyplot.close("all")
