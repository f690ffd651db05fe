"""The training step of the network 784-512-10 at batch 128, and an epoch of it over as many images as MNIST has."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_lite as tgl
from tinygrad_lite import nn, optim
from tinygrad_lite.nn import functional

WIDTHS, BATCH, IMAGES = (784, 512, 10), 128, 60_000


def network(widths: tuple[int, ...], device: str) -> Any:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).to(device)


def updates(model: Any, optimizer: str) -> Any:
    return optim.SGD(model.parameters(), lr=0.01) if optimizer == "SGD" else optim.Adam(model.parameters())


def step_of(model: Any, rule: Any) -> Callable[[Any, Any], Any]:
    """Forward, loss, backward, update."""

    def step(images: Any, labels: Any) -> Any:
        rule.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        rule.step()
        return loss

    return step


class Training(NamedTuple):
    """A network being trained: one step, a batch for it, and the same step as a function without arguments."""

    step: Callable[[Any, Any], Any]
    images: Any
    labels: Any

    def on_its_batch(self) -> Any:
        return self.step(self.images, self.labels)


def on_a_batch(device: str, optimizer: str, widths: tuple[int, ...] = WIDTHS, batch: int = BATCH) -> Training:
    """A new network and one random batch, or with ``batch`` images a whole data set of that size."""
    rng = np.random.default_rng()
    model = network(widths, device)
    images = tgl.asarray(rng.random((batch, widths[0]), np.float32), device=device)
    labels = tgl.asarray(rng.integers(0, widths[-1], batch), device=device)
    return Training(step_of(model, updates(model, optimizer)), images, labels)


def epoch(
    found: Training, batch: int, step: Callable[[Any, Any], Any], *, drop_last: bool = False
) -> Callable[[], Any]:
    """All steps of an epoch, each on a batch that is gathered on the device in random order.

    ``drop_last`` leaves a smaller last batch out, as a step that was recorded for one shape has to.
    """
    count = len(found.images)
    order = tgl.asarray(np.random.default_rng().permutation(np.arange(count)), device=found.images.device)

    def run() -> Any:
        loss = None
        for start in range(0, count - batch + 1 if drop_last else count, batch):
            chosen = order[start : start + batch]
            images, labels = tgl.take(found.images, chosen, axis=0), tgl.take(found.labels, chosen, axis=0)
            loss = step(images, labels)
        return loss

    return run


def deviation(device: str, optimizer: str, steps: int = 3) -> float:
    """The largest error of the weights after some steps, relative to the same steps on the CPU in float64."""
    rng = np.random.default_rng()
    x, y = rng.random((32, 20), np.float32), rng.integers(0, 10, 32)
    trained: list[list[Any]] = []
    start: Any = None
    for where, dtype in (("cpu", "float64"), (device, "float32")):
        model = network((20, 32, 10), "cpu")
        start = model.state_dict() if start is None else start
        model.load_state_dict(start)
        model = model.to(where, dtype=dtype)
        step = step_of(model, updates(model, optimizer))
        images = tgl.asarray(x.astype(dtype), device=where)
        labels = tgl.asarray(y, device=where)
        for _ in range(steps):
            step(images, labels)
        trained.append([np.asarray(p.detach().numpy(), np.float64) for p in model.parameters()])
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(a))) for a, b in zip(*trained, strict=True))
