"""Tensors from nothing or from other arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd import graph
from tinygrad_lite.autograd.graph import Tensor, make_tensor, mode
from tinygrad_lite.autograd.refusals import require_float
from tinygrad_lite.autograd.rows import copied, namespaces
from tinygrad_lite.backends.devices import on_host
from tinygrad_lite.errors import (
    ArgumentError,
    DTypeError,
    Error,
    GradientError,
    ShapeError,
    describe,
    fail,
)
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, number, shape_tuple
from tinygrad_lite.functions.devices import backend, moved, to_device

__all__ = [
    "asarray",
    "empty",
    "empty_like",
    "full",
    "full_like",
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
    if hasattr(value, "__cuda_array_interface__"):
        found = _lent(value)
        found = found if wanted is None else namespaces[type(found)].astype(found, wanted)
        return copied(found) if copy else found
    python = not isinstance(value, (np.ndarray, np.generic)) and not hasattr(value, "__array__") and not _buffer(value)
    if python and isinstance(value, (list, tuple)):
        value = _unwrapped(value)
    try:
        data = np.asarray(value)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        if isinstance(error, Error):
            raise
        if isinstance(error, ValueError) and python:
            hint = "what stands at one depth must have one length"
            fail(ArgumentError, "Tensor", "needs nested lists of equal lengths", {"value": value}, hint)
        fail(ArgumentError, "Tensor", f"cannot make an array of this: {error}", {"value": value})
    if wanted is None:
        wanted = data.dtype
        if python and (data.size == 0 or not _holds_numpy(value)):
            wanted = {dtypes.float64: dtypes.default_float, dtypes.complex128: dtypes.complex64}.get(wanted, wanted)
    if wanted.kind not in "biufc" or data.dtype.kind not in "biufc":
        if not python:
            need = f"needs numbers, but got an array of {data.dtype.name}"
            fail(
                DTypeError, "Tensor", need, {"value": value}, "array.astype(float) makes numbers of what can be read so"
            )
        stranger = _stranger(value)
        got = str(stranger) if _too_large(stranger) else describe(stranger)
        fail(DTypeError, "Tensor", f"needs numbers, but got {got}", {"value": value}, _stranger_hint(stranger))
    wanted = dtypes.as_dtype(wanted.newbyteorder("="))
    _refuse_loss(value, data, wanted, python)
    if copy:
        return np.array(data, dtype=wanted, order="C")
    return data.astype(wanted, copy=False)


def _lent(value: Any) -> Any:
    """The array over the GPU's memory that another library lends."""
    backend("Tensor", "cuda")
    from tinygrad_lite.backends.cuda import exchange

    try:
        return exchange.from_interface(value)
    except BufferError as error:
        fail(ArgumentError, "Tensor", f"cannot take this memory: {error}", {"value": value})


def _refuse_loss(value: Any, data: Any, wanted: dtypes.DType, python: bool) -> None:
    """Refuse what NumPy would change without a word: masked elements, and Python integers too large for a dtype."""
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray and np.ma.is_masked(value):
        hint = "value.filled(0.0) says what stands in their place"
        fail(DTypeError, "Tensor", "needs numbers, but some elements are masked", {"value": data}, hint)
    if python and wanted != data.dtype and wanted.kind in "iu" and data.dtype.kind in "iu" and data.size:
        bounds, low, high = np.iinfo(wanted), int(data.min()), int(data.max())
        if low < bounds.min or high > bounds.max:
            need = f"needs numbers that {wanted.name} can hold, but got {low if low < bounds.min else high}"
            fail(ArgumentError, "Tensor", need, {"value": value}, f"it holds {bounds.min} to {bounds.max}")


def _buffer(value: Any) -> bool:
    """Whether an object offers typed memory, such as an ``array.array`` or a memoryview."""
    if isinstance(value, (int, float, complex, list, tuple, str, bytes)):
        return False
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _stranger(value: Any) -> Any:
    """What in a nested list of Python objects is no number that an array can hold."""
    while isinstance(value, (list, tuple)):
        value = next((v for v in value if not isinstance(v, (int, float, complex)) or _too_large(v)), None)
    return value


