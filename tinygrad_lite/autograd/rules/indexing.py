"""Reading and writing by index. The adjoint of reading is adding at the index; both are rows.

An ``index`` is static: a tuple of slices, ints, None, Ellipsis and index arrays of the backend.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Rule, row

GETITEM = row(
    "getitem",
    "x | index",
    lambda xp, x, index: x[index],
    view=True,  # of a basic index; an index array makes a copy, which loses nothing by being called a view
    x=Rule(
        lambda xp, g, index, x_shape: xp.add_at(g, index, x_shape),
        lambda xp, dx, index: dx[index],
    ),
)
# Zeros of ``shape`` with the values of x added at ``index``; an element that is named twice adds up.
ADD_AT = row(
    "add_at",
    "x | index shape",
    x=Rule(lambda xp, g, index: g[index], lambda xp, dx, index, shape: xp.add_at(dx, index, shape)),
)


def _written(xp: Any, g: Any, index: Any) -> Any:
    """The part of ``g`` that came from the assigned values: of a repeated element only the last write counts."""
    taken = g[index]
    if not any(getattr(i, "dtype", None) is not None and i.dtype.kind in "iu" for i in index):
        return taken
    ones = xp.zeros_like(g, dtype="int64", shape=(_size(taken.shape),)) + 1
    order = xp.reshape(xp.cumulative_sum(ones, 0), taken.shape)
    last = xp.setitem(xp.zeros_like(g, dtype="int64"), order, index)[index]
    return xp.where(last == order, taken, 0.0)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


# A copy of x with ``values`` at ``index``: what ``x[index] = values`` gives the object x.
SETITEM = row(
    "setitem",
    "x values | index",
    x=Rule(
        lambda xp, g, index: xp.setitem(g, 0.0, index),
        lambda xp, dx, index: xp.setitem(dx, 0.0, index),
    ),
    values=Rule(
        lambda xp, g, index: _written(xp, g, index),
        lambda xp, dv, index, x_shape: xp.setitem(xp.zeros_like(dv, shape=x_shape), dv, index),
    ),
)

TAKE_ALONG_AXIS = row(
    "take_along_axis",
    "x indices | axis",
    x=Rule(
        lambda xp, g, indices, axis, x_shape: xp.add_along_axis(g, indices, x_shape, axis),
        lambda xp, dx, indices, axis: xp.take_along_axis(dx, indices, axis),
    ),
)
# Zeros of ``shape`` with the values of x added at ``indices`` along ``axis``.
ADD_ALONG_AXIS = row(
    "add_along_axis",
    "x indices | shape axis",
    x=Rule(
        lambda xp, g, indices, axis: xp.take_along_axis(g, indices, axis),
        lambda xp, dx, indices, shape, axis: xp.add_along_axis(dx, indices, shape, axis),
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
