"""gelu and dropout, each one kernel forward and one backward; and what all pairs share: packs of 16 bytes, places."""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cpu.random import keep_threshold
from tinygrad_lite.backends.cuda import compiler, launching, random
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, empty
from tinygrad_lite.backends.cuda.types import C_NAMES, FLOATS

#: dtype -> the letter of the type in which kernels compute with it.
COMPUTE_LETTERS = {dtypes.float16: "f", dtypes.float32: "f", dtypes.float64: "d"}

_BLOCK = 256
_EIGHT = 8  # elements that a thread of dropout takes: the words of a block of the random stream


def at_sixteen(*addresses: int) -> bool:
    """Whether all begin at multiples of 16 bytes."""
    joined = 0
    for address in addresses:
        joined |= address
    return joined % 16 == 0


@functools.lru_cache(1024)
def packs(count: int, lanes: int, aligned: bool) -> tuple[tuple[int, int, int], tuple[int, int, int], int]:
    """Grid and block, and how many threads take a pack; each of the others takes one element."""
    vectors = count // lanes if aligned else 0
    threads = vectors + count - vectors * lanes
    block = launching.block_size(threads, _BLOCK)
    return (launching.blocks(threads, block), 1, 1), (block, 1, 1), vectors


def landing(sink: Any, shape: tuple[int, ...], dtype: Any) -> CudaArray:
    """Where to write a gradient: the place that the engine offers if it fits, else new memory."""
    if type(sink) is CudaArray and sink.shape == shape and sink.dtype == dtype and sink.contiguous:
        return sink
    return empty(shape, dtype)


# --- gelu -------------------------------------------------------------------------------------------------

_GELU: dict[Any, tuple[Any, Any]] = {}
for _dtype in FLOATS:
    _module = compiler.module("activations.cu", TYPE=C_NAMES[_dtype])
    _GELU[_dtype] = (
        launching.Kernel(_module, "gelu", "PPQQ"),
        launching.Kernel(_module, "gelu_backward", "PPPQQ"),
    )


def gelu(needs: tuple[bool, ...], x: CudaArray) -> tuple[CudaArray, CudaArray]:
    """x Phi(x); nothing but x is kept."""
    x = contiguous(x)
    out = empty(x.shape, x.dtype)
    if x.size:
        grid, block, vectors = packs(x.size, 16 // x.dtype.itemsize, at_sixteen(x.address))
        _GELU[x.dtype][0](grid, block, x.address, out.address, vectors, x.size)
    return out, x


def gelu_backward(
    x: CudaArray, g: CudaArray, needs: tuple[bool, ...], sinks: list[Any]
) -> tuple[CudaArray | None, ...]:
    """g (Phi(x) + x phi(x))"""
    g = contiguous(g)
    result = landing(sinks[0], x.shape, x.dtype)
    if x.size:
        grid, block, vectors = packs(x.size, 16 // x.dtype.itemsize, at_sixteen(x.address, g.address, result.address))
        _GELU[x.dtype][1](grid, block, x.address, g.address, result.address, vectors, x.size)
    return (result,)


# --- dropout ----------------------------------------------------------------------------------------------

_DROPOUT: dict[Any, tuple[Any, Any]] = {}
for _dtype in FLOATS:
    _module = compiler.module("dropout.cu", TYPE=C_NAMES[_dtype])
    _letter = COMPUTE_LETTERS[_dtype]
    _DROPOUT[_dtype] = (
        launching.Kernel(_module, "dropout", f"PPPPQQQQQQ{_letter}?"),
        launching.Kernel(_module, "dropout_backward", f"PPPQ{_letter}?"),
    )

Kept: TypeAlias = tuple[CudaArray, float]  #: the mask, and the number by which what is kept is multiplied


def dropout(
    needs: tuple[bool, ...], x: CudaArray, keep: float, seed: int, counter: int
) -> tuple[tuple[CudaArray, CudaArray], Kept]:
    """x or 0, times 1 / keep, and the mask; the bits are the CPU's."""
    x = contiguous(x)
    out, mask = empty(x.shape, x.dtype), empty(x.shape, dtypes.bool_)
    scale = float(x.dtype.type(1 / keep)) if keep else 0.0
    if x.size:
        grid, block = _eights(x.size)
        stream = (random.advance, x.size, seed, counter, 0, 0)
        numbers = (keep_threshold(keep), scale, x.address % 16 == 0)
        _DROPOUT[x.dtype][0](grid, block, x.address, out.address, mask.address, *stream, *numbers)
    return (out, mask), (mask, scale)


def dropout_backward(
    saved: Kept, g: list[CudaArray | None], needs: tuple[bool, ...], sinks: list[Any]
) -> tuple[CudaArray | None, ...]:
    """The gradient where the mask is set, times the same number."""
    mask, scale = saved
    assert g[0] is not None
    gradient = contiguous(g[0])
    result = landing(sinks[0], mask.shape, gradient.dtype)
    if mask.size:
        grid, block = _eights(mask.size)
        addresses = (gradient.address, mask.address, result.address)
        _DROPOUT[gradient.dtype][1](grid, block, *addresses, mask.size, scale, at_sixteen(*addresses))
    return (result,)


def _eights(count: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    threads = launching.blocks(count, _EIGHT)
    block = launching.block_size(threads, _BLOCK)
    return (launching.blocks(threads, block), 1, 1), (block, 1, 1)
