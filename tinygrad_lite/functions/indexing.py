"""Reading and writing by index, and along an axis. The index forms are NumPy's."""

from __future__ import annotations

import operator
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.autograd.graph import Leaf, Tensor, make_tensor, mode
from tinygrad_lite.autograd.record import apply, apply_several
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules import indexing as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, Error, GradientError, IndexingError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, integer, shape_tuple
from tinygrad_lite.functions.manipulation import astype, broadcast_to, reshape

__all__ = [
    "getitem",
    "setitem",
    "take_along_axis",
    "topk",
]


def _index(operation: str, index: Any, x: Tensor) -> tuple[Any, ...]:
    """The index as a tuple of slices, ints, None, Ellipsis and arrays of x's own kind."""
    xp = namespaces[type(x._data)]
    parts = index if isinstance(index, tuple) else (index,)
    found: list[Any] = []
    for part in parts:
        if part is None or part is Ellipsis or type(part) is int or isinstance(part, slice):
            found.append(part)
            continue
        if isinstance(part, Tensor):
            array = part._data
        elif type(part) is xp.array_type is not np.ndarray:
            array = part  # a rule's own
        elif isinstance(part, (bool, np.bool_)):
            array = np.asarray(part)
        elif hasattr(part, "__index__") and not isinstance(part, np.ndarray):
            found.append(operator.index(part))
            continue
        else:
            try:
                array = np.array(part)  # a copy: backward reads it again, and its owner may write to it until then
            except ValueError:
                fail(IndexingError, operation, "needs lists of equal lengths in an index", {"x": x, "index": part})
            if array.size == 0 and not isinstance(part, np.ndarray):
                array = array.astype(np.int64)  # an empty list names nothing
        if array.dtype.kind not in "biu":
            hint = "compare or convert with astype to get bools or integers" if array.dtype.kind == "f" else ""
            fail(DTypeError, operation, "needs integers, bools or slices as index", {"x": x, "index": part}, hint)
        found.append(xp.asarray(array))
    return tuple(found)


def _refuse_index(operation: str, x: Tensor, index: Any, error: Exception) -> NoReturn:
    text = str(error).rstrip()
    fail(IndexingError, operation, f"got an index that does not fit: {text}", {"x": x, "index": index})


def getitem(x: Any, index: Any, /) -> Tensor:
    """``x[index]``; an element that the index names twice gets both gradients.

    Args:
        x: any shape.
        index: ints, slices, ``...``, None (a new axis), bool masks, integer arrays, and tuples of them.

    Raises:
        IndexingError: if the index is out of bounds or has too many parts.
        DTypeError: if it is not made of integers, bools or slices.

    >>> getitem(Tensor([1.0, 2.0, 3.0]), slice(1, None))
    Tensor([2., 3.])
    """
    x = as_tensor("getitem", x)
    parts = _index("getitem", index, x)
    try:
        return apply(rules.GETITEM, (x,), (parts,))
    except Error as error:  # the row does not know the index as the user wrote it
        refused = error.__context__
        if not isinstance(refused, (IndexError, TypeError, ValueError)):
            raise
    _refuse_index("getitem", x, index, refused)


def setitem(x: Any, values: Any, index: Any, /) -> Tensor:
    """A copy of ``x`` with ``values`` at ``index``: what ``x[index] = values`` makes of the object x.

    Where the index names an element twice the last write wins, and only it receives a gradient.

    >>> setitem(Tensor([1.0, 2.0, 3.0]), 9.0, 0)
    Tensor([9., 2., 3.])
    """
    x = as_tensor("setitem", x)
    parts = _index("setitem", index, x)
    values = _cast_like("setitem", values, x)
    spare = _check_assignment(x, values, parts, index)
    if spare:  # leading axes of size one, which NumPy's assignment allows and broadcasting does not undo
        values = reshape(values, values._data.shape[spare:])
    return apply(rules.SETITEM, (x, values), (parts,))


