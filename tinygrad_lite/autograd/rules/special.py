"""Special functions: the logistic function, the error function and its family, the gamma function and its family."""

from __future__ import annotations

import math

from tinygrad_lite.autograd.rows import diagonal, row

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
_SQRT_HALF_OVER_PI = math.sqrt(0.5 / math.pi)
_SQRT_HALF = math.sqrt(0.5)

SIGMOID = row("sigmoid", "x", x=diagonal(lambda xp, g, ans: g * (ans * (1 - ans))))


def _variance(xp, x):
    """x (1 - x), and NaN outside [0, 1], where the logit has no value."""
    product = x * (1 - x)
    return xp.where(product < 0, math.nan, product)


LOGIT = row("logit", "x", lambda xp, x: xp.log(x / (1 - x)), x=diagonal(lambda xp, g, x: g / _variance(xp, x)))


def _log_unless(xp, zero, x):
    return xp.where(zero, 0.0, xp.log(xp.where(zero, 1.0, x)))


# x1 log(x2) is 0 at x1 = 0 for every x2 but NaN; the slope there is log(x2), and 0 where that is no number.
XLOGY = row(
    "xlogy",
    "x1 x2",
    lambda xp, x1, x2: x1 * _log_unless(xp, xp.logical_and(x1 == 0, xp.logical_not(xp.isnan(x2))), x2),
    x1=diagonal(lambda xp, g, x1, x2: g * _log_unless(xp, xp.logical_and(x1 == 0, x2 <= 0), x2)),
    x2=diagonal(lambda xp, g, x1, x2: g * (x1 / x2)),
)

# --- the error function -----------------------------------------------------------------------------

ERF = row("erf", "x", x=diagonal(lambda xp, g, x: g * (_TWO_OVER_SQRT_PI * xp.exp(-(x * x)))))
ERFC = row("erfc", "x", x=diagonal(lambda xp, g, x: g * (-_TWO_OVER_SQRT_PI * xp.exp(-(x * x)))))
ERFCX = row("erfcx", "x", x=diagonal(lambda xp, g, x, ans: g * (2 * (x * ans) - _TWO_OVER_SQRT_PI)))
ERFINV = row("erfinv", "x", x=diagonal(lambda xp, g, ans: g * (xp.exp(ans * ans) / _TWO_OVER_SQRT_PI)))


def _log_ndtr_rule(xp, g, x, ans):
    # The density over the distribution function. On the left both underflow, but their quotient, which erfcx gives,
    # does not; on the right erfcx would overflow.
    negative = x < 0
    left = 2 / xp.erfcx(-_SQRT_HALF * xp.where(negative, x, 0.0))
    right = xp.exp(xp.where(negative, 0.0, -0.5 * (x * x) - ans))
    return g * (_SQRT_HALF_OVER_PI * xp.where(negative, left, right))


LOG_NDTR = row("log_ndtr", "x", x=diagonal(_log_ndtr_rule))

# --- the gamma function -----------------------------------------------------------------------------

LGAMMA = row("lgamma", "x", x=diagonal(lambda xp, g, x: g * xp.digamma(x)))
DIGAMMA = row("digamma", "x", x=diagonal(lambda xp, g, x: g * xp.polygamma(1, x)))
POLYGAMMA = row(
    "polygamma",
    "x | n",
    lambda xp, x, n: xp.polygamma(n, x),
    x=diagonal(lambda xp, g, x, n: g * xp.polygamma(n + 1, x)),
)
