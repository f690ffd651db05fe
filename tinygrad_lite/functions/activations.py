"""Activations of neural networks, element by element but for ``glu``; integers become float32.

They are made from the rows of ``autograd/rules/activations.py`` and carry PyTorch's names, defaults and formulas.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules import activations as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import axis_number, checked_keywords, floating, number
from tinygrad_lite.functions.devices import on_device_of
from tinygrad_lite.functions.elementwise import multiply, where
from tinygrad_lite.functions.from_rows import unary
from tinygrad_lite.functions.manipulation import reshape
from tinygrad_lite.functions.stream import next_key

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
]

# --- piecewise linear -------------------------------------------------------------------------------

relu = unary(
    rules.RELU,
    """max(x, 0); the gradient at 0 is 0.

    >>> relu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([0., 0., 2.])
    """,
    real=True,
)


def relu6(x: Any, /) -> Tensor:
    """min(max(x, 0), 6); the gradient at 0 and at 6 is 0.

    >>> relu6(Tensor([-1.0, 2.0, 8.0]))
    Tensor([0., 2., 6.])
    """
    return apply(rules.HARDTANH, (floating("relu6", x),), (0.0, 6.0))


@checked_keywords
def threshold(x: Any, /, threshold: float, value: float) -> Tensor:
    """x where it is greater than ``threshold``, else ``value``; the gradient at the threshold is 0.

    Args:
        x: any shape.
        threshold, value: numbers.

    >>> threshold(Tensor([0.0, 1.0, 2.0]), 1.0, -7.0)
    Tensor([-7., -7.,  2.])
    """
    x = floating("threshold", x)
    statics = number("threshold", "threshold", threshold), float(number("threshold", "value", value))
    return apply(rules.THRESHOLD, (x,), statics)


@checked_keywords
def hardtanh(x: Any, /, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x with everything outside [min_val, max_val] set to the nearer bound; at a bound the gradient is 0.

    ``clip`` gives the same values, and a gradient of 1 at a bound.

    Args:
        x: any shape.
        min_val, max_val: numbers, the first not greater than the second.

    Raises:
        ArgumentError: if min_val > max_val.

    >>> hardtanh(Tensor([-3.0, 0.5, 3.0]))
    Tensor([-1. ,  0.5,  1. ])
    """
    x = floating("hardtanh", x)
    low, high = number("hardtanh", "min_val", min_val), number("hardtanh", "max_val", max_val)
    if not low <= high:
        need = f"needs min_val <= max_val, but got {low} and {high}"
        fail(ArgumentError, "hardtanh", need, {"x": x}, "exchange the two" if low > high else "")
    return apply(rules.HARDTANH, (x,), (low, high))


hardsigmoid = unary(
    rules.HARDSIGMOID,
    """min(max(x + 3, 0), 6) / 6: a sigmoid of three straight pieces; the gradient at -3 and at 3 is 0.

    >>> hardsigmoid(Tensor([-4.0, 0.0, 1.5, 4.0]))
    Tensor([0.  , 0.5 , 0.75, 1.  ])
    """,
    real=True,
)
hardswish = unary(
    rules.HARDSWISH,
    """x * hardsigmoid(x); the gradient is 0 at -3 and 1 at 3.

    >>> hardswish(Tensor([-4.0, 1.5, 4.0]))
    Tensor([-0.   ,  1.125,  4.   ])
    """,
    real=True,
)


