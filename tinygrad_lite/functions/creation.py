"""Tensors from nothing or from other arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd import graph
from tinygrad_lite.autograd.graph import Tensor, make_tensor, mode
from tinygrad_lite.autograd.record import broadcast_clash, require_float
from tinygrad_lite.autograd.rows import copied, namespaces
from tinygrad_lite.errors import ArgumentError, DeviceError, DTypeError, GradientError, ShapeError, describe, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, number, shape_tuple

__all__ = [
    "arange",
    "asarray",
    "eye",
    "full",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]


def to_array(value: Any, dtype: dtypes.DTypeLike = None, *, copy: bool = True) -> Any:
    """The array of a new tensor: what ``Tensor(value)`` and ``asarray`` hold.

    Python floats (also in lists) become float32, Python integers int64, Python's complex numbers complex64; NumPy
    arrays keep their dtype.
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(value, Tensor):
        data = value._data
        if wanted is not None and data.dtype != wanted:
            return namespaces[type(data)].astype(data, wanted)
        return copied(data) if copy else data
    if type(value) in namespaces and not isinstance(value, np.ndarray):
        return value
    python = not isinstance(value, (np.ndarray, np.generic)) and not hasattr(value, "__array__")
    if python and isinstance(value, (list, tuple)):
        value = _unwrapped(value)
    try:
        data = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, ValueError) and python:
            hint = "what stands at one depth must have one length"
            fail(ArgumentError, "Tensor", "needs nested lists of equal lengths", {"value": value}, hint)
        fail(ArgumentError, "Tensor", f"cannot make an array of this: {error}", {"value": value})
    if wanted is None:
        wanted = data.dtype
        if python and (data.size == 0 or not _holds_numpy(value)):
            wanted = {dtypes.float64: dtypes.default_float, dtypes.complex128: dtypes.complex64}.get(wanted, wanted)
    if wanted.kind not in "biufc" or data.dtype.kind not in "biufc":
        got = f"an array of {data.dtype.name}" if not python else _stranger(value)
        hint = "integers go from -2^63 to 2^64 - 1; a float can hold larger numbers" if got.isdigit() else ""
        fail(DTypeError, "Tensor", f"needs numbers, but got {got}", {"value": value}, hint)
    wanted = dtypes.as_dtype(wanted.newbyteorder("="))
    if copy:
        return np.array(data, dtype=wanted, order="C")
    return data.astype(wanted, copy=False)


def _stranger(value: Any) -> str:
    """What in a nested list of Python objects is no number that an array can hold."""
    while isinstance(value, (list, tuple)):
        value = next((v for v in value if not isinstance(v, (int, float, complex)) or _too_large(v)), None)
    return str(value) if _too_large(value) else describe(value)


