"""Operations that only move elements. All are linear: the forward rule is the operation itself."""

from __future__ import annotations

import functools
from typing import Any

from tinygrad_lite.autograd.rows import Joint, Row, Rule, row, rows

RESHAPE = row(
    "reshape",
    "x | shape",
    view=True,
    x=Rule(lambda xp, g, x_shape: xp.reshape(g, x_shape), lambda xp, dx, shape: xp.reshape(dx, shape)),
)
# A copy on another device; ``home`` is where x is, and its gradient.
TO_DEVICE = row(
    "to_device",
    "x | device home",
    lambda xp, x, device, home: xp.to_device(x, device),
    x=Rule(
        lambda xp, g, home: xp.to_device(g, home),
        lambda xp, dx, device: xp.to_device(dx, device),
    ),
)
PERMUTE_DIMS = row(
    "permute_dims",
    "x | axes",
    view=True,
    x=Rule(
        lambda xp, g, axes: xp.permute_dims(g, tuple(axes.index(i) for i in range(len(axes)))),
        lambda xp, dx, axes: xp.permute_dims(dx, axes),
    ),
)
BROADCAST_TO = row(
    "broadcast_to",
    "x | shape",
    view=True,
    x=Rule(
        lambda xp, g, x_shape: xp.sum_to(g, x_shape),
        lambda xp, dx, shape: xp.broadcast_to(dx, shape),
    ),
)
EXPAND_DIMS = row(
    "expand_dims",
    "x | axis",
    view=True,
    x=Rule(lambda xp, g, axis: xp.squeeze(g, axis), lambda xp, dx, axis: xp.expand_dims(dx, axis)),
)
SQUEEZE = row(
    "squeeze",
    "x | axis",
    view=True,
    x=Rule(lambda xp, g, axis: xp.expand_dims(g, axis), lambda xp, dx, axis: xp.squeeze(dx, axis)),
)
FLIP = row(
    "flip",
    "x | axis",
    view=True,
    x=Rule(lambda xp, g, axis: xp.flip(g, axis), lambda xp, dx, axis: xp.flip(dx, axis)),
)
ROLL = row(
    "roll",
    "x | shift axis",
    x=Rule(
        lambda xp, g, shift, axis: xp.roll(g, tuple([-n for n in shift]), axis),
        lambda xp, dx, shift, axis: xp.roll(dx, shift, axis),
    ),
)
REPEAT = row(
    "repeat",
    "x | repeats axis",
    x=Rule(
        lambda xp, g, repeats, axis, x_shape: xp.sum(
            xp.reshape(g, (*x_shape[: axis + 1], repeats, *x_shape[axis + 1 :])), (axis + 1,), False
        ),
        lambda xp, dx, repeats, axis: xp.repeat(dx, repeats, axis),
    ),
)
PAD = row(
    "pad",
    "x | pad_width value",
    x=Rule(
        lambda xp, g, pad_width, x_shape: g[
            tuple(slice(before, before + n) for (before, _), n in zip(pad_width, x_shape, strict=True))
        ],
        lambda xp, dx, pad_width: xp.pad(dx, pad_width, 0.0),
    ),
)


def _pieces(xp: Any, g: Any, needs: tuple[bool, ...], axis: int, arrays_shapes: Any) -> list[Any]:
    """The parts of ``g`` that belong to each of the concatenated arrays."""
    pieces, start = [], 0
    for need, shape in zip(needs, arrays_shapes, strict=True):
        stop = start + shape[axis]
        pieces.append(g[(slice(None),) * axis + (slice(start, stop),)] if need else None)
        start = stop
    return pieces


def _concat_tangents(xp: Any, tangents: list[Any], axis: int, arrays_shapes: Any) -> Any:
    known = next(t for t in tangents if t is not None)
    pairs = zip(tangents, arrays_shapes, strict=True)
    return xp.concat(tuple(xp.zeros_like(known, shape=shape) if t is None else t for t, shape in pairs), axis)


CONCAT = row("concat", "*arrays | axis", joint=Joint(_pieces, _concat_tangents))


def _split(xp: Any, x: Any, stops: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    """The parts of x up to each of ``stops``; the last of them is where x ends."""
    lead = (slice(None),) * axis
    return tuple([x[(*lead, slice(start, stop))] for start, stop in zip((0, *stops), stops, strict=False)])


def _joined(xp: Any, g: Any, stops: tuple[int, ...], axis: int, x_shape: Any) -> Any:
    known = next(part for part in g if part is not None)
    sizes = [stop - start for start, stop in zip((0, *stops), stops, strict=False)]
    shapes = [(*x_shape[:axis], n, *x_shape[axis + 1 :]) for n in sizes]
    zeros = [xp.zeros_like(known, shape=s) if part is None else part for part, s in zip(g, shapes, strict=True)]
    return xp.concat(tuple(zeros), axis)


@functools.cache
def split_row(count: int) -> Row:
    """``split`` into ``count`` parts: one node, whose gradient is put together once and not once per part."""
    outputs = " ".join(f"part{i}" for i in range(count))
    rule = Rule(_joined, lambda xp, dx, stops, axis: _split(xp, dx, stops, axis))
    declared = Row("split", f"x | stops axis -> {outputs}", _split, None, True, {"x": rule})
    return rows.setdefault("split", declared) if count == 2 else declared


def _unstack(xp: Any, x: Any, axis: int) -> tuple[Any, ...]:
    lead = (slice(None),) * axis
    return tuple([x[(*lead, i)] for i in range(x.shape[axis])])


def _stacked(xp: Any, g: Any, axis: int) -> Any:
    known = next(part for part in g if part is not None)
    parts = [xp.zeros_like(known) if part is None else part for part in g]
    return xp.concat(tuple([xp.expand_dims(part, (axis,)) for part in parts]), axis)


@functools.cache
def unstack_row(count: int) -> Row:
    """``unstack`` of ``count`` slices, likewise."""
    outputs = " ".join(f"part{i}" for i in range(count))
    rule = Rule(_stacked, lambda xp, dx, axis: _unstack(xp, dx, axis))
    declared = Row("unstack", f"x | axis -> {outputs}", _unstack, None, True, {"x": rule})
    return rows.setdefault("unstack", declared) if count == 2 else declared


split_row(2)
unstack_row(2)

# The triangle that is kept is the triangle that gets a gradient.
TRIL = row("tril", "x | k", x=Rule(lambda xp, g, k: xp.tril(g, k), lambda xp, dx, k: xp.tril(dx, k)))
TRIU = row("triu", "x | k", x=Rule(lambda xp, g, k: xp.triu(g, k), lambda xp, dx, k: xp.triu(dx, k)))
UNFOLD = row(
    "unfold",
    "x | axis size step",
    view=True,
    x=Rule(
        lambda xp, g, axis, step, x_shape: xp.overlap_add(g, axis, x_shape[axis], step),
        lambda xp, dx, axis, size, step: xp.unfold(dx, axis, size, step),
    ),
)
OVERLAP_ADD = row(
    "overlap_add",
    "x | axis length step",
    x=Rule(
        lambda xp, g, axis, step, x_shape: xp.unfold(g, axis, x_shape[-1], step),
        lambda xp, dx, axis, length, step: xp.overlap_add(dx, axis, length, step),
    ),
)
CLONE = row("clone", "x", lambda xp, x: xp.asarray(x, copy=True), x=Rule(lambda xp, g: g, lambda xp, dx: dx))
