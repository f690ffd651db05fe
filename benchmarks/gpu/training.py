"""The training step of the network 784-512-10 at batch 128, and an epoch of it over as many images as MNIST has."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

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


def batch_step(device: str, optimizer: str, widths: tuple[int, ...] = WIDTHS, batch: int = BATCH) -> Callable[[], Any]:
    """A step on one random batch."""
    rng = np.random.default_rng()
    model = network(widths, device)
    step = step_of(model, updates(model, optimizer))
    images = tgl.asarray(rng.random((batch, widths[0]), np.float32), device=device)
    labels = tgl.asarray(rng.integers(0, widths[-1], batch), device=device)
    return lambda: step(images, labels)


def epoch(device: str, count: int, widths: tuple[int, ...] = WIDTHS, batch: int = BATCH) -> Callable[[], Any]:
    """All steps of an epoch with SGD: each gathers its batch from images on the device, in random order."""
    rng = np.random.default_rng()
    model = network(widths, device)
    step = step_of(model, updates(model, "SGD"))
    images = tgl.asarray(rng.random((count, widths[0]), np.float32), device=device)
    labels = tgl.asarray(rng.integers(0, widths[-1], count), device=device)
    order = tgl.asarray(rng.permutation(count), device=device)

    def run() -> Any:
        loss = None
        for start in range(0, count, batch):
            chosen = order[start : start + batch]
            loss = step(tgl.take(images, chosen, axis=0), tgl.take(labels, chosen, axis=0))
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
