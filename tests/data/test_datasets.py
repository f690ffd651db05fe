"""Datasets, random splits, samplers and collation."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lite import errors
from tinygrad_lite.data import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)
from tinygrad_lite.functions.creation import asarray

X = np.arange(12.0, dtype=np.float32).reshape(6, 2)
Y = np.arange(6) * 10


# Datasets ---------------------------------------------------------------------------------------------


def test_a_tensor_dataset_pairs_the_rows():
    dataset = TensorDataset(X, Y)
    x, y = dataset[2]
    assert len(dataset) == 6
    assert x.tolist() == [4.0, 5.0]
    assert y == 20
    with pytest.raises(IndexError):
        dataset[6]


def test_a_batch_equals_the_stacked_samples():
    dataset = TensorDataset(X, Y)
    x, y = dataset.get_batch([5, 0, 0, -1])
    assert np.array_equal(x, np.stack([dataset[i][0] for i in (5, 0, 0, -1)]))
    assert y.tolist() == [50, 0, 0, 50]
    assert not np.shares_memory(x, X)


def test_a_tensor_dataset_takes_tensors():
    dataset = TensorDataset(asarray(X), asarray(Y))
    x, y = dataset.get_batch([1, 3])
    assert isinstance(x, np.ndarray)
    assert x.tolist() == [[2.0, 3.0], [6.0, 7.0]]
    assert y.tolist() == [10, 30]


def test_a_tensor_dataset_shares_contiguous_arrays_and_copies_others_once():
    shared, copied = TensorDataset(X).arrays[0], TensorDataset(X.T).arrays[0]
    assert np.shares_memory(shared, X)
    assert copied.flags.c_contiguous


def test_tensor_dataset_refuses(message):
    with pytest.raises(errors.ArgumentError) as caught:
        TensorDataset()
    assert message(caught) == (
        "TensorDataset needs at least one array, but got none\n"
        "  at    test_datasets.py:N: TensorDataset()\n"
        "  hint  pass inputs and targets: TensorDataset(x, y)"
    )
    with pytest.raises(errors.ShapeError) as caught:
        TensorDataset(X, Y[:5])
    assert message(caught) == (
        "TensorDataset needs arrays of equal length, but got 6 != 5\n"
        "  array 0  shape (6, 2), float32, cpu\n"
        "  array 1  shape (5,), int64, cpu\n"
        "  at       test_datasets.py:N: TensorDataset(X, Y[:5])\n"
        "  hint     the first axis counts the samples, of which every array has one row each"
    )
    with pytest.raises(errors.ShapeError) as caught:
        TensorDataset(X, np.array(3))
    assert message(caught) == (
        "TensorDataset needs arrays with rows, but one has shape ()\n"
        "  array 0  shape (6, 2), float32, cpu\n"
        "  array 1  shape (), int64, cpu\n"
        "  at       test_datasets.py:N: TensorDataset(X, np.array(3))\n"
        "  hint     a sample is a row: x.reshape(1, -1) has one"
    )
    with pytest.raises(errors.DTypeError) as caught:
        TensorDataset(X, [1, 2])
    assert message(caught) == (
        "TensorDataset needs NumPy arrays or Tensors, but array 1 is a list\n"
        "  array 1  [1, 2]\n"
        "  at       test_datasets.py:N: TensorDataset(X, [1, 2])\n"
        "  hint     make it an array first: np.asarray(...)"
    )


def test_a_subset_renumbers():
    subset = Subset(TensorDataset(X, Y), [4, 1, 1])
    assert len(subset) == 3
    assert [subset[i][1] for i in range(3)] == [40, 10, 10]
    assert subset.get_batch([0, 2])[1].tolist() == [40, 10]
    assert Subset(subset, [2]).get_batch([0])[1].tolist() == [10]
    assert Subset([1.0, 2.0, 3.0], np.array([2, 0])).get_batch([1, 0]).tolist() == [1.0, 3.0]


def test_subset_refuses_other_indices(message):
    with pytest.raises(errors.IndexingError) as caught:
        Subset(Y, [0, 6])
    assert message(caught) == (
        "Subset needs indices from 0 to 5, but got 6\n  at  test_datasets.py:N: Subset(Y, [0, 6])"
    )
    with pytest.raises(errors.IndexingError) as caught:
        Subset(Y, [0, -1])
    assert message(caught) == (
        "Subset needs indices from 0 to 5, but got -1\n"
        "  at    test_datasets.py:N: Subset(Y, [0, -1])\n"
        "  hint  counted from the end: 5"
    )


NO_INTEGERS = [
    (np.array([True, False, True, False, False, False]), "True"),
    ([0, False], "False"),
    ([1.5], "1.5"),
    (np.array([0.0]), "0.0"),
    ("0", "'0'"),
    ([[1]], "[1]"),
    ([np.bool_(True)], "np.True_"),
]


@pytest.mark.parametrize("indices, shown", NO_INTEGERS)
def test_subset_refuses_what_are_no_integers(message, indices, shown):
    with pytest.raises(errors.IndexingError) as caught:
        Subset(Y, indices)
    assert message(caught) == (
        f"Subset needs integers as indices, but got {shown}\n"
        "  at    test_datasets.py:N: Subset(Y, indices)\n"
        "  hint  of a mask take np.flatnonzero(mask)"
    )


def test_a_tensor_dataset_converts_other_byte_orders():
    dataset = TensorDataset(X.astype(">f4"), Y.astype(">i8"))
    assert [str(array.dtype) for array in dataset.arrays] == ["float32", "int64"]
    assert dataset.get_batch([1])[0].tolist() == [[2.0, 3.0]]


SPLITS = [
    (10, [7, 3], [7, 3]),
    (10, [10, 0], [10, 0]),
    (1, [1, 0], [1, 0]),
    (10, [0.7, 0.3], [7, 3]),
    (100, [0.29, 0.71], [29, 71]),
    (10, [0.25, 0.25, 0.5], [3, 2, 5]),
    (10, [1.0], [10]),
    (1, [0.5, 0.5], [1, 0]),
    (0, [], []),
]


@pytest.mark.parametrize("total, lengths, sizes", SPLITS)
def test_random_split_divides_without_overlap(total, lengths, sizes):
    parts = random_split(range(total), lengths, seed=3)
    assert [len(part) for part in parts] == sizes
    assert sorted(i for part in parts for i in part.indices) == list(range(total))


def test_random_split_depends_on_the_seed_alone():
    first, again, other = (random_split(range(50), [25, 25], seed=seed)[0].indices for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("lengths", [[5, 4], [0.5, 0.4], [12, -2], [1.5, -0.5], [7.0, 3.0], []])
def test_random_split_refuses(message, lengths):
    with pytest.raises(errors.ArgumentError) as caught:
        random_split(range(10), lengths)
    assert message(caught) == (
        f"random_split needs sizes that add up to 10 or fractions that add up to 1, but got {lengths}\n"
        "  at    test_datasets.py:N: random_split(range(10), lengths)\n"
        "  hint  the last size may be computed: [n, 10 - n]"
    )


def test_random_split_refuses_one_number(message):
    with pytest.raises(errors.DTypeError) as caught:
        random_split(range(10), 8)
    assert message(caught) == (
        "random_split needs a list of sizes or fractions\n"
        "  lengths  8\n"
        "  at       test_datasets.py:N: random_split(range(10), 8)\n"
        "  hint     pass both parts: [8, ...]"
    )


# Samplers ---------------------------------------------------------------------------------------------


def test_the_sequential_sampler_counts():
    assert list(SequentialSampler(Y)) == [0, 1, 2, 3, 4, 5]
    assert len(SequentialSampler(Y)) == 6


def test_the_random_order_depends_on_seed_and_epoch_alone():
    orders = {}
    for seed in (0, 1):
        for epoch in (0, 1, 2):
            sampler = RandomSampler(range(40), seed=seed)
            sampler.set_epoch(epoch)
            orders[seed, epoch] = tuple(sampler)
            assert tuple(sampler) == orders[seed, epoch]
            assert sorted(sampler) == list(range(40))
            assert len(sampler) == 40
    assert len(set(orders.values())) == 6


def test_the_random_order_is_numpys_for_this_seed_and_epoch():
    sampler = RandomSampler(range(9), seed=7)
    sampler.set_epoch(2)
    generator = np.random.default_rng(np.random.SeedSequence([7, 2]))
    assert list(sampler) == generator.permutation(9).tolist()


@given(count=st.integers(0, 30), size=st.integers(1, 12), drop_last=st.booleans())
def test_batches_partition_the_order(count, size, drop_last):
    sampler = BatchSampler(SequentialSampler(range(count)), size, drop_last)
    batches = list(sampler)
    used = count // size * size if drop_last else count
    assert [i for batch in batches for i in batch] == list(range(used))
    assert all(len(batch) == size for batch in batches[:-1])
    assert len(sampler) == len(batches)


SEEDS = [(-1, "-1"), (1.5, "1.5"), ("a", "'a'"), (True, "True")]


@pytest.mark.parametrize("seed, shown", SEEDS)
def test_samplers_refuse_seeds(message, seed, shown):
    with pytest.raises(errors.ArgumentError) as caught:
        RandomSampler(Y, seed=seed)
    assert message(caught) == (
        f"RandomSampler needs seed to be an integer of at least 0, but got {shown}\n"
        "  at  test_datasets.py:N: RandomSampler(Y, seed=seed)"
    )
    with pytest.raises(errors.ArgumentError) as caught:
        RandomSampler(Y).set_epoch(seed)
    assert message(caught) == (
        f"RandomSampler.set_epoch needs epoch to be an integer of at least 0, but got {shown}\n"
        "  at  test_datasets.py:N: RandomSampler(Y).set_epoch(seed)"
    )
    with pytest.raises(errors.ArgumentError) as caught:
        random_split(Y, [6], seed=seed)
    assert message(caught) == (
        f"random_split needs seed to be an integer of at least 0, but got {shown}\n"
        "  at  test_datasets.py:N: random_split(Y, [6], seed=seed)"
    )


def test_batch_sampler_refuses_empty_batches(message):
    with pytest.raises(errors.ArgumentError) as caught:
        BatchSampler([1], 0)
    assert message(caught) == (
        "BatchSampler needs batch_size to be an integer of at least 1, but got 0\n"
        "  at    test_datasets.py:N: BatchSampler([1], 0)\n"
        "  hint  it is the number of samples per batch; len(dataset) puts all into one"
    )


# Collation --------------------------------------------------------------------------------------------

Point = namedtuple("Point", "x y")

LEAVES = [
    ([1.5, 2.5], np.array([1.5, 2.5], np.float32)),
    ([1, 2.5], np.array([1, 2.5], np.float32)),
    ([1, 2], np.array([1, 2], np.int64)),
    ([True, False], np.array([True, False])),
    ([np.float64(1.5), np.float64(2.5)], np.array([1.5, 2.5])),
    ([np.uint8(1), np.uint8(2)], np.array([1, 2], np.uint8)),
    ([X[0], X[1]], X[:2]),
    ([asarray(X[0]), asarray(X[1])], X[:2]),
]


@pytest.mark.parametrize("samples, batch", LEAVES)
def test_collation_stacks_arrays_and_numbers(samples, batch):
    found = default_collate(samples).numpy()
    assert found.dtype == batch.dtype
    assert np.array_equal(found, batch)


def plain(batch):
    """The batch with lists of numbers in place of Tensors."""
    if hasattr(batch, "numpy"):
        return batch.numpy().tolist()
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        parts = [plain(part) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


STRUCTURES = [
    ([(1, 2), (3, 4)], ([1, 3], [2, 4])),
    ([[1, 2], [3, 4]], [[1, 3], [2, 4]]),
    ([Point(1, 2), Point(3, 4)], Point([1, 3], [2, 4])),
    ([{"a": 1, "b": (2, 3)}, {"b": (5, 6), "a": 4}], {"a": [1, 4], "b": ([2, 5], [3, 6])}),
    ([("zero", 0), ("one", 1)], (["zero", "one"], [0, 1])),
    ([(None, 0), (None, 1)], ([None, None], [0, 1])),
]


@pytest.mark.parametrize("samples, batch", STRUCTURES)
def test_collation_keeps_the_structure(samples, batch):
    found = plain(default_collate(samples))
    assert found == batch
    assert type(found) is type(batch)


def test_collation_refuses_an_empty_list(message):
    with pytest.raises(errors.ArgumentError) as caught:
        default_collate([])
    assert message(caught) == (
        "default_collate needs at least one sample, but got none\n"
        "  at    test_datasets.py:N: default_collate([])\n"
        "  hint  leave empty batches out"
    )


MISFITS = {
    "shapes": (
        [(X[0], 1), (X, 1)],
        errors.ShapeError,
        "one shape for sample[0], but got (2,) in sample 0 and (6, 2) in sample 1",
        "\n  hint  pad the samples to one shape, or pass collate_fn to form the batches yourself",
    ),
    "objects": (
        [{"a": 1}, {"a": object()}],
        errors.DTypeError,
        "arrays, numbers or strings, but sample['a'] is a object in sample 1",
        "\n  hint  pass collate_fn to form the batches yourself",
    ),
    "lengths": (
        [(1, 2), (1, 2, 3)],
        errors.ArgumentError,
        "one structure for sample, but got tuple of 2 in sample 0 and tuple of 3 in sample 1",
        "\n  hint  give every sample the same parts, or pass collate_fn to form the batches yourself",
    ),
    "keys": (
        [{"a": 1}, {"a": 1}, {"b": 1}],
        errors.ArgumentError,
        "one structure for sample, but got [\"'a'\"] in sample 0 and [\"'b'\"] in sample 2",
        "\n  hint  give every sample the same parts, or pass collate_fn to form the batches yourself",
    ),
    "kinds": (
        [[1], {"a": 1}],
        errors.ArgumentError,
        "one structure for sample, but got list of 1 in sample 0 and dict in sample 1",
        "\n  hint  give every sample the same parts, or pass collate_fn to form the batches yourself",
    ),
}


@pytest.mark.parametrize("samples, kind, need, hint", MISFITS.values(), ids=MISFITS)
def test_collation_refuses_samples_that_differ(message, samples, kind, need, hint):
    with pytest.raises(kind) as caught:
        default_collate(samples)
    gap = "  at    " if hint else "  at  "
    assert message(caught) == (f"default_collate needs {need}\n{gap}test_datasets.py:N: default_collate(samples){hint}")
