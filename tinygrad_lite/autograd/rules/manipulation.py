"""Operations that only move elements. All are linear: the forward rule is the operation itself."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Joint, Rule, row

RESHAPE = row(
    "reshape",
    "x | shape",
    view=True,
    x=Rule(lambda xp, g, x_shape: xp.reshape(g, x_shape), lambda xp, dx, shape: xp.reshape(dx, shape)),
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

# The triangle that is kept is the triangle that gets a gradient.
TRIL = row("tril", "x | k", x=Rule(lambda xp, g, k: xp.tril(g, k), lambda xp, dx, k: xp.tril(dx, k)))
CLONE = row("clone", "x", lambda xp, x: xp.asarray(x, copy=True), x=Rule(lambda xp, g: g, lambda xp, dx: dx))