def _stranger_hint(stranger: Any) -> str:
    """What to do about an object that is no number."""
    if _too_large(stranger):
        return "integers go from -2^63 to 2^64 - 1; a float can hold larger numbers"
    if stranger is None:
        return "a function gives None where it does not return anything"
    if isinstance(stranger, (str, bytes)):
        return "float(text) reads a number from a text"
    if isinstance(stranger, (dict, set, frozenset)) or hasattr(stranger, "__next__"):
        return "make a list of its numbers first"
    if hasattr(stranger, "__float__"):  # a Fraction, a Decimal
        return "float(value) is the nearest number that a tensor can hold"
    return "call it first, and pass its result" if callable(stranger) else ""


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
        return on_host(value._data)
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
        obj: a tensor, a NumPy array (or anything with ``__array__`` or the buffer protocol), a number, or nested
            lists of them.
        dtype: the element type; None keeps that of an array, and takes float32 for Python floats.
        device: ``"cpu"``, ``"cuda"`` or None: where ``obj`` is, or the CPU.
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
    if isinstance(obj, Tensor) and not copy and (dtype is None or dtypes.as_dtype(dtype) == obj._data.dtype):
        there = to_device(obj, device, "asarray")
        if there is not obj:
            _refuse_move(obj, copy)
        return there
    data = to_array(obj, dtype, copy=bool(copy))
    there = moved("asarray", data, device)
    if there is not data:
        _refuse_move(obj, copy)
        return make_tensor(there)
    if copy is False and not _shares(data, obj):
        hint = "leave copy out, so that it copies where it must"
        fail(ArgumentError, "asarray", "cannot share memory with this (copy=False)", {"obj": obj}, hint)
    return make_tensor(data)


def _shares(data: Any, obj: Any) -> bool:
    """Whether an array lies in the memory of what it was made of."""
    if isinstance(obj, Tensor) or type(data) is not np.ndarray:
        return data is obj
    return not data.size or np.may_share_memory(data, np.asarray(obj))


def _refuse_move(obj: Any, copy: bool | None) -> None:
    if copy is False:
        hint = "leave copy out, so that it copies where it must"
        fail(ArgumentError, "asarray", "cannot share memory between devices (copy=False)", {"obj": obj}, hint)


def created(operation: str, array: Any, device: str | None, requires_grad: bool = False) -> Tensor:
    """A tensor on ``device`` of an array that was computed with NumPy."""
    return finished(operation, moved(operation, np.asarray(array), device), requires_grad)


def finished(operation: str, data: Any, requires_grad: bool) -> Tensor:
    """A tensor on new ``data``, a leaf if it shall have a gradient."""
    tensor = make_tensor(data)
    if requires_grad:
        require_float(operation, tensor)
        graph.make_leaf(tensor)
    return tensor


def dtype_or_default(operation: str, dtype: dtypes.DTypeLike) -> Any:
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
    xp, sizes, kind = backend("zeros", device), shape_tuple("zeros", shape), dtype_or_default("zeros", dtype)
    return finished("zeros", xp.zeros(sizes, kind), requires_grad)


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
    xp, sizes, kind = backend("ones", device), shape_tuple("ones", shape), dtype_or_default("ones", dtype)
    return finished("ones", xp.full(sizes, 1, kind), requires_grad)


