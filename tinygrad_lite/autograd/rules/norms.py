"""Norms of vectors along axes; ``axis`` is a tuple of non-negative ints. Norms of matrices are made of these."""

from __future__ import annotations

import math

from tinygrad_lite.autograd.rows import Joint, Rule, row
from tinygrad_lite.autograd.rules.reductions import restore


def _norm(xp, x, axis, keepdims, ord):
    if ord == 2.0:
        return xp.sqrt(_squares(xp, x, axis, keepdims))
    return xp.pow(xp.sum(xp.abs(x) ** ord, axis, keepdims), 1.0 / ord)


def _squares(xp, x, axis, keepdims):
    """The sum of squares; along the last axes as an inner product, which makes no array of squares."""
    lead = len(x.shape) - len(axis)
    if not axis or axis[0] != lead:
        return xp.sum(x * x, axis, keepdims)
    flat = xp.reshape(x, (*x.shape[:lead], math.prod(x.shape[lead:])))
    total = xp.vecdot(flat, flat)
    return xp.expand_dims(total, axis) if keepdims else total


def _slope(xp, x, ans, ord):
    """d norm / dx: x / norm, or sign(x) (|x| / norm)^(ord-1); 0 for the zero vector, and where a root has no slope."""
    zero = ans == 0.0
    norm = xp.where(zero, 1.0, ans)
    if ord == 2.0:
        return x * xp.where(zero, 0.0, 1.0 / norm)
    size = xp.abs(x)
    ratio = xp.where(size == 0.0, 1.0, size) / norm  # below 1: its powers cannot overflow
    return xp.where(zero, 0.0, xp.sign(x) * ratio ** (ord - 1.0))


# (sum of |x|^ord)^(1/ord) for a finite ord other than 0; the orders 0, 1 and infinity are made of other rows.
VECTOR_NORM = row(
    "vector_norm",
    "x | axis keepdims ord",
    _norm,
    x=Rule(
        lambda xp, g, x, ans, axis, keepdims, ord: (
            restore(xp, g, axis, keepdims) * _slope(xp, x, restore(xp, ans, axis, keepdims), ord)
        ),
        lambda xp, dx, x, ans, axis, keepdims, ord: xp.sum(
            dx * _slope(xp, x, restore(xp, ans, axis, keepdims), ord), axis, keepdims
        ),
    ),
)


# --- distances between all pairs of rows --------------------------------------------------------------------

_TOGETHER = 2**16  #: differences formed at a time: they stay in the cache, and all of them would often fill the memory


def _blocks(x1, x2):
    """The rows of x1 in blocks, whose differences from all rows of x2 are formed together."""
    step = max(_TOGETHER // max(math.prod(x2.shape), 1), 1)
    return [slice(start, start + step) for start in range(0, max(x1.shape[-2], 1), step)]


def _differences(x1, x2, rows):
    return x1[..., rows, None, :] - x2[..., None, :, :]


def _distances(xp, x1, x2, p):
    axis = (len(x1.shape),)
    parts = [_norm(xp, _differences(x1, x2, rows), axis, False, p) for rows in _blocks(x1, x2)]
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis[0] - 2)


def _distances_pull(xp, g, x1, x2, ans, p):
    """The gradient of x1: of each row the sum, over the rows of x2, of g times the slope of the distance."""
    axis = len(x1.shape) - 1
    if p == 2.0:  # g x / norm is summed by a product of matrices
        zero = ans == 0.0
        g = g * xp.where(zero, 0.0, 1.0 / xp.where(zero, 1.0, ans))
    parts = []
    for rows in _blocks(x1, x2):
        differences = _differences(x1, x2, rows)
        if p == 2.0:
            part = xp.matmul(g[..., rows, None, :], differences)[..., 0, :]
        else:
            slopes = _slope(xp, differences, ans[..., rows, :, None], p)
            part = xp.sum(g[..., rows, :, None] * slopes, (axis,), False)
        parts.append(part)
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis - 1)


def _distances_vjp(xp, g, needs, x1, x2, ans, p):
    first = _distances_pull(xp, g, x1, x2, ans, p) if needs[0] else None
    if not needs[1]:
        return [first, None]
    turned = xp.matrix_transpose(g), xp.matrix_transpose(ans)
    return [first, _distances_pull(xp, turned[0], x2, x1, turned[1], p)]


def _distances_jvp(xp, tangents, x1, x2, ans, p):
    dx1, dx2 = tangents
    axis = (len(x1.shape),)
    parts = []
    for rows in _blocks(x1, x2):
        moves = -dx2[..., None, :, :] if dx1 is None else dx1[..., rows, None, :]
        if dx1 is not None and dx2 is not None:
            moves = moves - dx2[..., None, :, :]
        parts.append(xp.sum(_slope(xp, _differences(x1, x2, rows), ans[..., rows, :, None], p) * moves, axis, False))
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis[0] - 2)


# The norms, of a finite order other than 0 and 1, of x1[..., i, :] - x2[..., j, :]; the leading axes are the same.
CDIST = row("cdist", "x1 x2 | p", _distances, joint=Joint(_distances_vjp, _distances_jvp))
