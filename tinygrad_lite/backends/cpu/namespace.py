"""The array namespace on plain NumPy arrays; what each name means stands in ``backends/namespace.py``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cpu.random import keep_mask as keep_mask
from tinygrad_lite.backends.cpu.selection import SIGNED as _SIGNED
from tinygrad_lite.backends.cpu.selection import selected as _selected

Array: TypeAlias = Any  #: np.ndarray; its generic annotation would want a cast in every line
Axes: TypeAlias = "tuple[int, ...]"
array_type = np.ndarray
overrides: dict[str, Any] = {}  #: row name -> a fused forward and backward, see overrides.py

# --- element-wise: NumPy's own ufuncs, no wrapper in the way -----------------------------------------

add, subtract, multiply, divide, negative = np.add, np.subtract, np.multiply, np.divide, np.negative
pow, abs, sign, square, sqrt = np.power, np.absolute, np.sign, np.square, np.sqrt
exp, expm1, log, log1p = np.exp, np.expm1, np.log, np.log1p
sin, cos, tanh = np.sin, np.cos, np.tanh
maximum, minimum = np.maximum, np.minimum
equal, not_equal, less, less_equal = np.equal, np.not_equal, np.less, np.less_equal
greater, greater_equal = np.greater, np.greater_equal
logical_and, logical_or, logical_not = np.logical_and, np.logical_or, np.logical_not
isfinite, isnan = np.isfinite, np.isnan
clip = np.clip


def where(condition: Array, x1: Any, x2: Any) -> Array:
    """np.where, but by bit masks against the number 0, which rules ask for most: five times as fast on noise."""
    if type(x2) is float and x2 == 0.0:
        if type(x1) is np.ndarray and _selectable(condition, x1):
            return _selected(condition, x1)
    elif type(x1) is float and x1 == 0.0 and type(x2) is np.ndarray and _selectable(condition, x2):
        return _selected(np.logical_not(condition), x2)
    return np.where(condition, x1, x2)


def _selectable(condition: Array, x: Array) -> bool:
    enough = x.size > 2048  # elements, below which np.where is as fast
    return enough and condition.dtype == np.bool_ and condition.shape == x.shape and x.dtype in _SIGNED


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), to full relative precision on both sides and without overflow."""
    e = np.exp(-np.abs(x))
    return np.exp(np.minimum(x, 0)) / (1 + e)


# --- reductions ---------------------------------------------------------------------------------------

# The bound methods take (x, axis, dtype, out, keepdims) by position, which is quicker than by keyword.
_add: Callable[..., Array] = np.add.reduce
_maximum: Callable[..., Array] = np.maximum.reduce
_minimum: Callable[..., Array] = np.minimum.reduce
_or: Callable[..., Array] = np.logical_or.reduce
_and: Callable[..., Array] = np.logical_and.reduce


def sum(x: Array, axis: Axes, keepdims: bool) -> Array:
    """Small integers are summed as int64, as the standard asks; float16 in float32, then rounded once."""
    wide = _WIDE.get(x.dtype)
    total = _add(x, axis, wide, None, keepdims)
    return total if wide is not np.float32 else total.astype(np.float16)


# What small types are summed in. A float16 sum would stop growing at 2048, where its spacing becomes 2.
_WIDE: dict[Any, Any] = {np.dtype(np.float16): np.float32}
_WIDE.update({np.dtype(name): np.int64 for name in ("bool", "int8", "int16", "int32")})
_WIDE.update({np.dtype(name): np.uint64 for name in ("uint8", "uint16", "uint32")})


def _accumulated(ufunc: np.ufunc, x: Array, axis: int) -> Array:
    wide = _WIDE.get(x.dtype)
    total = ufunc.accumulate(x, axis, wide)
    return total if wide is not np.float32 else total.astype(np.float16)


def mean(x: Array, axis: Axes, keepdims: bool) -> Array:
    """float16 is summed in float32: 65504 is soon reached."""
    wide = _WIDE.get(x.dtype)
    total = _add(x, axis, wide, None, keepdims)
    count = math.prod([x.shape[i] for i in axis])
    if count == 0:
        return np.mean(x, axis, keepdims=keepdims)  # NaN, with NumPy's warning
    return total / count if wide is None else (total / count).astype(x.dtype)


