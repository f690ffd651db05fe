"""Products of vectors and matrices: the last two axes are the matrix, the rest are batches, which broadcast."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Joint, Rule, row

# --- matrices ---------------------------------------------------------------------------------------


def t(xp: Any, x: Any) -> Any:
    """The transpose, under a name that leaves formulas legible."""
    return xp.matrix_transpose(x)


def _matmul_x1(xp, g, x2, x1_shape, x2_shape):
    """g @ x2^T for every combination of vectors, matrices and batches."""
    if len(x2_shape) == 1:  # (..., n, k) @ (k,): an outer product
        return xp.expand_dims(g, (-1,)) * x2
    if len(x1_shape) == 1:  # (k,) @ (..., k, m)
        return xp.matmul(x2, xp.expand_dims(g, (-1,)))[..., 0]
    return xp.matmul(g, t(xp, x2))


def _matmul_x2(xp, g, x1, x1_shape, x2_shape):
    """x1^T @ g for every combination of vectors, matrices and batches."""
    if len(x1_shape) == 1:
        if len(x2_shape) == 1:
            return g * x1
        return xp.expand_dims(x1, (-1,)) * xp.expand_dims(g, (-2,))
    if len(x2_shape) == 1:
        return xp.matmul(t(xp, x1), xp.expand_dims(g, (-1,)))[..., 0]
    if len(x2_shape) == 2 and len(x1_shape) > 2:  # one matrix for all batches: sum them in one product
        return xp.matmul(t(xp, _rows(xp, x1)), _rows(xp, g))
    return xp.matmul(t(xp, x1), g)


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


# --- any labels -----------------------------------------------------------------------------------------------


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

# --- vectors ----------------------------------------------------------------------------------------------

# The sum of products along the last axis.
VECDOT = row(
    "vecdot",
    "x1 x2",
    x1=Rule(lambda xp, g, x2: xp.expand_dims(g, (-1,)) * x2, lambda xp, dx, x2: xp.vecdot(dx, x2)),
    x2=Rule(lambda xp, g, x1: xp.expand_dims(g, (-1,)) * x1, lambda xp, dx, x1: xp.vecdot(x1, dx)),
)
# The triple product g . (x1 x x2) keeps its value when its three vectors take turns. ``axis`` is negative.
CROSS = row(
    "cross",
    "x1 x2 | axis",
    x1=Rule(lambda xp, g, x2, axis: xp.cross(x2, g, axis), lambda xp, dx, x2, axis: xp.cross(dx, x2, axis)),
    x2=Rule(lambda xp, g, x1, axis: xp.cross(g, x1, axis), lambda xp, dx, x1, axis: xp.cross(x1, dx, axis)),
)
