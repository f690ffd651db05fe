"""The training step of the network 784-512-10 at batch 128, and an epoch of it over as many images as MNIST has."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from cases import ROUNDOFF
from timing import recorded

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


def updates(model: Any, optimizer: str, eps: float = 1e-8) -> Any:
    return optim.SGD(model.parameters(), lr=0.01) if optimizer == "SGD" else optim.Adam(model.parameters(), eps=eps)


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
    found: Training, batch: int, step: Callable[[Any, Any], Any], *, drop_last: bool = False, order: Any = None
) -> Callable[[], Any]:
    """All steps of an epoch, each on a batch that is gathered on the device in random order, or in the one given.

    ``drop_last`` leaves a smaller last batch out, as a step that was recorded for one shape has to.
    """
    count = len(found.images)
    places = np.random.default_rng().permutation(np.arange(count)) if order is None else order
    places = tgl.asarray(places, device=found.images.device)

    def run() -> Any:
        loss = None
        for start in range(0, count - batch + 1 if drop_last else count, batch):
            chosen = places[start : start + batch]
            images, labels = tgl.take(found.images, chosen, axis=0), tgl.take(found.labels, chosen, axis=0)
            loss = step(images, labels)
        return loss

    return run


# --- the check ------------------------------------------------------------------------------------------------

ROUNDINGS = 1e-4 / ROUNDOFF  #: the error that is allowed
CHECKED, CHECKED_BATCH, CHECKED_IMAGES = (20, 32, 10), 16, 40  #: small, so that rounding does not grow on the way
CHECKED_EPS = 1e-4  #: of Adam, which with less makes whole steps of gradients that are nothing but rounding


def on_one_batch(found: Training, step: Callable[[Any, Any], Any]) -> None:
    """Four steps: those after the second replay the graph of a step that is captured."""
    for _ in range(4):
        step(found.images, found.labels)


def on_new_batches(found: Training, step: Callable[[Any, Any], Any]) -> None:
    """Two epochs without the smaller last batch: four steps, each on a batch gathered anew."""
    order = np.arange(len(found.images))
    for places in (order[::-1], order):
        epoch(found, CHECKED_BATCH, step, drop_last=True, order=places)()


def whole_epochs(found: Training, step: Callable[[Any, Any], Any]) -> None:
    """An epoch and the same again, on the GPU replayed as one graph."""
    run = epoch(found, CHECKED_BATCH, step, order=np.arange(len(found.images))[::-1])
    run()
    (recorded(run).replay if found.images.device == "cuda" else run)()


def deviation(
    device: str,
    optimizer: str,
    train: Callable[[Training, Callable[[Any, Any], Any]], None] = on_one_batch,
    prepared: Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]] = lambda step: step,
) -> float:
    """The largest error of the weights after ``train``, against the plain step on the CPU in float64.

    In units of float32's roundoff times the largest weight of the array; ``prepared`` makes the device's step of the
    plain one, ``tgl.cuda.capture`` for example.
    """
    rng = np.random.default_rng()
    x = rng.random((CHECKED_IMAGES, CHECKED[0]), np.float32)
    y = rng.integers(0, CHECKED[-1], CHECKED_IMAGES)
    trained: list[list[Any]] = []
    start: Any = None
    for where, dtype, made in (("cpu", "float64", None), (device, "float32", prepared)):
        model = network(CHECKED, "cpu")
        start = model.state_dict() if start is None else start
        model.load_state_dict(start)
        model = model.to(where, dtype=dtype)
        images = tgl.asarray(x.astype(dtype), device=where)
        found = Training(step_of(model, updates(model, optimizer, CHECKED_EPS)), images, tgl.asarray(y, device=where))
        train(found, found.step if made is None else made(found.step))
        trained.append([np.asarray(p.detach().numpy(), np.float64) for p in model.parameters()])
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(a))) for a, b in zip(*trained, strict=True)) / ROUNDOFF
