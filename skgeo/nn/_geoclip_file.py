"""Published files of GeoCLIP."""

import errno
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

from skgeo._output.archive import check_directory
from skgeo.exceptions import ModelFileError
from skgeo.nn._geoclip_weights import GeoCLIPWeights
from skgeo.nn._pretrained_encoder import PretrainedEncoder
from skgeo.nn._weight_files import WeightFile

__all__ = ["load_geoclip"]

# The name of a tensor of the location encoder, behind any prefix.
_PART = re.compile(r"(?P<prefix>.*?)(?P<name>LocEnc\d+\.(?:capsule|head)\.\d+\.(?:weight|bias|b))")
# The only file of the wheel that is read.
_MEMBER = "geoclip/model/weights/location_encoder_weights.pth"
# Weights are almost random numbers, so compression makes them only a little shorter. The weights may therefore have at
# most this number of times the bytes of the wheel, plus a megabyte.
_MAX_INFLATION, _MIN_LIMIT_BYTES = 4, 2**20
_ZIP_START = b"PK\x03\x04"
# The names of the weights and of the settings in a folder.
_WEIGHTS, _CONFIG = "model.safetensors", "config.json"
_MODEL_TYPES = ("geoclip-location-encoder", "geoclip-geolocation")


def load_geoclip(path: str | os.PathLike[str], *, sha256: str | None = None) -> PretrainedEncoder:
    """Read the location encoder of GeoCLIP [1]_ from a published file, without running code from it.

    GeoCLIP computes 512 numbers for each place. It was trained on photographs and on the places where they were taken.
    The package ``geoclip`` on the Python package index contains the weights, under the MIT licence. ``pip download
    --no-deps geoclip==1.3.0`` downloads this file. This function downloads nothing, and does not need the package.

    Parameters
    ----------
    path : str or path-like
        The wheel, such as ``geoclip-1.3.0-py3-none-any.whl``; the file ``location_encoder_weights.pth``; the file
        ``model.safetensors``; or the folder with this file. From a wheel only the weights are read. If the folder has
        a ``config.json``, the settings in it must agree with the tensors.
    sha256 : str or None, default=None
        SHA-256 of the whole file (of the wheel, or of ``model.safetensors``) as 64 hexadecimal
        digits, if you know it. Another file is refused before it is read.

    Returns
    -------
    PretrainedEncoder
        A fitted transformer from (latitude, longitude) in degrees to the embedding, in float64.
        ``set_params(dtype="float32")`` makes it faster. :func:`skgeo.save` writes it to a file that replaces the wheel.

    Raises
    ------
    ModelFileError
        If the file is none of these, is cut short or would run code; if it holds no location encoder or several; or if
        ``config.json`` contradicts its tensors.
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
    skgeo.nn.load_satclip : Embeddings that were learned from satellite images.
    skgeo.encoders.SphericalHarmonics : A model of both sets of columns is often the best; see the user guide.

    Notes
    -----
    The encoder projects places to the Equal Earth map, so its output jumps at the antimeridian, and depends on the
    longitude at the poles. Longitudes of any convention are first brought to [-180, 180). The published code does not
    convert longitudes, and was trained on -180 to 180.

    skgeo computes the network in float64. The published code computes everything in float32, and its random Fourier
    features of the finest scale lose three digits there.

    References
    ----------
    .. [1] Vivanco Cepeda, V., Nayak, G. K. & Shah, M. (2023). GeoCLIP: Clip-inspired alignment between locations and
       images for effective worldwide geo-localization. Advances in Neural Information Processing Systems 36.

    Examples
    --------
    A file of the published structure, with random weights and one capsule.

    >>> import os, tempfile
    >>> import torch
    >>> from skgeo.nn import load_geoclip
    >>> widths = {"capsule.1": (8, 6), "capsule.3": (8, 8), "capsule.5": (8, 8)}
    >>> widths["head.0"] = (4, 8)
    >>> state = {"LocEnc0.capsule.0.b": torch.rand(3, 2)}
    >>> for layer, shape in widths.items():
    ...     state[f"LocEnc0.{layer}.weight"] = torch.rand(shape)
    ...     state[f"LocEnc0.{layer}.bias"] = torch.rand(shape[0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "location_encoder_weights.pth")
    ...     torch.save(state, path)
    ...     load_geoclip(path)
    PretrainedEncoder(model=GeoCLIPWeights(n_capsules=1, n_frequencies=3, hidden_dim=8,
                                           n_outputs=4))
    """
    given = Path(os.fsdecode(path))
    # A folder stands for the weights in it.
    file = WeightFile(
        given / _WEIGHTS if given.is_dir() else given,
        "load_geoclip",
        "file of GeoCLIP",
        "the wheel of geoclip 1.3.0 or its location_encoder_weights.pth",
        _PART,
        sha256,
    )
    state, _ = file.read(_read_member(file))
    try:
        weights = GeoCLIPWeights(file.find_network(state, "LocEnc0.head.0.weight"))
    except ModelFileError:
        # This error is a ValueError as well, but its message names the file already.
        raise
    except ValueError as error:
        raise file.foreign(str(error)) from error
    config = file.path.with_name(_CONFIG)
    if file.path.name == _WEIGHTS and config.exists():
        _check_config(config, weights)
    # fit learns nothing from places: any place makes the encoder fitted.
    return PretrainedEncoder(weights).fit([[0.0, 0.0]])


