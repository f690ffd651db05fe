"""Checks and normal forms of arguments that many functions share: tensors, axes, shapes, keywords."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rules.elementwise import ASTYPE
from tinygrad_lite.errors import AxisError, DTypeError, KeywordError, ShapeError, fail

P = ParamSpec("P")
R = TypeVar("R")

#: keywords of other dialects -> ours
_DIALECT = {
    "dim": "axis",
    "dims": "axis",
    "axes": "axis",
    "keepdim": "keepdims",
    "input": "x",
    "a": "x",
    "size": "shape",
}


def checked_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse an unknown keyword with the one that is meant: ``dim=`` is ``axis=`` here."""
    parameters = inspect.signature(function).parameters
    known = frozenset(parameters)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs and not known.issuperset(kwargs):
            wrong = next(name for name in kwargs if name not in known)
            meant = _DIALECT.get(wrong, "")
            hint = f"say {meant}= instead of {wrong}=" if meant in known else ""
            names = ", ".join(known_name for known_name in parameters)
            fail(KeywordError, function.__name__, f"has no argument {wrong!r}; it has {names}", {}, hint)
        return function(*args, **kwargs)

    return checked


def as_tensor(x: Any) -> Tensor:
    """``x`` itself if it is a tensor, else a new one that holds it."""
    return x if isinstance(x, Tensor) else Tensor(x)


def floating(operation: str, x: Any) -> Tensor:
    """A floating-point tensor: integers and bools become float32.

    Raises:
        DTypeError: for complex values.
    """
    tensor = as_tensor(x)
    kind = tensor._data.dtype.kind
    if kind in "biu":
        return apply(ASTYPE, (tensor,), (dtypes.default_float,))
    if kind != "f":
        fail(DTypeError, operation, "needs real numbers", {"x": tensor})
    return tensor


def axis_number(operation: str, axis: Any, ndim: int) -> int:
    """``axis`` counted from the front: -1 is the last.

    Raises:
        AxisError: if the array has no such axis.
        DTypeError: if it is not an integer.
    """
    try:
        number = operator.index(axis)
    except TypeError:
        fail(DTypeError, operation, f"needs an integer as axis, but got {axis!r}")
    if not -ndim <= number < ndim:
        has = f"axes {-ndim} to {ndim - 1}" if ndim else "no axes (it is 0-d)"
        fail(AxisError, operation, f"got axis {number}, but the array has {has}")
    return number % ndim if ndim else 0


def axis_numbers(operation: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """A tuple of axes counted from the front, in rising order; None means all of them.

    Raises:
        AxisError: if the array lacks one of them, or one is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (tuple, list)):
        numbers = sorted(axis_number(operation, a, ndim) for a in axis)
        if len(set(numbers)) < len(numbers):
            fail(AxisError, operation, f"got axis {tuple(axis)}, which names an axis twice")
        return tuple(numbers)
    return (axis_number(operation, axis, ndim),)


def shape_tuple(operation: str, shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of ints; one int is a 1-d shape.

    Raises:
        ShapeError: if a size is negative (other than a -1 that ``reshape`` resolves before).
    """
    try:
        sizes = tuple(operator.index(n) for n in shape) if hasattr(shape, "__iter__") else (operator.index(shape),)
    except TypeError:
        fail(DTypeError, operation, f"needs a shape of integers, but got {shape!r}")
    if any(n < 0 for n in sizes):
        fail(ShapeError, operation, f"needs sizes of at least 0, but got shape {sizes}")
    return sizes
