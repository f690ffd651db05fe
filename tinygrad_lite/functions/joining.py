"""Several tensors as one, and one as several."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, apply_several
from tinygrad_lite.autograd.rules import manipulation as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, integer, whole_numbers
from tinygrad_lite.functions.manipulation import cast, expand_dims, reshape, squeeze

__all__ = [
    "concat",
    "split",
    "stack",
    "unstack",
]


def together(operation: str, arrays: Any, axis: int | None = None) -> list[Tensor]:
    """Tensors of one promoted dtype."""
    if isinstance(axis, Tensor):
        hint = f"{operation}([x1, x2])"
        fail(DTypeError, operation, "needs the tensors in one list", {"arrays": arrays, "axis": axis}, hint)
    if not hasattr(arrays, "__iter__"):
        fail(DTypeError, operation, "needs a list or tuple of tensors", {"arrays": arrays}, f"{operation}([x1, x2])")
    tensors = [as_tensor(operation, a, f"arrays[{i}]") for i, a in enumerate(arrays)]
    if not tensors:
        hint = "the list is empty: is it filled before? an iterator gives its tensors only once"
        fail(ArgumentError, operation, "needs at least one tensor", {}, hint)
    dtype = tensors[0]._data.dtype
    for t in tensors[1:]:
        dtype = dtypes.promote(dtype, t._data.dtype)
    return [cast(t, dtype) for t in tensors]


@checked_keywords
def concat(arrays: Sequence[Any], /, axis: int | None = 0) -> Tensor:
    """The tensors one after the other along ``axis`` (None flattens them first).

    Raises:
        ShapeError: if another axis differs in size.

    >>> concat([Tensor([1, 2]), Tensor([3])])
    Tensor([1, 2, 3], dtype=int64)
    """
    tensors = together("concat", arrays, axis)
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
            need = f"needs equal sizes on every axis but axis {number}"
            fail(ShapeError, "concat", need, named, _joining(shape, t._data.shape, number))
    return apply(rules.CONCAT, tensors, (number,))


def _joining(first: tuple[int, ...], other: tuple[int, ...], number: int) -> str:
    """What joins two shapes that do not fit along axis ``number``."""
    if len(first) != len(other):
        return "all need equally many axes: expand_dims(x, 0) makes a row of a vector"
    differing = [i for i, (n, m) in enumerate(zip(first, other, strict=True)) if n != m]
    if len(differing) == 1:
        return f"they fit along axis {differing[0]}: concat(arrays, axis={differing[0]})"
    return "cut or pad them to equal sizes first"


@checked_keywords
def stack(arrays: Sequence[Any], /, axis: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new ``axis``.

    >>> stack([Tensor([1, 2]), Tensor([3, 4])])
    Tensor([[1, 2],
            [3, 4]], dtype=int64)
    """
    tensors = together("stack", arrays, axis)
    for i, t in enumerate(tensors):
        if t._data.shape != tensors[0]._data.shape:
            named = {"arrays[0]": tensors[0], f"arrays[{i}]": t}
            hint = "concat joins them along an axis they have"
            if t._data.ndim != tensors[0]._data.ndim:
                hint = "reshape them to one shape first"
            fail(ShapeError, "stack", "needs tensors of one shape", named, hint)
    number = axis_number("stack", axis, tensors[0]._data.ndim + 1)
    return apply(rules.CONCAT, [expand_dims(t, number) for t in tensors], (number,))


@checked_keywords
def split(x: Any, /, sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """``x`` cut along ``axis``, as NumPy cuts it.

    Args:
        x: at least one axis.
        sections: into how many equal parts, or the positions of the cuts in rising order.
        axis: the axis to cut.

    Raises:
        ShapeError: if the parts would not be equal.
        ArgumentError: if the cuts do not rise, or there is no part.

    >>> split(Tensor([1, 2, 3, 4]), 2)
    (Tensor([1, 2], dtype=int64), Tensor([3, 4], dtype=int64))
    >>> split(Tensor([1, 2, 3, 4]), [1])
    (Tensor([1], dtype=int64), Tensor([2, 3, 4], dtype=int64))
    """
    x = as_tensor("split", x)
    number = axis_number("split", axis, x._data.ndim, x)
    size = x._data.shape[number]
    if hasattr(sections, "__iter__"):
        cuts = [min(n + size if n < 0 else n, size) for n in whole_numbers("split", "sections", sections)]
        stops = (*cuts, size)
        if any(n < 0 for n in cuts) or any(n > m for n, m in pairwise(stops)):
            hint = "positions of the cuts, not sizes of the parts; negative ones count from the end"
            need = f"needs positions in rising order, but got {tuple(cuts)}"
            fail(ArgumentError, "split", need, {"x": x}, hint)
    else:
        count = integer("split", "sections", sections)
        if count < 1:
            hint = "sections is the number of parts, or a list of positions"
            fail(ArgumentError, "split", f"needs at least one section, but got {count}", {"x": x}, hint)
        if size % count:
            hint = "give the positions of the cuts instead"
            fail(ShapeError, "split", f"cannot cut {size} elements into {count} equal parts", {"x": x}, hint)
        stops = tuple(range(size // count, size + 1, size // count)) if size else (0,) * count
    return _parts(x, stops, number)


@checked_keywords
def unstack(x: Any, /, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of ``x`` along ``axis``, without that axis.

    >>> unstack(Tensor([[1, 2], [3, 4]]))
    (Tensor([1, 2], dtype=int64), Tensor([3, 4], dtype=int64))
    """
    x = as_tensor("unstack", x)
    number = axis_number("unstack", axis, x._data.ndim, x)
    count = x._data.shape[number]
    if count > 1:
        return _views(x, apply_several(rules.unstack_row(count), (x,), (number,)))
    return (squeeze(x, number),) if count else ()


def _parts(x: Tensor, stops: tuple[int, ...], axis: int) -> tuple[Tensor, ...]:
    """The parts of ``x`` up to each of ``stops``, the last of which is its end."""
    if len(stops) == 1:
        return (reshape(x, x._data.shape),)
    return _views(x, apply_several(rules.split_row(len(stops)), (x,), (stops, axis)))


def _views(x: Tensor, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The parts, which look at the memory of ``x``: if it is a leaf, they must know when it is written."""
    if x._version is not None:
        for part in parts:
            x._version.share_with(part)
    return parts
