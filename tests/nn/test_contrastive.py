"""ContrastiveLocationEncoder: loss and retrieval against plain evaluations, resuming, where features come from."""

import inspect
import json
import os

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.datapipes.iter import IterableWrapper
from torch.utils.data.distributed import DistributedSampler
from tqdm import tqdm

import skgeo
from processes import run_python
from reference import vectors
from sample_networks import WithoutNaN
from skgeo import CellGrid, LatLonGrid
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import SphericalHarmonics
from skgeo.exceptions import ModelFileError
from skgeo.nn import ContrastiveLocationEncoder, SirenNet, compute_features
from skgeo.nn._contrastive_modules import Matcher
from skgeo.nn._networks import Linear
from skgeo.nn._torch_state import preserve_rng

PLACES = fibonacci_lattice(200)


def images_of(places):
    """Eight smooth functions of the place, of different sizes and means."""
    waves = np.sin(vectors(places) @ np.random.default_rng(0).normal(0, 3, (3, 8)))
    return 10.0 ** np.arange(-3, 5) * (waves + 5.0)


IMAGES = images_of(PLACES)
SMALL = {"embed_dim": 8, "hidden_dim": 16, "learning_rate": 0.01, "random_state": 0}


def encoder(**parameters):
    defaults = {"encoder": SphericalHarmonics(3), "max_epochs": 30}
    return ContrastiveLocationEncoder(**(SMALL | defaults | parameters))


@pytest.fixture(scope="module")
def fitted():
    return encoder(max_epochs=150).fit(PLACES, IMAGES)


def embeddings(model, places, images):
    """Normalised embeddings of places and images, from the weights of the model."""
    weights = {name: values.astype(np.float64) for name, values in model.weights_.items()}
    projected = (images - model.feature_mean_) / model.feature_scale_ @ weights["projection.weight"].T
    projected += weights["projection.bias"]
    embedded = model.transform(places)
    return (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (embedded, projected))


# ---- the loss


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_loss_is_symmetric_cross_entropy_of_cosines(temperature):
    rng = np.random.default_rng(1)
    places, images = rng.normal(size=(7, 4)), rng.normal(3.0, 2.0, size=(7, 5))
    with preserve_rng():
        matcher = Matcher(Linear(4, 3), 5, 3, temperature).double()
    a = places @ matcher.network.weight.detach().numpy().T + matcher.network.bias.detach().numpy()
    b = images @ matcher.projection.weight.detach().numpy().T
    b += matcher.projection.bias.detach().numpy()
    expected = 0.0
    for i in range(7):
        cosines = [a[i] @ b[j] / np.linalg.norm(a[i]) / np.linalg.norm(b[j]) / temperature for j in range(7)]
        reverse = [a[j] @ b[i] / np.linalg.norm(a[j]) / np.linalg.norm(b[i]) / temperature for j in range(7)]
        expected -= np.log(np.exp(cosines[i]) / np.exp(cosines).sum()) / 14
        expected -= np.log(np.exp(reverse[i]) / np.exp(reverse).sum()) / 14
    loss = matcher(torch.tensor(places), torch.tensor(images))
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-6)  # the temperature is made in float32
    loss.backward()
    assert matcher.logit_scale.grad != 0.0


def test_the_temperature_stays_above_a_hundredth():
    with preserve_rng():
        matcher = Matcher(Linear(4, 3), 5, 3, 1e-5).double()
    matcher(torch.ones(2, 4).double(), torch.ones(2, 5).double())
    assert float(matcher.logit_scale.detach()) == pytest.approx(np.log(100.0))


def test_the_learned_temperature_is_not_below_the_limit():
    model = encoder(temperature=0.01, learning_rate=1e-12, max_epochs=1, patience=None).fit(PLACES, IMAGES)
    assert np.exp(-model.weights_["logit_scale"]) < 0.01  # rounded, or by a last step
    assert model.temperature_ == 0.01