@checked_keywords
def empty(
    shape: Any,
    dtype: dtypes.DTypeLike = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``shape`` that holds whatever was in its memory; float32 unless ``dtype`` says otherwise.

    >>> empty((2, 3)).shape
    (2, 3)
    """
    xp, sizes, kind = backend("empty", device), shape_tuple("empty", shape), dtype_or_default("empty", dtype)
    return finished("empty", xp.empty(sizes, kind), requires_grad)


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

    Args:
        shape: the sizes of the axes.
        fill_value: a number, or what broadcasts to ``shape``.
        dtype: the element type.
        device: ``"cpu"``, ``"cuda"`` or None, which is where ``fill_value`` is.
        requires_grad: make the tensor a leaf.

    Raises:
        ShapeError: if ``fill_value`` does not broadcast.
        ArgumentError: if ``dtype`` cannot hold an integer.
        GradientError: for a ``fill_value`` whose gradient would be lost.

    >>> full((2,), 7)
    Tensor([7, 7], dtype=int64)
    """
    data = _filled("full", shape_tuple("full", shape), fill_value, dtype)
    return finished("full", moved("full", data, device), requires_grad)


def _filled(operation: str, sizes: tuple[int, ...], fill_value: Any, dtype: dtypes.DTypeLike) -> Any:
    """An array of ``sizes`` on the device of ``fill_value`` (numbers have none)."""
    if isinstance(fill_value, Tensor) and fill_value._node is not None and mode.enabled:
        hint = "broadcast_to(fill_value, shape) keeps the gradient; detach() says that it ends here"
        fail(GradientError, operation, "makes a new tensor without a gradient", {"fill_value": fill_value}, hint)
    value = as_tensor(operation, fill_value, "fill_value")._data
    pairs = zip(value.shape[::-1], sizes[::-1], strict=False)
    if value.ndim > len(sizes) or any(n not in (1, m) for n, m in pairs):
        hint = "one number fills any shape"
        fail(ShapeError, operation, f"needs a fill_value that broadcasts to shape {sizes}", {"fill_value": value}, hint)
    kind, xp = value.dtype if dtype is None else dtypes.as_dtype(dtype), namespaces[type(value)]
    # A Python number goes straight to its dtype: by way of float32 a float64 would lose digits.
    if type(fill_value) not in (int, float) and not (type(fill_value) is complex and kind.kind == "c"):
        return xp.asarray(xp.broadcast_to(xp.astype(value, kind), sizes), copy=True)
    return _number_everywhere(operation, xp, sizes, fill_value, kind)


def _number_everywhere(operation: str, xp: Any, sizes: tuple[int, ...], value: Any, kind: dtypes.DType) -> Any:
    try:
        return xp.full(sizes, value, kind)
    except OverflowError:
        fail(ArgumentError, operation, f"needs a number that {kind.name} can hold", {"fill_value": value})


@checked_keywords
def zeros_like(
    x: Any,
    /,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
    shape: Any = None,
) -> Tensor:
    """Zeros of the shape, dtype and device of ``x``; ``dtype`` and ``shape`` replace its own.

    >>> zeros_like(Tensor([1, 2]))
    Tensor([0, 0], dtype=int64)
    """
    xp, own, kind = _like("zeros_like", x, dtype, device)
    sizes = own if shape is None else shape_tuple("zeros_like", shape)
    return finished("zeros_like", xp.zeros(sizes, kind), requires_grad)


def _like(
    operation: str, x: Any, dtype: dtypes.DTypeLike, device: str | None
) -> tuple[Any, tuple[int, ...], dtypes.DType]:
    """The namespace, shape and dtype of a tensor that is made in the image of ``x``."""
    data = as_tensor(operation, x)._data
    xp = namespaces[type(data)] if device is None else backend(operation, device)
    return xp, data.shape, data.dtype if dtype is None else dtypes.as_dtype(dtype)


@checked_keywords
def ones_like(
    x: Any,
    /,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones of the shape, dtype and device of ``x``.

    >>> ones_like(Tensor([1, 2]))
    Tensor([1, 1], dtype=int64)
    """
    xp, sizes, kind = _like("ones_like", x, dtype, device)
    return finished("ones_like", xp.full(sizes, 1, kind), requires_grad)


@checked_keywords
def empty_like(
    x: Any,
    /,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of the shape, dtype and device of ``x`` that holds whatever was in its memory.

    >>> empty_like(Tensor([1, 2])).shape
    (2,)
    """
    xp, sizes, kind = _like("empty_like", x, dtype, device)
    return finished("empty_like", xp.empty(sizes, kind), requires_grad)


@checked_keywords
def full_like(
    x: Any,
    /,
    fill_value: complex,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The number ``fill_value`` everywhere, in the shape, dtype and device of ``x``.

    >>> full_like(Tensor([1.0, 2.0]), 7)
    Tensor([7., 7.])
    """
    value = fill_value if isinstance(fill_value, complex) else number("full_like", "fill_value", fill_value)
    xp, sizes, kind = _like("full_like", x, dtype, device)
    return finished("full_like", _number_everywhere("full_like", xp, sizes, value, kind), requires_grad)
