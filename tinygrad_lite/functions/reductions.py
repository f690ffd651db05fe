"""Sums, means, extrema and running sums along axes.

``axis`` is an int, a tuple of ints or None for all of them; ``keepdims`` leaves the reduced axes with size 1.
"""

from __future__ import annotations

import builtins
from typing import Any, TypeAlias

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import row
from tinygrad_lite.autograd.rules import reductions as rules
from tinygrad_lite.errors import ShapeError, fail
from tinygrad_lite.functions.arguments import (
    as_tensor,
    axis_number,
    axis_numbers,
    checked_keywords,
    floating,
    number,
    shape_tuple,
)

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "cumulative_prod",
    "cumulative_sum",
    "linear_scan",
    "logsumexp",
    "max",
    "mean",
    "min",
    "sum",
    "sum_to",
    "var",
]

Axis: TypeAlias = "int | tuple[int, ...] | None"


@checked_keywords
def sum(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum along ``axis``; small integers are summed as int64.

    >>> sum(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.])
    """
    x = as_tensor("sum", x)
    return apply(rules.SUM, (x,), (axis_numbers("sum", axis, x._data.ndim, x), keepdims))


@checked_keywords
def mean(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The arithmetic mean along ``axis``; of nothing it is NaN. Integers give float32.

    >>> mean(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    Tensor([1.5, 3.5])
    """
    x = floating("mean", x)
    return apply(rules.MEAN, (x,), (axis_numbers("mean", axis, x._data.ndim, x), keepdims))


@checked_keywords
def var(x: Any, /, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance along ``axis``: sum((x - mean)^2) / (n - correction).

    Args:
        x: any shape; integers become float32.
        axis: as for every reduction.
        correction: 0 for the variance of the values themselves (the array API standard's default), 1 for
            the unbiased estimate from a sample (PyTorch's default).
        keepdims: leave the axes with size 1.

    >>> var(Tensor([1.0, 2.0, 3.0, 4.0]))
    Tensor(1.25)
    """
    x = floating("var", x)
    axes = axis_numbers("var", axis, x._data.ndim, x)
    count = 1
    for i in axes:
        count *= x._data.shape[i]
    centred = x - mean(x, axes, True)
    scale = count - number("var", "correction", correction)
    return sum(centred * centred, axes, keepdims) / (scale if scale > 0 else 0.0)


def _nonempty(operation: str, x: Tensor, axes: tuple[int, ...]) -> None:
    if builtins.any(x._data.shape[i] == 0 for i in axes):
        fail(ShapeError, operation, "needs at least one element to choose from", {"x": x})


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


@checked_keywords
def logsumexp(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))) along ``axis``, without overflow; its gradient is softmax(x).

    >>> logsumexp(Tensor([0.0, 0.0]))
    Tensor(0.6931472)
    """
    x = floating("logsumexp", x)
    axes = axis_numbers("logsumexp", axis, x._data.ndim, x)
    _nonempty("logsumexp", x, axes)
    return apply(rules.LOGSUMEXP, (x,), (axes, keepdims))


@checked_keywords
def cumulative_sum(x: Any, /, axis: int | None = None) -> Tensor:
    """The running sum y_k = x_1 + ... + x_k along ``axis`` (which a 1-d tensor need not name).

    >>> cumulative_sum(Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3., 6.])
    """
    x = as_tensor("cumulative_sum", x)
    return apply(rules.CUMULATIVE_SUM, (x,), (_scan_axis("cumulative_sum", x, axis),))


@checked_keywords
def cumulative_prod(x: Any, /, axis: int | None = None) -> Tensor:
    """The running product y_k = x_1 ... x_k along ``axis``; its gradient is exact at zeros too.

    >>> cumulative_prod(Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 2., 6.])
    """
    x = as_tensor("cumulative_prod", x)
    return apply(rules.CUMULATIVE_PROD, (x,), (_scan_axis("cumulative_prod", x, axis),))


@checked_keywords
def linear_scan(a: Any, b: Any, axis: int = -1, reverse: bool = False) -> Tensor:
    """The recurrence h_t = a_t h_(t-1) + b_t along ``axis``, starting from h = 0; backwards if ``reverse``.

    Args:
        a, b: tensors of one shape.
        axis: the axis of time.
        reverse: run from the end to the start.

    >>> linear_scan(Tensor([0.5, 0.5, 0.5]), Tensor([1.0, 1.0, 1.0]))
    Tensor([1.  , 1.5 , 1.75])
    """
    a, b = floating("linear_scan", a, "a"), floating("linear_scan", b, "b")
    if a._data.shape != b._data.shape or a._data.dtype != b._data.dtype:
        fail(ShapeError, "linear_scan", "needs a and b of one shape and dtype", {"a": a, "b": b})
    return apply(rules.LINEAR_SCAN, (a, b), (axis_number("linear_scan", axis, b._data.ndim, b), bool(reverse)))


def _scan_axis(operation: str, x: Tensor, axis: int | None) -> int:
    ndim = x._data.ndim
    if axis is None and ndim != 1:
        fail(ShapeError, operation, "needs an axis when the tensor is not 1-d", {"x": x}, "say which one: axis=-1")
    return axis_number(operation, -1 if axis is None else axis, ndim, x)


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
