"""Shapes and order: functions that move elements without computing. Results may share memory inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rules import manipulation as rules
from tinygrad_lite.autograd.rules.elementwise import ASTYPE
from tinygrad_lite.errors import ArgumentError, AxisError, DTypeError, GradientError, ShapeError, fail
from tinygrad_lite.functions.arguments import (
    as_tensor,
    axis_number,
    axis_numbers,
    checked_keywords,
    integer,
    number,
    shape_tuple,
    whole_numbers,
)

__all__ = [
    "astype",
    "broadcast_to",
    "concat",
    "expand_dims",
    "flatten",
    "flip",
    "matrix_transpose",
    "pad",
    "permute_dims",
    "reshape",
    "squeeze",
    "stack",
    "tril",
]


def astype(x: Any, dtype: dtypes.DTypeLike, /) -> Tensor:
    """``x`` with another element type; the gradient is cast back.

    >>> astype(Tensor([1.7, -1.7]), "int64")
    Tensor([ 1, -1], dtype=int64)
    """
    tensor, wanted = as_tensor("astype", x), dtypes.as_dtype(dtype)
    if tensor._data.dtype == wanted:
        return tensor
    if wanted.kind == "c" and tensor._node is not None:
        need = "cannot carry a gradient: complex tensors have none"
        fail(GradientError, "astype", need, {"x": tensor}, "detach() it first")
    return apply(ASTYPE, (tensor,), (wanted,))


def reshape(x: Any, /, shape: int | Sequence[int]) -> Tensor:
    """The same elements, in row-major order, in another shape; one size may be -1 and follows.

    Raises:
        ShapeError: if the number of elements does not fit.

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
        fail(ShapeError, "reshape", f"needs sizes of at least 0 and at most one -1, but got {sizes}", {"x": x})
    if (size % known if known else size) if free else known != size:
        fail(ShapeError, "reshape", f"cannot make shape {sizes} of {size} elements", {"x": x})
    if free:
        sizes = tuple((size // known if known else 0) if n == -1 else n for n in sizes)
    return apply(rules.RESHAPE, (x,), (sizes,))


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
        fail(AxisError, "flatten", f"needs start_axis before end_axis, but got {start_axis} and {end_axis}", {"x": x})
    return reshape(x, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def permute_dims(x: Any, /, axes: Sequence[int]) -> Tensor:
    """The axes in another order: axis i of the result is axis ``axes[i]`` of x.

    >>> permute_dims(Tensor([[1, 2, 3]]), (1, 0)).shape
    (3, 1)
    """
    x = as_tensor("permute_dims", x)
    axes = whole_numbers("permute_dims", "axes", axes)
    order = tuple([axis_number("permute_dims", a, x._data.ndim, x) for a in axes])
    if sorted(order) != list(range(x._data.ndim)):
        fail(AxisError, "permute_dims", f"needs every axis once, but got {axes}", {"x": x})
    return apply(rules.PERMUTE_DIMS, (x,), (order,))


def matrix_transpose(x: Any, /) -> Tensor:
    """The last two axes exchanged.

    >>> matrix_transpose(Tensor([[1, 2], [3, 4]]))
    Tensor([[1, 3],
            [2, 4]], dtype=int64)
    """
    from tinygrad_lite.autograd.rules.linalg import MATRIX_TRANSPOSE

    x = as_tensor("matrix_transpose", x)
    if x._data.ndim < 2:
        fail(ShapeError, "matrix_transpose", "needs at least 2 axes", {"x": x})
    return apply(MATRIX_TRANSPOSE, (x,))


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
        fail(ShapeError, "broadcast_to", f"cannot stretch x to shape {sizes}", {"x": x})
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
        fail(ShapeError, "squeeze", f"needs axes of size 1, but axis {wrong} has {shape[wrong]}", {"x": x})
    return apply(rules.SQUEEZE, (x,), (axes,))


@checked_keywords
def flip(x: Any, /, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """``x`` in reverse order along ``axis`` (all axes by default).

    >>> flip(Tensor([1, 2, 3]))
    Tensor([3, 2, 1], dtype=int64)
    """
    x = as_tensor("flip", x)
    return apply(rules.FLIP, (x,), (axis_numbers("flip", axis, x._data.ndim, x),))


def _together(operation: str, arrays: Any, axis: int | None = None) -> list[Tensor]:
    """Tensors of one promoted dtype."""
    if isinstance(axis, Tensor):
        hint = f"{operation}([x1, x2])"
        fail(DTypeError, operation, "needs the tensors in one list", {"arrays": arrays, "axis": axis}, hint)
    if not hasattr(arrays, "__iter__"):
        fail(DTypeError, operation, "needs a list or tuple of tensors", {"arrays": arrays})
    tensors = [as_tensor(operation, a, f"arrays[{i}]") for i, a in enumerate(arrays)]
    if not tensors:
        fail(ArgumentError, operation, "needs at least one tensor")
    dtype = tensors[0]._data.dtype
    for t in tensors[1:]:
        dtype = dtypes.promote(dtype, t._data.dtype)
    return [astype(t, dtype) for t in tensors]


@checked_keywords
def concat(arrays: Sequence[Any], /, axis: int | None = 0) -> Tensor:
    """The tensors one after the other along ``axis`` (None flattens them first).

    Raises:
        ShapeError: if another axis differs in size.

    >>> concat([Tensor([1, 2]), Tensor([3])])
    Tensor([1, 2, 3], dtype=int64)
    """
    tensors = _together("concat", arrays, axis)
    if axis is None:
        tensors, axis = [reshape(t, (-1,)) for t in tensors], 0
    shape = tensors[0]._data.shape
    if not shape:
        fail(ShapeError, "concat", "needs tensors with at least one axis", {"arrays[0]": tensors[0]}, "use stack")
    number = axis_number("concat", axis, len(shape), tensors[0])
    for i, t in enumerate(tensors):
        other = t._data.shape
        if len(other) != len(shape) or any(
            n != m for k, (n, m) in enumerate(zip(other, shape, strict=True)) if k != number
        ):
            named = {"arrays[0]": tensors[0], f"arrays[{i}]": t}
            fail(ShapeError, "concat", f"needs equal sizes on every axis but axis {number}", named)
    return apply(rules.CONCAT, tensors, (number,))


@checked_keywords
def stack(arrays: Sequence[Any], /, axis: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new ``axis``.

    >>> stack([Tensor([1, 2]), Tensor([3, 4])])
    Tensor([[1, 2],
            [3, 4]], dtype=int64)
    """
    tensors = _together("stack", arrays, axis)
    for i, t in enumerate(tensors):
        if t._data.shape != tensors[0]._data.shape:
            named = {"arrays[0]": tensors[0], f"arrays[{i}]": t}
            fail(ShapeError, "stack", "needs tensors of one shape", named, "concat joins them along an axis they have")
    number = axis_number("stack", axis, tensors[0]._data.ndim + 1)
    return apply(rules.CONCAT, [expand_dims(t, number) for t in tensors], (number,))


def pad(x: Any, /, pad_width: Sequence[tuple[int, int]] | int, value: float = 0.0) -> Tensor:
    """``x`` with a border of ``value``.

    Args:
        x: any shape.
        pad_width: ``(before, after)`` per axis, in elements, as in NumPy; one int for all sides.
        value: what the border holds.

    >>> pad(Tensor([1.0, 2.0]), ((1, 2),))
    Tensor([0., 1., 2., 0., 0.])
    """
    x = as_tensor("pad", x)
    ndim = x._data.ndim
    if hasattr(pad_width, "__iter__"):
        widths = tuple([whole_numbers("pad", "pad_width", pair) for pair in pad_width])
    else:
        widths = ((integer("pad", "pad_width", pad_width),) * 2,) * ndim
    if len(widths) != ndim or any(len(pair) != 2 for pair in widths):
        fail(ShapeError, "pad", f"needs (before, after) for each of {ndim} axes, but got {pad_width}", {"x": x})
    if any(n < 0 for pair in widths for n in pair):
        fail(ArgumentError, "pad", f"needs widths of at least 0, but got {pad_width}", {"x": x}, "slice instead")
    border = number("pad", "value", value)
    return apply(rules.PAD, (astype(x, dtypes.result_type(x, border)) if border else x,), (widths, border))


def tril(x: Any, /, k: int = 0) -> Tensor:
    """The lower triangle of the last two axes, up to the ``k``-th diagonal; zeros above it.

    >>> tril(Tensor([[1.0, 1.0], [1.0, 1.0]]))
    Tensor([[1., 0.],
            [1., 1.]])
    """
    x = as_tensor("tril", x)
    if x._data.ndim < 2:
        fail(ShapeError, "tril", "needs at least 2 axes", {"x": x})
    return apply(rules.TRIL, (x,), (integer("tril", "k", k),))
