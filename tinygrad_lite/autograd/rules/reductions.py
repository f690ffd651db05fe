"""Sums, products, moments and extrema along axes. ``axis`` is always a tuple of non-negative ints here."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Rule, row


def restore(xp: Any, reduced: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Put the reduced axes back with size one, so that the result broadcasts against the operand."""
    if keepdims or reduced.shape == ():  # a 0-d result broadcasts as it is
        return reduced
    return xp.expand_dims(reduced, axis) if axis else reduced


def _count(shape: tuple[int, ...], axis: tuple[int, ...]) -> int:
    count = 1
    for i in axis:
        count *= shape[i]
    return count


# --- linear -----------------------------------------------------------------------------------------

SUM = row(
    "sum",
    "x | axis keepdims",
    x=Rule(
        lambda xp, g, axis, keepdims, x_shape: xp.broadcast_to(restore(xp, g, axis, keepdims), x_shape),
        lambda xp, dx, axis, keepdims: xp.sum(dx, axis, keepdims),
    ),
)
MEAN = row(
    "mean",
    "x | axis keepdims",
    x=Rule(
        lambda xp, g, axis, keepdims, x_shape: xp.broadcast_to(
            restore(xp, g / _count(x_shape, axis), axis, keepdims), x_shape
        ),
        lambda xp, dx, axis, keepdims: xp.mean(dx, axis, keepdims),
    ),
)
# The adjoints of each other: what the engine uses to undo broadcasting.
SUM_TO = row(
    "sum_to",
    "x | shape",
    view=True,  # where there is nothing to sum
    x=Rule(
        lambda xp, g, x_shape: xp.broadcast_to(g, x_shape),
        lambda xp, dx, shape: xp.sum_to(dx, shape),
    ),
)

# --- extrema: ties share the gradient evenly ----------------------------------------------------------


def _extremum_vjp(xp, g, x, ans, axis, keepdims):
    g, ans = restore(xp, g, axis, keepdims), restore(xp, ans, axis, keepdims)
    chosen = xp.astype(x == ans, g.dtype)
    return g * chosen / xp.sum(chosen, axis, True)


def _extremum_jvp(xp, dx, x, ans, axis, keepdims):
    chosen = xp.astype(x == restore(xp, ans, axis, keepdims), dx.dtype)
    return xp.sum(dx * chosen, axis, keepdims) / xp.sum(chosen, axis, keepdims)


MAX = row("max", "x | axis keepdims", x=Rule(_extremum_vjp, _extremum_jvp))
MIN = row("min", "x | axis keepdims", x=Rule(_extremum_vjp, _extremum_jvp))
# No NaN equals the result, so these need no other rule.
NANMAX = row("nanmax", "x | axis keepdims", x=Rule(_extremum_vjp, _extremum_jvp))
NANMIN = row("nanmin", "x | axis keepdims", x=Rule(_extremum_vjp, _extremum_jvp))

# --- moments ------------------------------------------------------------------------------------------


def _slope(count: int, correction: float) -> float:
    """2 / (n - correction), the factor in the derivative of the variance; of no degrees of freedom, inf."""
    return 2 / (count - correction) if count != correction else float("inf")


def _var_vjp(xp, g, x, axis, keepdims, correction):
    slope = _slope(_count(x.shape, axis), correction)
    return restore(xp, g * slope, axis, keepdims) * (x - xp.mean(x, axis, True))


def _var_jvp(xp, dx, x, axis, keepdims, correction):
    slope = _slope(_count(x.shape, axis), correction)
    return xp.sum(dx * (x - xp.mean(x, axis, True)), axis, keepdims) * slope


VAR = row("var", "x | axis keepdims correction", x=Rule(_var_vjp, _var_jvp))


def _over_std(xp, g, ans):
    """g / (2 std), the derivative of the root, and 0 where all values are equal: there PyTorch takes it for 0."""
    flat = ans == 0
    return xp.where(flat, 0.0, g / xp.where(flat, 1.0, ans)) * 0.5


