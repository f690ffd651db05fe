"""Stable sorting of unsigned integers on the GPU, with where each stood: for repeated places, and long rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import array, compiler, launching, layout
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous

DIGIT = 8  # bits that a pass sorts by
_DIGITS = 1 << DIGIT
_THREADS = (256, 1, 1)
_TILES = {4: 3072, 8: 2048}  # keys of a block, by their bytes, as in kernels/radix.cu
_INT32, _UINT32 = np.dtype(np.int32), np.dtype(np.uint32)

_KERNELS: dict[int, tuple[launching.Kernel, ...]] = {}
for _size in _TILES:
    _module = compiler.module("radix.cu", KEY=f"uint{8 * _size}_t")
    _KERNELS[_size] = (
        launching.Kernel(_module, "count_digits", "PPII"),
        launching.Kernel(_module, "sum_counts", "PPI"),
        launching.Kernel(_module, "place_digits", "PPPPPPII"),
        launching.Kernel(_module, "sort_block", "PPPII"),
    )


def sort_pairs(keys: CudaArray, bits: int | None = None) -> tuple[CudaArray, CudaArray]:
    """The keys in rising order, and where each stood; equal keys keep their order.

    Args:
        keys: uint32 or uint64 of any shape, sorted as one sequence.
        bits: how many of their lower bits are used; None for all.

    Returns:
        The sorted keys and int32 positions, both 1-d.

    Raises:
        ValueError: there are more than 2^31 - 1 keys.
    """
    count, size = keys.size, keys.dtype.itemsize
    if count > layout.MOST_ELEMENTS:
        raise ValueError(f"{count} keys are more than one launch can count")
    keys = contiguous(keys)
    count_digits, sum_counts, place_digits, sort_block = _KERNELS[size]
    shape = (count,)
    result, order = array.empty(shape, keys.dtype), array.empty(shape, _INT32)
    if not count:
        return result, order
    digits = max(-(-(8 * size if bits is None else bits) // DIGIT), 1)
    tile = _TILES[size]
    if count <= tile:
        sort_block((1,), _THREADS, keys.address, result.address, order.address, count, digits)
        return result, order
    blocks = launching.blocks(count, tile)
    counts, totals = array.empty((_DIGITS * blocks,), _UINT32), array.empty((_DIGITS,), _UINT32)
    # The last pass writes to the results, and the passes before it in turn there and aside.
    spare: Any = (array.empty(shape, keys.dtype), array.empty(shape, _INT32)) if digits > 1 else (None, None)
    source, positions = keys.address, 0
    for digit in range(digits):
        target = (result, order) if (digits - digit) % 2 else spare
        shift = DIGIT * digit
        count_digits((blocks,), _THREADS, source, counts.address, count, shift)
        sum_counts((_DIGITS,), _THREADS, counts.address, totals.address, blocks)
        written = target[0].address, target[1].address
        place_digits((blocks,), _THREADS, source, positions, *written, counts.address, totals.address, count, shift)
        source, positions = written
    return result, order


def argsort_keys(keys: CudaArray, bits: int | None = None) -> CudaArray:
    """Where the keys stood that come first, second, ... in rising order: int32, 1-d; equal keys keep their order.

    Args and errors as in :func:`sort_pairs`.
    """
    return sort_pairs(keys, bits)[1]
