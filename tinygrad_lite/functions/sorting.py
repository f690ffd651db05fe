"""Sorting along an axis, and searching: where elements are, or would have to be."""

from __future__ import annotations

from typing import Any, Literal

from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import apply, apply_several, operand, promoted
from tinygrad_lite.autograd.rows import namespaces, row
from tinygrad_lite.autograd.rules import sorting as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, integer
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.joining import stack
from tinygrad_lite.functions.manipulation import reshape, squeeze

__all__ = [
    "argsort",
    "argwhere",
    "flatnonzero",
    "kthvalue",
    "nonzero",
    "searchsorted",
    "sort",
    "topk",
]

ARGSORT = row("argsort", "x | axis descending stable")
SEARCHSORTED = row("searchsorted", "x1 x2 | side")

# --- order ------------------------------------------------------------------------------------------------


@checked_keywords
def sort(x: Any, /, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements along ``axis`` in rising order; NaN counts as the largest.

    The gradient goes back to where each element came from; equal ones keep their order.

    Args:
        x: any shape but 0-d.
        axis: along which to sort.
        descending: from the largest to the smallest.
        stable: without effect, because equal elements cannot be told apart.

    >>> sort(Tensor([3.0, 1.0, 2.0]))
    Tensor([1., 2., 3.])
    """
    x = as_tensor("sort", x)
    return apply(rules.SORT, (x,), (axis_number("sort", axis, x._data.ndim, x), bool(descending), bool(stable)))


@checked_keywords
def argsort(x: Any, /, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The positions, along ``axis``, that put the elements in rising order; NaN counts as the largest.

    Args:
        x: any shape but 0-d.
        axis: along which to sort.
        descending: from the largest to the smallest.
        stable: of equal elements the first comes first.

    >>> argsort(Tensor([3.0, 1.0, 2.0]))
    Tensor([1, 2, 0], dtype=int64)
    """
    x = as_tensor("argsort", x)
    return apply(ARGSORT, (x,), (axis_number("argsort", axis, x._data.ndim, x), bool(descending), bool(stable)))


@checked_keywords
def topk(x: Any, /, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The ``k`` largest (or smallest) elements along ``axis``, in order, and their positions.

    Returns:
        ``(values, indices)``; indices are int64. Of equal elements the first comes first.

    >>> values, indices = topk(Tensor([1.0, 5.0, 3.0]), 2)
    >>> values, indices
    (Tensor([5., 3.]), Tensor([1, 2], dtype=int64))
    """
    x = as_tensor("topk", x)
    number, count = axis_number("topk", axis, x._data.ndim, x), integer("topk", "k", k)
    if not 0 <= count <= x._data.shape[number]:
        need = f"needs k from 0 to {x._data.shape[number]}, the size of axis {number}, but got {count}"
        fail(ArgumentError, "topk", need, {"x": x}, f"min(k, x.shape[{number}]) takes what there is")
    return apply_several(rules.TOPK, (x,), (count, number, bool(largest)))


@checked_keywords
def kthvalue(x: Any, /, k: int, axis: int = -1, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """The ``k``-th smallest element along ``axis``, counted from 1, and its position; NaN counts as the largest.

    Returns:
        ``(values, indices)``; indices are int64. Equal elements are counted in the order of their positions.

    Raises:
        ArgumentError: unless k is from 1 to the size of the axis.

    >>> kthvalue(Tensor([1.0, 5.0, 3.0]), 2)
    (Tensor(3.), Tensor(2, dtype=int64))
    """
    x = as_tensor("kthvalue", x)
    number, place = axis_number("kthvalue", axis, x._data.ndim, x), integer("kthvalue", "k", k)
    size = x._data.shape[number]
    if not 1 <= place <= size:
        need = f"needs k from 1 to {size}, the size of axis {number}, but got {place}"
        fail(ArgumentError, "kthvalue", need, {"x": x}, "k = 1 is the smallest")
    last = (*(slice(None),) * number, slice(place - 1, place))
    values, indices = (getitem(found, last) for found in topk(x, place, number, False))
    return (values, indices) if keepdims else (squeeze(values, number), squeeze(indices, number))


# --- search -----------------------------------------------------------------------------------------------


@checked_keywords
def searchsorted(x1: Any, x2: Any, /, side: Literal["left", "right"] = "left", sorter: Any = None) -> Tensor:
    """For each element of ``x2`` the place in the sorted ``x1`` at which it would have to be put in.

    Args:
        x1: 1-d, in rising order, unless ``sorter`` gives the order.
        x2: any shape, or a number.
        side: ``"left"`` puts in before equal elements, ``"right"`` after them.
        sorter: integers that sort x1, such as ``argsort(x1)``.

    Returns:
        int64, in the shape of x2.

    Raises:
        ShapeError: unless x1 and ``sorter`` are 1-d.
        ArgumentError: if ``side`` is another word.

    >>> searchsorted(Tensor([1.0, 2.0, 4.0]), Tensor([0.5, 2.0, 9.0]))
    Tensor([0, 1, 3], dtype=int64)
    """
    if side not in ("left", "right"):
        hint = "'left' gives the place before equal elements, 'right' the one behind them"
        fail(ArgumentError, "searchsorted", f"needs side 'left' or 'right', but got {side!r}", {}, hint)
    x1, x2 = as_tensor("searchsorted", x1, "x1"), operand("searchsorted", x2, "x2")
    if x1._data.ndim != 1:
        hint = "x1 is the sorted vector, x2 what is looked up"
        fail(ShapeError, "searchsorted", "needs x1 with one axis", {"x1": x1}, hint)
    if sorter is not None:
        sorter = as_tensor("searchsorted", sorter, "sorter")
        if sorter._data.dtype.kind not in "iu":
            fail(DTypeError, "searchsorted", "needs integers as sorter", {"x1": x1, "sorter": sorter}, "argsort(x1)")
        if sorter._data.shape != x1._data.shape:
            need = "needs a sorter in the shape of x1"
            fail(ShapeError, "searchsorted", need, {"x1": x1, "sorter": sorter}, "argsort(x1)")
        x1 = getitem(x1, sorter)
    _, _, a, b = promoted(SEARCHSORTED, x1, x2)
    if type(b) is float:
        b = namespaces[type(a)].full((), b, a.dtype)
    return apply(SEARCHSORTED, (make_tensor(a), make_tensor(b)), (side,))


@checked_keywords
def nonzero(x: Any, /) -> tuple[Tensor, ...]:
    """The positions of the elements that are not 0, one int64 tensor per axis, in row-major order.

    Raises:
        ShapeError: of a 0-d tensor, which has no axis to count along.

    >>> nonzero(Tensor([[0, 7], [8, 0]]))
    (Tensor([0, 1], dtype=int64), Tensor([1, 0], dtype=int64))
    """
    x = as_tensor("nonzero", x)
    if not x._data.shape:
        fail(ShapeError, "nonzero", "needs at least one axis", {"x": x}, "reshape(x, (1,))")
    return tuple([make_tensor(places) for places in namespaces[type(x._data)].nonzero(x._data)])


@checked_keywords
def argwhere(x: Any, /) -> Tensor:
    """The positions of the elements that are not 0 as the rows of a matrix, in row-major order.

    >>> argwhere(Tensor([[0, 7], [8, 0]]))
    Tensor([[0, 1],
            [1, 0]], dtype=int64)
    """
    x = as_tensor("argwhere", x)
    if not x._data.shape:  # one row of no columns, or none
        return getitem(reshape(nonzero(reshape(x, (1,)))[0], (-1, 1)), (slice(None), slice(0, 0)))
    return stack(nonzero(x), axis=-1)


@checked_keywords
def flatnonzero(x: Any, /) -> Tensor:
    """The positions, in the flattened tensor, of the elements that are not 0.

    >>> flatnonzero(Tensor([[0, 7], [8, 0]]))
    Tensor([1, 2], dtype=int64)
    """
    return nonzero(reshape(as_tensor("flatnonzero", x), (-1,)))[0]
