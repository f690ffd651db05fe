"""A fused forward and backward of the CPU against the row's own text, which the opaque arrays run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

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


def _subsets(places: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every choice of operands that need a gradient, but for none at all."""
    for count in range(1, len(places) + 1):
        yield from itertools.combinations(places, count)


def _run(row: Operation, one: Sample, arrays: list, needed: tuple[int, ...], world: type) -> tuple[list, list]:
    """The results, and the gradients of the needed operands."""
    every = [tensor(a, world, requires_grad=i in needed) for i, a in enumerate(arrays)]
    ys = forward(row, one, every)
    return ys, pull(ys, [every[i] for i in needed])


@pytest.mark.parametrize("row, one", OVERRIDDEN, ids=case_id)
def test_an_override_gives_the_values_and_gradients_of_the_rows_text(row: Operation, one: Sample) -> None:
    for dtype, layout in itertools.product(row.dtypes, (np.asarray, strided)):
        arrays = cast(one.arrays, dtype)
        for needed in _subsets(row.active(arrays)):
            ys, gradients = _run(row, one, [layout(a) for a in arrays], needed, np.ndarray)
            expected_ys, expected = _run(row, one, arrays, needed, OpaqueArray)
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
