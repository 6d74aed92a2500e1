"""What all model files share: metadata with a hash over everything, checked before use, and writing in one go."""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from skgeo._version import __version__
from skgeo.exceptions import ModelFileError

__all__ = [
    "FORMAT_VERSION",
    "check_arrays",
    "check_start",
    "damaged_file_error",
    "read_metadata",
    "reraise_as_model_file_error",
    "sha256",
    "write_file",
    "write_metadata",
]

FORMAT_VERSION = 1
_COPY_AGAIN = "Copy it again from where it came, or save the model again."


def sha256(content: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.sha256(content).hexdigest()


def write_metadata(format_name: str, arrays: Mapping[str, object], **model: object) -> str:
    """The metadata of a file as JSON, sealed by a hash that covers the arrays by way of their own hashes."""
    metadata = {
        "format": format_name,
        "format_version": FORMAT_VERSION,
        "skgeo_version": __version__,
        **model,
        "arrays": arrays,
    }
    return _json(metadata | {"sha256": sha256(_json(metadata).encode())})


def read_metadata(text: str | bytes, format_name: str, file: str) -> dict[str, Any]:
    """Metadata that is what was written; ``file`` is its name for messages."""
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged_file_error(file, error) from error
    if not isinstance(metadata, dict) or metadata.get("format") != format_name:
        raise foreign_file_error(file, format_name)
    version = metadata.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"{file} has format version {version!r}, written by skgeo {metadata.get('skgeo_version')}; this is skgeo "
            f"{__version__}, which reads version {FORMAT_VERSION}. Update skgeo: pip install --upgrade skgeo."
        )
    seal = metadata.pop("sha256", None)
    if seal != sha256(_json(metadata).encode()):
        raise _altered(file, "its metadata is not what its SHA-256 says")
    return metadata


def check_start(file: str, start: bytes, known: bool, format_name: str) -> None:
    """Refuse by its first bytes what cannot be a model, however long it is."""
    if not start:
        raise ModelFileError(f"{file} is empty. {_COPY_AGAIN}")
    if not known:
        raise foreign_file_error(file, format_name)


def check_arrays(file: str, declared: Mapping[str, object], found: Mapping[str, object]) -> None:
    """Refuse arrays that are missing, extra, or other than the metadata says."""
    for name in declared:
        if name not in found:
            raise _altered(file, f"{name} is missing")
        if found[name] != declared[name]:
            raise _altered(file, f"{name} is not what its SHA-256 says")
    for name in found:
        if name not in declared:
            raise _altered(file, f"{name} was added")


@contextlib.contextmanager
def reraise_as_model_file_error(file: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn the errors of metadata that are whole and unaltered, but not understood, into one."""
    try:
        yield
    except ModelFileError:
        raise
    except errors as error:
        raise ModelFileError(
            f"{file} holds no model that this skgeo can build: {error}. If a newer skgeo wrote it, update: "
            "pip install --upgrade skgeo."
        ) from error


def damaged_file_error(file: str, error: Exception) -> ModelFileError:
    """The error for a file that cannot be read to its end."""
    return ModelFileError(f"{file} is cut short or damaged: {error}. {_COPY_AGAIN}")


def _altered(file: str, how: str) -> ModelFileError:
    """The error for a file that is whole but not what was saved."""
    return ModelFileError(f"{file} was altered after it was saved: {how}. {_COPY_AGAIN}")


def foreign_file_error(file: str, format_name: str) -> ModelFileError:
    """The error for a file that something else wrote."""
    other = {"skgeo model": "skgeo.nn", "skgeo.nn module": "skgeo"}[format_name]
    return ModelFileError(
        f"{file} is no file of a {format_name}. {other}.load reads what {other}.save wrote; a joblib or pickle file, "
        "which can run code, goes to joblib.load if you trust who made it."
    )


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file in one go: what was there stays as it was until all of the new content is on the disk."""
    target = os.path.realpath(os.fsdecode(path))  # replace what a link points to, not the link
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise


def _json(value: object) -> str:
    """JSON as it is hashed: ASCII, no spaces, keys in the order of the file."""
    return json.dumps(value, separators=(",", ":"))
