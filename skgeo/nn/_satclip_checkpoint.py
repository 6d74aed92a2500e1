"""Published checkpoints of SatCLIP."""

import os
import re
from collections.abc import Mapping
from typing import Any

from skgeo.exceptions import ModelFileError
from skgeo.nn._pretrained_encoder import PretrainedEncoder
from skgeo.nn._satclip_weights import CONVENTIONS, SatCLIPWeights
from skgeo.nn._weight_files import WeightFile

__all__ = ["load_satclip"]

# The name of a tensor of the network, behind any prefix.
_PART = re.compile(r"(?P<prefix>.*?)(?P<name>(?:layers\.\d+|last_layer)\.(?:weight|bias))")


def load_satclip(path: str | os.PathLike[str], *, sha256: str | None = None) -> PretrainedEncoder:
    """Read the location network of a published checkpoint of SatCLIP [1]_, without running code from it.

    The files are ``satclip-{resnet18,resnet50,vit16}-{l10,l40}.ckpt``, or the same network as safetensors. Only tensors
    and plain values are read. A file that needs other classes or functions is refused. The image network and the state
    of the training are not read.

    Parameters
    ----------
    path : str or path-like
        The checkpoint, a plain state_dict such as that of ``SatCLIP`` of TorchGeo, or a safetensors file, with any
        name. The tensors of the network may have any prefix, such as ``model.location.nnet.``, ``location.nnet.`` or
        ``nnet.``. The file must contain one network. A copy of the same network is allowed, because the published files
        contain one.
    sha256 : str or None, default=None
        SHA-256 of the whole file as 64 hexadecimal digits, if you know it. Another file is refused before it is read.

    Returns
    -------
    PretrainedEncoder
        A fitted transformer from (latitude, longitude) in degrees to the embedding, in float64.
        ``set_params(dtype="float32")`` makes it faster. :func:`skgeo.save` writes it to a file that replaces the
        checkpoint.

    Raises
    ------
    ModelFileError
        If the file is no checkpoint, is cut short or would run code; if it holds no location network or several
        networks; if the network has another encoder than spherical harmonics, or other layers than sines; or if
        hyperparameters contradict the tensors.
    ImportError
        If ``path`` is a safetensors file, and the package safetensors is not installed.
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
    skgeo.nn.load_geoclip : Embeddings that were learned from photographs.
    skgeo.nn.ContrastiveLocationEncoder : Learns such embeddings from your own images.
    skgeo.encoders.SphericalHarmonics : The harmonics, with ``convention="satclip"``.

    Notes
    -----
    ``legendre_polys`` L of the file means the degrees 0 to L - 1. There is no dropout, as in the evaluation mode of the
    original.

    ``harmonics_calculation`` may be "analytic", as in the published files, or "closed-form". The two differ by signs
    and by a factor pi of the harmonics of order 0.

    The sizes of the network are those of the tensors. Hyperparameters of a checkpoint, or in the metadata of a
    safetensors file (as entries, or as JSON in one entry), have to agree with these sizes. They may contain numbers of
    numpy, paths, and the ``AttributeDict`` of Lightning, which need not be installed. A ``config.json`` beside a file
    is not read.

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
    ...     "layers.0.weight": (8, 9), "layers.0.bias": (8,),
    ...     "last_layer.weight": (4, 8), "last_layer.bias": (4,)
    ... }
    >>> state = {f"model.nnet.{name}": torch.ones(shape) for name, shape in shapes.items()}
    >>> checkpoint = {"hyper_parameters": {"legendre_polys": 3}, "state_dict": state}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "satclip.ckpt")
    ...     torch.save(checkpoint, path)
    ...     load_satclip(path)
    PretrainedEncoder(model=SatCLIPWeights(legendre_polys=3, hidden_dim=8, n_layers=1,
                                           n_outputs=4))
    """
    file = WeightFile(path, "load_satclip", "checkpoint of SatCLIP", "satclip-vit16-l40.ckpt", _PART, sha256)
    state, parameters = file.read()
    _check_kind(parameters, file.name)
    arrays = file.find_network(state, "last_layer.weight")
    try:
        weights = SatCLIPWeights(arrays, parameters.get("harmonics_calculation", "analytic"))
    except ValueError as error:
        raise file.foreign(str(error)) from error
    _check_sizes(parameters, weights, file.name)
    # fit learns nothing from places: any place makes the encoder fitted.
    return PretrainedEncoder(weights).fit([[0.0, 0.0]])


def _check_kind(parameters: Mapping[Any, Any], file: str) -> None:
    """Refuse encoders and networks that the published files do not have."""
    accepted = {"le_type": ("sphericalharmonics",), "pe_type": ("siren",), "harmonics_calculation": tuple(CONVENTIONS)}
    for name, kinds in accepted.items():
        # A hyperparameter may be anything, such as a list, which has no hash.
        if name in parameters and not any(parameters[name] is kind or parameters[name] == kind for kind in kinds):
            raise ModelFileError(
                f"{file} was trained with {name}={parameters[name]!r}: expected {' or '.join(map(repr, kinds))}."
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
                f"{file} says {name}={parameters[name]!r}, and its tensors say {size}: the file was put together "
                "from different models, or altered. Get the file again from its source."
            )
