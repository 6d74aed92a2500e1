"""Displays: what is drawn where, in which colours, with which labels."""
# ruff: noqa: PD011  (displays have values, and are no frames)

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from processes import run_python
from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA
from skgeo._kernels.sphere import Boxes, unit_vectors
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics
from skgeo.exceptions import CoordinateError, CoordinateWarning
from skgeo.inspection import (
    BasisDisplay,
    EmbeddingMapDisplay,
    FoldDisplay,
    LeakageDisplay,
    PatchDisplay,
    PredictionMapDisplay,
    ResponseDisplay,
    SimilarityDisplay,
    SpectrumDisplay,
)
from skgeo.inspection._map_shapes import box_rings, coast_lines, grid_meshes, project_lines, project_rings
from skgeo.inspection._projections import (
    EqualEarth,
    Extent,
    Orthographic,
    PlateCarree,
    choose_projection,
    degree_label,
    extent_of,
)
from skgeo.model_selection import SphericalBlockKFold, leakage_report

GLOBE = LatLonGrid(np.arange(-87.5, 90, 5), np.arange(2.5, 360, 5))
BOX = LatLonGrid(np.arange(59.0, 30, -2), np.arange(351, 391, 2) % 360)
NORTH = LatLonGrid(np.arange(61.0, 90, 2), np.arange(1, 360, 2))
POINTS = fibonacci_lattice(300)
EUROPE = np.column_stack([np.linspace(36, 60, 40), np.linspace(-9, 30, 40)])


@pytest.fixture(scope="module")
def basis():
    return SphericalHarmonicPCA(max_degree=8, n_components=8).fit(BOX)


@pytest.fixture(scope="module")
def warmth():
    """A model of 30 cos^2(latitude) on harmonics."""
    model = make_pipeline(SphericalHarmonics(6), Ridge(1e-6))
    return model.fit(POINTS, 30 * np.cos(np.radians(POINTS[:, 0])) ** 2)


@pytest.fixture(scope="module")
def hemispheres():
    """A classifier of the northern hemisphere."""
    return make_pipeline(Cartesian3DEncoder(), LogisticRegression()).fit(POINTS, POINTS[:, 0] > 0)


def quad_areas(x, y):
    """Areas of the cells of a mesh, by the shoelace formula."""
    corners = [(x[rows, columns], y[rows, columns]) for rows, columns in QUAD]
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, corners[1:] + corners[:1], strict=True)) / 2


QUAD = [
    (slice(None, -1), slice(None, -1)),
    (slice(None, -1), slice(1, None)),
    (slice(1, None), slice(1, None)),
    (slice(1, None), slice(None, -1)),
]


def polygon_area(polygon):
    x, y = polygon.T
    return abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


# Projections


@given(st.floats(-90, 90), st.floats(-179.9, 179.9))
@settings(max_examples=100, deadline=None)
def test_equal_earth_is_that_of_proj(latitude, relative):
    pyproj = pytest.importorskip("pyproj")
    expected = pyproj.Proj("+proj=eqearth +R=1")(relative, latitude)
    assert_allclose(EqualEarth((0.0, 0.0)).forward(latitude, relative), expected, atol=1e-9)


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90))
@settings(max_examples=100, deadline=None)
def test_orthographic_is_that_of_proj_before_the_horizon(latitude, relative, middle):
    pyproj = pytest.importorskip("pyproj")
    seen = Orthographic((middle, 0.0))
    expected = pyproj.Proj(f"+proj=ortho +R=1 +lat_0={middle!r}")(relative, latitude)
    if np.isfinite(expected).all() and np.hypot(*expected) < 0.999:
        assert seen.visible(latitude, relative)
        assert_allclose(seen.forward(latitude, relative), expected, atol=1e-9)


def test_beyond_the_horizon_is_on_it():
    seen = Orthographic((0.0, 0.0))
    x, y = seen.forward([10.0, 0.0], [170.0, -100.0])
    assert_allclose(np.hypot(x, y), 1.0)
    assert not seen.visible([10.0, 0.0], [170.0, -100.0]).any()


def irregular(grid):
    return LatLonGrid(grid.latitude, grid.longitude + 0.7)


@pytest.mark.parametrize(
    "grid",
    [
        GLOBE,
        irregular(GLOBE),
        LatLonGrid(GLOBE.latitude[::-1], GLOBE.longitude[::-1]),
        LatLonGrid(GLOBE.latitude, (GLOBE.longitude + 100) % 360),
        LatLonGrid([45, -45], [0, 120, 240]),
        LatLonGrid([90, 45, 0, -45, -90], np.arange(-180, 180, 90)),
        LatLonGrid(np.arange(-35, 40, 10), np.arange(120, 260, 20)),
        LatLonGrid([10, 20, 40], [350, 355, 0]),
        BOX,
    ],
    ids=["0..360", "odd start", "descending", "wraps inside", "coarse", "poles", "across the seam", "uneven", "box"],
)
@pytest.mark.parametrize("longitude", [0.0, -160.0, 33.3])
def test_every_cell_is_drawn_with_its_area(grid, longitude):
    drawn = np.zeros(grid.shape)
    for mesh in grid_meshes(grid, EqualEarth((0.0, longitude))):
        areas = quad_areas(mesh.x, mesh.y)
        assert mesh.shown.all()
        assert areas.min() > -1e-12  # none is turned over
        np.add.at(drawn, (mesh.rows[:, np.newaxis], mesh.columns[np.newaxis, :]), areas)
    assert_allclose(drawn, grid.cell_areas(radius=1.0), rtol=2e-3)


@pytest.mark.parametrize("longitude", [0.0, -160.0, 33.3])
def test_gaps_are_not_drawn(longitude):
    grid = LatLonGrid(np.r_[-30.5:-20, 10.5:30], np.r_[0.5:30, 170.5:200, 250.5, 340.5:360])
    drawn = np.zeros(grid.shape)
    for mesh in grid_meshes(grid, EqualEarth((0.0, longitude))):
        areas = np.where(mesh.shown, quad_areas(mesh.x, mesh.y), 0.0)
        np.add.at(drawn, (mesh.rows[:, np.newaxis], mesh.columns[np.newaxis, :]), areas)
    assert_allclose(drawn, grid.cell_areas(radius=1.0), rtol=2e-3)


def test_cells_behind_the_globe_are_not_shown():
    (mesh,) = grid_meshes(GLOBE, Orthographic((0.0, 0.0)))
    assert_allclose(mesh.shown.mean(), 0.5, atol=0.03)
    assert_allclose(quad_areas(mesh.x, mesh.y)[mesh.shown].sum(), np.pi, rtol=5e-3)


@pytest.mark.parametrize(
    "box",
    [
        (0, 10, 0, 20),
        (-20, 30, 170, 200),
        (20, 50, 175, -170 + 360),
        (60, 90, -30, 60),
        (-90, -70, 0, 360),
        (5, 9, 500, 520),
    ],
)
@pytest.mark.parametrize("longitude", [0.0, 100.0])
def test_outlines_of_patches_have_their_area(box, longitude):
    south, north, west, east = box
    boxes = Boxes(*(np.array([value], dtype=float) for value in box), np.array([1]), np.array([1]))
    pieces, numbers = project_rings(box_rings(boxes), EqualEarth((0.0, longitude)))
    expected = (np.sin(np.radians(north)) - np.sin(np.radians(south))) * np.radians(east - west)
    assert_allclose(sum(map(polygon_area, pieces)), expected, rtol=2e-3)
    assert_array_equal(numbers, 0)


