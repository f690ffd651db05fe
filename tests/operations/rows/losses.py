"""Loss functions with their options; ``tests/nn`` has more of them as modules."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, positive, real, sample


def _reduce(losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def _peer(name: str, **renamed: str) -> Any:
    return lambda t, *args, **options: getattr(t.nn.functional, name)(*args, **options)


# --- regression -------------------------------------------------------------------------------------


def _huber(d: Any, delta: float) -> Any:
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


def _pairs(**options: Any) -> list[Any]:
    plain = [sample(real(2, 3), real(2, 3), reduction=r, **options) for r in ("mean", "sum", "none")]
    return [*plain, sample(real(), real(), **options), sample(real(0), real(0), reduction="sum", **options)]


operation(
    "mse_loss",
    tgl.mse_loss,
    lambda x, y, reduction="mean": _reduce((x - y) ** 2, reduction),
    _peer("mse_loss"),
    _pairs(),
    covers=("subtract", "multiply"),
    length=None,
    condition=8,
)
operation(
    "l1_loss",
    tgl.l1_loss,
    lambda x, y, reduction="mean": _reduce(np.abs(x - y), reduction),
    _peer("l1_loss"),
    _pairs(),
    covers=("abs",),
    length=None,
    condition=4,
)
operation(
    "huber_loss",
    tgl.huber_loss,
    lambda x, y, reduction="mean", delta=1.0: _reduce(_huber(x - y, delta), reduction),
    _peer("huber_loss"),
    [*_pairs(), *_pairs(delta=0.4)],
    covers=("hardtanh",),
    length=None,
    condition=8,
)


def _smooth_l1(d: Any, beta: float) -> Any:
    return _huber(d, beta) / beta if beta else np.abs(d)


operation(
    "smooth_l1_loss",
    tgl.smooth_l1_loss,
    lambda x, y, reduction="mean", beta=1.0: _reduce(_smooth_l1(x - y, beta), reduction),
    _peer("smooth_l1_loss"),
    [*_pairs(), *_pairs(beta=0.4), sample(real(2, 3), real(2, 3), beta=0)],
    covers=("hardtanh",),
    length=None,
    condition=8,
)


def _probabilities(*shape: int) -> np.ndarray:
    return real(*shape, low=0.05, high=0.95)


def _bce(x: Any, y: Any, factor: Any = None, *, which: str = "", reduction: str = "mean") -> Any:
    positives = factor if which == "pos_weight" else 1.0
    losses = positives * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)
    return _reduce(losses * factor if which == "weight" else losses, reduction)


def _with_factor(f: Any) -> Any:
    def loss(x: Any, y: Any, factor: Any = None, *, which: str = "", reduction: str = "mean") -> Any:
        return f(x, y, reduction=reduction, **({which: factor} if which else {}))

    return loss


operation(
    "binary_cross_entropy_with_logits",
    _with_factor(tgl.binary_cross_entropy_with_logits),
    _bce,
    lambda t, *args, **options: _with_factor(t.nn.functional.binary_cross_entropy_with_logits)(*args, **options),
    [
        *(sample(real(2, 3), _probabilities(2, 3), reduction=r) for r in ("mean", "sum", "none")),
        *(sample(real(2, 3), _probabilities(2, 3), positive(3), which=w) for w in ("weight", "pos_weight")),
        sample(np.array([-30.0, 30.0, 9.0]), np.array([0.0, 1.0, 0.0]), label="extreme"),
        *(sample(real(), _probabilities()), sample(real(0), real(0), reduction="sum")),
    ],
    covers=("softplus",),
    differentiable=(0, 1),
    length=None,
    condition=8,
)


def _likely(*shape: int) -> np.ndarray:
    """Probabilities away from 0 and 1, where the logarithm bends strongly."""
    return real(*shape, low=0.2, high=0.8)


def _binary(p: Any, t: Any, weight: Any = 1.0, reduction: str = "mean") -> Any:
    return _reduce(-(t * np.log(p) + (1 - t) * np.log1p(-p)) * weight, reduction)


def _torch_binary(t: Any, p: Any, target: Any, weight: Any = 1.0, reduction: str = "mean") -> Any:
    # Not PyTorch's own, whose second derivative adds 1e-12 to what it divides by; tests/nn compares with that one.
    losses = -(target * t.log(p) + (1 - target) * t.log1p(-p)) * weight
    return _reduce(losses, reduction)


operation(
    "binary_cross_entropy",
    tgl.binary_cross_entropy,
    _binary,
    _torch_binary,
    [
        *(sample(_likely(2, 3), _probabilities(2, 3), reduction=r) for r in ("mean", "sum", "none")),
        sample(_likely(2, 3), _probabilities(2, 3), positive(3)),
        *(sample(_likely(), _probabilities()), sample(real(0), real(0), reduction="sum")),
    ],
    differentiable=(0, 1),
    length=None,
    condition=8,
)


def _divergence(x: Any, t: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    losses = np.exp(t) * (t - x) if log_target else t * (np.log(t) - x)
    return losses.sum() / len(x) if reduction == "batchmean" else _reduce(losses, reduction)


def _torch_divergence(t: Any, x: Any, target: Any, reduction: str = "mean", **options: Any) -> Any:
    if reduction == "mean":  # which PyTorch warns of
        return t.nn.functional.kl_div(x, target, reduction="none", **options).mean()
    return t.nn.functional.kl_div(x, target, reduction=reduction, **options)


operation(
    "kl_div",
    tgl.kl_div,
    _divergence,
    _torch_divergence,
    [
        *(sample(real(2, 3), _probabilities(2, 3), reduction=r) for r in ("mean", "sum", "none", "batchmean")),
        *(sample(real(2, 3), real(2, 3), reduction=r, log_target=True) for r in ("mean", "batchmean")),
        sample(real(3), _probabilities(3), reduction="batchmean"),
        *(sample(real(), _probabilities()), sample(real(2, 0), real(2, 0), reduction="sum")),
    ],
    covers=("multiply",),
    length=None,
    condition=8,
)

# --- classification ---------------------------------------------------------------------------------


def _log_softmax(x: Any, axis: int) -> Any:
    x = x - x.max(axis=axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


def _nll(
    log_p: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """PyTorch's documented formula, sample by sample."""
    lone = log_p.ndim == 1
    rows = log_p[None] if lone else np.moveaxis(log_p, 1, -1).reshape(-1, log_p.shape[1])
    classes = rows.shape[-1]
    weight = np.ones(classes, rows.dtype) if weight is None else weight
    losses, total = np.zeros(len(rows), rows.dtype), 0.0
    for i, c in enumerate(target.reshape(-1)):
        if c == ignore_index:
            continue
        spread = -(rows[i] * weight).sum() * label_smoothing / classes
        losses[i] = -(1 - label_smoothing) * weight[c] * rows[i, c] + spread
        total += weight[c]
    if reduction == "mean":
        return losses.sum() / total
    return losses.sum() if reduction == "sum" else losses.reshape(target.shape)


