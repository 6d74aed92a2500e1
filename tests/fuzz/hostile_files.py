"""Model files that were made to do harm, with valid hashes: loading refuses them, or gives a model that works.

    python tests/fuzz/hostile_files.py --files 20000   # a quarter of an hour
    python tests/fuzz/hostile_files.py --quick         # 250 files, for CI
    python tests/fuzz/hostile_files.py --only grids --files 3000 --seed 3

A file of a real model is changed in one to three places (names, values, arrays, classes), and sealed anew. Files of
``ContrastiveLocationEncoder.fit(checkpoint=)`` are among them. The contract: ``load`` raises ModelFileError, or gives a
model of which every method works on valid input. Loading takes at most SECONDS of computing, and memory of at most
FACTOR times the file and SLACK. Checkpoints of other projects are damaged, or their pickles are forged: a loader raises
ModelFileError, or gives an encoder that works; a damaged file with checksums gives no other numbers. Writes
hostile_files.json: files by format, refusals, failures, longest time, largest memory.
"""

import argparse
import copy
import hashlib
import io
import json
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import torch
from hostile_checkpoints import CHECKPOINTS, Checkpoint, check_checkpoint, expected_of
from hostile_models import MODELS, MODULES, use, use_module
from sklearn.exceptions import InconsistentVersionWarning

import skgeo
from skgeo import nn
from skgeo.exceptions import ModelFileError, VersionWarning

#: Limits for one load: seconds of computing, and memory as a multiple of the file and a number of bytes beside it.
SECONDS, FACTOR, SLACK = 2.0, 4.0, 2**25

#: Values of JSON that stand in a file for any other value.
VALUES = [
    *(None, True, False, 0, 1, -1, 2, 7, 2**31, 2**63, 10**9, 10**30, -(10**30), 0.5, 1e-320, 1e300, -2.5),
    *("", "x", "nan", "auto", "\ud800", "predict", "a" * 10_000, [], [1], ["x", 2], {"dict": {}}, {"tuple": []}),
    *({"float": "nan"}, {"float": "inf"}, {"float": "-inf"}, {"slice": [None, None, 0]}, {"dtype": "<f8"}),
    *({"dtype": "|O"}, {"scalar_type": "<f4"}, {"strings": ["a", "b"], "shape": [2]}, {"object": 0}, {"object": 1}),
    *({"tuple": [1, 2]}, {"dict": {"a": 1}}, {"items": [[1, 2]]}, [[[]]], {"array": "array_0"}, {"array": "array_1"}),
    *(
        {"scalar": "array_0"},
        {"parts": [None, 1], "shape": [2]},
        {"dict": {"n_layers": 10**9}},
        {"dict": {"hidden_dim": 10**7}},
    ),
]
#: Names that may take the place of an attribute's.
NAMES = [
    "predict",
    "transform",
    "fit",
    "__class__",
    "__dict__",
    "n_features_in_",
    "classes_",
    "",
    "a b",
    "\ud800",
    "coef_",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="250 files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names of models, comma between")
    parser.add_argument("--show", action="store_true", help="print the traceback of each kind of failure")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    campaign = Campaign(options)
    campaign.run(250 if options.quick else options.files)
    failures = campaign.report()
    if not options.quick and not options.only:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "hostile_files.json").write_text(json.dumps(campaign.result(), indent=1) + "\n")
    sys.exit(bool(failures))


