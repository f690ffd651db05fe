"""Adam and AdamW: running means of the gradient and of its square, both corrected for their start at zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.runs import Run
from tinygrad_lite.optim.settings import BETAS, FLAG, NON_NEGATIVE, Limit


class Adam(Optimizer):
    """Adam (adaptive moment estimation): momentum divided by the size that gradients usually have.

    The first lecture, with eta for ``lr`` and g_k for the stochastic gradient; k starts at 0::

        m_k+1 = beta_1 m_k + (1 - beta_1) g_k           m~ = m_k+1 / (1 - beta_1^(k+1))
        v_k+1 = beta_2 v_k + (1 - beta_2) g_k^2         v~ = v_k+1 / (1 - beta_2^(k+1))
        w_k+1 = w_k - eta m~ / (sqrt(v~) + eps)

    (Kingma and Ba 2015.) The lecture has eps in the same place. With ``eps=0`` a weight whose gradients were
    all zero stays where it is (0/0 counts as 0).

    Args:
        params: tensors that require a gradient, or groups of them (see ``Optimizer``).
        lr: eta.
        betas: beta_1 and beta_2, the forgetting factors.
        eps: keeps the divisor away from 0.
        weight_decay: lambda; lambda p is added to the gradient.
        maximize: go up instead of down.

    Raises:
        ArgumentError: there are no parameters, one occurs twice, or a setting is out of range.
        DTypeError: something given is not a tensor.
        GradientError: a tensor is not a leaf that requires a gradient.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([3.0, -4.0, 0.0], requires_grad=True)
    >>> optimizer = Adam([x], lr=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor([ 2.5, -3.5,  0. ], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {
        "lr": NON_NEGATIVE,
        "betas": BETAS,
        "eps": NON_NEGATIVE,
        "weight_decay": NON_NEGATIVE,
        "maximize": FLAG,
    }
    arrays: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")
    required: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")
    decoupled: ClassVar[bool] = False  #: whether weight decay acts on the weights, not on the gradient

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def update(self, run: Run) -> None:
        group = run.group
        run.updates.adam(
            run.values,
            run.grads,
            run.state("exp_avg"),
            run.state("exp_avg_sq"),
            step=run.step,
            lr=group["lr"],
            betas=group["betas"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            decoupled=self.decoupled,
            maximize=group["maximize"],
        )


class AdamW(Adam):
    """Adam with decoupled weight decay: ``w <- w - eta lambda w`` first, then Adam's step without lambda.

    In Adam a penalty on the weights is divided by sqrt(v~) like every gradient; here it is not
    (Loshchilov and Hutter 2019).

    Args:
        params: tensors that require a gradient, or groups of them (see ``Optimizer``).
        lr: eta.
        betas: beta_1 and beta_2, the forgetting factors.
        eps: keeps the divisor away from 0.
        weight_decay: lambda.
        maximize: go up instead of down.

    Raises:
        ArgumentError: there are no parameters, one occurs twice, or a setting is out of range.
        DTypeError: something given is not a tensor.
        GradientError: a tensor is not a leaf that requires a gradient.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([4.0], requires_grad=True)
    >>> optimizer = AdamW([x], lr=0.5, weight_decay=0.25)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor([3.], requires_grad=True)
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)