def _read_member(file: WeightFile) -> bytes | None:
    """The weights in a wheel; None if the file is no wheel. Files of torch are zip archives, too."""
    try:
        with open(file.path, "rb") as stream:
            if stream.read(len(_ZIP_START)) != _ZIP_START:
                return None
            length = stream.seek(0, os.SEEK_END)
            check_directory(stream, length)
            with zipfile.ZipFile(stream) as archive:
                return _member_of(archive, length, file)
    except ModelFileError:
        raise
    except Exception as error:  # zipfile raises a dozen types of errors on damaged archives
        # EINVAL comes from a wrong position in a damaged archive. Other errors of the system are no damage of the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise file.foreign("it is cut short, damaged or of another kind") from error


def _member_of(archive: zipfile.ZipFile, length: int, file: WeightFile) -> bytes | None:
    """The weights in an archive of ``length`` bytes; None if the archive is no wheel."""
    names = archive.namelist()
    if _MEMBER not in names:
        if any(name.endswith(".dist-info/WHEEL") for name in names):
            raise file.foreign(f"it is a wheel without {_MEMBER}")
        return None
    # A compressed file can unfold to a thousand times its bytes: check the size that the archive declares, then read.
    size = archive.getinfo(_MEMBER).file_size
    if size > _MAX_INFLATION * length + _MIN_LIMIT_BYTES:
        raise file.foreign(f"{_MEMBER} in it has {size} bytes, and the file has {length}")
    return archive.read(_MEMBER)


def _check_config(path: Path, weights: GeoCLIPWeights) -> None:
    """Refuse settings that contradict the tensors."""
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
        kind, version, sigma = config["model_type"], config["format_version"], config["sigma"]
        n_sigma = len(sigma)
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path} is no config.json of GeoCLIP: expected an object with model_type, format_version and sigma, as "
            f"geoclip 1.3.0 writes it, or no such file."
        ) from error
    if kind not in _MODEL_TYPES or version != 1:
        raise ModelFileError(
            f"{path} says model_type={kind!r}, format_version={version!r}: expected "
            f"{' or '.join(map(repr, _MODEL_TYPES))}, and 1."
        )
    if n_sigma != weights.n_capsules:
        raise ModelFileError(
            f"{path} says sigma={sigma!r}, and the tensors beside it have {weights.n_capsules} capsules: they "
            "belong to different models. Get both files again from their source."
        )
