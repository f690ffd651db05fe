"""Messages between two ranks: the little that the ring and recursive doubling need of a network.

A transport makes requests that can be started again and again (MPI: persistent requests), so that buffers and peers are
looked at once. ``MPITransport`` hands out MPI's own. ``DelayedTransport`` puts a slower network in front of another
transport, which shows overlap where the real network is too fast, or the cores too few, to see it on a clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, Protocol

from tinygrad_lite.distributed.reductions import Array


class Pending(Protocol):
    """Something to wait for; the names are MPI's."""

    def Test(self) -> bool: ...
    def Wait(self) -> Any: ...


class Request(Pending, Protocol):
    """A message that can be started, and started again once it is done."""

    def Start(self) -> None: ...
    def Free(self) -> None: ...


#: What an algorithm is: it starts messages, and yields each thing that it has to wait for before it can go on.
Steps = Iterator[Pending]


class Transport(Protocol):
    """The ends of a network. Messages between two ranks with one tag arrive in the order in which they were started."""

    rank: int
    size: int

    def sender(self, array: Array, peer: int, tag: int) -> Request:
        """A request that sends the contiguous ``array`` to ``peer`` whenever it is started."""

    def receiver(self, array: Array, peer: int, tag: int) -> Request:
        """A request that receives from ``peer`` into the contiguous ``array``."""

    def close(self) -> None:
        """The end of all messages."""


class MPITransport:
    """MPI's persistent point-to-point requests on a communicator that no one else uses."""

    def __init__(self, comm: Any, byte: Any) -> None:
        self.comm, self._byte = comm, byte
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()

    def sender(self, array: Array, peer: int, tag: int) -> Request:
        request: Request = self.comm.Send_init([array, array.nbytes, self._byte], peer, tag)
        return request

    def receiver(self, array: Array, peer: int, tag: int) -> Request:
        request: Request = self.comm.Recv_init([array, array.nbytes, self._byte], peer, tag)
        return request

    def close(self) -> None:
        """Nothing: the requests are given back one by one."""


class DelayedTransport:
    """Another transport behind a slower network: S bytes are held back for ``latency + S * seconds_per_byte``.

    Messages leave one after the other, as from a network card, by a thread that sleeps meanwhile: the time costs no
    core.

    Args:
        transport: the network that carries the messages in the end.
        latency: seconds per message (α in the cost models).
        seconds_per_byte: seconds per byte (β).
    """

    def __init__(self, transport: Transport, latency: float, seconds_per_byte: float) -> None:
        self.rank, self.size = transport.rank, transport.size
        self._inner, self._latency, self._seconds_per_byte = transport, latency, seconds_per_byte
        self._waiting: SimpleQueue[_Delayed | None] = SimpleQueue()
        threading.Thread(target=self._send, name="tinygrad_lite-delay", daemon=True).start()

    def sender(self, array: Array, peer: int, tag: int) -> Request:
        seconds = self._latency + array.nbytes * self._seconds_per_byte
        return _Delayed(self._inner.sender(array, peer, tag), seconds, self._waiting)

    def receiver(self, array: Array, peer: int, tag: int) -> Request:
        return self._inner.receiver(array, peer, tag)

    def close(self) -> None:
        """End the thread; no message may be on its way."""
        self._waiting.put(None)

    def _send(self) -> None:
        free = 0.0  # when the card has sent what it was given before
        while (message := self._waiting.get()) is not None:
            free = max(free, message.handed_over) + message.seconds
            time.sleep(max(0.0, free - time.monotonic()))
            message.request.Start()
            message.left.set()


class _Delayed:
    """A message that the thread starts when its time has come."""

    def __init__(self, request: Request, seconds: float, waiting: SimpleQueue[_Delayed | None]) -> None:
        self.request, self.seconds, self._waiting = request, seconds, waiting
        self.handed_over = 0.0
        self.left = threading.Event()
        self.left.set()

    def Start(self) -> None:
        self.left.clear()
        self.handed_over = time.monotonic()
        self._waiting.put(self)

    def Test(self) -> bool:
        return self.left.is_set() and self.request.Test()

    def Wait(self) -> None:
        self.left.wait()
        self.request.Wait()

    def Free(self) -> None:
        self.request.Free()