def _cross_entropy(x: Any, target: Any, weight: Any = None, **options: Any) -> Any:
    log_p = _log_softmax(x, 1 if x.ndim > 1 else 0)
    if target.dtype.kind != "f":
        return _nll(log_p, target, weight, **options)
    axis = 1 if x.ndim > 1 else 0
    smoothing, reduction = options.get("label_smoothing", 0.0), options.get("reduction", "mean")
    target = target * (1 - smoothing) + smoothing / x.shape[axis]
    terms = log_p * target
    if weight is not None:
        terms = terms * weight.reshape(-1, *(1,) * (x.ndim - axis - 1))
    losses = -terms.sum(axis)
    return losses.mean() if reduction == "mean" else _reduce(losses, reduction)


_TARGET = np.array([0, 2, 1, 2])
_CLASS_SAMPLES = [
    *(sample(real(4, 3), _TARGET, reduction=r) for r in ("mean", "sum", "none")),
    sample(real(3), np.array(1), label="one sample without a batch"),
    sample(real(2, 3, 2), np.array([[0, 2], [1, 1]]), reduction="none"),
    sample(real(4, 3), _TARGET, ignore_index=2),
    sample(real(4, 3), np.array([0, -100, 1, -100]), reduction="none", label="ignored"),
    sample(real(0, 3), _TARGET[:0], reduction="sum"),
    sample(real(1, 1), np.array([0])),
]
_WEIGHTED = [
    *(sample(real(4, 3), _TARGET, positive(3), reduction=r) for r in ("mean", "sum", "none")),
    sample(real(2, 3, 2), np.array([[0, 2], [1, -100]]), positive(3)),
]
operation(
    "nll_loss",
    tgl.nll_loss,
    _nll,
    _peer("nll_loss"),
    [*_CLASS_SAMPLES, *_WEIGHTED],
    covers=("take_along_axis",),
    differentiable=(0,),
    length=None,
    condition=8,
)
operation(
    "cross_entropy",
    tgl.cross_entropy,
    _cross_entropy,
    _peer("cross_entropy"),
    [
        *_CLASS_SAMPLES,
        *_WEIGHTED,
        sample(np.array([[30.0, 0.0], [-30.0, 30.0]]), np.array([0, 1]), reduction="none", label="large"),
        sample(real(4, 3), _TARGET, label_smoothing=0.1),
        sample(real(4, 3), np.array([0, -100, 1, 2]), positive(3), label_smoothing=0.2),
        sample(real(2, 3), _probabilities(2, 3)),
        sample(real(2, 3, 2), _probabilities(2, 3, 2), reduction="none"),
        sample(real(3), _probabilities(3), label_smoothing=0.1),
        sample(real(2, 3), _probabilities(2, 3), positive(3), label_smoothing=0.1),
    ],
    covers=("softmax_cross_entropy", "log_softmax"),
    differentiable=(0,),
    length=None,
    condition=8,
)
