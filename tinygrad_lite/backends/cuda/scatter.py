"""Adding and comparing at places that repeat, on the GPU: where the gradient of reading by index goes.

Nothing is added by atomic operations: two runs give the same bits. Few indices are looked through by every element
of the result. Many are sorted, so that rows of one place stand together and are summed in their order, in chunks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import array, compiler, faults, launching, layout, memory, radix
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, copy_into
from tinygrad_lite.backends.cuda.indexing import only_mask, opened, write
from tinygrad_lite.backends.cuda.places import (
    Named,
    numbers,
    numbers_along,
    packed_index,
    packed_numbers,
    resolve,
)
from tinygrad_lite.backends.cuda.types import ALL, C_NAMES

__all__ = ["add_along_axis", "add_at", "scatter_extremum"]

#: Comparisons of elements with indices, up to which looking through all of them is short; sorting takes five launches.
WORK = 1 << 26
LONGEST = 512  #: indices that one thread looks through
#: Indices, up to which that is so however large the result is.
FEW = 8
#: Threads that keep a large GPU busy: with fewer, chunks are cut smaller.
BUSY = 1 << 17
NARROW = 32  #: elements of a row, below which a warp puts together one column instead of 32

_ADD_AT, _ADD_ALONG, _EXTREMUM = (faults.operation(name) for name in ("add_at", "add_along_axis", "scatter_extremum"))
_RUNS = "PPPPIIIIIII4x"
_KERNELS: dict[Any, dict[str, launching.Kernel]] = {}


def module_of(dtype: Any) -> compiler.Module:
    """The kernels that add elements of a type; unsigned integers add signed ones too."""
    bits = np.dtype(f"uint{8 * dtype.itemsize}") if dtype.kind == "i" else dtype
    return compiler.module("scatter.cu", TYPE=C_NAMES[bits])


for _dtype in ALL:
    _module = module_of(_dtype)
    _KERNELS[_dtype] = {
        "add_lines": launching.Kernel(_module, "add_lines", "PPP32s360sqqqqII"),
        "add_chunks": launching.Kernel(_module, "add_chunks", f"PP{_RUNS}"),
        "add_chunks_of_vectors": launching.Kernel(_module, "add_chunks_of_vectors", f"PP{_RUNS}"),
        "add_ends": launching.Kernel(_module, "add_ends", f"P{_RUNS}"),
        "add_ends_of_narrow": launching.Kernel(_module, "add_ends_of_narrow", f"P{_RUNS}"),
    }


def add_at(x: CudaArray, index: Any, shape: Any) -> CudaArray:
    """Zeros of ``shape`` with x added at ``index``; repeats add up."""
    result = array.empty(tuple(shape), x.dtype)
    if not x.size:
        _zero(result)
        return result
    mask = only_mask(index)
    named = resolve(result, index, -1 if mask is None else _true_elements(x, result, index, mask))
    if named.result != x.shape:
        raise ValueError(f"shape mismatch: x has shape {x.shape}, but the index names elements of shape {named.result}")
    count = math.prod(named.shape)
    if named.unique:
        _zero(result)
        if named.arrays:
            write(named, x, _ADD_AT)
        else:
            copy_into(named.view, x)
        return result
    if _is_short(count, named.view.size):
        _look_through(result, named, x, count)
    else:
        _add_by_sorting(result, named, x, count)
    return result


def _true_elements(x: CudaArray, result: CudaArray, index: Any, mask: CudaArray) -> int:
    """How many elements of a mask are true, if x is what it keeps of ``result``."""
    rest = opened(result, index, mask)[0].size // max(mask.size, 1)
    return x.size // max(rest, 1)


def add_along_axis(x: CudaArray, indices: CudaArray, shape: Any, axis: int) -> CudaArray:
    """Zeros of ``shape`` with x, broadcast to the shape of ``indices``, added at ``indices`` along ``axis``."""
    result = array.empty(tuple(shape), x.dtype)
    axis %= result.ndim
    places, count = indices.shape, indices.shape[axis]
    size = result.shape[axis]
    x = x.view_as(places, layout.broadcast_strides(x.shape, x.strides, places))
    if not result.size:
        return result
    lines = (*places[:axis], size, *places[axis + 1 :])
    view = result.view_as(lines, result.strides)
    if not indices.size:
        _zero(result)
    elif _is_short(count, view.size):
        own = tuple(int(k == axis) for k in range(len(lines)))
        strides = [(*s[:axis], 0, *s[axis + 1 :]) for s in (x.strides, indices.strides)]
        index = packed_index(indices, 0, (1, size, axis))
        steps = x.strides[axis], indices.strides[axis]
        _add_lines(result, view, x, index, (*strides, own), steps, count, _ADD_ALONG)
    else:
        named, beyond = numbers_along(indices, result.shape, axis, _ADD_ALONG)
        add_rows(result, contiguous(x), named, beyond, 1)
    return result


def _zero(x: CudaArray) -> None:
    if x.size:
        memory.fill_zero(x.address, x.nbytes)


# --- few indices --------------------------------------------------------------------------------------------


def _is_short(count: int, size: int) -> bool:
    """Whether ``size`` elements look through ``count`` indices faster than these are sorted."""
    return count <= FEW or (count <= LONGEST and size * count <= WORK)


def _look_through(result: CudaArray, named: Named, x: CudaArray, count: int) -> None:
    view, first = named.view, named.first
    axes = [axis for axis, *_ in named.arrays]
    if len(axes) == 1:
        _, indices, source = named.arrays[0]
        _, (steps,) = layout.merged(indices.shape, indices.strides)
        if len(steps) > 1:
            indices, steps = indices.copy(), (1,)
        index = packed_index(indices, 0, (1, view.shape[axes[0]], source))
    else:
        places, beyond = numbers(named, _ADD_AT)
        index, steps = packed_numbers(places, beyond), (1,)
    ndim = len(named.shape)
    _, (along,) = layout.merged(named.shape, x.strides[first : first + ndim])
    if len(along) > 1:
        x = x.copy()
        _, (along,) = layout.merged(named.shape, x.strides[first : first + ndim])
    rest = iter(x.strides[:first] + x.strides[first + ndim :])
    sizes = iter(layout.row_major(tuple([view.shape[a] for a in axes])))
    values = tuple([0 if a in axes else next(rest) for a in range(view.ndim)])
    own = tuple([next(sizes) if a in axes else 0 for a in range(view.ndim)])
    strides = (values, (0,) * view.ndim, own)
    _add_lines(result, view, x, index, strides, (along[0], steps[0]), count, _ADD_AT)


def _add_lines(
    result: CudaArray,
    view: CudaArray,
    x: CudaArray,
    index: bytes,
    strides: tuple[Any, ...],
    steps: tuple[int, int],
    count: int,
    operation: int,
) -> None:
    """One launch, in which every element of ``view``, a part of ``result``, looks through ``count`` indices.

    Args:
        result: all of what is computed; what is not in the view becomes 0.
        view: what may be named.
        x: the values.
        index: the bytes of an ``Index``.
        strides: of x, of the indices, and of the places' numbers, on the axes of the view.
        steps: from one index to the next, in x and in the indices.
        count: of indices on each line.
        operation: for errors.
    """
    if view.size < result.size:
        _zero(result)
    whole, merged = layout.merged(view.shape, *strides, view.strides)
    kernel = _KERNELS[x.dtype]["add_lines"]
    for piece, own, (start, first_index, first_place, target) in layout.pieces(whole, *merged):
        grid, block = _threads(math.prod(piece))
        addresses = x.address + start * x.itemsize, view.address + target * x.itemsize, faults.address()
        packed = layout.pack(piece, *own)
        kernel(grid, block, *addresses, index, packed, first_index, first_place, *steps, count, operation)
    faults.settle()


# --- many -----------------------------------------------------------------------------------------------------


def _add_by_sorting(result: CudaArray, named: Named, x: CudaArray, count: int) -> None:
    view, first, ndim = named.view, named.first, len(named.shape)
    places, beyond = numbers(named, _ADD_AT)
    # Values and result as matrices: a row for every index, and for every place.
    order = [*range(first, first + ndim), *range(first), *range(first + ndim, x.ndim)]
    rows = x.view_as(tuple([x.shape[a] for a in order]), tuple([x.strides[a] for a in order]))
    axes = [axis for axis, *_ in named.arrays] + named.rest
    width = view.size // beyond
    direct = axes == list(range(view.ndim)) and view.contiguous and view.size == result.size
    sizes = tuple([view.shape[a] for a in axes])
    matrix = result if direct else array.empty(sizes, x.dtype)
    add_rows(matrix, contiguous(rows), places, beyond, width)
    if not direct:
        if view.size < result.size:
            _zero(result)
        target = view.view_as(sizes, tuple([view.strides[a] for a in axes]))
        copy_into(target, matrix)


def add_rows(result: CudaArray, rows: CudaArray, places: CudaArray, beyond: int, width: int) -> None:
    """Write zeros, with rows added at places.

    Args:
        result: contiguous, ``beyond`` rows of ``width`` elements.
        rows: contiguous, a row for every place.
        places: uint32 numbers of rows of the result; ``beyond`` is nowhere.
        beyond: how many rows the result has.
        width: how many elements a row has.
    """
    _zero(result)
    count = places.size
    if not count or not width:
        return
    dtype = rows.dtype
    sorted_places, order = radix.sort_pairs(places, beyond.bit_length())
    lanes = 16 // dtype.itemsize
    vectors = lanes > 1 and width % lanes == 0 and rows.address % 16 == 0 and result.address % 16 == 0
    columns = width // lanes if vectors else width
    # Enough threads to keep the GPU busy, and no more than one launch can count.
    chunk = max(min(count * columns // BUSY, 64), 4, -(-count * width // 2**30))
    chunks = -(-count // chunk)
    if chunks * width > layout.MOST_ELEMENTS:
        raise ValueError(f"adding {count} rows of {width} elements is more than one launch can count")
    partial = array.empty((2, chunks, width), _SUMS.get(dtype, dtype))
    tails = partial.address + chunks * width * partial.itemsize
    parts = sorted_places.address, order.address, partial.address, tails, count, chunk, chunks, beyond
    kernels = _KERNELS[dtype]
    grid, block = _threads(chunks * columns)
    kernel = kernels["add_chunks_of_vectors" if vectors else "add_chunks"]
    kernel(grid, block, rows.address, result.address, *parts, *layout.divisor(columns))
    if chunks > 1:
        narrow = width < NARROW
        grid, block = ((launching.blocks(chunks * width, 8), 1, 1), (256, 1, 1)) if narrow else _threads(chunks * width)
        kernel = kernels["add_ends_of_narrow" if narrow else "add_ends"]
        kernel(grid, block, result.address, *parts, *layout.divisor(width))


#: What sums are kept in, where that is not the type itself.
_SUMS = {dtype: np.dtype(np.uint64) for dtype in ALL if dtype.kind in "biu"} | {
    np.dtype(np.float16): np.dtype(np.float32)
}


def _threads(count: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    threads = launching.block_size(count)
    return (launching.blocks(count, threads), 1, 1), (threads, 1, 1)


# --- extrema --------------------------------------------------------------------------------------------------

_KINDS = {"b": 0, "u": 0, "i": 1, "f": 2}
_EXTREMA: dict[int, dict[str, launching.Kernel]] = {}
for _item in (1, 2, 4, 8):
    _module = compiler.module("extremum.cu", ITEM=_item)
    _EXTREMA[_item] = {
        name: launching.Kernel(_module, f"{name}_keys", letters)
        for name, letters in (
            ("encode", "PPIi?"),
            ("forget", "PP32s232sI"),
            ("raise", "PPP32s296sIi?"),
            ("decode", "PPPIi?"),
        )
    }


def scatter_extremum(
    x: CudaArray, src: CudaArray, indices: CudaArray, axis: int, largest: bool, include_self: bool
) -> CudaArray:
    """x with the extremum of ``src`` at ``indices`` along ``axis``; NaN wins."""
    if x.dtype.kind not in _KINDS:
        raise TypeError("complex numbers have no extremum")
    axis %= x.ndim
    result = array.empty(x.shape, x.dtype)
    if not x.size:
        return result
    if max(x.size, indices.size) > layout.MOST_ELEMENTS:
        raise ValueError(f"{indices.size} indices into {x.size} elements are more than one launch can count")
    own = contiguous(x)
    kernels, kind, largest = _EXTREMA[x.itemsize], _KINDS[x.dtype.kind], bool(largest)
    keys = array.empty(x.shape, np.dtype(np.uint64 if x.itemsize == 8 else np.uint32))
    kernels["encode"](*_threads(x.size), own.address, keys.address, x.size, kind, largest)
    if indices.size:
        index = packed_index(indices, 0, (keys.strides[axis], x.shape[axis], axis))
        rest = (*keys.strides[:axis], 0, *keys.strides[axis + 1 :])
        read = layout.broadcast_strides(src.shape, src.strides, indices.shape)
        whole, steps = layout.merged(indices.shape, indices.strides, rest)
        grid, block = _threads(indices.size)
        if not include_self:
            packed = layout.pack(whole, *steps)
            kernels["forget"](grid, block, keys.address, faults.address(), index, packed, _EXTREMUM)
        whole, steps = layout.merged(indices.shape, indices.strides, read, rest)
        addresses = src.address, keys.address, faults.address()
        packed = layout.pack(whole, *steps)
        kernels["raise"](grid, block, *addresses, index, packed, _EXTREMUM, kind, largest)
        faults.settle()
    kernels["decode"](*_threads(x.size), own.address, keys.address, result.address, x.size, kind, largest)
    return result
