"""Losses as modules: ``functions/classification.py`` and ``losses.py`` with the options bound, in PyTorch's order."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.errors import ArgumentError, fail
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
from tinygrad_lite.nn.module import Module

__all__ = [
    "CrossEntropyLoss",
    "NLLLoss",
    "MSELoss",
    "L1Loss",
    "SmoothL1Loss",
    "HuberLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "KLDivLoss",
]


class _Loss(Module):
    """What all losses have: how the losses of a batch become one number."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self._check_reduction(reduction)
        self.reduction = reduction

    def _check_reduction(self, reduction: str) -> None:
        if reduction not in ("mean", "sum", "none"):
            need = f'needs reduction "mean", "sum" or "none", but got {reduction!r}'
            hint = '"mean" averages over the batch, "sum" adds up, "none" gives the loss of every sample'
            fail(ArgumentError, type(self).__name__, need, {}, hint)

    def extra_repr(self) -> str:
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """-log softmax(logits)[target], averaged over the batch; see ``cross_entropy``.

    Args:
        weight: (C,) weights of the classes, or None; a buffer.
        ignore_index: a class number whose samples do not count.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        label_smoothing: s from 0 to 1, the share of the target that is spread over all classes.

    >>> CrossEntropyLoss()(Tensor([[0.0, 0.0]]), Tensor([1]))
    Tensor(0.6931472)
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        if not 0.0 <= label_smoothing <= 1.0:
            need = f"needs label_smoothing from 0 to 1, but got {label_smoothing}"
            hint = "it is the share of the target that goes to all classes, such as 0.1"
            fail(ArgumentError, "CrossEntropyLoss", need, {}, hint)
        self.register_buffer("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Logits (N, C, ...) and class numbers (N, ...) or probabilities (N, C, ...) to the loss."""
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """-input[target], averaged over the batch: the negative log-likelihood of log-probabilities.

    Args:
        weight, ignore_index, reduction: as for ``CrossEntropyLoss``.

    >>> NLLLoss()(Tensor([[-1.0, -2.0]]), Tensor([1]))
    Tensor(2.)
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Log-probabilities (N, C, ...) and class numbers (N, ...) to the loss."""
        return nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MSELoss(_Loss):
    """(input - target)^2, averaged over all elements.

    >>> MSELoss()(Tensor([1.0, 3.0]), Tensor([1.0, 1.0]))
    Tensor(2.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Predictions and targets of one shape to the loss."""
        return mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """|input - target|, averaged over all elements.

    >>> L1Loss()(Tensor([1.0, 3.0]), Tensor([1.0, 1.0]))
    Tensor(1.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Predictions and targets of one shape to the loss."""
        return l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """d^2/(2 beta) for |d| < beta, else |d| - beta/2, averaged over all elements; d = input - target.

    >>> SmoothL1Loss()(Tensor([0.5, 3.0]), Tensor([0.0, 0.0]))
    Tensor(1.3125)
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        if not beta >= 0:
            hint = "it is the distance at which squares turn into absolute values, such as 1.0"
            fail(ArgumentError, "SmoothL1Loss", f"needs beta >= 0, but got {beta}", {}, hint)
        self.beta = beta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Predictions and targets of one shape to the loss."""
        return smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """d^2/2 for |d| <= delta, else delta (|d| - delta/2), averaged over all elements; d = input - target.

    >>> HuberLoss()(Tensor([0.5, 3.0]), Tensor([0.0, 0.0]))
    Tensor(1.3125)
    """

    def __init__(self, *, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        if not delta > 0:
            hint = "it is the distance at which squares turn into absolute values, such as 1.0"
            fail(ArgumentError, "HuberLoss", f"needs delta > 0, but got {delta}", {}, hint)
        self.delta = delta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Predictions and targets of one shape to the loss."""
        return huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class BCELoss(_Loss):
    """-(t log p + (1 - t) log(1 - p)) of probabilities p, averaged over all elements; see ``binary_cross_entropy``.

    Args:
        weight: a weight per element (broadcasts), or None; a buffer.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    >>> BCELoss()(Tensor([0.5]), Tensor([1.0]))
    Tensor(0.6931472)
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Probabilities, predicted and true, of one shape to the loss."""
        return binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """-(t log s + (1 - t) log(1 - s)) with s = sigmoid(input), averaged over all elements.

    Args:
        weight: a weight per element (broadcasts), or None; a buffer.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        pos_weight: a factor on the positive part (broadcasts), or None; a buffer.

    >>> BCEWithLogitsLoss()(Tensor([0.0]), Tensor([1.0]))
    Tensor(0.6931472)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Logits and probabilities of one shape to the loss."""
        return binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(_Loss):
    """t (log t - log q), averaged over all elements: the Kullback-Leibler divergence of t from q; see ``kl_div``.

    Args:
        reduction: ``"mean"``, ``"batchmean"`` (the mean of the divergences themselves), ``"sum"`` or ``"none"``.
        log_target: whether the target holds logarithms.

    >>> KLDivLoss(reduction="batchmean")(Tensor([[-0.6931472, -0.6931472]]), Tensor([[1.0, 0.0]]))
    Tensor(0.6931472)
    """

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def _check_reduction(self, reduction: str) -> None:
        if reduction not in ("batchmean", "mean", "sum", "none"):
            need = f'needs reduction "batchmean", "mean", "sum" or "none", but got {reduction!r}'
            fail(ArgumentError, "KLDivLoss", need, {}, '"batchmean" is the mean of the divergences, one per row')

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Logarithms of predicted probabilities, and probabilities or their logarithms, to the loss."""
        return kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
