"""Initialisers: fill a tensor in place, with random numbers drawn on the CPU from the package's one stream.

A weight is (out, in, ...): m = fan_in counts what enters one output, in times the remaining axes; n = fan_out
counts what one input enters, out times the remaining axes. All names with a trailing underscore write into
the tensor, outside the graph, and return it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.dialects import refusing
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions import random
from tinygrad_lite.functions.arguments import checked_keywords, number
from tinygrad_lite.nn.parameter import write

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "fan_in_uniform_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}


def _checked(operation: str, tensor: Tensor) -> Tensor:
    if not isinstance(tensor, Tensor) or tensor.dtype.kind != "f" or not tensor.is_leaf:
        hint = "initialise a parameter of a layer, such as layer.weight, or a tensor of floats"
        fail(DTypeError, operation, "needs a floating-point leaf tensor", {"tensor": tensor}, hint)
    return tensor


def _filled(operation: str, tensor: Tensor, values: Any) -> Tensor:
    write(_checked(operation, tensor), values)
    return tensor


def _fans(operation: str, tensor: Tensor) -> tuple[int, int]:
    """(m, n) = (fan_in, fan_out)."""
    shape = _checked(operation, tensor).shape
    if len(shape) < 2:
        fail(
            ShapeError,
            operation,
            "needs a weight of shape (out, in, ...)",
            {"tensor": tensor},
            "use uniform_ for biases",
        )
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


# --- plain distributions ------------------------------------------------------------------------------


@checked_keywords
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with U(a, b).

    >>> from tinygrad_lite import zeros
    >>> x = uniform_(zeros(100), -2.0, -1.0)
    >>> bool(((x >= -2.0) & (x <= -1.0)).all())
    True
    """
    _checked("uniform_", tensor)
    write(tensor, random.uniform(tensor.shape, a, b, dtype=tensor.dtype)._data)
    return tensor


@checked_keywords
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill from the normal distribution with the given mean and standard deviation.

    >>> from tinygrad_lite import zeros
    >>> bool(abs(normal_(zeros(10_000), mean=3.0).mean() - 3.0) < 0.1)
    True
    """
    _checked("normal_", tensor)
    write(tensor, random.normal(tensor.shape, mean, std, dtype=tensor.dtype)._data)
    return tensor


@checked_keywords
def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fill from the normal distribution restricted to [a, b]: numbers outside are drawn again.

    Args:
        tensor: any shape.
        mean, std: of the normal distribution before the cut.
        a, b: bounds on the values (not in units of std) between which at least 0.01 % of the numbers fall.

    >>> from tinygrad_lite import zeros
    >>> bool((abs(trunc_normal_(zeros(1000), std=2.0)) <= 2.0).all())
    True
    """
    _checked("trunc_normal_", tensor)
    given = {"mean": mean, "std": std, "a": a, "b": b}
    mean, std, a, b = (number("trunc_normal_", name, value) for name, value in given.items())
    share = 0.0  # of the distribution between the bounds
    if a < b and std > 0:
        low, high = ((bound - mean) / (std * math.sqrt(2)) for bound in (a, b))
        share = (math.erf(high) - math.erf(low)) / 2
    if not share > 1e-4:  # else drawing again would take for ever
        need = f"needs std > 0 and bounds that leave room, but got mean={mean}, std={std}, a={a}, b={b}"
        fail(ArgumentError, "trunc_normal_", need, {}, "the bounds a and b are values, such as mean - 2 * std")
    values = random.normal(tensor.shape, mean, std, dtype="float64")._data
    outside = (values < a) | (values > b)
    while outside.any():
        values[outside] = random.normal((int(outside.sum()),), mean, std, dtype="float64")._data
        outside = (values < a) | (values > b)
    write(tensor, values)
    return tensor


@checked_keywords
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number.

    >>> from tinygrad_lite import zeros
    >>> constant_(zeros(2), 0.5)
    Tensor([0.5, 0.5])
    """
    return _filled("constant_", tensor, number("constant_", "val", val))


@checked_keywords
def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros.

    >>> zeros_(Tensor([1.0, 2.0]))
    Tensor([0., 0.])
    """
    return _filled("zeros_", tensor, 0.0)


