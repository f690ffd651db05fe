"""Neural networks: modules with parameters, layers, losses, initialisers and saved weights, under PyTorch's names."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinygrad_lite.nn import functional, init
from tinygrad_lite.nn.activations import (
    SELU,
    Hardsigmoid,
    Hardswish,
    LogSigmoid,
    LogSoftmax,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softmax2d,
    Softmin,
    Softsign,
    Tanh,
    Tanhshrink,
)
from tinygrad_lite.nn.containers import ModuleDict, ModuleList, Sequential
from tinygrad_lite.nn.layers import Dropout, Flatten, Identity, Linear
from tinygrad_lite.nn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.normalization import BatchNorm1d
from tinygrad_lite.nn.parameter import Parameter
from tinygrad_lite.nn.regularization import l2_penalty
from tinygrad_lite.nn.saving import load, save
from tinygrad_lite.nn.serialization import load_file, load_metadata, save_file
from tinygrad_lite.nn.similarity import CosineSimilarity
from tinygrad_lite.nn.summary import summary
from tinygrad_lite.nn.tunable_activations import (
    CELU,
    ELU,
    GELU,
    GLU,
    Hardshrink,
    Hardtanh,
    LeakyReLU,
    PReLU,
    RReLU,
    Softplus,
    Softshrink,
    Threshold,
)

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "CELU",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "Dropout",
    "ELU",
    "Flatten",
    "GELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SELU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "functional",
    "init",
    "l2_penalty",
    "load",
    "load_file",
    "load_metadata",
    "save",
    "save_file",
    "summary",
]

if not _TYPE_CHECKING:  # mypy knows every name

    def __getattr__(name: str) -> object:
        from tinygrad_lite.dialects import refuse_attribute

        refuse_attribute(__name__, name)
