"""Kernels are packed, launched and counted; what the driver refuses names the launch."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest
from refusals import refuses

from tinygrad_lite import errors
from tinygrad_lite.backends.cuda import array, driver, launching, layout

COPY = array._COPIES[4][1]


def arguments(x: array.CudaArray, y: array.CudaArray) -> tuple[Any, ...]:
    return x.address, y.address, layout.pack((x.size,), (1,), (1,))


def pair() -> tuple[array.CudaArray, array.CudaArray]:
    x = array.from_host(np.arange(40, dtype=np.float32))
    return x, array.zeros((40,), x.dtype)


def test_a_launch_runs_and_is_counted() -> None:
    x, y = pair()
    before = launching.launches(), COPY.count
    COPY((1, 1, 1), (64, 1, 1), *arguments(x, y))
    assert (launching.launches(), COPY.count) == (before[0] + 1, before[1] + 1)
    np.testing.assert_array_equal(y.get(), x.get())


@pytest.mark.parametrize(
    "threads, largest, expected", [(1, 256, 32), (32, 256, 32), (33, 256, 64), (255, 256, 256), (10**9, 128, 128)]
)
def test_blocks_are_whole_warps(threads: int, largest: int, expected: int) -> None:
    assert launching.block_size(threads, largest) == expected
    assert launching.blocks(threads, expected) * expected >= threads


def test_a_refused_launch_names_everything_and_is_not_counted() -> None:
    x, y = pair()
    before = COPY.count
    refuses(
        errors.LaunchError,
        lambda: COPY((1, 1, 1), (2048, 1, 1), 16, 32, b"\0" * 232),
        "cuda failed to launch copy_strided of copy ITEM=4: invalid argument\n"
        "  grid      (1, 1, 1)\n"
        "  block     (2048, 1, 1)\n"
        "  shared    0 bytes\n"
        "  arguments 0x10, 0x20, 232 bytes",
    )
    refuses(
        errors.LaunchError,
        lambda: COPY((1, 1, 1), (32, 1, 1), 16, 32, b"\0" * 232, shared=300 << 10),
        "cuda failed to launch copy_strided of copy ITEM=4: invalid argument\n"
        "  grid      (1, 1, 1)\n"
        "  block     (32, 1, 1)\n"
        "  shared    307200 bytes\n"
        "  arguments 0x10, 0x20, 232 bytes",
    )
    assert COPY.count == before
    COPY((1, 1, 1), (64, 1, 1), *arguments(x, y))
    np.testing.assert_array_equal(y.get(), x.get())


def test_numbers_that_do_not_fit_their_parameter_are_refused_before_anything_runs() -> None:
    kernel = array._COPIES[4][2]  # rows are 32 bits wide
    with pytest.raises(errors.LaunchError, match="failed to launch copy_transposed"):
        kernel((1, 1, 1), (32, 8, 1), 16, 32, 2**32, *[1] * 8)


def test_on_another_thread_the_reason_is_the_thread() -> None:
    x, y = pair()
    COPY((1, 1, 1), (64, 1, 1), *arguments(x, y))
    found: list[str] = []

    def work() -> None:
        try:
            COPY((1, 1, 1), (64, 1, 1), *arguments(x, y))
        except errors.DeviceError as error:
            found.append(error.need)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["belongs to the main thread, but was asked for by another"]
    driver.current().synchronize()


def test_more_shared_memory_than_every_kernel_has_is_asked_for() -> None:
    x, y = pair()
    COPY((1, 1, 1), (64, 1, 1), *arguments(x, y), shared=100 << 10)
    np.testing.assert_array_equal(y.get(), x.get())


@pytest.mark.skipif(os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu", reason="breaks the GPU's context")
def test_after_a_failed_kernel_a_launch_says_that_the_process_must_begin_anew() -> None:
    text = (
        "cuda failed to launch copy_strided of copy ITEM=4: an illegal memory access was encountered\n"
        "  grid      (1, 1, 1)\n"
        "  block     (32, 1, 1)\n"
        "  shared    0 bytes\n"
        f"  arguments 0x10, 0x20, {len(layout.pack((4,), (1,), (1,)))} bytes\n"
        "  hint  a kernel has failed, and the GPU's context with it: the process must be started anew"
    )
    for _ in range(2):
        refuses(errors.LaunchError, lambda: COPY((1, 1, 1), (32, 1, 1), 16, 32, layout.pack((4,), (1,), (1,))), text)
