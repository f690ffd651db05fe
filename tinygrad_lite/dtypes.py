"""Element types, and which type the result of mixing two has.

They are NumPy's ``dtype`` objects, so ``tinygrad_lite.float32``, ``numpy.float32`` and ``"float32"`` mean the
same. Promotion follows the Python array API standard, with PyTorch's two additions: an integer or bool with
a float gives that float's type, and Python floats are float32 where no float array decides.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite.errors import DTypeError, fail

__all__ = [
    "bool_",
    "complex64",
    "complex128",
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "result_type",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

DType: TypeAlias = "np.dtype[Any]"
DTypeLike: TypeAlias = Any  #: a dtype, a NumPy scalar type, a name such as ``"float32"``, or float, int, bool

bool_ = np.dtype("bool")
int8, int16, int32, int64 = (np.dtype(name) for name in ("int8", "int16", "int32", "int64"))
uint8, uint16, uint32, uint64 = (np.dtype(name) for name in ("uint8", "uint16", "uint32", "uint64"))
float16, float32, float64 = (np.dtype(name) for name in ("float16", "float32", "float64"))
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")

default_float = float32
default_int = int64
_PYTHON: dict[Any, DType] = {float: float32, int: int64, bool: bool_, complex: complex64}
_INTEGERS = (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
# Each maps to itself: NumPy may make equal dtype objects, but comparing identities is what hot paths do.
_SUPPORTED = {d: d for d in (bool_, *_INTEGERS, float16, float32, float64, complex64, complex128)}


def as_dtype(dtype: DTypeLike) -> DType:
    """The dtype object that ``dtype`` names; Python's float, int and bool are float32, int64 and bool.

    >>> as_dtype(float), as_dtype("int32")
    (dtype('float32'), dtype('int32'))
    """
    try:
        found = _PYTHON[dtype] if isinstance(dtype, type) and dtype in _PYTHON else np.dtype(dtype)
    except TypeError:
        fail(DTypeError, "dtype", f"needs the name of an element type, but got {dtype!r}")
    if found not in _SUPPORTED:
        names = "bool, int8..int64, uint8..uint64, float16..float64, complex64, complex128"
        fail(DTypeError, "dtype", f"needs one of {names}, but got {found.name}")
    return _SUPPORTED[found]


def is_name(text: str) -> bool:
    """Whether a word names an element type (and not, say, a device).

    >>> is_name("float32"), is_name("cuda")
    (True, False)
    """
    try:
        np.dtype(text)
    except TypeError:
        return False
    return True


def is_float(dtype: DType) -> bool:
    """Whether ``dtype`` is one that derivatives exist for: float16, float32 or float64."""
    return dtype.kind == "f"


def result_type(*operands: Any) -> DType:
    """The dtype of an operation on tensors, arrays, dtypes and Python numbers.

    >>> result_type(float16, "int64"), result_type(float32, float64), result_type(int8, uint8), result_type(int8, 1.0)
    (dtype('float16'), dtype('float64'), dtype('int16'), dtype('float32'))
    """
    numbers = [x for x in operands if type(x) in (bool, int, float, complex)]
    kinds = [
        x.dtype if isinstance(getattr(x, "dtype", None), np.dtype) else as_dtype(x)
        for x in operands
        if type(x) not in (bool, int, float, complex)
    ]
    if not kinds:
        kinds = [as_dtype(type(x)) for x in numbers[:1]] or [default_float]
    found = kinds[0]
    for kind in kinds[1:]:
        found = promote(found, kind)
    for number in numbers:
        found = with_number(found, number)
    return found


def promote(first: DType, second: DType) -> DType:
    """The dtype of an operation on two arrays."""
    if first == second:
        return first
    if first.kind in "fc" and second.kind in "biu":
        return first
    if second.kind in "fc" and first.kind in "biu":
        return second
    return np.promote_types(first, second)


def with_number(dtype: DType, number: complex) -> DType:
    """The dtype of an operation on an array of ``dtype`` and a Python number, which is weak.

    >>> with_number(float16, 2.5), with_number(int64, 2.5), with_number(bool_, 2)
    (dtype('float16'), dtype('float32'), dtype('int64'))
    """
    kind = type(number)
    if kind is bool or dtype.kind == "c" or (dtype.kind == "f" and kind is not complex):
        return dtype
    if kind is int:
        return default_int if dtype.kind == "b" else dtype
    if kind is complex:
        return complex128 if dtype == float64 else complex64
    return default_float
