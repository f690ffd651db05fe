"""Launches: how parameters arrive, the limits of a block and a grid, attributes, and what a module can be asked for."""

from __future__ import annotations

import struct

import cuda_harness
import numpy as np
import pytest

pytestmark = pytest.mark.needs("cuda")


@pytest.fixture
def work(compiled):
    return compiled("work.cu")


def test_parameters_lie_at_multiples_of_their_alignment(work, cuda, to_host):
    out = cuda.mem_alloc(20)
    function = work.get_function("parameters")
    packed = struct.pack("b7xd qqi4x ?7xP", -3, 2.5, 7, 8, 2, True, int(out))
    function._launch_kernel((1, 1), (1, 1, 1), packed, 0, None)
    np.testing.assert_array_equal(to_host(out, 5, np.float32), [-3, 2.5, 78, 2, 1])


@pytest.mark.parametrize("style", ["call", "prepared_call", "prepared_async_call", "_launch_kernel"])
def test_every_way_to_launch_works(work, cuda, to_device, to_host, style):
    x = to_device(np.ones(40, np.float32))
    function = work.get_function("scale_add").prepare("Pffi")
    grid, block, given = (2, 1), (32, 1, 1), (3, 0.5, 40)
    if style == "call":
        f32 = np.float32
        function(x, f32(given[0]), f32(given[1]), np.int32(given[2]), block=block, grid=grid)
    elif style == "prepared_call":
        function.prepared_call(grid, block, x, *given)
    elif style == "prepared_async_call":
        function.prepared_async_call(grid, block, cuda.Stream(), x, *given)
    else:
        function._launch_kernel(grid, block, struct.pack("Pffi", int(x), *given), 0, None)
    np.testing.assert_array_equal(to_host(x, 40, np.float32), 3.5)


