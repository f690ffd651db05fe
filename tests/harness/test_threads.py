"""Threads, barriers, warps and shared memory: correct kernels give the right result under every schedule."""

from __future__ import annotations

import cuda_harness
import numpy as np
import pytest

pytestmark = pytest.mark.needs("cuda")

EVERY_SCHEDULE = pytest.mark.parametrize("schedule", cuda_harness.SCHEDULES)


@pytest.fixture
def threads(compiled):
    return compiled("threads.cu")


@EVERY_SCHEDULE
@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (17, 33, 20), (32, 16, 48)])
def test_a_tiled_product_is_right(threads, cuda, to_device, to_host, schedule, m, n, k):
    rng = np.random.default_rng(0)
    a, b = rng.integers(-4, 5, (m, k)).astype(np.float32), rng.integers(-4, 5, (k, n)).astype(np.float32)
    product = threads.get_function("matmul").prepare("PPPiii")
    c = cuda.mem_alloc(4 * m * n)
    with cuda_harness.schedule(schedule):
        product.prepared_call((-(-n // 16), -(-m // 16)), (16, 16, 1), to_device(a), to_device(b), c, m, n, k)
    np.testing.assert_array_equal(to_host(c, (m, n), np.float32), a @ b)


@EVERY_SCHEDULE
@pytest.mark.parametrize("block", [32, 96, 1024])
def test_shuffles_and_dynamic_shared_memory_sum_rows(threads, cuda, to_device, to_host, schedule, block):
    x = np.random.default_rng(1).integers(-9, 10, (3, 1000)).astype(np.float32)
    sums = cuda.mem_alloc(12)
    with cuda_harness.schedule(schedule):
        threads.get_function("row_sums")(
            to_device(x), sums, np.int32(1000), block=(block, 1, 1), grid=(3, 1), shared=block // 32 * 4
        )
    np.testing.assert_array_equal(to_host(sums, 3, np.float32), x.sum(1))


@EVERY_SCHEDULE
def test_the_last_block_sees_what_all_others_wrote(threads, cuda, to_device, to_host, schedule):
    x = np.arange(1000, dtype=np.float32)
    sums, result = cuda.mem_alloc(32 * 4), cuda.mem_alloc(4)
    finished = to_device(np.zeros(1, np.uint32))
    with cuda_harness.schedule(schedule):
        threads.get_function("total")(
            to_device(x), sums, finished, result, np.int32(1000), block=(32, 1, 1), grid=(32, 1)
        )
    assert to_host(result, 1, np.float32)[0] == x.sum()


@EVERY_SCHEDULE
@pytest.mark.parametrize("grid, block", [((1, 1, 1), (1, 1, 1)), ((2, 3, 2), (5, 2, 3)), ((7, 1, 1), (33, 1, 1))])
def test_every_thread_of_every_block_runs_once_with_its_own_indices(threads, cuda, to_host, schedule, grid, block):
    blocks, size = int(np.prod(grid)), int(np.prod(block))
    out = cuda.mem_alloc(4 * blocks * size)
    with cuda_harness.schedule(schedule):
        threads.get_function("indices")(out, block=block, grid=grid)
    expected = 100 * np.arange(blocks)[:, None] + np.arange(size)
    np.testing.assert_array_equal(to_host(out, (blocks, size), np.int32), expected)


@EVERY_SCHEDULE
@pytest.mark.parametrize("n", [1, 31, 33, 64])
def test_threads_that_have_ended_are_not_waited_for(threads, cuda, to_host, schedule, n):
    out = cuda.mem_alloc(256)
    with cuda_harness.schedule(schedule):
        threads.get_function("reverse")(out, np.int32(n), block=(64, 1, 1))
    np.testing.assert_array_equal(to_host(out, 64, np.int32)[:n], np.arange(n)[::-1])


@EVERY_SCHEDULE
@pytest.mark.parametrize("yes", [0, 5, 70])
def test_barriers_that_count(threads, cuda, to_device, to_host, schedule, yes):
    x = (np.arange(70) < yes).astype(np.int32) * 3
    out = cuda.mem_alloc(12)
    with cuda_harness.schedule(schedule):
        threads.get_function("block_votes")(to_device(x), out, block=(70, 1, 1))
    count, every, some = to_host(out, 3, np.int32)
    assert (count, bool(every), bool(some)) == (yes, yes == 70, yes > 0)


@EVERY_SCHEDULE
def test_votes_of_a_warp_and_of_an_incomplete_one(threads, cuda, to_device, to_host, schedule):
    x = np.ones(40, np.int32)
    x[[3, 30]] = 0
    out = cuda.mem_alloc(24)
    with cuda_harness.schedule(schedule):
        threads.get_function("warp_votes")(to_device(x), out, block=(40, 1, 1))
    full = 0xFFFFFFFF & ~(1 << 3 | 1 << 30)
    np.testing.assert_array_equal(to_host(out, (2, 3), np.uint32), [[full, 1, 0], [0xFF, 1, 1]])


def shuffled(kind):
    lane = np.arange(32)
    segment = lane // 8 * 8
    sources = [
        (lane + 5) % 32,
        segment + 3,
        np.where(lane >= 3, lane - 3, lane),
        np.where(lane - 3 >= segment, lane - 3, lane),
        np.where(lane + 3 < 32, lane + 3, lane),
        np.where(lane + 3 < segment + 8, lane + 3, lane),
        lane ^ 5,
        lane ^ 1,
    ]
    return (np.array(sources) + 1000).astype(kind)


@pytest.mark.parametrize("kind", ["int32", "uint32", "int64", "uint64", "float32", "float64"])
def test_shuffles_take_from_the_right_lane(threads, cuda, to_host, kind):
    out = cuda.mem_alloc(256 * np.dtype(kind).itemsize)
    threads.get_function(f"shuffle_{kind}")(out, block=(32, 1, 1))
    np.testing.assert_array_equal(to_host(out, (8, 32), kind), shuffled(kind))


def test_a_lane_that_does_not_exist_gives_a_value_that_shows(threads, cuda, to_host):
    out = cuda.mem_alloc(256 * 4)
    threads.get_function("shuffle_float32")(out, block=(20, 1, 1))
    found = to_host(out, (8, 32), np.float32)[0, :20]
    np.testing.assert_array_equal(found[:15], np.arange(15) + 1005)
    assert np.isnan(found[15:]).all()


def test_shared_variables_of_template_instances_lie_apart(threads, cuda, to_host):
    out = cuda.mem_alloc(16)
    threads.get_function("apart")(out, block=(4, 1, 1))
    np.testing.assert_array_equal(to_host(out, 4, np.int32), 30)


@pytest.mark.parametrize("shared", [128, 132, 200])
def test_dynamic_shared_memory_has_the_alignment_of_its_type(threads, cuda, to_host, shared):
    out = cuda.mem_alloc(128)
    threads.get_function("aligned_line")(out, block=(32, 1, 1), shared=shared)
    np.testing.assert_array_equal(to_host(out, 32, np.int32), 0)


def test_shared_variables_can_be_declared_in_every_usual_way(threads, cuda, to_host):
    out = cuda.mem_alloc(16)
    threads.get_function("declared")(out, block=(4, 1, 1))
    np.testing.assert_array_equal(to_host(out, 4, np.int32), 7)
