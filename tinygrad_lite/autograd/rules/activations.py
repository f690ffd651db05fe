"""Activations: one row each, which saves its input or its output alone and calls few functions of the backend.

Conventions at kinks and bounds are PyTorch's, and so is what a NaN does to a gradient: a comparison decides, which
a NaN fails. Exponents are bounded before the exponential, so that nothing overflows on a branch that is not taken.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_lite.autograd.rows import Rule, diagonal, row

# --- piecewise linear -------------------------------------------------------------------------------

# "not positive" is written as <= so that a NaN passes its gradient on, as it does in PyTorch.
RELU = row("relu", "x", x=diagonal(lambda xp, g, ans: xp.where(ans <= 0, 0.0, g)))
THRESHOLD = row(
    "threshold",
    "x | threshold value",
    lambda xp, x, threshold, value: xp.where(x <= threshold, value, x),
    x=diagonal(lambda xp, g, x, threshold: xp.where(x <= threshold, 0.0, g)),
)
# Unlike clip's, these bounds do not belong to the interval: at a bound the gradient is 0.
HARDTANH = row(
    "hardtanh",
    "x | min_val max_val",
    lambda xp, x, min_val, max_val: xp.clip(x, min_val, max_val),
    x=diagonal(lambda xp, g, ans, min_val, max_val: xp.where(xp.logical_or(ans <= min_val, ans >= max_val), 0.0, g)),
)
HARDSIGMOID = row(
    "hardsigmoid",
    "x",
    lambda xp, x: xp.clip(x + 3.0, 0.0, 6.0) / 6.0,
    x=diagonal(lambda xp, g, x: xp.where(xp.abs(x) < 3, g / 6.0, 0.0)),
)
HARDSWISH = row(
    "hardswish",
    "x",
    lambda xp, x: x * (xp.clip(x + 3.0, 0.0, 6.0) / 6.0),
    x=diagonal(lambda xp, g, x: xp.where(x <= -3, 0.0, xp.where(x < 3, g * (x / 3.0 + 0.5), g))),
)


def _leaky_relu(xp, x, negative_slope):
    left = negative_slope * x
    return xp.maximum(x, left) if 0 < negative_slope <= 1 else xp.where(x > 0, x, left)


LEAKY_RELU = row(
    "leaky_relu",
    "x | negative_slope",
    _leaky_relu,
    x=diagonal(lambda xp, g, x, negative_slope: xp.where(x > 0, g, negative_slope * g)),
)
PRELU = row(
    "prelu",
    "x weight",
    lambda xp, x, weight: xp.where(x > 0, x, weight * x),
    x=diagonal(lambda xp, g, x, weight: xp.where(x > 0, g, weight * g)),
    weight=diagonal(lambda xp, g, x: xp.where(x > 0, 0.0, g * x)),
)
# Around zero the results are exact zeros and elsewhere they are not, also after rounding.
SOFTSHRINK = row(
    "softshrink",
    "x | lambd",
    lambda xp, x, lambd: x - xp.clip(x, -lambd, lambd),
    x=diagonal(lambda xp, g, ans: xp.where(ans == 0, 0.0, g)),
)
HARDSHRINK = row(
    "hardshrink",
    "x | lambd",
    lambda xp, x, lambd: xp.where(xp.abs(x) <= lambd, 0.0, x),
    x=diagonal(lambda xp, g, ans: xp.where(ans == 0, 0.0, g)),
)

# --- exponential on the left ------------------------------------------------------------------------


def _elu(xp, x, alpha, scale, rate):
    left = (scale * alpha) * xp.expm1(rate * xp.minimum(x, 0.0))
    right = xp.maximum(x, 0.0)
    return (right if scale == 1 else scale * right) + left


def _elu_rule(xp, g, x, alpha, scale, rate):
    # At 0 the slope is that of the left side, and its own slope is 0: where, unlike minimum, shares no tie.
    e = xp.exp(rate * xp.where(x < 0, x, 0.0))
    if scale * alpha * rate == scale:  # both sides meet with one slope, and e is 1 on the right
        return g * e if scale == 1 else g * (scale * e)
    return xp.where(x <= 0, g * ((scale * alpha * rate) * e), scale * g)


# scale * x on the right of 0, scale * alpha * (exp(rate * x) - 1) on the left: ELU, SELU and CELU.
ELU = row("elu", "x | alpha scale rate", _elu, x=diagonal(_elu_rule))

# --- smooth ----------------------------------------------------------------------------------------


def _matters(x, beta, threshold):
    """Whether the threshold changes a result: beyond 18 the exponential is lost to rounding in single precision,

    but ``beta * x`` may overflow where ``x`` does not.
    """
    return threshold < (math.inf if x.dtype.itemsize > 4 or beta != 1 else 18)


def _softplus(xp, x, beta, threshold):
    # log(1 + e^t) = max(t, 0) + log1p(e^-|t|): nothing overflows.
    t = x if beta == 1 else beta * x
    s = xp.maximum(t, 0.0) + xp.log1p(xp.exp(-xp.abs(t)))
    s = s if beta == 1 else s / beta
    return xp.where(t > threshold, x, s) if _matters(x, beta, threshold) else s


def _softplus_rule(xp, g, x, beta, threshold):
    t = x if beta == 1 else beta * x
    slope = g * xp.sigmoid(t)
    return xp.where(t > threshold, g, slope) if _matters(x, beta, threshold) else slope


SOFTPLUS = row("softplus", "x | beta threshold", _softplus, x=diagonal(_softplus_rule))
# The slope sigmoid(-x) = 1 - e^ans, which expm1 gives without cancellation.
LOGSIGMOID = row(
    "logsigmoid",
    "x",
    lambda xp, x: xp.minimum(x, 0.0) - xp.log1p(xp.exp(-xp.abs(x))),
    x=diagonal(lambda xp, g, ans: g * -xp.expm1(ans)),
)


def _silu_rule(xp, g, x):
    s = xp.sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


SILU = row("silu", "x", lambda xp, x: x * xp.sigmoid(x), x=diagonal(_silu_rule))


def _mish_parts(xp, x):
    """x up to the point where the function becomes x itself; there e = exp(x) and n = e (e + 2).

    tanh(log(1 + e)) = ((1 + e)^2 - 1) / ((1 + e)^2 + 1) = n / (n + 2): one exponential instead of three functions.
    """
    low = xp.minimum(x, 5.5 if x.dtype.itemsize == 2 else 20.0)  # n is finite, and n / (n + 2) rounds to 1
    e = xp.exp(low)
    return low, e, e * (e + 2)


def _mish(xp, x):
    _, _, n = _mish_parts(xp, x)
    return x * (n / (n + 2))


def _mish_rule(xp, g, x):
    # d/dx n / (n + 2) = 2 n' / (n + 2)^2 with n' = 2 e (e + 1)
    low, e, n = _mish_parts(xp, x)
    below = n + 2
    return g * (n / below + low * (4 * e / below) * ((e + 1) / below))


MISH = row("mish", "x", _mish, x=diagonal(_mish_rule))


def _gelu_rule(xp, g, x):
    # Phi(x) + x phi(x), the normal distribution and its density
    x = xp.clip(x, -40.0, 40.0)  # where the density is 0 in every precision, so that no square overflows
    distribution = 0.5 + 0.5 * xp.erf(x * math.sqrt(0.5))
    return g * (distribution + x * (xp.exp(-0.5 * (x * x)) * (1 / math.sqrt(2 * math.pi))))


GELU = row("gelu", "x", lambda xp, x: x * (0.5 + 0.5 * xp.erf(x * math.sqrt(0.5))), x=diagonal(_gelu_rule))

# Phi(x) is about (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2: Hendrycks and Gimpel, "Gaussian error linear
# units", 2016.
_SLOPE, _CUBIC = math.sqrt(2 / math.pi), 0.044715


def _gelu_tanh_parts(xp, x):
    """x up to where the tanh is 1 in every precision, so that no power overflows; its square; and the tanh."""
    bounded = xp.clip(x, -20.0, 20.0)
    square = bounded * bounded
    return bounded, square, xp.tanh(bounded * (_SLOPE + (_SLOPE * _CUBIC) * square))


def _gelu_tanh(xp, x):
    # Without names for the parts NumPy works in place, which is twice as fast.
    bounded = xp.clip(x, -20.0, 20.0)
    return x * (0.5 + 0.5 * xp.tanh(bounded * (_SLOPE + (_SLOPE * _CUBIC) * (bounded * bounded))))


def _gelu_tanh_rule(xp, g, x):
    bounded, square, t = _gelu_tanh_parts(xp, x)
    through_tanh = bounded * (0.5 * _SLOPE + (1.5 * _SLOPE * _CUBIC) * square) * (1 - t * t)
    return g * (0.5 + 0.5 * t + through_tanh)


GELU_TANH = row("gelu_tanh", "x", _gelu_tanh, x=diagonal(_gelu_tanh_rule))


def _softsign_rule(xp, g, x):
    d = 1 + xp.abs(x)
    return g / d / d  # d * d would overflow before the quotient vanishes


SOFTSIGN = row("softsign", "x", lambda xp, x: x / (1 + xp.abs(x)), x=diagonal(_softsign_rule))


def _tanhshrink_rule(xp, g, x):
    # 1 - (1 - tanh^2) would cancel near 0.
    t = xp.tanh(x)
    return g * (t * t)


TANHSHRINK = row("tanhshrink", "x", lambda xp, x: x - xp.tanh(x), x=diagonal(_tanhshrink_rule))

# --- gates -----------------------------------------------------------------------------------------


def _halves(x: Any, axis: int) -> tuple[Any, Any]:
    before, middle = (slice(None),) * axis, x.shape[axis] // 2
    return x[(*before, slice(None, middle))], x[(*before, slice(middle, None))]


def _glu(xp, x, axis):
    a, b = _halves(x, axis)
    return a * xp.sigmoid(b)


def _glu_vjp(xp, g, x, axis):
    a, b = _halves(x, axis)
    s = xp.sigmoid(b)
    open_part = g * s
    return xp.concat([open_part, open_part * (a * (1 - s))], axis)


def _glu_jvp(xp, dx, x, axis):
    a, b = _halves(x, axis)
    da, db = _halves(dx, axis)
    s = xp.sigmoid(b)
    return s * (da + db * (a * (1 - s)))


# The first half of ``axis`` let through by the sigmoid of the second.
GLU = row("glu", "x | axis", _glu, x=Rule(_glu_vjp, _glu_jvp))
