"""All derivatives of one sample: what two worlds are compared by."""

from __future__ import annotations

from typing import Any

import tinygrad_lite as tgl
from operations.row import Operation, Sample
from operations.running import direction, forward, operands, pull, recorded, tensor


def derivatives(row: Operation, one: Sample, world: type) -> dict[str, list]:
    """J^T w and J u, recorded or not, and the second derivatives by every order of modes."""
    places = row.active(one.arrays)

    def function(*active: Any) -> Any:
        every = [active[places.index(i)] if i in places else tensor(a, world) for i, a in enumerate(one.arrays)]
        return tuple(recorded(forward(row, one, every)))

    xs = tuple(operands(row, one.arrays, world)[1])
    ys = function(*xs)
    us = tuple(tensor(direction(x.shape, 11 + i, x.dtype), world) for i, x in enumerate(xs))
    ws = tuple(tensor(direction(y.shape, 3 + i, y.dtype), world, requires_grad=True) for i, y in enumerate(ys))
    pulled = tgl.grad(ys, xs, ws, create_graph=True)
    pushed = tgl.jvp(function, xs, us, create_graph=True)[1]
    return {
        "J^T w": pull(ys, xs, retain_graph=True),
        "J^T w, recorded": list(pulled),
        "J u": list(tgl.jvp(function, xs, us)[1]),
        "J u, recorded": list(pushed),
        "reverse over reverse": _slopes(pulled, us, (*xs, *ws)),
        "reverse over forward": _slopes(pushed, [w.detach() for w in ws], xs),
        "forward over reverse": list(
            tgl.jvp(lambda *x: tgl.vjp(function, x, tuple(w.detach() for w in ws), create_graph=True)[1], xs, us)[1]
        ),
    }


def _slopes(derivatives: Any, weights: Any, inputs: Any) -> list:
    """The gradient of the weighted sum of recorded derivatives; None where it is identically zero."""
    pairs = [(d, w) for d, w in zip(derivatives, weights, strict=True) if d.requires_grad]
    if not pairs:
        return [None] * len(inputs)
    inner, outer = [d for d, _ in pairs], [w for _, w in pairs]
    return list(tgl.grad(inner, inputs, outer, retain_graph=True, allow_unused=True))