def test_outline_around_a_pole_fills_its_cap():
    ring = np.column_stack([np.full(180, -70.0), np.arange(10, 370, 2)])
    pieces, _ = project_rings([ring], EqualEarth((0.0, 33.0)))
    assert_allclose(sum(map(polygon_area, pieces)), 2 * np.pi * (1 - np.sin(np.radians(70))), rtol=2e-3)


def test_outlines_behind_the_globe_are_left_out():
    rings = box_rings(Boxes(*np.array([[0.0, 0], [10, 10], [0, 180], [10, 190]]), np.ones(2, int), np.ones(2, int)))
    assert_array_equal(project_rings(rings, Orthographic((0.0, 0.0)))[1], [0])


@pytest.mark.parametrize(
    "projection", [EqualEarth((0.0, -160.0)), Orthographic((40.0, 10.0)), PlateCarree((0.0, 90.0))]
)
def test_coasts_have_no_jumps(projection):
    pieces = project_lines(coast_lines(), projection)
    assert len(pieces) > 50
    scale = 360.0 if isinstance(projection, PlateCarree) else 2.0
    assert max(np.abs(np.diff(piece, axis=0)).max() for piece in pieces) < 0.02 * scale


def test_coasts_are_where_they_are():
    points = np.concatenate(coast_lines())
    tarifa = unit_vectors(np.array(36.0), np.array(-5.6))
    assert np.degrees(np.arccos((unit_vectors(*points.T) @ tarifa).max())) < 0.5
    middle_of_the_sahara = unit_vectors(np.array(23.0), np.array(10.0))
    assert np.degrees(np.arccos((unit_vectors(*points.T) @ middle_of_the_sahara).max())) > 5.0


@pytest.mark.parametrize(
    ("places", "kind", "center"),
    [
        (GLOBE, EqualEarth, (0.0, 0.0)),
        (BOX, PlateCarree, (45.0, 370.0)),
        (NORTH, Orthographic, (90.0, 0.0)),
        (LatLonGrid(np.arange(-89, -60, 2.0), NORTH.longitude), Orthographic, (-90.0, 0.0)),
        (LatLonGrid(np.arange(-30, 31, 5), GLOBE.longitude), EqualEarth, (0.0, 0.0)),
        (np.array([[0.0, 170], [10, -170]]), PlateCarree, (5.0, 180.0)),
        (POINTS, EqualEarth, (0.0, 0.0)),
    ],
)
def test_projection_suits_the_region(places, kind, center):
    chosen = choose_projection("auto", None, extent_of(places))
    assert type(chosen) is kind
    assert_allclose(chosen.center, center)


def test_extent_of_patches_and_points_across_the_antimeridian():
    boxes = Boxes(*np.array([[-10.0, 0], [10, 40], [170, -175], [185, -160]]), np.ones(2, int), np.ones(2, int))
    assert_allclose(extent_of(boxes), Extent(-10, 40, 170, 200))
    assert_allclose(extent_of(np.array([[5.0, 179], [6, -178], [np.nan, np.nan]])), Extent(5, 6, 179, 182))


@pytest.mark.parametrize(
    ("value", "signs", "label"),
    [
        (60, "NS", "60°N"),
        (-30, "NS", "30°S"),
        (0, "NS", "0°"),
        (-180, "EW", "180°"),
        (200, "EW", "160°W"),
        (7.5, "EW", "7.5°E"),
    ],
)
def test_degree_labels(value, signs, label):
    assert degree_label(value, signs) == label


# Displays


def displays(basis, warmth, hemispheres):
    """Every display, with functions that make it on given axes."""
    patches = BOX.patches((5, 5))
    scores = {"block_size_km": [100, 1000], "scores": [[0.9, 0.8], [0.5, 0.6]], "random_scores": [0.9, 0.95]}
    return {
        "basis": lambda ax: BasisDisplay.from_estimator(basis, 1, grid=BOX, ax=ax),
        "colours": lambda ax: EmbeddingMapDisplay.from_estimator(basis, grid=BOX, ax=ax),
        "column": lambda ax: EmbeddingMapDisplay.from_estimator(basis, 2, grid=GLOBE, ax=ax),
        "spectrum": lambda ax: SpectrumDisplay.from_estimator(basis, ax=ax),
        "patches": lambda ax: PatchDisplay.from_patches(patches, ax=ax),
        "predictions": lambda ax: PredictionMapDisplay.from_estimator(warmth, GLOBE, ax=ax),
        "classes": lambda ax: PredictionMapDisplay.from_estimator(
            hemispheres, POINTS, response_method="predict", ax=ax
        ),
        "folds": lambda ax: FoldDisplay.from_splitter(KFold(3), EUROPE, ax=ax),
        "similarity": lambda ax: SimilarityDisplay.from_estimator(basis, (40, 10), grid=NORTH, ax=ax),
        "response": lambda ax: ResponseDisplay.from_estimator(warmth, grid=GLOBE, ax=ax),
        "leakage": lambda ax: LeakageDisplay(**scores).plot(ax),
    }


NAMES = list(displays(None, None, None))


@pytest.mark.parametrize("name", NAMES)
def test_draws_on_given_axes_and_nowhere_else(name, basis, warmth, hemispheres):
    figure, ax = plt.subplots()
    display = displays(basis, warmth, hemispheres)[name](ax)
    assert display.figure_ is figure
    assert ax in (display.axes_ if hasattr(display, "axes_") else [display.ax_])
    assert plt.get_fignums() == [figure.number]
    figure.canvas.draw()


@pytest.mark.parametrize("name", NAMES)
def test_texts_stay_readable_and_inside_the_figure(name, basis, warmth, hemispheres):
    display = displays(basis, warmth, hemispheres)[name](None)
    figure = display.figure_
    figure.canvas.draw()
    assert figure.get_figwidth() <= 7.0
    texts = [text for text in figure.findobj(plt.Text) if text.get_visible() and text.get_text().strip()]
    drawn = [text for text in texts if text.get_window_extent().width > 0]
    assert len(drawn) >= 8
    assert min(text.get_fontsize() for text in drawn) >= 8.0
    page = figure.bbox.padded(1.0)
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert_array_equal(
            [box.x0 >= page.x0, box.x1 <= page.x1, box.y0 >= page.y0, box.y1 <= page.y1], True, str(axes)
        )


@pytest.mark.parametrize("name", NAMES)
def test_refuses_what_is_no_axes(name, basis, warmth, hemispheres):
    with pytest.raises(ValueError, match="ax is 'here': expected None or .*Axes|expected None, one matplotlib Axes"):
        displays(basis, warmth, hemispheres)[name]("here")


MAPS = ["basis", "column", "patches", "predictions", "folds", "similarity", "response"]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"projection": "mercator"},
            "projection='mercator': expected 'auto', 'equal_earth', 'orthographic' or 'plate_",
        ),
        ({"center": (100.0, 0.0)}, r"center=\(100.0, 0.0\): expected None or \(latitude, longitude\) in degrees"),
        ({"center": 5}, "center=5: expected None or"),
        ({"coastlines": "yes"}, "coastlines='yes': expected True or False"),
        ({"colorbar": 1}, "colorbar=1: expected True or False"),
    ],
)
def test_refuses_options_of_maps(name, options, message, basis, warmth, hemispheres):
    display = displays(basis, warmth, hemispheres)[name](None)
    with pytest.raises(ValueError, match=message):
        display.plot(**options)


