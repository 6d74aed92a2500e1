"""Checks of files of torch.save before torch reads them: checksums, sizes, and the number of values in their pickle."""

import io
import pickle
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

from skgeo._output.archive import check_directory
from skgeo._validation import warn_caller
from skgeo.exceptions import ModelFileWarning

__all__ = ["check_torch_file"]

# Largest pickle. A checkpoint with a thousand tensors has a pickle of 0.2 MB, which does not hold their numbers.
_MAX_PICKLE = 2**23
# Largest number of values and largest depth in a pickle. A value that occurs in several places counts several times.
_MAX_VALUES, _MAX_DEPTH = 1_000_000, 100
# Number of pickles at the beginning of a file of the old format: magic number, version, machine, content, and keys.
_OLD_PICKLES = 5
# The unpickler in Python calls methods that a subclass can replace. The unpickler in C does not.
_PythonUnpickler: Any = vars(pickle)["_Unpickler"]
_ZIP_START = b"PK\x03\x04"
# A file of the old format begins with a pickle of this number, in which the last byte comes first.
_OLD_START = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")


def check_torch_file(stream: BinaryIO, file: str, *, hash_known: bool = False) -> None:
    """Raise ValueError with the reason if a file of torch.save is damaged or made to take endless time or memory.

    The stream is at the beginning of the file before and after the call. With ``hash_known`` the caller has compared
    the hash of the whole file. Else checksums are compared, and a file of the old format, which has none, is warned of.
    """
    length = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    start = stream.read(64)
    stream.seek(0)
    old = _OLD_START in start
    # A file of another kind: torch refuses it with an error that says more.
    if not old and not start.startswith(_ZIP_START):
        return
    try:
        if old:
            # The old format is a few pickles and then the bytes of the tensors.
            content = stream.read(_MAX_PICKLE)
        else:
            check_directory(stream, length)
            with zipfile.ZipFile(stream) as archive:
                content = _read_archive(archive, length, hash_known=hash_known)
        _check_pickles(content, length, old=old)
    except _RefusedError as error:
        raise ValueError(f"it {error}") from error
    except Exception as error:  # pickle and zipfile raise a dozen types of errors
        raise ValueError("it is cut short, damaged or of another kind") from error
    finally:
        stream.seek(0)
    if old and not hash_known:
        warn_caller(
            f"{file} has the old format of torch, which has no checksums: damage may change numbers unseen. Give the "
            "sha256= of the file, if you know it.",
            ModelFileWarning,
        )


class _RefusedError(Exception):
    """The file is refused for this reason."""


def _read_archive(archive: zipfile.ZipFile, length: int, *, hash_known: bool) -> bytes:
    """The pickle of a file of torch, after its sizes and checksums are checked."""
    entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise _RefusedError("has compressed entries, which torch does not write")
    if sum(entry.file_size for entry in entries) > length:
        raise _RefusedError("claims to hold more bytes than it has")
    named = [entry for entry in entries if entry.filename.endswith("/data.pkl") or entry.filename == "data.pkl"]
    if len(named) != 1 or named[0].file_size > _MAX_PICKLE:
        raise _RefusedError("has no data.pkl, or one that is too large")
    # testzip reads all entries, and compares each with its CRC-32.
    damaged = None if hash_known else archive.testzip()
    if damaged is not None:
        raise _RefusedError(f"is damaged: {damaged} does not match its checksum")
    return archive.read(named[0])


def _check_pickles(content: bytes, length: int, *, old: bool) -> None:
    """Refuse pickles that unfold to very many values. A file of the old format begins with several pickles."""
    stream = io.BytesIO(content)
    for _ in range(_OLD_PICKLES if old else 1):
        _check_size(_Outline(stream, length).load())


