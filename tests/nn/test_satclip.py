"""SatCLIP: its harmonics against mpmath, its network against a plain evaluation, and files that are wrong."""

import argparse
import hashlib
import os
import pickle
import sys
from pathlib import Path, PureWindowsPath
from types import ModuleType
from unittest import mock

import dask.array as da
import mpmath
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import factorial, lpmv
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

import reference
import skgeo
from estimators import satclip_arrays
from processes import run_python
from skgeo import CellGrid, LatLonGrid, PatchPositionEncoder
from skgeo.encoders import SphericalHarmonics
from skgeo.exceptions import CoordinateError, ModelFileError, ModelFileWarning
from skgeo.nn import Harmonics, PretrainedEncoder, load, load_satclip, save

PLACES = reference.uniform_points(40, seed=3)
POLES = np.array([[90.0, 0.0], [-90.0, 12.0], [0.0, 0.0], [0.0, 180.0], [0.0, -180.0], [45.0, 359.0]])


def harmonic_of_satclip(latitude, longitude, degree, order):
    """Column (l, m) as the published generator defines it, in 60 digits: Condon-Shortley phase and all."""
    with mpmath.workdps(60):
        theta, phi = mpmath.radians(mpmath.mpf(latitude) + 90), mpmath.radians(mpmath.mpf(longitude) + 180)
        m = abs(order)
        x = mpmath.mpf(mpmath.cos(theta))
        # P_lm = (-1)^m (1 - x^2)^(m/2) d^m P_l / dx^m, the derivative from the power series of P_l
        derivative = mpmath.mpf(0)
        for k in range((degree - m) // 2 + 1):
            power = degree - 2 * k
            factor = (-1) ** k * mpmath.binomial(degree, k) * mpmath.binomial(2 * degree - 2 * k, degree)
            derivative += factor * mpmath.ff(power, m) * (x ** (power - m) if power > m else 1)
        legendre = (-1) ** m * mpmath.sqrt(1 - x**2) ** m * derivative / mpmath.mpf(2) ** degree
        if order == 0:
            return float(mpmath.sqrt(mpmath.mpf(2 * degree + 1) / 4 * mpmath.pi) * legendre)  # sic
        share = mpmath.factorial(degree - m) / mpmath.factorial(degree + m)
        norm = mpmath.sqrt((2 * degree + 1) / (4 * mpmath.pi) * share)
        wave = mpmath.sin(m * phi) if order < 0 else mpmath.cos(m * phi)
        return float((-1) ** m * mpmath.sqrt(2) * norm * legendre * wave)


def plain_evaluation(arrays, points):
    """Harmonics by SciPy in the convention of SatCLIP, then the network layer by layer."""
    legendre_polys = round(arrays["layers.0.weight"].shape[1] ** 0.5)
    values = reference.harmonics(points[:, 0], points[:, 1], legendre_polys - 1)
    for degree in range(legendre_polys):
        columns = slice(degree**2, (degree + 1) ** 2)
        values[:, columns] *= (-1) ** degree
        values[:, degree**2 + degree] *= np.pi
    return evaluate_network(arrays, values)


def evaluate_network(arrays, values):
    """The network layer by layer."""
    frequency = 30.0
    for layer in range(len(arrays) // 2 - 1):
        values = np.sin(frequency * (values @ arrays[f"layers.{layer}.weight"].T + arrays[f"layers.{layer}.bias"]))
        frequency = 1.0
    return values @ arrays["last_layer.weight"].T + arrays["last_layer.bias"]


def write_checkpoint(path, arrays, prefixes=("model.nnet.", "model.location.nnet."), **changes):
    """A Lightning checkpoint of the published structure, with an image half and the state of an optimizer."""
    state = {"model.visual.fc.weight": torch.ones(256, 512), "model.logit_scale": torch.tensor(2.6)}
    for prefix in prefixes:
        state |= {prefix + name: torch.tensor(values) for name, values in arrays.items()}
    parameters = {
        "embed_dim": len(arrays["last_layer.bias"]),
        "vision_layers": "moco_vit16",
        "le_type": "sphericalharmonics",
        "pe_type": "siren",
        "frequency_num": 16,
        "max_radius": 0.01,
        "min_radius": 1e-5,
        "legendre_polys": round(arrays["layers.0.weight"].shape[1] ** 0.5),
        "harmonics_calculation": "analytic",
        "num_hidden_layers": len(arrays) // 2 - 1,
        "capacity": len(arrays["layers.0.bias"]),
        "eval_downstream": False,
        "air_temp_data_path": "air.csv",
        "election_data_path": "election.csv",
    } | changes.pop("parameters", {})
    content = {
        "epoch": 499,
        "pytorch-lightning_version": "2.0.0",
        "state_dict": state,
        "hyper_parameters": parameters,
        "hparams_name": "kwargs",
        "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4}]}],
    }
    torch.save(content | changes, path)
    return path


@pytest.fixture(scope="module")
def arrays():
    return satclip_arrays(5, 16, 8)


@pytest.fixture(scope="module")
def checkpoint(arrays, tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("satclip") / "satclip-vit16-l5.ckpt", arrays)


@pytest.fixture
def encoder(checkpoint):
    return load_satclip(checkpoint)


# ---- the harmonics


@pytest.mark.parametrize("legendre_polys", [4, 10, 40])
def test_the_convention_is_that_of_the_published_generator(legendre_polys):
    points = np.vstack([POLES, PLACES[:3]]) if legendre_polys < 40 else np.array([[70.25, -33.5], [-90.0, 12.0]])
    columns = SphericalHarmonics(legendre_polys - 1, convention="satclip").fit_transform(points)
    degree = np.repeat(np.arange(legendre_polys), 2 * np.arange(legendre_polys) + 1)
    order = np.arange(legendre_polys**2) - degree * (degree + 1)
    chosen = range(legendre_polys**2) if legendre_polys < 40 else [*range(0, 1600, 7), 1560, 1599, 1521]
    for row, point in zip(columns, points, strict=True):
        expected = [harmonic_of_satclip(*point, int(degree[i]), int(order[i])) for i in chosen]
        assert_allclose(row[list(chosen)], expected, rtol=0, atol=1e-12)


def closed_form_of_satclip(points, legendre_polys):
    """The columns of the published closed form, by SciPy's Legendre functions, which have the Condon-Shortley phase."""
    theta, phi = np.radians(points[:, 0] + 90.0), np.radians(points[:, 1] + 180.0)
    columns = []
    for degree in range(legendre_polys):
        for order in range(-degree, degree + 1):
            m = abs(order)
            norm = (2 * degree + 1) / (4 * np.pi) * factorial(degree - m) / factorial(degree + m)
            wave = np.sin(m * phi) if order < 0 else np.cos(m * phi)
            columns.append(np.sqrt(norm * (2.0 if m else 1.0)) * lpmv(m, degree, np.cos(theta)) * wave)
    return np.column_stack(columns)


def test_closed_form_is_that_of_published_code():
    points = np.vstack([POLES, PLACES])
    expected = closed_form_of_satclip(points, 12)
    # The recurrence of the published code for a column: (l, m) = (3, 2) is sqrt(105 / 16 pi) cos(t) sin^2(t) cos(2 p).
    theta, phi = np.radians(points[:, 0] + 90.0), np.radians(points[:, 1] + 180.0)
    by_hand = np.sqrt(105 / (16 * np.pi)) * np.cos(theta) * np.sin(theta) ** 2 * np.cos(2 * phi)
    assert_allclose(expected[:, 9 + 5], by_hand, rtol=0, atol=1e-13)
    encoder = SphericalHarmonics(11, convention="satclip_closed_form").fit(points)
    assert_allclose(encoder.transform(points), expected, rtol=0, atol=1e-12)
    assert_allclose(encoder.to_torch()(torch.tensor(points)), expected, rtol=0, atol=1e-12)


def test_checkpoints_of_closed_form_are_read(arrays, tmp_path):
    path = write_checkpoint(tmp_path / "closed.ckpt", arrays, parameters={"harmonics_calculation": "closed-form"})
    encoder = load_satclip(path)
    values = closed_form_of_satclip(PLACES, 5)
    expected = evaluate_network(arrays, values)
    assert_allclose(encoder.transform(PLACES), expected, rtol=0, atol=1e-11)
    assert abs(expected - plain_evaluation(arrays, PLACES)).max() > 0.01
    skgeo.save(encoder, tmp_path / "closed.npz")
    assert_array_equal(skgeo.load(tmp_path / "closed.npz").transform(PLACES), encoder.transform(PLACES))


@pytest.mark.parametrize("options", [{}, {"min_degree": 2, "spectrum": "matern"}])
def test_the_torch_module_and_the_grid_have_the_convention_too(options):
    encoder = SphericalHarmonics(12, convention="satclip", **options).fit(PLACES)
    twin = encoder.to_torch()
    assert_allclose(twin(torch.tensor(PLACES)).numpy(), encoder.transform(PLACES), rtol=0, atol=1e-12)
    grid = LatLonGrid([-80.0, 0.0, 33.0], [0.0, 90.0, 222.0])
    assert_allclose(encoder.transform(grid), encoder.transform(grid.points()), rtol=0, atol=1e-12)
    plain = SphericalHarmonics(12, **options).fit_transform(PLACES)
    names = encoder.get_feature_names_out()
    zonal = np.array([name.endswith("_m0") for name in names])
    assert_allclose(np.abs(encoder.transform(PLACES)), np.abs(plain) * np.where(zonal, np.pi, 1), rtol=1e-12)


def test_the_torch_module_keeps_its_convention_in_a_file(tmp_path):
    twin = Harmonics(3, convention="satclip")
    save(twin, tmp_path / "twin.safetensors")
    again = load(tmp_path / "twin.safetensors")
    assert repr(again) == "Harmonics(max_degree=3, min_degree=0, convention='satclip')"
    assert_array_equal(again(torch.tensor(PLACES)), twin(torch.tensor(PLACES)))


@pytest.mark.parametrize(
    "make", [lambda: SphericalHarmonics(2, convention="other").fit(PLACES), lambda: Harmonics(2, convention="other")]
)
def test_other_conventions_are_refused(make):
    with pytest.raises(ValueError, match="convention='other': expected 'orthonormal', 'satclip' or"):
        make()


# ---- the network


@pytest.mark.parametrize("capacity", [256, 512])
@pytest.mark.parametrize("legendre_polys", [10, 40])
def test_a_checkpoint_gives_what_a_plain_evaluation_gives(legendre_polys, capacity, tmp_path):
    arrays = satclip_arrays(legendre_polys, capacity, 256, seed=capacity)
    encoder = load_satclip(write_checkpoint(tmp_path / "random.ckpt", arrays))
    points = np.vstack([POLES, PLACES])
    assert_allclose(encoder.transform(points), plain_evaluation(arrays, points), rtol=0, atol=1e-10)
    assert encoder.transform(points).dtype == np.float64
    assert_array_equal(encoder.transform(points), encoder.transform(points))  # without dropout


@pytest.mark.parametrize("n_layers", [1, 2, 4])
def test_sizes_are_read_from_the_tensors(n_layers, tmp_path):
    arrays = satclip_arrays(3, 7, 5, n_layers)
    weights = load_satclip(write_checkpoint(tmp_path / "small.ckpt", arrays)).model
    assert repr(weights) == f"SatCLIPWeights(legendre_polys=3, hidden_dim=7, n_layers={n_layers}, n_outputs=5)"
    assert_allclose(
        PretrainedEncoder(weights).fit_transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("prefixes", [("model.location.nnet.",), ("nnet.",), ("",), ("module.location.nnet.",)])
def test_a_single_network_is_found_under_any_prefix(prefixes, arrays, tmp_path):
    encoder = load_satclip(write_checkpoint(tmp_path / "some.ckpt", arrays, prefixes))
    assert_allclose(encoder.transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)


def test_a_plain_state_dict_is_read_from_its_shapes(arrays, tmp_path):
    torch.save({f"nnet.{name}": torch.tensor(values) for name, values in arrays.items()}, tmp_path / "state.pt")
    encoder = load_satclip(tmp_path / "state.pt")
    assert_allclose(encoder.transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)


def test_single_precision_checkpoints_are_computed_in_double(arrays, tmp_path):
    single = {name: values.astype(np.float32) for name, values in arrays.items()}
    encoder = load_satclip(write_checkpoint(tmp_path / "single.ckpt", single))
    double = {name: values.astype(np.float64) for name, values in single.items()}
    assert_allclose(encoder.transform(PLACES), plain_evaluation(double, PLACES), rtol=0, atol=1e-12)


def test_single_precision_is_an_option(encoder):
    single = clone(encoder).set_params(dtype="float32").fit(PLACES)
    got = single.transform(PLACES)
    assert got.dtype == np.float64
    assert 0 < abs(got - encoder.transform(PLACES)).max() < 1e-4
    assert single.to_torch().network.output.weight.dtype == torch.float32
    with pytest.raises(ValueError, match="dtype='float16': expected 'float32', 'float64' or None"):
        clone(encoder).set_params(dtype="float16").fit(PLACES)


def test_the_torch_module_computes_the_same_and_has_gradients(encoder):
    points = torch.tensor(PLACES, requires_grad=True)
    twin = encoder.to_torch()
    assert not twin.training
    values = twin(points)
    assert_allclose(values.detach().numpy(), encoder.transform(PLACES), rtol=0, atol=1e-12)
    values.sum().backward()
    assert points.grad.isfinite().all()


# ---- one step of a Pipeline


def test_a_pipeline_neither_loses_nor_trains_the_weights(encoder, arrays):
    y = PLACES[:, 0]
    expected = Ridge(1e-3).fit(plain_evaluation(arrays, PLACES), y).predict(plain_evaluation(arrays, PLACES))
    model = make_pipeline(encoder, Ridge(1e-3))
    assert_allclose(model.fit(PLACES, y).predict(PLACES), expected, rtol=1e-8)
    assert_allclose(clone(model).fit(PLACES, y).predict(PLACES), expected, rtol=1e-8)
    assert clone(encoder).model is encoder.model
    assert np.isfinite(cross_validate(model, PLACES, y, cv=3, error_score="raise")["test_score"]).all()
    search = GridSearchCV(model, {"ridge__alpha": [1e-3, 1.0]}, cv=2, error_score="raise").fit(PLACES, y)
    assert search.best_estimator_[0].model is encoder.model
    assert_array_equal(model[0].transform(PLACES), encoder.transform(PLACES))


def test_the_weights_cannot_be_changed(encoder):
    with pytest.raises(ValueError, match="read-only"):
        encoder.model.arrays["last_layer.bias"][0] = 1.0
    with pytest.raises(TypeError, match="does not support item assignment"):
        encoder.model.arrays["last_layer.bias"] = np.zeros(8)
    with pytest.raises(AttributeError, match="SatCLIPWeights is immutable"):
        encoder.model.n_outputs = 3
    twin = encoder.to_torch()
    before = encoder.transform(PLACES)
    with torch.no_grad():
        twin.network.output.bias += 1.0
    assert_array_equal(encoder.transform(PLACES), before)


def test_frames_names_and_grids(encoder, arrays):
    frame = pd.DataFrame(PLACES[:, ::-1], columns=["lon", "lat"])
    got = clone(encoder).set_output(transform="pandas").fit_transform(frame)
    assert got.columns.tolist() == [f"satclip{i}" for i in range(8)]
    assert_allclose(got, plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)
    columns = make_column_transformer((encoder, ["lat", "lon"])).fit_transform(frame)
    assert_array_equal(columns, encoder.transform(PLACES))
    grid = LatLonGrid([-45.0, 30.0], [0.0, 120.0, 240.0])
    assert_allclose(encoder.transform(grid), plain_evaluation(arrays, grid.points()), rtol=0, atol=1e-12)
    cells = CellGrid(*np.meshgrid([10.0, 20.0, 30.0], [50.0, 60.0], indexing="ij"))
    assert_allclose(encoder.transform(cells), plain_evaluation(arrays, cells.points()), rtol=0, atol=1e-12)


def test_patches_are_means_over_their_pixels(encoder, arrays):
    patch = np.array([[0.0, 10.0, 20.0, 30.0, 1, 2]])
    pixels = np.array([[5.0, 22.5], [5.0, 27.5]])
    expected = plain_evaluation(arrays, pixels).mean(axis=0, keepdims=True)
    assert_allclose(PatchPositionEncoder(encoder).fit_transform(patch), expected, rtol=0, atol=1e-12)


def test_chunked_input_gives_chunked_output(encoder, arrays):
    lazy = encoder.transform(da.from_array(PLACES, chunks=(7, 2)))
    assert lazy.chunks[0] == (7, 7, 7, 7, 7, 5)
    assert_allclose(lazy.compute(), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)


def test_missing_places_and_precision(encoder, arrays):
    gaps = PLACES.copy()
    gaps[3] = np.nan
    with pytest.raises(CoordinateError, match="missing"):
        encoder.transform(gaps)
    lenient = clone(encoder).set_params(missing="nan", add_indicator=True).fit(gaps)
    values = lenient.transform(gaps)
    assert np.isnan(values[3, :-1]).all()
    assert values[:, -1].tolist() == [i == 3 for i in range(len(gaps))]
    assert_allclose(values[4:, :-1], encoder.transform(PLACES)[4:], rtol=0, atol=1e-12)
    single = encoder.transform(PLACES.astype(np.float32))
    assert single.dtype == np.float32
    rounded = plain_evaluation(arrays, PLACES.astype(np.float32).astype(np.float64))
    assert_allclose(single, rounded, rtol=1e-6, atol=1e-6)


def test_safe_file_does_not_need_the_checkpoint(encoder, tmp_path):
    skgeo.save(make_pipeline(encoder, "passthrough"), tmp_path / "model.npz")
    assert_array_equal(skgeo.load(tmp_path / "model.npz").transform(PLACES), encoder.transform(PLACES))
    code = (
        "import skgeo\n"
        f"model = skgeo.load({os.fspath(tmp_path / 'model.npz')!r})\n"
        "assert model[0].model.n_outputs == 8\n"
    )
    run_python(code)
    assert_array_equal(pickle.loads(pickle.dumps(encoder)).transform(PLACES), encoder.transform(PLACES))


def test_loading_draws_no_random_numbers(checkpoint):
    state = torch.random.get_rng_state()
    load_satclip(checkpoint).transform(PLACES)
    assert_array_equal(torch.random.get_rng_state(), state)


def test_without_weights_fit_says_where_they_come_from():
    with pytest.raises(ValueError, match=r"model=None: expected weights, as load_satclip\(path\).model"):
        PretrainedEncoder().fit(PLACES)


# ---- values of hyperparameters that are no plain Python


def test_hyperparameters_of_lightning_are_read(arrays, tmp_path):
    # Lightning's class is absent here: a class with its name stands in the file.
    attribute_dict = type("AttributeDict", (dict,), {"__module__": "lightning.fabric.utilities.data"})
    names = ["lightning", "lightning.fabric", "lightning.fabric.utilities", "lightning.fabric.utilities.data"]
    modules = {name: ModuleType(name) for name in names}
    modules[names[-1]].AttributeDict = attribute_dict
    parameters = attribute_dict(
        legendre_polys=np.int64(5), capacity=np.array(16.0, ">f8")[()], embed_dim=np.int32(8),
        le_type=np.str_("sphericalharmonics"), eval_downstream=np.bool_(False), started=np.datetime64("2023-11-01"),
        air_temp_data_path=Path("data") / "air.csv", election_data_path=PureWindowsPath("C:/election.csv"),
    )  # fmt: skip
    path = tmp_path / "lightning.ckpt"
    with mock.patch.dict(sys.modules, modules):
        write_checkpoint(path, arrays, hyper_parameters=parameters)
    before = set(torch.serialization.get_safe_globals())
    assert_allclose(load_satclip(path).transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)
    assert set(torch.serialization.get_safe_globals()) == before
    with mock.patch.dict(sys.modules, modules):
        write_checkpoint(path, arrays, hyper_parameters=attribute_dict(legendre_polys=np.int64(6)))
    with pytest.raises(ModelFileError, match="says legendre_polys=6, and its tensors say 5"):
        load_satclip(path)


def test_state_dicts_of_torchgeo_are_read(arrays, tmp_path):
    # torchgeo.models.SatCLIP: a module nnet with ModuleList layers and last_layer, and harmonics without buffers in it
    nnet = torch.nn.Module()
    sizes = [(25, 16), (16, 16)]
    nnet.layers = torch.nn.ModuleList(torch.nn.Linear(*size) for size in sizes)
    nnet.last_layer = torch.nn.Linear(16, 8)
    nnet.double().load_state_dict({name: torch.tensor(values) for name, values in arrays.items()})
    module = torch.nn.Module()
    module.posenc, module.nnet = torch.nn.Module(), nnet
    module.posenc.register_buffer("alpha", torch.ones(5, 5), persistent=False)
    torch.save(module.state_dict(), tmp_path / "torchgeo.pth")
    encoder = load_satclip(tmp_path / "torchgeo.pth")
    assert_allclose(encoder.transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)


# ---- safetensors


def write_safetensors(path, arrays, prefix="location.nnet.", metadata=None, **more):
    tensors = {prefix + name: torch.tensor(values) for name, values in arrays.items()}
    safetensors.torch.save_file(tensors | more, path, metadata)
    return path


@pytest.mark.parametrize("prefix", ["location.nnet.", "nnet.", "model.location.nnet.", "satclip.nnet.", ""])
@pytest.mark.parametrize("name", ["model.safetensors", "satclip-vit16-l40.ckpt"])
def test_safetensors_are_read_under_any_prefix_and_name(prefix, name, arrays, tmp_path):
    image_half = {"visual.fc.weight": torch.ones(2, 2), "logit_scale": torch.tensor(2.6)}
    encoder = load_satclip(write_safetensors(tmp_path / name, arrays, prefix, {"format": "pt"}, **image_half))
    assert repr(encoder.model) == "SatCLIPWeights(legendre_polys=5, hidden_dim=16, n_layers=2, n_outputs=8)"
    assert_allclose(encoder.transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_safetensors_of_less_precision_are_computed_in_double(dtype, arrays, tmp_path):
    rounded = {name: torch.tensor(values).to(dtype) for name, values in arrays.items()}
    safetensors.torch.save_file({f"nnet.{name}": values for name, values in rounded.items()}, tmp_path / "some")
    double = {name: values.double().numpy() for name, values in rounded.items()}
    encoder = load_satclip(tmp_path / "some")
    assert_allclose(encoder.transform(PLACES), plain_evaluation(double, PLACES), rtol=0, atol=1e-12)


def test_network_stored_once_for_two_names_is_read(arrays, tmp_path):
    # as safetensors.torch.save_model writes a module with shared parameters
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            layers = [torch.nn.Linear(25, 16), torch.nn.Linear(16, 16)]
            self.nnet = torch.nn.ModuleDict(
                {"layers": torch.nn.ModuleList(layers), "last_layer": torch.nn.Linear(16, 8)}
            )
            self.location = torch.nn.ModuleDict({"nnet": self.nnet})

    module = Twice().double()
    module.nnet.load_state_dict({name: torch.tensor(values) for name, values in arrays.items()})
    safetensors.torch.save_model(module, tmp_path / "model.safetensors")
    encoder = load_satclip(tmp_path / "model.safetensors")
    assert_allclose(encoder.transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"legendre_polys": "6"}, "says legendre_polys=6, and its tensors say 5"),
        ({"capacity": "sixteen"}, "says capacity='sixteen', and its tensors say 16"),
        ({"hyper_parameters": '{"legendre_polys": 5, "embed_dim": 7}'}, "says embed_dim=7, and its tensors say 8"),
        ({"config": '{"legendre_polys": 5, "pe_type": "fcnet"}'}, "was trained with pe_type='fcnet': expected 'siren'"),
        ({"le_type": "grid"}, "was trained with le_type='grid': expected 'sphericalharmonics'"),
    ],
)
def test_hyperparameters_in_the_metadata_have_to_agree(metadata, message, arrays, tmp_path):
    with pytest.raises(ModelFileError, match=message):
        load_satclip(write_safetensors(tmp_path / "other.safetensors", arrays, metadata=metadata))


@pytest.mark.parametrize(
    "metadata",
    [
        {"le_type": "sphericalharmonics", "pe_type": '"siren"', "legendre_polys": "5", "num_hidden_layers": "2"},
        {"hyper_parameters": '{"legendre_polys": 5, "capacity": 16.0, "max_radius": 0.01}'},
        {"vision": '{"embed_dim": 768}', "note": "[" * 100_000},
    ],
)
def test_hyperparameters_that_agree_are_no_trouble(metadata, arrays, tmp_path):
    encoder = load_satclip(write_safetensors(tmp_path / "same.safetensors", arrays, metadata=metadata))
    assert_allclose(encoder.transform(PLACES), plain_evaluation(arrays, PLACES), rtol=0, atol=1e-12)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_truncated_safetensors_are_refused(share, arrays, tmp_path):
    path = write_safetensors(tmp_path / "short.safetensors", arrays)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ModelFileError, match="short.safetensors is no checkpoint of SatCLIP that this skgeo can read"):
        load_satclip(path)


