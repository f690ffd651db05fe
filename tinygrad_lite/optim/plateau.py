"""A schedule that goes by a metric: reduce the learning rate when the metric stops improving."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.errors import ArgumentError, DTypeError, fail
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.scheduler import LRScheduler, assign, check_optimizer, whole
from tinygrad_lite.optim.settings import FRACTION, NON_NEGATIVE, Limit, checked


def _choice(first: str, second: str) -> Limit:
    return Limit(f"{first!r} or {second!r}", lambda value: value if value in (first, second) else None)


BEST = Limit("a number", lambda v: v if isinstance(v, (int, float)) and not math.isnan(v) else None)


class ReduceLROnPlateau:
    """Reduce the learning rate when a metric has stopped improving.

    ``step(metric)`` counts the epochs in a row without a new best value. After more than ``patience`` of them
    each rate is multiplied by ``factor``, and the next ``cooldown`` epochs are not counted.

    Args:
        optimizer: whose learning rates to change.
        mode: ``"min"`` if small metrics are good, ``"max"`` if large ones are.
        factor: from 0 on and below 1.
        patience: in epochs.
        threshold: how much better than the best value a new one has to be.
        threshold_mode: ``"rel"``: by that share of the best value; ``"abs"``: by that much.
        cooldown: in epochs.
        min_lr: the lowest rate, one for all groups or one each.
        eps: smaller changes are not made.

    Raises:
        ArgumentError, DTypeError: an argument is out of range or of the wrong kind.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> schedule = ReduceLROnPlateau(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1.0), factor=0.5, patience=1)
    >>> [(schedule.step(loss), schedule.get_last_lr()[0])[1] for loss in (3.0, 2.0, 2.0, 2.0, 1.0)]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    limits: ClassVar[Mapping[str, Limit]] = {
        "mode": _choice("min", "max"),
        "factor": FRACTION,
        "patience": whole(0),
        "threshold": NON_NEGATIVE,
        "threshold_mode": _choice("rel", "abs"),
        "cooldown": whole(0),
        "eps": NON_NEGATIVE,
        "best": BEST,
        "cooldown_counter": whole(0),
        "num_bad_epochs": whole(0),
    }

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer(self, optimizer)
        assign(self, mode=mode, factor=factor, patience=patience, threshold=threshold)
        assign(self, threshold_mode=threshold_mode, cooldown=cooldown, eps=eps)
        groups = optimizer.param_groups
        lowest = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * len(groups)
        if len(lowest) != len(groups):
            need = f"needs one min_lr per group, but got {len(lowest)} for {len(groups)}"
            hint = "one number for all groups will do, too"
            fail(ArgumentError, "ReduceLROnPlateau", need, hint=hint)
        limit = {"min_lr": NON_NEGATIVE}
        self.min_lrs = [checked("ReduceLROnPlateau", limit, {"min_lr": low})["min_lr"] for low in lowest]
        self.optimizer = optimizer
        self.best = math.inf if mode == "min" else -math.inf
        self.last_epoch = self.cooldown_counter = self.num_bad_epochs = 0
        self._last_lr: list[float] = [group["lr"] for group in groups]

    mode: str
    factor: float
    patience: int
    threshold: float
    threshold_mode: str
    cooldown: int
    eps: float

    def step(self, metrics: Any) -> None:
        """End an epoch with this value of the metric.

        Args:
            metrics: a number, or a tensor with one element. NaN counts as no improvement.

        Raises:
            DTypeError: it is neither.
        """
        one = isinstance(metrics, (int, float, np.number)) or (isinstance(metrics, Tensor) and metrics.size == 1)
        if not one or isinstance(metrics, bool):
            hint = "pass what is watched, such as the loss of the epoch: loss.item()"
            fail(DTypeError, "ReduceLROnPlateau.step", "needs a number", {"metrics": metrics}, hint)
        value = float(metrics)
        self.last_epoch += 1
        if self._improves(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _improves(self, value: float) -> bool:
        sign = 1 if self.mode == "min" else -1  # with it, smaller is better in both modes
        if self.threshold_mode == "abs":
            return sign * value < sign * self.best - self.threshold
        return sign * value < sign * self.best * (1 - sign * self.threshold)

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        lowest = [*self.min_lrs, *(0 for _ in groups[len(self.min_lrs) :])]
        for group, low in zip(groups, lowest, strict=True):
            rate = max(group["lr"] * self.factor, low)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate

    get_last_lr = LRScheduler.get_last_lr
    state_dict = LRScheduler.state_dict
    load_state_dict = LRScheduler.load_state_dict
    _adopt = LRScheduler._adopt
    _fitting = LRScheduler._fitting
