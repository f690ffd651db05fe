"""Arrays for the tests of the chapters: samples of every dtype, awkward layouts on the GPU, comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda.array import CudaArray, from_host

nan, inf = float("nan"), float("inf")


def on_gpu(x: Any) -> CudaArray:
    """The same elements with the same strides: what lies around a view is copied too."""
    root = x
    while isinstance(root.base, np.ndarray):
        root = root.base
    item = x.dtype.itemsize
    whole = from_host(root.reshape(-1))
    first = (x.__array_interface__["data"][0] - root.__array_interface__["data"][0]) // item if x.size else 0
    return whole.view_as(x.shape, tuple(s // item for s in x.strides), first)


def layouts(values: Any) -> dict[str, Any]:
    """Views of different shapes and strides that show elements of the 1-d array ``values``, of 300 at least."""
    return {
        "none": values[:0],
        "no rows": values[:0].reshape(3, 0),
        "0-d": values[5:6].reshape(()),
        "one": values[7:8],
        "a few": values[:7],
        "less than a block": values[:255],
        "more than a block": values[:257],
        "unaligned": values[1:258],
        "matrix": values[:64].reshape(4, 16),
        "columns": values[:96].reshape(6, 16)[:, 3:12],
        "aligned columns": values[:192].reshape(6, 32)[:, 16:],
        "transposed": values[:99].reshape(9, 11).T,
        "backwards": values[40:3:-1],
        "every third": values[2:200:3],
        "repeated": np.broadcast_to(values[:16], (3, 16)),
        "repeated along rows": np.broadcast_to(values[:4, None], (4, 32)),
        "cube": values[:120].reshape(4, 5, 6).transpose(2, 0, 1),
        "nine axes": np.broadcast_to(values[:6].reshape(1, 3, 1, 1, 2, 1, 1, 1, 1), (2, 3, 1, 2, 2, 1, 2, 1, 1)),
        "nine axes that do not merge": np.ndarray(
            (2,) * 9, values.dtype, values, strides=tuple(k * values.itemsize for k in range(17, 0, -2))
        ),
    }


# --- samples ------------------------------------------------------------------------------------------------


def values(dtype: str, size: int = 400, seed: int = 0) -> Any:
    """Ordinary and special elements in no order."""
    rng, kind = np.random.default_rng(seed), np.dtype(dtype).kind
    if kind == "b":
        return rng.random(size) < 0.5
    if kind in "iu":
        bounds = np.iinfo(dtype)
        special = np.array([bounds.min, bounds.max, bounds.min + 1, 0, 1, 2, 3, bounds.max // 2], dtype)
        if kind == "i":
            special = np.append(special, np.array([-1, -2, -7], dtype))
        ordinary = rng.integers(max(bounds.min, -20), 20, size).astype(dtype)
        wide = rng.integers(bounds.min, bounds.max, size, dtype=dtype)
        chosen = np.where(rng.random(size) < 0.4, wide, ordinary)
        return np.where(rng.random(size) < 0.3, rng.choice(special, size), chosen)
    if kind == "c":
        part = "float32" if dtype == "complex64" else "float64"
        return (values(part, size, seed) + 1j * values(part, size, seed + 1)).astype(dtype)
    tiny = np.finfo(dtype).smallest_subnormal
    special = [0.0, -0.0, nan, inf, -inf, 0.5, 1.5, 2.5, -0.5, 1.0, -1.0, 3.0, tiny, -tiny, np.finfo(dtype).max]
    ordinary = rng.normal(0, 3, size).astype(dtype)
    return np.where(rng.random(size) < 0.4, rng.choice(np.array(special, dtype), size), ordinary)


def ordinary(dtype: str, size: int, seed: int = 0, low: float = -3, high: float = 3) -> Any:
    """Elements spread evenly between two numbers."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "c":
        return (rng.uniform(low, high, size) + 1j * rng.uniform(low, high, size)).astype(dtype)
    return rng.uniform(low, high, size).astype(dtype)


# --- comparisons --------------------------------------------------------------------------------------------


def same(got: CudaArray, expected: Any) -> None:
    """Equal in shape, dtype and every element."""
    assert type(got) is CudaArray
    expected = np.asarray(expected)
    assert (got.shape, got.dtype.name) == (expected.shape, expected.dtype.name)
    np.testing.assert_array_equal(got.get(), expected)


def close(got: CudaArray, expected: Any, units: float) -> None:
    """Equal where not finite, and off by at most so many units in the last place of the modulus elsewhere."""
    expected = np.asarray(expected)
    assert (got.shape, got.dtype.name) == (expected.shape, expected.dtype.name)
    found, finite = got.get(), np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite])
    error = np.abs(found[finite].astype("complex128") - expected[finite].astype("complex128"))
    unit = np.spacing(np.abs(expected[finite]))
    worst = np.argmax(error / unit) if error.size else None
    assert not error.size or error[worst] <= units * unit[worst], (found[finite][worst], expected[finite][worst])
