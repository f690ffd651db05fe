"""What systems of equations, decompositions and norms refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite
from tinygrad_lite import Tensor, errors

tgl: Any = tinygrad_lite  # the type checker refuses these calls too
X = tgl.zeros((2, 3))
V = tgl.zeros((3,))
M = tgl.eye(2)
H = tgl.eye(2, dtype="float16")
S = tgl.ones((2, 2))
T = tgl.zeros((2, 2, 2))
P = Tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]], requires_grad=True)
NAN = Tensor([[float("nan"), 1.0], [1.0, 1.0]])

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a system that is no square",
        lambda: tgl.linalg.solve(X, V),
        errors.ShapeError,
        (
            "solve needs square matrices (..., n, n)\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  hint  linalg.lstsq(x1, x2) is for systems of any shape"
        ),
    ),
    (
        "a right side of another size",
        lambda: tgl.linalg.solve(M, tgl.zeros((3, 4))),
        errors.ShapeError,
        (
            "solve needs x2 in the shape (..., 2, m) or (2,)\n"
            "  x1  shape (2, 2), float32, cpu\n"
            "  x2  shape (3, 4), float32, cpu"
        ),
    ),
    (
        "right sides in rows",
        lambda: tgl.linalg.solve(tgl.eye(3), X),
        errors.ShapeError,
        (
            "solve needs x2 in the shape (..., 3, m) or (3,)\n"
            "  x1    shape (3, 3), float32, cpu\n"
            "  x2    shape (2, 3), float32, cpu\n"
            "  hint  expand_dims(x2, -1) makes columns of vectors"
        ),
    ),
    (
        "a singular system",
        lambda: tgl.linalg.solve(S, tgl.zeros((2,))),
        errors.ArgumentError,
        (
            "solve needs matrices that are not singular\n"
            "  x1    shape (2, 2), float32, cpu\n"
            "  x2    shape (2,), float32, cpu\n"
            "  hint  linalg.pinv accepts them; adding 1e-6 * eye(n) moves a matrix away "
            "from such ones"
        ),
    ),
    (
        "a system of half floats",
        lambda: tgl.linalg.solve(H, H),
        errors.DTypeError,
        ('solve needs float32 or float64\n  x1    shape (2, 2), float16, cpu\n  hint  x1.astype("float32")'),
    ),
    (
        "systems that do not broadcast",
        lambda: tgl.linalg.solve(T, tgl.ones((3, 2, 2))),
        errors.ShapeError,
        (
            "solve needs leading axes that broadcast, but (2,) and (3,) do not\n"
            "  x1    shape (2, 2, 2), float32, cpu\n"
            "  x2    shape (3, 2, 2), float32, cpu\n"
            "  hint  leading axes are batches of matrices, of equal sizes or 1"
        ),
    ),
    (
        "a fit of another size",
        lambda: tgl.linalg.lstsq(X, V),
        errors.ShapeError,
        (
            "lstsq needs b in the shape (..., 2, m) or (2,)\n"
            "  a   shape (2, 3), float32, cpu\n"
            "  b   shape (3,), float32, cpu"
        ),
    ),
    (
        "a fit without full rank",
        lambda: tgl.linalg.lstsq(tgl.zeros((3, 2)), V),
        errors.ArgumentError,
        (
            "lstsq needs matrices of full rank; pinv(a) @ b takes others\n"
            "  a   shape (3, 2), float32, cpu\n"
            "  b   shape (3,), float32, cpu"
        ),
    ),
    (
        "the factor's right side as a vector",
        lambda: tgl.cholesky_solve(tgl.zeros((2,)), M),
        errors.ShapeError,
        (
            "cholesky_solve needs b in the shape (..., 2, m)\n"
            "  factor  shape (2, 2), float32, cpu\n"
            "  b       shape (2,), float32, cpu\n"
            "  hint    expand_dims(b, -1) makes a column of a vector"
        ),
    ),
    (
        "the factor of a rectangle",
        lambda: tgl.cholesky_inverse(X),
        errors.ShapeError,
        (
            "cholesky_inverse needs square matrices (..., n, n)\n"
            "  factor  shape (2, 3), float32, cpu\n"
            "  hint    the last two axes are the rows and columns of a matrix"
        ),
    ),
    (
        "a factor with a zero on its diagonal",
        lambda: tgl.cholesky_solve(M, tgl.zeros((2, 2))),
        errors.ArgumentError,
        (
            "cholesky_solve needs a diagonal without zeros\n"
            "  factor  shape (2, 2), float32, cpu\n"
            "  b       shape (2, 2), float32, cpu"
        ),
    ),
    (
        "the pseudo-inverse of a vector",
        lambda: tgl.linalg.pinv(V),
        errors.ShapeError,
        (
            "pinv needs matrices (..., m, n)\n"
            "  x     shape (3,), float32, cpu\n"
            "  hint  a row is x.reshape(1, -1), a column x.reshape(-1, 1)"
        ),
    ),
    (
        "a tolerance in integers",
        lambda: tgl.linalg.pinv(X, rtol=Tensor([1])),
        errors.DTypeError,
        ("pinv needs real numbers as rtol\n  x     shape (2, 3), float32, cpu\n  rtol  shape (1,), int64, cpu"),
    ),
    (
        "more tolerances than matrices",
        lambda: tgl.linalg.pinv(X, rtol=Tensor([1.0])),
        errors.ShapeError,
        (
            "pinv needs rtol as a number or with one per matrix\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  rtol  shape (1,), float32, cpu"
        ),
    ),
    (
        "the pseudo-inverse of NaN",
        lambda: tgl.linalg.pinv(NAN),
        errors.ArgumentError,
        (
            "pinv did not converge: it needs finite numbers\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  isfinite(x).all() is False where there are NaN or inf"
        ),
    ),
    (
        "the determinant of a rectangle",
        lambda: tgl.linalg.det(X),
        errors.ShapeError,
        (
            "det needs square matrices (..., n, n)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  the last two axes are the rows and columns of a matrix"
        ),
    ),
    (
        "the power of a rectangle",
        lambda: tgl.linalg.matrix_power(X, 2),
        errors.ShapeError,
        (
            "matrix_power needs square matrices (..., m, m)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  x**n takes the power of every element"
        ),
    ),
    (
        "half a power",
        lambda: tgl.linalg.matrix_power(M, 0.5),
        errors.DTypeError,
        ("matrix_power needs an integer as n\n  n     0.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "a negative power of a singular matrix",
        lambda: tgl.linalg.matrix_power(S, -1),
        errors.ArgumentError,
        (
            "matrix_power needs matrices that are not singular\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  linalg.pinv accepts them; adding 1e-6 * eye(n) moves a matrix away "
            "from such ones"
        ),
    ),
    (
        "the exponential of a rectangle",
        lambda: tgl.linalg.matrix_exp(X),
        errors.ShapeError,
        (
            "matrix_exp needs square matrices (..., n, n)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  the last two axes are the rows and columns of a matrix"
        ),
    ),
    (
        "the diagonal of a vector",
        lambda: tgl.linalg.diagonal(V),
        errors.ShapeError,
        (
            "diagonal needs matrices (..., n, m)\n"
            "  x     shape (3,), float32, cpu\n"
            "  hint  diag(x) makes a matrix of a vector"
        ),
    ),
    (
        "the trace of a vector",
        lambda: tgl.trace(V),
        errors.ShapeError,
        (
            "trace needs matrices (..., n, m)\n"
            "  x     shape (3,), float32, cpu\n"
            "  hint  diag(x) makes a matrix of a vector"
        ),
    ),
    (
        "half an offset",
        lambda: tgl.trace(X, 0.5),
        errors.DTypeError,
        ("trace needs an integer as offset\n  offset  0.5\n  hint    int(value) cuts off the fraction"),
    ),
    (
        "NumPy's other modes",
        lambda: tgl.linalg.qr(X, mode="r"),
        errors.ArgumentError,
        (
            'qr needs mode "reduced" or "complete", but got \'r\'\n'
            "  x     shape (2, 3), float32, cpu\n"
            '  hint  "reduced" has as many columns as x'
        ),
    ),
    (
        "a gradient through a complete Q",
        lambda: tgl.linalg.qr(P, mode="complete"),
        errors.GradientError,
        (
            "qr cannot carry a gradient with more rows than columns: some vectors are arbitrary\n"
            "  x     shape (3, 2), float32, cpu\n"
            '  hint  mode="reduced"'
        ),
    ),
    (
        "a gradient through all singular vectors",
        lambda: tgl.linalg.svd(P),
        errors.GradientError,
        (
            "svd cannot carry a gradient through matrices that are not square: some vectors are arbitrary\n"
            "  x     shape (3, 2), float32, cpu\n"
            "  hint  full_matrices=False"
        ),
    ),
    (
        "the singular values of NaN",
        lambda: tgl.linalg.svd(NAN),
        errors.ArgumentError,
        (
            "svd did not converge: it needs finite numbers\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  isfinite(x).all() is False where there are NaN or inf"
        ),
    ),
    (
        "a keyword of old PyTorch",
        lambda: tgl.linalg.svd(X, some=True),
        errors.KeywordError,
        ("svd has no argument 'some'; it has x, full_matrices"),
    ),
    (
        "the eigenvalues of a rectangle",
        lambda: tgl.linalg.eigh(X),
        errors.ShapeError,
        (
            "eigh needs square matrices (..., n, n)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  linalg.svd(x) is for matrices of any shape"
        ),
    ),
    (
        "a gradient through complex eigenvalues",
        lambda: tgl.linalg.eigvals(P[:2]),
        errors.GradientError,
        (
            "eigvals cannot carry a gradient: complex tensors have none\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  eigh for symmetric matrices, or detach() it first"
        ),
    ),
    (
        "the eigenvectors of NaN",
        lambda: tgl.linalg.eig(NAN),
        errors.ArgumentError,
        (
            "eig did not converge: it needs finite numbers\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  isfinite(x).all() is False where there are NaN or inf"
        ),
    ),
    (
        "the upper factor of a negative matrix",
        lambda: tgl.cholesky(-M, upper=True),
        errors.ArgumentError,
        (
            "cholesky needs positive definite matrices\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  if only rounding is to blame, add a little to the diagonal: x + 1e-6 * eye(n)"
        ),
    ),
    (
        "a matrix's order of a vector",
        lambda: tgl.linalg.vector_norm(V, ord="fro"),
        errors.DTypeError,
        ("vector_norm needs a number as ord\n  ord   'fro'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "the largest of nothing",
        lambda: tgl.linalg.vector_norm(tgl.zeros((0,)), ord=float("inf")),
        errors.ShapeError,
        (
            "vector_norm needs at least one element to choose from\n"
            "  x     shape (0,), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "the axis of a norm in PyTorch's word",
        lambda: tgl.linalg.vector_norm(V, dim=0),
        errors.KeywordError,
        ("vector_norm has no argument 'dim'; it has x, axis, keepdims, ord\n  hint  say axis= instead of dim="),
    ),
    (
        "an order that matrices do not have",
        lambda: tgl.linalg.matrix_norm(X, ord=3),
        errors.ArgumentError,
        (
            'matrix_norm needs ord "fro", "nuc", 1, -1, 2, -2, inf or -inf for matrices, but got 3\n'
            "  x     shape (2, 3), float32, cpu\n"
            '  hint  "fro" is the root of the sum of squares, 2 the largest stretch'
        ),
    ),
    (
        "a word that is no order",
        lambda: tgl.linalg.matrix_norm(X, ord="two"),
        errors.ArgumentError,
        (
            'matrix_norm needs ord "fro", "nuc", 1, -1, 2, -2, inf or -inf for matrices, but got \'two\'\n'
            "  x     shape (2, 3), float32, cpu\n"
            '  hint  "fro" is the root of the sum of squares, 2 the largest stretch'
        ),
    ),
    (
        "the matrix norm of a vector",
        lambda: tgl.linalg.matrix_norm(V),
        errors.ShapeError,
        (
            "matrix_norm needs matrices (..., m, n)\n"
            "  x     shape (3,), float32, cpu\n"
            "  hint  linalg.vector_norm(x) is for any shape"
        ),
    ),
    (
        "the largest singular value of nothing",
        lambda: tgl.linalg.matrix_norm(tgl.zeros((0, 2)), ord=2),
        errors.ShapeError,
        (
            "matrix_norm needs at least one element to choose from\n"
            "  x     shape (0, 2), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "an order without an axis",
        lambda: tgl.linalg.norm(T, ord=2),
        errors.ShapeError,
        (
            "norm needs axis, or an operand with one or two axes\n"
            "  x     shape (2, 2, 2), float32, cpu\n"
            "  ord   2\n"
            "  hint  say which axes: axis=-1 for vectors, axis=(-2, -1) for matrices"
        ),
    ),
    (
        "a norm over three axes",
        lambda: tgl.linalg.norm(T, axis=(0, 1, 2)),
        errors.ArgumentError,
        (
            "norm needs one axis or two, but got (0, 1, 2)\n"
            "  x     shape (2, 2, 2), float32, cpu\n"
            "  hint  linalg.vector_norm takes any number of axes"
        ),
    ),
    (
        "a norm over one axis twice",
        lambda: tgl.linalg.norm(T, axis=(0, 0)),
        errors.AxisError,
        ("norm got axis (0, 0), which names an axis twice\n  x     shape (2, 2, 2), float32, cpu\n  hint  axis=(0,)"),
    ),
    (
        "a word for a vector's norm",
        lambda: tgl.linalg.norm(V, ord="nuc"),
        errors.ArgumentError,
        (
            "norm needs a number as ord of vectors, but got 'nuc'\n"
            "  x     shape (3,), float32, cpu\n"
            "  hint  a pair as axis means matrices"
        ),
    ),
    (
        "the condition of a rectangle",
        lambda: tgl.linalg.cond(X, p=1),
        errors.ShapeError,
        (
            "cond needs square matrices (..., n, n)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  the last two axes are the rows and columns of a matrix"
        ),
    ),
    (
        "the condition of a singular matrix",
        lambda: tgl.linalg.cond(S, p=1),
        errors.ArgumentError,
        (
            "cond needs matrices that are not singular\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  linalg.pinv accepts them; adding 1e-6 * eye(n) moves a matrix away "
            "from such ones"
        ),
    ),
    (
        "the condition of nothing",
        lambda: tgl.linalg.cond(tgl.zeros((0, 0))),
        errors.ShapeError,
        (
            "cond needs at least one element to choose from\n"
            "  x     shape (0, 0), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "distances of a vector",
        lambda: tgl.cdist(V, X),
        errors.ShapeError,
        (
            "cdist needs points in the rows of both, (..., n, k) and (..., m, k)\n"
            "  x1    shape (3,), float32, cpu\n"
            "  x2    shape (2, 3), float32, cpu\n"
            "  hint  the points of both have equally many coordinates, on the last axis"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    assert refusal(kind, call) == text
