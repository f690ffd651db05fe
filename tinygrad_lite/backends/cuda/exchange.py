"""Device memory from and to other libraries without a copy: DLPack (https://dmlc.github.io/dlpack) and the CUDA array
interface.

DLPack hands over a C structure in a capsule. Whoever consumes it renames the capsule and calls the structure's deleter
when it is done; until then the array is kept here.
"""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import driver, layout
from tinygrad_lite.backends.cuda.array import CudaArray, over

CUDA_KIND = 2  #: kDLCUDA
_READ_ONLY = 1  # the flag of a versioned capsule
_CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}  # DLDataTypeCode
_KINDS = {code: kind for kind, code in _CODES.items()}
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


_NAMES = {False: b"dltensor", True: b"dltensor_versioned"}

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


@_Deleter
def _delete(address: Any) -> None:
    _let_go(_Managed.from_address(address).context)


@_Deleter
def _delete_versioned(address: Any) -> None:
    _let_go(_Versioned.from_address(address).context)


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _destroy(capsule: Any) -> None:
    """A capsule that nobody consumed."""
    for versioned, name in _NAMES.items():
        if _is_valid(capsule, name):
            kind = _Versioned if versioned else _Managed
            _let_go(kind.from_address(_pointer(capsule, name)).context)


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
    managed.deleter = _delete_versioned if versioned else _delete
    if versioned:
        managed.major, managed.minor, managed.flags = 1, 0, _READ_ONLY
    _exported[number] = (array, managed, shape, strides)
    return _capsule_new(ctypes.addressof(managed), _NAMES[versioned], ctypes.cast(_destroy, ctypes.c_void_p))


# --- in -----------------------------------------------------------------------------------------------------


class _Borrowed:
    """Somebody else's memory, which is given back when the last array over it is gone."""

    size = nbytes = 0  # it is not counted as ours

    def __init__(self, managed: Any, address: int) -> None:
        self._managed, self._address = managed, address

    def __del__(self) -> None:
        if self._managed.deleter:
            self._managed.deleter(self._address)


def from_dlpack(x: Any) -> CudaArray:
    """An array over the memory of whatever has ``__dlpack__`` and lies on this GPU.

    Raises:
        BufferError: it lies on another GPU, or is of a kind that cannot be taken.
    """
    handle = driver.current().handle
    try:
        capsule = x.__dlpack__(stream=handle, max_version=(1, 0))
    except TypeError:  # a library that knows version 0 alone
        capsule = x.__dlpack__(stream=handle)
    held = id(capsule)
    versioned = bool(_is_valid(held, _NAMES[True]))
    if not versioned and not _is_valid(held, _NAMES[False]):
        raise BufferError("the capsule was consumed before, or is none of DLPack's")
    address = _pointer(held, _NAMES[versioned])
    managed: Any = (_Versioned if versioned else _Managed).from_address(address)
    tensor = managed.tensor
    kind = _KINDS.get(tensor.code)
    if tensor.device_kind != CUDA_KIND or tensor.device_number != driver.current().number:
        raise BufferError(f"it lies on device ({tensor.device_kind}, {tensor.device_number})")
    if kind is None or tensor.lanes != 1 or (tensor.bits not in (8, 16, 32, 64, 128)):
        raise BufferError(f"elements of kind {tensor.code} with {tensor.bits} bits are unknown")
    _rename(held, b"used_" + _NAMES[versioned])
    dtype = np.dtype(np.bool_) if kind == "b" else np.dtype(f"{kind}{tensor.bits // 8}")
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    strides = tuple(tensor.strides[i] for i in range(tensor.ndim)) if tensor.strides else layout.row_major(shape)
    return over(_Borrowed(managed, address), (tensor.data or 0) + tensor.byte_offset, shape, strides, dtype)


class _Lender:
    """The object behind a CUDA array interface, kept alive by the arrays over its memory."""

    size = nbytes = 0

    def __init__(self, owner: Any) -> None:
        self.owner = owner


def from_interface(x: Any) -> CudaArray:
    """An array over the memory of whatever has ``__cuda_array_interface__``.

    Raises:
        BufferError: strides that are no multiples of the element, or a mask.
    """
    described = x.__cuda_array_interface__
    dtype = np.dtype(np.dtype(described["typestr"]).type)
    shape = tuple(described["shape"])
    if described.get("mask") is not None:
        raise BufferError("it has a mask")
    stream = described.get("stream")
    if stream is not None and stream != driver.current().handle:
        import pycuda.driver as cuda

        cuda.Context.synchronize()  # whoever made it may still be writing
    strides = described.get("strides")
    if strides is None:
        steps = layout.row_major(shape)
    elif any(s % dtype.itemsize for s in strides):
        raise BufferError("its strides are no multiples of its elements")
    else:
        steps = tuple(s // dtype.itemsize for s in strides)
    return over(_Lender(x), described["data"][0], shape, steps, dtype)
