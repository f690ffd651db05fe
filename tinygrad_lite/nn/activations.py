"""Activations as modules. ``Linear`` followed by ReLU, Tanh or Sigmoid runs as one operation in ``Sequential``."""

from __future__ import annotations

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.functions.elementwise import relu, sigmoid, softplus, tanh
from tinygrad_lite.functions.network import log_softmax, softmax
from tinygrad_lite.nn.module import Module

__all__ = ["ReLU", "Tanh", "Sigmoid", "Softplus", "Softmax", "LogSoftmax"]


class ReLU(Module):
    """max(x, 0); the gradient at 0 is 0.

    >>> ReLU()(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """max(x, 0)"""
        return relu(x)


class Tanh(Module):
    """(e^x - e^-x) / (e^x + e^-x)

    >>> Tanh()(Tensor([0.0]))
    Tensor([0.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """tanh(x)"""
        return tanh(x)


class Sigmoid(Module):
    """1 / (1 + e^-x), the lectures' sigma.

    >>> Sigmoid()(Tensor([0.0]))
    Tensor([0.5])
    """

    def forward(self, x: Tensor) -> Tensor:
        """sigma(x)"""
        return sigmoid(x)


class Softplus(Module):
    """log(1 + e^x), a smooth max(x, 0), without overflow.

    >>> Softplus()(Tensor([0.0, 1000.0]))
    Tensor([6.931472e-01, 1.000000e+03])
    """

    def forward(self, x: Tensor) -> Tensor:
        """log(1 + e^x)"""
        return softplus(x)


class Softmax(Module):
    """exp(x_j) / sum_i exp(x_i) along ``dim``: positive numbers that add up to 1.

    Train with ``CrossEntropyLoss`` on the logits instead, which keeps more digits.

    >>> Softmax()(Tensor([0.0, 0.0]))
    Tensor([0.5, 0.5])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """softmax(x)"""
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """log(softmax(x)) along ``dim``, without overflow or underflow.

    >>> LogSoftmax()(Tensor([0.0, 0.0]))
    Tensor([-0.6931472, -0.6931472])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """log(softmax(x))"""
        return log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
