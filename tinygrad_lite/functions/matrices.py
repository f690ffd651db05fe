"""Diagonals, traces, determinants and powers of matrices; leading axes are batches."""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, apply_several
from tinygrad_lite.autograd.rules import solvers as rules
from tinygrad_lite.errors import ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, integer
from tinygrad_lite.functions.creation import zeros_like
from tinygrad_lite.functions.elementwise import add, log, subtract, where
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.lapack import NOT_SINGULAR, decomposed, square
from tinygrad_lite.functions.logic import less
from tinygrad_lite.functions.manipulation import reshape
from tinygrad_lite.functions.products import matmul
from tinygrad_lite.functions.reductions import sum
from tinygrad_lite.functions.triangles import tril

__all__ = [
    "cofactors",
    "det",
    "diagonal",
    "logdet",
    "matrix_exp",
    "matrix_power",
    "slogdet",
    "trace",
]


class SlogdetResult(NamedTuple):
    """What ``slogdet`` returns."""

    sign: Tensor
    logabsdet: Tensor


# --- diagonals ------------------------------------------------------------------------------------------


@checked_keywords
def diagonal(x: Any, /, offset: int = 0) -> Tensor:
    """The elements x[..., i, i + offset] of each matrix.

    Args:
        x: (..., n, m).
        offset: which diagonal; above the main one it is positive.

    >>> diagonal(Tensor([[1, 2], [3, 4]]))
    Tensor([1, 4], dtype=int64)
    """
    return _diagonal("diagonal", x, offset)


def _diagonal(operation: str, x: Any, offset: int) -> Tensor:
    x, offset = as_tensor(operation, x), integer(operation, "offset", offset)
    shape = x._data.shape
    if len(shape) < 2:
        fail(ShapeError, operation, "needs matrices (..., n, m)", {"x": x}, "diag(x) makes a matrix of a vector")
    rows, columns = shape[-2:]
    # In a row of all elements, neighbours on a diagonal are as far apart as a matrix is wide, and one more.
    start = offset if offset >= 0 else -offset * columns
    count = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    along = slice(start, start + count * (columns + 1), columns + 1) if count else slice(0, 0)
    return getitem(reshape(x, (*shape[:-2], rows * columns)), (Ellipsis, along))


@checked_keywords
def trace(x: Any, /, offset: int = 0, dtype: dtypes.DTypeLike = None) -> Tensor:
    """The sum along a diagonal of each matrix; its gradient is one there.

    Args:
        x: (..., n, m).
        offset: which diagonal; above the main one it is positive.
        dtype: the dtype to sum in; None: that of ``sum``.

    >>> trace(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5.)
    """
    along = _diagonal("trace", x, offset)
    return sum(along, -1, dtype=dtype)


# --- determinants -----------------------------------------------------------------------------------------


@checked_keywords
def det(x: Any, /) -> Tensor:
    """The determinant of each matrix; d det A = <C, dA> with the cofactors C = det(A) A^-T.

    Its first and second derivatives are right for singular matrices too.

    Args:
        x: (..., n, n), float32 or float64.

    >>> det(Tensor([[2.0, 1.0], [0.0, 4.0]]))
    Tensor(8.)
    """
    return apply(rules.DET, (square("det", x),))


@checked_keywords
def slogdet(x: Any, /) -> SlogdetResult:
    """The sign and the logarithm of the absolute value of the determinant; d log|det A| = tr(A^-1 dA).

    Args:
        x: (..., n, n), float32 or float64.

    Returns:
        ``(sign, logabsdet)``, each of shape (...); sign has a zero gradient. A singular matrix has sign 0 and
        logabsdet -inf.

    >>> sign, logabsdet = slogdet(Tensor([[2.0, 0.0], [0.0, 4.0]]))
    >>> logabsdet
    Tensor(2.0794415)
    """
    return SlogdetResult(*apply_several(rules.SLOGDET, (square("slogdet", x),)))


@checked_keywords
def logdet(x: Any, /) -> Tensor:
    """The logarithm of the determinant of each matrix; NaN where it is negative.

    Args:
        x: (..., n, n), float32, float64 or complex.

    >>> logdet(Tensor([[2.0, 0.0], [0.0, 4.0]]))
    Tensor(2.0794415)
    """
    sign, logabsdet = apply_several(rules.SLOGDET, (square("logdet", x),))
    if sign._data.dtype.kind == "c":
        return add(log(sign), logabsdet)
    return where(less(sign, 0), float("nan"), logabsdet)


def cofactors(x: Any, /) -> Tensor:
    """The matrix of cofactors, det(x) x^-T, which singular matrices have too: the gradient of ``det``.

    >>> cofactors(Tensor([[1.0, 2.0], [2.0, 4.0]])) + 0.0
    Tensor([[ 4., -2.],
            [-2.,  1.]])
    """
    return apply(rules.COFACTORS, (square("cofactors", x),))


# --- powers -----------------------------------------------------------------------------------------------


@checked_keywords
def matrix_power(x: Any, n: int, /) -> Tensor:
    """The product of n factors x, by repeated squaring; of the inverse for a negative n.

    Args:
        x: (..., m, m).
        n: 0 gives the identity.

    Raises:
        ArgumentError: if n is negative and a matrix singular.

    >>> matrix_power(Tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    Tensor([[1., 3.],
            [0., 1.]])
    """
    x, n = as_tensor("matrix_power", x), integer("matrix_power", "n", n)
    shape = x._data.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        hint = "x**n takes the power of every element"
        fail(ShapeError, "matrix_power", "needs square matrices (..., m, m)", {"x": x}, hint)
    if n < 0:
        x = decomposed(rules.INV, {"x": square("matrix_power", x)}, (), NOT_SINGULAR, "matrix_power")
        n = -n
    if n == 0:
        unit = identity(x)
        return where(less(unit, 0), x, unit)  # in the graph, with a gradient of 0
    result: Tensor | None = None
    while n:
        if n % 2:
            result = x if result is None else matmul(result, x)
        n //= 2
        if n:
            x = matmul(x, x)
    assert result is not None
    return result


def identity(x: Tensor) -> Tensor:
    """The identity in the shape, dtype and device of the square matrices ``x``."""
    ones = add(zeros_like(x), 1)
    return subtract(tril(ones), tril(ones, -1))


@checked_keywords
def matrix_exp(x: Any, /) -> Tensor:
    """I + x + x^2 / 2 + x^3 / 6 + ... of each matrix, by scaling and squaring (Higham 2005).

    Args:
        x: (..., n, n), float32 or float64.

    >>> matrix_exp(Tensor([[0.0, 1.0], [0.0, 0.0]]))
    Tensor([[1., 1.],
            [0., 1.]])
    """
    return apply(rules.MATRIX_EXP, (square("matrix_exp", x),))
