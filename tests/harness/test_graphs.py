"""Capture and replay: what is recorded, what spoils a capture, and that a replay works on the memory of then."""

from __future__ import annotations

import functools
import gc
import struct

import cuda_harness
import numpy as np
import pytest
from harness.graph_calls import (
    ILLEGAL_ADDRESS,
    INVALIDATED,
    RELAXED,
    THREAD_LOCAL,
    UNJOINED,
    UNMATCHED,
    UNSUPPORTED,
    Graphs,
)

pytestmark = pytest.mark.needs("cuda")

NON_BLOCKING = 1


@pytest.fixture
def stream(cuda, context):
    return cuda.Stream(NON_BLOCKING)


@pytest.fixture
def graphs(context):
    return Graphs()


@pytest.fixture
def scale_add(compiled):
    """Launch x = x * factor + term."""
    function = compiled("work.cu").get_function("scale_add").prepare("Pffi")
    return lambda stream, x, factor, term, n=1: function.prepared_async_call(
        (-(-n // 32), 1), (32, 1, 1), stream, x, factor, term, n
    )


def test_a_capture_records_and_a_replay_executes_in_order(cuda, stream, graphs, scale_add, to_device, to_host):
    x = to_device(np.array([1], np.float32))

    def work():
        scale_add(stream, x, 2, 1)
        scale_add(stream, x, 3, 0)
        assert graphs.status(stream) == 1

    graphs.capture(stream, work)
    assert graphs.status(stream) == 0
    assert graphs.nodes() == 2
    assert to_host(x, 1, np.float32) == 1, "a capture executes nothing"
    for expected in (9, 57):
        assert graphs.launch(stream) == 0
        stream.synchronize()
        assert to_host(x, 1, np.float32) == expected
    assert graphs.destroy() == [0, 0]
    assert all(code != 0 for code in graphs.destroy()), "a graph is destroyed once"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_copies_and_fills_are_recorded(cuda, stream, graphs, scale_add, to_host, asynchronous):
    source, target = cuda.pagelocked_zeros(4, np.float32), cuda.pagelocked_zeros(4, np.float32)
    x, y = cuda.mem_alloc(16), cuda.mem_alloc(16)
    cuda_harness.set_asynchronous(asynchronous)

    def work():
        cuda.memcpy_htod_async(x, source, stream)
        scale_add(stream, x, 1, 1, 4)
        cuda.memset_d32_async(y, 0, 4, stream)
        cuda.memcpy_dtod_async(int(y), x, 8, stream)
        cuda.memcpy_dtoh_async(target, y, stream)

    try:
        graphs.capture(stream, work)
        assert graphs.nodes() == 5
        for start in (10, 20):
            source[:] = np.arange(4) + start
            graphs.launch(stream)
            stream.synchronize()
            np.testing.assert_array_equal(target, [start + 1, start + 2, 0, 0])
    finally:
        cuda_harness.set_asynchronous(False)
    counted = cuda_harness.counters()
    assert counted["graph_launches"] >= 2


def test_a_replay_repeats_the_parameters_of_the_capture(cuda, stream, graphs, compiled, to_device, to_host):
    x = to_device(np.array([1], np.float32))
    function = compiled("work.cu").get_function("scale_add")
    packed = bytearray(struct.pack("Pffi", int(x), 2, 3, 1))
    graphs.capture(stream, lambda: function._launch_kernel((1, 1), (1, 1, 1), packed, 0, stream))
    packed[:] = bytes(len(packed))
    graphs.launch(stream)
    assert to_host(x, 1, np.float32) == 5


SPOILERS = {
    "cuMemAlloc": lambda cuda, stream, x: cuda.mem_alloc(16),
    "cuMemHostAlloc": lambda cuda, stream, x: cuda.pagelocked_empty(4, np.float32),
    "cuMemcpyHtoD": lambda cuda, stream, x: cuda.memcpy_htod(x, np.zeros(4, np.float32)),
    "cuMemcpyDtoH": lambda cuda, stream, x: cuda.memcpy_dtoh(np.zeros(4, np.float32), x),
    "cuCtxSynchronize": lambda cuda, stream, x: cuda.Context.synchronize(),
    "cuStreamSynchronize": lambda cuda, stream, x: stream.synchronize(),
}


@pytest.mark.parametrize("name", SPOILERS)
@pytest.mark.parametrize("mode", [0, THREAD_LOCAL])
def test_what_may_wait_for_the_device_spoils_a_capture(cuda, stream, graphs, scale_add, to_device, name, mode):
    x = to_device(np.zeros(4, np.float32))
    assert graphs.begin(stream, mode) == 0
    scale_add(stream, x, 1, 1)
    with pytest.raises(cuda.Error, match=r"failed: operation not permitted when stream is capturing$"):
        SPOILERS[name](cuda, stream, x)
    assert graphs.status(stream) == 2
    assert graphs.end(stream) == INVALIDATED
    assert cuda_harness.last_error().startswith(f"cuStreamEndCapture: invalidated by: {name}: ")
    assert graphs.graph.value is None
    scale_add(stream, x, 1, 1)
    stream.synchronize()  # the stream itself works on


def test_freeing_spoils_a_capture(cuda, stream, graphs, capfd):
    memory = cuda.mem_alloc(16)
    graphs.begin(stream)
    memory.free()
    assert "cuMemFree failed: operation not permitted when stream is capturing" in capfd.readouterr().err
    assert graphs.end(stream) == INVALIDATED


def test_a_relaxed_capture_allows_allocation(cuda, stream, graphs):
    graphs.begin(stream, RELAXED)
    cuda.mem_alloc(16)
    assert graphs.end(stream) == 0
    assert graphs.nodes() == 0


def test_the_default_stream_cannot_capture(cuda, context, graphs):
    default = type("Default", (), {"handle": 0})()
    assert graphs.begin(default) == UNSUPPORTED


def test_the_default_stream_must_not_wait_for_a_blocking_stream_that_captures(cuda, graphs, compiled, to_device):
    blocking, counter = cuda.Stream(), to_device(np.zeros(1, np.int32))
    graphs.begin(blocking)
    with pytest.raises(cuda.Error, match=r"would make the legacy stream depend on a capturing blocking stream$"):
        compiled("work.cu").get_function("count")(counter, block=(1, 1, 1))
    assert graphs.end(blocking) == INVALIDATED


def test_another_stream_joins_through_an_event_and_must_join_back(cuda, stream, graphs, scale_add, to_device, to_host):
    other, fork, join = cuda.Stream(NON_BLOCKING), cuda.Event(), cuda.Event()
    x, y = to_device(np.ones(1, np.float32)), to_device(np.ones(1, np.float32))

    def work(back):
        scale_add(stream, x, 2, 0)
        fork.record(stream)
        other.wait_for_event(fork)
        scale_add(other, y, 5, 0)
        if back:
            join.record(other)
            stream.wait_for_event(join)

    graphs.begin(stream)
    work(back=False)
    assert graphs.end(other) == UNMATCHED
    assert graphs.end(stream) == UNJOINED
    assert graphs.status(other) == 0
    graphs.capture(stream, lambda: work(back=True))
    assert graphs.nodes() == 2
    graphs.launch(stream)
    stream.synchronize()
    assert (to_host(x, 1, np.float32), to_host(y, 1, np.float32)) == (2, 5)


def test_an_event_of_a_capture_cannot_be_waited_for(cuda, stream, graphs):
    event = cuda.Event()
    graphs.begin(stream)
    event.record(stream)
    with pytest.raises(cuda.Error, match=r"operation not permitted on an event last recorded in a capturing stream$"):
        event.synchronize()
    assert graphs.end(stream) == INVALIDATED


def test_an_event_from_outside_cannot_be_waited_for_inside(cuda, stream, graphs):
    event = cuda.Event()
    event.record(cuda.Stream(NON_BLOCKING))
    graphs.begin(stream)
    with pytest.raises(cuda.Error, match=r"dependency created on uncaptured work in another stream$"):
        stream.wait_for_event(event)
    assert graphs.end(stream) == INVALIDATED


def test_a_replay_that_touches_freed_memory_fails(cuda, stream, graphs, scale_add):
    x = cuda.mem_alloc(16)
    graphs.capture(stream, lambda: scale_add(stream, x, 1, 1))
    x.free()
    assert graphs.launch(stream) == ILLEGAL_ADDRESS
    assert cuda_harness.last_error().endswith("inside 16 bytes of device memory that was freed")
    cuda_harness.reset()
    y = cuda.mem_alloc(16)
    graphs.capture(stream, lambda: cuda.memset_d32_async(y, 0, 4, stream))
    y.free()
    assert graphs.launch(stream) == ILLEGAL_ADDRESS
    cuda_harness.reset()


def test_a_replay_of_a_module_that_was_unloaded_fails(cuda, stream, graphs):
    from pycuda.compiler import SourceModule

    x = cuda.mem_alloc(16)
    module = SourceModule('extern "C" __global__ void fill(int* x) { *x = 1; }', arch="sm_90a", no_extern_c=True)
    function = module.get_function("fill").prepare("P")
    graphs.capture(stream, functools.partial(function.prepared_async_call, (1, 1), (1, 1, 1), stream, x))
    del module, function
    gc.collect()
    assert graphs.launch(stream) == ILLEGAL_ADDRESS
    assert cuda_harness.last_error() == "a kernel was replayed whose module has been unloaded"
    cuda_harness.reset()


def test_loading_a_module_spoils_a_capture(cuda, stream, graphs, compiled):
    graphs.begin(stream)
    with pytest.raises(cuda.Error, match=r"operation not permitted when stream is capturing - $"):
        compiled('extern "C" __global__ void loaded_late(int* x) { *x = 1; }')
    assert graphs.end(stream) == INVALIDATED
