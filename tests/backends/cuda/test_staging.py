"""Page-locked memory: who has it when, and copies from and to it that nobody waits for."""

from __future__ import annotations

import os

import cuda_harness
import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite.backends.cuda import array, graphs, staging
from tinygrad_lite.errors import DeviceError

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]


@pytest.fixture
def late():
    """Streams that do nothing until somebody waits, where the GPU is an emulated one."""
    if cuda_harness.installed():
        cuda_harness.set_asynchronous(True)
    yield
    if cuda_harness.installed():
        cuda_harness.set_asynchronous(os.environ.get("FAKE_CUDA_ASYNC") == "1")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex128, np.bool_, np.int8])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 5)])
def test_down_and_up_again(late, shape, dtype):
    values = np.random.default_rng(0).normal(size=shape).astype(dtype)
    there, back = array.from_host(values), array.zeros(shape, np.dtype(dtype))
    host = staging.pinned(shape, np.dtype(dtype))
    copy = staging.copy_down(there, host)
    copy.wait()
    assert copy.done()
    assert type(host) is np.ndarray
    assert (host.shape, host.dtype) == (shape, dtype)
    np.testing.assert_array_equal(host, values)
    staging.copy_up(host, back)
    np.testing.assert_array_equal(back.get(), values)


def test_a_copy_down_waits_for_what_was_launched_before(late):
    x = tgl.ones((1000,), device="cuda")
    y = (x * 2 + 1)[::2]  # not contiguous either
    host = staging.pinned(y.shape, y.dtype)
    staging.copy_down(y._data, host).wait()
    assert (host == 3).all()


def test_polling_ends(late):
    there = tgl.ones((1000,), device="cuda")._data
    copy = staging.copy_down(there, staging.pinned(there.shape, there.dtype))
    for _ in range(1_000_000):
        if copy.done():
            return
    pytest.fail("the copy does not arrive")


def test_memory_is_lent_again_when_the_last_view_is_gone():
    host = staging.pinned((12_345,), np.dtype(np.float32))
    place, view = host.ctypes.data, host[5:].reshape(4, -1).view(np.uint8)
    del host
    other = staging.pinned((12_345,), np.dtype(np.float32))
    assert other.ctypes.data != place
    del view
    assert staging.pinned((12_345,), np.dtype(np.float32)).ctypes.data == place


def test_settled_memory_may_be_written(late):
    there = array.empty((100,), np.dtype(np.float32))
    host = staging.pinned((100,), np.dtype(np.float32))
    host[...] = 1
    staging.copy_up(host, there)
    staging.settle(host)
    host[...] = 2
    assert (there.get() == 1).all()


@pytest.mark.parametrize("gone", [True, False])
def test_the_source_keeps_its_memory_while_it_is_copied(late, gone):
    there = array.from_host(np.ones(77_777, np.float32))
    host = staging.pinned(there.shape, there.dtype)
    copy = staging.copy_down(there, host)
    if gone:
        del there
    other = array.full((77_777,), 5.0, np.dtype(np.float32))
    other.get()
    copy.wait()
    assert (host == 1).all()


def test_a_recorded_step_copies_neither_way():
    there, host = array.zeros((3,), np.dtype(np.float32)), staging.pinned((3,), np.dtype(np.float32))

    def recorded(copy):
        with graphs.Graph().recording():
            copy()

    found = refusal(DeviceError, lambda: recorded(lambda: staging.copy_down(there, host)))
    assert found == (
        "capture cannot record a step that reads a value\n  hint  return the tensor, and read it after the step"
    )
    found = refusal(DeviceError, lambda: recorded(lambda: staging.copy_up(host, there)))
    assert found == (
        "capture cannot record a step that needs numbers from the processor's memory\n"
        "  hint  make the tensor before, or pass it to the step"
    )
