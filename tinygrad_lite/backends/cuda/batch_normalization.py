"""Batch normalisation: two launches forward, for the statistics and for the result, and two backward."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, driver, launching, layout, memory
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, empty
from tinygrad_lite.backends.cuda.elementwise import astype
from tinygrad_lite.backends.cuda.pointwise import at_sixteen, landing
from tinygrad_lite.backends.cuda.softmax import COMPUTED
from tinygrad_lite.backends.cuda.types import C_NAMES, FLOATS
from tinygrad_lite.errors import ShapeError, fail

_BLOCK = 256
_MOST = 2**31 - 1  # elements of one launch

_STATISTICS: dict[Any, tuple[Any, Any]] = {}  # dtype -> by element and by vector
_APPLY: dict[Any, tuple[Any, Any]] = {}
_SUMS: dict[Any, tuple[Any, Any]] = {}
_BACKWARD: dict[Any, tuple[Any, Any]] = {}
_SIZES = "IIIIIq"
for _dtype in FLOATS:
    _module = compiler.module("batch_norm.cu", TYPE=C_NAMES[_dtype])
    for _kernels, _name, _letters in (
        (_STATISTICS, "statistics", f"PPPPPPd{_SIZES}"),
        (_APPLY, "apply", "PPPPPIIIIIII"),
        (_SUMS, "sums", f"PPPPPPPPPPP{_SIZES}"),
        (_BACKWARD, "backward", "PPPPIIIIIII"),
    ):
        _kernels[_dtype] = (
            launching.Kernel(_module, f"batch_norm_{_name}", _letters),
            launching.Kernel(_module, f"batch_norm_{_name}_vector", _letters),
        )


class _BatchNorm(NamedTuple):
    x: CudaArray
    weight: CudaArray | None
    found: CudaArray  # (2, C): mean and 1/sigma, unrounded


class _Plan(NamedTuple):
    by_vector: bool  # the kernels of channels
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    sizes: tuple[int, ...]
    workspace: int  # numbers for every channel: how many blocks share it
    wide: bool  # the element-wise kernels
    channels: tuple[int, ...]
    pieces: tuple[tuple[int, int], ...]  # first element and number of elements of every element-wise launch


def forward(
    needs: tuple[bool, ...], x: CudaArray, weight: CudaArray | None, bias: CudaArray | None, eps: float
) -> tuple[tuple[CudaArray, CudaArray, CudaArray], _BatchNorm]:
    """The result, and mean and 1/sigma of every channel."""
    own = dtype = x.dtype
    for parameter in (weight, bias):
        dtype = dtype if parameter is None else dtypes.promote(dtype, parameter.dtype)
    x, weight, bias = contiguous(astype(x, dtype)), _maybe(weight, dtype), _maybe(bias, dtype)
    channels = x.shape[1]
    out = empty(x.shape, dtype)
    found = empty((2, channels), COMPUTED[dtype])
    mean, rstd = empty((channels,), dtype), empty((channels,), dtype)
    if not x.size:
        return (out, astype(mean, own), astype(rstd, own)), _BatchNorm(x, weight, found)
    plan = _planned(dtype, x.shape, x.address % 16 == 0)
    workspace = empty((3 * channels * plan.workspace,), found.dtype)
    pointers = (x.address, found.address, mean.address, rstd.address, workspace.address, memory.counters())
    _STATISTICS[dtype][plan.by_vector](plan.grid, plan.block, *pointers, eps, *plan.sizes)
    kernel, lanes = _APPLY[dtype][plan.wide], 16 // dtype.itemsize if plan.wide else 1
    for first, count in plan.pieces:
        at = first * dtype.itemsize
        kernel(
            *_flat(count, lanes),
            x.address + at,
            out.address + at,
            found.address,
            _address(weight),
            _address(bias),
            *plan.channels,
            count,
        )
    return (out, astype(mean, own), astype(rstd, own)), _BatchNorm(x, weight, found)


def backward(
    saved: _BatchNorm, g: list[CudaArray | None], needs: tuple[bool, ...], sinks: list[Any]
) -> tuple[CudaArray | None, ...]:
    """The sums of every channel, which are the gradients of weight and bias, and from them the gradient of x."""
    x, weight, found = saved
    dtype, channels = x.dtype, x.shape[1]
    gy, gmean, grstd = (_maybe(one, dtype) for one in g)
    gx = landing(sinks[0], x.shape, dtype) if needs[0] else None
    gw = landing(sinks[1], (channels,), dtype) if needs[1] and gy is not None else None
    gb = landing(sinks[2], (channels,), dtype) if needs[2] and gy is not None else None
    if not x.size:
        return gx, gw, gb
    plan = _planned(dtype, x.shape, at_sixteen(x.address, _address(gy), _address(gx)))
    numbers = empty((4, channels), found.dtype)
    workspace = empty((2 * channels * plan.workspace,), found.dtype)
    cotangents = (_address(gy), _address(gmean), _address(grstd))
    pointers = (numbers.address, _address(gw), _address(gb), workspace.address, memory.counters())
    kernel = _SUMS[dtype][plan.by_vector]
    kernel(plan.grid, plan.block, x.address, found.address, _address(weight), *cotangents, *pointers, *plan.sizes)
    if gx is not None:
        kernel, lanes = _BACKWARD[dtype][plan.wide], 16 // dtype.itemsize if plan.wide else 1
        for first, count in plan.pieces:
            at = first * dtype.itemsize
            kernel(
                *_flat(count, lanes),
                x.address + at,
                gy.address + at if gy is not None else 0,
                gx.address + at,
                numbers.address,
                *plan.channels,
                count,
            )
    return gx, gw, gb


@functools.lru_cache(256)
def _planned(dtype: Any, shape: tuple[int, ...], aligned: bool) -> _Plan:
    batch, channels, inner = shape[0], shape[1], math.prod(shape[2:])
    count, lanes = batch * inner, 16 // dtype.itemsize
    if count > _MOST or channels * inner > _MOST:
        fail(ShapeError, "batch_norm", f"needs channels of less than 2^31 elements, but got the shape {shape}")
    by_vector = aligned and inner % lanes == 0
    across = 32 if inner == 1 else 1
    length = count // lanes if by_vector else count
    along = min(1 << (length - 1).bit_length(), _BLOCK // across)
    tiles = launching.blocks(channels, across)
    # Two blocks for every multiprocessor, as long as each has a few rounds of elements.
    shared = min(launching.blocks(2 * driver.current().multiprocessors, tiles), length // (along * 8))
    shared = 1 if tiles > memory.COUNTERS else max(min(shared, 1024), 1)
    sizes = (*layout.divisor(inner), channels, count, channels * inner)
    wide = aligned and (inner % lanes == 0 or (inner == 1 and channels % lanes == 0))
    step = max(_MOST // (channels * inner), 1)
    pieces = tuple((n * channels * inner, min(step, batch - n) * channels * inner) for n in range(0, batch, step))
    if wide and any(first % lanes for first, _ in pieces):
        wide = False
    return _Plan(
        by_vector,
        (tiles, shared, 1),
        (across, along, 1),
        sizes,
        shared,
        wide,
        (*layout.divisor(inner), *layout.divisor(channels)),
        pieces,
    )


def _flat(count: int, lanes: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    threads = launching.blocks(count, lanes)
    block = launching.block_size(threads, _BLOCK)
    return (launching.blocks(threads, block), 1, 1), (block, 1, 1)


def _maybe(x: CudaArray | None, dtype: Any) -> CudaArray | None:
    return None if x is None else contiguous(astype(x, dtype))


def _address(x: CudaArray | None) -> int:
    return 0 if x is None else x.address
