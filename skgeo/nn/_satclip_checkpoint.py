"""Published checkpoints of SatCLIP."""

import json
import os
import pickle
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

import torch
from torch import Tensor

from skgeo._output.integrity import check_file_hash
from skgeo._validation import import_optional
from skgeo.exceptions import ModelFileError
from skgeo.nn._satclip_encoder import SatCLIPEncoder, SatCLIPWeights
from skgeo.nn._torch_pickle import check_torch_file

__all__ = ["load_satclip"]

# The name of a tensor of the network, behind any prefix.
_PART = re.compile(r"(?P<prefix>.*?)(?P<name>(?:layers\.\d+|last_layer)\.(?:weight|bias))")


def load_satclip(path: str | os.PathLike[str], *, sha256: str | None = None) -> SatCLIPEncoder:
    """Read the location network of a published checkpoint of SatCLIP [1]_, without running code from it.

    The files are ``satclip-{resnet18,resnet50,vit16}-{l10,l40}.ckpt``, or the same network as safetensors. Only tensors
    and plain values are read; a file that wants anything else is refused. The image half and the state of the training
    are left out.

    Parameters
    ----------
    path : str or path-like
        The checkpoint, or a safetensors file, under any name. Its network may stand under any prefix, such as
        ``model.location.nnet.``, ``location.nnet.`` or ``nnet.``, and twice as in the published files, as long as there
        is only one.
    sha256 : str or None, default=None
        SHA-256 of the whole file as 64 hexadecimal digits, if you know it. Another file is refused before it is read.

    Returns
    -------
    SatCLIPEncoder
        Fitted: (latitude, longitude) in degrees to the embedding, in float64. :func:`skgeo.save` writes it to a file
        that does not need the checkpoint to be read.

    Raises
    ------
    ModelFileError
        If the file is no checkpoint, is cut short, would run code, holds no or more than one location network, another
        encoder than analytic spherical harmonics with a network of sines, or hyperparameters that its tensors
        contradict.
    ImportError
        Without safetensors, if the file is of its kind.
    ValueError
        If ``sha256`` is no SHA-256.
    OSError
        If the file cannot be read.

    Warns
    -----
    ModelFileWarning
        If the file has the old format of torch, without checksums, and ``sha256`` is not given.

    See Also
    --------
    skgeo.nn.ContrastiveLocationEncoder : Learns such embeddings from your own images.
    skgeo.encoders.SphericalHarmonics : The harmonics, with ``convention="satclip"``.

    Notes
    -----
    ``legendre_polys`` L of the file stands for the degrees 0 to L - 1. Dropout of the original is off, as in its
    evaluation mode.

    All sizes follow from the tensors. Hyperparameters, of a checkpoint or in the metadata of a safetensors file (as
    entries, or as JSON in one of them), have to agree with them. A ``config.json`` beside a file is not read.

    References
    ----------
    .. [1] Klemmer, K., Rolf, E., Robinson, C., Mackey, L. & Russwurm, M. (2025). SatCLIP: global, general-purpose
       location embeddings with satellite imagery. Proceedings of the AAAI Conference on Artificial Intelligence 39(4),
       4347-4355.

    Examples
    --------
    A checkpoint of the published structure, with random weights.

    >>> import os, tempfile
    >>> import torch
    >>> from skgeo.nn import load_satclip
    >>> shapes = {
    ...     "layers.0.weight": (8, 9), "layers.0.bias": (8,), "last_layer.weight": (4, 8), "last_layer.bias": (4,)
    ... }
    >>> state = {f"model.nnet.{name}": torch.ones(shape) for name, shape in shapes.items()}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "satclip.ckpt")
    ...     torch.save({"hyper_parameters": {"legendre_polys": 3}, "state_dict": state}, path)
    ...     load_satclip(path)
    SatCLIPEncoder(weights=SatCLIPWeights(legendre_polys=3, hidden_dim=8, n_layers=1, n_outputs=4))
    """
    file = os.fsdecode(path)
    content = _read(path, file, hash_known=check_file_hash(path, sha256))
    state, parameters = content.get("state_dict", content), content.get("hyper_parameters", {})
    if not isinstance(state, Mapping) or not isinstance(parameters, Mapping):
        raise _foreign(file, "its state_dict or its hyper_parameters are no dictionary")
    _check_kind(parameters, file)
    try:
        weights = SatCLIPWeights(_find_network(state, file))
    except ModelFileError:
        # This error is a ValueError as well, but its message names the file already.
        raise
    except ValueError as error:
        raise _foreign(file, str(error)) from error
    _check_sizes(parameters, weights, file)
    # fit learns nothing from places: any place makes the encoder fitted.
    return SatCLIPEncoder(weights).fit([[0.0, 0.0]])


def _read(path: str | os.PathLike[str], file: str, *, hash_known: bool) -> Mapping[Any, Any]:
    """The content of the checkpoint: tensors and plain values."""
    with open(path, "rb") as stream:
        # A safetensors file begins with 8 bytes, the length of the header, and "{". No file of torch has "{" there.
        if stream.read(9)[8:] == b"{":
            return _read_safetensors(path, file)
        stream.seek(0)
        try:
            check_torch_file(stream, file, hash_known=hash_known)
        except ValueError as error:
            raise _foreign(file, str(error)) from error
        content = _unpickle(stream, file)
    if not isinstance(content, Mapping):
        raise _foreign(file, f"it holds a {type(content).__name__}, not a dictionary")
    return content


