"""Layers of multilayer perceptrons: Linear, Flatten, Dropout, Identity. Each is a thin shell over one function."""

from __future__ import annotations

import operator
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.errors import ArgumentError, AxisError, DTypeError, fail
from tinygrad_lite.functions.arguments import as_tensor
from tinygrad_lite.functions.creation import zeros
from tinygrad_lite.functions.manipulation import flatten
from tinygrad_lite.functions.network import dropout, linear
from tinygrad_lite.nn import init
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.parameter import Parameter

__all__ = ["Linear", "Flatten", "Dropout", "Identity"]


class Linear(Module):
    """y = x W^T + b: the lecture's z = W x + b for a batch of rows x.

    Args:
        in_features: m, the size of the last axis of x.
        out_features: n, the size of the last axis of y.
        bias: whether to add b.
        dtype: of the parameters; float32 by default.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,) or None.

    Both start from U(-1/sqrt(m), 1/sqrt(m)): PyTorch's default and the first rule of thumb of the lecture on
    optimisation for machine learning. ``nn.init`` has others.

    Raises:
        ArgumentError, DTypeError: if a size is not a positive integer, or dtype not a floating-point one.
        ShapeError, DTypeError: in the call, if x does not fit.

    >>> from tinygrad_lite import ones
    >>> layer = Linear(784, 10)
    >>> layer(ones((64, 784))).shape, layer.weight.shape
    ((64, 10), (10, 784))
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: dtypes.DTypeLike = None) -> None:
        super().__init__()
        self.in_features = positive("Linear", "in_features", in_features)
        self.out_features = positive("Linear", "out_features", out_features)
        kind = floating_dtype("Linear", dtype)
        if isinstance(bias, str):
            hint = "an activation is a module of its own: nn.Sequential(nn.Linear(...), nn.ReLU())"
            fail(DTypeError, "Linear", f"needs True or False as bias, but got {bias!r}", {}, hint)
        self.weight = Parameter(zeros((self.out_features, self.in_features), kind))
        self.bias = Parameter(zeros(self.out_features, kind)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.fan_in_uniform_(self.weight)
        if self.bias is not None:
            bound = self.in_features**-0.5
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (..., in_features) to (..., out_features)."""
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features} -> {self.out_features}" + ("" if self.bias is not None else ", bias=False")


class Flatten(Module):
    """Joins the axes from ``start_dim`` to ``end_dim``: images (N, 28, 28) become rows (N, 784).

    Args:
        start_dim: the first axis to join; 1 leaves the batch alone.
        end_dim: the last one.

    >>> from tinygrad_lite import ones
    >>> Flatten()(ones((64, 28, 28))).shape
    (64, 784)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """The same elements with fewer axes."""
        if not isinstance(x, Tensor):
            x = as_tensor("Flatten", x)
        ndim = len(x.shape)
        if not all(-ndim <= axis < ndim for axis in (self.start_dim, self.end_dim)):
            need = f"needs axes {self.start_dim} to {self.end_dim}"
            hint = "start_dim and end_dim are axes of x, which is a batch"
            fail(AxisError, "Flatten", need, {"x": x}, "the first axis is the batch: x[None]" if ndim == 1 else hint)
        return flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        default = (self.start_dim, self.end_dim) == (1, -1)
        return "" if default else f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Dropout(Module):
    """In training, sets each element to 0 with probability ``p`` and scales the others by 1/(1-p).

    In evaluation it returns x itself. (Srivastava et al. 2014; the scale keeps the expectation.)

    Args:
        p: the probability of dropping, from 0 to 1.

    >>> from tinygrad_lite import ones
    >>> Dropout(0.5).eval()(ones(3))
    Tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not isinstance(p, (int, float)) or not 0.0 <= p <= 1.0:
            percent = isinstance(p, (int, float)) and 1 < p <= 100
            hint = f"{p} percent is the probability {p / 100}" if percent else "p=0.5 drops half of the elements"
            fail(ArgumentError, "Dropout", f"needs a probability from 0 to 1, but got p={p!r}", {}, hint)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """x, or in training x with some elements dropped."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Identity(Module):
    """Returns what it is given: stands in where a layer is taken out.

    >>> Identity()(Tensor([1.0]))
    Tensor([1.])
    """

    def forward(self, x: Any) -> Any:
        """x itself."""
        return x


def positive(operation: str, name: str, value: Any) -> int:
    """``value`` as an int of at least 1."""
    try:
        number = operator.index(value)
    except TypeError:
        hint = f"sizes are whole numbers: n // 2, not n / 2; int({name}) makes one"
        fail(DTypeError, operation, f"needs an integer {name}, but got {value!r}", {}, hint)
    if number < 1:
        hint = f"{name} is the size of one axis of the data, such as x.shape[1]"
        fail(ArgumentError, operation, f"needs {name} of at least 1, but got {number}", {}, hint)
    return number


def floating_dtype(operation: str, dtype: dtypes.DTypeLike) -> dtypes.DType:
    """The dtype of a layer's parameters; None is float32."""
    kind = dtypes.default_float if dtype is None else dtypes.as_dtype(dtype)
    if not dtypes.is_float(kind):
        hint = 'parameters have gradients, which need floats, such as dtype="float32"'
        fail(DTypeError, operation, f"needs a floating-point dtype, but got {kind.name}", {}, hint)
    return kind