def test_the_losses_are_those_of_the_weights():
    model = encoder(dtype="float64", batch_size=None).fit(PLACES, IMAGES, X_val=PLACES[::3], y_val=IMAGES[::3])
    places, images = embeddings(model, PLACES[::3], IMAGES[::3])
    logits = torch.tensor(places @ images.T / model.temperature_)
    own = torch.arange(len(logits))
    cross_entropy = torch.nn.functional.cross_entropy
    expected = (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
    assert model.validation_loss_curve_[model.best_epoch_ - 1] == pytest.approx(float(expected), rel=1e-9)
    assert model.validation_loss_curve_.min() == model.validation_loss_curve_[model.best_epoch_ - 1]
    assert model.temperature_ != pytest.approx(0.07, rel=1e-3)


# ---- what it learns


def test_held_out_images_find_their_places(fitted):
    retrieval = fitted.retrieval_
    assert retrieval["k"].tolist() == [1, 5, 10]
    assert_allclose(retrieval["chance"], [1 / 20, 5 / 20, 10 / 20])
    for way in ("image_to_place", "place_to_image"):
        assert retrieval[way][0] > 10 * retrieval["chance"][0]
        assert (np.diff(retrieval[way]) >= 0).all()


def test_score_and_similarity_by_brute_force(fitted):
    places, images = embeddings(fitted, PLACES, IMAGES)
    table = places @ images.T
    assert_allclose(fitted.similarity(PLACES, IMAGES), table, rtol=0, atol=1e-5)
    assert fitted.score(PLACES, IMAGES) == np.mean(table.argmax(axis=0) == np.arange(200))
    assert 0.5 < fitted.score(PLACES, IMAGES) < 1.0
    single = fitted.similarity(PLACES.astype(np.float32), IMAGES[:3])
    assert single.dtype == np.float32
    assert single.shape == (200, 3)


def test_locate_by_brute_force(fitted, monkeypatch):
    candidates = fibonacci_lattice(999)
    table = fitted.similarity(candidates, IMAGES[:6])
    expected = np.argsort(-table, axis=0, kind="stable")[:4].T
    monkeypatch.setattr("skgeo.nn._retrieval._VALUES_PER_BLOCK", 100)  # so that there are many blocks
    indices, similarity = fitted.locate(IMAGES[:6], candidates, k=4)
    assert_array_equal(indices, expected)
    assert_allclose(similarity, np.take_along_axis(table, expected.T, axis=0).T, rtol=0, atol=1e-6)
    (nearest,), _ = fitted.locate(IMAGES[:1], LatLonGrid([0.0, 89.0], [0.0, 90.0]), k=1)
    assert nearest[0] in range(4)


def test_missing_candidates_come_last(fitted):
    model = clone(fitted).set_params(missing="nan", max_epochs=2).fit(PLACES, IMAGES)
    gaps = np.vstack([[np.nan, np.nan], PLACES[:2]])
    indices, similarity = model.locate(IMAGES[:1], gaps, k=3)
    assert indices[0, -1] == 0
    assert similarity[0, -1] == -np.inf
    assert np.isnan(model.similarity(gaps, IMAGES[:1])[0]).all()
    assert np.isnan(model.transform(gaps)[0]).all()


def test_missing_places_stay_missing_if_network_takes_nan(fitted):
    model = clone(fitted).set_params(network=WithoutNaN, missing="nan", max_epochs=2).fit(PLACES, IMAGES)
    gaps = np.vstack([[np.nan, np.nan], [0.0, np.nan], PLACES[:2]])
    for values in (model.similarity(gaps, IMAGES[:2]), model.transform(gaps)):
        assert np.isnan(values).all(axis=1).tolist() == [True, True, False, False]
    indices, similarity = model.locate(IMAGES[:1], gaps, k=4)
    assert sorted(indices[0, 2:]) == [0, 1]
    assert_array_equal(similarity[0, 2:], -np.inf)


@pytest.mark.parametrize("n_samples", [4, 9])
def test_two_pairs_are_held_out_at_least(n_samples):
    # one alone has a loss of zero from the first epoch on, after which nothing would be learned
    model = encoder(max_epochs=3).fit(PLACES[:n_samples], IMAGES[:n_samples])
    assert model.retrieval_["chance"].tolist() == [0.5, 1.0, 1.0]
    assert (model.validation_loss_curve_ > 0.0).all()


def test_equal_places_count_by_chance():
    model = encoder(max_epochs=2).fit(PLACES, IMAGES)
    assert model.score(np.repeat([[10.0, 20.0]], 8, axis=0), IMAGES[:8]) == pytest.approx(1 / 8)


def test_missing_pairs_and_masked_cells_are_left_out():
    gaps, images = np.vstack([PLACES, [[np.nan, 3.0]]]), np.vstack([IMAGES, IMAGES[:1]])
    model = encoder(missing="nan").fit(gaps, images)
    assert_array_equal(model.transform(PLACES), encoder(missing="nan").fit(PLACES, IMAGES).transform(PLACES))
    latitude, longitude = np.arange(-80.0, 90, 20), np.arange(0.0, 360, 30)
    mask = np.ones((9, 12), dtype=bool)
    mask[:3] = False
    grid = LatLonGrid(latitude, longitude, mask=mask)
    of_cells = images_of(grid.points())
    model = encoder().fit(grid, of_cells)
    kept = mask.ravel()
    assert_array_equal(model.transform(PLACES), encoder().fit(grid.points()[kept], of_cells[kept]).transform(PLACES))


# ---- a transformer


def test_it_is_a_step_of_a_pipeline(fitted):
    frame = pd.DataFrame(PLACES[:, ::-1], columns=["lon", "lat"])
    model = clone(fitted).set_params(max_epochs=3).set_output(transform="pandas")
    assert model.fit_transform(frame, IMAGES).columns.tolist() == [f"contrastive{i}" for i in range(8)]
    pipeline = make_pipeline(encoder(max_epochs=3), Ridge())
    search = GridSearchCV(pipeline, {"ridge__alpha": [0.1, 1.0]}, cv=2, error_score="raise").fit(PLACES, IMAGES)
    assert search.predict(PLACES).shape == IMAGES.shape


def test_a_learned_embedding_is_the_encoder_of_another_model():
    # in a process of its own, which can be stopped: it used to wait for itself
    code = (
        "from sklearn.frozen import FrozenEstimator\n"
        "from skgeo.datasets import fibonacci_lattice\n"
        "from skgeo.nn import ContrastiveLocationEncoder, LocationClassifier\n"
        "places = fibonacci_lattice(200)\n"
        "encoder = ContrastiveLocationEncoder(embed_dim=8, hidden_dim=16, max_epochs=1, random_state=0)\n"
        "frozen = FrozenEstimator(encoder.fit(places, places))\n"
        "model = LocationClassifier(frozen, 'linear', max_epochs=2).fit(places, places[:, 0] > 0)\n"
        "assert model.predict(places).shape == (200,)\n"
    )
    run_python(code)


def test_chunks_grids_and_precision(fitted):
    expected = fitted.transform(PLACES)
    assert_allclose(fitted.transform(da.from_array(PLACES, chunks=(33, 2))).compute(), expected, rtol=0, atol=1e-5)
    assert fitted.transform(PLACES.astype(np.float32)).dtype == np.float32
    grid = LatLonGrid([-30.0, 30.0], [0.0, 90.0, 180.0])
    assert_array_equal(fitted.transform(grid), fitted.transform(grid.points()))
    images = np.random.default_rng(0).normal(size=(4, fitted.feature_mean_.size))
    latitude, longitude = np.meshgrid([-30.0, 0.0, 30.0], [0.0, 90.0], indexing="ij")
    cells = CellGrid(latitude, longitude)
    chunked = CellGrid(*(da.from_array(degrees, chunks=(2, 1)) for degrees in (latitude, longitude)))
    assert_array_equal(fitted.similarity(chunked, images), fitted.similarity(cells, images))
    assert_array_equal(fitted.locate(images, chunked, 3), fitted.locate(images, cells, 3))
    twin = fitted.to_torch()
    assert_allclose(twin(torch.tensor(PLACES)).detach().numpy(), expected, rtol=0, atol=1e-6)


def test_files_come_back_bit_for_bit(fitted, tmp_path):
    path = tmp_path / "model.npz"
    skgeo.save(fitted, path)
    loaded = skgeo.load(path)
    assert_array_equal(loaded.transform(PLACES), fitted.transform(PLACES))
    assert loaded.score(PLACES, IMAGES) == fitted.score(PLACES, IMAGES)
    assert loaded.retrieval_["image_to_place"].tolist() == fitted.retrieval_["image_to_place"].tolist()
    # In a new process, which has not imported skgeo.nn.
    code = f"import sys, skgeo; assert 'torch' not in sys.modules; print(skgeo.load({os.fspath(path)!r}).temperature_)"
    assert float(run_python(code)) == fitted.temperature_


def test_seeds_and_the_generator_of_torch(fitted):
    state = torch.random.get_rng_state()
    again = clone(fitted).fit(PLACES, IMAGES)
    again.transform(PLACES)
    assert_array_equal(torch.random.get_rng_state(), state)
    assert_array_equal(again.transform(PLACES), fitted.transform(PLACES))
    other = clone(fitted).set_params(random_state=1, max_epochs=2).fit(PLACES, IMAGES)
    assert (other.transform(PLACES) != fitted.transform(PLACES)).any()


def test_networks_of_any_kind():
    for network in ("linear", "fcnet", "mlp", lambda n_inputs, n_outputs: SirenNet(n_inputs, n_outputs, 8)):
        model = ContrastiveLocationEncoder("cartesian3d", network, embed_dim=5, max_epochs=2).fit(PLACES, IMAGES)
        assert model.transform(PLACES).shape == (200, 5)


# ---- going on from a checkpoint


class StopRunError(Exception):
    pass


def interrupt(monkeypatch, epochs):
    """Stop the process, as it were, in the middle of an epoch."""
    import skgeo.nn._training as training

    run, count = training._train_epoch, iter(range(epochs))

    def some(*arguments):
        if next(count, None) is None:
            raise StopRunError
        return run(*arguments)

    monkeypatch.setattr(training, "_train_epoch", some)


@pytest.mark.parametrize("epochs", [1, 4, 9])
@pytest.mark.parametrize("options", [{}, {"patience": None}, {"keep": "last"}, {"network": "fcnet", "batch_size": 50}])
def test_going_on_gives_the_bits_of_one_run(epochs, options, tmp_path, monkeypatch):
    model = encoder(**({"max_epochs": 10, "patience": 5} | options))
    expected = clone(model).fit(PLACES, IMAGES)
    with monkeypatch.context() as patched:
        interrupt(patched, epochs)
        with pytest.raises(StopRunError):
            clone(model).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")
    resumed = clone(model).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")
    for name, values in expected.weights_.items():
        assert_array_equal(resumed.weights_[name], values)
    assert_array_equal(resumed.loss_curve_, expected.loss_curve_)
    assert_array_equal(resumed.validation_loss_curve_, expected.validation_loss_curve_)
    assert (resumed.n_epochs_, resumed.best_epoch_) == (expected.n_epochs_, expected.best_epoch_)


def test_a_finished_run_goes_on_with_more_epochs(tmp_path):
    encoder(max_epochs=3).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")
    longer = encoder(max_epochs=6).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")
    assert_array_equal(longer.transform(PLACES), encoder(max_epochs=6).fit(PLACES, IMAGES).transform(PLACES))


def test_without_a_seed_the_checkpoint_has_it(tmp_path, monkeypatch):
    model = encoder(random_state=None, max_epochs=5)
    with monkeypatch.context() as patched:
        interrupt(patched, 2)
        with pytest.raises(StopRunError):
            clone(model).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")
    resumed = clone(model).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")
    seed = resumed._seed
    expected = clone(model).set_params(random_state=seed).fit(PLACES, IMAGES)
    assert_array_equal(resumed.transform(PLACES), expected.transform(PLACES))


@pytest.mark.parametrize(
    "change",
    [
        lambda model, path: model.set_params(learning_rate=0.1).fit(PLACES, IMAGES, checkpoint=path),
        lambda model, path: model.set_params(random_state=7).fit(PLACES, IMAGES, checkpoint=path),
        lambda model, path: model.fit(PLACES + 1e-9, IMAGES, checkpoint=path),
        lambda model, path: model.fit(PLACES, IMAGES + 1e-9, checkpoint=path),
        lambda model, path: model.fit(PLACES, IMAGES.astype(np.float32), checkpoint=path),
        lambda model, path: model.set_params(batch_size=np.int64(20)).fit(PLACES, IMAGES, checkpoint=path),
        lambda model, path: model.set_params(encoder=SphericalHarmonics(4)).fit(PLACES, IMAGES, checkpoint=path),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(change, tmp_path):
    path = tmp_path / "state.npz"
    encoder(max_epochs=2).fit(PLACES, IMAGES, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to a training with other parameters, data or random_state"):
        change(encoder(max_epochs=2), path)


def linear(value):
    """A network with weights of its own."""
    network = torch.nn.Linear(16, 8)
    torch.nn.init.constant_(network.weight, value)
    return network


@pytest.mark.parametrize(
    ("parameter", "one", "other"),
    [
        ("batch_size", np.int64(50), np.int64(100)),
        ("encoder", *(FrozenEstimator(SphericalHarmonics(3, spectrum=s).fit(PLACES)) for s in (None, "matern"))),
        ("encoder", *(SphericalHarmonics(3, spectrum=np.array([1.0, *rest])) for rest in ([1, 1, 1], [1, 2, 3]))),
        ("network", linear(0.1), linear(0.2)),
        (
            "network",
            *(
                lambda n, k, f=f: torch.nn.Sequential(torch.nn.Linear(n, k), f())
                for f in (torch.nn.ReLU, torch.nn.Tanh)
            ),
        ),
    ],
)
def test_checkpoint_tells_apart_objects_of_one_name(parameter, one, other, tmp_path):
    path = tmp_path / "state.npz"
    encoder(max_epochs=1, **{parameter: one}).fit(PLACES, IMAGES, checkpoint=path)
    encoder(max_epochs=2, **{parameter: one}).fit(PLACES, IMAGES, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to a training with other parameters, data or random_state"):
        encoder(max_epochs=3, **{parameter: other}).fit(PLACES, IMAGES, checkpoint=path)


def test_a_checkpoint_knows_the_order_of_the_features(tmp_path):
    # the mean and the deviation of integers do not depend on their order
    path, images = tmp_path / "state.npz", np.round(images_of(PLACES) / 10.0 ** np.arange(-3, 5) * 64)
    held_out = {"X_val": PLACES[:20], "y_val": images[:20]}
    encoder(max_epochs=1).fit(PLACES, images, checkpoint=path, **held_out)
    for changed in ((images[::-1], held_out), (images, held_out | {"y_val": images[19::-1]})):
        with pytest.raises(ValueError, match="belongs to a training with other parameters, data or random_state"):
            encoder(max_epochs=1).fit(PLACES, changed[0], checkpoint=path, **changed[1])


def test_fewer_epochs_than_a_checkpoint_has_are_refused(tmp_path):
    encoder(max_epochs=3).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")
    with pytest.raises(ValueError, match=r"max_epochs=2: checkpoint=.* has 3 finished epochs: expected this number or"):
        encoder(max_epochs=2).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")


def test_a_damaged_checkpoint_is_refused_and_the_model_stays(fitted, tmp_path):
    path, model = tmp_path / "state.npz", clone(fitted).set_params(max_epochs=2)
    model.fit(PLACES, IMAGES, checkpoint=path)
    before = model.transform(PLACES)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="cut short or damaged"):
        model.fit(PLACES, IMAGES, checkpoint=path)
    skgeo.save(SphericalHarmonics(2), path)
    with pytest.raises(ValueError, match="holds a SphericalHarmonics: expected a file that fit has written"):
        model.fit(PLACES, IMAGES, checkpoint=path)
    assert_array_equal(model.transform(PLACES), before)


# ---- where features come from


def sources(folder):
    array = IMAGES.astype(np.float32)
    np.save(folder / "features.npy", array)
    parts = [array[:90], array[90:]]
    yield "memory-mapped", np.load(folder / "features.npy", mmap_mode="r"), {}
    yield "frame", pd.DataFrame(array), {}
    yield "tensor", torch.tensor(array), {}
    yield "lists", array.tolist(), {}
    yield "list of batches", parts, {}
    yield "generator of tensors", (torch.tensor(part) for part in parts), {}
    yield "generator into a file", iter(parts), {"folder": folder}
    identity = torch.nn.Identity()
    data = torch.utils.data.TensorDataset(torch.tensor(array))
    yield "dataset and model", data, {"image_encoder": identity, "folder": folder}
    yield "loader and model", torch.utils.data.DataLoader(data, batch_size=64), {"image_encoder": identity}
    yield "dicts and model", [{"image": torch.tensor(part)} for part in parts], {"image_encoder": identity}


@pytest.mark.parametrize("which", range(10))
def test_features_from_anywhere_give_the_same_bits(which, tmp_path):
    listed = list(sources(tmp_path))
    assert len(listed) == 10
    _, given, options = listed[which]
    files = set(os.listdir(tmp_path))
    exact = IMAGES.astype(np.float32)
    expected = encoder(max_epochs=2).fit(PLACES, exact.astype(np.float64) if which == 3 else exact)
    model = encoder(max_epochs=2).fit(PLACES, given, **options)
    assert_array_equal(model.transform(PLACES), expected.transform(PLACES))
    assert set(os.listdir(tmp_path)) == files


@pytest.mark.parametrize(("offset", "factor"), [(1e8, 1.0), (0.0, 1e-42), (0.0, 1e42)])
def test_the_units_of_features_do_not_matter(offset, factor):
    images = IMAGES / 10.0 ** np.arange(-3, 5)
    expected = encoder(max_epochs=5).fit(PLACES, images)
    model = encoder(max_epochs=5).fit(PLACES, images * factor + offset)
    assert_allclose(model.transform(PLACES), expected.transform(PLACES), rtol=0, atol=1e-4)
    assert_allclose(
        model.similarity(PLACES[:5], images * factor + offset), expected.similarity(PLACES[:5], images), atol=1e-4
    )


def test_half_precision_of_torch_is_read():
    features = torch.tensor(IMAGES[:, :3]).bfloat16()
    expected = features.float().numpy()
    assert_array_equal(compute_features([features], torch.nn.Identity()), expected)
    model = encoder(max_epochs=1).fit(PLACES, features)
    assert_array_equal(model.transform(PLACES), encoder(max_epochs=1).fit(PLACES, expected).transform(PLACES))


def test_the_image_model_is_frozen_and_left_as_it_was():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout(), torch.nn.Flatten()
    )
    model[2].eval()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    images = torch.rand(10, 1, 5, 5)
    features = compute_features([images[:7], images[7:]], model)
    assert [module.training for module in model] == [True, True, False, True]
    for name, values in model.state_dict().items():
        assert_array_equal(values, before[name])
    assert_array_equal(compute_features((images[:7], images[7:]), model), features)
    assert_allclose(features, model.eval()(images).detach().numpy(), rtol=1e-5, atol=1e-6)
    pooled = compute_features(images, torch.nn.AdaptiveAvgPool2d(1), batch_size=3)
    assert_allclose(pooled, images.mean(dim=(2, 3)).numpy(), rtol=1e-6)


class Images(IterableDataset):
    """Ten images, one after another."""

    def __iter__(self):
        return iter(torch.arange(10.0)[:, np.newaxis])


class Reversed(DataLoader):
    def __iter__(self):
        return iter(list(super().__iter__())[::-1])


class Every(Sampler):
    """Knows nothing but how many there are."""

    def __iter__(self):
        return iter(range(10))


class Sorted(SequentialSampler):
    def __iter__(self):
        return iter(range(9, -1, -1))


TEN = torch.arange(10.0)[:, np.newaxis]
IN_ORDER = {
    "plain": lambda: DataLoader(TEN, 4),
    "one by one": lambda: DataLoader(TEN),
    "drops nothing": lambda: DataLoader(TEN, 5, drop_last=True),
    "sampler": lambda: DataLoader(TEN, 4, sampler=SequentialSampler(TEN)),
    "range": lambda: DataLoader(TEN, batch_sampler=BatchSampler(range(10), 4, False)),
    "batch sampler": lambda: DataLoader(TEN, batch_sampler=BatchSampler(SequentialSampler(TEN), 3, False)),
    "batches of indices": lambda: DataLoader(
        TEN, batch_size=None, sampler=BatchSampler(SequentialSampler(TEN), 3, False)
    ),
    "iterable": lambda: DataLoader(Images(), 4),
    "progress": lambda: tqdm(DataLoader(TEN, 4), disable=True),
    "iterator": lambda: iter(DataLoader(TEN, 4)),
    "generator": lambda: (batch for batch in DataLoader(TEN, 4)),
    "subset": lambda: DataLoader(Subset(torch.arange(20.0)[:, np.newaxis], range(10)), 4),
    "pipe": lambda: DataLoader(IterableWrapper(TEN).map(torch.abs), 4),
    "pipe with its shuffling off": lambda: DataLoader(IterableWrapper(TEN).shuffle().set_shuffle(False), 4),
}


@pytest.mark.parametrize("what", IN_ORDER)
def test_loaders_in_order_are_read(what):
    assert_array_equal(compute_features(IN_ORDER[what](), torch.nn.Identity()), TEN)


@pytest.mark.parametrize(
    "loader",
    [lambda: DataLoader(TEN, 3, num_workers=2), lambda: DataLoader(Images(), 4, num_workers=1)],
    ids=["workers", "iterable with one worker"],
)
def test_workers_in_order_are_read(loader):
    assert_array_equal(compute_features(loader(), torch.nn.Identity()), TEN)


OUT_OF_ORDER = {
    "shuffle": (lambda: DataLoader(TEN, 4, shuffle=True), "a sampler of type RandomSampler"),
    "subset": (
        lambda: DataLoader(TEN, sampler=SubsetRandomSampler(range(10))),
        "a sampler of type SubsetRandomSampler",
    ),
    "weights": (
        lambda: DataLoader(TEN, sampler=WeightedRandomSampler([1.0] * 10, 10)),
        "a sampler of type WeightedRandomSampler",
    ),
    "distributed": (
        lambda: DataLoader(TEN, sampler=DistributedSampler(TEN, 2, 0, shuffle=False)),
        "a sampler of type DistributedSampler",
    ),
    "own": (lambda: DataLoader(TEN, sampler=Every()), "a sampler of type Every"),
    "own sequential": (lambda: DataLoader(TEN, sampler=Sorted(TEN)), "a sampler of type Sorted"),
    "list": (lambda: DataLoader(TEN, sampler=[3, 1, 2]), "a sampler of type list"),
    "backwards": (lambda: DataLoader(TEN, sampler=range(9, -1, -1)), "a sampler of type range"),
    "lists": (lambda: DataLoader(TEN, batch_sampler=[[3, 1], [2]]), "a sampler of type list"),
    "batches": (
        lambda: DataLoader(TEN, batch_sampler=BatchSampler(RandomSampler(TEN), 4, False)),
        "a sampler of type RandomSampler",
    ),
    "batches of indices": (
        lambda: DataLoader(TEN, batch_size=None, sampler=BatchSampler(RandomSampler(TEN), 4, False)),
        "a sampler of type RandomSampler",
    ),
    "drops": (lambda: DataLoader(TEN, 4, drop_last=True), "drop_last=True, which leaves out 2 of them"),
    "iterable that drops": (lambda: DataLoader(Images(), 4, drop_last=True), "drop_last=True"),
    "iterable": (lambda: DataLoader(Images(), 4, num_workers=2), "an IterableDataset and num_workers=2"),
    "own loader": (lambda: Reversed(TEN, 4), r"an __iter__ of its own \(Reversed\)"),
    "progress": (lambda: tqdm(DataLoader(TEN, shuffle=True), disable=True), "a sampler of type RandomSampler"),
    "iterator": (lambda: iter(DataLoader(TEN, shuffle=True)), "a sampler of type RandomSampler"),
    "pipe": (lambda: DataLoader(IterableWrapper(TEN).shuffle().map(torch.abs), 4), "a data pipe that shuffles"),
    "bare pipe": (lambda: IterableWrapper([TEN]).shuffle(), "a data pipe that shuffles"),
}


@pytest.mark.parametrize("what", OUT_OF_ORDER)
def test_loaders_that_may_change_the_order_are_refused(what):
    loader, found = OUT_OF_ORDER[what]
    message = (
        rf"images is a DataLoader with {found}: .* another order than the places. "
        r"Expected DataLoader\(dataset, batch_size=64"
    )
    with pytest.raises(ValueError, match=message):
        compute_features(loader(), torch.nn.Identity())


def test_workers_that_answer_as_they_are_ready_are_refused():
    if "in_order" not in inspect.signature(DataLoader).parameters:
        pytest.skip("torch 2.6 brought in_order")
    with pytest.raises(
        ValueError, match="images is a DataLoader with in_order=False and num_workers=2: the images may be"
    ):
        compute_features(DataLoader(TEN, 3, num_workers=2, in_order=False), torch.nn.Identity())


@pytest.mark.parametrize("batch_size", [1, 2, 8, 179])
def test_batch_norm_trains_whatever_is_left_over(batch_size):
    # 180 of the pairs are trained on
    def network(n_inputs, n_outputs):
        return torch.nn.Sequential(torch.nn.Linear(n_inputs, n_outputs), torch.nn.BatchNorm1d(n_outputs))

    model = encoder(network=network, batch_size=batch_size, max_epochs=1).fit(PLACES, IMAGES)
    assert np.isfinite(model.transform(PLACES)).all()
    assert encoder(network=network, max_epochs=1, patience=None).fit(PLACES[:3], IMAGES[:3]).n_epochs_ == 1


# ---- what is refused


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"embed_dim": 0}, "embed_dim=0: expected a positive integer"),
        ({"temperature": 0.001}, "temperature=0.001: expected a number, at least 0.01"),
        ({"network": "vit"}, "network='vit': expected"),
        ({"encoder": "sphere"}, "encoder='sphere': expected"),
        ({"batch_size": 0}, "batch_size=0: expected a positive integer"),
        ({"missing": "mean"}, "missing='mean': expected 'error' or 'nan'"),
    ],
)
def test_parameters_are_checked_in_fit(parameters, message):
    with pytest.raises(ValueError, match=message):
        encoder(**parameters).fit(PLACES, IMAGES)


