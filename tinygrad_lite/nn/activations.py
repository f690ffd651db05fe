"""Activations without settings, and the softmax family, as modules.

``Linear`` followed by ReLU, Tanh or Sigmoid runs as one operation in ``Sequential``.
Activations with settings: ``tunable_activations.py``.
"""

from __future__ import annotations

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.errors import ShapeError, fail
from tinygrad_lite.functions.activations import (
    hardsigmoid,
    hardswish,
    logsigmoid,
    mish,
    relu,
    relu6,
    selu,
    silu,
    softsign,
    tanhshrink,
)
from tinygrad_lite.functions.network import log_softmax, softmax, softmin
from tinygrad_lite.functions.special import sigmoid
from tinygrad_lite.functions.trigonometry import tanh
from tinygrad_lite.nn.module import Module

__all__ = [
    *("ReLU", "Tanh", "Sigmoid", "ReLU6", "Hardsigmoid", "Hardswish", "SELU"),
    *("LogSigmoid", "SiLU", "Mish", "Softsign", "Tanhshrink"),
    *("Softmax", "LogSoftmax", "Softmin", "Softmax2d"),
]


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


class ReLU6(Module):
    """min(max(x, 0), 6)

    >>> ReLU6()(Tensor([-1.0, 8.0]))
    Tensor([0., 6.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """relu6(x)"""
        return relu6(x)


class Hardsigmoid(Module):
    """min(max(x + 3, 0), 6) / 6, a sigmoid of three straight pieces.

    >>> Hardsigmoid()(Tensor([-4.0, 0.0]))
    Tensor([0. , 0.5])
    """

    def forward(self, x: Tensor) -> Tensor:
        """hardsigmoid(x)"""
        return hardsigmoid(x)


class Hardswish(Module):
    """x * hardsigmoid(x)

    >>> Hardswish()(Tensor([1.5, 4.0]))
    Tensor([1.125, 4.   ])
    """

    def forward(self, x: Tensor) -> Tensor:
        """hardswish(x)"""
        return hardswish(x)


class SELU(Module):
    """scale * ELU(alpha): keeps the mean 0 and the variance 1 of what goes in. (Klambauer et al. 2017.)

    >>> SELU()(Tensor([0.0]))
    Tensor([0.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """selu(x)"""
        return selu(x)


class LogSigmoid(Module):
    """log(sigmoid(x)), without overflow or underflow.

    >>> LogSigmoid()(Tensor([-100.0]))
    Tensor([-100.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """logsigmoid(x)"""
        return logsigmoid(x)


class SiLU(Module):
    """x * sigmoid(x), also called swish.

    >>> SiLU()(Tensor([0.0, 100.0]))
    Tensor([  0., 100.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """silu(x)"""
        return silu(x)


class Mish(Module):
    """x * tanh(log(1 + e^x))

    >>> Mish()(Tensor([0.0, 100.0]))
    Tensor([  0., 100.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """mish(x)"""
        return mish(x)


class Softsign(Module):
    """x / (1 + |x|)

    >>> Softsign()(Tensor([-1.0, 3.0]))
    Tensor([-0.5 ,  0.75])
    """

    def forward(self, x: Tensor) -> Tensor:
        """softsign(x)"""
        return softsign(x)


class Tanhshrink(Module):
    """x - tanh(x)

    >>> Tanhshrink()(Tensor([0.0, 100.0]))
    Tensor([ 0., 99.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """tanhshrink(x)"""
        return tanhshrink(x)


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


class Softmin(Module):
    """softmax(-x) along ``dim``: the smallest element gets the most.

    >>> Softmin()(Tensor([0.0, 0.0]))
    Tensor([0.5, 0.5])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """softmin(x)"""
        return softmin(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax2d(Module):
    """softmax over the channels of every pixel of images (N, C, H, W) or of one image (C, H, W).

    >>> Softmax2d()(Tensor([[[0.0]], [[0.0]]])).shape
    (2, 1, 1)
    """

    def forward(self, x: Tensor) -> Tensor:
        """softmax(x) along axis -3"""
        if len(x.shape) not in (3, 4):
            hint = "for rows of logits take Softmax(dim=-1)"
            fail(ShapeError, "Softmax2d", "needs images of shape (N, C, H, W) or (C, H, W)", {"x": x}, hint)
        return softmax(x, -3)
