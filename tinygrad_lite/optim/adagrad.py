"""AdaGrad: a learning rate for every weight, from the sum of its squared gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.runs import Run
from tinygrad_lite.optim.settings import FLAG, NON_NEGATIVE, Limit


class Adagrad(Optimizer):
    """AdaGrad: weights that have seen large gradients take small steps.

    The first lecture, with eta for ``lr`` and g_k for the stochastic gradient at step k::

        G_k = sum over k' <= k of g_k' g_k'^T
        (w_k+1)_j = (w_k)_j - eta / sqrt((G_k)_jj) (g_k)_j

    Of G only the diagonal is kept (Duchi et al. 2011); its root estimates the Lipschitz constant. As in
    PyTorch the divisor is ``sqrt(G_jj) + eps`` and eta becomes ``lr / (1 + (k - 1) lr_decay)``. With ``eps=0``
    the formula is the lecture's, and a weight whose gradients were all zero stays where it is (0/0 counts as 0).

    Args:
        params: tensors that require a gradient, or groups of them (see ``Optimizer``).
        lr: eta.
        lr_decay: how fast eta falls.
        weight_decay: lambda; lambda p is added to the gradient.
        initial_accumulator_value: where G_jj starts.
        eps: keeps the divisor away from 0.
        maximize: go up instead of down.

    Raises:
        ArgumentError: there are no parameters, one occurs twice, or a setting is out of range.
        DTypeError: something given is not a tensor.
        GradientError: a tensor is not a leaf that requires a gradient.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([3.0, -4.0, 0.0], requires_grad=True)
    >>> optimizer = Adagrad([x], lr=0.5, eps=0)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor([ 2.5, -3.5,  0. ], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {
        "lr": NON_NEGATIVE,
        "lr_decay": NON_NEGATIVE,
        "weight_decay": NON_NEGATIVE,
        "initial_accumulator_value": NON_NEGATIVE,
        "eps": NON_NEGATIVE,
        "maximize": FLAG,
    }
    arrays: ClassVar[tuple[str, ...]] = ("sum",)
    required: ClassVar[tuple[str, ...]] = ("sum",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def begin(self, run: Run) -> None:
        run.state("sum").fill(run.group["initial_accumulator_value"])

    def update(self, run: Run) -> None:
        group = run.group
        run.updates.adagrad(
            run.values,
            run.grads,
            run.state("sum"),
            lr=group["lr"] / (1 + (run.step - 1) * group["lr_decay"]),
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            maximize=group["maximize"],
        )
