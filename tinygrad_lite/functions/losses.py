"""Losses of numbers: predicted values, probabilities and log-probabilities against targets of the same shape.

A ``reduction`` makes one number of the losses of a batch. Names, arguments and formulas are PyTorch's, except that
nothing broadcasts by accident. Targets get a gradient like any other operand. ``classification.py`` has the losses of
class numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.refusals import broadcast_clash
from tinygrad_lite.autograd.rules import network as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.activations import hardtanh, softplus
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, floating, number
from tinygrad_lite.functions.devices import on_device_of, require_one_device
from tinygrad_lite.functions.elementwise import abs, exp
from tinygrad_lite.functions.manipulation import cast
from tinygrad_lite.functions.reductions import mean, sum
from tinygrad_lite.functions.special import xlogy

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]

_REDUCTIONS = ("mean", "sum", "none")

#: a hint of several losses
EMPTY = 'leave out empty batches, or take reduction="sum", which is 0 for them'


def reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return mean(losses)
    return sum(losses) if reduction == "sum" else losses


def check_reduction(operation: str, reduction: str) -> None:
    if reduction not in _REDUCTIONS:
        need = f'needs reduction "mean", "sum" or "none", but got {reduction!r}'
        hint = '"mean" averages over the batch, "sum" adds up, "none" gives the loss of every sample'
        fail(ArgumentError, operation, need, {}, hint)


# --- targets ------------------------------------------------------------------------------------------


def _pair(operation: str, input: Any, target: Any, reduction: str) -> tuple[Tensor, Tensor]:
    """Prediction and target of one shape; nothing broadcasts by accident."""
    check_reduction(operation, reduction)
    x, target = floating(operation, input, "input"), as_tensor(operation, target, "target")
    named = {"input": x, "target": target}
    if x._data.shape != target._data.shape:
        hint = "each prediction needs a target of its own: broadcast_to makes a target larger"
        if _alike(x, target):
            hint = f"they differ in axes of size 1 only: target.reshape({x._data.shape})"
        fail(ShapeError, operation, "needs input and target of one shape", named, hint)
    if target._data.dtype.kind == "c":
        fail(DTypeError, operation, "needs real numbers", named, "take real(target), imag(target) or abs(target)")
    require_one_device(operation, named)
    refuse_nan(operation, target, named)
    if reduction == "mean" and x._data.size == 0:
        fail(ArgumentError, operation, "needs at least one element to take the mean of", named, EMPTY)
    return x, target


def refuse_nan(operation: str, target: Tensor, named: dict[str, Any]) -> None:
    """A NaN in a target is a gap in the data, which must not become the weights'."""
    data = target._data
    if isinstance(data, np.ndarray) and data.dtype.kind == "f" and bool(np.isnan(data).any()):
        hint = "fill or leave out the gaps of the data: tgl.isnan(target) finds them"
        fail(ArgumentError, operation, "needs numbers as targets, but the target holds NaN", named, hint)


def _alike(x: Tensor, target: Tensor) -> bool:
    """Whether two shapes differ only in axes of size one."""
    sizes = [[n for n in t._data.shape if n != 1] for t in (x, target)]
    return sizes[0] == sizes[1]


# --- regression ---------------------------------------------------------------------------------------


@checked_keywords
def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """(input - target)^2.

    >>> mse_loss(Tensor([1.0, 3.0]), Tensor([1.0, 1.0]))
    Tensor(2.)
    """
    x, target = _pair("mse_loss", input, target, reduction)
    difference = x - target
    return reduced(difference * difference, reduction)


@checked_keywords
def l1_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """|input - target|; the gradient at 0 is 0.

    >>> l1_loss(Tensor([1.0, 3.0]), Tensor([1.0, 1.0]))
    Tensor(1.)
    """
    x, target = _pair("l1_loss", input, target, reduction)
    return reduced(abs(x - target), reduction)


