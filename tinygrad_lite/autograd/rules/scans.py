"""Running sums, products and extrema, and the linear recurrence. ``axis`` is one non-negative int here."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Rule, row

# --- sums ---------------------------------------------------------------------------------------------

CUMULATIVE_SUM = row(
    "cumulative_sum",
    "x | axis",
    x=Rule(
        lambda xp, g, axis: xp.flip(xp.cumulative_sum(xp.flip(g, (axis,)), axis), (axis,)),
        lambda xp, dx, axis: xp.cumulative_sum(dx, axis),
    ),
)

# --- the recurrence and products ------------------------------------------------------------------------

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

# --- extrema so far -------------------------------------------------------------------------------------


def _chosen(xp: Any, x: Any, ans: Any, axis: int) -> Any:
    """Where along ``axis`` each extremum was found: of equal ones the last so far, and of NaN too, as in PyTorch."""
    place = xp.cumulative_sum(xp.zeros_like(x, dtype="int64") + 1, axis) - 1
    found = xp.logical_or(x == ans, xp.isnan(x))
    return xp.cumulative_max(xp.where(found, place, 0), axis)


_EXTREMUM = Rule(
    lambda xp, g, x, ans, axis: xp.add_along_axis(g, _chosen(xp, x, ans, axis), x.shape, axis),
    lambda xp, dx, x, ans, axis: xp.take_along_axis(dx, _chosen(xp, x, ans, axis), axis),
)
CUMULATIVE_MAX = row("cumulative_max", "x | axis", x=_EXTREMUM)
CUMULATIVE_MIN = row("cumulative_min", "x | axis", x=_EXTREMUM)

# --- log-sum-exp so far ---------------------------------------------------------------------------------

# dy_k/dx_i = exp(x_i - y_k) for i <= k. Taken apart as exp(x_i - y_i) exp(y_i - y_(i+1)) ... exp(y_(k-1) - y_k), no
# factor is above 1, because y rises: the sums over k and over i are recurrences that cannot overflow.


def _fading(xp, ans, axis):
    """exp(y_(k-1) - y_k), and 0 for the first."""
    n = ans.shape[axis]
    if n == 0:
        return ans
    keep = (slice(None),) * axis
    steps = xp.exp(ans[(*keep, slice(0, n - 1))] - ans[(*keep, slice(1, n))])
    return xp.concat((xp.zeros_like(ans[(*keep, slice(0, 1))]), steps), axis)


LOGCUMSUMEXP = row(
    "logcumsumexp",
    "x | axis",
    x=Rule(
        lambda xp, g, x, ans, axis: _scan_adjoint(xp, g, _fading(xp, ans, axis), axis, False) * xp.exp(x - ans),
        lambda xp, dx, x, ans, axis: xp.linear_scan(_fading(xp, ans, axis), dx * xp.exp(x - ans), axis, False),
    ),
)
