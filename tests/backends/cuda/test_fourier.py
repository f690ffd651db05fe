"""Fourier transforms on the GPU are NumPy's, for every length, and as accurate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinygrad_lite.backends.cuda import fallback, fourier, launching
from tinygrad_lite.backends.cuda.array import copy_into, from_host
from tinygrad_lite.backends.cuda.graphs import Graph

NORMS = ("backward", "ortho", "forward")
LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17, 25, 27, 30, 31, 32, 64, 97, 100, 125, 240, 251, 256, 1000]


def drawn(shape: Any, dtype: str) -> np.ndarray:
    rng = np.random.default_rng(7)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def agree(found: Any, x: np.ndarray, name: str, *arguments: Any) -> None:
    """Within a few units in the last place of the root of the mean square, as a transform's error is measured."""
    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    expected = getattr(np.fft, name)(wide, *arguments)
    result = found.get()
    assert result.dtype == getattr(np.fft, name)(x, *arguments).dtype
    assert result.shape == expected.shape
    size = np.sqrt((np.abs(expected) ** 2).mean()) if expected.size else 0.0
    eps = np.finfo(x.dtype).eps
    np.testing.assert_allclose(result, expected, rtol=0, atol=16 * eps * max(size, 1e-30))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_every_length_is_transformed_there_and_back(n: int, dtype: str) -> None:
    x = drawn((3, n), dtype)
    there = from_host(x)
    agree(fourier.fft(there, n, 1, "backward"), x, "fft", n, 1)
    agree(fourier.ifft(there, n, 1, "backward"), x, "ifft", n, 1)
    if x.dtype.kind == "f":
        agree(fourier.rfft(there, n, 1, "backward"), x, "rfft", n, 1)
    half = drawn((3, n // 2 + 1), dtype)
    agree(fourier.irfft(from_host(half), n, 1, "backward"), half, "irfft", n, 1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [12, 13])
@pytest.mark.parametrize("size", [0, 5, 12, 13, 20])
def test_rows_are_cut_or_filled_and_scaled(norm: str, n: int, size: int) -> None:
    x, z = drawn((2, size), "float32"), drawn((2, size), "complex64")
    agree(fourier.fft(from_host(z), n, 1, norm), z, "fft", n, 1, norm)
    agree(fourier.ifft(from_host(z), n, 1, norm), z, "ifft", n, 1, norm)
    agree(fourier.rfft(from_host(x), n, 1, norm), x, "rfft", n, 1, norm)
    if size:
        agree(fourier.irfft(from_host(z), n, 1, norm), z, "irfft", n, 1, norm)
    else:  # NumPy's reads memory that nobody wrote
        assert not fourier.irfft(from_host(z), n, 1, norm).get().any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_axis_of_any_layout(axis: int) -> None:
    x = drawn((6, 4, 10), "complex64")
    n = x.shape[axis]
    agree(fourier.fft(from_host(x), n, axis, "backward"), x, "fft", n, axis)
    view = from_host(x).view_as((10, 4, 6), (1, 10, 40))
    n = x.T.shape[axis]
    agree(fourier.fft(view, n, axis, "backward"), x.T, "fft", n, axis)
    assert fourier.rfft(from_host(drawn((0, 4), "float32")), 4, 1, "backward").shape == (0, 3)


@pytest.mark.parametrize("n", [4098, 5000, 6561, 8192, 10_007])
@pytest.mark.parametrize("dtype", ["complex64", "float64"])
@pytest.mark.parametrize("longest", [4096, 50])
def test_rows_beyond_shared_memory(n: int, dtype: str, longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In two steps, and, as if blocks had less shared memory, in many passes."""
    if longest < 4096:
        monkeypatch.setattr(fourier, "_LONGEST", dict.fromkeys(fourier._LONGEST, longest))
    x = drawn((2, n), dtype)
    agree(fourier.fft(from_host(x), n, 1, "ortho"), x, "fft", n, 1, "ortho")
    agree(fourier.ifft(from_host(x), n, 1, "ortho"), x, "ifft", n, 1, "ortho")
    half = drawn((2, n // 2 + 1), dtype)
    agree(fourier.irfft(from_host(half), n, 1, "ortho"), half, "irfft", n, 1, "ortho")


def test_many_short_rows_take_one_launch_on_the_gpu_alone() -> None:
    x = from_host(drawn((500, 30), "float32"))
    fourier.rfft(x, 30, 1, "backward")
    before, fallen = launching.launches(), fallback.counts.copy()
    fourier.rfft(x, 30, 1, "backward")
    assert launching.launches() == before + 1
    assert fallback.counts == fallen


@pytest.mark.parametrize("name", fourier.__all__)
def test_no_points_are_refused_as_numpy_does(name: str) -> None:
    with pytest.raises(ValueError, match=r"^Invalid number of FFT data points \(0\) specified\.$"):
        getattr(fourier, name)(from_host(drawn(3, "float32")), 0, 0, "backward")


@pytest.mark.parametrize("n", [16, 37, 4100])
def test_a_recorded_transform_is_replayed_on_new_values(n: int) -> None:
    """What it needs besides, such as roots of unity, is there already (n = 16) or becomes a part of the graph."""
    if n == 16:
        fourier.fft(from_host(drawn((2, n), "complex64")), n, 1, "backward")
    else:
        fourier._kept.clear()
    first, second = drawn((2, n), "complex64"), drawn((3, n), "complex64")[1:]
    x, graph = from_host(first), Graph()
    with graph.recording():
        found = fourier.fft(x, n, 1, "backward")
    for values in (first, second):
        copy_into(x, from_host(values))
        graph.replay()
        agree(found, values, "fft", n, 1)
    agree(fourier.fft(from_host(first), n, 1, "backward"), first, "fft", n, 1)
