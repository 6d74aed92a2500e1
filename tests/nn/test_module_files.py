"""Safetensors files of torch modules: read and forged with json, hashlib and struct alone, as the docstring says."""

import hashlib
import json
import os
import random
import struct
import sys
import time

import joblib
import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.testing import assert_array_equal

import skgeo
from processes import run_python
from samples import GRID, PATCHES
from skgeo import PatchPositionEncoder, PatchScaleFeaturizer, SphericalHarmonicPCA, __version__
from skgeo import nn as geo_nn
from skgeo.encoders import RadialBasisEncoder, SphereMEncoder, WrapEncoder
from skgeo.exceptions import ModelFileError, VersionWarning
from skgeo.nn import GreatCircleBias, HarmonicPCA, PatchPosition, PatchProjectionHead, PatchScale

FEATURES = np.random.default_rng(0).normal(size=(7, 13))


def trained_head():
    """A head with statistics, columns out of order, and parameters that no initialisation gives."""
    torch.manual_seed(0)
    transformers = [PatchScaleFeaturizer().fit(PATCHES), PatchPositionEncoder(SphericalHarmonicPCA(1)).fit(PATCHES)]
    head = PatchProjectionHead.from_transformers(transformers, PATCHES, embed_dim=4, hidden_dim=5)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.1)
    head(torch.from_numpy(FEATURES)).square().sum().backward()
    optimizer.step()
    return head


def location_encoder(**units):
    network = geo_nn.SirenNet(25, 2, hidden_dim=4)
    return geo_nn.LocationEncoder(geo_nn.Harmonics(4, spectrum="matern"), network, **units)


MODULES = {
    "head": (trained_head, FEATURES),
    "head in bfloat16": (lambda: trained_head().bfloat16(), FEATURES),
    "head in float64": (lambda: trained_head().double().eval(), FEATURES),
    "harmonics": (lambda: SphericalHarmonicPCA(4, 20).fit(GRID).to_torch(), GRID.points()),
    "harmonics in float32": (lambda: SphericalHarmonicPCA(2, clip=None).fit(GRID).to_torch().float(), GRID.points()),
    "harmonics, numpy's clip": (lambda: HarmonicPCA(np.eye(4), clip=np.float32(0.1)), GRID.points()),
    "position of patches": (lambda: PatchPosition(np.eye(9), clip=2.0), PATCHES),
    "attention bias": (lambda: GreatCircleBias(3), PATCHES),
    "attention bias, numpy's widths": (lambda: GreatCircleBias(*np.int8([3, 5])).bfloat16(), PATCHES),
    "encoder": (lambda: geo_nn.EncoderModule(SphereMEncoder(3, plus=True, periodic=True)), GRID.points()),
    "encoder with anchors": (lambda: RadialBasisEncoder(3000.0).fit([[10.0, 20.0]]).to_torch(), GRID.points()),
    "encoder without scales": (lambda: geo_nn.EncoderModule(WrapEncoder()), GRID.points()),
    "plain harmonics": (lambda: geo_nn.Harmonics(5, min_degree=2, spectrum="matern"), GRID.points()),
    "plain harmonics in float32": (lambda: geo_nn.Harmonics(3).float(), GRID.points()),
    "linear": (lambda: geo_nn.Linear(13, 2), FEATURES.astype(np.float32)),
    "residual network": (lambda: geo_nn.FcNet(13, 2, 5, 3, dropout=0.25).eval(), FEATURES.astype(np.float32)),
    "siren": (lambda: geo_nn.SirenNet(13, 2, 5, 3, first_w0=10, w0=2.0).double(), FEATURES),
    "perceptron": (lambda: geo_nn.MLP(13, 2, hidden_dim=5).eval(), FEATURES.astype(np.float32)),
    "location encoder": (lambda: location_encoder(mean=[1.0, 2.0], scale=[3.0, 4.0]), GRID.points()),
    "location encoder with one unit": (lambda: location_encoder(scale=[3.0, 4.0]), GRID.points()),
    "location encoder with one mean": (lambda: location_encoder(mean=[1.0, 2.0]), GRID.points()),
    "location encoder without units": (lambda: location_encoder().half().float(), GRID.points()),
    "head, numpy's widths": (lambda: PatchProjectionHead(*np.int8([3, 10, 100])), FEATURES),
    "linear, numpy's widths": (lambda: geo_nn.Linear(*np.int64([13, 2])), FEATURES.astype(np.float32)),
    "residual network, numpy's widths": (
        lambda: geo_nn.FcNet(*np.int64([13, 2, 5, 3])).eval(),
        FEATURES.astype(np.float32),
    ),
    "siren, numpy's widths": (lambda: geo_nn.SirenNet(*np.int64([13, 2, 5, 3])), FEATURES.astype(np.float32)),
    "perceptron, numpy's widths": (lambda: geo_nn.MLP(*np.int64([13, 2, 5, 3])), FEATURES.astype(np.float32)),
    "scale": (PatchScale, PATCHES),
    "scale of the Moon": (lambda: PatchScale(1_737_400.0, log=False), PATCHES),
}


