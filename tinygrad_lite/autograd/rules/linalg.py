"""Products, decompositions and solvers of matrices; the last two axes are the matrix, the rest are batches.

The rules of the decompositions follow Giles, "An extended collection of matrix derivative results" (2008),
and Murray, "Differentiation of the Cholesky decomposition" (2016).
"""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Joint, Rule, row


def _t(xp: Any, x: Any) -> Any:
    return xp.matrix_transpose(x)


# --- products ---------------------------------------------------------------------------------------


def _matmul_x1(xp, g, x2, x1_shape, x2_shape):
    """g @ x2^T for every combination of vectors, matrices and batches."""
    if len(x2_shape) == 1:  # (..., n, k) @ (k,): an outer product
        return xp.expand_dims(g, (-1,)) * x2
    if len(x1_shape) == 1:  # (k,) @ (..., k, m)
        return xp.matmul(x2, xp.expand_dims(g, (-1,)))[..., 0]
    return xp.matmul(g, _t(xp, x2))


def _matmul_x2(xp, g, x1, x1_shape, x2_shape):
    """x1^T @ g for every combination of vectors, matrices and batches."""
    if len(x1_shape) == 1:
        if len(x2_shape) == 1:
            return g * x1
        return xp.expand_dims(x1, (-1,)) * xp.expand_dims(g, (-2,))
    if len(x2_shape) == 1:
        return xp.matmul(_t(xp, x1), xp.expand_dims(g, (-1,)))[..., 0]
    if len(x2_shape) == 2 and len(x1_shape) > 2:  # one matrix for all batches: sum them in one product
        return xp.matmul(_t(xp, _rows(xp, x1)), _rows(xp, g))
    return xp.matmul(_t(xp, x1), g)


def _rows(xp, x):
    """All axes but the last as one."""
    count = 1
    for n in x.shape[:-1]:
        count *= n
    return x if len(x.shape) == 2 else xp.reshape(x, (count, x.shape[-1]))


MATMUL = row(
    "matmul",
    "x1 x2",
    x1=Rule(_matmul_x1, lambda xp, dx, x2: xp.matmul(dx, x2)),
    x2=Rule(_matmul_x2, lambda xp, dx, x1: xp.matmul(x1, dx)),
)


def _einsum_vjp(xp, g, needs, operands, inputs, output, operands_shapes):
    """The gradient of an operand is an einsum of the output's cotangent with the other operands.

    A label that occurs in this operand alone was summed there: its gradient is the same along that axis.
    """
    grads: list[Any] = []
    for k, need in enumerate(needs):
        if not need:
            grads.append(None)
            continue
        others = [i for i in range(len(operands)) if i != k]
        known = set(output).union(*(inputs[i] for i in others)) if others else set(output)
        target = "".join(label for label in inputs[k] if label in known)
        arrays = (g, *(operands[i] for i in others))
        share = xp.contract(arrays, (output, *(inputs[i] for i in others)), target)
        absent = tuple(axis for axis, label in enumerate(inputs[k]) if label not in known)
        if absent:
            share = xp.expand_dims(share, absent)
        # Where an axis of this operand was broadcast, the engine sums; where it was absent from the others, or
        # they have size one there, it is repeated here.
        shape = tuple(own if n == 1 else n for own, n in zip(operands_shapes[k], share.shape, strict=True))
        grads.append(xp.broadcast_to(share, shape))
    return grads


def _einsum_jvp(xp, tangents, operands, inputs, output):
    total = None
    for k, tangent in enumerate(tangents):
        if tangent is not None:
            term = xp.contract((*operands[:k], tangent, *operands[k + 1 :]), inputs, output)
            total = term if total is None else total + term
    return total


