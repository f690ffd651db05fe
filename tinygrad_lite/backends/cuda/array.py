"""The array on the GPU: memory, shape, strides, dtype; views without copies, and the ways in and out.

What is computed with arrays stands in the chapters beside this file; ``operators.py`` attaches arithmetic.
"""

from __future__ import annotations

import math
import operator
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.backends.cuda import compiler, driver, launching, layout, memory
from tinygrad_lite.backends.cuda.types import C_NAMES, element_bytes

_new = object.__new__


class CudaArray:
    """An n-dimensional array in device memory.

    Attributes:
        block: what keeps the memory alive: a block of the pool, or whoever lent it.
        address: of the first element.
        shape: the size of every axis.
        strides: in elements, also negative or 0.
        dtype: a NumPy dtype.
        size: the number of elements.
        contiguous: whether the elements lie side by side in row-major order.
    """

    __slots__ = ("__weakref__", "address", "block", "contiguous", "dtype", "shape", "size", "strides")
    __array_ufunc__ = None  # NumPy's operators leave it to ours
    device = "cuda"
    __hash__ = object.__hash__

    block: Any
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: Any
    size: int
    contiguous: bool

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize  # type: ignore[no-any-return]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    # --- out ------------------------------------------------------------------------------------------

    def get(self) -> np.ndarray[Any, Any]:
        """The elements as a new NumPy array, once everything that was launched before has run."""
        source = contiguous(self)
        result = np.empty(self.shape, self.dtype)
        if self.size:
            memory.download(result, source.address)
        return result

    def item(self) -> Any:
        """The only element as a Python number."""
        return self.get().item()

    def tolist(self) -> Any:
        """The elements as nested lists."""
        return self.get().tolist()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.address if self.size else 0, False),
            "version": 3,
            "strides": None if self.contiguous else tuple(s * self.itemsize for s in self.strides),
            "stream": driver.current().handle,
        }

    def __repr__(self) -> str:
        return f"CudaArray(shape={self.shape}, dtype={self.dtype.name}, address={self.address:#x})"

    # --- views ----------------------------------------------------------------------------------------

    def view_as(self, shape: tuple[int, ...], strides: tuple[int, ...], first: int = 0) -> CudaArray:
        """The same memory with another shape and other strides, from element ``first`` on."""
        return over(self.block, self.address + first * self.dtype.itemsize, shape, strides, self.dtype)

    def reshape(self, *shape: Any) -> CudaArray:
        """The elements in row-major order in another shape: a view where strides can say so, else a copy."""
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        sizes = _completed(self.size, tuple(operator.index(n) for n in wanted))
        if self.contiguous:
            return self.view_as(sizes, layout.row_major(sizes))
        strides = _reshaped_strides(self.shape, self.strides, sizes)
        if strides is not None:
            return self.view_as(sizes, strides)
        return copied(self).view_as(sizes, layout.row_major(sizes))

    def copy(self) -> CudaArray:
        """A contiguous copy."""
        return copied(self)

    def __copy__(self) -> CudaArray:
        return self.view_as(self.shape, self.strides)

    def __deepcopy__(self, memo: Any) -> CudaArray:
        return copied(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a CudaArray cannot be pickled: get() copies it to the processor")

    def fill(self, value: Any) -> None:
        """Write one number everywhere, in place."""
        fill(self, value)


def _refusing(name: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"a CudaArray has no {name}: its values are on the GPU; get() copies them")

    return refuse


for _name in ("__bool__", "__float__", "__int__", "__index__", "__complex__", "__iter__", "__contains__", "__array__"):
    setattr(CudaArray, _name, _refusing(_name))


# --- making -------------------------------------------------------------------------------------------------


def over(block: Any, address: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> CudaArray:
    """An array over memory that is there already."""
    array = _new(CudaArray)
    array.block, array.address = block, address
    array.shape, array.strides, array.dtype = shape, strides, dtype
    array.size = math.prod(shape)
    array.contiguous = layout.is_row_major(shape, strides)
    return array


def empty(shape: Any, dtype: Any) -> CudaArray:
    """A contiguous array with undefined content."""
    shape = (shape,) if type(shape) is int else tuple(shape)
    array = _new(CudaArray)
    size = array.size = math.prod(shape)
    array.shape, array.strides, array.dtype = shape, layout.row_major(shape), dtype
    block = array.block = memory.allocate(size * dtype.itemsize)
    array.address = block.address
    array.contiguous = True
    return array


def full(shape: Any, value: Any, dtype: Any) -> CudaArray:
    """An array of one value.

    Raises:
        OverflowError: an integer that the dtype cannot hold.
    """
    item = element_bytes(value, dtype)
    array = empty(shape, dtype)
    _fill_bytes(array, item)
    return array


def zeros(shape: Any, dtype: Any) -> CudaArray:
    """An array of zeros."""
    array = empty(shape, dtype)
    if array.size:
        memory.fill_zero(array.address, array.nbytes)
    return array


def from_host(source: Any) -> CudaArray:
    """A copy of a NumPy array, or of what ``np.asarray`` makes one of."""
    held = np.asarray(source)
    dtype = held.dtype.newbyteorder("=")
    if dtype not in C_NAMES:
        raise TypeError(f"the GPU has no elements of dtype {held.dtype}")
    array = empty(held.shape, dtype)
    if held.size:
        memory.upload(array.address, np.require(held, dtype, "C"))
    return array


def asarray(x: Any, copy: bool | None = None) -> CudaArray:
    """An array of ``x``; a copy is contiguous."""
    if type(x) is CudaArray:
        return copied(x) if copy else x
    return from_host(x)


# --- copies -------------------------------------------------------------------------------------------------

# Between an element of a filling and the layout struct's "0Q" leaves the gap that the layout's alignment asks for.
_FILLS = {1: "PB0Q168s", 2: "PH0Q168s", 4: "PI0Q168s", 8: "PQ168s", 16: "P8x16s168s"}
_COPIES: dict[int, Any] = {}
for _item in (1, 2, 4, 8, 16):
    _module = compiler.module("copy.cu", ITEM=_item)
    _COPIES[_item] = (
        launching.Kernel(_module, "copy", "PP232s"),
        launching.Kernel(_module, "copy_strided", "PP232s"),
        launching.Kernel(_module, "copy_transposed", "PPIIIqqqqqq"),
        launching.Kernel(_module, "fill", _FILLS[_item]),
    )


def contiguous(x: CudaArray) -> CudaArray:
    """``x`` itself if it is contiguous, else a copy."""
    return x if x.contiguous else copied(x)


def copied(x: CudaArray) -> CudaArray:
    """A contiguous copy."""
    result = empty(x.shape, x.dtype)
    copy_into(result, x)
    return result


def copy_into(target: CudaArray, source: CudaArray) -> None:
    """Write the elements of ``source``, broadcast to the shape of ``target``, of the same dtype, into its memory."""
    if not target.size:
        return
    item = target.dtype.itemsize
    strides = layout.broadcast_strides(source.shape, source.strides, target.shape)
    if target.contiguous and source.contiguous and source.shape == target.shape:
        memory.copy(target.address, source.address, target.nbytes)
        return
    whole, (read, write) = layout.merged(target.shape, strides, target.strides)
    vector, strided, transposed, _ = _COPIES[item]
    swap = _swap(whole, read, write)
    if swap is not None:
        grid, numbers = swap
        transposed(grid, (32, 8, 1), source.address, target.address, *numbers)
        return
    lanes = 16 // item
    packed = lanes > 1 and _packs(whole, (read, write), (source.address, target.address), lanes, item)
    if packed:
        whole = (*whole[:-1], whole[-1] // lanes)
        read, write = ((*s[:-1], s[-1] * lanes) for s in (read, write))
    kernel = vector if packed else strided
    for shape, (r, w), (first, start) in layout.pieces(whole, read, write):
        count = math.prod(shape)
        threads = launching.block_size(count)
        kernel(
            (launching.blocks(count, threads), 1, 1),
            (threads, 1, 1),
            source.address + first * item,
            target.address + start * item,
            layout.pack(shape, r, w),
        )


def _packs(
    shape: tuple[int, ...], strides: tuple[tuple[int, ...], ...], addresses: tuple[int, ...], lanes: int, item: int
) -> bool:
    """Whether 16 bytes of the innermost axis can be moved at once: read in a row or repeated, and written in a row."""
    read, write = strides
    if shape[-1] % lanes or write[-1] != 1 or read[-1] not in (0, 1):
        return False
    wide = [(write, addresses[1])] + ([(read, addresses[0])] if read[-1] else [])
    return all(address % 16 == 0 and all(s % lanes == 0 for s in steps[:-1]) for steps, address in wide)


def _swap(
    shape: tuple[int, ...], read: tuple[int, ...], write: tuple[int, ...]
) -> tuple[tuple[int, int, int], tuple[int, ...]] | None:
    """Grid and numbers of copy_transposed if it can do this: what is read side by side is not what is written so.

    The axis along which neighbours are read and the last one, along which they are written, make matrices that are
    transposed; up to two other axes are a batch of them.
    """
    across = next((k for k, step in enumerate(read[:-1]) if step == 1), None)
    if across is None or len(shape) > 4 or write[-1] != 1 or abs(read[-1]) < shape[across]:
        return None
    rows, columns = shape[across], shape[-1]  # the kernel's source has `columns` rows of `rows` elements
    others = [k for k in range(len(shape) - 1) if k != across]
    sizes = [shape[k] for k in others]
    batch = math.prod(sizes)
    if batch > 65535 or not 8 <= rows <= 65535 * 32 or not 8 <= columns <= layout.MOST_ELEMENTS:
        return None
    steps = [(0, 0)] * (2 - len(others)) + [(read[k], write[k]) for k in others]
    inner = sizes[-1] if sizes else 1
    grid = (-(-columns // 32), -(-rows // 32), batch)
    return grid, (rows, columns, inner, read[-1], write[across], *steps[0], *steps[1])


def fill(target: CudaArray, value: Any) -> None:
    """Write one number everywhere."""
    _fill_bytes(target, element_bytes(value, target.dtype))


def _word(item: bytes) -> bytes:
    """The 1, 2 or 4 bytes of which an element consists, such as a zero of any kind; none if there are not."""
    for size in (1, 2, 4):
        if item == item[:size] * (len(item) // size):
            return item[:size]
    return b""


def _fill_bytes(target: CudaArray, item: bytes) -> None:
    if not target.size:
        return
    word = _word(item)
    if target.contiguous and word:
        memory.fill(target.address, target.nbytes // len(word), word)
        return
    kernel = _COPIES[len(item)][3]
    number = item if len(item) == 16 else int.from_bytes(item, "little")
    whole, (write,) = layout.merged(target.shape, target.strides)
    for shape, (w,), (start,) in layout.pieces(whole, write):
        count = math.prod(shape)
        threads = launching.block_size(count)
        grid = (launching.blocks(count, threads), 1, 1)
        kernel(grid, (threads, 1, 1), target.address + start * len(item), number, layout.pack(shape, w))


# --- reshaping ----------------------------------------------------------------------------------------------


def _completed(size: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with -1 replaced by what is left."""
    if -1 in shape:
        known = -math.prod(shape)
        if known > 0 and size % known == 0 and shape.count(-1) == 1:
            shape = tuple(size // known if n == -1 else n for n in shape)
    if math.prod(shape) != size or any(n < 0 for n in shape):
        raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
    return shape


def _reshaped_strides(
    shape: tuple[int, ...], strides: tuple[int, ...], wanted: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The strides of a view in the wanted shape, or None where only a copy has it."""
    if 0 in shape:
        return layout.row_major(wanted)
    whole, (steps,) = layout.merged(shape, strides)
    found: list[int] = []
    left, step, axis = 1, 0, len(whole)
    for n in reversed(wanted):
        if n == 1:
            found.append(step * left if axis < len(whole) else 1)
            continue
        if left == 1 and axis == 0:
            return None
        if left == 1:
            axis -= 1
            left, step = whole[axis], steps[axis]
        if left % n:
            return None
        found.append(step)
        left //= n
        step *= n
    return tuple(reversed(found))
