"""The synchronous parameter server: the architecture that the lecture on optimisation argues against, as a baseline.

    ps = dist.ParameterServer(model, comm)     # in the place of  dp = dist.DataParallel(model, comm)

Every worker pushes its gradient to a server, the server waits for all of them, adds them up, and every worker pulls
the result. With S bytes of gradient, n workers and k servers, α seconds per message and β per byte, phase after phase,

    a server receives and sends (n - 1) S / k bytes each:   2α + 2 (n - 1)/k · S β,

where the ring needs 2 (n - 1) α + 2 (n - 1)/n · S β: it sends more messages, but whatever n is, no rank moves more than
2 S bytes. So the server wins for short gradients, and the ring as soon as

    S > (n - 2) α / ((n - 1) (1/k - 1/n) β).

With as many servers as workers the bytes are the same (that is the case of BytePS, Jiang et al. 2020): what is slow is
the one server. Both wait for the slowest worker.

The servers are the first k of the ranks, which are workers as well. The sum is pulled and not the updated weights, so
that any optimiser can follow; the bytes are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.distributed import reductions
from tinygrad_lite.distributed.calls import Call, Calls, single
from tinygrad_lite.distributed.choice import Table
from tinygrad_lite.distributed.communicator import Communicator
from tinygrad_lite.distributed.connection import Connection
from tinygrad_lite.distributed.data_parallel import DataParallel
from tinygrad_lite.distributed.reductions import Array, Reduction
from tinygrad_lite.distributed.state import check_communicator
from tinygrad_lite.distributed.statistics import Counts, Statistics
from tinygrad_lite.distributed.transport import Request, Steps, Transport
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import integer
from tinygrad_lite.nn.module import Module

__all__ = ["ParameterServer"]

#: Bytes per message at most: MPI counts them in 32 bits.
SEGMENT = 2**30


class ServerExchange:
    """The messages of one array's way through the servers, made once and started at every step.

    Args:
        transport: carries the messages.
        tag: marks them.
        x: this rank's contribution, flat and contiguous.
        out: receives the total; may be ``x``.
        cuts: start and stop of each server's part, in elements; server s is rank s.
    """

    def __init__(self, transport: Transport, tag: int, x: Array, out: Array, cuts: Sequence[tuple[int, int]]) -> None:
        rank, others = transport.rank, [r for r in range(transport.size) if r != transport.rank]
        self._x, self._out, self._size = x, out, transport.size
        away = [(server, piece) for server, cut in enumerate(cuts) if server != rank for piece in _segments(*cut, x)]
        self.pushes: list[Request] = [transport.sender(x[piece], server, tag) for server, piece in away]
        self.pulls: list[Request] = [transport.receiver(out[piece], server, tag) for server, piece in away]
        self.collected: list[tuple[Request, Array, slice]] = []
        self.answers: list[Request] = []
        self._mine = slice(*cuts[rank]) if rank < len(cuts) else None
        if self._mine is not None:
            for worker in others:
                for piece in _segments(self._mine.start, self._mine.stop, x):
                    came = np.empty(piece.stop - piece.start, x.dtype)
                    self.collected.append((transport.receiver(came, worker, tag), came, piece))
                    self.answers.append(transport.sender(out[piece], worker, tag))
        self._pushed = sum(x[piece].nbytes for _, piece in away)

    def steps(self, reduction: Reduction, counts: Counts) -> Steps:
        """Push, add up, pull; yields what has to be waited for."""
        counts.rounds += 2
        counts.messages += len(self.pushes) + len(self.answers)
        counts.bytes += self._pushed
        for receive, _, _ in self.collected:
            receive.Start()
        for push in self.pushes:
            push.Start()
        if self._mine is not None:
            total = self._out[self._mine]
            if self._out is not self._x:
                total[...] = self._x[self._mine]
            for receive, came, piece in self.collected:  # the order of the ranks: the same sum at every run
                yield receive
                part = self._out[piece]
                reduction.ufunc(part, came, out=part)
            reduction.finish(total, self._size)
            counts.bytes += total.nbytes * (self._size - 1)
            for answer in self.answers:
                answer.Start()
        for push, pull in zip(self.pushes, self.pulls):
            yield push  # out may be x: what is overwritten must have left
            pull.Start()
        yield from self.pulls
        yield from self.answers

    def free(self) -> None:
        """Give the requests back to the transport."""
        for request in (*self.pushes, *self.pulls, *self.answers, *(receive for receive, _, _ in self.collected)):
            request.Free()


def _segments(start: int, stop: int, x: Array) -> list[slice]:
    """Elements ``start`` to ``stop`` of ``x``, cut into messages; one that is empty if there are none."""
    step = SEGMENT // x.itemsize
    return [slice(begin, min(begin + step, stop)) for begin in range(start, max(stop, start + 1), step)]


class ServerCalls(Calls):
    """The calls of a communicator whose sums and means go through servers; everything else is as it was."""

    def __init__(self, link: Connection | None, table: Table, stats: Statistics, servers: int) -> None:
        super().__init__(link, table, stats)
        self._servers = servers

    def allreduce(self, send: Array, recv: Array, op: str, algorithm: str, waits: bool) -> Call:
        """A sum or mean through the servers, any other allreduce as usual."""
        if op not in ("sum", "mean") or algorithm != "auto":
            return super().allreduce(send, recv, op, algorithm, waits)
        key = ("server", op, send.dtype, send.shape)
        return self._known.get(key) or self._add(key, self._through_servers(op, send.dtype, send.shape))

    def _through_servers(self, op: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Call:
        reduced, link, servers = reductions.reduction("allreduce", op, dtype), self._link, self._servers
        counts = self._stats["allreduce"]
        text = f"allreduce({op}) of {dtype}, shape {shape}, by {servers} servers"
        if link is None:
            return Call(text, "single", counts, single)
        return Call(text, "server", counts, lambda send, recv: _exchanged(link, servers, send, recv, reduced, counts))


def _exchanged(link: Connection, servers: int, send: Array, recv: Array, reduced: Reduction, counts: Counts) -> Steps:
    """Through the servers once: arrays may never come again."""
    x, out = send.reshape(-1), recv.reshape(-1)
    exchange = ServerExchange(
        link.transport, link.next_tag(), x, x if recv is send else out, reductions.bounds(x.size, servers)
    )
    yield from exchange.steps(reduced, counts)
    exchange.free()


class ServerReductions(Communicator):
    """A communicator whose sums and means go through parameter servers.

    Args:
        comm: the ranks.
        servers: how many of them, from rank 0 on, add up; each has an equal part of every array.
    """

    def __init__(self, comm: Communicator, servers: int = 1) -> None:
        self.servers = servers
        super().__init__(comm.connection)

    def _new_calls(self) -> Calls:
        return ServerCalls(self._link, self.table, self.stats, self.servers)

    def split(self, color: int, key: int = 0) -> Communicator:
        """The ranks with the same ``color``, with as many servers if there are so many ranks."""
        below = super().split(color, key)
        return ServerReductions(below, min(self.servers, below.size))


class ParameterServer(DataParallel):
    """Averages the gradients of a model through parameter servers, during every ``backward()``: slower than it need be.

    The interface and the results are those of ``DataParallel``, up to rounding; only the way of the gradients differs.

    Args:
        model: of the same structure on all ranks.
        comm: the ranks, which are the workers.
        servers: how many of them, from rank 0 on, are servers as well. Each adds up an equal part of every bucket.
        options: those of ``DataParallel``.

    Raises:
        ArgumentError: on every rank, if there are not so many ranks, or as ``DataParallel``.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite import distributed as dist, nn
    >>> model = nn.Linear(2, 1)
    >>> ps = ParameterServer(model, dist.init())
    >>> ps.backward(model(tgl.ones((3, 2))).mean(), count=3)
    >>> model.bias.grad
    Tensor([1.])
    """

    def __init__(self, model: Module, comm: Communicator, *, servers: int = 1, **options: Any) -> None:
        check_communicator("ParameterServer", comm)
        servers = integer("ParameterServer", "servers", servers)
        if not 1 <= servers <= comm.size:
            need = f"needs 1 to {comm.size} servers, which are the first of the ranks, but got {servers}"
            hint = "start more ranks with mpirun -n, or leave servers out"
            fail(ArgumentError, "ParameterServer", need, {}, hint)
        super().__init__(model, ServerReductions(comm, servers), **options)