def test_safetensors_of_something_else_are_refused(arrays, tmp_path):
    safetensors.torch.save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match=r"none of its tensors is named ...last_layer.weight.*skgeo.nn.load"):
        load_satclip(tmp_path / "other.safetensors")
    changed = {**arrays, "layers.0.weight": np.ones((16, 24))}
    with pytest.raises(ModelFileError, match="layers.0.weight has 24 columns: expected a square"):
        load_satclip(write_safetensors(tmp_path / "odd.safetensors", changed))


def test_without_safetensors_it_is_asked_for(arrays, tmp_path, monkeypatch):
    path = write_safetensors(tmp_path / "model.safetensors", arrays)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"load_satclip\('.*'\) needs safetensors: pip install 'skgeo\[torch\]'"):
        load_satclip(path)


# ---- files that are not what they should be


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"legendre_polys": 6}, "says legendre_polys=6, and its tensors say 5"),
        ({"capacity": 512}, "says capacity=512, and its tensors say 16"),
        ({"num_hidden_layers": 3}, "says num_hidden_layers=3, and its tensors say 2"),
        ({"embed_dim": 512}, "says embed_dim=512, and its tensors say 8"),
        ({"embed_dim": torch.ones(2)}, r"says embed_dim=tensor\(\[1., 1.\]\), and its tensors say 8"),
        ({"le_type": "grid"}, "was trained with le_type='grid': expected 'sphericalharmonics'"),
        ({"pe_type": "fcnet"}, "was trained with pe_type='fcnet': expected 'siren'"),
        ({"harmonics_calculation": "other"}, "harmonics_calculation='other': expected 'analytic' or 'closed-form'"),
    ],
)
def test_hyperparameters_have_to_agree(parameters, message, arrays, tmp_path):
    with pytest.raises(ModelFileError, match=message):
        load_satclip(write_checkpoint(tmp_path / "other.ckpt", arrays, parameters=parameters))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("layers.1.weight", np.ones((16, 15)), r"layers.1.weight has shape \(16, 15\): expected \(16, 16\)"),
        ("layers.0.bias", np.ones(15), r"layers.0.bias has shape \(15,\): expected \(16,\)"),
        ("layers.0.weight", np.ones((16, 24)), "layers.0.weight has 24 columns: expected a square"),
        ("last_layer.bias", np.full(8, np.nan), "last_layer.bias has numbers that are not finite"),
        ("last_layer.weight", np.ones((8, 16), dtype=np.int64), "last_layer.weight has dtype torch.int64"),
        ("layers.1.bias", None, "expected weight and bias of layers.0"),
        ("last_layer.weight", None, "none of its tensors is named ...last_layer.weight"),
    ],
)
def test_tensors_have_to_fit_together(name, values, message, arrays, tmp_path):
    changed = {key: value for key, value in {**arrays, name: values}.items() if value is not None}
    state = {f"model.nnet.{key}": torch.tensor(value) for key, value in changed.items()}
    torch.save({"state_dict": state, "hyper_parameters": {}}, tmp_path / "bad.ckpt")
    with pytest.raises(ModelFileError, match=message):
        load_satclip(tmp_path / "bad.ckpt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.to_sparse(), "layers.1.weight is a tensor with layout torch.sparse_coo on device cpu"),
        (lambda values: values.to("meta"), "layers.1.weight is a tensor with layout torch.strided on device meta"),
        # as small a file as any, and terabytes once it is written out
        (lambda values: values[0, 0].expand(10**6, 10**6), r"shape \(1000000, 1000000\) and holds fewer numbers"),
    ],
)
def test_tensors_that_are_no_tables_are_refused(change, message, arrays, tmp_path):
    state = {f"{part}.{name}": torch.tensor(values) for part in "ab" for name, values in arrays.items()}
    for part in "ab":
        state[f"{part}.layers.1.weight"] = change(state[f"{part}.layers.1.weight"])
    torch.save({"state_dict": state}, tmp_path / "odd.ckpt")
    with pytest.raises(ModelFileError, match=message):
        load_satclip(tmp_path / "odd.ckpt")


