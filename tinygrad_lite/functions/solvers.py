"""Inverses and systems of linear equations; leading axes are batches and broadcast."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Number, Tensor
from tinygrad_lite.autograd.rules import solvers as rules
from tinygrad_lite.errors import DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, number
from tinygrad_lite.functions.complex_numbers import conj
from tinygrad_lite.functions.decompositions import qr
from tinygrad_lite.functions.elementwise import abs, multiply, subtract, where
from tinygrad_lite.functions.elementwise import square as squared
from tinygrad_lite.functions.lapack import CONVERGES, NOT_SINGULAR, check_batches, decomposed, matrices, pair, square
from tinygrad_lite.functions.logic import less_equal
from tinygrad_lite.functions.manipulation import cast, expand_dims, matrix_transpose, squeeze
from tinygrad_lite.functions.matrices import diagonal, identity
from tinygrad_lite.functions.products import matmul
from tinygrad_lite.functions.reductions import max as largest
from tinygrad_lite.functions.reductions import sum

__all__ = [
    "cholesky_inverse",
    "cholesky_solve",
    "inv",
    "lstsq",
    "pinv",
    "solve",
    "solve_triangular",
]


class LstsqResult(NamedTuple):
    """What ``lstsq`` returns."""

    solution: Tensor
    residuals: Tensor


@checked_keywords
def inv(x: Any, /) -> Tensor:
    """The inverse of each matrix; dA^-1 = -A^-1 dA A^-1.

    Args:
        x: (..., n, n), float32 or float64.

    Raises:
        ArgumentError: if a matrix is singular.

    >>> inv(Tensor([[2.0, 0.0], [0.0, 4.0]]))
    Tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    found: Tensor = decomposed(rules.INV, {"x": square("inv", x)}, (), NOT_SINGULAR)
    return found


@checked_keywords
def pinv(x: Any, /, rtol: Any = None) -> Tensor:
    """The pseudo-inverse of each matrix: the P for which P b is the shortest of all y with the least |x y - b|.

    Args:
        x: (..., m, n), float32 or float64.
        rtol: singular values up to rtol times the largest count as 0; a number, or one per matrix. None: the unit
            of rounding times the larger of m and n.

    Returns:
        (..., n, m). The gradient (Golub & Pereyra 1973) holds as long as the rank does not change.

    >>> pinv(Tensor([[2.0, 0.0], [0.0, 0.0]])) + 0.0
    Tensor([[0.5, 0. ],
            [0. , 0. ]])
    """
    matrix = matrices("pinv", x)
    operands = {"x": matrix, "rtol": tolerance("pinv", matrix, rtol)}
    found: Tensor = decomposed(rules.PINV, operands, (), CONVERGES, shown={"x": matrix})
    return found


def tolerance(operation: str, x: Tensor, rtol: Any) -> Any:
    """The relative tolerance for singular values: a number, or a tensor with one per matrix."""
    rounding = np.finfo(x._data.dtype)
    if rtol is None:
        return Number(max(x._data.shape[-2:]) * float(rounding.eps))
    if isinstance(rtol, (int, float)):
        return Number(number(operation, "rtol", rtol))
    given = as_tensor(operation, rtol, "rtol")
    if given._data.dtype.kind != "f":
        fail(DTypeError, operation, "needs real numbers as rtol", {"x": x, "rtol": given})
    if given._data.ndim > x._data.ndim - 2:
        fail(ShapeError, operation, "needs rtol as a number or with one per matrix", {"x": x, "rtol": given})
    return cast(given.detach(), dtypes.as_dtype(rounding.dtype))


# --- systems ------------------------------------------------------------------------------------------------


@checked_keywords
def solve(x1: Any, x2: Any, /) -> Tensor:
    """y with x1 y = x2, by elimination, without the inverse; dy = x1^-1 (dx2 - dx1 y).

    Args:
        x1: (..., n, n), float32 or float64.
        x2: (..., n, m), or (n,) for one vector: more axes are always matrices.

    Raises:
        ArgumentError: if a matrix is singular.

    >>> solve(Tensor([[2.0, 0.0], [1.0, 1.0]]), Tensor([2.0, 3.0]))
    Tensor([1., 2.])
    """
    x1, x2 = pair(rules.SOLVE, x1, x2, floating=True)
    shown = {"x1": x1, "x2": x2}
    a, b, vector = _system("solve", shown)
    y = decomposed(rules.SOLVE, {"x1": a, "x2": b}, (), NOT_SINGULAR, shown=shown)
    return squeeze(y, -1) if vector else y


def _system(operation: str, operands: dict[str, Tensor], is_square: bool = True) -> tuple[Tensor, Tensor, bool]:
    """Matrices, right sides in columns, and whether there was one vector."""
    (left, a), (right, b) = operands.items()
    a = square(operation, a, left) if is_square else matrices(operation, a, left)
    n, shape = a._data.shape[-2], b._data.shape
    if shape == (n,):
        return a, matrices(operation, expand_dims(b, -1), right), True
    if len(shape) < 2 or shape[-2] != n:
        need = f"needs {right} in the shape (..., {n}, m) or ({n},)"
        hint = "expand_dims(x2, -1) makes columns of vectors" if len(shape) > 1 and shape[-1] == n else ""
        fail(ShapeError, operation, need, operands, hint)
    check_batches(operation, operands)
    return a, matrices(operation, b, right), False