def test_features_that_do_not_fit_are_refused_and_change_nothing(fitted):
    before = fitted.transform(PLACES)
    bad = IMAGES.copy()
    bad[7, 3] = np.inf
    with pytest.raises(ValueError, match="y has NaN or infinite numbers, first in row 7"):
        fitted.fit(PLACES, bad)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted.fit(PLACES, IMAGES[:-1])
    with pytest.raises(ValueError, match="y_val has 7 features of each image: expected 8, as in fit"):
        fitted.fit(PLACES, IMAGES, X_val=PLACES, y_val=IMAGES[:, :7])
    with pytest.raises(ValueError, match="y_val is None: expected both X_val and y_val"):
        fitted.fit(PLACES, IMAGES, X_val=PLACES)
    with pytest.raises(ValueError, match=r"a batch of features has shape \(3, 4\)"):
        fitted.fit(PLACES, iter([np.ones((3, 8)), np.ones((3, 4))]))
    with pytest.raises(ValueError, match="there are no batches of features"):
        fitted.fit(PLACES, iter([]))
    shuffled = torch.utils.data.DataLoader(torch.ones(200, 8), shuffle=True)
    for options in ({"image_encoder": torch.nn.Identity()}, {}):  # images, and features of them
        with pytest.raises(ValueError, match="images is a DataLoader with a sampler of type RandomSampler: the"):
            fitted.fit(PLACES, shuffled, **options)
    with pytest.raises(ValueError, match="X_val has 1 sample: expected at least two"):
        fitted.fit(PLACES, IMAGES, X_val=PLACES[:1], y_val=IMAGES[:1])
    with pytest.raises(ValueError, match="a batch is a dict without images"):
        fitted.fit(PLACES, [{"label": 1}], image_encoder=torch.nn.Identity())
    with pytest.raises(ValueError, match=r"n_samples=1\) to learn from: expected at least two places"):
        fitted.fit(PLACES[:2], IMAGES[:2])
    with pytest.raises(ValueError, match="k=201: expected an integer from 1 to the number of candidates, 200"):
        fitted.locate(IMAGES, PLACES, k=201)
    with pytest.raises(ValueError, match="image_features has 3 features of each image: expected 8"):
        fitted.similarity(PLACES, IMAGES[:, :3])
    for use in (fitted.score, fitted.similarity, lambda places, images: fitted.locate(images, places)):
        with pytest.raises(ValueError, match=r"image_features=None: expected shape \(n_images, n_image_features\)"):
            use(PLACES, None)
    assert_array_equal(fitted.transform(PLACES), before)