def test_two_different_networks_are_ambiguous(arrays, tmp_path):
    state = {f"one.{name}": torch.tensor(values) for name, values in arrays.items()}
    state |= {f"other.{name}": torch.tensor(values + 1) for name, values in arrays.items()}
    torch.save({"state_dict": state}, tmp_path / "two.ckpt")
    with pytest.raises(ModelFileError, match="it holds different networks: 'one.', 'other.'"):
        load_satclip(tmp_path / "two.ckpt")


class Call:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_files_that_want_code_are_refused_and_run_none(arrays, tmp_path):
    path = write_checkpoint(tmp_path / "bad.ckpt", arrays, callbacks=Call(tmp_path / "ran"))
    with pytest.raises(ModelFileError, match=r"bad.ckpt wants \w+.system to be called or built when it is read"):
        load_satclip(path)
    assert not (tmp_path / "ran").exists()
    namespace = argparse.Namespace(legendre_polys=5)
    with pytest.raises(ModelFileError, match="wants argparse.Namespace"):
        load_satclip(write_checkpoint(path, arrays, hyper_parameters=namespace))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(share, checkpoint, tmp_path):
    content = checkpoint.read_bytes()
    (tmp_path / "short.ckpt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelFileError, match="short.ckpt is no checkpoint of SatCLIP that this skgeo can read"):
        load_satclip(tmp_path / "short.ckpt")


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("<html>Not Found</html>"),
        lambda path: path.write_bytes(b"\x80\x04K\x01."),
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save({"state_dict": 3}, path),
        lambda path: torch.save({"state_dict": {}, "hyper_parameters": [1]}, path),
        lambda path: torch.save(torch.ones(3), path),
        lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)),
        lambda path: skgeo.save(SphericalHarmonics(), path),
        lambda path: save(Harmonics(2), path),
    ],
)
def test_foreign_files_are_refused(write, tmp_path):
    path = Path(tmp_path / "foreign.ckpt")
    write(path)
    with pytest.raises(ModelFileError, match="foreign.ckpt is no checkpoint of SatCLIP that this skgeo can read"):
        load_satclip(path)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_satclip(tmp_path / "nowhere.ckpt")


