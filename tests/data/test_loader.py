"""The loader: what batches come in which order, with and without its thread."""

import contextlib
import gc
import threading
import weakref

import numpy as np
import pytest

from tinygrad_lite import errors
from tinygrad_lite.data import DataLoader, Subset, TensorDataset
from tinygrad_lite.data.prefetch import Prefetch

X = np.arange(20.0, dtype=np.float32).reshape(10, 2)
Y = np.arange(10)
DATA = TensorDataset(X, Y)
JOIN = 30  # seconds; never reached unless a thread hangs


def order(loader):
    """The labels of one epoch, batch by batch."""
    return [y.numpy().tolist() for _, y in loader]


# Batches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [0, 1, 3])
@pytest.mark.parametrize(
    "size, drop_last, batches",
    [
        (4, False, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]),
        (4, True, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (5, True, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]),
        (99, False, [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]),
        (99, True, []),
    ],
)
def test_batches_follow_the_dataset(size, drop_last, batches, prefetch):
    loader = DataLoader(DATA, size, drop_last=drop_last, prefetch=prefetch)
    assert order(loader) == batches
    assert len(loader) == len(batches)


def test_the_rows_of_a_batch_belong_together():
    for x, y in DataLoader(DATA, 3, shuffle=True):
        assert np.array_equal(x.numpy(), X[y.numpy()])
        assert x.numpy().dtype == np.float32


def test_a_batch_is_independent_of_the_dataset():
    x, _ = next(iter(DataLoader(DATA, 10)))
    assert not np.shares_memory(x.numpy(), X)


def test_a_tensor_dataset_is_never_asked_for_single_samples(monkeypatch):
    monkeypatch.setattr(TensorDataset, "__getitem__", None)
    assert order(DataLoader(Subset(DATA, range(4)), 2)) == [[0, 1], [2, 3]]


