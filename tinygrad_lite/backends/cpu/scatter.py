"""Adding at places that repeat, which is where the gradient of reading by index goes.

NumPy's ``add.at`` on flat arrays costs about 0.7 ns per element, and as much again to name every element. Long rows
are cheaper sorted: the rows of one place then stand together, are read once, and are summed by vector instructions.
Which way is taken depends on shapes and indices alone, and the order of summation not on threads: the same bits come
out every time. float16 is summed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array
from tinygrad_lite.backends.cpu.parallel import BLOCK, for_blocks, scratch

# Measured with float32: adding 100,000 rows to 1000 took 0.9, 1.3, 2.3 and 8 ms element by element with rows of 4, 8,
# 16 and 64 elements, and 1.1, 1.2, 1.8 and 4 ms sorted.
LONG_ROW = 24  #: elements, from which sorting pays
ENOUGH = 65536  #: elements in all, likewise
TOGETHER = 32768  #: elements of the runs that advance together: they stay in the cache
FEW = 128  #: runs, below which a round, which costs 6 us, is no better than a call per run, which costs 3


def add_rows(shape: tuple[int, ...], rows: Array, x: Array) -> Array:
    """Zeros of ``shape`` with ``x[i]`` added at ``rows[i]``, for 1-d ``rows``, negative only if ``shape`` is 1-d."""
    wide = np.float32 if x.dtype == np.float16 else x.dtype
    out = np.zeros(shape, wide)
    count, width = rows.size, math.prod(shape[1:])
    if count and width:
        target, values = out.reshape(shape[0], width), x.reshape(count, width)
        if width < LONG_ROW or count * width < ENOUGH:
            _one_by_one(target, rows, values)
        else:
            _sorted(target, rows, values)
    return out.astype(x.dtype, copy=False)


def add_places(shape: tuple[int, ...], places: Array, x: Array) -> Array:
    """Zeros of ``shape`` with the elements of ``x`` added at flat ``places``."""
    return add_rows((math.prod(shape),), places.reshape(-1), x.reshape(-1)).reshape(shape)


def flat_rows(parts: Sequence[Array], sizes: Sequence[int]) -> Array:
    """The row-major number of every place that index arrays name together on axes of ``sizes``; 1-d."""
    rows: Array = np.intp(0)
    for part, size in zip(parts, sizes, strict=True):
        part = part.astype(np.intp, copy=False)
        if part.size and part.min() < 0:
            part = np.where(part < 0, part + size, part)
        rows = part if len(parts) == 1 else rows * size + part
    return rows.reshape(-1)


def take_along(x: Array, indices: Array, axis: int) -> Array:
    """``np.take_along_axis`` of indices that are within bounds, as large as x on the other axes."""
    out = np.empty(indices.shape, x.dtype)
    flat, values = x.reshape(-1), out.reshape(-1)

    def read(first: int, places: Array, start: int, stop: int) -> None:
        flat[first:].take(places, None, values[start:stop], "clip")  # unlike "raise" it needs no buffer

    _by_places(read, indices, x.shape, axis, for_blocks)
    return out


def add_along(x: Array, indices: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Zeros of ``shape`` with the elements of ``x`` added at ``indices`` along ``axis``."""
    out = np.zeros(shape, np.float32 if x.dtype == np.float16 else x.dtype)
    flat, values = out.reshape(-1), x.reshape(-1).astype(out.dtype, copy=False)

    def add(first: int, places: Array, start: int, stop: int) -> None:
        np.add.at(flat[first:], places, values[start:stop])

    _by_places(add, indices, shape, axis, _in_order)
    return out.astype(x.dtype, copy=False)


def _in_order(total: int, block: int, function: Callable[[int, int], object]) -> None:
    for start in range(0, total, block):
        function(start, min(start + block, total))


