"""The end of a program on many ranks: one that raises ends all, and one that is done lets no one wait unexplained."""

from __future__ import annotations

import atexit
import ctypes
import functools
import itertools
import socket
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from tinygrad_lite import errors
from tinygrad_lite.distributed.watch import INTERVAL, Watch, abort


class Process:
    """This process of the job: the tables that it must look at and sign off in, and what happens when it raises.

    Python would print the traceback and go on to ``MPI_Finalize``, where it waits for ranks that wait for it.
    One thread looks after the tables of all communicators.
    """

    def __init__(self, mpi: Any) -> None:
        self._mpi = mpi
        self._watches: list[Watch] = []
        self._shared: dict[tuple[int, int], Any] = {}  # memory, by a number of its own that its ranks agree on
        self._numbers = itertools.count()
        self._looking = threading.Lock()  # held while the thread looks at the tables
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._print = sys.excepthook
        sys.excepthook = self._raised
        atexit.register(self._ended)

    def add(self, watch: Watch) -> None:
        """Look after a table, and keep it up to date about this process's end."""
        with self._looking:
            self._watches.append(watch)
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._look_around, name="tinygrad_lite-watch", daemon=True)
            self._thread.start()

    def remove(self, watch: Watch) -> None:
        """Let go of a table: when this returns no one looks at it."""
        with self._looking:
            self._watches.remove(watch)
        if not self._watches:
            self._stop_looking()

    def share(self, comm: Any, memory: Any) -> Any:
        """Free the memory that the ranks of ``comm`` share when the program ends, unless that was done before.

        Collective.
        """
        number = self._mpi.COMM_WORLD.Get_rank(), next(self._numbers)
        self._shared[comm.bcast(number)] = memory  # the first rank's
        return memory

    def free(self, memory: Any) -> None:
        """Free memory that was given to ``share``. Collective."""
        self._shared = {number: other for number, other in self._shared.items() if other is not memory}
        memory.free()

    def _look_around(self) -> None:
        while not self._stop.wait(INTERVAL):
            with self._looking:
                waiting = [watch for watch in self._watches if watch.waits()]
                for watch in self._watches:
                    watch.note_elsewhere(any(other is not watch for other in waiting))
                    watch.look()

    def _stop_looking(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

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
            for handle in watch.open.values():  # MPI uses their arrays until its end, which is after the interpreter's
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))
        self._stop_looking()
        # What is left for MPI_Finalize it frees in an order of its own, in which ranks of overlapping groups can wait
        # for each other for ever. In one order on all ranks they cannot.
        for _, memory in sorted(self._shared.items()):
            memory.free()


@functools.cache
def this_process(mpi: Any) -> Process:
    """The one ``Process`` of this process."""
    return Process(mpi)
