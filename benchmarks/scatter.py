"""What adding at repeated places costs, forward and as the gradient of reading by index, against PyTorch on the CPU.

PyTorch has the better of its two ways to read rows: ``embedding``, whose backward pass is quicker than that of
``x[index]``. The target is about heavy repetition; where a row is hardly used twice, both libraries wait for memory.

    python benchmarks/scatter.py
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from compare import heading, pair, report

import tinygrad_lite as tgl

TABLES = ((1000, 64, 100_000), (50, 128, 100_000), (30_000, 256, 16_384), (1000, 8, 100_000), (1000, 1, 1_000_000))
#: shape of the result, shape of the index, axis
ALONG = (((100, 1000), (1000, 1000), 0), ((1000, 100), (1000, 1000), 1), ((1000,), (1_000_000,), 0))

HEAVY = 100  #: uses per row of a table, from which the target counts
SETTLE = 0.1  #: seconds until the idle threads of the other library have stopped spinning

Call = Callable[[], object]
Case = tuple[str, Call, Call]


def embedding_backward(rng: np.random.Generator, height: int, width: int, count: int) -> Case:
    """The backward pass alone, of rows that were read once."""
    index = rng.integers(0, height, count)
    gradient = rng.normal(size=(count, width)).astype(np.float32)
    weight = rng.normal(size=(height, width)).astype(np.float32)
    w, tw = tgl.Tensor(weight, requires_grad=True), torch.tensor(weight, requires_grad=True)
    y, ty = w[tgl.Tensor(index)], torch.nn.functional.embedding(torch.tensor(index), tw)
    g, tg = tgl.Tensor(gradient), torch.tensor(gradient)

    def ours() -> None:
        w.grad = None
        y.backward(g, retain_graph=True)

    def theirs() -> None:
        tw.grad = None
        ty.backward(tg, retain_graph=True)

    return f"embedding backward, {count:,} of {height:,} x {width}", ours, theirs


def backward(read: Callable[[Any], Any], table: Any, w: Any) -> Call:
    """The forward and the backward pass of reading from a table."""

    def run() -> None:
        table.grad = None
        read(table).backward(w)

    return run


def rows(rng: np.random.Generator, height: int, width: int, count: int) -> list[Case]:
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


def along(rng: np.random.Generator, shape: tuple[int, ...], places: tuple[int, ...], axis: int) -> list[Case]:
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


def floors(rng: np.random.Generator, size: int, count: int) -> list[Case]:
    """NumPy's own loops that add single elements at places, against PyTorch's ``scatter_add``: what bounds ours."""
    index = rng.integers(0, size, count)
    source = rng.normal(size=count).astype(np.float32)
    total, other, half = np.zeros(size, np.float32), np.zeros(size, np.float32), count // 2
    short = index.astype(np.int32)
    ti, tg, tt = torch.tensor(index), torch.tensor(source), torch.zeros(size)

    def two_threads() -> None:
        thread = threading.Thread(target=np.add.at, args=(other, index[half:], source[half:]))
        thread.start()
        np.add.at(total, index[:half], source[:half])
        thread.join()

    def theirs() -> object:
        return torch.scatter_add(tt, 0, ti, tg)

    return [
        ("np.add.at", lambda: np.add.at(total, index, source), theirs),
        ("np.add.at on two threads", two_threads, theirs),
        ("np.add.at, places of four bytes", lambda: np.add.at(total, short, source), theirs),
        ("np.bincount", lambda: np.bincount(index, source, size), theirs),
        ("np.argsort of places of two bytes", lambda: np.argsort(index.astype(np.uint16), kind="stable"), theirs),
    ]


def strided(rng: np.random.Generator, size: int, count: int) -> list[Case]:
    """Reading rows, where the gradient comes back in other strides: of a sum, of a mean over rows, of a transpose."""
    index = rng.integers(0, size, count)
    table = rng.normal(size=(size, size)).astype(np.float32)
    weight = rng.normal(size=(size, count)).astype(np.float32)
    i, t, m = tgl.Tensor(index), tgl.Tensor(table, requires_grad=True), tgl.Tensor(weight)
    ti, tt, tm = torch.tensor(index), torch.tensor(table, requires_grad=True), torch.tensor(weight)
    one, column = tgl.Tensor(1.0), tgl.Tensor(weight[:, 0])
    their_one, their_column = torch.tensor(1.0), torch.tensor(weight[:, 0])
    embedded = torch.nn.functional.embedding
    name = f"{count:,} of {size:,} x {size}"
    return [
        (
            f"sum of x[index], {name}",
            backward(lambda x: x[i].sum(), t, one),
            backward(lambda x: embedded(ti, x).sum(), tt, their_one),
        ),
        (
            f"mean of x[index], {name}",
            backward(lambda x: x[i].mean(0), t, column),
            backward(lambda x: embedded(ti, x).mean(0), tt, their_column),
        ),
        (
            f"x[index].T * m, {name}",
            backward(lambda x: (x[i].T * m).sum(), t, one),
            backward(lambda x: (embedded(ti, x).T * tm).sum(), tt, their_one),
        ),
    ]


def main() -> None:
    rng = np.random.default_rng(0)
    threads = f"float32, {torch.get_num_threads()} threads"

    def measured(cases: list[Case], target: float | None) -> None:
        for name, ours, theirs in cases:
            report(name, pair(ours, theirs, seconds=0.1, settle=SETTLE), 1e3, target)

    def tables(heavy: bool, target: float | None) -> None:
        for height, width, count in TABLES:
            if (count >= HEAVY * height) is heavy:
                embedding = embedding_backward(rng, height, width, count)
                measured([embedding, *rows(rng, height, width, count)], target)

    heading(f"heavy repetition: {HEAVY} or more uses per row, {threads}", "ms")
    tables(True, 1.0)
    heading(f"light repetition, {threads}", "ms")
    tables(False, None)
    heading(f"forward and backward, where the gradient is not contiguous, {threads}", "ms")
    measured(strided(rng, 1000, 10_000), None)
    heading(f"along an axis, {threads}", "ms")
    for shape, places, axis in ALONG:
        measured(along(rng, shape, places, axis), 1.0)
    heading(f"NumPy's own loops, 1,000,000 into 1,000, {threads}", "ms")
    measured(floors(rng, 1000, 1_000_000), None)


if __name__ == "__main__":
    main()
