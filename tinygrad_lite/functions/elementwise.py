"""Element-wise arithmetic, exponentials, powers and choices. Two operands broadcast against each other and promote.

They are made from the rows of ``autograd/rules/elementwise.py``; integers become float32 where the result
is not an integer. Names are those of the Python array API standard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd import record
from tinygrad_lite.autograd.graph import Number, Tensor, make_tensor
from tinygrad_lite.autograd.record import apply, operand
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules import elementwise as rules
from tinygrad_lite.autograd.rules.manipulation import CLONE
from tinygrad_lite.errors import ArgumentError, DTypeError, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, floating, number
from tinygrad_lite.functions.devices import on_device_of
from tinygrad_lite.functions.from_rows import binary, unary
from tinygrad_lite.functions.logic import equal, isnan, not_equal
from tinygrad_lite.functions.manipulation import cast

__all__ = [
    "abs",
    "add",
    "clip",
    "copysign",
    "divide",
    "exp",
    "exp2",
    "expm1",
    "heaviside",
    "hypot",
    "lerp",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "multiply",
    "nan_to_num",
    "negative",
    "positive",
    "pow",
    "reciprocal",
    "rsqrt",
    "sign",
    "sqrt",
    "square",
    "subtract",
    "where",
]

# --- arithmetic -----------------------------------------------------------------------------------

add = binary(
    rules.ADD,
    """x1 + x2; the gradient goes to both unchanged.

    >>> add(Tensor([1.0, 2.0]), 1)
    Tensor([2., 3.])
    """,
)
subtract = binary(
    rules.SUBTRACT,
    """x1 - x2.

    >>> subtract(Tensor([1.0, 2.0]), 1)
    Tensor([0., 1.])
    """,
)
multiply = binary(
    rules.MULTIPLY,
    """x1 * x2, element by element; d/dx1 = x2.

    >>> multiply(Tensor([1.0, 2.0]), Tensor([[3.0], [4.0]]))
    Tensor([[3., 6.],
            [4., 8.]])
    """,
)
divide = binary(
    rules.DIVIDE,
    """x1 / x2; d/dx1 = 1/x2, d/dx2 = -x1/x2^2. Integers give float32.

    >>> divide(Tensor([1, 2]), 4)
    Tensor([0.25, 0.5 ])
    """,
    floating=True,
)
negative = unary(
    rules.NEGATIVE,
    """-x.

    >>> negative(Tensor([1, -2]))
    Tensor([-1,  2], dtype=int64)
    """,
    floating=False,
)
positive = unary(
    rules.POSITIVE,
    """+x, a tensor with the same elements.

    >>> positive(Tensor([1, -2]))
    Tensor([ 1, -2], dtype=int64)
    """,
    floating=False,
)
reciprocal = unary(
    rules.RECIPROCAL,
    """1 / x; d/dx = -1 / x^2.

    >>> reciprocal(Tensor([2, 4]))
    Tensor([0.5 , 0.25])
    """,
)


@checked_keywords
def lerp(x1: Any, x2: Any, weight: Any, /) -> Tensor:
    """x1 (1 - weight) + x2 weight: on the way from x1 to x2, and exactly there for the weights 0 and 1.

    Args:
        x1, x2: tensors or numbers.
        weight: tensor or number, likewise with a gradient; all three broadcast.

    >>> lerp(Tensor([0.0, 10.0]), Tensor([1.0, 20.0]), 0.25)
    Tensor([ 0.25, 12.5 ])
    """
    home = x1 if isinstance(x1, Tensor) else x2
    if isinstance(weight, np.generic) and isinstance(home, Tensor):  # a number, which goes with any device
        weight = on_device_of("lerp", weight, home, "weight")
    rest = 1 - weight if type(weight) in (int, float) else subtract(1, weight)
    return add(_product(x1, rest), _product(x2, weight))


def _product(a: Any, b: Any) -> Any:
    """Two numbers make a number, which goes with any dtype and device."""
    return a * b if type(a) in (int, float) and type(b) in (int, float) else multiply(a, b)


_pow = record.binary(rules.POW)


def pow(x1: Any, x2: Any, /) -> Tensor:
    """x1 to the power x2; d/dx1 = x2 x1^(x2-1), d/dx2 = x1^x2 log x1.

    At x2 = 0 the first derivative is 0 even for x1 = 0, and the second is 0 at x1 = 0 for x2 >= 0.

    >>> pow(Tensor([2.0, 3.0]), 2)
    Tensor([4., 9.])
    """
    if type(x2) in (int, float) and not isinstance(x1, (int, float)):
        x1 = operand("pow", x1, "x1")
        if x1._data.dtype.kind == "f":
            return power(x1, x2)
    return _pow(x1, x2)


def power(x: Any, exponent: float, /) -> Tensor:
    """Floats to the power of a Python number.

    >>> power(Tensor([2.0, -3.0]), 3)
    Tensor([  8., -27.])
    """
    return apply(rules.POWER, (x,), (exponent,))


# --- exponentials and powers ----------------------------------------------------------------------

exp = unary(
    rules.EXP,
    """e to the power x.

    >>> exp(Tensor([0.0, 1.0]))
    Tensor([1.       , 2.7182819])
    """,
)
exp2 = unary(
    rules.EXP2,
    """2 to the power x; d/dx = 2^x log 2.

    >>> exp2(Tensor([0.0, 3.0]))
    Tensor([1., 8.])
    """,
)
expm1 = unary(
    rules.EXPM1,
    """exp(x) - 1, accurate near 0.

    >>> expm1(Tensor([0.0, 1e-10]))
    Tensor([0.e+00, 1.e-10])
    """,
)
log = unary(
    rules.LOG,
    """The natural logarithm; d/dx = 1/x.

    >>> log(Tensor([1.0, 2.0]))
    Tensor([0.       , 0.6931472])
    """,
)
log1p = unary(
    rules.LOG1P,
    """log(1 + x), accurate near 0.

    >>> log1p(Tensor([0.0, 1e-10]))
    Tensor([0.e+00, 1.e-10])
    """,
)
log2 = unary(
    rules.LOG2,
    """The logarithm to the base 2; d/dx = 1 / (x log 2).

    >>> log2(Tensor([1.0, 8.0]))
    Tensor([0., 3.])
    """,
)
log10 = unary(
    rules.LOG10,
    """The logarithm to the base 10; d/dx = 1 / (x log 10).

    >>> log10(Tensor([1.0, 20.0]))
    Tensor([0.      , 1.301030])
    """,
)
logaddexp = binary(
    rules.LOGADDEXP,
    """log(exp(x1) + exp(x2)), without overflow; d/dx1 = sigmoid(x1 - x2), d/dx2 = sigmoid(x2 - x1).

    >>> logaddexp(Tensor([0.0, 1000.0]), 0.0)
    Tensor([6.931472e-01, 1.000000e+03])
    """,
    floating=True,
)
logaddexp2 = binary(
    rules.LOGADDEXP2,
    """log2(2^x1 + 2^x2), without overflow.

    >>> logaddexp2(Tensor([0.0, 1000.0]), 0.0)
    Tensor([   1., 1000.])
    """,
    floating=True,
)
sqrt = unary(
    rules.SQRT,
    """The square root; d/dx = 1/(2 sqrt(x)), infinite at 0.

    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """,
)
rsqrt = unary(
    rules.RSQRT,
    """1 / sqrt(x); d/dx = -1 / (2 x sqrt(x)).

    >>> rsqrt(Tensor([4.0, 16.0]))
    Tensor([0.5 , 0.25])
    """,
)
square = unary(
    rules.SQUARE,
    """x * x.

    >>> square(Tensor([2, -3]))
    Tensor([4, 9], dtype=int64)
    """,
    floating=False,
)
hypot = binary(
    rules.HYPOT,
    """sqrt(x1^2 + x2^2), without overflow; d/dx1 = x1 / hypot, NaN where both are 0.

    >>> hypot(Tensor([3.0, 5.0]), Tensor([4.0, 12.0]))
    Tensor([ 5., 13.])
    """,
    floating=True,
)

# --- comparisons with a gradient ----------------------------------------------------------------------

abs = unary(
    rules.ABS,
    """The absolute value; the gradient at 0 is 0.

    >>> abs(Tensor([-2, 3]))
    Tensor([2, 3], dtype=int64)
    """,
    floating=False,
)
sign = unary(
    rules.SIGN,
    """-1, 0 or 1; its gradient is 0 everywhere.

    >>> sign(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-1.,  0.,  1.])
    """,
    floating=False,
)
copysign = binary(
    rules.COPYSIGN,
    """|x1| with the sign of x2, be it that of a zero; d/dx1 = 1 where x1 keeps its sign, -1 where not, 0 at 0.

    >>> copysign(Tensor([1.0, -2.0]), Tensor([-0.0, 3.0]))
    Tensor([-1.,  2.])
    """,
    floating=True,
)
heaviside = binary(
    rules.HEAVISIDE,
    """0 where x1 < 0, x2 where x1 is 0, and 1 where x1 > 0; the gradient goes to x2 alone.

    >>> heaviside(Tensor([-1.0, 0.0, 2.0]), 0.5)
    Tensor([0. , 0.5, 1. ])
    """,
    floating=True,
)
maximum = binary(
    rules.MAXIMUM,
    """The larger of x1 and x2; a tie gives each half of the gradient.

    >>> maximum(Tensor([1.0, 5.0]), 3)
    Tensor([3., 5.])
    """,
)
minimum = binary(
    rules.MINIMUM,
    """The smaller of x1 and x2; a tie gives each half of the gradient.

    >>> minimum(Tensor([1.0, 5.0]), 3)
    Tensor([1., 3.])
    """,
)


@checked_keywords
def clip(x: Any, /, min: Any = None, max: Any = None) -> Tensor:
    """x with everything outside [min, max] set to the nearer bound; where min > max, to max.

    The gradient goes to x inside and at a bound, to the bound outside.

    Args:
        x: any shape.
        min: the lower bound, a number or a tensor that broadcasts with x; None for no bound.
        max: the upper bound, likewise.

    Returns:
        A tensor with the dtype of x; of integers with floating-point bounds, a floating-point one.

    Raises:
        ArgumentError: if a bound is an integer that the dtype cannot hold.
        DTypeError: for complex numbers.

    >>> clip(Tensor([-1.0, 0.5, 3.0]), 0, 1)
    Tensor([0. , 0.5, 1. ])
    >>> clip(Tensor([-1.0, 0.5, 3.0]), max=Tensor([0.0, 1.0, 2.0]))
    Tensor([-1. ,  0.5,  2. ])
    """
    tensor = as_tensor("clip", x)
    bounds = [None if bound is None else _bound(tensor, bound, name) for name, bound in (("min", min), ("max", max))]
    given = [bound._data for bound in bounds if bound is not None]
    dtype = result = tensor._data.dtype
    if any(getattr(bound, "dtype", dtype).kind == "c" or type(bound) is complex for bound in (*given, tensor._data)):
        named = {"x": tensor, "min": min, "max": max}
        shown = {k: v for k, v in named.items() if v is not None}
        fail(DTypeError, "clip", "needs real numbers", shown, "complex numbers have no order: clip abs(x)")
    if dtype.kind != "f":  # bounds of another kind, or wider than x, decide what is compared
        for bound in given:
            dtype = dtypes.promote(dtype, bound.dtype) if hasattr(bound, "dtype") else dtypes.with_number(dtype, bound)
        result = result if dtype.kind in "iu" and result.kind in "iu" else dtype
        _require_range("clip", tensor, given, result)
    if not given:
        return apply(CLONE, (tensor,))
    low, high = (cast(bound, dtype) if isinstance(bound, Tensor) else bound for bound in bounds)
    return cast(apply(rules.CLIP, (cast(tensor, dtype), low, high)), result)


def _bound(x: Tensor, bound: Any, name: str) -> Tensor | Number:
    if isinstance(bound, np.generic):  # a number, which goes with any device
        return on_device_of("clip", bound, x, name)
    return operand("clip", bound, name)


def _require_range(operation: str, x: Tensor, numbers: Sequence[Any], dtype: dtypes.DType) -> None:
    """Refuse Python integers that an integer dtype cannot hold."""
    for value in numbers:
        if type(value) is int and dtype.kind in "iu":
            limits = dtypes.iinfo(dtype)
            if not limits.min <= value <= limits.max:
                need, hint = f"needs numbers that {dtype.name} can hold, but got {value}", "convert x with astype first"
                fail(ArgumentError, operation, need, {"x": x}, hint)


@checked_keywords
def nan_to_num(x: Any, /, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """x with numbers in the place of NaN and infinities, where the gradient is 0.

    Args:
        x: any shape; integers stay as they are.
        nan: what NaN becomes.
        posinf: what infinity becomes; None means the largest number of the dtype.
        neginf: what -infinity becomes; None means the smallest.

    Raises:
        DTypeError: for complex numbers.

    >>> nan_to_num(Tensor([float("nan"), float("inf"), 1.0]), posinf=9.0)
    Tensor([0., 9., 1.])
    """
    tensor = as_tensor("nan_to_num", x)
    dtype = tensor._data.dtype
    if dtype.kind in "biu":
        return apply(CLONE, (tensor,))
    tensor = floating("nan_to_num", tensor)
    limits = dtypes.finfo(dtype)
    high = limits.max if posinf is None else number("nan_to_num", "posinf", posinf)
    low = limits.min if neginf is None else number("nan_to_num", "neginf", neginf)
    finite = where(equal(tensor, math.inf), high, where(equal(tensor, -math.inf), low, tensor))
    return where(isnan(tensor), number("nan_to_num", "nan", nan), finite)


@checked_keywords
def where(condition: Any, x1: Any, x2: Any, /) -> Tensor:
    """x1 where ``condition`` holds, else x2; each gets the gradient of the elements it gave.

    Args:
        condition: bool tensor.
        x1, x2: tensors or numbers; all three broadcast.

    >>> where(Tensor([True, False]), 1.0, Tensor([5.0, 6.0]))
    Tensor([1., 6.])
    """
    home = x1 if isinstance(x1, Tensor) else x2
    if type(condition) in (bool, int, float) and isinstance(home, Tensor):  # numbers go with any device
        condition = on_device_of("where", condition, home, "condition")
    condition = as_tensor("where", condition, "condition")
    if condition._data.dtype.kind != "b":
        condition = not_equal(condition, 0)
    if type(x1) in (float, int) and isinstance(x2, Tensor) and x2._data.dtype.kind == "f":
        x1 = operand("where", x1, "x1")  # stays a weak number
    elif type(x2) in (float, int) and isinstance(x1, Tensor) and x1._data.dtype.kind == "f":
        x2 = operand("where", x2, "x2")
    else:
        _, _, a, b = record.promoted(rules.WHERE, x1, x2)
        if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):  # numbers go where the condition is
            xp = namespaces[type(condition._data)]
            a = xp.asarray(a)
            b = xp.full((), b, a.dtype) if type(b) is float else xp.asarray(b)
        x1, x2 = holding(x1, a), holding(x2, b)
    result: Tensor = apply(rules.WHERE, (condition, x1, x2))
    return result


def beside(operation: str, x: Any, other: Any, floating: bool = False) -> Tensor:
    """A Number as a tensor of the dtype and on the device that it gets beside another operand; tensors as they are.

    ``floating``: where that would be an integer type, it is float32 instead.
    """
    if isinstance(x, Tensor) or not isinstance(other, Tensor):
        return record.tensor_of(operation, x, "x")
    dtype = dtypes.with_number(other._data.dtype, x._data)
    dtype = dtypes.default_float if floating and dtype.kind in "biu" else dtype
    try:
        return make_tensor(namespaces[type(other._data)].full((), x._data, dtype))
    except OverflowError:
        need, hint = f"needs a number that {dtype.name} can hold", "convert the tensor with astype first"
        fail(ArgumentError, operation, need, {"x": other, "number": x._data}, hint)


def holding(x: Any, data: Any) -> Any:
    """``x`` with its promoted array; the engine casts the gradient back to x's own dtype."""
    if not hasattr(data, "dtype"):
        return Number(data)
    tensor = make_tensor(data, getattr(x, "_node", None))
    tensor._version = getattr(x, "_version", None)
    return tensor
