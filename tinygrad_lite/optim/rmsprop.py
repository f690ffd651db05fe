"""RMSProp: a learning rate for every weight, from a running mean of its squared gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.runs import Run
from tinygrad_lite.optim.settings import FLAG, NON_NEGATIVE, SHARE, Limit


class RMSprop(Optimizer):
    """RMSProp: AdaGrad that forgets, so that its steps do not die away.

    The first lecture, with gamma for ``alpha`` and eta for ``lr``::

        v(w_k) = gamma v(w_k-1) + (1 - gamma) g_k^2
        w_k+1  = w_k - eta / sqrt(v(w_k)) g_k

    As in PyTorch the divisor is ``sqrt(v) + eps``. With ``eps=0`` the formula is the lecture's, and a weight
    whose gradients were all zero stays where it is (0/0 counts as 0). ``centered`` divides by the root of the
    variance ``v - mean(g)^2`` (Graves 2013); with momentum mu the step is ``b = mu b + g / sqrt(v)``,
    ``w = w - eta b``.

    Args:
        params: tensors that require a gradient, or groups of them (see ``Optimizer``).
        lr: eta.
        alpha: gamma, the forgetting factor.
        eps: keeps the divisor away from 0.
        weight_decay: lambda; lambda p is added to the gradient.
        momentum: mu.
        centered: whether to subtract the squared mean.
        maximize: go up instead of down.

    Raises:
        ArgumentError: there are no parameters, one occurs twice, or a setting is out of range.
        DTypeError: something given is not a tensor.
        GradientError: a tensor is not a leaf that requires a gradient.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([3.0, -4.0, 0.0], requires_grad=True)
    >>> optimizer = RMSprop([x], lr=0.5, alpha=0.75, eps=0)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor([ 2., -3.,  0.], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {
        "lr": NON_NEGATIVE,
        "alpha": SHARE,
        "eps": NON_NEGATIVE,
        "weight_decay": NON_NEGATIVE,
        "momentum": NON_NEGATIVE,
        "centered": FLAG,
        "maximize": FLAG,
    }
    arrays: ClassVar[tuple[str, ...]] = ("square_avg", "momentum_buffer", "grad_avg")
    required: ClassVar[tuple[str, ...]] = ("square_avg",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def update(self, run: Run) -> None:
        group = run.group
        run.updates.rmsprop(
            run.values,
            run.grads,
            run.state("square_avg"),
            buffer=run.state("momentum_buffer") if group["momentum"] else None,
            grad_avg=run.state("grad_avg") if group["centered"] else None,
            lr=group["lr"],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            maximize=group["maximize"],
        )


RMSProp = RMSprop  #: the name in the lecture
