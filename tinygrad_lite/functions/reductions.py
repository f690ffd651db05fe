"""Sums, products, moments and extrema along axes.

``axis`` is an int, a tuple of ints or None for all of them; ``keepdims`` leaves the reduced axes with size 1.
"""

from __future__ import annotations

import builtins
from typing import Any, TypeAlias

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import Row, row
from tinygrad_lite.autograd.rules import reductions as rules
from tinygrad_lite.errors import ShapeError, fail
from tinygrad_lite.functions.arguments import (
    NOTHING,
    as_tensor,
    axis_number,
    axis_numbers,
    checked_keywords,
    floating,
    number,
    shape_tuple,
)
from tinygrad_lite.functions.manipulation import cast

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "sum_to",
    "var",
]

Axis: TypeAlias = "int | tuple[int, ...] | None"


@checked_keywords
def sum(x: Any, /, axis: Axis = None, keepdims: bool = False, dtype: dtypes.DTypeLike = None) -> Tensor:
    """The sum along ``axis``; of nothing it is 0.

    Args:
        x: any shape. Integers and bools are summed as int64 or uint64, float16 in float32.
        axis: as for every reduction.
        keepdims: leave the axes with size 1.
        dtype: the element type to convert to first, and of the result.

    >>> sum(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.])
    """
    x = as_tensor("sum", x)
    statics = axis_numbers("sum", axis, x._data.ndim, x), keepdims
    return apply(rules.SUM, (x,), statics) if dtype is None else _in_dtype(rules.SUM, x, statics, dtype)


@checked_keywords
def prod(x: Any, /, axis: Axis = None, keepdims: bool = False, dtype: dtypes.DTypeLike = None) -> Tensor:
    """The product along ``axis``; of nothing it is 1. Its gradient, the product of the others, is exact at zeros too.

    Args:
        x: any shape. Integers and bools are multiplied as int64 or uint64, float16 in float32.
        axis: as for every reduction.
        keepdims: leave the axes with size 1.
        dtype: the element type to convert to first, and of the result.

    >>> prod(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([3., 8.])
    """
    x = as_tensor("prod", x)
    statics = axis_numbers("prod", axis, x._data.ndim, x), keepdims
    return apply(rules.PROD, (x,), statics) if dtype is None else _in_dtype(rules.PROD, x, statics, dtype)


def _in_dtype(declared: Row, x: Tensor, statics: tuple[Any, ...], dtype: dtypes.DTypeLike) -> Tensor:
    # Small integers are added up as wider ones all the same: only the result has to fit.
    wanted = dtypes.as_dtype(dtype)
    return cast(apply(declared, (cast(x, wanted),), statics), wanted)


