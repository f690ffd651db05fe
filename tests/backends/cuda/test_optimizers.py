"""Optimisers over parameters on the GPU: the CPU's steps, one launch each, state that stays with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import nn, optim
from tinygrad_lite.autograd.arena import arenas_of, has_place
from tinygrad_lite.backends.cuda import fallback, launching
from tinygrad_lite.backends.cuda.array import CudaArray

OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD with momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "SGD with Nesterov's momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, maximize=True),
}


def parameters(device: str) -> list[tgl.Tensor]:
    rng = np.random.default_rng(0)
    shapes = [(4, 3), (4,), (2, 4)]
    return [tgl.Tensor(rng.standard_normal(s).astype(np.float32), device=device, requires_grad=True) for s in shapes]


def loss(p: list[tgl.Tensor], step: int) -> tgl.Tensor:
    x = np.random.default_rng(9 + step).standard_normal((6, 3)).astype(np.float32)
    hidden = tgl.linear(tgl.Tensor(x, device=p[0].device), p[0], p[1], activation="tanh")
    return (tgl.linear(hidden, p[2]) ** 2).mean()


def train(p: list[tgl.Tensor], optimizer: optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        loss(p, step).backward()
        optimizer.step()


def close(ours: list[tgl.Tensor], theirs: list[tgl.Tensor]) -> None:
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.detach().tolist(), y.detach().tolist(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_the_cpu(name: str) -> None:
    ours, theirs = parameters("cuda"), parameters("cpu")
    train(ours, OPTIMIZERS[name](ours), range(4))
    train(theirs, OPTIMIZERS[name](theirs), range(4))
    close(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_one_launch_for_all_parameters(name: str) -> None:
    p = parameters("cuda")
    optimizer = OPTIMIZERS[name](p)
    train(p, optimizer, range(1))
    before = launching.launches()
    optimizer.step()
    assert launching.launches() - before == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("way", ["cuda", "cpu"])
def test_state_moves_to_where_the_parameters_are(name: str, way: str) -> None:
    """Saved on one device and loaded on the other, training goes on as if nothing had happened."""
    first, second = parameters("cuda" if way == "cpu" else "cpu"), parameters(way)
    whole = parameters("cpu")
    saved = OPTIMIZERS[name](first)
    train(first, saved, range(2))
    state = saved.state_dict()
    for entry in state["state"].values():
        assert all(value.device == first[0].device for value in entry.values() if isinstance(value, tgl.Tensor))
    with tgl.no_grad():
        second = [tgl.Tensor(x.detach().to(way), requires_grad=True) for x in first]
    loaded = OPTIMIZERS[name](second)
    loaded.load_state_dict(state)
    train(second, loaded, range(2, 4))
    train(whole, OPTIMIZERS[name](whole), range(4))
    close(second, whole)
    for entry in loaded.state.values():
        assert all(value.device == way for value in entry.values() if isinstance(value, tgl.Tensor))


@pytest.mark.parametrize("name", ["SGD with momentum", "Adam"])
def test_a_model_that_moves_takes_its_optimizers_state_along(name: str) -> None:
    model, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    twin.load_state_dict(model.state_dict())
    optimizers = [OPTIMIZERS[name](m.parameters()) for m in (model, twin)]
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    for step in range(4):
        if step == 2:
            model.to("cuda")
        for m, optimizer in zip((model, twin), optimizers, strict=True):
            optimizer.zero_grad()
            (m(tgl.Tensor(x, device=m.weight.device)) ** 2).mean().backward()
            optimizer.step()
    assert type(model.weight._data) is CudaArray
    close(list(model.parameters()), list(twin.parameters()))


def test_each_device_has_an_arena() -> None:
    here, there = parameters("cpu"), parameters("cuda")
    mixed = [x for pair in zip(here, there, strict=True) for x in pair]
    first, second = arenas_of(mixed)
    assert {type(first.values), type(second.values)} == {np.ndarray, CudaArray}
    for x in mixed:
        assert has_place(x)
        assert type(x._node.slot[0].values) is type(x._data)
    for x in there:
        arena, start, _ = x._node.slot
        assert x._data.address == arena.values.address + 4 * start
        assert x._data.address % 64 == 0
    (loss(here, 0) + loss(there, 0).to("cpu")).backward()
    for x, y in zip(here, there, strict=True):
        assert y.grad._data is y._node.buffer
        np.testing.assert_allclose(y.grad.tolist(), x.grad.tolist(), rtol=1e-5, atol=1e-6)


def test_an_optimizer_may_hold_parameters_of_both_devices() -> None:
    here, there = parameters("cpu"), parameters("cuda")
    optimizer = optim.Adam([*here, *there], lr=0.01)
    for step in range(3):
        optimizer.zero_grad()
        loss(here, step).backward()
        loss(there, step).backward()
        optimizer.step()
    close(there, here)


def test_zero_grad_can_write_zeros() -> None:
    p = parameters("cuda")
    optimizer = optim.SGD(p, lr=0.1)
    loss(p, 0).backward()
    held = p[0].grad.detach()
    values = held.tolist()
    p[1].grad = tgl.Tensor(np.ones(4, np.float32), device="cuda")
    optimizer.zero_grad(set_to_none=False)
    assert all(not np.any(x.grad.tolist()) for x in p)
    assert held.tolist() == values


def launched() -> Counter[str]:
    found: Counter[str] = Counter()
    for kernel in launching.kernels:
        found[kernel.name] += kernel.count
    return found


@pytest.mark.parametrize("name", ["Adam", "SGD with momentum"])
def test_a_training_step_of_the_mnist_network_is_at_most_12_launches(name: str) -> None:
    """784-512-10 at batch 128: the pixels become floats, two layers, the loss, backward and the update."""
    network = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10)).to("cuda")
    first, last = network[0], network[2]
    optimizer = OPTIMIZERS[name](network.parameters())
    rng = np.random.default_rng(0)
    images = tgl.Tensor(rng.integers(0, 256, (128, 784)).astype(np.uint8), device="cuda")
    labels = tgl.Tensor(rng.integers(0, 10, 128).astype(np.uint8), device="cuda")

    def step() -> tgl.Tensor:
        optimizer.zero_grad()
        hidden = tgl.linear(images.astype("float32"), first.weight, first.bias, activation="relu")
        value = nn.functional.cross_entropy(tgl.linear(hidden, last.weight, last.bias), labels)
        value.backward()
        optimizer.step()
        return value

    step()
    before, copied = launched(), fallback.counts.total()
    step()
    used = launched() - before
    assert used.total() <= 12, used
    assert used["cross_entropy"] == used["cross_entropy_backward"] == 1
    assert "slope" not in used  # the product that makes the gradient of the hidden layer applies it
    assert fallback.counts.total() == copied
