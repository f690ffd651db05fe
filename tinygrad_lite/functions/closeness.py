"""Whether two tensors are equal, or nearly so. The results are bools without a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import operand
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, number
from tinygrad_lite.functions.elementwise import abs, add, beside, multiply, subtract
from tinygrad_lite.functions.logic import equal, isfinite, isnan, less_equal, logical_and, logical_or
from tinygrad_lite.functions.manipulation import cast
from tinygrad_lite.functions.reductions import all

__all__ = ["allclose", "array_equal", "isclose"]


@checked_keywords
def isclose(x1: Any, x2: Any, /, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |x1 - x2| <= atol + rtol |x2|, element by element; infinities are close to themselves alone.

    Args:
        x1, x2: tensors or numbers; they broadcast.
        rtol: the difference allowed in units of x2.
        atol: the difference allowed besides.
        equal_nan: whether NaN is close to NaN.

    >>> isclose(Tensor([1.0, 2.0]), Tensor([1.0, 2.1]))
    Tensor([ True, False])
    """
    first, second = _inexact(operand("isclose", x1, "x1")), _inexact(operand("isclose", x2, "x2"))
    first, second = beside("isclose", first, second), beside("isclose", second, first)
    relative, absolute = number("isclose", "rtol", rtol), number("isclose", "atol", atol)
    with np.errstate(over="ignore", invalid="ignore"):  # the difference of two infinities
        near = less_equal(abs(subtract(first, second)), add(multiply(abs(second), relative), absolute))
    close = logical_or(equal(first, second), logical_and(near, isfinite(second)))
    return logical_or(close, logical_and(isnan(first), isnan(second))) if equal_nan else close


@checked_keywords
def allclose(x1: Any, x2: Any, /, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether all elements are close, as ``isclose`` says: a tensor with one bool.

    Args:
        x1, x2, rtol, atol, equal_nan: as for ``isclose``.

    >>> bool(allclose(Tensor([1.0, 2.0]), Tensor([1.0, 2.00001])))
    True
    """
    return all(isclose(x1, x2, rtol, atol, equal_nan))


@checked_keywords
def array_equal(x1: Any, x2: Any, /, equal_nan: bool = False) -> Tensor:
    """Whether two tensors have the same shape and elements: a tensor with one bool.

    Args:
        x1, x2: tensors, numbers or nested lists.
        equal_nan: whether NaN equals NaN.

    >>> bool(array_equal(Tensor([1, 2]), [1, 2])), bool(array_equal(Tensor([1, 1]), 1))
    (True, False)
    """
    first, second = as_tensor("array_equal", x1, "x1"), as_tensor("array_equal", x2, "x2")
    if first._data.shape != second._data.shape:
        return make_tensor(namespaces[type(first._data)].full((), False, dtypes.bool_))
    same = equal(first, second)
    return all(logical_or(same, logical_and(isnan(first), isnan(second))) if equal_nan else same)


def _inexact(x: Any) -> Any:
    """A tensor in floating point (differences of unsigned integers wrap around), without its graph; Numbers as such."""
    if not isinstance(x, Tensor):
        return x
    return cast(x, dtypes.float64) if x._data.dtype.kind in "biu" else x.detach()