@checked_keywords
def huber_loss(input: Any, target: Any, *, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """d^2/2 for |d| <= delta, else delta (|d| - delta/2), with d = input - target (Huber 1964).

    >>> huber_loss(Tensor([0.5, 3.0]), Tensor([0.0, 0.0]), reduction="none")
    Tensor([0.125, 2.5  ])
    """
    x, target = _pair("huber_loss", input, target, reduction)
    delta = number("huber_loss", "delta", delta)
    if not delta > 0:
        hint = "it is the distance at which squares turn into absolute values, such as 1.0"
        named = {"input": x, "target": target}
        fail(ArgumentError, "huber_loss", f"needs delta > 0, but got {delta}", named, hint)
    difference = x - target
    # With c = d, bounded to [-delta, delta], both branches are c (d - c/2), and so is the derivative. No |d|: its
    # bend at 0 would take the second derivative with it.
    near = hardtanh(difference, -delta, delta)
    return reduced(near * (difference - near * 0.5), reduction)


@checked_keywords
def smooth_l1_loss(input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d^2/(2 beta) for |d| < beta, else |d| - beta/2, with d = input - target (Girshick 2015).

    It is ``huber_loss`` with delta = beta, divided by beta.

    Args:
        input, target: of one shape.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        beta: from 0 on; 0 is ``l1_loss``.

    >>> smooth_l1_loss(Tensor([0.5, 3.0]), Tensor([0.0, 0.0]), reduction="none")
    Tensor([0.125, 2.5  ])
    """
    x, target = _pair("smooth_l1_loss", input, target, reduction)
    beta = number("smooth_l1_loss", "beta", beta)
    if not beta >= 0:
        hint = "it is the distance at which squares turn into absolute values, such as 1.0"
        named = {"input": x, "target": target}
        fail(ArgumentError, "smooth_l1_loss", f"needs beta >= 0, but got {beta}", named, hint)
    difference = x - target
    if beta == 0:
        return reduced(abs(difference), reduction)
    # As in huber_loss, with c = d/beta, bounded to [-1, 1]: both branches are c (d - beta c/2).
    near = hardtanh(difference / beta, -1.0, 1.0)
    return reduced(near * (difference - near * (0.5 * beta)), reduction)


# --- probabilities ------------------------------------------------------------------------------------


@checked_keywords
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Tensor:
    """-(t log p + (1 - t) log(1 - p)), where both logarithms are at least -100.

    The gradient is (p - t) / max(p (1 - p), 1e-12). Where the probabilities are sigmoids, the loss of the logits
    (``binary_cross_entropy_with_logits``) is more accurate, and so is its gradient, sigmoid(x) - t.

    Args:
        input: probabilities p from 0 to 1, any shape.
        target: probabilities t from 0 to 1 in the same shape.
        weight: a weight per element (broadcasts), or None.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ArgumentError: if a probability is not from 0 to 1.

    >>> binary_cross_entropy(Tensor([0.5, 0.0]), Tensor([1.0, 1.0]), reduction="none")
    Tensor([  0.6931472, 100.       ])
    """
    operation = "binary_cross_entropy"
    p, target = _pair(operation, input, target, reduction)
    _check_probabilities(operation, p, target)
    weight = None if weight is None else _broadcast_weight(operation, "weight", weight, p)
    dtype = p._data.dtype
    wide = dtypes.default_float if dtype.itemsize < 4 else dtype  # float16 cannot hold the bound 1e-12
    losses = apply(rules.BINARY_CROSS_ENTROPY, (cast(p, wide), cast(target, wide)), ())
    if weight is not None:
        losses = losses * weight
    return cast(reduced(losses, reduction), dtype)


def _check_probabilities(operation: str, p: Tensor, target: Tensor) -> None:
    data = p._data
    if not isinstance(data, np.ndarray) or data.size == 0:  # a look at another device's numbers would wait for it
        return
    low, high = float(np.minimum.reduce(data, axis=None)), float(np.maximum.reduce(data, axis=None))
    if not (low >= 0 and high <= 1):
        wrong = low if not low >= 0 else high
        hint = "scores become probabilities by sigmoid; binary_cross_entropy_with_logits takes them as they are"
        need = f"needs probabilities from 0 to 1, but got {wrong:.6g}"
        fail(ArgumentError, operation, need, {"input": p, "target": target}, hint)


@checked_keywords
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """-(t log s + (1 - t) log(1 - s)) with s = sigmoid(input), computed from the logits without overflow.

    Args:
        input: logits, any shape.
        target: probabilities from 0 to 1 in the same shape.
        weight: a weight per element (broadcasts), or None.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        pos_weight: a factor on the positive part (broadcasts), or None.

    >>> binary_cross_entropy_with_logits(Tensor([0.0, 0.0]), Tensor([0.0, 1.0]))
    Tensor(0.6931472)
    """
    operation = "binary_cross_entropy_with_logits"
    x, target = _pair(operation, input, target, reduction)
    weight = None if weight is None else _broadcast_weight(operation, "weight", weight, x)
    pos_weight = None if pos_weight is None else _broadcast_weight(operation, "pos_weight", pos_weight, x)
    # log s = -softplus(-x) and log(1 - s) = -softplus(x) = -(softplus(-x) + x)
    positive = softplus(-x, threshold=math.inf)
    if pos_weight is not None:
        losses = (1 - target) * x + (1 + (pos_weight - 1) * target) * positive
    else:
        losses = (1 - target) * x + positive
    if weight is not None:
        losses = losses * weight
    return reduced(losses, reduction)


def _broadcast_weight(operation: str, name: str, weight: Any, x: Tensor) -> Tensor:
    """Weights of single elements, which broadcast to all of ``x``."""
    weights = floating(operation, on_device_of(operation, weight, x, name), name)
    shape = x._data.shape
    if broadcast_clash([weights._data.shape, shape]) or np.broadcast_shapes(weights._data.shape, shape) != shape:
        need = f"needs a {name} that broadcasts to the shape of input"
        fail(ShapeError, operation, need, {"input": x, name: weights}, f"the shape of input is {shape}")
    return weights


@checked_keywords
def kl_div(input: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """t (log t - log q): the Kullback-Leibler divergence of the target t from the prediction q, element by element.

    Args:
        input: the logarithms log q, such as ``log_softmax`` gives; any shape.
        target: probabilities t in the same shape, or with ``log_target`` their logarithms.
        reduction: ``"sum"``, ``"none"``, ``"mean"`` over all elements, or ``"batchmean"``, the sum divided by the
            number of rows, which is the mean of the divergences themselves.
        log_target: whether the target holds logarithms.

    >>> log_q, t = Tensor([[-0.6931472, -0.6931472]]), Tensor([[1.0, 0.0]])
    >>> kl_div(log_q, t, reduction="batchmean")
    Tensor(0.6931472)
    """
    if reduction not in (*_REDUCTIONS, "batchmean"):
        need = f'needs reduction "batchmean", "mean", "sum" or "none", but got {reduction!r}'
        fail(ArgumentError, "kl_div", need, {}, '"batchmean" is the mean of the divergences, one per row')
    x, target = _pair("kl_div", input, target, "mean" if reduction == "batchmean" else reduction)
    if target._data.dtype.kind != "f":
        target = cast(target, x._data.dtype)
    losses = exp(target) * (target - x) if log_target else xlogy(target, target) - target * x
    if reduction != "batchmean":
        return reduced(losses, reduction)
    if x._data.ndim == 0:
        hint = 'a single number has no rows: reduction="sum"'
        fail(ShapeError, "kl_div", "needs rows to take the mean over", {"input": x, "target": target}, hint)
    mean_of_rows: Tensor = sum(losses) / x._data.shape[0]
    return mean_of_rows
