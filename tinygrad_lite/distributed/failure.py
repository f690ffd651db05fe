"""The end of a program on many ranks: one that raises ends all, and one that is done lets no one wait unexplained."""

from __future__ import annotations

import atexit
import socket
import sys
import traceback
import weakref
from types import TracebackType
from typing import Any

from tinygrad_lite import errors
from tinygrad_lite.distributed.watch import Watch, abort


class Process:
    """This process of the job: the tables in which it must sign off, and what happens when it raises.

    Python would print the traceback and go on to ``MPI_Finalize``, where it waits for ranks that wait for it.
    """

    def __init__(self, mpi: Any) -> None:
        self._mpi = mpi
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()
        self._print = sys.excepthook
        if isinstance(getattr(sys.excepthook, "__self__", None), Process):
            self._print = sys.__excepthook__
        sys.excepthook = self._raised
        atexit.register(self._ended)

    def add(self, watch: Watch) -> None:
        """Keep a table up to date about this process's end."""
        self._watches.add(watch)

    def _raised(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        world = self._mpi.COMM_WORLD
        where = f"rank {world.Get_rank()} of {world.Get_size()} on {socket.gethostname()}"
        sys.stdout.flush()
        head = f"tinygrad_lite.distributed: {where} raised, which ends the job:\n"
        if self._print is sys.__excepthook__:  # in one piece, so that several ranks' do not mix
            sys.stderr.write(head + "".join(traceback.format_exception(kind, error, trace)))
        else:
            sys.stderr.write(head)
            self._print(kind, error, trace)
        sys.stderr.flush()
        watches = list(self._watches)
        for watch in watches:
            watch.fail()
        if issubclass(kind, errors.CommunicationError) and watches:
            watches[0].let_others_speak()
        abort(self._mpi)

    def _ended(self) -> None:
        for watch in list(self._watches):
            watch.end()
