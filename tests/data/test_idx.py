"""The IDX reader: right files give their array, every other file one clear error and no surprise."""

import gzip
import hashlib
import os
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_lite import errors
from tinygrad_lite.data import idx

DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1])
HUGE = 2**31 - 1
fuzzed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0,), (4, 0, 2), (1,) * 64])
def test_reads_every_type_and_shape(tmp_path, idx_bytes, dtype, shape, compress):
    array = (np.arange(np.prod(shape)) - (dtype != "u1")).astype(dtype).reshape(shape)
    path = tmp_path / "file"
    path.write_bytes(compress(idx_bytes(array)))
    found = idx.read(path)
    assert found.shape == shape
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative
    assert np.array_equal(found, array)


def test_the_array_is_the_readers_own(tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(LABELS)
    first = idx.read(str(path))
    first[0] = 9
    assert idx.read(path).tolist() == [7, 2, 1]


def test_the_digest_sees_the_uncompressed_bytes_of_the_whole_file(tmp_path):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(LABELS))
    digest = hashlib.sha256()
    idx.read(path, digest=digest)
    assert digest.hexdigest() == hashlib.sha256(LABELS).hexdigest()


def header(code, *dims):
    return bytes([0, 0, code, len(dims)]) + struct.pack(f">{len(dims)}I", *dims)


BAD = {
    "empty": (b"", "it ends after 0 of the 4 bytes of the magic number"),
    "one byte": (b"\0", "it ends after 1 of the 4 bytes of the magic number"),
    "another format": (
        b"\x89PNG\r\n",
        "it begins with 0x89504e47; MNIST's images begin with 0x00000803, labels 0x00000801",
    ),
    "unknown type code": (
        header(0x0A, 1) + b"\0",
        "it begins with 0x00000a01; MNIST's images begin with 0x00000803, labels 0x00000801",
    ),
    "little-endian magic": (
        b"\x01\x08\0\0" + LABELS[4:],
        "it begins with 0x01080000; MNIST's images begin with 0x00000803, labels 0x00000801",
    ),
    "no dimension": (b"\0\0\x08\0\x05", "it announces 0 dimensions; 1 to 64 can be read"),
    "too many dimensions": (header(8, *[1] * 65) + b"\0", "it announces 65 dimensions; 1 to 64 can be read"),
    "truncated header": (LABELS[:6], "it ends after 2 of the 4 bytes of its 1 dimensions"),
    "truncated body": (
        LABELS[:-1],
        "it announces shape (3,) of uint8: 3 bytes of elements, and has only 2",
    ),
    "half an element": (
        header(0x0C, 2) + bytes(7),
        "it announces shape (2,) of int32: 8 bytes of elements, and has only 7",
    ),
    "trailing byte": (
        LABELS + b"\0",
        "it announces shape (3,) of uint8: 3 bytes of elements, and more follow",
    ),
    "a size of 32 bits": (
        header(8, 2, 2**32 - 1),
        "it announces shape (2, 4294967295) of uint8: too large, more than the limit of 1073741824 bytes",
    ),
    "more than the limit": (
        header(0x0E, 2**20, 2**10),
        "it announces shape (1048576, 1024) of float64: too large, more than the limit of 1073741824 bytes",
    ),
    "a product that overflows 64 bits": (
        header(8, *[HUGE] * 4),
        f"it announces shape {(HUGE,) * 4} of uint8: too large, more than the limit of {2**30} bytes",
    ),
    "absurd dimensions beside a zero": (
        header(8, 0, *[HUGE] * 3),
        f"it announces shape (0, {HUGE}, {HUGE}, {HUGE}) of uint8: too large, more than the limit of {2**30} bytes",
    ),
}


@pytest.mark.parametrize("content, found", BAD.values(), ids=BAD)
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_bad_file_is_refused(tmp_path, message, content, found, compress):
    path = tmp_path / "file"
    path.write_bytes(compress(content))
    with pytest.raises(errors.DataError) as caught:
        idx.read(path)
    assert message(caught) == (
        f"idx.read needs a complete IDX file, but {path} is not one: {found}\n  at  test_idx.py:N: idx.read(path)"
    )


