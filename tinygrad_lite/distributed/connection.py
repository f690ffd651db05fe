"""What connects this rank with the others: MPI, messages, shared memory, and the table of who is where."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.distributed import choice
from tinygrad_lite.distributed.failure import Process
from tinygrad_lite.distributed.mpi_collectives import MPICollectives
from tinygrad_lite.distributed.staged import ROOM
from tinygrad_lite.distributed.transport import DelayedTransport, MPITransport, Transport
from tinygrad_lite.distributed.watch import Watch
from tinygrad_lite.distributed.windows import Window


class Connection:
    """One group of ranks. Making it is collective.

    Args:
        mpi: mpi4py's module.
        comm: MPI's communicator; nothing else may use it.
        process: this process of the job.
        report, timeout: seconds of waiting after which to name the late ranks and to end the job.
    """

    def __init__(self, mpi: Any, comm: Any, process: Process, report: float, timeout: float) -> None:
        self.mpi, self.comm, self.process = mpi, comm, process
        self.report, self.timeout = report, timeout
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        self.host = comm.Split_type(mpi.COMM_TYPE_SHARED, self.rank)
        self.one_host: bool = self.host.Get_size() == self.size
        self.watch = Watch(mpi, self.host, self.host.allgather(self.rank), report, timeout)
        process.add(self.watch)
        self.own = MPICollectives(mpi, comm)
        self.transport: Transport = MPITransport(comm, mpi.BYTE)
        per_host = [size for size in comm.allgather(self.host.Get_size() * (self.host.Get_rank() == 0)) if size]
        library = mpi.Get_library_version().split(",")[0].strip()
        self.machine = choice.machine(library, per_host)
        self.table: choice.Table = comm.bcast(choice.load(self.machine, self.size) if self.rank == 0 else None)
        self._slower: tuple[float, float] | None = None
        self._only = ""
        self._stage: Window | None = None
        self._tags = 0

    def next_tag(self) -> int:
        """A tag for the messages of one collective; every rank asks in the same order."""
        self._tags = (self._tags + 1) % _TAGS
        return self._tags

    def stage(self) -> Window:
        """The window through which arrays outside of windows are reduced; made when first used."""
        if self._stage is None:
            self._stage = Window(self.mpi, self.comm, ROOM)
        return self._stage

    def lengths(self, length: int) -> list[int]:
        """Every rank's ``length``."""
        mine, every = np.array([length], np.int64), np.empty(self.size, np.int64)
        self.comm.Allgather(mine, every)
        found: list[int] = every.tolist()
        return found

    def split(self, color: int, key: int) -> Connection:
        """The connection of the ranks of one ``color``, ordered by ``key``; as slow, and with the same algorithm."""
        below = Connection(self.mpi, self.comm.Split(color, key), self.process, self.report, self.timeout)
        if self._slower is not None:
            below.slow_down(*self._slower)
        if self._only:
            below.use_only(self._only)
        return below

    def slow_down(self, latency: float, seconds_per_byte: float) -> None:
        """Put a slower network in front of this one's."""
        self._slower = latency, seconds_per_byte
        self.transport = DelayedTransport(self.transport, latency, seconds_per_byte)

    def use_only(self, algorithm: str) -> None:
        """Let one algorithm carry out arrays of every size."""
        self._only = algorithm
        self.table = {key: [(float("inf"), algorithm)] for key in self.table}


_TAGS = 16384  #: half of the tags that MPI guarantees
