"""Running sums, products and extrema of NumPy arrays, and the linear recurrence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array
from tinygrad_lite.backends.cpu.reductions import WIDE as _WIDE


def _accumulated(ufunc: np.ufunc, x: Array, axis: int, wide: Any) -> Array:
    total = ufunc.accumulate(x, axis, wide)
    return total if wide is not np.float32 else total.astype(np.float16)


def cumulative_sum(x: Array, axis: int) -> Array:
    return _accumulated(np.add, x, axis, _WIDE.get(x.dtype))


def cumulative_prod(x: Array, axis: int) -> Array:
    return _accumulated(np.multiply, x, axis, _WIDE.get(x.dtype))


def cumulative_max(x: Array, axis: int) -> Array:
    return np.maximum.accumulate(x, axis)


def cumulative_min(x: Array, axis: int) -> Array:
    return np.minimum.accumulate(x, axis)


def logcumsumexp(x: Array, axis: int) -> Array:
    return _accumulated(np.logaddexp, x, axis, _WIDE.get(x.dtype))


# A recurrence of at least 64 steps on fewer than 256 elements each is cut into chunks that run side by side. (A step
# costs about 2 us, whatever its size; the chunks cost each element about 5 ns more.)
_STEPS, _WIDTH = 64, 256


def linear_scan(a: Array, b: Array, axis: int, reverse: bool) -> Array:
    """One vectorised step per element of ``axis``, or about 2 sqrt(n) steps where the axis is long.

    With P the product of a over the elements of a chunk so far and h0 the last value before the chunk,
    h = (h of the chunk on its own) + P h0.
    """
    a, b = np.broadcast_arrays(np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0))
    if reverse:
        a, b = a[::-1], b[::-1]
    n = b.shape[0]
    h = _in_chunks(a, b, math.isqrt(n)) if n >= _STEPS and b.size < n * _WIDTH else None
    if h is None:
        h = _step_by_step(a, b)
    return np.moveaxis(h[::-1] if reverse else h, 0, axis)


def _step_by_step(a: Array, b: Array) -> Array:
    h = np.empty(b.shape, np.result_type(a, b))
    for t in range(b.shape[0]):
        step = h[t, ...]  # with the ellipsis a view even where it is 0-d
        step[...] = b[t]
        if t:
            step += a[t] * h[t - 1, ...]
    return h


def _in_chunks(a: Array, b: Array, length: int) -> Array | None:
    """The same in chunks of ``length``; None where a product is too large for that, although no h may be."""
    n, rest = b.shape[0], b.shape[1:]
    whole = n // length * length
    # (place in the chunk, number of the chunk, ...), so that a step over all chunks reads neighbours.
    chunks = [np.ascontiguousarray(np.swapaxes(v[:whole].reshape(-1, length, *rest), 0, 1)) for v in (a, b)]
    h = _step_by_step(*chunks)
    with np.errstate(over="ignore", invalid="ignore"):
        products = np.multiply.accumulate(chunks[0], 0)
    if not (np.isfinite(products).all() and np.isfinite(h).all()):
        return None
    before = np.zeros_like(h[0])
    before[1:] = _step_by_step(products[-1, :-1], h[-1, :-1])  # the ends of the chunks are a recurrence themselves
    h += np.multiply(products, before, products)
    flat = np.ascontiguousarray(np.swapaxes(h, 0, 1)).reshape(whole, *rest)
    if whole == n:
        return flat
    ending = np.array(b[whole:])
    ending[0] += a[whole] * flat[-1]
    return np.concatenate((flat, _step_by_step(a[whole:], ending)))
