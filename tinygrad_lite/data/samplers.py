"""Samplers: the order in which a loader visits a dataset, and how it groups the visits into batches."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any

import numpy as np

from tinygrad_lite import errors

__all__ = ["BatchSampler", "RandomSampler", "SequentialSampler", "check_count", "check_numbers"]


def check_count(operation: str, name: str, value: Any, least: int) -> int:
    """Return ``value`` as an int, or raise ArgumentError unless it is an integer of at least ``least``."""
    try:
        count = operator.index(value)
    except TypeError:
        count = least - 1
    if count < least or isinstance(value, bool):
        hint = "it is the number of samples per batch; len(dataset) puts all into one"
        errors.fail(
            errors.ArgumentError,
            operation,
            f"needs {name} to be an integer of at least {least}, but got {value!r}",
            hint=hint if name == "batch_size" else "",
        )
    return count


def check_numbers(operation: str, need: str, values: Iterable[Any], hint: str = "") -> list[int]:
    """Return sample numbers as ints, or raise IndexingError at the first that is no integer; bools are none."""
    if not hasattr(values, "__iter__"):
        errors.fail(errors.DTypeError, operation, f"{need} {values!r}", hint="pass a list of them")
    numbers = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if not set(map(type, numbers)) <= {int}:
        for i, number in enumerate(numbers):
            if isinstance(number, bool | np.bool_):
                errors.fail(errors.IndexingError, operation, f"{need} {number!r}", hint=hint)
            try:
                numbers[i] = operator.index(number)
            except TypeError:
                errors.fail(errors.IndexingError, operation, f"{need} {number!r}", hint=hint)
    return numbers


class SequentialSampler:
    """Every sample once, in order.

    Args:
        data_source: a dataset, or anything else with a length.

    Example:
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))


class RandomSampler:
    """Every sample once, in an order that depends on the seed, the epoch and the length alone.

    Args:
        data_source: a dataset, or anything else with a length.
        seed: a non-negative integer.

    Raises:
        ArgumentError: the seed is negative or not an integer.

    Example:
        >>> sampler = RandomSampler("abcdefgh", seed=1)
        >>> first = list(sampler)
        >>> sampler.set_epoch(1)
        >>> sorted(first) == list(range(8)), list(sampler) == first
        (True, False)
    """

    def __init__(self, data_source: Sized, *, seed: int = 0) -> None:
        self.data_source = data_source
        self.seed = check_count("RandomSampler", "seed", seed, 0)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration; a loader does so by itself."""
        self.epoch = check_count("RandomSampler.set_epoch", "epoch", epoch, 0)

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng(np.random.SeedSequence([self.seed, self.epoch]))
        return iter(generator.permutation(len(self.data_source)).tolist())


class BatchSampler:
    """Groups of ``batch_size`` sample numbers, in the order of another sampler.

    Args:
        sampler: the sample numbers; any iterable.
        batch_size: how many make a batch.
        drop_last: whether to leave out the last batch if it is smaller.

    Raises:
        ArgumentError: ``batch_size`` is not a positive integer.

    Example:
        >>> list(BatchSampler(range(5), 2)), list(BatchSampler(range(5), 2, drop_last=True))
        ([[0, 1], [2, 3], [4]], [[0, 1], [2, 3]])
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool = False) -> None:
        self.sampler = sampler
        self.batch_size = check_count("BatchSampler", "batch_size", batch_size, 1)
        self.drop_last = drop_last

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to the sampler, if that has a use for it."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __len__(self) -> int:
        """How many batches there are; a TypeError if the sampler does not know its length."""
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        # The order is fixed here and not at the first batch: by then the epoch may have moved on.
        return self._batches(iter(self.sampler))

    def _batches(self, order: Iterator[int]) -> Iterator[list[int]]:
        while batch := list(islice(order, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch
