"""Factors, eigenvalues and singular values of matrices; leading axes are batches.

Vectors are unique only up to their signs, and not at all where two of their values are equal: what is computed of
them should not depend on the choice, and has no derivative there (inf or NaN), as in PyTorch.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from tinygrad_lite.autograd.graph import Tensor, mode
from tinygrad_lite.autograd.rules import decompositions as rules
from tinygrad_lite.errors import ArgumentError, GradientError, fail
from tinygrad_lite.functions.arguments import checked_keywords
from tinygrad_lite.functions.lapack import CONVERGES, DEFINITE, decomposed, matrices, square
from tinygrad_lite.functions.manipulation import matrix_transpose

__all__ = [
    "cholesky",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "qr",
    "svd",
    "svdvals",
]


class EigResult(NamedTuple):
    """What ``eig`` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class EighResult(NamedTuple):
    """What ``eigh`` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QRResult(NamedTuple):
    """What ``qr`` returns."""

    Q: Tensor
    R: Tensor


class SVDResult(NamedTuple):
    """What ``svd`` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@checked_keywords
def cholesky(x: Any, /, upper: bool = False) -> Tensor:
    """The lower triangular L with L L^T = x, or the ``upper`` U with U^T U = x (Murray 2016 for its derivatives).

    Only that triangle of x is read; its gradient is symmetric, as x is.

    Args:
        x: (..., n, n) symmetric positive definite, float32 or float64.
        upper: which factor.

    Raises:
        ArgumentError: if a matrix is not positive definite.

    >>> cholesky(Tensor([[4.0, 2.0], [2.0, 5.0]]))
    Tensor([[2., 0.],
            [1., 2.]])
    """
    matrix = square("cholesky", x)
    operand = matrix_transpose(matrix) if upper else matrix
    factor: Tensor = decomposed(rules.CHOLESKY, {"x": operand}, (), DEFINITE)
    return matrix_transpose(factor) if upper else factor


@checked_keywords
def qr(x: Any, /, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    """Q with orthonormal columns and an upper triangular R with Q R = x (Walter & Lehmann 2010 for derivatives).

    Args:
        x: (..., m, n), float32 or float64; for a gradient the first min(m, n) columns must be independent.
        mode: "reduced" for a Q with min(m, n) columns, "complete" for one with m.

    Returns:
        ``(Q, R)``.

    Raises:
        GradientError: if a gradient is asked for through a complete Q that is wider than R needs.

    >>> abs(qr(Tensor([[3.0], [4.0]])).R)
    Tensor([[5.]])
    """
    matrix = matrices("qr", x)
    if mode not in ("reduced", "complete"):
        need, hint = f'needs mode "reduced" or "complete", but got {mode!r}', '"reduced" has as many columns as x'
        fail(ArgumentError, "qr", need, {"x": matrix}, hint)
    rows, columns = matrix._data.shape[-2:]
    if mode == "complete" and rows > columns:
        _refuse_gradient("qr", matrix, "with more rows than columns", 'mode="reduced"')
    return QRResult(*decomposed(rules.QR, {"x": matrix}, (mode,), CONVERGES))


def _refuse_gradient(operation: str, x: Tensor, what: str, hint: str) -> None:
    """Refuse to record a decomposition some of whose vectors are arbitrary."""
    if x._node is not None and mode.enabled:
        need = f"cannot carry a gradient {what}: some vectors are arbitrary"
        fail(GradientError, operation, need, {"x": x}, hint)


@checked_keywords
def eigh(x: Any, /) -> EighResult:
    """The eigenvalues, in rising order, and eigenvectors of symmetric matrices: x v = v diag(w), v^T v = I.

    Only the lower triangle of x is read; its gradient is symmetric, as x is: with F_ij = 1 / (w_j - w_i) off the
    diagonal, dx = v (diag(dw) + F * v^T dv) v^T (Giles 2008).

    Args:
        x: (..., n, n), float32 or float64.

    Returns:
        ``(eigenvalues, eigenvectors)``, of shapes (..., n) and (..., n, n), a vector per column.

    >>> eigh(Tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Tensor([1., 2.])
    """
    return EighResult(*decomposed(rules.EIGH, {"x": square("eigh", x)}, (), CONVERGES))


@checked_keywords
def eigvalsh(x: Any, /) -> Tensor:
    """The eigenvalues of symmetric matrices in rising order; the gradient of w_i is v_i v_i^T.

    Args:
        x: (..., n, n), float32 or float64; only the lower triangle is read.

    >>> eigvalsh(Tensor([[2.0, 0.0], [0.0, 1.0]]))
    Tensor([1., 2.])
    """
    found: Tensor = decomposed(rules.EIGVALSH, {"x": square("eigvalsh", x)}, (), CONVERGES)
    return found


@checked_keywords
def eig(x: Any, /) -> EigResult:
    """The eigenvalues and eigenvectors of any square matrices, always complex: without derivatives.

    Args:
        x: (..., n, n), float32, float64 or complex.

    Returns:
        ``(eigenvalues, eigenvectors)``, of shapes (..., n) and (..., n, n), a vector per column.

    >>> eig(Tensor([[2.0]])).eigenvalues
    Tensor([2.+0.j], dtype=complex64)
    """
    matrix = _without_gradient("eig", x)
    return EigResult(*decomposed(rules.EIG, {"x": matrix}, (), CONVERGES))


@checked_keywords
def eigvals(x: Any, /) -> Tensor:
    """The eigenvalues of any square matrices, always complex: without derivatives.

    Args:
        x: (..., n, n), float32, float64 or complex.

    >>> eigvals(Tensor([[2.0]]))
    Tensor([2.+0.j], dtype=complex64)
    """
    matrix = _without_gradient("eigvals", x)
    found: Tensor = decomposed(rules.EIGVALS, {"x": matrix}, (), CONVERGES)
    return found


def _without_gradient(operation: str, x: Any) -> Tensor:
    matrix = square(operation, x)
    if matrix._node is not None and mode.enabled:
        hint = "eigh for symmetric matrices, or detach() it first"
        fail(GradientError, operation, "cannot carry a gradient: complex tensors have none", {"x": matrix}, hint)
    return matrix


@checked_keywords
def svd(x: Any, /, full_matrices: bool = True) -> SVDResult:
    """U, S and Vh with x = U diag(S) Vh, U and Vh^T with orthonormal columns and S falling (Townsend 2016).

    Args:
        x: (..., m, n), float32 or float64.
        full_matrices: make U and Vh square; otherwise they have k = min(m, n) columns and rows.

    Returns:
        ``(U, S, Vh)``; S has the shape (..., k).

    Raises:
        GradientError: if a gradient is asked for through the full form of matrices that are not square.

    >>> svd(Tensor([[3.0, 0.0], [0.0, 4.0]])).S
    Tensor([4., 3.])
    """
    matrix = matrices("svd", x)
    rows, columns = matrix._data.shape[-2:]
    if full_matrices and rows != columns:
        _refuse_gradient("svd", matrix, "through matrices that are not square", "full_matrices=False")
    return SVDResult(*decomposed(rules.SVD, {"x": matrix}, (bool(full_matrices),), CONVERGES))


@checked_keywords
def svdvals(x: Any, /) -> Tensor:
    """The singular values in falling order; the gradient of s_i is u_i v_i^T.

    Args:
        x: (..., m, n), float32 or float64.

    >>> svdvals(Tensor([[3.0, 0.0], [0.0, 4.0]]))
    Tensor([4., 3.])
    """
    return singular_values("svdvals", x)


def singular_values(operation: str, x: Any) -> Tensor:
    """``svdvals`` for a function that is called ``operation``."""
    found: Tensor = decomposed(rules.SVDVALS, {"x": matrices(operation, x)}, (), CONVERGES, operation)
    return found
