"""The loader, which cuts a dataset into shuffled batches of Tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tinygrad_lite import errors
from tinygrad_lite.data.collate import to_tensors
from tinygrad_lite.data.datasets import Dataset, gather
from tinygrad_lite.data.prefetch import Prefetch
from tinygrad_lite.data.samplers import BatchSampler, RandomSampler, SequentialSampler, check_count, check_numbers
from tinygrad_lite.functions.arguments import CheckedConstructor

__all__ = ["DataLoader"]


class DataLoader(CheckedConstructor):
    """Iterate over a dataset in batches; every ``for`` loop over the loader is one epoch.

    The order of a shuffled epoch depends on ``seed``, the number of the epoch and the length of the dataset
    alone, not on ``prefetch`` and not on what ran before. The epoch is 0 at first and goes up by one each
    time an iteration begins.

    Args:
        dataset: what to load; see ``Dataset``. With a ``TensorDataset`` a batch costs one gather per array.
        batch_size: samples per batch; the last batch of an epoch may have fewer.
        shuffle: whether to visit the samples in a new random order in every epoch.
        seed: a non-negative integer that decides these orders.
        drop_last: whether to leave out the last batch if it is smaller.
        sampler: sample numbers in the order in which to visit them, instead of ``shuffle``; any iterable.
            If it has ``set_epoch``, the loader calls it with its own epoch.
        batch_sampler: lists of sample numbers, one per batch, instead of ``batch_size``, ``shuffle``,
            ``sampler`` and ``drop_last``; any iterable.
        collate_fn: makes a batch of a list of samples; the default is ``default_collate``.
        prefetch: how many batches a background thread prepares ahead; 0 means no thread. Dataset, sampler and
            ``collate_fn`` then run in that thread.

    Raises:
        ArgumentError: a number is out of range, the dataset is empty, or two arguments exclude each other.
        DTypeError: the dataset has no ``__len__`` or no ``__getitem__``, a sampler cannot be iterated over, or
            ``collate_fn`` cannot be called.
        IndexingError: while iterating, a sampler gives a number that the dataset does not have, or no integer.

    Example:
        >>> import numpy as np
        >>> from tinygrad_lite.data import TensorDataset
        >>> dataset = TensorDataset(np.zeros((10, 3), np.float32), np.arange(10))
        >>> loader = DataLoader(dataset, batch_size=4, shuffle=True, seed=1)
        >>> len(loader), [(x.shape, y.shape) for x, y in loader]
        (3, [((4, 3), (4,)), ((4, 3), (4,)), ((2, 3), (2,))])
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        seed: int = 0,
        drop_last: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        prefetch: int = 0,
    ) -> None:
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            errors.fail(
                errors.DTypeError,
                "DataLoader",
                f"needs a dataset with __len__ and __getitem__, but got a {type(dataset).__name__}",
                hint="for arrays use TensorDataset(x, y)",
            )
        if len(dataset) == 0:
            need, hint = "needs at least one sample, but the dataset is empty", "was everything filtered out?"
            errors.fail(errors.ArgumentError, "DataLoader", need, {}, hint)
        check_count("DataLoader", "batch_size", batch_size, 1)
        check_count("DataLoader", "seed", seed, 0)
        for name, given in {"sampler": sampler, "batch_sampler": batch_sampler}.items():
            if given is not None and not hasattr(given, "__iter__") and not hasattr(given, "__getitem__"):
                hint = f"pass {name}=RandomSampler(dataset), or a list of sample numbers"
                if name == "batch_sampler":
                    hint = "pass a list with a list of sample numbers for every batch"
                need = f"needs {name} to be iterable, but got {given!r}"
                errors.fail(errors.DTypeError, "DataLoader", need, {}, hint)
        if collate_fn is not None and not callable(collate_fn):
            need = f"needs collate_fn to be a function, but got {collate_fn!r}"
            errors.fail(errors.DTypeError, "DataLoader", need, {}, "it is called with a list of samples")
        if shuffle and sampler is not None:
            _refuse("sampler", "shuffle=True")
        if batch_sampler is not None:
            excluded = {
                "batch_size": batch_size != 1,
                "shuffle=True": shuffle,
                "sampler": sampler is not None,
                "drop_last=True": drop_last,
            }
            for name in (name for name, is_given in excluded.items() if is_given):
                _refuse("batch_sampler", name)

        self.dataset = dataset
        self.collate_fn = collate_fn
        self.prefetch = check_count("DataLoader", "prefetch", prefetch, 0)
        self.epoch = 0
        if batch_sampler is None:
            if sampler is None:
                sampler = RandomSampler(dataset, seed=seed) if shuffle else SequentialSampler(dataset)
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler

    def __len__(self) -> int:
        """How many batches an epoch has; a TypeError if a given sampler does not know its length."""
        return len(self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        """Begin the next epoch."""
        if hasattr(self.batch_sampler, "set_epoch"):
            self.batch_sampler.set_epoch(self.epoch)
        self.epoch += 1
        batches = self._batches(iter(self.batch_sampler))
        return Prefetch(batches, self.prefetch) if self.prefetch else batches

    def set_epoch(self, epoch: int) -> None:
        """Choose the number of the epoch that the next iteration is.

        Args:
            epoch: a non-negative integer.

        Raises:
            ArgumentError: it is not.
        """
        self.epoch = check_count("DataLoader.set_epoch", "epoch", epoch, 0)

    def state_dict(self) -> dict[str, int]:
        """Return what a checkpoint needs so that training goes on with the epoch that would come next."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Restore the result of ``state_dict``.

        Args:
            state: a mapping with the one key ``"epoch"``.

        Raises:
            StateError: the keys are others.
            ArgumentError: the epoch is not a non-negative integer.
        """
        if not isinstance(state, Mapping) or set(state) != {"epoch"}:
            errors.fail(
                errors.StateError,
                "DataLoader.load_state_dict",
                f"needs the one key 'epoch', but got {sorted(state) if isinstance(state, Mapping) else state!r}",
                hint="was it saved by a DataLoader?",
            )
        self.set_epoch(state["epoch"])

    def _batches(self, groups: Iterator[Sequence[int]]) -> Iterator[Any]:
        for group in groups:
            if not hasattr(group, "__iter__"):
                need = f"needs lists of sample numbers, but batch_sampler gave {group!r}"
                errors.fail(errors.DTypeError, "DataLoader", need, {}, "single sample numbers go into sampler=")
            indices = check_numbers("DataLoader", "needs integers as sample numbers, but the sampler gave", group)
            try:
                if self.collate_fn is None:
                    batch = gather(self.dataset, indices)
                else:
                    batch = [self.dataset[i] for i in indices]
            except IndexError as error:
                self._check_range(indices, error)
                raise
            yield to_tensors(batch) if self.collate_fn is None else self.collate_fn(batch)

    def _check_range(self, indices: Sequence[int], error: IndexError) -> None:
        """Blame the sampler for an IndexError if it is at fault."""
        for i in indices:
            if not -len(self.dataset) <= i < len(self.dataset):
                errors.fail(
                    errors.IndexingError,
                    "DataLoader",
                    f"needs sample numbers below {len(self.dataset)}, but the sampler gave {i}",
                    hint="was the sampler made for another dataset?",
                )


def _refuse(name: str, other: str) -> None:
    errors.fail(
        errors.ArgumentError,
        "DataLoader",
        f"needs either {name} or {other}, but got both",
        hint=f"leave out {other}",
    )
