"""Element-wise launches: which kernel serves an operation and its dtypes, promotion, broadcasting, and the launch.

An operation has a loop, a pair of kernels, for each dtype of some kinds; other dtypes are cast to the next one that has
one, as in NumPy. Python numbers are weak: they take the dtype of the arrays and travel as kernel parameters.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, launching, layout, types
from tinygrad_lite.backends.cuda.array import CudaArray, empty, from_host

_KINDS = {"b": "BOOLS", "i": "INTEGERS", "u": "INTEGERS", "f": "FLOATS", "c": "COMPLEX"}
_KIND_OF = {dtype: dtype.kind for dtype in types.ALL}
_REAL = {dtypes.complex64: dtypes.float32, dtypes.complex128: dtypes.float64}


def modules(file: str, dtypes_of_file: tuple[Any, ...]) -> dict[Any, compiler.Module]:
    """Register a file of element-wise kernels for these dtypes."""
    return {
        dtype: compiler.module(file, TYPE=types.C_NAMES[dtype], KIND=_KINDS[dtype.kind]) for dtype in dtypes_of_file
    }


class Loop:
    """The kernels of one operation for one dtype.

    Attributes:
        dtype: of the operands.
        result: dtype of the result.
        lanes: elements that a thread of ``vector`` takes.
        vector, strided: see kernels/elementwise.cuh.
        number: a Python number as the kernels' parameters.
    """

    __slots__ = ("dtype", "lanes", "number", "result", "strided", "vector")

    def __init__(
        self, module: compiler.Module, name: str, operands: int, dtype: Any, result: Any, extra: str = ""
    ) -> None:
        self.dtype, self.result = dtype, result
        numbers = extra
        if operands > 1:
            numbers = types.LETTERS[dtype] * 2
            if dtype == dtypes.complex128 and operands == 2:
                numbers = "8x" + numbers  # a number of 16 bytes lies at a multiple of 16
        parameters = f"{'P' * (operands + 1)}{numbers}I0Q{104 + 64 * (operands + 1)}s"
        self.strided = self.vector = launching.Kernel(module, f"{name}_strided", parameters)
        self.lanes = 1 if extra else 16 // max(dtype.itemsize, result.itemsize)
        if self.lanes > 1:
            self.vector = launching.Kernel(module, f"{name}_vector", parameters)
        self.number = _CONVERSIONS[dtype]


class Operation:
    """An element-wise operation.

    Args:
        name: of its kernels, before ``_vector`` and ``_strided``.
        found: the modules that have it, by dtype.
        operands: how many.
        kinds: of the dtypes that have a loop, in NumPy's letters.
        result: ``"same"``, ``"bool"`` or ``"real"``: the dtype of the result.
        extra: further parameters of the kernels, in ``struct``'s letters; these have the strided kernel alone.
        refused: kinds that are not cast to others, either.
    """

    __slots__ = ("_extra", "_kinds", "_modules", "_operands", "_refused", "_result", "loops", "name")

    def __init__(
        self,
        name: str,
        found: dict[Any, compiler.Module],
        operands: int,
        kinds: str,
        result: str = "same",
        extra: str = "",
        refused: str = "",
    ) -> None:
        self.name, self._extra, self._refused = name, extra, refused
        self._modules, self._operands, self._kinds, self._result = found, operands, kinds, result
        self.loops: dict[Any, Loop] = {}

    def loop(self, dtype: Any) -> Loop:
        """The loop that serves operands of ``dtype``; they are cast to its own dtype first.

        Raises:
            TypeError: there is none.
        """
        found = self.loops.get(dtype)
        return self._prepare(dtype) if found is None else found

    def _prepare(self, dtype: Any) -> Loop:
        for own in (dtype, *types.ALL):
            if dtype.kind in self._refused:
                continue
            if own in self._modules and own.kind in self._kinds and np.can_cast(dtype, own):
                break
        else:
            raise TypeError(f"{self.name} has no meaning for {dtype.name}")
        if own != dtype:
            found = self.loop(own)
        else:
            result = {"same": own, "bool": dtypes.bool_, "real": _REAL.get(own, own)}[self._result]
            found = Loop(self._modules[own], self.name, self._operands, own, result, self._extra)
        self.loops[dtype] = found
        return found


# --- numbers ------------------------------------------------------------------------------------------------


def _integer(dtype: Any) -> Any:
    bounds = np.iinfo(dtype)
    low, high = int(bounds.min), int(bounds.max)

    def convert(value: Any) -> tuple[Any, ...]:
        value = int(value)
        if low <= value <= high:
            return (value,)
        raise OverflowError(f"Python integer {value} out of bounds for {dtype.name}")

    return convert


def _float(dtype: Any) -> Any:
    largest = float(np.finfo(dtype).max)

    def convert(value: Any) -> tuple[Any, ...]:
        value = float(value)
        return (value,) if -largest <= value <= largest else _rounded(dtype, value)

    return convert


def _complex(dtype: Any) -> Any:
    part = _CONVERSIONS[_REAL[dtype]]

    def convert(value: Any) -> tuple[Any, ...]:
        return (*part(value.real), *part(value.imag))

    return convert


def _rounded(dtype: Any, value: float) -> tuple[Any, ...]:
    """NaN, infinity, and what is beyond the largest number but may round to it."""
    with np.errstate(over="ignore"):
        return (float(np.asarray(value).astype(dtype)),)


_CONVERSIONS: dict[Any, Any] = {dtypes.bool_: lambda value: (bool(value),)}
_CONVERSIONS.update({dtype: _integer(dtype) for dtype in types.INTEGERS})
_CONVERSIONS.update({dtype: _float(dtype) for dtype in types.FLOATS})
_CONVERSIONS.update({dtype: _complex(dtype) for dtype in types.COMPLEX})
_ONE: dict[Any, Any] = {bool: True, int: 1, float: 1.0, complex: 1j}


class _Promotions(dict[Any, Any]):
    """(dtype or type of a number, the same) -> the dtype of both."""

    def __missing__(self, pair: Any) -> Any:
        for one in pair:
            if one not in _ONE and one not in _KIND_OF:
                raise TypeError(f"cannot compute with {one}")
        found = np.result_type(*(_ONE.get(one, one) for one in pair))
        self[pair] = found = dtypes.as_dtype(found)
        return found


promoted = _Promotions()


def operand(x: Any) -> Any:
    """A CudaArray or a Python number; NumPy's scalars, which are not weak, and its arrays are copied to the GPU."""
    kind = type(x)
    if kind is CudaArray or kind in _ONE:
        return x
    if not isinstance(x, (np.ndarray, np.generic)):
        raise TypeError(f"cannot compute with {kind.__name__}")
    return from_host(x)


