"""Passes over blocks on several threads: every block once, errors come back, nothing is left waiting."""

import gc
import os
import threading
import warnings
import weakref

import numpy as np
import pytest

from tinygrad_lite.backends.cpu import parallel
from tinygrad_lite.backends.cpu.parallel import BLOCK, ENOUGH, for_blocks

TIMEOUT = 30  # seconds; never reached unless a thread hangs


@pytest.fixture(autouse=True, params=[1, 2, 4])
def threads(request, monkeypatch):
    """Every test runs with one thread, with two, and with more than there are cores."""
    monkeypatch.setattr(parallel, "_threads", request.param)
    return request.param


@pytest.mark.parametrize("total", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, ENOUGH - 1, ENOUGH, 7 * BLOCK + 5])
@pytest.mark.parametrize("block", [BLOCK, 1000])
def test_every_element_is_in_exactly_one_block(total, block):
    counts = np.zeros(total, np.int32)
    sizes = []

    def count(start, stop):
        counts[start:stop] += 1
        sizes.append(stop - start)

    for_blocks(total, block, count)
    assert (counts == 1).all()
    assert len(sizes) == -(-total // block)
    assert all(0 < size <= block for size in sizes)


def test_results_do_not_depend_on_the_threads():
    x = np.random.default_rng(0).normal(size=10 * BLOCK + 3).astype(np.float32)
    found = np.empty_like(x)
    for_blocks(x.size, BLOCK, lambda a, b: np.exp(x[a:b], found[a:b]))
    assert np.array_equal(found, np.exp(x))


def test_helpers_take_part(threads):
    """Each block waits until another thread has taken the other one."""
    met = threading.Barrier(min(threads, 2))
    names = set()

    def meet(start, stop):
        names.add(threading.current_thread().name)
        met.wait(TIMEOUT)

    for_blocks(2 * BLOCK, BLOCK, meet)
    assert len(names) == min(threads, 2)


@pytest.mark.parametrize("bad", [0, 3, 6])
def test_an_error_in_any_thread_comes_back(bad):
    def fail(start, stop):
        if start == bad * BLOCK:
            raise ZeroDivisionError("block")

    for _ in range(20):
        with pytest.raises(ZeroDivisionError, match="block"):
            for_blocks(7 * BLOCK, BLOCK, fail)
    test_every_element_is_in_exactly_one_block(7 * BLOCK, BLOCK)


def test_a_pass_inside_a_pass():
    counts = np.zeros(4 * BLOCK, np.int32)

    def outer(start, stop):
        for_blocks(4 * BLOCK, BLOCK, lambda a, b: None)
        counts[start:stop] += 1

    for_blocks(counts.size, BLOCK, outer)
    assert (counts == 1).all()


def test_passes_from_several_threads():
    arrays = [np.zeros(4 * BLOCK) for _ in range(4)]

    def work(array):
        for _ in range(20):
            for_blocks(array.size, BLOCK, lambda a, b: np.add(array[a:b], 1, array[a:b]))

    workers = [threading.Thread(target=work, args=(array,)) for array in arrays]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(TIMEOUT)
    assert all((array == 20).all() for array in arrays)


def test_helpers_do_not_warn():
    x, y = np.zeros(8 * BLOCK), np.empty(8 * BLOCK)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        for_blocks(x.size, BLOCK, lambda a, b: np.divide(x[a:b], x[a:b], y[a:b]))
    assert np.isnan(y).all()


def test_nothing_holds_on_to_a_finished_pass():
    class Work:
        def __call__(self, start, stop):
            pass

    work = Work()
    gone = weakref.ref(work)
    for _ in range(10):
        for_blocks(8 * BLOCK, BLOCK, work)
    for_blocks(2 * BLOCK, BLOCK, lambda a, b: None)
    del work
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python warns of forking with threads
def test_a_forked_child_has_helpers_of_its_own():
    for_blocks(4 * BLOCK, BLOCK, lambda a, b: None)
    child = os.fork()
    if child == 0:
        try:
            x = np.zeros(8 * BLOCK)
            for _ in range(5):
                for_blocks(x.size, BLOCK, lambda a, b: np.add(x[a:b], 1, x[a:b]))
            os._exit(0 if (x == 5).all() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("text, count", [("1", 1), ("", None), (" 1 ", 1), ("100000", None)])
def test_the_environment_decides_within_the_cores(monkeypatch, text, count):
    monkeypatch.setattr(parallel, "_threads", None)
    monkeypatch.setenv("TINYGRAD_LITE_NUM_THREADS", text)
    assert parallel.get_num_threads() == (count or parallel._cores())


def test_a_number_of_threads_may_be_set():
    parallel.set_num_threads(1)
    assert parallel.get_num_threads() == 1
    parallel.set_num_threads(10**6)
    assert parallel.get_num_threads() == parallel._cores()
