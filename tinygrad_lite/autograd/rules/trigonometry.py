"""Trigonometric and hyperbolic functions and their inverses.

Denominators such as 1 - x^2 are written as products, which lose nothing near 1 and do not overflow far out.
"""

from __future__ import annotations

from tinygrad_lite.autograd.rows import diagonal, row

SIN = row("sin", "x", x=diagonal(lambda xp, g, x: g * xp.cos(x)))
COS = row("cos", "x", x=diagonal(lambda xp, g, x: g * -xp.sin(x)))
TAN = row("tan", "x", x=diagonal(lambda xp, g, ans: g + g * (ans * ans)))
ASIN = row("asin", "x", x=diagonal(lambda xp, g, x: g / xp.sqrt((1 - x) * (1 + x))))
ACOS = row("acos", "x", x=diagonal(lambda xp, g, x: -g / xp.sqrt((1 - x) * (1 + x))))
ATAN = row("atan", "x", x=diagonal(lambda xp, g, x: g / (1 + x * x)))


def _quotient(xp, x, x1, x2):
    # x / (x1^2 + x2^2) without overflow, and 0 where both are 0.
    r = xp.hypot(x1, x2)
    r = xp.where(r == 0, 1.0, r)
    return (x / r) / r


ATAN2 = row(
    "atan2",
    "x1 x2",
    x1=diagonal(lambda xp, g, x1, x2: g * _quotient(xp, x2, x1, x2)),
    x2=diagonal(lambda xp, g, x1, x2: -g * _quotient(xp, x1, x1, x2)),
)
SINH = row("sinh", "x", x=diagonal(lambda xp, g, x: g * xp.cosh(x)))
COSH = row("cosh", "x", x=diagonal(lambda xp, g, x: g * xp.sinh(x)))
TANH = row("tanh", "x", x=diagonal(lambda xp, g, ans: g - g * (ans * ans)))
ASINH = row("asinh", "x", x=diagonal(lambda xp, g, x: g / xp.hypot(x, 1.0)))
ACOSH = row("acosh", "x", x=diagonal(lambda xp, g, x: g / (xp.sqrt(x - 1) * xp.sqrt(x + 1))))
ATANH = row("atanh", "x", x=diagonal(lambda xp, g, x: g / ((1 - x) * (1 + x))))
# The derivatives of sin(pi x) / (pi x) are functions of their own: a quotient would be 0/0 at 0.
SINC = row(
    "sinc",
    "x | order",
    lambda xp, x, order: xp.sinc_derivative(x, order),
    x=diagonal(lambda xp, g, x, order: g * xp.sinc_derivative(x, order + 1)),
)
