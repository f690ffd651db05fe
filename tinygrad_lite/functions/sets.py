"""Tensors as sets: the distinct values, and membership.

How many distinct values there are is known only when the elements are, so these results have sizes that depend on
the data.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_lite.autograd.graph import Tensor, make_tensor, mode
from tinygrad_lite.autograd.record import apply, apply_several, operand, promoted
from tinygrad_lite.autograd.rows import namespaces, row
from tinygrad_lite.autograd.rules.sorting import UNIQUE_ALL
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords

__all__ = [
    "isin",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


class UniqueAll(NamedTuple):
    """What ``unique_all`` returns."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: Tensor
    inverse_indices: Tensor


@checked_keywords
def unique_all(x: Any, /) -> UniqueAll:
    """The distinct values in rising order, where each is first, where all elements are among them, and how often.

    Every NaN counts as a value of its own. The gradient of a value goes to the first element that has it.

    Returns:
        ``values``, ``indices`` into the flattened x, ``inverse_indices`` in the shape of x, for which
        ``values[inverse_indices]`` is x, and ``counts``; the last three are int64.

    >>> unique_all(Tensor([3, 1, 3])).inverse_indices
    Tensor([1, 0, 1], dtype=int64)
    """
    return UniqueAll(*apply_several(UNIQUE_ALL, (as_tensor("unique_all", x),), (None,)))


@checked_keywords
def unique_counts(x: Any, /) -> UniqueCounts:
    """The distinct values in rising order, and how often each occurs; see ``unique_all``.

    >>> values, counts = unique_counts(Tensor([3, 1, 3]))
    >>> counts
    Tensor([1, 2], dtype=int64)
    """
    return UniqueCounts(*_values_and_counts(as_tensor("unique_counts", x)))


def _values_and_counts(x: Tensor) -> tuple[Tensor, Tensor]:
    if x._node is not None and mode.enabled:  # the gradient asks where each value came from
        values, _, _, counts = apply_several(UNIQUE_ALL, (x,), (None,))
        return values, counts
    values, counts = namespaces[type(x._data)].unique_counts(x._data)
    return make_tensor(values), make_tensor(counts)


@checked_keywords
def unique_inverse(x: Any, /) -> UniqueInverse:
    """The distinct values in rising order, and for every element of x its place among them; see ``unique_all``.

    >>> values, inverse = unique_inverse(Tensor([3, 1, 3]))
    >>> values[inverse]
    Tensor([3, 1, 3], dtype=int64)
    """
    values, _, inverse, _ = apply_several(UNIQUE_ALL, (as_tensor("unique_inverse", x),), (None,))
    return UniqueInverse(values, inverse)


@checked_keywords
def unique_values(x: Any, /) -> Tensor:
    """The distinct values in rising order; see ``unique_all``.

    >>> unique_values(Tensor([3, 1, 3]))
    Tensor([1, 3], dtype=int64)
    """
    return _values_and_counts(as_tensor("unique_values", x))[0]


@checked_keywords
def unique(
    x: Any, /, return_inverse: bool = False, return_counts: bool = False, axis: int | None = None
) -> Tensor | tuple[Tensor, ...]:
    """The distinct values, or the distinct slices along ``axis``, in rising order.

    Args:
        x: any shape.
        return_inverse: return also where every element of x (every slice) is among them.
        return_counts: return also how often each occurs.
        axis: compare whole slices along this axis; None compares elements.

    Returns:
        The values alone, or a tuple of the values and what was asked for, in this order.

    >>> unique(Tensor([3, 1, 3]), return_counts=True)
    (Tensor([1, 3], dtype=int64), Tensor([1, 2], dtype=int64))
    """
    x = as_tensor("unique", x)
    number = None if axis is None else axis_number("unique", axis, x._data.ndim, x)
    if number is None and not return_inverse:
        values, counts = _values_and_counts(x)
        return (values, counts) if return_counts else values
    values, _, inverse, counts = apply_several(UNIQUE_ALL, (x,), (number,))
    wanted = (values, *((inverse,) if return_inverse else ()), *((counts,) if return_counts else ()))
    return wanted if len(wanted) > 1 else values


ISIN = row("isin", "x1 x2 | invert")


@checked_keywords
def isin(x1: Any, x2: Any, /, invert: bool = False) -> Tensor:
    """For every element of ``x1`` whether it is in ``x2``; NaN is in nothing.

    Args:
        x1: any shape, or a number.
        x2: any shape, or a number.
        invert: whether it is *not* in x2, instead.

    >>> isin(Tensor([1, 2, 3]), Tensor([3, 1]))
    Tensor([ True, False,  True])
    """
    x1, x2, a, b = promoted(ISIN, operand("isin", x1, "x1"), operand("isin", x2, "x2"))
    if type(b) is float:
        b = namespaces[type(a)].full((), b, a.dtype)
    return apply(ISIN, (make_tensor(a), make_tensor(b)), (bool(invert),))
