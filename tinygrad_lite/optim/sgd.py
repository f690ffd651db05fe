"""Stochastic gradient descent, with momentum, Nesterov's momentum and weight decay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.runs import Run
from tinygrad_lite.optim.settings import FINITE, FLAG, NON_NEGATIVE, Limit


class SGD(Optimizer):
    """Stochastic gradient descent: a step against the gradient of the minibatch.

    The second lecture's update ``p <- p - alpha grad J_r(p)``, where alpha is ``lr``. With momentum mu,
    dampening tau and weight decay lambda, as in PyTorch::

        g <- grad J_r(p) + lambda p
        b <- mu b + (1 - tau) g         (at the first step b = g)
        p <- p - lr b                   (nesterov: p - lr (g + mu b))

    Args:
        params: tensors that require a gradient, or groups of them (see ``Optimizer``).
        lr: the learning rate alpha.
        momentum: mu; 0 needs no memory.
        dampening: tau.
        weight_decay: lambda; the gradient of the penalty lambda/2 ||p||^2.
        nesterov: look ahead by the momentum; needs momentum and no dampening.
        maximize: go up instead of down.

    Raises:
        ArgumentError: there are no parameters, one occurs twice, or a setting is out of range.
        DTypeError: something given is not a tensor.
        GradientError: a tensor is not a leaf that requires a gradient.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SGD([x], lr=0.25)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor([ 0.5, -1. ], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {
        "lr": NON_NEGATIVE,
        "momentum": NON_NEGATIVE,
        "dampening": FINITE,
        "weight_decay": NON_NEGATIVE,
        "nesterov": FLAG,
        "maximize": FLAG,
    }
    arrays: ClassVar[tuple[str, ...]] = ("momentum_buffer",)
    counts_steps: ClassVar[bool] = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, operation: str, settings: Mapping[str, Any]) -> None:
        if settings["nesterov"] and (settings["momentum"] == 0 or settings["dampening"] != 0):
            got = f"momentum={settings['momentum']} and dampening={settings['dampening']}"
            need = f"needs momentum and no dampening with nesterov=True, but got {got}"
            fail(ArgumentError, operation, need, hint="momentum=0.9, dampening=0 is usual")

    def update(self, run: Run) -> None:
        group = run.group
        first = "momentum_buffer" not in run.names
        run.updates.sgd(
            run.values,
            run.grads,
            run.state("momentum_buffer") if group["momentum"] else None,
            lr=group["lr"],
            momentum=group["momentum"],
            dampening=group["dampening"],
            weight_decay=group["weight_decay"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            first=first,
        )
