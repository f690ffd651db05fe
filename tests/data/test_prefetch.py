"""The loader's thread: it ends when nobody needs it, keeps its bound, and passes on what goes wrong."""

import contextlib
import gc
import threading
import weakref

import numpy as np
import pytest

from tinygrad_lite import errors
from tinygrad_lite.data import DataLoader, TensorDataset
from tinygrad_lite.data.prefetch import Prefetch

DATA = TensorDataset(np.arange(20.0, dtype=np.float32).reshape(10, 2), np.arange(10))
JOIN = 30  # seconds; never reached unless a thread hangs


class Squares:
    """A dataset that computes its samples."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"root": index, "square": float(index * index)}


def ended(thread):
    thread.join(JOIN)
    return not thread.is_alive()


def test_the_thread_ends_with_the_epoch():
    batches = iter(DataLoader(DATA, 4, prefetch=2))
    assert len(list(batches)) == 3
    assert ended(batches.thread)
    with pytest.raises(StopIteration):
        next(batches)


def test_the_thread_ends_after_an_early_break():
    batches = iter(DataLoader(DATA, 1, prefetch=2))
    thread = batches.thread
    for _ in batches:
        break
    assert thread.is_alive()  # the queue is full and seven batches are left
    del batches
    gc.collect()
    assert ended(thread)


def test_close_ends_the_thread():
    batches = iter(DataLoader(DATA, 1, prefetch=1))
    next(batches)
    batches.close()
    assert not batches.thread.is_alive()
    assert list(batches) == []


def test_no_thread_is_left_behind():
    before = set(threading.enumerate())
    for _ in range(20):
        for _ in DataLoader(DATA, 2, prefetch=2):
            break
    gc.collect()
    assert all(ended(thread) for thread in set(threading.enumerate()) - before)


def test_the_thread_stays_within_its_bound():
    """With two items waiting the source is asked for a third at most, until the consumer takes one."""
    produced, wanted = [], threading.Semaphore(0)

    def source():
        for i in range(10):
            produced.append(i)
            wanted.release()
            yield i

    batches = Prefetch(source(), 2)
    for taken in range(4):
        for _ in range(3 if taken == 0 else 1):
            assert wanted.acquire(timeout=JOIN)
        assert produced == list(range(taken + 3))
        assert next(batches) == taken
    batches.close()


class Failure(Exception):
    pass


@pytest.mark.parametrize("kind", [Failure, SystemExit, KeyboardInterrupt])
def test_an_exception_arrives_in_its_place_with_its_type(kind):
    class Failing(Squares):
        def __getitem__(self, index):
            if index == 3:
                raise kind("sample 3")
            return index

    batches = iter(DataLoader(Failing(), 1, prefetch=5))
    assert [next(batches).numpy().tolist() for _ in range(3)] == [[0], [1], [2]]
    with pytest.raises(kind, match="sample 3"):
        next(batches)
    assert ended(batches.thread)
    with pytest.raises(StopIteration):
        next(batches)


def test_a_failed_epoch_frees_its_dataset_at_once():
    class Failing(Squares):
        def __getitem__(self, index):
            raise Failure

    dataset = Failing()
    alive = weakref.ref(dataset)
    gc.collect()
    gc.disable()
    try:
        batches = iter(DataLoader(dataset, prefetch=1))
        with contextlib.suppress(Failure):
            next(batches)
        assert ended(batches.thread)
        del dataset, batches
        assert alive() is None
    finally:
        gc.enable()


def test_an_error_of_the_package_in_the_users_dataset_keeps_the_users_line(message):
    class Wrong(Squares):
        def __getitem__(self, index):
            return TensorDataset()

    with pytest.raises(errors.ArgumentError) as caught:
        list(DataLoader(Wrong(), prefetch=1))
    assert "\n  at    test_prefetch.py:N: return TensorDataset()\n" in message(caught)
