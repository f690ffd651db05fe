"""Element types, and which type the result of mixing two has.

They are NumPy's ``dtype`` objects, so ``tinygrad_lite.float32``, ``numpy.float32`` and ``"float32"`` mean the
same. Promotion follows the Python array API standard, with PyTorch's two additions: an integer or bool with
a float gives that float's type, and Python floats are float32 where no float array decides.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.errors import ArgumentError, DTypeError, fail

__all__ = [
    "bool_",
    "can_cast",
    "complex64",
    "complex128",
    "finfo",
    "float16",
    "float32",
    "float64",
    "iinfo",
    "int8",
    "int16",
    "int32",
    "int64",
    "isdtype",
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
default_complex = complex64
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
    except (TypeError, ValueError):
        found = None
    if found is None or dtype is None:
        fail(DTypeError, "dtype", f"needs the name of an element type, but got {dtype!r}", {}, _type_hint(dtype))
    if found not in _SUPPORTED:
        names = "bool, int8..int64, uint8..uint64, float16..float64, complex64, complex128"
        fail(DTypeError, "dtype", f"needs one of {names}, but got {found.name}", {}, _type_hint(found.name))
    return _SUPPORTED[found]


def _type_hint(dtype: Any) -> str:
    """The element type that is meant by a misspelt name or by another library's."""
    from difflib import get_close_matches

    word = str(dtype).rpartition(".")[2].lower()
    if word in ("cpu", "gpu") or word.startswith("cuda"):
        return f'devices have a keyword of their own: device="{word}"'
    alike = get_close_matches(word, [kind.name for kind in _SUPPORTED], 1)
    return f'"{alike[0]}"' if alike else 'such as "float32", "int64" or "bool"'


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


def dtype_of(operand: Any) -> DType:
    """The element type of a tensor or an array, or the one that is meant by a dtype or its name."""
    held = getattr(operand, "dtype", None)
    return held if isinstance(held, np.dtype) and held in _SUPPORTED else as_dtype(operand)


# --- the standard's functions on dtypes -----------------------------------------------------------------


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype of an operation on tensors, arrays, dtypes and Python numbers, which are weak.

    Raises:
        ArgumentError: without any operand.

    >>> result_type(float16, "int64"), result_type(float32, float64), result_type(int8, uint8), result_type(int8, 1.0)
    (dtype('float16'), dtype('float64'), dtype('int16'), dtype('float32'))
    """
    numbers = [x for x in arrays_and_dtypes if type(x) in (bool, int, float, complex)]
    kinds = [dtype_of(x) for x in arrays_and_dtypes if type(x) not in (bool, int, float, complex)]
    if not kinds:
        if not numbers:
            fail(ArgumentError, "result_type", "needs at least one array, dtype or number")
        kinds = [as_dtype(type(numbers[0]))]
    found = kinds[0]
    for kind in kinds[1:]:
        found = promote(found, kind)
    for number in numbers:
        found = with_number(found, number)
    return found


def can_cast(from_: Any, to: DTypeLike, /) -> bool:
    """Whether the promotion of ``from_`` (a dtype or an array) and ``to`` is ``to``: nothing larger is needed.

    >>> can_cast(int8, int16), can_cast(int16, int8), can_cast(int64, float32), can_cast(float32, int64)
    (True, False, True, False)
    """
    wanted = as_dtype(to)
    return promote(dtype_of(from_), wanted) == wanted


class FloatInfo(NamedTuple):
    """The limits of a floating-point dtype; of a complex one, those of its real and imaginary parts.

    Attributes:
        bits: the bits of one number.
        eps: the distance from 1 to the next larger number.
        max: the largest number.
        min: the smallest, which is ``-max``.
        smallest_normal: the smallest positive number of full precision.
        dtype: the real dtype that this is about.
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


class IntegerInfo(NamedTuple):
    """The limits of an integer dtype: its bits, and the largest and smallest number it can hold."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(type: Any, /) -> FloatInfo:
    """The limits of a floating-point or complex dtype, or of that of an array.

    Raises:
        DTypeError: for integers and bools.

    >>> finfo(float32).eps, finfo(complex64).dtype
    (1.1920928955078125e-07, dtype('float32'))
    """
    dtype = dtype_of(type)
    if dtype.kind not in "fc":
        fail(DTypeError, "finfo", f"needs a floating-point dtype, but got {dtype.name}", {}, "iinfo is for integers")
    limits = np.finfo(dtype)
    eps, largest, least, normal = (float(n) for n in (limits.eps, limits.max, limits.min, limits.smallest_normal))
    return FloatInfo(int(limits.bits), eps, largest, least, normal, as_dtype(limits.dtype))


def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of an integer dtype, or of that of an array.

    Raises:
        DTypeError: for floats, complex numbers and bools.

    >>> iinfo(int8).max, iinfo(uint16).bits
    (127, 16)
    """
    dtype = dtype_of(type)
    if dtype.kind not in "iu":
        fail(DTypeError, "iinfo", f"needs an integer dtype, but got {dtype.name}", {}, "finfo is for floats")
    limits = np.iinfo(dtype)
    return IntegerInfo(int(limits.bits), int(limits.max), int(limits.min), dtype)


#: what ``isdtype`` calls the kinds, as the letters of NumPy's ``dtype.kind``
_KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


def isdtype(dtype: DTypeLike, kind: Any) -> bool:
    """Whether ``dtype`` is of a kind.

    Args:
        dtype: an element type.
        kind: a dtype; one of ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``,
            ``"real floating"``, ``"complex floating"``, ``"numeric"``; or a tuple of these, any of which may fit.

    Raises:
        ArgumentError: for the name of no kind.

    >>> isdtype(float32, "real floating"), isdtype(int8, (float32, "integral")), isdtype(bool_, "numeric")
    (True, True, False)
    """
    found = as_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(found, one) for one in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return found.kind in _KINDS[kind]
    if isinstance(kind, str) and not is_name(kind):
        fail(ArgumentError, "isdtype", f"knows the kinds {', '.join(_KINDS)}, but got {kind!r}")
    return found == as_dtype(kind)


# --- promotion --------------------------------------------------------------------------------------------


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
