"""Second derivatives of every operation: differences of the gradient, both orders of modes, and PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from operations.rounding import DIFFERENCE_LENGTH, assert_within_rounding, central_difference
from operations.row import Operation, Sample
from operations.running import direction, dot, forward, operands, recorded, results, size_of, tensor, values
from operations.table import case_id, cases

SMOOTH = [(row, one) for row, one in cases() if row.active(one.arrays)]


def _pullback(row: Operation, one: Sample, arrays: Any, create_graph: bool) -> tuple[list, list, list]:
    """The operands, the cotangents and the gradients of one sample, the gradients recorded if asked for."""
    every, active = operands(row, arrays)
    ys = recorded(forward(row, one, every))
    ws = [tensor(direction(y.shape, 3 + i, y.dtype), requires_grad=create_graph) for i, y in enumerate(ys)]
    gradients = tgl.grad(ys, active, ws, create_graph=create_graph) if ys else ()
    return active, ws, list(gradients)


def _second(row: Operation, one: Sample) -> tuple[list, list, list]:
    """The gradient of <J^T w, u> in the operands and in w, and the u."""
    active, ws, gradients = _pullback(row, one, one.arrays, True)
    us = [direction(x.shape, 11 + i) for i, x in enumerate(active)]
    pairs = [(g, tensor(u)) for g, u in zip(gradients, us, strict=False) if g.requires_grad]
    if not pairs:
        return [None] * len(active), [None] * len(ws), us
    found = tgl.grad([g for g, _ in pairs], [*active, *ws], [u for _, u in pairs], allow_unused=True)
    return list(found[: len(active)]), list(found[len(active) :]), us


def _filled(found: Any, like: Any) -> np.ndarray:
    return np.zeros(like.shape, like.dtype) if found is None else values(found)


@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_the_gradient_of_a_gradient_is_the_slope_of_differences(row: Operation, one: Sample) -> None:
    found, _, us = _second(row, one)
    first = [values(g) for g in _pullback(row, one, one.arrays, False)[2]]
    size = size_of(first, one.arrays) * max(1, sum(g.size for g in first)) * row.condition
    for place, got in zip(row.active(one.arrays), found, strict=True):

        def weighted(moved: np.ndarray, place: int = place) -> float:
            arrays = [moved if i == place else a for i, a in enumerate(one.arrays)]
            return dot(map(values, _pullback(row, one, arrays, False)[2]), us)

        slope = central_difference(weighted, one.arrays[place]) if first else np.zeros(one.arrays[place].shape)
        what = f"the second derivative of {row.name} in operand {place}"
        got = _filled(got, one.arrays[place])
        assert_within_rounding(got, slope, what, length=DIFFERENCE_LENGTH, size=size)


@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_forward_over_reverse_is_reverse_over_reverse(row: Operation, one: Sample) -> None:
    arrays, places = one.arrays, row.active(one.arrays)

    def weighted(*active: Any) -> Any:
        every = [active[places.index(i)] if i in places else tensor(a) for i, a in enumerate(arrays)]
        ys = [y for y in forward(row, one, every) if y.dtype.kind == "f"]
        ws = [tensor(direction(y.shape, 3 + i, y.dtype)) for i, y in enumerate(recorded(ys))]
        return sum(((y * w).sum().astype("float64") for y, w in zip(recorded(ys), ws, strict=True)), tgl.zeros(()))

    xs = [tensor(arrays[i], requires_grad=True) for i in places]
    if not weighted(*xs).requires_grad:
        return  # a gradient that is zero everywhere needs no graph
    found, _, us = _second(row, one)
    _, products = tgl.hvp(weighted, tuple(xs), tuple(map(tensor, us)))
    reverse = [_filled(g, x) for g, x in zip(found, xs, strict=True)]
    model = {**row.model(arrays), "size": 8 * size_of(reverse, arrays) * row.condition}
    model["length"] *= 8
    for x, product, expected in zip(xs, products, reverse, strict=True):
        assert (product.shape, product.dtype) == (x.shape, x.dtype)
        assert_within_rounding(values(product), expected, f"H u of {row.name}", **model)


@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_the_derivative_of_a_gradient_in_its_cotangent_is_forward_mode(row: Operation, one: Sample) -> None:
    """J^T w is linear in w, so its gradient in w along u is J u, whatever the graph of the rule looks like."""
    arrays, places = one.arrays, row.active(one.arrays)
    _, found, us = _second(row, one)

    def function(*active: Any) -> Any:
        every = [active[places.index(i)] if i in places else tensor(a) for i, a in enumerate(arrays)]
        return tuple(recorded(forward(row, one, every)))

    xs = tuple(tensor(arrays[i], requires_grad=True) for i in places)
    _, pushed = tgl.jvp(function, xs, tuple(map(tensor, us)))
    expected = [values(t) for t in pushed]
    model = {**row.model(arrays), "size": 4 * size_of(expected, arrays) * row.condition}
    model["length"] *= 4
    for got, tangent in zip(found, expected, strict=True):
        model["dtype"] = tangent.dtype
        assert_within_rounding(_filled(got, tangent), tangent, f"J u of {row.name}", **model)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_second_derivatives_are_those_of_pytorch(row: Operation, one: Sample) -> None:
    import torch

    found, _, us = _second(row, one)
    given = [torch.tensor(a) for a in one.arrays]
    leaves = [given[i].requires_grad_() for i in row.active(one.arrays)]
    theirs = [y for y in results(row.torch(torch, *given, **one.options)) if y.is_floating_point()]
    pairs = [(y, torch.tensor(direction(tuple(y.shape), 3 + i))) for i, y in enumerate(theirs) if y.requires_grad]
    ws = [w.to(y.dtype) for y, w in pairs]
    first = torch.autograd.grad([y for y, _ in pairs], leaves, ws, create_graph=True, allow_unused=True)
    inner = [(g, torch.tensor(u)) for g, u in zip(first, us, strict=True) if g is not None and g.requires_grad]
    second: Any = [None] * len(leaves)
    if inner:
        second = torch.autograd.grad([g for g, _ in inner], leaves, [u for _, u in inner], allow_unused=True)
    reference = [np.zeros(x.shape) if g is None else g.numpy(force=True) for x, g in zip(leaves, second, strict=True)]
    model = {**row.model(one.arrays), "size": 8 * size_of(reference, one.arrays) * row.condition}
    model["length"] *= 8
    for got, expected in zip(found, reference, strict=True):
        assert_within_rounding(_filled(got, expected), expected, f"the second derivative of {row.name}", **model)
