"""Checks of the sharded loader: the ranks' parts against the batches of one process."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI

from distributed.checking import check, same_refusal
from tinygrad_lite import Tensor, data
from tinygrad_lite import distributed as dist
from tinygrad_lite.errors import ArgumentError, DTypeError

comm = dist.init()
X = np.arange(46.0, dtype=np.float32).reshape(23, 2)
DATASET = data.TensorDataset(X, np.arange(23))
CASES = {
    "in order": {},
    "shuffled": {"shuffle": True, "seed": 4},
    "without the last": {"drop_last": True},
    "prefetched": {"prefetch": 2, "shuffle": True},
    "in shards": {"shards": 12},
}


def joined(x: Tensor) -> np.ndarray[Any, Any]:
    return comm.all_gather(x.numpy())


@check(*CASES)
def the_parts_are_the_batches_of_one_process(name: str) -> None:
    options = CASES[name]
    loader = dist.ShardedLoader(DATASET, 5, comm, **options)
    one = data.DataLoader(DATASET, 5, **{k: v for k, v in options.items() if k != "shards"})
    assert len(loader) == len(one)
    seen = []
    for _ in range(2):  # epochs
        for (x, y), (whole_x, whole_y) in zip(loader, one, strict=True):
            np.testing.assert_array_equal(joined(x), whole_x.numpy())
            np.testing.assert_array_equal(joined(y), whole_y.numpy())
            assert x.dtype == np.float32
            assert y.dtype == np.int64
            seen.append(whole_y.numpy())
    each = 20 if "drop_last" in options else 23
    order = np.concatenate(seen)
    assert len(np.unique(order[:each])) == each, "every sample once per epoch"
    if "shuffle" in options:
        assert (order[:each] != order[each:]).any(), "a new order in every epoch"


@check()
def parts_are_even_and_shards_lie_whole_on_one_rank() -> None:
    lengths = joined(Tensor(np.array([[len(x) for x, _ in dist.ShardedLoader(DATASET, 5, comm)]])))
    assert (lengths.max(axis=0) - lengths.min(axis=0) <= 1).all()
    # 23 samples in 12 shards: eleven of two, one of one.
    lengths = joined(Tensor(np.array([len(x) for x, _ in dist.ShardedLoader(DATASET, 23, comm, shards=12)])))
    assert lengths.tolist() == [24 // comm.size] * (comm.size - 1) + [24 // comm.size - 1]


@check()
def it_goes_on_from_a_checkpoint() -> None:
    first, second = (dist.ShardedLoader(DATASET, 5, comm, shuffle=True, seed=1) for _ in range(2))
    for _ in first:
        pass
    second.load_state_dict(first.state_dict())
    for (x, _), (other, _) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x.numpy(), other.numpy())


@check("set_epoch", "load_state_dict", "one loop more")
def ranks_in_different_epochs_are_refused(how: str) -> None:
    if comm.size == 1:
        return
    loader = dist.ShardedLoader(DATASET, 5, comm, shuffle=True)
    last = comm.size - 1
    if comm.rank == last:
        if how == "set_epoch":
            loader.set_epoch(1)
        elif how == "load_state_dict":
            loader.load_state_dict({"epoch": 1})
        else:
            data.DataLoader.__iter__(loader)  # as if the others had left out a loop
    text = (
        f"ShardedLoader needs one epoch on all ranks, but rank 0 has epoch=0 and rank {last} has epoch=1\n"
        "  hint  call load_state_dict() or set_epoch() on every rank"
    )
    for _ in range(2):  # a refused epoch has not begun
        same_refusal(comm, ArgumentError, lambda: iter(loader), text)
    loader.set_epoch(2)
    seen = [joined(y) for _, y in loader]
    assert sorted(np.concatenate(seen).tolist()) == list(range(23))


@check()
def empty_parts_have_the_usual_structure() -> None:
    samples = [{"x": np.ones(3, np.float32), "y": (i, "name")} for i in range(comm.size + 1)]
    *_, last = dist.ShardedLoader(samples, comm.size, comm)
    rows = int(comm.rank == 0)
    assert last["x"].shape == (rows, 3)
    assert last["x"].dtype == np.float32
    assert last["y"][0].shape == (rows,)
    assert len(last["y"][1]) == rows
    loader = dist.ShardedLoader(samples, comm.size, comm, collate_fn=lambda batch: Tensor([s["y"][0] for s in batch]))
    *_, last = loader
    assert last.shape == (rows,)
    assert last.dtype == np.int64


@check()
def what_does_not_fit_is_refused_on_every_rank() -> None:
    text = "ShardedLoader needs a communicator as comm, but got {}\n  hint  dist.init() makes one"
    for other, kind in ((MPI.COMM_WORLD, "Intracomm"), (None, "NoneType")):
        same_refusal(comm, DTypeError, lambda other=other: dist.ShardedLoader(DATASET, 8, other), text.format(kind))
    text = "ShardedLoader needs a multiple of {0} ranks as shards, but got {1}\n  hint  shards={2} fits"
    n = comm.size
    if n > 1:
        fits = 8 if 8 % n == 0 else n
        same_refusal(
            comm, ArgumentError, lambda: dist.ShardedLoader(DATASET, 8, comm, shards=n + 1), text.format(n, n + 1, fits)
        )
        text = (
            f"ShardedLoader needs a sample for each of the {n} ranks, but a batch has 1\n"
            "  hint  use a larger batch_size"
        )
        same_refusal(comm, ArgumentError, lambda: dist.ShardedLoader(DATASET, 1, comm), text)
        text = (
            f"ShardedLoader needs a sample for each of the {n} ranks, but the dataset has 1\n"
            "  hint  run on at most 1 rank"
        )
        same_refusal(comm, ArgumentError, lambda: dist.ShardedLoader([3.0], 8, comm), text)
        text = "ShardedLoader needs the same arguments on all ranks, but rank 0 has seed=0 and rank 1 has seed=1"
        same_refusal(comm, ArgumentError, lambda: dist.ShardedLoader(DATASET, 8, comm, seed=comm.rank), text)
