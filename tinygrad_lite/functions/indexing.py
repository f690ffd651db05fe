"""Reading and writing by index, and along an axis. The index forms are NumPy's."""

from __future__ import annotations

import math
import operator
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.autograd.graph import Hooks, Leaf, Tensor, make_tensor, mode
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.refusals import refuse_devices
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules import indexing as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, Error, GradientError, IndexingError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, shape_tuple
from tinygrad_lite.functions.devices import on_device_of, require_one_device, to_device
from tinygrad_lite.functions.index_refusals import index_fault
from tinygrad_lite.functions.manipulation import broadcast_to, cast, reshape

__all__ = [
    "getitem",
    "setitem",
    "take_along_axis",
]


def index_parts(operation: str, index: Any, x: Tensor, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The index of an array of ``shape``, as a tuple of slices, ints, None, Ellipsis and arrays of x's own kind."""
    xp = namespaces[type(x._data)]
    parts = index if isinstance(index, tuple) else (index,)
    found: list[Any] = []
    host = True  # whether all index arrays lie in the processor's memory
    refused: Exception
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
                need, hint = "needs lists of equal lengths in an index", "one list per axis: x[[0, 1], [2, 3]]"
                fail(IndexingError, operation, need, {"x": x, "index": part}, hint)
            if array.size == 0 and not isinstance(part, np.ndarray):
                array = array.astype(np.int64)  # an empty list names nothing
        if array.dtype.kind not in "biu":
            hint = "elements are counted, not named: 0 is the first, -1 the last"
            if isinstance(part, float):
                hint = "n // 2 is a whole number, n / 2 is none; int(n) makes one"
            elif array.dtype.kind in "fc":
                hint = "compare or convert with astype to get bools or integers"
            fail(DTypeError, operation, "needs integers, bools or slices as index", {"x": x, "index": part}, hint)
        if type(array) is not np.ndarray and type(array) is not xp.array_type:
            refuse_devices(operation, {"x": x, "index": part})
        host = host and type(array) is np.ndarray
        found.append(array if type(array) is np.ndarray else xp.asarray(array))
    if xp.array_type is np.ndarray:
        return tuple(found)
    if host:  # what lies here is checked here: a device would report it later
        try:
            np.broadcast_to(np.False_, shape)[tuple(found)]
        except (IndexError, TypeError, ValueError) as error:
            refused = error
        else:
            return tuple([xp.asarray(part) if type(part) is np.ndarray else part for part in found])
        _refuse_index(operation, x, shape, tuple(found), index, refused)
    return tuple([xp.asarray(part) if type(part) is np.ndarray else part for part in found])


def _refuse_index(
    operation: str, x: Tensor, shape: tuple[int, ...], parts: tuple[Any, ...], index: Any, error: Exception
) -> NoReturn:
    need, hint = index_fault(shape, parts) or (f"got an index that does not fit: {str(error).rstrip('. ')}", "")
    fail(IndexingError, operation, need, {"x": x, "index": index}, hint)


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
    parts = index_parts("getitem", index, x, x._data.shape)
    try:
        return apply(rules.GETITEM, (x,), (parts,))
    except Error as error:  # the row does not know the index as the user wrote it
        refused = error.__context__
        if not isinstance(refused, (IndexError, TypeError, ValueError)):
            raise
    _refuse_index("getitem", x, x._data.shape, parts, index, refused)


def setitem(x: Any, values: Any, index: Any, /) -> Tensor:
    """A copy of ``x`` with ``values`` at ``index``: what ``x[index] = values`` makes of the object x.

    Where the index names an element twice the last write wins, and only it receives a gradient.

    >>> setitem(Tensor([1.0, 2.0, 3.0]), 9.0, 0)
    Tensor([9., 2., 3.])
    """
    x = as_tensor("setitem", x)
    parts = index_parts("setitem", index, x, x._data.shape)
    values = cast_like("setitem", values, x)
    spare = _check_assignment(x, values, parts, index)
    if spare:  # leading axes of size one, which NumPy's assignment allows and broadcasting does not undo
        values = reshape(values, values._data.shape[spare:])
    return apply(rules.SETITEM, (x, values), (parts,))


def cast_like(operation: str, values: Any, x: Tensor, name: str = "values") -> Tensor:
    """``values`` in the dtype of ``x``, if that loses no more than digits; others go where ``x`` is."""
    dtype = x._data.dtype
    kind = type(values)
    if kind in (int, bool) or (kind is float and dtype.kind in "fc") or (kind is complex and dtype.kind == "c"):
        try:
            return make_tensor(namespaces[type(x._data)].full((), values, dtype))
        except OverflowError:
            hint = "convert x with astype first"
            fail(ArgumentError, operation, f"needs a number that {dtype.name} can hold", {"x": x, name: values}, hint)
    values = on_device_of(operation, values, x, name)
    if values._data.dtype.kind == "c" and dtype.kind != "c":
        named = {"x": x, name: values}
        hint = f"take real({name}), imag({name}) or abs({name})"
        fail(DTypeError, operation, f"cannot put complex numbers into {dtype.name}", named, hint)
    if values._data.dtype.kind == "f" and dtype.kind in "biu":
        hint = "make x a float tensor first: x.astype(float)"
        fail(DTypeError, operation, "cannot put floats into integers", {"x": x, name: values}, hint)
    return cast(values, dtype)


def selected_shape(
    operation: str, x: Tensor, shape: tuple[int, ...], parts: tuple[Any, ...], index: Any
) -> tuple[int, ...]:
    """The shape of what the index selects from an array of ``shape`` on the device of ``x``."""
    xp = namespaces[type(x._data)]
    try:
        selected = xp.broadcast_to(xp.zeros((), "bool"), shape)[parts]
    except Error:
        raise  # of the device, which may be about an earlier call
    except (IndexError, TypeError, ValueError) as error:
        refused = error
    else:
        return selected.shape  # type: ignore[no-any-return]
    _refuse_index(operation, x, shape, parts, index, refused)


def _check_assignment(x: Tensor, values: Tensor, parts: tuple[Any, ...], index: Any) -> int:
    """How many leading axes ``values`` has beyond the indexed part; all must be of size one."""
    target = selected_shape("setitem", x, x._data.shape, parts, index)
    own = values._data.shape
    spare = max(len(own) - len(target), 0)
    stretched = own[spare:]
    fits = all(n == 1 for n in own[:spare]) and all(
        n in (1, m) for n, m in zip(stretched, target[len(target) - len(stretched) :], strict=True)
    )
    if not fits:
        need = f"needs values that broadcast to the shape {target} of the indexed part"
        hint = f"one number, or {math.prod(target)} in that shape"
        if values._data.size == math.prod(target):
            hint = f"the number of elements is right: values.reshape({target})"
        fail(ShapeError, "setitem", need, {"x": x, "values": values}, hint)
    return spare


def assign(x: Tensor, index: Any, values: Any) -> None:
    """``x[index] = values``: the object x gets a new value; other tensors never change.

    A leaf that requires a gradient is written in place, which needs ``no_grad``.

    Raises:
        GradientError: for such a leaf while operations are recorded.
    """
    if type(x._node) is Leaf:
        refuse_leaf("setitem", x)
        parts = index_parts("setitem", index, x, x._data.shape)
        values = cast_like("setitem", values, x)
        _check_assignment(x, values, parts, index)
        x._version.raise_count()  # type: ignore[union-attr]
        x._data[parts] = values._data
        return
    become(x, setitem(x, values, index))


def become(x: Tensor, result: Tensor) -> None:
    """The object x takes over the value of ``result`` and its place in the graph.

    If x keeps its gradient (``retain_grad``), then that of its latest value, as in PyTorch.
    """
    keeps = x._node is not None and x._node.hooks is not None and x._node.hooks.retain
    x._data, x._node, x._version = result._data, result._node, result._version
    if keeps and x._node is not None:
        if x._node.hooks is None:
            x._node.hooks = Hooks()
        x._node.hooks.retain = True


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
    parts = index_parts("add_at", index, x, sizes)
    target = selected_shape("add_at", x, sizes, parts, index)
    if target != x._data.shape:
        need = f"needs x in the shape {target} that the index selects from {sizes}"
        fail(ShapeError, "add_at", need, {"x": x, "index": index})
    return apply(rules.ADD_AT, (x,), (parts, sizes))


def checked_indices(
    operation: str, indices: Any, x: Tensor | None, size: int, name: str = "indices", negative: bool = True
) -> Tensor:
    """Integer indices, all within ``size``; ``negative`` ones count from the end, if they are allowed."""
    tensor = as_tensor(operation, indices, name)
    data = tensor._data
    named = {name: tensor} if x is None else {"x": x, name: tensor}
    if x is not None and isinstance(indices, Tensor):
        require_one_device(operation, named)
    if data.dtype.kind not in "iu":
        fail(DTypeError, operation, f"needs integer {name}", named, f'{name}.astype("int64")')
    if isinstance(data, np.ndarray) and data.size and not _all_below(data, size):
        low, high = int(data.min()), int(data.max())
        if high >= size or low < (-size if negative else 0):
            need = f"got index {high if high >= size else low}, but the axis has {size} elements"
            hint = f"indices go from 0 to {size - 1}" + (f", or from -{size} to -1 from the end" if negative else "")
            fail(IndexingError, operation, need, named, hint if size else "there is nothing to pick")
    return tensor if x is None or isinstance(indices, Tensor) else to_device(tensor, x.device)


def _all_below(indices: Any, size: int) -> bool:
    """Whether all of int64 indices are from 0 to size - 1: without their signs, negative ones are huge."""
    return indices.dtype == np.int64 and int(indices.view(np.uint64).max()) < size


def _matched(x: Tensor, indices: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Both broadcast to one shape, except along ``axis``."""
    own, other = x._data.shape, indices._data.shape
    if all(n == m or k == axis for k, (n, m) in enumerate(zip(own, other, strict=True))):
        return x, indices
    wide = [m if n == 1 else n for n, m in zip(own, other, strict=True)]
    if any(m not in (1, wide[k]) for k, m in enumerate(other) if k != axis):
        need = "needs indices that broadcast against x on every axis but the given one"
        hint = "the shapes may differ along the given axis, and where one of them has size 1"
        fail(ShapeError, "take_along_axis", need, {"x": x, "indices": indices}, hint)
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
    indices = checked_indices("take_along_axis", indices, x, x._data.shape[number])
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
    indices = checked_indices("add_along_axis", indices, x, sizes[number])
    own, places = x._data.shape, indices._data.shape
    named = {"x": x, "indices": indices}
    if len(places) != len(sizes) or any(n > m for k, (n, m) in enumerate(zip(places, sizes)) if k != number):
        fail(ShapeError, "add_along_axis", f"needs indices that fit in shape {sizes} on every axis but {number}", named)
    if len(own) > len(places) or any(n not in (1, m) for n, m in zip(own[::-1], places[::-1])):
        fail(ShapeError, "add_along_axis", "needs x in the shape of indices", named)
    return apply(rules.ADD_ALONG_AXIS, (x, indices), (sizes, number))