class _Stub(dict[Any, Any]):
    """Stands for any class, function or object that a pickle names. Calls do nothing but keep the arguments."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, *parts: Any) -> None:
        super().__init__()
        self.parts = list(parts)

    def __call__(self, *parts: Any) -> "_Stub":
        return _Stub(*parts)

    def __setstate__(self, state: Any) -> None:
        self.parts.append(state)

    def append(self, part: Any) -> None:
        """Keep a part, as ``list.append`` does."""
        self.parts.append(part)

    add = append

    def extend(self, parts: Any) -> None:
        """Keep parts, as ``list.extend`` does."""
        self.parts.extend(parts)

    def __eq__(self, other: object) -> bool:
        return self is other


class _Pair(tuple[Any, ...]):
    """A tuple whose hash does not walk through its values: nested tuples as keys would take endless time."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class _Outline(_PythonUnpickler):
    """Reads the structure of a pickle: lists, dicts and tuples, but no object of a class, and no tensor."""

    dispatch: ClassVar[dict[int, Any]] = dict(_PythonUnpickler.dispatch)

    def __init__(self, stream: BinaryIO, length: int) -> None:
        super().__init__(stream, encoding="latin1")
        self._length = length

    def find_class(self, module: str, name: str) -> Any:
        """A stub in place of the class."""
        return _ByteArray(self._length) if name == "bytearray" else _Stub()

    def persistent_load(self, pid: Any) -> Any:
        """A stub in place of a storage, whose number of values is its fifth part."""
        if isinstance(pid, tuple) and len(pid) > 4 and isinstance(pid[4], int) and pid[4] > self._length:
            raise _RefusedError(f"claims a tensor of {pid[4]} values and has {self._length} bytes")
        return _Stub()

    def get_extension(self, code: int) -> None:
        """Put a stub in place of a registered class."""
        self.append(_Stub())

    def load_build(self) -> None:
        """Keep the state of an object as one of its parts."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], _Stub):
            self.stack[-1].parts.append(state)

    def load_newobj(self) -> None:
        """Put a stub in place of an object."""
        arguments = self.stack.pop()
        self.stack.pop()
        self.append(_Stub(arguments))

    def load_newobj_ex(self) -> None:
        """Put a stub in place of an object with named arguments."""
        self.stack.pop()
        self.load_newobj()

    def load_reduce(self) -> None:
        """Keep the arguments of a call."""
        arguments = self.stack.pop()
        function = self.stack[-1]
        self.stack[-1] = function(*arguments) if isinstance(function, _Stub) else _Stub(arguments)

    def _wrap(self, number: int) -> None:
        """Replace the last values on the stack by a tuple of them."""
        values = self.stack[-number:] if number else []
        del self.stack[len(self.stack) - number :]
        self.append(_Pair(values))

    def load_tuple(self) -> None:
        """Make a tuple of all values since the mark."""
        values = self.pop_mark()
        self.append(_Pair(values))

    dispatch[pickle.TUPLE[0]] = load_tuple
    dispatch[pickle.TUPLE1[0]] = lambda self: self._wrap(1)
    dispatch[pickle.TUPLE2[0]] = lambda self: self._wrap(2)
    dispatch[pickle.TUPLE3[0]] = lambda self: self._wrap(3)
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.REDUCE[0]] = load_reduce


class _ByteArray(_Stub):
    """Stands for bytearray, which would make an array of any length that the file asks for."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length

    def __call__(self, *parts: Any) -> _Stub:
        if any(isinstance(part, int) and part > self._length for part in parts):
            raise _RefusedError("claims to hold more bytes than it has")
        return _Stub(*parts)


def _parts(value: Any) -> Iterator[Any]:
    """What a value of a pickle holds."""
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    if isinstance(value, _Stub):
        yield from value.parts
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value


def _check_size(value: Any) -> None:
    """Refuse very many values. Sixty nested lists that each hold the next list twice have more than 1e18 values."""
    # Number of values in each value by its id, and the open values with iterators over their parts.
    counts: dict[int, int] = {}
    held, open_ids = [(value, _parts(value), 1)], {id(value)}
    while held:
        current, parts, count = held.pop()
        for part in parts:
            if id(part) in open_ids:
                raise _RefusedError("holds a value that contains itself")
            if not isinstance(part, dict | list | tuple | set | frozenset):
                count += 1
            elif id(part) in counts:
                count += counts[id(part)]
            else:
                # Count this part first, then go on with the value that holds it.
                held += [(current, parts, count), (part, _parts(part), 1)]
                open_ids.add(id(part))
                break
            if count > _MAX_VALUES:
                raise _RefusedError(f"unfolds to more than {_MAX_VALUES:,} values")
        else:
            open_ids.discard(id(current))
            counts[id(current)] = count
            if held:
                outer, rest, before = held.pop()
                held.append((outer, rest, before + count))
                if before + count > _MAX_VALUES:
                    raise _RefusedError(f"unfolds to more than {_MAX_VALUES:,} values")
        if len(held) > _MAX_DEPTH:
            raise _RefusedError(f"is nested more than {_MAX_DEPTH} levels deep")
