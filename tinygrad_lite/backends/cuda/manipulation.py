"""Shapes, order and creation of arrays on the GPU: views where strides can say it, one kernel where they cannot."""

from __future__ import annotations

import builtins
import math
import operator
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import array, compiler, elementwise, launching, layout, reductions
from tinygrad_lite.backends.cuda.array import CudaArray, asarray, contiguous, copy_into
from tinygrad_lite.backends.cuda.indexing import take
from tinygrad_lite.backends.cuda.places import places_of_lengths
from tinygrad_lite.backends.cuda.scatter import module_of
from tinygrad_lite.backends.cuda.types import ALL, element_bytes

__all__ = [
    "arange",
    "asarray",
    "broadcast_to",
    "concat",
    "empty",
    "expand_dims",
    "flip",
    "full",
    "overlap_add",
    "pad",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "squeeze",
    "sum_to",
    "tril",
    "triu",
    "unfold",
    "zeros",
    "zeros_like",
]

# --- views ------------------------------------------------------------------------------------------------


def reshape(x: CudaArray, shape: Any) -> CudaArray:
    """A view where strides can say it, else a copy."""
    return x.reshape(shape)


def permute_dims(x: CudaArray, axes: Sequence[int]) -> CudaArray:
    order = tuple(_axis(a, x.ndim) for a in axes)
    if sorted(order) != list(range(x.ndim)):
        raise ValueError("axes don't match array")
    return x.view_as(tuple([x.shape[a] for a in order]), tuple([x.strides[a] for a in order]))


def broadcast_to(x: CudaArray, shape: Any) -> CudaArray:
    """A view, whose repeated elements share their memory."""
    wanted = _sizes(shape)
    if wanted == x.shape:
        return x
    if layout.broadcast_shapes(x.shape, wanted) != wanted:
        raise ValueError(f"cannot broadcast shape {x.shape} to {wanted}")
    return x.view_as(wanted, layout.broadcast_strides(x.shape, x.strides, wanted))


def expand_dims(x: CudaArray, axis: int | Sequence[int]) -> CudaArray:
    axes = _axes(axis)
    shape, strides = list(x.shape), list(x.strides)
    for a in sorted(_axis(a, x.ndim + len(axes)) for a in axes):
        shape.insert(a, 1)
        strides.insert(a, 0)
    return x.view_as(tuple(shape), tuple(strides))


def squeeze(x: CudaArray, axis: int | Sequence[int]) -> CudaArray:
    gone = [_axis(a, x.ndim) for a in _axes(axis)]
    if any(x.shape[a] != 1 for a in gone):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    kept = [a for a in range(x.ndim) if a not in gone]
    return x.view_as(tuple([x.shape[a] for a in kept]), tuple([x.strides[a] for a in kept]))


def flip(x: CudaArray, axis: int | Sequence[int] | None = None) -> CudaArray:
    strides, first = list(x.strides), 0
    for a in range(x.ndim) if axis is None else [_axis(a, x.ndim) for a in _axes(axis)]:
        first += strides[a] * max(x.shape[a] - 1, 0)
        strides[a] = -strides[a]
    return x.view_as(x.shape, tuple(strides), first if x.size else 0)


def unfold(x: CudaArray, axis: int, size: int, step: int) -> CudaArray:
    """A view: windows that overlap share their memory."""
    axis = _axis(axis, x.ndim)
    count = (x.shape[axis] - size) // step + 1
    stride = x.strides[axis]
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :], size)
    return x.view_as(shape, (*x.strides[:axis], stride * step, *x.strides[axis + 1 :], stride))


def _axis(axis: Any, ndim: int) -> int:
    number = operator.index(axis)
    if not -ndim <= number < ndim:
        raise np.exceptions.AxisError(number, ndim)
    return number % ndim


def _axes(axis: Any) -> tuple[int, ...]:
    return tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)


def _sizes(shape: Any) -> tuple[int, ...]:
    return tuple([operator.index(n) for n in shape]) if isinstance(shape, (tuple, list)) else (operator.index(shape),)


