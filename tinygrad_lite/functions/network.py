"""Layers as functions: linear maps, softmax, dropout and batch norm, on the fused rows of ``rules/network.py``."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, apply_several
from tinygrad_lite.autograd.rules import network as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions import random
from tinygrad_lite.functions.arguments import axis_number, checked_keywords, floating, number

__all__ = [
    "batch_norm",
    "dropout",
    "linear",
    "log_softmax",
    "softmax",
    "softmin",
]


@checked_keywords
def softmax(x: Any, /, axis: int = -1) -> Tensor:
    """exp(x_j) / sum_i exp(x_i) along ``axis``: positive numbers that add up to 1.

    >>> softmax(Tensor([0.0, 0.0]))
    Tensor([0.5, 0.5])
    """
    x = floating("softmax", x)
    return apply(rules.SOFTMAX, (x,), (_class_axis("softmax", x, axis),))


@checked_keywords
def softmin(x: Any, /, axis: int = -1) -> Tensor:
    """softmax(-x) along ``axis``: the smallest element gets the most.

    >>> softmin(Tensor([0.0, 0.0]))
    Tensor([0.5, 0.5])
    """
    x = floating("softmin", x)
    return apply(rules.SOFTMAX, (-x,), (_class_axis("softmin", x, axis),))


@checked_keywords
def log_softmax(x: Any, /, axis: int = -1) -> Tensor:
    """log(softmax(x)) along ``axis``, without overflow or underflow.

    >>> log_softmax(Tensor([0.0, 0.0]))
    Tensor([-0.6931472, -0.6931472])
    """
    x = floating("log_softmax", x)
    return apply(rules.LOG_SOFTMAX, (x,), (_class_axis("log_softmax", x, axis),))


def _class_axis(operation: str, x: Tensor, axis: int) -> int:
    place = axis_number(operation, axis, x._data.ndim, x)
    if x._data.shape[place] == 0:
        hint = "a batch without samples still has its classes: shape (0, classes)"
        fail(ShapeError, operation, f"needs at least one element along axis {place}", {"x": x}, hint)
    return place


@checked_keywords
def linear(x: Any, weight: Any, bias: Any = None, *, activation: str | None = None) -> Tensor:
    """activation(x W^T + b): the lecture's layer z = W x + b, a = sigma(z), for a batch of rows x.

    Args:
        x: (..., in_features).
        weight: (out_features, in_features), PyTorch's layout.
        bias: (out_features,) or None.
        activation: None, ``"relu"``, ``"tanh"`` or ``"sigmoid"``, computed in the same pass.

    Returns:
        (..., out_features).

    Raises:
        ShapeError: if the sizes do not fit.

    >>> linear(Tensor([[1.0, 2.0]]), Tensor([[1.0, 1.0], [0.0, -1.0]]), activation="relu")
    Tensor([[3., 0.]])
    """
    if type(x) is not Tensor or x._data.dtype.kind != "f":
        x = floating("linear", x)
    if not isinstance(weight, Tensor) or weight._data.dtype.kind != "f":
        weight = floating("linear", weight, "weight")
    if bias is not None and (not isinstance(bias, Tensor) or bias._data.dtype.kind != "f"):
        bias = floating("linear", bias, "bias")
    shape, w = x._data.shape, weight._data
    if len(w.shape) != 2 or not shape or shape[-1] != w.shape[1]:
        need = "needs x in the shape (..., in_features) and weight in the shape (out_features, in_features)"
        if shape and len(w.shape) == 2:
            need = f"needs x.shape[-1] == weight.shape[1], but {shape[-1]} != {w.shape[1]}"
        fail(ShapeError, "linear", need, _given(x, weight, bias), _linear_hint(shape, w.shape))
    if bias is not None and bias._data.shape != w.shape[:1]:
        need = f"needs a bias of shape {w.shape[:1]}"
        fail(ShapeError, "linear", need, _given(x, weight, bias), "one number per output; add any other with +")
    dtypes = {x._data.dtype, w.dtype} if bias is None else {x._data.dtype, w.dtype, bias._data.dtype}
    if len(dtypes) > 1:
        hint = f'x.astype("{w.dtype.name}")'
        fail(DTypeError, "linear", "needs one dtype", _given(x, weight, bias), hint)
    if activation not in (None, "relu", "tanh", "sigmoid"):
        need = f'knows the activations "relu", "tanh" and "sigmoid", but got {activation!r}'
        hint = "call any other on the result"
        fail(ArgumentError, "linear", need, {}, hint)
    return apply(rules.LINEAR, (x, weight, bias), (activation,))


def _linear_hint(shape: tuple[int, ...], weight: tuple[int, ...]) -> str:
    """What makes a layer fit that does not: other axes of x, the transposed weight, another number of features."""
    if len(weight) != 2:
        return "the weight is a matrix with one row per output"
    if not shape:
        return "a single number is a batch of one row: x.reshape(1, 1)"
    if math.prod(shape[1:]) == weight[1]:
        return "flatten the images first: x.flatten(1)"
    if math.prod(shape) == weight[1]:
        return "a single sample is a batch of one row: x.reshape(1, -1)"
    if shape[-1] == weight[0]:
        return "is the weight transposed? Linear(in_features, out_features) has the inputs first"
    if len(shape) == 2 and shape[0] == weight[1]:
        return "is x transposed? The rows are samples, the columns features"
    return f"in_features={shape[-1]} fits this x"


def _given(x: Tensor, weight: Any, bias: Any) -> dict[str, Any]:
    """The operands that an error shows: those that are there."""
    return {name: v for name, v in (("x", x), ("weight", weight), ("bias", bias)) if v is not None}


@checked_keywords
def dropout(x: Any, /, p: float = 0.5, training: bool = True) -> Tensor:
    """Each element set to 0 with probability ``p`` and the others scaled by 1/(1-p); x itself if not training.

    Args:
        x: any shape.
        p: the probability of dropping, from 0 to 1.
        training: False returns x.

    The mask comes from the package's random stream (``manual_seed``).

    >>> dropout(Tensor([1.0, 2.0]), p=0.5, training=False)
    Tensor([1., 2.])
    """
    kept = floating("dropout", x)
    p = number("dropout", "p", p)
    if not 0.0 <= p <= 1.0:
        hint = f"{p} percent is the probability {p / 100}" if 1 < p <= 100 else "p=0.5 drops half of the elements"
        fail(ArgumentError, "dropout", f"needs a probability from 0 to 1, but got p={p}", {"x": kept}, hint)
    if not training or p == 0.0:
        return kept
    seed, counter = random.next_key()
    dropped: Tensor = apply_several(rules.DROPOUT, (kept,), (1.0 - p, seed, counter))[0]
    return dropped


@checked_keywords
def batch_norm(x: Any, /, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> tuple[Tensor, Tensor, Tensor]:
    """Normalises each channel over the batch: H' = (H - mu) / sqrt(delta + mean((H - mu)^2)).

    The lecture's formula, with delta (here ``eps``) inside the root; then weight * H' + bias.

    Args:
        x: (N, C) or (N, C, ...); everything but axis 1 is averaged over.
        weight, bias: (C,) or None.
        eps: delta > 0.

    Returns:
        ``(y, mean, rstd)``: y as x; mean and rstd = 1/sqrt(delta + variance) of shape (C,).

    Raises:
        ShapeError: if there is nothing to average over, or the parameters do not fit.

    >>> y, mean, rstd = batch_norm(Tensor([[1.0], [3.0]]), eps=0.0)
    >>> y, mean, rstd
    (Tensor([[-1.],
            [ 1.]]), Tensor([2.]), Tensor([1.]))
    """
    x = floating("batch_norm", x)
    weight = None if weight is None else floating("batch_norm", weight, "weight")
    bias = None if bias is None else floating("batch_norm", bias, "bias")
    shape = x._data.shape
    if len(shape) < 2:
        hint = "axis 0 is the batch, axis 1 the channels"
        fail(ShapeError, "batch_norm", "needs x in the shape (N, C) or (N, C, ...)", _given(x, weight, bias), hint)
    if any(n == 0 for i, n in enumerate(shape) if i != 1):
        hint = "nothing has no mean: leave out empty batches"
        fail(ShapeError, "batch_norm", "needs a batch that is not empty", _given(x, weight, bias), hint)
    for parameter in (weight, bias):
        if parameter is not None and parameter._data.shape != shape[1:2]:
            hint = "weight and bias have one number per channel, which are axis 1 of x"
            fail(ShapeError, "batch_norm", f"needs parameters of shape {shape[1:2]}", _given(x, weight, bias), hint)
    eps = number("batch_norm", "eps", eps)
    if not eps >= 0:
        hint = "it is added to the variance: 1e-5 is usual"
        fail(ArgumentError, "batch_norm", f"needs eps of at least 0, but got {eps}", {"x": x}, hint)
    return apply_several(rules.BATCH_NORM, (x, weight, bias), (eps,))
