"""The base of the learning-rate schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_lite.errors import DTypeError, StateError, fail
from tinygrad_lite.functions.arguments import CheckedConstructor
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.settings import ANYTHING, FINITE, Limit, checked


def whole(low: int) -> Limit:
    """A whole number from ``low`` on; bools are not numbers."""

    def convert(value: Any) -> int | None:
        is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
        return int(value) if is_whole and value >= low else None

    return Limit(f"a whole number from {low} on", convert)


def _convert_rates(value: Any) -> list[float] | None:
    rates = [FINITE.convert(rate) for rate in value] if isinstance(value, (list, tuple)) else []
    return rates if rates and None not in rates else None


RATES = Limit("a list of finite numbers", _convert_rates)
#: What all schedules keep besides their settings; of rates there is one per group.
KEPT: Mapping[str, Limit] = {"last_epoch": whole(0), "base_lrs": RATES, "_last_lr": RATES, "min_lrs": RATES}


class LRScheduler(CheckedConstructor):
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

    limits: ClassVar[Mapping[str, Limit]] = {}  #: what each setting may be; anything if not named
    floor: float = 0.0

    def __init__(self, optimizer: Optimizer) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = 0
        self._set(self._first_rates())

    def factor(self, epoch: int) -> float:
        """What the first learning rate (above the floor) is multiplied by in ``epoch``."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on to the next epoch and set the learning rates."""
        epoch = self.last_epoch + 1
        before, now = self.factor(epoch - 1), self.factor(epoch)
        floor, groups, bases = self.floor, self.optimizer.param_groups, self._bases()
        if now == before:
            rates = [group["lr"] for group in groups]
        elif before == 0:  # nothing is left to multiply: up again from the floor
            rates = [group["lr"] + (base - floor) * now for group, base in zip(groups, bases, strict=True)]
        else:
            rates = [floor + (group["lr"] - floor) * (now / before) for group in groups]
        self.last_epoch = epoch
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
            StateError: it does not fit this schedule or the groups of its optimiser; nothing was changed then.
        """
        self._adopt(self._fitting(state_dict))

    def _adopt(self, state: Mapping[str, Any]) -> None:
        """Take over what ``_fitting`` returned."""
        self.__dict__.update(state)

    def _fitting(self, state_dict: Any) -> dict[str, Any]:
        """What ``state_dict`` holds for us, or an error."""
        operation, own = f"{type(self).__name__}.load_state_dict", self.state_dict()
        if not isinstance(state_dict, Mapping):
            need = f"needs a dictionary, but got a {type(state_dict).__name__}"
            fail(StateError, operation, need, hint="pass what schedule.state_dict() returned")
        missing = [name for name in own if name not in state_dict]
        if missing:
            need = f"needs {missing[0]!r}, but the dictionary does not have it"
            fail(StateError, operation, need, hint="was it saved by a schedule of this kind?")
        limits, groups = {**KEPT, **self.limits}, len(self.optimizer.param_groups)
        state: dict[str, Any] = {}
        for name in own:
            given, limit = state_dict[name], limits.get(name, ANYTHING)
            value = state[name] = list(given) if isinstance(given, list) and limit is ANYTHING else limit.convert(given)
            if value is None and limit is not ANYTHING:
                fail(StateError, operation, f"needs {name!r} to be {limit.meaning}, but got {given!r}")
            if limit is RATES and len(value) > groups:
                need = f"needs at most {groups} rates as {name!r}, but the dictionary has {len(value)}"
                fail(StateError, operation, need)
        return state

    def _first_rates(self) -> list[float]:
        """The rates of epoch 0, made of those that the groups have now."""
        first, rates = self.factor(0), [group["lr"] for group in self.optimizer.param_groups]
        return rates if first == 1 else [self.floor + (rate - self.floor) * first for rate in rates]

    def _bases(self) -> list[float]:
        """The first rates; groups that were added since join with the rate that they have now."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault("initial_lr", group["lr"]))
        return self.base_lrs

    def _restart(self) -> None:
        """Begin at epoch 0, from the first learning rates."""
        floor, first = self.floor, self.factor(0)
        self.last_epoch = 0
        self._set([floor + (base - floor) * first for base in self._bases()])

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)


def check_optimizer(schedule: Any, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        need = f"needs an optimiser, but got a {type(optimizer).__name__}"
        hint = "make one first, such as optim.SGD(model.parameters(), lr=0.1)"
        fail(DTypeError, type(schedule).__name__, need, hint=hint)


def assign(schedule: Any, **given: Any) -> None:
    """Check the arguments by the schedule's ``limits`` and make them attributes."""
    for name, value in checked(type(schedule).__name__, schedule.limits, given).items():
        setattr(schedule, name, value)
