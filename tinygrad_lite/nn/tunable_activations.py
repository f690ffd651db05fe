"""Activations with settings, or with a slope that is drawn or learned, as modules; the others: ``activations.py``."""

from __future__ import annotations

from typing import ClassVar

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.functions import activations as functions
from tinygrad_lite.functions.arguments import number
from tinygrad_lite.functions.creation import full
from tinygrad_lite.nn import init as initialisers
from tinygrad_lite.nn.layers import floating_dtype, positive
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.parameter import Parameter

__all__ = [
    *("Threshold", "Hardtanh", "LeakyReLU", "PReLU", "RReLU", "Softshrink", "Hardshrink"),
    *("ELU", "CELU", "Softplus", "GELU", "GLU"),
]


class _WithSettings(Module):
    """A module that shows the attributes named in ``_settings``."""

    _settings: ClassVar[tuple[str, ...]] = ()

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self._settings)


class Threshold(_WithSettings):
    """x where it is greater than ``threshold``, else ``value``.

    >>> Threshold(1.0, -7.0)(Tensor([0.0, 2.0]))
    Tensor([-7.,  2.])
    """

    _settings = ("threshold", "value")

    def __init__(self, threshold: float, value: float) -> None:
        super().__init__()
        self.threshold, self.value = threshold, value

    def forward(self, x: Tensor) -> Tensor:
        """threshold(x)"""
        return functions.threshold(x, self.threshold, self.value)


class Hardtanh(_WithSettings):
    """x with everything outside [min_val, max_val] set to the nearer bound; at a bound the gradient is 0.

    >>> Hardtanh()(Tensor([-3.0, 0.5]))
    Tensor([-1. ,  0.5])
    """

    _settings = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__()
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Tensor) -> Tensor:
        """hardtanh(x)"""
        return functions.hardtanh(x, self.min_val, self.max_val)


class LeakyReLU(_WithSettings):
    """x where x > 0, else negative_slope * x.

    >>> LeakyReLU(0.5)(Tensor([-1.0, 2.0]))
    Tensor([-0.5,  2. ])
    """

    _settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """leaky_relu(x)"""
        return functions.leaky_relu(x, self.negative_slope)


class PReLU(_WithSettings):
    """x where x > 0, else weight * x, with slopes that are learned. (He, Zhang, Ren, Sun 2015.)

    Args:
        num_parameters: 1 for a slope that all channels share, or the number of channels (axis 1 of x).
        init: where every slope starts.
        dtype: of the slopes; float32 by default.

    Attributes:
        weight: (num_parameters,).

    Weight decay pulls the slopes towards 0, which is not what they are for.

    Raises:
        ArgumentError, DTypeError: if num_parameters is not a positive integer, or dtype not a floating-point one.
        ShapeError: in the call, if x has another number of channels.

    >>> PReLU()(Tensor([-1.0, 2.0])).detach()
    Tensor([-0.25,  2.  ])
    """

    _settings = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: dtypes.DTypeLike = None) -> None:
        super().__init__()
        self.num_parameters = positive("PReLU", "num_parameters", num_parameters)
        self.init = number("PReLU", "init", init)
        self.weight = Parameter(full(self.num_parameters, self.init, dtype=floating_dtype("PReLU", dtype)))

    def reset_parameters(self) -> None:
        """Set every slope back to ``init``."""
        initialisers.constant_(self.weight, self.init)

    def forward(self, x: Tensor) -> Tensor:
        """prelu(x, weight)"""
        return functions.prelu(x, self.weight)


class RReLU(_WithSettings):
    """x where x > 0, else slope * x; in training every element has its own slope from U[lower, upper).

    In evaluation the slope is (lower + upper) / 2. (Xu, Wang, Chen, Li 2015.)

    >>> RReLU(0.25, 0.75).eval()(Tensor([-1.0, 2.0]))
    Tensor([-0.5,  2. ])
    """

    _settings = ("lower", "upper")

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper

    def forward(self, x: Tensor) -> Tensor:
        """rrelu(x), drawn in training"""
        return functions.rrelu(x, self.lower, self.upper, self.training)


class Softshrink(Module):
    """x moved towards 0 by ``lambd``, and 0 where |x| <= lambd.

    >>> Softshrink()(Tensor([-2.0, 0.25]))
    Tensor([-1.5,  0. ])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Tensor) -> Tensor:
        """softshrink(x)"""
        return functions.softshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(Module):
    """x where |x| > lambd, else 0.

    >>> Hardshrink()(Tensor([-2.0, 0.25]))
    Tensor([-2.,  0.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Tensor) -> Tensor:
        """hardshrink(x)"""
        return functions.hardshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class ELU(_WithSettings):
    """x where x > 0, else alpha * (e^x - 1).

    >>> ELU()(Tensor([-100.0, 2.0]))
    Tensor([-1.,  2.])
    """

    _settings = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """elu(x)"""
        return functions.elu(x, self.alpha)


class CELU(_WithSettings):
    """x where x > 0, else alpha * (e^(x / alpha) - 1).

    >>> CELU(2.0)(Tensor([-100.0, 2.0]))
    Tensor([-2.,  2.])
    """

    _settings = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """celu(x)"""
        return functions.celu(x, self.alpha)


class Softplus(_WithSettings):
    """log(1 + e^(beta x)) / beta, a smooth max(x, 0), without overflow; x itself where beta x > threshold.

    >>> Softplus()(Tensor([0.0, 1000.0]))
    Tensor([6.931472e-01, 1.000000e+03])
    """

    _settings = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Tensor) -> Tensor:
        """softplus(x)"""
        return functions.softplus(x, self.beta, self.threshold)


class GELU(_WithSettings):
    """x * Phi(x), with the distribution function of the normal distribution, exact or by tanh.

    Args:
        approximate: ``"none"`` or ``"tanh"``.

    >>> GELU()(Tensor([0.0, 100.0]))
    Tensor([  0., 100.])
    """

    _settings = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """gelu(x)"""
        return functions.gelu(x, self.approximate)


class GLU(_WithSettings):
    """a * sigmoid(b), where a and b are the halves of x along ``dim``.

    >>> GLU()(Tensor([1.0, 2.0, 0.0, 100.0]))
    Tensor([0.5, 2. ])
    """

    _settings = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """glu(x)"""
        return functions.glu(x, self.dim)
