"""What the tests of the data layer share: IDX files as bytes, a tiny MNIST, and errors as text."""

import gzip
import hashlib
import re
import struct

import numpy as np
import pytest

from tinygrad_lite.data import mnist

_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    """The IDX file with the content of ``array``."""
    header = bytes([0, 0, _CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def message(caught):
    """The whole text of a caught error, with N for the line number of the test."""
    return re.sub(r"(?m)^(  at +\w+\.py):\d+", r"\1:N", str(caught.value))


@pytest.fixture(name="idx_bytes")
def _idx_bytes():
    return idx_bytes


@pytest.fixture(name="message")
def _message():
    return message


@pytest.fixture
def tiny():
    """Twelve training and ten test images of 2 x 3 pixels under the names of MNIST's files."""
    generator = np.random.default_rng(0)
    arrays = []
    for count in (12, 10):
        arrays.append(generator.integers(0, 256, (count, 2, 3), np.uint8))
        arrays.append((np.arange(count) % 10).astype(np.uint8))
    return {file.name: idx_bytes(array) for file, array in zip(mnist.FILES, arrays, strict=True)}


@pytest.fixture
def tiny_is_mnist(tiny, monkeypatch):
    """Make the checksums of ``tiny`` those that MNIST has to have."""
    files = [mnist._File(name, hashlib.sha256(raw).hexdigest(), len(raw)) for name, raw in tiny.items()]
    monkeypatch.setattr(mnist, "FILES", tuple(files))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty user cache and no variable, so that nothing on this machine is found."""
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tinygrad_lite" / "mnist"


@pytest.fixture
def put():
    """Write a set of files into a folder, compressed or plain."""

    def put(folder, files, compressed=True):
        folder.mkdir(parents=True, exist_ok=True)
        for name, raw in files.items():
            if compressed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(raw, mtime=0))
            else:
                (folder / name).write_bytes(raw)
        return folder

    return put