def _cast_like(operation: str, values: Any, x: Tensor) -> Tensor:
    dtype = x._data.dtype
    if type(values) in (float, int, bool) and not (type(values) is float and dtype.kind in "biu"):
        try:
            return make_tensor(namespaces[type(x._data)].full((), values, dtype))
        except OverflowError:
            fail(ArgumentError, operation, f"needs a number that {dtype.name} can hold", {"x": x, "values": values})
    values = as_tensor(operation, values, "values")
    if values._data.dtype.kind == "c" and dtype.kind != "c":
        named = {"x": x, "values": values}
        fail(DTypeError, operation, f"cannot put complex numbers into {dtype.name}", named)
    if values._data.dtype.kind == "f" and dtype.kind in "biu":
        hint = "make x a float tensor first: x.astype(float)"
        fail(DTypeError, operation, "cannot put floats into integers", {"x": x, "values": values}, hint)
    return astype(values, dtype)


def _selected_shape(
    operation: str, x: Tensor, shape: tuple[int, ...], parts: tuple[Any, ...], index: Any
) -> tuple[int, ...]:
    """The shape of what the index selects from an array of ``shape`` on the device of ``x``."""
    xp = namespaces[type(x._data)]
    try:
        selected = xp.broadcast_to(xp.zeros((), "bool"), shape)[parts]
    except (IndexError, TypeError, ValueError) as error:
        refused = error
    else:
        return selected.shape  # type: ignore[no-any-return]
    _refuse_index(operation, x, index, refused)


def _check_assignment(x: Tensor, values: Tensor, parts: tuple[Any, ...], index: Any) -> int:
    """How many leading axes ``values`` has beyond the indexed part; all must be of size one."""
    target = _selected_shape("setitem", x, x._data.shape, parts, index)
    own = values._data.shape
    spare = max(len(own) - len(target), 0)
    stretched = own[spare:]
    fits = all(n == 1 for n in own[:spare]) and all(
        n in (1, m) for n, m in zip(stretched, target[len(target) - len(stretched) :], strict=True)
    )
    if not fits:
        need = f"needs values that broadcast to the shape {target} of the indexed part"
        fail(ShapeError, "setitem", need, {"x": x, "values": values})
    return spare


def assign(x: Tensor, index: Any, values: Any) -> None:
    """``x[index] = values``: the object x gets a new value; other tensors never change.

    A leaf that requires a gradient is written in place, which needs ``no_grad``.

    Raises:
        GradientError: for such a leaf while operations are recorded.
    """
    if type(x._node) is Leaf:
        refuse_leaf("setitem", x)
        parts = _index("setitem", index, x)
        values = _cast_like("setitem", values, x)
        _check_assignment(x, values, parts, index)
        x._version.raise_count()  # type: ignore[union-attr]
        x._data[parts] = values._data
        return
    result = setitem(x, values, index)
    x._data, x._node, x._version = result._data, result._node, result._version


def refuse_leaf(operation: str, x: Tensor) -> None:
    """A leaf is where gradients end: while recording, it cannot become the result of an operation."""
    if mode.enabled:
        hint = "write under no_grad(), or work on a copy: y = x.clone()"
        fail(GradientError, operation, "cannot change a leaf that requires a gradient", {"x": x}, hint)


def add_at(x: Any, index: Any, shape: Any, /) -> Tensor:
    """Zeros of ``shape`` with the values of ``x`` added at ``index``; repeats add up. Adjoint of getitem.

    >>> add_at(Tensor([1.0, 2.0, 3.0]), Tensor([0, 2, 0]), (3,))
    Tensor([4., 0., 2.])
    """
    x, sizes = as_tensor("add_at", x), shape_tuple("add_at", shape)
    parts = _index("add_at", index, x)
    target = _selected_shape("add_at", x, sizes, parts, index)
    if target != x._data.shape:
        need = f"needs x in the shape {target} that the index selects from {sizes}"
        fail(ShapeError, "add_at", need, {"x": x, "index": index})
    return apply(rules.ADD_AT, (x,), (parts, sizes))


def _indices(operation: str, indices: Any, x: Tensor, size: int) -> Tensor:
    """Integer indices, all within ``size``."""
    indices = as_tensor(operation, indices, "indices")
    data = indices._data
    if data.dtype.kind not in "iu":
        fail(DTypeError, operation, "needs integer indices", {"x": x, "indices": indices}, 'indices.astype("int64")')
    if isinstance(data, np.ndarray) and data.size and (int(data.max()) >= size or int(data.min()) < -size):
        worst = int(data.max()) if int(data.max()) >= size else int(data.min())
        need = f"got index {worst}, but the axis has {size} elements"
        fail(IndexingError, operation, need, {"x": x, "indices": indices})
    return make_tensor(data) if indices._node is not None else indices


