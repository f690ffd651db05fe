"""Reading and writing by index on the GPU: slices make views, index arrays and masks go through one kernel.

Indices out of range are found by the kernels, and raised when the processor next waits (``faults.py``).
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import array, compiler, elementwise, faults, launching, layout
from tinygrad_lite.backends.cuda.array import CudaArray, copy_into, from_host
from tinygrad_lite.backends.cuda.places import Named, last_writes, numbers, offsets, packed_index, resolve

__all__ = ["assign", "getitem", "setitem", "take", "take_along_axis", "view_of"]

_BOOL = np.dtype(np.bool_)
_GATHERS: dict[int, tuple[launching.Kernel, launching.Kernel]] = {}
_WRITES: dict[int, tuple[launching.Kernel, launching.Kernel]] = {}
_WRITES_WHERE: dict[int, launching.Kernel] = {}
for _item in (1, 2, 4, 8, 16):
    _module = compiler.module("gather.cu", ITEM=_item)
    _GATHERS[_item] = (
        launching.Kernel(_module, "gather", "PPP32s232sI"),
        launching.Kernel(_module, "gather_packs", "PPP32s232sI"),
    )
    _WRITES[_item] = (
        launching.Kernel(_module, "write", "PPPPq168s296s"),
        launching.Kernel(_module, "write_packs", "PPPPq168s296s"),
    )
    _WRITES_WHERE[_item] = launching.Kernel(_module, "write_where", "PPP296s")

_GETITEM, _SETITEM = faults.operation("getitem"), faults.operation("setitem")
_TAKE, _TAKE_ALONG = faults.operation("take"), faults.operation("take_along_axis")

# --- reading ----------------------------------------------------------------------------------------------


def getitem(x: CudaArray, index: Any) -> CudaArray:
    """``x[index]``: a view for slices, ints, None and ..., else a copy."""
    if type(index) is tuple and len(index) == 1:
        index = index[0]
    if type(index) is CudaArray and index.dtype.kind in "iu" and x.shape and x.shape[0]:
        rest = (0,) * index.ndim + x.strides[1:]
        along = x.strides[0], x.shape[0], 0
        return _gather(x, index.shape + x.shape[1:], index, index.strides + (0,) * (x.ndim - 1), rest, along, _GETITEM)
    named = resolve(x, index)
    view = named.view
    if not named.arrays:
        return view
    rest = named.spread((0,) * len(named.shape), view.strides)
    none = (0,) * view.ndim
    if len(named.arrays) == 1:
        axis, indices, source = named.arrays[0]
        steps = named.spread(indices.strides, none)
        along = (view.strides[axis], view.shape[axis], source)
        return _gather(view, named.result, indices, steps, rest, along, _GETITEM)
    places = offsets(named, _GETITEM)
    unit = math.gcd(*[view.strides[axis] for axis, *_ in named.arrays])
    return _gather(view, named.result, places, named.spread(places.strides, none), rest, unit, _GETITEM)


def view_of(x: CudaArray, index: Any) -> CudaArray:
    """``x[index]`` as a view of the memory of x.

    Raises:
        IndexError: the index has arrays, which cannot be a view.
    """
    named = resolve(x, index)
    if named.arrays:
        raise IndexError("only ints, slices, None and ... make a view")
    return named.view


def take(x: CudaArray, indices: CudaArray, axis: int) -> CudaArray:
    """Rows are copied 16 bytes at a time, where they allow that."""
    axis %= x.ndim
    size = x.shape[axis]
    if not size and indices.size:
        raise IndexError("cannot do a non-empty take from an empty axes.")
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    steps = ((0,) * axis) + indices.strides + (0,) * len(after)
    rest = x.strides[:axis] + (0,) * indices.ndim + x.strides[axis + 1 :]
    return _gather(x, before + indices.shape + after, indices, steps, rest, (x.strides[axis], size, axis), _TAKE)


def take_along_axis(x: CudaArray, indices: CudaArray, axis: int) -> CudaArray:
    """One index per element of the result; axes of size one broadcast, except ``axis``."""
    axis %= x.ndim
    size = x.shape[axis]
    own, other = (x.shape, indices.shape) if indices.ndim == x.ndim else ((), ())
    if not own:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    wide = layout.broadcast_shapes((*own[:axis], 1, *own[axis + 1 :]), (*other[:axis], 1, *other[axis + 1 :]))
    shape = (*wide[:axis], other[axis], *wide[axis + 1 :])
    if not size and indices.size:
        raise IndexError(f"there is nothing to index along axis {axis}, which has size 0")
    steps = layout.broadcast_strides(other, indices.strides, shape)
    rest = layout.broadcast_strides((*own[:axis], 1, *own[axis + 1 :]), x.strides, shape)
    return _gather(x, shape, indices, steps, rest, (x.strides[axis], size, axis), _TAKE_ALONG)


def _gather(
    x: CudaArray,
    shape: tuple[int, ...],
    indices: CudaArray,
    steps: tuple[int, ...],
    rest: tuple[int, ...],
    along: tuple[int, int, int] | int,
    operation: int,
) -> CudaArray:
    """The elements of x at the places that ``indices`` name, with what the other axes add.

    Args:
        x: begins at the first element that may be read.
        shape: of the result.
        indices: integers along an axis of x, or offsets into it.
        steps: the strides of ``indices`` on the axes of the result.
        rest: those of x, 0 on axes that only ``indices`` count.
        along: stride, size and number of that axis; for offsets what all are multiples of.
        operation: for errors.
    """
    result = array.empty(shape, x.dtype)
    if not result.size:
        return result
    if indices.dtype.kind not in "iu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    item = x.dtype.itemsize
    unit = along if isinstance(along, int) else along[0]
    lanes = 16 // item if x.address % 16 == 0 and unit * item % 16 == 0 else 1
    packs, launches = _reading(shape, steps, rest, lanes)
    kernel = _GATHERS[item][packs]
    for grid, block, packed, (first, start, target) in launches:
        index = packed_index(indices, first, along)
        read, written = x.address + start * item, result.address + target * item
        kernel(grid, block, read, written, faults.address(), index, packed, operation)
    if faults.AT_ONCE:
        faults.settle()
    return result


@functools.lru_cache(4096)
def _reading(
    shape: tuple[int, ...], steps: tuple[int, ...], rest: tuple[int, ...], lanes: int
) -> tuple[bool, list[Any]]:
    """Whether 16 bytes are moved at a time, and for each launch its grid, block, layout, and where operands begin."""
    whole, (index, read, written) = layout.merged(shape, steps, rest, layout.row_major(shape))
    packs = lanes > 1 and index[-1] == 0 and read[-1] == 1 and whole[-1] % lanes == 0
    packs = packs and all(s % lanes == 0 for s in read[:-1])
    if packs:
        whole = (*whole[:-1], whole[-1] // lanes)
        index, read, written = ((*s[:-1], s[-1] * lanes) for s in (index, read, written))
    launches = []
    for piece, (i, r, _), firsts in layout.pieces(whole, index, read, written):
        count = math.prod(piece)
        threads = launching.block_size(count)
        grid, block = (launching.blocks(count, threads), 1, 1), (threads, 1, 1)
        launches.append((grid, block, layout.pack(piece, i, r), firsts))
    return packs, launches


# --- writing ----------------------------------------------------------------------------------------------


def setitem(x: CudaArray, values: Any, index: Any) -> CudaArray:
    """A copy of x with ``values`` at ``index``; the last of repeated writes wins."""
    result = x.copy()
    assign(result, index, values)
    return result


def assign(x: CudaArray, index: Any, values: Any) -> None:
    """``x[index] = values`` in the memory of x: an array, broadcast and cast, or a number."""
    if type(values) is not CudaArray:
        values = array.full((), values, x.dtype) if np.ndim(values) == 0 else from_host(values)
    if values.dtype != x.dtype:
        values = elementwise.astype(values, x.dtype)
    elif values.block is x.block:
        values = values.copy()  # what is read must not be what is written
    mask = only_mask(index) if values.size == 1 else None
    if mask is not None:
        _write_where(x, index, mask, values)
        return
    named = resolve(x, index)
    shape = named.result
    values = _fitted(values, shape)
    if not named.arrays:
        copy_into(named.view, values)
    elif x.contiguous:
        write(named, values, _SETITEM)
    else:  # a mask may then name places of a copy
        complete = x.copy()
        assign(complete, index, values)
        copy_into(x, complete)


def _fitted(values: CudaArray, shape: tuple[int, ...]) -> CudaArray:
    """Values without leading axes of size one that the shape does not have; they must broadcast to it."""
    spare = max(values.ndim - len(shape), 0)
    if all(n == 1 for n in values.shape[:spare]):
        values = values.view_as(values.shape[spare:], values.strides[spare:])
        lead = len(shape) - values.ndim
        if all(n in (1, m) for n, m in zip(values.shape, shape[lead:], strict=True)):
            return values
    need = f"could not be broadcast to indexing result of shape {shape}"
    raise ValueError(f"shape mismatch: value array of shape {values.shape} {need}")


def write(named: Named, values: CudaArray, operation: int) -> None:
    """Write values, which broadcast to what is named, into the memory of the view."""
    shape, view = named.result, named.view
    if not math.prod(shape):
        return
    places, beyond = numbers(named, operation)
    last = 0
    if not named.unique and values.size > 1:  # of one value all writes are the same
        winners = last_writes(places, beyond)
        last = winners.address
    item = view.dtype.itemsize
    axes = [axis for axis, *_ in named.arrays]
    table, (steps,) = layout.merged(tuple([view.shape[a] for a in axes]), tuple([view.strides[a] for a in axes]))
    none = (0,) * view.ndim
    place = named.spread(places.strides, none)
    rest = named.spread((0,) * len(named.shape), view.strides)
    read = layout.broadcast_strides(values.shape, values.strides, shape)
    whole, strides = layout.merged(shape, place, read, rest)
    lanes = 16 // item
    packs = lanes > 1 and whole[-1] % lanes == 0 and [s[-1] for s in strides] == [0, 1, 1]
    packs = packs and not any(s % lanes for s in (*strides[1][:-1], *strides[2][:-1], *steps))
    packs = packs and values.address % 16 == 0 and view.address % 16 == 0
    if packs:
        whole = (*whole[:-1], whole[-1] // lanes)
        strides = tuple([(*s[:-1], s[-1] * lanes) for s in strides])
    packed_table = layout.pack(table, steps)
    for piece, own, (first, start, target) in layout.pieces(whole, *strides):
        count = math.prod(piece)
        threads = launching.block_size(count)
        grid, block = (launching.blocks(count, threads), 1, 1), (threads, 1, 1)
        addresses = values.address + start * item, view.address + target * item, places.address, last
        _WRITES[item][packs](grid, block, *addresses, first, packed_table, layout.pack(piece, *own))


# --- masks ------------------------------------------------------------------------------------------------


def only_mask(index: Any) -> CudaArray | None:
    """The mask of an index that has no other arrays."""
    arrays = [part for part in (index if type(index) is tuple else (index,)) if type(part) is CudaArray]
    if len(arrays) != 1 or arrays[0].dtype != _BOOL or not arrays[0].ndim:
        return None
    others = [part for part in (index if type(index) is tuple else (index,)) if type(part) is not CudaArray]
    plain = all(part is None or part is Ellipsis or type(part) in (int, slice) for part in others)
    return arrays[0] if plain else None


def opened(x: CudaArray, index: Any, mask: CudaArray) -> tuple[CudaArray, CudaArray]:
    """What the other parts of an index with one mask leave of x, and of the mask stretched over x.

    Raises:
        IndexError: the index does not fit ``x``.
    """
    parts = index if type(index) is tuple else (index,)
    at = next(k for k, part in enumerate(parts) if part is mask)
    own = [part.ndim if part is mask else int(part is not None and part is not Ellipsis) for part in parts]
    dots = any(part is Ellipsis for part in parts[:at])
    axis = sum(own[:at]) + (x.ndim - sum(own) if dots else 0)
    if axis < 0 or mask.shape != x.shape[axis : axis + mask.ndim]:
        resolve(x, index)  # says what does not fit
    whole = (*parts[:at], *(slice(None),) * mask.ndim, *parts[at + 1 :])
    strides = (0,) * axis + mask.strides + (0,) * (x.ndim - axis - mask.ndim)
    return view_of(x, whole), view_of(mask.view_as(x.shape, strides), whole)


def _write_where(x: CudaArray, index: Any, mask: CudaArray, value: CudaArray) -> None:
    """One value where a mask is true: how many elements that are need not be known, so nothing is waited for."""
    target, where = opened(x, index, mask)
    if not target.size:
        return
    merged, steps = layout.merged(target.shape, target.strides, where.strides, (0,) * target.ndim)
    for piece, own, (start, first, _) in layout.pieces(merged, *steps):
        count = math.prod(piece)
        threads = launching.block_size(count)
        grid, block = (launching.blocks(count, threads), 1, 1), (threads, 1, 1)
        written = target.address + start * target.itemsize
        packed = layout.pack(piece, *own)
        _WRITES_WHERE[x.itemsize](grid, block, written, where.address + first, value.address, packed)
