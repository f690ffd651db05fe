"""Layers, activations and losses as functions, under the names of PyTorch's ``torch.nn.functional``.

They are the package's own functions: arguments are called ``axis`` and ``keepdims``.
"""

from tinygrad_lite.functions.elementwise import relu, sigmoid, softplus, tanh
from tinygrad_lite.functions.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from tinygrad_lite.functions.manipulation import pad
from tinygrad_lite.functions.network import batch_norm, dropout, linear, log_softmax, softmax

__all__ = [
    "relu", "sigmoid", "softplus", "tanh", "softmax", "log_softmax",
    "linear", "dropout", "batch_norm", "pad",
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits",
]  # fmt: skip
