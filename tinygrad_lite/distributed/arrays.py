"""What a collective takes and gives back: NumPy arrays, or Tensors on any device; inside, contiguous NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.distributed.pinned import copied_down, copied_up, room_for
from tinygrad_lite.distributed.reductions import Array
from tinygrad_lite.errors import DTypeError, ShapeError, fail
from tinygrad_lite.nn.parameter import write

Deliver = Callable[[Array], Any]  #: turns the array of a result into what the caller gets


def incoming(operation: str, x: Any) -> Array:
    """The elements of an operand, contiguous and in host memory."""
    if type(x) is not np.ndarray:
        if isinstance(x, Tensor):
            x = copied_down(x._data)
        elif not isinstance(x, np.ndarray):
            need = f"needs a NumPy array or a Tensor, but got {type(x).__name__}"
            numbers = isinstance(x, (bool, int, float, complex, list, tuple))
            hint = "np.asarray(x) makes an array of numbers" if numbers else "only numbers travel"
            fail(DTypeError, operation, need, hint=hint)
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def outgoing(operation: str, x: Any, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Array, Deliver]:
    """Where to put a result, and how to hand it over: as ``out``, or as an object of the same kind as ``x``."""
    if type(out) is np.ndarray and out.shape == shape and out.dtype == dtype and out.flags.c_contiguous:
        return out, as_it_is
    if out is None:
        if isinstance(x, Tensor):
            device = x.device
            return room_for(shape, dtype, device), lambda array: make_tensor(copied_up(array, device))
        return np.empty(shape, dtype), as_it_is
    if not isinstance(out, (np.ndarray, Tensor)):
        fail(DTypeError, operation, f"needs out to be a NumPy array or a Tensor, but got {type(out).__name__}")
    if out.shape != shape:
        fail(ShapeError, operation, f"needs out of the result's shape {shape}", {"out": out})
    if out.dtype != dtype:
        fail(DTypeError, operation, f"needs out of the result's dtype {dtype}", {"out": out})
    result = room_for(shape, dtype, out.device if isinstance(out, Tensor) else "cpu")
    return result, lambda array: _written(out, array)


def as_it_is(array: Array) -> Array:
    """Hand over the array itself."""
    return array


def _written(out: Any, array: Array) -> Any:
    if isinstance(out, Tensor):
        write(out, copied_up(array, out.device))
    else:
        out[...] = array
    return out
