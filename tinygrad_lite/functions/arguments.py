"""Checks and normal forms of arguments that many functions share: tensors, axes, shapes, keywords."""

from __future__ import annotations

import operator
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, mode
from tinygrad_lite.autograd.record import apply, tensor_of
from tinygrad_lite.autograd.rules.elementwise import ASTYPE
from tinygrad_lite.calls import CheckedConstructor as CheckedConstructor
from tinygrad_lite.calls import checked_constructor as checked_constructor
from tinygrad_lite.calls import checked_keywords as checked_keywords
from tinygrad_lite.errors import AxisError, DTypeError, GradientError, ShapeError, fail

#: the hint of functions that find no element where they need one
NOTHING = "an axis of size 0 holds nothing: was everything filtered out before?"


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
        hint = f"take real({name}), imag({name}) or abs({name})"
        fail(DTypeError, operation, "needs real numbers", {name: tensor}, hint)
    return tensor


def number(operation: str, name: str, value: Any, hint: str = "") -> float:
    """A Python number for an argument that is not differentiated; an int stays one.

    Raises:
        DTypeError: for anything but one real number.
        GradientError: for a tensor whose gradient would be lost.
    """
    if type(value) in (int, float, bool):  # not np.float64, which is a float but would not be weak
        return value  # type: ignore[no-any-return]
    if isinstance(value, Tensor) and value._node is not None and mode.enabled:
        need = f"needs a number as {name}, through which no gradient flows"
        fail(GradientError, operation, need, {name: value}, f"{name}.item() says that the gradient ends here")
    try:
        found = value.item()  # NumPy's numbers, and arrays and tensors with one element
    except (AttributeError, ValueError):
        found = None
    if not isinstance(found, (int, float)):
        if isinstance(value, str):
            hint = hint or "float(text) reads a number from a text"
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
        hint = "int(value) cuts off the fraction" if isinstance(value, (float, str)) else f"such as {name}=2"
        fail(DTypeError, operation, f"needs an integer as {name}", {name: value}, hint)


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
        hint = "axes are whole numbers: 0 is the first, -1 the last"
        if isinstance(axis, Tensor) and operation in ("max", "min"):
            hint = f"of two tensors, element by element, take {operation}imum(x1, x2)"
        fail(DTypeError, operation, "needs an integer as axis", named, hint)
    if not -ndim <= found < ndim:
        has = f"axes {-ndim} to {ndim - 1}" if ndim else "no axes (it is 0-d)"
        what = "result" if x is None else "array"
        hint = "axes are counted from 0, or from the end: -1 is the last" if ndim else "x.reshape(1) has one axis"
        fail(AxisError, operation, f"got axis {found}, but the {what} has {has}", {} if x is None else {"x": x}, hint)
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
            need, hint = f"got axis {tuple(axis)}, which names an axis twice", f"axis={tuple(sorted(set(numbers)))}"
            fail(AxisError, operation, need, named, hint)
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
        hint = "-1 stands for what is left in reshape only" if -1 in sizes else "a size is a number of elements"
        fail(ShapeError, operation, f"needs sizes of at least 0, but got shape {sizes}", {}, hint)
    return sizes


def whole_numbers(operation: str, name: str, values: Any) -> tuple[int, ...]:
    """A tuple of Python ints of a sequence of integers, or of one.

    Raises:
        DTypeError: if one of them is not an integer.
    """
    try:
        return tuple(operator.index(n) for n in values) if hasattr(values, "__iter__") else (operator.index(values),)
    except (TypeError, ValueError):
        parts = list(values) if isinstance(values, (list, tuple)) else [values]
        hint = f"such as {name}={'(2, 3)' if name == 'shape' else '(0, 1)'}"
        if any(isinstance(n, float) for n in parts):
            hint = "n // 2 is a whole number, n / 2 is none; int(n) makes one"
        fail(DTypeError, operation, f"needs integers as {name}", {name: values}, hint)