def array(x: Any) -> CudaArray:
    """An array of what may be a number."""
    x = operand(x)
    return x if type(x) is CudaArray else from_host(np.asarray(x))


# --- launches -----------------------------------------------------------------------------------------------


@functools.lru_cache(8192)
def _plan(lanes: int, shape: layout.Shape, *strides: layout.Strides) -> tuple[tuple[Any, ...], ...]:
    """The launches that cover all elements: by packs or not, grid, block, elements of the last pack, layout, firsts."""
    whole, steps = layout.merged(shape, *strides)
    tail, vector = 1, lanes > 1 and _packs(whole, steps, lanes)
    if vector:
        tail = (whole[-1] - 1) % lanes + 1
        whole = (*whole[:-1], -(-whole[-1] // lanes))
        steps = tuple((*s[:-1], s[-1] * lanes) for s in steps)
    found = []
    pieces = layout.pieces(whole, *steps)
    for number, (piece, inner, firsts) in enumerate(pieces, 1):
        count = math.prod(piece)
        threads = launching.block_size(count)
        grid, block = (launching.blocks(count, threads), 1, 1), (threads, 1, 1)
        last = tail if number == len(pieces) or not vector else lanes
        found.append((vector, grid, block, last, layout.pack(piece, *inner), firsts if any(firsts) else None))
    return tuple(found)


def _packs(shape: layout.Shape, strides: tuple[layout.Strides, ...], lanes: int) -> bool:
    """Whether the innermost axis is written side by side, is read so or repeated, and every row begins aligned."""
    if strides[-1][-1] != 1 or any(s[-1] not in (0, 1) for s in strides):
        return False
    if len(shape) == 1:
        return shape[0] >= lanes
    return shape[-1] % lanes == 0 and all(step % lanes == 0 for s in strides if s[-1] for step in s[:-1])


def launch(loop: Loop, out: CudaArray, numbers: tuple[Any, ...], *operands: CudaArray | None) -> None:
    """Run a loop on operands that broadcast to ``out``; where one is None its number, among the parameters, stands."""
    shape = out.shape
    addresses, strides, every = [], [], 0
    for x in operands:
        if x is None:
            addresses.append(0)
            strides.append((0,) * len(shape))
            continue
        address = x.address
        every |= address
        addresses.append(address)
        if x.shape == shape:
            strides.append(x.strides)
        else:
            strides.append(layout.broadcast_strides(x.shape, x.strides, shape))
    address = out.address
    every |= address
    addresses.append(address)
    lanes = 1 if every & 15 else loop.lanes
    for vector, grid, block, tail, packed, firsts in _plan(lanes, shape, *strides, out.strides):
        kernel = loop.vector if vector else loop.strided
        if firsts is None:
            kernel(grid, block, *addresses, *numbers, tail, packed)
        else:
            sizes = [x.dtype.itemsize if x is not None else 0 for x in (*operands, out)]
            begins = (a + first * size for a, first, size in zip(addresses, firsts, sizes, strict=True))
            kernel(grid, block, *begins, *numbers, tail, packed)


def unary(operation: Operation, x: Any, cast: Any, numbers: tuple[Any, ...] = ()) -> CudaArray:
    """A function of one array, and of the numbers that its kernels take besides."""
    if type(x) is not CudaArray:
        x = array(x)
    loop = operation.loops.get(x.dtype)
    if loop is None:
        loop = operation.loop(x.dtype)
    if loop.dtype is not x.dtype:
        x = cast(x, loop.dtype)
    out = empty(x.shape, loop.result)
    if out.size:
        launch(loop, out, numbers, x)
    return out


def binary(operation: Operation, x1: Any, x2: Any, cast: Any) -> CudaArray:
    """A function of two arrays, or of one and a number."""
    first, second = type(x1) is CudaArray, type(x2) is CudaArray
    if not (first and second):
        x1, x2 = operand(x1), operand(x2)
        first, second = type(x1) is CudaArray, type(x2) is CudaArray
        if not (first or second):
            x1, first = array(x1), True
    dtype = promoted[x1.dtype if first else type(x1), x2.dtype if second else type(x2)]
    loop = operation.loops.get(dtype)
    if loop is None:
        loop = operation.loop(dtype)
    dtype = loop.dtype
    if first and x1.dtype is not dtype:
        x1 = cast(x1, dtype)
    if second and x2.dtype is not dtype:
        x2 = cast(x2, dtype)
    if first and second:
        shape = x1.shape if x1.shape == x2.shape else layout.broadcast_shapes(x1.shape, x2.shape)
        out = empty(shape, loop.result)
        if out.size:
            launch(loop, out, ZEROS[dtype], x1, x2)
    elif first:
        numbers = BLANK[dtype] + loop.number(x2)
        out = empty(x1.shape, loop.result)
        if out.size:
            launch(loop, out, numbers, x1, None)
    else:
        numbers = loop.number(x1) + BLANK[dtype]
        out = empty(x2.shape, loop.result)
        if out.size:
            launch(loop, out, numbers, None, x2)
    return out


BLANK: dict[Any, tuple[Any, ...]] = {dtype: (0, 0) if dtype.kind == "c" else (0,) for dtype in types.ALL}
ZEROS = {dtype: blank + blank for dtype, blank in BLANK.items()}


def ternary(loop: Loop, x: CudaArray, y: Any, z: Any, cast: Any) -> CudaArray:
    """A function of three, of which x is an array and of the right dtype already."""
    shape, arrays, numbers = x.shape, [], ()
    for value in (y, z):
        if type(value) is CudaArray:
            if value.dtype is not loop.dtype:
                value = cast(value, loop.dtype)
            if value.shape != shape:
                shape = layout.broadcast_shapes(shape, value.shape)
            arrays.append(value)
            numbers += BLANK[loop.dtype]
        else:
            arrays.append(None)
            numbers += loop.number(value)
    out = empty(shape, loop.result)
    if out.size:
        launch(loop, out, numbers, x, *arrays)
    return out
