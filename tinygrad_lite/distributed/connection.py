"""What connects this rank with the others: MPI, messages, shared memory, and the table of who is where."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from tinygrad_lite.distributed import choice
from tinygrad_lite.distributed.failure import Process
from tinygrad_lite.distributed.mpi_collectives import MPICollectives
from tinygrad_lite.distributed.ring import Ring
from tinygrad_lite.distributed.staged import ROOM, Stage
from tinygrad_lite.distributed.transport import DelayedTransport, MPITransport, Transport
from tinygrad_lite.distributed.watch import ROW, Watch
from tinygrad_lite.distributed.watch_hosts import WatchOfHosts
from tinygrad_lite.distributed.windows import Window, cores_of, has_room
from tinygrad_lite.errors import CommunicationError, fail


class Connection:
    """One group of ranks. Making it is collective.

    Args:
        mpi: mpi4py's module.
        comm: MPI's communicator; nothing else may use it.
        process: this process of the job.
        report, timeout: seconds of waiting after which to name the late ranks and to end the job.

    Attributes:
        can_stage: whether there was, when it was made, shared memory for a stage.
        closed: whether it was given back.
        windows: the memory that ``Communicator.empty`` has handed out.
        broken_off: what has ended calls before their end, with the arrays that MPI may still write into.

    Raises:
        CommunicationError: on every rank, if a host lacks the little shared memory that the table needs.
    """

    def __init__(self, mpi: Any, comm: Any, process: Process, report: float, timeout: float) -> None:
        self.mpi, self.comm, self.process = mpi, comm, process
        self.report, self.timeout = report, timeout
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        self.host = comm.Split_type(mpi.COMM_TYPE_SHARED, self.rank)
        self.one_host: bool = self.host.Get_size() == self.size
        if not all(comm.allgather(has_room(self.host, ROW))):
            hint = "make it larger, with docker by --shm-size=1g, or start fewer ranks per host"
            need = f"needs {ROW // 1024 + 4} KiB of shared memory per rank, but a host has less"
            fail(CommunicationError, "Communicator", need, {}, hint)
        here = self.host.allgather(self.rank)
        self.watch = (
            Watch(mpi, self.host, here, report, timeout)
            if self.one_host
            else WatchOfHosts(mpi, comm, self.host, here, report, timeout)
        )
        process.add(process.share(self.host, self.watch))
        self.closed = False
        self.windows: list[Window] = []
        self.broken_off: list[BaseException] = []
        self._rings: list[Ring] = []
        self.own = MPICollectives(mpi, comm)
        self.transport: Transport = MPITransport(comm, mpi.BYTE)
        per_host = [size for size in comm.allgather(self.host.Get_size() * (self.host.Get_rank() == 0)) if size]
        library = mpi.Get_library_version().split(",")[0].strip()
        self.machine = choice.machine(library, per_host, comm.bcast(cores_of(self.host)))
        self.table: choice.Table = comm.bcast(choice.load(self.machine, self.size) if self.rank == 0 else None)
        self._slower: tuple[float, float] | None = None
        self._only = ""
        self._stage: Stage | None = None
        self.can_stage: bool = self.one_host and has_room(comm, ROOM)
        if not self.can_stage:
            self.table = {key: _without_stage(rows) for key, rows in self.table.items()}
        self._tags = 0

    def next_tag(self) -> int:
        """A tag for the messages of one collective; every rank asks in the same order."""
        self._tags = (self._tags + 1) % _TAGS
        return self._tags

    def window(self, nbytes: int) -> Window | None:
        """Memory of ``nbytes`` per rank that all ranks share; None if there is none. Collective."""
        if not self.one_host or not has_room(self.comm, nbytes):
            return None
        self.windows.append(self.process.share(self.comm, Window(self.mpi, self.comm, nbytes)))
        return self.windows[-1]

    def stage(self) -> Stage:
        """The window through which arrays outside of windows are reduced; made when first used."""
        if self._stage is None:
            self._stage = self.process.share(self.comm, Stage(self.mpi, self.comm))
        return self._stage

    def keep(self, ring: Ring) -> Ring:
        """A ring whose requests serve until the calls that it belongs to are forgotten."""
        self._rings.append(ring)
        return ring

    def every_rank(self, *numbers: int) -> list[list[int]]:
        """Every rank's ``numbers``."""
        mine, every = np.array(numbers, np.int64), np.empty((self.size, len(numbers)), np.int64)
        self.comm.Allgather(mine, every)
        found: list[list[int]] = every.tolist()
        return found

    def split(self, color: int, key: int) -> Connection | None:
        """The connection of the ranks of one ``color``, ordered by ``key``; as slow, and with the same algorithm.

        One rank alone needs none.
        """
        comm = self.comm.Split(color, key)
        if comm.Get_size() == 1:
            comm.Free()
            return None
        below = Connection(self.mpi, comm, self.process, self.report, self.timeout)
        if self._slower is not None:
            below.slow_down(*self._slower)
        if self._only:
            below.use_only(self._only)
        return below

    def copy(self) -> Connection:
        """Another connection of the same ranks."""
        link = self.split(0, self.rank)
        assert link is not None, "one rank alone has no connection"
        return link

    def slow_down(self, latency: float, seconds_per_byte: float) -> None:
        """Put a slower network in front of this one's."""
        self._slower = latency, seconds_per_byte
        self.transport = DelayedTransport(self.transport, latency, seconds_per_byte)

    def use_only(self, algorithm: str) -> None:
        """Let one algorithm carry out arrays of every size."""
        self._only = algorithm
        self.table = {key: [(float("inf"), algorithm)] for key in self.table}

    def reclaim(self) -> None:
        """Free the requests of rings and the windows that no one needs any more. Collective.

        Calls on them must have been forgotten. A window whose array some rank still holds stays: to touch memory that
        is no more would end the process.
        """
        while self._rings:
            self._rings.pop().free()
        if any(window.in_use() for window in self.windows):
            gc.collect()
        held = self.comm.allgather([window.in_use() for window in self.windows])
        for window, *used in list(zip(self.windows, *held, strict=True)):
            if not any(used):
                self.process.free(window)
                self.windows.remove(window)

    def close(self) -> None:
        """Give back what ``reclaim`` does, and the rest. Collective; nothing may be under way."""
        self.closed = True
        self.reclaim()
        if self._stage is not None:
            self.process.free(self._stage)
        self.transport.close()
        self.process.remove(self.watch)
        self.process.free(self.watch)
        self.host.Free()
        self.comm.Free()


def _without_stage(rows: choice.Rows) -> choice.Rows:
    return [(most, "ring" if algorithm == "staged" else algorithm) for most, algorithm in rows]


_TAGS = 16384  #: half of the tags that MPI guarantees
