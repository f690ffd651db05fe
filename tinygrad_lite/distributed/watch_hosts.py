"""The watch where ranks lie on several hosts, and share no table: every call is told to all ranks, beside the call.

What is told is one number per rank and call, by an all-gather that nobody waits for. It travels while the call does, so
it costs the call little, and it arrives even if the call itself cannot: the thread of the process asks for it.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import Any

import numpy as np

from tinygrad_lite.distributed.reductions import Array
from tinygrad_lite.distributed.watch import INTERVAL, SETTLED, Watch, disagreement

#: Seconds that the end of a call waits for what the others call; of all but a broadcast it is there by then.
_HEARD = 0.05


class WatchOfHosts(Watch):
    """The watch of a communicator with ranks on several hosts.

    Args:
        mpi, comm: mpi4py's module, and MPI's communicator of all ranks.
        host, ranks, report, timeout: as for ``Watch``.
    """

    def __init__(self, mpi: Any, comm: Any, host: Any, ranks: list[int], report: float, timeout: float) -> None:
        self._comm = comm.Dup()
        self._size: int = comm.Get_size()
        self._told: dict[int, tuple[Any, Array, Array]] = {}  # by a call's entry: the request, and its two arrays
        self._asking = threading.Lock()  # only one thread may ask whether a request is done
        super().__init__(mpi, host, ranks, report, timeout)

    def start(self, mark: int, now: float) -> int:
        """Note that a call begins, and tell all ranks which."""
        entry = super().start(mark, now)
        mine, every = np.array([entry]), np.empty(self._size, np.int64)
        with self._asking:
            self._told[entry] = self._comm.Iallgather(mine, every), mine, every
        return entry

    def finish(self, entry: int) -> None:
        """Note that a call is done, and see that all ranks made the same."""
        super().finish(entry)
        self._hear(entry, _HEARD)

    def compare(self, entry: int) -> None:
        """Raise ``CommunicationError`` if another rank is known to have made another call."""
        self._hear(entry, 0.0)
        super().compare(entry)

    def report(self, entry: int) -> str:
        """Which ranks of this host the call of this entry waits for."""
        return f"{super().report(entry)}\n  unknown: what the ranks on other hosts are doing"

    def let_others_speak(self) -> None:
        """Wait a moment until every rank of this host has failed or ended, and those of other hosts have noticed."""
        super().let_others_speak()
        time.sleep(4 * INTERVAL)

    def free(self) -> None:
        """Give the table and the communicator back, which nobody may look at any more. Collective."""
        limit = time.monotonic() + SETTLED
        while self._told and time.monotonic() < limit:
            self._ask()
        if not self._told:
            self._comm.Free()
        else:  # a rank has left before this call; MPI writes into the arrays until its end, which is after Python's
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._told))
        super().free()

    def _hear(self, entry: int, seconds: float) -> None:
        """Compare what has arrived; wait so long for what is told of this call."""
        limit = time.monotonic() + seconds
        while True:
            for done, every in self._ask():
                if (every != done).any():
                    said = {rank: self._call_text(self._row, found) for rank, found in enumerate(every.tolist())}
                    raise disagreement(self.number(done), said)
            if entry not in self._told or time.monotonic() >= limit:
                return
            os.sched_yield()

    def _ask(self) -> list[tuple[int, Array]]:
        """What has arrived since this was last asked."""
        with self._asking:
            arrived = [(entry, every) for entry, (request, _, every) in self._told.items() if request.Test()]
            for entry, _ in arrived:
                del self._told[entry]
        return arrived