@pytest.mark.parametrize("center", [None, (0.0, 100.0), (0.0, 360.0)])
@pytest.mark.parametrize("start", [-180, 0])
def test_the_whole_world_in_degrees_is_inside_its_frame(start, center):
    globe = LatLonGrid(GLOBE.latitude, np.arange(start + 2.5, start + 360, 5))
    display = PredictionMapDisplay(np.ones(globe.shape), globe).plot(projection="plate_carree", center=center)
    x = display.mappable_.get_coordinates()[..., 0]
    assert_allclose(display.ax_.get_xlim(), (x.min(), x.max()))


@pytest.mark.parametrize(
    ("center", "frame"), [(None, (170, 190)), ((-17, -180), (-190, -170)), ((-17, 0), (-180, 180))]
)
def test_a_region_is_framed_on_the_turn_of_its_centre(center, frame):
    fiji = LatLonGrid(np.arange(-19.5, -15), np.arange(170.5, 190))
    display = PredictionMapDisplay(np.ones(fiji.shape), fiji).plot(projection="plate_carree", center=center)
    assert_allclose(display.ax_.get_xlim(), frame)


def test_needs_matplotlib_only_to_draw(monkeypatch):
    run_python("import sys, skgeo.inspection; assert 'matplotlib' not in sys.modules")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    display = PatchDisplay([[0, 10, 0, 10, 1, 1]])
    with pytest.raises(ImportError, match=r"skgeo.inspection needs matplotlib.pyplot: pip install 'skgeo\[plot\]'"):
        display.plot()


def test_basis_values_titles_and_colours(basis):
    display = BasisDisplay.from_estimator(FrozenEstimator(basis), [0, 5, 2], grid=BOX)
    assert_allclose(display.values.reshape(-1, 3), basis.transform(BOX)[:, [0, 5, 2]])
    assert [ax.get_title() for ax in display.axes_] == ["component 0", "component 5", "component 2"]
    assert {mappable.get_clim() for mappable in display.mappables_} == {(-3.0, 3.0)}
    assert display.colorbar_.ax.get_xlabel() == "standard deviations"
    assert_allclose(display.axes_[0].get_xlim(), (350, 390))
    assert_allclose(display.axes_[0].get_ylim(), (30, 60))
    display.figure_.canvas.draw()
    assert "50°N" in [text.get_text() for text in display.axes_[0].get_yticklabels()] or "54°N" in [
        text.get_text() for text in display.axes_[0].get_yticklabels()
    ]


def test_basis_of_harmonics():
    harmonics = SphericalHarmonics(3).fit(POINTS)
    display = BasisDisplay.from_estimator(harmonics, ["sh_l2_m-1", 0], grid=GLOBE, projection="orthographic")
    assert [ax.get_title() for ax in display.axes_] == ["$Y_{2,-1}$", "$Y_{0,0}$"]
    largest = np.abs(display.values).max()
    assert_allclose(display.mappables_[0].get_clim(), (-largest, largest))


def test_basis_draws_no_more_than_there_is(basis):
    assert len(BasisDisplay.from_estimator(basis, 50, grid=BOX).axes_) == 8
    assert len(BasisDisplay.from_estimator(basis, grid=BOX).axes_) == 6


def test_what_follows_a_basis_is_not_called_by_its_components(basis):
    short = make_pipeline(FrozenEstimator(basis), PCA(2)).fit(BOX.points())
    display = BasisDisplay.from_estimator(short, grid=BOX)
    assert [ax.get_title() for ax in display.axes_] == ["pca0", "pca1"]
    assert (display.label, display.limit) == ("value of the basis function", None)
    assert EmbeddingMapDisplay.from_estimator(short, 1, grid=BOX).names == ["pca1"]


def test_an_indicator_is_no_component():
    basis = SphericalHarmonicPCA(3, 2, missing="nan", add_indicator=True).fit(BOX)
    display = BasisDisplay.from_estimator(make_pipeline(basis), grid=BOX)
    assert display.names == ["component 0", "component 1", "missing_location"]
    assert (display.label, display.limit) == ("standard deviations", 3.0)


def test_columns_without_names_are_numbered():
    nameless = make_pipeline(SphericalHarmonics(3), FunctionTransformer(np.abs)).fit(POINTS)
    assert BasisDisplay.from_estimator(nameless, [2], grid=GLOBE).names == ["2"]
    assert EmbeddingMapDisplay.from_estimator(nameless, "15", grid=GLOBE).names == ["15"]


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ([8], "components=8: expected numbers from 0 to 7, or names such as 'shpca0'"),
        (["shpca9"], "components='shpca9': expected numbers from 0 to 7"),
        (0, "components=0: expected at least 1 component"),
        ([], r"components=\[\]: expected at least one column"),
    ],
)
def test_basis_refuses_components(basis, components, message):
    with pytest.raises(ValueError, match=message):
        BasisDisplay.from_estimator(basis, components, grid=BOX)


def test_basis_refuses_shapes_grids_and_unfitted(basis):
    with pytest.raises(ValueError, match=r"values has shape \(3,\): expected \(15, 20, 1\)"):
        BasisDisplay(np.zeros(3), BOX, ["one"]).plot()
    with pytest.raises(ValueError, match="grid='globe': expected None, a LatLonGrid, a CellGrid or an xarray"):
        BasisDisplay.from_estimator(basis, grid="globe")
    with pytest.raises(NotFittedError):
        BasisDisplay.from_estimator(SphericalHarmonicPCA())
    with pytest.raises(ValueError, match="ax is 2 Axes: expected None or 3 matplotlib Axes"):
        BasisDisplay.from_estimator(basis, 3, grid=BOX, ax=plt.subplots(2)[1])


def test_masked_cells_are_grey_and_do_not_set_the_colours():
    mask = GLOBE.latitude[:, np.newaxis] * np.ones(72) < 60
    values = np.where(mask, 1.0, 1000.0)
    values[0, 0] = 0.5
    display = PredictionMapDisplay(values, LatLonGrid(GLOBE.latitude, GLOBE.longitude, mask)).plot()
    assert display.mappable_.get_clim() == (0.5, 1.0)
    array = display.mappable_.get_array()
    assert_allclose(np.ma.getmaskarray(array).mean(), 6 / 36)
    assert_allclose(display.mappable_.cmap.get_bad()[:3], 0.86)


def test_fractions_of_cells_are_covered_with_so_much_grey():
    fraction = np.ones(GLOBE.shape)
    fraction[:, :36] = 0.25
    display = PredictionMapDisplay(np.ones(GLOBE.shape), LatLonGrid(GLOBE.latitude, GLOBE.longitude, fraction)).plot()
    cover = [mesh for mesh in display.ax_.collections if np.ndim(mesh.get_array()) == 3]
    assert len(cover) == 1
    assert_allclose(np.unique(cover[0].get_array()[..., 3]), [0.0, 0.75])


@pytest.mark.parametrize("projection", ["equal_earth", "orthographic", "plate_carree"])
def test_curvilinear_cells(projection):
    row, column = np.meshgrid(np.arange(30), np.arange(40), indexing="ij")
    latitude, longitude = 48 + row / 10 + column / 40, 175 + column / 4 - row / 50
    latitude[3, 4] = np.nan
    cells = CellGrid(latitude, longitude)
    values = (row + column).astype(float)
    display = PredictionMapDisplay(values, cells, label="field (K)").plot(projection=projection)
    display.figure_.canvas.draw()
    assert display.mappable_.get_array().shape == (30, 40)
    assert display.mappable_.get_clim() == (0.0, 68.0)
    if projection == "plate_carree":  # in one piece across the antimeridian
        assert_allclose(display.ax_.get_xlim(), (174.42, 184.75), atol=0.01)


def test_meshes_without_rows_are_dots():
    cells = CellGrid([10.0, 20.0, 30.0], [0.0, 5.0, 8.0], areas=np.full(3, 1e11))
    display = PredictionMapDisplay([1.0, 2.0, 3.0], cells).plot()
    assert_allclose(display.mappable_.get_offsets(), [[0, 10], [5, 20], [8, 30]])