def _too_large(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**64


def _unwrapped(value: Any) -> Any:
    """Nested lists with their tensors replaced by arrays."""
    if isinstance(value, (list, tuple)):
        return [_unwrapped(v) for v in value]
    if isinstance(value, Tensor):
        if value._node is not None and mode.enabled:
            hint = "stack([...]) keeps the graph; detach() says that the gradient ends here"
            fail(GradientError, "Tensor", "cannot carry the gradients of tensors in a list", {"element": value}, hint)
        return np.asarray(value._data)
    return value


def _holds_numpy(value: Any) -> bool:
    """Whether a nested list holds NumPy numbers, whose dtype is meant."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (np.ndarray, np.generic))


@checked_keywords
def asarray(
    obj: Any,
    /,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    copy: bool | None = None,
) -> Tensor:
    """A tensor of ``obj``, sharing its memory where that is possible.

    Args:
        obj: a tensor, a NumPy array (or anything with ``__array__``), a number, or nested lists of them.
        dtype: the element type; None keeps that of an array, and takes float32 for Python floats.
        device: ``"cpu"`` or None.
        copy: True always copies, False never does, None only where it must. Writes from outside into
            shared memory cannot be seen by the graph.

    Returns:
        A tensor without a gradient, unless ``obj`` is a tensor already.

    Raises:
        ArgumentError: if ``copy=False`` and a copy is needed.
        DTypeError: if ``obj`` does not hold numbers.

    >>> import numpy as np
    >>> asarray(np.arange(3.0), copy=False)
    Tensor([0., 1., 2.], dtype=float64)
    """
    check_device("asarray", device)
    if isinstance(obj, Tensor) and not copy and (dtype is None or dtypes.as_dtype(dtype) == obj._data.dtype):
        return obj
    data = to_array(obj, dtype, copy=bool(copy))
    if copy is False and not (isinstance(obj, np.ndarray) and np.may_share_memory(data, obj)) and data.size:
        hint = "leave copy out, so that it copies where it must"
        fail(ArgumentError, "asarray", "cannot share memory with this (copy=False)", {"obj": obj}, hint)
    return make_tensor(data)


def check_device(operation: str, device: str | None) -> None:
    """Refuse a device that this machine does not offer."""
    if device not in (None, "cpu"):
        hint = 'use device="cpu"'
        fail(DeviceError, operation, f'knows the device "cpu", but got {device!r}', {}, hint)


def _created(operation: str, data: Any, requires_grad: bool, device: str | None) -> Tensor:
    check_device(operation, device)
    tensor = make_tensor(data)
    if requires_grad:
        require_float(operation, tensor)
        graph.make_leaf(tensor)
    return tensor


def _dtype(operation: str, dtype: dtypes.DTypeLike) -> Any:
    if isinstance(dtype, int):
        hint = f"put the sizes into one tuple: {operation}((2, 3))"
        fail(DTypeError, operation, f"needs an element type as dtype, but got {dtype}", {}, hint)
    return dtypes.default_float if dtype is None else dtypes.as_dtype(dtype)


@checked_keywords
def zeros(
    shape: Any,
    dtype: dtypes.DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Zeros of ``shape``; float32 unless ``dtype`` says otherwise.

    >>> zeros((2, 2))
    Tensor([[0., 0.],
            [0., 0.]])
    """
    return _created("zeros", np.zeros(shape_tuple("zeros", shape), _dtype("zeros", dtype)), requires_grad, device)


@checked_keywords
def ones(
    shape: Any,
    dtype: dtypes.DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones of ``shape``; float32 unless ``dtype`` says otherwise.

    >>> ones(3)
    Tensor([1., 1., 1.])
    """
    return _created("ones", np.ones(shape_tuple("ones", shape), _dtype("ones", dtype)), requires_grad, device)


@checked_keywords
def full(
    shape: Any,
    fill_value: Any,
    dtype: dtypes.DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``fill_value`` everywhere; its own dtype unless ``dtype`` says otherwise.

    >>> full((2,), 7)
    Tensor([7, 7], dtype=int64)
    """
    sizes, value = shape_tuple("full", shape), as_tensor("full", fill_value, "fill_value")._data
    if broadcast_clash([sizes, value.shape]) or value.ndim > len(sizes):
        fail(ShapeError, "full", f"needs a fill_value that broadcasts to shape {sizes}", {"fill_value": value})
    kind = value.dtype if dtype is None else dtypes.as_dtype(dtype)
    return _created("full", np.full(sizes, value, kind), requires_grad, device)


def zeros_like(x: Any, /, *, dtype: dtypes.DTypeLike = None, shape: Any = None) -> Tensor:
    """Zeros of the shape, dtype and device of ``x``; ``dtype`` and ``shape`` replace its own.

    >>> zeros_like(Tensor([1, 2]))
    Tensor([0, 0], dtype=int64)
    """
    data = as_tensor("zeros_like", x)._data
    sizes = data.shape if shape is None else shape_tuple("zeros_like", shape)
    return make_tensor(namespaces[type(data)].zeros(sizes, data.dtype if dtype is None else dtypes.as_dtype(dtype)))


def ones_like(x: Any, /, *, dtype: dtypes.DTypeLike = None) -> Tensor:
    """Ones of the shape, dtype and device of ``x``.

    >>> ones_like(Tensor([1, 2]))
    Tensor([1, 1], dtype=int64)
    """
    data = as_tensor("ones_like", x)._data
    xp = namespaces[type(data)]
    return make_tensor(xp.full(data.shape, 1, data.dtype if dtype is None else dtypes.as_dtype(dtype)))


@checked_keywords
def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
) -> Tensor:
    """Evenly spaced numbers from ``start`` (0 if only one bound is given) to before ``stop``.

    >>> arange(3)
    Tensor([0, 1, 2], dtype=int64)
    >>> arange(1.0, 2.0, 0.5)
    Tensor([1. , 1.5])
    """
    start, stop = (0, start) if stop is None else (start, stop)
    start, stop, step = (number("arange", name, v) for name, v in (("start", start), ("stop", stop), ("step", step)))
    if step == 0:
        fail(ArgumentError, "arange", "needs a step other than 0")
    if not all(map(math.isfinite, (start, stop, step))):
        fail(ArgumentError, "arange", f"needs finite numbers, but got {start}, {stop} and {step}")
    whole = all(isinstance(v, int) for v in (start, stop, step))
    kind = (dtypes.default_int if whole else dtypes.default_float) if dtype is None else dtypes.as_dtype(dtype)
    return _created("arange", np.arange(start, stop, step).astype(kind), False, device)


@checked_keywords
def eye(
    n_rows: int,
    n_cols: int | None = None,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
) -> Tensor:
    """The identity matrix of ``n_rows`` by ``n_cols`` (square by default).

    >>> eye(2)
    Tensor([[1., 0.],
            [0., 1.]])
    """
    rows, cols = shape_tuple("eye", (n_rows, n_rows if n_cols is None else n_cols))
    return _created("eye", np.eye(rows, cols, dtype=_dtype("eye", dtype)), False, device)
