"""The element types in CUDA C++, and as ``struct`` packs them into kernel parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes

#: dtype -> what kernels call it (kernels/types.cuh).
C_NAMES: dict[Any, str] = {
    dtypes.bool_: "bool",
    **{np.dtype(f"{sign}int{bits}"): f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    dtypes.float16: "half",
    dtypes.float32: "float",
    dtypes.float64: "double",
    dtypes.complex64: "complex<float>",
    dtypes.complex128: "complex<double>",
}
FLOATS = (dtypes.float16, dtypes.float32, dtypes.float64)
COMPLEX = (dtypes.complex64, dtypes.complex128)
SIGNED = (dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64)
UNSIGNED = (dtypes.uint8, dtypes.uint16, dtypes.uint32, dtypes.uint64)
INTEGERS = (*SIGNED, *UNSIGNED)
REAL = (dtypes.bool_, *INTEGERS, *FLOATS)
ALL = (*REAL, *COMPLEX)

#: dtype -> the letters with which ``struct`` packs one element; a complex number is two numbers.
LETTERS: dict[Any, str] = {dtype: "?" if dtype.kind == "b" else dtype.char for dtype in REAL}
LETTERS.update({np.dtype(f"{sign}int{bits}"): letter for sign, letters in (("", "bhiq"), ("u", "BHIQ"))
                for bits, letter in zip((8, 16, 32, 64), letters, strict=True)})  # fmt: skip
LETTERS.update({dtypes.complex64: "ff", dtypes.complex128: "dd"})


def as_arguments(value: Any, dtype: Any) -> tuple[Any, ...]:
    """One element as the numbers that ``LETTERS[dtype]`` packs."""
    if dtype.kind == "c":
        value = complex(value)
        return (value.real, value.imag)
    return (dtype.type(value).item(),)


def element_bytes(value: Any, dtype: Any) -> bytes:
    """The bytes of one element.

    Raises:
        OverflowError: an integer that the dtype cannot hold.
    """
    if type(value) is int and dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        if not bounds.min <= value <= bounds.max:
            raise OverflowError(f"{value} does not fit into {dtype.name}")
    return np.asarray(value).astype(dtype).tobytes()
