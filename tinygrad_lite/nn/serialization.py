"""Weights in files: the safetensors format, written and read here.

A file is the length of its header (8 bytes, little-endian), the header (JSON: dtype, shape and place of each
tensor by name, and ``__metadata__``), and the elements in C order, little-endian, without holes. Nothing in
it can run code. A file that breaks the format anywhere is refused before any tensor is allocated. What is more
than tensors by name, ``saving.py`` puts into the metadata.
"""

from __future__ import annotations

import io
import json
import math
import os
import secrets
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.backends.devices import on_host
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, DataError, DataNotFoundError, DTypeError, fail

__all__ = ["save_file", "load_file", "load_metadata"]

PathLike = str | os.PathLike[str]

#: the format's names of the element types that NumPy has
_DTYPES: dict[str, dtypes.DType] = {
    "BOOL": dtypes.bool_,
    "U8": dtypes.uint8,
    "I8": dtypes.int8,
    "U16": dtypes.uint16,
    "I16": dtypes.int16,
    "U32": dtypes.uint32,
    "I32": dtypes.int32,
    "U64": dtypes.uint64,
    "I64": dtypes.int64,
    "F16": dtypes.float16,
    "F32": dtypes.float32,
    "F64": dtypes.float64,
    "C64": dtypes.complex64,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_FOREIGN = ("BF16", "F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
_MAX_HEADER = 100_000_000  # bytes; the limit of the format's reference implementation
_MAX_NDIM = 64  # NumPy's own limit
_MAX_BYTES = 2**63 - 1  # what NumPy can address


class _Entry(NamedTuple):
    """Where a tensor lies: bytes ``begin`` to ``end`` of the elements' part of the file."""

    name: str
    dtype: dtypes.DType
    shape: tuple[int, ...]
    begin: int
    end: int


# --- writing ------------------------------------------------------------------------------------------


@checked_keywords
def save_file(tensors: Mapping[str, Any], path: PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors by name to a safetensors file, which any reader of the format understands.

    Args:
        tensors: tensors or NumPy arrays by name.
        path: the file, or a symbolic link to it. It is written under another name, flushed to the disk and
            then renamed, so that it appears complete or not at all.
        metadata: strings by name that go with it.

    Raises:
        DTypeError: for a name, a value or metadata of the wrong kind, and for complex128.
        ArgumentError: for the name ``__metadata__``, which the format keeps for itself, and for a path that
            cannot be written: its folder does not exist, or it is a folder, a pipe or a device.
        OSError: if the disk is full or fails.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"x": Tensor([1.0, 2.0])}, folder + "/x.safetensors", {"epoch": "3"})
    ...     load_file(folder + "/x.safetensors"), load_metadata(folder + "/x.safetensors")
    ({'x': Tensor([1., 2.])}, {'epoch': '3'})
    """
    arrays = _arrays(tensors)
    # Large element sizes first: each tensor then starts at a multiple of its own element size.
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    places: dict[str, tuple[int, int]] = {}
    end = 0
    for name in order:
        places[name] = end, end + arrays[name].nbytes
        end += arrays[name].nbytes
    header: dict[str, Any] = {}
    if metadata is not None:
        header["__metadata__"] = checked_metadata(metadata)
    for name, array in arrays.items():
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": list(places[name]),
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _MAX_HEADER:
        need = f"needs a header of at most {_MAX_HEADER} bytes, but names, shapes and plain values take {len(text)}"
        fail(ArgumentError, "save_file", need, {}, "make tensors of long lists of numbers")
    target = _target(path)
    # Not the target's name with something added: that could be longer than names may be.
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(4)}.tmp")
    file = _created(path, temporary)
    try:
        with file:
            file.write(len(text).to_bytes(8, "little") + text)
            for name in order:
                array = arrays[name]
                file.write(array.astype(array.dtype.newbyteorder("<"), order="C", copy=False).data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _target(path: PathLike) -> str:
    """The file behind the path and its symbolic links: one that is not there yet, or one that may be replaced."""
    try:
        target = os.path.realpath(os.fsdecode(path))
        mode = os.stat(target).st_mode
    except TypeError:
        hint = "the tensors come first, then the path: save(model.state_dict(), 'model.safetensors')"
        fail(DTypeError, "save_file", "needs the path of a file", {"path": path}, hint)
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.isdir(os.path.dirname(target)):
            hint = "" if os.path.exists(os.path.dirname(target)) else "make it first: os.makedirs(folder)"
            need = "needs a path in a folder that exists"
            fail(ArgumentError, "save_file", need, {"path": os.fspath(path)}, hint)
        return target
    except OSError as error:
        _cannot_write(path, error.strerror)
    except ValueError:  # in the words of whichever Python version
        _cannot_write(path, "a null character in it")
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        hint = "add a name for the file, such as model.safetensors" if stat.S_ISDIR(mode) else ""
        need = f"needs the path of a file, but it is {kind}"
        fail(ArgumentError, "save_file", need, {"path": os.fspath(path)}, hint)
    return target


def _created(path: PathLike, temporary: str) -> io.BufferedWriter:
    try:
        return open(temporary, "xb")
    except OSError as error:
        _cannot_write(path, error.strerror)


def _cannot_write(path: PathLike, reason: str | None) -> NoReturn:
    need = f"needs a path that can be written, but got: {reason}"
    fail(ArgumentError, "save_file", need, {"path": os.fspath(path)})


def _arrays(tensors: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    if not isinstance(tensors, Mapping):
        hint = "model.state_dict()"
        if isinstance(tensors, (str, os.PathLike)):
            hint = "the tensors come first, then the path: save(model.state_dict(), path)"
        fail(DTypeError, "save_file", "needs a mapping of names to tensors", {"tensors": tensors}, hint)
    arrays = {}
    for name, value in tensors.items():
        _check_text("tensor names", name)
        if name == "__metadata__":
            fail(ArgumentError, "save_file", "cannot name a tensor '__metadata__'", {}, "pass metadata= instead")
        if not isinstance(value, (Tensor, np.ndarray)):
            hint = "save(...) takes plain values as well, in dictionaries and lists"
            fail(DTypeError, "save_file", f"needs tensors, but {name!r} is not one", {"value": value}, hint)
        array = on_host(value._data) if isinstance(value, Tensor) else np.asarray(value)
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if array.dtype not in _NAMES:
            fail(DTypeError, "save_file", f"cannot store {array.dtype.name}, which the format lacks", {name: value})
        arrays[name] = array
    return arrays


def checked_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(metadata, Mapping):
        fail(DTypeError, "save_file", "needs a dictionary of strings as metadata", {"metadata": metadata})
    for key, value in metadata.items():
        _check_text("metadata", key)
        _check_text("metadata", value)
    return dict(metadata)


def _check_text(what: str, text: Any) -> None:
    if not isinstance(text, str):
        fail(DTypeError, "save_file", f"needs strings as {what}, but got {text!r}")
    if not _is_text(text):
        fail(ArgumentError, "save_file", f"needs Unicode text as {what}, but got {text!r}")


def _is_text(text: str) -> bool:
    """Whether there are no lone surrogates, which UTF-8 cannot carry."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


# --- reading ------------------------------------------------------------------------------------------


@checked_keywords
def load_file(path: PathLike) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, in the order of its header.

    Args:
        path: the file.

    Raises:
        DataNotFoundError: if there is no such file.
        DataError: if it is damaged, not in the format, or holds a type that NumPy lacks, such as BF16.

    ``save_file`` shows an example.
    """
    return read_file("load_file", path)[0]


def read_file(operation: str, path: PathLike) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a file; ``operation`` is who asks."""
    with _opened(operation, path) as file:
        entries, metadata, start = _read_header(operation, path, file)
        tensors = {}
        for entry in entries:
            array = np.empty(entry.shape, entry.dtype)
            file.seek(start + entry.begin)
            if file.readinto(array.reshape(-1).view(np.uint8).data) != entry.end - entry.begin:
                refuse_file(operation, path, f"it ends within {entry.name!r}")
            if entry.dtype == dtypes.bool_ and (array.view(np.uint8) > 1).any():
                refuse_file(operation, path, f"{entry.name!r} holds bools other than 0 and 1")
            if sys.byteorder == "big":
                array.byteswap(inplace=True)
            tensors[entry.name] = make_tensor(array)
        return tensors, metadata


@checked_keywords
def load_metadata(path: PathLike) -> dict[str, str]:
    """The strings that were saved with the tensors of a safetensors file; the tensors are not read.

    Args:
        path: the file.

    Raises:
        DataNotFoundError, DataError: as for ``load_file``.
    """
    with _opened("load_metadata", path) as file:
        return _read_header("load_metadata", path, file)[1]


def _opened(operation: str, path: PathLike) -> io.BufferedReader:
    try:
        return open(os.fspath(path), "rb")
    except (FileNotFoundError, IsADirectoryError):
        hint = "there is no such file; relative paths start in the folder that the program was started in"
        if os.path.isdir(path):
            hint = "this is a folder: name a file in it"
        fail(DataNotFoundError, operation, "needs a safetensors file", {"path": os.fspath(path)}, hint)
    except TypeError:
        hint = "it is a text such as 'model.safetensors', or a pathlib.Path"
        fail(DTypeError, operation, "needs the path of a file", {"path": path}, hint)


def refuse_file(operation: str, path: PathLike, reason: str, hint: str = "") -> NoReturn:
    need = f"needs a valid safetensors file, but {reason}"
    hint = hint or "was it written by save, and copied whole? Other formats, such as PyTorch's .pt, are not read"
    fail(DataError, operation, need, {"path": os.fspath(path)}, hint)


class _Damaged(Exception):
    """Says what is wrong with a header."""


def _read_header(operation: str, path: PathLike, file: io.BufferedReader) -> tuple[list[_Entry], dict[str, str], int]:
    """The entries, the metadata, and where in the file the elements begin, once all of it is proven sound."""
    size = os.fstat(file.fileno()).st_size
    try:
        first = file.read(8)
        if len(first) < 8:
            raise _Damaged("it is shorter than 8 bytes")
        length = int.from_bytes(first, "little")
        if length > min(_MAX_HEADER, size - 8):
            limit = "the file holds" if size - 8 <= _MAX_HEADER else "the format allows"
            raise _Damaged(f"its header says that it is {length} bytes long, more than {limit}")
        header = _parse(file.read(length))
        metadata = header.pop("__metadata__", None)
        metadata = {} if metadata is None else metadata  # null is what the reference implementation accepts, too
        if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
            raise _Damaged("its __metadata__ is not a dictionary of strings")
        foreign = [f"{name!r} in {place['dtype']}" for name, place in header.items() if _is_foreign(place)]
        if foreign:
            hint = "convert these tensors to F32 where the file was written"
            refuse_file(operation, path, f"it holds {foreign[0]}, a type that NumPy lacks", hint)
        entries = [_entry(name, place) for name, place in header.items()]
        _check_places(entries, size - 8 - length)
    except _Damaged as damage:
        refuse_file(operation, path, str(damage))
    return entries, metadata, 8 + length


def _parse(text: bytes) -> dict[str, Any]:
    """The header as a dictionary; JSON that means two things is refused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise _Damaged(f"its header has {name!r} twice")
            found[name] = value
        if not all(map(_is_text, found)):
            raise _Damaged("its header has a name that is not Unicode text")
        return found

    if not text.startswith(b"{"):
        raise _Damaged("its header does not begin with '{'")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError):  # also for text that is not UTF-8, and for integers of absurd length
        raise _Damaged("its header is not JSON in UTF-8") from None
    return header  # type: ignore[no-any-return]


def _is_foreign(place: Any) -> bool:
    return isinstance(place, dict) and place.get("dtype") in _FOREIGN


def _entry(name: str, place: Any) -> _Entry:
    """One line of the header, checked on its own."""
    if not isinstance(place, dict) or set(place) != {"dtype", "shape", "data_offsets"}:
        raise _Damaged(f"{name!r} needs exactly dtype, shape and data_offsets")
    dtype = _DTYPES.get(place["dtype"]) if isinstance(place["dtype"], str) else None
    if dtype is None:
        raise _Damaged(f"{name!r} has the unknown dtype {place['dtype']!r}")
    shape, offsets = place["shape"], place["data_offsets"]
    if not _are_sizes(shape) or len(shape) > _MAX_NDIM:
        raise _Damaged(f"the shape of {name!r} is not a list of at most {_MAX_NDIM} sizes")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _Damaged(f"the data_offsets of {name!r} are not [begin, end]")
    # NumPy multiplies the sizes that are not 0, also where there is no element.
    if math.prod(n for n in shape if n) * dtype.itemsize > _MAX_BYTES:
        raise _Damaged(f"the shape of {name!r} is too large")
    needed, given = math.prod(shape) * dtype.itemsize, offsets[1] - offsets[0]
    if needed != given:
        raise _Damaged(f"{name!r} needs {needed} bytes, but has {given}")
    return _Entry(name, dtype, tuple(shape), *offsets)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n <= _MAX_BYTES for n in values)


def _check_places(entries: list[_Entry], size: int) -> None:
    """The tensors must cover the elements' part of the file: no overlap, no hole, nothing behind them."""
    end = 0
    for entry in sorted(entries, key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != end:
            kind = "overlaps the tensor before it" if entry.begin < end else "lies behind a hole"
            raise _Damaged(f"{entry.name!r} {kind}")
        end = entry.end
    if end != size:
        raise _Damaged(f"its tensors take {end} bytes, but {size} follow the header")