GZIP = gzip.compress(LABELS, mtime=0)
BAD_GZIP = {
    "magic only": (GZIP[:2], "Compressed file ended before the end-of-stream marker was reached"),
    "cut off": (GZIP[:-9], "Compressed file ended before the end-of-stream marker was reached"),
    "without its checksum": (GZIP[:-8], "Compressed file ended before the end-of-stream marker was reached"),
    "unknown method": (GZIP[:2] + b"\x07" + GZIP[3:], "Unknown compression method"),
    "garbage after the end": (GZIP + b"garbage", "Not a gzipped file (b'ga')"),
    "garbage inside": (
        GZIP[:10] + b"\xff" + GZIP[11:],
        "Error -3 while decompressing data: invalid block type",
    ),
}


@pytest.mark.parametrize("content, found", BAD_GZIP.values(), ids=BAD_GZIP)
def test_damaged_compression_is_refused(tmp_path, message, content, found):
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(errors.DataError) as caught:
        idx.read(path)
    assert message(caught) == (
        f"idx.read needs a complete IDX file, but {path} is not one: "
        f"its gzip compression is damaged: {found}\n"
        "  at  test_idx.py:N: idx.read(path)"
    )


def test_a_wrong_checksum_is_refused(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(GZIP[:-8] + bytes(4) + GZIP[-4:])
    with pytest.raises(errors.DataError, match="its gzip compression is damaged: CRC check failed"):
        idx.read(path)


def test_files_that_are_none(tmp_path, message):
    path = tmp_path / "absent"
    with pytest.raises(errors.DataNotFoundError) as caught:
        idx.read(path)
    assert message(caught) == (
        f"idx.read needs an IDX file, but {path} does not exist\n  at  test_idx.py:N: idx.read(path)"
    )
    with pytest.raises(errors.DataError) as caught:
        idx.read(tmp_path)
    assert message(caught) == (
        f"idx.read needs a complete IDX file, but {tmp_path} is not one: it is not a regular file\n"
        "  at  test_idx.py:N: idx.read(tmp_path)"
    )
    with pytest.raises(errors.DataError) as caught:
        idx.read(__file__ + "/below")
    assert message(caught) == (
        f"idx.read needs a complete IDX file, but {__file__}/below is not one: "
        "it cannot be read: Not a directory\n"
        '  at  test_idx.py:N: idx.read(__file__ + "/below")'
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with named pipes")
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.DataError, match="it is not a regular file"):
        idx.read(tmp_path / "pipe")


def test_the_limit_holds_for_the_file_and_for_what_it_announces(tmp_path, message):
    path = tmp_path / "labels"
    path.write_bytes(LABELS)
    assert idx.read(path, limit=len(LABELS)).tolist() == [7, 2, 1]
    with pytest.raises(errors.DataError) as caught:
        idx.read(path, limit=10)
    assert message(caught) == (
        f"idx.read needs a complete IDX file, but {path} is not one: "
        "its 11 bytes are more than the limit of 10\n"
        "  at  test_idx.py:N: idx.read(path, limit=10)"
    )


@pytest.mark.parametrize("announced", [3, 2**29], ids=["short header", "long header"])
def test_a_bomb_is_not_expanded(tmp_path, announced):
    """64 MiB of zeros in 64 kB: neither a small nor a large announcement makes the reader hold it twice."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(header(8, announced) + bytes(2**26), compresslevel=1))
    tracemalloc.start()
    try:
        with pytest.raises(errors.DataError, match="more follow" if announced == 3 else "has only 67108864"):
            idx.read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (2**22 if announced == 3 else 2**28)


@fuzzed
@given(content=st.binary(max_size=64), compress=st.booleans())
def test_no_bytes_crash_the_reader(tmp_path, content, compress):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if compress else content)
    try:
        array = idx.read(path)
    except errors.DataError:
        return
    assert len(content) == 4 + 4 * array.ndim + array.nbytes


@fuzzed
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_at_its_announced_size(tmp_path, idx_bytes, data):
    dtype = data.draw(st.sampled_from(DTYPES))
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)))
    raw = bytearray(idx_bytes(array))
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=3)):
        raw[position] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] + data.draw(st.binary(max_size=3))
    path = tmp_path / "file"
    path.write_bytes(raw)
    try:
        found = idx.read(path)
    except errors.DataError:
        return
    assert len(raw) == 4 + 4 * found.ndim + found.nbytes


@fuzzed
@given(data=st.data())
def test_a_damaged_gzip_file_is_refused_or_whole(tmp_path, data):
    packed = bytearray(GZIP)
    position = data.draw(st.integers(0, len(packed) - 1))
    packed[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "file.gz"
    path.write_bytes(packed)
    try:
        found = idx.read(path)
    except errors.DataError:
        return
    assert found.tolist() == [7, 2, 1]
