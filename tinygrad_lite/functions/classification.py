"""Losses of predicted classes: scores or log-probabilities against class numbers or probabilities.

Names, arguments and formulas are PyTorch's. Class numbers get no gradient, probabilities one like any other operand.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rules import network as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, floating, number
from tinygrad_lite.functions.devices import require_one_device, to_device
from tinygrad_lite.functions.elementwise import where
from tinygrad_lite.functions.indexing import getitem, take_along_axis
from tinygrad_lite.functions.losses import EMPTY, check_reduction, reduced, refuse_nan
from tinygrad_lite.functions.manipulation import cast, expand_dims, permute_dims, reshape
from tinygrad_lite.functions.network import log_softmax
from tinygrad_lite.functions.reductions import sum

__all__ = ["cross_entropy", "nll_loss"]

#: a hint of both losses
_LOGITS = "one row of scores per sample, one column per class"


@checked_keywords
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(logits)[target]: the negative log-likelihood of the right class (the lecture's surrogate loss).

    Args:
        input: logits (N, C), (C,) or (N, C, ...), not normalised.
        target: class numbers (N,), () or (N, ...), integers from 0 to C - 1; or probabilities of input's shape.
        weight: (C,) weights of the classes, or None. ``"mean"`` divides by the weights of the targets.
        ignore_index: a class number whose samples do not count.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        label_smoothing: s from 0 to 1: the target becomes (1 - s) of itself plus s/C on every class.

    Returns:
        A 0-d tensor, or with ``"none"`` the losses in the target's shape.

    Raises:
        ShapeError, DTypeError: if the target does not fit the logits.
        ArgumentError: if a class number is out of range, the batch is empty under ``"mean"``, or a
            target probability is NaN.

    >>> cross_entropy(Tensor([[0.0, 0.0], [0.0, 0.0]]), Tensor([0, 1]))
    Tensor(0.6931472)
    """
    check_reduction("cross_entropy", reduction)
    logits, target = floating("cross_entropy", input, "input"), as_tensor("cross_entropy", target, "target")
    data, labels = logits._data, target._data
    named = {"input": logits, "target": target}
    label_smoothing = number("cross_entropy", "label_smoothing", label_smoothing)
    if not 0.0 <= label_smoothing <= 1.0:
        hint = "it is the share of the target that goes to all classes, such as 0.1"
        need = f"needs label_smoothing from 0 to 1, but got {label_smoothing}"
        fail(ArgumentError, "cross_entropy", need, named, hint)
    if data.ndim == 0 or data.shape[1 if data.ndim > 1 else 0] == 0:
        fail(ShapeError, "cross_entropy", "needs logits in the shape (N, C) or (N, C, ...)", named, _LOGITS)
    if labels.dtype.kind == "f":
        if ignore_index >= 0:
            need = f"has an ignore_index for class numbers only, but got {ignore_index} with probabilities"
            hint = "leave it out, or pass class numbers: target.argmax(1)"
            fail(ArgumentError, "cross_entropy", need, named, hint)
        swapped = isinstance(input, Tensor) and input._data.dtype.kind in "iu"
        if swapped and labels.shape != data.shape:
            hint = "the logits come first: cross_entropy(logits, labels)"
            named["input"] = input
            fail(ShapeError, "cross_entropy", "needs probabilities in the shape of the logits", named, hint)
        return _cross_entropy_with_probabilities(logits, target, weight, reduction, label_smoothing)
    some_ignored = _check_classes("cross_entropy", logits, target, ignore_index)
    if reduction == "mean" and labels.size == 0:
        fail(ArgumentError, "cross_entropy", "needs at least one sample to take the mean of", named, EMPTY)
    plain = weight is None and label_smoothing == 0.0 and data.ndim == 2
    if plain and not some_ignored:
        return apply(rules.SOFTMAX_CROSS_ENTROPY, (logits, target), (reduction, None))
    target = _counted("cross_entropy", logits, target, ignore_index, reduction)
    if plain:  # nothing is known of labels on another device
        return apply(rules.SOFTMAX_CROSS_ENTROPY, (logits, target), (reduction, ignore_index))
    axis = 1 if data.ndim > 1 else 0
    return _weighted_nll(
        "cross_entropy", log_softmax(logits, axis), target, weight, ignore_index, reduction, label_smoothing
    )


