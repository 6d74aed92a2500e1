"""Archives of arrays: zip files without compression, of one JSON text and of arrays in the npy format."""

import errno
import io
import math
import os
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from skgeo._output.integrity import check_start, damaged_file_error, sha256
from skgeo._output.model_tree import PLAIN_KINDS

__all__ = ["METADATA", "check_directory", "describe", "pack", "unpack"]

# Name of the first entry. It stands at a fixed position, so that the first bytes show whether skgeo wrote the file.
METADATA = "skgeo.json"
# Largest number of entries. A model has tens of arrays; a million tiny entries would take ten times the memory of the
# file.
_MAX_ENTRIES = 20_000
# Most bytes of an entry in the directory at the end of an archive: 46 and the name.
_DIRECTORY_ENTRY = 100
# A code point of Unicode is below this.
_MAX_CODE_POINT = 0x10FFFF


def describe(array: npt.NDArray[Any]) -> dict[str, object]:
    """The type, shape and memory order of an array, and the hash of its bytes."""
    order: Literal["F", "C"] = "F" if array.flags.fnc else "C"
    # The bytes of an array that lies in one piece are hashed where they are, without a copy.
    flat = np.asarray(array, order=order).reshape(-1, order=order)
    digest = sha256(flat.view(np.uint8)) if flat.size and flat.dtype.itemsize else sha256(b"")
    return {"dtype": array.dtype.str, "shape": list(array.shape), "order": order, "sha256": digest}


def pack(metadata: str, arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """A zip archive without compression. It holds no time of day, so that the same model gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(METADATA), metadata.encode())
        for name, array in arrays.items():
            content = io.BytesIO()
            # allow_pickle=False refuses arrays of objects, which numpy would write as pickles.
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            archive.writestr(_entry(f"{name}.npy"), content.getbuffer())
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """The header of an entry, without a time of day."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16  # the permissions that unzip sets: everyone may read
    return entry


def unpack(path: str | os.PathLike[str], file: str, format_name: str) -> tuple[bytes, dict[str, npt.NDArray[Any]]]:
    """The metadata and the arrays of an archive. They take no more memory than the file is long.

    Sizes that the archive declares are compared with those of the file before anything is read: compression is refused.
    """
    with open(path, "rb") as stream:
        # A zip archive begins with 4 known bytes, and the name of its first entry stands at byte 30.
        start = stream.read(30 + len(METADATA))
        known = b"PK\x03\x04".startswith(start[:4]) and METADATA.encode().startswith(start[30:])
        check_start(file, start, known, format_name)
        length = stream.seek(0, os.SEEK_END)
        try:
            check_directory(stream, length)
            with zipfile.ZipFile(stream) as archive:
                # The list comes from the file: check it before any entry is read.
                listed = archive.infolist()
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in listed):
                    raise ValueError("entries are compressed")
                if sum(entry.file_size for entry in listed) > length:
                    raise ValueError("entries are longer than the file")
                names = {entry.filename for entry in listed}
                if len(names) < len(listed) or METADATA not in names:
                    raise ValueError("entries are missing or there twice")
                metadata = archive.read(METADATA)
                arrays = {
                    entry.filename.removesuffix(".npy"): _read_array(archive.read(entry))
                    for entry in listed
                    if entry.filename != METADATA
                }
                return metadata, arrays
        except Exception as error:  # zipfile and numpy raise a dozen types of errors on damaged files
            # EINVAL comes from a seek to an impossible position that a damaged archive declares. Other errors of the
            # system are no damage.
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise damaged_file_error(file, error) from error


def check_directory(stream: BinaryIO, length: int) -> None:
    """Raise ValueError if an archive lists very many entries, before zipfile makes an object of each.

    ``length`` is that of the archive in bytes. The position in the stream changes.
    """
    # The record at the end of the file has its signature, numbers of disks and entries, and the size of the directory.
    # An archive of skgeo has no comment after it.
    stream.seek(max(0, length - 22))
    record = stream.read(22)
    if record[:4] != b"PK\x05\x06":
        raise ValueError("File is not a zip file")
    number, size = int.from_bytes(record[10:12], "little"), int.from_bytes(record[12:16], "little")
    # An archive of more than 4 GB has a second record. A locator before the first record points to it.
    stream.seek(max(0, length - 22 - 20))
    locator = stream.read(20)
    if locator[:4] == b"PK\x06\x07":
        stream.seek(min(int.from_bytes(locator[8:16], "little"), length))
        second = stream.read(56)
        number, size = int.from_bytes(second[32:40], "little"), int.from_bytes(second[40:48], "little")
    # zipfile takes all entries that fill the size, whatever their number is said to be.
    if number > _MAX_ENTRIES or size > _MAX_ENTRIES * _DIRECTORY_ENTRY:
        raise ValueError(f"it lists more than {_MAX_ENTRIES:,} entries")


def _read_array(content: bytes) -> npt.NDArray[Any]:
    """An array from the bytes of a ``.npy`` file. Its shape must account for exactly these bytes."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array has another version of the npy format")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in PLAIN_KINDS or stream.tell() + math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError("an array has a type without plain bytes, or another size than it declares")
    order: Literal["F", "C"] = "F" if fortran_order else "C"
    array = np.ndarray(shape, dtype, content, stream.tell(), order=order).copy(order)
    _check_bytes(array)
    return array


def _check_bytes(array: npt.NDArray[Any]) -> None:
    """Refuse bytes that are no values of the dtype: NumPy computes with them, and fails later or gives nonsense."""
    if array.size == 0 or array.dtype.itemsize == 0:
        return
    flat = array.reshape(-1, order="A")
    if array.dtype.kind == "b" and flat.view(np.uint8).max() > 1:
        raise ValueError("an array of booleans has other values")
    # Texts are stored as code points in 4 bytes each.
    if array.dtype.kind == "U":
        points = flat.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if points.max() > _MAX_CODE_POINT:
            raise ValueError("a text has characters that do not exist")
