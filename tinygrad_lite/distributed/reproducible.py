"""Data parallel training whose weights are the same bits on 1, 2, 4 and 8 ranks.

A sum of floats depends on its order, so that the mean over the ranks depends on their number. Here a batch is always
cut into the same few shards, whatever the number of ranks. Each shard's gradient is computed by itself, and they are
added up along one fixed binary tree:

    ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7))

A rank that has several shards adds up its own branch of the tree. The branches of two ranks are then added on both,
which gives both the same bits, because a + b = b + a; and so on with partners 1, 2 and 4 ranks away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lite.autograd.graph import Array, Tensor, make_tensor
from tinygrad_lite.autograd.leaves import claim_buffer, in_buffer, release_grad
from tinygrad_lite.backends.devices import on_host
from tinygrad_lite.calls import CheckedConstructor
from tinygrad_lite.distributed.buckets import Bucket, plan
from tinygrad_lite.distributed.data_parallel import is_watched
from tinygrad_lite.distributed.loader import shard_stops
from tinygrad_lite.distributed.state import broadcast_state, check_communicator, separate_streams
from tinygrad_lite.distributed.sync_batch_norm import SyncBatchNorm
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.creation import full_like
from tinygrad_lite.functions.stream import get_rng_state, set_rng_state
from tinygrad_lite.nn.module import Module
from tinygrad_lite.optim.optimizer import Optimizer

if TYPE_CHECKING:
    from tinygrad_lite.distributed.communicator import Communicator

__all__ = ["ReproducibleDataParallel"]


class ReproducibleDataParallel(CheckedConstructor):
    """Gradients, and so weights, that do not depend on the number of ranks, to the last bit.

    The price: every shard is a forward and backward pass of its own, and log2(ranks) messages of the size of all
    gradients are sent after them. The bits do depend on what one process alone depends on: the machine, the number of
    threads per rank, the version of NumPy.

    Dropout draws the same masks on any number of ranks: every shard has a random stream of its own. ``nn.BatchNorm1d``
    normalises each shard by itself, and the shards' running statistics are averaged.

    Args:
        model: of the same structure on all ranks; gets the state of rank 0.
        comm: 1, 2, 4, ... ranks, at most as many as there are shards.
        shards: a power of two.
        optimizer: to send its state as well, or None where it is fresh.

    Raises:
        ArgumentError: shards or the number of ranks are no powers of two, there are more ranks than shards, a
            ``DataParallel`` averages the model's gradients, or it has a ``SyncBatchNorm``, whose batches would depend
            on the number of ranks.
        StateError: on every rank, if the models or optimisers differ in structure.
        DTypeError: the model is no module, or ``comm`` no communicator.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite import distributed as dist, nn
    >>> model = nn.Linear(2, 1)
    >>> dp = ReproducibleDataParallel(model, dist.init())
    >>> loss = dp.backward(lambda x: model(x).mean(), tgl.ones((16, 2)))
    >>> model.bias.grad
    Tensor([1.])
    """

    def __init__(
        self, model: Module, comm: Communicator, *, shards: int = 8, optimizer: Optimizer | None = None
    ) -> None:
        name = "ReproducibleDataParallel"
        if not isinstance(model, Module):
            fail(DTypeError, name, "needs a module as model", {"model": model}, "pass the network itself")
        check_communicator(name, comm)
        if not isinstance(shards, int) or shards < 1 or shards & (shards - 1):
            fail(ArgumentError, name, f"needs a power of two as shards, but got {shards!r}", {}, "8 is usual")
        if comm.size & (comm.size - 1) or comm.size > shards:
            fits = ", ".join(str(2**i) for i in range(shards.bit_length()))
            needed = f"{fits} ranks for {shards} shards" if shards > 1 else "1 rank for 1 shard"
            fail(ArgumentError, name, f"needs {needed}, but there are {comm.size}")
        if any(isinstance(module, SyncBatchNorm) for module in model.modules()):
            hint = "nn.BatchNorm1d normalises each shard by itself"
            fail(ArgumentError, name, "cannot train a SyncBatchNorm: a shard is on one rank only", {}, hint)
        if any(is_watched(parameter) for parameter in model.parameters()):
            hint = "detach() it: this mode averages for itself"
            fail(ArgumentError, name, "needs a model without a DataParallel", {}, hint)
        broadcast_state(comm, model, optimizer)
        self.model, self.shards = model, shards
        self.comm = comm.split(0, comm.rank)
        self._own = range(comm.rank * (shards // comm.size), (comm.rank + 1) * (shards // comm.size))
        levels = [2**i for i in range(comm.size.bit_length() - 1)]
        self._pairs = [comm.split(comm.rank & ~level, comm.rank) for level in levels]

    def backward(self, loss: Callable[..., Tensor], *batch: Any) -> Tensor:
        """Add to the gradients those of the mean loss over the samples of all ranks, and return it.

        Args:
            loss: of a part of the batch: called with as many tensors or arrays as ``batch`` has, it returns the mean
                over their samples as a tensor with one element. It may draw random numbers, but not change anything
                but the buffers of the model.
            batch: this rank's part, as ``ShardedLoader(..., shards=shards)`` gives it: tensors or arrays of one length.

        Returns:
            The mean loss over the samples of all ranks, a float64 tensor without a gradient.

        Raises:
            DTypeError: the loss is no function.
            ShapeError: the lengths differ, or, on every rank, the ranks' parts are not those of shards.

        >>> import tinygrad_lite as tgl
        >>> from tinygrad_lite import distributed as dist, nn
        >>> model = nn.Linear(2, 1)
        >>> dp = ReproducibleDataParallel(model, dist.init(), shards=2)
        >>> dp.backward(lambda x: (0 * model(x) + x).mean(), tgl.asarray([[1.0, 1.0], [2.0, 2.0], [6.0, 6.0]]))
        Tensor(3., dtype=float64)
        """
        if not callable(loss):
            need = "needs the loss as a function, because it is called once per shard"
            hint = "backward(lambda x, y: F.cross_entropy(model(x), y), x, y)"
            fail(DTypeError, "ReproducibleDataParallel.backward", need, {"loss": loss}, hint)
        length, total = self._lengths(batch)
        stops = [0, *shard_stops(length, len(self._own))]
        buckets = plan([parameter for parameter in self.model.parameters() if parameter.requires_grad], _UNLIMITED)
        leaves = [leaf for bucket in buckets for leaf in bucket.leaves]
        earlier = [None if leaf.grad is None else _copied(leaf.grad)._data for leaf in leaves]
        stream, buffers = get_rng_state(), self._buffers()
        branches = []
        for shard, (start, stop) in zip(self._own, pairwise(stops), strict=True):
            for leaf in leaves:
                release_grad(leaf)
            separate_streams(shard)
            share = (stop - start) / total
            mean = self._send_back(loss, [_copied(values[start:stop]) for values in batch], share) if share else 0.0
            used = [leaf.grad is not None for leaf in leaves]
            draws = get_rng_state()["counter"] - stream["counter"]
            first = float(shard == 0)  # what is the same for all shards is told by one
            facts = [mean * share, draws * first, *used, *self._told(buffers, share, first)]
            branches.append([np.array(facts, np.float64), *_taken(buckets)])
            self._set_buffers(buffers)
            set_rng_state(stream)
        facts, *gradients = self._over_ranks(_tree(branches))
        (mean, draws), used, told = facts[:2].tolist(), facts[2 : 2 + len(leaves)].tolist(), facts[2 + len(leaves) :]
        set_rng_state({"seed": stream["seed"], "counter": stream["counter"] + int(draws)})
        self._take_over(told)
        for bucket, gradient in zip(buckets, gradients, strict=True):
            bucket.grads[...] = gradient
        for leaf, anywhere, before in zip(leaves, used, earlier, strict=True):
            if before is not None:
                claim_buffer(leaf)[...] += before
            if anywhere or before is not None:
                leaf.grad = in_buffer(leaf)
        return Tensor(np.float64(mean))

    def detach(self) -> None:
        """Give back the communicators; gradients can no longer be averaged. Collective; twice is fine."""
        for comm in (self.comm, *self._pairs):
            comm.close()

    def _lengths(self, batch: Sequence[Any]) -> tuple[int, int]:
        name = "ReproducibleDataParallel.backward"
        named = {f"batch[{i}]": values for i, values in enumerate(batch)}
        lengths = {len(values) for values in batch}
        if len(lengths) != 1:
            fail(ShapeError, name, "needs arrays of one length, at least one", named)
        (length,) = lengths
        counts = self.comm.all_gather(np.array([length])).tolist()
        total, each = sum(counts), len(self._own)
        stops = [0, *shard_stops(total, self.shards)]
        fitting = [stops[(r + 1) * each] - stops[r * each] for r in range(self.comm.size)]
        if counts != fitting or not total:
            need = f"needs batches of {fitting} samples on the ranks, but got {counts}"
            if not total:
                need = "needs at least one sample on all ranks together"
            fail(ShapeError, name, need, named, f"ShardedLoader(..., shards={self.shards}) divides them so")
        return length, total

    def _send_back(self, loss: Callable[..., Tensor], part: list[Any], share: float) -> float:
        """Backward from the mean loss of one shard, which it returns."""
        y = loss(*part)
        if not isinstance(y, Tensor) or y.size != 1:
            hint = "take the mean over the samples: loss.mean()"
            fail(ShapeError, "ReproducibleDataParallel.backward", "needs a loss with one element", {"loss": y}, hint)
        y.backward(full_like(y.detach(), share))
        return float(y.item())

    def _over_ranks(self, branch: list[Array]) -> list[Array]:
        """The branches of all ranks added up, level by level of the tree."""
        for pair in self._pairs:
            branch = [pair.allreduce(make_tensor(array))._data for array in branch]
        return branch

    # --- buffers that a shard changed: of floats the mean over the shards, of integers what the first one has ---------

    def _buffers(self) -> list[tuple[Module, str, Tensor]]:
        named = ((module, module.named_buffers(recurse=False)) for module in self.model.modules())
        return [(module, name, buffer) for module, found in named for name, buffer in found]

    def _set_buffers(self, buffers: list[tuple[Module, str, Tensor]]) -> None:
        for module, name, buffer in buffers:
            setattr(module, name, buffer)

    def _told(self, earlier: list[tuple[Module, str, Tensor]], share: float, first: float) -> list[float]:
        """This shard's part of all buffers, end to end, each behind whether the shard changed it."""
        told: list[float] = []
        for (_, _, buffer), (_, _, old) in zip(self._buffers(), earlier, strict=True):
            values, weight = on_host(buffer._data), share if buffer.dtype.kind == "f" else first
            told.append(float(buffer is not old and values.tobytes() != on_host(old._data).tobytes()))
            told += (values.astype(np.float64).reshape(-1) * weight).tolist() if weight else [0.0] * buffer.size
        return told

    def _take_over(self, told: Array) -> None:
        """Set the buffers that changed to the sums of what the shards told: a sum of parts is not quite a constant."""
        start = 0
        for module, name, buffer in self._buffers():
            values = told[start + 1 : start + 1 + buffer.size].reshape(buffer.shape).astype(buffer.dtype)
            if told[start] > 0:
                setattr(module, name, Tensor(values, device=buffer.device))
            start += 1 + buffer.size


#: Bytes: all gradients of one kind in one bucket.
_UNLIMITED = 2**62


def _taken(buckets: Sequence[Bucket]) -> list[Array]:
    """Copies of all gradients."""
    for bucket in buckets:
        bucket.make_ready()
    return [make_tensor(bucket.grads).clone()._data for bucket in buckets]


def _copied(values: Any) -> Any:
    """Memory of its own for part of a batch: fast loops may sum in another order where it is aligned differently."""
    return values.detach().clone() if isinstance(values, Tensor) else values.copy()


def _tree(branches: list[list[Array]]) -> list[Array]:
    """Neighbours added up, then the sums of neighbours, and so on."""
    while len(branches) > 1:
        pairs = zip(branches[::2], branches[1::2], strict=True)
        branches = [[a + b for a, b in zip(left, right, strict=True)] for left, right in pairs]
    return branches[0]
