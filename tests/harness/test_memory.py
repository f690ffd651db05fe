"""Device and pinned memory: allocation, its end, copies and fills, and the refusals of each."""

from __future__ import annotations

import ctypes

import cuda_harness
import numpy as np
import pytest

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("context")]


@pytest.fixture
def little_memory():
    """A device on which 1 MiB is left."""
    cuda_harness.set_memory(cuda_harness.counters()["live_bytes"] + (1 << 20))
    yield
    cuda_harness.set_memory(8 << 30)


def test_memory_comes_to_an_end_and_comes_back(cuda, little_memory):
    free, total = cuda.mem_get_info()
    assert free == 1 << 20
    first = cuda.mem_alloc(900_000)
    with pytest.raises(cuda.MemoryError, match=r"^cuMemAlloc failed: out of memory$"):
        cuda.mem_alloc(200_000)
    assert (
        cuda_harness.last_error() == f"cuMemAlloc: 200000 bytes asked for, {total - free + 900_000} of {total} in use"
    )
    first.free()
    assert cuda.mem_get_info() == (free, total)
    cuda.mem_alloc(200_000)


def test_a_large_allocation_costs_no_memory_until_it_is_used(cuda, to_host):
    large = cuda.mem_alloc(6 << 30)
    np.testing.assert_array_equal(to_host(int(large) + (5 << 30), 4, np.int32), -1)
    cuda.memset_d32(int(large) + (5 << 30), 7, 2)
    np.testing.assert_array_equal(to_host(int(large) + (5 << 30), 4, np.int32), [7, 7, -1, -1])


@pytest.mark.parametrize("size", [1, 15, 16, 17, 4096, 5000])
def test_an_allocation_ends_within_16_bytes_of_the_guard_page(cuda, size):
    address = int(cuda.mem_alloc(size))
    assert address % 16 == 0
    assert 0 <= -(address + size) % 4096 < 16


def test_allocations_can_be_aligned_as_on_hardware(cuda):
    cuda_harness.set_alignment(256)
    try:
        assert all(int(cuda.mem_alloc(size)) % 256 == 0 for size in (1, 100, 256, 5000))
    finally:
        cuda_harness.set_alignment(16)


def test_nothing_cannot_be_allocated(cuda):
    with pytest.raises(cuda.LogicError, match=r"^cuMemAlloc failed: invalid argument$"):
        cuda.mem_alloc(0)


def test_copies_are_counted(cuda):
    x = np.arange(100, dtype=np.float32)
    memory, other = cuda.mem_alloc(x.nbytes), cuda.mem_alloc(x.nbytes)
    cuda_harness.reset_counters()
    cuda.memcpy_htod(memory, x)
    cuda.memcpy_dtod(other, memory, x.nbytes)
    y = np.empty_like(x)
    cuda.memcpy_dtoh(y[:50], other)
    np.testing.assert_array_equal(y[:50], x[:50])
    counted = cuda_harness.counters()
    assert (counted["bytes_htod"], counted["bytes_dtod"], counted["bytes_dtoh"]) == (400, 400, 200)


def test_a_copy_beyond_an_allocation_is_refused(cuda, to_device):
    memory = to_device(np.zeros(10, np.float32))
    with pytest.raises(cuda.LogicError, match=r"^cuMemcpyDtoH failed: invalid argument$"):
        cuda.memcpy_dtoh(np.empty(11, np.float32), memory)
    with pytest.raises(cuda.LogicError, match=r"^cuMemcpyHtoD failed: invalid argument$"):
        cuda.memcpy_htod(int(memory) + 4, np.empty(10, np.float32))
    with pytest.raises(cuda.LogicError, match=r"^cuMemcpyDtoD failed: invalid argument$"):
        cuda.memcpy_dtod(memory, np.empty(4, np.float32).ctypes.data, 16)


def test_freeing_what_is_not_an_allocation_is_refused(to_device):
    memory = to_device(np.zeros(10, np.float32))
    invalid_value = 1
    assert ctypes.CDLL("libcuda.so.1").cuMemFree_v2(ctypes.c_uint64(int(memory) + 4)) == invalid_value
    assert cuda_harness.last_error().startswith("cuMemFree: no allocation starts there: address ")
    assert cuda_harness.last_error().endswith(", byte 4 of an allocation of 40 bytes of device memory")


FILLS = [("memset_d8", np.uint8, 200), ("memset_d16", np.uint16, 60000), ("memset_d32", np.uint32, 4000000000)]


@pytest.mark.parametrize("name, kind, value", FILLS)
@pytest.mark.parametrize("in_stream", [False, True])
def test_fills(cuda, to_host, name, kind, value, in_stream):
    memory = cuda.mem_alloc(10 * np.dtype(kind).itemsize)
    if in_stream:
        getattr(cuda, f"{name}_async")(memory, value, 7, cuda.Stream())
    else:
        getattr(cuda, name)(memory, value, 7)
    found = to_host(memory, 10, kind)
    assert (found[:7] == value).all()
    assert (found[7:] == np.iinfo(kind).max).all()


def test_copies_of_two_dimensions(cuda, to_host):
    x = np.arange(48, dtype=np.float32).reshape(6, 8)
    memory = cuda.mem_alloc(4 * 5 * 3)
    copy = cuda.Memcpy2D()
    copy.set_src_host(x)
    copy.set_dst_device(memory)
    copy.src_x_in_bytes, copy.src_y, copy.src_pitch = 4, 2, 32
    copy.dst_pitch = copy.width_in_bytes = 20
    copy.height = 3
    copy(aligned=True)
    np.testing.assert_array_equal(to_host(memory, (3, 5), np.float32), x[2:5, 1:6])


def test_copies_of_three_dimensions(cuda, to_host):
    x = np.arange(60, dtype=np.int32).reshape(3, 4, 5)
    memory = cuda.mem_alloc(4 * 2 * 3 * 2)
    copy = cuda.Memcpy3D()
    copy.set_src_host(x)
    copy.set_dst_device(memory)
    copy.src_x_in_bytes, copy.src_y, copy.src_z, copy.src_pitch, copy.src_height = 4, 1, 1, 20, 4
    copy.dst_pitch, copy.dst_height = 8, 3
    copy.width_in_bytes, copy.height, copy.depth = 8, 3, 2
    copy()
    np.testing.assert_array_equal(to_host(memory, (2, 3, 2), np.int32), x[1:, 1:, 1:3])


def test_the_pools_of_pycuda_work(cuda, to_host):
    from pycuda.tools import DeviceMemoryPool, PageLockedMemoryPool

    pool, pinned = DeviceMemoryPool(), PageLockedMemoryPool()
    before = cuda_harness.counters()
    block = pool.allocate(1000)
    block.free()
    pool.allocate(1000).free()
    host = pinned.allocate((10,), np.float32)
    host[:] = 1
    del host
    after = cuda_harness.counters()
    assert after["allocations"] - before["allocations"] == 1
    assert after["host_allocations"] - before["host_allocations"] == 1
    pool.free_held()
    pinned.free_held()
    for name in ("live_allocations", "live_host_allocations"):
        assert cuda_harness.counters()[name] == before[name]


def test_a_kernel_can_write_into_pinned_memory(compiled, cuda):
    pinned = cuda.pagelocked_zeros(4, np.int32, mem_flags=cuda.host_alloc_flags.DEVICEMAP)
    compiled("work.cu").get_function("count")(np.intp(pinned.base.get_device_pointer()), block=(1, 1, 1))
    cuda.Context.synchronize()
    assert pinned[0] == 1
