"""Several hosts where there is one: ranks that do not see each other's memory."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.distributed import Communicator
from tinygrad_lite.distributed.connection import Connection


class _Hosts:
    """An MPI communicator whose ranks lie on hosts of ``ranks`` each."""

    def __init__(self, comm: Any, ranks: int) -> None:
        self._comm, self._ranks = comm, ranks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._comm, name)

    def Split_type(self, kind: int, key: int) -> Any:
        return self._comm.Split(self._comm.Get_rank() // self._ranks, key)


def on_hosts_of(ranks: int, comm: Communicator, report: float = 30.0, timeout: float = 60.0) -> Communicator:
    """The ranks of ``comm`` as if on hosts of ``ranks`` each."""
    link = comm.connection
    assert link is not None
    duplicate = link.comm.Dup()
    among = duplicate if comm.size <= ranks else _Hosts(duplicate, ranks)
    return Communicator(Connection(link.mpi, among, link.process, report, timeout))
