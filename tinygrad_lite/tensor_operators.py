"""The operators of a tensor: arithmetic, comparison, indexing, and the forms that write in place.

Each is the function itself, attached under Python's name for it, so that ``x + y`` costs no extra call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Leaf, Tensor
from tinygrad_lite.autograd.record import reflected
from tinygrad_lite.errors import DTypeError, ShapeError, fail
from tinygrad_lite.functions import indexing
from tinygrad_lite.functions import namespace as functions


class Operators:
    """What stands between tensors in a formula."""

    __slots__ = ()

    # --- arithmetic -------------------------------------------------------------------------------

    __add__ = __radd__ = functions.add
    __mul__ = __rmul__ = functions.multiply
    __sub__, __rsub__ = functions.subtract, reflected(functions.subtract)
    __truediv__, __rtruediv__ = functions.divide, reflected(functions.divide)
    __floordiv__, __rfloordiv__ = functions.floor_divide, reflected(functions.floor_divide)
    __mod__, __rmod__ = functions.remainder, reflected(functions.remainder)
    __pow__, __rpow__ = functions.pow, reflected(functions.pow)
    __matmul__, __rmatmul__ = functions.matmul, reflected(functions.matmul)
    __pos__ = functions.positive
    __neg__ = functions.negative
    __abs__ = functions.abs

    def __divmod__(self: Any, other: Any) -> tuple[Tensor, Tensor]:
        return self // other, self % other

    def __rdivmod__(self: Any, other: Any) -> tuple[Tensor, Tensor]:
        return other // self, other % self

    # --- bits: of bools these are the logical operators -------------------------------------------------

    __and__ = __rand__ = functions.bitwise_and
    __or__ = __ror__ = functions.bitwise_or
    __xor__ = __rxor__ = functions.bitwise_xor
    __lshift__, __rlshift__ = functions.bitwise_left_shift, reflected(functions.bitwise_left_shift)
    __rshift__, __rrshift__ = functions.bitwise_right_shift, reflected(functions.bitwise_right_shift)
    __invert__ = functions.bitwise_invert

    # --- comparison -------------------------------------------------------------------------------------

    __lt__, __le__ = functions.less, functions.less_equal
    __gt__, __ge__ = functions.greater, functions.greater_equal
    __hash__ = object.__hash__

    def __eq__(self: Any, other: Any) -> Any:
        return functions.equal(self, other) if _comparable(other) else NotImplemented

    def __ne__(self: Any, other: Any) -> Any:
        return functions.not_equal(self, other) if _comparable(other) else NotImplemented

    def __contains__(self: Any, value: Any) -> bool:
        equal = self == value
        return bool(functions.any(equal)) if isinstance(equal, Tensor) else False

    # --- parts ------------------------------------------------------------------------------------------

    def __getitem__(self: Any, index: Any, /) -> Tensor:
        return indexing.getitem(self, index)

    def __setitem__(self: Any, index: Any, value: Any, /) -> None:
        indexing.assign(self, index, value)

    # --- in place: the object gets a new value, no other tensor does ------------------------------------

    def __iadd__(self: Any, other: Any, /) -> Any:
        return _update("add", self, functions.add, other)

    def __isub__(self: Any, other: Any, /) -> Any:
        return _update("subtract", self, functions.subtract, other)

    def __imul__(self: Any, other: Any, /) -> Any:
        return _update("multiply", self, functions.multiply, other)

    def __itruediv__(self: Any, other: Any, /) -> Any:
        return _update("divide", self, functions.divide, other)

    def __ifloordiv__(self: Any, other: Any, /) -> Any:
        return _update("floor_divide", self, functions.floor_divide, other)

    def __imod__(self: Any, other: Any, /) -> Any:
        return _update("remainder", self, functions.remainder, other)

    def __ipow__(self: Any, other: Any, /) -> Any:
        return _update("pow", self, functions.pow, other)

    def __imatmul__(self: Any, other: Any, /) -> Any:
        return _update("matmul", self, functions.matmul, other)

    def __iand__(self: Any, other: Any, /) -> Any:
        return _update("bitwise_and", self, functions.bitwise_and, other)

    def __ior__(self: Any, other: Any, /) -> Any:
        return _update("bitwise_or", self, functions.bitwise_or, other)

    def __ixor__(self: Any, other: Any, /) -> Any:
        return _update("bitwise_xor", self, functions.bitwise_xor, other)

    def __ilshift__(self: Any, other: Any, /) -> Any:
        return _update("bitwise_left_shift", self, functions.bitwise_left_shift, other)

    def __irshift__(self: Any, other: Any, /) -> Any:
        return _update("bitwise_right_shift", self, functions.bitwise_right_shift, other)


def _comparable(other: Any) -> bool:
    """Whether ``==`` compares element by element: what is no number, such as None or a word, equals no tensor.

    Thus ``None in [x]`` works, and an object that compares itself, such as a mock, is asked instead.
    """
    if isinstance(other, (float, int)) or hasattr(other, "__array__"):
        return True
    return isinstance(other, (Number, Sequence)) and not isinstance(other, (str, bytes))


def _update(name: str, x: Any, function: Callable[[Any, Any], Tensor], other: Any) -> Any:
    """``x += other``: the object x gets the new value, in its own shape and dtype. A leaf is written in place."""
    leaf = type(x._node) is Leaf
    if leaf:
        indexing.refuse_leaf(name, x)
    result = function(x, other)
    if result.shape != x.shape:
        need = f"cannot change the shape in place, to {result.shape}"
        fail(ShapeError, name, need, {"x": x, "other": other}, "x = x + other gives the name x to a new tensor")
    if result.dtype != x.dtype:
        if not np.can_cast(result.dtype, x.dtype, "same_kind"):
            need = f"cannot change the dtype in place, to {result.dtype.name}"
            hint = f'write x = x.astype("{result.dtype.name}") first'
            fail(DTypeError, name, need, {"x": x, "other": other}, hint)
        result = functions.astype(result, x.dtype)
    if leaf:
        x._version.raise_count()
        x._data[...] = result._data
    else:
        indexing.become(x, result)
    return x