def max(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _maximum(x, axis, None, None, keepdims)


def min(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _minimum(x, axis, None, None, keepdims)


def argmax(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmax(x, axis, keepdims=keepdims)


def argmin(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmin(x, axis, keepdims=keepdims)


def any(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _or(x, axis, None, None, keepdims)


def all(x: Array, axis: Axes, keepdims: bool) -> Array:
    return _and(x, axis, None, None, keepdims)


def cumulative_sum(x: Array, axis: int) -> Array:
    return _accumulated(np.add, x, axis)


def cumulative_prod(x: Array, axis: int) -> Array:
    return _accumulated(np.multiply, x, axis)


def linear_scan(a: Array, b: Array, axis: int, reverse: bool) -> Array:
    """One vectorised step per element of ``axis``: the recurrence is sequential in it."""
    a, b = np.broadcast_arrays(np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0))
    h = np.empty(b.shape, np.result_type(a, b))
    n = b.shape[0]
    previous: Any = None
    for t in reversed(range(n)) if reverse else range(n):
        step = h[t, ...]  # with the ellipsis a view even where it is 0-d
        step[...] = b[t] if previous is None else a[t] * previous + b[t]
        previous = step
    return np.moveaxis(h, 0, axis)


# --- manipulation -----------------------------------------------------------------------------------------

reshape = np.reshape
permute_dims = np.transpose
squeeze = np.squeeze
flip = np.flip
tril = np.tril
concat = np.concatenate


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Small results are written out: NumPy's stretched view costs four times as much as the copy."""
    if math.prod(shape) <= _SMALL:
        out = np.empty(shape, x.dtype)
        out[...] = x
        return out
    return np.broadcast_to(x, shape)


_SMALL = 1024  # elements; where copying and making a view cost the same (measured)


def expand_dims(x: Array, axis: Axes) -> Array:
    """np.expand_dims without its checks, which cost more than the reshape."""
    shape = list(x.shape)
    for i in sorted(a % (x.ndim + len(axis)) for a in axis):
        shape.insert(i, 1)
    return x.reshape(shape)


def matrix_transpose(x: Array) -> Array:
    return x.swapaxes(-1, -2)


def astype(x: Array, dtype: Any) -> Array:
    return x.astype(dtype, copy=False)


def pad(x: Array, pad_width: Sequence[tuple[int, int]], value: float) -> Array:
    return np.pad(x, pad_width, constant_values=value) if x.ndim else x.copy()


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1))
    total = sum(x, axes, True)
    if total.shape[lead:] != shape:  # a rule's mistake, which reshape could hide
        raise ValueError(f"an array of shape {x.shape} cannot have been broadcast from {shape}")
    return total.reshape(shape)


# --- creation ---------------------------------------------------------------------------------------------


def asarray(x: Any, copy: bool | None = None) -> Array:
    """An array of ``x``; a copy lies in row-major order."""
    return np.array(x, order="C") if copy else np.asarray(x)


zeros = np.zeros


def full(shape: Any, value: Any, dtype: Any) -> Array:
    """A Python integer that the dtype cannot hold is an OverflowError; older NumPy would wrap it around."""
    if type(value) is int and dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        if not bounds.min <= value <= bounds.max:
            raise OverflowError(f"{value} does not fit into {dtype.name}")
    return np.full(shape, value, dtype)


zeros_like = np.zeros_like


def arange(n: int) -> Array:
    return np.arange(n, dtype=np.int64)


# --- indexing ----------------------------------------------------------------------------------------------


def scatter_add(x: Array, index: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, x.dtype)
    arrays = [i for i in index if isinstance(i, np.ndarray)]
    if not [i for i in arrays if i.dtype.kind in "iu"]:  # slices and masks name every element once
        out[index] = x
    elif len(index) == 1 and len(shape) >= 1:
        _add_rows(out, arrays[0], x)
    else:
        # Any mixture: find the flat position of each named element, then add there. A 1-D add.at without
        # casts is NumPy's fast path.
        places = np.arange(math.prod(shape)).reshape(shape)[index].ravel()
        np.add.at(out.reshape(-1), places, np.broadcast_to(x, out[index].shape).ravel())
    return out


def _add_rows(out: Array, rows: Array, x: Array) -> None:
    """Add ``x[i]`` to ``out[rows[i]]``; equal rows are sorted together and summed in one pass."""
    rows = rows.ravel()
    if rows.size == 0 or out.size == 0:
        return
    x = np.broadcast_to(x, (*x.shape[: x.ndim - out.ndim + 1], *out.shape[1:])).reshape(rows.size, -1)
    rows = np.where(rows < 0, rows + out.shape[0], rows)
    if x.shape[1] == 1:
        np.add.at(out.reshape(-1), rows, x.ravel())
        return
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    out.reshape(out.shape[0], -1)[ordered[starts]] = np.add.reduceat(x[order], starts, axis=0, dtype=_WIDE.get(x.dtype))


def setitem(x: Array, values: Array, index: tuple[Any, ...]) -> Array:
    out = np.array(x, order="C")  # also of the scalars that arithmetic on 0-d arrays makes
    out[index] = values
    return out


def take_along_axis(x: Array, indices: Array, axis: int) -> Array:
    return np.take_along_axis(x, indices, axis)


def put_along_axis(x: Array, indices: Array, shape: tuple[int, ...], axis: int) -> Array:
    out = np.zeros(shape, x.dtype)
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    grid[axis] = indices
    np.add.at(out, tuple(grid), np.broadcast_to(x, indices.shape))
    return out


def topk(x: Array, k: int, axis: int, largest: bool) -> tuple[Array, Array]:
    """Equal values keep the order of their positions; NaN counts as the largest, as in PyTorch."""
    keys = np.moveaxis(x, axis, -1)
    order = np.argsort(keys, axis=-1, kind="stable")
    if largest:
        # The stable order of the reversed array, read from its end, puts the first of equal values first.
        n = keys.shape[-1]
        order = (n - 1 - np.argsort(keys[..., ::-1], axis=-1, kind="stable"))[..., ::-1]
    indices = np.moveaxis(order[..., :k], -1, axis)
    return np.take_along_axis(x, indices, axis), np.ascontiguousarray(indices)


# --- linear algebra ------------------------------------------------------------------------------------------

matmul = np.matmul
inv = np.linalg.inv
cholesky = np.linalg.cholesky


def slogdet(x: Array) -> tuple[Array, Array]:
    sign, logabsdet = np.linalg.slogdet(x)
    return sign, logabsdet


def contract(arrays: Sequence[Array], inputs: Sequence[str], output: str) -> Array:
    result = np.einsum(f"{','.join(inputs)}->{output}", *arrays, optimize=len(arrays) > 1)
    return result.copy() if len(arrays) == 1 else result  # of one array it may be a view


def solve_triangular(a: Array, b: Array, upper: bool, transpose: bool) -> Array:
    """NumPy has no triangular solver; its general one, on the triangle alone, pivots nothing away."""
    a = np.triu(a) if upper else np.tril(a)
    return np.linalg.solve(a.swapaxes(-1, -2) if transpose else a, b)


default_float = dtypes.default_float
