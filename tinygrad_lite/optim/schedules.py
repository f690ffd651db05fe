"""Learning-rate schedules, with the names and trajectories of ``torch.optim.lr_scheduler``.

A schedule changes ``param_groups[i]["lr"]`` each time its ``step()`` is called, usually once per epoch. Most are
a factor that depends on the epoch alone; two of them on one optimiser multiply. Warm-up is a composition::

    warm_up = LinearLR(optimizer, start_factor=0.1, total_iters=5)
    cosine = CosineAnnealingLR(optimizer, T_max=95)
    schedule = SequentialLR(optimizer, [warm_up, cosine], milestones=[5])

Two trajectories are not PyTorch's: ``ConstantLR`` with ``total_iters=0`` leaves the rate alone, where PyTorch keeps it
multiplied by ``factor`` for good; and a ``SequentialLR`` inside another changes over at its own milestones, where
PyTorch's does so an epoch early.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tinygrad_lite.dialects import refusing
from tinygrad_lite.errors import ArgumentError, StateError, fail
from tinygrad_lite.optim.lambdas import LambdaLR
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.plateau import ReduceLROnPlateau
from tinygrad_lite.optim.scheduler import LRScheduler, assign, check_optimizer, whole
from tinygrad_lite.optim.settings import NON_NEGATIVE, POSITIVE_SHARE, SHARE, Limit

__all__ = [
    "LRScheduler",
    "StepLR",
    "ExponentialLR",
    "LambdaLR",
    "ConstantLR",
    "LinearLR",
    "CosineAnnealingLR",
    "SequentialLR",
    "ReduceLROnPlateau",
]


class StepLR(LRScheduler):
    """Multiply the learning rate by ``gamma`` every ``step_size`` epochs.

    Args:
        optimizer: whose learning rates to change.
        step_size: in epochs.
        gamma: the factor.

    Raises:
        ArgumentError, DTypeError: an argument is out of range or of the wrong kind.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> schedule = StepLR(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1.0), step_size=2, gamma=0.5)
    >>> [(schedule.get_last_lr()[0], schedule.step())[0] for _ in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    limits: ClassVar[Mapping[str, Limit]] = {"step_size": whole(1), "gamma": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        assign(self, step_size=step_size, gamma=gamma)
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))

    step_size: int
    gamma: float


