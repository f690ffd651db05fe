"""Random numbers made on the GPU, from the same stream as the CPU's: see ``backends/cpu/random.py``.

Words, uniforms, masks and integers have the CPU's bits. Normal and exponential numbers are computed in float64 and
rounded once, like the CPU's, and differ where the last bit of a logarithm or a cosine does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cpu import random as cpu
from tinygrad_lite.backends.cuda import compiler, launching
from tinygrad_lite.backends.cuda.array import CudaArray, empty
from tinygrad_lite.backends.cuda.types import C_NAMES, FLOATS

__all__ = ["exponential", "integers", "keep_mask", "normal", "random_bits", "uniform"]

_BLOCK = 256
_STREAM = "PPQQQQQ"  # the target, then a Stream: kernels/random.cuh
_EXACT = compiler.module("random.cu")
_BITS = launching.Kernel(_EXACT, "random_bits", _STREAM)
_MASK = launching.Kernel(_EXACT, "keep_mask", _STREAM + "Q")
_INTEGERS = launching.Kernel(_EXACT, "integers", _STREAM + "Qq")
_UNIFORM: dict[Any, Any] = {dtype: launching.Kernel(_EXACT, f"uniform_{C_NAMES[dtype]}", _STREAM) for dtype in FLOATS}
_NORMAL: dict[Any, Any] = {}
_EXPONENTIAL: dict[Any, Any] = {}
for _dtype in FLOATS:
    _module = compiler.module("random_continuous.cu", REAL=C_NAMES[_dtype])
    _NORMAL[_dtype] = launching.Kernel(_module, "normal", _STREAM)
    _EXPONENTIAL[_dtype] = launching.Kernel(_module, "exponential", _STREAM)

#: Address of a 64-bit number in device memory that is added to the operation counter, or 0: a replayed graph
#: draws other numbers each time by counting there.
advance = 0


def random_bits(seed: int, counter: int, shape: cpu.Shape, *, start: int = 0) -> CudaArray:
    """Uniformly distributed 32-bit words, as uint32."""
    seed, counter, sizes, start = cpu.checked_stream("random_bits", seed, counter, shape, start)
    return _drawn(_BITS, 8, seed, counter, start, empty(sizes, dtypes.uint32))


def uniform(seed: int, counter: int, shape: cpu.Shape, dtype: Any = np.float32, *, start: int = 0) -> CudaArray:
    """Numbers in [0, 1), as fine as the dtype's significand allows and equally spaced."""
    kind = cpu.checked_dtype("uniform", dtype)
    seed, counter, sizes, start = cpu.checked_stream("uniform", seed, counter, shape, start)
    return _drawn(_UNIFORM[kind], _per_block(kind), seed, counter, start, empty(sizes, kind))


def normal(seed: int, counter: int, shape: cpu.Shape, dtype: Any = np.float32, *, start: int = 0) -> CudaArray:
    """Normally distributed numbers with mean 0 and variance 1, by the transform of Box and Muller."""
    kind = cpu.checked_dtype("normal", dtype)
    seed, counter, sizes, start = cpu.checked_stream("normal", seed, counter, shape, start)
    return _drawn(_NORMAL[kind], _per_block(kind), seed, counter, start, empty(sizes, kind))


def exponential(seed: int, counter: int, shape: cpu.Shape, dtype: Any = np.float32, *, start: int = 0) -> CudaArray:
    """Exponentially distributed numbers with mean 1."""
    kind = cpu.checked_dtype("exponential", dtype)
    seed, counter, sizes, start = cpu.checked_stream("exponential", seed, counter, shape, start)
    return _drawn(_EXPONENTIAL[kind], _per_block(kind), seed, counter, start, empty(sizes, kind))


def keep_mask(seed: int, counter: int, shape: cpu.Shape, keep_probability: float, *, start: int = 0) -> CudaArray:
    """True with the given probability, to the nearest 2**-32."""
    threshold = cpu.keep_threshold(keep_probability)
    seed, counter, sizes, start = cpu.checked_stream("keep_mask", seed, counter, shape, start)
    return _drawn(_MASK, 8, seed, counter, start, empty(sizes, dtypes.bool_), threshold)


def integers(seed: int, counter: int, shape: cpu.Shape, low: int, high: int, *, start: int = 0) -> CudaArray:
    """Integers from low to high - 1, practically equally likely, as int64."""
    low, values = cpu.checked_bounds(low, high)
    seed, counter, sizes, start = cpu.checked_stream("integers", seed, counter, shape, start)
    return _drawn(_INTEGERS, 4, seed, counter, start, empty(sizes, dtypes.int64), values, low)


def _per_block(dtype: Any) -> int:
    """The elements that a block of the stream makes."""
    return 4 if dtype == dtypes.float64 else 8


def _drawn(
    kernel: Any, per_block: int, seed: int, counter: int, start: int, target: CudaArray, *more: int
) -> CudaArray:
    """``target`` filled with the elements of the stream from ``start`` on."""
    if target.size:
        first, skipped = divmod(start, per_block)
        threads = -(-(skipped + target.size) // per_block)
        grid = (launching.blocks(threads, _BLOCK), 1, 1)
        block = (launching.block_size(threads, _BLOCK), 1, 1)
        kernel(grid, block, target.address, advance, target.size, seed, counter, first, skipped, *more)
    return target
