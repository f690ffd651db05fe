"""What adding at repeated places costs, forward and as the gradient of reading by index, against PyTorch on the CPU.

PyTorch has the better of its two ways to read rows: ``embedding``, whose backward pass is quicker than that of
``x[index]``.

    python benchmarks/scatter.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from compare import heading, pair, report

import tinygrad_lite as tgl

TABLES = ((1000, 64, 100_000), (50, 128, 100_000), (30_000, 256, 16_384), (1000, 8, 100_000), (1000, 1, 1_000_000))
#: shape of the result, shape of the index, axis
ALONG = (((100, 1000), (1000, 1000), 0), ((1000, 100), (1000, 1000), 1), ((1000,), (1_000_000,), 0))

Call = Callable[[], object]


def backward(read: Callable[[Any], Any], table: Any, w: Any) -> Call:
    """The forward and the backward pass of reading from a table."""

    def run() -> None:
        table.grad = None
        read(table).backward(w)

    return run


def rows(rng: np.random.Generator, height: int, width: int, count: int) -> list[tuple[str, Call, Call]]:
    """Reading and adding ``count`` rows of a table."""
    shape = (height, width) if width > 1 else (height,)
    index = rng.integers(0, height, count)
    source = rng.normal(size=(count, *shape[1:])).astype(np.float32)
    zeros = np.zeros(shape, np.float32)
    i, g, t = tgl.Tensor(index), tgl.Tensor(source), tgl.Tensor(zeros, requires_grad=True)
    ti, tg, tt = torch.tensor(index), torch.tensor(source), torch.tensor(zeros, requires_grad=True)
    embedded = (lambda x: torch.nn.functional.embedding(ti, x)) if width > 1 else (lambda x: x[ti])
    plain, their_plain = t.detach(), tt.detach()
    name = f"{count:,} of {height:,} x {width}"
    return [
        (f"backward of x[index], {name}", backward(lambda x: x[i], t, g), backward(embedded, tt, tg)),
        (
            f"index_add, {name}",
            lambda: tgl.index_add(plain, 0, i, g),
            lambda: torch.index_add(their_plain, 0, ti, tg),
        ),
        (
            f"index_put, {name}",
            lambda: tgl.index_put(plain, (i,), g, accumulate=True),
            lambda: torch.index_put(their_plain, (ti,), tg, accumulate=True),
        ),
    ]


def along(
    rng: np.random.Generator, shape: tuple[int, ...], places: tuple[int, ...], axis: int
) -> list[tuple[str, Call, Call]]:
    """Adding single elements along an axis, and reading them."""
    index = rng.integers(0, shape[axis], places)
    source = rng.normal(size=places).astype(np.float32)
    zeros = np.zeros(shape, np.float32)
    i, g, t = tgl.Tensor(index), tgl.Tensor(source), tgl.Tensor(zeros, requires_grad=True)
    ti, tg, tt = torch.tensor(index), torch.tensor(source), torch.tensor(zeros, requires_grad=True)
    plain, their_plain = t.detach(), tt.detach()
    name = f"{'x'.join(map(str, places))} into {'x'.join(map(str, shape))}"
    return [
        (
            f"scatter_add, {name}, axis {axis}",
            lambda: tgl.scatter_add(plain, axis, i, g),
            lambda: torch.scatter_add(their_plain, axis, ti, tg),
        ),
        (
            f"gather and back, {name}, axis {axis}",
            backward(lambda x: tgl.gather(x, axis, i), t, g),
            backward(lambda x: torch.gather(x, axis, ti), tt, tg),
        ),
    ]


def main() -> None:
    rng = np.random.default_rng(0)
    heading(f"repeated places, float32, {torch.get_num_threads()} threads", "ms")
    for height, width, count in TABLES:
        for name, ours, theirs in rows(rng, height, width, count):
            report(name, pair(ours, theirs, seconds=0.1, settle=0.05), 1e3, 1.0)
    for shape, places, axis in ALONG:
        for name, ours, theirs in along(rng, shape, places, axis):
            report(name, pair(ours, theirs, seconds=0.1, settle=0.05), 1e3, 1.0)


if __name__ == "__main__":
    main()