@checked_keywords
def mean(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The arithmetic mean along ``axis``; of nothing it is NaN. Integers give float32; complex numbers have means.

    >>> mean(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    Tensor([1.5, 3.5])
    """
    x = as_tensor("mean", x)
    if x._data.dtype.kind not in "fc":
        x = floating("mean", x)
    return apply(rules.MEAN, (x,), (axis_numbers("mean", axis, x._data.ndim, x), keepdims))


@checked_keywords
def var(x: Any, /, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance along ``axis``: sum((x - mean)^2) / (n - correction).

    Args:
        x: any shape; integers become float32.
        axis: as for every reduction.
        correction: 0 for the variance of the values themselves (the array API standard's default), 1 for
            the unbiased estimate from a sample (PyTorch's default). Where it leaves no degree of freedom,
            the result is NaN or inf.
        keepdims: leave the axes with size 1.

    >>> var(Tensor([1.0, 2.0, 3.0, 4.0]))
    Tensor(1.25)
    """
    return _spread(rules.VAR, x, axis, correction, keepdims)


@checked_keywords
def std(x: Any, /, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation along ``axis``: the root of ``var``, with the same arguments.

    Where all values are equal its gradient is 0, as in PyTorch.

    >>> std(Tensor([1.0, 3.0, 5.0, 7.0]), correction=-1)
    Tensor(2.)
    """
    x = floating("std", x)
    if x._data.dtype == dtypes.float16:  # in which the variance of numbers around 256 is too large
        return cast(std(cast(x, dtypes.float32), axis, correction, keepdims), dtypes.float16)
    return _spread(rules.STD, x, axis, correction, keepdims)


def _spread(declared: Row, x: Any, axis: Axis, correction: float, keepdims: bool) -> Tensor:
    name = declared.name
    x = floating(name, x)
    return apply(
        declared,
        (x,),
        (axis_numbers(name, axis, x._data.ndim, x), keepdims, number(name, "correction", correction)),
    )


def _nonempty(operation: str, x: Tensor, axes: tuple[int, ...]) -> None:
    if builtins.any(x._data.shape[i] == 0 for i in axes):
        fail(ShapeError, operation, "needs at least one element to choose from", {"x": x}, NOTHING)


@checked_keywords
def max(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element along ``axis``; equal ones share the gradient evenly (PyTorch's ``amax``).

    Raises:
        ShapeError: if there is nothing to choose from.

    >>> max(Tensor([[1.0, 5.0], [7.0, 2.0]]), axis=1)
    Tensor([5., 7.])
    """
    x = as_tensor("max", x)
    axes = axis_numbers("max", axis, x._data.ndim, x)
    _nonempty("max", x, axes)
    return apply(rules.MAX, (x,), (axes, keepdims))


@checked_keywords
def min(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element along ``axis``; equal ones share the gradient evenly (PyTorch's ``amin``).

    Raises:
        ShapeError: if there is nothing to choose from.

    >>> min(Tensor([[1.0, 5.0], [7.0, 2.0]]), axis=1)
    Tensor([1., 2.])
    """
    x = as_tensor("min", x)
    axes = axis_numbers("min", axis, x._data.ndim, x)
    _nonempty("min", x, axes)
    return apply(rules.MIN, (x,), (axes, keepdims))


amax, amin = max, min  # PyTorch's names

ARGMAX = row("argmax", "x | axis keepdims")
ARGMIN = row("argmin", "x | axis keepdims")


def _arg(declared: Any, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    name = declared.name
    x = as_tensor(name, x)
    place = None if axis is None else axis_number(name, axis, x._data.ndim, x)
    _nonempty(name, x, tuple(range(x._data.ndim)) if place is None else (place,))
    return apply(declared, (x,), (place, keepdims))


@checked_keywords
def argmax(x: Any, /, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position of the (first) largest element along ``axis``, or in the flattened array.

    >>> argmax(Tensor([[1.0, 5.0], [7.0, 2.0]]), axis=1)
    Tensor([1, 0], dtype=int64)
    """
    return _arg(ARGMAX, x, axis, keepdims)


@checked_keywords
def argmin(x: Any, /, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position of the (first) smallest element along ``axis``, or in the flattened array.

    >>> argmin(Tensor([[1.0, 5.0], [7.0, 2.0]]), axis=1)
    Tensor([0, 1], dtype=int64)
    """
    return _arg(ARGMIN, x, axis, keepdims)


ANY = row("any", "x | axis keepdims")
ALL = row("all", "x | axis keepdims")


@checked_keywords
def any(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any element along ``axis`` is true; of nothing: False.

    >>> any(Tensor([False, True]))
    Tensor(True)
    """
    x = as_tensor("any", x)
    return apply(ANY, (x,), (axis_numbers("any", axis, x._data.ndim, x), keepdims))


@checked_keywords
def all(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether every element along ``axis`` is true; of nothing: True.

    >>> all(Tensor([False, True]))
    Tensor(False)
    """
    x = as_tensor("all", x)
    return apply(ALL, (x,), (axis_numbers("all", axis, x._data.ndim, x), keepdims))


COUNT_NONZERO = row("count_nonzero", "x | axis keepdims")


@checked_keywords
def count_nonzero(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many elements along ``axis`` are not 0, as int64; NaN is not 0.

    >>> count_nonzero(Tensor([[0.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([1, 2], dtype=int64)
    """
    x = as_tensor("count_nonzero", x)
    return apply(COUNT_NONZERO, (x,), (axis_numbers("count_nonzero", axis, x._data.ndim, x), keepdims))


@checked_keywords
def logsumexp(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))) along ``axis``, without overflow; its gradient is softmax(x).

    >>> logsumexp(Tensor([0.0, 0.0]))
    Tensor(0.6931472)
    """
    x = floating("logsumexp", x)
    axes = axis_numbers("logsumexp", axis, x._data.ndim, x)
    _nonempty("logsumexp", x, axes)
    if x._data.dtype == dtypes.float16:  # in which the sum of 65520 ones is too large
        return cast(apply(rules.LOGSUMEXP, (cast(x, dtypes.float32),), (axes, keepdims)), dtypes.float16)
    return apply(rules.LOGSUMEXP, (x,), (axes, keepdims))


def sum_to(x: Any, shape: tuple[int, ...], /) -> Tensor:
    """``x`` summed to ``shape``: undoes the broadcasting from ``shape`` to x's, as gradients need it.

    >>> sum_to(Tensor([[1.0, 2.0], [3.0, 4.0]]), (1, 2))
    Tensor([[4., 6.]])
    """
    x, shape = as_tensor("sum_to", x), shape_tuple("sum_to", shape)
    wide = x._data.shape
    lead = len(wide) - len(shape)
    if lead < 0 or not builtins.all(s in (1, w) for s, w in zip(shape, wide[lead:], strict=True)):
        fail(ShapeError, "sum_to", f"needs a shape that broadcasts to that of x, but got {shape}", {"x": x})
    return apply(rules.SUM_TO, (x,), (shape,))
