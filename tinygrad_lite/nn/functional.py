"""Layers, activations and losses as functions, under the names of PyTorch's ``torch.nn.functional``.

They are the package's own functions: arguments are called ``axis`` and ``keepdims``.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinygrad_lite.dialects import refusing as _refusing
from tinygrad_lite.functions.activations import (
    celu,
    elu,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    prelu,
    relu,
    relu6,
    rrelu,
    selu,
    silu,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from tinygrad_lite.functions.classification import cross_entropy, nll_loss
from tinygrad_lite.functions.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)
from tinygrad_lite.functions.network import batch_norm, dropout, linear, log_softmax, softmax, softmin
from tinygrad_lite.functions.similarity import cosine_similarity, normalize
from tinygrad_lite.functions.special import sigmoid
from tinygrad_lite.functions.trigonometry import tanh
from tinygrad_lite.functions.windows import pad

__all__ = [
    "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "threshold", "hardtanh",
    "sigmoid", "logsigmoid", "hardsigmoid", "tanh", "softplus", "softsign", "tanhshrink", "softshrink", "hardshrink",
    "silu", "hardswish", "mish", "gelu", "glu", "softmax", "softmin", "log_softmax",
    "linear", "dropout", "batch_norm", "pad", "normalize", "cosine_similarity",
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div",
]  # fmt: skip

if not _TYPE_CHECKING:  # mypy knows every name
    __getattr__ = _refusing("tinygrad_lite.nn.functional")
