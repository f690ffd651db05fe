"""Between arrays on the GPU and page-locked memory of the processor, which the GPU reads and writes while both go on.

Copies down have a stream of their own: each waits, on the GPU, for everything that was launched before it, and nothing
that is launched afterwards waits for it. Copies up stand in the order of the compute stream, like everything else.

Page-locking takes long, so memory that no array uses any more is kept and lent again. It may be while a copy from it is
still to come: a copy down is ordered behind that one, and who writes there with the processor waits in ``settle``.
"""

from __future__ import annotations

import contextlib
import functools
import math
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import driver, memory
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous


class _Buffer:
    """Page-locked memory, and the event behind the last copy from or to it."""

    def __init__(self, size: int) -> None:
        import pycuda.driver as cuda

        self.size = size
        self.memory: Any = cuda.pagelocked_empty(size, np.uint8)
        self.event: Any = cuda.Event(cuda.event_flags.DISABLE_TIMING)


_buffers: list[_Buffer] = []  # all that there are
_free: dict[int, list[_Buffer]] = {}


class _Loan:
    """A buffer that is lent to the NumPy array whose ``base`` this is, and to that array's views."""

    def __init__(self, buffer: _Buffer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.buffer = buffer
        place = buffer.memory.ctypes.data
        self.__array_interface__ = {"shape": shape, "typestr": dtype.str, "data": (place, False), "version": 3}

    def __del__(self) -> None:
        _free[self.buffer.size].append(self.buffer)  # on any thread


class Copy:
    """A copy down that is under way."""

    def __init__(self, source: CudaArray, event: Any) -> None:
        self._source, self._event = source, event  # the source, so that nothing else gets its memory

    @driver.reported
    def done(self) -> bool:
        """Whether all of it has arrived; does not wait."""
        found: bool = self._event.query()
        return found

    @driver.reported
    def wait(self) -> None:
        """Wait until all of it has arrived, and raise what went wrong on the GPU before."""
        self._event.synchronize()
        for check in driver.checks:
            check()


@functools.cache
def _down() -> tuple[Any, Any]:
    """The stream of the copies down, and the event for which it waits next."""
    import pycuda.driver as cuda

    return cuda.Stream(1), cuda.Event(cuda.event_flags.DISABLE_TIMING)  # 1: non-blocking, see driver.py


@driver.at_close
def _forget() -> None:
    if _buffers:
        stream, ready = _down()
        with contextlib.suppress(Exception):  # a broken context copies nothing any more
            stream.synchronize()
        driver.let_go(stream)
        driver.let_go(ready)
        _down.cache_clear()
    for buffer in _buffers:  # an array that is left may know the buffer, but not own what is the driver's
        driver.let_go(buffer.memory)
        driver.let_go(buffer.event)
        buffer.memory = buffer.event = None
    _buffers.clear()


@driver.reported
def pinned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """An array in page-locked memory, with undefined content: for ``copy_down``; to write there, ``settle`` first."""
    driver.current()
    size = memory.round_up(max(math.prod(shape) * dtype.itemsize, memory.SMALLEST))
    free = _free.setdefault(size, [])
    if not free:
        buffer = _Buffer(size)
        _buffers.append(buffer)
        free.append(buffer)
    return np.asarray(_Loan(free.pop(), shape, dtype))


@driver.reported
def settle(array: np.ndarray[Any, Any]) -> None:
    """Wait until no copy from or to this array of ``pinned`` is under way."""
    _event(array).synchronize()


@driver.reported
def copy_down(source: CudaArray, target: np.ndarray[Any, Any]) -> Copy:
    """Start to copy into an array of ``pinned``, of the same size and dtype.

    Raises:
        DeviceError: a step is being recorded.
    """
    import pycuda.driver as cuda

    driver.refuse_recording("reads a value", "return the tensor, and read it after the step")
    source, event = contiguous(source), _event(target)
    if source.size:
        stream, ready = _down()
        ready.record(driver.current().stream)
        stream.wait_for_event(ready)
        cuda.memcpy_dtoh_async(target, source.address, stream)
        event.record(stream)
    return Copy(source, event)


@driver.reported
def copy_up(source: np.ndarray[Any, Any], target: CudaArray) -> None:
    """Copy an array of ``pinned`` into a contiguous one of the same size and dtype, in the order of the stream.

    Raises:
        DeviceError: a step is being recorded.
    """
    import pycuda.driver as cuda

    driver.refuse_recording(
        "needs numbers from the processor's memory", "make the tensor before, or pass it to the step"
    )
    if source.size:
        stream = driver.current().stream
        cuda.memcpy_htod_async(target.address, source, stream)
        _event(source).record(stream)


def _event(array: np.ndarray[Any, Any]) -> Any:
    loan: Any = array.base
    return loan.buffer.event
