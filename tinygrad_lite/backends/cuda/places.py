"""What an index names, worked out on the GPU: index arrays and masks as numbers of places.

An index is taken apart into a view, which slices, ints, None and ... make, and the integer arrays that name places
along some of its axes. A mask is an array of the places where it is true, on one axis that stands for all of its own.
"""

from __future__ import annotations

import functools
import math
import struct
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import array, compiler, driver, faults, launching, layout
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, from_host

MOST_ARRAYS = 4  #: that one launch puts together
_TILE = 4096  # elements of a mask per block
# In the order of IndexType in kernels/index.cuh.
_TYPES = {np.dtype(f"{sign}int{8 * size}"): k for k, (sign, size) in enumerate(product(("", "u"), (8, 4, 2, 1)))}
_PLACES, _NUMBERS = len(_TYPES), len(_TYPES) + 1
_INDEX = struct.Struct("Pqqii")
_NO_INDEX = bytes(_INDEX.size)
_INT64, _UINT32, _BOOL = np.dtype(np.int64), np.dtype(np.uint32), np.dtype(np.bool_)

_module = compiler.module("places.cu")
_places = launching.Kernel(_module, "places", "PP136s360sII")
_offsets = launching.Kernel(_module, "offsets", "PP136s360sqI")
_places_along = launching.Kernel(_module, "places_along", "PP32s232sII")
_last_writes = launching.Kernel(_module, "last_writes", "PPII")
_count_true = launching.Kernel(_module, "count_true", "PPI")
_sum_counts = launching.Kernel(_module, "sum_counts", "PPI")
_list_true = launching.Kernel(_module, "list_true", "PPPI")
_repeat_places = launching.Kernel(_module, "repeat_places", "PPII")


@dataclass
class Named:
    """What ``x[index]`` names.

    Attributes:
        view: x as slices, ints, None and ... leave it.
        arrays: ``(axis of the view, integers, axis of x for errors)``, in the order of the axes.
        shape: to which the arrays broadcast.
        first: where the axes of ``shape`` stand among those of the view that no array names.
        unique: whether no element can be named twice.
        rest: the axes of the view that no array names.
    """

    view: CudaArray
    arrays: list[tuple[int, CudaArray, int]]
    shape: tuple[int, ...]
    first: int
    unique: bool

    def __post_init__(self) -> None:
        named = [axis for axis, *_ in self.arrays]
        self.rest = [a for a in range(len(self.view.shape)) if a not in named]

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of ``x[index]``."""
        return self.spread(self.shape, self.view.shape)

    def spread(self, named: tuple[int, ...], all_axes: tuple[int, ...]) -> tuple[int, ...]:
        """Numbers for the axes of ``x[index]``: those of ``shape``, and for the rest those of the view's axes."""
        rest = [all_axes[a] for a in self.rest]
        return (*rest[: self.first], *named, *rest[self.first :])


# --- taking an index apart --------------------------------------------------------------------------------


def resolve(x: CudaArray, index: Any, count: int = -1) -> Named:
    """What ``x[index]`` names, by NumPy's rules.

    Args:
        x: any array; where it is not contiguous, the view may be one of a copy.
        index: ints, slices, None, ..., bools, arrays of integers and masks, and tuples of them.
        count: how many elements the only mask keeps, if that is known; else the GPU is waited for.

    Raises:
        IndexError: an index that does not fit ``x``.
    """
    parts, axes, wide = _parts(index, x.ndim)
    if wide and not x.contiguous:
        x = x.copy()  # so that the axes of a mask are like one
    shape: list[int] = []
    strides: list[int] = []
    arrays: list[tuple[int, CudaArray, int]] = []
    order = ""  # a: named by arrays, or by an int beside them; r: an axis of the rest; e: no axis, but between them
    start = source = 0
    only_mask = True
    for part in parts:
        if part is None:
            shape.append(1)
            strides.append(0)
            order += "r"
        elif part is Ellipsis:
            whole = x.ndim - axes
            shape += x.shape[source : source + whole]
            strides += x.strides[source : source + whole]
            source += whole
            order += "r" * whole or "e"
        elif type(part) is slice:
            begin, stop, step = part.indices(x.shape[source])
            size = len(range(begin, stop, step))
            start += begin * x.strides[source] if size else 0
            shape.append(size)
            strides.append(x.strides[source] * step)
            source += 1
            order += "r"
        elif type(part) is int:
            n = x.shape[source]
            if not -n <= part < n:
                raise IndexError(f"index {part} is out of bounds for axis {source} with size {n}")
            start += part % n * x.strides[source]
            source += 1
            order += "a"
        else:
            is_mask = part.dtype == _BOOL
            only_mask = only_mask and is_mask
            own = part.ndim if is_mask else 1
            sizes, steps = x.shape[source : source + own], x.strides[source : source + own]
            found = _kept(part, sizes, source, count) if is_mask else part
            if found.size and 0 in sizes:
                raise IndexError(f"there is nothing to index along axis {source}, which has size 0")
            arrays.append((len(shape), found, source))
            shape.append(math.prod(sizes))
            # Strides along axes of size one say nothing.
            strides.append(next((s for n, s in zip(sizes[::-1], steps[::-1], strict=True) if n != 1), 0))
            source += own
            order += "a"
    view = x.view_as(tuple(shape), tuple(strides), 0 if 0 in shape else start)
    if not arrays:
        return Named(view, arrays, (), 0, True)
    unique = (len(arrays) == 1 and only_mask) or all(found.size == 1 for _, found, _ in arrays)
    separated = order.strip("re").strip("a")
    first = 0 if separated else order[: order.index("a")].count("r")
    return Named(view, arrays, _together(tuple([found.shape for _, found, _ in arrays])), first, unique)


