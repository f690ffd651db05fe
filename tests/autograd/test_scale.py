"""Large graphs, long runs: what the engine costs, counted and not timed."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.autograd import rows
from tinygrad_lite.autograd.record import apply


def test_a_chain_of_a_million_operations_is_differentiated_and_deleted_without_recursion():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0
    alive = weakref.ref(y)
    del y
    assert alive() is None


def test_a_result_with_100000_consumers_collects_all_their_gradients():
    x = Tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    y = x * 2.0
    total = y * 1.0
    for _ in range(99_999):
        total = total + y
    total.sum().backward()
    assert x.grad.tolist() == [200_000.0, 200_000.0]


def test_a_diamond_of_depth_60_is_walked_once_though_it_has_2_to_the_60_paths():
    x = Tensor(1.0, dtype="float64", requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_an_operand_used_twice_adds_up():
    x = Tensor([3.0, 4.0], requires_grad=True)
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [7.0, 9.0]


# --- linear in nodes and edges ------------------------------------------------------------------------


def chain(n: int) -> tuple[Tensor, tuple[int, int]]:
    y = Tensor(1.0, requires_grad=True)
    for _ in range(n):
        y = y + 1.0
    return y, (n, n)


def fan_in(n: int) -> tuple[Tensor, tuple[int, int]]:
    leaves = [Tensor([1.0], requires_grad=True) for _ in range(n)]
    return tgl.concat(leaves).sum(), (2, n + 1)


def fully_connected(n: int) -> tuple[Tensor, tuple[int, int]]:
    """Every result uses all earlier ones."""
    made = [Tensor([1.0], requires_grad=True)]
    for _ in range(n):
        made.append(tgl.concat(made).mean().reshape((1,)))
    return made[-1], (3 * n, n * (n + 1) // 2 + 2 * n)


def calls_of_backward(y: Tensor) -> int:
    """How many Python and C functions a backward pass calls."""
    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        y.backward()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("graph, n", [(chain, 500), (fan_in, 500), (fully_connected, 20)])
def test_backward_is_linear_in_nodes_and_edges(graph, n):
    calls_of_backward(graph(n)[0])  # whatever is set up once
    sizes, calls = [], []
    for k in (n, 2 * n, 3 * n, 6 * n):
        y, (nodes, edges) = graph(k)
        sizes.append([nodes, edges, 1])
        calls.append(calls_of_backward(y))
    cost = np.linalg.lstsq(np.array(sizes[:3], float), np.array(calls[:3], float))[0]
    assert max(cost[:2]) < 30
    assert calls[3] == pytest.approx(cost @ sizes[3], rel=0.005)


@pytest.fixture
def counted():
    """A row x -> x that counts how often its reverse rule runs."""
    runs = []
    made = rows.row(
        "counted",
        "x",
        lambda xp, x: x + 0,
        x=rows.Rule(lambda xp, g: runs.append(1) or g, lambda xp, dx: dx),
    )
    yield made, runs
    del rows.rows["counted"]


def test_the_rule_of_every_node_runs_exactly_once(counted):
    row, runs = counted
    y = x = Tensor(1.0, requires_grad=True)
    for _ in range(50):
        y = apply(row, (y,)) + apply(row, (y,))
    y.backward()
    assert len(runs) == 100
    assert x.grad.item() == 2.0**50


def test_only_the_rules_on_the_way_to_the_wanted_inputs_run(counted):
    row, runs = counted
    x, z = Tensor(1.0, requires_grad=True), Tensor(1.0, requires_grad=True)
    y = apply(row, (x,)) * apply(row, (z,))
    assert tgl.grad(y, x).item() == 1.0
    assert len(runs) == 1


# --- memory -------------------------------------------------------------------------------------------


def train(steps: int, w: Tensor, b: Tensor, x: Tensor) -> None:
    for _ in range(steps):
        loss = (tgl.tanh(x @ w) + b).mean()
        loss.backward()
        with tgl.no_grad():
            w -= 0.01 * w.grad
            b -= 0.01 * b.grad
        w.grad = b.grad = None


def test_10000_training_steps_leave_no_memory_behind():
    w, b = Tensor(np.ones((2, 2)), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    x = Tensor(np.ones((3, 2)))
    train(100, w, b, x)
    gc.collect()
    gc.disable()
    try:
        objects = len(gc.get_objects())
        train(9_000, w, b, x)
        assert len(gc.get_objects()) - objects <= 2
        tracemalloc.start()
        train(100, w, b, x)
        before = tracemalloc.get_traced_memory()[0]
        train(800, w, b, x)
        assert tracemalloc.get_traced_memory()[0] - before < 2_000
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.parametrize("create_graph", [False, True])
def test_dropping_the_result_frees_the_graph_without_the_garbage_collector(create_graph):
    x = Tensor(np.ones(3), requires_grad=True)

    def build() -> tuple[Tensor, Tensor]:
        values, _ = tgl.topk(tgl.exp(x * 2.0), 2)
        y = (values * values).sum()
        return y, tgl.grad(y, x, create_graph=create_graph)

    build()  # whatever is set up once
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        results = build()
        assert len(gc.get_objects()) > before + 5
        del results
        assert len(gc.get_objects()) == before
    finally:
        gc.enable()


def test_saved_arrays_are_let_go_during_backward():
    x = Tensor(np.ones(3), requires_grad=True)
    middle = tgl.exp(x)
    array = weakref.ref(middle._data)
    y = (middle * middle).sum()
    del middle
    assert array() is not None
    y.backward()
    assert array() is None


def test_hooks_make_no_cycle_either():
    gc.collect()
    gc.disable()
    try:
        x = Tensor(np.ones(3), requires_grad=True)
        y = x * 2.0
        y.register_hook(lambda g: g)
        y.retain_grad()
        seen = weakref.ref(y)
        y.sum().backward()
        del y
        assert seen() is None
        assert gc.collect() == 0
    finally:
        gc.enable()
