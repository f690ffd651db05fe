"""Sorting, the distinct values, and counting: the gradient follows each element to where it went."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Rule, row

# The order is found again in the backward pass: sorting alone is several times as fast as finding the order, and
# most results are never differentiated. Of equal elements the first comes first.
SORT = row(
    "sort",
    "x | axis descending stable",
    x=Rule(
        lambda xp, g, x, axis, descending: xp.add_along_axis(g, xp.argsort(x, axis, descending, True), x.shape, axis),
        lambda xp, dx, x, axis, descending: xp.take_along_axis(dx, xp.argsort(x, axis, descending, True), axis),
    ),
)
TOPK = row(
    "topk",
    "x | k axis largest -> values indices",
    x=Rule(
        lambda xp, g, indices, axis, x_shape: xp.add_along_axis(g[0], indices, x_shape, axis),
        lambda xp, dx, indices, axis: (xp.take_along_axis(dx, indices, axis), None),
    ),
)


def _first(x: Any, indices: Any, axis: int | None) -> tuple[Any, ...]:
    return (indices,) if axis is None else (*(slice(None),) * axis, indices)


def _unique_vjp(xp, g, indices, axis, x_shape):
    size = 1
    for n in x_shape:
        size *= n
    # Every index is there once, so that writing is adding.
    added = xp.add_at(g[0], _first(g[0], indices, axis), (size,) if axis is None else x_shape)
    return xp.reshape(added, x_shape)


def _unique_jvp(xp, dx, indices, axis):
    line = xp.reshape(dx, (-1,)) if axis is None else dx
    return line[_first(dx, indices, axis)], None, None, None


# A distinct value is the first element that has it.
UNIQUE_ALL = row("unique_all", "x | axis -> values indices inverse_indices counts", x=Rule(_unique_vjp, _unique_jvp))
BINCOUNT = row(
    "bincount",
    "x weights | minlength",
    weights=Rule(
        lambda xp, g, x: g[(x,)],
        lambda xp, dw, x, minlength: xp.bincount(x, dw, minlength),
    ),
)
