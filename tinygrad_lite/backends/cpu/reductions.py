"""Sums, extrema and running sums of NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array, Axes

# The bound methods take (x, axis, dtype, out, keepdims) by position, which is quicker than by keyword.
_add: Callable[..., Array] = np.add.reduce
_maximum: Callable[..., Array] = np.maximum.reduce
_minimum: Callable[..., Array] = np.minimum.reduce
_or: Callable[..., Array] = np.logical_or.reduce
_and: Callable[..., Array] = np.logical_and.reduce


def sum(x: Array, axis: Axes, keepdims: bool) -> Array:
    """Small integers are summed as int64, as the standard asks; float16 in float32, then rounded once."""
    wide = WIDE.get(x.dtype)
    total = _add(x, axis, wide, None, keepdims)
    return total if wide is not np.float32 else total.astype(np.float16)


# What small types are summed in. A float16 sum would stop growing at 2048, where its spacing becomes 2.
WIDE: dict[Any, Any] = {np.dtype(np.float16): np.float32}
WIDE.update({np.dtype(name): np.int64 for name in ("bool", "int8", "int16", "int32")})
WIDE.update({np.dtype(name): np.uint64 for name in ("uint8", "uint16", "uint32")})


def _accumulated(ufunc: np.ufunc, x: Array, axis: int) -> Array:
    wide = WIDE.get(x.dtype)
    total = ufunc.accumulate(x, axis, wide)
    return total if wide is not np.float32 else total.astype(np.float16)


def mean(x: Array, axis: Axes, keepdims: bool) -> Array:
    """float16 is summed in float32: 65504 is soon reached."""
    wide = WIDE.get(x.dtype)
    total = _add(x, axis, wide, None, keepdims)
    count = math.prod([x.shape[i] for i in axis])
    if count == 0:
        return np.mean(x, axis, keepdims=keepdims)  # NaN, with NumPy's warning
    return total / count if wide is None else (total / count).astype(x.dtype)


def max(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _maximum(x, axis, None, None, keepdims)


def min(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _minimum(x, axis, None, None, keepdims)


def argmax(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmax(x, axis, keepdims=keepdims)


def argmin(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmin(x, axis, keepdims=keepdims)


def any(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _or(x, axis, None, None, keepdims)


def all(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _and(x, axis, None, None, keepdims)


def cumulative_sum(x: Array, axis: int) -> Array:
    return _accumulated(np.add, x, axis)


def cumulative_prod(x: Array, axis: int) -> Array:
    return _accumulated(np.multiply, x, axis)


def linear_scan(a: Array, b: Array, axis: int, reverse: bool) -> Array:
    """One vectorised step per element of ``axis``: the recurrence is sequential in it."""
    a, b = np.broadcast_arrays(np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0))
    h = np.empty(b.shape, np.result_type(a, b))
    n = b.shape[0]
    previous: Any = None
    for t in reversed(range(n)) if reverse else range(n):
        step = h[t, ...]  # with the ellipsis a view even where it is 0-d
        step[...] = b[t] if previous is None else a[t] * previous + b[t]
        previous = step
    return np.moveaxis(h, 0, axis)
