"""Neural networks: modules with parameters, layers, losses, initialisers and saved weights, under PyTorch's names."""

from tinygrad_lite.nn import functional, init
from tinygrad_lite.nn.activations import LogSoftmax, ReLU, Sigmoid, Softmax, Softplus, Tanh
from tinygrad_lite.nn.containers import ModuleDict, ModuleList, Sequential
from tinygrad_lite.nn.layers import Dropout, Flatten, Identity, Linear
from tinygrad_lite.nn.losses import BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.normalization import BatchNorm1d
from tinygrad_lite.nn.parameter import Parameter
from tinygrad_lite.nn.regularization import l2_penalty
from tinygrad_lite.nn.serialization import load, load_file, load_metadata, save, save_file
from tinygrad_lite.nn.summary import summary

__all__ = [
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "HuberLoss",
    "Identity",
    "L1Loss",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
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
