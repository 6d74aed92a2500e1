import itertools
import json
import os
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import reference
import skgeo
from paths import ROOT, SHARED_DATA, needs_shared_data
from processes import SLOW_MACHINE, run_script
from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.datasets import load_land_mask

EARTH_RADIUS = 6_371_008.8
EARTH_AREA = 4 * np.pi * EARTH_RADIUS**2
RUN_WITHOUT_EXTRAS = """
import runpy, sys
class Extras:
    def find_spec(name, path, target=None):
        if name in {"torch", "pandas", "polars", "xarray", "matplotlib"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Extras)
runpy.run_path(sys.argv.pop(), run_name="__main__")
"""


def run(*command, folder, warnings="error"):
    """Standard output of a Python command that succeeds."""
    environment = os.environ | {"PYTHONWARNINGS": warnings}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pixel_mean(embed, south, north, west, east, n_lat, n_lon):
    """The mean of an embedding over the pixels of a patch, each weighted by its exact area."""
    edges = np.linspace(south, north, int(n_lat) + 1)
    latitude = (edges[1:] + edges[:-1]) / 2
    longitude = west + (np.arange(n_lon) + 0.5) * (east - west) / n_lon
    points = np.stack(np.meshgrid(latitude, longitude, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.average(embed(points), axis=0, weights=np.repeat(np.diff(np.sin(np.radians(edges))), int(n_lon)))


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """What the quickstart says, and the file that it saves."""
    folder = tmp_path_factory.mktemp("quickstart")
    script = str(ROOT / "examples" / "quickstart.py")
    return run("-c", RUN_WITHOUT_EXTRAS, script, folder=folder), folder / "features.npz"


def test_quickstart_says_what_it_did(quickstart):
    said, saved = quickstart
    land = load_land_mask()
    sea = 1 - np.diff(np.sin(np.radians(np.linspace(-90, 90, 361)))) / 2 @ land.fraction.mean(axis=1)
    assert f"{sea * EARTH_AREA / 1e6:,.0f} km^2, {sea:.1%} of the Earth" in said
    assert f"Shannon number {121 * sea:.1f}" in said
    assert "96 components kept" in said
    assert "a second process loaded the file and computed the same features, bit for bit" in said
    assert saved.stat().st_size < 200_000


def test_quickstart_saves_pixel_means_and_sizes(quickstart):
    features = skgeo.load(quickstart[1])
    patch = np.array([[10.0, 18.0, 172.0, 180.0, 16, 16]])
    (position, basis), (scale, _) = ((name, step) for name, step in features.transformer_list)
    basis = basis.encoder.estimator

    def embed(points):
        centred = reference.harmonics(*points.T, 10) - basis.mean_
        return 3 * np.tanh(centred @ basis.components_.T / basis.scale_ / 3)

    (row,) = features.transform(patch)
    names = features.get_feature_names_out()
    assert names[0] == f"{position}__shpca0"
    np.testing.assert_allclose(row[:96], pixel_mean(embed, *patch[0]), rtol=0, atol=1e-12)
    area = EARTH_RADIUS**2 * np.radians(8) * (np.sin(np.radians(18)) - np.sin(np.radians(10)))
    assert row[names == f"{scale}__log_area"] == pytest.approx(np.log(area), rel=1e-14)


def netcdf_patches(*options, folder, warnings="error", runner=run_script):
    """What the NetCDF example writes."""
    runner(ROOT / "examples" / "netcdf_patches.py", *options, "--out", "out.nc", folder=folder, warnings=warnings)
    with xr.open_dataset(folder / "out.nc") as written:
        return written.load()


def areas(patches):
    """Areas of patches in square metres."""
    heights = np.sin(np.radians(patches.north)) - np.sin(np.radians(patches.south))
    return EARTH_RADIUS**2 * heights * np.radians(patches.east - patches.west)


def test_netcdf_example_runs_on_a_file_of_its_own(tmp_path):
    written = netcdf_patches(folder=tmp_path, runner=run)
    assert written.features.dims == ("patch", "feature")
    assert written.sizes == {"patch": 25, "feature": 120 + 10}
    assert written.attrs["domain"] == "where sst is never missing"
    assert written.attrs["domain_area_km2"] == pytest.approx(0.711 * EARTH_AREA / 1e6, rel=0.01)
    np.testing.assert_allclose(written.features.sel(feature="log_area"), np.log(areas(written)), rtol=1e-14)
    np.testing.assert_array_equal(written.west, -1.25 + 2.5 * written.column)


def test_netcdf_example_agrees_with_brute_force(tmp_path):
    # axes known by standard name and by units only, north first, across the antimeridian
    latitude, longitude = np.arange(58.5, -12, -3.0), np.arange(151.0, 240, 2.0)
    temperature = np.random.default_rng(0).normal(size=(3, latitude.size, longitude.size))
    temperature[1, :9, :20] = np.nan
    temperature[2, 20, 30] = np.nan
    axes = {
        "phi": ("j", latitude, {"standard_name": "latitude"}),
        "lam": ("i", longitude, {"units": "degree_east"}),
    }
    file = xr.Dataset({"t": (("time", "j", "i"), temperature)}, axes)
    file.to_netcdf(tmp_path / "in.nc", format="NETCDF3_64BIT", engine="netcdf4")
    written = netcdf_patches(
        *("in.nc", "--mask", "t", "--patch-size", 8, "--max-degree", 4, "--n-components", 9), folder=tmp_path
    )

    # of 3 x 5 whole patches the first two are all missing, and of the third the western half
    assert list(zip(written.row.values, written.column.values, strict=True)) == [
        (8 * i, 8 * j) for i in range(3) for j in range(5) if (i, j) not in {(0, 0), (0, 1)}
    ]
    np.testing.assert_allclose(written.north, latitude[written.row] + 1.5)
    np.testing.assert_allclose(written.south, latitude[written.row] + 1.5 - 24)
    np.testing.assert_allclose(written.west, longitude[written.column] - 1)
    np.testing.assert_allclose(written.east, longitude[written.column] + 15)

    mask = ~np.isnan(temperature).any(axis=0)
    basis = SphericalHarmonicPCA(max_degree=4, n_components=9).fit(LatLonGrid(latitude, longitude, mask=mask))
    for patch in (0, 5, -1):
        place = written.isel(patch=patch)
        edges = [float(place[name]) for name in ("south", "north", "west", "east", "n_lat", "n_lon")]
        np.testing.assert_allclose(place.features[:9], pixel_mean(basis.transform, *edges), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        written.features.sel(feature="log_extent_lat"), np.log(EARTH_RADIUS * np.radians(24)), rtol=1e-14
    )
    assert written.unit.sel(feature=["shpca8", "log_extent_lat", "log_area"]).values.tolist() == [
        "1",
        "ln(re 1 m)",
        "ln(re 1 m2)",
    ]
    assert written.attrs["source"] == "grid of in.nc"
    assert written.attrs["skgeo_version"] == skgeo.__version__
    assert [written.attrs[name] for name in ("patch_size", "n_components")] == [8, 9]
    (_, position), (_, scale) = json.loads(written.attrs["estimator_parameters"])["transformer_list"]
    frozen = position["PatchPositionEncoder"]["encoder"]["FrozenEstimator"]["estimator"]
    assert frozen["SphericalHarmonicPCA"]["max_degree"] == 4
    assert scale["PatchScaleFeaturizer"]["earth_radius"] == EARTH_RADIUS


@pytest.mark.parametrize(
    ("latitudes", "options", "message"),
    [
        (["lat", "latitude"], [], r"More than one latitude: ['lat', 'latitude']"),
        (["y"], [], r"The coordinates ['y'] may be projected"),
        (["lat"], ["--mask", "sst"], r"--mask sst: the file has the variables ['t']"),
    ],
)
def test_netcdf_example_says_what_is_wrong_with_a_file(latitudes, options, message, tmp_path):
    coordinates = {name: ("j", [0.0, 1.0]) for name in latitudes} | {"lon": ("i", [0.0, 1.0, 2.0])}
    xr.Dataset({"t": (("j", "i"), np.ones((2, 3)))}, coordinates).to_netcdf(tmp_path / "in.nc", engine="netcdf4")
    with pytest.raises((SystemExit, skgeo.exceptions.CoordinateError), match=re.escape(message)):
        netcdf_patches("in.nc", *options, folder=tmp_path)


@needs_shared_data
def test_netcdf_example_on_a_reanalysis_with_pole_rows(tmp_path):
    # the file's own attributes make xarray warn
    written = netcdf_patches(SHARED_DATA / "eraint_uvz.nc", folder=tmp_path, warnings="ignore")
    assert written.sizes == {"patch": 15 * 30, "feature": 130}
    first = [float(written[name][0]) for name in ("south", "north", "west", "east", "n_lat", "n_lon")]
    assert first == [90 - 15.5 * 0.75, 90, -180.375, -180.375 + 16 * 0.75, 16, 16]
    # all but the southern pole row, which begins half a spacing from the pole
    share = (1 + np.sin(np.radians(89.625))) / 2
    assert np.exp(written.features.sel(feature="log_area")).sum() == pytest.approx(share * EARTH_AREA, rel=1e-12)


@needs_shared_data
def test_netcdf_example_on_a_sea_surface_temperature(tmp_path):
    file = SHARED_DATA / "ostia_monthly.nc"
    written = netcdf_patches(file, "--mask", "surface_temperature", "--patch-size", 6, folder=tmp_path)
    with xr.open_dataset(file) as dataset:
        missing = dataset.surface_temperature.isnull().any("time").to_numpy()
    for row, column in zip(written.row.values, written.column.values, strict=True):
        assert missing[row : row + 6, column : column + 6].mean() < 0.51  # by area: at most 0.5
    assert written.sizes["patch"] > 100
    assert np.abs(written.features[:, :-10]).max() <= 3


def test_the_picture_is_small_and_white_at_the_corners(tmp_path):
    run_script(ROOT / "scripts" / "draw_basis.py", "--out", tmp_path / "basis.png", folder=tmp_path)
    with Image.open(tmp_path / "basis.png") as picture:
        assert picture.width == 1750
        right, bottom = picture.width - 1, picture.height - 1
        assert {picture.convert("RGB").getpixel((x, y)) for x in (0, right) for y in (0, bottom)} == {(255, 255, 255)}
    assert (tmp_path / "basis.png").stat().st_size < 400_000


def numbers(pattern, said):
    return [float(number.replace(",", "")) for number in re.findall(pattern, said)]


def test_dask_example_agrees_with_memory_in_flat_memory(tmp_path):
    warnings = f"error,{SLOW_MACHINE}"
    said = run(ROOT / "examples" / "dask_land_mask.py", "--finer", "5", folder=tmp_path, warnings=warnings)
    assert "100% Completed" in said
    assert "LatLonGrid(1800 x 3600" in said
    (difference,) = numbers(r"from the fit in memory: (\S+)", said)
    assert difference < 1e-10
    before, peak = numbers(r"(\d+) MB", said)
    assert peak - before < 100  # the harmonics of all cells would take 23 GB
    assert "{'latitude': 250, 'longitude': 400, 'feature': 100}" in said


@pytest.mark.torch
def test_field_transformer_explains_fields_here_and_elsewhere(tmp_path):
    said = run(ROOT / "examples" / "field_transformer.py", "--steps", "60", folder=tmp_path)
    assert "48 fields of 990 patches of 16 pixels" in said
    here, elsewhere = numbers(r"(\S+)% of the hidden variance", said)
    assert here > 25  # 61 after all steps
    assert elsewhere > 20
    assert {file.name for file in tmp_path.glob("*.safetensors")} == {"bias.safetensors", "head.safetensors"}


def test_swath_example_writes_labelled_features(tmp_path):
    said = run(ROOT / "examples" / "swath_patches.py", folder=tmp_path)
    with xr.open_dataset(tmp_path / "swath_features.nc") as table:
        table.load()
    assert f"{table.sizes['patch']} patches of 32 x 32 pixels" in said
    assert table.features.notnull().all()
    assert dict(table.latitude.sizes) == {"patch": table.sizes["patch"], "y": 32, "x": 32}
    across, along = (
        np.exp(table.features.sel(feature=f"patchscalefeaturizer__log_extent_{axis}")) / 1000 for axis in ("lon", "lat")
    )
    # 120 degrees of orbit in 1200 lines; 110 degrees of look in 256 pixels, which are wider at the edge.
    np.testing.assert_allclose(along, 32 * np.radians(120 / 1199) * EARTH_RADIUS / 1000, rtol=0.03)
    assert across.max() > 2.5 * across.min()


def test_tables_example_says_the_same_for_every_library(tmp_path):
    said = run(ROOT / "examples" / "tables.py", folder=tmp_path)
    (rooms,) = numbers(r"rooms alone: (\S+)", said)
    scores = numbers(r"with places, \w+: (\S+)", said)
    assert len(scores) == 3
    assert len(set(scores)) == 1
    assert scores[0] > 0.8 > 0.4 > rooms


def test_kriging_example_shows_where_each_model_wins(tmp_path):
    said = run(ROOT / "examples" / "kriging.py", folder=tmp_path)
    rows = re.findall(
        r"^(kriging|default|harmonics)\D+(?:20, skgeo)? +(\d+) +(\S+) +(\S+) +(\S+) (\S+)$", said, re.MULTILINE
    )
    error = {(name, int(n)): (float(smooth), float(rough)) for name, n, _, _, smooth, rough in rows}
    memory = {(name, int(n)): float(megabytes) for name, n, _, megabytes, _, _ in rows}
    # The default is as good as kriging. Harmonics are so on the smooth field only.
    for n, field in itertools.product((100, 400), (0, 1)):
        assert error["default", n][field] < 1.1 * error["kriging", n][field]
    assert error["harmonics", 400][0] < 1.1 * error["kriging", 400][0]
    assert error["harmonics", 1600][1] > 1.2 * error["default", 1600][1]
    assert error["default", 1600][1] < 0.7 * error["kriging", 400][1]
    # The memory of neighbours grows with the number of points, that of kriging with its square.
    assert memory["default", 1600] < memory["kriging", 400]
    with Image.open(tmp_path / "kriging.png") as picture:
        assert picture.size == (1800, 540)


@pytest.mark.torch
def test_contrastive_example_finds_places_and_saves_model(tmp_path):
    said = run(ROOT / "examples" / "contrastive.py", "--file", "nowhere.nc", folder=tmp_path)
    assert "3000 places with images of 50 pixels, from a synthetic field" in said
    (times_chance,) = numbers(r"(\d+) x chance", said)
    assert times_chance >= 20
    (explained,) = numbers(r"not in the images: (\S+)", said)
    assert explained > 0.2
    model = skgeo.load(tmp_path / "places.npz")
    assert times_chance == round(model.retrieval_["image_to_place"][0] / model.retrieval_["chance"][0])


@needs_shared_data
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::xarray.SerializationWarning")  # of an attribute of the file
def test_contrastive_example_reads_a_reanalysis():
    fields = runpy.run_path(str(ROOT / "examples" / "contrastive.py"))["read"](SHARED_DATA / "eraint_uvz.nc")
    with xr.open_dataset(SHARED_DATA / "eraint_uvz.nc") as data:
        for name, values in fields.items():
            np.testing.assert_allclose(values, data[name].isel(month=0, level=1), rtol=1e-6)
