"""Reading at places that tensors name: rows, single elements, and what a mask keeps."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.refusals import broadcast_clash, broadcast_hint
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules import indexing as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, integer
from tinygrad_lite.functions.devices import on_device_of
from tinygrad_lite.functions.indexing import checked_indices, getitem
from tinygrad_lite.functions.manipulation import broadcast_to, cast

__all__ = [
    "gather",
    "masked_select",
    "one_hot",
    "take",
]


@checked_keywords
def take(x: Any, indices: Any, /, axis: int | None = None) -> Tensor:
    """The elements (of a matrix: the rows or columns) at ``indices`` along ``axis``; repeats add up in the gradient.

    Args:
        x: at least one axis.
        indices: integers of any shape, which takes the place of the axis. Negative ones count from the end.
        axis: may be left out if x has one axis only.

    Raises:
        IndexingError: if an index is out of range.
        ArgumentError: if ``axis`` is missing.

    >>> take(Tensor([[1, 2], [3, 4]]), Tensor([1, 1]), axis=0)
    Tensor([[3, 4],
            [3, 4]], dtype=int64)
    """
    x = as_tensor("take", x)
    if axis is None:
        if x._data.ndim != 1:
            fail(ArgumentError, "take", "needs an axis for x with other than one", {"x": x}, "say axis=0")
        axis = 0
    number = axis_number("take", axis, x._data.ndim, x)
    return apply(rules.TAKE, (x, checked_indices("take", indices, x, x._data.shape[number])), (number,))


def fitting_index(operation: str, x: Tensor, index: Any, axis: int) -> tuple[Tensor, int]:
    """The index tensor and the axis of PyTorch's gather and scatter: no larger than x on the other axes."""
    number = axis_number(operation, axis, x._data.ndim, x)
    index = checked_indices(operation, index, x, x._data.shape[number], "index")
    own, places = x._data.shape, index._data.shape
    if len(own) != len(places):
        need = f"needs an index with as many axes as x, {len(own)}, but it has {len(places)}"
        hint = "it has one entry per element; take(x, index, axis) takes whole rows and columns"
        if len(places) == len(own) - 1:
            hint = f"expand_dims(index, {axis}) is one index per position; take(x, index, axis) takes whole rows"
        fail(ShapeError, operation, need, {"x": x, "index": index}, hint)
    if any(m > n for k, (n, m) in enumerate(zip(own, places, strict=True)) if k != number):
        need = f"needs an index that is no larger than x on every axis but {number}"
        hint = "take_along_axis broadcasts" if operation == "gather" else "nothing broadcasts here"
        fail(ShapeError, operation, need, {"x": x, "index": index}, hint)
    return index, number


@checked_keywords
def gather(x: Any, /, axis: int, index: Any) -> Tensor:
    """``x[..., index, ...]`` along ``axis``: one element of x for each element of ``index``.

    Unlike :func:`take_along_axis` it does not broadcast: on the other axes, ``index`` may be smaller than ``x``,
    whose rest is then not read.

    Args:
        x: any shape.
        axis: the axis that the index counts along.
        index: integers, with as many axes as x.

    Raises:
        IndexingError: if an index is out of range.
        ShapeError: if ``index`` is larger than x on another axis.

    >>> gather(Tensor([[1.0, 2.0], [3.0, 4.0]]), 1, Tensor([[1, 0], [0, 0]]))
    Tensor([[2., 1.],
            [3., 3.]])
    """
    x = as_tensor("gather", x)
    index, number = fitting_index("gather", x, index, axis)
    own, places = x._data.shape, index._data.shape
    if any(m < n for k, (n, m) in enumerate(zip(own, places, strict=True)) if k != number):
        x = getitem(x, tuple(slice(None) if k == number else slice(0, m) for k, m in enumerate(places)))
    return apply(rules.TAKE_ALONG_AXIS, (x, index), (number,))


def bool_mask(operation: str, x: Tensor, mask: Any) -> Tensor:
    """A mask of bools."""
    tensor = on_device_of(operation, mask, x, "mask")
    if tensor._data.dtype != dtypes.bool_:
        fail(DTypeError, operation, "needs a mask of bools", {"x": x, "mask": tensor}, "compare first: mask != 0")
    return tensor


@checked_keywords
def masked_select(x: Any, mask: Any, /) -> Tensor:
    """The elements of ``x`` where ``mask`` is True, in row-major order, as a vector; the two broadcast.

    Raises:
        DTypeError: if the mask is not made of bools.
        ShapeError: if the shapes do not broadcast together.

    >>> masked_select(Tensor([1.0, -2.0, 3.0]), Tensor([True, False, True]))
    Tensor([1., 3.])
    """
    x = as_tensor("masked_select", x)
    x, mask = stretched("masked_select", x, bool_mask("masked_select", x, mask))
    return getitem(x, mask)


def stretched(operation: str, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the shape that they broadcast to."""
    own, other = x._data.shape, mask._data.shape
    if own == other:
        return x, mask
    shape = common_shape(operation, {"x": x, "mask": mask})
    return broadcast_to(x, shape), broadcast_to(mask, shape)


def common_shape(operation: str, named: dict[str, Tensor]) -> tuple[int, ...]:
    """The shape that the tensors broadcast to."""
    shapes = [t._data.shape for t in named.values()]
    clash = broadcast_clash(shapes)
    if clash:
        need = f"needs shapes that broadcast together, but {clash}"
        fail(ShapeError, operation, need, named, broadcast_hint(named))
    return np.broadcast_shapes(*shapes)


@checked_keywords
def one_hot(indices: Any, /, num_classes: int, dtype: dtypes.DTypeLike = int) -> Tensor:
    """A new last axis of ``num_classes`` with a one at each index and zeros elsewhere.

    Args:
        indices: integers from 0 to ``num_classes - 1``, of any shape.
        num_classes: the size of the new axis.
        dtype: the element type, int64 by default.

    Raises:
        IndexingError: if an index is out of range; negative ones are.

    >>> one_hot(Tensor([2, 0]), 3)
    Tensor([[0, 0, 1],
            [1, 0, 0]], dtype=int64)
    """
    tensor, count = as_tensor("one_hot", indices, "indices"), integer("one_hot", "num_classes", num_classes)
    checked_indices("one_hot", tensor, None, count, negative=False)
    xp = namespaces[type(tensor._data)]
    places = xp.equal(xp.expand_dims(tensor._data, (tensor._data.ndim,)), xp.arange(count))
    return cast(make_tensor(places), dtypes.as_dtype(dtype))
