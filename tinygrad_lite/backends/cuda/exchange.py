"""Device memory from and to other libraries without a copy: DLPack (https://dmlc.github.io/dlpack) and the CUDA array
interface.

DLPack hands over a C structure in a capsule. Whoever consumes it renames the capsule and calls the structure's deleter
when it is done; until then the array is kept here.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import driver, layout, memory, types
from tinygrad_lite.backends.cuda.array import CudaArray, over

CUDA_KIND = 2  #: kDLCUDA
_READ_ONLY = 1  # the flag of a versioned capsule
_CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}  # DLDataTypeCode
_DTYPES = {(_CODES[dtype.kind], 8 * dtype.itemsize): dtype for dtype in types.ALL}
_NO_SYNC = -1  # the consumer's word that it will wait by itself


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_kind", ctypes.c_int32),
        ("device_number", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]


class _Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", _Deleter),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


# A capsule keeps the address of its name, so these must stay.
_NAMES = {False: b"dltensor", True: b"dltensor_versioned"}
_USED = {False: b"used_dltensor", True: b"used_dltensor_versioned"}

# Capsules are asked by address, because the destructor sees one that has no references any more.
_api = ctypes.pythonapi
_capsule_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", _api)
)
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", _api))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", _api))
_rename = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_SetName", _api))

_exported: dict[int, Any] = {}  # number -> what must live until the consumer is done
_numbers = itertools.count(1)


def _let_go(number: int | None) -> None:
    _exported.pop(number or 0, None)


def _deleter_of(kind: Any) -> Any:
    def delete(address: Any) -> None:
        driver.finish()  # the consumer's stream may not be done
        _let_go(kind.from_address(address).context)

    return _Deleter(delete)


_DELETERS = {False: _deleter_of(_Managed), True: _deleter_of(_Versioned)}


def _destroy(capsule: Any) -> None:
    """A capsule that nobody consumed."""
    for versioned, name in _NAMES.items():
        if _is_valid(capsule, name):
            kind = _Versioned if versioned else _Managed
            _let_go(kind.from_address(_pointer(capsule, name)).context)


_DESTRUCTOR = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(_destroy)

# --- out ----------------------------------------------------------------------------------------------------


def export(array: CudaArray, stream: int | None, versioned: bool) -> Any:
    """The capsule for ``array.__dlpack__()``.

    Args:
        array: it stays alive for as long as the consumer wants.
        stream: the consumer's, by which it may read at once; -1 says that it waits by itself.
        versioned: whether the consumer knows version 1, in which memory can be marked as read-only.
    """
    if stream != _NO_SYNC:
        driver.current().synchronize()
    managed: Any = _Versioned() if versioned else _Managed()
    shape, strides = (ctypes.c_int64 * array.ndim)(*array.shape), (ctypes.c_int64 * array.ndim)(*array.strides)
    tensor = managed.tensor
    tensor.data, tensor.device_kind, tensor.device_number = array.address, CUDA_KIND, driver.current().number
    tensor.ndim, tensor.shape, tensor.strides = array.ndim, shape, strides
    tensor.code, tensor.bits, tensor.lanes = _CODES[array.dtype.kind], 8 * array.itemsize, 1
    managed.context = number = next(_numbers)
    managed.deleter = _DELETERS[versioned]
    if versioned:
        managed.major, managed.minor, managed.flags = 1, 0, _READ_ONLY
    _exported[number] = (array, managed, shape, strides)
    return _capsule_new(ctypes.addressof(managed), _NAMES[versioned], ctypes.cast(_DESTRUCTOR, ctypes.c_void_p))


# --- in -----------------------------------------------------------------------------------------------------


def from_dlpack(x: Any) -> CudaArray:
    """An array over the memory of whatever has ``__dlpack__`` and lies on this GPU.

    Raises:
        BufferError: it lies on another GPU, or is of a kind that cannot be taken.
    """
    used = driver.current()
    try:
        capsule = x.__dlpack__(stream=used.handle, max_version=(1, 0))
    except TypeError:  # a library that knows version 0 alone
        capsule = x.__dlpack__(stream=used.handle)
    held = id(capsule)
    versioned = bool(_is_valid(held, _NAMES[True]))
    if not versioned and not _is_valid(held, _NAMES[False]):
        raise BufferError("the capsule was consumed before, or is none of DLPack's")
    address = _pointer(held, _NAMES[versioned])
    managed: Any = (_Versioned if versioned else _Managed).from_address(address)
    if versioned and managed.major != 1:
        raise BufferError(f"it is of version {managed.major} of DLPack, which is unknown")
    tensor = managed.tensor
    if tensor.device_kind != CUDA_KIND or tensor.device_number != used.number:
        raise BufferError(f"it lies on device ({tensor.device_kind}, {tensor.device_number})")
    dtype = _DTYPES.get((tensor.code, tensor.bits))
    if dtype is None or tensor.lanes != 1:
        raise BufferError(f"elements of kind {tensor.code} with {tensor.bits} bits are unknown")
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    strides = tuple(tensor.strides[i] for i in range(tensor.ndim)) if tensor.strides else layout.row_major(shape)
    first = _aligned((tensor.data or 0) + tensor.byte_offset, dtype)
    _rename(held, _USED[versioned])

    def give_back() -> None:
        if managed.deleter:
            managed.deleter(address)

    return _borrowed(first, shape, strides, dtype, give_back)


def from_interface(x: Any) -> CudaArray:
    """An array over the memory of whatever has ``__cuda_array_interface__``.

    Raises:
        BufferError: elements of an unknown kind, strides that are no multiples of them, or a mask.
    """
    used = driver.current()
    described = x.__cuda_array_interface__
    dtype = np.dtype(described["typestr"])
    if dtype not in types.C_NAMES:
        raise BufferError(f"elements of kind {described['typestr']} are unknown")
    shape = tuple(described["shape"])
    if described.get("mask") is not None:
        raise BufferError("it has a mask")
    strides = described.get("strides")
    if strides is None:
        steps = layout.row_major(shape)
    elif any(s % dtype.itemsize for s in strides):
        raise BufferError("its strides are no multiples of its elements")
    else:
        steps = tuple(s // dtype.itemsize for s in strides)
    first = _aligned(described["data"][0], dtype)
    if described.get("stream") not in (None, used.handle):
        driver.refuse_recording("waits for another library's stream", "take the array before the step")
        driver.finish()  # whoever made it may still be writing

    owner: list[Any] = [x]  # kept alive by the arrays over its memory
    return _borrowed(first, shape, steps, dtype, owner.clear)


def _aligned(address: int, dtype: Any) -> int:
    if address % dtype.itemsize:
        raise BufferError(f"its address {address:#x} is no multiple of its elements")
    return address


def _borrowed(address: int, shape: Any, strides: Any, dtype: Any, give_back: Callable[[], object]) -> CudaArray:
    """An array over somebody else's memory, which is given back when the last array over it is gone."""
    reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)] if 0 not in shape else [0]
    first = address + dtype.itemsize * sum(min(step, 0) for step in reach)
    last = address + dtype.itemsize * (sum(max(step, 0) for step in reach) + 1) - 1
    return over(memory.Borrowed(first, last, give_back), address, shape, strides, dtype)
