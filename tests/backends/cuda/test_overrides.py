"""The fused pairs of the GPU in the engine: against the rows' text, walked twice, into the arena, with onlookers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from operations.on_gpu import gpu_world
from operations.opaque import OpaqueArray
from operations.rounding import assert_within_rounding
from operations.row import Operation, Sample
from operations.running import cast, direction, forward, pull, size_of, strided, tensor, values
from operations.table import case_id, cases
from operations.test_overrides import ONLOOKERS, SIZES, network, run, subsets

import tinygrad_lite as tgl
from tinygrad_lite.backends.cuda import launching, overrides

NAMES = overrides.namespace.overrides.keys()
CASES = [(row, one) for row, one in cases() if not NAMES.isdisjoint(row.covers)]


def test_every_pair_is_among_the_cases() -> None:
    covered = {name for row, _ in CASES for name in row.covers}
    assert covered >= set(NAMES)


@pytest.mark.parametrize("row, one", CASES, ids=case_id)
def test_a_pair_gives_the_values_and_gradients_of_the_rows_text(row: Operation, one: Sample) -> None:
    world = gpu_world()
    for dtype, layout in itertools.product(row.dtypes, (np.asarray, strided)):
        arrays = cast(one.arrays, dtype)
        for needed in subsets(row.active(arrays)):
            ys, gradients = run(row, one, [layout(a) for a in arrays], needed, world)
            expected_ys, expected = run(row, one, cast(arrays, "float64"), needed, OpaqueArray)
            exact = [values(t) for t in (*expected_ys, *expected)]
            model = {**row.model(arrays, dtype), "size": 4 * size_of(exact, arrays) * row.condition}
            model["length"] *= 4
            for got, reference in zip((*ys, *gradients), exact, strict=True):
                assert got.shape == reference.shape
                assert type(got._data) is world
                assert_within_rounding(values(got), reference, f"{row.name} in {dtype}, operands {needed}", **model)


@pytest.mark.parametrize("row, one", CASES, ids=case_id)
def test_a_pair_may_be_walked_twice(row: Operation, one: Sample) -> None:
    every = [tensor(a, gpu_world(), requires_grad=i in row.active(one.arrays)) for i, a in enumerate(one.arrays)]
    active = [x for x in every if x.requires_grad]
    ys = forward(row, one, every)
    value = [values(y).copy() for y in ys]
    first = [values(g).copy() for g in pull(ys, active, retain_graph=True)]
    second = [values(g) for g in pull(ys, active)]
    for a, b in zip((*first, *value), (*second, *map(values, ys)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("row, one", CASES, ids=case_id)
def test_a_gradient_is_written_to_the_leafs_own_memory(row: Operation, one: Sample) -> None:
    world = gpu_world()
    every = [tensor(a, world, requires_grad=i in row.active(one.arrays)) for i, a in enumerate(one.arrays)]
    active = [x for x in every if x.requires_grad]
    y = forward(row, one, every)[0]
    w = direction(y.shape, 3)
    expected = [values(g).copy() for g in pull([y], active, retain_graph=True)]
    for x in active:
        x._node.buffer = tensor(np.full(x.shape, np.nan, x.dtype), world)._data
    y.backward(tensor(w, world))
    for x, g in zip(active, expected, strict=True):
        assert x.grad._data is x._node.buffer
        np.testing.assert_array_equal(values(x.grad), g)


def test_a_cotangent_that_was_broadcast_reaches_a_pair_whole() -> None:
    world = gpu_world()
    x, w = (tensor(direction(shape), world, requires_grad=True) for shape in ((4, 3), (2, 3)))
    y = tgl.linear(x, w, activation="tanh")
    summed = tgl.grad(y.sum(), w, retain_graph=True)
    ones = tensor(np.ones((4, 2)), world)
    np.testing.assert_array_equal(values(summed), values(tgl.grad(y, w, ones)))


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("onlooker", ONLOOKERS)
def test_a_network_gives_the_rows_gradients_and_changes_nothing_that_is_held(
    onlooker: str, activation: str | None
) -> None:
    arrays = [direction(shape, 20 + i) for i, shape in enumerate(SIZES)]
    found = {}
    for world in (gpu_world(), OpaqueArray):
        leaves = [tensor(a, world, requires_grad=True) for a in arrays]
        loss, held, _ = network(activation, ONLOOKERS[onlooker], leaves)
        before = [values(h).copy() for h in held]
        first = [values(g).copy() for g in tgl.grad(loss, leaves, retain_graph=True)]
        again = [values(g).copy() for g in tgl.grad(loss, leaves)]
        for a, b in zip((*first, *before), (*again, *map(values, held)), strict=True):
            np.testing.assert_array_equal(a, b)
        found[world] = first
    for got, expected in zip(found[gpu_world()], found[OpaqueArray], strict=True):
        assert_within_rounding(got, expected, "the gradient of a network", length=200, size=size_of([expected]))


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("onlooker", ONLOOKERS)
def test_a_backward_pass_that_frees_its_graph_gives_the_same(onlooker: str, activation: str | None) -> None:
    world = gpu_world()
    leaves = [tensor(direction(shape, 20 + i), world, requires_grad=True) for i, shape in enumerate(SIZES)]
    loss, held, _ = network(activation, ONLOOKERS[onlooker], leaves)
    before = [values(h).copy() for h in held]
    expected = [values(g).copy() for g in tgl.grad(loss, leaves, retain_graph=True)]
    for x in leaves:
        x._node.buffer = tensor(np.full(x.shape, np.nan, x.dtype), world)._data
    loss.backward()
    for a, b in zip(before, map(values, held), strict=True):
        np.testing.assert_array_equal(a, b, "a held value was overwritten")
    for x, g in zip(leaves, expected, strict=True):
        assert_within_rounding(values(x.grad), g, "a gradient in place", length=4, size=size_of([g]))


def test_hooks_and_intermediate_gradients_keep_what_they_saw() -> None:
    world = gpu_world()
    leaves = [tensor(direction(shape, 20 + i), world, requires_grad=True) for i, shape in enumerate(SIZES)]

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


def test_a_relu_before_a_layer_costs_no_launch_in_the_backward_pass() -> None:
    world = gpu_world()

    def launches(activation: str) -> int:
        leaves = [
            tensor(direction(shape, i), world, requires_grad=True) for i, shape in enumerate(((4, 3), (5, 3), (2, 5)))
        ]
        leaves = [tgl.Tensor(x.detach(), dtype="float32", requires_grad=True) for x in leaves]
        x, first, second = leaves
        y = tgl.linear(tgl.linear(x, first, activation=activation), second)
        g = tgl.ones_like(y)
        before = launching.launches()
        y.backward(g)
        return launching.launches() - before

    assert launches("tanh") == launches("relu") + 1
