"""Element-wise operations. Their Jacobians are diagonal, so one rule serves both modes.

Conventions at kinks are PyTorch's. Where a rule would divide by zero or take a logarithm of zero on a
branch that is not chosen, the argument is replaced *before* the function, or 0 * inf would make NaN of it.
"""

from __future__ import annotations

import math

from tinygrad_lite.autograd.rows import Rule, diagonal, row

# --- arithmetic -----------------------------------------------------------------------------------

ADD = row("add", "x1 x2", x1=diagonal(lambda xp, g: g), x2=diagonal(lambda xp, g: g))
SUBTRACT = row("subtract", "x1 x2", x1=diagonal(lambda xp, g: g), x2=diagonal(lambda xp, g: -g))
MULTIPLY = row(
    "multiply",
    "x1 x2",
    x1=diagonal(lambda xp, g, x2: g * x2),
    x2=diagonal(lambda xp, g, x1: g * x1),
)
DIVIDE = row(
    "divide",
    "x1 x2",
    x1=diagonal(lambda xp, g, x2: g / x2),
    x2=diagonal(lambda xp, g, x2, ans: -g * (ans / x2)),
)
NEGATIVE = row("negative", "x", x=diagonal(lambda xp, g: -g))
POSITIVE = row("positive", "x", x=diagonal(lambda xp, g: g))
RECIPROCAL = row("reciprocal", "x", x=diagonal(lambda xp, g, ans: -g * (ans * ans)))
# Whole quotients are constant between their jumps, so that a remainder x1 - x2 q has the slopes 1 and -q.
FLOOR_DIVIDE = row(
    "floor_divide",
    "x1 x2",
    x1=diagonal(lambda xp, g: xp.zeros_like(g)),
    x2=diagonal(lambda xp, g: xp.zeros_like(g)),
)
REMAINDER = row(
    "remainder",
    "x1 x2",
    x1=diagonal(lambda xp, g: g),
    x2=diagonal(lambda xp, g, x1, x2: -g * xp.floor_divide(x1, x2)),
)
FMOD = row(
    "fmod",
    "x1 x2",
    x1=diagonal(lambda xp, g: g),
    x2=diagonal(lambda xp, g, x1, x2: -g * xp.trunc(x1 / x2)),
)


def _pow_base(xp, g, x1, x2):
    # d x^y / dx = y x^(y-1), and 0 for y = 0 even at x = 0, where x^(y-1) is infinite.
    zero = x2 == 0
    return g * xp.where(zero, 0.0, x2 * x1 ** xp.where(zero, 1.0, x2 - 1))


def _pow_exponent(xp, g, x1, x2, ans):
    # d x^y / dy = x^y log x, and 0 at x = 0 for y >= 0.
    flat = xp.logical_and(x1 == 0, x2 >= 0)
    return g * xp.where(flat, 0.0, ans * xp.log(xp.where(flat, 1.0, x1)))


POW = row("pow", "x1 x2", x1=diagonal(_pow_base), x2=diagonal(_pow_exponent))
# With a number as exponent the cases are decided before anything is computed.
POWER = row(
    "power",
    "x | exponent",
    x=diagonal(lambda xp, g, x, exponent: g * (exponent * xp.power(x, exponent - 1)) if exponent else xp.zeros_like(g)),
)

# --- exponentials and powers ------------------------------------------------------------------------

_LOG_2, _LOG_10 = math.log(2), math.log(10)

EXP = row("exp", "x", x=diagonal(lambda xp, g, ans: g * ans))
EXP2 = row("exp2", "x", x=diagonal(lambda xp, g, ans: g * (_LOG_2 * ans)))
EXPM1 = row("expm1", "x", x=diagonal(lambda xp, g, ans: g * (ans + 1)))
LOG = row("log", "x", x=diagonal(lambda xp, g, x: g / x))
LOG1P = row("log1p", "x", x=diagonal(lambda xp, g, x: g / (x + 1)))
LOG2 = row("log2", "x", x=diagonal(lambda xp, g, x: g / (_LOG_2 * x)))
LOG10 = row("log10", "x", x=diagonal(lambda xp, g, x: g / (_LOG_10 * x)))
LOGADDEXP = row(
    "logaddexp",
    "x1 x2",
    x1=diagonal(lambda xp, g, x1, x2: g * xp.sigmoid(x1 - x2)),
    x2=diagonal(lambda xp, g, x1, x2: g * xp.sigmoid(x2 - x1)),
)
LOGADDEXP2 = row(
    "logaddexp2",
    "x1 x2",
    x1=diagonal(lambda xp, g, x1, x2: g * xp.sigmoid(_LOG_2 * (x1 - x2))),
    x2=diagonal(lambda xp, g, x1, x2: g * xp.sigmoid(_LOG_2 * (x2 - x1))),
)
SQRT = row("sqrt", "x", x=diagonal(lambda xp, g, ans: g / (2 * ans)))
RSQRT = row(
    "rsqrt",
    "x",
    lambda xp, x: xp.reciprocal(xp.sqrt(x)),
    x=diagonal(lambda xp, g, ans: g * (-0.5 * (ans * ans * ans))),
)
SQUARE = row("square", "x", x=diagonal(lambda xp, g, x: g * (2 * x)))
HYPOT = row(
    "hypot",
    "x1 x2",
    x1=diagonal(lambda xp, g, x1, ans: g * (x1 / ans)),
    x2=diagonal(lambda xp, g, x2, ans: g * (x2 / ans)),
)