# ``inputs`` and ``output`` are strings of labels, one per axis; no operand repeats a label.
EINSUM = row(
    "einsum",
    "*operands | inputs output",
    lambda xp, operands, inputs, output: xp.contract(operands, inputs, output),
    joint=Joint(_einsum_vjp, _einsum_jvp),
)
MATRIX_TRANSPOSE = row(
    "matrix_transpose",
    "x",
    view=True,
    x=Rule(lambda xp, g: xp.matrix_transpose(g), lambda xp, dx: xp.matrix_transpose(dx)),
)

# --- inverses and solvers -------------------------------------------------------------------------------

# From A A^-1 = I: dA^-1 = -A^-1 dA A^-1.
INV = row(
    "inv",
    "x",
    x=Rule(
        lambda xp, g, ans: -xp.matmul(_t(xp, ans), xp.matmul(g, _t(xp, ans))),
        lambda xp, dx, ans: -xp.matmul(ans, xp.matmul(dx, ans)),
    ),
)
# Solves L y = b with the lower (or upper) triangle of L, or of its transpose; the other triangle is not read.
SOLVE_TRIANGULAR = row(
    "solve_triangular",
    "a b | upper transpose",
    a=Rule(
        lambda xp, g, a, ans, upper, transpose: _triangle_gradient(xp, g, a, ans, upper, transpose),
        lambda xp, da, a, ans, upper, transpose: (
            -xp.solve_triangular(a, xp.matmul(_effective(xp, da, upper, transpose), ans), upper, transpose)
        ),
    ),
    b=Rule(
        lambda xp, g, a, upper, transpose: xp.solve_triangular(a, g, upper, not transpose),
        lambda xp, db, a, upper, transpose: xp.solve_triangular(a, db, upper, transpose),
    ),
)


def _triangle(xp, x, upper):
    return _t(xp, xp.tril(_t(xp, x), 0)) if upper else xp.tril(x, 0)


def _effective(xp, x, upper, transpose):
    x = _triangle(xp, x, upper)
    return _t(xp, x) if transpose else x


def _triangle_gradient(xp, g, a, ans, upper, transpose):
    gb = xp.solve_triangular(a, g, upper, not transpose)
    full = -xp.matmul(ans, _t(xp, gb)) if transpose else -xp.matmul(gb, _t(xp, ans))
    return _triangle(xp, full, upper)


# --- decompositions -----------------------------------------------------------------------------------------


def _phi(xp, x):
    """The lower triangle with half the diagonal: the linear map that splits a symmetric matrix in two."""
    return (xp.tril(x, 0) + xp.tril(x, -1)) * 0.5


def _cholesky_vjp(xp, g, ans):
    # L^-T phi(L^T g) L^-1, made symmetric, because the operand is.
    inner = _phi(xp, xp.matmul(_t(xp, ans), xp.tril(g, 0)))
    left = xp.solve_triangular(ans, inner, False, True)
    share = _t(xp, xp.solve_triangular(ans, _t(xp, left), False, True))
    return (share + _t(xp, share)) * 0.5


def _cholesky_jvp(xp, dx, ans):
    # L phi(L^-1 dA L^-T)
    dx = (dx + _t(xp, dx)) * 0.5
    left = xp.solve_triangular(ans, dx, False, False)
    inner = _t(xp, xp.solve_triangular(ans, _t(xp, left), False, False))
    return xp.matmul(ans, _phi(xp, inner))


CHOLESKY = row("cholesky", "x", x=Rule(_cholesky_vjp, _cholesky_jvp))


def _slogdet_vjp(xp, g, x):
    # d log|det A| = tr(A^-1 dA); the sign is locally constant.
    if g[1] is None:
        return xp.zeros_like(x)
    return xp.expand_dims(g[1], (-2, -1)) * _t(xp, xp.inv(x))


def _slogdet_jvp(xp, dx, x):
    return None, xp.sum(_t(xp, xp.inv(x)) * dx, (len(x.shape) - 2, len(x.shape) - 1), False)


SLOGDET = row("slogdet", "x -> sign logabsdet", x=Rule(_slogdet_vjp, _slogdet_jvp))
