"""Norms of gradients, and limiting them, without waiting for the GPU; ``backends/cpu/clipping.py`` is the other one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, driver, launching, memory
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, empty, zeros
from tinygrad_lite.backends.cuda.pointwise import COMPUTE_LETTERS, at_sixteen, packs
from tinygrad_lite.backends.cuda.types import C_NAMES, FLOATS

_BLOCK = 256

_PART: dict[Any, Any] = {}
_LIMIT_NORM: dict[Any, Any] = {}
_LIMIT_VALUES: dict[Any, Any] = {}
for _dtype in FLOATS:
    _module = compiler.module("clipping.cu", TYPE=C_NAMES[_dtype])
    _PART[_dtype] = launching.Kernel(_module, "norm_part", "PPPPPdQQIIi0Q")
    _LIMIT_NORM[_dtype] = launching.Kernel(_module, "limit_norm", "PPPdQQ")
    _LIMIT_VALUES[_dtype] = launching.Kernel(_module, "limit_values", f"PP{COMPUTE_LETTERS[_dtype]}QQ")

_LARGEST, _FIRST, _SECOND, _ANY = range(4)  # as in kernels/clipping.cu

Limiter = Callable[[CudaArray, CudaArray], None]


def norm(arrays: Sequence[CudaArray], p: float) -> CudaArray:
    """The p-norm of all elements, as float64, summed in float64; p may be inf."""
    arrays = [contiguous(array) for array in arrays if array.size]
    result = empty((), dtypes.float64)
    if not arrays:
        return zeros((), dtypes.float64)
    if p == math.inf:
        _launch(arrays, _LARGEST, p, None, result)
        return result
    power = {1.0: _FIRST, 2.0: _SECOND}.get(p, _ANY)
    scale = None
    # Powers of the smaller types stay within what float64 can hold.
    if power == _ANY or (power == _SECOND and any(array.dtype == dtypes.float64 for array in arrays)):
        scale = empty((), dtypes.float64)
        _launch(arrays, _LARGEST, p, None, scale)
    _launch(arrays, power, p, scale, result)
    return result


def _launch(arrays: Sequence[CudaArray], power: int, p: float, scale: CudaArray | None, result: CudaArray) -> None:
    """One launch per array; the last one adds up."""
    grids = [_grid(array.size, 16 // array.dtype.itemsize) for array in arrays]
    total = sum(grids)
    partial = empty((total,), dtypes.float64)
    first = 0
    for k, (array, grid) in enumerate(zip(arrays, grids, strict=True)):
        vectors = array.size // (16 // array.dtype.itemsize) if array.address % 16 == 0 else 0
        _PART[array.dtype](
            (grid, 1, 1),
            (_BLOCK, 1, 1),
            array.address,
            partial.address,
            result.address,
            0 if scale is None else scale.address,
            memory.counters(),
            p,
            array.size,
            vectors,
            first,
            total if k == len(arrays) - 1 else 0,
            power,
        )
        first += grid


@functools.lru_cache(1024)
def _grid(count: int, lanes: int) -> int:
    """Blocks for an array: four packs per thread, but no more than fill the GPU."""
    return min(launching.blocks(count, _BLOCK * lanes * 4), 8 * driver.current().multiprocessors)


def limiter(found: CudaArray, most: float) -> Limiter | None:
    """What scales an array so that the norm ``found`` becomes at most ``most``: ``function(x, out)``, out may be x."""

    def limit(x: CudaArray, out: CudaArray) -> None:
        x = contiguous(x)
        if x.size:
            grid, block, vectors = packs(x.size, 16 // x.dtype.itemsize, at_sixteen(x.address, out.address))
            _LIMIT_NORM[x.dtype](grid, block, x.address, out.address, found.address, most, vectors, x.size)

    return limit


def limiter_of_values(bound: float) -> Limiter:
    """What limits every element of an array to -bound ... bound: ``function(x, out)``, out may be x."""

    def limit(x: CudaArray, out: CudaArray) -> None:
        x = contiguous(x)
        if x.size:
            most = float(x.dtype.type(bound))
            grid, block, vectors = packs(x.size, 16 // x.dtype.itemsize, at_sixteen(x.address, out.address))
            _LIMIT_VALUES[x.dtype](grid, block, x.address, out.address, most, vectors, x.size)

    return limit
