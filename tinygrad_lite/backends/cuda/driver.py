"""The driver: PyCUDA, loaded when a GPU is first asked for; one primary context, one compute stream, an ordered end.

Everything happens on the main thread, because the driver's objects belong to the thread that made them, and the driver
layer aborts the process if that thread ends before they do. The primary context is shared with other libraries in the
process (PyTorch, CuPy, a CUDA-aware MPI). At exit all is given back in order, the context last and whatever happens,
since a context that is left behind aborts the process too.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

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
        try:
            self.stream = cuda.Stream(1)  # non-blocking: the legacy stream, which others may use, does not wait for it
        except BaseException:
            self._leave()
            raise
        self.handle = int(self.stream.handle)
        atexit.register(self._close)

    def synchronize(self) -> None:
        """Wait until everything that was launched has run, and raise what went wrong in it.

        Raises:
            DeviceError: a step is being recorded, in which there is nothing to wait for.
        """
        refuse_recording("waits for the GPU", "wait after the step")
        _wait(self.stream)
        for check in checks:
            check()

    def finish(self) -> None:
        """Wait for all work in the context; ctypes can do it on a thread that the driver layer knows nothing of."""
        library().cuCtxPushCurrent_v2(ctypes.c_void_p(self._context.handle))
        library().cuCtxSynchronize()
        library().cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))

    def _close(self) -> None:
        """Give back graphs, modules, memory, stream and context."""
        global _device, _closed, _broken
        _closed, _device = True, None
        try:
            self.stream.synchronize()
        except Exception:
            _broken = True
        try:
            for release in reversed(_at_close):
                release()
        finally:
            let_go(self.stream)
            del self.stream
            self._leave()

    def _leave(self) -> None:
        let_go(self._context)
        try:
            self._context.pop()
        except Exception:  # in a broken context; this takes it off the stack without asking the driver's leave
            self._context.detach()
        if not _broken:
            self._context.detach()


_device: Device | None = None
_closed = False
_broken = False  # whether a failed kernel, or a fork, has left a context that refuses everything
_forked = False  # whether this process inherited a GPU from another, which has it
_wanted: int | None = None  # the number that select() asked for
_at_close: list[Callable[[], None]] = []
recorder: Any = None  #: notes the memory that is used while launches are written down, for a graph, instead of run
checks: list[Callable[[], None]] = []  #: what to look at whenever the processor has waited for the GPU


@functools.cache
def library() -> Any:
    """The driver's functions that PyCUDA does not offer, through ctypes."""
    return ctypes.CDLL("libcuda.so.1")


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
        return _refuse(refused)

    return reporting  # type: ignore[return-value]


def _refuse(error: Exception) -> NoReturn:
    current()  # on another thread, this is why
    fail(LaunchError, "cuda", f"cannot go on: {reason(error)}", hint=hint_after_failure())


def hint_after_failure() -> str:
    """What to do where a failed kernel has left a context that refuses even to be waited for; empty elsewhere."""
    try:
        if recorder is None:
            current().stream.synchronize()
    except Exception:
        return "a kernel has failed, and the GPU's context with it: the process must be started anew"
    return ""


def refuse_recording(what: str, hint: str) -> None:
    """Raise if a step is being recorded, which does ``what`` and cannot.

    Raises:
        DeviceError: as said.
    """
    if recorder is not None:
        fail(DeviceError, "capture", f"cannot record a step that {what}", hint=hint)


def finish() -> None:
    """Wait, on any thread, until the GPU has run everything, of whatever library: memory is about to change hands."""
    if _device is not None and recorder is None and not _broken:
        _device.finish()


@reported
def _wait(stream: Any) -> None:
    stream.synchronize()


def current() -> Device:
    """The device in use; the first call sets it up.

    Raises:
        DependencyError: PyCUDA is missing.
        DeviceError: there is no driver or no GPU, or this is not the main thread.
    """
    found = _device
    if found is None:
        return _set_up()
    if threading.get_ident() != found.thread:
        _refuse_thread()
    return found


def is_ours() -> bool:
    """Whether the driver can be asked here and now: on the main thread, and not in a forked process or at the end."""
    return _device is not None and threading.get_ident() == _device.thread


def _refuse_thread() -> NoReturn:
    hint = "other threads may prepare arrays on the cpu"
    fail(DeviceError, "cuda", "belongs to the main thread, but was asked for by another", hint=hint)