class Campaign:
    """Changes files of models, loads them, and counts what happens."""

    def __init__(self, options):
        self.options = options
        self.counts, self.refused = Counter(), Counter()
        self.failures, self.examples = Counter(), {}
        self.seconds, self.memory = Counter(), Counter()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "hostile"

    def run(self, n_files):
        chosen = self.options.only.split(",") if self.options.only else None
        bases = [("npz", name, *made) for name, made in MODELS.items()]
        bases += [("safetensors", name, *made) for name, made in MODULES.items()]
        bases = [base for base in bases if chosen is None or base[1] in chosen]
        prepared = []
        for kind, name, make, data in bases:
            model = make()
            (skgeo.save if kind == "npz" else nn.save)(model, self.path)
            prepared.append((kind, name, Npz(self.path) if kind == "npz" else Safetensors(self.path), data))
            (use if kind == "npz" else use_module)(model, data)  # the valid model works
        for name, (write, load, has_checksums) in CHECKPOINTS.items():
            if chosen is None or name in chosen:
                write(self.path)
                prepared.append(
                    ("checkpoint", name, Checkpoint(self.path), (load, expected_of(write, load), has_checksums))
                )
        for number in range(n_files):
            kind, name, content, data = prepared[number % len(prepared)]
            rng = np.random.default_rng([self.options.seed, number])
            forged = copy.deepcopy(content)
            try:
                story = [forged.change(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
                forged.write(self.path)
            except (TypeError, ValueError, OverflowError, KeyError, IndexError, RuntimeError):
                continue  # no such file can be written
            load, then = (skgeo.load, use) if kind == "npz" else (nn.load, use_module)
            if kind == "checkpoint":
                load, expected, has_checksums = data
                then, data = partial(check_checkpoint, same=has_checksums and not forged.forged), expected
            self.try_file(kind, name, load, then, data, story)

    def try_file(self, kind, name, load, then, data, story):
        self.counts[kind] += 1
        size = self.path.stat().st_size
        start, before = time.process_time(), reset_peak()
        model = None
        try:
            model = quietly(load, self.path)
        except ModelFileError:
            self.refused[kind] += 1
        except BaseException as error:
            self.fail(kind, name, "load", error, story)
        seconds, memory = time.process_time() - start, peak() - before
        self.seconds[kind], self.memory[kind] = max(self.seconds[kind], seconds), max(self.memory[kind], memory)
        if seconds > SECONDS or memory > FACTOR * size + SLACK:
            self.fail(kind, name, "limits", RuntimeError(f"{seconds:.1f} s, {memory / 2**20:.0f} MB"), story)
        if model is not None:
            try:
                quietly(then, model, data)
            except BaseException as error:
                self.fail(kind, name, "use", error, story)

    def fail(self, kind, name, when, error, story):
        # The attribute that was changed, not its value.
        what = f"{kind} {name}: {when}: {type(error).__name__}: {str(error)[:110]}"
        key = f"{kind} {name}: {when}: {type(error).__name__}: {str(error)[:40]}"
        self.failures[key] += 1
        if key not in self.examples:
            self.examples[key] = what, story
            if self.options.show:
                traceback.print_exception(error, limit=-4)

    def report(self):
        for key, number in self.failures.most_common():
            what, story = self.examples[key]
            print(ascii(f"{number:5} {what} | {'; '.join(story)[:240]}"))
        for kind in self.counts:
            print(
                f"{kind}: {self.counts[kind]:,} files, {self.refused[kind]:,} refused, "
                f"longest {self.seconds[kind]:.2f} s, largest {self.memory[kind] / 2**20:.0f} MB"
            )
        print(f"{self.failures.total()} failures")
        return self.failures

    def result(self):
        return {
            kind: {
                "files": self.counts[kind],
                "refused": self.refused[kind],
                "failures": sum(number for key, number in self.failures.items() if key.startswith(kind)),
                "longest_seconds": round(self.seconds[kind], 2),
                "largest_megabytes": round(self.memory[kind] / 2**20),
            }
            for kind in self.counts
        }


def quietly(call, *arguments):
    """Call without warnings, which changed versions and numbers give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for category in (VersionWarning, InconsistentVersionWarning):
            warnings.simplefilter("ignore", category)
        return call(*arguments)


def reset_peak():
    """Begin to measure the peak of memory. Returns the memory now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not Linux, or not allowed: the peak of the process so far
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return peak()


def peak():
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class File:
    """The content of a model file, which can be changed."""

    metadata: dict
    arrays: dict

    def change(self, rng):
        """Change one thing; returns what."""
        changes = [self.value, self.value, self.value, self.name, self.remove, self.exchange, self.kind, self.repeat]
        if self.arrays:
            changes += [self.array, self.array, self.array, self.array]
        return changes[rng.integers(len(changes))](rng)

    def state(self, rng):
        """An object, and the state of it or a dict inside."""
        objects = self.metadata["objects"]
        state = objects[rng.integers(len(objects))]["state"]
        inner = [
            value["dict"] for value in state.values() if isinstance(value, dict) and isinstance(value.get("dict"), dict)
        ]
        return inner[rng.integers(len(inner))] if inner and rng.random() < 0.3 else state

    def value(self, rng):
        state = self.state(rng)
        key = pick(rng, list(state))
        state[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
        return f"{key} = {str(state[key])[:60]}"

    def name(self, rng):
        state = self.state(rng)
        key, name = pick(rng, list(state)), NAMES[rng.integers(len(NAMES))]
        state[name] = state.pop(key)
        return f"{key} is called {name!r}"

    def remove(self, rng):
        state = self.state(rng)
        key = pick(rng, list(state))
        del state[key]
        return f"no {key}"

    def exchange(self, rng):
        state = self.state(rng)
        one, other = pick(rng, list(state)), pick(rng, list(state))
        state[one], state[other] = state[other], state[one]
        return f"{one} and {other} exchanged"

    def kind(self, rng):
        objects = self.metadata["objects"]
        one = objects[rng.integers(len(objects))]
        one["class"] = pick(rng, [*CLASSES, *(each["class"] for each in objects)])
        return f"class {one['class']}"

    def repeat(self, rng):
        objects = self.metadata["objects"]
        one = rng.integers(len(objects))
        objects.insert(rng.integers(len(objects) + 1), copy.deepcopy(objects[one]))
        return f"object {one} twice"

    def array(self, rng):
        name = pick(rng, list(self.arrays))
        values = self.arrays[name]
        change = ARRAY_CHANGES[rng.integers(len(ARRAY_CHANGES))]
        with np.errstate(all="ignore"):
            changed = np.asarray(change(values, rng))
        if changed.dtype.kind == "O":
            raise TypeError("no array of a file")
        self.arrays[name] = changed
        return f"{name} {values.dtype}{values.shape} -> {changed.dtype}{changed.shape}"


CLASSES = [
    *("skgeo.LatLonGrid", "skgeo.CellGrid", "skgeo.SphericalHarmonicPCA", "skgeo.encoders.SphericalHarmonics"),
    *("sklearn.linear_model.Ridge", "sklearn.pipeline.Pipeline", "skgeo.nn.SatCLIPWeights", "numpy.random.RandomState"),
    *("skgeo.nn.MLP", "skgeo.nn.Linear", "skgeo.nn.Harmonics", "skgeo.nn.LocationRegressor", "sklearn.svm.SVC"),
]


def pick(rng, values):
    return values[rng.integers(len(values))]


def one_value(new):
    def change(values, rng):
        values = np.array(values)
        values.flat[rng.integers(values.size)] = new
        return values

    return change


ARRAY_CHANGES = [
    *(
        lambda values, rng, kind=kind: values.astype(kind)
        for kind in ("f4", "f8", "i8", "u1", "c16", "U5", "S5", "?", "f2", ">f8")
    ),
    lambda values, rng: values.view("M8[s]") if values.dtype.itemsize == 8 else values.astype("M8[s]"),
    lambda values, rng: values.T,
    lambda values, rng: values.ravel(),
    lambda values, rng: values[..., np.newaxis],
    lambda values, rng: values[:-1],
    lambda values, rng: values[:0],
    lambda values, rng: values[..., :-1],
    lambda values, rng: np.concatenate([values, values]),
    lambda values, rng: np.asfortranarray(values),
    lambda values, rng: values * 0,
    lambda values, rng: -values,
    lambda values, rng: values * 1e6,
    lambda values, rng: np.zeros((3, 4)),
    lambda values, rng: np.array(5.0),
    lambda values, rng: rng.permutation(values),
    *(one_value(new) for new in (np.nan, np.inf, -np.inf, -1, 0, 1e300, 10**18, 5e-324)),
]


class Npz(File):
    """A file of skgeo.save."""

    def __init__(self, path):
        with zipfile.ZipFile(path) as archive:
            self.metadata = json.loads(archive.read("skgeo.json"))
            names = [name for name in archive.namelist() if name != "skgeo.json"]
            self.arrays = {
                name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name))) for name in names
            }

    def write(self, path):
        for name, array in self.arrays.items():
            order = "F" if array.flags.fnc else "C"
            digest = hashlib.sha256(array.tobytes("A")).hexdigest()
            described = {"dtype": array.dtype.str, "shape": list(array.shape), "order": order, "sha256": digest}
            self.metadata["arrays"][name] = described
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("skgeo.json", seal(self.metadata))
            for name, array in self.arrays.items():
                content = io.BytesIO()
                np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
                archive.writestr(f"{name}.npy", content.getvalue())


