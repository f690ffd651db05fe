"""First derivatives of every operation: differences, PyTorch's autograd, and reverse against forward mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from operations.rounding import DIFFERENCE_LENGTH, assert_within_rounding, central_difference
from operations.row import Operation, Sample
from operations.running import (
    cast,
    direction,
    dot,
    forward,
    operands,
    pull,
    recorded,
    results,
    size_of,
    strided,
    tensor,
    values,
)
from operations.table import case_id, cases, operations

SMOOTH = [(row, one) for row, one in cases() if row.active(one.arrays)]
DIFFERENTIABLE = [row for row in operations.values() if any(row.active(one.arrays) for one in row.samples)]


@pytest.mark.parametrize("row, one", [c for c in SMOOTH if c[0].differences], ids=case_id)
def test_reverse_mode_is_the_slope_of_central_differences(row: Operation, one: Sample) -> None:
    every, active = operands(row, one.arrays)
    ys = forward(row, one, every)
    assert all(type(y._data) is np.ndarray for y in ys)
    ys = recorded(ys)
    gradients = pull(ys, active)
    ws = [direction(y.shape, 3 + i) for i, y in enumerate(ys)]
    size = size_of(map(values, ys), one.arrays) * max(1, sum(y.size for y in ys))
    for place, x, g in zip(row.active(one.arrays), active, gradients, strict=True):
        assert g is not None, f"no gradient for operand {place}"
        assert type(g._data) is np.ndarray
        assert (g.shape, g.dtype) == (x.shape, x.dtype)

        def weighted(moved: np.ndarray, place: int = place) -> float:
            arrays = [moved if i == place else a for i, a in enumerate(one.arrays)]
            found = [y for y in forward(row, one, operands(row, arrays)[0]) if y.requires_grad]
            return dot(map(values, found), ws)

        slope = central_difference(weighted, one.arrays[place])
        what = f"the gradient of {row.name} in operand {place}"
        assert_within_rounding(values(g), slope, what, length=DIFFERENCE_LENGTH, size=size * row.condition)


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=case_id)
def test_the_gradient_in_every_operand_is_zero_nowhere_that_it_should_not_be(row: Operation) -> None:
    alive: dict[int, bool] = {}
    for one in row.samples:
        every, active = operands(row, one.arrays)
        gradients = pull(recorded(forward(row, one, every)), active)
        for place, g in zip(row.active(one.arrays), gradients, strict=True):
            alive[place] = alive.get(place, False) or bool(values(g).any())
    assert all(alive.values()) is not row.flat, f"operands with a gradient that is not zero: {alive}"


@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_forward_mode_is_the_transpose_of_reverse_mode(row: Operation, one: Sample) -> None:
    arrays = one.arrays
    places = row.active(arrays)

    def function(*active: Any) -> Any:
        every = [active[places.index(i)] if i in places else tensor(a) for i, a in enumerate(arrays)]
        return tuple(y for y in forward(row, one, every) if y.dtype.kind == "f")

    xs = tuple(tensor(arrays[i], requires_grad=True) for i in places)
    us = [direction(x.shape, 11 + i) for i, x in enumerate(xs)]
    ys, pushed = tgl.jvp(function, xs, tuple(map(tensor, us)))
    ws = [direction(y.shape, 3 + i, y.dtype) for i, y in enumerate(ys)]
    _, pulled = tgl.vjp(function, xs, tuple(map(tensor, ws)))
    assert [(t.shape, t.dtype) for t in pushed] == [(y.shape, y.dtype) for y in ys]
    assert all(type(t._data) is np.ndarray for t in (*pushed, *pulled))
    forward_product, reverse_product = dot(map(values, pushed), ws), dot(map(values, pulled), us)
    terms = sum(x.size for x in xs) + sum(y.size for y in ys)
    size = size_of(map(values, pushed), map(values, pulled), arrays) * row.condition * max(1, terms)
    model = {**row.model(arrays), "size": size, "dtype": min((y.dtype for y in ys), key=lambda d: d.itemsize)}
    what = f"<w, J u> against <J^T w, u> of {row.name}"
    assert_within_rounding(np.float64(forward_product), np.float64(reverse_product), what, **model)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_gradients_are_those_of_pytorch(row: Operation, one: Sample) -> None:
    import torch

    every, active = operands(row, one.arrays)
    ys = [y for y in forward(row, one, every) if y.dtype.kind == "f"]
    ours = pull(recorded(ys), active) if recorded(ys) else [None] * len(active)
    given = [torch.tensor(a) for a in one.arrays]
    leaves = [given[i].requires_grad_() for i in row.active(one.arrays)]
    theirs = [y for y in results(row.torch(torch, *given, **one.options)) if y.is_floating_point()]
    ws = [torch.tensor(direction(y.shape, 3 + i, y.dtype)) for i, y in enumerate(ys)]
    pairs = [(y, w) for y, w in zip(theirs, ws, strict=True) if y.requires_grad]
    found = torch.autograd.grad([y for y, _ in pairs], leaves, [w for _, w in pairs], allow_unused=True)
    sizes = size_of([g.numpy(force=True) for g in found if g is not None], one.arrays)
    model = {**row.model(one.arrays, ys[0].dtype), "size": 4 * sizes * row.condition}
    model["length"] *= 4  # a rule is a few operations, and both sides round
    for x, g, reference in zip(active, ours, found, strict=True):
        expected = np.zeros(x.shape) if reference is None else reference.numpy(force=True)
        got = np.zeros(x.shape) if g is None else values(g)
        assert_within_rounding(got, expected, f"the gradient of {row.name}", **model)


@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_gradients_keep_dtype_and_shape_for_every_precision_and_layout(row: Operation, one: Sample) -> None:
    exact_xs = operands(row, one.arrays)
    exact = [values(g) for g in pull(recorded(forward(row, one, exact_xs[0])), exact_xs[1])]
    size = 4 * size_of(exact, one.arrays) * row.condition
    for dtype in row.dtypes:
        arrays = [strided(a) for a in cast(one.arrays, dtype)]
        before = [a.copy() for a in arrays]
        every, active = operands(row, arrays)
        for x, g, expected in zip(active, pull(recorded(forward(row, one, every)), active), exact, strict=True):
            assert (g.shape, g.dtype, type(g._data)) == (x.shape, x.dtype, np.ndarray)
            # The float64 reference starts from operands that were not rounded: one more operation each.
            model = {**row.model(arrays, dtype), "size": size}
            model["length"] *= 8
            assert_within_rounding(values(g), expected, f"the gradient of {row.name} in {dtype}", **model)
        for a, b in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(a, b, "a derivative changed an operand")


@pytest.mark.needs("torch")
def test_the_gradient_of_cholesky_is_symmetric_as_its_operand_is() -> None:
    """The table's row makes its operand symmetric itself, which would hide a gradient of the lower triangle alone."""
    import torch

    a = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -0.7], [0.5, -0.7, 5.0]])
    w = direction((3, 3), 5)
    x = tensor(a, requires_grad=True)
    g = values(tgl.grad(tgl.cholesky(x), x, tensor(w)))
    np.testing.assert_array_equal(g, g.T)
    theirs = torch.tensor(a, requires_grad=True)
    (expected,) = torch.autograd.grad(torch.linalg.cholesky(theirs), theirs, torch.tensor(w))
    assert_within_rounding(g, expected.numpy(), "the gradient of cholesky", length=50, size=5.0)
