"""The schedule whose formula is the user's."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from tinygrad_lite.errors import ArgumentError, DTypeError, StateError, fail
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.scheduler import LRScheduler, check_optimizer
from tinygrad_lite.optim.settings import NON_NEGATIVE

__all__ = ["LambdaLR"]

Factor: TypeAlias = Callable[[int], float]


class LambdaLR(LRScheduler):
    """Let the learning rate of epoch t be the first one times ``lr_lambda(t)``.

    Unlike the other schedules it does not go on from the rate that it finds: changes made meanwhile are overwritten.

    Args:
        optimizer: whose learning rates to change.
        lr_lambda: a function of the epoch, or one per group. A function is not part of ``state_dict()``; the
            attributes of a callable object are.

    Raises:
        ArgumentError: the functions are not one per group, or one returns what is no learning rate.
        DTypeError: ``optimizer`` is no optimiser, or ``lr_lambda`` no function.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim import SGD
    >>> schedule = LambdaLR(SGD([tgl.Tensor(1.0, requires_grad=True)], lr=0.5), lambda epoch: 1 / (1 + epoch))
    >>> [(schedule.get_last_lr()[0], schedule.step())[0] for _ in range(4)]
    [0.5, 0.25, 0.16666666666666666, 0.125]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor]) -> None:
        check_optimizer(self, optimizer)
        several = isinstance(lr_lambda, (list, tuple))
        self.lr_lambdas: list[Any] = list(lr_lambda) if several else [lr_lambda]  # type: ignore[arg-type]
        self._shared = not several
        for i, function in enumerate(self.lr_lambdas):
            if not callable(function):
                name = "lr_lambda" if self._shared else f"lr_lambda[{i}]"
                need = f"needs functions of the epoch, but {name} is {function!r}"
                fail(DTypeError, "LambdaLR", need, hint="such as lambda epoch: 0.95**epoch")
        self._check_count(len(optimizer.param_groups))
        super().__init__(optimizer)

    def _check_count(self, groups: int) -> None:
        if not self._shared and len(self.lr_lambdas) != groups:
            need = f"needs one function per group, but got {len(self.lr_lambdas)} for {groups}"
            fail(ArgumentError, "LambdaLR", need, hint="one function for all groups will do, too")

    def _rates(self, bases: Sequence[float], epoch: int) -> list[float]:
        self._check_count(len(bases))
        functions = self.lr_lambdas * len(bases) if self._shared else self.lr_lambdas
        rates = []
        for base, function in zip(bases, functions, strict=True):
            given = function(epoch)
            factor = NON_NEGATIVE.convert(given)
            if factor is None:
                need = f"needs {NON_NEGATIVE.meaning} from lr_lambda, but got {given!r} in epoch {epoch}"
                fail(ArgumentError, "LambdaLR", need, hint="it is what the first learning rate is multiplied by")
            rates.append(base * factor)
        return rates

    def _first_rates(self) -> list[float]:
        return self._rates(self.base_lrs, 0)

    def step(self) -> None:
        """Go on to the next epoch and set the learning rates."""
        rates = self._rates(self._bases(), self.last_epoch + 1)
        self.last_epoch += 1
        self._set(rates)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs besides the optimiser's own state and the functions.

        ``"lr_lambdas"`` holds ``None`` for a function, and the attributes of a callable object.
        """
        own = {name: value for name, value in super().state_dict().items() if name != "_shared"}
        return {**own, "lr_lambdas": [_attributes(function) for function in self.lr_lambdas]}

    def _fitting(self, state_dict: Any) -> dict[str, Any]:
        state, own = super()._fitting(state_dict), [_attributes(function) for function in self.lr_lambdas]
        given = state["lr_lambdas"]
        kinds = [part is None or isinstance(part, Mapping) for part in given] if isinstance(given, list) else [False]
        if not all(kinds) or [part is None for part in given] != [part is None for part in own]:
            need = f"needs 'lr_lambdas' to fit its {len(own)} functions, but got {given!r}"
            hint = "None stands for a function, a dictionary for the attributes of an object"
            fail(StateError, "LambdaLR.load_state_dict", need, hint=hint)
        return state

    def _adopt(self, state: Mapping[str, Any]) -> None:
        super()._adopt({name: value for name, value in state.items() if name != "lr_lambdas"})
        for function, attributes in zip(self.lr_lambdas, state["lr_lambdas"], strict=True):
            if attributes is not None:
                vars(function).update(attributes)

    def _restart(self) -> None:
        rates = self._rates(self._bases(), 0)
        self.last_epoch = 0
        self._set(rates)


def _attributes(function: Any) -> dict[str, Any] | None:
    """The state of a callable object; a function has none."""
    if isinstance(function, (types.FunctionType, types.MethodType)) or not hasattr(function, "__dict__"):
        return None
    return dict(vars(function))
