"""Torch modules in safetensors files."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skgeo import encoders
from skgeo._base import warn_other_version
from skgeo._output.integrity import (
    check_arrays,
    check_file_hash,
    check_start,
    damaged_file_error,
    read_metadata,
    reraise_as_model_file_error,
    sha256,
    write_file,
    write_metadata,
)
from skgeo._output.model_tree import SavedClass, TreeReader, TreeWriter
from skgeo._validation import import_optional
from skgeo.nn._check_module import check_sizes, check_tensors, check_works
from skgeo.nn._encoder_modules import EncoderModule, Harmonics
from skgeo.nn._geoclip_modules import EqualEarthFourier, SumOfNetworks
from skgeo.nn._great_circle_bias import GreatCircleBias
from skgeo.nn._head import PatchProjectionHead
from skgeo.nn._networks import MLP, FcNet, Linear, LocationEncoder, SirenNet
from skgeo.nn._transformer_modules import HarmonicPCA, PatchPosition, PatchScale

__all__ = ["load", "save"]

_FORMAT = "skgeo.nn module"
_INSTEAD = "A file holds modules of skgeo.nn and numbers; safetensors.torch.save_file holds the state_dict of others."
# The first bytes of the header, which follows 8 bytes with its length.
_START = b'{"__metadata__":{"skgeo":'


def save(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write a module to a safetensors file: its arguments, its parameters and its buffers.

    The file cannot run code when it is read, and every safetensors reader finds the tensors in it under their names in
    ``state_dict``. The file holds no device, gradients or hooks, and does not say which parameters are frozen.

    Parameters
    ----------
    module : Module
        A module of skgeo.nn.
    path : str or path-like
        The file to write. No ending is added to its name; ``.safetensors`` is usual. An existing regular file is
        replaced when the new file is complete, and keeps its permissions. A symbolic link is followed and stays a link.

    Raises
    ------
    TypeError
        If the module is not one of skgeo.nn.
    ValueError
        If parameters of the module are not finite, or have a dtype with which the module cannot compute.
    ImportError
        Without safetensors.
    OSError
        If the file cannot be written, or ``path`` is no regular file.

    See Also
    --------
    skgeo.nn.load : Reads the file.
    skgeo.save : The same for estimators.

    Notes
    -----
    The metadata of the file has one entry, ``skgeo``, a JSON object with the keys, in this order, ``format``
    ("skgeo.nn module"), ``format_version`` (1), ``skgeo_version``, ``objects``, ``training``, ``arrays`` and
    ``sha256``. ``objects`` says how to build the module, as in :func:`skgeo.save`. ``training`` says whether the module
    was in training mode. ``arrays`` has, for each tensor, its ``dtype`` ("float32"), its ``shape``, and the ``sha256``
    of its bytes in C order. The last key, ``sha256``, is the SHA-256 of the other keys as compact JSON,
    ``json.dumps(metadata, separators=(",", ":"))``.

    Examples
    --------
    >>> import os, tempfile
    >>> import torch
    >>> from skgeo.nn import PatchProjectionHead, load, save
    >>> head = PatchProjectionHead(n_position=3, n_scale=2, embed_dim=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "head.safetensors")
    ...     save(head, path)
    ...     loaded = load(path)
    >>> features = torch.ones(1, 5)
    >>> bool((loaded(features) == head(features)).all())
    True
    """
    safetensors = import_optional("safetensors.torch", "skgeo.nn.save", "torch")
    _check_path(os.fsdecode(path))
    tree = TreeWriter(_MODULE_CLASSES.get, _NAMES_IN_FILES.get, _INSTEAD)
    tree.write(module)
    # The file has no place for arrays of numpy: all numbers must be tensors of the state_dict.
    if tree.arrays:
        raise TypeError(f"{type(module).__name__} is built from arrays, which only its state_dict may hold.")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    check_tensors(module, tensors)
    described = {name: _describe(tensor) for name, tensor in tensors.items()}
    metadata = write_metadata(_FORMAT, described, objects=tree.objects, training=module.training)
    write_file(path, safetensors.save(tensors, {"skgeo": metadata}))


