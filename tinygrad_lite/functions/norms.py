"""Norms of vectors and matrices, and what follows from singular values: the condition and the rank."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Number, Tensor
from tinygrad_lite.autograd.record import apply, promoted
from tinygrad_lite.autograd.rules import norms as rules
from tinygrad_lite.autograd.rules.solvers import INV
from tinygrad_lite.errors import ArgumentError, ShapeError, fail
from tinygrad_lite.functions.arguments import NOTHING, as_tensor, axis_numbers, checked_keywords, floating, number
from tinygrad_lite.functions.decompositions import singular_values
from tinygrad_lite.functions.elementwise import abs, divide, holding, multiply, subtract, where
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.lapack import NOT_SINGULAR, check_batches, decomposed, matrices, square
from tinygrad_lite.functions.logic import equal, greater
from tinygrad_lite.functions.manipulation import broadcast_to, cast, expand_dims, permute_dims
from tinygrad_lite.functions.reductions import max, min, sum
from tinygrad_lite.functions.solvers import tolerance

__all__ = [
    "cdist",
    "cond",
    "matrix_norm",
    "matrix_rank",
    "norm",
    "vector_norm",
]

Axis = int | tuple[int, ...] | None
_INF = float("inf")


# --- vectors ----------------------------------------------------------------------------------------------


@checked_keywords
def vector_norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """(sum of |x|^ord)^(1/ord) along ``axis``; the gradient is sign(x) (|x| / norm)^(ord - 1), 0 for the zero vector.

    Args:
        x: any shape; integers become float32.
        axis: an int, a tuple of ints, or None for all of them as one vector.
        keepdims: leave the axes with size 1.
        ord: 0 counts the elements that are not 0; inf and -inf take the largest and the smallest size, and ties
            share the gradient evenly.

    >>> vector_norm(Tensor([[3.0, 4.0], [0.0, 2.0]]), axis=1)
    Tensor([5., 2.])
    """
    return _vector_norm("vector_norm", x, axis, keepdims, ord)


def _vector_norm(operation: str, x: Any, axis: Axis, keepdims: bool, ord: Any) -> Tensor:
    x = as_tensor(operation, x)
    x = abs(x) if x._data.dtype.kind == "c" else floating(operation, x)
    power = float(number(operation, "ord", ord))
    axes = axis_numbers(operation, axis, x._data.ndim, x)
    if power in (_INF, -_INF):
        if any(x._data.shape[i] == 0 for i in axes):
            fail(ShapeError, operation, "needs at least one element to choose from", {"x": x}, NOTHING)
        return (max if power > 0 else min)(abs(x), axes, keepdims)
    if power == 0:  # the elements that are 0 give their size, whose slope is 0 too
        return sum(where(equal(x, 0), abs(x), 1.0), axes, keepdims)
    if power == 1:
        return sum(abs(x), axes, keepdims)
    dtype = x._data.dtype
    if dtype.itemsize < 4:  # the powers leave float16's range long before the norm does
        x = cast(x, dtypes.default_float)
    return cast(apply(rules.VECTOR_NORM, (x,), (axes, bool(keepdims), power)), dtype)


@checked_keywords
def cdist(x1: Any, x2: Any, /, p: float = 2) -> Tensor:
    """The distances, in the norm of order p, between all rows of x1 and all of x2; slope 0 where they are equal.

    Args:
        x1: (..., n, k).
        x2: (..., m, k); the leading axes broadcast.
        p: as ``ord`` of ``vector_norm``. For 0, 1 and infinity all (..., n, m, k) differences are in memory at once;
            for others, a few rows of them.

    Returns:
        (..., n, m).

    >>> cdist(Tensor([[0.0, 0.0], [3.0, 0.0]]), Tensor([[0.0, 4.0]]))
    Tensor([[4.],
            [5.]])
    """
    x1, x2 = floating("cdist", x1, "x1"), floating("cdist", x2, "x2")
    if x1._data.ndim < 2 or x2._data.ndim < 2 or x1._data.shape[-1] != x2._data.shape[-1]:
        need = "needs points in the rows of both, (..., n, k) and (..., m, k)"
        hint = "the points of both have equally many coordinates, on the last axis"
        fail(ShapeError, "cdist", need, {"x1": x1, "x2": x2}, hint)
    check_batches("cdist", {"x1": x1, "x2": x2})
    order = float(number("cdist", "p", p))
    if order in (0, 1, _INF, -_INF):
        return _vector_norm("cdist", subtract(expand_dims(x1, -2), expand_dims(x2, -3)), -1, False, order)
    x1, x2, a, b = promoted(rules.CDIST, x1, x2)
    dtype = a.dtype
    wide = dtypes.default_float if dtype.itemsize < 4 else dtype  # as in _vector_norm
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x1, x2 = (broadcast_to(cast(holding(x, data), wide), (*lead, *data.shape[-2:])) for x, data in ((x1, a), (x2, b)))
    return cast(apply(rules.CDIST, (x1, x2), (order,)), dtype)


# --- matrices -----------------------------------------------------------------------------------------------


@checked_keywords
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """A norm of each matrix.

    Args:
        x: (..., m, n).
        keepdims: leave the two axes with size 1.
        ord: "fro" for the root of the sum of squares, "nuc" for the sum of the singular values, 2 and -2 for the
            largest and the smallest of them, 1 and -1 for the largest and smallest sum of sizes in a column, inf
            and -inf for those in a row. Ties share the gradient evenly.

    >>> matrix_norm(Tensor([[1.0, 2.0], [3.0, 4.0]]), ord=1)
    Tensor(6.)
    """
    return _matrix_norm("matrix_norm", x, keepdims, ord)


def _matrix_norm(operation: str, x: Any, keepdims: bool, ord: Any) -> Tensor:
    x = as_tensor(operation, x)
    if x._data.ndim < 2:
        fail(ShapeError, operation, "needs matrices (..., m, n)", {"x": x}, "linalg.vector_norm(x) is for any shape")
    if isinstance(ord, str):
        if ord == "fro":
            return _vector_norm(operation, x, (-2, -1), keepdims, 2)
        if ord != "nuc":
            _refuse_order(operation, x, ord)
        return _over_matrix(sum(singular_values(operation, x), -1), keepdims)
    power = number(operation, "ord", ord)
    if power not in (1, -1, 2, -2, _INF, -_INF):
        _refuse_order(operation, x, ord)
    if power in (2, -2):
        sizes = singular_values(operation, x)
    else:
        sizes = _vector_norm(operation, x, -2 if power in (1, -1) else -1, False, 1)
    if sizes._data.shape[-1] == 0:
        fail(ShapeError, operation, "needs at least one element to choose from", {"x": x}, NOTHING)
    return _over_matrix((max if power > 0 else min)(sizes, -1), keepdims)


def _over_matrix(values: Tensor, keepdims: bool) -> Tensor:
    return expand_dims(values, (-2, -1)) if keepdims else values


def _refuse_order(operation: str, x: Tensor, ord: Any) -> NoReturn:
    need = f'needs ord "fro", "nuc", 1, -1, 2, -2, inf or -inf for matrices, but got {ord!r}'
    fail(ArgumentError, operation, need, {"x": x}, '"fro" is the root of the sum of squares, 2 the largest stretch')


@checked_keywords
def norm(x: Any, /, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """``vector_norm`` or ``matrix_norm``, as in NumPy: an int as axis means vectors, a pair of them matrices.

    Args:
        x: any shape; without an axis, all of it is one vector if ord is None, else it must have one or two axes.
        ord: as for the two functions; None means 2 for vectors and "fro" for matrices.
        axis: an int, a pair of ints, or None.
        keepdims: leave the axes with size 1.

    >>> norm(Tensor([[3.0, 0.0], [0.0, 4.0]]))
    Tensor(5.)
    """
    x = as_tensor("norm", x)
    ndim = x._data.ndim
    if axis is None:
        if ord is None:
            return _vector_norm("norm", x, None, keepdims, 2)
        if ndim not in (1, 2):
            hint = "say which axes: axis=-1 for vectors, axis=(-2, -1) for matrices"
            fail(ShapeError, "norm", "needs axis, or an operand with one or two axes", {"x": x, "ord": ord}, hint)
        axis = tuple(range(ndim))
    pair = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    axes = [axis_numbers("norm", a, ndim, x)[0] for a in pair]
    if len(axes) == 1:
        if isinstance(ord, str):
            need = f"needs a number as ord of vectors, but got {ord!r}"
            fail(ArgumentError, "norm", need, {"x": x}, "a pair as axis means matrices")
        return _vector_norm("norm", x, axes[0], keepdims, 2 if ord is None else ord)
    axis_numbers("norm", pair, ndim, x)
    if len(axes) != 2:
        hint = "linalg.vector_norm takes any number of axes"
        fail(ArgumentError, "norm", f"needs one axis or two, but got {axis}", {"x": x}, hint)
    last = permute_dims(x, (*(i for i in range(ndim) if i not in axes), *axes))
    found = _matrix_norm("norm", last, False, "fro" if ord is None else ord)
    return expand_dims(found, tuple(sorted(axes))) if keepdims else found


@checked_keywords
def cond(x: Any, /, p: Any = None) -> Tensor:
    """The condition of each matrix, |x| |x^-1|: how much it may magnify a relative error.

    Args:
        x: (..., m, n), float32 or float64; square unless p is None, 2 or -2.
        p: the norm, as ``ord`` of ``matrix_norm``; None is 2, and then it is the quotient of the largest and the
            smallest singular value, infinite for singular matrices.

    >>> cond(Tensor([[2.0, 0.0], [0.0, 8.0]]))
    Tensor(4.)
    """
    x = matrices("cond", x)
    if p is None or p in (2, -2):
        values = singular_values("cond", x)
        if values._data.shape[-1] == 0:
            fail(ShapeError, "cond", "needs at least one element to choose from", {"x": x}, NOTHING)
        largest, smallest = getitem(values, (Ellipsis, 0)), getitem(values, (Ellipsis, -1))
        return divide(smallest, largest) if p == -2 else divide(largest, smallest)
    inverse = decomposed(INV, {"x": square("cond", x)}, (), NOT_SINGULAR, "cond")
    return multiply(_matrix_norm("cond", x, False, p), _matrix_norm("cond", inverse, False, p))


@checked_keywords
def matrix_rank(x: Any, /, *, rtol: Any = None) -> Tensor:
    """How many singular values of each matrix are larger than rtol times the largest; int64, without a gradient.

    Args:
        x: (..., m, n), float32 or float64.
        rtol: a number, or one per matrix. None: the unit of rounding times the larger of m and n.

    >>> matrix_rank(Tensor([[1.0, 2.0], [2.0, 4.0]]))
    Tensor(1, dtype=int64)
    """
    x = matrices("matrix_rank", x).detach()
    values = singular_values("matrix_rank", x)
    if values._data.shape[-1] == 0:
        return sum(greater(values, 0), -1)
    limit = tolerance("matrix_rank", x, rtol)
    largest = max(values, -1)
    limit = multiply(largest, limit._data if isinstance(limit, Number) else limit)
    return sum(greater(values, expand_dims(limit, -1)), -1)
