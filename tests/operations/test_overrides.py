"""A fused forward and backward of the CPU against the row's own text, which the opaque arrays run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from operations.opaque import OpaqueArray
from operations.rounding import assert_within_rounding
from operations.row import Operation, Sample
from operations.running import cast, direction, forward, pull, size_of, strided, tensor, values
from operations.table import case_id, cases
from tinygrad_lite.backends.cpu import namespace as cpu

OVERRIDDEN = [(row, one) for row, one in cases() if not cpu.overrides.keys().isdisjoint(row.covers)]


def subsets(places: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every choice of operands that need a gradient, but for none at all."""
    for count in range(1, len(places) + 1):
        yield from itertools.combinations(places, count)


def run(row: Operation, one: Sample, arrays: list, needed: tuple[int, ...], world: type) -> tuple[list, list]:
    """The results, and the gradients of the needed operands."""
    every = [tensor(a, world, requires_grad=i in needed) for i, a in enumerate(arrays)]
    ys = forward(row, one, every)
    return ys, pull(ys, [every[i] for i in needed])


@pytest.mark.parametrize("row, one", OVERRIDDEN, ids=case_id)
def test_an_override_gives_the_values_and_gradients_of_the_rows_text(row: Operation, one: Sample) -> None:
    for dtype, layout in itertools.product(row.dtypes, (np.asarray, strided)):
        arrays = cast(one.arrays, dtype)
        for needed in subsets(row.active(arrays)):
            ys, gradients = run(row, one, [layout(a) for a in arrays], needed, np.ndarray)
            expected_ys, expected = run(row, one, arrays, needed, OpaqueArray)
            exact = [values(t) for t in (*expected_ys, *expected)]
            model = {**row.model(arrays, dtype), "size": 4 * size_of(exact, arrays) * row.condition}
            model["length"] *= 4
            for got, reference in zip((*ys, *gradients), exact, strict=True):
                assert (got.shape, got.dtype) == (reference.shape, reference.dtype)
                assert type(got._data) is np.ndarray
                what = f"{row.name} in {dtype}, gradients of operands {needed}"
                assert_within_rounding(values(got), reference, what, **model)