def _read_safetensors(path: str | os.PathLike[str], file: str) -> Mapping[str, Any]:
    """The tensors of location networks in a safetensors file, and hyperparameters from its metadata."""
    safetensors = import_optional("safetensors", f"load_satclip({file!r})", "torch")
    try:
        with safetensors.safe_open(file, "pt") as stream:
            metadata = stream.metadata() or {}
            names = [name for name in stream.keys() if _PART.fullmatch(name)]  # noqa: SIM118
            state = {name: stream.get_tensor(name).clone() for name in names}
    except safetensors.SafetensorError as error:
        raise _foreign(file, "it is cut short, damaged or of another kind") from error
    # Hyperparameters are entries of the metadata, or one entry holds all of them as JSON.
    values = {name: _plain(text) for name, text in metadata.items()}
    nested = [value for value in values.values() if isinstance(value, dict) and "legendre_polys" in value]
    parameters = {name: value for each in [*nested, values] for name, value in each.items()}
    return {"state_dict": state, "hyper_parameters": parameters}


def _plain(text: str) -> Any:
    """Parse an entry of metadata as JSON. Text that is not JSON stays text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _unpickle(stream: BinaryIO, file: str) -> Any:
    """Read a file of torch.save. Only tensors and plain values are built: no code of the file runs."""
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch names the first function or class that it refuses to load.
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted is None:
            raise _foreign(file, "it is cut short, damaged or of another kind") from error
        raise ModelFileError(
            f"{file} wants {wanted[1]} to be called or built when it is read, which can run code: only tensors and "
            "plain values are read. If you trust who made it, load it with torch.load(path, weights_only=False) where "
            "its packages are installed, and save its state_dict and plain hyper_parameters again."
        ) from error
    except Exception as error:  # torch raises a dozen types of errors on damaged files
        raise _foreign(file, "it is cut short, damaged or of another kind") from error


def _find_network(state: Mapping[Any, Any], file: str) -> dict[str, Any]:
    """The arrays of the one location network, by their names in it."""
    networks: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        part = _PART.fullmatch(key) if isinstance(key, str) else None
        if part is not None and isinstance(value, Tensor):
            networks.setdefault(part["prefix"], {})[part["name"]] = value
    # Other parts of a model can have layers with such names, but no last_layer.
    networks = {prefix: parts for prefix, parts in networks.items() if "last_layer.weight" in parts}
    if not networks:
        raise _foreign(file, "none of its tensors is named ...last_layer.weight, as of a location network")
    for parts in networks.values():
        for name, value in parts.items():
            _check_tensor(name, value, file)
    # The published files hold the network twice, under two prefixes.
    (_, first), *others = networks.items()
    if not all(_same(first, other) for _, other in others):
        raise _foreign(file, f"it holds different networks: {', '.join(map(repr, networks))}")
    return {name: value.detach().to(torch.float64).numpy() for name, value in first.items()}


def _check_tensor(name: str, value: Tensor, file: str) -> None:
    """Refuse tensors that are not plain arrays of floats, and tensors that claim more numbers than the file holds."""
    if not value.is_floating_point():
        raise _foreign(file, f"{name} has dtype {value.dtype}")
    if value.is_meta or value.layout != torch.strided:
        raise _foreign(file, f"{name} is a tensor with layout {value.layout} on device {value.device.type}")
    # A tensor with strides of zero can claim more numbers than it stores.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise _foreign(file, f"{name} has shape {tuple(value.shape)} and fewer numbers than that")


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether two networks have the same tensors."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _check_kind(parameters: Mapping[Any, Any], file: str) -> None:
    """Refuse encoders and networks that the published files do not have."""
    kinds = {"le_type": "sphericalharmonics", "pe_type": "siren", "harmonics_calculation": "analytic"}
    for name, kind in kinds.items():
        if parameters.get(name, kind) != kind:
            raise ModelFileError(
                f"{file} was trained with {name}={parameters[name]!r}: expected {kind!r}, as the published files have."
            )


def _check_sizes(parameters: Mapping[Any, Any], weights: SatCLIPWeights, file: str) -> None:
    """Refuse hyperparameters that contradict the shapes of the tensors."""
    sizes = {
        "legendre_polys": weights.legendre_polys,
        "capacity": weights.hidden_dim,
        "num_hidden_layers": weights.n_layers,
        "embed_dim": weights.n_outputs,
    }
    for name, size in sizes.items():
        given = parameters.get(name, size)
        if not isinstance(given, int | float) or given != size:
            raise ModelFileError(
                f"{file} says {name}={parameters[name]!r}, and its tensors say {size}: it was put together from "
                "different models, or altered. Get it again from where it came."
            )


def _foreign(file: str, reason: str) -> ModelFileError:
    """The error for a file that is not a checkpoint of SatCLIP."""
    return ModelFileError(
        f"{file} is no checkpoint of SatCLIP that this skgeo can read: {reason}. Expected a file such as "
        "satclip-vit16-l40.ckpt, whole; a file of skgeo.save goes to skgeo.load, one of skgeo.nn.save to skgeo.nn.load."
    )
