"""Shapes, order and creation of NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array, Axes
from tinygrad_lite.backends.cpu.reductions import sum as _sum

reshape = np.reshape
permute_dims = np.transpose
squeeze = np.squeeze
flip = np.flip
tril, triu = np.tril, np.triu
concat = np.concatenate
roll = np.roll


def repeat(x: Array, repeats: Array | int, axis: int) -> Array:
    return np.repeat(x, repeats if isinstance(repeats, int) else repeats.astype(np.intp, copy=False), axis)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Small results are written out: NumPy's stretched view costs four times as much as the copy."""
    if math.prod(shape) <= _SMALL:
        out = np.empty(shape, x.dtype)
        out[...] = x
        return out
    return np.broadcast_to(x, shape)


_SMALL = 1024  # elements; where copying and making a view cost the same (measured)


def expand_dims(x: Array, axis: Axes) -> Array:
    """np.expand_dims without its checks, which cost more than the reshape."""
    shape = list(x.shape)
    for i in sorted(a % (x.ndim + len(axis)) for a in axis):
        shape.insert(i, 1)
    return x.reshape(shape)


def matrix_transpose(x: Array) -> Array:
    return x.swapaxes(-1, -2)


def astype(x: Array, dtype: Any) -> Array:
    return x.astype(dtype, copy=False)


def pad(x: Array, pad_width: Sequence[tuple[int, int]], value: float) -> Array:
    """Of zeros without np.pad, whose checks cost more than a small array."""
    if value:
        return np.pad(x, pad_width, constant_values=value) if x.ndim else x.copy()
    out = np.zeros([before + n + after for (before, after), n in zip(pad_width, x.shape, strict=True)], x.dtype)
    out[tuple([slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True)])] = x
    return out


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1))
    total = _sum(x, axes, True)
    if total.shape[lead:] != shape:  # a rule's mistake, which reshape could hide
        raise ValueError(f"an array of shape {x.shape} cannot have been broadcast from {shape}")
    return total.reshape(shape)


def unfold(x: Array, axis: int, size: int, step: int) -> Array:
    count = (x.shape[axis] - size) // step + 1
    stride = x.strides[axis]
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :], size)
    strides = (*x.strides[:axis], stride * step, *x.strides[axis + 1 :], stride)
    return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)


def overlap_add(x: Array, axis: int, length: int, step: int) -> Array:
    """One pass per element of a window, over all windows at once, in their order; float16 is summed in float32."""
    wide = np.float32 if x.dtype == np.float16 else x.dtype
    count, size = x.shape[axis], x.shape[-1]
    out = np.zeros((*x.shape[:axis], length, *x.shape[axis + 1 : -1]), wide)
    if count:
        for k in range(size):
            out[(slice(None),) * axis + (slice(k, k + (count - 1) * step + 1, step),)] += x[..., k]
    return out.astype(x.dtype, copy=False)


# --- creation -----------------------------------------------------------------------------------------


def asarray(x: Any, copy: bool | None = None) -> Array:
    """An array of ``x``; a copy lies in row-major order."""
    return np.array(x, order="C") if copy else np.asarray(x)


zeros, empty = np.zeros, np.empty


def full(shape: Any, value: Any, dtype: Any) -> Array:
    """A Python integer that the dtype cannot hold is an OverflowError; older NumPy would wrap it around."""
    if type(value) is int and dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        if not bounds.min <= value <= bounds.max:
            raise OverflowError(f"{value} does not fit into {dtype.name}")
    return np.full(shape, value, dtype)


zeros_like = np.zeros_like


def arange(n: int) -> Array:
    return np.arange(n, dtype=np.int64)