def load(path: str | os.PathLike[str], *, sha256: str | None = None) -> nn.Module:
    """Read a module from a file of :func:`skgeo.nn.save`, without running code from it.

    The content is checked against its hash before anything is built from it. The hash shows damage. It does not show
    who made the file.

    Parameters
    ----------
    path : str or path-like
        The file.
    sha256 : str or None, default=None
        SHA-256 of the whole file as 64 hexadecimal digits, if you know it from somewhere that you trust. Another file
        is refused before it is read.

    Returns
    -------
    Module
        The module as it was saved, bit for bit and in the same dtypes, on the CPU. No random numbers are drawn.

    Raises
    ------
    ModelFileError
        If the file is empty, truncated, altered, of another program, of a newer format, or not the one with
        ``sha256``; if it holds a module that this skgeo does not know, declares more than its tensors hold, or gives no
        finite outputs.
    ValueError
        If ``sha256`` is no SHA-256.
    ImportError
        Without safetensors.
    OSError
        If the file cannot be read.

    Warns
    -----
    VersionWarning
        If another version of skgeo wrote the file.

    See Also
    --------
    skgeo.nn.save : Writes the file; describes its format.

    Examples
    --------
    >>> import os, tempfile
    >>> from skgeo.nn import PatchScale, load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "scale.safetensors")
    ...     save(PatchScale(log=False), path)
    ...     load(path)
    PatchScale(earth_radius=6371008.8, log=False)
    """
    file = os.fsdecode(path)
    _check_path(file)
    check_file_hash(path, sha256)
    metadata, tensors = _read(path, file)
    with reraise_as_model_file_error(file, *TreeReader.errors, ArithmeticError, RuntimeError):
        check_arrays(file, metadata["arrays"], {name: _describe(tensor) for name, tensor in tensors.items()})
        check_sizes(metadata["objects"], tensors)
        # On the meta device the constructor takes no memory and draws no random numbers: the tensors come afterwards.
        with torch.device("meta"):
            module: Any = TreeReader(_MODULE_CLASSES.get, {}).read(metadata["objects"])
        check_tensors(module, tensors)
        module.load_state_dict(tensors, assign=True)
        check_works(module)
        if not isinstance(metadata["training"], bool):
            raise TypeError("training is neither true nor false")
        module.train(metadata["training"])
        warn_other_version(str(metadata["skgeo_version"]))
    return module


def _check_path(file: str) -> None:
    """Refuse names that safetensors cannot open."""
    try:
        file.encode()
    except UnicodeEncodeError as error:
        raise OSError(
            f"{file!r} is no name in UTF-8, which safetensors needs: rename the file or its folder."
        ) from error