# --- copies -----------------------------------------------------------------------------------------------

_BORDERS: dict[int, tuple[launching.Kernel, launching.Kernel, launching.Kernel]] = {}
_ITEM_LETTERS = {1: "B", 2: "H", 4: "I", 8: "Q", 16: "8x16s"}  # 8x: a 16-byte value stands at a multiple of 16
for _item, _letters in _ITEM_LETTERS.items():
    _module = compiler.module("copy.cu", ITEM=_item)
    _BORDERS[_item] = (
        launching.Kernel(_module, "pad", f"PP232s{_letters}"),
        launching.Kernel(_module, "roll", "PP232s"),
        launching.Kernel(_module, "triangle", "PP12s12sIii"),
    )
_count_up = launching.Kernel(compiler.module("copy.cu", ITEM=8), "count_up", "PQI")
_SHIFTED = struct.Struct(f"2I{3 * layout.MOST_AXES}I{layout.MOST_AXES}i{layout.MOST_AXES}I{layout.MOST_AXES}q")
_DIVISOR = struct.Struct("3I")


def concat(arrays: Sequence[CudaArray], axis: int | None = 0) -> CudaArray:
    """The arrays one after the other, in the type that all promote to; ``axis=None`` flattens them first."""
    parts = list(arrays)
    if not parts:
        raise ValueError("need at least one array to concatenate")
    if axis is None:
        parts, axis = [x.reshape(-1) for x in parts], 0
    ndim = parts[0].ndim
    if not ndim:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    along = _axis(axis, ndim)
    sizes = [*parts[0].shape[:along], 0, *parts[0].shape[along + 1 :]]
    for x in parts:
        if [*x.shape[:along], 0, *x.shape[along + 1 :]] != sizes:
            raise ValueError("all the input array dimensions except for the concatenation axis must match exactly")
    dtype = parts[0].dtype
    if any(x.dtype != dtype for x in parts):
        dtype = np.result_type(*[x.dtype for x in parts])
    sizes[along] = builtins.sum(x.shape[along] for x in parts)
    result = array.empty(sizes, dtype)
    start, step = 0, result.strides[along]
    for x in parts:
        copy_into(result.view_as(x.shape, result.strides, start * step), elementwise.astype(x, dtype))
        start += x.shape[along]
    return result


def pad(x: CudaArray, pad_width: Sequence[Sequence[int]], value: Any) -> CudaArray:
    """A border of ``value``; one pass over the result."""
    widths = tuple([(operator.index(before), operator.index(after)) for before, after in pad_width])
    if any(n < 0 for pair in widths for n in pair):
        raise ValueError("index can't contain negative values")
    sizes = tuple([before + n + after for (before, after), n in zip(widths, x.shape, strict=True)])
    if sizes == x.shape:
        return x.copy()
    fits = [n for n, m in zip(sizes, x.shape, strict=True) if n != m or n != 1]
    if math.prod(sizes) > layout.MOST_ELEMENTS or len(fits) > layout.MOST_AXES or not x.size:
        return _padded_in_two(x, widths, sizes, value)
    result = array.empty(sizes, x.dtype)
    item = element_bytes(value, x.dtype)
    shifted = _shifted(sizes, tuple([before for before, _ in widths]), x.shape, x.strides)
    number = item if len(item) == 16 else int.from_bytes(item, "little")
    grid, block = _threads(result.size)
    _BORDERS[len(item)][0](grid, block, x.address, result.address, shifted, number)
    return result


def _padded_in_two(x: CudaArray, widths: Any, sizes: tuple[int, ...], value: Any) -> CudaArray:
    """The border everywhere, then x over it: for what one launch cannot count."""
    result = array.full(sizes, value, x.dtype)
    first = builtins.sum(before * stride for (before, _), stride in zip(widths, result.strides, strict=True))
    if x.size:
        copy_into(result.view_as(x.shape, result.strides, first), x)
    return result