#: Names of dtypes in safetensors files, and in our metadata.
TENSORS = {"f4": ("F32", "float32"), "f8": ("F64", "float64"), "i8": ("I64", "int64"), "f2": ("F16", "float16")}
TENSORS |= {"u1": ("U8", "uint8"), "b1": ("BOOL", "bool"), "i4": ("I32", "int32"), "c8": ("C64", "complex64")}


class Safetensors(File):
    """A file of skgeo.nn.save."""

    def __init__(self, path):
        content = Path(path).read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        self.metadata = json.loads(header.pop("__metadata__")["skgeo"])
        kinds = {kind: name for name, (kind, _) in TENSORS.items()}
        self.arrays = {}
        for name, entry in header.items():
            start, stop = entry["data_offsets"]
            values = np.frombuffer(content[8 + length + start : 8 + length + stop], kinds[entry["dtype"]])
            self.arrays[name] = values.reshape(entry["shape"])

    def write(self, path):
        header, offset, parts = {}, 0, []
        for name, array in self.arrays.items():
            kind, ours = TENSORS[array.dtype.str[1:]]
            content = array.tobytes()
            described = {"dtype": ours, "shape": list(array.shape), "sha256": hashlib.sha256(content).hexdigest()}
            self.metadata["arrays"][name] = described
            header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + len(content)]}
            offset += len(content)
            parts.append(content)
        text = json.dumps({"__metadata__": {"skgeo": seal(self.metadata)}} | header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def seal(metadata):
    """The metadata as JSON with its hash."""
    metadata = {key: value for key, value in metadata.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(metadata, separators=(",", ":")).encode()).hexdigest()
    return json.dumps(metadata | {"sha256": digest}, separators=(",", ":"))


if __name__ == "__main__":
    main()
