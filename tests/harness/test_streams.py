"""Streams and events: at once by default, and in the asynchronous mode as late as the rules of CUDA allow."""

from __future__ import annotations

import struct

import cuda_harness
import numpy as np
import pytest

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("late")]

ONE = (1, 1, 1)
NON_BLOCKING = 1


@pytest.fixture
def late(context):
    """Work is done only when something waits for it."""
    cuda_harness.set_asynchronous(True)
    yield
    cuda_harness.reset()
    cuda_harness.set_asynchronous(False)


@pytest.fixture
def count(compiled):
    """Launch a kernel that adds one to a counter."""
    function = compiled("work.cu").get_function("count")
    return lambda memory, stream=None: function(memory, block=ONE, stream=stream)


@pytest.fixture
def pinned(cuda, context):
    """Integers in page-locked memory."""

    def copy(values):
        array = cuda.pagelocked_empty(len(values), np.int32)
        array[:] = values
        return array

    return copy


def test_without_waiting_old_data_is_read(cuda, to_device, count, pinned):
    stream, counter, seen = cuda.Stream(NON_BLOCKING), to_device(np.zeros(1, np.int32)), pinned([-5])
    count(counter, stream)
    cuda.memcpy_dtoh_async(seen, counter, stream)
    assert seen[0] == -5, "a program that does not wait must not see the result"
    stream.synchronize()
    assert seen[0] == 1


def test_a_synchronous_copy_does_not_wait_for_a_non_blocking_stream(cuda, to_device, to_host, count):
    stream, counter = cuda.Stream(NON_BLOCKING), to_device(np.zeros(1, np.int32))
    count(counter, stream)
    assert to_host(counter, 1, np.int32) == 0
    stream.synchronize()
    assert to_host(counter, 1, np.int32) == 1


def test_a_synchronous_copy_waits_for_blocking_streams(cuda, to_device, to_host, count):
    stream, counter = cuda.Stream(), to_device(np.zeros(1, np.int32))
    count(counter, stream)
    assert to_host(counter, 1, np.int32) == 1


def test_a_blocking_stream_waits_for_the_default_stream(cuda, to_device, pinned, count):
    stream, counter, seen = cuda.Stream(), to_device(np.zeros(1, np.int32)), pinned([-5])
    count(counter)
    cuda.memcpy_dtoh_async(seen, counter, stream)
    stream.synchronize()
    assert seen[0] == 1


def test_pinned_memory_is_read_when_the_stream_comes_to_it_and_other_memory_at_once(cuda, to_host, pinned):
    stream = cuda.Stream(NON_BLOCKING)
    early, source, other = cuda.mem_alloc(4), pinned([1]), np.array([1], np.int32)
    late = cuda.mem_alloc(4)
    cuda.memcpy_htod_async(late, source, stream)
    cuda.memcpy_htod_async(early, other, stream)
    source[0] = other[0] = 2
    stream.synchronize()
    assert to_host(late, 1, np.int32) == 2
    assert to_host(early, 1, np.int32) == 1


def test_a_copy_to_pageable_memory_waits(cuda, to_device, count):
    stream, counter, seen = cuda.Stream(NON_BLOCKING), to_device(np.zeros(1, np.int32)), np.zeros(1, np.int32)
    count(counter, stream)
    cuda.memcpy_dtoh_async(seen, counter, stream)
    assert seen[0] == 1


def test_parameters_are_taken_at_the_launch(compiled, cuda, to_device, to_host):
    stream, x = cuda.Stream(NON_BLOCKING), to_device(np.ones(1, np.float32))
    function = compiled("work.cu").get_function("scale_add")
    packed = bytearray(struct.pack("Pffi", int(x), 2, 3, 1))
    function._launch_kernel((1, 1), ONE, packed, 0, stream)
    packed[:] = bytes(len(packed))
    stream.synchronize()
    assert to_host(x, 1, np.float32) == 5