def _parts(index: Any, ndim: int) -> tuple[list[Any], int, bool]:
    """The parts of an index, one of them Ellipsis; how many axes they take up; and whether a mask takes several."""
    parts: list[Any] = []
    axes, dots, masks = 0, False, False
    for part in index if type(index) is tuple else (index,):
        kind = type(part)
        if part is Ellipsis:
            if dots:
                raise IndexError("an index can only have a single ellipsis ('...')")
            dots = True
        elif kind is slice or kind is int:
            axes += 1
        elif part is not None:
            part = _normal(part)
            if type(part) is CudaArray and part.dtype == _BOOL:
                masks = masks or part.ndim > 1
                axes += part.ndim
            else:
                axes += 1
        parts.append(part)
    if axes > ndim:
        raise IndexError(f"too many indices for array: array is {ndim}-dimensional, but {axes} were indexed")
    if not dots:
        parts.append(Ellipsis)
    return parts, axes, masks


def _normal(part: Any) -> Any:
    """A part of an index that is none of Python's own, as an int or an array of integers or bools."""
    kind = type(part)
    if kind is not CudaArray:
        if hasattr(part, "__index__") and kind is not bool and not getattr(part, "ndim", 0):
            return part.__index__()
        held = np.asarray(part)
        if held.dtype.kind not in "biu" and (held.size or isinstance(part, np.ndarray)):
            allowed = "integers, slices (`:`), ellipsis (`...`), None and arrays of integers or bools"
            raise IndexError(f"only {allowed} are valid indices")
        part = from_host(held if held.dtype.kind in "biu" else held.astype(np.int64))
    if part.dtype.kind not in "biu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    return part