class ExponentialLR(LRScheduler):
    """Multiply the learning rate by ``gamma`` every epoch.

    Args:
        optimizer: whose learning rates to change.
        gamma: the factor.

    Raises:
        ArgumentError, DTypeError: an argument is out of range or of the wrong kind.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> schedule = ExponentialLR(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1.0), gamma=0.5)
    >>> [(schedule.get_last_lr()[0], schedule.step())[0] for _ in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    limits: ClassVar[Mapping[str, Limit]] = {"gamma": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        assign(self, gamma=gamma)
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        return float(self.gamma**epoch)

    gamma: float


class ConstantLR(LRScheduler):
    """Multiply the learning rate by ``factor`` until epoch ``total_iters``, then no more.

    Args:
        optimizer: whose learning rates to change.
        factor: above 0 and up to 1.
        total_iters: in epochs.

    Raises:
        ArgumentError, DTypeError: an argument is out of range or of the wrong kind.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> schedule = ConstantLR(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1.0), factor=0.5, total_iters=2)
    >>> [(schedule.get_last_lr()[0], schedule.step())[0] for _ in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """

    limits: ClassVar[Mapping[str, Limit]] = {"start_factor": POSITIVE_SHARE, "total_iters": whole(0)}

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        assign(self, start_factor=factor, total_iters=total_iters)
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        return 1.0 if epoch >= self.total_iters else self.start_factor

    start_factor: float
    total_iters: int


class LinearLR(LRScheduler):
    """Go from ``start_factor`` to ``end_factor`` times the learning rate in ``total_iters`` equal steps: warm-up.

    Args:
        optimizer: whose learning rates to change.
        start_factor: above 0 and up to 1.
        end_factor: from 0 to 1.
        total_iters: in epochs.

    Raises:
        ArgumentError, DTypeError: an argument is out of range or of the wrong kind.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> schedule = LinearLR(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1.0), 0.25, total_iters=3)
    >>> [(schedule.get_last_lr()[0], schedule.step())[0] for _ in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    limits: ClassVar[Mapping[str, Limit]] = {
        "start_factor": POSITIVE_SHARE,
        "end_factor": SHARE,
        "total_iters": whole(1),
    }

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        assign(self, start_factor=start_factor, end_factor=end_factor, total_iters=total_iters)
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * done

    start_factor: float
    end_factor: float
    total_iters: int


class CosineAnnealingLR(LRScheduler):
    """Let the learning rate fall to ``eta_min`` along half a cosine in ``T_max`` epochs, then rise again.

    ``lr_t = eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2`` (Loshchilov and Hutter 2017, no restarts).

    Args:
        optimizer: whose learning rates to change.
        T_max: in epochs.
        eta_min: the lowest rate, from 0 on.

    Raises:
        ArgumentError, DTypeError: an argument is out of range or of the wrong kind.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> schedule = CosineAnnealingLR(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1.0), T_max=2)
    >>> [(round(schedule.get_last_lr()[0], 6), schedule.step())[0] for _ in range(5)]
    [1.0, 0.5, 0.0, 0.5, 1.0]
    """

    limits: ClassVar[Mapping[str, Limit]] = {"T_max": whole(1), "eta_min": NON_NEGATIVE, "floor": NON_NEGATIVE}

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        assign(self, T_max=T_max, eta_min=eta_min)
        self.floor = self.eta_min
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2

    T_max: int
    eta_min: float


def _convert_rising(value: Any) -> list[int] | None:
    epochs: list[Any] = [whole(1).convert(epoch) for epoch in value] if isinstance(value, (list, tuple)) else [None]
    return epochs if None not in epochs and sorted(set(epochs)) == epochs else None


RISING = Limit("rising whole numbers", _convert_rising)


class SequentialLR(LRScheduler):
    """One schedule after the other: at ``milestones[i]`` the next one begins, at its own epoch 0.

    Args:
        optimizer: whose learning rates to change.
        schedulers: schedules of this optimiser, in order.
        milestones: the epochs at which to change over; one fewer, rising.

    Raises:
        ArgumentError: the schedules belong to another optimiser, do not go by epochs alone, or the numbers
            do not fit.
        DTypeError: ``optimizer`` is no optimiser.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> optimizer = SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> warm_up = LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> decay = StepLR(optimizer, step_size=1, gamma=0.5)
    >>> schedule = SequentialLR(optimizer, [warm_up, decay], milestones=[3])
    >>> [(schedule.get_last_lr()[0], schedule.step())[0] for _ in range(6)]
    [0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    """

    limits: ClassVar[Mapping[str, Limit]] = {"_milestones": RISING}

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        check_optimizer(self, optimizer)
        schedulers, milestones = list(schedulers), list(milestones)
        for i, schedule in enumerate(schedulers):
            if not isinstance(schedule, LRScheduler):
                need = f"needs schedules that go by epochs alone, but schedulers[{i}] is a {type(schedule).__name__}"
                fail(ArgumentError, "SequentialLR", need, hint="ReduceLROnPlateau takes its own steps, beside others")
            if schedule.optimizer is not optimizer:
                need = f"needs schedules of one optimiser, but schedulers[{i}] belongs to another"
                fail(ArgumentError, "SequentialLR", need, hint="make all of them with the same optimiser")
        if len(milestones) != len(schedulers) - 1:
            need = f"needs one milestone fewer than schedules, but got {len(milestones)} for {len(schedulers)}"
            hint = "a milestone is the epoch at which the next schedule begins"
            fail(ArgumentError, "SequentialLR", need, hint=hint)
        rising = RISING.convert(milestones)
        if rising is None:
            hint = "a milestone is the epoch at which the next schedule begins"
            need = f"needs rising whole numbers as milestones, but got {milestones}"
            fail(ArgumentError, "SequentialLR", need, hint=hint)
        self.optimizer = optimizer
        self._milestones: list[int] = rising
        self._schedulers = schedulers
        self._restart()

    def step(self) -> None:
        epoch = self.last_epoch + 1
        index = bisect_right(self._milestones, epoch)
        schedule = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == epoch:
            schedule._restart()
        else:
            schedule.step()
        self.last_epoch = epoch
        self._last_lr = schedule.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        own = {
            "_milestones": list(self._milestones),
            "last_epoch": self.last_epoch,
            "_last_lr": self.get_last_lr(),
        }
        return {**own, "_schedulers": [schedule.state_dict() for schedule in self._schedulers]}

    def _fitting(self, state_dict: Any) -> dict[str, Any]:
        state, operation = super()._fitting(state_dict), "SequentialLR.load_state_dict"
        parts = state["_schedulers"]
        if not isinstance(parts, list):
            fail(StateError, operation, f"needs a list as '_schedulers', but got a {type(parts).__name__}")
        for what, own, given in (
            ("schedules", self._schedulers, parts),
            ("milestones", self._milestones, state["_milestones"]),
        ):
            if len(given) != len(own):
                fail(StateError, operation, f"needs {len(own)} {what}, but the dictionary has {len(given)}")
        fitted = [schedule._fitting(part) for schedule, part in zip(self._schedulers, parts, strict=True)]
        return {**state, "_schedulers": fitted}

    def _adopt(self, state: Mapping[str, Any]) -> None:
        for schedule, part in zip(self._schedulers, state["_schedulers"], strict=True):
            schedule._adopt(part)
        super()._adopt({name: value for name, value in state.items() if name != "_schedulers"})

    def _restart(self) -> None:
        self.last_epoch = 0
        self._schedulers[0]._restart()
        self._last_lr = self._schedulers[0].get_last_lr()


if not TYPE_CHECKING:  # mypy knows every name
    __getattr__ = refusing("tinygrad_lite.optim.lr_scheduler")
