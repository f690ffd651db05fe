"""Products, decompositions and solvers of matrices; leading axes are batches and broadcast."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, apply_several, broadcast_clash, promoted
from tinygrad_lite.autograd.rules import linalg as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, Error, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, floating
from tinygrad_lite.functions.elementwise import holding

__all__ = [
    "cholesky",
    "einsum",
    "inv",
    "matmul",
    "slogdet",
    "solve_triangular",
]


def matmul(x1: Any, x2: Any, /) -> Tensor:
    """The matrix product: sum over k of x1[..., i, k] x2[..., k, j].

    Args:
        x1: (..., n, k), or (k,) taken as one row.
        x2: (..., k, m), or (k,) taken as one column. The leading axes broadcast.

    Returns:
        (..., n, m) without the axes that a vector operand does not have. Gradients: dx1 = g x2^T,
        dx2 = x1^T g, summed over broadcast batches.

    Raises:
        ShapeError: if the inner sizes differ or the batches do not broadcast.

    >>> matmul(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]))
    Tensor([3., 7.])
    """
    x1, x2 = as_tensor("matmul", x1, "x1"), as_tensor("matmul", x2, "x2")
    a, b = x1._data, x2._data
    if a.dtype is not b.dtype:
        _, _, a, b = promoted(rules.MATMUL, x1, x2)
        x1, x2 = holding(x1, a), holding(x2, b)
    s1, s2 = a.shape, b.shape
    if not s1 or not s2:
        fail(ShapeError, "matmul", "needs at least one axis in each operand", {"x1": x1, "x2": x2}, "use * for numbers")
    inner = s2[-2] if len(s2) > 1 else s2[0]
    if s1[-1] != inner:
        side = "x2.shape[-2]" if len(s2) > 1 else "x2.shape[0]"
        hint = "transpose the second operand: matrix_transpose(x2)" if s1[-1] == s2[-1] else ""
        fail(
            ShapeError,
            "matmul",
            f"needs x1.shape[-1] == {side}, but {s1[-1]} != {inner}",
            {"x1": x1, "x2": x2},
            hint,
        )
    if len(s1) > 2 and len(s2) > 2:
        _check_batches("matmul", {"x1": x1, "x2": x2})
    return apply(rules.MATMUL, (x1, x2))


def _check_batches(operation: str, operands: dict[str, Tensor]) -> None:
    """Refuse matrices whose leading axes do not broadcast."""
    batches = [t._data.shape[:-2] for t in operands.values()]
    if broadcast_clash(batches):
        need = f"needs leading axes that broadcast, but {' and '.join(map(str, batches))} do not"
        fail(ShapeError, operation, need, operands)


def einsum(subscripts: str, /, *operands: Any) -> Tensor:
    """Einstein's sum: products of elements, summed over the labels that the output lacks.

    Args:
        subscripts: labels per operand and, after ``->``, of the output, as in NumPy: ``"ij,jk->ik"``;
            without an arrow, the labels that occur once, in alphabetical order. ``...`` stands for further
            axes, which broadcast. A label repeated in one operand takes the diagonal.
        operands: one tensor per term.

    Returns:
        A tensor with one axis per output label. Every operand is differentiable.

    Raises:
        ArgumentError: if the subscripts cannot be read.
        ShapeError: if a label has two sizes, or the number of labels does not fit an operand.

    >>> einsum("ij,j->i", Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]))
    Tensor([3., 7.])
    """
    if not isinstance(subscripts, str):
        hint = 'einsum("ij,jk->ik", x1, x2)'
        fail(
            DTypeError,
            "einsum",
            "needs the subscripts as a string before the operands",
            {"subscripts": subscripts},
            hint,
        )
    tensors = [as_tensor("einsum", x, f"operands[{i}]") for i, x in enumerate(operands)]
    inputs, output = _parse(subscripts, tensors)
    from tinygrad_lite.functions.manipulation import _together

    if len({t._data.dtype for t in tensors}) > 1:
        tensors = _together("einsum", tensors)
    sizes: dict[str, int] = {}
    for labels, t in zip(inputs, tensors, strict=True):
        for label, n in zip(labels, t._data.shape, strict=True):
            known = sizes.setdefault(label, n)
            if n != known and 1 not in (n, known):
                name = repr(label) if label in subscripts else "an axis of '...'"
                fail(ShapeError, "einsum", f"needs one size per label, but {name} is {known} and {n}", _listed(tensors))
            sizes[label] = n if known == 1 else known
    pairs = [_diagonal(t, labels) for t, labels in zip(tensors, inputs, strict=True)]
    arrays, terms = [t for t, _ in pairs], tuple(labels for _, labels in pairs)
    return apply(rules.EINSUM, arrays, (terms, output))


def _listed(tensors: list[Tensor]) -> dict[str, Tensor]:
    return {f"operands[{i}]": t for i, t in enumerate(tensors)}


def _parse(subscripts: str, tensors: list[Tensor]) -> tuple[list[str], str]:
    """One label per axis, with ``...`` written out in labels that are not used otherwise."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        need = f"needs one operand for each of the {len(terms)} terms of {subscripts!r}, but got {len(tensors)}"
        fail(ArgumentError, "einsum", need, _listed(tensors))
    strange = set(left) - set(string.ascii_letters + ",.") or set(right) - set(string.ascii_letters + ".")
    if strange or any(t.replace("...", "", 1).count(".") for t in (*terms, right)):
        fail(ArgumentError, "einsum", f"needs letters, commas, '...' and one '->', but got {subscripts!r}")
    spare = [c for c in string.ascii_letters if c not in text]
    extra = [
        t._data.ndim - len(term.replace("...", "")) if "..." in term else 0
        for term, t in zip(terms, tensors, strict=True)
    ]
    wide = spare[: max(extra, default=0)]
    inputs = []
    for i, (term, t, n) in enumerate(zip(terms, tensors, extra, strict=True)):
        labels = term.replace("...", "".join(wide[len(wide) - n :])) if n > 0 else term.replace("...", "")
        if len(labels) != t._data.ndim or n < 0:
            need = f"needs one label per axis, but {term!r} does not fit the {t._data.ndim} axes of operand {i}"
            fail(ShapeError, "einsum", need, {f"operands[{i}]": t})
        inputs.append(labels)
    every = "".join(inputs)
    if not arrow:
        explicit = left.replace("...", "").replace(",", "")
        right = ("..." if "..." in left else "") + "".join(sorted(c for c in set(explicit) if explicit.count(c) == 1))
    output = right.replace("...", "".join(wide))
    unknown = set(output) - set(every)
    if unknown or len(set(output)) < len(output):
        need = f"needs output labels that occur in the inputs, each once, but got {right!r}"
        fail(ArgumentError, "einsum", need)
    return inputs, output