@checked_keywords
def solve_triangular(a: Any, b: Any, /, upper: bool = False, transpose: bool = False) -> Tensor:
    """y with L y = b, where L is the lower (or ``upper``) triangle of ``a``, or its ``transpose``.

    Args:
        a: (..., n, n); the other triangle is not read and gets no gradient.
        b: (..., n, m).

    Raises:
        ArgumentError: if the diagonal holds a zero.

    >>> solve_triangular(Tensor([[2.0, 0.0], [1.0, 1.0]]), Tensor([[2.0], [3.0]]))
    Tensor([[1.],
            [2.]])
    """
    return _triangular("solve_triangular", "a", a, b, bool(upper), bool(transpose))


def _triangular(operation: str, name: str, a: Any, b: Any, upper: bool, transpose: bool) -> Tensor:
    """``solve_triangular`` for a function that calls the triangle ``name``."""
    a, b = as_tensor(operation, a, name), as_tensor(operation, b, "b")
    a, b = pair(rules.SOLVE_TRIANGULAR, a, b, floating=True)
    operands = {name: square(operation, a, name), "b": b}
    n, shape = a._data.shape[-1], b._data.shape
    if len(shape) < 2 or shape[-2] != n:
        hint = "expand_dims(b, -1) makes a column of a vector" if shape == (n,) else ""
        fail(ShapeError, operation, f"needs b in the shape (..., {n}, m)", operands, hint)
    operands["b"] = matrices(operation, b, "b")
    check_batches(operation, operands)
    need = "needs a diagonal without zeros"
    found: Tensor = decomposed(rules.SOLVE_TRIANGULAR, operands, (upper, transpose), need, operation)
    return found


@checked_keywords
def cholesky_solve(b: Any, factor: Any, /, upper: bool = False) -> Tensor:
    """y with A y = b, given the Cholesky factor of A.

    Args:
        b: (..., n, m).
        factor: (..., n, n), L with A = L L^T, or U with A = U^T U if ``upper`` (of complex ones
            the transpose is conjugated).
        upper: which of the two.

    >>> cholesky_solve(Tensor([[8.0]]), Tensor([[2.0]]))
    Tensor([[2.]])
    """
    return _by_factor("cholesky_solve", as_tensor("cholesky_solve", factor, "factor"), b, bool(upper))


def _by_factor(operation: str, factor: Tensor, b: Any, upper: bool) -> Tensor:
    """A^-1 b with A = L L^H or A = U^H U: two triangular systems."""
    first, second = (_conjugate(factor), factor) if upper else (factor, _conjugate(factor))
    half = _triangular(operation, "factor", first, b, upper, upper)
    return _triangular(operation, "factor", second, half, upper, not upper)


def _conjugate(x: Tensor) -> Tensor:
    return conj(x) if x._data.dtype.kind == "c" else x


@checked_keywords
def cholesky_inverse(factor: Any, /, upper: bool = False) -> Tensor:
    """The inverse of A, given its Cholesky factor.

    Args:
        factor: (..., n, n), L with A = L L^T, or U with A = U^T U if ``upper`` (of complex ones
            the transpose is conjugated).
        upper: which of the two.

    >>> cholesky_inverse(Tensor([[2.0]]))
    Tensor([[0.25]])
    """
    factor = square("cholesky_inverse", factor, "factor")
    return _by_factor("cholesky_inverse", factor, identity(factor), bool(upper))


@checked_keywords
def lstsq(a: Any, b: Any, /) -> LstsqResult:
    """The y with the smallest |a y - b|, and of these the shortest, by QR.

    Args:
        a: (..., m, n) of full rank, float32 or float64.
        b: (..., m, k), or (m,) for one vector.

    Returns:
        ``(solution, residuals)``: (..., n, k), and the sums of squares of b - a y, (..., k).

    Raises:
        ArgumentError: if a matrix has not full rank; ``pinv(a) @ b`` is the solution then.

    >>> lstsq(Tensor([[1.0], [1.0]]), Tensor([1.0, 3.0])).solution
    Tensor([2.])
    """
    a, b = pair(rules.SOLVE_TRIANGULAR, as_tensor("lstsq", a, "a"), as_tensor("lstsq", b, "b"), floating=True)
    shown = {"a": a, "b": b}
    a, b, vector = _system("lstsq", shown, is_square=False)
    rows, columns = a._data.shape[-2:]
    if rows >= columns:
        q, r = qr(a)
        right = matmul(_conjugate(matrix_transpose(q)), b)
        statics = True, False
    else:
        q, r = qr(_conjugate(matrix_transpose(a)))
        r, right, statics = _conjugate(r), b, (True, True)
    if r._data.shape[-1]:
        # A dependent column leaves rounding errors on the diagonal: as a zero, the solver refuses it.
        size = abs(diagonal(r.detach()))
        limit = multiply(largest(size, -1, True), 8 * tolerance("lstsq", a, None)._data)
        r = where(expand_dims(less_equal(size, limit), -1), 0.0, r)
    need = "needs matrices of full rank; pinv(a) @ b takes others"
    y = decomposed(rules.SOLVE_TRIANGULAR, {"a": r, "b": right}, statics, need, "lstsq", shown)
    if rows < columns:
        y = matmul(q, y)
    rest = subtract(matmul(a, y), b)
    residuals = sum(squared(abs(rest) if rest._data.dtype.kind == "c" else rest), -2)
    return LstsqResult(squeeze(y, -1), squeeze(residuals, -1)) if vector else LstsqResult(y, residuals)
