"""Trigonometric and hyperbolic functions, their inverses, and degrees; angles in radians, integers become float32."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rules import trigonometry as rules
from tinygrad_lite.functions.arguments import floating
from tinygrad_lite.functions.elementwise import multiply
from tinygrad_lite.functions.from_rows import binary, unary

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "deg2rad",
    "rad2deg",
    "sin",
    "sinc",
    "sinh",
    "tan",
    "tanh",
]

sin = unary(
    rules.SIN,
    """The sine of x in radians.

    >>> sin(Tensor([0.0, 0.5]))
    Tensor([0.       , 0.4794255])
    """,
)
cos = unary(
    rules.COS,
    """The cosine of x in radians.

    >>> cos(Tensor([0.0]))
    Tensor([1.])
    """,
)
tan = unary(
    rules.TAN,
    """The tangent of x in radians; d/dx = 1 + tan(x)^2.

    >>> tan(Tensor([0.0, 0.5]))
    Tensor([0.       , 0.5463025])
    """,
)
asin = unary(
    rules.ASIN,
    """The angle in [-pi/2, pi/2] whose sine is x; d/dx = 1 / sqrt(1 - x^2), infinite at -1 and 1.

    >>> asin(Tensor([0.0, 0.5]))
    Tensor([0.       , 0.5235988])
    """,
)
acos = unary(
    rules.ACOS,
    """The angle in [0, pi] whose cosine is x; d/dx = -1 / sqrt(1 - x^2), infinite at -1 and 1.

    >>> acos(Tensor([1.0, 0.5]))
    Tensor([0.       , 1.0471976])
    """,
)
atan = unary(
    rules.ATAN,
    """The angle in [-pi/2, pi/2] whose tangent is x; d/dx = 1 / (1 + x^2).

    >>> atan(Tensor([0.0, 1.0]))
    Tensor([0.       , 0.7853982])
    """,
)
atan2 = binary(
    rules.ATAN2,
    """The angle in [-pi, pi] from the positive first axis to the point (x2, x1).

    d/dx1 = x2 / (x1^2 + x2^2) and d/dx2 = -x1 / (x1^2 + x2^2), both 0 at the origin.

    >>> atan2(Tensor([0.0, 1.0]), Tensor([1.0, 0.0]))
    Tensor([0.      , 1.570796])
    """,
    floating=True,
)
sinh = unary(
    rules.SINH,
    """The hyperbolic sine, (exp(x) - exp(-x)) / 2.

    >>> sinh(Tensor([0.0, 1.0]))
    Tensor([0.       , 1.1752012])
    """,
)
cosh = unary(
    rules.COSH,
    """The hyperbolic cosine, (exp(x) + exp(-x)) / 2.

    >>> cosh(Tensor([0.0, 1.0]))
    Tensor([1.       , 1.5430807])
    """,
)
tanh = unary(
    rules.TANH,
    """The hyperbolic tangent; d/dx = 1 - tanh(x)^2.

    >>> tanh(Tensor([0.0, 20.0]))
    Tensor([0., 1.])
    """,
)
asinh = unary(
    rules.ASINH,
    """The number whose hyperbolic sine is x; d/dx = 1 / sqrt(x^2 + 1).

    >>> asinh(Tensor([0.0, 1.0]))
    Tensor([0.       , 0.8813736])
    """,
)
acosh = unary(
    rules.ACOSH,
    """The number of at least 0 whose hyperbolic cosine is x; d/dx = 1 / sqrt(x^2 - 1), infinite at 1.

    >>> acosh(Tensor([1.0, 2.0]))
    Tensor([0.      , 1.316958])
    """,
)
atanh = unary(
    rules.ATANH,
    """The number whose hyperbolic tangent is x; d/dx = 1 / (1 - x^2), infinite at -1 and 1.

    >>> atanh(Tensor([0.0, 0.5]))
    Tensor([0.       , 0.5493061])
    """,
)


def deg2rad(x: Any, /) -> Tensor:
    """x pi / 180: degrees in radians.

    >>> deg2rad(Tensor([0.0, 180.0]))
    Tensor([0.       , 3.1415927])
    """
    return multiply(x, math.pi / 180)


def rad2deg(x: Any, /) -> Tensor:
    """x 180 / pi: radians in degrees.

    >>> rad2deg(Tensor([0.0, 1.0]))
    Tensor([ 0.     , 57.29578])
    """
    return multiply(x, 180 / math.pi)


def sinc(x: Any, /) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0; derivatives of every order are right there, too.

    Args:
        x: any shape; integers become float32.

    Raises:
        DTypeError: for complex numbers.

    >>> sinc(Tensor([0.0, 0.5]))
    Tensor([1.       , 0.6366198])
    """
    return apply(rules.SINC, (floating("sinc", x),), (0,))


def sinc_derivative(x: Any, order: int) -> Tensor:
    """The derivative of that order of ``sinc``: what its rule uses on tensors."""
    return apply(rules.SINC, (x,), (order,))