@checked_keywords
def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones.

    >>> ones_(Tensor([0.0, 2.0]))
    Tensor([1., 1.])
    """
    return _filled("ones_", tensor, 1.0)


@checked_keywords
def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with ones on the diagonal and zeros elsewhere.

    >>> from tinygrad_lite import zeros
    >>> eye_(zeros((2, 3)))
    Tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if len(_checked("eye_", tensor).shape) != 2:
        fail(ShapeError, "eye_", "needs a matrix", {"tensor": tensor}, "zeros_ and ones_ fill any shape")
    return _filled("eye_", tensor, np.eye(tensor.shape[0], tensor.shape[1]))


# --- scaled to the sizes of the layer -----------------------------------------------------------------


@checked_keywords
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which an activation's weights are scaled up, because it makes its input smaller.

    Args:
        nonlinearity: ``"linear"`` (1), ``"sigmoid"`` (1), ``"tanh"`` (5/3), ``"relu"`` (sqrt 2), ``"selu"``
            (3/4) or ``"leaky_relu"`` (sqrt(2 / (1 + slope^2))).
        param: the slope of ``"leaky_relu"``; 0.01 by default.

    >>> calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else number("calculate_gain", "param", param)
        return math.sqrt(2.0 / (1.0 + slope * slope))
    if not isinstance(nonlinearity, str) or nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        hint = "for others take relu, or multiply by a gain of your own"
        fail(ArgumentError, "calculate_gain", f"knows {names}, but got {nonlinearity!r}", {}, hint)
    return _GAINS[nonlinearity]


@checked_keywords
def fan_in_uniform_(tensor: Tensor) -> Tensor:
    """Fill with U(-1/sqrt(m), 1/sqrt(m)), m = fan_in: the default of ``Linear``.

    The first rule of thumb of the lecture on optimisation for machine learning (m inputs, n outputs); LeCun
    et al., "Efficient BackProp" (1998), ask for the same order of magnitude.

    >>> from tinygrad_lite import zeros
    >>> bool((abs(fan_in_uniform_(zeros((10, 100)))) <= 0.1).all())
    True
    """
    fan_in, _ = _fans("fan_in_uniform_", tensor)
    bound = 1.0 / math.sqrt(fan_in) if fan_in else 0.0
    return uniform_(tensor, -bound, bound)


@checked_keywords
def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with U(-a, a), a = gain * sqrt(6 / (m + n)), m = fan_in and n = fan_out.

    The second rule of thumb of the lecture on optimisation for machine learning: a compromise between a
    constant variance of activations and of gradients (Glorot and Bengio 2010, equation 16).

    >>> from tinygrad_lite import zeros
    >>> bool((abs(xavier_uniform_(zeros((2, 4)))) <= 1.0).all())
    True
    """
    fans = sum(_fans("xavier_uniform_", tensor))
    bound = number("xavier_uniform_", "gain", gain) * math.sqrt(6.0 / max(fans, 1))
    return uniform_(tensor, -bound, bound)


@checked_keywords
def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill from N(0, s^2), s = gain * sqrt(2 / (m + n)) (Glorot and Bengio 2010).

    >>> from tinygrad_lite import zeros
    >>> bool(abs(xavier_normal_(zeros((100, 100))).square().mean() - 0.01) < 0.001)
    True
    """
    fans = sum(_fans("xavier_normal_", tensor))
    return normal_(tensor, 0.0, number("xavier_normal_", "gain", gain) * math.sqrt(2.0 / max(fans, 1)))


def _kaiming_std(operation: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fans = dict(zip(("fan_in", "fan_out"), _fans(operation, tensor)))
    if not isinstance(mode, str) or mode not in fans:
        hint = '"fan_in" keeps the variance in the forward pass, "fan_out" in the backward pass'
        fail(ArgumentError, operation, f'needs mode "fan_in" or "fan_out", but got {mode!r}', {}, hint)
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fans[mode], 1))


@checked_keywords
def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fill with U(-b, b), b = gain * sqrt(3 / fan): keeps the variance through ReLU layers (He et al. 2015).

    Args:
        tensor: (out, in, ...).
        a: the slope of leaky ReLU below 0; 0 is ReLU.
        mode: ``"fan_in"`` keeps the variance of activations, ``"fan_out"`` that of gradients.
        nonlinearity: what follows the layer; see ``calculate_gain``.

    >>> from tinygrad_lite import zeros
    >>> bool((abs(kaiming_uniform_(zeros((10, 6)))) <= 1.0).all())
    True
    """
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


@checked_keywords
def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fill from N(0, s^2), s = gain / sqrt(fan) (He et al. 2015); arguments as for ``kaiming_uniform_``.

    >>> from tinygrad_lite import zeros
    >>> bool(abs(kaiming_normal_(zeros((100, 200))).square().mean() - 0.01) < 0.001)
    True
    """
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity))


@checked_keywords
def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with ``gain`` times a random matrix with orthonormal rows, or columns if there are fewer of them.

    Axes beyond the first count as one. From the QR decomposition of a normal matrix, with R's diagonal made
    positive, which makes the result uniform over orthogonal matrices (Mezzadri 2007; Saxe et al. 2014).

    >>> from tinygrad_lite import zeros
    >>> w = orthogonal_(zeros((2, 3), dtype="float64"))
    >>> bool((abs(w @ w.mT - Tensor([[1.0, 0.0], [0.0, 1.0]])) < 1e-12).all())
    True
    """
    _fans("orthogonal_", tensor)
    shape, gain = tensor.shape, number("orthogonal_", "gain", gain)
    rows, columns = shape[0], math.prod(shape[1:])
    if rows and columns:
        drawn = random.normal((max(rows, columns), min(rows, columns)), dtype="float64")._data
        q, r = np.linalg.qr(drawn)
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        write(tensor, gain * (q.T if rows < columns else q).reshape(shape))
    return tensor


if not TYPE_CHECKING:  # mypy knows every name
    __getattr__ = refusing("tinygrad_lite.nn.init")