class Squares:
    """A dataset that computes its samples."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"root": index, "square": float(index * index)}


@pytest.mark.parametrize("prefetch", [0, 2])
def test_any_dataset_is_collated(prefetch):
    batches = list(DataLoader(Squares(), 3, prefetch=prefetch))
    assert [batch["root"].numpy().tolist() for batch in batches] == [[0, 1, 2], [3, 4]]
    assert [batch["square"].numpy().tolist() for batch in batches] == [[0, 1, 4], [9, 16]]


def test_an_array_is_a_dataset():
    assert [batch.numpy().tolist() for batch in DataLoader(Y, 5)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_collate_fn_gets_the_samples(prefetch):
    loader = DataLoader(["a", "b", "c"], 2, collate_fn="".join, prefetch=prefetch)
    assert list(loader) == ["ab", "c"]


def test_samplers_replace_the_order():
    assert order(DataLoader(DATA, 2, sampler=[3, 1, 2])) == [[3, 1], [2]]
    assert order(DataLoader(DATA, batch_sampler=[[5], [4, 3]])) == [[5], [4, 3]]
    assert len(DataLoader(DATA, 2, sampler=[3, 1, 2])) == 2
    assert len(DataLoader(DATA, batch_sampler=[[5], [4, 3]])) == 2


def test_a_sampler_without_length_has_no_len():
    loader = DataLoader(DATA, 2, sampler=(i for i in (7, 8, 9)))
    with pytest.raises(TypeError, match="has no len"):
        len(loader)
    assert order(loader) == [[7, 8], [9]]


# Epochs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [0, 2])
def test_shuffling_depends_on_seed_and_epoch_alone(prefetch):
    def loader(seed):
        return DataLoader(DATA, 4, shuffle=True, seed=seed, prefetch=prefetch)

    first = loader(1)
    epochs = [order(first) for _ in range(3)]
    assert all(sorted(np.concatenate(epoch)) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]

    again = loader(1)
    again.set_epoch(2)
    assert order(again) == epochs[2]
    again.set_epoch(0)
    assert order(again) == epochs[0]
    assert order(loader(2)) != epochs[0]


def test_prefetch_changes_nothing():
    plain, ahead = (DataLoader(DATA, 3, shuffle=True, seed=5, prefetch=n) for n in (0, 4))
    assert [order(plain) for _ in range(3)] == [order(ahead) for _ in range(3)]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_overlapping_iterations_are_epochs_of_their_own(prefetch):
    loader = DataLoader(DATA, 4, shuffle=True, seed=1, prefetch=prefetch)
    first, second = iter(loader), iter(loader)
    mixed = [(a[1].numpy().tolist(), b[1].numpy().tolist()) for a, b in zip(first, second, strict=True)]
    loader.set_epoch(0)
    assert [list(epoch) for epoch in zip(*mixed, strict=True)] == [order(loader), order(loader)]


def test_an_early_break_ends_the_epoch():
    loader = DataLoader(DATA, 4, shuffle=True, seed=1)
    for _ in loader:
        break
    rest = order(loader)
    loader.set_epoch(1)
    assert order(loader) == rest


def test_the_state_restores_the_next_epoch():
    saved = DataLoader(DATA, 4, shuffle=True, seed=1)
    order(saved)
    order(saved)
    state = saved.state_dict()
    assert state == {"epoch": 2}
    restored = DataLoader(DATA, 4, shuffle=True, seed=1)
    restored.load_state_dict(state)
    assert order(restored) == order(saved)


def test_a_sampler_with_set_epoch_is_told_the_epoch():
    told = []

    class Sampler:
        def set_epoch(self, epoch):
            told.append(epoch)

        def __iter__(self):
            return iter([0])

    loader = DataLoader(DATA, sampler=Sampler())
    list(loader)
    list(loader)
    assert told == [0, 1]


# Errors -----------------------------------------------------------------------------------------------

REFUSED = {
    "batch_size 0": (
        {"batch_size": 0},
        "batch_size to be an integer of at least 1, but got 0",
        "",
    ),
    "batch_size 1.5": (
        {"batch_size": 1.5},
        "batch_size to be an integer of at least 1, but got 1.5",
        "",
    ),
    "seed": ({"seed": -1}, "seed to be an integer of at least 0, but got -1", ""),
    "prefetch": ({"prefetch": -2}, "prefetch to be an integer of at least 0, but got -2", ""),
    "empty": ({"dataset": []}, "at least one sample, but the dataset is empty", ""),
    "sampler and shuffle": (
        {"sampler": [1], "shuffle": True},
        "either sampler or shuffle=True, but got both",
        "leave out shuffle=True",
    ),
    "batch_sampler and batch_size": (
        {"batch_sampler": [[1]], "batch_size": 2},
        "either batch_sampler or batch_size, but got both",
        "leave out batch_size",
    ),
    "batch_sampler and shuffle": (
        {"batch_sampler": [[1]], "shuffle": True},
        "either batch_sampler or shuffle=True, but got both",
        "leave out shuffle=True",
    ),
    "batch_sampler and sampler": (
        {"batch_sampler": [[1]], "sampler": [1]},
        "either batch_sampler or sampler, but got both",
        "leave out sampler",
    ),
    "batch_sampler and drop_last": (
        {"batch_sampler": [[1]], "drop_last": True},
        "either batch_sampler or drop_last=True, but got both",
        "leave out drop_last=True",
    ),
}


@pytest.mark.parametrize("arguments, need, hint", REFUSED.values(), ids=REFUSED)
def test_bad_arguments_are_refused(message, arguments, need, hint):
    with pytest.raises(errors.ArgumentError) as caught:
        DataLoader(**{"dataset": DATA} | arguments)
    line = 'test_loader.py:N: DataLoader(**{"dataset": DATA} | arguments)'
    rows = f"  at    {line}\n  hint  {hint}" if hint else f"  at  {line}"
    assert message(caught) == f"DataLoader needs {need}\n{rows}"


def test_a_dataset_needs_length_and_samples(message):
    with pytest.raises(errors.DTypeError) as caught:
        DataLoader(iter([1, 2]))
    assert message(caught) == (
        "DataLoader needs a dataset with __len__ and __getitem__, but got a list_iterator\n"
        "  at    test_loader.py:N: DataLoader(iter([1, 2]))\n"
        "  hint  for arrays use TensorDataset(x, y)"
    )


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("dataset", [DATA, list(Y)], ids=["arrays", "list"])
def test_a_sampler_out_of_range_is_blamed(message, dataset, prefetch):
    loader = DataLoader(dataset, 2, sampler=[9, 10], prefetch=prefetch)
    with pytest.raises(errors.IndexingError) as caught:
        list(loader)
    assert message(caught) == (
        "DataLoader needs sample numbers below 10, but the sampler gave 10\n  at  test_loader.py:N: list(loader)"
    )


def test_an_index_error_of_the_dataset_itself_is_passed_on():
    class Broken(Squares):
        def __getitem__(self, index):
            return [][index]

    with pytest.raises(IndexError, match="list index out of range") as caught:
        list(DataLoader(Broken()))
    assert not isinstance(caught.value, errors.Error)


def test_a_foreign_or_bad_state_is_refused_and_changes_nothing(message):
    loader = DataLoader(DATA)
    loader.set_epoch(3)
    with pytest.raises(errors.StateError) as caught:
        loader.load_state_dict({"epoch": 1, "lr": 2})
    assert message(caught) == (
        "DataLoader.load_state_dict needs the one key 'epoch', but got ['epoch', 'lr']\n"
        '  at  test_loader.py:N: loader.load_state_dict({"epoch": 1, "lr": 2})'
    )
    with pytest.raises(errors.ArgumentError) as caught:
        loader.load_state_dict({"epoch": -1})
    assert message(caught) == (
        "DataLoader.set_epoch needs epoch to be an integer of at least 0, but got -1\n"
        '  at  test_loader.py:N: loader.load_state_dict({"epoch": -1})'
    )
    assert loader.epoch == 3


# The thread -------------------------------------------------------------------------------------------


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
    assert message(caught).endswith("at  test_loader.py:N: return TensorDataset()")
