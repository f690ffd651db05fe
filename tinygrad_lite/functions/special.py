"""Special functions: logistic, entropy terms, the error function and its family, the gamma function and its family.

They are computed with a relative error of a few units in the last place (see ``backends/cpu/special.py`` and
``gamma_function.py`` for how); integers become float32, and complex numbers are refused.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, operand
from tinygrad_lite.autograd.rules import special as rules
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import checked_keywords, floating, integer, number
from tinygrad_lite.functions.elementwise import beside, clip, multiply
from tinygrad_lite.functions.from_rows import binary, unary

__all__ = [
    "digamma",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "lgamma",
    "log_ndtr",
    "logit",
    "ndtr",
    "polygamma",
    "sigmoid",
    "xlogy",
]

# --- the logistic function and entropy ----------------------------------------------------------------

sigmoid = unary(
    rules.SIGMOID,
    """1 / (1 + exp(-x)), without overflow; d/dx = s (1 - s).

    >>> sigmoid(Tensor([0.0, 100.0]))
    Tensor([0.5, 1. ])
    """,
    real=True,
)
_logit = unary(rules.LOGIT, "log(x / (1 - x))")


@checked_keywords
def logit(x: Any, /, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of ``sigmoid``; d/dx = 1 / (x (1 - x)).

    Args:
        x: any shape.
        eps: if given, x is clipped to [eps, 1 - eps] first, and has no gradient outside.

    Raises:
        ArgumentError: if ``eps`` is not in [0, 0.5].

    >>> logit(Tensor([0.5, 0.75]))
    Tensor([0.      , 1.098612])
    """
    if eps is None:
        return _logit(x)
    margin = number("logit", "eps", eps)
    if not 0 <= margin <= 0.5:
        fail(ArgumentError, "logit", f"needs eps in [0, 0.5], but got {margin!r}")
    return _logit(clip(floating("logit", x), margin, 1 - margin))


_xlogy = binary(rules.XLOGY, "x1 log(x2)", floating=True)


@checked_keywords
def xlogy(x1: Any, x2: Any, /) -> Tensor:
    """x1 log(x2), and 0 where x1 is 0, whatever x2 is but NaN; d/dx1 = log(x2), d/dx2 = x1 / x2.

    Where x1 = 0 and x2 <= 0, the gradient of x1 is 0.

    Args:
        x1, x2: tensors or numbers; they broadcast and promote, and integers become float32.

    >>> xlogy(Tensor([0.0, 2.0]), Tensor([0.0, 3.0]))
    Tensor([0.      , 2.197225])
    """
    first, second = operand("xlogy", x1, "x1"), operand("xlogy", x2, "x2")
    return _xlogy(beside("xlogy", first, second, True), beside("xlogy", second, first, True))


# --- the error function -------------------------------------------------------------------------------

erf = unary(
    rules.ERF,
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x; d/dx = 2/sqrt(pi) exp(-x^2).

    >>> erf(Tensor([0.0, 1.0]))
    Tensor([0.      , 0.842701])
    """,
    real=True,
)
erfc = unary(
    rules.ERFC,
    """1 - erf(x), accurate for large x, where erf is almost 1.

    >>> erfc(Tensor([0.0, 5.0]))
    Tensor([1.0000e+00, 1.5375e-12])
    """,
    real=True,
)
erfcx = unary(
    rules.ERFCX,
    """exp(x^2) erfc(x), about 1 / (sqrt(pi) x) for large x; d/dx = 2 x erfcx(x) - 2/sqrt(pi).

    >>> erfcx(Tensor([0.0, 100.0]))
    Tensor([1.      , 0.005642])
    """,
    real=True,
)
erfinv = unary(
    rules.ERFINV,
    """The number whose erf is x, for x in [-1, 1]; infinite at the ends, and so is the gradient.

    >>> erfinv(Tensor([0.0, 0.5]))
    Tensor([0.      , 0.476936])
    """,
    real=True,
)


def ndtr(x: Any, /) -> Tensor:
    """The standard normal distribution function, erfc(-x / sqrt(2)) / 2: the probability of a number below x.

    Args:
        x: any shape; integers become float32.

    Raises:
        DTypeError: for complex numbers.

    >>> ndtr(Tensor([0.0, 1.0]))
    Tensor([0.5     , 0.841345])
    """
    return multiply(erfc(multiply(floating("ndtr", x), -math.sqrt(0.5))), 0.5)


log_ndtr = unary(
    rules.LOG_NDTR,
    """The logarithm of ``ndtr``, accurate far out on both sides.

    >>> log_ndtr(Tensor([-100.0, 0.0]))
    Tensor([-5.00552e+03, -6.93147e-01])
    """,
    real=True,
)

# --- the gamma function -------------------------------------------------------------------------------

lgamma = unary(
    rules.LGAMMA,
    """log |gamma(x)|, infinite at 0 and the negative integers; d/dx = digamma(x).

    >>> lgamma(Tensor([1.0, 5.0]))
    Tensor([0.      , 3.178054])
    """,
    real=True,
)
digamma = unary(
    rules.DIGAMMA,
    """The derivative of ``lgamma``, gamma'(x) / gamma(x); at 0 infinite, at negative integers NaN.

    >>> digamma(Tensor([1.0, 5.0]))
    Tensor([-0.57722,  1.50612])
    """,
    real=True,
)


_LARGEST_ORDER = 160  # a little less than where n! leaves float64, so that derivatives are still to be had


@checked_keywords
def polygamma(n: int, x: Any, /) -> Tensor:
    """The n-th derivative of ``digamma``; d/dx = polygamma(n + 1, x).

    Args:
        n: from 0 to 160; polygamma(0, x) is digamma(x).
        x: any shape; integers become float32.

    Raises:
        ArgumentError: if ``n`` is out of range.
        DTypeError: if it is no integer, or x is complex.

    >>> polygamma(1, Tensor([1.0, 2.0]))
    Tensor([1.64493 , 0.644934])
    """
    order = integer("polygamma", "n", n)
    if not 0 <= order <= _LARGEST_ORDER:
        fail(ArgumentError, "polygamma", f"needs an n from 0 to {_LARGEST_ORDER}, but got {order}")
    return apply(rules.POLYGAMMA, (floating("polygamma", x),), (order,))