def select(number: int, operation: str = "") -> None:
    """Choose which GPU to use, before the first one is used.

    Args:
        number: counted from 0.
        operation: which names it as its device, if one does.

    Raises:
        ArgumentError: this is no number, or another one is in use already.
        DeviceError: there is no such GPU, or another one is in use when an operation names this.
        DependencyError: PyCUDA is missing.
    """
    global _wanted
    if type(number) is not int or number < 0:
        fail(ArgumentError, "cuda.set_device", f"needs the number of a GPU, counted from 0, but got {number!r}")
    if _device is None:
        _wanted = _counted(load(), number)
    elif _device.number != number:
        hint = "choose before the first tensor is made there; CUDA_VISIBLE_DEVICES also chooses"
        if operation:
            need = f"cannot use cuda:{number}: this process uses GPU {_device.number}"
            fail(DeviceError, operation, need, hint=hint)
        fail(ArgumentError, "cuda.set_device", f"cannot leave GPU {_device.number}, which is in use", hint=hint)


def load() -> Any:
    """``pycuda.driver``, initialised.

    Raises:
        DependencyError: PyCUDA is not installed.
        DeviceError: there is no driver, or it does not start.
    """
    # Each is told of behind its except block, in which Python would show the cause as a failure of its own.
    refused: Exception | None = None
    try:
        # Some builds of the extension do not name the driver library that they need.
        ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        refused = error
    if refused is not None:
        hint = f"install NVIDIA's driver, which brings libcuda.so.1; {SUCCESS_HINT}"
        fail(DeviceError, "cuda", "needs NVIDIA's driver, and there is none on this machine", hint=hint)
    try:
        import pycuda.driver as cuda
    except ImportError as error:
        refused = error
    if refused is not None:
        hint = f"pip install 'tinygrad_lite[cuda]'; {SUCCESS_HINT}"
        fail(DependencyError, "cuda", f"needs PyCUDA, which does not load here ({refused})", hint=hint)
    try:
        cuda.init()
    except cuda.Error as error:
        refused = error
    if refused is not None:
        fail(DeviceError, "cuda", f"needs a GPU, but the driver says: {reason(refused)}", hint=SUCCESS_HINT)
    return cuda


def reason(error: Exception) -> str:
    """What the driver says, without the name of its function: ``"no CUDA-capable device is detected"``."""
    text = str(error).partition("failed: ")[2] or str(error)
    return text.rstrip().removesuffix(" -")  # behind which a log would stand, where there is one


def version() -> str:
    """The newest CUDA that the driver serves, such as ``"13.0"``."""
    number: int = load().get_driver_version()
    return f"{number // 1000}.{number % 1000 // 10}"


def _counted(cuda: Any, number: int) -> int:
    """``number`` itself, if so many GPUs are there."""
    count = cuda.Device.count()
    if number >= count:
        need = f"needs GPU {number}, but this machine has {count} {'GPU' if count == 1 else 'GPUs'}"
        fail(DeviceError, "cuda", need, hint="they are counted from 0; CUDA_VISIBLE_DEVICES may hide some")
    return number


def _set_up() -> Device:
    global _device
    if _closed:
        fail(DeviceError, "cuda", "was given back, because the process is ending")
    if _forked:
        hint = 'start processes with multiprocessing.get_context("spawn")'
        fail(DeviceError, "cuda", "cannot be used by a process that was forked from one that uses it", hint=hint)
    if threading.current_thread() is not threading.main_thread():
        _refuse_thread()
    cuda = load()
    number = _wanted
    if number is None:
        named = os.environ.get("TINYGRAD_LITE_CUDA_DEVICE", "0")
        if not named.isdecimal():
            fail(DeviceError, "cuda", f"needs the number of a GPU in TINYGRAD_LITE_CUDA_DEVICE, but it is {named!r}")
        number = int(named)
    _counted(cuda, number)
    refused: Exception | None = None
    try:
        _device = Device(cuda, number)
    except cuda.Error as error:
        refused = error
    if _device is None:
        assert refused is not None
        fail(DeviceError, "cuda", f"cannot use GPU {number}: {reason(refused)}", hint=SUCCESS_HINT)
    os.register_at_fork(after_in_child=_disown)
    return _device


def _disown() -> None:
    """In a forked process: the driver does not work there, and what was inherited must not be given back."""
    global _device, _forked, _broken
    _forked, _broken, _device = True, _device is not None or _broken, None
