"""The emulated GPU of the tests: an emulated driver and nvcc on which the unmodified PyCUDA runs without any GPU.

    import cuda_harness
    reason = cuda_harness.available()  # None, or what is missing here
    cuda_harness.install()             # before anything imports pycuda.driver

README.md says what is emulated, and how a program or a single kernel is looked at.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .build import SONAME, BuildError, build_driver

__all__ = [
    "SCHEDULES",
    "Counters",
    "available",
    "counters",
    "differing_schedules",
    "install",
    "installed",
    "last_error",
    "reset",
    "reset_counters",
    "schedule",
    "set_alignment",
    "set_asynchronous",
    "set_memory",
    "set_schedule",
]

BUILD = Path(__file__).resolve().parents[2] / "build" / "cuda_harness"
ALIGNMENTS = tuple(str(1 << power) for power in range(4, 13))  # a vector of four floats to a page
SCHEDULES = ("forward", "reverse", "1", "2", "3")

_library: ctypes.CDLL | None = None
_schedule = os.environ.get("FAKE_CUDA_SCHEDULE") or "forward"


def available() -> str | None:
    """Why the emulator cannot run here, in words; None if it can."""
    if not sys.platform.startswith("linux"):
        return "the emulated GPU takes Linux"
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        return f"no C++ compiler: {compiler} is not on PATH; apt-get install g++"
    if importlib.util.find_spec("pycuda") is None:
        return "PyCUDA is not installed; python tools/install_pycuda.py builds it"
    return None


def installed() -> bool:
    """Whether this process runs on the emulated driver."""
    return _library is not None


def install() -> None:
    """Build the emulator if need be, load its driver, and put its nvcc first on PATH.

    Raises:
        RuntimeError: Something is missing (see ``available``), or another driver is already loaded.
        ValueError: ``FAKE_CUDA_SCHEDULE`` or ``FAKE_CUDA_ALIGN`` is not what README.md says.
    """
    global _library
    if _library is not None:
        return
    for name, check in (("FAKE_CUDA_SCHEDULE", _check_schedule), ("FAKE_CUDA_ALIGN", _check_alignment)):
        if os.environ.get(name):
            check(os.environ[name], f"{name}: ")
    reason = available()
    if reason is not None:
        raise RuntimeError(reason)
    if "pycuda._driver" in sys.modules:
        raise RuntimeError("cuda_harness.install() comes too late: pycuda.driver is already imported")
    try:
        folder = build_driver(BUILD)
    except BuildError as error:
        raise RuntimeError(f"the emulated driver does not compile: {error}") from None
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    # Beside the folders of the builds: what tells compiled kernels apart is the version that nvcc states.
    os.environ.setdefault("TINYGRAD_LITE_CUDA_CACHE", str(BUILD / "kernels"))
    os.environ.setdefault("PYCUDA_CACHE_DIR", str(BUILD / "pycuda"))
    Path(os.environ["PYCUDA_CACHE_DIR"]).mkdir(parents=True, exist_ok=True)
    # PyCUDA's extension module asks for this very name, and gets what is loaded under it.
    _library = ctypes.CDLL(str(folder / SONAME), mode=ctypes.RTLD_GLOBAL)
    _library.fake_cuda_last_error.restype = ctypes.c_size_t
    _library.fake_cuda_counters.restype = ctypes.c_size_t


def _call() -> ctypes.CDLL:
    if _library is None:
        raise RuntimeError("cuda_harness.install() was not called")
    return _library


def _text(function: str) -> str:
    read = getattr(_call(), function)
    size = read(None, ctypes.c_size_t(0)) + 4096  # some room: the text may grow in between
    buffer = ctypes.create_string_buffer(size)
    read(buffer, ctypes.c_size_t(size))
    return buffer.value.decode()


# --- What went wrong, and starting afresh -------------------------------------------------------------------


def last_error() -> str:
    """Why the latest driver call that failed did so, in more detail than the driver interface can say."""
    return _text("fake_cuda_last_error")


def reset() -> None:
    """Make a context usable again that an error has made unusable, without its unfinished work; end all captures.

    The text of ``last_error()`` is forgotten.
    """
    _call().fake_cuda_reset()


# --- What happened ------------------------------------------------------------------------------------------


class Counters:
    """What the driver has done since the process began, or since ``reset_counters()``.

    ``counters()["launches"]`` and so on; ``launches`` counts them by kernel, ``late_calls`` names the functions that
    were called after the context had been destroyed.
    """

    def __init__(self, text: str) -> None:
        self.values: dict[str, int] = {}
        self.launches: Counter[str] = Counter()
        self.late_calls: list[str] = []
        for line in text.splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "launch":
                name, _, count = rest.rpartition(" ")
                self.launches[name] = int(count)
            elif kind == "late":
                self.late_calls.append(rest)
            else:
                self.values[kind] = int(rest)

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def __repr__(self) -> str:
        return f"Counters({self.values}, launches={dict(self.launches)}, late_calls={self.late_calls})"


def counters() -> Counters:
    """The counters as they stand now."""
    return Counters(_text("fake_cuda_counters"))


def reset_counters() -> None:
    """Set the counters to zero; what is alive stays counted."""
    _call().fake_cuda_reset_counters()


# --- How it runs --------------------------------------------------------------------------------------------


def set_schedule(name: str) -> None:
    """The order of threads and blocks: ``"forward"``, ``"reverse"``, or a number that seeds a random one."""
    _check_schedule(name)
    global _schedule
    _call().fake_cuda_set_schedule(name.encode())
    _schedule = name


def _check_schedule(name: str, where: str = "") -> None:
    if name not in ("forward", "reverse") and not name.isdecimal():
        raise ValueError(f"{where}a schedule is forward, reverse or a number, not {name!r}")


@contextmanager
def schedule(name: str) -> Iterator[None]:
    """Run with another schedule, then with the former one."""
    before = _schedule
    set_schedule(name)
    try:
        yield
    finally:
        set_schedule(before)


def differing_schedules(run: Callable[[], Any]) -> list[str]:
    """Call ``run`` under every schedule; the names of those whose array differs in a bit from the first one's.

    A kernel without races gives an empty list.
    """
    expected, differing = None, []
    for name in SCHEDULES:
        with schedule(name):
            found = run().tobytes()
        if expected is None:
            expected = found
        elif found != expected:
            differing.append(name)
    return differing


def set_asynchronous(on: bool) -> None:
    """Whether work waits in its stream until something synchronises; pending work is done first."""
    _call().fake_cuda_set_asynchronous(int(on))


def set_memory(size: int) -> None:
    """The device's memory in bytes; what is allocated stays."""
    _call().fake_cuda_set_memory(ctypes.c_uint64(size))


def set_alignment(size: int) -> None:
    """Allocations start at multiples of this many bytes: 16, to have the guard page near, or 256 as on hardware."""
    _check_alignment(str(size))
    _call().fake_cuda_set_alignment(ctypes.c_uint64(size))


def _check_alignment(text: str, where: str = "") -> None:
    if text not in ALIGNMENTS:
        raise ValueError(f"{where}an alignment is a power of two from 16 to 4096, not {text!r}")
