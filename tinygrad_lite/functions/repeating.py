"""Tensors repeated and stretched to a common shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.refusals import broadcast_clash, broadcast_hint
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules import manipulation as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, shape_tuple, whole_numbers
from tinygrad_lite.functions.devices import require_one_device
from tinygrad_lite.functions.gathering import common_shape, take
from tinygrad_lite.functions.manipulation import broadcast_to, reshape

__all__ = [
    "broadcast_arrays",
    "broadcast_shapes",
    "meshgrid",
    "repeat",
    "repeat_interleave",
    "tile",
]


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to.

    Raises:
        ShapeError: if an axis has two sizes other than 1.

    >>> broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    sizes = [shape_tuple("broadcast_shapes", shape) for shape in shapes]
    clash = broadcast_clash(sizes)
    if clash:
        named = {f"shapes[{i}]": shape for i, shape in enumerate(sizes)}
        need = f"needs shapes that broadcast together, but {clash}"
        fail(ShapeError, "broadcast_shapes", need, named, broadcast_hint({}))
    return np.broadcast_shapes(*sizes)


def broadcast_arrays(*arrays: Any) -> tuple[Tensor, ...]:
    """The tensors in the one shape that they broadcast to; gradients are summed back.

    Raises:
        ShapeError: if an axis has two sizes other than 1.

    >>> broadcast_arrays(Tensor([1, 2]), Tensor([[3], [4]]))[0]
    Tensor([[1, 2],
            [1, 2]], dtype=int64)
    """
    tensors = [as_tensor("broadcast_arrays", x, f"arrays[{i}]") for i, x in enumerate(arrays)]
    shape = common_shape("broadcast_arrays", {f"arrays[{i}]": t for i, t in enumerate(tensors)})
    return tuple([broadcast_to(t, shape) for t in tensors])


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Tensor, ...]:
    """The coordinates of every point of the grid that 1-d ``arrays`` span, one result per array.

    Args:
        arrays: the coordinates along each axis; a number counts as one coordinate.
        indexing: ``"ij"`` puts the i-th array along axis i; ``"xy"``, as plots have it, exchanges the first two.

    Raises:
        ShapeError: if an array has more than one axis.

    >>> x, y = meshgrid(Tensor([1, 2]), Tensor([3, 4]))
    >>> y
    Tensor([[3, 3],
            [4, 4]], dtype=int64)
    """
    tensors = [as_tensor("meshgrid", x, f"arrays[{i}]") for i, x in enumerate(arrays)]
    for i, t in enumerate(tensors):
        if t._data.ndim > 1:
            fail(ShapeError, "meshgrid", "needs tensors with one axis", {f"arrays[{i}]": t}, "reshape(x, (-1,))")
    if indexing not in ("xy", "ij"):
        hint = '"ij" lets the first tensor vary along axis 0, "xy" along axis 1'
        fail(ArgumentError, "meshgrid", f'needs indexing "xy" or "ij", but got {indexing!r}', {}, hint)
    axes = list(range(len(tensors)))
    if indexing == "xy" and len(axes) > 1:
        axes[:2] = [1, 0]
    sizes = [t._data.size for t in tensors]
    shape = tuple([sizes[axes.index(k)] for k in range(len(axes))])
    grids = []
    for axis, t, n in zip(axes, tensors, sizes, strict=True):
        column = [1] * len(axes)
        column[axis] = n
        grids.append(broadcast_to(reshape(t, column), shape))
    return tuple(grids)


def _repeated(operation: str, x: Any, repeats: Any, axis: int | None) -> Tensor:
    """Each element of x ``repeats`` times in a row along ``axis`` (None flattens)."""
    given = x = as_tensor(operation, x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    number = axis_number(operation, axis, x._data.ndim, x)
    n = x._data.shape[number]
    counts = as_tensor(operation, repeats, "repeats")
    if isinstance(repeats, (list, tuple)) and not repeats:
        counts = as_tensor(operation, np.zeros(0, np.int64))
    if isinstance(repeats, Tensor):
        require_one_device(operation, {"x": given, "repeats": counts})
    data = counts._data
    if data.dtype.kind not in "iu":
        hint = "repeats count: astype(repeats, int) makes integers"
        fail(DTypeError, operation, "needs integers as repeats", {"x": given, "repeats": repeats}, hint)
    if data.ndim > 1 or data.shape not in ((), (1,), (n,)):
        need = f"needs one number of repeats, or one for each of {n} elements"
        fail(ShapeError, operation, need, {"x": given, "repeats": counts}, "one number repeats all elements alike")
    if isinstance(data, np.ndarray) and data.size and data.min() < 0:
        hint = "0 leaves an element out, 1 keeps it"
        fail(ArgumentError, operation, "needs repeats of at least 0", {"x": given, "repeats": repeats}, hint)
    if not isinstance(repeats, Tensor) and data.size == 1:  # known on this side of the device
        return apply(rules.REPEAT, (x,), (int(data.reshape(-1)[0]), number))
    xp = namespaces[type(x._data)]
    places = xp.repeat(xp.arange(n), data if isinstance(repeats, Tensor) else xp.asarray(data), 0)
    return take(x, make_tensor(places), number)


@checked_keywords
def repeat(x: Any, repeats: Any, /, axis: int | None = None) -> Tensor:
    """Each element of ``x`` several times in a row along ``axis``; gradients are summed back.

    Args:
        x: any shape.
        repeats: how often, at least 0: one integer, or one for each element along the axis.
        axis: the axis along which to repeat; None takes the elements in row-major order.

    Raises:
        DTypeError: if ``repeats`` are not integers.
        ShapeError: if there is not one number for each element.
        ArgumentError: if one is negative.

    >>> repeat(Tensor([1, 2]), 2)
    Tensor([1, 1, 2, 2], dtype=int64)
    >>> repeat(Tensor([1, 2]), Tensor([1, 3]))
    Tensor([1, 2, 2, 2], dtype=int64)
    """
    return _repeated("repeat", x, repeats, axis)


@checked_keywords
def repeat_interleave(x: Any, /, repeats: Any, axis: int | None = None) -> Tensor:
    """PyTorch's name of :func:`repeat`.

    >>> repeat_interleave(Tensor([1, 2]), 2)
    Tensor([1, 1, 2, 2], dtype=int64)
    """
    return _repeated("repeat_interleave", x, repeats, axis)


@checked_keywords
def tile(x: Any, repetitions: int | Sequence[int], /) -> Tensor:
    """``x`` laid out several times along each axis; gradients are summed back.

    Args:
        x: any shape.
        repetitions: how often along each axis, at least 0. If it is longer than the shape of ``x``, the result has
            new leading axes; if it is shorter, the leading axes of ``x`` are not repeated.

    Raises:
        ArgumentError: if a number is negative.

    >>> tile(Tensor([1, 2]), (2, 2))
    Tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]], dtype=int64)
    """
    x = as_tensor("tile", x)
    times = whole_numbers("tile", "repetitions", repetitions)
    if any(n < 0 for n in times):
        hint = "1 keeps an axis as it is"
        fail(ArgumentError, "tile", f"needs repetitions of at least 0, but got {times}", {"x": x}, hint)
    ndim = max(len(times), x._data.ndim)
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - x._data.ndim) + x._data.shape
    pairs = [n for pair in zip([1] * ndim, shape, strict=True) for n in pair]
    stretched = [n for pair in zip(times, shape, strict=True) for n in pair]
    result = tuple([n * m for n, m in zip(times, shape, strict=True)])
    if math.prod(times) == 1:
        return reshape(x, result)
    return reshape(broadcast_to(reshape(x, pairs), stretched), result)
