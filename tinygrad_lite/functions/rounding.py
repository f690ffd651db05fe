"""Rounding: to whole numbers, to multiples, and what is left over. Integers stay integers; the steps have no slope."""

from __future__ import annotations

from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.rules import elementwise as rules
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, integer
from tinygrad_lite.functions.elementwise import divide, multiply, subtract
from tinygrad_lite.functions.from_rows import binary, unary
from tinygrad_lite.functions.manipulation import cast

__all__ = ["ceil", "floor", "floor_divide", "fmod", "frac", "remainder", "round", "trunc"]

floor = unary(
    rules.FLOOR,
    """The largest whole number up to x; its gradient is 0 everywhere.

    >>> floor(Tensor([1.7, -1.2]))
    Tensor([ 1., -2.])
    """,
    floating=False,
)
ceil = unary(
    rules.CEIL,
    """The smallest whole number from x on; its gradient is 0 everywhere.

    >>> ceil(Tensor([1.2, -1.7]))
    Tensor([ 2., -1.])
    """,
    floating=False,
)
trunc = unary(
    rules.TRUNC,
    """x without what stands behind the point; its gradient is 0 everywhere.

    >>> trunc(Tensor([1.7, -1.7]))
    Tensor([ 1., -1.])
    """,
    floating=False,
)
_MOST = 308  # 10.0 ** 309 is infinite
_round = unary(rules.ROUND, "The nearest whole number.", floating=False)


@checked_keywords
def round(x: Any, /, decimals: int = 0) -> Tensor:
    """The nearest number with ``decimals`` digits behind the point; halves go to the even one.

    Its gradient is 0 everywhere.

    Args:
        x: any shape.
        decimals: with a negative number digits before the point become zeros.

    Raises:
        ArgumentError: if ``decimals`` is beyond what a float64 has.

    >>> round(Tensor([0.5, 1.5, -1.7]))
    Tensor([ 0.,  2., -2.])
    >>> round(Tensor([1.26]), decimals=1)
    Tensor([1.3])
    """
    if type(decimals) is int and decimals == 0:
        return _round(x)
    places = integer("round", "decimals", decimals)
    if abs(places) > _MOST:
        fail(ArgumentError, "round", f"needs decimals from -{_MOST} to {_MOST}, but got {places}")
    tensor = as_tensor("round", x)
    dtype = tensor._data.dtype
    if dtype.kind in "biu":
        return _round(tensor) if places >= 0 else cast(round(cast(tensor, dtypes.float64), places), dtype)
    if dtype == dtypes.float16:  # in which 100 * 1000 is too large
        return cast(round(cast(tensor, dtypes.float32), places), dtype)
    scale = 10.0 ** abs(places)
    if places < 0:
        return multiply(_round(divide(tensor, scale)), scale)
    return divide(_round(multiply(tensor, scale)), scale)


floor_divide = binary(
    rules.FLOOR_DIVIDE,
    """The largest whole number up to x1 / x2; its gradient is 0 everywhere. Integers stay integers.

    >>> floor_divide(Tensor([7, -7]), 2)
    Tensor([ 3, -4], dtype=int64)
    """,
)
remainder = binary(
    rules.REMAINDER,
    """x1 - x2 floor(x1 / x2), which has the sign of x2; d/dx1 = 1, d/dx2 = -floor(x1 / x2).

    >>> remainder(Tensor([7, -7]), 4)
    Tensor([3, 1], dtype=int64)
    """,
)
fmod = binary(
    rules.FMOD,
    """x1 - x2 trunc(x1 / x2), which has the sign of x1; d/dx1 = 1, d/dx2 = -trunc(x1 / x2).

    >>> fmod(Tensor([7, -7]), 4)
    Tensor([ 3, -3], dtype=int64)
    """,
)


def frac(x: Any, /) -> Tensor:
    """What stands behind the point, x - trunc(x), with the sign of x; d/dx = 1.

    >>> frac(Tensor([1.5, -1.25]))
    Tensor([ 0.5 , -0.25])
    """
    return subtract(x, trunc(x))
