"""Indices out of range that only a kernel sees: written down on the way, raised when the processor next waits.

A kernel that meets one neither reads nor writes there, and the GPU goes on (kernels/fault.cuh). The first is kept in a
few bytes of page-locked memory, which both sides see. Whenever the processor has waited for the GPU it looks there, and
raises the error. With ``TINYGRAD_LITE_CUDA_SYNC=1`` it waits after every call that reads indices.
"""

from __future__ import annotations

import os
import struct
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import driver
from tinygrad_lite.errors import ArgumentError, Error, IndexingError, fail

AT_ONCE = os.environ.get("TINYGRAD_LITE_CUDA_SYNC", "0") != "0"

_FAULT = struct.Struct("IIqqq")
_names: list[str] = []
_memory: Any = None
_address = 0


def operation(name: str) -> int:
    """The number by which kernels know a function; the same name has the same number.

    >>> operation("take") == operation("take")
    True
    """
    if name not in _names:
        _names.append(name)
    return _names.index(name)


def address() -> int:
    """Where kernels write a fault down: the ``Fault*`` that they are given."""
    return _address or _set_up()


def _set_up() -> int:
    global _memory, _address
    driver.current()
    import pycuda.driver as cuda

    _memory = cuda.pagelocked_empty(_FAULT.size, np.uint8, mem_flags=cuda.host_alloc_flags.DEVICEMAP)
    _memory[:] = 0
    _address = int(_memory.base.get_device_pointer())
    return _address


@driver.at_close
def _forget() -> None:
    global _memory, _address
    driver.let_go(_memory)
    _memory, _address = None, 0


def settle() -> None:
    """Called after launching what checks indices: waits, if errors are wanted at once."""
    if AT_ONCE and driver.recorder is None:
        driver.current().synchronize()


def check() -> None:
    """Raise what kernels have written down since the last look; the GPU must have been waited for.

    Raises:
        IndexingError: an index was out of range.
        ArgumentError: a class number was.
    """
    if _memory is None or not _memory[0]:
        return
    _, number, axis, index, size = _FAULT.unpack(_memory.tobytes())
    _memory[:] = 0
    kind: type[Error] = IndexingError
    need = f"needs indices from {-size} to {size - 1} along axis {axis}, but met {index}"
    if axis < 0:
        kind = ArgumentError  # as on the CPU
        need = f"needs class numbers from 0 to {size - 1}, but met {index}"
    hint = "" if AT_ONCE else "the GPU met it some calls ago; TINYGRAD_LITE_CUDA_SYNC=1 raises at the very call"
    fail(kind, _names[number], need, hint=hint)


driver.checks.append(check)
