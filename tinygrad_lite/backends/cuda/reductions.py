"""Sums, products, moments and extrema of arrays of the GPU along axes.

The kernels stand in kernels/totals.cu and extrema.cu, and which of them runs how in ``reduction_plans.py``.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import loops, memory, types
from tinygrad_lite.backends.cuda.array import CudaArray, copied, empty, full
from tinygrad_lite.backends.cuda.launching import Kernel
from tinygrad_lite.backends.cuda.reduction_plans import COLUMNS_BYTES, ROWS_BYTES, plan

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "max",
    "mean",
    "min",
    "nanmax",
    "nanmin",
    "prod",
    "sum",
    "var",
]

#: dtype -> what sums and products of its elements are; float16 is added in float32 and rounded once.
TOTALS: dict[Any, Any] = {dtype: dtype for dtype in types.ALL}
TOTALS.update(dict.fromkeys((dtypes.bool_, *types.SIGNED), dtypes.int64))
TOTALS.update(dict.fromkeys(types.UNSIGNED, dtypes.uint64))

#: file -> dtypes whose elements are reduced bit for bit as those of another, and need no module of their own.
_SHARED: dict[str, dict[Any, Any]] = {
    "totals.cu": {dtypes.bool_: dtypes.uint8, dtypes.uint64: dtypes.int64},
    "extrema.cu": {dtypes.bool_: dtypes.uint8},
}
_ANY, _ALL = 1, 2  # kinds of count in kernels/totals.cu


class _Reduction:
    """The kernels of one operation for every dtype."""

    __slots__ = ("_kernels", "_ordered", "_state", "_vectors")

    def __init__(self, file: str, name: str, kinds: tuple[Any, ...], state: int, *, ordered: bool = False) -> None:
        self._kernels = {}
        shared = {dtype: other for dtype, other in _SHARED[file].items() if dtype in kinds}
        for dtype, module in loops.modules(file, tuple(d for d in kinds if d not in shared)).items():
            rows = Kernel(module, f"{name}_rows", f"PPPPdq{ROWS_BYTES}s")
            strided = Kernel(module, f"{name}_strided", f"PPPPdq{COLUMNS_BYTES}s")
            columns = strided if ordered else Kernel(module, f"{name}_columns", f"PPPPdq{COLUMNS_BYTES}s")
            self._kernels[dtype] = (rows, columns, strided)
        self._kernels.update({dtype: self._kernels[other] for dtype, other in shared.items()})
        self._ordered, self._vectors = ordered, not ordered
        self._state = state  # bytes of what a block leaves for the last one, at most

    def __call__(
        self,
        x: CudaArray,
        axis: Any,
        keepdims: bool,
        dtype: Any,
        nothing: Any,
        divisor: float | None = 1.0,
        kind: int = 0,
        means: CudaArray | None = None,
    ) -> CudaArray:
        """Reduce.

        Args:
            x: any layout.
            axis, keepdims: as in the namespace.
            dtype: of the result.
            nothing: the result for no elements, or the text of the ValueError that they are.
            divisor, kind, means: as in kernels/reduce.cuh; a divisor of None is the number of elements.
        """
        found = plan(x.shape, x.strides, axis, keepdims, x.dtype.itemsize, x.address & 15, self._vectors, self._ordered)
        if found.order is not None:
            x = copied(_permuted(x, found.order)).reshape(found.copied)
            result = self(x, (x.ndim - 1,), False, dtype, nothing, divisor, kind, means)
            return result.reshape(found.shape)
        if not found.elements and found.sets:
            if type(nothing) is str:
                raise ValueError(nothing)
            return full(found.shape, nothing, dtype)
        result = empty(found.shape, dtype)
        if divisor is None:
            divisor = found.elements
        kernels = self._kernels[x.dtype]
        for which, grid, block, shape, first, start, partials in found.launches:
            room = memory.allocate(partials * self._state) if partials else None
            kernels[which](
                grid,
                block,
                x.address + first * x.dtype.itemsize,
                result.address + start * dtype.itemsize,
                room.address if room else 0,
                means.address + start * means.dtype.itemsize if means is not None else 0,
                divisor,
                kind,
                shape,
            )
        return result


def _permuted(x: CudaArray, order: tuple[int, ...]) -> CudaArray:
    return x.view_as(tuple(x.shape[k] for k in order), tuple(x.strides[k] for k in order))


_sum = _Reduction("totals.cu", "sum", types.ALL, 16)
_prod = _Reduction("totals.cu", "prod", types.ALL, 16)
_count = _Reduction("totals.cu", "count", types.ALL, 8)
_centred = _Reduction("totals.cu", "centred", types.FLOATS, 8)
_max = _Reduction("extrema.cu", "max", types.ALL, 16)
_min = _Reduction("extrema.cu", "min", types.ALL, 16)
_nanmax = _Reduction("extrema.cu", "nanmax", types.FLOATS + types.COMPLEX, 16)
_nanmin = _Reduction("extrema.cu", "nanmin", types.FLOATS + types.COMPLEX, 16)
_argmax = _Reduction("extrema.cu", "argmax", types.ALL, 32, ordered=True)
_argmin = _Reduction("extrema.cu", "argmin", types.ALL, 32, ordered=True)


def sum(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    """Small integers are summed in 64 bits, as the standard asks; float16 in float32, then rounded once."""
    return _sum(x, axis, keepdims, TOTALS[x.dtype], 0)


def prod(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    """Types are widened as in ``sum``."""
    return _prod(x, axis, keepdims, TOTALS[x.dtype], 1)


def mean(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    """The sum, divided by the number of elements before it is rounded."""
    dtype = x.dtype
    if dtype.kind in "fc":
        return _sum(x, axis, keepdims, dtype, math.nan, None)
    from tinygrad_lite.backends.cuda.elementwise import astype, divide

    total = sum(x, axis, keepdims)
    result = divide(total, x.size // builtins.max(total.size, 1))
    return result if TOTALS[dtype] == dtype else astype(result, dtype)


def var(x: CudaArray, axis: Any, keepdims: bool, correction: float) -> CudaArray:
    """Two passes: the mean, then the squared distances from it. float16 is computed with in float32."""
    dtype = x.dtype
    if dtype.kind == "c":
        raise TypeError("var is not defined for complex numbers")
    if dtype.kind != "f":
        from tinygrad_lite.backends.cuda.elementwise import astype

        x, dtype = astype(x, dtypes.float64), dtypes.float64
    wide = dtypes.float32 if dtype == dtypes.float16 else dtype
    means = _sum(x, axis, False, wide, math.nan, None, kind=1)
    divisor = builtins.max(x.size // builtins.max(means.size, 1) - correction, 0)
    nothing = 0.0 if divisor else math.nan
    return _centred(x, axis, keepdims, dtype, nothing, divisor, means=means)


_NO_IDENTITY = "zero-size array to reduction operation {} which has no identity"
_NO_PLACE = "attempt to get {} of an empty sequence"


def max(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    return _max(x, axis, keepdims, x.dtype, _NO_IDENTITY.format("maximum"))


def min(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    return _min(x, axis, keepdims, x.dtype, _NO_IDENTITY.format("minimum"))


def nanmax(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    operation = _nanmax if x.dtype.kind in "fc" else _max
    return operation(x, axis, keepdims, x.dtype, _NO_IDENTITY.format("fmax"))


def nanmin(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    operation = _nanmin if x.dtype.kind in "fc" else _min
    return operation(x, axis, keepdims, x.dtype, _NO_IDENTITY.format("fmin"))


def argmax(x: CudaArray, axis: int | None, keepdims: bool) -> CudaArray:
    return _argmax(x, axis, keepdims, dtypes.int64, _NO_PLACE.format("argmax"))


def argmin(x: CudaArray, axis: int | None, keepdims: bool) -> CudaArray:
    return _argmin(x, axis, keepdims, dtypes.int64, _NO_PLACE.format("argmin"))


def any(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    return _count(x, axis, keepdims, dtypes.bool_, False, kind=_ANY)


def all(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    return _count(x, axis, keepdims, dtypes.bool_, True, None, kind=_ALL)


def count_nonzero(x: CudaArray, axis: Any, keepdims: bool) -> CudaArray:
    return _count(x, axis, keepdims, dtypes.int64, 0)