def _diagonal(x: Tensor, labels: str) -> tuple[Tensor, str]:
    """``x`` with the axes of a repeated label replaced by their common diagonal, a label then occurring once."""
    from tinygrad_lite.functions.indexing import getitem
    from tinygrad_lite.functions.manipulation import permute_dims

    for label in labels:
        axes = [i for i, c in enumerate(labels) if c == label]
        if len(axes) > 1:
            rest = [i for i in range(len(labels)) if i not in axes]
            along = np.arange(x._data.shape[axes[0]])
            x = getitem(permute_dims(x, (*axes, *rest)), (along,) * len(axes))
            return _diagonal(x, label + "".join(labels[i] for i in rest))
    return x, labels


def _solvable(operation: str, x: Any, name: str) -> Tensor:
    """A tensor of a dtype that LAPACK works on."""
    tensor = floating(operation, x, name)
    if tensor._data.dtype.itemsize < 4:
        fail(DTypeError, operation, "needs float32 or float64", {name: tensor}, f'{name}.astype("float32")')
    return tensor


def _square(operation: str, x: Any, name: str = "x") -> Tensor:
    matrix = _solvable(operation, x, name)
    shape = matrix._data.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        fail(ShapeError, operation, "needs square matrices (..., n, n)", {name: matrix})
    return matrix


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
    return _decomposed(rules.INV, {"x": _square("inv", x)}, (), "needs matrices that are not singular")


def cholesky(x: Any, /) -> Tensor:
    """The lower triangular L with L L^T = x (Murray 2016 for its derivatives).

    Only the lower triangle of x is read; its gradient is symmetric, as x is.

    Args:
        x: (..., n, n) symmetric positive definite, float32 or float64.

    Raises:
        ArgumentError: if a matrix is not positive definite.

    >>> cholesky(Tensor([[4.0, 2.0], [2.0, 5.0]]))
    Tensor([[2., 0.],
            [1., 2.]])
    """
    return _decomposed(rules.CHOLESKY, {"x": _square("cholesky", x)}, (), "needs positive definite matrices")


def _decomposed(declared: Any, operands: dict[str, Tensor], statics: tuple[Any, ...], need: str) -> Tensor:
    """The row's result; what LAPACK refuses is refused in words about the matrix."""
    try:
        return apply(declared, tuple(operands.values()), statics)
    except Error as error:
        if isinstance(error.__context__, np.linalg.LinAlgError):
            fail(ArgumentError, declared.name, need, operands)
        raise


def slogdet(x: Any, /) -> tuple[Tensor, Tensor]:
    """The sign and the logarithm of the absolute value of the determinant; d log|det A| = tr(A^-1 dA).

    Args:
        x: (..., n, n), float32 or float64.

    Returns:
        ``(sign, logabsdet)``, each of shape (...); sign has a zero gradient. A singular matrix has sign 0 and
        logabsdet -inf.

    >>> slogdet(Tensor([[2.0, 0.0], [0.0, 4.0]]))
    (Tensor(1.), Tensor(2.0794415))
    """
    return apply_several(rules.SLOGDET, (_square("slogdet", x),))


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
    operands = {"a": _square("solve_triangular", a, "a"), "b": _solvable("solve_triangular", b, "b")}
    n, shape = operands["a"]._data.shape[-1], operands["b"]._data.shape
    if len(shape) < 2 or shape[-2] != n:
        hint = "expand_dims(b, -1) makes a column of a vector" if shape == (n,) else ""
        fail(ShapeError, "solve_triangular", f"needs b in the shape (..., {n}, m)", operands, hint)
    _check_batches("solve_triangular", operands)
    statics = bool(upper), bool(transpose)
    return _decomposed(rules.SOLVE_TRIANGULAR, operands, statics, "needs a diagonal without zeros")


def contract(arrays: Any, inputs: tuple[str, ...], output: str) -> Tensor:
    """The einsum of the rules: labels already written out, one per axis."""
    return apply(rules.EINSUM, [as_tensor("einsum", a) for a in arrays], (tuple(inputs), output))