def test_masked_dots_are_grey_among_colours():
    cells = CellGrid([10.0, 20.0, 30.0], [0.0, 5.0, 8.0], areas=np.full(3, 1e11), mask=[True, False, True])
    dots = EmbeddingMapDisplay.from_embedding(np.eye(3), cells).mappable_
    assert_allclose(dots.get_facecolors()[1], [0.86, 0.86, 0.86, 1.0])
    assert (np.ptp(dots.get_facecolors()[[0, 2], :3], axis=1) > 0.1).all()


def test_embedding_as_colours(basis):
    display = EmbeddingMapDisplay.from_estimator(basis, ("shpca1", 0, 2), grid=BOX)
    assert display.names == ["component 1", "component 0", "component 2"]
    assert display.colors_.shape == (15, 20, 3)
    assert display.colors_.min() >= 0.0
    assert display.colors_.max() <= 1.0
    assert [text.get_text() for text in display.key_ax_.texts][::3] == display.names
    luminance = display.colors_ @ [0.2126, 0.7152, 0.0722]
    first = display.values[..., 0]
    assert np.corrcoef(np.argsort(np.argsort(luminance.ravel())), np.argsort(np.argsort(first.ravel())))[0, 1] > 0.8


def test_embedding_computed_elsewhere(basis):
    embedding = basis.transform(BOX)
    display = EmbeddingMapDisplay.from_embedding(embedding, BOX, 3)
    assert_allclose(display.values[..., 0].ravel(), embedding[:, 3])
    assert display.colorbar_.ax.get_xlabel() == "column 3"
    low, high = display.mappable_.get_clim()
    assert low == -high == -np.abs(embedding[:, 3]).max()
    with pytest.raises(ValueError, match=r"embedding has shape \(5, 8\): expected \(300, n_columns\), a row for each"):
        EmbeddingMapDisplay.from_embedding(embedding[:5], BOX)
    with pytest.raises(ValueError, match="for 2 names: expected one or three columns on the grid"):
        EmbeddingMapDisplay.from_estimator(basis, (0, 1), grid=BOX)


def test_spectrum_panels(basis):
    display = SpectrumDisplay.from_estimator(FrozenEstimator(basis))
    left, right = display.axes_
    assert_allclose(display.eigenvalues_.get_ydata(), basis.explained_variance_ / basis.explained_variance_[0])
    assert_allclose(display.cumulative_.get_ydata()[-1], 100 * basis.explained_variance_ratio_.sum())
    assert_allclose(display.shannon_line_.get_xdata(), basis.shannon_number_)
    assert (left.get_xlabel(), left.get_ylabel()) == ("number of components", "eigenvalue / largest")
    assert (right.get_xlabel(), right.get_ylabel()) == ("degree", "variance (%)")
    assert_allclose(display.power.sum(), basis.explained_variance_ratio_.sum())
    direct = [
        basis.explained_variance_ratio_ @ np.square(basis.components_[:, degree**2 : (degree + 1) ** 2]).sum(axis=1)
        for degree in range(9)
    ]
    assert_allclose([bar.get_height() for bar in display.bars_], 100 * np.array(direct[1:]))
    display.figure_.canvas.draw()
    above = right.child_axes[0]
    assert above.get_xlabel() == "half a wavelength (km)"
    assert_allclose(sorted(above.get_xlim()), np.pi * 6371.0088 / np.array(right.get_xlim()[::-1]))
    assert [text.get_text() for text in above.get_xticklabels()] == ["20\u202f000", "5\u202f000"]


def test_spectrum_with_a_prior_is_of_the_data():
    globe = SphericalHarmonicPCA(3, spectrum=[1.0, 4.0, 2.0, 1.0]).fit(GLOBE)
    expected = np.array([0, 3 * 4, 5 * 2, 7 * 1]) / 29
    assert_allclose(SpectrumDisplay.from_estimator(globe).power, expected, atol=1e-9)


def test_spectrum_kinds_and_refusals(basis):
    display = SpectrumDisplay.from_estimator(basis, ax=plt.subplots()[1])
    assert display.bars_ is None
    assert display.eigenvalues_ is not None
    display.plot(plt.subplots()[1], kind="degree")
    assert display.eigenvalues_ is None
    with pytest.raises(ValueError, match="ax is 3 Axes: expected None or 2 matplotlib Axes for kind='both'"):
        display.plot(plt.subplots(3)[1])
    with pytest.raises(ValueError, match="kind='all': expected 'both', 'component', 'degree' or None"):
        display.plot(kind="all")
    with pytest.raises(ValueError, match="expected a SphericalHarmonicPCA"):
        SpectrumDisplay.from_estimator(Ridge())


@pytest.mark.parametrize("descriptor", ["extent_lon", "area", "anisotropy", "pixel_scale", "cutoff_degree_lat"])
def test_patches_by_descriptor(descriptor):
    patches = GLOBE.patches((6, 12), as_frame=True)
    display = PatchDisplay.from_patches(patches, descriptor)
    scale = PatchScaleFeaturizer(log=False)
    column = scale.fit_transform(patches)[:, list(scale.fit(patches).get_feature_names_out()).index(descriptor)]
    unit = {"extent_lon": 1e3, "pixel_scale": 1e3, "area": 1e9}.get(descriptor, 1.0)
    assert_allclose(display.values, column / unit)
    assert display.label.endswith(
        {"area": "(1000 km²)", "extent_lon": "(km)", "pixel_scale": "(km)"}.get(descriptor, "")
    )
    assert display.colorbar_.ax.get_xlabel() == display.label
    assert len(display.patches_.get_paths()) == len(patches)  # 0 to 360 in twelfths: the seam is an edge
    assert_allclose(display.patches_.get_array(), display.values)


def test_thousands_of_degrees_have_no_unit():
    tiny = [[50, 50.001, 7, 7.001, 10, 10]]
    assert PatchDisplay.from_patches(tiny, "cutoff_degree_lon").label == "cutoff degree along the parallel"


def test_patches_across_the_antimeridian_have_two_pieces():
    display = PatchDisplay([[0, 10, 170, 190, 1, 1], [0, 10, 0, 20, 1, 1], [20, 30, -90, -70, 1, 1]], [1.0, 2.0, 3.0])
    assert_array_equal(display.plot(projection="equal_earth").patches_.get_array(), [1, 1, 2, 3])
    assert_array_equal(display.plot(projection="orthographic", center=(0, 180)).patches_.get_array(), [1.0])


def test_patches_by_estimator_values_and_outlines(basis):
    patches = BOX.patches((5, 5))
    encoder = PatchPositionEncoder(FrozenEstimator(basis)).fit(patches)
    display = PatchDisplay.from_estimator(encoder, patches, "shpca2")
    assert_allclose(display.values, encoder.transform(patches)[:, 2])
    low, high = display.patches_.norm.vmin, display.patches_.norm.vmax
    assert low == -high  # values on both sides of zero
    plain = PatchDisplay.from_patches(patches, None)
    assert plain.colorbar_ is None
    assert plain.patches_.get_array() is None
    wide = PatchDisplay(patches, np.geomspace(1, 1000, len(patches))).plot()
    assert type(wide.patches_.norm).__name__ == "LogNorm"


