"""The base of the learning-rate schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.errors import DTypeError, StateError, fail
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.settings import Limit, checked


def whole(low: int) -> Limit:
    """A whole number from ``low`` on; bools are not numbers."""

    def convert(value: Any) -> int | None:
        is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
        return int(value) if is_whole and value >= low else None

    return Limit(f"a whole number from {low} on", convert)


class LRScheduler:
    """The base of the schedules that depend on the epoch: a subclass writes ``factor(epoch)``.

    The learning rate of epoch t is ``floor + (base - floor) factor(t)``, where base is the rate that the group
    had at first. A step multiplies by ``factor(t) / factor(t - 1)``, so that changes made meanwhile, by hand
    or by another schedule, are kept.

    Args:
        optimizer: whose groups to change. Their ``"lr"`` becomes ``"initial_lr"`` unless that is there.

    Attributes:
        last_epoch: the number of the current epoch; the first is 0.
        base_lrs: the rate of every group at first.

    Raises:
        DTypeError: ``optimizer`` is no optimiser.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> class Halving(LRScheduler):
    ...     def factor(self, epoch):
    ...         return 0.5**epoch
    >>> schedule = Halving(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=0.4))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.2]
    """

    floor: float = 0.0

    def __init__(self, optimizer: Optimizer) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = 0
        first = self.factor(0)
        rates = [self.floor + (group["lr"] - self.floor) * first for group in optimizer.param_groups]
        self._set([group["lr"] for group in optimizer.param_groups] if first == 1 else rates)

    def factor(self, epoch: int) -> float:
        """What the first learning rate (above the floor) is multiplied by in ``epoch``."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on to the next epoch and set the learning rates."""
        self.last_epoch += 1
        before, now = self.factor(self.last_epoch - 1), self.factor(self.last_epoch)
        floor, groups, bases = self.floor, self.optimizer.param_groups, self._bases()
        if now == before:
            rates = [group["lr"] for group in groups]
        elif before == 0:  # nothing is left to multiply: up again from the floor
            rates = [group["lr"] + (base - floor) * now for group, base in zip(groups, bases, strict=True)]
        else:
            rates = [floor + (group["lr"] - floor) * (now / before) for group in groups]
        self._set(rates)

    def get_last_lr(self) -> list[float]:
        """The learning rate of every group, as this schedule last set it."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs besides the optimiser's own state; plain numbers and lists."""
        return {
            name: list(value) if isinstance(value, list) else value
            for name, value in self.__dict__.items()
            if name != "optimizer"
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned. The learning rates themselves belong to the optimiser's state.

        Raises:
            StateError: it is the state of another kind of schedule; nothing was changed then.
        """
        self.__dict__.update(self._fitting(state_dict))

    def _fitting(self, state_dict: Any) -> dict[str, Any]:
        """What ``state_dict`` holds for us, or an error."""
        operation, own = f"{type(self).__name__}.load_state_dict", self.state_dict()
        if not isinstance(state_dict, Mapping):
            fail(StateError, operation, f"needs a dictionary, but got a {type(state_dict).__name__}")
        missing = [name for name in own if name not in state_dict]
        if missing:
            need = f"needs {missing[0]!r}, but the dictionary does not have it"
            fail(StateError, operation, need, hint="was it saved by a schedule of this kind?")
        return {name: list(v) if isinstance(v := state_dict[name], (list, tuple)) else v for name in own}

    def _bases(self) -> list[float]:
        """The first rates; groups that were added since join with the rate that they have now."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault("initial_lr", group["lr"]))
        return self.base_lrs

    def _restart(self) -> None:
        """Begin at epoch 0, from the first learning rates."""
        self.last_epoch = 0
        floor, first = self.floor, self.factor(0)
        self._set([floor + (base - floor) * first for base in self._bases()])

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)


def check_optimizer(schedule: Any, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        need = f"needs an optimiser, but got a {type(optimizer).__name__}"
        fail(DTypeError, type(schedule).__name__, need)


def assign(schedule: Any, given: Mapping[str, tuple[Limit, Any]]) -> None:
    """Check the arguments and make them attributes."""
    limits = {name: limit for name, (limit, _) in given.items()}
    values = {name: value for name, (_, value) in given.items()}
    for name, value in checked(type(schedule).__name__, limits, values).items():
        setattr(schedule, name, value)
