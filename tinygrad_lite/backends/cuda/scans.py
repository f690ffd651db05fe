"""Running sums, products and extrema of arrays of the GPU, and the linear recurrence; the kernels: kernels/scan.cu."""

from __future__ import annotations

import functools
import math
import struct
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import layout, loops, memory, types
from tinygrad_lite.backends.cuda.array import CudaArray, empty
from tinygrad_lite.backends.cuda.launching import Kernel, block_size
from tinygrad_lite.backends.cuda.reductions import TOTALS

__all__ = [
    "cumulative_max",
    "cumulative_min",
    "cumulative_prod",
    "cumulative_sum",
    "linear_scan",
    "logcumsumexp",
]

_THREADS = 256  # of a block at most, as in kernels/scan.cuh
_ROWS, _COLUMNS = range(2)  # kernels
_WHOLE, _SUMS, _REST = range(3)  # phases
_BLOCKS = 1024  # that a launch wants: fewer lines are cut into segments
_SHORT, _MANY = 16, 512  # lengths, and numbers of lines, for which a thread to a line is better than a block
_LANES = 65536  # threads that a launch of columns wants

_Numbers = tuple[int, ...]


class _Launch(NamedTuple):
    kernel: int
    grid: tuple[int, int]
    block: tuple[int, int, int]
    slots: int  # states that the block has in shared memory
    totals: int  # states, one for each segment of each line; 0 for lines in one piece
    scan: bytes  # the packed end of a ``Scan``
    first: _Numbers  # the elements of x, a and the result at which it begins


