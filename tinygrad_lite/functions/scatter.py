"""Writing and adding at places that tensors name. Nothing is mutated: every function returns a new tensor.

PyTorch's names and meanings, with ``axis`` for ``dim``. Where an index names an element twice, adding adds both up, and
of two writes the last wins, which alone receives a gradient.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules import indexing as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, number
from tinygrad_lite.functions.elementwise import add, divide, maximum, multiply, where
from tinygrad_lite.functions.gathering import bool_mask, fitting_index, stretched
from tinygrad_lite.functions.indexing import cast_like, checked_indices, index_parts, selected_shape, setitem
from tinygrad_lite.functions.logic import not_equal
from tinygrad_lite.functions.manipulation import broadcast_to, reshape

__all__ = [
    "index_add",
    "index_fill",
    "index_put",
    "masked_fill",
    "masked_scatter",
    "put_along_axis",
    "scatter",
    "scatter_add",
    "scatter_reduce",
]


# --- along an axis, one index per element -------------------------------------------------------------


def _grid(x: Tensor, index: Tensor, axis: int) -> tuple[Any, ...]:
    """The index of every place ``[..., index, ...]``: the counters of the other axes, and the index."""
    xp = namespaces[type(x._data)]
    sizes = index._data.shape
    lines = [tuple(n if k == j else 1 for k in range(len(sizes))) for j, n in enumerate(sizes)]
    counters = [xp.reshape(xp.arange(n), line) for n, line in zip(sizes, lines, strict=True)]
    counters[axis] = index._data
    return tuple(counters)


def _source(operation: str, x: Tensor, index: Tensor, src: Any) -> Tensor:
    """The part of ``src`` that ``index`` uses, in the dtype of x; a number stands for a tensor of it."""
    places = index._data.shape
    src = cast_like(operation, src, x, "src")
    own = src._data.shape
    if not own:
        return broadcast_to(src, places)
    if len(own) != len(places) or any(n < m for n, m in zip(own, places, strict=True)):
        fail(ShapeError, operation, "needs a src at least as large as index", {"x": x, "index": index, "src": src})
    return src if own == places else apply(rules.GETITEM, (src,), (tuple(slice(0, m) for m in places),))


@checked_keywords
def scatter(x: Any, /, axis: int, index: Any, src: Any) -> Tensor:
    """``x`` with the elements of ``src`` written at ``[..., index, ...]`` along ``axis``.

    Args:
        x: any shape.
        axis: the axis that the index counts along.
        index: integers, with as many axes as x, and no larger than x on the others.
        src: a number, or a tensor at least as large as ``index``, whose rest is not used.

    Raises:
        IndexingError: if an index is out of range.
        ShapeError: if ``index`` or ``src`` does not fit.

    >>> scatter(Tensor([1.0, 2.0, 3.0]), 0, Tensor([2, 0]), Tensor([8.0, 9.0]))
    Tensor([9., 2., 8.])
    """
    x = as_tensor("scatter", x)
    index, number = fitting_index("scatter", x, index, axis)
    src = _source("scatter", x, index, src)
    return apply(rules.SETITEM, (x, src), (_grid(x, index, number),))


@checked_keywords
def scatter_add(x: Any, /, axis: int, index: Any, src: Any) -> Tensor:
    """``x`` with the elements of ``src`` added at ``[..., index, ...]`` along ``axis``; repeats add up.

    Args and errors as in :func:`scatter`. The order of the additions is always the same, and so is the result.

    >>> scatter_add(Tensor([1.0, 2.0, 3.0]), 0, Tensor([2, 2]), Tensor([8.0, 9.0]))
    Tensor([ 1.,  2., 20.])
    """
    x = as_tensor("scatter_add", x)
    index, number = fitting_index("scatter_add", x, index, axis)
    return _plus_along(x, index, _source("scatter_add", x, index, src), number)


def _plus_along(x: Tensor, index: Tensor, src: Tensor, axis: int) -> Tensor:
    return add(x, apply(rules.ADD_ALONG_AXIS, (src, index), (x._data.shape, axis)))


@checked_keywords
def scatter_reduce(x: Any, /, axis: int, index: Any, src: Any, reduce: str, include_self: bool = True) -> Tensor:
    """``x`` with the elements of ``src`` combined at ``[..., index, ...]`` along ``axis``.

    Args:
        x: any shape.
        axis: the axis that the index counts along.
        index: integers, with as many axes as x, and no larger than x on the others.
        src: a number, or a tensor at least as large as ``index``, whose rest is not used.
        reduce: ``"sum"``, ``"mean"``, ``"amax"`` or ``"amin"``. Ties of the extrema share the gradient evenly.
        include_self: whether the element of x counts too. Elements that no index names stay as they are.

    Raises:
        ArgumentError: if ``reduce`` is none of these.
        DTypeError: if a mean is asked of integers.
        IndexingError, ShapeError: as in :func:`scatter`.

    >>> scatter_reduce(Tensor([1.0, 2.0]), 0, Tensor([0, 0]), Tensor([4.0, 7.0]), "mean")
    Tensor([4., 2.])
    """
    x = as_tensor("scatter_reduce", x)
    if reduce not in ("sum", "mean", "amax", "amin"):
        need = f'needs a reduce of "sum", "mean", "amax" or "amin", but got {reduce!r}'
        fail(ArgumentError, "scatter_reduce", need, {"x": x})
    if reduce == "mean" and x._data.dtype.kind != "f":
        fail(DTypeError, "scatter_reduce", "needs floats for a mean", {"x": x}, "convert with astype first")
    index, number = fitting_index("scatter_reduce", x, index, axis)
    src = _source("scatter_reduce", x, index, src)
    if reduce in ("amax", "amin"):
        return apply(rules.SCATTER_EXTREMUM, (x, src, index), (number, reduce == "amax", bool(include_self)))
    if include_self and reduce == "sum":
        return _plus_along(x, index, src, number)
    ones = broadcast_to(cast_like("scatter_reduce", 1, x), index._data.shape)
    counts = apply(rules.ADD_ALONG_AXIS, (ones, index), (x._data.shape, number))
    base = x
    if include_self:
        counts = add(counts, 1)
    else:
        base = where(not_equal(counts, 0), cast_like("scatter_reduce", 0, x), x)
    total = _plus_along(base, index, src, number)
    return divide(total, maximum(counts, 1)) if reduce == "mean" else total


@checked_keywords
def put_along_axis(x: Any, indices: Any, values: Any, /, axis: int | None = -1) -> Tensor:
    """``x`` with ``values`` at ``[..., indices, ...]`` along ``axis``: NumPy's function, but x itself stays as it is.

    Args:
        x: any shape.
        indices: integers, with as many axes as x; axes of size one, except ``axis``, broadcast.
        values: a number, or a tensor that broadcasts to the indices.
        axis: the axis that the indices count along; None takes x in row-major order.

    Raises:
        IndexingError: if an index is out of range.
        ShapeError: if the shapes do not fit.

    >>> put_along_axis(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[1], [0]]), 9.0, axis=1)
    Tensor([[1., 9.],
            [9., 4.]])
    """
    x = as_tensor("put_along_axis", x)
    if axis is None:
        return reshape(put_along_axis(reshape(x, (-1,)), indices, values, axis=0), x._data.shape)
    own = x._data.shape
    number = axis_number("put_along_axis", axis, len(own), x)
    indices = checked_indices("put_along_axis", indices, x, own[number])
    places = indices._data.shape
    named = {"x": x, "indices": indices}
    if len(places) != len(own):
        need = f"needs indices with as many axes as x, {len(own)}, but they have {len(places)}"
        fail(ShapeError, "put_along_axis", need, named)
    if any(m not in (1, n) for k, (n, m) in enumerate(zip(own, places, strict=True)) if k != number):
        need = "needs indices that broadcast to x on every axis but the given one"
        fail(ShapeError, "put_along_axis", need, named)
    places = (*own[:number], places[number], *own[number + 1 :])
    values = cast_like("put_along_axis", values, x)
    if len(values._data.shape) > len(places) or any(
        n not in (1, m) for n, m in zip(values._data.shape[::-1], places[::-1], strict=False)
    ):
        need = f"needs values that broadcast to the shape {places} of the indices"
        fail(ShapeError, "put_along_axis", need, {**named, "values": values})
    return apply(rules.SETITEM, (x, values), (_grid(x, broadcast_to(indices, places), number),))


# --- whole rows, and NumPy's index forms --------------------------------------------------------------


@checked_keywords
def index_add(x: Any, /, axis: int, index: Any, src: Any, alpha: float = 1) -> Tensor:
    """``x`` with ``alpha * src`` added to its slices at ``index`` along ``axis``; repeats add up.

    Args:
        x: at least one axis.
        axis: the axis that the index counts along.
        index: integers, 1-d.
        src: the shape of x, except that ``axis`` has as many elements as ``index``.
        alpha: a number.

    Raises:
        IndexingError: if an index is out of range.
        ShapeError: if ``index`` or ``src`` does not fit.

    >>> index_add(Tensor([[1.0], [2.0]]), 0, Tensor([1, 1]), Tensor([[5.0], [6.0]]))
    Tensor([[ 1.],
            [13.]])
    """
    x = as_tensor("index_add", x)
    shape = x._data.shape
    number_, index = _slices("index_add", x, axis, index)
    factor = number("index_add", "alpha", alpha)
    src = cast_like("index_add", src, x, "src")
    target = (*shape[:number_], index._data.size, *shape[number_ + 1 :])
    if src._data.shape != target:
        fail(ShapeError, "index_add", f"needs a src of shape {target}", {"x": x, "index": index, "src": src})
    if factor != 1:
        src = cast_like("index_add", multiply(src, factor), x, "src")
    parts = (*(slice(None),) * number_, index._data)
    return add(x, apply(rules.ADD_AT, (src,), (parts, shape)))


def _slices(operation: str, x: Tensor, axis: int, index: Any) -> tuple[int, Tensor]:
    """The axis, and the 1-d index of slices along it."""
    found = axis_number(operation, axis, x._data.ndim, x)
    index = checked_indices(operation, index, x, x._data.shape[found], "index")
    if index._data.ndim != 1:
        fail(ShapeError, operation, "needs an index with one axis", {"x": x, "index": index})
    return found, index


@checked_keywords
def index_fill(x: Any, /, axis: int, index: Any, value: Any) -> Tensor:
    """``x`` with ``value``, a number or a 0-d tensor, in its slices at ``index`` along ``axis``.

    >>> index_fill(Tensor([[1.0, 2.0], [3.0, 4.0]]), 1, Tensor([0]), 9.0)
    Tensor([[9., 2.],
            [9., 4.]])
    """
    x = as_tensor("index_fill", x)
    found, index = _slices("index_fill", x, axis, index)
    value = _scalar("index_fill", x, value)
    return apply(rules.SETITEM, (x, value), ((*(slice(None),) * found, index._data),))


def _scalar(operation: str, x: Tensor, value: Any) -> Tensor:
    scalar = cast_like(operation, value, x, "value")
    if scalar._data.shape:
        fail(ShapeError, operation, "needs a number or a 0-d tensor as value", {"x": x, "value": scalar})
    return scalar


@checked_keywords
def index_put(x: Any, indices: Any, values: Any, /, accumulate: bool = False) -> Tensor:
    """``x`` with ``values`` at ``x[indices]``, or, with ``accumulate``, added there.

    Args:
        x: any shape.
        indices: what stands between brackets, mostly a tuple of integer tensors or a mask.
        values: a number, or a tensor that broadcasts to the shape of ``x[indices]``.
        accumulate: add instead of writing; repeats add up.

    Raises:
        IndexingError: if an index is out of range.
        ShapeError: if the values do not broadcast.

    >>> index_put(Tensor([1.0, 2.0]), Tensor([0, 0]), Tensor([3.0, 4.0]), accumulate=True)
    Tensor([8., 2.])
    """
    if not accumulate:
        return setitem(x, values, indices)
    x = as_tensor("index_put", x)
    parts = index_parts("index_put", indices, x, x._data.shape)
    target = selected_shape("index_put", x, x._data.shape, parts, indices)
    values = cast_like("index_put", values, x)
    own = values._data.shape
    if len(own) > len(target) or any(n not in (1, m) for n, m in zip(own[::-1], target[::-1], strict=False)):
        need = f"needs values that broadcast to the shape {target} of the indexed part"
        fail(ShapeError, "index_put", need, {"x": x, "values": values})
    return add(x, apply(rules.ADD_AT, (broadcast_to(values, target),), (parts, x._data.shape)))


# --- by masks -----------------------------------------------------------------------------------------


@checked_keywords
def masked_fill(x: Any, mask: Any, value: Any, /) -> Tensor:
    """``value``, a number or a 0-d tensor, where ``mask`` is True, else ``x``, whose dtype the result has.

    Raises:
        DTypeError: if the mask is not made of bools.

    >>> masked_fill(Tensor([1.0, 2.0]), Tensor([True, False]), -9.0)
    Tensor([-9.,  2.])
    """
    x = as_tensor("masked_fill", x)
    mask = bool_mask("masked_fill", x, mask)
    return where(mask, _scalar("masked_fill", x, value), x)


@checked_keywords
def masked_scatter(x: Any, mask: Any, source: Any, /) -> Tensor:
    """``x`` with the elements of ``source``, in row-major order, where ``mask`` is True; x and the mask broadcast.

    Raises:
        DTypeError: if the mask is not made of bools.
        ShapeError: if ``source`` has fewer elements than the mask asks for.

    >>> masked_scatter(Tensor([1.0, 2.0, 3.0]), Tensor([True, False, True]), Tensor([8.0, 9.0]))
    Tensor([8., 2., 9.])
    """
    x = as_tensor("masked_scatter", x)
    x, mask = stretched("masked_scatter", x, bool_mask("masked_scatter", x, mask))
    parts = index_parts("masked_scatter", mask, x, x._data.shape)
    (count,) = selected_shape("masked_scatter", x, x._data.shape, parts, mask)
    source = reshape(cast_like("masked_scatter", source, x, "source"), (-1,))
    if source._data.size < count:
        need = f"needs {count} elements in source, one for each True of the mask"
        fail(ShapeError, "masked_scatter", need, {"x": x, "mask": mask, "source": source})
    values = apply(rules.GETITEM, (source,), ((slice(0, count),),))
    return apply(rules.SETITEM, (x, values), (parts,))