def test_the_checkpoint_holds_no_code(tmp_path):
    encoder(max_epochs=1).fit(PLACES, IMAGES, checkpoint=tmp_path / "state.npz")
    with np.load(tmp_path / "state.npz", allow_pickle=False) as stored:
        metadata = json.loads(stored["skgeo.json"])
    assert metadata["objects"][-1]["class"] == "skgeo.nn.TrainingState"


def other(state, key, change):
    """The state of a checkpoint with one part changed."""
    return state | {key: change(state[key])}


@pytest.mark.parametrize(
    ("key", "change", "reason"),
    [
        ("weights", lambda weights: {}, r"weights_ has \[\]: expected"),
        ("weights", lambda weights: {name: values[np.newaxis] for name, values in weights.items()}, "has shape"),
        ("moments", lambda moments: dict(list(moments.items())[1:]), "_moments are not those of"),
        ("moments", lambda moments: {name: -abs(values) - 1 for name, values in moments.items()}, "below zero"),
        ("validation_losses", lambda losses: [0.5, 0.5, 0.5], "1 losses, 3 of validation"),
        ("best", lambda best: (best[0], 7, best[2]), "the best epoch 7"),
        ("generators", lambda generators: {}, "no random numbers of the CPU"),
        ("generators", lambda generators: {"cpu": generators["cpu"][:9]}, "holds no model that this skgeo can build"),
    ],
)
def test_forged_states_are_refused(key, change, reason, tmp_path):
    path = tmp_path / "state.npz"
    encoder(max_epochs=1).fit(PLACES, IMAGES, checkpoint=path)
    kept = skgeo.load(path)
    skgeo.save(type(kept)(**vars(kept) | {"state": other(kept.state, key, change)}), path)
    with pytest.raises(ModelFileError, match=reason):
        encoder(max_epochs=2).fit(PLACES, IMAGES, checkpoint=path)
