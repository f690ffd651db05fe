"""One eager training step (forward, loss, backward, update) of four networks, against PyTorch eager.

float32, two threads, PyTorch's fused optimisers, the same random data and widths; weights from each library's own
initialisation. Two tables: rounds of 0.1 s in turn, and rounds before each of which the library has run alone for
0.15 s, so that the other's idle threads no longer spin. "Matrix products alone" is the floor, in NumPy.

    python benchmarks/training_step.py
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from compare import Pair, heading, pair, report

import tinygrad_lite as tgl
from tinygrad_lite import nn, optim

#: widths, batch size, optimiser, target ratio
CASES = [
    ((784, 128, 10), 64, "SGD", 0.85),
    ((784, 512, 256, 10), 128, "Adam", 1.0),
    ((784, 512, 512, 10), 1024, "Adam", 0.95),
    ((784, 1024, 1024, 1024, 10), 256, "SGD", 1.0),
]


def our_step(widths: tuple[int, ...], optimizer: str, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    opt = optim.SGD(model.parameters(), lr=0.01) if optimizer == "SGD" else optim.Adam(model.parameters())
    loss_of = nn.CrossEntropyLoss()
    images, labels = tgl.asarray(x, copy=False), tgl.asarray(y, copy=False)

    def step() -> object:
        opt.zero_grad()
        loss = loss_of(model(images), labels)
        loss.backward()
        opt.step()
        return loss

    return step


def torch_step(widths: tuple[int, ...], optimizer: str, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    make = torch.optim.SGD if optimizer == "SGD" else torch.optim.Adam
    opt = make(model.parameters(), lr=0.01 if optimizer == "SGD" else 1e-3, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    images, labels = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> object:
        opt.zero_grad()
        loss = loss_of(model(images), labels)
        loss.backward()
        opt.step()
        return loss

    return step


def products(widths: tuple[int, ...], batch: int) -> Callable[[], object]:
    """The matrix products of one step and nothing else: forward, weight and input gradients."""
    rng = np.random.default_rng(1)
    xs = [rng.normal(size=(batch, n)).astype(np.float32) for n in widths]
    ws = [rng.normal(size=(m, n)).astype(np.float32) for n, m in itertools.pairwise(widths)]
    ys = [np.empty((batch, m), np.float32) for m in widths[1:]]
    gws, gxs = [np.empty_like(w) for w in ws], [np.empty_like(x) for x in xs]

    def run() -> object:
        for x, w, y in zip(xs, ws, ys, strict=False):
            np.matmul(x, w.T, out=y)
        for k in reversed(range(len(ws))):
            np.matmul(ys[k].T, xs[k], out=gws[k])
            if k:
                np.matmul(ys[k], ws[k], out=gxs[k])
        return None

    return run


def table(title: str, settle: float) -> None:
    rng = np.random.default_rng(0)
    heading(title, "ms")
    for widths, batch, optimizer, target in CASES:
        x = rng.random((batch, widths[0]), dtype=np.float32)
        y = rng.integers(0, 10, batch)
        name = f"{'-'.join(map(str, widths))} batch {batch} {optimizer}"
        ours, theirs = our_step(widths, optimizer, x, y), torch_step(widths, optimizer, x, y)
        result: Pair = pair(ours, theirs, seconds=0.1 if settle == 0 else 0.3, settle=settle)
        report(name, result, 1e3, target)
        floor = pair(products(widths, batch), theirs, seconds=0.1 if settle == 0 else 0.3, settle=settle)
        report("  matrix products alone", floor, 1e3)


def main() -> None:
    torch.set_num_threads(2)
    table("one training step, the libraries in turn", 0.0)
    table("one training step, each library settled", 0.15)


if __name__ == "__main__":
    main()
