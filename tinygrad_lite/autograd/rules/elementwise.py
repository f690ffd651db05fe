"""Element-wise operations. Their Jacobians are diagonal, so one rule serves both modes.

Conventions at kinks are PyTorch's. Where a rule would divide by zero or take a logarithm of zero on a
branch that is not chosen, the argument is replaced *before* the function, or 0 * inf would make NaN of it.
"""

from __future__ import annotations

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
    lambda xp, x, exponent: x**exponent,
    x=diagonal(lambda xp, g, x, exponent: g * (exponent * x ** (exponent - 1)) if exponent else xp.zeros_like(g)),
)

# --- exponentials, powers, hyperbolic ---------------------------------------------------------------

EXP = row("exp", "x", x=diagonal(lambda xp, g, ans: g * ans))
EXPM1 = row("expm1", "x", x=diagonal(lambda xp, g, ans: g * (ans + 1)))
LOG = row("log", "x", x=diagonal(lambda xp, g, x: g / x))
LOG1P = row("log1p", "x", x=diagonal(lambda xp, g, x: g / (x + 1)))
SQRT = row("sqrt", "x", x=diagonal(lambda xp, g, ans: g / (2 * ans)))
SQUARE = row("square", "x", x=diagonal(lambda xp, g, x: g * (2 * x)))
TANH = row("tanh", "x", x=diagonal(lambda xp, g, ans: g - g * (ans * ans)))
SIN = row("sin", "x", x=diagonal(lambda xp, g, x: g * xp.cos(x)))
COS = row("cos", "x", x=diagonal(lambda xp, g, x: g * -xp.sin(x)))

# --- activations ------------------------------------------------------------------------------------

SIGMOID = row("sigmoid", "x", x=diagonal(lambda xp, g, ans: g * (ans * (1 - ans))))
# "not positive" is written as <= so that a NaN passes its gradient on, as it does in PyTorch.
RELU = row(
    "relu",
    "x",
    lambda xp, x: xp.maximum(x, 0.0),
    x=diagonal(lambda xp, g, ans: xp.where(ans <= 0, 0.0, g)),
)
# log(1 + e^x) = max(x, 0) + log1p(e^-|x|): nothing overflows.
SOFTPLUS = row(
    "softplus",
    "x",
    lambda xp, x: xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x))),
    x=diagonal(lambda xp, g, x: g * xp.sigmoid(x)),
)

# --- kinks: a tie shares the gradient, a flat point has none ------------------------------------------

ABS = row("abs", "x", x=diagonal(lambda xp, g, x: g * xp.sign(x)))
SIGN = row("sign", "x", x=diagonal(lambda xp, g: xp.zeros_like(g)))
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
# The bounds belong to the interval: at a bound the gradient is 1.
CLIP = row(
    "clip",
    "x | min max",
    lambda xp, x, min, max: xp.clip(x, min, max),
    x=diagonal(lambda xp, g, x, min, max: xp.where(_inside(xp, x, min, max), g, 0.0)),
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


# --- change of dtype ----------------------------------------------------------------------------------

# The engine casts every gradient to its operand's dtype, and every tangent to its output's.
ASTYPE = row("astype", "x | dtype", x=Rule(lambda xp, g: g, lambda xp, dx: dx))
