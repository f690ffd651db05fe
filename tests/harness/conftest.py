"""A context on the emulated GPU, and modules compiled by the emulated nvcc, used through PyCUDA alone."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cuda_harness
import numpy as np
import pytest

KERNELS = Path(__file__).parent / "kernels"


@pytest.fixture(scope="session")
def cuda(gpu: None) -> Any:
    """``pycuda.driver``, initialised."""
    if not cuda_harness.installed():
        pytest.skip("this session runs on a real GPU")
    import pycuda.driver as cuda

    cuda.init()
    return cuda


@pytest.fixture(scope="module")
def context(cuda: Any) -> Iterator[Any]:
    """The primary context, current while the tests of a file run, which choose the mode and the schedule themselves."""
    cuda_harness.set_asynchronous(False)
    context = cuda.Device(0).retain_primary_context()
    context.push()
    yield context
    cuda_harness.reset()  # the last test's error, or the driver refuses to forget its modules
    modules.cache_clear()
    context.pop()
    context.detach()
    cuda_harness.set_asynchronous(os.environ.get("FAKE_CUDA_ASYNC", "0") != "0")


@pytest.fixture(autouse=True)
def forward(gpu: None) -> Iterator[None]:
    """Threads run in order where a test does not say otherwise."""
    with cuda_harness.schedule("forward") if cuda_harness.installed() else nullcontext():
        yield


@functools.cache
def modules(text: str) -> Any:
    from pycuda.compiler import SourceModule

    return SourceModule(text, arch="sm_90a", no_extern_c=True)


@pytest.fixture
def compiled(context: Any) -> Callable[..., Any]:
    """Compile a file of kernels/, or a text, with macros in front."""

    def compile(source: str, **macros: object) -> Any:
        text = (KERNELS / source).read_text() if source.endswith(".cu") else source
        return modules("".join(f"#define {name} {value}\n" for name, value in macros.items()) + text)

    return compile


@pytest.fixture
def to_device(cuda: Any, context: Any) -> Callable[..., Any]:
    """Copy an array into memory of its own; the guard page begins right behind its last 16 bytes."""
    return lambda array: cuda.to_device(np.ascontiguousarray(array))


@pytest.fixture
def to_host(cuda: Any, context: Any) -> Callable[..., Any]:
    """Read an array of a shape and a dtype from device memory."""

    def read(memory: Any, shape: Any, dtype: Any) -> Any:
        array = np.empty(shape, dtype)
        cuda.memcpy_dtoh(array, memory)
        return array

    return read
