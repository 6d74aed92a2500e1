"""Checkpoints of other projects that were damaged, or forged with right checksums, for hostile_files.py."""

import io
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from skgeo import nn

PLACES = np.array([[48.1, 11.6], [-90.0, 0.0], [10.0, 180.0]])
#: A value that unfolds to 2 ** 40 values, as a pickle without its end: a list that holds the last one twice.
BOMB = b"]" + b"q\x00h\x00h\x00\x86" * 40


class Checkpoint:
    """The bytes of a checkpoint, which can be changed. ``forged`` says whether its checksums are made anew."""

    def __init__(self, path):
        self.content, self.forged = Path(path).read_bytes(), False

    def change(self, rng):
        """Change one thing; returns what."""
        changes = [flip, flip, cut, zeros, repeat]
        members = self.members()
        name = next((name for name in members if name.endswith("data.pkl")), None)
        if name is not None and rng.random() < 0.5:
            members[name] = PICKLE_CHANGES[rng.integers(len(PICKLE_CHANGES))](members[name], rng)
            self.content, self.forged = packed(members), True
            return "another pickle"
        change = changes[rng.integers(len(changes))]
        self.content = change(self.content, rng)
        return change.__name__

    def members(self):
        """The members of a zip file by name; none if the file is of another kind, or damaged."""
        try:
            with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
                return {name: archive.read(name) for name in archive.namelist()}
        except Exception:  # zipfile raises a dozen types of errors
            return {}

    def write(self, path):
        Path(path).write_bytes(self.content)


def packed(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def flip(content, rng):
    """Other bits in one byte."""
    changed = bytearray(content)
    if changed:
        changed[rng.integers(len(changed))] ^= rng.integers(1, 256)
    return bytes(changed)


def cut(content, rng):
    """The end is missing."""
    return content[: rng.integers(len(content) + 1)]


def zeros(content, rng):
    """A block of zeros, as of a disk that lost it."""
    start = rng.integers(len(content) + 1)
    return content[:start] + bytes(len(content[start : start + 64])) + content[start + 64 :]


def repeat(content, rng):
    """A block stands there twice."""
    start = rng.integers(len(content) + 1)
    return content[: start + 64] + content[start:]


def other_number(content, rng):
    """A number of the pickle, such as a length or an index, is the largest of its kind."""
    places = [i for i, code in enumerate(content) if code in b"KMJ"]
    if not places:
        return content
    place = places[rng.integers(len(places))]
    length = {b"K": 1, b"M": 2, b"J": 4}[content[place : place + 1]]
    return content[: place + 1] + b"\xff" * (length - 1) + b"\x7f" + content[place + 1 + length :]


def bomb(content, rng):
    """A hyperparameter that would take all of the memory or time."""
    return b"\x80\x02}X\x01\x00\x00\x00a" + BOMB + b"s."


PICKLE_CHANGES = (flip, flip, other_number, other_number, repeat, zeros, bomb)


def satclip_state():
    rng = np.random.default_rng(0)
    shapes = {"layers.0.weight": (8, 9), "layers.0.bias": (8,), "last_layer.weight": (4, 8), "last_layer.bias": (4,)}
    return {f"model.nnet.{name}": torch.tensor(rng.normal(size=shape)) for name, shape in shapes.items()}


def geoclip_state():
    rng = np.random.default_rng(0)
    widths = {"capsule.1": (5, 4), "capsule.3": (5, 5), "capsule.5": (5, 5), "head.0": (3, 5)}
    tensors = {"LocEnc0.capsule.0.b": torch.tensor(rng.normal(size=(2, 2)))}
    for layer, shape in widths.items():
        tensors |= {f"LocEnc0.{layer}.weight": torch.tensor(rng.normal(size=shape))}
        tensors |= {f"LocEnc0.{layer}.bias": torch.tensor(rng.normal(size=shape[:1]))}
    return tensors


def write_satclip(path, **options):
    torch.save(
        {"hyper_parameters": {"legendre_polys": 3, "embed_dim": 4}, "state_dict": satclip_state()}, path, **options
    )


def write_wheel(path):
    buffer = io.BytesIO()
    torch.save(geoclip_state(), buffer)
    content = packed({"geoclip/model/weights/location_encoder_weights.pth": buffer.getvalue()})
    Path(path).write_bytes(content)


#: Functions that write a checkpoint, its loader, and whether the format has checksums.
CHECKPOINTS = {
    "satclip.ckpt": (write_satclip, nn.load_satclip, True),
    "satclip.old.ckpt": (
        lambda path: write_satclip(path, _use_new_zipfile_serialization=False),
        nn.load_satclip,
        False,
    ),
    "satclip.safetensors": (lambda path: safetensors.torch.save_file(satclip_state(), path), nn.load_satclip, False),
    "geoclip.pth": (lambda path: torch.save(geoclip_state(), path), nn.load_geoclip, True),
    "geoclip.whl": (write_wheel, nn.load_geoclip, True),
}


def expected_of(write, load):
    """The output of the whole checkpoint."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(Path(folder) / "whole")
        return load(Path(folder) / "whole").transform(PLACES)


def check_checkpoint(model, expected, same):
    """A loaded checkpoint embeds places; ``same`` says whether a damaged one must give the numbers of the whole one."""
    values = model.transform(PLACES)
    assert values.shape == (len(PLACES), values.shape[1])
    assert not same or np.array_equal(values, expected), "a damaged file gives other numbers without an error"
