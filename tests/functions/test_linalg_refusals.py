"""What products, decompositions and solvers of matrices refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

X = tgl.zeros((2, 3))
M = tgl.eye(2)
H = tgl.eye(2, dtype="float16")
W = tgl.zeros((4, 3))
NAN = Tensor([[float("nan"), 1.0], [1.0, 1.0]])

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a product with nothing",
        lambda: tgl.matmul(X, None),
        errors.DTypeError,
        (
            "matmul needs numbers, but got None\n"
            "  x2    None\n"
            "  hint  a function gives None where it does not return anything"
        ),
    ),
    (
        "a product with a number",
        lambda: X @ 3,
        errors.ShapeError,
        (
            "matmul needs at least one axis in each operand\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (), float32, cpu\n"
            "  hint  use * for numbers"
        ),
    ),
    (
        "a number with a product",
        lambda: 2 @ X,
        errors.ShapeError,
        (
            "matmul needs at least one axis in each operand\n"
            "  x1    shape (), float32, cpu\n"
            "  x2    shape (2, 3), float32, cpu\n"
            "  hint  use * for numbers"
        ),
    ),
    (
        "inner sizes that differ",
        lambda: X @ X,
        errors.ShapeError,
        (
            "matmul needs x1.shape[-1] == x2.shape[-2], but 3 != 2\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2, 3), float32, cpu\n"
            "  hint  transpose the second operand: matrix_transpose(x2)"
        ),
    ),
    (
        "inner sizes that no transpose mends",
        lambda: X @ tgl.zeros((2, 4)),
        errors.ShapeError,
        (
            "matmul needs x1.shape[-1] == x2.shape[-2], but 3 != 2\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2, 4), float32, cpu\n"
            "  hint  transpose the first operand: matrix_transpose(x1)"
        ),
    ),
    (
        "a vector of another size",
        lambda: X @ Tensor([1.0, 2.0]),
        errors.ShapeError,
        (
            "matmul needs x1.shape[-1] == x2.shape[0], but 3 != 2\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2,), float32, cpu\n"
            "  hint  transpose the first operand: matrix_transpose(x1)"
        ),
    ),
    (
        "batches that do not broadcast",
        lambda: tgl.zeros((2, 1, 3)) @ tgl.zeros((3, 3, 1)),
        errors.ShapeError,
        (
            "matmul needs leading axes that broadcast, but (2,) and (3,) do not\n"
            "  x1    shape (2, 1, 3), float32, cpu\n"
            "  x2    shape (3, 3, 1), float32, cpu\n"
            "  hint  leading axes are batches of matrices, of equal sizes or 1"
        ),
    ),
    (
        "subscripts that are missing",
        lambda: tgl.einsum(X, X),
        errors.DTypeError,
        (
            "einsum needs the subscripts as a string before the operands\n"
            "  subscripts  shape (2, 3), float32, cpu\n"
            '  hint        einsum("ij,jk->ik", x1, x2)'
        ),
    ),
    (
        "an operand that is nothing",
        lambda: tgl.einsum("ij", None),
        errors.DTypeError,
        (
            "einsum needs numbers, but got None\n"
            "  operands[0]  None\n"
            "  hint         a function gives None where it does not return anything"
        ),
    ),
    (
        "more terms than operands",
        lambda: tgl.einsum("ij,jk", X),
        errors.ArgumentError,
        (
            "einsum needs one operand for each of the 2 terms of 'ij,jk', but got 1\n"
            "  operands[0]  shape (2, 3), float32, cpu\n"
            '  hint         a comma stands between the labels of two operands: "ij,jk->ik"'
        ),
    ),
    (
        "a label that is no letter",
        lambda: tgl.einsum("i1", X),
        errors.ArgumentError,
        (
            "einsum needs letters, commas, '...' and one '->', but got 'i1'\n"
            '  hint  such as "ij,jk->ik", the product of two matrices'
        ),
    ),
    (
        "two arrows",
        lambda: tgl.einsum("ij->i->j", X),
        errors.ArgumentError,
        (
            "einsum needs letters, commas, '...' and one '->', but got 'ij->i->j'\n"
            '  hint  such as "ij,jk->ik", the product of two matrices'
        ),
    ),
    (
        "four dots",
        lambda: tgl.einsum("....j", X),
        errors.ArgumentError,
        (
            "einsum needs letters, commas, '...' and one '->', but got '....j'\n"
            '  hint  such as "ij,jk->ik", the product of two matrices'
        ),
    ),
    (
        "more labels than axes",
        lambda: tgl.einsum("ijk", X),
        errors.ShapeError,
        (
            "einsum needs one label per axis, but 'ijk' does not fit the 2 axes of operand 0\n"
            "  operands[0]  shape (2, 3), float32, cpu\n"
            "  hint         '...' stands for any number of axes"
        ),
    ),
    (
        "more labels than axes beside an ellipsis",
        lambda: tgl.einsum("...ijk", X),
        errors.ShapeError,
        (
            "einsum needs one label per axis, but '...ijk' does not fit the 2 axes of operand 0\n"
            "  operands[0]  shape (2, 3), float32, cpu\n"
            "  hint         '...' stands for any number of axes"
        ),
    ),
    (
        "a label of two sizes",
        lambda: tgl.einsum("ij,jk", X, X),
        errors.ShapeError,
        (
            "einsum needs one size per label, but 'j' is 3 and 2\n"
            "  operands[0]  shape (2, 3), float32, cpu\n"
            "  operands[1]  shape (2, 3), float32, cpu\n"
            "  hint         give the axes labels of their own, or transpose the labels of one operand"
        ),
    ),
    (
        "a diagonal of a rectangle",
        lambda: tgl.einsum("ii", X),
        errors.ShapeError,
        (
            "einsum needs one size per label, but 'i' is 2 and 3\n"
            "  operands[0]  shape (2, 3), float32, cpu\n"
            "  hint         give the axes labels of their own, or transpose the labels of one operand"
        ),
    ),
    (
        "an ellipsis of two sizes",
        lambda: tgl.einsum("...j,...j->...", X, W),
        errors.ShapeError,
        (
            "einsum needs one size per label, but an axis of '...' is 2 and 4\n"
            "  operands[0]  shape (2, 3), float32, cpu\n"
            "  operands[1]  shape (4, 3), float32, cpu\n"
            "  hint         give the axes labels of their own, or transpose the labels of one operand"
        ),
    ),
    (
        "an output label from nowhere",
        lambda: tgl.einsum("ij->iz", X),
        errors.ArgumentError,
        ("einsum needs output labels that occur in the inputs, each once, but got 'iz'\n  hint  the inputs have i, j"),
    ),
    (
        "an output label twice",
        lambda: tgl.einsum("ij->ii", X),
        errors.ArgumentError,
        (
            "einsum needs output labels that occur in the inputs, each once, but got 'ii'\n"
            "  hint  labels that are left out behind '->' are summed over"
        ),
    ),
    (
        "the inverse of a rectangle",
        lambda: tgl.inv(X),
        errors.ShapeError,
        (
            "inv needs square matrices (..., n, n)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  linalg.pinv(x) is for matrices of any shape"
        ),
    ),
    (
        "the inverse of a singular matrix",
        lambda: tgl.inv(tgl.ones((2, 2))),
        errors.ArgumentError,
        (
            "inv needs matrices that are not singular\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  linalg.pinv accepts them; adding 1e-6 * eye(n) moves a matrix away "
            "from such ones"
        ),
    ),
    (
        "the inverse of half floats",
        lambda: tgl.inv(H),
        errors.DTypeError,
        ('inv needs float32 or float64\n  x     shape (2, 2), float16, cpu\n  hint  x.astype("float32")'),
    ),
    (
        "the determinant of half floats",
        lambda: tgl.slogdet(H),
        errors.DTypeError,
        ('slogdet needs float32 or float64\n  x     shape (2, 2), float16, cpu\n  hint  x.astype("float32")'),
    ),
    (
        "the factor of a negative matrix",
        lambda: tgl.cholesky(-M),
        errors.ArgumentError,
        (
            "cholesky needs positive definite matrices\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  if only rounding is to blame, add a little to the diagonal: x + 1e-6 * eye(n)"
        ),
    ),
    (
        "a solution of another size",
        lambda: tgl.solve_triangular(M, tgl.zeros((3, 2))),
        errors.ShapeError,
        (
            "solve_triangular needs b in the shape (..., 2, m)\n"
            "  a   shape (2, 2), float32, cpu\n"
            "  b   shape (3, 2), float32, cpu"
        ),
    ),
    (
        "a solution that is a vector",
        lambda: tgl.solve_triangular(M, Tensor([1.0, 2.0])),
        errors.ShapeError,
        (
            "solve_triangular needs b in the shape (..., 2, m)\n"
            "  a     shape (2, 2), float32, cpu\n"
            "  b     shape (2,), float32, cpu\n"
            "  hint  expand_dims(b, -1) makes a column of a vector"
        ),
    ),
    (
        "solutions that do not broadcast",
        lambda: tgl.solve_triangular(tgl.ones((2, 2, 2)), tgl.ones((3, 2, 2))),
        errors.ShapeError,
        (
            "solve_triangular needs leading axes that broadcast, but (2,) and (3,) do not\n"
            "  a     shape (2, 2, 2), float32, cpu\n"
            "  b     shape (3, 2, 2), float32, cpu\n"
            "  hint  leading axes are batches of matrices, of equal sizes or 1"
        ),
    ),
    (
        "a zero on the diagonal",
        lambda: tgl.solve_triangular(tgl.zeros((2, 2)), M),
        errors.ArgumentError,
        (
            "solve_triangular needs a diagonal without zeros\n"
            "  a   shape (2, 2), float32, cpu\n"
            "  b   shape (2, 2), float32, cpu"
        ),
    ),
    (
        "a solution in half floats",
        lambda: tgl.solve_triangular(H, H),
        errors.DTypeError,
        ('solve_triangular needs float32 or float64\n  a     shape (2, 2), float16, cpu\n  hint  a.astype("float32")'),
    ),
    (
        "distances of batches that do not fit",
        lambda: tgl.cdist(tgl.zeros((2, 4, 3)), tgl.zeros((3, 4, 3))),
        errors.ShapeError,
        (
            "cdist needs leading axes that broadcast, but (2,) and (3,) do not\n"
            "  x1    shape (2, 4, 3), float32, cpu\n"
            "  x2    shape (3, 4, 3), float32, cpu\n"
            "  hint  leading axes are batches of matrices, of equal sizes or 1"
        ),
    ),
    (
        "the condition of NaN",
        lambda: tgl.linalg.cond(NAN),
        errors.ArgumentError,
        (
            "cond did not converge: it needs finite numbers\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  isfinite(x).all() is False where there are NaN or inf"
        ),
    ),
    (
        "a norm of NaN",
        lambda: tgl.linalg.matrix_norm(NAN, ord="nuc"),
        errors.ArgumentError,
        (
            "matrix_norm did not converge: it needs finite numbers\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  isfinite(x).all() is False where there are NaN or inf"
        ),
    ),
    (
        "the eigenvalues of NaN, which LAPACK finds",
        lambda: tgl.linalg.eigvalsh(NAN),
        errors.ArgumentError,
        (
            "eigvalsh did not converge: it needs finite numbers\n"
            "  x     shape (2, 2), float32, cpu\n"
            "  hint  isfinite(x).all() is False where there are NaN or inf"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before  # no random number is drawn for a call that fails
