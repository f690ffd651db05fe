"""Checks and normal forms of arguments that many functions share: tensors, axes, shapes, keywords."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, tensor_of
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


def as_tensor(operation: str, x: Any, name: str = "x") -> Tensor:
    """``x`` itself if it is a tensor, else a new one that holds it; ``name`` is what the caller's argument is called.

    Raises:
        ArgumentError, DTypeError: if it does not hold numbers in a rectangular shape.
    """
    return x if isinstance(x, Tensor) else tensor_of(operation, x, name)


def floating(operation: str, x: Any, name: str = "x") -> Tensor:
    """A floating-point tensor: integers and bools become float32.

    Raises:
        DTypeError: for complex values.
    """
    tensor = as_tensor(operation, x, name)
    kind = tensor._data.dtype.kind
    if kind in "biu":
        return apply(ASTYPE, (tensor,), (dtypes.default_float,))
    if kind != "f":
        fail(DTypeError, operation, "needs real numbers", {name: tensor})
    return tensor


def number(operation: str, name: str, value: Any, hint: str = "") -> float:
    """A Python number for an argument that is not differentiated; an int stays one.

    Raises:
        DTypeError: for anything but one real number.
    """
    if type(value) in (int, float, bool):  # not np.float64, which is a float but would not be weak
        return value  # type: ignore[no-any-return]
    try:
        found = value.item()  # NumPy's numbers, and arrays and tensors with one element
    except (AttributeError, ValueError):
        found = None
    if not isinstance(found, (int, float)):
        fail(DTypeError, operation, f"needs a number as {name}", {name: value}, hint)
    return found


def integer(operation: str, name: str, value: Any) -> int:
    """A Python int for an argument that counts something.

    Raises:
        DTypeError: if it is not an integer.
    """
    try:
        return operator.index(value)
    except (TypeError, ValueError):
        fail(DTypeError, operation, f"needs an integer as {name}", {name: value})


def axis_number(operation: str, axis: Any, ndim: int, x: Any = None) -> int:
    """``axis`` counted from the front: -1 is the last. ``x`` is the operand that an error shows.

    Raises:
        AxisError: if the array has no such axis.
        DTypeError: if it is not an integer.
    """
    try:
        found = operator.index(axis)
    except (TypeError, ValueError):
        named = {"axis": axis} if x is None else {"x": x, "axis": axis}
        fail(DTypeError, operation, "needs an integer as axis", named)
    if not -ndim <= found < ndim:
        has = f"axes {-ndim} to {ndim - 1}" if ndim else "no axes (it is 0-d)"
        what = "result" if x is None else "array"
        fail(AxisError, operation, f"got axis {found}, but the {what} has {has}", {} if x is None else {"x": x})
    return found % ndim


def axis_numbers(operation: str, axis: Any, ndim: int, x: Any = None) -> tuple[int, ...]:
    """A tuple of axes counted from the front, in rising order; None means all of them. ``x`` as above.

    Raises:
        AxisError: if the array lacks one of them, or one is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (tuple, list)):
        numbers = sorted(axis_number(operation, a, ndim, x) for a in axis)
        if len(set(numbers)) < len(numbers):
            named = {} if x is None else {"x": x}
            fail(AxisError, operation, f"got axis {tuple(axis)}, which names an axis twice", named)
        return tuple(numbers)
    return (axis_number(operation, axis, ndim, x),)


def shape_tuple(operation: str, shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of ints; one int is a 1-d shape.

    Raises:
        DTypeError: if a size is not an integer.
        ShapeError: if a size is negative.
    """
    sizes = whole_numbers(operation, "shape", shape)
    if any(n < 0 for n in sizes):
        fail(ShapeError, operation, f"needs sizes of at least 0, but got shape {sizes}")
    return sizes


def whole_numbers(operation: str, name: str, values: Any) -> tuple[int, ...]:
    """A tuple of Python ints of a sequence of integers, or of one.

    Raises:
        DTypeError: if one of them is not an integer.
    """
    try:
        return tuple(operator.index(n) for n in values) if hasattr(values, "__iter__") else (operator.index(values),)
    except (TypeError, ValueError):
        fail(DTypeError, operation, f"needs integers as {name}", {name: values})
