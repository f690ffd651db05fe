"""The loader: what batches come in which order, with and without its thread."""

import numpy as np
import pytest

from tinygrad_lite import errors
from tinygrad_lite.data import DataLoader, Subset, TensorDataset

X = np.arange(20.0, dtype=np.float32).reshape(10, 2)
Y = np.arange(10)
DATA = TensorDataset(X, Y)


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
        "it is the number of samples per batch; len(dataset) puts all into one",
    ),
    "batch_size 1.5": (
        {"batch_size": 1.5},
        "batch_size to be an integer of at least 1, but got 1.5",
        "it is the number of samples per batch; len(dataset) puts all into one",
    ),
    "seed": ({"seed": -1}, "seed to be an integer of at least 0, but got -1", ""),
    "prefetch": ({"prefetch": -2}, "prefetch to be an integer of at least 0, but got -2", ""),
    "empty": ({"dataset": []}, "at least one sample, but the dataset is empty", "was everything filtered out?"),
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


WRONG_KINDS = [
    (
        {"sampler": 5},
        "sampler to be iterable, but got 5",
        "pass sampler=RandomSampler(dataset), or a list of sample numbers",
    ),
    (
        {"batch_sampler": 5},
        "batch_sampler to be iterable, but got 5",
        "pass a list with a list of sample numbers for every batch",
    ),
    ({"collate_fn": 5}, "collate_fn to be a function, but got 5", "it is called with a list of samples"),
]


@pytest.mark.parametrize("arguments, need, hint", WRONG_KINDS)
def test_arguments_of_the_wrong_kind_are_refused_at_construction(message, arguments, need, hint):
    with pytest.raises(errors.DTypeError) as caught:
        DataLoader(DATA, **arguments)
    line = "test_loader.py:N: DataLoader(DATA, **arguments)"
    assert message(caught) == f"DataLoader needs {need}\n  at    {line}\n  hint  {hint}"


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("collate_fn", [None, list])
@pytest.mark.parametrize("number, shown", [(1.5, "1.5"), (True, "True"), ("1", "'1'"), (None, "None")])
def test_sample_numbers_that_are_no_integers_are_refused(message, number, shown, collate_fn, prefetch):
    loader = DataLoader(DATA, 2, sampler=[0, number], collate_fn=collate_fn, prefetch=prefetch)
    with pytest.raises(errors.IndexingError) as caught:
        list(loader)
    assert message(caught) == (
        f"DataLoader needs integers as sample numbers, but the sampler gave {shown}\n"
        "  at  test_loader.py:N: list(loader)"
    )


def test_a_batch_sampler_without_batches_is_refused(message):
    loader = DataLoader(DATA, batch_sampler=[0, 1])
    with pytest.raises(errors.DTypeError) as caught:
        list(loader)
    assert message(caught) == (
        "DataLoader needs lists of sample numbers, but batch_sampler gave 0\n"
        "  at    test_loader.py:N: list(loader)\n"
        "  hint  single sample numbers go into sampler="
    )


def test_sample_numbers_may_be_any_integers():
    numbers = [np.int64(3), np.uint8(1), -1]
    batch = next(iter(DataLoader(list(Y), batch_sampler=[numbers])))
    assert batch.numpy().tolist() == [Y[3], Y[1], Y[-1]]
    assert next(iter(DataLoader(list(Y), batch_sampler=[np.array([3, 1])]))).numpy().tolist() == [Y[3], Y[1]]


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
        "DataLoader needs sample numbers below 10, but the sampler gave 10\n"
        "  at    test_loader.py:N: list(loader)\n"
        "  hint  was the sampler made for another dataset?"
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
        '  at    test_loader.py:N: loader.load_state_dict({"epoch": 1, "lr": 2})\n'
        "  hint  was it saved by a DataLoader?"
    )
    with pytest.raises(errors.ArgumentError) as caught:
        loader.load_state_dict({"epoch": -1})
    assert message(caught) == (
        "DataLoader.set_epoch needs epoch to be an integer of at least 0, but got -1\n"
        '  at  test_loader.py:N: loader.load_state_dict({"epoch": -1})'
    )
    assert loader.epoch == 3