@checked_keywords
def leaky_relu(x: Any, /, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, else negative_slope * x; the gradient at 0 is negative_slope.

    >>> leaky_relu(Tensor([-1.0, 2.0]), 0.5)
    Tensor([-0.5,  2. ])
    """
    x = floating("leaky_relu", x)
    return apply(rules.LEAKY_RELU, (x,), (number("leaky_relu", "negative_slope", negative_slope),))


@checked_keywords
def prelu(x: Any, weight: Any, /) -> Tensor:
    """x where x > 0, else weight * x, with a slope that is learned; the gradient at 0 is the weight.

    Args:
        x: any shape; axis 1 holds the channels (a tensor with fewer axes has one channel).
        weight: a tensor with a single slope, or (C,) with a slope for every channel.

    Raises:
        ShapeError: if there is neither one slope nor one per channel.

    >>> prelu(Tensor([[-1.0, -1.0], [2.0, -2.0]]), Tensor([0.5, 0.25]))
    Tensor([[-0.5 , -0.25],
            [ 2.  , -0.5 ]])
    """
    x = floating("prelu", x)
    weight = floating("prelu", on_device_of("prelu", weight, x, "weight"), "weight")
    shape, slopes = x._data.shape, weight._data.shape
    channels = shape[1] if len(shape) > 1 else 1
    if len(slopes) > 1 or slopes not in ((), (1,), (channels,)):
        need = "needs a weight of shape () or (1,): one slope for the one channel of x"
        if channels != 1:
            need = f"needs a weight of shape (), (1,) or ({channels},): one slope, or one per channel (axis 1 of x)"
        fail(ShapeError, "prelu", need, {"x": x, "weight": weight})
    if x._data.dtype != weight._data.dtype:
        hint = f'x.astype("{weight._data.dtype.name}")'
        fail(DTypeError, "prelu", "needs one dtype", {"x": x, "weight": weight}, hint)
    if len(shape) > 1:
        weight = reshape(weight, (-1 if slopes else 1,) + (1,) * (len(shape) - 2))
    elif len(shape) == 0:
        weight = reshape(weight, ())
    return apply(rules.PRELU, (x, weight))


@checked_keywords
def rrelu(x: Any, /, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """leaky_relu with a slope that is drawn from U[lower, upper) for every element in training.

    Otherwise the slope is the mean (lower + upper) / 2. (Xu, Wang, Chen, Li 2015.) The slopes come from the package's
    random stream (``manual_seed``).

    Args:
        x: any shape.
        lower, upper: finite numbers, the first not greater than the second.
        training: whether to draw.

    Raises:
        ArgumentError: if the bounds are not finite or out of order.

    >>> rrelu(Tensor([-1.0, 2.0]), 0.25, 0.75)
    Tensor([-0.5,  2. ])
    """
    x = floating("rrelu", x)
    low, high = number("rrelu", "lower", lower), number("rrelu", "upper", upper)
    if not -math.inf < low <= high < math.inf:
        fail(ArgumentError, "rrelu", f"needs finite lower <= upper, but got {low} and {high}", {"x": x})
    if not training:
        return apply(rules.LEAKY_RELU, (x,), ((low + high) / 2,))
    data = x._data
    drawn = namespaces[type(data)].uniform(*next_key(), data.shape, data.dtype)
    # The slopes are constants: neither they nor the choice between them and 1 has a derivative.
    slopes = where(make_tensor(data) <= 0, make_tensor(drawn) * (high - low) + low, 1.0)
    return multiply(x, slopes)


@checked_keywords
def softshrink(x: Any, /, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by ``lambd``, and 0 where |x| <= lambd, where the gradient is 0 as well.

    Raises:
        ArgumentError: if lambd is negative.

    >>> softshrink(Tensor([-2.0, 0.5, 1.0]))
    Tensor([-1.5,  0. ,  0.5])
    """
    x = floating("softshrink", x)
    return apply(rules.SOFTSHRINK, (x,), (_width("softshrink", x, lambd),))


@checked_keywords
def hardshrink(x: Any, /, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0; the gradient at -lambd and at lambd is 0.

    Raises:
        ArgumentError: if lambd is negative.

    >>> hardshrink(Tensor([-2.0, 0.5, 1.0]))
    Tensor([-2.,  0.,  1.])
    """
    x = floating("hardshrink", x)
    return apply(rules.HARDSHRINK, (x,), (_width("hardshrink", x, lambd),))


def _width(operation: str, x: Tensor, lambd: Any) -> float:
    width = number(operation, "lambd", lambd)
    if not width >= 0:
        fail(ArgumentError, operation, f"needs lambd of at least 0, but got {width}", {"x": x})
    return width


# --- exponential on the left ------------------------------------------------------------------------


@checked_keywords
def elu(x: Any, /, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha * (exp(x) - 1); the gradient at 0 is alpha.

    (Clevert, Unterthiner, Hochreiter 2016.)

    >>> elu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([-0.63212055,  0.        ,  2.        ])
    """
    return apply(rules.ELU, (floating("elu", x),), (number("elu", "alpha", alpha), 1.0, 1.0))


@checked_keywords
def celu(x: Any, /, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha * (exp(x / alpha) - 1): the slope at 0 is 1 from both sides. (Barron 2017.)

    Raises:
        ArgumentError: if alpha is 0.

    >>> celu(Tensor([-1.0, 0.0, 2.0]), 2.0)
    Tensor([-0.7869387,  0.       ,  2.       ])
    """
    x, alpha = floating("celu", x), number("celu", "alpha", alpha)
    if alpha == 0:
        fail(ArgumentError, "celu", "needs an alpha that is not 0", {"x": x})
    return apply(rules.ELU, (x,), (alpha, 1.0, 1 / alpha))


#: scale and alpha for which normal inputs of mean 0 and variance 1 keep both (Klambauer, Unterthiner, Mayr,
#: Hochreiter, "Self-normalizing neural networks", 2017, equation 14)
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def selu(x: Any, /) -> Tensor:
    """scale * elu(x, alpha) with scale = 1.0507 and alpha = 1.6733, which keep mean 0 and variance 1 over layers.

    The gradient at 0 is scale * alpha. (Klambauer, Unterthiner, Mayr, Hochreiter 2017.)

    >>> selu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([-1.1113307,  0.       ,  2.101402 ])
    """
    return apply(rules.ELU, (floating("selu", x),), (_SELU_ALPHA, _SELU_SCALE, 1.0))


# --- smooth ----------------------------------------------------------------------------------------


@checked_keywords
def softplus(x: Any, /, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, a smooth max(x, 0), without overflow; d/dx = sigmoid(beta x).

    Args:
        x: any shape.
        beta: how sharp the bend is, not 0.
        threshold: where beta x is greater, the result is x and the slope 1, which is right to 9 digits at 20.
            ``math.inf`` gives every digit everywhere.

    Raises:
        ArgumentError: if beta is 0.

    >>> softplus(Tensor([0.0, 100.0]))
    Tensor([  0.6931472, 100.       ])
    """
    x, beta = floating("softplus", x), number("softplus", "beta", beta)
    if beta == 0:
        fail(ArgumentError, "softplus", "needs a beta that is not 0", {"x": x})
    return apply(rules.SOFTPLUS, (x,), (beta, number("softplus", "threshold", threshold)))


logsigmoid = unary(
    rules.LOGSIGMOID,
    """log(1 / (1 + exp(-x))), without overflow; d/dx = sigmoid(-x).

    >>> logsigmoid(Tensor([-100.0, 0.0]))
    Tensor([-100.       ,   -0.6931472])
    """,
    real=True,
)
silu = unary(
    rules.SILU,
    """x * sigmoid(x), also called swish. (Elfwing, Uchibe, Doya 2017.)

    >>> silu(Tensor([0.0, 1.0, 100.0]))
    Tensor([  0.       ,   0.7310586, 100.       ])
    """,
    real=True,
)
mish = unary(
    rules.MISH,
    """x * tanh(softplus(x)). (Misra 2019.)

    >>> mish(Tensor([0.0, 100.0]))
    Tensor([  0., 100.])
    """,
    real=True,
)


@checked_keywords
def gelu(x: Any, /, approximate: str = "none") -> Tensor:
    """x * Phi(x), with the distribution function Phi of the normal distribution. (Hendrycks and Gimpel 2016.)

    Args:
        x: any shape.
        approximate: ``"none"`` for Phi(x) = (1 + erf(x / sqrt(2))) / 2, or ``"tanh"`` for
            Phi(x) = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, which is off by at most 0.0005 in x * Phi(x).

    Raises:
        ArgumentError: for another word.

    >>> gelu(Tensor([0.0, 100.0]))
    Tensor([  0., 100.])
    """
    x = floating("gelu", x)
    if approximate == "none":
        return apply(rules.GELU, (x,))
    if approximate != "tanh":
        hint = '"tanh" is the faster approximation, "none" the exact form'
        need = f'knows the forms "none" and "tanh", but got approximate={approximate!r}'
        fail(ArgumentError, "gelu", need, {}, hint)
    return apply(rules.GELU_TANH, (x,))


softsign = unary(
    rules.SOFTSIGN,
    """x / (1 + |x|).

    >>> softsign(Tensor([-1.0, 0.0, 3.0]))
    Tensor([-0.5 ,  0.  ,  0.75])
    """,
    real=True,
)
tanhshrink = unary(
    rules.TANHSHRINK,
    """x - tanh(x); d/dx = tanh(x)^2.

    >>> tanhshrink(Tensor([0.0, 100.0]))
    Tensor([ 0., 99.])
    """,
    real=True,
)


# --- gates -----------------------------------------------------------------------------------------


@checked_keywords
def glu(x: Any, /, axis: int = -1) -> Tensor:
    """a * sigmoid(b), where a and b are the halves of x along ``axis``. (Dauphin, Fan, Auli, Grangier 2017.)

    Args:
        x: with an even size along ``axis``.
        axis: the axis to halve.

    Returns:
        x's shape with half the size along ``axis``.

    Raises:
        AxisError: if x has no such axis.
        ShapeError: if the size is odd.

    >>> glu(Tensor([1.0, 2.0, 0.0, 100.0]))
    Tensor([0.5, 2. ])
    """
    x = floating("glu", x)
    place = axis_number("glu", axis, x._data.ndim, x)
    size = x._data.shape[place]
    if size % 2:
        hint = "one half is multiplied with the sigmoid of the other"
        fail(ShapeError, "glu", f"needs an even size along axis {place}, but it is {size}", {"x": x}, hint)
    return apply(rules.GLU, (x,), (place,))
