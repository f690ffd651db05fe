"""Shapes and order: functions that move elements without computing. Results may share memory inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rules import manipulation as rules
from tinygrad_lite.autograd.rules.elementwise import ASTYPE
from tinygrad_lite.errors import ArgumentError, AxisError, GradientError, ShapeError, fail
from tinygrad_lite.functions.arguments import (
    as_tensor,
    axis_number,
    axis_numbers,
    checked_keywords,
    integer,
    shape_tuple,
    whole_numbers,
)
from tinygrad_lite.functions.devices import to_device

__all__ = [
    "astype",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_to",
    "expand_dims",
    "flatten",
    "flip",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "reshape",
    "roll",
    "rot90",
    "squeeze",
    "swapaxes",
    "unflatten",
]


@checked_keywords
def astype(x: Any, dtype: dtypes.DTypeLike, /, *, copy: bool = True, device: str | None = None) -> Tensor:
    """``x`` with another element type; the gradient is cast back.

    Args:
        x: any shape.
        dtype: the element type.
        copy: False returns ``x`` itself if it has this type already. Values never change behind a tensor's back, so
            that the new tensor of ``copy=True`` may share its memory.
        device: where the result shall be; None is the device of ``x``.

    Raises:
        GradientError: if a tensor that requires a gradient would become complex.

    >>> astype(Tensor([1.7, -1.7]), "int64")
    Tensor([ 1, -1], dtype=int64)
    """
    tensor, wanted = to_device(as_tensor("astype", x), device, "astype"), dtypes.as_dtype(dtype)
    if tensor._data.dtype != wanted:
        if wanted.kind == "c" and tensor._node is not None:
            need = "cannot carry a gradient: complex tensors have none"
            fail(GradientError, "astype", need, {"x": tensor}, "detach() it first")
        return apply(ASTYPE, (tensor,), (wanted,))
    return apply(rules.RESHAPE, (tensor,), (tensor._data.shape,)) if copy else tensor


def cast(x: Tensor, dtype: dtypes.DType) -> Tensor:
    """``astype`` without a new tensor where the type is right already: what rules and other functions want."""
    return x if x._data.dtype == dtype else astype(x, dtype)


@checked_keywords
def reshape(x: Any, /, shape: int | Sequence[int], copy: bool | None = None) -> Tensor:
    """The same elements, in row-major order, in another shape; one size may be -1 and follows.

    Args:
        x: any shape.
        shape: the new one.
        copy: True always copies, False never does, None only where it must.

    Raises:
        ShapeError: if the number of elements does not fit.
        ArgumentError: if ``copy=False`` and the elements of ``x`` do not lie in row-major order.

    >>> reshape(Tensor([1, 2, 3, 4]), (2, -1))
    Tensor([[1, 2],
            [3, 4]], dtype=int64)
    """
    x = as_tensor("reshape", x)
    sizes = whole_numbers("reshape", "shape", shape)
    size = math.prod(x._data.shape)
    known = math.prod(n for n in sizes if n != -1)
    free = sizes.count(-1)
    if free > 1 or any(n < -1 for n in sizes):
        need, hint = f"needs sizes of at least 0 and at most one -1, but got {sizes}", "one -1 stands for what is left"
        fail(ShapeError, "reshape", need, {"x": x}, hint)
    if (size % known if known else size) if free else known != size:
        fail(ShapeError, "reshape", f"cannot make shape {sizes} of {size} elements", {"x": x}, _fitting(sizes, size))
    if free:
        sizes = tuple((size // known if known else 0) if n == -1 else n for n in sizes)
    if copy:
        x = apply(rules.CLONE, (x,))
    result = apply(rules.RESHAPE, (x,), (sizes,))
    if copy is False and size and not _shares_memory(x, result):
        hint = "leave copy out, so that it copies where it must"
        fail(ArgumentError, "reshape", "cannot keep the memory of x in this shape (copy=False)", {"x": x}, hint)
    return result


def _fitting(sizes: tuple[int, ...], size: int) -> str:
    """A shape like the one that was asked for, but with the right number of elements."""
    for axis in (0, len(sizes) - 1) if sizes else ():
        rest = math.prod(n for i, n in enumerate(sizes) if i != axis and n != -1)
        if rest and size % rest == 0 and -1 not in (*sizes[:axis], *sizes[axis + 1 :]):
            fitting = (*sizes[:axis], -1, *sizes[axis + 1 :])
            return f"{fitting} fits: -1 stands for what is left, {size // rest}"
    return "the product of the sizes is the number of elements"


def _shares_memory(x: Tensor, y: Tensor) -> bool:
    """Whether a result is a view; arrays of the GPU have one block of memory, which views share."""
    if isinstance(y._data, np.ndarray):
        return np.may_share_memory(x._data, y._data)
    return getattr(x._data, "block", None) is getattr(y._data, "block", 0)


@checked_keywords
def flatten(x: Any, /, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """The axes from ``start_axis`` to ``end_axis`` as one; a 0-d tensor becomes 1-d.

    >>> flatten(Tensor([[[1, 2], [3, 4]]]), 1).shape
    (1, 4)
    """
    x = as_tensor("flatten", x)
    shape = x._data.shape
    if not shape:
        return reshape(x, (1,))
    first, last = (axis_number("flatten", axis, len(shape), x) for axis in (start_axis, end_axis))
    if first > last:
        need = f"needs start_axis before end_axis, but got {start_axis} and {end_axis}"
        fail(AxisError, "flatten", need, {"x": x}, "exchange them")
    return reshape(x, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@checked_keywords
def unflatten(x: Any, /, axis: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several, of ``sizes``, one of which may be -1 and follows.

    Raises:
        ShapeError: if the sizes do not multiply to that of the axis.

    >>> unflatten(Tensor([[1, 2, 3, 4]]), 1, (2, -1)).shape
    (1, 2, 2)
    """
    x = as_tensor("unflatten", x)
    shape = x._data.shape
    number = axis_number("unflatten", axis, len(shape), x)
    parts = whole_numbers("unflatten", "sizes", sizes)
    known = math.prod(n for n in parts if n != -1)
    free = parts.count(-1)
    if free == 1 and known > 0 and shape[number] % known == 0:
        parts = tuple(shape[number] // known if n == -1 else n for n in parts)
    elif free or any(n < 0 for n in parts) or known != shape[number]:
        need = f"cannot make sizes {parts} of axis {number}, which has {shape[number]} elements"
        fail(ShapeError, "unflatten", need, {"x": x}, "one -1 stands for what is left")
    return reshape(x, (*shape[:number], *parts, *shape[number + 1 :]))


def permute_dims(x: Any, /, axes: Sequence[int]) -> Tensor:
    """The axes in another order: axis i of the result is axis ``axes[i]`` of x.

    >>> permute_dims(Tensor([[1, 2, 3]]), (1, 0)).shape
    (3, 1)
    """
    x = as_tensor("permute_dims", x)
    axes = whole_numbers("permute_dims", "axes", axes)
    order = tuple([axis_number("permute_dims", a, x._data.ndim, x) for a in axes])
    if sorted(order) != list(range(x._data.ndim)):
        turned = tuple(range(x._data.ndim))[::-1]
        hint = f"all {x._data.ndim} axes are named, also those that stay: {turned} turns them round"
        if len(axes) == 2 and len(set(order)) == 2:
            hint = f"swapaxes(x, {axes[0]}, {axes[1]}) exchanges two of them"
        fail(AxisError, "permute_dims", f"needs every axis once, but got {axes}", {"x": x}, hint)
    return apply(rules.PERMUTE_DIMS, (x,), (order,))


@checked_keywords
def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int], /) -> Tensor:
    """The axes ``source`` moved to the places ``destination``; the others keep their order.

    >>> moveaxis(Tensor([[[1, 2]]]), 2, 0).shape
    (2, 1, 1)
    """
    x = as_tensor("moveaxis", x)
    ndim = x._data.ndim
    taken, places = (
        [axis_number("moveaxis", a, ndim, x) for a in (named if isinstance(named, (tuple, list)) else (named,))]
        for named in (source, destination)
    )
    if len(set(taken)) != len(taken) or len(set(places)) != len(places) or len(taken) != len(places):
        need = f"needs as many places as axes, each once, but got {source} and {destination}"
        fail(AxisError, "moveaxis", need, {"x": x}, "moveaxis(x, 0, -1) moves the first axis to the end")
    order = [axis for axis in range(ndim) if axis not in taken]
    for place, axis in sorted(zip(places, taken, strict=True)):
        order.insert(place, axis)
    return apply(rules.PERMUTE_DIMS, (x,), (tuple(order),))