@pytest.mark.parametrize("row, one", OVERRIDDEN, ids=case_id)
def test_an_override_may_be_walked_twice(row: Operation, one: Sample) -> None:
    every = [tensor(a, requires_grad=i in row.active(one.arrays)) for i, a in enumerate(one.arrays)]
    active = [x for x in every if x.requires_grad]
    ys = forward(row, one, every)
    value = [values(y).copy() for y in ys]
    first = [values(g).copy() for g in pull(ys, active, retain_graph=True)]
    second = [values(g) for g in pull(ys, active)]
    for a, b in zip((*first, *value), (*second, *map(values, ys)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("row, one", OVERRIDDEN, ids=case_id)
def test_a_gradient_is_written_to_the_leafs_own_memory(row: Operation, one: Sample) -> None:
    every = [tensor(a, requires_grad=i in row.active(one.arrays)) for i, a in enumerate(one.arrays)]
    active = [x for x in every if x.requires_grad]
    (y,) = forward(row, one, every)
    w = direction(y.shape, 3)
    expected = [values(g).copy() for g in pull([y], active, retain_graph=True)]
    for x in active:
        x._node.buffer = np.full(x.shape, np.nan, x.dtype)
    y.backward(tensor(w))
    for x, g in zip(active, expected, strict=True):
        assert x.grad._data is x._node.buffer
        np.testing.assert_array_equal(x.grad._data, g)


def test_a_cotangent_that_was_broadcast_reaches_an_override_whole() -> None:
    x, w = tensor(direction((4, 3)), requires_grad=True), tensor(direction((2, 3)), requires_grad=True)
    y = tgl.linear(x, w, activation="tanh")
    np.testing.assert_array_equal(tgl.grad(y.sum(), w, retain_graph=True)._data, tgl.grad(y, w, tgl.ones((4, 2)))._data)


# --- in a network -----------------------------------------------------------------------------------

SIZES = ((5, 4), (6, 4), (6,), (3, 6), (3,), (2, 3))
TARGET = np.array([0, 1, 1, 0, 1])


def network(activation: str | None, keep: Any, leaves: list) -> tuple[Any, list, list]:
    """Three layers and a loss; ``keep`` sees the hidden layers and says what of them a user holds, and what it adds."""
    x, w1, b1, w2, b2, w3 = leaves
    first = tgl.linear(x, w1, b1, activation=activation)
    second = tgl.linear(first, w2, b2, activation=activation)
    target = tensor(TARGET, type(x._data))
    loss = tgl.cross_entropy(tgl.linear(second, w3), target)
    held, extra = keep(first, second)
    del first, second
    return (loss if extra is None else loss + extra), held, leaves


#: What else may look at the hidden layers while backward runs: (what is held, what is added to the loss).
ONLOOKERS: dict[str, Any] = {
    "nobody": lambda h1, h2: ([], None),
    "the tensors": lambda h1, h2: ([h1, h2], None),
    "a view": lambda h1, h2: ([h1[1:]], None),
    "a view of the last layer": lambda h1, h2: ([h2[:, 0]], None),
    "a reshaped view": lambda h1, h2: ([tgl.reshape(h1, (-1,)), tgl.matrix_transpose(h2)], None),
    "a detached tensor": lambda h1, h2: ([h1.detach(), h2.detach()], None),
    "another operation": lambda h1, h2: ([], (h1 * h1).sum() + tgl.exp(h2).mean()),
    "a sum alone": lambda h1, h2: ([], h1.sum() + h2.sum()),
    "a view in another operation": lambda h1, h2: ([], (h1[1:] * h1[:-1]).sum()),
    "another layer": lambda h1, h2: ([], tgl.linear(h1, h1, activation="tanh").sum()),
    "a layer as weight": lambda h1, h2: ([], tgl.linear(h2[:2], tgl.linear(h1, h1[:3])).sum()),
    "a layer as weight, held": lambda h1, h2: ([h1, h2], tgl.linear(h1[:2], h1).sum()),
    "a row as bias": lambda h1, h2: ([], tgl.linear(h1, h1[:3], tgl.linear(h1[0], h1[:3])).sum()),
}


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("onlooker", ONLOOKERS)
def test_a_network_of_overrides_gives_the_rows_gradients_and_changes_nothing_that_is_held(
    onlooker: str, activation: str | None
) -> None:
    arrays = [direction(shape, 20 + i) for i, shape in enumerate(SIZES)]
    found = {}
    for world in (np.ndarray, OpaqueArray):
        leaves = [tensor(a, world, requires_grad=True) for a in arrays]
        loss, held, _ = network(activation, ONLOOKERS[onlooker], leaves)
        before = [values(h).copy() for h in held]
        first = [values(g).copy() for g in tgl.grad(loss, leaves, retain_graph=True)]
        again = [values(g).copy() for g in tgl.grad(loss, leaves)]
        for a, b in zip((*first, *before), (*again, *map(values, held)), strict=True):
            np.testing.assert_array_equal(a, b)
        found[world] = first
    for got, expected in zip(found[np.ndarray], found[OpaqueArray], strict=True):
        assert_within_rounding(got, expected, "the gradient of a network", length=200, size=size_of([expected]))


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("onlooker", ONLOOKERS)
def test_a_backward_pass_that_frees_its_graph_changes_nothing_that_is_held(
    onlooker: str, activation: str | None
) -> None:
    arrays = [direction(shape, 20 + i) for i, shape in enumerate(SIZES)]
    leaves = [tensor(a, requires_grad=True) for a in arrays]
    loss, held, _ = network(activation, ONLOOKERS[onlooker], leaves)
    before = [values(h).copy() for h in held]
    expected = [values(g).copy() for g in tgl.grad(loss, leaves, retain_graph=True)]
    for x in leaves:
        x._node.buffer = np.full(x.shape, np.nan, x.dtype)
    loss.backward()
    for a, b in zip(before, map(values, held), strict=True):
        np.testing.assert_array_equal(a, b, "a held value was overwritten")
    for x, g in zip(leaves, expected, strict=True):
        np.testing.assert_array_equal(values(x.grad), g)


def test_hooks_and_intermediate_gradients_keep_what_they_saw() -> None:
    leaves = [tensor(direction(shape, 20 + i), requires_grad=True) for i, shape in enumerate(SIZES)]

    def layers() -> tuple[Any, Any, Any]:
        x, w1, b1, w2, b2, w3 = leaves
        first = tgl.linear(x, w1, b1, activation="relu")
        second = tgl.linear(first, w2, b2, activation="relu")
        return first, second, tgl.linear(second, w3).sum()

    first, second, loss = layers()
    exact = [values(g).copy() for g in tgl.grad(loss, [first, second])]
    first, second, loss = layers()
    seen: list[Any] = []
    first.register_hook(seen.append)
    second.retain_grad()
    loss.backward()
    np.testing.assert_array_equal(values(seen[0]), exact[0])
    np.testing.assert_array_equal(values(second.grad), exact[1])