def roll(x: CudaArray, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> CudaArray:
    """Every element moved by ``shift`` along ``axis``; what leaves at one end enters at the other."""
    if axis is None:
        return roll(x.reshape(-1), shift, 0).reshape(x.shape)
    shifts, axes = _axes(shift), [_axis(a, x.ndim) for a in _axes(axis)]
    if len(shifts) == 1 or len(axes) == 1:
        shifts, axes = shifts * len(axes), axes * len(shifts)
    if len(shifts) != len(axes):
        raise ValueError("shift and axis must have as many elements as each other")
    if not x.size:
        return x.copy()
    moved = [0] * x.ndim
    for n, a in zip(shifts, axes, strict=True):
        moved[a] = (moved[a] + operator.index(n)) % x.shape[a]
    if not any(moved):
        return x.copy()
    if x.size > layout.MOST_ELEMENTS or builtins.sum(n != 1 for n in x.shape) > layout.MOST_AXES:
        return _rolled_by_parts(x, moved)
    result = array.empty(x.shape, x.dtype)
    grid, block = _threads(result.size)
    _BORDERS[x.itemsize][1](grid, block, x.address, result.address, _shifted(x.shape, tuple(moved), x.shape, x.strides))
    return result


def _rolled_by_parts(x: CudaArray, moved: Sequence[int]) -> CudaArray:
    """One axis after the other, each in two parts: for what one launch cannot count."""
    for a, n in enumerate(moved):
        if n:
            cut = x.shape[a] - n
            left, right = ((*x.shape[:a], size, *x.shape[a + 1 :]) for size in (cut, n))
            x = concat([x.view_as(right, x.strides, cut * x.strides[a]), x.view_as(left, x.strides)], a)
    return x


def _shifted(sizes: Any, before: Any, source: Any, strides: Any) -> bytes:
    """The bytes of a ``Shifted`` (kernels/copy.cu), without axes of size one, axes that stay together as one."""
    kept: list[list[int]] = []
    for n, moved, own, stride in zip(sizes, before, source, strides, strict=True):
        if n == own == 1:
            continue
        if kept and not moved and n == own and kept[-1][3] == n * stride:
            # The axis is whole: it continues the one before, whose coordinates now count its elements too.
            size, shift, inner, _ = kept[-1]
            kept[-1] = [size * n, shift * n, inner * n, stride]
        else:
            kept.append([n, moved, own, stride])
    kept = kept or [[1, 0, 1, 0]]
    rest = layout.MOST_AXES - len(kept)
    divisors = [word for n, *_ in kept for word in layout.divisor(n)] + [1] * (3 * rest)
    columns = [[row[k] for row in kept] + [0] * rest for k in (1, 2, 3)]
    return _SHIFTED.pack(len(kept), math.prod(sizes), *divisors, *columns[0], *columns[1], *columns[2])


def _threads(count: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    threads = launching.block_size(count)
    return (launching.blocks(count, threads), 1, 1), (threads, 1, 1)


def tril(x: CudaArray, k: int = 0) -> CudaArray:
    return _triangle(x, k, 0)


def triu(x: CudaArray, k: int = 0) -> CudaArray:
    return _triangle(x, k, 1)


def _triangle(x: CudaArray, k: int, upper: int) -> CudaArray:
    if x.ndim == 1:  # a row, repeated to a matrix
        x = broadcast_to(x, (x.shape[0], x.shape[0]))
    if x.ndim < 2:
        raise ValueError("a triangle needs at least one axis")
    result = array.empty(x.shape, x.dtype)
    if not x.size:
        return result
    rows, columns = x.shape[-2:]
    if rows * columns > layout.MOST_ELEMENTS:
        raise ValueError(f"a triangle of matrices of {rows} x {columns} elements is more than one launch can count")
    source, item = contiguous(x), x.itemsize
    diagonal = min(max(operator.index(k), -rows - 1), columns + 1)
    height, width = (_DIVISOR.pack(*layout.divisor(n)) for n in (rows, columns))
    matrix = rows * columns
    most = layout.MOST_ELEMENTS // matrix * matrix
    for start in range(0, x.size, most):
        count = min(most, x.size - start)
        grid, block = _threads(count)
        addresses = source.address + start * item, result.address + start * item
        _BORDERS[item][2](grid, block, *addresses, height, width, count, diagonal, upper)
    return result


def repeat(x: CudaArray, repeats: Any, axis: int) -> CudaArray:
    """Each element as often as the int, or the array of ints, says; an array is waited for."""
    along = _axis(axis, x.ndim)
    if type(repeats) is CudaArray:
        if repeats.shape not in ((x.shape[along],), (1,)):
            raise ValueError(f"operands could not be broadcast together with shape {x.shape} {repeats.shape}")
        if repeats.shape == (x.shape[along],):
            return take(x, places_of_lengths(repeats), along)
        repeats = repeats.item()
    times = operator.index(repeats)
    if times < 0:
        raise ValueError("repeats may not contain negative values.")
    before, n, after = x.shape[:along], x.shape[along], x.shape[along + 1 :]
    strides = (*x.strides[: along + 1], 0, *x.strides[along + 1 :])
    return x.view_as((*before, n, times, *after), strides).copy().reshape(*before, n * times, *after)


# --- sums -------------------------------------------------------------------------------------------------

_overlaps: dict[Any, launching.Kernel] = {
    dtype: launching.Kernel(module_of(dtype), "overlap_add", "PP296sqqIIIq") for dtype in ALL
}


def sum_to(x: CudaArray, shape: tuple[int, ...]) -> CudaArray:
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1))
    total = reductions.sum(x, axes, True)
    if total.shape[lead:] != shape:  # a rule's mistake, which reshape could hide
        raise ValueError(f"an array of shape {x.shape} cannot have been broadcast from {shape}")
    return total.reshape(shape)