def test_patches_of_pixels():
    row, column = np.meshgrid(np.arange(20), np.arange(30), indexing="ij")
    stacks = CellGrid(48 + row / 10 + column / 40, 5 + column / 8 - row / 50).patches((10, 10))
    display = PatchDisplay.from_patches(stacks, "pixel_lon")
    assert len(display.patches_.get_paths()) == 6
    corner = display.patches_.get_paths()[0].vertices[0]
    assert_allclose(corner, [5, 48])


def test_patches_refuse():
    patches = BOX.patches((5, 5))
    with pytest.raises(ValueError, match="descriptor='size': expected None or one of extent_lon, extent_lat, area"):
        PatchDisplay.from_patches(patches, "size")
    with pytest.raises(ValueError, match=r"values has shape \(2,\) .*: expected \(12,\), one number for each patch"):
        PatchDisplay(patches, [1, 2]).plot()
    with pytest.raises(CoordinateError, match="X is a LatLonGrid: expected patches"):
        PatchDisplay(BOX).plot()


def test_predictions_on_a_grid(warmth):
    display = PredictionMapDisplay.from_estimator(warmth, GLOBE, target_name="temperature", unit="°C")
    assert_allclose(display.values.ravel(), warmth.predict(GLOBE.points()))
    assert display.colorbar_.ax.get_xlabel() == "temperature (°C)"
    assert display.mappable_.cmap.name == "viridis"
    assert_allclose(display.mappable_.get_clim(), (display.values.min(), display.values.max()))


def test_probabilities_classes_and_decisions(hemispheres):
    display = PredictionMapDisplay.from_estimator(hemispheres, GLOBE)
    assert_allclose(display.values.ravel(), hemispheres.predict_proba(GLOBE.points())[:, 1])
    assert display.label == "probability of True"
    assert display.mappable_.get_clim() == (0.0, 1.0)
    display = PredictionMapDisplay.from_estimator(hemispheres, GLOBE, response_method="predict")
    assert_array_equal(display.values.ravel(), hemispheres.predict(GLOBE.points()))
    assert [text.get_text() for text in display.legend_.get_texts()] == ["False", "True"]
    display = PredictionMapDisplay.from_estimator(hemispheres, GLOBE, response_method="decision_function")
    low, high = display.mappable_.get_clim()
    assert low == -high


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, (-10, 10)),
        ({"vmin": -5}, (-5, 5)),
        ({"vmax": 5}, (-5, 5)),
        ({"vmin": -5, "vmax": 7}, (-5, 7)),
        ({"vmin": 0}, (0, 10)),
    ],
)
def test_zero_is_white_whichever_limit_is_given(limits, expected):
    display = ResponseDisplay(np.linspace(-10, 10, 300).reshape(15, 20), BOX, [1.0, 1.0], signed=True).plot(**limits)
    assert display.mappable_.get_clim() == expected


def test_classes_by_name_where_centres_are_missing():
    latitude, longitude = np.meshgrid([10.0, 20.0, 30.0], [0.0, 5.0, 10.0], indexing="ij")
    latitude[1, 1] = np.nan
    third = np.array(["low", "mid", "top"])[np.arange(300) % 3]
    model = make_pipeline(Cartesian3DEncoder(), KNeighborsClassifier(1)).fit(POINTS, third)
    display = PredictionMapDisplay.from_estimator(model, CellGrid(latitude, longitude))
    assert np.isnan(display.values[1, 1])
    names = np.array(display.classes)[display.values[np.isfinite(latitude)].astype(int)]
    said = model.predict(np.column_stack([latitude.ravel(), longitude.ravel()])[np.isfinite(latitude.ravel())])
    assert_array_equal(names, said)


def test_cells_in_chunks(basis):
    dask = pytest.importorskip("dask.array")
    axes = np.meshgrid(np.arange(40.0, 50), np.arange(0.0, 10), indexing="ij")
    cells, chunked = CellGrid(*axes), CellGrid(*(dask.from_array(each, chunks=(4, 10)) for each in axes))
    display, expected = (BasisDisplay.from_estimator(basis, 1, grid=grid) for grid in (chunked, cells))
    assert_allclose(display.values, expected.values)


def test_residuals():
    true, predicted = np.array([1.0, 2.0, 3.0]), np.array([1.5, 1.0, 3.0])
    frame = pd.DataFrame({"lon": [5.0, 6, 7], "lat": [50.0, 51, 52]})
    display = PredictionMapDisplay.from_predictions(true, predicted, frame, target_name="rain", unit="mm")
    assert_allclose(display.values, true - predicted)
    assert display.colorbar_.ax.get_xlabel() == "residual of rain: true - predicted (mm)"
    low, high = display.mappable_.get_clim()
    assert_allclose((low, high), np.array([-1, 1]) * np.quantile([0.5, 1.0, 0.0], 0.98))
    assert display.colorbar_.extend == "max"
    assert_allclose(display.mappable_.get_offsets(), frame[["lon", "lat"]])


def test_residuals_of_an_estimator_and_of_classes(warmth):
    y = np.zeros(len(POINTS))
    display = PredictionMapDisplay.from_estimator(warmth, POINTS, y, kind="residual")
    assert_allclose(display.values, -warmth.predict(POINTS))
    display = PredictionMapDisplay.from_predictions(["a", "b"], ["a", "a"], [[0, 0], [1, 1]])
    assert_array_equal(display.values, [0, 1])
    assert display.classes == ["right", "wrong"]


@pytest.mark.parametrize("labels", [[False, True], [0, 1], ["south", "north"]])
def test_errors_of_a_classifier_are_right_or_wrong(labels):
    y = np.array(labels)[(POINTS[:, 0] > 0).astype(int)]
    model = make_pipeline(Cartesian3DEncoder(), LogisticRegression()).fit(POINTS, y)
    said = y.copy()
    said[:7] = labels[1]  # the first points are in the south
    display = PredictionMapDisplay.from_estimator(model, POINTS, said, kind="residual")
    assert_array_equal(display.values, said != model.predict(POINTS))
    assert display.values.sum() >= 7
    assert [text.get_text() for text in display.legend_.get_texts()] == ["right", "wrong"]
    with pytest.raises(ValueError, match=r"y has shape \(2,\): expected \(300,\), one value for each place"):
        PredictionMapDisplay.from_estimator(model, POINTS, labels, kind="residual")


def test_predictions_of_models_on_frames():
    frame = pd.DataFrame({"lon": POINTS[:, 1], "lat": POINTS[:, 0]})
    model = KNeighborsRegressor(1).fit(frame, POINTS[:, 0])
    display = PredictionMapDisplay.from_estimator(model, LatLonGrid([-40, 40], [10, 20, 30]))
    expected = model.predict(pd.DataFrame({"lon": [10.0, 20, 30] * 2, "lat": [-40.0] * 3 + [40.0] * 3}))
    assert_allclose(display.values.ravel(), expected)
    model = KNeighborsRegressor(1).fit(frame.assign(height=0.0), POINTS[:, 0])
    with pytest.raises(ValueError, match=r"fitted on the columns \['height'\] beside coordinates"):
        PredictionMapDisplay.from_estimator(model)
    display = PredictionMapDisplay.from_estimator(model, frame.assign(height=0.0))
    assert_allclose(display.values, POINTS[:, 0])


def test_missing_places_are_left_out():
    places = np.array([[0.0, 0], [np.nan, np.nan], [5, 5]])
    display = PredictionMapDisplay.from_predictions(None, [1.0, 2.0, 3.0], places, kind="prediction")
    assert len(display.mappable_.get_offsets()) == 2