def _matched(x: Tensor, indices: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Both broadcast to one shape, except along ``axis``."""
    own, other = x._data.shape, indices._data.shape
    if all(n == m or k == axis for k, (n, m) in enumerate(zip(own, other, strict=True))):
        return x, indices
    wide = [m if n == 1 else n for n, m in zip(own, other, strict=True)]
    if any(m not in (1, wide[k]) for k, m in enumerate(other) if k != axis):
        need = "needs indices that broadcast against x on every axis but the given one"
        fail(ShapeError, "take_along_axis", need, {"x": x, "indices": indices})
    before, after = wide[:axis], wide[axis + 1 :]
    return broadcast_to(x, (*before, own[axis], *after)), broadcast_to(indices, (*before, other[axis], *after))


@checked_keywords
def take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Tensor:
    """Picks x[..., indices, ...] along ``axis``, one index per position of the other axes.

    Args:
        x: any shape.
        indices: integers, with as many axes as x. Axes of size one, here or in x, broadcast, except ``axis``.
        axis: the axis that the indices count along.

    >>> take_along_axis(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[1], [0]]), axis=1)
    Tensor([[2.],
            [3.]])
    """
    x = as_tensor("take_along_axis", x)
    number = axis_number("take_along_axis", axis, x._data.ndim, x)
    indices = _indices("take_along_axis", indices, x, x._data.shape[number])
    if indices._data.ndim != x._data.ndim:
        need = f"needs indices with as many axes as x, {x._data.ndim}, but they have {indices._data.ndim}"
        hint = "expand_dims(indices, axis) for one index per row" if indices._data.ndim == x._data.ndim - 1 else ""
        fail(ShapeError, "take_along_axis", need, {"x": x, "indices": indices}, hint)
    x, indices = _matched(x, indices, number)
    return apply(rules.TAKE_ALONG_AXIS, (x, indices), (number,))


def add_along_axis(x: Any, indices: Any, shape: Any, axis: int = -1, /) -> Tensor:
    """Zeros of ``shape`` with the values of ``x`` added at ``indices`` along ``axis``; repeats add up.

    >>> add_along_axis(Tensor([[5.0], [7.0]]), Tensor([[1], [0]]), (2, 2), 1)
    Tensor([[0., 5.],
            [7., 0.]])
    """
    x, sizes = as_tensor("add_along_axis", x), shape_tuple("add_along_axis", shape)
    number = axis_number("add_along_axis", axis, len(sizes))
    indices = _indices("add_along_axis", indices, x, sizes[number])
    own, places = x._data.shape, indices._data.shape
    named = {"x": x, "indices": indices}
    if len(places) != len(sizes) or any(n > m for k, (n, m) in enumerate(zip(places, sizes)) if k != number):
        fail(ShapeError, "add_along_axis", f"needs indices that fit in shape {sizes} on every axis but {number}", named)
    if len(own) > len(places) or any(n not in (1, m) for n, m in zip(own[::-1], places[::-1])):
        fail(ShapeError, "add_along_axis", "needs x in the shape of indices", named)
    return apply(rules.ADD_ALONG_AXIS, (x, indices), (sizes, number))


@checked_keywords
def topk(x: Any, /, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The ``k`` largest (or smallest) elements along ``axis``, in order, and their positions.

    Returns:
        ``(values, indices)``; indices are int64. Of equal elements the first comes first.

    >>> values, indices = topk(Tensor([1.0, 5.0, 3.0]), 2)
    >>> values, indices
    (Tensor([5., 3.]), Tensor([1, 2], dtype=int64))
    """
    x = as_tensor("topk", x)
    number, count = axis_number("topk", axis, x._data.ndim, x), integer("topk", "k", k)
    if not 0 <= count <= x._data.shape[number]:
        need = f"needs k from 0 to {x._data.shape[number]}, the size of axis {number}, but got {count}"
        fail(ArgumentError, "topk", need, {"x": x})
    return apply_several(rules.TOPK, (x,), (count, number, bool(largest)))
