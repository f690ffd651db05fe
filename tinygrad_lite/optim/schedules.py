"""Learning-rate schedules, with the names and trajectories of ``torch.optim.lr_scheduler``.

A schedule changes ``param_groups[i]["lr"]`` each time its ``step()`` is called, usually once per epoch. Most are
a factor that depends on the epoch alone; two of them on one optimiser multiply. Warm-up is a composition::

    warm_up = LinearLR(optimizer, start_factor=0.1, total_iters=5)
    cosine = CosineAnnealingLR(optimizer, T_max=95)
    schedule = SequentialLR(optimizer, [warm_up, cosine], milestones=[5])
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_lite.errors import ArgumentError, StateError, fail
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.plateau import ReduceLROnPlateau
from tinygrad_lite.optim.scheduler import LRScheduler, assign, check_optimizer, whole
from tinygrad_lite.optim.settings import FINITE, NON_NEGATIVE, POSITIVE_SHARE, SHARE

__all__ = [
    "LRScheduler",
    "StepLR",
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

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        assign(self, {"step_size": (whole(1), step_size), "gamma": (NON_NEGATIVE, gamma)})
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))

    step_size: int
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

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        assign(self, {"start_factor": (POSITIVE_SHARE, factor), "total_iters": (whole(0), total_iters)})
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

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        given = {
            "start_factor": (POSITIVE_SHARE, start_factor),
            "end_factor": (SHARE, end_factor),
            "total_iters": (whole(1), total_iters),
        }
        assign(self, given)
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
        eta_min: the lowest rate.

    Raises:
        ArgumentError, DTypeError: an argument is out of range or of the wrong kind.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> schedule = CosineAnnealingLR(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1.0), T_max=2)
    >>> [(round(schedule.get_last_lr()[0], 6), schedule.step())[0] for _ in range(5)]
    [1.0, 0.5, 0.0, 0.5, 1.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        assign(self, {"T_max": (whole(1), T_max), "eta_min": (FINITE, eta_min)})
        self.floor = self.eta_min
        super().__init__(optimizer)

    def factor(self, epoch: int) -> float:
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2

    T_max: int
    eta_min: float


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

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        check_optimizer(self, optimizer)
        schedulers, milestones = list(schedulers), list(milestones)
        for i, schedule in enumerate(schedulers):
            if not isinstance(schedule, LRScheduler):
                need = f"needs schedules that go by epochs alone, but schedulers[{i}] is a {type(schedule).__name__}"
                fail(ArgumentError, "SequentialLR", need)
            if schedule.optimizer is not optimizer:
                need = f"needs schedules of one optimiser, but schedulers[{i}] belongs to another"
                fail(ArgumentError, "SequentialLR", need)
        if len(milestones) != len(schedulers) - 1:
            need = f"needs one milestone fewer than schedules, but got {len(milestones)} for {len(schedulers)}"
            fail(ArgumentError, "SequentialLR", need)
        rising = [whole(1).convert(m) for m in milestones]
        if None in rising or sorted(set(rising)) != rising:
            fail(ArgumentError, "SequentialLR", f"needs rising whole numbers as milestones, but got {milestones}")
        self.optimizer = optimizer
        self._milestones: list[int] = rising
        self._schedulers = schedulers
        self._restart()

    def step(self) -> None:
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            schedule._restart()
        else:
            schedule.step()
        self._last_lr = schedule.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        own = {
            "_milestones": list(self._milestones),
            "last_epoch": self.last_epoch,
            "_last_lr": self.get_last_lr(),
        }
        return {**own, "_schedulers": [schedule.state_dict() for schedule in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        state = self._fitting(state_dict)
        if len(state["_schedulers"]) != len(self._schedulers):
            need = f"needs {len(self._schedulers)} schedules, but the dictionary has {len(state['_schedulers'])}"
            fail(StateError, "SequentialLR.load_state_dict", need)
        parts = state.pop("_schedulers")
        for schedule, part in zip(self._schedulers, parts, strict=True):
            schedule._fitting(part)
        for schedule, part in zip(self._schedulers, parts, strict=True):
            schedule.load_state_dict(part)
        self.__dict__.update(state)

    def _restart(self) -> None:
        self.last_epoch = 0
        self._schedulers[0]._restart()
        self._last_lr = self._schedulers[0].get_last_lr()
