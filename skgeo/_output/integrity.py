"""The integrity of model files: metadata with a hash of the content, and writing without incomplete files."""

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from skgeo._version import __version__
from skgeo.exceptions import ModelFileError

__all__ = [
    "FORMAT_VERSION",
    "check_arrays",
    "check_file_hash",
    "check_start",
    "damaged_file_error",
    "read_metadata",
    "reraise_as_model_file_error",
    "sha256",
    "write_file",
    "write_metadata",
]

FORMAT_VERSION = 1
# Largest number of values in metadata. Models have a thousand times fewer, because their numbers are in arrays.
MAX_VALUES = 1_000_000
# Advice for a file that has changed since it was written.
_COPY_AGAIN = "Copy it again from where it came, or save the model again."


def sha256(content: Any) -> str:
    """The SHA-256 digest of bytes, or of an array of bytes, as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def check_file_hash(path: str | os.PathLike[str], expected: str | None) -> bool:
    """Raise ModelFileError unless the SHA-256 of a file is the one that the caller knows. Returns whether one is known.

    The file is read in pieces, whatever its size. OSError is raised if ``path`` is no regular file.
    """
    # A pipe makes the reader wait for a writer, and some devices have no end.
    if not os.path.isdir(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "Models are in regular files, and this is a pipe or a device", os.fsdecode(path))
    if expected is None:
        return False
    valid = isinstance(expected, str) and re.fullmatch("[0-9a-fA-F]{64}", expected) is not None
    if not valid:
        raise ValueError(f"sha256={str(expected)[:80]!r}: expected None or 64 hexadecimal digits.")
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected.lower():
        raise ModelFileError(
            f"{os.fsdecode(path)} has the SHA-256 {found}: expected {expected.lower()}. It is damaged, or another "
            "file. Get it again from where it came."
        )
    return True


def write_metadata(format_name: str, arrays: Mapping[str, object], **model: object) -> str:
    """The metadata of a file as JSON, with a hash of the metadata as its last key.

    ``arrays`` describes each array and holds the hash of its bytes, so that the one hash covers the whole file.
    """
    metadata = {
        "format": format_name,
        "format_version": FORMAT_VERSION,
        "skgeo_version": __version__,
        **model,
        "arrays": arrays,
    }
    text = _json(metadata | {"sha256": sha256(_json(metadata).encode())})
    _check_length(text)
    return text


def read_metadata(text: str | bytes, format_name: str, file: str) -> dict[str, Any]:
    """Parse metadata and compare it with its hash. ``file`` is the name of the file for messages."""
    try:
        _check_length(text)
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
    # The version comes before the hash: a newer format may hash something else.
    written_hash = metadata.pop("sha256", None)
    if written_hash != sha256(_json(metadata).encode()):
        raise _altered(file, "its metadata is not what its SHA-256 says")
    return metadata


def _check_length(text: str | bytes) -> None:
    """Refuse metadata with very many values: each takes tens of bytes in memory, and two in a file."""
    count = text.count(",") + text.count("[") if isinstance(text, str) else text.count(b",") + text.count(b"[")
    count += text.count("{") if isinstance(text, str) else text.count(b"{")
    if count > MAX_VALUES:
        raise ValueError(f"its metadata has more than {MAX_VALUES:,} values")


def check_start(file: str, start: bytes, known: bool, format_name: str) -> None:
    """Refuse a file whose first bytes are not those of a model, before the rest is read."""
    if not start:
        raise ModelFileError(f"{file} is empty. {_COPY_AGAIN}")
    if not known:
        raise foreign_file_error(file, format_name)


def check_arrays(file: str, declared: Mapping[str, object], found: Mapping[str, object]) -> None:
    """Refuse arrays that are missing, extra, or different from their description in the metadata."""
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
    """Turn ``errors`` into a ModelFileError: the file is whole and unaltered, but this version cannot build it."""
    try:
        yield
    except ModelFileError:  # this error has its own message, although it may be one of ``errors``
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
    """The error for a file that is whole but has changed since it was saved."""
    return ModelFileError(f"{file} was altered after it was saved: {how}. {_COPY_AGAIN}")


def foreign_file_error(file: str, format_name: str) -> ModelFileError:
    """The error for a file of another program, or of ``skgeo.nn.save`` in place of ``skgeo.save`` and the reverse."""
    other = {"skgeo model": "skgeo.nn", "skgeo.nn module": "skgeo"}[format_name]
    return ModelFileError(
        f"{file} is no file of a {format_name}. {other}.load reads what {other}.save wrote; a joblib or pickle file, "
        "which can run code, goes to joblib.load if you trust who made it."
    )


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file completely or not at all. An old file stays until the new content is on the disk.

    The new file has the rights of the old one. Only a regular file is replaced: a device would be lost, and a pipe
    has no content to keep.
    """
    # Behind a symbolic link, replace the file and keep the link.
    target = os.path.realpath(os.fsdecode(path))
    try:
        old = os.stat(target)
    except FileNotFoundError:
        old = None
    if old is not None:
        if not stat.S_ISREG(old.st_mode):
            folder = stat.S_ISDIR(old.st_mode)
            reason = "This is a folder" if folder else "This is no regular file: a model would take its place"
            raise OSError(errno.EISDIR if folder else errno.EINVAL, reason, os.fsdecode(path))
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "The file may not be written", os.fsdecode(path))
    # The temporary file is in the same folder: os.replace is atomic within one file system only.
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    # Until it has the rights of the old file, nobody else may read the new one.
    rights = 0o666 if old is None else 0o600
    try:
        binary = getattr(os, "O_BINARY", 0)  # Windows
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, rights), "wb") as file:
            file.write(content)
            file.flush()
            # The content must be on the disk before the new name replaces the old file.
            os.fsync(file.fileno())
        if old is not None:
            # Another owner is kept where the system lets us; a change of owner can change the rights.
            new = os.stat(temporary)
            if hasattr(os, "chown") and (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                with contextlib.suppress(OSError):
                    os.chown(temporary, old.st_uid, old.st_gid)
            os.chmod(temporary, stat.S_IMODE(old.st_mode))
        os.replace(temporary, target)
    except BaseException as error:  # Ctrl-C as well must not leave the temporary file
        with contextlib.suppress(OSError):
            os.remove(temporary)
        # The user knows the name of the file and not that of the temporary file.
        if isinstance(error, OSError) and error.filename == temporary:
            error.filename = os.fsdecode(path)
        raise


def _json(value: object) -> str:
    """JSON in the form that is hashed: ASCII, no spaces, keys in the order of the file."""
    return json.dumps(value, separators=(",", ":"))
