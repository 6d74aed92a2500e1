"""GeoCLIP: an independent evaluation in float64, the published package where it is, and files that are wrong."""

import json
import os
import struct
import sys
import zipfile
from types import ModuleType
from unittest import mock

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import reference
import skgeo
from estimators import geoclip_arrays
from skgeo import LatLonGrid, PatchPositionEncoder
from skgeo.exceptions import ModelFileError
from skgeo.nn import GeoCLIPWeights, PretrainedEncoder, load, load_geoclip, save

PLACES = np.vstack([reference.uniform_points(40, seed=3), [[90.0, 0.0], [-90.0, 12.0], [0.0, 0.0], [0.0, -180.0]]])
MEMBER = "geoclip/model/weights/location_encoder_weights.pth"
WHEEL = os.environ.get("GEOCLIP_WHEEL", "")


def equal_earth(points):
    """The projection of Savric, Patterson and Jenny (2019), equations 1 to 3: x is a quotient of derivatives."""
    latitude, longitude = np.radians(points).T
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(latitude))
    polynomial = np.polynomial.Polynomial([0, 1.340264, 0, -0.081106, 0, 0, 0, 0.000893, 0, 0.003796])
    x = 2 * np.sqrt(3) * longitude * np.cos(theta) / (3 * polynomial.deriv()(theta))
    return np.column_stack([x, polynomial(theta)])