# Not sqrt(var(x)): at equal values the root's derivative is infinite and makes NaN of the variance's, which is 0.
STD = row(
    "std",
    "x | axis keepdims correction",
    lambda xp, x, axis, keepdims, correction: xp.sqrt(xp.var(x, axis, keepdims, correction)),
    x=Rule(
        lambda xp, g, x, ans, axis, keepdims, correction: _var_vjp(
            xp, _over_std(xp, g, ans), x, axis, keepdims, correction
        ),
        lambda xp, dx, x, ans, axis, keepdims, correction: _over_std(
            xp, _var_jvp(xp, dx, x, axis, keepdims, correction), ans
        ),
    ),
)

# --- products -------------------------------------------------------------------------------------------

# d prod / dx_i is the product of all others. Dividing the product by x_i would fail at zeros. Multiplying in pairs, the
# pairs in pairs and so on makes a tree; on the way back down, the others of a node are those of its parent times its
# sibling. That is about five multiplications per element, in log2(n) steps over arrays, and exact at zeros in
# every order, because multiply's own rule is.


def _as_lines(shape, axis):
    """How the reduced axes become one: an order of all axes, the shape in that order, and the place of the one."""
    first = min(axis, default=0)
    if axis != tuple(range(first, first + len(axis))):  # not side by side
        first = 0
    others = [i for i in range(len(shape)) if i not in axis]
    order = (*others[:first], *axis, *others[first:])
    before, after = [shape[i] for i in others[:first]], [shape[i] for i in others[first:]]
    return order, (*before, _count(shape, axis), *after), first


def _products_of_others(xp, x, axis, g=None):
    """For every element the product of the others along ``axis``; times ``g``, which has the reduced axes at size 1."""
    order, lines_shape, k = _as_lines(x.shape, axis)
    levels = [xp.reshape(xp.permute_dims(x, order), lines_shape)]
    before = (slice(None),) * k
    while levels[-1].shape[k] > 1:
        level = levels[-1]
        n = level.shape[k]
        parts = [level[(*before, slice(0, n // 2))] * level[(*before, slice(n // 2, n // 2 * 2))]]
        if n % 2:
            parts.append(level[(*before, slice(n - 1, n))])
        levels.append(xp.concat(tuple(parts), k) if n % 2 else parts[0])
    top = levels.pop()
    if g is None or top.shape[k] == 0:
        others = xp.zeros_like(top) + 1.0
    else:
        others = xp.reshape(xp.permute_dims(g, order), top.shape)
    for level in reversed(levels):
        n = level.shape[k]
        above = others[(*before, slice(0, n // 2))]
        parts = [above * level[(*before, slice(n // 2, n // 2 * 2))], above * level[(*before, slice(0, n // 2))]]
        if n % 2:
            parts.append(others[(*before, slice(n // 2, n // 2 + 1))])
        others = xp.concat(tuple(parts), k)
    back = tuple(order.index(i) for i in range(len(order)))
    return xp.permute_dims(xp.reshape(others, tuple([x.shape[i] for i in order])), back)


PROD = row(
    "prod",
    "x | axis keepdims",
    x=Rule(
        lambda xp, g, x, axis, keepdims: _products_of_others(
            xp, x, axis, xp.expand_dims(g, axis) if axis and not keepdims else g
        ),
        lambda xp, dx, x, axis, keepdims: xp.sum(dx * _products_of_others(xp, x, axis), axis, keepdims),
    ),
)

# --- log-sum-exp ----------------------------------------------------------------------------------------


def _logsumexp(xp, x, axis, keepdims):
    # Subtracting the largest element keeps exp from overflowing; an infinite one would make inf - inf.
    largest = xp.max(x, axis, True)
    largest = xp.where(xp.isfinite(largest), largest, 0.0)
    total = xp.log(xp.sum(xp.exp(x - largest), axis, True)) + largest
    return total if keepdims or not axis else xp.squeeze(total, axis)


LOGSUMEXP = row(
    "logsumexp",
    "x | axis keepdims",
    _logsumexp,
    # Its derivative is the softmax, exp(x - logsumexp); where all of x is -inf that is NaN, as in PyTorch.
    x=Rule(
        lambda xp, g, x, ans, axis, keepdims: (
            restore(xp, g, axis, keepdims) * xp.exp(x - restore(xp, ans, axis, keepdims))
        ),
        lambda xp, dx, x, ans, axis, keepdims: xp.sum(
            dx * xp.exp(x - restore(xp, ans, axis, keepdims)), axis, keepdims
        ),
    ),
)