@checked_keywords
def nll_loss(
    input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-input[target]: the negative log-likelihood, from log-probabilities.

    Args:
        input: log-probabilities (N, C), (C,) or (N, C, ...).
        target, weight, ignore_index, reduction: as for ``cross_entropy``.

    >>> nll_loss(Tensor([[-1.0, -2.0]]), Tensor([1]))
    Tensor(2.)
    """
    check_reduction("nll_loss", reduction)
    log_p, target = floating("nll_loss", input, "input"), as_tensor("nll_loss", target, "target")
    if log_p._data.ndim == 0 or log_p._data.shape[1 if log_p._data.ndim > 1 else 0] == 0:
        named = {"input": log_p, "target": target}
        fail(ShapeError, "nll_loss", "needs input in the shape (N, C) or (N, C, ...)", named, _LOGITS)
    _check_classes("nll_loss", log_p, target, ignore_index)
    if reduction == "mean" and target._data.size == 0:
        named = {"input": log_p, "target": target}
        fail(ArgumentError, "nll_loss", "needs at least one sample to take the mean of", named, EMPTY)
    target = _counted("nll_loss", log_p, target, ignore_index, reduction)
    return _weighted_nll("nll_loss", log_p, target, weight, ignore_index, reduction, 0.0)


def _check_classes(operation: str, logits: Tensor, target: Tensor, ignore_index: int) -> bool:
    """Class numbers of the right shape, kind and range; whether some may be ``ignore_index``."""
    data, labels = logits._data, target._data
    named = {"input": logits, "target": target}
    expected = data.shape[:1] + data.shape[2:] if data.ndim > 1 else ()
    if labels.dtype.kind not in "iu":
        hint = "labels are class numbers: target.astype(int)"
        fail(DTypeError, operation, "needs integer class numbers", named, hint)
    if labels.shape != expected:
        hint = f"there are {data.shape[0]} rows of logits, and each needs one class number"
        if labels.shape == data.shape:
            hint = "labels are one-hot; pass class numbers: target.argmax(1)"
        elif labels.size == math.prod(expected):
            hint = f"the number is right: target.reshape({expected})"
        elif data.ndim == 1:
            hint = "one row of logits has one class number; a batch has logits of shape (N, C)"
        fail(ShapeError, operation, f"needs a target of shape {expected}", named, hint)
    classes = data.shape[1 if data.ndim > 1 else 0]
    if not isinstance(labels, np.ndarray):  # a look at another device's labels would wait for it
        return labels.dtype.kind == "i" or ignore_index >= 0
    if labels.size:
        low, high = int(np.minimum.reduce(labels, axis=None)), int(np.maximum.reduce(labels, axis=None))
        if low < 0 or high >= classes:  # the slow look only when something is out of range
            wrong = labels[((labels < 0) | (labels >= classes)) & (labels != ignore_index)]
            if wrong.size:
                need = f"needs class numbers from 0 to {classes - 1}, but got {int(wrong.ravel()[0])}"
                hint = "classes are counted from 0, and the last layer needs as many outputs as there are classes"
                fail(ArgumentError, operation, need, named, hint)
        return low <= ignore_index <= high and bool((labels == ignore_index).any())
    return False


def _counted(operation: str, logits: Tensor, target: Tensor, ignore_index: int, reduction: str) -> Tensor:
    """Class numbers that can be compared with ``ignore_index``, not all of them ignored under ``"mean"``."""
    labels = target._data
    if reduction == "mean" and isinstance(labels, np.ndarray) and (labels == ignore_index).all():
        named = {"input": logits, "target": target}
        hint = f'leave such batches out, or take reduction="sum"; ignored is class {ignore_index}'
        fail(ArgumentError, operation, "needs a sample that is not ignored to take the mean of", named, hint)
    return cast(target, dtypes.int64) if labels.dtype.kind == "u" else target  # -100 is no unsigned number


def _check_weight(operation: str, weight: Any, scores: Tensor, classes: int) -> Tensor | None:
    if weight is None:
        return None
    weights = floating(operation, weight, "weight")
    if not isinstance(weight, Tensor):
        weights = to_device(weights, scores.device)
    require_one_device(operation, {"input": scores, "weight": weights})
    if weights._data.shape != (classes,):
        hint = 'weights of single samples are multiplied with the losses of reduction="none"'
        fail(ShapeError, operation, f"needs one weight per class, shape ({classes},)", {"weight": weights}, hint)
    return weights.detach()


def _weighted_nll(
    operation: str,
    log_p: Tensor,
    target: Tensor,
    weight: Any,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """The general form: class weights, ignored samples, smoothing, any number of axes."""
    shape = target._data.shape
    if log_p._data.ndim == 1:
        log_p, target = expand_dims(log_p, 0), reshape(target, (1,))
    elif log_p._data.ndim > 2:  # (N, C, ...) -> (N ..., C)
        ndim = log_p._data.ndim
        log_p = reshape(permute_dims(log_p, (0, *range(2, ndim), 1)), (-1, log_p._data.shape[1]))
        target = reshape(target, (-1,))
    classes = log_p._data.shape[1]
    weight = _check_weight(operation, weight, log_p, classes)
    counts = target != ignore_index
    safe = where(counts, target, 0)  # an ignored number need not be a class
    if not isinstance(target._data, np.ndarray):  # of those on another device none was looked at
        safe = where(safe < 0, classes, safe)  # out of range, where a negative index would count from the end
    losses = -getitem(take_along_axis(log_p, expand_dims(safe, 1), axis=1), (slice(None), 0))
    class_weight = cast(counts, log_p._data.dtype)
    if weight is not None:
        class_weight = class_weight * getitem(cast(weight, log_p._data.dtype), safe)
    losses = where(counts, losses, 0.0) * class_weight
    if smoothing:
        # Every class gets s/C of the target; its own weight goes with it.
        spread = -log_p if weight is None else -log_p * cast(weight, log_p._data.dtype)
        spread = where(counts, sum(spread, 1), 0.0)
        losses = losses * (1.0 - smoothing) + spread * (smoothing / classes)
    if reduction == "mean":
        return sum(losses) / sum(class_weight)
    return sum(losses) if reduction == "sum" else reshape(losses, shape)


def _cross_entropy_with_probabilities(
    logits: Tensor, target: Tensor, weight: Any, reduction: str, smoothing: float
) -> Tensor:
    """Targets are distributions over the classes: -sum_c t_c log softmax(logits)_c."""
    named = {"input": logits, "target": target}
    data = logits._data
    if target._data.shape != data.shape:
        hint = f"a target of floats holds one probability per class: shape {data.shape}"
        if target._data.shape == data.shape[:1] + data.shape[2:]:
            hint = "class numbers must be integers: target.astype(int)"
        fail(ShapeError, "cross_entropy", "needs probabilities in the shape of the logits", named, hint)
    refuse_nan("cross_entropy", target, named)
    axis = 1 if data.ndim > 1 else 0
    classes = data.shape[axis]
    samples = data.size // classes
    if reduction == "mean" and samples == 0:
        fail(ArgumentError, "cross_entropy", "needs at least one sample to take the mean of", named, EMPTY)
    target = cast(target, data.dtype)
    if smoothing:
        target = target * (1.0 - smoothing) + smoothing / classes
    terms = log_softmax(logits, axis) * target
    weight = _check_weight("cross_entropy", weight, logits, classes)
    if weight is not None:
        column = (1, classes, *(1,) * (data.ndim - 2)) if data.ndim > 1 else (classes,)
        terms = terms * reshape(cast(weight, data.dtype), column)
    losses = -sum(terms, axis)
    return sum(losses) / samples if reduction == "mean" else reduced(losses, reduction)