def overlap_add(x: CudaArray, axis: int, length: int, step: int) -> CudaArray:
    """Every element gathers what the windows bring it, in order; float16 is summed in float32."""
    count, size = x.shape[axis], x.shape[-1]
    shape = (*x.shape[:axis], length, *x.shape[axis + 1 : -1])
    result = array.empty(shape, x.dtype)
    # Of the result's axes: where x lies, leaving out the windows, where the result, and the place along the axis.
    own = (*x.strides[:axis], 0, *x.strides[axis + 1 : -1])
    along = tuple(int(k == axis) for k in range(len(shape)))
    whole, steps = layout.merged(shape, own, result.strides, along)
    for piece, (reads, writes, places), (source, target, place) in layout.pieces(whole, *steps):
        if result.size:
            grid, block = _threads(math.prod(piece))
            read, write = x.address + source * x.itemsize, result.address + target * x.itemsize
            strides = x.strides[axis], x.strides[-1]
            packed = layout.pack(piece, reads, writes, places)
            _overlaps[x.dtype](grid, block, read, write, packed, *strides, count, size, step, place)
    return result


# --- creation ---------------------------------------------------------------------------------------------


def empty(shape: Any, dtype: Any) -> CudaArray:
    return array.empty(_sizes(shape), np.dtype(dtype))


def zeros(shape: Any, dtype: Any) -> CudaArray:
    return array.zeros(_sizes(shape), np.dtype(dtype))


def full(shape: Any, value: Any, dtype: Any) -> CudaArray:
    return array.full(_sizes(shape), value, np.dtype(dtype))


def zeros_like(x: CudaArray, dtype: Any = None, shape: Any = None) -> CudaArray:
    return array.zeros(x.shape if shape is None else _sizes(shape), x.dtype if dtype is None else np.dtype(dtype))


def arange(n: int) -> CudaArray:
    result = array.empty((n,), np.dtype(np.int64))
    for start in range(0, n, layout.MOST_ELEMENTS):
        count = min(layout.MOST_ELEMENTS, n - start)
        grid, block = _threads(count)
        _count_up(grid, block, result.address + 8 * start, start, count)
    return result