# --- kinks: a tie shares the gradient, a flat point has none ------------------------------------------


def _side(xp, x):
    """The sign of x as a small integer, which NaN has none of: 0."""
    return xp.astype(x > 0, "int8") - xp.astype(x < 0, "int8")


ABS = row("abs", "x", x=diagonal(lambda xp, g, x: g * _side(xp, x)))
SIGN = row("sign", "x", x=diagonal(lambda xp, g: xp.zeros_like(g)))
FLOOR = row("floor", "x", x=diagonal(lambda xp, g: xp.zeros_like(g)))
CEIL = row("ceil", "x", x=diagonal(lambda xp, g: xp.zeros_like(g)))
TRUNC = row("trunc", "x", x=diagonal(lambda xp, g: xp.zeros_like(g)))
ROUND = row("round", "x", x=diagonal(lambda xp, g: xp.zeros_like(g)))
HEAVISIDE = row(
    "heaviside",
    "x1 x2",
    x1=diagonal(lambda xp, g: xp.zeros_like(g)),
    x2=diagonal(lambda xp, g, x1: xp.where(x1 == 0, g, 0.0)),
)
COPYSIGN = row(
    "copysign",
    "x1 x2",
    x1=diagonal(lambda xp, g, x1, ans: g * (xp.sign(x1) * xp.sign(ans))),
    x2=diagonal(lambda xp, g: xp.zeros_like(g)),
)
MAXIMUM = row(
    "maximum",
    "x1 x2",
    x1=diagonal(lambda xp, g, x1, x2: xp.where(x1 == x2, g * 0.5, xp.where(x1 < x2, 0.0, g))),
    x2=diagonal(lambda xp, g, x1, x2: xp.where(x1 == x2, g * 0.5, xp.where(x2 < x1, 0.0, g))),
)
MINIMUM = row(
    "minimum",
    "x1 x2",
    x1=diagonal(lambda xp, g, x1, x2: xp.where(x1 == x2, g * 0.5, xp.where(x1 > x2, 0.0, g))),
    x2=diagonal(lambda xp, g, x1, x2: xp.where(x1 == x2, g * 0.5, xp.where(x2 > x1, 0.0, g))),
)
# The bounds belong to the interval: at a bound the gradient goes to x. Where min > max the result is max.
CLIP = row(
    "clip",
    "x min max",
    lambda xp, x, min, max: xp.clip(x, min, max),
    x=diagonal(lambda xp, g, x, min, max: xp.where(_inside(xp, x, min, max), g, 0.0)),
    min=diagonal(lambda xp, g, x, min, max: xp.where(_below(xp, x, min, max), g, 0.0)),
    max=diagonal(lambda xp, g, x, min, max: xp.where(_above(xp, x, min, max), g, 0.0)),
)
WHERE = row(
    "where",
    "condition x1 x2",
    x1=diagonal(lambda xp, g, condition: xp.where(condition, g, 0.0)),
    x2=diagonal(lambda xp, g, condition: xp.where(condition, 0.0, g)),
)


def _inside(xp, x, min, max):
    if min is None:
        return x <= max
    return x >= min if max is None else xp.logical_and(x >= min, x <= max)


def _below(xp, x, min, max):
    return x < min if max is None else xp.logical_and(x < min, min < max)


def _above(xp, x, min, max):
    return x > max if min is None else xp.logical_or(x > max, max < min)


# --- complex numbers: a real one is its own real part -------------------------------------------------

REAL = row("real", "x", x=diagonal(lambda xp, g: g))
IMAG = row("imag", "x", x=diagonal(lambda xp, g: xp.zeros_like(g)))
CONJ = row("conj", "x", x=diagonal(lambda xp, g: g))


# --- change of dtype ----------------------------------------------------------------------------------

# The engine casts every gradient to its operand's dtype, and every tangent to its output's.
ASTYPE = row("astype", "x | dtype", x=Rule(lambda xp, g: g, lambda xp, dx: dx))
