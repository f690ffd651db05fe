"""A loader that gives every rank its part of each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.data.collate import to_tensors
from tinygrad_lite.data.datasets import Dataset, gather
from tinygrad_lite.data.loader import DataLoader
from tinygrad_lite.data.samplers import check_count
from tinygrad_lite.distributed.state import check_communicator, require_equal
from tinygrad_lite.errors import ArgumentError, fail

if TYPE_CHECKING:
    from tinygrad_lite.distributed.communicator import Communicator

__all__ = ["ShardedLoader"]


class ShardedLoader(DataLoader):
    """``data.DataLoader`` with every batch divided among the ranks; every ``for`` loop over it is one epoch.

    To begin an epoch is collective: all ranks do it, and the number of the epoch is compared. What follows sends no
    messages.

    The ranks' parts, put end to end, are the batch that a ``DataLoader`` with the same seed gives on one process. So
    each sample comes exactly once per epoch, in evaluation too: no sample is repeated to fill up the last batch, where
    parts may be shorter by one than others, and empty. ``dp.backward(loss, count=len(x), reduction="sum")`` weights
    them rightly, with the sum over the part as the loss: an empty part has a sum, and no mean.

    Args:
        dataset: what to load, the same on all ranks.
        batch_size: samples per batch of all ranks together.
        comm: the ranks.
        shuffle: whether to visit the samples in a new random order in every epoch.
        seed: a non-negative integer that decides these orders.
        drop_last: whether to leave out the last batch if it is smaller.
        collate_fn: makes a batch of a list of samples; the default is ``data.default_collate``. For an empty part it is
            called with one sample, and that is cut off again.
        prefetch: how many parts a background thread prepares ahead.
        shards: divide the batch into so many parts, of which each rank takes the same number in a row; for
            ``ReproducibleDataParallel``. A multiple of the number of ranks, which is the default.

    Raises:
        ArgumentError: on every rank, if there are more ranks than samples in a batch or in the dataset, shards are no
            multiple of the ranks, or the ranks differ in what they pass; when an epoch begins, if it is not the same
            one on all ranks; otherwise as for ``data.DataLoader``.
        DTypeError: ``comm`` is no communicator; otherwise as for ``data.DataLoader``.

    >>> import numpy as np
    >>> from tinygrad_lite import data, distributed as dist
    >>> loader = ShardedLoader(data.TensorDataset(np.arange(5)), 2, dist.init())
    >>> [x.tolist() for (x,) in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int,
        comm: Communicator,
        shuffle: bool = False,
        *,
        seed: int = 0,
        drop_last: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        prefetch: int = 0,
        shards: int | None = None,
    ) -> None:
        name = "ShardedLoader"
        check_communicator(name, comm)
        ranks = comm.size
        whole = DataLoader(
            dataset, batch_size, shuffle, seed=seed, drop_last=drop_last, collate_fn=collate_fn, prefetch=prefetch
        )
        told = {
            "samples": len(dataset), "batch_size": batch_size, "shuffle": shuffle, "seed": seed, "drop_last": drop_last,
            "shards": shards,
        }  # fmt: skip
        lines = [f"{key}={value}" for key, value in told.items()]
        require_equal(comm, ArgumentError, name, "the same arguments on all ranks", lines)
        for found, count in {"the dataset": len(dataset), "a batch": batch_size}.items():
            if count < ranks:
                hint = "use a larger batch_size" if found == "a batch" else ""
                need = f"needs a sample for each of the {ranks} ranks, but {found} has {count}"
                fail(ArgumentError, name, need, {}, hint or f"run on at most {count} rank{'s' if count > 1 else ''}")
        self.shards = ranks if shards is None else check_count(name, "shards", shards, 1)
        if self.shards % ranks:
            need = f"needs a multiple of {ranks} ranks as shards, but got {self.shards}"
            fail(ArgumentError, name, need, {}, f"shards={8 if 8 % ranks == 0 else ranks} fits")
        sampler = _Parts(whole.batch_sampler, comm.rank, ranks, self.shards)
        super().__init__(dataset, batch_sampler=sampler, collate_fn=collate_fn, prefetch=prefetch)
        self._comm = comm

    def __iter__(self) -> Iterator[Any]:
        """Begin the next epoch. Collective."""
        # Parts of batches in different orders would repeat some samples and leave out others.
        hint = "call load_state_dict() or set_epoch() on every rank"
        require_equal(
            self._comm, ArgumentError, "ShardedLoader", "one epoch on all ranks", [f"epoch={self.epoch}"], hint
        )
        return super().__iter__()

    def _batches(self, groups: Iterator[Sequence[int]]) -> Iterator[Any]:
        for group in groups:
            yield from super()._batches(iter([group])) if len(group) else [self._empty()]

    def _empty(self) -> Any:
        """A batch of the usual structure without samples."""
        batch = gather(self.dataset, [0]) if self.collate_fn is None else self.collate_fn([self.dataset[0]])
        return _cut_off(to_tensors(batch))


class _Parts:
    """The sample numbers of one rank: its part of every batch of another sampler."""

    def __init__(self, batches: Iterable[Sequence[int]], rank: int, ranks: int, shards: int) -> None:
        self._batches, self._rank, self._ranks, self._shards = batches, rank, ranks, shards

    def set_epoch(self, epoch: int) -> None:
        self._batches.set_epoch(epoch)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Sequence[int]]:
        return (self._part(batch) for batch in iter(self._batches))

    def _part(self, batch: Sequence[int]) -> Sequence[int]:
        stops = [0, *shard_stops(len(batch), self._shards)]
        each = self._shards // self._ranks
        return batch[stops[self._rank * each] : stops[(self._rank + 1) * each]]


def shard_stops(length: int, shards: int) -> list[int]:
    """Where each of ``shards`` parts of ``length`` samples ends: the first ones are longer by one if need be.

    >>> shard_stops(11, 4)
    [3, 6, 9, 11]
    """
    each, more = divmod(length, shards)
    return [(i + 1) * each + min(i + 1, more) for i in range(shards)]


def _cut_off(batch: Any) -> Any:
    """No samples of a nested structure: the first axis of every tensor cut to length 0."""
    if isinstance(batch, Tensor):
        return batch[:0]
    if isinstance(batch, Mapping):
        return {key: _cut_off(value) for key, value in batch.items()}
    if isinstance(batch, tuple):
        parts = [_cut_off(part) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)
    if isinstance(batch, list):  # of tensors, or of the strings that a batch consists of
        return [_cut_off(part) for part in batch] if any(not isinstance(p, str | bytes | None) for p in batch) else []
    return batch
