"""Norms of vectors along axes; ``axis`` is a tuple of non-negative ints. Norms of matrices are made of these."""

from __future__ import annotations

import math

from tinygrad_lite.autograd.rows import Rule, row
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
