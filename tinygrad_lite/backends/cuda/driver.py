"""The driver: PyCUDA, loaded when a GPU is first asked for; one primary context, one compute stream, an ordered end.

Everything happens on the thread that asks first, because the driver's objects belong to the thread that made them.
The primary context is shared with other libraries in the process (PyTorch, CuPy, a CUDA-aware MPI). At exit the pools
are emptied before the modules, and those before the context: an exception cannot leave the stack of contexts full,
on which the driver layer would abort the process.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from tinygrad_lite.errors import ArgumentError, DependencyError, DeviceError, LaunchError, fail

F = TypeVar("F", bound=Callable[..., Any])

SUCCESS_HINT = 'device="cpu" computes the same'


class Device:
    """The GPU in use.

    Attributes:
        number: which one, as the driver counts them.
        name: the product's name.
        capability: the compute capability, such as (9, 0).
        arch: what nvcc compiles for, such as ``"sm_90a"``.
        multiprocessors: how many streaming multiprocessors it has.
        memory: bytes in all.
        stream: the one compute stream; everything is ordered by it.
        handle: of the stream, an int.
        thread: the thread to which all of this belongs.
    """

    def __init__(self, cuda: Any, number: int) -> None:
        device = cuda.Device(number)
        self.number, self.name = number, str(device.name())
        self.capability: tuple[int, int] = device.compute_capability()
        # Only the architecture-specific target has Hopper's own instructions, and it runs on nothing else.
        suffix = "a" if self.capability == (9, 0) else ""
        self.arch = "sm_{}{}".format(*self.capability) + suffix
        self.multiprocessors: int = device.get_attribute(cuda.device_attribute.MULTIPROCESSOR_COUNT)
        self.memory: int = device.total_memory()
        self.thread = threading.get_ident()
        self._context = device.retain_primary_context()
        self._context.push()
        # Registered before anything that could fail, or the process would abort at exit.
        atexit.register(self._close)
        self.stream = cuda.Stream(1)  # non-blocking: the legacy stream, which others may use, does not wait for it
        self.handle = int(self.stream.handle)

    def synchronize(self) -> None:
        """Wait until everything that was launched has run, and raise what went wrong in it."""
        _wait(self.stream)
        for check in checks:
            check()

    def _close(self) -> None:
        """Give back memory, modules, stream and context, in this order."""
        global _device, _closed, _broken
        _closed, _device = True, None
        try:
            self.stream.synchronize()
        except Exception:
            _broken = True
        for release in reversed(_at_close):
            release()
        let_go(self.stream)
        del self.stream
        self._context.pop()
        let_go(self._context)
        if not _broken:
            self._context.detach()


_device: Device | None = None
_closed = False
_broken = False  # whether a failed kernel has left a context that refuses everything
_wanted: int | None = None  # the number that select() asked for
_at_close: list[Callable[[], None]] = []
recorder: Any = None  #: notes the memory that is used while launches are written down, for a graph, instead of run
checks: list[Callable[[], None]] = []  #: what to look at whenever the processor has waited for the GPU


def at_close(release: Callable[[], None]) -> Callable[[], None]:
    """Register what gives resources back before the context goes; the last registered runs first."""
    _at_close.append(release)
    return release


def let_go(resource: Any) -> None:
    """Before the last reference to one of the driver layer's objects is dropped at the end.

    In a broken context nothing can be given back, and trying prints a complaint for each: the process is about to end,
    and takes everything with it.
    """
    if _broken:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(resource))


def reported(function: F) -> F:
    """A function of this backend in which what the driver refuses becomes an error of ours."""

    @functools.wraps(function)
    def reporting(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if not type(error).__module__.startswith("pycuda"):
                raise
            refused = error
        hint = "an earlier kernel has failed, and the GPU's context with it: the process must be started anew"
        fail(LaunchError, "cuda", f"cannot go on: {reason(refused)}", hint=hint)

    return reporting  # type: ignore[return-value]


@reported
def _wait(stream: Any) -> None:
    stream.synchronize()


def current() -> Device:
    """The device in use; the first call sets it up.

    Raises:
        DependencyError: PyCUDA is missing.
        DeviceError: there is no driver or no GPU, or this is not the thread that the GPU belongs to.
    """
    found = _device
    if found is None:
        return _set_up()
    if threading.get_ident() != found.thread:
        hint = "compute on one thread; other threads may prepare arrays on the cpu"
        fail(DeviceError, "cuda", "belongs to the thread that used it first", hint=hint)
    return found


def select(number: int) -> None:
    """Choose which GPU to use, before the first one is used.

    Raises:
        ArgumentError: another one is in use already, or there is no such GPU.
    """
    global _wanted
    if type(number) is not int or number < 0:
        fail(ArgumentError, "cuda.set_device", f"needs the number of a GPU, counted from 0, but got {number!r}")
    if _device is not None and _device.number != number:
        hint = "choose before the first tensor is made there; CUDA_VISIBLE_DEVICES also chooses"
        fail(ArgumentError, "cuda.set_device", f"cannot leave GPU {_device.number}, which is in use", hint=hint)
    _wanted = number


def load() -> Any:
    """``pycuda.driver``, initialised.

    Raises:
        DependencyError: PyCUDA is not installed.
        DeviceError: there is no driver, or it does not start.
    """
    try:
        # Some builds of the extension do not name the driver library that they need.
        ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        hint = f"install NVIDIA's driver, which brings libcuda.so.1; {SUCCESS_HINT}"
        fail(DeviceError, "cuda", "needs NVIDIA's driver, and there is none on this machine", hint=hint)
    try:
        import pycuda.driver as cuda
    except ImportError as error:
        hint = f"pip install 'tinygrad_lite[cuda]'; {SUCCESS_HINT}"
        fail(DependencyError, "cuda", f"needs PyCUDA, which does not load here ({error})", hint=hint)
    try:
        cuda.init()
    except cuda.Error as error:
        fail(DeviceError, "cuda", f"needs a GPU, but the driver says: {reason(error)}", hint=SUCCESS_HINT)
    return cuda


def reason(error: Exception) -> str:
    """What the driver says, without the name of its function: ``"no CUDA-capable device is detected"``."""
    return str(error).partition("failed: ")[2] or str(error)


def _set_up() -> Device:
    global _device
    if _closed:
        fail(DeviceError, "cuda", "was given back, because the process is ending")
    cuda = load()
    count = cuda.Device.count()
    number = _wanted if _wanted is not None else int(os.environ.get("TINYGRAD_LITE_CUDA_DEVICE", "0"))
    if number >= count:
        need = f"needs GPU {number}, but this machine has {count} {'GPU' if count == 1 else 'GPUs'}"
        fail(DeviceError, "cuda", need, hint="they are counted from 0; CUDA_VISIBLE_DEVICES may hide some")
    try:
        _device = Device(cuda, number)
    except cuda.Error as error:
        fail(DeviceError, "cuda", f"cannot use GPU {number}: {reason(error)}", hint=SUCCESS_HINT)
    return _device