def test_predictions_refuse(warmth, hemispheres):
    with pytest.raises(ValueError, match="kind='residual': expected X and y"):
        PredictionMapDisplay.from_estimator(warmth, kind="residual")
    with pytest.raises(ValueError, match="kind='error': expected 'prediction', 'std' or 'residual'"):
        PredictionMapDisplay.from_estimator(warmth, kind="error")
    with pytest.raises(ValueError, match="response_method='transform': expected 'auto', 'predict', "):
        PredictionMapDisplay.from_estimator(warmth, response_method="transform")
    with pytest.raises(ValueError, match="response_method='predict_proba': expected a method that Pipeline has"):
        PredictionMapDisplay.from_estimator(warmth, response_method="predict_proba")
    with pytest.raises(ValueError, match=r"y_pred has shape \(2,\): expected \(3,\), one value for each place"):
        PredictionMapDisplay.from_predictions([1, 2, 3], [1, 2], np.zeros((3, 2)))
    with pytest.raises(ValueError, match="y_true=None: expected the true values, for kind='residual'"):
        PredictionMapDisplay.from_predictions(None, [1, 2, 3], np.zeros((3, 2)))
    thirds = make_pipeline(Cartesian3DEncoder(), LogisticRegression()).fit(POINTS, np.arange(300) % 3)
    with pytest.raises(ValueError, match="predict_proba has 3 columns: a map shows one"):
        PredictionMapDisplay.from_estimator(thirds, GLOBE, response_method="predict_proba")
    with pytest.raises(ValueError, match="vmax='much': expected None or a number"):
        PredictionMapDisplay.from_estimator(hemispheres, GLOBE, vmax="much")


class Buffered:
    """Tests everything east of 0 degrees within 20 degrees, and leaves out 10 degrees around it."""

    def split(self, X, y=None, groups=None):
        longitude = np.mod(np.asarray(X)[:, 1] + 180, 360) - 180
        yield np.flatnonzero((longitude > 30) | (longitude < -10)), np.flatnonzero((longitude > 0) & (longitude < 20))


def test_folds_and_what_they_leave_out():
    display = FoldDisplay.from_splitter(Buffered(), POINTS, fold=0)
    longitude = POINTS[:, 1] - 360 * (POINTS[:, 1] > 180)
    counts = {name: len(dots.get_offsets()) for name, dots in display.points_.items()}
    tested = ((longitude > 0) & (longitude < 20)).sum()
    trained = ((longitude > 30) | (longitude < -10)).sum()
    assert counts == {"tested": tested, "trained on": trained, "left out": 300 - tested - trained}
    assert [text.get_text() for text in display.legend_.get_texts()] == list(counts)
    assert display.points_["left out"].get_facecolors().size == 0  # hollow
    display.plot()
    assert list(display.points_) == ["fold 0", "never tested"]


def test_folds_of_groups_and_of_frames():
    frame = pd.DataFrame({"price": np.arange(40.0), "lon": EUROPE[:, 1], "lat": EUROPE[:, 0]})
    groups = np.arange(40) // 10
    display = FoldDisplay.from_splitter(GroupKFold(4), frame, groups=groups)
    for fold, (_, test) in enumerate(GroupKFold(4).split(frame, groups=groups)):
        assert_array_equal(display.test_fold_[test], fold)
    colours = {tuple(dots.get_facecolors()[0]) for dots in display.points_.values()}
    assert len(colours) == 4


def test_coordinates_beside_x_go_to_splitters_by_place():
    table = np.random.default_rng(0).normal(size=(len(POINTS), 8))
    display = FoldDisplay.from_splitter(SphericalBlockKFold(5), table, coordinates=POINTS)
    assert_array_equal(display.test_fold_, SphericalBlockKFold(5).fold_labels(POINTS))


def test_many_folds_have_a_colour_bar():
    display = FoldDisplay.from_splitter(KFold(20), POINTS)
    assert display.legend_ is None
    assert display.points_["fold"].get_clim() == (0.0, 19.0)
    assert [ax.get_xlabel() for ax in display.figure_.axes][-1] == "fold that tests the sample"


def test_folds_refuse():
    with pytest.raises(ValueError, match=r"fold=3: expected None or the number of a fold, from 0 to 2"):
        FoldDisplay.from_splitter(KFold(3), EUROPE, fold=3)
    with pytest.raises(ValueError, match=r"splitter=5: expected an object with split\(X, y, groups\)"):
        FoldDisplay.from_splitter(5, EUROPE)
    with pytest.raises(ValueError, match=r"roles has shape \(2, 3\): expected \(n_folds, 40\)"):
        FoldDisplay(EUROPE, np.zeros((2, 3))).plot()
    with pytest.raises(CoordinateError, match="latitudes outside"):
        FoldDisplay.from_splitter(ShuffleSplit(2), EUROPE + np.array([60, 0]))


def test_similarity_is_the_cosine(basis):
    place = (45.0, 10.0)
    display = SimilarityDisplay.from_estimator(basis, place, grid=BOX)
    here, there = basis.transform([place])[0], basis.transform(BOX)
    expected = there @ here / np.linalg.norm(there, axis=1) / np.linalg.norm(here)
    assert_allclose(display.values.ravel(), expected)
    assert display.mappable_.get_clim() == (-1.0, 1.0)
    assert display.colorbar_.ax.get_xlabel() == "cosine similarity to 45°N, 10°E (star)"
    assert_allclose(display.marker_.get_offsets(), [[370.0, 45.0]])  # where this map of 350 to 390 has it
    again = SimilarityDisplay.from_embedding(there, BOX, 7)
    assert_allclose(again.place, (BOX.latitude[0], BOX.longitude[7]))
    assert_allclose(again.values.ravel()[7], 1.0)


def test_similarity_of_sparse_columns():
    sphere = make_pipeline(Cartesian3DEncoder(), FunctionTransformer(csr_array)).fit(POINTS)
    display = SimilarityDisplay.from_estimator(sphere, (0.0, 2.5), grid=GLOBE)
    assert_allclose(display.values, SimilarityDisplay.from_estimator(sphere[0], (0.0, 2.5), grid=GLOBE).values)


def test_masked_cells_do_not_set_the_range_of_similarities():
    values = np.where(BOX.latitude[:, np.newaxis] > 40, 0.5, -0.9) * np.linspace(1, 0.5, 20)
    masked = LatLonGrid(BOX.latitude, BOX.longitude, mask=values > 0)
    display = SimilarityDisplay(values, masked, (50, 10)).plot(vmin=None, vmax=None)
    assert display.mappable_.get_clim() == (-0.5, 0.5)
    assert display.colorbar_.extend == "neither"


def test_similarity_refuses(basis):
    with pytest.raises(ValueError, match=r"place=5: expected one \(latitude, longitude\) in degrees"):
        SimilarityDisplay.from_estimator(basis, 5)
    with pytest.raises(CoordinateError, match="latitudes outside"):
        SimilarityDisplay.from_estimator(basis, (100.0, 0.0))
    with pytest.raises(ValueError, match=r"values has shape \(2,\): expected that of the grid, \(15, 20\)"):
        SimilarityDisplay([1, 2], BOX, (0, 0)).plot()