# Files that are damaged, or made to take endless time


def small_checkpoint(path, **options):
    shapes = {"layers.0.weight": (8, 9), "layers.0.bias": (8,), "last_layer.weight": (4, 8), "last_layer.bias": (4,)}
    generator = torch.Generator().manual_seed(0)
    state = {f"model.nnet.{name}": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    torch.save({"hyper_parameters": {"legendre_polys": 3}, "state_dict": state}, path, **options)
    return path.read_bytes()


def test_no_damaged_checkpoint_gives_other_numbers(tmp_path):
    path = tmp_path / "weights.ckpt"
    content = small_checkpoint(path)
    expected = load_satclip(path).transform([[10.0, 20.0]])
    rng, loaded = np.random.default_rng(0), 0
    for position in rng.integers(len(content), size=150):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            encoder = load_satclip(path)
        except ModelFileError:
            continue
        loaded += 1
        np.testing.assert_array_equal(encoder.transform([[10.0, 20.0]]), expected)
    assert loaded < 75  # times of entries, and bytes between them, are no content


def test_the_old_format_has_no_checksum_and_warns(tmp_path):
    path = tmp_path / "old.ckpt"
    content = small_checkpoint(path, _use_new_zipfile_serialization=False)
    with pytest.warns(ModelFileWarning, match=r"old.ckpt has the old format of torch, which has no checksums.*sha256="):
        encoder = load_satclip(path)
    known = hashlib.sha256(content).hexdigest()
    np.testing.assert_array_equal(load_satclip(path, sha256=known).transform([[1, 2]]), encoder.transform([[1, 2]]))
    with pytest.raises(ModelFileError, match=f"old.ckpt has the SHA-256 {known}: expected"):
        load_satclip(path, sha256="0" * 64)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(
    "wrap", [lambda value: [value, value], lambda value: (value, value), lambda value: {0: value, 1: value}]
)
def test_values_that_unfold_without_end_are_refused(wrap, new, tmp_path):
    value = ("x",)
    for _ in range(60):
        value = wrap(value)
    torch.save({"hyper_parameters": {"le_type": value}}, tmp_path / "bomb", _use_new_zipfile_serialization=new)
    with pytest.raises(ModelFileError, match="unfolds to more than 1,000,000 values"):
        load_satclip(tmp_path / "bomb")


def test_depth_and_sizes_of_pickles_are_bounded(tmp_path):
    deep = []
    for _ in range(200):
        deep = [deep]
    own = []
    own.append(own)
    for value, reason in [(deep, "more than 100 levels deep"), (own, "a value that contains itself")]:
        torch.save({"hyper_parameters": {"le_type": value}}, tmp_path / "bomb")
        with pytest.raises(ModelFileError, match=reason):
            load_satclip(tmp_path / "bomb")