def _by_places(
    function: Callable[[int, Array, int, int], object], indices: Array, shape: tuple[int, ...], axis: int, blocks: Any
) -> None:
    """Call ``function(first, places, start, stop)`` for blocks of the elements of ``indices``, which fit in the cache.

    ``places`` are the flat positions, counted from ``first``, in an array of ``shape`` that the elements name.
    """
    if not indices.size:
        return
    indices = indices.astype(np.intp, copy=False)
    if indices.min() < 0:
        indices = np.where(indices < 0, indices + shape[axis], indices)
    strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    row = indices.size // len(indices)
    height = min(max(BLOCK // row, 1), len(indices))
    # What the axes but the given one add to a position: the same in all blocks, counted from the first of each.
    sizes = (height, *indices.shape[1:])
    others = np.zeros(sizes, np.intp)
    for k, (n, stride) in enumerate(zip(sizes, strides, strict=True)):
        if k != axis:
            others += np.arange(0, n * stride, stride).reshape(n, *[1] * (len(sizes) - 1 - k))
    step = strides[0] if axis else 0

    def block(start: int, stop: int) -> None:
        i, j = start // row, stop // row
        found, places = indices[i:j], scratch("places", (j - i, *sizes[1:]), np.intp)
        if strides[axis] != 1:
            found = np.multiply(found, strides[axis], out=places)
        np.add(found, others[: j - i], out=places)
        function(i * step, places.reshape(-1), start, stop)

    blocks(indices.size, height * row, block)


def _one_by_one(out: Array, rows: Array, x: Array) -> None:
    """Every element finds its own place. ``add.at`` is quick where nothing has to be cast."""
    x = x.astype(out.dtype, copy=False)
    flat, width = out.reshape(-1), out.shape[1]
    if width == 1:
        np.add.at(flat, rows, x.reshape(-1))
        return
    columns = np.arange(width)
    step = max(BLOCK // width, 1)  # the places of a block stay in the cache
    for start in range(0, rows.size, step):
        places = rows[start : start + step, None] * width + columns
        np.add.at(flat, places.reshape(-1), x[start : start + step].reshape(-1))


def _sorted(out: Array, rows: Array, x: Array) -> None:
    """Equal rows side by side, in runs: blocks of runs advance together, one row of each at a time."""
    x = np.ascontiguousarray(x)  # or each of the many calls of take copies all of it
    order = _stable_order(rows, out.shape[0])
    ordered = rows[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    lengths = np.diff(starts, append=rows.size)
    longest_first = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[longest_first], lengths[longest_first]
    places = ordered[starts]
    # Two blocks at least, for two threads.
    together = max(min(TOGETHER // out.shape[1], -(-starts.size // 2)), 1)
    work = x.size // starts.size  # of a run, on average

    def add(first: int, last: int) -> None:
        i, j = first // work, last // work
        out[places[i:j]] = _run_sums(x, order, starts[i:j], lengths[i:j], out.dtype)

    for_blocks(starts.size * work, together * work, add)


def _run_sums(x: Array, order: Array, starts: Array, lengths: Array, dtype: np.dtype) -> Array:
    """The sum of each run of rows, longest run first, in the order of the rows."""
    rounds = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left")  # runs longer than 0, 1, 2, ...
    sums = x.take(order[starts], 0).astype(dtype, copy=False)
    piece = np.empty(sums.shape, x.dtype)
    for k in range(1, lengths[0]):
        count = rounds[k]
        if count < FEW and lengths[0] - k > count // 2:  # a few long runs are summed one by one
            for i in range(count):
                rest = x.take(order[starts[i] + k : starts[i] + lengths[i]], 0)
                sums[i] += np.add.reduce(rest, 0, dtype)
            break
        x.take(order[starts[:count] + k], 0, piece[:count], "clip")  # unlike "raise" it needs no buffer
        sums[:count] += piece[:count]
    return sums


def _stable_order(rows: Array, size: int) -> Array:
    """``np.argsort(rows, kind="stable")`` by 16 bits at a time, which NumPy sorts twenty times as fast."""
    if size > 2**32:
        return np.argsort(rows, kind="stable")
    order = np.argsort(rows.astype(np.uint16), kind="stable")
    if size > 2**16:
        order = order[np.argsort((rows >> 16)[order].astype(np.uint16), kind="stable")]
    return order