def test_response_power_is_that_of_the_coefficients():
    rng = np.random.default_rng(0)
    model = make_pipeline(SphericalHarmonics(5, spectrum="matern"), Ridge(0.1)).fit(POINTS, rng.normal(size=300))
    display = ResponseDisplay.from_estimator(model, grid=GLOBE, unit="K", label="anomaly")
    columns = model[0].transform([[90.0, 0.0]])[0], SphericalHarmonics(5).fit(POINTS).transform([[90.0, 0.0]])[0]
    from skgeo import matern_spectrum

    coefficients = model[1].coef_ * np.sqrt(np.repeat(matern_spectrum(5), 2 * np.arange(6) + 1))
    assert_allclose(columns[0][0] / columns[1][0], np.sqrt(matern_spectrum(5)[0]))
    coefficients[0] += model[1].intercept_ * np.sqrt(4 * np.pi)
    expected = [np.sum(coefficients[d**2 : (d + 1) ** 2] ** 2) / (4 * np.pi) for d in range(6)]
    assert_allclose(display.power, expected, rtol=1e-9)
    assert_allclose(display.values.ravel(), model.predict(GLOBE.points()))
    assert display.power_ax_.get_ylabel() == "mean square (K)²"
    assert display.power_ax_.get_xlabel() == "degree"
    assert display.colorbar_.ax.get_xlabel() == "anomaly (K)"
    assert_allclose(display.line_.get_ydata(), expected[1:])


def test_response_of_a_classifier_and_of_a_clipped_basis(hemispheres, basis):
    display = ResponseDisplay.from_estimator(hemispheres, grid=GLOBE, max_degree=3)
    assert_allclose(display.values.ravel(), hemispheres.decision_function(GLOBE.points()))
    assert display.signed
    assert_allclose(display.power[2:], 0.0, atol=1e-12)  # x, y and z have degree 1
    model = make_pipeline(FrozenEstimator(basis), Ridge()).fit(EUROPE, EUROPE[:, 0])
    assert ResponseDisplay.from_estimator(model, grid=BOX).power.shape == (9,)
    axes = plt.subplots(2)[1]
    display.plot(axes)
    assert display.power_ax_ is axes[1]
    with pytest.raises(ValueError, match="expected None, one matplotlib Axes for the map, or two"):
        display.plot(plt.subplots(3)[1])
    with pytest.raises(ValueError, match="The model has 2 outputs: expected one"):
        ResponseDisplay.from_estimator(make_pipeline(Cartesian3DEncoder(), Ridge()).fit(POINTS, POINTS))
    with pytest.raises(ValueError, match="max_degree=0: expected an integer, at least 1"):
        ResponseDisplay.from_estimator(hemispheres, max_degree=0)


def test_leakage_lines():
    report = SimpleNamespace(
        block_size_km=[100, 300, 1000], scores=[[0.9, 0.8], [0.7, np.nan], [0.5, 0.3]], random_scores=[0.9, 1.0]
    )
    display = LeakageDisplay.from_report(report, score_name="accuracy")
    assert_allclose(display.line_.get_ydata(), [0.85, 0.7, 0.4])
    assert_allclose(display.line_.get_xdata(), report.block_size_km)
    assert_allclose(display.random_line_.get_ydata(), 0.95)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("size of the blocks (km)", "accuracy")
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["100", "300", "1000"]
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["blocks held out", "random folds"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block_size_km": [300, 100]}, r"block_size_km=\[300.0, 100.0\]: expected positive, rising sizes"),
        ({"block_size_km": [0, 100]}, "expected positive, rising sizes"),
        ({"scores": [0.1, 0.2]}, r"scores has shape \(2,\): expected \(2, n_splits\), a row for each size"),
        ({"random_scores": [np.nan]}, r"random_scores has shape \(1,\): expected \(n_splits,\), some of them finite"),
    ],
)
def test_leakage_refuses(change, message):
    arrays = {"block_size_km": [100, 300], "scores": [[0.5], [0.4]], "random_scores": [0.6], **change}
    with pytest.raises(ValueError, match=message):
        LeakageDisplay(**arrays).plot()


def test_leakage_refuses_reports():
    with pytest.raises(AttributeError, match="report, a SimpleNamespace, has no scores, random_scores"):
        LeakageDisplay.from_report(SimpleNamespace(block_size_km=[1]))


def test_axes_of_cartopy_keep_their_projection(basis):
    crs = pytest.importorskip("cartopy.crs")
    figure, ax = plt.subplots(subplot_kw={"projection": crs.Robinson(central_longitude=-160)})
    display = BasisDisplay.from_estimator(basis, 1, grid=GLOBE, ax=ax)
    figure.canvas.draw()
    corners = display.mappables_[0].get_coordinates()
    assert_allclose(np.nanmax(corners[..., 0]), ax.get_xlim()[1], rtol=1e-3)
    figure, ax = plt.subplots(subplot_kw={"projection": crs.LambertConformal(10, 50)})
    PatchDisplay.from_patches(BOX.patches((5, 5)), ax=ax)
    figure.canvas.draw()


# Places: grids, names of columns, radians


@pytest.fixture(scope="module")
def dataset():
    xarray = pytest.importorskip("xarray")
    return xarray.Dataset(coords={"lat": BOX.latitude, "lon": BOX.longitude})


def test_grid_is_taken_by_every_display_that_evaluates_on_a_map(dataset, basis, warmth):
    for make, model in (
        (lambda model, **kwargs: BasisDisplay.from_estimator(model, [0], **kwargs), basis),
        (lambda model, **kwargs: EmbeddingMapDisplay.from_estimator(model, 0, **kwargs), basis),
        (lambda model, **kwargs: SimilarityDisplay.from_estimator(model, (45.0, 10.0), **kwargs), basis),
        (ResponseDisplay.from_estimator, warmth),
        (PredictionMapDisplay.from_estimator, warmth),
    ):
        cells = CellGrid(*np.meshgrid(BOX.latitude, BOX.longitude, indexing="ij"), areas=np.full(BOX.shape, 1e10))
        expected = np.squeeze(make(model, grid=BOX).values)
        for grid in (cells, dataset):
            assert_allclose(np.squeeze(make(model, grid=grid).values), expected, atol=1e-9)
        with pytest.raises(
            ValueError, match="grid='here': expected None, a LatLonGrid, a CellGrid or an xarray object"
        ):
            make(model, grid="here")
        plt.close("all")


def test_grids_of_predictions(dataset, warmth):
    values = warmth.predict(BOX.points())
    for kwargs in ({"grid": BOX}, {"grid": dataset}, {"coordinates": BOX}, {"coordinates": dataset}):
        display = PredictionMapDisplay.from_predictions(None, values, **kwargs, kind="prediction")
        assert display.mappable_.get_array().shape == BOX.shape
    assert_allclose(PredictionMapDisplay.from_estimator(warmth, dataset).values.ravel(), values)
    assert PredictionMapDisplay(values, dataset).plot().mappable_.get_array().shape == BOX.shape
    assert BasisDisplay(values.reshape(*BOX.shape, 1), dataset, ["one"]).plot().grid.shape == BOX.shape


def test_places_that_are_given_twice_or_not_at_all(warmth):
    with pytest.raises(ValueError, match=r"X has \d+ rows and grid \d+ cells: expected one row for each cell"):
        PredictionMapDisplay.from_estimator(warmth, POINTS[:7], grid=BOX)
    with pytest.raises(ValueError, match="X and grid are two grids: expected one of them"):
        PredictionMapDisplay.from_estimator(warmth, BOX, grid=BOX)
    with pytest.raises(
        ValueError, match="coordinates are given without samples: expected X beside them, or grid= alone"
    ):
        PredictionMapDisplay.from_estimator(warmth, coordinates=POINTS)
    for kwargs in ({}, {"coordinates": POINTS, "grid": BOX}):
        with pytest.raises(ValueError, match="coordinates and grid: expected one of them, the places of y_pred"):
            PredictionMapDisplay.from_predictions(None, [1.0], **kwargs)


NAMES = ("phi", "lambda")
NAMED = pd.DataFrame({"year": 2020.0, "lambda": POINTS[:, 1], "phi": POINTS[:, 0]})