def assert_same(got, expected):
    assert type(got) is type(expected)
    assert repr(got) == repr(expected)
    assert got.training == expected.training
    tensors, others = got.state_dict(), expected.state_dict()
    assert list(tensors) == list(others)
    for name, tensor in tensors.items():
        assert (tensor.dtype, tensor.shape, tensor.device) == (
            others[name].dtype,
            others[name].shape,
            torch.device("cpu"),
        )
        assert tensor.flatten().view(torch.uint8).equal(others[name].flatten().view(torch.uint8))
    assert [(n, p.requires_grad) for n, p in got.named_parameters()] == [
        (n, p.requires_grad) for n, p in expected.named_parameters()
    ]


@pytest.mark.parametrize("which", MODULES)
def test_modules_come_back_bit_for_bit(which, tmp_path):
    make, X = MODULES[which]
    module = make()
    geo_nn.save(module, tmp_path / "module.safetensors")
    loaded = geo_nn.load(tmp_path / "module.safetensors")
    assert_same(loaded, module)
    assert_array_equal(loaded(torch.from_numpy(X)).detach().double(), module(torch.from_numpy(X)).detach().double())


def test_every_public_module_is_saved():
    public = [getattr(geo_nn, name) for name in geo_nn.__all__]
    classes = {cls for cls in public if isinstance(cls, type) and issubclass(cls, torch.nn.Module)}
    assert classes == {type(make()) for make, _ in MODULES.values()}


def test_training_goes_on(tmp_path):
    head = trained_head()
    geo_nn.save(head, tmp_path / "head.safetensors")
    loaded = geo_nn.load(tmp_path / "head.safetensors")
    for module in (head, loaded):
        module.zero_grad()
        module(torch.from_numpy(FEATURES)).square().sum().backward()
        torch.optim.SGD(module.parameters(), lr=0.1).step()
    assert_same(loaded, head)
    assert loaded.half().scale_mean.dtype == torch.float32  # statistics are never rounded below single precision


def test_loading_draws_no_random_numbers(tmp_path):
    geo_nn.save(trained_head(), tmp_path / "head.safetensors")
    state = torch.get_rng_state()
    geo_nn.load(tmp_path / "head.safetensors")
    assert torch.get_rng_state().equal(state)


def test_a_fresh_process_gets_the_same_bits(tmp_path):
    head = trained_head()
    geo_nn.save(head, tmp_path / "head.safetensors")
    np.save(tmp_path / "X.npy", FEATURES)
    code = (
        "import sys, numpy as np, torch, skgeo.nn\n"
        "torch.load = None\n"
        "head = skgeo.nn.load(sys.argv[1])\n"
        "np.save(sys.argv[3], head(torch.from_numpy(np.load(sys.argv[2]))).detach().numpy())\n"
    )
    run_python(code, tmp_path / "head.safetensors", tmp_path / "X.npy", tmp_path / "out.npy")
    expected = head(torch.from_numpy(FEATURES)).detach().numpy()
    assert np.load(tmp_path / "out.npy").tobytes() == expected.tobytes()


@pytest.fixture
def small(tmp_path):
    path, module = tmp_path / "small.safetensors", PatchProjectionHead(1, 1, 1, 1)
    geo_nn.save(module, path)
    return path, module


