"""Reader for IDX files, the format in which MNIST and its relatives are distributed.

An IDX file is a magic number (two zero bytes, a type code, the number of dimensions), the dimensions
as big-endian 32-bit integers and then the elements, big-endian, last axis fastest. Files come from
anywhere, so nothing in one is believed before it is checked, and no file makes the reader use more
memory than its header announces.
"""

from __future__ import annotations

import gzip
import math
import os
import stat
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from tinygrad_lite import errors

__all__ = ["LIMIT", "read"]

LIMIT = 2**30
"""Bytes that a file may have or expand to unless ``read`` is told otherwise; MNIST needs 47,040,016."""

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
_MAX_DIMENSIONS = 64  # NumPy's own limit
_CHUNK = 2**20  # a header that lies about the length costs one chunk, not the announced size
_GZIP_MAGIC = b"\x1f\x8b"


class Digest(Protocol):
    """What ``hashlib.sha256()`` returns, as far as it is used here."""

    def update(self, data: bytearray, /) -> None: ...


def read(path: str | os.PathLike[str], *, limit: int = LIMIT, digest: Digest | None = None) -> NDArray[Any]:
    """Read one IDX file, plain or gzip-compressed.

    Compression is recognised by the content, not by the name. The length must be exactly the one that
    the header announces: ``4 + 4 * ndim + itemsize * prod(shape)`` bytes.

    Args:
        path: the file.
        limit: the most bytes that the file may have, and that it may expand to.
        digest: a ``hashlib`` object that is fed the uncompressed bytes, header included.

    Returns:
        A new array in native byte order; its shape and dtype (uint8, int8, int16, int32, float32 or
        float64) are those that the header states.

    Raises:
        DataNotFoundError: there is no such file.
        DataError: the file is not IDX, damaged, too short, too long, or larger than ``limit``.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "labels-idx1-ubyte")
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1]) + bytes([0, 0, 0, 3]) + bytes([7, 2, 1]))
        ...     read(path)
        array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device could block or never end
            _refuse(path, "it is not a regular file")
        if status.st_size > limit:
            _refuse(path, f"its {status.st_size} bytes are more than the limit of {limit}")
        with open(path, "rb") as plain:
            if plain.read(2) == _GZIP_MAGIC:
                plain.seek(0)
                with gzip.GzipFile(fileobj=plain) as expanded:
                    return _parse(path, expanded, limit, digest)  # type: ignore[arg-type]
            plain.seek(0)
            return _parse(path, plain, limit, digest)
    except FileNotFoundError:
        errors.fail(errors.DataNotFoundError, "idx.read", f"needs an IDX file, but {path} does not exist")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        _refuse(path, f"its gzip compression is damaged: {str(error).rstrip('.')}")
    except OSError as error:
        _refuse(path, f"it cannot be read: {error.strerror or error}")


def _parse(path: Path, stream: BinaryIO, limit: int, digest: Digest | None) -> NDArray[Any]:
    magic = _take(stream, 4)
    if len(magic) < 4:
        _refuse(path, f"it ends after {len(magic)} of the 4 bytes of the magic number")
    code, ndim = magic[2], magic[3]
    if magic[:2] != b"\0\0" or code not in _DTYPES:
        _refuse(path, f"it begins with 0x{magic.hex()}; MNIST's images begin with 0x00000803, labels 0x00000801")
    if not 1 <= ndim <= _MAX_DIMENSIONS:
        _refuse(path, f"it announces {ndim} dimensions; 1 to {_MAX_DIMENSIONS} can be read")
    dims = _take(stream, 4 * ndim)
    if len(dims) < 4 * ndim:
        _refuse(path, f"it ends after {len(dims)} of the {4 * ndim} bytes of its {ndim} dimensions")

    dtype = np.dtype(f">{_DTYPES[code]}")
    shape = tuple(int(d) for d in np.frombuffer(dims, ">u4"))
    announced = f"shape {shape} of {dtype.newbyteorder('=').name}"
    # A zero dimension must not hide absurd ones beside it, which NumPy cannot represent.
    if math.prod(max(d, 1) for d in shape) * dtype.itemsize > limit:
        _refuse(path, f"it announces {announced}: too large, more than the limit of {limit} bytes")

    need = math.prod(shape) * dtype.itemsize
    body = _take(stream, need + 1)
    if len(body) < need:
        _refuse(path, f"it announces {announced}: {need} bytes of elements, and has only {len(body)}")
    if len(body) > need:
        _refuse(path, f"it announces {announced}: {need} bytes of elements, and more follow")
    if digest is not None:
        for part in (magic, dims, body):
            digest.update(part)
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _take(stream: BinaryIO, count: int) -> bytearray:
    """Read up to ``count`` bytes, allocating only as they arrive."""
    taken = bytearray()
    while len(taken) < count and (chunk := stream.read(min(_CHUNK, count - len(taken)))):
        taken += chunk
    return taken


def _refuse(path: Path, found: str) -> NoReturn:
    errors.fail(errors.DataError, "idx.read", f"needs a complete IDX file, but {path} is not one: {found}")
