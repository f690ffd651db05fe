"""What the checks of data parallel training compare with: one process that computes the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.nn import functional as F

comm = dist.init()
common = np.random.default_rng(3)  # the same on all ranks
STEPS, BATCH = 4, 24
X = common.normal(size=(STEPS, BATCH, 6))
Y = common.integers(0, 4, size=(STEPS, BATCH))

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": partial(optim.SGD, lr=0.3),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": partial(optim.Adam, lr=0.01),
}

#: how many samples of a batch of 24 each rank gets
SPLITS: dict[str, Callable[[int], list[int]]] = {
    "equal": lambda n: [BATCH // n] * n,
    "growing": lambda n: [BATCH * (r + 1) // sum(range(n + 1)) for r in range(n - 1)] + [0],
    "all on one": lambda n: [0] * (n - 1) + [BATCH],
}


def split(name: str) -> list[int]:
    lengths = SPLITS[name](comm.size)
    lengths[-1] += BATCH - sum(lengths)
    return lengths


def part(name: str = "equal") -> slice:
    """This rank's samples."""
    lengths = split(name)
    start = sum(lengths[: comm.rank])
    return slice(start, start + lengths[comm.rank])


def network(seed: int = 5) -> nn.Sequential:
    tgl.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, 4)).double()


def serial(optimizer: str, mine: slice = slice(None)) -> nn.Sequential:
    model = network()
    step = OPTIMIZERS[optimizer](model.parameters())
    for x, y in zip(X, Y, strict=True):
        step.zero_grad()
        F.cross_entropy(model(Tensor(x[mine])), Tensor(y[mine])).backward()
        step.step()
    return model


def assert_same(model: nn.Module, expected: nn.Module, tolerance: float = 1e-13) -> None:
    """Equal to the serial model up to rounding, and to the other ranks' bit for bit."""
    for (name, value), other in zip(model.state_dict().items(), expected.state_dict().values(), strict=True):
        scale = float(abs(other).max())
        np.testing.assert_allclose(value.numpy(), other.numpy(), rtol=tolerance, atol=tolerance * scale, err_msg=name)
        assert_replicated(value)


def assert_replicated(value: Tensor) -> None:
    every = comm.all_gather(value.numpy().reshape(1, -1))
    assert (every.view(np.uint8) == every[:1].view(np.uint8)).all(), "the ranks differ"


def gradients(model: nn.Module) -> list[np.ndarray[Any, Any] | None]:
    return [None if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]


def assert_gradients(model: nn.Module, expected: Sequence[np.ndarray[Any, Any] | None]) -> None:
    found = gradients(model)
    assert [g is None for g in found] == [g is None for g in expected]
    for g, other in zip(found, expected, strict=True):
        if g is not None:
            np.testing.assert_allclose(g, other, rtol=1e-13, atol=1e-15)


def serial_gradients(loss: Callable[[nn.Module], Tensor]) -> list[np.ndarray[Any, Any] | None]:
    model = network()
    loss(model).backward()
    return gradients(model)


def error(model: nn.Module, mine: slice = slice(None), step: int = 0, reduction: str = "mean") -> Tensor:
    return F.cross_entropy(model(Tensor(X[step, mine])), Tensor(Y[step, mine]), reduction=reduction)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 5, dtype="float64")
        self.heads = nn.ModuleList([nn.Linear(5, 4, dtype="float64") for _ in range(4)])
        self.never = nn.Linear(2, 2, dtype="float64")

    def forward(self, x: Tensor, head: int) -> Tensor:
        return self.heads[head](self.body(x))