def read_by_hand(content):
    """The JSON header, the metadata of skgeo and the bytes of all tensors: 8 bytes of length, header, data."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["skgeo"]), content[8 + length :]


def test_the_file_is_what_the_docstring_says(small):
    path, module = small
    header, metadata, data = read_by_hand(path.read_bytes())
    assert list(header["__metadata__"]) == ["skgeo"]
    keys = ["format", "format_version", "skgeo_version", "objects", "training", "arrays", "sha256"]
    assert list(metadata) == keys
    assert all(f"``{key}``" in geo_nn.save.__doc__ for key in keys)
    assert metadata["format"] == "skgeo.nn module"
    assert (metadata["format_version"], metadata["skgeo_version"], metadata["training"]) == (1, __version__, True)
    arguments = {"n_position": 1, "n_scale": 1, "embed_dim": 1, "hidden_dim": 1}
    assert metadata["objects"] == [{"class": "skgeo.nn.PatchProjectionHead", "state": arguments}]
    assert metadata["arrays"].keys() == header.keys() - {"__metadata__"} == module.state_dict().keys()
    for name, described in metadata["arrays"].items():
        start, stop = header[name]["data_offsets"]
        tensor = module.state_dict()[name]
        assert data[start:stop] == tensor.numpy().tobytes()
        dtype = str(tensor.numpy().dtype)
        digest = hashlib.sha256(data[start:stop]).hexdigest()
        assert described == {"dtype": dtype, "shape": list(tensor.shape), "sha256": digest}
    seal = metadata.pop("sha256")
    assert seal == hashlib.sha256(json.dumps(metadata, separators=(",", ":")).encode()).hexdigest()


def test_other_readers_find_the_tensors(small):
    path, module = small
    tensors = safetensors.torch.load_file(path)
    assert tensors.keys() == module.state_dict().keys()
    assert all(tensors[name].equal(tensor) for name, tensor in module.state_dict().items())


def forge(path, edit=lambda metadata, header: None, *, seal=True, data=None):
    """Edit the metadata and the header of a file, and seal it anew."""
    header, metadata, content = read_by_hand(path.read_bytes())
    edit(metadata, header)
    if seal:
        metadata.pop("sha256", None)
        digest = hashlib.sha256(json.dumps(metadata, separators=(",", ":")).encode()).hexdigest()
        metadata["sha256"] = digest
    header["__metadata__"]["skgeo"] = json.dumps(metadata)
    text = json.dumps(header, separators=(",", ":")).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + (content if data is None else data))


def outcome(path):
    """The module of a file, or None where it is refused as it should be: naming the file."""
    try:
        return geo_nn.load(path)
    except ModelFileError as error:
        message = str(error)
    assert message.startswith(f"{path} ")
    return None


def assert_refused_or_same(content, path, module):
    path.write_bytes(content)
    loaded = outcome(path)
    if loaded is not None:
        assert_same(loaded, module)
    return loaded is None


def test_a_file_made_by_hand_is_read(small):
    path, module = small
    forge(path)
    assert_same(geo_nn.load(path), module)


def test_no_changed_byte_gives_another_module(small):
    path, module = small
    content = path.read_bytes()
    refused = np.zeros(len(content), dtype=bool)
    for position in range(len(content)):
        changed = bytearray(content)
        # Every byte is changed once: its last bit or all of its bits.
        changed[position] ^= (0x01, 0xFF)[position % 2]
        refused[position] = assert_refused_or_same(changed, path, module)
    assert refused.mean() > 0.99  # spaces that pad the header, and the like, are no content


def test_no_shortened_or_lengthened_file_gives_another_module(small):
    path, module = small
    content = path.read_bytes()
    for length in (*range(0, len(content), 5), *range(len(content) - 100, len(content))):
        assert assert_refused_or_same(content[:length], path, module)
    rng = random.Random(0)
    for _ in range(200):
        start, stop = sorted(rng.sample(range(len(content) + 1), 2))
        assert_refused_or_same(content[:start] + content[stop:], path, module)
        assert_refused_or_same(content[:stop] + content[start:], path, module)


def write_plain_safetensors(path):
    safetensors.torch.save_file({"a": torch.zeros(3)}, path)


def write_other_metadata(path):
    safetensors.torch.save_file({"a": torch.zeros(3)}, path, {"format": "pt"})


def write_text(path):
    path.write_text("lat,lon\n1,2\n")


def write_joblib(path):
    joblib.dump(PatchScaleFeaturizer(), path)


def write_torch(path):
    torch.save(PatchScale().state_dict(), path)


def write_npz(path):
    skgeo.save(PatchScaleFeaturizer(), path)


WRITERS = [write_plain_safetensors, write_other_metadata, write_text, write_joblib, write_torch, write_npz]


@pytest.mark.parametrize("write", WRITERS)
def test_files_of_others_are_refused(write, tmp_path):
    write(tmp_path / "module")
    with pytest.raises(ModelFileError, match=r"module is no file of a skgeo.nn module. skgeo.load reads.*joblib.load"):
        geo_nn.load(tmp_path / "module")


def test_a_module_is_no_estimator(small):
    with pytest.raises(ModelFileError, match=r"is no file of a skgeo model. skgeo.nn.load reads what skgeo.nn.save"):
        skgeo.load(small[0])


def test_empty_files_and_folders(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(ModelFileError, match="empty is empty. Copy it again"):
        geo_nn.load(tmp_path / "empty")
    with pytest.raises(OSError, match=tmp_path.name):
        geo_nn.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        geo_nn.load(tmp_path / "nowhere")


def test_a_truncated_file_says_so(small):
    path, _ = small
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"small.safetensors is cut short or damaged: .*Copy it again"):
        geo_nn.load(path)


def test_a_newer_format_says_what_to_update(small):
    path, _ = small
    forge(path, lambda metadata, _: metadata.update(format_version=2, skgeo_version="9.0"))
    with pytest.raises(ModelFileError, match=r"format version 2, written by skgeo 9.0; .* Update skgeo: pip install"):
        geo_nn.load(path)


def retype(_, header):
    header["layers.1.bias"]["dtype"] = "I32"


def reshape(_, header):
    header["layers.1.bias"]["shape"] = [1, 1]


def rename(_, header):
    header["layers.1.gain"] = header.pop("layers.1.bias")


def exchange(_, header):
    header["layers.1.bias"], header["layers.3.bias"] = header["layers.3.bias"], header["layers.1.bias"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (retype, "layers.1.bias is not what its SHA-256 says"),
        (reshape, "layers.1.bias is not what its SHA-256 says"),
        (rename, "layers.1.bias is missing"),
        (exchange, "layers.[13].bias is not what its SHA-256 says"),
        (lambda metadata, _: metadata.update(training=False), "its metadata is not what its SHA-256 says"),
        (lambda metadata, _: metadata["objects"][0]["state"].update(embed_dim=2), "its metadata is not what its SHA"),
    ],
)
def test_altered_files_are_refused(small, edit, message):
    path, _ = small
    forge(path, edit, seal=False)
    with pytest.raises(ModelFileError, match=f"was altered after it was saved: {message}"):
        geo_nn.load(path)


def test_added_tensors_are_refused(small):
    path, _ = small
    metadata = {"skgeo": json.dumps(read_by_hand(path.read_bytes())[1])}
    safetensors.torch.save_file(safetensors.torch.load_file(path) | {"more": torch.zeros(1)}, path, metadata)
    with pytest.raises(ModelFileError, match="was altered after it was saved: more was added"):
        geo_nn.load(path)


# Files made to do harm: sealed by their author, so that the hash is right


@pytest.mark.parametrize(
    "name", ["torch.nn.Linear", "os.system", "skgeo.nn.Nothing", "skgeo.SphericalHarmonicPCA", [], 1]
)
def test_only_listed_modules_are_built(name, small):
    path, _ = small
    forge(path, lambda metadata, _: metadata["objects"][0].update({"class": name}))
    with pytest.raises(
        ModelFileError, match=r"holds no model that this skgeo can build: .*pip install --upgrade skgeo"
    ):
        geo_nn.load(path)


@pytest.mark.parametrize(
    "arguments", [{"embed_dim": 2}, {"embed_dim": 10**9}, {"embed_dim": -1}, {"more": 1}, {"hidden_dim": "1"}], ids=str
)
def test_modules_that_do_not_fit_their_tensors_are_refused(arguments, small):
    path, _ = small
    forge(path, lambda metadata, _: metadata["objects"][0]["state"].update(arguments))  # 10**9: takes no memory
    assert outcome(path) is None


@pytest.mark.parametrize("key", ["objects", "training", "arrays", "skgeo_version"])
@pytest.mark.parametrize("value", [None, [], [{}], "text"], ids=str)
def test_metadata_of_no_meaning_are_refused(key, value, small):
    path, _ = small
    forge(path, lambda metadata, _: metadata.update({key: value}))
    if key == "skgeo_version":
        with pytest.warns(VersionWarning):
            geo_nn.load(path)
    else:
        assert outcome(path) is None
    forge(path, lambda metadata, _: metadata.pop(key))
    assert outcome(path) is None


def test_harmonics_of_huge_degree_are_refused_at_once(tmp_path):
    path = tmp_path / "twin.safetensors"
    geo_nn.save(HarmonicPCA(np.eye(4)), path)
    forge(path, lambda metadata, _: metadata["objects"][0]["state"].update(max_degree=10**4, n_components=10**8))
    assert outcome(path) is None


# Versions and saving


def test_a_file_of_another_version_warns(small):
    path, module = small
    forge(path, lambda metadata, _: metadata.update(skgeo_version="0.0.1"))
    with pytest.warns(VersionWarning, match=f"saved by skgeo 0.0.1 and is loaded by skgeo {__version__}") as record:
        loaded = geo_nn.load(path)
    assert [warning.filename for warning in record] == [__file__]
    assert_same(loaded, module)


class MyHead(PatchProjectionHead):
    pass


@pytest.mark.parametrize(
    "module",
    [torch.nn.Linear(2, 2), MyHead(1, 1, 1, 1), PatchScaleFeaturizer(), {}],
    ids=lambda module: type(module).__name__,
)
def test_other_modules_are_refused(module, small):
    path, _ = small
    before = path.read_bytes()
    message = rf"cannot be saved: it is a .*{type(module).__name__}. A file holds modules of skgeo.nn and numbers"
    with pytest.raises(TypeError, match=message) as caught:
        geo_nn.save(module, path)
    assert len(str(caught.value)) <= 300
    assert path.read_bytes() == before


def test_a_failed_save_leaves_the_old_file(small, monkeypatch):
    path, module = small

    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        geo_nn.save(PatchScale(), path)
    assert os.listdir(path.parent) == ["small.safetensors"]
    assert_same(geo_nn.load(path), module)


def test_without_safetensors_the_message_says_what_to_install(small, monkeypatch):
    for module in ("safetensors", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"skgeo.nn.save needs safetensors.*: pip install 'skgeo\[torch\]'"):
        geo_nn.save(PatchScale(), small[0])
    with pytest.raises(ImportError, match=r"skgeo.nn.load needs safetensors: pip install 'skgeo\[torch\]'"):
        geo_nn.load(small[0])


def forged(path, change):
    """Change metadata of a file, and seal it anew."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = json.loads(header["__metadata__"]["skgeo"])
    change(metadata)
    metadata.pop("sha256")
    digest = hashlib.sha256(json.dumps(metadata, separators=(",", ":")).encode()).hexdigest()
    header["__metadata__"]["skgeo"] = json.dumps(metadata | {"sha256": digest}, separators=(",", ":"))
    text = json.dumps(header, separators=(",", ":")).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda: geo_nn.Linear(4, 2), "n_inputs", 2**40),
        (lambda: geo_nn.SirenNet(4, 2, hidden_dim=3), "n_layers", 10**9),
        (lambda: geo_nn.MLP(4, 2, hidden_dim=3), "hidden_dim", 10**30),
        (lambda: geo_nn.Harmonics(2), "max_degree", 10**7),
        (lambda: geo_nn.PatchProjectionHead(3, 2, 4, 5), "n_position", 2**34),
    ],
)
def test_declared_sizes_are_compared_with_tensors_first(make, name, value, tmp_path):
    path = tmp_path / "module.safetensors"
    geo_nn.save(make(), path)
    forged(path, lambda metadata: metadata["objects"][-1]["state"].update({name: value}))
    start = time.process_time()
    with pytest.raises(ModelFileError, match=rf"it has {name}=\d+, and its tensors are smaller"):
        geo_nn.load(path)
    assert time.process_time() - start < 1


def test_modules_without_finite_numbers_are_not_saved(tmp_path):
    module = geo_nn.Linear(2, 1)
    torch.nn.init.constant_(module.bias, float("nan"))
    with pytest.raises(ValueError, match="bias has numbers that are not finite"):
        geo_nn.save(module, tmp_path / "module.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_module_file_with_another_hash_is_refused(tmp_path):
    path = tmp_path / "module.safetensors"
    geo_nn.save(geo_nn.Linear(2, 1), path)
    geo_nn.load(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ModelFileError, match="module.safetensors has the SHA-256"):
        geo_nn.load(path, sha256="0" * 64)
