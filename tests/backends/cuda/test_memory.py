"""Device memory: blocks that are lent and used again, what is done when there is none, and copies of all sizes."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from typing import Any

import cuda_harness
import numpy as np
import pytest
from refusals import refusal

from tinygrad_lite import errors
from tinygrad_lite.backends.cuda import driver, memory
from tinygrad_lite.backends.cuda.array import empty, from_host

emulated = pytest.mark.skipif(os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu", reason="sets the GPU's memory")


@pytest.fixture
def pool() -> Iterator[memory.Pool]:
    made = memory.Pool(pooling=True)
    yield made
    assert made.active == 0


@pytest.mark.parametrize("nbytes", [0, 1, 511, 512, 513, 1000, 4096, 4097, 10**5, 2**20, 2**20 + 1, 10**9, 2**40 + 1])
def test_sizes_are_rounded_by_an_eighth_at_most(nbytes: int) -> None:
    size = memory.round_up(max(nbytes, 1))
    assert size >= nbytes
    assert size % memory.SMALLEST == 0
    assert size - nbytes <= max(memory.SMALLEST, nbytes / 8)
    assert memory.round_up(size) == size


def test_blocks_are_used_again_by_what_fits_them(pool: memory.Pool) -> None:
    first = pool.allocate(100_000)
    address = first.address
    assert address % 256 == 0 or cuda_harness.installed()
    assert (first.size, first.nbytes, pool.active, pool.held, pool.allocations) == (106_496, 106_496, 106_496, 0, 1)
    del first
    assert (pool.active, pool.held) == (0, 106_496)
    again = pool.allocate(106_000)
    assert (again.address, pool.held, pool.allocations) == (address, 0, 1)
    other = pool.allocate(50_000)
    assert pool.allocations == 2
    assert other.address != address
    del again, other


def test_the_peak_is_of_all_pools_together(pool: memory.Pool) -> None:
    before = memory.usage.active
    blocks = [pool.allocate(1 << 20), memory.main_pool.allocate(1 << 20)]
    assert memory.usage.active == before + (2 << 20)
    assert memory.usage.peak >= before + (2 << 20)
    del blocks
    assert memory.usage.active == before


def test_what_is_held_goes_back_to_the_driver(pool: memory.Pool) -> None:
    kept, gone = pool.allocate(3000), pool.allocate(5000)
    del gone
    pool.free_held()
    assert (pool.held, pool.active) == (0, kept.size)
    assert pool.allocate(5000).size == 5120
    del kept


def test_without_pooling_every_block_goes_back_at_once() -> None:
    pool = memory.Pool(pooling=False)
    block = pool.allocate(1000)
    del block
    assert (pool.held, pool.active) == (0, 0)
    pool.allocate(1000)
    assert pool.allocations == 2


@pytest.mark.skipif(not memory.POOLING, reason="nothing is used twice")
def test_the_memory_of_a_pool_that_is_gone_is_used_by_others() -> None:
    pool = memory.Pool()
    block = pool.allocate(777_777)
    address = block.address
    del block, pool
    gc.collect()
    assert memory.main_pool.allocate(777_777).address == address


@pytest.mark.parametrize("pooling", [True, False])
def test_blocks_may_end_on_any_thread(pooling: bool) -> None:
    pool = memory.Pool(pooling)
    held = [[pool.allocate(1000 * (k + 1)) for k in range(5)] for _ in range(4)]
    threads = [threading.Thread(target=blocks.clear) for blocks in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.active == 0
    sizes = [1000 * (k + 1) for k in range(5)]
    assert pool.held == 4 * sum(map(memory.round_up, sizes) if pooling else sizes)
    pool.free_held()
    assert pool.held == 0


# --- pins ---------------------------------------------------------------------------------------------------


def test_pinned_memory_is_not_lent_until_nobody_needs_it(pool: memory.Pool) -> None:
    used, free = pool.allocate(2000), pool.allocate(2000)
    addresses = {used.address, free.address}
    del free
    assert pool.owners(address + 100 for address in addresses) == addresses
    assert pool.owners([0, max(addresses) + (1 << 30)]) == set()
    for _ in range(2):
        pool.pin(addresses)
    del used
    assert pool.living() == addresses
    others = [pool.allocate(2000) for _ in range(3)]
    assert not addresses & {other.address for other in others}
    pool.unpin(addresses)
    assert pool.held == 0
    pool.unpin(addresses)
    assert pool.held == 2 * 2048
    assert {pool.allocate(2000).address for _ in range(1)} <= addresses
    del others


# --- when there is none -------------------------------------------------------------------------------------


@pytest.fixture
def small() -> Iterator[None]:
    memory.main_pool.free_held()
    gc.collect()
    import pycuda.driver as cuda

    free, total = cuda.mem_get_info()
    cuda_harness.set_memory(total - free + (1 << 20))
    yield
    cuda_harness.set_memory(8 << 30)


@emulated
@pytest.mark.usefixtures("small")
def test_without_memory_first_garbage_is_collected_then_the_pool_emptied() -> None:
    gc.collect()
    knot: list[Any] = [memory.allocate(600_000)]
    knot.append(knot)
    address = knot[0].address
    del knot
    found = memory.allocate(600_000)  # by the collector, and of the right size
    assert found.address == address or not memory.POOLING
    del found
    assert memory.allocate(900_000).size >= 900_000  # what was held had to go
    with pytest.raises(errors.OutOfMemoryError):
        memory.allocate(2_000_000)
    assert memory.allocate(900_000).size >= 900_000


@emulated
@pytest.mark.usefixtures("small")
def test_the_refusal_says_how_much_there_is_and_who_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_holders", [lambda: "parameters 3.0 KiB"])
    held = memory.readable(memory.usage.active)
    text = refusal(errors.OutOfMemoryError, lambda: memory.allocate(3 << 20))
    assert text == (
        f"cuda has 1.0 MiB free of {_total()}, but 3.0 MiB are needed; this process holds {held} in arrays"
        " and 0 B for new ones; parameters 3.0 KiB\n"
        "  hint  smaller batches, no_grad() where no gradient is needed, or checkpoint() take less"
    )


def _total() -> str:
    import pycuda.driver as cuda

    return memory.readable(cuda.mem_get_info()[1])


def test_more_than_an_address_space_is_refused_as_memory() -> None:
    with pytest.raises(errors.OutOfMemoryError):
        empty((2**40, 2**40), np.dtype("f8"))


@pytest.mark.parametrize(
    "nbytes, text", [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 29, "1.5 GiB"), (5 << 40, "5120.0 GiB")]
)
def test_numbers_of_bytes_as_one_reads_them(nbytes: int, text: str) -> None:
    assert memory.readable(nbytes) == text


# --- copies -------------------------------------------------------------------------------------------------

SIZES = [1, 65535, 65536, 65537, memory.STAGE - 1, memory.STAGE, memory.STAGE + 1, 2 * memory.STAGE + 3, 9 << 20]


@pytest.fixture(params=[False, pytest.param(True, marks=emulated)], ids=["at once", "late"])
def order(request: pytest.FixtureRequest) -> Iterator[None]:
    """The emulated GPU does its work at once, or only when something waits for it."""
    if request.param:
        cuda_harness.set_asynchronous(True)
    yield
    driver.current().synchronize()
    if request.param:
        cuda_harness.set_asynchronous(False)


@pytest.mark.usefixtures("order")
def test_copies_of_all_sizes_there_and_back() -> None:
    rng = np.random.default_rng(3)
    whole = rng.integers(0, 256, 9 << 20, dtype=np.uint8)
    for size in SIZES:
        source = whole[:size].copy()
        x = from_host(source)
        source[:] = 0  # what was uploaded may change now
        y = from_host(whole[-size:])
        np.testing.assert_array_equal(x.get(), whole[:size])
        np.testing.assert_array_equal(y.get(), whole[-size:])


@pytest.mark.usefixtures("order")
def test_memory_that_is_used_again_keeps_the_order_of_the_stream() -> None:
    results = []
    for k in range(5):
        x = from_host(np.full(100_000, k, np.float32))
        results.append(x.copy())
        del x  # its memory is written by the next upload
    assert [float(result.get()[-1]) for result in results] == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("order")
def test_fillings_of_one_two_and_four_bytes() -> None:
    x = empty((16,), np.dtype("u1"))
    memory.fill(x.address, 16, b"\1")
    memory.fill(x.address, 2, b"\2\3")
    memory.fill(x.address + 4, 2, b"\4\5\6\7")
    memory.fill_zero(x.address + 12, 3)
    assert x.tolist() == [2, 3, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 0, 0, 0, 1]


def test_counters_are_zero_and_stay_where_they_are() -> None:
    address = memory.counters()
    assert memory.counters() == address
    held = from_host(np.ones(memory.COUNTERS, np.int32))
    memory.copy(held.address, address, held.nbytes)
    assert not held.get().any()