def _read(path: str | os.PathLike[str], file: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The metadata and the tensors of a file."""
    safetensors = import_optional("safetensors", "skgeo.nn.load", "torch")
    with open(path, "rb") as stream:
        # Check the first bytes before safetensors reads the file: the error for a foreign file says more.
        start = stream.read(8 + len(_START))
    check_start(file, start, _START.startswith(start[8:]), _FORMAT)
    try:
        with safetensors.safe_open(file, "pt") as stream:
            metadata = read_metadata((stream.metadata() or {}).get("skgeo", ""), _FORMAT, file)
            return metadata, {name: stream.get_tensor(name).clone() for name in stream.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise damaged_file_error(file, error) from error


def _describe(tensor: Tensor) -> dict[str, object]:
    """The type and shape of a tensor, and the hash of its bytes."""
    # NumPy has no bfloat16: view the tensor as bytes before it becomes an array.
    content = tensor.flatten().view(torch.uint8).numpy().tobytes()
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"dtype": dtype, "shape": list(tensor.shape), "sha256": sha256(content)}


def _head_arguments(head: PatchProjectionHead) -> dict[str, object]:
    """The arguments that build a head of the same shape."""
    # The layers are LayerNorm, Linear, GELU and Linear.
    _, hidden, _, output = head.layers
    return {
        "n_position": head.position_gain.numel(),
        "n_scale": head.scale_gain.numel(),
        "embed_dim": output.out_features,
        "hidden_dim": hidden.out_features,
    }


def _pca_arguments(module: HarmonicPCA) -> dict[str, object]:
    """The degree, the number of components and the clip of a map of harmonics."""
    # The buffer has the shape (2, L + 1, L + 1, k).
    _, width, _, n_components = module.coefficients.shape
    return {"max_degree": width - 1, "n_components": n_components, "clip": module.clip and float(module.clip)}


def _build_pca(arguments: Mapping[str, Any], kind: type[HarmonicPCA] = HarmonicPCA) -> HarmonicPCA:
    """A module with empty coefficients of the right shape, which load_state_dict replaces."""
    # The constructor transforms its map to a Fourier series, which is replaced here. The smallest map saves time.
    more = {"average": arguments["average"]} if "average" in arguments else {}
    module = kind(np.zeros((1, 1)), arguments["clip"], **more)
    width = arguments["max_degree"] + 1
    module.coefficients = torch.empty(2, width, width, arguments["n_components"])
    return module


def _encoder_arguments(module: EncoderModule) -> dict[str, object]:
    """The class of the encoder and the parameters of its formula."""
    arguments = {"encoder": type(module.encoder).__name__, "parameters": module.encoder._own_parameters()}
    # The number of anchors does not follow from the parameters.
    learned = isinstance(module.encoder, encoders.RadialBasisEncoder)
    return arguments | ({"n_outputs": module.n_outputs} if learned else {})


def _build_encoder_module(arguments: Mapping[str, Any]) -> EncoderModule:
    """The module of an encoder of skgeo.encoders; ValueError for any other name."""
    # The name comes from a file. Only public names of skgeo.encoders are looked up, and all of them are classes.
    name = arguments["encoder"]
    if name not in encoders.__all__:
        raise ValueError(f"encoder={name!r} is not in skgeo.encoders")
    encoder = getattr(encoders, name)(**arguments["parameters"])
    # The anchors are among the tensors of the file: zeros of the same shape stand for them until these are read.
    if isinstance(encoder, encoders.RadialBasisEncoder):
        encoder.anchors_ = np.zeros((arguments["n_outputs"], 3))
    return EncoderModule(encoder)


def _harmonics_arguments(module: Harmonics) -> dict[str, object]:
    """The degrees and the convention of harmonics."""
    # The spectrum is part of the buffer and needs no argument.
    return {"max_degree": module.max_degree, "min_degree": module.min_degree, "convention": module.convention}


def _network_arguments(network: FcNet | MLP | SirenNet) -> dict[str, object]:
    """The widths, the number of layers and the dropout of a network."""
    # All dropout layers of a network have the same share: the first one gives it.
    dropouts = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    # The first layer maps the width of the embedding to the hidden width.
    first = network.first if isinstance(network, FcNet) else network.layers[0]
    assert isinstance(first, nn.Linear)
    return {
        "n_inputs": first.in_features,
        "n_outputs": network.output.out_features,
        "hidden_dim": first.out_features,
        "n_layers": len(network.layers),
        "dropout": float(dropouts[0]),
    }


def _siren_arguments(network: SirenNet) -> dict[str, object]:
    """The arguments of a network of sines, with its two frequencies."""
    return _network_arguments(network) | {"first_w0": network.first_w0, "w0": network.w0}


def _bias_arguments(bias: GreatCircleBias) -> dict[str, object]:
    """The number of heads and the width of an attention bias."""
    # The layers are Linear, GELU, Linear, GELU and Linear.
    output = bias.layers[-1]
    assert isinstance(output, nn.Linear)
    return {"n_heads": output.out_features, "hidden_dim": output.in_features}


def _linear_arguments(linear: Linear) -> dict[str, object]:
    """The widths of a linear layer."""
    return {"n_inputs": linear.in_features, "n_outputs": linear.out_features}


def _location_arguments(model: LocationEncoder) -> dict[str, object]:
    """The encoder and the network of a model, and the shapes of its buffers."""
    # The numbers of the buffers are in the state_dict: the constructor needs their shapes only.
    units = {"mean": torch.zeros_like(model.mean).tolist(), "scale": torch.ones_like(model.scale).tolist()}
    return {"encoder": model.encoder, "network": model.network, **units}


# The modules that files may hold, by their names in files: no other class is ever built. The state of a module is the
# arguments of its constructor. The constructor runs on the meta device, so every tensor must be in the state_dict or
# come from numpy.
_MODULE_CLASSES = {
    "skgeo.nn.MLP": SavedClass(MLP, _network_arguments, lambda kw: MLP(**kw)),
    "skgeo.nn.FcNet": SavedClass(FcNet, _network_arguments, lambda kw: FcNet(**kw)),
    "skgeo.nn.Linear": SavedClass(Linear, _linear_arguments, lambda kw: Linear(**kw)),
    "skgeo.nn.LocationEncoder": SavedClass(LocationEncoder, _location_arguments, lambda kw: LocationEncoder(**kw)),
    "skgeo.nn.SirenNet": SavedClass(SirenNet, _siren_arguments, lambda kw: SirenNet(**kw)),
    "skgeo.nn.EncoderModule": SavedClass(EncoderModule, _encoder_arguments, _build_encoder_module),
    "skgeo.nn.EqualEarthFourier": SavedClass(
        EqualEarthFourier,
        lambda module: {"shape": list(module.frequencies.shape)},
        lambda kw: EqualEarthFourier(torch.empty(kw["shape"])),
    ),
    "skgeo.nn.SumOfNetworks": SavedClass(
        SumOfNetworks, lambda module: {"networks": list(module.networks)}, lambda kw: SumOfNetworks(**kw)
    ),
    "skgeo.nn.GreatCircleBias": SavedClass(GreatCircleBias, _bias_arguments, lambda kw: GreatCircleBias(**kw)),
    "skgeo.nn.HarmonicPCA": SavedClass(HarmonicPCA, _pca_arguments, _build_pca),
    "skgeo.nn.Harmonics": SavedClass(Harmonics, _harmonics_arguments, lambda kw: Harmonics(**kw)),
    "skgeo.nn.PatchPosition": SavedClass(
        PatchPosition, lambda m: _pca_arguments(m) | {"average": m.average}, lambda kw: _build_pca(kw, PatchPosition)
    ),
    "skgeo.nn.PatchProjectionHead": SavedClass(
        PatchProjectionHead, _head_arguments, lambda kw: PatchProjectionHead(**kw)
    ),
    "skgeo.nn.PatchScale": SavedClass(PatchScale, lambda scale: {"log": bool(scale.log)}, lambda kw: PatchScale(**kw)),
}
_NAMES_IN_FILES = {saved_class.cls: name for name, saved_class in _MODULE_CLASSES.items()}
