"""Running sums, products and extrema along one axis, differences, and the linear recurrence."""

from __future__ import annotations

from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Number, Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import Row
from tinygrad_lite.autograd.rules import scans as rules
from tinygrad_lite.errors import ArgumentError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, floating, integer
from tinygrad_lite.functions.creation import zeros_like
from tinygrad_lite.functions.elementwise import beside, subtract
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.joining import concat
from tinygrad_lite.functions.logic import not_equal
from tinygrad_lite.functions.manipulation import broadcast_to, cast

__all__ = [
    "cumulative_max",
    "cumulative_min",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "linear_scan",
    "logcumsumexp",
]


@checked_keywords
def cumulative_sum(
    x: Any, /, axis: int | None = None, dtype: dtypes.DTypeLike = None, include_initial: bool = False
) -> Tensor:
    """The running sum y_k = x_1 + ... + x_k along ``axis``.

    Args:
        x: any shape but 0-d. Integers and bools are summed as int64 or uint64, float16 in float32.
        axis: which a 1-d tensor need not name.
        dtype: the element type to convert to first, and of the result.
        include_initial: start with a 0, so that the axis becomes one longer.

    >>> cumulative_sum(Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3., 6.])
    >>> cumulative_sum(Tensor([1.0, 2.0, 3.0]), include_initial=True)
    Tensor([0., 1., 3., 6.])
    """
    return _running(rules.CUMULATIVE_SUM, x, axis, dtype, include_initial, 0)


@checked_keywords
def cumulative_prod(
    x: Any, /, axis: int | None = None, dtype: dtypes.DTypeLike = None, include_initial: bool = False
) -> Tensor:
    """The running product y_k = x_1 ... x_k along ``axis``; its gradient is exact at zeros too.

    Args:
        x: any shape but 0-d. Integers and bools are multiplied as int64 or uint64, float16 in float32.
        axis: which a 1-d tensor need not name.
        dtype: the element type to convert to first, and of the result.
        include_initial: start with a 1, so that the axis becomes one longer.

    >>> cumulative_prod(Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 2., 6.])
    """
    return _running(rules.CUMULATIVE_PROD, x, axis, dtype, include_initial, 1)


def _running(
    declared: Row, x: Any, axis: int | None, dtype: dtypes.DTypeLike, include_initial: bool, initial: int
) -> Tensor:
    name = declared.name
    x = as_tensor(name, x)
    number = _scan_axis(name, x, axis)
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    y = apply(declared, (x if wanted is None else cast(x, wanted),), (number,))
    if wanted is not None:
        y = cast(y, wanted)
    if not include_initial:
        return y
    shape = y._data.shape
    edge = zeros_like(y, shape=(*shape[:number], 1, *shape[number + 1 :])) + initial
    return concat((cast(edge, y._data.dtype), y), number)


@checked_keywords
def cumulative_max(x: Any, /, axis: int | None = None) -> Tensor:
    """The largest element so far along ``axis``; from the first NaN on it is NaN.

    The gradient goes to the element itself, of equal ones to the last so far (as in PyTorch's ``cummax``).

    >>> cumulative_max(Tensor([1.0, 3.0, 2.0, 5.0]))
    Tensor([1., 3., 3., 5.])
    """
    x = as_tensor("cumulative_max", x)
    return apply(rules.CUMULATIVE_MAX, (x,), (_scan_axis("cumulative_max", x, axis),))


@checked_keywords
def cumulative_min(x: Any, /, axis: int | None = None) -> Tensor:
    """The smallest element so far along ``axis``; from the first NaN on it is NaN.

    The gradient goes to the element itself, of equal ones to the last so far (as in PyTorch's ``cummin``).

    >>> cumulative_min(Tensor([3.0, 1.0, 2.0, 0.0]))
    Tensor([3., 1., 1., 0.])
    """
    x = as_tensor("cumulative_min", x)
    return apply(rules.CUMULATIVE_MIN, (x,), (_scan_axis("cumulative_min", x, axis),))


@checked_keywords
def logcumsumexp(x: Any, /, axis: int | None = None) -> Tensor:
    """log(exp(x_1) + ... + exp(x_k)) along ``axis``, without overflow; integers become float32.

    As in PyTorch the gradient is NaN where there is nothing but -inf so far.

    >>> logcumsumexp(Tensor([0.0, 0.0]))
    Tensor([0.       , 0.6931472])
    """
    x = floating("logcumsumexp", x)
    return apply(rules.LOGCUMSUMEXP, (x,), (_scan_axis("logcumsumexp", x, axis),))


@checked_keywords
def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Tensor:
    """The differences x_(k+1) - x_k of neighbours along ``axis``, taken ``n`` times.

    Args:
        x: any shape but 0-d. The difference of bools is whether they differ.
        axis: along which to subtract.
        n: how often; each time the axis becomes one shorter.
        prepend, append: what to put before and after x along ``axis`` first: a number, or a tensor that fits.

    Raises:
        ArgumentError: if n is negative.
        ShapeError: if ``prepend`` or ``append`` does not fit.

    >>> diff(Tensor([1.0, 4.0, 9.0, 16.0]), n=2)
    Tensor([2., 2.])
    """
    x, times = as_tensor("diff", x), integer("diff", "n", n)
    number = axis_number("diff", axis, x._data.ndim, x)
    if times < 0:
        hint = "cumulative_sum goes the other way"
        fail(ArgumentError, "diff", f"needs n >= 0, but got {times}", {"x": x}, hint)
    edges = _edge(x, prepend, "prepend", number), x, _edge(x, append, "append", number)
    parts = [part for part in edges if part is not None]
    y: Tensor = concat(parts, number) if times and len(parts) > 1 else x
    before = (slice(None),) * number
    for _ in range(times):
        later, sooner = getitem(y, (*before, slice(1, None))), getitem(y, (*before, slice(None, -1)))
        y = not_equal(later, sooner) if y._data.dtype.kind == "b" else subtract(later, sooner)
    return y


def _edge(x: Tensor, edge: Any, name: str, axis: int) -> Tensor | None:
    """What to put beside x along ``axis``; a 0-d value stands for one element everywhere."""
    if edge is None:
        return None
    own = x._data.shape
    if type(edge) in (float, int, bool):
        edge = beside("diff", Number(edge), x)
    edge = as_tensor("diff", edge, name)
    shape = edge._data.shape
    if not shape:
        return broadcast_to(edge, (*own[:axis], 1, *own[axis + 1 :]))
    if len(shape) != len(own) or (*shape[:axis], *shape[axis + 1 :]) != (*own[:axis], *own[axis + 1 :]):
        fail(ShapeError, "diff", f"needs {name} in the shape of x on every axis but {axis}", {"x": x, name: edge})
    found: Tensor = edge
    return found


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
    if ndim == 0:
        fail(ShapeError, operation, "needs at least one axis", {"x": x}, "reshape(x, (1,))")
    if axis is None and ndim != 1:
        fail(ShapeError, operation, "needs an axis when the tensor is not 1-d", {"x": x}, "say which one: axis=-1")
    return axis_number(operation, -1 if axis is None else axis, ndim, x)
