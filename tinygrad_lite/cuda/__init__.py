"""The GPU as a user sees it: whether there is one, which, what it holds, and what this process did on it.

import tinygrad_lite as tgl

if tgl.cuda.is_available():
    model.to("cuda")
tgl.cuda.info()
"""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

from tinygrad_lite.backends import devices
from tinygrad_lite.backends.cuda import compiler, driver, fallback, launching, memory
from tinygrad_lite.cuda.capture import CapturedStep as CapturedStep
from tinygrad_lite.cuda.capture import capture as capture
from tinygrad_lite.errors import Error

__all__ = [
    *(
        "CapturedStep",
        "capture",
        "compilations",
        "device_count",
        "device_name",
        "empty_cache",
        "fallbacks",
        "info",
        "is_available",
        "launches",
    ),
    *("max_memory_allocated", "memory_allocated", "memory_summary", "set_device", "synchronize"),
]


def is_available() -> bool:
    """Whether this machine has a GPU, its driver and PyCUDA; nothing is set up by asking.

    >>> import tinygrad_lite as tgl
    >>> device = "cuda" if tgl.cuda.is_available() else "cpu"
    """
    return device_count() > 0


def device_count() -> int:
    """How many GPUs this process can see; 0 without a driver or without PyCUDA."""
    try:
        return int(driver.load().Device.count())
    except Error:
        return 0


def device_name() -> str:
    """The product's name of the GPU in use, such as ``"NVIDIA H200"``; the first call sets it up.

    Raises:
        DependencyError: PyCUDA is missing.
        DeviceError: there is no driver or no GPU, or this is not the main thread.
    """
    return driver.current().name


def set_device(number: int) -> None:
    """Choose the GPU of this process, before the first tensor is made there; they are counted from 0.

    Args:
        number: under ``mpirun`` mostly the rank on this host.

    Raises:
        ArgumentError: this is no number, or another GPU is in use already.
        DeviceError: there is no such GPU.
        DependencyError: PyCUDA is missing.
    """
    driver.select(number)


def synchronize() -> None:
    """Wait until everything that was launched has run. Errors of earlier calls are raised here at the latest."""
    driver.current().synchronize()


# --- counters -----------------------------------------------------------------------------------------------


def launches() -> int:
    """How many kernels this process has launched; replaying a captured graph is not counted."""
    return launching.launches()


def compilations() -> int:
    """How many modules of kernels this process has compiled; those that came from the cache do not count."""
    return compiler.counts["compilations"]


def fallbacks() -> dict[str, int]:
    """How often which function was computed on the CPU, because the GPU has no kernel for it.

    Only decompositions and solvers, sorting of very long rows, and the set functions are.
    """
    return dict(fallback.counts)


# --- memory -------------------------------------------------------------------------------------------------


def memory_allocated() -> int:
    """Bytes in arrays that are alive."""
    return memory.usage.active


def max_memory_allocated() -> int:
    """The largest number of bytes that arrays took so far."""
    return memory.usage.peak


def empty_cache() -> None:
    """Give memory that no array uses, and that is kept for new ones, back to the driver."""
    memory.main_pool.free_held()


def memory_summary() -> str:
    """Who holds the memory, one line each: parameters, gradients, optimizer state, what operations saved, tensors."""
    from tinygrad_lite.autograd.tools.device_memory import held_by

    lines = [f"{kind}: {memory.readable(nbytes)}" for kind, nbytes in held_by().items()]
    return "\n".join([*lines, f"kept for new arrays: {memory.readable(memory.held())}"])


# --- info ---------------------------------------------------------------------------------------------------


def info() -> None:
    """Print the device, the driver, the compiler, the kernels, the cache of compiled ones, and the memory in use."""
    rows = [*_device(), *_toolchain(), *_kernels(), *_cache(), *_memory()]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")


def _device() -> list[tuple[str, str]]:
    try:
        cuda = driver.load()
        used = driver.current()
    except Error as error:
        return [("device", f"none: {error.operation} {error.need}"), ("hint", error.hint)]
    free, total = cuda.mem_get_info()
    number = f"GPU {used.number} of {cuda.Device.count()}"
    units = f"{used.multiprocessors} multiprocessors, {memory.readable(total)} ({memory.readable(free)} free)"
    return [
        ("device", f"{used.name} ({number}), compute capability {used.capability[0]}.{used.capability[1]}, {units}"),
        ("driver", f"CUDA {driver.version()}, PyCUDA {importlib.metadata.version('pycuda')}"),
    ]


def _toolchain() -> list[tuple[str, str]]:
    path = compiler.nvcc()
    if path is None:
        return [("nvcc", "none: only kernels in the cache can be used")]
    return [("nvcc", f"{path} {compiler.version(path)}".rstrip())]


def _kernels() -> list[tuple[str, str]]:
    devices.namespace_on("cuda")  # which declares all kernels
    counts = compiler.counts
    declared = f"{len(launching.kernels)} in {len(compiler.modules)} modules"
    used = f"{counts['compilations']} compiled and {counts['loads']} read from the cache, {launches()} launches"
    slow = ", ".join(f"{name} {count}" for name, count in fallback.counts.items())
    return [("kernels", f"{declared}; {used}"), ("on the CPU", slow or "nothing")]


def _cache() -> list[tuple[str, str]]:
    folder = compiler.cache_folder()
    sizes = [os.path.getsize(file) for file in folder.glob("*.cubin") if file.exists()]
    return [("cache", f"{folder}: {len(sizes)} modules, {memory.readable(sum(sizes))}")]


def _memory() -> list[tuple[str, str]]:
    usage = memory.usage
    parts = {"in arrays": usage.active, "at most": usage.peak, "kept for new ones": memory.held()}
    return [("memory", ", ".join(f"{memory.readable(nbytes)} {what}" for what, nbytes in parts.items()))]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    from tinygrad_lite.dialects import refuse_attribute

    refuse_attribute("tinygrad_lite.cuda", name)
