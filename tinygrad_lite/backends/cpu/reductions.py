"""Sums, products, moments and extrema of NumPy arrays along axes."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array, Axes

# The bound methods take (x, axis, dtype, out, keepdims) by position, which is quicker than by keyword.
_add: Callable[..., Array] = np.add.reduce
_multiply: Callable[..., Array] = np.multiply.reduce
_maximum: Callable[..., Array] = np.maximum.reduce
_minimum: Callable[..., Array] = np.minimum.reduce
_fmax: Callable[..., Array] = np.fmax.reduce
_fmin: Callable[..., Array] = np.fmin.reduce
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


def prod(x: Array, axis: Axes, keepdims: bool) -> Array:
    """Types are widened as in ``sum``."""
    wide = WIDE.get(x.dtype)
    total = _multiply(x, axis, wide, None, keepdims)
    return total if wide is not np.float32 else total.astype(np.float16)


def mean(x: Array, axis: Axes, keepdims: bool) -> Array:
    """float16 is summed in float32: 65504 is soon reached."""
    wide = WIDE.get(x.dtype)
    total = _add(x, axis, wide, None, keepdims)
    count = math.prod([x.shape[i] for i in axis])
    if count == 0:
        return np.mean(x, axis, keepdims=keepdims)  # NaN, with NumPy's warning
    return total / count if wide is None else (total / count).astype(x.dtype)


def var(x: Array, axis: Axes, keepdims: bool, correction: float) -> Array:
    """Two passes, as NumPy's: the mean, then the squared distances from it, which are written once.

    Expanding the square would need one pass only, and lose every digit where the mean is far from 0.
    """
    count = math.prod([x.shape[i] for i in axis])
    small = x.dtype == np.float16
    if small:
        x = x.astype(np.float32)
    centred = np.asarray(x - (_add(x, axis, None, None, True) / count if count else 0.0))
    total = _add(np.multiply(centred, centred, centred), axis, None, None, keepdims)
    result = total / x.dtype.type(builtins.max(count - correction, 0))
    return result.astype(np.float16) if small else result


def max(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _maximum(x, axis, None, None, keepdims)


def min(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _minimum(x, axis, None, None, keepdims)


def nanmax(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _fmax(x, axis, None, None, keepdims)


def nanmin(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _fmin(x, axis, None, None, keepdims)


def argmax(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmax(x, axis, keepdims=keepdims)


def argmin(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmin(x, axis, keepdims=keepdims)


def any(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _or(x, axis, None, None, keepdims)


def all(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _and(x, axis, None, None, keepdims)


def count_nonzero(x: Array, axis: Axes, keepdims: bool) -> Array:
    if len(axis) == x.ndim:  # of all elements at once NumPy counts several times as fast
        return np.full((1,) * x.ndim if keepdims else (), np.count_nonzero(x), np.int64)
    return _add(x != 0, axis, np.int64, None, keepdims)
