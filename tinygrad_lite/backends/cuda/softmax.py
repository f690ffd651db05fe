"""softmax and log_softmax along any axis, and their cross-entropy: one kernel forward and one backward each."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple, TypeAlias

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, faults, launching, memory
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, empty
from tinygrad_lite.backends.cuda.pointwise import at_sixteen, landing
from tinygrad_lite.backends.cuda.types import C_NAMES, FLOATS

_Size = tuple[int, int, int]

_BLOCK = 128  # threads, of rows that need fewer
_LARGEST = 1024
_CROWD = 2**18  #: threads, of which a large GPU has about as many at once
_COLUMN = 256  # threads of softmax_columns

_ROWS: dict[
    Any, tuple[tuple[Any, Any], tuple[Any, Any]]
] = {}  # dtype -> by element and by vector, forward and backward
_COLUMNS: dict[Any, tuple[Any, Any]] = {}
_LOSSES: dict[Any, tuple[tuple[Any, Any], tuple[Any, Any]]] = {}
for _dtype in FLOATS:
    _module = compiler.module("softmax.cu", TYPE=C_NAMES[_dtype])
    _ROWS[_dtype] = (
        (
            launching.Kernel(_module, "softmax_rows", "PPIII?"),
            launching.Kernel(_module, "softmax_rows_vector", "PPIII?"),
        ),
        (
            launching.Kernel(_module, "softmax_rows_backward", "PPPIII?"),
            launching.Kernel(_module, "softmax_rows_backward_vector", "PPPIII?"),
        ),
    )
    _COLUMNS[_dtype] = (
        launching.Kernel(_module, "softmax_columns", "PPqqI?"),
        launching.Kernel(_module, "softmax_columns_backward", "PPPqqI?"),
    )
    _module = compiler.module("cross_entropy.cu", TYPE=C_NAMES[_dtype])
    _TARGETS = "Pqqii"
    _LOSSES[_dtype] = (
        (
            launching.Kernel(_module, "cross_entropy", f"PPPPPPI{_TARGETS}IIIi"),
            launching.Kernel(_module, "cross_entropy_vector", f"PPPPPPI{_TARGETS}IIIi"),
        ),
        (
            launching.Kernel(_module, "cross_entropy_backward", f"PPPP{_TARGETS}qIIIi"),
            launching.Kernel(_module, "cross_entropy_backward_vector", f"PPPP{_TARGETS}qIIIi"),
        ),
    )

#: Packs of a row that a thread holds, forward and backward, by element and by vector: HELD in kernels/softmax.cu.
_HELD = {
    dtypes.float16: ((8, 4), (4, 2)),
    dtypes.float32: ((8, 8), (4, 4)),
    dtypes.float64: ((8, 4), (4, 2)),
}


# --- softmax ----------------------------------------------------------------------------------------------

Result: TypeAlias = tuple[CudaArray, int]  #: what was returned, and the axis


def softmax(needs: tuple[bool, ...], x: CudaArray, axis: int) -> tuple[CudaArray, Result]:
    """exp(x - max) / sum; the result is all that backward needs."""
    return _forward(x, axis, False)


def log_softmax(needs: tuple[bool, ...], x: CudaArray, axis: int) -> tuple[CudaArray, Result]:
    """x - max - log(sum); the result is all that backward needs."""
    return _forward(x, axis, True)


def softmax_backward(
    saved: Result, g: CudaArray, needs: tuple[bool, ...], sinks: list[Any]
) -> tuple[CudaArray | None, ...]:
    """y (g - sum(g y))"""
    return (_backward(saved, g, sinks[0], False),)


def log_softmax_backward(
    saved: Result, g: CudaArray, needs: tuple[bool, ...], sinks: list[Any]
) -> tuple[CudaArray | None, ...]:
    """g - exp(y) sum(g)"""
    return (_backward(saved, g, sinks[0], True),)


def _forward(x: CudaArray, axis: int, logarithm: bool) -> tuple[CudaArray, Result]:
    x = contiguous(x)
    out = empty(x.shape, x.dtype)
    if x.size:
        kernel, grid, block, numbers = _softmax_plan(x.dtype, x.shape, axis, x.address % 16 == 0, 0)
        kernel(grid, block, x.address, out.address, *numbers, logarithm)
    return out, (out, axis)


def _backward(saved: Result, g: CudaArray, sink: Any, logarithm: bool) -> CudaArray:
    y, axis = saved
    g = contiguous(g)
    result = landing(sink, y.shape, y.dtype)
    if y.size:
        kernel, grid, block, numbers = _softmax_plan(y.dtype, y.shape, axis, at_sixteen(g.address, result.address), 1)
        kernel(grid, block, y.address, g.address, result.address, *numbers, logarithm)
    return result


@functools.lru_cache(1024)
def _softmax_plan(
    dtype: Any, shape: tuple[int, ...], axis: int, aligned: bool, backward: int
) -> tuple[Any, _Size, _Size, tuple[int, ...]]:
    """Which kernel, on which threads, and the numbers behind its pointers."""
    n, inner = shape[axis], math.prod(shape[axis + 1 :])
    outer = math.prod(shape[:axis])
    lanes = 16 // dtype.itemsize
    by_vector = aligned and n % lanes == 0
    length = n // lanes if by_vector else n
    held = _HELD[dtype][backward][by_vector]
    if inner == 1 and length <= _LARGEST * held and outer < 2**32 and n < 2**31:
        width = row_width(length, held, outer, 8 if by_vector else 32)
        grid, block = row_threads(outer, width)
        return _ROWS[dtype][backward][by_vector], grid, block, (outer, n, width)
    across = min(_power_of_two(inner), 32)
    along = min(_power_of_two(n), _COLUMN // across)
    tiles = launching.blocks(inner, across)
    return _COLUMNS[dtype][backward], (outer * tiles, 1, 1), (across, along, 1), (n, inner, tiles)


def _power_of_two(n: int) -> int:
    """The smallest that is at least ``n``."""
    return 1 << (n - 1).bit_length()


def row_width(length: int, held: int, count: int, least: int) -> int:
    """Threads for each of ``count`` rows of ``length`` packs: a power of two.

    Where there are threads enough, each has four packs under way, and ``least`` neighbours read a line of 128 bytes.
    Where there are not, every pack has a thread of its own. Up to a warp no barrier is needed.
    """
    shared = _power_of_two(-(-length // min(held, 4)))
    if length > 32:
        return min(max(shared, 32), _LARGEST)
    crowded = count * length >= _CROWD
    return min(max(shared, least), _power_of_two(length)) if crowded else _power_of_two(length)


def row_threads(count: int, width: int) -> tuple[_Size, _Size]:
    """Grid and block for ``count`` rows of ``width`` threads."""
    block = max(width, _BLOCK) if width <= 32 else width
    return (launching.blocks(count * width, block), 1, 1), (block, 1, 1)


# --- cross-entropy ----------------------------------------------------------------------------------------

_REDUCTIONS = {"none": 0, "sum": 1, "mean": 2}
_LOG2 = {1: 0, 2: 1, 4: 2, 8: 3}
_OPERATION = faults.operation("cross_entropy")
#: What kernels keep sums in.
COMPUTED = {dtypes.float16: dtypes.float32, dtypes.float32: dtypes.float32, dtypes.float64: dtypes.float64}


class _CrossEntropy(NamedTuple):
    logits: CudaArray  # (N, C)
    found: CudaArray  # (2 N + 1,): the largest logit of each row, the sums of exponentials, and how many rows count
    target: CudaArray  # (N,)
    ignored: int | None
    reduction: int


def cross_entropy(
    needs: tuple[bool, ...], logits: CudaArray, target: CudaArray, reduction: str, ignored: int | None
) -> tuple[CudaArray, _CrossEntropy]:
    """The losses, and their sum or mean, in one launch; of each row two numbers are kept."""
    logits = contiguous(logits)
    count, n = logits.shape
    dtype, kind = logits.dtype, _REDUCTIONS[reduction]
    found = empty((2 * count + 1,), COMPUTED[dtype])
    losses = empty((count,) if reduction == "none" else (), dtype)
    saved = _CrossEntropy(logits, found, target, ignored, kind)
    if not count:
        if reduction != "none":
            losses.fill(0.0 if reduction == "sum" else math.nan)
        return losses, saved
    by_vector, grid, block, width = _loss_plan(dtype, count, n, logits.address % 16 == 0)
    partial = empty((2 * grid[0],), found.dtype)
    _LOSSES[dtype][0][by_vector](
        grid,
        block,
        logits.address,
        found.address,
        losses.address,
        partial.address,
        memory.counters(),
        faults.address(),
        _OPERATION,
        *_targets(target, ignored),
        count,
        n,
        width,
        kind,
    )
    faults.settle()
    return losses, saved


def cross_entropy_backward(
    saved: _CrossEntropy, g: CudaArray, needs: tuple[bool, ...], sinks: list[Any]
) -> tuple[CudaArray | None, ...]:
    """g (softmax(logits) - one_hot(target)), where g is that of each sample"""
    logits = saved.logits
    count, n = logits.shape
    result = landing(sinks[0], logits.shape, logits.dtype)
    if result.size:
        aligned = at_sixteen(logits.address, result.address)
        by_vector, grid, block, width = _loss_plan(logits.dtype, count, n, aligned)
        _LOSSES[logits.dtype][1][by_vector](
            grid,
            block,
            logits.address,
            saved.found.address,
            g.address,
            result.address,
            *_targets(saved.target, saved.ignored),
            g.strides[0] if g.shape else 0,
            count,
            n,
            width,
            saved.reduction,
        )
    return result, None


@functools.lru_cache(1024)
def _loss_plan(dtype: Any, count: int, n: int, aligned: bool) -> tuple[bool, _Size, _Size, int]:
    """Whether by vector, the threads, and how many of them take a row; a row may have any length."""
    lanes = 16 // dtype.itemsize
    by_vector = aligned and n % lanes == 0
    length = n // lanes if by_vector else n
    width = min(row_width(length, 4, count, 8 if by_vector else 32), 256)
    return by_vector, *row_threads(count, width), width


def _targets(target: CudaArray, ignored: int | None) -> tuple[int, ...]:
    """A ``Targets`` of kernels/cross_entropy.cu."""
    kind = _LOG2[target.dtype.itemsize] + (4 if target.dtype.kind == "u" else 0)
    return target.address, target.strides[0], ignored or 0, kind, ignored is not None