REFUSED = {
    "an empty grid": ({"grid": (0, 1)}, "grid dimension 0 is 0, allowed are 1 to 2147483647"),
    "a grid too high": ({"grid": (1, 65536)}, "grid dimension 1 is 65536, allowed are 1 to 65535"),
    "a grid too deep": ({"grid": (1, 1, 65536)}, "grid dimension 2 is 65536, allowed are 1 to 65535"),
    "an empty block": ({"block": (0, 1, 1)}, "block dimension 0 is 0, allowed are 1 to 1024"),
    "a block too long": ({"block": (1025, 1, 1)}, "block dimension 0 is 1025, allowed are 1 to 1024"),
    "a block too deep": ({"block": (1, 1, 65)}, "block dimension 2 is 65, allowed are 1 to 64"),
    "too many threads": ({"block": (64, 4, 5)}, "1280 threads in a block, allowed are 1024"),
    "too much memory": ({"shared": 49153}, "49153 bytes of dynamic shared memory, allowed are 49152"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_launch_beyond_the_limits_is_refused(work, cuda, to_host, case):
    options, because = REFUSED[case]
    configuration = {"grid": (1, 1), "block": (1, 1, 1), "shared": 0} | options
    counter = cuda.mem_alloc(4)
    count = work.get_function("count")
    with pytest.raises(cuda.LogicError, match=r"^cuLaunchKernel failed: invalid argument$"):
        count._launch_kernel(
            configuration["grid"], configuration["block"], struct.pack("P", int(counter)), configuration["shared"], None
        )
    assert cuda_harness.last_error().endswith(f"bytes>>>: {because}")
    assert to_host(counter, 1, np.int32) == -1, "nothing may run"


def test_launch_bounds_hold(work, cuda):
    bounded, out = work.get_function("bounded"), cuda.mem_alloc(1024)
    assert bounded.get_attribute(cuda.function_attribute.MAX_THREADS_PER_BLOCK) == 64
    bounded(out, block=(64, 1, 1))
    with pytest.raises(cuda.Error, match=r"^cuLaunchKernel failed: too many resources requested for launch$"):
        bounded(out, block=(65, 1, 1))
    because = "bounded<<<(1, 1, 1), (65, 1, 1), 0 bytes>>>: 65 threads in a block, its __launch_bounds__ allow 64"
    assert cuda_harness.last_error() == because


def test_more_shared_memory_has_to_be_asked_for(work, cuda, to_host):
    function, out, words = work.get_function("shared_words"), cuda.mem_alloc(128), 227 * 256
    attribute = cuda.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
    with pytest.raises(cuda.LogicError):
        function(out, np.int32(words), block=(32, 1, 1), shared=4 * words)
    with pytest.raises(cuda.LogicError, match=r"^cuFuncSetAttribute failed: invalid argument$"):
        function.set_attribute(attribute, 4 * words + 1)
    function.set_attribute(attribute, 4 * words)
    function(out, np.int32(words), block=(32, 1, 1), shared=4 * words)
    np.testing.assert_array_equal(to_host(out, 32, np.int32), words - 1 - np.arange(32))
    function.set_attribute(attribute, 48 * 1024)


def test_static_shared_memory_has_a_limit(work, cuda):
    with pytest.raises(cuda.Error, match=r"^cuLaunchKernel failed: too many resources requested for launch$"):
        work.get_function("much_shared")(cuda.mem_alloc(128), block=(32, 1, 1))
    assert "with kept the block has 49156 bytes of static shared memory, allowed are 49152" in cuda_harness.last_error()


def test_static_shared_memory_is_known_after_a_launch(compiled, cuda, to_device):
    product = compiled("threads.cu").get_function("matmul")
    a = to_device(np.zeros((16, 16), np.float32))
    size = np.int32(16)
    product(a, a, cuda.mem_alloc(1024), size, size, size, block=(16, 16, 1))
    assert product.shared_size_bytes == 4 * 16 * (17 + 16)


def test_variables_of_a_module_can_be_read_and_written(work, cuda, to_host):
    address, size = work.get_global("table")
    assert size == 16
    out = cuda.mem_alloc(16)
    work.get_function("look_up")(out, block=(4, 1, 1))
    np.testing.assert_array_equal(to_host(out, 4, np.float32), [1, 2, 3, 4])
    cuda.memcpy_htod(address, np.array([5, 6, 7, 8], np.float32))
    work.get_function("look_up")(out, block=(4, 1, 1))
    np.testing.assert_array_equal(to_host(out, 4, np.float32), [5, 6, 7, 8])
    hits, size = work.get_global("hits")
    assert to_host(hits, 1, np.int32) == 8
    cuda.memcpy_htod(address, np.array([1, 2, 3, 4], np.float32))
    cuda.memset_d32(hits, 0, 1)


@pytest.mark.parametrize("name", ["mangled", "generic", "absent"])
def test_only_kernels_with_c_linkage_are_found_by_name(work, cuda, name):
    with pytest.raises(cuda.LogicError, match=r"^cuModuleGetFunction failed: named symbol not found$"):
        work.get_function(name)
    assert cuda_harness.last_error() == f'cuModuleGetFunction: the module has no kernel extern "C" {name}'


def test_a_linkage_block_counts(work, cuda, to_host):
    out = cuda.mem_alloc(4)
    work.get_function("in_a_linkage_block")(out, block=(1, 1, 1))
    assert to_host(out, 1, np.int32) == 5


def test_the_device_is_an_h200_in_small(cuda, context):
    device, attribute = cuda.Device(0), cuda.device_attribute
    assert device.name() == "Emulated GPU"
    assert device.compute_capability() == (9, 0)
    assert device.total_memory() == 8 << 30
    assert device.get_attribute(attribute.WARP_SIZE) == 32
    assert device.get_attribute(attribute.MULTIPROCESSOR_COUNT) == 132
    assert device.get_attribute(attribute.MAX_SHARED_MEMORY_PER_BLOCK) == 48 * 1024
    assert device.get_attribute(attribute.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN) == 227 * 1024


def test_what_was_launched_is_counted(work, cuda, to_device):
    x = to_device(np.zeros(100, np.float32))
    counter = to_device(np.zeros(1, np.int32))
    cuda_harness.reset_counters()
    for _ in range(3):
        work.get_function("count")(counter, block=(1, 1, 1))
    work.get_function("scale_add")(x, np.float32(1), np.float32(1), np.int32(100), block=(64, 1, 1), grid=(2, 1))
    counted = cuda_harness.counters()
    assert counted.launches == {"count": 3, "scale_add": 1}
    assert (counted["launches"], counted["threads"]) == (4, 3 + 128)