def test_names_of_columns_of_predictions(hemispheres):
    model = make_pipeline(make_column_transformer((Cartesian3DEncoder(coordinates=NAMES), list(NAMES))), Ridge())
    model.fit(NAMED, POINTS[:, 0])
    display = PredictionMapDisplay.from_estimator(model, NAMED, coordinates=NAMES)
    assert_allclose(display.places, POINTS)
    assert_allclose(display.values, model.predict(NAMED))
    residuals = PredictionMapDisplay.from_estimator(model, NAMED, POINTS[:, 0], coordinates=NAMES, kind="residual")
    assert_allclose(residuals.values, POINTS[:, 0] - model.predict(NAMED))
    assert_allclose(residuals.places, POINTS)
    bare = KNeighborsRegressor(1).fit(NAMED[["lambda", "phi"]], POINTS[:, 0])
    found = PredictionMapDisplay.from_estimator(bare, grid=BOX, coordinates=NAMES).values
    asked = pd.DataFrame({"lambda": BOX.points()[:, 1], "phi": BOX.points()[:, 0]})
    assert_allclose(found.ravel(), bare.predict(asked))
    with pytest.raises(
        ValueError, match=r"fitted on the columns \['lambda', 'phi'\]: which are latitude and longitude\?"
    ):
        PredictionMapDisplay.from_estimator(bare, grid=BOX)


def test_maps_of_models_on_frames_know_the_order_of_columns():
    frame = pd.DataFrame({"lon": EUROPE[:, 1], "lat": EUROPE[:, 0]})  # an array would be read in this order
    cells = CellGrid(*np.meshgrid(BOX.latitude, BOX.longitude, indexing="ij"), areas=np.full(BOX.shape, 1e10))
    plain = Cartesian3DEncoder().fit(EUROPE)
    for encoder in (
        Cartesian3DEncoder().fit(frame),
        make_pipeline(Cartesian3DEncoder()).fit(frame),
        Cartesian3DEncoder(coordinates=NAMES).fit(frame.set_axis(["lambda", "phi"], axis=1)),
    ):
        for grid in (BOX, cells):
            found = SimilarityDisplay.from_estimator(encoder, (45.0, 10.0), grid=grid)
            assert_allclose(found.values, SimilarityDisplay.from_estimator(plain, (45.0, 10.0), grid=grid).values)
            found = BasisDisplay.from_estimator(encoder, [2], grid=grid)
            assert_allclose(found.values[..., 0], np.broadcast_to(np.sin(np.radians(BOX.latitude))[:, None], BOX.shape))
            plt.close("all")


@pytest.mark.parametrize("kwargs", [{}, {"coordinates": NAMES}, {"coordinates": POINTS}, {"groups": POINTS}])
def test_folds_of_splitters_that_know_names(kwargs):
    names = NAMES if not kwargs else None
    display = FoldDisplay.from_splitter(SphericalBlockKFold(4, coordinates=names), NAMED, **kwargs)
    assert_array_equal(display.test_fold_, SphericalBlockKFold(4).fold_labels(POINTS))
    assert_allclose(display.coordinates, POINTS)


def test_folds_of_names_grids_and_classes(dataset):
    assert FoldDisplay.from_splitter(KFold(4), NAMED, coordinates=NAMES).test_fold_.tolist() == [0] * 75 + [1] * 75 + (
        [2] * 75 + [3] * 75
    )
    expected = SphericalBlockKFold(3).fold_labels(BOX)
    for grid in (BOX, dataset):
        assert_array_equal(FoldDisplay.from_splitter(SphericalBlockKFold(3), grid).test_fold_, expected)
    cv, north = SphericalBlockKFold(3, stratify=True), POINTS[:, 0] > 0
    assert_array_equal(FoldDisplay.from_splitter(cv, POINTS, north).test_fold_, cv.fold_labels(POINTS, y=north))


def test_folds_of_iterables():
    splits = list(KFold(3).split(EUROPE))
    masks = [tuple(np.isin(np.arange(40), rows) for rows in split) for split in splits]
    for each in (splits, tuple(splits), iter(splits), KFold(3).split(EUROPE), masks, [([0], []), ([], range(40))]):
        display = FoldDisplay.from_splitter(each, EUROPE)
        assert display.roles.shape[1] == 40
    expected = FoldDisplay.from_splitter(KFold(3), EUROPE).roles
    for each in (splits, masks, KFold(3).split(EUROPE)):
        assert_array_equal(FoldDisplay.from_splitter(each, EUROPE).roles, expected)


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        ([], r"splitter=\[\]: expected an object with split\(X, y, groups\), or an iterable of \(train, test\) pairs"),
        ("kfold", "splitter=.*: expected an object with split"),
        (EUROPE, r"splitter=\[array.*\.\.\..*\]: expected an object with split"),
        ([([0, 1], [2], [3])], r"splitter=\[\(\[0, 1\], \[2\], \[3\]\)\]: expected an object with"),
        (
            [([0], [1]), ([0, 1], [40])],
            r"splitter: split 1 has rows array\(\[40\]\): expected row numbers from 0 to 39",
        ),
        ([([0.5], [1])], "splitter: split 0 has rows array"),
        ([([-1], [1])], "splitter: split 0 has rows array"),
    ],
)
def test_iterables_that_are_no_splits(splitter, message):
    with pytest.raises(ValueError, match=message) as caught:
        FoldDisplay.from_splitter(splitter, EUROPE)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("cv", [KFold(3), SphericalBlockKFold(3)], ids=lambda cv: type(cv).__name__)
def test_radians_on_maps_are_warned_of_once(cv):
    radians = np.radians(np.column_stack([POINTS[:, 0], (POINTS[:, 1] + 180) % 360 - 180]))
    with pytest.warns(CoordinateWarning, match="is it in radians") as caught:
        FoldDisplay.from_splitter(cv, radians)
    assert len(caught) == 1
    with pytest.warns(CoordinateWarning, match="is it in radians") as caught:
        PredictionMapDisplay.from_predictions(None, radians[:, 0], radians, kind="prediction")
    assert len(caught) == 1


def test_several_metrics_have_a_panel_each():
    y = POINTS[:, 0] > 10
    model = make_pipeline(SphericalHarmonics(3), LogisticRegression())
    report = leakage_report(model, POINTS, y, scoring=["roc_auc", "accuracy"], block_sizes_km=[2000, 4000])
    display = LeakageDisplay.from_report(report)
    assert [ax.get_ylabel() for ax in display.ax_] == ["roc_auc", "accuracy"]
    for number, line in enumerate(display.line_):
        assert_allclose(line.get_ydata(), report.mean[:, number])
        assert_allclose(display.random_line_[number].get_ydata(), report.random_mean[number])
        assert len(display.points_[number].get_offsets()) == 10
    one = LeakageDisplay.from_report(report["accuracy"])
    assert one.ax_.get_ylabel() == "accuracy"
    assert_allclose(one.line_.get_ydata(), report["accuracy"].mean)
    axes = plt.subplots(1, 2)[1]
    assert LeakageDisplay.from_report(report, score_name=["AUC", "share"], ax=axes).ax_[1].get_ylabel() == "share"
    with pytest.raises(ValueError, match="score_name='AUC': expected 2 names, one for each metric"):
        LeakageDisplay.from_report(report, score_name="AUC")
    with pytest.raises(
        ValueError, match=r"random_scores has shape \(5,\): expected \(n_splits, 2\), some of them finite"
    ):
        LeakageDisplay(report.block_size_km, report.scores, report.random_scores[:, 0], score_name=["a", "b"]).plot()
    with pytest.raises(ValueError, match="expected None or 2 matplotlib Axes, one for each panel"):
        LeakageDisplay.from_report(report, ax=axes[:1])
