"""Sums, means, extrema and scans along axes. ``axis`` is always a tuple of non-negative ints here."""

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
CUMULATIVE_SUM = row(
    "cumulative_sum",
    "x | axis",
    x=Rule(
        lambda xp, g, axis: xp.flip(xp.cumulative_sum(xp.flip(g, (axis,)), axis), (axis,)),
        lambda xp, dx, axis: xp.cumulative_sum(dx, axis),
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

# --- scans ------------------------------------------------------------------------------------------------

# h_t = a_t h_(t-1) + b_t. Its adjoint is the same recurrence run the other way, with a shifted by one:
# G_t = g_t + a_(t+1) G_(t+1); then db_t = G_t and da_t = G_t h_(t-1).


def _shift(xp, x, axis, reverse, fill):
    """``x`` moved by one along ``axis``, towards the end (or, in reverse, the start)."""
    n = x.shape[axis]
    if n == 0:
        return x
    edge = xp.zeros_like(x, shape=(*x.shape[:axis], 1, *x.shape[axis + 1 :])) + fill
    keep = (slice(None),) * axis + ((slice(1, n) if reverse else slice(0, n - 1)),)
    return xp.concat((x[keep], edge) if reverse else (edge, x[keep]), axis)


def _scan_adjoint(xp, g, a, axis, reverse):
    return xp.linear_scan(_shift(xp, a, axis, not reverse, 0.0), g, axis, not reverse)


LINEAR_SCAN = row(
    "linear_scan",
    "a b | axis reverse",
    a=Rule(
        lambda xp, g, a, ans, axis, reverse: (
            _scan_adjoint(xp, g, a, axis, reverse) * _shift(xp, ans, axis, reverse, 0.0)
        ),
        lambda xp, da, a, ans, axis, reverse: xp.linear_scan(
            a, da * _shift(xp, ans, axis, reverse, 0.0), axis, reverse
        ),
    ),
    b=Rule(
        _scan_adjoint,
        lambda xp, db, a, axis, reverse: xp.linear_scan(a, db, axis, reverse),
    ),
)

# y_k = x_1 ... x_k. Dividing by x would fail at zeros. Instead dy_k/dx_i = y_(i-1) x_(i+1) ... x_k, and the sum
# over k is the recurrence S_i = g_i + x_(i+1) S_(i+1): exact everywhere.
CUMULATIVE_PROD = row(
    "cumulative_prod",
    "x | axis",
    x=Rule(
        lambda xp, g, x, ans, axis: _shift(xp, ans, axis, False, 1.0) * _scan_adjoint(xp, g, x, axis, False),
        lambda xp, dx, x, ans, axis: xp.linear_scan(x, dx * _shift(xp, ans, axis, False, 1.0), axis, False),
    ),
)
