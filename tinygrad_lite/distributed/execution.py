"""How a call is carried out: agreed upon by all ranks when it is new, given to the algorithm that the table chooses,
watched while it waits, and counted.
"""

from __future__ import annotations

import os
import time
from typing import Any, cast

import numpy as np

from tinygrad_lite.distributed.agreement import agree
from tinygrad_lite.distributed.arrays import Deliver
from tinygrad_lite.distributed.calls import Call, Calls
from tinygrad_lite.distributed.connection import Connection
from tinygrad_lite.distributed.handles import Handle
from tinygrad_lite.distributed.reductions import Array
from tinygrad_lite.distributed.unusable import INTERRUPTED
from tinygrad_lite.errors import CommunicationError, Error

NONE = np.empty(0, np.uint8)  #: what a barrier carries


class Execution:
    """What the collectives of a communicator share."""

    _link: Connection | None
    _calls: Calls
    _open: dict[int, Handle]

    def _meet(self, text: str) -> None:
        """Wait until every rank is about to do what ``text`` says."""
        self._run(self._calls.barrier(text), NONE, NONE)

    def _enter(self, call: Call, begin: float) -> int:
        """Note that a call begins, and ask the others if it is new."""
        link = self._link
        assert link is not None
        watch = link.watch
        if call.agreed:
            return watch.start(call.mark, begin)
        watch.describe(call.mark, call.text)
        entry = watch.start(call.mark, begin)
        # Whether a call is new must not depend on what only this rank sees, such as where its arrays lie.
        if call.text not in self._calls.agreed:
            try:
                agree(link.comm, watch, entry, call.text)
            except CommunicationError:
                watch.compute()  # everyone has the same error, and can go on
                raise
            except BaseException as error:
                self._break(error)
                raise
            self._calls.agreed.add(call.text)
        call.agreed = True
        return entry

    def _run(self, call: Call, send: Array, recv: Array) -> None:
        """Carry out a call, waiting for it. Of a small array one notices every line of this."""
        if self._open:
            self._drain()
        begin = time.monotonic()
        link, counts = self._link, call.counts
        if link is None:
            for pending in call.steps(send, recv):
                pending.Wait()
        else:
            watch = link.watch
            entry = watch.start(call.mark, begin) if call.agreed else self._enter(call, begin)
            try:
                if call.blocking is not None:
                    call.blocking(send, recv)
                else:
                    steps = call.steps(send, recv)
                    for pending in steps:
                        pending.Wait()
            except link.mpi.Exception as error:
                watch.explain(entry, error)
            except BaseException as error:
                self._break(error)
                raise
            watch.finish(entry)
        counts.calls += 1
        counts.algorithm = call.algorithm
        counts.seconds += time.monotonic() - begin

    def _drain(self) -> None:
        """Wait for all handles: other ranks may wait for these before they make this rank's next call."""
        for handle in list(self._open.values()):
            handle.wait()

    def _break(self, error: BaseException) -> None:
        """Refuse every further call: ``error`` has broken one off, in which the others still are.

        MPI may write into the arrays of that call at any time. They live as long as the error's traceback.
        """
        link = self._link
        if link is None:
            return  # nobody waits
        link.broken_off.append(error)
        link.watch.compute()
        self._calls = cast(Calls, INTERRUPTED)

    def _lengths(self, send: Array) -> tuple[list[int], tuple[int, int] | None]:
        """How many rows each rank brings to an all-gather, and the place in a window where all have theirs, if any."""
        link, place = self._link, self._calls.place(send)
        if link is None:
            return [send.shape[0]], place
        self._drain()
        entry = self._enter(self._calls.lengths(send), time.monotonic())
        try:
            rows = link.every_rank(send.shape[0], *(place or (-1, -1)))
        except link.mpi.Exception as error:
            link.watch.explain(entry, error)
        link.watch.finish(entry)
        return [row[0] for row in rows], place if rows.count(rows[0]) == len(rows) else None

    def _launch(self, call: Call, send: Array, recv: Array, deliver: Deliver) -> Handle:
        """Start a call."""
        begin = time.monotonic()
        link, counts = self._link, call.counts
        entry = 0 if link is None else self._enter(call, begin)
        if link is not None:
            link.watch.compute()

        def finish() -> Any:
            self._open.pop(entry, None)
            if link is not None:
                link.watch.finish(entry)
            counts.calls += 1
            counts.algorithm = call.algorithm
            counts.seconds += time.monotonic() - begin
            return deliver(recv)

        def poll() -> None:
            if link is not None:
                link.watch.poll(entry)

        try:
            handle = Handle(call.steps(send, recv), finish, lambda handle: self._finish(handle, entry), poll)
        except Error:
            raise  # nothing was started, or all ranks have the same error
        except BaseException as error:
            self._break(error)
            raise
        if not handle.done:
            self._open[entry] = handle
        return handle

    def _finish(self, handle: Handle, entry: int) -> None:
        """Wait for a handle, moving the others on meanwhile: another rank may wait for those first."""
        link = self._link
        assert link is not None
        begin = time.monotonic()
        try:
            while not handle.done:
                link.watch.wait(entry, begin)  # when another handle ended, this rank was taken to compute
                if len(self._open) == 1:
                    handle.drive()
                    return
                for other in list(self._open.values()):
                    other.progress()
                os.sched_yield()
        except link.mpi.Exception as error:
            link.watch.explain(entry, error)
        except BaseException:
            link.watch.compute()  # it may be caught, and the handle waited for again
            raise
