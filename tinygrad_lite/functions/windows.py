"""Borders around a tensor, and windows that slide over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules import indexing as indexing_rules
from tinygrad_lite.autograd.rules import manipulation as rules
from tinygrad_lite.errors import ArgumentError, ShapeError, fail
from tinygrad_lite.functions.arguments import (
    as_tensor,
    axis_number,
    checked_keywords,
    integer,
    number,
    whole_numbers,
)
from tinygrad_lite.functions.indexing import cast_like
from tinygrad_lite.functions.manipulation import cast

__all__ = [
    "pad",
    "unfold",
]

#: names of modes -> ours; PyTorch's are understood
_MODES = {
    "constant": "constant",
    "reflect": "reflect",
    "edge": "edge",
    "replicate": "edge",
    "wrap": "wrap",
    "circular": "wrap",
}


@checked_keywords
def pad(x: Any, /, pad_width: Sequence[tuple[int, int]] | int, value: float = 0.0, mode: str = "constant") -> Tensor:
    """``x`` with a border.

    Args:
        x: any shape.
        pad_width: ``(before, after)`` per axis, in elements, as in NumPy; one int for all sides.
        value: what the border of mode ``"constant"`` holds.
        mode: ``"constant"``; ``"reflect"``, the elements mirrored at the edge, which is not repeated; ``"edge"``
            (``"replicate"``), the outermost element; ``"wrap"`` (``"circular"``), the elements from the other side.
            An element's gradient is the sum over all its copies.

    Raises:
        ArgumentError: if a width is negative, the mode is unknown, or there is no element to repeat.

    >>> pad(Tensor([1.0, 2.0]), ((1, 2),))
    Tensor([0., 1., 2., 0., 0.])
    >>> pad(Tensor([1.0, 2.0, 3.0]), 2, mode="reflect")
    Tensor([3., 2., 1., 2., 3., 2., 1.])
    """
    x = as_tensor("pad", x)
    ndim = x._data.ndim
    if hasattr(pad_width, "__iter__"):
        widths = tuple([whole_numbers("pad", "pad_width", pair) for pair in pad_width])
    else:
        widths = ((integer("pad", "pad_width", pad_width),) * 2,) * ndim
    if len(widths) != ndim or any(len(pair) != 2 for pair in widths):
        need, hint = f"needs (before, after) for each of {ndim} axes, but got {pad_width}", ""
        sides = tuple(n for pair in widths for n in pair)
        if [len(pair) for pair in widths] == [1, 1] and ndim:
            hint = f"{sides} on the last axis alone is {((0, 0),) * (ndim - 1) + (sides,)}"
        fail(ShapeError, "pad", need, {"x": x}, hint)
    if any(n < 0 for pair in widths for n in pair):
        fail(ArgumentError, "pad", f"needs widths of at least 0, but got {pad_width}", {"x": x}, "slice instead")
    border = number("pad", "value", value, f'mode="{value}"' if isinstance(value, str) and value in _MODES else "")
    if mode not in _MODES:
        fail(ArgumentError, "pad", f"needs a mode of {', '.join(_MODES)}, but got {mode!r}", {"x": x})
    if _MODES[mode] == "constant":
        if border:
            x = cast(x, dtypes.result_type(x, border))
            cast_like("pad", border, x, "value")  # refuses an integer that x cannot hold
        return apply(rules.PAD, (x,), (widths, border))
    for axis, pair in enumerate(widths):
        if any(pair) and x._data.shape[axis] == 0:
            fail(ArgumentError, "pad", f"finds nothing to repeat on axis {axis}", {"x": x})
    xp = namespaces[type(x._data)]
    padded: Tensor = x
    for axis, pair in enumerate(widths):
        if any(pair):
            before, after = _sources(x._data.shape[axis], pair, _MODES[mode])
            parts = [
                apply(indexing_rules.TAKE, (padded, make_tensor(xp.asarray(places))), (axis,))
                for places in (before, after)
            ]
            padded = apply(rules.CONCAT, (parts[0], padded, parts[1]), (axis,))
    return padded


def _sources(size: int, widths: tuple[int, ...], mode: str) -> tuple[Any, Any]:
    """Which of ``size`` elements the places before and after them show."""
    before, after = np.arange(-widths[0], 0), np.arange(size, size + widths[1])
    if mode == "edge":
        return np.zeros_like(before), np.full_like(after, size - 1)
    if mode == "wrap":
        return before % size, after % size
    period = max(2 * (size - 1), 1)  # there and back, without repeating the edges
    last = size - 1
    return last - np.abs(last - before % period), last - np.abs(last - after % period)


@checked_keywords
def unfold(x: Any, /, axis: int, size: int, step: int = 1) -> Tensor:
    """Windows of ``size`` elements along ``axis``, one every ``step``; gradients of windows that overlap add up.

    Args:
        x: at least one axis.
        axis: the axis that the windows slide along; afterwards it counts them.
        size: elements in a window; they make the new last axis.
        step: how far a window lies from the one before, at least 1.

    Raises:
        ArgumentError: if a window is longer than the axis.

    >>> unfold(Tensor([1, 2, 3, 4]), 0, 3)
    Tensor([[1, 2, 3],
            [2, 3, 4]], dtype=int64)
    """
    x = as_tensor("unfold", x)
    number = axis_number("unfold", axis, x._data.ndim, x)
    length, width, stride = x._data.shape[number], integer("unfold", "size", size), integer("unfold", "step", step)
    if not 0 <= width <= length:
        need = f"needs a size from 0 to {length}, the elements of axis {number}, but got {width}"
        fail(ArgumentError, "unfold", need, {"x": x})
    if stride < 1:
        fail(ArgumentError, "unfold", f"needs a step of at least 1, but got {stride}", {"x": x})
    return apply(rules.UNFOLD, (x,), (number, width, stride))


def overlap_add(x: Any, axis: int, length: int, step: int, /) -> Tensor:
    """Zeros of ``length`` along ``axis`` with the windows in the last axis of ``x`` added; adjoint of unfold.

    >>> overlap_add(Tensor([[1, 2, 3], [2, 3, 4]]), 0, 4, 1)
    Tensor([1, 4, 6, 4], dtype=int64)
    """
    return apply(rules.OVERLAP_ADD, (as_tensor("overlap_add", x),), (axis, length, step))