@functools.lru_cache(2048)
def _plan(shape: _Numbers, x: _Numbers, a: _Numbers, axis: int, reverse: bool, items: int) -> tuple[_Launch, ...]:
    """How to scan along ``axis`` with the strides ``x`` and ``a``, into a contiguous result."""
    length, rest = shape[axis], [k for k in range(len(shape)) if k != axis]
    operands = [x, a, layout.row_major(shape)]
    steps = [s[axis] for s in operands]
    first = (0, 0, 0)
    if reverse:
        first = tuple((length - 1) * s for s in steps)  # type: ignore[assignment]
        steps = [-s for s in steps]
    lines, strides = layout.merged(tuple(shape[k] for k in rest), *(tuple(s[k] for k in rest) for s in operands))
    launches = []
    for piece, piece_strides, begin in layout.pieces(lines, *strides):
        count = math.prod(piece)
        # Neighbouring threads should read neighbours, of the same line or of lines side by side, of which a launch of
        # columns needs many.
        beside = piece[-1] >= 8 and abs(piece_strides[0][-1]) < abs(steps[0])
        columns = length <= _SHORT or (beside and count >= _MANY)
        kernel, block, segment, slots = (_columns if columns else _rows)(count, length, items)
        segments = -(-length // segment)
        grid = (-(-count // block) if columns else count, segments)
        packed = layout.pack(piece, *piece_strides) + struct.pack("5q", *steps, length, segment)
        start = tuple(f + b for f, b in zip(first, begin, strict=True))
        totals = count * segments if segments > 1 else 0
        launches.append(_Launch(kernel, grid, (block, 1, 1), slots, totals, packed, start))
    return tuple(launches)


def _rows(lines: int, length: int, items: int) -> tuple[int, int, int, int]:
    """A block for each line, or for each segment of one; a block joins at most as many totals as it has threads."""
    threads = block_size(-(-length // items), _THREADS)
    tile = threads * items
    tiles = -(-length // tile)
    segments = max(min(_BLOCKS // lines, tiles // 2, _THREADS), 1)
    return _ROWS, threads, -(-tiles // segments) * tile, tile + tile // 32 + _THREADS // 32


def _columns(lines: int, length: int, _: int) -> tuple[int, int, int, int]:
    """A thread for each line, or for each segment of one; a thread joins the totals before it one by one."""
    segments = max(min(_LANES // lines, length // 64, 64), 1)
    return _COLUMNS, block_size(lines, _THREADS), -(-length // segments), 0


class _Scan:
    """The kernels of one operation for every dtype, and how many bytes its state has."""

    __slots__ = ("_kernels",)

    def __init__(self, name: str, states: dict[Any, int]) -> None:
        self._kernels: dict[Any, tuple[Kernel, Kernel, int, int]] = {}
        for dtype, module in loops.modules("scan.cu", tuple(states)).items():
            rows, columns = (Kernel(module, f"{name}_{way}", "PPPPq336s") for way in ("rows", "columns"))
            self._kernels[dtype] = (rows, columns, states[dtype], 8 if states[dtype] <= 16 else 4)

    def __call__(
        self, x: CudaArray, axis: int, dtype: Any, a: CudaArray | None = None, reverse: bool = False
    ) -> CudaArray:
        """Scan x along the axis; ``a``, of the shape and dtype of x, is the second operand of the recurrence."""
        shape = x.shape
        if not shape:
            raise TypeError("cannot accumulate on a scalar")
        if not -len(shape) <= axis < len(shape):
            raise np.exceptions.AxisError(axis, len(shape))
        result = empty(shape, dtype)
        if not x.size:
            return result
        second = x if a is None else a
        *kernels, state, items = self._kernels[x.dtype]
        item, size = x.dtype.itemsize, dtype.itemsize
        for which, grid, block, slots, totals, scan, first in _plan(
            shape, x.strides, second.strides, axis % len(shape), reverse, items
        ):
            room = memory.allocate(totals * state) if totals else None
            for phase in (_SUMS, _REST) if room else (_WHOLE,):
                kernels[which](
                    grid,
                    block,
                    x.address + first[0] * item,
                    second.address + first[1] * item,
                    result.address + first[2] * size,
                    room.address if room else 0,
                    phase,
                    scan,
                    shared=slots * state,
                )
        return result


def _own(dtype: Any) -> int:
    """Bytes of what an element is computed with."""
    return 4 if dtype == dtypes.float16 else int(dtype.itemsize)


def _wide(dtype: Any) -> int:
    return 16 if dtype.kind == "c" else 8


_sum = _Scan("cumulative_sum", {d: _own(d) if d.kind in "fc" else 8 for d in types.ALL})
_prod = _Scan("cumulative_prod", {d: _wide(d) for d in types.ALL})
_max = _Scan("cumulative_max", {d: _own(d) for d in types.ALL})
_min = _Scan("cumulative_min", {d: _own(d) for d in types.ALL})
_logcumsumexp = _Scan("logcumsumexp", {d: _own(d) for d in types.FLOATS})
_linear = _Scan("linear_scan", {d: 2 * _wide(d) for d in types.ALL})


def cumulative_sum(x: CudaArray, axis: int) -> CudaArray:
    """Small integers are summed in 64 bits; float16 in float32, then rounded once."""
    return _sum(x, axis, TOTALS[x.dtype])


def cumulative_prod(x: CudaArray, axis: int) -> CudaArray:
    """Types are widened as in ``cumulative_sum``."""
    return _prod(x, axis, TOTALS[x.dtype])


def cumulative_max(x: CudaArray, axis: int) -> CudaArray:
    return _max(x, axis, x.dtype)


def cumulative_min(x: CudaArray, axis: int) -> CudaArray:
    return _min(x, axis, x.dtype)


def logcumsumexp(x: CudaArray, axis: int) -> CudaArray:
    """Of floats, and of 64-bit integers as float64."""
    if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
        from tinygrad_lite.backends.cuda.elementwise import astype

        x = astype(x, dtypes.float64)
    if x.dtype.kind != "f":
        raise TypeError(f"logcumsumexp is not defined for {x.dtype.name}")
    return _logcumsumexp(x, axis, x.dtype)


def linear_scan(a: CudaArray, b: CudaArray, axis: int, reverse: bool) -> CudaArray:
    """The recurrence h_t = a_t h_(t-1) + b_t; what is large in between, but not in the result, does no harm."""
    if a.dtype != b.dtype:
        from tinygrad_lite.backends.cuda.elementwise import astype

        dtype = np.result_type(a.dtype, b.dtype)
        a, b = astype(a, dtype), astype(b, dtype)
    shape = layout.broadcast_shapes(a.shape, b.shape)
    a, b = (x.view_as(shape, layout.broadcast_strides(x.shape, x.strides, shape)) for x in (a, b))
    return _linear(b, axis, b.dtype, a, reverse)
