"""Element-wise functions of one or two tensors. Two operands broadcast against each other and promote.

They are made from the rows of ``autograd/rules/elementwise.py``; integers become float32 where the result
is not an integer. Names are those of the Python array API standard.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd import record
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, operand
from tinygrad_lite.autograd.rows import namespaces, row
from tinygrad_lite.autograd.rules import elementwise as rules
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, number
from tinygrad_lite.functions.from_rows import Binary, binary, unary
from tinygrad_lite.functions.manipulation import astype

__all__ = [
    "abs",
    "add",
    "clip",
    "cos",
    "divide",
    "equal",
    "exp",
    "expm1",
    "greater",
    "greater_equal",
    "isfinite",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "pow",
    "relu",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "subtract",
    "tanh",
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
            result: Tensor = apply(rules.POWER, (x1,), (x2,))
            return result
    return _pow(x1, x2)


# --- exponentials and powers ----------------------------------------------------------------------

exp = unary(
    rules.EXP,
    """e to the power x.

    >>> exp(Tensor([0.0, 1.0]))
    Tensor([1.       , 2.7182819])
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
sqrt = unary(
    rules.SQRT,
    """The square root; d/dx = 1/(2 sqrt(x)), infinite at 0.

    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
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
tanh = unary(
    rules.TANH,
    """The hyperbolic tangent; d/dx = 1 - tanh(x)^2.

    >>> tanh(Tensor([0.0, 20.0]))
    Tensor([0., 1.])
    """,
)

# --- activations ------------------------------------------------------------------------------------

sigmoid = unary(
    rules.SIGMOID,
    """1 / (1 + exp(-x)), without overflow; d/dx = s (1 - s).

    >>> sigmoid(Tensor([0.0, 100.0]))
    Tensor([0.5, 1. ])
    """,
)
relu = unary(
    rules.RELU,
    """max(x, 0); the gradient at 0 is 0.

    >>> relu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([0., 0., 2.])
    """,
)
softplus = unary(
    rules.SOFTPLUS,
    """log(1 + exp(x)), without overflow; d/dx = sigmoid(x).

    >>> softplus(Tensor([0.0, 100.0]))
    Tensor([  0.6931472, 100.       ])
    """,
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
def clip(x: Any, /, min: float | None = None, max: float | None = None) -> Tensor:
    """x with everything outside [min, max] set to the nearer bound; at a bound the gradient is 1.

    Args:
        x: any shape.
        min: the lower bound, a number, or None for no bound.
        max: the upper bound, likewise.

    >>> clip(Tensor([-1.0, 0.5, 3.0]), 0, 1)
    Tensor([0. , 0.5, 1. ])
    """
    if min is None and max is None:
        fail(ArgumentError, "clip", "needs min, max or both", {"x": x})
    tensor, hint = as_tensor("clip", x), "maximum and minimum take tensors as bounds"
    low = None if min is None else number("clip", "min", min, hint)
    high = None if max is None else number("clip", "max", max, hint)
    dtype = dtypes.result_type(tensor, *(bound for bound in (low, high) if bound is not None))
    result: Tensor = apply(rules.CLIP, (astype(tensor, dtype),), (low, high))
    return result


def where(condition: Any, x1: Any, x2: Any, /) -> Tensor:
    """x1 where ``condition`` holds, else x2; each gets the gradient of the elements it gave.

    Args:
        condition: bool tensor.
        x1, x2: tensors or numbers; all three broadcast.

    >>> where(Tensor([True, False]), 1.0, Tensor([5.0, 6.0]))
    Tensor([1., 6.])
    """
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
            a, b = xp.asarray(a), xp.asarray(b)
        x1, x2 = holding(x1, a), holding(x2, b)
    result: Tensor = apply(rules.WHERE, (condition, x1, x2))
    return result


def holding(x: Any, data: Any) -> Any:
    """``x`` with its promoted array; the engine casts the gradient back to x's own dtype."""
    from tinygrad_lite.autograd.graph import make_tensor

    if not hasattr(data, "dtype"):
        return record.Number(data)
    tensor = make_tensor(data, getattr(x, "_node", None))
    tensor._version = getattr(x, "_version", None)
    return tensor


# --- comparisons and logic: bool results, no gradient ---------------------------------------------------


def _comparison(name: str, symbol: str) -> Binary:
    doc = f"x1 {symbol} x2, element by element, as bools without a gradient."
    return binary(row(name, "x1 x2"), doc)


equal = _comparison("equal", "==")
not_equal = _comparison("not_equal", "!=")
less = _comparison("less", "<")
less_equal = _comparison("less_equal", "<=")
greater = _comparison("greater", ">")
greater_equal = _comparison("greater_equal", ">=")
logical_and = binary(row("logical_and", "x1 x2"), "Whether both x1 and x2 are true (not zero).\n")
logical_or = binary(row("logical_or", "x1 x2"), "Whether x1 or x2 is true (not zero).\n")
logical_not = unary(row("logical_not", "x"), "Whether x is false (zero).\n", floating=False)
isfinite = unary(row("isfinite", "x"), "Whether x is neither infinite nor NaN.\n", floating=False)
isnan = unary(row("isnan", "x"), "Whether x is NaN.\n", floating=False)
