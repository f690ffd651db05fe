"""What is uploaded may change as soon as the call has returned, wherever it lay and however late the GPU reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import cuda_harness
import numpy as np
import pytest

from tinygrad_lite.backends.cuda import driver
from tinygrad_lite.backends.cuda.array import from_host


@pytest.fixture(autouse=True)
def late() -> Iterator[None]:
    """The emulated GPU does its work only when something waits for it."""
    if os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu":
        yield
        return
    cuda_harness.set_asynchronous(True)
    yield
    driver.current().synchronize()
    cuda_harness.set_asynchronous(False)


def _page_locked(count: int) -> np.ndarray:
    import pycuda.driver as cuda

    driver.current()
    return cuda.pagelocked_empty(count, np.float32)


SOURCES: dict[str, Callable[[int], np.ndarray]] = {
    "NumPy's memory": lambda count: np.empty(count, np.float32),
    "a view of NumPy's memory": lambda count: np.empty(2 * count, np.float32)[count:],
    "somebody else's memory": lambda count: np.frombuffer(bytearray(4 * count), np.float32),
    "page-locked memory": _page_locked,
    "a view of page-locked memory": lambda count: _page_locked(2 * count)[count:],
}


@pytest.mark.parametrize("count", [1, 1000, 100_000])
@pytest.mark.parametrize("name", SOURCES)
def test_the_source_may_change_when_the_upload_returns(name: str, count: int) -> None:
    source = SOURCES[name](count)
    source[:] = 1
    there = from_host(source)
    source[:] = 2
    assert np.all(there.get() == 1)