def test_an_event_orders_two_streams(cuda, to_device, count, pinned):
    first, second, event = cuda.Stream(NON_BLOCKING), cuda.Stream(NON_BLOCKING), cuda.Event()
    counter, seen = to_device(np.zeros(1, np.int32)), pinned([-5])
    count(counter, first)
    event.record(first)
    count(counter, first)  # after the event: not waited for
    second.wait_for_event(event)
    cuda.memcpy_dtoh_async(seen, counter, second)
    second.synchronize()
    assert seen[0] == 1


def test_without_the_event_there_is_no_order(cuda, to_device, count, pinned):
    first, second = cuda.Stream(NON_BLOCKING), cuda.Stream(NON_BLOCKING)
    counter, seen = to_device(np.zeros(1, np.int32)), pinned([-5])
    count(counter, first)
    cuda.memcpy_dtoh_async(seen, counter, second)
    second.synchronize()
    assert seen[0] == 0


def test_an_event_is_over_when_its_stream_has_come_to_it(cuda, to_device, count, pinned):
    stream, event, counter = cuda.Stream(NON_BLOCKING), cuda.Event(), to_device(np.zeros(1, np.int32))
    seen = pinned([-5])
    assert event.query()
    count(counter, stream)
    cuda.memcpy_dtoh_async(seen, counter, stream)
    event.record(stream)
    assert not event.query()
    event.synchronize()
    assert event.query()
    assert seen[0] == 1


def test_polling_makes_progress(cuda, to_device, count):
    stream, counter = cuda.Stream(NON_BLOCKING), to_device(np.zeros(1, np.int32))
    for _ in range(3):
        count(counter, stream)
    assert [stream.is_done() for _ in range(4)] == [False, False, False, True]


def test_events_measure_time(cuda, to_device, count):
    start, end, counter = cuda.Event(), cuda.Event(), to_device(np.zeros(1, np.int32))
    start.record()
    count(counter)
    end.record()
    with pytest.raises(cuda.RuntimeError, match=r"^cuEventElapsedTime failed: device not ready$"):
        end.time_since(start)
    end.synchronize()
    assert end.time_since(start) >= 0


def test_an_event_without_timing_has_no_time(cuda):
    event = cuda.Event(cuda.event_flags.DISABLE_TIMING)
    event.record()
    event.synchronize()
    with pytest.raises(cuda.LogicError, match=r"^cuEventElapsedTime failed: invalid resource handle$"):
        event.time_since(event)


def test_freeing_memory_waits_for_all_work(cuda, to_device, count, pinned):
    stream, counter, other = cuda.Stream(NON_BLOCKING), to_device(np.zeros(1, np.int32)), cuda.mem_alloc(4)
    seen = pinned([-5])
    count(counter, stream)
    cuda.memcpy_dtoh_async(seen, counter, stream)
    other.free()
    assert seen[0] == 1


def test_the_error_of_a_kernel_surfaces_where_it_is_waited_for(compiled, cuda, to_device):
    stream, out = cuda.Stream(NON_BLOCKING), cuda.mem_alloc(128)
    compiled("planted.cu").get_function("trapped")(out, block=(32, 1, 1), stream=stream)
    with pytest.raises(cuda.LaunchError, match=r"^cuStreamSynchronize failed: unspecified launch failure$"):
        stream.synchronize()
    with pytest.raises(cuda.LaunchError, match=r"^cuMemAlloc failed: unspecified launch failure$"):
        cuda.mem_alloc(4)
    cuda_harness.reset()


def test_every_wait_is_counted(cuda, to_host):
    stream, event, memory = cuda.Stream(), cuda.Event(), cuda.mem_alloc(4)
    event.record(stream)
    cuda_harness.reset_counters()
    stream.synchronize()
    event.synchronize()
    cuda.Context.synchronize()
    to_host(memory, 1, np.int32)
    assert cuda_harness.counters()["synchronisations"] == 4