@functools.lru_cache(1024)
def _together(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    try:
        return layout.broadcast_shapes(*shapes)
    except ValueError:
        shown = " ".join(map(str, shapes))
        raise IndexError(
            f"shape mismatch: indexing arrays could not be broadcast together with shapes {shown}"
        ) from None


# --- masks ------------------------------------------------------------------------------------------------


def _kept(mask: CudaArray, sizes: tuple[int, ...], axis: int, count: int) -> CudaArray:
    for k, (own, size) in enumerate(zip(mask.shape, sizes, strict=True), axis):
        if own != size:
            need = f"size of axis is {size} but size of corresponding boolean axis is {own}"
            raise IndexError(f"boolean index did not match indexed array along axis {k}; {need}")
    return places_of_true(mask, count)


def places_of_true(mask: CudaArray, count: int = -1) -> CudaArray:
    """The row-major numbers of the true elements, int64, in order.

    Args:
        mask: bools of any shape.
        count: how many are true, if that is known; else the GPU is waited for.
    """
    if mask.size > layout.MOST_ELEMENTS:
        raise ValueError(f"a mask of {mask.size} elements is more than one launch can count")
    if not mask.size or not count:
        return array.empty((0,), _INT64)
    mask = contiguous(mask)
    blocks = launching.blocks(mask.size, _TILE)
    counts, total = array.empty((blocks,), _UINT32), array.empty((), _INT64)
    _count_true((blocks,), (256, 1, 1), mask.address, counts.address, mask.size)
    _sum_counts((1,), (1024, 1, 1), counts.address, total.address, blocks)
    result = array.empty((total.item() if count < 0 else count,), _INT64)
    if result.size:
        _list_true((blocks,), (256, 1, 1), mask.address, counts.address, result.address, mask.size)
    return result


# --- from arrays to places ----------------------------------------------------------------------------------


def packed_index(indices: CudaArray, first: int, along: tuple[int, int, int] | int) -> bytes:
    """The bytes of an ``Index`` (kernels/index.cuh).

    Args:
        indices: an array of integers, or of offsets.
        first: the first element to read.
        along: stride, size and number of the axis that they count; for offsets any int.
    """
    address = indices.address + first * indices.dtype.itemsize
    _note(address)
    if isinstance(along, int):
        return _INDEX.pack(address, 1, 0, _PLACES, 0)
    stride, size, axis = along
    return _INDEX.pack(address, stride, size, _TYPES[indices.dtype], axis)


def _note(address: int) -> None:
    """A graph that is recorded sees the addresses among a kernel's arguments, but not those inside of structures."""
    if driver.recorder is not None:
        driver.recorder.note((address,))


def packed_numbers(places: CudaArray, beyond: int) -> bytes:
    """The bytes of an ``Index`` of what :func:`numbers` returns."""
    _note(places.address)
    return _INDEX.pack(places.address, 1, beyond, _NUMBERS, 0)


def numbers(named: Named, operation: int) -> tuple[CudaArray, int]:
    """The row-major numbers of the named places, uint32, and how many places there are in all.

    Those of indices out of range are the number of places. The numbers count the elements of the named axes alone.
    """
    sizes = [named.view.shape[axis] for axis, *_ in named.arrays]
    beyond = math.prod(sizes)
    count = math.prod(named.shape)
    if max(beyond, count) > layout.MOST_ELEMENTS:
        raise ValueError(f"{count} indices into {beyond} places are more than one launch can count")
    result = array.empty(named.shape, _UINT32)
    _put_together(_places, result, named, layout.row_major(tuple(sizes)), beyond, operation)
    return result, beyond


def offsets(named: Named, operation: int) -> CudaArray:
    """What each named place adds to the address of the view's first element, int64, in elements."""
    result = array.empty(named.shape, _INT64)
    strides = tuple([named.view.strides[axis] for axis, *_ in named.arrays])
    _put_together(_offsets, result, named, strides, 0, operation)
    return result


def _put_together(
    kernel: launching.Kernel, result: CudaArray, named: Named, strides: tuple[int, ...], beyond: int, operation: int
) -> None:
    if not result.size:
        return
    if result.size > layout.MOST_ELEMENTS or result.ndim > layout.MOST_AXES:
        raise ValueError(f"index arrays of shape {result.shape} are more than one launch can count")
    for k in range(0, len(named.arrays), MOST_ARRAYS):
        some = named.arrays[k : k + MOST_ARRAYS]
        indices, steps = b"", []
        for (axis, found, source), stride in zip(some, strides[k:], strict=False):
            indices += packed_index(found, 0, (stride, named.view.shape[axis], source))
            steps.append(layout.broadcast_strides(found.shape, found.strides, named.shape))
        missing = MOST_ARRAYS - len(some)
        indices += _NO_INDEX * missing + struct.pack("II", len(some), k > 0)
        whole, merged = layout.merged(named.shape, *steps, *[(0,) * result.ndim] * missing)
        count = result.size
        threads = launching.block_size(count)
        grid, block = (launching.blocks(count, threads),), (threads, 1, 1)
        packed = layout.pack(whole, *merged)
        kernel(grid, block, result.address, faults.address(), indices, packed, beyond, operation)
    faults.settle()


def numbers_along(indices: CudaArray, shape: tuple[int, ...], axis: int, operation: int) -> tuple[CudaArray, int]:
    """The row-major numbers of the elements of ``shape`` that ``indices`` name on each line along ``axis``."""
    beyond = math.prod(shape)
    if max(beyond, indices.size) > layout.MOST_ELEMENTS:
        raise ValueError(f"{indices.size} indices into {beyond} places are more than one launch can count")
    result = array.empty(indices.shape, _UINT32)
    if result.size:
        steps = layout.row_major(shape)
        rest = (*steps[:axis], 0, *steps[axis + 1 :])
        whole, merged = layout.merged(indices.shape, indices.strides, rest)
        threads = launching.block_size(result.size)
        grid, block = (launching.blocks(result.size, threads),), (threads, 1, 1)
        index = packed_index(indices, 0, (steps[axis], shape[axis], axis))
        packed = layout.pack(whole, *merged)
        _places_along(grid, block, result.address, faults.address(), index, packed, beyond, operation)
        faults.settle()
    return result, beyond


def last_writes(places: CudaArray, beyond: int) -> CudaArray:
    """For every place the number of the last write to it, counted from 1; 0 where there is none."""
    result = array.zeros((beyond,), _UINT32)
    threads = launching.block_size(places.size)
    grid, block = (launching.blocks(places.size, threads),), (threads, 1, 1)
    _last_writes(grid, block, result.address, places.address, places.size, beyond)
    return result


def places_of_lengths(lengths: CudaArray) -> CudaArray:
    """Number k as often as ``lengths[k]`` says, int64: 0 0 0 2 2 for lengths 3 0 2. The GPU is waited for."""
    counts = lengths.get().astype(np.int64)
    if counts.size and counts.min() < 0:
        raise ValueError("repeats may not contain negative values.")
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    if total > layout.MOST_ELEMENTS:
        raise ValueError(f"{total} repeated elements are more than one launch can count")
    result = array.empty((total,), _INT64)
    if total:
        held = from_host(ends)
        threads = launching.block_size(total)
        grid, block = (launching.blocks(total, threads),), (threads, 1, 1)
        _repeat_places(grid, block, held.address, result.address, ends.size, total)
    return result
