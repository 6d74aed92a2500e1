"""Positions of patches by the mask of a grid: against sums over the cells of the grid with Python loops."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

import skgeo
from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo import _patch_position as module
from skgeo.encoders import SphericalHarmonics
from skgeo.exceptions import CoordinateError

RNG = np.random.default_rng(3)
BASIS = SphericalHarmonicPCA(4).fit(LatLonGrid(np.arange(-88.0, 90, 4), np.arange(2.0, 360, 4)))


def mask(*shape):
    """A third nothing, a third all, a third in parts, and a corner without anything."""
    values = RNG.choice([0.0, 1.0, 0.3], shape)
    values[:4, :4] = 0.0
    return values


GAUSSIAN = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(16)[0]))
Y, X = np.meshgrid(np.arange(12.0), np.arange(15.0), indexing="ij")
LATITUDE, LONGITUDE = np.where((Y > 8) & (X < 3), np.nan, 50 + Y - X / 5), 170 + X + Y / 3
GRIDS = {
    "ring": (
        LatLonGrid(np.arange(-80, 90, 20), np.arange(0, 360, 15), mask(9, 24)),
        {"patch_size": (3, 4), "stride": (3, 2)},
    ),
    "gaussian, north first": (LatLonGrid(GAUSSIAN[::-1], np.arange(-180, 180, 15), mask(16, 24)), {"patch_size": 4}),
    "westward, partial": (
        LatLonGrid(np.arange(50, 10, -4.0), np.arange(200, 130, -5.0), mask(10, 14)),
        {"patch_size": (4, 5), "partial": True},
    ),
    "westward around": (
        LatLonGrid([0.0, 5.0], np.arange(360, 0, -20.0), mask(2, 18) ** 2),
        {"patch_size": (2, 18), "stride": (2, 3)},
    ),
    "gaps": (
        LatLonGrid([0, 1, 2, 3, 10, 11, 12, 13], [*range(9), *range(40, 46)], mask(8, 15)),
        {"patch_size": (4, 3)},
    ),
    "no mask": (LatLonGrid(np.arange(-80, 90, 20), np.arange(0, 360, 15)), {"patch_size": 3}),
    "swath": (CellGrid(LATITUDE, LONGITUDE, mask(12, 15)), {"patch_size": (4, 5), "stride": (2, 5)}),
    "areas": (CellGrid(LATITUDE, LONGITUDE, mask(12, 15), areas=RNG.uniform(1e9, 2e9, (12, 15))), {"patch_size": 3}),
}
grids = pytest.mark.parametrize("name", GRIDS)


def cells(grid):
    """Centre, area and mask of each cell, by row and column."""
    areas, inside = grid.cell_areas(1.0), np.ones(grid.shape) if grid.mask is None else grid.mask
    for row in range(grid.shape[0]):
        for column in range(grid.shape[1]):
            if isinstance(grid, LatLonGrid):
                place = grid.latitude[row], grid.longitude[column]
            else:
                place = grid.latitude[row, column], grid.longitude[row, column]
            if np.isfinite(place).all():
                yield (row, column), place, areas[row, column], inside[row, column]


def by_loops(grid, encoder, options):
    """Means over the cells of each patch, weighted by area and mask, or by area where the mask keeps nothing."""
    known = {at: (encoder.transform([place])[0], area, part) for at, place, area, part in cells(grid)}
    patches, index = grid.patches(**options, return_index=True)
    size = np.broadcast_to(options["patch_size"], 2)
    means = []
    for patch, (row, column) in zip(patches, index, strict=True):
        n_rows, n_columns = patch[4:].astype(int) if patch.ndim == 1 else size
        places = [(row + i, (column + j) % grid.shape[1]) for i in range(n_rows) for j in range(n_columns)]
        parts = [known[at] for at in places if at in known]
        weights = [area * part for _, area, part in parts]
        weights = weights if sum(weights) > 0 else [area for _, area, _ in parts]
        means.append(sum(w * value for w, (value, _, _) in zip(weights, parts, strict=True)) / sum(weights))
    return patches, np.array(means)


@grids
def test_position_is_the_mean_over_pixels_inside_the_mask(name, monkeypatch):
    grid, options = GRIDS[name]
    patches, expected = by_loops(grid, BASIS, options)
    encoder = PatchPositionEncoder(FrozenEstimator(BASIS), grid=grid).fit(patches)
    got = encoder.transform(patches)
    assert_allclose(got, expected, atol=1e-12)
    # Neither the size of blocks nor the order or number of patches matters.
    monkeypatch.setattr(module, "PIXELS_AT_A_TIME", 7)
    assert_allclose(encoder.transform(patches[::-1]), expected[::-1], atol=1e-12)
    assert_allclose(encoder.transform(patches[2:3]), expected[2:3], atol=1e-12)
    single = encoder.transform(patches.astype(np.float32))
    assert single.dtype == np.float32
    if grid.dtype == np.float32 or patches.ndim == 2:
        assert_allclose(single, expected, atol=1e-5)


def test_without_a_mask_even_pixels_are_those_of_the_table():
    grid, options = GRIDS["no mask"]
    patches = grid.patches(**options)
    plain = PatchPositionEncoder(FrozenEstimator(BASIS)).fit_transform(patches)
    assert_allclose(PatchPositionEncoder(FrozenEstimator(BASIS), grid=grid).fit_transform(patches), plain, atol=1e-12)
    assert PatchPositionEncoder().grid is None


class Places(TransformerMixin, BaseEstimator):
    """Latitude and longitude; remembers what it was fitted on."""

    def fit(self, X, y=None, sample_weight=None):
        self.seen_, self.n_features_in_ = (X, sample_weight), 2
        return self

    def transform(self, X):
        return np.asarray(X)


@grids
def test_encoders_are_fitted_on_the_covered_cells_inside_the_mask(name):
    grid, options = GRIDS[name]
    patches, index = grid.patches(**options, return_index=True)
    patches, index = patches[1::2], index[1::2]
    size = np.broadcast_to(options["patch_size"], 2)
    covered = np.zeros(grid.shape, dtype=bool)
    for patch, (row, column) in zip(patches, index, strict=True):
        n_rows, n_columns = patch[4:].astype(int) if patch.ndim == 1 else size
        covered[np.ix_(row + np.arange(n_rows), (column + np.arange(n_columns)) % grid.shape[1])] = True
    known = [(place, area * part) for at, place, area, part in cells(grid) if covered[at] and area * part > 0]
    points, weights = PatchPositionEncoder(Places(), grid=grid).fit(patches).encoder_.seen_
    assert_allclose(points, [place for place, _ in known], rtol=1e-12)
    assert_allclose(weights, [weight for _, weight in known], rtol=1e-12)
    # Encoders of skgeo take the cells themselves.
    encoder = PatchPositionEncoder(SphericalHarmonicPCA(3, n_components=5), grid=grid).fit(patches).encoder_
    assert_allclose(encoder.total_weight_, sum(weight for _, weight in known), rtol=1e-9)
    fixed = PatchPositionEncoder(SphericalHarmonics(2), grid=grid).fit(patches)
    assert fixed.transform(patches).shape == (len(patches), 9)


def test_the_basis_is_that_of_the_masked_grid():
    grid, _ = GRIDS["ring"]
    patches = grid.patches((9, 4))
    expected = SphericalHarmonicPCA(3).fit(grid)
    got = PatchPositionEncoder(SphericalHarmonicPCA(3), grid=grid).fit(patches).encoder_
    assert_allclose(got.transform(grid), expected.transform(grid), atol=1e-9)


def test_copies_of_cells_are_told_apart_by_their_window():
    """A tripolar halo: the last columns repeat the first ones, and are outside the mask."""
    latitude, longitude = 50 + Y[:, :10] - X[:, :10] / 5, 170 + X[:, :10] + Y[:, :10] / 3
    halo = [np.hstack([axis, axis[:, :4]]) for axis in (latitude, longitude)]
    inside = np.hstack([np.ones((12, 10)), np.zeros((12, 4))])
    inside[:, 3] = 0.5
    grid = CellGrid(*halo, inside, areas=np.full((12, 14), 1e9))
    patches, expected = by_loops(grid, BASIS, {"patch_size": (3, 5), "stride": 3})
    assert_allclose(
        PatchPositionEncoder(FrozenEstimator(BASIS), grid=grid).fit_transform(patches), expected, atol=1e-12
    )


def test_another_grid_needs_no_new_fit(tmp_path):
    grid, options = GRIDS["ring"]
    patches = grid.patches(**options)
    union = make_union(PatchPositionEncoder(FrozenEstimator(BASIS), grid=grid), PatchScaleFeaturizer()).fit(patches)
    other, other_options = GRIDS["gaps"]
    table, expected = by_loops(other, BASIS, other_options)
    with pytest.raises(
        CoordinateError, match=r"patches whose pixels are no cells of the grid, first row 0: .*set_params"
    ):
        union.transform(table)
    moved = union.set_params(patchpositionencoder__grid=other)
    n = expected.shape[1]
    assert_allclose(moved.transform(table)[:, :n], expected, atol=1e-12)
    skgeo.save(moved, tmp_path / "model.npz")
    for same in (skgeo.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(moved))):
        assert_array_equal(same.transform(table), moved.transform(table))
    assert clone(moved).get_params()["patchpositionencoder__grid"] is other


def test_what_does_not_fit_is_refused():
    grid, options = GRIDS["ring"]
    swath, swath_options = GRIDS["swath"]
    patches, stack = grid.patches(**options), swath.patches(**swath_options)
    encoder = PatchPositionEncoder(FrozenEstimator(BASIS), grid=grid)
    with pytest.raises(CoordinateError, match="X is a stack of pixel centres, and grid is a LatLonGrid"):
        encoder.fit(stack)
    with pytest.raises(CoordinateError, match="X is a patch table, and grid is a CellGrid"):
        clone(encoder).set_params(grid=swath).fit(patches)
    for row in ([-90, -30, 0, 60, 3, 5], [-90, -30, 1, 61, 3, 4], [-90, -31, 0, 60, 3, 4], [-80, -20, 0, 60, 3, 4]):
        with pytest.raises(CoordinateError, match="X has 1 patches whose pixels are no cells of the grid, first row 1"):
            encoder.fit(np.vstack([patches[:1], row]))
    turned = np.array(patches)
    turned[:, 2:4] -= 720
    assert_allclose(encoder.fit_transform(turned), encoder.fit_transform(patches), atol=1e-12)
    with pytest.raises(CoordinateError, match="X has 1 patches whose pixels are no cells of the grid, first row 2"):
        clone(encoder).set_params(grid=swath).fit(np.concatenate([stack[:2], stack[:1, ::-1]]))
    with pytest.raises(ValueError, match="average='exact' integrates between the edges of patches; grid= needs"):
        clone(encoder).set_params(average="exact").fit(patches)
    with pytest.raises(ValueError, match="grid='sea': expected None, a LatLonGrid or a CellGrid"):
        clone(encoder).set_params(grid="sea").fit(patches)
    empty = grid.patches(4, partial=False)[:1]
    nothing = LatLonGrid(grid.latitude, grid.longitude, np.pad([[1.0]], ((8, 0), (23, 0))))
    with pytest.raises(CoordinateError, match="no patch has a pixel inside the mask"):
        PatchPositionEncoder(SphericalHarmonicPCA(2), grid=nothing).fit(empty)


@pytest.mark.xarray
@pytest.mark.parametrize("name", ["ring", "swath"])
def test_chunks(name):
    import dask.array as da

    grid, options = GRIDS[name]
    patches, expected = by_loops(grid, BASIS, options)
    lazy = da.from_array(grid.mask, chunks=(5, 7))
    if name == "ring":
        chunked = LatLonGrid(grid.latitude, grid.longitude, lazy)
    else:
        chunked = CellGrid(
            da.from_array(grid.latitude, chunks=(5, 7)), da.from_array(grid.longitude, chunks=(5, 7)), lazy
        )
    for each in (grid, chunked):
        encoder = PatchPositionEncoder(FrozenEstimator(BASIS), grid=each).fit(patches)
        rows = encoder.transform(da.from_array(patches, chunks=(5, *patches.shape[1:])))
        assert_allclose(encoder.transform(patches), expected, atol=1e-9 if name == "ring" else 1e-2)
        assert_allclose(rows.compute(scheduler="synchronous"), encoder.transform(patches), atol=1e-12)
