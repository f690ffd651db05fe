"""Reading and writing by index. The adjoint of reading is adding at the index; both are rows.

An ``index`` is static: a tuple of slices, ints, None, Ellipsis and index arrays of the backend.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Joint, Rule, row

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

TAKE = row(
    "take",
    "x indices | axis",
    x=Rule(
        lambda xp, g, indices, axis, x_shape: xp.add_at(g, (slice(None),) * axis + (indices,), x_shape),
        lambda xp, dx, indices, axis: xp.take(dx, indices, axis),
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


def _read(xp: Any, x: Any, indices: Any, axis: int) -> Any:
    """What stands at ``indices``, which may be smaller than x on the other axes."""
    lines = zip(x.shape, indices.shape, strict=True)
    if any(m != n for k, (n, m) in enumerate(lines) if k != axis):
        x = x[tuple(slice(None) if k == axis else slice(0, m) for k, m in enumerate(indices.shape))]
    return xp.take_along_axis(x, indices, axis)


# Zeros of ``shape`` with the values of x added at ``indices`` along ``axis``.
ADD_ALONG_AXIS = row(
    "add_along_axis",
    "x indices | shape axis",
    x=Rule(
        lambda xp, g, indices, axis: _read(xp, g, indices, axis),
        lambda xp, dx, indices, shape, axis: xp.add_along_axis(dx, indices, shape, axis),
    ),
)


# --- extrema at places that repeat ------------------------------------------------------------------------


def _shares(xp: Any, x: Any, src: Any, indices: Any, ans: Any, axis: int, include_self: bool) -> tuple[Any, Any, Any]:
    """Where x and src are the extremum, as ones and zeros, and how many of them there are for each element."""
    if include_self:
        own = xp.astype(xp.equal(x, ans), ans.dtype)
    else:  # only an element that no index names keeps its own value
        ones = xp.zeros_like(src) + 1
        own = xp.astype(xp.equal(xp.add_along_axis(ones, indices, x.shape, axis), 0), ans.dtype)
    written = xp.astype(xp.equal(src, _read(xp, ans, indices, axis)), ans.dtype)
    return own, written, own + xp.add_along_axis(written, indices, x.shape, axis)


def _extremum_vjp(
    xp: Any, g: Any, needs: Any, x: Any, src: Any, indices: Any, ans: Any, axis: int, include_self: bool
) -> list[Any]:
    own, written, count = _shares(xp, x, src, indices, ans, axis, include_self)
    share = g / count
    read = _read(xp, share, indices, axis) if needs[1] else None
    kept = share if include_self else g  # what is replaced has nothing to do with the count, which is 0 beside NaN
    return [kept * own if needs[0] else None, read * written if needs[1] else None, None]


def _extremum_jvp(
    xp: Any, tangents: Any, x: Any, src: Any, indices: Any, ans: Any, axis: int, include_self: bool
) -> Any:
    own, written, count = _shares(xp, x, src, indices, ans, axis, include_self)
    dx, dsrc, _ = tangents
    moved = None if dsrc is None else xp.add_along_axis(dsrc * written, indices, x.shape, axis)
    total = moved if dx is None else dx * own if moved is None else dx * own + moved
    return total / count


# Equal extrema share the gradient evenly.
SCATTER_EXTREMUM = row(
    "scatter_extremum",
    "x src indices | axis largest include_self",
    joint=Joint(_extremum_vjp, _extremum_jvp),
)
