"""Data parallel training: every rank has the whole model and a part of each batch, and gradients are averaged.

    dp = dist.DataParallel(model, comm)
    for x, y in dist.ShardedLoader(dataset, 256, comm, shuffle=True):
        optimizer.zero_grad()
        dp.backward(F.cross_entropy(model(x), y, reduction="sum"), count=len(x), reduction="sum")
        optimizer.step()

The model is not wrapped. Hooks on its parameters tell when a gradient is final; as soon as a bucket of them is, its
average is on the way, while backward works on the layers before. Buckets leave in the order of their numbers on all
ranks, whatever the ranks' graphs look like, so that no two ranks ever wait for different ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lite.autograd.graph import HookHandle, Hooks, Leaf, Tensor, mode
from tinygrad_lite.autograd.leaves import in_buffer, leaf_of
from tinygrad_lite.calls import CheckedConstructor
from tinygrad_lite.distributed.background import Background
from tinygrad_lite.distributed.buckets import Bucket, forget_slot, leave_window, move_to_window, plan
from tinygrad_lite.distributed.state import broadcast_state, check_communicator, require_equal, separate_streams
from tinygrad_lite.distributed.windows import TURNS
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, ShapeError, fail
from tinygrad_lite.functions.creation import full_like
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.parameter import Parameter
from tinygrad_lite.optim.optimizer import Optimizer

if TYPE_CHECKING:
    from tinygrad_lite.distributed.communicator import Communicator

__all__ = ["DataParallel"]

_MEBIBYTE = 2**20


class DataParallel(CheckedConstructor):
    """Averages the gradients of a model over the ranks, during every ``backward()``.

    When ``backward()`` returns, on all ranks ``p.grad`` is the mean of the ranks' gradients, for every parameter that
    *some* rank used; the others' stay None, as they would in one process. Clipping, inspecting and stepping need
    no further thought.

    Where the local batches are equally long, ``loss.backward()`` does it. Where they may differ or be empty,
    ``dp.backward(loss, count=len(x))`` weights the ranks by their samples, so that the result is the gradient of the
    mean over the samples of all ranks. It is also the one to call where a rank's loss may lead to no parameter at all:
    of a plain ``loss.backward()`` that reaches none of them nobody would hear, and the other ranks would wait.

    At first, parameters, buffers and the random stream of rank 0 are sent to all ranks. From then on the ranks draw
    different random numbers (rank 0 the same as a single process), so that their dropout masks are independent.

    Args:
        model: of the same structure on all ranks. Its parameters get new places in memory; an optimiser may be
            made before or after.
        comm: the ranks. The gradients travel on a communicator of their own, ``dp.comm``.
        optimizer: to send its state as well, or None where it is fresh.
        bucket_mb: gradients travel in pieces of at most this many MiB (a larger parameter is one piece): smaller ones
            leave earlier, and each costs a latency.
        thread: whether a thread averages the buckets. Without it communication progresses whenever a gradient
            becomes final. A thread needs a core of its own to be of use.

    Raises:
        StateError: on every rank, if the models or optimisers differ in structure.
        ArgumentError: no parameter requires a gradient, another ``DataParallel`` averages the model's gradients, or
            ``bucket_mb`` is not a number above 0.
        DTypeError: the model is no module, or ``comm`` no communicator.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite import distributed as dist, nn
    >>> model = nn.Linear(2, 1)
    >>> dp = DataParallel(model, dist.init())
    >>> dp.backward(model(tgl.ones((3, 2))).mean(), count=3)
    >>> model.bias.grad
    Tensor([1.])
    """

    def __init__(
        self,
        model: Module,
        comm: Communicator,
        *,
        optimizer: Optimizer | None = None,
        bucket_mb: float = 4.0,
        thread: bool = False,
    ) -> None:
        if not isinstance(model, Module):
            fail(DTypeError, "DataParallel", "needs a module as model", {"model": model}, "pass the network itself")
        check_communicator("DataParallel", comm)
        if not isinstance(bucket_mb, (int, float, np.integer, np.floating)) or not bucket_mb > 0:
            hint = "4 is usual; math.inf sends all gradients in one piece"
            fail(ArgumentError, "DataParallel", f"needs bucket_mb above 0, but got {bucket_mb!r}", {}, hint)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            hint = "is the model frozen? model.requires_grad_() thaws it"
            fail(ArgumentError, "DataParallel", "needs a parameter that requires a gradient", {}, hint)
        if any(is_watched(parameter) for parameter in model.parameters()):
            hint = "detach() the first one, or pass it on instead"
            fail(ArgumentError, "DataParallel", "needs a model without another DataParallel", {}, hint)
        lines = [f"bucket_mb={bucket_mb:g}, thread={bool(thread)}"]
        require_equal(comm, ArgumentError, "DataParallel", "the same buckets on all ranks", lines)
        broadcast_state(comm, model, optimizer)
        separate_streams(comm.rank)
        self.model = model
        self.comm = comm.split(0, comm.rank)
        self._size = bucket_mb * _MEBIBYTE
        self._sender: Any = Background(self.comm) if thread else self.comm
        self._buckets: list[Bucket] = []
        self._home: dict[Leaf, Bucket] = {}
        self._seen: list[Any] = []  # the model's leaves when they were last cut into buckets
        self._hooks: dict[Leaf, HookHandle] = {}
        self._synchronises = True
        self._weight = 0.0  # of the samples whose gradients wait for the next synchronisation, if they were counted
        self._uncounted = False  # whether gradients wait for it that were not
        self._written = 0  # how often gradients had been written when the counted ones were added
        self._counts = False  # whether the backward() in progress is one with a count
        self._pass: Any = None  # the backward() in progress, by its list of endings
        self._last: Leaf | None = None  # whose gradient came last, if hooks after ours may still change it
        self._moved = False  # whether the gradients were moved out of another window
        self._used: Any = None  # per parameter whether it was used, behind the gradients of the last bucket
        self._handles: list[Any] = []  # of the buckets on their way, in order
        self._arrived = 0  # how many of them are known to be done
        self._averaged = 0  # how often gradients were synchronised
        self._attach(self._trained())

    # --- what one calls -----------------------------------------------------------------------------------

    def backward(
        self, loss: Tensor | None, count: float, *, reduction: str = "mean", total: float | None = None
    ) -> None:
        """``loss.backward()`` with this rank weighted by its samples: uneven and empty batches give exact gradients.

        The gradients become sum_r(count_r grad loss_r) / sum_r(count_r): that of the mean over all samples, if each
        loss is the mean over ``count`` of them. A penalty in the loss keeps its full weight.

        Args:
            loss: a tensor with one element; None on a rank that has nothing to compute. (With a SyncBatchNorm
                every rank has to run the model, on an empty batch if need be.)
            count: the number of samples that the loss is a mean of, or their weights' sum; may be 0.
            reduction: ``"sum"`` if the loss is the sum over the samples, which empty batches have as well; the
                gradients become sum_r(grad loss_r) / sum_r(count_r).
            total: the sum of the counts of all ranks (and micro-batches since the last synchronisation) where that is
                known: it saves a message.

        Raises:
            ArgumentError: count is no finite number of at least 0, it is above 0 without a loss, or above total; there
                is no such reduction, micro-batches with and without a count would be added up, or after ``detach()``.
            ShapeError: the loss has several elements.
            GradientError: as for ``Tensor.backward``.
        """
        self._check(loss, count, reduction, total)
        weight = count if reduction == "mean" else 1.0
        if not self._synchronises:
            if self._weight == 0:
                self._refuse_rest()
            self._send_back(loss, weight)
            self._weight += count
            self._written = self._writes()
            return
        if self._handles:
            self._finish_rest()
        if total is None:
            total = float(self.comm.allreduce(np.array([self._weight + count], np.float64))[0])
        if self._weight and total:
            self._scale(self.comm.size / total)
        self._weight = 0.0
        before = self._averaged
        self._send_back(loss, weight * self.comm.size / total if total else 0.0)  # exactly 1 if all counts are equal
        if self._averaged == before:  # this rank's loss leads to none of the parameters, another's may
            self._begin({})
            self._end()

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Add up gradients on each rank, until a ``backward()`` outside of the block averages their sum.

        As in one process, ``loss.backward()`` adds up the gradients of means: divide each loss by the number of
        micro-batches. ``dp.backward(loss, count=...)`` needs no division, and the micro-batches may differ in length.

        >>> import tinygrad_lite as tgl
        >>> from tinygrad_lite import distributed as dist, nn
        >>> model = nn.Linear(2, 1)
        >>> dp = DataParallel(model, dist.init())
        >>> with dp.no_sync():
        ...     dp.backward(model(tgl.ones((3, 2))).mean(), count=3)
        >>> dp.backward(model(tgl.zeros((1, 2))).mean(), count=1)
        >>> model.weight.grad, model.bias.grad
        (Tensor([[0.75, 0.75]]), Tensor([1.]))
        """
        before, self._synchronises = self._synchronises, False
        try:
            yield
        finally:
            self._synchronises = before

    def detach(self) -> None:
        """Let go of the model: from here on every rank trains its own. Collective; a second call does nothing."""
        if not self._home:
            return
        for handle in self._hooks.values():
            handle.remove()
        self._hooks.clear()
        if isinstance(self._sender, Background):
            self._sender.close()
        leave_window([tensor for tensor in self.model.parameters() if tensor._node in self._home])
        self._buckets, self._home, self._used = [], {}, None
        self.comm.close()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{bucket.grads.nbytes / _MEBIBYTE:.3g}" for bucket in self._buckets)
        return f"{type(self).__name__}({self.comm.size} ranks, buckets of {sizes} MiB)"

    # --- weights ------------------------------------------------------------------------------------------

    def _check(self, loss: Tensor | None, count: float, reduction: str, total: float | None) -> None:
        operation = "DataParallel.backward"
        if not self._home:
            fail(ArgumentError, operation, "cannot be used after detach()", {}, "call loss.backward()")
        if reduction not in ("mean", "sum"):
            hint = "it says what the loss is over the samples of this rank"
            fail(ArgumentError, operation, f'needs "mean" or "sum" as reduction, but got {reduction!r}', {}, hint)
        if not isinstance(count, (int, float, np.integer, np.floating)) or not 0 <= count < math.inf:
            hint = "it is how many samples the loss is a mean of: count=len(x)"
            fail(ArgumentError, operation, f"needs a count of at least 0, but got {count!r}", {}, hint)
        if loss is None and count:
            need = f"needs a loss for {count} samples, but got None"
            fail(ArgumentError, operation, need, {}, "without samples the count is 0")
        if total is not None and not (
            isinstance(total, (int, float, np.integer, np.floating)) and count <= total < math.inf
        ):
            hint = "it is the sum of the counts of all ranks"
            fail(ArgumentError, operation, f"needs a total of at least count={count}, but got {total!r}", {}, hint)
        if loss is not None and (not isinstance(loss, Tensor) or loss.size != 1):
            hint = "take the mean over the samples: loss.mean()"
            fail(ShapeError, operation, "needs a loss with one element", {"loss": loss}, hint)
        if self._uncounted and self._is_waiting():
            hint = "call dp.backward(loss, count=...) for all of them"
            need = "needs counts for all micro-batches, but the gradients that wait here have none"
            fail(ArgumentError, operation, need, {}, hint)
        if self._weight and not self._is_waiting():
            self._weight = 0.0
        self._uncounted = False

    def _refuse_rest(self) -> None:
        """Refuse to add counted gradients to averaged ones, which could not be told apart afterwards."""
        for parameter in self._trained():
            if parameter.grad is not None and bool((parameter.grad != 0).any()):
                need = "needs the gradients of earlier steps gone, but there are some"
                fail(ArgumentError, "DataParallel.backward", need, {}, "call optimizer.zero_grad() before no_sync()")

    def _is_waiting(self, but: Leaf | None = None) -> bool:
        """Whether the gradients of micro-batches are still there: nobody set them to None, or wrote zeros there."""
        there = [p.grad for p in self._trained() if p.grad is not None and p._node is not but]
        if not there or self._writes() == self._written:  # zeros of a loss that is flat here do wait
            return bool(there)
        return any(bool((grad != 0).any()) for grad in there)

    def _writes(self) -> int:
        return sum(leaf.written.count for leaf in self._home)

    def _send_back(self, loss: Tensor | None, weight: float) -> None:
        """The gradients of ``weight * loss``; without weight too, because other ranks may wait for its messages."""
        if loss is None or not (weight or loss.requires_grad):
            return
        self._counts = True
        try:
            loss.backward(full_like(loss.detach(), weight))
        finally:
            self._counts = False

    def _scale(self, share: float) -> None:
        with np.errstate(all="ignore"):
            for parameter in self._trained():
                leaf: Leaf = parameter._node  # type: ignore[assignment]
                if leaf.grad is not None:
                    leaf.written.raise_count()
                    leaf.grad._data *= share

    # --- during backward ------------------------------------------------------------------------------------

    def _trained(self) -> list[Tensor]:
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _attach(self, parameters: list[Tensor]) -> None:
        """Watch these parameters, and cut their gradients into buckets."""
        self._moved = bool(self._home)
        memories = move_to_window(parameters, self.comm)
        self._buckets = plan(parameters, int(min(self._size, 2**62)))
        last = self._buckets[-1]
        memory = memories.get(last.leaves[0].slot[0])  # type: ignore[index]
        self._used = None if memory is None else last.append(memory)
        self._home = {leaf: bucket for bucket in self._buckets for leaf in bucket.leaves}
        self._seen = _leaves(self.model)
        watched = [_kept_leaf(parameter) for parameter in self.model.parameters()]
        for leaf, handle in list(self._hooks.items()):
            if leaf not in self._home:
                forget_slot(leaf)
            if leaf not in watched:
                handle.remove()
                del self._hooks[leaf]
        for kept in watched:  # frozen ones too: some day they may be the only ones that are trained
            if kept is not None and kept not in self._hooks:
                if kept.after is None:
                    kept.after = Hooks()
                self._hooks[kept] = kept.after.add(self._finished)

    def _finished(self, parameter: Tensor) -> None:
        """A gradient is final: the hook of every parameter."""
        leaf: Leaf = parameter._node  # type: ignore[assignment]
        if leaf.grad is not None and leaf.grad._node is not None:
            hint = "for a penalty on gradients take grad(loss, x, create_graph=True)"
            need = "cannot average gradients that are part of a graph: backward() had create_graph=True"
            fail(GradientError, "DataParallel", need, {"parameter": parameter}, hint)
        if not self._synchronises:
            self._uncounted = self._uncounted or not self._counts
            return
        if self._pass is not mode.endings[-1]:
            if self._weight and self._is_waiting(None if len(self._home) == 1 else leaf):
                hint = "the last backward() of an accumulation needs a count too: dp.backward(loss, count=...)"
                fail(ArgumentError, "DataParallel", "needs counts for all micro-batches, or for none", {}, hint)
            self._pass, self._weight = mode.endings[-1], 0.0
            self._begin(mode.reached[-1] if mode.reached else None)
            self._pass.append(self._end)
            self._last = None
        if self._last is not None:
            last, self._last = self._last, None
            self._release(last)
        after = leaf.after
        if after is not None and len(after) > 1 and leaf in self._hooks and not self._hooks[leaf].is_last():
            self._last = leaf
        else:
            self._release(leaf)
        if self._handles:
            self._poll()

    def _release(self, leaf: Leaf) -> None:
        """Nothing changes this gradient any more: send its bucket if it is the last one there."""
        bucket = self._home.get(leaf)
        if bucket is not None:
            bucket.waiting.discard(leaf)
            if not bucket.waiting:
                self._launch()

    def _begin(self, reached: Any) -> None:
        """Find out which gradients will come: those of the leaves that were ``reached``; None if that is not known."""
        self._finish_rest()
        if _leaves(self.model) != self._seen or any(bucket.is_stale() for bucket in self._buckets):
            self._attach(self._trained())
        for bucket in self._buckets:
            bucket.expect(reached)

    def _finish_rest(self) -> None:
        """Wait for what a backward() that broke off has sent: all ranks send in one order."""
        for handle in self._handles:
            handle.wait()
        self._handles, self._arrived = [], 0

    def _launch(self) -> None:
        """Send the buckets that are complete, in the order of their numbers."""
        while len(self._handles) < len(self._buckets):
            bucket = self._buckets[len(self._handles)]
            if bucket.waiting or len(self._handles) - self._arrived >= TURNS:
                return
            if bucket is self._buckets[-1] and self._used is not None:
                self._used[...] = [leaf.grad is not None for leaf in self._home]
            self._handles.append(bucket.send(self._sender))

    def _poll(self) -> None:
        """Let communication progress: MPI works only while somebody calls it."""
        while self._arrived < len(self._handles) and self._handles[self._arrived].test():
            self._arrived += 1

    def _end(self) -> None:
        """All gradients of this backward() are there: send what is left, and wait for all of it."""
        for bucket in self._buckets:
            bucket.waiting.clear()
        self._launch()
        for k, bucket in enumerate(self._buckets):
            bucket.receive(self._handles[k])
            self._arrived = max(self._arrived, k + 1)
            self._launch()  # of many buckets only so many may be on their way at a time
        used = self._used
        if used is None:  # the gradients are on a GPU
            used = np.array([leaf.grad is not None for leaf in self._home], np.uint8)
            self._sender.iallreduce(used, "max", used).wait()
        for leaf, share in zip(self._home, used.tolist(), strict=True):
            if share > 0 and leaf.grad is None:
                leaf.grad = in_buffer(leaf)
        self._handles, self._arrived, self._pass, self._last, self._uncounted = [], 0, None, None, False
        self._averaged += 1
        if self._moved:  # the gradients have left the windows of before
            self._moved = False
            self.comm._reclaim()


def _leaves(model: Module) -> list[Any]:
    """What the gradients of a model are kept in; None for frozen ones.

    Every step asks whether they are still the same, so this is several times faster than ``named_parameters``.
    """
    found, modules, seen = [], [model], {model}
    for module in modules:  # which grow meanwhile
        for value in module.__dict__.values():
            if isinstance(value, Tensor):
                if isinstance(value, Parameter):
                    found.append(value._node)
            elif isinstance(value, Module) and value not in seen:
                seen.add(value)
                modules.append(value)
    return found


def _kept_leaf(parameter: Tensor) -> Leaf | None:
    """The leaf of a parameter, which a frozen one gets as well, because it returns when it is trained again."""
    leaf = leaf_of(parameter)
    if leaf is None and parameter.dtype.kind in "fc":
        leaf = parameter.requires_grad_(True)._node
        parameter.requires_grad_(False)
    return leaf


def is_watched(parameter: Tensor) -> bool:
    """Whether the gradient of a parameter is averaged already."""
    leaf = leaf_of(parameter)
    after = None if leaf is None else leaf.after
    return any(isinstance(getattr(hook, "__self__", None), DataParallel) for hook in (after or {}).values())