def plain_evaluation(arrays, points):
    """The published network with numpy in float64, capsule by capsule."""
    map_places = equal_earth(points) * 66.50336 / 180
    total = 0.0
    for i in range(len(arrays) // 9):
        of = {
            name.partition(".")[2]: values.astype(np.float64)
            for name, values in arrays.items()
            if f"LocEnc{i}." in name
        }
        angles = 2 * np.pi * map_places @ of["capsule.0.b"].T
        values = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        for layer in ("capsule.1", "capsule.3", "capsule.5"):
            values = np.maximum(values @ of[f"{layer}.weight"].T + of[f"{layer}.bias"], 0)
        total = total + values @ of["head.0.weight"].T + of["head.0.bias"]
    return total


def tensors_of(arrays, prefix=""):
    return {prefix + name: torch.tensor(values) for name, values in arrays.items()}


def write_wheel(path, arrays, member=MEMBER):
    """A wheel that holds the weights, and code that must not run."""
    torch.save(tensors_of(arrays), path.with_suffix(".pth"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("geoclip/__init__.py", "raise SystemExit")
        archive.write(path.with_suffix(".pth"), member)
        archive.writestr("geoclip-1.3.0.dist-info/WHEEL", "Wheel-Version: 1.0")
    return path


def write_release(folder, arrays, prefix="", **config):
    folder.mkdir(exist_ok=True)
    safetensors.torch.save_file(tensors_of(arrays, prefix), folder / "model.safetensors")
    settings = {"model_type": "geoclip-location-encoder", "format_version": 1, "sigma": [1, 16, 256]}
    (folder / "config.json").write_text(json.dumps(settings | config))
    return folder


@pytest.fixture(scope="module")
def arrays():
    return geoclip_arrays(3, 6, 10, 8)


@pytest.fixture(scope="module")
def pth(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("geoclip") / "location_encoder_weights.pth"
    torch.save(tensors_of(arrays), path)
    return path


@pytest.fixture
def encoder(pth):
    return load_geoclip(pth)


# ---- the numbers


def test_projection_has_equal_areas_and_known_points():
    # The poles are lines of half the length of the equator times a constant; the map area is that of the sphere.
    corners = equal_earth(np.array([[0.0, 180.0], [90.0, 0.0], [90.0, 180.0]]))
    latitude = np.degrees(np.arcsin(np.linspace(-1, 1, 20_001)))
    edge = equal_earth(np.column_stack([latitude, np.full(latitude.size, 180.0)]))
    area = 2 * np.trapezoid(edge[:, 0], edge[:, 1])
    assert area == pytest.approx(4 * np.pi, rel=1e-6)
    assert corners[0, 1] == 0
    assert corners[1, 0] == 0


def test_float64_is_that_of_plain_evaluation(encoder, arrays):
    assert repr(encoder.model) == "GeoCLIPWeights(n_capsules=3, n_frequencies=6, hidden_dim=10, n_outputs=8)"
    assert all(values.dtype == np.float32 for values in encoder.model.arrays.values())
    got = encoder.transform(PLACES)
    assert got.dtype == np.float64
    assert_allclose(got, plain_evaluation(arrays, PLACES), rtol=0, atol=1e-10)


@pytest.mark.skipif(not WHEEL, reason="GEOCLIP_WHEEL does not name geoclip-1.3.0-py3-none-any.whl")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_published_package_gives_the_same(tmp_path):
    with zipfile.ZipFile(WHEEL) as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith("geoclip/model/")])
    packages = {name: ModuleType(name) for name in ("geoclip", "geoclip.model")}
    for name, package in packages.items():
        package.__path__ = [str(tmp_path / name.replace(".", "/"))]
    with mock.patch.dict(sys.modules, packages):
        from geoclip.model.location_encoder import LocationEncoder

        published = LocationEncoder().eval()
    encoder = load_geoclip(WHEEL)
    points = reference.uniform_points(200, seed=0)
    with torch.no_grad():
        theirs = published(torch.tensor(points, dtype=torch.float32)).numpy()
    assert theirs.shape == (200, 512)
    assert_allclose(encoder.transform(points), theirs, rtol=0, atol=3e-5)
    assert_allclose(encoder.transform(points[:20]), plain_evaluation(encoder.model.arrays, points[:20]), atol=1e-10)


def test_single_precision_stays_close(encoder):
    single = clone(encoder).set_params(dtype="float32").fit(PLACES)
    assert 0 < abs(single.transform(PLACES) - encoder.transform(PLACES)).max() < 1e-6
    assert_array_equal(clone(encoder).fit(PLACES).transform(PLACES.astype(np.float32)).dtype, np.float32)


def test_negligible_weights_count_as_zero(arrays):
    tiny = {name: values.copy() for name, values in arrays.items()}
    tiny["LocEnc0.capsule.3.weight"][:] = 1e-40
    network = GeoCLIPWeights(tiny).build().network
    assert (network.networks[0].layers[1].weight == 0).all()
    got = PretrainedEncoder(GeoCLIPWeights(tiny)).fit_transform(PLACES)
    assert_allclose(got, plain_evaluation(tiny, PLACES), rtol=0, atol=1e-10)


def test_seam_and_poles_are_as_documented(encoder):
    west, east = encoder.transform([[30.0, -180.0], [30.0, 180.0 - 1e-9]])
    assert abs(west - east).max() > 0.01
    assert_array_equal(encoder.transform([[30.0, 180.0], [30.0, 540.0]]), [west, west])
    first, second = encoder.transform([[90.0, 0.0], [90.0, 90.0]])
    assert abs(first - second).max() > 0.01


def test_twin_has_gradients_and_a_file(encoder, tmp_path):
    points = torch.tensor(PLACES, requires_grad=True)
    twin = encoder.to_torch()
    values = twin(points)
    assert_allclose(values.detach().numpy(), encoder.transform(PLACES), rtol=0, atol=1e-12)
    values.sum().backward()
    assert points.grad.isfinite().all()
    save(twin, tmp_path / "twin.safetensors")
    assert torch.equal(load(tmp_path / "twin.safetensors")(points), values)


# ---- as everywhere in skgeo


def test_pipelines_frames_grids_patches_and_chunks(encoder, arrays):
    expected = plain_evaluation(arrays, PLACES)
    frame = pd.DataFrame(PLACES[:, ::-1], columns=["lon", "lat"])
    table = clone(encoder).set_output(transform="pandas").fit_transform(frame)
    assert table.columns.tolist() == [f"geoclip{i}" for i in range(8)]
    assert_allclose(table, expected, rtol=0, atol=1e-10)
    model = clone(make_pipeline(encoder, Ridge(1e-3))).fit(PLACES, PLACES[:, 0])
    assert model[0].model is encoder.model
    grid = LatLonGrid([-45.0, 30.0], [0.0, 120.0, 240.0])
    turned = grid.points() - [[0.0, 360.0]] * (grid.points()[:, 1:] >= 180)
    assert_allclose(encoder.transform(grid), plain_evaluation(arrays, turned), rtol=0, atol=1e-10)
    patch = np.array([[0.0, 10.0, 20.0, 30.0, 1, 2]])
    mean = plain_evaluation(arrays, np.array([[5.0, 22.5], [5.0, 27.5]])).mean(axis=0, keepdims=True)
    assert_allclose(PatchPositionEncoder(encoder).fit_transform(patch), mean, rtol=0, atol=1e-10)
    assert_allclose(encoder.transform(da.from_array(PLACES, chunks=(7, 2))).compute(), expected, rtol=0, atol=1e-10)


def test_saved_file_keeps_float32(encoder, tmp_path):
    skgeo.save(make_pipeline(encoder, "passthrough"), tmp_path / "model.npz")
    loaded = skgeo.load(tmp_path / "model.npz")
    assert_array_equal(loaded.transform(PLACES), encoder.transform(PLACES))
    assert loaded[0].model.arrays["LocEnc0.head.0.bias"].dtype == np.float32


# ---- files


def test_wheel_is_read_without_its_code(arrays, tmp_path):
    encoder = load_geoclip(write_wheel(tmp_path / "geoclip-1.3.0-py3-none-any.whl", arrays))
    assert_allclose(encoder.transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-10)


@pytest.mark.parametrize("prefix", ["", "location_encoder.", "model.location_encoder."])
@pytest.mark.parametrize("name", ["", "model.safetensors"])
def test_releases_are_read(name, prefix, arrays, tmp_path):
    folder = write_release(tmp_path / "release", arrays, prefix)
    encoder = load_geoclip(folder / name)
    assert_allclose(encoder.transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-10)
    (folder / "config.json").unlink()
    assert_array_equal(load_geoclip(os.fspath(folder / name)).transform(PLACES), encoder.transform(PLACES))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sigma": [1, 16]}, "says sigma=.1, 16., and the tensors beside it have 3 capsules"),
        ({"sigma": 3}, "is no config.json of GeoCLIP"),
        ({"model_type": "other"}, "says model_type='other', format_version=1: expected 'geoclip-location-encoder' or"),
        ({"format_version": 2}, "format_version=2: expected .* and 1"),
    ],
)
def test_settings_have_to_agree(config, message, arrays, tmp_path):
    with pytest.raises(ModelFileError, match=message):
        load_geoclip(write_release(tmp_path / "release", arrays, **config))


