"""Comparisons, logic and bits: results without a gradient. Two operands broadcast and promote."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.rows import row
from tinygrad_lite.functions.from_rows import Binary, binary, unary

__all__ = [
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "equal",
    "greater",
    "greater_equal",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "nextafter",
    "not_equal",
    "signbit",
]

# --- comparisons ------------------------------------------------------------------------------------


def _comparison(name: str, symbol: str) -> Binary:
    doc = f"x1 {symbol} x2, element by element, as bools without a gradient."
    return binary(row(name, "x1 x2"), doc, ordering=True)


equal = _comparison("equal", "==")
not_equal = _comparison("not_equal", "!=")
less = _comparison("less", "<")
less_equal = _comparison("less_equal", "<=")
greater = _comparison("greater", ">")
greater_equal = _comparison("greater_equal", ">=")

# --- logic ------------------------------------------------------------------------------------------

logical_and = binary(row("logical_and", "x1 x2"), "Whether both x1 and x2 are true (not zero).\n")
logical_or = binary(row("logical_or", "x1 x2"), "Whether x1 or x2 is true (not zero).\n")
logical_xor = binary(row("logical_xor", "x1 x2"), "Whether one of x1 and x2 is true (not zero), but not both.\n")
logical_not = unary(row("logical_not", "x"), "Whether x is false (zero).\n", floating=False)

# --- bits -------------------------------------------------------------------------------------------

bitwise_and = binary(
    row("bitwise_and", "x1 x2"),
    """The bits that x1 and x2 both have; of bools, whether both are true.

    >>> bitwise_and(Tensor([12, 10]), 6)
    Tensor([4, 2], dtype=int64)
    """,
)
bitwise_or = binary(
    row("bitwise_or", "x1 x2"),
    """The bits that x1 or x2 has; of bools, whether one is true.

    >>> bitwise_or(Tensor([12, 10]), 6)
    Tensor([14, 14], dtype=int64)
    """,
)
bitwise_xor = binary(
    row("bitwise_xor", "x1 x2"),
    """The bits in which x1 and x2 differ; of bools, whether they do.

    >>> bitwise_xor(Tensor([12, 10]), 6)
    Tensor([10, 12], dtype=int64)
    """,
)
bitwise_invert = unary(
    row("bitwise_invert", "x"),
    """Every bit of x turned around, which of a signed integer is -x - 1; of bools, whether x is false.

    >>> bitwise_invert(Tensor([0, 5]))
    Tensor([-1, -6], dtype=int64)
    """,
    floating=False,
)
bitwise_left_shift = binary(
    row("bitwise_left_shift", "x1 x2"),
    """x1 with its bits moved x2 places up, x1 2^x2; what leaves the dtype is lost.

    >>> bitwise_left_shift(Tensor([1, 3]), 2)
    Tensor([ 4, 12], dtype=int64)
    """,
)
bitwise_right_shift = binary(
    row("bitwise_right_shift", "x1 x2"),
    """x1 with its bits moved x2 places down, floor(x1 / 2^x2).

    >>> bitwise_right_shift(Tensor([13, -13]), 2)
    Tensor([ 3, -4], dtype=int64)
    """,
)

# --- what a floating-point number is ----------------------------------------------------------------

isfinite = unary(row("isfinite", "x"), "Whether x is neither infinite nor NaN.\n", floating=False)
isinf = unary(row("isinf", "x"), "Whether x is infinite, of either sign.\n", floating=False)
isnan = unary(row("isnan", "x"), "Whether x is NaN.\n", floating=False)
signbit = unary(
    row("signbit", "x"),
    """Whether x has a minus sign, also that of -0.0 or of a NaN.

    >>> signbit(Tensor([-0.0, 0.0, -2.0]))
    Tensor([ True, False,  True])
    """,
)


def isposinf(x: Any, /) -> Tensor:
    """Whether x is +infinity.

    >>> isposinf(Tensor([float("inf"), -float("inf"), 1.0]))
    Tensor([ True, False, False])
    """
    return equal(x, math.inf)


def isneginf(x: Any, /) -> Tensor:
    """Whether x is -infinity.

    >>> isneginf(Tensor([float("inf"), -float("inf"), 1.0]))
    Tensor([False,  True, False])
    """
    return equal(x, -math.inf)


nextafter = binary(
    row("nextafter", "x1 x2"),
    """The next number of x1's dtype in the direction of x2; without a gradient.

    >>> nextafter(Tensor([1.0]), 2.0) > 1
    Tensor([ True])
    """,
    floating=True,
)