@checked_keywords
def swapaxes(x: Any, /, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged.

    >>> swapaxes(Tensor([[[1, 2]]]), 0, 2).shape
    (2, 1, 1)
    """
    x = as_tensor("swapaxes", x)
    first, second = (axis_number("swapaxes", axis, x._data.ndim, x) for axis in (axis1, axis2))
    order = list(range(x._data.ndim))
    order[first], order[second] = second, first
    return apply(rules.PERMUTE_DIMS, (x,), (tuple(order),))


def matrix_transpose(x: Any, /) -> Tensor:
    """The last two axes exchanged.

    >>> matrix_transpose(Tensor([[1, 2], [3, 4]]))
    Tensor([[1, 3],
            [2, 4]], dtype=int64)
    """
    from tinygrad_lite.autograd.rules.products import MATRIX_TRANSPOSE

    x = as_tensor("matrix_transpose", x)
    if x._data.ndim < 2:
        hint = "a row is x.reshape(1, -1), a column x.reshape(-1, 1)"
        fail(ShapeError, "matrix_transpose", "needs at least 2 axes", {"x": x}, hint)
    return apply(MATRIX_TRANSPOSE, (x,))


@checked_keywords
def broadcast_to(x: Any, /, shape: Sequence[int]) -> Tensor:
    """``x`` repeated along axes of size one (and new leading ones) to ``shape``; gradients are summed back.

    >>> broadcast_to(Tensor([1, 2]), (2, 2))
    Tensor([[1, 2],
            [1, 2]], dtype=int64)
    """
    x, sizes = as_tensor("broadcast_to", x), shape_tuple("broadcast_to", shape)
    own = x._data.shape
    lead = len(sizes) - len(own)
    if lead < 0 or any(n not in (1, m) for n, m in zip(own, sizes[lead:], strict=True)):
        hint = "only axes of size 1 are stretched, and new ones come first"
        if math.prod(own) == math.prod(sizes):
            hint = f"the number of elements is the same: x.reshape({sizes})"
        elif len(own) < len(sizes) and all(n in (1, m) for n, m in zip(own, sizes, strict=False)):
            hint = "new axes come first: for new ones at the end say expand_dims(x, -1) before"
        fail(ShapeError, "broadcast_to", f"cannot stretch x to shape {sizes}", {"x": x}, hint)
    return apply(rules.BROADCAST_TO, (x,), (sizes,))


@checked_keywords
def expand_dims(x: Any, /, axis: int | tuple[int, ...] = 0) -> Tensor:
    """``x`` with new axes of size one at the positions ``axis`` of the result.

    >>> expand_dims(Tensor([1, 2]), -1).shape
    (2, 1)
    """
    x = as_tensor("expand_dims", x)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    return apply(rules.EXPAND_DIMS, (x,), (axis_numbers("expand_dims", axis, x._data.ndim + count),))


def atleast_1d(*arrays: Any) -> Tensor | tuple[Tensor, ...]:
    """The tensor with one axis at least: a number becomes a vector of one element. Of several it makes a tuple.

    >>> atleast_1d(2.0)
    Tensor([2.])
    """
    return _at_least(1, arrays)


def atleast_2d(*arrays: Any) -> Tensor | tuple[Tensor, ...]:
    """The tensor with two axes at least: a vector becomes a row. Of several it makes a tuple.

    >>> atleast_2d(Tensor([1, 2])).shape
    (1, 2)
    """
    return _at_least(2, arrays)


def atleast_3d(*arrays: Any) -> Tensor | tuple[Tensor, ...]:
    """The tensor with three axes at least, as NumPy adds them: (n,) becomes (1, n, 1), (m, n) becomes (m, n, 1).

    Of several it makes a tuple.

    >>> atleast_3d(Tensor([1, 2])).shape
    (1, 2, 1)
    """
    return _at_least(3, arrays)


def _at_least(ndim: int, arrays: tuple[Any, ...]) -> Tensor | tuple[Tensor, ...]:
    raised = []
    for x in arrays:
        x = as_tensor(f"atleast_{ndim}d", x)
        shape = x._data.shape
        shape = (1,) * (min(ndim, 2) - len(shape)) + shape  # up to two axes in front, the third one behind
        raised.append(reshape(x, shape + (1,) * (ndim - len(shape))))
    return raised[0] if len(raised) == 1 else tuple(raised)


@checked_keywords
def squeeze(x: Any, /, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """``x`` without the axes of size one (all of them, or those that ``axis`` names).

    >>> squeeze(Tensor([[1, 2, 3]])).shape
    (3,)
    """
    x = as_tensor("squeeze", x)
    shape = x._data.shape
    if axis is None:
        axes = tuple(i for i, n in enumerate(shape) if n == 1)
    else:
        axes = axis_numbers("squeeze", axis, len(shape), x)
    if any(shape[i] != 1 for i in axes):
        wrong = next(i for i in axes if shape[i] != 1)
        hint = "without an axis, squeeze removes all axes of size 1"
        if 1 not in shape:
            hint = "x has no axis of size 1; x[:, 0] takes one column of a matrix"
        fail(ShapeError, "squeeze", f"needs axes of size 1, but axis {wrong} has {shape[wrong]}", {"x": x}, hint)
    return apply(rules.SQUEEZE, (x,), (axes,))


@checked_keywords
def flip(x: Any, /, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """``x`` in reverse order along ``axis`` (all axes by default).

    >>> flip(Tensor([1, 2, 3]))
    Tensor([3, 2, 1], dtype=int64)
    """
    x = as_tensor("flip", x)
    return apply(rules.FLIP, (x,), (axis_numbers("flip", axis, x._data.ndim, x),))


@checked_keywords
def roll(x: Any, /, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """``x`` moved on by ``shift`` places along ``axis``; what leaves at the end comes back at the start.

    Args:
        x: any shape.
        shift: the number of places, negative to move backwards; one for all axes, or one for each.
        axis: one axis or several, which may repeat. None rolls the elements in row-major order.

    Raises:
        ShapeError: if there are not as many shifts as axes.

    >>> roll(Tensor([1, 2, 3, 4]), 1)
    Tensor([4, 1, 2, 3], dtype=int64)
    """
    x = as_tensor("roll", x)
    shifts = whole_numbers("roll", "shift", shift)
    if axis is None:
        if len(shifts) != 1:
            fail(ShapeError, "roll", f"needs an axis for each of the {len(shifts)} shifts", {"x": x})
        return reshape(apply(rules.ROLL, (reshape(x, (-1,)),), (shifts, (0,))), x._data.shape)
    named = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple([axis_number("roll", a, x._data.ndim, x) for a in named])
    if len(shifts) == 1:
        shifts *= len(axes)
    if len(shifts) != len(axes):
        fail(ShapeError, "roll", f"needs an axis for each shift, but got {shift} and {axis}", {"x": x})
    return apply(rules.ROLL, (x,), (shifts, axes))


@checked_keywords
def rot90(x: Any, /, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """``x`` turned by ``k`` right angles in the plane of two axes, from the first towards the second.

    >>> rot90(Tensor([[1, 2], [3, 4]]))
    Tensor([[2, 4],
            [1, 3]], dtype=int64)
    """
    tensor, turns = as_tensor("rot90", x), integer("rot90", "k", k) % 4
    plane = [axis_number("rot90", a, tensor._data.ndim, tensor) for a in whole_numbers("rot90", "axes", axes)]
    if len(plane) != 2 or plane[0] == plane[1]:
        hint = "the two axes of the plane that turns, such as axes=(0, 1)"
        fail(AxisError, "rot90", f"needs two different axes, but got {axes}", {"x": tensor}, hint)
    if turns in (0, 2):
        return flip(tensor, tuple(plane) if turns else ())
    return swapaxes(flip(tensor, plane[1]), *plane) if turns == 1 else flip(swapaxes(tensor, *plane), plane[1])