def test_settings_that_are_no_json_are_refused(arrays, tmp_path):
    folder = write_release(tmp_path / "release", arrays)
    for text in ("[1]", "{", "[" * 100_000):
        (folder / "config.json").write_text(text)
        with pytest.raises(ModelFileError, match="is no config.json of GeoCLIP"):
            load_geoclip(folder)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "LocEnc1.capsule.3.weight",
            np.ones((10, 9)),
            r"LocEnc1.capsule.3.weight has shape \(10, 9\): expected \(10, 10",
        ),
        ("LocEnc2.capsule.0.b", np.ones((5, 2)), r"LocEnc2.capsule.0.b has shape \(5, 2\): expected \(6, 2\)"),
        ("LocEnc0.head.0.bias", np.full(8, np.nan), "LocEnc0.head.0.bias has numbers that are not finite"),
        ("LocEnc0.head.0.bias", np.array(1.0), r"LocEnc0.head.0.weight has shape \(8, 10\): expected \(0, 10\)|bias"),
        ("LocEnc2.head.0.bias", None, "the arrays are those of LocEnc0, LocEnc1, LocEnc2: expected capsule.0.b"),
        ("LocEnc0.head.0.weight", None, "none of its tensors is named ...LocEnc0.head.0.weight"),
        ("LocEnc1.capsule.1.bias", np.ones(10, dtype=int), "LocEnc1.capsule.1.bias has dtype torch.int64"),
    ],
)
def test_tensors_have_to_fit_together(name, values, message, arrays, tmp_path):
    changed = {key: value for key, value in {**arrays, name: values}.items() if value is not None}
    torch.save(tensors_of(changed), tmp_path / "bad.pth")
    with pytest.raises(ModelFileError, match=message):
        load_geoclip(tmp_path / "bad.pth")


class Call:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_files_that_want_code_are_refused_and_run_none(arrays, tmp_path):
    torch.save(tensors_of(arrays) | {"more": Call(tmp_path / "ran")}, tmp_path / "bad.pth")
    with zipfile.ZipFile(tmp_path / "bad.whl", "w") as archive:
        archive.write(tmp_path / "bad.pth", MEMBER)
    for name in ("bad.pth", "bad.whl"):
        with pytest.raises(ModelFileError, match=rf"{name} wants \w+.system to be called or built"):
            load_geoclip(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_wheels_of_something_else_are_refused(arrays, tmp_path, monkeypatch):
    path = write_wheel(tmp_path / "other.whl", arrays, "other/weights.pth")
    with pytest.raises(ModelFileError, match=f"other.whl is no file of GeoCLIP .*it is a wheel without {MEMBER}"):
        load_geoclip(path)
    path = write_wheel(tmp_path / "large.whl", arrays)
    monkeypatch.setattr("skgeo.nn._geoclip_file._MIN_LIMIT_BYTES", 100)
    monkeypatch.setattr("skgeo.nn._geoclip_file._MAX_INFLATION", 0)
    with pytest.raises(ModelFileError, match=r"large.whl is no file .* bytes, and the file has \d+"):
        load_geoclip(path)


def test_an_archive_on_several_disks_is_refused(arrays, tmp_path):
    path = write_wheel(tmp_path / "geoclip.whl", arrays)
    content = path.read_bytes()
    # The locator of a second end record says that there are two disks.
    path.write_bytes(content[:-22] + b"PK\x06\x07" + struct.pack("<LQL", 0, 0, 2) + content[-22:])
    with pytest.raises(ModelFileError, match="cut short, damaged or of another kind"):
        load_geoclip(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("wheel", [False, True])
def test_truncated_files_are_refused(share, wheel, arrays, pth, tmp_path):
    path = write_wheel(tmp_path / "geoclip.whl", arrays) if wheel else pth
    content = path.read_bytes()
    (tmp_path / "short").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelFileError, match="short is no file of GeoCLIP that this skgeo can read"):
        load_geoclip(tmp_path / "short")


def test_damaged_member_is_refused(arrays, tmp_path):
    path = write_wheel(tmp_path / "geoclip.whl", arrays)
    content = bytearray(path.read_bytes())
    # Bytes of the weights, which stand behind the first, small entry.
    content[600:700] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="geoclip.whl is no file of GeoCLIP"):
        load_geoclip(path)


def test_files_that_are_not_there_say_so(tmp_path):
    for path in (tmp_path / "nowhere.whl", tmp_path):
        with pytest.raises(FileNotFoundError):
            load_geoclip(path)
