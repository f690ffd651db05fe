"""Sorting, searching and counting on the GPU: kernels/sort.cu and count.cu.

Kernels know elements by their size and by what their bits mean, so one module serves all dtypes of a size. Complex
numbers, which NumPy orders by their parts, are left to the CPU.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, driver, launching, layout, radix
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, empty, from_host, zeros
from tinygrad_lite.backends.cuda.elementwise import astype, floor_divide, not_equal, remainder
from tinygrad_lite.backends.cuda.fallback import on_cpu
from tinygrad_lite.backends.cuda.manipulation import arange
from tinygrad_lite.backends.cuda.places import places_of_true

__all__ = ["argsort", "bincount", "nonzero", "searchsorted", "sort", "topk"]

_EACH = 8  # entries of a thread (EACH in kernels/sort.cu)
_TILE = 256 * _EACH  # entries of a block where rows are longer
#: The length from which rows are sorted by digits: 4 passes of 20 bytes per element for keys of 32 bits, 8 of 32 for
#: 64 bits, where merging would take 7 and more passes of 16 or 32.
_RADIX_FROM = 1 << 18
_LONGEST = {1: 4096, 2: 4096, 4: 4096, 8: 2048}  #: item size -> the longest row that a block sorts
_ENTRY = {1: 8, 2: 8, 4: 8, 8: 16}  #: item size -> the bytes of (key, place)
_KINDS = {"b": 0, "u": 0, "i": 1, "f": 2}
_SORT: dict[int, Any] = {}
_SEARCH: dict[int, Any] = {}
for _item in (1, 2, 4, 8):
    _module = compiler.module("sort.cu", ITEM=_item)
    _SORT[_item] = (
        launching.Kernel(_module, "sort_rows", "PPPIIIIi?"),
        launching.Kernel(_module, "sort_tiles", "PPIi?"),
        launching.Kernel(_module, "merge_tiles", "PPPPPIII"),
        launching.Kernel(_module, "make_keys", "PPIi?"),
        launching.Kernel(_module, "take_places", "PPPPI"),
    )
    _SEARCH[_item] = {name: launching.Kernel(_module, name, "PPPqqi?") for name in ("searchsorted", "contains")}
_COUNT = compiler.module("count.cu")
_UNRAVEL = launching.Kernel(_COUNT, "unravel", "PPq168s")
_FIND_BOUNDS = launching.Kernel(_COUNT, "find_bounds", "PPq")
_COUNT_EACH = launching.Kernel(_COUNT, "count_each", "PPqq")
_SUM_EACH = launching.Kernel(_COUNT, "sum_each", "PPPPq")

_sort_complex, _argsort_complex, _topk_complex = on_cpu("sort"), on_cpu("argsort"), on_cpu("topk")
_searchsorted_complex = on_cpu("searchsorted")

# --- order ------------------------------------------------------------------------------------------------


def sort(x: CudaArray, axis: int, descending: bool, stable: bool) -> CudaArray:
    """The elements along ``axis`` in order; NaN is the largest."""
    if not is_sortable(x):
        return _sort_complex(x, axis, descending, stable)  # type: ignore[no-any-return]
    values: CudaArray = ordered(x, x.shape[axis], axis, descending, True, False)[0]
    return values


def argsort(x: CudaArray, axis: int, descending: bool, stable: bool) -> CudaArray:
    """The positions, as int64, that put the elements along ``axis`` in order; equal ones keep theirs."""
    if not is_sortable(x):
        return _argsort_complex(x, axis, descending, stable)  # type: ignore[no-any-return]
    places: CudaArray = ordered(x, x.shape[axis], axis, descending, False, True)[1]
    return places


def topk(x: CudaArray, k: int, axis: int, largest: bool) -> tuple[CudaArray, CudaArray]:
    """The first ``k`` elements of a sort, and their positions."""
    if not is_sortable(x):
        return _topk_complex(x, k, axis, largest)  # type: ignore[no-any-return]
    return ordered(x, k, axis, largest, True, True)


def is_sortable(x: CudaArray) -> bool:
    """Whether the kernels can sort it: real numbers, counted in 31 bits."""
    return x.dtype.kind != "c" and x.size <= layout.MOST_ELEMENTS


def ordered(x: CudaArray, kept: int, axis: int, descending: bool, value: bool, place: bool) -> tuple[Any, Any]:
    """The first ``kept`` values and places along an axis of a stable sort, each if it is asked for."""
    order = (*(k for k in range(x.ndim) if k != axis), axis)
    moved = x if axis == x.ndim - 1 else x.view_as(*_permuted(x.shape, x.strides, order))
    shape = (*moved.shape[:-1], kept)
    values = empty(shape, x.dtype) if value else None
    places = empty(shape, dtypes.int64) if place else None
    if math.prod(shape):
        _sort_rows(contiguous(moved), values, places, kept, descending)
    if axis == x.ndim - 1:
        return values, places
    back = (*range(axis), x.ndim - 1, *range(axis, x.ndim - 1))
    return _moved(values, back), _moved(places, back)


def _moved(result: CudaArray | None, order: tuple[int, ...]) -> CudaArray | None:
    if result is None:
        return None
    return contiguous(result.view_as(*_permuted(result.shape, result.strides, order)))


def _permuted(shape: layout.Shape, strides: layout.Strides, order: tuple[int, ...]) -> tuple[Any, Any]:
    return tuple(shape[k] for k in order), tuple(strides[k] for k in order)


def _sort_rows(
    source: CudaArray, values: CudaArray | None, places: CudaArray | None, kept: int, descending: bool
) -> None:
    """Sort the rows of a contiguous array."""
    n, item, kind = source.shape[-1], source.dtype.itemsize, _KINDS[source.dtype.kind]
    rows = source.size // n
    value, place = values.address if values is not None else 0, places.address if places is not None else 0
    if n <= _LONGEST[item]:
        width = 1 << (-(-n // _EACH) - 1).bit_length()  # threads of a row
        threads = max(width, min(256, max(32, 1 << (rows * width - 1).bit_length())))
        grid = (launching.blocks(rows * width, threads), 1, 1)
        shared = _shared(threads * _EACH, _ENTRY[item])
        numbers = (rows, n, kept, width, kind, descending)
        _SORT[item][0](grid, (threads, 1, 1), source.address, value, place, *numbers, shared=shared)
        return
    some = 1 if n >= _RADIX_FROM else 65535  # rows at once: what a grid has along y
    for first in range(0, rows, some):
        done = first * kept
        ends = source.address + first * n * item, value and value + done * item, place and place + done * 8
        if n >= _RADIX_FROM:
            _sort_by_digits(*ends, (n, kept, item, kind, descending))
        else:
            _sort_long_rows(*ends, (min(rows - first, some), n, kept, item, kind, descending))


def _shared(entries: int, size: int) -> int:
    """Bytes of shared memory, with the gaps that ``slot`` in kernels/sort.cu makes."""
    return (entries + entries * size // 128) * size


def _sort_long_rows(source: int, value: int, place: int, numbers: tuple[int, int, int, int, int, bool]) -> None:
    """Sort rows of several tiles: tile by tile, then merging pairs of runs until one is left."""
    rows, n, kept, item, kind, descending = numbers
    sort_tiles, merge_tiles = _SORT[item][1:3]
    grid, block = (launching.blocks(n, _TILE), rows, 1), (256, 1, 1)
    entries = empty(rows * n * _ENTRY[item], dtypes.uint8)
    other = empty(entries.shape, dtypes.uint8) if n > 2 * _TILE else None
    sort_tiles(grid, block, source, entries.address, n, kind, descending)
    run = _TILE
    while 2 * run < n:
        assert other is not None
        merge_tiles(grid, block, entries.address, other.address, source, 0, 0, n, kept, run)
        entries, other = other, entries
        run *= 2
    merge_tiles(grid, block, entries.address, 0, source, value, place, n, kept, run)


def _sort_by_digits(source: int, value: int, place: int, numbers: tuple[int, int, int, int, bool]) -> None:
    """Sort one row by the digits of its keys."""
    n, kept, item, kind, descending = numbers
    make_keys, take_places = _SORT[item][3:]
    keys = empty((n,), dtypes.uint64 if item == 8 else dtypes.uint32)
    make_keys((launching.blocks(n, 256), 1, 1), (256, 1, 1), source, keys.address, n, kind, descending)
    order = radix.argsort_keys(keys, 8 * item)
    take_places((launching.blocks(kept, 256), 1, 1), (256, 1, 1), source, order.address, value, place, kept)


# --- search -----------------------------------------------------------------------------------------------


def searchsorted(x1: CudaArray, x2: CudaArray, side: str) -> CudaArray:
    """Places, as int64, in the sorted ``x1`` at which the elements of ``x2`` would have to be put in."""
    x1, x2 = alike(x1, x2)
    if x1.dtype.kind == "c":
        return _searchsorted_complex(x1, x2, side)  # type: ignore[no-any-return]
    return look_up("searchsorted", x1, x2, dtypes.int64, side == "right")


def alike(x1: CudaArray, x2: CudaArray) -> tuple[CudaArray, CudaArray]:
    """Both in the dtype to which they promote."""
    if x1.dtype == x2.dtype:
        return x1, x2
    dtype = np.result_type(x1.dtype, x2.dtype)
    return astype(x1, dtype), astype(x2, dtype)


def look_up(name: str, sorted_values: CudaArray, wanted: CudaArray, dtype: Any, flag: bool) -> CudaArray:
    """The result of a searching kernel of kernels/sort.cu for every element that is wanted."""
    held, wanted, result = contiguous(sorted_values), contiguous(wanted), empty(wanted.shape, dtype)
    if result.size:
        threads = launching.block_size(result.size)
        grid = (launching.blocks(result.size, threads), 1, 1)
        addresses = (held.address, wanted.address, result.address)
        numbers = (held.size, result.size, _KINDS[held.dtype.kind], flag)
        _SEARCH[held.dtype.itemsize][name](grid, (threads, 1, 1), *addresses, *numbers)
    return result


# --- counting ---------------------------------------------------------------------------------------------


def nonzero(x: CudaArray) -> tuple[CudaArray, ...]:
    """The indices of the elements that are not zero, in row-major order, as int64 per axis; waits for the GPU.

    Raises:
        ValueError: ``x`` has no axis, or more elements than a launch can count.
    """
    if not x.shape:
        raise ValueError("Calling nonzero on 0d arrays is not allowed.")
    places = places_of_true(x if x.dtype == dtypes.bool_ else not_equal(x, 0))
    if x.ndim == 1:
        return (places,)
    if x.ndim > layout.MOST_AXES:
        strides = layout.row_major(x.shape)
        return tuple(remainder(floor_divide(places, step), n) for n, step in zip(x.shape, strides, strict=True))
    found = places.size
    indices = empty((x.ndim, found), dtypes.int64)
    if found:
        grid = (launching.blocks(found, 256), 1, 1)
        packed = layout.pack(x.shape, layout.row_major(x.shape))
        _UNRAVEL(grid, (256, 1, 1), places.address, indices.address, found, packed)
    return tuple(indices.view_as((found,), (1,), axis * found) for axis in range(x.ndim))


def bincount(x: CudaArray, weights: CudaArray | None, minlength: int) -> CudaArray:
    """How often each of 0, 1, 2, ... occurs, or the sum of its weights in float64, rounded once; waits for the GPU.

    Raises:
        ValueError: a negative integer.
    """
    x = contiguous(astype(x, dtypes.int64))
    length = max(minlength, _largest(x) + 1) if x.size else minlength
    if weights is not None:
        return _weighted(x, weights, length)
    counts = zeros(length, dtypes.int64)
    if x.size:
        _COUNT_EACH(_grid(x.size), (256, 1, 1), x.address, counts.address, x.size, length)
    return counts


def _largest(x: CudaArray) -> int:
    bounds = from_host(np.array([2**63 - 1, -(2**63)]))
    _FIND_BOUNDS(_grid(x.size), (256, 1, 1), x.address, bounds.address, x.size)
    least, largest = bounds.tolist()
    if least < 0:
        raise ValueError("'list' argument must have no negative elements")
    return int(largest)


def _grid(size: int) -> tuple[int, int, int]:
    """Blocks that go through ``size`` elements in large steps: eight for every multiprocessor."""
    return min(launching.blocks(size, 256), 8 * driver.current().multiprocessors), 1, 1


def _weighted(x: CudaArray, weights: CudaArray, length: int) -> CudaArray:
    """The sums of runs of equal integers, which sorting has made; their order depends on nothing but ``x``."""
    sums = empty(length, dtypes.float64)
    if length:
        values, places = ordered(x, x.size, 0, False, True, True)
        starts = searchsorted(values, arange(length + 1), "left")
        held = contiguous(astype(weights, dtypes.float64))
        addresses = (held.address, places.address, starts.address, sums.address)
        _SUM_EACH((launching.blocks(length, 8), 1, 1), (256, 1, 1), *addresses, length)
    return astype(sums, weights.dtype)
